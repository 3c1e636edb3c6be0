/* Every type's edges from every store into every store.
 * usage: test_matrix GOLDEN|- OUT|- FOLDER KIND MODULE URL|- PASSWORD-FILE|- CA|- ... (MODULE -: skipped, URL says why)
 * OUT: where the lines go; GOLDEN: a file whose lines of these stores must be the very same. */
#include <time.h>

#include "mx.h"

static const struct mx_store *const all[] = {
	&mx_sqlite,     &mx_duckdb, &mx_parquet, &mx_csv, &mx_json,
#ifdef MX_ARROW
	&mx_arrow,
#endif

#ifdef MX_POSTGRESQL
	&mx_postgresql,
#endif
#ifdef MX_MYSQL
	&mx_mariadb,    &mx_mysql,
#endif
#ifdef MX_CASSANDRA
	&mx_cassandra,
#endif
#ifdef MX_MONGODB
	&mx_mongodb,
#endif
#ifdef MX_HBASE
	&mx_hbase,
#endif
#ifdef MX_HDFS
	&mx_hdfs,
#endif
#ifdef MX_GLUSTER
	&mx_gluster,
#endif
};

static struct {
	const struct mx_store *store;
	const struct ent_connector *connector;
} present[MX_STORES];
static size_t n_present;

static const char *given(const char *text) { return strcmp(text, "-") ? text : NULL; }

/* The module of a format, for stores that carry files. */
static const struct ent_connector *files_of(void *self, const char *suffix)
{
	size_t n = strlen(suffix);
	(void)self;
	for (size_t i = 0; i < n_present; i++)
		for (const char *w = present[i].connector->suffixes; *w; w += strcspn(w, " "), w += *w == ' ')
			if (!strncmp(w, suffix, n) && (w[n] == ' ' || !w[n]))
				return present[i].connector;
	return NULL;
}

static bool store_add(char **arg)
{
	if (!given(arg[1])) {
		tap_skip(arg[0], arg[2]);
		return true;
	}
	for (size_t i = 0; i < ENT_COUNT(all); i++) {
		const struct mx_place place = { given(arg[2]), given(arg[3]), given(arg[4]), mx_work };
		if (strcmp(all[i]->kind, arg[0]) != 0)
			continue;
		present[n_present].store = all[i];
		present[n_present].connector = suite_module(arg[1]);
		return OK(present[n_present++].connector && !all[i]->start(&place), "%s is there", all[i]->title);
	}
	tap_skip(arg[0], "this program was built without a client for it");
	return true;
}

static void source_run(size_t i, struct ent_buf *out)
{
	static struct mx_source source;
	static struct mx_pair pair;
	clock_t begin = clock();
	if (!mx_source_load(present[i].store, present[i].connector, &source))
		return;
	mx_source_put(&source, out);
	for (size_t k = 0; k < n_present; k++) {
		int failed = tap_failed;
		memset(&pair, 0, sizeof pair);
		pair.from = &source;
		pair.to = present[k].store;
		pair.connector = present[k].connector;
		mx_pair_run(&pair);
		mx_pair_put(&pair, out);
		OK(tap_failed == failed, "%s to %s", present[i].store->title, present[k].store->title);
	}
	printf("# %s: %.1f s of CPU\n", present[i].store->title, (double)(clock() - begin) / CLOCKS_PER_SEC);
	mx_source_free(&source);
}

/* --- against the golden lines --- */

static bool title_present(const char *line, int field)
{
	for (; field > 0 && line; field--)
		line = strchr(line, '\t') ? strchr(line, '\t') + 1 : NULL;
	for (size_t i = 0; line && i < n_present; i++) {
		size_t n = strlen(present[i].store->title);
		if (!strncmp(line, present[i].store->title, n) && line[n] == '\t')
			return true;
	}
	return false;
}

/* Lines of other stores left out. */
static bool golden_read(const char *path, struct ent_buf *out)
{
	static char line[1 << 16];
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (line[0] == 'T' ? title_present(line, 1) : line[0] == 'P' && title_present(line, 1) && title_present(line, 3))
			ent_buf_str(out, line);
	return f && !fclose(f);
}

static void golden_compare(const char *path, const struct ent_buf *got)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf want = ENT_BUF((size_t)64 << 20);
	if (!OK(golden_read(path, &want), "%s is read", path))
		return;
	const char *a = ent_buf_text(got), *b = ent_buf_text(&want);
	size_t differ = 0;
	while (*a || *b) {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
		if ((n != m || strncmp(a, b, n) != 0) && differ++ < 10)
			printf("# got  %.*s\n# want %.*s\n", (int)n, a, (int)m, b);
		a += n + (a[n] != 0);
		b += m + (b[m] != 0);
	}
	OK_INT(differ, 0, "every line is as %s says", path);
}

int main(int argc, char **argv)
{
	static struct ent_buf out = ENT_BUF((size_t)64 << 20);
	if (argc < 9 || (argc - 4) % 5)
		return 2;
	mx_work = argv[3];
	suite_home = mx_work;
	suite_files = files_of;
	for (int i = 4; i < argc; i += 5)
		if (!store_add(argv + i))
			return tap_done();
	for (size_t i = 0; i < n_present; i++)
		source_run(i, &out);
	FILE *f = given(argv[2]) ? fopen(argv[2], "w") : NULL;
	if (f)
		OK(fwrite(out.data, 1, out.len, f) == out.len && !fclose(f), "wrote %s", argv[2]);
	if (given(argv[1]))
		golden_compare(argv[1], &out);
	for (size_t i = 0; i < n_present; i++)
		if (present[i].store->stop)
			present[i].store->stop();
	ent_buf_deinit(&out);
	return tap_done();
}
