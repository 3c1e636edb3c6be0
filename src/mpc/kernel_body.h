/* Bodies of the kernels, compiled once per instruction set: the including file names the table (KERNEL, KERNEL_NAME). Plain C that compilers
 * vectorise. */
#include "mpc/kernel.h"

static void and_plain(uint64_t *restrict out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, uint64_t n0, uint64_t n1, const uint64_t *y0,
		      const uint64_t *y1, size_t words)
{
#pragma GCC ivdep
	for (size_t i = 0; i < words; i++) {
		uint64_t v = out[i] ^ ((x0[i] ^ n0) & (y0[i] ^ y1[i])) ^ ((x1[i] ^ n1) & y0[i]);
		out[i] = v;
		z[i] = v;
	}
}

static void and_plus(uint64_t *restrict out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, uint64_t n0, uint64_t n1, const uint64_t *y0,
		     const uint64_t *y1, const uint64_t *w0, size_t words)
{
#pragma GCC ivdep
	for (size_t i = 0; i < words; i++) {
		uint64_t v = out[i] ^ w0[i] ^ ((x0[i] ^ n0) & (y0[i] ^ y1[i])) ^ ((x1[i] ^ n1) & y0[i]);
		out[i] = v;
		z[i] = v;
	}
}

static void and_diff(uint64_t *restrict out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *xx0, const uint64_t *xx1,
		     const uint64_t *y0, const uint64_t *y1, const uint64_t *w0, size_t words)
{
#pragma GCC ivdep
	for (size_t i = 0; i < words; i++) {
		uint64_t v = out[i] ^ w0[i] ^ ((x0[i] ^ xx0[i]) & (y0[i] ^ y1[i])) ^ ((x1[i] ^ xx1[i]) & y0[i]);
		out[i] = v;
		z[i] = v;
	}
}

static void and_diff_plain(uint64_t *restrict out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *xx0, const uint64_t *xx1,
			   const uint64_t *y0, const uint64_t *y1, size_t words)
{
#pragma GCC ivdep
	for (size_t i = 0; i < words; i++) {
		uint64_t v = out[i] ^ ((x0[i] ^ xx0[i]) & (y0[i] ^ y1[i])) ^ ((x1[i] ^ xx1[i]) & y0[i]);
		out[i] = v;
		z[i] = v;
	}
}

static void and_tile(uint64_t *out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *xx0, const uint64_t *xx1, uint64_t n0,
		     uint64_t n1, const uint64_t *y0, const uint64_t *y1, const uint64_t *w0, size_t words)
{
	if (xx0 && w0)
		and_diff(out, z, x0, x1, xx0, xx1, y0, y1, w0, words);
	else if (xx0)
		and_diff_plain(out, z, x0, x1, xx0, xx1, y0, y1, words);
	else if (w0)
		and_plus(out, z, x0, x1, n0, n1, y0, y1, w0, words);
	else
		and_plain(out, z, x0, x1, n0, n1, y0, y1, words);
}

static void mul_tile(uint64_t *restrict out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *y0, const uint64_t *y1,
		     size_t words)
{
#pragma GCC ivdep
	for (size_t i = 0; i < words; i++) {
		uint64_t v = out[i] + x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i];
		out[i] = v;
		z[i] = v;
	}
}

static void xor_in(uint64_t *restrict x, const uint64_t *restrict y, size_t words)
{
	for (size_t i = 0; i < words; i++)
		x[i] ^= y[i];
}

static void add_in(uint64_t *restrict x, const uint64_t *restrict y, size_t words)
{
	for (size_t i = 0; i < words; i++)
		x[i] += y[i];
}

static void sub_in(uint64_t *restrict x, const uint64_t *restrict y, size_t words)
{
	for (size_t i = 0; i < words; i++)
		x[i] -= y[i];
}

/* Swaps the off-diagonal halves of ever smaller squares (Warren, Hacker's Delight 7-3). */
#ifndef KERNEL_TRANSPOSE
static inline void swap_step(uint64_t *restrict b, unsigned j, uint64_t mask)
{
	for (unsigned k = 0; k < 64; k += 2 * j)
		for (unsigned i = k; i < k + j; i++) {
			uint64_t t = ((b[i] >> j) ^ b[i + j]) & mask;
			b[i + j] ^= t;
			b[i] ^= t << j;
		}
}

static void transpose(uint64_t block[64])
{
	swap_step(block, 32, 0x00000000ffffffffull);
	swap_step(block, 16, 0x0000ffff0000ffffull);
	swap_step(block, 8, 0x00ff00ff00ff00ffull);
	swap_step(block, 4, 0x0f0f0f0f0f0f0f0full);
	swap_step(block, 2, 0x3333333333333333ull);
	swap_step(block, 1, 0x5555555555555555ull);
}
#else
#define transpose KERNEL_TRANSPOSE
#endif

const struct ent_mpc_kernel KERNEL = { KERNEL_NAME, and_tile, mul_tile, xor_in, add_in, sub_in, transpose };
