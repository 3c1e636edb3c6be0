/* The context of one three-party job at one compute party: who we are, links to the two others, keys of the attempt, caps, counters.
 *
 * Parties are 0, 1, 2 in a ring. Party p holds components p and p+1 of every sharing (mod 2^64 for rings, XOR for bits) and the keys k_p (with p-1)
 * and k_{p+1} (with p+1). All three call the same operators in the same order with the same public arguments; a difference ends in ENT_EPEER.
 * Every function below returns 0 or: ENT_EPEER (link broke), ENT_ECANCELLED, ENT_ENOMEM (cap or memory), and leaves its outputs untouched then.
 * After a failed operator the context is dead: every later operator fails too. One thread uses a context at a time, except ent_mpc_cancel.
 * Rounds and bytes written at each operator are what one party waits for and sends; exact figures per party come from mpc/cost.h.
 * W(n) = 8 * ceil(n/64): the bytes of one bit plane of n rows on the wire. Every message carries 8 bytes more (operator and length), so that
 * parties that went different ways notice. Objects made with a context are given back (deinit) before the context is freed. */
#ifndef ENT_MPC_MPC_H
#define ENT_MPC_MPC_H
#include "base/clock.h"
#include "base/link.h"
#include "base/pool.h"

#define ENT_MPC_PARTIES 3

struct ent_mpc;

/* Why something may be opened. */
enum ent_mpc_permit {
	ENT_PERMIT_RANDOM,  /* its distribution depends on public sizes only: comparison outcomes after a shuffle, compaction destinations */
	ENT_PERMIT_FIXED,   /* fixed openings every plan lists */
	ENT_PERMIT_SIZES,   /* leak `sizes`, granted */
	ENT_PERMIT_PATTERN, /* leak `match-pattern`, granted */
	ENT_PERMIT_RESULT,  /* the result itself */
};

/* One opening, as recorded. */
struct ent_mpc_opening {
	const char *what; /* "result", "sort outcomes": static text of the caller */
	enum ent_mpc_permit permit;
	int to; /* party that learns it; ENT_MPC_TO_ALL; ENT_MPC_TO_OUTSIDE */
	uint64_t bits;
	uint32_t op; /* operator number within the job */
};
#define ENT_MPC_TO_ALL (-1)
#define ENT_MPC_TO_OUTSIDE (-2)

struct ent_mpc_counters {
	uint64_t rounds, bytes_sent, bytes_received, messages_sent; /* set-up not counted */
	uint64_t bits_opened, openings;
	size_t memory_used, memory_peak;
};

struct ent_mpc_options {
	int party;                    /* 0..2 */
	struct ent_link *next, *prev; /* [borrow] links to party+1 and party-1 */
	struct ent_random *random;    /* [borrow] 32 bytes per neighbour and 32 for the common key at set-up */
	struct ent_pool *pool;        /* [borrow] NULL = caller's thread only */
	size_t memory_max_bytes;      /* cap on all share memory of this context; 0 = 512 MiB */
	const char *job, *trio;       /* bound into the keys; must be equal at the three parties, as attempt must */
	uint32_t attempt;
	/* Called before each opening; non-zero stops the job before a share leaves. Here the `open` entry becomes durable. NULL = only the record. */
	int (*opening)(void *arg, const struct ent_mpc_opening *o, struct ent_err *err);
	void (*progress)(void *arg, uint64_t rounds_done); /* after each round; NULL = none */
	void *arg;
	/* Tests. record_prg: every PRG range drawn is noted, a range drawn twice aborts. opened: sees what opened to all. prg: replaces the PRG;
	 * fills out with words [word, word+words) of (key, op, stream); key = component 0..2, 3 = common key, 4 + component = permutations. */
	bool record_prg;
	void (*opened)(void *arg, const void *data, size_t bytes);
	void (*prg)(void *arg, int key, uint32_t op, uint16_t stream, uint64_t word, uint64_t *out, size_t words);
};

/* Exchanges 32 random bytes with each neighbour, derives the pairwise keys, the permutation keys and the common key.
 * One message of 96 bytes each way, not counted. ENT_EPEER when job, attempt or trio differ. */
int ent_mpc_new(const struct ent_mpc_options *options, struct ent_mpc **ret_mpc, struct ent_err *err);
void ent_mpc_free(struct ent_mpc *m); /* wipes keys; all share memory must have been given back */
static inline void ent_mpc_freep(struct ent_mpc **m) { ent_mpc_free(*m); }
void ent_mpc_cancel(struct ent_mpc *m); /* any thread: the running operator ends with ENT_ECANCELLED */

int ent_mpc_party(const struct ent_mpc *m);
struct ent_mpc_counters ent_mpc_counters(const struct ent_mpc *m);
/* Everything opened so far, in order. */
const struct ent_mpc_opening *ent_mpc_openings(const struct ent_mpc *m, size_t *ret_count);
#endif
