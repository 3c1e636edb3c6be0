/* Modules, sources and local statements. A store that speaks SQL as the plan means it runs the statement itself; otherwise the needed
 * tables are scanned into the embedded engine, which runs it. */
#include "cli/sources.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/source_open.h"
#include "os/loader.h"

#define MODULES_MAX 16

struct ent_sources {
	struct ent_loader *loader;
	struct ent_host host;
	const struct ent_log_sink *log;
	char home[4096];
	const struct ent_connector *connectors[MODULES_MAX];
	size_t n_connectors;
	const struct ent_engine *engine;
	atomic_bool cancelled;
};

static void host_log(void *self, int level, const char *event, const char *pairs)
{
	struct ent_sources *s = self;
	ent_log(s->log, level <= 0 ? ENT_LOG_DEBUG : level == 1 ? ENT_LOG_INFO : level == 2 ? ENT_LOG_WARN : ENT_LOG_ERROR, event, "%s", pairs);
}

static int host_cancelled(void *self) { return atomic_load(&((struct ent_sources *)self)->cancelled); }

static bool word_in(const char *words, const char *word, size_t len)
{
	for (const char *at = words; at && *at;) {
		size_t n = strcspn(at, " ");
		if (n == len && !strncmp(at, word, len))
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}

static const struct ent_connector *host_files(void *self, const char *suffix)
{
	struct ent_sources *s = self;
	for (size_t i = 0; i < s->n_connectors; i++)
		if (word_in(s->connectors[i]->suffixes, suffix, strlen(suffix)))
			return s->connectors[i];
	return NULL;
}

static void load_module(void *arg, const char *name)
{
	struct ent_sources *s = arg;
	union { /* POSIX lets a symbol's address be called; ISO C has no cast for it */
		void *symbol;
		ent_connector_entry_fn connector;
		ent_engine_entry_fn engine;
	} entry = { NULL };
	if (!ent_loader_symbol(s->loader, name, "ent_connector_entry", &entry.symbol, NULL) && s->n_connectors < MODULES_MAX) {
		const struct ent_connector *c = entry.connector();
		if (c && c->abi == ENT_CONNECTOR_ABI)
			s->connectors[s->n_connectors++] = c;
	}
	if (!s->engine && !ent_loader_symbol(s->loader, name, "ent_engine_entry", &entry.symbol, NULL)) {
		const struct ent_engine *e = entry.engine();
		if (e && e->abi == ENT_ENGINE_ABI)
			s->engine = e;
	}
}

int ent_sources_new(const char *home, uint32_t timeout_ms, uint64_t memory_bytes_max, const struct ent_log_sink *log, struct ent_sources **ret,
		    struct ent_err *err)
{
	struct ent_sources *s = ent_alloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	*s = (struct ent_sources){ .log = log };
	snprintf(s->home, sizeof s->home, "%s", home);
	s->host = (struct ent_host){ .size = sizeof s->host,
				     .self = s,
				     .log = host_log,
				     .cancelled = host_cancelled,
				     .memory_bytes_max = memory_bytes_max,
				     .threads_max = 2,
				     .timeout_ms = timeout_ms,
				     .home_path = s->home,
				     .files = host_files };
	int r = ent_loader_new(&s->loader, err);
	if (!r)
		r = ent_loader_list(s->loader, load_module, s, err);
	if (r) {
		ent_sources_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void ent_sources_free(struct ent_sources *s)
{
	if (!s)
		return;
	if (s->loader)
		ent_loader_free(s->loader);
	free(s);
}

const struct ent_engine *ent_sources_engine(const struct ent_sources *s) { return s->engine; }
const struct ent_host *ent_sources_host(const struct ent_sources *s) { return &s->host; }
void ent_sources_cancel(struct ent_sources *s, bool cancel) { atomic_store(&s->cancelled, cancel); }

/* ---- which module ---- */

static bool claims(const struct ent_connector *c, const char *url)
{
	const char *colon = strchr(url, ':'), *dot = strrchr(url, '.'), *slash = strrchr(url, '/');
	bool file = !strncmp(url, "file:", 5);
	if (!file && colon && colon > url + 1 && (!slash || colon < slash))
		return word_in(c->schemes, url, (size_t)(colon - url));
	if (file && !word_in(c->schemes, "file", 4))
		return false;
	return dot && (!slash || dot > slash) && word_in(c->suffixes, dot + 1, strlen(dot + 1));
}

static int choose(struct ent_sources *s, const char *url, const struct ent_connector **ret, struct ent_err *err)
{
	for (size_t i = 0; i < s->n_connectors; i++)
		if (claims(s->connectors[i], url)) {
			*ret = s->connectors[i];
			return 0;
		}
	ent_fail(err, ENT_EUNSUPPORTED, "no module reads %.200s", url);
	return ent_next(err, "FILE.parquet, FILE.csv, FILE.json, FILE.arrow, hdfs://.../FILE.parquet, gluster://.../FILE.parquet, folder:PATH#*.csv, "
			     "duckdb:FILE#table, "
			     "sqlite:FILE#table, postgresql://...#schema.table, mysql://...#table, "
			     "mongodb://...#collection, cassandra://...#table, hbase://...#table");
}

int ent_source_open(struct ent_sources *s, const struct ent_source_spec *spec, struct ent_opened *ret, struct ent_err *err)
{
	struct ent_option *options = ent_alloc(spec->n_options + 1, sizeof *options);
	char secret[4200];
	size_t n = spec->n_options;
	if (!options)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++)
		options[i] = (struct ent_option){ spec->options[i].key, spec->options[i].value };
	if (spec->secret_path) {
		snprintf(secret, sizeof secret, "%s/%s", s->home, spec->secret_path);
		options[n++] = (struct ent_option){ "password-file", secret };
	}
	int r = choose(s, spec->url, &ret->connector, err);
	if (!r)
		r = ret->connector->open(&s->host, spec->url, options, n, &ret->source, err);
	free(options);
	return r;
}

void ent_source_close(struct ent_opened *o)
{
	if (o->source)
		o->connector->close(o->source);
	o->source = NULL;
}

/* ---- local statements ---- */

struct ent_local {
	struct ent_sources *s;
	struct ent_opened direct; /* a store that runs the statement itself */
	const char *object;
	struct ent_opened *scanned;
	size_t n_scanned;
	struct ent_session *session;
	char (*names)[640];
	const char **relations;
};

void ent_local_end(struct ent_local *l)
{
	if (!l)
		return;
	if (l->session)
		l->s->engine->close(l->session);
	for (size_t i = 0; i < l->n_scanned; i++)
		ent_source_close(&l->scanned[i]);
	ent_source_close(&l->direct);
	free(l->scanned);
	free(l->names);
	free(l->relations);
	free(l);
}

static bool one_source(const struct ent_run_table *const *tables, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(tables[i]->source.url, tables[0]->source.url) != 0)
			return false;
	return n > 0;
}

/* All tables in one store that speaks SQL: it runs the statement. */
static int begin_direct(struct ent_local *l, const struct ent_run_table *const *tables, size_t n, bool *ret_taken, enum ent_dialect *ret_dialect,
			struct ent_err *err)
{
	*ret_taken = false;
	if (!one_source(tables, n))
		return 0;
	ENT_TRY(ent_source_open(l->s, &tables[0]->source, &l->direct, err));
	const struct ent_connector *c = l->direct.connector;
	if (!(c->capabilities & ENT_CAP_SQL) || !c->query || !ent_dialect_by_name(c->dialect, ret_dialect)) {
		ent_source_close(&l->direct);
		return 0;
	}
	l->object = tables[0]->source.object;
	for (size_t i = 0; i < n; i++) {
		struct ent_object object = { .size = sizeof object };
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_TRY(c->describe(l->direct.source, tables[i]->source.object, &schema, &object, err));
		snprintf(l->names[i], sizeof l->names[i], "%s", object.relation);
	}
	*ret_taken = true;
	return 0;
}

static int scan_into(struct ent_local *l, size_t i, const struct ent_run_table *t, struct ent_err *err)
{
	ENT_STREAM_AUTO rows = { 0 };
	const char **columns = ent_alloc(t->table->n_columns, sizeof *columns);
	if (!columns)
		return ent_nomem(err);
	for (size_t j = 0; j < t->table->n_columns; j++)
		columns[j] = t->table->columns[j].name;
	struct ent_opened *o = &l->scanned[l->n_scanned++];
	int r = ent_source_open(l->s, &t->source, o, err);
	if (!r)
		r = o->connector->scan(o->source, t->source.object, columns, t->table->n_columns, &rows, err);
	free(columns);
	if (r)
		return r;
	snprintf(l->names[i], sizeof l->names[i], "t%zu", i);
	return l->s->engine->load(l->session, l->names[i], &rows, err);
}

static int begin_engine(struct ent_local *l, const struct ent_run_table *const *tables, size_t n, enum ent_dialect *ret_dialect, struct ent_err *err)
{
	if (!l->s->engine)
		return ent_fail(err, ENT_EUNSUPPORTED, "the embedded engine (module duckdb) is not installed");
	if (!ent_dialect_by_name(l->s->engine->dialect, ret_dialect))
		return ent_fail(err, ENT_EINTERNAL, "the engine speaks the unknown dialect %s", l->s->engine->dialect);
	ENT_TRY(l->s->engine->open(&l->s->host, &l->session, err));
	for (size_t i = 0; i < n; i++)
		ENT_TRY(scan_into(l, i, tables[i], err));
	return 0;
}

static int begin(struct ent_local *l, const struct ent_run_table *const *tables, size_t n, enum ent_dialect *ret_dialect, struct ent_err *err)
{
	bool taken = false;
	l->scanned = ent_alloc(n + 1, sizeof *l->scanned);
	l->names = ent_alloc(n + 1, sizeof *l->names);
	l->relations = ent_alloc(n + 1, sizeof *l->relations);
	if (!l->scanned || !l->names || !l->relations)
		return ent_nomem(err);
	memset(l->scanned, 0, (n + 1) * sizeof *l->scanned);
	for (size_t i = 0; i < n; i++)
		l->relations[i] = l->names[i];
	ENT_TRY(begin_direct(l, tables, n, &taken, ret_dialect, err));
	return taken ? 0 : begin_engine(l, tables, n, ret_dialect, err);
}

int ent_local_begin(struct ent_sources *s, const struct ent_run_table *const *tables, size_t n, struct ent_local **ret, enum ent_dialect *ret_dialect,
		    const char *const **ret_relations, struct ent_err *err)
{
	struct ent_local *l = ent_alloc(1, sizeof *l);
	if (!l)
		return ent_nomem(err);
	*l = (struct ent_local){ .s = s };
	int r = begin(l, tables, n, ret_dialect, err);
	if (r) {
		ent_local_end(l);
		return r;
	}
	*ret = l;
	*ret_relations = l->relations;
	return 0;
}

int ent_local_query(struct ent_local *l, const char *sql, const struct ent_param *params, size_t n_params, struct ArrowArrayStream *ret,
		    struct ent_err *err)
{
	if (l->session)
		return l->s->engine->query(l->session, sql, params, n_params, ret, err);
	return l->direct.connector->query(l->direct.source, l->object, sql, params, n_params, ret, err);
}
