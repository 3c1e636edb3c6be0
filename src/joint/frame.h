/* A frame: secret rows between two operators. Parts are bit columns with fixed numbers; a part with no planes is absent.
 * Sorts and filters pack all parts into one object, move whole rows, and unpack views of it. */
#ifndef ENT_JOINT_FRAME_H
#define ENT_JOINT_FRAME_H
#include "joint/plan.h"
#include "joint/secure.h"

#define ENT_RELS_PARTS 16
#define ENT_PART_VALUE(leaf) ((unsigned)(2 * (leaf)))
#define ENT_PART_NULL(leaf) ((unsigned)(2 * (leaf) + 1))
#define ENT_PART_VALID (2u * ENT_LEAVES_MAX)
#define ENT_PART_ID(rel) (ENT_PART_VALID + 1 + (unsigned)(rel))                       /* row number within a relation */
#define ENT_PART_MATCHED(rel) (ENT_PART_ID(0) + ENT_RELS_PARTS + (unsigned)(rel))     /* LEFT JOIN found a partner */
#define ENT_PART_COUNTS(rel) (ENT_PART_MATCHED(0) + ENT_RELS_PARTS + (unsigned)(rel)) /* row is not the requester's own */
#define ENT_PART_LABEL(i) (ENT_PART_COUNTS(0) + ENT_RELS_PARTS + 2 * (unsigned)(i))
#define ENT_PART_LABEL_NULL(i) (ENT_PART_LABEL(i) + 1)
#define ENT_PART_ARG(i) (ENT_PART_LABEL(ENT_LABELS_MAX) + (unsigned)(i))
#define ENT_PART_COND(i) (ENT_PART_ARG(ENT_AGGS_MAX) + (unsigned)(i))
#define ENT_PART_FLAG(i) (ENT_PART_COND(ENT_CONDS_MAX) + (unsigned)(i))
#define ENT_PART_TEMP(i) (ENT_PART_FLAG(ENT_FLAGS_MAX) + (unsigned)(i))
#define ENT_PART_SEEN(i) (ENT_PART_TEMP(24) + (unsigned)(i)) /* counts of released groups, for the differencing guard */
#define ENT_PART_NONE_EVER ENT_PART_SEEN(ENT_SEEN_MAX)
#define ENT_PARTS_MAX (ENT_PART_NONE_EVER + 1)

struct ent_frame {
	size_t rows;
	struct ent_bits part[ENT_PARTS_MAX];
	struct ent_bits store; /* owns what views point into */
};

void ent_frame_deinit(struct ent_frame *f);
#define ENT_FRAME_AUTO ENT_CLEANUP(ent_frame_deinit) struct ent_frame
static inline bool ent_frame_has(const struct ent_frame *f, unsigned part) { return f->part[part].planes > 0; }
struct ent_bits ent_frame_view(const struct ent_frame *f, unsigned part); /* zero planes when absent */
/* Takes bits (owner or view of the frame's own store). */
void ent_frame_put(struct ent_frame *f, unsigned part, struct ent_bits *bits);
void ent_frame_drop(struct ent_frame *f, unsigned part);
void ent_frame_drop_range(struct ent_frame *f, unsigned first, unsigned end);
/* Sorts by the given parts, first = least significant; equal keys keep their order. */
int ent_frame_sort(struct ent_sx *x, struct ent_frame *f, const unsigned *keys, size_t n_keys, struct ent_err *err);
/* Keeps rows with the flag (a part); the number that stays is public. See ent_sx_filter. */
int ent_frame_filter(struct ent_sx *x, struct ent_frame *f, unsigned flag, size_t kept, struct ent_why why, struct ent_err *err);
/* a := rows of a, then rows of b; parts that one side lacks are zero there. b is emptied. */
int ent_frame_append(struct ent_sx *x, struct ent_frame *a, struct ent_frame *b, struct ent_err *err);
/* Packs everything into rows (f is emptied); ids tells which part lies where. unpack is the way back. */
struct ent_frame_layout {
	unsigned ids[ENT_PARTS_MAX], planes[ENT_PARTS_MAX];
	size_t n;
};
int ent_frame_pack(struct ent_sx *x, struct ent_frame *f, const unsigned *first, size_t n_first, struct ent_frame_layout *l, struct ent_rows *ret,
		   struct ent_err *err);
void ent_frame_unpack(struct ent_frame *f, const struct ent_frame_layout *l, struct ent_rows *rows);

/* ---- values of expressions ---- */
struct ent_val {
	struct ent_bits v, null; /* null has no planes when the value is never NULL; v is zero under NULL */
	struct ent_enc enc;
};
void ent_val_deinit(struct ent_val *v);
#define ENT_VAL_AUTO ENT_CLEANUP(ent_val_deinit) struct ent_val
/* Values may be views into the frame: they live until its parts change. */
int ent_joint_eval(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_expr *e, struct ent_want want,
		   struct ent_val *ret, struct ent_err *err);
int ent_joint_eval_cond(struct ent_sx *x, const struct ent_joint_plan *p, const struct ent_frame *f, const struct ent_jcond *c, struct ent_bits *ret,
			struct ent_err *err);
int ent_joint_val_widen(struct ent_sx *x, struct ent_val *v, unsigned bits, struct ent_err *err);
#endif
