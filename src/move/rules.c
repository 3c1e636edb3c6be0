#include "move/rules.h"

#include <stdio.h>

#include "base/json.h"
#include "crypto/hash.h"

static const char *const kinds[ENT_RULE_COUNT] = { "trim", "case", "nulls", "cast", "range", "match", "convert" };
static const char *const elses[] = { "keep", "null", "drop" };

const char *ent_rule_name(enum ent_rule_kind kind) { return kinds[kind]; }
const char *ent_rule_else_name(enum ent_rule_else otherwise) { return elses[otherwise]; }

/* ---- names that were nearly right ---- */

#define WORD_MAX 64

static size_t least(size_t a, size_t b, size_t c) { return a < b ? (a < c ? a : c) : b < c ? b : c; }

static size_t edits(const char *a, const char *b)
{
	size_t row[WORD_MAX], n = strlen(b);
	if (n >= WORD_MAX || strlen(a) >= WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];
			row[j] = least(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

const char *ent_rules_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t fewest = 4;
	for (size_t i = 0; i < n; i++) {
		size_t d = edits(word, names[i]);
		if (d < fewest && d < strlen(names[i])) {
			fewest = d;
			best = names[i];
		}
	}
	return best;
}

/* ---- reading ---- */

struct place { /* where we are, for errors */
	struct ent_arena *arena;
	const char *column, *rule;
	struct ent_err *err;
};

static int wrong(const struct place *p, const char *what)
{
	if (p->rule)
		return ent_fail(p->err, ENT_EDATA, "rule %.40s of column %.100s: %s", p->rule, p->column, what);
	if (p->column)
		return ent_fail(p->err, ENT_EDATA, "column %.100s of the rules: %s", p->column, what);
	return ent_fail(p->err, ENT_EDATA, "the rules: %s", what);
}

/* An unknown member is a mistake, never passed over. */
static int only(const struct place *p, const json_t *o, const char *const *names, size_t n)
{
	const char *key;
	json_t *value;
	if (!json_is_object(o))
		return wrong(p, "an object is expected here");
	json_object_foreach((json_t *)(uintptr_t)o, key, value)
	{
		bool known = false;
		for (size_t i = 0; i < n; i++)
			known = known || !strcmp(key, names[i]);
		if (known)
			continue;
		char what[120];
		const char *near = ent_rules_nearest(key, names, n);
		snprintf(what, sizeof what, "nobody knows \"%.60s\"", key);
		int code = wrong(p, what);
		return near ? (ent_next(p->err, "perhaps \"%s\"", near), code) : code;
	}
	return 0;
}

static int text_of(const struct place *p, const json_t *o, const char *key, bool needed, const char **ret)
{
	const json_t *v = json_object_get(o, key);
	char what[100];
	*ret = NULL;
	if (!v && !needed)
		return 0;
	snprintf(what, sizeof what, "\"%s\" is a text that is not empty", key);
	if (!json_is_string(v) || !json_string_length(v) || strlen(json_string_value(v)) != json_string_length(v))
		return wrong(p, what);
	*ret = ent_arena_dup(p->arena, json_string_value(v));
	return *ret ? 0 : ent_nomem(p->err);
}

/* A number may stand there as a text, or as an integer. */
static int number_of(const struct place *p, const json_t *o, const char *key, const char **ret)
{
	const json_t *v = json_object_get(o, key);
	if (!json_is_integer(v))
		return text_of(p, o, key, false, ret);
	*ret = ent_arena_printf(p->arena, "%lld", (long long)json_integer_value(v));
	return *ret ? 0 : ent_nomem(p->err);
}

static int flag_of(const struct place *p, const json_t *o, const char *key, bool *ret)
{
	const json_t *v = json_object_get(o, key);
	char what[100];
	snprintf(what, sizeof what, "\"%s\" is true or false", key);
	*ret = json_is_true(v);
	return v && !json_is_boolean(v) ? wrong(p, what) : 0;
}

static int texts_of(const struct place *p, const json_t *list, bool empty_fine, const char *const **ret, size_t *ret_n)
{
	size_t n = json_array_size(list);
	if (!json_is_array(list) || !n || n > ENT_RULES_TOKENS_MAX)
		return wrong(p, "a list of 1 to 200 texts is expected here");
	const char **out = (const char **)ent_arena_get(p->arena, n, sizeof *out);
	if (!out)
		return ent_nomem(p->err);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v) || (!empty_fine && !json_string_length(v)))
			return wrong(p, "a list of texts is expected here");
		out[i] = ent_arena_dup(p->arena, json_string_value(v));
		if (!out[i])
			return ent_nomem(p->err);
	}
	*ret = out;
	*ret_n = n;
	return 0;
}

static int else_of(const struct place *p, const json_t *o, bool keep, enum ent_rule_else *ret)
{
	const char *text = json_string_value(json_object_get(o, "else"));
	for (size_t i = keep ? 0 : 1; text && i < ENT_COUNT(elses); i++)
		if (!strcmp(text, elses[i])) {
			*ret = (enum ent_rule_else)i;
			return 0;
		}
	int code = wrong(p, "\"else\" says what becomes of a value that fails");
	return ent_next(p->err, keep ? "keep, null or drop (the row)" : "null or drop (the row)"), code;
}

/* ---- the rules of a column ---- */

static int read_case(const struct place *p, const json_t *o, struct ent_rule *ret)
{
	const char *to;
	ENT_TRY(only(p, o, (const char *const[]){ "rule", "to" }, 2));
	ENT_TRY(text_of(p, o, "to", true, &to));
	ret->upper = !strcmp(to, "upper");
	return ret->upper || !strcmp(to, "lower") ? 0 : wrong(p, "\"to\" is lower or upper");
}

static int read_nulls(const struct place *p, const json_t *o, struct ent_rule *ret)
{
	ENT_TRY(only(p, o, (const char *const[]){ "rule", "tokens" }, 2));
	return texts_of(p, json_object_get(o, "tokens"), true, &ret->tokens, &ret->n_tokens);
}

static int read_cast(const struct place *p, const json_t *o, struct ent_rule *ret)
{
	const char *type;
	ENT_TRY(only(p, o, (const char *const[]){ "rule", "type", "format", "round", "else" }, 5));
	ENT_TRY(text_of(p, o, "type", true, &type));
	if (!ent_type_by_name(type, &ret->type)) {
		int code = wrong(p, "\"type\" is no type");
		return ent_next(p->err, "boolean, smallint, integer, bigint, decimal(12,2), real, double precision, date, timestamp, text"), code;
	}
	ENT_TRY(text_of(p, o, "format", false, &ret->format));
	if (ret->format && ret->type.id != ENT_T_DATE && ret->type.id != ENT_T_TIMESTAMP)
		return wrong(p, "\"format\" is for date and timestamp");
	ENT_TRY(flag_of(p, o, "round", &ret->round));
	return else_of(p, o, false, &ret->otherwise);
}

static int read_range(const struct place *p, const json_t *o, struct ent_rule *ret)
{
	ENT_TRY(only(p, o, (const char *const[]){ "rule", "min", "max", "else" }, 4));
	ENT_TRY(number_of(p, o, "min", &ret->min));
	ENT_TRY(number_of(p, o, "max", &ret->max));
	return ret->min || ret->max ? else_of(p, o, true, &ret->otherwise) : wrong(p, "it needs \"min\", \"max\" or both");
}

static int read_match(const struct place *p, const json_t *o, struct ent_rule *ret)
{
	ENT_TRY(only(p, o, (const char *const[]){ "rule", "regex", "else" }, 3));
	ENT_TRY(text_of(p, o, "regex", true, &ret->regex));
	return else_of(p, o, true, &ret->otherwise);
}

static int read_convert(const struct place *p, const json_t *o, struct ent_rule *ret)
{
	ENT_TRY(only(p, o, (const char *const[]){ "rule", "factor", "offset" }, 3));
	ENT_TRY(number_of(p, o, "factor", &ret->factor));
	ENT_TRY(number_of(p, o, "offset", &ret->offset));
	return ret->factor || ret->offset ? 0 : wrong(p, "it needs \"factor\", \"offset\" or both");
}

static int read_trim(const struct place *p, const json_t *o, struct ent_rule *ret)
{
	(void)ret;
	return only(p, o, (const char *const[]){ "rule" }, 1);
}

static int read_rule(struct place *p, const json_t *o, struct ent_rule *ret)
{
	static int (*const readers[ENT_RULE_COUNT])(const struct place *, const json_t *, struct ent_rule *) = { read_trim,   read_case,  read_nulls,
														 read_cast,   read_range, read_match,
														 read_convert };
	const char *name = json_string_value(json_object_get(o, "rule"));
	p->rule = NULL;
	if (!name)
		return wrong(p, "each rule is an object with \"rule\"");
	for (size_t i = 0; i < ENT_RULE_COUNT; i++)
		if (!strcmp(name, kinds[i])) {
			p->rule = kinds[i];
			*ret = (struct ent_rule){ .kind = (enum ent_rule_kind)i };
			return readers[i](p, o, ret);
		}
	const char *near = ent_rules_nearest(name, kinds, ENT_RULE_COUNT);
	ent_fail(p->err, ENT_EDATA, "column %.100s of the rules: there is no rule %.60s", p->column, name);
	ent_why(p->err, "the rules are trim, case, nulls, cast, range, match and convert");
	return near ? (ent_next(p->err, "perhaps \"%s\"", near), ENT_EDATA) : ENT_EDATA;
}

static int read_column(struct place *p, const json_t *o, struct ent_rule_column *ret)
{
	p->column = NULL;
	p->rule = NULL;
	ENT_TRY(only(p, o, (const char *const[]){ "name", "as", "rules" }, 3));
	ENT_TRY(text_of(p, o, "name", true, &ret->name));
	p->column = ret->name;
	ENT_TRY(text_of(p, o, "as", false, &ret->as));
	ret->as = ret->as ? ret->as : ret->name;
	if (strlen(ret->as) > 255)
		return wrong(p, "a name has at most 255 bytes");
	const json_t *list = json_object_get(o, "rules");
	size_t n = json_array_size(list);
	if (list && (!json_is_array(list) || n > ENT_RULES_STEPS_MAX))
		return wrong(p, "\"rules\" is a list of at most 16 rules");
	struct ent_rule *rules = ENT_NEWS(p->arena, n + 1, struct ent_rule);
	if (!rules)
		return ent_nomem(p->err);
	for (size_t i = 0; i < n; i++)
		ENT_TRY(read_rule(p, json_array_get(list, i), &rules[i]));
	ret->rules = rules;
	ret->n_rules = n;
	p->rule = NULL;
	return 0;
}

static int read_columns(struct place *p, const json_t *list, struct ent_rules *ret)
{
	size_t n = json_array_size(list);
	if (list && (!json_is_array(list) || n > ENT_RULES_COLUMNS_MAX))
		return wrong(p, "\"columns\" is a list of at most 400 columns");
	struct ent_rule_column *columns = ENT_NEWS(p->arena, n + 1, struct ent_rule_column);
	if (!columns)
		return ent_nomem(p->err);
	for (size_t i = 0; i < n; i++) {
		ENT_TRY(read_column(p, json_array_get(list, i), &columns[i]));
		for (size_t j = 0; j < i; j++)
			if (!strcmp(columns[j].name, columns[i].name))
				return wrong(p, "it stands there twice");
	}
	p->column = NULL;
	ret->columns = columns;
	ret->n_columns = n;
	return 0;
}

/* ---- rules of the table ---- */

static int read_dedupe(const struct place *p, const json_t *v, struct ent_rules *ret)
{
	if (!v)
		return 0;
	ret->whole_row = json_is_string(v) && !strcmp(json_string_value(v), "rows");
	if (ret->whole_row || json_is_array(v))
		return ret->whole_row ? 0 : texts_of(p, v, false, &ret->key, &ret->n_key);
	int code = wrong(p, "\"dedupe\" is \"rows\" or a list of columns");
	return ent_next(p->err, "\"dedupe\": [\"id\"]"), code;
}

static int read_near(const struct place *p, const json_t *o, struct ent_rules *ret)
{
	if (!o)
		return 0;
	ENT_TRY(only(p, o, (const char *const[]){ "column", "percent", "else" }, 3));
	ENT_TRY(text_of(p, o, "column", true, &ret->near_column));
	json_int_t percent = json_integer_value(json_object_get(o, "percent"));
	if (percent < 50 || percent > 100)
		return wrong(p, "\"percent\" of \"near\" is an integer from 50 to 100");
	ret->near_percent = (unsigned)percent;
	const char *text = json_string_value(json_object_get(o, "else"));
	ret->near_drop = text && !strcmp(text, "drop");
	return ret->near_drop || (text && !strcmp(text, "keep")) ? 0 : wrong(p, "\"else\" of \"near\" is keep or drop");
}

static int hash_rules(const json_t *o, struct ent_rules *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(2 * ENT_RULES_BYTES_MAX);
	uint8_t sha[ENT_SHA256_LEN];
	int code = ent_json_canonical(o, &text, err);
	if (code)
		return ent_next(err, "write numbers with a point as texts: \"0.5\""), code;
	ent_sha256(text.data, text.len, sha);
	ent_hex(ret->hash, sha, sizeof sha);
	return 0;
}

int ent_rules_parse(struct ent_bytes text, struct ent_arena *arena, struct ent_rules *ret, struct ent_err *err)
{
	ENT_JSON_AUTO o = NULL;
	struct place p = { .arena = arena, .err = err };
	struct ent_rules rules = { 0 };
	ENT_TRY(ent_json_parse(text, ENT_RULES_BYTES_MAX, &o, err));
	ENT_TRY(only(&p, o, (const char *const[]){ "columns", "dedupe", "near" }, 3));
	ENT_TRY(hash_rules(o, &rules, err));
	ENT_TRY(read_columns(&p, json_object_get(o, "columns"), &rules));
	ENT_TRY(read_dedupe(&p, json_object_get(o, "dedupe"), &rules));
	ENT_TRY(read_near(&p, json_object_get(o, "near"), &rules));
	*ret = rules;
	return 0;
}
