/* Addresses, password files, and connections to a server of our own: plain, in TLS, with certificates that must not be believed. */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial/address.h"
#include "dial/dial.h"
#include "tap.h"

/* ---- addresses ---- */

static int parameter(void *self, const char *name, const char *value, struct ent_err *err)
{
	char *seen = (char *)self;
	if (!strcmp(name, "bad"))
		return ent_fail(err, ENT_EUSAGE, "no such parameter");
	snprintf(seen + strlen(seen), 100 - strlen(seen), "%s=%s;", name, value);
	return 0;
}
static const struct ent_address_form form = { .store = "Test", .example = "test://HOST", .port = 77, .parameter = parameter };

static void test_right(void)
{
	static const struct {
		const char *url, *user, *password, *host, *last, *path, *seen;
		size_t hosts;
		unsigned port;
	} cases[] = {
		{ "test://h", "", "", "h", "h", "", "", 1, 77 },
		{ "test://u@h:9/p", "u", "", "h", "h", "p", "", 1, 9 },
		{ "test://u:p%40s@h1,h2:99/a/b%2fc?x=1&y=%26", "u", "p@s", "h1", "h2", "a/b/c", "x=1;y=&;", 2, 99 },
		{ "test://[::1]:5/", "", "", "::1", "::1", "", "", 1, 5 },
		{ "test://[::1]", "", "", "::1", "::1", "", "", 1, 77 },
		{ "test://u%3a@a@h?z=", "u:@a", "", "h", "h", "", "z=;", 1, 77 },
		{ "test:///p", "", "", "", "", "p", "", 0, 77 },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		struct ent_address a = { 0 };
		char seen[100] = "";
		int r = ent_address_parse(cases[i].url, &form, seen, &a, NULL);
		OK(!r && !strcmp(a.user, cases[i].user) && !strcmp(a.password, cases[i].password) && !strcmp(a.hosts[0], cases[i].host) &&
			   !strcmp(a.hosts[a.n_hosts ? a.n_hosts - 1 : 0], cases[i].last) && !strcmp(a.path, cases[i].path) &&
			   !strcmp(seen, cases[i].seen) && a.n_hosts == cases[i].hosts && a.port == cases[i].port,
		   "%s is read", cases[i].url);
	}
}

static void test_wrong(void)
{
	static const char *const urls[] = {
		"test:h",        "test://h:0",  "test://h:65536", "test://h:x",     "test://%zz", "test://h%00",   "test://[::1",
		"test://[::1]x", "test://h/%4", "test://h?x",     "test://h?bad=1", "test://,h",  "test://u:%1@h", "test://a,b,c,d,e,f,g,h,i"
	};
	char seen[100] = "", far[5000];
	struct ent_address a = { .port = 1 };
	for (size_t i = 0; i < ENT_COUNT(urls); i++)
		OK_INT(ent_address_parse(urls[i], &form, seen, &a, NULL), ENT_EUSAGE, "%s is refused", urls[i]);
	snprintf(far, sizeof far, "test://h/%04500d", 1);
	OK_INT(ent_address_parse(far, &form, seen, &a, NULL), ENT_EUSAGE, "so is a path that is too long");
	OK_INT(a.port, 1, "and nothing is given out");
}

static int password(const char *folder, size_t len, const char *end, char c, char *ret)
{
	char path[200];
	snprintf(path, sizeof path, "%s/password", folder);
	FILE *f = fopen(path, "we");
	ENT_ASSERT(f);
	for (size_t i = 0; i < len; i++)
		fputc(c, f);
	fputs(end, f);
	fclose(f);
	return ent_password_read(path, ret, NULL);
}

static void test_passwords(const char *folder)
{
	char p[ENT_PASSWORD_BYTES] = "";
	OK(!password(folder, 4, "\r\n", 'x', p) && !strcmp(p, "xxxx"), "the end of the line is no part of a password");
	OK(!password(folder, ENT_PASSWORD_BYTES - 1, "\n", 'x', p) && strlen(p) == ENT_PASSWORD_BYTES - 1, "the longest one");
	OK_INT(password(folder, ENT_PASSWORD_BYTES, "", 'x', p), ENT_EDATA, "a longer one is refused, not cut");
	OK_INT(password(folder, 5000, "", 'x', p), ENT_EDATA, "a much longer one, too");
	OK_INT(password(folder, 0, "\n", 'x', p), ENT_EDATA, "an empty file is refused");
	OK_INT(password(folder, 3, "", 0, p), ENT_EDATA, "so is a NUL");
	OK_INT(ent_password_read("/nowhere/password", p, NULL), ENT_ENOTFOUND, "and a file that is not there");
}

/* ---- a server that sends back what comes ---- */

struct server {
	int fd;
	uint16_t port;
	SSL_CTX *ctx; /* NULL: plain */
	bool silent;  /* takes connections and says nothing */
	bool short_;  /* closes after the first bytes */
	pthread_t thread;
};

static void echo(const struct server *s, int fd)
{
	char buf[4096];
	SSL *ssl = s->ctx ? SSL_new(s->ctx) : NULL;
	if (ssl)
		SSL_set_fd(ssl, fd);
	if (!s->silent && (!ssl || SSL_accept(ssl) == 1)) {
		for (int n; (n = ssl ? SSL_read(ssl, buf, sizeof buf) : (int)read(fd, buf, sizeof buf)) > 0;)
			if ((ssl ? SSL_write(ssl, buf, n) : (int)write(fd, buf, (size_t)n)) <= 0 || s->short_)
				break;
	} else if (s->silent) {
		(void)!read(fd, buf, sizeof buf);
		(void)!read(fd, buf, sizeof buf);
	}
	SSL_free(ssl);
	close(fd);
}

static void *serve(void *arg)
{
	const struct server *s = (const struct server *)arg;
	sigset_t pipes;
	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipes, NULL); /* the server's own; the other side must not raise it */
	for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0;)
		echo(s, fd);
	return NULL;
}

static void server_start(struct server *s, SSL_CTX *ctx, bool silent, bool short_)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	*s = (struct server){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .ctx = ctx, .silent = silent, .short_ = short_ };
	ENT_ASSERT(!bind(s->fd, (struct sockaddr *)&a, sizeof a) && !listen(s->fd, 8) && !getsockname(s->fd, (struct sockaddr *)&a, &len));
	s->port = ntohs(a.sin_port);
	ENT_ASSERT(!pthread_create(&s->thread, NULL, serve, s));
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	SSL_CTX_free(s->ctx);
}

/* A certificate that signs itself, for one name. */
static SSL_CTX *identity(const char *name, const char *file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char text[100];
	snprintf(text, sizeof text, "%s", name);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	X509_add_ext(cert, alt, -1);
	X509_EXTENSION_free(alt);
	ENT_ASSERT(X509_sign(cert, key, EVP_sha256()) && SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	FILE *f = fopen(file, "we");
	ENT_ASSERT(f && PEM_write_X509(f, cert));
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

/* ---- connections ---- */

static int asked; /* how often cancel was looked at */
static int cancel_at;
static int cancelled(void *self)
{
	(void)self;
	return ++asked >= cancel_at && cancel_at;
}
static const struct ent_host host = { .size = sizeof host, .cancelled = cancelled };

static struct ent_dial_how how_to(uint16_t port, bool tls, bool named, const char *ca)
{
	return (struct ent_dial_how){ .store = "Test",
				      .host = "127.0.0.1",
				      .port = port,
				      .tls = tls,
				      .named = named,
				      .ca_file = ca,
				      .asker = &host,
				      .deadline_ms = ent_dial_now_ms() + 20000 };
}

/* Sends and receives much more than sockets hold; true when the same came back. */
static bool talk(struct ent_dial *d)
{
	enum { N = 3000000 };
	uint8_t *out = malloc(N), *in = malloc(N);
	size_t sent = 0, got = 0, n = 0;
	bool fine = out && in;
	for (size_t i = 0; fine && i < N; i++)
		out[i] = (uint8_t)(i * 2654435761u >> 13);
	while (fine && got < N) {
		n = 0;
		int w = sent < N ? ent_dial_write(d, out + sent, N - sent, &n, NULL) : ENT_EAGAIN;
		sent += w ? 0 : n;
		n = 0;
		int r = ent_dial_read(d, in + got, N - got, &n, NULL);
		got += r ? 0 : n;
		fine = (!w || w == ENT_EAGAIN) && (!r || r == ENT_EAGAIN);
		if (w && r)
			ent_dial_poll(d, sent < N, 100);
	}
	fine = fine && !memcmp(in, out, N);
	free(in);
	free(out);
	return fine;
}

static int try_it(struct ent_dial_how how, bool *ret_talked)
{
	struct ent_dial *d = NULL;
	int r = ent_dial_open(&how, &d, NULL);
	*ret_talked = !r && talk(d);
	ent_dial_close(d);
	return r;
}

static void test_connections(const char *folder)
{
	struct server plain, right, other;
	char ca[200], ca_other[200];
	bool talked;
	snprintf(ca, sizeof ca, "%s/right.pem", folder);
	snprintf(ca_other, sizeof ca_other, "%s/other.pem", folder);
	server_start(&plain, NULL, false, false);
	server_start(&right, identity("IP:127.0.0.1", ca), false, false);
	server_start(&other, identity("DNS:elsewhere.example", ca_other), false, false);
	OK(!try_it(how_to(plain.port, false, false, NULL), &talked) && talked, "a plain connection carries bytes both ways");
	OK(!try_it(how_to(right.port, true, true, ca), &talked) && talked, "so does TLS with an authority and a name that are right");
	OK_INT(try_it(how_to(right.port, true, true, ca_other), &talked), ENT_EIO, "another authority is refused");
	OK_INT(try_it(how_to(right.port, true, false, NULL), &talked), ENT_EIO, "one that the system does not know, too");
	OK_INT(try_it(how_to(other.port, true, true, ca_other), &talked), ENT_EIO, "a certificate for another name is refused");
	OK(!try_it(how_to(other.port, true, false, ca_other), &talked) && talked, "unless the name does not count");
	OK_INT(try_it(how_to(plain.port, true, true, ca), &talked), ENT_EIO, "a server without TLS is refused");
	server_stop(&plain);
	server_stop(&right);
	server_stop(&other);
	OK_INT(try_it(how_to(plain.port, false, false, NULL), &talked), ENT_EIO, "where nobody listens there is no connection");
}

static void test_gone(const char *folder)
{
	struct server s;
	char ca[200];
	bool talked;
	snprintf(ca, sizeof ca, "%s/gone.pem", folder);
	for (int tls = 0; tls < 2; tls++) {
		server_start(&s, tls ? identity("IP:127.0.0.1", ca) : NULL, false, true);
		OK(!try_it(how_to(s.port, tls, tls, ca), &talked) && !talked, "a server that goes away is an error and no signal (TLS: %d)", tls);
		server_stop(&s);
	}
}

static void test_waits(void)
{
	struct server s;
	bool talked;
	server_start(&s, NULL, true, false);
	struct ent_dial_how how = how_to(s.port, true, true, NULL);
	how.deadline_ms = ent_dial_now_ms() + 300;
	uint64_t begin = ent_dial_now_ms();
	OK(try_it(how, &talked) == ENT_EAGAIN && ent_dial_now_ms() - begin < 5000, "a server that says nothing is given up at the deadline");
	asked = 0;
	cancel_at = 2;
	OK_INT(try_it(how_to(s.port, true, true, NULL), &talked), ENT_ECANCELLED, "or when somebody cancels");
	cancel_at = 0;
	server_stop(&s);
}

int main(void)
{
	static const char *const made[] = { "password", "right.pem", "other.pem", "gone.pem" };
	char folder[] = "/tmp/ent-dial-XXXXXX", path[100];
	ENT_ASSERT(mkdtemp(folder));
	test_right();
	test_wrong();
	test_passwords(folder);
	test_connections(folder);
	test_gone(folder);
	test_waits();
	for (size_t i = 0; i < ENT_COUNT(made); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, made[i]);
		unlink(path);
	}
	ENT_ASSERT(!rmdir(folder));
	return tap_done();
}
