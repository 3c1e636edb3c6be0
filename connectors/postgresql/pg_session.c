/* One session: connecting without blocking past the time-out, TLS verified unless the URL says otherwise or the server is this machine,
 * then read-only with time-outs and no search path, so that only functions of the system catalogue are found. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "dial/address.h"
#include "pg.h"

#define POLL_MS 100
#define PARAMS_MAX 64
#define COPYING_MS ((uint64_t)3600 * 1000) /* one statement of a copy, such as the swap of a large table */

/* A session of its own with the same address and secrets. */
static int connect_like(struct ent_source *s, const char *replication, struct ent_source *ret, struct ent_err *err);

void ent_pg_clear(PGresult **r)
{
	PQclear(*r);
	*r = NULL;
}

static int kind_of(const char *state)
{
	static const struct {
		const char *prefix;
		int code;
	} kinds[] = { { "42P01", ENT_ENOTFOUND }, { "3D000", ENT_ENOTFOUND }, { "3F000", ENT_ENOTFOUND }, { "42703", ENT_ESQL },
		      { "42501", ENT_EDENIED },   { "25006", ENT_EDENIED },   { "57014", ENT_EAGAIN },    { "55P03", ENT_EAGAIN },
		      { "55006", ENT_EAGAIN },    { "53", ENT_EAGAIN },       { "57", ENT_EAGAIN },       { "40", ENT_EAGAIN },
		      { "28", ENT_EDENIED },      { "0A", ENT_EUNSUPPORTED }, { "22", ENT_EDATA },        { "23", ENT_EDATA },
		      { "21000", ENT_EDATA },     { "42", ENT_ESQL } };
	for (size_t i = 0; state && i < ENT_COUNT(kinds); i++)
		if (!strncmp(state, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].code;
	return ENT_EIO;
}

/* One line of a message, without its end. */
static int line_length(const char *text) { return (int)strcspn(text, "\r\n"); }

/* Who copies must learn which value it is; what is read for joint work may be private, and an error may travel to other members. */
static void why_value(const struct ent_source *s, const PGresult *r, const char *text, const char *state, struct ent_err *err)
{
	const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL), *context = PQresultErrorField(r, PG_DIAG_CONTEXT);
	if (s->writes)
		ent_why(err, "%.200s%s%.120s%s%.200s", text, detail ? "; " : "", detail ? detail : "", context ? "; " : "", context ? context : "");
	else if (strchr(text, '"'))
		ent_why(err, "a value does not fit (SQLSTATE %s)", state);
	else
		ent_why(err, "%.*s", line_length(text), text);
}

int ent_pg_fail(struct ent_source *s, const PGresult *r, const char *what, struct ent_err *err)
{
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	const char *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	int code = kind_of(state);
	if (!text)
		text = PQerrorMessage(s->con);
	ent_fail(err, code, "%s", what);
	if (code == ENT_EDATA && r)
		why_value(s, r, text, state, err);
	else
		ent_why(err, "%.*s", line_length(text), text);
	if (state && err && strlen(state) == 5)
		memcpy(err->sqlstate, state, 6);
	if (state && !strcmp(state, "57014"))
		ent_next(err, "it took longer than %u ms: raise the time-out, or ask for fewer rows", s->host.timeout_ms);
	return code;
}

/* --- waiting --- */

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool cancelled(const struct ent_source *s) { return s->host.cancelled && s->host.cancelled(s->host.self); }

uint64_t ent_pg_answer_ms(const struct ent_source *s) { return s->host.timeout_ms ? s->host.timeout_ms : 30000; }

static uint64_t patience_ms(const struct ent_source *s)
{
	uint64_t ms = ent_pg_answer_ms(s);
	return s->copying && ms < COPYING_MS ? COPYING_MS : ms;
}

static void cancel_send(struct ent_source *s)
{
	char text[256];
	PGcancel *c = PQgetCancel(s->con);
	if (c)
		(void)PQcancel(c, text, sizeof text);
	PQfreeCancel(c);
}

static int socket_wait(struct ent_source *s, short events)
{
	struct pollfd p = { .fd = PQsocket(s->con), .events = events };
	int n = poll(&p, 1, POLL_MS);
	return n < 0 && errno != EINTR ? -1 : n;
}

/* --- servers that stand still, networks that swallow everything --- */

/* Ours may rightly wait for a statement that takes an hour; a connection of its own tells whether anybody is there. */
static bool alive(struct ent_source *s)
{
	struct ent_source probe = { .host = s->host };
	probe.host.cancelled = NULL;
	int code = connect_like(s, NULL, &probe, NULL);
	bool told = code && code != ENT_EAGAIN && probe.con && strstr(PQerrorMessage(probe.con), "FATAL"); /* refused, but by the server */
	PQfinish(probe.con);
	return !code || told;
}

/* No call of libpq blocks on this connection from now on; each fails. */
static void cut(struct ent_source *s) { (void)shutdown(PQsocket(s->con), SHUT_RDWR); }

int ent_pg_silent(struct ent_source *s, uint64_t *since_ms, struct ent_err *err)
{
	uint64_t now = now_ms();
	*since_ms = *since_ms ? *since_ms : now;
	if (now - *since_ms < ent_pg_answer_ms(s))
		return 0;
	if (alive(s)) {
		*since_ms = now_ms();
		return 0;
	}
	cut(s);
	ent_fail(err, ENT_EAGAIN, "PostgreSQL does not answer");
	return ent_why(err, "nothing came for %llu ms, and a new connection is not answered either", (unsigned long long)(now_ms() - *since_ms)),
	       ENT_EAGAIN;
}

int ent_pg_more(struct ent_source *s, uint64_t *since_ms, struct ent_err *err)
{
	if (cancelled(s))
		return ent_fail(err, ENT_ECANCELLED, "reading from PostgreSQL was cancelled");
	int n = socket_wait(s, POLLIN);
	if (n < 0 || (n > 0 && !PQconsumeInput(s->con)))
		return ent_pg_fail(s, NULL, "the connection to PostgreSQL broke", err);
	if (n > 0)
		*since_ms = now_ms();
	return ent_pg_silent(s, since_ms, err);
}

/* False once the connection is gone: libpq would go on waiting for it. */
static bool input_until(struct ent_source *s, uint64_t end_ms)
{
	if (now_ms() >= end_ms)
		cut(s);
	(void)socket_wait(s, POLLIN);
	return PQconsumeInput(s->con) && PQstatus(s->con) == CONNECTION_OK;
}

void ent_pg_drain(struct ent_source *s)
{
	uint64_t end_ms = now_ms() + ent_pg_answer_ms(s);
	for (bool more = true; more && PQstatus(s->con) == CONNECTION_OK;) {
		char *row = NULL;
		int n = -1;
		while (PQisBusy(s->con))
			if (!input_until(s, end_ms))
				return;
		PGresult *r = PQgetResult(s->con);
		ExecStatusType status = PQresultStatus(r);
		bool rows = status == PGRES_COPY_OUT;
		more = r != NULL && status != PGRES_COPY_IN && status != PGRES_COPY_BOTH; /* these come again and again */
		PQclear(r);
		while (rows && (n = PQgetCopyData(s->con, &row, 1)) >= 0) {
			if (n)
				PQfreemem(row);
			else if (!input_until(s, end_ms))
				return;
		}
	}
}

void ent_pg_abandon(struct ent_source *s)
{
	if (PQstatus(s->con) == CONNECTION_OK && alive(s)) /* to cancel blocks until the server has heard of it */
		cancel_send(s);
	else
		cut(s);
	ent_pg_drain(s);
}

int ent_pg_wait(struct ent_source *s, struct ent_err *err)
{
	uint64_t begin = now_ms(), since = begin;
	while (PQisBusy(s->con)) {
		if (now_ms() - begin > patience_ms(s) + 5000) { /* the server's own time-out comes first when it can */
			ent_fail(err, ENT_EAGAIN, "PostgreSQL does not answer");
			return ent_why(err, "nothing came for %llu ms", (unsigned long long)patience_ms(s) + 5000), ENT_EAGAIN;
		}
		ENT_TRY(ent_pg_more(s, &since, err));
	}
	return 0;
}

/* After a failure inside the transaction of a pinned snapshot: back to its start, where the snapshot still holds. */
static void pinned_mend(struct ent_source *s)
{
	if (s->pinned && PQtransactionStatus(s->con) == PQTRANS_INERROR)
		PQclear(PQexec(s->con, "ROLLBACK TO SAVEPOINT entente"));
}

int ent_pg_run(struct ent_source *s, const char *sql, const char *const *params, size_t n_params, PGresult **ret, const char *what,
	       struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	if (s->busy)
		return ent_fail(err, ENT_EINTERNAL, "a stream of this source is still open");
	pinned_mend(s);
	if (!PQsendQueryParams(s->con, sql, (int)n_params, NULL, params, NULL, NULL, 0))
		return ent_pg_fail(s, NULL, what, err);
	int code = ent_pg_wait(s, err);
	if (code) {
		ent_pg_abandon(s);
		return code;
	}
	r = PQgetResult(s->con);
	ExecStatusType status = r ? PQresultStatus(r) : PGRES_FATAL_ERROR;
	for (PGresult *rest = PQgetResult(s->con); rest; rest = PQgetResult(s->con))
		PQclear(rest);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		return ent_pg_fail(s, r, what, err);
	if (ret) {
		*ret = r;
		r = NULL;
	}
	return 0;
}

int ent_pg_copy_begin(struct ent_source *s, const char *sql, ExecStatusType want, const char *what, struct ent_err *err)
{
	pinned_mend(s);
	if (!PQsendQuery(s->con, sql))
		return ent_pg_fail(s, NULL, what, err);
	int code = ent_pg_wait(s, err);
	if (code) {
		ent_pg_abandon(s);
		return code;
	}
	ENT_CLEANUP(ent_pg_clear) PGresult *r = PQgetResult(s->con);
	if (PQresultStatus(r) == want)
		return 0;
	for (PGresult *rest = PQgetResult(s->con); rest; rest = PQgetResult(s->con))
		PQclear(rest);
	return ent_pg_fail(s, r, what, err);
}

int ent_pg_copying(struct ent_source *s, struct ent_err *err)
{
	static const char *const settings[] = { "SET statement_timeout = 0", "SET idle_in_transaction_session_timeout = 0" };
	for (size_t i = 0; !s->copying && i < ENT_COUNT(settings); i++)
		ENT_TRY(ent_pg_run(s, settings[i], NULL, 0, NULL, "the PostgreSQL session cannot be prepared for copying", err));
	s->copying = true;
	return 0;
}

/* --- connecting --- */

struct settings { /* what PQconnectStartParams takes */
	const char *snapshot;
	const char *keys[PARAMS_MAX + 1], *values[PARAMS_MAX + 1];
	size_t n;
	PQconninfoOption *parsed;
	char timeout[16], password[ENT_PASSWORD_BYTES];
};

static void settings_deinit(struct settings *t)
{
	PQconninfoFree(t->parsed);
	explicit_bzero(t->password, sizeof t->password);
}

static void setting_add(struct settings *t, const char *key, const char *value)
{
	if (t->n < PARAMS_MAX && value && value[0]) {
		t->keys[t->n] = key;
		t->values[t->n++] = value;
	}
}

static const char *setting_get(const struct settings *t, const char *key)
{
	for (const PQconninfoOption *o = t->parsed; o && o->keyword; o++)
		if (!strcmp(o->keyword, key) && o->val && o->val[0])
			return o->val;
	return NULL;
}

static bool loopback_name(const char *host, size_t len)
{
	return !len || host[0] == '/' || host[0] == '@' || (len == 9 && !memcmp(host, "localhost", 9)) || (len > 4 && !memcmp(host, "127.", 4)) ||
	       (len == 3 && !memcmp(host, "::1", 3));
}

/* True when every host named is this machine; no host means the local socket. */
static bool loopback(const struct settings *t)
{
	const char *hosts = setting_get(t, "hostaddr");
	if (!hosts)
		hosts = setting_get(t, "host");
	if (!hosts)
		hosts = getenv("PGHOST");
	if (setting_get(t, "service") || (!hosts && getenv("PGSERVICE")))
		return false; /* its file may name any host */
	while (hosts) {
		size_t len = strcspn(hosts, ",");
		if (!loopback_name(hosts, len))
			return false;
		hosts = hosts[len] ? hosts + len + 1 : NULL;
	}
	return true;
}

static int option_choice(const struct ent_option *o, const char *yes, const char *no, bool *ret, struct ent_err *err)
{
	*ret = !strcmp(o->value, yes);
	if (*ret || !strcmp(o->value, no))
		return 0;
	return ent_fail(err, ENT_EUSAGE, "--%.60s is %s or %s", o->key, yes, no);
}

static int option_take(struct ent_source *s, struct settings *t, const struct ent_option *o, struct ent_err *err)
{
	if (!strcmp(o->key, "password-file")) {
		ENT_TRY(ent_password_read(o->value, t->password, err));
		setting_add(t, "password", t->password);
	} else if (!strcmp(o->key, "ca-file")) {
		setting_add(t, "sslrootcert", o->value);
	} else if (!strcmp(o->key, "access")) {
		return option_choice(o, "write", "read", &s->writes, err);
	} else if (!strcmp(o->key, "split-by")) {
		return option_choice(o, "block", "key", &s->by_ctid, err);
	} else if (!strcmp(o->key, "store")) {
		return option_choice(o, "cockroachdb", "postgresql", &s->cockroach, err);
	} else if (!strcmp(o->key, "snapshot") && strspn(o->value, "0123456789ABCDEFabcdef-.") == strlen(o->value) && o->value[0]) {
		t->snapshot = o->value;
	} else if (!strcmp(o->key, "checkpoint-schema") && o->value[0] && strlen(o->value) < sizeof s->checkpoint_schema) {
		snprintf(s->checkpoint_schema, sizeof s->checkpoint_schema, "%s", o->value);
	} else {
		return ent_fail(
			err, ENT_EUSAGE,
			"PostgreSQL has no option --%.60s %.60s; it has --password-file, --ca-file, --access, --snapshot, --split-by, --store, "
			"--checkpoint-schema",
			o->key, o->value);
	}
	return 0;
}

static int settings_make(struct ent_source *s, struct settings *t, const char *url, const struct ent_option *options, size_t n_options,
			 struct ent_err *err)
{
	char *why = NULL;
	t->parsed = PQconninfoParse(url, &why);
	if (!t->parsed) {
		ent_fail(err, ENT_EUSAGE, "this is no PostgreSQL address");
		ent_why(err, "%.*s", why ? line_length(why) : 0, why ? why : "");
		PQfreemem(why);
		return ENT_EUSAGE;
	}
	for (const PQconninfoOption *o = t->parsed; o->keyword; o++)
		setting_add(t, o->keyword, o->val);
	for (size_t i = 0; i < n_options; i++)
		ENT_TRY(option_take(s, t, &options[i], err));
	bool verify = !setting_get(t, "sslmode") && !getenv("PGSSLMODE") && !loopback(t);
#ifdef ENT_MUTANT_PG_TLS
	verify = false;
#endif
	if (verify)
		setting_add(t, "sslmode", "verify-full");
	snprintf(t->timeout, sizeof t->timeout, "%llu", (unsigned long long)(patience_ms(s) / 1000 + 2));
	setting_add(t, "connect_timeout", t->timeout);
	static const char *const lost[][2] = { /* a machine that vanished is noticed in a minute, also while a statement may take an hour */
					       { "keepalives_idle", "30" },
					       { "keepalives_interval", "10" },
					       { "keepalives_count", "3" },
					       { "tcp_user_timeout", "60000" }
	};
	for (size_t i = 0; i < ENT_COUNT(lost); i++)
		if (!setting_get(t, lost[i][0]))
			setting_add(t, lost[i][0], lost[i][1]);
	setting_add(t, "client_encoding", "UTF8");
	setting_add(t, "application_name", "entente");
	return 0;
}

static int connect_failed(struct ent_source *s, struct ent_err *err)
{
	const char *text = PQerrorMessage(s->con);
	bool denied = strstr(text, "authentication") || strstr(text, "password") || strstr(text, "pg_hba");
	bool missing = strstr(text, "database \"") && strstr(text, "does not exist");
	bool tls = strstr(text, "SSL") || strstr(text, "certificate");
	int code = denied ? ENT_EDENIED : missing ? ENT_ENOTFOUND : ENT_EIO;
	ent_fail(err, code, "cannot connect to PostgreSQL");
	ent_why(err, "%.*s", line_length(text), text);
	if (tls)
		ent_next(err, "name the certificate authority with ?sslrootcert=FILE in the address, or say another ?sslmode=");
	else if (denied)
		ent_next(err, "give --password-file FILE, or an entry in ~/.pgpass");
	return code;
}

static int handshake(struct ent_source *s, struct ent_err *err)
{
	uint64_t begin = now_ms();
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED || PQstatus(s->con) == CONNECTION_BAD)
			return connect_failed(s, err);
		if (cancelled(s))
			return ent_fail(err, ENT_ECANCELLED, "connecting to PostgreSQL was cancelled");
		if (now_ms() - begin > patience_ms(s))
			return ent_fail(err, ENT_EAGAIN, "PostgreSQL did not answer within %llu ms", (unsigned long long)patience_ms(s));
		int n = socket_wait(s, state == PGRES_POLLING_READING ? POLLIN : POLLOUT);
		if (n < 0)
			return connect_failed(s, err);
		if (n > 0)
			state = PQconnectPoll(s->con);
	}
	return 0;
}

static int snapshot_pin(struct ent_source *s, const char *name, struct ent_err *err)
{
	static const char what[] = "the exported snapshot cannot be used";
	struct ent_err e = ENT_ERR_INIT;
	char sql[200];
	if (s->writes)
		return ent_fail(err, ENT_EUSAGE, "a session with --snapshot reads only");
	ENT_TRY(ent_pg_copying(s, err));
	if (s->cockroach) {
		snprintf(s->as_of, sizeof s->as_of, "%.60s", name);
		return 0;
	}
	ENT_TRY(ent_pg_run(s, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0, NULL, what, err));
	snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%.100s'", name);
	int r = ent_pg_run(s, sql, NULL, 0, NULL, what, &e);
	if (r == ENT_EDATA || r == ENT_ENOTFOUND || r == ENT_ESQL) /* 22023, 42704: the session that exported it is gone */
		r = ent_fail(&e, ENT_EAGAIN, "the exported snapshot is gone: the session that held it ended");
	if (r && err)
		*err = e;
	ENT_TRY(r);
	ENT_TRY(ent_pg_run(s, "SAVEPOINT entente", NULL, 0, NULL, what, err));
	s->pinned = true;
	return 0;
}

static int kind_find(struct ent_source *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_pg_clear) PGresult *r = NULL;
	ENT_TRY(ent_pg_run(s, "SELECT version()", NULL, 0, &r, "the server does not tell its version", err));
	s->cockroach |= !strncmp(PQgetvalue(r, 0, 0), "CockroachDB", 11);
	return 0;
}

static void notice_drop(void *arg, const char *message)
{
	(void)arg;
	(void)message; /* notices of a server are nobody's stderr */
}

static int session_settle(struct ent_source *s, struct ent_err *err)
{
	static const char what[] = "the PostgreSQL session cannot be set up";
	char sql[200];
	unsigned long long ms = patience_ms(s);
	static const char *const fixed[] = { "SET TimeZone = 'UTC'",         "SET DateStyle = 'ISO'",
					     "SET search_path = pg_catalog", "SET client_min_messages = warning",
					     "SET row_security = on",        "SET IntervalStyle = 'iso_8601'",
					     "SET extra_float_digits = 1",   "SET bytea_output = 'hex'" };
	bool writes = s->writes;
#ifdef ENT_MUTANT_PG_WRITES
	writes = true;
#endif
	snprintf(sql, sizeof sql, "SET default_transaction_read_only = %s", writes ? "off" : "on");
	ENT_TRY(ent_pg_run(s, sql, NULL, 0, NULL, what, err));
	for (size_t i = 0; i < ENT_COUNT(fixed); i++)
		ENT_TRY(ent_pg_run(s, fixed[i], NULL, 0, NULL, what, err));
	static const char *const timed[] = { "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout" };
	for (size_t i = 0; i < ENT_COUNT(timed); i++) {
		snprintf(sql, sizeof sql, "SET %s = %llu", timed[i], ms);
		ENT_TRY(ent_pg_run(s, sql, NULL, 0, NULL, what, err));
	}
	return 0;
}

int ent_pg_connect(struct ent_source *s, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *err)
{
	ENT_CLEANUP(settings_deinit) struct settings t = { 0 };
	ENT_TRY(settings_make(s, &t, url, options, n_options, err));
	s->con = PQconnectStartParams(t.keys, t.values, 0);
	if (!s->con)
		return ent_nomem(err);
	PQsetNoticeProcessor(s->con, notice_drop, NULL);
	ENT_TRY(handshake(s, err));
	ENT_TRY(session_settle(s, err));
	ENT_TRY(kind_find(s, err));
	return t.snapshot ? snapshot_pin(s, t.snapshot, err) : 0;
}

static int connect_like(struct ent_source *s, const char *replication, struct ent_source *ret, struct ent_err *err)
{
	struct settings t = { 0 };
	PQconninfoOption *all = PQconninfo(s->con);
	if (!all)
		return ent_nomem(err);
	for (const PQconninfoOption *o = all; o->keyword; o++)
		if (strcmp(o->keyword, "replication") != 0)
			setting_add(&t, o->keyword, o->val);
	setting_add(&t, "replication", replication);
	ret->con = PQconnectStartParams(t.keys, t.values, 0);
	PQconninfoFree(all);
	if (!ret->con)
		return ent_nomem(err);
	PQsetNoticeProcessor(ret->con, notice_drop, NULL);
	return handshake(ret, err);
}

/* The same address and secrets as s, as a replication session; CockroachDB has none, an ordinary one serves. */
int ent_pg_connect_replication(struct ent_source *s, struct ent_source *ret, struct ent_err *err)
{
	return connect_like(s, s->cockroach ? NULL : "database", ret, err);
}
