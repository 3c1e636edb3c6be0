/* What must stop a joint query: bounds, sizes, keys and labels that no longer hold (nothing shared then), and what planning refuses by name.
 * Planted bugs that these find: bound_unchecked, unique_unchecked. */
#include "joint_kit.h"
#include "tap.h"

static struct ent_column many_columns[] = {
	{ .name = "k", .type = { .id = ENT_T_INT32 }, .nullable = true, .bound_bits = 7 },
	{ .name = "v", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
	{ .name = "huge", .type = { .id = ENT_T_INT64 } },
	{ .name = "f", .type = { .id = ENT_T_DOUBLE }, .bound_bits = 7 },
	{ .name = "loose", .type = { .id = ENT_T_DOUBLE } },
};
static struct ent_column one_columns[] = {
	{ .name = "k", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
	{ .name = "t", .type = { .id = ENT_T_TEXT }, .distinct_padded = 2 },
	{ .name = "n", .type = { .id = ENT_T_INT32 }, .bound_bits = 7 },
};
static const uint16_t first[] = { 0 };
static const struct ent_unique key = { first, 1 };

static const char good_many[] = "SELECT CAST(i % 10 AS INTEGER) AS k, CAST(i AS INTEGER) AS v, CAST(i AS BIGINT) AS huge, CAST(i AS DOUBLE) AS f, "
				"CAST(i AS DOUBLE) AS loose FROM range(20) t(i)";
static const char good_one[] =
	"SELECT CAST(i AS INTEGER) AS k, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS t, CAST(i AS INTEGER) AS n FROM range(10) t(i)";
static const char question[] = "SELECT b.t, SUM(a.v) AS s FROM alpha.many a JOIN bravo.one b ON a.k = b.k GROUP BY 1";

static int ask(const char *module, const char *many, const char *one, const char *sql, struct ent_err *err)
{
	struct jk k = { .trio = { "alpha", "bravo", "carol" }, .requester = "alpha" };
	struct ent_table a = { .org = "alpha", .name = "many", .columns = many_columns, .n_columns = 5, .rows_padded = 20 };
	struct ent_table b = { .org = "bravo", .name = "one", .columns = one_columns, .n_columns = 3, .keys = &key, .n_keys = 1, .rows_padded = 10 };
	struct ent_buf out = ENT_BUF(1 << 20);
	int code = jk_open(&k, module, err);
	code = code ? code : jk_table(&k, a, 2, false, many, err);
	code = code ? code : jk_table(&k, b, 2, true, one, err);
	code = code ? code : jk_query(&k, sql, &out, err);
	ent_buf_deinit(&out);
	jk_close(&k);
	return code;
}

static void owners(const char *module)
{
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ask(module, good_many, good_one, question, &err), 0, "sound tables are answered (%s %s)", err.what, err.why);
	OK_INT(ask(module, "SELECT 1::INTEGER AS k, 128::INTEGER AS v, 1::BIGINT AS huge, 0::DOUBLE AS f, 0::DOUBLE AS loose", good_one, question,
		   &err),
	       ENT_EDATA, "a value beyond its bound");
	OK(strstr(err.what, "bound") && !strstr(err.what, "128"), "named without the value: %s", err.what);
	OK_INT(ask(module, "SELECT 1::INTEGER AS k, 1::INTEGER AS v, 1::BIGINT AS huge, 'NaN'::DOUBLE AS f, 0::DOUBLE AS loose", good_one,
		   "SELECT b.t, SUM(a.f) FROM alpha.many a JOIN bravo.one b ON a.k = b.k GROUP BY 1", &err),
	       ENT_EDATA, "NaN in a sum");
	OK_INT(ask(module,
		   "SELECT CAST(i % 10 AS INTEGER) AS k, 1::INTEGER AS v, 1::BIGINT AS huge, 0::DOUBLE AS f, 0::DOUBLE AS loose FROM range(21) t(i)",
		   good_one, question, &err),
	       ENT_EDATA, "a table that outgrew its published size");
	OK(strstr(err.next, "add --refresh"), "next: %s", err.next);
	OK_INT(ask(module, good_many, "SELECT CAST(i / 2 AS INTEGER) AS k, 'x' AS t, 1::INTEGER AS n FROM range(10) t(i)", question, &err), ENT_EDATA,
	       "a key that is no longer unique");
	OK_INT(ask(module, good_many, "SELECT CAST(i // 2 AS INTEGER) AS k, 'x' AS t, CAST(i % 2 AS INTEGER) AS n FROM range(10) t(i)",
		   "SELECT b.t, SUM(a.v) FROM alpha.many a JOIN bravo.one b ON a.k = b.k WHERE b.n = 0 GROUP BY 1", &err),
	       ENT_EDATA, "also when a filter hides the second row");
	OK_INT(ask(module, good_many, "SELECT CAST(i AS INTEGER) AS k, CAST(i AS VARCHAR) AS t, 1::INTEGER AS n FROM range(10) t(i)", question, &err),
	       ENT_EDATA, "more distinct texts than published");
	OK_INT(ask(module, good_many, "SELECT CAST(i AS INTEGER) AS k, repeat('x', 300) AS t, 1::INTEGER AS n FROM range(10) t(i)", question, &err),
	       ENT_EDATA, "a label that is too long");
}

static void planning(const char *module)
{
	static const struct {
		const char *sql;
		int code;
		const char *says;
	} cases[] = {
		{ "SELECT b.t, SUM(a.huge) FROM alpha.many a JOIN bravo.one b ON a.k = b.k GROUP BY 1", ENT_EUNSUPPORTED, "overflow" },
		{ "SELECT b.t, SUM(a.loose) FROM alpha.many a JOIN bravo.one b ON a.k = b.k GROUP BY 1", ENT_EUNSUPPORTED, "bound" },
		{ "SELECT COUNT(*) FROM alpha.many a JOIN bravo.one b ON a.v = b.n", ENT_EUNSUPPORTED, "unique" },
		{ "SELECT COUNT(*) FROM alpha.many a, bravo.one b", ENT_EUNSUPPORTED, "equality" },
		{ "SELECT COUNT(DISTINCT a.v) FROM alpha.many a JOIN bravo.one b ON a.k = b.k", ENT_EUNSUPPORTED, "DISTINCT" },
		{ "SELECT a.v, b.t FROM alpha.many a JOIN bravo.one b ON a.k = b.k", ENT_EDENIED, "protected" },
		{ "SELECT COUNT(*) FROM alpha.many a JOIN bravo.one b ON a.k = b.k WHERE a.v / NULLIF(b.n, 0) > 1", ENT_EUNSUPPORTED, "/" },
		{ "SELECT SUM(a.huge * b.n) FROM alpha.many a JOIN bravo.one b ON a.k = b.k", ENT_EUNSUPPORTED, "overflow" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		struct ent_err err = ENT_ERR_INIT;
		OK_INT(ask(module, good_many, good_one, cases[i].sql, &err), cases[i].code, "%s", cases[i].sql);
		OK(strstr(err.what, cases[i].says) || strstr(err.why, cases[i].says), "says %s: %s", cases[i].says, err.what);
	}
}

/* Rows where every column may be shown. */
static void open_rows(const char *module)
{
	struct jk k = { .trio = { "alpha", "bravo", "carol" }, .requester = "carol" };
	struct ent_table a = { .org = "alpha", .name = "many", .columns = many_columns, .n_columns = 5, .rows_padded = 20 };
	struct ent_table b = { .org = "bravo", .name = "one", .columns = one_columns, .n_columns = 3, .keys = &key, .n_keys = 1, .rows_padded = 10 };
	struct ent_buf out = ENT_BUF(1 << 20), want = ENT_BUF(1 << 20);
	struct ent_err err = ENT_ERR_INIT;
	int code = jk_open(&k, module, &err);
	code = code ? code : jk_table(&k, a, 2, false, good_many, &err);
	code = code ? code : jk_table(&k, b, 2, false, good_one, &err);
	code = code ? code
		    : jk_query(&k,
			       "SELECT a.v, b.t, a.v + b.n AS s FROM alpha.many a JOIN bravo.one b ON a.k = b.k WHERE a.v > b.n ORDER BY a.v DESC "
			       "LIMIT 4",
			       &out, &err);
	OK_INT(code, 0, "rows of unprotected tables (%s %s)", err.what, err.why);
	OK_INT(jk_oracle(&k,
			 "SELECT a.v, b.t, a.v + b.n AS s FROM alpha_many a JOIN bravo_one b ON a.k = b.k WHERE a.v > b.n ORDER BY a.v DESC LIMIT 4",
			 &want, &err),
	       0, "%s", err.what);
	OK_STR(ent_buf_text(&out), ent_buf_text(&want), "equal");
	ent_buf_deinit(&out);
	ent_buf_deinit(&want);
	jk_close(&k);
}

/* Same public sizes, other private data, other selectivity: the same messages at every party. Eight rows in all, so that a sort is one batch
 * of all pairs; beyond that its traffic follows the opened outcomes of a random order, which mpc's own traffic tests cover. */
static void one_traffic(const char *module, bool match, struct jk *ret)
{
	static const char *const many[] = {
		"SELECT 5::INTEGER AS k, 7::INTEGER AS v, 1::BIGINT AS huge, 0::DOUBLE AS f, 0::DOUBLE AS loose",
		"SELECT CAST(i AS INTEGER) AS k, CAST(i AS INTEGER) AS v, i AS huge, 1::DOUBLE AS f, 0::DOUBLE AS loose FROM range(4) t(i)"
	};
	static const char *const one[] = {
		"SELECT CAST(i + 3 AS INTEGER) AS k, 'x' AS t, CAST(i AS INTEGER) AS n FROM range(3) t(i)",
		"SELECT CAST(i AS INTEGER) AS k, CASE WHEN i = 1 THEN 'y' ELSE 'x' END AS t, 1::INTEGER AS n FROM range(4) t(i)"
	};
	struct ent_table a = { .org = "alpha", .name = "many", .columns = many_columns, .n_columns = 5, .rows_padded = 4 };
	struct ent_table b = { .org = "bravo", .name = "one", .columns = one_columns, .n_columns = 3, .keys = &key, .n_keys = 1, .rows_padded = 4 };
	struct ent_buf out = ENT_BUF(1 << 20);
	struct ent_err err = ENT_ERR_INIT;
	*ret = (struct jk){ .trio = { "alpha", "bravo", "carol" }, .requester = "alpha" };
	int code = jk_open(ret, module, &err);
	code = code ? code : jk_table(ret, a, 1, false, many[match], &err);
	code = code ? code : jk_table(ret, b, 1, true, one[match], &err);
	code = code ? code
		    : jk_query(ret,
			       match ? "SELECT COUNT(*) AS n, SUM(a.v) AS s FROM alpha.many a JOIN bravo.one b ON a.k = b.k WHERE b.n < 9"
				     : "SELECT COUNT(*) AS n, SUM(a.v) AS s FROM alpha.many a JOIN bravo.one b ON a.k = b.k WHERE b.n < 3",
			       &out, &err);
	OK_INT(code, 0, "answered %s", err.what);
	ent_buf_deinit(&out);
	jk_close(ret);
}

static void traffic(const char *module)
{
	struct jk none, all;
	one_traffic(module, false, &none);
	one_traffic(module, true, &all);
	for (int i = 0; i < 3; i++) {
		OK_INT(none.messages[i], all.messages[i], "party %d: as many messages", i);
		OK(!memcmp(none.traffic_sha256[i], all.traffic_sha256[i], 32), "party %d: of the same lengths in the same order", i);
	}
}

/* An owner that answers alone sends what it likes: rows of another width than the query's never reach the requester's result. */
struct liar {
	struct ent_link link;
	uint8_t bytes[24];
	size_t at;
};

static int liar_recv(struct ent_link *l, void *data, size_t len, struct ent_err *err)
{
	struct liar *x = (struct liar *)l;
	if (len > sizeof x->bytes - x->at)
		return ent_fail(err, ENT_EPEER, "no more bytes");
	memcpy(data, x->bytes + x->at, len);
	x->at += len;
	return 0;
}

static const struct ent_link_ops liar_ops = { NULL, liar_recv, NULL, NULL };

static int liar_link(void *self, const char *org, const char *name, struct ent_link **ret, struct ent_err *err)
{
	struct liar *x = self;
	(void)org, (void)name, (void)err;
	*ret = &x->link;
	return 0;
}

static void lying_owner(const char *module)
{
	struct jk k = { .trio = { "alpha", "bravo", "carol" }, .requester = "alpha" };
	struct ent_table b = { .org = "bravo", .name = "one", .columns = one_columns, .n_columns = 3, .keys = &key, .n_keys = 1, .rows_padded = 10 };
	struct ent_err err = ENT_ERR_INIT;
	struct ent_joint_plan *plan = NULL;
	struct ent_joint_result result = { 0 };
	struct liar x = { .link = { .ops = &liar_ops } };
	struct ent_joint_env env = { .self = &x, .org = "alpha", .link = liar_link };
	x.bytes[7] = 16; /* length, then rows and columns */
	x.bytes[15] = 3;
	OK_INT(jk_open(&k, module, &err), 0, "%s", err.what);
	OK_INT(jk_table(&k, b, 2, true, good_one, &err), 0, "%s", err.what);
	OK_INT(jk_plan(&k, k.arena, "SELECT COUNT(*) AS n, SUM(n) AS s FROM bravo.one", &plan, &err), 0, "%s", err.what);
	OK_INT(ent_joint_run(plan, &env, &result, &err), ENT_EPEER, "three rows without columns: %s", err.what);
	ent_joint_result_deinit(&result);
	jk_close(&k);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	owners(argv[1]);
	planning(argv[1]);
	open_rows(argv[1]);
	traffic(argv[1]);
	lying_owner(argv[1]);
	return tap_done();
}
