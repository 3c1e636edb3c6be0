/* One or several nodes on simulated disks, with a clock that only moves when told and seeded randomness. */
#ifndef ENT_TEST_NODE_KIT_H
#define ENT_TEST_NODE_KIT_H
#include <stdlib.h>

#include "node/node.h"
#include "support/simfs.h"

struct kit_node {
	struct ent_clock clock;
	struct ent_random random;
	bool no_random; /* it fails */
	uint64_t ms, seed;
	struct ent_fs *fs;
	struct ent_node *node;
};

static int64_t kit_utc(struct ent_clock *c) { return 1795000000000 + (int64_t)((struct kit_node *)(void *)c)->ms; }
static uint64_t kit_mono(struct ent_clock *c) { return 1000 + ((struct kit_node *)(void *)c)->ms; }

static int kit_fill(struct ent_random *r, void *buf, size_t len, struct ent_err *err)
{
	struct kit_node *k = (struct kit_node *)(void *)((char *)r - offsetof(struct kit_node, random));
	if (k->no_random)
		return ent_fail(err, ENT_EIO, "no randomness");
	for (size_t i = 0; i < len; i++) {
		k->seed ^= k->seed << 13;
		k->seed ^= k->seed >> 7;
		k->seed ^= k->seed << 17;
		((uint8_t *)buf)[i] = (uint8_t)(k->seed >> 24);
	}
	return 0;
}

__attribute__((unused)) static void kit_init(struct kit_node *k, uint64_t seed)
{
	*k = (struct kit_node){ .clock = { kit_utc, kit_mono }, .random = { kit_fill }, .seed = seed * 2654435761u + 1, .fs = simfs_new(seed) };
}

__attribute__((unused)) static struct ent_node_env kit_env(struct kit_node *k)
{
	return (struct ent_node_env){ .fs = k->fs, .clock = &k->clock, .random = &k->random };
}

/* Makes a home named org; the card is given back as a new text. */
__attribute__((unused)) static char *kit_home(struct kit_node *k, const char *org, struct ent_err *err)
{
	ENT_JSON_AUTO args = json_pack("{s:s,s:s}", "org", org, "listen", "127.0.0.1:7100");
	ENT_JSON_AUTO answer = NULL;
	struct ent_node_env env = kit_env(k);
	if (ent_node_init(&env, args, &answer, err))
		return NULL;
	return ent_strdup(json_string_value(json_object_get(answer, "card")));
}

__attribute__((unused)) static int kit_open(struct kit_node *k, struct ent_err *err)
{
	struct ent_node_env env = kit_env(k);
	return ent_node_open(&env, &k->node, err);
}

struct kit_reply {
	struct ent_reply reply;
	int code;
	bool done;
	json_t *answer;
	struct ent_err err;
};

static void kit_done(struct ent_reply *r, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct kit_reply *k = (struct kit_reply *)r;
	(void)content;
	k->done = true;
	k->code = err ? err->code : 0;
	if (err)
		k->err = *err;
	k->answer = answer ? json_deep_copy(answer) : NULL;
}

/* args is taken. The answer (new reference, may be NULL) goes to ret_answer when given. */
__attribute__((unused)) static int kit_ask(struct kit_node *k, const char *verb, json_t *args, json_t **ret_answer, struct ent_err *err)
{
	struct kit_reply r = { .reply = { kit_done } };
	ent_node_request(k->node, verb, args, &r.reply);
	if (!r.done) { /* a question waits two seconds at most for the owners' news */
		k->ms += 2001;
		ent_node_tick(k->node);
	}
	json_decref(args);
	if (err)
		*err = r.err;
	if (ret_answer)
		*ret_answer = r.answer;
	else
		json_decref(r.answer);
	return r.done ? r.code : -1;
}
#endif
