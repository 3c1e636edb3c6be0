/* Choice of the kernel, the portable kernel, and the public calls that cut ranges for the kernels. */
#include "crypto/prg.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "crypto/prg_kernel.h"
#include "crypto/secret.h"

static void put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* OpenSSL's AES over explicit counter blocks: constant time on every machine OpenSSL knows. */
static void portable_fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	uint8_t blocks[8192], *at = out;
	uint64_t high = ent_prg_high(op, stream, index), low = ent_prg_low(index);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	ENT_ASSERT(c && EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, p->round_keys, NULL) == 1);
	EVP_CIPHER_CTX_set_padding(c, 0);
	while (len) {
		size_t n = len < sizeof blocks ? len : sizeof blocks;
		size_t padded = (n + ENT_PRG_BLOCK - 1) / ENT_PRG_BLOCK * ENT_PRG_BLOCK;
		int done = 0;
		for (size_t i = 0; i < padded; i += ENT_PRG_BLOCK, low += 1u << 16) {
			put_be64(blocks + i, high);
			put_be64(blocks + i + 8, low);
		}
		ENT_ASSERT(EVP_EncryptUpdate(c, blocks, &done, blocks, (int)padded) == 1 && done == (int)padded);
		memcpy(at, blocks, n);
		at += n;
		len -= n;
	}
	EVP_CIPHER_CTX_free(c);
	ent_wipe(blocks, sizeof blocks);
}

/* Pairs by way of two fills; also what a test's kernel without pair functions gets. */
static void pair_by_fill(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len,
			 bool sub)
{
	uint8_t other[16384] __attribute__((aligned(64))), *at = out;
	while (len) {
		size_t n = len < sizeof other ? len : sizeof other;
		a->kernel->fill(a, op, stream, index, at, n);
		b->kernel->fill(b, op, stream, index, other, n);
		for (size_t i = 0; !sub && i < n; i++)
			at[i] ^= other[i];
		for (size_t i = 0; sub && i + 8 <= n; i += 8) {
			uint64_t x, y;
			memcpy(&x, at + i, 8);
			memcpy(&y, other + i, 8);
			x -= y;
			memcpy(at + i, &x, 8);
		}
		at += n;
		len -= n;
		index += sizeof other / ENT_PRG_BLOCK;
	}
	ent_wipe(other, sizeof other);
}

static void portable_xor(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	pair_by_fill(a, b, op, stream, index, out, len, false);
}

static void portable_sub(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	pair_by_fill(a, b, op, stream, index, out, len, true);
}

const struct ent_prg_kernel ent_prg_portable = { "portable", portable_fill, portable_xor, portable_sub };

static const struct ent_prg_kernel *best;
static const struct ent_prg_kernel *runnable[3];
static size_t runnable_count;
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static void choose(void)
{
	const char *force = getenv("ENT_CPU");
	bool portable = force && !strcmp(force, "portable"), avx2 = force && !strcmp(force, "avx2");
	size_t skip = 0;
#ifdef ENT_PRG_X86
	if (ent_prg_vaes512_runs()) {
		runnable[runnable_count++] = &ent_prg_vaes512;
		skip += portable || avx2;
	}
	if (ent_prg_aesni_runs()) {
		runnable[runnable_count++] = &ent_prg_aesni;
		skip += portable;
	}
#endif
	(void)avx2;
	(void)portable;
	runnable[runnable_count++] = &ent_prg_portable;
	best = runnable[skip];
}

const struct ent_prg_kernel *ent_prg_kernel_best(void)
{
	pthread_once(&chosen, choose);
	return best;
}

size_t ent_prg_kernels(const struct ent_prg_kernel *ret[3])
{
	pthread_once(&chosen, choose);
	memcpy(ret, runnable, sizeof runnable);
	return runnable_count;
}

void ent_prg_init(struct ent_prg *p, const uint8_t key[ENT_PRG_KEY_LEN])
{
	*p = (struct ent_prg){ .kernel = ent_prg_kernel_best() };
	memcpy(p->round_keys, key, ENT_PRG_KEY_LEN);
#ifdef ENT_PRG_X86
	if (ent_prg_aesni_runs())
		ent_prg_aesni_expand(p->round_keys, key);
#endif
}

void ent_prg_deinit(struct ent_prg *p)
{
	if (p)
		ent_wipe(p, sizeof *p);
}

static void note(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, size_t len)
{
	if (p->watch)
		ENT_ASSERT(ent_prg_watch_note(p->watch, op, stream, index, (len + ENT_PRG_BLOCK - 1) / ENT_PRG_BLOCK));
}

/* Bytes from index on that a kernel may do without a carry out of the low 48 bits. */
static size_t run_len(uint64_t index, size_t len)
{
	uint64_t blocks = ENT_PRG_RUN_BLOCKS - (index & (ENT_PRG_RUN_BLOCKS - 1));
#ifdef ENT_MUTANT_PRG_CARRY_LOST
	return len;
#endif
	return blocks > len / ENT_PRG_BLOCK ? len : (size_t)blocks * ENT_PRG_BLOCK;
}

void ent_prg_fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	note(p, op, stream, index, len);
	for (uint8_t *at = out; len;) {
		size_t n = run_len(index, len);
		p->kernel->fill(p, op, stream, index, at, n);
		at += n;
		len -= n;
		index += n / ENT_PRG_BLOCK;
	}
}

typedef void (*pair_fn)(const struct ent_prg *, const struct ent_prg *, uint32_t, uint16_t, uint64_t, void *, size_t);

static void pair(pair_fn fn, const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	note(a, op, stream, index, len);
	note(b, op, stream, index, len);
	for (uint8_t *at = out; len;) {
		size_t n = run_len(index, len);
		fn(a, b, op, stream, index, at, n);
		at += n;
		len -= n;
		index += n / ENT_PRG_BLOCK;
	}
}

void ent_prg_pair_xor(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	pair(a->kernel == b->kernel && a->kernel->pair_xor ? a->kernel->pair_xor : portable_xor, a, b, op, stream, index, out, len);
}

void ent_prg_pair_sub(const struct ent_prg *a, const struct ent_prg *b, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	ENT_ASSERT(len % 8 == 0);
	pair(a->kernel == b->kernel && a->kernel->pair_sub ? a->kernel->pair_sub : portable_sub, a, b, op, stream, index, out, len);
}
