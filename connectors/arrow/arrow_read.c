#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow_codec.h"
#include "arrow_file.h"

struct ent_arrow_file {
	atomic_uint refs;
	int fd;
	struct ent_ipc *ipc;
};

static int read_at(void *self, uint64_t at, void *buf, size_t len, struct ent_err *err)
{
	const struct ent_arrow_file *f = (const struct ent_arrow_file *)self;
	char why[100];
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(f->fd, (char *)buf + done, len - done, (off_t)(at + done));
		if (n > 0)
			done += (size_t)n;
		else if (!n)
			return ent_fail(err, ENT_EDATA, "the Arrow file became shorter while it was read");
		else if (errno != EINTR) {
			ent_fail(err, ENT_EIO, "the Arrow file cannot be read");
			return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), ENT_EIO;
		}
	}
	return 0;
}

void ent_arrow_file_unref(struct ent_arrow_file *f)
{
	if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
		return;
	ent_ipc_close(f->ipc);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}
static void file_unrefp(struct ent_arrow_file **f) { ent_arrow_file_unref(*f); }

const struct ent_ipc *ent_arrow_file_ipc(const struct ent_arrow_file *f) { return f->ipc; }

static int open_fail(const char *path, struct ent_err *err)
{
	int code = errno == ENOENT || errno == ENOTDIR ? ENT_ENOTFOUND : errno == EACCES ? ENT_EDENIED : ENT_EIO;
	char why[100];
	ent_fail(err, code, "cannot open %.200s", path);
	return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
}

int ent_arrow_file_open(const char *path, struct ent_arrow_file **ret, char version[80], struct ent_err *err)
{
	struct stat st;
	ENT_CLEANUP(file_unrefp) struct ent_arrow_file *f = (struct ent_arrow_file *)calloc(1, sizeof *f);
	if (!f)
		return ent_nomem(err);
	atomic_init(&f->refs, 1);
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		return open_fail(path, err);
	if (!S_ISREG(st.st_mode))
		return ent_fail(err, ENT_EDATA, "%.200s is not a file", path);
	const struct ent_ipc_input input = { read_at, f, (uint64_t)st.st_size, ent_arrow_codecs };
	ENT_TRY(ent_ipc_open(&input, false, &f->ipc, err));
	snprintf(version, 80, "%lld.%09ld+%lld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size);
	*ret = f;
	f = NULL;
	return 0;
}

/* --- streams that keep their file --- */

struct reading {
	struct ent_arrow_file *file;
	struct ArrowArrayStream rows;
};

static int reading_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	return ent_stream_next(&((struct reading *)self)->rows, ret, err);
}

static void reading_free(void *self)
{
	struct reading *r = (struct reading *)self;
	ent_stream_release(&r->rows);
	ent_arrow_file_unref(r->file);
	free(r);
}

static const struct ent_stream_ops reading_ops = { reading_next, reading_free };

int ent_arrow_file_read(struct ent_arrow_file *f, const size_t *columns, size_t n, size_t from, size_t to, struct ArrowArrayStream *ret,
			struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	struct reading *r = (struct reading *)calloc(1, sizeof *r);
	if (!r)
		return ent_nomem(err);
	atomic_fetch_add(&f->refs, 1);
	r->file = f;
	int code = ent_ipc_read(f->ipc, columns, n, from, to, &r->rows, err);
	code = code ? code : ent_stream_schema(&r->rows, &schema, err);
	if (code) {
		reading_free(r);
		return code;
	}
	return ent_stream_new(&schema, &reading_ops, r, ret, err);
}
