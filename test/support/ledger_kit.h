/* Organisations with fixed keys, a clock that obeys, and ledgers on a simulated disk: what every ledger test needs. */
#ifndef ENT_TEST_LEDGER_KIT_H
#define ENT_TEST_LEDGER_KIT_H
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ledger/card.h"
#include "ledger/ledger.h"
#include "support/simfs.h"

struct kit_clock {
	struct ent_clock clock;
	int64_t utc;
	uint64_t mono;
};

static int64_t kit_utc(struct ent_clock *c) { return ((struct kit_clock *)c)->utc; }
static uint64_t kit_mono(struct ent_clock *c) { return ((struct kit_clock *)c)->mono; }

struct kit_org { /* one member; every key is a function of its name */
	char name[ENT_ORG_MAX + 1];
	uint8_t seeds[ENT_KEY_USES][32];
	struct ent_signer keys[ENT_KEY_USES];
	struct ent_card card;
	struct ent_buf card_bytes;
	struct kit_clock clock;
	struct ent_ledger_config config;
};

__attribute__((unused)) static void kit_org_init(struct kit_org *o, const char *name, struct ent_fs *fs)
{
	memset(o, 0, sizeof *o);
	snprintf(o->name, sizeof o->name, "%s", name);
	for (int i = 0; i < ENT_KEY_USES; i++) {
		memset(o->seeds[i], i + 1, 32);
		memcpy(o->seeds[i], name, strlen(name));
		ENT_ASSERT(!ent_signer_init(&o->keys[i], o->seeds[i], NULL));
		memcpy(o->card.keys[i], o->keys[i].pub, ENT_PUB_BYTES);
	}
	snprintf(o->card.org, sizeof o->card.org, "%s", name);
	ent_card_origin(name, o->card.keys[ENT_KEY_LOG], o->card.origin);
	o->card.version = 1;
	snprintf(o->card.link, sizeof o->card.link, "127.0.0.1:7101");
	snprintf(o->card.http, sizeof o->card.http, "127.0.0.1:7102");
	ent_buf_init(&o->card_bytes, ENT_CARD_BYTES_MAX);
	ENT_ASSERT(!ent_card_make(&o->card, &o->keys[ENT_KEY_SIGN], NULL, &o->card_bytes, NULL));
	ENT_ASSERT(!ent_card_open(ent_buf_bytes(&o->card_bytes), &o->card, NULL));
	o->clock = (struct kit_clock){ { kit_utc, kit_mono }, 1795253400123, 1000 };
	o->config = (struct ent_ledger_config){ .fs = fs,
						.dir = "ledger",
						.clock = &o->clock.clock,
						.org = o->name,
						.origin = o->card.origin,
						.sign = o->keys[ENT_KEY_SIGN],
						.log = o->keys[ENT_KEY_LOG] };
}

__attribute__((unused)) static void kit_org_deinit(struct kit_org *o) { ent_buf_deinit(&o->card_bytes); }

/* One note entry by org, into ret (reset before). */
__attribute__((unused)) static void kit_note(struct kit_org *o, const char *text, struct ent_buf *ret)
{
	ENT_JSON_AUTO fields = json_pack("{s:s}", "text", text);
	if (!ret->max)
		ent_buf_init(ret, ENT_DSSE_BYTES_MAX);
	ent_buf_reset(ret);
	ENT_ASSERT(!ent_entry_make(ENT_ENTRY_NOTE, o->clock.utc, o->name, fields, &o->keys[ENT_KEY_SIGN], ret, NULL));
}

/* Appends one note and returns its index; UINT64_MAX when that failed. */
__attribute__((unused)) static uint64_t kit_add(struct kit_org *o, struct ent_ledger *l, const char *text)
{
	ENT_JSON_AUTO fields = json_pack("{s:s}", "text", text);
	uint64_t at;
	o->clock.utc++;
	return ent_ledger_add(l, ENT_ENTRY_NOTE, fields, &at, NULL) ? UINT64_MAX : at;
}

__attribute__((unused)) static uint64_t kit_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}
#endif
