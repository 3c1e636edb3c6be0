/* Frames of the party link: what travels on a control connection. Sans-I/O: bytes in, whole frames out.
 *
 * frame = length:32 big endian of what follows ‖ kind:8 ‖ payload. Kinds are below; an unknown one is refused. Bounds are checked before
 * anything is allocated. */
#ifndef ENT_WIRE_FRAME_H
#define ENT_WIRE_FRAME_H
#include "base/bytes.h"

#define ENT_FRAME_PAYLOAD_MAX (4u << 20)
#define ENT_FRAME_HEAD 5

enum ent_frame_kind {
	ENT_FRAME_HELLO = 1,   /* struct ent_hello */
	ENT_FRAME_MESSAGE = 2, /* a control message of the node */
	ENT_FRAME_PING = 3,    /* 8 bytes, answered by the same in PONG */
	ENT_FRAME_PONG = 4,
	ENT_FRAME_BYE = 5, /* text: why the connection is being closed */
};

struct ent_frame {
	enum ent_frame_kind kind;
	struct ent_bytes payload; /* lent until the next put */
};

/* Appends one frame. */
void ent_frame_encode(struct ent_buf *out, enum ent_frame_kind kind, struct ent_bytes payload);

struct ent_frame_parser {
	struct ent_buf buf;
	size_t at; /* start of the first frame not yet handed out */
	size_t payload_max;
};
void ent_frame_parser_init(struct ent_frame_parser *p, size_t payload_max);
void ent_frame_parser_deinit(struct ent_frame_parser *p);
/* Takes received bytes. ENT_ENOMEM. */
int ent_frame_parser_put(struct ent_frame_parser *p, struct ent_bytes bytes, struct ent_err *err);
/* 0 and a frame; ENT_EAGAIN when none is whole yet; ENT_EPEER when the bytes cannot be a frame. */
int ent_frame_parser_next(struct ent_frame_parser *p, struct ent_frame *ret, struct ent_err *err);

/* First frame in both directions. kind of connection: control, or one job link with its name. */
#define ENT_HELLO_VERSION 1
#define ENT_HELLO_NAME_MAX 200
struct ent_hello {
	uint16_t version;
	char org[32];                      /* [a-z][a-z0-9_]{0,30} */
	char software[32];                 /* printable ASCII, for people */
	uint64_t nonce;                    /* tie-break when both dialled */
	char link[ENT_HELLO_NAME_MAX + 1]; /* empty: control connection; else the job link's name */
};
void ent_hello_encode(struct ent_buf *out, const struct ent_hello *hello);                  /* payload only */
int ent_hello_decode(struct ent_bytes payload, struct ent_hello *ret, struct ent_err *err); /* ENT_EPEER */
#endif
