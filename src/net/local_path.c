#include "net/local_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int ent_local_path_init(struct ent_local_path *p, const char *path, struct ent_err *err)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');
	size_t len = strlen(path);
	p->dir_fd = -1;
	if (len < sizeof p->path) {
		memcpy(p->path, path, len + 1);
		return 0;
	}
	if (!slash || (size_t)(slash - path) >= sizeof dir || strlen(slash + 1) > 60)
		return ent_fail(err, ENT_ECONFIG, "the socket path is too long: %.300s", path);
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	p->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->dir_fd < 0) {
		ent_fail(err, ENT_ENOTFOUND, "cannot open the folder of the socket");
		ent_why(err, "%.300s: %s", dir, strerror(errno));
		return ENT_ENOTFOUND;
	}
	snprintf(p->path, sizeof p->path, "/proc/self/fd/%d/%.60s", p->dir_fd, slash + 1);
	return 0;
}

void ent_local_path_deinit(struct ent_local_path *p)
{
	if (p->dir_fd >= 0)
		close(p->dir_fd);
	p->dir_fd = -1;
}

#ifdef ENT_MUTANT_SOCKET_OPEN
#define SOCKET_MODE 0666
#else
#define SOCKET_MODE 0600
#endif

static bool answered(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0;
	if (fd >= 0)
		close(fd);
	return yes;
}

static int listen_at(const char *name, const char *path, int *ret_fd, struct ent_err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", name);
	if (answered(&sa)) {
		ent_fail(err, ENT_EAGAIN, "another node already answers on %.300s", path);
		ent_next(err, "stop it first, or use another HOME");
		return ENT_EAGAIN;
	}
	if (!lstat(name, &st) && S_ISSOCK(st.st_mode))
		unlink(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode of the descriptor becomes that of the name: nobody else can connect, not even for a moment. */
	if (fd >= 0 && !fchmod(fd, SOCKET_MODE) && !bind(fd, (struct sockaddr *)&sa, sizeof sa) && !listen(fd, 64)) {
		*ret_fd = fd;
		return 0;
	}
	int e = errno;
	if (fd >= 0)
		close(fd);
	ent_fail(err, ENT_EIO, "cannot listen on %.300s", path);
	ent_why(err, "%s", strerror(e));
	return ENT_EIO;
}

int ent_local_listen(const char *path, int *ret_fd, struct ent_err *err)
{
	struct ent_local_path p;
	ENT_TRY(ent_local_path_init(&p, path, err));
	int code = listen_at(p.path, path, ret_fd, err);
	ent_local_path_deinit(&p);
	return code;
}
