/* What a response says. Every bound is checked against the frame before it is believed; nothing is copied. */
#include "wire/cql.h"

enum { FLAG_TRACING = 0x02, FLAG_PAYLOAD = 0x04, FLAG_WARNING = 0x08 };
enum { META_GLOBAL = 0x01, META_MORE = 0x02, META_NONE = 0x04 };
enum { RESULT_VOID = 1, RESULT_ROWS, RESULT_KEYSPACE, RESULT_PREPARED, RESULT_SCHEMA };
#define TYPE_DEPTH_MAX 32

static int broken(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EPEER, "an answer of Cassandra cannot be read");
	return ent_why(err, "%s", why), ENT_EPEER;
}

static struct ent_bytes short_string(struct ent_reader *r) { return ent_read(r, ent_read_be16(r)); }

/* [bytes]: NULL and negative lengths give no data. */
static struct ent_bytes long_bytes(struct ent_reader *r)
{
	int32_t len = (int32_t)ent_read_be32(r);
	if (len < 0)
		return ent_bytes(NULL, 0);
	return ent_read(r, (size_t)len);
}

/* Steps over one [option]; its id, or -1 when it cannot be one. */
static int type_skip(struct ent_reader *r, unsigned depth)
{
	uint16_t id = ent_read_be16(r);
	if (!r->ok || depth > TYPE_DEPTH_MAX)
		return -1;
	switch (id) {
	case ENT_CQL_T_CUSTOM:
		short_string(r);
		break;
	case ENT_CQL_T_LIST:
	case ENT_CQL_T_SET:
		return type_skip(r, depth + 1) < 0 ? -1 : id;
	case ENT_CQL_T_MAP:
		return type_skip(r, depth + 1) < 0 || type_skip(r, depth + 1) < 0 ? -1 : id;
	case ENT_CQL_T_UDT:
	case ENT_CQL_T_TUPLE:
		if (id == ENT_CQL_T_UDT) {
			short_string(r);
			short_string(r);
		}
		for (unsigned n = ent_read_be16(r); n && r->ok; n--) {
			if (id == ENT_CQL_T_UDT)
				short_string(r);
			if (type_skip(r, depth + 1) < 0)
				return -1;
		}
		break;
	}
	return r->ok ? id : -1;
}

static bool column_read(struct ent_reader *r, const struct ent_cql_meta *meta, struct ent_cql_column *ret)
{
	ret->keyspace = meta->global ? meta->global_keyspace : short_string(r);
	ret->table = meta->global ? meta->global_table : short_string(r);
	ret->name = short_string(r);
	int type = type_skip(r, 0);
	ret->type = type < 0 ? 0 : (uint16_t)type;
	return r->ok && type >= 0;
}

bool ent_cql_column(const struct ent_cql_meta *meta, struct ent_bytes *at, struct ent_cql_column *ret)
{
	if (!at->len)
		return false;
	struct ent_reader r = ent_reader(*at);
	bool ok = column_read(&r, meta, ret);
	*at = ent_bytes(r.at, ent_reader_left(&r));
	return ok;
}

/* prepared: the metadata of what a statement takes also counts the columns of the partition key. */
static int meta_read(struct ent_reader *r, bool prepared, struct ent_cql_meta *ret, struct ent_err *err)
{
	uint32_t flags = ent_read_be32(r);
	struct ent_cql_meta m = { .n_columns = ent_read_be32(r), .none = flags & META_NONE, .global = (flags & META_GLOBAL) && !(flags & META_NONE) };
	if (!r->ok || m.n_columns > ENT_CQL_COLUMNS_MAX)
		return broken("it has an impossible number of columns", err);
	if (prepared) {
		uint32_t n = ent_read_be32(r);
		if (n > ENT_CQL_COLUMNS_MAX)
			return broken("it has an impossible partition key", err);
		ent_read(r, (size_t)n * 2);
	}
	if (flags & META_MORE)
		m.paging_state = long_bytes(r);
	if (m.global) {
		m.global_keyspace = short_string(r);
		m.global_table = short_string(r);
	}
	const uint8_t *begin = r->at;
	struct ent_cql_column c;
	for (uint32_t i = 0; r->ok && !m.none && i < m.n_columns; i++)
		if (!column_read(r, &m, &c))
			return broken("the description of its columns is malformed", err);
	if (!r->ok)
		return broken("the description of its columns ends early", err);
	m.specs = ent_bytes(begin, (size_t)(r->at - begin));
	*ret = m;
	return 0;
}

static int rows_read(struct ent_reader *r, struct ent_cql_event *e, struct ent_err *err)
{
	e->kind = ENT_CQL_IS_ROWS;
	ENT_TRY(meta_read(r, false, &e->out, err));
	e->n_rows = ent_read_be32(r);
	e->cells = *r;
	/* a cell takes at least its length, so the frame itself bounds the work of reading it */
	if (!r->ok || (uint64_t)e->n_rows * e->out.n_columns > ent_reader_left(r) / 4 || (e->n_rows && !e->out.n_columns))
		return broken("it announces more rows than it holds", err);
	return 0;
}

static int prepared_read(struct ent_reader *r, struct ent_cql_event *e, struct ent_err *err)
{
	e->kind = ENT_CQL_IS_PREPARED;
	e->id = short_string(r);
	if (!r->ok || !e->id.len)
		return broken("a prepared statement has no id", err);
	ENT_TRY(meta_read(r, true, &e->in, err));
	return meta_read(r, false, &e->out, err);
}

static int result_read(struct ent_reader *r, struct ent_cql_event *e, struct ent_err *err)
{
	switch (ent_read_be32(r)) {
	case RESULT_VOID:
		e->kind = ENT_CQL_IS_VOID;
		return 0;
	case RESULT_ROWS:
		return rows_read(r, e, err);
	case RESULT_KEYSPACE:
		e->kind = ENT_CQL_IS_KEYSPACE;
		e->text = short_string(r);
		return r->ok ? 0 : broken("it names no keyspace", err);
	case RESULT_PREPARED:
		return prepared_read(r, e, err);
	case RESULT_SCHEMA:
		e->kind = ENT_CQL_IS_SCHEMA_CHANGE;
		return 0;
	}
	return broken("its kind of result is unknown", err);
}

static int error_read(struct ent_reader *r, struct ent_cql_event *e, struct ent_err *err)
{
	e->kind = ENT_CQL_IS_ERROR;
	e->error = ent_read_be32(r);
	e->text = short_string(r);
	if (e->error == ENT_CQL_E_UNPREPARED)
		e->id = short_string(r);
	return r->ok ? 0 : broken("an error ends early", err);
}

/* Tracing id, warnings and custom payload stand before the body proper, in this order. */
static int extras_skip(const struct ent_cql_frame *frame, struct ent_reader *r, struct ent_err *err)
{
	if (frame->flags & ENT_CQL_COMPRESSED)
		return broken("it is compressed, which was not agreed on", err);
	if (frame->flags & FLAG_TRACING)
		ent_read(r, 16);
	if (frame->flags & FLAG_WARNING)
		for (unsigned n = ent_read_be16(r); n && r->ok; n--)
			short_string(r);
	if (frame->flags & FLAG_PAYLOAD) {
		for (unsigned n = ent_read_be16(r); n && r->ok; n--) {
			short_string(r);
			long_bytes(r);
		}
	}
	return r->ok ? 0 : broken("its extras end early", err);
}

bool ent_cql_offers(const struct ent_cql_frame *frame, const char *key, const char *value)
{
	struct ent_reader r = ent_reader(frame->body);
	bool found = false;
	if (frame->op != ENT_CQL_SUPPORTED || extras_skip(frame, &r, NULL))
		return false;
	for (unsigned n = ent_read_be16(&r); n && r.ok; n--) {
		bool ours = ent_bytes_eq(short_string(&r), ent_bytes_str(key));
		for (unsigned k = ent_read_be16(&r); k && r.ok; k--)
			found |= ent_bytes_eq(short_string(&r), ent_bytes_str(value)) && ours;
	}
	return r.ok && found;
}

int ent_cql_event(const struct ent_cql_frame *frame, struct ent_cql_event *ret, struct ent_err *err)
{
	struct ent_reader r = ent_reader(frame->body);
	struct ent_cql_event e = { .kind = ENT_CQL_IS_EVENT };
	ENT_TRY(extras_skip(frame, &r, err));
	switch ((unsigned)frame->op) {
	case ENT_CQL_ERROR:
		ENT_TRY(error_read(&r, &e, err));
		break;
	case ENT_CQL_READY:
		e.kind = ENT_CQL_IS_READY;
		break;
	case ENT_CQL_AUTHENTICATE:
		e.kind = ENT_CQL_IS_AUTHENTICATE;
		e.text = short_string(&r);
		break;
	case ENT_CQL_AUTH_CHALLENGE:
		e.kind = ENT_CQL_IS_CHALLENGE;
		e.text = long_bytes(&r);
		break;
	case ENT_CQL_AUTH_SUCCESS:
		e.kind = ENT_CQL_IS_AUTHENTICATED;
		break;
	case ENT_CQL_SUPPORTED:
		e.kind = ENT_CQL_IS_SUPPORTED;
		break;
	case ENT_CQL_RESULT:
		ENT_TRY(result_read(&r, &e, err));
		break;
	}
	if (!r.ok)
		return broken("it ends early", err);
	*ret = e;
	return 0;
}

int ent_cql_cell(struct ent_reader *cells, struct ent_bytes *ret, struct ent_err *err)
{
	int32_t len = (int32_t)ent_read_be32(cells);
	if (!cells->ok || len < -1)
		return broken("a value has an impossible length", err);
	struct ent_bytes v = len < 0 ? ent_bytes(NULL, 0) : ent_read(cells, (size_t)len);
	if (!cells->ok)
		return broken("a value ends early", err);
	if (!len)
		v.data = (const uint8_t *)""; /* empty, not NULL */
	*ret = v;
	return 0;
}

const char *ent_cql_error_name(uint32_t code)
{
	static const struct {
		uint32_t code;
		const char *name;
	} names[] = { { ENT_CQL_E_SERVER, "ServerError" },
		      { ENT_CQL_E_PROTOCOL, "ProtocolError" },
		      { ENT_CQL_E_CREDENTIALS, "BadCredentials" },
		      { ENT_CQL_E_UNAVAILABLE, "Unavailable" },
		      { ENT_CQL_E_OVERLOADED, "Overloaded" },
		      { ENT_CQL_E_BOOTSTRAPPING, "IsBootstrapping" },
		      { ENT_CQL_E_TRUNCATE, "TruncateError" },
		      { ENT_CQL_E_WRITE_TIMEOUT, "WriteTimeout" },
		      { ENT_CQL_E_READ_TIMEOUT, "ReadTimeout" },
		      { ENT_CQL_E_READ_FAILURE, "ReadFailure" },
		      { ENT_CQL_E_FUNCTION, "FunctionFailure" },
		      { ENT_CQL_E_WRITE_FAILURE, "WriteFailure" },
		      { ENT_CQL_E_SYNTAX, "SyntaxError" },
		      { ENT_CQL_E_UNAUTHORIZED, "Unauthorized" },
		      { ENT_CQL_E_INVALID, "Invalid" },
		      { ENT_CQL_E_CONFIG, "ConfigError" },
		      { ENT_CQL_E_EXISTS, "AlreadyExists" },
		      { ENT_CQL_E_UNPREPARED, "Unprepared" } };
	for (size_t i = 0; i < ENT_COUNT(names); i++)
		if (names[i].code == code)
			return names[i].name;
	return "?";
}
