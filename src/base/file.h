/* The file vtable: everything a node writes goes through it, so that the simulator can crash, tear and slow every write.
 * Paths are relative to the root the vtable was made for (HOME); parts are separated by '/'. Errors: ENT_EIO, ENT_ENOSPACE, ENT_ENOTFOUND,
 * ENT_ENOMEM. */
#ifndef ENT_BASE_FILE_H
#define ENT_BASE_FILE_H
#include "base/bytes.h"

struct ent_file;
struct ent_fs;

enum ent_open_flags { ENT_OPEN_READ = 0, ENT_OPEN_WRITE = 1, ENT_OPEN_CREATE = 2, ENT_OPEN_EXCL = 4, ENT_OPEN_TRUNC = 8 };

struct ent_file_ops {
	int (*read_at)(struct ent_file *f, uint64_t at, void *buf, size_t len, size_t *ret_len, struct ent_err *err); /* short at the end of file */
	int (*write_at)(struct ent_file *f, uint64_t at, const void *buf, size_t len, struct ent_err *err);           /* all or an error */
	int (*sync)(struct ent_file *f, struct ent_err *err); /* data and size durable; after a failure the file must be reopened */
	int (*truncate)(struct ent_file *f, uint64_t size, struct ent_err *err);
	int (*size)(struct ent_file *f, uint64_t *ret, struct ent_err *err);
	int (*lock)(struct ent_file *f, struct ent_err *err); /* exclusive, never waits: ENT_EAGAIN when somebody holds it */
	void (*close)(struct ent_file *f);
};

struct ent_file {
	const struct ent_file_ops *ops;
};

struct ent_fs_ops {
	int (*open)(struct ent_fs *fs, const char *path, int flags, uint32_t mode, struct ent_file **ret, struct ent_err *err);
	int (*rename)(struct ent_fs *fs, const char *from, const char *to, struct ent_err *err);
	int (*remove)(struct ent_fs *fs, const char *path, struct ent_err *err);
	int (*mkdir)(struct ent_fs *fs, const char *path, uint32_t mode, struct ent_err *err); /* and its parents; no error if it exists */
	int (*sync_dir)(struct ent_fs *fs, const char *path, struct ent_err *err);             /* names in it durable */
	int (*list)(struct ent_fs *fs, const char *path, void (*each)(void *arg, const char *name), void *arg, struct ent_err *err);
	int (*space)(struct ent_fs *fs, uint64_t *ret_free_bytes, struct ent_err *err);
};

struct ent_fs {
	const struct ent_fs_ops *ops;
};

/* Helpers over any vtable. */
int ent_fs_read(struct ent_fs *fs, const char *path, size_t bytes_max, struct ent_buf *out, struct ent_err *err); /* whole file, appended */
/* Temp file, sync, rename, sync directory: after 0 the new content survives a crash; before, the old one does. */
int ent_fs_replace(struct ent_fs *fs, const char *path, struct ent_bytes content, uint32_t mode, struct ent_err *err);
bool ent_fs_exists(struct ent_fs *fs, const char *path);
void ent_file_closep(struct ent_file **f);
#endif
