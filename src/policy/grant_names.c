/* Names of uses and leaks, and civil dates. */
#include "policy/grant.h"

struct use_name {
	const char *text, *json, *help;
};

static const struct use_name USES[] = {
#define USE_ROW(name, text, json, help) { text, json, help },
	ENT_USE_MAP(USE_ROW)
#undef USE_ROW
};
static const char *const LEAKS[] = { "none", "sizes", "match-pattern" };

const char *ent_use_text(enum ent_use use) { return USES[use].text; }
const char *ent_use_json(enum ent_use use) { return USES[use].json; }
const char *ent_use_help(enum ent_use use) { return USES[use].help; }
const char *ent_leak_text(enum ent_leak leak) { return LEAKS[leak]; }

bool ent_leak_by_name(const char *text, enum ent_leak *ret)
{
	for (size_t i = 0; i < ENT_COUNT(LEAKS); i++)
		if (!strcmp(text, LEAKS[i])) {
			*ret = (enum ent_leak)i;
			return true;
		}
	return false;
}

/* Days of the proleptic Gregorian calendar by 400-year eras that start in March; years 1 to 9999. */
static int32_t day_of(int32_t y, int32_t m, int32_t d)
{
	y -= m <= 2;
	int32_t era = y / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void ent_day_text(int32_t day, char out[16])
{
	int32_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
	int32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int32_t mp = (5 * doy + 2) / 153, d = doy - (153 * mp + 2) / 5 + 1, m = mp < 10 ? mp + 3 : mp - 9;
	snprintf(out, 16, "%04d-%02d-%02d", (int)((yoe + era * 400 + (m <= 2)) % 10000), (int)(m % 100), (int)(d % 100));
}

static bool digits(const char *text, size_t n, int32_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*ret = *ret * 10 + (text[i] - '0');
	}
	return true;
}

bool ent_day_parse(const char *text, size_t len, int32_t *ret)
{
	int32_t y, m, d;
	char back[16];
	if (len != 10 || text[4] != '-' || text[7] != '-' || !digits(text, 4, &y) || !digits(text + 5, 2, &m) || !digits(text + 8, 2, &d))
		return false;
	if (y < 1 || m < 1 || m > 12 || d < 1 || d > 31)
		return false;
	ent_day_text(day_of(y, m, d), back);
	if (memcmp(back, text, 10)) /* 31 April */
		return false;
	*ret = day_of(y, m, d);
	return true;
}

bool ent_grant_has_column(const struct ent_grant *g, const char *column)
{
	for (size_t lo = 0, hi = g->n_columns; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(g->columns[mid], column);
		if (!c)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool ent_grant_org_ok(const char *s)
{
	size_t n = strlen(s);
	if (!n || n > 31 || s[0] < 'a' || s[0] > 'z')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}
