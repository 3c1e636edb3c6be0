#include "duck_csv.h"

#include <stdio.h>
#include <stdlib.h>

#include "duck_options.h"

#define SQL_BYTES_MAX ((size_t)4 << 20)
#define SQL_AUTO ENT_CLEANUP(ent_buf_deinit) struct ent_buf

/* What DuckDB guessed, one row per column. Its own summary (Prompt) is not used: it does not quote names and paths. */
static const struct {
	const char *column, *parameter;
} guesses[] = { { "Delimiter", "delim" },
		{ "Quote", "quote" },
		{ "Escape", "escape" },
		{ "Comment", "comment" },
		{ "NewLineDelimiter", "new_line" },
		{ "DateFormat", "dateformat" },
		{ "TimestampFormat", "timestampformat" } };
#define GUESS_SKIP ENT_COUNT(guesses)
#define GUESS_HEADER (ENT_COUNT(guesses) + 1)
#define GUESS_NAME (ENT_COUNT(guesses) + 2)
#define GUESS_TYPE (ENT_COUNT(guesses) + 3)

struct column {
	char *name;
	char type[ENT_TYPE_TEXT_MAX];
};

struct guess {
	const struct ent_duck_csv *csv;
	struct ent_buf how; /* the explicit arguments */
	struct column *columns;
	size_t n;
};

static void guess_deinit(struct guess *g)
{
	for (size_t i = 0; i < g->n; i++)
		free(g->columns[i].name);
	free(g->columns);
	ent_buf_deinit(&g->how);
}

static int text_literal(struct ent_buf *out, struct ent_bytes text, struct ent_err *err)
{
	char *copy = strndup((const char *)text.data, text.len);
	if (!copy)
		return ent_nomem(err);
	ent_duck_literal(out, copy);
	free(copy);
	return 0;
}

/* The guesses that no option makes, as arguments. ISO dates need no format, and with one DuckDB reads "infinity" as 1900-01-01. */
static int how_put(struct guess *g, const struct ent_batch *b, struct ent_err *err)
{
	struct ent_buf *out = &g->how;
	const struct ent_duck_csv *c = g->csv;
	for (size_t i = 0; i < ENT_COUNT(guesses); i++) {
		struct ent_bytes value = ent_view_text(&b->columns[i], 0);
		if (ent_view_null(&b->columns[i], 0) || ent_duck_options_set(c->options, c->n_options, guesses[i].parameter))
			continue;
		if (ent_bytes_eq(value, ent_bytes_str("%Y-%m-%d")) && !strcmp(guesses[i].parameter, "dateformat"))
			continue;
		if (ent_bytes_eq(value, ent_bytes_str("(empty)")))
			value = ent_bytes("", 0);
		ent_buf_printf(out, ", %s = ", guesses[i].parameter);
		ENT_TRY(text_literal(out, value, err));
	}
	if (!ent_duck_options_set(c->options, c->n_options, "skip"))
		ent_buf_printf(out, ", skip = %lld", (long long)ent_view_int(&b->columns[GUESS_SKIP], 0));
	if (!ent_duck_options_set(c->options, c->n_options, "header"))
		ent_buf_str(out, ent_view_int(&b->columns[GUESS_HEADER], 0) ? ", header = true" : ", header = false");
	return ent_buf_check(out, err);
}

static int guess_take(void *arg, const struct ent_batch *b, struct ent_err *err)
{
	struct guess *g = (struct guess *)arg;
	if (b->rows && !g->n)
		ENT_TRY(how_put(g, b, err));
	for (size_t r = 0; r < b->rows; r++) {
		struct ent_bytes name = ent_view_text(&b->columns[GUESS_NAME], r), type = ent_view_text(&b->columns[GUESS_TYPE], r);
		if (g->n == ENT_COLUMNS_MAX)
			return ent_fail(err, ENT_EUNSUPPORTED, "the file has more than %u columns", ENT_COLUMNS_MAX);
		struct column *c = &g->columns[g->n];
		if (!(c->name = strndup((const char *)name.data, name.len)))
			return ent_nomem(err);
		snprintf(c->type, sizeof c->type, "%.*s", (int)type.len, (const char *)type.data);
		g->n++;
	}
	return 0;
}

static int guess_ask(struct guess *g, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_BYTES_MAX);
	ENT_STREAM_AUTO rows = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ent_buf_str(&sql, "SELECT ");
	for (size_t i = 0; i < ENT_COUNT(guesses); i++)
		ent_buf_printf(&sql, "%s, ", guesses[i].column);
	ent_buf_str(&sql, "CAST(SkipRows AS BIGINT), HasHeader, c.name, c.type FROM (SELECT *, unnest(Columns) AS c FROM sniff_csv(");
	ent_duck_literal(&sql, g->csv->path);
	ent_buf_str(&sql, g->csv->args);
	ent_duck_overrides_put(g->csv->overrides, &sql);
	ent_buf_str(&sql, "))");
	ENT_TRY(ent_buf_check(&sql, err));
	ENT_TRY(ent_duck_stream(g->csv->duck, ent_buf_text(&sql), NULL, 0, &rows, err));
	ENT_TRY(ent_stream_schema(&rows, &schema, err));
	return ent_stream_each(&rows, &schema, guess_take, g, err);
}

/* --- guesses that would lose something --- */

static void reader_put(const struct guess *g, bool texts, struct ent_buf *out)
{
	ent_buf_str(out, "read_csv(");
	ent_duck_literal(out, g->csv->path);
	ent_buf_put(out, g->how.data, g->how.len);
	ent_buf_printf(out, "%s, auto_detect = false, columns = {", g->csv->args);
	for (size_t i = 0; i < g->n; i++) {
		ent_buf_str(out, i ? ", " : "");
		ent_duck_literal(out, g->columns[i].name);
		ent_buf_str(out, ": ");
		ent_duck_literal(out, texts ? "VARCHAR" : g->columns[i].type);
	}
	ent_buf_str(out, "})");
}

static bool is_time(const char *type) { return !strncmp(type, "TIME", 4); }

static bool is_doubtful(const struct guess *g, size_t i)
{
	const struct column *c = &g->columns[i];
	const struct ent_duck_override *asked = ent_duck_override_find(g->csv->overrides, c->name);
	return is_time(c->type) ? !asked || ent_type_is_time(asked->type) : !asked && !strcmp(c->type, "DOUBLE");
}

/* Significant digits of a number's text. */
static void digits_put(const char *text, struct ent_buf *out)
{
	ent_buf_printf(out, "rtrim(ltrim(regexp_replace(regexp_replace(%s, '[eE].*$', ''), '[^0-9]', '', 'g'), '0'), '0')", text);
}

/* Whether a text loses something as its guessed type: few letters cannot; a double's shortest text has at most 17 digits, and the same as the
 * text when nothing is lost. */
static void loses_put(const struct guess *g, size_t i, const char *text, struct ent_buf *out)
{
	char shortest[1200];
	if (is_time(g->columns[i].type)) {
		ent_buf_printf(out, "CASE WHEN length(%s) > 14 THEN regexp_matches(%s, '[.][0-9]{6}[0-9]*[1-9]') ELSE false END", text, text);
		return;
	}
	snprintf(shortest, sizeof shortest, "CAST(CAST(%.1000s AS DOUBLE) AS VARCHAR)", text);
	ent_buf_printf(out, "CASE WHEN length(%s) > 15 THEN ", text);
	digits_put(text, out);
	ent_buf_str(out, " <> ");
	digits_put(shortest, out);
	ent_buf_str(out, " ELSE false END");
}

/* The decimal that holds every text of a column, or VARCHAR. */
static void exact_put(const char *text, struct ent_buf *out)
{
	ent_buf_printf(
		out,
		"CASE WHEN bool_and(regexp_matches(%s, '^[-+]?[0-9]*[.]?[0-9]*$')) AND max(length(ltrim(regexp_extract(%s, '^[-+]?([0-9]*)', 1), "
		"'0'))) + max(length(regexp_extract(%s, '[.]([0-9]*)', 1))) BETWEEN 1 AND 38 THEN 'DECIMAL(' || "
		"(max(length(ltrim(regexp_extract(%s, '^[-+]?([0-9]*)', 1), '0'))) + max(length(regexp_extract(%s, '[.]([0-9]*)', 1)))) || ',' || "
		"max(length(regexp_extract(%s, '[.]([0-9]*)', 1))) || ')' ELSE 'VARCHAR' END",
		text, text, text, text, text, text);
}

static void text_name(const struct guess *g, size_t i, struct ent_buf *out)
{
	bool comma = g->csv->overrides->comma && !is_time(g->columns[i].type);
	ent_buf_str(out, comma ? "replace(" : "");
	ent_duck_name(out, g->columns[i].name);
	ent_buf_str(out, comma ? ", ',', '.')" : "");
}

/* One line per doubtful column: ",type it should have" where the guess loses something, else ",". */
static int doubts_ask(const struct guess *g, bool types, const bool *which, struct ent_buf *ret, struct ent_err *err)
{
	SQL_AUTO sql = ENT_BUF(SQL_BYTES_MAX);
	ent_buf_str(&sql, "SELECT ''");
	for (size_t i = 0; i < g->n; i++) {
		SQL_AUTO text = ENT_BUF(4096);
		if (!which[i])
			continue;
		text_name(g, i, &text);
		ent_buf_str(&sql, " || ',' || coalesce(");
		if (types && !is_time(g->columns[i].type))
			exact_put(ent_buf_text(&text), &sql);
		else if (types)
			ent_buf_str(&sql, "max('VARCHAR')");
		else {
			ent_buf_str(&sql, "CASE WHEN bool_or(");
			loses_put(g, i, ent_buf_text(&text), &sql);
			ent_buf_str(&sql, ") THEN 'x' ELSE '' END");
		}
		ent_buf_str(&sql, ", '')");
	}
	ent_buf_str(&sql, " FROM ");
	reader_put(g, true, &sql);
	ENT_TRY(ent_buf_check(&sql, err));
	return ent_duck_text(g->csv->duck, ent_buf_text(&sql), "the texts of the columns cannot be looked at", ret, err);
}

/* The next answer: from a comma outside parentheses up to the next one. */
static const char *answer_next(const char **at, char out[ENT_TYPE_TEXT_MAX])
{
	size_t n = 0;
	*at += **at == ',';
	for (int depth = 0; (*at)[n] && ((*at)[n] != ',' || depth); n++)
		depth += (*at)[n] == '(' ? 1 : (*at)[n] == ')' ? -1 : 0;
	snprintf(out, ENT_TYPE_TEXT_MAX, "%.*s", (int)n, *at);
	*at += n;
	return out;
}

static int guesses_mend(struct guess *g, bool *which, struct ent_err *err)
{
	SQL_AUTO loses = ENT_BUF(SQL_BYTES_MAX), types = ENT_BUF(SQL_BYTES_MAX);
	char answer[ENT_TYPE_TEXT_MAX];
	bool any = false;
	ENT_TRY(doubts_ask(g, false, which, &loses, err));
	const char *at = ent_buf_text(&loses);
	for (size_t i = 0; i < g->n; i++) {
		which[i] = which[i] && answer_next(&at, answer)[0];
		any = any || which[i];
		if (!which[i] || !ent_duck_override_find(g->csv->overrides, g->columns[i].name))
			continue;
		ent_fail(err, ENT_EDATA, "column %.200s has times finer than a microsecond", g->columns[i].name);
		return ent_next(err, "--types %.200s=text keeps them", g->columns[i].name), ENT_EDATA;
	}
	if (!any)
		return 0;
	ENT_TRY(doubts_ask(g, true, which, &types, err));
	at = ent_buf_text(&types);
	for (size_t i = 0; i < g->n; i++)
		if (which[i])
			snprintf(g->columns[i].type, sizeof g->columns[i].type, "%s", answer_next(&at, answer));
	return 0;
}

static int guesses_check(struct guess *g, struct ent_err *err)
{
	bool which[ENT_COLUMNS_MAX], any = false;
	for (size_t i = 0; i < g->n; i++) {
		which[i] = is_doubtful(g, i);
		any = any || which[i];
	}
	return any ? guesses_mend(g, which, err) : 0;
}

int ent_duck_csv_reader(const struct ent_duck_csv *csv, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(guess_deinit) struct guess g = { .csv = csv, .how = ENT_BUF(SQL_BYTES_MAX) };
	g.columns = (struct column *)calloc(ENT_COLUMNS_MAX, sizeof *g.columns);
	if (!g.columns)
		return ent_nomem(err);
	int code = guess_ask(&g, err);
	if (code == ENT_EDATA)
		ent_next(err, "check the file, or say how it is written with --delim, --quote, --escape, --header, --skip or --types");
	if (!code && !g.n)
		code = ent_fail(err, ENT_EDATA, "the CSV file has no columns");
	if (!code)
		code = guesses_check(&g, err);
	if (code)
		return code;
	reader_put(&g, false, out);
	return ent_buf_check(out, err);
}
