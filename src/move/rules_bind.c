/* Rules meet the columns of a table: types are followed from rule to rule, and every rule becomes two expressions. */
#include <stdio.h>

#include "arrow/value.h"
#include "move/rules_sql.h"

#define DIGITS_MAX 38u

struct binding {
	struct ent_rules_bound *b;
	size_t params_max;
	struct ent_err *err;
};

static int unsuited(const struct binding *x, const struct ent_rules_step *s, const char *what)
{
	char type[ENT_TYPE_TEXT_MAX];
	ent_type_name(s->type, type);
	ent_fail(x->err, ENT_EDATA, "rule %s of column %.100s: %s", ent_rule_name(s->rule->kind), s->column, what);
	return ent_why(x->err, "the column is %s here", type), ENT_EDATA;
}

static size_t param(struct binding *x, struct ent_type type, const char *text)
{
	struct ent_rules_bound *b = x->b;
	char format[ENT_TYPE_TEXT_MAX];
	ent_type_format(type, format);
	if (b->n_params < x->params_max)
		b->params[b->n_params++] = (struct ent_param){ ent_arena_dup(b->arena, format), text };
	return b->n_params;
}

static struct ent_type text_type(void) { return (struct ent_type){ .id = ENT_T_TEXT }; }

static int exprs(const struct binding *x, struct ent_rules_step *s, const char *hit, const char *value)
{
	s->hit = hit;
	s->value = value;
	return hit && value ? 0 : ent_nomem(x->err);
}

/* A rule that finds fault: what stays of a value that fails. */
static int faults(const struct binding *x, struct ent_rules_step *s, const char *hit, const char *value)
{
	const char *left = value;
	if (hit && value && s->rule->otherwise != ENT_ELSE_KEEP)
		left = ent_arena_printf(x->b->arena, "CASE WHEN coalesce(%s, false) THEN NULL ELSE %s END", hit, value);
	return exprs(x, s, hit, left);
}

/* ---- texts ---- */

static int bind_trim(struct binding *x, struct ent_rules_step *s)
{
	if (s->type.id != ENT_T_TEXT)
		return unsuited(x, s, "it is for text");
	const char *v = ent_arena_printf(x->b->arena, "regexp_replace(c%zu, '^\\s+|\\s+$', '', 'g')", s->at);
	return exprs(x, s, ent_arena_printf(x->b->arena, "%s <> c%zu", v ? v : "", s->at), v);
}

static int bind_case(struct binding *x, struct ent_rules_step *s)
{
	if (s->type.id != ENT_T_TEXT)
		return unsuited(x, s, "it is for text");
	const char *v = ent_arena_printf(x->b->arena, "%s(c%zu)", s->rule->upper ? "upper" : "lower", s->at);
	return exprs(x, s, ent_arena_printf(x->b->arena, "%s <> c%zu", v ? v : "", s->at), v);
}

static int bind_nulls(struct binding *x, struct ent_rules_step *s)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf list = ENT_BUF(1 << 20);
	if (s->type.id != ENT_T_TEXT)
		return unsuited(x, s, "it is for text");
	for (size_t i = 0; i < s->rule->n_tokens; i++)
		ent_buf_printf(&list, "%s$%zu", i ? ", " : "", param(x, text_type(), s->rule->tokens[i]));
	ENT_TRY(ent_buf_check(&list, x->err));
	const char *hit = ent_arena_printf(x->b->arena, "c%zu IN (%s)", s->at, ent_buf_text(&list));
	return exprs(x, s, hit, ent_arena_printf(x->b->arena, "CASE WHEN %s THEN NULL ELSE c%zu END", hit ? hit : "", s->at));
}

static int bind_match(struct binding *x, struct ent_rules_step *s)
{
	if (s->type.id != ENT_T_TEXT)
		return unsuited(x, s, "it is for text");
	size_t n = param(x, text_type(), s->rule->regex);
	const char *hit = ent_arena_printf(x->b->arena, "NOT regexp_full_match(c%zu, $%zu)", s->at, n);
	return faults(x, s, hit, ent_arena_printf(x->b->arena, "c%zu", s->at));
}

/* ---- types ---- */

static void sql_type(struct ent_type t, char out[ENT_TYPE_TEXT_MAX])
{
	ent_type_name(t, out);
	if (t.id == ENT_T_BINARY)
		snprintf(out, ENT_TYPE_TEXT_MAX, "BLOB");
	if (t.id == ENT_T_UINT64)
		snprintf(out, ENT_TYPE_TEXT_MAX, "UBIGINT");
	if (t.id == ENT_T_TIME)
		snprintf(out, ENT_TYPE_TEXT_MAX, "TIME");
}

static bool is_whole(struct ent_type t) { return ent_type_is_int(t) || t.id == ENT_T_UINT64; }

/* Digits in front of the point, for integers and decimals. */
static unsigned whole_digits(struct ent_type t)
{
	return t.id == ENT_T_INT16 ? 5 : t.id == ENT_T_INT32 ? 10 : t.id == ENT_T_INT64 ? 19 : t.id == ENT_T_UINT64 ? 20 : t.precision - t.scale;
}

static unsigned scale_of(struct ent_type t) { return t.id == ENT_T_DECIMAL ? t.scale : 0; }

/* The value as exactly as it can be told, to compare the cast value with: DuckDB's own casts round. */
static const char *exact_form(const struct binding *x, const struct ent_rules_step *s, struct ent_type to)
{
	if ((!is_whole(to) && to.id != ENT_T_DECIMAL) || s->rule->round)
		return NULL;
	if (s->type.id == ENT_T_TEXT)
		return ent_arena_printf(x->b->arena, "TRY_CAST(c%zu AS DECIMAL(38,%u))", s->at, DIGITS_MAX - whole_digits(to));
	bool number = is_whole(s->type) || ent_type_is_number(s->type);
	return number ? ent_arena_printf(x->b->arena, "c%zu", s->at) : NULL;
}

static bool castable(struct ent_type from, struct ent_type to)
{
	if (from.id == ENT_T_TEXT || to.id == ENT_T_TEXT || from.id == to.id)
		return true;
	bool numbers = (is_whole(from) || ent_type_is_number(from)) && (is_whole(to) || ent_type_is_number(to));
	return numbers || (ent_type_is_time(from) && ent_type_is_time(to));
}

static int bind_cast(struct binding *x, struct ent_rules_step *s)
{
	struct ent_type to = s->rule->type;
	struct ent_arena *arena = x->b->arena;
	char type[ENT_TYPE_TEXT_MAX];
	sql_type(to, type);
	if (s->rule->format && s->type.id != ENT_T_TEXT)
		return unsuited(x, s, "\"format\" reads text");
	if (!castable(s->type, to))
		return unsuited(x, s, "no cast goes from the one type to the other");
	const char *v = s->rule->format
				? ent_arena_printf(arena, "CAST(try_strptime(c%zu, $%zu) AS %s)", s->at, param(x, text_type(), s->rule->format), type)
				: ent_arena_printf(arena, "TRY_CAST(c%zu AS %s)", s->at, type);
	const char *exact = exact_form(x, s, to), *hit = NULL;
	if (v && exact)
		hit = ent_arena_printf(arena, "c%zu IS NOT NULL AND CASE WHEN %s IS NULL THEN true ELSE %s IS DISTINCT FROM %s END", s->at, v, v,
				       exact);
	else if (v)
		hit = ent_arena_printf(arena, "c%zu IS NOT NULL AND %s IS NULL", s->at, v);
	s->type = to;
	return faults(x, s, hit, v);
}

/* ---- numbers and moments ---- */

static bool bound_fits(struct ent_type t, const char *text)
{
	struct ent_bytes b = ent_bytes_str(text);
	ent_i128 wide;
	int64_t us;
	int32_t days;
	double d;
	if (t.id == ENT_T_DECIMAL)
		return ent_decimal_parse(b, t.precision, t.scale, &wide);
	if (t.id == ENT_T_DATE)
		return ent_date_parse(b, &days);
	if (t.id == ENT_T_TIMESTAMP || t.id == ENT_T_TIMESTAMPTZ)
		return ent_timestamp_parse(b, t.id == ENT_T_TIMESTAMPTZ, &us);
	return t.id == ENT_T_TEXT || ent_real_parse(b, &d);
}

static const char *bound(struct binding *x, const struct ent_rules_step *s, struct ent_type t, const char *op, const char *text)
{
	return text ? ent_arena_printf(x->b->arena, "c%zu %s $%zu", s->at, op, param(x, t, text)) : "false";
}

/* Bounds have the column's own type, decimals with all the digits that leaves; integers are compared as decimals. */
static int bind_range(struct binding *x, struct ent_rules_step *s)
{
	const struct ent_rule *r = s->rule;
	struct ent_type t = s->type;
	if (is_whole(t) || t.id == ENT_T_DECIMAL)
		t = (struct ent_type){ ENT_T_DECIMAL, DIGITS_MAX, (uint8_t)scale_of(t) };
	else if (t.id == ENT_T_REAL)
		t.id = ENT_T_DOUBLE;
	if (t.id != ENT_T_DECIMAL && t.id != ENT_T_DOUBLE && t.id != ENT_T_TEXT && !ent_type_is_time(t))
		return unsuited(x, s, "this type has no range");
	if ((r->min && !bound_fits(t, r->min)) || (r->max && !bound_fits(t, r->max)))
		return unsuited(x, s, "a bound is no value of the column's type");
	const char *low = bound(x, s, t, "<", r->min), *high = bound(x, s, t, ">", r->max);
	const char *hit = low && high ? ent_arena_printf(x->b->arena, "(%s OR %s)", low, high) : NULL;
	return faults(x, s, hit, ent_arena_printf(x->b->arena, "c%zu", s->at));
}

/* The decimal type that holds a number's text exactly. */
static bool type_of_number(const char *text, struct ent_type *ret)
{
	const char *digits = text + (*text == '-'), *dot = strchr(text, '.');
	size_t whole = strspn(digits, "0123456789"), after = dot ? strlen(dot + 1) : 0;
	ent_i128 v;
	if (!whole || whole + after > DIGITS_MAX)
		return false;
	*ret = (struct ent_type){ ENT_T_DECIMAL, (uint8_t)(whole + after), (uint8_t)after };
	return ent_decimal_parse(ent_bytes_str(text), ret->precision, ret->scale, &v);
}

static int convert_float(struct binding *x, struct ent_rules_step *s, const char *factor, const char *offset)
{
	const struct ent_type real = { .id = ENT_T_DOUBLE };
	size_t f = param(x, real, factor), o = param(x, real, offset);
	s->type = real;
	return exprs(x, s, ent_arena_printf(x->b->arena, "c%zu IS NOT NULL", s->at),
		     ent_arena_printf(x->b->arena, "CAST(c%zu AS DOUBLE) * $%zu + $%zu", s->at, f, o));
}

/* Exact: the result has all digits of the product and the sum. */
static int bind_convert(struct binding *x, struct ent_rules_step *s)
{
	const char *factor = s->rule->factor ? s->rule->factor : "1", *offset = s->rule->offset ? s->rule->offset : "0";
	struct ent_type f, o;
	if (!type_of_number(factor, &f) || !type_of_number(offset, &o))
		return unsuited(x, s, "factor and offset are decimal numbers such as \"2.54\"");
	if (ent_type_is_float(s->type))
		return convert_float(x, s, factor, offset);
	if (!is_whole(s->type) && s->type.id != ENT_T_DECIMAL)
		return unsuited(x, s, "it is for numbers");
	unsigned whole = whole_digits(s->type) + whole_digits(f), scale = scale_of(s->type) + f.scale, all = scale > o.scale ? scale : o.scale;
	unsigned front = 1 + (whole > whole_digits(o) ? whole : whole_digits(o));
	if (front + all > DIGITS_MAX) {
		int code = unsuited(x, s, "the result would have more than 38 digits");
		return ent_next(x->err, "cast the column to a narrower decimal, or to double precision, first"), code;
	}
	size_t nf = param(x, f, factor), no = param(x, o, offset);
	s->type = (struct ent_type){ ENT_T_DECIMAL, (uint8_t)(front + all), (uint8_t)all };
	return exprs(x, s, ent_arena_printf(x->b->arena, "c%zu IS NOT NULL", s->at),
		     ent_arena_printf(x->b->arena, "CAST(CAST(c%zu AS DECIMAL(%u,%u)) * $%zu AS DECIMAL(%u,%u)) + CAST($%zu AS DECIMAL(%u,%u))",
				      s->at, whole_digits(x->b->types[s->at]) + scale_of(x->b->types[s->at]), scale_of(x->b->types[s->at]), nf,
				      front + all - 1, all, no, front + all - 1, all));
}

/* ---- columns ---- */

static int find_column(const struct binding *x, const char *name, size_t *ret)
{
	const struct ent_rules_bound *b = x->b;
	for (size_t i = 0; i < b->n_columns; i++)
		if (!strcmp(b->names[i], name)) {
			*ret = i;
			return 0;
		}
	const char *near = ent_rules_nearest(name, b->names, b->n_columns);
	ent_fail(x->err, ENT_ENOTFOUND, "the rules name the column %.100s, which the source does not have", name);
	if (near)
		ent_next(x->err, "perhaps %.100s", near);
	return ENT_ENOTFOUND;
}

static int name_columns(struct binding *x, const struct ArrowSchema *schema)
{
	struct ent_rules_bound *b = x->b;
	for (size_t i = 0; i < b->n_columns; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, i, &f);
		if (!f.copied)
			return ent_fail(x->err, ENT_EUNSUPPORTED, "column %.100s cannot be prepared: %.150s", f.name, f.unsupported);
		b->names[i] = b->as[i] = f.name;
		b->types[i] = f.type;
	}
	for (size_t i = 0; i < b->rules->n_columns; i++) {
		size_t at;
		ENT_TRY(find_column(x, b->rules->columns[i].name, &at));
		b->as[at] = b->rules->columns[i].as;
	}
	for (size_t i = 0; i < b->n_columns; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(b->as[i], b->as[j]))
				return ent_fail(x->err, ENT_EDATA, "two columns of the result would be called %.100s", b->as[i]);
	return 0;
}

static int bind_step(struct binding *x, const struct ent_rule_column *c, size_t layer)
{
	static int (*const binders[ENT_RULE_COUNT])(struct binding *, struct ent_rules_step *) = { bind_trim,  bind_case,  bind_nulls,  bind_cast,
												   bind_range, bind_match, bind_convert };
	struct ent_rules_bound *b = x->b;
	struct ent_rules_step *s = &b->steps[b->n_steps++];
	size_t at;
	ENT_TRY(find_column(x, c->name, &at));
	*s = (struct ent_rules_step){ .rule = &c->rules[layer - 1], .column = c->name, .at = at, .layer = layer, .type = b->types[at] };
	ENT_TRY(binders[s->rule->kind](x, s));
	b->types[at] = s->type;
	return 0;
}

static int bind_table(struct binding *x)
{
	struct ent_rules_bound *b = x->b;
	for (size_t i = 0; i < b->rules->n_key; i++)
		ENT_TRY(find_column(x, b->rules->key[i], &b->key[b->n_key++]));
	for (size_t i = 0; b->rules->whole_row && i < b->n_columns; i++)
		b->key[b->n_key++] = i;
	if (!b->rules->near_column)
		return 0;
	ENT_TRY(find_column(x, b->rules->near_column, &b->near));
	return b->types[b->near].id == ENT_T_TEXT ? 0 : ent_fail(x->err, ENT_EDATA, "near: column %.100s is no text", b->rules->near_column);
}

static int make_room(struct binding *x, const struct ArrowSchema *schema)
{
	struct ent_rules_bound *b = x->b;
	size_t steps = 0, n = (size_t)schema->n_children;
	for (size_t i = 0; i < b->rules->n_columns; i++) {
		const struct ent_rule_column *c = &b->rules->columns[i];
		steps += c->n_rules;
		b->n_layers = c->n_rules > b->n_layers ? c->n_rules : b->n_layers;
		for (size_t j = 0; j < c->n_rules; j++)
			x->params_max += c->rules[j].n_tokens + 2;
	}
	b->n_columns = n;
	b->names = (const char **)ent_arena_get(b->arena, n + 1, sizeof *b->names);
	b->as = (const char **)ent_arena_get(b->arena, n + 1, sizeof *b->as);
	b->types = ENT_NEWS(b->arena, n + 1, struct ent_type);
	b->steps = ENT_NEWS(b->arena, steps + 1, struct ent_rules_step);
	b->params = ENT_NEWS(b->arena, x->params_max + 1, struct ent_param);
	b->layer_params = ENT_NEWS(b->arena, b->n_layers + 1, size_t);
	b->key = ENT_NEWS(b->arena, n + b->rules->n_key + 1, size_t);
	return b->names && b->as && b->types && b->steps && b->params && b->layer_params && b->key ? 0 : ent_nomem(x->err);
}

int ent_rules_bind(const struct ent_rules *rules, const struct ArrowSchema *schema, struct ent_arena *arena, struct ent_rules_bound *ret,
		   struct ent_err *err)
{
	struct ent_rules_bound b = { .rules = rules, .arena = arena };
	struct binding x = { .b = &b, .err = err };
	ENT_TRY(make_room(&x, schema));
	ENT_TRY(name_columns(&x, schema));
	for (size_t layer = 1; layer <= b.n_layers; layer++) {
		for (size_t i = 0; i < rules->n_columns; i++)
			if (rules->columns[i].n_rules >= layer)
				ENT_TRY(bind_step(&x, &rules->columns[i], layer));
		b.layer_params[layer] = b.n_params;
	}
	ENT_TRY(bind_table(&x));
	*ret = b;
	return 0;
}
