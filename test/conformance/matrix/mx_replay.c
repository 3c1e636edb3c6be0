/* A source that hands out rows read before, one by one, some of their values as NULL: a connector of five functions. Buffers are the table's. */
#include "mx.h"

struct ent_source {
	struct mx_replay replay;
};

struct slice { /* one row of a batch, children and their empty validities */
	struct ArrowArray *children, **pointers;
	const void **buffers;
	uint8_t *nothing;
};

static void slice_release(struct ArrowArray *a)
{
	struct slice *s = (struct slice *)a->private_data;
	free(s->children);
	free(s->pointers);
	free(s->buffers);
	free(s->nothing);
	free(s);
	a->release = NULL;
}

static void child_release(struct ArrowArray *a) { a->release = NULL; }

struct pulling {
	struct mx_replay replay;
	size_t columns[MX_COLUMNS + 1]; /* children of the table's batches */
	long of[MX_COLUMNS + 1];        /* the store's columns, -1: id */
	size_t n, row;
};

static void child_fill(const struct pulling *p, const struct mx_table *t, size_t i, struct slice *s)
{
	const struct ArrowArray *from = t->batches[t->batch_of[p->row]].children[p->columns[i]];
	struct ArrowArray *to = &s->children[i];
	*to = *from;
	to->offset += t->batches[t->batch_of[p->row]].offset + (int64_t)t->row_of[p->row];
	to->length = 1;
	to->null_count = -1;
	to->release = child_release;
	to->private_data = NULL;
	if (p->of[i] < 0 || !p->replay.left_out[p->of[i]][p->row])
		return;
	for (int64_t b = 0; b < from->n_buffers; b++)
		s->buffers[i * 3 + (size_t)b] = b ? from->buffers[b] : s->nothing;
	to->buffers = &s->buffers[i * 3];
	to->null_count = 1;
}

static int pull(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct pulling *p = (struct pulling *)self;
	const struct mx_table *t = &p->replay.source->table;
	(void)err;
	while (p->row < t->n_rows && p->replay.rows && !p->replay.rows[p->row])
		p->row++;
	if (p->row >= t->n_rows)
		return 0;
	struct slice *s = (struct slice *)calloc(1, sizeof *s);
	s->children = (struct ArrowArray *)calloc(p->n, sizeof *s->children);
	s->pointers = (struct ArrowArray **)calloc(p->n, sizeof(void *));
	s->buffers = (const void **)calloc(p->n * 3, sizeof(void *));
	s->nothing = (uint8_t *)calloc(1, ENT_BATCH_ROWS_MAX / 8);
	static const void *none[1];
	for (size_t i = 0; i < p->n; i++) {
		child_fill(p, t, i, s);
		s->pointers[i] = &s->children[i];
	}
	*ret = (struct ArrowArray){ .length = 1, .n_buffers = 1, .buffers = none, .n_children = (int64_t)p->n, .children = s->pointers };
	ret->private_data = s;
	ret->release = slice_release;
	p->row++;
	return 0;
}

static void pull_free(void *self) { free(self); }

/* --- the connector --- */

static void replay_close(struct ent_source *src) { free(src); }

static int replay_describe(struct ent_source *src, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	(void)object;
	ret_object->rows = -1;
	return ent_schema_dup(&src->replay.source->table.described, ret_schema, err);
}

static long store_column(const struct mx_store *s, const char *name)
{
	for (size_t c = 0; c < s->n_columns; c++)
		if (!strcmp(s->columns[c].name, name))
			return (long)c;
	return -1;
}

/* The table's schema, of the columns asked for only: a deep copy whose children are left out one by one. */
static int part_schema(const struct pulling *p, const struct ArrowSchema *whole, struct ArrowSchema *ret, struct ent_err *err)
{
	struct ArrowSchema *children[MX_COLUMNS + 1];
	struct ArrowSchema part = *whole;
	for (size_t i = 0; i < p->n; i++)
		children[i] = whole->children[p->columns[i]];
	part.children = children;
	part.n_children = (int64_t)p->n;
	return ent_schema_dup(&part, ret, err);
}

static int replay_read(struct ent_source *src, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	static const struct ent_stream_ops ops = { pull, pull_free };
	const struct mx_table *t = &src->replay.source->table;
	struct pulling *p = (struct pulling *)calloc(1, sizeof *p);
	ENT_SCHEMA_AUTO schema = { 0 };
	p->replay = src->replay;
	for (size_t i = 0; i < what->n_columns && i <= MX_COLUMNS; i++) {
		int at = mx_table_column(t, what->columns[i]);
		if (at < 0) {
			free(p);
			return ent_fail(err, ENT_ENOTFOUND, "no column %s", what->columns[i]);
		}
		p->columns[p->n] = (size_t)at;
		p->of[p->n++] = store_column(src->replay.source->store, what->columns[i]);
	}
	int code = part_schema(p, &t->schema, &schema, err);
	if (code) {
		free(p);
		return code;
	}
	return ent_stream_new(&schema, &ops, p, ret, err);
}

static int replay_open(void *self, const struct ent_option *more, size_t n_more, struct ent_move_session *ret, struct ent_err *err)
{
	struct mx_replay *r = (struct mx_replay *)self;
	struct ent_source *src = (struct ent_source *)malloc(sizeof *src);
	(void)more;
	(void)n_more;
	if (!src)
		return ent_nomem(err);
	src->replay = *r;
	ret->connector = &r->connector;
	ret->source = src;
	return 0;
}

struct ent_move_end mx_replay_end(struct mx_replay *r)
{
	const struct ent_connector *real = r->source->connector;
	r->connector = (struct ent_connector){ .size = sizeof r->connector,
					       .abi = ENT_CONNECTOR_ABI,
					       .name = real->name,
					       .schemes = real->schemes,
					       .suffixes = real->suffixes,
					       .dialect = real->dialect,
					       .close = replay_close,
					       .describe = replay_describe,
					       .read = replay_read };
	return (struct ent_move_end){ .self = r, .open = replay_open, .object = "mx_source", .name = r->source->store->title };
}

static int real_open(void *self, const struct ent_option *more, size_t n_more, struct ent_move_session *ret, struct ent_err *err)
{
	const struct mx_end *end = (const struct mx_end *)self;
	struct ent_option all[16];
	struct ent_host host = suite_host();
	size_t n = 0;
	for (size_t i = 0; i < end->n_options; i++)
		all[n++] = end->options[i];
	for (size_t i = 0; i < n_more && n < ENT_COUNT(all); i++)
		all[n++] = more[i];
	ret->connector = end->connector;
	return end->connector->open(&host, end->url, all, n, &ret->source, err);
}

struct ent_move_end mx_real_end(struct mx_end *end, const char *object)
{
	return (struct ent_move_end){ .self = end, .open = real_open, .object = object, .name = end->url };
}
