/* The table for people at a terminal. The first rows decide the widths; what a value could do to a terminal (escape sequences, direction
 * marks) is shown as \u{...} instead. A cell in the sample is: flag byte (0 text, 1 NULL), escaped bytes, zero byte. */
#include <stdio.h>

#include "arrow/writer.h"

struct range {
	uint32_t first, last;
};

static const struct range wide[] = { { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },  { 0x4e00, 0xa4cf },
				     { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },  { 0xffe0, 0xffe6 },
				     { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd } };
static const struct range none[] = { { 0x300, 0x36f },   { 0x483, 0x489 },   { 0x591, 0x5bd },   { 0x610, 0x61a },   { 0x64b, 0x65f },
				     { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f } };
static const struct range unsafe[] = { { 0, 0x1f },        { 0x7f, 0x9f },     { 0x61c, 0x61c },   { 0x200b, 0x200f },
				       { 0x2028, 0x202e }, { 0x2060, 0x2069 }, { 0xfeff, 0xfeff }, { 0xe0000, 0xe007f } };

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

/* The character at *at of valid UTF-8, moved past it. */
static uint32_t character(struct ent_bytes t, size_t *at)
{
	uint8_t lead = t.data[(*at)++];
	int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	uint32_t c = more == 3 ? lead & 7u : more == 2 ? lead & 15u : more == 1 ? lead & 31u : lead;
	while (more-- && *at < t.len)
		c = c << 6 | (t.data[(*at)++] & 63u);
	return c;
}

static size_t character_width(uint32_t c) { return in_ranges(none, ENT_COUNT(none), c) ? 0 : in_ranges(wide, ENT_COUNT(wide), c) ? 2 : 1; }

size_t ent_text_width(struct ent_bytes t)
{
	size_t width = 0, at = 0;
	while (at < t.len)
		width += character_width(character(t, &at));
	return width;
}

static void escaped_put(struct ent_buf *out, struct ent_bytes t)
{
	for (size_t at = 0; at < t.len;) {
		size_t from = at;
		uint32_t c = character(t, &at);
#ifdef ENT_MUTANT_ARROW_TERMINAL
		c = 'x';
#endif
		if (in_ranges(unsafe, ENT_COUNT(unsafe), c))
			ent_buf_printf(out, "\\u{%x}", c);
		else
			ent_buf_put(out, t.data + from, at - from);
	}
}

static bool right_aligned(const struct ent_field_info *f) { return ent_type_is_number(f->type); }

/* Writes at most width columns of text, an ellipsis in the last when it is cut; returns the columns used. */
static size_t cut_put(struct ent_buf *out, struct ent_bytes t, size_t width)
{
	size_t used = 0, at = 0;
	bool cut = ent_text_width(t) > width;
	while (at < t.len) {
		size_t from = at, w = character_width(character(t, &at));
		if (used + w + cut > width)
			break;
		ent_buf_put(out, t.data + from, at - from);
		used += w;
	}
	if (cut && width) {
		ent_buf_str(out, "\xe2\x80\xa6");
		used++;
	}
	return used;
}

static void pad(struct ent_buf *out, size_t n)
{
	while (n--)
		ent_buf_u8(out, ' ');
}

static void cell_put(struct ent_writer *w, size_t col, bool null, struct ent_bytes text, const char *on)
{
	size_t width = w->widths[col], own = ent_text_width(text), shown = own < width ? own : width;
	const char *style = !w->style.colour ? "" : null ? "\x1b[2m" : on;
	bool last = col + 1 == w->n_fields;
	ent_buf_str(&w->page, col ? " | " : " ");
	if (right_aligned(&w->fields[col]))
		pad(&w->page, width - shown);
	ent_buf_str(&w->page, style);
	shown = cut_put(&w->page, text, width);
	ent_buf_str(&w->page, style[0] ? "\x1b[0m" : "");
	if (!right_aligned(&w->fields[col]) && !last)
		pad(&w->page, width - shown);
	if (last)
		ent_buf_u8(&w->page, '\n');
}

static void header_put(struct ent_writer *w)
{
	for (size_t c = 0; c < w->n_fields; c++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(4096);
		escaped_put(&name, ent_bytes_str(w->fields[c].name));
		cell_put(w, c, false, ent_buf_bytes(&name), "\x1b[1m");
	}
	for (size_t c = 0; c < w->n_fields; c++) {
		ent_buf_str(&w->page, c ? "+" : "");
		for (size_t i = 0; i < w->widths[c] + 2; i++)
			ent_buf_u8(&w->page, '-');
	}
	ent_buf_u8(&w->page, '\n');
}

/* Shrinks the widest columns until the line fits; none below 6. */
static void widths_fit(struct ent_writer *w)
{
	for (;;) {
		size_t total = w->n_fields * 3, widest = 0;
		for (size_t c = 0; c < w->n_fields; c++) {
			total += w->widths[c];
			if (w->widths[c] > w->widths[widest])
				widest = c;
		}
		if (!w->style.width_max || !w->n_fields || total <= w->style.width_max || w->widths[widest] <= 6)
			return;
		w->widths[widest]--;
	}
}

/* The sample is complete: prints it with the header above. */
static int sample_print(struct ent_writer *w, struct ent_err *err)
{
	const char *at = ent_buf_text(&w->cells);
	ENT_TRY(ent_buf_check(&w->cells, err));
	w->printing = true;
	widths_fit(w);
	header_put(w);
	for (size_t r = 0; r < w->sampled; r++) {
		for (size_t c = 0; c < w->n_fields; c++) {
			struct ent_bytes text = ent_bytes_str(at + 1);
			cell_put(w, c, at[0] == 1, text, "");
			at += text.len + 2;
		}
	}
	ent_buf_reset(&w->cells);
	return ent_writer_flush(w, false, err);
}

static void cell_text(const struct ent_view *v, size_t row, struct ent_buf *plain, struct ent_buf *out)
{
	ent_buf_reset(plain);
	if (ent_view_null(v, row)) {
		ent_buf_str(out, "NULL");
		return;
	}
	ent_value_put(v, row, plain);
	escaped_put(out, ent_buf_bytes(plain));
}

static void row_sample(struct ent_writer *w, const struct ent_batch *b, size_t row, struct ent_buf *plain)
{
	for (size_t c = 0; c < w->n_fields; c++) {
		ent_buf_u8(&w->cells, ent_view_null(&b->columns[c], row));
		size_t from = w->cells.len;
		cell_text(&b->columns[c], row, plain, &w->cells);
		if (w->cells.code)
			return;
		size_t width = ent_text_width(ent_bytes(w->cells.data + from, w->cells.len - from));
		w->widths[c] = width > w->widths[c] ? width : w->widths[c];
		ent_buf_u8(&w->cells, 0);
	}
	w->sampled++;
}

static void row_print(struct ent_writer *w, const struct ent_batch *b, size_t row, struct ent_buf *plain)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_BATCH_BYTES_HARD * 8);
	for (size_t c = 0; c < w->n_fields; c++) {
		ent_buf_reset(&text);
		cell_text(&b->columns[c], row, plain, &text);
		cell_put(w, c, ent_view_null(&b->columns[c], row), ent_buf_bytes(&text), "");
	}
}

static int table_begin(struct ent_writer *w, struct ent_err *err)
{
	(void)err;
	for (size_t c = 0; c < w->n_fields; c++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf name = ENT_BUF(4096);
		escaped_put(&name, ent_bytes_str(w->fields[c].name));
		w->widths[c] = ent_text_width(ent_buf_bytes(&name));
	}
	return 0;
}

static int table_batch(struct ent_writer *w, const struct ent_batch *b, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf plain = ENT_BUF(ENT_BATCH_BYTES_HARD);
	for (size_t r = 0; r < b->rows; r++) {
		if (!w->printing && w->sampled < w->style.sample_max && w->cells.len < ENT_BATCH_BYTES_MAX) {
			row_sample(w, b, r, &plain);
			continue;
		}
		if (!w->printing)
			ENT_TRY(sample_print(w, err));
		row_print(w, b, r, &plain);
		ENT_TRY(ent_writer_flush(w, false, err));
	}
	return 0;
}

static int table_end(struct ent_writer *w, struct ent_err *err) { return w->printing ? 0 : sample_print(w, err); }

const struct ent_writer_ops ent_writer_table = { table_begin, table_batch, table_end };
