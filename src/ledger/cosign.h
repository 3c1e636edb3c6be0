/* The log's side of witnessing: sends the signed checkpoint to every witness at once, gathers cosignatures, counts the quorum, raises fork alarms.
 * Never blocks: requests go out through ent_http, answers come in its callbacks on the same thread, the caller's timer ends a round. */
#ifndef ENT_LEDGER_COSIGN_H
#define ENT_LEDGER_COSIGN_H
#include "ledger/ledger.h"
#include "ledger/witness.h"

#define ENT_WITNESSES_MAX 64

/* others = members besides the log's owner: f = (others-1)/3, quorum = (others+f)/2+1; 0 when there are none. */
unsigned ent_quorum(unsigned others);

struct ent_cosign_peer {
	char org[ENT_ORG_MAX + 1];
	char url[600];                  /* https://HOST:PORT/add-checkpoint */
	uint8_t tls_key[ENT_PUB_BYTES]; /* whoever answers there must hold it */
	struct ent_note_key key;        /* ENT_NOTE_COSIGNATURE */
};

struct ent_cosign_config { /* borrowed */
	struct ent_ledger *ledger;
	struct ent_http *http;
	struct ent_clock *clock;
	uint32_t limit_ms; /* 0 = 1000 */
	void *self;
	/* A round ended: have lines of `peers` witnesses, quorum says whether they suffice. The ledger has them already. */
	void (*done)(void *self, const struct ent_checkpoint *checkpoint, unsigned have, unsigned peers, bool quorum);
	void (*alarm)(void *self, const char *org, const struct ent_fork *fork);
};

struct ent_cosign;
int ent_cosign_new(const struct ent_cosign_config *config, struct ent_cosign **ret, struct ent_err *err);
void ent_cosign_free(struct ent_cosign *c); /* answers that still come are ignored */
int ent_cosign_peers(struct ent_cosign *c, const struct ent_cosign_peer *peers, size_t count, struct ent_err *err); /* copied; ends a running round */
/* Starts a round for the ledger's last signed checkpoint; a running one ends as it stands. Without peers it is done at once. */
int ent_cosign_start(struct ent_cosign *c, struct ent_err *err);
bool ent_cosign_running(const struct ent_cosign *c);
uint64_t ent_cosign_due_ms(const struct ent_cosign *c); /* monotonic time of the round's end; UINT64_MAX: none */
void ent_cosign_tick(struct ent_cosign *c);             /* ends a round whose time is over */
#endif
