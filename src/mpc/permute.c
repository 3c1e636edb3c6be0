/* Secret permutations of a pair: Fisher-Yates, draws unbiased by rejection (Lemire 2019) from the pair's permutation key. */
#include "mpc/permute.h"

#include "mpc/engine.h"

/* 32-bit draws out of one stream, a tile at a time. */
struct draws {
	struct ent_mpc *m;
	int j;
	uint64_t word; /* next to generate */
	size_t at;     /* next unused half of the tile */
};

static uint32_t draw(struct draws *d)
{
	const size_t halves = TILE_WORDS; /* half a tile's words, two draws each */
	if (d->at == halves) {
		ent_mpc_draw_permute(d->m, d->j, STREAM_PERMUTE, d->word, d->m->tile[1], halves / 2);
		d->word += halves / 2;
		d->at = 0;
	}
	uint64_t w = d->m->tile[1][d->at / 2];
	return (uint32_t)(w >> (d->at++ % 2 * 32));
}

static uint32_t below(struct draws *d, uint32_t bound)
{
	uint64_t wide = (uint64_t)draw(d) * bound;
	if ((uint32_t)wide < bound) {
		uint32_t least = -bound % bound;
		while ((uint32_t)wide < least)
			wide = (uint64_t)draw(d) * bound;
	}
	return (uint32_t)(wide >> 32);
}

void ent_mpc_permutation(struct ent_mpc *m, int j, uint32_t *ret, size_t rows)
{
	struct draws d = { m, j, 0, TILE_WORDS };
	for (size_t i = 0; i < rows; i++)
		ret[i] = (uint32_t)i;
	for (size_t i = rows; i-- > 1;) {
#ifdef ENT_MUTANT_SHUFFLE_BIASED
		uint32_t k = below(&d, (uint32_t)rows), t = ret[i];
#else
		uint32_t k = below(&d, (uint32_t)i + 1), t = ret[i];
#endif
		ret[i] = ret[k];
		ret[k] = t;
	}
}
