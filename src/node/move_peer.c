/* Copies between members. The one who wants rows signs a request and enters it; the owner decides by its own grants at that moment, enters what it
 * granted, and only then its rows travel over a job link whose name holds the request's hash. Only columns with a COPY grant leave; conditions of
 * the asker never reach the owner's store. */
#include "node/moves.h"

#include <stdlib.h>

#include "node/catalogue.h"

#define ASK_MS 20000
#define COLUMNS_BYTES_MAX (4u << 20)

/* ---- the decision ---- */

struct deciding {
	struct ent_node *n;
	struct ent_arena *arena;
	struct ent_policy_owner owner;
	const struct ent_table *table;
	const char *requester, *purpose;
};

static int deciding_init(struct deciding *d, struct ent_node *n, struct ent_arena *arena, const char *org, const char *table, uint64_t size,
			 const char *requester, const char *purpose, struct ent_err *err)
{
	struct ent_catalogue cat;
	*d = (struct deciding){ .n = n, .arena = arena, .requester = requester, .purpose = *purpose ? purpose : NULL };
	if (!arena)
		return ent_nomem(err);
	ENT_TRY(ent_catalogue_make(n, arena, NULL, &cat, err));
	ENT_TRY(cat.table(cat.self, org, table, &d->table, err));
	return ent_owner_make(n, arena, org, size, NULL, &d->owner, err);
}

static bool may_copy(const struct deciding *d, const char *column)
{
	uint32_t uses = ent_policy_column_uses(&d->owner, d->table->name, column, d->requester, d->purpose, ent_node_utc(d->n), NULL, NULL);
	return uses & ENT_USE_BIT(ENT_USE_COPY);
}

static bool has_column(const struct ent_table *t, const char *name)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (!strcmp(t->columns[i].name, name))
			return true;
	return false;
}

/* The grant that would help, for every column that lacks one. */
static int refuse(const struct deciding *d, const json_t *columns, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf names = ENT_BUF(1 << 16);
	const char *first = NULL;
	const json_t *one;
	size_t i;
	json_array_foreach(columns, i, one)
	{
		const char *name = json_string_value(one);
		if (!name || may_copy(d, name))
			continue;
		ent_buf_str(&names, first ? ", " : "");
		ent_grant_print_name(name, &names);
		first = first ? first : name;
	}
	ent_fail(err, ENT_EDENIED, "%s.%.200s may not be copied", d->table->name, first ? first : "?");
	ent_why(err, "%s grants no COPY on it to %s%s%s now", d->table->org, d->requester, d->purpose ? " for " : "", d->purpose ? d->purpose : "");
	return ent_next(err, "ask %s for: GRANT COPY ON %s(%.400s) TO %s%s%s;", d->table->org, d->table->name, ent_buf_text(&names), d->requester,
			d->purpose ? " FOR " : "", d->purpose ? d->purpose : ""),
	       ENT_EDENIED;
}

static int check_columns(const struct deciding *d, const json_t *columns, struct ent_err *err)
{
	const json_t *one;
	size_t i;
	if (!json_array_size(columns))
		return ent_fail(err, ENT_EDATA, "a copy names its columns");
	json_array_foreach(columns, i, one)
	{
		const char *name = json_string_value(one);
		if (!name || !has_column(d->table, name))
			return ent_fail(err, ENT_ENOTFOUND, "%s.%s has no column %.100s", d->table->org, d->table->name, name ? name : "?");
	}
#ifdef ENT_MUTANT_COPY_UNGRANTED
	return 0;
#endif
	json_array_foreach(columns, i, one) if (!may_copy(d, json_string_value(one))) return refuse(d, columns, err);
	return 0;
}

static bool listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return !n;
}

static bool for_us(const struct deciding *d, const struct ent_grant *g)
{
	return !g->deny && (g->uses & ENT_USE_BIT(ENT_USE_COPY)) && !strcmp(g->table, d->table->name) &&
	       listed((const char *const *)g->orgs, g->n_orgs, d->requester) && listed((const char *const *)g->purposes, g->n_purposes, d->purpose);
}

/* COPY grants on these columns: their ids are what the entry debits. Nobody is asked for approval of copies, so such grants do not help. */
static int grants_used(const struct deciding *d, const json_t *columns, json_t *ids, struct ent_err *err)
{
	for (size_t r = 0; r < d->owner.n_rules; r++) {
		const struct ent_grant *g = d->owner.rules[r].grant;
		const json_t *one;
		size_t i;
		bool touched = false;
		json_array_foreach(columns, i, one) touched = (touched || ent_grant_has_column(g, json_string_value(one))) && for_us(d, g);
		if (!touched)
			continue;
		if (g->approvals) {
			ent_fail(err, ENT_EDENIED, "the copy would need approvals");
			ent_why(err, "rule %s/%llu says REQUIRE APPROVAL, and copies are not put to people yet", d->table->org,
				(unsigned long long)d->owner.rules[r].index);
			return ent_next(err, "ask %s for a COPY grant without it", d->table->org), ENT_EDENIED;
		}
		json_array_append_new(ids, json_sprintf("%s/%llu", d->table->org, (unsigned long long)d->owner.rules[r].index));
	}
	return 0;
}

/* ---- the one who asks ---- */

static json_t *granted_columns(const struct deciding *d)
{
	json_t *list = json_array();
	for (size_t i = 0; i < d->table->n_columns; i++)
		if (may_copy(d, d->table->columns[i].name))
			json_array_append_new(list, json_string(d->table->columns[i].name));
	return list;
}

static json_t *all_columns(const struct deciding *d)
{
	json_t *list = json_array();
	for (size_t i = 0; i < d->table->n_columns; i++)
		json_array_append_new(list, json_string(d->table->columns[i].name));
	return list;
}

static int choose_columns(const struct deciding *d, const json_t *wanted, json_t **ret, struct ent_err *err)
{
	if (json_array_size(wanted)) {
		*ret = json_deep_copy(wanted);
		return check_columns(d, wanted, err);
	}
	*ret = granted_columns(d);
	if (json_array_size(*ret))
		return 0;
	ENT_JSON_AUTO all = all_columns(d);
	return refuse(d, all, err);
}

static int send_ask(struct ent_node *n, struct ent_moving *m, const json_t *fields, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_DSSE_BYTES_MAX);
	struct ent_entry e;
	ENT_TRY(ent_entry_make(ENT_ENTRY_COPY, ent_node_utc(n), n->card.org, fields, &n->signer[ENT_KEY_SIGN], &envelope, err));
	ENT_TRY(ent_node_append_envelope(n, ent_buf_bytes(&envelope), NULL, err));
	ENT_TRY(ent_entry_open(ent_buf_bytes(&envelope), &e, err));
	ent_hex(m->request, e.dsse.payload_hash, ENT_HASH_BYTES);
	ent_entry_deinit(&e);
	ent_peer_send(n, m->peer, json_pack("{s:s,s:s,s:s}", "type", "copy?", "move", m->id, "request", ent_buf_text(&envelope)));
	m->asked_ms = ent_node_mono(n) + !ent_node_mono(n);
	return 0;
}

int ent_move_ask(struct ent_node *n, struct ent_moving *m, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(64 << 20);
	const char *name = json_string_value(json_object_get(json_array_get(m->ends, 0), "name")), *dot = strchr(name, '.');
	const char *purpose = json_string_value(json_object_get(m->args, "purpose"));
	const struct ent_member *peer = ent_member_find(n, m->peer);
	struct deciding d;
	json_t *columns = NULL, *targets = json_array();
	for (size_t i = 1; i < json_array_size(m->ends); i++)
		json_array_append(targets, json_object_get(json_array_get(m->ends, i), "name"));
	ENT_JSON_AUTO fields = json_pack("{s:s,s:s,s:s,s:o,s:s}", "outcome", "requested", "source", name, "purpose", purpose ? purpose : "",
					 "targets", targets, "owner", m->peer);
	if (!fields)
		return ent_nomem(err);
	if (!n->env.mesh)
		return ent_fail(err, ENT_ENONODE, "no node runs in this home"), ent_next(err, "start it: entente serve"), ENT_ENONODE;
	if (json_object_get(m->args, "where"))
		return ent_fail(err, ENT_EUNSUPPORTED, "a copy from another member takes no condition"),
		       ent_next(err, "copy the granted columns, or ask a joint query with --into"), ENT_EUNSUPPORTED;
	if (!peer || !peer->up)
		return ent_fail(err, ENT_EPEER, "no link to %s", m->peer), ent_next(err, "entente status shows the members"), ENT_EPEER;
	ENT_TRY(deciding_init(&d, n, arena, m->peer, dot + 1, peer->facts_size, n->card.org, purpose ? purpose : "", err));
	ENT_TRY(ent_duty_not_alone(n, err));
	int r = choose_columns(&d, json_object_get(m->args, "columns"), &columns, err);
	if (columns)
		json_object_set_new(fields, "columns", columns);
	json_object_del(m->args, "columns"); /* rows come with these columns only */
	return r ? r : send_ask(n, m, fields, err);
}

static struct ent_moving *asked(struct ent_node *n, const struct ent_member *m, const json_t *msg)
{
	const char *id;
	if (ent_json_str(msg, "move", &id, NULL))
		return NULL;
	struct ent_moving *w = ent_moving_find(n, id);
	return w && !w->ended && w->asked_ms && !strcmp(w->peer, m->card.org) ? w : NULL;
}

void ent_move_granted(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	struct ent_moving *w = asked(n, m, msg);
	struct ent_err err = ENT_ERR_INIT;
	if (!w)
		return;
	w->asked_ms = 0;
	snprintf(w->link, sizeof w->link, "copy/%s/%.16s", w->id, w->request);
	if (ent_moving_hand_over(n, w, &err))
		ent_node_move_ended(n, w->id, NULL, &err);
}

static void put_text(const json_t *msg, const char *key, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(msg, key));
	snprintf(out, size, "%s", s ? s : "");
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
}

void ent_move_refused(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	struct ent_moving *w = asked(n, m, msg);
	struct ent_err err = ENT_ERR_INIT;
	if (!w)
		return;
	w->asked_ms = 0;
	err.code = ENT_EDENIED;
	put_text(msg, "what", err.what, sizeof err.what);
	put_text(msg, "why", err.why, sizeof err.why);
	put_text(msg, "next", err.next, sizeof err.next);
	ent_node_move_ended(n, w->id, NULL, &err);
}

/* No answer in time, or its link went down. */
void ent_move_ask_tick(struct ent_node *n, struct ent_moving *m, uint64_t now)
{
	struct ent_err err = ENT_ERR_INIT;
	const struct ent_member *peer = ent_member_find(n, m->peer);
	if (!m->asked_ms || m->ended || (peer && peer->up && ent_ms_since(now, m->asked_ms) < ASK_MS))
		return;
	m->asked_ms = 0;
	ent_fail(&err, ENT_EPEER, "%s did not answer", m->peer);
	ent_node_move_ended(n, m->id, NULL, &err);
}

/* ---- the owner ---- */

struct asking { /* a request that came in */
	const char *move, *table, *purpose;
	json_t *columns;
	char request[65];
};

static int ask_read(struct ent_node *n, const struct ent_member *m, const struct ent_entry *e, struct asking *a, struct ent_err *err)
{
	const char *source, *owner, *outcome;
	int64_t age = ent_node_utc(n) - e->time_ms;
	ENT_TRY(ent_member_signed(n, m->card.org, &e->dsse, err));
	if (e->type != ENT_ENTRY_COPY || strcmp(e->actor, m->card.org) != 0)
		return ent_fail(err, ENT_EDATA, "this is no request of %s for a copy", m->card.org);
	ENT_TRY(ent_json_str(e->dsse.body, "outcome", &outcome, err));
	ENT_TRY(ent_json_str(e->dsse.body, "source", &source, err));
	ENT_TRY(ent_json_str(e->dsse.body, "owner", &owner, err));
	ENT_TRY(ent_json_str(e->dsse.body, "purpose", &a->purpose, err));
	ENT_TRY(ent_json_array(e->dsse.body, "columns", &a->columns, err));
	size_t len = strlen(n->card.org);
	if (strcmp(outcome, "requested") != 0 || strcmp(owner, n->card.org) != 0 || strncmp(source, n->card.org, len) != 0 || source[len] != '.')
		return ent_fail(err, ENT_EDATA, "the request is not for a table of ours");
	if (age > ENT_SKEW_MAX_MS || age < -ENT_SKEW_MAX_MS)
		return ent_fail(err, ENT_EDENIED, "the request is not of this time"), ent_next(err, "set both clocks (NTP)"), ENT_EDENIED;
	a->table = source + len + 1;
	ent_hex(a->request, e->dsse.payload_hash, ENT_HASH_BYTES);
	return 0;
}

static int serve(struct ent_node *n, const struct ent_member *m, const struct asking *a, json_t *fields, struct ent_err *err)
{
	ENT_JSON_AUTO source = NULL;
	struct ent_moving *w;
	ENT_TRY(ent_moving_new(n, "serve", &w, err));
	int r = ent_moving_own_table(n, a->table, &source, err);
	if (!r) {
		json_object_set_new(source, "name", json_sprintf("%s.%s", n->card.org, a->table));
		json_array_append(w->ends, source);
		json_object_set(w->args, "columns", a->columns);
		json_object_set_new(w->args, "requester", json_string(m->card.org));
		json_object_set_new(w->args, "request", json_string(a->request));
		snprintf(w->peer, sizeof w->peer, "%s", m->card.org);
		snprintf(w->link, sizeof w->link, "copy/%.16s/%.16s", a->move, a->request);
		r = ent_node_append(n, ENT_ENTRY_COPY, fields, NULL, err);
	}
	if (!r)
		r = ent_moving_hand_over(n, w, err);
	if (r)
		ent_moving_free(w);
	else
		ent_moving_add(n, w);
	return r;
}

static int answer(struct ent_node *n, const struct ent_member *m, const struct ent_entry *e, struct asking *a, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(64 << 20);
	struct deciding d;
	json_t *ids = json_array();
	ENT_JSON_AUTO fields = json_pack("{s:s,s:o}", "outcome", "granted", "grants", ids);
	ENT_TRY(fields ? ask_read(n, m, e, a, err) : ent_nomem(err));
	ENT_TRY(ent_duty_not_alone(n, err));
	ENT_TRY(deciding_init(&d, n, arena, n->card.org, a->table, ent_ledger_size(n->ledger), m->card.org, a->purpose, err));
	ENT_TRY(check_columns(&d, a->columns, err));
	ENT_TRY(grants_used(&d, a->columns, ids, err));
	json_object_set_new(fields, "requester", json_string(m->card.org));
	json_object_set_new(fields, "request", json_string(a->request));
	json_object_set_new(fields, "source", json_sprintf("%s.%s", n->card.org, a->table));
	json_object_set_new(fields, "purpose", json_string(a->purpose));
	json_object_set(fields, "columns", a->columns);
	return serve(n, m, a, fields, err);
}

void ent_move_asked(struct ent_node *n, struct ent_member *m, const json_t *msg)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_entry e;
	struct asking a = { 0 };
	const char *request;
	if (ent_json_str(msg, "move", &a.move, NULL) || ent_json_str(msg, "request", &request, NULL) || strlen(a.move) > 16 ||
	    strspn(a.move, "0123456789abcdef") != strlen(a.move))
		return;
	char org[ENT_ORG_MAX + 1];
	snprintf(org, sizeof org, "%s", m->card.org);
	if (!ent_budget_take(n, org, ENT_BUDGET_PROPOSAL, 1))
		ent_fail(&err, ENT_EAGAIN, "too many requests"), ent_next(&err, "ask again later");
	else if (!ent_entry_open(ent_bytes_str(request), &e, &err)) {
		(void)answer(n, m, &e, &a, &err);
		ent_entry_deinit(&e);
	}
	if (!err.code) {
		ent_peer_send(n, org, json_pack("{s:s,s:s}", "type", "copy!", "move", a.move));
		return;
	}
	ent_log(n->env.log, ENT_LOG_INFO, "copy-refused", "org=%s what=\"%s\"", org, err.what);
	bool tell = err.code == ENT_EDENIED || err.code == ENT_ENOTFOUND || err.code == ENT_EAGAIN;
	ent_peer_send(n, org,
		      json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", "copy-", "move", a.move, "what", tell ? err.what : "owner could not run its part",
				"why", tell ? err.why : "", "next", tell ? err.next : ""));
}
