#include "mesh_kit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/system.h"

uint32_t hash_of(const void *data, size_t len)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)data)[i]) * 16777619u;
	return h;
}

static int on_event(void *arg, enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes)
{
	struct node *n = arg;
	pthread_mutex_lock(&n->lock);
	if (n->busy) { /* as if memory were short */
		n->busy--;
		pthread_mutex_unlock(&n->lock);
		return 1;
	}
	ENT_ASSERT(n->count < NOTES_MAX);
	struct note *t = &n->notes[n->count++];
	*t = (struct note){ .event = event, .len = bytes.len, .hash = hash_of(bytes.data, bytes.len) };
	snprintf(t->org, sizeof t->org, "%s", org);
	snprintf(t->text, sizeof t->text, "%s", text);
	if (bytes.len >= 4)
		memcpy(&t->first, bytes.data, 4);
	bool keep = n->keep;
	pthread_mutex_unlock(&n->lock);
	if (event == ENT_MESH_MESSAGE && !keep)
		ent_tls_mesh_taken(n->mesh, org, bytes.len);
	return 0;
}

void node_keys(struct node *n, const char *org)
{
	snprintf(n->org, sizeof n->org, "%s", org);
	pthread_mutex_init(&n->lock, NULL);
	ENT_ASSERT(!ent_sign_keygen(ent_system_random(), n->secret, n->public_key, NULL));
}

/* NET_DEBUG=1 shows the debug lines. */
static void log_line(void *self, enum ent_level level, const char *event, const char *pairs)
{
	fprintf(stderr, "# %s %s %s %s\n", (const char *)self, ent_level_name(level), event, pairs);
}

void node_start(struct node *n, const char *listen)
{
	struct ent_mesh_options o = {
		.org = n->org, .listen = listen, .software = "entente test", .silence_ms = n->silence_ms, .event = on_event, .arg = n
	};
	struct ent_err err = ENT_ERR_INIT;
	n->sink = (struct ent_log_sink){ n->org, ENT_LOG_DEBUG, log_line };
	o.log = getenv("NET_DEBUG") ? &n->sink : NULL;
	o.ping_ms = n->ping_ms;
	o.inbox_messages_max = n->inbox_messages_max;
	o.inbox_bytes_max = n->inbox_bytes_max;
	o.frames_per_s = n->frames_per_s;
	o.redial_max_ms = 400;
	o.link_bytes_max = n->link_bytes_max;
	memcpy(o.tls_secret, n->secret, 32);
	if (ent_tls_mesh_new(&o, &n->mesh, &err)) {
		fprintf(stderr, "%s: %s\n", err.what, err.why);
		ENT_ASSERT(!"mesh starts");
	}
}

void node_stop(struct node *n)
{
	ent_tls_mesh_free(n->mesh);
	n->mesh = NULL;
}

struct ent_mesh_pin pin_of(const struct node *n, uint16_t port)
{
	struct ent_mesh_pin p = { 0 };
	snprintf(p.org, sizeof p.org, "%s", n->org);
	memcpy(p.tls_key, n->public_key, 32);
	if (port)
		snprintf(p.address, sizeof p.address, "127.0.0.1:%u", port);
	return p;
}

void node_trust(struct node *n, struct node *const *others, size_t count)
{
	struct ent_mesh_pin pins[8];
	size_t k = 0;
	for (size_t i = 0; i < count; i++)
		if (others[i] != n)
			pins[k++] = pin_of(others[i], others[i]->mesh ? ent_tls_mesh_port(others[i]->mesh) : 0);
	ENT_ASSERT(!ent_tls_mesh_pins(n->mesh, pins, k, NULL));
}

static const struct note *find(struct node *n, enum ent_mesh_event event, const char *org, size_t nth)
{
	const struct note *found = NULL;
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < n->count && !found; i++)
		if (n->notes[i].event == event && (!*org || !strcmp(n->notes[i].org, org)) && nth-- == 0)
			found = &n->notes[i];
	pthread_mutex_unlock(&n->lock);
	return found;
}

const struct note *node_wait(struct node *n, enum ent_mesh_event event, const char *org, size_t nth)
{
	for (int i = 0; i < 20000; i++) {
		const struct note *t = find(n, event, org, nth);
		if (t)
			return t;
		usleep(2000);
	}
	return NULL;
}

size_t node_count_text(struct node *n, enum ent_mesh_event event, const char *needle)
{
	size_t k = 0;
	const struct note *t;
	for (size_t i = 0; (t = find(n, event, "", i)); i++)
		k += strstr(t->text, needle) != NULL;
	return k;
}

const struct note *node_wait_text(struct node *n, enum ent_mesh_event event, const char *needle)
{
	const struct note *t;
	for (int turn = 0; turn < 20000; turn++) {
		for (size_t i = 0; (t = find(n, event, "", i)); i++)
			if (strstr(t->text, needle))
				return t;
		usleep(2000);
	}
	return NULL;
}

size_t node_count(struct node *n, enum ent_mesh_event event, const char *org)
{
	size_t k = 0;
	while (find(n, event, org, k))
		k++;
	return k;
}

bool wait_up(struct node *n, const char *org)
{
	for (int i = 0; i < 20000; i++) {
		if (n->mesh->ops->up(n->mesh, org))
			return true;
		usleep(2000);
	}
	return false;
}

struct pipe_pair {
	int a, b; /* caller, target */
};

static int dial(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool pass(struct middle *m, int from, int to, bool counted)
{
	static _Thread_local uint8_t buf[65536];
	ssize_t n = recv(from, buf, sizeof buf, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0;
	long flip = atomic_load(&m->flip_at);
	if (counted && flip >= m->passed && flip < m->passed + n)
		buf[flip - m->passed] ^= 0x20;
	if (counted)
		m->passed += n;
	return send(to, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

static void *middle_main(void *arg)
{
	struct middle *m = arg;
	struct pipe_pair pairs[32];
	size_t count = 0;
	while (!atomic_load(&m->stop)) {
		struct pollfd fds[65] = { { m->listen_fd, POLLIN, 0 } };
		for (size_t i = 0; i < count; i++) {
			fds[1 + 2 * i] = (struct pollfd){ pairs[i].a, POLLIN, 0 };
			fds[2 + 2 * i] = (struct pollfd){ pairs[i].b, POLLIN, 0 };
		}
		if (atomic_load(&m->frozen)) {
			usleep(5000);
			continue;
		}
		poll(fds, 1 + 2 * count, 20);
		for (size_t i = count; i-- > 0;) {
			bool alive = (!fds[1 + 2 * i].revents || pass(m, pairs[i].a, pairs[i].b, true)) &&
				     (!fds[2 + 2 * i].revents || pass(m, pairs[i].b, pairs[i].a, false));
			if (alive)
				continue;
			close(pairs[i].a);
			close(pairs[i].b);
			pairs[i] = pairs[--count];
		}
		if (fds[0].revents && count < 32) {
			int a = accept(m->listen_fd, NULL, NULL), b = dial(m->target);
			if (b >= 0)
				pairs[count++] = (struct pipe_pair){ a, b };
			else
				close(a);
		}
	}
	for (size_t i = 0; i < count; i++) {
		close(pairs[i].a);
		close(pairs[i].b);
	}
	close(m->listen_fd);
	return NULL;
}

void middle_start(struct middle *m, uint16_t target)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sa;
	*m = (struct middle){ .target = target, .flip_at = -1 };
	m->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	ENT_ASSERT(!bind(m->listen_fd, (struct sockaddr *)&sa, sizeof sa) && !listen(m->listen_fd, 16));
	ENT_ASSERT(!getsockname(m->listen_fd, (struct sockaddr *)&sa, &len));
	m->port = ntohs(sa.sin_port);
	ENT_ASSERT(!pthread_create(&m->thread, NULL, middle_main, m));
}

void middle_stop(struct middle *m)
{
	atomic_store(&m->stop, true);
	pthread_join(m->thread, NULL);
}
