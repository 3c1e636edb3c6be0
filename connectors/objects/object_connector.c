/* Reading: the object becomes a local file, which the connector for its suffix reads. Writing: that connector makes a local file, with its
 * checkpoints; at the end the file travels under a temporary name and takes its own in one step. */
#include "object_connector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object_local.h"

struct ent_source {
	struct ent_object_place place;
	struct ent_object_facts facts; /* when it was opened */
	bool there, write;
	struct ent_object_copy copy; /* read from */
	char *stage;                 /* written to */
	const struct ent_connector *files;
	struct ent_source *inner;
};

struct ent_sink {
	struct ent_source *source;
	struct ent_sink *inner;
	enum ent_write_mode mode;
};

static ent_object_open_fn place_open;

static void source_close(struct ent_source *s)
{
	if (!s)
		return;
	if (s->inner)
		s->files->close(s->inner);
	ent_object_copy_close(&s->copy);
	free(s->stage);
	if (s->place.ops)
		s->place.ops->close(s->place.self);
	free(s);
}
static void source_closep(struct ent_source **s) { source_close(*s); }

/* --- opening --- */

/* The local file has a name that says nothing to people. */
static void relabel(char *text, size_t size, const char *local, const char *path)
{
	char *at = strstr(text, local), rest[600];
	if (!at)
		return;
	snprintf(rest, sizeof rest, "%s", at + strlen(local));
	snprintf(at, size - (size_t)(at - text), "%.200s%s", path, rest);
}

static int files_find(const struct ent_host *host, struct ent_source *s, struct ent_err *err)
{
	const char *suffix = ent_object_suffix(s->place.path);
	if (host->size >= sizeof *host && host->files && suffix[0])
		s->files = host->files(host->self, suffix);
	if (s->files)
		return 0;
	ent_fail(err, ENT_EUSAGE, "the kind of file is not known: %.200s", s->place.path);
	return ent_next(err, "name it .parquet, .csv, .tsv, .json, .ndjson, .jsonl, .arrow, .arrows or .ipc"), ENT_EUSAGE;
}

static int facts_read(struct ent_source *s, struct ent_err *err)
{
	struct ent_err mine = ENT_ERR_INIT;
	int code = s->place.ops->facts(s->place.self, s->place.path, &s->facts, &mine);
	s->there = !code;
	if (!code && s->facts.folder)
		return ent_fail(err, ENT_EUSAGE, "%.200s is a folder, not a file", s->place.path);
	if (code == ENT_ENOTFOUND && s->write)
		return 0;
	if (code && err)
		*err = mine;
	return code;
}

static int inner_open(const struct ent_host *host, struct ent_source *s, const struct ent_option *options, size_t n, struct ent_err *err)
{
	struct ent_err mine = ENT_ERR_INIT, *e = err ? err : &mine;
	const char *local = s->write ? s->stage : s->copy.path;
	if (s->write && unlink(local) != 0 && errno != ENOENT) /* of a run that died before the file had travelled */
		return ent_fail(err, ENT_EIO, "cannot remove %.200s", local);
	int code = s->files->open(host, local, options, n, &s->inner, e);
	if (code) {
		relabel(e->what, sizeof e->what, local, s->place.path);
		relabel(e->why, sizeof e->why, local, s->place.path);
	}
	return code;
}

static int source_start(const struct ent_host *host, struct ent_source *s, const char *url, const struct ent_option *options, size_t n,
			struct ent_option *rest, bool *taken, struct ent_err *err)
{
	size_t n_rest = 0;
	for (size_t i = 0; i < n; i++)
		s->write = s->write || (!strcmp(options[i].key, "access") && !strcmp(options[i].value, "write"));
	ENT_TRY(place_open(host, url, options, n, taken, &s->place, err));
	ENT_TRY(ent_object_path_check(s->place.path, err));
	ENT_TRY(files_find(host, s, err));
	ENT_TRY(facts_read(s, err));
	for (size_t i = 0; i < n; i++)
		if (!taken[i])
			rest[n_rest++] = options[i];
	if (s->write)
		ENT_TRY(ent_object_stage_path(host, &s->place, &s->stage, err));
	else
		ENT_TRY(ent_object_copy_open(host, &s->place, &s->facts, &s->copy, err));
	return inner_open(host, s, rest, n_rest, err);
}

static int source_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n, struct ent_source **ret,
		       struct ent_err *err)
{
	ENT_CLEANUP(source_closep) struct ent_source *s = (struct ent_source *)calloc(1, sizeof *s);
	struct ent_option *rest = (struct ent_option *)calloc(n + 1, sizeof *rest);
	bool *taken = (bool *)calloc(n + 1, sizeof *taken);
	int code = s && rest && taken ? 0 : ent_nomem(err);
	if (s)
		s->copy.fd = -1;
	if (!code)
		code = source_start(host, s, url, options, n, rest, taken, err);
	free(rest);
	free(taken);
	if (code)
		return code;
	*ret = s;
	s = NULL;
	return 0;
}

/* --- reading --- */

static int source_describe(struct ent_source *s, const char *object, struct ArrowSchema *ret_schema, struct ent_object *ret_object,
			   struct ent_err *err)
{
	ENT_TRY(s->files->describe(s->inner, object, ret_schema, ret_object, err));
	snprintf(ret_object->version, sizeof ret_object->version, "%s", s->facts.version);
	return 0;
}

static int source_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n, struct ArrowArrayStream *ret,
		       struct ent_err *err)
{
	return s->files->scan(s->inner, object, columns, n, ret, err);
}

/* Splits name the version they were cut from: a copy that goes on must not mix two. */
struct planned {
	const struct ent_source *source;
	int (*take)(void *arg, const char *split, int64_t rows);
	void *arg;
};

static int plan_take(void *arg, const char *split, int64_t rows)
{
	const struct planned *p = (const struct planned *)arg;
	char text[400];
	snprintf(text, sizeof text, "@%s %.280s", p->source->facts.version, split);
	return p->take(p->arg, text, rows);
}

static int source_plan(struct ent_source *s, const char *object, uint64_t rows, int (*take)(void *arg, const char *split, int64_t rows), void *arg,
		       struct ent_err *err)
{
	struct planned p = { s, take, arg };
	return s->files->plan ? s->files->plan(s->inner, object, rows, plan_take, &p, err) : plan_take(&p, "", -1);
}

static int split_check(const struct ent_source *s, const char *split, const char **ret, struct ent_err *err)
{
	size_t n = strlen(s->facts.version);
#ifndef ENT_MUTANT_OBJECT_VERSION
	if (split[0] != '@' || strncmp(split + 1, s->facts.version, n) != 0 || split[1 + n] != ' ') {
		ent_fail(err, ENT_EDATA, "%.200s is another file than when the copy began", s->place.path);
		return ent_next(err, "begin the copy again with --restart"), ENT_EDATA;
	}
#endif
	*ret = strchr(split, ' ') + 1;
	return 0;
}

static int source_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct ent_read inner = *what;
	if (what->split)
		ENT_TRY(split_check(s, what->split, &inner.split, err));
	return s->files->read(s->inner, &inner, ret, err);
}

/* --- writing --- */

static int source_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_TRY(s->files->map(s->inner, target, lines, ret_exists, err));
	*ret_exists = s->there;
	return 0;
}

static int sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	if (!s->write)
		return ent_fail(err, ENT_EINTERNAL, "the source was opened for reading only");
	struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	k->source = s;
	int code = s->files->sink_open(s->inner, job, epoch, &k->inner, err);
	if (code)
		free(k);
	else
		*ret = k;
	return code;
}

static int sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	const char *path = k->source->place.path;
	if (k->source->there && !target->resume && target->mode != ENT_WRITE_REPLACE) {
		bool create = target->mode == ENT_WRITE_CREATE;
		int code = create ? ENT_EUSAGE : ENT_EUNSUPPORTED;
		ent_fail(err, code, create ? "%.200s is there already" : "%.200s is a file, which is written whole", path);
		return ent_next(err, "choose --mode replace, or another name"), code;
	}
	k->mode = target->mode;
	return k->source->files->sink_table(k->inner, target, ret_index, err);
}

static int sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	return k->source->files->sink_rows(k->inner, index, rows, err);
}

static int sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err) { return k->source->files->sink_truncate(k->inner, index, err); }

static int sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	return k->source->files->sink_commit(k->inner, c, err);
}

static int sink_rollback(struct ent_sink *k, struct ent_err *err) { return k->source->files->sink_rollback(k->inner, err); }

static int sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	return k->source->files->sink_last(k->inner, part, ret, err);
}

/* The name under which a file travels: hidden, as readers of folders leave out what begins with a dot. */
static int part_path(const char *path, struct ent_buf *out, struct ent_err *err)
{
	const char *name = strrchr(path, '/') + 1;
	ent_buf_printf(out, "%.*s.%s.entente.part", (int)(name - path), path, name);
	return ent_buf_check(out, err);
}

static int send_named(struct ent_sink *k, const char *part, int fd, struct ent_err *err)
{
	struct ent_object_place *p = &k->source->place;
	struct ent_object_facts facts;
	struct stat st;
	if (fstat(fd, &st) != 0)
		return ent_fail(err, ENT_EIO, "the local file cannot be read");
	ENT_TRY(p->ops->put(p->self, part, fd, (uint64_t)st.st_size, err));
	ENT_TRY(p->ops->facts(p->self, part, &facts, err));
	if (facts.bytes != (uint64_t)st.st_size)
		return ent_fail(err, ENT_EPEER, "%s holds %llu bytes of %.200s instead of %lld", p->ops->name, (unsigned long long)facts.bytes, part,
				(long long)st.st_size);
	return p->ops->rename(p->self, part, p->path, k->mode != ENT_WRITE_CREATE, err);
}

static int send(struct ent_sink *k, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf part = ENT_BUF(ENT_OBJECT_PATH_MAX + 20);
	struct ent_object_place *p = &k->source->place;
#ifdef ENT_MUTANT_OBJECT_IN_PLACE
	ent_buf_str(&part, p->path);
#else
	ENT_TRY(part_path(p->path, &part, err));
#endif
	int fd = open(k->source->stage, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ent_fail(err, ENT_EIO, "the file for %.200s is not there", p->path);
	int code = send_named(k, ent_buf_text(&part), fd, err);
	close(fd);
	if (code)
		(void)p->ops->remove(p->self, ent_buf_text(&part), NULL);
	else
		(void)unlink(k->source->stage);
	return code;
}

static int sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	ENT_TRY(k->source->files->sink_finish(k->inner, forget, err));
	return send(k, err);
}

static void sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	k->source->files->sink_close(k->inner);
	free(k);
}

void ent_object_connector_fill(struct ent_connector *c, const char *name, const char *schemes, ent_object_open_fn open)
{
	place_open = open;
	*c = (struct ent_connector){ .size = sizeof *c,
				     .abi = ENT_CONNECTOR_ABI,
				     .name = name,
				     .schemes = schemes,
				     .suffixes = "",
				     .dialect = "duckdb",
				     .capabilities = ENT_CAP_SNAPSHOT | ENT_CAP_SPLIT | ENT_CAP_WRITE | ENT_CAP_TXN_SINK,
				     .open = source_open,
				     .close = source_close,
				     .describe = source_describe,
				     .scan = source_scan,
				     .plan = source_plan,
				     .read = source_read,
				     .map = source_map,
				     .sink_open = sink_open,
				     .sink_table = sink_table,
				     .sink_rows = sink_rows,
				     .sink_truncate = sink_truncate,
				     .sink_commit = sink_commit,
				     .sink_rollback = sink_rollback,
				     .sink_last = sink_last,
				     .sink_finish = sink_finish,
				     .sink_close = sink_close };
}
