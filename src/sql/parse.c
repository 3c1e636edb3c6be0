/* SQL text to a tree, by PostgreSQL's own grammar. The text is hostile: libpg_query recurses over it without a stack guard, so it runs on a
 * thread with a large stack over a short text, and what it returns is measured by a loop before anything else recurses over it. */
#include <pg_query.h>
#include <pthread.h>
#include <stdlib.h>

#include "sql/internal.h"

#define STACK_BYTES ((size_t)64 << 20)
#define TREE_BYTES_MAX ((size_t)32 << 20)

struct parse_task {
	const char *sql;
	PgQueryParseResult result;
};

static void *parse_thread(void *arg)
{
	struct parse_task *t = arg;
	t->result = pg_query_parse(t->sql);
	return NULL;
}

static int run_deep(struct ent_sql *x, struct parse_task *t)
{
	pthread_attr_t attr;
	pthread_t thread;
	if (pthread_attr_init(&attr))
		return ent_nomem(x->err);
	int bad = pthread_attr_setstacksize(&attr, STACK_BYTES) || pthread_create(&thread, &attr, parse_thread, t);
	pthread_attr_destroy(&attr);
	if (bad)
		return ent_nomem(x->err);
	pthread_join(thread, NULL);
	return 0;
}

static void result_free(PgQueryParseResult *r)
{
	if (r->parse_tree || r->error)
		pg_query_free_parse_result(*r);
}

static size_t json_depth(const char *s)
{
	size_t depth = 0, most = 0;
	bool quoted = false;
	for (; *s; s++) {
		if (quoted) {
			if (*s == '\\' && s[1])
				s++;
			else
				quoted = *s != '"';
		} else if (*s == '"') {
			quoted = true;
		} else if (*s == '{' || *s == '[') {
			most = ++depth > most ? depth : most;
		} else if (*s == '}' || *s == ']') {
			depth--;
		}
	}
	return most;
}

static int check_text(struct ent_sql *x, struct ent_bytes sql)
{
	if (sql.len > ENT_SQL_BYTES_MAX) {
		int code = ent_fail(x->err, ENT_ESQL, "the statement has %zu bytes, more than the %d allowed", sql.len, ENT_SQL_BYTES_MAX);
		ent_next(x->err, "shorten it, or put long lists into a table and join with it");
		return code;
	}
	if (memchr(sql.data, 0, sql.len) || !ent_utf8_valid(sql)) {
		int code = ent_fail(x->err, ENT_ESQL, "the statement is not UTF-8 text without NUL");
		ent_next(x->err, "save it as UTF-8 and try again");
		return code;
	}
	return 0;
}

static int syntax_error(struct ent_sql *x, const PgQueryError *e)
{
	int place = -1; /* cursorpos counts letters from 1 */
	if (e->cursorpos > 0) {
		int letters = 0;
		for (place = 0; x->text[place]; place++)
			if ((x->text[place] & 0xc0) != 0x80 && ++letters == e->cursorpos)
				break;
	}
	int code = ent_sql_fail(x, ENT_ESQL, place, "%s", e->message ? e->message : "syntax error");
	ent_why(x->err, "the text does not follow PostgreSQL's grammar");
	ent_next(x->err, "correct it there; one SELECT statement is expected");
	return code;
}

static int too_deep(struct ent_sql *x)
{
	int code = ent_fail(x->err, ENT_ESQL, "the statement nests deeper than %d levels", ENT_SQL_DEPTH_MAX);
	ent_next(x->err, "use fewer nested brackets and shorter chains of operators; IN (...) replaces a long chain of OR");
	return code;
}

/* "InsertStmt" is called INSERT. */
static int not_select(struct ent_sql *x, const char *kind)
{
	char name[40];
	size_t n = 0;
	for (; kind[n] && n + 1 < sizeof name && strcmp(kind + n, "Stmt") != 0; n++)
		name[n] = kind[n] >= 'a' && kind[n] <= 'z' ? (char)(kind[n] - 32) : kind[n];
	name[n] = 0;
	ent_sql_unsupported(x, -1, name, "only SELECT is answered; data is changed in its own database");
	ent_why(x->err, "nodes read their owners' databases and never write");
	return ENT_EUNSUPPORTED;
}

static int pick_select(struct ent_sql *x, const json_t *tree, const json_t **ret)
{
	const json_t *stmts = json_object_get(tree, "stmts"), *body = NULL;
	if (json_array_size(stmts) != 1) {
		int code = ent_fail(x->err, ENT_ESQL, json_array_size(stmts) ? "more than one statement" : "no statement");
		ent_next(x->err, "send exactly one SELECT");
		return code;
	}
	const char *kind = ent_ast_kind(json_object_get(json_array_get(stmts, 0), "stmt"), &body);
	if (strcmp(kind, "SelectStmt") != 0)
		return not_select(x, kind);
	*ret = body;
	return 0;
}

static int tree_load(struct ent_sql *x, const PgQueryParseResult *r, json_t **ret)
{
	if (r->error)
		return syntax_error(x, r->error);
#ifndef ENT_MUTANT_SQL_DEEP_TREE
	if (json_depth(r->parse_tree) > ENT_SQL_JSON_DEPTH_MAX)
		return too_deep(x);
#endif
	return ent_json_parse(ent_bytes_str(r->parse_tree), TREE_BYTES_MAX, ret, x->err);
}

int ent_sql_parse(struct ent_sql *x, struct ent_bytes sql, json_t **ret_owner, const json_t **ret_select)
{
	ENT_TRY(check_text(x, sql));
	x->text = ent_arena_str(x->arena, (const char *)sql.data, sql.len);
	if (!x->text)
		return ent_nomem(x->err);
	struct parse_task t = { .sql = x->text };
	ENT_TRY(run_deep(x, &t));
	ENT_JSON_AUTO tree = NULL;
	int code = tree_load(x, &t.result, &tree);
	result_free(&t.result);
	ENT_TRY(code);
	ENT_TRY(pick_select(x, tree, ret_select));
	*ret_owner = json_incref(tree);
	return 0;
}
