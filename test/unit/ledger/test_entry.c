/* Envelopes, entries and cards: what is accepted is exactly what was signed. */
#include "support/ledger_kit.h"
#include "tap.h"

static bool ring_find(void *self, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES])
{
	struct kit_org *o = self;
	uint8_t own[ENT_HASH_BYTES];
	ent_keyid(o->keys[0].pub, own);
	memcpy(ret_pub, o->keys[0].pub, ENT_PUB_BYTES);
	return !memcmp(own, keyid, sizeof own);
}

static int open_and_check(struct kit_org *o, struct ent_bytes envelope)
{
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	struct ent_keyring ring = { o, ring_find };
	ENT_TRY(ent_entry_open(envelope, &e, NULL));
	return ent_dsse_check(&e.dsse, &ring, NULL);
}

static void test_roundtrip(struct kit_org *o)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = { 0 };
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	kit_note(o, "hello \xe2\x80\x94 world", &b);
	OK_INT(ent_entry_open(ent_buf_bytes(&b), &e, NULL), 0);
	OK_INT(e.type, ENT_ENTRY_NOTE);
	OK_STR(e.actor, "hudson");
	OK_INT(e.time_ms, o->clock.utc);
	OK_STR(json_string_value(json_object_get(e.dsse.body, "text")), "hello \xe2\x80\x94 world");
	OK_INT(open_and_check(o, ent_buf_bytes(&b)), 0);
}

/* Any single changed bit: not canonical, not parsed, or a signature that fails. */
static void test_every_bit(struct kit_org *o)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = { 0 };
	size_t accepted = 0;
	kit_note(o, "bits", &b);
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		accepted += !open_and_check(o, ent_buf_bytes(&b));
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	OK_INT(accepted, 0, "no changed bit of an entry is accepted");
}

static void test_refused_forms(void)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.entente.note.v1+json\",\"signatures\":[]}",
		"{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.other.note.v1+json\",\"signatures\":[]}",
		"{\"payload\":\"e30\",\"payloadType\":\"application/vnd.entente.note.v1+json\",\"signatures\":[]}",
		"{\"payload\": \"e30=\",\"payloadType\":\"application/vnd.entente.note.v1+json\",\"signatures\":[]}",
	};
	for (size_t i = 0; i < ENT_COUNT(bad); i++) {
		struct ent_entry e = { 0 };
		OK_INT(ent_entry_open(ent_bytes_str(bad[i]), &e, NULL), ENT_EDATA, "refused: %.60s", bad[i]);
	}
}

static void test_joint(struct kit_org *a, struct kit_org *b)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf payload = ENT_BUF(4096), one = ENT_BUF(4096), two = ENT_BUF(4096);
	ENT_JSON_AUTO fields = json_pack("{s:i,s:[s,s],s:s}", "attempt", 1, "participants", a->name, b->name, "proposal", "00");
	struct ent_sig s[2];
	OK_INT(ent_entry_payload(ENT_ENTRY_RUN, 0, NULL, fields, &payload, NULL), 0);
	OK_INT(ent_dsse_sign("run", ent_buf_bytes(&payload), &a->keys[0], &s[0], NULL), 0);
	OK_INT(ent_dsse_sign("run", ent_buf_bytes(&payload), &b->keys[0], &s[1], NULL), 0);
	OK_INT(ent_dsse_check_one("run", ent_buf_bytes(&payload), &s[1], b->keys[0].pub, NULL), 0);
	OK_INT(ent_dsse_check_one("run", ent_buf_bytes(&payload), &s[1], a->keys[0].pub, NULL), ENT_EVERIFY, "a ready of somebody else");
	OK_INT(ent_dsse_check_one("result", ent_buf_bytes(&payload), &s[1], b->keys[0].pub, NULL), ENT_EVERIFY,
	       "a signature holds for one type only");
	OK_INT(ent_dsse_join("run", ent_buf_bytes(&payload), s, 2, &one, NULL), 0);
	struct ent_sig t = s[0];
	s[0] = s[1];
	s[1] = t;
	OK_INT(ent_dsse_join("run", ent_buf_bytes(&payload), s, 2, &two, NULL), 0);
	OK(ent_bytes_eq(ent_buf_bytes(&one), ent_buf_bytes(&two)), "signatures are sorted, the entry is the same everywhere");
	s[1] = s[0];
	OK_INT(ent_dsse_join("run", ent_buf_bytes(&payload), s, 2, &two, NULL), ENT_EDATA, "one key twice");
	OK_INT(open_and_check(a, ent_buf_bytes(&one)), ENT_EVERIFY, "a signer nobody introduced");
}

static void test_payload_limits(struct kit_org *o)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1u << 20);
	ENT_JSON_AUTO clash = json_pack("{s:s}", "time", "now");
	ENT_JSON_AUTO real = json_pack("{s:f}", "x", 1.5);
	ENT_JSON_AUTO big = json_object();
	char *text = malloc(60000);
	memset(text, 'a', 59999);
	text[59999] = 0;
	json_object_set_new(big, "text", json_string(text));
	free(text);
	OK_INT(ent_entry_payload(ENT_ENTRY_NOTE, 0, o->name, clash, &out, NULL), ENT_EDATA, "time belongs to the entry");
	OK_INT(ent_entry_payload(ENT_ENTRY_NOTE, 0, o->name, real, &out, NULL), ENT_EDATA, "no floats");
	OK_INT(ent_entry_payload(ENT_ENTRY_NOTE, 0, "Bad Org", NULL, &out, NULL), ENT_EDATA, "actor");
	OK_INT(ent_entry_payload(ENT_ENTRY_COUNT, 0, o->name, NULL, &out, NULL), ENT_EDATA, "type");
	OK_INT(out.len, 0, "outputs untouched on failure");
	OK_INT(ent_entry_make(ENT_ENTRY_NOTE, 0, o->name, big, &o->keys[0], &out, NULL), ENT_EDATA, "an entry has at most 65,535 bytes");
}

static void test_ids(void)
{
	char org[ENT_ORG_MAX + 1];
	uint64_t index;
	OK(ent_entry_id_parse("bravo/42", org, &index) && !strcmp(org, "bravo") && index == 42);
	static const char *const bad[] = { "bravo", "/1", "Bravo/1", "bravo/", "bravo/01", "bravo/-1", "bravo/1x", "bravo/1/2" };
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK(!ent_entry_id_parse(bad[i], org, &index), "not an id: %s", bad[i]);
	for (int i = 0; i < ENT_ENTRY_COUNT; i++)
		if (ent_entry_by_name(ent_entry_name(i)) != i)
			OK(0, "entry type %d", i);
}

static void test_card(struct kit_org *o)
{
	struct ent_card c;
	char witness[ENT_ORIGIN_MAX + 16];
	size_t accepted = 0;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_CARD_BYTES_MAX);
	ent_buf_put(&b, o->card_bytes.data, o->card_bytes.len);
	OK_INT(ent_card_open(ent_buf_bytes(&b), &c, NULL), 0);
	OK_STR(c.org, "hudson");
	OK(!strncmp(c.origin, "entente.local/hudson/", 21) && strlen(c.origin) == 29);
	ent_card_witness_name(&c, witness);
	OK(strstr(witness, "/witness") != NULL);
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		accepted += !ent_card_open(ent_buf_bytes(&b), &c, NULL);
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	OK_INT(accepted, 0, "no changed bit of a card is accepted");
}

static void next_version(struct kit_org *o, struct ent_card *next, uint8_t new_seed[32], struct ent_signer *new_sign)
{
	*next = o->card;
	next->version = 2;
	next->has_prev = true;
	memcpy(next->prev, o->card.hash, ENT_HASH_BYTES);
	memset(new_seed, 77, 32);
	ENT_ASSERT(!ent_signer_init(new_sign, new_seed, NULL));
	memcpy(next->keys[ENT_KEY_SIGN], new_sign->pub, ENT_PUB_BYTES);
}

static void test_card_update(struct kit_org *o)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_CARD_BYTES_MAX);
	struct ent_card next, got;
	struct ent_signer sign;
	uint8_t seed[32];
	enum ent_card_step step;
	OK_INT(ent_card_update(&o->card, ent_buf_bytes(&o->card_bytes), &step, &got, NULL), 0);
	OK_INT(step, ENT_CARD_SAME);
	next_version(o, &next, seed, &sign);
	OK_INT(ent_card_make(&next, &sign, &o->keys[ENT_KEY_SIGN], &b, NULL), 0);
	OK_INT(ent_card_update(&o->card, ent_buf_bytes(&b), &step, &got, NULL), 0, "old and new key signed: accepted");
	OK_INT(step, ENT_CARD_NEXT);
	OK(!memcmp(got.keys[0], sign.pub, ENT_PUB_BYTES));
	ent_buf_reset(&b);
	OK_INT(ent_card_make(&next, &sign, NULL, &b, NULL), 0);
	OK_INT(ent_card_update(&o->card, ent_buf_bytes(&b), &step, &got, NULL), ENT_EVERIFY, "only the new key signed: refused");
	next.version = 3;
	ent_buf_reset(&b);
	OK_INT(ent_card_make(&next, &sign, &o->keys[ENT_KEY_SIGN], &b, NULL), 0);
	OK_INT(ent_card_update(&o->card, ent_buf_bytes(&b), &step, &got, NULL), ENT_EVERIFY, "a skipped version: refused");
	next.version = 2;
	next.prev[0] ^= 1;
	ent_buf_reset(&b);
	OK_INT(ent_card_make(&next, &sign, &o->keys[ENT_KEY_SIGN], &b, NULL), 0);
	OK_INT(ent_card_update(&o->card, ent_buf_bytes(&b), &step, &got, NULL), ENT_EVERIFY, "another version before it: refused");
	next = o->card;
	next.http[0] = '9';
	ent_buf_reset(&b);
	OK_INT(ent_card_make(&next, &o->keys[ENT_KEY_SIGN], NULL, &b, NULL), 0);
	OK_INT(ent_card_update(&o->card, ent_buf_bytes(&b), &step, &got, NULL), ENT_EVERIFY, "two cards of one version: refused");
}

static void test_card_refused(struct kit_org *o)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_CARD_BYTES_MAX);
	struct ent_card c = o->card;
	memcpy(c.keys[ENT_KEY_TLS], c.keys[ENT_KEY_LOG], ENT_PUB_BYTES);
	OK_INT(ent_card_make(&c, &o->keys[0], NULL, &b, NULL), ENT_EDATA, "one key with two uses");
	c = o->card;
	c.origin[25] = c.origin[25] == '0' ? '1' : '0';
	OK_INT(ent_card_make(&c, &o->keys[0], NULL, &b, NULL), ENT_EDATA, "an origin that is not of its log key");
	c = o->card;
	snprintf(c.http, sizeof c.http, "host:0");
	OK_INT(ent_card_make(&c, &o->keys[0], NULL, &b, NULL), ENT_EDATA, "port 0");
	c = o->card;
	snprintf(c.org, sizeof c.org, "9bad");
	OK_INT(ent_card_make(&c, &o->keys[0], NULL, &b, NULL), ENT_EDATA, "name");
	OK_INT(b.len, 0);
}

int main(void)
{
	struct kit_org a, b;
	kit_org_init(&a, "hudson", NULL);
	kit_org_init(&b, "skywatch", NULL);
	test_roundtrip(&a);
	test_every_bit(&a);
	test_refused_forms();
	test_joint(&a, &b);
	test_payload_limits(&a);
	test_ids();
	test_card(&a);
	test_card_update(&a);
	test_card_refused(&a);
	kit_org_deinit(&a);
	kit_org_deinit(&b);
	return tap_done();
}
