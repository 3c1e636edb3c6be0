/* One connection with many requests in flight. Every request may be sent again (reads, prepared statements, rows with their own write time,
 * conditions that name the run): a lost connection is opened anew and what had no answer goes out once more. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cass.h"

#define POLL_MS 100
#define KEEP_BYTES ((size_t)256 << 10) /* larger buffers are not kept for the next request */
#define PACK_BYTES ((size_t)512)       /* smaller requests are not compressed */
#define TRIES_MAX 8
#define DOORS_MAX 6 /* times a lost connection is opened again in a row */

bool ent_cass_cancelled(const struct ent_source *s) { return s->host.cancelled && s->host.cancelled(s->host.self); }

static uint64_t patience_ms(const struct ent_source *s) { return s->host.timeout_ms ? s->host.timeout_ms : 30000; }

/* Nothing at all comes: a little longer, since the server's own time-outs come first when they can. */
static uint64_t silence_ms(const struct ent_source *s) { return patience_ms(s) + patience_ms(s) / 6; }

/* From the first loss, time-out or overload to the next answer: whatever is tried in between, it ends. */
static uint64_t trouble_end_ms(const struct ent_source *s) { return s->trouble_ms + 3 * silence_ms(s); }

static void trouble(struct ent_source *s, uint64_t since_ms) { s->trouble_ms = s->trouble_ms ? s->trouble_ms : since_ms; }

static bool hopeless(const struct ent_source *s) { return s->trouble_ms && ent_dial_now_ms() >= trouble_end_ms(s); }

/* Shorter when it is cancelled. */
static void rest(const struct ent_source *s, uint64_t ms)
{
	for (uint64_t end = ent_dial_now_ms() + ms; ent_dial_now_ms() < end && !ent_cass_cancelled(s);)
		usleep(10000);
}

void ent_cass_name(struct ent_buf *out, const char *name)
{
	ent_buf_u8(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*name);
	}
	ent_buf_u8(out, '"');
}

/* --- errors --- */

static int kind_of(const struct ent_cql_event *e)
{
	static const char lacking[] = "does not exist", unsure[] = "Unable to perform authentication";
	switch (e->error) {
	case ENT_CQL_E_CREDENTIALS: /* also when it could not read its roles in time */
		return memmem(e->text.data, e->text.len, unsure, sizeof unsure - 1) ? ENT_EAGAIN : ENT_EDENIED;
	case ENT_CQL_E_UNAUTHORIZED:
		return ENT_EDENIED;
	case ENT_CQL_E_UNAVAILABLE:
	case ENT_CQL_E_OVERLOADED:
	case ENT_CQL_E_BOOTSTRAPPING:
	case ENT_CQL_E_TRUNCATE:
	case ENT_CQL_E_WRITE_TIMEOUT:
	case ENT_CQL_E_READ_TIMEOUT:
		return ENT_EAGAIN;
	case ENT_CQL_E_SYNTAX:
		return ENT_ESQL;
	case ENT_CQL_E_FUNCTION:
		return ENT_EDATA;
	case ENT_CQL_E_EXISTS:
	case ENT_CQL_E_CONFIG:
		return ENT_EUSAGE;
	case ENT_CQL_E_INVALID:
		return memmem(e->text.data, e->text.len, lacking, sizeof lacking - 1) ? ENT_ENOTFOUND : ENT_ESQL;
	}
	return ENT_EIO;
}

static int refused(const struct ent_cql_event *e, const char *what, struct ent_err *err)
{
	int code = kind_of(e);
	ent_fail(err, code, "%s", what);
	ent_why(err, "%s (0x%04x): %.*s", ent_cql_error_name(e->error), e->error, (int)(e->text.len < 400 ? e->text.len : 400),
		(const char *)e->text.data);
	if (err)
		err->vendor = (int)e->error;
	if (e->error == ENT_CQL_E_CREDENTIALS)
		ent_next(err, "give the user in the address and --password-file FILE");
	return code;
}

/* Whether the same request may succeed in a moment. */
static bool passing(uint32_t error)
{
	return error == ENT_CQL_E_OVERLOADED || error == ENT_CQL_E_BOOTSTRAPPING || error == ENT_CQL_E_WRITE_TIMEOUT ||
	       error == ENT_CQL_E_READ_TIMEOUT || error == ENT_CQL_E_UNAVAILABLE;
}

/* --- bytes in and out --- */

static int dispatch(struct ent_source *s, const struct ent_cql_frame *f, struct ent_err *err)
{
	if (f->stream < 0 || f->stream >= ENT_CASS_CALLS)
		return 0;
	struct ent_cass_call *c = &s->calls[f->stream];
	if (c->state == ENT_CASS_ORPHAN)
		c->state = ENT_CASS_FREE;
	if (c->state != ENT_CASS_SENT)
		return 0;
	ent_buf_reset(&c->reply);
	c->answer = *f;
	if (s->packs && (f->flags & ENT_CQL_COMPRESSED) && f->body.len) {
		ENT_TRY(ent_cass_unpack(f->body, ENT_CQL_BODY_MAX, &c->reply, err));
		c->answer.flags &= (uint8_t)~ENT_CQL_COMPRESSED;
	} else {
		ent_buf_put(&c->reply, f->body.data, f->body.len);
	}
	ENT_TRY(ent_buf_check(&c->reply, err));
	c->answer.body = ent_buf_bytes(&c->reply);
	c->state = ENT_CASS_ANSWERED;
	return 0;
}

static int write_some(struct ent_source *s, bool *progress, struct ent_err *err)
{
	while (s->out_at < s->out.len) {
		size_t n = 0;
		int code = ent_dial_write(s->link, s->out.data + s->out_at, s->out.len - s->out_at, &n, err);
		if (code == ENT_EAGAIN)
			return 0;
		ENT_TRY(code);
		s->out_at += n;
		*progress = true;
	}
	ent_buf_reset(&s->out);
	s->out_at = 0;
	return 0;
}

static int read_some(struct ent_source *s, bool *progress, struct ent_err *err)
{
	struct ent_cql_frame f;
	size_t n = 0;
	int code = ent_dial_read(s->link, s->inbox, sizeof s->inbox, &n, err);
	if (code == ENT_EAGAIN)
		return 0;
	ENT_TRY(code);
	*progress = true;
	s->heard_ms = ent_dial_now_ms();
	ENT_TRY(ent_cql_parser_put(&s->parser, ent_bytes(s->inbox, n), err));
	while (!(code = ent_cql_parser_next(&s->parser, &f, err)))
		ENT_TRY(dispatch(s, &f, err));
	return code == ENT_EAGAIN ? 0 : code;
}

/* Moves what can be moved; waits a moment when nothing can. */
static int pump(struct ent_source *s, struct ent_err *err)
{
	bool progress = false;
	ENT_TRY(write_some(s, &progress, err));
	ENT_TRY(read_some(s, &progress, err));
	if (!progress)
		ent_dial_poll(s->link, s->out.len > s->out_at, POLL_MS);
	return 0;
}

void ent_cass_flow(struct ent_source *s, size_t bytes)
{
	bool progress = false;
	if (s->link && s->out.len - s->out_at >= bytes && !write_some(s, &progress, NULL))
		(void)read_some(s, &progress, NULL);
}

/* --- calls --- */

static int wait_answer(struct ent_source *s, struct ent_cass_call *c, struct ent_err *err)
{
	uint64_t begun = ent_dial_now_ms();
	s->heard_ms = begun;
	while (c->state == ENT_CASS_SENT) {
		uint64_t now = ent_dial_now_ms();
		if (ent_cass_cancelled(s))
			return ent_fail(err, ENT_ECANCELLED, "waiting for Cassandra was cancelled");
		if (now - s->heard_ms > silence_ms(s) || now - begun > 2 * silence_ms(s) || (s->until_ms && now > s->until_ms)) {
			trouble(s, begun);
			ent_cass_disconnect(s);
			ent_fail(err, ENT_EAGAIN, "Cassandra does not answer");
			return ent_why(err, "no answer came for %llu ms", (unsigned long long)(now - begun)), ENT_EAGAIN;
		}
		ENT_TRY(pump(s, err));
	}
	return 0;
}

int ent_cass_begin(struct ent_source *s, struct ent_cass_call **ret, struct ent_err *err)
{
	for (int16_t i = 0; i < ENT_CASS_CALLS; i++) {
		struct ent_cass_call *c = &s->calls[i];
		if (c->state != ENT_CASS_FREE)
			continue;
		c->stream = i;
		c->state = ENT_CASS_OPEN;
		c->prepared = NULL;
		c->tries = 0;
		c->frame.max = c->reply.max = (size_t)ENT_CQL_BODY_MAX + 1024;
		ent_buf_reset(&c->frame);
		*ret = c;
		return 0;
	}
	return ent_fail(err, ENT_EAGAIN, "too many requests to Cassandra are in flight");
}

/* The frame is kept as it is: the next connection may agree on something else. */
static int packed_put(struct ent_source *s, const struct ent_cass_call *c, struct ent_err *err)
{
	size_t head = s->out.len, body = head + ENT_CQL_HEAD;
	ent_buf_put(&s->out, c->frame.data, ENT_CQL_HEAD);
	ENT_TRY(ent_cass_pack(ent_bytes(c->frame.data + ENT_CQL_HEAD, c->frame.len - ENT_CQL_HEAD), &s->out, err));
	ENT_TRY(ent_buf_check(&s->out, err));
	s->out.data[head + 1] |= ENT_CQL_COMPRESSED;
	for (unsigned i = 0; i < 4; i++)
		s->out.data[body - 4 + i] = (uint8_t)((s->out.len - body) >> (24 - 8 * i));
	return 0;
}

int ent_cass_send(struct ent_source *s, struct ent_cass_call *c, struct ent_err *err)
{
	ENT_TRY(ent_buf_check(&c->frame, err));
	if (s->packs && c->frame.len > PACK_BYTES)
		ENT_TRY(packed_put(s, c, err));
	else
		ent_buf_put(&s->out, c->frame.data, c->frame.len);
	ENT_TRY(ent_buf_check(&s->out, err));
	c->state = ENT_CASS_SENT;
	return 0;
}

void ent_cass_end(struct ent_cass_call *c)
{
	if (!c)
		return;
	c->state = c->state == ENT_CASS_SENT ? ENT_CASS_ORPHAN : ENT_CASS_FREE;
	if (c->frame.cap > KEEP_BYTES)
		ent_buf_deinit(&c->frame);
	if (c->reply.cap > KEEP_BYTES && c->state == ENT_CASS_FREE)
		ent_buf_deinit(&c->reply);
}
static void call_endp(struct ent_cass_call **c) { ent_cass_end(*c); }

/* --- opening the door --- */

/* One request of the handshake and its answer. */
static int greet(struct ent_source *s, struct ent_cass_call *c, struct ent_cql_event *ret, struct ent_err *err)
{
	ENT_TRY(ent_cass_send(s, c, err));
	ENT_TRY(wait_answer(s, c, err));
	ENT_TRY(ent_cql_event(&c->answer, ret, err));
	return ret->kind == ENT_CQL_IS_ERROR ? refused(ret, "Cassandra refuses the connection", err) : 0;
}

static int offered(struct ent_source *s, bool *ret_lz4, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	struct ent_cql_event e;
	ENT_TRY(ent_cass_begin(s, &c, err));
	ent_cql_options(&c->frame, c->stream);
	ENT_TRY(greet(s, c, &e, err));
	*ret_lz4 = ent_cql_offers(&c->answer, "COMPRESSION", "lz4");
	return 0;
}

static int handshake(struct ent_source *s, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *start = NULL, *auth = NULL;
	struct ent_cql_event e;
	bool lz4 = false;
	if (s->settings.lz4)
		ENT_TRY(offered(s, &lz4, err));
	ENT_TRY(ent_cass_begin(s, &start, err));
	ent_cql_startup(&start->frame, start->stream, lz4 ? "lz4" : NULL);
	ENT_TRY(ent_cass_send(s, start, err));
	s->packs = lz4; /* from the next frame on, in both directions */
	ENT_TRY(wait_answer(s, start, err));
	ENT_TRY(ent_cql_event(&start->answer, &e, err));
	if (e.kind == ENT_CQL_IS_ERROR)
		return refused(&e, "Cassandra refuses the connection", err);
	if (e.kind == ENT_CQL_IS_READY)
		return 0;
	if (e.kind != ENT_CQL_IS_AUTHENTICATE)
		return ent_fail(err, ENT_EPEER, "Cassandra answered STARTUP with something else");
	static const char class[] = "org.apache.cassandra.auth.PasswordAuthenticator";
	if (!ent_bytes_eq(e.text, ent_bytes_str(class))) { /* a password goes to no method that might show it to somebody else */
		ent_fail(err, ENT_EUNSUPPORTED, "Cassandra asks for a login that entente does not know");
		return ent_why(err, "it wants %.*s; only PasswordAuthenticator is known", (int)e.text.len, (const char *)e.text.data),
		       ENT_EUNSUPPORTED;
	}
	ENT_TRY(ent_cass_begin(s, &auth, err));
	ent_cql_auth_plain(&auth->frame, auth->stream, ent_bytes_str(s->settings.at.user), ent_bytes_str(s->settings.at.password));
	int code = greet(s, auth, &e, err);
	explicit_bzero(auth->frame.data, auth->frame.cap);
	ENT_TRY(code);
	return e.kind == ENT_CQL_IS_AUTHENTICATED ? 0 : ent_fail(err, ENT_EDENIED, "Cassandra does not take the password");
}

void ent_cass_disconnect(struct ent_source *s)
{
	ent_dial_close(s->link);
	s->link = NULL;
	s->packs = false;
	if (s->out.data)
		explicit_bzero(s->out.data, s->out.cap);
	ent_buf_deinit(&s->out);
	s->out_at = 0;
	ent_cql_parser_deinit(&s->parser);
	for (size_t i = 0; i < ENT_CASS_CALLS; i++)
		if (s->calls[i].state == ENT_CASS_ORPHAN) /* its answer will not come */
			s->calls[i].state = ENT_CASS_FREE;
}

int ent_cass_connect(struct ent_source *s, struct ent_err *err)
{
	const struct ent_cass_settings *t = &s->settings;
	struct ent_dial_how how = { .store = "Cassandra", .port = t->at.port, .tls = t->tls, .named = t->named, .ca_file = t->ca_file };
	int code = ENT_EIO;
	uint64_t end = ent_dial_now_ms() + patience_ms(s);
	if (s->trouble_ms && end > trouble_end_ms(s))
		end = trouble_end_ms(s);
	how.asker = &s->host;
	for (size_t i = 0; i < t->at.n_hosts; i++) {
		uint64_t now = ent_dial_now_ms();
		how.deadline_ms = now + (end > now ? (end - now) / (t->at.n_hosts - i) : 0); /* a silent host leaves time for the others */
		how.host = t->at.hosts[i];
		ent_cass_disconnect(s);
		ent_cql_parser_init(&s->parser, ENT_CQL_BODY_MAX);
		ent_buf_init(&s->out, (size_t)ENT_CQL_BODY_MAX * 2);
		code = ent_dial_open(&how, &s->link, err);
		s->until_ms = how.deadline_ms;
		if (!code)
			code = handshake(s, err);
		s->until_ms = 0;
		if (!code || code == ENT_ECANCELLED || code == ENT_EDENIED)
			return code;
	}
	ent_cass_disconnect(s);
	return code;
}

/* After a loss: again, with growing pauses, as long as there is hope. */
static int doors_open(struct ent_source *s, struct ent_err *err)
{
	int code = ENT_EIO;
	for (unsigned i = 0; i < DOORS_MAX && (!i || !hopeless(s)); i++) {
		if (i)
			rest(s, 100u << i);
		if (ent_cass_cancelled(s))
			return ent_fail(err, ENT_ECANCELLED, "waiting for Cassandra was cancelled");
		code = ent_cass_connect(s, err);
		if (!code || code == ENT_EDENIED || code == ENT_ECANCELLED)
			break;
	}
	return code;
}

/* Then everything without an answer goes out once more. */
static int reconnect(struct ent_source *s, struct ent_err *err)
{
	struct ent_cass_call *held[ENT_CASS_CALLS];
	size_t n = 0;
	int code;
	trouble(s, ent_dial_now_ms());
	for (size_t i = 0; i < ENT_CASS_CALLS; i++) {
		if (s->calls[i].state != ENT_CASS_SENT)
			continue;
		held[n++] = &s->calls[i];
		s->calls[i].state = ENT_CASS_OPEN;
	}
	if (n == ENT_CASS_CALLS) /* the handshake needs a free stream */
		code = ent_fail(err, ENT_EIO, "the connection to Cassandra broke");
	else
		code = doors_open(s, err);
	for (size_t i = 0; i < n && !code; i++)
		code = ent_cass_send(s, held[i], err);
	for (size_t i = 0; i < n && code; i++)
		held[i]->state = ENT_CASS_SENT; /* the next connection's */
	if (code)
		s->trouble_ms = 0; /* told; whoever tries again does so from the beginning */
	return code;
}

/* --- answers --- */

/* The server forgot a statement (it restarted, or another node answers): its id is a digest of its text, so the frame stays right. */
static int prepare_again(struct ent_source *s, const struct ent_cass_prepared *p, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	struct ent_cql_event e;
	ENT_TRY(ent_cass_begin(s, &c, err));
	ent_cql_prepare(&c->frame, c->stream, ent_bytes_str(p->text));
	ENT_TRY(greet(s, c, &e, err));
	if (e.kind != ENT_CQL_IS_PREPARED || !ent_bytes_eq(e.id, ent_bytes(p->id, p->id_len)))
		return ent_fail(err, ENT_EAGAIN, "a table of Cassandra changed while it was in use");
	return 0;
}

/* An answer that may be another one in a moment: sends the request again. */
static int once_more(struct ent_source *s, struct ent_cass_call *c, const struct ent_cql_event *e, const char *what, struct ent_err *err)
{
	bool forgotten = e->error == ENT_CQL_E_UNPREPARED && c->prepared;
	trouble(s, ent_dial_now_ms());
	if (c->tries++ >= TRIES_MAX || (!forgotten && !passing(e->error)) || (e->error == ENT_CQL_E_UNAVAILABLE && c->tries > 3) || hopeless(s)) {
		s->trouble_ms = 0;
		return refused(e, what, err);
	}
	if (!forgotten) {
		rest(s, 20u << c->tries);
		return ent_cass_send(s, c, err);
	}
	int code = prepare_again(s, c->prepared, err);
	if (code == ENT_EIO || (code && !s->link)) { /* lost meanwhile: everything goes out again */
		ent_cass_disconnect(s);
		c->state = ENT_CASS_SENT;
		return 0;
	}
	return code ? code : ent_cass_send(s, c, err);
}

int ent_cass_wait_for(struct ent_source *s, struct ent_cass_call *c, const char *what, struct ent_cql_event *ret, struct ent_err *err)
{
	for (unsigned doors = 0;;) {
		int code = s->link ? wait_answer(s, c, err) : ENT_EIO;
		bool lost = code == ENT_EIO || code == ENT_EAGAIN;
		if (lost && doors++ < 3 && !hopeless(s)) {
			ENT_TRY(reconnect(s, err));
			continue;
		}
		if (lost)
			s->trouble_ms = 0;
		if (code == ENT_EPEER) /* what comes after it cannot be trusted to be frames */
			ent_cass_disconnect(s);
		ENT_TRY(code);
		ENT_TRY(ent_cql_event(&c->answer, ret, err));
		if (ret->kind != ENT_CQL_IS_ERROR) {
			s->trouble_ms = 0;
			return 0;
		}
		ENT_TRY(once_more(s, c, ret, what, err));
	}
}

int ent_cass_run(struct ent_source *s, const struct ent_cass_run *r, struct ent_cass_call **ret_call, struct ent_cql_event *ret, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	struct ent_cql_params p = { .consistency = s->settings.consistency, .values = r->values, .n_values = r->n_values };
	if (r->conditional)
		p.serial = ENT_CQL_LOCAL_SERIAL;
	if (r->conditional && !strncmp(r->text, "SELECT", 6))
		p.consistency = ENT_CQL_LOCAL_SERIAL;
	ENT_TRY(ent_cass_begin(s, &c, err));
	ent_cql_query(&c->frame, c->stream, ent_bytes_str(r->text), &p);
	ENT_TRY(ent_cass_send(s, c, err));
	ENT_TRY(ent_cass_wait_for(s, c, r->what, ret, err));
	if (ret_call) {
		*ret_call = c;
		c = NULL;
	}
	return 0;
}

int ent_cass_do(struct ent_source *s, const char *text, const char *what, struct ent_err *err)
{
	struct ent_cql_event e;
	return ent_cass_run(s, &(struct ent_cass_run){ .text = text, .what = what }, NULL, &e, err);
}

static void prepared_freep(struct ent_cass_prepared **p)
{
	if (*p)
		free((*p)->text);
	free(*p);
}

int ent_cass_prepare(struct ent_source *s, const char *text, const struct ent_cass_prepared **ret, struct ent_err *err)
{
	ENT_CLEANUP(call_endp) struct ent_cass_call *c = NULL;
	ENT_CLEANUP(prepared_freep) struct ent_cass_prepared *p = NULL;
	struct ent_cql_event e;
	for (p = s->prepared; p; p = p->next) {
		if (!strcmp(p->text, text)) {
			*ret = p;
			p = NULL;
			return 0;
		}
	}
	ENT_TRY(ent_cass_begin(s, &c, err));
	ent_cql_prepare(&c->frame, c->stream, ent_bytes_str(text));
	ENT_TRY(ent_cass_send(s, c, err));
	ENT_TRY(ent_cass_wait_for(s, c, "Cassandra refuses the statement", &e, err));
	p = (struct ent_cass_prepared *)calloc(1, sizeof *p);
	if (!p || !(p->text = ent_strdup(text)))
		return ent_nomem(err);
	if (e.kind != ENT_CQL_IS_PREPARED || e.id.len > sizeof p->id)
		return ent_fail(err, ENT_EPEER, "Cassandra answered PREPARE with something else");
	memcpy(p->id, e.id.data, e.id.len);
	p->id_len = e.id.len;
	p->next = s->prepared;
	s->prepared = p;
	*ret = p;
	p = NULL;
	return 0;
}
