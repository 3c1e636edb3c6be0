/* A connection's first byte says what it speaks: 0x16 begins a TLS handshake and no HTTP request. A TLS stream is carried between the session and
 * one end of a socket pair; the HTTP server has the other end and knows nothing of TLS. Each direction holds at most one buffer, so a slow end
 * slows the other. */
#include "net/web_tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/address.h"
#include "net/mesh_inner.h"

#define STREAMS_MAX 96
#define SETUP_MS 10000
#define IDLE_MS 60000
#define TICK_MS 500
#define CHUNK 16384

enum stage { FREE, PEEKING, SHAKING, CARRYING };

struct half { /* bytes on their way in one direction */
	uint8_t bytes[CHUNK];
	size_t at, len;
	bool ended; /* nothing more will come from its source */
};

struct stream {
	enum stage stage;
	int fd, inner; /* inner: our end of the pair */
	struct sockaddr_storage from;
	socklen_t from_len;
	struct ent_tls *tls;
	struct half in, out; /* in: from the client */
	uint64_t moved_ms;
	short events; /* of fd, while shaking */
	bool more;    /* stopped for the others' sake, not because nothing moved */
	bool unsent;  /* the session holds records that the socket did not take */
};

struct ent_web_gate {
	struct ent_web_gate_options options;
	pthread_t thread;
	int wake_fd;
	struct stream streams[STREAMS_MAX];
};

bool ent_web_loopback(const struct sockaddr *sa)
{
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if (sa->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 && (IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127));
}

static void stream_end(struct stream *s)
{
	ent_tls_free(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	if (s->inner >= 0)
		close(s->inner);
	s->tls = NULL;
	s->fd = s->inner = -1;
	s->stage = FREE;
}

static void accept_all(struct ent_web_gate *g, uint64_t now)
{
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &g->streams[i];
		if (s->stage != FREE)
			continue;
		s->from_len = sizeof s->from;
		s->fd = accept4(g->options.listen_fd, (struct sockaddr *)&s->from, &s->from_len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (s->fd < 0)
			return;
		ent_address_tune(s->fd);
		s->stage = PEEKING;
		s->events = POLLIN;
		s->moved_ms = now;
		s->unsent = s->more = false;
		s->in.at = s->in.len = s->out.at = s->out.len = 0;
		s->in.ended = s->out.ended = false;
	}
}

/* Who shows another certificate than a member's is a stranger like one who shows none. */
static bool anybody(void *arg, const uint8_t key[ENT_SIGN_KEY_LEN])
{
	(void)arg;
	(void)key;
	return true;
}

static void refuse_plain(struct stream *s)
{
	static const char text[] = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 30\r\n\r\n"
				   "this port speaks TLS: https://";
	char request[4096];
	while (recv(s->fd, request, sizeof request, MSG_DONTWAIT) > 0) /* unread bytes would make the close a reset that overtakes the answer */
		;
	(void)!send(s->fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	stream_end(s);
}

static void peek(struct ent_web_gate *g, struct stream *s)
{
	uint8_t first;
	ssize_t n = recv(s->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_end(s);
		return;
	}
	bool plain = first != 0x16, allowed = ent_web_loopback((const struct sockaddr *)&s->from) && !g->options.plain_closed;
#ifdef ENT_MUTANT_PLAIN_FOR_ALL
	allowed = true;
#endif
	if (plain && !allowed) {
		refuse_plain(s);
	} else if (plain) {
		g->options.stream(g->options.arg, s->fd, (const struct sockaddr *)&s->from, s->from_len);
		s->fd = -1;
		stream_end(s);
	} else if (ent_tls_new(g->options.tls, s->fd, true, anybody, NULL, &s->tls, NULL)) {
		stream_end(s);
	} else {
		s->stage = SHAKING;
	}
}

static void hand_over(struct ent_web_gate *g, struct stream *s)
{
	struct sockaddr_un who = { .sun_family = AF_UNIX };
	uint8_t key[ENT_SIGN_KEY_LEN];
	int pair[2];
	bool member = ent_tls_peer_key(s->tls, key) && g->options.member && g->options.member(g->options.member_arg, key);
#ifdef ENT_MUTANT_ANY_CERTIFICATE
	member = ent_tls_peer_key(s->tls, key);
#endif
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		stream_end(s);
		return;
	}
	snprintf(who.sun_path, sizeof who.sun_path, "%s", member ? ENT_WEB_MEMBER : ENT_WEB_STRANGER);
	s->inner = pair[0];
	s->stage = CARRYING;
	g->options.stream(g->options.arg, pair[1], (const struct sockaddr *)&who, sizeof who);
}

static void shake(struct ent_web_gate *g, struct stream *s)
{
	int want = 0, code = ent_tls_handshake(s->tls, &want, NULL);
	if (code == ENT_EAGAIN)
		s->events = (short)((want & ENT_TLS_WANT_READ ? POLLIN : 0) | (want & ENT_TLS_WANT_WRITE ? POLLOUT : 0));
	else if (code)
		stream_end(s);
	else
		hand_over(g, s);
}

/* From the client to the server; how much moved. */
static size_t carry_in(struct stream *s)
{
	struct half *h = &s->in;
	size_t moved = 0;
	int want;
	if (h->at == h->len && !h->ended) {
		h->at = h->len = 0;
		int code = ent_tls_read(s->tls, h->bytes, sizeof h->bytes, &h->len, &want, NULL);
		h->ended = code && code != ENT_EAGAIN;
		h->len = code ? 0 : h->len;
		moved += h->len;
	}
	if (h->at < h->len) {
		ssize_t n = send(s->inner, h->bytes + h->at, h->len - h->at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			h->ended = s->out.ended = true;
		h->at += n > 0 ? (size_t)n : 0;
		moved += n > 0 ? (size_t)n : 0;
	}
	return moved;
}

static size_t carry_out(struct stream *s)
{
	struct half *h = &s->out;
	size_t moved = 0, n = 0;
	int want, code = 0;
	if (h->at == h->len && !h->ended) {
		ssize_t got = recv(s->inner, h->bytes, sizeof h->bytes, MSG_DONTWAIT);
		h->ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
		h->at = 0;
		h->len = got > 0 ? (size_t)got : 0;
		moved += h->len;
	}
	if (h->at < h->len) {
		code = ent_tls_write(s->tls, h->bytes + h->at, h->len - h->at, &n, &want, NULL);
		h->at += code ? 0 : n;
		moved += code ? 0 : n;
	}
	if (!code || code == ENT_EAGAIN)
		code = ent_tls_flush(s->tls, &want, NULL);
	s->unsent = code == ENT_EAGAIN;
	if (code && code != ENT_EAGAIN) {
		h->ended = s->in.ended = true;
		h->at = h->len;
	}
	return moved;
}

static void carry(struct stream *s, uint64_t now)
{
	size_t moved = 1;
	for (int turn = 0; turn < 16 && moved; turn++) {
		moved = carry_in(s) + carry_out(s);
		s->moved_ms = moved ? now : s->moved_ms;
	}
	s->more = moved;
	bool answered = s->out.ended && s->out.at == s->out.len && !s->unsent;
	if (answered || (s->in.ended && s->in.at == s->in.len))
		stream_end(s);
}

/* Two places in the poll set for each stream. */
static void want(const struct stream *s, struct pollfd fds[2])
{
	fds[0] = (struct pollfd){ -1, 0, 0 };
	fds[1] = (struct pollfd){ -1, 0, 0 };
	if (s->stage == PEEKING || s->stage == SHAKING)
		fds[0] = (struct pollfd){ s->fd, s->events, 0 };
	if (s->stage != CARRYING)
		return;
	short outer = (short)((s->in.at == s->in.len ? POLLIN : 0) | (s->unsent ? POLLOUT : 0));
	short inner = (short)((s->in.at < s->in.len ? POLLOUT : 0) | (s->out.at == s->out.len && !s->unsent ? POLLIN : 0));
	fds[0] = (struct pollfd){ outer ? s->fd : -1, outer, 0 };
	fds[1] = (struct pollfd){ inner ? s->inner : -1, inner, 0 };
}

static void step(struct ent_web_gate *g, struct stream *s, const struct pollfd fds[2], uint64_t now)
{
	bool ready = fds[0].revents || fds[1].revents;
	uint64_t limit = s->stage == CARRYING ? IDLE_MS : SETUP_MS;
	if (ready && s->stage == PEEKING)
		peek(g, s);
	else if (ready && s->stage == SHAKING)
		shake(g, s);
	if (s->stage == CARRYING)
		carry(s, now);
	if (s->stage != FREE && now - s->moved_ms > limit)
		stream_end(s);
}

static bool turn(struct ent_web_gate *g)
{
	struct pollfd fds[2 + 2 * STREAMS_MAX];
	bool full = true, more = false;
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		want(&g->streams[i], &fds[2 + 2 * i]);
		full = full && g->streams[i].stage != FREE;
		more = more || (g->streams[i].stage == CARRYING && g->streams[i].more);
	}
	fds[0] = (struct pollfd){ g->wake_fd, POLLIN, 0 };
	fds[1] = (struct pollfd){ full ? -1 : g->options.listen_fd, POLLIN, 0 };
	poll(fds, ENT_COUNT(fds), more ? 0 : TICK_MS);
	uint64_t now = ent_mesh_now_ms();
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (g->streams[i].stage != FREE)
			step(g, &g->streams[i], &fds[2 + 2 * i], now);
	if (fds[1].revents)
		accept_all(g, now);
	return !fds[0].revents;
}

static void *gate_main(void *arg)
{
	struct ent_web_gate *g = arg;
	while (turn(g))
		;
	return NULL;
}

static int start(struct ent_web_gate *g, struct ent_err *err)
{
	sigset_t all, old;
	g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->wake_fd < 0)
		return ent_fail(err, ENT_ENOMEM, "no descriptor left for the HTTP server");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int e = pthread_create(&g->thread, NULL, gate_main, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!e)
		return 0;
	close(g->wake_fd);
	return ent_fail(err, ENT_ENOMEM, "could not start the HTTP server's thread: %s", strerror(e));
}

int ent_web_gate_new(const struct ent_web_gate_options *options, struct ent_web_gate **ret, struct ent_err *err)
{
	struct ent_web_gate *g = ent_alloc(1, sizeof *g);
	if (!g) {
		close(options->listen_fd);
		return ent_nomem(err);
	}
	g->options = *options;
	for (size_t i = 0; i < STREAMS_MAX; i++)
		g->streams[i].fd = g->streams[i].inner = -1;
	int code = start(g, err);
	if (code) {
		close(options->listen_fd);
		free(g);
		return code;
	}
	*ret = g;
	return 0;
}

void ent_web_gate_free(struct ent_web_gate *g)
{
	if (!g)
		return;
	(void)!write(g->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	pthread_join(g->thread, NULL);
	for (size_t i = 0; i < STREAMS_MAX; i++)
		stream_end(&g->streams[i]);
	close(g->options.listen_fd);
	close(g->wake_fd);
	free(g);
}
