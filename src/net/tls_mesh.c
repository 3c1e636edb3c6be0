/* The net thread: accepts, dials, steps connections, keeps time, and delivers events with the lock given back. */
#include "net/tls_mesh.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/secret.h"
#include "net/address.h"
#include "net/mesh_inner.h"

#define TICK_MS 200
#define FDS_FIRST 16
#define YIELD_MS 300 /* how long the larger name waits for the smaller to dial */
#define REFUSAL_AGAIN_MS 60000

static struct ent_tls_mesh *of(struct ent_mesh *m) { return (struct ent_tls_mesh *)m; }

uint64_t ent_mesh_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void ent_mesh_wake(struct ent_tls_mesh *m) { (void)!write(m->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t)); }

struct ent_peer *ent_mesh_peer(struct ent_tls_mesh *m, const char *org)
{
	for (size_t i = 0; i < m->peers_count; i++)
		if (!strcmp(m->peers[i].pin.org, org))
			return &m->peers[i];
	return NULL;
}

const struct ent_mesh_pin *ent_mesh_pin_by_key(struct ent_tls_mesh *m, const uint8_t key[ENT_SIGN_KEY_LEN])
{
	for (size_t i = 0; i < m->peers_count; i++)
		if (ent_const_eq(m->peers[i].pin.tls_key, key, ENT_SIGN_KEY_LEN))
			return &m->peers[i].pin;
	return NULL;
}

struct ent_mesh_happening *ent_mesh_happening_new(enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes)
{
	struct ent_mesh_happening *h = malloc(sizeof *h + bytes.len);
	if (!h)
		return NULL;
	h->next = NULL;
	h->event = event;
	h->len = bytes.len;
	snprintf(h->org, sizeof h->org, "%s", org);
	snprintf(h->text, sizeof h->text, "%s", text);
	if (bytes.len)
		memcpy(h->bytes, bytes.data, bytes.len);
	return h;
}

void ent_mesh_tell(struct ent_tls_mesh *m, struct ent_mesh_happening *h)
{
	if (m->last)
		m->last->next = h;
	else
		m->first = h;
	m->last = h;
}

bool ent_mesh_happened(struct ent_tls_mesh *m, enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes)
{
	struct ent_mesh_happening *h = ent_mesh_happening_new(event, org, text, bytes);
	if (h)
		ent_mesh_tell(m, h);
	return h;
}

static bool refusal_fresh(struct ent_tls_mesh *m, const char *org, const char *text)
{
	static const uint8_t key[16];
	char both[500];
	uint64_t now = ent_mesh_now_ms();
	int n = snprintf(both, sizeof both, "%s %s", org, text);
	uint64_t hash = ent_siphash(key, both, (size_t)(n < (int)sizeof both ? n : (int)sizeof both - 1));
	struct ent_refusal_seen *oldest = &m->refusals[m->refusals_at];
	for (size_t i = 0; i < ENT_COUNT(m->refusals); i++)
		if (m->refusals[i].at_ms && m->refusals[i].hash == hash && now - m->refusals[i].at_ms < REFUSAL_AGAIN_MS)
			return false;
	if (oldest->at_ms && now - oldest->at_ms < REFUSAL_AGAIN_MS) /* more kinds of refusals a minute than we remember: a flood */
		return false;
	*oldest = (struct ent_refusal_seen){ hash, now };
	m->refusals_at = (m->refusals_at + 1) % ENT_COUNT(m->refusals);
	return true;
}

void ent_mesh_refused(struct ent_tls_mesh *m, const struct ent_conn *c, const struct ent_err *why)
{
	char text[400], key[2 * ENT_SIGN_KEY_LEN + 1] = "none", host[64];
	const char *org = c->org[0] ? c->org : c->hello.org;
	snprintf(host, sizeof host, "%s", c->address);
	char *colon = c->dialled ? NULL : strrchr(host, ':'); /* a caller's port says nothing */
	if (colon)
		*colon = 0;
	if (c->seen_key)
		ent_hex(key, c->key, sizeof c->key);
	snprintf(text, sizeof text, "%.220s (%s, key %s)", why->what, host, key);
	if (refusal_fresh(m, org, text))
		ent_mesh_happened(m, ENT_MESH_REFUSED, org, text, ent_bytes(c->key, c->seen_key ? sizeof c->key : 0));
}

/* Of two connections to one running peer, the one dialled by the smaller name stays; a second dial by the same side means that side gave up the
 * first. */
static bool replaces(const struct ent_tls_mesh *m, const struct ent_conn *now, const struct ent_conn *old)
{
	if (old->hello.nonce != now->hello.nonce || old->dialled == now->dialled)
		return true;
	return now->dialled == (strcmp(m->org, now->org) < 0);
}

static void parked(struct ent_conn *c)
{
	size_t all = 0, same = 0;
	for (const struct ent_conn *o = c->mesh->conns; o; o = o->next)
		if (o->state == ENT_CONN_PARKED) {
			all++;
			same += !strcmp(o->org, c->org);
		}
	if (all > ENT_CONN_PARKED_MAX || same > ENT_CONN_PARKED_PER_PEER_MAX) {
		ent_conn_send(c, ENT_FRAME_BYE, ent_bytes_str("too many job links wait here"));
		ent_conn_push(c);
		ent_conn_close(c, "too many unclaimed job links");
	}
}

void ent_mesh_arrived(struct ent_conn *c)
{
	struct ent_tls_mesh *m = c->mesh;
	struct ent_peer *p = ent_mesh_peer(m, c->org);
	if (!p) {
		ent_conn_close(c, "no longer trusted");
		return;
	}
	pthread_cond_broadcast(&m->changed);
	if (c->state == ENT_CONN_PARKED) {
		parked(c);
		return;
	}
	if (p->live && !replaces(m, c, p->live)) {
		ent_conn_close(c, "a second connection");
		return;
	}
	c->up = ent_mesh_happening_new(ENT_MESH_UP, c->org, c->hello.software, ent_bytes(NULL, 0));
	c->down = ent_mesh_happening_new(ENT_MESH_DOWN, c->org, "", ent_bytes(NULL, 0));
	if (!c->up || !c->down) {
		ent_conn_close(c, "out of memory");
		return;
	}
	if (p->live)
		ent_conn_close(p->live, "replaced by a newer connection");
	if (p->dialling == c)
		p->dialling = NULL;
	p->live = c;
	p->trouble[0] = 0;
	p->pause_ms = 0;
	ent_mesh_peer_clear(p); /* the next dial looks the name up anew */
	ent_mesh_tell(m, c->up);
	c->up = NULL;
}

static void accept_all(struct ent_tls_mesh *m)
{
	for (int i = 0; i < 16; i++) {
		int fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		size_t strangers = 0;
		if (fd < 0)
			return;
		for (const struct ent_conn *c = m->conns; c; c = c->next)
			strangers += !c->dialled && (c->state == ENT_CONN_SHAKING || c->state == ENT_CONN_GREETING);
		if (strangers >= ENT_CONN_STRANGERS_MAX) {
			close(fd);
			continue;
		}
		ent_address_tune(fd);
		ent_conn_new(m, fd, false, "");
	}
}

static void keep_alive(struct ent_conn *c, uint64_t now)
{
	const struct ent_mesh_options *o = &c->mesh->options;
#ifdef ENT_MUTANT_SILENCE_IGNORED
	c->heard_ms = now;
#endif
	if (c->held) /* it may speak, we do not listen */
		c->heard_ms = now;
	if (now - c->heard_ms >= o->silence_ms) {
		char why[80];
		snprintf(why, sizeof why, "silent for %u ms", o->silence_ms);
		ent_link_group_kill(c->mesh->group, c->org, "the peer fell silent");
		ent_conn_close(c, why);
	} else if (now - c->pinged_ms >= o->ping_ms) {
		c->pinged_ms = now;
		ent_conn_send(c, ENT_FRAME_PING, ent_bytes(&now, sizeof now));
		ent_conn_push(c);
	}
}

static void look_after(struct ent_conn *c, uint64_t now)
{
	switch (c->state) {
	case ENT_CONN_CONNECTING:
	case ENT_CONN_SHAKING:
	case ENT_CONN_GREETING:
		if (now - c->born_ms >= ENT_CONN_SETUP_MS)
			ent_conn_close(c, "no answer in time");
		return;
	case ENT_CONN_PARKED:
		if (now - c->born_ms >= ENT_CONN_PARK_MS)
			ent_conn_close(c, "nobody claimed the job link");
		return;
	case ENT_CONN_LIVE:
		c->more = c->more || (c->held && ent_mesh_may_speak(c));
		keep_alive(c, now);
		return;
	case ENT_CONN_CLOSING:
		return;
	}
}

static void sweep(struct ent_tls_mesh *m)
{
	for (struct ent_conn **at = &m->conns; *at;) {
		struct ent_conn *c = *at;
		if (c->state != ENT_CONN_CLOSING) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		ent_conn_free(c);
	}
}

/* Room for n descriptors; false when memory is short: then those that fit are polled and the others wait a tick. */
static bool room(struct pollfd **fds, size_t *cap, size_t n)
{
	if (n <= *cap)
		return true;
	struct pollfd *more = realloc(*fds, 2 * n * sizeof **fds);
	if (!more)
		return false;
	*fds = more;
	*cap = 2 * n;
	return true;
}

/* Polls with the lock given back; a connection that was taken over meanwhile is simply no longer in the list. */
static void poll_once(struct ent_tls_mesh *m, struct pollfd **fds, size_t *cap)
{
	size_t n = 2;
	int timeout_ms = TICK_MS;
	(*fds)[0] = (struct pollfd){ m->wake_fd, POLLIN, 0 };
	(*fds)[1] = (struct pollfd){ m->listen_fd, POLLIN, 0 };
	for (struct ent_conn *c = m->conns; c; c = c->next) {
		c->poll_at = room(fds, cap, n + 1) ? (int)n : -1;
		if (c->poll_at < 0)
			continue;
		(*fds)[n++] = (struct pollfd){ c->events ? c->fd : -1, c->events, 0 }; /* a held one would only report its end, for ever */
		timeout_ms = c->more ? 0 : timeout_ms;
	}
	pthread_mutex_unlock(&m->lock);
	poll(*fds, n, timeout_ms);
	pthread_mutex_lock(&m->lock);
	if ((*fds)[0].revents)
		(void)!read(m->wake_fd, &(uint64_t){ 0 }, sizeof(uint64_t));
	if ((*fds)[1].revents)
		accept_all(m);
	for (struct ent_conn *c = m->conns; c; c = c->next)
		if (c->poll_at >= 0 && ((*fds)[c->poll_at].revents || c->more))
			ent_conn_step(c, (*fds)[c->poll_at].revents);
}

static void deliver(struct ent_tls_mesh *m)
{
	while (m->first) {
		struct ent_mesh_happening *h = m->first;
		pthread_mutex_unlock(&m->lock);
		int later = m->options.event(m->options.arg, h->event, h->org, h->text, ent_bytes(h->bytes, h->len));
		pthread_mutex_lock(&m->lock);
		if (later)
			return;
		m->first = h->next;
		if (!m->first)
			m->last = NULL;
		free(h);
	}
}

static void *net_main(void *mesh)
{
	struct ent_tls_mesh *m = mesh;
	struct pollfd *fds = m->fds;
	size_t cap = FDS_FIRST;
	m->fds = NULL;
	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		uint64_t now = ent_mesh_now_ms();
		for (struct ent_conn *c = m->conns; c; c = c->next)
			look_after(c, now);
		ent_mesh_dial_due(m, now);
		sweep(m);
		deliver(m);
		if (!m->stop)
			poll_once(m, &fds, &cap);
	}
	for (struct ent_conn *c = m->conns; c; c = c->next)
		ent_conn_close(c, "the node is stopping");
	sweep(m);
	pthread_mutex_unlock(&m->lock);
	free(fds);
	return NULL;
}

static int mesh_send(struct ent_mesh *mesh, const char *org, struct ent_bytes message, struct ent_err *err)
{
	struct ent_tls_mesh *m = of(mesh);
	int code = 0;
	if (message.len > ENT_MESH_BYTES_MAX)
		return ent_fail(err, ENT_EINTERNAL, "a control message of %zu bytes; at most %u are allowed", message.len, ENT_MESH_BYTES_MAX);
	pthread_mutex_lock(&m->lock);
	struct ent_peer *p = ent_mesh_peer(m, org);
	struct ent_conn *c = p ? p->live : NULL;
	if (!c)
		code = ent_fail(err, ENT_EPEER, "%s is not connected", org);
	else if (c->out.len - c->out_at + message.len + ENT_FRAME_HEAD > ENT_CONN_OUT_MAX / 2)
		code = ent_fail(err, ENT_EPEER, "%s does not read what we send", org);
	if (!code) {
		ent_conn_send(c, ENT_FRAME_MESSAGE, message);
		code = ent_buf_check(&c->out, err);
	}
	if (!code) {
		ent_conn_push(c);
		if (c->state != ENT_CONN_LIVE || c->out.len)
			ent_mesh_wake(m);
	}
	pthread_mutex_unlock(&m->lock);
	return code;
}

static bool mesh_up(struct ent_mesh *mesh, const char *org)
{
	struct ent_tls_mesh *m = of(mesh);
	pthread_mutex_lock(&m->lock);
	const struct ent_peer *p = ent_mesh_peer(m, org);
	bool up = p && p->live;
	pthread_mutex_unlock(&m->lock);
	return up;
}

static void mesh_trouble(struct ent_mesh *mesh, const char *org, char *ret, size_t size)
{
	struct ent_tls_mesh *m = of(mesh);
	pthread_mutex_lock(&m->lock);
	const struct ent_peer *p = ent_mesh_peer(m, org);
	snprintf(ret, size, "%s", p && !p->live ? p->trouble : "");
	pthread_mutex_unlock(&m->lock);
}

static const struct ent_mesh_ops ops = { mesh_send, mesh_up, ent_mesh_job_link, mesh_trouble };

void ent_mesh_unref_locked(struct ent_tls_mesh *m)
{
	int left = --m->refs;
	pthread_mutex_unlock(&m->lock);
	if (left)
		return;
	for (size_t i = 0; i < m->peers_count; i++)
		ent_mesh_peer_clear(&m->peers[i]);
	free(m->peers);
	pthread_cond_destroy(&m->changed);
	pthread_cond_destroy(&m->resolve);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* Everything but the memory the resolver may still look at. */
static void release(struct ent_tls_mesh *m)
{
	while (m->first) {
		struct ent_mesh_happening *h = m->first;
		m->first = h->next;
		free(h);
	}
	free(m->fds);
	ent_link_group_free(m->group);
	ent_tls_identity_free(m->identity);
	if (m->listen_fd >= 0)
		close(m->listen_fd);
	if (m->wake_fd >= 0)
		close(m->wake_fd);
	m->wake_fd = -1;
	pthread_mutex_lock(&m->lock);
	ent_mesh_unref_locked(m);
}

static void defaults(struct ent_mesh_options *o)
{
	o->ping_ms = o->ping_ms ? o->ping_ms : 2000;
	o->silence_ms = o->silence_ms ? o->silence_ms : 7500;
	o->redial_max_ms = o->redial_max_ms ? o->redial_max_ms : 5000;
	o->inbox_messages_max = o->inbox_messages_max ? o->inbox_messages_max : 512;
	o->inbox_bytes_max = o->inbox_bytes_max ? o->inbox_bytes_max : (size_t)8 << 20;
	o->frames_per_s = o->frames_per_s ? o->frames_per_s : 2000;
	o->link_bytes_max = o->link_bytes_max ? o->link_bytes_max : (size_t)4 << 30;
}

static int setup(struct ent_tls_mesh *m, const struct ent_mesh_options *o, struct ent_err *err)
{
	m->group = ent_link_group_new();
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->fds = ent_alloc(FDS_FIRST, sizeof *m->fds);
	if (!m->group || !m->fds || m->wake_fd < 0)
		return ent_nomem(err);
	if (getrandom(&m->nonce, sizeof m->nonce, 0) != (ssize_t)sizeof m->nonce)
		return ent_fail(err, ENT_EIO, "no randomness from the operating system");
	ENT_TRY(ent_tls_identity_new(o->org, o->tls_secret, &m->identity, err));
	return o->listen ? ent_address_listen(o->listen, &m->listen_fd, &m->port, err) : 0;
}

static int threads_start(struct ent_tls_mesh *m, struct ent_err *err)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int e = ent_mesh_resolver_start(m);
	if (!e)
		e = pthread_create(&m->thread, NULL, net_main, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!e)
		return 0;
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_broadcast(&m->resolve);
	pthread_mutex_unlock(&m->lock);
	return ent_fail(err, ENT_ENOMEM, "could not start the net thread: %s", strerror(e));
}

int ent_tls_mesh_new(const struct ent_mesh_options *options, struct ent_mesh **ret, struct ent_err *err)
{
	struct ent_tls_mesh *m = ent_alloc(1, sizeof *m);
	pthread_condattr_t attr;
	if (!m)
		return ent_nomem(err);
	*m = (struct ent_tls_mesh){ .mesh.ops = &ops, .options = *options, .wake_fd = -1, .listen_fd = -1, .refs = 1 };
	ent_wipe(m->options.tls_secret, sizeof m->options.tls_secret);
	defaults(&m->options);
	snprintf(m->org, sizeof m->org, "%s", options->org);
	snprintf(m->software, sizeof m->software, "%s", options->software ? options->software : "entente");
	m->options.org = m->options.software = m->options.listen = NULL;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->changed, &attr);
	pthread_cond_init(&m->resolve, NULL);
	pthread_condattr_destroy(&attr);
	int code = setup(m, options, err);
	if (!code)
		code = threads_start(m, err);
	if (code) {
		release(m);
		return code;
	}
	*ret = &m->mesh;
	return 0;
}

void ent_tls_mesh_free(struct ent_mesh *mesh)
{
	struct ent_tls_mesh *m = of(mesh);
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_broadcast(&m->changed);
	pthread_cond_broadcast(&m->resolve);
	pthread_mutex_unlock(&m->lock);
	ent_mesh_wake(m);
	pthread_join(m->thread, NULL);
	release(m);
}

/* Keeps what is still right; what is not gets closed. */
static void peer_adopt(struct ent_tls_mesh *m, struct ent_peer *p, const struct ent_mesh_pin *pin)
{
	struct ent_peer *old = ent_mesh_peer(m, pin->org);
	bool same_key = old && !memcmp(old->pin.tls_key, pin->tls_key, ENT_SIGN_KEY_LEN);
	*p = (struct ent_peer){ .pin = *pin };
	p->dial_at_ms = ent_mesh_now_ms() + (strcmp(m->org, pin->org) < 0 ? 0 : YIELD_MS);
	if (old) {
		p->waiting = old->waiting;
		p->waiting_bytes = old->waiting_bytes;
		p->frames_left = old->frames_left;
		p->frames_ms = old->frames_ms;
		p->held_told_ms = old->held_told_ms;
	}
	if (!same_key)
		return;
	memcpy(p->trouble, old->trouble, sizeof p->trouble);
	p->live = old->live;
	p->dialling = old->dialling;
	old->live = old->dialling = NULL;
	if (strcmp(old->pin.address, pin->address) != 0)
		return;
	p->found = old->found;
	p->tried = old->tried;
	p->asked = old->asked;
	p->pause_ms = old->pause_ms;
	p->dial_at_ms = old->dial_at_ms;
	old->found = old->tried = NULL;
}

static void untrust(struct ent_tls_mesh *m)
{
#ifdef ENT_MUTANT_UNTRUST_LATER
	return;
#endif
	for (struct ent_conn *c = m->conns; c; c = c->next) {
		const struct ent_mesh_pin *pin = c->seen_key ? ent_mesh_pin_by_key(m, c->key) : NULL;
		if (c->seen_key && (!pin || strcmp(pin->org, c->org) != 0)) {
			ent_link_group_kill(m->group, c->org, "the peer is no longer trusted with this key");
			ent_conn_close(c, "no longer trusted with this key");
		}
	}
}

int ent_tls_mesh_pins(struct ent_mesh *mesh, const struct ent_mesh_pin *pins, size_t n, struct ent_err *err)
{
	struct ent_tls_mesh *m = of(mesh);
	struct ent_peer *peers = ent_alloc(n, sizeof *peers), *old;
	if (!peers)
		return ent_nomem(err);
	pthread_mutex_lock(&m->lock);
	old = m->peers;
	size_t old_count = m->peers_count;
	for (size_t i = 0; i < n; i++)
		peer_adopt(m, &peers[i], &pins[i]);
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].live)
			ent_conn_close(old[i].live, "no longer trusted with this key");
		if (old[i].dialling)
			ent_conn_close(old[i].dialling, "no longer trusted with this key");
		ent_mesh_peer_clear(&old[i]);
	}
	m->peers = peers;
	m->peers_count = n;
	untrust(m);
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	free(old);
	ent_mesh_wake(m);
	return 0;
}

uint16_t ent_tls_mesh_port(const struct ent_mesh *m) { return ((const struct ent_tls_mesh *)m)->port; }
