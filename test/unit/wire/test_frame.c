/* Frames survive any cut; what cannot be a frame is refused before memory is taken. */
#include "wire/frame.h"

#include "tap.h"

static void cuts(void)
{
	struct ent_buf wire = ENT_BUF(100000);
	char text[3000];
	memset(text, 'q', sizeof text);
	for (size_t i = 0; i < 20; i++)
		ent_frame_encode(&wire, i % 3 ? ENT_FRAME_MESSAGE : ENT_FRAME_PING, ent_bytes(text, i * 150));
	bool ok = true;
	for (size_t cut = 1; cut < 4000; cut = cut * 2 + 1) {
		struct ent_frame_parser p;
		struct ent_frame f;
		size_t frames = 0;
		ent_frame_parser_init(&p, 3000);
		for (size_t at = 0; at < wire.len; at += cut) {
			ok = ok && !ent_frame_parser_put(&p, ent_bytes(wire.data + at, wire.len - at < cut ? wire.len - at : cut), NULL);
			int code;
			while (!(code = ent_frame_parser_next(&p, &f, NULL))) {
				ok = ok && f.payload.len == frames * 150 && f.kind == (frames % 3 ? ENT_FRAME_MESSAGE : ENT_FRAME_PING);
				frames++;
			}
			ok = ok && code == ENT_EAGAIN;
		}
		ok = ok && frames == 20;
		ent_frame_parser_deinit(&p);
	}
	OK(ok, "frames come whole and in order whatever the cut");
	ent_buf_deinit(&wire);
}

static int feed(const char *bytes, size_t len)
{
	struct ent_frame_parser p;
	struct ent_frame f;
	struct ent_err err = ENT_ERR_INIT;
	ent_frame_parser_init(&p, 100);
	ent_frame_parser_put(&p, ent_bytes(bytes, len), NULL);
	int code = ent_frame_parser_next(&p, &f, &err);
	ent_frame_parser_deinit(&p);
	return code;
}

static void refusals(void)
{
	OK_INT(feed("\0\0\0\x66\x02", 5), ENT_EPEER, "one byte over the bound");
	OK_INT(feed("\0\0\0\x65\x02", 5), ENT_EAGAIN, "the bound itself is waited for");
	OK_INT(feed("\xff\xff\xff\xff\x02", 5), ENT_EPEER, "absurd length");
	OK_INT(feed("\0\0\0\0\x02", 5), ENT_EPEER, "length zero");
	OK_INT(feed("\0\0\0\x01\0", 5), ENT_EPEER, "kind 0");
	OK_INT(feed("\0\0\0\x01\x06", 5), ENT_EPEER, "kind 6");
	OK_INT(feed("\0\0\0\x01", 4), ENT_EAGAIN, "head not whole");
}

static void hello(void)
{
	struct ent_hello h = { 1, "hudson", "entente 0.1.0", 0x0123456789abcdefu, "job/1/ring" }, back;
	struct ent_buf b = ENT_BUF(1000);
	ent_hello_encode(&b, &h);
	OK(!ent_hello_decode(ent_buf_bytes(&b), &back, NULL) && !memcmp(&h, &back, sizeof h), "hello round trip");
	int accepted = 0;
	for (size_t len = 0; len < b.len; len++)
		accepted += !ent_hello_decode(ent_bytes(b.data, len), &back, NULL);
	OK_INT(accepted, 0, "no prefix is a hello");
	ent_buf_u8(&b, 0);
	OK_INT(ent_hello_decode(ent_buf_bytes(&b), &back, NULL), ENT_EPEER, "no byte too many in version 1");
	b.data[1] = 2;
	OK(!ent_hello_decode(ent_buf_bytes(&b), &back, NULL) && back.version == 2, "a later version may append");
	b.data[11] = 'H';
	OK_INT(ent_hello_decode(ent_buf_bytes(&b), &back, NULL), ENT_EPEER, "names have lower-case letters");
	b.data[11] = '\n';
	OK_INT(ent_hello_decode(ent_buf_bytes(&b), &back, NULL), ENT_EPEER, "no control characters");
	ent_buf_deinit(&b);
}

int main(void)
{
	cuts();
	refusals();
	hello();
	return tap_done();
}
