/* One TCP connection, in TLS unless the address says otherwise: the certificate must come from a known authority and carry the host's name. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial/dial.h"

#define POLL_MS 100

struct ent_dial {
	const char *store;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	bool wants_write; /* TLS cannot go on before the socket takes bytes */
};

void ent_dial_close(struct ent_dial *d)
{
	if (!d)
		return;
	if (d->ssl)
		SSL_shutdown(d->ssl); /* one try: a peer that is gone need not answer */
	SSL_free(d->ssl);
	SSL_CTX_free(d->ctx);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}
static void dial_closep(struct ent_dial **d) { ent_dial_close(*d); }

static int wait_check(const struct ent_dial_how *how, struct ent_err *err)
{
	if (how->asker->cancelled && how->asker->cancelled(how->asker->self))
		return ent_fail(err, ENT_ECANCELLED, "connecting to %s was cancelled", how->store);
	if (ent_dial_now_ms() > how->deadline_ms)
		return ent_fail(err, ENT_EAGAIN, "%s at %.200s did not answer in time", how->store, how->host);
	return 0;
}

static int unreachable(const struct ent_dial_how *how, const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EIO, "cannot connect to %s at %.200s", how->store, how->host);
	return ent_why(err, "%s", why), ENT_EIO;
}

/* --- TCP --- */

static int socket_open(struct ent_dial *d, const struct addrinfo *a, const struct ent_dial_how *how, struct ent_err *err)
{
	int on = 1, broken = 0;
	socklen_t len = sizeof broken;
	d->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		return unreachable(how, strerror(errno), err);
	setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!connect(d->fd, a->ai_addr, a->ai_addrlen))
		return 0;
	if (errno != EINPROGRESS)
		return unreachable(how, strerror(errno), err);
	for (;;) {
		struct pollfd p = { .fd = d->fd, .events = POLLOUT };
		ENT_TRY(wait_check(how, err));
		if (poll(&p, 1, POLL_MS) > 0)
			break;
	}
	getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &broken, &len);
	return broken ? unreachable(how, strerror(broken), err) : 0;
}

static int tcp_open(struct ent_dial *d, const struct ent_dial_how *how, struct ent_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	char port[8];
	snprintf(port, sizeof port, "%u", how->port);
	int code = getaddrinfo(how->host, port, &hints, &all);
	if (code)
		return unreachable(how, gai_strerror(code), err);
	code = ENT_EIO;
	for (const struct addrinfo *a = all; a && code && code != ENT_ECANCELLED; a = a->ai_next) {
		if (d->fd >= 0)
			close(d->fd);
		d->fd = -1;
		code = socket_open(d, a, how, err);
	}
	freeaddrinfo(all);
	return code;
}

/* --- TLS --- */

static BIO_METHOD *quiet_method;

/* OpenSSL's own sockets raise SIGPIPE when the peer is gone. */
static int quiet_write(BIO *b, const char *data, int len)
{
	int fd = -1;
	BIO_get_fd(b, &fd);
	ssize_t n = send(fd, data, (size_t)len, MSG_NOSIGNAL);
	BIO_clear_retry_flags(b);
	if (n <= 0 && BIO_sock_should_retry((int)n))
		BIO_set_retry_write(b);
	return (int)n;
}

static void quiet_make(void)
{
	const BIO_METHOD *plain = BIO_s_socket();
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOCKET, "socket without signals");
	if (!m || !BIO_meth_set_write(m, quiet_write) || !BIO_meth_set_read(m, BIO_meth_get_read(plain)) ||
	    !BIO_meth_set_puts(m, BIO_meth_get_puts(plain)) || !BIO_meth_set_ctrl(m, BIO_meth_get_ctrl(plain)) ||
	    !BIO_meth_set_create(m, BIO_meth_get_create(plain)) || !BIO_meth_set_destroy(m, BIO_meth_get_destroy(plain)))
		BIO_meth_free(m);
	else
		quiet_method = m;
}

static bool socket_lend(SSL *ssl, int fd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, quiet_make);
	BIO *b = quiet_method ? BIO_new(quiet_method) : NULL;
	if (!b)
		return false;
	BIO_set_fd(b, fd, BIO_NOCLOSE);
	SSL_set_bio(ssl, b, b);
	return true;
}

static int tls_refused(struct ent_dial *d, const struct ent_dial_how *how, struct ent_err *err)
{
	long verdict = d->ssl ? SSL_get_verify_result(d->ssl) : X509_V_OK;
	unsigned long e = ERR_peek_last_error();
	const char *text = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : e ? ERR_reason_error_string(e) : NULL;
	unreachable(how, text ? text : "the TLS handshake broke off", err);
	ERR_clear_error();
	ent_next(err, "name the certificate authority with --ca-file FILE; a server without TLS needs ?tls=off in the address");
	return ENT_EIO;
}

static bool tls_prepare(struct ent_dial *d, const struct ent_dial_how *how)
{
	const char *host = how->host;
	uint8_t address[16];
	d->ctx = SSL_CTX_new(TLS_client_method());
	if (!d->ctx || !SSL_CTX_set_min_proto_version(d->ctx, TLS1_2_VERSION))
		return false;
	SSL_CTX_set_mode(d->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	bool own = how->ca_file && how->ca_file[0];
	if (own ? !SSL_CTX_load_verify_locations(d->ctx, how->ca_file, NULL) : !SSL_CTX_set_default_verify_paths(d->ctx))
		return false;
#ifndef ENT_MUTANT_DIAL_TLS
	SSL_CTX_set_verify(d->ctx, SSL_VERIFY_PEER, NULL);
#endif
	d->ssl = SSL_new(d->ctx);
	if (!d->ssl || !socket_lend(d->ssl, d->fd))
		return false;
	bool literal = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
	if (!literal && !SSL_ctrl(d->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host))
		return false;
#ifndef ENT_MUTANT_DIAL_NAME
	if (how->named)
		return literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(d->ssl), host) : SSL_set1_host(d->ssl, host);
#endif
	return true;
}

static int tls_open(struct ent_dial *d, const struct ent_dial_how *how, struct ent_err *err)
{
	ERR_clear_error();
	if (!tls_prepare(d, how))
		return tls_refused(d, how, err);
	for (;;) {
		int n = SSL_connect(d->ssl), why = SSL_get_error(d->ssl, n);
		if (n == 1)
			return 0;
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return tls_refused(d, how, err);
		ENT_TRY(wait_check(how, err));
		struct pollfd p = { .fd = d->fd, .events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT };
		poll(&p, 1, POLL_MS);
	}
}

int ent_dial_open(const struct ent_dial_how *how, struct ent_dial **ret, struct ent_err *err)
{
	ENT_CLEANUP(dial_closep) struct ent_dial *d = (struct ent_dial *)calloc(1, sizeof *d);
	if (!d)
		return ent_nomem(err);
	d->fd = -1;
	d->store = how->store;
	ENT_TRY(tcp_open(d, how, err));
	if (how->tls)
		ENT_TRY(tls_open(d, how, err));
	*ret = d;
	d = NULL;
	return 0;
}

/* --- bytes --- */

static int gone(const struct ent_dial *d, const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EIO, "the connection to %s broke", d->store);
	return ent_why(err, "%s", why), ENT_EIO;
}

static int tls_result(struct ent_dial *d, int n, struct ent_err *err)
{
	int why = SSL_get_error(d->ssl, n);
	d->wants_write = why == SSL_ERROR_WANT_WRITE;
	ERR_clear_error();
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return ENT_EAGAIN;
	return gone(d, why == SSL_ERROR_ZERO_RETURN ? "the server closed it" : "TLS failed or the server closed it", err);
}

int ent_dial_read(struct ent_dial *d, void *buf, size_t len, size_t *ret_len, struct ent_err *err)
{
	if (d->ssl) {
		ERR_clear_error();
		int n = SSL_read_ex(d->ssl, buf, len, ret_len);
		return n > 0 ? 0 : tls_result(d, n, err);
	}
	ssize_t n = recv(d->fd, buf, len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ENT_EAGAIN;
	if (n <= 0)
		return gone(d, n ? strerror(errno) : "the server closed it", err);
	*ret_len = (size_t)n;
	return 0;
}

int ent_dial_write(struct ent_dial *d, const void *buf, size_t len, size_t *ret_len, struct ent_err *err)
{
	if (d->ssl) {
		ERR_clear_error();
		int n = SSL_write_ex(d->ssl, buf, len, ret_len);
		return n > 0 ? 0 : tls_result(d, n, err);
	}
	ssize_t n = send(d->fd, buf, len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ENT_EAGAIN;
	if (n < 0)
		return gone(d, strerror(errno), err);
	*ret_len = (size_t)n;
	return 0;
}

void ent_dial_poll(struct ent_dial *d, bool writing, int timeout_ms)
{
	struct pollfd p = { .fd = d->fd, .events = (short)(POLLIN | (writing || d->wants_write ? POLLOUT : 0)) };
	if (d->ssl && SSL_pending(d->ssl))
		return;
	poll(&p, 1, timeout_ms);
}
