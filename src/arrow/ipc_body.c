/* The bytes of a message's buffers. A compressed buffer is unpacked as far as it is asked for and what was read is let go, so a batch of any size
 * takes the memory of a slice. What a buffer claims to become is held against what its bytes can become, and a file's claims against its size. */
#include <stdlib.h>

#include "arrow/ipc_inner.h"

#define INPUT 16384
#define WINDOW_MAX (ENT_BATCH_BYTES_HARD + ((size_t)1 << 20))

struct ent_ipc_unpacker {
	struct ent_ipc_unpacker *next;
	const struct ent_ipc_codec *codec;
	void *state;
	uint64_t at, end;      /* compressed bytes not read yet, in the file */
	uint64_t len;          /* contents, as the buffer says */
	uint64_t from;         /* of window, within the contents */
	struct ent_buf window; /* contents unpacked and not let go */
	size_t memory;         /* of state, as it was counted */
	bool complete;         /* its frame ended */
	struct ent_bytes left; /* of input */
	uint8_t input[INPUT];
};

static void unpacker_free(struct ent_ipc_unpacker *u)
{
	if (!u)
		return;
	if (u->state)
		u->codec->close(u->state);
	ent_buf_deinit(&u->window);
	free(u);
}

void ent_ipc_body_reset(struct ent_ipc_body *b)
{
	while (b->unpackers) {
		struct ent_ipc_unpacker *u = b->unpackers;
		b->unpackers = u->next;
		unpacker_free(u);
	}
	b->memory = 0;
	b->held = 0;
	ent_ipc_views_free(b->views);
	b->views = NULL;
}

void ent_ipc_part_close(struct ent_ipc_body *b, const struct ent_ipc_part *p)
{
	for (struct ent_ipc_unpacker **at = &b->unpackers; *at; at = &(*at)->next) {
		if (*at != p->unpacker)
			continue;
		*at = p->unpacker->next;
		b->memory -= p->unpacker->memory;
		unpacker_free(p->unpacker);
		return;
	}
}

static int damaged(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "this Arrow file cannot be read");
	return ent_why(err, "a compressed buffer is damaged: %s", why), ENT_EDATA;
}

/* --- opening --- */

/* What the buffer says it holds, against what so few bytes can hold and what such a file may become. */
static int claim_check(struct ent_ipc_body *b, const struct ent_ipc_codec *codec, uint64_t packed, uint64_t len, struct ent_err *err)
{
	uint64_t most, allowed, file = b->f->input.bytes;
	if (__builtin_mul_overflow(packed, codec->ratio, &most) || len > INT64_MAX)
		most = INT64_MAX;
	if (len > most)
		return damaged("it says it holds more than its bytes can", err);
	if (__builtin_mul_overflow(file, (uint64_t)ENT_IPC_UNPACK_RATIO, &allowed))
		allowed = UINT64_MAX;
	allowed = allowed > ENT_IPC_UNPACK_FREE ? allowed : ENT_IPC_UNPACK_FREE;
#ifndef ENT_MUTANT_IPC_BOMB
	if (__builtin_add_overflow(b->unpacked, len, &b->unpacked) || b->unpacked > allowed) {
		ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file unpacks to more than %d times its size", ENT_IPC_UNPACK_RATIO);
		ent_why(err, "%llu bytes would become more than %llu", (unsigned long long)file, (unsigned long long)allowed);
		return ent_next(err, "if it is meant to be so, write it uncompressed, or as Parquet"), ENT_EUNSUPPORTED;
	}
#endif
	return 0;
}

int ent_ipc_part_open(struct ent_ipc_body *b, uint64_t at, uint64_t len, int codec, struct ent_ipc_part *ret, struct ent_err *err)
{
	const struct ent_ipc_input *in = &b->f->input;
	uint8_t prefix[8];
	*ret = (struct ent_ipc_part){ .at = at, .len = len };
	if (codec < 0 || !len)
		return 0;
	if (len < sizeof prefix)
		return damaged("it is too short for its length", err);
	ENT_TRY(in->read_at(in->self, at, prefix, sizeof prefix, err));
	uint64_t holds = ent_flat_le(ent_bytes(prefix, 8), 0, 8);
	ret->at = at + 8;
	ret->len = len - 8;
	if (holds == UINT64_MAX) /* this one as it is */
		return 0;
	ENT_TRY(claim_check(b, in->codecs[codec], len - 8, holds, err));
	ret->len = holds;
	if (!holds)
		return 0;
	struct ent_ipc_unpacker *u = (struct ent_ipc_unpacker *)calloc(1, sizeof *u);
	if (!u)
		return ent_nomem(err);
	u->codec = in->codecs[codec];
	u->at = at + 8;
	u->end = at + len;
	u->len = holds;
	ent_buf_init(&u->window, WINDOW_MAX);
	u->next = b->unpackers;
	b->unpackers = u;
	ret->unpacker = u;
	u->state = u->codec->open();
	return u->state ? 0 : ent_nomem(err);
}

/* --- reading --- */

static int memory_check(struct ent_ipc_body *b, struct ent_ipc_unpacker *u, struct ent_err *err)
{
	size_t now = u->codec->memory(u->state) + sizeof *u;
	b->memory += now - u->memory;
	u->memory = now;
	if (b->memory <= ENT_IPC_UNPACK_MEMORY_MAX)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file asks for more than %zu MiB to unpack a batch", ENT_IPC_UNPACK_MEMORY_MAX >> 20);
	return ent_next(err, "read fewer columns at once, or write it with a lower compression level"), ENT_EUNSUPPORTED;
}

static int input_fill(struct ent_ipc_body *b, struct ent_ipc_unpacker *u, struct ent_err *err)
{
	const struct ent_ipc_input *in = &b->f->input;
	uint64_t left = u->end - u->at;
	size_t n = left < INPUT ? (size_t)left : INPUT;
	if (u->left.len || !n)
		return 0;
	ENT_TRY(in->read_at(in->self, u->at, u->input, n, err));
	u->at += n;
	u->left = ent_bytes(u->input, n);
	return 0;
}

/* At most space bytes to out; *ret_n 0 only when there are no more. */
static int unpack(struct ent_ipc_body *b, struct ent_ipc_unpacker *u, uint8_t *out, size_t space, size_t *ret_n, struct ent_err *err)
{
	*ret_n = 0;
	while (!*ret_n) {
		bool end = false;
		if (u->complete) /* one frame; what may follow it pads */
			return 0;
		ENT_TRY(input_fill(b, u, err));
		size_t before = u->left.len;
		const char *why = u->codec->step(u->state, &u->left, out, space, ret_n, &end);
		if (why)
			return damaged(why, err);
		ENT_TRY(memory_check(b, u, err));
		u->complete = end;
		if (!*ret_n && !end && u->left.len == before)
			return damaged("it is cut off", err);
	}
	return 0;
}

/* Behind the last byte that was promised there must be none. */
static int end_check(struct ent_ipc_body *b, struct ent_ipc_unpacker *u, struct ent_err *err)
{
	uint8_t more;
	size_t n;
	ENT_TRY(unpack(b, u, &more, 1, &n, err));
	return n ? damaged("it holds more than it says", err) : 0;
}

/* One more piece of the contents into the window. */
static int window_grow(struct ent_ipc_body *b, struct ent_ipc_unpacker *u, size_t want, struct ent_err *err)
{
	size_t n, before = u->window.len;
	uint8_t *space = ent_buf_space(&u->window, want);
	ENT_TRY(ent_buf_check(&u->window, err));
	int code = unpack(b, u, space, want, &n, err);
	u->window.len = before + (code ? 0 : n);
	ENT_TRY(code);
	if (!n)
		return damaged("it holds less than it says", err);
	return u->from + u->window.len == u->len ? end_check(b, u, err) : 0;
}

/* Lets go what stands before from. */
static void window_drop(struct ent_ipc_unpacker *u, uint64_t from)
{
	uint64_t past = from - u->from;
	size_t n = past < u->window.len ? (size_t)past : u->window.len;
	if (!n)
		return;
	memmove(u->window.data, u->window.data + n, u->window.len - n);
	u->window.len -= n;
	u->from += n;
}

static int packed_read(struct ent_ipc_body *b, struct ent_ipc_unpacker *u, uint64_t from, void *to, size_t len, struct ent_err *err)
{
	if (from < u->from)
		return ent_fail(err, ENT_EINTERNAL, "a compressed buffer was read backwards");
	for (;;) {
		window_drop(u, from);
		uint64_t until = u->from + u->window.len;
		if (from + len <= until)
			break;
		uint64_t want = from + len - until;
		ENT_TRY(window_grow(b, u, want < ((size_t)1 << 20) ? (size_t)want : (size_t)1 << 20, err));
	}
	memcpy(to, u->window.data, len);
	return 0;
}

int ent_ipc_part_read(struct ent_ipc_body *b, const struct ent_ipc_part *p, uint64_t from, void *to, size_t len, struct ent_err *err)
{
	if (from > p->len || len > p->len - from)
		return ent_ipc_bad("a buffer is shorter than its rows", err);
	if (!len)
		return 0;
	return p->unpacker ? packed_read(b, p->unpacker, from, to, len, err) : b->f->input.read_at(b->f->input.self, p->at + from, to, len, err);
}
