/* cassandra://user@host[,host...][:port]/keyspace?tls=verify-full|verify-ca|off&consistency=LOCAL_QUORUM and the options beside it. */
#include <errno.h>
#include <stdio.h>

#include "cass.h"

static int bad_url(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "this is no Cassandra address");
	ent_why(err, "%s", why);
	ent_next(err, "cassandra://USER@HOST:9042/KEYSPACE#TABLE, with ?tls=off for a server without TLS");
	return ENT_EUSAGE;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

/* %XX and plain letters into out; false when it does not fit, or holds a NUL. */
static bool unescape(const char *s, size_t len, char *out, size_t out_size)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)s[i];
		if (c == '%') {
			int high = i + 2 < len ? hex_digit(s[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(s[i + 2]);
			if (low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (!c || n + 1 >= out_size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = 0;
	return true;
}

static int setting_take(struct ent_cass_settings *s, const char *key, const char *value, struct ent_err *err)
{
	if (!strcmp(key, "tls")) {
		s->tls = strcmp(value, "off") != 0;
		s->named = !strcmp(value, "verify-full");
		return !s->tls || s->named || !strcmp(value, "verify-ca") ? 0 : bad_url("tls is verify-full, verify-ca or off", err);
	}
	if (!strcmp(key, "consistency"))
		return ent_cql_consistency_by_name(value, &s->consistency) && s->consistency != ENT_CQL_SERIAL &&
				       s->consistency != ENT_CQL_LOCAL_SERIAL
			       ? 0
			       : bad_url("consistency is LOCAL_QUORUM, QUORUM, ONE, LOCAL_ONE, ALL, ...", err);
	ent_fail(err, ENT_EUSAGE, "a Cassandra address has no parameter %.60s", key);
	return ent_next(err, "it has tls and consistency"), ENT_EUSAGE;
}

static int query_read(struct ent_cass_settings *s, const char *at, struct ent_err *err)
{
	while (*at) {
		char key[32], value[64];
		size_t n = strcspn(at, "&"), k = strcspn(at, "=&");
		if (k >= n || !unescape(at, k, key, sizeof key) || !unescape(at + k + 1, n - k - 1, value, sizeof value))
			return bad_url("its parameters are name=value, joined by &", err);
		ENT_TRY(setting_take(s, key, value, err));
		at += n + (at[n] == '&');
	}
	return 0;
}

/* host, host:port or [v6]:port; the port counts for all hosts. */
static int host_read(struct ent_cass_settings *s, const char *at, size_t len, struct ent_err *err)
{
	bool v6 = len && at[0] == '[';
	const char *close = v6 ? memchr(at, ']', len) : NULL, *colon;
	if (s->n_hosts == ENT_CASS_HOSTS)
		return bad_url("it names more than 8 hosts", err);
	if (v6 && !close)
		return bad_url("a [ is not closed", err);
	colon = memchr(v6 ? close : at, ':', len - (size_t)(v6 ? close - at : 0));
	size_t n = v6 ? (size_t)(close - at) - 1 : colon ? (size_t)(colon - at) : len;
	if (!n || !unescape(at + v6, n, s->hosts[s->n_hosts], sizeof s->hosts[0]))
		return bad_url("a host's name is missing or too long", err);
	s->n_hosts++;
	if (!colon)
		return 0;
	uint64_t port;
	size_t digits = len - (size_t)(colon + 1 - at);
	if (!ent_parse_u64(colon + 1, digits, 65535, &port) || !port)
		return bad_url("its port is no number from 1 to 65535", err);
	snprintf(s->port, sizeof s->port, "%u", (unsigned)port & 0xffff);
	return 0;
}

static int authority_read(struct ent_cass_settings *s, const char *at, size_t len, struct ent_err *err)
{
	const char *sign = memrchr(at, '@', len);
	if (sign) {
		size_t n = (size_t)(sign - at);
		const char *colon = memchr(at, ':', n);
		size_t user = colon ? (size_t)(colon - at) : n;
		if (!unescape(at, user, s->user, sizeof s->user) || (colon && !unescape(colon + 1, n - user - 1, s->password, sizeof s->password)))
			return bad_url("its user or password cannot be read", err);
		at = sign + 1;
		len -= n + 1;
	}
	for (size_t n; len || !s->n_hosts; at += n, len -= n) {
		const char *comma = memchr(at, ',', len);
		size_t host = comma ? (size_t)(comma - at) : len;
		ENT_TRY(host_read(s, at, host, err));
		n = host + (comma != NULL);
	}
	return 0;
}

static int password_read(struct ent_cass_settings *s, const char *path, struct ent_err *err)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return ent_fail(err, errno == ENOENT ? ENT_ENOTFOUND : ENT_EIO, "cannot read the password file %.200s", path);
	size_t n = fread(s->password, 1, sizeof s->password - 1, f);
	fclose(f);
	while (n && (s->password[n - 1] == '\n' || s->password[n - 1] == '\r'))
		n--;
	s->password[n] = 0;
	if (!n || strlen(s->password) != n)
		return ent_fail(err, ENT_EDATA, "the password file %.200s holds no password", path);
	return 0;
}

static int option_take(struct ent_cass_settings *s, const struct ent_option *o, struct ent_err *err)
{
	const struct {
		const char *key;
		char *to;
		size_t size;
	} texts[] = { { "ca-file", s->ca_file, sizeof s->ca_file },
		      { "keyspace-options", s->replication, sizeof s->replication },
		      { "schema", s->schema_file, sizeof s->schema_file } };
	if (!strcmp(o->key, "password-file"))
		return password_read(s, o->value, err);
	if (!strcmp(o->key, "access")) {
		s->write = !strcmp(o->value, "write");
		return 0;
	}
	for (size_t i = 0; i < ENT_COUNT(texts); i++) {
		if (strcmp(o->key, texts[i].key) != 0)
			continue;
		if ((size_t)snprintf(texts[i].to, texts[i].size, "%s", o->value) >= texts[i].size)
			return ent_fail(err, ENT_EUSAGE, "option --%s is too long", o->key);
		return 0;
	}
	ent_fail(err, ENT_EUSAGE, "Cassandra has no option --%.60s", o->key);
	return ent_next(err, "it has --password-file, --ca-file, --keyspace-options and --schema"), ENT_EUSAGE;
}

int ent_cass_settings_make(const char *url, const struct ent_option *options, size_t n_options, struct ent_cass_settings *ret, struct ent_err *err)
{
	const char *at = strstr(url, "://");
	struct ent_cass_settings s = { .port = "9042", .tls = true, .named = true, .consistency = ENT_CQL_LOCAL_QUORUM };
	int code = 0;
	if (!at)
		return bad_url("it does not begin with cassandra://", err);
	at += 3;
	size_t n = strcspn(at, "/?");
	code = authority_read(&s, at, n, err);
	at += n + (at[n] == '/');
	n = strcspn(at, "?");
	if (!code && !unescape(at, n, s.keyspace, sizeof s.keyspace))
		code = bad_url("its keyspace has more than 63 letters", err);
	if (!code && at[n] == '?')
		code = query_read(&s, at + n + 1, err);
	for (size_t i = 0; i < n_options && !code; i++)
		code = option_take(&s, &options[i], err);
	if (!code)
		*ret = s;
	ent_cass_settings_wipe(&s);
	return code;
}

void ent_cass_settings_wipe(struct ent_cass_settings *s) { explicit_bzero(s->password, sizeof s->password); }
