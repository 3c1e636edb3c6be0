/* A server that loses answers, falls silent, closes or is overloaded for ever: every wait of the connector ends, and a server that comes back is
 * used. The server is a thread that plays parts. usage: test_cassandra_silent MODULE */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "suite.h"

#define PATIENCE_MS 1000u /* host.timeout_ms */
#define LIMIT_MS 60000.0  /* far behind the connector's own limit of 3.5 s, also on a crowded machine; far before for ever */

enum { ERROR = 0x00, STARTUP = 0x01, READY = 0x02, QUERY = 0x07, RESULT = 0x08, EVENT = 0x0c };
enum part {
	SILENT_FROM_THE_START, /* the handshake is not answered */
	SILENT_AFTER,          /* questions about a table are not */
	LOST,                  /* that one answer is missing, while others come */
	TRICKLING,             /* it comes, a byte at a time, and never whole */
	CLOSING,               /* the question ends the connection */
	OVERLOADED,            /* for ever */
	SOUND
};

static const char *const names[] = { "is silent from the start", "is silent about a table", "loses one answer", "lets an answer trickle",
				     "closes when asked",        "is overloaded for ever",  "answers" };

struct server {
	int listener, port;
	enum part parts[8]; /* of the first connection, the second ...; the last one stays */
	size_t n_parts;
	atomic_int connections;
	atomic_bool ended;
};

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void text_put(struct ent_buf *b, const char *text)
{
	ent_buf_be16(b, (uint16_t)strlen(text));
	ent_buf_str(b, text);
}

static void cell_text(struct ent_buf *b, const char *text)
{
	ent_buf_be32(b, (uint32_t)strlen(text));
	ent_buf_str(b, text);
}

static void frame_send(int fd, uint8_t op, int16_t stream, const struct ent_buf *body)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf f = ENT_BUF(4096);
	ent_buf_u8(&f, 0x84);
	ent_buf_u8(&f, 0);
	ent_buf_be16(&f, (uint16_t)stream);
	ent_buf_u8(&f, op);
	ent_buf_be32(&f, (uint32_t)body->len);
	ent_buf_put(&f, body->data, body->len);
	(void)!send(fd, f.data, f.len, MSG_NOSIGNAL);
}

/* Rows: n columns of texts, but the third of four, which is a number. */
static void rows_put(struct ent_buf *b, const char *const *columns, const char *const *cells, uint32_t n)
{
	ent_buf_be32(b, 2);
	ent_buf_be32(b, 1);
	ent_buf_be32(b, n);
	text_put(b, "system");
	text_put(b, "t");
	for (uint32_t i = 0; i < n; i++) {
		text_put(b, columns[i]);
		ent_buf_be16(b, i == 2 ? 0x09 : 0x0d);
	}
	ent_buf_be32(b, 1);
	for (uint32_t i = 0; i < n; i++) {
		if (i != 2) {
			cell_text(b, cells[i]);
			continue;
		}
		ent_buf_be32(b, 4);
		ent_buf_be32(b, 0);
	}
}

static void answer(int fd, int16_t stream, bool about_table)
{
	static const char *const itself[] = { "partitioner", "data_center" }, *const values[] = { "org.apache.cassandra.dht.Murmur3Partitioner",
												  "dc" };
	static const char *const column[] = { "column_name", "kind", "position", "type" }, *const id[] = { "id", "partition_key", "", "int" };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(4096);
	rows_put(&body, about_table ? column : itself, about_table ? id : values, about_table ? 4 : 2);
	frame_send(fd, RESULT, stream, &body);
}

/* Plays its part until the other side is gone. */
static void question(const struct server *s, enum part part, int fd, int16_t stream)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(4096);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static const uint8_t head[] = { 0x84, 0, 0, 0, RESULT, 0, 0x10, 0, 0 };
	if (part == SOUND) {
		answer(fd, stream, true);
	} else if (part == OVERLOADED) {
		ent_buf_be32(&body, 0x1001);
		text_put(&body, "too much to do");
		frame_send(fd, ERROR, stream, &body);
	} else if (part == CLOSING) {
		shutdown(fd, SHUT_RDWR);
	}
	if (part == TRICKLING)
		(void)!send(fd, head, sizeof head, MSG_NOSIGNAL);
	while ((part == LOST || part == TRICKLING) && !atomic_load(&s->ended) && poll(&p, 1, 20) == 0) {
		if (part == TRICKLING) {
			(void)!send(fd, "x", 1, MSG_NOSIGNAL);
			continue;
		}
		ent_buf_reset(&body);
		text_put(&body, "STATUS_CHANGE");
		frame_send(fd, EVENT, -1, &body);
	}
}

static bool read_whole(int fd, void *out, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = recv(fd, (uint8_t *)out + got, n - got, 0);
		if (r <= 0)
			return false;
		got += (size_t)r;
	}
	return true;
}

static void serve(const struct server *s, enum part part, int fd)
{
	static const struct ent_buf empty = { 0 };
	static const char about[] = "system_schema.columns";
	uint8_t head[9], body[4096];
	while (read_whole(fd, head, sizeof head)) {
		size_t len = (size_t)head[7] << 8 | head[8];
		int16_t stream = (int16_t)(head[2] << 8 | head[3]);
		if (len > sizeof body || !read_whole(fd, body, len))
			return;
		if (part == SILENT_FROM_THE_START)
			continue;
		if (head[4] == STARTUP)
			frame_send(fd, READY, stream, &empty);
		else if (head[4] == QUERY && memmem(body, len, about, sizeof about - 1))
			question(s, part, fd, stream);
		else if (head[4] == QUERY)
			answer(fd, stream, false);
	}
}

struct visit {
	struct server *s;
	enum part part;
	int fd;
};

static void *visit_main(void *arg)
{
	struct visit v = *(struct visit *)arg;
	free(arg);
	serve(v.s, v.part, v.fd);
	close(v.fd);
	return NULL;
}

static void *server_main(void *arg)
{
	struct server *s = (struct server *)arg;
	for (;;) {
		int fd = accept(s->listener, NULL, NULL), n = atomic_fetch_add(&s->connections, 1);
		struct visit *v = (struct visit *)malloc(sizeof *v);
		pthread_t t;
		if (fd < 0 || !v) {
			free(v);
			return NULL;
		}
		*v = (struct visit){ s, s->parts[(size_t)n < s->n_parts ? (size_t)n : s->n_parts - 1], fd };
		if (!pthread_create(&t, NULL, visit_main, v))
			pthread_detach(t);
	}
}

static bool server_open(struct server *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, len) || listen(s->listener, 16) ||
	    getsockname(s->listener, (struct sockaddr *)&at, &len))
		return false;
	s->port = ntohs(at.sin_port);
	return true;
}

/* Opens and describes: the code of the first that fails. */
static int describe(const struct ent_connector *c, int port, double *ret_ms, struct ent_err *e)
{
	struct ent_host host = suite_host();
	struct ent_source *src = NULL;
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object o = { .size = sizeof o };
	char url[100];
	double begun = now_ms();
	host.timeout_ms = PATIENCE_MS;
	snprintf(url, sizeof url, "cassandra://127.0.0.1:%d/k?tls=off", port);
	int code = c->open(&host, url, NULL, 0, &src, e);
	code = code ? code : c->describe(src, "t", &schema, &o, e);
	c->close(src);
	*ret_ms = now_ms() - begun;
	return code;
}

static void play(const struct ent_connector *c, const enum part *parts, size_t n, int wanted)
{
	static struct server servers[16]; /* their threads may outlive the test of them */
	static size_t n_servers;
	struct server *s = &servers[n_servers++];
	struct ent_err e = ENT_ERR_INIT;
	double ms = 0;
	pthread_t t;
	memcpy(s->parts, parts, n * sizeof *parts);
	s->n_parts = n;
	if (!OK(server_open(s) && !pthread_create(&t, NULL, server_main, s), "a server that %s", names[parts[0]]))
		return;
	int code = describe(c, s->port, &ms, &e);
	OK_INT(code, wanted, "which then %s: %s (%s)", names[parts[n - 1]], e.what, e.why);
	OK(ms < LIMIT_MS, "ends after %.0f ms, %d connections", ms, atomic_load(&s->connections));
	atomic_store(&s->ended, true);
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(t, NULL);
	close(s->listener);
}

int main(int argc, char **argv)
{
	const struct ent_connector *c = argc == 2 ? suite_module(argv[1]) : NULL;
	if (!OK(c != NULL, "the module"))
		return tap_done();
	static const enum part broken[] = { SILENT_FROM_THE_START, SILENT_AFTER, LOST, TRICKLING, OVERLOADED };
	for (size_t i = 0; i < ENT_COUNT(broken); i++)
		play(c, &broken[i], 1, ENT_EAGAIN);
	play(c, (const enum part[]){ CLOSING }, 1, ENT_EIO);
	play(c, (const enum part[]){ SILENT_AFTER, SILENT_FROM_THE_START }, 2, ENT_EAGAIN);
	static const enum part mended[] = { SILENT_AFTER, LOST, TRICKLING, CLOSING };
	for (size_t i = 0; i < ENT_COUNT(mended); i++)
		play(c, (const enum part[]){ mended[i], SOUND }, 2, 0);
	play(c, (const enum part[]){ CLOSING, CLOSING, SOUND }, 3, 0);
	return tap_done();
}
