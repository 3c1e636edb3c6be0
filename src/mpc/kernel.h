/* The inner loops over share words. One table per instruction set, chosen once; ENT_CPU=portable|avx2 in the environment forces a lesser one. */
#ifndef ENT_MPC_KERNEL_H
#define ENT_MPC_KERNEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ent_mpc_kernel {
	const char *name;
	/* out ^= w ^ ((x ^ n) & (y0 ^ y1)) ^ ((x1 ^ n1) & y0), also stored to z. xx and w as in struct gate, already offset. */
	void (*and_tile)(uint64_t *out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *xx0, const uint64_t *xx1, uint64_t n0,
			 uint64_t n1, const uint64_t *y0, const uint64_t *y1, const uint64_t *w0, size_t words);
	/* out += x0*(y0+y1) + x1*y0, also stored to z. */
	void (*mul_tile)(uint64_t *out, uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *y0, const uint64_t *y1, size_t words);
	/* Comparison trees over tiles of `words` words per plane. z is the zero share on entry, the sent component on return; also stored in place.
	 * leaf: g0 = ~x & y (n0, n1: complement masks), e = ~(x ^ y), over planes*words words.
	 * merge_g, merge_e: merges pairs [first, first+count) of planes: g_i = g_hi ^ e_hi g_lo; e_i = e_hi e_lo. */
	void (*lt_leaf)(uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *y0, const uint64_t *y1, uint64_t n0, uint64_t n1,
			uint64_t *g0, uint64_t *e0, uint64_t *e1, size_t words);
	void (*merge_g)(uint64_t *z, uint64_t *g0, const uint64_t *g1, const uint64_t *e0, const uint64_t *e1, size_t first, size_t count,
			size_t words);
	void (*merge_e)(uint64_t *z, uint64_t *e0, const uint64_t *e1, size_t first, size_t count, size_t words);
	void (*xor_in)(uint64_t *x, const uint64_t *y, size_t words);
	void (*add_in)(uint64_t *x, const uint64_t *y, size_t words);
	void (*sub_in)(uint64_t *x, const uint64_t *y, size_t words);
	/* z[r][c] += a0[r] * s[c] + a1[r] * t[c] for four rows r of a product (rows `stride` words apart), c < words. */
	void (*mac4)(uint64_t *z, size_t stride, const uint64_t a0[4], const uint64_t a1[4], const uint64_t *s, const uint64_t *t, size_t words);
	void (*transpose)(uint64_t block[64]); /* bit (r, c) <-> (c, r) of a 64 x 64 block */
};

const struct ent_mpc_kernel *ent_mpc_kernel(void);           /* this machine's best, or what ENT_CPU allows */
size_t ent_mpc_kernels(const struct ent_mpc_kernel *ret[3]); /* all this machine runs, best first */
extern const struct ent_mpc_kernel ent_mpc_kernel_portable, ent_mpc_kernel_avx2, ent_mpc_kernel_avx512;
#endif
