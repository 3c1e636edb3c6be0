#include "base/file.h"

#include <stdio.h>

void ent_file_closep(struct ent_file **f)
{
	if (*f)
		(*f)->ops->close(*f);
	*f = NULL;
}

int ent_fs_read(struct ent_fs *fs, const char *path, size_t bytes_max, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	uint64_t size = 0;
	size_t got = 0;
	ENT_TRY(fs->ops->open(fs, path, ENT_OPEN_READ, 0, &f, err));
	ENT_TRY(f->ops->size(f, &size, err));
	if (size > bytes_max)
		return ent_fail(err, ENT_EDATA, "%s has %llu bytes, at most %zu are read here", path, (unsigned long long)size, bytes_max);
	uint8_t *at = ent_buf_space(out, (size_t)size);
	ENT_TRY(ent_buf_check(out, err));
	ENT_TRY(f->ops->read_at(f, 0, at, (size_t)size, &got, err));
	return got == size ? 0 : ent_fail(err, ENT_EIO, "%s became shorter while it was read", path);
}

static int write_synced(struct ent_fs *fs, const char *path, struct ent_bytes content, uint32_t mode, struct ent_err *err)
{
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	ENT_TRY(fs->ops->open(fs, path, ENT_OPEN_WRITE | ENT_OPEN_CREATE | ENT_OPEN_TRUNC, mode, &f, err));
	ENT_TRY(f->ops->write_at(f, 0, content.data, content.len, err));
	return f->ops->sync(f, err);
}

int ent_fs_replace(struct ent_fs *fs, const char *path, struct ent_bytes content, uint32_t mode, struct ent_err *err)
{
	char temp[512], dir[512];
	const char *slash = strrchr(path, '/');
	int n = snprintf(temp, sizeof temp, "%s.tmp", path);
	if (n < 0 || (size_t)n >= sizeof temp)
		return ent_fail(err, ENT_EIO, "path too long: %s", path);
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	ENT_TRY(write_synced(fs, temp, content, mode, err));
	ENT_TRY(fs->ops->rename(fs, temp, path, err));
	return fs->ops->sync_dir(fs, dir, err);
}

bool ent_fs_exists(struct ent_fs *fs, const char *path)
{
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	return !fs->ops->open(fs, path, ENT_OPEN_READ, 0, &f, NULL);
}
