/* Comparisons: equal by value whatever the types and the order; differing keys are found with little memory. */
#include "mem_store.h"
#include "move/canon.h"
#include "tap.h"

static void number(const char *text, const char *want)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(400);
	bool ok = ent_canon_number(ent_bytes_str(text), true, &out);
	OK_STR(ok ? ent_buf_text(&out) : "none", want, "%s", text);
}

static void test_numbers(void)
{
	static const char *const cases[][2] = { { "1.50", "15e-1" },   { "1.5", "15e-1" }, { "15e-1", "15e-1" }, { "0.00", "0" },
						{ "-0", "-0" },        { "100", "1e2" },   { "1e2", "1e2" },     { "1E+02", "1e2" },
						{ "-100.00", "-1e2" }, { "007", "7e0" },   { "0.10", "1e-1" },   { ".5", "5e-1" },
						{ "NaN", "none" },     { "", "none" },     { "1.2.3", "none" },  { "1e", "none" },
						{ "2024-01", "none" } };
	for (size_t i = 0; i < ENT_COUNT(cases); i++)
		number(cases[i][0], cases[i][1]);
}

static struct ent_move_env env = { 0 };

static int compare(struct mem_store *a, struct mem_store *b, struct ent_move_compare c, struct ent_move_difference *d)
{
	c.a = mem_end(a, "t");
	c.b = mem_end(b, "t");
	return ent_move_compare(&c, &env, d, NULL);
}

static void fill(struct mem_store *s, size_t n, bool backwards)
{
	struct mem_table *t = mem_table(s, "t");
	mem_fill(t, 0, n);
	for (size_t i = 0; backwards && i < n / 2; i++) {
		struct mem_row r = t->rows[i];
		t->rows[i] = t->rows[n - 1 - i];
		t->rows[n - 1 - i] = r;
	}
}

static void test_equal(void)
{
	struct mem_store a, b;
	struct ent_move_difference d;
	mem_store_init(&a);
	mem_store_init(&b);
	fill(&a, 3000, false);
	fill(&b, 3000, true);
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .no_checksum = true }, &d), 0);
	OK(d.equal && d.rows_a == 3000 && !strcmp(d.digest_a, d.digest_b), "another order is equal");
	json_decref(d.details);
	uint64_t reads = a.reads;
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .limit = 5 }, &d), 0);
	OK(d.equal && d.in_stores && a.reads == reads, "the stores' own checksums agree: no row travels");
	json_decref(d.details);
	mem_store_deinit(&a);
	mem_store_deinit(&b);
}

static const json_t *row(const struct ent_move_difference *d, size_t i) { return json_array_get(json_object_get(d->details, "rows"), i); }
static const char *key(const json_t *r) { return json_string_value(json_array_get(json_object_get(r, "key"), 0)); }
static const char *side(const json_t *r) { return json_string_value(json_object_get(r, "side")); }

static const json_t *find(const struct ent_move_difference *d, const char *id)
{
	for (size_t i = 0; i < json_array_size(json_object_get(d->details, "rows")); i++)
		if (!strcmp(key(row(d, i)), id))
			return row(d, i);
	return NULL;
}

static void test_different(size_t memory)
{
	struct mem_store a, b;
	struct ent_move_difference d;
	mem_store_init(&a);
	mem_store_init(&b);
	fill(&a, 5000, false);
	fill(&b, 5000, true);
	struct mem_table *t = mem_table(&b, "t");
	t->rows[100].amount++; /* id 4899 */
	t->rows[200].id = 77777;
	memcpy(t->rows[300].name, "changed", 8); /* id 4699 */
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .memory_bytes_max = memory }, &d), 0);
	OK(!d.equal && json_array_size(json_object_get(d.details, "rows")) == 4, "four keys differ, with %zu bytes", memory);
	const json_t *r = find(&d, "4899"), *lost = find(&d, "4799"), *more = find(&d, "77777"), *text = find(&d, "4699");
	OK(r && !strcmp(side(r), "both") && json_array_size(json_object_get(r, "differ")) == 1, "one column of one row");
	OK(lost && !strcmp(side(lost), "a"), "only in a");
	OK(more && !strcmp(side(more), "b"), "only in b");
	const json_t *c = json_array_get(json_object_get(text, "differ"), 0);
	OK_STR(json_string_value(json_object_get(c, "b")), "changed", "both values are shown");
	json_decref(d.details);
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .limit = 2 }, &d), 0);
	OK(json_array_size(json_object_get(d.details, "rows")) == 2 && json_is_true(json_object_get(d.details, "more")), "capped, and said so");
	json_decref(d.details);
	mem_store_deinit(&a);
	mem_store_deinit(&b);
}

static void amounts_mend(struct mem_store *s)
{
	struct mem_table *t = mem_table(s, "t");
	s->read_ended = NULL;
	for (size_t i = 0; i < t->n; i++)
		t->rows[i].amount--;
}

/* A copy that catches up while it is compared: every row differed, none does when it is looked at. */
static void test_moving(void)
{
	struct mem_store a, b;
	struct ent_move_difference d;
	mem_store_init(&a);
	mem_store_init(&b);
	fill(&a, 5000, false);
	fill(&b, 5000, false);
	struct mem_table *t = mem_table(&b, "t");
	for (size_t i = 0; i < t->n; i++)
		t->rows[i].amount++;
	b.read_ended = amounts_mend;
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .no_checksum = true }, &d), 0);
	OK(!d.equal && json_array_size(json_object_get(d.details, "rows")) == 0, "different at first, no key to be shown");
	OK(a.reads <= 8 * (5000 / 100 + 1), "a few passes were enough: %llu batches", (unsigned long long)a.reads);
	json_decref(d.details);
	mem_store_deinit(&a);
	mem_store_deinit(&b);
}

/* The stores sum by split; only splits that differ are read, and rows that merely stand in another split are no difference. */
static void test_splits(void)
{
	struct mem_store a, b;
	struct ent_move_difference d;
	mem_store_init(&a);
	mem_store_init(&b);
	fill(&a, 5000, false);
	fill(&b, 5000, false);
	struct mem_table *t = mem_table(&b, "t");
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .split_rows = 500 }, &d), 0);
	OK(d.equal && d.in_stores && d.rows_a == 5000 && !strcmp(d.digest_a, d.digest_b) && a.reads == 0, "ten splits, all equal: no row travels");
	json_decref(d.details);
	t->rows[700].amount++;
	mem_fill(t, 9000, 1); /* behind the last split's rows */
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .split_rows = 500 }, &d), 0);
	OK(!d.equal && d.in_stores && d.rows_a == 5000 && d.rows_b == 5001, "two of ten splits differ: all rows are counted");
	OK(find(&d, "700") && find(&d, "9000") && json_array_size(json_object_get(d.details, "rows")) == 2, "both keys are found");
	OK(a.reads <= 2 * 2 * (500 / 100 + 1), "and only two splits were read, twice: %llu batches", (unsigned long long)a.reads);
	json_decref(d.details);
	t->rows[700].amount--;
	t->n--;
	struct mem_row r = t->rows[10];
	t->rows[10] = t->rows[4000];
	t->rows[4000] = r;
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .split_rows = 500 }, &d), 0);
	OK(d.equal, "rows that changed their split are equal");
	json_decref(d.details);
	mem_store_deinit(&a);
	mem_store_deinit(&b);
}

static void test_types(void)
{
	struct mem_store a, b;
	struct ent_move_difference d;
	mem_store_init(&a);
	mem_store_init(&b);
	fill(&a, 500, false);
	fill(&b, 500, false);
	for (size_t i = 0; i < 500; i++)
		mem_table(&a, "t")->rows[i].amount = mem_table(&b, "t")->rows[i].amount = (int64_t)i * 100;
	mem_table(&b, "t")->narrow = true; /* an integer column */
	OK_INT(compare(&a, &b, (struct ent_move_compare){ 0 }, &d), 0);
	OK(d.equal && !d.in_stores, "5.00 and 5 are equal");
	json_decref(d.details);
	mem_table(&a, "t")->rows[7].amount++;
	OK_INT(compare(&a, &b, (struct ent_move_compare){ 0 }, &d), 0);
	OK(!d.equal, "5.01 and 5 are not");
	json_decref(d.details);
	mem_store_deinit(&a);
	mem_store_deinit(&b);
}

static void test_same_key(void)
{
	struct mem_store a, b;
	struct ent_move_difference d;
	mem_store_init(&a);
	mem_store_init(&b);
	fill(&a, 50, false);
	fill(&b, 50, false);
	mem_fill(mem_table(&a, "t"), 10, 1); /* id 10 twice, one of them with id 0's values */
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .no_checksum = true }, &d), 0);
	OK(!d.equal && json_array_size(json_object_get(d.details, "rows")) > 0, "a row too many under a key that is there");
	json_decref(d.details);
	mem_store_deinit(&a);
	mem_store_deinit(&b);
}

static void test_broken_source(void)
{
	struct mem_store a, b;
	struct ent_move_difference d;
	mem_store_init(&a);
	mem_store_init(&b);
	fill(&a, 5000, false);
	fill(&b, 5000, false);
	a.fail_read_after = 20;
	OK_INT(compare(&a, &b, (struct ent_move_compare){ .no_checksum = true }, &d), ENT_EIO, "a source that breaks is an error, no difference");
	mem_store_deinit(&a);
	mem_store_deinit(&b);
}

int main(void)
{
	test_numbers();
	test_equal();
	test_different(0);
	test_different(300);
	test_splits();
	test_moving();
	test_types();
	test_same_key();
	test_broken_source();
	return tap_done();
}
