/* Envelopes are built and read through one canonical form, so a byte that differs anywhere is either refused or signed. */
#include "ledger/dsse.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/sign.h"

#define TYPE_PREFIX "application/vnd.entente."
#define TYPE_SUFFIX ".v1+json"
#define TYPE_FULL_MAX (sizeof TYPE_PREFIX + sizeof TYPE_SUFFIX + ENT_DSSE_TYPE_MAX)
#define HASH_HEX (2 * ENT_HASH_BYTES)

static int seed_sign(void *self, struct ent_bytes message, uint8_t ret_sig[ENT_SIG_BYTES], struct ent_err *err)
{
	return ent_sign(self, message, ret_sig, err);
}

int ent_signer_init(struct ent_signer *s, const uint8_t *seed, struct ent_err *err)
{
	ENT_TRY(ent_sign_public(seed, s->pub, err));
	s->self = (void *)(uintptr_t)seed;
	s->sign = seed_sign;
	return 0;
}

void ent_keyid(const uint8_t pub[ENT_PUB_BYTES], uint8_t ret[ENT_HASH_BYTES]) { ent_sha256(pub, ENT_PUB_BYTES, ret); }

static bool type_valid(const char *type)
{
	size_t n = strlen(type);
	if (n == 0 || n > ENT_DSSE_TYPE_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (type[i] < 'a' || type[i] > 'z')
			return false;
	return true;
}

/* The DSSE pre-authentication encoding. */
static int pae(const char *type, struct ent_bytes payload, struct ent_buf *out, struct ent_err *err)
{
	size_t type_len = strlen(TYPE_PREFIX) + strlen(type) + strlen(TYPE_SUFFIX);
	ent_buf_init(out, payload.len + 256);
	ent_buf_printf(out, "DSSEv1 %zu %s%s%s %zu ", type_len, TYPE_PREFIX, type, TYPE_SUFFIX, payload.len);
	ent_buf_put(out, payload.data, payload.len);
	return ent_buf_check(out, err);
}

static int payload_check(const char *type, struct ent_bytes payload, struct ent_err *err)
{
	ENT_JSON_AUTO body = NULL;
	if (!type_valid(type))
		return ent_fail(err, ENT_EDATA, "not a payload type: %.40s", type);
	ENT_TRY(ent_json_parse_canonical(payload, ENT_DSSE_BYTES_MAX, &body, err));
	return json_is_object(body) ? 0 : ent_fail(err, ENT_EDATA, "a signed payload is a JSON object");
}

int ent_dsse_sign(const char *type, struct ent_bytes payload, const struct ent_signer *signer, struct ent_sig *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf message = { 0 };
	struct ent_sig sig;
	ENT_TRY(payload_check(type, payload, err));
	ENT_TRY(pae(type, payload, &message, err));
	ent_keyid(signer->pub, sig.keyid);
	ENT_TRY(signer->sign(signer->self, ent_buf_bytes(&message), sig.sig, err));
	*ret = sig;
	return 0;
}

int ent_dsse_check_one(const char *type, struct ent_bytes payload, const struct ent_sig *sig, const uint8_t pub[ENT_PUB_BYTES], struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf message = { 0 };
	uint8_t keyid[ENT_HASH_BYTES];
	ENT_TRY(pae(type, payload, &message, err));
	ent_keyid(pub, keyid);
#ifdef ENT_MUTANT_SIGNATURE_NOT_CHECKED
	return 0;
#endif
	if (memcmp(keyid, sig->keyid, sizeof keyid) != 0 || !ent_sign_verify(pub, ent_buf_bytes(&message), sig->sig, sizeof sig->sig))
		return ent_fail(err, ENT_EVERIFY, "a signature on this %s does not verify", type);
	return 0;
}

static int by_keyid(const void *a, const void *b)
{
	return memcmp(((const struct ent_sig *)a)->keyid, ((const struct ent_sig *)b)->keyid, ENT_HASH_BYTES);
}

int ent_dsse_join(const char *type, struct ent_bytes payload, const struct ent_sig *sigs, size_t count, struct ent_buf *ret, struct ent_err *err)
{
	struct ent_sig sorted[ENT_DSSE_SIGS_MAX];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(ENT_DSSE_BYTES_MAX);
	if (count == 0 || count > ENT_DSSE_SIGS_MAX)
		return ent_fail(err, ENT_EDATA, "an envelope has 1 to %d signatures", ENT_DSSE_SIGS_MAX);
	memcpy(sorted, sigs, count * sizeof *sigs);
	qsort(sorted, count, sizeof *sorted, by_keyid);
	ENT_TRY(payload_check(type, payload, err));
	ent_buf_str(&out, "{\"payload\":\"");
	ent_buf_base64(&out, payload.data, payload.len);
	ent_buf_printf(&out, "\",\"payloadType\":\"%s%s%s\",\"signatures\":[", TYPE_PREFIX, type, TYPE_SUFFIX);
	for (size_t i = 0; i < count; i++) {
		if (i && !by_keyid(&sorted[i - 1], &sorted[i]))
			return ent_fail(err, ENT_EDATA, "one key signed twice");
		ent_buf_str(&out, i ? ",{\"keyid\":\"" : "{\"keyid\":\"");
		ent_buf_hex(&out, sorted[i].keyid, ENT_HASH_BYTES);
		ent_buf_str(&out, "\",\"sig\":\"");
		ent_buf_base64(&out, sorted[i].sig, ENT_SIG_BYTES);
		ent_buf_str(&out, "\"}");
	}
	ent_buf_str(&out, "]}");
	ENT_TRY(ent_buf_check(&out, err));
	ent_buf_put(ret, out.data, out.len);
	return ent_buf_check(ret, err);
}

int ent_dsse_seal(const char *type, struct ent_bytes payload, const struct ent_signer *signers, size_t count, struct ent_buf *ret,
		  struct ent_err *err)
{
	struct ent_sig sigs[ENT_DSSE_SIGS_MAX];
	if (count > ENT_DSSE_SIGS_MAX)
		return ent_fail(err, ENT_EDATA, "an envelope has 1 to %d signatures", ENT_DSSE_SIGS_MAX);
	for (size_t i = 0; i < count; i++)
		ENT_TRY(ent_dsse_sign(type, payload, &signers[i], &sigs[i], err));
	return ent_dsse_join(type, payload, sigs, count, ret, err);
}

static int open_type(const json_t *env, struct ent_dsse *d, struct ent_err *err)
{
	const char *full;
	ENT_TRY(ent_json_str(env, "payloadType", &full, err));
	size_t n = strlen(full), head = strlen(TYPE_PREFIX), tail = strlen(TYPE_SUFFIX);
	if (n >= TYPE_FULL_MAX || n <= head + tail || memcmp(full, TYPE_PREFIX, head) != 0 || memcmp(full + n - tail, TYPE_SUFFIX, tail) != 0)
		return ent_fail(err, ENT_EDATA, "payload type is not " TYPE_PREFIX "<type>" TYPE_SUFFIX);
	memcpy(d->type, full + head, n - head - tail);
	d->type[n - head - tail] = 0;
	return type_valid(d->type) ? 0 : ent_fail(err, ENT_EDATA, "not a payload type");
}

static int open_sig(const json_t *item, struct ent_sig *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(ENT_SIG_BYTES);
	const char *text;
	if (!json_is_object(item) || json_object_size(item) != 2)
		return ent_fail(err, ENT_EDATA, "a signature has keyid and sig, nothing else");
	ENT_TRY(ent_json_hex(item, "keyid", ret->keyid, ENT_HASH_BYTES, err));
	ENT_TRY(ent_json_str(item, "sig", &text, err));
	if (!ent_unbase64(&raw, text, strlen(text)) || raw.len != ENT_SIG_BYTES)
		return ent_fail(err, ENT_EDATA, "sig is not base64 of %d bytes", ENT_SIG_BYTES);
	memcpy(ret->sig, raw.data, ENT_SIG_BYTES);
	return 0;
}

static int open_sigs(const json_t *env, struct ent_dsse *d, struct ent_err *err)
{
	json_t *list;
	ENT_TRY(ent_json_array(env, "signatures", &list, err));
	d->sig_count = json_array_size(list);
	if (d->sig_count == 0 || d->sig_count > ENT_DSSE_SIGS_MAX)
		return ent_fail(err, ENT_EDATA, "an envelope has 1 to %d signatures", ENT_DSSE_SIGS_MAX);
	for (size_t i = 0; i < d->sig_count; i++) {
		ENT_TRY(open_sig(json_array_get(list, i), &d->sigs[i], err));
		if (i && by_keyid(&d->sigs[i - 1], &d->sigs[i]) >= 0)
			return ent_fail(err, ENT_EDATA, "signatures are not sorted by key id");
	}
	return 0;
}

static int open_payload(const json_t *env, struct ent_dsse *d, struct ent_err *err)
{
	const char *text;
	ENT_TRY(ent_json_str(env, "payload", &text, err));
	ent_buf_init(&d->payload, ENT_DSSE_BYTES_MAX);
	if (!ent_unbase64(&d->payload, text, strlen(text)))
		return ent_fail(err, ENT_EDATA, "payload is not base64");
	ENT_TRY(ent_json_parse_canonical(ent_buf_bytes(&d->payload), ENT_DSSE_BYTES_MAX, &d->body, err));
	if (!json_is_object(d->body))
		return ent_fail(err, ENT_EDATA, "a signed payload is a JSON object");
	ent_sha256(d->payload.data, d->payload.len, d->payload_hash);
	return 0;
}

int ent_dsse_open(struct ent_bytes envelope, struct ent_dsse *ret, struct ent_err *err)
{
	ENT_JSON_AUTO env = NULL;
	ENT_CLEANUP(ent_dsse_deinit) struct ent_dsse d = { 0 };
	ENT_TRY(ent_json_parse_canonical(envelope, ENT_DSSE_BYTES_MAX, &env, err));
	if (!json_is_object(env) || json_object_size(env) != 3)
		return ent_fail(err, ENT_EDATA, "an envelope has payload, payloadType and signatures, nothing else");
	ENT_TRY(open_type(env, &d, err));
	ENT_TRY(open_payload(env, &d, err));
	ENT_TRY(open_sigs(env, &d, err));
	*ret = d;
	d = (struct ent_dsse){ 0 };
	return 0;
}

void ent_dsse_deinit(struct ent_dsse *d)
{
	ent_buf_deinit(&d->payload);
	json_decref(d->body);
	*d = (struct ent_dsse){ 0 };
}

int ent_dsse_check(const struct ent_dsse *d, const struct ent_keyring *ring, struct ent_err *err)
{
	for (size_t i = 0; i < d->sig_count; i++) {
		uint8_t pub[ENT_PUB_BYTES];
		char hex[HASH_HEX + 1];
		ent_hex(hex, d->sigs[i].keyid, ENT_HASH_BYTES);
		if (!ring->find || !ring->find(ring->self, d->sigs[i].keyid, pub))
			return ent_fail(err, ENT_EVERIFY, "this %s is signed by a key nobody introduced: %.16s", d->type, hex);
		ENT_TRY(ent_dsse_check_one(d->type, ent_buf_bytes(&d->payload), &d->sigs[i], pub, err));
	}
	return 0;
}

bool ent_dsse_signed_by(const struct ent_dsse *d, const uint8_t pub[ENT_PUB_BYTES])
{
	uint8_t keyid[ENT_HASH_BYTES];
	ent_keyid(pub, keyid);
	for (size_t i = 0; i < d->sig_count; i++)
		if (!memcmp(d->sigs[i].keyid, keyid, sizeof keyid))
			return true;
	return false;
}
