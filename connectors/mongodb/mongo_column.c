/* Columns and their paths. */
#include "mongo_column.h"

#include <stdio.h>

#include "base/arena.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define NAME_MAX_BYTES 255

static const struct {
	uint32_t kind;
	const char *name;
} kinds[] = { { ENT_MK_BOOL, "bool" },       { ENT_MK_INT, "int" },
	      { ENT_MK_LONG, "long" },       { ENT_MK_DOUBLE, "double" },
	      { ENT_MK_DECIMAL, "decimal" }, { ENT_MK_DATE, "date" },
	      { ENT_MK_STRING, "string" },   { ENT_MK_OID, "objectId" },
	      { ENT_MK_UUID, "uuid" },       { ENT_MK_BYTES, "binData" },
	      { ENT_MK_ARRAY, "array" },     { ENT_MK_OBJECT, "object" },
	      { ENT_MK_REGEX, "regex" },     { ENT_MK_TIMESTAMP, "timestamp" },
	      { ENT_MK_OTHER, "other" },     { ENT_MK_NULL, "null" } };

void ent_mongo_kinds_text(uint32_t set, char out[160])
{
	size_t n = 0;
	out[0] = 0;
	for (size_t i = 0; i < ENT_COUNT(kinds); i++)
		if (set & kinds[i].kind)
			n += (size_t)snprintf(out + n, 160 - n, "%s%s", n ? "|" : "", kinds[i].name);
}

static enum ent_mongo_kind binary_kind(const bson_iter_t *at)
{
	bson_subtype_t subtype;
	uint32_t len;
	const uint8_t *data;
	bson_iter_binary(at, &subtype, &len, &data);
	return subtype == BSON_SUBTYPE_UUID && len == 16 ? ENT_MK_UUID : subtype == BSON_SUBTYPE_BINARY ? ENT_MK_BYTES : ENT_MK_OTHER;
}

enum ent_mongo_kind ent_mongo_kind_of(const bson_iter_t *at)
{
	static const struct {
		bson_type_t type;
		enum ent_mongo_kind kind;
	} map[] = { { BSON_TYPE_NULL, ENT_MK_NULL },          { BSON_TYPE_BOOL, ENT_MK_BOOL },       { BSON_TYPE_INT32, ENT_MK_INT },
		    { BSON_TYPE_INT64, ENT_MK_LONG },         { BSON_TYPE_DOUBLE, ENT_MK_DOUBLE },   { BSON_TYPE_DECIMAL128, ENT_MK_DECIMAL },
		    { BSON_TYPE_DATE_TIME, ENT_MK_DATE },     { BSON_TYPE_UTF8, ENT_MK_STRING },     { BSON_TYPE_OID, ENT_MK_OID },
		    { BSON_TYPE_ARRAY, ENT_MK_ARRAY },        { BSON_TYPE_DOCUMENT, ENT_MK_OBJECT }, { BSON_TYPE_REGEX, ENT_MK_REGEX },
		    { BSON_TYPE_TIMESTAMP, ENT_MK_TIMESTAMP } };
	bson_type_t type = bson_iter_type(at);
	if (type == BSON_TYPE_BINARY)
		return binary_kind(at);
	for (size_t i = 0; i < ENT_COUNT(map); i++)
		if (map[i].type == type)
			return map[i].kind;
	return ENT_MK_OTHER;
}

/* --- the list --- */

int ent_mongo_columns_init(struct ent_mongo_columns *c, struct ent_err *err)
{
	struct ent_arena *arena = ent_arena_new(ARENA_BYTES);
	struct ent_mongo_column *all = arena ? ENT_NEWS(arena, ENT_COLUMNS_MAX, struct ent_mongo_column) : NULL;
	if (!all) {
		ent_arena_free(arena);
		return ent_nomem(err);
	}
	*c = (struct ent_mongo_columns){ .arena = arena, .all = all };
	return 0;
}

void ent_mongo_columns_deinit(struct ent_mongo_columns *c)
{
	ent_arena_free(c->arena);
	*c = (struct ent_mongo_columns){ 0 };
}

int ent_mongo_column_add(struct ent_mongo_columns *c, const struct ent_mongo_column *column, struct ent_err *err)
{
	size_t len = strlen(column->name);
	if (c->n == ENT_COLUMNS_MAX || !len || len > NAME_MAX_BYTES) {
		ent_fail(err, ENT_EUNSUPPORTED, "the collection has more than %u columns, or a field name that is empty or longer than %u bytes",
			 ENT_COLUMNS_MAX, NAME_MAX_BYTES);
		return ent_next(err, "declare the inner document as json with --schema FILE");
	}
	struct ent_mongo_column copy = *column;
	copy.name = ent_arena_dup(c->arena, column->name);
	copy.path = ent_arena_dup(c->arena, column->path);
	copy.native = ent_arena_dup(c->arena, column->native);
	copy.unsupported = ent_arena_dup(c->arena, column->unsupported);
	if (!copy.name || !copy.path || (column->native && !copy.native) || (column->unsupported && !copy.unsupported))
		return ent_nomem(err);
	c->all[c->n++] = copy;
	return 0;
}

bool ent_mongo_paths_meet(const char *a, const char *b)
{
	size_t n = 0;
	while (a[n] && a[n] == b[n])
		n++;
	return (!a[n] || a[n] == '.') && (!b[n] || b[n] == '.') && (!a[n] || !b[n]);
}

static void keys_put(const struct ent_mongo_columns *c, struct ent_buf *out)
{
	for (size_t i = 0, n = 0; i < c->n; i++)
		if (c->all[i].key)
			ent_buf_printf(out, "%s%s", n++ ? "\t" : "", c->all[i].name);
}

static void fields_freep(struct ent_field **f) { free(*f); }

int ent_mongo_schema(const struct ent_mongo_columns *c, bool copying, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(fields_freep) struct ent_field *fields = (struct ent_field *)calloc(c->n + 1, sizeof *fields);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf keys = ENT_BUF(1 << 16);
	if (!fields)
		return ent_nomem(err);
	for (size_t i = 0; i < c->n; i++) {
		const struct ent_mongo_column *m = &c->all[i];
		fields[i] = (struct ent_field){ .name = m->name, .type = m->type, .nullable = m->nullable, .native = m->native };
		if (!copying && m->unsupported) {
			fields[i].unsupported = m->unsupported;
			fields[i].copied = true;
		}
	}
	keys_put(c, &keys);
	ENT_TRY(ent_buf_check(&keys, err));
	return ent_schema_new(fields, c->n, ent_buf_text(&keys), ret, err);
}

/* --- declared types --- */

static const struct {
	const char *word, *means; /* NULL: text in the form */
	enum ent_mongo_form form;
} words[] = { { "objectId", NULL, ENT_MF_OID },
	      { "uuid", NULL, ENT_MF_UUID },
	      { "json", NULL, ENT_MF_JSON },
	      { "decimal", NULL, ENT_MF_DECIMAL },
	      { "int", "integer", ENT_MF_VALUE },
	      { "long", "bigint", ENT_MF_VALUE },
	      { "double", "double precision", ENT_MF_VALUE },
	      { "string", "text", ENT_MF_VALUE },
	      { "bool", "boolean", ENT_MF_VALUE } };

static const char json_reason[] = "it is read as JSON text";
static const char decimal_reason[] = "decimals of any scale are read as text; declare it as decimal(P,S) with --schema FILE";

static const char *reason_of(const struct ent_mongo_column *c)
{
	static const char copies[] = "only copies know its type";
	if (c->form == ENT_MF_JSON)
		return json_reason;
	if (c->form == ENT_MF_DECIMAL)
		return decimal_reason;
	return ent_type_is_joint(c->type) ? NULL : copies;
}

int ent_mongo_declare(struct ent_mongo_columns *c, const char *type, struct ent_mongo_column *column, struct ent_err *err)
{
	const char *means = type;
	column->form = ENT_MF_VALUE;
	for (size_t i = 0; i < ENT_COUNT(words); i++) {
		if (!strcmp(words[i].word, type)) {
			column->form = words[i].form;
			means = words[i].means ? words[i].means : "text";
		}
	}
	if (!ent_type_by_name(means, &column->type)) {
		ent_fail(err, ENT_EUSAGE, "%.60s is no type for column %.200s", type, column->name);
		return ent_next(err, "a type as `entente describe` prints it, or objectId, uuid, json, decimal"), ENT_EUSAGE;
	}
	column->native = ent_arena_printf(c->arena, "bson %s", type);
	column->unsupported = reason_of(column);
	return column->native ? 0 : ent_nomem(err);
}

void ent_mongo_declared(const struct ent_mongo_column *c, char out[ENT_TYPE_TEXT_MAX])
{
	for (size_t i = 0; i < ENT_COUNT(words); i++) {
		if (c->form != ENT_MF_VALUE && words[i].form == c->form) {
			snprintf(out, ENT_TYPE_TEXT_MAX, "%s", words[i].word);
			return;
		}
	}
	ent_type_name(c->type, out);
}

/* --- the tree --- */

static struct ent_mongo_node *child_find(const struct ent_mongo_node *in, const char *name, size_t len)
{
	for (struct ent_mongo_node *n = in->first; n; n = n->next)
		if (!strncmp(n->name, name, len) && !n->name[len])
			return n;
	return NULL;
}

static struct ent_mongo_node *child_add(struct ent_arena *arena, struct ent_mongo_node *in, const char *name, size_t len)
{
	struct ent_mongo_node *n = ENT_NEW(arena, struct ent_mongo_node);
	if (!n || !(n->name = ent_arena_str(arena, name, len)))
		return NULL;
	n->column = -1;
	if (in->last)
		in->last->next = n;
	else
		in->first = n;
	in->last = n;
	return n;
}

static int path_add(const struct ent_mongo_columns *c, size_t i, struct ent_mongo_node *root, struct ent_err *err)
{
	struct ent_mongo_node *at = root;
	size_t depth = 0;
	for (const char *p = c->all[i].path;; p++) {
		size_t len = strcspn(p, ".");
		if (!len || p[0] == '$' || ++depth > ENT_MONGO_DEPTH_MAX)
			return ent_fail(err, ENT_EUSAGE, "%.200s cannot be the name of a field in MongoDB", c->all[i].path);
		struct ent_mongo_node *next = child_find(at, p, len);
		bool last = !p[len];
		if (next && (last || next->column >= 0))
			return ent_fail(err, ENT_EUSAGE, "column %.200s and another one cannot both be in one document", c->all[i].name);
		if (!next && !(next = child_add(c->arena, at, p, len)))
			return ent_nomem(err);
		at = next;
		p += len;
		if (last)
			break;
	}
	at->column = (int)i;
	return 0;
}

/* The server puts _id first, and so do we. */
static void id_first(struct ent_mongo_node *root)
{
	struct ent_mongo_node *before = NULL, *id = root->first;
	while (id && strcmp(id->name, "_id") != 0) {
		before = id;
		id = id->next;
	}
	if (!id || !before)
		return;
	before->next = id->next;
	if (root->last == id)
		root->last = before;
	id->next = root->first;
	root->first = id;
}

int ent_mongo_tree(const struct ent_mongo_columns *c, struct ent_mongo_node **ret, struct ent_err *err)
{
	struct ent_mongo_node *root = ENT_NEW(c->arena, struct ent_mongo_node);
	if (!root)
		return ent_nomem(err);
	root->column = -1;
	for (size_t i = 0; i < c->n; i++)
		ENT_TRY(path_add(c, i, root, err));
	id_first(root);
	*ret = root;
	return 0;
}
