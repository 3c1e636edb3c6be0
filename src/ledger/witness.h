/* The witness side of C2SP tlog-witness: answers POST /add-checkpoint for the logs it knows. It sees sizes and hashes, no entries.
 * The new checkpoint is durable before the cosignature exists anywhere else. */
#ifndef ENT_LEDGER_WITNESS_H
#define ENT_LEDGER_WITNESS_H
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "ledger/note.h"

struct ent_fork { /* two signed statements that cannot both be of one append-only log: proof for anybody */
	const char *origin;
	struct ent_bytes known, offered; /* signed notes; known may be empty when only a size is known */
	const char *what;                /* "two roots for one size", "not consistent", "rolled back" */
};

struct ent_witness_config { /* borrowed for the witness's life */
	struct ent_fs *fs;
	const char *dir; /* "witness" */
	struct ent_clock *clock;
	char name[ENT_NOTE_NAME_MAX + 1]; /* ent_card_witness_name */
	struct ent_signer signer;         /* the witness key */
	void *self;
	/* The key that signs checkpoints of that origin now; false: not a log we witness. */
	bool (*log_key)(void *self, const char *origin, uint8_t ret_pub[ENT_PUB_BYTES]);
	void (*alarm)(void *self, const struct ent_fork *fork); /* may be NULL */
};

struct ent_witness;
int ent_witness_open(const struct ent_witness_config *config, struct ent_witness **ret, struct ent_err *err);
void ent_witness_free(struct ent_witness *w);
/* Answers one request body. Always sets status and body: 200 cosignature line, 400, 403, 404, 409 + last size, 422, 500. */
void ent_witness_add(struct ent_witness *w, struct ent_bytes body, struct ent_http_answer *answer);
/* The last checkpoint cosigned for that origin, as note; ENT_ENOTFOUND when none. Peers ask for it after a restore. */
int ent_witness_last(struct ent_witness *w, const char *origin, struct ent_buf *ret, struct ent_err *err);
#endif
