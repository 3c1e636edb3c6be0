/* CQL requests and the framing of responses. */
#include "wire/cql.h"

#include <strings.h>

#define VERSION_REQUEST 0x04
#define VERSION_RESPONSE 0x84

enum { FLAG_VALUES = 0x01, FLAG_PAGE = 0x04, FLAG_STATE = 0x08, FLAG_SERIAL = 0x10, FLAG_TIMESTAMP = 0x20 };

static const char *const consistencies[] = { "ANY",          "ONE",         "TWO",    "THREE",        "QUORUM",   "ALL",
					     "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE" };

bool ent_cql_consistency_by_name(const char *name, enum ent_cql_consistency *ret)
{
	for (size_t i = 0; i < ENT_COUNT(consistencies); i++) {
		if (!strcasecmp(name, consistencies[i])) {
			*ret = (enum ent_cql_consistency)i;
			return true;
		}
	}
	return false;
}

/* --- parts of a body --- */

static void long_string(struct ent_buf *out, struct ent_bytes s)
{
	ent_buf_be32(out, (uint32_t)s.len);
	ent_buf_put(out, s.data, s.len);
}

static void short_string(struct ent_buf *out, struct ent_bytes s)
{
	if (s.len > 0xffff) {
		out->code = out->code ? out->code : ENT_EINTERNAL;
		return;
	}
	ent_buf_be16(out, (uint16_t)s.len);
	ent_buf_put(out, s.data, s.len);
}

void ent_cql_put_value(struct ent_buf *out, struct ent_bytes value) { long_string(out, value); }
void ent_cql_put_text(struct ent_buf *out, const char *value) { long_string(out, ent_bytes_str(value)); }
void ent_cql_put_null(struct ent_buf *out) { ent_buf_be32(out, UINT32_MAX); }
void ent_cql_put_unset(struct ent_buf *out) { ent_buf_be32(out, UINT32_MAX - 1); }

void ent_cql_put_i32(struct ent_buf *out, int32_t value)
{
	ent_buf_be32(out, 4);
	ent_buf_be32(out, (uint32_t)value);
}

void ent_cql_put_i64(struct ent_buf *out, int64_t value)
{
	ent_buf_be32(out, 8);
	ent_buf_be64(out, (uint64_t)value);
}

/* --- frames --- */

static size_t frame_begin(struct ent_buf *out, int16_t stream, enum ent_cql_op op)
{
	ent_buf_u8(out, VERSION_REQUEST);
	ent_buf_u8(out, 0);
	ent_buf_be16(out, (uint16_t)stream);
	ent_buf_u8(out, (uint8_t)op);
	ent_buf_be32(out, 0);
	return out->len;
}

static void frame_end(struct ent_buf *out, size_t body_at)
{
	if (out->code)
		return;
	size_t len = out->len - body_at;
	if (len > ENT_CQL_BODY_MAX) {
		out->code = ENT_ENOMEM;
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		out->data[body_at - 4 + i] = (uint8_t)(len >> (24 - 8 * i));
}

void ent_cql_options(struct ent_buf *out, int16_t stream) { frame_end(out, frame_begin(out, stream, ENT_CQL_OPTIONS)); }

void ent_cql_startup(struct ent_buf *out, int16_t stream, const char *compression)
{
	size_t at = frame_begin(out, stream, ENT_CQL_STARTUP);
	static const char *const pairs[] = { "CQL_VERSION", "3.0.0", "DRIVER_NAME", "entente" };
	ent_buf_be16(out, ENT_COUNT(pairs) / 2 + (compression != NULL));
	for (size_t i = 0; i < ENT_COUNT(pairs); i++)
		short_string(out, ent_bytes_str(pairs[i]));
	if (compression) {
		short_string(out, ent_bytes_str("COMPRESSION"));
		short_string(out, ent_bytes_str(compression));
	}
	frame_end(out, at);
}

void ent_cql_auth_plain(struct ent_buf *out, int16_t stream, struct ent_bytes user, struct ent_bytes password)
{
	size_t at = frame_begin(out, stream, ENT_CQL_AUTH_RESPONSE);
	ent_buf_be32(out, (uint32_t)(user.len + password.len + 2));
	ent_buf_u8(out, 0);
	ent_buf_put(out, user.data, user.len);
	ent_buf_u8(out, 0);
	ent_buf_put(out, password.data, password.len);
	frame_end(out, at);
}

/* consistency, flags, then in this order what the flags announce */
static void params_put(struct ent_buf *out, const struct ent_cql_params *p)
{
	unsigned flags = (p->n_values ? FLAG_VALUES : 0u) | (p->page_rows > 0 ? FLAG_PAGE : 0u) | (p->paging_state.len ? FLAG_STATE : 0u) |
			 (p->serial != ENT_CQL_ANY ? FLAG_SERIAL : 0u) | (p->timestamp_us ? FLAG_TIMESTAMP : 0u);
	ent_buf_be16(out, (uint16_t)p->consistency);
	ent_buf_u8(out, (uint8_t)flags);
	if (p->n_values) {
		ent_buf_be16(out, p->n_values);
		ent_buf_put(out, p->values.data, p->values.len);
	}
	if (p->page_rows > 0)
		ent_buf_be32(out, (uint32_t)p->page_rows);
	if (p->paging_state.len)
		long_string(out, p->paging_state);
	if (p->serial != ENT_CQL_ANY)
		ent_buf_be16(out, (uint16_t)p->serial);
	if (p->timestamp_us)
		ent_buf_be64(out, (uint64_t)p->timestamp_us);
}

void ent_cql_query(struct ent_buf *out, int16_t stream, struct ent_bytes text, const struct ent_cql_params *p)
{
	size_t at = frame_begin(out, stream, ENT_CQL_QUERY);
	long_string(out, text);
	params_put(out, p);
	frame_end(out, at);
}

void ent_cql_prepare(struct ent_buf *out, int16_t stream, struct ent_bytes text)
{
	size_t at = frame_begin(out, stream, ENT_CQL_PREPARE);
	long_string(out, text);
	frame_end(out, at);
}

void ent_cql_execute(struct ent_buf *out, int16_t stream, struct ent_bytes id, const struct ent_cql_params *p)
{
	size_t at = frame_begin(out, stream, ENT_CQL_EXECUTE);
	short_string(out, id);
	params_put(out, p);
	frame_end(out, at);
}

void ent_cql_batch(struct ent_buf *out, int16_t stream, enum ent_cql_batch_kind kind, const struct ent_cql_statement *statements, uint16_t n,
		   const struct ent_cql_params *p)
{
	size_t at = frame_begin(out, stream, ENT_CQL_BATCH);
	struct ent_cql_params tail = { .consistency = p->consistency, .serial = p->serial, .timestamp_us = p->timestamp_us };
	ent_buf_u8(out, (uint8_t)kind);
	ent_buf_be16(out, n);
	for (uint16_t i = 0; i < n; i++) {
		const struct ent_cql_statement *s = &statements[i];
		ent_buf_u8(out, s->id.len > 0);
		if (s->id.len)
			short_string(out, s->id);
		else
			long_string(out, s->text);
		ent_buf_be16(out, s->n_values);
		ent_buf_put(out, s->values.data, s->values.len);
	}
	params_put(out, &tail);
	frame_end(out, at);
}

/* --- responses, still in pieces --- */

void ent_cql_parser_init(struct ent_cql_parser *p, size_t body_max)
{
	ent_buf_init(&p->buf, 2 * body_max + ENT_CQL_HEAD + 65536);
	p->at = 0;
	p->body_max = body_max;
}

void ent_cql_parser_deinit(struct ent_cql_parser *p) { ent_buf_deinit(&p->buf); }

int ent_cql_parser_put(struct ent_cql_parser *p, struct ent_bytes bytes, struct ent_err *err) { return ent_buf_receive(&p->buf, &p->at, bytes, err); }

static int broken(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EPEER, "this is no answer of Cassandra's protocol, version 4");
	return ent_why(err, "%s", why), ENT_EPEER;
}

static bool op_known(unsigned op)
{
	switch (op) {
	case ENT_CQL_ERROR:
	case ENT_CQL_READY:
	case ENT_CQL_AUTHENTICATE:
	case ENT_CQL_SUPPORTED:
	case ENT_CQL_RESULT:
	case ENT_CQL_EVENT:
	case ENT_CQL_AUTH_CHALLENGE:
	case ENT_CQL_AUTH_SUCCESS:
		return true;
	}
	return false;
}

int ent_cql_parser_next(struct ent_cql_parser *p, struct ent_cql_frame *ret, struct ent_err *err)
{
	if (!p->buf.len || p->at >= p->buf.len)
		return ENT_EAGAIN;
	struct ent_reader r = ent_reader(ent_bytes(p->buf.data + p->at, p->buf.len - p->at));
	if (r.at[0] != VERSION_RESPONSE)
		return broken("its first byte is not that of a response of this version", err);
	if (ent_reader_left(&r) < ENT_CQL_HEAD)
		return ENT_EAGAIN;
	ent_read_u8(&r);
	struct ent_cql_frame f = { .flags = ent_read_u8(&r), .stream = (int16_t)ent_read_be16(&r) };
	unsigned op = ent_read_u8(&r);
	uint32_t len = ent_read_be32(&r);
	if (!op_known(op))
		return broken("its operation is unknown", err);
	if (len > p->body_max)
		return broken("it is longer than any answer may be", err);
	if (ent_reader_left(&r) < len)
		return ENT_EAGAIN;
	f.op = (enum ent_cql_op)op;
	f.body = ent_read(&r, len);
	p->at += ENT_CQL_HEAD + (size_t)len;
	*ret = f;
	return 0;
}
