/* The canonical bytes of grants and of a decision are what ledgers keep and parties hash: they equal the kept files. `test_golden_policy DIR write`
 * prints what the program makes now, for a new version's folder. */
#include <stdlib.h>

#include "tap.h"
#include "unit/policy/policy_world.h"

static char *slurp(const char *dir, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);
	if (f && text)
		text[fread(text, 1, (1 << 20) - 1, f)] = 0;
	if (f)
		fclose(f);
	return text;
}

static char *canonical_line(json_t *v)
{
	struct ent_buf out = ENT_BUF(1u << 20);
	ENT_ASSERT(!ent_json_canonical(v, &out, NULL));
	json_decref(v);
	ent_buf_str(&out, "\n");
	return (char *)out.data;
}

static char *grants_now(const char *text)
{
	struct ent_arena *a = ent_arena_new(1 << 20);
	struct ent_statement *s;
	size_t n;
	struct ent_buf all = ENT_BUF(1u << 20);
	ENT_ASSERT(!ent_grant_parse(a, ent_bytes_str(text), NULL, &s, &n, NULL));
	for (size_t i = 0; i < n; i++) {
		json_t *v;
		ENT_ASSERT(!ent_grant_json(&s[i].grant, &v, NULL));
		char *line = canonical_line(v);
		ent_buf_str(&all, line);
		free(line);
	}
	ent_arena_free(a);
	return (char *)all.data;
}

static char *decision_now(void)
{
	struct world w;
	json_t *v;
	world_init(&w);
	ENT_ASSERT(world_grant(&w, "registry: GRANT JOIN ON planes(tailnum) TO ANY; GRANT GROUP ON planes(maker) TO ANY MIN GROUP 12; "
				   "GRANT AGGREGATE(count) ON planes(tailnum) TO ANY REQUIRE APPROVAL OF 2;"));
	ENT_ASSERT(!world_decide(&w, "SELECT COUNT(*) FROM hudson.flights f JOIN registry.planes p ON f.tailnum = p.tailnum"));
	struct ent_policy_job job = {
		"0123456789abcdef", { "hudson", "registry", "skywatch" }, false, w.decision->selections, w.decision->n_selections
	};
	w.in.history = &job;
	w.in.n_history = 1;
	ENT_ASSERT(!world_decide(
		&w, "SELECT p.maker, AVG(f.dep_delay), COUNT(*) FILTER (WHERE p.seats > 9) FROM hudson.flights f LEFT JOIN registry.planes p ON "
		    "f.tailnum = p.tailnum GROUP BY p.maker"));
	ENT_ASSERT(!ent_decision_json(w.decision, &v, NULL));
	char *text = canonical_line(v);
	world_deinit(&w);
	return text;
}

int main(int argc, char **argv)
{
	ENT_ASSERT(argc >= 2);
	char *source = slurp(argv[1], "grants.txt"), *grants = slurp(argv[1], "grants.json"), *decision = slurp(argv[1], "decision.json");
	char *grants_made = grants_now(source), *decision_made = decision_now();
	if (argc > 2) {
		printf("%s%s", grants_made, decision_made);
		return 0;
	}
	OK_STR(grants_made, grants, "canonical grants");
	OK_STR(decision_made, decision, "canonical decision");
	free(source);
	free(grants);
	free(decision);
	free(grants_made);
	free(decision_made);
	return tap_done();
}
