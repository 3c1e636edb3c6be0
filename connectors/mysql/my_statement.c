/* Statements of the log: only as much as tells what they do to a table's rows and columns. */
#include <ctype.h>
#include <strings.h>

#include "my_log.h"

struct lexer {
	const char *at, *end;
};

/* Skips blanks and comments; the text of an executable comment counts as words. */
static void blanks_skip(struct lexer *l)
{
	while (l->at < l->end) {
		size_t left = (size_t)(l->end - l->at);
		if (isspace((unsigned char)*l->at)) {
			l->at++;
		} else if (left >= 3 && !memcmp(l->at, "/*!", 3)) {
			for (l->at += 3; l->at < l->end && isdigit((unsigned char)*l->at);)
				l->at++;
		} else if (left >= 2 && !memcmp(l->at, "/*", 2)) {
			const char *stop = memmem(l->at + 2, left - 2, "*/", 2);
			l->at = stop ? stop + 2 : l->end;
		} else if (*l->at == '#' || (left >= 3 && !memcmp(l->at, "--", 2) && isspace((unsigned char)l->at[2]))) {
			const char *stop = memchr(l->at, '\n', left);
			l->at = stop ? stop + 1 : l->end;
		} else {
			return;
		}
	}
}

static bool letter(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 128; }

/* The next word, quoted name or sign; texts are skipped. False at the end. out is cut to what fits. */
static bool word_next(struct lexer *l, char out[260], bool *ret_name)
{
	size_t n = 0;
	blanks_skip(l);
	if (l->at >= l->end)
		return false;
	char c = *l->at;
	*ret_name = letter(c) || c == '`' || c == '"';
	if (c == '`' || c == '"' || c == '\'') {
		for (l->at++; l->at < l->end; l->at++) {
			if (*l->at == '\\' && c != '`' && l->at + 1 < l->end)
				l->at++;
			else if (*l->at == c && (l->at + 1 >= l->end || l->at[1] != c))
				break;
			else if (*l->at == c)
				l->at++;
			if (n < 259)
				out[n++] = *l->at;
		}
		l->at += l->at < l->end;
	} else if (letter(c)) {
		for (; l->at < l->end && letter(*l->at); l->at++)
			if (n < 259)
				out[n++] = *l->at;
	} else {
		out[n++] = *l->at++;
	}
	out[n] = 0;
	return true;
}

static bool is_any(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(word, words[i]))
			return true;
	return false;
}

static bool later_word(struct lexer l, const char *const *words, size_t n)
{
	char word[260];
	bool name;
	while (word_next(&l, word, &name))
		if (name && is_any(word, words, n))
			return true;
	return false;
}

static enum ent_my_statement xa_kind(struct lexer *l)
{
	char word[260] = "";
	bool name;
	static const char *const settled[] = { "COMMIT", "ROLLBACK" }, *const begun[] = { "START", "BEGIN" };
	(void)word_next(l, word, &name);
	return is_any(word, settled, 2) ? ENT_MY_ST_XA_SETTLED : is_any(word, begun, 2) ? ENT_MY_ST_BEGIN : ENT_MY_ST_XA_OTHER;
}

static enum ent_my_statement alter_kind(const struct lexer *l)
{
	static const char *const partition[] = { "PARTITION" };
	static const char *const moving[] = { "DROP", "TRUNCATE", "EXCHANGE", "DISCARD", "IMPORT", "CONVERT" };
	static const char *const renaming[] = { "RENAME" };
	static const char *const parts[] = { "COLUMN", "INDEX", "KEY" };
	if (later_word(*l, partition, 1) && later_word(*l, moving, ENT_COUNT(moving)))
		return ENT_MY_ST_ALTER_ROWS;
	return later_word(*l, renaming, 1) && !later_word(*l, parts, 3) ? ENT_MY_ST_RENAME : ENT_MY_ST_ALTER;
}

enum ent_my_statement ent_my_statement_kind(struct ent_bytes sql)
{
	static const char *const rows[] = { "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL" };
	static const char *const table[] = { "TABLE", "TABLES", "DATABASE", "SCHEMA" };
	struct lexer l = { (const char *)sql.data, (const char *)sql.data + sql.len };
	char word[260];
	bool name;
	if (!word_next(&l, word, &name))
		return ENT_MY_ST_OTHER;
	if (!strcasecmp(word, "BEGIN"))
		return ENT_MY_ST_BEGIN;
	if (!strcasecmp(word, "COMMIT"))
		return ENT_MY_ST_COMMIT;
	if (!strcasecmp(word, "ROLLBACK"))
		return ENT_MY_ST_ROLLBACK;
	if (!strcasecmp(word, "XA"))
		return xa_kind(&l);
	if (is_any(word, rows, ENT_COUNT(rows)))
		return ENT_MY_ST_ROWS;
	if (!strcasecmp(word, "TRUNCATE"))
		return ENT_MY_ST_TRUNCATE;
	if (!strcasecmp(word, "ALTER"))
		return later_word(l, table, 1) ? alter_kind(&l) : ENT_MY_ST_OTHER;
	bool create = !strcasecmp(word, "CREATE"); /* OR REPLACE takes the old one away */
	static const char *const replace[] = { "REPLACE" };
	if (!strcasecmp(word, "DROP") || (create && later_word(l, replace, 1)))
		return later_word(l, table, 4) ? ENT_MY_ST_DROP : ENT_MY_ST_OTHER;
	return !strcasecmp(word, "RENAME") ? ENT_MY_ST_RENAME : ENT_MY_ST_OTHER;
}

bool ent_my_statement_names(struct ent_bytes sql, const char *current, const char *database, const char *table)
{
	struct lexer l = { (const char *)sql.data, (const char *)sql.data + sql.len };
	char word[260], before[260] = "";
	bool name, dot = false;
	bool here = !strcasecmp(current, database);
	while (word_next(&l, word, &name)) {
		bool qualified = dot && before[0];
		if (name && !strcasecmp(word, table) && (qualified ? !strcasecmp(before, database) : here))
			return true;
		if (name && !strcasecmp(word, database) && ent_my_statement_kind(sql) == ENT_MY_ST_DROP &&
		    !strncasecmp((const char *)sql.data, "DROP", 4) && !qualified && l.at >= l.end)
			return true; /* DROP DATABASE */
		dot = word[0] == '.' && !word[1];
		if (!dot)
			memcpy(before, name ? word : "", name ? strlen(word) + 1 : 1);
	}
	return false;
}
