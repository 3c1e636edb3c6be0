#include "wire/frame.h"

#include <stdlib.h>

void ent_frame_encode(struct ent_buf *out, enum ent_frame_kind kind, struct ent_bytes payload)
{
	ent_buf_be32(out, (uint32_t)(payload.len + 1));
	ent_buf_u8(out, (uint8_t)kind);
	ent_buf_put(out, payload.data, payload.len);
}

void ent_frame_parser_init(struct ent_frame_parser *p, size_t payload_max)
{
	ENT_ASSERT(payload_max < UINT32_MAX);
	*p = (struct ent_frame_parser){ .payload_max = payload_max };
	ent_buf_init(&p->buf, 2 * (payload_max + ENT_FRAME_HEAD) + (1u << 16));
}

void ent_frame_parser_deinit(struct ent_frame_parser *p) { ent_buf_deinit(&p->buf); }

int ent_frame_parser_put(struct ent_frame_parser *p, struct ent_bytes bytes, struct ent_err *err)
{
	if (p->at) {
		memmove(p->buf.data, p->buf.data + p->at, p->buf.len - p->at);
		p->buf.len -= p->at;
		p->at = 0;
	}
	ent_buf_put(&p->buf, bytes.data, bytes.len);
	return ent_buf_check(&p->buf, err);
}

int ent_frame_parser_next(struct ent_frame_parser *p, struct ent_frame *ret, struct ent_err *err)
{
	struct ent_reader r = ent_reader(ent_bytes(p->buf.data + p->at, p->buf.len - p->at));
	if (ent_reader_left(&r) < ENT_FRAME_HEAD)
		return ENT_EAGAIN;
	uint32_t len = ent_read_be32(&r);
	uint8_t kind = ent_read_u8(&r);
#ifdef ENT_MUTANT_FRAME_UNBOUNDED
	if (len < 1)
#else
	if (len < 1 || len - 1 > p->payload_max)
#endif
		return ent_fail(err, ENT_EPEER, "the peer announced a frame of %u bytes; at most %zu are allowed", len, p->payload_max + 1);
	if (kind < ENT_FRAME_HELLO || kind > ENT_FRAME_BYE)
		return ent_fail(err, ENT_EPEER, "the peer sent a frame of unknown kind %u", kind);
	if (ent_reader_left(&r) < len - 1)
		return ENT_EAGAIN;
	ret->kind = (enum ent_frame_kind)kind;
	ret->payload = ent_read(&r, len - 1);
	p->at += ENT_FRAME_HEAD + len - 1;
	return 0;
}

void ent_hello_encode(struct ent_buf *out, const struct ent_hello *hello)
{
	ent_buf_be16(out, hello->version);
	ent_buf_be64(out, hello->nonce);
	const char *const texts[] = { hello->org, hello->software, hello->link };
	for (size_t i = 0; i < ENT_COUNT(texts); i++) {
		ent_buf_u8(out, (uint8_t)strlen(texts[i]));
		ent_buf_put(out, texts[i], strlen(texts[i]));
	}
}

/* A length byte and that many printable ASCII letters. */
static bool read_text(struct ent_reader *r, char *out, size_t out_size)
{
	struct ent_bytes b = ent_read(r, ent_read_u8(r));
	if (!r->ok || b.len >= out_size)
		return false;
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < 0x20 || b.data[i] > 0x7e)
			return false;
	if (b.len)
		memcpy(out, b.data, b.len);
	out[b.len] = 0;
	return true;
}

static bool org_valid(const char *s)
{
	if (*s < 'a' || *s > 'z')
		return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
}

int ent_hello_decode(struct ent_bytes payload, struct ent_hello *ret, struct ent_err *err)
{
	struct ent_reader r = ent_reader(payload);
	struct ent_hello h = { .version = ent_read_be16(&r), .nonce = ent_read_be64(&r) };
	if (!read_text(&r, h.org, sizeof h.org) || !read_text(&r, h.software, sizeof h.software) || !read_text(&r, h.link, sizeof h.link) || !r.ok ||
	    !org_valid(h.org))
		return ent_fail(err, ENT_EPEER, "the peer's hello is malformed");
	/* Later versions may append fields. */
	if (h.version == ENT_HELLO_VERSION && ent_reader_left(&r))
		return ent_fail(err, ENT_EPEER, "the peer's hello has %zu bytes too many", ent_reader_left(&r));
	*ret = h;
	return 0;
}
