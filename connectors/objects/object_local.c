#include "object_local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 20
#define PART ".part-"

static int io_fail(const char *what, const char *path, struct ent_err *err)
{
	int code = errno == ENOSPC || errno == EDQUOT ? ENT_ENOSPACE : ENT_EIO;
	char why[100];
	ent_fail(err, code, "%s %.200s", what, path);
	return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
}

/* FNV-1a, 128 bits: names of files, nothing that has to withstand an adversary. */
static void name_of(const char *a, const char *b, char out[33])
{
	ent_u128 h = ((ent_u128)0x6c62272e07bb0142 << 64) | 0x62b821756295c58d, prime = ((ent_u128)1 << 88) | 0x13b;
	const char *parts[] = { a, b };
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(parts[i]) + 1; /* with its NUL, so that the parts do not run together */
		for (size_t k = 0; k < n; k++)
			h = (h ^ (uint8_t)parts[i][k]) * prime;
	}
	snprintf(out, 33, "%016llx%016llx", (unsigned long long)(h >> 64), (unsigned long long)h);
}

static int folder_make(const struct ent_host *host, const char *below, struct ent_buf *out, struct ent_err *err)
{
	const char *parts[] = { "/objects", below }, *temporary = getenv("TMPDIR");
	ent_buf_str(out, host->home_path ? host->home_path : temporary ? temporary : "/tmp");
	for (size_t i = 0; i < 2; i++) {
		ent_buf_str(out, parts[i]);
		ENT_TRY(ent_buf_check(out, err));
		if (parts[i][0] && mkdir(ent_buf_text(out), 0700) != 0 && errno != EEXIST)
			return io_fail("cannot make the folder", ent_buf_text(out), err);
	}
	return 0;
}

/* --- copies to read from --- */

static bool same_file(int fd, const char *path)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void remove_unused(int fd, const char *path)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && same_file(fd, path))
		(void)unlink(path);
}

/* Files that nobody holds: of sessions that died. */
static void sweep(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	while (dir && (e = readdir(dir))) {
		char path[ENT_OBJECT_PATH_MAX + 300];
		if (e->d_type != DT_REG)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		remove_unused(fd, path);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

void ent_object_copy_close(struct ent_object_copy *c)
{
	if (c->path) {
		remove_unused(c->fd, c->path);
		close(c->fd);
		free(c->path);
	}
	*c = (struct ent_object_copy){ .fd = -1 };
}

/* Somebody's copy of this version that is there already. */
static int copy_share(const char *path, const struct ent_object_facts *facts)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0 && same_file(fd, path) && fstat(fd, &st) == 0 && (uint64_t)st.st_size == facts->bytes)
		return fd;
	close(fd);
	return -1;
}

static int fetch_whole(const struct ent_object_place *place, const struct ent_object_facts *facts, int fd, struct ent_err *err)
{
	struct ent_object_facts after;
	if (facts->bytes)
		ENT_TRY(place->ops->fetch(place->self, place->path, 0, facts->bytes, fd, err));
	ENT_TRY(place->ops->facts(place->self, place->path, &after, err));
#ifndef ENT_MUTANT_OBJECT_TORN
	if (after.bytes != facts->bytes || strcmp(after.version, facts->version) != 0) {
		ent_fail(err, ENT_EAGAIN, "%.200s changed while it was read", place->path);
		return ent_next(err, "try again when nobody writes it"), ENT_EAGAIN;
	}
#endif
	return 0;
}

/* A copy of our own, which takes its name only when it is whole; *ret_fd stays -1 when somebody else was first. */
static int copy_make(const char *folder, const char *path, const struct ent_object_place *place, const struct ent_object_facts *facts, int *ret_fd,
		     struct ent_err *err)
{
	char part[ENT_OBJECT_PATH_MAX + 100];
	snprintf(part, sizeof part, "%s/" PART "XXXXXX", folder);
	int fd = mkostemp(part, O_CLOEXEC);
	if (fd < 0)
		return io_fail("cannot make a file in", folder, err);
	(void)flock(fd, LOCK_SH);
	int code = fetch_whole(place, facts, fd, err);
	bool named = !code && link(part, path) == 0;
	if (!code && !named && errno != EEXIST && errno != ENOENT)
		code = io_fail("cannot give a name to", part, err);
	(void)unlink(part);
	if (named)
		*ret_fd = fd;
	else
		close(fd);
	return code;
}

int ent_object_copy_open(const struct ent_host *host, const struct ent_object_place *place, const struct ent_object_facts *facts,
			 struct ent_object_copy *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf folder = ENT_BUF(ENT_OBJECT_PATH_MAX), path = ENT_BUF(ENT_OBJECT_PATH_MAX + 60);
	char name[33];
	int fd = -1;
	ENT_TRY(folder_make(host, "", &folder, err));
	sweep(ent_buf_text(&folder));
	name_of(place->key, facts->version, name);
	ent_buf_printf(&path, "%s/%s.%.20s", ent_buf_text(&folder), name, ent_object_suffix(place->path));
	ENT_TRY(ent_buf_check(&path, err));
	for (int i = 0; i < TRIES && fd < 0; i++) {
		fd = copy_share(ent_buf_text(&path), facts);
		if (fd < 0)
			ENT_TRY(copy_make(ent_buf_text(&folder), ent_buf_text(&path), place, facts, &fd, err));
	}
	if (fd < 0)
		return ent_fail(err, ENT_EAGAIN, "no local copy of %.200s could be held", place->path);
	*ret = (struct ent_object_copy){ fd, ent_strdup(ent_buf_text(&path)) };
	if (ret->path)
		return 0;
	close(fd);
	ret->fd = -1;
	return ent_nomem(err);
}

/* --- files that are made --- */

int ent_object_stage_path(const struct ent_host *host, const struct ent_object_place *place, char **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf path = ENT_BUF(ENT_OBJECT_PATH_MAX);
	char name[33];
	ENT_TRY(folder_make(host, "/out", &path, err));
	name_of(place->key, "", name);
	ent_buf_printf(&path, "/%s.%.20s", name, ent_object_suffix(place->path));
	ENT_TRY(ent_buf_check(&path, err));
	*ret = ent_strdup(ent_buf_text(&path));
	return *ret ? 0 : ent_nomem(err);
}
