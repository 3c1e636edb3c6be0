/* The report's lines: fields by tabs, one line per type of a source ("T") and per type and target ("P"). */
#include "mx.h"

static void field_put(struct ent_buf *out, const char *text)
{
	for (; *text; text++)
		ent_buf_u8(out, *text == '\t' || *text == '\n' || *text == '\r' ? ' ' : (uint8_t)*text);
}

static void labels_put(const struct mx_store *s, size_t c, struct ent_buf *out)
{
	ent_buf_str(out, "NULL");
	for (size_t row = 1; mx_value_at(s, c, row); row++)
		ent_buf_printf(out, "|%s", mx_value_at(s, c, row)->label);
}

/* T source column type read-as labels why-not refused... */
void mx_source_put(const struct mx_source *s, struct ent_buf *out)
{
	for (size_t c = 0; c < s->store->n_columns; c++) {
		char type[ENT_TYPE_TEXT_MAX] = "";
		int at = mx_table_column(&s->table, s->store->columns[c].name);
		if (at >= 0)
			ent_type_name(s->table.open[0].columns[at].type, type);
		ent_buf_printf(out, "T\t%s\t%s\t%s\t%s\t", s->store->title, s->store->columns[c].name, s->store->columns[c].type, type);
		labels_put(s->store, c, out);
		ent_buf_str(out, "\t");
		field_put(out, s->why[c]);
		for (size_t row = 1; mx_value_at(s->store, c, row); row++) {
			if (!s->left_out[c][row])
				continue;
			ent_buf_printf(out, "\t%s: ", mx_value_at(s->store, c, row)->label);
			field_put(out, s->refused[c][row]);
		}
		ent_buf_str(out, "\n");
	}
}

/* P source column target its-type verdict why codes refused... */
void mx_pair_put(const struct mx_pair *p, struct ent_buf *out)
{
	const struct mx_store *s = p->from->store;
	for (size_t c = 0; c < s->n_columns; c++) {
		if (!p->from->carried[c])
			continue;
		ent_buf_printf(out, "P\t%s\t%s\t%s\t", s->title, s->columns[c].name, p->to->title);
		field_put(out, p->native[c]);
		ent_buf_printf(out, "\t%s\t", p->verdict[c]);
		field_put(out, p->why[c]);
		ent_buf_str(out, "\t");
		for (size_t row = 0; p->chosen[c] && (!row || mx_value_at(s, c, row)); row++)
			ent_buf_u8(out, (uint8_t)p->code[c][row]);
		for (size_t row = 1; p->chosen[c] && mx_value_at(s, c, row); row++) {
			if (!p->text[c][row][0])
				continue;
			ent_buf_printf(out, "\t%s: ", mx_value_at(s, c, row)->label);
			field_put(out, p->text[c][row]);
		}
		ent_buf_str(out, "\n");
	}
}
