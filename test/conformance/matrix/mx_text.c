/* Literals of the stores as SQL. */
#include "mx.h"

const char *mx_work;

void mx_literal(struct ent_buf *out, const char *literal)
{
	const char *at = strstr(literal, MX_LONG);
	if (!at) {
		ent_buf_str(out, literal);
		return;
	}
	ent_buf_put(out, literal, (size_t)(at - literal));
	uint8_t *space = ent_buf_space(out, SUITE_LONG_TEXT);
	if (space)
		memset(space, 'x', SUITE_LONG_TEXT);
	mx_literal(out, at + strlen(MX_LONG));
}

size_t mx_rows(const struct mx_store *s)
{
	size_t most = 0;
	for (size_t c = 0; c < s->n_columns; c++)
		for (size_t r = 0; r < MX_ROWS - 1 && s->columns[c].values[r].label; r++)
			most = r + 1 > most ? r + 1 : most;
	return most + 1;
}

const struct mx_value *mx_value_at(const struct mx_store *s, size_t column, size_t row)
{
	for (size_t r = 1; r <= row && row < MX_ROWS; r++) {
		const struct mx_value *v = &s->columns[column].values[r - 1];
		if (!v->label)
			return NULL;
		if (r == row)
			return v;
	}
	return NULL;
}

bool mx_file_read(const char *path, struct ent_buf *out)
{
	char part[4096];
	FILE *f = fopen(path, "rb");
	for (size_t n = 0; f && (n = fread(part, 1, sizeof part, f)) > 0;)
		ent_buf_put(out, part, n);
	return f && !fclose(f) && !out->code;
}

void mx_sql_columns(struct ent_buf *out, const struct mx_store *s, const char *key)
{
	ent_buf_printf(out, "(%s", key);
	for (size_t c = 0; c < s->n_columns; c++)
		ent_buf_printf(out, ", %s %s", s->columns[c].name, s->columns[c].type);
	ent_buf_str(out, ")");
}

void mx_sql_row(struct ent_buf *out, const struct mx_store *s, size_t row, bool left_out[MX_COLUMNS][MX_ROWS])
{
	ent_buf_printf(out, "(%zu", row + 1);
	for (size_t c = 0; c < s->n_columns; c++) {
		const struct mx_value *v = mx_value_at(s, c, row);
		ent_buf_str(out, ", ");
		mx_literal(out, v && !left_out[c][row] ? v->literal : "NULL");
	}
	ent_buf_str(out, ")");
}
