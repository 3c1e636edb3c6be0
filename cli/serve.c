/* `entente serve`: binds disk, clock, mesh, HTTP and worker threads to the node core.
 *
 * One thread, this one, drives the node: everything others have to say comes through one queue. Server threads hand a request over and
 * wait for its answer; the mesh and the HTTP client post events; SIGTERM is waited for by a thread that posts the wish to stop. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "cli/home.h"
#include "cli/runner.h"
#include "crypto/secret.h"
#include "crypto/tls.h"
#include "net/tls_mesh.h"
#include "net/web.h"
#include "os/disk.h"
#include "os/system.h"

#define PINS_MAX 64 /* members a node can have */

struct server {
	struct ent_mesh mesh_face; /* stands for the mesh, which needs the node's keys before it can start */
	struct ent_mesh *mesh;
	pthread_mutex_t pins_lock; /* the HTTP gate asks who is a member */
	struct ent_mesh_pin pins[PINS_MAX];
	size_t n_pins;
	bool pins_due; /* memory was short when they changed */
	struct ent_log_sink log;
	pthread_mutex_t log_lock;
	FILE *log_file; /* HOME/serve.log */
	struct ent_queue *queue;
	struct ent_fs *fs;
	struct ent_http *http;
	struct ent_runner *runner;
	struct ent_node *node;
	struct ent_tls_identity *web_identity;
	struct ent_web_server *open_web, *local_web;
	char home[4096];
	bool stop;
	sigset_t signals;
};

/* ---- log ---- */

static void log_line(void *self, enum ent_level level, const char *event, const char *pairs)
{
	struct server *s = self;
	char time[ENT_TIME_LEN + 1];
	ent_time_format(ent_system_clock()->utc_ms(ent_system_clock()), time);
	pthread_mutex_lock(&s->log_lock);
	fprintf(stderr, "%s %s %s %s\n", time, ent_level_name(level), event, pairs);
	if (s->log_file) {
		fprintf(s->log_file, "%s %s %s %s\n", time, ent_level_name(level), event, pairs);
		fflush(s->log_file);
	}
	pthread_mutex_unlock(&s->log_lock);
}

static void open_log(struct server *s)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/serve.log", s->home);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	s->log_file = fd >= 0 ? fdopen(fd, "a") : NULL;
}

static void set_level(struct server *s)
{
	const char *name = ent_node_conf(s->node, "log_level");
	for (int level = ENT_LOG_DEBUG; level <= ENT_LOG_ERROR; level++)
		if (!strcmp(ent_level_name((enum ent_level)level), name))
			s->log.least = (enum ent_level)level;
}

/* ---- mesh ---- */

static struct server *server_of(struct ent_mesh *m) { return (struct server *)(void *)m; }

static int face_send(struct ent_mesh *m, const char *org, struct ent_bytes message, struct ent_err *err)
{
	struct ent_mesh *mesh = server_of(m)->mesh;
	return mesh ? mesh->ops->send(mesh, org, message, err) : ent_fail(err, ENT_EPEER, "no link to %s", org);
}

static bool face_up(struct ent_mesh *m, const char *org)
{
	struct ent_mesh *mesh = server_of(m)->mesh;
	return mesh && mesh->ops->up(mesh, org);
}

static int face_job_link(struct ent_mesh *m, const char *org, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err)
{
	struct ent_mesh *mesh = server_of(m)->mesh;
	return mesh->ops->job_link(mesh, org, name, timeout_ms, ret, err);
}

static void face_trouble(struct ent_mesh *m, const char *org, char *ret, size_t size)
{
	struct ent_mesh *mesh = server_of(m)->mesh;
	*ret = 0;
	if (mesh)
		mesh->ops->trouble(mesh, org, ret, size);
}

static const struct ent_mesh_ops face_ops = { face_send, face_up, face_job_link, face_trouble };

static void apply_pins(struct server *s)
{
	struct ent_err err = ENT_ERR_INIT;
	s->pins_due = s->mesh && ent_tls_mesh_pins(s->mesh, s->pins, s->n_pins, &err);
	if (s->pins_due)
		ent_log(&s->log, ENT_LOG_ERROR, "pins", "what=\"%s\"", err.what);
}

static void on_pins(void *self, const struct ent_pin *pins, size_t n)
{
	struct server *s = self;
	ENT_ASSERT(n <= PINS_MAX);
	pthread_mutex_lock(&s->pins_lock);
	for (size_t i = 0; i < n; i++) {
		struct ent_mesh_pin *p = &s->pins[i];
		*p = (struct ent_mesh_pin){ 0 };
		memcpy(p->org, pins[i].org, sizeof p->org);
		memcpy(p->tls_key, pins[i].tls_pub, sizeof p->tls_key);
		snprintf(p->address, sizeof p->address, "%s", pins[i].address);
	}
	s->n_pins = n;
	pthread_mutex_unlock(&s->pins_lock);
	apply_pins(s);
}

static bool is_member(void *arg, const uint8_t tls_key[32])
{
	struct server *s = arg;
	bool found = false;
	pthread_mutex_lock(&s->pins_lock);
	for (size_t i = 0; i < s->n_pins; i++)
		found |= ent_const_eq(s->pins[i].tls_key, tls_key, 32);
	pthread_mutex_unlock(&s->pins_lock);
	return found;
}

struct mesh_note {
	struct server *server;
	enum ent_mesh_event event;
	char org[ENT_ORG_MAX + 1], text[300];
	size_t len;
	uint8_t bytes[];
};

static void mesh_tell(void *arg)
{
	struct mesh_note *m = arg;
	struct ent_node *node = m->server->node;
	if (node && m->event == ENT_MESH_UP)
		ent_node_peer_up(node, m->org);
	else if (node && m->event == ENT_MESH_DOWN)
		ent_node_peer_down(node, m->org);
	else if (node && m->event == ENT_MESH_MESSAGE)
		ent_node_peer_message(node, m->org, ent_bytes(m->bytes, m->len));
	else if (node)
		ent_node_peer_refused(node, m->org, m->text);
	if (m->event == ENT_MESH_MESSAGE)
		ent_tls_mesh_taken(m->server->mesh, m->org, m->len);
	free(m);
}

static int on_mesh(void *arg, enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes)
{
	struct server *s = arg;
	struct mesh_note *m = malloc(sizeof *m + bytes.len);
	if (!m)
		return ENT_ENOMEM;
	*m = (struct mesh_note){ .server = s, .event = event, .len = bytes.len };
	snprintf(m->org, sizeof m->org, "%s", org ? org : "");
	snprintf(m->text, sizeof m->text, "%s", text ? text : "");
	if (bytes.len)
		memcpy(m->bytes, bytes.data, bytes.len);
	int r = ent_queue_post(s->queue, mesh_tell, m);
	if (r)
		free(m);
	return r == ENT_ENOMEM ? r : 0; /* once the node is stopping, nobody wants to know */
}

/* ---- HTTP ---- */

struct web_call {
	struct ent_api_sink sink; /* first */
	struct server *server;
	const struct ent_http_request *request;
	struct ent_http_answer *answer;
	struct ent_api_call *waiting;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
};

static void web_done(struct ent_api_sink *sink, const struct ent_http_answer *answer)
{
	struct web_call *c = (struct web_call *)sink;
	pthread_mutex_lock(&c->lock);
	c->answer->status = answer->status;
	c->answer->type = answer->type;
	ent_buf_put(&c->answer->body, answer->body.data, answer->body.len);
	c->done = true;
	pthread_cond_signal(&c->answered);
	pthread_mutex_unlock(&c->lock);
}

static void web_run(void *arg)
{
	struct web_call *c = arg;
	static const struct ent_http_answer stopping = { .status = 503 };
	if (c->server->node)
		ent_api_handle(c->server->node, c->request, &c->sink, &c->waiting);
	else
		web_done(&c->sink, &stopping);
}

static void handle(struct server *s, const struct ent_http_request *request, struct ent_http_answer *answer)
{
	struct web_call c = { .sink = { web_done },
			      .server = s,
			      .request = request,
			      .answer = answer,
			      .lock = PTHREAD_MUTEX_INITIALIZER,
			      .answered = PTHREAD_COND_INITIALIZER };
	if (ent_queue_post(s->queue, web_run, &c)) {
		answer->status = 503;
		return;
	}
	pthread_mutex_lock(&c.lock);
	while (!c.done)
		pthread_cond_wait(&c.answered, &c.lock);
	pthread_mutex_unlock(&c.lock);
}

static void on_local(void *self, const struct ent_http_request *request, struct ent_http_answer *answer) { handle(self, request, answer); }

/* The open port serves the ledger and witnesses; the API is for whoever may open the local socket, not for every user of this machine. */
static void on_open(void *self, const struct ent_http_request *request, struct ent_http_answer *answer)
{
	if (!strncmp(request->url, "/v1/", 4))
		answer->status = 404;
	else
		handle(self, request, answer);
}

static int post_to_node(void *arg, void (*fn)(void *arg), void *fn_arg) { return ent_queue_post(((struct server *)arg)->queue, fn, fn_arg); }

/* ---- start and stop ---- */

static void wish_stop(void *arg) { ((struct server *)arg)->stop = true; }

static void *signal_main(void *arg)
{
	struct server *s = arg;
	int got = 0;
	while (sigwait(&s->signals, &got) == EINTR)
		;
	(void)ent_queue_post(s->queue, wish_stop, s);
	return NULL;
}

/* Before any thread exists, so that only signal_main ever sees these signals. */
static int catch_signals(struct server *s, struct ent_err *err)
{
	pthread_t thread;
	sigemptyset(&s->signals);
	sigaddset(&s->signals, SIGTERM);
	sigaddset(&s->signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (pthread_create(&thread, NULL, signal_main, s))
		return ent_fail(err, ENT_ENOMEM, "no thread could be started");
	pthread_detach(thread);
	return 0;
}

static int start_mesh(struct server *s, struct ent_err *err)
{
	struct ent_mesh_options o = { .org = ent_node_org(s->node),
				      .listen = ent_node_conf(s->node, "listen"),
				      .software = "entente " ENT_VERSION,
				      .event = on_mesh,
				      .arg = s,
				      .log = &s->log };
	ENT_TRY(ent_node_tls_seed(s->node, o.tls_secret, err));
	int r = ent_tls_mesh_new(&o, &s->mesh, err);
	explicit_bzero(o.tls_secret, sizeof o.tls_secret);
	if (!r)
		apply_pins(s);
	return r;
}

/* One identity for both directions: what others pin of us, and what we show to them. */
static int start_web_tls(struct server *s, struct ent_err *err)
{
	uint8_t seed[32];
	ENT_TRY(ent_node_tls_seed(s->node, seed, err));
	int r = ent_tls_identity_web_new(ent_node_org(s->node), seed, &s->web_identity, err);
	if (!r)
		r = ent_web_client_identity(s->http, ent_node_org(s->node), seed, err);
	explicit_bzero(seed, sizeof seed);
	return r;
}

static int start_web(struct server *s, struct ent_err *err)
{
	char socket_path[4200];
	bool local_open = !strcmp(ent_node_conf(s->node, "http_local_open"), "yes");
	snprintf(socket_path, sizeof socket_path, "%s/node.sock", s->home);
	ENT_TRY(start_web_tls(s, err));
	struct ent_web_options o = { .listen = ent_node_conf(s->node, "http"),
				     .trust_loopback = local_open,
				     .plain_closed = !local_open,
				     .tls = s->web_identity,
				     .member = is_member,
				     .member_arg = s,
				     .body_bytes_max = 1 << 20,
				     .handler = { s, on_open } };
	ENT_TRY(ent_web_server_new(&o, &s->open_web, err));
	struct ent_web_options local = { .socket_path = socket_path, .handler = { s, on_local } };
	return ent_web_server_new(&local, &s->local_web, err);
}

static unsigned thread_count(const struct server *s)
{
	long given = strtol(ent_node_conf(s->node, "threads"), NULL, 10), have = sysconf(_SC_NPROCESSORS_ONLN);
	return (unsigned)(given > 0 ? given : have > 0 ? have : 1);
}

/* The runner needs the configuration, the node needs the runner: the node sees a face until the threads exist. */
struct runner_face {
	struct ent_runner face;
	struct server *server;
};

static int lazy_probe(struct ent_runner *r, const struct ent_probe *probe, struct ent_err *err)
{
	struct ent_runner *real = ((struct runner_face *)(void *)r)->server->runner;
	return real->ops->probe(real, probe, err);
}

static int lazy_start(struct ent_runner *r, const struct ent_run_spec *spec, struct ent_err *err)
{
	struct ent_runner *real = ((struct runner_face *)(void *)r)->server->runner;
	return real->ops->start(real, spec, err);
}

static void lazy_cancel(struct ent_runner *r, const char *job, uint32_t attempt)
{
	struct ent_runner *real = ((struct runner_face *)(void *)r)->server->runner;
	if (real)
		real->ops->cancel(real, job, attempt);
}

static int lazy_move(struct ent_runner *r, const struct ent_move_spec *spec, struct ent_err *err)
{
	struct ent_runner *real = ((struct runner_face *)(void *)r)->server->runner;
	return real->ops->move(real, spec, err);
}

static void lazy_move_cancel(struct ent_runner *r, const char *id)
{
	struct ent_runner *real = ((struct runner_face *)(void *)r)->server->runner;
	real->ops->move_cancel(real, id);
}

static const struct ent_runner_ops lazy_ops = { lazy_probe, lazy_start, lazy_cancel, lazy_move, lazy_move_cancel };

static int start_runner(struct server *s, struct ent_err *err)
{
	struct ent_thread_runner_options o = { .queue = s->queue,
					       .node = &s->node,
					       .mesh = &s->mesh_face,
					       .random = ent_system_random(),
					       .home = s->home,
					       .log = &s->log,
					       .threads = thread_count(s),
					       .memory_bytes = (size_t)strtoul(ent_node_conf(s->node, "memory_mb"), NULL, 10) << 20,
					       .source_timeout_ms = (uint32_t)strtoul(ent_node_conf(s->node, "source_timeout_ms"), NULL, 10) };
	return ent_thread_runner_new(&o, &s->runner, err);
}

static int start_all(struct server *s, const char *path, struct runner_face *face, struct ent_err *err)
{
	ENT_TRY(ent_home_disk(path, &s->fs, err));
	if (!realpath(path, s->home))
		return ent_fail(err, ENT_ECONFIG, "%s is no folder", path);
	ENT_TRY(ent_queue_new(&s->queue, err));
	ENT_TRY(catch_signals(s, err));
	ENT_TRY(ent_web_client_new(post_to_node, s, "entente/" ENT_VERSION, &s->http, err));
	struct ent_node_env env = { .fs = s->fs,
				    .clock = ent_system_clock(),
				    .random = ent_system_random(),
				    .mesh = &s->mesh_face,
				    .http = s->http,
				    .runner = &face->face,
				    .log = &s->log,
				    .self = s,
				    .pins = on_pins };
	ENT_TRY(ent_node_open(&env, &s->node, err));
	open_log(s);
	set_level(s);
	ENT_TRY(start_runner(s, err));
	ENT_TRY(start_mesh(s, err));
	return start_web(s, err);
}

static void say_ready(const struct server *s)
{
	printf("ready %s listen=%s http=%s home=%s\n", ent_node_org(s->node), ent_node_conf(s->node, "listen"), ent_node_conf(s->node, "http"),
	       s->home);
	fflush(stdout);
}

static void loop(struct server *s)
{
	struct ent_clock *clock = ent_system_clock();
	while (!s->stop) {
		if (s->pins_due)
			apply_pins(s);
		uint64_t due = ent_node_tick(s->node), now = clock->mono_ms(clock);
		ent_queue_drain(s->queue, due <= now ? 0 : due - now > 1000 ? 1000 : (uint32_t)(due - now));
	}
}

/* The order matters: no work, no node, no posts, no servers; what still waits in the queue is told that the node is gone. */
static void stop_all(struct server *s)
{
	while (s->runner && !ent_thread_runner_stop(s->runner))
		ent_queue_drain(s->queue, 20);
	ent_node_close(s->node);
	s->node = NULL;
	if (s->queue) {
		ent_queue_drain(s->queue, 0);
		ent_queue_close(s->queue);
		ent_queue_drain(s->queue, 0);
	}
	if (s->open_web)
		ent_web_server_free(s->open_web);
	if (s->local_web)
		ent_web_server_free(s->local_web);
	ent_tls_identity_free(s->web_identity);
	if (s->mesh)
		ent_tls_mesh_free(s->mesh);
	if (s->http)
		ent_web_client_free(s->http);
	ent_thread_runner_free(s->runner);
	ent_disk_free(s->fs);
}

int ent_serve(const char *path, struct ent_err *err)
{
	static struct server s; /* outlives the signal thread */
	struct runner_face face = { { &lazy_ops }, &s };
	s = (struct server){ .mesh_face = { &face_ops },
			     .log = { &s, ENT_LOG_INFO, log_line },
			     .log_lock = PTHREAD_MUTEX_INITIALIZER,
			     .pins_lock = PTHREAD_MUTEX_INITIALIZER };
	int r = start_all(&s, path, &face, err);
	if (!r) {
		say_ready(&s);
		loop(&s);
		ent_log(&s.log, ENT_LOG_INFO, "stop", "org=%s", ent_node_org(s.node));
	}
	stop_all(&s);
	return r;
}
