/* Tables of a sink: what a column becomes, making tables and side tables, and whether a key may be used to upsert by. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "my_sink.h"

#define KEY_BYTES_MAX 3072u /* of an InnoDB index */

/* --- native types --- */

static bool is_lettered(const struct ent_my_type *t) { return t->kind == ENT_MY_TEXT || t->kind == ENT_MY_ENUM || t->kind == ENT_MY_SET; }

static void own_type(struct ent_type t, unsigned key_bytes, char ret[160])
{
	static const char *const names[ENT_T_COUNT] = { [ENT_T_BOOL] = "tinyint(1)",
							[ENT_T_INT16] = "smallint",
							[ENT_T_INT32] = "int",
							[ENT_T_INT64] = "bigint",
							[ENT_T_REAL] = "float",
							[ENT_T_DOUBLE] = "double",
							[ENT_T_DATE] = "date",
							[ENT_T_TIMESTAMP] = "datetime(6)",
							[ENT_T_TIMESTAMPTZ] = "timestamp(6)",
							[ENT_T_TEXT] = "longtext",
							[ENT_T_UINT64] = "bigint unsigned",
							[ENT_T_TIME] = "time(6)",
							[ENT_T_BINARY] = "longblob" };
	if (t.id == ENT_T_DECIMAL)
		snprintf(ret, 160, "decimal(%u,%u)", t.precision, t.scale);
	else if (key_bytes && t.id == ENT_T_TEXT)
		snprintf(ret, 160, "varchar(%u)", key_bytes / 4);
	else if (key_bytes && t.id == ENT_T_BINARY)
		snprintf(ret, 160, "varbinary(%u)", key_bytes);
	else
		snprintf(ret, 160, "%s", names[t.id]);
}

void ent_my_native(const struct ent_source *s, const struct ent_field_info *f, bool same_store, bool key, size_t n_text_keys, size_t n_keys,
		   char ret[160])
{
	struct ent_my_type t;
	char reason[200];
	unsigned others = (unsigned)(n_keys > n_text_keys ? n_keys - n_text_keys : 0);
	unsigned room = others * 20 < KEY_BYTES_MAX / 2 ? KEY_BYTES_MAX - others * 20 : KEY_BYTES_MAX / 2;
	unsigned share = key ? room / (unsigned)(n_text_keys ? n_text_keys : 1) : 0;
	own_type(f->type, share, ret);
	if (!same_store || strlen(f->native) >= sizeof f->native - 1 || !ent_my_type_parse(f->native, &t, reason) || !ent_type_eq(t.type, f->type) ||
	    t.kind == ENT_MY_NONE)
		return;
	if (s->mariadb ? t.kind == ENT_MY_JSON : t.kind == ENT_MY_CAST && strncmp(f->native, "decimal", 7) != 0)
		return; /* the other one does not know it: as text */
	bool sized = t.kind == ENT_MY_TEXT || t.kind == ENT_MY_BINARY;
	if (key && sized && t.bytes_max * (t.kind == ENT_MY_TEXT ? 4 : 1) > share)
		return;
	const char *end = strrchr(f->native, ')'), *space = strrchr(f->native, ' ');
	bool collated = space && (!end || space > end) && (is_lettered(&t) || t.kind == ENT_MY_JSON);
	snprintf(ret, 160, "%.*s", collated ? (int)(space - f->native) : 159, f->native);
}

/* --- keys --- */

/* The names of the key: the target's, else the first of the schema. */
static int keys_find(const struct ent_target *target, bool *is_key, size_t *ret_n, size_t *ret_text, struct ent_err *err)
{
	char keys[8000] = "";
	const char *names[64];
	size_t n = 0;
	if (!target->n_keys && ent_metadata_get(target->schema->metadata, ENT_META_KEYS, keys, sizeof keys)) {
		keys[strcspn(keys, "\n")] = 0;
		for (char *save = NULL, *name = strtok_r(keys, "\t", &save); name && n < 64; name = strtok_r(NULL, "\t", &save))
			names[n++] = name;
	}
	for (size_t i = 0; i < target->n_keys && i < 64; i++)
		names[n++] = target->keys[i];
	*ret_text = 0;
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		int at = ent_schema_find(target->schema, names[i]);
		if (at < 0)
			return ent_fail(err, ENT_EUSAGE, "the key column %.200s is not among the columns copied", names[i]);
		ent_schema_field(target->schema, (size_t)at, &f);
		is_key[at] = true;
		*ret_text += ent_type_is_bytes(f.type);
	}
	*ret_n = n;
	return 0;
}

static bool same_store(const struct ArrowSchema *schema)
{
	char store[40];
	return ent_metadata_get(schema->metadata, ENT_META_STORE, store, sizeof store) && !strcmp(store, "mysql");
}

static bool by_bytes(const char *collation)
{
	size_t n = strlen(collation);
	return n > 4 && !strcmp(collation + n - 4, "_bin");
}

/* --- one column --- */

static enum ent_map_verdict refused(char why[200], const char *text)
{
	snprintf(why, 200, "%s", text);
	return ENT_MAP_REFUSED;
}

/* A column that is there. upsert: by key. */
static enum ent_map_verdict map_there(const struct ent_source *s, const struct ent_my_column *c, const struct ent_field_info *f, bool key,
				      bool upsert, struct ent_my_put *p, char why[200])
{
	p->type = c->type;
	snprintf(p->native, sizeof p->native, "%s", c->native);
	p->key = key;
	p->utf8 = !strncmp(c->collation, "utf8mb4_", 8);
	p->pads = is_lettered(&c->type) && !strstr(c->collation, "nopad") && !strstr(c->collation, "_0900_");
	(void)s;
	if (c->type.kind == ENT_MY_NONE || c->generated)
		return refused(why, c->generated ? "the server computes this column" : c->reason);
	if (key && upsert && is_lettered(&c->type) && !by_bytes(c->collation))
		return refused(why, "its collation takes different keys for equal; a key needs one that compares by bytes (..._bin)");
	if (c->type.kind == ENT_MY_JSON && strncmp(f->native, "json utf8mb4", 12) != 0)
		return refused(why, "MySQL would rewrite the JSON text (order of keys, numbers); use a longtext column");
	return ent_fit_types(f->type, c->type.type, why);
}

/* A column that would be made. */
static enum ent_map_verdict map_new(const struct ent_source *s, const struct ArrowSchema *schema, const struct ent_field_info *f, bool key,
				    size_t n_keys, size_t n_text, struct ent_my_put *p, char why[200])
{
	char reason[200];
	ent_my_native(s, f, same_store(schema), key, n_text, n_keys, p->native);
	p->key = key;
	p->utf8 = true;
	if (!ent_my_type_parse(p->native, &p->type, reason))
		return refused(why, "no type of the server fits");
	p->pads = s->collation_pads && is_lettered(&p->type);
	if (!s->mariadb && p->type.kind == ENT_MY_DECIMAL && p->type.scale > 30)
		return refused(why, "MySQL's decimals have at most 30 digits after the point");
	enum ent_map_verdict v = ent_fit_types(f->type, p->type.type, why);
	if (v == ENT_MAP_EXACT && f->type.id == ENT_T_TIMESTAMPTZ)
		snprintf(why, 200, "checked: timestamp columns hold 1970 to 2038");
	if (v == ENT_MAP_EXACT && key && ent_type_is_bytes(f->type))
		snprintf(why, 200, "checked: a key has at most %llu %s", (unsigned long long)p->type.bytes_max,
			 f->type.id == ENT_T_TEXT ? "letters" : "bytes");
	return v;
}

static int there_read(MYSQL *m, const struct ent_source *s, const char *object, struct ent_my_table *t, bool *ret_there, struct ent_err *err)
{
	struct ent_err quiet = ENT_ERR_INIT;
	int code = ent_my_table_read(m, s, object, t, &quiet);
	*ret_there = !code;
	if (code && code != ENT_ENOTFOUND && err)
		*err = quiet;
	return code == ENT_ENOTFOUND ? 0 : code;
}

static void flags_freep(bool **f) { free(*f); }

int ent_my_map(struct ent_source *s, const struct ent_target *target, struct ent_map_line *lines, int *ret_exists, struct ent_err *err)
{
	ENT_MY_TABLE_AUTO there = { 0 };
	bool is_there;
	size_t n_keys, n_text, n = (size_t)target->schema->n_children;
	ENT_CLEANUP(flags_freep) bool *is_key = (bool *)calloc(n + 1, sizeof *is_key);
	if (!is_key)
		return ent_nomem(err);
	ENT_TRY(ent_my_ready(s, err));
	ENT_TRY(keys_find(target, is_key, &n_keys, &n_text, err));
	ENT_TRY(there_read(s->con, s, target->object, &there, &is_there, err));
	bool upsert = target->mode == ENT_WRITE_UPSERT;
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		struct ent_my_put p = { 0 };
		ent_schema_field(target->schema, i, &f);
		lines[i] = (struct ent_map_line){ .size = sizeof lines[i] };
		int at = ent_my_table_find(&there, f.name);
		if (!is_there || target->mode == ENT_WRITE_REPLACE)
			lines[i].verdict = map_new(s, target->schema, &f, is_key[i], n_keys, n_text, &p, lines[i].why);
		else if (at < 0)
			lines[i].verdict = refused(lines[i].why, "the table has no such column");
		else
			lines[i].verdict = map_there(s, &there.columns[at], &f, is_key[i], upsert, &p, lines[i].why);
		snprintf(lines[i].native, sizeof lines[i].native, "%s", p.native);
	}
	*ret_exists = is_there;
	return 0;
}

/* --- making tables --- */

void ent_my_into_deinit(struct ent_my_into *t)
{
	ent_schema_release(&t->schema);
	ent_buf_deinit(&t->names);
	ent_buf_deinit(&t->load);
	free(t->object);
	free(t->puts);
}

static void column_declare(const struct ent_sink *k, const struct ent_my_put *p, const struct ent_field_info *f, struct ent_buf *sql)
{
	bool optional = f->nullable && !p->key;
	ent_my_name(sql, f->name);
	ent_buf_printf(sql, " %s", p->native);
	if (is_lettered(&p->type))
		ent_buf_printf(sql, " CHARACTER SET utf8mb4 COLLATE %s", k->source->text_collation);
	ent_buf_str(sql, optional ? " NULL DEFAULT NULL" : " NOT NULL");
}

/* Asked first: making it "if not exists" needs a right that covers it even where it exists. */
static int database_make(struct ent_sink *k, const struct ent_my_into *t, struct ent_err *err)
{
	char database[65], table[65], found[8];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600), name = ENT_BUF(200);
	ENT_TRY(ent_my_object_split(k->source, t->object, database, table, err));
	ent_my_name(&name, database);
	ent_buf_str(&sql, "SELECT count(*) FROM information_schema.schemata WHERE schema_name = ");
	ent_my_text_literal(&sql, ent_bytes_str(database));
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_value(k->side, ent_buf_text(&sql), found, sizeof found, "the databases cannot be listed", err));
	if (found[0] != '0')
		return 0;
	ent_buf_reset(&sql);
	ent_buf_printf(&sql, "CREATE DATABASE IF NOT EXISTS %s DEFAULT CHARSET=utf8mb4", ent_buf_text(&name));
	return ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the target's database cannot be made", err);
}

static int create(struct ent_sink *k, struct ent_my_into *t, size_t n_text, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(4 << 20);
	const char *separator = "";
	ENT_TRY(database_make(k, t, err));
	ent_buf_printf(&sql, "CREATE TABLE %s (", t->real);
	for (size_t i = 0; i < t->n; i++) {
		struct ent_field_info f;
		char why[200];
		ent_schema_field(&t->schema, i, &f);
		if (map_new(k->source, &t->schema, &f, t->puts[i].key, t->n_keys, n_text, &t->puts[i], why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: %s", f.name, why);
		ent_buf_str(&sql, i ? ", " : "");
		column_declare(k, &t->puts[i], &f, &sql);
	}
	for (size_t i = 0; i < t->n; i++) {
		if (!t->puts[i].key)
			continue;
		ent_buf_str(&sql, separator[0] ? ", " : ", PRIMARY KEY (");
		ent_my_name(&sql, t->schema.children[i]->name);
		separator = ", ";
	}
	ent_buf_printf(&sql, "%s) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=%s", separator[0] ? ")" : "",
		       k->source->text_collation);
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the table cannot be created", err));
	t->made = true;
	return 0;
}

/* An upsert must be able to hit this key only. */
static bool upsertable(const struct ent_my_table *there, const struct ent_my_into *t)
{
	const char *keys = ent_buf_text(&there->keys);
	size_t found = 0, n = 0, len = strcspn(keys, "\n");
	if (there->n_unique != 1 || !len)
		return false;
	for (size_t at = 0; at < len; n++) {
		size_t name = strcspn(keys + at, "\t\n");
		for (size_t i = 0; i < t->n; i++)
			found += t->puts[i].key && strlen(t->schema.children[i]->name) == name &&
				 !strncasecmp(t->schema.children[i]->name, keys + at, name);
		at += name + 1;
	}
	return n == t->n_keys && found == n;
}

/* How each column is written, from both sides. */
static int puts_find(struct ent_sink *k, struct ent_my_into *t, const char *object, struct ent_err *err)
{
	ENT_MY_TABLE_AUTO there = { 0 };
	char why[200];
	ENT_TRY(ent_my_table_read(k->side, k->source, object, &there, err));
	t->upserts = t->n_keys && upsertable(&there, t);
	t->binary = true;
	for (size_t i = 0; i < t->n; i++) {
		struct ent_field_info f;
		ent_schema_field(&t->schema, i, &f);
		int at = ent_my_table_find(&there, f.name);
		if (at < 0)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: the table has no such column", f.name);
		t->puts[i].name = t->schema.children[i]->name;
		if (map_there(k->source, &there.columns[at], &f, t->puts[i].key, t->mode == ENT_WRITE_UPSERT, &t->puts[i], why) == ENT_MAP_REFUSED)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written: %s", f.name, why);
		t->binary = t->binary && (!is_lettered(&t->puts[i].type) || t->puts[i].utf8);
		ent_buf_str(&t->names, i ? ", " : "");
		ent_my_name(&t->names, f.name);
	}
	return ent_buf_check(&t->names, err);
}

/* LOAD DATA names the columns; those it cannot take as they come pass through a variable. */
static int load_make(struct ent_my_into *t, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf set = ENT_BUF(1 << 20);
	ent_buf_printf(&t->load,
		       "LOAD DATA LOCAL INFILE 'entente' INTO TABLE %s CHARACTER SET %s FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES "
		       "TERMINATED BY '\\n'",
		       t->real, t->binary ? "binary" : "utf8mb4");
	for (size_t i = 0; i < t->n; i++) {
		enum ent_my_kind kind = t->puts[i].type.kind;
		bool lettered = kind == ENT_MY_JSON || kind == ENT_MY_CAST || kind == ENT_MY_ENUM || kind == ENT_MY_SET;
		bool convert = kind == ENT_MY_BIT || (lettered && t->binary) || (kind == ENT_MY_BINARY && !t->binary);
		ent_buf_str(&t->load, i ? ", " : " (");
		if (!convert) {
			ent_my_name(&t->load, t->puts[i].name);
			continue;
		}
		ent_buf_printf(&t->load, "@v%zu", i);
		ent_buf_str(&set, set.len ? ", " : " SET ");
		ent_my_name(&set, t->puts[i].name);
		ent_buf_str(&set, kind == ENT_MY_BIT ? " = CAST(" : lettered ? " = CONVERT(" : " = UNHEX(");
		ent_buf_printf(&set, "@v%zu%s", i, kind == ENT_MY_BIT ? " AS UNSIGNED)" : lettered ? " USING utf8mb4)" : ")");
	}
	ent_buf_printf(&t->load, ")%s", ent_buf_text(&set));
	ENT_TRY(ent_buf_check(&set, err));
	return ent_buf_check(&t->load, err);
}

/* `db`.`table`, and beside it names of fixed length for the new and the former one. */
static int relations_make(const struct ent_sink *k, struct ent_my_into *t, struct ent_err *err)
{
	char database[65], table[65];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(300), base = ENT_BUF(300);
	ENT_TRY(ent_my_object_split(k->source, t->object, database, table, err));
	uint64_t h = 0xcbf29ce484222325u;
	for (const char *p = table; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	ent_my_name(&base, database);
	ent_buf_printf(&name, "%s.", ent_buf_text(&base));
	ent_my_name(&name, table);
	ENT_TRY(ent_buf_check(&base, err));
	ENT_TRY(ent_buf_check(&name, err));
	snprintf(t->relation, sizeof t->relation, "%s", ent_buf_text(&name));
	snprintf(t->old, sizeof t->old, "%.200s.`_entente_old_%016llx`", ent_buf_text(&base), (unsigned long long)h);
	if (t->mode == ENT_WRITE_REPLACE)
		snprintf(t->real, sizeof t->real, "%.200s.`_entente_new_%016llx`", ent_buf_text(&base), (unsigned long long)h);
	else
		memcpy(t->real, t->relation, sizeof t->real);
	return 0;
}

/* "db.table" of the table that rows go to. */
static void real_object(const struct ent_my_into *t, char out[300])
{
	size_t n = 0;
	for (const char *p = t->real; *p; p++)
		if (*p != '`' || p[1] == '`')
			out[n++] = *p;
	out[n] = 0;
}

int ent_my_exists(const struct ent_sink *k, const char *relation, bool *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600);
	struct ent_err quiet = ENT_ERR_INIT;
	ent_buf_printf(&sql, "SELECT 1 FROM %s LIMIT 0", relation);
	int code = ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the table cannot be looked at", &quiet);
	*ret = !code;
	if (code && code != ENT_ENOTFOUND && err)
		*err = quiet;
	return code == ENT_ENOTFOUND ? 0 : code;
}

static int drop(const struct ent_sink *k, const char *relation, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(600);
	ent_buf_printf(&sql, "DROP TABLE IF EXISTS %s", relation);
	return ent_my_run(k->side, ent_buf_bytes(&sql), NULL, "the table cannot be dropped", err);
}

static int into_ready(struct ent_sink *k, struct ent_my_into *t, const struct ent_target *target, size_t n_text, struct ent_err *err)
{
	bool there;
	ENT_TRY(ent_my_exists(k, t->real, &there, err));
	if (t->mode == ENT_WRITE_REPLACE && target->resume && !there)
		ENT_TRY(ent_my_marked(k, t, &t->gone, err)); /* it changed over before the job could say so */
	if (t->gone)
		return 0;
	if (target->resume && there)
		return 0;
	if (t->mode == ENT_WRITE_CREATE && there) {
		ent_fail(err, ENT_EUSAGE, "table %.200s is there already", t->object);
		return ent_next(err, "choose --mode append, replace or upsert, or another name"), ENT_EUSAGE;
	}
	if (t->mode == ENT_WRITE_REPLACE && there)
		ENT_TRY(drop(k, t->real, err));
	return there && t->mode != ENT_WRITE_REPLACE ? 0 : create(k, t, n_text, err);
}

int ent_my_into_init(struct ent_sink *k, struct ent_my_into *t, const struct ent_target *target, struct ent_err *err)
{
	size_t n_text;
	char object[300];
	t->n = (size_t)target->schema->n_children;
	t->mode = target->mode;
	ent_buf_init(&t->names, 1 << 20);
	ent_buf_init(&t->load, 4 << 20);
	t->object = ent_strdup(target->object);
	t->puts = (struct ent_my_put *)calloc(t->n + 1, sizeof *t->puts);
	ENT_CLEANUP(flags_freep) bool *is_key = (bool *)calloc(t->n + 1, sizeof *is_key);
	if (!t->object || !t->puts || !is_key)
		return ent_nomem(err);
	ENT_TRY(ent_schema_dup(target->schema, &t->schema, err));
	ENT_TRY(keys_find(target, is_key, &t->n_keys, &n_text, err));
	for (size_t i = 0; i < t->n; i++)
		t->puts[i].key = is_key[i];
	if (t->mode == ENT_WRITE_UPSERT && !t->n_keys) {
		ent_fail(err, ENT_EUSAGE, "the rows of %.200s have no key to upsert by", target->object);
		return ent_next(err, "name the columns with --key"), ENT_EUSAGE;
	}
	ENT_TRY(relations_make(k, t, err));
	ENT_TRY(into_ready(k, t, target, n_text, err));
	real_object(t, object);
	ENT_TRY(puts_find(k, t, t->gone ? t->object : object, err));
	if (t->mode == ENT_WRITE_UPSERT && !t->upserts) {
		ent_fail(err, ENT_EUNSUPPORTED, "table %.200s cannot be upserted by this key", t->object);
		ent_why(err, "MySQL decides by any unique key: the table needs exactly one, over the columns of the copy's key");
		return ent_next(err, "drop its other unique keys, or copy into another table"), ENT_EUNSUPPORTED;
	}
	return load_make(t, err);
}
