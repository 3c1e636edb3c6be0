/* The mesh: connections that keep order, break, and come back; cuts, behind which messages wait until the cut heals or the connection
 * breaks. A message never overtakes another one of the same connection and never survives it: what TLS over TCP gives. */
#include "sim/world.h"

struct sim_link *sim_link(struct sim_world *w, int a, int b) { return a < b ? &w->links[a][b] : &w->links[b][a]; }

static int end_of(int self, int other) { return self < other ? 0 : 1; }

bool sim_reachable(struct sim_world *w, int a, int b) { return sim_up(&w->nodes[a]) && sim_up(&w->nodes[b]) && !sim_link(w, a, b)->cut; }

static struct sim_message *take(struct sim_way *way)
{
	struct sim_message *m = way->first;
	if (m) {
		way->first = m->next;
		if (!m->next)
			way->end = &way->first;
	}
	return m;
}

static void message_free(struct sim_message *m)
{
	if (m)
		ent_buf_deinit(&m->bytes);
	free(m);
}

static void clear(struct sim_way *way)
{
	for (struct sim_message *m; (m = take(way));)
		message_free(m);
}

void sim_net_free(struct sim_world *w)
{
	for (int i = 0; i < w->n; i++)
		for (int k = i + 1; k < w->n; k++)
			for (int d = 0; d < 2; d++) {
				struct sim_way *way = &w->links[i][k].ways[d];
				clear(way);
				for (unsigned o = 0; o < ENT_COUNT(way->old); o++)
					ent_buf_deinit(&way->old[o]);
			}
}

/* ---- messages ---- */

static void arrive(struct sim_world *w, struct sim_event *e)
{
	struct sim_link *l = sim_link(w, e->node, e->peer);
	struct sim_way *way = &l->ways[end_of(e->peer, e->node)];
	if (l->session != e->a || l->cut)
		return; /* lost, or flushed when the cut heals */
	struct sim_message *m = take(way);
	if (m && l->told[end_of(e->node, e->peer)] == e->a)
		sim_deliver(w, e->peer, e->node, ent_buf_bytes(&m->bytes));
	message_free(m);
}

static void plan(struct sim_world *w, int from, int to, uint64_t session)
{
	struct sim_way *way = &sim_link(w, from, to)->ways[end_of(from, to)];
	uint64_t at = w->now + 1 + sim_draw(w, 2 * w->delay_ms);
	way->last_at = at > way->last_at ? at : way->last_at;
	struct sim_event *e = sim_at_node(&w->nodes[to], way->last_at - w->now, "message", arrive);
	e->peer = from;
	e->a = session;
}

static int mesh_send(struct ent_mesh *m, const char *org, struct ent_bytes message, struct ent_err *err)
{
	struct sim_node *s = ((struct sim_face *)(void *)m)->node, *to = sim_by_org(s->w, org);
	if (sim_dead(s) || !to)
		return ent_fail(err, ENT_EPEER, "no link to %s", org);
	struct sim_link *l = sim_link(s->w, s->index, to->index);
	uint64_t session = l->told[end_of(s->index, to->index)];
	sim_saw_message(s, message); /* what was said was said, heard or not */
	if (!session)
		return ent_fail(err, ENT_EPEER, "no link to %s", org);
	if (session != l->session)
		return 0; /* into a connection whose end nobody told us yet */
	struct sim_message *copy = calloc(1, sizeof *copy);
	struct sim_way *way = &l->ways[end_of(s->index, to->index)];
	ENT_ASSERT(copy);
	copy->bytes = (struct ent_buf)ENT_BUF(ENT_MESH_BYTES_MAX + 1);
	ent_buf_put(&copy->bytes, message.data, message.len);
	*way->end = copy;
	way->end = &copy->next;
	plan(s->w, s->index, to->index, session);
	return 0;
}

static bool mesh_up(struct ent_mesh *m, const char *org)
{
	struct sim_node *s = ((struct sim_face *)(void *)m)->node, *to = sim_by_org(s->w, org);
	return to && sim_link(s->w, s->index, to->index)->told[end_of(s->index, to->index)] != 0;
}

static int mesh_job_link(struct ent_mesh *m, const char *org, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err)
{
	(void)m;
	(void)name;
	(void)timeout_ms;
	(void)ret;
	return ent_fail(err, ENT_EUNSUPPORTED, "the model of a runner needs no bulk link to %s", org);
}

const struct ent_mesh_ops sim_mesh_ops = { mesh_send, mesh_up, mesh_job_link };

/* ---- connections ---- */

static void note_lost(struct sim_world *w, struct sim_link *l)
{
	bool whole = l->session && !l->cut;
	if (whole)
		l->lost_since = 0;
	else if (!l->lost_since)
		l->lost_since = w->now ? w->now : 1;
}

static void tell_up(struct sim_world *w, struct sim_event *e)
{
	struct sim_link *l = sim_link(w, e->node, e->peer);
	if (l->session != e->a)
		return;
	l->told[end_of(e->node, e->peer)] = e->a;
	ent_node_peer_up(w->nodes[e->node].node, w->nodes[e->peer].org);
}

static void tell_down(struct sim_world *w, struct sim_event *e)
{
	struct sim_link *l = sim_link(w, e->node, e->peer);
	uint64_t *told = &l->told[end_of(e->node, e->peer)];
	if (*told != e->a)
		return;
	*told = 0;
	ent_node_peer_down(w->nodes[e->node].node, w->nodes[e->peer].org);
}

static void plan_down(struct sim_world *w, int at, int peer, uint64_t session, uint64_t delay)
{
	if (!session || !sim_up(&w->nodes[at]))
		return;
	struct sim_event *e = sim_at_node(&w->nodes[at], delay, "down", tell_down);
	e->peer = peer;
	e->a = session;
}

static void plan_up(struct sim_world *w, int at, int peer, uint64_t session)
{
	struct sim_link *l = sim_link(w, at, peer);
	uint64_t delay = 2 + sim_draw(w, 20);
	plan_down(w, at, peer, l->told[end_of(at, peer)], 1); /* a new connection ends the old one */
	struct sim_event *e = sim_at_node(&w->nodes[at], delay, "up", tell_up);
	e->peer = peer;
	e->a = session;
	l->ways[end_of(peer, at)].last_at = w->now + delay + 1;
}

/* With the key that the other one holds now. */
static bool trusts(const struct sim_node *a, const struct sim_node *b)
{
	return a->pinned[b->index] && !memcmp(a->pinned_tls[b->index], b->card.keys[ENT_KEY_TLS], 32);
}

static void dial(struct sim_world *w, struct sim_event *e)
{
	struct sim_link *l = sim_link(w, e->node, e->peer);
	struct sim_node *a = &w->nodes[e->node], *b = &w->nodes[e->peer];
	if (l->session)
		return;
	if (!sim_reachable(w, e->node, e->peer) || !trusts(a, b) || !trusts(b, a)) {
		sim_link_dial(w, e->node, e->peer, 200 + sim_draw(w, 600));
		return;
	}
	l->session = w->next_session++;
	note_lost(w, l);
	plan_up(w, e->node, e->peer, l->session);
	plan_up(w, e->peer, e->node, l->session);
}

/* Each life of a node dials for itself; whoever comes first connects. */
void sim_link_dial(struct sim_world *w, int a, int b, uint64_t delay_ms) { sim_at_node(&w->nodes[a], delay_ms, "dial", dial)->peer = b; }

static uint64_t notice(struct sim_world *w, bool silent) { return silent ? 15000 + sim_draw(w, 5000) : 1 + sim_draw(w, 60); }

void sim_link_break(struct sim_world *w, int a, int b, bool silent)
{
	struct sim_link *l = sim_link(w, a, b);
	clear(&l->ways[0]);
	clear(&l->ways[1]);
	l->session = 0;
	note_lost(w, l);
	for (int end = 0; end < 2; end++) {
		int at = end ? b : a, peer = end ? a : b;
		if (!sim_up(&w->nodes[at])) {
			l->told[end_of(at, peer)] = 0;
			continue;
		}
		plan_down(w, at, peer, l->told[end_of(at, peer)], notice(w, silent));
		sim_link_dial(w, at, peer, 100 + sim_draw(w, 500));
	}
}

static void flush(struct sim_world *w, int from, int to)
{
	struct sim_link *l = sim_link(w, from, to);
	struct sim_way *way = &l->ways[end_of(from, to)];
	for (struct sim_message *m = way->first; m; m = m->next)
		plan(w, from, to, l->session);
}

/* TCP gives up some time after nothing passes any more. */
static void give_up(struct sim_world *w, struct sim_event *e)
{
	struct sim_link *l = sim_link(w, (int)e->a, e->peer);
	if (l->session == e->b && l->cut)
		sim_link_break(w, (int)e->a, e->peer, false);
}

/* Events that were planned before the cut fire during it and do nothing; after it every waiting message is planned anew. */
void sim_link_cut(struct sim_world *w, int a, int b, bool cut)
{
	struct sim_link *l = sim_link(w, a, b);
	if (l->cut == cut)
		return;
	sim_say(w, "%s - %s: %s", w->nodes[a].org, w->nodes[b].org, cut ? "cut" : "healed");
	l->cut = cut;
	note_lost(w, l);
	if (!cut) {
		flush(w, a, b);
		flush(w, b, a);
		return;
	}
	struct sim_event *e = sim_at(w, 100 + sim_draw(w, 20000), "give up", give_up);
	e->peer = b;
	e->a = (uint64_t)a;
	e->b = l->session;
	sim_saw_lost(w, a, b);
}
