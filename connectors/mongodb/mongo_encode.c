/* One row to one document. */
#include "mongo_encode.h"

#include <stdio.h>

#include "arrow/value.h"

#define DAY_MS 86400000
#define DOUBLE_EXACT ((int64_t)1 << 53)
#define DOCUMENT_BYTES_MAX (16u << 20)
#define TEXT_BYTES_MAX ((size_t)64 << 20)

struct cell { /* one value on its way */
	const struct ent_mongo_column *column;
	const struct ent_view *view;
	size_t row;
	uint32_t kind;
	bson_t *doc;
	const char *name;
};

static int refuse(const struct ent_mongo_plan *p, const struct cell *c, const char *why, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(TEXT_BYTES_MAX);
	ent_value_put(c->view, c->row, &text);
	ent_fail(err, ENT_EDATA, "row %llu of column %.200s cannot be written to MongoDB: %.60s", (unsigned long long)(p->rows_before + c->row + 1),
		 c->column->name, ent_buf_text(&text));
	return ent_why(err, "%s", why), ENT_EDATA;
}

/* Each returns NULL, or why the value cannot be written. */
static const char *const full = "the document would become too large";
static const char *done(bool ok) { return ok ? NULL : full; }

static const char *double_put(const struct cell *c)
{
	if (ent_type_is_float(c->view->type))
		return done(bson_append_double(c->doc, c->name, -1, ent_view_real(c->view, c->row)));
	int64_t v = ent_view_int(c->view, c->row);
	if (v < -DOUBLE_EXACT || v > DOUBLE_EXACT)
		return "no double holds this number exactly";
	return done(bson_append_double(c->doc, c->name, -1, (double)v));
}

static const char *decimal_put(const struct cell *c)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(TEXT_BYTES_MAX);
	bson_decimal128_t dec;
	ent_value_put(c->view, c->row, &text);
	if (!bson_decimal128_from_string(ent_buf_text(&text), &dec))
		return "it is no decimal of at most 34 digits";
	return done(bson_append_decimal128(c->doc, c->name, -1, &dec));
}

static const char *date_put(const struct cell *c)
{
	int64_t v = ent_view_int(c->view, c->row), ms;
	if (c->view->type.id == ENT_T_DATE) {
		if (v == INT32_MAX || v == INT32_MIN)
			return "MongoDB has no infinite dates";
		ms = v * DAY_MS;
	} else {
		if (v == INT64_MAX || v == INT64_MIN)
			return "MongoDB has no infinite times";
		int64_t rest = (v % 1000 + 1000) % 1000;
		if (rest && !c->column->micros)
			return "dates of this collection have milliseconds only";
		ms = (v - rest) / 1000;
	}
	return done(bson_append_date_time(c->doc, c->name, -1, ms));
}

static const char *string_put(const struct cell *c)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(TEXT_BYTES_MAX);
	if (c->view->type.id == ENT_T_TEXT) {
		struct ent_bytes b = ent_view_text(c->view, c->row);
		return b.len > DOCUMENT_BYTES_MAX ? full : done(bson_append_utf8(c->doc, c->name, -1, b.len ? (const char *)b.data : "", (int)b.len));
	}
	ent_value_put(c->view, c->row, &text);
	return done(!text.code && bson_append_utf8(c->doc, c->name, -1, ent_buf_text(&text), (int)text.len));
}

static const char *oid_put(const struct cell *c)
{
	struct ent_bytes b = ent_view_text(c->view, c->row);
	bson_oid_t oid;
	if (b.len != 24 || !ent_unhex(oid.bytes, sizeof oid.bytes, (const char *)b.data, b.len))
		return "it is no object id (24 lower-case hexadecimal digits)";
	return done(bson_append_oid(c->doc, c->name, -1, &oid));
}

static const char *uuid_put(const struct cell *c)
{
	static const char bad[] = "it is no UUID in its usual form (lower case)";
	struct ent_bytes b = ent_view_text(c->view, c->row);
	char hex[32];
	uint8_t raw[16];
	size_t n = 0;
	for (size_t i = 0; i < b.len && b.len == 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash != (b.data[i] == '-'))
			return bad;
		if (!dash)
			hex[n++] = (char)b.data[i];
	}
	if (n != 32 || !ent_unhex(raw, sizeof raw, hex, n))
		return bad;
	return done(bson_append_binary(c->doc, c->name, -1, BSON_SUBTYPE_UUID, raw, sizeof raw));
}

static const char *bytes_put(const struct cell *c)
{
	struct ent_bytes b = ent_view_text(c->view, c->row);
	static const uint8_t none[1];
	if (b.len > DOCUMENT_BYTES_MAX)
		return full;
	return done(bson_append_binary(c->doc, c->name, -1, BSON_SUBTYPE_BINARY, b.len ? b.data : none, (uint32_t)b.len));
}

/* The value of {"v": JSON}. */
static const char *json_put(const struct cell *c)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(TEXT_BYTES_MAX);
	struct ent_bytes b = ent_view_text(c->view, c->row);
	bson_iter_t at;
	bool ok = false;
	ent_buf_str(&text, "{\"v\":");
	ent_buf_put(&text, b.data, b.len);
	ent_buf_str(&text, "}");
	bson_t *holder = text.code ? NULL : bson_new_from_json(text.data, (ssize_t)text.len, NULL);
	if (holder) {
		ok = bson_count_keys(holder) == 1 && bson_iter_init_find(&at, holder, "v") && bson_append_iter(c->doc, c->name, -1, &at);
		bson_destroy(holder);
	}
	return ok ? NULL : "it is no extended JSON";
}

static const char *cell_put(const struct cell *c)
{
	switch (c->kind) {
	case 0:
		return json_put(c);
	case ENT_MK_BOOL:
		return done(bson_append_bool(c->doc, c->name, -1, ent_view_int(c->view, c->row) != 0));
	case ENT_MK_INT:
		return done(bson_append_int32(c->doc, c->name, -1, (int32_t)ent_view_int(c->view, c->row)));
	case ENT_MK_LONG:
		return done(bson_append_int64(c->doc, c->name, -1, ent_view_int(c->view, c->row)));
	case ENT_MK_DOUBLE:
		return double_put(c);
	case ENT_MK_DECIMAL:
		return decimal_put(c);
	case ENT_MK_DATE:
		return date_put(c);
	case ENT_MK_OID:
		return oid_put(c);
	case ENT_MK_UUID:
		return uuid_put(c);
	case ENT_MK_BYTES:
		return bytes_put(c);
	default:
		return string_put(c);
	}
}

int ent_mongo_encode_value(const struct ent_mongo_plan *p, const struct ent_batch *batch, size_t first_column, size_t row, size_t column,
			   const char *name, bson_t *doc, struct ent_err *err)
{
	const struct cell c = { &p->columns.all[column], &batch->columns[first_column + column], row, p->kinds[column], doc, name };
	const char *why = ent_view_null(c.view, row) ? done(bson_append_null(doc, name, -1)) : cell_put(&c);
	return why ? refuse(p, &c, why, err) : 0;
}

/* --- nesting --- */

struct row { /* one row on its way */
	const struct ent_mongo_plan *plan;
	const struct ent_batch *batch;
	size_t first_column, row;
};

static bool cell_null(const struct row *r, int column) { return ent_view_null(&r->batch->columns[r->first_column + (size_t)column], r->row); }

/* Whether anything below the node is written. */
static bool any_below(const struct row *r, const struct ent_mongo_node *n)
{
	if (n->column >= 0)
		return !cell_null(r, n->column) || r->plan->columns.all[n->column].null_kept;
	for (const struct ent_mongo_node *c = n->first; c; c = c->next)
		if (any_below(r, c))
			return true;
	return false;
}

static int node_put(const struct row *r, const struct ent_mongo_node *n, bson_t *doc, struct ent_err *err);

static int inner_put(const struct row *r, const struct ent_mongo_node *n, bson_t *doc, struct ent_err *err)
{
	bson_t in;
	if (!bson_append_document_begin(doc, n->name, -1, &in))
		return ent_nomem(err);
	int code = 0;
	for (const struct ent_mongo_node *c = n->first; c && !code; c = c->next)
		code = node_put(r, c, &in, err);
	bson_append_document_end(doc, &in);
	return code;
}

static int node_put(const struct row *r, const struct ent_mongo_node *n, bson_t *doc, struct ent_err *err)
{
	if (!any_below(r, n))
		return 0;
	if (n->column < 0)
		return inner_put(r, n, doc, err);
	return ent_mongo_encode_value(r->plan, r->batch, r->first_column, r->row, (size_t)n->column, n->name, doc, err);
}

static int key_check(const struct row *r, struct ent_err *err)
{
	for (size_t i = 0; i < r->plan->columns.n; i++)
		if (r->plan->columns.all[i].key && cell_null(r, (int)i))
			return ent_fail(err, ENT_EDATA, "row %llu of the key column %.200s is NULL",
					(unsigned long long)(r->plan->rows_before + r->row + 1), r->plan->columns.all[i].name);
	return 0;
}

static int micros_put(const struct row *r, bson_t *doc, struct ent_err *err)
{
	bson_t in;
	bool open = false, ok = true;
	for (size_t i = 0; i < r->plan->columns.n; i++) {
		const struct ent_mongo_column *c = &r->plan->columns.all[i];
		const struct ent_view *v = &r->batch->columns[r->first_column + i];
		int64_t rest = c->micros && !ent_view_null(v, r->row) ? (ent_view_int(v, r->row) % 1000 + 1000) % 1000 : 0;
		if (!rest)
			continue;
		ok = ok && (open || bson_append_document_begin(doc, ENT_MONGO_MICROS, -1, &in));
		open = true;
		ok = ok && bson_append_int32(&in, c->name, -1, (int32_t)rest);
	}
	if (open)
		ok = bson_append_document_end(doc, &in) && ok;
	return ok ? 0 : ent_nomem(err);
}

int ent_mongo_encode(const struct ent_mongo_plan *p, const struct ent_batch *batch, size_t first_column, size_t row, bson_t *doc, struct ent_err *err)
{
	const struct row r = { p, batch, first_column, row };
	ENT_TRY(key_check(&r, err));
	for (const struct ent_mongo_node *n = p->tree->first; n; n = n->next)
		ENT_TRY(node_put(&r, n, doc, err));
	ENT_TRY(micros_put(&r, doc, err));
	if (doc->len > DOCUMENT_BYTES_MAX) {
		ent_fail(err, ENT_EDATA, "row %llu makes a document of %u bytes", (unsigned long long)(p->rows_before + row + 1), doc->len);
		return ent_why(err, "MongoDB takes at most %u", DOCUMENT_BYTES_MAX), ENT_EDATA;
	}
	return 0;
}

int ent_mongo_encode_key(const struct ent_mongo_plan *p, const struct ent_batch *batch, size_t first_column, size_t row, bson_t *doc,
			 struct ent_err *err)
{
	const struct row r = { p, batch, first_column, row };
	ENT_TRY(key_check(&r, err));
	return node_put(&r, p->tree->first, doc, err);
}
