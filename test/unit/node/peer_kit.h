/* A node whose mesh keeps what was sent until a test delivers it, whose runner computes nothing, and whose HTTP goes nowhere. */
#ifndef ENT_TEST_PEER_KIT_H
#define ENT_TEST_PEER_KIT_H
#include "node_kit.h"
#include "tap.h"

struct peer { /* a node with a mesh that keeps what was sent */
	struct kit_node k;
	struct ent_mesh mesh;
	struct ent_http http;
	struct ent_runner runner;
	const char *org;
	struct peer *other;
	uint64_t probe;
	char job[17]; /* the run it was asked for last */
	struct ent_buf sent[64];
	size_t n_sent, n_told;
	char get_url[400]; /* the GET that waits for its answer */
	void (*get_done)(void *, const struct ent_http_answer *, const struct ent_err *);
	void *get_arg;
};

static struct peer *of_mesh(struct ent_mesh *m) { return (struct peer *)(void *)((char *)m - offsetof(struct peer, mesh)); }

static int keep(struct ent_mesh *m, const char *org, struct ent_bytes message, struct ent_err *err)
{
	struct peer *p = of_mesh(m);
	if (strcmp(org, p->other->org) != 0 || p->n_sent == ENT_COUNT(p->sent))
		return strcmp(org, p->other->org) ? ent_fail(err, ENT_EPEER, "down") : 0;
	p->sent[p->n_sent] = (struct ent_buf)ENT_BUF(ENT_MESH_BYTES_MAX);
	ent_buf_put(&p->sent[p->n_sent++], message.data, message.len);
	return 0;
}

static bool is_up(struct ent_mesh *m, const char *org) { return !strcmp(of_mesh(m)->other->org, org); }

static int no_link(struct ent_mesh *m, const char *org, const char *name, uint32_t ms, struct ent_link **ret, struct ent_err *err)
{
	(void)m, (void)org, (void)name, (void)ms, (void)ret;
	return ent_fail(err, ENT_EPEER, "no links here");
}

static const struct ent_mesh_ops mesh_ops = { keep, is_up, no_link, NULL };

/* Keeps the last GET; everything else finds nobody. */
static int peer_http(struct ent_http *h, const struct ent_http_request *r,
		     void (*done)(void *, const struct ent_http_answer *, const struct ent_err *), void *arg, struct ent_err *err)
{
	struct peer *p = (struct peer *)(void *)((char *)h - offsetof(struct peer, http));
	if (strcmp(r->method, "GET") != 0 || p->get_done)
		return ent_fail(err, ENT_EPEER, "no HTTP here");
	snprintf(p->get_url, sizeof p->get_url, "%s", r->url);
	p->get_done = done;
	p->get_arg = arg;
	return 0;
}

static int probe(struct ent_runner *r, const struct ent_probe *p, struct ent_err *err)
{
	(void)err;
	((struct peer *)(void *)((char *)r - offsetof(struct peer, runner)))->probe = p->id;
	return 0;
}

static int start(struct ent_runner *r, const struct ent_run_spec *spec, struct ent_err *err)
{
	struct peer *p = (struct peer *)(void *)((char *)r - offsetof(struct peer, runner));
	(void)err;
	snprintf(p->job, sizeof p->job, "%s", spec->job);
	return 0;
}

static void cancel(struct ent_runner *r, const char *job, uint32_t attempt) { (void)r, (void)job, (void)attempt; }

static const struct ent_runner_ops runner_ops = { probe, start, cancel };

__attribute__((unused)) static void pump(struct peer *a, struct peer *b, const char *but)
{
	struct peer *both[2] = { a, b };
	for (size_t moved = 1; moved;) {
		moved = 0;
		for (int i = 0; i < 2; i++) {
			struct peer *p = both[i];
			for (; p->n_told < p->n_sent; p->n_told++, moved++) {
				struct ent_bytes text = ent_buf_bytes(&p->sent[p->n_told]);
				if (!but || !strstr(ent_buf_text(&p->sent[p->n_told]), but))
					ent_node_peer_message(p->other->k.node, p->org, text);
			}
		}
	}
}

__attribute__((unused)) static void forget(struct peer *p)
{
	for (size_t i = 0; i < p->n_sent; i++)
		ent_buf_deinit(&p->sent[i]);
	p->n_sent = p->n_told = 0;
}

/* The last message of a type, or NULL. */
__attribute__((unused)) static const char *last(struct peer *p, const char *type)
{
	char want[64];
	snprintf(want, sizeof want, "\"type\":\"%s\"", type);
	for (size_t i = p->n_sent; i-- > 0;)
		if (strstr(ent_buf_text(&p->sent[i]), want))
			return ent_buf_text(&p->sent[i]);
	return NULL;
}

__attribute__((unused)) static void trust(struct peer *p, const char *card)
{
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(kit_ask(&p->k, "trust", json_pack("{s:[s]}", "cards", card), NULL, &err), 0, "%s trusts: %s", p->org, err.what);
}

__attribute__((unused)) static char *begin(struct peer *p, const char *org, uint64_t seed, struct peer *other)
{
	struct ent_err err = ENT_ERR_INIT;
	*p = (struct peer){ .mesh = { &mesh_ops }, .http = { peer_http }, .runner = { &runner_ops }, .org = org, .other = other };
	kit_init(&p->k, seed);
	return kit_home(&p->k, org, &err);
}

__attribute__((unused)) static void open_peer(struct peer *p)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_node_env env = kit_env(&p->k);
	env.mesh = &p->mesh;
	env.http = &p->http;
	env.runner = &p->runner;
	OK_INT(ent_node_open(&env, &p->k.node, &err), 0, "%s opens: %s", p->org, err.what);
}

#endif
