/* Reading replication messages: every length is checked, nothing is kept. */
#include "pgoutput.h"

#define US_2000 ((int64_t)946684800 * 1000000)

static int broken(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EDATA, "PostgreSQL sent a broken replication message");
	return ent_why(err, "%s", why), ENT_EDATA;
}

static int64_t time_read(struct ent_reader *r) { return (int64_t)(ent_read_be64(r) + (uint64_t)US_2000); }

/* A text that ends with NUL; "" after a short read. */
static const char *text_read(struct ent_reader *r)
{
	const uint8_t *end = r->ok && r->at < r->end ? (const uint8_t *)memchr(r->at, 0, ent_reader_left(r)) : NULL;
	const char *text = (const char *)r->at;
	if (!end) {
		r->ok = false;
		return "";
	}
	r->at = end + 1;
	return text;
}

static int tuple_read(struct ent_reader *r, struct ent_pgout_tuple *t, struct ent_err *err)
{
	t->n = ent_read_be16(r);
	if (t->n > ENT_PGOUT_COLUMNS_MAX)
		return broken("a row has too many columns", err);
	for (size_t i = 0; i < t->n && r->ok; i++) {
		struct ent_pgout_value *v = &t->values[i];
		v->kind = (char)ent_read_u8(r);
		v->bytes = ent_bytes("", 0);
		if (v->kind == 't' || v->kind == 'b')
			v->bytes = ent_read(r, ent_read_be32(r));
		else if (r->ok && v->kind != 'n' && v->kind != 'u')
			return broken("a value has an unknown kind", err);
	}
	return r->ok ? 0 : broken("a row is cut", err);
}

static int relation_read(struct ent_reader *r, struct ent_pgout_msg *m, struct ent_err *err)
{
	m->relation = ent_read_be32(r);
	m->schema = text_read(r);
	m->table = text_read(r);
	m->identity = (char)ent_read_u8(r);
	m->n_columns = ent_read_be16(r);
	if (m->n_columns > ENT_PGOUT_COLUMNS_MAX)
		return broken("a table has too many columns", err);
	for (size_t i = 0; i < m->n_columns && r->ok; i++) {
		struct ent_pgout_column *c = &m->columns[i];
		c->key = ent_read_u8(r) & 1;
		c->name = text_read(r);
		c->oid = ent_read_be32(r);
		c->modifier = (int32_t)ent_read_be32(r);
	}
	return 0;
}

/* Optional old row, then (not for deletes) the new one. */
static int row_read(struct ent_reader *r, struct ent_pgout_msg *m, struct ent_err *err)
{
	m->relation = ent_read_be32(r);
	uint8_t mark = ent_read_u8(r);
	if (m->kind != ENT_PGOUT_INSERT && (mark == 'K' || mark == 'O')) {
		m->old_kind = (char)mark;
		ENT_TRY(tuple_read(r, &m->old, err));
		mark = m->kind == ENT_PGOUT_UPDATE ? ent_read_u8(r) : 0;
	} else if (m->kind == ENT_PGOUT_DELETE) {
		return broken("a delete without its old row", err);
	}
	if (m->kind == ENT_PGOUT_DELETE)
		return 0;
	return r->ok && mark == 'N' ? tuple_read(r, &m->now, err) : broken("a row without its mark", err);
}

static int truncate_read(struct ent_reader *r, struct ent_pgout_msg *m)
{
	uint32_t n = ent_read_be32(r);
	ent_read_u8(r);
	m->relations = ent_read(r, (size_t)n * 4);
	return 0;
}

static void ends_read(struct ent_reader *r, struct ent_pgout_msg *m)
{
	ent_read_u8(r);
	m->lsn = ent_read_be64(r);
	m->end_lsn = ent_read_be64(r);
	m->time_us = time_read(r);
}

static void begin_read(struct ent_reader *r, struct ent_pgout_msg *m)
{
	m->lsn = ent_read_be64(r);
	m->time_us = time_read(r);
	m->xid = ent_read_be32(r);
}

/* Prepared transactions: positions, times, transaction, name. */
static void prepared_read(struct ent_reader *r, struct ent_pgout_msg *m, char type)
{
	if (type != 'b')
		ent_read_u8(r);
	m->lsn = ent_read_be64(r);
	m->end_lsn = ent_read_be64(r);
	m->time_us = time_read(r);
	if (type == 'r')
		m->time_us = time_read(r);
	m->xid = ent_read_be32(r);
	text_read(r);
}

static const struct {
	char type;
	enum ent_pgout_kind kind;
	bool streamed; /* carries its transaction inside a stream block */
	uint8_t version;
} types[] = { { 'B', ENT_PGOUT_BEGIN, false, 1 },
	      { 'C', ENT_PGOUT_COMMIT, false, 1 },
	      { 'R', ENT_PGOUT_RELATION, true, 1 },
	      { 'I', ENT_PGOUT_INSERT, true, 1 },
	      { 'U', ENT_PGOUT_UPDATE, true, 1 },
	      { 'D', ENT_PGOUT_DELETE, true, 1 },
	      { 'T', ENT_PGOUT_TRUNCATE, true, 1 },
	      { 'O', ENT_PGOUT_OTHER, false, 1 },
	      { 'Y', ENT_PGOUT_OTHER, true, 1 },
	      { 'M', ENT_PGOUT_OTHER, true, 1 },
	      { 'S', ENT_PGOUT_STREAM_START, false, 2 },
	      { 'E', ENT_PGOUT_STREAM_STOP, false, 2 },
	      { 'c', ENT_PGOUT_STREAM_COMMIT, false, 2 },
	      { 'A', ENT_PGOUT_STREAM_ABORT, false, 2 },
	      { 'b', ENT_PGOUT_PREPARE, false, 3 },
	      { 'P', ENT_PGOUT_PREPARE, false, 3 },
	      { 'p', ENT_PGOUT_PREPARE, false, 3 },
	      { 'K', ENT_PGOUT_COMMIT_PREPARED, false, 3 },
	      { 'r', ENT_PGOUT_ROLLBACK_PREPARED, false, 3 } };

static int body_read(struct ent_pgout *d, struct ent_reader *r, char type, struct ent_pgout_msg *m, struct ent_err *err)
{
	switch (m->kind) {
	case ENT_PGOUT_BEGIN:
		begin_read(r, m);
		return 0;
	case ENT_PGOUT_COMMIT:
		ends_read(r, m);
		return 0;
	case ENT_PGOUT_RELATION:
		return relation_read(r, m, err);
	case ENT_PGOUT_INSERT:
	case ENT_PGOUT_UPDATE:
	case ENT_PGOUT_DELETE:
		return row_read(r, m, err);
	case ENT_PGOUT_TRUNCATE:
		return truncate_read(r, m);
	case ENT_PGOUT_STREAM_START:
		m->xid = ent_read_be32(r);
		ent_read_u8(r);
		d->in_stream = true;
		return 0;
	case ENT_PGOUT_STREAM_STOP:
		d->in_stream = false;
		return 0;
	case ENT_PGOUT_STREAM_COMMIT:
		m->xid = ent_read_be32(r);
		ends_read(r, m);
		return 0;
	case ENT_PGOUT_STREAM_ABORT:
		m->xid = ent_read_be32(r);
		ent_read(r, d->version >= 4 && ent_reader_left(r) > 4 ? 20 : 4);
		return 0;
	case ENT_PGOUT_PREPARE:
	case ENT_PGOUT_COMMIT_PREPARED:
	case ENT_PGOUT_ROLLBACK_PREPARED:
		prepared_read(r, m, type);
		return 0;
	case ENT_PGOUT_OTHER:
		ent_read(r, ent_reader_left(r));
		return 0;
	}
	return broken("its type is unknown", err);
}

int ent_pgout_decode(struct ent_pgout *d, struct ent_bytes message, struct ent_pgout_msg *ret, struct ent_err *err)
{
	struct ent_reader r = ent_reader(message);
	char type = (char)ent_read_u8(&r);
	ret->relation = ret->xid = 0;
	ret->lsn = ret->end_lsn = 0;
	ret->time_us = 0;
	ret->schema = ret->table = "";
	ret->identity = ret->old_kind = 0;
	ret->n_columns = ret->old.n = ret->now.n = 0;
	ret->relations = ent_bytes("", 0);
	for (size_t i = 0; r.ok && i < ENT_COUNT(types); i++) {
		if (types[i].type != type || types[i].version > d->version)
			continue;
		ret->kind = types[i].kind;
		if (types[i].streamed && d->in_stream)
			ret->xid = ent_read_be32(&r);
		ENT_TRY(body_read(d, &r, type, ret, err));
		if (!r.ok)
			return broken("it is cut", err);
		return ent_reader_left(&r) ? broken("bytes follow its end", err) : 0;
	}
	return broken("its type is unknown", err);
}

int ent_pgout_frame(struct ent_bytes bytes, struct ent_pgout_frame *ret, struct ent_err *err)
{
	struct ent_reader r = ent_reader(bytes);
	struct ent_pgout_frame f = { 0 };
	uint8_t type = ent_read_u8(&r);
	if (type != 'w' && type != 'k')
		return broken("its frame is unknown", err);
	f.data = type == 'w';
	if (f.data)
		f.start = ent_read_be64(&r);
	f.end = ent_read_be64(&r);
	ent_read_be64(&r);
	if (!f.data)
		f.reply = ent_read_u8(&r) != 0;
	if (!r.ok)
		return broken("its frame is cut", err);
	f.message = ent_bytes(r.at, ent_reader_left(&r));
	*ret = f;
	return 0;
}

void ent_pgout_status(uint64_t lsn, int64_t now_us, bool reply, uint8_t out[ENT_PGOUT_STATUS_BYTES])
{
	const uint64_t words[] = { lsn, lsn, lsn, (uint64_t)(now_us - US_2000) };
	out[0] = 'r';
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 8; k++)
			out[1 + 8 * i + k] = (uint8_t)(words[i] >> (56 - 8 * k));
	out[33] = reply;
}
