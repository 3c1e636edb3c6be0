/* Inside the engine: the context, share memory, randomness by (operator, stream), messages of one round. Not for other folders. */
#ifndef ENT_MPC_ENGINE_H
#define ENT_MPC_ENGINE_H
#include <stdatomic.h>

#include "crypto/prg.h"
#include "mpc/open.h"
#include "mpc/share.h"

#define TILE_WORDS 2048 /* 16 KiB: zero shares, products and the message of a tile stay in the first-level cache */
#define HEADER_BYTES 8
#define HELD_BYTES (TILE_WORDS * 8 + 64)
#define CACHE_BLOCKS 24
#define ROTATE_ROWS 2048 /* roles of input-like protocols go round every so many rows; 64 planes of them fill a tile */

/* Streams within one operator. Each names one use, so no two uses share PRG output. */
enum {
	STREAM_ZERO,
	STREAM_INPUT,
	STREAM_CROSS,
	STREAM_MASK1_BITS,
	STREAM_MASK1_RING,
	STREAM_MASK2_BITS,
	STREAM_MASK2_RING,
	STREAM_NEW_BITS,
	STREAM_NEW_RING,
	STREAM_PERMUTE,
	STREAM_OUTSIDE,
};

enum way { WAY_PREV, WAY_NEXT };

/* A message under way: header first, then payload in pieces, all counted. Small ones are collected and sent in one piece. */
struct wire {
	struct ent_link *link;
	uint64_t left;
	size_t held, at; /* bytes in buf; receiving: how many of them were taken */
	uint8_t *buf;
};

struct block { /* a freed piece of share memory, kept for the next object */
	void *at;
	size_t bytes;
};

struct ent_mpc {
	struct ent_mpc_options o;
	int party;
	struct ent_prg key[2]; /* components party and party+1: share masks */
	struct ent_prg perm[2];
	struct ent_prg common;
	struct ent_prg_watch *watch[5];
	bool dead;
	atomic_bool cancelled;
	uint32_t op, shuffles;
	struct ent_mpc_counters n;
	struct ent_mpc_opening *openings;
	size_t openings_count, openings_cap;
	uint64_t *tile[3]; /* TILE_WORDS each */
	uint8_t *held;     /* messages under way: to prev, to next, from prev, from next */
	struct block cache[CACHE_BLOCKS];
	size_t cached_bytes;
};

/* Component indices: this party holds component (party + j) % 3 as c[j]. True when c[j] is component 0, which carries public constants. */
static inline bool is_first(const struct ent_mpc *m, int j) { return (m->party + j) % 3 == 0; }
static inline int party_after(int p, int by) { return (p + by) % 3; }
static inline int log2_ceil(uint64_t n) { return n <= 1 ? 0 : 64 - __builtin_clzll(n - 1); }

/* Share memory, 64-byte aligned, not zeroed; counted against the cap. */
void *ent_mpc_get(struct ent_mpc *m, size_t bytes, struct ent_err *err);
void ent_mpc_put(struct ent_mpc *m, void *p); /* NULL is fine */
void ent_mpc_drop_cache(struct ent_mpc *m);
int ent_bits_make(struct ent_mpc *m, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err); /* not zeroed */
int ent_ring_make(struct ent_mpc *m, size_t rows, struct ent_ring *ret, struct ent_err *err);

/* A temporary block that gives itself back. */
struct scratch {
	struct ent_mpc *m;
	void *at;
};
void ent_mpc_scratch_free(struct scratch *s);
int ent_mpc_scratch(struct ent_mpc *m, size_t count, size_t size, struct scratch *ret, struct ent_err *err);

/* Starts an operator: fresh number for all streams, refuses dead or cancelled contexts. */
int ent_mpc_begin(struct ent_mpc *m, struct ent_err *err);
/* Ends one round: counts, reports progress, looks for cancel. */
int ent_mpc_round(struct ent_mpc *m, struct ent_err *err);
/* Marks the context dead when rc is a failure; returns rc. */
int ent_mpc_dies(struct ent_mpc *m, int rc);

/* Randomness of the running operator; word counts 64-bit words, even. Component j of this party. */
void ent_mpc_draw(struct ent_mpc *m, int j, uint16_t stream, uint64_t word, uint64_t *out, size_t words);
void ent_mpc_draw_common(struct ent_mpc *m, uint16_t stream, uint64_t word, uint64_t *out, size_t words);
void ent_mpc_draw_permute(struct ent_mpc *m, int j, uint16_t stream, uint64_t word, uint64_t *out, size_t words);
void ent_mpc_zero_xor(struct ent_mpc *m, uint64_t word, uint64_t *out, size_t words);
void ent_mpc_zero_sub(struct ent_mpc *m, uint64_t word, uint64_t *out, size_t words);

/* Messages: begin says the length, put/get move pieces, the last piece ends it. */
int ent_wire_send(struct ent_mpc *m, enum way way, uint64_t bytes, struct wire *ret, struct ent_err *err);
int ent_wire_put(struct ent_mpc *m, struct wire *w, const void *data, size_t len, struct ent_err *err);
int ent_wire_recv(struct ent_mpc *m, enum way way, uint64_t bytes, struct wire *ret, struct ent_err *err);
int ent_wire_get(struct ent_mpc *m, struct wire *w, void *data, size_t len, struct ent_err *err);

/* z = w ^ ((x ^ xx ^ not_x) & y) over `words` words; w and xx may be absent (NULL). z may be any of the inputs. Public ones and zeros: not_x. */
struct gate {
	const uint64_t *x[2], *xx[2], *y[2], *w[2];
	uint64_t *z[2];
	size_t words;
	bool not_x;
};
/* All gates in one round. */
int ent_gates_and(struct ent_mpc *m, const struct gate *gates, size_t count, struct ent_err *err);
/* Reshares what each party computed locally (sum of the three = value): adds a zero share, sends to prev, receives from next. One round. */
int ent_reshare_ring(struct ent_mpc *m, uint64_t *const mine[], uint64_t *const theirs[], const size_t *words, size_t count, struct ent_err *err);

/* The tree of < over planes: g[i] = x_i < y_i bitwise, e[i] = equal; leaves the result in plane 0 of g. In place. planes >= 1. */
int ent_tree_lt(struct ent_mpc *m, struct ent_bits *g, struct ent_bits *e, struct ent_err *err);
/* The AND tree over planes, in place; result in plane 0. */
int ent_tree_and(struct ent_mpc *m, struct ent_bits *e, struct ent_err *err);

/* Records an opening; the hook may refuse. Only open.c calls it. */
int ent_mpc_record(struct ent_mpc *m, struct ent_why why, int to, uint64_t bits, struct ent_err *err);
/* Whether two hashes of shares are equal: the verdict is public. */
bool ent_open_equal(const void *a, const void *b, size_t len);
/* Opens the low 32 bits of each word to all. 1 round, 4n bytes. */
int ent_mpc_open_low32(struct ent_mpc *m, struct ent_why why, const struct ent_ring *x, uint32_t *ret, struct ent_err *err);

/* Between planes and packed rows of ceil(planes/8) bytes without gaps. Packed buffers have 8 bytes more than their rows. */
void ent_rows_pack(const uint64_t *planes, size_t rows, unsigned count, uint8_t *ret_rows);
void ent_rows_unpack(const uint8_t *packed, size_t rows, unsigned count, uint64_t *ret_planes);
/* out row i = in row at[i]; any row length, no slack needed. */
void ent_rows_permute(const uint8_t *in, const uint32_t *at, size_t count, size_t bytes, uint8_t *out);

/* ANDs per row of one level of the prefix tree over this many carries (a2b). */
unsigned ent_sklansky_level(unsigned carries, unsigned level);
/* Words that hold the working rows of level d of a segmented scan over `words` words. */
size_t ent_half_words(size_t words, unsigned d);

/* Plane helpers. */
static inline uint64_t *plane(const struct ent_bits *b, int j, unsigned k) { return b->c[j] + (size_t)k * ent_words(b->rows); }
#endif
