/* Line: EPOCH ROWS END HASH JOB PART CURSOR FNV, texts in hexadecimal with "-" for none. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow_file.h"

#define LOG_MAX ((size_t)256 << 20)
#define WORDS 8

struct ent_arrow_log {
	int fd;
	char *job, *path;
	struct ent_sink_checkpoint *points; /* the last of each part */
	size_t n_points;
	uint64_t end, len; /* of the data; of the log */
};

static int io_fail(const struct ent_arrow_log *l, const char *what, struct ent_err *err)
{
	int code = errno == ENOSPC || errno == EDQUOT ? ENT_ENOSPACE : ENT_EIO;
	char why[100];
	ent_fail(err, code, "%s %.200s", what, l->path);
	return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
}

void ent_arrow_log_close(struct ent_arrow_log *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l->job);
	free(l->path);
	free(l->points);
	free(l);
}
static void log_closep(struct ent_arrow_log **l) { ent_arrow_log_close(*l); }

static uint32_t sum_of(struct ent_bytes line)
{
	uint32_t h = 0x811c9dc5u;
	for (size_t i = 0; i < line.len; i++)
		h = (h ^ line.data[i]) * 0x01000193u;
	return h;
}

static int point_set(struct ent_arrow_log *l, const struct ent_sink_checkpoint *c, struct ent_err *err)
{
	for (size_t i = 0; i < l->n_points; i++)
		if (!strcmp(l->points[i].part, c->part)) {
			l->points[i] = *c;
			return 0;
		}
	if (l->n_points % 64 == 0) {
		struct ent_sink_checkpoint *more = (struct ent_sink_checkpoint *)realloc(l->points, (l->n_points + 64) * sizeof *more);
		if (!more)
			return ent_nomem(err);
		l->points = more;
	}
	l->points[l->n_points++] = *c;
	return 0;
}

/* --- lines --- */

static void text_put(struct ent_buf *b, const char *text)
{
	ent_buf_str(b, " ");
	if (text[0])
		ent_buf_hex(b, text, strlen(text));
	else
		ent_buf_str(b, "-");
}

static bool text_read(struct ent_bytes word, char *out, size_t out_size)
{
	bool none = ent_bytes_eq(word, ent_bytes_str("-"));
	size_t n = none ? 0 : word.len / 2;
	if (n >= out_size || (!none && !ent_unhex(out, n, (const char *)word.data, word.len)))
		return false;
	out[n] = 0;
	return strlen(out) == n;
}

/* False: damaged. */
static bool line_read(struct ent_bytes line, char job[200], struct ent_sink_checkpoint *c, uint64_t *end)
{
	struct ent_bytes words[WORDS];
	size_t n = 0;
	uint64_t sum;
	for (size_t at = 0; at < line.len && n < WORDS; n++) {
		const uint8_t *space = memchr(line.data + at, ' ', line.len - at);
		size_t len = space ? (size_t)(space - line.data) - at : line.len - at;
		words[n] = ent_bytes(line.data + at, len);
		at += len + 1;
	}
	if (n != WORDS || words[7].data + words[7].len != line.data + line.len)
		return false;
	if (!ent_parse_u64((const char *)words[7].data, words[7].len, UINT32_MAX, &sum) ||
	    sum != sum_of(ent_bytes(line.data, (size_t)(words[7].data - line.data))))
		return false;
	c->size = sizeof *c;
	return ent_parse_u64((const char *)words[0].data, words[0].len, INT64_MAX, &c->epoch) &&
	       ent_parse_u64((const char *)words[1].data, words[1].len, INT64_MAX, &c->rows) &&
	       ent_parse_u64((const char *)words[2].data, words[2].len, INT64_MAX, end) && text_read(words[3], c->hash, sizeof c->hash) &&
	       text_read(words[4], job, 200) && text_read(words[5], c->part, sizeof c->part) && text_read(words[6], c->cursor, sizeof c->cursor);
}

static int lines_read(struct ent_arrow_log *l, struct ent_bytes all, struct ent_err *err)
{
	while (l->len < all.len) {
		struct ent_sink_checkpoint c = { .size = sizeof c };
		char job[200];
		uint64_t end;
		const uint8_t *at = all.data + l->len, *stop = memchr(at, '\n', all.len - (size_t)l->len);
		if (!stop)
			break;
		if (!line_read(ent_bytes(at, (size_t)(stop - at)), job, &c, &end)) {
			ent_fail(err, ENT_EDATA, "the log of an unfinished copy is damaged: %.200s", l->path);
			return ent_next(err, "remove it and its .part, and copy again"), ENT_EDATA;
		}
		if (strcmp(job, l->job) != 0) { /* another job's: its rows are not ours */
			l->n_points = 0;
			l->len = l->end = 0;
			return 0;
		}
		ENT_TRY(point_set(l, &c, err));
		l->end = end;
		l->len += (uint64_t)(stop - at) + 1;
	}
	return 0;
}

static int log_read(struct ent_arrow_log *l, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf all = ENT_BUF(LOG_MAX);
	struct stat st;
	if (fstat(l->fd, &st) != 0)
		return io_fail(l, "cannot read", err);
	uint8_t *space = ent_buf_space(&all, (size_t)st.st_size);
	ENT_TRY(ent_buf_check(&all, err));
	if (st.st_size && pread(l->fd, space, (size_t)st.st_size, 0) != st.st_size)
		return io_fail(l, "cannot read", err);
	ENT_TRY(lines_read(l, ent_buf_bytes(&all), err));
	return ftruncate(l->fd, (off_t)l->len) ? io_fail(l, "cannot cut", err) : 0;
}

int ent_arrow_log_open(const char *path, const char *job, struct ent_arrow_log **ret, struct ent_err *err)
{
	ENT_CLEANUP(log_closep) struct ent_arrow_log *l = (struct ent_arrow_log *)calloc(1, sizeof *l);
	if (!l)
		return ent_nomem(err);
	l->fd = -1;
	l->job = ent_strdup(job);
	l->path = ent_strdup(path);
	if (!l->job || !l->path)
		return ent_nomem(err);
	l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0)
		return io_fail(l, "cannot write beside the target:", err);
#ifndef ENT_MUTANT_ARROW_UNLOCKED
	if (flock(l->fd, LOCK_EX | LOCK_NB) != 0) {
		ent_fail(err, ENT_EAGAIN, "another run of this job is at work");
		return ent_next(err, "let it finish, or stop it and start again"), ENT_EAGAIN;
	}
#endif
	ENT_TRY(log_read(l, err));
	*ret = l;
	l = NULL;
	return 0;
}

int ent_arrow_log_put(struct ent_arrow_log *l, const struct ent_sink_checkpoint *c, uint64_t end, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf line = ENT_BUF(8192);
	ent_buf_printf(&line, "%llu %llu %llu", (unsigned long long)c->epoch, (unsigned long long)c->rows, (unsigned long long)end);
	text_put(&line, c->hash);
	text_put(&line, l->job);
	text_put(&line, c->part);
	text_put(&line, c->cursor);
	ent_buf_str(&line, " ");
	ent_buf_printf(&line, "%lu\n", (unsigned long)sum_of(ent_buf_bytes(&line)));
	ENT_TRY(ent_buf_check(&line, err));
	if (pwrite(l->fd, line.data, line.len, (off_t)l->len) != (ssize_t)line.len || fdatasync(l->fd) != 0) {
		int code = io_fail(l, "cannot write", err);
		(void)!ftruncate(l->fd, (off_t)l->len);
		return code;
	}
	l->len += line.len;
	l->end = end;
	return point_set(l, c, err);
}

int ent_arrow_log_last(const struct ent_arrow_log *l, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err)
{
	for (size_t i = 0; i < l->n_points; i++)
		if (!strcmp(l->points[i].part, part)) {
			*ret = l->points[i];
			return 0;
		}
	return ent_fail(err, ENT_ENOTFOUND, "the job has no checkpoint for %.100s", part);
}

uint64_t ent_arrow_log_end(const struct ent_arrow_log *l) { return l->end; }

int ent_arrow_log_clear(struct ent_arrow_log *l, struct ent_err *err)
{
	l->n_points = 0;
	l->len = l->end = 0;
	return ftruncate(l->fd, 0) ? io_fail(l, "cannot cut", err) : 0;
}
