/* Field numbers are those of HBase's hbase.thrift (service THBaseService). */
#include "hb_message.h"

#define MESSAGE_MAX 400 /* of a server's text that is kept */

/* --- requests --- */

static void attribute_put(struct ent_buf *out, int16_t id, const char *name, struct ent_bytes value)
{
	ent_thrift_put_field(out, ENT_THRIFT_MAP, id);
	ent_buf_u8(out, ENT_THRIFT_BINARY);
	ent_buf_u8(out, ENT_THRIFT_BINARY);
	ent_buf_be32(out, 1);
	ent_thrift_put_value(out, ent_bytes_str(name));
	ent_thrift_put_value(out, value);
}

void ent_hb_put_scan(struct ent_buf *out, int16_t id, const struct ent_hb_scan_spec *s)
{
	static const uint8_t yes = 0xff;
	ent_thrift_put_field(out, ENT_THRIFT_STRUCT, id);
	if (s->start.len)
		ent_thrift_put_binary(out, 1, s->start);
	if (s->stop.len)
		ent_thrift_put_binary(out, 2, s->stop);
	if (s->page)
		ent_thrift_put_i32(out, 4, s->page);
	if (s->to_ms) {
		ent_thrift_put_field(out, ENT_THRIFT_STRUCT, 6);
		ent_thrift_put_i64(out, 1, s->from_ms);
		ent_thrift_put_i64(out, 2, s->to_ms);
		ent_thrift_put_stop(out);
	}
	if (s->filter)
		ent_thrift_put_binary(out, 7, ent_bytes_str(s->filter));
	if (s->raw) /* how HBase's own client says it */
		attribute_put(out, 9, "_raw_", ent_bytes(&yes, 1));
	if (s->reversed)
		ent_thrift_put_bool(out, 11, true);
	ent_thrift_put_bool(out, 12, false); /* a copy reads everything once: nothing of it belongs into the servers' caches */
	if (s->limit)
		ent_thrift_put_i32(out, 15, s->limit);
	ent_thrift_put_stop(out);
}

void ent_hb_put_table_name(struct ent_buf *out, int16_t id, struct ent_bytes ns, struct ent_bytes name)
{
	ent_thrift_put_field(out, ENT_THRIFT_STRUCT, id);
	ent_thrift_put_binary(out, 1, ns);
	ent_thrift_put_binary(out, 2, name);
	ent_thrift_put_stop(out);
}

void ent_hb_put_family(struct ent_buf *out, struct ent_bytes family)
{
	ent_thrift_put_binary(out, 1, family);
	ent_thrift_put_stop(out);
}

void ent_hb_put_begin(struct ent_buf *out, struct ent_bytes row, uint32_t n_cells)
{
	ent_thrift_put_binary(out, 1, row);
	ent_thrift_put_list(out, 2, ENT_THRIFT_STRUCT, n_cells);
}

void ent_hb_put_cell(struct ent_buf *out, struct ent_bytes family, struct ent_bytes qualifier, struct ent_bytes value)
{
	ent_thrift_put_binary(out, 1, family);
	ent_thrift_put_binary(out, 2, qualifier);
	ent_thrift_put_binary(out, 3, value);
	ent_thrift_put_stop(out);
}

void ent_hb_put_end(struct ent_buf *out, int64_t timestamp)
{
	if (timestamp)
		ent_thrift_put_i64(out, 3, timestamp);
	ent_thrift_put_stop(out);
}

void ent_hb_delete_begin(struct ent_buf *out, struct ent_bytes row, uint32_t n_columns)
{
	ent_thrift_put_binary(out, 1, row);
	if (n_columns)
		ent_thrift_put_list(out, 2, ENT_THRIFT_STRUCT, n_columns);
}

void ent_hb_delete_column(struct ent_buf *out, struct ent_bytes family, struct ent_bytes qualifier, int64_t timestamp)
{
	ent_thrift_put_binary(out, 1, family);
	ent_thrift_put_binary(out, 2, qualifier);
#ifdef ENT_MUTANT_HB_DELETE_TIME
	timestamp = 0;
#endif
	if (timestamp)
		ent_thrift_put_i64(out, 3, timestamp);
	ent_thrift_put_stop(out);
}

void ent_hb_delete_end(struct ent_buf *out, uint32_t n_columns, int64_t timestamp)
{
	if (timestamp)
		ent_thrift_put_i64(out, 3, timestamp);
	ent_thrift_put_i32(out, 4, n_columns ? ENT_HB_DELETE_COLUMNS : ENT_HB_DELETE_FAMILY);
	ent_thrift_put_stop(out);
}

/* --- replies --- */

static int unlike(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EPEER, "HBase's Thrift2 server answered with something else");
	return ent_why(err, "%s", why), ENT_EPEER;
}

/* TIOError and TIllegalArgument: 1 message, 2 canRetry; TApplicationException: 1 message, 2 kind. */
static void failure_read(struct ent_reader *r, struct ent_hb_answer *a)
{
	struct ent_thrift_field f;
	while (ent_thrift_field(r, &f)) {
		if (f.id == 1 && f.type == ENT_THRIFT_BINARY)
			a->text = ent_thrift_binary(r);
		else if (f.id == 2 && f.type == ENT_THRIFT_BOOL)
			a->can_retry = ent_thrift_bool(r);
		else
			ent_thrift_skip(r, f.type);
	}
	if (a->text.len > MESSAGE_MAX)
		a->text.len = MESSAGE_MAX;
}

int ent_hb_answer(struct ent_bytes frame, const char *method, struct ent_hb_answer *ret, struct ent_err *err)
{
	struct ent_thrift_message m;
	struct ent_thrift_field f;
	ENT_TRY(ent_thrift_message(frame, &m, err));
	struct ent_hb_answer a = { .sequence = m.sequence };
	if (!ent_bytes_eq(m.name, ent_bytes_str(method)))
		return unlike("the reply is to another call", err);
	if (m.kind == ENT_THRIFT_EXCEPTION) {
		a.outcome = ENT_HB_BROKEN;
		failure_read(&m.body, &a);
		*ret = a;
		return 0;
	}
	while (ent_thrift_field(&m.body, &f)) {
		if (f.id == 0) {
			a.type = f.type;
			a.value = m.body;
		} else if (f.type == ENT_THRIFT_STRUCT && (f.id == 1 || f.id == 2)) {
			a.outcome = f.id == 1 ? ENT_HB_IO : ENT_HB_INVALID;
			failure_read(&m.body, &a);
			continue;
		}
		ent_thrift_skip(&m.body, f.type);
	}
	*ret = a;
	return 0;
}

static int result_is(const struct ent_hb_answer *a, uint8_t type, struct ent_err *err)
{
	return a->type == type ? 0 : unlike("the result is of another type", err);
}

int ent_hb_answer_i32(const struct ent_hb_answer *a, int32_t *ret, struct ent_err *err)
{
	struct ent_reader r = a->value;
	ENT_TRY(result_is(a, ENT_THRIFT_I32, err));
	*ret = ent_thrift_i32(&r);
	return 0;
}

int ent_hb_answer_bool(const struct ent_hb_answer *a, bool *ret, struct ent_err *err)
{
	struct ent_reader r = a->value;
	ENT_TRY(result_is(a, ENT_THRIFT_BOOL, err));
	*ret = ent_thrift_bool(&r);
	return 0;
}

int ent_hb_answer_text(const struct ent_hb_answer *a, struct ent_bytes *ret, struct ent_err *err)
{
	struct ent_reader r = a->value;
	ENT_TRY(result_is(a, ENT_THRIFT_BINARY, err));
	*ret = ent_thrift_binary(&r);
	return 0;
}

/* --- rows --- */

static int structs_begin(const struct ent_hb_answer *a, struct ent_hb_rows *ret, struct ent_err *err)
{
	uint8_t element;
	ENT_TRY(result_is(a, ENT_THRIFT_LIST, err));
	ret->at = a->value;
	ret->n = ent_thrift_list(&ret->at, &element);
	return ret->n && element != ENT_THRIFT_STRUCT ? unlike("the list holds no structs", err) : 0;
}

int ent_hb_answer_rows(const struct ent_hb_answer *a, struct ent_hb_rows *ret, struct ent_err *err) { return structs_begin(a, ret, err); }

static int result_read(struct ent_reader *r, struct ent_hb_row *ret, struct ent_err *err)
{
	struct ent_hb_row row = { .key = ent_bytes("", 0) };
	struct ent_thrift_field f;
	uint8_t element = ENT_THRIFT_STRUCT;
	while (ent_thrift_field(r, &f)) {
		if (f.id == 1 && f.type == ENT_THRIFT_BINARY) {
			row.key = ent_thrift_binary(r);
			continue;
		}
		if (f.id == 2 && f.type == ENT_THRIFT_LIST) {
			row.cells = *r;
			row.n_cells = ent_thrift_list(&row.cells, &element);
		}
		ent_thrift_skip(r, f.type);
	}
	if (!r->ok || (row.n_cells && (element != ENT_THRIFT_STRUCT || !row.key.len)))
		return unlike("a row has no key, or its cells are none", err);
	*ret = row;
	return 0;
}

int ent_hb_answer_row(const struct ent_hb_answer *a, struct ent_hb_row *ret, struct ent_err *err)
{
	struct ent_reader r = a->value;
	ENT_TRY(result_is(a, ENT_THRIFT_STRUCT, err));
	return result_read(&r, ret, err);
}

int ent_hb_row_next(struct ent_hb_rows *rows, struct ent_hb_row *ret, struct ent_err *err)
{
	rows->n--;
	return result_read(&rows->at, ret, err);
}

int ent_hb_cell_next(struct ent_hb_row *row, struct ent_hb_cell *ret, struct ent_err *err)
{
	struct ent_hb_cell c = { .timestamp = 0 };
	struct ent_thrift_field f;
	row->n_cells--;
	while (ent_thrift_field(&row->cells, &f)) {
		if (f.type == ENT_THRIFT_BINARY && f.id >= 1 && f.id <= 3)
			*(f.id == 1 ? &c.family : f.id == 2 ? &c.qualifier : &c.value) = ent_thrift_binary(&row->cells);
		else if (f.id == 4 && f.type == ENT_THRIFT_I64)
			c.timestamp = ent_thrift_i64(&row->cells);
		else if (f.id == 6 && f.type == ENT_THRIFT_BYTE)
			c.type = ent_read_u8(&row->cells);
		else
			ent_thrift_skip(&row->cells, f.type);
	}
	if (!row->cells.ok || !c.family.data || !c.qualifier.data || !c.value.data)
		return unlike("a cell lacks its family, qualifier or value", err);
	*ret = c;
	return 0;
}

/* --- tables --- */

/* The binary field want of the struct field in of a struct; empty when it is not there. */
static struct ent_bytes binary_within(struct ent_reader *r, int16_t in, int16_t want)
{
	struct ent_bytes found = ent_bytes("", 0);
	struct ent_thrift_field f;
	while (ent_thrift_field(r, &f)) {
		if (in < 0 && f.id == want && f.type == ENT_THRIFT_BINARY) {
			found = ent_thrift_binary(r);
		} else if (f.id == in && f.type == ENT_THRIFT_STRUCT) {
			found = binary_within(r, -1, want);
		} else {
			ent_thrift_skip(r, f.type);
		}
	}
	return found;
}

int ent_hb_answer_regions(const struct ent_hb_answer *a, int (*take)(void *arg, struct ent_bytes start, struct ent_err *err), void *arg,
			  struct ent_err *err)
{
	struct ent_hb_rows list;
	ENT_TRY(structs_begin(a, &list, err));
	for (; list.n; list.n--) {
		struct ent_bytes start = binary_within(&list.at, 2, 3);
		if (!list.at.ok)
			return unlike("a region is not well formed", err);
		ENT_TRY(take(arg, start, err));
	}
	return 0;
}

int ent_hb_answer_families(const struct ent_hb_answer *a, int (*take)(void *arg, struct ent_bytes family, struct ent_err *err), void *arg,
			   struct ent_err *err)
{
	struct ent_reader r = a->value;
	struct ent_thrift_field f;
	ENT_TRY(result_is(a, ENT_THRIFT_STRUCT, err));
	while (ent_thrift_field(&r, &f)) {
		uint8_t element;
		if (f.id != 2 || f.type != ENT_THRIFT_LIST) {
			ent_thrift_skip(&r, f.type);
			continue;
		}
		uint32_t n = ent_thrift_list(&r, &element);
		if (n && element != ENT_THRIFT_STRUCT)
			return unlike("a table's families are none", err);
		for (; n; n--)
			ENT_TRY(take(arg, binary_within(&r, -1, 1), err));
	}
	return r.ok ? 0 : unlike("a table's description is not well formed", err);
}
