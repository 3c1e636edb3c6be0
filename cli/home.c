/* HOME as a folder on this machine: where it is, making one, and answering requests when no node runs in it. */
#include "cli/home.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/mover.h"
#include "cli/sources.h"
#include "node/node.h"
#include "os/disk.h"
#include "os/system.h"

struct ent_home {
	struct ent_runner runner; /* probes after the request that asks for it has returned */
	struct ent_fs *fs;
	struct ent_node *node;
	struct ent_sources *sources;
	struct ent_arena *arena;
	struct ent_probe *probe; /* wanted */
	struct ent_queue *queue;
	struct ent_mover *mover; /* made when a move is wanted */
	char path[4096];
};

int ent_home_path(const char *given, struct ent_buf *ret, struct ent_err *err)
{
	const char *env = getenv("ENTENTE_HOME"), *user = getenv("HOME");
	if (given)
		ent_buf_str(ret, given);
	else if (env && *env)
		ent_buf_str(ret, env);
	else if (user && *user)
		ent_buf_printf(ret, "%s/.local/share/entente", user);
	else
		return ent_fail(err, ENT_ECONFIG, "no home: neither -C, ENTENTE_HOME nor HOME is given");
	return ent_buf_check(ret, err);
}

int ent_home_disk(const char *path, struct ent_fs **ret, struct ent_err *err)
{
	int r = ent_disk_new(path, false, ret, err);
	if (r != ENT_ENOTFOUND)
		return r;
	ent_fail(err, ENT_ECONFIG, "there is no node in %s", path);
	return ent_next(err, "entente -C %s init --org NAME makes one", path);
}

static void disk_freep(struct ent_fs **fs) { ent_disk_free(*fs); }

int ent_home_init(const char *path, const json_t *args, json_t **ret_answer, struct ent_err *err)
{
	ENT_CLEANUP(disk_freep) struct ent_fs *fs = NULL;
	ENT_TRY(ent_disk_new(path, true, &fs, err));
	struct ent_node_env env = { .fs = fs, .clock = ent_system_clock(), .random = ent_system_random() };
	return ent_node_init(&env, args, ret_answer, err);
}

static struct ent_home *home_of(struct ent_runner *r) { return (struct ent_home *)(void *)r; }

static int home_probe(struct ent_runner *r, const struct ent_probe *probe, struct ent_err *err)
{
	struct ent_home *h = home_of(r);
	ent_arena_free(h->arena);
	h->arena = ent_arena_new(4 << 20);
	h->probe = h->arena ? ent_probe_copy(h->arena, probe) : NULL;
	return h->probe ? 0 : ent_nomem(err);
}

static int home_start(struct ent_runner *r, const struct ent_run_spec *spec, struct ent_err *err)
{
	(void)r;
	(void)spec;
	return ent_fail(err, ENT_ENONODE, "no node runs in this home");
}

static void home_cancel(struct ent_runner *r, const char *job, uint32_t attempt)
{
	(void)r;
	(void)job;
	(void)attempt;
}

static int home_move(struct ent_runner *r, const struct ent_move_spec *spec, struct ent_err *err)
{
	struct ent_home *h = home_of(r);
	if (!h->mover) {
		struct ent_mover_options o = {
			.queue = h->queue, .node = &h->node, .home = h->path, .memory_bytes = (size_t)1 << 30, .source_timeout_ms = 30000
		};
		ENT_TRY(ent_mover_new(&o, &h->mover, err));
	}
	return ent_mover_start(h->mover, spec, err);
}

static void home_move_cancel(struct ent_runner *r, const char *id)
{
	if (home_of(r)->mover)
		ent_mover_cancel(home_of(r)->mover, id);
}

static const struct ent_runner_ops home_ops = { home_probe, home_start, home_cancel, home_move, home_move_cancel };

static int home_start_all(struct ent_home *h, const char *path, struct ent_err *err)
{
	ENT_TRY(ent_home_disk(path, &h->fs, err));
	if (!realpath(path, h->path))
		return ent_fail(err, ENT_ECONFIG, "%s is no folder", path);
	ENT_TRY(ent_queue_new(&h->queue, err));
	struct ent_node_env env = { .fs = h->fs, .clock = ent_system_clock(), .random = ent_system_random(), .runner = &h->runner };
	return ent_node_open(&env, &h->node, err);
}

int ent_home_open(const char *path, struct ent_home **ret, struct ent_err *err)
{
	struct ent_home *h = ent_alloc(1, sizeof *h);
	if (!h)
		return ent_nomem(err);
	*h = (struct ent_home){ .runner = { &home_ops } };
	int r = home_start_all(h, path, err);
	if (r) {
		ent_home_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

void ent_home_close(struct ent_home *home)
{
	if (!home)
		return;
	if (home->mover)
		ent_mover_cancel(home->mover, NULL);
	while (home->mover && !ent_mover_idle(home->mover))
		ent_queue_drain(home->queue, 20);
	ent_node_close(home->node);
	home->node = NULL;
	if (home->queue) {
		ent_queue_drain(home->queue, 0);
		ent_queue_close(home->queue);
		ent_queue_drain(home->queue, 0);
		ent_queue_free(home->queue);
	}
	ent_mover_free(home->mover);
	ent_sources_free(home->sources);
	ent_disk_free(home->fs);
	ent_arena_free(home->arena);
	free(home);
}

struct home_reply {
	struct ent_reply reply;
	bool done;
	int code;
	json_t **answer;
	struct ent_buf *content;
	struct ent_err *err;
};

static void home_done(struct ent_reply *r, const json_t *answer, struct ent_bytes content, const struct ent_err *err)
{
	struct home_reply *h = (struct home_reply *)r;
	h->done = true;
	if (err) {
		h->code = err->code;
		if (h->err)
			*h->err = *err;
	}
	if (answer && h->answer)
		*h->answer = json_deep_copy(answer);
	if (h->content)
		ent_buf_put(h->content, content.data, content.len);
}

static int run_probe(struct ent_home *h)
{
	struct ent_err err = ENT_ERR_INIT;
	struct ent_probe_answer answer = { 0 };
	const struct ent_probe *probe = h->probe;
	h->probe = NULL;
	int r = h->sources ? 0 : ent_sources_new(h->path, 30000, 1u << 30, NULL, &h->sources, &err);
	if (!r)
		r = ent_sources_probe(h->sources, probe, &answer, &err);
	ent_node_probed(h->node, probe->id, r ? NULL : &answer.facts, r ? &err : NULL);
	ent_probe_answer_deinit(&answer);
	return r;
}

int ent_home_request(struct ent_home *home, const char *verb, const json_t *args, json_t **ret_answer, struct ent_buf *content, struct ent_err *err)
{
	struct home_reply reply = { .reply = { home_done }, .answer = ret_answer, .content = content, .err = err };
	ent_node_request(home->node, verb, args, &reply.reply);
	if (home->probe)
		(void)run_probe(home);
	while (!reply.done && home->mover && !ent_mover_idle(home->mover)) {
		ent_queue_drain(home->queue, 50);
		(void)ent_node_tick(home->node);
	}
	if (home->mover && !reply.done)
		ent_queue_drain(home->queue, 0);
	if (!reply.done) {
		ent_node_forget(home->node, &reply.reply);
		return ent_fail(err, ENT_ENONODE, "%s needs a running node", verb);
	}
	return reply.code ? reply.code : content ? ent_buf_check(content, err) : 0;
}
