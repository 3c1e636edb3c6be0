/* Predicted rounds and bytes. Each function adds what one operator will do to a running sum; called in the order of the operators, the sums equal
 * ent_mpc_counters exactly, at every party (sort: mean and sd here, exact afterwards from its statistics). Pure functions of public sizes. */
#ifndef ENT_MPC_COST_H
#define ENT_MPC_COST_H
#include "mpc/sort.h"

struct ent_cost {
	uint64_t rounds;
	uint64_t bytes[3];            /* sent by party 0, 1, 2 to the other compute parties */
	double rounds_var, bytes_var; /* variance by sorts (bytes: per party); 0 = exact */
	uint32_t shuffles;            /* so far in this job: chooses the lead of the next */
};

void ent_cost_input(struct ent_cost *c, int from, size_t rows, unsigned planes, unsigned rings);
void ent_cost_input_all(struct ent_cost *c, const size_t rows[3], const unsigned planes[3], const unsigned rings[3]);
void ent_cost_input_outside(struct ent_cost *c);
void ent_cost_and(struct ent_cost *c, size_t rows, unsigned planes); /* or, mux too */
void ent_cost_and_planes(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_mul(struct ent_cost *c, size_t words);                /* dot: 1 word; matmul: rows*cols */
void ent_cost_eq(struct ent_cost *c, size_t rows, unsigned planes); /* eq_const, same_as_above too */
void ent_cost_lt(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_lt_const(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_a2b(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_b2a_bits(struct ent_cost *c, size_t rows, unsigned planes); /* b2a_bit: planes = 1 */
void ent_cost_b2a(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_trunc(struct ent_cost *c, size_t rows, unsigned shift);
void ent_cost_open_bits(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_open_ring(struct ent_cost *c, size_t rows);
void ent_cost_open_rows_to(struct ent_cost *c, int to, size_t rows, unsigned planes, unsigned rings);
void ent_cost_shuffle(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings);
/* Mean and variance over the shuffles; planes and rings of the whole row. */
void ent_cost_sort(struct ent_cost *c, size_t rows, unsigned key_planes, unsigned planes, unsigned rings);
void ent_cost_sort_actual(struct ent_cost *c, size_t rows, unsigned key_planes, unsigned planes, unsigned rings, const struct ent_sort_stats *stats);
void ent_cost_compact(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings);
void ent_cost_filter(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings);
void ent_cost_copy_down(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_run_min(struct ent_cost *c, size_t rows, unsigned planes);
void ent_cost_run_or(struct ent_cost *c, size_t rows);
void ent_cost_run_sums(struct ent_cost *c, size_t rows, unsigned planes, unsigned rings); /* rings of the whole row */
#endif
