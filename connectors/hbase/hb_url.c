/* hbase://host[,host...][:port]/namespace?tls=verify-full|verify-ca|off&lag=SECONDS and the options beside it. */
#include <stdio.h>

#include "hb.h"

#define LAG_MS 10000

static int setting_take(void *self, const char *key, const char *value, struct ent_err *err);
static const struct ent_address_form form = { .store = "HBase",
					      .example = "hbase://HOST:9090/NAMESPACE#TABLE, with ?tls=off for a Thrift2 server without TLS",
					      .port = 9090,
					      .parameter = setting_take };

static int setting_take(void *self, const char *key, const char *value, struct ent_err *err)
{
	struct ent_hb_settings *s = (struct ent_hb_settings *)self;
	uint64_t seconds;
	if (!strcmp(key, "tls")) {
		s->tls = strcmp(value, "off") != 0;
		s->named = !strcmp(value, "verify-full");
		return !s->tls || s->named || !strcmp(value, "verify-ca") ? 0 : ent_address_wrong(&form, "tls is verify-full, verify-ca or off", err);
	}
	if (!strcmp(key, "lag")) {
		if (!ent_parse_u64(value, strlen(value), 86400, &seconds) || !seconds)
			return ent_address_wrong(&form, "lag is a number of seconds from 1 to 86400", err);
		s->lag_ms = (uint32_t)seconds * 1000;
		return 0;
	}
	ent_fail(err, ENT_EUSAGE, "an HBase address has no parameter %.60s", key);
	return ent_next(err, "it has tls and lag"), ENT_EUSAGE;
}

static int option_take(struct ent_hb_settings *s, const struct ent_option *o, struct ent_err *err)
{
	bool ca = !strcmp(o->key, "ca-file"), schema = !strcmp(o->key, "schema");
	char *to = ca ? s->ca_file : s->schema_file;
	if (!strcmp(o->key, "access")) {
		s->write = !strcmp(o->value, "write");
		return 0;
	}
	if (!ca && !schema) {
		ent_fail(err, ENT_EUSAGE, "HBase has no option --%.60s", o->key);
		return ent_next(err, "it has --ca-file and --schema; its Thrift2 server knows no passwords"), ENT_EUSAGE;
	}
	if ((size_t)snprintf(to, sizeof s->ca_file, "%s", o->value) >= sizeof s->ca_file)
		return ent_fail(err, ENT_EUSAGE, "option --%s is too long", o->key);
	return 0;
}

int ent_hb_settings_make(const char *url, const struct ent_option *options, size_t n_options, struct ent_hb_settings *ret, struct ent_err *err)
{
	struct ent_hb_settings s = { .tls = true, .named = true, .lag_ms = LAG_MS };
	int code = ent_address_parse(url, &form, &s, &s.at, err);
	if (!code && !s.at.n_hosts)
		code = ent_address_wrong(&form, "it names no host", err);
	if (!code && (s.at.user[0] || s.at.password[0]))
		code = ent_address_wrong(&form, "HBase's Thrift2 server knows no users: leave out what stands before @", err);
	if (!code && strlen(s.at.path) >= sizeof s.ns)
		code = ent_address_wrong(&form, "its namespace has more than 63 letters", err);
	if (!code)
		snprintf(s.ns, sizeof s.ns, "%.63s", s.at.path[0] ? s.at.path : "default");
	for (size_t i = 0; i < n_options && !code; i++)
		code = option_take(&s, &options[i], err);
	if (!code)
		*ret = s;
	ent_address_wipe(&s.at);
	return code;
}
