/* Two implementations, one verdict: entente-verify's checks against those of src/ledger, on good and spoilt receipts. */
#include "support/receipt_kit.h"
#include "tap.h"
#include "verify.h"

static struct receipt second; /* large */

static bool first_says(struct ent_bytes b)
{
	struct ent_receipt_report r = { 0 };
	int code = ent_receipt_check(b, &r, NULL);
	ent_receipt_report_deinit(&r);
	return !code;
}

static bool second_says(struct ent_bytes b)
{
	bool good = ent_verify_receipt((struct span){ b.data, b.len }, &second);
	ent_verify_receipt_free(&second);
	return good;
}

static void test_good(struct kit_job *j)
{
	OK(ent_verify_receipt((struct span){ j->receipt.data, j->receipt.len }, &second), "%s", ent_verify_why());
	OK_INT(second.cards_count, 3);
	OK_INT(second.entries_count, 20);
	OK(second.request && second.request->index == j->request[0]);
	OK_STR(second.outcome, "done");
	OK_STR(second.sealed_by, "hudson");
	OK(second.logs[0].seen && second.logs[0].cosigned == 2);
	ent_verify_receipt_free(&second);
}

/* Takes the seal off, lets fn change the rest, and seals again as the requester could. */
static void reseal(struct kit_job *j, struct ent_buf *b)
{
	uint8_t sig[ENT_SIG_BYTES];
	ENT_ASSERT(!j->orgs[0].keys[0].sign(j->orgs[0].keys[0].self, ent_buf_bytes(b), sig, NULL));
	ent_buf_printf(b, "part seal %zu\nhudson ", 7 + ENT_BASE64_LEN(sizeof sig));
	ent_buf_base64(b, sig, sizeof sig);
	ent_buf_str(b, "\n");
}

static void spoil(struct ent_buf *b, uint64_t *random)
{
	size_t at = kit_random(random) % b->len, len = 1 + kit_random(random) % 40;
	switch (kit_random(random) % 4) {
	case 0:
		b->data[at] ^= (uint8_t)(1u << kit_random(random) % 8);
		break;
	case 1: /* bytes gone */
		len = len < b->len - at ? len : b->len - at;
		memmove(b->data + at, b->data + at + len, b->len - at - len);
		b->len -= len;
		break;
	case 2: /* bytes twice */
		len = len < b->len - at ? len : b->len - at;
		ENT_ASSERT(ent_buf_space(b, len));
		memmove(b->data + at + len, b->data + at, b->len - at - len);
		break;
	default:
		b->data[at] = (uint8_t) "0Aa= \n/+"[kit_random(random) % 8];
		break;
	}
}

static void test_spoilt(struct kit_job *j, uint64_t seed)
{
	size_t differ = 0, accepted = 0, body = (size_t)((uint8_t *)memmem(j->receipt.data, j->receipt.len, "part seal ", 10) - j->receipt.data);
	uint64_t random = seed;
	printf("# seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 400; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_RECEIPT_BYTES_MAX);
		ent_buf_put(&b, j->receipt.data, body);
		spoil(&b, &random);
		bool same = b.len == body && !memcmp(b.data, j->receipt.data, body);
		reseal(j, &b);
		bool one = first_says(ent_buf_bytes(&b)), two = second_says(ent_buf_bytes(&b));
		if (one != two)
			printf("# case %d: %d against %d: %s\n", i, one, two, ent_verify_why());
		differ += one != two;
		accepted += one && !same;
	}
	OK_INT(differ, 0, "the same verdict on spoilt and resealed receipts");
	OK_INT(accepted, 0, "and it is no");
}

static void one_case(struct kit_job *j, const char *what, struct ent_receipt_writer *w, const char *org, bool want)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_RECEIPT_BYTES_MAX);
	ENT_ASSERT(!ent_receipt_seal(w, org, &j->orgs[0].keys[0], &b, NULL));
	ent_receipt_free(w);
	bool one = first_says(ent_buf_bytes(&b)), two = second_says(ent_buf_bytes(&b));
	OK(one == want && two == want, "%s: %d %d, %s", what, one, two, ent_verify_why());
}

static struct ent_receipt_writer *with_cards(struct kit_job *j, int count)
{
	struct ent_receipt_writer *w = NULL;
	ENT_ASSERT(!ent_receipt_new(&w, NULL));
	for (int i = 0; i < count; i++)
		ENT_ASSERT(!ent_receipt_card(w, ent_buf_bytes(&j->orgs[i].card_bytes), NULL));
	return w;
}

static void test_links(struct kit_job *j)
{
	char other[] = "1111111111111111111111111111111111111111111111111111111111111111";
	uint8_t salt[ENT_SALT_BYTES] = { 1 };
	uint64_t stray = kit_job_add(j, 1, ENT_ENTRY_RESULT, json_pack("{s:s,s:s}", "outcome", "done", "proposal", other));
	kit_job_publish(j);
	struct ent_receipt_writer *w = kit_job_writer(j);
	one_case(j, "good", w, "hudson", true);
	w = kit_job_writer(j);
	one_case(j, "sealed in another's name", w, "skywatch", false);
	w = kit_job_writer(j);
	kit_job_put(j, w, 1, stray);
	one_case(j, "the result of another job", w, "hudson", false);
	w = kit_job_writer(j);
	kit_job_put(j, w, 0, 1);
	one_case(j, "an entry that has nothing to do with the job", w, "hudson", false);
	w = kit_job_writer(j);
	ENT_ASSERT(!ent_receipt_content(w, salt, ent_bytes_str("stray"), NULL));
	one_case(j, "a content that no entry names", w, "hudson", false);
	w = with_cards(j, 3);
	kit_job_put(j, w, 0, 1);
	one_case(j, "a single entry", w, "hudson", true);
	w = with_cards(j, 2);
	kit_job_put(j, w, 0, 1);
	one_case(j, "a cosignature of somebody without card", w, "hudson", false);
	w = with_cards(j, 3);
	kit_job_put(j, w, 1, j->decision[1]);
	one_case(j, "a decision without its request", w, "hudson", false);
	w = with_cards(j, 3);
	kit_job_put(j, w, 0, j->request[0]);
	kit_job_put(j, w, 1, j->decision[1]);
	one_case(j, "a decision without its grant", w, "hudson", false);
	w = with_cards(j, 3);
	kit_job_put(j, w, 0, j->request[0]);
	kit_job_put(j, w, 1, j->grant[1]);
	one_case(j, "a grant that nobody used", w, "hudson", false);
}

static void write_file(const char *path, struct ent_bytes b)
{
	FILE *f = fopen(path, "wb");
	ENT_ASSERT(f && fwrite(b.data, 1, b.len, f) == b.len && !fclose(f));
}

/* Without arguments: the comparison. With a folder: files for the shell test of the program. */
int main(int argc, char **argv)
{
	static struct kit_job j;
	char path[500];
	kit_job_init(&j);
	if (argc > 1) {
		snprintf(path, sizeof path, "%s/r.txt", argv[1]);
		write_file(path, ent_buf_bytes(&j.receipt));
		for (int i = 0; i < 3; i++) {
			snprintf(path, sizeof path, "%s/%.31s.card", argv[1], j.orgs[i].name);
			write_file(path, ent_buf_bytes(&j.orgs[i].card_bytes));
		}
		kit_job_deinit(&j);
		return 0;
	}
	test_good(&j);
	const char *seed = getenv("ENT_SEED");
	test_spoilt(&j, seed ? strtoull(seed, NULL, 10) : 20261121);
	test_links(&j);
	kit_job_deinit(&j);
	return tap_done();
}
