/* Values of the log, by the packing of each type. Which column they belong to is the catalogue's word; the log must agree with it. */
#include <math.h>
#include <stdio.h>

#include "arrow/value.h"
#include "my_log.h"
#include "my_time.h"

static int wrong(const char *why, struct ent_err *err) { return ent_fail(err, ENT_EDATA, "%s", why); }

static uint64_t number_le(struct ent_bytes b)
{
	uint64_t v = 0;
	for (size_t i = b.len < 8 ? b.len : 8; i; i--)
		v = v << 8 | b.data[i - 1];
	return v;
}

static uint64_t number_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* --- matching --- */

enum ent_my_charset ent_my_charset_of(const char *collation)
{
	static const char *const raw[] = { "utf8mb4_", "utf8mb3_", "utf8_", "ascii_" };
	for (size_t i = 0; i < ENT_COUNT(raw); i++)
		if (!strncmp(collation, raw[i], strlen(raw[i])))
			return ENT_MY_UTF8;
	return !collation[0] ? ENT_MY_UTF8 : !strncmp(collation, "latin1_", 7) ? ENT_MY_LATIN1 : ENT_MY_OTHER_CHARSET;
}

static bool integer_matches(uint8_t type, unsigned width)
{
	static const uint8_t types[] = { 0, ENT_MY_T_TINY, ENT_MY_T_SHORT, ENT_MY_T_INT24, ENT_MY_T_LONG, 0, 0, 0, ENT_MY_T_LONGLONG };
	return width < ENT_COUNT(types) && types[width] == type;
}

static bool is_blob(uint8_t type) { return type >= ENT_MY_T_TINY_BLOB && type <= ENT_MY_T_BLOB; }
static bool is_varchar(uint8_t type) { return type == ENT_MY_T_VARCHAR || type == ENT_MY_T_VAR_STRING; }

static bool decimal_matches(const struct ent_my_log_column *c, const struct ent_my_type *t)
{
	unsigned precision = c->meta & 255, scale = c->meta >> 8;
	return c->type == ENT_MY_T_NEWDECIMAL && precision == t->precision && scale == t->scale && precision >= 1 && precision <= 65 &&
	       scale <= precision;
}

static bool matches(const struct ent_my_log_column *c, const struct ent_my_type *t)
{
	switch (t->kind) {
	case ENT_MY_INT:
		return integer_matches(c->type, t->width);
	case ENT_MY_DECIMAL:
		return decimal_matches(c, t);
	case ENT_MY_FLOAT:
		return c->type == ENT_MY_T_FLOAT;
	case ENT_MY_DOUBLE:
		return c->type == ENT_MY_T_DOUBLE;
	case ENT_MY_DATE:
		return c->type == ENT_MY_T_DATE || c->type == ENT_MY_T_NEWDATE;
	case ENT_MY_DATETIME:
		return (c->type == ENT_MY_T_DATETIME2 && c->meta == t->fraction) || (c->type == ENT_MY_T_DATETIME && !t->fraction);
	case ENT_MY_TIMESTAMP:
		return (c->type == ENT_MY_T_TIMESTAMP2 && c->meta == t->fraction) || (c->type == ENT_MY_T_TIMESTAMP && !t->fraction);
	case ENT_MY_TIME:
		return (c->type == ENT_MY_T_TIME2 && c->meta == t->fraction) || (c->type == ENT_MY_T_TIME && !t->fraction);
	case ENT_MY_YEAR:
		return c->type == ENT_MY_T_YEAR;
	case ENT_MY_TEXT:
	case ENT_MY_BINARY:
		return t->fixed ? c->type == ENT_MY_T_STRING : is_varchar(c->type) || is_blob(c->type);
	case ENT_MY_BIT:
		return c->type == ENT_MY_T_BIT && (c->meta >> 8) * 8u + (c->meta & 255) == t->width && t->width <= 64;
	case ENT_MY_ENUM:
		return c->type == ENT_MY_T_ENUM;
	case ENT_MY_SET:
		return c->type == ENT_MY_T_SET && (c->meta & 255) <= 8;
	case ENT_MY_JSON:
		return c->type == ENT_MY_T_JSON;
	case ENT_MY_CAST: /* a decimal of many digits; other types' packings are not followed */
		return t->precision > 38 && decimal_matches(c, t);
	case ENT_MY_NONE:
		break;
	}
	return false;
}

const char *ent_my_log_unreadable(const struct ent_my_type *type, enum ent_my_charset charset)
{
	bool lettered = type->kind == ENT_MY_TEXT || type->kind == ENT_MY_ENUM || type->kind == ENT_MY_SET;
	if (type->kind == ENT_MY_CAST && type->precision <= 38)
		return "changes of this type cannot be followed";
	if (lettered && charset == ENT_MY_OTHER_CHARSET)
		return "changes in this character set cannot be followed (utf8mb4, utf8mb3, ascii and latin1 can)";
	return NULL;
}

const char *ent_my_log_match(const struct ent_my_log_column *c, const struct ent_my_type *type, enum ent_my_charset charset)
{
	const char *no = ent_my_log_unreadable(type, charset);
	if (no)
		return no;
	if (!matches(c, type))
		return "the log has another type than the catalogue";
	if ((c->type == ENT_MY_T_ENUM || c->type == ENT_MY_T_SET) && !c->n_words)
		return "the log does not name the values of an enum or set";
	return NULL;
}

/* --- decimals --- */

bool ent_my_decimal_read(struct ent_reader *r, unsigned precision, unsigned scale, char out[80])
{
	static const uint8_t sizes[] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
	unsigned whole = precision - scale, groups[20], n = 0;
	if (precision > 65 || scale > precision || !precision)
		return false;
	if (whole % 9)
		groups[n++] = whole % 9;
	for (unsigned i = 0; i < whole / 9; i++)
		groups[n++] = 9;
	unsigned n_whole = n;
	for (unsigned i = 0; i < scale / 9; i++)
		groups[n++] = 9;
	if (scale % 9)
		groups[n++] = scale % 9;
	uint8_t mask = 0;
	size_t len = 0, first_digit = 0;
	for (unsigned g = 0; g < n; g++) {
		struct ent_bytes b = ent_read(r, sizes[groups[g]]);
		uint8_t raw[4] = { 0 };
		if (!r->ok)
			return false;
		memcpy(raw, b.data, b.len);
		if (!g) { /* the first bit is the sign, upside down; negative numbers have all bits turned */
			raw[0] ^= 0x80;
			mask = raw[0] & 0x80 ? 0xff : 0;
			if (mask)
				out[len++] = '-';
			first_digit = len;
		}
		for (size_t i = 0; i < b.len; i++)
			raw[i] ^= mask;
		uint64_t v = number_be(raw, b.len), limit = 1;
		for (unsigned i = 0; i < groups[g]; i++)
			limit *= 10;
		if (v >= limit)
			return false;
		if (g == n_whole)
			len += (size_t)snprintf(out + len, 3, "%s.", len == first_digit ? "0" : "");
		len += (size_t)snprintf(out + len, 12, "%0*llu", (int)groups[g], (unsigned long long)v);
	}
	size_t zeros = 0;
	while (out[first_digit + zeros] == '0' && out[first_digit + zeros + 1] && out[first_digit + zeros + 1] != '.')
		zeros++;
	memmove(out + first_digit, out + first_digit + zeros, len - first_digit - zeros + 1);
	return true;
}

/* --- times --- */

static unsigned fraction_us(const uint8_t *p, unsigned digits)
{
	unsigned v = (unsigned)number_be(p, (digits + 1) / 2);
	return digits > 4 ? v : digits > 2 ? v * 100 : digits ? v * 10000 : 0;
}

static void clock_of_seconds(int64_t seconds, struct ent_my_clock *k)
{
	int64_t days = seconds / 86400, z = days + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	k->day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	k->month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	k->year = (unsigned)(yoe + era * 400 + (k->month <= 2));
	k->hour = (unsigned)(seconds / 3600 % 24);
	k->minute = (unsigned)(seconds / 60 % 60);
	k->second = (unsigned)(seconds % 60);
}

/* The 40 bits of a datetime: year * 13 + month in 17, day 5, hour 5, minute 6, second 6. */
static void clock_of_packed(uint64_t v, struct ent_my_clock *k)
{
	unsigned ym = (unsigned)(v >> 22 & 0x1ffff);
	*k = (struct ent_my_clock){ ym / 13, ym % 13, v >> 17 & 31, v >> 12 & 31, v >> 6 & 63, v & 63, 0, false };
}

static void time2_read(struct ent_bytes b, unsigned digits, struct ent_my_clock *k)
{
	unsigned extra = (digits + 1) / 2;
	int64_t v = (int64_t)number_be(b.data, b.len) - ((int64_t)0x800000 << 8 * extra);
	k->negative = v < 0;
	uint64_t u = (uint64_t)(v < 0 ? -v : v), hms = u >> 8 * extra;
	uint8_t raw[3];
	for (unsigned i = 0; i < extra; i++)
		raw[i] = (uint8_t)(u >> 8 * (extra - 1 - i));
	k->hour = hms >> 12 & 0x3ff;
	k->minute = hms >> 6 & 63;
	k->second = hms & 63;
	k->us = fraction_us(raw, digits);
}

static void time_read(const struct ent_my_log_column *c, struct ent_bytes b, struct ent_my_clock *k)
{
	uint64_t v = number_le(b);
	switch (c->type) {
	case ENT_MY_T_DATE:
	case ENT_MY_T_NEWDATE:
		*k = (struct ent_my_clock){ .year = (unsigned)(v >> 9), .month = v >> 5 & 15, .day = v & 31 };
		break;
	case ENT_MY_T_DATETIME2:
		clock_of_packed(number_be(b.data, 5) - 0x8000000000, k);
		k->us = fraction_us(b.data + 5, c->meta);
		break;
	case ENT_MY_T_TIMESTAMP2:
		v = number_be(b.data, 4);
		if (v || fraction_us(b.data + 4, c->meta))
			clock_of_seconds((int64_t)v, k);
		k->us = fraction_us(b.data + 4, c->meta);
		break;
	case ENT_MY_T_TIMESTAMP:
		if (v)
			clock_of_seconds((int64_t)v, k);
		break;
	case ENT_MY_T_TIME2:
		time2_read(b, c->meta, k);
		break;
	case ENT_MY_T_TIME: { /* hhmmss in 24 bits */
		int32_t t = (int32_t)(v << 8) >> 8;
		k->negative = t < 0;
		unsigned u = (unsigned)(t < 0 ? -t : t);
		k->hour = u / 10000, k->minute = u / 100 % 100, k->second = u % 100;
		break;
	}
	default: /* YYYYMMDDhhmmss */
		*k = (struct ent_my_clock){ (unsigned)(v / 10000000000 % 100000),
					    (unsigned)(v / 100000000 % 100),
					    (unsigned)(v / 1000000 % 100),
					    (unsigned)(v / 10000 % 100),
					    (unsigned)(v / 100 % 100),
					    (unsigned)(v % 100),
					    0,
					    false };
	}
}

static int time_put(const struct ent_my_log_column *c, const struct ent_my_type *t, struct ent_bytes b, struct ent_builder *out, size_t col,
		    struct ent_err *err)
{
	struct ent_my_clock k = { 0 };
	int64_t v;
	time_read(c, b, &k);
	if (k.hour > 838 || k.minute > 59 || k.second > 59 || k.us > 999999 || (t->kind != ENT_MY_TIME && k.hour > 23))
		return wrong("the log holds a time that does not exist", err);
	const char *why = ent_my_clock_value(t, &k, &v);
	return why ? wrong(why, err) : ent_builder_int(out, col, v, err);
}

/* --- texts --- */

/* What browsers and MySQL call latin1: Windows' code page 1252. */
static unsigned latin1_code(uint8_t c)
{
	static const uint16_t high[32] = { 0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
					   0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
					   0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178 };
	return c >= 0x80 && c < 0xa0 ? high[c - 0x80] : c;
}

static void text_add(struct ent_bytes b, enum ent_my_charset charset, struct ent_buf *out)
{
	if (charset == ENT_MY_UTF8) {
		ent_buf_put(out, b.data, b.len);
		return;
	}
	for (size_t i = 0; i < b.len; i++) {
		unsigned c = latin1_code(b.data[i]);
		if (c >= 0x800)
			ent_buf_u8(out, (uint8_t)(0xe0 | c >> 12));
		if (c >= 0x80)
			ent_buf_u8(out, (uint8_t)(c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6));
		ent_buf_u8(out, (uint8_t)(c >= 0x80 ? 0x80 | (c & 63) : c));
	}
}

static bool word_get(const struct ent_my_log_column *c, uint64_t at, struct ent_bytes *ret)
{
	if (at >= c->n_words)
		return false;
	struct ent_reader r = ent_reader(c->words);
	for (uint64_t i = 0; i <= at; i++) {
		uint64_t len = ent_my_lenenc(&r);
		if (!r.ok || len > ent_reader_left(&r))
			return false;
		*ret = ent_read(&r, (size_t)len);
	}
	return true;
}

static int words_put(const struct ent_my_log_column *c, struct ent_bytes b, enum ent_my_charset charset, struct ent_buf *scratch, struct ent_err *err)
{
	uint64_t v = number_le(b);
	struct ent_bytes word;
	ent_buf_reset(scratch);
	if (c->type == ENT_MY_T_ENUM) {
		if (v && !word_get(c, v - 1, &word))
			return wrong("the log holds an enum value that does not exist", err);
		if (v) /* 0 is the empty text of a value that was wrong */
			text_add(word, charset, scratch);
		return ent_buf_check(scratch, err);
	}
	for (uint64_t i = 0, any = 0; v >> i && i < 64; i++) {
		if (!(v >> i & 1))
			continue;
		if (!word_get(c, i, &word))
			return wrong("the log holds a set value that does not exist", err);
		if (any++)
			ent_buf_u8(scratch, ',');
		text_add(word, charset, scratch);
		if (i == 63)
			break;
	}
	return ent_buf_check(scratch, err);
}

static int bytes_put(const struct ent_my_log_column *c, const struct ent_my_type *t, enum ent_my_charset charset, struct ent_bytes b,
		     struct ent_buf *scratch, struct ent_builder *out, size_t col, struct ent_err *err)
{
	ent_buf_reset(scratch);
	if (t->kind == ENT_MY_ENUM || t->kind == ENT_MY_SET) {
		ENT_TRY(words_put(c, b, charset, scratch, err));
	} else if (t->kind == ENT_MY_JSON) {
		ENT_TRY(ent_my_json_text(b, scratch, err));
	} else if (t->kind == ENT_MY_TEXT && charset == ENT_MY_LATIN1) {
		text_add(b, charset, scratch);
	} else if (t->kind == ENT_MY_BINARY && t->fixed && b.len < t->bytes_max) { /* the log leaves zeros at the end out */
		ent_buf_put(scratch, b.data, b.len);
		ent_buf_space(scratch, (size_t)t->bytes_max - b.len);
	} else {
		return ent_builder_text(out, col, b, err);
	}
	ENT_TRY(ent_buf_check(scratch, err));
	return ent_builder_text(out, col, ent_buf_bytes(scratch), err);
}

/* --- numbers --- */

static int integer_put(const struct ent_my_type *t, struct ent_bytes b, struct ent_builder *out, size_t col, struct ent_err *err)
{
	uint64_t v = number_le(b);
	unsigned bits = (unsigned)b.len * 8;
	if (t->type.id == ENT_T_UINT64)
		return ent_builder_wide(out, col, (ent_i128)v, err);
	int64_t i = t->is_unsigned || bits >= 64 ? (int64_t)v : (int64_t)(v << (64 - bits)) >> (64 - bits);
	if (t->type.id == ENT_T_BOOL && i != 0 && i != 1)
		return wrong("a tinyint(1) stands for a boolean, and this is neither 0 nor 1", err);
	return ent_builder_int(out, col, i, err);
}

static int decimal_put(const struct ent_my_type *t, struct ent_bytes b, struct ent_builder *out, size_t col, struct ent_err *err)
{
	char text[80];
	ent_i128 v;
	struct ent_reader r = ent_reader(b);
	if (!ent_my_decimal_read(&r, t->precision, t->scale, text))
		return wrong("the log holds a decimal that is none", err);
	if (t->kind == ENT_MY_CAST)
		return ent_builder_text(out, col, ent_bytes_str(text), err);
	return ent_decimal_parse(ent_bytes_str(text), t->precision, t->scale, &v) ? ent_builder_wide(out, col, v, err)
										  : wrong("the log holds a decimal that is none", err);
}

int ent_my_log_value(const struct ent_my_log_column *c, const struct ent_my_type *type, enum ent_my_charset charset, struct ent_bytes value,
		     struct ent_buf *scratch, struct ent_builder *b, size_t col, struct ent_err *err)
{
	float f;
	double d;
	if (!value.data)
		return ent_builder_null(b, col, err);
	switch (type->kind) {
	case ENT_MY_INT:
		return integer_put(type, value, b, col, err);
	case ENT_MY_YEAR:
		return ent_builder_int(b, col, value.data[0] ? 1900 + value.data[0] : 0, err);
	case ENT_MY_BIT:
		return ent_builder_wide(b, col, (ent_i128)number_be(value.data, value.len), err);
	case ENT_MY_DECIMAL:
		return decimal_put(type, value, b, col, err);
	case ENT_MY_CAST:
		return decimal_put(type, value, b, col, err);
	case ENT_MY_FLOAT:
		memcpy(&f, value.data, sizeof f);
		return ent_builder_real(b, col, (double)f, err);
	case ENT_MY_DOUBLE:
		memcpy(&d, value.data, sizeof d);
		return ent_builder_real(b, col, d, err);
	case ENT_MY_DATE:
	case ENT_MY_DATETIME:
	case ENT_MY_TIMESTAMP:
	case ENT_MY_TIME:
		return time_put(c, type, value, b, col, err);
	case ENT_MY_TEXT:
	case ENT_MY_BINARY:
	case ENT_MY_ENUM:
	case ENT_MY_SET:
	case ENT_MY_JSON:
		return bytes_put(c, type, charset, value, scratch, b, col, err);
	case ENT_MY_NONE:
		break;
	}
	return wrong("this type is not followed", err);
}
