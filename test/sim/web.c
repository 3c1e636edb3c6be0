/* HTTP between nodes: small requests that arrive, or not, within their time. done() comes exactly once, also to a node that died. */
#include "sim/world.h"

static struct sim_call *find(struct sim_world *w, uint64_t id)
{
	for (struct sim_call *c = w->calls; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

static void end_call(struct sim_call *call, bool answered)
{
	struct sim_world *w = call->from->w;
	struct ent_err err = ENT_ERR_INIT;
	struct sim_call **at = &w->calls;
	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	struct ent_http_answer answer = { .status = call->status, .type = "text/plain; charset=utf-8", .body = call->answer };
	if (!answered) {
		answer.status = 0;
		ent_fail(&err, ENT_EPEER, "no answer");
	}
	call->done(call->arg, &answer, answered ? NULL : &err);
	ent_buf_deinit(&call->body);
	ent_buf_deinit(&call->answer);
	free(call);
}

static void come_back(struct sim_world *w, struct sim_event *e)
{
	struct sim_call *c = find(w, e->a);
	if (c && sim_reachable(w, c->from->index, c->target))
		end_call(c, true);
}

static void time_out(struct sim_world *w, struct sim_event *e)
{
	struct sim_call *c = find(w, e->a);
	if (c)
		end_call(c, false);
}

static struct ent_bytes note_of(struct ent_bytes body)
{
	const uint8_t *blank = body.len ? memmem(body.data, body.len, "\n\n", 2) : NULL;
	return blank ? ent_bytes(blank + 2, (size_t)(body.data + body.len - blank - 2)) : ent_bytes(NULL, 0);
}

static int serve(struct sim_node *s, const struct ent_http_request *request, struct ent_buf *ret)
{
	struct ent_http_answer answer = { .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
	ent_node_http(s->node, request, &answer);
	ent_buf_put(ret, answer.body.data, answer.body.len);
	ent_buf_deinit(&answer.body);
	return answer.status;
}

static void reach(struct sim_world *w, struct sim_event *e)
{
	struct sim_call *c = find(w, e->a);
	struct sim_node *s = &w->nodes[e->node];
	if (!c || !sim_reachable(w, c->from->index, e->node))
		return;
	struct ent_http_request r = { .method = c->get ? "GET" : "POST", .url = c->path, .body = ent_buf_bytes(&c->body) };
	c->status = serve(s, &r, &c->answer);
	if (sim_dead(s))
		return;
	if (c->status == 200 && !c->get)
		sim_saw_cosigned(s, note_of(ent_buf_bytes(&c->body)));
	struct sim_event *back = sim_at_node(c->from, 1 + sim_draw(w, 2 * w->delay_ms), "answer", come_back);
	back->a = c->id;
}

int sim_http_start(struct ent_http *h, const struct ent_http_request *request,
		   void (*done)(void *arg, const struct ent_http_answer *answer, const struct ent_err *err), void *arg, struct ent_err *err)
{
	struct sim_node *s = ((struct sim_face *)(void *)h)->node;
	struct sim_world *w = s->w;
	int target, port, used = 0;
	if (sscanf(request->url, "https://10.0.0.%d:%d%n", &target, &port, &used) != 2 || target < 0 || target >= w->n)
		return ent_fail(err, ENT_EPEER, "no such host");
	struct sim_call *c = calloc(1, sizeof *c);
	ENT_ASSERT(c);
	*c = (struct sim_call){ .next = w->calls, .id = w->next_call++, .life = s->life, .from = s, .target = target, .done = done, .arg = arg };
	c->body = c->answer = (struct ent_buf)ENT_BUF(ENT_HTTP_BODY_MAX);
	c->get = !strcmp(request->method, "GET");
	snprintf(c->path, sizeof c->path, "%s", request->url + used);
	ent_buf_put(&c->body, request->body.data, request->body.len);
	w->calls = c;
	if (!sim_dead(s)) {
		const struct sim_node *to = &w->nodes[target];
		bool right = !request->peer_key || !memcmp(request->peer_key, to->card.keys[ENT_KEY_TLS], 32);
		if (!c->get)
			sim_saw_note(s, note_of(request->body));
		if (sim_up(to) && right)
			sim_at_node(&w->nodes[target], 1 + sim_draw(w, 2 * w->delay_ms), "request", reach)->a = c->id;
	}
	sim_at_node(s, request->timeout_ms ? request->timeout_ms : 10000, "timeout", time_out)->a = c->id;
	return 0;
}

void sim_calls_end(struct sim_node *s, uint64_t life)
{
	for (struct sim_call *c = s->w->calls, *next; c; c = next) {
		next = c->next;
		if (c->from == s && c->life == life)
			end_call(c, false);
	}
}

int sim_get(struct sim_node *s, const char *path, struct ent_buf *ret)
{
	struct ent_http_request r = { .method = "GET", .url = path, .trusted = true };
	return serve(s, &r, ret);
}
