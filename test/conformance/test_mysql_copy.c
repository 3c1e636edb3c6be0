/* The copy suite on MySQL and MariaDB. usage: test_mysql_copy MODULE NAME PORT PASSWORD-FILE CA */
#include "copy_kit.h"
#include "my_kit.h"
#include "suite_copy.h"

static void object_sql(const char *before, const char *object, const char *after)
{
	char sql[400];
	snprintf(sql, sizeof sql, "%s %s %s", before, object, after);
	mykit_run(sql);
}

static void copy_drop(const char *object) { object_sql("DROP TABLE IF EXISTS", object, ""); }

static void copy_change_table(const char *object) { object_sql("CREATE TABLE", object, "(id bigint NOT NULL PRIMARY KEY, v longtext, n int)"); }

static bool copy_change(const char *object, enum suite_change step)
{
	switch (step) {
	case SUITE_CHANGE_INSERT:
		object_sql("INSERT INTO", object, "VALUES (1, 'one', 10), (2, 'two', 20), (3, NULL, 30)");
		return true;
	case SUITE_CHANGE_UPDATE:
		object_sql("UPDATE", object, "SET v = 'zwei' WHERE id = 2");
		return true;
	case SUITE_CHANGE_DELETE:
		object_sql("DELETE FROM", object, "WHERE id = 1");
		return true;
	case SUITE_CHANGE_KEY:
		object_sql("UPDATE", object, "SET id = 30 WHERE id = 3");
		return true;
	case SUITE_CHANGE_MANY:
		object_sql("INSERT INTO", object,
			   "SELECT 1001 + a.n + 100 * b.n, 'many', 1 + a.n + 100 * b.n FROM digits a, digits b WHERE b.n < 10 ORDER BY "
			   "b.n, a.n");
		return true;
	case SUITE_CHANGE_ADD:
		object_sql("ALTER TABLE", object, "ADD COLUMN extra longtext");
		object_sql("INSERT INTO", object, "VALUES (40, 'forty', 40, 'more')");
		return true;
	case SUITE_CHANGE_TRUNCATE:
		object_sql("TRUNCATE TABLE", object, "");
		return true;
	case SUITE_CHANGE_LOSE:
		return mykit_purge();
	}
	return false;
}

static const struct suite_copy_except excepts[] = {
	{ "c_real", SUITE_NAN, NULL },           { "c_real", SUITE_PLUS_INFINITY, NULL },   { "c_real", SUITE_MINUS_INFINITY, NULL },
	{ "c_double", SUITE_NAN, NULL },         { "c_double", SUITE_PLUS_INFINITY, NULL }, { "c_double", SUITE_MINUS_INFINITY, NULL },
	{ "c_date", SUITE_PLUS_INFINITY, NULL }, { "c_date", SUITE_MINUS_INFINITY, NULL },  { "c_ts", SUITE_PLUS_INFINITY, NULL },
	{ "c_ts", SUITE_MINUS_INFINITY, NULL },  { "c_tstz", SUITE_PLUS_INFINITY, NULL },   { "c_tstz", SUITE_MINUS_INFINITY, NULL },
	{ "c_tstz", SUITE_YEAR_1, NULL },        { "c_tstz", SUITE_YEAR_9999, NULL },       { "c_real", SUITE_ZERO, NULL },
	{ "c_double", SUITE_ZERO, NULL }, /* MariaDB only */
};

int main(int argc, char **argv)
{
	static const struct ent_option options[] = { { "access", "write" } };
	static const char *const left_out[] = { "c_dec3837" };
	const struct ent_connector *c;
	if (!mykit_open(argc, argv) || !(c = suite_module(argv[1])))
		return 2;
	mykit_run("DROP DATABASE test");
	mykit_run("CREATE DATABASE test CHARACTER SET utf8mb4");
	mykit_run("USE test");
	mykit_digits();
	const struct suite_copy copy = { .name = argv[2],
					 .connector = c,
					 .url = mykit_url(""),
					 .options = options,
					 .n_options = 1,
					 .prefix = "test.",
					 .excepts = excepts,
					 .n_excepts = ENT_COUNT(excepts) - (mykit_mariadb ? 0 : 2),
					 .left_out = left_out,
					 .n_left_out = mykit_mariadb ? 0 : 1,
					 .drop = copy_drop,
					 .cut = mykit_kill_others,
					 .change_table = copy_change_table,
					 .change = copy_change };
	suite_copy_run(&copy);
	static const int64_t ids[] = { 1 };
	struct ent_err e = ENT_ERR_INIT;
	mykit_run("DROP DATABASE IF EXISTS `fresh ``one`");
	OK(!kit_write(&copy, "fresh `one.t", ENT_WRITE_CREATE, ids, "x", 1, &e), "%s: a copy makes the database that its target lacks: %s %s",
	   copy.name, e.what, e.why);
	OK_INT(kit_count(&copy, "fresh `one.t"), 1, "%s: and its row is there", copy.name);
	mykit_run("DROP DATABASE `fresh ``one`");
	mykit_close();
	return tap_done();
}
