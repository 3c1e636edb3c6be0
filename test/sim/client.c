/* People at the nodes: what they ask, and what follows from the answers. A person whose node died hears nothing. */
#include "sim/checks.h"

static void answered(struct ent_reply *reply, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct sim_client *c = (struct sim_client *)(void *)reply, **at = &c->node->w->clients;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (sim_up(c->node) && c->life == c->node->life && !sim_dead(c->node))
		c->then(c, answer, content, err);
	free(c);
}

void sim_ask(struct sim_node *s, const char *verb, json_t *args,
	     void (*then)(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err), int64_t number,
	     const char *text)
{
	ENT_JSON_AUTO mine = args ? args : json_object();
	struct sim_client *c = calloc(1, sizeof *c);
	ENT_ASSERT(c);
	*c = (struct sim_client){
		.reply = { answered }, .next = s->w->clients, .node = s, .life = s->life, .verb = verb, .then = then, .number = number
	};
	snprintf(c->text, sizeof c->text, "%s", text);
	s->w->clients = c;
	ent_node_request(s->node, verb, mine, &c->reply);
}

static int64_t index_of(const json_t *id)
{
	char org[ENT_ORG_MAX + 1];
	uint64_t at = 0;
	return json_is_string(id) && ent_entry_id_parse(json_string_value(id), org, &at) ? (int64_t)at : -1;
}

/* A disk that is full makes a node say so; anything else it was asked is then excused. */
static bool failed(struct sim_client *c, const struct ent_err *err)
{
	if (err)
		sim_say(c->node->w, "%s: %s failed: %s", c->node->org, c->verb, err->what);
	return err != NULL;
}

/* ---- members and tables ---- */

static void trusted(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	(void)answer;
	(void)content;
	(void)failed(c, err);
}

void sim_client_trust(struct sim_node *s)
{
	json_t *cards = json_array();
	for (int i = 0; i < s->w->n; i++)
		if (i != s->index)
			json_array_append_new(cards, json_string(ent_buf_text(&s->w->nodes[i].card_text)));
	sim_ask(s, "trust", json_pack("{s:o}", "cards", cards), trusted, 0, "");
}

static void added(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	(void)content;
	if (!failed(c, err))
		sim_promise(c->node, index_of(json_object_get(answer, "receipt")), ENT_ENTRY_REGISTER, "", 0, "t");
}

void sim_client_add(struct sim_node *s)
{
	if (!s->compute_only)
		sim_ask(s, "add", json_pack("{s:s,s:s,s:[s]}", "name", "t", "source", "t.csv", "keys", "k"), added, 0, "");
}

/* ---- notes and grants ---- */

static void noted(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	(void)content;
	if (!failed(c, err))
		sim_promise(c->node, json_integer_value(json_object_get(answer, "index")), ENT_ENTRY_NOTE, "", 0, c->text);
}

void sim_client_note(struct sim_node *s)
{
	char text[120];
	snprintf(text, sizeof text, "note %llx", (unsigned long long)sim_draw(s->w, UINT64_MAX));
	sim_ask(s, "ledger.note", json_pack("{s:s}", "text", text), noted, 0, text);
}

static void granted(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	int64_t at = index_of(json_array_get(json_object_get(answer, "ids"), 0));
	unsigned slot = (unsigned)c->number & 15;
	(void)content;
	if (failed(c, err) || at < 0)
		return;
	if (c->number & 16)
		c->node->w->checks->unsure[c->node->index] &= ~(1u << slot);
	sim_promise(c->node, at, ENT_ENTRY_GRANT, "", 0, "GRANT");
	sim_grant_new(c->node, (int)slot, (uint64_t)at);
}

/* Until we hear that it stands, nobody knows whether it does. */
void sim_client_grant(struct sim_node *s, int slot)
{
	unsigned *unsure = &s->w->checks->unsure[s->index];
	bool sure = !(*unsure & 1u << slot);
	if (s->compute_only || sim_grant_standing(s, slot))
		return;
	*unsure |= 1u << slot;
	sim_ask(s, "grant", json_pack("{s:s}", "text", sim_grant_text(slot)), granted, slot | (sure ? 16 : 0), "");
}

static void revoked(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct sim_grants *l = &c->node->w->checks->grants[c->node->index];
	(void)content;
	if (failed(c, err))
		return;
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].index == (uint64_t)c->number)
			l->at[i].revoked_at = c->node->w->now;
	sim_promise(c->node, index_of(json_object_get(answer, "id")), ENT_ENTRY_REVOKE, "", 0, c->text);
	sim_say(c->node->w, "%s: grant %lld is revoked", c->node->org, (long long)c->number);
}

void sim_client_revoke(struct sim_node *s)
{
	char id[24];
	const struct sim_grant *g = sim_grant_standing(s, -1);
	if (!g)
		return;
	snprintf(id, sizeof id, "%llu", (unsigned long long)g->index);
	sim_ask(s, "revoke", json_pack("{s:s}", "id", id), revoked, (int64_t)g->index, id);
}

/* ---- questions ---- */

static void poll(struct sim_world *w, struct sim_event *e);

static void poll_later(struct sim_node *s, const char *id, uint64_t delay, uint64_t seen)
{
	struct sim_event *e = sim_at_node(s, delay, "poll", poll);
	e->a = seen;
	snprintf(e->text, sizeof e->text, "%s", id);
}

static void got_rows(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	const struct sim_job *j = sim_job_get(c->node->w, c->text);
	(void)answer;
	if (failed(c, err))
		return;
	if (content.len != strlen(j->rows) || memcmp(content.data, j->rows, content.len) != 0)
		sim_fail(c->node->w, "job %s: the result is \"%.*s\", the truth \"%s\"", c->text, (int)content.len, (const char *)content.data,
			 j->rows);
	c->node->w->counts.done++;
}

/* The rules may say no; nothing else may, any more. */
static void must_be_answered(struct sim_node *s, const char *id, const char *code, const char *what)
{
	if (s->w->adversary || (!strcmp(code, "DENIED") && !strstr(what, "leaves out")))
		return;
	sim_fail(s->w, "%s cannot ask any more though all is well: job %s: %s %s", s->org, id, code, what);
}

static void watched(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct sim_job *j = sim_job_get(c->node->w, c->text);
	const char *state = json_string_value(json_object_get(answer, "state"));
	(void)content;
	if (failed(c, err) || !state)
		return;
	if (!json_is_true(json_object_get(answer, "ended"))) {
		poll_later(c->node, c->text, 200, (uint64_t)json_integer_value(json_object_get(answer, "seen")));
		return;
	}
	j->ended = true;
	if (strcmp(state, "done") != 0) {
		const json_t *e = json_object_get(answer, "error");
		c->node->w->counts.failed++;
		if (j->last && json_is_object(e) && !j->excused)
			must_be_answered(c->node, c->text, json_string_value(json_object_get(e, "code")),
					 json_string_value(json_object_get(e, "what")));
		return;
	}
	sim_promise(c->node, -1, ENT_ENTRY_RESULT, c->text, 0, "");
	sim_ask(c->node, "result", json_pack("{s:s,s:s}", "id", c->text, "part", "rows"), got_rows, 0, c->text);
}

static void poll(struct sim_world *w, struct sim_event *e)
{
	sim_ask(&w->nodes[e->node], "job", json_pack("{s:s,s:i,s:I}", "id", e->text, "wait_ms", 5000, "seen", (json_int_t)e->a), watched, 0, e->text);
}

static void asked(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	const char *id = json_string_value(json_object_get(answer, "job"));
	(void)content;
	if (err && c->node->w->last)
		must_be_answered(c->node, "-", ent_code_name(err->code), err->what);
	if (failed(c, err) || !id)
		return;
	struct sim_job *j = sim_job_get(c->node->w, id);
	j->requester = c->node->index;
	j->last = c->node->w->last;
	snprintf(j->rows, sizeof j->rows, "%s", c->text);
	sim_promise(c->node, index_of(json_object_get(answer, "request")), ENT_ENTRY_REQUEST, id, 0, "");
	sim_promise(c->node, -1, ENT_ENTRY_DECISION, id, 0, "");
	sim_say(c->node->w, "%s: asked job %s", c->node->org, id);
	poll_later(c->node, id, 10, 0);
}

void sim_client_query(struct sim_node *s)
{
	struct sim_question q;
	sim_question(s->w, s->index, &q);
	s->w->counts.queries++;
	sim_ask(s, "query", json_pack("{s:s,s:s,s:s}", "sql", q.sql, "purpose", q.purpose, "format", "csv"), asked, 0, q.rows);
}

/* ---- a rule and a question that rests on it, at once ---- */

#define RACE(owner, at) ((int64_t)(owner) << 32 | (int64_t)(at))

static void race_known(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	size_t i;
	json_t *grant;
	(void)content;
	if (failed(c, err))
		return;
	json_array_foreach(json_object_get(answer, "grants"), i, grant) if (!strcmp(json_string_value(json_object_get(grant, "id")), c->text)) return;
	sim_fail(c->node->w, "%s judged a question without %s, which stood before it was asked", c->node->org, c->text);
}

static void race_asked(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct sim_node *s = c->node;
	const char *owner = s->w->nodes[c->number >> 32].org;
	char id[64];
	snprintf(id, sizeof id, "%s/%u", owner, (unsigned)(c->number & UINT32_MAX));
	sim_ask(s, "grants", json_pack("{s:s}", "org", owner), race_known, 0, id);
	asked(c, answer, content, err);
}

static void race_ask(struct sim_world *w, struct sim_event *e)
{
	struct sim_node *s = &w->nodes[e->node];
	struct sim_question q;
	sim_question(w, s->index, &q);
	w->counts.queries++;
	sim_ask(s, "query", json_pack("{s:s,s:s,s:s}", "sql", q.sql, "purpose", q.purpose, "format", "csv"), race_asked, (int64_t)e->a, q.rows);
}

static void race_granted(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	int64_t at = index_of(json_array_get(json_object_get(answer, "ids"), 0)), asker = c->number >> 8;
	c->number &= 0xff;
	granted(c, answer, content, err);
	if (!err && at >= 0)
		sim_at_node(&c->node->w->nodes[asker], 0, "race", race_ask)->a = (uint64_t)RACE(c->node->index, at);
}

void sim_client_race(struct sim_node *owner, struct sim_node *asker)
{
	if (!owner->compute_only)
		sim_ask(owner, "grant", json_pack("{s:s}", "text", sim_grant_text(0)), race_granted, asker->index << 8, "");
}

/* ---- verdicts ---- */

static void judged(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	(void)answer;
	(void)content;
	if (!failed(c, err) && !strcmp(c->verb, "approve"))
		sim_promise(c->node, -1, ENT_ENTRY_APPROVE, c->text, 0, "");
}

static void verdict(struct sim_node *s, const char *id, const char *verb)
{
	if (strcmp(verb, "approve") != 0)
		sim_job_get(s->w, id)->excused = true;
	sim_ask(s, verb, json_pack("{s:s}", "id", id), judged, 0, id);
}

/* number 0: approves, mostly; 1: ends what waits for people or for ever. */
static void listed(struct sim_client *c, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct sim_world *w = c->node->w;
	size_t i;
	json_t *job;
	(void)content;
	if (failed(c, err))
		return;
	json_array_foreach(json_object_get(answer, "jobs"), i, job)
	{
		const char *id = json_string_value(json_object_get(job, "id")), *state = json_string_value(json_object_get(job, "state"));
		bool waits = !strcmp(state, "approval"),
		     live = waits || !strcmp(state, "queued") || !strcmp(state, "running") || !strcmp(state, "proposed");
		if (sim_dead(c->node))
			return;
		if (waits)
			verdict(c->node, id, c->number || sim_chance(w, 10) ? "deny" : "approve");
		else if (live && !c->number && sim_chance(w, 10))
			verdict(c->node, id, "cancel");
	}
}

void sim_client_verdict(struct sim_node *s) { sim_ask(s, "jobs", NULL, listed, 0, ""); }

void sim_client_settle(struct sim_node *s) { sim_ask(s, "jobs", NULL, listed, 1, ""); }
