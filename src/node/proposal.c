/* A proposal carries every planner input, so that plan and decision are pure functions of it. */
#include "node/job.h"

#define TABLES_MAX 64

struct names {
	const char *at[TABLES_MAX];
	size_t n;
};

static bool has(const struct names *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->at[i], name))
			return true;
	return false;
}

/* Sorted, each once. */
static void name_add(struct names *s, const char *name)
{
	size_t i = s->n;
	if (s->n == TABLES_MAX || has(s, name))
		return;
	for (; i && strcmp(s->at[i - 1], name) > 0; i--)
		s->at[i] = s->at[i - 1];
	s->at[i] = name;
	s->n++;
}

struct used_tables {
	const struct ent_table *at[TABLES_MAX];
	size_t n;
	bool overflow;
};

static void collect(const struct ent_query *q, struct used_tables *ret)
{
	for (size_t i = 0; i < q->n_rels; i++) {
		const struct ent_rel *rel = &q->rels[i];
		for (size_t b = 0; b < rel->n_branches; b++)
			collect(rel->branches[b], ret);
		bool known = rel->kind != ENT_REL_TABLE;
		for (size_t k = 0; k < ret->n; k++)
			known = known || ret->at[k] == rel->table;
		if (known)
			continue;
		if (ret->n == TABLES_MAX)
			ret->overflow = true;
		else
			ret->at[ret->n++] = rel->table;
	}
}

const char *ent_proposal_text(const struct ent_job *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j->proposal, key));
	return s ? s : "";
}

/* ---- making ---- */

static int not_enough(struct ent_err *err)
{
	ent_fail(err, ENT_EDENIED, "a joint question needs three organisations, and fewer are members here");
	ent_why(err, "three parties compute on shares so that none of them sees rows");
	return ent_next(
		err,
		"ask any organisation to run `entente init --compute-only` (it owns no tables, sees only shares, witnesses), then trust its card");
}

static bool usable(struct ent_node *n, const char *org)
{
	const struct ent_member *m = ent_member_find(n, org);
	return !strcmp(org, n->card.org) || (m && m->up);
}

/* Requester and owners first, then members that are up, then any. In order of their names: the same three parties have the same places in
 * every job, so that shares kept from one can be compared in the next. */
static int choose_trio(struct ent_node *n, const struct names *owners, json_t *trio, struct ent_err *err)
{
	struct names chosen = { 0 };
	name_add(&chosen, n->card.org);
	for (size_t i = 0; i < owners->n && chosen.n < 3; i++)
		name_add(&chosen, owners->at[i]);
	for (int want_up = 1; want_up >= 0; want_up--)
		for (size_t i = 0; i < n->n_members && chosen.n < 3; i++)
			if (n->members[i].up == (bool)want_up)
				name_add(&chosen, n->members[i].card.org);
	for (size_t i = 0; i < chosen.n; i++)
		json_array_append_new(trio, json_string(chosen.at[i]));
	return chosen.n == 3 ? 0 : not_enough(err);
}

static int choose_parties(struct ent_node *n, const struct names *owners, bool explain_only, json_t *ret, struct ent_err *err)
{
	struct names all = { 0 };
	json_t *trio = json_array(), *list = json_array(), *item;
	size_t i;
	json_object_set_new(ret, "trio", trio);
	json_object_set_new(ret, "participants", list);
	if (owners->n > 1)
		ENT_TRY(choose_trio(n, owners, trio, err));
	name_add(&all, n->card.org);
	for (i = 0; i < owners->n; i++)
		name_add(&all, owners->at[i]);
	json_array_foreach(trio, i, item) name_add(&all, json_string_value(item));
	for (i = 0; i < all.n; i++) {
		if (!explain_only && !usable(n, all.at[i])) {
			ent_fail(err, ENT_EPEER, "no link to %s, which takes part in this question", all.at[i]);
			return ent_next(err, "is its node running? entente status shows who is up");
		}
		json_array_append_new(list, json_string(all.at[i]));
	}
	return 0;
}

/* The smallest size that holds every fact of org we know: others that hold these facts need to learn nothing more. */
static int needed_size(struct ent_node *n, const char *org, int64_t *ret, struct ent_err *err)
{
	ENT_ST st = { 0 };
	ENT_TRY(ent_db_query(n->db, &st, err, "SELECT COALESCE(MAX(at) + 1, 0) FROM fact WHERE org = ?", "s", org));
	int r = ent_st_next(&st, err);
	*ret = r > 0 ? ent_st_int(&st, 0) : 0;
	return r < 0 ? -r : 0;
}

static int put_owner(struct ent_node *n, const char *org, json_t *sizes, json_t *used, struct ent_err *err)
{
	json_t *uses = NULL;
	int64_t size = 0;
	ENT_TRY(needed_size(n, org, &size, err));
	ENT_TRY(ent_uses_json(n, org, &uses, err));
	json_object_set_new(used, org, uses);
	return json_object_set_new(sizes, org, json_integer(size)) ? ent_nomem(err) : 0;
}

static int put_tables(struct ent_node *n, const struct used_tables *used, json_t *tables, json_t *commitments, struct ent_err *err)
{
	for (size_t i = 0; i < used->n; i++) {
		const struct ent_table *t = used->at[i];
		ENT_JSON_AUTO source = NULL;
		char name[128], hex[65];
		snprintf(name, sizeof name, "%s.%s", t->org, t->name);
		ent_hex(hex, t->facts_sha256, 32);
		json_object_set_new(tables, name, json_string(hex));
		if (strcmp(t->org, n->card.org) != 0)
			continue;
		ENT_TRY(ent_source_read(n, t->name, &source, err));
		json_object_set(commitments, t->name, json_object_get(source, "commitment"));
	}
	return 0;
}

static const char *text_at(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));
	return s ? s : "";
}

static bool speaks_of(const json_t *selections, const struct used_tables *used)
{
	size_t i;
	json_t *s;
	json_array_foreach(selections, i, s) for (size_t k = 0; k < used->n; k++) if (!strcmp(text_at(s, "org"), used->at[k]->org) &&
										      !strcmp(text_at(s, "table"), used->at[k]->name)) return true;
	return false;
}

static bool lists(const json_t *list, const char *name);

/* Must it be named? shown: it is done, or we sent our output; kept: its record is here; ran: our `run` or `ready` stands. The requester names
 * whatever ran. A compute party that kept its record cannot know whether the others sent theirs (guards.c), an owner that did not compute knows
 * nothing, so it asks for all that ran. */
static bool counts(const struct ent_node *n, const char *requester, const json_t *info, bool shown, bool kept, bool ran)
{
	const json_t *trio = json_object_get(info, "trio");
	if (shown || (kept && json_array_size(trio)))
		return true;
	if (!ran)
		return false;
	return !strcmp(requester, n->card.org) || (json_array_size(trio) && !lists(trio, n->card.org));
}

/* Jobs of that requester which may have shown anything of one of these tables, oldest first: {id, trio, selections}. */
static int history_of(struct ent_node *n, const char *requester, const struct used_tables *used, json_t *list, struct ent_err *err)
{
	ENT_ST st = { 0 };
	int r;
	ENT_TRY(ent_db_query(n->db, &st, err,
			     "SELECT id, info, state = 'done' OR EXISTS(SELECT 1 FROM job_entry e WHERE e.job = j.id AND e.type = 'output'), "
			     "EXISTS(SELECT 1 FROM guard g WHERE g.job = j.id AND g.name = 'shares'), "
			     "EXISTS(SELECT 1 FROM job_entry e WHERE e.job = j.id AND e.type = 'run') OR "
			     "EXISTS(SELECT 1 FROM guard g WHERE g.job = j.id AND g.name = 'ready') "
			     "FROM job j WHERE requester = ? AND state IN ('done', 'aborted') ORDER BY time, id",
			     "s", requester));
	while ((r = ent_st_next(&st, err)) > 0) {
		ENT_JSON_AUTO info = NULL;
		ENT_TRY(ent_json_parse(ent_bytes_str(ent_st_text(&st, 1)), 16 << 20, &info, err));
		if (counts(n, requester, info, ent_st_int(&st, 2), ent_st_int(&st, 3), ent_st_int(&st, 4)) &&
		    speaks_of(json_object_get(info, "selections"), used))
			json_array_append_new(list, json_pack("{s:s,s:O,s:O}", "id", ent_st_text(&st, 0), "trio", json_object_get(info, "trio"),
							      "selections", json_object_get(info, "selections")));
	}
	return r < 0 ? -r : 0;
}

static int fill(struct ent_node *n, const struct used_tables *used, bool explain_only, json_t *p, struct ent_err *err)
{
	struct names owners = { 0 };
	json_t *sizes = json_object(), *uses = json_object(), *tables = json_object(), *commitments = json_object(), *history = json_array();
	json_object_set_new(p, "sizes", sizes);
	json_object_set_new(p, "used", uses);
	json_object_set_new(p, "tables", tables);
	json_object_set_new(p, "commitments", commitments);
	json_object_set_new(p, "history", history);
	for (size_t i = 0; i < used->n; i++)
		name_add(&owners, used->at[i]->org);
	ENT_TRY(choose_parties(n, &owners, explain_only, p, err));
	for (size_t i = 0; i < owners.n; i++)
		ENT_TRY(put_owner(n, owners.at[i], sizes, uses, err));
	ENT_TRY(put_tables(n, used, tables, commitments, err));
	return history_of(n, n->card.org, used, history, err);
}

int ent_proposal_make(struct ent_node *n, const struct ent_asked *asked, bool explain_only, json_t **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(ENT_JOB_ARENA_MAX);
	struct ent_catalogue cat;
	struct ent_query *q = NULL;
	struct used_tables used = { 0 };
	if (!arena)
		return ent_nomem(err);
	ENT_TRY(ent_catalogue_make(n, arena, NULL, &cat, err));
	ENT_TRY(ent_sql_bind(arena, ent_bytes_str(asked->sql), &cat, n->card.org, &q, err));
	collect(q, &used);
	if (used.overflow || !used.n)
		return ent_fail(err, ENT_EUNSUPPORTED, used.n ? "more than %d tables" : "a question needs at least one table", TABLES_MAX);
	ENT_JSON_AUTO p = json_pack("{s:i,s:i,s:s,s:s,s:s,s:I,s:b,s:I,s:I}", "v", 1, "plan_version", ENT_JOINT_PLAN_VERSION, "sql", asked->sql,
				    "requester", n->card.org, "purpose", asked->purpose, "time", (json_int_t)ent_node_utc(n), "pushdown",
				    asked->pushdown, "rtt_us", (json_int_t)ent_conf_int(&n->conf, ENT_CONF_rtt_us), "bandwidth",
				    (json_int_t)ent_conf_int(&n->conf, ENT_CONF_bandwidth_mb) * 1000000);
	if (!p)
		return ent_fail(err, ENT_ESQL, "the question is not UTF-8 text");
	ENT_TRY(fill(n, &used, explain_only, p, err));
	*ret = json_incref(p);
	return 0;
}

/* ---- checking a foreign one ---- */

/* In order, each once: shares kept from one job lie at the same place of the trio in the next, and no party holds two places. */
static bool sorted_names(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i)), *before = i ? json_string_value(json_array_get(list, i - 1)) : "";
		if (!name || !ent_org_valid(name) || strcmp(before, name) >= 0)
			return false;
	}
	return true;
}

static bool lists(const json_t *list, const char *name)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item) if (json_is_string(item) && !strcmp(json_string_value(item), name)) return true;
	return false;
}

int ent_proposal_names(const struct ent_job *j, struct ent_err *err)
{
	const json_t *parties = json_object_get(j->proposal, "participants");
	return sorted_names(parties) && lists(parties, ent_proposal_text(j, "requester"))
		       ? 0
		       : ent_fail(err, ENT_EPEER, "the proposal's participants are not in order");
}

static int check_form(struct ent_node *n, const json_t *p, const char *requester, struct ent_err *err)
{
	int64_t v, plan;
	json_t *parties, *trio, *object;
	const char *text;
	ENT_TRY(ent_json_int(p, "v", 1, 1, &v, err));
	ENT_TRY(ent_json_int(p, "plan_version", 1, 1000, &plan, err));
	ENT_TRY(ent_json_array(p, "participants", &parties, err));
	ENT_TRY(ent_json_array(p, "trio", &trio, err));
	ENT_TRY(ent_json_str(p, "sql", &text, err));
	ENT_TRY(ent_json_str(p, "purpose", &text, err));
	ENT_TRY(ent_json_object(p, "sizes", &object, err));
	ENT_TRY(ent_json_object(p, "used", &object, err));
	ENT_TRY(ent_json_object(p, "tables", &object, err));
	ENT_TRY(ent_json_object(p, "commitments", &object, err));
	if (plan != ENT_JOINT_PLAN_VERSION) {
		ent_fail(err, ENT_EUNSUPPORTED, "%s plans with version %lld, we with %d", requester, (long long)plan, ENT_JOINT_PLAN_VERSION);
		return ent_next(err, "run the same version of entente at all members");
	}
	if (!sorted_names(parties) || !lists(parties, requester) || !lists(parties, n->card.org))
		return ent_fail(err, ENT_EPEER, "the proposal's participants are not in order");
	for (size_t i = 0; i < json_array_size(trio); i++)
		if (!json_is_string(json_array_get(trio, i)) || !lists(parties, json_string_value(json_array_get(trio, i))))
			return ent_fail(err, ENT_EPEER, "a compute party of the proposal does not take part");
	if (!sorted_names(trio))
		return ent_fail(err, ENT_EPEER, "the proposal's compute parties are not three different ones in order");
	return json_array_size(trio) == 0 || json_array_size(trio) == 3 ? 0 : ent_fail(err, ENT_EPEER, "the proposal names no three compute parties");
}

int ent_proposal_check(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	size_t i;
	json_t *item;
	const char *requester;
	int64_t time;
	ENT_TRY(ent_json_str(j->proposal, "requester", &requester, err));
	ENT_TRY(check_form(n, j->proposal, requester, err));
	json_array_foreach(json_object_get(j->proposal, "participants"), i,
			   item) if (strcmp(json_string_value(item), n->card.org) != 0 && !ent_member_find(n, json_string_value(item)))
	{
		ent_fail(err, ENT_EDENIED, "%s does not trust %s, which would take part", n->card.org, json_string_value(item));
		return ent_next(err, "all participants must have trusted each other's cards");
	}
	ENT_TRY(ent_json_int(j->proposal, "time", 0, INT64_MAX / 4, &time, err));
	int64_t skew = time - ent_node_utc(n);
	if (skew <= ENT_SKEW_MAX_MS && skew >= -ENT_SKEW_MAX_MS)
		return 0;
	ent_fail(err, ENT_EDENIED, "the clocks of %s and %s differ by %lld s", requester, n->card.org, (long long)((skew < 0 ? -skew : skew) / 1000));
	return ent_next(err, "set both clocks (NTP); at most %d s are accepted", ENT_SKEW_MAX_MS / 1000);
}

bool ent_proposal_facts_held(struct ent_node *n, const struct ent_job *j)
{
	const char *org;
	json_t *size;
	json_object_foreach(json_object_get(j->proposal, "sizes"), org,
			    size) if (ent_facts_held(n, org) < (uint64_t)json_integer_value(size)) return false;
	return true;
}

/* ---- deriving ---- */

static const char *commitment_of(void *arg, const struct ent_table *t)
{
	const struct ent_job *j = arg;
	const char *hex = json_string_value(json_object_get(json_object_get(j->proposal, "commitments"), t->name));
	return hex ? hex : "";
}

static int check_tables(const struct ent_job *j, const struct used_tables *used, struct ent_err *err)
{
	const json_t *tables = json_object_get(j->proposal, "tables");
	for (size_t i = 0; i < used->n; i++) {
		char name[128], hex[65];
		snprintf(name, sizeof name, "%s.%s", used->at[i]->org, used->at[i]->name);
		ent_hex(hex, used->at[i]->facts_sha256, 32);
		const char *want = json_string_value(json_object_get(tables, name));
		if (!want || strcmp(want, hex) != 0) {
			ent_fail(err, ENT_EPEER, "%s and we know different facts about %s", ent_proposal_text(j, "requester"), name);
			return ent_next(err, "ask again; the facts are exchanged meanwhile");
		}
	}
	return json_object_size(tables) == used->n ? 0 : ent_fail(err, ENT_EPEER, "the proposal lists other tables than its question uses");
}

static const struct ent_policy_job *find_job(const struct ent_policy_job *jobs, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(jobs[i].id, id))
			return &jobs[i];
	return NULL;
}

static int history_input(struct ent_arena *arena, const json_t *list, struct ent_policy_job **ret, size_t *ret_n, struct ent_err *err)
{
	size_t n = json_array_size(list);
	struct ent_policy_job *jobs = ENT_NEWS(arena, n + 1, struct ent_policy_job);
	if (!jobs)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i), *trio = json_object_get(item, "trio");
		struct ent_policy_selection *selections = NULL;
		ENT_TRY(ent_json_str(item, "id", &jobs[i].id, err));
		if (find_job(jobs, i, jobs[i].id))
			return ent_fail(err, ENT_EPEER, "the proposal names an earlier question twice");
		for (size_t k = 0; k < 3 && k < json_array_size(trio); k++)
			jobs[i].trio[k] = json_string_value(json_array_get(trio, k));
		ENT_TRY(ent_policy_selections_parse(arena, json_object_get(item, "selections"), &selections, &jobs[i].n_selections, err));
		jobs[i].selections = selections;
	}
	*ret = jobs;
	*ret_n = n;
	return 0;
}

static int owners_input(struct ent_node *n, struct ent_job *j, struct ent_policy_owner **ret, size_t *ret_n, struct ent_err *err)
{
	const json_t *sizes = json_object_get(j->proposal, "sizes"), *used = json_object_get(j->proposal, "used");
	struct ent_policy_owner *owners = ENT_NEWS(j->arena, json_object_size(sizes) + 1, struct ent_policy_owner);
	const char *org;
	json_t *size;
	size_t count = 0;
	if (!owners)
		return ent_nomem(err);
	json_object_foreach((json_t *)(uintptr_t)sizes, org, size)
		ENT_TRY(ent_owner_make(n, j->arena, org, (uint64_t)json_integer_value(size), json_object_get(used, org), &owners[count++], err));
	*ret = owners;
	*ret_n = count;
	return 0;
}

static void trio_of(const struct ent_job *j, const char *ret[3])
{
	const json_t *trio = json_object_get(j->proposal, "trio");
	for (size_t i = 0; i < 3; i++)
		ret[i] = json_string_value(json_array_get(trio, i));
}

static int decide(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	struct ent_policy_owner *owners = NULL;
	struct ent_policy_job *history = NULL;
	struct ent_policy_input in = { .query = j->query,
				       .requester = ent_proposal_text(j, "requester"),
				       .time_ms = j->time_ms,
				       .commitment = commitment_of,
				       .commitment_arg = j };
	in.purpose = *ent_proposal_text(j, "purpose") ? ent_proposal_text(j, "purpose") : NULL;
	trio_of(j, in.trio);
	ENT_TRY(owners_input(n, j, &owners, &in.n_owners, err));
	ENT_TRY(history_input(j->arena, json_object_get(j->proposal, "history"), &history, &in.n_history, err));
	in.owners = owners;
	in.history = history;
	ENT_TRY(ent_policy_decide(j->arena, &in, &j->decision, err));
	(void)ent_decision_refusal(j->decision, &j->refusal);
	return 0;
}

static int hash_json(const json_t *value, uint8_t ret[32], struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(64u << 20);
	ENT_TRY(ent_json_canonical(value, &text, err));
	ent_sha256(text.data, text.len, ret);
	return 0;
}

static int plan(struct ent_job *j, struct ent_err *err)
{
	ENT_JSON_AUTO json = NULL;
	struct ent_joint_inputs in = { .query = j->query,
				       .decision = j->decision,
				       .requester = ent_proposal_text(j, "requester"),
				       .rtt_us = (uint32_t)json_integer_value(json_object_get(j->proposal, "rtt_us")),
				       .bandwidth_bytes = (uint64_t)json_integer_value(json_object_get(j->proposal, "bandwidth")),
				       .pushdown = json_is_true(json_object_get(j->proposal, "pushdown")) };
	trio_of(j, in.trio);
	ENT_TRY(ent_joint_plan(j->arena, &in, &j->plan, err));
	ENT_TRY(ent_joint_plan_json(j->plan, &json, err));
	return hash_json(json, j->plan_sha, err);
}

int ent_proposal_parties(struct ent_job *j, struct ent_err *err)
{
	const json_t *list = json_object_get(j->proposal, "participants");
	uint64_t now = ent_node_mono(j->node);
	if (j->party)
		return 0;
	j->party = ENT_NEWS(j->arena, json_array_size(list) + 1, struct ent_party);
	if (!j->party)
		return ent_nomem(err);
	for (size_t i = 0; i < json_array_size(list); i++)
		j->party[j->n_party++] = (struct ent_party){ .org = json_string_value(json_array_get(list, i)), .heard_ms = now };
	return 0;
}

/* Who takes part follows from the plan: nobody more, nobody less, and three compute parties exactly where something is computed on shares. */
static int check_parties(const struct ent_job *j, struct ent_err *err)
{
	const json_t *list = json_object_get(j->proposal, "participants");
	const char *const *names;
	size_t n = ent_joint_plan_participants(j->plan, &names);
	bool same =
		n == json_array_size(list) && ent_joint_plan_one_owner(j->plan, NULL) == (json_array_size(json_object_get(j->proposal, "trio")) == 0);
	for (size_t i = 0; i < n && same; i++)
		same = !strcmp(names[i], json_string_value(json_array_get(list, i)));
	return same ? 0 : ent_fail(err, ENT_EPEER, "the proposal names other participants than its question needs");
}

int ent_proposal_derive(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	struct used_tables used = { 0 };
	struct ent_err plan_err = ENT_ERR_INIT;
	ENT_JSON_AUTO decision = NULL;
	j->refusal = (struct ent_err)ENT_ERR_INIT;
	ENT_TRY(ent_catalogue_make(n, j->arena, json_object_get(j->proposal, "sizes"), &j->catalogue, err));
	ENT_TRY(ent_sql_bind(j->arena, ent_bytes_str(ent_proposal_text(j, "sql")), &j->catalogue, ent_proposal_text(j, "requester"), &j->query, err));
	collect(j->query, &used);
	ENT_TRY(check_tables(j, &used, err));
	ENT_TRY(decide(n, j, err));
	ENT_TRY(ent_decision_json(j->decision, &decision, err));
	ENT_TRY(hash_json(decision, j->decision_sha, err));
	int r = plan(j, &plan_err);
	r = r ? r : check_parties(j, &plan_err);
	if (r && !j->refusal.code) { /* a refused question may be one that cannot be planned, too */
		if (err)
			*err = plan_err;
		return r;
	}
	return 0;
}

/* ---- right before ready ---- */

static int recheck_history(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	struct used_tables used = { 0 };
	ENT_JSON_AUTO known = json_array();
	size_t i, k;
	json_t *mine, *theirs;
	collect(j->query, &used);
	ENT_TRY(history_of(n, ent_proposal_text(j, "requester"), &used, known, err));
	json_array_foreach(known, i, mine)
	{
		bool found = false;
		json_array_foreach(json_object_get(j->proposal, "history"), k, theirs) found = found || json_equal(mine, theirs);
		if (!found && strcmp(json_string_value(json_object_get(mine, "id")), j->id) != 0)
			return ent_fail(err, ENT_EDENIED, "the proposal leaves out the earlier question %s",
					json_string_value(json_object_get(mine, "id")));
	}
	return 0;
}

static int stricter(const char *table, struct ent_err *err)
{
	ent_fail(err, ENT_EDENIED, "the grants%s%s became stricter since the question was asked", *table ? " on " : "", table);
	return ent_next(err, "ask again");
}

static bool names_rule(const struct ent_decision *d, const char *org, uint64_t index)
{
	char id[ENT_ORG_MAX + 24];
	snprintf(id, sizeof id, "%s/%llu", org, (unsigned long long)index);
	for (size_t i = 0; i < d->n_rules; i++)
		if (!strcmp(d->rules[i], id))
			return true;
	return false;
}

/* What holds now but did not at the size the requester chose: approvals to wait for, uses that the run would not debit. */
static int recheck_conditions(struct ent_node *n, const struct ent_job *j, const struct ent_decision *now, const struct ent_policy_owner *own,
			      struct ent_err *err)
{
	for (size_t i = 0; i < now->n_approvals; i++)
		if (!ent_job_approved(n, j, &now->approvals[i]))
			return stricter("", err);
	for (size_t i = 0; i < own->n_rules; i++) {
		const struct ent_policy_rule *r = &own->rules[i];
		if (r->grant->uses_max && names_rule(now, n->card.org, r->index) && !names_rule(j->decision, n->card.org, r->index))
			return stricter(r->grant->table, err);
	}
	return 0;
}

/* The same question decided by our own grants as they stand now, at our own clock. */
static int recheck_grants(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	struct ent_policy_owner *owners = NULL, own = { 0 };
	struct ent_decision *now = NULL;
	struct ent_policy_input in = { .query = j->query,
				       .requester = ent_proposal_text(j, "requester"),
				       .time_ms = ent_node_utc(n),
				       .commitment = commitment_of,
				       .commitment_arg = j };
	in.purpose = *ent_proposal_text(j, "purpose") ? ent_proposal_text(j, "purpose") : NULL;
	trio_of(j, in.trio);
	ENT_TRY(owners_input(n, j, &owners, &in.n_owners, err));
	for (size_t i = 0; i < in.n_owners; i++)
		if (!strcmp(owners[i].org, n->card.org)) {
			ENT_TRY(ent_owner_make(n, j->arena, n->card.org, ent_ledger_size(n->ledger), NULL, &owners[i], err));
			own = owners[i];
		}
	in.owners = owners;
	ENT_TRY(ent_policy_decide(j->arena, &in, &now, err));
	if (!now->allowed) {
		(void)ent_decision_refusal(now, err);
		return ENT_EDENIED;
	}
	for (size_t i = 0; i < now->n_tables && i < j->decision->n_tables; i++)
		if (now->tables[i].k > j->decision->tables[i].k || now->tables[i].protect != j->decision->tables[i].protect)
			return stricter(now->tables[i].table->name, err);
	return recheck_conditions(n, j, now, &own, err);
}

int ent_proposal_recheck(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	ENT_TRY(recheck_history(n, j, err));
	ENT_TRY(ent_guard_check(n, j, err));
	if (!json_object_get(json_object_get(j->proposal, "sizes"), n->card.org))
		return 0;
#ifdef ENT_MUTANT_GRANT_AFTER_REVOKE
	return 0;
#endif
	return recheck_grants(n, j, err);
}

/* ---- for the runner ---- */

static int own_tables(struct ent_node *n, struct ent_job *j, const struct used_tables *used, struct ent_err *err)
{
	struct ent_run_table *tables = ENT_NEWS(j->arena, used->n + 1, struct ent_run_table);
	if (!tables)
		return ent_nomem(err);
	j->spec.n_tables = 0;
	for (size_t i = 0; i < used->n; i++) {
		ENT_JSON_AUTO source = NULL;
		if (strcmp(used->at[i]->org, n->card.org) != 0)
			continue;
		struct ent_run_table *t = &tables[j->spec.n_tables++];
		t->table = used->at[i];
		ENT_TRY(ent_source_read(n, used->at[i]->name, &source, err));
		ENT_TRY(ent_source_spec_make(j->arena, source, &t->source, err));
	}
	j->spec.tables = tables;
	return 0;
}

int ent_proposal_spec(struct ent_node *n, struct ent_job *j, struct ent_err *err)
{
	struct used_tables used = { 0 };
	const char **names = (const char **)ent_arena_get(j->arena, j->n_party + 1, sizeof *names),
		   **trio = (const char **)ent_arena_get(j->arena, 4, sizeof *trio);
	const char *three[3];
	if (!names || !trio)
		return ent_nomem(err);
	for (size_t i = 0; i < j->n_party; i++)
		names[i] = j->party[i].org;
	trio_of(j, three);
	memcpy(trio, three, sizeof three);
	collect(j->query, &used);
	ENT_TRY(own_tables(n, j, &used, err));
	ENT_TRY(ent_guard_load(n, j, err));
	j->spec.job = j->id;
	j->spec.attempt = j->attempt;
	j->spec.self = n->card.org;
	j->spec.requester = ent_proposal_text(j, "requester");
	j->spec.trio = trio;
	j->spec.n_trio = three[0] ? 3 : 0;
	j->spec.participants = names;
	j->spec.n_participants = j->n_party;
	j->spec.proposal = j->proposal;
	j->spec.query = j->query;
	j->spec.decision = j->decision;
	j->spec.plan = j->plan;
	j->spec.format = j->mine ? j->format : "csv";
	j->spec.color = j->color;
	return 0;
}
