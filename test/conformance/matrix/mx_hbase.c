/* Apache HBase as a store of the matrix: cells put by a client of the test's own, the columns declared as `--schema` has them, the row key first. */
#include "../hb_client.h"
#include "mx.h"
#include "mx_edges.h"

#define EDGE_FLOATS \
	{ "-0", "-0", NULL }, { "NaN", "NaN", NULL }, { "infinity", "Infinity", NULL }, { "-infinity", "-Infinity", NULL }

/* Literals are the bytes of a cell: 0x and hexadecimal digits, or a text, in quotes where it would begin like those. */
static const struct mx_column columns[] = {
	{ "c_boolean", "boolean", { EDGE_TRUE_FALSE } },
	{ "c_smallint", "smallint", { EDGE_I16 } },
	{ "c_integer", "integer", { EDGE_I32 } },
	{ "c_bigint", "bigint", { EDGE_I64 } },
	{ "c_unsigned", "unsigned bigint", { EDGE_U64 } },
	{ "c_real", "real", { { "largest", "3.4028235e+38", NULL }, { "tiny", "1e-45", NULL }, EDGE_FLOATS } },
	{ "c_double", "double precision", { { "largest", "1.7976931348623157e+308", NULL }, { "tiny", "5e-324", NULL }, EDGE_FLOATS } },
	{ "c_decimal_9_0", "decimal(9,0)", { EDGE_DEC_9_0 } },
	{ "c_decimal_18_4", "decimal(18,4)", { EDGE_DEC_18_4 } },
	{ "c_decimal_38_1", "decimal(38,1)", { EDGE_DEC_38_1 } },
	{ "c_decimal_38_37", "decimal(38,37)", { EDGE_DEC_38_37 } },
	{ "c_date", "date", { EDGE_DATE, EDGE_INFINITE } },
	{ "c_time", "time", { EDGE_TIME, { "24:00", "'24:00:00'", NULL }, { "nanoseconds", "'00:00:00.000000001'", "*" } } },
	{ "c_timestamp", "timestamp without time zone", { EDGE_TS, EDGE_INFINITE } },
	{ "c_timestamptz", "timestamp with time zone", { EDGE_TSTZ, EDGE_INFINITE } },
	{ "c_text", "text", { EDGE_TEXT, EDGE_CONTROL, EDGE_LONG, { "zero letter", "0x610062", "*" }, { "not UTF-8", "0xff", "*" } } },
	{ "g:of another family", "text", { { "empty", "''", NULL }, { "beyond the BMP", "'" BMP "'", NULL } } },
	{ "c_binary", "binary", { { "empty", "''", "\\x" }, { "zero byte", "0x00ff0a5c", "\\x00ff0a5c" }, { "1 MiB", "'" MX_LONG "'", "*" } } },
	{ "c_bool", "bool", { { "true", "0xff", "true" }, { "false", "0x00", "false" } } },
	{ "c_short", "short", { { "smallest", "0x8000", "-32768" }, { "largest", "0x7fff", "32767" }, { "one byte", "0x01", "*" } } },
	{ "c_int", "int", { { "smallest", "0x80000000", "-2147483648" }, { "largest", "0x7fffffff", "2147483647" } } },
	{ "c_long",
	  "long",
	  { { "smallest", "0x8000000000000000", "-9223372036854775808" }, { "largest", "0x7fffffffffffffff", "9223372036854775807" } } },
	{ "c_float",
	  "float",
	  { { "largest", "0x7f7fffff", "3.4028235e+38" },
	    { "tiny", "0x00000001", "1e-45" },
	    { "-0", "0x80000000", "-0" },
	    { "NaN", "0x7fc00000", "NaN" },
	    { "infinity", "0x7f800000", "Infinity" },
	    { "-infinity", "0xff800000", "-Infinity" } } },
	{ "c_packed_double",
	  "double",
	  { { "largest", "0x7fefffffffffffff", "1.7976931348623157e+308" },
	    { "tiny", "0x0000000000000001", "5e-324" },
	    { "-0", "0x8000000000000000", "-0" },
	    { "NaN", "0x7ff8000000000000", "NaN" },
	    { "infinity", "0x7ff0000000000000", "Infinity" },
	    { "-infinity", "0xfff0000000000000", "-Infinity" } } },
};

static struct hb_client client;
static const char *base;

static int start(const struct mx_place *p)
{
	const char *at = strrchr(p->url, ':');
	base = p->url;
	if (!OK(hb_connect(&client, at ? (unsigned)strtoul(at + 1, NULL, 10) : 0), "HBase: connected"))
		return 1;
	hb_namespace(&client, "mx");
	return 0;
}

static void stop(void) { hb_close(&client); }

static void drop(const char *name)
{
	hb_drop(&client, "mx", name);
	if (hb_exists(&client, "mx", "_entente_schema"))
		hb_delete(&client, "mx:_entente_schema", name, NULL);
}

static void cell_put(struct ent_buf *out, const char *literal)
{
	if (!strncmp(literal, "0x", 2)) {
		for (const char *at = literal + 2; *at; at += 2)
			ent_buf_u8(out, (uint8_t)strtoul((char[]){ at[0], at[1], 0 }, NULL, 16));
		return;
	}
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)4 << 20);
	mx_literal(&text, literal);
	size_t quoted = text.data[0] == '\'';
	ent_buf_put(out, text.data + quoted, text.len - 2 * quoted);
}

static void row_put(const char *full, size_t row, bool left_out[MX_COLUMNS][MX_ROWS])
{
	char key[24], column[100];
	snprintf(key, sizeof key, "%zu", row + 1);
	hb_text(&client, full, key, "f:_entente", ""); /* the row of NULLs has no other cell */
	for (size_t c = 0; c < ENT_COUNT(columns); c++) {
		const struct mx_value *v = mx_value_at(&mx_hbase, c, row);
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf cell = ENT_BUF((size_t)4 << 20);
		if (!v || left_out[c][row])
			continue;
		cell_put(&cell, v->literal);
		snprintf(column, sizeof column, "%s%s", strchr(columns[c].name, ':') ? "" : "f:", columns[c].name);
		hb_put(&client, full, ent_bytes_str(key), column, ent_bytes(cell.data ? (const void *)cell.data : "", cell.len), 0);
	}
}

static int make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf declared = ENT_BUF(1 << 16);
	char full[200];
	int failed = tap_failed;
	drop(name);
	hb_create(&client, "mx", name, "fg");
	ent_buf_str(&declared, "id bigint\n");
	for (size_t c = 0; c < ENT_COUNT(columns); c++)
		ent_buf_printf(&declared, "\"%s\" %s\n", columns[c].name, columns[c].type);
	hb_kept(&client, "mx", name, ent_buf_text(&declared), "id");
	snprintf(full, sizeof full, "mx:%s", name);
	for (size_t r = 0; r < mx_rows(&mx_hbase); r++)
		row_put(full, r, left_out);
	return tap_failed != failed;
}

static const char *url(const char *name)
{
	static char out[700];
	(void)name;
	snprintf(out, sizeof out, "%s/mx?tls=off", base);
	return out;
}
static const char *object(const char *name) { return name; }

const struct mx_store mx_hbase = { .kind = "hbase",
				   .title = "HBase",
				   .columns = columns,
				   .n_columns = ENT_COUNT(columns),
				   .start = start,
				   .stop = stop,
				   .make = make,
				   .drop = drop,
				   .url = url,
				   .object = object };
