/* Profiling a table on its owner's side: one pass over all rows for sizes, bounds, distinct texts and single-column keys, a second one
 * for pairs of columns when no single column names a row. Sets of 64-bit hashes stand for sets of values. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/rows.h"
#include "cli/source_open.h"
#include "crypto/hash.h"

#define KEYS_MAX 400
#define KEY_COLUMNS_MAX 8
#define PROBE_BYTES_MAX ((size_t)64 << 20)

/* ---- a set of hashes ---- */

struct hash_set {
	uint64_t *slots; /* 0 = free */
	size_t n, cap;
};

static bool set_grow(struct hash_set *s)
{
	struct hash_set bigger = { ent_alloc(s->cap ? s->cap * 2 : 256, sizeof *s->slots), 0, s->cap ? s->cap * 2 : 256 };
	if (!bigger.slots)
		return false;
	memset(bigger.slots, 0, bigger.cap * sizeof *bigger.slots);
	for (size_t i = 0; i < s->cap; i++) {
		if (!s->slots[i])
			continue;
		size_t at = s->slots[i] & (bigger.cap - 1);
		while (bigger.slots[at])
			at = (at + 1) & (bigger.cap - 1);
		bigger.slots[at] = s->slots[i];
		bigger.n++;
	}
	free(s->slots);
	*s = bigger;
	return true;
}

/* 1: new, 0: was there, -1: no memory. */
static int set_add(struct hash_set *s, uint64_t h)
{
	h += !h;
	if (s->n * 4 >= s->cap * 3 && !set_grow(s))
		return -1;
	size_t at = h & (s->cap - 1);
	for (; s->slots[at]; at = (at + 1) & (s->cap - 1))
		if (s->slots[at] == h)
			return 0;
	s->slots[at] = h;
	s->n++;
	return 1;
}

static void set_deinit(struct hash_set *s)
{
	free(s->slots);
	*s = (struct hash_set){ 0 };
}

/* ---- state of a probe ---- */

struct key {
	uint16_t columns[KEY_COLUMNS_MAX];
	size_t n;
	bool alive, declared;
	struct hash_set seen;
};

struct probe_state {
	struct ent_arena *arena;
	struct ent_probe_column *columns;
	size_t n_columns;
	struct hash_set *texts; /* per column */
	bool *nulls;            /* per column: NULL in some row */
	struct key *keys;
	size_t n_keys;
	uint8_t salt[16];
	uint64_t rows;
	bool first_pass;
	struct ent_sha256 digest;
	struct ent_buf row;
};

static unsigned bits_of(uint64_t v) { return v ? 64u - (unsigned)__builtin_clzll(v) : 0; }

static unsigned magnitude(const struct ent_view *v, size_t row)
{
	if (ent_type_is_float(v->type)) {
		double d = ent_view_real(v, row);
		d = d < 0 ? -d : d;
		return d != d || d > 1e300 ? 0 : d >= 18446744073709551616.0 ? 64 : bits_of((uint64_t)d);
	}
	int64_t i = ent_view_int(v, row);
	return bits_of(i < 0 ? 0 - (uint64_t)i : (uint64_t)i);
}

static uint64_t value_hash(const struct probe_state *s, const struct ent_view *v, size_t row, uint64_t seed)
{
	uint8_t key[16];
	memcpy(key, s->salt, sizeof key);
	for (int i = 0; i < 8; i++)
		key[i] ^= (uint8_t)(seed >> (8 * i));
	if (v->type.id == ENT_T_TEXT) {
		struct ent_bytes t = ent_view_text(v, row);
		return ent_siphash(key, t.data, t.len);
	}
	int64_t i = ent_view_int(v, row);
	return ent_siphash(key, &i, sizeof i);
}

static int profile_value(struct probe_state *s, size_t c, const struct ent_view *v, size_t row, struct ent_err *err)
{
	struct ent_probe_column *column = &s->columns[c];
	if (ent_view_null(v, row)) {
		s->nulls[c] = true;
		return 0;
	}
	column->has_values = true;
	if (ent_type_is_number(v->type)) {
		unsigned m = magnitude(v, row);
		column->magnitude_bits = m > column->magnitude_bits ? (uint8_t)m : column->magnitude_bits;
	}
	if (v->type.id == ENT_T_TEXT && set_add(&s->texts[c], value_hash(s, v, row, 0)) < 0)
		return ent_nomem(err);
	return 0;
}

static int profile_key(struct probe_state *s, struct key *k, const struct ent_batch *b, size_t row, struct ent_err *err)
{
	uint64_t h = 0x9e3779b97f4a7c15u;
	for (size_t i = 0; i < k->n; i++) {
		const struct ent_view *v = &b->columns[k->columns[i]];
		if (ent_view_null(v, row)) {
			k->alive = false;
			set_deinit(&k->seen);
			return 0;
		}
		h = value_hash(s, v, row, h + i);
	}
	int r = set_add(&k->seen, h);
	if (r < 0)
		return ent_nomem(err);
	if (!r) {
		k->alive = false;
		set_deinit(&k->seen);
	}
	return 0;
}

static int digest_row(struct probe_state *s, const struct ent_batch *b, size_t row, struct ent_err *err)
{
	ent_buf_reset(&s->row);
	ent_rows_put(b, row, &s->row);
	ENT_TRY(ent_buf_check(&s->row, err));
	ent_sha256_put(&s->digest, s->row.data, s->row.len);
	return 0;
}

static int profile_batch(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct probe_state *s = arg;
	if (b->n_columns != s->n_columns)
		return ent_fail(err, ENT_EDATA, "the source changed while it was read");
	for (size_t row = 0; row < b->rows; row++) {
		for (size_t c = 0; s->first_pass && c < s->n_columns; c++)
			ENT_TRY(profile_value(s, c, &b->columns[c], row, err));
		for (size_t k = 0; k < s->n_keys; k++)
			if (s->keys[k].alive)
				ENT_TRY(profile_key(s, &s->keys[k], b, row, err));
		if (s->first_pass)
			ENT_TRY(digest_row(s, b, row, err));
	}
	s->rows += s->first_pass ? b->rows : 0;
	return 0;
}

/* ---- columns and keys ---- */

static bool is_hidden(const struct ent_probe *p, const char *name)
{
	for (size_t i = 0; i < p->n_hidden; i++)
		if (!strcmp(p->hidden[i], name))
			return true;
	return false;
}

static int check_hidden(const struct ent_probe *p, const struct ArrowSchema *schema, struct ent_err *err)
{
	for (size_t i = 0; i < p->n_hidden; i++)
		if (ent_schema_find(schema, p->hidden[i]) < 0)
			return ent_fail(err, ENT_EUSAGE, "--hide %s: there is no such column", p->hidden[i]);
	return 0;
}

static int choose_columns(struct probe_state *s, const struct ent_probe *p, const struct ArrowSchema *schema, struct ent_probe_facts *facts,
			  struct ent_err *err)
{
	size_t n = (size_t)schema->n_children;
	const char **skipped = (const char **)ent_arena_get(s->arena, n + 1, sizeof *skipped);
	s->columns = ENT_NEWS(s->arena, n + 1, struct ent_probe_column);
	if (!skipped || !s->columns)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, i, &f);
		if (is_hidden(p, f.name))
			continue;
		if (!f.unsupported[0] && !ent_type_is_joint(f.type))
			snprintf(f.unsupported, sizeof f.unsupported, "no joint query knows its type");
		if (f.unsupported[0]) {
			skipped[facts->n_skipped++] = ent_arena_printf(s->arena, "%s: %s", f.name, f.unsupported);
			continue;
		}
		s->columns[s->n_columns++] = (struct ent_probe_column){
			.name = ent_arena_dup(s->arena, f.name), .native = ent_arena_dup(s->arena, f.native), .type = f.type, .nullable = f.nullable
		};
	}
	facts->skipped = skipped;
	return s->n_columns ? 0 : ent_fail(err, ENT_EDATA, "the source has no column that a joint query can use");
}

static int column_at(const struct probe_state *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n_columns; i++)
		if (strlen(s->columns[i].name) == len && !strncmp(s->columns[i].name, name, len))
			return (int)i;
	return -1;
}

static bool key_known(const struct probe_state *s, const struct key *k)
{
	for (size_t i = 0; i < s->n_keys; i++)
		if (s->keys[i].n == k->n && !memcmp(s->keys[i].columns, k->columns, k->n * sizeof k->columns[0]))
			return true;
	return false;
}

static void key_add(struct probe_state *s, struct key k)
{
	k.alive = true;
	if (s->n_keys < KEYS_MAX && k.n && !key_known(s, &k))
		s->keys[s->n_keys++] = k;
}

/* "a,b" or "a\tb". */
static bool key_by_names(const struct probe_state *s, const char *names, const char *separators, struct key *ret)
{
	*ret = (struct key){ 0 };
	while (*names) {
		size_t len = strcspn(names, separators);
		int at = column_at(s, names, len);
		if (at < 0 || ret->n == KEY_COLUMNS_MAX)
			return false;
		ret->columns[ret->n++] = (uint16_t)at;
		names += len + (names[len] != 0);
	}
	return ret->n > 0;
}

static bool keyable(struct ent_type t) { return ent_type_is_int(t) || t.id == ENT_T_TEXT || ent_type_is_time(t); }

static int add_keys(struct probe_state *s, const struct ent_probe *p, const struct ArrowSchema *schema, struct ent_err *err)
{
	char promised[4096], *line, *rest = promised;
	struct key k;
	for (size_t i = 0; i < p->n_keys; i++) {
		if (!key_by_names(s, p->keys[i], ",", &k))
			return ent_fail(err, ENT_EUSAGE, "--key %s: no such columns", p->keys[i]);
		k.declared = true;
		key_add(s, k);
	}
	if (ent_metadata_get(schema->metadata, ENT_META_KEYS, promised, sizeof promised))
		while ((line = strsep(&rest, "\n")))
			if (key_by_names(s, line, "\t", &k))
				key_add(s, k);
	for (size_t i = 0; i < s->n_columns; i++)
		if (keyable(s->columns[i].type))
			key_add(s, (struct key){ .columns = { (uint16_t)i }, .n = 1 });
	return 0;
}

static void add_pairs(struct probe_state *s)
{
	for (size_t i = 0; i < s->n_columns; i++)
		for (size_t j = i + 1; j < s->n_columns; j++)
			if (keyable(s->columns[i].type) && keyable(s->columns[j].type) && !s->nulls[i] && !s->nulls[j])
				key_add(s, (struct key){ .columns = { (uint16_t)i, (uint16_t)j }, .n = 2 });
}

static bool any_alive(const struct probe_state *s)
{
	for (size_t i = 0; i < s->n_keys; i++)
		if (s->keys[i].alive)
			return true;
	return false;
}

/* ---- passes ---- */

static int pass(struct probe_state *s, struct ent_opened *o, const char *object, bool first, struct ent_err *err)
{
	ENT_STREAM_AUTO rows = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	const char **names = (const char **)ent_arena_get(s->arena, s->n_columns + 1, sizeof *names);
	if (!names)
		return ent_nomem(err);
	for (size_t i = 0; i < s->n_columns; i++)
		names[i] = s->columns[i].name;
	ENT_TRY(o->connector->scan(o->source, object, names, s->n_columns, &rows, err));
	ENT_TRY(ent_stream_schema(&rows, &schema, err));
	s->first_pass = first;
	if (first) {
		ent_buf_reset(&s->row);
		ENT_TRY(ent_rows_put_schema(&schema, &s->row, err));
		ent_sha256_put(&s->digest, s->row.data, s->row.len);
	}
	return ent_stream_each(&rows, &schema, profile_batch, s, err);
}

static int give_keys(struct probe_state *s, struct ent_probe_facts *facts, struct ent_err *err)
{
	struct ent_unique *keys = ENT_NEWS(s->arena, s->n_keys + 1, struct ent_unique);
	if (!keys)
		return ent_nomem(err);
	for (size_t i = 0; i < s->n_keys; i++) {
		struct key *k = &s->keys[i];
		if (k->declared && !k->alive)
			return ent_fail(err, ENT_EDATA, "the declared key is not unique, or NULL in some row (column %s ...)",
					s->columns[k->columns[0]].name);
		if (!k->alive || !s->rows)
			continue;
		uint16_t *columns = ENT_NEWS(s->arena, k->n, uint16_t);
		if (!columns)
			return ent_nomem(err);
		memcpy(columns, k->columns, k->n * sizeof *columns);
		keys[facts->n_keys++] = (struct ent_unique){ columns, k->n };
	}
	facts->keys = keys;
	return 0;
}

static int probe_all(struct probe_state *s, struct ent_opened *o, const struct ent_probe *p, struct ent_probe_facts *facts, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object object = { .size = sizeof object };
	ENT_TRY(o->connector->describe(o->source, p->source.object, &schema, &object, err));
	ENT_TRY(ent_schema_check(&schema, err));
	ENT_TRY(check_hidden(p, &schema, err));
	ENT_TRY(choose_columns(s, p, &schema, facts, err));
	s->texts = ENT_NEWS(s->arena, s->n_columns, struct hash_set);
	s->keys = ENT_NEWS(s->arena, KEYS_MAX, struct key);
	s->nulls = ENT_NEWS(s->arena, s->n_columns, bool);
	if (!s->texts || !s->keys || !s->nulls)
		return ent_nomem(err);
	ENT_TRY(add_keys(s, p, &schema, err));
	ENT_TRY(pass(s, o, p->source.object, true, err));
	if (s->rows && !any_alive(s)) {
		add_pairs(s);
		ENT_TRY(pass(s, o, p->source.object, false, err));
	}
	for (size_t i = 0; i < s->n_columns; i++)
		s->columns[i].distinct = s->texts[i].n;
	facts->rows = s->rows;
	facts->columns = s->columns;
	facts->n_columns = s->n_columns;
	facts->version = ent_arena_dup(s->arena, object.version);
	ent_sha256_finish(&s->digest, facts->rows_sha256);
	return give_keys(s, facts, err);
}

static void state_deinit(struct probe_state *s)
{
	for (size_t i = 0; s->texts && i < s->n_columns; i++)
		set_deinit(&s->texts[i]);
	for (size_t i = 0; i < s->n_keys; i++)
		set_deinit(&s->keys[i].seen);
	ent_buf_deinit(&s->row);
}

int ent_sources_probe(struct ent_sources *s, const struct ent_probe *probe, struct ent_probe_answer *ret, struct ent_err *err)
{
	struct probe_state state = { .row = ENT_BUF(80u << 20) };
	struct ent_opened o = { 0 };
	*ret = (struct ent_probe_answer){ .arena = ent_arena_new(PROBE_BYTES_MAX) };
	if (!ret->arena)
		return ent_nomem(err);
	state.arena = ret->arena;
	memcpy(state.salt, probe->salt, sizeof state.salt);
	ent_sha256_init(&state.digest);
	ent_sha256_put(&state.digest, probe->salt, sizeof probe->salt);
	int r = ent_source_open(s, &probe->source, &o, err);
	if (!r)
		r = probe_all(&state, &o, probe, &ret->facts, err);
	ent_source_close(&o);
	state_deinit(&state);
	if (r)
		ent_probe_answer_deinit(ret);
	return r;
}

void ent_probe_answer_deinit(struct ent_probe_answer *a)
{
	ent_arena_free(a->arena);
	*a = (struct ent_probe_answer){ 0 };
}

/* ---- a copy for the worker ---- */

static const char **copy_texts(struct ent_arena *a, const char *const *texts, size_t n)
{
	const char **copy = (const char **)ent_arena_get(a, n + 1, sizeof *copy);
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = ent_arena_dup(a, texts[i]);
	return copy;
}

struct ent_probe *ent_probe_copy(struct ent_arena *arena, const struct ent_probe *p)
{
	struct ent_probe *c = ENT_NEW(arena, struct ent_probe);
	struct ent_option_text *options = ENT_NEWS(arena, p->source.n_options + 1, struct ent_option_text);
	if (!c || !options)
		return NULL;
	*c = *p;
	for (size_t i = 0; i < p->source.n_options; i++)
		options[i] =
			(struct ent_option_text){ ent_arena_dup(arena, p->source.options[i].key), ent_arena_dup(arena, p->source.options[i].value) };
	c->source.options = options;
	c->source.url = ent_arena_dup(arena, p->source.url);
	c->source.object = ent_arena_dup(arena, p->source.object);
	c->source.secret_path = ent_arena_dup(arena, p->source.secret_path);
	c->hidden = copy_texts(arena, p->hidden, p->n_hidden);
	c->keys = copy_texts(arena, p->keys, p->n_keys);
	return c->hidden && c->keys ? c : NULL;
}
