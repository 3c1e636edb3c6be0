/* Documents to rows. A value is taken only where the column's type holds it exactly. */
#include "mongo_bson.h"

#include <stdio.h>
#include <stdlib.h>

#include "arrow/value.h"

#define JSON_BYTES_MAX ENT_BATCH_BYTES_HARD
#define DAY_MS 86400000
#define DOUBLE_EXACT ((int64_t)1 << 53)

int ent_mongo_decoder_init(struct ent_mongo_decoder *d, struct ent_err *err)
{
	d->seen = (uint64_t *)calloc(d->columns->n + 1, sizeof *d->seen);
	d->micros = (uint16_t *)calloc(d->columns->n + 1, sizeof *d->micros);
	d->rows = 0;
	return d->seen && d->micros ? 0 : ent_nomem(err);
}

void ent_mongo_decoder_deinit(struct ent_mongo_decoder *d)
{
	free(d->seen);
	free(d->micros);
	d->seen = NULL;
	d->micros = NULL;
}

/* --- JSON --- */

static bool depth_fits(const bson_iter_t *at, int left)
{
	bson_iter_t in;
	if (!BSON_ITER_HOLDS_DOCUMENT(at) && !BSON_ITER_HOLDS_ARRAY(at))
		return true;
	if (!left || !bson_iter_recurse(at, &in))
		return false;
	while (bson_iter_next(&in))
		if (!depth_fits(&in, left - 1))
			return false;
	return !in.err_off;
}

/* libbson writes blanks between tokens; they go, those within texts stay. */
static void json_compact(const char *text, size_t len, struct ent_buf *out)
{
	bool quoted = false;
	size_t from = 0;
	for (size_t i = 0; i < len; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && text[i] == ' ') {
			ent_buf_put(out, text + from, i - from);
			from = i + 1;
		}
	}
	ent_buf_put(out, text + from, len - from);
}

/* The document {v: value}. libbson complains on stderr about an array whose keys are not 0, 1, 2 and so on; a document may hold one. */
static bson_t *holder_new(const bson_iter_t *at)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(JSON_BYTES_MAX);
	const uint8_t *data;
	uint32_t len;
	if (!BSON_ITER_HOLDS_ARRAY(at)) {
		bson_t *holder = bson_new();
		if (bson_append_iter(holder, "v", 1, at))
			return holder;
		bson_destroy(holder);
		return NULL;
	}
	bson_iter_array(at, &len, &data);
	ent_buf_le32(&b, len + 8);
	ent_buf_put(&b, "\4v", 3);
	ent_buf_put(&b, data, len);
	ent_buf_u8(&b, 0);
	return b.code ? NULL : bson_new_from_data(b.data, b.len);
}

int ent_mongo_json(const bson_iter_t *at, struct ent_buf *out, struct ent_err *err)
{
	static const char head[] = "{ \"v\" : ", tail[] = " }";
	bson_t *holder = depth_fits(at, ENT_MONGO_DEPTH_MAX) ? holder_new(at) : NULL;
	size_t len = 0;
	char *text = holder ? bson_as_canonical_extended_json(holder, &len) : NULL;
	int code = text && len >= sizeof head + sizeof tail - 2 ? 0 : ENT_EDATA;
	if (!code)
		json_compact(text + sizeof head - 1, len - (sizeof head - 1) - (sizeof tail - 1), out);
	bson_free(text);
	if (holder)
		bson_destroy(holder);
	return code ? ent_fail(err, code, "a value has no JSON text") : ent_buf_check(out, err);
}

static int json_put(struct ent_builder *b, size_t col, const bson_iter_t *at, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(JSON_BYTES_MAX);
	ENT_TRY(ent_mongo_json(at, &text, err));
	return ent_builder_text(b, col, ent_buf_bytes(&text), err);
}

/* --- numbers --- */

/* Digits and exponent of a decimal128 as this many digits after the point; false when it is no number or needs more. */
static bool decimal_scaled(const bson_decimal128_t *dec, unsigned precision, unsigned scale, ent_i128 *ret)
{
	char text[BSON_DECIMAL128_STRING], plain[BSON_DECIMAL128_STRING + ENT_VALUE_TEXT_MAX];
	bson_decimal128_to_string(dec, text);
	char *e = strchr(text, 'E'), *point = strchr(text, '.');
	long exponent = e ? strtol(e + 1, NULL, 10) : 0;
	if (e)
		*e = 0;
	bool negative = text[0] == '-';
	char digits[BSON_DECIMAL128_STRING];
	size_t n = 0;
	for (const char *p = text + negative; *p; p++) {
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
		else if (*p != '.')
			return false; /* NaN, Infinity */
	}
	exponent -= point ? (long)strlen(point + 1) : 0;
	while (n > 1 && digits[n - 1] == '0' && exponent < 0) {
		n--;
		exponent++;
	}
	while (n > 1 && digits[0] == '0')
		memmove(digits, digits + 1, --n);
	if (n == 1 && digits[0] == '0')
		exponent = 0;
	long zeros = exponent + (long)scale; /* to append */
	if (zeros < 0 || zeros + (long)n > 38)
		return false;
	snprintf(plain, sizeof plain, "%s%.*s%.*s", negative ? "-" : "", (int)n, digits, (int)zeros, "00000000000000000000000000000000000000");
	ent_i128 value;
	if (!ent_decimal_parse(ent_bytes_str(plain), precision, 0, &value))
		return false;
	*ret = value;
	return true;
}

static bool whole_read(const bson_iter_t *at, ent_i128 *ret)
{
	bson_decimal128_t dec;
	double d;
	switch ((int)bson_iter_type(at)) {
	case BSON_TYPE_INT32:
		*ret = bson_iter_int32(at);
		return true;
	case BSON_TYPE_INT64:
		*ret = bson_iter_int64(at);
		return true;
	case BSON_TYPE_DOUBLE:
		d = bson_iter_double(at);
		if (!(d >= (double)-DOUBLE_EXACT && d <= (double)DOUBLE_EXACT) || d != (double)(int64_t)d)
			return false;
		*ret = (int64_t)d;
		return true;
	case BSON_TYPE_DECIMAL128:
		return bson_iter_decimal128(at, &dec) && decimal_scaled(&dec, 38, 0, ret);
	default:
		return false;
	}
}

static bool real_read(const bson_iter_t *at, double *ret)
{
	if (BSON_ITER_HOLDS_DOUBLE(at)) {
		*ret = bson_iter_double(at);
		return true;
	}
	if (!BSON_ITER_HOLDS_INT32(at) && !BSON_ITER_HOLDS_INT64(at))
		return false;
	int64_t v = bson_iter_as_int64(at);
	*ret = (double)v;
	return v >= -DOUBLE_EXACT && v <= DOUBLE_EXACT;
}

static struct ent_bytes string_of(const bson_iter_t *at)
{
	uint32_t len = 0;
	const char *text = bson_iter_utf8(at, &len);
	return ent_bytes(text, text ? len : 0);
}

static bool decimal_read(const bson_iter_t *at, struct ent_type t, ent_i128 *ret)
{
	bson_decimal128_t dec;
	char text[ENT_VALUE_TEXT_MAX];
	if (BSON_ITER_HOLDS_DECIMAL128(at))
		return bson_iter_decimal128(at, &dec) && decimal_scaled(&dec, t.precision, t.scale, ret);
	if (BSON_ITER_HOLDS_UTF8(at))
		return ent_decimal_parse(string_of(at), t.precision, t.scale, ret);
	if (!BSON_ITER_HOLDS_INT32(at) && !BSON_ITER_HOLDS_INT64(at))
		return false;
	size_t len = ent_int_text(bson_iter_as_int64(at), text);
	return ent_decimal_parse(ent_bytes(text, len), t.precision, t.scale, ret);
}

/* --- times --- */

static bool time_of_string(const bson_iter_t *at, struct ent_type t, int64_t *ret)
{
	int32_t days;
	if (!BSON_ITER_HOLDS_UTF8(at))
		return false;
	if (t.id == ENT_T_TIME)
		return ent_clock_parse(string_of(at), ret);
	if (t.id != ENT_T_DATE)
		return ent_timestamp_parse(string_of(at), t.id == ENT_T_TIMESTAMPTZ, ret);
	if (!ent_date_parse(string_of(at), &days))
		return false;
	*ret = days;
	return true;
}

static bool time_read(const bson_iter_t *at, struct ent_type t, uint16_t micros, int64_t *ret)
{
	if (!BSON_ITER_HOLDS_DATE_TIME(at))
		return time_of_string(at, t, ret);
	int64_t ms = bson_iter_date_time(at);
	if (t.id == ENT_T_DATE) {
		*ret = ms / DAY_MS;
		return ms % DAY_MS == 0;
	}
	return t.id != ENT_T_TIME && !__builtin_mul_overflow(ms, 1000, ret) && !__builtin_add_overflow(*ret, micros, ret);
}

/* --- one value --- */

static int bytes_put(struct ent_builder *b, size_t col, const bson_iter_t *at, struct ent_err *err)
{
	bson_subtype_t subtype;
	uint32_t len;
	const uint8_t *data;
	if (ent_mongo_kind_of(at) != ENT_MK_BYTES)
		return ENT_EDATA;
	bson_iter_binary(at, &subtype, &len, &data);
	return ent_builder_text(b, col, ent_bytes(data, len), err);
}

static int value_put(struct ent_builder *b, size_t col, const bson_iter_t *at, uint16_t micros, struct ent_err *err)
{
	struct ent_type t = ent_builder_type(b, col);
	ent_i128 wide;
	int64_t i;
	double d;
	switch (t.id) {
	case ENT_T_BOOL:
		return BSON_ITER_HOLDS_BOOL(at) ? ent_builder_int(b, col, bson_iter_bool(at), err) : ENT_EDATA;
	case ENT_T_INT16:
	case ENT_T_INT32:
	case ENT_T_INT64:
	case ENT_T_UINT64:
		return whole_read(at, &wide) ? ent_builder_wide(b, col, wide, err) : ENT_EDATA;
	case ENT_T_REAL:
	case ENT_T_DOUBLE:
		return real_read(at, &d) ? ent_builder_real(b, col, d, err) : ENT_EDATA;
	case ENT_T_DECIMAL:
		return decimal_read(at, t, &wide) ? ent_builder_wide(b, col, wide, err) : ENT_EDATA;
	case ENT_T_DATE:
	case ENT_T_TIMESTAMP:
	case ENT_T_TIMESTAMPTZ:
	case ENT_T_TIME:
		return time_read(at, t, micros, &i) ? ent_builder_int(b, col, i, err) : ENT_EDATA;
	case ENT_T_TEXT:
		return BSON_ITER_HOLDS_UTF8(at) ? ent_builder_text(b, col, string_of(at), err) : ENT_EDATA;
	case ENT_T_BINARY:
		return bytes_put(b, col, at, err);
	case ENT_T_COUNT:
		break;
	}
	return ENT_EDATA;
}

static int oid_put(struct ent_builder *b, size_t col, const bson_iter_t *at, struct ent_err *err)
{
	char text[25];
	if (!BSON_ITER_HOLDS_OID(at))
		return ENT_EDATA;
	bson_oid_to_string(bson_iter_oid(at), text);
	return ent_builder_text(b, col, ent_bytes_str(text), err);
}

static int uuid_put(struct ent_builder *b, size_t col, const bson_iter_t *at, struct ent_err *err)
{
	bson_subtype_t subtype;
	uint32_t len;
	const uint8_t *data;
	char hex[33], text[40];
	if (ent_mongo_kind_of(at) != ENT_MK_UUID)
		return ENT_EDATA;
	bson_iter_binary(at, &subtype, &len, &data);
	ent_hex(hex, data, 16);
	snprintf(text, sizeof text, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return ent_builder_text(b, col, ent_bytes_str(text), err);
}

static int decimal_text_put(struct ent_builder *b, size_t col, const bson_iter_t *at, struct ent_err *err)
{
	bson_decimal128_t dec;
	char text[BSON_DECIMAL128_STRING];
	if (!BSON_ITER_HOLDS_DECIMAL128(at) || !bson_iter_decimal128(at, &dec))
		return ENT_EDATA;
	bson_decimal128_to_string(&dec, text);
	return ent_builder_text(b, col, ent_bytes_str(text), err);
}

static int form_put(const struct ent_mongo_column *c, struct ent_builder *b, size_t col, const bson_iter_t *at, uint16_t micros, struct ent_err *err)
{
	switch (c->form) {
	case ENT_MF_VALUE:
		return value_put(b, col, at, micros, err);
	case ENT_MF_JSON:
		return json_put(b, col, at, err);
	case ENT_MF_OID:
		return oid_put(b, col, at, err);
	case ENT_MF_UUID:
		return uuid_put(b, col, at, err);
	case ENT_MF_DECIMAL:
		return decimal_text_put(b, col, at, err);
	}
	return ENT_EDATA;
}

static int misfit(const struct ent_mongo_decoder *d, const struct ent_mongo_column *c, const bson_iter_t *at, struct ent_err *err)
{
	char want[ENT_TYPE_TEXT_MAX], got[160];
	ent_mongo_declared(c, want);
	ent_mongo_kinds_text(ent_mongo_kind_of(at), got);
	ent_fail(err, ENT_EDATA, "document %llu: field %.200s does not fit the column's type %s", (unsigned long long)d->rows, c->path, want);
	ent_why(err, "it holds a value of type %s that this type cannot hold exactly", got);
	return ent_next(err, "declare the column with --schema FILE, for example as json"), ENT_EDATA;
}

static int field_put(struct ent_mongo_decoder *d, size_t i, const bson_iter_t *at, struct ent_err *err)
{
	const struct ent_mongo_column *c = &d->columns->all[i];
	if (d->seen[i] == d->rows) {
		ent_fail(err, ENT_EDATA, "document %llu has the field %.200s twice", (unsigned long long)d->rows, c->path);
		return ENT_EDATA;
	}
	if (BSON_ITER_HOLDS_NULL(at))
		return 0;
	d->seen[i] = d->rows;
	int code = form_put(c, d->builder, d->first_column + i, at, d->micros[i], err);
	return code == ENT_EDATA ? misfit(d, c, at, err) : code;
}

/* --- one document --- */

static int unknown(const struct ent_mongo_decoder *d, const char *name, struct ent_err *err)
{
	bool text = ent_utf8_valid(ent_bytes_str(name));
	ent_fail(err, ENT_EDATA, "document %llu has a field that the columns do not know: %.200s", (unsigned long long)d->rows,
		 text ? name : "(not UTF-8)");
	ent_why(err, "it was not in the documents that were sampled, and a copy would lose it");
	return ent_next(err, "name it and its type in --schema FILE, or choose columns"), ENT_EDATA;
}

static const struct ent_mongo_node *find(const struct ent_mongo_node *in, const struct ent_mongo_node *hint, const char *name)
{
	if (hint && !strcmp(hint->name, name))
		return hint;
	for (const struct ent_mongo_node *n = in->first; n; n = n->next)
		if (!strcmp(n->name, name))
			return n;
	return NULL;
}

static int broken(const struct ent_mongo_decoder *d, struct ent_err *err)
{
	return ent_fail(err, ENT_EDATA, "document %llu is not well formed", (unsigned long long)d->rows);
}

static int inner_put(struct ent_mongo_decoder *d, const struct ent_mongo_node *node, const bson_iter_t *at, struct ent_err *err);

static int fields_put(struct ent_mongo_decoder *d, const struct ent_mongo_node *in, bson_iter_t *at, bool top, struct ent_err *err)
{
	const struct ent_mongo_node *hint = in->first;
	while (bson_iter_next(at)) {
		const char *name = bson_iter_key(at);
		const struct ent_mongo_node *n = find(in, hint, name);
		if (n) {
			ENT_TRY(n->column >= 0 ? field_put(d, (size_t)n->column, at, err) : inner_put(d, n, at, err));
			hint = n->next;
		} else if (d->strict && !(top && !strcmp(name, ENT_MONGO_MICROS))) {
			return unknown(d, name, err);
		}
	}
	return at->err_off ? broken(d, err) : 0;
}

/* A document on the way to columns; NULL makes all of them NULL. */
static int inner_put(struct ent_mongo_decoder *d, const struct ent_mongo_node *node, const bson_iter_t *at, struct ent_err *err)
{
	bson_iter_t in;
	if (BSON_ITER_HOLDS_NULL(at))
		return 0;
	if (!BSON_ITER_HOLDS_DOCUMENT(at) || !bson_iter_recurse(at, &in)) {
		char got[160];
		ent_mongo_kinds_text(ent_mongo_kind_of(at), got);
		ent_fail(err, ENT_EDATA, "document %llu: field %.200s is no document", (unsigned long long)d->rows, node->name);
		ent_why(err, "it holds a value of type %s where other documents hold a document", got);
		return ent_next(err, "declare %.200s as json with --schema FILE", node->name), ENT_EDATA;
	}
	return fields_put(d, node, &in, false, err);
}

static void micros_read(struct ent_mongo_decoder *d, const bson_t *doc)
{
	bson_iter_t at, in;
	if (!bson_iter_init_find(&at, doc, ENT_MONGO_MICROS) || !BSON_ITER_HOLDS_DOCUMENT(&at) || !bson_iter_recurse(&at, &in))
		return;
	while (bson_iter_next(&in))
		for (size_t i = 0; BSON_ITER_HOLDS_INT32(&in) && i < d->columns->n; i++)
			if (d->columns->all[i].micros && !strcmp(d->columns->all[i].name, bson_iter_key(&in)))
				d->micros[i] = (uint16_t)(bson_iter_int32(&in) >= 0 && bson_iter_int32(&in) < 1000 ? bson_iter_int32(&in) : 0);
}

static int rest_put(struct ent_mongo_decoder *d, bool any_null, struct ent_err *err)
{
	for (size_t i = 0; i < d->columns->n; i++) {
		const struct ent_mongo_column *c = &d->columns->all[i];
		if (d->seen[i] == d->rows)
			continue;
		if (!c->nullable && !any_null)
			return ent_fail(err, ENT_EDATA, "document %llu lacks the field %.200s", (unsigned long long)d->rows, c->path);
		ENT_TRY(ent_builder_null(d->builder, d->first_column + i, err));
	}
	return 0;
}

static int document_put(struct ent_mongo_decoder *d, const bson_t *doc, bool key_only, struct ent_err *err)
{
	bson_iter_t at;
	bool micros = false;
	d->rows++;
	for (size_t i = 0; i < d->columns->n; i++) {
		micros = micros || d->columns->all[i].micros;
		d->micros[i] = 0;
	}
	if (micros)
		micros_read(d, doc);
	if (!bson_iter_init(&at, doc))
		return broken(d, err);
	ENT_TRY(fields_put(d, d->tree, &at, true, err));
	return rest_put(d, key_only, err);
}

int ent_mongo_decode(struct ent_mongo_decoder *d, const bson_t *doc, struct ent_err *err) { return document_put(d, doc, false, err); }
int ent_mongo_decode_key(struct ent_mongo_decoder *d, const bson_t *key, struct ent_err *err) { return document_put(d, key, true, err); }

static bool all_known(const struct ent_mongo_node *in, bson_iter_t *at, bool top)
{
	const struct ent_mongo_node *hint = in->first;
	bson_iter_t inner;
	while (bson_iter_next(at)) {
		const struct ent_mongo_node *n = find(in, hint, bson_iter_key(at));
		if (!n && !(top && !strcmp(bson_iter_key(at), ENT_MONGO_MICROS)))
			return false;
		if (n && n->column < 0 && BSON_ITER_HOLDS_DOCUMENT(at) && bson_iter_recurse(at, &inner) && !all_known(n, &inner, false))
			return false;
		hint = n ? n->next : NULL;
	}
	return true;
}

bool ent_mongo_knows(const struct ent_mongo_node *tree, const bson_t *doc)
{
	bson_iter_t at;
	return bson_iter_init(&at, doc) && all_known(tree, &at, true);
}
