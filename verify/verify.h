/* entente-verify in one header: byte ranges and encodings (text.c), envelopes and cards (signed.c), proofs (proof.c), receipts (receipt.c).
 * Checks entente-receipt/v1 without any source of the program that writes it. Format: docs/format/ledger.md. */
#ifndef ENT_VERIFY_VERIFY_H
#define ENT_VERIFY_VERIFY_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span { /* lent bytes */
	const unsigned char *p;
	size_t n;
};

/* Keeps the first reason and returns false, so that `return ent_verify_no("...")` reads well. */
bool ent_verify_no(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Puts "where: " before the reason, once. */
bool ent_verify_in(const char *where);
const char *ent_verify_why(void);
void ent_verify_reset(void);

bool ent_verify_is(struct span s, const char *text);
/* Cuts the next line (without its newline) off *rest; false when there is none. */
bool ent_verify_line(struct span *rest, struct span *line);
bool ent_verify_number(struct span digits, uint64_t max, uint64_t *out); /* decimal, no leading zeros */
bool ent_verify_unhex(struct span hex, unsigned char *out, size_t n);    /* exactly n bytes, lower case */
/* Canonical base64; out has room for max bytes. */
bool ent_verify_unbase64(struct span text, unsigned char *out, size_t max, size_t *n);
bool ent_verify_utf8(struct span s);

void ent_verify_sha256(const struct span *pieces, size_t count, unsigned char out[32]);
bool ent_verify_ed25519(const unsigned char pub[32], struct span message, const unsigned char sig[64]);

#define SIGS_MAX 32
#define ENVELOPE_MAX 65535
enum use { USE_SIGN, USE_LOG, USE_WITNESS, USE_TLS, USES };

struct envelope {
	char type[32];
	unsigned char *payload; /* canonical JSON */
	size_t payload_len;
	json_t *body;
	size_t count;
	unsigned char keyid[SIGS_MAX][32], sig[SIGS_MAX][64], hash[32];
};

bool ent_verify_envelope(struct span bytes, struct envelope *out); /* free in every case */
void ent_verify_envelope_free(struct envelope *e);
/* The signature of that key is there and holds. */
bool ent_verify_signed(const struct envelope *e, const unsigned char pub[32]);
const char *ent_verify_text(const json_t *object, const char *key); /* NULL when it is not text */
bool ent_verify_org(const char *org);

struct card {
	char org[32], origin[81];
	int64_t version;
	unsigned char keys[USES][32], hash[32], prev[32];
};
/* Opens a card; before is the version before it, or NULL: the chain is checked as far as it is there. */
bool ent_verify_card(struct span bytes, const struct card *before, struct card *out);

#define LINES_MAX 100

struct proof {
	uint64_t index, size;
	struct span origin, text; /* text: the three lines that are signed */
	size_t lines;
	struct span names[LINES_MAX];
	unsigned char sig[LINES_MAX][76]; /* key id and signature */
	size_t sig_len[LINES_MAX];
};

/* Parses, and checks the path from the entry up to the root. */
bool ent_verify_proof(struct span bytes, struct span entry, struct proof *out);
/* Does line i sign the text under this name, algorithm (1 plain, 4 cosignature) and key? */
bool ent_verify_proof_line(const struct proof *p, size_t i, const char *name, int alg, const unsigned char pub[32]);

#define CARDS_MAX 64
#define ENTRIES_MAX 4096

struct entry {
	char org[32];
	uint64_t index;
	struct envelope e;
	struct span bytes;
	const char *actor, *time; /* "" where the type has none */
};

struct receipt {
	struct card cards[CARDS_MAX]; /* sorted; the last of an org is its card */
	size_t cards_count, orgs;
	struct entry *entries;
	size_t entries_count;
	struct { /* beside the last card of each org: smallest size, fewest cosignatures */
		uint64_t size;
		unsigned cosigned;
		bool seen;
	} logs[CARDS_MAX];
	const struct entry *request;
	const char *outcome; /* NULL: none */
	char sealed_by[32];
};

/* True when everything holds; otherwise ent_verify_why() says what does not. free in every case. */
bool ent_verify_receipt(struct span bytes, struct receipt *out);
void ent_verify_receipt_free(struct receipt *r);
const struct card *ent_verify_card_of(const struct receipt *r, const char *org);
#endif
