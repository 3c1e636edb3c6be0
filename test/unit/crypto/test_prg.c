/* Kernels equal each other and AES of explicit counter blocks, whatever the cut, also where the index carries; draws are unbiased; reuse is seen. */
#include "crypto/prg.h"

#include <openssl/evp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "os/system.h"
#include "tap.h"

static uint8_t key_a[16], key_b[16];

/* One block straight from the definition. */
static void naive(const uint8_t key[16], uint32_t op, uint16_t stream, uint64_t index, uint8_t out[16])
{
	uint8_t in[16] = { (uint8_t)(op >> 24), (uint8_t)(op >> 16), (uint8_t)(op >> 8), (uint8_t)op, (uint8_t)(stream >> 8), (uint8_t)stream };
	int n = 0;
	for (int i = 0; i < 8; i++)
		in[6 + i] = (uint8_t)(index >> (56 - 8 * i));
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL);
	EVP_CIPHER_CTX_set_padding(c, 0);
	EVP_EncryptUpdate(c, out, &n, in, 16);
	EVP_CIPHER_CTX_free(c);
}

static bool equals_naive(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, size_t len)
{
	uint8_t *out = malloc(len + 1), block[16];
	bool ok = true;
	out[len] = 0xee;
	ent_prg_fill(p, op, stream, index, out, len);
	for (size_t at = 0; at < len; at += 16) {
		naive(key_a, op, stream, index + at / 16, block);
		ok = ok && !memcmp(out + at, block, len - at < 16 ? len - at : 16);
	}
	ok = ok && out[len] == 0xee;
	free(out);
	return ok;
}

static bool pairs_agree(const struct ent_prg *a, const struct ent_prg *b, uint64_t index, size_t len)
{
	uint64_t *x = calloc(1, len + 8), *y = calloc(1, len + 8), *z = calloc(1, len + 8);
	bool ok = true;
	ent_prg_fill(a, 9, 3, index, x, len);
	ent_prg_fill(b, 9, 3, index, y, len);
	ent_prg_pair_xor(a, b, 9, 3, index, z, len);
	for (size_t i = 0; i < len / 8; i++)
		ok = ok && z[i] == (x[i] ^ y[i]);
	ent_prg_pair_sub(a, b, 9, 3, index, z, len);
	for (size_t i = 0; i < len / 8; i++)
		ok = ok && z[i] == x[i] - y[i];
	free(x);
	free(y);
	free(z);
	return ok;
}

static void kernel(const struct ent_prg_kernel *k)
{
	static const size_t lens[] = { 0, 1, 15, 16, 17, 127, 128, 129, 511, 512, 513, 1000, 2048, 4096, 5000 };
	static const uint64_t starts[] = { 0, 1, 0xffff, ((uint64_t)1 << 48) - 3, ((uint64_t)1 << 48) - 40, ((uint64_t)1 << 63) + 5 };
	struct ent_prg a, b;
	ent_prg_init(&a, key_a);
	ent_prg_init(&b, key_b);
	a.kernel = b.kernel = k;
	bool fills = true, pairs = true;
	for (size_t i = 0; i < ENT_COUNT(lens); i++)
		for (size_t j = 0; j < ENT_COUNT(starts); j++) {
			fills = fills && equals_naive(&a, 0xdeadbeef, 0xabcd, starts[j], lens[i]);
			pairs = pairs && pairs_agree(&a, &b, starts[j], lens[i] / 8 * 8);
		}
	OK(fills, "%s equals AES of counter blocks", k->name);
	OK(pairs, "%s pairs equal two fills", k->name);
	ent_prg_deinit(&a);
	ent_prg_deinit(&b);
}

static void draws(void)
{
	struct ent_prg p;
	struct ent_prg_cursor c;
	uint32_t count[6] = { 0 };
	uint64_t first[200], again;
	ent_prg_init(&p, key_a);
	ent_prg_fill(&p, 1, 2, 3, first, sizeof first);
	ent_prg_cursor_init(&c, &p, 1, 2, 3);
	bool same = true;
	for (size_t i = 0; i < ENT_COUNT(first); i++) {
		again = ent_prg_u64(&c);
		same = same && again == first[i];
	}
	OK(same, "a cursor yields the stream in order");
	for (int i = 0; i < 60000; i++)
		count[ent_prg_below_var(&c, 6)]++;
	double chi = 0;
	for (int i = 0; i < 6; i++)
		chi += (count[i] - 10000.0) * (count[i] - 10000.0) / 10000.0;
	OK(chi < 60, "six-sided draws are uniform (chi2 %.1f, 5 degrees)", chi);
	uint64_t bound = ((uint64_t)3 << 62) + 1, low = 0;
	for (int i = 0; i < 30000; i++)
		low += ent_prg_below_var(&c, bound) % 3 == 0; /* without rejection one residue comes twice as often */
	OK(low > 9350 && low < 10650, "no bias at a bound of three quarters of the range (%llu of 30000)", (unsigned long long)low);
	OK_INT(ent_prg_below_var(&c, 1), 0, "bound one gives zero");
	ent_prg_deinit(&p);
}

static void watch(void)
{
	struct ent_prg_watch *w = ent_prg_watch_new();
	bool fresh = true;
	for (uint32_t op = 0; op < 300; op++)
		for (uint64_t i = 0; i < 5; i++)
			fresh = fresh && ent_prg_watch_note(w, op, (uint16_t)(op % 7), (4 - i) * 10, 10);
	OK(fresh, "ranges side by side are fine");
	OK(!ent_prg_watch_note(w, 17, 3, 49, 1), "a repeated block is seen");
	OK(!ent_prg_watch_note(w, 17, 3, 45, 100), "an overlap is seen");
	OK(ent_prg_watch_note(w, 17, 4, 45, 1), "another stream is another thing");
	OK(ent_prg_watch_note(w, 17, 3, 50, 1), "the next block is fresh");
	OK(ent_prg_watch_note(w, 17, 3, 51, 0), "nothing is never a repetition");
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		struct ent_prg p;
		uint8_t out[32];
		int status = close(STDERR_FILENO);
		ent_prg_init(&p, key_a);
		p.watch = w;
		ent_prg_fill(&p, 900, 1, 0, out, sizeof out);
		ent_prg_fill(&p, 900, 1, 1, out, sizeof out);
		_exit(status);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	OK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "drawing twice under a watch aborts");
	ent_prg_watch_free(w);
}

static void choice(void)
{
	const char *force = getenv("ENT_CPU"), *name = ent_prg_kernel_best()->name;
	const struct ent_prg_kernel *all[3];
	size_t n = ent_prg_kernels(all);
	for (size_t i = 0; i < n; i++)
		kernel(all[i]);
	for (int missing = (int)n; missing < 3; missing++)
		tap_skip("kernel", "this machine lacks its instructions");
	if (force && !strcmp(force, "portable"))
		OK_STR(name, "portable", "ENT_CPU forces");
	else if (force)
		OK(strcmp(name, "vaes512") != 0, "ENT_CPU=avx2 keeps AVX-512 off");
	else
		OK_STR(name, all[0]->name, "the best kernel is the default");
}

int main(void)
{
	for (uint8_t i = 0; i < 16; i++) { /* fixed keys: the counts below have no luck in them */
		key_a[i] = (uint8_t)(17 * i + 3);
		key_b[i] = (uint8_t)(29 * i + 5);
	}
	choice();
	draws();
	watch();
	return tap_done();
}
