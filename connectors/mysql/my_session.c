/* Sessions: TLS as the address says and looked at after connecting, no plug-in that sends a password in clear, no file ever given to a server
 * (rows to load come from memory), strict values, UTC, time-outs; what the server says becomes one of our codes with its own number beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "my.h"

#define RETRY_FIRST_MS 50

unsigned ent_my_patience_ms(const struct ent_source *s) { return s->host.timeout_ms ? s->host.timeout_ms : 30000; }

int ent_my_cancelled(const struct ent_source *s, struct ent_err *err)
{
	if (s->host.cancelled && s->host.cancelled(s->host.self))
		return ent_fail(err, ENT_ECANCELLED, "work with MySQL was cancelled");
	return 0;
}

void ent_my_result_freep(MYSQL_RES **r)
{
	if (*r)
		mysql_free_result(*r);
}

void ent_my_closep(MYSQL **m)
{
	if (*m)
		mysql_close(*m);
	*m = NULL;
}

/* --- errors --- */

static int kind_of(unsigned number)
{
	static const struct {
		unsigned short number;
		short code;
	} kinds[] = {
		{ 1044, ENT_EDENIED },      { 1045, ENT_EDENIED },   { 1142, ENT_EDENIED },   { 1143, ENT_EDENIED },   { 1227, ENT_EDENIED },
		{ 1290, ENT_EDENIED },      { 1370, ENT_EDENIED },   { 1698, ENT_EDENIED },   { 1792, ENT_EDENIED },   { 1836, ENT_EDENIED },
		{ 1049, ENT_ENOTFOUND },    { 1146, ENT_ENOTFOUND }, { 1051, ENT_ENOTFOUND }, { 1109, ENT_ENOTFOUND }, { 1054, ENT_ESQL },
		{ 1064, ENT_ESQL },         { 1305, ENT_ESQL },      { 1205, ENT_EAGAIN },    { 1213, ENT_EAGAIN },    { 1040, ENT_EAGAIN },
		{ 1203, ENT_EAGAIN },       { 1317, ENT_EAGAIN },    { 1614, ENT_EAGAIN },    { 1969, ENT_EAGAIN },    { 3024, ENT_EAGAIN },
		{ 1053, ENT_EAGAIN },       { 1114, ENT_ENOSPACE },  { 1021, ENT_ENOSPACE },  { 1041, ENT_EAGAIN },    { 1062, ENT_EDATA },
		{ 1048, ENT_EDATA },        { 1264, ENT_EDATA },     { 1265, ENT_EDATA },     { 1292, ENT_EDATA },     { 1366, ENT_EDATA },
		{ 1367, ENT_EDATA },        { 1406, ENT_EDATA },     { 1364, ENT_EDATA },     { 1451, ENT_EDATA },     { 1452, ENT_EDATA },
		{ 3819, ENT_EDATA },        { 4025, ENT_EDATA },     { 1153, ENT_EDATA },     { 1236, ENT_EDATA },     { 1261, ENT_EDATA },
		{ 1262, ENT_EDATA },        { 3140, ENT_EDATA },     { 1586, ENT_EDATA },     { 1050, ENT_EDATA },     { 1235, ENT_EUNSUPPORTED },
		{ 1071, ENT_EUNSUPPORTED }, { 1115, ENT_ESQL },      { 1273, ENT_ESQL },      { 2008, ENT_ENOMEM },
	};
	for (size_t i = 0; i < ENT_COUNT(kinds); i++)
		if (kinds[i].number == number)
			return kinds[i].code;
	return ENT_EIO;
}

static bool shows_value(unsigned number) /* such messages quote values, and an error may travel to other members */
{
	static const unsigned short all[] = { 1062, 1264, 1265, 1292, 1366, 1367, 1406, 3140, 1451, 1452, 1586, 4025, 3819 };
	for (size_t i = 0; i < ENT_COUNT(all); i++)
		if (all[i] == number)
			return true;
	return false;
}

static int fail_with(unsigned number, const char *state, const char *text, const char *what, struct ent_err *err)
{
	int code = kind_of(number);
	const char *key = strstr(text, "for key '"), *column = strstr(text, "for column ");
	ent_fail(err, code, "%s", what);
	if (!number) /* the library fails a prepared statement so when a row does not come in time */
		ent_why(err, "the connection was lost, or nothing came in time");
	else if (!shows_value(number))
		ent_why(err, "%.*s (error %u)", (int)strcspn(text, "\r\n"), text, number);
	else if (number == 1062 || number == 1586)
		ent_why(err, "two rows have the same value %.100s (error %u)", key ? key : "of a key", number);
	else
		ent_why(err, "a value does not fit %.100s (error %u)", column ? column : "", number);
	if (err) {
		err->vendor = (int)number;
		if (state && strlen(state) == 5)
			memcpy(err->sqlstate, state, 6);
	}
	return code;
}

int ent_my_fail(MYSQL *m, const char *what, struct ent_err *err) { return fail_with(mysql_errno(m), mysql_sqlstate(m), mysql_error(m), what, err); }

int ent_my_fail_statement(MYSQL_STMT *st, const char *what, struct ent_err *err)
{
	return fail_with(mysql_stmt_errno(st), mysql_stmt_sqlstate(st), mysql_stmt_error(st), what, err);
}

/* --- statements --- */

int ent_my_run(MYSQL *m, struct ent_bytes sql, MYSQL_RES **ret, const char *what, struct ent_err *err)
{
	if (mysql_real_query(m, (const char *)sql.data, sql.len))
		return ent_my_fail(m, what, err);
	MYSQL_RES *r = mysql_store_result(m);
	if (!r && (mysql_errno(m) || (ret && mysql_field_count(m))))
		return ent_my_fail(m, what, err);
	if (ret)
		*ret = r;
	else if (r)
		mysql_free_result(r);
	return 0;
}

int ent_my_value(MYSQL *m, const char *sql, char *out, size_t size, const char *what, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	ENT_TRY(ent_my_run(m, ent_bytes_str(sql), &r, what, err));
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	snprintf(out, size, "%s", row && row[0] ? row[0] : "");
	return 0;
}

/* --- connecting --- */

static void options_set(const struct ent_source *s, MYSQL *m, enum ent_my_role role)
{
	const struct ent_my_address *a = &s->at;
	unsigned seconds = ent_my_patience_ms(s) / 1000 + 2, longer = seconds + 30, no_files = 0, tcp = MYSQL_PROTOCOL_TCP;
	my_bool yes = 1, no = 0, verify = a->tls == ENT_MY_TLS_VERIFY;
	mysql_options(m, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	mysql_options(m, MYSQL_OPT_READ_TIMEOUT, role == ENT_MY_WRITE ? &longer : &seconds);
	mysql_options(m, MYSQL_OPT_WRITE_TIMEOUT, &longer);
	mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(m, MYSQL_OPT_RECONNECT, &no);
	mysql_options(m, MYSQL_REPORT_DATA_TRUNCATION, &yes);
	mysql_options(m, MARIADB_OPT_RESTRICTED_AUTH, "mysql_native_password,caching_sha2_password,client_ed25519");
	if (role != ENT_MY_WRITE)
		mysql_options(m, MYSQL_OPT_LOCAL_INFILE, &no_files);
	if (!a->socket[0])
		mysql_options(m, MYSQL_OPT_PROTOCOL, &tcp);
	if (a->tls == ENT_MY_TLS_OFF)
		return;
	mysql_options(m, MYSQL_OPT_SSL_ENFORCE, &yes);
	mysql_options(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	mysql_options(m, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
	if (a->ca[0])
		mysql_options(m, MYSQL_OPT_SSL_CA, a->ca);
}

static int connect_failed(const struct ent_source *s, MYSQL *m, struct ent_err *err)
{
	int code = ent_my_fail(m, "cannot connect to MySQL", err);
	if (mysql_errno(m) == 2026 || strstr(mysql_error(m), "TLS"))
		ent_next(err, "name the certificate authority with --ca-file FILE, or say another ?tls= in the address");
	else if (code == ENT_EDENIED)
		ent_next(err, "give --password-file FILE");
	else if (mysql_errno(m) == 1049)
		ent_next(err, "name a database that is there; a copy makes another one for its table: #%s.TABLE", s->at.database);
	return code;
}

static bool transient(unsigned number)
{
	return number == 1040 || number == 1053 || number == 2002 || number == 2003 || number == 2006 || number == 2013;
}

/* One attempt; *again tells whether another may help. */
static int connect_once(const struct ent_source *s, enum ent_my_role role, MYSQL **ret, bool *again, struct ent_err *err)
{
	const struct ent_my_address *a = &s->at;
	ENT_CLEANUP(ent_my_closep) MYSQL *m = mysql_init(NULL);
	if (!m)
		return ent_nomem(err);
	options_set(s, m, role);
	unsigned long flags = CLIENT_FOUND_ROWS | (role == ENT_MY_WRITE ? CLIENT_LOCAL_FILES : 0);
	if (!mysql_real_connect(m, a->host, a->server.user[0] ? a->server.user : NULL, a->server.password, a->database[0] ? a->database : NULL,
				a->server.port, a->socket[0] ? a->socket : NULL, flags)) {
		*again = transient(mysql_errno(m));
		return connect_failed(s, m, err);
	}
	if (a->tls != ENT_MY_TLS_OFF && !mysql_get_ssl_cipher(m)) { /* the library connects in clear text to a server without TLS */
		ent_fail(err, ENT_EIO, "cannot connect to MySQL");
		ent_why(err, "the server offers no TLS");
		return ent_next(err, "switch TLS on in the server, or say ?tls=off in the address"), ENT_EIO;
	}
	*ret = m;
	m = NULL;
	return 0;
}

static int session_settle(const struct ent_source *s, MYSQL *m, enum ent_my_role role, struct ent_err *err)
{
	static const char what[] = "the MySQL session cannot be set up";
	char sql[200];
	unsigned seconds = ent_my_patience_ms(s) / 1000 + 1;
	ENT_TRY(ent_my_exec(m, "SET SESSION time_zone = '+00:00', net_write_timeout = 3600, net_read_timeout = 3600, group_concat_max_len = 1000000",
			    what, err));
	ENT_TRY(ent_my_exec(m,
			    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
			    "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'",
			    what, err));
	snprintf(sql, sizeof sql, "SET SESSION lock_wait_timeout = %u, innodb_lock_wait_timeout = %u, wait_timeout = 28800", seconds, seconds);
	ENT_TRY(ent_my_exec(m, sql, what, err));
	bool mariadb = strstr(mysql_get_server_info(m), "MariaDB") != NULL;
	if (!mariadb && mysql_get_server_version(m) >= 80000) /* else the sizes of tables may be a day old */
		ENT_TRY(ent_my_exec(m, "SET SESSION information_schema_stats_expiry = 0", what, err));
	if (role == ENT_MY_WRITE)
		return ent_my_exec(m, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", what, err);
	ENT_TRY(ent_my_exec(m, "SET SESSION TRANSACTION READ ONLY", what, err));
	return ent_my_exec(m, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", what, err);
}

int ent_my_connect(const struct ent_source *s, enum ent_my_role role, MYSQL **ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_my_closep) MYSQL *m = NULL;
	uint64_t give_up = ent_dial_now_ms() + (ent_my_patience_ms(s) < 8000 ? ent_my_patience_ms(s) / 4 : 2000);
	unsigned pause_ms = RETRY_FIRST_MS;
	for (;;) {
		bool again = false;
		ENT_TRY(ent_my_cancelled(s, err));
		int code = connect_once(s, role, &m, &again, err);
		if (!code)
			break;
		if (!again || ent_dial_now_ms() + pause_ms > give_up)
			return code;
		nanosleep(&(struct timespec){ .tv_sec = pause_ms / 1000, .tv_nsec = (long)(pause_ms % 1000) * 1000000 }, NULL);
		pause_ms *= 2;
	}
	ENT_TRY(session_settle(s, m, role, err));
	*ret = m;
	m = NULL;
	return 0;
}

/* What kind of server it is: known once per source. */
static int server_learn(struct ent_source *s, struct ent_err *err)
{
	static const char what[] = "the MySQL server does not say what it is";
	s->mariadb = strstr(mysql_get_server_info(s->con), "MariaDB") != NULL;
	s->version = mysql_get_server_version(s->con);
	if (s->version < 50700)
		return ent_fail(err, ENT_EUNSUPPORTED, "this server is too old (%.60s): MySQL 5.7 or MariaDB 10.2 is the oldest known",
				mysql_get_server_info(s->con));
	bool byte_wise = !s->mariadb && s->version >= 80017;
	s->text_collation = s->mariadb ? "utf8mb4_nopad_bin" : byte_wise ? "utf8mb4_0900_bin" : "utf8mb4_bin";
	s->collation_pads = !s->mariadb && !byte_wise;
	return ent_my_value(s->con, s->mariadb ? "SELECT CONCAT('mariadb-', @@server_id)" : "SELECT @@server_uuid", s->identity, sizeof s->identity,
			    what, err);
}

int ent_my_ready(struct ent_source *s, struct ent_err *err)
{
	if (s->busy)
		return ent_fail(err, ENT_EINTERNAL, "a stream of this source is still open");
	if (s->con && (mysql_errno(s->con) >= 2000 || mysql_ping(s->con))) /* lost: a session holds nothing of ours between two calls */
		ent_my_closep(&s->con);
	if (s->con)
		return 0;
	ENT_TRY(ent_my_connect(s, s->writes ? ENT_MY_WRITE : ENT_MY_READ, &s->con, err));
	return s->version ? 0 : server_learn(s, err);
}

void ent_my_drop(struct ent_source *s)
{
	if (s->con)
		mariadb_cancel(s->con);
}
