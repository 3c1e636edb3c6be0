/* The digest of a set of rows: order and cut do not matter, everything else does. */
#include "move/digest.h"
#include "move/move.h"
#include "tap.h"

static void put(struct ent_move_digest *d, const char *row) { ent_digest_put(d, ent_bytes_str(row)); }

static void test_sets(void)
{
	struct ent_move_digest a = { 0 }, b = { 0 }, c = { 0 }, part = { 0 };
	put(&a, "one"), put(&a, "two"), put(&a, "two");
	put(&part, "two"), put(&b, "two"), put(&b, "one");
	ent_digest_sum(&b, &part);
	OK(ent_digest_eq(&a, &b), "order and cut do not matter");
	put(&c, "one"), put(&c, "two"), put(&c, "three");
	OK(!ent_digest_eq(&a, &c), "another row is told");
	struct ent_move_digest once = { 0 };
	put(&once, "one"), put(&once, "two");
	OK(!ent_digest_eq(&a, &once), "a row that stands there twice counts twice");
}

static void test_text(void)
{
	struct ent_move_digest d = { 0 }, back = { 0 };
	uint8_t ones[32], one[32] = { [31] = 2 };
	char hex[65];
	memset(ones, 0xff, sizeof ones);
	ent_digest_hash(&d, ones);
	ent_digest_hash(&d, one);
	ent_digest_text(&d, hex);
	OK_STR(hex, "0000000000000000000000000000000000000000000000000000000000000001", "the sum wraps at 2^256 with its carries");
	put(&d, "x");
	ent_digest_text(&d, hex);
	OK(ent_digest_parse(hex, &back) && !memcmp(back.word, d.word, sizeof d.word), "text and back");
	OK(!ent_digest_parse("12", &back), "short text refused");
}

static void test_job_id(void)
{
	struct ent_move_end to = { .name = "b" }, to2 = { .name = "c" };
	struct ent_move_copy copy = { .source = { .name = "a" }, .targets = &to, .n_targets = 1 };
	char first[ENT_MOVE_ID_LEN + 1], second[ENT_MOVE_ID_LEN + 1];
	OK_INT(ent_move_job_id(&copy, first, NULL), 0);
	OK_INT(ent_move_job_id(&copy, second, NULL), 0);
	OK_STR(first, second, "the same job has the same id");
	copy.where = "x > 1";
	ent_move_job_id(&copy, second, NULL);
	OK(strcmp(first, second) != 0, "another condition is another job");
	copy.where = NULL, copy.targets = &to2;
	ent_move_job_id(&copy, second, NULL);
	OK(strcmp(first, second) != 0, "another target is another job");
}

int main(void)
{
	test_sets();
	test_text();
	test_job_id();
	return tap_done();
}
