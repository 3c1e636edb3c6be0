/* Nodes that are nothing but a mesh, with their events noted; and a middle that can freeze or change bytes. */
#ifndef ENT_TEST_MESH_KIT_H
#define ENT_TEST_MESH_KIT_H
#include <pthread.h>
#include <stdatomic.h>

#include "net/tls_mesh.h"

#define NOTES_MAX 4000

struct note {
	enum ent_mesh_event event;
	char org[32], text[400];
	size_t len;
	uint32_t first, hash; /* of the bytes */
};

struct node {
	char org[32];
	uint8_t secret[32], public_key[32];
	struct ent_mesh *mesh;
	struct ent_log_sink sink;
	pthread_mutex_t lock;
	struct note notes[NOTES_MAX];
	size_t count;
	uint32_t silence_ms, ping_ms;
	size_t link_bytes_max, inbox_bytes_max;
	uint32_t inbox_messages_max, frames_per_s;
	bool keep;     /* messages stay untaken */
	unsigned busy; /* so many events are not taken at first */
};

void node_keys(struct node *n, const char *org);
void node_start(struct node *n, const char *listen);
void node_stop(struct node *n);
/* Pins of the others, at the ports they listen on. */
void node_trust(struct node *n, struct node *const *others, size_t count);
struct ent_mesh_pin pin_of(const struct node *n, uint16_t port);
/* Waits for the nth (from 0) event of this kind from org ("" = any); NULL after five seconds. */
const struct note *node_wait(struct node *n, enum ent_mesh_event event, const char *org, size_t nth);
/* The same for events whose text holds the needle. */
const struct note *node_wait_text(struct node *n, enum ent_mesh_event event, const char *needle);
size_t node_count_text(struct node *n, enum ent_mesh_event event, const char *needle);
size_t node_count(struct node *n, enum ent_mesh_event event, const char *org);
bool wait_up(struct node *n, const char *org);
uint32_t hash_of(const void *data, size_t len);

struct middle { /* listens; passes bytes to 127.0.0.1:target both ways */
	pthread_t thread;
	int listen_fd;
	uint16_t port, target;
	atomic_bool stop, frozen;
	atomic_long flip_at; /* counted over all bytes from the caller; -1 = never */
	long passed;
};
void middle_start(struct middle *m, uint16_t target);
void middle_stop(struct middle *m);
#endif
