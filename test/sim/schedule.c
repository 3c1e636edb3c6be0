/* What happens to the world: people ask, machines die, links break, disks fill, forgers forge; then all heals and nothing may stay open. */
#include "sim/checks.h"

#define CALM_MS 120000

static struct sim_node *any_up(struct sim_world *w)
{
	struct sim_node *s = &w->nodes[sim_draw(w, (uint64_t)w->n)];
	return sim_up(s) && s->busy_until <= w->now ? s : NULL;
}

/* ---- keeping the consortium together ---- */

static bool registered(struct sim_node *s)
{
	const struct sim_promises *l = &s->w->checks->promises[s->index];
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].type == ENT_ENTRY_REGISTER)
			return true;
	return false;
}

static bool knows_all(const struct sim_node *s)
{
	for (int i = 0; i < s->w->n; i++)
		if (i != s->index && !s->pinned[i])
			return false;
	return true;
}

static void upkeep(struct sim_world *w, struct sim_event *e)
{
	struct sim_node *s = &w->nodes[e->node];
	if (sim_up(s) && s->busy_until <= w->now) {
		if (!knows_all(s))
			sim_client_trust(s);
		if (!sim_dead(s) && !registered(s))
			sim_client_add(s);
		for (int slot = 0; slot < SIM_SLOTS - 1 && !sim_dead(s) && registered(s); slot++)
			if (sim_chance(w, 80))
				sim_client_grant(s, slot);
		sim_after_event(s);
	}
	if (!w->quiet)
		sim_at(w, 800 + sim_draw(w, 4000), "upkeep", upkeep)->node = s->index;
}

/* ---- mischief ---- */

static void heal_link(struct sim_world *w, struct sim_event *e) { sim_link_cut(w, (int)e->a, (int)e->b, false); }

static void cut(struct sim_world *w, int a, int b)
{
	sim_link_cut(w, a, b, true);
	struct sim_event *e = sim_at(w, 100 + sim_draw(w, sim_chance(w, 50) ? 3000 : 20000), "heal", heal_link);
	e->a = (uint64_t)a;
	e->b = (uint64_t)b;
}

static int other_than(struct sim_world *w, int a) { return (a + 1 + (int)sim_draw(w, (uint64_t)w->n - 1)) % w->n; }

static void do_cut(struct sim_world *w, struct sim_node *s) { cut(w, s->index, other_than(w, s->index)); }

static void do_isolate(struct sim_world *w, struct sim_node *s)
{
	for (int i = 0; i < w->n; i++)
		if (i != s->index)
			cut(w, s->index, i);
}

static void do_break(struct sim_world *w, struct sim_node *s) { sim_link_break(w, s->index, other_than(w, s->index), false); }

static void do_power(struct sim_world *w, struct sim_node *s)
{
	sim_crash(s, true);
	sim_restart_later(s, 100 + sim_draw(w, sim_chance(w, 70) ? 2000 : 20000));
}

static void do_kill(struct sim_world *w, struct sim_node *s)
{
	sim_crash(s, false);
	sim_restart_later(s, 100 + sim_draw(w, 4000));
}

static void do_stop(struct sim_world *w, struct sim_node *s)
{
	sim_stop(s);
	sim_restart_later(s, 100 + sim_draw(w, 3000));
}

/* In the middle of some later write. */
static void do_arm(struct sim_world *w, struct sim_node *s)
{
	uint64_t after = sim_draw(w, 60);
	if (s->armed)
		return;
	s->armed = true;
	s->off_at = simfs_changes(s->disk) + after;
	simfs_power_off_after(s->disk, after);
}

/* The disk has room again, or works again; the node starts anew, as its message asks for. */
static void repair(struct sim_world *w, struct sim_event *e)
{
	struct sim_node *s = &w->nodes[e->node];
	simfs_capacity(s->disk, 0);
	s->full = false;
	if (sim_up(s))
		do_stop(w, s);
}

static void do_full(struct sim_world *w, struct sim_node *s)
{
	uint64_t space = 0, huge = (uint64_t)1 << 40;
	if (s->full)
		return;
	simfs_capacity(s->disk, huge);
	if (s->disk->ops->space(s->disk, &space, NULL))
		return;
	sim_say(w, "%s: disk full", s->org);
	simfs_capacity(s->disk, huge - space + sim_draw(w, 60000));
	s->full = w->disks_failed = true;
	sim_at(w, 2000 + sim_draw(w, 8000), "repair", repair)->node = s->index;
}

static void do_bad_sync(struct sim_world *w, struct sim_node *s)
{
	if (s->full)
		return;
	sim_say(w, "%s: a sync will fail", s->org);
	simfs_fail(s->disk, sim_chance(w, 70) ? SIMFS_SYNC : SIMFS_WRITE, 1 + sim_draw(w, 10), ENT_EIO);
	s->full = w->disks_failed = true;
	sim_at(w, 2000 + sim_draw(w, 8000), "repair", repair)->node = s->index;
}

static void do_memory(struct sim_world *w, struct sim_node *s)
{
	(void)s;
	w->disks_failed = true; /* jobs may end for that reason, too */
	sim_memory_short(1 + sim_draw(w, 300));
}

static void do_rotate(struct sim_world *w, struct sim_node *s)
{
	(void)w;
	sim_rotate(s);
}

static void do_slow(struct sim_world *w, struct sim_node *s) { s->sync_ms = s->sync_ms ? 0 : 1 + sim_draw(w, 30); }

static void do_card(struct sim_world *w, struct sim_node *s)
{
	uint64_t left = sim_memory_short(0);
	sim_forge_card(w, other_than(w, s->index), s->index);
	sim_memory_short(left);
}

static void do_checkpoint(struct sim_world *w, struct sim_node *s)
{
	uint64_t left = sim_memory_short(0);
	sim_forge_checkpoint(w, other_than(w, s->index), s->index);
	sim_memory_short(left);
}

static void do_audit(struct sim_world *w, struct sim_node *s)
{
	(void)w;
	sim_audit(s);
}

static void do_query(struct sim_world *w, struct sim_node *s)
{
	(void)w;
	sim_client_query(s);
}

static void do_note(struct sim_world *w, struct sim_node *s)
{
	(void)w;
	sim_client_note(s);
}

static void do_grant(struct sim_world *w, struct sim_node *s) { sim_client_grant(s, (int)sim_draw(w, SIM_SLOTS)); }

static void do_revoke(struct sim_world *w, struct sim_node *s)
{
	(void)w;
	sim_client_revoke(s);
}

static void do_verdict(struct sim_world *w, struct sim_node *s)
{
	(void)w;
	sim_client_verdict(s);
}

static const struct action {
	unsigned calm, wild; /* weights */
	void (*act)(struct sim_world *w, struct sim_node *s);
} actions[] = {
	{ 40, 30, do_query }, { 10, 10, do_note },     { 6, 6, do_grant }, { 6, 6, do_revoke }, { 12, 8, do_verdict },
	{ 1, 4, do_power },   { 1, 3, do_kill },       { 1, 2, do_stop },  { 1, 4, do_arm },    { 2, 5, do_cut },
	{ 1, 2, do_isolate }, { 1, 3, do_break },      { 1, 2, do_slow },  { 0, 1, do_full },   { 0, 1, do_bad_sync },
	{ 2, 3, do_card },    { 3, 3, do_checkpoint }, { 1, 1, do_audit }, { 0, 2, do_memory }, { 2, 2, do_rotate },
};

static const struct action *pick(struct sim_world *w)
{
	unsigned sum = 0;
	for (size_t i = 0; i < ENT_COUNT(actions); i++)
		sum += w->wild ? actions[i].wild : actions[i].calm;
	uint64_t at = sim_draw(w, sum);
	for (size_t i = 0;; i++) {
		unsigned weight = w->wild ? actions[i].wild : actions[i].calm;
		if (at < weight)
			return &actions[i];
		at -= weight;
	}
}

static void act(struct sim_world *w, struct sim_event *e)
{
	struct sim_node *s = any_up(w);
	(void)e;
	if (w->quiet)
		return;
	if (s) {
		uint64_t life = s->life;
		pick(w)->act(w, s);
		if (sim_up(s) && s->life == life)
			sim_after_event(s);
	}
	sim_at(w, sim_draw(w, 900), "act", act);
}

/* ---- a whole seed ---- */

void sim_schedule_start(struct sim_world *w)
{
	for (int i = 0; i < w->n && !w->failed; i++)
		(void)sim_node_init(&w->nodes[i]);
	for (int i = 0; i < w->n && !w->failed; i++) {
		(void)sim_node_open(&w->nodes[i]);
		sim_at(w, 10 + sim_draw(w, 200), "upkeep", upkeep)->node = i;
		sim_at(w, 700 + sim_draw(w, 300), "upkeep", upkeep)->node = i;
	}
	sim_at(w, 1500, "act", act);
}

void sim_heal(struct sim_world *w)
{
	sim_say(w, "all heals");
	w->quiet = true;
	sim_memory_short(0);
	for (int i = 0; i < w->n; i++) {
		struct sim_node *s = &w->nodes[i];
		bool sick = s->full;
		s->sync_ms = 0;
		s->full = false;
		simfs_capacity(s->disk, 0);
		for (int k = 0; k < i; k++)
			sim_link_cut(w, i, k, false);
		if (sim_up(s) && sick)
			do_stop(w, s);
	}
}

static void settle(struct sim_world *w)
{
	for (int i = 0; i < w->n; i++)
		if (sim_up(&w->nodes[i]))
			sim_client_settle(&w->nodes[i]);
}

/* Rules that were written a moment ago count, although the news of them is still under way. */
static void races(struct sim_world *w)
{
	for (int i = 0; i < w->n && !w->failed && !w->adversary; i++) {
		struct sim_node *asker = &w->nodes[other_than(w, i)];
		if (!sim_up(&w->nodes[i]) || !sim_up(asker))
			continue;
		sim_client_race(&w->nodes[i], asker);
		sim_after_event(&w->nodes[i]);
		sim_run_until(w, w->now + 4000);
	}
}

/* In a world that healed, everybody is answered, or told which rule forbids it. */
static void last_questions(struct sim_world *w)
{
	for (int i = 0; i < w->n && !w->failed; i++) {
		struct sim_node *s = &w->nodes[i];
		if (!sim_up(s))
			continue;
		for (int slot = 0; slot < 3; slot++)
			sim_client_grant(s, slot);
		sim_after_event(s);
	}
	sim_run_until(w, w->now + 3000);
	races(w);
	w->last = true;
	for (int i = 0; i < w->n && !w->failed; i++) {
		if (sim_up(&w->nodes[i])) {
			sim_client_query(&w->nodes[i]);
			sim_after_event(&w->nodes[i]);
		}
		sim_run_until(w, w->now + 9000);
	}
}

static void final_audit(struct sim_world *w)
{
	sim_audit_ended(w);
	for (int i = 0; i < w->n && !w->failed; i++) {
		struct sim_node *s = &w->nodes[i];
		if (!sim_up(s)) {
			sim_fail(w, "%s is not up at the end", s->org);
			return;
		}
		sim_audit(s);
		sim_crash(s, true);
		if (sim_node_open(s))
			sim_audit(s);
	}
	if (!w->failed)
		sim_audit_runs(w);
}

static void live(struct sim_world *w)
{
	uint64_t length = 8000 + sim_draw(w, 24000);
	sim_schedule_start(w);
	sim_run_until(w, length);
	sim_heal(w);
	for (int i = 0; i < 4 && !w->failed; i++) {
		sim_run_until(w, w->now + CALM_MS / 4);
		if (i < 2)
			settle(w);
		if (i == 2)
			last_questions(w);
		if (i == 3)
			settle(w);
	}
	sim_run_until(w, w->now + 1000);
	if (!w->failed)
		final_audit(w);
}

void sim_seed(uint64_t seed, bool verbose, struct sim_outcome *ret)
{
	struct sim_world *w = sim_new(seed, verbose);
	sim_memory_short(0);
	sim_signatures_forget();
	live(w);
	*ret = (struct sim_outcome){ .ok = !w->failed, .trace = w->trace, .simulated_ms = w->now, .counts = w->counts };
	if (w->failed)
		snprintf(ret->why, sizeof ret->why, "seed %llu, %s", (unsigned long long)seed, w->why);
	sim_free(w);
}
