/* A tree of what was seen, then one column per leaf. */
#include "mongo_infer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define ARENA_BYTES ((size_t)64 << 20)
#define NAMES_MAX 100 /* a document with more different names is a map: its names are data */
#define DEPTH_MAX 16
#define DOUBLE_EXACT ((int64_t)1 << 53)

struct seen { /* one path */
	const char *name;
	uint32_t kinds;
	uint64_t times;
	size_t n_children, depth;
	bool whole;      /* its inner documents cannot become columns: an empty one, odd or too many names, too deep */
	bool long_large; /* a long that no double holds exactly */
	bool endless;    /* a decimal that is no number */
	int whole_digits, scale;
	struct seen *first, *last, *next;
};

struct ent_mongo_sample {
	struct ent_arena *arena;
	struct seen root;
};

int ent_mongo_sample_new(struct ent_mongo_sample **ret, struct ent_err *err)
{
	struct ent_mongo_sample *s = (struct ent_mongo_sample *)calloc(1, sizeof *s);
	if (!s || !(s->arena = ent_arena_new(ARENA_BYTES))) {
		free(s);
		return ent_nomem(err);
	}
	*ret = s;
	return 0;
}

void ent_mongo_sample_free(struct ent_mongo_sample *s)
{
	if (!s)
		return;
	ent_arena_free(s->arena);
	free(s);
}

/* --- looking --- */

static void decimal_look(struct seen *n, const bson_iter_t *at)
{
	bson_decimal128_t dec;
	char text[BSON_DECIMAL128_STRING];
	if (!bson_iter_decimal128(at, &dec))
		return;
	bson_decimal128_to_string(&dec, text);
	if (strpbrk(text, "Nn")) { /* NaN, Infinity */
		n->endless = true;
		return;
	}
	char *e = strchr(text, 'E'), *point;
	int exponent = e ? (int)strtol(e + 1, NULL, 10) : 0, digits = 0;
	if (e)
		*e = 0;
	point = strchr(text, '.');
	exponent -= point ? (int)strlen(point + 1) : 0;
	for (const char *p = text; *p; p++)
		digits += *p >= '0' && *p <= '9' && (digits || *p != '0');
	int scale = exponent < 0 ? -exponent : 0, whole = digits + exponent > 0 ? digits + exponent : 0;
	n->scale = scale > n->scale ? scale : n->scale;
	n->whole_digits = whole > n->whole_digits ? whole : n->whole_digits;
}

static int whole_digits(int64_t v)
{
	int n = 0;
	for (; v; v /= 10)
		n++;
	return n;
}

static void number_look(struct seen *n, const bson_iter_t *at)
{
	int64_t v = bson_iter_as_int64(at);
	int digits = whole_digits(v);
	n->whole_digits = digits > n->whole_digits ? digits : n->whole_digits;
	n->long_large = n->long_large || v > DOUBLE_EXACT || v < -DOUBLE_EXACT;
}

/* A name that dotted columns can express. */
static bool name_plain(const char *name) { return name[0] && name[0] != '$' && !strchr(name, '.') && strlen(name) <= 200; }

static struct seen *child(struct ent_mongo_sample *s, struct seen *in, struct seen *hint, const char *name)
{
	if (hint && !strcmp(hint->name, name))
		return hint;
	for (struct seen *n = in->first; n; n = n->next)
		if (!strcmp(n->name, name))
			return n;
	struct seen *n = ENT_NEW(s->arena, struct seen);
	if (!n || !(n->name = ent_arena_dup(s->arena, name)))
		return NULL;
	n->depth = in->depth + 1;
	*(in->last ? &in->last->next : &in->first) = n;
	in->last = n;
	in->n_children++;
	return n;
}

static int look(struct ent_mongo_sample *s, struct seen *in, bson_iter_t *at, struct ent_err *err);

static int value_look(struct ent_mongo_sample *s, struct seen *n, const bson_iter_t *at, struct ent_err *err)
{
	enum ent_mongo_kind kind = ent_mongo_kind_of(at);
	bson_iter_t in;
	n->kinds |= kind;
	n->times++;
	if (kind == ENT_MK_INT || kind == ENT_MK_LONG)
		number_look(n, at);
	else if (kind == ENT_MK_DECIMAL)
		decimal_look(n, at);
	else if (kind == ENT_MK_OBJECT && !n->whole) {
		if (n->depth == DEPTH_MAX || !bson_iter_recurse(at, &in)) {
			n->whole = true;
			return 0;
		}
		return look(s, n, &in, err);
	}
	return 0;
}

static int look(struct ent_mongo_sample *s, struct seen *in, bson_iter_t *at, struct ent_err *err)
{
	struct seen *hint = in->first;
	bool top = in == &s->root, any = false;
	while (bson_iter_next(at)) {
		const char *name = bson_iter_key(at);
		any = true;
		if (!ent_utf8_valid(ent_bytes_str(name)))
			return ent_fail(err, ENT_EDATA, "a document has a field name that is not UTF-8");
		if (top && (!name_plain(name) || !strcmp(name, ENT_MONGO_MICROS)))
			continue; /* no column can read it: copying the whole table will say so */
		if (!top && (!name_plain(name) || in->n_children > NAMES_MAX)) {
			in->whole = true;
			return 0;
		}
		struct seen *n = child(s, in, hint, name);
		if (!n)
			return ent_nomem(err);
		ENT_TRY(value_look(s, n, at, err));
		hint = n->next;
	}
	in->whole = in->whole || (!top && !any);
	return at->err_off ? ent_fail(err, ENT_EDATA, "a document is not well formed") : 0;
}

int ent_mongo_sample_add(struct ent_mongo_sample *s, const bson_t *doc, struct ent_err *err)
{
	bson_iter_t at;
	if (!bson_iter_init(&at, doc))
		return ent_fail(err, ENT_EDATA, "a document is not well formed");
	s->root.times++;
	return look(s, &s->root, &at, err);
}

/* --- deciding --- */

static bool only(uint32_t kinds, uint32_t among) { return kinds && !(kinds & ~among); }

/* decimal(P,S) of the sample, with room: P 18 where that is enough, else 34, as many as a decimal128 has. */
static bool decimal_fits(const struct seen *n, struct ent_type *ret)
{
	int digits = n->whole_digits + n->scale;
	if (n->endless || digits > 34)
		return false;
	*ret = (struct ent_type){ ENT_T_DECIMAL, (uint8_t)(digits <= 18 ? 18 : 34), (uint8_t)n->scale };
	return true;
}

/* The type that holds all of it exactly; false: JSON text. */
static bool type_decide(const struct seen *n, struct ent_mongo_column *c)
{
	static const struct {
		uint32_t kinds;
		enum ent_type_id type;
		enum ent_mongo_form form;
	} plain[] = { { ENT_MK_BOOL, ENT_T_BOOL, ENT_MF_VALUE },
		      { ENT_MK_INT, ENT_T_INT32, ENT_MF_VALUE },
		      { ENT_MK_INT | ENT_MK_LONG, ENT_T_INT64, ENT_MF_VALUE },
		      { ENT_MK_DOUBLE | ENT_MK_INT, ENT_T_DOUBLE, ENT_MF_VALUE },
		      { ENT_MK_DATE, ENT_T_TIMESTAMPTZ, ENT_MF_VALUE },
		      { ENT_MK_STRING, ENT_T_TEXT, ENT_MF_VALUE },
		      { ENT_MK_OID, ENT_T_TEXT, ENT_MF_OID },
		      { ENT_MK_UUID, ENT_T_TEXT, ENT_MF_UUID },
		      { ENT_MK_BYTES, ENT_T_BINARY, ENT_MF_VALUE } };
	uint32_t kinds = n->kinds & ~(uint32_t)ENT_MK_NULL;
	for (size_t i = 0; i < ENT_COUNT(plain); i++) {
		if (only(kinds, plain[i].kinds)) {
			c->type = (struct ent_type){ .id = plain[i].type };
			c->form = plain[i].form;
			return true;
		}
	}
	if (only(kinds, ENT_MK_DOUBLE | ENT_MK_INT | ENT_MK_LONG) && !n->long_large) {
		c->type = (struct ent_type){ .id = ENT_T_DOUBLE };
		return true;
	}
	return only(kinds, ENT_MK_DECIMAL | ENT_MK_INT | ENT_MK_LONG) && decimal_fits(n, &c->type);
}

static void json_decide(const struct seen *n, struct ent_mongo_column *c, char reason[200])
{
	char all[160];
	uint32_t kinds = n->kinds & ~(uint32_t)ENT_MK_NULL;
	c->type = (struct ent_type){ .id = ENT_T_TEXT };
	c->form = ENT_MF_JSON;
	ent_mongo_kinds_text(kinds, all);
	if (!kinds)
		snprintf(reason, 200, "only null was seen in the sample; declare its type with --schema FILE");
	else if (kinds & (kinds - 1))
		snprintf(reason, 200, "values of several types (%.90s), read as JSON text; --schema FILE declares one", all);
	else
		snprintf(reason, 200, "%.90s, read as JSON text", all);
}

static int column_put(const struct seen *n, const struct seen *parent, const char *path, struct ent_mongo_columns *out, struct ent_err *err)
{
	char native[180] = "bson ", reason[200] = "";
	struct ent_mongo_column c = { .name = path, .path = path, .native = native };
	uint32_t kinds = n->kinds & ~(uint32_t)ENT_MK_NULL;
	c.key = !strncmp(path, "_id", 3) && (!path[3] || path[3] == '.');
	c.nullable = !c.key;
	c.null_kept = (n->kinds & ENT_MK_NULL) && n->times == parent->times;
	if (only(kinds, ENT_MK_DECIMAL) && n->endless) {
		c.type = (struct ent_type){ .id = ENT_T_TEXT };
		c.form = ENT_MF_DECIMAL;
		snprintf(reason, sizeof reason, "decimals that are no numbers are among them, read as text");
	} else if (!type_decide(n, &c)) {
		json_decide(n, &c, reason);
	}
	if (!reason[0] && !ent_type_is_joint(c.type))
		snprintf(reason, sizeof reason, "only copies know its type");
	c.unsupported = reason[0] ? reason : NULL;
	ent_mongo_kinds_text(kinds | (c.null_kept ? ENT_MK_NULL : 0), native + 5);
	return ent_mongo_column_add(out, &c, err);
}

static bool taken(const struct ent_mongo_columns *c, size_t before, const char *path)
{
	for (size_t i = 0; i < before; i++)
		if (ent_mongo_paths_meet(c->all[i].path, path))
			return true;
	return false;
}

static int node_put(const struct seen *n, const struct seen *parent, const char *prefix, size_t before, struct ent_mongo_columns *out,
		    struct ent_err *err)
{
	char path[ENT_MONGO_DEPTH_MAX + 400];
	if (snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", n->name) >= (int)sizeof path)
		return ent_fail(err, ENT_EUNSUPPORTED, "the name of a nested field is too long");
	uint32_t kinds = n->kinds & ~(uint32_t)ENT_MK_NULL;
	if (kinds != ENT_MK_OBJECT || n->whole || !n->first)
		return taken(out, before, path) ? 0 : column_put(n, parent, path, out, err);
	for (const struct seen *c = n->first; c; c = c->next)
		ENT_TRY(node_put(c, n, path, before, out, err));
	return 0;
}

int ent_mongo_sample_columns(const struct ent_mongo_sample *s, struct ent_mongo_columns *out, struct ent_err *err)
{
	size_t before = out->n;
	for (int round = 0; round < 2; round++)
		for (const struct seen *n = s->root.first; n; n = n->next)
			if ((round == 0) == !strcmp(n->name, "_id"))
				ENT_TRY(node_put(n, &s->root, "", before, out, err));
	return 0;
}
