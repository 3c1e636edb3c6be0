/* Files below one root by openat(2). Folders named in sync_dir stay open (few: ledger, tiles, HOME), so a failed sync cannot hide behind a reopen. */
#include "os/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DIRS_MAX 64

struct disk_file {
	struct ent_file file;
	int fd;
	bool broken; /* a sync failed: the kernel may have dropped the pages, so only a reopened file tells the truth */
};

struct disk {
	struct ent_fs fs;
	int root;
	pthread_mutex_t lock;
	size_t dirs_count;
	struct {
		char *path;
		int fd;
	} dirs[DIRS_MAX];
};

static int failed(struct ent_err *err, int e, const char *what, const char *path)
{
	int code = e == ENOENT || e == ENOTDIR                 ? ENT_ENOTFOUND
		   : e == ENOSPC || e == EDQUOT || e == EFBIG  ? ENT_ENOSPACE
		   : e == ENOMEM || e == EMFILE || e == ENFILE ? ENT_ENOMEM
							       : ENT_EIO;
	ent_fail(err, code, "could not %s %s", what, path);
	ent_why(err, "%s", strerror(e));
	if (code == ENT_ENOSPACE)
		ent_next(err, "free some space on the disk that holds HOME, then start again");
	return code;
}

static struct disk_file *file_of(struct ent_file *f) { return (struct disk_file *)f; }
static struct disk *disk_of(struct ent_fs *fs) { return (struct disk *)fs; }

static int file_read_at(struct ent_file *f, uint64_t at, void *buf, size_t len, size_t *ret_len, struct ent_err *err)
{
	size_t got = 0;
	while (got < len) {
		ssize_t n = pread(file_of(f)->fd, (uint8_t *)buf + got, len - got, (off_t)(at + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(err, errno, "read", "a file");
		if (!n)
			break;
		got += (size_t)n;
	}
	*ret_len = got;
	return 0;
}

static int file_write_at(struct ent_file *f, uint64_t at, const void *buf, size_t len, struct ent_err *err)
{
	size_t put = 0;
	while (put < len) {
		ssize_t n = pwrite(file_of(f)->fd, (const uint8_t *)buf + put, len - put, (off_t)(at + put));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(err, n < 0 ? errno : EIO, "write", "a file");
		put += (size_t)n;
	}
	return 0;
}

static int file_sync(struct ent_file *f, struct ent_err *err)
{
	struct disk_file *d = file_of(f);
	if (d->broken)
		return ent_fail(err, ENT_EIO, "a sync of this file failed before; reopen it");
	if (fdatasync(d->fd) == 0)
		return 0;
	d->broken = true;
	return failed(err, errno, "sync", "a file");
}

static int file_truncate(struct ent_file *f, uint64_t size, struct ent_err *err)
{
	return ftruncate(file_of(f)->fd, (off_t)size) ? failed(err, errno, "truncate", "a file") : 0;
}

static int file_size(struct ent_file *f, uint64_t *ret, struct ent_err *err)
{
	struct stat st;
	if (fstat(file_of(f)->fd, &st))
		return failed(err, errno, "look at", "a file");
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* Open file description locks belong to this opening, not to the process: a second opening in the same process is refused as well. */
static int file_lock(struct ent_file *f, struct ent_err *err)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(file_of(f)->fd, F_OFD_SETLK, &l) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return ent_fail(err, ENT_EAGAIN, "somebody else holds the lock");
	return failed(err, errno, "lock", "a file");
}

static void file_close(struct ent_file *f)
{
	close(file_of(f)->fd);
	free(f);
}

static const struct ent_file_ops file_ops = { file_read_at, file_write_at, file_sync, file_truncate, file_size, file_lock, file_close };

static int path_check(const char *path, struct ent_err *err)
{
#ifdef ENT_MUTANT_PATHS_UNCHECKED
	return 0;
#endif
	const char *p = path;
	if (!strcmp(path, "."))
		return 0;
	for (;;) {
		size_t n = strcspn(p, "/");
		if (!n || (n == 2 && !memcmp(p, "..", 2)) || (n == 1 && *p == '.'))
			return ent_fail(err, ENT_EIO, "path refused: '%s'", path);
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

static int disk_open(struct ent_fs *fs, const char *path, int flags, uint32_t mode, struct ent_file **ret, struct ent_err *err)
{
	ENT_TRY(path_check(path, err));
	int how = O_CLOEXEC | O_NOFOLLOW | (flags & ENT_OPEN_WRITE ? O_RDWR : O_RDONLY) | (flags & ENT_OPEN_CREATE ? O_CREAT : 0) |
		  (flags & ENT_OPEN_EXCL ? O_EXCL : 0) | (flags & ENT_OPEN_TRUNC ? O_TRUNC : 0);
	struct disk_file *f = ent_alloc(1, sizeof *f);
	if (!f)
		return ent_nomem(err);
	f->fd = openat(disk_of(fs)->root, path, how, (mode_t)mode);
	if (f->fd < 0) {
		int e = errno;
		free(f);
		return failed(err, e, "open", path);
	}
	f->file.ops = &file_ops;
	*ret = &f->file;
	return 0;
}

static int disk_rename(struct ent_fs *fs, const char *from, const char *to, struct ent_err *err)
{
	ENT_TRY(path_check(from, err));
	ENT_TRY(path_check(to, err));
	int root = disk_of(fs)->root;
	return renameat(root, from, root, to) ? failed(err, errno, "rename", from) : 0;
}

static int disk_remove(struct ent_fs *fs, const char *path, struct ent_err *err)
{
	int root = disk_of(fs)->root;
	ENT_TRY(path_check(path, err));
	if (unlinkat(root, path, 0) == 0 || (errno == EISDIR && unlinkat(root, path, AT_REMOVEDIR) == 0))
		return 0;
	return failed(err, errno, "remove", path);
}

static int disk_mkdir(struct ent_fs *fs, const char *path, uint32_t mode, struct ent_err *err)
{
	char part[512];
	size_t len = strlen(path);
	ENT_TRY(path_check(path, err));
	if (len >= sizeof part)
		return ent_fail(err, ENT_EIO, "path too long: %s", path);
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdirat(disk_of(fs)->root, part, (mode_t)mode) && errno != EEXIST)
			return failed(err, errno, "make folder", part);
	}
	return 0;
}

static int dir_open(struct disk *d, const char *path) { return openat(d->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

/* A kept descriptor is used only while its name still leads to the same folder. */
static int dir_kept_locked(struct disk *d, const char *path, int *ret_fd)
{
	struct stat named, kept;
	if (fstatat(d->root, path, &named, 0))
		return errno;
	for (size_t i = 0; i < d->dirs_count; i++) {
		if (strcmp(d->dirs[i].path, path) != 0)
			continue;
		*ret_fd = d->dirs[i].fd;
		if (!fstat(*ret_fd, &kept) && kept.st_ino == named.st_ino && kept.st_dev == named.st_dev)
			return 0;
		int fresh = dir_open(d, path);
		if (fresh < 0)
			return errno;
		close(d->dirs[i].fd);
		*ret_fd = d->dirs[i].fd = fresh;
		return 0;
	}
	if (d->dirs_count == DIRS_MAX) {
		close(d->dirs[0].fd);
		free(d->dirs[0].path);
		memmove(d->dirs, d->dirs + 1, sizeof d->dirs - sizeof d->dirs[0]);
		d->dirs_count--;
	}
	char *name = ent_strdup(path);
	int fd = name ? dir_open(d, path) : -1;
	if (fd < 0) {
		int e = name ? errno : ENOMEM;
		free(name);
		return e;
	}
	d->dirs[d->dirs_count].path = name;
	*ret_fd = d->dirs[d->dirs_count++].fd = fd;
	return 0;
}

static int disk_sync_dir(struct ent_fs *fs, const char *path, struct ent_err *err)
{
	struct disk *d = disk_of(fs);
	int fd = -1;
	ENT_TRY(path_check(path, err));
	pthread_mutex_lock(&d->lock);
	int e = dir_kept_locked(d, path, &fd);
	if (!e && fsync(fd))
		e = errno;
	pthread_mutex_unlock(&d->lock);
	return e ? failed(err, e, "sync folder", path) : 0;
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int disk_list(struct ent_fs *fs, const char *path, void (*each)(void *arg, const char *name), void *arg, struct ent_err *err)
{
	ENT_TRY(path_check(path, err));
	int fd = dir_open(disk_of(fs), path);
	ENT_CLEANUP(closedirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int e = errno;
		if (fd >= 0)
			close(fd);
		return failed(err, e, "list", path);
	}
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(dir);
		if (!entry)
			return errno ? failed(err, errno, "list", path) : 0;
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			each(arg, entry->d_name);
	}
}

static int disk_space(struct ent_fs *fs, uint64_t *ret_free_bytes, struct ent_err *err)
{
	struct statvfs st;
	if (fstatvfs(disk_of(fs)->root, &st))
		return failed(err, errno, "ask the free space of", "HOME");
	*ret_free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static const struct ent_fs_ops disk_ops = { disk_open, disk_rename, disk_remove, disk_mkdir, disk_sync_dir, disk_list, disk_space };

int ent_disk_new(const char *root, bool create, struct ent_fs **ret, struct ent_err *err)
{
	if (create && mkdir(root, 0700) && errno != EEXIST)
		return failed(err, errno, "make folder", root);
	struct disk *d = ent_alloc(1, sizeof *d);
	if (!d)
		return ent_nomem(err);
	d->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0) {
		int e = errno;
		free(d);
		return failed(err, e, "open folder", root);
	}
	pthread_mutex_init(&d->lock, NULL);
	d->fs.ops = &disk_ops;
	*ret = &d->fs;
	return 0;
}

void ent_disk_free(struct ent_fs *fs)
{
	if (!fs)
		return;
	struct disk *d = disk_of(fs);
	for (size_t i = 0; i < d->dirs_count; i++) {
		close(d->dirs[i].fd);
		free(d->dirs[i].path);
	}
	close(d->root);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

int ent_disk_fd(struct ent_fs *fs) { return disk_of(fs)->root; }
