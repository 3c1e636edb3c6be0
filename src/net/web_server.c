/* HTTP server on libmicrohttpd: a TCP listener, a local socket, or both, in front of one handler. */
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/address.h"
#include "net/local_path.h"
#include "net/web.h"
#include "net/web_tls.h"

#define HEAD_BYTES_MAX 32768u

struct door {
	struct ent_web_server *server;
	struct MHD_Daemon *daemon;
	bool local;
};

struct ent_web_server {
	struct door tcp, local;
	struct ent_web_gate *gate; /* NULL: plain HTTP comes straight to the server */
	struct ent_web_options options;
	char *socket_path;
	uint16_t port;
};

struct exchange { /* one request while it is read and answered */
	char *url;
	struct ent_buf body;
	bool too_long, begun;
};

/* Called with the request line before anything else: the only place where the query is still whole. */
static void *begin(void *arg, const char *uri, struct MHD_Connection *connection)
{
	const struct door *d = arg;
	struct exchange *x = ent_alloc(1, sizeof *x);
	(void)connection;
	if (!x)
		return NULL;
	x->url = ent_strdup(uri);
	ent_buf_init(&x->body, d->server->options.body_bytes_max);
	return x;
}

static void end(void *arg, struct MHD_Connection *connection, void **cls, enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *cls;
	(void)arg;
	(void)connection;
	(void)code;
	if (!x)
		return;
	ent_buf_deinit(&x->body);
	free(x->url);
	free(x);
	*cls = NULL;
}

static bool local_name(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		size_t n = strlen(names[i]);
		if (!strncmp(host, names[i], n) && (!host[n] || host[n] == ':'))
			return true;
	}
	return false;
}

/* A web page open in a local browser also comes from loopback; its requests carry an Origin or, after DNS rebinding, a foreign Host. */
static bool is_trusted(const struct door *d, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
	if (d->local)
		return true;
	if (client && client->client_addr && client->client_addr->sa_family == AF_UNIX) /* by TLS: only a certificate counts */
		return !strcmp(((const struct sockaddr_un *)(const void *)client->client_addr)->sun_path, ENT_WEB_MEMBER);
#ifdef ENT_MUTANT_REBOUND_TRUSTED
	host = NULL;
#endif
	if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin") || (host && !local_name(host)))
		return false;
	return d->server->options.trust_loopback && client && client->client_addr && ent_web_loopback(client->client_addr);
}

static const char *bearer(struct MHD_Connection *connection)
{
	const char *shown = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
	return shown && !strncasecmp(shown, "Bearer ", 7) ? shown + 7 : "";
}

static enum MHD_Result reply(struct MHD_Connection *connection, int status, const char *type, struct ent_buf *body)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE);
	if (!r)
		return MHD_NO;
	*body = (struct ent_buf){ 0 };
	MHD_add_response_header(r, "Content-Type", type ? type : "text/plain");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	enum MHD_Result queued = MHD_queue_response(connection, (unsigned)status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *text)
{
	struct ent_buf body = ENT_BUF(200);
	ent_buf_str(&body, text);
	enum MHD_Result r = reply(connection, status, "text/plain", &body);
	ent_buf_deinit(&body);
	return r;
}

static enum MHD_Result answer(const struct door *d, struct MHD_Connection *connection, const char *method, struct exchange *x)
{
	struct ent_http_request request = { .method = strcmp(method, "HEAD") ? method : "GET", .url = x->url, .body = ent_buf_bytes(&x->body) };
	struct ent_http_answer a = { .body = ENT_BUF((size_t)1 << 30) };
	request.trusted = is_trusted(d, connection);
	request.token = bearer(connection);
	d->server->options.handler.handle(d->server->options.handler.self, &request, &a);
	if (a.body.code || a.status < 200 || a.status > 599) {
		ent_buf_deinit(&a.body);
		return refuse(connection, 500, "the answer could not be made\n");
	}
	enum MHD_Result r = reply(connection, a.status, a.type, &a.body);
	ent_buf_deinit(&a.body);
	return r;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
			      const char *data, size_t *data_len, void **cls)
{
	const struct door *d = arg;
	struct exchange *x = *cls;
	(void)url;
	(void)version;
	if (!x || !x->url)
		return MHD_NO;
	if (!x->begun) {
		const char *announced = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
		uint64_t len = 0;
		x->begun = true;
		if (announced && (!ent_parse_u64(announced, strlen(announced), UINT64_MAX, &len) || len > d->server->options.body_bytes_max))
			return refuse(connection, 413, "the body is longer than allowed here\n");
		return MHD_YES;
	}
	if (*data_len) {
		ent_buf_put(&x->body, data, x->too_long ? 0 : *data_len);
		x->too_long = x->too_long || x->body.code;
		*data_len = 0;
		return MHD_YES;
	}
	return x->too_long ? refuse(connection, 413, "the body is longer than allowed here\n") : answer(d, connection, method, x);
}

static int door_open(struct ent_web_server *s, struct door *d, int fd, const char *where, struct ent_err *err)
{
	const struct ent_web_options *o = &s->options;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | (o->threads ? 0 : (unsigned)MHD_USE_THREAD_PER_CONNECTION) |
			 (fd < 0 ? (unsigned)MHD_USE_NO_LISTEN_SOCKET : 0);
	struct MHD_OptionItem more[3] = { { MHD_OPTION_END, 0, NULL } };
	int n = 0;
	if (o->threads > 1)
		more[n++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)o->threads, NULL };
	if (fd >= 0)
		more[n++] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, fd, NULL };
	more[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	d->server = s;
	d->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, d, MHD_OPTION_URI_LOG_CALLBACK, begin, d, MHD_OPTION_NOTIFY_COMPLETED, end, d,
				     MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_CONNECTION_TIMEOUT, (o->timeout_ms + 999) / 1000,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES_MAX, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
	if (d->daemon)
		return 0;
	int e = errno;
	if (fd >= 0)
		close(fd);
	ent_fail(err, ENT_EIO, "could not start the HTTP server on %.300s", where);
	ent_why(err, "%s", strerror(e));
	return ENT_EIO;
}

static void stream(void *arg, int fd, const struct sockaddr *address, socklen_t len)
{
	const struct door *d = arg;
	(void)MHD_add_connection(d->daemon, fd, address, len); /* closes what it does not take */
}

static int serve_tcp(struct ent_web_server *s, const char *where, struct ent_err *err)
{
	int fd = -1;
	ENT_TRY(ent_address_listen(where, &fd, &s->port, err));
	if (!s->options.tls)
		return door_open(s, &s->tcp, fd, where, err);
	struct ent_web_gate_options o = { .listen_fd = fd,
					  .tls = s->options.tls,
					  .plain_closed = s->options.plain_closed,
					  .member = s->options.member,
					  .member_arg = s->options.member_arg,
					  .stream = stream,
					  .arg = &s->tcp };
	int code = door_open(s, &s->tcp, -1, where, err);
	if (!code)
		return ent_web_gate_new(&o, &s->gate, err);
	close(fd);
	return code;
}

static int serve_local(struct ent_web_server *s, const char *path, struct ent_err *err)
{
	int fd = -1;
	char *name = ent_strdup(path);
	if (!name)
		return ent_nomem(err);
	int code = ent_local_listen(path, &fd, err);
	s->local.local = true;
	if (!code)
		code = door_open(s, &s->local, fd, path, err);
	if (code) /* the name belongs to somebody else */
		free(name);
	else
		s->socket_path = name;
	return code;
}

int ent_web_server_new(const struct ent_web_options *options, struct ent_web_server **ret, struct ent_err *err)
{
	ENT_ASSERT(options->handler.handle && (options->listen || options->socket_path));
	struct ent_web_server *s = ent_alloc(1, sizeof *s);
	if (!s)
		return ent_nomem(err);
	s->options = *options;
	s->options.body_bytes_max = options->body_bytes_max ? options->body_bytes_max : ENT_HTTP_BODY_MAX;
	s->options.connections_max = options->connections_max ? options->connections_max : 64;
	s->options.timeout_ms = options->timeout_ms ? options->timeout_ms : 30000;
	int code = options->socket_path ? serve_local(s, options->socket_path, err) : 0;
	if (!code && options->listen)
		code = serve_tcp(s, options->listen, err);
	if (code) {
		ent_web_server_free(s);
		return code;
	}
	*ret = s;
	return 0;
}

void ent_web_server_free(struct ent_web_server *s)
{
	struct ent_local_path p;
	if (!s)
		return;
	ent_web_gate_free(s->gate);
	if (s->tcp.daemon)
		MHD_stop_daemon(s->tcp.daemon);
	if (s->local.daemon)
		MHD_stop_daemon(s->local.daemon);
	if (s->socket_path && !ent_local_path_init(&p, s->socket_path, NULL)) {
		unlink(p.path);
		ent_local_path_deinit(&p);
	}
	free(s->socket_path);
	free(s);
}

uint16_t ent_web_server_port(const struct ent_web_server *s) { return s->port; }
