/* Calls to a Thrift2 server, one after the other. All but those that hang on a scanner may go out twice (rows carry their own timestamps, conditions
 * name the run): after a lost connection they are sent again, at the next server of the address. */
#include <stdio.h>
#include <unistd.h>

#include "hb.h"

#define POLL_MS 100
#define TRIES_MAX 6
#define REQUEST_MAX ((size_t)128 << 20)

bool ent_hb_cancelled(const struct ent_source *s) { return s->host.cancelled && s->host.cancelled(s->host.self); }

static uint64_t patience_ms(const struct ent_source *s) { return s->host.timeout_ms ? s->host.timeout_ms : 30000; }

int64_t ent_hb_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the connection --- */

void ent_hb_disconnect(struct ent_source *s)
{
	ent_dial_close(s->link);
	s->link = NULL;
	ent_thrift_parser_deinit(&s->parser);
	s->parser.at = 0;
}

int ent_hb_connect(struct ent_source *s, struct ent_err *err)
{
	int code = ENT_EIO;
	for (size_t i = 0; i < s->settings.at.n_hosts; i++) {
		struct ent_dial_how how = { .store = "HBase's Thrift2 server",
					    .host = s->settings.at.hosts[i],
					    .port = s->settings.at.port,
					    .tls = s->settings.tls,
					    .named = s->settings.named,
					    .ca_file = s->settings.ca_file,
					    .asker = &s->host,
					    .deadline_ms = ent_dial_now_ms() + patience_ms(s) };
		ent_hb_disconnect(s);
		ent_thrift_parser_init(&s->parser, ENT_THRIFT_FRAME_MAX);
		code = ent_dial_open(&how, &s->link, err);
		if (!code || code == ENT_ECANCELLED)
			return code;
	}
	ent_hb_disconnect(s);
	return code;
}

static int pause_ms(const struct ent_source *s, unsigned ms, struct ent_err *err)
{
	for (uint64_t end = ent_dial_now_ms() + ms; ent_dial_now_ms() < end; usleep(20000))
		if (ent_hb_cancelled(s))
			return ent_fail(err, ENT_ECANCELLED, "waiting for HBase was cancelled");
	return 0;
}

static int reconnect(struct ent_source *s, struct ent_err *err)
{
	int code = ENT_EIO;
	for (unsigned i = 0; i < TRIES_MAX && (code == ENT_EIO || code == ENT_EAGAIN); i++) {
		if (i)
			ENT_TRY(pause_ms(s, 100u << i, err));
		code = ent_hb_connect(s, err);
	}
	return code;
}

static int request_write(struct ent_source *s, struct ent_err *err)
{
	while (s->sent < s->request.len) {
		size_t n = 0;
		int code = ent_dial_write(s->link, s->request.data + s->sent, s->request.len - s->sent, &n, err);
		if (code == ENT_EAGAIN)
			return code;
		ENT_TRY(code);
		s->sent += n;
	}
	return 0;
}

/* Moves bytes until a frame is there. */
static int frame_wait(struct ent_source *s, struct ent_bytes *ret, struct ent_err *err)
{
	uint64_t heard = ent_dial_now_ms();
	for (;;) {
		size_t n = 0;
		int writing = request_write(s, err), code = ent_thrift_parser_next(&s->parser, ret, err);
		if (code != ENT_EAGAIN)
			return code;
		if (writing && writing != ENT_EAGAIN)
			return writing;
		if (ent_hb_cancelled(s))
			return ent_fail(err, ENT_ECANCELLED, "waiting for HBase was cancelled");
		if (ent_dial_now_ms() - heard > patience_ms(s) + 5000) {
			ent_hb_disconnect(s);
			ent_fail(err, ENT_EAGAIN, "HBase's Thrift2 server does not answer");
			return ent_why(err, "nothing came for %llu ms", (unsigned long long)patience_ms(s) + 5000), ENT_EAGAIN;
		}
		code = ent_dial_read(s->link, s->inbox, sizeof s->inbox, &n, err);
		if (code == ENT_EAGAIN) {
			ent_dial_poll(s->link, writing == ENT_EAGAIN, POLL_MS);
			continue;
		}
		ENT_TRY(code);
		heard = ent_dial_now_ms();
		ENT_TRY(ent_thrift_parser_put(&s->parser, ent_bytes(s->inbox, n), err));
	}
}

/* --- failures of the server --- */

static bool says(struct ent_bytes text, const char *part) { return memmem(text.data, text.len, part, strlen(part)) != NULL; }

/* Java's text is the class, the message, then where it happened: the first line says it. */
static int refused(const struct ent_hb_answer *a, const char *what, struct ent_err *err)
{
	const uint8_t *end = a->text.len ? memchr(a->text.data, '\n', a->text.len) : NULL;
	int n = (int)(end ? (size_t)(end - a->text.data) : a->text.len);
	int code = ENT_EIO;
	if (says(a->text, "TableNotFound") || says(a->text, "NamespaceNotFound") || says(a->text, "UnknownTable"))
		code = ENT_ENOTFOUND;
	else if (says(a->text, "AccessDenied"))
		code = ENT_EDENIED;
	else if (says(a->text, "TableExists") || says(a->text, "NamespaceExist") || says(a->text, "NoSuchColumnFamily"))
		code = ENT_EUSAGE;
	else if (a->outcome == ENT_HB_INVALID || a->can_retry)
		code = ENT_EAGAIN;
	ent_fail(err, code, "%s", what);
	ent_why(err, "%s%.*s", a->outcome == ENT_HB_BROKEN ? "the server stumbled: " : "", n ? n : 9, n ? (const char *)a->text.data : "no reason");
	return code;
}

/* --- calls --- */

/* An answer nobody waited for. */
static void drop_pending(struct ent_source *s)
{
	struct ent_bytes frame;
	if (s->pending && (!s->link || frame_wait(s, &frame, NULL)))
		ent_hb_disconnect(s);
	s->pending = false;
}

struct ent_buf *ent_hb_ask(struct ent_source *s, const char *method)
{
	drop_pending(s);
	snprintf(s->method, sizeof s->method, "%s", method);
	s->request.max = REQUEST_MAX;
	ent_buf_reset(&s->request);
	(void)ent_thrift_call_begin(&s->request, method, ++s->sequence);
	return &s->request;
}

int ent_hb_send(struct ent_source *s, bool again, struct ent_err *err)
{
	ent_thrift_call_end(&s->request, 0);
	ENT_TRY(ent_buf_check(&s->request, err));
	s->again = again;
	s->sent = 0;
	s->pending = true;
	if (s->link)
		(void)request_write(s, NULL); /* a loss shows when the answer is waited for */
	return 0;
}

static int answer_once(struct ent_source *s, struct ent_hb_answer *ret, struct ent_err *err)
{
	struct ent_bytes frame;
	if (!s->link)
		return ent_fail(err, ENT_EIO, "the connection to HBase broke");
	ENT_TRY(frame_wait(s, &frame, err));
	s->reply.max = (size_t)ENT_THRIFT_FRAME_MAX + 1;
	ent_buf_reset(&s->reply);
	ent_buf_put(&s->reply, frame.data, frame.len);
	ENT_TRY(ent_buf_check(&s->reply, err));
	ENT_TRY(ent_hb_answer(ent_buf_bytes(&s->reply), s->method, ret, err));
	return ret->sequence == s->sequence ? 0 : ent_fail(err, ENT_EPEER, "HBase's Thrift2 server answered another call");
}

int ent_hb_wait(struct ent_source *s, const char *what, struct ent_hb_answer *ret, struct ent_err *err)
{
	unsigned doors = 0, tries = 0;
	for (;;) {
		int code = answer_once(s, ret, err);
		if (code) /* what comes later would be taken for another call's answer */
			ent_hb_disconnect(s);
		if (code == ENT_EIO && s->again && doors++ < 2) {
			s->pending = false;
			ENT_TRY(reconnect(s, err));
			s->pending = true;
			s->sent = 0;
			continue;
		}
		s->pending = false;
		if (code == ENT_EIO && s->request.len > (2u << 20))
			ent_next(err, "one value may be longer than the server takes (hbase.regionserver.thrift.framed.max_frame_size_in_mb)");
		ENT_TRY(code);
		if (ret->outcome == ENT_HB_DONE)
			return 0;
		if (!ret->can_retry || !s->again || tries++ == TRIES_MAX)
			return refused(ret, what, err);
		ENT_TRY(pause_ms(s, 50u << tries, err));
		s->sent = 0;
		s->pending = true;
	}
}

int ent_hb_call(struct ent_source *s, const char *what, struct ent_hb_answer *ret, struct ent_err *err)
{
	struct ent_hb_answer own;
	ENT_TRY(ent_hb_send(s, true, err));
	return ent_hb_wait(s, what, ret ? ret : &own, err);
}
