/* What the files of src/joint say to each other. */
#ifndef ENT_JOINT_INTERNAL_H
#define ENT_JOINT_INTERNAL_H
#include "joint/frame.h"

/* One participant's run. */
struct ent_run {
	const struct ent_joint_plan *p;
	const struct ent_joint_env *env; /* NULL in a dry pass */
	struct ent_sx x;
	struct ent_arena *arena;        /* of this run */
	int party;                      /* 0..2, or -1 */
	uint8_t hash_key[16];           /* SipHash of join keys: at the owners who hash, theirs alone; new in every attempt */
	struct ent_local *locals;       /* per source; ours are filled */
	struct ent_frame *label_tables; /* per leaf: code (TEMP 0) and key (TEMP 1) */
	bool opened;
	struct ent_frame_layout *ret_open; /* dry: where the shape of the output goes */
	struct ent_mpc *mpc;
	struct ent_bits totals[ENT_SEEN_MAX], dropped; /* one row: distinct rows in all of what the guard counts; a group was dropped */
	struct ent_bits anti[ENT_SQL_RELS_MAX];        /* one row: an anti-joined relation matched k rows over the whole join */
	struct ent_buf sealed[ENT_SOURCES_MAX];        /* requester: label tables received, per source */
	struct ent_joint_result *result;
};

/* Sealed label tables: ENT_LABEL_ROW bytes per row: id16, ciphertext of (be16 length, text, zeros), tag. */
#define ENT_LABEL_PLANES 192u /* of a label table beside the code: key, hash */
#define ENT_LABEL_TEXT 256u
#define ENT_LABEL_ROW (16u + ENT_LABEL_TEXT + 16u)

/* What an owner prepares from one source. */
struct ent_local {
	struct ent_plain plain;
	struct ent_plain *tables; /* per leaf of the plan, rows = 0 where there is none */
	struct ent_buf sealed;    /* label tables for the requester, leaf after leaf */
	uint64_t *words[ENT_LEAVES_MAX + 1];
	size_t n_words;
};
void ent_local_deinit(struct ent_local *l);
unsigned ent_joint_source_planes(const struct ent_joint_plan *p, const struct ent_jsource *s);
size_t ent_joint_table_rows(const struct ent_joint_plan *p, const struct ent_jsource *s, size_t leaf); /* label table; 0 = none */
size_t ent_joint_sealed_bytes(const struct ent_joint_plan *p, const struct ent_jsource *s);
int ent_joint_local(struct ent_run *r, size_t source, struct ent_local *ret, struct ent_err *err);
/* SELECT text and parameters of a source. */
int ent_joint_local_sql(struct ent_arena *arena, const struct ent_joint_plan *p, const struct ent_jsource *s, enum ent_dialect dialect,
			const char *relation, struct ent_printed *out, struct ent_err *err);
int ent_joint_params(struct ent_arena *arena, const struct ent_printed *printed, struct ent_param **ret, struct ent_err *err);

/* plan */
int ent_joint_plan_outputs(struct ent_joint_plan *p, struct ent_err *err);
int ent_joint_plan_one(struct ent_joint_plan *p, struct ent_err *err);
int ent_joint_dry(struct ent_joint_plan *p, struct ent_err *err);
/* Makes the owner's query and the table it looks like. k > 0: groups of fewer rows stay out, and cells over fewer non-NULL values are NULL. */
int ent_joint_derive(struct ent_arena *arena, const struct ent_rel *rel, const struct ent_decision *decision, uint32_t k,
		     struct ent_query **ret_query, struct ent_table **ret_table, struct ent_err *err);
bool ent_joint_maybe_null(const struct ent_joint_plan *p, const struct ent_expr *e);
struct ent_want ent_joint_null_want(const struct ent_joint_plan *p, const struct ent_expr *e);

/* the three-party part, live and dry */
int ent_joint_mpc(struct ent_run *r, struct ent_err *err);
int ent_joint_send_outside(struct ent_run *r, size_t source, struct ent_link *const links[3], struct ent_err *err);
int ent_joint_load(struct ent_run *r, uint16_t rel, struct ent_frame *ret, struct ent_err *err);
int ent_joint_join(struct ent_run *r, const struct ent_jjoin *j, struct ent_frame *frame, struct ent_frame *rel, struct ent_err *err);
/* Looks the label of every row up: part code -> parts key (128 planes) and hash (64), zero where there is none. */
int ent_joint_lookup(struct ent_run *r, size_t leaf, struct ent_frame *f, unsigned code, unsigned null, unsigned key, unsigned hash,
		     struct ent_err *err);
int ent_joint_project(struct ent_run *r, struct ent_frame *f, struct ent_err *err);
int ent_joint_group(struct ent_run *r, struct ent_frame *f, struct ent_err *err);
int ent_joint_output(struct ent_run *r, struct ent_frame *f, struct ent_err *err);
int ent_joint_before_open(struct ent_run *r, struct ent_err *err);

/* guard.c, rule 7: compares with earlier jobs, drops cells or refuses, and leaves this job's own record. f: released groups with label codes. */
int ent_joint_guard(struct ent_run *r, struct ent_frame *f, struct ent_err *err);
#define ENT_PART_LABEL_CODE(i) ENT_PART_VALUE(i) /* of a released text label: its hash under a key that stays */

/* the requester */
struct ent_cell {
	bool null;
	ent_i128 wide; /* bool, integers, scaled decimals, dates, timestamps */
	double real;
	struct ent_bytes text;
};
struct ent_opened {             /* what came out of MPC, in the clear */
	size_t rows, columns;   /* columns: labels, then aggregates */
	struct ent_cell *cells; /* rows * columns */
};
unsigned ent_joint_open_planes(const struct ent_joint_plan *p);
/* planes: what opened, laid out as plan->open says; rows 0 is fine. */
int ent_joint_decode(struct ent_run *r, const uint64_t *planes, size_t rows, struct ent_opened *ret, struct ent_err *err);
int ent_joint_requester_party(const struct ent_joint_plan *p);                                         /* -1: outside the trio */
int ent_joint_tell_rows(struct ent_run *r, uint64_t rows, struct ent_link **ret, struct ent_err *err); /* UINT64_MAX: the guard refused */
int ent_joint_labels_send(struct ent_run *r, struct ent_err *err);
int ent_joint_labels_receive(struct ent_run *r, struct ent_err *err);
int ent_joint_receive(struct ent_run *r, struct ent_err *err); /* requester outside the trio */
int ent_joint_finish(struct ent_arena *arena, const struct ent_joint_plan *p, const struct ent_opened *o, struct ent_joint_result *ret,
		     struct ent_err *err);
int ent_cell_compare(const struct ent_cell *a, const struct ent_cell *b, struct ent_type t); /* neither is NULL */
struct ent_builder;
int ent_cell_put(struct ent_builder *b, size_t column, struct ent_type t, const struct ent_cell *c, struct ent_err *err);
int ent_joint_schema(struct ent_arena *arena, const struct ent_query *q, struct ArrowSchema *ret, struct ent_err *err);
/* one owner: groups and cells under policy.md's rules, in the clear at the owner */
struct ent_one_rows {
	size_t rows, columns; /* labels, conditions from 1, arguments, row ids of protected relations */
	const struct ent_cell *cells;
};
int ent_one_aggregate(struct ent_run *r, const struct ent_one_rows *rows, struct ent_opened *ret, struct ent_err *err);
int ent_joint_run_one(struct ent_run *r, struct ent_err *err);
#endif
