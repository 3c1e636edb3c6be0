/* mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?tls=verify-full|required|off&ca=FILE&socket=PATH], percent-encoded where needed. */
#include <stdio.h>

#include "my.h"

static int parameter_take(void *self, const char *name, const char *value, struct ent_err *err);
static const struct ent_address_form form = {
	.store = "MySQL",
	.example = "mysql://USER@HOST:PORT/DATABASE#TABLE, ?tls=verify-full, required or off, &ca=FILE, &socket=PATH",
	.port = 3306,
	.parameter = parameter_take
};

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
			a->tls_said = true;
			return 0;
		}
	}
	return ent_address_wrong(&form, "tls is verify-full, required or off", err);
}

static int parameter_take(void *self, const char *name, const char *value, struct ent_err *err)
{
	struct ent_my_address *a = (struct ent_my_address *)self;
	if (!strcmp(name, "tls"))
		return tls_set(a, value, err);
	if (!strcmp(name, "ca") && strlen(value) < sizeof a->ca)
		return memcpy(a->ca, value, strlen(value) + 1), 0;
	if (!strcmp(name, "socket") && strlen(value) < sizeof a->socket)
		return memcpy(a->socket, value, strlen(value) + 1), 0;
	return ent_address_wrong(&form, "it has a parameter that is not known, or too long", err);
}

static int option_take(struct ent_my_address *a, const struct ent_option *o, bool *writes, struct ent_err *err)
{
	if (!strcmp(o->key, "password-file"))
		return ent_password_read(o->value, a->server.password, err);
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
	if (!strcmp(o->key, "cascades") && !strcmp(o->value, "accept"))
		return a->cascades = true, 0;
	return ent_fail(err, ENT_EUSAGE, "MySQL has no option --%.60s %.40s; it has --password-file, --ca-file, --src-option cascades=accept", o->key,
			o->value);
}

int ent_my_address_parse(const char *url, const struct ent_option *options, size_t n_options, struct ent_my_address *ret, bool *ret_writes,
			 struct ent_err *err)
{
	*ret = (struct ent_my_address){ .tls = ENT_MY_TLS_VERIFY };
	*ret_writes = false;
	if (strncmp(url, "mysql:", 6) != 0 && strncmp(url, "mariadb:", 8) != 0)
		return ent_address_wrong(&form, "it does not begin with mysql:// or mariadb://", err);
	ENT_TRY(ent_address_parse(url, &form, ret, &ret->server, err));
	if (ret->server.n_hosts > 1 || strlen(ret->server.path) >= sizeof ret->database)
		return ent_address_wrong(&form, "it names several hosts, or a database with too long a name", err);
	snprintf(ret->host, sizeof ret->host, "%s", ret->server.n_hosts ? ret->server.hosts[0] : "localhost");
	memcpy(ret->database, ret->server.path, strlen(ret->server.path) + 1);
	for (size_t i = 0; i < n_options; i++)
		ENT_TRY(option_take(ret, &options[i], ret_writes, err));
	if (!ret->tls_said && !ret->ca[0] && loopback(ret))
		ret->tls = ENT_MY_TLS_OFF;
#ifdef ENT_MUTANT_MYSQL_TLS
	if (!ret->tls_said)
		ret->tls = ENT_MY_TLS_REQUIRED;
#endif
	return 0;
}
