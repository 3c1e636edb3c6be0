#include "node/vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_LETTERS_MAX 512

struct ent_vfs {
	sqlite3_vfs vfs;
	char name[40];
	struct ent_fs *fs;
	struct ent_clock *clock;
	struct ent_random *random;
	bool lost; /* a sync failed: the system may have dropped what it was to save, and the next sync would not say so */
};

struct vfs_file { /* begins like sqlite3_file */
	const sqlite3_io_methods *methods;
	struct ent_file *file;
	struct ent_vfs *vfs;
	bool fresh;     /* created by this open: its name is not durable before the first sync */
	bool temporary; /* remove on close */
	char path[PATH_LETTERS_MAX];
};

static struct vfs_file *as_file(sqlite3_file *f) { return (struct vfs_file *)(void *)f; }

static struct ent_vfs *as_vfs(sqlite3_vfs *v) { return v->pAppData; }

static int file_close(sqlite3_file *sf)
{
	struct vfs_file *f = as_file(sf);
	ent_file_closep(&f->file);
	if (f->temporary)
		(void)f->vfs->fs->ops->remove(f->vfs->fs, f->path, NULL);
	f->methods = NULL;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *sf, void *buf, int len, sqlite3_int64 at)
{
	struct vfs_file *f = as_file(sf);
	size_t got = 0;
	if (f->file->ops->read_at(f->file, (uint64_t)at, buf, (size_t)len, &got, NULL))
		return SQLITE_IOERR_READ;
	if (got == (size_t)len)
		return SQLITE_OK;
	memset((char *)buf + got, 0, (size_t)len - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int write_code(int code, int otherwise) { return !code ? SQLITE_OK : code == ENT_ENOSPACE ? SQLITE_FULL : otherwise; }

static int file_write(sqlite3_file *sf, const void *buf, int len, sqlite3_int64 at)
{
	struct vfs_file *f = as_file(sf);
	if (f->vfs->lost)
		return SQLITE_IOERR_WRITE;
	return write_code(f->file->ops->write_at(f->file, (uint64_t)at, buf, (size_t)len, NULL), SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *sf, sqlite3_int64 size)
{
	struct vfs_file *f = as_file(sf);
	if (f->vfs->lost)
		return SQLITE_IOERR_TRUNCATE;
	return write_code(f->file->ops->truncate(f->file, (uint64_t)size, NULL), SQLITE_IOERR_TRUNCATE);
}

/* One failure is for good: all files of the database count as lost until they are opened anew. */
static int synced(struct ent_vfs *v, int code, int otherwise)
{
#ifndef ENT_MUTANT_SYNC_AGAIN
	v->lost = v->lost || code;
	return v->lost ? otherwise : SQLITE_OK;
#else
	return code ? otherwise : SQLITE_OK;
#endif
}

static int file_sync(sqlite3_file *sf, int flags)
{
	struct vfs_file *f = as_file(sf);
	struct ent_vfs *v = f->vfs;
	(void)flags;
	int r = synced(v, v->lost ? ENT_EIO : f->file->ops->sync(f->file, NULL), SQLITE_IOERR_FSYNC);
	if (!r && f->fresh)
		r = synced(v, v->fs->ops->sync_dir(v->fs, ".", NULL), SQLITE_IOERR_DIR_FSYNC);
	f->fresh = f->fresh && r;
	return r;
}

static int file_size(sqlite3_file *sf, sqlite3_int64 *ret)
{
	struct vfs_file *f = as_file(sf);
	uint64_t size = 0;
	if (f->file->ops->size(f->file, &size, NULL))
		return SQLITE_IOERR_FSTAT;
	*ret = (sqlite3_int64)size;
	return SQLITE_OK;
}

/* HOME's lock keeps others out; inside it there is one connection. */
static int file_lock(sqlite3_file *sf, int level)
{
	(void)sf;
	(void)level;
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *sf, int *ret)
{
	(void)sf;
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *sf, int op, void *arg)
{
	(void)sf;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *sf)
{
	(void)sf;
	return 4096;
}

static int file_traits(sqlite3_file *sf)
{
	(void)sf;
	return 0;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

static int open_flags(int flags)
{
	int f = flags & SQLITE_OPEN_READONLY ? ENT_OPEN_READ : ENT_OPEN_WRITE;
	if (flags & SQLITE_OPEN_CREATE)
		f |= ENT_OPEN_CREATE;
	return flags & SQLITE_OPEN_EXCLUSIVE ? f | ENT_OPEN_EXCL : f;
}

static int vfs_open(sqlite3_vfs *sv, sqlite3_filename name, sqlite3_file *sf, int flags, int *ret_flags)
{
	struct ent_vfs *v = as_vfs(sv);
	struct vfs_file *f = as_file(sf);
	*f = (struct vfs_file){ .vfs = v, .temporary = flags & SQLITE_OPEN_DELETEONCLOSE };
	if (!name)
		return SQLITE_CANTOPEN; /* no anonymous temporary files: temp_store is memory */
	snprintf(f->path, sizeof f->path, "%s", name);
	f->fresh = (flags & SQLITE_OPEN_CREATE) && !ent_fs_exists(v->fs, f->path);
	if (v->fs->ops->open(v->fs, f->path, open_flags(flags), 0600, &f->file, NULL))
		return SQLITE_CANTOPEN;
	f->methods = &file_methods;
	if (ret_flags)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *sv, const char *name, int sync_dir)
{
	struct ent_vfs *v = as_vfs(sv);
	if (v->lost)
		return SQLITE_IOERR_DELETE;
	int r = v->fs->ops->remove(v->fs, name, NULL);
	if (r == ENT_ENOTFOUND)
		return SQLITE_IOERR_DELETE_NOENT;
	if (r)
		return SQLITE_IOERR_DELETE;
	return sync_dir ? synced(v, v->fs->ops->sync_dir(v->fs, ".", NULL), SQLITE_IOERR_DELETE) : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *sv, const char *name, int flags, int *ret)
{
	(void)flags;
	*ret = ent_fs_exists(as_vfs(sv)->fs, name);
	return SQLITE_OK;
}

static int vfs_full(sqlite3_vfs *sv, const char *name, int len, char *out)
{
	(void)sv;
	return snprintf(out, (size_t)len, "%s", name) < len ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *sv, int len, char *out)
{
	struct ent_vfs *v = as_vfs(sv);
	return v->random->fill(v->random, out, (size_t)len, NULL) ? 0 : len;
}

static int vfs_sleep(sqlite3_vfs *sv, int us)
{
	(void)sv;
	return us;
}

static int vfs_time64(sqlite3_vfs *sv, sqlite3_int64 *ret)
{
	struct ent_vfs *v = as_vfs(sv);
	*ret = 210866760000000LL + v->clock->utc_ms(v->clock); /* Julian day of 1970-01-01 in ms */
	return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *sv, double *ret)
{
	sqlite3_int64 ms;
	(void)vfs_time64(sv, &ms);
	*ret = (double)ms / 86400000.0;
	return SQLITE_OK;
}

static int vfs_error(sqlite3_vfs *sv, int len, char *out)
{
	(void)sv;
	if (len > 0)
		*out = 0;
	return 0;
}

int ent_vfs_new(struct ent_fs *fs, struct ent_clock *clock, struct ent_random *random, struct ent_vfs **ret, struct ent_err *err)
{
	struct ent_vfs *v = ent_alloc(1, sizeof *v);
	if (!v)
		return ent_nomem(err);
	*v = (struct ent_vfs){ .fs = fs, .clock = clock, .random = random };
	snprintf(v->name, sizeof v->name, "entente-%p", (void *)v);
	v->vfs = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = (int)sizeof(struct vfs_file),
		.mxPathname = PATH_LETTERS_MAX - 1,
		.zName = v->name,
		.pAppData = v,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_error,
		.xCurrentTimeInt64 = vfs_time64,
	};
	if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
		free(v);
		return ent_nomem(err);
	}
	*ret = v;
	return 0;
}

void ent_vfs_free(struct ent_vfs *vfs)
{
	if (!vfs)
		return;
	sqlite3_vfs_unregister(&vfs->vfs);
	free(vfs);
}

const char *ent_vfs_name(const struct ent_vfs *vfs) { return vfs->name; }

bool ent_vfs_lost(const struct ent_vfs *vfs) { return vfs->lost; }
