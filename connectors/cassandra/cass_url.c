/* cassandra://user@host[,host...][:port]/keyspace?tls=verify-full|verify-ca|off&consistency=LOCAL_QUORUM&poll=5&overlap=10 and the options
 * beside it. */
#include <stdio.h>

#include "cass.h"

static int setting_take(void *self, const char *key, const char *value, struct ent_err *err);
static const struct ent_address_form form = { .store = "Cassandra",
					      .example = "cassandra://USER@HOST:9042/KEYSPACE#TABLE, with ?tls=off for a server without TLS",
					      .port = 9042,
					      .parameter = setting_take };

static int seconds_read(const char *key, const char *value, uint32_t *ret_ms, struct ent_err *err)
{
	uint64_t n;
	if (!ent_parse_u64(value, strlen(value), 86400, &n) || !n)
		return ent_fail(err, ENT_EUSAGE, "%s in a Cassandra address is a number of seconds from 1 to 86400", key);
	*ret_ms = (uint32_t)n * 1000;
	return 0;
}

static int setting_take(void *self, const char *key, const char *value, struct ent_err *err)
{
	struct ent_cass_settings *s = (struct ent_cass_settings *)self;
	if (!strcmp(key, "tls")) {
		s->tls = strcmp(value, "off") != 0;
		s->named = !strcmp(value, "verify-full");
		return !s->tls || s->named || !strcmp(value, "verify-ca") ? 0 : ent_address_wrong(&form, "tls is verify-full, verify-ca or off", err);
	}
	if (!strcmp(key, "consistency"))
		return ent_cql_consistency_by_name(value, &s->consistency) && s->consistency != ENT_CQL_SERIAL &&
				       s->consistency != ENT_CQL_LOCAL_SERIAL
			       ? 0
			       : ent_address_wrong(&form, "consistency is LOCAL_QUORUM, QUORUM, ONE, LOCAL_ONE, ALL, ...", err);
	if (!strcmp(key, "compression")) {
		s->lz4 = !strcmp(value, "lz4");
		return s->lz4 || !strcmp(value, "none") ? 0 : ent_address_wrong(&form, "compression is lz4 or none", err);
	}
	if (!strcmp(key, "poll"))
		return seconds_read(key, value, &s->pause_ms, err);
	if (!strcmp(key, "overlap"))
		return seconds_read(key, value, &s->overlap_ms, err);
	ent_fail(err, ENT_EUSAGE, "a Cassandra address has no parameter %.60s", key);
	return ent_next(err, "it has tls, consistency, compression, poll and overlap"), ENT_EUSAGE;
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
		return ent_password_read(o->value, s->at.password, err);
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
	struct ent_cass_settings s = { .tls = true, .named = true, .consistency = ENT_CQL_LOCAL_QUORUM, .pause_ms = 5000, .overlap_ms = 10000 };
	int code = ent_address_parse(url, &form, &s, &s.at, err);
	if (!code && !s.at.n_hosts)
		code = ent_address_wrong(&form, "it names no host", err);
	if (!code && strlen(s.at.path) >= sizeof s.keyspace)
		code = ent_address_wrong(&form, "its keyspace has more than 63 letters", err);
	if (!code)
		memcpy(s.keyspace, s.at.path, strlen(s.at.path) + 1);
	for (size_t i = 0; i < n_options && !code; i++)
		code = option_take(&s, &options[i], err);
	if (!code)
		*ret = s;
	ent_cass_settings_wipe(&s);
	return code;
}

void ent_cass_settings_wipe(struct ent_cass_settings *s) { ent_address_wipe(&s->at); }
