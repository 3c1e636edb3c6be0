/* Rows that were given lately: told apart, remembered for two passes, bounded. */
#include "cass.h"
#include "tap.h"

static struct ent_cass_seen seen;

static bool before2(struct ent_bytes a, struct ent_bytes b)
{
	const struct ent_bytes cells[] = { a, b };
	return ent_cass_seen_before(&seen, ent_cass_seen_row(&seen, cells, 2));
}

static bool before(uint64_t n) { return before2(ent_bytes(&n, sizeof n), ent_bytes("", 0)); }

static void told_apart(void)
{
	static const struct {
		const char *a, *b;
	} rows[] = { { "ab", "c" }, { "a", "bc" }, { "abc", "" }, { "", "abc" }, { NULL, "abc" }, { "abc", NULL }, { NULL, "" }, { "", NULL } };
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < ENT_COUNT(rows); i++) {
			struct ent_bytes a = rows[i].a ? ent_bytes_str(rows[i].a) : ent_bytes(NULL, 0);
			struct ent_bytes b = rows[i].b ? ent_bytes_str(rows[i].b) : ent_bytes(NULL, 0);
			OK_INT(before2(a, b), again, "row %zu, time %d", i, again + 1);
		}
	const uint8_t zeros[16] = { 0 };
	OK(!before2(ent_bytes(zeros, 7), ent_bytes(zeros, 1)) && !before2(ent_bytes(zeros, 8), ent_bytes(zeros, 1)), "zeros count");
}

int main(void)
{
	struct ent_err e = ENT_ERR_INIT;
	size_t wrong = 0, kept = 0;
	OK(!ent_cass_seen_init(&seen, &e), "a key %s", e.what);
	told_apart();
	OK(!before(1), "new");
	ent_cass_seen_pass(&seen);
	OK(before(1), "of the pass before");
	ent_cass_seen_pass(&seen);
	OK(before(1), "of the pass before once more: it was met again");
	ent_cass_seen_pass(&seen);
	ent_cass_seen_pass(&seen);
	OK(!before(1), "not met for a pass: forgotten");
	for (uint64_t i = 1000; i < 1000000; i++)
		wrong += before(i);
	OK_INT(wrong, 0, "a million rows, none taken for another");
	ent_cass_seen_pass(&seen);
	for (uint64_t i = 1000; i < 1000000; i++)
		kept += before(i);
	OK(kept > 700000 && kept < 800000, "of which as many are kept as memory's bound allows: %zu", kept);
	ent_cass_seen_deinit(&seen);
	return tap_done();
}
