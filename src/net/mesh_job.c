/* Job links: both ends ask for the same name. The end that dialled the control connection dials again with that name in its hello; the other
 * finds the parked connection and answers with its own hello, which starts the link. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/address.h"
#include "net/mesh_inner.h"

#define SLICE_MS 50
#define RETRY_MS 200

struct attempt { /* one dial, stepped by the caller's thread without the mesh's lock */
	struct ent_tls_mesh *mesh;
	const char *org, *name;
	int fd;
	struct ent_tls *tls;
	bool shaken;
	short events;
	struct ent_frame_parser parser;
	struct ent_err err;
};

static void attempt_deinit(struct attempt *a)
{
	ent_tls_free(a->tls);
	if (a->fd >= 0)
		close(a->fd);
	ent_frame_parser_deinit(&a->parser);
	a->tls = NULL;
	a->fd = -1;
}

static bool pin(void *arg, const uint8_t key[ENT_SIGN_KEY_LEN])
{
	struct attempt *a = arg;
	pthread_mutex_lock(&a->mesh->lock);
	const struct ent_mesh_pin *p = ent_mesh_pin_by_key(a->mesh, key);
	bool ok = p && !strcmp(p->org, a->org);
	pthread_mutex_unlock(&a->mesh->lock);
	return ok;
}

static int attempt_start(struct attempt *a, const char *address)
{
	struct addrinfo *list = NULL;
	a->shaken = false;
	a->events = POLLOUT;
	ent_frame_parser_init(&a->parser, ENT_FRAME_PAYLOAD_MAX);
	ENT_TRY(ent_address_resolve(address, false, &list, &a->err));
	for (const struct addrinfo *ai = list; ai && a->fd < 0; ai = ai->ai_next)
		a->fd = ent_address_connect(ai);
	int e = errno;
	freeaddrinfo(list);
	if (a->fd >= 0)
		return ent_tls_new(a->mesh->identity, a->fd, false, pin, a, &a->tls, &a->err);
	ent_fail(&a->err, ENT_EPEER, "cannot reach %s at %s", a->org, address);
	ent_why(&a->err, "%s", strerror(e));
	return ENT_EPEER;
}

static int attempt_greet(struct attempt *a)
{
	struct ent_buf out = ENT_BUF(2048);
	size_t n = 0;
	int want, code;
	ent_conn_hello(a->mesh, a->name, &out);
	code = ent_tls_write(a->tls, out.data, out.len, &n, &want, &a->err);
	ent_buf_deinit(&out);
	a->shaken = true;
	a->events = POLLIN;
	return code;
}

/* 0: the peer answered with its hello; ENT_EAGAIN: not yet. */
static int attempt_step(struct attempt *a)
{
	uint8_t buf[4096];
	struct ent_frame f;
	struct ent_hello hello;
	size_t n = 0;
	int want = 0, code;
	if (!a->shaken) {
		code = ent_tls_handshake(a->tls, &want, &a->err);
		a->events = (short)((want & ENT_TLS_WANT_READ ? POLLIN : 0) | (want & ENT_TLS_WANT_WRITE ? POLLOUT : 0));
		ENT_TRY(code);
		ENT_TRY(attempt_greet(a));
	}
	ENT_TRY(ent_tls_read(a->tls, buf, sizeof buf, &n, &want, &a->err));
	ENT_TRY(ent_frame_parser_put(&a->parser, ent_bytes(buf, n), &a->err));
	ENT_TRY(ent_frame_parser_next(&a->parser, &f, &a->err));
	if (f.kind == ENT_FRAME_BYE)
		return ent_fail(&a->err, ENT_EPEER, "%s refused the job link: %.*s", a->org, (int)(f.payload.len < 200 ? f.payload.len : 200),
				(const char *)f.payload.data);
	if (f.kind != ENT_FRAME_HELLO || ent_hello_decode(f.payload, &hello, &a->err) || strcmp(hello.link, a->name) != 0 ||
	    strcmp(hello.org, a->org) != 0)
		return ent_fail(&a->err, ENT_EPEER, "%s did not answer for the job link that was asked", a->org);
	return 0;
}

static int attempt_finish(struct attempt *a, struct ent_link **ret, struct ent_err *err)
{
	struct ent_bytes early = ent_bytes(a->parser.buf.data + a->parser.at, a->parser.buf.len - a->parser.at);
	ENT_TRY(ent_job_link_new(a->mesh->group, a->fd, a->tls, a->org, a->mesh->options.link_bytes_max, early, ret, err));
	a->fd = -1;
	a->tls = NULL;
	return 0;
}

static struct ent_conn *parked_take_locked(struct ent_tls_mesh *m, const char *org, const char *name)
{
	for (struct ent_conn **at = &m->conns; *at; at = &(*at)->next) {
		struct ent_conn *c = *at;
		if (c->state != ENT_CONN_PARKED || strcmp(c->org, org) != 0 || strcmp(c->hello.link, name) != 0)
			continue;
		*at = c->next;
		return c;
	}
	return NULL;
}

/* Answers with our hello; from then on the connection is a link. */
static int claim(struct ent_tls_mesh *m, struct ent_conn *c, struct ent_link **ret, struct ent_err *err)
{
	struct ent_buf out = ENT_BUF(2048);
	size_t n = 0;
	int want, code;
	ent_conn_hello(m, c->hello.link, &out);
	code = ent_tls_write(c->tls, out.data, out.len, &n, &want, err);
	ent_buf_deinit(&out);
	struct ent_bytes early = ent_bytes(c->parser.buf.data + c->parser.at, c->parser.buf.len - c->parser.at);
	if (!code)
		code = ent_job_link_new(m->group, c->fd, c->tls, c->org, m->options.link_bytes_max, early, ret, err);
	if (!code) {
		c->fd = -1;
		c->tls = NULL;
	}
	ent_conn_free(c);
	return code;
}

static void wait_changed_locked(struct ent_tls_mesh *m)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += SLICE_MS * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&m->changed, &m->lock, &t);
}

struct waiting {
	uint64_t until_ms, retry_at_ms;
	bool in_flight;
};

/* Looks at the mesh once: a parked connection to claim, or a reason to dial. 0 with *ret set, 0 without: go on; else the failure. */
static int look(struct attempt *a, struct waiting *w, char address[sizeof(((struct ent_mesh_pin *)0)->address)], struct ent_link **ret,
		struct ent_err *err)
{
	struct ent_tls_mesh *m = a->mesh;
	pthread_mutex_lock(&m->lock);
	const struct ent_peer *p = ent_mesh_peer(m, a->org);
	/* Both may have dialled: then the larger name gives way, the smaller waits for its answer. */
	bool may_claim = p && (!w->in_flight || strcmp(m->org, a->org) > 0);
	struct ent_conn *c = may_claim ? parked_take_locked(m, a->org, a->name) : NULL;
	bool stop = m->stop, due = p && p->live && p->live->dialled && !w->in_flight && ent_mesh_now_ms() >= w->retry_at_ms;
	address[0] = 0;
	if (due && !c)
		memcpy(address, p->pin.address, sizeof p->pin.address);
	if (p && !c && !due && !w->in_flight && !stop)
		wait_changed_locked(m);
	pthread_mutex_unlock(&m->lock);
	if (c)
		return claim(m, c, ret, err);
	if (stop)
		return ent_fail(err, ENT_ECANCELLED, "the node is stopping");
	return p ? 0 : ent_fail(err, ENT_EDENIED, "%s is not a trusted member", a->org);
}

static int give_up(const struct attempt *a, uint32_t timeout_ms, struct ent_err *err)
{
	ent_fail(err, ENT_EPEER, "no job link to %s within %u ms", a->org, timeout_ms);
	if (a->err.code)
		ent_why(err, "%.300s%s%.250s", a->err.what, a->err.why[0] ? ": " : "", a->err.why);
	else
		ent_why(err, "the peer did not ask for its end");
	return ENT_EPEER;
}

static int advance(struct attempt *a, struct waiting *w, struct ent_link **ret, struct ent_err *err)
{
	struct pollfd f = { a->fd, a->events, 0 };
	if (poll(&f, 1, SLICE_MS) == 0)
		return 0;
	int code = attempt_step(a);
	if (!code)
		return attempt_finish(a, ret, err);
	if (code == ENT_EAGAIN)
		return 0;
	attempt_deinit(a);
	w->in_flight = false;
	w->retry_at_ms = ent_mesh_now_ms() + RETRY_MS;
	if (code == ENT_EDENIED && err)
		*err = a->err;
	return code == ENT_EDENIED ? code : 0;
}

static int pair_up(struct attempt *a, struct waiting *w, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err)
{
	struct ent_link *link = NULL;
	char address[sizeof(((struct ent_mesh_pin *)0)->address)];
	while (!link) {
		ENT_TRY(look(a, w, address, &link, err));
		if (!link && address[0]) {
			w->in_flight = attempt_start(a, address) == 0;
			if (!w->in_flight) {
				attempt_deinit(a);
				w->retry_at_ms = ent_mesh_now_ms() + RETRY_MS;
			}
		}
		if (!link && w->in_flight)
			ENT_TRY(advance(a, w, &link, err));
		if (!link && ent_mesh_now_ms() >= w->until_ms)
			return give_up(a, timeout_ms, err);
	}
	*ret = link;
	return 0;
}

int ent_mesh_job_link(struct ent_mesh *mesh, const char *org, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err)
{
	struct ent_tls_mesh *m = (struct ent_tls_mesh *)mesh;
	struct attempt a = { .mesh = m, .org = org, .name = name, .fd = -1, .err = ENT_ERR_INIT };
	struct waiting w = { .until_ms = ent_mesh_now_ms() + timeout_ms };
	if (!*name || strlen(name) > ENT_HELLO_NAME_MAX)
		return ent_fail(err, ENT_EINTERNAL, "a job link needs a name of 1 to %d letters", ENT_HELLO_NAME_MAX);
	int code = pair_up(&a, &w, timeout_ms, ret, err);
	attempt_deinit(&a);
	return code;
}
