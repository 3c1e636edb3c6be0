/* A small consortium for the tests of the decision: four organisations, grants as text, one call that decides a question. */
#ifndef ENT_TEST_POLICY_WORLD_H
#define ENT_TEST_POLICY_WORLD_H
#include "policy/policy.h"

#define WORLD_COLUMN(n, t, null) \
	{ \
		.name = n, .type = { .id = t }, .nullable = null \
	}

static const struct ent_column world_flights[] = {
	WORLD_COLUMN("tailnum", ENT_T_TEXT, false),   WORLD_COLUMN("origin", ENT_T_TEXT, false),    WORLD_COLUMN("time_hour", ENT_T_TIMESTAMP, false),
	WORLD_COLUMN("dep_delay", ENT_T_INT32, true), WORLD_COLUMN("distance", ENT_T_INT32, false), WORLD_COLUMN("carrier", ENT_T_TEXT, false),
};
static const struct ent_column world_weather[] = {
	WORLD_COLUMN("origin", ENT_T_TEXT, false),
	WORLD_COLUMN("time_hour", ENT_T_TIMESTAMP, false),
	WORLD_COLUMN("wind", ENT_T_INT32, false),
	WORLD_COLUMN("visib", ENT_T_INT32, true),
};
static const struct ent_column world_planes[] = {
	WORLD_COLUMN("tailnum", ENT_T_TEXT, false),
	WORLD_COLUMN("maker", ENT_T_TEXT, false),
	WORLD_COLUMN("built", ENT_T_DATE, true),
	WORLD_COLUMN("seats", ENT_T_INT32, false),
};
static const struct ent_column world_owners[] = {
	/* registry, too */
	WORLD_COLUMN("tailnum", ENT_T_TEXT, false),
	WORLD_COLUMN("owner", ENT_T_TEXT, false),
};
static const struct ent_column world_people[] = {
	WORLD_COLUMN("id", ENT_T_INT32, false),
	WORLD_COLUMN("salary", ENT_T_INT32, false),
	WORLD_COLUMN("bonus", ENT_T_INT32, false),
	WORLD_COLUMN("dept", ENT_T_TEXT, false),
};

#define WORLD_TABLE(o, n, c) \
	{ \
		.org = o, .name = n, .columns = c, .n_columns = ENT_COUNT(c), .rows_padded = 1024, .version = 1 \
	}
static struct ent_table world_tables[] = {
	WORLD_TABLE("hudson", "flights", world_flights),   WORLD_TABLE("hudson", "people", world_people),
	WORLD_TABLE("skywatch", "weather", world_weather), WORLD_TABLE("registry", "planes", world_planes),
	WORLD_TABLE("registry", "owners", world_owners),   WORLD_TABLE("bravo", "people", world_people),
};

static int world_table(void *self, const char *org, const char *name, const struct ent_table **ret, struct ent_err *err)
{
	(void)self;
	for (size_t i = 0; i < ENT_COUNT(world_tables); i++) {
		*ret = &world_tables[i];
		if (!strcmp(org, (*ret)->org) && !strcmp(name, (*ret)->name))
			return 0;
	}
	return ent_fail(err, ENT_ENOTFOUND, "no table %s.%s", org, name);
}

static void world_each(void *self, void (*fn)(void *arg, const struct ent_table *t), void *arg)
{
	(void)self;
	for (size_t i = 0; i < ENT_COUNT(world_tables); i++)
		fn(arg, &world_tables[i]);
}

static const struct ent_catalogue world_catalogue = { NULL, world_table, world_each };
static const char *const WORLD_ORGS[] = { "bravo", "hudson", "registry", "skywatch" };
#define WORLD_ORGS_N 4
#define WORLD_RULES_MAX 64
#define WORLD_NOW 1798761600000ll /* 2027-01-01 00:00:00 UTC */

struct world {
	struct ent_arena *arena;
	struct ent_policy_owner owners[WORLD_ORGS_N];
	struct ent_policy_rule rules[WORLD_ORGS_N][WORLD_RULES_MAX];
	struct ent_policy_input in;
	struct ent_decision *decision;
	struct ent_err err;
};

static inline void world_init(struct world *w)
{
	*w = (struct world){ .arena = ent_arena_new(32u << 20), .err = ENT_ERR_INIT };
	for (size_t i = 0; i < WORLD_ORGS_N; i++)
		w->owners[i] = (struct ent_policy_owner){ WORLD_ORGS[i], 99, w->rules[i], 0, WORLD_ORGS, WORLD_ORGS_N };
	w->in = (struct ent_policy_input){ .requester = "hudson",
					   .time_ms = WORLD_NOW,
					   .owners = w->owners,
					   .n_owners = WORLD_ORGS_N,
					   .trio = { "hudson", "registry", "skywatch" } };
}

static inline void world_deinit(struct world *w) { ent_arena_free(w->arena); }

static inline struct ent_policy_owner *world_owner(struct world *w, const char *org)
{
	for (size_t i = 0; i < WORLD_ORGS_N; i++)
		if (!strcmp(WORLD_ORGS[i], org))
			return &w->owners[i];
	return NULL;
}

/* "registry: GRANT ...; GRANT ...": the first rule of each owner gets index 2, and so on. */
static inline bool world_grant(struct world *w, const char *text)
{
	char org[32] = "";
	const char *colon = strchr(text, ':');
	memcpy(org, text, (size_t)(colon - text));
	struct ent_policy_owner *o = world_owner(w, org);
	struct ent_statement *s;
	size_t n;
	if (!o || ent_grant_parse(w->arena, ent_bytes_str(colon + 1), NULL, &s, &n, &w->err))
		return false;
	struct ent_policy_rule *rules = w->rules[o - w->owners];
	for (size_t i = 0; i < n; i++) {
		rules[o->n_rules] = (struct ent_policy_rule){ o->n_rules + 2, &s[i].grant, 0 };
		o->n_rules++;
	}
	return true;
}

static inline int world_decide(struct world *w, const char *sql)
{
	struct ent_query *q;
	ENT_TRY(ent_sql_bind(w->arena, ent_bytes_str(sql), &world_catalogue, w->in.requester, &q, &w->err));
	w->in.query = q;
	return ent_policy_decide(w->arena, &w->in, &w->decision, &w->err);
}
#endif
