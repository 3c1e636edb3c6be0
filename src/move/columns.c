/* Which columns of a table are followed, and what becomes of a change of them: a new nullable column and a wider type are followed, anything else
 * stops the table. Names are kept as 32-bit hashes, forty to a checkpoint of the target. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/fit.h"
#include "arrow/sink.h"
#include "arrow/stream.h"
#include "crypto/hash.h"
#include "move/follow.h"

#define HASHES_PER_PART 40u

static uint32_t text_hash(const char *text)
{
	uint8_t sha[ENT_SHA256_LEN];
	uint32_t h;
	ent_sha256(text, strlen(text), sha);
	memcpy(&h, sha, sizeof h);
	return h;
}

static uint32_t type_hash(const struct ArrowSchema *schema, size_t i)
{
	struct ent_field_info f;
	char text[500];
	ent_schema_field(schema, i, &f);
	snprintf(text, sizeof text, "%.255s\t%s", f.name, f.native);
	return text_hash(text);
}

static bool has_hash(const uint32_t *list, size_t n, uint32_t h)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == h)
			return true;
	return false;
}

static bool known(const struct ent_follow_table *t, const char *name) { return has_hash(t->known, t->n_known, text_hash(name)); }

/* A column that was followed before has another type than it had, be it since the last run. */
static bool retyped(const struct ent_follow_table *t, const struct ArrowSchema *event)
{
	char yes[8];
	if (!ent_metadata_get(event->metadata, ENT_META_DECLARED, yes, sizeof yes))
		return false;
	for (size_t i = 2; i < (size_t)event->n_children && t->n_types; i++)
		if (known(t, event->children[i]->name) && !has_hash(t->types, t->n_types, type_hash(event, i)))
			return true;
	return false;
}

static int known_set(struct ent_follow_table *t, const struct ArrowSchema *schema, struct ent_err *err)
{
	size_t n = (size_t)schema->n_children;
	uint32_t *all = (uint32_t *)calloc(n + 1, sizeof *all), *types = (uint32_t *)calloc(n + 1, sizeof *types);
	if (!all || !types) {
		free(all);
		free(types);
		return ent_nomem(err);
	}
	for (size_t i = 0; i < n; i++) {
		all[i] = text_hash(schema->children[i]->name);
		types[i] = type_hash(schema, i);
	}
	free(t->known);
	free(t->types);
	t->known = all;
	t->types = types;
	t->n_known = t->n_types = n;
	t->known_unsaved = true;
	return 0;
}

static void part_name(const struct ent_following *f, const char *what, size_t i, size_t n, char out[200])
{
	snprintf(out, 200, "%s %.150s %zu", what, f->spec->tables[i].source, n);
}

static int hashes_save(struct ent_following *f, const char *what, size_t i, const uint32_t *list, size_t n_list, struct ent_err *err)
{
	for (size_t n = 0; n * HASHES_PER_PART <= n_list; n++) {
		char part[200], text[HASHES_PER_PART * 8 + 1] = "";
		for (size_t k = n * HASHES_PER_PART, at = 0; k < n_list && k < (n + 1) * HASHES_PER_PART; k++, at += 8)
			snprintf(text + at, 9, "%08x", list[k]);
		part_name(f, what, i, n, part);
		ENT_TRY(ent_following_mark(f, part, text, n_list, err));
	}
	return 0;
}

int ent_following_known_save(struct ent_following *f, size_t i, struct ent_err *err)
{
	struct ent_follow_table *t = &f->tables[i];
	ENT_TRY(hashes_save(f, "schema", i, t->known, t->n_known, err));
	ENT_TRY(hashes_save(f, "types", i, t->types, t->n_types, err));
	t->known_unsaved = false;
	return 0;
}

static int hashes_load(struct ent_following *f, const char *what, size_t i, uint32_t **ret, size_t *ret_n, bool *ret_found, struct ent_err *err)
{
	free(*ret);
	*ret_n = 0;
	*ret_found = false;
	*ret = (uint32_t *)calloc(ENT_COLUMNS_MAX + HASHES_PER_PART, sizeof **ret);
	if (!*ret)
		return ent_nomem(err);
	for (size_t n = 0; n * HASHES_PER_PART <= ENT_COLUMNS_MAX; n++) {
		char part[200], text[400];
		bool found;
		part_name(f, what, i, n, part);
		ENT_TRY(ent_following_last(f, part, &found, text, err));
		*ret_found = n ? *ret_found : found;
		for (const char *at = text; found && strlen(at) >= 8; at += 8)
			if (sscanf(at, "%8x", &(*ret)[*ret_n]) == 1)
				(*ret_n)++;
		if (!found || strlen(text) < HASHES_PER_PART * 8)
			break;
	}
	return 0;
}

static int known_load(struct ent_following *f, size_t i, bool *ret_found, struct ent_err *err)
{
	struct ent_follow_table *t = &f->tables[i];
	bool types;
	ENT_TRY(hashes_load(f, "types", i, &t->types, &t->n_types, &types, err));
	return hashes_load(f, "schema", i, &t->known, &t->n_known, ret_found, err);
}

static void list_freep(const char ***list) { free((void *)*list); }

int ent_following_left_out(struct ent_following *f, size_t i, struct ent_err *err)
{
	ENT_SCHEMA_AUTO now = { 0 };
	struct ent_object object = { .size = sizeof object };
	struct ent_err quiet = ENT_ERR_INIT;
	char *text = (char *)malloc((size_t)1 << 18);
	if (!text)
		return ent_nomem(err);
	int code = f->source.connector->describe(f->source.source, f->spec->tables[i].source, &now, &object, &quiet);
	bool any = !code && ent_metadata_get(now.metadata, ENT_META_UNLOGGED, text, (size_t)1 << 18);
	free(f->tables[i].left_out);
	f->tables[i].left_out = any ? ent_strdup(text) : NULL;
	free(text);
	if (any && !f->tables[i].left_out)
		return ent_nomem(err);
	if (code && code != ENT_ENOTFOUND && err)
		*err = quiet;
	return code == ENT_ENOTFOUND ? 0 : code; /* a table that is gone stops when its turn comes */
}

int ent_following_chosen(struct ent_following *f, size_t i, struct ArrowSchema *ret_schema, const char ***ret, size_t *ret_n, struct ent_err *err)
{
	struct ent_object object = { .size = sizeof object };
	const char *left_out = f->tables[i].left_out;
	*ret = NULL;
	*ret_n = 0;
	if (!left_out)
		return 0;
	ENT_TRY(f->source.connector->describe(f->source.source, f->spec->tables[i].source, ret_schema, &object, err));
	const char **list = (const char **)calloc((size_t)ret_schema->n_children + 1, sizeof *list);
	if (!list)
		return ent_nomem(err);
	for (size_t k = 0; k < (size_t)ret_schema->n_children; k++) {
		struct ent_field_info info;
		ent_schema_field(ret_schema, k, &info);
		if (info.copied && !ent_sink_listed(ent_bytes_str(left_out), info.name))
			list[(*ret_n)++] = info.name;
	}
	*ret = list;
	return 0;
}

static int source_schema(struct ent_following *f, size_t i, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO names = { 0 };
	ENT_CLEANUP(list_freep) const char **list = NULL;
	struct ent_read what = { .size = sizeof what, .object = f->spec->tables[i].source };
	ENT_TRY(ent_following_chosen(f, i, &names, &list, &what.n_columns, err));
	what.columns = list;
	ENT_TRY(f->source.connector->read(f->source.source, &what, &stream, err));
	return ent_stream_schema(&stream, ret, err);
}

static int keys_check(const struct ent_replicate_table *t, const struct ArrowSchema *schema, struct ent_err *err)
{
	char keys[4000];
	if (t->n_keys || ent_metadata_get(schema->metadata, ENT_META_KEYS, keys, sizeof keys))
		return 0;
	ent_fail(err, ENT_EUSAGE, "%.200s has no key, so a change cannot find its row", t->source);
	return ent_next(err, "give the table a primary key, or name the columns: --key a,b"), ENT_EUSAGE;
}

int ent_following_known(struct ent_following *f, size_t i, struct ent_err *err)
{
	ENT_SCHEMA_AUTO now = { 0 };
	bool found = false;
	ENT_TRY(known_load(f, i, &found, err));
	if (found)
		return 0;
	ENT_TRY(source_schema(f, i, &now, err));
	ENT_TRY(keys_check(&f->spec->tables[i], &now, err));
	ENT_TRY(known_set(&f->tables[i], &now, err));
	return ent_following_known_save(f, i, err);
}

/* ---- what comes ---- */

/* The table's columns of an event schema, all or only those that are in among (may be NULL). The keys of the table stay with it. */
static int columns_of(const struct ArrowSchema *event, const struct ArrowSchema *among, const char *keys, struct ArrowSchema *ret,
		      struct ent_err *err)
{
	char store[40];
	size_t n = 0;
	struct ent_field *fields = (struct ent_field *)calloc((size_t)event->n_children + 1, sizeof *fields);
	char(*natives)[160] = (char(*)[160])calloc((size_t)event->n_children + 1, sizeof *natives);
	int code = fields && natives ? 0 : ent_nomem(err);
	for (size_t i = 2; !code && i < (size_t)event->n_children; i++) {
		struct ent_field_info info;
		ent_schema_field(event, i, &info);
		if (among && ent_schema_find(among, info.name) < 0)
			continue;
		memcpy(natives[n], info.native, sizeof info.native);
		fields[n] = (struct ent_field){ .name = info.name,
						.type = info.type,
						.nullable = true,
						.native = natives[n][0] ? natives[n] : NULL,
						.format = event->children[i]->format };
		n++;
	}
	bool own = ent_metadata_get(event->metadata, ENT_META_STORE, store, sizeof store);
	code = code ? code : ent_schema_new(fields, n, keys, ret, err);
	if (!code && own)
		code = ent_schema_meta_add(ret, ENT_META_STORE, store, err);
	free(fields);
	free(natives);
	return code;
}

static int target_schema(struct ent_following *f, size_t i, struct ArrowSchema *ret, struct ent_err *err)
{
	struct ent_object object;
	return f->target.connector->describe(f->target.source, f->spec->tables[i].target, ret, &object, err);
}

static int sink_open_table(struct ent_following *f, size_t i, struct ArrowSchema *schema, struct ent_err *err)
{
	const struct ent_replicate_table *t = &f->spec->tables[i];
	struct ent_follow_table *ours = &f->tables[i];
	struct ent_target target = { .size = sizeof target,
				     .object = t->target,
				     .schema = schema,
				     .keys = t->keys,
				     .n_keys = t->n_keys,
				     .mode = ENT_WRITE_UPSERT,
				     .resume = 1 };
	ENT_TRY(f->target.connector->sink_table(f->sink, &target, &ours->index, err));
	ent_schema_release(&ours->schema);
	ours->schema = ent_schema_take(schema);
	ours->opened = true;
	return 0;
}

int ent_following_emptied(struct ent_following *f, size_t i, struct ent_err *err)
{
	ENT_SCHEMA_AUTO there = { 0 }, schema = { 0 };
	const struct ent_connector *c = f->target.connector;
	struct ent_err quiet = ENT_ERR_INIT;
	struct ent_object object = { .size = sizeof object };
	int code = c->describe(f->target.source, f->spec->tables[i].target, &there, &object, &quiet);
	if (code == ENT_ENOTFOUND)
		return 0;
	if (code && err)
		*err = quiet;
	ENT_TRY(code);
	if (!c->sink_truncate) {
		ent_fail(err, ENT_EUNSUPPORTED, "the rows of %.200s cannot be taken out at one stroke", f->spec->tables[i].target);
		return ent_next(err, "drop it, then begin anew"), ENT_EUNSUPPORTED;
	}
	ENT_TRY(source_schema(f, i, &schema, err));
	ENT_TRY(sink_open_table(f, i, &schema, err));
	return c->sink_truncate(f->sink, f->tables[i].index, err);
}

/* Refusals of the target become the reason why the table stops. */
static int altered(struct ent_following *f, size_t i, struct ArrowSchema *schema, char why[400], struct ent_err *err)
{
	const struct ent_connector *c = f->target.connector;
	struct ent_err e = ENT_ERR_INIT;
	int code = c->sink_alter ? c->sink_alter(f->sink, f->tables[i].index, schema, &e) : ENT_EUNSUPPORTED;
	bool inside = code == ENT_EAGAIN && f->in_transaction && f->rows_open && !ent_sink_is_overtaken(&e); /* the same again, however often */
	if (code == ENT_EUNSUPPORTED || code == ENT_EDATA || code == ENT_ESQL || inside)
		return snprintf(why, 400, "%s", e.what[0] ? e.what : "the target cannot follow a change of its columns"), 0;
	if (code && err)
		*err = e;
	if (code)
		return code;
	ent_schema_release(&f->tables[i].schema);
	f->tables[i].schema = ent_schema_take(schema);
	return known_set(&f->tables[i], &f->tables[i].schema, err);
}

static bool dropped(const struct ent_follow_table *t, const struct ArrowSchema *event, const struct ArrowSchema *there, char why[400])
{
	size_t here = 0;
	for (size_t i = 2; i < (size_t)event->n_children; i++)
		here += known(t, event->children[i]->name);
	if (here == t->n_known)
		return false;
	snprintf(why, 400, "a column was dropped or renamed at the source");
	for (size_t i = 0; there->release && i < (size_t)there->n_children; i++)
		if (known(t, there->children[i]->name) && ent_schema_find(event, there->children[i]->name) < 0)
			snprintf(why, 400, "column %.100s was dropped or renamed at the source", there->children[i]->name);
	return true;
}

/* Columns that were followed and that the target has no more: making them again would leave their older values NULL. */
static bool taken_away(const struct ent_follow_table *t, const struct ArrowSchema *event, const struct ArrowSchema *there, char why[400])
{
	for (size_t i = 2; !t->opened && i < (size_t)event->n_children; i++)
		if (known(t, event->children[i]->name) && ent_schema_find(there, event->children[i]->name) < 0)
			return snprintf(why, 400, "column %.100s was dropped or renamed at the target", event->children[i]->name), true;
	return false;
}

static void filled_of(const struct ArrowSchema *event, struct ent_buf *out)
{
	char *text = (char *)malloc((size_t)1 << 18);
	if (text && ent_metadata_get(event->metadata, ENT_META_FILLED, text, (size_t)1 << 18))
		ent_buf_str(out, text);
	free(text);
}

/* New columns must be nullable, changed types wider. from: the columns as they were in this run. */
static bool followable(const struct ent_follow_table *t, const struct ArrowSchema *event, bool *ret_changed, char why[400])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf filled = ENT_BUF((size_t)1 << 18);
	char yes[8];
	bool declared = ent_metadata_get(event->metadata, ENT_META_DECLARED, yes, sizeof yes);
	*ret_changed = false;
	filled_of(event, &filled);
	for (size_t i = 2; i < (size_t)event->n_children; i++) {
		struct ent_field_info a, b;
		char text[200];
		ent_schema_field(event, i, &b);
		int at = t->schema.release ? ent_schema_find(&t->schema, b.name) : -1;
		bool fresh = !known(t, b.name);
		*ret_changed = *ret_changed || fresh;
		if (fresh && !b.nullable)
			return snprintf(why, 400, "the new column %.100s may not be NULL at the source", b.name), false;
		if (fresh && ent_sink_listed(ent_buf_bytes(&filled), b.name))
			return snprintf(why, 400, "the new column %.100s fills older rows with a value that the log does not show", b.name), false;
		if (at < 0)
			continue;
		ent_schema_field(&t->schema, (size_t)at, &a);
		*ret_changed = *ret_changed || (declared && strcmp(a.native, b.native) != 0);
		if (ent_type_eq(a.type, b.type))
			continue; /* the target knows whether a longer text needs more room */
		*ret_changed = true;
		if (ent_fit_types(a.type, b.type, text) != ENT_MAP_WIDENED)
			return snprintf(why, 400, "column %.100s changed its type at the source", b.name), false;
	}
	return true;
}

int ent_following_columns(struct ent_following *f, size_t i, struct ArrowSchema *event, char ret_why[400], struct ent_err *err)
{
	struct ent_follow_table *t = &f->tables[i];
	ENT_SCHEMA_AUTO there = { 0 }, columns = { 0 };
	char keys[4000] = "";
	bool changed;
	if (event->n_children < 3)
		return ent_fail(err, ENT_EDATA, "the changes of %.200s have no columns", f->spec->tables[i].source);
	ENT_TRY(target_schema(f, i, &there, err));
	if (dropped(t, event, &there, ret_why) || taken_away(t, event, &there, ret_why) || !followable(t, event, &changed, ret_why))
		return 0;
	(void)ent_metadata_get(there.metadata, ENT_META_KEYS, keys, sizeof keys);
	bool other = retyped(t, event);
#ifdef ENT_MUTANT_REPLICATE_RETYPED
	other = false;
#endif
	if (!t->opened) {
		ENT_TRY(columns_of(event, &there, keys, &columns, err));
		bool whole = columns.n_children == event->n_children - 2;
		ENT_TRY(sink_open_table(f, i, &columns, err));
		if (whole && !other)
			return changed ? known_set(t, &t->schema, err) : 0;
		changed = true;
	}
	if (!changed)
		return 0;
	ENT_TRY(columns_of(event, NULL, keys, &columns, err));
	return altered(f, i, &columns, ret_why, err);
}
