#include <stdio.h>

#include "gluster.h"

static int bad_url(const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "this is no GlusterFS address");
	ent_why(err, "%s", why);
	return ent_next(err, "gluster://SERVER:24007/VOLUME/FOLDER/FILE.parquet?tls=off"), ENT_EUSAGE;
}

static bool name_ok(struct ent_bytes name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	for (size_t i = 0; i < name.len; i++)
		if (!name.data[i] || !strchr(letters, name.data[i]))
			return false;
	return name.len > 0 && name.len < 256;
}

static int server_read(struct ent_bytes text, struct ent_gluster_address *a, struct ent_err *err)
{
	const uint8_t *colon = text.len ? memchr(text.data, ':', text.len) : NULL;
	size_t n = colon ? (size_t)(colon - text.data) : text.len;
	uint64_t port = 24007;
	if (!name_ok(ent_bytes(text.data, n)))
		return bad_url("its server's name is missing or cannot be one; there is no user in it", err);
	if (colon && (!ent_parse_u64((const char *)colon + 1, text.len - n - 1, 65535, &port) || !port))
		return bad_url("its port is no number from 1 to 65535", err);
	snprintf(a->host, sizeof a->host, "%.*s", (int)n, (const char *)text.data);
	a->port = (int)port;
	return 0;
}

int ent_gluster_address_read(const char *url, struct ent_gluster_address *ret, struct ent_err *err)
{
	static const char scheme[] = "gluster://";
	struct ent_gluster_address a = { .port = 0 };
	if (strncmp(url, scheme, sizeof scheme - 1) != 0)
		return bad_url("it does not begin with gluster://", err);
	const char *server = url + sizeof scheme - 1, *query = strchr(server, '?'), *end = query ? query : server + strlen(server);
	const char *volume = memchr(server, '/', (size_t)(end - server));
	const char *path = volume ? memchr(volume + 1, '/', (size_t)(end - volume - 1)) : NULL;
	if (!path || !name_ok(ent_bytes(volume + 1, (size_t)(path - volume - 1))))
		return bad_url("it needs a volume, and a file in it", err);
	ENT_TRY(server_read(ent_bytes(server, (size_t)(volume - server)), &a, err));
	if (!query || strcmp(query, "?tls=off") != 0)
		return bad_url("encryption is set up per machine and volume, and cannot be verified here: say so with ?tls=off", err);
	snprintf(a.volume, sizeof a.volume, "%.*s", (int)(path - volume - 1), volume + 1);
	if (!ent_percent_decode(ent_bytes(path, (size_t)(end - path)), a.path, sizeof a.path))
		return bad_url("its path cannot be read, or is too long", err);
	*ret = a;
	return 0;
}
