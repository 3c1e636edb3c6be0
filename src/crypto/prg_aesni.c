/* The AES-NI kernel: eight blocks in flight hide the latency of one round. */
#include "crypto/prg_kernel.h"

#ifdef ENT_PRG_X86
#include <immintrin.h>

#define TARGET __attribute__((target("aes,sse4.1,avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))
enum { LANES = 8 };
/* The state must stay in registers. */
#define UNROLLED(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)

bool ent_prg_aesni_runs(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("avx2");
}

INLINE __m128i expand_step(__m128i key, __m128i assist)
{
	assist = _mm_shuffle_epi32(assist, 0xff);
	key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
	key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
	return _mm_xor_si128(key, assist);
}

/* FIPS 197 section 5.2; the round constant must be an immediate. */
TARGET void ent_prg_aesni_expand(uint8_t round_keys[176], const uint8_t key[16])
{
	__m128i k[11];
	k[0] = _mm_loadu_si128((const __m128i *)(const void *)key);
#define STEP(i, rcon) k[i] = expand_step(k[(i)-1], _mm_aeskeygenassist_si128(k[(i)-1], rcon))
	STEP(1, 0x01);
	STEP(2, 0x02);
	STEP(3, 0x04);
	STEP(4, 0x08);
	STEP(5, 0x10);
	STEP(6, 0x20);
	STEP(7, 0x40);
	STEP(8, 0x80);
	STEP(9, 0x1b);
	STEP(10, 0x36);
#undef STEP
	memcpy(round_keys, k, sizeof k);
}

/* LANES counter blocks from low on, encrypted under one key. */
INLINE void blocks(const struct ent_prg *p, uint64_t high, uint64_t low, __m128i x[LANES])
{
	const __m128i *k = (const __m128i *)(const void *)p->round_keys;
	const __m128i flip = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	__m128i key = _mm_load_si128(k);
	UNROLLED (i, LANES) {
		__m128i counter = _mm_set_epi64x((int64_t)high, (int64_t)(low + ((uint64_t)i << 16)));
		x[i] = _mm_xor_si128(_mm_shuffle_epi8(counter, flip), key);
	}
	UNROLLED (r, 9) {
		key = _mm_load_si128(k + r + 1);
		UNROLLED (i, LANES)
			x[i] = _mm_aesenc_si128(x[i], key);
	}
	key = _mm_load_si128(k + 10);
	UNROLLED (i, LANES)
		x[i] = _mm_aesenclast_si128(x[i], key);
}

enum mode { ONE, XOR, SUB };

INLINE void group(const struct ent_prg *a, const struct ent_prg *b, uint64_t high, uint64_t low, enum mode mode, __m128i x[LANES])
{
	__m128i y[LANES];
	blocks(a, high, low, x);
	if (mode == ONE)
		return;
	blocks(b, high, low, y);
	UNROLLED (i, LANES)
		x[i] = mode == XOR ? _mm_xor_si128(x[i], y[i]) : _mm_sub_epi64(x[i], y[i]);
}

INLINE void run(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len, enum mode mode)
{
	uint64_t high = ent_prg_high(op, stream, index), low = ent_prg_low(index);
	__m128i x[LANES];
	uint8_t *at = out;
	for (; len >= sizeof x; len -= sizeof x, at += sizeof x, low += (uint64_t)LANES << 16) {
		group(a, b, high, low, mode, x);
		UNROLLED (i, LANES)
			_mm_storeu_si128((__m128i *)(void *)(at + 16 * i), x[i]);
	}
	if (len) {
		group(a, b, high, low, mode, x);
		memcpy(at, x, len);
	}
}

TARGET static void fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	run(p, NULL, op, stream, index, out, len, ONE);
}

TARGET static void pair_xor(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	run(a, b, op, stream, index, out, len, XOR);
}

TARGET static void pair_sub(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	run(a, b, op, stream, index, out, len, SUB);
}

const struct ent_prg_kernel ent_prg_aesni = { "aesni", fill, pair_xor, pair_sub };
#endif
