/* Reading libpg_query's JSON tree, and errors that say where in the statement. */
#include <stdarg.h>
#include <stdio.h>

#include "sql/internal.h"

const char *ent_ast_kind(const json_t *node, const json_t **ret_body)
{
	void *it = json_object_iter((json_t *)(uintptr_t)node);
	if (!it)
		return "";
	*ret_body = json_object_iter_value(it);
	return json_object_iter_key(it);
}

const char *ent_ast_str(const json_t *body, const char *key) { return json_string_value(json_object_get(body, key)); }

bool ent_ast_is(const json_t *body, const char *key, const char *value)
{
	const char *s = ent_ast_str(body, key);
	return s && !strcmp(s, value);
}

bool ent_ast_true(const json_t *body, const char *key) { return json_is_true(json_object_get(body, key)); }

const char *ent_ast_string_node(const json_t *node) { return ent_ast_str(json_object_get(node, "String"), "sval"); }

const char *ent_ast_last_name(const json_t *list)
{
	size_t n = json_array_size(list);
	const char *s = n ? ent_ast_string_node(json_array_get(list, n - 1)) : NULL;
	return s ? s : "";
}

int ent_ast_place(const json_t *node)
{
	const json_t *body = node, *inner = NULL;
	json_t *at = json_object_get(node, "location");
	if (!at && *ent_ast_kind(node, &inner))
		body = inner;
	at = at ? at : json_object_get(body, "location");
	return json_is_integer(at) ? (int)json_integer_value(at) : -1;
}

static bool listed(const char *keys, const char *key)
{
#ifdef ENT_MUTANT_SQL_CLAUSE_IGNORED
	return true;
#endif
	size_t len = strlen(key);
	for (const char *p = strstr(keys, key); p; p = strstr(p + 1, key))
		if ((p == keys || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

int ent_ast_only(struct ent_sql *x, const json_t *body, const char *what, const char *keys)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)body, key, value)
	{
		if (!listed(keys, key))
			return ent_sql_unsupported(x, ent_ast_place(body), ent_arena_printf(x->arena, "%s with %s", what, key), NULL);
	}
	return 0;
}

static void place_text(const char *sql, int place, char *out, size_t size)
{
	size_t line = 1, column = 1;
	*out = 0;
	if (place < 0 || (size_t)place > strlen(sql))
		return;
	for (const char *p = sql; p < sql + place; p++) {
		column = *p == '\n' ? 1 : column + ((*p & 0xc0) != 0x80);
		line += *p == '\n';
	}
	snprintf(out, size, " (line %zu, column %zu)", line, column);
}

int ent_sql_fail(struct ent_sql *x, int code, int place, const char *fmt, ...)
{
	char what[300], at[60];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	place_text(x->text, place, at, sizeof at);
	ent_fail(x->err, code, "%s%s", what, at);
	ent_next(x->err, "docs/sql.md lists what is supported");
	return code;
}

int ent_sql_unsupported(struct ent_sql *x, int place, const char *what, const char *nearest)
{
	int code = ent_sql_fail(x, ENT_EUNSUPPORTED, place, "not supported: %s", what ? what : "this construct");
	ent_why(x->err, "a joint query is planned for several owners, and this form has no plan");
	ent_next(x->err, "%s", nearest ? nearest : "leave it out; docs/sql.md lists what is supported");
	return code;
}
