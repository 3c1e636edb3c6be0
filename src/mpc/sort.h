/* Sorting and what needs sorted or marked rows. */
#ifndef ENT_MPC_SORT_H
#define ENT_MPC_SORT_H
#include "mpc/open.h"

/* What a sort did: with n it determines rounds and bytes exactly (ent_cost_sort_actual). */
struct ent_sort_stats {
	uint64_t levels, comparisons, words; /* words = sum over levels of ent_words(comparisons of the level) */
};

/* Sorts whole rows in place, ascending by planes [key_first, key_first+key_planes) of x->bits as one unsigned number; equal keys keep their order.
 * A secret row id (ceil(log2 n) planes) is the tie-break, rows are shuffled, then quicksort on opened comparison outcomes: their distribution depends
 * on n only. Segments of <= 8 rows are finished by all pairs. Rounds and bytes: ent_cost_sort (mean, sd). Hamada et al. ICISC 2012. */
int ent_mpc_sort(struct ent_mpc *m, struct ent_rows *x, unsigned key_first, unsigned key_planes, struct ent_sort_stats *ret_stats,
		 struct ent_err *err);

/* Rows with flag 1 first, then the others, both in order. The number of ones stays secret; the destinations opened are a random permutation.
 * flag is one plane; it is not moved (put it into x too if it is needed). x is replaced. B2A, 1 product, shuffle, 1 opening of 32 bits per row. */
int ent_mpc_compact(struct ent_mpc *m, struct ent_rows *x, const struct ent_bits *flag, struct ent_err *err);

/* Drops the rows with flag 0: shuffles, opens the flags under `why` (their number is known or granted), keeps the rest in random order. 4 rounds. */
int ent_mpc_filter(struct ent_mpc *m, struct ent_why why, struct ent_rows *x, const struct ent_bits *flag, struct ent_err *err);

/* Segmented copy: row r takes the planes of the nearest row s <= r with stop[s] = 1 (row 0 counts as one). stop = "first of its run" copies a run's
 * first row down. In place on x. ceil(log2 n) rounds, about n/2 * (planes+1) bits each. */
int ent_mpc_copy_down(struct ent_mpc *m, const struct ent_bits *stop, struct ent_bits *x, struct ent_err *err);
/* Segmented minimum or maximum of unsigned x (flip the sign plane for signed), inclusive, from each run's first row; the run's last row holds its
 * value. In place. ceil(log2 n) levels of an LT, a mux and an AND. Sorting by (group, value) is cheaper when a sort by group is due anyway. */
int ent_mpc_run_min(struct ent_mpc *m, const struct ent_bits *stop, struct ent_bits *x, bool max, struct ent_err *err);
/* Segmented OR of one plane, inclusive, from each run's first row. In place. */
int ent_mpc_run_or(struct ent_mpc *m, const struct ent_bits *stop, struct ent_bits *x, struct ent_err *err);

/* Sums per run, after a sort: last (1 plane) marks the last row of each run. Compacts the last rows to the front and turns the rings listed in
 * ring_mask into sums over the run; x keeps its row count, rows past the number of runs hold the rows that were not last (clear them by a flag in x).
 * Local running sums + one compaction. */
int ent_mpc_run_sums(struct ent_mpc *m, struct ent_rows *x, const struct ent_bits *last, uint32_t ring_mask, struct ent_err *err);
#endif
