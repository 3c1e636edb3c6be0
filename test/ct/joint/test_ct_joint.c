/* Constant time, the joint layer: whole questions run under valgrind with every share marked undefined (see mpc/taint.h); a branch or an address
 * that depends on one fails the run, also in src/joint: expressions, joins, groups, suppression, the guard's records, owners and requester outside
 * the trio. That the marks last through src/joint is shown by a branch on a record's share on purpose.
 * usage: test_ct_joint MODULE (driver) | test_ct_joint MODULE ask | test_ct_joint MODULE leak */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "joint_kit.h"
#include "tap.h"

#define TAINTED 9

extern char **environ;

static const struct ent_column visit_columns[] = {
	{ .name = "person", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
	{ .name = "cost", .type = { .id = ENT_T_INT32 }, .nullable = true, .bound_bits = 7 },
	{ .name = "mark", .type = { .id = ENT_T_DOUBLE }, .bound_bits = 7 },
};
static const struct ent_column people_columns[] = {
	{ .name = "id", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
	{ .name = "town", .type = { .id = ENT_T_TEXT }, .nullable = true, .distinct_padded = 4 },
};
static const uint16_t first[] = { 0 };
static const struct ent_unique key = { first, 1 };

#define FROM " FROM alpha.visits v JOIN bravo.people p ON v.person = p.id "
static const char *const questions[] = {
	"SELECT p.town, COUNT(*) AS n, SUM(v.cost) AS s, AVG(v.mark) AS m, MIN(v.cost) AS low" FROM "GROUP BY p.town HAVING COUNT(*) > 3 ORDER BY 1",
	"SELECT COUNT(COALESCE(v.cost, 0)) AS n, MAX(v.mark) FILTER (WHERE v.cost > 20) AS top FROM alpha.visits v LEFT JOIN bravo.people p ON "
	"v.person = p.id AND v.cost < 60",
	"SELECT CASE WHEN v.cost > p.id THEN 1 ELSE 0 END AS g, SUM(v.cost * 2 - p.id) AS s" FROM "WHERE v.cost <> p.id OR p.town IS NULL GROUP BY 1",
};

static int tables(struct jk *k, const char *module, struct ent_err *err)
{
	struct ent_table visits = { .org = "alpha", .name = "visits", .columns = visit_columns, .n_columns = 3, .rows_padded = 60 };
	struct ent_table people = {
		.org = "bravo", .name = "people", .columns = people_columns, .n_columns = 2, .keys = &key, .n_keys = 1, .rows_padded = 40
	};
	ENT_TRY(jk_open(k, module, err));
	ENT_TRY(jk_table(
		k, visits, 3, true,
		"SELECT CAST(i % 33 AS INTEGER) AS person, CAST(CASE WHEN i % 7 > 0 THEN i * 2 END AS INTEGER) AS cost, CAST(i AS DOUBLE) / 4 AS "
		"mark FROM range(60) t(i)",
		err));
	return jk_table(k, people, 3, true,
			"SELECT CAST(i AS INTEGER) AS id, CASE WHEN i < 20 THEN 'Oslo' WHEN i < 30 THEN 'Rome' END AS town FROM range(40) t(i)", err);
}

/* Every question twice: alone, and with the record of the one before for the guard. */
static int ask(struct jk *k, struct ent_err *err)
{
	for (size_t i = 0; i < 2 * ENT_COUNT(questions); i++) {
		struct ent_joint_guard_blob blobs[3];
		struct ent_buf out = ENT_BUF(1 << 16), public[3], shares[3];
		for (int p = 0; p < 3; p++) {
			public[p] = k->guard_public[p];
			shares[p] = k->guard_shares[p];
			k->guard_public[p] = k->guard_shares[p] = (struct ent_buf){ 0 };
			blobs[p] = (struct ent_joint_guard_blob){ "earlier", ent_buf_bytes(&public[p]), ent_buf_bytes(&shares[p]) };
			k->guard[p] = &blobs[p];
		}
		k->n_guard = i % 2 && shares[0].len;
		int code = jk_query(k, questions[i / 2], &out, err);
		for (int p = 0; p < 3; p++) {
			ent_buf_deinit(&public[p]);
			ent_buf_deinit(&shares[p]);
		}
		ent_buf_deinit(&out);
		ENT_TRY(code);
	}
	return 0;
}

static int inside(const char *module, const char *what)
{
	static const struct jk seats[] = { { .trio = { "alpha", "bravo", "carol" }, .requester = "carol" },
					   { .trio = { "alpha", "carol", "delta" }, .requester = "bravo" } };
	struct ent_err err = ENT_ERR_INIT;
	for (size_t i = 0; i < ENT_COUNT(seats); i++) {
		struct jk k = seats[i];
		int code = tables(&k, module, &err);
		code = code ? code : ask(&k, &err);
		if (code)
			printf("# %s: %s\n", err.what, err.why);
		if (!code && !strcmp(what, "leak") && k.guard_shares[0].len && k.guard_shares[0].data[0] & 1) /* the mistake */
			usleep(1);
		jk_close(&k);
		if (code)
			return 1;
	}
	return 0;
}

/* Exit code of valgrind on ourselves; 127 = no valgrind. */
static int under_valgrind(char *self, char *module, char *what)
{
	char arg0[] = "valgrind", arg1[] = "-q", arg2[] = "--error-exitcode=9", arg3[] = "--fair-sched=yes";
	char *argv[] = { arg0, arg1, arg2, arg3, self, module, what, NULL };
	int status;
	pid_t pid;
	if (posix_spawnp(&pid, "valgrind", NULL, NULL, argv, environ))
		return 127;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char leak[] = "leak", all[] = "ask";
	if (argc > 2)
		return inside(argv[1], argv[2]);
	setenv("ENT_CPU", "portable", 0);
	if (argc < 2)
		return 2;
#if !defined(ENT_TAINT)
	tap_skip("taint", "built without valgrind's header");
	return tap_done();
#endif
	int rc = under_valgrind(argv[0], argv[1], leak);
	if (rc == 127) {
		tap_skip("taint", "no valgrind here");
		return tap_done();
	}
	OK_INT(rc, TAINTED, "a branch on a share that src/joint kept is found");
	OK_INT(under_valgrind(argv[0], argv[1], all), 0, "no joint question branches on shares");
	return tap_done();
}
