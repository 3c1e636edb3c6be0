/* Which fields of a JSON file hold numbers that its reader would round. */
#include "duck_json.h"
#include "tap.h"

/* "field@row ..." */
static const char *scanned(const char *text, size_t step)
{
	static char out[400];
	static struct ent_duck_json_scan s;
	memset(&s, 0, sizeof s);
	for (size_t at = 0, n = strlen(text); at < n; at += step)
		ent_duck_json_scan(&s, ent_bytes(text + at, n - at < step ? n - at : step));
	out[0] = 0;
	for (size_t i = 0; i < s.found.n; i++)
		snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s@%llu", i ? " " : "", s.found.all[i].field,
			 (unsigned long long)s.found.all[i].row);
	return out;
}

static const struct {
	const char *text, *want;
} cases[] = {
	{ "{\"a\": 1}\n{\"a\": 0.1, \"b\": 1e300}\n", "" },
	{ "{\"a\": 9223372036854775807}\n{\"a\": -9223372036854775808}\n", "" },
	{ "{\"a\": 9223372036854775808}\n", "a@1" },
	{ "{\"a\": 1}\n{\"a\": 12345678901234.5678}\n{\"a\": 12345678901234.5678}\n", "a@2" },
	{ "{\"a\": 0.30000000000000004, \"b\": 1.7976931348623157e308, \"c\": 5e-324}\n", "" },
	{ "{\"a\": 0.30000000000000001}\n", "a@1" },
	{ "{\"a\": 1.5000000000000000000000}\n", "" },
	{ "[{\"a\": 1}, {\"a\": 99999999999999999999}]", "a@2" },
	{ "{\"a\": {\"b\": [1, 0.1234567890123456789]}, \"c\": 2}\n", "a@1" },
	{ "{\"a\": \"12345678901234567890.123\", \"b\\\"\": 12345678901234567890}\n", "b\\\"@1" },
	{ "{\"a\": [{\"x\": 1}], \"b\": 12345678901234567890}", "b@1" },
	{ "-0", "" },
	{ "}}]{\"a", "" },
};

int main(void)
{
	for (size_t i = 0; i < ENT_COUNT(cases); i++)
		for (size_t step = 1; step < 200; step += 66)
			OK_STR(scanned(cases[i].text, step), cases[i].want, "%.60s, %zu bytes at a time", cases[i].text, step);
	struct ent_duck_json_losses none;
	struct ent_err e = ENT_ERR_INIT;
	OK_INT(ent_duck_json_check("/nonexistent/file.json", &none, &e), ENT_EIO, "%s", e.what);
	return tap_done();
}
