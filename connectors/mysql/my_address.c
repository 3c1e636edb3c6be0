/* mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?tls=verify-full|required|off&ca=FILE&socket=PATH], percent-encoded where needed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "my.h"

static int hex_value(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

static int address_wrong(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "this is no MySQL address");
	ent_why(err, "%s", why);
	return ent_next(err, "mysql://USER@HOST:PORT/DATABASE#TABLE, ?tls=verify-full, required or off, &ca=FILE, &socket=PATH"), ENT_EUSAGE;
}

/* Decodes the percent signs of from[0..len) into out. */
static int part_take(const char *from, size_t len, char *out, size_t size, struct ent_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)from[i];
		if (c == '%') {
			int high = i + 2 < len ? hex_value(from[i + 1]) : -1, low = i + 2 < len ? hex_value(from[i + 2]) : -1;
			if (high < 0 || low < 0)
				return address_wrong("a % that no two hexadecimal digits follow", err);
			c = high << 4 | low;
			i += 2;
		}
		if (!c || n + 1 >= size)
			return address_wrong("one of its parts is too long", err);
		out[n++] = (char)c;
	}
	out[n] = 0;
	return 0;
}

static bool loopback(const struct ent_my_address *a)
{
	return a->socket[0] || !strcmp(a->host, "localhost") || !strncmp(a->host, "127.", 4) || !strcmp(a->host, "::1");
}

static int tls_set(struct ent_my_address *a, const char *text, struct ent_err *err)
{
	static const char *const words[] = { "off", "required", "verify-full" };
	for (size_t i = 0; i < ENT_COUNT(words); i++) {
		if (!strcmp(words[i], text)) {
			a->tls = (enum ent_my_tls)i;
			return 0;
		}
	}
	return address_wrong("tls is verify-full, required or off", err);
}

static int parameters_parse(struct ent_my_address *a, const char *at, bool *ret_tls, struct ent_err *err)
{
	while (*at) {
		size_t len = strcspn(at, "&");
		const char *equals = memchr(at, '=', len);
		char value[600];
		if (!equals)
			return address_wrong("its parameters have the form name=value", err);
		size_t n = (size_t)(equals - at);
		ENT_TRY(part_take(equals + 1, len - n - 1, value, sizeof value, err));
		if (n == 3 && !memcmp(at, "tls", 3)) {
			ENT_TRY(tls_set(a, value, err));
			*ret_tls = true;
		} else if (n == 2 && !memcmp(at, "ca", 2)) {
			snprintf(a->ca, sizeof a->ca, "%s", value);
		} else if (n == 6 && !memcmp(at, "socket", 6) && strlen(value) < sizeof a->socket) {
			memcpy(a->socket, value, strlen(value) + 1);
		} else {
			return address_wrong("it has a parameter that is not known", err);
		}
		at += len + (at[len] == '&');
	}
	return 0;
}

/* [user[:password]@]host[:port] */
static int server_parse(struct ent_my_address *a, const char *at, size_t len, struct ent_err *err)
{
	const char *sign = memrchr(at, '@', len);
	size_t n = sign ? (size_t)(sign - at) : 0, name = sign ? strcspn(at, ":@") : 0;
	uint64_t port = 3306;
	ENT_TRY(part_take(at, name, a->user, sizeof a->user, err));
	if (name < n)
		ENT_TRY(part_take(at + name + 1, n - name - 1, a->password, sizeof a->password, err));
	at += sign ? n + 1 : 0;
	len -= sign ? n + 1 : 0;
	const char *bracket = len && at[0] == '[' ? memchr(at, ']', len) : NULL;
	size_t host = bracket ? (size_t)(bracket - at) + 1 : strcspn(at, ":/?");
	host = host < len ? host : len;
	ENT_TRY(part_take(at + (bracket ? 1 : 0), host - (bracket ? 2 : 0), a->host, sizeof a->host, err));
	if (host < len && (at[host] != ':' || !ent_parse_u64(at + host + 1, len - host - 1, 65535, &port)))
		return address_wrong("its port is no number from 1 to 65535", err);
	a->port = (unsigned)port;
	if (!a->host[0])
		memcpy(a->host, "localhost", 10);
	return 0;
}

static int password_read(struct ent_my_address *a, const char *path, struct ent_err *err)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return ent_fail(err, errno == ENOENT ? ENT_ENOTFOUND : ENT_EIO, "cannot read the password file %.200s", path);
	size_t n = fread(a->password, 1, sizeof a->password - 1, f);
	fclose(f);
	while (n && (a->password[n - 1] == '\n' || a->password[n - 1] == '\r'))
		n--;
	a->password[n] = 0;
	return n && !memchr(a->password, 0, n) ? 0 : ent_fail(err, ENT_EDATA, "the password file %.200s holds no password", path);
}

static int option_take(struct ent_my_address *a, const struct ent_option *o, bool *writes, struct ent_err *err)
{
	if (!strcmp(o->key, "password-file"))
		return password_read(a, o->value, err);
	if (!strcmp(o->key, "ca-file")) {
		if (strlen(o->value) >= sizeof a->ca)
			return ent_fail(err, ENT_EUSAGE, "the path of --ca-file is too long");
		memcpy(a->ca, o->value, strlen(o->value) + 1);
		return 0;
	}
	if (!strcmp(o->key, "access") && (!strcmp(o->value, "write") || !strcmp(o->value, "read"))) {
		*writes = o->value[0] == 'w';
		return 0;
	}
	return ent_fail(err, ENT_EUSAGE, "MySQL has no option --%.60s %.40s; it has --password-file, --ca-file", o->key, o->value);
}

int ent_my_address_parse(const char *url, const struct ent_option *options, size_t n_options, struct ent_my_address *ret, bool *ret_writes,
			 struct ent_err *err)
{
	const char *at = strstr(url, "://");
	bool tls = false;
	*ret = (struct ent_my_address){ .tls = ENT_MY_TLS_VERIFY };
	*ret_writes = false;
	if (!at || (strncmp(url, "mysql:", 6) != 0 && strncmp(url, "mariadb:", 8) != 0))
		return address_wrong("it does not begin with mysql:// or mariadb://", err);
	at += 3;
	size_t server = strcspn(at, "/?");
	ENT_TRY(server_parse(ret, at, server, err));
	at += server;
	size_t path = strcspn(at, "?");
	if (path > 1)
		ENT_TRY(part_take(at + 1, path - 1, ret->database, sizeof ret->database, err));
	ENT_TRY(parameters_parse(ret, at[path] ? at + path + 1 : "", &tls, err));
	for (size_t i = 0; i < n_options; i++)
		ENT_TRY(option_take(ret, &options[i], ret_writes, err));
	if (!tls && !ret->ca[0] && loopback(ret))
		ret->tls = ENT_MY_TLS_OFF;
#ifdef ENT_MUTANT_MYSQL_TLS
	if (!tls)
		ret->tls = ENT_MY_TLS_REQUIRED;
#endif
	return 0;
}
