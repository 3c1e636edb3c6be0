/* Binary values: big-endian integers, days and microseconds since 2000-01-01, numerics as base-10000 digits. */
#include "pg_wire.h"

#include <math.h>

#define ROW_BYTES_MAX ((size_t)1 << 30)

static int bad(const struct ent_pg_column *c, uint64_t row, const char *what, struct ent_err *err)
{
	return ent_fail(err, ENT_EDATA, "row %llu of column %.200s %s", (unsigned long long)row, c->name, what);
}

static inline uint32_t be32_at(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }
static inline uint32_t be16_at(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }

static inline int64_t signed_be(const uint8_t *data, size_t len)
{
	uint64_t v = 0;
	if (len == 8)
		return (int64_t)((uint64_t)be32_at(data) << 32 | be32_at(data + 4));
	if (len == 4)
		return (int32_t)be32_at(data);
	for (size_t i = 0; i < len; i++)
		v = v << 8 | data[i];
	unsigned shift = 64u - 8u * (unsigned)len;
	return (int64_t)(v << shift) >> shift;
}

static double real_be(const uint8_t *data, size_t len)
{
	uint64_t wide = (uint64_t)signed_be(data, len);
	uint32_t narrow = (uint32_t)wide;
	double d;
	float f;
	memcpy(&f, &narrow, sizeof f);
	memcpy(&d, &wide, sizeof d);
	return len == 4 ? (double)f : d;
}

/* Multiplies and adds, refusing what leaves 38 digits and a little. */
static bool push_digit(ent_i128 *v, int64_t factor, int64_t digit)
{
	return !__builtin_mul_overflow(*v, (ent_i128)factor, v) && !__builtin_add_overflow(*v, (ent_i128)digit, v);
}

/* One base-10000 digit group at a decimal exponent relative to the scale: kept whole, cut exactly, or refused when a cut digit is not 0. */
static bool push_group(ent_i128 *v, int digit, int keep)
{
	static const int64_t powers[] = { 1, 10, 100, 1000, 10000 };
	if (keep >= 4)
		return push_digit(v, 10000, digit);
	if (keep <= 0)
		return digit == 0;
	return digit % powers[4 - keep] == 0 && push_digit(v, powers[keep], digit / powers[4 - keep]);
}

/* The usual numeric: up to four groups whose scaled value fits in 64 bits. False: the general way must look. */
static bool numeric_small(const uint8_t *data, size_t len, unsigned scale, ent_i128 *ret)
{
	static const int64_t powers[] = { 1, 10, 100, 1000, 10000 };
	unsigned n = len >= 8 ? be16_at(data) : 0, sign = len >= 8 ? be16_at(data + 4) : 1;
	int weight = len >= 8 ? (int16_t)be16_at(data + 2) : 0, keep = (int)scale + 4 * (weight + 1);
	int64_t v = 0;
	if (!n || n > 4 || len != 8 + (size_t)n * 2 || (sign && sign != 0x4000) || weight > 3 || weight < -1 || keep > 16 || keep < 0)
		return false;
	for (unsigned i = 0; i < n; i++, keep -= 4) {
		unsigned digit = be16_at(data + 8 + (size_t)i * 2);
		if (digit > 9999 || keep <= 0)
			return false;
		int take = keep >= 4 ? 4 : keep;
		if (digit % (unsigned)powers[4 - take])
			return false;
		v = v * powers[take] + (int64_t)digit / powers[4 - take];
	}
	for (; keep > 0; keep -= 4)
		v *= powers[keep >= 4 ? 4 : keep];
	*ret = sign ? -v : v;
	return true;
}

/* ndigits, weight, sign, dscale, digits: exact scaled integer of the wanted scale. */
static int numeric_read(const struct ent_pg_column *c, uint64_t row, const uint8_t *data, size_t len, unsigned scale, ent_i128 *ret,
			struct ent_err *err)
{
	struct ent_reader r = ent_reader(ent_bytes(data, len));
	unsigned n = ent_read_be16(&r), weight_bits = ent_read_be16(&r), sign = ent_read_be16(&r);
	ent_read_be16(&r); /* display scale: the digits say it all */
	int weight = (int16_t)weight_bits, decimals = (int)scale;
	ent_i128 v = 0;
	if (!r.ok || (sign != 0 && sign != 0x4000 && sign != 0xC000 && sign != 0xD000 && sign != 0xF000) || ent_reader_left(&r) != (size_t)n * 2)
		return bad(c, row, "is malformed", err);
	if (sign == 0xC000 || sign == 0xD000 || sign == 0xF000)
		return bad(c, row, sign == 0xC000 ? "is NaN, which no decimal can hold" : "is infinite, which no decimal can hold", err);
	int done = -1; /* exponent groups written so far end here: groups weight, weight-1, ..., -(scale+3)/4 */
	for (unsigned i = 0; i < n; i++) {
		int digit = ent_read_be16(&r), exponent = weight - (int)i;
		if (digit > 9999)
			return bad(c, row, "is malformed", err);
		if ((exponent > 9 && digit) || !push_group(&v, digit, decimals + 4 * (exponent + 1)))
			return bad(c, row, "does not fit its precision and scale", err);
		done = exponent;
	}
	/* groups PostgreSQL leaves out because they are 0 */
	for (int exponent = n ? done - 1 : -1; v && decimals + 4 * (exponent + 1) > 0; exponent--)
		if (!push_group(&v, 0, decimals + 4 * (exponent + 1)))
			return bad(c, row, "does not fit its precision and scale", err);
	*ret = sign == 0x4000 ? -v : v;
	return 0;
}

static int time_put(struct ent_builder *b, size_t col, const struct ent_pg_column *c, uint64_t row, const uint8_t *data, struct ent_err *err)
{
	bool date = c->kind == ENT_PG_DATE;
	int64_t v = signed_be(data, date ? 4 : 8), shifted;
	if (date ? v == INT32_MAX || v == INT32_MIN : v == INT64_MAX || v == INT64_MIN)
		return c->infinite ? ent_builder_int(b, col, v, err) : bad(c, row, "is infinity, which has no joint meaning", err);
	if (__builtin_add_overflow(v, date ? ENT_PG_DAYS_2000 : ENT_PG_US_2000, &shifted))
		return bad(c, row, "is too far in the future", err);
	return ent_builder_int(b, col, shifted, err);
}

/* Bytes a value must have; 0: any number. */
static size_t kind_width(enum ent_pg_kind kind)
{
	switch (kind) {
	case ENT_PG_BOOL:
		return 1;
	case ENT_PG_INT2:
		return 2;
	case ENT_PG_INT4:
	case ENT_PG_FLOAT4:
	case ENT_PG_DATE:
		return 4;
	case ENT_PG_INT8:
	case ENT_PG_FLOAT8:
	case ENT_PG_TIMESTAMP:
	case ENT_PG_TIME:
		return 8;
	case ENT_PG_NUMERIC:
	case ENT_PG_TEXT:
	case ENT_PG_BYTES:
		break;
	}
	return 0;
}

static int numeric_put(struct ent_builder *b, size_t col, const struct ent_pg_column *c, uint64_t row, const uint8_t *data, size_t len,
		       struct ent_err *err)
{
	ent_i128 v = 0, limit = 1;
	struct ent_type t = ent_builder_type(b, col);
	if (!numeric_small(data, len, t.scale, &v))
		ENT_TRY(numeric_read(c, row, data, len, t.scale, &v, err));
	for (unsigned i = 0; i < t.precision; i++)
		limit *= 10;
	if (v <= -limit || v >= limit)
		return bad(c, row, "does not fit its precision and scale", err);
	return ent_builder_wide(b, col, v, err);
}

static int text_put(struct ent_builder *b, size_t col, const struct ent_pg_column *c, uint64_t row, struct ent_bytes text, struct ent_err *err)
{
	int code = ent_builder_text(b, col, text, err);
	return code == ENT_EDATA ? bad(c, row, "is not UTF-8", err) : code;
}

int ent_pg_value_put(struct ent_builder *b, size_t col, const struct ent_pg_column *c, uint64_t row, const uint8_t *data, size_t len,
		     struct ent_err *err)
{
	size_t width = kind_width(c->kind);
	if (!data)
		return ent_builder_null(b, col, err);
	if (width && len != width)
		return bad(c, row, "is malformed", err);
	switch (c->kind) {
	case ENT_PG_BOOL:
		return data[0] > 1 ? bad(c, row, "is malformed", err) : ent_builder_int(b, col, data[0], err);
	case ENT_PG_INT2:
	case ENT_PG_INT4:
	case ENT_PG_INT8:
		return ent_builder_int(b, col, signed_be(data, width), err);
	case ENT_PG_FLOAT4:
	case ENT_PG_FLOAT8:
		return ent_builder_real(b, col, real_be(data, width), err);
	case ENT_PG_NUMERIC:
		return numeric_put(b, col, c, row, data, len, err);
	case ENT_PG_DATE:
	case ENT_PG_TIMESTAMP:
		return time_put(b, col, c, row, data, err);
	case ENT_PG_TIME:
		return ent_builder_int(b, col, signed_be(data, 8), err);
	case ENT_PG_TEXT:
	case ENT_PG_BYTES:
		return text_put(b, col, c, row, ent_bytes(data, len), err);
	}
	return bad(c, row, "has an unknown kind", err);
}

/* --- COPY BINARY --- */

static const uint8_t signature[11] = { 'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0 };

void ent_pg_copy_init(struct ent_pg_copy *p, const struct ent_pg_column *columns, size_t n_columns)
{
	*p = (struct ent_pg_copy){ .columns = columns, .n_columns = n_columns, .rest = ENT_BUF(ROW_BYTES_MAX) };
}

void ent_pg_copy_deinit(struct ent_pg_copy *p) { ent_buf_deinit(&p->rest); }

static int broken(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "PostgreSQL sent a broken COPY stream");
	return ent_why(err, "%s", why), ENT_EDATA;
}

int ent_pg_copy_header(struct ent_bytes bytes, size_t *ret, struct ent_err *err)
{
	struct ent_reader at = ent_reader(bytes);
	struct ent_bytes head = ent_read(&at, sizeof signature);
	uint32_t flags = ent_read_be32(&at), extra = ent_read_be32(&at);
	*ret = 0;
	if (!at.ok)
		return 0;
	if (memcmp(head.data, signature, sizeof signature) != 0 || flags != 0)
		return broken("its header is unknown", err);
	if (extra > 65536)
		return broken("its header extension is too long", err);
	ent_read(&at, extra);
	*ret = at.ok ? bytes.len - ent_reader_left(&at) : 0;
	return 0;
}

/* Reads the header when it is complete; r is left where it was when it is not. */
static int header_read(struct ent_pg_copy *p, struct ent_reader *r, struct ent_err *err)
{
	size_t len;
	ENT_TRY(ent_pg_copy_header(ent_bytes(r->at, ent_reader_left(r)), &len, err));
	ent_read(r, len);
	p->header = len > 0;
	return 0;
}

/* Bytes of the whole row at the start, 0 when it is cut. n_columns matches already. */
static size_t row_size(const uint8_t *at, size_t len, size_t n_columns)
{
	size_t used = 2;
	for (size_t i = 0; i < n_columns; i++) {
		if (len - used < 4)
			return 0;
		int32_t n = (int32_t)be32_at(at + used);
		used += 4;
		if (n > 0 && len - used < (size_t)n)
			return 0;
		used += n > 0 ? (size_t)n : 0;
	}
	return used;
}

int ent_pg_tuple_check(struct ent_bytes tuple, size_t n_columns, struct ent_err *err)
{
	if (tuple.len < 2 || be16_at(tuple.data) != n_columns)
		return broken("a row has another number of columns", err);
	return row_size(tuple.data, tuple.len, n_columns) == tuple.len ? 0 : broken("a row is cut or too long", err);
}

/* A row that is known to be whole. */
static int row_put(struct ent_pg_copy *p, const uint8_t *at, struct ent_builder *b, struct ent_err *err)
{
	at += 2;
	p->rows++;
	for (size_t i = 0; i < p->n_columns; i++) {
		int32_t len = (int32_t)be32_at(at);
		at += 4;
		if (len < -1)
			return broken("a value has a negative length", err);
		ENT_TRY(ent_pg_value_put(b, i, &p->columns[i], p->rows, len < 0 ? NULL : at, len < 0 ? 0 : (size_t)len, err));
		at += len > 0 ? len : 0;
	}
	return 0;
}

/* Takes the whole rows at r, and the trailer. */
static int rows_read(struct ent_pg_copy *p, struct ent_reader *r, struct ent_builder *b, struct ent_err *err)
{
	while (ent_reader_left(r) >= 2) {
		uint32_t n = be16_at(r->at);
		if (n == UINT16_MAX) {
			r->at += 2;
			p->done = true;
			return ent_reader_left(r) ? broken("bytes follow its end", err) : 0;
		}
		if (n != p->n_columns)
			return broken("a row has another number of columns", err);
		size_t size = row_size(r->at, ent_reader_left(r), p->n_columns);
		if (!size)
			return 0;
		ENT_TRY(row_put(p, r->at, b, err));
		r->at += size;
	}
	return 0;
}

int ent_pg_copy_feed(struct ent_pg_copy *p, struct ent_bytes bytes, struct ent_builder *b, struct ent_err *err)
{
	if (!bytes.len)
		return 0;
	if (p->done)
		return broken("bytes follow its end", err);
	bool joined = p->rest.len > 0;
	if (joined) {
		ent_buf_put(&p->rest, bytes.data, bytes.len);
		ENT_TRY(ent_buf_check(&p->rest, err));
	}
	struct ent_reader r = ent_reader(joined ? ent_buf_bytes(&p->rest) : bytes);
	if (!p->header)
		ENT_TRY(header_read(p, &r, err));
	if (p->header)
		ENT_TRY(rows_read(p, &r, b, err));
	size_t left = p->done ? 0 : ent_reader_left(&r);
	if (joined) {
		memmove(p->rest.data, r.end - left, left);
		p->rest.len = left;
	} else if (left) {
		ent_buf_put(&p->rest, r.end - left, left);
	}
	return ent_buf_check(&p->rest, err);
}
