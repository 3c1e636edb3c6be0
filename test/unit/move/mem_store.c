#include "mem_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/stream.h"

struct ent_source {
	struct mem_store *store;
};

struct ent_sink {
	struct mem_store *store;
	uint64_t epoch;
	char job[40];
	size_t table;
	enum ent_write_mode mode;
	struct mem_row *pending;
	size_t n_pending;
	bool truncate, made;
};

static const struct ent_connector connector, connector_parallel;

void mem_store_init(struct mem_store *s)
{
	*s = (struct mem_store){ .fail_read_after = -1, .fail_commit_after = -1 };
	pthread_mutex_init(&s->lock, NULL);
}

void mem_store_deinit(struct mem_store *s)
{
	for (size_t i = 0; i < ENT_COUNT(s->tables); i++)
		free(s->tables[i].rows);
	for (size_t i = 0; i < ENT_COUNT(s->doubts); i++)
		free(s->doubts[i].rows);
	pthread_mutex_destroy(&s->lock);
}

static struct mem_table *find(struct mem_store *s, const char *name)
{
	for (size_t i = 0; i < ENT_COUNT(s->tables); i++)
		if (s->tables[i].there && !strcmp(s->tables[i].name, name))
			return &s->tables[i];
	return NULL;
}

struct mem_table *mem_table(struct mem_store *s, const char *name)
{
	struct mem_table *t = find(s, name);
	for (size_t i = 0; !t && i < ENT_COUNT(s->tables); i++)
		if (!s->tables[i].there)
			t = &s->tables[i];
	ENT_ASSERT(t);
	t->there = true;
	snprintf(t->name, sizeof t->name, "%s", name);
	return t;
}

size_t mem_count(struct mem_store *s, const char *name)
{
	const struct mem_table *t = find(s, name);
	return t ? t->n : 0;
}

bool mem_there(struct mem_store *s, const char *name) { return find(s, name) != NULL; }

static void add_rows(struct mem_table *t, const struct mem_row *rows, size_t n)
{
	t->rows = (struct mem_row *)realloc(t->rows, (t->n + n + 1) * sizeof *t->rows);
	if (n)
		memcpy(t->rows + t->n, rows, n * sizeof *rows);
	t->n += n;
}

void mem_fill(struct mem_table *t, int64_t from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct mem_row r = { .id = from + (int64_t)i, .amount = ((int64_t)i * 37) % 100000 };
		if (i % 7)
			snprintf(r.name, sizeof r.name, "row %u", (unsigned)i);
		add_rows(t, &r, 1);
	}
}

static int end_open(void *self, const struct ent_option *more, size_t n_more, struct ent_move_session *ret, struct ent_err *err)
{
	struct mem_store *store = self;
	struct ent_source *s = ent_alloc(1, sizeof *s);
	(void)more;
	(void)n_more;
	if (!s)
		return ent_nomem(err);
	s->store = store;
	*ret = (struct ent_move_session){ store->parallel ? &connector_parallel : &connector, s };
	return 0;
}

struct ent_move_end mem_end(struct mem_store *s, const char *table) { return (struct ent_move_end){ s, end_open, table, table }; }

static void mem_close(struct ent_source *s) { free(s); }

/* ---- reading ---- */

static int make_schema(bool narrow, struct ArrowSchema *ret, struct ent_err *err)
{
	struct ent_field fields[] = { { .name = "id", .type = { ENT_T_INT64, 0, 0 }, .native = "int" },
				      { .name = "name", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true, .native = "text" },
				      { .name = "amount", .type = { ENT_T_DECIMAL, 12, 2 }, .native = "money" } };
	if (narrow)
		fields[2] = (struct ent_field){ .name = "amount", .type = { ENT_T_INT64, 0, 0 }, .native = "int" };
	return ent_schema_new(fields, 3, "id", ret, err);
}

static int mem_describe(struct ent_source *s, const char *object, struct ArrowSchema *schema, struct ent_object *o, struct ent_err *err)
{
	const struct mem_table *t = find(s->store, object);
	if (!t)
		return ent_fail(err, ENT_ENOTFOUND, "no table %s", object);
	o->rows = (int64_t)t->n;
	return make_schema(t->narrow, schema, err);
}

static int mem_plan(struct ent_source *s, const char *object, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		    struct ent_err *err)
{
	const struct mem_table *t = find(s->store, object);
	if (!t)
		return ent_fail(err, ENT_ENOTFOUND, "no table %s", object);
	for (size_t from = 0; from < t->n; from += rows) {
		char text[60];
		snprintf(text, sizeof text, "%zu %zu", from, from + rows < t->n ? from + (size_t)rows : SIZE_MAX);
		ENT_TRY(take(arg, text, (int64_t)rows));
	}
	return 0;
}

static void split_range(const struct mem_table *t, const char *split, size_t *at, size_t *end)
{
	(void)sscanf(split, "%zu %zu", at, end);
	*end = *end < t->n ? *end : t->n;
	*at = *at < *end ? *at : *end;
}

struct feed {
	struct mem_store *store;
	const struct mem_table *table;
	struct ArrowSchema schema;
	size_t at, end;
	bool column[3];
};

static void feed_free(void *self)
{
	struct feed *f = self;
	ent_schema_release(&f->schema);
	free(f);
}

static int put(struct feed *f, struct ent_builder *b, const struct mem_row *r, struct ent_err *err)
{
	size_t col = 0;
	if (f->column[0])
		ENT_TRY(ent_builder_int(b, col++, r->id, err));
	if (f->column[1])
		ENT_TRY(r->name[0] ? ent_builder_text(b, col++, ent_bytes_str(r->name), err) : ent_builder_null(b, col++, err));
	return f->column[2] ? ent_builder_int(b, col, f->table->narrow ? r->amount / 100 : r->amount, err) : 0;
}

static int feed_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct feed *f = self;
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct mem_store *s = f->store;
	pthread_mutex_lock(&s->lock);
	bool broken = s->fail_read_after == 0;
	s->fail_read_after -= s->fail_read_after > 0;
	s->reads++;
	pthread_mutex_unlock(&s->lock);
	if (broken)
		return ent_fail(err, ENT_EIO, "the source broke");
	if (f->at == f->end && s->read_ended)
		s->read_ended(s);
	if (f->at == f->end)
		return 0;
	ENT_TRY(ent_builder_new(&f->schema, 0, &b, err));
	for (size_t i = 0; i < (s->batch_rows ? s->batch_rows : 100) && f->at < f->end; i++)
		ENT_TRY(put(f, b, &f->table->rows[f->at++], err));
	return ent_builder_finish(b, ret, err);
}

static const struct ent_stream_ops feed_ops = { feed_next, feed_free };

static int mem_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	static const char *const names[] = { "id", "name", "amount" };
	const struct mem_table *t = find(s->store, what->object);
	struct feed *f = ent_alloc(1, sizeof *f);
	struct ArrowSchema all = { 0 }, given = { 0 };
	struct ent_field fields[3];
	struct ent_field_info info[3];
	size_t n = 0;
	if (!f || !t || make_schema(t->narrow, &all, err))
		return ent_nomem(err);
	*f = (struct feed){ .store = s->store, .table = t, .end = t->n };
	if (what->split)
		split_range(t, what->split, &f->at, &f->end);
	for (size_t i = 0; i < 3; i++) {
		f->column[i] = !what->columns;
		for (size_t k = 0; what->columns && k < what->n_columns; k++)
			f->column[i] = f->column[i] || !strcmp(what->columns[k], names[i]);
		ent_schema_field(&all, i, &info[i]);
		if (f->column[i])
			fields[n++] =
				(struct ent_field){ .name = names[i], .type = info[i].type, .nullable = info[i].nullable, .native = info[i].native };
	}
	ent_schema_new(fields, n, "id", &f->schema, err);
	ent_schema_new(fields, n, "id", &given, err);
	ent_schema_release(&all);
	return ent_stream_new(&given, &feed_ops, f, ret, err);
}

static int mem_checksum(struct ent_source *s, const struct ent_read *what, struct ent_checksum *ret, struct ent_err *err)
{
	const struct mem_table *t = find(s->store, what->object);
	uint64_t sum = 0;
	if (!t)
		return ent_fail(err, ENT_ENOTFOUND, "no table %s", what->object);
	size_t at = 0, end = t->n;
	if (what->split)
		split_range(t, what->split, &at, &end);
	for (size_t i = at; i < end; i++)
		sum += (uint64_t)(t->rows[i].id * 1000003 + t->rows[i].amount) * 2654435761u + (uint64_t)t->rows[i].name[0] * 31 +
		       (uint64_t)t->rows[i].name[4];
	ret->rows = end - at;
	snprintf(ret->digest, sizeof ret->digest, "%016llx", (unsigned long long)sum);
	return 0;
}

/* ---- writing ---- */

static int mem_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	const struct mem_table *t = find(s->store, target->object);
	(void)err;
	*ret_exists = t != NULL;
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(target->schema, i, &f);
		snprintf(lines[i].native, sizeof lines[i].native, "%s", f.native);
		if (t && t->narrow && !strcmp(f.name, "amount")) {
			lines[i].verdict = ENT_MAP_LOSSY;
			snprintf(lines[i].why, sizeof lines[i].why, "two decimals are cut");
			snprintf(lines[i].native, sizeof lines[i].native, "int");
		}
	}
	return 0;
}

static struct ent_sink_checkpoint *point(struct mem_store *s, const char *part)
{
	for (size_t i = 0; i < s->n_points; i++)
		if (!strcmp(s->points[i].part, part))
			return &s->points[i];
	return NULL;
}

static void point_put(struct mem_store *s, const struct ent_sink_checkpoint *c)
{
	struct ent_sink_checkpoint *p = point(s, c->part);
	*(p ? p : &s->points[s->n_points++]) = *c;
}

static int mem_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	struct ent_sink *k = ent_alloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	*k = (struct ent_sink){ .store = s->store, .epoch = *epoch };
	snprintf(k->job, sizeof k->job, "%s", job);
	pthread_mutex_lock(&s->store->lock);
	struct ent_sink_checkpoint *p = point(s->store, "entente.epoch");
	if (!*epoch) {
		struct ent_sink_checkpoint c = { .part = "entente.epoch", .epoch = p ? p->epoch + 1 : 1 };
		point_put(s->store, &c);
		k->epoch = c.epoch;
	}
	pthread_mutex_unlock(&s->store->lock);
	*epoch = k->epoch;
	*ret = k;
	return 0;
}

static int mem_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	struct mem_store *s = k->store;
	pthread_mutex_lock(&s->lock);
	bool there = find(s, target->object) != NULL;
	int r = there && target->mode == ENT_WRITE_CREATE && !target->resume ? ent_fail(err, ENT_EUSAGE, "%s is there", target->object) : 0;
	if (!r) {
		struct mem_table *t = mem_table(s, target->object);
		k->made = !there;
		k->table = (size_t)(t - s->tables);
		k->mode = target->mode;
		k->truncate = target->mode == ENT_WRITE_REPLACE && !target->resume;
	}
	pthread_mutex_unlock(&s->lock);
	*ret_index = 0;
	return r;
}

static int mem_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_BATCH_AUTO b = { 0 };
	(void)index;
	ENT_TRY(make_schema(false, &schema, err));
	ENT_TRY(ent_batch_open_copy(&schema, rows, &b, err));
	k->pending = (struct mem_row *)realloc(k->pending, (k->n_pending + b.rows + 1) * sizeof *k->pending);
	for (size_t i = 0; i < b.rows; i++) {
		struct ent_bytes name = ent_view_null(&b.columns[1], i) ? ent_bytes(NULL, 0) : ent_view_text(&b.columns[1], i);
		struct mem_row *r = &k->pending[k->n_pending++];
		*r = (struct mem_row){ .id = ent_view_int(&b.columns[0], i), .amount = ent_view_int(&b.columns[2], i) };
		snprintf(r->name, sizeof r->name, "%.*s", (int)name.len, (const char *)name.data);
	}
	return 0;
}

static void merge(struct ent_sink *k)
{
	struct mem_table *t = &k->store->tables[k->table];
	if (k->truncate)
		t->n = 0;
	k->truncate = false;
	for (size_t i = 0; i < k->n_pending; i++) {
		bool found = false;
		for (size_t j = 0; k->mode == ENT_WRITE_UPSERT && !found && j < t->n; j++)
			if (t->rows[j].id == k->pending[i].id) {
				t->rows[j] = k->pending[i];
				found = true;
			}
		if (!found)
			add_rows(t, &k->pending[i], 1);
	}
	k->n_pending = 0;
}

static int mem_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	struct mem_store *s = k->store;
	int r = 0;
	pthread_mutex_lock(&s->lock);
	s->commits++;
	const struct ent_sink_checkpoint *now = point(s, "entente.epoch");
	if (!now || now->epoch != k->epoch)
		r = ent_fail(err, ENT_EAGAIN, "another run of this job took over");
	else if (s->fail_commit_after == 0)
		r = ent_fail(err, ENT_EIO, "the target broke");
	if (!r) {
		merge(k);
		if (c)
			point_put(s, c);
	}
	s->fail_commit_after -= s->fail_commit_after > 0;
	k->n_pending = 0;
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int mem_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	(void)err;
	k->n_pending = 0;
	return 0;
}

static int mem_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	(void)index;
	(void)err;
	k->truncate = true;
	return 0;
}

static int mem_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	pthread_mutex_lock(&k->store->lock);
	const struct ent_sink_checkpoint *p = point(k->store, part);
	if (p)
		*ret = *p;
	pthread_mutex_unlock(&k->store->lock);
	return p ? 0 : ent_fail(err, ENT_ENOTFOUND, "no checkpoint");
}

static int mem_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	(void)err;
	pthread_mutex_lock(&k->store->lock);
	if (forget)
		k->store->n_points = 0;
	pthread_mutex_unlock(&k->store->lock);
	return 0;
}

static void mem_sink_close(struct ent_sink *k)
{
	if (k)
		free(k->pending);
	free(k);
}

/* ---- two phases ---- */

static int mem_prepare(struct ent_sink *k, const char *name, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	struct mem_store *s = k->store;
	(void)c;
	for (size_t i = 0; i < ENT_COUNT(s->doubts); i++)
		if (!s->doubts[i].name[0]) {
			snprintf(s->doubts[i].name, sizeof s->doubts[i].name, "%s", name);
			s->doubts[i].rows = k->pending;
			s->doubts[i].n = k->n_pending;
			s->doubts[i].table = k->table;
			k->pending = NULL;
			k->n_pending = 0;
			return s->fail_commit_after == 0 ? ent_fail(err, ENT_EIO, "the target broke") : 0;
		}
	return ent_fail(err, ENT_EINTERNAL, "too many");
}

static int mem_settle(struct ent_source *src, const char *name, int commit, struct ent_err *err)
{
	struct mem_store *s = src->store;
	if (s->cancelled_text)
		return ent_fail(err, ENT_EIO, "the target is gone");
	for (size_t i = 0; i < ENT_COUNT(s->doubts); i++) {
		struct mem_doubt *d = &s->doubts[i];
		if (strcmp(d->name, name) != 0)
			continue;
		if (commit)
			add_rows(&s->tables[d->table], d->rows, d->n);
		free(d->rows);
		*d = (struct mem_doubt){ .n = 0 };
		return 0;
	}
	return commit ? ent_fail(err, ENT_ENOTFOUND, "no such") : 0;
}

static int mem_in_doubt(struct ent_source *src, const char *prefix, int (*take)(void *arg, const char *name), void *arg, struct ent_err *err)
{
	(void)err;
	for (size_t i = 0; i < ENT_COUNT(src->store->doubts); i++)
		if (src->store->doubts[i].name[0] && !strncmp(src->store->doubts[i].name, prefix, strlen(prefix)))
			ENT_TRY(take(arg, src->store->doubts[i].name));
	return 0;
}

static int mem_two_phase(struct ent_source *src, struct ent_err *err)
{
	return src->store->no_two_phase ? ent_fail(err, ENT_EUNSUPPORTED, "it prepares nothing today") : 0;
}

static int mem_sink_undo(struct ent_sink *k, struct ent_err *err)
{
	(void)err;
	pthread_mutex_lock(&k->store->lock);
	if (k->made && !k->store->tables[k->table].n)
		k->store->tables[k->table].there = false;
	pthread_mutex_unlock(&k->store->lock);
	return 0;
}

#define CAPS (ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_TXN_SINK | ENT_CAP_UPSERT | ENT_CAP_CHECKSUM | ENT_CAP_WRITE | ENT_CAP_TWO_PHASE)
#define MEM(caps) \
	{ \
		.size = sizeof(struct ent_connector), .abi = ENT_CONNECTOR_ABI, .name = "mem", .capabilities = (caps), .close = mem_close, \
		.describe = mem_describe, .plan = mem_plan, .read = mem_read, .checksum = mem_checksum, .map = mem_map, .sink_open = mem_sink_open, \
		.sink_table = mem_sink_table, .sink_rows = mem_sink_rows, .sink_commit = mem_sink_commit, .sink_rollback = mem_sink_rollback, \
		.sink_truncate = mem_sink_truncate, .sink_last = mem_sink_last, .sink_finish = mem_sink_finish, .sink_close = mem_sink_close, \
		.sink_prepare = mem_prepare, .settle = mem_settle, .in_doubt = mem_in_doubt, .two_phase = mem_two_phase, .sink_undo = mem_sink_undo \
	}
static const struct ent_connector connector = MEM(CAPS), connector_parallel = MEM(CAPS | ENT_CAP_PARALLEL);
