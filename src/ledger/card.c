#include "ledger/card.h"

#include <stdio.h>

#include "crypto/hash.h"
#include "ledger/entry.h"

static const char *const use_names[ENT_KEY_USES] = { "sign", "log", "witness", "tls" };

const char *ent_key_use_name(int use) { return use >= 0 && use < ENT_KEY_USES ? use_names[use] : "?"; }

void ent_card_origin(const char *org, const uint8_t log_pub[ENT_PUB_BYTES], char ret[ENT_ORIGIN_MAX + 1])
{
	uint8_t hash[ENT_HASH_BYTES];
	ent_sha256(log_pub, ENT_PUB_BYTES, hash);
	snprintf(ret, ENT_ORIGIN_MAX + 1, "entente.local/%.31s/%02x%02x%02x%02x", org, hash[0], hash[1], hash[2], hash[3]);
}

void ent_card_witness_name(const struct ent_card *c, char ret[ENT_ORIGIN_MAX + 16]) { snprintf(ret, ENT_ORIGIN_MAX + 16, "%s/witness", c->origin); }

static json_t *keys_json(const struct ent_card *c)
{
	json_t *keys = json_array();
	for (int i = 0; i < ENT_KEY_USES; i++) {
		char hex[2 * ENT_PUB_BYTES + 1];
		ent_hex(hex, c->keys[i], ENT_PUB_BYTES);
		json_array_append_new(keys, json_pack("{s:s,s:s}", "pub", hex, "use", use_names[i]));
	}
	return keys;
}

static int payload_of(const struct ent_card *c, struct ent_buf *ret, struct ent_err *err)
{
	char prev[2 * ENT_HASH_BYTES + 1];
	ent_hex(prev, c->prev, ENT_HASH_BYTES);
	ENT_JSON_AUTO body = json_pack("{s:{s:s,s:s},s:b,s:o,s:s,s:s,s:s?,s:I}", "addresses", "http", c->http, "link", c->link, "compute_only",
				       (int)c->compute_only, "keys", keys_json(c), "org", c->org, "origin", c->origin, "prev",
				       c->has_prev ? prev : NULL, "version", (json_int_t)c->version);
	if (!body)
		return ent_fail(err, ENT_EDATA, "the card holds text that is not UTF-8");
	return ent_json_canonical(body, ret, err);
}

int ent_card_make(const struct ent_card *c, const struct ent_signer *sign, const struct ent_signer *old, struct ent_buf *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf payload = ENT_BUF(ENT_CARD_BYTES_MAX), out = ENT_BUF(ENT_CARD_BYTES_MAX);
	struct ent_signer both[2] = { *sign };
	struct ent_card again;
	size_t count = 1;
	if (old && memcmp(old->pub, sign->pub, ENT_PUB_BYTES) != 0)
		both[count++] = *old;
	ENT_TRY(payload_of(c, &payload, err));
	ENT_TRY(ent_dsse_seal("card", ent_buf_bytes(&payload), both, count, &out, err));
	ENT_TRY(ent_card_open(ent_buf_bytes(&out), &again, err)); /* never give away what others would refuse */
	ent_buf_put(ret, out.data, out.len);
	return ent_buf_check(ret, err);
}

static int read_text(const json_t *obj, const char *key, char *ret, size_t max, struct ent_err *err)
{
	const char *text;
	ENT_TRY(ent_json_str(obj, key, &text, err));
	if (strlen(text) > max)
		return ent_fail(err, ENT_EDATA, "%s of a card is too long", key);
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static bool address_valid(const char *a)
{
	const char *colon = strrchr(a, ':');
	uint64_t port;
	if (!colon || colon == a || !ent_parse_u64(colon + 1, strlen(colon + 1), 65535, &port) || port == 0)
		return false;
	for (const char *c = a; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '/' || *c == '@' || *c == '"' || *c == '\\')
			return false;
	return true;
}

static int read_keys(const json_t *body, struct ent_card *c, struct ent_err *err)
{
	json_t *keys;
	ENT_TRY(ent_json_array(body, "keys", &keys, err));
	if (json_array_size(keys) != ENT_KEY_USES)
		return ent_fail(err, ENT_EDATA, "a card has %d keys", ENT_KEY_USES);
	for (int i = 0; i < ENT_KEY_USES; i++) {
		const json_t *item = json_array_get(keys, (size_t)i);
		const char *use;
		if (!json_is_object(item) || json_object_size(item) != 2)
			return ent_fail(err, ENT_EDATA, "a key of a card has pub and use, nothing else");
		ENT_TRY(ent_json_str(item, "use", &use, err));
		ENT_TRY(ent_json_hex(item, "pub", c->keys[i], ENT_PUB_BYTES, err));
		if (strcmp(use, use_names[i]) != 0)
			return ent_fail(err, ENT_EDATA, "the keys of a card are sign, log, witness, tls, in this order");
		for (int k = 0; k < i; k++)
			if (!memcmp(c->keys[i], c->keys[k], ENT_PUB_BYTES))
				return ent_fail(err, ENT_EDATA, "one key of a card has two uses");
	}
	return 0;
}

static int read_addresses(const json_t *body, struct ent_card *c, struct ent_err *err)
{
	json_t *a;
	ENT_TRY(ent_json_object(body, "addresses", &a, err));
	ENT_TRY(read_text(a, "http", c->http, ENT_ADDRESS_MAX, err));
	ENT_TRY(read_text(a, "link", c->link, ENT_ADDRESS_MAX, err));
	if (json_object_size(a) != 2 || !address_valid(c->http) || !address_valid(c->link))
		return ent_fail(err, ENT_EDATA, "the addresses of a card are http and link, each HOST:PORT");
	return 0;
}

static int read_lineage(const json_t *body, struct ent_card *c, struct ent_err *err)
{
	char want[ENT_ORIGIN_MAX + 1];
	ENT_TRY(ent_json_int(body, "version", 1, INT32_MAX, &c->version, err));
	c->has_prev = !json_is_null(json_object_get(body, "prev"));
	if (c->has_prev)
		ENT_TRY(ent_json_hex(body, "prev", c->prev, ENT_HASH_BYTES, err));
	if (c->has_prev != (c->version > 1))
		return ent_fail(err, ENT_EDATA, "a card names the version before it, unless it is the first");
	ent_card_origin(c->org, c->keys[ENT_KEY_LOG], want);
	size_t fixed = strlen(want) - (c->version > 1 ? 8 : 0); /* later versions keep the origin of the first log key */
	uint8_t four[4];
	if (strlen(c->origin) != strlen(want) || memcmp(c->origin, want, fixed) != 0 || !ent_unhex(four, 4, c->origin + strlen(want) - 8, 8))
		return ent_fail(err, ENT_EDATA, "the origin of a card is entente.local/<org>/<hash of its first log key>");
	return 0;
}

static int read_body(const json_t *body, struct ent_card *c, struct ent_err *err)
{
	if (json_object_size(body) != 7)
		return ent_fail(err, ENT_EDATA, "a card has addresses, compute_only, keys, org, origin, prev and version, nothing else");
	ENT_TRY(read_text(body, "org", c->org, ENT_ORG_MAX, err));
	ENT_TRY(read_text(body, "origin", c->origin, ENT_ORIGIN_MAX, err));
	ENT_TRY(ent_json_bool(body, "compute_only", &c->compute_only, err));
	if (!ent_org_valid(c->org))
		return ent_fail(err, ENT_EDATA, "not the name of an organisation: %s", c->org);
	ENT_TRY(read_addresses(body, c, err));
	ENT_TRY(read_keys(body, c, err));
	return read_lineage(body, c, err);
}

/* The signature of one key, which has to be there. */
static int check_signed(const struct ent_dsse *d, const uint8_t pub[ENT_PUB_BYTES], struct ent_err *err)
{
	uint8_t keyid[ENT_HASH_BYTES];
	ent_keyid(pub, keyid);
	for (size_t i = 0; i < d->sig_count; i++)
		if (!memcmp(d->sigs[i].keyid, keyid, sizeof keyid))
			return ent_dsse_check_one(d->type, ent_buf_bytes(&d->payload), &d->sigs[i], pub, err);
	return ent_fail(err, ENT_EVERIFY, "the card lacks the signature of a key that has to sign it");
}

static int open_card(struct ent_bytes envelope, struct ent_dsse *d, struct ent_card *ret, struct ent_err *err)
{
	struct ent_card c = { .version = 0 };
	if (envelope.len > ENT_CARD_BYTES_MAX)
		return ent_fail(err, ENT_EDATA, "a card has at most %d bytes", ENT_CARD_BYTES_MAX);
	ENT_TRY(ent_dsse_open(envelope, d, err));
	if (strcmp(d->type, "card") != 0)
		return ent_fail(err, ENT_EDATA, "not a member card but a %s", d->type);
	ENT_TRY(read_body(d->body, &c, err));
	if (d->sig_count > (c.version > 1 ? 2u : 1u))
		return ent_fail(err, ENT_EDATA, "a card is signed by its own key and the one before, nobody else");
	ENT_TRY(check_signed(d, c.keys[ENT_KEY_SIGN], err));
	memcpy(c.hash, d->payload_hash, ENT_HASH_BYTES);
	*ret = c;
	return 0;
}

int ent_card_open(struct ent_bytes envelope, struct ent_card *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_dsse_deinit) struct ent_dsse d = { 0 };
	return open_card(envelope, &d, ret, err);
}

int ent_card_open_json(const json_t *envelope, struct ent_card *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX);
	if (!json_is_object(envelope))
		return ent_fail(err, ENT_EDATA, "no member card here");
	ENT_TRY(ent_json_canonical(envelope, &text, err));
	return ent_card_open(ent_buf_bytes(&text), ret, err);
}

int ent_card_update(const struct ent_card *pinned, struct ent_bytes next_envelope, enum ent_card_step *ret_step, struct ent_card *ret_next,
		    struct ent_err *err)
{
	ENT_CLEANUP(ent_dsse_deinit) struct ent_dsse d = { 0 };
	struct ent_card next;
	ENT_TRY(open_card(next_envelope, &d, &next, err));
	bool same = !memcmp(next.hash, pinned->hash, ENT_HASH_BYTES);
#ifndef ENT_MUTANT_CHANGED_CARD_ACCEPTED
	if (!same) {
		bool follows = next.version == pinned->version + 1 && !memcmp(next.prev, pinned->hash, ENT_HASH_BYTES) &&
			       !strcmp(next.org, pinned->org) && !strcmp(next.origin, pinned->origin);
		if (!follows || check_signed(&d, pinned->keys[ENT_KEY_SIGN], NULL)) {
			ent_fail(err, ENT_EVERIFY, "the card of %s changed and its pinned key did not agree", pinned->org);
			ent_why(err, "version %lld is pinned, version %lld came; a next version is signed by the pinned key",
				(long long)pinned->version, (long long)next.version);
			ent_next(err, "compare the fingerprint by phone; if they lost their key: entente trust --replace FILE");
			return ENT_EVERIFY;
		}
	}
#endif
	*ret_step = same ? ENT_CARD_SAME : ENT_CARD_NEXT;
	*ret_next = next;
	return 0;
}
