/* The share PRG: AES-128 in counter mode, addressed by (operator, stream, index), so that two holders of a key agree on every byte without talking.
 *
 * Counter block, big endian: operator:32 ‖ stream:16 ‖ index:64 ‖ 0:16; index counts 16-byte blocks. Output for blocks [index, index+n) is the same
 * however calls cut it (cuts at multiples of 16 bytes). Every use has its own stream number; nothing may be drawn twice: see ent_prg_watch. */
#ifndef ENT_CRYPTO_PRG_H
#define ENT_CRYPTO_PRG_H
#include "base/bytes.h"

#define ENT_PRG_KEY_LEN 16
#define ENT_PRG_BLOCK 16

struct ent_prg;

struct ent_prg_kernel { /* one per instruction set; tests may bring their own */
	const char *name;
	void (*fill)(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);
	/* out = a XOR b and out = a - b (64-bit little-endian words, len a multiple of 8): the two kinds of zero share in one pass. */
	void (*pair_xor)(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);
	void (*pair_sub)(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);
};

struct ent_prg {
	uint8_t round_keys[11 * 16] __attribute__((aligned(64))); /* FIPS 197 order; for fused kernels of src/mpc */
	const struct ent_prg_kernel *kernel;
	struct ent_prg_watch *watch; /* NULL: no recording */
	void *self;                  /* for kernels of tests */
};

/* The kernel of this machine: "vaes512", "aesni" or "portable"; ENT_CPU=portable|avx2 in the environment forces (avx2 = no AVX-512). */
const struct ent_prg_kernel *ent_prg_kernel_best(void);
/* All kernels this machine can run, best first; returns how many (<= 3). */
size_t ent_prg_kernels(const struct ent_prg_kernel *ret[3]);

void ent_prg_init(struct ent_prg *p, const uint8_t key[ENT_PRG_KEY_LEN]);
void ent_prg_deinit(struct ent_prg *p); /* wipes */

/* 8 to 32 KiB per call reaches full speed; len 0 is fine, any length is. */
void ent_prg_fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);
/* Zero shares of two holders' keys a (mine) and b (my neighbour's): out = a XOR b, out = a - b. */
void ent_prg_pair_xor(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);
void ent_prg_pair_sub(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);

/* Draws from one (operator, stream), in order, from block index `index` on. */
struct ent_prg_cursor {
	const struct ent_prg *prg;
	uint32_t op;
	uint16_t stream;
	uint64_t index; /* next block to generate */
	size_t at;      /* next unused byte of buf */
	uint8_t buf[1024] __attribute__((aligned(64)));
};
void ent_prg_cursor_init(struct ent_prg_cursor *c, const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index);
uint64_t ent_prg_u64(struct ent_prg_cursor *c);
/* Uniform in [0, bound), bound >= 1, without bias (rejection). _var: time depends on the draws, never on anything secret but them. */
uint64_t ent_prg_below_var(struct ent_prg_cursor *c, uint64_t bound);

/* Recording for debug builds and tests: notes every range drawn and aborts (broken invariant) when one overlaps another. Any thread. */
struct ent_prg_watch *ent_prg_watch_new(void);
void ent_prg_watch_free(struct ent_prg_watch *w);
/* False when a range repeats; ent_prg_fill asserts it. */
bool ent_prg_watch_note(struct ent_prg_watch *w, uint32_t op, uint16_t stream, uint64_t index, uint64_t blocks);
#endif
