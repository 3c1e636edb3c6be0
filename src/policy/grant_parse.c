/* The text form of grants: recursive descent over the tokens of lex.h, one function per clause. */
#include <stdlib.h>

#include "policy/grant.h"
#include "policy/grant_lex.h"
#include "policy/near.h"

struct parser {
	struct ent_lex lex;
	const struct ent_grant_tables *tables;
	struct ent_err *err;
	uint32_t seen; /* conditions that were given already */
};

struct names {
	const char **at;
	size_t n;
};

static bool is_word(const struct parser *p, const char *word) { return p->lex.token.kind == ENT_TOKEN_WORD && !strcmp(p->lex.token.text, word); }
static bool is_mark(const struct parser *p, char mark) { return p->lex.token.kind == ENT_TOKEN_MARK && p->lex.token.text[0] == mark; }
static bool is_name(const struct parser *p) { return p->lex.token.kind == ENT_TOKEN_WORD || p->lex.token.kind == ENT_TOKEN_QUOTED; }
static int next(struct parser *p) { return ent_lex_next(&p->lex, p->err); }
static int fail(struct parser *p, const char *expected) { return ent_lex_fail(&p->lex, expected, p->err); }

static int expect_word(struct parser *p, const char *word, const char *expected) { return is_word(p, word) ? next(p) : fail(p, expected); }

static int expect_mark(struct parser *p, char mark)
{
	const char name[] = { '\'', mark, '\'', 0 };
	return is_mark(p, mark) ? next(p) : fail(p, name);
}

static int take_name(struct parser *p, const char *expected, const char **ret)
{
	if (!is_name(p) || strlen(p->lex.token.text) > 255)
		return fail(p, expected);
	*ret = p->lex.token.text;
	return next(p);
}

static int take_number(struct parser *p, const char *expected, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	if (p->lex.token.kind != ENT_TOKEN_NUMBER || !ent_parse_u64(p->lex.token.text, strlen(p->lex.token.text), max, &v) || v < min)
		return fail(p, expected);
	*ret = v;
	return next(p);
}

static int compare_names(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void sort_names(struct names *l)
{
	size_t kept = 0;
	if (l->n)
		qsort(l->at, l->n, sizeof *l->at, compare_names);
	for (size_t i = 0; i < l->n; i++)
		if (!kept || strcmp(l->at[kept - 1], l->at[i]))
			l->at[kept++] = l->at[i];
	l->n = kept;
}

static int add_name(struct parser *p, struct names *l, size_t *room, const char *name)
{
	if (l->n == *room) {
		const char **wider = ENT_NEWS(p->lex.arena, *room ? *room * 2 : 8, const char *);
		if (!wider)
			return ent_nomem(p->err);
		if (l->n)
			memcpy(wider, l->at, l->n * sizeof *wider);
		l->at = wider;
		*room = *room ? *room * 2 : 8;
	}
	l->at[l->n++] = name;
	return 0;
}

/* One or more names with commas between them, sorted and unique afterwards. */
static int take_names(struct parser *p, const char *expected, struct names *ret)
{
	struct names l = { 0 };
	size_t room = 0;
	for (;;) {
		const char *name;
		if (l.n == ENT_GRANT_LIST_MAX)
			return fail(p, "fewer names");
		ENT_TRY(take_name(p, expected, &name));
		ENT_TRY(add_name(p, &l, &room, name));
		if (!is_mark(p, ','))
			break;
		ENT_TRY(next(p));
	}
	sort_names(&l);
	*ret = l;
	return 0;
}

static int parse_aggregates(struct parser *p, uint32_t *uses)
{
	static const struct {
		const char *word;
		enum ent_use use;
	} FNS[] = { { "count", ENT_USE_COUNT }, { "sum", ENT_USE_SUM }, { "avg", ENT_USE_AVG },
		    { "min", ENT_USE_MIN },     { "max", ENT_USE_MAX }, { "mixed", ENT_USE_MIXED } };
	ENT_TRY(expect_mark(p, '('));
	for (;;) {
		size_t i = 0;
		while (i < ENT_COUNT(FNS) && !is_word(p, FNS[i].word))
			i++;
		if (i == ENT_COUNT(FNS))
			return fail(p, "an aggregate: count, sum, avg, min, max or mixed");
		*uses |= ENT_USE_BIT(FNS[i].use);
		ENT_TRY(next(p));
		if (!is_mark(p, ','))
			return expect_mark(p, ')');
		ENT_TRY(next(p));
	}
}

static int parse_use(struct parser *p, bool deny, uint32_t *uses)
{
	static const struct {
		const char *word;
		enum ent_use use;
	} WORDS[] = { { "select", ENT_USE_SELECT }, { "join", ENT_USE_JOIN },   { "filter", ENT_USE_FILTER },
		      { "group", ENT_USE_GROUP },   { "train", ENT_USE_TRAIN }, { "copy", ENT_USE_COPY } };
	for (size_t i = 0; i < ENT_COUNT(WORDS); i++)
		if (is_word(p, WORDS[i].word)) {
			*uses |= ENT_USE_BIT(WORDS[i].use);
			return next(p);
		}
	if (is_word(p, "aggregate")) {
		ENT_TRY(next(p));
		return parse_aggregates(p, uses);
	}
	if (is_word(p, "all") && deny) {
		*uses = ENT_USE_ALL;
		return next(p);
	}
	fail(p, deny ? "a use: ALL, SELECT, JOIN, FILTER, GROUP, AGGREGATE(...), TRAIN or COPY"
		     : "a use: SELECT, JOIN, FILTER, GROUP, AGGREGATE(...), TRAIN or COPY");
	if (is_word(p, "all"))
		ent_next(p->err, "name the uses: ALL is for DENY only, SELECT includes JOIN, FILTER, GROUP and every AGGREGATE");
	return ENT_EUSAGE;
}

static int parse_uses(struct parser *p, struct ent_grant *g)
{
	for (;;) {
		ENT_TRY(parse_use(p, g->deny, &g->uses));
		if (!is_mark(p, ','))
			return 0;
		ENT_TRY(next(p));
	}
}

/* [org .] table; the table must be one's own. */
static int parse_table(struct parser *p, struct ent_grant *g, const struct ent_table **ret)
{
	const char *name, *org = NULL;
	ENT_TRY(take_name(p, "a table", &name));
	if (is_mark(p, '.')) {
		ENT_TRY(next(p));
		org = name;
		ENT_TRY(take_name(p, "a table", &name));
	}
	if (org && (!p->tables || !p->tables->org || strcmp(org, p->tables->org))) {
		ent_fail(p->err, ENT_EUSAGE, "grant text speaks of %.31s.%.100s, which is another organisation's table", org, name);
		ent_why(p->err, "an owner grants the use of his own tables only");
		return ent_next(p->err, "ask %.31s to write the grant", org);
	}
	g->table = name;
	return p->tables && p->tables->table ? p->tables->table(p->tables->self, name, ret, p->err) : 0;
}

static int check_column(struct parser *p, const struct ent_table *t, const char *column)
{
	struct ent_near near = ent_near(column);
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!strcmp(t->columns[i].name, column))
			return 0;
		ent_near_try(&near, t->columns[i].name);
	}
	ent_fail(p->err, ENT_ENOTFOUND, "table %.100s has no column %.100s", t->name, column);
	return near.best ? ent_next(p->err, "did you mean %.100s?", near.best) : ENT_ENOTFOUND;
}

static bool has_name(const struct names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->at[i], name))
			return true;
	return false;
}

static int parse_star(struct parser *p, const struct ent_table *t, struct names *ret)
{
	struct names except = { 0 };
	ENT_TRY(next(p));
	if (!t)
		return fail(p, "columns by name: '*' needs a registered table");
	if (is_word(p, "except")) {
		ENT_TRY(next(p));
		ENT_TRY(expect_mark(p, '('));
		ENT_TRY(take_names(p, "a column", &except));
		ENT_TRY(expect_mark(p, ')'));
	}
	for (size_t i = 0; i < except.n; i++)
		ENT_TRY(check_column(p, t, except.at[i]));
	ret->at = ENT_NEWS(p->lex.arena, t->n_columns + 1, const char *);
	if (!ret->at)
		return ent_nomem(p->err);
	for (size_t i = 0; i < t->n_columns; i++)
		if (!has_name(&except, t->columns[i].name))
			ret->at[ret->n++] = t->columns[i].name;
	sort_names(ret);
	return ret->n ? 0 : fail(p, "at least one column that is left");
}

static int parse_columns(struct parser *p, const struct ent_table *t, struct ent_grant *g)
{
	struct names l = { 0 };
	ENT_TRY(expect_mark(p, '('));
	if (is_mark(p, '*'))
		ENT_TRY(parse_star(p, t, &l));
	else
		ENT_TRY(take_names(p, "a column", &l));
	for (size_t i = 0; t && i < l.n; i++)
		ENT_TRY(check_column(p, t, l.at[i]));
	g->columns = l.at;
	g->n_columns = l.n;
	return expect_mark(p, ')');
}

static int parse_to(struct parser *p, struct ent_grant *g)
{
	struct names l;
	if (is_word(p, "any"))
		return next(p);
	ENT_TRY(take_names(p, "ANY or organisations", &l));
	for (size_t i = 0; i < l.n; i++)
		if (!ent_grant_org_ok(l.at[i])) {
			ent_fail(p->err, ENT_EUSAGE, "'%.60s' is not the name of an organisation", l.at[i]);
			return ent_why(p->err, "names start with a letter and have at most 31 lower-case letters, digits and underscores");
		}
	g->orgs = l.at;
	g->n_orgs = l.n;
	return 0;
}

static int parse_for(struct parser *p, struct ent_grant *g)
{
	struct names l;
	ENT_TRY(take_names(p, "a purpose", &l));
	g->purposes = l.at;
	g->n_purposes = l.n;
	return 0;
}

static int parse_until(struct parser *p, struct ent_grant *g)
{
	if (p->lex.token.kind != ENT_TOKEN_NUMBER || !ent_day_parse(p->lex.token.text, strlen(p->lex.token.text), &g->until_day))
		return fail(p, "a date such as 2027-06-30");
	return next(p);
}

static int parse_min_group(struct parser *p, struct ent_grant *g)
{
	uint64_t k;
	ENT_TRY(expect_word(p, "group", "GROUP after MIN"));
	ENT_TRY(take_number(p, "a group size of 3 or more", ENT_GRANT_MIN_GROUP_LEAST, ENT_GRANT_MIN_GROUP_MOST, &k));
	g->min_group = (uint32_t)k;
	return 0;
}

static int parse_uses_max(struct parser *p, struct ent_grant *g)
{
	return take_number(p, "how many uses, 1 or more", 1, 1000000000000, &g->uses_max);
}

static int parse_leak(struct parser *p, struct ent_grant *g)
{
	if (p->lex.token.kind != ENT_TOKEN_WORD || !ent_leak_by_name(p->lex.token.text, &g->leak))
		return fail(p, "none, sizes or match-pattern");
	return next(p);
}

static int parse_require(struct parser *p, struct ent_grant *g)
{
	uint64_t n = 1;
	ENT_TRY(expect_word(p, "approval", "APPROVAL after REQUIRE"));
	if (is_word(p, "of")) {
		ENT_TRY(next(p));
		ENT_TRY(take_number(p, "how many organisations, 1 or more", 1, 1000, &n));
	}
	g->approvals = (uint32_t)n;
	return 0;
}

static int parse_with(struct parser *p, struct ent_grant *g)
{
	if (!(g->uses & (ENT_USE_BIT(ENT_USE_JOIN) | ENT_USE_BIT(ENT_USE_SELECT))))
		return fail(p, "WITH OWN VALUES on a JOIN or SELECT only");
	ENT_TRY(expect_word(p, "own", "OWN VALUES after WITH"));
	ENT_TRY(expect_word(p, "values", "VALUES after OWN"));
	g->own_values = true;
	return 0;
}

static int parse_later(struct parser *p, struct ent_grant *g)
{
	(void)g;
	ent_fail(p->err, ENT_EUNSUPPORTED, "NOISE and BUDGET are not known to this version");
	return ent_next(p->err, "leave the condition out, or use MIN GROUP, USES n and REQUIRE APPROVAL");
}

static const struct condition {
	const char *word;
	int (*parse)(struct parser *p, struct ent_grant *g);
	bool deny; /* may stand on a DENY */
} CONDITIONS[] = { { "to", parse_to, true },          { "for", parse_for, true },          { "until", parse_until, true },
		   { "min", parse_min_group, false }, { "uses", parse_uses_max, false },   { "leak", parse_leak, false },
		   { "with", parse_with, false },     { "require", parse_require, false }, { "noise", parse_later, false },
		   { "budget", parse_later, false } };

static int parse_condition(struct parser *p, struct ent_grant *g)
{
	for (size_t i = 0; i < ENT_COUNT(CONDITIONS); i++) {
		if (!is_word(p, CONDITIONS[i].word))
			continue;
		if (g->deny && !CONDITIONS[i].deny)
			return fail(p, "TO, FOR, UNTIL or ';' after DENY");
		if (p->seen >> i & 1)
			return fail(p, "each condition once");
		p->seen |= 1u << i;
		ENT_TRY(next(p));
		return CONDITIONS[i].parse(p, g);
	}
	return fail(p, "TO, FOR, MIN GROUP, UNTIL, USES, LEAK, REQUIRE APPROVAL, WITH OWN VALUES or ';'");
}

static int parse_grant(struct parser *p, bool deny, struct ent_grant *ret)
{
	const struct ent_table *t = NULL;
	struct ent_grant g = { .deny = deny, .until_day = ENT_GRANT_NO_DATE, .min_group = ENT_GRANT_MIN_GROUP_DEFAULT };
	ENT_TRY(parse_uses(p, &g));
	ENT_TRY(expect_word(p, "on", "ON and a table"));
	ENT_TRY(parse_table(p, &g, &t));
	ENT_TRY(parse_columns(p, t, &g));
	p->seen = 0;
	if (!deny && !is_word(p, "to"))
		return fail(p, "TO and who may use it");
	while (!is_mark(p, ';') && p->lex.token.kind != ENT_TOKEN_END)
		ENT_TRY(parse_condition(p, &g));
	*ret = g;
	return 0;
}

static int parse_statement(struct parser *p, struct ent_statement *ret)
{
	if (is_word(p, "revoke")) {
		ENT_TRY(next(p));
		ret->kind = ENT_STATEMENT_REVOKE;
		return take_number(p, "the number of one of your own grants", 0, INT64_MAX, &ret->revoke);
	}
	bool deny = is_word(p, "deny");
	if (!deny && !is_word(p, "grant"))
		return fail(p, "GRANT, DENY or REVOKE");
	ENT_TRY(next(p));
	ret->kind = ENT_STATEMENT_GRANT;
	return parse_grant(p, deny, &ret->grant);
}

static size_t count_marks(struct ent_bytes text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == ';';
	return n;
}

int ent_grant_parse(struct ent_arena *arena, struct ent_bytes text, const struct ent_grant_tables *tables, struct ent_statement **ret, size_t *ret_n,
		    struct ent_err *err)
{
	struct parser p = { .tables = tables, .err = err };
	size_t n = 0;
	ENT_TRY(ent_lex_init(&p.lex, arena, text, err));
	struct ent_statement *list = ENT_NEWS(arena, count_marks(text) + 1, struct ent_statement);
	if (!list)
		return ent_nomem(err);
	while (p.lex.token.kind != ENT_TOKEN_END) {
		ENT_TRY(parse_statement(&p, &list[n++]));
		if (p.lex.token.kind != ENT_TOKEN_END)
			ENT_TRY(expect_mark(&p, ';'));
	}
	if (!n)
		return fail(&p, "GRANT, DENY or REVOKE");
	*ret = list;
	*ret_n = n;
	return 0;
}
