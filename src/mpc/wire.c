/* Messages of one round. A header (operator, length) goes before each payload: parties that took different ways stop at once instead of computing on
 * bytes that mean something else. Small messages leave in one piece, large ones tile by tile while the next tile is computed. */
#include "mpc/engine.h"
#include "mpc/taint.h"

static struct ent_link *link_of(struct ent_mpc *m, enum way way) { return way == WAY_PREV ? m->o.prev : m->o.next; }

static void header(const struct ent_mpc *m, uint64_t bytes, uint8_t out[HEADER_BYTES])
{
	uint32_t op = m->op, len = (uint32_t)bytes;
	for (int i = 0; i < 4; i++) {
		out[i] = (uint8_t)(op >> (8 * i));
		out[4 + i] = (uint8_t)(len >> (8 * i));
	}
}

static int push(struct ent_mpc *m, struct wire *w, const void *data, size_t len, struct ent_err *err)
{
	m->n.messages_sent++;
	m->n.bytes_sent += len;
	return ent_mpc_dies(m, w->link->ops->send(w->link, data, len, err));
}

static int flush(struct ent_mpc *m, struct wire *w, struct ent_err *err)
{
	size_t held = w->held;
	w->held = 0;
	return held ? push(m, w, w->buf, held, err) : 0;
}

int ent_wire_send(struct ent_mpc *m, enum way way, uint64_t bytes, struct wire *ret, struct ent_err *err)
{
	*ret = (struct wire){ .link = link_of(m, way), .left = bytes, .held = HEADER_BYTES, .buf = m->held + (way == WAY_NEXT ? HELD_BYTES : 0) };
	header(m, bytes, ret->buf);
	return bytes ? 0 : flush(m, ret, err);
}

int ent_wire_put(struct ent_mpc *m, struct wire *w, const void *data, size_t len, struct ent_err *err)
{
	ENT_ASSERT(len <= w->left);
	w->left -= len;
	if (w->held + len > TILE_WORDS * 8 + HEADER_BYTES)
		ENT_TRY(flush(m, w, err));
	if (len > TILE_WORDS * 4 && !w->held)
		return push(m, w, data, len, err);
	if (w->held + len > TILE_WORDS * 8 + HEADER_BYTES)
		return push(m, w, data, len, err);
	if (len)
		memcpy(w->buf + w->held, data, len);
	w->held += len;
	return w->left ? 0 : flush(m, w, err);
}

int ent_wire_recv(struct ent_mpc *m, enum way way, uint64_t bytes, struct wire *ret, struct ent_err *err)
{
	uint8_t want[HEADER_BYTES], got[HEADER_BYTES];
	*ret = (struct wire){ .link = link_of(m, way), .left = bytes, .buf = m->held + (way == WAY_NEXT ? 3 : 2) * HELD_BYTES };
	header(m, bytes, want);
	ENT_TRY(ent_mpc_dies(m, ret->link->ops->recv(ret->link, got, HEADER_BYTES, err)));
	m->n.bytes_received += HEADER_BYTES;
	if (!memcmp(want, got, HEADER_BYTES))
		return 0;
	ent_fail(err, ENT_EPEER, "a compute party sent a message that does not belong here");
	ent_why(err, "operator %u was due; the parties disagree on the steps of the job or bytes were lost", m->op);
	return ent_mpc_dies(m, ENT_EPEER);
}

static int pull(struct ent_mpc *m, struct wire *w, void *data, size_t len, struct ent_err *err)
{
	m->n.bytes_received += len;
	ENT_TRY(ent_mpc_dies(m, w->link->ops->recv(w->link, data, len, err)));
	ent_taint_mark(data, len);
	return 0;
}

/* Large pieces go straight to their place; small ones come out of a buffer that is filled with as much of the message as it holds. */
int ent_wire_get(struct ent_mpc *m, struct wire *w, void *data, size_t len, struct ent_err *err)
{
	uint8_t *to = data;
	ENT_ASSERT(len <= w->left);
	w->left -= len;
	while (len) {
		if (w->at == w->held && len >= TILE_WORDS * 4)
			return pull(m, w, to, len, err);
		if (w->at == w->held) {
			w->held = w->left + len < TILE_WORDS * 8 ? (size_t)w->left + len : TILE_WORDS * 8;
			w->at = 0;
			ENT_TRY(pull(m, w, w->buf, w->held, err));
		}
		size_t n = w->held - w->at < len ? w->held - w->at : len;
		memcpy(to, w->buf + w->at, n);
		w->at += n;
		to += n;
		len -= n;
	}
	return 0;
}
