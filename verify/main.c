/* entente-verify: checks a receipt offline, with nothing but the receipt and, if given, the cards of the members one trusts. */

#include "verify.h"

extern const char *const ent_verify_words[2048];

#define FILE_BYTES_MAX (64u << 20)

static const char help[] =
	"usage: entente-verify RECEIPT [--trust CARD...] [--require-pinned]\n"
	"\n"
	"Checks every signature, proof and link in a receipt, offline. With --trust, the keys in it are compared with the given member\n"
	"cards. Ends with 0 when all holds, 1 when something does not (or, with --require-pinned, a key is not pinned).\n"
	"\n"
	"  entente-verify r.txt --trust hudson.card skywatch.card\n"
	"  entente-verify r.txt --require-pinned --trust *.card\n";

static bool read_file(const char *path, struct span *out)
{
	FILE *f = fopen(path, "rb");
	unsigned char *data = f ? malloc(FILE_BYTES_MAX + 1) : NULL;
	out->p = data;
	out->n = data ? fread(data, 1, FILE_BYTES_MAX + 1, f) : 0;
	if (data && !ferror(f) && out->n <= FILE_BYTES_MAX)
		return !fclose(f);
	fprintf(stderr, "entente-verify: cannot read %s\n", path);
	return false;
}

/* SHA-256 of the raw key, first 88 bits as eight words. */
static void print_words(const unsigned char pub[32])
{
	unsigned char hash[32];
	unsigned acc = 0, bits = 0, at = 0;
	ent_verify_sha256(&(struct span){ pub, 32 }, 1, hash);
	for (int word = 0; word < 8; word++) {
		for (; bits < 11; bits += 8)
			acc = acc << 8 | hash[at++];
		bits -= 11;
		printf(" %s", ent_verify_words[acc >> bits & 2047]);
		acc &= (1u << bits) - 1;
	}
	printf("\n");
}

struct pins {
	struct card cards[CARDS_MAX];
	size_t count;
};

/* A card file holds one envelope and perhaps a newline. */
static bool pin(struct pins *pins, const char *path)
{
	struct span bytes;
	bool good = pins->count < CARDS_MAX && read_file(path, &bytes);
	if (!good)
		return false;
	while (bytes.n && bytes.p[bytes.n - 1] == '\n')
		bytes.n--;
	ent_verify_reset();
	good = ent_verify_card(bytes, NULL, &pins->cards[pins->count]);
	if (good)
		pins->count++;
	else
		fprintf(stderr, "entente-verify: %s: %s\n", path, ent_verify_why());
	free((void *)(uintptr_t)bytes.p);
	return good;
}

enum pin { UNKNOWN, PINNED, ANOTHER };

/* A pinned older version speaks for its followers in the receipt. */
static enum pin pin_of(const struct pins *pins, const struct receipt *r, const struct card *card)
{
	enum pin found = UNKNOWN;
	for (size_t i = 0; i < pins->count; i++) {
		if (strcmp(pins->cards[i].org, card->org) != 0)
			continue;
		found = ANOTHER;
		for (const struct card *c = r->cards; c <= card; c++)
			if (!strcmp(c->org, card->org) && !memcmp(pins->cards[i].hash, c->hash, 32))
				return PINNED;
	}
	return found;
}

static unsigned quorum(unsigned others) { return others ? (others + (others - 1) / 3) / 2 + 1 : 0; }

static void print_rest(const struct receipt *r)
{
	unsigned others = (unsigned)r->orgs - 1;
	if (r->request)
		printf("receipt %s/%llu, asked by %s, outcome %s\n", r->request->org, (unsigned long long)r->request->index, r->request->actor,
		       r->outcome ? r->outcome : "not in the receipt");
	for (size_t i = 0; i < r->entries_count; i++)
		printf("entry %s/%llu: %s %s\n", r->entries[i].org, (unsigned long long)r->entries[i].index, r->entries[i].e.type,
		       r->entries[i].time ? r->entries[i].time : "signed by all participants");
	for (size_t i = 0; i < r->cards_count; i++)
		if (r->logs[i].seen)
			printf("log %s: size %llu, cosigned %u of %u, fork-proof %s\n", r->cards[i].org, (unsigned long long)r->logs[i].size,
			       r->logs[i].cosigned, others, others && r->logs[i].cosigned >= quorum(others) ? "yes" : "no");
}

/* The verdict line first; returns the exit code. */
static int report(const struct receipt *r, const struct pins *pins, bool require)
{
	const struct card *unknown[CARDS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < r->cards_count; i++) {
		const struct card *c = &r->cards[i];
		enum pin pin = ent_verify_card_of(r, c->org) == c ? pin_of(pins, r, c) : PINNED;
		if (pin == ANOTHER) {
			printf("FAILED: the card of %s in the receipt is not the one you trust\n", c->org);
			return 1;
		}
		if (pin == UNKNOWN)
			unknown[count++] = c;
	}
	printf(count ? "consistent; signed by keys you have not pinned:\n" : "verified: every signature, proof and link holds\n");
	for (size_t i = 0; i < count; i++) {
		printf("  %s ", unknown[i]->org);
		print_words(unknown[i]->keys[USE_SIGN]);
	}
	print_rest(r);
	return count && require ? 1 : 0;
}

static int verify(const char *path, const struct pins *pins, bool require)
{
	static struct receipt r;
	struct span bytes;
	int code = 1;
	if (!read_file(path, &bytes))
		return 66;
	if (ent_verify_receipt(bytes, &r))
		code = report(&r, pins, require);
	else
		printf("FAILED: %s\n", ent_verify_why());
	ent_verify_receipt_free(&r);
	free((void *)(uintptr_t)bytes.p);
	return code;
}

int main(int argc, char **argv)
{
	static struct pins pins;
	const char *path = NULL;
	bool trust = false, require = false;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			fputs(help, stdout);
			return 0;
		} else if (!strcmp(argv[i], "--trust")) {
			trust = true;
		} else if (!strcmp(argv[i], "--require-pinned")) {
			require = true;
		} else if (argv[i][0] != '-' && !path) {
			path = argv[i];
		} else if (argv[i][0] == '-' || !trust) {
			path = NULL;
			break;
		} else if (!pin(&pins, argv[i])) {
			return 65;
		}
	}
	if (path)
		return verify(path, &pins, require);
	fputs(help, stderr);
	return 2;
}
