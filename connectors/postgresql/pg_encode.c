/* Choosing how each column is written, and writing it. */
#include "pg_encode.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>

#include "arrow/value.h"

#define DIGITS_MAX 1100 /* of a numeric without precision that travels as text */

/* --- choosing --- */

static enum ent_map_verdict say(enum ent_map_verdict v, char why[200], const char *text)
{
	snprintf(why, 200, "%s", text);
	return v;
}

static int int_rank(struct ent_type t) { return t.id == ENT_T_INT16 ? 2 : t.id == ENT_T_INT32 ? 4 : 8; }

static enum ent_map_verdict choose_int(struct ent_pg_put *p, int width, char why[200])
{
	p->form = width == 2 ? ENT_PG_AS_INT2 : width == 4 ? ENT_PG_AS_INT4 : ENT_PG_AS_INT8;
	if (p->type.id == ENT_T_BOOL)
		return say(ENT_MAP_WIDENED, why, "false is 0, true is 1");
	if (p->type.id == ENT_T_UINT64 || (p->type.id == ENT_T_DECIMAL && !p->type.scale))
		return say(ENT_MAP_EXACT, why, "a number that does not fit is refused by name");
	if (!ent_type_is_int(p->type))
		return say(ENT_MAP_REFUSED, why, "only whole numbers go into an integer column");
	if (int_rank(p->type) > width)
		return say(ENT_MAP_EXACT, why, "a number that does not fit is refused by name");
	return int_rank(p->type) == width ? ENT_MAP_EXACT : say(ENT_MAP_WIDENED, why, "a wider integer");
}

static enum ent_map_verdict choose_float(struct ent_pg_put *p, bool wide, char why[200])
{
	p->form = wide ? ENT_PG_AS_FLOAT8 : ENT_PG_AS_FLOAT4;
	if (p->type.id == ENT_T_REAL)
		return wide ? say(ENT_MAP_WIDENED, why, "a wider float") : ENT_MAP_EXACT;
	if (p->type.id == ENT_T_DOUBLE)
		return wide ? ENT_MAP_EXACT : say(ENT_MAP_LOSSY, why, "real keeps 24 bits of 53");
	if (ent_type_is_int(p->type))
		return say(ENT_MAP_WIDENED, why, "an integer that is no float is refused by name");
	if (p->type.id == ENT_T_DECIMAL)
		return say(ENT_MAP_LOSSY, why, "most decimal fractions are no binary fractions");
	return say(ENT_MAP_REFUSED, why, "only numbers go into a float column");
}

static enum ent_map_verdict choose_numeric(struct ent_pg_put *p, char why[200])
{
	p->form = ENT_PG_AS_NUMERIC;
	p->precision = p->modifier < 4 ? 0 : (p->modifier - 4) >> 16 & 0xffff;
	p->scale = p->modifier < 4 ? 0 : (p->modifier - 4) & 0x7ff;
	if (p->scale > p->precision) { /* a negative scale, or more places than digits: the server knows best */
		p->form = ENT_PG_AS_PARSED;
		p->precision = p->scale = 0;
	}
	if (p->type.id == ENT_T_TEXT)
		return p->same_native ? ENT_MAP_EXACT : say(ENT_MAP_WIDENED, why, "text that is no number is refused by name");
	if (p->type.id == ENT_T_DECIMAL && (!p->precision || (p->precision == p->type.precision && p->scale == p->type.scale)))
		return ENT_MAP_EXACT;
	if (p->type.id == ENT_T_DECIMAL || ent_type_is_int(p->type) || p->type.id == ENT_T_UINT64)
		return say(ENT_MAP_WIDENED, why, p->precision ? "a number that does not fit is refused by name" : "any number of digits");
	return say(ENT_MAP_REFUSED, why, "binary fractions are no decimal fractions: choose double precision");
}

/* Digits of a second that time, timestamp and their like keep. */
static void fraction_set(struct ent_pg_put *p)
{
	p->fraction = 1;
	for (int digits = p->modifier < 0 ? 6 : p->modifier; digits < 6; digits++)
		p->fraction *= 10;
}

static enum ent_map_verdict choose_time(struct ent_pg_put *p, char why[200])
{
	bool zone = p->oid == ENT_PG_OID_TIMESTAMPTZ;
	p->form = p->oid == ENT_PG_OID_DATE ? ENT_PG_AS_DATE : ENT_PG_AS_TIMESTAMP;
	fraction_set(p);
	if (p->oid == ENT_PG_OID_DATE) {
		p->fraction = 86400000000;
		if (p->type.id == ENT_T_DATE)
			return ENT_MAP_EXACT;
		return p->type.id == ENT_T_TIMESTAMP ? say(ENT_MAP_EXACT, why, "a value with a time of day is refused by name")
						     : say(ENT_MAP_REFUSED, why, "only dates go into a date column");
	}
	if (p->type.id == (zone ? ENT_T_TIMESTAMPTZ : ENT_T_TIMESTAMP))
		return ENT_MAP_EXACT;
	if (p->type.id == ENT_T_DATE)
		return say(ENT_MAP_WIDENED, why, "midnight of the day, UTC");
	if (p->type.id == ENT_T_TIMESTAMP || p->type.id == ENT_T_TIMESTAMPTZ)
		return say(ENT_MAP_WIDENED, why, zone ? "taken as UTC" : "the instant in UTC, its zone is not kept");
	return say(ENT_MAP_REFUSED, why, "only dates and timestamps go into this column");
}

static enum ent_map_verdict choose_text(struct ent_pg_put *p, char why[200])
{
	bool limited = p->oid == ENT_PG_OID_VARCHAR || p->oid == ENT_PG_OID_BPCHAR;
	p->form = ENT_PG_AS_TEXT;
	p->characters_max = limited && p->modifier > 4 ? (size_t)p->modifier - 4 : p->oid == ENT_PG_OID_NAME ? 63 : 0;
	if (p->type.id == ENT_T_BINARY)
		return say(ENT_MAP_REFUSED, why, "bytes are no text: choose bytea");
	if (p->type.id != ENT_T_TEXT)
		return say(ENT_MAP_WIDENED, why, "as its text");
	if (p->oid == ENT_PG_OID_BPCHAR && !p->same_native)
		return say(ENT_MAP_WIDENED, why, "filled up with blanks");
	return p->characters_max && !p->same_native ? say(ENT_MAP_EXACT, why, "longer text is refused by name") : ENT_MAP_EXACT;
}

/* Columns whose own bytes we make from text, or that the server parses. */
static enum ent_map_verdict choose_parsed(struct ent_pg_put *p, char why[200])
{
	p->form = p->is_enum || p->oid == ENT_PG_OID_JSON ? ENT_PG_AS_TEXT
		  : p->oid == ENT_PG_OID_JSONB            ? ENT_PG_AS_JSONB
		  : p->oid == ENT_PG_OID_UUID             ? ENT_PG_AS_UUID
							  : ENT_PG_AS_PARSED;
	if (p->type.id != ENT_T_TEXT)
		return say(ENT_MAP_REFUSED, why, "only text goes into a column of this type");
	return p->same_native ? ENT_MAP_EXACT : say(ENT_MAP_WIDENED, why, "its text is parsed, what cannot be read is refused");
}

enum ent_map_verdict ent_pg_put_choose(struct ent_pg_put *p, char why[200])
{
	why[0] = 0;
	switch (p->oid) {
	case ENT_PG_OID_BOOL:
		p->form = ENT_PG_AS_BOOL;
		return p->type.id == ENT_T_BOOL ? ENT_MAP_EXACT : say(ENT_MAP_REFUSED, why, "only booleans go into a boolean column");
	case ENT_PG_OID_INT2:
		return choose_int(p, 2, why);
	case ENT_PG_OID_INT4:
		return choose_int(p, 4, why);
	case ENT_PG_OID_INT8:
		return choose_int(p, 8, why);
	case ENT_PG_OID_FLOAT4:
	case ENT_PG_OID_FLOAT8:
		return choose_float(p, p->oid == ENT_PG_OID_FLOAT8, why);
	case ENT_PG_OID_NUMERIC:
		return choose_numeric(p, why);
	case ENT_PG_OID_DATE:
	case ENT_PG_OID_TIMESTAMP:
	case ENT_PG_OID_TIMESTAMPTZ:
		return choose_time(p, why);
	case ENT_PG_OID_TIME:
		p->form = ENT_PG_AS_TIME;
		fraction_set(p);
		return p->type.id == ENT_T_TIME ? ENT_MAP_EXACT : say(ENT_MAP_REFUSED, why, "only times of day go into a time column");
	case ENT_PG_OID_TEXT:
	case ENT_PG_OID_VARCHAR:
	case ENT_PG_OID_BPCHAR:
	case ENT_PG_OID_NAME:
		return choose_text(p, why);
	case ENT_PG_OID_BYTEA:
		p->form = ENT_PG_AS_BYTES;
		return p->type.id == ENT_T_BINARY ? ENT_MAP_EXACT : say(ENT_MAP_REFUSED, why, "only bytes go into a bytea column");
	default:
		return choose_parsed(p, why);
	}
}

/* --- writing --- */

static inline uint8_t *room(struct ent_buf *out, size_t n)
{
	if (out->cap - out->len > n) {
		uint8_t *p = out->data + out->len;
		out->len += n;
		return p;
	}
	return ent_buf_space(out, n);
}

static inline void put_len(struct ent_buf *out, uint32_t len, const void *value)
{
	uint32_t be = htobe32(len);
	uint8_t *p = room(out, 4 + (size_t)len);
	if (p) {
		memcpy(p, &be, 4);
		memcpy(p + 4, value, len);
	}
}

static inline void put_fixed(struct ent_buf *out, int64_t v, unsigned width)
{
	uint64_t be = htobe64((uint64_t)v << (64 - 8 * width));
	put_len(out, width, &be);
}

static int misfit(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, const char *why, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)64 << 20);
	ent_value_put(v, row, &text);
	ent_fail(err, ENT_EDATA, "row %llu of column %.100s cannot be written: %s", (unsigned long long)row_name, p->name, why);
	ent_why(err, "its value is %.80s%s", ent_buf_text(&text), text.len > 80 ? " ..." : "");
	return ENT_EDATA;
}

/* Sign, digits before and after the point; no exponent, at most DIGITS_MAX. False when the text is no such number. */
static bool digits_split(struct ent_bytes text, bool *ret_negative, struct ent_bytes *ret_whole, struct ent_bytes *ret_part)
{
	const uint8_t *at = text.data, *end = text.data + text.len;
	*ret_negative = at < end && *at == '-';
	at += at < end && (*at == '-' || *at == '+');
	const uint8_t *point = (const uint8_t *)memchr(at, '.', (size_t)(end - at));
	const uint8_t *stop = point ? point : end;
	*ret_whole = ent_bytes(at, (size_t)(stop - at));
	*ret_part = point ? ent_bytes(point + 1, (size_t)(end - point - 1)) : ent_bytes("", 0);
	for (const uint8_t *c = at; c < end; c++)
		if (c != point && (*c < '0' || *c > '9'))
			return false;
	return ret_whole->len + ret_part->len > 0 && ret_whole->len + ret_part->len <= DIGITS_MAX;
}

/* Up to four digits from at (negative or beyond the end: zeros). */
static unsigned group_at(struct ent_bytes digits, ptrdiff_t at)
{
	unsigned v = 0;
	for (ptrdiff_t i = at; i < at + 4; i++)
		v = v * 10 + (i >= 0 && i < (ptrdiff_t)digits.len ? (unsigned)digits.data[i] - '0' : 0u);
	return v;
}

static void numeric_special(struct ent_buf *out, unsigned sign)
{
	const uint8_t value[8] = { 0, 0, 0, 0, (uint8_t)(sign >> 8), 0, 0, 0 };
	put_len(out, sizeof value, value);
}

static void numeric_write(struct ent_buf *out, bool negative, struct ent_bytes whole, struct ent_bytes part)
{
	size_t high = (whole.len + 3) / 4, low = (part.len + 3) / 4;
	uint8_t *p = room(out, 4 + 8 + 2 * (high + low));
	if (!p)
		return;
	const uint16_t head[6] = { 0,
				   htobe16((uint16_t)(8 + 2 * (high + low))),
				   htobe16((uint16_t)(high + low)),
				   htobe16((uint16_t)((int)high - 1)),
				   htobe16(negative ? 0x4000 : 0),
				   htobe16((uint16_t)part.len) };
	memcpy(p, head, sizeof head);
	p += sizeof head;
	ptrdiff_t at = (ptrdiff_t)whole.len - 4 * (ptrdiff_t)high;
	for (size_t i = 0; i < high + low; i++, p += 2) {
		uint16_t be = htobe16((uint16_t)(i < high ? group_at(whole, at + 4 * (ptrdiff_t)i) : group_at(part, 4 * (ptrdiff_t)(i - high))));
		memcpy(p, &be, 2);
	}
}

/* False when the number has more places than the column keeps, or too many digits before the point. */
static bool numeric_fits(const struct ent_pg_put *p, struct ent_bytes whole, struct ent_bytes part)
{
	size_t zeros = 0;
	if (!p->precision)
		return true;
	for (size_t i = (size_t)p->scale; i < part.len; i++)
		if (part.data[i] != '0')
			return false;
	while (zeros < whole.len && whole.data[zeros] == '0')
		zeros++;
	return whole.len - zeros <= (size_t)(p->precision - p->scale);
}

static bool numeric_word(struct ent_buf *out, const struct ent_pg_put *p, struct ent_bytes text)
{
	static const struct {
		const char *word;
		unsigned sign;
	} words[] = { { "NaN", 0xC000 }, { "Infinity", 0xD000 }, { "-Infinity", 0xF000 } };
	for (size_t i = 0; i < ENT_COUNT(words); i++) {
		if (ent_bytes_eq(text, ent_bytes_str(words[i].word)) && (!i || !p->precision)) {
			numeric_special(out, words[i].sign);
			return true;
		}
	}
	return false;
}

static uint64_t power10(unsigned n)
{
	uint64_t p = 1;
	while (n--)
		p *= 10;
	return p;
}

/* The usual decimal: it fits in 64 bits, has up to 16 places and loses nothing. False: the general way must look. */
static bool numeric_small(const struct ent_pg_put *p, ent_i128 wide, unsigned scale, struct ent_buf *out)
{
	uint16_t groups[12];
	unsigned low = (scale + 3) / 4, n = 0;
	if (wide > INT64_MAX || wide < -INT64_MAX || scale > 16)
		return false;
	uint64_t v = (uint64_t)(wide < 0 ? -wide : wide), one = power10(scale), whole = v / one, part = v % one * power10(low * 4 - scale);
	int before = p->precision - p->scale;
	if (p->precision && ((int)scale > p->scale || (before < 19 && whole >= power10((unsigned)before))))
		return false;
	for (unsigned i = 0; i < low; i++, part /= 10000)
		groups[n++] = htobe16((uint16_t)(part % 10000));
	for (; whole; whole /= 10000)
		groups[n++] = htobe16((uint16_t)(whole % 10000));
	uint8_t *at = room(out, 12 + 2 * (size_t)n);
	const uint16_t head[6] = { 0,
				   htobe16((uint16_t)(8 + 2 * n)),
				   htobe16((uint16_t)n),
				   htobe16((uint16_t)((int)n - (int)low - 1)),
				   htobe16(wide < 0 ? 0x4000 : 0),
				   htobe16((uint16_t)scale) };
	if (!at)
		return true; /* the failure sticks in out */
	memcpy(at, head, sizeof head);
	for (at += sizeof head; n; at += 2)
		memcpy(at, &groups[--n], 2);
	return true;
}

static int put_numeric(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	char text[ENT_VALUE_TEXT_MAX];
	struct ent_bytes number, whole, part;
	bool negative;
	if (p->type.id == ENT_T_TEXT) {
		number = ent_view_text(v, row);
		if (numeric_word(out, p, number))
			return 0;
	} else {
		unsigned scale = p->type.id == ENT_T_DECIMAL ? p->type.scale : 0;
		if (numeric_small(p, ent_view_wide(v, row), scale, out))
			return 0;
		number = ent_bytes(text, ent_decimal_text(ent_view_wide(v, row), scale, text));
	}
	if (!digits_split(number, &negative, &whole, &part))
		return misfit(p, v, row, row_name, "it is no number", err);
	if (!numeric_fits(p, whole, part))
		return misfit(p, v, row, row_name, "it does not fit precision and scale", err);
	numeric_write(out, negative, whole, part);
	return 0;
}

static int put_int(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	unsigned width = p->form == ENT_PG_AS_INT2 ? 2 : p->form == ENT_PG_AS_INT4 ? 4 : 8;
	ent_i128 wide = v->type.id == ENT_T_DECIMAL || v->type.id == ENT_T_UINT64 ? ent_view_wide(v, row) : ent_view_int(v, row);
	ent_i128 limit = (ent_i128)1 << (8 * width - 1);
	if (wide >= limit || wide < -limit)
		return misfit(p, v, row, row_name, "the integer type of the column is too small", err);
	put_fixed(out, (int64_t)wide, width);
	return 0;
}

static int put_float(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	char text[ENT_VALUE_TEXT_MAX];
	bool wide = p->form == ENT_PG_AS_FLOAT8;
	double d = 0;
	if (ent_type_is_float(p->type)) {
		d = ent_view_real(v, row);
	} else if (p->type.id == ENT_T_DECIMAL) {
		size_t len = ent_decimal_text(ent_view_wide(v, row), p->type.scale, text);
		(void)ent_real_parse(ent_bytes(text, len), &d);
	} else {
		int64_t n = ent_view_int(v, row);
		d = (double)n;
		if ((ent_i128)d != n || (!wide && (ent_i128)(float)d != n))
			return misfit(p, v, row, row_name, "no float equals it", err);
	}
	float f = (float)d;
	uint64_t bits;
	uint32_t narrow;
	memcpy(&bits, &d, 8);
	memcpy(&narrow, &f, 4);
	if (!wide && isinf(f) && !isinf(d))
		return misfit(p, v, row, row_name, "it is beyond the range of real", err);
	put_fixed(out, wide ? (int64_t)bits : (int64_t)narrow, wide ? 8 : 4);
	return 0;
}

#define JULIAN_ZERO INT64_C(-2440588) /* 4714-11-24 BC in days since 1970: nothing is before it */
#define DATE_LAST INT64_C(2145042905) /* 5874897-12-31 */

/* Days or microseconds since 2000; the type's extremes are infinite. */
static int put_time(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	bool from_date = p->type.id == ENT_T_DATE, to_date = p->form == ENT_PG_AS_DATE;
	int64_t raw = ent_view_int(v, row), us;
	bool plus = raw == (from_date ? INT32_MAX : INT64_MAX), minus = raw == (from_date ? INT32_MIN : INT64_MIN);
	if (plus || minus) {
		put_fixed(out, to_date ? (plus ? INT32_MAX : INT32_MIN) : (plus ? INT64_MAX : INT64_MIN), to_date ? 4 : 8);
		return 0;
	}
	if (from_date && to_date) {
		if (raw < JULIAN_ZERO || raw > DATE_LAST)
			return misfit(p, v, row, row_name, "PostgreSQL's dates do not reach it", err);
		put_fixed(out, raw - ENT_PG_DAYS_2000, 4);
		return 0;
	}
	if (__builtin_mul_overflow(raw, from_date ? 86400000000 : 1, &us) || __builtin_sub_overflow(us, ENT_PG_US_2000, &us))
		return misfit(p, v, row, row_name, "PostgreSQL's timestamps do not reach it", err);
	if (us < JULIAN_ZERO * INT64_C(86400000000) - ENT_PG_US_2000)
		return misfit(p, v, row, row_name, "PostgreSQL's timestamps do not reach it", err);
	if (us % p->fraction)
		return misfit(p, v, row, row_name, to_date ? "it has a time of day" : "the column keeps fewer digits of a second", err);
	put_fixed(out, to_date ? us / 86400000000 : us, to_date ? 4 : 8);
	return 0;
}

static int hex_value(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static int put_uuid(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	struct ent_bytes text = ent_view_text(v, row);
	uint8_t id[16];
	size_t n = 0;
	for (size_t i = 0; i + 1 < text.len && n < 16; i++) {
		if (text.data[i] == '-' && (i == 8 || i == 13 || i == 18 || i == 23))
			continue;
		int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);
		if (high < 0 || low < 0)
			break;
		id[n++] = (uint8_t)(high * 16 + low);
		i++;
	}
	if (n != 16 || (text.len != 36 && text.len != 32))
		return misfit(p, v, row, row_name, "it is no uuid", err);
	put_len(out, 16, id);
	return 0;
}

static size_t characters(struct ent_bytes text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += (text.data[i] & 0xc0) != 0x80;
	return n;
}

static int put_text(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	if (!ent_type_is_bytes(p->type)) {
		size_t at = out->len;
		room(out, 4);
		ent_value_put(v, row, out);
		uint32_t be = htobe32((uint32_t)(out->len - at - 4));
		if (!out->code)
			memcpy(out->data + at, &be, 4);
		return 0;
	}
	struct ent_bytes text = ent_view_text(v, row);
	if (p->characters_max && text.len > p->characters_max && characters(text) > p->characters_max)
		return misfit(p, v, row, row_name, "it is too long for the column", err);
	put_len(out, (uint32_t)text.len, text.data);
	return 0;
}

static int put_jsonb(const struct ent_view *v, size_t row, struct ent_buf *out)
{
	struct ent_bytes text = ent_view_text(v, row);
	ent_buf_be32(out, (uint32_t)text.len + 1);
	ent_buf_u8(out, 1);
	ent_buf_put(out, text.data, text.len);
	return 0;
}

static int value_put(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	switch (p->form) {
	case ENT_PG_AS_BOOL:
		put_fixed(out, ent_view_int(v, row), 1);
		return 0;
	case ENT_PG_AS_INT2:
	case ENT_PG_AS_INT4:
	case ENT_PG_AS_INT8:
		return put_int(p, v, row, row_name, out, err);
	case ENT_PG_AS_FLOAT4:
	case ENT_PG_AS_FLOAT8:
		return put_float(p, v, row, row_name, out, err);
	case ENT_PG_AS_NUMERIC:
		return put_numeric(p, v, row, row_name, out, err);
	case ENT_PG_AS_DATE:
	case ENT_PG_AS_TIMESTAMP:
		return put_time(p, v, row, row_name, out, err);
	case ENT_PG_AS_TIME:
		if (ent_view_int(v, row) % p->fraction)
			return misfit(p, v, row, row_name, "the column keeps fewer digits of a second", err);
		put_fixed(out, ent_view_int(v, row), 8);
		return 0;
	case ENT_PG_AS_TEXT:
	case ENT_PG_AS_BYTES:
		return put_text(p, v, row, row_name, out, err);
	case ENT_PG_AS_JSONB:
		return put_jsonb(v, row, out);
	case ENT_PG_AS_UUID:
		return put_uuid(p, v, row, row_name, out, err);
	case ENT_PG_AS_PARSED:
		break;
	}
	return ent_fail(err, ENT_EINTERNAL, "column %.100s has no binary form", p->name);
}

/* --- text format --- */

static void text_escaped(struct ent_buf *out, struct ent_bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (c == '\\' || c == '\t' || c == '\n' || c == '\r') {
			ent_buf_u8(out, '\\');
			c = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c;
		}
		ent_buf_u8(out, c);
	}
}

int ent_pg_value_text(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf scratch = ENT_BUF((size_t)128 << 20);
	if (p->form != ENT_PG_AS_PARSED) /* the binary form holds the checks */
		ENT_TRY(value_put(p, v, row, row_name, &scratch, err));
	if (p->type.id == ENT_T_BOOL && p->form != ENT_PG_AS_BOOL && p->form != ENT_PG_AS_TEXT)
		ent_buf_str(out, ent_view_int(v, row) ? "1" : "0");
	else
		ent_value_put(v, row, out);
	return ent_buf_check(out, err);
}

static int row_text(const struct ent_pg_put *puts, const struct ent_view *const *columns, size_t n, const size_t *rows, size_t row, uint64_t row_name,
		    struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF((size_t)128 << 20);
	for (size_t i = 0; i < n; i++) {
		size_t at = rows ? rows[i] : row;
		ent_buf_str(out, i ? "\t" : "");
		if (ent_view_null(columns[i], at)) {
			ent_buf_str(out, "\\N");
			continue;
		}
		ent_buf_reset(&text);
		ENT_TRY(ent_pg_value_text(&puts[i], columns[i], at, row_name, &text, err));
		text_escaped(out, ent_buf_bytes(&text));
	}
	ent_buf_u8(out, '\n');
	return ent_buf_check(out, err);
}

int ent_pg_row_put(const struct ent_pg_put *puts, const struct ent_view *const *columns, size_t n, bool as_text, const size_t *rows, size_t row,
		   uint64_t row_name, struct ent_buf *out, struct ent_err *err)
{
	if (as_text)
		return row_text(puts, columns, n, rows, row, row_name, out, err);
	uint16_t count = htobe16((uint16_t)n);
	uint8_t *head = room(out, 2);
	if (head)
		memcpy(head, &count, 2);
	for (size_t i = 0; i < n; i++) {
		size_t at = rows ? rows[i] : row;
		if (ent_view_null(columns[i], at))
			ent_buf_be32(out, UINT32_MAX);
		else
			ENT_TRY(value_put(&puts[i], columns[i], at, row_name, out, err));
	}
	return ent_buf_check(out, err);
}

void ent_pg_copy_header_put(struct ent_buf *out)
{
	static const uint8_t header[19] = { 'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0 };
	ent_buf_put(out, header, sizeof header);
}
