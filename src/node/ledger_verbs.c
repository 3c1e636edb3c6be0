/* The ledger as people read it: entries, blocks, proofs, verification, notes. */
#include "ledger/audit.h"
#include "ledger/receipt.h"
#include "node/core.h"

#define LIST_DEFAULT 1000

/* ---- one line per entry ---- */

static const char *text_of(const json_t *body, const char *key)
{
	const json_t *v = json_object_get(body, key);
	return json_is_string(v) ? json_string_value(v) : "";
}

static void put_member(const json_t *body, struct ent_buf *out)
{
	struct ent_card card;
	if (ent_card_open_json(json_object_get(body, "card"), &card, NULL))
		return;
	ent_buf_printf(out, "%s, card version %lld%s", card.org, (long long)card.version,
		       json_is_true(json_object_get(body, "removed")) ? ", trusted no more" : "");
	if (json_is_true(json_object_get(body, "replaced")))
		ent_buf_str(out, ", replaced by hand");
}

static void put_job(int type, const json_t *body, struct ent_buf *out)
{
	ent_buf_printf(out, "job %.16s", text_of(body, "proposal"));
	if (type == ENT_ENTRY_DECISION)
		ent_buf_str(out, json_is_true(json_object_get(body, "allow")) ? ": allowed" : ": refused");
	if (type == ENT_ENTRY_RESULT)
		ent_buf_printf(out, ": %s %s", text_of(body, "outcome"), text_of(body, "code"));
	if (type == ENT_ENTRY_OUTPUT)
		ent_buf_printf(out, ": %s", text_of(body, "component"));
}

static void put_move(int type, const json_t *body, struct ent_buf *out)
{
	const json_t *targets = json_object_get(body, "targets");
	if (type == ENT_ENTRY_COMPARE) {
		ent_buf_printf(out, "%s and %s: %s", text_of(body, "a"), text_of(body, "b"),
			       json_is_true(json_object_get(body, "equal")) ? "equal" : "different");
		return;
	}
	ent_buf_printf(out, "%s to %s", text_of(body, "source"), text_of(body, "requester"));
	for (size_t i = 0; i < json_array_size(targets); i++)
		ent_buf_printf(out, "%s%s", i ? ", " : "", json_string_value(json_array_get(targets, i)));
	if (json_object_get(body, "decision"))
		ent_buf_str(out, ": decided");
	else if (type == ENT_ENTRY_PREPARE)
		ent_buf_printf(out, ": %lld rows of %lld, %s", (long long)json_integer_value(json_object_get(body, "rows_out")),
			       (long long)json_integer_value(json_object_get(body, "rows_in")), text_of(body, "outcome"));
	else if (!json_object_get(body, "rows"))
		ent_buf_printf(out, ": %s", text_of(body, "outcome"));
	else
		ent_buf_printf(out, ": %lld rows, %s", (long long)json_integer_value(json_object_get(body, "rows")), text_of(body, "outcome"));
}

static void put_text(const struct ent_entry *e, struct ent_buf *out)
{
	const json_t *body = e->dsse.body;
	char id[17];
	ent_hex(id, e->dsse.payload_hash, 8);
	if (e->type == ENT_ENTRY_MEMBER || e->type == ENT_ENTRY_KEY)
		put_member(body, out);
	else if (e->type == ENT_ENTRY_NOTE)
		ent_buf_str(out, text_of(body, "text"));
	else if (e->type == ENT_ENTRY_REGISTER)
		ent_buf_printf(out, "%s%s", text_of(body, "table"), json_is_true(json_object_get(body, "removed")) ? ", removed" : "");
	else if (e->type == ENT_ENTRY_GRANT)
		ent_buf_str(out, text_of(body, "text"));
	else if (e->type == ENT_ENTRY_REVOKE)
		ent_buf_printf(out, "REVOKE %lld;", (long long)json_integer_value(json_object_get(body, "revokes")));
	else if (e->type == ENT_ENTRY_REQUEST)
		ent_buf_printf(out, "job %s by %s", id, e->actor);
	else if (e->type == ENT_ENTRY_ALARM)
		ent_buf_printf(out, "%s %s", text_of(body, "alarm"), text_of(body, "subject"));
	else if (e->type == ENT_ENTRY_CROSSREF)
		ent_buf_printf(out, "%s", text_of(body, "org"));
	else if (e->type == ENT_ENTRY_REPLICATE)
		ent_buf_printf(out, "%s: %lld rows in %lld transactions from %s to %s", text_of(body, "stream"),
			       (long long)json_integer_value(json_object_get(body, "rows")),
			       (long long)json_integer_value(json_object_get(body, "transactions")), text_of(body, "source"),
			       text_of(body, "target"));
	else if (e->type == ENT_ENTRY_COPY || e->type == ENT_ENTRY_COMPARE || e->type == ENT_ENTRY_PREPARE)
		put_move(e->type, body, out);
	else if (e->type == ENT_ENTRY_BLOCK)
		ent_buf_printf(out, "block %lld", (long long)json_integer_value(json_object_get(body, "number")));
	else
		put_job(e->type, body, out);
}

static json_t *entry_json(uint64_t index, const struct ent_entry *e)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_DSSE_BYTES_MAX);
	char time[ENT_TIME_LEN + 1] = "";
	put_text(e, &text);
	if (e->type != ENT_ENTRY_RUN) /* signed by all, so it carries nobody's clock */
		ent_time_format(e->time_ms, time);
	return json_pack("{s:I,s:s,s:s,s:s,s:s}", "index", (json_int_t)index, "type", ent_entry_name(e->type), "time", time, "org", e->actor, "text",
			 ent_buf_text(&text));
}

static int list_each(void *arg, uint64_t index, const struct ent_entry *e)
{
	json_array_append_new(arg, entry_json(index, e));
	return 0;
}

static int64_t arg_int(const json_t *args, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(args, key);
	return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) : otherwise;
}

void ent_verb_ledger_list(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO list = json_array();
	uint64_t size = ent_ledger_size(n->ledger), count = (uint64_t)arg_int(args, "count", LIST_DEFAULT);
	uint64_t from = (uint64_t)arg_int(args, "from", size > count ? (int64_t)(size - count) : 0);
	from = from < size ? from : size;
	uint64_t to = count < size - from ? from + count : size;
	if (ent_ledger_each(n->ledger, from, to, list_each, list, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_reply_ok(reply, json_pack("{s:O,s:I}", "entries", list, "size", (json_int_t)size));
}

/* ---- blocks ---- */

struct block_list {
	struct ent_node *n;
	json_t *list;
	uint64_t from, to;
};

static int data_each(void *arg, uint64_t index, const struct ent_entry *e)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_DSSE_BYTES_MAX);
	(void)index;
	if (e->type == ENT_ENTRY_BLOCK)
		return 0;
	ent_buf_printf(&text, "%s ", ent_entry_name(e->type));
	put_text(e, &text);
	json_array_append_new(arg, json_string(ent_buf_text(&text)));
	return 0;
}

static int block_each(void *arg, const struct ent_block *b)
{
	struct block_list *l = arg;
	char prev[65], hash[65], time[ENT_TIME_LEN + 1];
	if (b->number < l->from || b->number >= l->to)
		return 0;
	json_t *data = json_array();
	(void)ent_ledger_each(l->n->ledger, b->first, b->end, data_each, data, NULL);
	ent_hex(prev, b->prev, sizeof b->prev);
	ent_hex(hash, b->hash, sizeof b->hash);
	ent_time_format(b->time_ms, time);
	json_array_append_new(l->list,
			      json_pack("{s:I,s:s,s:s,s:I,s:I,s:o,s:s,s:b}", "index", (json_int_t)b->number, "previous", prev, "time", time, "first",
					(json_int_t)b->first, "end", (json_int_t)b->end, "data", data, "hash", hash, "open", b->open));
	return 0;
}

static int audit(struct ent_node *n, struct ent_audit *ret, struct ent_err *err)
{
	int r = ent_audit_run(n->env.fs, "ledger", ret, err);
	if (r == ENT_EVERIFY && !err->next[0])
		ent_next(err, "damaged: %s; restore from a backup: `entente restore FILE`", ret->damaged);
	return r;
}

void ent_verb_ledger_blocks(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO list = json_array();
	struct ent_audit report = { 0 };
	int64_t from = arg_int(args, "from", 0);
	struct block_list l = { n, list, (uint64_t)from, (uint64_t)from + (uint64_t)arg_int(args, "count", LIST_DEFAULT) };
	bool verify = json_is_true(json_object_get(args, "verify"));
	if ((verify && audit(n, &report, &err)) || ent_ledger_blocks(n->ledger, block_each, &l, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_reply_ok(reply, json_pack("{s:O,s:b,s:I,s:I}", "blocks", list, "verified", verify, "entries", (json_int_t)report.entries, "signatures",
				      (json_int_t)report.signatures));
}

void ent_verb_ledger_verify(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_audit report = { 0 };
	(void)args;
	if (audit(n, &report, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_reply_ok(reply, json_pack("{s:I,s:I,s:I,s:I}", "entries", (json_int_t)report.entries, "blocks", (json_int_t)report.blocks, "signatures",
				      (json_int_t)report.signatures, "size", (json_int_t)report.last.size));
}

/* ---- one entry ---- */

static bool arg_index(struct ent_node *n, const json_t *args, uint64_t *ret, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	int64_t index;
	if (ent_json_int(args, "index", 0, INT64_MAX, &index, &err)) {
		err.code = ENT_EUSAGE;
		ent_reply_err(reply, &err);
		return false;
	}
	*ret = (uint64_t)index;
	if (*ret < ent_ledger_size(n->ledger))
		return true;
	ent_fail(&err, ENT_ENOTFOUND, "entry %lld does not exist", (long long)index);
	ent_next(&err, "the ledger has entries 0 to %llu", (unsigned long long)ent_ledger_size(n->ledger) - 1);
	ent_reply_err(reply, &err);
	return false;
}

static int show(struct ent_node *n, uint64_t index, json_t **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_DSSE_BYTES_MAX);
	struct ent_entry e;
	ENT_TRY(ent_ledger_entry(n->ledger, index, &envelope, err));
	ENT_TRY(ent_entry_open(ent_buf_bytes(&envelope), &e, err));
	json_t *sigs = json_array();
	for (size_t i = 0; i < e.dsse.sig_count; i++) {
		char id[65];
		ent_hex(id, e.dsse.sigs[i].keyid, ENT_HASH_BYTES);
		json_array_append_new(sigs, json_string(id));
	}
	*ret = json_pack("{s:I,s:O,s:o,s:s}", "index", (json_int_t)index, "payload", e.dsse.body, "signatures", sigs, "envelope",
			 ent_buf_text(&envelope));
	ent_entry_deinit(&e);
	return *ret ? 0 : ent_nomem(err);
}

void ent_verb_ledger_show(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	uint64_t index;
	json_t *answer = NULL;
	if (!arg_index(n, args, &index, reply))
		return;
	if (show(n, index, &answer, &err))
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, answer);
}

void ent_verb_ledger_prove(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf proof = ENT_BUF(ENT_TLOG_PROOF_MAX);
	ENT_JSON_AUTO answer = json_object();
	uint64_t index;
	if (!arg_index(n, args, &index, reply))
		return;
	if (ent_ledger_size(n->ledger) > ent_ledger_signed(n->ledger)->size)
		ent_duty_publish(n);
	if (ent_ledger_prove(n->ledger, index, &proof, &err))
		ent_reply_err(reply, &err);
	else
		reply->done(reply, answer, ent_buf_bytes(&proof), NULL);
}

static int block_number(void *arg, uint64_t index, const struct ent_entry *e)
{
	(void)index;
	if (e->type == ENT_ENTRY_BLOCK)
		*(json_int_t *)arg = json_integer_value(json_object_get(e->dsse.body, "number"));
	return 0;
}

/* The block an entry stands in: the last block entry before it. */
static json_int_t block_of(struct ent_node *n, uint64_t at)
{
	json_int_t number = -1;
	for (uint64_t from = at; number < 0 && from-- > 0;)
		if (ent_ledger_each(n->ledger, from, from + 1, block_number, &number, NULL))
			break;
	return number;
}

void ent_verb_ledger_note(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *text;
	uint64_t at = 0;
	if (!ent_arg_text(args, "text", true, &text, reply))
		return;
	ENT_JSON_AUTO fields = json_pack("{s:s}", "text", text);
	int r = ent_node_append(n, ENT_ENTRY_NOTE, fields, &at, &err);
	if (r) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_duty_publish(n);
	ent_reply_ok(reply, json_pack("{s:I,s:I,s:o}", "index", (json_int_t)at, "block", block_of(n, at), "id",
				      json_sprintf("%s/%llu", n->card.org, (unsigned long long)at)));
}
