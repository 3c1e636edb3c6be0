/* What each column becomes, from both sides: the source's field and, where the collection is there, what it holds at that path. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "mongo_encode.h"

#define DECIMAL_DIGITS 34 /* of a decimal128 */

void ent_mongo_plan_deinit(struct ent_mongo_plan *p)
{
	free(p->kinds);
	ent_mongo_columns_deinit(&p->columns);
	*p = (struct ent_mongo_plan){ 0 };
}

static bool word_is(const char *text, size_t len, const char *word) { return strlen(word) == len && !memcmp(text, word, len); }

/* How a text column of a MongoDB source is written back. */
static enum ent_mongo_form form_of_native(const char *kinds, size_t len)
{
	if (word_is(kinds, len, "objectId"))
		return ENT_MF_OID;
	if (word_is(kinds, len, "uuid"))
		return ENT_MF_UUID;
	if (word_is(kinds, len, "decimal"))
		return ENT_MF_DECIMAL;
	return word_is(kinds, len, "string") || word_is(kinds, len, "text") ? ENT_MF_VALUE : ENT_MF_JSON;
}

static void form_choose(struct ent_mongo_column *c, const char *native)
{
	c->form = ENT_MF_VALUE;
	if (strncmp(native, "bson ", 5) != 0) {
		if (c->type.id == ENT_T_TEXT && !strcmp(native, "uuid"))
			c->form = ENT_MF_UUID;
		return;
	}
	const char *kinds = native + 5;
	size_t len = strlen(kinds);
	if (len >= 4 && !strcmp(kinds + len - 4, "null")) {
		c->null_kept = true;
		len -= len > 4 ? 5 : 4;
	}
	if (c->type.id == ENT_T_TEXT)
		c->form = form_of_native(kinds, len);
}

/* The kind a column is written as where nothing is there yet. */
static uint32_t kind_natural(const struct ent_mongo_column *c)
{
	static const uint32_t of_form[] = {
		[ENT_MF_JSON] = 0, [ENT_MF_OID] = ENT_MK_OID, [ENT_MF_UUID] = ENT_MK_UUID, [ENT_MF_DECIMAL] = ENT_MK_DECIMAL
	};
	if (c->form != ENT_MF_VALUE)
		return of_form[c->form];
	switch (c->type.id) {
	case ENT_T_BOOL:
		return ENT_MK_BOOL;
	case ENT_T_INT16:
	case ENT_T_INT32:
		return ENT_MK_INT;
	case ENT_T_INT64:
		return ENT_MK_LONG;
	case ENT_T_UINT64:
		return ENT_MK_DECIMAL;
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		return ENT_MK_DOUBLE;
	case ENT_T_DECIMAL:
		return c->type.precision <= DECIMAL_DIGITS ? ENT_MK_DECIMAL : ENT_MK_STRING;
	case ENT_T_DATE:
		return ENT_MK_DATE;
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
		return c->key ? ENT_MK_STRING : ENT_MK_DATE; /* a key keeps its microseconds in itself */
	case ENT_T_TIME:
	case ENT_T_TEXT:
		return ENT_MK_STRING;
	case ENT_T_BINARY:
		return ENT_MK_BYTES;
	case ENT_T_COUNT:
		break;
	}
	return ENT_MK_STRING;
}

static void line_set(struct ent_map_line *l, enum ent_map_verdict verdict, const char *why)
{
	l->verdict = verdict;
	snprintf(l->why, sizeof l->why, "%s", why);
}

static void verdict_natural(const struct ent_mongo_column *c, uint32_t kind, struct ent_map_line *l)
{
	if (c->form != ENT_MF_VALUE)
		return;
	if (c->type.id == ENT_T_INT16)
		line_set(l, ENT_MAP_WIDENED, "kept as a 32-bit integer");
	else if (c->type.id == ENT_T_UINT64)
		line_set(l, ENT_MAP_WIDENED, "kept as a decimal");
	else if (c->type.id == ENT_T_REAL)
		line_set(l, ENT_MAP_WIDENED, "kept as a double");
	else if (c->type.id == ENT_T_DATE)
		line_set(l, ENT_MAP_WIDENED, "kept as the day's first moment in UTC; infinity is refused by name");
	else if (kind == ENT_MK_STRING && c->type.id != ENT_T_TEXT)
		line_set(l, ENT_MAP_WIDENED, "kept as its canonical text");
}

/* What is there decides: the same kind, a wider one, or text that can be read as it. */
static void kind_settle(uint32_t *kind, uint32_t there, struct ent_map_line *l)
{
	static const struct {
		uint32_t from, to;
		const char *why;
	} wider[] = { { ENT_MK_INT, ENT_MK_LONG, "the collection holds longs" },
		      { ENT_MK_INT, ENT_MK_DOUBLE, "the collection holds doubles" },
		      { ENT_MK_LONG, ENT_MK_DOUBLE, "the collection holds doubles; a number that no double holds exactly is refused by name" },
		      { ENT_MK_INT, ENT_MK_DECIMAL, "the collection holds decimals" },
		      { ENT_MK_LONG, ENT_MK_DECIMAL, "the collection holds decimals" },
		      { ENT_MK_STRING, ENT_MK_OID, "the collection holds object ids; other text is refused by name" },
		      { ENT_MK_STRING, ENT_MK_UUID, "the collection holds UUIDs; other text is refused by name" },
		      { ENT_MK_OID, ENT_MK_STRING, "the collection holds text" },
		      { ENT_MK_UUID, ENT_MK_STRING, "the collection holds text" } };
	char has[160], why[200];
	if (!there || !*kind || there == *kind)
		return;
	for (size_t i = 0; i < ENT_COUNT(wider); i++) {
		if (wider[i].from == *kind && wider[i].to == there) {
			*kind = there;
			line_set(l, ENT_MAP_WIDENED, wider[i].why);
			return;
		}
	}
	ent_mongo_kinds_text(there, has);
	snprintf(why, sizeof why, "the collection holds values of type %.60s at this field", has);
	line_set(l, ENT_MAP_REFUSED, why);
}

static const struct ent_mongo_column *column_there(const struct ent_mongo_columns *existing, const char *path)
{
	for (size_t i = 0; existing && i < existing->n; i++)
		if (!strcmp(existing->all[i].path, path))
			return &existing->all[i];
	return NULL;
}

static bool id_path(const char *name) { return !strncmp(name, "_id", 3) && (!name[3] || name[3] == '.'); }

static int path_make(struct ent_mongo_plan *p, const char *name, bool key, size_t n_keys, const char **ret, struct ent_map_line *l,
		     struct ent_err *err)
{
	*ret = name;
	if (key && !id_path(name))
		*ret = n_keys == 1 ? "_id" : ent_arena_printf(p->columns.arena, "_id.%s", name);
	if (!key && id_path(name))
		line_set(l, ENT_MAP_REFUSED, "_id is the key of a document; name this column as the key");
	if (!strncmp(name, ENT_MONGO_MICROS, strlen(ENT_MONGO_MICROS)))
		line_set(l, ENT_MAP_REFUSED, "the name is used for the microseconds of dates");
	return *ret ? 0 : ent_nomem(err);
}

static int column_plan(struct ent_mongo_plan *p, const struct ent_field_info *f, bool key, size_t n_keys, const struct ent_mongo_columns *existing,
		       struct ent_map_line *l, struct ent_err *err)
{
	struct ent_mongo_column c = { .name = f->name, .type = f->type, .nullable = f->nullable && !key, .key = key, .native = f->native };
	*l = (struct ent_map_line){ .size = sizeof *l };
	ENT_TRY(path_make(p, f->name, key, n_keys, &c.path, l, err));
	form_choose(&c, f->native);
	uint32_t kind = kind_natural(&c);
	const struct ent_mongo_column *there = column_there(existing, c.path);
	if (l->verdict == ENT_MAP_EXACT)
		verdict_natural(&c, kind, l);
	if (there && l->verdict != ENT_MAP_REFUSED)
		kind_settle(&kind, there->form == ENT_MF_JSON ? 0 : kind_natural(there), l);
	c.micros = kind == ENT_MK_DATE && c.type.id != ENT_T_DATE && (existing ? there && there->micros : true);
	if (kind == ENT_MK_DATE && c.type.id != ENT_T_DATE && !c.micros && l->verdict == ENT_MAP_EXACT)
		line_set(l, ENT_MAP_EXACT, "");
	if (kind)
		ent_mongo_kinds_text(kind, l->native);
	else
		snprintf(l->native, sizeof l->native, "any");
	p->kinds[p->columns.n] = kind;
	return ent_mongo_column_add(&p->columns, &c, err);
}

static bool among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static int keys_check(const struct ArrowSchema *source, const char *const *keys, size_t n_keys, struct ent_err *err)
{
	for (size_t i = 0; i < n_keys; i++)
		if (ent_schema_find(source, keys[i]) < 0)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s to be a key", keys[i]);
	if (n_keys)
		return 0;
	ent_fail(err, ENT_EUSAGE, "a collection needs a key, and the source has none");
	ent_why(err, "without one, a copy that is interrupted and goes on would write documents twice");
	return ent_next(err, "name the columns that identify a row: --key COL,COL"), ENT_EUSAGE;
}

int ent_mongo_plan_make(struct ent_mongo_plan *p, const struct ArrowSchema *source, const char *const *keys, size_t n_keys,
			const struct ent_mongo_columns *existing, struct ent_map_line *lines, struct ent_err *err)
{
	size_t n = (size_t)source->n_children;
	ENT_TRY(keys_check(source, keys, n_keys, err));
	ENT_TRY(ent_mongo_columns_init(&p->columns, err));
	p->n_keys = n_keys;
	p->kinds = (uint32_t *)calloc(n + 1, sizeof *p->kinds);
	if (!p->kinds)
		return ent_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct ent_field_info f;
		struct ent_map_line own, *l = lines ? &lines[i] : &own;
		ent_schema_field(source, i, &f);
		ENT_TRY(column_plan(p, &f, among(f.name, keys, n_keys), n_keys, existing, l, err));
		if (!lines && l->verdict == ENT_MAP_REFUSED) {
			ent_fail(err, ENT_EUNSUPPORTED, "column %.200s cannot be written to MongoDB", f.name);
			return ent_why(err, "%s", l->why), ENT_EUNSUPPORTED;
		}
	}
	return ent_mongo_tree(&p->columns, &p->tree, err);
}
