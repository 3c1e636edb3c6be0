#include "my_kit.h"

const char *mykit_port, *mykit_password_file, *mykit_ca;
bool mykit_mariadb;
static MYSQL *con;

const char *mykit_url(const char *rest)
{
	static char all[8][400];
	static size_t n;
	char *out = all[n++ % 8];
	snprintf(out, sizeof all[0], "mysql://test:test@127.0.0.1:%s/test%s", mykit_port, rest);
	return out;
}

bool mykit_open(int argc, char **argv)
{
	if (argc < 6)
		return false;
	mykit_port = argv[3];
	mykit_password_file = argv[4];
	mykit_ca = argv[5];
	con = mysql_init(NULL);
	mysql_options(con, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!OK(mysql_real_connect(con, "127.0.0.1", "test", "test", "test", (unsigned)strtoul(mykit_port, NULL, 10), NULL, 0), "%s",
		mysql_error(con)))
		return false;
	mykit_mariadb = strstr(mysql_get_server_info(con), "MariaDB") != NULL;
	printf("# %s\n", mysql_get_server_info(con));
	return mykit_run("SET SESSION time_zone = '+00:00'") == 0;
}

void mykit_close(void) { mysql_close(con); }

int mykit_run(const char *sql)
{
	if (mysql_query(con, sql)) {
		OK(0, "%.100s: %s", sql, mysql_error(con));
		return 1;
	}
	MYSQL_RES *r = mysql_store_result(con);
	if (r)
		mysql_free_result(r);
	return 0;
}

const char *mykit_ask(const char *sql)
{
	static struct ent_buf out = ENT_BUF(1 << 20);
	ent_buf_reset(&out);
	ent_buf_str(&out, "");
	if (mysql_query(con, sql))
		return mysql_error(con);
	MYSQL_RES *r = mysql_store_result(con);
	size_t n = 0;
	for (MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL; row; row = mysql_fetch_row(r), n++) {
		ent_buf_str(&out, n ? ";" : "");
		for (unsigned i = 0; i < mysql_num_fields(r); i++)
			ent_buf_printf(&out, "%s%s", i ? "," : "", row[i] ? row[i] : "NULL");
	}
	if (r)
		mysql_free_result(r);
	return ent_buf_text(&out);
}

void mykit_digits(void)
{
	mykit_run("CREATE TABLE digits (n int NOT NULL PRIMARY KEY)");
	mykit_run("INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)");
	mykit_run("INSERT INTO digits SELECT a.n + 10 * b.n FROM digits a, digits b WHERE b.n > 0");
}

static void value_put(struct ent_buf *sql, size_t col, const char *value)
{
	char real[64];
	if (!value) {
		ent_buf_str(sql, "NULL");
	} else if (!strcmp(value, "LONG")) {
		ent_buf_printf(sql, "REPEAT('x', %u)", SUITE_LONG_TEXT);
	} else if (col == 1) {
		ent_buf_str(sql, value);
	} else if (col == 6) { /* the shortest text of the largest float is above it as a double */
		snprintf(real, sizeof real, "'%.17g'", (double)strtof(value, NULL));
		ent_buf_str(sql, real);
	} else {
		size_t n = strlen(value) - (col == 10 ? 3 : 0);
		char quoted[400];
		quoted[mysql_real_escape_string(con, quoted, value, n)] = 0;
		ent_buf_printf(sql, "'%s'", quoted);
	}
}

void mykit_canonical(const char *table)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	ent_buf_printf(&sql, "INSERT INTO %s VALUES ", table);
	for (size_t r = 0; r < SUITE_ROWS; r++) {
		for (size_t i = 0; i < SUITE_COLUMNS; i++) {
			ent_buf_str(&sql, i ? ", " : r ? "), (" : "(");
			value_put(&sql, i, suite_rows[r][i]);
		}
	}
	ent_buf_str(&sql, ")");
	mykit_run(ent_buf_text(&sql));
}

void mykit_kill_others(void)
{
	char ids[2000], sql[80];
	snprintf(
		ids, sizeof ids, "%s",
		mykit_ask("SELECT GROUP_CONCAT(id SEPARATOR ' ') FROM information_schema.processlist WHERE user = 'test' AND id <> CONNECTION_ID()"));
	char *rest = ids;
	for (unsigned long id = strtoul(rest, &rest, 10); id; id = strtoul(rest, &rest, 10)) {
		snprintf(sql, sizeof sql, "KILL %lu", id);
		(void)mykit_ask(sql);
	}
}

int mykit_count(struct ArrowArrayStream *stream, size_t *ret_rows, struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	*ret_rows = 0;
	ENT_TRY(ent_stream_schema(stream, &schema, e));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(stream, &a, e));
		if (!a.release)
			return 0;
		ENT_TRY(ent_batch_open_copy(&schema, &a, &b, e));
		*ret_rows += b.rows;
	}
}

void mykit_rows_put(const struct ent_batch *b, struct ent_buf *out)
{
	for (size_t r = 0; r < b->rows; r++) {
		for (size_t i = 0; i < b->n_columns; i++) {
			ent_buf_str(out, i ? "," : "");
			if (ent_view_null(&b->columns[i], r))
				ent_buf_str(out, "~");
			else
				ent_value_put(&b->columns[i], r, out);
		}
		ent_buf_str(out, "\n");
	}
}

int mykit_read(const struct ent_connector *c, const struct ent_read *what, struct ent_buf *out, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ArrowArrayStream stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	int code = c->open(&host, mykit_url(""), NULL, 0, &src, e);
	if (!code)
		code = c->read(src, what, &stream, e);
	if (!code)
		code = ent_stream_schema(&stream, &schema, e);
	while (!code) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		code = ent_stream_next(&stream, &a, e);
		if (code || !a.release)
			break;
		code = ent_batch_open_copy(&schema, &a, &b, e);
		if (!code)
			mykit_rows_put(&b, out);
	}
	ent_stream_release(&stream);
	c->close(src);
	return code;
}

int mykit_describe(const struct ent_connector *c, const char *object, struct ArrowSchema *ret, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	struct ent_object o = { .size = sizeof o };
	int code = c->open(&host, mykit_url(""), NULL, 0, &src, e);
	if (!code)
		code = c->describe(src, object, ret, &o, e);
	c->close(src);
	return code;
}

bool mykit_purge(void)
{
	char last[200], sql[300];
	mykit_kill_others(); /* a file that is being read stays */
	mykit_run("FLUSH BINARY LOGS");
	for (int i = 0; i < 50; i++) { /* MariaDB keeps a file until its engine is done with it */
		const char *all = mykit_ask("SHOW BINARY LOGS"), *at = strrchr(all, ';');
		if (!at)
			return true;
		snprintf(last, sizeof last, "%s", at + 1);
		last[strcspn(last, ",")] = 0;
		snprintf(sql, sizeof sql, "PURGE BINARY LOGS TO '%s'", last);
		mykit_run(sql);
		mykit_run("DO SLEEP(0.1)");
	}
	return OK(0, "the log's files do not go away");
}
