/* HTTP both ways: limits, trust, long socket paths, answers on the node thread, what happens when nobody is there. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/sign.h"
#include "crypto/tls.h"
#include "net/web.h"
#include "net/web_tls.h"
#include "os/system.h"
#include "os/workers.h"
#include "tap.h"

static char dir[600];

/* Says what it saw; /slow takes a second, /big is long, /status/N answers N. */
static void handle(void *self, const struct ent_http_request *r, struct ent_http_answer *a)
{
	(void)self;
	a->status = 200;
	a->type = "text/plain";
	if (!strcmp(r->url, "/slow"))
		usleep(1000000);
	if (!strcmp(r->url, "/big"))
		memset(ent_buf_space(&a->body, 3u << 20), 'b', 3u << 20);
	else if (!strcmp(r->url, "/token"))
		ent_buf_printf(&a->body, "token '%s'", r->token);
	else if (!strcmp(r->url, "/missing"))
		a->status = 404;
	else if (!strcmp(r->url, "/nothing"))
		a->status = 0;
	else
		ent_buf_printf(&a->body, "%s %s %s %zu ", r->method, r->url, r->trusted ? "trusted" : "stranger", r->body.len);
	if (r->body.len)
		ent_buf_put(&a->body, r->body.data, r->body.len < 10 ? r->body.len : 10);
}

struct got {
	int done, status, code;
	size_t len;
	char text[200], type[40], why[200];
	pthread_t thread;
};

static void on_done(void *arg, const struct ent_http_answer *a, const struct ent_err *err)
{
	struct got *g = arg;
	g->done++;
	g->thread = pthread_self();
	g->code = err ? err->code : 0;
	g->status = a->status;
	g->len = a->body.len;
	snprintf(g->text, sizeof g->text, "%s", err ? "" : ent_buf_text(&a->body));
	snprintf(g->type, sizeof g->type, "%s", err ? "" : a->type);
	snprintf(g->why, sizeof g->why, "%.190s", err ? err->why : "");
}

static int post(void *q, void (*fn)(void *arg), void *arg) { return ent_queue_post(q, fn, arg); }

static struct ent_queue *queue;
static struct ent_http *client;

static const uint8_t *expected_key; /* of the server, when it is pinned */

static struct got ask(const char *method, const char *url, struct ent_bytes body, uint32_t timeout_ms)
{
	struct ent_http_request r = { .method = method, .url = url, .body = body, .timeout_ms = timeout_ms, .peer_key = expected_key };
	struct got g = { 0 };
	ENT_ASSERT(!client->start(client, &r, on_done, &g, NULL));
	for (int i = 0; i < 100 && !g.done; i++)
		ent_queue_drain(queue, 100);
	return g;
}

static void over_tcp(uint16_t port)
{
	char url[100];
	struct got g;
	uint8_t *body = calloc(1, 2000);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/checkpoint?from=3&x=%%20y", port);
	g = ask("GET", url, ent_bytes(NULL, 0), 5000);
	OK_STR(g.text, "GET /checkpoint?from=3&x=%20y trusted 0 ", "GET, query kept as sent, loopback trusted");
	OK(pthread_equal(g.thread, pthread_self()) && g.done == 1, "answered once, on the thread that drains");
	OK_STR(g.type, "text/plain", "type");
	g = ask("POST", url, ent_bytes_str("old 12"), 5000);
	OK(strstr(g.text, " 6 old 12"), "POST with body");
	snprintf(url, sizeof url, "http://127.0.0.1:%u/big", port);
	g = ask("GET", url, ent_bytes(NULL, 0), 5000);
	OK(g.status == 200 && g.len == 3u << 20, "3 MiB answer");
	g = ask("POST", url, ent_bytes(body, 1001), 5000);
	OK_INT(g.status, 413, "a body over the limit is refused");
	snprintf(url, sizeof url, "http://127.0.0.1:%u/missing", port);
	OK_INT(ask("GET", url, ent_bytes(NULL, 0), 5000).status, 404, "404 is an answer");
	snprintf(url, sizeof url, "http://127.0.0.1:%u/nothing", port);
	OK_INT(ask("GET", url, ent_bytes(NULL, 0), 5000).status, 500, "a handler without an answer makes a 500");
	snprintf(url, sizeof url, "http://127.0.0.1:%u/slow", port);
	g = ask("GET", url, ent_bytes(NULL, 0), 200);
	OK(g.code == ENT_EPEER && strstr(g.why, "imed out"), "time-out: %s", g.why);
	g = ask("GET", "http://127.0.0.1:1/", ent_bytes(NULL, 0), 2000);
	OK(g.code == ENT_EPEER && g.status == 0, "nobody there: %s", g.why);
	g = ask("GET", "file:///etc/passwd", ent_bytes(NULL, 0), 2000);
	OK_INT(g.code, ENT_EPEER, "only http and https: %s", g.why);
	free(body);
}

/* ---- HTTP over TLS ---- */

static const uint8_t server_secret[32] = { 1 }, member_secret[32] = { 2 }, other_secret[32] = { 3 };

static bool raw(uint16_t port, const char *request, const char *expect);

static bool is_member(void *arg, const uint8_t key[32]) { return !memcmp(arg, key, 32); }

static struct got over_tls(uint16_t port, const char *method, const char *path, struct ent_bytes body)
{
	char url[100];
	snprintf(url, sizeof url, "https://127.0.0.1:%u%s", port, path);
	return ask(method, url, body, 5000);
}

static void fresh_client(const uint8_t *secret)
{
	if (client)
		ent_web_client_free(client);
	ENT_ASSERT(!ent_web_client_new(post, queue, "entente/test", &client, NULL));
	ENT_ASSERT(!secret || !ent_web_client_identity(client, "somebody", secret, NULL));
}

/* An address of this machine that is not loopback, or "". */
static void outside_address(char out[64])
{
	struct ifaddrs *all = NULL;
	*out = 0;
	if (getifaddrs(&all))
		return;
	for (const struct ifaddrs *i = all; i && !*out; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !ent_web_loopback(i->ifa_addr))
			getnameinfo(i->ifa_addr, sizeof(struct sockaddr_in), out, 64, NULL, 0, NI_NUMERICHOST);
	freeifaddrs(all);
}

static void from_outside(uint16_t port)
{
	char host[64], url[120];
	outside_address(host);
	if (!*host) {
		tap_skip("HTTP from outside", "this machine has loopback only");
		return;
	}
	snprintf(url, sizeof url, "http://%s:%u/checkpoint", host, port);
	OK_INT(ask("GET", url, ent_bytes(NULL, 0), 5000).status, 403, "no plain HTTP from outside");
	snprintf(url, sizeof url, "https://%s:%u/checkpoint", host, port);
	OK(strstr(ask("GET", url, ent_bytes(NULL, 0), 5000).text, " stranger "), "TLS from outside");
}

static void encrypted(void)
{
	uint8_t server_key[32], member_key[32], other_key[32];
	uint8_t *body = calloc(1, 2000);
	struct ent_tls_identity *id = NULL;
	struct ent_web_server *s = NULL;
	struct ent_err err = ENT_ERR_INIT;
	struct got g;
	ENT_ASSERT(!ent_sign_public(server_secret, server_key, NULL) && !ent_sign_public(member_secret, member_key, NULL) &&
		   !ent_sign_public(other_secret, other_key, NULL));
	ENT_ASSERT(!ent_tls_identity_web_new("server", server_secret, &id, NULL));
	struct ent_web_options o = { .listen = "0.0.0.0:0",
				     .trust_loopback = true,
				     .body_bytes_max = 1000,
				     .handler = { NULL, handle },
				     .tls = id,
				     .member = is_member,
				     .member_arg = member_key };
	OK_INT(ent_web_server_new(&o, &s, &err), 0, "%s", err.why);
	uint16_t port = ent_web_server_port(s);
	fresh_client(NULL);
	expected_key = server_key;
	g = over_tls(port, "GET", "/checkpoint?x=1", ent_bytes(NULL, 0));
	OK_STR(g.text, "GET /checkpoint?x=1 stranger 0 ", "TLS without a certificate: served, not trusted, not even from loopback");
	g = over_tls(port, "POST", "/add", ent_bytes_str("old 12"));
	OK(strstr(g.text, " 6 old 12"), "a body: %s", g.text);
	g = over_tls(port, "GET", "/big", ent_bytes(NULL, 0));
	OK(g.status == 200 && g.len == 3u << 20, "3 MiB answer");
	OK_INT(over_tls(port, "POST", "/", ent_bytes(body, 1001)).status, 413, "limits hold");
	expected_key = other_key;
	fresh_client(NULL);
	g = over_tls(port, "GET", "/checkpoint", ent_bytes(NULL, 0));
	OK(g.code == ENT_EPEER && g.status == 0, "a server with another key than the pinned one gets nothing: %s", g.why);
	expected_key = server_key;
	fresh_client(member_secret);
	OK(strstr(over_tls(port, "GET", "/x", ent_bytes(NULL, 0)).text, " trusted "), "a member's certificate is trusted");
	fresh_client(other_secret);
	OK(strstr(over_tls(port, "GET", "/x", ent_bytes(NULL, 0)).text, " stranger "), "another one is not");
	OK(raw(port, "GET /token HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer abc\r\nConnection: close\r\n\r\n", "token 'abc'"),
	   "plain HTTP from loopback is served, a bearer's token arrives");
	OK(raw(port, "GET /token HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic abc\r\nConnection: close\r\n\r\n", "token ''"),
	   "other authorisations are none");
	OK(raw(port, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", " trusted "), "and trusted");
	from_outside(port);
	ent_web_server_free(s);
	o.plain_closed = true;
	OK_INT(ent_web_server_new(&o, &s, &err), 0, "%s", err.why);
	OK(raw(ent_web_server_port(s), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "403 Forbidden"), "plain HTTP can be closed altogether");
	expected_key = NULL;
	OK_INT(over_tls(ent_web_server_port(s), "GET", "/x", ent_bytes(NULL, 0)).status, 200, "TLS stays");
	ent_web_server_free(s);
	ent_tls_identity_free(id);
	free(body);
}

/* Raw request, for what curl would not send. */
static bool raw(uint16_t port, const char *request, const char *expect)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char answer[4000];
	size_t len = 0;
	struct timeval limit = { 3, 0 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	bool ok = !connect(fd, (struct sockaddr *)&sa, sizeof sa) && write(fd, request, strlen(request)) > 0;
	for (ssize_t n = 1; ok && n > 0 && len<sizeof answer - 1; len += n> 0 ? (size_t)n : 0)
		n = read(fd, answer + len, sizeof answer - 1 - len);
	answer[len] = 0;
	close(fd);
	return ok && strstr(answer, expect);
}

static void trust(uint16_t port)
{
	OK(raw(port, "GET / HTTP/1.1\r\nHost: localhost:9\r\nConnection: close\r\n\r\n", " trusted "), "loopback by its name is trusted");
	OK(raw(port, "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", " stranger "), "a rebound name is not");
	OK(raw(port, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n", " stranger "),
	   "nor a web page");
	OK(raw(port, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", "413"), "an absurd length is refused");
	OK(!raw(port, "nonsense\r\n\r\n", "GET"), "nonsense never reaches the handler");
}

static int stop_now(void *arg) { return ++*(int *)arg >= 2; }

static void over_socket(const char *path)
{
	struct ent_http_caller *c = NULL;
	struct ent_http_answer a = { 0 };
	struct ent_http_request r = { .method = "POST", .url = "/api/query?x=1", .body = ent_bytes_str("SELECT 1") };
	struct ent_err err = ENT_ERR_INIT;
	struct stat st;
	int asked = 0;
	OK(!stat(path, &st) && (st.st_mode & 0777) == 0600, "the socket is for its owner only");
	OK_INT(ent_web_caller_new(path, &c, &err), 0);
	OK(!c->call(c, &r, NULL, NULL, &a, &err) && a.status == 200 && !strcmp(ent_buf_text(&a.body), "POST /api/query?x=1 trusted 8 SELECT 1"),
	   "call over the local socket is trusted: %s", ent_buf_text(&a.body));
	ent_buf_deinit(&a.body);
	r = (struct ent_http_request){ .method = "GET", .url = "/slow" };
	a = (struct ent_http_answer){ 0 };
	OK_INT(c->call(c, &r, stop_now, &asked, &a, &err), ENT_ECANCELLED, "progress may stop a call");
	a = (struct ent_http_answer){ .body = ENT_BUF(1000) };
	r.url = "/big";
	OK_INT(c->call(c, &r, NULL, NULL, &a, &err), ENT_ENOMEM, "the caller's cap holds: %s", err.why);
	ent_web_caller_free(c);
}

static void sockets(void)
{
	struct ent_web_options o = { .handler = { NULL, handle }, .body_bytes_max = 1000 };
	struct ent_web_server *s = NULL, *second = NULL;
	struct ent_http_caller *c = NULL;
	struct ent_err err = ENT_ERR_INIT;
	struct ent_http_request r = { .method = "GET", .url = "/" };
	struct ent_http_answer a = { 0 };
	char path[700];
	snprintf(path, sizeof path, "%s/node.sock", dir);
	OK(strlen(path) > 200, "a path far longer than sun_path");
	o.socket_path = path;
	OK_INT(ent_web_server_new(&o, &s, &err), 0, "%s", err.why);
	if (s)
		over_socket(path);
	OK_INT(ent_web_server_new(&o, &second, &err), ENT_EAGAIN, "two nodes on one socket: %s", err.what);
	ent_web_server_free(s);
	OK(access(path, F_OK) != 0, "the socket is gone after a clean stop");
	ent_web_caller_new(path, &c, &err);
	OK(c->call(c, &r, NULL, NULL, &a, &err) == ENT_ENONODE && strstr(err.next, "entente serve"), "no node: %s; %s", err.what, err.next);
	FILE *f = fopen(path, "w");
	fclose(f);
	OK_INT(ent_web_server_new(&o, &second, &err), ENT_EIO, "an ordinary file there is left alone");
	unlink(path);
	ent_web_caller_free(c);
	OK_INT(ent_web_server_new(&o, &s, &err), 0);
	ent_web_server_free(s);
}

int main(void)
{
	struct ent_web_options o = { .listen = "127.0.0.1:0", .trust_loopback = true, .body_bytes_max = 1000, .handler = { NULL, handle } };
	struct ent_web_server *s = NULL;
	struct ent_err err = ENT_ERR_INIT;
	char top[] = "/tmp/entente-web-XXXXXX";
	ENT_ASSERT(mkdtemp(top));
	snprintf(dir, sizeof dir, "%s/%0100d", top, 1);
	mkdir(dir, 0700);
	snprintf(dir + strlen(dir), 120, "/%0100d", 2);
	mkdir(dir, 0700);
	ENT_ASSERT(!ent_queue_new(&queue, NULL) && !ent_web_client_new(post, queue, "entente/test", &client, NULL));
	OK_INT(ent_web_server_new(&o, &s, &err), 0, "%s", err.why);
	over_tcp(ent_web_server_port(s));
	trust(ent_web_server_port(s));
	encrypted();
	fresh_client(NULL);
	/* A client that is freed while a request runs drops it without a call. */
	char url[60];
	struct got g = { 0 };
	struct ent_http_request r = { .method = "GET", .url = url, .timeout_ms = 5000 };
	snprintf(url, sizeof url, "http://127.0.0.1:%u/slow", ent_web_server_port(s));
	client->start(client, &r, on_done, &g, NULL);
	usleep(20000);
	ent_web_client_free(client);
	ent_queue_drain(queue, 0);
	OK_INT(g.done, 0, "dropped without a call");
	ent_queue_free(queue);
	ent_web_server_free(s);
	sockets();
	rmdir(dir);
	*strrchr(dir, '/') = 0;
	rmdir(dir);
	rmdir(top);
	return tap_done();
}
