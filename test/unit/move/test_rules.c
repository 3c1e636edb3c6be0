/* Rules of prepare: what is read, what is refused and how it is said, how they meet columns. */
#include "move/rules_sql.h"
#include "tap.h"

static struct ent_arena *arena;
static struct ent_err err;
static struct ent_rules rules;

static int parse(const char *text)
{
	err = (struct ent_err)ENT_ERR_INIT;
	return ent_rules_parse(ent_bytes_str(text), arena, &rules, &err);
}

static int bind(const char *text, struct ent_rules_bound *ret)
{
	const struct ent_field fields[] = { { .name = "id", .type = { .id = ENT_T_INT64 } },
					    { .name = "name", .type = { .id = ENT_T_TEXT } },
					    { .name = "price", .type = { ENT_T_DECIMAL, 10, 2 } },
					    { .name = "day", .type = { .id = ENT_T_DATE } } };
	static struct ArrowSchema schema; /* its names are lent to the rules */
	ent_schema_release(&schema);
	if (!text)
		return 0;
	int code = parse(text);
	if (!code)
		code = ent_schema_new(fields, ENT_COUNT(fields), NULL, &schema, &err);
	return code ? code : ent_rules_bind(&rules, &schema, arena, ret, &err);
}

static void test_read(void)
{
	OK_INT(parse("{\"columns\":[{\"name\":\"a\",\"as\":\"b\",\"rules\":[{\"rule\":\"trim\"},{\"rule\":\"nulls\",\"tokens\":[\"\",\"NA\"]},"
		     "{\"rule\":\"cast\",\"type\":\"decimal(12,2)\",\"round\":true,\"else\":\"drop\"}]}],\"dedupe\":[\"a\"],"
		     "\"near\":{\"column\":\"a\",\"percent\":80,\"else\":\"keep\"}}"),
	       0, "rules of all sorts");
	const struct ent_rule_column *c = &rules.columns[0];
	OK(rules.n_columns == 1 && c->n_rules == 3, "one column, three rules");
	OK_STR(c->as, "b", "renamed");
	OK(c->rules[1].kind == ENT_RULE_NULLS && c->rules[1].n_tokens == 2 && !c->rules[1].tokens[0][0], "an empty token is a token");
	OK(c->rules[2].type.id == ENT_T_DECIMAL && c->rules[2].type.scale == 2 && c->rules[2].round && c->rules[2].otherwise == ENT_ELSE_DROP,
	   "a cast");
	OK(rules.n_key == 1 && !rules.whole_row && rules.near_percent == 80 && !rules.near_drop, "rules of the table");
	OK_INT(parse("{}"), 0, "no rules are rules");
	OK_INT(parse("{\"dedupe\":\"rows\"}"), 0);
	OK(rules.whole_row, "whole rows");
}

static void test_hash(void)
{
	char first[65];
	parse("{\"dedupe\":\"rows\",\"columns\":[]}");
	memcpy(first, rules.hash, sizeof first);
	parse("{ \"columns\": [],\n \"dedupe\": \"rows\" }");
	OK_STR(rules.hash, first, "blanks and order do not change the hash");
	parse("{\"columns\":[]}");
	OK(strcmp(rules.hash, first) != 0, "other rules have another");
}

static void test_refused(void)
{
	static const struct {
		const char *text, *what, *next;
	} cases[] = {
		{ "{\"colums\":[]}", "colums", "columns" },
		{ "{\"columns\":{}}", "columns", "" },
		{ "{\"columns\":[{\"as\":\"x\"}]}", "name", "" },
		{ "{\"columns\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "twice", "" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"trimm\"}]}]}", "no rule trimm", "trim" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"trim\",\"too\":1}]}]}", "too", "" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"cast\",\"type\":\"money\",\"else\":\"null\"}]}]}", "no type", "decimal" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"cast\",\"type\":\"date\",\"else\":\"keep\"}]}]}", "else", "null or drop" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"cast\",\"type\":\"bigint\",\"format\":\"%d\",\"else\":\"null\"}]}]}",
		  "format", "" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"range\",\"else\":\"keep\"}]}]}", "min", "" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"range\",\"min\":0.5,\"else\":\"keep\"}]}]}", "", "as texts" },
		{ "{\"columns\":[{\"name\":\"a\",\"rules\":[{\"rule\":\"match\",\"regex\":\"\",\"else\":\"keep\"}]}]}", "regex", "" },
		{ "{\"dedupe\":true}", "dedupe", "[\"id\"]" },
		{ "{\"near\":{\"column\":\"a\",\"percent\":20,\"else\":\"keep\"}}", "50 to 100", "" },
		{ "[1]", "object", "" },
		{ "{", "JSON", "" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		OK_INT(parse(cases[i].text), ENT_EDATA, "refused: %s", cases[i].text);
		OK(strstr(err.what, cases[i].what) && strstr(err.next, cases[i].next), "and says why: %s; %s", err.what, err.next);
	}
}

static void test_bound(void)
{
	struct ent_rules_bound b;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sql = ENT_BUF(1 << 20);
	size_t n;
	OK_INT(bind("{\"columns\":[{\"name\":\"name\",\"as\":\"who\\\"; --\",\"rules\":[{\"rule\":\"match\",\"regex\":\"'; "
		    "DROP\",\"else\":\"drop\"}]},"
		    "{\"name\":\"price\",\"rules\":[{\"rule\":\"convert\",\"factor\":\"2.54\"}]}]}",
		    &b),
	       0, "rules that suit their columns");
	OK(b.types[2].id == ENT_T_DECIMAL && b.types[2].scale == 4, "an exact product has the digits of both");
	OK_INT(ent_rules_sql_rows(&b, false, &sql, &n, NULL), 0);
	OK(strstr(ent_buf_text(&sql), "\"who\"\"; --\""), "names are quoted");
	OK(!strstr(ent_buf_text(&sql), "DROP") && n == 3 && !strcmp(b.params[0].text, "'; DROP"), "texts are parameters");
	OK_INT(bind("{\"columns\":[{\"name\":\"nmae\"}]}", &b), ENT_ENOTFOUND, "a column that is not there");
	OK(strstr(err.next, "name"), "names the nearest: %s", err.next);
	OK_INT(bind("{\"columns\":[{\"name\":\"id\",\"rules\":[{\"rule\":\"trim\"}]}]}", &b), ENT_EDATA, "blanks of a number");
	OK(strstr(err.why, "bigint"), "says the type: %s", err.why);
	OK_INT(bind("{\"columns\":[{\"name\":\"id\",\"rules\":[{\"rule\":\"range\",\"min\":\"0.5\",\"else\":\"keep\"}]}]}", &b), ENT_EDATA,
	       "half a number as the bound of whole ones");
	OK_INT(bind("{\"columns\":[{\"name\":\"day\",\"rules\":[{\"rule\":\"range\",\"min\":\"2024-02-30\",\"else\":\"keep\"}]}]}", &b), ENT_EDATA,
	       "a day that is none");
	OK_INT(bind("{\"columns\":[{\"name\":\"id\",\"as\":\"name\"}]}", &b), ENT_EDATA, "two columns of one name");
	OK_INT(bind("{\"near\":{\"column\":\"id\",\"percent\":80,\"else\":\"keep\"}}", &b), ENT_EDATA, "numbers are not similar");
	OK_INT(bind("{\"columns\":[{\"name\":\"day\",\"rules\":[{\"rule\":\"cast\",\"type\":\"bigint\",\"else\":\"null\"}]}]}", &b), ENT_EDATA,
	       "days are no numbers");
	OK_INT(bind("{\"columns\":[{\"name\":\"id\",\"rules\":[{\"rule\":\"convert\",\"factor\":\"1.00000000000000000001\"}]}]}", &b), ENT_EDATA,
	       "more digits than there are");
	bind(NULL, NULL);
}

int main(void)
{
	arena = ent_arena_new((size_t)16 << 20);
	test_read();
	test_hash();
	test_refused();
	test_bound();
	ent_arena_free(arena);
	return tap_done();
}
