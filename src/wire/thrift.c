/* The writer is plain; the reader bounds everything by what is left of the frame. */
#include "wire/thrift.h"

#define STRICT 0x80010000u
#define NAME_MAX 200

/* --- writing --- */

size_t ent_thrift_call_begin(struct ent_buf *out, const char *name, int32_t sequence)
{
	size_t at = out->len;
	ent_buf_be32(out, 0);
	ent_buf_be32(out, STRICT | ENT_THRIFT_CALL);
	ent_thrift_put_value(out, ent_bytes_str(name));
	ent_buf_be32(out, (uint32_t)sequence);
	return at;
}

void ent_thrift_call_end(struct ent_buf *out, size_t at)
{
	ent_thrift_put_stop(out);
	if (out->code)
		return;
	size_t len = out->len - at - 4;
	if (len > ENT_THRIFT_FRAME_MAX) {
		out->code = ENT_ENOMEM;
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		out->data[at + i] = (uint8_t)(len >> (24 - 8 * i));
}

void ent_thrift_put_field(struct ent_buf *out, enum ent_thrift_type type, int16_t id)
{
	ent_buf_u8(out, (uint8_t)type);
	ent_buf_be16(out, (uint16_t)id);
}

void ent_thrift_put_stop(struct ent_buf *out) { ent_buf_u8(out, ENT_THRIFT_STOP); }

void ent_thrift_put_bool(struct ent_buf *out, int16_t id, bool value)
{
	ent_thrift_put_field(out, ENT_THRIFT_BOOL, id);
	ent_buf_u8(out, value);
}

void ent_thrift_put_i32(struct ent_buf *out, int16_t id, int32_t value)
{
	ent_thrift_put_field(out, ENT_THRIFT_I32, id);
	ent_buf_be32(out, (uint32_t)value);
}

void ent_thrift_put_i64(struct ent_buf *out, int16_t id, int64_t value)
{
	ent_thrift_put_field(out, ENT_THRIFT_I64, id);
	ent_buf_be64(out, (uint64_t)value);
}

void ent_thrift_put_value(struct ent_buf *out, struct ent_bytes value)
{
	if (value.len > ENT_THRIFT_FRAME_MAX) {
		out->code = out->code ? out->code : ENT_ENOMEM;
		return;
	}
	ent_buf_be32(out, (uint32_t)value.len);
	ent_buf_put(out, value.data, value.len);
}

void ent_thrift_put_binary(struct ent_buf *out, int16_t id, struct ent_bytes value)
{
	ent_thrift_put_field(out, ENT_THRIFT_BINARY, id);
	ent_thrift_put_value(out, value);
}

void ent_thrift_put_list(struct ent_buf *out, int16_t id, enum ent_thrift_type element, uint32_t n)
{
	ent_thrift_put_field(out, ENT_THRIFT_LIST, id);
	ent_buf_u8(out, (uint8_t)element);
	ent_buf_be32(out, n);
}

/* --- frames --- */

void ent_thrift_parser_init(struct ent_thrift_parser *p, size_t frame_max)
{
	ent_buf_init(&p->buf, 2 * frame_max + 65536);
	p->at = 0;
	p->frame_max = frame_max;
}

void ent_thrift_parser_deinit(struct ent_thrift_parser *p) { ent_buf_deinit(&p->buf); }

int ent_thrift_parser_put(struct ent_thrift_parser *p, struct ent_bytes bytes, struct ent_err *err)
{
	return ent_buf_receive(&p->buf, &p->at, bytes, err);
}

static int broken(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EPEER, "this is no reply of Thrift's binary protocol in frames");
	return ent_why(err, "%s", why), ENT_EPEER;
}

int ent_thrift_parser_next(struct ent_thrift_parser *p, struct ent_bytes *ret, struct ent_err *err)
{
	if (p->buf.len - p->at < 4)
		return ENT_EAGAIN;
	struct ent_reader r = ent_reader(ent_bytes(p->buf.data + p->at, p->buf.len - p->at));
	uint32_t len = ent_read_be32(&r);
	if (!len || len > p->frame_max)
		return broken("a frame is empty or longer than any reply may be", err);
	if (ent_reader_left(&r) < len)
		return ENT_EAGAIN;
	*ret = ent_read(&r, len);
	p->at += 4 + (size_t)len;
	return 0;
}

/* --- reading --- */

static void spoil(struct ent_reader *r)
{
	r->ok = false;
	r->at = r->end;
}

bool ent_thrift_field(struct ent_reader *r, struct ent_thrift_field *ret)
{
	ret->type = ent_read_u8(r);
	if (!r->ok || ret->type == ENT_THRIFT_STOP)
		return false;
	ret->id = (int16_t)ent_read_be16(r);
	return r->ok;
}

bool ent_thrift_bool(struct ent_reader *r) { return ent_read_u8(r) != 0; }
int32_t ent_thrift_i32(struct ent_reader *r) { return (int32_t)ent_read_be32(r); }
int64_t ent_thrift_i64(struct ent_reader *r) { return (int64_t)ent_read_be64(r); }
struct ent_bytes ent_thrift_binary(struct ent_reader *r) { return ent_read(r, ent_read_be32(r)); }

/* Bytes that a value of this type has at least; 0: there is no such type. */
static size_t least(uint8_t type)
{
	switch (type) {
	case ENT_THRIFT_BOOL:
	case ENT_THRIFT_BYTE:
	case ENT_THRIFT_STRUCT:
		return 1;
	case ENT_THRIFT_I16:
		return 2;
	case ENT_THRIFT_I32:
	case ENT_THRIFT_BINARY:
		return 4;
	case ENT_THRIFT_DOUBLE:
	case ENT_THRIFT_I64:
		return 8;
	case ENT_THRIFT_LIST:
	case ENT_THRIFT_SET:
		return 5;
	case ENT_THRIFT_MAP:
		return 6;
	}
	return 0;
}

uint32_t ent_thrift_list(struct ent_reader *r, uint8_t *ret_element)
{
	*ret_element = ent_read_u8(r);
	uint32_t n = ent_read_be32(r);
	if (!r->ok || (n && !least(*ret_element)) || (n && n > ent_reader_left(r) / least(*ret_element))) {
		spoil(r);
		return 0;
	}
	return n;
}

static void skip(struct ent_reader *r, uint8_t type, unsigned depth);

static void skip_struct(struct ent_reader *r, unsigned depth)
{
	struct ent_thrift_field f;
	while (ent_thrift_field(r, &f))
		skip(r, f.type, depth + 1);
}

static void skip_list(struct ent_reader *r, unsigned depth)
{
	uint8_t element;
	for (uint32_t n = ent_thrift_list(r, &element); n && r->ok; n--)
		skip(r, element, depth + 1);
}

static void skip_map(struct ent_reader *r, unsigned depth)
{
	uint8_t key = ent_read_u8(r), value = ent_read_u8(r);
	uint32_t n = ent_read_be32(r);
	if (n && (!least(key) || !least(value) || n > ent_reader_left(r) / (least(key) + least(value))))
		spoil(r);
	for (; n && r->ok; n--) {
		skip(r, key, depth + 1);
		skip(r, value, depth + 1);
	}
}

static void skip(struct ent_reader *r, uint8_t type, unsigned depth)
{
	if (depth > ENT_THRIFT_DEPTH_MAX || !least(type)) {
		spoil(r);
		return;
	}
	switch (type) {
	case ENT_THRIFT_BINARY:
		(void)ent_thrift_binary(r);
		break;
	case ENT_THRIFT_STRUCT:
		skip_struct(r, depth);
		break;
	case ENT_THRIFT_LIST:
	case ENT_THRIFT_SET:
		skip_list(r, depth);
		break;
	case ENT_THRIFT_MAP:
		skip_map(r, depth);
		break;
	default:
		(void)ent_read(r, least(type));
	}
}

void ent_thrift_skip(struct ent_reader *r, uint8_t type) { skip(r, type, 0); }

int ent_thrift_message(struct ent_bytes frame, struct ent_thrift_message *ret, struct ent_err *err)
{
	struct ent_reader r = ent_reader(frame);
	uint32_t head = ent_read_be32(&r);
	struct ent_thrift_message m = { .kind = (enum ent_thrift_kind)(head & 0xff) };
	if ((head & 0xffffff00u) != STRICT || (m.kind != ENT_THRIFT_REPLY && m.kind != ENT_THRIFT_EXCEPTION))
		return broken("its head is not that of a reply", err);
	m.name = ent_thrift_binary(&r);
	m.sequence = ent_thrift_i32(&r);
	m.body = r;
	skip_struct(&r, 0);
	if (!r.ok || m.name.len > NAME_MAX || ent_reader_left(&r))
		return broken("its struct is not well formed", err);
	*ret = m;
	return 0;
}
