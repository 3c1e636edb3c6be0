/* The bound query's small tools: names of its operators, walking and comparing expressions, the public size of a table. */
#include "sql/internal.h"

const char *ent_op_text(enum ent_op op)
{
	static const char *const texts[] = {
#define ENT_OP_TEXT(name, text, args) text,
		ENT_OP_MAP(ENT_OP_TEXT)
#undef ENT_OP_TEXT
	};
	return op < ENT_OP_COUNT ? texts[op] : "?";
}

const char *ent_agg_text(enum ent_agg agg)
{
	static const char *const texts[] = { "count(*)", "count", "sum", "avg", "min", "max" };
	return (size_t)agg < ENT_COUNT(texts) ? texts[agg] : "?";
}

const char *ent_part_text(enum ent_part part)
{
	static const char *const texts[] = { "", "year", "quarter", "month", "week", "day", "hour", "minute", "second", "dow", "doy" };
	return (size_t)part < ENT_COUNT(texts) ? texts[part] : "?";
}

void ent_expr_walk(const struct ent_expr *e, void (*fn)(void *arg, const struct ent_expr *e), void *arg)
{
	if (!e)
		return;
	fn(arg, e);
	for (size_t i = 0; i < e->n_args; i++)
		ent_expr_walk(e->args[i], fn, arg);
	ent_expr_walk(e->filter, fn, arg);
}

static bool const_eq(const struct ent_expr *a, const struct ent_expr *b)
{
	if (a->is_null || b->is_null)
		return a->is_null == b->is_null;
	if (a->type.id == ENT_T_TEXT)
		return !strcmp(a->text, b->text);
	if (ent_type_is_float(a->type))
		return !memcmp(&a->real, &b->real, sizeof a->real);
	return a->value == b->value;
}

static bool head_eq(const struct ent_expr *a, const struct ent_expr *b)
{
	if (a->kind != b->kind || !ent_type_eq(a->type, b->type) || a->n_args != b->n_args || !a->filter != !b->filter)
		return false;
	switch (a->kind) {
	case ENT_X_COLUMN:
		return a->rel == b->rel && a->column == b->column;
	case ENT_X_CONST:
		return const_eq(a, b);
	case ENT_X_CALL:
		return a->op == b->op && a->part == b->part;
	case ENT_X_CASE:
		return true;
	case ENT_X_AGG:
		return a->agg == b->agg && a->distinct == b->distinct;
	}
	return false;
}

bool ent_expr_eq(const struct ent_expr *a, const struct ent_expr *b)
{
	if (a == b)
		return true;
	if (!a || !b || !head_eq(a, b) || !(a->filter == b->filter || ent_expr_eq(a->filter, b->filter)))
		return false;
	for (size_t i = 0; i < a->n_args; i++)
		if (!ent_expr_eq(a->args[i], b->args[i]))
			return false;
	return true;
}

uint64_t ent_pad_rows(uint64_t rows)
{
	unsigned bits = rows ? 64u - (unsigned)__builtin_clzll(rows) : 0, shift = bits > 5 ? bits - 5 : 0;
	uint64_t low = ((uint64_t)1 << shift) - 1;
	return rows > UINT64_MAX - low ? UINT64_MAX : (rows + low) & ~low;
}
