#include "node/conf.h"

#include "ledger/entry.h"

enum conf_check { CHECK_org, CHECK_address, CHECK_flag, CHECK_count, CHECK_level };

static const struct conf_row {
	const char *key, *value;
	enum conf_check check;
	const char *help;
} rows[] = {
#define CONF_ROW(key, value, check, help) { #key, value, CHECK_##check, help },
	ENT_CONF_MAP(CONF_ROW)
#undef CONF_ROW
};

bool ent_address_split(const char *address, char ret_host[256], uint16_t *ret_port)
{
	const char *host = address, *end, *port = NULL;
	uint64_t n = 0;
	if (*address == '[') {
		host = address + 1;
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		port = end[1] ? end + 2 : NULL;
	} else {
		end = strrchr(address, ':');
		port = end ? end + 1 : NULL;
		end = end ? end : address + strlen(address);
		if (memchr(address, ':', (size_t)(end - address)))
			return false;
	}
	if (end == host || end - host > 255 || strpbrk(address, " \t\"'/\\"))
		return false;
	if (port && !ent_parse_u64(port, strlen(port), 65535, &n))
		return false;
	memcpy(ret_host, host, (size_t)(end - host));
	ret_host[end - host] = 0;
	*ret_port = (uint16_t)n;
	return true;
}

bool ent_address_wildcard(const char *host) { return !strcmp(host, "0.0.0.0") || !strcmp(host, "::") || !strcmp(host, "*"); }

void ent_conf_defaults(struct ent_conf *conf)
{
	for (int i = 0; i < ENT_CONF_COUNT; i++)
		snprintf(conf->value[i], sizeof conf->value[i], "%s", rows[i].value);
}

static bool value_valid(enum conf_check check, const char *v)
{
	char host[256];
	uint16_t port;
	uint64_t n;
	switch (check) {
	case CHECK_org:
		return ent_org_valid(v);
	case CHECK_address:
		return !*v || ent_address_split(v, host, &port);
	case CHECK_flag:
		return !strcmp(v, "yes") || !strcmp(v, "no");
	case CHECK_count:
		return ent_parse_u64(v, strlen(v), 1u << 30, &n);
	case CHECK_level:
		return !strcmp(v, "debug") || !strcmp(v, "info") || !strcmp(v, "warn") || !strcmp(v, "error");
	}
	return false;
}

/* How far two words are apart: letters that differ from the front, plus the difference in length. */
static size_t distance(const char *a, const char *b)
{
	size_t i = 0, la = strlen(a), lb = strlen(b);
	while (a[i] && a[i] == b[i])
		i++;
	return la + lb - 2 * i;
}

static int unknown_key(const char *key, struct ent_err *err)
{
	size_t best = 0;
	for (size_t i = 1; i < ENT_COUNT(rows); i++)
		if (distance(key, rows[i].key) < distance(key, rows[best].key))
			best = i;
	ent_fail(err, ENT_ECONFIG, "unknown setting \"%.60s\"", key);
	return ent_next(err, "nearest: %s; `entente config` lists all", rows[best].key), ENT_ECONFIG;
}

int ent_conf_set(struct ent_conf *conf, const char *key, struct ent_bytes value, struct ent_err *err)
{
	char text[300];
	if (value.len >= sizeof text || memchr(value.data, 0, value.len))
		return ent_fail(err, ENT_ECONFIG, "setting %.60s: the value is too long", key);
	memcpy(text, value.data, value.len);
	text[value.len] = 0;
	for (size_t i = 0; i < ENT_COUNT(rows); i++) {
		if (strcmp(key, rows[i].key) != 0)
			continue;
		if (!value_valid(rows[i].check, text)) {
			ent_fail(err, ENT_ECONFIG, "setting %s: \"%.100s\" is not understood", key, text);
			return ent_why(err, "%s", rows[i].help), ENT_ECONFIG;
		}
		memcpy(conf->value[i], text, value.len + 1);
		return 0;
	}
	return unknown_key(key, err);
}

static struct ent_bytes trim(struct ent_bytes b)
{
	while (b.len && strchr(" \t\r", *b.data)) {
		b.data++;
		b.len--;
	}
	while (b.len && strchr(" \t\r", b.data[b.len - 1]))
		b.len--;
	return b;
}

static int parse_line(struct ent_bytes line, unsigned number, struct ent_conf *conf, struct ent_err *err)
{
	char key[64];
	line = trim(line);
	if (!line.len || *line.data == '#')
		return 0;
	const uint8_t *eq = memchr(line.data, '=', line.len);
	struct ent_bytes name = trim(ent_bytes(line.data, eq ? (size_t)(eq - line.data) : line.len));
	if (!eq || !name.len || name.len >= sizeof key)
		return ent_fail(err, ENT_ECONFIG, "%s line %u is not `key = value`", ENT_CONF_PATH, number);
	memcpy(key, name.data, name.len);
	key[name.len] = 0;
	int r = ent_conf_set(conf, key, trim(ent_bytes(eq + 1, (size_t)(line.data + line.len - eq - 1))), err);
	return r && err && !err->why[0] ? ent_why(err, "%s line %u", ENT_CONF_PATH, number), r : r;
}

int ent_conf_parse(struct ent_bytes text, struct ent_conf *ret, struct ent_err *err)
{
	struct ent_conf conf;
	unsigned number = 0;
	ent_conf_defaults(&conf);
	while (text.len) {
		const uint8_t *nl = memchr(text.data, '\n', text.len);
		size_t n = nl ? (size_t)(nl - text.data) : text.len;
		ENT_TRY(parse_line(ent_bytes(text.data, n), ++number, &conf, err));
		text = ent_bytes(text.data + n + (nl != NULL), text.len - n - (nl != NULL));
	}
	if (!conf.value[ENT_CONF_org][0])
		return ent_fail(err, ENT_ECONFIG, "%s does not name the organisation (org = ...)", ENT_CONF_PATH);
	*ret = conf;
	return 0;
}

void ent_conf_print(const struct ent_conf *conf, struct ent_buf *out)
{
	ent_buf_str(out, "# Settings of this node. Lines are `key = value`; a setting that is commented out has the value shown.\n");
	for (size_t i = 0; i < ENT_COUNT(rows); i++)
		ent_buf_printf(out, "\n# %s\n%s%s = %s\n", rows[i].help, strcmp(conf->value[i], rows[i].value) != 0 ? "" : "#", rows[i].key,
			       conf->value[i]);
}

int64_t ent_conf_int(const struct ent_conf *conf, enum ent_conf_key key)
{
	uint64_t n = 0;
	(void)ent_parse_u64(conf->value[key], strlen(conf->value[key]), 1u << 30, &n);
	return (int64_t)n;
}

bool ent_conf_yes(const struct ent_conf *conf, enum ent_conf_key key) { return !strcmp(conf->value[key], "yes"); }

int ent_conf_json(const struct ent_conf *conf, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO list = json_array();
	for (size_t i = 0; i < ENT_COUNT(rows); i++) {
		json_t *row =
			json_pack("{s:s,s:s,s:s,s:s}", "key", rows[i].key, "value", conf->value[i], "default", rows[i].value, "help", rows[i].help);
		if (json_array_append_new(list, row))
			return ent_nomem(err);
	}
	*ret = json_incref(list);
	return 0;
}
