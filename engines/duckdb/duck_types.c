/* DuckDB's types and the joint types, in one table: by SQL name for columns of files and tables, by id for results. */
#include <stdio.h>

#include "duck.h"

static const struct {
	const char *name;
	duckdb_type id;
	enum ent_type_id type;
	const char *format; /* Arrow format of results; NULL: the joint type's own */
	const char *cast;   /* for columns: CAST to this; NULL: as it is */
} types[] = {
	{ "BOOLEAN", DUCKDB_TYPE_BOOLEAN, ENT_T_BOOL, NULL, NULL },
	{ "TINYINT", DUCKDB_TYPE_TINYINT, ENT_T_INT16, "c", "SMALLINT" },
	{ "UTINYINT", DUCKDB_TYPE_UTINYINT, ENT_T_INT16, "C", "SMALLINT" },
	{ "SMALLINT", DUCKDB_TYPE_SMALLINT, ENT_T_INT16, NULL, NULL },
	{ "USMALLINT", DUCKDB_TYPE_USMALLINT, ENT_T_INT32, "S", "INTEGER" },
	{ "INTEGER", DUCKDB_TYPE_INTEGER, ENT_T_INT32, NULL, NULL },
	{ "UINTEGER", DUCKDB_TYPE_UINTEGER, ENT_T_INT64, "I", "BIGINT" },
	{ "BIGINT", DUCKDB_TYPE_BIGINT, ENT_T_INT64, NULL, NULL },
	{ "FLOAT", DUCKDB_TYPE_FLOAT, ENT_T_REAL, NULL, NULL },
	{ "DOUBLE", DUCKDB_TYPE_DOUBLE, ENT_T_DOUBLE, NULL, NULL },
	{ "DATE", DUCKDB_TYPE_DATE, ENT_T_DATE, NULL, NULL },
	{ "TIMESTAMP", DUCKDB_TYPE_TIMESTAMP, ENT_T_TIMESTAMP, NULL, NULL },
	{ "TIMESTAMP_S", DUCKDB_TYPE_TIMESTAMP_S, ENT_T_TIMESTAMP, "tss:", "TIMESTAMP" },
	{ "TIMESTAMP_MS", DUCKDB_TYPE_TIMESTAMP_MS, ENT_T_TIMESTAMP, "tsm:", "TIMESTAMP" },
	{ "TIMESTAMP WITH TIME ZONE", DUCKDB_TYPE_TIMESTAMP_TZ, ENT_T_TIMESTAMPTZ, NULL, NULL },
	{ "VARCHAR", DUCKDB_TYPE_VARCHAR, ENT_T_TEXT, NULL, NULL },
	{ "JSON", DUCKDB_TYPE_VARCHAR, ENT_T_TEXT, NULL, "VARCHAR" },
	{ "UUID", DUCKDB_TYPE_UUID, ENT_T_TEXT, "u", "VARCHAR" },
};

/* Types that only copies read. */
static const struct {
	const char *name;
	struct ent_type type;
	duckdb_type id;
	const char *cast;
} copied[] = { { "UBIGINT", { .id = ENT_T_UINT64 }, DUCKDB_TYPE_UBIGINT, NULL },
	       { "TIME", { .id = ENT_T_TIME }, DUCKDB_TYPE_TIME, NULL },
	       { "BLOB", { .id = ENT_T_BINARY }, DUCKDB_TYPE_BLOB, NULL },
	       { "HUGEINT", { ENT_T_DECIMAL, 38, 0 }, DUCKDB_TYPE_HUGEINT, NULL },
	       { "TIMESTAMP_NS", { .id = ENT_T_TEXT }, DUCKDB_TYPE_TIMESTAMP_NS, "VARCHAR" },
	       { "UHUGEINT", { .id = ENT_T_TEXT }, DUCKDB_TYPE_UHUGEINT, "VARCHAR" },
	       { "INTERVAL", { .id = ENT_T_TEXT }, DUCKDB_TYPE_INTERVAL, "VARCHAR" },
	       { "TIME WITH TIME ZONE", { .id = ENT_T_TEXT }, DUCKDB_TYPE_TIME_TZ, "VARCHAR" },
	       { "BIT", { .id = ENT_T_TEXT }, DUCKDB_TYPE_BIT, "VARCHAR" } };

static enum ent_duck_use decimal_by_name(const char *name, struct ent_type *ret, char reason[200])
{
	char lower[40];
	snprintf(lower, sizeof lower, "decimal%.30s", name + 7);
	if (!ent_type_by_name(lower, ret)) {
		snprintf(reason, 200, "%.60s has no joint type", name);
		return ENT_DUCK_NONE;
	}
	if (ret->precision > 18)
		snprintf(reason, 200, "%.60s has more than 18 digits", name);
	return ret->precision <= 18 ? ENT_DUCK_JOINT : ENT_DUCK_COPIED;
}

/* Lists, structs and maps are copied as DuckDB writes them. */
static bool nested(const char *name)
{
	size_t n = strlen(name);
	return (n && name[n - 1] == ']') || !strncmp(name, "STRUCT(", 7) || !strncmp(name, "MAP(", 4);
}

static enum ent_duck_use copied_by_name(const char *name, struct ent_type *ret, const char **ret_cast, char reason[200])
{
	snprintf(reason, 200, "%.60s has no joint type", name);
	for (size_t i = 0; i < ENT_COUNT(copied); i++) {
		if (!strcmp(copied[i].name, name)) {
			*ret = copied[i].type;
			*ret_cast = copied[i].cast;
			return ENT_DUCK_COPIED;
		}
	}
	if (!nested(name))
		return ENT_DUCK_NONE;
	*ret = (struct ent_type){ .id = ENT_T_TEXT };
	*ret_cast = "VARCHAR";
	return ENT_DUCK_COPIED;
}

enum ent_duck_use ent_duck_type_by_name(const char *name, struct ent_type *ret, const char **ret_cast, char reason[200])
{
	*ret_cast = NULL;
	if (!strncmp(name, "DECIMAL(", 8) && name[strlen(name) - 1] == ')')
		return decimal_by_name(name, ret, reason);
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (!strcmp(types[i].name, name)) {
			*ret = (struct ent_type){ .id = types[i].type };
			*ret_cast = types[i].cast;
			return ENT_DUCK_JOINT;
		}
	}
	if (!strncmp(name, "ENUM(", 5) && name[strlen(name) - 1] == ')') {
		*ret = (struct ent_type){ .id = ENT_T_TEXT };
		*ret_cast = "VARCHAR";
		return ENT_DUCK_JOINT;
	}
	return copied_by_name(name, ret, ret_cast, reason);
}

bool ent_duck_type_of_result(duckdb_logical_type type, struct ent_type *ret, const char **ret_format)
{
	duckdb_type id = duckdb_get_type_id(type);
	*ret_format = NULL;
	if (id == DUCKDB_TYPE_DECIMAL || id == DUCKDB_TYPE_HUGEINT) {
		bool huge = id == DUCKDB_TYPE_HUGEINT;
		*ret = (struct ent_type){ ENT_T_DECIMAL, huge ? 38 : duckdb_decimal_width(type), huge ? 0 : duckdb_decimal_scale(type) };
		return true;
	}
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (types[i].id == id) {
			*ret = (struct ent_type){ .id = types[i].type };
			*ret_format = types[i].format;
			return true;
		}
	}
	for (size_t i = 0; i < ENT_COUNT(copied); i++) {
		if (copied[i].id == id && !copied[i].cast) {
			*ret = copied[i].type;
			return true;
		}
	}
	return false;
}

void ent_duck_type_sql(struct ent_type t, char out[ENT_TYPE_TEXT_MAX])
{
	if (t.id == ENT_T_DECIMAL) {
		snprintf(out, ENT_TYPE_TEXT_MAX, "DECIMAL(%u,%u)", t.precision, t.scale);
		return;
	}
	for (size_t i = 0; i < ENT_COUNT(types); i++)
		if (types[i].type == t.id && !types[i].cast)
			snprintf(out, ENT_TYPE_TEXT_MAX, "%s", types[i].name);
	for (size_t i = 0; i < ENT_COUNT(copied); i++)
		if (copied[i].type.id == t.id && !copied[i].cast)
			snprintf(out, ENT_TYPE_TEXT_MAX, "%s", copied[i].name);
}
