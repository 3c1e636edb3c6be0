/* The demo's main question on the real data: three owners, two joins, one group-by; equal to DuckDB on the pooled tables, within the marks. */
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>

#include "joint_kit.h"
#include "tap.h"

static const struct ent_column flights[] = {
	{ .name = "tailnum", .type = { .id = ENT_T_TEXT }, .nullable = true, .distinct_padded = 4096 },
	{ .name = "origin", .type = { .id = ENT_T_TEXT }, .distinct_padded = 3 },
	{ .name = "time_hour", .type = { .id = ENT_T_TIMESTAMPTZ } },
	{ .name = "dep_delay", .type = { .id = ENT_T_INT16 }, .nullable = true, .bound_bits = 15 },
};
static const struct ent_column weather[] = {
	{ .name = "origin", .type = { .id = ENT_T_TEXT }, .distinct_padded = 3 },
	{ .name = "time_hour", .type = { .id = ENT_T_TIMESTAMPTZ } },
	{ .name = "wind_speed", .type = { .id = ENT_T_DOUBLE }, .nullable = true, .bound_bits = 15 },
};
static const struct ent_column planes[] = {
	{ .name = "tailnum", .type = { .id = ENT_T_TEXT }, .distinct_padded = 3328 },
	{ .name = "manufacturer", .type = { .id = ENT_T_TEXT }, .nullable = true, .distinct_padded = 36 },
};
static const uint16_t place_time[] = { 0, 1 }, tail[] = { 0 };
static const struct ent_unique weather_key = { place_time, 2 }, planes_key = { tail, 1 };

static void tables(struct jk *k, const char *data, struct ent_err *err)
{
	char path[500];
	struct ent_table f = { .org = "hudson", .name = "flights", .columns = flights, .n_columns = 4, .rows_padded = 344064 };
	struct ent_table w = {
		.org = "skywatch", .name = "weather", .columns = weather, .n_columns = 3, .keys = &weather_key, .n_keys = 1, .rows_padded = 26624
	};
	struct ent_table p = {
		.org = "registry", .name = "planes", .columns = planes, .n_columns = 2, .keys = &planes_key, .n_keys = 1, .rows_padded = 3328
	};
	snprintf(path, sizeof path, "%s/flights.parquet", data);
	OK_INT(jk_file(k, f, 10, false, path, err), 0, "flights %s %s", err->what, err->why);
	snprintf(path, sizeof path, "%s/weather.parquet", data);
	OK_INT(jk_file(k, w, 10, true, path, err), 0, "weather %s %s", err->what, err->why);
	snprintf(path, sizeof path, "%s/planes.parquet", data);
	OK_INT(jk_file(k, p, 10, true, path, err), 0, "planes %s %s", err->what, err->why);
}

static const char question[] =
	"SELECT floor(w.wind_speed/5)*5 AS band, p.manufacturer, AVG(f.dep_delay) AS delay, COUNT(*) AS flights FROM hudson.flights f "
	"JOIN skywatch.weather w ON f.origin = w.origin AND f.time_hour = w.time_hour JOIN registry.planes p ON f.tailnum = p.tailnum "
	"GROUP BY 1, 2 ORDER BY 1, 2";
static const char pooled[] =
	"WITH r AS (SELECT floor(w.wind_speed / 5) * 5 AS band, p.manufacturer, f.dep_delay, p.tailnum, w.h FROM hudson_flights f "
	"JOIN (SELECT *, row_number() OVER () AS h FROM skywatch_weather) w ON f.origin = w.origin AND f.time_hour = w.time_hour "
	"JOIN registry_planes p ON f.tailnum = p.tailnum) SELECT band, manufacturer, AVG(dep_delay) AS delay, COUNT(*) AS flights FROM r "
	"GROUP BY 1, 2 HAVING count(DISTINCT tailnum) >= 10 AND count(DISTINCT h) >= 10 ORDER BY 1, 2";

/* EXPLAIN tells what will be sent before anything is: mean and four deviations, for rounds as for bytes. */
static void predicted(struct jk *k)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	struct ent_arena *arena = ent_arena_new((size_t)64 << 20);
	struct ent_joint_plan *plan = NULL;
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(jk_plan(k, arena, question, &plan, &err), 0, "planned: %s", err.what);
	struct ent_joint_cost c = ent_joint_plan_cost(plan);
	OK(c.rounds_sd > 0 && fabs((double)k->stats[0].rounds - (double)c.rounds) <= 4 * c.rounds_sd + 1, "%llu rounds; told before: %llu +- %.0f",
	   (unsigned long long)k->stats[0].rounds, (unsigned long long)c.rounds, 4 * c.rounds_sd);
	OK_INT(ent_joint_explain(plan, &text, &err), 0, "explained");
	OK(strstr(ent_buf_text(&text), "rounds (+- ") != NULL, "with its spread");
	ent_arena_free(arena);
}

int main(int argc, char **argv)
{
	struct jk k = { .trio = { "hudson", "skywatch", "registry" }, .requester = "hudson", .verbose = argc > 3 };
	struct ent_err err = ENT_ERR_INIT;
	struct ent_buf out = ENT_BUF(1 << 20), want = ENT_BUF(1 << 20);
	struct rusage use;
	OK_INT(jk_open(&k, argv[1], &err), 0, "%s", err.what);
	tables(&k, argv[2], &err);
	OK_INT(jk_query(&k, question, &out, &err), 0, "the question is answered (%s %s)", err.what, err.why);
	OK_INT(jk_oracle(&k, pooled, &want, &err), 0, "%s", err.what);
	OK_STR(ent_buf_text(&out), ent_buf_text(&want), "equal to the pooled answer, byte for byte");
	getrusage(RUSAGE_SELF, &use);
	for (int i = 0; i < 3; i++) {
		OK_INT(k.stats[i].bytes_sent, k.stats[i].bytes_predicted, "party %d: %.1f MB sent, as predicted", i,
		       (double)k.stats[i].bytes_sent / 1e6);
		OK_INT(k.stats[i].rounds, k.stats[i].rounds_predicted, "party %d: %llu rounds, as predicted", i,
		       (unsigned long long)k.stats[i].rounds);
	}
	predicted(&k);
	printf("# %.2f s, all participants together %ld MB at most\n", (double)k.seconds_us / 1e6, use.ru_maxrss / 1024);
	ent_buf_deinit(&out);
	ent_buf_deinit(&want);
	jk_close(&k);
	return tap_done();
}
