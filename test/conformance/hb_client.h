/* A client of HBase's Thrift2 server in a page: one blocking connection, one call at a time; sets tests up and looks at what a sink wrote. */
#ifndef ENT_TEST_HB_CLIENT_H
#define ENT_TEST_HB_CLIENT_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "wire/thrift.h"

struct hb_client {
	int fd;
	struct ent_thrift_parser parser;
	struct ent_buf out;
	size_t at;
};

static inline bool hb_connect(struct hb_client *c, unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	*c = (struct hb_client){ .fd = socket(AF_INET, SOCK_STREAM, 0), .out = ENT_BUF(64u << 20) };
	ent_thrift_parser_init(&c->parser, 64u << 20);
	return !connect(c->fd, (struct sockaddr *)&to, sizeof to);
}

static inline void hb_close(struct hb_client *c)
{
	close(c->fd);
	ent_thrift_parser_deinit(&c->parser);
	ent_buf_deinit(&c->out);
}

static inline struct ent_buf *hb_begin(struct hb_client *c, const char *method)
{
	ent_buf_reset(&c->out);
	c->at = ent_thrift_call_begin(&c->out, method, 1);
	return &c->out;
}

/* Sends what was begun; false with the server's message in c->out's place when it failed. m: lent until the next call. */
static inline bool hb_ask(struct hb_client *c, struct ent_thrift_message *m)
{
	static uint8_t part[65536];
	struct ent_bytes frame;
	ent_thrift_call_end(&c->out, c->at);
	for (size_t at = 0; at < c->out.len;) {
		ssize_t n = send(c->fd, c->out.data + at, c->out.len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	while (ent_thrift_parser_next(&c->parser, &frame, NULL)) {
		ssize_t n = recv(c->fd, part, sizeof part, 0);
		if (n <= 0 || ent_thrift_parser_put(&c->parser, ent_bytes(part, (size_t)n), NULL))
			return false;
	}
	if (ent_thrift_message(frame, m, NULL) || m->kind != ENT_THRIFT_REPLY)
		return false;
	struct ent_reader r = m->body;
	struct ent_thrift_field f;
	return !ent_thrift_field(&r, &f) || f.id == 0;
}

static inline void hb_name(struct ent_buf *b, const char *ns, const char *name)
{
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 1);
	ent_thrift_put_binary(b, 1, ent_bytes_str(ns));
	ent_thrift_put_binary(b, 2, ent_bytes_str(name));
	ent_thrift_put_stop(b);
}

static inline void hb_namespace(struct hb_client *c, const char *ns)
{
	struct ent_thrift_message m;
	struct ent_buf *b = hb_begin(c, "createNamespace");
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 1);
	ent_thrift_put_binary(b, 1, ent_bytes_str(ns));
	ent_thrift_put_stop(b);
	OK(hb_ask(c, &m), "namespace %s", ns);
}

/* families: one letter each. */
static inline void hb_create(struct hb_client *c, const char *ns, const char *name, const char *families)
{
	struct ent_thrift_message m;
	struct ent_buf *b = hb_begin(c, "createTable");
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 1);
	hb_name(b, ns, name);
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, (uint32_t)strlen(families));
	for (; *families; families++) {
		ent_thrift_put_binary(b, 1, ent_bytes(families, 1));
		ent_thrift_put_stop(b);
	}
	ent_thrift_put_stop(b);
	OK(hb_ask(c, &m), "table %s:%s", ns, name);
}

static inline bool hb_exists(struct hb_client *c, const char *ns, const char *name)
{
	struct ent_thrift_message m;
	struct ent_thrift_field f;
	hb_name(hb_begin(c, "tableExists"), ns, name);
	return hb_ask(c, &m) && ent_thrift_field(&m.body, &f) && f.type == ENT_THRIFT_BOOL && ent_thrift_bool(&m.body);
}

static inline void hb_drop(struct hb_client *c, const char *ns, const char *name)
{
	struct ent_thrift_message m;
	if (!hb_exists(c, ns, name))
		return;
	hb_name(hb_begin(c, "disableTable"), ns, name);
	bool ok = hb_ask(c, &m);
	hb_name(hb_begin(c, "deleteTable"), ns, name);
	OK(hb_ask(c, &m) && ok, "%s:%s is dropped", ns, name);
}

/* table: "ns:name"; time 0: the server's. */
static inline void hb_put(struct hb_client *c, const char *table, struct ent_bytes row, const char *column, struct ent_bytes value, int64_t time)
{
	struct ent_thrift_message m;
	const char *colon = strchr(column, ':');
	struct ent_buf *b = hb_begin(c, "put");
	ent_thrift_put_binary(b, 1, ent_bytes_str(table));
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 2);
	ent_thrift_put_binary(b, 1, row);
	ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1);
	ent_thrift_put_binary(b, 1, ent_bytes(column, (size_t)(colon - column)));
	ent_thrift_put_binary(b, 2, ent_bytes_str(colon + 1));
	ent_thrift_put_binary(b, 3, value);
	ent_thrift_put_stop(b);
	if (time)
		ent_thrift_put_i64(b, 3, time);
	ent_thrift_put_stop(b);
	if (!hb_ask(c, &m))
		OK(0, "a put of %s into %s", column, table);
}

static inline void hb_text(struct hb_client *c, const char *table, const char *row, const char *column, const char *value)
{
	hb_put(c, table, ent_bytes_str(row), column, ent_bytes_str(value), 0);
}

/* A table as a copy leaves it: made, its columns kept. columns: lines of --schema; keys: tab-separated. */
static inline void hb_kept(struct hb_client *c, const char *ns, const char *name, const char *columns, const char *keys)
{
	char full[300];
	if (!hb_exists(c, ns, "_entente_schema"))
		hb_create(c, ns, "_entente_schema", "c");
	snprintf(full, sizeof full, "%s:_entente_schema", ns);
	hb_text(c, full, name, "c:columns", columns);
	hb_text(c, full, name, "c:keys", keys);
}

/* The row, or one column of it. */
static inline void hb_delete(struct hb_client *c, const char *table, const char *row, const char *column)
{
	struct ent_thrift_message m;
	const char *colon = column ? strchr(column, ':') : NULL;
	struct ent_buf *b = hb_begin(c, "deleteSingle");
	ent_thrift_put_binary(b, 1, ent_bytes_str(table));
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 2);
	ent_thrift_put_binary(b, 1, ent_bytes_str(row));
	if (colon) {
		ent_thrift_put_list(b, 2, ENT_THRIFT_STRUCT, 1);
		ent_thrift_put_binary(b, 1, ent_bytes(column, (size_t)(colon - column)));
		ent_thrift_put_binary(b, 2, ent_bytes_str(colon + 1));
		ent_thrift_put_stop(b);
	}
	ent_thrift_put_stop(b);
	OK(hb_ask(c, &m), "row %s of %s is deleted", row, table);
}

/* Bytes as text: what is not printable as \xx. */
static inline void hb_printable(struct ent_buf *out, struct ent_bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		ent_buf_printf(out, b.data[i] < ' ' || b.data[i] > '~' ? "\\%02x" : "%c", b.data[i]);
}

/* One TResult as "row f:a=1,f:b=". */
static inline void hb_result(struct ent_reader *r, struct ent_buf *out)
{
	struct ent_thrift_field f, g;
	uint8_t element;
	while (ent_thrift_field(r, &f)) {
		if (f.id == 1)
			hb_printable(out, ent_thrift_binary(r));
		else if (f.id != 2)
			ent_thrift_skip(r, f.type);
		for (uint32_t n = f.id == 2 ? ent_thrift_list(r, &element) : 0, first = n; n; n--) {
			ent_buf_str(out, n == first ? " " : ",");
			while (ent_thrift_field(r, &g)) {
				if (g.id > 3) {
					ent_thrift_skip(r, g.type);
					continue;
				}
				ent_buf_str(out, g.id == 1 ? "" : g.id == 2 ? ":" : "=");
				hb_printable(out, ent_thrift_binary(r));
			}
		}
	}
}

/* All rows of a small table, ";" between them. */
static inline void hb_expect(struct hb_client *c, const char *table, const char *want)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf got = ENT_BUF(1 << 20);
	struct ent_thrift_message m;
	struct ent_thrift_field f;
	uint8_t element;
	struct ent_buf *b = hb_begin(c, "getScannerResults");
	ent_thrift_put_binary(b, 1, ent_bytes_str(table));
	ent_thrift_put_field(b, ENT_THRIFT_STRUCT, 2);
	ent_thrift_put_stop(b);
	ent_thrift_put_i32(b, 3, 1000);
	bool ok = hb_ask(c, &m) && ent_thrift_field(&m.body, &f);
	for (uint32_t n = ok ? ent_thrift_list(&m.body, &element) : 0, first = n; n; n--) {
		ent_buf_str(&got, n == first ? "" : ";");
		hb_result(&m.body, &got);
	}
	OK(ok, "%s is read", table);
	OK_STR(ent_buf_text(&got), want, "rows of %s", table);
}
#endif
