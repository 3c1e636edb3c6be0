/* The mesh on TLS 1.3 over TCP: one control connection per trusted peer, one connection per job link.
 *
 * One thread (the net thread) owns all control connections; events are handed to `post`, which queues them to the node thread. Who is trusted
 * is a list of pins, replaced at any time; a connection whose pin is gone is closed. Peers are dialled with growing pauses until they answer. */
#ifndef ENT_NET_TLS_MESH_H
#define ENT_NET_TLS_MESH_H
#include "base/log.h"
#include "base/mesh.h"
#include "crypto/sign.h"

struct ent_mesh_pin { /* one trusted peer, from its member card */
	char org[ENT_ORG_MAX + 1];
	uint8_t tls_key[ENT_SIGN_KEY_LEN];
	char address[272]; /* HOST:PORT, [V6]:PORT; empty = never dialled, only awaited */
};

enum ent_mesh_event {
	ENT_MESH_UP,      /* text: peer's software version */
	ENT_MESH_DOWN,    /* text: why */
	ENT_MESH_MESSAGE, /* bytes */
	ENT_MESH_REFUSED, /* somebody was refused: org as claimed or "" ; text: why, with address and key fingerprint in hex */
};

struct ent_mesh_options {
	const char *org;      /* own name */
	const char *listen;   /* HOST:PORT or [V6]:PORT, port 0 = any; NULL = dial only */
	const char *software; /* "entente 0.1.0" */
	uint8_t tls_secret[ENT_SIGN_KEY_LEN];
	uint32_t ping_ms;       /* 0 = 2000 */
	uint32_t silence_ms;    /* peer counts as dead after this long without a byte; 0 = 7500, so that death is known within 8 s */
	uint32_t redial_max_ms; /* longest pause between dials; 0 = 5000 */
	size_t link_bytes_max;  /* cap of bytes a job link buffers; 0 = 4 GiB */
	/* What one peer may have waiting and how fast it may speak. A message counts from its arrival until ent_tls_mesh_taken. A peer at its limit
	 * is not read until there is room: its own queue fills up, everybody else is served. */
	uint32_t inbox_messages_max; /* 0 = 512 */
	size_t inbox_bytes_max;      /* 0 = 8 MiB; one message may reach beyond */
	uint32_t frames_per_s;       /* 0 = 2000, in bursts of twice as many */
	/* Called on the net thread; text and bytes are lent for the call. Not 0: cannot be taken now, is told again a moment later. */
	int (*event)(void *arg, enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes);
	void *arg;
	const struct ent_log_sink *log; /* debug lines; may be NULL */
};

/* Listens and starts the net thread. Options are copied. ENT_ECONFIG (address), ENT_EIO (port taken: next says what to do). */
int ent_tls_mesh_new(const struct ent_mesh_options *options, struct ent_mesh **ret, struct ent_err *err);
void ent_tls_mesh_free(struct ent_mesh *m); /* job links must be freed before; says bye to peers; no event after it returns */
/* A message of len bytes was dealt with: org may send another. Any thread; not more than the messages delivered. */
void ent_tls_mesh_taken(struct ent_mesh *m, const char *org, size_t len);
/* Replaces the list of trusted peers. Any thread. */
int ent_tls_mesh_pins(struct ent_mesh *m, const struct ent_mesh_pin *pins, size_t n, struct ent_err *err);
uint16_t ent_tls_mesh_port(const struct ent_mesh *m); /* port listened on, 0 if none */
#endif
