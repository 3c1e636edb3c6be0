/* The writers' common part: choosing one, validating batches, paging the output. */
#include "arrow/write.h"

#include <stdlib.h>

#include "arrow/stream.h"
#include "arrow/writer.h"

static const struct {
	const char *name;
	enum ent_result_format format;
	const struct ent_writer_ops *ops;
} formats[] = {
	{ "table", ENT_RESULT_TABLE, &ent_writer_table },
	{ "csv", ENT_RESULT_CSV, &ent_writer_csv },
	{ "json", ENT_RESULT_JSON, &ent_writer_json },
	{ "arrow", ENT_RESULT_ARROW, &ent_writer_ipc },
};

bool ent_result_format_by_name(const char *name, enum ent_result_format *ret)
{
	for (size_t i = 0; i < ENT_COUNT(formats); i++) {
		if (!strcmp(formats[i].name, name)) {
			*ret = formats[i].format;
			return true;
		}
	}
	return false;
}

static int buf_write(void *self, struct ent_bytes bytes, struct ent_err *err)
{
	struct ent_buf *b = (struct ent_buf *)self;
	ent_buf_put(b, bytes.data, bytes.len);
	return ent_buf_check(b, err);
}

struct ent_out ent_out_buf(struct ent_buf *b) { return (struct ent_out){ buf_write, b }; }

int ent_writer_flush(struct ent_writer *w, bool always, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(&w->page, err));
	if (!w->page.len || (!always && w->page.len < ENT_PAGE_BYTES))
		return 0;
	ENT_TRY(w->out.write(w->out.self, ent_buf_bytes(&w->page), err));
	ent_buf_reset(&w->page);
	return 0;
}

void ent_writer_free(struct ent_writer *w)
{
	if (!w)
		return;
	ent_buf_deinit(&w->page);
	ent_buf_deinit(&w->cells);
	free(w->fields);
	free(w->widths);
	free(w);
}

static int fields_read(struct ent_writer *w, struct ent_err *err)
{
	for (size_t i = 0; i < w->n_fields; i++) {
		ent_schema_field(w->schema, i, &w->fields[i]);
		if (w->fields[i].unsupported[0])
			return ent_fail(err, ENT_EUNSUPPORTED, "column %s cannot be written: %s", w->fields[i].name, w->fields[i].unsupported);
	}
	return 0;
}

int ent_writer_new(enum ent_result_format format, const struct ArrowSchema *schema, struct ent_out out, const struct ent_result_style *style,
		   struct ent_writer **ret, struct ent_err *err)
{
	ENT_TRY(ent_schema_check(schema, err));
	ENT_CLEANUP(ent_writer_freep) struct ent_writer *w = (struct ent_writer *)calloc(1, sizeof *w);
	if (!w)
		return ent_nomem(err);
	w->ops = formats[format].ops;
	w->schema = schema;
	w->n_fields = (size_t)schema->n_children;
	w->out = out;
	w->style = style ? *style : (struct ent_result_style){ 0 };
	w->style.sample_max = w->style.sample_max ? w->style.sample_max : 1000;
	ent_buf_init(&w->page, (size_t)1 << 30);
	ent_buf_init(&w->cells, ENT_BATCH_BYTES_HARD);
	w->fields = (struct ent_field_info *)calloc(w->n_fields + 1, sizeof *w->fields);
	w->widths = (size_t *)calloc(w->n_fields + 1, sizeof *w->widths);
	if (!w->fields || !w->widths)
		return ent_nomem(err);
	ENT_TRY(fields_read(w, err));
	ENT_TRY(w->ops->begin(w, err));
	*ret = w;
	w = NULL;
	return 0;
}

int ent_writer_batch(struct ent_writer *w, const struct ArrowArray *batch, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	ENT_TRY(ent_batch_open(w->schema, batch, &b, err));
	ENT_TRY(w->ops->batch(w, &b, err));
	w->rows += b.rows;
	return 0;
}

int ent_writer_end(struct ent_writer *w, struct ent_err *err)
{
	ENT_TRY(w->ops->end(w, err));
	return ent_writer_flush(w, true, err);
}

int ent_write_stream(enum ent_result_format format, struct ArrowArrayStream *stream, struct ent_out out, const struct ent_result_style *style,
		     uint64_t *ret_rows, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_CLEANUP(ent_writer_freep) struct ent_writer *w = NULL;
	ENT_TRY(ent_stream_schema(stream, &schema, err));
	ENT_TRY(ent_writer_new(format, &schema, out, style, &w, err));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_TRY(ent_stream_next(stream, &a, err));
		if (!a.release)
			break;
		ENT_TRY(ent_writer_batch(w, &a, err));
	}
	ENT_TRY(ent_writer_end(w, err));
	if (ret_rows)
		*ret_rows = w->rows;
	return 0;
}
