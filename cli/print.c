#include "cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/write.h"

void ent_cli_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	puts(text ? text : "null");
	free(text);
}

const char *ent_cli_str(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));
	return text ? text : "";
}

json_int_t ent_cli_int(const json_t *obj, const char *key) { return json_integer_value(json_object_get(obj, key)); }

static void text_list(const json_t *array, struct ent_buf *out)
{
	size_t i;
	const json_t *item;
	json_array_foreach(array, i, item)
	{
		if (i)
			ent_buf_str(out, ", ");
		ent_cli_text(item, out);
	}
}

static void text_object(const json_t *object, struct ent_buf *out)
{
	const char *key;
	json_t *item;
	bool first = true;
	json_object_foreach((json_t *)(uintptr_t)object, key, item)
	{
		ent_buf_printf(out, "%s%s ", first ? "" : ", ", key);
		ent_cli_text(item, out);
		first = false;
	}
}

void ent_cli_text(const json_t *value, struct ent_buf *out)
{
	if (!value || json_is_null(value))
		return;
	switch (json_typeof(value)) {
	case JSON_STRING:
		ent_buf_str(out, json_string_value(value));
		break;
	case JSON_INTEGER:
		ent_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		ent_buf_printf(out, "%g", json_real_value(value));
		break;
	case JSON_TRUE:
		ent_buf_str(out, "yes");
		break;
	case JSON_FALSE:
		ent_buf_str(out, "no");
		break;
	case JSON_ARRAY:
		text_list(value, out);
		break;
	case JSON_OBJECT:
		text_object(value, out);
		break;
	case JSON_NULL:
		break;
	}
}

/* Control characters would let a foreign name repaint the terminal. */
static void put_cell(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i]);
}

static size_t cell_width(const json_t *value)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(1u << 20);
	ent_cli_text(value, &b);
	return ent_text_width(ent_buf_bytes(&b));
}

static void print_cell(const json_t *value, size_t width, bool right, bool last)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(1u << 20);
	ent_cli_text(value, &b);
	size_t used = ent_text_width(ent_buf_bytes(&b)), pad = width > used ? width - used : 0;
	if (right)
		printf("%*s", (int)pad, "");
	put_cell(ent_buf_text(&b), b.len);
	if (!right && !last)
		printf("%*s", (int)pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

static void print_titles(const struct ent_cli *cli, const struct ent_cli_column *columns, const size_t *widths, size_t n)
{
	if (cli->colour)
		fputs("\033[1m", stdout);
	for (size_t c = 0; c < n; c++) {
		bool last = c + 1 == n;
		int width = last && !columns[c].right ? 0 : (int)widths[c];
		printf("%*s%s", columns[c].right ? width : -width, columns[c].title, last ? "" : "  ");
	}
	puts(cli->colour ? "\033[0m" : "");
}

static void print_rows(const struct ent_cli *cli, const json_t *rows, const struct ent_cli_column *columns, size_t n)
{
	size_t widths[16] = { 0 }, i;
	const json_t *row;
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < n; c++) {
			size_t w = cell_width(json_object_get(row, columns[c].key)), title = strlen(columns[c].title);
			w = w && w < title ? title : w;
			widths[c] = w > widths[c] ? w : widths[c];
		}
	}
	print_titles(cli, columns, widths, n);
	json_array_foreach(rows, i, row) for (size_t c = 0; c < n; c++)
		print_cell(json_object_get(row, columns[c].key), widths[c], columns[c].right, c + 1 == n);
}

/* A column without a single value is left out. */
static size_t columns_in_use(const json_t *rows, const struct ent_cli_column *columns, size_t n, struct ent_cli_column *ret)
{
	size_t used = 0, i;
	const json_t *row;
	for (size_t c = 0; c < n; c++) {
		size_t width = 0;
		json_array_foreach(rows, i, row) width += cell_width(json_object_get(row, columns[c].key));
		if (width)
			ret[used++] = columns[c];
	}
	return used;
}

void ent_cli_listing(const struct ent_cli *cli, const json_t *answer, const char *rows_key, const struct ent_cli_column *columns, size_t n_columns)
{
	const json_t *rows = json_object_get(answer, rows_key);
	if (cli->json) {
		ent_cli_json(answer);
		return;
	}
	if (!json_array_size(rows)) {
		fprintf(stderr, "none\n");
		return;
	}
	struct ent_cli_column used[16];
	ENT_ASSERT(n_columns <= ENT_COUNT(used));
	print_rows(cli, rows, used, columns_in_use(rows, columns, n_columns, used));
}

void ent_cli_lines(const json_t *array)
{
	size_t i;
	const json_t *line;
	json_array_foreach(array, i, line)
	{
		const char *text = json_is_string(line) ? json_string_value(line) : "";
		put_cell(text, strlen(text));
		putchar('\n');
	}
}

void ent_cli_size(uint64_t bytes, char out[24])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t u = 0;
	while (v >= 999.5 && u + 1 < ENT_COUNT(units)) {
		v /= 1000;
		u++;
	}
	snprintf(out, 24, v < 9.95 && u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void ent_cli_error(const struct ent_cli *cli, const struct ent_err *err)
{
	const char *red = cli && cli->err_tty && cli->colour ? "\033[1;31m" : "", *off = *red ? "\033[0m" : "";
	fflush(stdout);
	fprintf(stderr, "%s%s:%s %s\n", red,
		err->code == ENT_EDENIED      ? "refused"
		: err->code == ENT_ECANCELLED ? "interrupted"
					      : "error",
		off, err->what);
	if (err->why[0])
		fprintf(stderr, "  why   %s\n", err->why);
	if (err->next[0])
		fprintf(stderr, "  next  %s\n", err->next);
}
