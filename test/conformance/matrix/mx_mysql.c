/* MySQL and MariaDB as stores of the matrix. */
#include <mysql.h>

#include "mx.h"
#include "mx_edges.h"

#define NUMBERS \
	{ "c_bool", "tinyint(1)", { { "true", "1", "true" }, { "false", "0", "false" } } }, { "c_tinyint", "tinyint", { EDGE_INT("-128", "127") } }, \
		{ "c_utinyint", "tinyint unsigned", { EDGE_INT("0", "255") } }, { "c_smallint", "smallint", { EDGE_I16 } }, \
		{ "c_usmallint", "smallint unsigned", { EDGE_INT("0", "65535") } }, \
		{ "c_mediumint", "mediumint", { EDGE_INT("-8388608", "8388607") } }, { "c_int", "int", { EDGE_I32 } }, \
		{ "c_uint", "int unsigned", { EDGE_INT("0", "4294967295") } }, { "c_bigint", "bigint", { EDGE_I64 } }, \
		{ "c_ubigint", "bigint unsigned", { EDGE_U64 } }, \
		{ "c_float", \
		  "float", \
		  { { "largest", "3.402823466e+38", "3.4028235e+38" }, { "tiny", "1.17549435e-38", "1.1754944e-38" }, { "0.1", "0.1", NULL } } }, \
		{ "c_double", \
		  "double", \
		  { { "largest", "1.7976931348623157e+308", NULL }, { "tiny", "2.2250738585072014e-308", NULL }, { "0.1", "0.1", NULL } } }, \
		{ "c_decimal_9_0", "decimal(9,0)", { EDGE_DEC_9_0 } }, { "c_decimal_18_4", "decimal(18,4)", { EDGE_DEC_18_4 } }, \
		{ "c_decimal_38_1", "decimal(38,1)", { EDGE_DEC_38_1 } }, \
		{ "c_decimal_65_30", \
		  "decimal(65,30)", \
		  { { "largest", "99999" NINES30 "." NINES30, NULL }, { "tiny", "0.000000000000000000000000000001", NULL } } }, \
		{ "c_bit_8", "bit(8)", { { "ones", "b'11111111'", "255" }, { "0", "b'0'", "0" } } }, \
		{ "c_bit_64", "bit(64)", { { "ones", "0xffffffffffffffff", "18446744073709551615" } } }, \
	{ \
		"c_year", "year", { EDGE_INT("1901", "2155") } \
	}

#define CLOCKS \
	{ "c_date", "date", { EDGE_DATE, { "zero date", "'0000-00-00'", NULL } } }, \
		{ "c_time", "time(6)", { EDGE_TIME, { "beyond a day", "'838:59:59'", NULL }, { "negative", "'-01:00:00'", NULL } } }, \
		{ "c_datetime_6", "datetime(6)", { EDGE_TS } }, { "c_datetime", "datetime", { { "year 9999", "'9999-12-31 23:59:59'", NULL } } }, \
		{ "c_datetime_3", "datetime(3)", { { "milliseconds", "'2024-02-29 12:34:56.789'", NULL } } }, \
	{ \
		"c_timestamp_6", "timestamp(6) NULL", \
		{ \
			{ "smallest", "'1970-01-01 00:00:01'", "1970-01-01 00:00:01+00" }, \
			{ \
				"largest", "'2038-01-19 03:14:07.999999'", "2038-01-19 03:14:07.999999+00" \
			} \
		} \
	}

#define TEXTS \
	{ "c_char", "char(5)", { { "empty", "''", NULL }, { "beyond the BMP", "'" BMP "'", NULL } } }, \
		{ "c_varchar", "varchar(20)", { EDGE_TEXT } }, \
		{ "c_longtext", "longtext", { EDGE_TEXT, { "tab, quotes, line feed", "'a\\t\"b\",\\n;|\\\\N'", "a\t\"b\",\n;|\\N" }, EDGE_LONG } }, \
		{ "c_latin1", "varchar(20) CHARACTER SET latin1", { { "letters", "'\xc3\xa9\xe2\x82\xac'", NULL } } }, \
		{ "c_enum", "enum('a','','" BMP "')", { { "empty", "''", NULL }, { "beyond the BMP", "'" BMP "'", NULL } } }, \
		{ "c_set", "set('a','b')", { { "empty", "''", NULL }, { "both", "'a,b'", NULL } } }, \
		{ "c_json", "json", { { "empty", "'{}'", NULL }, { "beyond the BMP", "'{\"a\": \"" BMP "\"}'", NULL } } }, \
		{ "c_binary", "binary(4)", { { "padded", "0x61", "\\x61000000" } } }, \
		{ "c_varbinary", "varbinary(20)", { { "empty", "''", "\\x" }, { "zero byte", "0x00ff0a5c", "\\x00ff0a5c" } } }, \
	{ \
		"c_longblob", "longblob", \
		{ \
			{ "empty", "''", "\\x" }, { "zero byte", "0x00ff0a5c", "\\x00ff0a5c" }, { "1 MiB", "'" MX_LONG "'", "*" } \
		} \
	}

static const struct mx_column mariadb_columns[] = {
	NUMBERS,
	CLOCKS,
	TEXTS,
	{ "c_decimal_38_37", "decimal(38,37)", { EDGE_DEC_38_37 } },
	{ "c_uuid", "uuid", { EDGE_UUID } },
	{ "c_inet6", "inet6", { { "IPv6", "'2001:db8::1'", NULL } } },
	{ "c_point", "point", { { "one", "point(1,2)", "*" } } },
};
static const struct mx_column mysql_columns[] = {
	NUMBERS, CLOCKS, TEXTS, { "c_neg_zero", "double", { { "-0", "-0e0", "-0" } } }, { "c_point", "point", { { "one", "point(1,2)", "*" } } },
};

struct server {
	MYSQL *con;
	const char *url;
};
static struct server mariadb, mysql;

static int run(struct server *s, const char *sql, size_t len)
{
	int code = mysql_real_query(s->con, sql, len);
	if (code)
		OK(0, "MySQL: %.100s: %s", sql, mysql_error(s->con));
	MYSQL_RES *r = code ? NULL : mysql_store_result(s->con);
	if (r)
		mysql_free_result(r);
	return code;
}
static int run_text(struct server *s, const char *sql) { return run(s, sql, strlen(sql)); }

static int server_start(struct server *s, const struct mx_place *p)
{
	const char *at = strrchr(p->url, ':');
	s->url = p->url;
	s->con = mysql_init(NULL);
	mysql_options(s->con, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!mysql_real_connect(s->con, "127.0.0.1", "test", "test", "test", at ? (unsigned)strtoul(at + 1, NULL, 10) : 0, NULL, 0))
		return !OK(0, "%s", mysql_error(s->con));
	return run_text(s, "SET SESSION time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'");
}

static int table_make(struct server *s, const struct mx_store *store, const char *name, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)64 << 20);
	char drop[200];
	snprintf(drop, sizeof drop, "DROP TABLE IF EXISTS %s", name);
	ent_buf_printf(&sql, "CREATE TABLE %s ", name);
	mx_sql_columns(&sql, store, "id bigint NOT NULL PRIMARY KEY");
	ent_buf_str(&sql, " CHARACTER SET utf8mb4");
	int code = run_text(s, drop) || run(s, ent_buf_text(&sql), sql.len);
	for (size_t r = 0; !code && r < mx_rows(store); r++) {
		ent_buf_reset(&sql);
		ent_buf_printf(&sql, "INSERT INTO %s VALUES ", name);
		mx_sql_row(&sql, store, r, left_out);
		code = run(s, ent_buf_text(&sql), sql.len);
	}
	return code;
}

static void table_drop(struct server *s, const char *name)
{
	char sql[200];
	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", name);
	(void)run_text(s, sql);
}

static const char *object(const char *name) { return name; }

static int mariadb_start(const struct mx_place *p) { return server_start(&mariadb, p); }
static void mariadb_stop(void) { mysql_close(mariadb.con); }
static int mariadb_make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS]) { return table_make(&mariadb, &mx_mariadb, name, left_out); }
static void mariadb_drop(const char *name) { table_drop(&mariadb, name); }
static const char *mariadb_url(const char *name) { return name ? mariadb.url : NULL; }

static int mysql_server_start(const struct mx_place *p) { return server_start(&mysql, p); }
static void mysql_stop(void) { mysql_close(mysql.con); }
static int mysql_make(const char *name, bool left_out[MX_COLUMNS][MX_ROWS]) { return table_make(&mysql, &mx_mysql, name, left_out); }
static void mysql_drop(const char *name) { table_drop(&mysql, name); }
static const char *mysql_url(const char *name) { return name ? mysql.url : NULL; }

const struct mx_store mx_mariadb = { .kind = "mariadb",
				     .title = "MariaDB",
				     .columns = mariadb_columns,
				     .n_columns = ENT_COUNT(mariadb_columns),
				     .start = mariadb_start,
				     .stop = mariadb_stop,
				     .make = mariadb_make,
				     .drop = mariadb_drop,
				     .url = mariadb_url,
				     .object = object };
const struct mx_store mx_mysql = { .kind = "mysql",
				   .title = "MySQL",
				   .columns = mysql_columns,
				   .n_columns = ENT_COUNT(mysql_columns),
				   .start = mysql_server_start,
				   .stop = mysql_stop,
				   .make = mysql_make,
				   .drop = mysql_drop,
				   .url = mysql_url,
				   .object = object };
