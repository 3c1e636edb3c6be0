/* Dialling: who, when, and where to. The org with the smaller name dials first, the other only when nothing came, so two connections are rare.
 * Names are looked up on a thread of their own, because getaddrinfo waits. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/address.h"
#include "net/mesh_inner.h"

#define PAUSE_FIRST_MS 100

void ent_mesh_peer_clear(struct ent_peer *p)
{
	if (p->found)
		freeaddrinfo(p->found);
	p->found = p->tried = NULL;
}

/* Spread between 75 % and 125 %, so that two nodes that lost each other do not dial in step. */
static uint32_t jittered(struct ent_tls_mesh *m, uint32_t ms)
{
	uint64_t x = (m->nonce ^ ent_mesh_now_ms()) * 0x9e3779b97f4a7c15u;
	return ms * 3 / 4 + (uint32_t)((x >> 33) % (ms / 2 + 1));
}

static void pause_dialling(struct ent_tls_mesh *m, struct ent_peer *p)
{
	uint32_t most = m->options.redial_max_ms;
	p->pause_ms = !p->pause_ms ? PAUSE_FIRST_MS : p->pause_ms > most / 2 ? most : 2 * p->pause_ms;
	p->dial_at_ms = ent_mesh_now_ms() + jittered(m, p->pause_ms);
}

void ent_mesh_dial_failed(struct ent_tls_mesh *m, const char *org)
{
	struct ent_peer *p = ent_mesh_peer(m, org);
	if (!p)
		return;
	if (p->tried && p->tried->ai_next) { /* the name has another address */
		p->dial_at_ms = ent_mesh_now_ms();
		return;
	}
	ent_mesh_peer_clear(p);
	pause_dialling(m, p);
}

static void dial(struct ent_tls_mesh *m, struct ent_peer *p)
{
	if (!p->found && ent_address_resolve(p->pin.address, true, &p->found, NULL)) {
		p->found = NULL;
		p->asked = true;
		pthread_cond_signal(&m->resolve);
		return;
	}
	p->tried = p->tried && p->tried->ai_next ? p->tried->ai_next : p->found;
	int fd = ent_address_connect(p->tried);
	struct ent_conn *c = fd < 0 ? NULL : ent_conn_new(m, fd, true, p->pin.org);
	if (c)
		p->dialling = c;
	else
		ent_mesh_dial_failed(m, p->pin.org);
}

void ent_mesh_dial_due(struct ent_tls_mesh *m, uint64_t now_ms)
{
	for (size_t i = 0; i < m->peers_count; i++) {
		struct ent_peer *p = &m->peers[i];
		if (!p->live && !p->dialling && !p->asked && p->pin.address[0] && now_ms >= p->dial_at_ms)
			dial(m, p);
	}
}

static struct ent_peer *asked(struct ent_tls_mesh *m)
{
	for (size_t i = 0; i < m->peers_count; i++)
		if (m->peers[i].asked)
			return &m->peers[i];
	return NULL;
}

static void answer(struct ent_tls_mesh *m, const struct ent_mesh_pin *pin, struct addrinfo *found, const struct ent_err *err)
{
	struct ent_peer *p = ent_mesh_peer(m, pin->org);
	if (m->stop || !p || !p->asked || strcmp(p->pin.address, pin->address) != 0) {
		if (found)
			freeaddrinfo(found);
		return;
	}
	p->asked = false;
	ent_mesh_peer_clear(p);
	p->found = found;
	if (!found) {
		snprintf(p->trouble, sizeof p->trouble, "%.100s: %.120s", pin->address, err->why);
		pause_dialling(m, p);
	}
	ent_mesh_wake(m);
}

static void *resolver_main(void *mesh)
{
	struct ent_tls_mesh *m = mesh;
	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		struct ent_peer *p = asked(m);
		if (!p) {
			pthread_cond_wait(&m->resolve, &m->lock);
			continue;
		}
		struct ent_mesh_pin pin = p->pin;
		struct addrinfo *found = NULL;
		struct ent_err err = ENT_ERR_INIT;
		pthread_mutex_unlock(&m->lock);
		if (ent_address_resolve(pin.address, false, &found, &err))
			found = NULL;
		pthread_mutex_lock(&m->lock);
		answer(m, &pin, found, &err);
	}
	ent_mesh_unref_locked(m);
	return NULL;
}

int ent_mesh_resolver_start(struct ent_tls_mesh *m)
{
	pthread_attr_t attr;
	pthread_t t;
	m->refs++;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int e = pthread_create(&t, &attr, resolver_main, m);
	pthread_attr_destroy(&attr);
	if (e)
		m->refs--;
	return e;
}
