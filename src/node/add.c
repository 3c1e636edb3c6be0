/* Registering tables: parse the source, have it probed, publish what others may know, keep the rest. */
#include "node/catalogue.h"
#include "node/jobs.h"
#include "node/moves.h"

#include <stdlib.h>

#define SPEC_BYTES_MAX (1u << 20)

struct ent_adding {
	struct ent_adding *next;
	uint64_t probe;
	char name[64];
	json_t *source, *bounds, *warnings;
	bool refresh;
	struct ent_reply *reply; /* NULL: the asker left */
};

static void adding_free(struct ent_adding *a)
{
	json_decref(a->source);
	json_decref(a->bounds);
	json_decref(a->warnings);
	free(a);
}

void ent_addings_free(struct ent_node *n)
{
	struct ent_err err = ENT_ERR_INIT;
	ent_fail(&err, ENT_EAGAIN, "the node is stopping");
	while (n->addings) {
		struct ent_adding *a = n->addings;
		n->addings = a->next;
		if (a->reply)
			ent_reply_err(a->reply, &err);
		adding_free(a);
	}
}

void ent_addings_forget(struct ent_node *n, const struct ent_reply *reply)
{
	for (struct ent_adding *a = n->addings; a; a = a->next)
		if (a->reply == reply)
			a->reply = NULL;
}

static bool name_valid(const char *name)
{
	size_t n = strlen(name);
	return n >= 1 && n <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n && !(name[0] >= '0' && name[0] <= '9');
}

/* ---- the source text ---- */

static const char *after_scheme(const char *source)
{
	const char *sep = strstr(source, "://");
	return sep ? sep + 3 : NULL;
}

/* A password inside the URL moves to HOME/secrets, where only this node reads it. */
static int take_password(struct ent_node *n, const char *name, const char *source, struct ent_buf *clean, json_t *spec, json_t *warnings,
			 struct ent_err *err)
{
	const char *host = after_scheme(source), *at = host ? strchr(host, '@') : NULL, *slash = host ? strpbrk(host, "/?#") : NULL;
	const char *colon = at && (!slash || at < slash) ? memchr(host, ':', (size_t)(at - host)) : NULL;
	char path[96];
	if (!colon) {
		ent_buf_str(clean, source);
		return ent_buf_check(clean, err);
	}
	snprintf(path, sizeof path, "secrets/%s", name);
	ENT_TRY(ent_fs_replace(n->env.fs, path, ent_bytes(colon + 1, (size_t)(at - colon - 1)), 0600, err));
	json_object_set_new(spec, "secret", json_string(path));
	if (warnings)
		json_array_append_new(
			warnings,
			json_string("the password in the URL was moved to HOME/secrets; it may still be in your shell history: use --password-file"));
	ent_buf_put(clean, source, (size_t)(colon - source));
	ent_buf_str(clean, at);
	return ent_buf_check(clean, err);
}

static int take_secret(struct ent_node *n, const char *name, const char *secret, json_t *spec, struct ent_err *err)
{
	char path[96];
	if (!secret)
		return 0;
	snprintf(path, sizeof path, "secrets/%s", name);
	ENT_TRY(ent_fs_replace(n->env.fs, path, ent_bytes_str(secret), 0600, err));
	json_object_set_new(spec, "secret", json_string(path));
	return 0;
}

static void copy_list(const json_t *args, json_t *spec, const char *key)
{
	json_t *v = json_object_get(args, key);
	json_object_set_new(spec, key, json_is_array(v) ? json_deep_copy(v) : json_array());
}

int ent_source_text_parse(struct ent_node *n, const char *name, const char *source, const char *secret, json_t *spec, json_t *warnings,
			  struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf clean = ENT_BUF(8192);
	ENT_TRY(take_password(n, name, source, &clean, spec, warnings, err));
	ENT_TRY(take_secret(n, name, secret, spec, err));
	const char *text = ent_buf_text(&clean), *hash = strrchr(text, '#');
	json_object_set_new(spec, "url", json_stringn(text, hash ? (size_t)(hash - text) : strlen(text)));
	return json_object_set_new(spec, "object", json_string(hash ? hash + 1 : "")) ? ent_nomem(err) : 0;
}

static int make_spec(struct ent_node *n, const char *name, const char *source, const json_t *args, json_t *spec, json_t *warnings,
		     struct ent_err *err)
{
	uint8_t salt[32];
	char hex[65];
	ENT_TRY(ent_source_text_parse(n, name, source, json_string_value(json_object_get(args, "secret")), spec, warnings, err));
	copy_list(args, spec, "options");
	copy_list(args, spec, "hide");
	copy_list(args, spec, "keys");
	ENT_TRY(ent_node_random(n, salt, sizeof salt, err));
	ent_hex(hex, salt, sizeof salt);
	return json_object_set_new(spec, "salt", json_string(hex)) ? ent_nomem(err) : 0;
}

/* ---- starting a probe ---- */

static const char **text_list(struct ent_arena *arena, const json_t *list, size_t *ret_n)
{
	size_t n = json_array_size(list);
	const char **texts = (const char **)ent_arena_get(arena, n + 1, sizeof *texts);
	for (size_t i = 0; texts && i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));
		texts[i] = s ? s : "";
	}
	*ret_n = texts ? n : 0;
	return texts;
}

static int start_probe(struct ent_node *n, struct ent_adding *a, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(1 << 20);
	struct ent_probe probe = { .id = a->probe };
	if (!arena)
		return ent_nomem(err);
	if (!n->env.runner)
		return ent_fail(err, ENT_ENONODE, "nothing here can read sources");
	ENT_TRY(ent_source_spec_make(arena, a->source, &probe.source, err));
	ENT_TRY(ent_json_hex(a->source, "salt", probe.salt, sizeof probe.salt, err));
	probe.hidden = text_list(arena, json_object_get(a->source, "hide"), &probe.n_hidden);
	probe.keys = text_list(arena, json_object_get(a->source, "keys"), &probe.n_keys);
	return n->env.runner->ops->probe(n->env.runner, &probe, err);
}

static int check_add(struct ent_node *n, const char *name, bool refresh, json_t **ret_old, struct ent_err *err)
{
	*ret_old = NULL;
	if (n->card.compute_only) {
		ent_fail(err, ENT_EUSAGE, "this organisation only computes; it owns no tables");
		return ent_next(err, "make a home without --compute-only for data");
	}
	if (!name_valid(name)) {
		ent_fail(err, ENT_EUSAGE, "\"%.80s\" cannot be a table's name", name);
		return ent_next(err, "small letters, digits and _, at most 63, no digit in front");
	}
	int r = ent_source_read(n, name, ret_old, err);
	if (r == ENT_ENOTFOUND && !refresh)
		return 0;
	if (!r && !refresh) {
		ent_fail(err, ENT_EUSAGE, "table %s is registered already", name);
		return ent_next(err, "after a change: entente add %s --refresh; to take it back: entente remove %s", name, name);
	}
	return r;
}

static int begin(struct ent_node *n, const char *name, const char *source, const json_t *args, struct ent_adding *a, struct ent_err *err)
{
	ENT_JSON_AUTO old = NULL;
	a->refresh = json_is_true(json_object_get(args, "refresh"));
	ENT_TRY(check_add(n, name, a->refresh, &old, err));
	if (!*source && !old)
		return ent_fail(err, ENT_EUSAGE, "which file or database holds %s?", name), ent_next(err, "entente add %s SOURCE", name), ENT_EUSAGE;
	snprintf(a->name, sizeof a->name, "%s", name);
	a->warnings = json_array();
	a->source = *source ? json_object() : json_incref(old);
	if (*source)
		ENT_TRY(make_spec(n, name, source, args, a->source, a->warnings, err));
	if (old && *source) /* the salt is fixed at the first add: equal rows keep an equal commitment */
		json_object_set(a->source, "salt", json_object_get(old, "salt"));
	a->bounds = json_is_object(json_object_get(args, "bounds")) ? json_deep_copy(json_object_get(args, "bounds")) : json_object();
	json_object_update_missing(a->bounds, json_object_get(old, "bounds"));
	a->probe = n->next_probe++;
	return start_probe(n, a, err);
}

void ent_verb_add(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *name, *source;
	struct ent_adding *a = ent_alloc(1, sizeof *a);
	if (!a) {
		ent_nomem(&err);
		ent_reply_err(reply, &err);
		return;
	}
	*a = (struct ent_adding){ .reply = reply };
	if (!ent_arg_text(args, "name", true, &name, reply) || !ent_arg_text(args, "source", false, &source, reply)) {
		adding_free(a);
		return;
	}
	if (begin(n, name, source, args, a, &err)) {
		ent_reply_err(reply, &err);
		adding_free(a);
		return;
	}
	a->next = n->addings;
	n->addings = a;
}

/* ---- what comes back ---- */

static const uint8_t rungs[] = { 7, 15, 23, 31, 39, 47, 55, 63 };

/* 0: a float too large for any rung. */
static uint8_t rung_of(unsigned magnitude_bits)
{
	for (size_t i = 0; i < ENT_COUNT(rungs); i++)
		if (rungs[i] >= magnitude_bits + 1)
			return rungs[i];
	return magnitude_bits <= 63 ? 63 : 0;
}

static int chosen_bound(const json_t *bounds, const struct ent_probe_column *c, uint8_t *ret, struct ent_err *err)
{
	static const struct {
		const char *name;
		uint8_t bits;
	} types[] = { { "smallint", 15 }, { "int2", 15 }, { "integer", 31 }, { "int4", 31 }, { "int", 31 }, { "bigint", 63 }, { "int8", 63 } };
	const json_t *v = json_object_get(bounds, c->name);
	uint64_t bits = json_is_integer(v) ? (uint64_t)json_integer_value(v) : 0;
	*ret = rung_of(c->has_values ? c->magnitude_bits : 0);
	if (!v)
		return 0;
	if (json_is_string(v) && !ent_parse_u64(json_string_value(v), json_string_length(v), 63, &bits))
		for (size_t i = 0; i < ENT_COUNT(types); i++)
			if (!strcmp(types[i].name, json_string_value(v)))
				bits = types[i].bits;
	if (bits < 1 || bits > 63)
		return ent_fail(err, ENT_EUSAGE, "the bound of %s is a number of bits from 1 to 63, or smallint, integer, bigint", c->name);
	if (c->has_values && c->magnitude_bits > bits)
		return ent_fail(err, ENT_EDATA, "%s has values beyond 2^%llu", c->name, (unsigned long long)bits);
	*ret = (uint8_t)bits;
	return 0;
}

static int public_column(const json_t *bounds, const struct ent_probe_column *c, json_t **ret, struct ent_err *err)
{
	char type[ENT_TYPE_TEXT_MAX];
	uint8_t bound = 0;
	ent_type_name(c->type, type);
	json_t *o = json_pack("{s:s,s:s,s:b}", "name", c->name, "type", type, "nullable", c->nullable);
	int r = ent_type_is_number(c->type) ? chosen_bound(bounds, c, &bound, err) : 0;
	if (r) {
		json_decref(o);
		return r;
	}
	if (bound)
		json_object_set_new(o, "bound", json_integer(bound));
	if (c->type.id == ENT_T_TEXT)
		json_object_set_new(o, "distinct", json_integer((json_int_t)ent_pad_rows(c->distinct)));
	*ret = o;
	return o ? 0 : ent_nomem(err);
}

static int public_facts(struct ent_adding *a, const struct ent_probe_facts *f, json_t *fields, struct ent_err *err)
{
	json_t *columns = json_array(), *keys = json_array();
	json_object_set_new(fields, "table", json_string(a->name));
	json_object_set_new(fields, "rows", json_integer((json_int_t)ent_pad_rows(f->rows)));
	json_object_set_new(fields, "columns", columns);
	json_object_set_new(fields, "keys", keys);
	for (size_t i = 0; i < f->n_columns; i++) {
		json_t *o = NULL;
		ENT_TRY(public_column(a->bounds, &f->columns[i], &o, err));
		json_array_append_new(columns, o);
	}
	for (size_t i = 0; i < f->n_keys; i++) {
		json_t *key = json_array();
		for (size_t j = 0; j < f->keys[i].n_columns; j++)
			json_array_append_new(key, json_string(f->columns[f->keys[i].columns[j]].name));
		json_array_append_new(keys, key);
	}
	return json_array_size(columns) ? 0 : ent_fail(err, ENT_EDATA, "%s has no column that a joint query can use", a->name);
}

/* Every bound must name a column; a misspelt one would silently do nothing. */
static int check_bounds(const struct ent_adding *a, const struct ent_probe_facts *f, struct ent_err *err)
{
	const char *key;
	json_t *v;
	json_object_foreach(a->bounds, key, v)
	{
		bool found = false;
		for (size_t i = 0; i < f->n_columns; i++)
			found = found || (!strcmp(f->columns[i].name, key) && ent_type_is_number(f->columns[i].type));
		if (!found)
			return ent_fail(err, ENT_EUSAGE, "--bound %.60s: no numeric column of that name", key);
	}
	return 0;
}

/* The private half goes to node.db before the entry: an entry without a source would promise what we cannot read. */
static int keep_source(struct ent_node *n, struct ent_adding *a, const struct ent_probe_facts *f, int64_t *ret_version, struct ent_err *err)
{
	ENT_JSON_AUTO old = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(SPEC_BYTES_MAX);
	char hex[65];
	int64_t version = 1;
	ent_hex(hex, f->rows_sha256, 32);
	if (!ent_source_read(n, a->name, &old, NULL)) {
		const char *was = json_string_value(json_object_get(old, "commitment"));
		version = json_integer_value(json_object_get(old, "version")) + (!was || strcmp(was, hex) != 0);
	}
	json_object_set_new(a->source, "commitment", json_string(hex));
	json_object_set_new(a->source, "version", json_integer(version));
	json_object_set_new(a->source, "rows", json_integer((json_int_t)f->rows));
	json_object_set_new(a->source, "content", json_string(f->version ? f->version : ""));
	json_object_set(a->source, "bounds", a->bounds);
	ENT_TRY(ent_json_canonical(a->source, &text, err));
	ENT_TRY(ent_db_run(n->db, err, "INSERT OR REPLACE INTO source(name, spec) VALUES(?, ?)", "ss", a->name, ent_buf_text(&text)));
	*ret_version = version;
	return 0;
}

static int last_version(struct ent_node *n, const char *name, int64_t *ret)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(16 << 20);
	struct ent_catalogue cat;
	const struct ent_table *t;
	if (arena && !ent_catalogue_make(n, arena, NULL, &cat, NULL) && !cat.table(cat.self, n->card.org, name, &t, NULL))
		*ret = (int64_t)t->version;
	return 0;
}

static int publish(struct ent_node *n, struct ent_adding *a, const struct ent_probe_facts *f, uint64_t *ret_at, struct ent_err *err)
{
	ENT_JSON_AUTO fields = json_object();
	int64_t version = 1, before = 0;
	ENT_TRY(check_bounds(a, f, err));
	ENT_TRY(public_facts(a, f, fields, err));
	ENT_TRY(keep_source(n, a, f, &version, err));
	ENT_TRY(last_version(n, a->name, &before));
	json_object_set_new(fields, "version", json_integer(version > before ? version : before));
	return ent_node_append(n, ENT_ENTRY_REGISTER, fields, ret_at, err);
}

static int answer(struct ent_node *n, struct ent_adding *a, const struct ent_probe_facts *f, uint64_t at, struct ent_err *err)
{
	ENT_CLEANUP(ent_arena_freep) struct ent_arena *arena = ent_arena_new(64 << 20);
	struct ent_catalogue cat;
	const struct ent_table *t;
	if (!arena)
		return ent_nomem(err);
	ENT_TRY(ent_catalogue_make(n, arena, NULL, &cat, err));
	ENT_TRY(cat.table(cat.self, n->card.org, a->name, &t, err));
	for (size_t i = 0; i < f->n_skipped; i++)
		json_array_append_new(a->warnings, json_sprintf("left out: %s", f->skipped[i]));
	if (a->reply)
		ent_reply_ok(a->reply, json_pack("{s:o,s:{s:I},s:O,s:o}", "table", ent_table_json(t), "local", "rows", (json_int_t)f->rows,
						 "warnings", a->warnings, "receipt", json_sprintf("%s/%llu", n->card.org, (unsigned long long)at)));
	return 0;
}

static int finish(struct ent_node *n, struct ent_adding *a, const struct ent_probe_facts *f, struct ent_err *err)
{
	uint64_t at = 0;
	ENT_TRY(publish(n, a, f, &at, err));
	ent_log(n->env.log, ENT_LOG_INFO, "add", "table=%s entry=%llu", a->name, (unsigned long long)at);
	ent_facts_push(n);
	return answer(n, a, f, at, err);
}

void ent_node_probed(struct ent_node *node, uint64_t probe, const struct ent_probe_facts *facts, const struct ent_err *err)
{
	struct ent_err mine = ENT_ERR_INIT;
	for (struct ent_adding **at = &node->addings; *at; at = &(*at)->next) {
		struct ent_adding *a = *at;
		if (a->probe != probe)
			continue;
		*at = a->next;
		if (err && a->reply)
			ent_reply_err(a->reply, err);
		else if (!err && finish(node, a, facts, &mine) && a->reply)
			ent_reply_err(a->reply, &mine);
		adding_free(a);
		return;
	}
}

static int remove_table(struct ent_node *n, const char *name, struct ent_err *err)
{
	ENT_JSON_AUTO source = NULL;
	ENT_JSON_AUTO fields = json_pack("{s:s,s:b}", "table", name, "removed", 1);
	ENT_TRY(ent_source_read(n, name, &source, err));
	ENT_TRY(ent_node_append(n, ENT_ENTRY_REGISTER, fields, NULL, err));
	ENT_TRY(ent_db_run(n->db, err, "DELETE FROM source WHERE name = ?", "s", name));
	if (json_is_string(json_object_get(source, "secret")))
		(void)n->env.fs->ops->remove(n->env.fs, json_string_value(json_object_get(source, "secret")), NULL);
	return 0;
}

void ent_verb_remove(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *name, *dot;
	if (!ent_arg_text(args, "name", true, &name, reply))
		return;
	dot = strchr(name, '.');
	if (dot && !strncmp(name, n->card.org, (size_t)(dot - name)) && strlen(n->card.org) == (size_t)(dot - name))
		name = dot + 1;
	if (remove_table(n, name, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_facts_push(n);
	ent_reply_ok(reply, NULL);
}
