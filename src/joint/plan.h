/* The physical plan inside src/joint. Built by plan.c and its helpers in one arena, immutable afterwards; run.c walks it.
 *
 * Words: a *leaf* is one column that owners compute in their own SQL and ship as bit planes (a value part and a null part). A *source* is one
 * base table that feeds a relation (several for UNION ALL). A *condition* is one bit per joined row: "this row enters that aggregate". */
#ifndef ENT_JOINT_PLAN_H
#define ENT_JOINT_PLAN_H
#include "joint/joint.h"

#define ENT_LEAVES_MAX 64
#define ENT_SOURCES_MAX 32
#define ENT_AGGS_MAX 24
#define ENT_CONDS_MAX 24
#define ENT_FLAGS_MAX 64
#define ENT_GROUPS_MAX 12
#define ENT_LABELS_MAX 32
#define ENT_SEEN_MAX 32

enum ent_enc_kind {
	ENT_ENC_INT,   /* two's complement (bool: one unsigned bit); decimals scaled */
	ENT_ENC_REAL,  /* order-preserving 64-bit image of a double */
	ENT_ENC_FIXED, /* double times 2^fraction, two's complement: only inside sums */
	ENT_ENC_HASH,  /* SipHash of the canonical tuple: only = and <> */
	ENT_ENC_CODE   /* rank in the owner's byte-sorted dictionary; label table beside it. UNION: SipHash, equality only */
};

struct ent_enc {
	enum ent_enc_kind kind;
	unsigned bits;
	bool sign;
	unsigned fraction;
};

struct ent_leaf {
	uint16_t rel;
	const struct ent_expr **exprs; /* over the relation's columns; more than one only for ENT_ENC_HASH tuples */
	size_t n_exprs;
	struct ent_enc enc;
	bool nullable;     /* at the source */
	size_t until;      /* last stage that needs it, see stage */
	size_t label_rows; /* ENT_ENC_CODE: rows of the label table over all sources; else 0 */
};

struct ent_jsource {
	uint16_t rel;
	const struct ent_table *table;   /* as the query sees it */
	const struct ent_table *base;    /* where the rows are: the same, but for a derived source */
	struct ent_query *derived;       /* subquery with GROUP BY that the owner runs; its columns are table's; or NULL */
	struct ent_expr *const *columns; /* relation column -> expression over the table's own columns (rel 0); NULL = identity */
	struct ent_expr *where;          /* over the table's columns, pushed; or NULL */
	size_t rows;                     /* pad(T) */
	size_t first_row;                /* place within the relation */
	int party;                       /* 0..2, or -1: outside the trio */
	bool counts;                     /* rows count towards minimum groups: not the requester's own */
};

struct ent_jrel {
	size_t first_source, n_sources, rows;
	bool nullable; /* right side of a LEFT JOIN */
	bool is_protected;
	bool outer; /* rule 5 holds for it */
	bool anti;  /* and the query keeps only what it does not match */
	uint32_t k;
	bool in_grain; /* each joined row holds a distinct row of it */
	bool mixed;    /* some sources count, some do not */
	bool wants_id; /* protected and outside the grain: carries a row id */
};

struct ent_jkey {
	size_t left, right; /* leaves */
	unsigned bits;
};

struct ent_jjoin {
	uint16_t rel;
	bool left;
	bool frame_is_one; /* the frame so far is the unique side */
	struct ent_jkey *keys;
	size_t n_keys;
	const struct ent_expr **on; /* LEFT only: conjuncts evaluated after matching */
	size_t n_on;
};

struct ent_jlabel { /* a group key, MIN/MAX or row column that opens */
	const struct ent_expr *expr;
	struct ent_enc enc;
	int leaf; /* when enc is ENT_ENC_CODE */
};

struct ent_jagg {
	const struct ent_expr *expr; /* ENT_X_AGG */
	struct ent_enc enc;          /* of the argument: SUM, AVG, MIN, MAX */
	int leaf;                    /* ENT_ENC_CODE argument of MIN/MAX, else -1 */
	unsigned cond;               /* rows that enter */
	unsigned selectors[8];       /* the decision's conditions: each needs >= k with complement 0 or >= k (rule 4) */
	size_t n_selectors;
	bool guarded; /* NULL unless enough rows enter (rule 4) */
};

struct ent_jcond {                      /* condition 0 = every valid row */
	const struct ent_expr *filter;  /* true, or NULL */
	const struct ent_expr *nonnull; /* is not NULL, or NULL */
	int matched;                    /* rows that found a partner in this relation (right side of a LEFT JOIN), or -1 */
};

struct ent_jseen { /* rule 7: distinct rows of a relation that enter a selection of the decision */
	uint32_t selection;
	uint16_t rel;
	unsigned cond;
	bool derived; /* they are groups of a subquery */
};

struct ent_jflag { /* counts distinct rows of a relation with (or without) a condition, per group */
	int rel;   /* ENT_FLAG_ROWS: joined rows */
	unsigned cond;
	bool complement;
};
#define ENT_FLAG_ROWS (-1)

struct ent_joint_plan {
	struct ent_arena *arena;
	struct ent_joint_inputs in;
	const struct ent_query *query; /* subqueries without aggregates folded in */
	struct ent_jrel *rels;
	size_t n_rels;
	struct ent_jsource sources[ENT_SOURCES_MAX];
	size_t n_sources;
	struct ent_leaf leaves[ENT_LEAVES_MAX];
	size_t n_leaves;
	struct ent_jjoin *joins;
	size_t n_joins;
	const struct ent_expr **residual; /* conjuncts of WHERE that need several owners */
	size_t n_residual;
	struct ent_jlabel labels[ENT_LABELS_MAX]; /* GROUP BY keys, or the shown leaves when there is no aggregate */
	size_t n_labels;
	struct ent_jagg aggs[ENT_AGGS_MAX];
	size_t n_aggs;
	struct ent_jcond conds[ENT_CONDS_MAX];
	size_t n_conds;
	struct ent_jflag flags[ENT_FLAGS_MAX];
	size_t n_flags;
	struct ent_jseen seen[ENT_SEEN_MAX]; /* by selection */
	size_t n_seen;
	size_t stage;          /* while planning: 2i = keys of join i, 2i+1 = its ON, 2 n_joins = all that follows */
	size_t rows;           /* joined rows */
	unsigned count_bits;   /* planes that hold a count plus k */
	bool protects;         /* any protected relation */
	bool remainder;        /* rule 6 holds */
	const char *one_owner; /* or NULL */
	const char **participants;
	size_t n_participants;
	struct ent_frame_layout *open; /* what opens to the requester, plane by plane */
	struct ent_step *steps;
	size_t n_steps;
	struct ent_joint_cost cost;
};

/* push.c: what an owner can compute alone */
bool ent_joint_expr_rel(const struct ent_expr *e, uint16_t *ret_rel); /* exactly one relation */
bool ent_joint_pushable(const struct ent_joint_plan *p, const struct ent_expr *e, uint16_t *ret_rel);
bool ent_joint_expr_nullable(const struct ent_joint_plan *p, const struct ent_expr *e);
/* Bits of magnitude: |value| < 2^bits; 0 = unknown (floats without a bound). */
unsigned ent_joint_table_bits(const struct ent_table *t, const struct ent_expr *e); /* over a base table's own columns */
unsigned ent_joint_expr_bits(const struct ent_joint_plan *p, const struct ent_expr *e);
/* The expression over the source's own columns (rel 0). */
struct ent_expr *ent_joint_subst(struct ent_arena *arena, const struct ent_jsource *s, const struct ent_expr *e);

/* leaves.c */
enum ent_mode {
	ENT_MODE_VALUE,
	ENT_MODE_HASH,
	ENT_MODE_FIXED,
	ENT_MODE_LABEL /* as VALUE, but whole-numbered doubles of one owner (floor(x / 5) * 5) travel as short integers */
};
struct ent_want {
	enum ent_mode mode;
	unsigned fraction;
};
/* Registers every leaf that evaluating e needs; refuses by name what MPC cannot do across owners. ret_enc: encoding of e's value. */
int ent_joint_need(struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want, struct ent_enc *ret_enc, struct ent_err *err);
/* Encoding of a leaf's value; CODE and FIXED widths are filled in by leaf_add. */
enum ent_enc_kind ent_joint_leaf_kind(const struct ent_joint_plan *p, const struct ent_expr *e, struct ent_want want);
int ent_joint_leaf_find(const struct ent_joint_plan *p, uint16_t rel, const struct ent_expr *const *exprs, size_t n, enum ent_enc_kind kind,
			unsigned fraction);
int ent_joint_leaf_add(struct ent_joint_plan *p, uint16_t rel, const struct ent_expr **exprs, size_t n, struct ent_want want, size_t *ret,
		       struct ent_err *err);
/* Most distinct texts an expression can have at one source: rows of its label table. */
size_t ent_joint_source_distinct(const struct ent_jsource *s, const struct ent_expr *e);
struct ent_enc ent_joint_enc_common(struct ent_enc a, struct ent_enc b);
struct ent_enc ent_joint_enc_const(const struct ent_expr *e, struct ent_want want);
uint64_t ent_joint_const_word(const struct ent_expr *e, struct ent_enc enc);
uint64_t ent_joint_real_image(double v);
double ent_joint_image_real(uint64_t image);

unsigned ent_joint_log2(size_t n); /* ceil(log2 n), at least 1 */
#endif
