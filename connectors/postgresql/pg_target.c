/* Tables of the target: what becomes of each column, making tables, following schema changes. */
#include "pg_sink.h"

#include <stdio.h>
#include <stdlib.h>

#define WHAT_LOOK "the target table cannot be described"

struct wanted { /* one column that comes */
	const char *name;
	struct ent_type type;
	char native[160]; /* of the source when it is PostgreSQL; "" otherwise */
	bool nullable;
};

struct incoming { /* all of them */
	struct wanted *all;
	size_t n;
	bool wire;
	struct ent_buf text; /* of the wire's column lines; names point into it */
};
static void incoming_deinit(struct incoming *in)
{
	free(in->all);
	ent_buf_deinit(&in->text);
}

/* --- what comes --- */

static int incoming_wire(const struct ArrowSchema *schema, struct incoming *in, struct ent_err *err)
{
	char *lines = (char *)ent_buf_space(&in->text, (size_t)1 << 20);
	if (!lines || !ent_metadata_get(schema->metadata, ENT_PG_META_COLUMNS, lines, (size_t)1 << 20))
		return ent_fail(err, ENT_EUNSUPPORTED, "these images of rows are not PostgreSQL's");
	in->wire = true;
	if (!(in->all = (struct wanted *)calloc(ENT_COLUMNS_MAX, sizeof *in->all)))
		return ent_nomem(err);
	for (char *line = strtok_r(lines, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
		char *flag = strchr(line, '\t'), *native = flag ? strchr(flag + 1, '\t') : NULL;
		if (!native || in->n == ENT_COLUMNS_MAX || strlen(native + 1) >= sizeof in->all->native)
			return ent_fail(err, ENT_EDATA, "the images of rows name their columns badly");
		*flag = *native = 0;
		struct wanted *w = &in->all[in->n++];
		w->name = line;
		w->type = (struct ent_type){ ENT_T_TEXT, 0, 0 };
		w->nullable = !flag[1];
		snprintf(w->native, sizeof w->native, "%s", native + 1);
	}
	return 0;
}

static int incoming_read(const struct ArrowSchema *schema, size_t first, struct incoming *in, struct ent_err *err)
{
	char store[20] = "";
	ENT_TRY(ent_schema_check(schema, err));
	ent_buf_init(&in->text, (size_t)2 << 20);
	if (ent_metadata_get(schema->metadata, ENT_META_WIRE, store, sizeof store))
		return incoming_wire(schema, in, err);
	bool own = ent_metadata_get(schema->metadata, ENT_META_STORE, store, sizeof store) && !strcmp(store, "postgresql");
	size_t n = (size_t)schema->n_children;
	if (!(in->all = (struct wanted *)calloc(n + 1, sizeof *in->all)))
		return ent_nomem(err);
	for (size_t i = first; i < n; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, i, &f);
		if (!f.copied)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be copied: %s", f.name, f.unsupported);
		struct wanted *w = &in->all[in->n++];
		*w = (struct wanted){ .name = f.name, .type = f.type, .nullable = f.nullable };
		if (own)
			memcpy(w->native, f.native, sizeof w->native);
	}
	return 0;
}

/* --- types that the target knows --- */

/* A foreign text is spliced into DDL only after the server has read it as one type name. */
static bool native_plain(const char *native)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ,.()[]\"";
	return native[0] && strspn(native, letters) == strlen(native);
}

struct known { /* a type of the target */
	unsigned oid;
	bool is_enum, there;
};

static int type_find(struct ent_source *s, const char *native, struct known *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	bool inside = PQtransactionStatus(s->con) == PQTRANS_INTRANS;
	*ret = (struct known){ 0 };
	if (!native_plain(native))
		return 0;
	if (inside)
		ENT_TRY(ent_pg_run(s, "SAVEPOINT entente_type", NULL, 0, NULL, WHAT_LOOK, err));
	int code = ent_pg_run(s, "SELECT oid, typtype = 'e' FROM pg_type WHERE oid = to_regtype($1)::oid AND typtype <> 'p'", &native, 1, &r,
			      WHAT_LOOK, NULL);
	if (inside)
		ENT_TRY(ent_pg_run(s, code ? "ROLLBACK TO SAVEPOINT entente_type" : "RELEASE SAVEPOINT entente_type", NULL, 0, NULL, WHAT_LOOK, err));
	if (code || !PQntuples(r))
		return PQstatus(s->con) == CONNECTION_OK ? 0 : ent_pg_fail(s, NULL, WHAT_LOOK, err);
	*ret = (struct known){ (unsigned)strtoul(PQgetvalue(r, 0, 0), NULL, 10), PQgetvalue(r, 0, 1)[0] == 't', true };
	return 0;
}

/* The type a new column gets. *ret_own: the source's own one. */
static int native_choose(struct ent_source *s, const struct wanted *w, char native[160], struct known *known, bool *ret_own, struct ent_err *err)
{
	char plain[ENT_TYPE_TEXT_MAX];
	*known = (struct known){ 0 };
	if (w->native[0])
		ENT_TRY(type_find(s, w->native, known, err));
	*ret_own = known->there;
	if (known->there) {
		snprintf(native, 160, "%s", w->native);
		return 0;
	}
	ent_pg_type_native(w->type, plain);
	snprintf(native, 160, "%s", plain);
	return type_find(s, plain, known, err);
}

/* --- the mapping --- */

static enum ent_map_verdict map_there(const struct ent_pg_table *t, const struct wanted *w, struct ent_pg_put *put, char native[160], char why[200])
{
	int at = ent_pg_field_find(t, w->name);
	const struct ent_pg_field *f = at < 0 ? NULL : &t->fields[at];
	snprintf(native, 160, "%s", f ? f->native : "-");
	snprintf(why, 200, "%s", f ? "the target computes this column itself" : "the target has no such column");
	if (!f || f->generated)
		return ENT_MAP_REFUSED;
	*put = (struct ent_pg_put){ .name = f->name,
				    .type = w->type,
				    .oid = f->oid,
				    .modifier = f->modifier,
				    .is_enum = f->is_enum,
				    .same_native = !strcmp(w->native, f->native) };
	return ent_pg_put_choose(put, why);
}

static int map_new(struct ent_source *s, const struct wanted *w, struct ent_map_line *line, struct ent_err *err)
{
	struct known known;
	bool own;
	ENT_TRY(native_choose(s, w, line->native, &known, &own, err));
	struct ent_pg_put put = { .name = w->name, .type = w->type, .oid = known.oid, .modifier = -1, .is_enum = known.is_enum, .same_native = own };
	line->verdict = own ? ENT_MAP_EXACT : ent_pg_put_choose(&put, line->why);
	if (!own && w->native[0]) {
		line->verdict = ENT_MAP_WIDENED;
		snprintf(line->why, sizeof line->why, "the target does not know the type %.100s", w->native);
	}
	return 0;
}

int ent_pg_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_CLEANUP(incoming_deinit) struct incoming in = { 0 };
	struct ent_pg_table *t = NULL;
	ENT_TRY(incoming_read(target->schema, 0, &in, err));
	struct ent_err first = ENT_ERR_INIT; /* a table that is not there is no failure */
	ent_pg_table_forget(s, target->object);
	int code = ent_pg_table_get(s, target->object, &t, &first);
	if (code && code != ENT_ENOTFOUND) {
		if (err)
			*err = first;
		return code;
	}
	for (size_t i = 0; i < in.n && i < (in.wire ? 1 : in.n); i++) {
		struct ent_pg_put put;
		lines[i] = (struct ent_map_line){ .size = sizeof lines[i] };
		if (in.wire)
			snprintf(lines[i].native, sizeof lines[i].native, "images of rows");
		else if (t)
			lines[i].verdict = map_there(t, &in.all[i], &put, lines[i].native, lines[i].why);
		else
			ENT_TRY(map_new(s, &in.all[i], &lines[i], err));
	}
	*ret_exists = t != NULL;
	return 0;
}

/* --- making tables --- */

void ent_pg_dest_free(struct ent_pg_dest *d)
{
	if (!d)
		return;
	ent_buf_deinit(&d->final);
	ent_buf_deinit(&d->goes);
	ent_buf_deinit(&d->stage);
	ent_buf_deinit(&d->columns);
	ent_buf_deinit(&d->names);
	ent_gather_deinit(&d->gather);
	ent_schema_release(&d->arrow);
	free(d->puts);
	free(d->object);
	free(d);
}
static void dest_freep(struct ent_pg_dest **d) { ent_pg_dest_free(*d); }

static bool named(const struct ent_pg_dest *d, const char *name)
{
	for (size_t i = 0; i < d->n_keys; i++)
		if (!strcmp(d->keys[i], name))
			return true;
	return false;
}

/* Asked first: making it "if not exists" needs a right on the database even where it exists. */
static int schema_make(struct ent_sink *k, const struct ent_pg_dest *d, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(300);
	ENT_CLEANUP(ent_pg_clear) PGresult *there = NULL;
	const char *const name = d->schema;
	ENT_TRY(ent_pg_run(k->src, "SELECT 1 FROM pg_namespace WHERE nspname = $1", &name, 1, &there, "the target cannot be looked at", err));
	if (PQntuples(there))
		return 0;
	ent_buf_str(&sql, "CREATE SCHEMA IF NOT EXISTS ");
	ent_pg_name(&sql, d->schema);
	return ent_pg_sink_run(k, ent_buf_text(&sql), "the target's schema cannot be made", err);
}

static int table_create(struct ent_sink *k, struct ent_pg_dest *d, const struct incoming *in, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF((size_t)1 << 20);
	ENT_TRY(schema_make(k, d, err));
	ent_buf_printf(&sql, "CREATE TABLE %s (", ent_buf_text(&d->goes));
	for (size_t i = 0; i < in->n; i++) {
		char native[160];
		struct known known;
		bool own;
		ENT_TRY(native_choose(k->src, &in->all[i], native, &known, &own, err));
		if (in->wire && !own)
			return ent_fail(err, ENT_EUNSUPPORTED, "the target does not know the type %.100s of column %.100s", in->all[i].native,
					in->all[i].name);
		ent_buf_str(&sql, i ? ", " : "");
		ent_pg_name(&sql, in->all[i].name);
		ent_buf_printf(&sql, " %s%s", native, in->all[i].nullable && !named(d, in->all[i].name) ? "" : " NOT NULL");
	}
	bool later = d->n_keys && !k->src->cockroach && (d->mode == ENT_WRITE_CREATE || d->mode == ENT_WRITE_REPLACE);
	for (size_t i = 0; i < d->n_keys && !later; i++) {
		ent_buf_str(&sql, i ? ", " : ", PRIMARY KEY (");
		ent_pg_name(&sql, d->keys[i]);
	}
	ent_buf_str(&sql, d->n_keys && !later ? "))" : ")");
	ENT_TRY(ent_buf_check(&sql, err));
	d->made = true;
	if (later)
		return ent_pg_key_later(k, d, ent_buf_text(&sql), err);
	return ent_pg_sink_run(k, ent_buf_text(&sql), "the target table cannot be made", err);
}

static int side_create(struct ent_sink *k, struct ent_pg_dest *d, bool final_there, const struct incoming *in, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(2000);
	ent_buf_printf(&sql, "DROP TABLE IF EXISTS %s", ent_buf_text(&d->goes));
	ENT_TRY(ent_pg_sink_run(k, ent_buf_text(&sql), "the side table cannot be dropped", err));
	if (!final_there)
		return table_create(k, d, in, err);
	ent_buf_reset(&sql);
	d->made = true;
	ent_buf_printf(&sql, "CREATE TABLE %s (LIKE %s INCLUDING ALL)", ent_buf_text(&d->goes), ent_buf_text(&d->final));
	return ent_pg_sink_run(k, ent_buf_text(&sql), "the side table cannot be made", err);
}

/* Where the dest's rows go, as an object name. */
static const char *goes_object(const struct ent_pg_dest *d, char out[140])
{
	snprintf(out, 140, "%s.%s", d->schema, d->side[0] ? d->side : d->table);
	return out;
}

static int there(struct ent_sink *k, const char *object, bool *ret, struct ent_err *err)
{
	struct ent_pg_table *t;
	struct ent_err first = ENT_ERR_INIT;
	ENT_TRY(ent_pg_load_end(k, err));
	ent_pg_table_forget(k->src, object);
	int code = ent_pg_table_get(k->src, object, &t, &first);
	*ret = !code;
	if (code && code != ENT_ENOTFOUND) {
		if (err)
			*err = first;
		return code;
	}
	return 0;
}

static int table_ready(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_target *target, const struct incoming *in, struct ent_err *err)
{
	char object[140];
	bool final, goes;
	ENT_TRY(there(k, target->object, &final, err));
	ENT_TRY(there(k, goes_object(d, object), &goes, err));
	if (target->resume)
		return goes || (d->side[0] && final) ? 0 : ent_fail(err, ENT_EDATA, "the target table %.200s is gone", target->object);
	if (d->mode == ENT_WRITE_REPLACE)
		return side_create(k, d, final, in, err);
	if (final && d->mode == ENT_WRITE_CREATE) {
		ent_fail(err, ENT_EUSAGE, "the target table %.200s is already there", target->object);
		return ent_next(err, "choose --mode append, replace or upsert"), ENT_EUSAGE;
	}
	return final ? 0 : table_create(k, d, in, err);
}

/* --- a table of the sink --- */

static int keys_set(struct ent_pg_dest *d, const struct ent_target *target, struct ent_err *err)
{
	char text[4096] = "";
	if (target->keys) {
		if (target->n_keys > ENT_PG_KEYS_MAX)
			return ent_fail(err, ENT_EUNSUPPORTED, "a key of PostgreSQL has at most %d columns", ENT_PG_KEYS_MAX);
		for (size_t i = 0; i < target->n_keys; i++)
			snprintf(d->keys[i], sizeof d->keys[i], "%s", target->keys[i]);
		d->n_keys = target->n_keys;
	} else if (ent_metadata_get(target->schema->metadata, ENT_META_KEYS, text, sizeof text)) {
		d->n_keys = ent_pg_key(text, d->keys, ENT_PG_KEYS_MAX);
	}
	if (d->mode == ENT_WRITE_UPSERT && !d->n_keys)
		return ent_fail(err, ENT_EUSAGE, "an upsert into %.200s needs a key, and its source has none", target->object);
	return 0;
}

static int key_unique(struct ent_sink *k, const struct ent_pg_dest *d, struct ent_err *err)
{
	char object[140], names[ENT_PG_KEYS_MAX][64];
	struct ent_pg_table *t;
	ENT_TRY(ent_pg_table_get(k->src, goes_object(d, object), &t, err));
	for (const char *line = t->keys; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t n = ent_pg_key(line, names, ENT_PG_KEYS_MAX), same = 0;
		for (size_t i = 0; i < n; i++)
			same += named(d, names[i]);
		if (n && same == n && n == d->n_keys)
			return 0;
	}
	ent_fail(err, ENT_EUSAGE, "the target table %.200s has no unique key over the columns of the upsert", d->object);
	return ent_next(err, "make a primary key, or a unique index over columns without NULL"), ENT_EUSAGE;
}

int ent_pg_dest_puts(struct ent_sink *k, struct ent_pg_dest *d, const struct ArrowSchema *schema, size_t first, struct ent_pg_put *puts,
		     bool *ret_text, struct ent_err *err)
{
	ENT_CLEANUP(incoming_deinit) struct incoming in = { 0 };
	char object[140];
	struct ent_pg_table *t;
	*ret_text = k->src->cockroach;
	ENT_TRY(incoming_read(schema, first, &in, err));
	ENT_TRY(ent_pg_table_get(k->src, goes_object(d, object), &t, err));
	for (size_t i = 0; i < in.n; i++) {
		char native[160], why[200];
		if (map_there(t, &in.all[i], &puts[i], native, why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.100s cannot go into %.100s: %s", in.all[i].name, native, why);
		puts[i].name = schema->children[first + i]->name;
		*ret_text |= puts[i].form == ENT_PG_AS_PARSED;
	}
	return 0;
}

/* Images fit only columns of the very same types. */
static int wire_check(struct ent_sink *k, struct ent_pg_dest *d, const struct incoming *in, struct ent_err *err)
{
	char object[140];
	struct ent_pg_table *t;
	ENT_TRY(ent_pg_table_get(k->src, goes_object(d, object), &t, err));
	for (size_t i = 0; i < in->n; i++) {
		int at = ent_pg_field_find(t, in->all[i].name);
		if (at < 0 || t->fields[at].generated || strcmp(t->fields[at].native, in->all[i].native) != 0)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.100s of type %.100s does not take images of %.100s", in->all[i].name,
					at < 0 ? "nothing" : t->fields[at].native, in->all[i].native);
	}
	d->wire = true;
	return 0;
}

static int dest_columns(struct ent_sink *k, struct ent_pg_dest *d, struct incoming *in, struct ent_err *err)
{
	ent_buf_reset(&d->columns);
	for (size_t i = 0; i < in->n; i++) {
		ent_buf_str(&d->columns, i ? ", " : "");
		ent_pg_name(&d->columns, in->all[i].name);
	}
	ENT_TRY(ent_buf_check(&d->columns, err));
	free(d->puts);
	d->n_puts = in->n;
	if (!(d->puts = (struct ent_pg_put *)calloc(in->n + 1, sizeof *d->puts)))
		return ent_nomem(err);
	for (size_t i = 0; i < in->n; i++)
		d->puts[i].name = in->wire ? in->all[i].name : d->arrow.children[i]->name;
	if (in->wire) {
		ENT_TRY(wire_check(k, d, in, err));
		d->names = in->text; /* the names stay */
		in->text = (struct ent_buf)ENT_BUF(0);
		return 0;
	}
	return ent_pg_dest_puts(k, d, &d->arrow, 0, d->puts, &d->as_text, err);
}

static int dest_names(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_target *target, struct ent_err *err)
{
	uint64_t h = 0xcbf29ce484222325u;
	ENT_TRY(ent_pg_object_split(target->object, d->schema, d->table, err));
	for (const char *p = k->job; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	for (const char *p = d->table; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	if (d->mode == ENT_WRITE_REPLACE)
		snprintf(d->side, sizeof d->side, "_entente_new_%016llx", (unsigned long long)h);
	struct ent_buf *const names[] = { &d->final, &d->goes, &d->stage };
	char stage[64];
	snprintf(stage, sizeof stage, "_entente_stage_%d_%zu", PQbackendPID(k->src->con), k->n_dests);
	const char *const tables[] = { d->table, d->side[0] ? d->side : d->table, stage };
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		ent_buf_init(names[i], 300);
		ent_pg_name(names[i], d->schema);
		ent_buf_str(names[i], ".");
		ent_pg_name(names[i], tables[i]);
		ENT_TRY(ent_buf_check(names[i], err));
	}
	return 0;
}

int ent_pg_sink_table(struct ent_sink *k, const struct ent_target *target, size_t *ret_index, struct ent_err *err)
{
	ENT_CLEANUP(dest_freep) struct ent_pg_dest *d = (struct ent_pg_dest *)calloc(1, sizeof *d);
	ENT_CLEANUP(incoming_deinit) struct incoming in = { 0 };
	char object[140];
	bool found;
	if (!d || !(d->object = ent_strdup(target->object)))
		return ent_nomem(err);
	d->mode = target->mode;
	ent_buf_init(&d->columns, (size_t)1 << 20);
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(incoming_read(target->schema, 0, &in, err));
	ENT_TRY(dest_names(k, d, target, err));
	ENT_TRY(keys_set(d, target, err));
	ENT_TRY(ent_schema_dup(target->schema, &d->arrow, err));
	ENT_TRY(table_ready(k, d, target, &in, err));
	if (target->mode != ENT_WRITE_UPSERT && !d->key_due)
		ENT_TRY(ent_pg_key_ask(k, d, err));
	ENT_TRY(there(k, goes_object(d, object), &found, err));
	if (found) /* else a replaced table that has changed over already: nothing is left to write */
		ENT_TRY(dest_columns(k, d, &in, err));
	if (found && d->mode == ENT_WRITE_UPSERT)
		ENT_TRY(key_unique(k, d, err));
	struct ent_pg_dest **more = (struct ent_pg_dest **)realloc(k->dests, (k->n_dests + 1) * sizeof(struct ent_pg_dest *));
	if (!more)
		return ent_nomem(err);
	k->dests = more;
	*ret_index = k->n_dests;
	k->dests[k->n_dests++] = d;
	d = NULL;
	return 0;
}

/* --- following the source's schema --- */

static bool widened(struct ent_type from, struct ent_type to)
{
	if (ent_type_is_int(from) && ent_type_is_int(to))
		return to.id > from.id;
	if (from.id == ENT_T_DECIMAL && to.id == ENT_T_DECIMAL)
		return to.scale >= from.scale && to.precision - to.scale >= from.precision - from.scale;
	return from.id == ENT_T_REAL && to.id == ENT_T_DOUBLE;
}

/* "character varying(10)": 10; text and varchar without a limit: 0; other types: -1. */
static long text_limit(const char *native)
{
	if (!strcmp(native, "text") || !strcmp(native, "character varying"))
		return 0;
	return strncmp(native, "character varying(", 18) ? -1 : strtol(native + 18, NULL, 10);
}

static bool text_widened(const char *from, const char *to)
{
	long a = text_limit(from), b = text_limit(to);
	return a > 0 && (b == 0 || b > a);
}

static int column_add(struct ent_sink *k, const struct ent_pg_dest *d, const struct wanted *w, const char *native, bool change, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4000);
	ent_buf_printf(&sql, "ALTER TABLE %s %s ", ent_buf_text(&d->goes), change ? "ALTER COLUMN" : "ADD COLUMN");
	ent_pg_name(&sql, w->name);
	ent_buf_printf(&sql, "%s %s", change ? " TYPE" : "", native);
	return ent_pg_sink_run(k, ent_buf_text(&sql), "the target table cannot be altered", err);
}

static int column_follow(struct ent_sink *k, struct ent_pg_dest *d, const struct ent_pg_table *t, const struct wanted *w, struct ent_err *err)
{
	char native[160];
	struct known known;
	bool own;
	int at = ent_pg_field_find(t, w->name);
	ENT_TRY(native_choose(k->src, w, native, &known, &own, err));
	if (at < 0)
		return w->nullable ? column_add(k, d, w, native, false, err)
				   : ent_fail(err, ENT_EUNSUPPORTED, "the new column %.200s does not allow NULL", w->name);
	const struct ent_pg_field *f = &t->fields[at];
	if (!strcmp(f->native, native) || (ent_type_eq(f->type, w->type) && w->type.id != ENT_T_TEXT))
		return 0;
	if (widened(f->type, w->type) || (own && text_widened(f->native, native)))
		return column_add(k, d, w, native, true, err);
	if (widened(w->type, f->type) || (own && text_widened(native, f->native)) || (!own && ent_type_eq(f->type, w->type)))
		return 0; /* the target is the wider one already */
	return ent_fail(err, ENT_EUNSUPPORTED, "column %.100s became %.100s, and the target has %.100s: that is no widening", w->name, native,
			f->native);
}

int ent_pg_sink_alter(struct ent_sink *k, size_t index, const struct ArrowSchema *new_schema, struct ent_err *err)
{
	ENT_CLEANUP(incoming_deinit) struct incoming in = { 0 };
	char object[140];
	struct ent_pg_table *t;
	bool found;
	if (index >= k->n_dests)
		return ent_fail(err, ENT_EINTERNAL, "the sink has no table %zu", index);
	struct ent_pg_dest *d = k->dests[index];
	size_t first = new_schema->n_children > 1 && !strcmp(new_schema->children[0]->name, "entente.op") ? 2 : 0;
	ENT_TRY(incoming_read(new_schema, first, &in, err));
	for (size_t i = 0; i < d->n_puts && !d->wire; i++) {
		bool kept = false;
		for (size_t j = 0; j < in.n && !kept; j++)
			kept = !strcmp(in.all[j].name, d->puts[i].name);
		if (!kept)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s is gone from the source", d->puts[i].name);
	}
	ENT_TRY(ent_pg_gathers_apply(k, err));
	ENT_TRY(ent_pg_load_end(k, err));
	ENT_TRY(ent_pg_sink_begin(k, err));
	ENT_TRY(there(k, goes_object(d, object), &found, err));
	ENT_TRY(ent_pg_table_get(k->src, object, &t, err));
	for (size_t i = 0; i < in.n; i++)
		ENT_TRY(column_follow(k, d, t, &in.all[i], err));
	if (d->staged)
		ENT_TRY(ent_pg_stages_drop(k, err));
	return there(k, object, &found, err);
}
