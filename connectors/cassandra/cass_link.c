/* One TCP connection, in TLS unless the address says otherwise: the certificate must come from a known authority and carry the host's name. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cass.h"

#define POLL_MS 100

struct ent_cass_link {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	bool wants_write; /* TLS cannot go on before the socket takes bytes */
};

uint64_t ent_cass_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void ent_cass_link_close(struct ent_cass_link *l)
{
	if (!l)
		return;
	if (l->ssl)
		SSL_shutdown(l->ssl); /* one try: a peer that is gone need not answer */
	SSL_free(l->ssl);
	SSL_CTX_free(l->ctx);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}
static void link_closep(struct ent_cass_link **l) { ent_cass_link_close(*l); }

static int wait_check(const struct ent_cass_wait *w, const char *host, struct ent_err *err)
{
	if (w->host->cancelled && w->host->cancelled(w->host->self))
		return ent_fail(err, ENT_ECANCELLED, "connecting to Cassandra was cancelled");
	if (ent_cass_now_ms() > w->deadline_ms)
		return ent_fail(err, ENT_EAGAIN, "Cassandra at %.200s did not answer in time", host);
	return 0;
}

static int unreachable(const char *host, const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EIO, "cannot connect to Cassandra at %.200s", host);
	return ent_why(err, "%s", why), ENT_EIO;
}

/* --- TCP --- */

static int socket_open(struct ent_cass_link *l, const struct addrinfo *a, const char *host, const struct ent_cass_wait *w, struct ent_err *err)
{
	int on = 1, broken = 0;
	socklen_t len = sizeof broken;
	l->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return unreachable(host, strerror(errno), err);
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!connect(l->fd, a->ai_addr, a->ai_addrlen))
		return 0;
	if (errno != EINPROGRESS)
		return unreachable(host, strerror(errno), err);
	for (;;) {
		struct pollfd p = { .fd = l->fd, .events = POLLOUT };
		ENT_TRY(wait_check(w, host, err));
		if (poll(&p, 1, POLL_MS) > 0)
			break;
	}
	getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &broken, &len);
	return broken ? unreachable(host, strerror(broken), err) : 0;
}

static int tcp_open(struct ent_cass_link *l, const char *host, const char *port, const struct ent_cass_wait *w, struct ent_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	int code = getaddrinfo(host, port, &hints, &all);
	if (code)
		return unreachable(host, gai_strerror(code), err);
	code = ENT_EIO;
	for (const struct addrinfo *a = all; a && code && code != ENT_ECANCELLED; a = a->ai_next) {
		if (l->fd >= 0)
			close(l->fd);
		l->fd = -1;
		code = socket_open(l, a, host, w, err);
	}
	freeaddrinfo(all);
	return code;
}

/* --- TLS --- */

static int tls_refused(struct ent_cass_link *l, const char *host, struct ent_err *err)
{
	long verdict = l->ssl ? SSL_get_verify_result(l->ssl) : X509_V_OK;
	unsigned long e = ERR_peek_last_error();
	const char *text = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : e ? ERR_reason_error_string(e) : NULL;
	unreachable(host, text ? text : "the TLS handshake broke off", err);
	ERR_clear_error();
	ent_next(err, "name the certificate authority with --ca-file FILE; a server without TLS needs ?tls=off in the address");
	return ENT_EIO;
}

static bool tls_prepare(struct ent_cass_link *l, const struct ent_cass_settings *s, const char *host)
{
	uint8_t address[16];
	l->ctx = SSL_CTX_new(TLS_client_method());
	if (!l->ctx || !SSL_CTX_set_min_proto_version(l->ctx, TLS1_2_VERSION))
		return false;
	SSL_CTX_set_mode(l->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (s->ca_file[0] ? !SSL_CTX_load_verify_locations(l->ctx, s->ca_file, NULL) : !SSL_CTX_set_default_verify_paths(l->ctx))
		return false;
#ifndef ENT_MUTANT_CASS_TLS
	SSL_CTX_set_verify(l->ctx, SSL_VERIFY_PEER, NULL);
#endif
	l->ssl = SSL_new(l->ctx);
	if (!l->ssl || !SSL_set_fd(l->ssl, l->fd))
		return false;
	bool literal = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
	if (!literal && !SSL_ctrl(l->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host))
		return false;
#ifndef ENT_MUTANT_CASS_NAME
	if (s->named)
		return literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), host) : SSL_set1_host(l->ssl, host);
#endif
	return true;
}

static int tls_open(struct ent_cass_link *l, const struct ent_cass_settings *s, const char *host, const struct ent_cass_wait *w, struct ent_err *err)
{
	ERR_clear_error();
	if (!tls_prepare(l, s, host))
		return tls_refused(l, host, err);
	for (;;) {
		int n = SSL_connect(l->ssl), why = SSL_get_error(l->ssl, n);
		if (n == 1)
			return 0;
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return tls_refused(l, host, err);
		ENT_TRY(wait_check(w, host, err));
		struct pollfd p = { .fd = l->fd, .events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT };
		poll(&p, 1, POLL_MS);
	}
}

int ent_cass_link_open(const struct ent_cass_settings *s, size_t at, const struct ent_cass_wait *w, struct ent_cass_link **ret, struct ent_err *err)
{
	ENT_CLEANUP(link_closep) struct ent_cass_link *l = (struct ent_cass_link *)calloc(1, sizeof *l);
	if (!l)
		return ent_nomem(err);
	l->fd = -1;
	ENT_TRY(tcp_open(l, s->hosts[at], s->port, w, err));
	if (s->tls)
		ENT_TRY(tls_open(l, s, s->hosts[at], w, err));
	*ret = l;
	l = NULL;
	return 0;
}

/* --- bytes --- */

static int gone(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EIO, "the connection to Cassandra broke");
	return ent_why(err, "%s", why), ENT_EIO;
}

static int tls_result(struct ent_cass_link *l, int n, struct ent_err *err)
{
	int why = SSL_get_error(l->ssl, n);
	l->wants_write = why == SSL_ERROR_WANT_WRITE;
	ERR_clear_error();
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return ENT_EAGAIN;
	return gone(why == SSL_ERROR_ZERO_RETURN ? "the server closed it" : "TLS failed or the server closed it", err);
}

int ent_cass_link_read(struct ent_cass_link *l, void *buf, size_t len, size_t *ret_len, struct ent_err *err)
{
	if (l->ssl) {
		ERR_clear_error();
		int n = SSL_read_ex(l->ssl, buf, len, ret_len);
		return n > 0 ? 0 : tls_result(l, n, err);
	}
	ssize_t n = recv(l->fd, buf, len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ENT_EAGAIN;
	if (n <= 0)
		return gone(n ? strerror(errno) : "the server closed it", err);
	*ret_len = (size_t)n;
	return 0;
}

int ent_cass_link_write(struct ent_cass_link *l, const void *buf, size_t len, size_t *ret_len, struct ent_err *err)
{
	if (l->ssl) {
		ERR_clear_error();
		int n = SSL_write_ex(l->ssl, buf, len, ret_len);
		return n > 0 ? 0 : tls_result(l, n, err);
	}
	ssize_t n = send(l->fd, buf, len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ENT_EAGAIN;
	if (n < 0)
		return gone(strerror(errno), err);
	*ret_len = (size_t)n;
	return 0;
}

void ent_cass_link_poll(struct ent_cass_link *l, bool writing, int timeout_ms)
{
	struct pollfd p = { .fd = l->fd, .events = (short)(POLLIN | (writing || l->wants_write ? POLLOUT : 0)) };
	if (l->ssl && SSL_pending(l->ssl))
		return;
	poll(&p, 1, timeout_ms);
}
