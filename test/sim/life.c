/* The life of a node: made, opened, cut off in the middle of a write, opened again. Its vtables for disk, time and randomness. */
#include "sim/world.h"

/* ---- time and randomness ---- */

static int64_t utc(struct ent_clock *c)
{
	struct sim_node *s = (struct sim_node *)(void *)c;
	return SIM_EPOCH_MS + (int64_t)s->w->now + s->skew_ms;
}

static uint64_t mono(struct ent_clock *c)
{
	struct sim_node *s = (struct sim_node *)(void *)c;
	return s->w->now - s->mono_base;
}

static int fill(struct ent_random *r, void *buf, size_t len, struct ent_err *err)
{
	struct sim_node *s = ((struct sim_face *)(void *)r)->node;
	uint8_t *p = buf;
	(void)err;
	for (size_t i = 0; i < len; i++) {
		uint64_t z = s->dice += 0x9e3779b97f4a7c15u;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		p[i] = (uint8_t)(z >> 56);
	}
	return 0;
}

static void log_line(void *self, enum ent_level level, const char *event, const char *pairs)
{
	struct sim_node *s = self;
	sim_say(s->w, "%s: %s %s %s", s->org, ent_level_name(level), event, pairs);
}

static void pins(void *self, const struct ent_pin *list, size_t n) { sim_saw_pins(self, list, n); }

/* ---- the disk of one life ---- */

static struct ent_fs *under(struct ent_fs *fs, struct ent_err *err)
{
	struct sim_gate *g = (struct sim_gate *)(void *)fs;
	if (!g->dead)
		return g->under;
	ent_fail(err, ENT_EIO, "this machine is off");
	return NULL;
}

static int gate_open(struct ent_fs *fs, const char *path, int flags, uint32_t mode, struct ent_file **ret, struct ent_err *err)
{
	struct ent_fs *u = under(fs, err);
	return u ? u->ops->open(u, path, flags, mode, ret, err) : ENT_EIO;
}

static int gate_rename(struct ent_fs *fs, const char *from, const char *to, struct ent_err *err)
{
	struct ent_fs *u = under(fs, err);
	return u ? u->ops->rename(u, from, to, err) : ENT_EIO;
}

static int gate_remove(struct ent_fs *fs, const char *path, struct ent_err *err)
{
	struct ent_fs *u = under(fs, err);
	return u ? u->ops->remove(u, path, err) : ENT_EIO;
}

static int gate_mkdir(struct ent_fs *fs, const char *path, uint32_t mode, struct ent_err *err)
{
	struct ent_fs *u = under(fs, err);
	return u ? u->ops->mkdir(u, path, mode, err) : ENT_EIO;
}

static int gate_sync_dir(struct ent_fs *fs, const char *path, struct ent_err *err)
{
	struct ent_fs *u = under(fs, err);
	return u ? u->ops->sync_dir(u, path, err) : ENT_EIO;
}

static int gate_list(struct ent_fs *fs, const char *path, void (*each)(void *arg, const char *name), void *arg, struct ent_err *err)
{
	struct ent_fs *u = under(fs, err);
	return u ? u->ops->list(u, path, each, arg, err) : ENT_EIO;
}

static int gate_space(struct ent_fs *fs, uint64_t *ret, struct ent_err *err)
{
	struct ent_fs *u = under(fs, err);
	return u ? u->ops->space(u, ret, err) : ENT_EIO;
}

static const struct ent_fs_ops gate_ops = { gate_open, gate_rename, gate_remove, gate_mkdir, gate_sync_dir, gate_list, gate_space };

/* ---- opening ---- */

static struct ent_node_env env_of(struct sim_node *s)
{
	s->clock = (struct ent_clock){ utc, mono };
	s->random = (struct sim_face){ .random = { fill }, .node = s };
	s->mesh = (struct sim_face){ .mesh = { &sim_mesh_ops }, .node = s };
	s->http = (struct sim_face){ .http = { sim_http_start }, .node = s };
	s->runner = (struct sim_face){ .runner = { &sim_runner_ops }, .node = s };
	s->log = (struct ent_log_sink){ s, s->w->verbose ? ENT_LOG_INFO : ENT_LOG_ERROR, log_line };
	return (struct ent_node_env){ .fs = &s->gate->fs,
				      .clock = &s->clock,
				      .random = &s->random.random,
				      .mesh = &s->mesh.mesh,
				      .http = &s->http.http,
				      .runner = &s->runner.runner,
				      .log = &s->log,
				      .self = s,
				      .pins = pins };
}

static void new_gate(struct sim_node *s)
{
	s->gate = calloc(1, sizeof *s->gate);
	ENT_ASSERT(s->gate);
	*s->gate = (struct sim_gate){ .fs = { &gate_ops }, .under = s->disk };
}

static void drop_gate(struct sim_node *s)
{
	free(s->gate);
	s->gate = NULL;
}

static int init_once(struct sim_node *s, struct ent_err *err)
{
	char link[40], http[40];
	json_t *answer = NULL;
	snprintf(link, sizeof link, "10.0.0.%d:7101", s->index);
	snprintf(http, sizeof http, "10.0.0.%d:7102", s->index);
	ENT_JSON_AUTO args = json_pack("{s:s,s:s,s:s,s:b}", "org", s->org, "listen", link, "http", http, "compute_only", s->compute_only);
	new_gate(s);
	struct ent_node_env env = env_of(s);
	int r = ent_node_init(&env, args, &answer, err);
	drop_gate(s);
	json_decref(answer);
	return r;
}

static bool read_card(struct sim_node *s)
{
	struct ent_card before = s->card;
	ent_buf_deinit(&s->card_text);
	s->card_text = (struct ent_buf)ENT_BUF(ENT_CARD_BYTES_MAX);
	if (!ent_fs_read(s->disk, "card.json", ENT_CARD_BYTES_MAX, &s->card_text, NULL) &&
	    !ent_card_open(ent_buf_bytes(&s->card_text), &s->card, NULL)) {
		if (before.version && s->card.version != before.version) {
			ENT_ASSERT(s->n_past < SIM_ROTATIONS_MAX && s->card.version == before.version + 1);
			memcpy(s->past_tls[s->n_past++], before.keys[ENT_KEY_TLS], 32);
			s->w->counts.rotated++;
			sim_say(s->w, "%s: card %lld", s->org, (long long)s->card.version);
		}
		return true;
	}
	sim_fail(s->w, "%s has no card after init", s->org);
	return false;
}

/* The power may go off while HOME is made; what is left must not hinder the next try. */
bool sim_node_init(struct sim_node *s)
{
	struct ent_err err = ENT_ERR_INIT;
	if (sim_chance(s->w, 15)) {
		simfs_power_off_after(s->disk, sim_draw(s->w, 60));
		int r = init_once(s, &err);
		simfs_crash(s->disk);
		if (!r || ent_fs_exists(s->disk, "entente.conf")) /* it was done, though perhaps nobody heard so */
			return read_card(s);
		err = (struct ent_err)ENT_ERR_INIT;
	}
	if (!init_once(s, &err))
		return read_card(s);
	sim_fail(s->w, "%s: init: %s", s->org, err.what);
	return false;
}

bool sim_node_open(struct sim_node *s)
{
	struct ent_err err = ENT_ERR_INIT;
	uint64_t short_before = sim_memory_failures();
	new_gate(s);
	s->life++;
	s->mono_base = s->w->now;
	s->busy_until = 0;
	s->tick_at = UINT64_MAX;
	struct ent_node_env env = env_of(s);
	s->syncs = simfs_count(s->disk, SIMFS_SYNC);
	if (ent_node_open(&env, &s->node, &err)) {
		s->node = NULL;
		sim_calls_end(s, s->life); /* it had asked its witnesses before it failed */
		drop_gate(s);
		s->armed = false;
		simfs_crash(s->disk);
		if (!s->full && sim_memory_failures() == short_before)
			sim_fail(s->w, "%s does not open any more: %s (%s)", s->org, err.what, err.why);
		return false;
	}
	if (!read_card(s))
		return false;
	sim_say(s->w, "%s: open, life %llu", s->org, (unsigned long long)s->life);
	for (int i = 0; i < s->w->n; i++)
		if (i != s->index)
			sim_link_dial(s->w, s->index, i, 10 + sim_draw(s->w, 200));
	sim_after_event(s);
	return true;
}

bool sim_dead(const struct sim_node *s) { return !s->gate || s->gate->dead || (s->armed && simfs_changes(s->disk) > s->off_at); }

static void bury(struct sim_node *s)
{
	struct ent_node *node = s->node;
	uint64_t life = s->life;
	s->gate->dead = true;
	s->node = NULL;
	s->armed = false;
	s->down_since = s->w->now;
	sim_runs_end(s);
	ent_node_close(node);
	sim_calls_end(s, life);
	drop_gate(s);
	for (int i = 0; i < s->w->n; i++)
		if (i != s->index)
			sim_link_break(s->w, s->index, i, s->crash_lost_power);
}

void sim_crash(struct sim_node *s, bool power)
{
	sim_say(s->w, "%s: %s", s->org, power ? "power lost" : "killed");
	s->w->counts.crashes++;
	s->crash_lost_power = power && sim_chance(s->w, 50);
	if (power)
		simfs_crash(s->disk);
	else
		simfs_kill(s->disk);
	bury(s);
	sim_saw_lost(s->w, s->index, -1);
}

void sim_stop(struct sim_node *s)
{
	sim_say(s->w, "%s: stops", s->org);
	struct ent_node *node = s->node;
	uint64_t life = s->life;
	s->node = NULL;
	s->crash_lost_power = false;
	s->down_since = s->w->now;
	sim_runs_end(s);
	ent_node_close(node);
	sim_calls_end(s, life);
	simfs_kill(s->disk);
	s->armed = false;
	drop_gate(s);
	for (int i = 0; i < s->w->n; i++)
		if (i != s->index)
			sim_link_break(s->w, s->index, i, false);
	sim_saw_lost(s->w, s->index, -1);
}

static void rotated(struct ent_reply *r, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	(void)r;
	(void)answer;
	(void)content;
	(void)err; /* the power may have gone; opening tells which keys there are */
}

void sim_rotate(struct sim_node *s)
{
	struct ent_reply reply = { rotated };
	struct ent_err err = ENT_ERR_INIT;
	ENT_JSON_AUTO none = json_object();
	bool cut = sim_chance(s->w, 40);
	if (s->full || s->n_past + 1 >= SIM_ROTATIONS_MAX || s->card.version > (int64_t)s->n_past + 1)
		return;
	sim_stop(s);
	sim_memory_short(0);
	sim_say(s->w, "%s: new keys", s->org);
	new_gate(s);
	struct ent_node_env env = env_of(s);
	env.mesh = NULL;
	env.http = NULL;
	env.runner = NULL;
	env.pins = NULL;
	if (cut)
		simfs_power_off_after(s->disk, sim_draw(s->w, 80));
	if (!ent_node_open(&env, &s->node, &err)) {
		ent_node_request(s->node, "card.rotate", none, &reply);
		ent_node_close(s->node);
		s->node = NULL;
	}
	if (cut)
		simfs_crash(s->disk);
	else
		simfs_kill(s->disk);
	drop_gate(s);
	sim_restart_later(s, 100 + sim_draw(s->w, 3000));
}

static void restart(struct sim_world *w, struct sim_event *e)
{
	struct sim_node *s = &w->nodes[e->node];
	if (sim_up(s))
		return;
	if (sim_node_open(s))
		sim_audit(s);
	else
		sim_restart_later(s, 500);
}

void sim_restart_later(struct sim_node *s, uint64_t delay_ms)
{
	struct sim_event *e = sim_at(s->w, delay_ms, "restart", restart);
	e->node = s->index;
}

static void tick(struct sim_world *w, struct sim_event *e)
{
	struct sim_node *s = &w->nodes[e->node];
	if (e->a == s->tick_at)
		s->tick_at = UINT64_MAX;
}

/* Power may have gone in the middle; syncs took their time; then the node says when it wants to be called. */
void sim_after_event(struct sim_node *s)
{
	struct sim_world *w = s->w;
	uint64_t due = s->mono_base + ent_node_tick(s->node);
	if (sim_dead(s)) {
		sim_crash(s, true);
		sim_restart_later(s, 200 + sim_draw(w, 6000));
		return;
	}
	s->busy_until = w->now + (simfs_count(s->disk, SIMFS_SYNC) - s->syncs) * s->sync_ms;
	s->syncs = simfs_count(s->disk, SIMFS_SYNC);
	if (due <= w->now)
		due = w->now + 1;
	if (due >= s->tick_at)
		return;
	s->tick_at = due;
	sim_at_node(s, due - w->now, "tick", tick)->a = due;
}
