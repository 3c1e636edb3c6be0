#include "duck_override.h"

#include <ctype.h>
#include <stdio.h>

#include "duck_quote.h"

/* Joint names and the short ones people type. */
static const struct {
	const char *name;
	enum ent_type_id type;
	const char *sql;
} names[] = { { "boolean", ENT_T_BOOL, "BOOLEAN" },
	      { "bool", ENT_T_BOOL, "BOOLEAN" },
	      { "smallint", ENT_T_INT16, "SMALLINT" },
	      { "integer", ENT_T_INT32, "INTEGER" },
	      { "int", ENT_T_INT32, "INTEGER" },
	      { "bigint", ENT_T_INT64, "BIGINT" },
	      { "real", ENT_T_REAL, "FLOAT" },
	      { "double", ENT_T_DOUBLE, "DOUBLE" },
	      { "double precision", ENT_T_DOUBLE, "DOUBLE" },
	      { "date", ENT_T_DATE, "DATE" },
	      { "timestamp", ENT_T_TIMESTAMP, "TIMESTAMP" },
	      { "timestamp without time zone", ENT_T_TIMESTAMP, "TIMESTAMP" },
	      { "timestamptz", ENT_T_TIMESTAMPTZ, "TIMESTAMP WITH TIME ZONE" },
	      { "timestamp with time zone", ENT_T_TIMESTAMPTZ, "TIMESTAMP WITH TIME ZONE" },
	      { "text", ENT_T_TEXT, "VARCHAR" },
	      { "varchar", ENT_T_TEXT, "VARCHAR" } };

static bool type_read(const char *text, size_t len, struct ent_type *ret)
{
	char lower[ENT_TYPE_TEXT_MAX];
	size_t n = 0;
	if (len >= sizeof lower)
		return false;
	for (size_t i = 0; i < len; i++)
		lower[n++] = (char)tolower((unsigned char)text[i]);
	lower[n] = 0;
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		if (!strcmp(names[i].name, lower)) {
			*ret = (struct ent_type){ .id = names[i].type };
			return true;
		}
	}
	return ent_type_by_name(lower, ret) && ret->id == ENT_T_DECIMAL && ret->precision <= 18;
}

/* Length up to the next comma outside parentheses. */
static size_t item_length(const char *text)
{
	size_t n = 0;
	for (int depth = 0; text[n] && (text[n] != ',' || depth > 0); n++)
		depth += text[n] == '(' ? 1 : text[n] == ')' ? -1 : 0;
	return n;
}

static int item_read(const char *text, size_t len, struct ent_duck_overrides *ret, struct ent_err *err)
{
	const char *equals = memchr(text, '=', len);
	struct ent_duck_override *o = &ret->all[ret->n];
	size_t name = equals ? (size_t)(equals - text) : 0;
	if (!name || name >= sizeof o->column || ret->n >= ENT_DUCK_OVERRIDES_MAX)
		return ent_fail(err, ENT_EUSAGE, "--types takes COLUMN=TYPE,COLUMN=TYPE, at most %d of them", ENT_DUCK_OVERRIDES_MAX);
	memcpy(o->column, text, name);
	o->column[name] = 0;
	if (!type_read(equals + 1, len - name - 1, &o->type)) {
		ent_fail(err, ENT_EUSAGE, "--types: %.*s is no type here", (int)(len - name - 1), equals + 1);
		ent_next(err, "boolean, smallint, integer, bigint, decimal(p,s) with p up to 18, real, double, date, timestamp, timestamptz, text");
		return ENT_EUSAGE;
	}
	if (ent_duck_override_find(ret, o->column))
		return ent_fail(err, ENT_EUSAGE, "--types names column %.200s twice", o->column);
	ret->n++;
	return 0;
}

int ent_duck_overrides_read(const struct ent_option *options, size_t n, struct ent_duck_overrides *ret, struct ent_err *err)
{
	*ret = (struct ent_duck_overrides){ 0 };
	for (size_t i = 0; i < n; i++) {
		const char *at = options[i].value;
		if (!strcmp(options[i].key, "decimal_separator") || !strcmp(options[i].key, "decimal-separator"))
			ret->comma = at && at[0] == ',';
		if (strcmp(options[i].key, "types") != 0)
			continue;
		for (bool more = at && at[0]; more;) {
			size_t len = item_length(at);
			ENT_TRY(item_read(at, len, ret, err));
			more = at[len] == ',';
			at += len + more;
		}
	}
	return 0;
}

const struct ent_duck_override *ent_duck_override_find(const struct ent_duck_overrides *o, const char *column)
{
	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(o->all[i].column, column))
			return &o->all[i];
	return NULL;
}

static const char *sql_name(struct ent_type t)
{
	for (size_t i = 0; i < ENT_COUNT(names); i++)
		if (names[i].type == t.id)
			return names[i].sql;
	return "VARCHAR"; /* decimals: text until the strict cast */
}

void ent_duck_overrides_put(const struct ent_duck_overrides *o, struct ent_buf *out)
{
	for (size_t i = 0; i < o->n; i++) {
		ent_buf_str(out, i ? ", " : ", types = {");
		ent_duck_literal(out, o->all[i].column);
		ent_buf_printf(out, ": '%s'", sql_name(o->all[i].type));
	}
	ent_buf_str(out, o->n ? "}" : "");
}

/* The wide cast keeps every digit after the point that 38 digits allow; when the narrow one differs, digits would be lost. */
bool ent_duck_override_cast(const struct ent_duck_overrides *o, const char *column, struct ent_buf *out)
{
	const struct ent_duck_override *v = ent_duck_override_find(o, column);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(4096), text = ENT_BUF(8192);
	if (!v || v->type.id != ENT_T_DECIMAL)
		return false;
	unsigned p = v->type.precision, s = v->type.scale;
	ent_duck_name(&name, column);
	ent_buf_printf(&text, o->comma ? "replace(%s, ',', '.')" : "%s", ent_buf_text(&name));
	ent_buf_printf(out, "CASE WHEN CAST(%s AS DECIMAL(38,%u)) <> CAST(%s AS DECIMAL(%u,%u)) THEN error('a value of column ' || ",
		       ent_buf_text(&text), 38 - (p - s), ent_buf_text(&text), p, s);
	ent_duck_literal(out, column);
	ent_buf_printf(out, " || ' has more digits than decimal(%u,%u) holds') ELSE CAST(%s AS DECIMAL(%u,%u)) END AS %s", p, s, ent_buf_text(&text),
		       p, s, ent_buf_text(&name));
	return true;
}
