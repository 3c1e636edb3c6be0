/* Thrift: calls as HBase's server takes them, replies as it sent them (recorded from HBase 2.6.1), any cut, and what is no reply. */
#include "tap.h"
#include "wire/thrift.h"

/* getScannerResults: rows r1 (f:a = 1, f:b empty) and r2 (f:a = 00 ff) */
static const char rows[] =
	"80010002000000116765745363616e6e6572526573756c7473000000070f00000c000000020b00010000000272310f00020c000000020b000100000001660b0002000000"
	"01610b000300000001310a000400000000000003e803000604000b000100000001660b000200000001620b0003000000000a000400000000000003e803000604"
	"000200030002000400000b00010000000272320f00020c000000010b000100000001660b000200000001610b00030000000200ff0a000400000000000003e903"
	"00060400020003000200040000"
	"00";
static const char unknown[] =
	"800100030000000a66726f626e6963617465000000070b000100000021496e76616c6964206d6574686f64206e616d653a202766726f626e6963617465270800"
	"020000000100";

static size_t bytes_of(const char *hex, uint8_t *out, size_t max)
{
	size_t n = strlen(hex) / 2;
	OK(n <= max && ent_unhex(out, n, hex, 2 * n), "recorded bytes");
	return n;
}

static void test_call(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(1000);
	char hex[200];
	size_t at = ent_thrift_call_begin(&b, "getThriftServerType", 1);
	ent_thrift_call_end(&b, at);
	ent_hex(hex, b.data, b.len);
	OK_STR(hex, "00000020800100010000001367657454687269667453657276657254797065"
		    "0000000100");
	ent_buf_reset(&b);
	at = ent_thrift_call_begin(&b, "x", -1);
	ent_thrift_put_bool(&b, 1, true);
	ent_thrift_put_i32(&b, 2, -2);
	ent_thrift_put_i64(&b, 3, 3);
	ent_thrift_put_binary(&b, 4, ent_bytes_str("ab"));
	ent_thrift_put_list(&b, 5, ENT_THRIFT_BINARY, 1);
	ent_thrift_put_value(&b, ent_bytes_str(""));
	ent_thrift_call_end(&b, at);
	ent_hex(hex, b.data, b.len);
	OK_STR(hex, "00000039800100010000000178ffffffff"
		    "02000101"
		    "080002fffffffe"
		    "0a00030000000000000003"
		    "0b0004000000026162"
		    "0f00050b0000000100000000"
		    "00");
}

static void test_reply(void)
{
	uint8_t raw[600];
	struct ent_thrift_message m;
	struct ent_thrift_field f;
	struct ent_err e = ENT_ERR_INIT;
	uint8_t element;
	size_t n = bytes_of(rows, raw, sizeof raw);
	OK_INT(ent_thrift_message(ent_bytes(raw, n), &m, &e), 0, "a reply %s %s", e.what, e.why);
	OK(m.kind == ENT_THRIFT_REPLY && m.sequence == 7 && ent_bytes_eq(m.name, ent_bytes_str("getScannerResults")), "to this call");
	OK(ent_thrift_field(&m.body, &f) && f.id == 0 && f.type == ENT_THRIFT_LIST, "with a result");
	OK_INT(ent_thrift_list(&m.body, &element), 2, "of two");
	OK_INT(element, ENT_THRIFT_STRUCT, "structs");
	OK(ent_thrift_field(&m.body, &f) && f.id == 1 && ent_bytes_eq(ent_thrift_binary(&m.body), ent_bytes_str("r1")), "the first row's key");
	while (ent_thrift_field(&m.body, &f))
		ent_thrift_skip(&m.body, f.type);
	OK(m.body.ok && ent_thrift_field(&m.body, &f) && ent_bytes_eq(ent_thrift_binary(&m.body), ent_bytes_str("r2")), "the second one's");
	n = bytes_of(unknown, raw, sizeof raw);
	OK(!ent_thrift_message(ent_bytes(raw, n), &m, &e) && m.kind == ENT_THRIFT_EXCEPTION, "an exception");
}

static const struct {
	const char *hex, *name;
} bad[] = { { "80010002"
	      "00000001"
	      "78"
	      "00000000"
	      "0f0000"
	      "0b"
	      "7fffffff"
	      "00",
	      "a list longer than its frame" },
	    { "80010002"
	      "00000001"
	      "78"
	      "00000000"
	      "0f0000"
	      "05"
	      "00000001"
	      "0000",
	      "a list of no known type" },
	    { "80010002"
	      "00000001"
	      "78"
	      "00000000"
	      "050000"
	      "00"
	      "00",
	      "a field of no known type" },
	    { "80010002"
	      "7fffffff"
	      "78"
	      "00000000"
	      "00",
	      "a name longer than its frame" },
	    { "80010001"
	      "00000001"
	      "78"
	      "00000000"
	      "00",
	      "a call" },
	    { "00010002"
	      "00000001"
	      "78"
	      "00000000"
	      "00",
	      "the old form without a version" },
	    { "80010002"
	      "00000001"
	      "78"
	      "00000000"
	      "00"
	      "00",
	      "something after its end" },
	    { "80010002"
	      "00000001"
	      "78"
	      "00000000"
	      "0d0000"
	      "0b0b"
	      "40000000"
	      "00",
	      "a map longer than its frame" } };

/* Every prefix of a reply is refused, and every change of one byte is read or refused within its bounds. */
static void test_broken(void)
{
	uint8_t raw[600], changed[600];
	struct ent_thrift_message m;
	size_t n = bytes_of(rows, raw, sizeof raw), taken = 0;
	for (size_t i = 0; i < n; i++)
		taken += !ent_thrift_message(ent_bytes(raw, i), &m, NULL);
	OK_INT(taken, 0, "no part of a reply is a reply");
	for (size_t i = 0; i < n * 8; i++) {
		memcpy(changed, raw, n);
		changed[i / 8] ^= (uint8_t)(1u << (i % 8));
		(void)ent_thrift_message(ent_bytes(changed, n), &m, NULL);
	}
	for (size_t i = 0; i < ENT_COUNT(bad); i++) {
		n = bytes_of(bad[i].hex, raw, sizeof raw);
		OK_INT(ent_thrift_message(ent_bytes(raw, n), &m, NULL), ENT_EPEER, "%s", bad[i].name);
	}
}

static void test_depth(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(1 << 20);
	struct ent_thrift_message m;
	for (int depth = 20; depth < 20000; depth += 19900) {
		ent_buf_reset(&b);
		ent_buf_be32(&b, 0x80010002);
		ent_thrift_put_value(&b, ent_bytes_str("x"));
		ent_buf_be32(&b, 0);
		for (int i = 0; i < depth; i++)
			ent_thrift_put_field(&b, ENT_THRIFT_STRUCT, 1);
		for (int i = 0; i <= depth; i++)
			ent_thrift_put_stop(&b);
		OK_INT(ent_thrift_message(ent_buf_bytes(&b), &m, NULL), depth < 32 ? 0 : ENT_EPEER, "structs %d deep", depth);
	}
}

static void test_frames(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(10000);
	struct ent_thrift_parser p;
	struct ent_bytes got;
	bool ok = true;
	for (uint32_t i = 1; i <= 20; i++) {
		ent_buf_be32(&b, i * 7);
		memset(ent_buf_space(&b, i * 7), (int)i, i * 7);
	}
	for (size_t cut = 1; cut < 2000; cut = cut * 2 + 1) {
		uint32_t n = 0;
		int code = ENT_EAGAIN;
		ent_thrift_parser_init(&p, 1000);
		for (size_t at = 0; at < b.len; at += cut) {
			ok = ok && !ent_thrift_parser_put(&p, ent_bytes(b.data + at, b.len - at < cut ? b.len - at : cut), NULL);
			while (!(code = ent_thrift_parser_next(&p, &got, NULL)))
				ok = ok && ++n && got.len == n * 7 && got.data[got.len - 1] == n;
		}
		ok = ok && n == 20 && code == ENT_EAGAIN;
		ent_thrift_parser_deinit(&p);
	}
	OK(ok, "frames come whole and in order whatever the cut");
	ent_thrift_parser_init(&p, 1000);
	OK(!ent_thrift_parser_put(&p, ent_bytes("\0\0\3\351", 4), NULL), "a head");
	OK_INT(ent_thrift_parser_next(&p, &got, NULL), ENT_EPEER, "longer than may be, refused before its bytes come");
	ent_thrift_parser_deinit(&p);
}

int main(void)
{
	test_call();
	test_reply();
	test_broken();
	test_depth();
	test_frames();
	return tap_done();
}
