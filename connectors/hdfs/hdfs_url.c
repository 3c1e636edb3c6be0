/* hdfs://[USER@]HOST[,HOST...][:PORT]/PATH[?tls=verify-full|verify-ca|off] and the options beside it. */
#include <errno.h>
#include <stdio.h>

#include "hdfs.h"

static int bad_url(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "this is no HDFS address");
	ent_why(err, "%s", why);
	ent_next(err, "hdfs://USER@NAMENODE:9871/FOLDER/FILE.parquet (the port of WebHDFS), with ?tls=off and port 9870 for a server without TLS");
	return ENT_EUSAGE;
}

static int query_read(struct ent_hdfs_settings *s, const char *at, struct ent_err *err)
{
	if (!strcmp(at, "tls=off")) {
		s->tls = false;
		return 0;
	}
	s->named = !strcmp(at, "tls=verify-full");
	return s->named || !strcmp(at, "tls=verify-ca") ? 0 : bad_url("it has one parameter, tls, which is verify-full, verify-ca or off", err);
}

/* Letters of host names and IP addresses: what stands here becomes a part of URLs. */
static bool host_ok(struct ent_bytes h)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	bool v6 = h.len > 2 && h.data[0] == '[' && h.data[h.len - 1] == ']';
	for (size_t i = v6 ? 1 : 0; i < h.len - (v6 ? 1 : 0); i++)
		if (v6 ? !h.data[i] || !strchr("0123456789abcdefABCDEF:.", h.data[i]) : !h.data[i] || !strchr(letters, h.data[i]))
			return false;
	return h.len > 0;
}

static int hosts_read(struct ent_hdfs_settings *s, struct ent_bytes text, struct ent_err *err)
{
	while (text.len || !s->n_hosts) {
		const uint8_t *comma = text.len ? memchr(text.data, ',', text.len) : NULL;
		size_t n = comma ? (size_t)(comma - text.data) : text.len;
		if (s->n_hosts == ENT_HDFS_HOSTS || n >= sizeof s->hosts[0] || !host_ok(ent_bytes(text.data, n)))
			return bad_url("a host's name is missing or cannot be one, or there are more than 8", err);
		snprintf(s->hosts[s->n_hosts++], sizeof s->hosts[0], "%.*s", (int)n, (const char *)text.data);
		text = ent_bytes(text.data + n + (comma != NULL), text.len - n - (comma != NULL));
	}
	return 0;
}

static int authority_read(struct ent_hdfs_settings *s, struct ent_bytes text, struct ent_err *err)
{
	const uint8_t *sign = memrchr(text.data, '@', text.len);
	uint64_t port;
	if (sign) {
		struct ent_bytes user = ent_bytes(text.data, (size_t)(sign - text.data));
		if (memchr(user.data, ':', user.len))
			return bad_url("WebHDFS knows no passwords; a delegation token comes with --password-file", err);
		if (!user.len || !ent_percent_decode(user, s->user, sizeof s->user))
			return bad_url("its user cannot be read", err);
		text = ent_bytes(sign + 1, text.len - user.len - 1);
	}
	const uint8_t *close = memrchr(text.data, ']', text.len), *colon = memrchr(text.data, ':', text.len);
	if (colon && (!close || colon > close)) {
		size_t digits = text.len - (size_t)(colon + 1 - text.data);
		if (!ent_parse_u64((const char *)colon + 1, digits, 65535, &port) || !port)
			return bad_url("its port is no number from 1 to 65535", err);
		snprintf(s->port, sizeof s->port, "%u", (unsigned)port & 0xffff);
		text.len -= digits + 1;
	}
	return hosts_read(s, text, err);
}

static int token_read(struct ent_hdfs_settings *s, const char *path, struct ent_err *err)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return ent_fail(err, errno == ENOENT ? ENT_ENOTFOUND : ENT_EIO, "cannot read the file of the token %.200s", path);
	size_t n = fread(s->token, 1, sizeof s->token - 1, f);
	fclose(f);
	while (n && (s->token[n - 1] == '\n' || s->token[n - 1] == '\r'))
		n--;
	s->token[n] = 0;
	if (!n || strspn(s->token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/") != n)
		return ent_fail(err, ENT_EDATA, "%.200s holds no delegation token", path);
	return 0;
}

static int option_take(struct ent_hdfs_settings *s, const struct ent_option *o, bool *taken, struct ent_err *err)
{
	*taken = true;
	if (!strcmp(o->key, "password-file"))
		return token_read(s, o->value, err);
	if (!strcmp(o->key, "ca-file"))
		return snprintf(s->ca_file, sizeof s->ca_file, "%s", o->value) < (int)sizeof s->ca_file
			       ? 0
			       : ent_fail(err, ENT_EUSAGE, "option --ca-file is too long");
	*taken = false;
	return 0;
}

static int settings_read(struct ent_hdfs_settings *s, const char *url, struct ent_err *err)
{
	if (strncmp(url, "hdfs://", 7) != 0)
		return bad_url("it does not begin with hdfs://", err);
	const char *at = url + 7, *path = strchr(at, '/'), *query = strchr(at, '?');
	if (!path || (query && query < path))
		return bad_url("it names no file", err);
	size_t n = query ? (size_t)(query - path) : strlen(path);
	if (query)
		ENT_TRY(query_read(s, query + 1, err));
	snprintf(s->port, sizeof s->port, s->tls ? "9871" : "9870");
	ENT_TRY(authority_read(s, ent_bytes(at, (size_t)(path - at)), err));
	if (!ent_percent_decode(ent_bytes(path, n), s->path, sizeof s->path))
		return bad_url("its path cannot be read, or is too long", err);
	return 0;
}

int ent_hdfs_settings_make(const char *url, const struct ent_option *options, size_t n_options, bool *taken, struct ent_hdfs_settings *ret,
			   struct ent_err *err)
{
	struct ent_hdfs_settings s = { .tls = true, .named = true };
	int code = settings_read(&s, url, err);
	for (size_t i = 0; i < n_options && !code; i++)
		code = option_take(&s, &options[i], &taken[i], err);
	if (!code && s.token[0] && !s.tls)
		code = ent_fail(err, ENT_EUSAGE, "a delegation token would travel in clear"), ent_next(err, "leave out tls=off");
	if (!code)
		*ret = s;
	explicit_bzero(s.token, sizeof s.token);
	return code;
}
