#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int ent_address_parse(const char *text, struct ent_address *ret, struct ent_err *err)
{
	const char *colon = strrchr(text, ':'), *host = text;
	struct ent_address a = { 0 };
	uint64_t port = 0;
	size_t host_len = colon ? (size_t)(colon - text) : 0;
	bool bracketed = host_len > 2 && text[0] == '[' && colon[-1] == ']';
	if (bracketed) {
		host++;
		host_len -= 2;
	}
	if (!host_len || host_len >= sizeof a.host || (!bracketed && memchr(host, ':', host_len)) ||
	    !ent_parse_u64(colon + 1, strlen(colon + 1), 65535, &port)) {
		ent_fail(err, ENT_ECONFIG, "'%.300s' is not an address", text);
		ent_next(err, "write HOST:PORT or [IPV6]:PORT");
		return ENT_ECONFIG;
	}
	memcpy(a.host, host, host_len);
	if (!strcmp(a.host, "*"))
		a.host[0] = 0;
	snprintf(a.port, sizeof a.port, "%u", (unsigned)port);
	*ret = a;
	return 0;
}

static int lookup(const struct ent_address *a, int flags, struct addrinfo **ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	return getaddrinfo(a->host[0] ? a->host : NULL, a->port, &hints, ret);
}

int ent_address_resolve(const char *text, bool numbers_only, struct addrinfo **ret, struct ent_err *err)
{
	struct ent_address a;
	ENT_TRY(ent_address_parse(text, &a, err));
	int e = lookup(&a, numbers_only ? AI_NUMERICHOST : AI_ADDRCONFIG, ret);
	if (!e)
		return 0;
	ent_fail(err, ENT_EPEER, "the address %s leads nowhere", text);
	ent_why(err, "%s", gai_strerror(e));
	return ENT_EPEER;
}

/* every: '*' means both families, so one socket of IPv6 takes IPv4, too. */
static int listen_on(const struct addrinfo *ai, bool every, int *ret_fd)
{
	int one = 1, only = !every, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, 128)) {
		int e = errno;
		close(fd);
		return e;
	}
	*ret_fd = fd;
	return 0;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return 0;
	return ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
}

int ent_address_listen(const char *text, int *ret_fd, uint16_t *ret_port, struct ent_err *err)
{
	struct ent_address a;
	struct addrinfo *list = NULL;
	ENT_TRY(ent_address_parse(text, &a, err));
	int e = lookup(&a, AI_PASSIVE, &list);
	if (e) {
		ent_fail(err, ENT_ECONFIG, "cannot listen on %s", text);
		ent_why(err, "%s", gai_strerror(e));
		return ENT_ECONFIG;
	}
	int failed = EADDRNOTAVAIL;
	for (int round = a.host[0] ? 1 : 0; round < 2; round++) /* for '*', IPv6 first; a machine without it has IPv4 */
		for (const struct addrinfo *ai = list; ai && failed; ai = ai->ai_next)
			if (round || ai->ai_family == AF_INET6)
				failed = listen_on(ai, !a.host[0], ret_fd);
	freeaddrinfo(list);
	if (!failed) {
		*ret_port = bound_port(*ret_fd);
		return 0;
	}
	ent_fail(err, ENT_EIO, "cannot listen on %s", text);
	ent_why(err, "%s", strerror(failed));
	ent_next(err,
		 failed == EADDRINUSE ? "stop the program that uses the port (ss -ltnp), or choose another" : "choose an address of this machine");
	return ENT_EIO;
}

void ent_address_tune(int fd)
{
	int one = 1, idle_s = 10, gap_s = 5, count = 3, user_ms = 20000;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &gap_s, sizeof gap_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms);
}

int ent_address_connect(const struct addrinfo *to)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	ent_address_tune(fd);
	if (connect(fd, to->ai_addr, to->ai_addrlen) && errno != EINPROGRESS) {
		int e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

void ent_address_peer(int fd, char out[64])
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	char host[48] = "?", port[8] = "?";
	bool known = !getpeername(fd, (struct sockaddr *)&sa, &len) &&
		     !getnameinfo((struct sockaddr *)&sa, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
	const char *v4 = strncmp(host, "::ffff:", 7) ? host : host + 7; /* by way of a socket for both families */
	snprintf(out, 64, "%s:%s", known ? v4 : "?", known ? port : "?");
}
