/* Job links: rings where all send first, small frames, names, cancel, death, changed bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mesh_kit.h"
#include "net/tls_trio.h"
#include "os/system.h"
#include "tap.h"

static struct node n[3];
static struct node *all[] = { &n[0], &n[1], &n[2] };

static int open_link(int me, int peer, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err)
{
	return n[me].mesh->ops->job_link(n[me].mesh, n[peer].org, name, timeout_ms, ret, err);
}

struct party {
	int me;
	struct ent_link *next, *prev;
	size_t len;
	bool ok;
	double seconds;
};

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(uint8_t *p, size_t len, int who)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 65536 + (size_t)who * 31);
}

static void *connect_ring(void *arg)
{
	struct party *p = arg;
	int next = (p->me + 1) % 3, prev = (p->me + 2) % 3;
	const char *const names[] = { "ring01", "ring12", "ring20" };
	/* Not all in the same order: pairing must not depend on it. */
	if (p->me == 1)
		p->ok = !open_link(p->me, prev, names[prev], 5000, &p->prev, NULL) && !open_link(p->me, next, names[p->me], 5000, &p->next, NULL);
	else
		p->ok = !open_link(p->me, next, names[p->me], 5000, &p->next, NULL) && !open_link(p->me, prev, names[prev], 5000, &p->prev, NULL);
	return NULL;
}

/* Everybody sends everything to the next, then receives from the previous. */
static void *send_first(void *arg)
{
	struct party *p = arg;
	uint8_t *out = malloc(p->len), *in = calloc(1, p->len);
	fill(out, p->len, p->me);
	double start = now_s();
	p->ok = !p->next->ops->send(p->next, out, p->len, NULL) && !p->prev->ops->recv(p->prev, in, p->len, NULL);
	p->seconds = now_s() - start;
	fill(out, p->len, (p->me + 2) % 3);
	p->ok = p->ok && !memcmp(in, out, p->len);
	free(in);
	free(out);
	return NULL;
}

static void *small_rounds(void *arg)
{
	struct party *p = arg;
	uint8_t out[1000], in[1000];
	double start = now_s();
	p->ok = true;
	for (int r = 0; r < 500 && p->ok; r++) {
		fill(out, sizeof out, p->me + r);
		p->ok = !p->next->ops->send(p->next, out, sizeof out, NULL) && !p->prev->ops->recv(p->prev, in, sizeof in, NULL);
		fill(out, sizeof out, (p->me + 2) % 3 + r);
		p->ok = p->ok && !memcmp(in, out, sizeof in);
	}
	p->seconds = now_s() - start;
	return NULL;
}

static bool three(struct party p[3], void *(*fn)(void *))
{
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, fn, &p[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	return p[0].ok && p[1].ok && p[2].ok;
}

static void ring(void)
{
	struct party p[3] = { { .me = 0, .len = 32u << 20 }, { .me = 1, .len = 32u << 20 }, { .me = 2, .len = 32u << 20 } };
	if (!OK(three(p, connect_ring), "a ring of job links"))
		return;
	bool ok = three(p, send_first);
	OK(ok, "all send 32 MiB first, then receive (%.0f MB/s per party)", 33.5 / p[0].seconds);
	OK(p[0].next->bytes_sent == 32u << 20 && p[0].prev->bytes_received == 32u << 20 && p[0].next->messages_sent == 1, "counted");
	ok = three(p, small_rounds);
	OK(ok, "500 rounds of 1000 bytes (%.0f us each)", p[0].seconds / 500 * 1e6);
	for (int i = 0; i < 3; i++) {
		p[i].next->ops->free(p[i].next);
		p[i].prev->ops->free(p[i].prev);
	}
}

static void trio(void)
{
	struct ent_link *l[3][3];
	struct ent_err err = ENT_ERR_INIT;
	struct party p[3];
	if (!OK(!ent_tls_trio(l, &err), "three parties over TLS without a mesh: %s", err.why))
		return;
	for (int i = 0; i < 3; i++)
		p[i] = (struct party){ .me = i, .next = l[i][(i + 1) % 3], .prev = l[i][(i + 2) % 3], .len = 12u << 20 };
	OK(three(p, send_first), "they send first, then receive");
	OK(three(p, small_rounds), "and play rounds");
	for (int i = 0; i < 9; i++)
		if (l[i / 3][i % 3])
			l[i / 3][i % 3]->ops->free(l[i / 3][i % 3]);
}

struct ask {
	int me, peer;
	const char *name;
	struct ent_link *link;
	int code;
	struct ent_err err;
};

static void *ask_main(void *arg)
{
	struct ask *a = arg;
	a->err = (struct ent_err)ENT_ERR_INIT;
	a->code = open_link(a->me, a->peer, a->name, 5000, &a->link, &a->err);
	return NULL;
}

static bool pair(int a, int b, const char *name, struct ent_link *ret[2])
{
	struct ask asks[2] = { { .me = a, .peer = b, .name = name }, { .me = b, .peer = a, .name = name } };
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, ask_main, &asks[i]);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		ret[i] = asks[i].link;
	}
	return !asks[0].code && !asks[1].code;
}

static void names(void)
{
	struct ent_link *l[2], *one = NULL;
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(open_link(0, 1, "lonely", 300, &one, &err), ENT_EPEER, "nobody else asks for that name: %s", err.what);
	OK_INT(open_link(1, 0, "lonely-too", 300, &one, &err), ENT_EPEER, "nor from the other side");
	OK_INT(n[0].mesh->ops->job_link(n[0].mesh, "nobody", "x", 300, &one, &err), ENT_EDENIED, "not a member");
	struct ask late = { .me = 0, .peer = 1, .name = "late" };
	pthread_t t;
	pthread_create(&t, NULL, ask_main, &late);
	usleep(400000);
	OK(!open_link(1, 0, "late", 3000, &one, &err), "the other end may come later");
	pthread_join(t, NULL);
	OK_INT(late.code, 0);
	one->ops->free(one);
	late.link->ops->free(late.link);
	bool ok = true;
	for (int i = 0; i < 20 && ok; i++) {
		char name[20], c = 0;
		snprintf(name, sizeof name, "many%d", i);
		ok = pair(i % 3, (i + 1) % 3, name, l);
		ok = ok && !l[0]->ops->send(l[0], "q", 1, NULL) && !l[1]->ops->recv(l[1], &c, 1, NULL) && c == 'q';
		for (int k = 0; ok && k < 2; k++)
			l[k]->ops->free(l[k]);
	}
	OK(ok, "20 links one after the other");
}

static void *cancel_soon(void *link)
{
	usleep(50000);
	((struct ent_link *)link)->ops->cancel(link);
	return NULL;
}

static void ends(void)
{
	struct ent_link *l[2];
	struct ent_err err = ENT_ERR_INIT;
	pthread_t t;
	char c;
	if (!OK(pair(0, 1, "cancelled", l), "pair"))
		return;
	pthread_create(&t, NULL, cancel_soon, l[0]);
	OK_INT(l[0]->ops->recv(l[0], &c, 1, &err), ENT_ECANCELLED, "cancel wakes a waiting receiver");
	pthread_join(t, NULL);
	OK_INT(l[0]->ops->send(l[0], "x", 1, &err), ENT_ECANCELLED, "and lasts");
	OK_INT(l[1]->ops->recv(l[1], &c, 1, &err), ENT_EPEER, "the other end sees a dead peer: %s", err.why);
	for (int k = 0; k < 2; k++)
		l[k]->ops->free(l[k]);
	if (!OK(pair(1, 2, "closed", l), "pair"))
		return;
	l[0]->ops->send(l[0], "last", 4, NULL);
	l[0]->ops->free(l[0]);
	char word[4];
	OK(!l[1]->ops->recv(l[1], word, 4, &err) && !memcmp(word, "last", 4), "bytes of a closed end still arrive");
	OK_INT(l[1]->ops->recv(l[1], &c, 1, &err), ENT_EPEER, "then the end: %s", err.why);
	l[1]->ops->free(l[1]);
}

/* The cap: a peer cannot make us buffer without limit. */
static void *flood(void *link)
{
	struct ent_link *l = link;
	uint8_t *data = calloc(1, 8u << 20);
	for (int i = 0; i < 8; i++)
		if (l->ops->send(l, data, 8u << 20, NULL))
			break;
	free(data);
	return NULL;
}

static void capped(void)
{
	struct ent_link *a[2], *b[2];
	pthread_t t;
	char c;
	struct ent_err err = ENT_ERR_INIT;
	uint8_t *data = calloc(1, 8u << 20);
	if (!OK(pair(2, 0, "flooded", a) && pair(2, 1, "waits", b), "two links"))
		return;
	/* n[2] waits on one link while n[0] floods the other: it is drained up to the cap, then declared dead. */
	pthread_create(&t, NULL, flood, a[1]);
	pthread_t t2;
	pthread_create(&t2, NULL, cancel_soon, b[0]);
	usleep(1000);
	for (int i = 0; i < 2; i++)
		(void)b[0]->ops->recv(b[0], &c, 1, &err);
	pthread_join(t2, NULL);
	int code = 0;
	size_t got = 0;
	while (!code && got < 64u << 20) {
		code = a[0]->ops->recv(a[0], data, 65536, &err);
		got += code ? 0 : 65536;
	}
	OK(!code || code == ENT_ENOMEM, "a flood is either read in time or refused by name (%zu MiB read)", got >> 20);
	for (int k = 0; k < 2; k++)
		a[k]->ops->cancel(a[k]);
	pthread_join(t, NULL);
	for (int k = 0; k < 2; k++) {
		a[k]->ops->free(a[k]);
		b[k]->ops->free(b[k]);
	}
	free(data);
}

static void peer_dies(void)
{
	struct ent_link *l[2];
	struct ent_err err = ENT_ERR_INIT;
	char c;
	if (!OK(pair(0, 2, "orphan", l), "pair"))
		return;
	/* Trust withdrawn while a link is open. */
	struct ent_mesh_pin pin = pin_of(&n[1], 0);
	ENT_ASSERT(!ent_tls_mesh_pins(n[0].mesh, &pin, 1, NULL));
	OK_INT(l[0]->ops->recv(l[0], &c, 1, &err), ENT_EPEER, "links of a peer that is no longer trusted end: %s", err.why);
	for (int k = 0; k < 2; k++)
		l[k]->ops->free(l[k]);
}

/* Through a middle that flips one byte of the payload, or freezes. */
static void wire_faults(void)
{
	struct middle m;
	static struct node left, right;
	struct ent_link *l[2] = { NULL };
	struct ent_err err = ENT_ERR_INIT;
	uint8_t buf[5000] = { 0 };
	node_keys(&left, "left");
	node_keys(&right, "right");
	left.silence_ms = right.silence_ms = 3000;
	left.ping_ms = right.ping_ms = 100;
	node_start(&left, NULL);
	node_start(&right, "127.0.0.1:0");
	middle_start(&m, ent_tls_mesh_port(right.mesh));
	struct ent_mesh_pin pin = pin_of(&left, 0);
	ent_tls_mesh_pins(right.mesh, &pin, 1, NULL);
	pin = pin_of(&right, m.port);
	ent_tls_mesh_pins(left.mesh, &pin, 1, NULL);
	ENT_ASSERT(wait_up(&left, "right") && wait_up(&right, "left"));
	n[0].mesh = left.mesh;
	n[1].mesh = right.mesh;
	snprintf(n[0].org, 32, "left");
	snprintf(n[1].org, 32, "right");
	if (OK(pair(0, 1, "flip", l), "a link through a middle")) {
		OK(!l[0]->ops->send(l[0], buf, sizeof buf, &err) && !l[1]->ops->recv(l[1], buf, sizeof buf, &err), "sound at first");
		atomic_store(&m.flip_at, m.passed + 3000);
		l[0]->ops->send(l[0], buf, sizeof buf, &err);
		OK_INT(l[1]->ops->recv(l[1], buf, sizeof buf, &err), ENT_EPEER, "a flipped byte is an error, never data: %s", err.why);
		for (int k = 0; k < 2; k++)
			l[k]->ops->free(l[k]);
	}
	atomic_store(&m.flip_at, -1);
	ENT_ASSERT(wait_up(&left, "right") && wait_up(&right, "left"));
	if (OK(pair(0, 1, "freeze", l), "another")) {
		atomic_store(&m.frozen, true);
		OK_INT(l[1]->ops->recv(l[1], buf, 1, &err), ENT_EPEER, "a peer that fell silent ends its links: %s", err.why);
		atomic_store(&m.frozen, false);
		for (int k = 0; k < 2; k++)
			l[k]->ops->free(l[k]);
	}
	node_stop(&left);
	node_stop(&right);
	middle_stop(&m);
}

int main(void)
{
	static const char *const orgs[] = { "alpha", "bravo", "charlie" };
	for (int i = 0; i < 3; i++) {
		node_keys(&n[i], orgs[i]);
		n[i].link_bytes_max = i == 2 ? 40u << 20 : 0;
		node_start(&n[i], "127.0.0.1:0");
	}
	for (int i = 0; i < 3; i++)
		node_trust(&n[i], all, 3);
	for (int i = 0; i < 9; i++)
		ENT_ASSERT(i / 3 == i % 3 || wait_up(&n[i / 3], n[i % 3].org));
	ring();
	trio();
	names();
	ends();
	capped();
	peer_dies();
	for (int i = 0; i < 3; i++)
		node_stop(&n[i]);
	wire_faults();
	return tap_done();
}
