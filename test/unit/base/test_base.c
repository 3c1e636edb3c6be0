/* base: buffers stop at their maximum, decoders take only the canonical form, arenas keep their cap, times and errors round-trip. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sm.h"
#include "tap.h"

static void test_buffers(void)
{
	struct ent_buf b = ENT_BUF(10);
	ent_buf_printf(&b, "%d", 12345);
	OK_STR(ent_buf_text(&b), "12345");
	ent_buf_put(&b, "678901", 6);
	OK_INT(ent_buf_check(&b, NULL), ENT_EDATA, "a put over the maximum fails");
	OK_INT(b.len, 5, "and changes nothing");
	ent_buf_deinit(&b);

	struct ent_reader r = ent_reader(ent_bytes("\1\2\3", 3));
	OK_INT(ent_read_be16(&r), 0x102);
	ent_read_be16(&r);
	OK(!r.ok, "a short read is told");
}

static void test_text(void)
{
	char hex[9];
	uint8_t raw[4] = { 0xde, 0xad, 0, 0xef };
	struct ent_buf b = ENT_BUF(100);
	ent_hex(hex, raw, 4);
	OK_STR(hex, "dead00ef");
	OK(ent_unhex(raw, 4, hex, 8) && !ent_unhex(raw, 4, "DEAD00EF", 8) && !ent_unhex(raw, 4, "dead00e", 7), "hex is canonical");
	ent_buf_base64(&b, "any carnal pleas", 16);
	OK_STR(ent_buf_text(&b), "YW55IGNhcm5hbCBwbGVhcw==");
	ent_buf_reset(&b);
	OK(ent_unbase64(&b, "YW55IGNhcm5hbCBwbGVhcw==", 24) && !strcmp(ent_buf_text(&b), "any carnal pleas"), "base64 comes back");
	OK(!ent_unbase64(&b, "YW55IGNhcm5hbCBwbGVhcx==", 24), "slack bits are refused");
	OK(!ent_unbase64(&b, "YW5=IGNh", 8), "padding inside is refused");
	OK(ent_utf8_valid(ent_bytes_str("a\xc3\xa4\xf0\x9f\x98\x80")) && !ent_utf8_valid(ent_bytes("\xed\xa0\x80", 3)) &&
		   !ent_utf8_valid(ent_bytes("\xc0\x80", 2)),
	   "UTF-8: no surrogates, no long forms");
	uint64_t v = 0;
	OK(ent_parse_u64("18446744073709551615", 20, UINT64_MAX, &v) && v == UINT64_MAX &&
		   !ent_parse_u64("18446744073709551616", 20, UINT64_MAX, &v) && !ent_parse_u64("01", 2, 9, &v),
	   "integers stop at the maximum");
	ent_buf_deinit(&b);
}

static void test_json(void)
{
	static const char *const refused[] = { "{\"b\":1,\"a\":2}", "{ \"a\":1}", "1.5", "{\"a\":1,\"a\":2}", "9007199254740993", "\"\\u0041\"" };
	static const char good[] = "{\"a\":[1,null,true,\"\xc3\xa4\"],\"b\":{}}";
	json_t *v = NULL;
	for (size_t i = 0; i < ENT_COUNT(refused); i++)
		OK_INT(ent_json_parse_canonical(ent_bytes_str(refused[i]), 1000, &v, NULL), ENT_EDATA, "not canonical: %s", refused[i]);
	OK_INT(ent_json_parse_canonical(ent_bytes_str(good), 1000, &v, NULL), 0, "canonical: %s", good);
	int64_t n;
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_json_int(v, "b", 0, 9, &n, &err), ENT_EDATA, "a mistyped member is named");
	OK(strstr(err.what, "\"b\""));
	json_decref(v);
}

static void test_arena(void)
{
	struct ent_arena *a = ent_arena_new(1000);
	OK_STR(ent_arena_printf(a, "%s-%d", "x", 7), "x-7");
	OK(!ent_arena_get(a, 1, 2000), "the cap holds");
	OK(!ent_arena_get(a, SIZE_MAX, 2), "products are checked");
	ent_arena_free(a);
}

static void test_time(void)
{
	char text[ENT_TIME_LEN + 1];
	int64_t back = 0;
	ent_time_format(1795253400123, text);
	OK_STR(text, "2026-11-21T09:30:00.123Z");
	OK(ent_time_parse(text, &back) && back == 1795253400123, "time comes back");
	OK(!ent_time_parse("2026-02-30T09:30:00.123Z", &back), "no 30 February");
}

static void test_errors(void)
{
	struct ent_err err = ENT_ERR_INIT;
	OK_INT(ent_fail(&err, ENT_EDENIED, "no %d", 1), ENT_EDENIED);
	ent_why(&err, "because");
	OK_STR(err.why, "because");
	OK_INT(ent_code_exit(ENT_EDENIED), 77);
	OK_INT(ent_code_by_name("PEER"), ENT_EPEER);
	OK_INT(ent_fail(NULL, ENT_EIO, "nobody listens"), ENT_EIO, "NULL is legal");
}

static void test_sm(void)
{
	static const struct ent_sm_state states[] = { { "a", 1u << 1 }, { "b", 0 } };
	struct ent_sm m;
	ent_sm_init(&m, states, 2, 0, NULL);
	OK(ent_sm_can(&m, 1) && !ent_sm_can(&m, 0) && !ent_sm_can(&m, 5), "only declared moves");
	ent_sm_move(&m, 1);
	OK_STR(ent_sm_name(&m), "b");
}

static void test_percent(void)
{
	char out[6];
	OK(ent_percent_decode(ent_bytes_str("a%2Fb%4a"), out, sizeof out) && !strcmp(out, "a/bJ"), "an address is decoded");
	OK(ent_percent_decode(ent_bytes_str(""), out, 1) && !out[0], "an empty one");
	OK(ent_percent_decode(ent_bytes_str("12345"), out, 6) && !ent_percent_decode(ent_bytes_str("12345"), out, 5), "what does not fit is refused");
	OK(!ent_percent_decode(ent_bytes_str("a%00"), out, 6) && !ent_percent_decode(ent_bytes_str("a%0"), out, 6) &&
		   !ent_percent_decode(ent_bytes_str("%"), out, 6) && !ent_percent_decode(ent_bytes_str("%g1"), out, 6) &&
		   !ent_percent_decode(ent_bytes_str(""), out, 0),
	   "so are NULs and half a number");
}

int main(void)
{
	test_percent();
	test_buffers();
	test_text();
	test_json();
	test_arena();
	test_time();
	test_errors();
	test_sm();
	return tap_done();
}
