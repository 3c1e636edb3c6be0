#include "arrow/type.h"

#include <stdio.h>

/* One row per type without parameters; decimals are written and read beside the table. */
static const struct {
	enum ent_type_id id;
	const char *name, *format;
} types[] = {
	{ ENT_T_BOOL, "boolean", "b" },
	{ ENT_T_INT16, "smallint", "s" },
	{ ENT_T_INT32, "integer", "i" },
	{ ENT_T_INT64, "bigint", "l" },
	{ ENT_T_REAL, "real", "f" },
	{ ENT_T_DOUBLE, "double precision", "g" },
	{ ENT_T_DATE, "date", "tdD" },
	{ ENT_T_TIMESTAMP, "timestamp without time zone", "tsu:" },
	{ ENT_T_TIMESTAMPTZ, "timestamp with time zone", "tsu:UTC" },
	{ ENT_T_TEXT, "text", "u" },
	{ ENT_T_UINT64, "unsigned bigint", "L" },
	{ ENT_T_TIME, "time", "ttu" },
	{ ENT_T_BINARY, "binary", "z" },
};

static const struct {
	const char *format;
	enum ent_type_id id;
} wider[] = {
	{ "c", ENT_T_INT16 },
	{ "C", ENT_T_INT16 },
	{ "S", ENT_T_INT32 },
	{ "I", ENT_T_INT64 },
	{ "tss:", ENT_T_TIMESTAMP },
	{ "tsm:", ENT_T_TIMESTAMP },
	{ "U", ENT_T_TEXT },
	{ "vu", ENT_T_TEXT },
	{ "tss:UTC", ENT_T_TIMESTAMPTZ },
	{ "tsm:UTC", ENT_T_TIMESTAMPTZ },
};

static const char *type_text(enum ent_type_id id, bool format)
{
	for (size_t i = 0; i < ENT_COUNT(types); i++)
		if (types[i].id == id)
			return format ? types[i].format : types[i].name;
	return "?";
}

void ent_type_name(struct ent_type t, char out[ENT_TYPE_TEXT_MAX])
{
	if (t.id == ENT_T_DECIMAL)
		snprintf(out, ENT_TYPE_TEXT_MAX, "decimal(%u,%u)", t.precision, t.scale);
	else
		snprintf(out, ENT_TYPE_TEXT_MAX, "%s", type_text(t.id, false));
}

void ent_type_format(struct ent_type t, char out[ENT_TYPE_TEXT_MAX])
{
	if (t.id == ENT_T_DECIMAL)
		snprintf(out, ENT_TYPE_TEXT_MAX, "d:%u,%u", t.precision, t.scale);
	else
		snprintf(out, ENT_TYPE_TEXT_MAX, "%s", type_text(t.id, true));
}

/* Reads "P,S" followed by tail and the end; 1 <= P <= 38, S <= P, no leading zeros. */
static bool decimal_read(const char *text, const char *tail, struct ent_type *ret)
{
	const char *comma = strchr(text, ',');
	size_t len = strlen(text), rest = strlen(tail);
	uint64_t p, s;
	if (!comma || len < rest || strcmp(text + len - rest, tail) != 0 || (size_t)(comma - text) + 1 + rest > len)
		return false;
	if (!ent_parse_u64(text, (size_t)(comma - text), 38, &p) || !ent_parse_u64(comma + 1, len - rest - (size_t)(comma - text) - 1, p, &s) || !p)
		return false;
	*ret = (struct ent_type){ ENT_T_DECIMAL, (uint8_t)p, (uint8_t)s };
	return true;
}

static bool plain_read(const char *text, bool format, struct ent_type *ret)
{
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (!strcmp(text, format ? types[i].format : types[i].name)) {
			*ret = (struct ent_type){ .id = types[i].id };
			return true;
		}
	}
	return false;
}

bool ent_type_by_name(const char *name, struct ent_type *ret)
{
	if (!strncmp(name, "decimal(", 8))
		return decimal_read(name + 8, ")", ret);
	return plain_read(name, false, ret);
}

bool ent_type_by_format(const char *format, struct ent_type *ret)
{
	if (!strncmp(format, "d:", 2))
		return decimal_read(format + 2, "", ret);
	for (size_t i = 0; i < ENT_COUNT(wider); i++) {
		if (!strcmp(format, wider[i].format)) {
			*ret = (struct ent_type){ .id = wider[i].id };
			return true;
		}
	}
	return plain_read(format, true, ret);
}
