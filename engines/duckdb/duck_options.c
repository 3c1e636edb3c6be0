/* One table of options; values are written as SQL literals of their kind, never as the caller's text. */
#include "duck_options.h"

#include "duck_quote.h"

enum kind { TEXT, BOOLEAN, NUMBER, NULLS, TYPES /* see duck_override */ };

static const struct rule {
	const char *key; /* '-' and '_' are the same */
	const char *parameter;
	enum kind kind;
	bool csv, json;
} rules[] = {
	{ "null", "nullstr", NULLS, true, false },
	{ "nullstr", "nullstr", NULLS, true, false },
	{ "types", "types", TYPES, true, false },
	{ "delim", "delim", TEXT, true, false },
	{ "sep", "delim", TEXT, true, false },
	{ "quote", "quote", TEXT, true, false },
	{ "escape", "escape", TEXT, true, false },
	{ "comment", "comment", TEXT, true, false },
	{ "encoding", "encoding", TEXT, true, false },
	{ "decimal_separator", "decimal_separator", TEXT, true, false },
	{ "header", "header", BOOLEAN, true, false },
	{ "skip", "skip", NUMBER, true, false },
	{ "allow_quoted_nulls", "allow_quoted_nulls", BOOLEAN, true, false },
	{ "all_varchar", "all_varchar", BOOLEAN, true, false },
	{ "strict_mode", "strict_mode", BOOLEAN, true, false },
	{ "dateformat", "dateformat", TEXT, true, true },
	{ "timestampformat", "timestampformat", TEXT, true, true },
	{ "sample_size", "sample_size", NUMBER, true, true },
	{ "format", "format", TEXT, false, true },
	{ "maximum_object_size", "maximum_object_size", NUMBER, false, true },
};

static bool key_is(const char *key, const char *want)
{
	for (; *key && *want; key++, want++)
		if (*key != *want && !(*key == '-' && *want == '_'))
			return false;
	return !*key && !*want;
}

static const struct rule *rule_find(enum ent_duck_file file, const char *key)
{
	for (size_t i = 0; i < ENT_COUNT(rules); i++)
		if (key_is(key, rules[i].key) && ((file == ENT_DUCK_CSV && rules[i].csv) || (file == ENT_DUCK_JSON && rules[i].json)))
			return &rules[i];
	return NULL;
}

bool ent_duck_options_set(const struct ent_option *options, size_t n, const char *parameter)
{
	for (size_t i = 0; i < n; i++) {
		const struct rule *r = rule_find(ENT_DUCK_CSV, options[i].key);
		if (r && !strcmp(r->parameter, parameter))
			return true;
	}
	return false;
}

static int unknown(enum ent_duck_file file, const char *key, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf list = ENT_BUF(1000);
	for (size_t i = 0; i < ENT_COUNT(rules); i++)
		if ((file == ENT_DUCK_CSV && rules[i].csv) || (file == ENT_DUCK_JSON && rules[i].json))
			ent_buf_printf(&list, "%s--%s", list.len ? " " : "", rules[i].key);
	ent_fail(err, ENT_EUSAGE, "this kind of source has no option --%.60s", key);
	return ent_next(err, list.len ? "it has %s" : "it has none%s", ent_buf_text(&list)), ENT_EUSAGE;
}

static int value_put(const struct rule *r, const char *value, struct ent_buf *out, struct ent_err *err)
{
	uint64_t number;
	bool yes = !strcmp(value, "true") || !strcmp(value, "yes") || !strcmp(value, "1");
	bool no = !strcmp(value, "false") || !strcmp(value, "no") || !strcmp(value, "0");
	ent_buf_printf(out, ", %s = ", r->parameter);
	if (r->kind == BOOLEAN && !yes && !no)
		return ent_fail(err, ENT_EUSAGE, "--%s is true or false, not '%.60s'", r->key, value);
	if (r->kind == NUMBER && !ent_parse_u64(value, strlen(value), INT32_MAX, &number))
		return ent_fail(err, ENT_EUSAGE, "--%s is a number, not '%.60s'", r->key, value);
	if (r->kind == BOOLEAN)
		ent_buf_str(out, yes ? "true" : "false");
	else if (r->kind == NUMBER)
		ent_buf_printf(out, "%llu", (unsigned long long)number);
	else
		ent_duck_literal(out, value);
	return 0;
}

/* Empty fields are always NULL; each --null adds a token. Quoted fields are text whatever they hold, unless the caller says otherwise. */
static void csv_defaults(const struct ent_option *options, size_t n, struct ent_buf *out)
{
	bool quoted = false;
	ent_buf_str(out, ", nullstr = [''");
	for (size_t i = 0; i < n; i++) {
		const struct rule *r = rule_find(ENT_DUCK_CSV, options[i].key);
		if (r && r->kind == NULLS) {
			ent_buf_str(out, ", ");
			ent_duck_literal(out, options[i].value);
		}
		quoted = quoted || key_is(options[i].key, "allow_quoted_nulls");
	}
	ent_buf_str(out, quoted ? "]" : "], allow_quoted_nulls = false");
}

int ent_duck_options_put(enum ent_duck_file file, const struct ent_option *options, size_t n, struct ent_buf *out, struct ent_err *err)
{
	bool sampled = false;
	for (size_t i = 0; i < n; i++) {
		const struct rule *r = rule_find(file, options[i].key);
		if (!r)
			return unknown(file, options[i].key, err);
		if (!options[i].value || !ent_utf8_valid(ent_bytes_str(options[i].value)))
			return ent_fail(err, ENT_EUSAGE, "--%s needs a value", r->key);
		sampled = sampled || key_is(options[i].key, "sample_size");
		if (r->kind != NULLS && r->kind != TYPES)
			ENT_TRY(value_put(r, options[i].value, out, err));
	}
	if (file == ENT_DUCK_CSV)
		csv_defaults(options, n, out);
	if ((file == ENT_DUCK_CSV || file == ENT_DUCK_JSON) && !sampled)
		ent_buf_str(out, ", sample_size = -1"); /* types from every row: a late surprise would stop a job */
	if (file == ENT_DUCK_CSV)                       /* 2 MiB would be too few for rows that we write ourselves; buffers stay as they are */
		ent_buf_str(out, ", max_line_size = 16777216, buffer_size = 33554432");
	return ent_buf_check(out, err);
}
