/* What check.c notes and audit.c looks up. */
#ifndef ENT_TEST_SIM_CHECKS_H
#define ENT_TEST_SIM_CHECKS_H
#include "sim/world.h"

#include "policy/policy.h"

struct sim_promise { /* an entry that must be in the ledger */
	int64_t index;
	int type;
	char job[17], text[200];
	uint32_t attempt;
	uint64_t since;
};

struct sim_promises {
	struct sim_promise *at;
	size_t count;
};

struct sim_point {
	uint64_t size;
	ent_hash root;
};

struct sim_points {
	struct sim_point *at;
	size_t count;
};

struct sim_grants {
	struct sim_grant *at;
	size_t count;
};

struct sim_runsum { /* the payload of one `run`, by job and attempt */
	char job[17];
	uint32_t attempt;
	uint8_t hash[ENT_HASH_BYTES];
};

struct sim_checks {
	struct sim_promises promises[SIM_NODES_MAX];
	struct sim_points points[SIM_NODES_MAX];                  /* published by each log */
	struct sim_points cosigned[SIM_NODES_MAX][SIM_NODES_MAX]; /* [witness][log] */
	struct sim_grants grants[SIM_NODES_MAX];
	unsigned unsure[SIM_NODES_MAX];    /* bit per slot: a grant was asked for and nobody was told whether it stands */
	uint64_t size_seen[SIM_NODES_MAX]; /* of the log at the last audit */
	uint64_t asked_size;               /* what the last status said */
};

/* Appends one zeroed item; the list has room for the next power of two. */
void *sim_list_add(void **at, size_t *count, size_t size);
#endif
