/* Layout of one secret: [guard page][pages: head, then the caller's bytes][guard page]. An overrun faults instead of leaking. */
#include "crypto/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

struct head {
	size_t pages_len;
	bool locked;
} __attribute__((aligned(64)));

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static struct head *head_of(const void *p) { return (struct head *)((uintptr_t)p - sizeof(struct head)); }

void *ent_secret_new(size_t len)
{
	size_t page = page_size(), need;
	if (!ent_add_size(len, sizeof(struct head) + page - 1, &need) || need > SIZE_MAX / 2)
		return NULL;
	need -= need % page;
	uint8_t *all = mmap(NULL, need + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	if (mprotect(all + page, need, PROT_READ | PROT_WRITE) != 0) {
		munmap(all, need + 2 * page);
		return NULL;
	}
	madvise(all + page, need, MADV_DONTDUMP);
	struct head *h = (struct head *)(void *)(all + page);
	h->locked = mlock(all + page, need) == 0;
	h->pages_len = need;
	return h + 1;
}

void ent_secret_free(void *p)
{
	if (!p)
		return;
	struct head *h = head_of(p);
	size_t page = page_size(), len = h->pages_len;
	ent_wipe(p, len - sizeof *h);
	munmap((uint8_t *)h - page, len + 2 * page);
}

bool ent_secret_locked(const void *p) { return head_of(p)->locked; }

void ent_wipe(void *p, size_t len)
{
	if (len)
		OPENSSL_cleanse(p, len);
}

bool ent_const_eq(const void *a, const void *b, size_t len) { return CRYPTO_memcmp(a, b, len) == 0; }
