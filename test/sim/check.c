/* What must never be, checked while it happens. What must be in a ledger is noted here and looked up by audit.c. */
#include "sim/checks.h"

void sim_checks_new(struct sim_world *w)
{
	w->checks = calloc(1, sizeof *w->checks);
	ENT_ASSERT(w->checks);
}

void sim_checks_free(struct sim_world *w)
{
	struct sim_checks *c = w->checks;
	for (int i = 0; i < SIM_NODES_MAX; i++) {
		free(c->promises[i].at);
		free(c->points[i].at);
		free(c->grants[i].at);
		for (int k = 0; k < SIM_NODES_MAX; k++)
			free(c->cosigned[i][k].at);
	}
	free(c);
	for (struct sim_job *j = w->jobs, *next; j; j = next) {
		next = j->next;
		free(j);
	}
}

void *sim_list_add(void **at, size_t *count, size_t size)
{
	if (!(*count & (*count - 1)))
		*at = realloc(*at, (*count ? 2 * *count : 1) * size);
	ENT_ASSERT(*at);
	void *item = (char *)*at + size * (*count)++;
	memset(item, 0, size);
	return item;
}

void sim_promise(struct sim_node *s, int64_t index, int type, const char *job, uint32_t attempt, const char *text)
{
	struct sim_promises *l = &s->w->checks->promises[s->index];
	struct sim_promise *p = sim_list_add((void **)&l->at, &l->count, sizeof *p);
	*p = (struct sim_promise){ .index = index, .type = type, .attempt = attempt, .since = s->w->now };
	snprintf(p->job, sizeof p->job, "%s", job);
	snprintf(p->text, sizeof p->text, "%s", text);
	s->w->counts.acked++;
}

/* ---- checkpoints ---- */

static bool read_note(struct sim_world *w, struct ent_bytes bytes, struct ent_checkpoint *ret, struct sim_node **ret_log)
{
	struct ent_note *n = calloc(1, sizeof *n);
	bool ok = n && !ent_note_parse(bytes, n, NULL) && !ent_checkpoint_parse(n->text, false, ret, NULL);
	free(n);
	*ret_log = NULL;
	for (int i = 0; ok && i < w->n; i++)
		if (!strcmp(w->nodes[i].card.origin, ret->origin))
			*ret_log = &w->nodes[i];
	return *ret_log != NULL;
}

/* false: another root was known for that size. */
static bool keep_point(struct sim_points *l, const struct ent_checkpoint *c)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].size == c->size)
			return !memcmp(&l->at[i].root, &c->root, sizeof c->root);
	struct sim_point *p = sim_list_add((void **)&l->at, &l->count, sizeof *p);
	*p = (struct sim_point){ c->size, c->root };
	return true;
}

void sim_saw_note(struct sim_node *s, struct ent_bytes note)
{
	struct ent_checkpoint c;
	struct sim_node *log;
	if (!note.len || !read_note(s->w, note, &c, &log) || log != s)
		return;
	sim_trace(s->w, &c.root, sizeof c.root);
	if (!keep_point(&s->w->checks->points[s->index], &c))
		sim_fail(s->w, "two roots for one size: %s published size %llu twice", s->org, (unsigned long long)c.size);
}

void sim_saw_cosigned(struct sim_node *witness, struct ent_bytes note)
{
	struct ent_checkpoint c;
	struct sim_node *log;
	if (!read_note(witness->w, note, &c, &log))
		return;
	witness->w->counts.cosigned++;
	if (!keep_point(&witness->w->checks->cosigned[witness->index][log->index], &c))
		sim_fail(witness->w, "witness %s cosigned two roots of %s for size %llu", witness->org, log->org, (unsigned long long)c.size);
}

bool sim_cosigned_size(struct sim_node *witness, int log, uint64_t *ret_size)
{
	const struct sim_points *l = &witness->w->checks->cosigned[witness->index][log];
	if (!l->count)
		return false;
	*ret_size = l->at[sim_chance(witness->w, 70) ? l->count - 1 : sim_draw(witness->w, l->count)].size;
	return true;
}

/* ---- members ---- */

static bool ever_had(const struct sim_node *s, const uint8_t tls[32])
{
	for (size_t i = 0; i < s->n_past; i++)
		if (!memcmp(s->past_tls[i], tls, 32))
			return true;
	return !memcmp(s->card.keys[ENT_KEY_TLS], tls, 32);
}

void sim_saw_pins(struct sim_node *s, const struct ent_pin *pins, size_t n)
{
	struct sim_world *w = s->w;
	memset(s->pinned, 0, sizeof s->pinned);
	for (size_t i = 0; i < n; i++) {
		struct sim_node *other = sim_by_org(w, pins[i].org);
		if (!other || !ever_had(other, pins[i].tls_pub))
			sim_fail(w, "%s accepted a changed card of %s that the old key did not sign", s->org, pins[i].org);
		else
			memcpy(s->pinned_tls[other->index], pins[i].tls_pub, 32), s->pinned[other->index] = true;
	}
}

/* ---- grants ---- */

struct sim_grant *sim_grant_new(struct sim_node *s, int slot, uint64_t index)
{
	struct sim_grants *l = &s->w->checks->grants[s->index];
	struct sim_grant *g = sim_list_add((void **)&l->at, &l->count, sizeof *g);
	*g = (struct sim_grant){ .slot = slot, .index = index, .granted_at = s->w->now, .revoked_at = UINT64_MAX };
	return g;
}

struct sim_grant *sim_grant_standing(struct sim_node *s, int slot)
{
	struct sim_grants *l = &s->w->checks->grants[s->index];
	struct sim_grant *found = NULL;
	unsigned n = 0;
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].revoked_at == UINT64_MAX && (slot < 0 || l->at[i].slot == slot) && !sim_draw(s->w, ++n))
			found = &l->at[i];
	return found;
}

/* A revoked grant may only stand in the decision when an equal one held at the moment of our ready. A grant whose fate nobody was told counts as one.
 */
static bool usable(struct sim_node *s, uint64_t index, uint64_t ready_at)
{
	struct sim_grants *l = &s->w->checks->grants[s->index];
	int slot = -1;
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].index == index)
			slot = l->at[i].revoked_at < ready_at ? l->at[i].slot : -1;
	for (size_t i = 0; slot >= 0 && i < l->count; i++)
		if (l->at[i].slot == slot && l->at[i].revoked_at >= ready_at)
			return true;
	return slot < 0 || s->w->checks->unsure[s->index] & 1u << slot;
}

static void check_grants(struct sim_node *s, const struct ent_run_spec *spec, uint64_t ready_at)
{
	for (size_t i = 0; i < spec->decision->n_rules; i++) {
		char org[ENT_ORG_MAX + 1];
		uint64_t index;
		if (ent_entry_id_parse(spec->decision->rules[i], org, &index) && !strcmp(org, s->org) && !usable(s, index, ready_at))
			sim_fail(s->w, "job %s runs on grant %s, which %s had revoked before it was ready", spec->job, spec->decision->rules[i],
				 s->org);
	}
}

/* ---- jobs ---- */

struct sim_job *sim_job_get(struct sim_world *w, const char *id)
{
	for (struct sim_job *j = w->jobs; j; j = j->next)
		if (!strcmp(j->id, id))
			return j;
	struct sim_job *j = calloc(1, sizeof *j);
	ENT_ASSERT(j);
	*j = (struct sim_job){ .next = w->jobs, .requester = -1, .asked_at = w->now };
	snprintf(j->id, sizeof j->id, "%s", id);
	w->jobs = j;
	return j;
}

static void saw_ready(struct sim_node *s, const char *id, uint32_t attempt)
{
	struct sim_job *j = sim_job_get(s->w, id);
	struct sim_seat *seat = &j->seat[s->index];
	if (seat->ready_life == s->life && seat->ready_attempt == attempt)
		return; /* said again */
	if (seat->ready_life && seat->ready_life != s->life)
		sim_fail(s->w, "%s took job %s up again after a restart", s->org, id);
	seat->ready_life = s->life;
	seat->ready_attempt = attempt;
	seat->ready_at = s->w->now;
	sim_promise(s, -1, ENT_ENTRY_REQUEST, id, 0, "");
	sim_promise(s, -1, ENT_ENTRY_DECISION, id, 0, "");
}

void sim_saw_message(struct sim_node *s, struct ent_bytes message)
{
	ENT_JSON_AUTO msg = NULL;
	const char *id;
	int64_t attempt;
	if (!memmem(message.data, message.len, "\"type\":\"ready\"", 14) || ent_json_parse(message, ENT_MESH_BYTES_MAX, &msg, NULL) ||
	    ent_json_str(msg, "job", &id, NULL) || ent_json_int(msg, "attempt", 1, INT32_MAX, &attempt, NULL))
		return;
	saw_ready(s, id, (uint32_t)attempt);
}

static void check_readys(struct sim_node *s, const struct ent_run_spec *spec, struct sim_job *j)
{
	for (size_t i = 0; i < spec->n_participants; i++) {
		const struct sim_node *p = sim_by_org(s->w, spec->participants[i]);
		if (!p) {
			sim_fail(s->w, "job %s has a participant that does not exist", j->id);
			return;
		}
		j->parties |= 1u << p->index;
		if (spec->n_participants > 1 && j->seat[p->index].ready_attempt < spec->attempt)
			sim_fail(s->w, "%s starts job %s attempt %u before %s was ready", s->org, j->id, spec->attempt, p->org);
	}
}

void sim_saw_start(struct sim_node *s, const struct ent_run_spec *spec)
{
	struct sim_job *j = sim_job_get(s->w, spec->job);
	struct sim_seat *seat = &j->seat[s->index];
	if (spec->n_participants > 1 && seat->ready_life != s->life)
		sim_fail(s->w, "%s runs job %s that it had taken up before a restart", s->org, j->id);
	if (seat->started_life && (seat->started_life != s->life || seat->started_attempt >= spec->attempt))
		sim_fail(s->w, "%s runs job %s attempt %u twice", s->org, j->id, spec->attempt);
	seat->started_life = s->life;
	seat->started_attempt = spec->attempt;
	check_readys(s, spec, j);
	check_grants(s, spec, spec->n_participants > 1 ? seat->ready_at : s->w->now);
	sim_promise(s, -1, ENT_ENTRY_REQUEST, spec->job, 0, "");
	sim_promise(s, -1, ENT_ENTRY_DECISION, spec->job, 0, "");
	sim_promise(s, -1, ENT_ENTRY_RUN, spec->job, spec->attempt, "");
}

/* ---- dead peers ---- */

#define DEAD_MS 10000

static bool still_lost(struct sim_world *w, const struct sim_event *e)
{
	int requester = (int)(e->b >> 8), peer = (int)(e->b & 0xff);
	const struct sim_link *l = sim_link(w, requester, peer);
	return l->lost_since && l->lost_since <= e->a;
}

static void must_have_ended(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct sim_world *w = c->node->w;
	const char *state = json_string_value(json_object_get(answer, "state"));
	const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
	const struct sim_job *j = sim_job_get(w, c->text);
	(void)content;
	if (err || !state)
		return;
	if (!json_is_true(json_object_get(answer, "ended")))
		sim_fail(w, "job %s at %s is still %s %d s after a participant was lost", c->text, c->node->org, state, DEAD_MS / 1000);
	else if (!strcmp(state, "aborted") && !j->excused && !w->disks_failed && code && strcmp(code, "PEER") != 0)
		sim_fail(w, "job %s at %s ended with %s after a participant was lost, not with PEER", c->text, c->node->org, code);
}

static void dead_check(struct sim_world *w, struct sim_event *e)
{
	if (still_lost(w, e))
		sim_ask(&w->nodes[e->node], "job", json_pack("{s:s}", "id", e->text), must_have_ended, 0, e->text);
}

/* A job that runs at its requester, with a participant out of reach from now on, has to end there soon. */
static void watch(struct sim_world *w, const struct sim_job *j, int peer)
{
	struct sim_node *r = &w->nodes[j->requester];
	if (!sim_up(r) || j->seat[r->index].started_life != r->life || !(j->parties & 1u << peer))
		return;
	struct sim_event *e = sim_at_node(r, DEAD_MS + 50, "dead check", dead_check);
	e->a = w->now ? w->now : 1;
	e->b = (uint64_t)r->index << 8 | (uint64_t)peer;
	snprintf(e->text, sizeof e->text, "%s", j->id);
}

void sim_saw_lost(struct sim_world *w, int node, int peer)
{
	for (const struct sim_job *j = w->jobs; j; j = j->next) {
		if (j->requester < 0 || j->ended)
			continue;
		if (peer < 0 && j->requester != node)
			watch(w, j, node);
		else if (peer >= 0 && (j->requester == node || j->requester == peer))
			watch(w, j, j->requester == node ? peer : node);
	}
}
