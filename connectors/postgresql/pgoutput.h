/* Logical replication's messages (plugin pgoutput, protocol versions 1 to 4) and the frames around them: bytes in, one message out. No
 * connection, no catalogue; everything lent points into the bytes given. Layout: PostgreSQL manual, "Logical Replication Message Formats". */
#ifndef ENT_POSTGRESQL_PGOUTPUT_H
#define ENT_POSTGRESQL_PGOUTPUT_H
#include "base/bytes.h"

#define ENT_PGOUT_COLUMNS_MAX 1664

enum ent_pgout_kind {
	ENT_PGOUT_BEGIN,
	ENT_PGOUT_COMMIT,
	ENT_PGOUT_RELATION,
	ENT_PGOUT_INSERT,
	ENT_PGOUT_UPDATE,
	ENT_PGOUT_DELETE,
	ENT_PGOUT_TRUNCATE,
	ENT_PGOUT_STREAM_START,
	ENT_PGOUT_STREAM_STOP,
	ENT_PGOUT_STREAM_COMMIT,
	ENT_PGOUT_STREAM_ABORT,
	ENT_PGOUT_PREPARE, /* begin prepare, prepare, stream prepare */
	ENT_PGOUT_COMMIT_PREPARED,
	ENT_PGOUT_ROLLBACK_PREPARED,
	ENT_PGOUT_OTHER /* origins, types, messages of other programs: nothing to do */
};

struct ent_pgout_value {
	char kind; /* 'n' NULL, 'u' unchanged and not repeated, 't' text, 'b' binary */
	struct ent_bytes bytes;
};

struct ent_pgout_tuple {
	size_t n;
	struct ent_pgout_value values[ENT_PGOUT_COLUMNS_MAX];
};

struct ent_pgout_column {
	bool key; /* part of the replica identity */
	const char *name;
	uint32_t oid;
	int32_t modifier;
};

struct ent_pgout_msg {
	enum ent_pgout_kind kind;
	uint32_t relation, xid;     /* xid: BEGIN, and messages inside a stream block */
	uint64_t lsn, end_lsn;      /* BEGIN: lsn of the commit; COMMIT: both */
	int64_t time_us;            /* UTC, since 1970 */
	const char *schema, *table; /* RELATION */
	char identity;              /* RELATION: 'd' default, 'n' nothing, 'f' full, 'i' index */
	char old_kind;              /* UPDATE, DELETE: 'K' key, 'O' whole old row, 0 none */
	size_t n_columns;           /* RELATION */
	struct ent_pgout_column columns[ENT_PGOUT_COLUMNS_MAX];
	struct ent_pgout_tuple old, now;
	struct ent_bytes relations; /* TRUNCATE: be32 each */
};

struct ent_pgout { /* one stream of messages */
	unsigned version;
	bool in_stream; /* between stream start and stop, messages carry their transaction */
};

/* One message. ENT_EDATA: not a message of this protocol, or cut. */
int ent_pgout_decode(struct ent_pgout *d, struct ent_bytes message, struct ent_pgout_msg *ret, struct ent_err *err);

struct ent_pgout_frame {     /* what comes over COPY BOTH */
	bool data;           /* a message; else a keepalive */
	bool reply;          /* keepalive: the server wants to hear from us now */
	uint64_t start, end; /* keepalive: end of what was sent */
	struct ent_bytes message;
};
int ent_pgout_frame(struct ent_bytes bytes, struct ent_pgout_frame *ret, struct ent_err *err);
/* Standby status update: everything up to lsn is durable here. now_us: UTC since 1970. */
#define ENT_PGOUT_STATUS_BYTES 34
void ent_pgout_status(uint64_t lsn, int64_t now_us, bool reply, uint8_t out[ENT_PGOUT_STATUS_BYTES]);
#endif
