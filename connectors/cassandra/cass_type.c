/* Which Cassandra type is what, both ways. */
#include "cass_type.h"

#include <ctype.h>
#include <stdio.h>

#define NO_PRECISION "this type has no fixed precision; declare one with --schema"

static const struct {
	const char *name;
	struct ent_cass_type t;
} types[] = {
	{ "ascii", { ENT_CASS_ASCII, { .id = ENT_T_TEXT }, NULL, true } },
	{ "text", { ENT_CASS_TEXT, { .id = ENT_T_TEXT }, NULL, true } },
	{ "varchar", { ENT_CASS_TEXT, { .id = ENT_T_TEXT }, NULL, true } },
	{ "boolean", { ENT_CASS_BOOLEAN, { .id = ENT_T_BOOL }, NULL, true } },
	{ "tinyint", { ENT_CASS_TINYINT, { .id = ENT_T_INT16 }, NULL, true } },
	{ "smallint", { ENT_CASS_SMALLINT, { .id = ENT_T_INT16 }, NULL, true } },
	{ "int", { ENT_CASS_INT, { .id = ENT_T_INT32 }, NULL, true } },
	{ "bigint", { ENT_CASS_BIGINT, { .id = ENT_T_INT64 }, NULL, true } },
	{ "counter", { ENT_CASS_COUNTER, { .id = ENT_T_INT64 }, NULL, true } },
	{ "varint", { ENT_CASS_VARINT, { .id = ENT_T_TEXT }, NO_PRECISION, true } },
	{ "decimal", { ENT_CASS_DECIMAL, { .id = ENT_T_TEXT }, NO_PRECISION, true } },
	{ "float", { ENT_CASS_FLOAT, { .id = ENT_T_REAL }, NULL, true } },
	{ "double", { ENT_CASS_DOUBLE, { .id = ENT_T_DOUBLE }, NULL, true } },
	{ "timestamp", { ENT_CASS_TIMESTAMP, { .id = ENT_T_TIMESTAMPTZ }, NULL, true } },
	{ "date", { ENT_CASS_DATE, { .id = ENT_T_DATE }, NULL, true } },
	{ "time", { ENT_CASS_TIME, { .id = ENT_T_TIME }, "a time of day has no joint type", true } },
	{ "uuid", { ENT_CASS_UUID, { .id = ENT_T_TEXT }, NULL, true } },
	{ "timeuuid", { ENT_CASS_UUID, { .id = ENT_T_TEXT }, NULL, true } },
	{ "inet", { ENT_CASS_INET, { .id = ENT_T_TEXT }, NULL, true } },
	{ "blob", { ENT_CASS_BLOB, { .id = ENT_T_BINARY }, "bytes have no joint type", true } },
	{ "duration", { ENT_CASS_DURATION, { .id = ENT_T_TEXT }, "a duration of months and days has no joint type", true } },
};

void ent_cass_type_of(const char *name, struct ent_cass_type *ret)
{
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (!strcmp(name, types[i].name)) {
			*ret = types[i].t;
			return;
		}
	}
	if (name[0] == '\'') /* a class of somebody's own */
		*ret = (struct ent_cass_type){ ENT_CASS_CUSTOM, { .id = ENT_T_TEXT }, "a custom type has no joint type, nor one for copies", false };
	else
		*ret = (struct ent_cass_type){ ENT_CASS_JSON, { .id = ENT_T_TEXT }, "collections, tuples and user types have no joint type", true };
}

static bool starts(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

static bool is_json(const char *native)
{
	static const char *const heads[] = { "frozen<", "list<", "set<", "map<", "tuple<", "vector<" };
	for (size_t i = 0; i < ENT_COUNT(heads); i++)
		if (starts(native, heads[i]))
			return true;
	return false;
}

/* Names by which stores call their text columns that are really something else. */
static const char *text_type(const char *native)
{
	static const char *const same[] = { "ascii", "timeuuid", "inet", "varint", "duration", "uuid" };
	for (size_t i = 0; i < ENT_COUNT(same); i++)
		if (!strcmp(native, same[i]))
			return same[i];
	if (!strcmp(native, "UUID"))
		return "uuid";
	if (starts(native, "decimal") || starts(native, "numeric"))
		return "decimal";
	return is_json(native) ? native : "text";
}

void ent_cass_type_for(struct ent_type source, const char *native, char out[160])
{
	static const char *const names[ENT_T_COUNT] = { [ENT_T_BOOL] = "boolean",        [ENT_T_INT16] = "smallint",
							[ENT_T_INT32] = "int",           [ENT_T_INT64] = "bigint",
							[ENT_T_DECIMAL] = "decimal",     [ENT_T_REAL] = "float",
							[ENT_T_DOUBLE] = "double",       [ENT_T_DATE] = "date",
							[ENT_T_TIMESTAMP] = "timestamp", [ENT_T_TIMESTAMPTZ] = "timestamp",
							[ENT_T_UINT64] = "varint",       [ENT_T_TIME] = "time",
							[ENT_T_BINARY] = "blob" };
	const char *name = source.id == ENT_T_TEXT ? text_type(native) : names[source.id];
	if (source.id == ENT_T_INT16 && !strcmp(native, "tinyint"))
		name = native;
	snprintf(out, 160, "%s", name);
}

/* --- how a source's column lands --- */

/* True when the source's own type says that nothing is finer than a millisecond: Cassandra's, MongoDB's, MySQL's and DuckDB's names, or a precision.
 */
static bool milliseconds(const char *native)
{
	const char *paren = strchr(native, '(');
	if (paren && isdigit((unsigned char)paren[1]) && paren[2] == ')')
		return paren[1] <= '3';
	static const char *const names[] = { "timestamp", "datetime", "date", "bson date", "bson date|null", "TIMESTAMP_S", "TIMESTAMP_MS" };
	for (size_t i = 0; i < ENT_COUNT(names); i++)
		if (!strcmp(native, names[i]))
			return true;
	return false;
}

static enum ent_map_verdict fit_int(struct ent_type t, enum ent_cass_kind kind, char why[200])
{
	static const enum ent_cass_kind own[ENT_T_COUNT] = {
		[ENT_T_INT16] = ENT_CASS_SMALLINT, [ENT_T_INT32] = ENT_CASS_INT, [ENT_T_INT64] = ENT_CASS_BIGINT
	};
	if (kind == own[t.id])
		return ENT_MAP_EXACT;
	if (kind == ENT_CASS_VARINT || kind == ENT_CASS_DECIMAL)
		return snprintf(why, 200, "integers of any length"), ENT_MAP_WIDENED;
	if (kind < ENT_CASS_TINYINT || kind > ENT_CASS_BIGINT)
		return snprintf(why, 200, "no integer fits this type"), ENT_MAP_REFUSED;
	bool wider = t.id != ENT_T_UINT64 && kind > own[t.id];
	snprintf(why, 200, "%s", wider ? "a wider integer" : "a value beyond the target's range stops the copy");
	return wider ? ENT_MAP_WIDENED : ENT_MAP_EXACT;
}

static enum ent_map_verdict fit_text(enum ent_cass_kind kind, char why[200])
{
	switch ((unsigned)kind) {
	case ENT_CASS_TEXT:
		return ENT_MAP_EXACT;
	case ENT_CASS_ASCII:
	case ENT_CASS_UUID:
	case ENT_CASS_INET:
	case ENT_CASS_VARINT:
	case ENT_CASS_DECIMAL:
	case ENT_CASS_DURATION:
	case ENT_CASS_JSON:
		snprintf(why, 200, "a text that is none stops the copy");
		return ENT_MAP_EXACT;
	}
	return snprintf(why, 200, "no text fits this type"), ENT_MAP_REFUSED;
}

static enum ent_map_verdict fit_decimal(struct ent_type t, enum ent_cass_kind kind, char why[200])
{
	if (kind == ENT_CASS_DECIMAL)
		return snprintf(why, 200, "decimal of any precision"), ENT_MAP_WIDENED;
	if (kind == ENT_CASS_VARINT && !t.scale)
		return snprintf(why, 200, "integers of any length"), ENT_MAP_WIDENED;
	if (kind >= ENT_CASS_TINYINT && kind <= ENT_CASS_BIGINT && !t.scale)
		return snprintf(why, 200, "a value beyond the target's range stops the copy"), ENT_MAP_EXACT;
	return snprintf(why, 200, "no decimal fits this type"), ENT_MAP_REFUSED;
}

static enum ent_map_verdict fit_time(struct ent_type t, const char *native, char why[200])
{
	if (!milliseconds(native))
		return snprintf(why, 200, "timestamps have milliseconds here: finer digits are cut"), ENT_MAP_LOSSY;
	if (t.id == ENT_T_TIMESTAMP)
		return snprintf(why, 200, "taken as UTC"), ENT_MAP_WIDENED;
	return ENT_MAP_EXACT;
}

enum ent_map_verdict ent_cass_fit(struct ent_type t, const char *native, enum ent_cass_kind kind, char why[200])
{
	static const enum ent_cass_kind own[ENT_T_COUNT] = {
		[ENT_T_BOOL] = ENT_CASS_BOOLEAN, [ENT_T_DOUBLE] = ENT_CASS_DOUBLE, [ENT_T_REAL] = ENT_CASS_FLOAT,
		[ENT_T_DATE] = ENT_CASS_DATE,    [ENT_T_TIME] = ENT_CASS_TIME,     [ENT_T_BINARY] = ENT_CASS_BLOB
	};
	why[0] = 0;
	if (kind == ENT_CASS_COUNTER || kind == ENT_CASS_CUSTOM)
		return snprintf(why, 200, "such a column cannot be written"), ENT_MAP_REFUSED;
	if (ent_type_is_int(t) || t.id == ENT_T_UINT64)
		return fit_int(t, kind, why);
	if (t.id == ENT_T_TEXT)
		return fit_text(kind, why);
	if (t.id == ENT_T_DECIMAL)
		return fit_decimal(t, kind, why);
	if (kind == ENT_CASS_TIMESTAMP && (t.id == ENT_T_TIMESTAMP || t.id == ENT_T_TIMESTAMPTZ))
		return fit_time(t, native, why);
	if (t.id == ENT_T_REAL && kind == ENT_CASS_DOUBLE)
		return snprintf(why, 200, "a wider float"), ENT_MAP_WIDENED;
	if (own[t.id] && own[t.id] == kind)
		return ENT_MAP_EXACT;
	return snprintf(why, 200, "no such value fits this type"), ENT_MAP_REFUSED;
}
