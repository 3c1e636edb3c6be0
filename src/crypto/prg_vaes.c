/* The VAES kernel: four blocks per 512-bit register, eight registers in flight. */
#include "crypto/prg_kernel.h"

#ifdef ENT_PRG_X86
#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,aes")))
#define INLINE TARGET static inline __attribute__((always_inline))
enum { LANES = 8 };
/* The state must stay in registers. */
#define UNROLLED(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)

/* CPUID leaf 7, ECX bit 9; not every compiler's __builtin_cpu_supports knows the name. */
static bool has_vaes(void)
{
	unsigned a, b, c = 0, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 9 & 1);
}

bool ent_prg_vaes512_runs(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && has_vaes() && __builtin_cpu_supports("aes");
}

struct keys {
	__m512i k[11];
};

INLINE void spread(const struct ent_prg *p, struct keys *out)
{
	UNROLLED (r, 11)
		out->k[r] = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(const void *)(p->round_keys + 16 * r)));
}

/* 4 * LANES blocks; counter holds the first four as little-endian numbers. */
INLINE void blocks(const struct keys *keys, __m512i counter, __m512i x[LANES])
{
	const __m512i flip = _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	const __m512i step = _mm512_set_epi64(0, 4 << 16, 0, 4 << 16, 0, 4 << 16, 0, 4 << 16);
	UNROLLED (i, LANES) {
		x[i] = _mm512_xor_si512(_mm512_shuffle_epi8(counter, flip), keys->k[0]);
		counter = _mm512_add_epi64(counter, step);
	}
	UNROLLED (r, 9)
		UNROLLED (i, LANES)
			x[i] = _mm512_aesenc_epi128(x[i], keys->k[r + 1]);
	UNROLLED (i, LANES)
		x[i] = _mm512_aesenclast_epi128(x[i], keys->k[10]);
}

enum mode { ONE, XOR, SUB };

INLINE void group(const struct keys *a, const struct keys *b, __m512i counter, enum mode mode, __m512i x[LANES])
{
	__m512i y[LANES];
	blocks(a, counter, x);
	if (mode == ONE)
		return;
	blocks(b, counter, y);
	UNROLLED (i, LANES)
		x[i] = mode == XOR ? _mm512_xor_si512(x[i], y[i]) : _mm512_sub_epi64(x[i], y[i]);
}

INLINE void run(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len, enum mode mode)
{
	long long high = (long long)ent_prg_high(op, stream, index), low = (long long)ent_prg_low(index);
	__m512i counter = _mm512_set_epi64(high, low + (3 << 16), high, low + (2 << 16), high, low + (1 << 16), high, low);
	const __m512i step = _mm512_set_epi64(0, 4 * LANES << 16, 0, 4 * LANES << 16, 0, 4 * LANES << 16, 0, 4 * LANES << 16);
	struct keys ka, kb;
	__m512i x[LANES];
	uint8_t *at = out;
	spread(a, &ka);
	if (mode != ONE)
		spread(b, &kb);
	for (; len >= sizeof x; len -= sizeof x, at += sizeof x, counter = _mm512_add_epi64(counter, step)) {
		group(&ka, &kb, counter, mode, x);
		UNROLLED (i, LANES)
			_mm512_storeu_si512(at + 64 * i, x[i]);
	}
	if (len) {
		group(&ka, &kb, counter, mode, x);
		memcpy(at, x, len);
	}
}

TARGET static void fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	run(p, p, op, stream, index, out, len, ONE);
}

TARGET static void pair_xor(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	run(a, b, op, stream, index, out, len, XOR);
}

TARGET static void pair_sub(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	run(a, b, op, stream, index, out, len, SUB);
}

const struct ent_prg_kernel ent_prg_vaes512 = { "vaes512", fill, pair_xor, pair_sub };
#endif
