/* What a node keeps for the differencing guard: sealed on the disk, bound to its question, and missed only where something was shown.
 * Planted bug that this finds: lost_record. */
#include "node/job.h"
#include "node_kit.h"
#include "tap.h"

static const char PUBLIC[] = "{\"version\":2}", SHARES[] = "twelve shares that nobody may read on the disk";

struct world {
	struct kit_node k;
	struct ent_job later; /* a question of mallory's that alpha takes part in */
	struct ent_decision decision;
	struct ent_decision_guard guard;
};

static void job_make(struct world *w, struct ent_job *j, const char *id, bool joint)
{
	*j = (struct ent_job){ .node = w->k.node, .arena = ent_arena_new((size_t)1 << 20) };
	snprintf(j->id, sizeof j->id, "%s", id);
	j->proposal = json_pack("{s:o, s:[{s:s}]}", "trio", joint ? json_pack("[s,s,s]", "alpha", "carol", "mallory") : json_array(), "history", "id",
				"0123456789abcdef");
}

static void job_end(struct ent_job *j)
{
	json_decref(j->proposal);
	ent_arena_free(j->arena);
}

static void begin(struct world *w, bool joint)
{
	struct ent_err err = ENT_ERR_INIT;
	kit_init(&w->k, 5);
	free(kit_home(&w->k, "alpha", &err));
	OK_INT(kit_open(&w->k, &err), 0, "alpha opens: %s", err.what);
	job_make(w, &w->later, "fedcba9876543210", joint);
	w->guard = (struct ent_decision_guard){ .kind = ENT_GUARD_TOTAL, .job = "0123456789abcdef", .k = 10 };
	w->decision = (struct ent_decision){ .guards = &w->guard, .n_guards = 1 };
	w->later.decision = &w->decision;
}

static void end(struct world *w)
{
	job_end(&w->later);
	ent_node_close(w->k.node);
	simfs_free(w->k.fs);
}

static void keep(struct world *w, bool joint, bool released)
{
	struct ent_job j;
	struct ent_err err = ENT_ERR_INIT;
	job_make(w, &j, "0123456789abcdef", joint);
	OK_INT(ent_guard_keep(w->k.node, &j, released ? ent_bytes_str(PUBLIC) : ent_bytes(NULL, 0),
			      released ? ent_bytes_str(SHARES) : ent_bytes(NULL, 0), &err),
	       0, "kept: %s", err.what);
	job_end(&j);
}

static int run(struct world *w, const char *sql) { return ent_db_run(w->k.node->db, NULL, sql, ""); }

static void test_sealed(void)
{
	struct world w;
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf disk = ENT_BUF((size_t)64 << 20);
	begin(&w, true);
	keep(&w, true, true);
	for (const char *const *name = (const char *const[]){ "node.db", "node.db-wal", NULL }; *name; name++)
		(void)ent_fs_read(w.k.fs, *name, (size_t)32 << 20, &disk, NULL);
	OK(disk.len > sizeof SHARES && !memmem(disk.data, disk.len, "nobody may read", 15), "the disk shows nothing of it (%zu bytes)", disk.len);
	OK_INT(ent_guard_load(w.k.node, &w.later, &err), 0, "read again: %s", err.what);
	OK_INT(w.later.spec.n_guard, 1, "one record");
	OK(ent_bytes_eq(w.later.spec.guard[0].shares, ent_bytes_str(SHARES)) &&
		   ent_bytes_eq(w.later.spec.guard[0].public_json, ent_bytes_str(PUBLIC)),
	   "the very one");
	OK_INT(ent_guard_check(w.k.node, &w.later, &err), 0, "it is at hand");
	w.k.node->store_key[3] ^= 1;
	OK_INT(ent_guard_load(w.k.node, &w.later, &err), ENT_EVERIFY, "another key opens nothing");
	w.k.node->store_key[3] ^= 1;
	ent_node_close(w.k.node);
	OK_INT(kit_open(&w.k, &err), 0, "opens again: %s", err.what);
	OK_INT(ent_guard_load(w.k.node, &w.later, &err), 0, "the key stays with the home");
	OK_INT(run(&w, "UPDATE guard SET job = 'another'"), 0, "a record put in place of another");
	w.guard.job = "another";
	json_object_set_new(w.later.proposal, "history", json_pack("[{s:s}]", "id", "another"));
	OK_INT(ent_guard_load(w.k.node, &w.later, &err), ENT_EVERIFY, "is noticed");
	end(&w);
}

/* No record: refused only where something of that answer was, or may have been, shown. */
static void missing(const char *sql, int want, const char *why)
{
	struct world w;
	struct ent_err err = ENT_ERR_INIT;
	begin(&w, true);
	if (sql)
		OK_INT(run(&w, sql), 0, "set");
	OK_INT(ent_guard_check(w.k.node, &w.later, &err), want, "%s", why);
	if (want)
		OK(strstr(err.what, "0123456789abcdef"), "names the earlier question: %s", err.what);
	w.guard.other_trio = true;
	OK_INT(ent_guard_check(w.k.node, &w.later, &err), 0, "approved instead of compared: nothing is needed");
	end(&w);
}

#define JOB(state) \
	"INSERT INTO job(id, time, state, requester, request, content, salt, attempt, info) VALUES('0123456789abcdef', 1, '" state "', 'mallory', " \
	"'', '', '', 1, '{}')"

static void test_missing(void)
{
	missing(NULL, 0, "a question never heard of");
	missing(JOB("aborted"), 0, "aborted before any output of ours");
	missing(JOB("done"), ENT_EDENIED, "done");
	missing("INSERT INTO job_entry(job, at, type) VALUES('0123456789abcdef', 7, 'open')", 0, "opened, but nothing sent");
	missing("INSERT INTO job_entry(job, at, type) VALUES('0123456789abcdef', 7, 'output')", ENT_EDENIED, "our output was sent");
}

static void test_kinds(void)
{
	struct world w;
	struct ent_err err = ENT_ERR_INIT;
	begin(&w, false);
	keep(&w, true, true);
	OK_INT(run(&w, JOB("done")), 0, "set");
	OK_INT(ent_guard_check(w.k.node, &w.later, &err), ENT_EDENIED, "shares do not serve a comparison in the clear");
	keep(&w, false, true);
	OK_INT(ent_guard_check(w.k.node, &w.later, &err), 0, "numbers in the clear do");
	OK_INT(ent_guard_load(w.k.node, &w.later, &err), 0, "and are read");
	OK_INT(w.later.spec.n_guard, 1, "alone");
	end(&w);
	begin(&w, true);
	OK_INT(run(&w, JOB("done")), 0, "set");
	keep(&w, true, false);
	OK_INT(ent_guard_check(w.k.node, &w.later, &err), 0, "an answer without groups leaves nothing to compare");
	OK_INT(ent_guard_load(w.k.node, &w.later, &err), 0, "read");
	OK_INT(w.later.spec.n_guard, 0, "no record");
	end(&w);
}

int main(void)
{
	test_sealed();
	test_missing();
	test_kinds();
	return tap_done();
}
