/* What the files of the mesh share. Everything here is under mesh.lock unless said otherwise; the net thread holds it except while it
 * polls and while it delivers events. */
#ifndef ENT_NET_MESH_INNER_H
#define ENT_NET_MESH_INNER_H
#include <netdb.h>
#include <poll.h>
#include <pthread.h>

#include "crypto/tls.h"
#include "net/job_link.h"
#include "net/tls_mesh.h"
#include "wire/frame.h"

#define ENT_CONN_OUT_MAX (64u << 20)
#define ENT_CONN_SETUP_MS 10000 /* connect, handshake and hello */
#define ENT_CONN_PARK_MS 60000  /* a job link nobody claimed */
#define ENT_CONN_STRANGERS_MAX 64
#define ENT_CONN_PARKED_MAX 64
#define ENT_CONN_PARKED_PER_PEER_MAX 16

enum ent_conn_state { ENT_CONN_CONNECTING, ENT_CONN_SHAKING, ENT_CONN_GREETING, ENT_CONN_LIVE, ENT_CONN_PARKED, ENT_CONN_CLOSING };

struct ent_conn { /* one TCP connection of the net thread */
	struct ent_conn *next;
	struct ent_tls_mesh *mesh;
	enum ent_conn_state state;
	int fd;
	struct ent_tls *tls;
	bool dialled, seen_key;
	bool more;                 /* TLS may hold bytes we have not taken yet */
	char org[ENT_ORG_MAX + 1]; /* from the pin, once the key was accepted; for a dialled one from the start */
	char address[64];
	uint8_t key[ENT_SIGN_KEY_LEN];
	struct ent_frame_parser parser;
	struct ent_buf out; /* frames not yet given to TLS */
	size_t out_at;
	struct ent_hello hello;               /* the peer's */
	bool held;                            /* not read: the peer has too much waiting here, or is too fast */
	struct ent_mesh_happening *up, *down; /* made before it is live: a death is told even without memory */
	uint64_t born_ms, heard_ms, pinged_ms;
	short events; /* to poll for */
	int poll_at;  /* place in the poll set, -1 = not in it */
};

struct ent_peer {
	struct ent_mesh_pin pin;
	struct ent_conn *live;
	struct ent_conn *dialling;
	uint64_t dial_at_ms;
	uint32_t pause_ms;
	bool asked;       /* the resolver works on its name */
	uint32_t waiting; /* messages delivered or about to be, not taken yet */
	size_t waiting_bytes;
	uint64_t frames_left, frames_ms; /* thousandths of a frame it may still send; when that was counted */
	uint64_t held_told_ms;
	char trouble[240];      /* why the last dial or connection ended */
	struct addrinfo *found; /* the resolver's answer */
	struct addrinfo *tried; /* the last one of them that was dialled */
};

#define ENT_CONN_PONG_OUT_MAX 65536 /* nobody's pings are answered beyond this much unsent */

struct ent_mesh_happening { /* an event on its way to the callback */
	struct ent_mesh_happening *next;
	enum ent_mesh_event event;
	char org[ENT_ORG_MAX + 1];
	char text[400];
	size_t len;
	uint8_t bytes[];
};

struct ent_refusal_seen {
	uint64_t hash, at_ms;
};

struct ent_tls_mesh {
	struct ent_mesh mesh;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* parked, live or stopped: wakes job_link */
	pthread_t thread;
	pthread_cond_t resolve; /* a peer's name waits for the resolver */
	bool stop;
	int refs; /* the owner and the resolver, which may be deep in a slow lookup when the owner leaves */
	int wake_fd, listen_fd;
	uint16_t port;
	char org[ENT_ORG_MAX + 1], software[32];
	uint64_t nonce; /* of this process: tells a restarted peer from a second connection */
	struct ent_mesh_options options;
	struct ent_tls_identity *identity;
	struct ent_peer *peers;
	size_t peers_count;
	struct ent_conn *conns;
	struct ent_link_group *group;
	struct pollfd *fds; /* the first poll set, taken over by the net thread */
	struct ent_mesh_happening *first, *last;
	struct ent_refusal_seen refusals[16];
	size_t refusals_at;
};

uint64_t ent_mesh_now_ms(void);
void ent_mesh_wake(struct ent_tls_mesh *m);
struct ent_peer *ent_mesh_peer(struct ent_tls_mesh *m, const char *org);
const struct ent_mesh_pin *ent_mesh_pin_by_key(struct ent_tls_mesh *m, const uint8_t key[ENT_SIGN_KEY_LEN]);
struct ent_mesh_happening *ent_mesh_happening_new(enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes); /* NULL */
void ent_mesh_tell(struct ent_tls_mesh *m, struct ent_mesh_happening *h);                                                                /* taken */
bool ent_mesh_happened(struct ent_tls_mesh *m, enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes);
/* May this live connection hand over one more frame now? Otherwise it is held. */
bool ent_mesh_may_speak(struct ent_conn *c);
void ent_mesh_spoke(struct ent_conn *c, const struct ent_frame *f);
/* A refusal, unless the same one was told within the last minute. */
void ent_mesh_refused(struct ent_tls_mesh *m, const struct ent_conn *c, const struct ent_err *why);

/* mesh_conn.c: one connection. NULL when memory is short; fd is then closed. */
struct ent_conn *ent_conn_new(struct ent_tls_mesh *m, int fd, bool dialled, const char *org);
void ent_conn_free(struct ent_conn *c); /* must be out of the list */
void ent_conn_step(struct ent_conn *c, short revents);
void ent_conn_send(struct ent_conn *c, enum ent_frame_kind kind, struct ent_bytes payload);
void ent_conn_push(struct ent_conn *c);                   /* gives TLS and the socket what they take */
void ent_conn_close(struct ent_conn *c, const char *why); /* DOWN if it was live; freed by the net thread later */
void ent_conn_hello(struct ent_tls_mesh *m, const char *link, struct ent_buf *out);
/* A live control connection or a parked link came to be (tls_mesh.c). */
void ent_mesh_arrived(struct ent_conn *c);

/* mesh_dial.c: addresses and dialling. */
void ent_mesh_dial_due(struct ent_tls_mesh *m, uint64_t now_ms);
void ent_mesh_dial_failed(struct ent_tls_mesh *m, const char *org);
int ent_mesh_resolver_start(struct ent_tls_mesh *m);
void ent_mesh_peer_clear(struct ent_peer *p);       /* its addresses */
void ent_mesh_unref_locked(struct ent_tls_mesh *m); /* gives the lock back; the last one frees */

/* mesh_job.c */
int ent_mesh_job_link(struct ent_mesh *m, const char *org, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err);
#endif
