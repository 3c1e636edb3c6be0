#include "ledger/witness.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"

#define BODY_MAX (ENT_NOTE_BYTES_MAX + 4096)

struct ent_witness {
	struct ent_witness_config config;
};

struct ask { /* a parsed request */
	uint64_t old;
	struct ent_proof proof;
	struct ent_bytes bytes; /* the note */
	struct ent_note note;
	struct ent_checkpoint point;
};

struct known { /* what was cosigned last for an origin */
	struct ent_buf note;
	struct ent_checkpoint point;
};

int ent_witness_open(const struct ent_witness_config *config, struct ent_witness **ret, struct ent_err *err)
{
	ENT_TRY(config->fs->ops->mkdir(config->fs, config->dir, 0700, err));
	ENT_TRY(config->fs->ops->sync_dir(config->fs, ".", err));
	struct ent_witness *w = calloc(1, sizeof *w);
	if (!w)
		return ent_nomem(err);
	w->config = *config;
	*ret = w;
	return 0;
}

void ent_witness_free(struct ent_witness *w) { free(w); }

static void say(struct ent_http_answer *a, int status, const char *text)
{
	a->status = status;
	a->type = "text/plain; charset=utf-8";
	ent_buf_reset(&a->body);
	ent_buf_printf(&a->body, "%s\n", text);
}

static void say_size(struct ent_http_answer *a, uint64_t size)
{
	a->status = 409;
	a->type = "text/x.tlog.size";
	ent_buf_reset(&a->body);
	ent_buf_printf(&a->body, "%llu\n", (unsigned long long)size);
}

static bool cut_line(struct ent_bytes *text, struct ent_bytes *ret)
{
	const uint8_t *stop = text->len ? memchr(text->data, '\n', text->len) : NULL;
	if (!stop)
		return false;
	*ret = ent_bytes(text->data, (size_t)(stop - text->data));
	*text = ent_bytes(stop + 1, text->len - ret->len - 1);
	return true;
}

static bool parse_proof(struct ent_bytes *text, struct ent_proof *proof)
{
	struct ent_bytes line;
	while (cut_line(text, &line)) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(ENT_HASH_BYTES);
		if (!line.len)
			return true;
		if (proof->count == ENT_PROOF_MAX - 1 || !ent_unbase64(&raw, (const char *)line.data, line.len) || raw.len != ENT_HASH_BYTES)
			return false;
		memcpy(proof->at[proof->count++].b, raw.data, ENT_HASH_BYTES);
	}
	return false;
}

static bool parse_ask(struct ent_bytes body, struct ask *ret)
{
	struct ent_bytes line;
	if (body.len > BODY_MAX || !cut_line(&body, &line) || line.len < 5 || memcmp(line.data, "old ", 4) != 0 ||
	    !ent_parse_u64((const char *)line.data + 4, line.len - 4, INT64_MAX, &ret->old) || !parse_proof(&body, &ret->proof))
		return false;
	ret->bytes = body;
	return !ent_note_parse(body, &ret->note, NULL) && !ent_checkpoint_parse(ret->note.text, false, &ret->point, NULL);
}

static void path_of(const struct ent_witness *w, const char *origin, char ret[300])
{
	uint8_t hash[ENT_HASH_BYTES];
	char hex[2 * ENT_HASH_BYTES + 1];
	ent_sha256(origin, strlen(origin), hash);
	ent_hex(hex, hash, sizeof hash);
	snprintf(ret, 300, "%.200s/%s", w->config.dir, hex);
}

int ent_witness_last(struct ent_witness *w, const char *origin, struct ent_buf *ret, struct ent_err *err)
{
	char path[300];
	path_of(w, origin, path);
	return ent_fs_read(w->config.fs, path, ENT_NOTE_BYTES_MAX, ret, err);
}

static void known_deinit(struct known *k) { ent_buf_deinit(&k->note); }

/* Size 0 and the empty root when nothing was cosigned yet. */
static int load_known(struct ent_witness *w, const char *origin, struct known *k, struct ent_err *err)
{
	struct ent_note parsed;
	ent_buf_init(&k->note, ENT_NOTE_BYTES_MAX);
	int code = ent_witness_last(w, origin, &k->note, err);
	if (code == ENT_ENOTFOUND) {
		ent_tree_empty(&k->point.root);
		return 0;
	}
	ENT_TRY(code);
	if (ent_note_parse(ent_buf_bytes(&k->note), &parsed, NULL) || ent_checkpoint_parse(parsed.text, false, &k->point, NULL) ||
	    strcmp(k->point.origin, origin) != 0)
		return ent_fail(err, ENT_EVERIFY, "the stored checkpoint of %s is damaged", origin);
	return 0;
}

static bool log_signed(struct ent_witness *w, const struct ask *ask, const uint8_t pub[ENT_PUB_BYTES])
{
	struct ent_note_key key = { .alg = ENT_NOTE_ED25519 };
	(void)w;
	snprintf(key.name, sizeof key.name, "%s", ask->point.origin);
	memcpy(key.pub, pub, ENT_PUB_BYTES);
	for (size_t i = 0; i < ask->note.line_count; i++)
		if (ent_note_line_is(&ask->note.lines[i], &key) && !ent_note_check_line(ask->note.text, &ask->note.lines[i], &key, NULL, NULL))
			return true;
	return false;
}

static void alarm_fork(struct ent_witness *w, const struct ask *ask, const struct known *known, const char *what)
{
	struct ent_fork fork = { ask->point.origin, ent_buf_bytes(&known->note), ask->bytes, what };
	if (w->config.alarm)
		w->config.alarm(w->config.self, &fork);
}

static bool same_root(const struct ask *ask, const struct known *known) { return !memcmp(&ask->point.root, &known->point.root, sizeof(ent_hash)); }

/* May it be cosigned? Answers and returns false when not. */
static bool check_growth(struct ent_witness *w, const struct ask *ask, const struct known *known, struct ent_http_answer *answer)
{
	struct ent_proof none = { .count = 0 };
	ent_hash empty;
#ifndef ENT_MUTANT_TWO_ROOTS
	if (ask->point.size == known->point.size && known->point.size && !same_root(ask, known)) {
		alarm_fork(w, ask, known, "two roots for one size");
		say_size(answer, known->point.size);
		return false;
	}
#endif
	if (ask->old != known->point.size) {
		say_size(answer, known->point.size);
		return false;
	}
#ifdef ENT_MUTANT_TWO_ROOTS
	if (ask->point.size == known->point.size)
		return true;
#endif
	ent_tree_empty(&empty);
	int code;
	if (ask->old)
		code = ent_tree_check_consistency(ask->old, ask->point.size, &ask->proof, &known->point.root, &ask->point.root, NULL);
	else if (ask->point.size)
		code = ask->proof.count ? ENT_EVERIFY : 0;
	else
		code = ent_tree_check_consistency(0, 0, ask->proof.count ? &ask->proof : &none, &empty, &ask->point.root, NULL);
	if (!code)
		return true;
	if (ask->old)
		alarm_fork(w, ask, known, "not consistent");
	say(answer, 422, "the consistency proof does not hold");
	return false;
}

static int persist(struct ent_witness *w, const struct ask *ask, struct ent_err *err)
{
	char path[300];
	path_of(w, ask->point.origin, path);
	return ent_fs_replace(w->config.fs, path, ask->bytes, 0600, err);
}

static int cosign(struct ent_witness *w, const struct ask *ask, struct ent_http_answer *answer, struct ent_err *err)
{
	uint64_t now_s = (uint64_t)(w->config.clock->utc_ms(w->config.clock) / 1000);
#ifndef ENT_MUTANT_WITNESS_BEFORE_PERSIST
	ENT_TRY(persist(w, ask, err));
#endif
	answer->status = 200;
	answer->type = "text/plain; charset=utf-8";
	ent_buf_reset(&answer->body);
	return ent_note_sign(ask->note.text, w->config.name, ENT_NOTE_COSIGNATURE, now_s, &w->config.signer, &answer->body, err);
}

void ent_witness_add(struct ent_witness *w, struct ent_bytes body, struct ent_http_answer *answer)
{
	ENT_CLEANUP(known_deinit) struct known known = { 0 };
	uint8_t pub[ENT_PUB_BYTES];
	struct ask *ask = calloc(1, sizeof *ask);
	if (!ask)
		say(answer, 503, "out of memory");
	else if (!parse_ask(body, ask))
		say(answer, 400, "malformed: old size, proof, empty line, checkpoint");
	else if (!w->config.log_key(w->config.self, ask->point.origin, pub))
		say(answer, 404, "unknown log");
	else if (!log_signed(w, ask, pub))
		say(answer, 403, "not signed by the log's key");
	else if (ask->old > ask->point.size)
		say(answer, 400, "old size is larger than the checkpoint");
	else if (load_known(w, ask->point.origin, &known, NULL))
		say(answer, 500, "the witness cannot read its own record");
	else if (check_growth(w, ask, &known, answer) && cosign(w, ask, answer, NULL))
		say(answer, 500, "the witness cannot store the checkpoint");
	free(ask);
}
