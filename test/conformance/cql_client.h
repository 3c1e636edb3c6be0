/* A client of Cassandra in a page: one blocking connection, one request at a time; sets tests up and looks at what a sink wrote. */
#ifndef ENT_TEST_CQL_CLIENT_H
#define ENT_TEST_CQL_CLIENT_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"
#include "wire/cql.h"

struct cql_client {
	int fd;
	struct ent_cql_parser parser;
	struct ent_buf out;
};

/* Sends what is in out; the answer is lent until the next request. */
static inline int cql_ask(struct cql_client *c, struct ent_cql_event *ret, struct ent_err *e)
{
	static uint8_t part[65536];
	struct ent_cql_frame f;
	int code;
	for (size_t at = 0; at < c->out.len;) {
		ssize_t n = send(c->fd, c->out.data + at, c->out.len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return ent_fail(e, ENT_EIO, "send");
		at += (size_t)n;
	}
	ent_buf_reset(&c->out);
	while ((code = ent_cql_parser_next(&c->parser, &f, e)) == ENT_EAGAIN) {
		ssize_t n = recv(c->fd, part, sizeof part, 0);
		if (n <= 0)
			return ent_fail(e, ENT_EIO, "receive");
		ENT_TRY(ent_cql_parser_put(&c->parser, ent_bytes(part, (size_t)n), e));
	}
	ENT_TRY(code);
	ENT_TRY(ent_cql_event(&f, ret, e));
	if (ret->kind == ENT_CQL_IS_ERROR)
		return ent_fail(e, ENT_ESQL, "%.*s", (int)ret->text.len, (const char *)ret->text.data);
	return 0;
}

static inline int cql_query(struct cql_client *c, const char *text, struct ent_cql_event *ret, struct ent_err *e)
{
	ent_cql_query(&c->out, 1, ent_bytes_str(text), &(struct ent_cql_params){ .consistency = ENT_CQL_ONE });
	return cql_ask(c, ret, e);
}

static inline void cql_run(struct cql_client *c, const char *text)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_cql_event event;
	if (cql_query(c, text, &event, &e))
		OK(0, "%.80s: %s", text, e.what);
}

/* Cells of the result as text: integers and booleans as numbers, all else as it comes; "," between cells, ";" between rows, "-" for NULL. */
static inline void cql_expect(struct cql_client *c, const char *text, const char *want)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_cql_event event = { 0 };
	struct ent_buf got = ENT_BUF(1 << 20);
	if (OK(!cql_query(c, text, &event, &e), "%.100s %s", text, e.what)) {
		for (uint32_t r = 0; r < event.n_rows; r++) {
			struct ent_bytes specs = event.out.specs, cell;
			struct ent_cql_column column;
			for (uint32_t i = 0; i < event.out.n_columns && ent_cql_column(&event.out, &specs, &column); i++) {
				ent_buf_str(&got, i ? "," : r ? ";" : "");
				if (ent_cql_cell(&event.cells, &cell, &e) || !cell.data) {
					ent_buf_str(&got, "-");
				} else if (column.type == ENT_CQL_T_TEXT || column.type == ENT_CQL_T_ASCII) {
					ent_buf_put(&got, cell.data, cell.len);
				} else {
					int64_t v = cell.len && cell.data[0] & 0x80 ? -1 : 0;
					for (size_t b = 0; b < cell.len && b < 8; b++)
						v = (int64_t)((uint64_t)v << 8 | cell.data[b]);
					ent_buf_printf(&got, "%lld", (long long)v);
				}
			}
		}
		OK_STR(ent_buf_text(&got), want, "%.100s", text);
	}
	ent_buf_deinit(&got);
}

static inline int cql_connect(struct cql_client *c, unsigned port, struct ent_err *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct ent_cql_event event;
	ent_cql_parser_init(&c->parser, ENT_CQL_BODY_MAX);
	ent_buf_init(&c->out, ENT_CQL_BODY_MAX);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof at))
		return ent_fail(e, ENT_EIO, "connect");
	ent_cql_startup(&c->out, 1, NULL);
	ENT_TRY(cql_ask(c, &event, e));
	ent_cql_auth_plain(&c->out, 1, ent_bytes_str("cassandra"), ent_bytes_str("cassandra"));
	return cql_ask(c, &event, e);
}

static inline void cql_close(struct cql_client *c)
{
	close(c->fd);
	ent_cql_parser_deinit(&c->parser);
	ent_buf_deinit(&c->out);
}
#endif
