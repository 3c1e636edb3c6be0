/* One connection of the net thread: connect, handshake, hello, then frames both ways. No call here waits. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "net/mesh_inner.h"

struct ent_conn *ent_conn_new(struct ent_tls_mesh *m, int fd, bool dialled, const char *org)
{
	struct ent_conn *c = ent_alloc(1, sizeof *c);
	if (!c) {
		close(fd);
		return NULL;
	}
	*c = (struct ent_conn){ .mesh = m, .fd = fd, .dialled = dialled, .poll_at = -1, .born_ms = ent_mesh_now_ms() };
	c->state = dialled ? ENT_CONN_CONNECTING : ENT_CONN_SHAKING;
	c->events = dialled ? POLLOUT : POLLIN;
	c->heard_ms = c->pinged_ms = c->born_ms;
	snprintf(c->org, sizeof c->org, "%s", org);
	ent_address_peer(fd, c->address);
	ent_frame_parser_init(&c->parser, ENT_FRAME_PAYLOAD_MAX);
	ent_buf_init(&c->out, ENT_CONN_OUT_MAX);
	c->next = m->conns;
	m->conns = c;
	return c;
}

void ent_conn_free(struct ent_conn *c)
{
	ent_tls_free(c->tls);
	if (c->fd >= 0)
		close(c->fd);
	ent_frame_parser_deinit(&c->parser);
	ent_buf_deinit(&c->out);
	free(c->up);
	free(c->down);
	free(c);
}

void ent_conn_close(struct ent_conn *c, const char *why)
{
	struct ent_peer *p = c->org[0] ? ent_mesh_peer(c->mesh, c->org) : NULL;
	bool live = p && p->live == c;
	if (c->state == ENT_CONN_CLOSING)
		return;
	bool say = c->state == ENT_CONN_LIVE;
	c->state = ENT_CONN_CLOSING;
	if (say) {
		ent_conn_send(c, ENT_FRAME_BYE, ent_bytes_str(why));
		ent_conn_push(c);
	}
	if (p && (live || p->dialling == c))
		snprintf(p->trouble, sizeof p->trouble, "%.60s: %.170s", c->dialled && !live ? p->pin.address : c->address, why);
	if (p && p->dialling == c) {
		p->dialling = NULL;
		ent_mesh_dial_failed(c->mesh, c->org);
	}
	if (live) {
		p->live = NULL;
		p->dial_at_ms = ent_mesh_now_ms();
		snprintf(c->down->text, sizeof c->down->text, "%s", why);
		ent_mesh_tell(c->mesh, c->down);
		c->down = NULL;
	}
	ent_log(c->mesh->options.log, ENT_LOG_DEBUG, "party_link_closed", "org=%s address=%s why=\"%s\"", c->org[0] ? c->org : "?", c->address, why);
}

static void close_err(struct ent_conn *c, const struct ent_err *err)
{
	char text[400];
	snprintf(text, sizeof text, "%.180s%s%.200s", err->what, err->why[0] ? ": " : "", err->why);
	ent_conn_close(c, text);
}

static bool pin(void *arg, const uint8_t key[ENT_SIGN_KEY_LEN])
{
	struct ent_conn *c = arg;
	const struct ent_mesh_pin *p = ent_mesh_pin_by_key(c->mesh, key);
	memcpy(c->key, key, sizeof c->key);
	c->seen_key = true;
	if (!p || (c->dialled && strcmp(p->org, c->org) != 0))
		return false;
	snprintf(c->org, sizeof c->org, "%s", p->org);
	return true;
}

void ent_conn_hello(struct ent_tls_mesh *m, const char *link, struct ent_buf *out)
{
	struct ent_hello h = { .version = ENT_HELLO_VERSION, .nonce = m->nonce };
	struct ent_buf payload = ENT_BUF(1024);
	snprintf(h.org, sizeof h.org, "%s", m->org);
	snprintf(h.software, sizeof h.software, "%s", m->software);
	snprintf(h.link, sizeof h.link, "%s", link);
	ent_hello_encode(&payload, &h);
	ent_frame_encode(out, ENT_FRAME_HELLO, ent_buf_bytes(&payload));
	ent_buf_deinit(&payload);
}

void ent_conn_send(struct ent_conn *c, enum ent_frame_kind kind, struct ent_bytes payload) { ent_frame_encode(&c->out, kind, payload); }

void ent_conn_push(struct ent_conn *c)
{
	struct ent_err err = ENT_ERR_INIT;
	int want = 0, code = 0;
	size_t n = 0;
	while (!code && c->out_at < c->out.len) {
		code = ent_tls_write(c->tls, c->out.data + c->out_at, c->out.len - c->out_at, &n, &want, &err);
		if (!code)
			c->out_at += n;
	}
	if (!code)
		code = ent_tls_flush(c->tls, &want, &err);
	if (c->out_at == c->out.len) {
		ent_buf_reset(&c->out);
		c->out_at = 0;
	}
	c->events = (short)((c->held ? 0 : POLLIN) | (code == ENT_EAGAIN ? POLLOUT : 0));
	if (!code)
		code = ent_buf_check(&c->out, &err);
	if (code && code != ENT_EAGAIN)
		close_err(c, &err);
}

static void shake(struct ent_conn *c)
{
	struct ent_err err = ENT_ERR_INIT;
	int want = 0, code = 0;
	if (!c->tls)
		code = ent_tls_new(c->mesh->identity, c->fd, !c->dialled, pin, c, &c->tls, &err);
	if (!code)
		code = ent_tls_handshake(c->tls, &want, &err);
	if (code == ENT_EAGAIN) {
		c->events = (short)((want & ENT_TLS_WANT_READ ? POLLIN : 0) | (want & ENT_TLS_WANT_WRITE ? POLLOUT : 0));
		return;
	}
	if (code) {
		if (code == ENT_EDENIED)
			ent_mesh_refused(c->mesh, c, &err);
		close_err(c, &err);
		return;
	}
	c->state = ENT_CONN_GREETING;
	if (c->dialled) { /* who accepts answers with its own hello once it has read this one */
		ent_conn_hello(c->mesh, "", &c->out);
		ent_conn_push(c);
	} else {
		c->events = POLLIN;
		c->more = true; /* the hello may have come with the end of the handshake */
	}
}

static void connected(struct ent_conn *c)
{
	int e = 0;
	socklen_t len = sizeof e;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len) || e) {
		ent_conn_close(c, strerror(e ? e : errno));
		return;
	}
	ent_address_peer(c->fd, c->address);
	c->state = ENT_CONN_SHAKING;
	shake(c);
}

static int hello_check(struct ent_conn *c, struct ent_bytes payload, struct ent_err *err)
{
	ENT_TRY(ent_hello_decode(payload, &c->hello, err));
#ifdef ENT_MUTANT_HELLO_NAME_BELIEVED
	memcpy(c->hello.org, c->org, sizeof c->org);
#endif
	if (strcmp(c->hello.org, c->org) != 0)
		return ent_fail(err, ENT_EDENIED, "the peer calls itself %s, but its key belongs to %s", c->hello.org, c->org);
	if (c->hello.version != ENT_HELLO_VERSION) {
		ent_fail(err, ENT_EPEER, "%s speaks version %u of the party link, we speak %u", c->org, c->hello.version, ENT_HELLO_VERSION);
		ent_why(err, "they run %s, we run %s", c->hello.software, c->mesh->software);
		return ENT_EPEER;
	}
	if (c->dialled && c->hello.link[0])
		return ent_fail(err, ENT_EPEER, "%s answered a control connection with a job link", c->org);
	return 0;
}

static void greeted(struct ent_conn *c, struct ent_bytes payload)
{
	struct ent_err err = ENT_ERR_INIT;
	if (hello_check(c, payload, &err)) {
		ent_mesh_refused(c->mesh, c, &err);
		ent_conn_send(c, ENT_FRAME_BYE, ent_bytes_str(err.what));
		ent_conn_push(c);
		close_err(c, &err);
		return;
	}
	if (!c->dialled && !c->hello.link[0]) {
		ent_conn_hello(c->mesh, "", &c->out);
		ent_conn_push(c);
		if (c->state == ENT_CONN_CLOSING)
			return;
	}
	c->state = c->hello.link[0] ? ENT_CONN_PARKED : ENT_CONN_LIVE;
	if (c->state == ENT_CONN_PARKED)
		c->events = POLLRDHUP;
	c->born_ms = ent_mesh_now_ms();
	ent_mesh_arrived(c);
}

/* One frame; false when the connection must not be read further. */
static bool take(struct ent_conn *c, const struct ent_frame *f)
{
	char text[200];
	switch (f->kind) {
	case ENT_FRAME_HELLO:
		if (c->state != ENT_CONN_GREETING) {
			ent_conn_close(c, "the peer said hello twice");
			return false;
		}
		greeted(c, f->payload);
		return c->state == ENT_CONN_LIVE;
	case ENT_FRAME_BYE:
		for (size_t i = 0; i < sizeof text; i++)
			text[i] = i < f->payload.len && f->payload.data[i] >= 0x20 && f->payload.data[i] < 0x7f ? (char)f->payload.data[i] : 0;
		text[sizeof text - 1] = 0;
		ent_conn_close(c, text[0] ? text : "the peer said goodbye");
		return false;
	case ENT_FRAME_MESSAGE:
	case ENT_FRAME_PING:
	case ENT_FRAME_PONG:
		break;
	}
	if (c->state != ENT_CONN_LIVE) {
		ent_conn_close(c, "the peer did not say hello first");
		return false;
	}
	if (f->kind == ENT_FRAME_MESSAGE && !ent_mesh_happened(c->mesh, ENT_MESH_MESSAGE, c->org, "", f->payload)) {
		ent_conn_close(c, "out of memory, a message was lost"); /* down and up again: both sides send what matters anew */
		return false;
	}
	ent_mesh_spoke(c, f);
	if (f->kind == ENT_FRAME_PING && f->payload.len <= 8 && c->out.len - c->out_at < ENT_CONN_PONG_OUT_MAX)
		ent_conn_send(c, ENT_FRAME_PONG, f->payload);
	return true;
}

/* A first frame may carry no more than a hello: who has not introduced itself gets little memory. */
static int frames(struct ent_conn *c, struct ent_err *err)
{
	while (ent_mesh_may_speak(c)) {
		struct ent_frame f;
		int code = ent_frame_parser_next(&c->parser, &f, err);
		if (code == ENT_EAGAIN)
			return 0;
		if (code)
			return code;
		if (!take(c, &f))
			return 0;
	}
	return 0;
}

static void receive(struct ent_conn *c)
{
	static _Thread_local uint8_t buf[65536];
	struct ent_err err = ENT_ERR_INIT;
	if (frames(c, &err)) { /* what came before it was held goes first */
		close_err(c, &err);
		return;
	}
	c->more = true;
	for (int turn = 0; turn < 64 && !c->held && (c->state == ENT_CONN_LIVE || c->state == ENT_CONN_GREETING); turn++) {
		size_t n = 0;
		int want, code = ent_tls_read(c->tls, buf, c->state == ENT_CONN_LIVE ? sizeof buf : 1024, &n, &want, &err);
		if (code == ENT_EAGAIN) {
			c->more = false;
			break;
		}
		if (!code) {
			c->heard_ms = ent_mesh_now_ms();
			code = ent_frame_parser_put(&c->parser, ent_bytes(buf, n), &err);
		}
		if (!code)
			code = frames(c, &err);
		if (code) {
			if (code == ENT_EDENIED)
				ent_mesh_refused(c->mesh, c, &err);
			close_err(c, &err);
			break;
		}
		if (c->state == ENT_CONN_GREETING && c->parser.buf.len > 2048)
			ent_conn_close(c, "the peer's hello is too long");
	}
	c->more = c->more && !c->held && (c->state == ENT_CONN_LIVE || c->state == ENT_CONN_GREETING);
}

void ent_conn_step(struct ent_conn *c, short revents)
{
	switch (c->state) {
	case ENT_CONN_CONNECTING:
		if (revents)
			connected(c);
		return;
	case ENT_CONN_SHAKING:
		shake(c);
		return;
	case ENT_CONN_GREETING:
	case ENT_CONN_LIVE:
		receive(c);
		if (c->state == ENT_CONN_LIVE || c->state == ENT_CONN_GREETING)
			ent_conn_push(c);
		return;
	case ENT_CONN_PARKED:
		if (revents & (POLLRDHUP | POLLHUP | POLLERR))
			ent_conn_close(c, "the peer gave up waiting for the job link");
		return;
	case ENT_CONN_CLOSING:
		return;
	}
}
