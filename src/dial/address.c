/* Addresses are typed by people: everything wrong with one is said together with an example of a right one. */
#include "dial/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

int ent_address_wrong(const struct ent_address_form *form, const char *why, struct ent_err *err)
{
	ent_fail(err, ENT_EUSAGE, "this is no %s address", form->store);
	ent_why(err, "%s", why);
	return ent_next(err, "%s", form->example), ENT_EUSAGE;
}

static int parameters_read(const struct ent_address_form *form, void *self, const char *at, struct ent_err *err)
{
	while (*at) {
		char name[64], value[1024];
		size_t n = strcspn(at, "&"), k = strcspn(at, "=&");
		if (k >= n || !ent_percent_decode(ent_bytes(at, k), name, sizeof name) ||
		    !ent_percent_decode(ent_bytes(at + k + 1, n - k - 1), value, sizeof value))
			return ent_address_wrong(form, "its parameters are name=value, joined by &", err);
		if (!form->parameter)
			return ent_address_wrong(form, "it has no parameters", err);
		ENT_TRY(form->parameter(self, name, value, err));
		at += n + (at[n] == '&');
	}
	return 0;
}

/* host, host:port or [v6]:port */
static int host_read(const struct ent_address_form *form, struct ent_address *a, const char *at, size_t len, struct ent_err *err)
{
	bool v6 = len && at[0] == '[';
	const char *close = v6 ? memchr(at, ']', len) : NULL, *colon;
	uint64_t port;
	if (a->n_hosts == ENT_ADDRESS_HOSTS)
		return ent_address_wrong(form, "it names more than 8 hosts", err);
	if (v6 && !close)
		return ent_address_wrong(form, "a [ is not closed", err);
	colon = memchr(v6 ? close : at, ':', len - (size_t)(v6 ? close - at : 0));
	size_t n = v6 ? (size_t)(close - at) - 1 : colon ? (size_t)(colon - at) : len;
	if (!n || !ent_percent_decode(ent_bytes(at + v6, n), a->hosts[a->n_hosts], sizeof a->hosts[0]) ||
	    (v6 && close + 1 != (colon ? colon : at + len)))
		return ent_address_wrong(form, "a host's name is missing or too long", err);
	a->n_hosts++;
	if (!colon)
		return 0;
	if (!ent_parse_u64(colon + 1, len - (size_t)(colon + 1 - at), 65535, &port) || !port)
		return ent_address_wrong(form, "its port is no number from 1 to 65535", err);
	a->port = (uint16_t)port;
	return 0;
}

static int authority_read(const struct ent_address_form *form, struct ent_address *a, const char *at, size_t len, struct ent_err *err)
{
	const char *sign = memrchr(at, '@', len);
	if (sign) {
		size_t n = (size_t)(sign - at);
		const char *colon = memchr(at, ':', n);
		size_t user = colon ? (size_t)(colon - at) : n;
		if (!ent_percent_decode(ent_bytes(at, user), a->user, sizeof a->user) ||
		    (colon && !ent_percent_decode(ent_bytes(colon + 1, n - user - 1), a->password, sizeof a->password)))
			return ent_address_wrong(form, "its user or password cannot be read", err);
		at = sign + 1;
		len -= n + 1;
	}
	for (size_t n; len; at += n, len -= n) {
		const char *comma = memchr(at, ',', len);
		size_t host = comma ? (size_t)(comma - at) : len;
		ENT_TRY(host_read(form, a, at, host, err));
		n = host + (comma != NULL);
	}
	return 0;
}

int ent_address_parse(const char *url, const struct ent_address_form *form, void *self, struct ent_address *ret, struct ent_err *err)
{
	const char *at = strstr(url, "://");
	struct ent_address a = { .port = form->port };
	if (!at)
		return ent_address_wrong(form, "it has no SCHEME:// in front", err);
	at += 3;
	size_t n = strcspn(at, "/?");
	int code = authority_read(form, &a, at, n, err);
	at += n + (at[n] == '/');
	n = strcspn(at, "?");
	if (!code && !ent_percent_decode(ent_bytes(at, n), a.path, sizeof a.path))
		code = ent_address_wrong(form, "what follows its first / cannot be read, or is too long", err);
	if (!code && at[n] == '?')
		code = parameters_read(form, self, at + n + 1, err);
	if (!code)
		*ret = a;
	ent_address_wipe(&a);
	return code;
}

void ent_address_wipe(struct ent_address *a) { explicit_bzero(a->password, sizeof a->password); }

int ent_password_read(const char *path, char ret[ENT_PASSWORD_BYTES], struct ent_err *err)
{
	char text[ENT_PASSWORD_BYTES + 2]; /* the end of a line may follow the longest one */
	int code = 0;
	FILE *f = fopen(path, "re");
	if (!f)
		return ent_fail(err, errno == ENOENT ? ENT_ENOTFOUND : ENT_EIO, "cannot read the password file %.200s", path);
	setvbuf(f, NULL, _IONBF, 0); /* no further copy of it */
	size_t n = fread(text, 1, sizeof text, f);
	bool failed = ferror(f) != 0;
	fclose(f);
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (failed)
		code = ent_fail(err, ENT_EIO, "cannot read the password file %.200s", path);
	else if (!n || n >= ENT_PASSWORD_BYTES || memchr(text, 0, n))
		code = ent_fail(err, ENT_EDATA, "the password file %.200s holds no password", path);
	else
		memcpy(ret, text, n), ret[n] = 0;
	explicit_bzero(text, sizeof text);
	return code;
}
