/* Arrow IPC files as a store of the matrix. There is no second program here that writes them: values go through the builder and the stream writer of
 * src/arrow, which the connector does not use for writing. */
#include <unistd.h>

#include "arrow/builder.h"
#include "arrow/write.h"
#include "mx.h"
#include "mx_edges.h"

/* Literals in the spelling of arrow/value.h, texts in quotes. */
static const struct mx_column columns[] = {
	{ "c_bool", "boolean", { EDGE_TRUE_FALSE } },
	{ "c_int16", "smallint", { EDGE_I16 } },
	{ "c_int32", "integer", { EDGE_I32 } },
	{ "c_int64", "bigint", { EDGE_I64 } },
	{ "c_float",
	  "real",
	  { { "largest", "3.4028235e+38", NULL },
	    { "tiny", "1e-45", NULL },
	    { "-0", "-0", NULL },
	    { "NaN", "NaN", NULL },
	    { "infinity", "Infinity", NULL },
	    { "-infinity", "-Infinity", NULL } } },
	{ "c_double",
	  "double precision",
	  { { "largest", "1.7976931348623157e+308", NULL },
	    { "tiny", "5e-324", NULL },
	    { "-0", "-0", NULL },
	    { "NaN", "NaN", NULL },
	    { "infinity", "Infinity", NULL },
	    { "-infinity", "-Infinity", NULL } } },
	{ "c_decimal_9_0", "decimal(9,0)", { EDGE_DEC_9_0 } },
	{ "c_decimal_18_4", "decimal(18,4)", { EDGE_DEC_18_4 } },
	{ "c_decimal_38_1", "decimal(38,1)", { EDGE_DEC_38_1 } },
	{ "c_decimal_38_37", "decimal(38,37)", { EDGE_DEC_38_37 } },
	{ "c_date", "date", { EDGE_DATE } },
	{ "c_timestamp", "timestamp without time zone", { EDGE_TS } },
	{ "c_timestamptz", "timestamp with time zone", { EDGE_TSTZ } },
	{ "c_text", "text", { EDGE_TEXT, EDGE_CONTROL, EDGE_LONG } },
};

static int start(const struct mx_place *p)
{
	(void)p;
	return 0;
}

static const char *url(const char *name)
{
	static char path[300];
	snprintf(path, sizeof path, "%s/%s.arrows", mx_work, name);
	return path;
}

static const char *object(const char *name)
{
	(void)name;
	return "";
}

static void drop(const char *name) { (void)unlink(url(name)); }

static int value_put(struct ent_builder *b, size_t col, struct ent_bytes text)
{
	struct ent_type t = ent_builder_type(b, col);
	ent_i128 wide = 0;
	int64_t n = 0;
	int32_t days = 0;
	double d = 0;
	if (t.id == ENT_T_TEXT)
		return ent_builder_text(b, col, text, NULL);
	if (t.id == ENT_T_BOOL)
		return ent_builder_int(b, col, text.len == 4, NULL);
	if (t.id == ENT_T_DECIMAL)
		return ent_decimal_parse(text, t.precision, t.scale, &wide) ? ent_builder_wide(b, col, wide, NULL) : ENT_EDATA;
	if (ent_type_is_float(t))
		return ent_real_parse(text, &d) ? ent_builder_real(b, col, t.id == ENT_T_REAL ? (double)(float)d : d, NULL) : ENT_EDATA;
	if (t.id == ENT_T_DATE)
		return ent_date_parse(text, &days) ? ent_builder_int(b, col, days, NULL) : ENT_EDATA;
	if (ent_type_is_time(t))
		return ent_timestamp_parse(text, t.id == ENT_T_TIMESTAMPTZ, &n) ? ent_builder_int(b, col, n, NULL) : ENT_EDATA;
	return ent_int_parse(text, &n) ? ent_builder_int(b, col, n, NULL) : ENT_EDATA;
}

static int row_put(struct ent_builder *b, size_t row, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_TRY(ent_builder_int(b, 0, (int64_t)row + 1, NULL));
	for (size_t c = 0; c < ENT_COUNT(columns); c++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)4 << 20);
		const struct mx_value *v = mx_value_at(&mx_arrow, c, row);
		if (!v || left_out[c][row]) {
			ENT_TRY(ent_builder_null(b, c + 1, NULL));
			continue;
		}
		mx_literal(&text, v->literal);
		size_t quoted = text.data[0] == '\'';
		ENT_TRY(value_put(b, c + 1, ent_bytes(text.data + quoted, text.len - 2 * quoted)));
	}
	return 0;
}

static int rows_write(struct ent_buf *out, bool left_out[MX_COLUMNS][MX_ROWS])
{
	struct ent_field fields[ENT_COUNT(columns) + 1] = { { .name = "id", .type = { ENT_T_INT64, 0, 0 } } };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_ARRAY_AUTO rows = { 0 };
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_CLEANUP(ent_writer_freep) struct ent_writer *w = NULL;
	for (size_t c = 0; c < ENT_COUNT(columns); c++) {
		fields[c + 1] = (struct ent_field){ .name = columns[c].name, .nullable = true };
		if (!ent_type_by_name(columns[c].type, &fields[c + 1].type))
			return ENT_EINTERNAL;
	}
	ENT_TRY(ent_schema_new(fields, ENT_COUNT(fields), NULL, &schema, NULL));
	ENT_TRY(ent_builder_new(&schema, 0, &b, NULL));
	for (size_t r = 0; r < mx_rows(&mx_arrow); r++)
		ENT_TRY(row_put(b, r, left_out));
	ENT_TRY(ent_builder_finish(b, &rows, NULL));
	ENT_TRY(ent_writer_new(ENT_RESULT_ARROW, &schema, ent_out_buf(out), NULL, &w, NULL));
	ENT_TRY(ent_writer_batch(w, &rows, NULL));
	return ent_writer_end(w, NULL);
}

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF((size_t)16 << 20);
	int code = rows_write(&out, left_out);
	FILE *f = code ? NULL : fopen(url(name), "wb");
	size_t n = f ? fwrite(out.data, 1, out.len, f) : 0;
	return !OK(f && n == out.len && !fclose(f), "wrote %s (%d)", url(name), code);
}

const struct mx_store mx_arrow = { .kind = "arrow",
				   .title = "Arrow",
				   .columns = columns,
				   .n_columns = ENT_COUNT(columns),
				   .start = start,
				   .make = make,
				   .drop = drop,
				   .url = url,
				   .object = object };
