/* Values on their way into a column: first fitted to the column's joint type (arrow/fit.h), then held to what MySQL's own type can take, so that the
 * server never has to cut, round or refuse. */
#include <math.h>
#include <stdio.h>

#include "my_sink.h"

#define DAY_US 86400000000
#define YEAR_1 (-719162)    /* 0001-01-01 */
#define YEAR_9999 2932896   /* 9999-12-31 */
#define INSTANT_MIN 1000000 /* of a timestamp column: 1970-01-01 00:00:01 */
#define INSTANT_MAX (((int64_t)1 << 31) * 1000000 - 1)

/* Why a number does not fit; NULL when it does. */
static const char *integer_wrong(const struct ent_my_type *t, ent_i128 v)
{
	unsigned bits = t->kind == ENT_MY_BIT ? t->width : t->width * 8;
	bool is_unsigned = t->is_unsigned || t->kind == ENT_MY_BIT;
	if (t->kind == ENT_MY_YEAR)
		return v == 0 || (v >= 1901 && v <= 2155) ? NULL : "a year is 0 or from 1901 to 2155";
	ent_i128 high = ((ent_i128)1 << (is_unsigned ? bits : bits - 1)) - 1, low = is_unsigned ? 0 : -high - 1;
	return v < low || v > high ? "it is out of the column's range" : NULL;
}

static const char *time_wrong(const struct ent_my_type *t, int64_t us)
{
	static const int64_t tens[] = { 1000000, 100000, 10000, 1000, 100, 10, 1 };
	bool dated = t->kind == ENT_MY_DATETIME || t->kind == ENT_MY_TIMESTAMP;
	if (dated && (us < (int64_t)YEAR_1 * DAY_US || us >= ((int64_t)YEAR_9999 + 1) * DAY_US))
		return "it is outside the years 1 to 9999";
	if (t->kind == ENT_MY_TIMESTAMP && (us < INSTANT_MIN || us > INSTANT_MAX))
		return "a timestamp column holds 1970 to 2038 only";
	return us % tens[t->fraction] ? "the column keeps fewer digits of a second" : NULL;
}

static const char *real_wrong(const struct ent_sink *k, double v)
{
	if (isnan(v) || isinf(v))
		return "MySQL has no NaN and no infinity";
	return k->no_minus_zero && v == 0 && signbit(v) ? "MariaDB keeps -0 as 0" : NULL;
}

static size_t letters(struct ent_bytes b)
{
	size_t n = 0;
	for (size_t i = 0; i < b.len; i++)
		n += (b.data[i] & 0xc0) != 0x80;
	return n;
}

static const char *bytes_wrong(const struct ent_my_put *p, struct ent_bytes b)
{
	const struct ent_my_type *t = &p->type;
	bool counted = t->kind == ENT_MY_TEXT && t->bytes_max <= 65535 && !strstr(p->native, "text");
	if (p->key && p->pads && b.len && b.data[b.len - 1] == ' ')
		return "this server takes no notice of blanks at the end of a key";
	if (t->kind == ENT_MY_TEXT && t->fixed && b.len && b.data[b.len - 1] == ' ')
		return "a char column loses blanks at the end";
	if (t->kind == ENT_MY_BINARY && t->fixed && b.len != t->bytes_max)
		return "a binary column would fill it up with zeros";
	if (!t->bytes_max || b.len <= t->bytes_max)
		return NULL;
	return counted && letters(b) <= t->bytes_max ? NULL : "it is too long for the column";
}

/* The server takes a number that is no member as the place of one. */
static const char *enum_wrong(const struct ent_my_put *p, struct ent_bytes b)
{
	char member[24];
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < '0' || b.data[i] > '9')
			return NULL;
	snprintf(member, sizeof member, "'%.*s'", (int)(b.len < 20 ? b.len : 20), (const char *)b.data);
	return !b.len || strstr(p->native, member) ? NULL : "a number that is none of its members would be taken as the place of one";
}

static const char *wrong(const struct ent_sink *k, const struct ent_my_put *p, const struct ent_fitted *f)
{
	switch (p->type.kind) {
	case ENT_MY_INT:
	case ENT_MY_YEAR:
	case ENT_MY_BIT:
		return integer_wrong(&p->type, f->number);
	case ENT_MY_DECIMAL:
		return p->type.is_unsigned && f->number < 0 ? "it is out of the column's range" : NULL;
	case ENT_MY_FLOAT:
	case ENT_MY_DOUBLE:
		return p->type.is_unsigned && f->real < 0 ? "it is out of the column's range" : real_wrong(k, f->real);
	case ENT_MY_DATE:
		return f->number < YEAR_1 || f->number > YEAR_9999 ? "it is outside the years 1 to 9999" : NULL;
	case ENT_MY_DATETIME:
	case ENT_MY_TIMESTAMP:
	case ENT_MY_TIME:
		return time_wrong(&p->type, (int64_t)f->number);
	case ENT_MY_TEXT:
	case ENT_MY_BINARY:
	case ENT_MY_JSON:
	case ENT_MY_CAST:
		return bytes_wrong(p, f->text);
	case ENT_MY_ENUM:
		return enum_wrong(p, f->text);
	case ENT_MY_SET:
	case ENT_MY_NONE:
		break;
	}
	return NULL;
}

/* Letters of LOAD DATA that mean something: the end of a field, of a line, the escape itself. */
static void load_escaped(struct ent_buf *out, struct ent_bytes b)
{
	size_t from = 0;
	for (size_t i = 0; i < b.len; i++) {
		char c = (char)b.data[i], e = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\\' ? '\\' : c == 0 ? '0' : 0;
		if (!e)
			continue;
		ent_buf_put(out, b.data + from, i - from);
		ent_buf_u8(out, '\\');
		ent_buf_u8(out, (uint8_t)e);
		from = i + 1;
	}
	if (b.len)
		ent_buf_put(out, b.data + from, b.len - from);
}

static void bytes_put(const struct ent_my_put *p, struct ent_bytes b, enum ent_my_form form, bool binary, struct ent_buf *out)
{
	bool raw = p->type.kind == ENT_MY_BINARY;
	if (form == ENT_MY_FORM_LOAD && raw && !binary)
		ent_buf_hex(out, b.data, b.len);
	else if (form == ENT_MY_FORM_LOAD)
		load_escaped(out, b);
	else if (raw)
		ent_my_hex_literal(out, b);
	else
		ent_my_text_literal(out, b);
}

/* Numbers and times: plain text, quoted in SQL where a bare literal would be of another type. */
static size_t plain_text(const struct ent_my_put *p, const struct ent_fitted *f, char text[ENT_VALUE_TEXT_MAX], bool *ret_quoted)
{
	*ret_quoted = true;
	switch (p->type.kind) {
	case ENT_MY_FLOAT:
	case ENT_MY_DOUBLE: /* the shortest text of the largest float is above it as a double */
		return ent_real_text(f->real, false, text);
	case ENT_MY_DATE:
		return ent_date_text((int32_t)f->number, text);
	case ENT_MY_DATETIME:
	case ENT_MY_TIMESTAMP:
		return ent_timestamp_text((int64_t)f->number, false, text);
	case ENT_MY_TIME:
		return ent_clock_text((int64_t)f->number, text);
	case ENT_MY_YEAR: /* "0" as a text would be the year 2000 */
		return (size_t)snprintf(text, ENT_VALUE_TEXT_MAX, "%04d", (int)f->number);
	case ENT_MY_INT:
	case ENT_MY_BIT:
	case ENT_MY_DECIMAL:
	case ENT_MY_TEXT:
	case ENT_MY_BINARY:
	case ENT_MY_ENUM:
	case ENT_MY_SET:
	case ENT_MY_JSON:
	case ENT_MY_CAST:
	case ENT_MY_NONE:
		break;
	}
	*ret_quoted = false;
	return ent_decimal_text(f->number, p->type.kind == ENT_MY_DECIMAL ? p->type.scale : 0, text);
}

int ent_my_value_put(const struct ent_sink *k, const struct ent_my_put *p, const struct ent_view *v, size_t row, enum ent_my_form form, bool binary,
		     struct ent_buf *scratch, struct ent_buf *out, struct ent_err *err)
{
	char text[ENT_VALUE_TEXT_MAX];
	bool quoted;
	struct ent_fitted f;
	if (ent_view_null(v, row)) {
		ent_buf_str(out, form == ENT_MY_FORM_LOAD ? "\\N" : "NULL");
		return 0;
	}
	int code = ent_fit_value(v, row, p->type.type, scratch, &f, err);
	const char *why = code ? NULL : wrong(k, p, &f);
	if (why) {
		ent_fail(err, ENT_EDATA, "a value does not fit");
		code = ent_why(err, "%s", why);
	}
	if (code)
		return ent_fit_misfit(v, row, k->row_base + row + 1, p->name, p->native, err);
	if (ent_type_is_bytes(p->type.type)) {
		bytes_put(p, f.text, form, binary, out);
		return 0;
	}
	size_t n = plain_text(p, &f, text, &quoted);
	quoted = quoted && form == ENT_MY_FORM_SQL;
	ent_buf_str(out, quoted ? "'" : "");
	ent_buf_put(out, text, n);
	ent_buf_str(out, quoted ? "'" : "");
	return 0;
}
