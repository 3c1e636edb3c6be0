/* Values as the server writes them for people (ISO dates, UTC, shortest floats), read by the same strict readers as everywhere. No libpq. */
#include "arrow/value.h"
#include "roach.h"

/* Infinite dates and timestamps. */
static bool infinite(struct ent_type type, struct ent_bytes text, int64_t *ret)
{
	bool plus = ent_bytes_eq(text, ent_bytes_str("infinity"));
	if (!plus && !ent_bytes_eq(text, ent_bytes_str("-infinity")))
		return false;
	*ret = type.id == ENT_T_DATE ? (plus ? INT32_MAX : INT32_MIN) : (plus ? INT64_MAX : INT64_MIN);
	return true;
}

/* Dates, times and integers as one number; false when the text is none. */
static bool number_read(struct ent_type type, struct ent_bytes text, int64_t *ret)
{
	int32_t days = 0;
	switch (type.id) {
	case ENT_T_BOOL:
		*ret = text.len == 1 && text.data[0] == 't';
		return text.len == 1 && (text.data[0] == 't' || text.data[0] == 'f');
	case ENT_T_DATE:
		if (infinite(type, text, ret))
			return true;
		if (!ent_date_parse(text, &days))
			return false;
		*ret = days;
		return true;
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
		return infinite(type, text, ret) || ent_timestamp_parse(text, type.id == ENT_T_TIMESTAMPTZ, ret);
	case ENT_T_TIME:
		return ent_clock_parse(text, ret);
	default:
		return ent_int_parse(text, ret);
	}
}

static int bytes_put(struct ent_builder *b, size_t col, struct ent_bytes text, bool *ret_bad, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF((size_t)64 << 20);
	size_t n = text.len / 2 ? text.len / 2 - 1 : 0;
	*ret_bad = text.len < 2 || memcmp(text.data, "\\x", 2) != 0 || text.len % 2;
	if (*ret_bad)
		return 0;
	uint8_t *out = n ? ent_buf_space(&bytes, n) : NULL;
	*ret_bad = n && (!out || !ent_unhex(out, n, (const char *)text.data + 2, 2 * n));
	return *ret_bad ? 0 : ent_builder_text(b, col, ent_bytes(out ? out : (const uint8_t *)"", n), err);
}

int ent_pg_text_put(struct ent_builder *b, size_t col, struct ent_type type, struct ent_bytes text, bool *ret_bad, struct ent_err *err)
{
	ent_i128 wide;
	double real;
	int64_t n;
	*ret_bad = false;
	switch (type.id) {
	case ENT_T_TEXT:
		return ent_builder_text(b, col, text, err);
	case ENT_T_BINARY:
		return bytes_put(b, col, text, ret_bad, err);
	case ENT_T_DECIMAL:
		*ret_bad = !ent_decimal_parse(text, type.precision, type.scale, &wide);
		return *ret_bad ? 0 : ent_builder_wide(b, col, wide, err);
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		*ret_bad = !ent_real_parse(text, &real);
		return *ret_bad ? 0 : ent_builder_real(b, col, type.id == ENT_T_REAL ? (double)(float)real : real, err);
	default:
		*ret_bad = !number_read(type, text, &n);
		return *ret_bad ? 0 : ent_builder_int(b, col, n, err);
	}
}
