/* Shared values and everything a party does to them alone.
 *
 * struct ent_bits: rows x planes bits, XOR-shared. Plane k holds bit k of every row (plane 0 = least significant), row r is bit r%64 of word r/64.
 * Planes follow each other without gap, so planes [a, a+c) are a view and an AND over all planes is one pass. Bits past the last row are noise.
 * struct ent_ring: rows 64-bit words, shared by sum mod 2^64.
 * An object with an owner owns its memory (deinit gives it back, and is fine on zeroed objects and views); a view has none.
 * Local functions cost no message. They assert on shapes (programmer errors) and fail only with ENT_ENOMEM. */
#ifndef ENT_MPC_SHARE_H
#define ENT_MPC_SHARE_H
#include "mpc/mpc.h"

struct ent_bits {
	size_t rows;
	unsigned planes;
	uint64_t *c[2]; /* components party and party+1, planes * ent_words(rows) words each */
	struct ent_mpc *owner;
};

struct ent_ring {
	size_t rows;
	uint64_t *c[2];
	struct ent_mpc *owner;
};

static inline size_t ent_words(size_t rows) { return (rows + 63) / 64; }

/* Whole rows: all bit columns of a table in one ent_bits, columns that are only summed or multiplied as rings beside them. */
#define ENT_ROWS_RINGS_MAX 24 /* compaction needs one of them for itself */
struct ent_rows {
	size_t rows;
	struct ent_bits bits; /* bits.planes may be 0 */
	unsigned rings;
	struct ent_ring ring[ENT_ROWS_RINGS_MAX];
};

/* Memory: zeroed = a sharing of 0. */
int ent_bits_new(struct ent_mpc *m, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err);
int ent_ring_new(struct ent_mpc *m, size_t rows, struct ent_ring *ret, struct ent_err *err);
int ent_rows_new(struct ent_mpc *m, size_t rows, unsigned planes, unsigned rings, struct ent_rows *ret, struct ent_err *err);
void ent_bits_deinit(struct ent_bits *b);
void ent_ring_deinit(struct ent_ring *r);
void ent_rows_deinit(struct ent_rows *r);
/* Moves: the source becomes empty. */
static inline struct ent_bits ent_bits_take(struct ent_bits *b)
{
	struct ent_bits t = *b;
	*b = (struct ent_bits){ 0 };
	return t;
}
static inline struct ent_ring ent_ring_take(struct ent_ring *r)
{
	struct ent_ring t = *r;
	*r = (struct ent_ring){ 0 };
	return t;
}

static inline struct ent_rows ent_rows_take(struct ent_rows *r)
{
	struct ent_rows t = *r;
	*r = (struct ent_rows){ 0 };
	return t;
}

/* View of planes [first, first+count): lives no longer than x. */
struct ent_bits ent_bits_planes(const struct ent_bits *x, unsigned first, unsigned count);

/* Bits. Outputs are new objects of x's shape unless said otherwise. */
int ent_bits_dup(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err);
int ent_bits_xor(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err);
int ent_bits_not(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err);
void ent_bits_flip(struct ent_mpc *m, struct ent_bits *x);          /* in place: complements every plane */
void ent_bits_xor_in(struct ent_bits *x, const struct ent_bits *y); /* in place: x ^= y; y of one plane goes to each plane of x */
void ent_bits_xor_public(struct ent_mpc *m, struct ent_bits *x, const uint64_t *planes); /* in place: x ^= public words, laid out as x */
void ent_bits_xor_const(struct ent_mpc *m, struct ent_bits *x, uint64_t value);          /* in place: every row ^= value (planes <= 64) */
int ent_bits_const(struct ent_mpc *m, size_t rows, unsigned planes, uint64_t value, struct ent_bits *ret, struct ent_err *err);
int ent_bits_index(struct ent_mpc *m, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err); /* row r holds r */
/* Columns side by side: parts[0] gets the lowest planes. All of equal rows. */
int ent_bits_stack(struct ent_mpc *m, const struct ent_bits *const *parts, size_t count, struct ent_bits *ret, struct ent_err *err);
/* Widens to planes (>= x's): the top plane is repeated when sign, else zeros. */
int ent_bits_widen(struct ent_mpc *m, const struct ent_bits *x, unsigned planes, bool sign, struct ent_bits *ret, struct ent_err *err);
/* Rows one below the other; rows [first, first+count); rows at public positions (row i of the output = row at[i] of x); one row repeated. */
int ent_bits_append(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err);
int ent_bits_range(struct ent_mpc *m, const struct ent_bits *x, size_t first, size_t count, struct ent_bits *ret, struct ent_err *err);
int ent_bits_gather(struct ent_mpc *m, const struct ent_bits *x, const uint32_t *at, size_t count, struct ent_bits *ret, struct ent_err *err);
/* Row r of the output = row r-1 of x; row 0 becomes public `first` (0 or 1) in every plane. */
int ent_bits_shift_down(struct ent_mpc *m, const struct ent_bits *x, bool first, struct ent_bits *ret, struct ent_err *err);
int ent_bits_shift_up(struct ent_mpc *m, const struct ent_bits *x, bool last, struct ent_bits *ret, struct ent_err *err); /* row r = row r+1 */

/* Rings. */
int ent_ring_dup(struct ent_mpc *m, const struct ent_ring *x, struct ent_ring *ret, struct ent_err *err);
int ent_ring_add(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err);
int ent_ring_sub(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err);
void ent_ring_add_in(struct ent_ring *x, const struct ent_ring *y);                      /* x += y */
void ent_ring_sub_in(struct ent_ring *x, const struct ent_ring *y);                      /* x -= y */
void ent_ring_scale(struct ent_ring *x, uint64_t factor);                                /* x *= public factor */
void ent_ring_add_const(struct ent_mpc *m, struct ent_ring *x, uint64_t value);          /* x += public value, every row */
void ent_ring_add_public(struct ent_mpc *m, struct ent_ring *x, const uint64_t *values); /* x += public values */
int ent_ring_const(struct ent_mpc *m, size_t rows, uint64_t value, struct ent_ring *ret, struct ent_err *err);
void ent_ring_running(struct ent_ring *x); /* in place: row r = sum of rows 0..r */
void ent_ring_delta(struct ent_ring *x);   /* in place: row r = row r - row r-1 (row 0 stays): undoes running */
int ent_ring_sum(struct ent_mpc *m, const struct ent_ring *x, struct ent_ring *ret, struct ent_err *err); /* one row: the total */
int ent_ring_append(struct ent_mpc *m, const struct ent_ring *x, const struct ent_ring *y, struct ent_ring *ret, struct ent_err *err);
int ent_ring_range(struct ent_mpc *m, const struct ent_ring *x, size_t first, size_t count, struct ent_ring *ret, struct ent_err *err);
int ent_ring_gather(struct ent_mpc *m, const struct ent_ring *x, const uint32_t *at, size_t count, struct ent_ring *ret, struct ent_err *err);
struct ent_ring ent_ring_view(const struct ent_ring *x, size_t first, size_t count); /* a view, unlike range */

/* Rows: the same over all columns. x and y have the same planes and rings. */
int ent_rows_append(struct ent_mpc *m, const struct ent_rows *x, const struct ent_rows *y, struct ent_rows *ret, struct ent_err *err);
int ent_rows_range(struct ent_mpc *m, const struct ent_rows *x, size_t first, size_t count, struct ent_rows *ret, struct ent_err *err);
int ent_rows_gather(struct ent_mpc *m, const struct ent_rows *x, const uint32_t *at, size_t count, struct ent_rows *ret, struct ent_err *err);

/* Clear helpers (no shares): `rows` words to `planes` planes and back. to_planes leaves zeros past the last row. */
void ent_planes_from_words(const uint64_t *words, size_t rows, unsigned planes, uint64_t *ret_planes);
void ent_planes_to_words(const uint64_t *planes_in, size_t rows, unsigned planes, uint64_t *ret_words); /* planes <= 64 */
#endif
