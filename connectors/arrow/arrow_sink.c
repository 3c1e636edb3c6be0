/* Rows are appended to PATH.entente.part; a commit makes them durable and then notes their end in the log beside it, so that what a crash left behind
 * the last noted end is cut off. At the end the file gets its end mark and, unless it is a stream, its table of contents, and takes its name. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/sink.h"
#include "arrow_file.h"

#define PAGE_BYTES ((size_t)256 << 20) /* the largest batch as bytes of the file */

struct ent_sink {
	struct ent_source *source;
	struct ent_arrow_log *log;
	char *log_path, *part;
	uint64_t epoch;
	int fd;
	struct ArrowSchema schema;
	bool has_table;
	uint64_t at, committed, begin; /* next byte; end of what counts; where rows begin */
	struct ent_buf page;
	uint64_t rows; /* of this run, for errors */
};

static int io_fail(const char *what, const char *path, struct ent_err *err)
{
	int code = errno == ENOSPC || errno == EDQUOT ? ENT_ENOSPACE : ENT_EIO;
	char why[100];
	ent_fail(err, code, "%s %.200s", what, path);
	return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
}

static bool exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

int ent_arrow_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	(void)err;
	*ret_exists = exists(s->path);
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		lines[i] = (struct ent_map_line){ .size = sizeof lines[i] };
		ent_schema_field(target->schema, i, &f);
		if (!f.copied) {
			lines[i].verdict = ENT_MAP_REFUSED;
			snprintf(lines[i].why, sizeof lines[i].why, "%s", f.unsupported);
			continue;
		}
		lines[i].verdict = ent_fit_types(f.type, f.type, lines[i].why);
		ent_type_name(f.type, lines[i].native);
	}
	return 0;
}

/* --- opening --- */

void ent_arrow_sink_close(struct ent_sink *k)
{
	if (!k)
		return;
	ent_arrow_log_close(k->log);
	if (k->fd >= 0)
		close(k->fd);
	ent_schema_release(&k->schema);
	ent_buf_deinit(&k->page);
	free(k->log_path);
	free(k->part);
	free(k);
}
static void sink_closep(struct ent_sink **k) { ent_arrow_sink_close(*k); }

static char *beside(const char *path, const char *end)
{
	char *out = NULL;
	return asprintf(&out, "%s%s", path, end) < 0 ? NULL : out;
}

static int epoch_take(struct ent_sink *k, struct ent_err *err)
{
	struct ent_sink_checkpoint c = { .size = sizeof c, .part = ENT_SINK_EPOCH_PART };
	if (!ent_arrow_log_last(k->log, ENT_SINK_EPOCH_PART, &c, NULL))
		k->epoch = c.epoch;
	c.epoch = ++k->epoch;
	return ent_arrow_log_put(k->log, &c, ent_arrow_log_end(k->log), err);
}

int ent_arrow_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err)
{
	ENT_CLEANUP(sink_closep) struct ent_sink *k = (struct ent_sink *)calloc(1, sizeof *k);
	if (!k)
		return ent_nomem(err);
	if (!s->write || *epoch)
		return ent_fail(err, ENT_EINTERNAL, "an Arrow file has one writer, and its source must be open for writing");
	k->source = s;
	k->fd = -1;
	ent_buf_init(&k->page, PAGE_BYTES);
	k->log_path = beside(s->path, ".entente");
	k->part = beside(s->path, ".entente.part");
	if (!k->log_path || !k->part)
		return ent_nomem(err);
	ENT_TRY(ent_arrow_log_open(k->log_path, job, &k->log, err));
	k->fd = open(k->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (k->fd < 0)
		return io_fail("cannot write", k->part, err);
	struct stat st;
	if (fstat(k->fd, &st) != 0)
		return io_fail("cannot read", k->part, err);
	if (!st.st_size) /* the rows took their name, or never came */
		ENT_TRY(ent_arrow_log_clear(k->log, err));
	ENT_TRY(epoch_take(k, err));
	*epoch = k->epoch;
	*ret = k;
	k = NULL;
	return 0;
}

/* --- rows --- */

static int append(struct ent_sink *k, struct ent_err *err)
{
	for (size_t done = 0; done < k->page.len;) {
		ssize_t n = pwrite(k->fd, k->page.data + done, k->page.len - done, (off_t)(k->at + done));
		if (n <= 0 && errno != EINTR)
			return io_fail("cannot write", k->part, err);
		done += n > 0 ? (size_t)n : 0;
	}
	k->at += k->page.len;
	ent_buf_reset(&k->page);
	return 0;
}

static int head_put(struct ent_sink *k, struct ent_err *err)
{
	ent_buf_reset(&k->page);
	if (!k->source->stream)
		ent_buf_put(&k->page, ENT_IPC_MAGIC, 8);
	ENT_TRY(ent_ipc_schema_put(&k->schema, &k->page, err));
	k->begin = k->page.len;
	return 0;
}

static int data_anew(struct ent_sink *k, struct ent_err *err)
{
	if (ftruncate(k->fd, 0) != 0)
		return io_fail("cannot empty", k->part, err);
	ENT_TRY(head_put(k, err));
	k->at = 0;
	ENT_TRY(append(k, err));
	k->committed = k->at;
	return 0;
}

/* Goes on behind what was committed. */
static int data_resume(struct ent_sink *k, struct ent_err *err)
{
	struct stat st;
	ENT_TRY(head_put(k, err));
	ent_buf_reset(&k->page);
	k->at = k->committed = ent_arrow_log_end(k->log);
	if (fstat(k->fd, &st) != 0 || (uint64_t)st.st_size < k->at || k->at < k->begin) {
		ent_fail(err, ENT_EDATA, "the unfinished file %.200s is shorter than its log says", k->part);
		return ent_next(err, "copy again with --restart"), ENT_EDATA;
	}
	return ftruncate(k->fd, (off_t)k->at) ? io_fail("cannot cut", k->part, err) : 0;
}

static int mode_check(const struct ent_sink *k, const struct ent_target *target, struct ent_err *err)
{
	bool there = exists(k->source->path);
	if (target->mode == ENT_WRITE_CREATE && there) {
		ent_fail(err, ENT_EUSAGE, "%.200s is there already", k->source->path);
		return ent_next(err, "choose --mode replace, or another name"), ENT_EUSAGE;
	}
	if (target->mode == ENT_WRITE_UPSERT || (target->mode == ENT_WRITE_APPEND && there)) {
		ent_fail(err, ENT_EUNSUPPORTED, "a file is written whole");
		return ent_next(err, "choose --mode replace, or another name"), ENT_EUNSUPPORTED;
	}
	return 0;
}

int ent_arrow_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	if (k->has_table || target->object[0])
		return ent_fail(err, ENT_EUSAGE, "a file holds one table, without a name");
	for (size_t i = 0; i < (size_t)target->schema->n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(target->schema, i, &f);
		if (!f.copied)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: %s", f.name, f.unsupported);
	}
	if (!target->resume)
		ENT_TRY(mode_check(k, target, err));
	ENT_TRY(ent_schema_dup(target->schema, &k->schema, err));
	ENT_TRY(target->resume ? data_resume(k, err) : data_anew(k, err));
	k->has_table = true;
	*ret_index = 0;
	return 0;
}

int ent_arrow_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err)
{
	(void)index;
	return data_anew(k, err);
}

/* Dates and times without end have no place in Arrow. */
static int ends_check(struct ent_sink *k, const struct ent_batch *b, struct ent_err *err)
{
	for (size_t c = 0; c < b->n_columns; c++) {
		const struct ent_view *v = &b->columns[c];
		struct ent_field_info f;
		char type[ENT_TYPE_TEXT_MAX];
		if (!ent_type_is_time(v->type))
			continue;
		int64_t last = v->type.id == ENT_T_DATE ? INT32_MAX : INT64_MAX, first = v->type.id == ENT_T_DATE ? INT32_MIN : INT64_MIN;
		for (size_t r = 0; r < b->rows; r++) {
			int64_t at = ent_view_null(v, r) ? 0 : ent_view_int(v, r);
			if (at != first && at != last)
				continue;
			ent_schema_field(&k->schema, c, &f);
			ent_type_name(v->type, type);
			return ent_fit_misfit(v, r, k->rows + r + 1, f.name, type, err);
		}
	}
	return 0;
}

int ent_arrow_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	(void)index;
	ENT_TRY(ent_batch_open_copy(&k->schema, rows, &b, err));
	ENT_TRY(ends_check(k, &b, err));
	if (!b.rows)
		return 0;
	ENT_TRY(ent_ipc_batch_put(&b, &k->page, err));
	k->rows += b.rows;
	return append(k, err);
}

int ent_arrow_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	struct ent_sink_checkpoint own = { .size = sizeof own, .part = ENT_SINK_EPOCH_PART };
	if (c)
		own = *c;
	own.epoch = k->epoch;
	uint64_t end = k->has_table ? k->at : ent_arrow_log_end(k->log);
	if (k->has_table && fdatasync(k->fd) != 0)
		return io_fail("cannot make durable", k->part, err);
	ENT_TRY(ent_arrow_log_put(k->log, &own, end, err));
	if (k->has_table)
		k->committed = k->at;
	return 0;
}

int ent_arrow_sink_rollback(struct ent_sink *k, struct ent_err *err)
{
	ent_buf_reset(&k->page);
	if (!k->has_table)
		return 0;
	k->at = k->committed;
	return ftruncate(k->fd, (off_t)k->at) ? io_fail("cannot cut", k->part, err) : 0;
}

int ent_arrow_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	return ent_arrow_log_last(k->log, part, ret, err);
}

/* --- the end --- */

static int part_read(void *self, uint64_t at, void *buf, size_t len, struct ent_err *err)
{
	const struct ent_sink *k = (const struct ent_sink *)self;
	return pread(k->fd, buf, len, (off_t)at) == (ssize_t)len ? 0 : io_fail("cannot read", k->part, err);
}

static void ipc_closep(struct ent_ipc **f) { ent_ipc_close(*f); }

static int tail_put(struct ent_sink *k, struct ent_err *err)
{
	ENT_CLEANUP(ipc_closep) struct ent_ipc *f = NULL;
	const struct ent_ipc_input input = { part_read, k, k->at, NULL };
	const struct ent_ipc_block *blocks;
	size_t n;
	ENT_TRY(ent_ipc_open(&input, true, &f, err));
	blocks = ent_ipc_blocks(f, &n);
	ent_ipc_end_put(&k->page);
	if (!k->source->stream)
		ENT_TRY(ent_ipc_footer_put(&k->schema, blocks, n, &k->page, err));
	ENT_TRY(append(k, err));
	return fsync(k->fd) ? io_fail("cannot make durable", k->part, err) : 0;
}

static int folder_sync(const char *path, struct ent_err *err)
{
	char *copy = ent_strdup(path);
	if (!copy)
		return ent_nomem(err);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = fd < 0 || fsync(fd) != 0 ? io_fail("cannot make durable the folder of", path, err) : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return code;
}

int ent_arrow_sink_finish(struct ent_sink *k, int forget, struct ent_err *err)
{
	(void)forget; /* a file keeps no checkpoints */
	if (!k->has_table)
		return ent_fail(err, ENT_EINTERNAL, "there is no table to finish");
	ENT_TRY(ent_arrow_sink_commit(k, NULL, err));
	ENT_TRY(tail_put(k, err));
	if (rename(k->part, k->source->path) != 0)
		return io_fail("cannot give its name to", k->source->path, err);
	ENT_TRY(folder_sync(k->source->path, err));
	return unlink(k->log_path) ? io_fail("cannot remove", k->log_path, err) : 0;
}
