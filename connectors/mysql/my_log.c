/* Events, table maps and the images of rows. */
#include "my_log.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER 19u
#define COLUMNS_MAX 4096u

static int cut(const char *what, struct ent_err *err) { return ent_fail(err, ENT_EDATA, "the binary log is damaged: %s", what); }

uint32_t ent_my_crc32(struct ent_bytes b)
{
	static uint32_t table[256];
	if (!table[1]) {
		for (uint32_t i = 255; i; i--) { /* entry 1, the sign that all are there, comes last */
			uint32_t v = i;
			for (int k = 0; k < 8; k++)
				v = v >> 1 ^ (v & 1 ? 0xedb88320u : 0);
			table[i] = v;
		}
	}
	uint32_t crc = 0xffffffffu;
	for (size_t i = 0; i < b.len; i++)
		crc = crc >> 8 ^ table[(crc ^ b.data[i]) & 255];
	return ~crc;
}

static uint16_t le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t le32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static uint64_t read_le(struct ent_reader *r, unsigned n)
{
	uint64_t v = 0;
	struct ent_bytes b = ent_read(r, n);
	for (size_t i = b.len; i; i--)
		v = v << 8 | b.data[i - 1];
	return v;
}

uint64_t ent_my_lenenc(struct ent_reader *r)
{
	uint8_t first = ent_read_u8(r);
	if (first < 251)
		return first;
	if (first == 252)
		return read_le(r, 2);
	if (first == 253)
		return read_le(r, 3);
	if (first == 254)
		return read_le(r, 8);
	r->ok = false;
	return 0;
}

/* Takes len bytes; a length beyond the end fails the reader. */
static struct ent_bytes take(struct ent_reader *r, uint64_t len)
{
	if (len > ent_reader_left(r)) {
		r->ok = false;
		return ent_bytes(NULL, 0);
	}
	return ent_read(r, (size_t)len);
}

static void name_copy(char out[256], struct ent_bytes b)
{
	size_t n = b.len < 255 ? b.len : 255;
	if (n)
		memcpy(out, b.data, n);
	out[n] = 0;
}

/* --- events --- */

int ent_my_event_open(struct ent_bytes packet, bool checksum, struct ent_my_event *ret, struct ent_err *err)
{
	if (packet.len < HEADER + (checksum ? 4 : 0) || le32(packet.data + 9) != packet.len)
		return cut("an event has another length than it says", err);
	const uint8_t *p = packet.data;
	size_t len = packet.len - (checksum ? 4 : 0);
	*ret = (struct ent_my_event){ .time = le32(p), .server = le32(p + 5), .position = le32(p + 13), .type = p[4], .flags = le16(p + 17) };
	ret->body = ent_bytes(p + HEADER, len - HEADER);
#ifndef ENT_MUTANT_MYSQL_NO_CRC
	if (checksum && ent_my_crc32(ent_bytes(p, len)) != le32(p + len))
		return cut("the checksum of an event is wrong", err);
#endif
	return 0;
}

int ent_my_format_read(const struct ent_my_event *e, bool *ret_checksum, struct ent_err *err)
{
	struct ent_reader r = ent_reader(e->body);
	uint16_t version = (uint16_t)read_le(&r, 2);
	char server[51] = "";
	struct ent_bytes name = ent_read(&r, 50);
	ent_read(&r, 4);
	uint8_t header = ent_read_u8(&r);
	if (!r.ok)
		return cut("its first event is too short", err);
	memcpy(server, name.data, 50);
	if (version != 4 || header != HEADER)
		return ent_fail(err, ENT_EUNSUPPORTED, "the binary log has version %u; 4 is known", version);
	unsigned major = 0, minor = 0;
	bool known = sscanf(server, "%u.%u", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 6));
	*ret_checksum = known && e->body.len && e->body.data[e->body.len - 1] == 1; /* the kind of checksum ends the body */
	return 0;
}

int ent_my_rotate_read(const struct ent_my_event *e, char ret_file[256], uint64_t *ret_position, struct ent_err *err)
{
	struct ent_reader r = ent_reader(e->body);
	uint64_t at = read_le(&r, 8);
	if (!r.ok || !ent_reader_left(&r) || ent_reader_left(&r) > 255)
		return cut("the name of the next file is missing", err);
	*ret_position = at;
	name_copy(ret_file, ent_read(&r, ent_reader_left(&r)));
	return 0;
}

int ent_my_query_read(const struct ent_my_event *e, char database[256], struct ent_bytes *ret_sql, struct ent_err *err)
{
	struct ent_reader r = ent_reader(e->body);
	ent_read(&r, 8);
	uint8_t name = ent_read_u8(&r);
	ent_read(&r, 2);
	uint16_t status = (uint16_t)read_le(&r, 2);
	take(&r, status);
	struct ent_bytes db = take(&r, name);
	ent_read_u8(&r);
	if (!r.ok)
		return cut("a statement is cut", err);
	name_copy(database, db);
	*ret_sql = ent_read(&r, ent_reader_left(&r));
	return 0;
}

bool ent_my_table_id(const struct ent_my_event *e, uint64_t *ret)
{
	struct ent_reader r = ent_reader(e->body);
	*ret = read_le(&r, 6);
	return r.ok;
}

/* --- table maps --- */

void ent_my_map_deinit(struct ent_my_map *m)
{
	free(m->columns);
	ent_buf_deinit(&m->kept);
	m->columns = NULL;
}

static unsigned meta_size(uint8_t type)
{
	switch (type) {
	case ENT_MY_T_FLOAT:
	case ENT_MY_T_DOUBLE:
	case ENT_MY_T_TINY_BLOB:
	case ENT_MY_T_MEDIUM_BLOB:
	case ENT_MY_T_LONG_BLOB:
	case ENT_MY_T_BLOB:
	case ENT_MY_T_GEOMETRY:
	case ENT_MY_T_JSON:
	case ENT_MY_T_TIME2:
	case ENT_MY_T_DATETIME2:
	case ENT_MY_T_TIMESTAMP2:
		return 1;
	case ENT_MY_T_VARCHAR:
	case ENT_MY_T_BIT:
	case ENT_MY_T_NEWDECIMAL:
	case ENT_MY_T_STRING:
	case ENT_MY_T_ENUM:
	case ENT_MY_T_SET:
	case ENT_MY_T_VAR_STRING:
		return 2;
	default:
		return 0;
	}
}

static bool type_known(uint8_t type) { return (type >= ENT_MY_T_TINY && type <= ENT_MY_T_TIME2 && type != ENT_MY_T_NULL) || type >= ENT_MY_T_JSON; }

/* CHAR, ENUM and SET share a type; the true one and the upper bits of a long CHAR's length are in the first byte. */
static void string_settle(struct ent_my_log_column *c, unsigned first, unsigned second)
{
	bool plain = (first & 0x30) == 0x30;
	c->type = (uint8_t)(first | 0x30);
	c->meta = (uint16_t)(plain ? second : second | ((first & 0x30) ^ 0x30) << 4);
}

static int metas_read(struct ent_my_map *m, struct ent_bytes metas, struct ent_err *err)
{
	struct ent_reader r = ent_reader(metas);
	for (size_t i = 0; i < m->n_columns; i++) {
		struct ent_my_log_column *c = &m->columns[i];
		struct ent_bytes b = ent_read(&r, meta_size(c->type));
		if (!r.ok)
			return cut("the description of a table is cut", err);
		if (c->type == ENT_MY_T_STRING)
			string_settle(c, b.data[0], b.data[1]);
		else if (c->type == ENT_MY_T_NEWDECIMAL || c->type == ENT_MY_T_BIT)
			c->meta = (uint16_t)(b.data[0] | b.data[1] << 8); /* two numbers of one byte */
		else
			c->meta = b.len == 2 ? le16(b.data) : b.len ? b.data[0] : 0;
	}
	return 0;
}

/* Values of all columns of one type, one after the other: a count, then texts. */
static void words_read(struct ent_my_map *m, uint8_t type, struct ent_reader *r)
{
	for (size_t i = 0; i < m->n_columns && r->ok && ent_reader_left(r); i++) {
		struct ent_my_log_column *c = &m->columns[i];
		if (c->type != type)
			continue;
		uint64_t n = ent_my_lenenc(r);
		const uint8_t *from = r->at;
		for (uint64_t k = 0; k < n && r->ok; k++)
			take(r, ent_my_lenenc(r));
		c->words = ent_bytes(from, (size_t)(r->at - from));
		c->n_words = r->ok ? (size_t)n : 0;
	}
}

static void names_read(struct ent_my_map *m, struct ent_reader *r)
{
	size_t i = 0;
	for (; i < m->n_columns && r->ok && ent_reader_left(r); i++)
		name_copy(m->columns[i].name, take(r, ent_my_lenenc(r)));
	m->named = r->ok && i == m->n_columns;
}

/* What binlog_row_metadata = FULL adds: kind, length, bytes. Kept by the map, because the event goes away. */
static int extras_read(struct ent_my_map *m, struct ent_bytes all, struct ent_err *err)
{
	if (!all.len)
		return 0;
	ent_buf_init(&m->kept, (size_t)16 << 20);
	ent_buf_put(&m->kept, all.data, all.len);
	ENT_TRY(ent_buf_check(&m->kept, err));
	struct ent_reader r = ent_reader(ent_buf_bytes(&m->kept));
	while (ent_reader_left(&r)) {
		uint8_t kind = ent_read_u8(&r);
		struct ent_bytes value = take(&r, ent_my_lenenc(&r));
		if (!r.ok)
			return cut("the description of a table is cut", err);
		struct ent_reader v = ent_reader(value);
		if (kind == 4)
			names_read(m, &v);
		else if (kind == 5)
			words_read(m, ENT_MY_T_SET, &v);
		else if (kind == 6)
			words_read(m, ENT_MY_T_ENUM, &v);
		if (!v.ok)
			return cut("the description of a table is cut", err);
	}
	return 0;
}

static int map_read(struct ent_reader *r, struct ent_my_map *m, struct ent_err *err)
{
	uint64_t n = ent_my_lenenc(r);
	if (!r->ok || n > COLUMNS_MAX || n > ent_reader_left(r))
		return cut("a table has an impossible number of columns", err);
	m->n_columns = (size_t)n;
	m->columns = (struct ent_my_log_column *)calloc(m->n_columns + 1, sizeof *m->columns);
	if (!m->columns)
		return ent_nomem(err);
	struct ent_bytes types = take(r, n), metas = take(r, ent_my_lenenc(r)), nulls = take(r, (n + 7) / 8);
	if (!r->ok)
		return cut("the description of a table is cut", err);
	for (size_t i = 0; i < m->n_columns; i++) {
		m->columns[i].type = types.data[i];
		m->columns[i].nullable = nulls.data[i / 8] >> (i % 8) & 1;
		if (!type_known(types.data[i]))
			return ent_fail(err, ENT_EUNSUPPORTED, "column %zu of %.100s.%.100s has a type (%u) that the log's reader does not know",
					i + 1, m->database, m->table, types.data[i]);
	}
	ENT_TRY(metas_read(m, metas, err));
	return extras_read(m, ent_bytes(r->at, ent_reader_left(r)), err);
}

int ent_my_map_read(const struct ent_my_event *e, struct ent_my_map *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_map_deinit) struct ent_my_map m = { .signature = 0xcbf29ce484222325u };
	struct ent_reader r = ent_reader(e->body);
	m.id = read_le(&r, 6);
	ent_read(&r, 2);
	struct ent_bytes database = take(&r, ent_read_u8(&r));
	ent_read_u8(&r);
	struct ent_bytes table = take(&r, ent_read_u8(&r));
	ent_read_u8(&r);
	if (!r.ok)
		return cut("the description of a table is cut", err);
	name_copy(m.database, database);
	name_copy(m.table, table);
	for (const uint8_t *p = r.at; p < r.end; p++)
		m.signature = (m.signature ^ *p) * 0x100000001b3u;
	ENT_TRY(map_read(&r, &m, err));
	*ret = m;
	m = (struct ent_my_map){ 0 };
	return 0;
}

/* --- rows --- */

static bool bit(struct ent_bytes b, size_t i) { return b.data[i / 8] >> (i % 8) & 1; }

static bool all_set(struct ent_bytes b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!bit(b, i))
			return false;
	return true;
}

int ent_my_rows_open(const struct ent_my_event *e, const struct ent_my_map *map, struct ent_my_rows *ret, struct ent_err *err)
{
	static const char ops[] = "IUD";
	bool second = e->type >= ENT_MY_EV_WRITE_2;
	*ret = (struct ent_my_rows){ .op = ops[(e->type - (second ? ENT_MY_EV_WRITE_2 : ENT_MY_EV_WRITE_1)) % 3],
				     .map = map,
				     .at = ent_reader(e->body) };
	struct ent_reader *r = &ret->at;
	ent_read(r, 8);
	if (second) {
		uint16_t extra = (uint16_t)read_le(r, 2);
		take(r, extra < 2 ? UINT64_MAX : extra - 2u);
	}
	uint64_t n = ent_my_lenenc(r);
	struct ent_bytes first = take(r, (n + 7) / 8), more = ret->op == 'U' ? take(r, (n + 7) / 8) : first;
	if (!r->ok || n != map->n_columns)
		return cut("rows have another number of columns than their table", err);
	ret->before = first;
	ret->after = more;
	ret->full = all_set(first, map->n_columns) && all_set(more, map->n_columns);
	return 0;
}

static unsigned fraction_bytes(uint16_t meta) { return (meta + 1u) / 2; }

static unsigned decimal_bytes(unsigned precision, unsigned scale)
{
	static const uint8_t rest[] = { 0, 1, 1, 2, 2, 3, 3, 4, 4, 4 };
	unsigned whole = precision >= scale ? precision - scale : 0;
	return whole / 9 * 4 + rest[whole % 9] + scale / 9 * 4 + rest[scale % 9];
}

/* Bytes of a value of fixed size, or of the length in front of it (prefix set). */
static unsigned value_size(const struct ent_my_log_column *c, bool *prefix)
{
	*prefix = false;
	switch (c->type) {
	case ENT_MY_T_TINY:
	case ENT_MY_T_YEAR:
		return 1;
	case ENT_MY_T_SHORT:
		return 2;
	case ENT_MY_T_INT24:
	case ENT_MY_T_DATE:
	case ENT_MY_T_NEWDATE:
	case ENT_MY_T_TIME:
		return 3;
	case ENT_MY_T_LONG:
	case ENT_MY_T_FLOAT:
	case ENT_MY_T_TIMESTAMP:
		return 4;
	case ENT_MY_T_DOUBLE:
	case ENT_MY_T_LONGLONG:
	case ENT_MY_T_DATETIME:
		return 8;
	case ENT_MY_T_TIMESTAMP2:
		return 4 + fraction_bytes(c->meta);
	case ENT_MY_T_DATETIME2:
		return 5 + fraction_bytes(c->meta);
	case ENT_MY_T_TIME2:
		return 3 + fraction_bytes(c->meta);
	case ENT_MY_T_NEWDECIMAL:
		return decimal_bytes(c->meta & 255, c->meta >> 8);
	case ENT_MY_T_BIT: /* bits beyond whole bytes, whole bytes */
		return (unsigned)(c->meta >> 8) + ((c->meta & 255) ? 1u : 0u);
	case ENT_MY_T_ENUM:
	case ENT_MY_T_SET:
		return c->meta & 255;
	case ENT_MY_T_VARCHAR:
	case ENT_MY_T_VAR_STRING:
	case ENT_MY_T_STRING:
		*prefix = true;
		return c->meta > 255 ? 2 : 1;
	default: /* blobs, JSON, geometry: the meta is the length of the length */
		*prefix = true;
		return c->meta;
	}
}

static int image_read(struct ent_my_rows *r, struct ent_bytes present, struct ent_bytes *values, struct ent_err *err)
{
	size_t n = 0, at = 0;
	for (size_t i = 0; i < r->map->n_columns; i++)
		n += bit(present, i);
	struct ent_bytes nulls = ent_read(&r->at, (n + 7) / 8);
	for (size_t i = 0; i < r->map->n_columns && r->at.ok; i++) {
		bool prefix;
		values[i] = ent_bytes(NULL, 0);
		if (!bit(present, i) || bit(nulls, at++))
			continue;
		unsigned size = value_size(&r->map->columns[i], &prefix);
		if (size > 8 && prefix)
			return cut("a column has an impossible length", err);
		values[i] = take(&r->at, prefix ? read_le(&r->at, size) : size);
		if (!values[i].data)
			values[i].data = (const uint8_t *)"";
	}
	return r->at.ok ? 0 : cut("a row is cut", err);
}

int ent_my_rows_next(struct ent_my_rows *r, struct ent_bytes *before, struct ent_bytes *after, bool *ret_end, struct ent_err *err)
{
	*ret_end = !ent_reader_left(&r->at);
	if (*ret_end)
		return 0;
	const uint8_t *from = r->at.at;
	if (r->op != 'I')
		ENT_TRY(image_read(r, r->before, before, err));
	if (r->op != 'D')
		ENT_TRY(image_read(r, r->op == 'I' ? r->before : r->after, after, err));
	return r->at.at > from ? 0 : cut("a row has no bytes", err);
}
