/* Reading by scanners: the next page is asked for while the last one is decoded; a scanner that is lost is opened again behind its last row. */
#include <stdio.h>
#include <stdlib.h>

#include "hb.h"

#define PAGE_FIRST 64
#define PAGE_MAX 5000
#define PAGE_BYTES ((size_t)1 << 20)
#define LOST_MAX 3

/* --- one scanner --- */

void ent_hb_cursor_begin(struct ent_hb_cursor *c, struct ent_source *s, const struct ent_hb_table *t, const struct ent_hb_scan_spec *spec)
{
	*c = (struct ent_hb_cursor){ .s = s, .table = t, .spec = *spec, .page_rows = PAGE_FIRST };
	c->start.max = c->stop.max = ENT_HB_KEY_BYTES_MAX + 2;
	ent_buf_put(&c->start, spec->start.data, spec->start.len);
	ent_buf_put(&c->stop, spec->stop.data, spec->stop.len);
}

void ent_hb_cursor_end(struct ent_hb_cursor *c)
{
	struct ent_hb_answer a;
	if (c->open && c->s->link) { /* what was asked for comes first, and nobody wants it */
		ent_thrift_put_i32(ent_hb_ask(c->s, "closeScanner"), 1, c->id);
		if (!ent_hb_send(c->s, false, NULL))
			(void)ent_hb_wait(c->s, "", &a, NULL);
	}
	ent_buf_deinit(&c->start);
	ent_buf_deinit(&c->stop);
	ent_buf_deinit(&c->page);
	c->open = false;
}

static int scanner_open(struct ent_hb_cursor *c, struct ent_err *err)
{
	struct ent_hb_answer a;
	struct ent_hb_scan_spec spec = c->spec;
	spec.start = ent_buf_bytes(&c->start);
	spec.stop = ent_buf_bytes(&c->stop);
	spec.page = c->page_rows;
	ENT_TRY(ent_buf_check(&c->start, err));
	struct ent_buf *b = ent_hb_ask(c->s, "openScanner");
	ent_thrift_put_binary(b, 1, ent_hb_full(c->table));
	ent_hb_put_scan(b, 2, &spec);
	ENT_TRY(ent_hb_call(c->s, "the table cannot be read", &a, err));
	ENT_TRY(ent_hb_answer_i32(&a, &c->id, err));
	c->open = true;
	return 0;
}

static int page_ask(struct ent_hb_cursor *c, struct ent_err *err)
{
	struct ent_buf *b = ent_hb_ask(c->s, "getScannerRows");
	ent_thrift_put_i32(b, 1, c->id);
	ent_thrift_put_i32(b, 2, c->page_rows);
	c->asked = true;
	c->sequence = c->s->sequence;
	return ent_hb_send(c->s, false, err);
}

static void page_resize(struct ent_hb_cursor *c, uint32_t rows, size_t bytes)
{
	size_t fit = PAGE_BYTES / (bytes / rows + 1) + 1, most = (size_t)c->page_rows * 8;
	fit = fit < most ? fit : most;
	c->page_rows = (int32_t)(fit < PAGE_MAX ? fit : PAGE_MAX);
}

/* Where to go on after a loss: behind the last row of the page. */
static int page_last(struct ent_hb_cursor *c, struct ent_err *err)
{
	struct ent_hb_rows rows = c->rows;
	struct ent_hb_row row = { 0 };
	while (rows.n)
		ENT_TRY(ent_hb_row_next(&rows, &row, err));
	ent_buf_reset(&c->start);
	ent_buf_put(&c->start, row.key.data, row.key.len);
	ent_buf_u8(&c->start, 0); /* the key that follows it */
	return ent_buf_check(&c->start, err);
}

static int page_take(struct ent_hb_cursor *c, struct ent_err *err)
{
	struct ent_hb_answer a;
	c->asked = false;
	ENT_TRY(ent_hb_wait(c->s, "the table cannot be read", &a, err));
	struct ent_buf page = c->page; /* the answer's bytes stay ours while the next one comes */
	c->page = c->s->reply;
	c->s->reply = page;
	ENT_TRY(ent_hb_answer_rows(&a, &c->rows, err));
	c->lost = 0;
	if (!c->rows.n) {
		c->over = true;
		return 0;
	}
	page_resize(c, c->rows.n, c->page.len);
	ENT_TRY(page_last(c, err));
	return c->ahead ? page_ask(c, err) : 0;
}

/* Another call came between, and the page that was asked for is lost with it. */
static bool page_missed(const struct ent_hb_cursor *c) { return c->asked && (!c->s->pending || c->s->sequence != c->sequence); }

/* A scanner ends with its server, its region or its lease: that is no failure yet. */
static int page_next(struct ent_hb_cursor *c, struct ent_err *err)
{
	struct ent_err probe = ENT_ERR_INIT;
	for (;;) {
		if (page_missed(c))
			c->open = c->asked = false;
		int code = c->open ? 0 : scanner_open(c, err);
		ENT_TRY(code);
		code = c->asked ? 0 : page_ask(c, &probe);
		code = code ? code : page_take(c, &probe);
		if (!code)
			return 0;
		c->open = c->asked = false;
		bool passing = code == ENT_EIO || code == ENT_EAGAIN;
		if (passing && c->lost++ < LOST_MAX && !ent_hb_cancelled(c->s)) {
			if (!c->s->link)
				(void)ent_hb_connect(c->s, NULL); /* a failure shows, and is mended, at the next call */
			continue;
		}
		if (err)
			*err = probe;
		return code;
	}
}

int ent_hb_cursor_next(struct ent_hb_cursor *c, struct ent_hb_row *ret, struct ent_err *err)
{
	*ret = (struct ent_hb_row){ 0 };
	while (!c->rows.n && !c->over)
		ENT_TRY(page_next(c, err));
	return c->over ? 0 : ent_hb_row_next(&c->rows, ret, err);
}

int ent_hb_scan_some(struct ent_source *s, const char *full, const struct ent_hb_scan_spec *spec, int32_t rows, const char *what,
		     struct ent_hb_rows *ret, struct ent_err *err)
{
	struct ent_hb_answer a;
	struct ent_buf *b = ent_hb_ask(s, "getScannerResults");
	ent_thrift_put_binary(b, 1, ent_bytes_str(full));
	ent_hb_put_scan(b, 2, spec);
	ent_thrift_put_i32(b, 3, rows);
	ENT_TRY(ent_hb_call(s, what, &a, err));
	return ent_hb_answer_rows(&a, ret, err);
}

/* --- streams --- */

struct feed {
	struct ent_hb_reader reader;
	struct ent_hb_cursor cursor;
	char *filter;
	bool over;
};

static void feed_free(void *self)
{
	struct feed *f = (struct feed *)self;
	if (!f)
		return;
	if (f->cursor.s)
		f->cursor.s->busy = false;
	ent_hb_cursor_end(&f->cursor);
	ent_hb_reader_deinit(&f->reader);
	free(f->filter);
	free(f);
}
static void feed_freep(struct feed **f) { feed_free(*f); }

static int feed_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct feed *f = (struct feed *)self;
	if (ent_hb_cancelled(f->cursor.s))
		return ent_fail(err, ENT_ECANCELLED, "reading from HBase was cancelled");
	while (!f->over && !ent_builder_full(f->reader.builder)) {
		struct ent_hb_row row;
		ENT_TRY(ent_hb_cursor_next(&f->cursor, &row, err));
		f->over = !row.key.len;
		if (!f->over)
			ENT_TRY(ent_hb_reader_row(&f->reader, &row, NULL, err));
	}
	return ent_builder_rows(f->reader.builder) ? ent_builder_finish(f->reader.builder, ret, err) : 0;
}

static const struct ent_stream_ops feed_ops = { feed_next, feed_free };

/* "rows LOW HIGH": hexadecimal digits, or - for an open end. */
static bool bound_read(const char *text, size_t len, uint8_t out[64], struct ent_bytes *ret)
{
	*ret = ent_bytes(out, len / 2);
	if (len == 1 && text[0] == '-')
		return true;
	return len && len % 2 == 0 && len <= 128 && ent_unhex(out, len / 2, text, len);
}

static int split_read(const char *split, uint8_t low[64], uint8_t high[64], struct ent_hb_scan_spec *ret, struct ent_err *err)
{
	const char *second;
	if (!split)
		return 0;
	if (!strncmp(split, "rows ", 5) && (second = strchr(split + 5, ' ')) &&
	    bound_read(split + 5, (size_t)(second - split) - 5, low, &ret->start) && bound_read(second + 1, strlen(second + 1), high, &ret->stop))
		return 0;
	return ent_fail(err, ENT_EUSAGE, "%.60s is no part of an HBase table", split);
}

int ent_hb_scan(struct ent_source *s, const char *object, const struct ent_hb_scan *what, struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_CLEANUP(feed_freep) struct feed *f = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_hb_scan_spec spec = { 0 };
	struct ent_hb_table *t;
	uint8_t low[64], high[64];
	if (s->busy)
		return ent_fail(err, ENT_EINTERNAL, "a stream of this source is still open");
	ENT_TRY(ent_hb_table_get(s, object, &t, err));
	f = (struct feed *)calloc(1, sizeof *f);
	if (!f || (what->where && !(f->filter = ent_strdup(what->where))))
		return ent_nomem(err);
	struct ent_hb_reading how = { .columns = what->columns, .n_columns = what->n_columns, .copy = what->copy };
	ENT_TRY(ent_hb_reader_init(&f->reader, t, &how, err));
	ENT_TRY(split_read(what->split, low, high, &spec, err));
	spec.filter = f->filter;
	ent_hb_cursor_begin(&f->cursor, s, t, &spec);
	f->cursor.ahead = true;
	s->busy = true;
	ENT_TRY(scanner_open(&f->cursor, err));
	ENT_TRY(ent_schema_dup(&f->reader.schema, &schema, err));
	struct feed *given = f;
	f = NULL;
	return ent_stream_new(&schema, &feed_ops, given, ret, err);
}
