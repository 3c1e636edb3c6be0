/* The oracle of demo and tests: runs one SELECT in DuckDB over files that are all on this machine, in the clear, and prints CSV.
 * It exists to be compared with a joint answer; no node ever links it.
 *
 * usage: pooled 'SELECT ...' [FILE.parquet]   (tables as read_csv('a.csv'), 'b.parquet' ...; the rows go into FILE instead) */
#include <duckdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char settings[] =
	"SET integer_division = true; SET default_null_order = 'nulls_last_on_asc_first_on_desc'; SET TimeZone = 'UTC'; SET threads = 2;";

static int run(duckdb_connection con, const char *sql)
{
	duckdb_result result;
	int failed = duckdb_query(con, sql, &result) == DuckDBError;
	if (failed)
		fprintf(stderr, "pooled: %s\n", duckdb_result_error(&result));
	duckdb_destroy_result(&result);
	return failed;
}

int main(int argc, char **argv)
{
	duckdb_database db;
	duckdb_connection con;
	if (argc < 2 || argc > 3 || (argc == 3 && strchr(argv[2], '\''))) {
		fprintf(stderr, "usage: pooled 'SELECT ...' [FILE.parquet]\n");
		return 2;
	}
	if (duckdb_open(NULL, &db) == DuckDBError || duckdb_connect(db, &con) == DuckDBError)
		return 70;
	size_t size = strlen(argv[1]) + (argc == 3 ? strlen(argv[2]) : 0) + 100;
	char *copy = malloc(size);
	if (!copy)
		return 75;
	if (argc == 3)
		snprintf(copy, size, "COPY (%s) TO '%s' (FORMAT parquet)", argv[1], argv[2]);
	else
		snprintf(copy, size, "COPY (%s) TO '/dev/stdout' (FORMAT csv, HEADER true)", argv[1]);
	int failed = run(con, settings) || run(con, copy);
	free(copy);
	duckdb_disconnect(&con);
	duckdb_close(&db);
	return failed ? 2 : 0;
}
