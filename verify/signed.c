#include "verify.h"

const char *ent_verify_text(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);
	return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v) ? json_string_value(v) : NULL;
}

bool ent_verify_org(const char *org)
{
	size_t n = strspn(org, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return n >= 1 && n <= 31 && !org[n] && org[0] >= 'a' && org[0] <= 'z';
}

/* Integers within 2^53, ASCII keys, no floats. */
static bool plain(const json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;
	json_object_foreach((json_t *)(uintptr_t)v, key, item)
	{
		for (const char *c = key; *c; c++)
			if (*c < 0x20 || *c > 0x7e)
				return false;
		if (!plain(item))
			return false;
	}
	json_array_foreach(v, i, item) if (!plain(item)) return false;
	return !json_is_real(v) && (!json_is_integer(v) || llabs(json_integer_value(v)) <= 1LL << 53);
}

/* An object whose bytes are its one canonical spelling, or NULL. */
static json_t *canonical(struct span bytes)
{
	json_t *v = bytes.n > ENVELOPE_MAX ? NULL : json_loadb((const char *)bytes.p, bytes.n, JSON_REJECT_DUPLICATES, NULL);
	char *again = json_is_object(v) && plain(v) ? json_dumps(v, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
	bool good = again && ent_verify_is(bytes, again);
	free(again);
	if (!good) {
		json_decref(v);
		v = NULL;
	}
	return v;
}

static struct span of_text(const char *t) { return (struct span){ (const unsigned char *)t, strlen(t) }; }

static bool read_type(const json_t *env, struct envelope *e)
{
	static const char head[] = "application/vnd.entente.", tail[] = ".v1+json";
	const char *t = ent_verify_text(env, "payloadType");
	size_t n = t ? strlen(t) : 0, around = sizeof head + sizeof tail - 2;
	if (n <= around || n > around + 31 || memcmp(t, head, sizeof head - 1) != 0 || strcmp(t + n - (sizeof tail - 1), tail) != 0)
		return ent_verify_no("not a payload type of entente");
	memcpy(e->type, t + sizeof head - 1, n - around);
	return strspn(e->type, "abcdefghijklmnopqrstuvwxyz") == n - around || ent_verify_no("not a payload type of entente");
}

static bool read_sigs(const json_t *env, struct envelope *e)
{
	const json_t *list = json_object_get(env, "signatures");
	e->count = json_array_size(list);
	if (e->count == 0 || e->count > SIGS_MAX)
		return ent_verify_no("no signatures, or too many");
	for (size_t i = 0; i < e->count; i++) {
		const json_t *s = json_array_get(list, i);
		const char *keyid = ent_verify_text(s, "keyid"), *sig = ent_verify_text(s, "sig");
		size_t n;
		if (json_object_size(s) != 2 || !keyid || !sig || !ent_verify_unhex(of_text(keyid), e->keyid[i], 32) ||
		    !ent_verify_unbase64(of_text(sig), e->sig[i], 64, &n) || n != 64)
			return ent_verify_no("a signature is malformed");
		if (i && memcmp(e->keyid[i - 1], e->keyid[i], 32) >= 0)
			return ent_verify_no("signatures are not sorted by key id");
	}
	return true;
}

bool ent_verify_envelope(struct span bytes, struct envelope *e)
{
	memset(e, 0, sizeof *e);
	json_t *env = canonical(bytes);
	const char *payload = ent_verify_text(env, "payload");
	bool good = json_object_size(env) == 3 && payload && read_type(env, e) && read_sigs(env, e);
	if (good) {
		e->payload = malloc(strlen(payload) + 1);
		good = e->payload && ent_verify_unbase64(of_text(payload), e->payload, strlen(payload), &e->payload_len);
		struct span body = { e->payload, e->payload_len };
		good = good && (e->body = canonical(body)) != NULL;
		if (good)
			ent_verify_sha256(&body, 1, e->hash);
	}
	json_decref(env);
	return good || ent_verify_no("not a canonical signed envelope");
}

void ent_verify_envelope_free(struct envelope *e)
{
	free(e->payload);
	json_decref(e->body);
	memset(e, 0, sizeof *e);
}

static bool check_sig(const struct envelope *e, size_t i, const unsigned char pub[32])
{
	char head[200];
	int n = snprintf(head, sizeof head, "DSSEv1 %zu application/vnd.entente.%s.v1+json %zu ", 32 + strlen(e->type), e->type, e->payload_len);
	unsigned char *message = malloc((size_t)n + e->payload_len);
	if (!message)
		return ent_verify_no("out of memory");
	memcpy(message, head, (size_t)n);
	memcpy(message + n, e->payload, e->payload_len);
	bool good = ent_verify_ed25519(pub, (struct span){ message, (size_t)n + e->payload_len }, e->sig[i]);
	free(message);
	return good || ent_verify_no("a signature does not verify");
}

bool ent_verify_signed(const struct envelope *e, const unsigned char pub[32])
{
	unsigned char id[32];
	ent_verify_sha256(&(struct span){ pub, 32 }, 1, id);
	for (size_t i = 0; i < e->count; i++)
		if (!memcmp(e->keyid[i], id, 32))
			return check_sig(e, i, pub);
	return ent_verify_no("the signature of a key that has to sign is missing");
}

static bool read_keys(const json_t *body, struct card *c)
{
	static const char *const uses[USES] = { "sign", "log", "witness", "tls" };
	const json_t *keys = json_object_get(body, "keys");
	if (json_array_size(keys) != USES)
		return ent_verify_no("a card has four keys");
	for (size_t i = 0; i < USES; i++) {
		const char *use = ent_verify_text(json_array_get(keys, i), "use"), *pub = ent_verify_text(json_array_get(keys, i), "pub");
		if (json_object_size(json_array_get(keys, i)) != 2 || !use || !pub || strcmp(use, uses[i]) != 0 ||
		    !ent_verify_unhex(of_text(pub), c->keys[i], 32))
			return ent_verify_no("a key of the card is malformed");
		for (size_t k = 0; k < i; k++)
			if (!memcmp(c->keys[i], c->keys[k], 32))
				return ent_verify_no("one key of the card has two uses");
	}
	return true;
}

static bool read_origin(struct card *c, const char *origin)
{
	unsigned char hash[32];
	char want[100];
	ent_verify_sha256(&(struct span){ c->keys[USE_LOG], 32 }, 1, hash);
	int n = snprintf(want, sizeof want, "entente.local/%s/%02x%02x%02x%02x", c->org, hash[0], hash[1], hash[2], hash[3]);
	if (strlen(origin) != (size_t)n || memcmp(origin, want, (size_t)n - 8) != 0 || strspn(origin + n - 8, "0123456789abcdef") != 8)
		return false;
	memcpy(c->origin, origin, (size_t)n + 1);
	return c->version > 1 || !strcmp(origin, want);
}

static bool read_card(const struct envelope *e, struct card *c)
{
	const char *org = ent_verify_text(e->body, "org"), *origin = ent_verify_text(e->body, "origin"), *prev = ent_verify_text(e->body, "prev");
	const json_t *version = json_object_get(e->body, "version"), *at = json_object_get(e->body, "addresses");
	if (strcmp(e->type, "card") != 0 || json_object_size(e->body) != 7 || !org || !origin || !ent_verify_org(org) || !json_is_integer(version) ||
	    !json_is_boolean(json_object_get(e->body, "compute_only")) || json_object_size(at) != 2 || !ent_verify_text(at, "http") ||
	    !ent_verify_text(at, "link") || !read_keys(e->body, c))
		return ent_verify_no("not a member card");
	memcpy(c->org, org, strlen(org) + 1);
	c->version = json_integer_value(version);
	bool first = json_is_null(json_object_get(e->body, "prev"));
	if (c->version < 1 || c->version > INT32_MAX || first != (c->version == 1) ||
	    (!first && (!prev || !ent_verify_unhex(of_text(prev), c->prev, 32))))
		return ent_verify_no("version and predecessor of the card contradict each other");
	if (!read_origin(c, origin) || e->count > (first ? 1u : 2u))
		return ent_verify_no("the origin of the card, or the number of its signatures, is wrong");
	memcpy(c->hash, e->hash, 32);
	return ent_verify_signed(e, c->keys[USE_SIGN]);
}

bool ent_verify_card(struct span bytes, const struct card *before, struct card *out)
{
	struct envelope e;
	memset(out, 0, sizeof *out);
	bool good = bytes.n <= 8192 && ent_verify_envelope(bytes, &e);
	if (bytes.n > 8192)
		return ent_verify_no("a card has at most 8192 bytes");
	good = good && read_card(&e, out);
	if (good && before)
		good = (out->version == before->version + 1 && !memcmp(out->prev, before->hash, 32) && !strcmp(out->origin, before->origin) &&
			ent_verify_signed(&e, before->keys[USE_SIGN])) ||
		       ent_verify_no("it does not follow from the version before");
	ent_verify_envelope_free(&e);
	return good;
}
