/* Arrow IPC files and streams as sources and targets: what the files of this module share. */
#ifndef ENT_ARROW_FILE_H
#define ENT_ARROW_FILE_H
#include "arrow/fit.h"
#include "arrow/ipc.h"
#include "arrow/stream.h"
#include "entente/connector.h"

struct ent_source {
	struct ent_host host;
	char *path;                  /* absolute */
	bool write, stream;          /* stream: written without a table of contents */
	struct ent_arrow_file *file; /* read from; NULL when it is only written */
	char version[80];
};

/* A file that is read, shared by its source and the streams it gave. */
int ent_arrow_file_open(const char *path, struct ent_arrow_file **ret, char version[80], struct ent_err *err);
void ent_arrow_file_unref(struct ent_arrow_file *f); /* NULL is fine */
const struct ent_ipc *ent_arrow_file_ipc(const struct ent_arrow_file *f);
int ent_arrow_file_read(struct ent_arrow_file *f, const size_t *columns, size_t n, size_t from, size_t to, struct ArrowArrayStream *ret,
			struct ent_err *err);

/* arrow_sink.c */
int ent_arrow_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err);
int ent_arrow_sink_open(struct ent_source *s, const char *job, uint64_t *epoch, struct ent_sink **ret, struct ent_err *err);
int ent_arrow_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err);
int ent_arrow_sink_rows(struct ent_sink *k, size_t index, const struct ArrowArray *rows, struct ent_err *err);
int ent_arrow_sink_truncate(struct ent_sink *k, size_t index, struct ent_err *err);
int ent_arrow_sink_commit(struct ent_sink *k, const struct ent_sink_checkpoint *c, struct ent_err *err);
int ent_arrow_sink_rollback(struct ent_sink *k, struct ent_err *err);
int ent_arrow_sink_last(struct ent_sink *k, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
int ent_arrow_sink_finish(struct ent_sink *k, int forget, struct ent_err *err);
void ent_arrow_sink_close(struct ent_sink *k);

/* The log of checkpoints beside a file that is made: PATH.entente. Text, one record a line; a line that a crash cut off counts for nothing. */
struct ent_arrow_log;
/* Locked until closed: ENT_EAGAIN when another run holds it. A log of another job is emptied. */
int ent_arrow_log_open(const char *path, const char *job, struct ent_arrow_log **ret, struct ent_err *err);
void ent_arrow_log_close(struct ent_arrow_log *l); /* NULL is fine */
/* Appends and makes durable; end: bytes of the data that count from here on. */
int ent_arrow_log_put(struct ent_arrow_log *l, const struct ent_sink_checkpoint *c, uint64_t end, struct ent_err *err);
int ent_arrow_log_last(const struct ent_arrow_log *l, const char *part, struct ent_sink_checkpoint *ret, struct ent_err *err);
uint64_t ent_arrow_log_end(const struct ent_arrow_log *l);
int ent_arrow_log_clear(struct ent_arrow_log *l, struct ent_err *err);
#endif
