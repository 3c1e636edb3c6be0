/* Copies that a crash cuts off are entered when the node is back, once; those that ended are not entered again; passwords made for them go away. */
#include "peer_kit.h"

static struct peer alpha;
static char moving[20];

static int move(struct ent_runner *r, const struct ent_move_spec *spec, struct ent_err *err)
{
	(void)r, (void)err;
	snprintf(moving, sizeof moving, "%s", spec->id);
	return 0;
}
static void move_cancel(struct ent_runner *r, const char *id) { (void)r, (void)id; }
static const struct ent_runner_ops ops = { probe, start, cancel, move, move_cancel };

static void copy(const char *kind, bool dry)
{
	struct ent_err err = ENT_ERR_INIT;
	json_t *args = json_pack("{s:s,s:s,s:[s],s:s,s:b}", "kind", kind, "source", "sqlite:/home/x/a.db#t", "targets",
				 "postgresql://me@db.example/main#public.t", "target_secret", "geheim", "dry_run", dry);
	OK_INT(kit_ask(&alpha.k, "move.start", args, NULL, &err), 0, "a %s begins: %s", kind, err.what);
}

/* Entries whose line in the ledger's list holds text. */
static size_t entries(const char *text)
{
	ENT_JSON_AUTO answer = NULL;
	size_t i, n = 0;
	json_t *e;
	kit_ask(&alpha.k, "ledger.list", json_object(), &answer, NULL);
	json_array_foreach(json_object_get(answer, "entries"), i, e) n += strstr(json_string_value(json_object_get(e, "text")), text) != NULL;
	return n;
}

static bool has_secret(const char *id)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(100);
	char path[80];
	snprintf(path, sizeof path, "secrets/move-%s-1", id);
	return !ent_fs_read(alpha.k.fs, path, 100, &text, NULL);
}

/* Power fails: the runner's work is gone, the disk keeps what was synced. */
static void crash(void)
{
	simfs_crash(alpha.k.fs);
	ent_node_close(alpha.k.node);
	open_peer(&alpha);
	ent_node_tick(alpha.k.node);
}

static void ended(int code)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO result = json_pack("{s:i,s:s,s:s}", "rows", code ? 0 : 5, "job", "j", "digest", "00");
	if (code)
		ent_fail(&err, code, "failed");
	ent_node_move_ended(alpha.k.node, moving, result, code ? &err : NULL);
}

int main(void)
{
	free(begin(&alpha, "alpha", 1, &alpha));
	alpha.runner.ops = &ops;
	open_peer(&alpha);
	copy("copy", false);
	OK(has_secret(moving) && !entries("public.t"), "while it runs nothing is entered");
	crash();
	OK_INT(entries("unknown"), 1, "a copy that was cut off is entered");
	OK(!has_secret(moving), "and its password is gone");
	crash();
	OK_INT(entries("unknown"), 1, "once");
	copy("prepare", false);
	crash();
	OK_INT(entries("unknown"), 2, "a preparation, too");
	copy("copy", false);
	ended(0);
	crash();
	OK(entries("5 rows, done") == 1 && entries("unknown") == 2, "what ended is not entered again");
	copy("copy", false);
	ended(ENT_EIO);
	crash();
	OK_INT(entries("public.t"), 3, "what failed before its first row is not entered");
	copy("copy", true);
	copy("compare", false);
	crash();
	OK(entries("public.t") == 3 && !has_secret(moving), "what moves no row is not entered; its password is gone");
	struct ent_err err = ENT_ERR_INIT;
	alpha.k.no_random = true;
	json_t *args = json_pack("{s:s,s:s,s:[s]}", "kind", "copy", "source", "a.csv", "targets", "b.csv");
	OK(kit_ask(&alpha.k, "move.start", args, NULL, &err) == ENT_EIO && strstr(err.what, "random"), "without randomness nothing moves: %s",
	   err.what);
	ent_node_close(alpha.k.node);
	simfs_free(alpha.k.fs);
	return tap_done();
}
