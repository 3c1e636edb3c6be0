/* CQL version 4: requests to the byte, answers as a real server sent them, and no prefix or altered byte that breaks the reader. */
#include "wire/cql.h"

#include "cql_recorded.h"
#include "tap.h"

static struct ent_buf raw = ENT_BUF(1 << 20);

static struct ent_bytes unhex(const char *hex)
{
	ent_buf_reset(&raw);
	size_t n = strlen(hex) / 2;
	uint8_t *out = ent_buf_space(&raw, n);
	ENT_ASSERT(out && ent_unhex(out, n, hex, n * 2));
	return ent_buf_bytes(&raw);
}

/* The one event of recorded bytes; parser lends what it holds. */
static int decode(struct ent_cql_parser *p, const char *hex, struct ent_cql_event *ret, int16_t *ret_stream)
{
	struct ent_cql_frame f;
	ent_cql_parser_init(p, 1 << 20);
	ENT_TRY(ent_cql_parser_put(p, unhex(hex), NULL));
	ENT_TRY(ent_cql_parser_next(p, &f, NULL));
	*ret_stream = f.stream;
	return ent_cql_event(&f, ret, NULL);
}

static bool is(struct ent_bytes b, const char *text) { return ent_bytes_eq(b, ent_bytes_str(text)); }

static void kinds(void)
{
	static const struct {
		const char *hex, *name;
		enum ent_cql_event_kind kind;
		unsigned error;
		int stream;
	} cases[] = { { cql_early_query, "a query before STARTUP", ENT_CQL_IS_ERROR, ENT_CQL_E_PROTOCOL, 0 },
		      { cql_supported, "SUPPORTED", ENT_CQL_IS_SUPPORTED, 0, 2 },
		      { cql_authenticate, "AUTHENTICATE", ENT_CQL_IS_AUTHENTICATE, 0, 3 },
		      { cql_bad_credentials, "wrong password", ENT_CQL_IS_ERROR, ENT_CQL_E_CREDENTIALS, 4 },
		      { cql_auth_success, "AUTH_SUCCESS", ENT_CQL_IS_AUTHENTICATED, 0, 6 },
		      { cql_schema_change, "CREATE", ENT_CQL_IS_SCHEMA_CHANGE, 0, 7 },
		      { cql_set_keyspace, "USE", ENT_CQL_IS_KEYSPACE, 0, 8 },
		      { cql_void, "INSERT", ENT_CQL_IS_VOID, 0, 12 },
		      { cql_unprepared, "an unknown id", ENT_CQL_IS_ERROR, ENT_CQL_E_UNPREPARED, 23 },
		      { cql_syntax, "no CQL", ENT_CQL_IS_ERROR, ENT_CQL_E_SYNTAX, 24 },
		      { cql_invalid, "no such table", ENT_CQL_IS_ERROR, ENT_CQL_E_INVALID, 25 },
		      { cql_exists, "a table twice", ENT_CQL_IS_ERROR, ENT_CQL_E_EXISTS, 26 },
		      { cql_unavailable, "two replicas of one", ENT_CQL_IS_ERROR, ENT_CQL_E_UNAVAILABLE, 28 } };
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		ENT_CLEANUP(ent_cql_parser_deinit) struct ent_cql_parser p;
		struct ent_cql_event e = { 0 };
		int16_t stream = -1;
		OK_INT(decode(&p, cases[i].hex, &e, &stream), 0, "%s is read", cases[i].name);
		OK(e.kind == cases[i].kind && e.error == cases[i].error && stream == cases[i].stream, "%s: kind, code %04x, stream %d", cases[i].name,
		   e.error, stream);
		if (e.kind == ENT_CQL_IS_ERROR)
			OK(e.text.len > 10 && strcmp(ent_cql_error_name(e.error), "?") != 0, "%s: %s %.*s", cases[i].name,
			   ent_cql_error_name(e.error), (int)e.text.len, (const char *)e.text.data);
		if (e.error == ENT_CQL_E_UNPREPARED)
			OK(is(e.id, "0123456789abcdef"), "which id is unknown");
		if (e.kind == ENT_CQL_IS_KEYSPACE)
			OK(is(e.text, "k"), "which keyspace");
	}
}

static void rows(void)
{
	static const uint16_t types[] = { 9,    1,    2,    3,    4,    6,    7,    8,    0x10, 0x13, 0x14, 0x0B, 0x0C,
					  0x0F, 0x0E, 0x11, 0x12, 0x00, 0x20, 0x21, 0x22, 0x30, 0x31, 0x0D, 0x20 };
	ENT_CLEANUP(ent_cql_parser_deinit) struct ent_cql_parser p;
	struct ent_cql_event e = { 0 };
	struct ent_cql_column c;
	struct ent_bytes cell = { 0 };
	int16_t stream;
	OK_INT(decode(&p, cql_rows_kinds, &e, &stream), 0, "a row with every type");
	OK(e.kind == ENT_CQL_IS_ROWS && e.n_rows == 2 && e.out.n_columns == 25 && e.out.global && !e.out.paging_state.len, "two rows, one page");
	size_t n = 0, as = 0;
	for (struct ent_bytes at = e.out.specs; ent_cql_column(&e.out, &at, &c); n++)
		as += n < ENT_COUNT(types) && c.type == types[n] && is(c.keyspace, "k") && is(c.table, "kinds") && c.name.len <= 2;
	OK(n == 25 && as == n, "columns with their types: %zu of %zu", as, n);
	size_t nulls = 0, cells = 0;
	while (cells < 50 && !ent_cql_cell(&e.cells, &cell, NULL)) {
		nulls += !cell.data;
		cells++;
		if (cells == 3)
			OK(is(cell, "") == false && cell.len == 8 && cell.data[0] == 0x80, "the smallest bigint");
	}
	OK(cells == 50 && nulls == 24 && !ent_reader_left(&e.cells), "every cell, NULLs told from values: %zu", nulls);
	OK_INT(ent_cql_cell(&e.cells, &cell, NULL), ENT_EPEER, "and not one more");
}

static void paging(void)
{
	ENT_CLEANUP(ent_cql_parser_deinit) struct ent_cql_parser p, q;
	struct ent_cql_event e = { 0 }, f = { 0 };
	struct ent_cql_column c;
	int16_t stream;
	OK_INT(decode(&p, cql_rows_paged, &e, &stream), 0, "a page");
	OK(e.n_rows == 2 && e.out.paging_state.len == 12, "and where to go on");
	OK_INT(decode(&q, cql_lwt_false, &f, &stream), 0, "a refused condition");
	struct ent_bytes at = f.out.specs;
	OK(ent_cql_column(&f.out, &at, &c) && is(c.name, "[applied]") && c.type == ENT_CQL_T_BOOLEAN, "says so in its first column");
}

static void prepared(void)
{
	ENT_CLEANUP(ent_cql_parser_deinit) struct ent_cql_parser p, q;
	struct ent_cql_event e = { 0 }, f = { 0 };
	struct ent_cql_column c = { 0 };
	int16_t stream;
	OK_INT(decode(&p, cql_prepared, &e, &stream), 0, "a prepared INSERT");
	OK(e.id.len == 16 && e.in.n_columns == 3 && e.out.none && !e.out.n_columns, "takes three values, gives no rows");
	struct ent_bytes at = e.in.specs;
	for (size_t i = 0; i < 3; i++)
		ent_cql_column(&e.in, &at, &c);
	OK(is(c.name, "[timestamp]") && c.type == ENT_CQL_T_BIGINT, "the last one is the write time");
	OK(!decode(&q, cql_prepared_select, &f, &stream) && f.out.n_columns == 2 && f.in.n_columns == 2, "a prepared SELECT");
}

/* Whatever the cut, frames come whole and in order; no prefix of an answer is one. */
static void cuts(void)
{
	static const char *const all[] = { cql_supported, cql_rows_kinds, cql_void, cql_prepared, cql_unprepared };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf wire = ENT_BUF(1 << 20);
	for (size_t i = 0; i < 20; i++) {
		struct ent_bytes b = unhex(all[i % ENT_COUNT(all)]);
		ent_buf_put(&wire, b.data, b.len);
	}
	bool ok = true;
	for (size_t cut = 1; cut < 4000; cut = cut * 2 + 1) {
		struct ent_cql_parser p;
		struct ent_cql_frame f;
		struct ent_cql_event e;
		size_t frames = 0;
		ent_cql_parser_init(&p, 4096);
		for (size_t at = 0; at < wire.len; at += cut) {
			ok = ok && !ent_cql_parser_put(&p, ent_bytes(wire.data + at, wire.len - at < cut ? wire.len - at : cut), NULL);
			int code;
			while (!(code = ent_cql_parser_next(&p, &f, NULL))) {
				ok = ok && !ent_cql_event(&f, &e, NULL);
				frames++;
			}
			ok = ok && code == ENT_EAGAIN;
		}
		ok = ok && frames == 20;
		ent_cql_parser_deinit(&p);
	}
	OK(ok, "frames come whole and in order whatever the cut");
}

static int first(const char *hex, size_t body_max)
{
	struct ent_cql_parser p;
	struct ent_cql_frame f;
	ent_cql_parser_init(&p, body_max);
	int code = ent_cql_parser_put(&p, unhex(hex), NULL);
	if (!code)
		code = ent_cql_parser_next(&p, &f, NULL);
	ent_cql_parser_deinit(&p);
	return code;
}

/* Rows whose body is cut short at every length, inside a frame that is whole. */
static size_t short_bodies(const char *hex)
{
	struct ent_bytes whole = unhex(hex);
	size_t accepted = 0;
	for (size_t len = 0; len + ENT_CQL_HEAD < whole.len; len++) {
		struct ent_cql_frame f = { .op = (enum ent_cql_op)whole.data[4], .body = ent_bytes(whole.data + ENT_CQL_HEAD, len) };
		struct ent_cql_event e;
		struct ent_bytes cell;
		int code = ent_cql_event(&f, &e, NULL);
		for (uint64_t i = code ? 0 : (uint64_t)e.n_rows * e.out.n_columns; i && !code; i--)
			code = ent_cql_cell(&e.cells, &cell, NULL);
		accepted += !code;
	}
	return accepted;
}

static void refusals(void)
{
	OK_INT(first("8400000c080000000400000001", 4), 0, "a body at the bound");
	OK_INT(first("8400000c080000000400000001", 3), ENT_EPEER, "one byte over it");
	OK_INT(first("8500000c080000000400000001", 100), ENT_EPEER, "another version");
	OK_INT(first("15", 100), ENT_EPEER, "a TLS alert is no frame");
	OK_INT(first("0400000c080000000400000001", 100), ENT_EPEER, "a request is no response");
	OK_INT(first("8400000c070000000400000001", 100), ENT_EPEER, "no server sends QUERY");
	OK_INT(first("84000000", 100), ENT_EAGAIN, "head not whole");
	OK_INT((long long)short_bodies(cql_rows_kinds), 0, "no rows cut short are accepted");
	OK_INT((long long)short_bodies(cql_prepared), 0, "no prepared statement cut short");
	OK_INT((long long)short_bodies(cql_unprepared), 0, "no error cut short");
	struct ent_cql_parser p;
	struct ent_cql_event e;
	int16_t stream;
	OK_INT(decode(&p, "8400000108000000100000000200000004000000017fffffff", &e, &stream), ENT_EPEER, "2^31 rows in no bytes");
	ent_cql_parser_deinit(&p);
	OK_INT(decode(&p, "8401000108000000080000000100000000", &e, &stream), ENT_EPEER, "compressed, which nobody agreed on");
	ent_cql_parser_deinit(&p);
	OK_INT(decode(&p, "840a0001080000001c0000000000000000000000000000000000010001780000000100000000", &e, &stream), 0, "tracing id and warnings");
	OK(e.kind == ENT_CQL_IS_VOID, "are stepped over");
	ent_cql_parser_deinit(&p);
}

static void expect(struct ent_buf *got, const char *hex, const char *what)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 16);
	OK(!got->code, "%s", what);
	ent_buf_hex(&text, got->data, got->len);
	OK_STR(ent_buf_text(&text), hex, "%s", what);
	ent_buf_reset(got);
}

static void requests(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16), values = ENT_BUF(1000);
	ent_cql_options(&out, 1);
	expect(&out, "040000010500000000", "OPTIONS");
	ent_cql_auth_plain(&out, 2, ent_bytes_str("u"), ent_bytes_str("pw"));
	expect(&out, "040000020f00000009000000050075007077", "AUTH_RESPONSE");
	ent_cql_prepare(&out, 3, ent_bytes_str("S"));
	expect(&out, "0400000309000000050000000153", "PREPARE");
	struct ent_cql_params p = { .consistency = ENT_CQL_LOCAL_QUORUM };
	ent_cql_query(&out, 4, ent_bytes_str("S"), &p);
	expect(&out,
	       "04000004070000000800000001530006"
	       "00",
	       "QUERY, nothing with it");
	ent_cql_put_i32(&values, -1);
	ent_cql_put_null(&values);
	ent_cql_put_unset(&values);
	ent_cql_put_text(&values, "");
	p = (struct ent_cql_params){ .consistency = ENT_CQL_ONE,
				     .serial = ENT_CQL_SERIAL,
				     .values = ent_buf_bytes(&values),
				     .n_values = 4,
				     .page_rows = 7,
				     .paging_state = ent_bytes("\xab", 1),
				     .timestamp_us = 5 };
	ent_cql_execute(&out, -1, ent_bytes("\x01\x02", 2), &p);
	expect(&out,
	       "0400ffff0a00000030000201020001"
	       "3d0004"
	       "00000004fffffffffffffffffffffffe00000000"
	       "0000000700000001ab00080000000000000005",
	       "EXECUTE with everything, in the protocol's order");
	const struct ent_cql_statement two[] = { { .id = ent_bytes("\x09", 1), .values = ent_bytes("\0\0\0\0", 4), .n_values = 1 },
						 { .text = ent_bytes_str("D") } };
	ent_cql_batch(&out, 5, ENT_CQL_UNLOGGED, two, 2, &(struct ent_cql_params){ .consistency = ENT_CQL_ONE });
	expect(&out,
	       "040000050d000000180100020100010900010000000000000000014400000001"
	       "00",
	       "BATCH of a prepared statement and a text");
	enum ent_cql_consistency c;
	OK(ent_cql_consistency_by_name("local_quorum", &c) && c == ENT_CQL_LOCAL_QUORUM && !ent_cql_consistency_by_name("most", &c), "levels");
}

static void offers(void)
{
	static const char body[] = "\0\2\0\3KEY\0\1\0\3lz4\0\13COMPRESSION\0\2\0\6snappy\0\3lz4";
	struct ent_cql_frame f = { .op = ENT_CQL_SUPPORTED, .body = ent_bytes(body, sizeof body - 1) };
	OK(ent_cql_offers(&f, "COMPRESSION", "lz4") && ent_cql_offers(&f, "COMPRESSION", "snappy"), "both are offered");
	OK(!ent_cql_offers(&f, "COMPRESSION", "zip") && !ent_cql_offers(&f, "KEY", "snappy"), "and nothing else");
	f.body.len--;
	OK(!ent_cql_offers(&f, "COMPRESSION", "lz4"), "a cut answer offers nothing");
	f.body.len++;
	f.op = ENT_CQL_READY;
	OK(!ent_cql_offers(&f, "COMPRESSION", "lz4"), "nor does another one");
}

int main(void)
{
	offers();
	kinds();
	rows();
	paging();
	prepared();
	cuts();
	refusals();
	requests();
	ent_buf_deinit(&raw);
	return tap_done();
}
