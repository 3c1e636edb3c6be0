/* Whole rows, and the change of layout between planes and packed rows: a row of p planes is ceil(p/8) bytes, rows follow each other without gap. */
#include "mpc/engine.h"
#include "mpc/kernel.h"

static size_t row_bytes(unsigned planes) { return (planes + 7) / 8; }

/* One block of 64 rows, planes [64g, 64g+64): the words of 64 rows. */
static void block_from_planes(const uint64_t *planes, size_t words, size_t w, unsigned first, unsigned count, uint64_t block[64])
{
	for (unsigned k = 0; k < count; k++)
		block[k] = planes[(size_t)(first + k) * words + w];
	for (unsigned k = count; k < 64; k++)
		block[k] = 0;
	ent_mpc_kernel()->transpose(block);
}

/* Eight bytes a row whatever the column's width: what spills into the next row is written over, because columns go from the last to the first. */
static void put_column(uint8_t *to, size_t stride, const uint64_t block[64], size_t rows)
{
	for (size_t r = 0; r < rows; r++)
		memcpy(to + r * stride, &block[r], 8);
}

void ent_rows_pack(const uint64_t *planes, size_t rows, unsigned count, uint8_t *ret_rows)
{
	size_t words = ent_words(rows), stride = row_bytes(count);
	uint64_t block[64] __attribute__((aligned(64)));
	for (size_t w = 0; w < words; w++) {
		size_t here = rows - w * 64 < 64 ? rows - w * 64 : 64;
		for (unsigned g = (count + 63) / 64 * 64; g > 0; g -= 64) {
			unsigned first = g - 64, n = count - first < 64 ? count - first : 64;
			block_from_planes(planes, words, w, first, n, block);
			put_column(ret_rows + w * 64 * stride + first / 8, stride, block, here);
		}
	}
}

/* Reads eight bytes a row; bits beyond the column's width are not used by the caller. */
static void get_column(const uint8_t *from, size_t stride, uint64_t block[64], size_t rows)
{
	for (size_t r = 0; r < rows; r++)
		memcpy(&block[r], from + r * stride, 8);
	for (size_t r = rows; r < 64; r++)
		block[r] = 0;
}

void ent_rows_unpack(const uint8_t *packed, size_t rows, unsigned count, uint64_t *ret_planes)
{
	size_t words = ent_words(rows), stride = row_bytes(count);
	uint64_t block[64] __attribute__((aligned(64)));
	for (size_t w = 0; w < words; w++) {
		size_t here = rows - w * 64 < 64 ? rows - w * 64 : 64;
		for (unsigned g = 0; g < count; g += 64) {
			unsigned n = count - g < 64 ? count - g : 64;
			get_column(packed + w * 64 * stride + g / 8, stride, block, here);
			ent_mpc_kernel()->transpose(block);
			for (unsigned k = 0; k < n; k++)
				ret_planes[(size_t)(g + k) * words + w] = block[k];
		}
	}
}

void ent_planes_from_words(const uint64_t *words, size_t rows, unsigned planes, uint64_t *ret_planes)
{
	size_t count = ent_words(rows);
	uint64_t block[64] __attribute__((aligned(64)));
	ENT_ASSERT(planes <= 64);
	for (size_t w = 0; w < count; w++) {
		size_t here = rows - w * 64 < 64 ? rows - w * 64 : 64;
		memset(block, 0, sizeof block);
		memcpy(block, words + w * 64, here * 8);
		ent_mpc_kernel()->transpose(block);
		for (unsigned k = 0; k < planes; k++)
			ret_planes[k * count + w] = block[k];
	}
}

void ent_planes_to_words(const uint64_t *planes_in, size_t rows, unsigned planes, uint64_t *ret_words)
{
	size_t count = ent_words(rows);
	uint64_t block[64] __attribute__((aligned(64)));
	ENT_ASSERT(planes <= 64);
	for (size_t w = 0; w < count; w++) {
		size_t here = rows - w * 64 < 64 ? rows - w * 64 : 64;
		block_from_planes(planes_in, count, w, 0, planes, block);
		memcpy(ret_words + w * 64, block, here * 8);
	}
}

/* One row of 1 to 32 bytes by two overlapping moves of a fixed size. */
static inline void move_row(uint8_t *to, const uint8_t *from, size_t bytes, size_t piece)
{
	uint8_t head[16], tail[16];
	memcpy(head, from, piece);
	memcpy(tail, from + bytes - piece, piece);
	memcpy(to, head, piece);
	memcpy(to + bytes - piece, tail, piece);
}

static inline void move_all(const uint8_t *in, const uint32_t *at, size_t count, size_t bytes, size_t piece, uint8_t *out)
{
	const size_t ahead = 24; /* the random reads are independent of each other: the processor overlaps them, helped by prefetch */
	for (size_t i = 0; i < count; i++) {
		__builtin_prefetch(in + (size_t)at[i + ahead < count ? i + ahead : i] * bytes);
		move_row(out + i * bytes, in + (size_t)at[i] * bytes, bytes, piece);
	}
}

void ent_rows_permute(const uint8_t *in, const uint32_t *at, size_t count, size_t bytes, uint8_t *out)
{
	if (bytes >= 16 && bytes <= 32)
		move_all(in, at, count, bytes, 16, out);
	else if (bytes >= 8 && bytes < 16)
		move_all(in, at, count, bytes, 8, out);
	else if (bytes >= 4 && bytes < 8)
		move_all(in, at, count, bytes, 4, out);
	else if (bytes >= 2 && bytes < 4)
		move_all(in, at, count, bytes, 2, out);
	else
		for (size_t i = 0; i < count; i++)
			memcpy(out + i * bytes, in + (size_t)at[i] * bytes, bytes);
}

int ent_rows_append(struct ent_mpc *m, const struct ent_rows *x, const struct ent_rows *y, struct ent_rows *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows z = { .rows = x->rows + y->rows, .rings = x->rings };
	ENT_ASSERT(x->rings == y->rings && x->bits.planes == y->bits.planes);
	ENT_TRY(ent_bits_append(m, &x->bits, &y->bits, &z.bits, err));
	for (unsigned k = 0; k < x->rings; k++)
		ENT_TRY(ent_ring_append(m, &x->ring[k], &y->ring[k], &z.ring[k], err));
	*ret = ent_rows_take(&z);
	return 0;
}

int ent_rows_range(struct ent_mpc *m, const struct ent_rows *x, size_t first, size_t count, struct ent_rows *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows z = { .rows = count, .rings = x->rings };
	ENT_TRY(ent_bits_range(m, &x->bits, first, count, &z.bits, err));
	for (unsigned k = 0; k < x->rings; k++)
		ENT_TRY(ent_ring_range(m, &x->ring[k], first, count, &z.ring[k], err));
	*ret = ent_rows_take(&z);
	return 0;
}

int ent_rows_gather(struct ent_mpc *m, const struct ent_rows *x, const uint32_t *at, size_t count, struct ent_rows *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows z = { .rows = count, .rings = x->rings };
	ENT_TRY(ent_bits_gather(m, &x->bits, at, count, &z.bits, err));
	for (unsigned k = 0; k < x->rings; k++)
		ENT_TRY(ent_ring_gather(m, &x->ring[k], at, count, &z.ring[k], err));
	*ret = ent_rows_take(&z);
	return 0;
}
