/* Kernels for AVX-512 with GFNI and VBMI (2019 and later). The 64 x 64 transposition: bytes within each group of 8 rows, bits within each 8 x 8 block
 * by one affine instruction, words between the groups, bytes again. */
#include <immintrin.h>
#include <stdint.h>

#define KERNEL ent_mpc_kernel_avx512
#define KERNEL_NAME "avx512"
#define KERNEL_TRANSPOSE transpose_gfni

/* Rows i of 8 registers as columns of 8 registers, in 64-bit words. */
static inline void swap_words(__m512i r[8])
{
	__m512i t[8], u[8];
	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4)
		for (int k = 0; k < 2; k++) {
			u[i + k] = _mm512_shuffle_i64x2(t[i + k], t[i + k + 2], 0x88);
			u[i + k + 2] = _mm512_shuffle_i64x2(t[i + k], t[i + k + 2], 0xdd);
		}
	for (int k = 0; k < 4; k++) {
		r[k] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0x88);
		r[k + 4] = _mm512_shuffle_i64x2(u[k], u[k + 4], 0xdd);
	}
}

static void transpose_gfni(uint64_t block[64])
{
	static const uint8_t order[2][64] __attribute__((aligned(64))) = {
		/* columns of bytes together; the affine instruction wants rows from last to first */
		{ 56, 48, 40, 32, 24, 16, 8,  0, 57, 49, 41, 33, 25, 17, 9,  1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3,
		  60, 52, 44, 36, 28, 20, 12, 4, 61, 53, 45, 37, 29, 21, 13, 5, 62, 54, 46, 38, 30, 22, 14, 6, 63, 55, 47, 39, 31, 23, 15, 7 },
		{ 0, 8,  16, 24, 32, 40, 48, 56, 1, 9,  17, 25, 33, 41, 49, 57, 2, 10, 18, 26, 34, 42, 50, 58, 3, 11, 19, 27, 35, 43, 51, 59,
		  4, 12, 20, 28, 36, 44, 52, 60, 5, 13, 21, 29, 37, 45, 53, 61, 6, 14, 22, 30, 38, 46, 54, 62, 7, 15, 23, 31, 39, 47, 55, 63 }
	};
	const __m512i in = _mm512_load_si512(order[0]), out = _mm512_load_si512(order[1]);
	const __m512i unit = _mm512_set1_epi64((long long)0x8040201008040201ull);
	__m512i r[8];
	for (int i = 0; i < 8; i++) {
		r[i] = _mm512_permutexvar_epi8(in, _mm512_loadu_si512(block + 8 * i));
		r[i] = _mm512_gf2p8affine_epi64_epi8(unit, r[i], 0);
	}
	swap_words(r);
	for (int i = 0; i < 8; i++)
		_mm512_storeu_si512(block + 8 * i, _mm512_permutexvar_epi8(out, r[i]));
}

#include "mpc/kernel_body.inc"
