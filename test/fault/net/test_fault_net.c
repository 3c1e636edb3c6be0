/* Every allocation of os, crypto, wire and net fails once, one per run: a call returns a code or the work succeeds, nothing crashes, and under
 * AddressSanitizer nothing leaks. The libraries' own allocations (OpenSSL, curl, microhttpd) are not touched. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "crypto/tls.h"
#include "net/job_link.h"
#include "net/tls_mesh.h"
#include "net/web.h"
#include "os/disk.h"
#include "os/loader.h"
#include "os/memlink.h"
#include "os/system.h"
#include "os/workers.h"
#include "tap.h"
#include "wire/frame.h"

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);

static _Thread_local long countdown; /* only the thread of the test fails */
static _Thread_local bool hit;

static bool fails(void)
{
	if (countdown <= 0 || --countdown)
		return false;
	hit = true;
	return true;
}

void *__wrap_malloc(size_t len) { return fails() ? NULL : __real_malloc(len); }
void *__wrap_calloc(size_t n, size_t len) { return fails() ? NULL : __real_calloc(n, len); }
void *__wrap_realloc(void *p, size_t len) { return fails() ? NULL : __real_realloc(p, len); }

static char root[] = "/tmp/entente-fault-XXXXXX";
static struct ent_err err;

static int on_disk(void)
{
	struct ent_fs *fs = NULL;
	struct ent_buf b = ENT_BUF(1000);
	ENT_TRY(ent_disk_new(root, true, &fs, &err));
	int code = fs->ops->mkdir(fs, "a/b", 0700, &err);
	code = code ? code : ent_fs_replace(fs, "a/b/file", ent_bytes_str("content"), 0600, &err);
	code = code ? code : ent_fs_read(fs, "a/b/file", 1000, &b, &err);
	if (!code && strcmp(ent_buf_text(&b), "content") != 0)
		code = ENT_EINTERNAL;
	ent_buf_deinit(&b);
	ent_disk_free(fs);
	return code;
}

static int threads_and_queues(void)
{
	struct ent_pool *p = NULL;
	struct ent_queue *q = NULL;
	struct ent_loader *l = NULL;
	int code = ent_workers_new(3, &p, &err);
	code = code ? code : ent_queue_new(&q, &err);
	code = code ? code : ent_loader_new(&l, &err);
	ent_loader_free(l);
	ent_queue_free(q);
	ent_workers_free(p);
	return code;
}

static int in_memory(void)
{
	struct ent_link *l[2] = { NULL };
	static uint8_t data[200000];
	ENT_TRY(ent_memlink_pair(l, 0));
	int code = l[0]->ops->send(l[0], data, sizeof data, &err);
	code = code ? code : l[1]->ops->recv(l[1], data, sizeof data, &err);
	l[0]->ops->free(l[0]);
	l[1]->ops->free(l[1]);
	return code;
}

static int framed(void)
{
	struct ent_buf out = ENT_BUF(100000);
	struct ent_frame_parser p;
	struct ent_frame f;
	static const uint8_t big[9000];
	ent_frame_parser_init(&p, 10000);
	ent_frame_encode(&out, ENT_FRAME_MESSAGE, ent_bytes(big, sizeof big));
	int code = ent_buf_check(&out, &err);
	code = code ? code : ent_frame_parser_put(&p, ent_buf_bytes(&out), &err);
	code = code ? code : ent_frame_parser_next(&p, &f, &err);
	ent_frame_parser_deinit(&p);
	ent_buf_deinit(&out);
	return code;
}

static int sealed(void)
{
	uint8_t secret[32], public_key[32], sig[64];
	ENT_TRY(ent_sign_keygen(ent_system_random(), secret, public_key, &err));
	ENT_TRY(ent_sign(secret, ent_bytes_str("x"), sig, &err));
	return ent_sign_verify(public_key, ent_bytes_str("x"), sig, 64) ? 0 : ENT_ENOMEM;
}

static bool any(void *arg, const uint8_t key[32])
{
	(void)arg;
	(void)key;
	return true;
}

static int shaken(struct ent_tls *t[2])
{
	int done[2] = { 0 }, want;
	for (int i = 0; i < 40 && (!done[0] || !done[1]); i++) {
		int code = done[i & 1] ? 0 : ent_tls_handshake(t[i & 1], &want, &err);
		done[i & 1] = !code;
		if (code && code != ENT_EAGAIN)
			return code;
	}
	return done[0] && done[1] ? 0 : ENT_EPEER;
}

/* Two sessions, then two job links on top; sockets and sessions belong to whoever took them last. */
static int linked(struct ent_link_group *g, int fd[2], struct ent_tls *t[2])
{
	struct ent_link *l[2] = { NULL };
	static uint8_t data[60000];
	int code = 0;
	for (int i = 0; i < 2 && !code; i++) {
		code = ent_job_link_new(g, fd[i], t[i], "peer", 1 << 20, ent_bytes_str(i ? "early" : ""), &l[i], &err);
		if (!code) {
			fd[i] = -1;
			t[i] = NULL;
		}
	}
	code = code ? code : l[0]->ops->send(l[0], data, sizeof data, &err);
	code = code ? code : l[1]->ops->recv(l[1], data, 5, &err);
	if (!code && memcmp(data, "early", 5) != 0)
		code = ENT_EINTERNAL;
	code = code ? code : l[1]->ops->recv(l[1], data, sizeof data, &err);
	for (int i = 0; i < 2; i++)
		if (l[i])
			l[i]->ops->free(l[i]);
	return code;
}

static int encrypted(void)
{
	static const uint8_t secret[32] = { 7 };
	struct ent_tls_identity *id = NULL;
	struct ent_tls *t[2] = { NULL };
	int fd[2];
	struct ent_link_group *g = ent_link_group_new();
	if (!g)
		return ENT_ENOMEM;
	ENT_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	int code = ent_tls_identity_new("x", secret, &id, &err);
	for (int i = 0; i < 2 && !code; i++)
		code = ent_tls_new(id, fd[i], i, any, NULL, &t[i], &err);
	code = code ? code : shaken(t);
	code = code ? code : linked(g, fd, t);
	for (int i = 0; i < 2; i++) {
		ent_tls_free(t[i]);
		if (fd[i] >= 0)
			close(fd[i]);
	}
	ent_tls_identity_free(id);
	ent_link_group_free(g);
	return code;
}

static int on_event(void *arg, enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes)
{
	(void)arg;
	(void)event;
	(void)org;
	(void)text;
	(void)bytes;
	return 0;
}

static int meshed(void)
{
	struct ent_mesh_options o = { .org = "alpha", .listen = "127.0.0.1:0", .event = on_event, .tls_secret = { 9 } };
	struct ent_mesh_pin pin = { .org = "bravo", .tls_key = { 1 } };
	struct ent_mesh *m = NULL;
	ENT_TRY(ent_tls_mesh_new(&o, &m, &err));
	int code = ent_tls_mesh_pins(m, &pin, 1, &err);
	ent_tls_mesh_free(m);
	return code;
}

static void handle(void *self, const struct ent_http_request *r, struct ent_http_answer *a)
{
	(void)self;
	(void)r;
	a->status = 200;
	ent_buf_str(&a->body, "ok");
}

static int served(void)
{
	char path[100];
	struct ent_web_options o = { .listen = "127.0.0.1:0", .socket_path = path, .handler = { NULL, handle } };
	struct ent_web_server *s = NULL;
	struct ent_http_caller *c = NULL;
	struct ent_http_request r = { .method = "POST", .url = "/", .body = ent_bytes_str("body") };
	struct ent_http_answer a = { 0 };
	snprintf(path, sizeof path, "%s/sock", root);
	ENT_TRY(ent_web_server_new(&o, &s, &err));
	int code = ent_web_caller_new(path, &c, &err);
	code = code ? code : c->call(c, &r, NULL, NULL, &a, &err);
	ent_buf_deinit(&a.body);
	ent_web_caller_free(c);
	ent_web_server_free(s);
	return code;
}

/* Fails the first, second, ... allocation until a run meets no failure. */
static void each(const char *name, int (*work)(void))
{
	int survived = 0, refused = 0;
	for (long n = 1; n < 500; n++) {
		countdown = n;
		hit = false;
		int code = work();
		countdown = 0;
		if (!hit) {
			OK(code == 0, "%s: %d failed allocations ended in a code, %d did no harm", name, refused, survived);
			return;
		}
		refused += code != 0;
		survived += code == 0;
	}
	OK(false, "%s never runs without a failure", name);
}

int main(void)
{
	ENT_ASSERT(mkdtemp(root));
	each("disk", on_disk);
	each("threads", threads_and_queues);
	each("in-memory links", in_memory);
	each("frames", framed);
	each("signatures", sealed);
	each("TLS and job links", encrypted);
	each("mesh", meshed);
	each("HTTP", served);
	char path[100];
	static const char *const left[] = { "/a/b/file", "/a/b/file.tmp", "/a/b", "/a", "/sock", "" };
	for (size_t i = 0; i < ENT_COUNT(left); i++) {
		snprintf(path, sizeof path, "%s%s", root, left[i]);
		remove(path);
	}
	return tap_done();
}
