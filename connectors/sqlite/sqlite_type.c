/* Declared types by name, values by what is stored. */
#include "sqlite_type.h"

#include <ctype.h>
#include <stdio.h>

#include "arrow/value.h"

static const struct {
	const char *name;
	enum ent_type_id type;
} types[] = {
	{ "INTEGER", ENT_T_INT64 },
	{ "INT", ENT_T_INT64 },
	{ "BIGINT", ENT_T_INT64 },
	{ "INT8", ENT_T_INT64 },
	{ "UNSIGNED BIG INT", ENT_T_INT64 },
	{ "INT4", ENT_T_INT32 },
	{ "MEDIUMINT", ENT_T_INT32 },
	{ "SMALLINT", ENT_T_INT16 },
	{ "INT2", ENT_T_INT16 },
	{ "TINYINT", ENT_T_INT16 },
	{ "BOOLEAN", ENT_T_BOOL },
	{ "BOOL", ENT_T_BOOL },
	{ "FLOAT4", ENT_T_REAL }, /* a promise that the double is a float */
	{ "REAL", ENT_T_DOUBLE },
	{ "FLOAT", ENT_T_DOUBLE },
	{ "DOUBLE", ENT_T_DOUBLE },
	{ "DOUBLE PRECISION", ENT_T_DOUBLE },
	{ "DATE", ENT_T_DATE },
	{ "DATETIME", ENT_T_TIMESTAMP },
	{ "TIMESTAMP", ENT_T_TIMESTAMP },
	{ "TIMESTAMP WITHOUT TIME ZONE", ENT_T_TIMESTAMP },
	{ "TIMESTAMPTZ", ENT_T_TIMESTAMPTZ },
	{ "TIMESTAMP WITH TIME ZONE", ENT_T_TIMESTAMPTZ },
	{ "TEXT", ENT_T_TEXT },
	{ "CLOB", ENT_T_TEXT },
	{ "VARCHAR", ENT_T_TEXT },
	{ "CHAR", ENT_T_TEXT },
	{ "CHARACTER", ENT_T_TEXT },
	{ "CHARACTER VARYING", ENT_T_TEXT },
	{ "NCHAR", ENT_T_TEXT },
	{ "NVARCHAR", ENT_T_TEXT },
};

/* Upper case, single blanks, "(12,2)" split off into p and s (-1 when absent). */
static void declared_split(const char *declared, char name[64], int *p, int *s)
{
	size_t n = 0;
	*p = *s = -1;
	for (; *declared && *declared != '('; declared++) {
		bool blank = isspace((unsigned char)*declared);
		if (n < 62 && (!blank || (n && name[n - 1] != ' ')))
			name[n++] = blank ? ' ' : (char)toupper((unsigned char)*declared);
	}
	while (n && name[n - 1] == ' ')
		n--;
	name[n] = 0;
	if (*declared == '(' && sscanf(declared, "( %d , %d )", p, s) == 1)
		*s = 0;
}

/* Types that only copies read. DECIMALTEXT(P,S): more digits than a real tells apart, kept as text. */
static const struct {
	const char *name;
	enum ent_type_id type;
} copied[] = { { "BLOB", ENT_T_BINARY }, { "BYTEA", ENT_T_BINARY }, { "VARBINARY", ENT_T_BINARY }, { "TIME", ENT_T_TIME } };

enum ent_sqlite_use ent_sqlite_type(const char *declared, struct ent_type *ret, char reason[200])
{
	char name[64];
	int p, s;
	declared_split(declared ? declared : "", name, &p, &s);
	bool wide = !strcmp(name, "DECIMALTEXT");
	if (wide || !strcmp(name, "DECIMAL") || !strcmp(name, "NUMERIC") || !strcmp(name, "DEC")) {
		bool fits = p >= 1 && p <= 18 && s >= 0 && s <= p, copy = p >= 1 && p <= 38 && s >= 0 && s <= p && wide;
		*ret = (struct ent_type){ ENT_T_DECIMAL, (uint8_t)p, (uint8_t)s };
		if (!fits)
			snprintf(reason, 200, "%.60s has no joint type; declare it with 1 to 18 digits, such as DECIMAL(12,2)", declared);
		return fits ? ENT_SQLITE_JOINT : copy ? ENT_SQLITE_COPIED : ENT_SQLITE_NONE;
	}
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (!strcmp(types[i].name, name)) {
			*ret = (struct ent_type){ .id = types[i].type };
			return ENT_SQLITE_JOINT;
		}
	}
	snprintf(reason, 200, name[0] ? "the declared type %.60s has no joint type" : "it has no declared type%s", name);
	for (size_t i = 0; i < ENT_COUNT(copied); i++) {
		if (!strcmp(copied[i].name, name)) {
			*ret = (struct ent_type){ .id = copied[i].type };
			return ENT_SQLITE_COPIED;
		}
	}
	return ENT_SQLITE_NONE;
}

void ent_sqlite_declare(struct ent_type t, char out[64])
{
	static const char *const names[ENT_T_COUNT] = { [ENT_T_BOOL] = "BOOLEAN",
							[ENT_T_INT16] = "SMALLINT",
							[ENT_T_INT32] = "INT4",
							[ENT_T_INT64] = "BIGINT",
							[ENT_T_REAL] = "FLOAT4",
							[ENT_T_DOUBLE] = "DOUBLE",
							[ENT_T_DATE] = "DATE",
							[ENT_T_TIMESTAMP] = "TIMESTAMP",
							[ENT_T_TIMESTAMPTZ] = "TIMESTAMPTZ",
							[ENT_T_TEXT] = "TEXT",
							[ENT_T_UINT64] = "DECIMALTEXT(20,0)",
							[ENT_T_TIME] = "TIME",
							[ENT_T_BINARY] = "BLOB" };
	if (t.id == ENT_T_DECIMAL)
		snprintf(out, 64, "%s(%u,%u)", t.precision <= 15 ? "DECIMAL" : "DECIMALTEXT", t.precision, t.scale);
	else
		snprintf(out, 64, "%s", names[t.id]);
}

static int misfit(const char *name, uint64_t row, struct ent_type t, sqlite3_stmt *s, int col, struct ent_err *err)
{
	static const char *const stored[] = { "something", "an integer", "a real number", "text", "bytes" };
	char type[ENT_TYPE_TEXT_MAX];
	int kind = sqlite3_column_type(s, col);
	ent_type_name(t, type);
	ent_fail(err, ENT_EDATA, "row %llu of column %.200s is no %s", (unsigned long long)row, name, type);
	return ent_why(err, "it holds %s that does not fit", stored[kind >= SQLITE_INTEGER && kind <= SQLITE_BLOB ? kind : 0]), ENT_EDATA;
}

/* A real that stands for a decimal: the one of at most 15 digits that reads back as the same double. */
static bool decimal_of_real(double d, struct ent_type t, ent_i128 *ret)
{
	char text[64];
	double back;
	snprintf(text, sizeof text, "%.*f", t.scale, d);
#ifdef ENT_MUTANT_SQLITE_ROUNDS
	return ent_decimal_parse(ent_bytes_str(text), t.precision, t.scale, ret);
#endif
	if (!ent_real_parse(ent_bytes_str(text), &back) || back != d)
		return false;
	size_t digits = 0;
	for (const char *p = text; *p; p++)
		digits += isdigit((unsigned char)*p) && (digits || *p != '0');
	return digits <= 15 && ent_decimal_parse(ent_bytes_str(text), t.precision, t.scale, ret);
}

static bool decimal_read(sqlite3_stmt *s, int col, int kind, struct ent_type t, ent_i128 *ret)
{
	char text[ENT_VALUE_TEXT_MAX];
	if (kind == SQLITE_INTEGER) {
		size_t len = ent_int_text(sqlite3_column_int64(s, col), text);
		return ent_decimal_parse(ent_bytes(text, len), t.precision, t.scale, ret);
	}
	if (kind == SQLITE_FLOAT)
		return decimal_of_real(sqlite3_column_double(s, col), t, ret);
	return kind == SQLITE_TEXT &&
	       ent_decimal_parse(ent_bytes(sqlite3_column_text(s, col), (size_t)sqlite3_column_bytes(s, col)), t.precision, t.scale, ret);
}

static bool time_read(sqlite3_stmt *s, int col, int kind, struct ent_type t, int64_t *ret)
{
	int32_t days;
	if (kind != SQLITE_TEXT)
		return false;
	struct ent_bytes text = ent_bytes(sqlite3_column_text(s, col), (size_t)sqlite3_column_bytes(s, col));
	if (t.id == ENT_T_TIME)
		return ent_clock_parse(text, ret);
	if (t.id != ENT_T_DATE)
		return ent_timestamp_parse(text, t.id == ENT_T_TIMESTAMPTZ, ret);
	bool ok = ent_date_parse(text, &days);
	*ret = ok ? days : 0;
	return ok;
}

/* Reads an integer where its double is the same number. */
static bool real_read(sqlite3_stmt *s, int col, int kind, double *ret)
{
	*ret = sqlite3_column_double(s, col);
	if (kind == SQLITE_INTEGER) {
		int64_t v = sqlite3_column_int64(s, col);
		return v >= -((int64_t)1 << 53) && v <= (int64_t)1 << 53;
	}
	return kind == SQLITE_FLOAT;
}

int ent_sqlite_value_put(struct ent_builder *b, int col, const char *name, uint64_t row, sqlite3_stmt *s, struct ent_err *err)
{
	return ent_sqlite_value_at(b, col, col, name, row, s, err);
}

int ent_sqlite_value_at(struct ent_builder *b, int to, int col, const char *name, uint64_t row, sqlite3_stmt *s, struct ent_err *err)
{
	struct ent_type t = ent_builder_type(b, (size_t)to);
	int kind = sqlite3_column_type(s, col), code;
	int64_t i = 0;
	double d = 0;
	ent_i128 wide = 0;
	if (kind == SQLITE_NULL)
		return ent_builder_null(b, (size_t)to, err);
	if (t.id == ENT_T_BINARY)
		code = kind != SQLITE_BLOB
			       ? ENT_EDATA
			       : ent_builder_text(b, (size_t)to, ent_bytes(sqlite3_column_blob(s, col), (size_t)sqlite3_column_bytes(s, col)), err);
	else if (t.id == ENT_T_TEXT)
		code = kind != SQLITE_TEXT
			       ? ENT_EDATA
			       : ent_builder_text(b, (size_t)to, ent_bytes(sqlite3_column_text(s, col), (size_t)sqlite3_column_bytes(s, col)), err);
	else if (t.id == ENT_T_DECIMAL)
		code = decimal_read(s, col, kind, t, &wide) ? ent_builder_wide(b, (size_t)to, wide, err) : ENT_EDATA;
	else if (ent_type_is_float(t))
		code = real_read(s, col, kind, &d) ? ent_builder_real(b, (size_t)to, d, err) : ENT_EDATA;
	else if (ent_type_is_time(t) || t.id == ENT_T_TIME)
		code = time_read(s, col, kind, t, &i) ? ent_builder_int(b, (size_t)to, i, err) : ENT_EDATA;
	else
		code = kind == SQLITE_INTEGER ? ent_builder_int(b, (size_t)to, sqlite3_column_int64(s, col), err) : ENT_EDATA;
	return code == ENT_EDATA ? misfit(name, row, t, s, col, err) : code;
}
