/* What moving rows through connectors costs: JSON lines. Modules are loaded as the node loads them.
 *   bench_move read MODULE URL OBJECT [wire]                          rows of a table into Arrow, thrown away
 *   bench_move copy MODULE URL OBJECT MODULE URL OBJECT [wire]        from one store into another, table replaced
 *   bench_move follow MODULE URL MODULE URL OBJECT COPY ...           a stream until it has caught up: at first a copy, then what came since
 *   bench_move apply MODULE URL OBJECT ROWS BATCH                     changed rows (inserts, then updates) into a table id bigint, v text */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arrow/builder.h"
#include "arrow/stream.h"
#include "entente/connector.h"
#include "move/replicate.h"

struct end { /* one opened store */
	const struct ent_connector *c;
	struct ent_source *src;
};

static struct ent_err err = ENT_ERR_INIT;

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int code)
{
	if (!code)
		return;
	fprintf(stderr, "bench_move: %s (%s)\n", err.what, err.why);
	exit(ent_code_exit(code));
}

static int never(void *self)
{
	(void)self;
	return 0;
}

static void quiet(void *self, int level, const char *event, const char *pairs)
{
	(void)self;
	(void)level;
	(void)event;
	(void)pairs;
}

static struct end end_open(const char *module, const char *url, bool writes)
{
	static const struct ent_option option = { "access", "write" };
	struct ent_host host = {
		.size = sizeof host, .log = quiet, .cancelled = never, .memory_bytes_max = (uint64_t)512 << 20, .threads_max = 2, .timeout_ms = 60000
	};
	struct end e = { 0 };
	ent_connector_entry_fn entry;
	void *lib = dlopen(module, RTLD_NOW | RTLD_LOCAL), *found = lib ? dlsym(lib, "ent_connector_entry") : NULL;
	if (!found) {
		fprintf(stderr, "bench_move: %s\n", dlerror());
		exit(2);
	}
	memcpy(&entry, &found, sizeof entry);
	e.c = entry();
	must(e.c->open(&host, url, &option, writes, &e.src, &err));
	return e;
}

static void report(const char *what, uint64_t rows, double begin)
{
	double took = seconds() - begin;
	printf("{\"bench\":\"%s\",\"rows\":%llu,\"seconds\":%.3f,\"rows_per_second\":%.0f}\n", what, (unsigned long long)rows, took,
	       (double)rows / took);
}

static int bench_read(char **a, bool wire)
{
	struct end e = end_open(a[0], a[1], false);
	struct ent_read what = { .size = sizeof what, .object = a[2], .flags = wire ? ENT_READ_WIRE : 0 };
	struct ArrowArrayStream stream = { 0 };
	uint64_t rows = 0;
	double begin = seconds();
	must(e.c->read(e.src, &what, &stream, &err));
	for (;;) {
		ENT_ARRAY_AUTO batch = { 0 };
		must(ent_stream_next(&stream, &batch, &err));
		if (!batch.release)
			break;
		rows += (uint64_t)batch.length;
	}
	report(wire ? "read_wire" : "read_arrow", rows, begin);
	ent_stream_release(&stream);
	e.c->close(e.src);
	return 0;
}

static int bench_copy(char **a, bool wire)
{
	struct end from = end_open(a[0], a[1], false), to = end_open(a[3], a[4], true);
	struct ent_read what = { .size = sizeof what, .object = a[2], .flags = wire ? ENT_READ_WIRE : 0 };
	struct ent_target target = { .size = sizeof target, .object = a[5], .mode = ENT_WRITE_REPLACE };
	struct ent_sink_checkpoint done = { .size = sizeof done, .part = "all", .cursor = "done" };
	struct ArrowArrayStream stream = { 0 };
	struct ArrowSchema schema = { 0 };
	struct ent_sink *sink;
	uint64_t rows = 0, epoch = 0;
	size_t index;
	double begin = seconds();
	if (!from.c->read) {
		fprintf(stderr, "bench_move: %s does not read for copies\n", from.c->name);
		return 2;
	}
	must(from.c->read(from.src, &what, &stream, &err));
	must(ent_stream_schema(&stream, &schema, &err));
	target.schema = &schema;
	must(to.c->sink_open(to.src, "bench", &epoch, &sink, &err));
	must(to.c->sink_table(sink, &target, &index, &err));
	for (;;) {
		ENT_ARRAY_AUTO batch = { 0 };
		must(ent_stream_next(&stream, &batch, &err));
		if (!batch.release)
			break;
		rows += (uint64_t)batch.length;
		must(to.c->sink_rows(sink, index, &batch, &err));
	}
	must(to.c->sink_commit(sink, &done, &err));
	must(to.c->sink_finish(sink, 1, &err));
	report(wire ? "copy_wire" : "copy_arrow", rows, begin);
	to.c->sink_close(sink);
	ent_stream_release(&stream);
	ent_schema_release(&schema);
	from.c->close(from.src);
	to.c->close(to.src);
	return 0;
}

static void changes_build(struct ent_builder *b, uint64_t first, size_t n, bool update, struct ArrowArray *ret)
{
	char text[40];
	for (size_t i = 0; i < n; i++) {
		int len = snprintf(text, sizeof text, "%s %llu", update ? "updated" : "inserted", (unsigned long long)(first + i));
		must(ent_builder_text(b, 0, ent_bytes_str(update ? "U" : "I"), &err));
		must(ent_builder_null(b, 1, &err));
		must(ent_builder_int(b, 2, (int64_t)(first + i), &err));
		must(ent_builder_text(b, 3, ent_bytes(text, (size_t)len), &err));
	}
	must(ent_builder_finish(b, ret, &err));
}

static int bench_apply(char **a)
{
	static const struct ent_field fields[] = { { .name = "entente.op", .type = { ENT_T_TEXT, 0, 0 } },
						   { .name = "entente.unchanged", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true },
						   { .name = "id", .type = { ENT_T_INT64, 0, 0 } },
						   { .name = "v", .type = { ENT_T_TEXT, 0, 0 }, .nullable = true } };
	struct end to = end_open(a[0], a[1], true);
	struct ArrowSchema table = { 0 }, changes = { 0 };
	struct ent_builder *b;
	struct ent_sink *sink;
	uint64_t epoch = 0, rows = strtoull(a[3], NULL, 10);
	size_t index, batch = strtoul(a[4], NULL, 10);
	struct ent_sink_checkpoint c = { .size = sizeof c, .part = "changes" };
	must(ent_schema_new(fields + 2, 2, "id", &table, &err));
	must(ent_schema_new(fields, 4, "id", &changes, &err));
	must(ent_builder_new(&changes, 0, &b, &err));
	struct ent_target target = { .size = sizeof target, .object = a[2], .mode = ENT_WRITE_UPSERT, .schema = &table };
	must(to.c->sink_open(to.src, "bench", &epoch, &sink, &err));
	must(to.c->sink_table(sink, &target, &index, &err));
	for (int update = 0; update < 2; update++) {
		double begin = seconds();
		for (uint64_t at = 0; at < rows; at += batch) {
			ENT_ARRAY_AUTO array = { 0 };
			changes_build(b, at, batch, update, &array);
			must(to.c->sink_changes(sink, index, &changes, &array, &err));
			snprintf(c.cursor, sizeof c.cursor, "%llu", (unsigned long long)at);
			must(to.c->sink_commit(sink, &c, &err));
		}
		report(update ? "apply_updates" : "apply_inserts", rows, begin);
	}
	to.c->sink_close(sink);
	to.c->close(to.src);
	ent_builder_free(b);
	ent_schema_release(&table);
	ent_schema_release(&changes);
	return 0;
}

/* --- a stream: the real thing, until it has caught up --- */

struct place {
	const char *module, *url;
};

static int place_open(void *self, const struct ent_option *more, size_t n, struct ent_move_session *ret, struct ent_err *e)
{
	const struct place *p = (const struct place *)self;
	struct end opened = end_open(p->module, p->url, n != 0);
	(void)more;
	(void)e;
	*ret = (struct ent_move_session){ opened.c, opened.src };
	return 0;
}

static int64_t stream_now(void *self)
{
	struct timespec t;
	(void)self;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void stream_wait(void *self, uint32_t ms)
{
	(void)self;
	fprintf(stderr, "bench_move: the stream waits %u ms\n", ms);
	exit(1);
}

static void stream_status(void *self, const struct ent_replicate_status *s) { *(uint64_t *)self = s->rows_copied + s->rows_applied; }

static int bench_follow(char **a, size_t n)
{
	struct place from = { a[0], a[1] }, to = { a[2], a[3] };
	struct ent_replicate_table tables[8] = { 0 };
	uint64_t rows = 0;
	for (size_t i = 0; i < n; i++)
		tables[i] = (struct ent_replicate_table){ .source = a[4 + 2 * i], .target = a[5 + 2 * i] };
	const struct ent_replicate stream = { .name = "bench",
					      .source = { &from, place_open, "", "source" },
					      .target = { &to, place_open, "", "target" },
					      .tables = tables,
					      .n_tables = n,
					      .until_caught_up = true };
	const struct ent_replicate_env env = { .self = &rows, .status = stream_status, .now_us = stream_now, .wait_ms = stream_wait };
	double begin = seconds();
	must(ent_replicate_run(&stream, &env, &err));
	report("follow", rows, begin);
	return 0;
}

int main(int argc, char **argv)
{
	bool wire = argc > 2 && !strcmp(argv[argc - 1], "wire");
	if (argc >= 5 && !strcmp(argv[1], "read"))
		return bench_read(argv + 2, wire);
	if (argc >= 8 && !strcmp(argv[1], "copy"))
		return bench_copy(argv + 2, wire);
	if (argc >= 8 && argc <= 22 && argc % 2 == 0 && !strcmp(argv[1], "follow"))
		return bench_follow(argv + 2, ((size_t)argc - 6) / 2);
	if (argc == 7 && !strcmp(argv[1], "apply"))
		return bench_apply(argv + 2);
	fprintf(stderr, "usage: bench_move read|copy|follow|apply ...\n");
	return 2;
}
