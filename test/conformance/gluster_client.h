/* Whole small files in and out of a volume of GlusterFS, by libgfapi. The volume stays mounted: the library needs ten seconds to end a mount. */
#ifndef ENT_TEST_GLUSTER_CLIENT_H
#define ENT_TEST_GLUSTER_CLIENT_H
#include <fcntl.h>
#include <glusterfs/api/glfs.h>
#include <string.h>

#include "base/bytes.h"
#include "tap.h"

static inline glfs_t *gluster_mount(const char *volume)
{
	glfs_t *fs = glfs_new(volume);
	bool ok = fs && !glfs_set_volfile_server(fs, "tcp", "127.0.0.1", 24007) && !glfs_set_logging(fs, "/dev/null", 0) && !glfs_init(fs);
	return ok ? fs : NULL;
}

/* path begins with '/'; folders on its way are made. */
static inline bool gluster_put(glfs_t *fs, const char *path, struct ent_bytes bytes)
{
	char folder[600];
	for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		snprintf(folder, sizeof folder, "%.*s", (int)(at - path), path);
		(void)glfs_mkdir(fs, folder, 0755);
	}
	glfs_fd_t *fd = glfs_creat(fs, path, O_WRONLY | O_TRUNC, 0644);
	size_t done = 0;
	for (ssize_t n = 1; fd && done < bytes.len && n > 0; done += n > 0 ? (size_t)n : 0)
		n = glfs_write(fd, bytes.data + done, bytes.len - done, 0);
	return fd && !glfs_close(fd) && done == bytes.len;
}

static inline bool gluster_get(glfs_t *fs, const char *path, struct ent_buf *out)
{
	static char page[65536];
	glfs_fd_t *fd = glfs_open(fs, path, O_RDONLY);
	ssize_t n = -1;
	while (fd && (n = glfs_read(fd, page, sizeof page, 0)) > 0)
		ent_buf_put(out, page, (size_t)n);
	return fd && !glfs_close(fd) && !n;
}

static inline bool gluster_remove(glfs_t *fs, const char *path) { return !glfs_unlink(fs, path); }
#endif
