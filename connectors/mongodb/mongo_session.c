/* One session: the address and its defaults (TLS verified unless the address says otherwise or the server is this machine, time-outs), errors,
 * and a new connection after one broke. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mongo.h"

#define SECRET_BYTES_MAX 4096
#define SCHEMA_BYTES_MAX ((size_t)1 << 20)

uint64_t ent_mongo_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int ent_mongo_cancelled(const struct ent_source *s, struct ent_err *err)
{
	return s->host.cancelled && s->host.cancelled(s->host.self) ? ent_fail(err, ENT_ECANCELLED, "working with MongoDB was cancelled") : 0;
}

void ent_mongo_sleep(struct ent_source *s, unsigned ms)
{
	for (unsigned slept = 0; slept < ms && !(s->host.cancelled && s->host.cancelled(s->host.self)); slept += 50)
		usleep((ms - slept < 50 ? ms - slept : 50) * 1000);
}

/* --- errors --- */

static int code_of(const bson_error_t *e)
{
	static const struct {
		uint32_t server;
		int code;
	} codes[] = { { 13, ENT_EDENIED },        { 18, ENT_EDENIED }, { 8000, ENT_EDENIED }, { 26, ENT_ENOTFOUND },    { 48, ENT_EDATA },
		      { 50, ENT_EAGAIN },         { 202, ENT_EAGAIN }, { 11000, ENT_EDATA },  { 59, ENT_EUNSUPPORTED }, { 115, ENT_EUNSUPPORTED },
		      { 2, ENT_EUSAGE },          { 9, ENT_EUSAGE },   { 14, ENT_EUSAGE },    { 14031, ENT_ENOSPACE },  { 10334, ENT_EDATA },
		      { 136, ENT_EDATA },         { 260, ENT_EDATA },  { 280, ENT_EDATA },    { 286, ENT_EDATA },       { 121, ENT_EDATA },
		      { 40573, ENT_EUNSUPPORTED } };
	if (e->domain == MONGOC_ERROR_CLIENT && e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
		return ENT_EDENIED;
	if (e->domain != MONGOC_ERROR_SERVER && e->domain != MONGOC_ERROR_WRITE_CONCERN)
		return e->domain == MONGOC_ERROR_COMMAND && e->code == MONGOC_ERROR_COMMAND_INVALID_ARG ? ENT_EUSAGE : ENT_EIO;
	for (size_t i = 0; i < ENT_COUNT(codes); i++)
		if (codes[i].server == e->code)
			return codes[i].code;
	return ent_mongo_lost(e) ? ENT_EAGAIN : ENT_EIO;
}

bool ent_mongo_lost(const bson_error_t *e)
{
	static const uint32_t passing[] = { 6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436, 43, 133, 134, 262 };
	if (e->domain == MONGOC_ERROR_STREAM || e->domain == MONGOC_ERROR_SERVER_SELECTION)
		return true;
	for (size_t i = 0; e->domain == MONGOC_ERROR_SERVER && i < ENT_COUNT(passing); i++)
		if (passing[i] == e->code)
			return true;
	return false;
}

int ent_mongo_fail(const bson_error_t *e, const char *what, struct ent_err *err)
{
	int code = code_of(e);
	bool server = e->domain == MONGOC_ERROR_SERVER;
	ent_fail(err, code, "%s", what);
	if (server && code == ENT_EDATA) /* these texts repeat values of documents, and an error may travel to other members */
		ent_why(err, "the server refused it with code %u", e->code);
	else if (server)
		ent_why(err, "%.300s (server code %u)", e->message, e->code);
	else
		ent_why(err, "%.300s", e->message);
	if (err)
		err->vendor = (int)e->code;
	if (code == ENT_EDENIED)
		ent_next(err, "check the user, --password-file and ?authSource=DATABASE of the address");
	return code;
}

/* --- options --- */

static int file_read(const char *path, size_t bytes_max, struct ent_buf *out, struct ent_err *err)
{
	char part[4096];
	size_t n;
	FILE *f = fopen(path, "re");
	if (!f)
		return ent_fail(err, errno == ENOENT ? ENT_ENOTFOUND : ENT_EIO, "cannot read the file %.300s", path);
	ent_buf_init(out, bytes_max);
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		ent_buf_put(out, part, n);
	explicit_bzero(part, sizeof part);
	fclose(f);
	return ent_buf_check(out, err);
}

static void secret_deinit(struct ent_buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	ent_buf_deinit(b);
}

static int password_set(struct ent_source *s, const char *path, struct ent_err *err)
{
	ENT_CLEANUP(secret_deinit) struct ent_buf text = { 0 };
	ENT_TRY(file_read(path, SECRET_BYTES_MAX, &text, err));
	size_t n = strcspn(ent_buf_text(&text), "\r\n");
	if (!n)
		return ent_fail(err, ENT_EDATA, "the password file %.200s holds no password", path);
	text.data[n] = 0;
	return mongoc_uri_set_password(s->uri, ent_buf_text(&text)) ? 0 : ent_fail(err, ENT_EDATA, "the password is not UTF-8");
}

static int option_take(struct ent_source *s, const struct ent_option *o, struct ent_err *err)
{
	if (!strcmp(o->key, "password-file"))
		return password_set(s, o->value, err);
	if (!strcmp(o->key, "schema"))
		return file_read(o->value, SCHEMA_BYTES_MAX, &s->declared, err);
	if (!strcmp(o->key, "ca-file"))
		return mongoc_uri_set_option_as_utf8(s->uri, MONGOC_URI_TLSCAFILE, o->value) ? 0 : ent_nomem(err);
	if (!strcmp(o->key, "access")) {
		s->write = !strcmp(o->value, "write");
		return 0;
	}
	ent_fail(err, ENT_EUSAGE, "MongoDB has no option --%.60s", o->key);
	return ent_next(err, "it has --password-file, --schema, --ca-file"), ENT_EUSAGE;
}

static bool loopback_host(const char *host)
{
	return host[0] == '/' || !strcmp(host, "localhost") || !strcmp(host, "::1") || !strncmp(host, "127.", 4);
}

static bool loopback(const mongoc_uri_t *uri)
{
	if (mongoc_uri_get_srv_hostname(uri))
		return false;
	for (const mongoc_host_list_t *h = mongoc_uri_get_hosts(uri); h; h = h->next)
		if (!loopback_host(h->host))
			return false;
	return true;
}

static void defaults_set(struct ent_source *s)
{
	int32_t ms = s->host.timeout_ms ? (int32_t)(s->host.timeout_ms < INT32_MAX ? s->host.timeout_ms : INT32_MAX) : 30000;
	static const char *const timed[] = { MONGOC_URI_CONNECTTIMEOUTMS, MONGOC_URI_SOCKETTIMEOUTMS, MONGOC_URI_SERVERSELECTIONTIMEOUTMS };
	for (size_t i = 0; i < ENT_COUNT(timed); i++)
		if (!mongoc_uri_has_option(s->uri, timed[i]))
			mongoc_uri_set_option_as_int32(s->uri, timed[i], ms);
	bool plain = mongoc_uri_has_option(s->uri, MONGOC_URI_TLS) || mongoc_uri_has_option(s->uri, MONGOC_URI_SSL) || loopback(s->uri);
#ifdef ENT_MUTANT_MONGO_TLS
	plain = true;
#endif
	if (!plain)
		mongoc_uri_set_option_as_bool(s->uri, MONGOC_URI_TLS, true);
	mongoc_uri_set_appname(s->uri, "entente");
}

/* --- connecting --- */

static void log_drop(mongoc_log_level_t level, const char *domain, const char *message, void *arg)
{
	(void)level;
	(void)domain;
	(void)message;
	(void)arg;
}

static void library_start(void)
{
	mongoc_init(); /* never cleaned up: modules stay loaded */
	mongoc_log_set_handler(log_drop, NULL);
}

/* What is read was decided by most of the replica set, and what is written is, unless the address says otherwise: neither can be rolled back. */
static void concerns_set(struct ent_source *s)
{
	if (!mongoc_uri_has_option(s->uri, MONGOC_URI_READCONCERNLEVEL)) {
		mongoc_read_concern_t *read = mongoc_read_concern_new();
		mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
		mongoc_client_set_read_concern(s->client, read);
		mongoc_read_concern_destroy(read);
	}
	if (s->write && !mongoc_uri_has_option(s->uri, MONGOC_URI_W)) {
		mongoc_write_concern_t *write = mongoc_write_concern_new();
		mongoc_write_concern_set_wmajority(write, 0);
		mongoc_client_set_write_concern(s->client, write);
		mongoc_write_concern_destroy(write);
	}
}

static int client_make(struct ent_source *s, struct ent_err *err)
{
	bson_error_t e;
	mongoc_client_destroy(s->client);
	s->client = mongoc_client_new_from_uri_with_error(s->uri, &e);
	if (!s->client) {
		ent_fail(err, ENT_EUSAGE, "this is no MongoDB address");
		return ent_why(err, "%.300s", e.message), ENT_EUSAGE;
	}
	mongoc_client_set_error_api(s->client, MONGOC_ERROR_API_VERSION_2);
	concerns_set(s);
	return 0;
}

static int ping(struct ent_source *s, bson_error_t *e)
{
	ENT_BSON_AUTO command = BCON_NEW("ping", BCON_INT32(1));
	const char *db = mongoc_uri_get_database(s->uri);
	return mongoc_client_command_simple(s->client, db ? db : "admin", command, NULL, NULL, e) ? 0 : -1;
}

int ent_mongo_connect(struct ent_source *s, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bson_error_t e;
	pthread_once(&once, library_start);
	s->uri = mongoc_uri_new_with_error(url, &e);
	if (!s->uri) {
		ent_fail(err, ENT_EUSAGE, "this is no MongoDB address");
		return ent_why(err, "%.300s", e.message), ENT_EUSAGE;
	}
	for (size_t i = 0; i < n_options; i++)
		ENT_TRY(option_take(s, &options[i], err));
	defaults_set(s);
	ENT_TRY(ent_mongo_cancelled(s, err));
	ENT_TRY(client_make(s, err));
	if (!ping(s, &e))
		return 0;
	int code = ent_mongo_fail(&e, "cannot connect to MongoDB", err);
	if (mongoc_uri_get_tls(s->uri) && code != ENT_EDENIED)
		ent_next(
			err,
			"TLS is spoken: name the certificate authority with ?tlsCAFile=FILE in the address, or say tls=false for a plain connection");
	return code;
}

int ent_mongo_reconnect(struct ent_source *s, unsigned attempt, struct ent_err *err)
{
	bson_error_t e;
	for (;; attempt++) {
		ent_mongo_sleep(s, 100u << (attempt < 5 ? attempt : 5));
		ENT_TRY(ent_mongo_cancelled(s, err));
		ENT_TRY(client_make(s, err));
		if (!ping(s, &e))
			return 0;
		if (!ent_mongo_lost(&e) || attempt + 1 >= ENT_MONGO_ATTEMPTS)
			return ent_mongo_fail(&e, "the connection to MongoDB broke and cannot be made again", err);
	}
}

int ent_mongo_command(struct ent_source *s, const char *db, const bson_t *command, bson_t *reply, const char *what, struct ent_err *err)
{
	bson_error_t e;
	bson_t answer;
	for (unsigned attempt = 0;; attempt++) {
		if (mongoc_client_command_simple(s->client, db, command, NULL, &answer, &e))
			break;
		bson_destroy(&answer);
		if (!ent_mongo_lost(&e) || attempt >= 2)
			return ent_mongo_fail(&e, what, err);
		ENT_TRY(ent_mongo_reconnect(s, attempt, err));
	}
	if (reply)
		bson_steal(reply, &answer);
	else
		bson_destroy(&answer);
	return 0;
}
