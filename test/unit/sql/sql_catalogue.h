/* The tables the tests of src/sql bind against: the demo's three owners, and one owner with a column of every type. */
#ifndef ENT_TEST_SQL_CATALOGUE_H
#define ENT_TEST_SQL_CATALOGUE_H
#include "sql/catalogue.h"

#define SQL_COLUMN(n, t, null) \
	{ \
		.name = n, .type = { .id = t }, .nullable = null \
	}
#define SQL_DECIMAL(n, p, s, null) \
	{ \
		.name = n, .type = { ENT_T_DECIMAL, p, s }, .nullable = null \
	}

static const struct ent_column sql_flights[] = {
	SQL_COLUMN("tailnum", ENT_T_TEXT, true),     SQL_COLUMN("origin", ENT_T_TEXT, false),    SQL_COLUMN("time_hour", ENT_T_TIMESTAMP, false),
	SQL_COLUMN("dep_delay", ENT_T_DOUBLE, true), SQL_COLUMN("distance", ENT_T_INT32, false), SQL_COLUMN("carrier", ENT_T_TEXT, false),
};
static const struct ent_column sql_weather[] = {
	SQL_COLUMN("origin", ENT_T_TEXT, false),
	SQL_COLUMN("time_hour", ENT_T_TIMESTAMP, false),
	SQL_COLUMN("wind_speed", ENT_T_DOUBLE, true),
	SQL_COLUMN("visib", ENT_T_DOUBLE, false),
};
static const struct ent_column sql_planes[] = {
	SQL_COLUMN("tailnum", ENT_T_TEXT, false),
	SQL_COLUMN("manufacturer", ENT_T_TEXT, false),
	SQL_COLUMN("year", ENT_T_INT32, true),
	SQL_COLUMN("seats", ENT_T_INT32, false),
};
static const struct ent_column sql_types[] = {
	SQL_COLUMN("id", ENT_T_INT64, false),    SQL_COLUMN("b", ENT_T_BOOL, true),         SQL_COLUMN("i2", ENT_T_INT16, true),
	SQL_COLUMN("i4", ENT_T_INT32, true),     SQL_COLUMN("i8", ENT_T_INT64, true),       SQL_DECIMAL("d", 12, 2, true),
	SQL_COLUMN("f4", ENT_T_REAL, true),      SQL_COLUMN("f8", ENT_T_DOUBLE, true),      SQL_COLUMN("dt", ENT_T_DATE, true),
	SQL_COLUMN("ts", ENT_T_TIMESTAMP, true), SQL_COLUMN("tz", ENT_T_TIMESTAMPTZ, true), SQL_COLUMN("t", ENT_T_TEXT, true),
	SQL_COLUMN("u", ENT_T_TEXT, true),
};
static const struct ent_table sql_tables[] = {
	{ .org = "hudson", .name = "flights", .columns = sql_flights, .n_columns = ENT_COUNT(sql_flights), .rows_padded = 344064 },
	{ .org = "skywatch", .name = "weather", .columns = sql_weather, .n_columns = ENT_COUNT(sql_weather), .rows_padded = 26624 },
	{ .org = "registry", .name = "planes", .columns = sql_planes, .n_columns = ENT_COUNT(sql_planes), .rows_padded = 3328 },
	{ .org = "harbour", .name = "planes", .columns = sql_planes, .n_columns = ENT_COUNT(sql_planes), .rows_padded = 96 },
	{ .org = "harbour", .name = "types", .columns = sql_types, .n_columns = ENT_COUNT(sql_types), .rows_padded = 32 },
};

static int sql_table(void *self, const char *org, const char *name, const struct ent_table **ret, struct ent_err *err)
{
	(void)self;
	for (size_t i = 0; i < ENT_COUNT(sql_tables); i++) {
		*ret = &sql_tables[i];
		if (!strcmp(org, sql_tables[i].org) && !strcmp(name, sql_tables[i].name))
			return 0;
	}
	return ent_fail(err, ENT_ENOTFOUND, "no table %s.%s", org, name);
}

static void sql_each(void *self, void (*fn)(void *arg, const struct ent_table *t), void *arg)
{
	(void)self;
	for (size_t i = 0; i < ENT_COUNT(sql_tables); i++)
		fn(arg, &sql_tables[i]);
}

static const struct ent_catalogue sql_catalogue = { .table = sql_table, .each = sql_each };
#endif
