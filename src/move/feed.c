#include "move/feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/builder.h"
#include "arrow/stream.h"

#define SCHEMA_BYTES_MAX ((size_t)4 << 20)

/* ---- putting ---- */

static size_t frame_begin(struct ent_buf *out, char kind)
{
	size_t at = out->len;
	ent_buf_be32(out, 0);
	ent_buf_u8(out, (uint8_t)kind);
	return at;
}

static void frame_end(struct ent_buf *out, size_t at)
{
	if (out->code)
		return;
	uint32_t len = (uint32_t)(out->len - at - 4);
	for (size_t i = 0; i < 4; i++)
		out->data[at + i] = (uint8_t)(len >> (24 - 8 * i));
}

int ent_feed_put_schema(const struct ArrowSchema *schema, struct ent_buf *out, struct ent_err *err)
{
	char keys[4000] = "";
	json_t *columns = json_array();
	(void)ent_metadata_get(schema->metadata, ENT_META_KEYS, keys, sizeof keys);
	ENT_JSON_AUTO o = json_pack("{s:o,s:s}", "columns", columns, "keys", keys);
	for (size_t i = 0; o && i < (size_t)schema->n_children; i++) {
		struct ent_field_info f;
		char type[ENT_TYPE_TEXT_MAX];
		ent_schema_field(schema, i, &f);
		if (!f.copied)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be copied", f.name);
		ent_type_name(f.type, type);
		json_array_append_new(columns,
				      json_pack("{s:s,s:s,s:b,s:s}", "name", f.name, "type", type, "nullable", f.nullable, "native", f.native));
	}
	size_t at = frame_begin(out, 'S');
	ENT_TRY(o ? ent_json_canonical(o, out, err) : ent_nomem(err));
	frame_end(out, at);
	return ent_buf_check(out, err);
}

static void put_wide(struct ent_buf *out, ent_i128 v)
{
	ent_buf_be64(out, (uint64_t)((ent_u128)v >> 64));
	ent_buf_be64(out, (uint64_t)v);
}

static void put_value(const struct ent_view *v, size_t row, struct ent_buf *out)
{
	union {
		double d;
		uint64_t u;
	} bits;
	switch (v->type.id) {
	case ENT_T_BOOL:
		ent_buf_u8(out, (uint8_t)ent_view_int(v, row));
		return;
	case ENT_T_TEXT:
	case ENT_T_BINARY: {
		struct ent_bytes text = ent_view_text(v, row);
		ent_buf_be32(out, (uint32_t)text.len);
		ent_buf_put(out, text.data, text.len);
		return;
	}
	case ENT_T_DECIMAL:
	case ENT_T_UINT64:
		put_wide(out, ent_view_wide(v, row));
		return;
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		bits.d = ent_view_real(v, row);
		ent_buf_be64(out, bits.u);
		return;
	case ENT_T_INT16:
	case ENT_T_INT32:
	case ENT_T_INT64:
	case ENT_T_DATE:
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
	case ENT_T_TIME:
	case ENT_T_COUNT:
		ent_buf_be64(out, (uint64_t)ent_view_int(v, row));
	}
}

int ent_feed_put_batch(const struct ent_batch *b, struct ent_buf *out, struct ent_err *err)
{
	size_t at = frame_begin(out, 'B');
	ent_buf_be32(out, (uint32_t)b->rows);
	for (size_t i = 0; i < b->n_columns; i++) {
		const struct ent_view *v = &b->columns[i];
		uint8_t *valid = ent_buf_space(out, (b->rows + 7) / 8);
		for (size_t row = 0; valid && row < b->rows; row++)
			if (!ent_view_null(v, row))
				valid[row / 8] |= (uint8_t)(1u << (row % 8));
		for (size_t row = 0; row < b->rows; row++)
			if (!ent_view_null(v, row))
				put_value(v, row, out);
	}
	frame_end(out, at);
	return ent_buf_check(out, err);
}

void ent_feed_put_end(uint64_t rows, struct ent_buf *out)
{
	size_t at = frame_begin(out, 'E');
	ent_buf_be64(out, rows);
	frame_end(out, at);
}

void ent_feed_put_failure(const char *text, struct ent_buf *out)
{
	size_t at = frame_begin(out, 'X');
	ent_buf_str(out, text);
	frame_end(out, at);
}

/* ---- getting ---- */

static void fields_free(struct ent_field **f) { free(*f); }

static int get_field(const json_t *o, struct ent_field *ret, struct ent_err *err)
{
	const char *type;
	ENT_TRY(ent_json_str(o, "name", &ret->name, err));
	ENT_TRY(ent_json_str(o, "type", &type, err));
	ENT_TRY(ent_json_bool(o, "nullable", &ret->nullable, err));
	ENT_TRY(ent_json_str(o, "native", &ret->native, err));
	if (!ent_type_by_name(type, &ret->type))
		return ent_fail(err, ENT_EDATA, "a column has the unknown type %.60s", type);
	return 0;
}

int ent_feed_get_schema(struct ent_bytes payload, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_JSON_AUTO o = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	json_t *columns;
	const char *keys;
	ENT_TRY(ent_json_parse_canonical(payload, SCHEMA_BYTES_MAX, &o, err));
	ENT_TRY(ent_json_array(o, "columns", &columns, err));
	ENT_TRY(ent_json_str(o, "keys", &keys, err));
	size_t n = json_array_size(columns);
	if (!n || n > ENT_COLUMNS_MAX)
		return ent_fail(err, ENT_EDATA, "a schema has 1 to %u columns", ENT_COLUMNS_MAX);
	ENT_CLEANUP(fields_free) struct ent_field *fields = ent_alloc(n, sizeof *fields);
	if (!fields)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		fields[i] = (struct ent_field){ 0 };
		ENT_TRY(get_field(json_array_get(columns, i), &fields[i], err));
	}
	ENT_TRY(ent_schema_new(fields, n, *keys ? keys : NULL, &schema, err));
	ENT_TRY(ent_schema_check(&schema, err));
	*ret = ent_schema_take(&schema);
	return 0;
}

static int get_value(struct ent_reader *r, struct ent_builder *b, size_t col, struct ent_err *err)
{
	struct ent_type t = ent_builder_type(b, col);
	if (t.id == ENT_T_BOOL) {
		uint8_t v = ent_read_u8(r);
		return v <= 1 ? ent_builder_int(b, col, v, err) : ent_fail(err, ENT_EDATA, "a boolean is neither 0 nor 1");
	}
	if (ent_type_is_bytes(t)) {
		struct ent_bytes text = ent_read(r, ent_read_be32(r));
		return r->ok ? ent_builder_text(b, col, text, err) : ent_fail(err, ENT_EDATA, "a batch is cut short");
	}
	if (t.id == ENT_T_DECIMAL || t.id == ENT_T_UINT64) {
		ent_u128 high = ent_read_be64(r);
		return ent_builder_wide(b, col, (ent_i128)(high << 64 | ent_read_be64(r)), err);
	}
	union {
		double d;
		uint64_t u;
	} bits = { .u = ent_read_be64(r) };
	return ent_type_is_float(t) ? ent_builder_real(b, col, bits.d, err) : ent_builder_int(b, col, (int64_t)bits.u, err);
}

static int get_column(struct ent_reader *r, struct ent_builder *b, size_t col, bool nullable, size_t rows, struct ent_err *err)
{
	struct ent_bytes valid = ent_read(r, (rows + 7) / 8);
	for (size_t row = 0; r->ok && row < rows; row++) {
		if (valid.data[row / 8] >> (row % 8) & 1)
			ENT_TRY(get_value(r, b, col, err));
		else if (nullable)
			ENT_TRY(ent_builder_null(b, col, err));
		else
			return ent_fail(err, ENT_EDATA, "a column without NULLs has one");
	}
	return r->ok ? 0 : ent_fail(err, ENT_EDATA, "a batch is cut short");
}

int ent_feed_get_batch(struct ent_bytes payload, const struct ArrowSchema *schema, struct ArrowArray *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	struct ent_reader r = ent_reader(payload);
	size_t rows = ent_read_be32(&r);
	if (!r.ok || rows > ENT_BATCH_ROWS_MAX)
		return ent_fail(err, ENT_EDATA, "a batch has at most %u rows", ENT_BATCH_ROWS_MAX);
	ENT_TRY(ent_builder_new(schema, 0, &b, err));
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, i, &f);
		ENT_TRY(get_column(&r, b, i, f.nullable, rows, err));
	}
	if (ent_reader_left(&r))
		return ent_fail(err, ENT_EDATA, "a batch has bytes behind its end");
	return ent_builder_finish(b, ret, err);
}

/* ---- a source that is fed ---- */

struct ent_source {
	struct ent_feed_from feed;
	struct ArrowSchema schema;
	struct ent_buf frame; /* kind and payload */
	uint64_t rows;
	bool ended;
};

static void fed_close(struct ent_source *s)
{
	if (!s)
		return;
	ent_schema_release(&s->schema);
	ent_buf_deinit(&s->frame);
	free(s);
}

static int next_frame(struct ent_source *s, struct ent_err *err)
{
	uint8_t head[4];
	ENT_TRY(s->feed.read(s->feed.self, head, sizeof head, err));
	size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (!len || len > ENT_FEED_BYTES_MAX)
		return ent_fail(err, ENT_EDATA, "a frame of %zu bytes", len);
	ent_buf_reset(&s->frame);
	uint8_t *data = ent_buf_space(&s->frame, len);
	return data ? s->feed.read(s->feed.self, data, len, err) : ent_nomem(err);
}

static struct ent_bytes payload_of(const struct ent_source *s) { return ent_bytes(s->frame.data + 1, s->frame.len - 1); }

static int sender_failed(const struct ent_source *s, struct ent_err *err)
{
	struct ent_bytes text = payload_of(s);
	char clean[300];
	snprintf(clean, sizeof clean, "%.*s", (int)(text.len < 280 ? text.len : 280), (const char *)text.data);
	for (char *c = clean; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
	return ent_fail(err, ENT_EPEER, "the owner's part failed: %s", ent_utf8_valid(ent_bytes_str(clean)) ? clean : "?");
}

static int fed_describe(struct ent_source *s, const char *object, struct ArrowSchema *schema, struct ent_object *ret, struct ent_err *err)
{
	(void)object;
	ret->rows = -1;
	return ent_schema_dup(&s->schema, schema, err);
}

static int fed_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct ent_source *s = self;
	if (s->ended)
		return 0;
	ENT_TRY(next_frame(s, err));
	if (s->frame.data[0] == 'X')
		return sender_failed(s, err);
	if (s->frame.data[0] == 'E') {
		struct ent_reader r = ent_reader(payload_of(s));
		s->ended = ent_read_be64(&r) == s->rows && r.ok && !ent_reader_left(&r);
		return s->ended ? 0 : ent_fail(err, ENT_EDATA, "the sender counts other rows than came");
	}
	if (s->frame.data[0] != 'B')
		return ent_fail(err, ENT_EDATA, "a frame of an unknown kind");
	ENT_TRY(ent_feed_get_batch(payload_of(s), &s->schema, ret, err));
	s->rows += (uint64_t)ret->length;
	return 0;
}

static int fed_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	static const struct ent_stream_ops ops = { fed_next, NULL };
	ENT_SCHEMA_AUTO schema = { 0 };
	if (what->where || what->columns || what->flags)
		return ent_fail(err, ENT_EUNSUPPORTED, "rows that are on their way have no conditions and no other columns");
	ENT_TRY(ent_schema_dup(&s->schema, &schema, err));
	return ent_stream_new(&schema, &ops, s, ret, err);
}

static const struct ent_connector fed = { .size = sizeof fed,
					  .abi = ENT_CONNECTOR_ABI,
					  .name = "rows",
					  .schemes = "",
					  .suffixes = "",
					  .dialect = "",
					  .capabilities = ENT_CAP_SNAPSHOT,
					  .close = fed_close,
					  .describe = fed_describe,
					  .read = fed_read };

int ent_feed_source_open(const struct ent_feed_from *feed, struct ent_move_session *ret, struct ent_err *err)
{
	struct ent_source *s = ent_alloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	*s = (struct ent_source){ .feed = *feed, .frame = ENT_BUF(ENT_FEED_BYTES_MAX + 1) };
	int r = next_frame(s, err);
	if (!r && s->frame.data[0] == 'X')
		r = sender_failed(s, err);
	if (!r)
		r = s->frame.data[0] == 'S' ? ent_feed_get_schema(payload_of(s), &s->schema, err)
					    : ent_fail(err, ENT_EDATA, "the first frame is no schema");
	if (r) {
		fed_close(s);
		return r;
	}
	*ret = (struct ent_move_session){ &fed, s };
	return 0;
}

/* ---- sending ---- */

struct sending {
	struct ent_buf frame;
	int (*write)(void *self, struct ent_bytes bytes, struct ent_err *err);
	void *self;
	uint64_t rows;
};

static int flush(struct sending *s, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(&s->frame, err));
	int r = s->write(s->self, ent_buf_bytes(&s->frame), err);
	ent_buf_reset(&s->frame);
	return r;
}

static int send_rows(struct sending *s, const struct ent_move_session *from, const struct ent_read *what, struct ent_err *err)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(from->connector->read(from->source, what, &stream, err));
	ENT_TRY(ent_stream_schema(&stream, &schema, err));
	ENT_TRY(ent_feed_put_schema(&schema, &s->frame, err));
	for (;;) {
		ENT_ARRAY_AUTO array = { 0 };
		ENT_BATCH_AUTO batch = { 0 };
		ENT_TRY(flush(s, err));
		ENT_TRY(ent_stream_next(&stream, &array, err));
		if (!array.release)
			break;
		ENT_TRY(ent_batch_open_copy(&schema, &array, &batch, err));
		ENT_TRY(ent_feed_put_batch(&batch, &s->frame, err));
		s->rows += batch.rows;
	}
	ent_feed_put_end(s->rows, &s->frame);
	return flush(s, err);
}

int ent_feed_send(const struct ent_move_session *from, const struct ent_read *what,
		  int (*write)(void *self, struct ent_bytes bytes, struct ent_err *err), void *self, uint64_t *ret_rows, struct ent_err *err)
{
	struct sending s = { .frame = ENT_BUF(ENT_FEED_BYTES_MAX), .write = write, .self = self };
	int r = send_rows(&s, from, what, err);
	if (r) { /* what went wrong at the owner is the owner's business */
		ent_buf_reset(&s.frame);
		ent_feed_put_failure("it could not be read; its owner's log says why", &s.frame);
		(void)flush(&s, NULL);
	}
	ent_buf_deinit(&s.frame);
	*ret_rows = s.rows;
	return r;
}
