/* The matrix of types and values of the copy suite, as text and as a batch. */
#include <stdlib.h>

#include "suite_copy.h"

#define NINES10 "9999999999"

static const struct {
	const char *name;
	struct ent_type type;
	const char *values[SUITE_LABELS]; /* NULL: the ordinary one */
} columns[SUITE_COPY_COLUMNS] = {
	{ "id", { ENT_T_INT64, 0, 0 }, { [SUITE_ORDINARY] = "0" } },
	{ "c_bool", { ENT_T_BOOL, 0, 0 }, { [SUITE_ORDINARY] = "true", [SUITE_SMALLEST] = "false", [SUITE_LARGEST] = "true" } },
	{ "c_int16", { ENT_T_INT16, 0, 0 }, { [SUITE_ORDINARY] = "7", [SUITE_SMALLEST] = "-32768", [SUITE_LARGEST] = "32767", [SUITE_ZERO] = "0" } },
	{ "c_int32",
	  { ENT_T_INT32, 0, 0 },
	  { [SUITE_ORDINARY] = "70000", [SUITE_SMALLEST] = "-2147483648", [SUITE_LARGEST] = "2147483647", [SUITE_ZERO] = "0" } },
	{ "c_int64",
	  { ENT_T_INT64, 0, 0 },
	  { [SUITE_ORDINARY] = "5000000000",
	    [SUITE_SMALLEST] = "-9223372036854775808",
	    [SUITE_LARGEST] = "9223372036854775807",
	    [SUITE_ZERO] = "0" } },
	{ "c_uint64",
	  { ENT_T_UINT64, 0, 0 },
	  { [SUITE_ORDINARY] = "42", [SUITE_SMALLEST] = "0", [SUITE_LARGEST] = "18446744073709551615", [SUITE_ZERO] = "0" } },
	{ "c_real",
	  { ENT_T_REAL, 0, 0 },
	  { [SUITE_ORDINARY] = "0.1",
	    [SUITE_SMALLEST] = "-3.4028235e+38",
	    [SUITE_LARGEST] = "3.4028235e+38",
	    [SUITE_ZERO] = "-0",
	    [SUITE_NAN] = "NaN",
	    [SUITE_PLUS_INFINITY] = "Infinity",
	    [SUITE_MINUS_INFINITY] = "-Infinity" } },
	{ "c_double",
	  { ENT_T_DOUBLE, 0, 0 },
	  { [SUITE_ORDINARY] = "0.1",
	    [SUITE_SMALLEST] = "-1.7976931348623157e+308",
	    [SUITE_LARGEST] = "5e-324",
	    [SUITE_ZERO] = "-0",
	    [SUITE_NAN] = "NaN",
	    [SUITE_PLUS_INFINITY] = "Infinity",
	    [SUITE_MINUS_INFINITY] = "-Infinity" } },
	{ "c_dec9",
	  { ENT_T_DECIMAL, 9, 0 },
	  { [SUITE_ORDINARY] = "12", [SUITE_SMALLEST] = "-999999999", [SUITE_LARGEST] = "999999999", [SUITE_ZERO] = "0" } },
	{ "c_dec18",
	  { ENT_T_DECIMAL, 18, 4 },
	  { [SUITE_ORDINARY] = "12.3400",
	    [SUITE_SMALLEST] = "-9999" NINES10 ".9999",
	    [SUITE_LARGEST] = "9999" NINES10 ".9999",
	    [SUITE_ZERO] = "0.0000" } },
	{ "c_dec38",
	  { ENT_T_DECIMAL, 38, 1 },
	  { [SUITE_ORDINARY] = "10000.0",
	    [SUITE_SMALLEST] = "-9999999" NINES10 NINES10 NINES10 ".9",
	    [SUITE_LARGEST] = "9999999" NINES10 NINES10 NINES10 ".9",
	    [SUITE_ZERO] = "0.0" } },
	{ "c_dec3837",
	  { ENT_T_DECIMAL, 38, 37 },
	  { [SUITE_ORDINARY] = "0.0000000000000000000000000000000000001",
	    [SUITE_SMALLEST] = "-9.9999999" NINES10 NINES10 NINES10,
	    [SUITE_LARGEST] = "9.9999999" NINES10 NINES10 NINES10 } },
	{ "c_date",
	  { ENT_T_DATE, 0, 0 },
	  { [SUITE_ORDINARY] = "2024-02-29",
	    [SUITE_YEAR_1] = "0001-01-01",
	    [SUITE_YEAR_9999] = "9999-12-31",
	    [SUITE_PLUS_INFINITY] = "infinity",
	    [SUITE_MINUS_INFINITY] = "-infinity" } },
	{ "c_time", { ENT_T_TIME, 0, 0 }, { [SUITE_ORDINARY] = "12:34:56.789", [SUITE_SMALLEST] = "00:00:00", [SUITE_LARGEST] = "23:59:59.999999" } },
	{ "c_ts",
	  { ENT_T_TIMESTAMP, 0, 0 },
	  { [SUITE_ORDINARY] = "2024-02-29 12:34:56.789012",
	    [SUITE_YEAR_1] = "0001-01-01 00:00:00",
	    [SUITE_YEAR_9999] = "9999-12-31 23:59:59.999999",
	    [SUITE_PLUS_INFINITY] = "infinity",
	    [SUITE_MINUS_INFINITY] = "-infinity" } },
	{ "c_tstz",
	  { ENT_T_TIMESTAMPTZ, 0, 0 },
	  { [SUITE_ORDINARY] = "2024-02-29 12:34:56.789012+00",
	    [SUITE_YEAR_1] = "0001-01-01 00:00:00+00",
	    [SUITE_YEAR_9999] = "9999-12-31 23:59:59.999999+00",
	    [SUITE_PLUS_INFINITY] = "infinity",
	    [SUITE_MINUS_INFINITY] = "-infinity" } },
	{ "c_text",
	  { ENT_T_TEXT, 0, 0 },
	  { [SUITE_ORDINARY] = "plain; it's \"quoted\"\tand\\ broken\n.",
	    [SUITE_EMPTY] = "",
	    [SUITE_LONG] = "LONG",
	    [SUITE_BEYOND_BMP] = "\xf0\x9f\x98\x80\xf0\x90\x8d\x88" } },
	{ "c_bytes", { ENT_T_BINARY, 0, 0 }, { [SUITE_ORDINARY] = "\\x00ff0a5c", [SUITE_EMPTY] = "\\x", [SUITE_LONG] = "LONG" } },
};

const char *const suite_copy_names[SUITE_COPY_COLUMNS] = { "id",     "c_bool",   "c_int16", "c_int32", "c_int64", "c_uint64",
							   "c_real", "c_double", "c_dec9",  "c_dec18", "c_dec38", "c_dec3837",
							   "c_date", "c_time",   "c_ts",    "c_tstz",  "c_text",  "c_bytes" };

const char *suite_copy_value(size_t column, enum suite_copy_label label)
{
	static char numbers[SUITE_LABELS][12];
	if (!column) {
		snprintf(numbers[label], sizeof numbers[label], "%d", (int)label + 1);
		return numbers[label];
	}
	if (label == SUITE_NULL)
		return NULL;
	return columns[column].values[label] ? columns[column].values[label] : columns[column].values[SUITE_ORDINARY];
}

static const struct suite_copy_except *except_find(const struct suite_copy *s, const char *column, enum suite_copy_label label)
{
	for (size_t i = 0; i < s->n_excepts; i++)
		if (s->excepts[i].label == label && !strcmp(s->excepts[i].column, column))
			return &s->excepts[i];
	return NULL;
}

static bool left_out(const struct suite_copy *s, const char *column)
{
	for (size_t i = 0; i < s->n_left_out; i++)
		if (!strcmp(s->left_out[i], column))
			return true;
	return false;
}

static int infinity_put(struct ent_builder *b, size_t col, struct ent_type t, bool plus, struct ent_err *e)
{
	if (t.id == ENT_T_DATE)
		return ent_builder_int(b, col, plus ? INT32_MAX : INT32_MIN, e);
	return ent_builder_int(b, col, plus ? INT64_MAX : INT64_MIN, e);
}

static int bytes_put(struct ent_builder *b, size_t col, const char *text, struct ent_err *e)
{
	uint8_t bytes[64];
	size_t n = (strlen(text) - 2) / 2;
	return ent_unhex(bytes, n, text + 2, 2 * n) ? ent_builder_text(b, col, ent_bytes(bytes, n), e) : ENT_EINTERNAL;
}

static int value_build(struct ent_builder *b, size_t col, struct ent_type t, const char *text, struct ent_err *e)
{
	static char longest[SUITE_LONG_TEXT];
	struct ent_bytes v = ent_bytes_str(text ? text : "");
	ent_i128 wide = 0;
	int64_t n = 0;
	int32_t days = 0;
	double d = 0;
	if (!text)
		return ent_builder_null(b, col, e);
	if (!strcmp(text, "LONG")) {
		memset(longest, 'x', sizeof longest);
		return ent_builder_text(b, col, ent_bytes(longest, sizeof longest), e);
	}
	if (ent_type_is_time(t) && strstr(text, "infinity"))
		return infinity_put(b, col, t, text[0] != '-', e);
	if (t.id == ENT_T_BOOL)
		return ent_builder_int(b, col, !strcmp(text, "true"), e);
	if (ent_type_is_float(t))
		return ent_real_parse(v, &d) ? ent_builder_real(b, col, t.id == ENT_T_REAL ? (double)(float)d : d, e) : ENT_EINTERNAL;
	if (t.id == ENT_T_DECIMAL || t.id == ENT_T_UINT64)
		return ent_decimal_parse(v, t.id == ENT_T_UINT64 ? 20 : t.precision, t.scale, &wide) ? ent_builder_wide(b, col, wide, e)
												     : ENT_EINTERNAL;
	if (t.id == ENT_T_DATE)
		return ent_date_parse(v, &days) ? ent_builder_int(b, col, days, e) : ENT_EINTERNAL;
	if (t.id == ENT_T_TIME)
		return ent_clock_parse(v, &n) ? ent_builder_int(b, col, n, e) : ENT_EINTERNAL;
	if (t.id == ENT_T_TIMESTAMP || t.id == ENT_T_TIMESTAMPTZ)
		return ent_timestamp_parse(v, t.id == ENT_T_TIMESTAMPTZ, &n) ? ent_builder_int(b, col, n, e) : ENT_EINTERNAL;
	if (t.id == ENT_T_BINARY)
		return bytes_put(b, col, text, e);
	if (t.id == ENT_T_TEXT)
		return ent_builder_text(b, col, v, e);
	return ent_int_parse(v, &n) ? ent_builder_int(b, col, n, e) : ENT_EINTERNAL;
}

static int schema_make(const struct suite_copy *s, size_t *at, size_t *ret_n, struct ArrowSchema *ret, struct ent_err *e)
{
	struct ent_field fields[SUITE_COPY_COLUMNS];
	size_t n = 0;
	for (size_t i = 0; i < SUITE_COPY_COLUMNS; i++) {
		if (left_out(s, columns[i].name))
			continue;
		at[n] = i;
		fields[n++] = (struct ent_field){ .name = columns[i].name, .type = columns[i].type, .nullable = i > 0 };
	}
	*ret_n = n;
	return ent_schema_new(fields, n, "id", ret, e);
}

/* One row; only: the one refused value that stands in it all the same. */
static int row_build(const struct suite_copy *s, struct ent_builder *b, const size_t *at, size_t n, enum suite_copy_label label, const char *only,
		     struct ent_err *e)
{
	for (size_t i = 0; i < n; i++) {
		const char *name = columns[at[i]].name;
		const struct suite_copy_except *x = except_find(s, name, label);
		bool refused = x && !x->want && !(only && !strcmp(only, name));
		const char *text = suite_copy_value(at[i], at[i] && refused ? SUITE_ORDINARY : label);
		ENT_TRY(value_build(b, i, columns[at[i]].type, text, e));
	}
	return 0;
}

int suite_copy_matrix_one(const struct suite_copy *s, const struct suite_copy_except *x, struct ArrowSchema *ret_schema, struct ArrowArray *ret_rows,
			  struct ent_err *e)
{
	ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	size_t at[SUITE_COPY_COLUMNS], n;
	ENT_TRY(schema_make(s, at, &n, &schema, e));
	ENT_TRY(ent_builder_new(&schema, 0, &b, e));
	for (int label = 0; label < SUITE_LABELS; label++)
		if (!x || (int)x->label == label)
			ENT_TRY(row_build(s, b, at, n, (enum suite_copy_label)label, x ? x->column : NULL, e));
	ENT_TRY(ent_builder_finish(b, ret_rows, e));
	*ret_schema = ent_schema_take(&schema);
	return 0;
}

int suite_copy_matrix(const struct suite_copy *s, struct ArrowSchema *ret_schema, struct ArrowArray *ret_rows, struct ent_err *e)
{
	return suite_copy_matrix_one(s, NULL, ret_schema, ret_rows, e);
}

const char *suite_copy_want(const struct suite_copy *s, size_t column, enum suite_copy_label label)
{
	const struct suite_copy_except *x = except_find(s, columns[column].name, label);
	if (x && x->want)
		return x->want;
	if (column && label != SUITE_ORDINARY && label != SUITE_NULL && (x || !columns[column].values[label]))
		return suite_copy_want(s, column, SUITE_ORDINARY); /* the ordinary value stands there */
	return suite_copy_value(column, label);
}
