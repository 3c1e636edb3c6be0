/* Reads whole logs through the public face, as anybody could, and compares them with everything that was promised and published. */
#include "sim/checks.h"

#define BUNDLE 256u

struct seen { /* one entry, opened */
	int type;
	char job[17], text[200];
	int64_t attempt;
	bool used;
};

struct audit {
	struct sim_node *s;
	struct ent_frontier tree;
	struct seen *entries;
	size_t count;
	struct sim_runsum *runs;
	size_t n_runs;
};

static const char *text_of(const json_t *body, const char *key)
{
	const char *s = json_string_value(json_object_get(body, key));
	return s ? s : "";
}

static void read_entry(struct audit *a, struct ent_bytes bytes)
{
	struct seen *e = sim_list_add((void **)&a->entries, &a->count, sizeof *e);
	struct ent_entry entry;
	ent_hash leaf;
	ent_tree_leaf(bytes, &leaf);
	ent_frontier_add(&a->tree, &leaf);
	if (ent_entry_open(bytes, &entry, NULL)) {
		sim_fail(a->s->w, "entry %zu of %s cannot be read", a->count - 1, a->s->org);
		return;
	}
	const json_t *body = entry.dsse.body;
	e->type = entry.type;
	e->attempt = json_integer_value(json_object_get(body, "attempt"));
	if (entry.type == ENT_ENTRY_REQUEST)
		ent_hex(e->job, entry.dsse.payload_hash, 8);
	else
		snprintf(e->job, sizeof e->job, "%.16s", text_of(body, "proposal"));
	if (entry.type == ENT_ENTRY_REVOKE)
		snprintf(e->text, sizeof e->text, "%lld", (long long)json_integer_value(json_object_get(body, "revokes")));
	else
		snprintf(e->text, sizeof e->text, "%s", entry.type == ENT_ENTRY_REGISTER ? text_of(body, "table") : text_of(body, "text"));
	if (entry.type == ENT_ENTRY_RUN) {
		struct sim_runsum *r = sim_list_add((void **)&a->runs, &a->n_runs, sizeof *r);
		r->attempt = (uint32_t)e->attempt;
		memcpy(r->job, e->job, sizeof r->job);
		memcpy(r->hash, entry.dsse.payload_hash, sizeof r->hash);
	}
	ent_entry_deinit(&entry);
}

/* ---- promises ---- */

static bool keeps(const struct seen *e, const struct sim_promise *p)
{
	return e->type == p->type && !strcmp(e->job, p->job) && (!p->attempt || e->attempt == p->attempt) &&
	       (!p->text[0] || strstr(e->text, p->text));
}

static void check_promise(struct audit *a, const struct sim_promise *p)
{
	bool found = false;
	if (p->index >= 0)
		found = (size_t)p->index < a->count && keeps(&a->entries[p->index], p);
	for (size_t i = 0; p->index < 0 && i < a->count && !found; i++)
		found = keeps(&a->entries[i], p);
	if (!found)
		sim_fail(a->s->w, "lost: %s acknowledged %s %s%s (entry %lld, at %llu ms), its ledger of %zu entries has it not", a->s->org,
			 ent_entry_name(p->type), p->job, p->text, (long long)p->index, (unsigned long long)p->since, a->count);
}

/* Every root that was ever published for a size is the one the entries have. */
static void check_point(struct audit *a)
{
	const struct sim_points *l = &a->s->w->checks->points[a->s->index];
	ent_hash root;
	for (size_t i = 0; i < l->count; i++) {
		if (l->at[i].size != a->tree.size)
			continue;
		ent_frontier_root(&a->tree, &root);
		if (memcmp(&root, &l->at[i].root, sizeof root) != 0)
			sim_fail(a->s->w, "the entries of %s are not those of the checkpoint it published for size %llu", a->s->org,
				 (unsigned long long)a->tree.size);
	}
}

static void check_sizes(struct audit *a)
{
	struct sim_checks *c = a->s->w->checks;
	const struct sim_points *l = &c->points[a->s->index];
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].size > a->count)
			sim_fail(a->s->w, "%s published size %llu, its ledger has %zu entries", a->s->org, (unsigned long long)l->at[i].size,
				 a->count);
	if (a->count < c->size_seen[a->s->index])
		sim_fail(a->s->w, "the ledger of %s shrank from %llu to %zu entries", a->s->org, (unsigned long long)c->size_seen[a->s->index],
			 a->count);
	c->size_seen[a->s->index] = a->count;
}

/* request, decision, run, open, output, result of one job come in this order, open and output only after a run. */
static void check_order(struct audit *a)
{
	static const int order[] = { ENT_ENTRY_REQUEST, ENT_ENTRY_DECISION, ENT_ENTRY_RUN, ENT_ENTRY_OPEN, ENT_ENTRY_OUTPUT };
	for (size_t i = 0; i < a->count; i++) {
		for (size_t k = 1; k < ENT_COUNT(order); k++) {
			if (a->entries[i].type != order[k])
				continue;
			bool found = false;
			for (size_t b = 0; b < i && !found; b++)
				found = a->entries[b].type == order[k - 1] && !strcmp(a->entries[b].job, a->entries[i].job);
			if (!found)
				sim_fail(a->s->w, "%s entered %s of job %s before its %s", a->s->org, ent_entry_name(order[k]), a->entries[i].job,
					 ent_entry_name(order[k - 1]));
		}
	}
}

/* ---- reading ---- */

static void got_size(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	(void)content;
	c->node->w->checks->asked_size = err ? 0 : (uint64_t)json_integer_value(json_object_get(json_object_get(answer, "ledger"), "size"));
}

static bool read_bundle(struct audit *a, uint64_t number, uint64_t width)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(ENT_HTTP_BODY_MAX);
	char path[64];
	int n = snprintf(path, sizeof path, "/tile/entries/%03llu", (unsigned long long)number);
	if (width < BUNDLE)
		snprintf(path + n, sizeof path - (size_t)n, ".p/%llu", (unsigned long long)width);
	if (sim_get(a->s, path, &body) != 200)
		return false;
	struct ent_reader r = ent_reader(ent_buf_bytes(&body));
	for (uint64_t i = 0; i < width && r.ok; i++) {
		uint16_t len = ent_read_be16(&r);
		read_entry(a, ent_read(&r, len));
		check_point(a);
	}
	return r.ok;
}

static bool read_log(struct audit *a)
{
	a->s->w->checks->asked_size = 0;
	sim_ask(a->s, "status", NULL, got_size, 0, "");
	uint64_t size = a->s->w->checks->asked_size;
	for (uint64_t at = 0; at < size; at += BUNDLE)
		if (!read_bundle(a, at / BUNDLE, size - at < BUNDLE ? size - at : BUNDLE)) {
			sim_fail(a->s->w, "the entries of %s cannot be read", a->s->org);
			return false;
		}
	return true;
}

static void audit_free(struct audit *a)
{
	free(a->entries);
	free(a->runs);
}

static void audit_node(struct sim_node *s)
{
	ENT_CLEANUP(audit_free) struct audit a = { .s = s };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf note = ENT_BUF(ENT_NOTE_BYTES_MAX);
	const struct sim_promises *l = &s->w->checks->promises[s->index];
	if (sim_get(s, "/checkpoint", &note) == 200)
		sim_saw_note(s, ent_buf_bytes(&note));
	if (!read_log(&a))
		return;
	for (size_t i = 0; i < l->count; i++)
		check_promise(&a, &l->at[i]);
	check_sizes(&a);
	check_order(&a);
	s->w->counts.entries += a.count;
}

void sim_audit(struct sim_node *s)
{
	uint64_t left = sim_memory_short(0);
	audit_node(s);
	sim_memory_short(left);
}

static void compare_runs(struct sim_world *w, const struct audit *a, const struct audit *b)
{
	for (size_t i = 0; i < a->n_runs; i++)
		for (size_t k = 0; k < b->n_runs; k++)
			if (!strcmp(a->runs[i].job, b->runs[k].job) && a->runs[i].attempt == b->runs[k].attempt &&
			    memcmp(a->runs[i].hash, b->runs[k].hash, ENT_HASH_BYTES) != 0)
				sim_fail(w, "%s and %s hold different payloads of run %s", a->s->org, b->s->org, a->runs[i].job);
}

void sim_audit_runs(struct sim_world *w)
{
	struct audit all[SIM_NODES_MAX] = { 0 };
	for (int i = 0; i < w->n; i++) {
		all[i].s = &w->nodes[i];
		if (sim_up(&w->nodes[i]))
			(void)read_log(&all[i]);
	}
	for (int i = 0; i < w->n; i++)
		for (int k = 0; k < i; k++)
			compare_runs(w, &all[i], &all[k]);
	for (int i = 0; i < w->n; i++)
		audit_free(&all[i]);
}

/* ---- nothing stays open ---- */

static void got_jobs(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	size_t i;
	json_t *job;
	(void)content;
	if (err)
		sim_fail(c->node->w, "%s cannot list its jobs: %s", c->node->org, err->what);
	json_array_foreach(json_object_get(answer, "jobs"), i, job)
	{
		const char *state = json_string_value(json_object_get(job, "state"));
		if (strcmp(state, "done") != 0 && strcmp(state, "aborted") != 0 && strcmp(state, "refused") != 0)
			sim_fail(c->node->w, "job %s at %s is %s for ever", json_string_value(json_object_get(job, "id")), c->node->org, state);
	}
}

void sim_audit_ended(struct sim_world *w)
{
	for (int i = 0; i < w->n; i++)
		if (sim_up(&w->nodes[i]))
			sim_ask(&w->nodes[i], "jobs", NULL, got_jobs, 0, "");
}
