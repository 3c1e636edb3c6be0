/* The differencing guard in the clear, at the only owner: the comparisons of guard.c with numbers that the owner keeps of its earlier answers.
 * A record is canonical JSON; labels stand in it as hashes, for the owner alone. */
#include "crypto/hash.h"
#include "joint/guard_record.h"
#include "joint/one_rules.h"

#define VERSION 2
#define RECORD_MAX ((size_t)1 << 30)

struct clear { /* a record: this job's or an earlier one's */
	const char *job;
	json_t *json, *groups, *totals; /* groups: label -> counts; both count as `counts` says: [selection, derived] */
	json_t *counts;
	bool grouped, dropped;
};

static void clear_deinit(struct clear *c) { json_decref(c->json); }

/* ---- of this job ---- */

static void put_cell(struct ent_buf *b, const struct ent_cell *c)
{
	uint64_t real;
	memcpy(&real, &c->real, sizeof real);
	ent_buf_u8(b, c->null);
	ent_buf_be64(b, c->null ? 0 : (uint64_t)(c->wide >> 64));
	ent_buf_be64(b, c->null ? 0 : (uint64_t)c->wide);
	ent_buf_be64(b, c->null ? 0 : real);
	ent_buf_be64(b, c->null ? 0 : c->text.len);
	if (!c->null)
		ent_buf_put(b, c->text.data, c->text.len);
}

/* Keys in the decision's order: equal labels of two jobs have equal names. */
static int label_name(const struct ent_one *o, const struct ent_one_group *g, char ret[65], struct ent_err *err)
{
	const struct ent_query *q = o->p->query;
	const uint32_t *order = o->p->in.decision->selections[0].group_order;
	uint8_t digest[ENT_SHA256_LEN];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF((size_t)1 << 24);
	for (size_t k = 0; k < q->n_group; k++)
		for (size_t i = 0; i < o->p->n_labels; i++)
			if (ent_expr_eq(o->p->labels[i].expr, q->group[order[k]]))
				put_cell(&b, &o->order[g->first][i]);
	ENT_TRY(ent_buf_check(&b, err));
	ent_sha256(b.data, b.len, digest);
	ent_hex(ret, digest, sizeof digest);
	return 0;
}

static json_t *counts_of(const struct ent_one *o, const struct ent_one_group *g)
{
	json_t *list = json_array();
	for (size_t i = 0; i < o->p->n_seen; i++)
		json_array_append_new(list, json_integer((json_int_t)ent_one_count(o, g, (int)o->p->seen[i].rel, o->p->seen[i].cond, false)));
	return list;
}

static int make_clear(const struct ent_one *o, struct clear *ret, struct ent_err *err)
{
	const struct ent_one_group all = { .end = o->in->rows };
	json_t *groups = json_object(), *counts = json_array();
	ret->grouped = o->p->query->n_group > 0;
	for (size_t i = 0; i < o->p->n_seen; i++)
		json_array_append_new(counts, json_pack("[I,b]", (json_int_t)o->p->seen[i].selection, (int)o->p->seen[i].derived));
	for (size_t i = 0; i < o->n_groups; i++) {
		const struct ent_one_group *g = &o->groups[i];
		char name[65] = "";
		ret->dropped = ret->dropped || !g->keep;
		for (size_t c = 0; c < ENT_CONDS_MAX; c++)
			ret->dropped = ret->dropped || g->hide[c];
		if (!g->keep)
			continue;
		if (ret->grouped)
			ENT_TRY(label_name(o, g, name, err));
		json_object_set_new(groups, name, counts_of(o, g));
	}
	ret->json = json_pack("{s:i, s:b, s:b, s:o, s:o, s:o}", "version", VERSION, "grouped", (int)ret->grouped, "dropped", (int)ret->dropped,
			      "groups", groups, "totals", counts_of(o, &all), "counts", counts);
	ret->groups = groups;
	ret->totals = json_object_get(ret->json, "totals");
	ret->counts = counts;
	return ret->json ? 0 : ent_nomem(err);
}

static int get_clear(const struct ent_joint_guard_blob *blob, struct clear *ret, struct ent_err *err)
{
	int64_t version;
	ret->job = blob->job;
	ENT_TRY(ent_json_parse_canonical(blob->shares, RECORD_MAX, &ret->json, err));
	ENT_TRY(ent_json_int(ret->json, "version", VERSION, VERSION, &version, err));
	ENT_TRY(ent_json_bool(ret->json, "grouped", &ret->grouped, err));
	ENT_TRY(ent_json_bool(ret->json, "dropped", &ret->dropped, err));
	ENT_TRY(ent_json_object(ret->json, "groups", &ret->groups, err));
	ENT_TRY(ent_json_array(ret->json, "totals", &ret->totals, err));
	return ent_json_array(ret->json, "counts", &ret->counts, err);
}

static int put_clear(const struct ent_one *o, struct ent_err *err)
{
	ENT_CLEANUP(clear_deinit) struct clear mine = { 0 };
	struct ent_joint_result *res = o->r->result;
	ENT_TRY(make_clear(o, &mine, err));
	if (!json_object_size(mine.groups))
		return 0;
	ent_buf_init(&res->guard_public, 64);
	ent_buf_init(&res->guard_shares, RECORD_MAX);
	ent_buf_str(&res->guard_public, "{}");
	return ent_json_canonical(mine.json, &res->guard_shares, err);
}

/* ---- comparing ---- */

static int refuse(const char *job, const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDENIED, "the answer would differ too little from that of job %s", job);
	ent_why(err, "%s", why);
	return ent_next(err, "ask for a selection that differs by more rows, or the same selection as before");
}

static bool is_count(const struct clear *c, size_t i, uint32_t selection)
{
	const json_t *pair = json_array_get(c->counts, i);
	return json_integer_value(json_array_get(pair, 0)) == selection;
}

static bool is_derived(const struct clear *c, size_t i) { return json_is_true(json_array_get(json_array_get(c->counts, i), 1)); }

static bool close_numbers(const json_t *a, size_t i, const json_t *b, size_t j, uint32_t k)
{
	json_int_t x = json_integer_value(json_array_get(a, i)), y = json_integer_value(json_array_get(b, j));
	return (x > y ? x - y : y - x) < (json_int_t)k;
}

/* Does any count of the rule's selection in mine come close to one of its other in theirs? *ret_any: there was something to compare. */
static bool near(const struct ent_decision_guard *rule, const struct clear *mine, const json_t *a, const struct clear *theirs, const json_t *b,
		 bool *ret_any)
{
	bool found = false;
	for (size_t i = 0; i < json_array_size(mine->counts); i++)
		for (size_t j = 0; j < json_array_size(theirs->counts); j++) {
			if (!is_count(mine, i, rule->selection) || !is_count(theirs, j, rule->other) || is_derived(mine, i) != is_derived(theirs, j))
				continue;
			*ret_any = true;
			found = found || close_numbers(a, i, b, j, is_derived(mine, i) ? 1 : rule->k);
		}
	return found;
}

static int drop_cell(struct ent_one *o, const struct ent_decision_guard *rule, struct ent_one_group *g)
{
	if (!o->p->in.decision->selections[rule->selection].filter) {
		g->keep = false;
		return 0;
	}
	for (size_t i = 0; i < o->p->n_seen; i++)
		if (o->p->seen[i].selection == rule->selection)
			g->hide[o->p->seen[i].cond] = true;
	return 0;
}

static int compare_cells(struct ent_one *o, const struct ent_decision_guard *rule, const struct clear *mine, const struct clear *theirs,
			 struct ent_err *err)
{
	bool any;
	for (size_t i = 0; i < o->n_groups; i++) {
		char name[65] = "";
		if (!o->groups[i].keep)
			continue;
		if (mine->grouped)
			ENT_TRY(label_name(o, &o->groups[i], name, err));
		const json_t *a = json_object_get(mine->groups, name), *b = json_object_get(theirs->groups, name);
		if (a && b && near(rule, mine, a, theirs, b, &any))
			ENT_TRY(drop_cell(o, rule, &o->groups[i]));
	}
	return 0;
}

static int compare(struct ent_one *o, const struct ent_decision_guard *rule, const struct clear *mine, const struct clear *theirs,
		   struct ent_err *err)
{
	bool any = false;
	switch (rule->kind) {
	case ENT_GUARD_DROPPED:
		if (!mine->grouped || !theirs->grouped || (!mine->dropped && !theirs->dropped))
			return 0;
		return refuse(theirs->job, "the same rows under another GROUP BY, and one of the two hides small groups", err);
	case ENT_GUARD_TOTAL:
		if (near(rule, mine, mine->totals, theirs, theirs->totals, &any))
			return refuse(theirs->job, "fewer rows than the minimum group lie between the two selections", err);
		return any ? 0 : refuse(theirs->job, "what the earlier answer left does not count the rows of the same tables", err);
	case ENT_GUARD_CELLS:
		return compare_cells(o, rule, mine, theirs, err);
	case ENT_GUARD_NEVER:
		break;
	}
	return ent_fail(err, ENT_EINTERNAL, "the decision refuses this question");
}

static int compare_earlier(struct ent_one *o, const struct ent_decision_guard *rule, const struct clear *mine, struct ent_err *err)
{
	const struct ent_joint_env *env = o->r->env;
	for (size_t i = 0; i < env->n_guard; i++) {
		ENT_CLEANUP(clear_deinit) struct clear theirs = { 0 };
		if (strcmp(env->guard[i].job, rule->job) != 0)
			continue;
		ENT_TRY(get_clear(&env->guard[i], &theirs, err));
		return compare(o, rule, mine, &theirs, err);
	}
	return 0; /* it released nothing */
}

int ent_one_guard(struct ent_one *o, struct ent_err *err)
{
	const struct ent_decision *d = o->p->in.decision;
	ENT_CLEANUP(clear_deinit) struct clear mine = { 0 };
	if (!o->p->n_seen)
		return 0;
	ENT_TRY(make_clear(o, &mine, err));
#ifndef ENT_MUTANT_GUARD_SKIPPED
	for (size_t i = 0; i < d->n_guards; i++) {
		const struct ent_decision_guard *rule = &d->guards[i];
		if (rule->other_trio)
			continue; /* approved instead */
		ENT_TRY(rule->job ? compare_earlier(o, rule, &mine, err) : compare(o, rule, &mine, &mine, err));
	}
#endif
	return put_clear(o, err);
}
