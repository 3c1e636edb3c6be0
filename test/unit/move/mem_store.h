/* A store in memory behind the connector ABI, for tests of src/move: three columns (id, name, amount), transactions, checkpoints, epochs, two phases,
 * and faults on demand. */
#ifndef ENT_TEST_MEM_STORE_H
#define ENT_TEST_MEM_STORE_H
#include <pthread.h>

#include "arrow/builder.h"
#include "move/move.h"

struct mem_row {
	int64_t id, amount; /* amount: two decimals */
	char name[24];      /* "": NULL */
};

struct mem_table {
	char name[40];
	struct mem_row *rows;
	size_t n;
	bool there, narrow; /* narrow: amount is an integer here, so that a copy into it loses something */
};

struct mem_doubt {
	char name[200];
	struct mem_row *rows;
	size_t n, table;
};

struct mem_store {
	pthread_mutex_t lock;
	struct mem_table tables[4];
	struct ent_sink_checkpoint points[400];
	size_t n_points;
	struct mem_doubt doubts[4];
	/* faults; -1: none */
	int fail_read_after;   /* batches of the next reads */
	int fail_commit_after; /* commits */
	bool cancelled_text;   /* refuse settle once */
	uint64_t reads, commits;
	void (*read_ended)(struct mem_store *s); /* NULL: nothing happens then */
	size_t batch_rows;                       /* 0: 100 */
	bool parallel, wire;
	bool no_two_phase; /* says so when asked */
};

void mem_store_init(struct mem_store *s);
void mem_store_deinit(struct mem_store *s);
struct mem_table *mem_table(struct mem_store *s, const char *name); /* made when lacking */
size_t mem_count(struct mem_store *s, const char *name);            /* rows; 0 when there is no such table */
bool mem_there(struct mem_store *s, const char *name);
void mem_fill(struct mem_table *t, int64_t from, size_t n);

struct mem_end {
	struct mem_store *store;
};
struct ent_move_end mem_end(struct mem_store *s, const char *table); /* name = table's, lent */
#endif
