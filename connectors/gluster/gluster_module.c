/* The object store over libgfapi, and the module's entry. A volume is mounted once per process and stays: its threads belong to the library, which
 * needs ten seconds to end them, and a mount finds its servers again by itself. */
#include <errno.h>
#include <glusterfs/api/glfs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gluster.h"
#include "object_connector.h"

#define EXPORT __attribute__((visibility("default")))
#define PAGE ((size_t)1 << 20)
#define VOLUMES_MAX 64

struct volume {
	char host[256], name[256];
	int port;
	glfs_t *fs;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct volume volumes[VOLUMES_MAX]; /* under lock; entries never change once they are there */
static size_t n_volumes;

struct session {
	struct ent_host host;
	glfs_t *fs;
};

static int gluster_fail(const char *what, const char *path, struct ent_err *err)
{
	int number = errno;
	int code = number == ENOENT || number == ENOTDIR       ? ENT_ENOTFOUND
		   : number == EACCES || number == EPERM       ? ENT_EDENIED
		   : number == ENOSPC || number == EDQUOT      ? ENT_ENOSPACE
		   : number == EEXIST || number == EISDIR      ? ENT_EUSAGE
		   : number == ENOTCONN || number == ETIMEDOUT ? ENT_EPEER
							       : ENT_EIO;
	const char *name = strerrorname_np(number);
	char why[100];
	ent_fail(err, code, code == ENT_ENOTFOUND ? "there is no %.0s%.200s in GlusterFS" : "GlusterFS cannot %s %.200s", what, path);
	if (err)
		err->vendor = number;
	return ent_why(err, "%s: %s", name ? name : "error", strerror_r(number, why, sizeof why)), code;
}

static bool cancelled(const struct session *s) { return s->host.cancelled && s->host.cancelled(s->host.self); }
static int stopped(struct ent_err *err) { return ent_fail(err, ENT_ECANCELLED, "the work with GlusterFS was cancelled"); }

/* --- volumes --- */

static void *fini_main(void *fs)
{
	glfs_fini((glfs_t *)fs);
	return NULL;
}

/* A mount that failed is ended on the side. */
static void fini_later(glfs_t *fs)
{
	pthread_t thread;
	if (!pthread_create(&thread, NULL, fini_main, fs))
		pthread_detach(thread);
}

static int volume_mount(struct volume *v, const struct ent_gluster_address *a, struct ent_err *err)
{
	char name[600];
	snprintf(v->host, sizeof v->host, "%s", a->host);
	snprintf(v->name, sizeof v->name, "%s", a->volume);
	v->port = a->port;
	snprintf(name, sizeof name, "volume %s at %s:%d", a->volume, a->host, a->port);
	v->fs = glfs_new(a->volume);
	if (!v->fs)
		return ent_nomem(err);
	if (!glfs_set_volfile_server(v->fs, "tcp", a->host, a->port) && !glfs_set_logging(v->fs, "/dev/null", 0) && !glfs_init(v->fs))
		return 0;
	int code = gluster_fail("mount", name, err);
	fini_later(v->fs);
	if (code != ENT_ENOTFOUND)
		return code;
	ent_fail(err, ENT_EPEER, "GlusterFS has no %s, or nobody answers there", name);
	return ENT_EPEER;
}

static int volume_get(const struct ent_gluster_address *a, glfs_t **ret, struct ent_err *err)
{
	int code = 0;
	pthread_mutex_lock(&lock);
	size_t i = 0;
	while (i < n_volumes && (strcmp(volumes[i].host, a->host) != 0 || strcmp(volumes[i].name, a->volume) != 0 || volumes[i].port != a->port))
		i++;
	if (i == VOLUMES_MAX)
		code = ent_fail(err, ENT_EUNSUPPORTED, "a node uses at most %d volumes of GlusterFS", VOLUMES_MAX);
	else if (i == n_volumes)
		code = volume_mount(&volumes[i], a, err);
	if (!code) {
		n_volumes += i == n_volumes;
		*ret = volumes[i].fs;
	}
	pthread_mutex_unlock(&lock);
	return code;
}

/* --- the store --- */

static int gluster_facts(void *self, const char *path, struct ent_object_facts *ret, struct ent_err *err)
{
	const struct session *s = (const struct session *)self;
	struct stat st;
	if (glfs_stat(s->fs, path, &st) != 0)
		return gluster_fail("look at", path, err);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return ent_fail(err, ENT_EUNSUPPORTED, "%.200s is neither file nor folder", path);
	*ret = (struct ent_object_facts){ .bytes = S_ISDIR(st.st_mode) ? 0 : (uint64_t)st.st_size, .folder = S_ISDIR(st.st_mode) };
	snprintf(ret->version, sizeof ret->version, "%lld.%09ld+%lld/%llx", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size,
		 (unsigned long long)st.st_ino);
	return 0;
}

static int write_whole(int fd, const char *data, size_t len, struct ent_err *err)
{
	char why[100];
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, data + done, len - done);
		if (n < 0 && errno != EINTR) {
			ent_fail(err, errno == ENOSPC ? ENT_ENOSPACE : ENT_EIO, "a local file cannot be written");
			ent_why(err, "%s", strerror_r(errno, why, sizeof why));
			return errno == ENOSPC ? ENT_ENOSPACE : ENT_EIO;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int pages_fetch(const struct session *s, glfs_fd_t *from, const char *path, uint64_t at, uint64_t len, int fd, struct ent_err *err)
{
	char *page = (char *)malloc(PAGE);
	int code = page ? 0 : ent_nomem(err);
	while (len && !code) {
		ssize_t n = glfs_pread(from, page, len < PAGE ? (size_t)len : PAGE, (off_t)at, 0, NULL);
		if (n < 0)
			code = gluster_fail("read", path, err);
		else if (!n)
			code = ent_fail(err, ENT_EPEER, "GlusterFS ends %.200s before its length", path);
		else
			code = cancelled(s) ? stopped(err) : write_whole(fd, page, (size_t)n, err);
		at += n > 0 ? (uint64_t)n : 0;
		len -= n > 0 ? (uint64_t)n : 0;
	}
	free(page);
	return code;
}

static int gluster_fetch(void *self, const char *path, uint64_t at, uint64_t len, int fd, struct ent_err *err)
{
	const struct session *s = (const struct session *)self;
	glfs_fd_t *from = glfs_open(s->fs, path, O_RDONLY);
	if (!from)
		return gluster_fail("read", path, err);
	int code = pages_fetch(s, from, path, at, len, fd, err);
	(void)glfs_close(from);
	return code;
}

static int folders_make(const struct session *s, const char *path, struct ent_err *err)
{
	char part[ENT_OBJECT_PATH_MAX + 40];
	for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(at - path), path);
		if (glfs_mkdir(s->fs, part, 0777) != 0 && errno != EEXIST)
			return gluster_fail("make the folder", part, err);
	}
	return 0;
}

static int pages_put(const struct session *s, glfs_fd_t *to, const char *path, int fd, uint64_t len, struct ent_err *err)
{
	char *page = (char *)malloc(PAGE);
	int code = page ? 0 : ent_nomem(err);
	for (uint64_t at = 0; at < len && !code;) {
		ssize_t n = pread(fd, page, PAGE, (off_t)at);
		if (n <= 0)
			code = ent_fail(err, ENT_EIO, "a local file cannot be read");
		else if (cancelled(s))
			code = stopped(err);
		else if ((n = glfs_pwrite(to, page, (size_t)n, (off_t)at, 0, NULL, NULL)) <= 0)
			code = gluster_fail("write", path, err);
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(page);
	return code;
}

static int gluster_put(void *self, const char *path, int fd, uint64_t len, struct ent_err *err)
{
	const struct session *s = (const struct session *)self;
	ENT_TRY(folders_make(s, path, err));
	glfs_fd_t *to = glfs_creat(s->fs, path, O_WRONLY | O_TRUNC, 0666);
	if (!to)
		return gluster_fail("write", path, err);
	int code = pages_put(s, to, path, fd, len, err);
	if (!code && glfs_fsync(to, NULL, NULL) != 0)
		code = gluster_fail("make durable", path, err);
	if (glfs_close(to) != 0 && !code)
		code = gluster_fail("write", path, err);
	return code;
}

/* A link fails when the name is taken, a rename does not. */
static int gluster_rename(void *self, const char *from, const char *to, bool replace, struct ent_err *err)
{
	const struct session *s = (const struct session *)self;
	if (replace)
		return glfs_rename(s->fs, from, to) ? gluster_fail("rename", to, err) : 0;
	if (glfs_link(s->fs, from, to) == 0)
		return glfs_unlink(s->fs, from) ? gluster_fail("remove", from, err) : 0;
	if (errno != EEXIST)
		return gluster_fail("name", to, err);
	ent_fail(err, ENT_EUSAGE, "%.200s is there already", to);
	return ent_next(err, "choose --mode replace, or another name"), ENT_EUSAGE;
}

static int gluster_remove(void *self, const char *path, struct ent_err *err)
{
	return glfs_unlink(((const struct session *)self)->fs, path) ? gluster_fail("remove", path, err) : 0;
}

static void gluster_close(void *self) { free(self); }

static const struct ent_object_store_ops gluster_ops = { .name = "GlusterFS",
							 .facts = gluster_facts,
							 .fetch = gluster_fetch,
							 .put = gluster_put,
							 .rename = gluster_rename,
							 .remove = gluster_remove,
							 .close = gluster_close };

/* --- the module --- */

static int place_open(const struct ent_host *host, const char *url, const struct ent_option *options, size_t n_options, bool *taken,
		      struct ent_object_place *ret, struct ent_err *err)
{
	struct ent_gluster_address *a = (struct ent_gluster_address *)calloc(1, sizeof *a);
	struct session *s = (struct session *)calloc(1, sizeof *s);
	int code = a && s ? ent_gluster_address_read(url, a, err) : ent_nomem(err);
	(void)options, (void)n_options, (void)taken; /* all belong to the file's reader */
	if (!code)
		code = volume_get(a, &s->fs, err);
	if (!code) {
		s->host = *host;
		*ret = (struct ent_object_place){ .ops = &gluster_ops, .self = s };
		snprintf(ret->path, sizeof ret->path, "%s", a->path);
		snprintf(ret->key, sizeof ret->key, "gluster %s %d %s %s", a->host, a->port, a->volume, a->path);
		s = NULL;
	}
	free(s);
	free(a);
	return code;
}

static struct ent_connector connector;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void start(void) { ent_object_connector_fill(&connector, "gluster", "gluster", place_open); }

EXPORT const struct ent_connector *ent_connector_entry(void);
const struct ent_connector *ent_connector_entry(void)
{
	pthread_once(&once, start);
	return &connector;
}
