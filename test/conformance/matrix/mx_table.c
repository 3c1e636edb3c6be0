/* Reading a table into memory through its connector. */
#include "mx.h"

int mx_table_column(const struct mx_table *t, const char *name)
{
	for (int64_t i = 0; t->schema.release && i < t->schema.n_children; i++)
		if (!strcmp(t->schema.children[i]->name, name))
			return (int)i;
	return -1;
}

void mx_table_free(struct mx_table *t)
{
	for (size_t i = 0; i < t->n_batches; i++) {
		ent_batch_close(&t->open[i]);
		ent_array_release(&t->batches[i]);
	}
	ent_schema_release(&t->schema);
	ent_schema_release(&t->described);
	*t = (struct mx_table){ 0 };
}

static int id_read(const struct ent_view *v, size_t row, int64_t *ret)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1000);
	ent_value_put(v, row, &text);
	return ent_int_parse(ent_buf_bytes(&text), ret) ? 0 : ENT_EDATA;
}

static int rows_note(struct mx_table *t, size_t batch, struct ent_err *e)
{
	int id_at = mx_table_column(t, "id");
	if (id_at < 0)
		return ent_fail(e, ENT_EDATA, "no column id was read");
	for (size_t r = 0; r < t->open[batch].rows; r++) {
		int64_t id = 0;
		if (id_read(&t->open[batch].columns[id_at], r, &id) || id < 1 || id > (int64_t)MX_ROWS)
			return ent_fail(e, ENT_EDATA, "no number of a row in column id");
		t->batch_of[id - 1] = batch;
		t->row_of[id - 1] = r;
		t->n_rows++;
	}
	return 0;
}

static int stream_read(struct ArrowArrayStream *stream, struct mx_table *t, struct ent_err *e)
{
	ENT_TRY(ent_stream_schema(stream, &t->schema, e));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_TRY(ent_stream_next(stream, &a, e));
		if (!a.release)
			return 0;
		if (t->n_batches == ENT_COUNT(t->batches))
			return ent_fail(e, ENT_EDATA, "too many batches");
		size_t at = t->n_batches++;
		t->batches[at] = ent_array_take(&a);
		ENT_TRY(ent_batch_open_copy(&t->schema, &t->batches[at], &t->open[at], e));
		ENT_TRY(rows_note(t, at, e));
	}
}

static size_t copied_columns(const struct ArrowSchema *schema, const char *names[MX_COLUMNS + 1])
{
	size_t n = 0;
	for (int64_t i = 0; i < schema->n_children && n < MX_COLUMNS + 1; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, (size_t)i, &f);
		if (f.copied)
			names[n++] = f.name;
	}
	return n;
}

static int source_read(const struct ent_connector *c, struct ent_source *src, const char *object, struct mx_table *t, struct ent_err *e)
{
	ENT_STREAM_AUTO stream = { 0 };
	struct ent_object o = { .size = sizeof o };
	const char *names[MX_COLUMNS + 1];
	ENT_TRY(c->describe(src, object, &t->described, &o, e));
	struct ent_read what = { .size = sizeof what, .object = object, .columns = names, .n_columns = copied_columns(&t->described, names) };
	ENT_TRY(c->read(src, &what, &stream, e));
	return stream_read(&stream, t, e);
}

int mx_table_read(const struct ent_connector *c, const char *url, const char *object, const struct ent_option *o, size_t n_o, struct mx_table *ret,
		  struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	*ret = (struct mx_table){ 0 };
	int code = c->open(&host, url, o, n_o, &src, e);
	if (!code)
		code = source_read(c, src, object, ret, e);
	c->close(src);
	if (code)
		mx_table_free(ret);
	return code;
}
