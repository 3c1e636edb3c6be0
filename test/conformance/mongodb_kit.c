/* The cutting proxy: one thread, poll, a few pairs of sockets. */
#include "mongodb_kit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS 16

struct pair {
	int client, server;
	size_t bytes;
};

struct kit_proxy {
	int listener, port, target;
	size_t cut_after;
	atomic_int armed, cuts, stop;
	pthread_t thread;
	struct pair pairs[PAIRS];
	size_t n;
};

static int socket_to(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void pair_drop(struct kit_proxy *p, size_t i)
{
	close(p->pairs[i].client);
	close(p->pairs[i].server);
	p->pairs[i] = p->pairs[--p->n];
}

/* False when the pair is at its end. */
static bool pass(int from, int to, size_t *ret_bytes)
{
	char part[1024];
	ssize_t n = read(from, part, sizeof part), at = 0;
	*ret_bytes = n > 0 ? (size_t)n : 0;
	while (at < n) {
		ssize_t w = write(to, part + at, (size_t)(n - at));
		if (w <= 0)
			return false;
		at += w;
	}
	return n > 0;
}

static void pair_serve(struct kit_proxy *p, size_t i, bool client, bool server)
{
	size_t bytes = 0;
	bool ok = !client || pass(p->pairs[i].client, p->pairs[i].server, &bytes);
	bytes = 0;
	ok = ok && (!server || pass(p->pairs[i].server, p->pairs[i].client, &bytes));
	p->pairs[i].bytes += atomic_load(&p->armed) ? bytes : 0;
	if (atomic_load(&p->armed) && p->pairs[i].bytes > p->cut_after) {
		atomic_store(&p->armed, 0);
		atomic_fetch_add(&p->cuts, 1);
		ok = false;
	}
	if (!ok)
		pair_drop(p, i);
}

static void *serve(void *arg)
{
	struct kit_proxy *p = (struct kit_proxy *)arg;
	while (!atomic_load(&p->stop)) {
		struct pollfd fds[1 + 2 * PAIRS] = { { .fd = p->listener, .events = POLLIN } };
		size_t n = p->n;
		for (size_t i = 0; i < n; i++) {
			fds[1 + 2 * i] = (struct pollfd){ .fd = p->pairs[i].client, .events = POLLIN };
			fds[2 + 2 * i] = (struct pollfd){ .fd = p->pairs[i].server, .events = POLLIN };
		}
		if (poll(fds, (nfds_t)(1 + 2 * n), 50) <= 0)
			continue;
		for (size_t i = n; i-- > 0;)
			if (fds[1 + 2 * i].revents || fds[2 + 2 * i].revents)
				pair_serve(p, i, fds[1 + 2 * i].revents != 0, fds[2 + 2 * i].revents != 0);
		if (fds[0].revents && p->n < PAIRS) {
			int client = accept(p->listener, NULL, NULL), server = socket_to(p->target);
			p->pairs[p->n++] = (struct pair){ .client = client, .server = server };
		}
	}
	while (p->n)
		pair_drop(p, 0);
	return NULL;
}

struct kit_proxy *kit_proxy_start(const char *url, size_t cut_after)
{
	struct kit_proxy *p = (struct kit_proxy *)calloc(1, sizeof *p);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	p->cut_after = cut_after;
	p->target = (int)strtol(strrchr(url, ':') + 1, NULL, 10);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(p->listener, (struct sockaddr *)&a, sizeof a) || listen(p->listener, 8) || getsockname(p->listener, (struct sockaddr *)&a, &len) ||
	    pthread_create(&p->thread, NULL, serve, p))
		abort();
	p->port = ntohs(a.sin_port);
	return p;
}

int kit_proxy_port(const struct kit_proxy *p) { return p->port; }
void kit_proxy_arm(struct kit_proxy *p) { atomic_store(&p->armed, 1); }
int kit_proxy_cuts(struct kit_proxy *p) { return atomic_load(&p->cuts); }

void kit_proxy_stop(struct kit_proxy *p)
{
	atomic_store(&p->stop, 1);
	pthread_join(p->thread, NULL);
	close(p->listener);
	free(p);
}
