/* Two sessions over a socket pair in one thread: pins, changed bytes, large transfers, small ones. */
#include "crypto/tls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/system.h"
#include "tap.h"

struct side {
	struct ent_tls_identity *id;
	struct ent_tls *tls;
	uint8_t secret[32], public_key[32], expect[32];
	int fd, code;
	bool done;
	struct ent_err err;
};

static struct side s[2];

static bool pin(void *arg, const uint8_t key[32]) { return !memcmp(((struct side *)arg)->expect, key, 32); }

static void sockets(int out[2]) { ENT_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out)); }

static void identities(void)
{
	for (int i = 0; i < 2; i++) {
		ENT_ASSERT(!ent_sign_keygen(ent_system_random(), s[i].secret, s[i].public_key, NULL));
		ENT_ASSERT(!ent_tls_identity_new(i ? "bravo" : "alpha", s[i].secret, &s[i].id, NULL));
	}
	memcpy(s[0].expect, s[1].public_key, 32);
	memcpy(s[1].expect, s[0].public_key, 32);
}

static void start(int a, int b)
{
	s[0].fd = a;
	s[1].fd = b;
	for (int i = 0; i < 2; i++) {
		s[i].done = false;
		s[i].code = 0;
		ENT_ASSERT(!ent_tls_new(s[i].id, s[i].fd, i, pin, &s[i], &s[i].tls, NULL));
	}
}

/* Both handshakes in turns until each is done or failed. */
static void shake(void (*between)(void))
{
	for (int turn = 0; turn < 200; turn++) {
		struct side *x = &s[turn & 1];
		int want;
		if (x->done || x->code)
			continue;
		int code = ent_tls_handshake(x->tls, &want, &x->err);
		x->done = code == 0;
		x->code = code == ENT_EAGAIN ? 0 : code;
		if (between)
			between();
	}
}

static void stop(void)
{
	for (int i = 0; i < 2; i++) {
		ent_tls_free(s[i].tls);
		s[i].tls = NULL;
		close(s[i].fd);
	}
}

static void sound(void)
{
	int fd[2], want;
	uint8_t key[32];
	char buf[32];
	size_t n = 0;
	sockets(fd);
	start(fd[0], fd[1]);
	shake(NULL);
	OK(s[0].done && s[1].done, "handshake");
	ent_tls_peer_key(s[1].tls, key);
	OK(!memcmp(key, s[0].public_key, 32), "the peer's key is known");
	OK_STR(ent_tls_cipher(s[0].tls), "TLS_AES_128_GCM_SHA256", "cipher");
	OK(!ent_tls_write(s[0].tls, "hello", 5, &n, &want, NULL) && n == 5, "write");
	OK(!ent_tls_read(s[1].tls, buf, sizeof buf, &n, &want, NULL) && n == 5 && !memcmp(buf, "hello", 5), "read");
	OK(ent_tls_read(s[1].tls, buf, sizeof buf, &n, &want, NULL) == ENT_EAGAIN && want == ENT_TLS_WANT_READ, "nothing more");
	ent_tls_free(s[0].tls);
	s[0].tls = NULL;
	OK_INT(ent_tls_read(s[1].tls, buf, sizeof buf, &n, &want, &s[1].err), ENT_EPEER, "closing is seen");
	OK(strstr(s[1].err.why, "closed"), "and said");
	OK_INT(ent_tls_write(s[1].tls, "x", 1, &n, &want, NULL), ENT_EPEER, "a finished session stays finished");
	stop();
}

static void bulk(uint64_t records_per_key)
{
	int fd[2], want;
	size_t len = 20u << 20, sent = 0, got = 0, n;
	uint8_t *out = malloc(len), *in = calloc(1, len);
	sockets(fd);
	start(fd[0], fd[1]);
	shake(NULL);
	if (records_per_key)
		ent_tls_rekey_after(s[1].tls, records_per_key);
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(i * 2654435761u >> 13);
	bool ok = true;
	while (ok && got < len) {
		if (sent < len) {
			int code = ent_tls_write(s[1].tls, out + sent, len - sent, &n, &want, NULL);
			ok = !code || code == ENT_EAGAIN;
			sent += code ? 0 : n;
		} else
			ok = ent_tls_flush(s[1].tls, &want, NULL) != ENT_EPEER;
		int code = ent_tls_read(s[0].tls, in + got, len - got, &n, &want, NULL);
		got += code ? 0 : n;
		ok = ok && (!code || code == ENT_EAGAIN);
	}
	OK(ok && !memcmp(in, out, len), "20 MiB through partial writes%s", records_per_key ? ", with changes of the key" : "");
	free(in);
	free(out);
	stop();
}

static void refused(void)
{
	int fd[2], want;
	char c;
	size_t n;
	sockets(fd);
	s[1].expect[5] ^= 1; /* the server has pinned another key */
	start(fd[0], fd[1]);
	shake(NULL);
	OK_INT(s[1].code, ENT_EDENIED, "a server refuses a key it has not pinned");
	OK(s[1].err.next[0], "and says what to do");
	/* In TLS 1.3 the client finishes first and learns of the refusal when it reads. */
	OK(s[0].code == ENT_EDENIED || (s[0].done && ent_tls_read(s[0].tls, &c, 1, &n, &want, &s[0].err) == ENT_EDENIED), "the client learns it");
	OK(strstr(s[0].err.what, "refused our"), "in words");
	stop();
	s[1].expect[5] ^= 1;
	s[0].expect[0] ^= 1;
	sockets(fd);
	start(fd[0], fd[1]);
	shake(NULL);
	OK(s[0].code == ENT_EDENIED && !s[1].done, "a client refuses a key it has not pinned");
	stop();
	s[0].expect[0] ^= 1;
}

/* A changed key: alpha's card says the old one, bravo now has another. */
static void changed_key(void)
{
	struct ent_tls_identity *old = s[1].id;
	uint8_t secret[32], public_key[32];
	int fd[2];
	ENT_ASSERT(!ent_sign_keygen(ent_system_random(), secret, public_key, NULL));
	ENT_ASSERT(!ent_tls_identity_new("bravo", secret, &s[1].id, NULL));
	sockets(fd);
	start(fd[0], fd[1]);
	shake(NULL);
	OK_INT(s[0].code, ENT_EDENIED, "a changed key under the same name is refused");
	stop();
	ent_tls_identity_free(s[1].id);
	s[1].id = old;
}

/* Everything goes through a middle that changes one bit at one place. */
static int left[2], right[2];
static long flip_at, passed;

static void pump_one(int from, int to, bool flips)
{
	uint8_t buf[65536];
	ssize_t n = read(from, buf, sizeof buf);
	if (n <= 0)
		return;
	if (flips && flip_at >= passed && flip_at < passed + n)
		buf[flip_at - passed] ^= 0x10;
	if (flips)
		passed += n;
	(void)!write(to, buf, (size_t)n);
}

static void pump(void)
{
	pump_one(left[1], right[1], true);
	pump_one(right[1], left[1], false);
}

static bool clean_run(long at)
{
	uint8_t msg[300], in[300];
	int want, code = 0;
	size_t n = 0;
	sockets(left);
	sockets(right);
	flip_at = at;
	passed = 0;
	start(left[0], right[0]);
	shake(pump);
	memset(msg, 0x42, sizeof msg);
	bool arrived = false;
	if (s[0].done && s[1].done) {
		ent_tls_write(s[0].tls, msg, sizeof msg, &n, &want, NULL);
		pump();
		code = ent_tls_read(s[1].tls, in, sizeof in, &n, &want, NULL);
		arrived = !code && n == sizeof in && !memcmp(in, msg, n);
	}
	stop();
	close(left[1]);
	close(right[1]);
	return arrived;
}

static void flipped(void)
{
	OK(clean_run(-1), "an honest middle passes everything");
	long total = passed, arrived = 0, tried = 0;
	for (long at = 0; at < total; at += 7, tried++)
		arrived += clean_run(at);
	OK(arrived == 0, "no run with a flipped bit delivers (%ld places of %ld bytes)", tried, total);
}

int main(void)
{
	identities();
	sound();
	bulk(0);
	bulk(50);
	refused();
	changed_key();
	flipped();
	for (int i = 0; i < 2; i++)
		ent_tls_identity_free(s[i].id);
	return tap_done();
}
