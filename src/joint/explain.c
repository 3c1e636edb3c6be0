/* The plan as people and as parties read it: canonical JSON (hashed), and the operators with place, openings and cost. */
#include <math.h>
#include <stdio.h>

#include "joint/internal.h"

static int set(json_t *obj, const char *key, json_t *value, struct ent_err *err) { return json_object_set_new(obj, key, value) ? ent_nomem(err) : 0; }

static const char *const enc_names[] = { "int", "real", "fixed", "hash", "code" };

static int leaf_json(const struct ent_leaf *l, json_t **ret, struct ent_err *err)
{
	json_t *o = json_pack("{s:s, s:I, s:b, s:I, s:I, s:I}", "as", enc_names[l->enc.kind], "bits", (json_int_t)l->enc.bits, "nullable",
			      (int)l->nullable, "relation", (json_int_t)l->rel, "fraction", (json_int_t)l->enc.fraction, "label_rows",
			      (json_int_t)l->label_rows);
	*ret = o;
	return o ? 0 : ent_nomem(err);
}

static int source_json(const struct ent_jsource *s, json_t **ret, struct ent_err *err)
{
	char facts[65];
	ent_hex(facts, s->table->facts_sha256, sizeof s->table->facts_sha256);
	*ret = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:s}", "org", s->table->org, "table", s->table->name, "rows", (json_int_t)s->rows, "party",
			 (json_int_t)s->party, "relation", (json_int_t)s->rel, "counts", (int)s->counts, "facts", facts);
	return *ret ? 0 : ent_nomem(err);
}

static int join_json(const struct ent_jjoin *j, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO keys = json_array();
	for (size_t i = 0; keys && i < j->n_keys; i++)
		if (json_array_append_new(
			    keys, json_pack("[I,I,I]", (json_int_t)j->keys[i].left, (json_int_t)j->keys[i].right, (json_int_t)j->keys[i].bits)))
			return ent_nomem(err);
	*ret = json_pack("{s:I, s:b, s:s, s:O}", "relation", (json_int_t)j->rel, "left", (int)j->left, "one", j->frame_is_one ? "left" : "right",
			 "keys", keys);
	return *ret ? 0 : ent_nomem(err);
}

static int limits_json(const struct ent_joint_plan *p, json_t *to, struct ent_err *err)
{
	for (size_t i = 0; i < p->n_rels; i++) {
		const struct ent_jrel *r = &p->rels[i];
		json_t *o = json_pack("{s:b, s:I, s:b}", "protected", (int)r->is_protected, "k", (json_int_t)r->k, "sorted", (int)r->wants_id);
		if (!o || json_array_append_new(to, o))
			return ent_nomem(err);
	}
	return 0;
}

static int lists_json(const struct ent_joint_plan *p, json_t *o, struct ent_err *err)
{
	json_t *leaves = json_array(), *sources = json_array(), *joins = json_array(), *rels = json_array(), *item = NULL;
	ENT_TRY(set(o, "leaves", leaves, err));
	ENT_TRY(set(o, "sources", sources, err));
	ENT_TRY(set(o, "joins", joins, err));
	ENT_TRY(set(o, "relations", rels, err));
	for (size_t i = 0; i < p->n_leaves; i++) {
		ENT_TRY(leaf_json(&p->leaves[i], &item, err));
		json_array_append_new(leaves, item);
	}
	for (size_t i = 0; i < p->n_sources; i++) {
		ENT_TRY(source_json(&p->sources[i], &item, err));
		json_array_append_new(sources, item);
	}
	for (size_t i = 0; i < p->n_joins; i++) {
		ENT_TRY(join_json(&p->joins[i], &item, err));
		json_array_append_new(joins, item);
	}
	return limits_json(p, rels, err);
}

int ent_joint_plan_json(const struct ent_joint_plan *plan, json_t **ret, struct ent_err *err)
{
	json_t *query, *trio = json_array();
	ENT_JSON_AUTO o = json_object();
	if (!o)
		return ent_nomem(err);
	ENT_TRY(set(o, "trio", trio, err));
	for (int i = 0; i < 3; i++)
		json_array_append_new(trio, plan->in.trio[i] && !plan->one_owner ? json_string(plan->in.trio[i]) : json_null());
	ENT_TRY(ent_query_json(plan->query, &query, err));
	ENT_TRY(set(o, "query", query, err));
	ENT_TRY(set(o, "version", json_integer(ENT_JOINT_PLAN_VERSION), err));
	ENT_TRY(set(o, "requester", json_string(plan->in.requester), err));
	ENT_TRY(set(o, "pushdown", json_boolean(plan->in.pushdown), err));
	ENT_TRY(set(o, "leak", json_string("none"), err));
	ENT_TRY(set(o, "rtt_us", json_integer(plan->in.rtt_us), err));
	ENT_TRY(set(o, "bandwidth_bytes", json_integer((json_int_t)plan->in.bandwidth_bytes), err));
	ENT_TRY(set(o, "kind", json_string(plan->one_owner ? "one-owner" : "joint"), err));
	ENT_TRY(lists_json(plan, o, err));
	*ret = json_incref(o);
	return 0;
}

static void put_bytes(struct ent_buf *b, int width, double bytes)
{
	if (bytes >= 1e6)
		ent_buf_printf(b, "%*.1f MB", width, bytes / 1e6);
	else
		ent_buf_printf(b, "%*.1f kB", width, bytes / 1e3);
}

static void explain_notes(const struct ent_joint_plan *p, struct ent_buf *b)
{
	bool hashed = false;
	for (size_t i = 0; i < p->n_leaves; i++)
		hashed = hashed || p->leaves[i].enc.kind == ENT_ENC_HASH;
	if (hashed)
		ent_buf_printf(b, "  note: keys compared by 64-bit SipHash; chance of a wrong match at most %.1e\n",
			       (double)p->rows * (double)p->rows / 0x1p65);
	for (size_t i = 0; i < p->n_aggs; i++)
		if (p->aggs[i].enc.kind == ENT_ENC_FIXED && p->aggs[i].expr->agg != ENT_AGG_MIN && p->aggs[i].expr->agg != ENT_AGG_MAX)
			ent_buf_printf(b, "  note: %s runs in fixed point, error at most %.1e per row\n", ent_agg_text(p->aggs[i].expr->agg),
				       ldexp(0.5, -(int)p->aggs[i].enc.fraction));
}

#define OPERATOR_WIDTH 40 /* so that a line fits an 80-column terminal */

/* How much of text stands on one line of that column: whole words, or all when there is no blank to break at. */
static size_t line_len(const char *text)
{
	size_t len = strlen(text), cut = OPERATOR_WIDTH;
	if (len <= OPERATOR_WIDTH)
		return len;
	while (cut && text[cut] != ' ')
		cut--;
	return cut ? cut : len;
}

static void explain_step(const struct ent_step *s, struct ent_buf *b)
{
	const char *text = s->text;
	size_t len = line_len(text);
	ent_buf_printf(b, "%-10s %-*.*s %8zu %6llu ", s->place, OPERATOR_WIDTH, (int)len, text, s->rows, (unsigned long long)s->rounds);
	put_bytes(b, 6, s->bytes);
	for (text += len; *text; text += len) {
		text++;
		len = line_len(text);
		ent_buf_printf(b, "\n%11s%.*s", "", (int)len, text);
	}
	ent_buf_printf(b, "%s%s\n", s->opens ? "\n           opens: " : "", s->opens ? s->opens : "");
}

int ent_joint_explain(const struct ent_joint_plan *plan, struct ent_buf *text, struct ent_err *err)
{
	if (plan->one_owner) {
		ent_buf_printf(text, "runs wholly at %s as SQL; minimum groups are applied there; leak none; nothing is shared\n", plan->one_owner);
		return ent_buf_check(text, err);
	}
	ent_buf_printf(text, "%-10s %-*s %8s %6s %9s\n", "place", OPERATOR_WIDTH, "operator", "rows", "rounds", "sent");
	for (size_t i = 0; i < plan->n_steps; i++)
		explain_step(&plan->steps[i], text);
	ent_buf_printf(text, "compute parties %s, %s, %s; leak none\n%llu rounds (+- %.0f), ", plan->in.trio[0], plan->in.trio[1], plan->in.trio[2],
		       (unsigned long long)plan->cost.rounds, 4 * plan->cost.rounds_sd);
	put_bytes(text, 0, plan->cost.bytes_mean);
	ent_buf_str(text, " per party (+- ");
	put_bytes(text, 0, 4 * plan->cost.bytes_sd);
	ent_buf_str(text, ")\nfixed openings: number of released groups; sum and count behind each AVG;\n  one bit per guard comparison\n");
	explain_notes(plan, text);
	return ent_buf_check(text, err);
}

int ent_joint_explain_json(const struct ent_joint_plan *plan, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO steps = json_array();
	for (size_t i = 0; steps && i < plan->n_steps; i++) {
		const struct ent_step *s = &plan->steps[i];
		json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s*}", "place", s->place, "operator", s->text, "rows", (json_int_t)s->rows,
				      "rounds", (json_int_t)s->rounds, "bytes_mean", (json_int_t)s->bytes, "bytes_4sd",
				      (json_int_t)(4 * sqrt(s->bytes_var)), "opens", s->opens);
		if (!o || json_array_append_new(steps, o))
			return ent_nomem(err);
	}
	*ret = json_pack("{s:s, s:O, s:I, s:I, s:I, s:I, s:s}", "kind", plan->one_owner ? "one-owner" : "joint", "steps", steps, "rounds",
			 (json_int_t)plan->cost.rounds, "rounds_4sd", (json_int_t)(4 * plan->cost.rounds_sd), "bytes_mean",
			 (json_int_t)plan->cost.bytes_mean, "bytes_4sd", (json_int_t)(4 * plan->cost.bytes_sd), "leak", "none");
	return *ret ? 0 : ent_nomem(err);
}
