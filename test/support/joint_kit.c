/* See joint_kit.h. */
#include "joint_kit.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/hash.h"
#include "os/memlink.h"
#include "os/system.h"

static void host_log(void *self, int level, const char *event, const char *pairs) { (void)self, (void)level, (void)event, (void)pairs; }
static int host_cancelled(void *self) { return self != NULL; }

static struct ent_host kit_host(void)
{
	return (struct ent_host){ .size = sizeof(struct ent_host),
				  .log = host_log,
				  .cancelled = host_cancelled,
				  .memory_bytes_max = (uint64_t)512 << 20,
				  .threads_max = 1,
				  .timeout_ms = 60000 };
}

int jk_open(struct jk *k, const char *module, struct ent_err *err)
{
	void *lib = dlopen(module, RTLD_NOW | RTLD_LOCAL);
	struct ent_host host = kit_host();
	ent_engine_entry_fn engine;
	ent_connector_entry_fn files;
	if (!lib)
		return ent_fail(err, ENT_ENOTFOUND, "%s", dlerror());
	void *a = dlsym(lib, "ent_engine_entry"), *b = dlsym(lib, "ent_connector_entry");
	memcpy(&engine, &a, sizeof engine);
	memcpy(&files, &b, sizeof files);
	k->engine = engine();
	k->files = files();
	k->arena = ent_arena_new((size_t)64 << 20);
	k->pushdown = true;
	return k->engine->open(&host, &k->oracle, err);
}

void jk_close(struct jk *k)
{
	for (size_t i = 0; i < k->n_orgs; i++)
		k->engine->close(k->sessions[i]);
	if (k->engine)
		k->engine->close(k->oracle);
	ent_arena_free(k->arena);
	for (int c = 0; c < 3; c++) {
		ent_buf_deinit(&k->guard_public[c]);
		ent_buf_deinit(&k->guard_shares[c]);
	}
	k->arena = NULL;
	k->n_orgs = 0;
}

static int org_index(struct jk *k, const char *org, size_t *ret, struct ent_err *err)
{
	struct ent_host host = kit_host();
	for (*ret = 0; *ret < k->n_orgs; ++*ret)
		if (!strcmp(k->orgs[*ret], org))
			return 0;
	k->orgs[k->n_orgs] = org;
	return k->engine->open(&host, &k->sessions[k->n_orgs++], err);
}

static int add_table(struct jk *k, struct ent_table t, uint32_t min_group, bool is_protected, struct ent_err *err)
{
	size_t org;
	k->limits[k->n_tables] = (struct jk_limit){ t.org, t.name, is_protected, min_group };
	k->tables[k->n_tables++] = t;
	return org_index(k, t.org, &org, err);
}

static const char *pooled_name(struct jk *k, const struct ent_table *t) { return ent_arena_printf(k->arena, "%s_%s", t->org, t->name); }

int jk_table(struct jk *k, struct ent_table t, uint32_t min_group, bool is_protected, const char *rows_sql, struct ent_err *err)
{
	size_t org;
	ENT_TRY(add_table(k, t, min_group, is_protected, err));
	ENT_TRY(org_index(k, t.org, &org, err));
	ENT_STREAM_AUTO rows = { 0 };
	ENT_TRY(k->engine->query(k->oracle, rows_sql, NULL, 0, &rows, err));
	ENT_TRY(k->engine->load(k->sessions[org], t.name, &rows, err));
	ENT_STREAM_AUTO again = { 0 };
	ENT_TRY(k->engine->query(k->oracle, rows_sql, NULL, 0, &again, err));
	return k->engine->load(k->oracle, pooled_name(k, &t), &again, err);
}

static int load_file(struct jk *k, struct ent_session *s, const char *name, const struct ent_table *t, const char *path, struct ent_err *err)
{
	struct ent_host host = kit_host();
	struct ent_source *src;
	const char *names[64];
	for (size_t i = 0; i < t->n_columns; i++)
		names[i] = t->columns[i].name;
	ENT_TRY(k->files->open(&host, path, NULL, 0, &src, err));
	ENT_STREAM_AUTO rows = { 0 };
	int code = k->files->scan(src, "", names, t->n_columns, &rows, err);
	code = code ? code : k->engine->load(s, name, &rows, err);
	ent_stream_release(&rows);
	k->files->close(src);
	return code;
}

int jk_file(struct jk *k, struct ent_table t, uint32_t min_group, bool is_protected, const char *path, struct ent_err *err)
{
	size_t org;
	ENT_TRY(add_table(k, t, min_group, is_protected, err));
	ENT_TRY(org_index(k, t.org, &org, err));
	ENT_TRY(load_file(k, k->sessions[org], t.name, &t, path, err));
	return load_file(k, k->oracle, pooled_name(k, &t), &t, path, err);
}

/* ---- planning ---- */

static int catalogue_table(void *self, const char *org, const char *name, const struct ent_table **ret, struct ent_err *err)
{
	struct jk *k = self;
	for (size_t i = 0; i < k->n_tables; i++)
		if (!strcmp(k->tables[i].org, org) && !strcmp(k->tables[i].name, name)) {
			*ret = &k->tables[i];
			return 0;
		}
	return ent_fail(err, ENT_ENOTFOUND, "no table %s.%s", org, name);
}

static void catalogue_each(void *self, void (*fn)(void *arg, const struct ent_table *t), void *arg)
{
	struct jk *k = self;
	for (size_t i = 0; i < k->n_tables; i++)
		fn(arg, &k->tables[i]);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* One rule that grants every use of every column, SELECT only where the table is to be unprotected. */
static int grant_all(struct ent_arena *arena, const struct ent_table *t, const struct jk_limit *l, struct ent_policy_owner *ret, struct ent_err *err)
{
	struct ent_grant *g = ENT_NEW(arena, struct ent_grant);
	struct ent_policy_rule *rule = ENT_NEWS(arena, ret->n_rules + 1, struct ent_policy_rule);
	if (!g || !rule || !(g->columns = ENT_NEWS(arena, t->n_columns, const char *)))
		return ent_nomem(err);
	g->table = t->name;
	for (size_t i = 0; i < t->n_columns; i++)
		g->columns[g->n_columns++] = t->columns[i].name;
	qsort(g->columns, g->n_columns, sizeof *g->columns, by_bytes);
	g->uses = l->is_protected ? ENT_USE_ALL & ~ENT_USE_BIT(ENT_USE_SELECT) : ENT_USE_ALL;
	g->until_day = ENT_GRANT_NO_DATE;
	g->min_group = l->k;
	g->own_values = true;
	if (ret->n_rules)
		memcpy(rule, ret->rules, ret->n_rules * sizeof *rule);
	rule[ret->n_rules] = (struct ent_policy_rule){ ret->n_rules + 2, g, 0 };
	ret->rules = rule;
	ret->n_rules++;
	return 0;
}

static int owners_of(struct jk *k, struct ent_arena *arena, struct ent_policy_owner *owners, size_t *ret_n, struct ent_err *err)
{
	static const char *const members[] = { "alpha", "bravo", "carol", "delta", "echo" };
	for (size_t i = 0; i < k->n_tables; i++) {
		size_t at = 0;
		while (at < *ret_n && strcmp(owners[at].org, k->tables[i].org) != 0)
			at++;
		if (at == *ret_n)
			owners[(*ret_n)++] =
				(struct ent_policy_owner){ .org = k->tables[i].org, .members = members, .n_members = ENT_COUNT(members) };
		ENT_TRY(grant_all(arena, &k->tables[i], &k->limits[i], &owners[at], err));
	}
	return 0;
}

/* Tests hold to k below the least that a grant may ask for, too. */
static void set_limits(struct jk *k, struct ent_decision *d)
{
	for (size_t i = 0; i < d->n_tables; i++)
		for (size_t l = 0; l < k->n_tables; l++)
			if (!strcmp(d->tables[i].table->org, k->limits[l].org) && !strcmp(d->tables[i].table->name, k->limits[l].name) &&
			    d->tables[i].protect)
				d->tables[i].k = k->limits[l].k;
	if (k->no_guards)
		d->n_guards = 0;
}

int jk_decide(struct jk *k, struct ent_arena *arena, const char *sql, struct ent_decision **ret, struct ent_query **ret_query, struct ent_err *err)
{
	struct ent_catalogue c = { k, catalogue_table, catalogue_each };
	struct ent_policy_owner owners[JK_ORGS_MAX] = { { 0 } };
	size_t n = 0;
	ENT_TRY(ent_sql_bind(arena, ent_bytes_str(sql), &c, NULL, ret_query, err));
	ENT_TRY(owners_of(k, arena, owners, &n, err));
	struct ent_policy_input in = { .query = *ret_query,
				       .requester = k->requester,
				       .owners = owners,
				       .n_owners = n,
				       .trio = { k->trio[0], k->trio[1], k->trio[2] },
				       .history = k->history,
				       .n_history = k->n_history };
	if (k->one_owner)
		in.trio[0] = in.trio[1] = in.trio[2] = NULL;
	ENT_TRY(ent_policy_decide(arena, &in, ret, err));
	set_limits(k, *ret);
	return 0;
}

int jk_plan(struct jk *k, struct ent_arena *arena, const char *sql, struct ent_joint_plan **ret, struct ent_err *err)
{
	struct ent_decision *decision;
	struct ent_query *q;
	ENT_TRY(jk_decide(k, arena, sql, &decision, &q, err));
	struct ent_joint_inputs in = { .query = q,
				       .decision = decision,
				       .trio = { k->trio[0], k->trio[1], k->trio[2] },
				       .requester = k->requester,
				       .rtt_us = 100,
				       .bandwidth_bytes = 500000000,
				       .pushdown = k->pushdown };
	return ent_joint_plan(arena, &in, ret, err);
}

/* ---- running ---- */

struct logged { /* a link that hashes the lengths of what it sends */
	struct ent_link link;
	struct ent_link *inner;
	struct ent_sha256 *lengths;
	uint64_t *messages;
};

struct wire { /* one named link between two participants */
	char name[100];
	struct ent_link *ends[2];
	struct logged logged[2];
};

struct board {
	pthread_mutex_t lock;
	struct wire *wires[200];
	size_t n;
	bool dead;
};

struct part {
	struct jk *k;
	struct board *board;
	const struct ent_joint_plan *plan;
	const char *org;
	size_t index;
	struct ent_sha256 lengths;
	uint64_t messages;
	struct ent_joint_result result;
	struct ent_err err;
	int code;
	const char *relations[JK_TABLES_MAX];
};

static int logged_send(struct ent_link *l, const void *data, size_t len, struct ent_err *err)
{
	struct logged *g = (struct logged *)l;
	uint64_t n = len;
	ent_sha256_put(g->lengths, &n, sizeof n);
	++*g->messages;
	return g->inner->ops->send(g->inner, data, len, err);
}
static int logged_recv(struct ent_link *l, void *data, size_t len, struct ent_err *err)
{
	struct logged *g = (struct logged *)l;
	return g->inner->ops->recv(g->inner, data, len, err);
}
static void logged_cancel(struct ent_link *l)
{
	struct logged *g = (struct logged *)l;
	g->inner->ops->cancel(g->inner);
}
static const struct ent_link_ops logged_ops = { logged_send, logged_recv, logged_cancel, NULL };

static struct wire *find_wire(struct board *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (!strcmp(b->wires[i]->name, name))
			return b->wires[i];
	struct wire *w = calloc(1, sizeof *w);
	if (!w || b->n == ENT_COUNT(b->wires) || ent_memlink_pair(w->ends, 0)) {
		free(w);
		return NULL;
	}
	snprintf(w->name, sizeof w->name, "%s", name);
	b->wires[b->n++] = w;
	if (b->dead)
		w->ends[0]->ops->cancel(w->ends[0]);
	return w;
}

static unsigned party_bit(const struct part *p)
{
	for (unsigned c = 0; c < 3; c++)
		if (p->k->trio[c] && !strcmp(p->k->trio[c], p->org))
			return 1u << c;
	return 0;
}

static void note(struct part *p, unsigned *bits)
{
	pthread_mutex_lock(&p->board->lock);
	*bits |= party_bit(p);
	pthread_mutex_unlock(&p->board->lock);
}

static int part_link(void *self, const char *org, const char *name, struct ent_link **ret, struct ent_err *err)
{
	struct part *p = self;
	char full[100];
	bool first = strcmp(p->org, org) < 0;
	if (!strcmp(name, "keys"))
		note(p, &p->k->keyed);
	snprintf(full, sizeof full, "%s:%s:%s", name, first ? p->org : org, first ? org : p->org);
	pthread_mutex_lock(&p->board->lock);
	struct wire *w = find_wire(p->board, full);
	pthread_mutex_unlock(&p->board->lock);
	if (!w)
		return ent_nomem(err);
	struct logged *g = &w->logged[!first];
	if (!g->inner)
		*g = (struct logged){ { .ops = &logged_ops }, w->ends[!first], &p->lengths, &p->messages };
	*ret = &g->link;
	return 0;
}

static int part_source(void *self, const struct ent_table *const *tables, size_t n, struct ent_joint_source *ret, struct ent_err *err)
{
	struct part *p = self;
	(void)err;
	for (size_t i = 0; i < n; i++)
		p->relations[i] = tables[i]->name;
	*ret = (struct ent_joint_source){ ENT_DIALECT_DUCKDB, p->relations };
	return 0;
}

static int part_local(void *self, const struct ent_table *const *tables, size_t n, const char *sql, const struct ent_param *params, size_t n_params,
		      struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct part *p = self;
	(void)tables, (void)n;
	if (p->k->verbose)
		printf("# %s: %s\n", p->org, sql);
	return p->k->engine->query(p->k->sessions[p->index], sql, params, n_params, ret, err);
}

static void cancel_all(struct board *b)
{
	pthread_mutex_lock(&b->lock);
	b->dead = true;
	for (size_t i = 0; i < b->n; i++) {
		b->wires[i]->ends[0]->ops->cancel(b->wires[i]->ends[0]);
		b->wires[i]->ends[1]->ops->cancel(b->wires[i]->ends[1]);
	}
	pthread_mutex_unlock(&b->lock);
}

static int part_keep_guard(void *self, struct ent_bytes public_json, struct ent_bytes shares, struct ent_err *err)
{
	struct part *p = self;
	(void)public_json, (void)shares;
	if (p->k->keep_fails && !strcmp(p->k->keep_fails, p->org))
		return ent_fail(err, ENT_ENOSPACE, "the record cannot be kept");
	note(p, &p->k->kept);
	return 0;
}

static int part_before_output(void *self, struct ent_bytes component, struct ent_err *err)
{
	struct part *p = self;
	(void)component, (void)err;
	note(p, &p->k->output);
	return 0;
}

static void *part_main(void *arg)
{
	struct part *p = arg;
	struct ent_joint_env env = { .self = p,
				     .org = p->org,
				     .job_id = { 1, 2, 3, 4, 5, 6, 7, 8 },
				     .random = ent_system_random(),
				     .link = part_link,
				     .source = part_source,
				     .keep_guard = part_keep_guard,
				     .before_output = part_before_output,
				     .local = part_local };
	for (int c = 0; c < 3; c++)
		if (p->k->trio[c] && !strcmp(p->k->trio[c], p->org) && p->k->n_guard && !(p->k->lacks & 1u << c)) {
			env.guard = p->k->guard[c];
			env.n_guard = p->k->n_guard;
		}
	p->err.size = sizeof p->err;
	p->code = ent_joint_run(p->plan, &env, &p->result, &p->err);
	if (p->code)
		cancel_all(p->board);
	return NULL;
}

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int put_csv(struct ArrowSchema *schema, struct ArrowArray *batch, struct ent_buf *out, struct ent_err *err)
{
	struct ent_writer *w;
	ENT_TRY(ent_writer_new(ENT_RESULT_CSV, schema, ent_out_buf(out), NULL, &w, err));
	int code = ent_writer_batch(w, batch, err);
	code = code ? code : ent_writer_end(w, err);
	ent_writer_free(w);
	return code;
}

static void keep_buf(struct ent_buf *to, struct ent_buf *from)
{
	ent_buf_deinit(to);
	*to = *from;
	memset(from, 0, sizeof *from);
}

/* The cause of a failure stands above what it did to the others: a link that broke, then a link that was cancelled. */
static int weight(int code) { return code == ENT_ECANCELLED ? 1 : code == ENT_EPEER ? 2 : code ? 3 : 0; }

static int collect(struct jk *k, struct part *parts, size_t n, struct ent_buf *out, struct ent_err *err)
{
	int worst = 0;
	for (size_t i = 0; i < n; i++)
		if (weight(parts[i].code) > weight(worst)) {
			worst = parts[i].code;
			if (err)
				*err = parts[i].err;
		}
	for (size_t i = 0; i < n; i++) {
		struct part *p = &parts[i];
		if (!worst && p->result.has_rows)
			worst = put_csv(&p->result.schema, &p->result.batch, out, err);
		for (int c = 0; c < 3; c++)
			if (k->trio[c] && !strcmp(k->trio[c], p->org)) {
				k->stats[c] = p->result.stats;
				k->messages[c] = p->messages;
				ent_sha256_finish(&p->lengths, k->traffic_sha256[c]);
				keep_buf(&k->guard_public[c], &p->result.guard_public);
				keep_buf(&k->guard_shares[c], &p->result.guard_shares);
			}
		ent_joint_result_deinit(&p->result);
	}
	return worst;
}

static int run_parts(struct jk *k, const struct ent_joint_plan *plan, struct ent_buf *out, struct ent_err *err)
{
	const char *const *names;
	size_t n = ent_joint_plan_participants(plan, &names);
	struct part parts[JK_ORGS_MAX] = { { 0 } };
	pthread_t threads[JK_ORGS_MAX];
	struct board board = { .lock = PTHREAD_MUTEX_INITIALIZER };
	uint64_t start = now_us();
	k->kept = k->output = k->keyed = 0;
	for (size_t i = 0; i < n; i++) {
		parts[i] = (struct part){ .k = k, .board = &board, .plan = plan, .org = names[i] };
		ent_sha256_init(&parts[i].lengths);
		ENT_TRY(org_index(k, names[i], &parts[i].index, err));
	}
	for (size_t i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, part_main, &parts[i]);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	k->seconds_us = now_us() - start;
	int code = collect(k, parts, n, out, err);
	for (size_t i = 0; i < board.n; i++) {
		board.wires[i]->ends[0]->ops->free(board.wires[i]->ends[0]);
		board.wires[i]->ends[1]->ops->free(board.wires[i]->ends[1]);
		free(board.wires[i]);
	}
	return code;
}

int jk_query(struct jk *k, const char *sql, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new((size_t)64 << 20);
	struct ent_joint_plan *plan;
	ENT_TRY(jk_plan(k, arena, sql, &plan, err));
	k->cost = ent_joint_plan_cost(plan);
	if (k->verbose) {
		struct ent_buf text = ENT_BUF(1 << 20);
		ent_joint_explain(plan, &text, NULL);
		printf("%s\n", ent_buf_text(&text));
		ent_buf_deinit(&text);
	}
	size_t used = ent_arena_used(arena);
	ENT_TRY(run_parts(k, plan, out, err));
	/* A plan is immutable: the participants here share one, and two that allocated in its arena would overwrite each other. */
	return used == ent_arena_used(arena) ? 0 : ent_fail(err, ENT_EINTERNAL, "the run allocated in the arena of its plan");
}

int jk_oracle(struct jk *k, const char *sql, struct ent_buf *out, struct ent_err *err)
{
	ENT_STREAM_AUTO rows = { 0 };
	ENT_TRY(k->engine->query(k->oracle, sql, NULL, 0, &rows, err));
	uint64_t n;
	return ent_write_stream(ENT_RESULT_CSV, &rows, ent_out_buf(out), NULL, &n, err);
}
