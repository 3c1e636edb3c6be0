/* entente.conf and addresses. */
#include "node/conf.h"
#include "tap.h"

static int parse(const char *text, struct ent_conf *ret, struct ent_err *err) { return ent_conf_parse(ent_bytes_str(text), ret, err); }

static void test_good(void)
{
	struct ent_conf c, again;
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CONF_BYTES_MAX);
	OK_INT(parse("# a comment\n\n org = hudson \r\nlisten=127.0.0.1:7101\nbatch_ms = 500", &c, &err), 0, "%s", err.what);
	OK_STR(c.value[ENT_CONF_org], "hudson", "blanks around a value do not count");
	OK_INT(ent_conf_int(&c, ENT_CONF_batch_ms), 500, "a number");
	OK_INT(ent_conf_int(&c, ENT_CONF_witness_hours), 4, "a default");
	ent_conf_print(&c, &text);
	OK_INT(ent_conf_parse(ent_buf_bytes(&text), &again, &err), 0, "what is printed can be read: %s", err.what);
	OK(!memcmp(&c, &again, sizeof c), "and means the same");
	OK(strstr(ent_buf_text(&text), "\n#witness_hours = 4\n") && strstr(ent_buf_text(&text), "\nbatch_ms = 500\n"),
	   "defaults are commented out, the rest is not");
}

static void test_bad(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "org = hudson\nlisten_ = x\n", "unknown setting \"listen_\"" },
		{ "org = Hudson\n", "setting org" },
		{ "org = hudson\ncompute_only = maybe\n", "compute_only" },
		{ "org = hudson\nthreads = -1\n", "threads" },
		{ "org = hudson\nthreads\n", "line 2 is not `key = value`" },
		{ "listen = 127.0.0.1:1\n", "does not name the organisation" },
		{ "org = hudson\nlisten = a b:1\n", "listen" },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		struct ent_conf c;
		struct ent_err err = ENT_ERR_INIT;
		OK_INT(parse(cases[i].text, &c, &err), ENT_ECONFIG, "refused: case %zu", i);
		OK(strstr(err.what, cases[i].says), "and says why: %s", err.what);
	}
	struct ent_conf c;
	struct ent_err err = ENT_ERR_INIT;
	parse("org = hudson\nlisten_ = x\n", &c, &err);
	OK(strstr(err.next, "nearest: listen;"), "the nearest setting is named: %s", err.next);
	OK(strstr(err.why, "line 2"), "and the line: %s", err.why);
}

static void test_address(void)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		bool ok;
	} cases[] = {
		{ "127.0.0.1:7100", "127.0.0.1", 7100, true },
		{ "node.example.org", "node.example.org", 0, true },
		{ "[::1]:7100", "::1", 7100, true },
		{ "[::]", "::", 0, true },
		{ "::1", "", 0, false },
		{ "a:70000", "", 0, false },
		{ ":7100", "", 0, false },
		{ "a:", "", 0, false },
		{ "[::1", "", 0, false },
		{ "[::1]x", "", 0, false },
	};
	for (size_t i = 0; i < ENT_COUNT(cases); i++) {
		char host[256] = "";
		uint16_t port = 0;
		OK_INT(ent_address_split(cases[i].text, host, &port), cases[i].ok, "%s", cases[i].text);
		if (cases[i].ok)
			OK(!strcmp(host, cases[i].host) && port == cases[i].port, "is %s %u", host, port);
	}
	OK(ent_address_wildcard("0.0.0.0") && ent_address_wildcard("::") && !ent_address_wildcard("127.0.0.1"), "wildcards");
}

int main(void)
{
	test_good();
	test_bad();
	test_address();
	return tap_done();
}
