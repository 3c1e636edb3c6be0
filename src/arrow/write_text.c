/* CSV and JSON. */
#include <math.h>
#include <stdio.h>

#include "arrow/writer.h"

static void csv_text(struct ent_buf *out, struct ent_bytes t)
{
	bool quote = t.len == 0 || t.data[0] == ' ' || t.data[t.len - 1] == ' ';
	for (size_t i = 0; i < t.len && !quote; i++)
		quote = strchr(",\"\r\n", t.data[i]) != NULL;
	if (!quote) {
		ent_buf_put(out, t.data, t.len);
		return;
	}
	ent_buf_u8(out, '"');
	for (size_t i = 0; i < t.len; i++) {
		if (t.data[i] == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, t.data[i]);
	}
	ent_buf_u8(out, '"');
}

static int csv_begin(struct ent_writer *w, struct ent_err *err)
{
	for (size_t i = 0; i < w->n_fields; i++) {
		if (i)
			ent_buf_u8(&w->page, ',');
		csv_text(&w->page, ent_bytes_str(w->fields[i].name));
	}
	ent_buf_str(&w->page, "\r\n");
	return ent_writer_flush(w, false, err);
}

static int csv_batch(struct ent_writer *w, const struct ent_batch *b, struct ent_err *err)
{
	for (size_t r = 0; r < b->rows; r++) {
		for (size_t c = 0; c < b->n_columns; c++) {
			const struct ent_view *v = &b->columns[c];
			if (c)
				ent_buf_u8(&w->page, ',');
			if (v->type.id == ENT_T_TEXT && !ent_view_null(v, r))
				csv_text(&w->page, ent_view_text(v, r));
			else
				ent_value_put(v, r, &w->page);
		}
		ent_buf_str(&w->page, "\r\n");
		ENT_TRY(ent_writer_flush(w, false, err));
	}
	return 0;
}

static int csv_end(struct ent_writer *w, struct ent_err *err) { return ent_writer_flush(w, true, err); }

const struct ent_writer_ops ent_writer_csv = { csv_begin, csv_batch, csv_end };

/* --- JSON --- */

static void json_text(struct ent_buf *out, struct ent_bytes t)
{
	ent_buf_u8(out, '"');
	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = t.data[i];
		if (c == '"' || c == '\\')
			ent_buf_u8(out, '\\');
		if (c < 0x20 || c == 0x7f)
			ent_buf_printf(out, "\\u%04x", c);
		else
			ent_buf_u8(out, c);
	}
	ent_buf_u8(out, '"');
}

static void json_value(struct ent_buf *out, const struct ent_view *v, size_t row)
{
	if (ent_view_null(v, row)) {
		ent_buf_str(out, "null");
	} else if (v->type.id == ENT_T_TEXT) {
		json_text(out, ent_view_text(v, row));
	} else {
		bool quote = ent_type_is_time(v->type) || (ent_type_is_float(v->type) && !isfinite(ent_view_real(v, row)));
		ent_buf_str(out, quote ? "\"" : "");
		ent_value_put(v, row, out);
		ent_buf_str(out, quote ? "\"" : "");
	}
}

static int json_begin(struct ent_writer *w, struct ent_err *err)
{
	ent_buf_str(&w->page, "[");
	return ent_writer_flush(w, false, err);
}

static int json_batch(struct ent_writer *w, const struct ent_batch *b, struct ent_err *err)
{
	for (size_t r = 0; r < b->rows; r++) {
		ent_buf_str(&w->page, w->rows + r ? ",\n {" : "\n {");
		for (size_t c = 0; c < b->n_columns; c++) {
			ent_buf_str(&w->page, c ? ", " : "");
			json_text(&w->page, ent_bytes_str(w->fields[c].name));
			ent_buf_str(&w->page, ": ");
			json_value(&w->page, &b->columns[c], r);
		}
		ent_buf_u8(&w->page, '}');
		ENT_TRY(ent_writer_flush(w, false, err));
	}
	return 0;
}

static int json_end(struct ent_writer *w, struct ent_err *err)
{
	ent_buf_str(&w->page, w->rows ? "\n]\n" : "]\n");
	return ent_writer_flush(w, true, err);
}

const struct ent_writer_ops ent_writer_json = { json_begin, json_batch, json_end };
