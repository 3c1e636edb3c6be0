/* Receipts: a good one is read completely; changing any byte, any field or any link of it is found. */
#include "support/receipt_kit.h"
#include "tap.h"

static int check(struct ent_bytes receipt, struct ent_err *err)
{
	struct ent_receipt_report r = { 0 };
	int code = ent_receipt_check(receipt, &r, err);
	ent_receipt_report_deinit(&r);
	return code;
}

static void test_good(struct kit_job *j)
{
	struct ent_receipt_report r = { 0 };
	struct ent_err err = ENT_ERR_INIT;
	char id[64];
	OK_INT(ent_receipt_check(ent_buf_bytes(&j->receipt), &r, &err), 0, "%s", err.what);
	OK_INT(r.card_count, 3);
	OK_INT(r.entry_count, 20);
	OK_INT(r.log_count, 3);
	OK(r.logs[0].cosigned == 2 && r.logs[0].others == 2 && r.logs[0].quorum == 2, "cosigned 2 of 2");
	OK_INT(r.content_count, 1);
	OK(ent_bytes_eq(r.contents[0].bytes, ent_bytes_str("SELECT count(*) FROM hudson.flights")));
	snprintf(id, sizeof id, "hudson/%llu", (unsigned long long)j->request[0]);
	OK_STR(r.request_id, id);
	OK_STR(r.outcome, "done");
	OK_STR(r.sealed_by, "hudson");
	ent_receipt_report_deinit(&r);
	printf("# %zu bytes\n", j->receipt.len);
}

/* The seal covers every byte; so each change is found at the latest there. */
static void test_bits(struct kit_job *j)
{
	size_t accepted = 0, step = j->receipt.len / 400 + 1;
	for (size_t byte = 0; byte < j->receipt.len; byte += step) {
		j->receipt.data[byte] ^= (uint8_t)(1u << byte % 8);
		accepted += !check(ent_buf_bytes(&j->receipt), NULL);
		j->receipt.data[byte] ^= (uint8_t)(1u << byte % 8);
	}
	OK_INT(accepted, 0, "no changed bit is accepted");
	for (size_t cut = 1; cut < 400; cut += 7)
		accepted += !check(ent_bytes(j->receipt.data, j->receipt.len - cut), NULL);
	OK_INT(accepted, 0, "nor a receipt cut short");
	ent_buf_u8(&j->receipt, '\n');
	OK_INT(check(ent_buf_bytes(&j->receipt), NULL), ENT_EDATA, "nor a byte more");
	j->receipt.len--;
}

/* The seal is no protection against the requester, who can seal anything: each part has to hold by itself. */
static int resealed(struct kit_job *j, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_RECEIPT_BYTES_MAX);
	uint8_t sig[ENT_SIG_BYTES];
	const uint8_t *seal = memmem(j->receipt.data, j->receipt.len, "part seal ", 10);
	ent_buf_put(&b, j->receipt.data, (size_t)(seal - j->receipt.data));
	ENT_ASSERT(!j->orgs[0].keys[0].sign(j->orgs[0].keys[0].self, ent_buf_bytes(&b), sig, NULL));
	ent_buf_printf(&b, "part seal %zu\nhudson ", 7 + ENT_BASE64_LEN(sizeof sig));
	ent_buf_base64(&b, sig, sizeof sig);
	ent_buf_str(&b, "\n");
	return check(ent_buf_bytes(&b), err);
}

/* Changes one byte at `offset` behind the start of the part's content and seals again. */
static void part_byte(struct kit_job *j, const char *name, const char *field, size_t behind)
{
	struct ent_err err = ENT_ERR_INIT;
	char head[200];
	snprintf(head, sizeof head, "part %s", name);
	uint8_t *part = memmem(j->receipt.data, j->receipt.len, head, strlen(head));
	ENT_ASSERT(part);
	uint8_t *body = (uint8_t *)memchr(part, '\n', 200) + 1;
	uint8_t *at = memmem(body, j->receipt.len - (size_t)(body - j->receipt.data), field, strlen(field));
	ENT_ASSERT(at);
	at += strlen(field) + behind;
	uint8_t old = *at;
	*at = old == 'A' ? 'B' : old == '1' ? '2' : old >= '0' && old <= '9' ? '1' : 'A';
	int code = resealed(j, &err);
	*at = old;
	OK(code == ENT_EVERIFY || code == ENT_EDATA, "%s, byte %zu: %s", name, (size_t)(at - body), err.what);
}

static void test_fields(struct kit_job *j)
{
	char name[100];
	part_byte(j, "card/hudson/1", "\"payload\":\"", 12);
	part_byte(j, "card/hudson/1", "\"sig\":\"", 3);
	part_byte(j, "card/hudson/1", "\"keyid\":\"", 3);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "entry/%s/%llu", j->orgs[i].name, (unsigned long long)j->decision[i]);
		part_byte(j, name, "\"payload\":\"", 8);
		part_byte(j, name, "\"sig\":\"", 8);
		part_byte(j, name, "\"keyid\":\"", 8);
		part_byte(j, name, "vnd.entente.", 0);
		snprintf(name, sizeof name, "proof/%s/%llu", j->orgs[i].name, (unsigned long long)j->decision[i]);
		part_byte(j, name, "c2sp.org/tlog-proof@v", 0);
		part_byte(j, name, "index ", 0);
		part_byte(j, name, "index ", 4);                                                /* the first hash of the path */
		part_byte(j, name, "=\n", 5);                                                   /* the next ones */
		part_byte(j, name, "\n\nentente", 0);                                           /* the origin */
		part_byte(j, name, "\n\nentente.local/", (size_t)strlen(j->orgs[i].name) + 11); /* the size */
		part_byte(j, name, "\n\nentente.local/", (size_t)strlen(j->orgs[i].name) + 16); /* the root */
		part_byte(j, name, "\xe2\x80\x94 ", 3);                                         /* the name of the log's signature line */
		snprintf(name, sizeof name, "proof/%s/%llu", j->orgs[i].name, (unsigned long long)j->run[i]);
		part_byte(j, name, "/witness ", 3);  /* key id of a cosignature */
		part_byte(j, name, "/witness ", 10); /* its time */
		part_byte(j, name, "/witness ", 40); /* its signature */
	}
	part_byte(j, "content/", "SELECT ", 1);
}

static void reseal_without(struct kit_job *j, const char *what, struct ent_receipt_writer *w, int want)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_RECEIPT_BYTES_MAX);
	struct ent_err err = ENT_ERR_INIT;
	ENT_ASSERT(!ent_receipt_seal(w, "hudson", &j->orgs[0].keys[0], &b, NULL));
	ent_receipt_free(w);
	OK_INT(check(ent_buf_bytes(&b), &err), want, "%s: %s", what, err.what);
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
	struct ent_receipt_writer *w = with_cards(j, 3);
	kit_job_put(j, w, 0, 1);
	reseal_without(j, "a single entry, proven", w, 0);
	w = with_cards(j, 3);
	reseal_without(j, "no entry at all", w, ENT_EDATA);
	w = with_cards(j, 2);
	kit_job_put(j, w, 2, 1);
	reseal_without(j, "an entry of a log without card", w, ENT_EVERIFY);
	w = with_cards(j, 2);
	kit_job_put(j, w, 0, 1);
	reseal_without(j, "a cosignature of somebody without card", w, ENT_EVERIFY);
	w = with_cards(j, 3);
	kit_job_put(j, w, 1, j->decision[1]);
	reseal_without(j, "a decision without its request", w, ENT_EVERIFY);
	w = with_cards(j, 3);
	kit_job_put(j, w, 0, j->request[0]);
	kit_job_put(j, w, 1, j->decision[1]);
	reseal_without(j, "a decision without its grant", w, ENT_EVERIFY);
	w = with_cards(j, 3);
	kit_job_put(j, w, 0, j->request[0]);
	kit_job_put(j, w, 1, j->grant[1]);
	reseal_without(j, "a grant that nobody used", w, ENT_EVERIFY);
	w = kit_job_writer(j);
	kit_job_put(j, w, 0, 1);
	reseal_without(j, "an entry that has nothing to do with the job", w, ENT_EVERIFY);
	w = kit_job_writer(j);
	uint8_t salt[ENT_SALT_BYTES] = { 1 };
	ENT_ASSERT(!ent_receipt_content(w, salt, ent_bytes_str("stray"), NULL));
	reseal_without(j, "a content that no entry names", w, ENT_EVERIFY);
}

/* Another job's entries, and a run that not all signed. */
static void test_other_job(struct kit_job *j)
{
	char other[] = "1111111111111111111111111111111111111111111111111111111111111111";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf proposal_run = ENT_BUF(ENT_DSSE_BYTES_MAX);
	uint64_t stray = kit_job_add(j, 1, ENT_ENTRY_RESULT, json_pack("{s:s,s:s}", "outcome", "done", "proposal", other)), run;
	kit_job_run_entry(j, other, &proposal_run);
	struct ent_bytes joint = ent_buf_bytes(&proposal_run);
	ENT_ASSERT(!ent_ledger_append(j->ledgers[1], &joint, 1, &run, NULL));
	kit_job_publish(j);
	struct ent_receipt_writer *w = kit_job_writer(j);
	kit_job_put(j, w, 1, stray);
	reseal_without(j, "the result of another job", w, ENT_EVERIFY);
	w = kit_job_writer(j);
	kit_job_put(j, w, 1, run);
	reseal_without(j, "the run of another job", w, ENT_EVERIFY);
	w = kit_job_writer(j);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_RECEIPT_BYTES_MAX);
	ENT_ASSERT(!ent_receipt_seal(w, "skywatch", &j->orgs[1].keys[0], &b, NULL));
	ent_receipt_free(w);
	OK_INT(check(ent_buf_bytes(&b), NULL), ENT_EVERIFY, "sealed by somebody else than the requester");
	w = kit_job_writer(j);
	ent_buf_reset(&b);
	ENT_ASSERT(!ent_receipt_seal(w, "hudson", &j->orgs[1].keys[0], &b, NULL));
	ent_receipt_free(w);
	OK_INT(check(ent_buf_bytes(&b), NULL), ENT_EVERIFY, "sealed in another's name");
}

static void test_same_bytes(struct kit_job *j)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(ENT_RECEIPT_BYTES_MAX);
	struct ent_receipt_writer *w = kit_job_writer(j);
	ENT_ASSERT(!ent_receipt_seal(w, "hudson", &j->orgs[0].keys[0], &b, NULL));
	ent_receipt_free(w);
	OK(ent_bytes_eq(ent_buf_bytes(&b), ent_buf_bytes(&j->receipt)), "equal contents, equal bytes");
}

int main(void)
{
	static struct kit_job j;
	kit_job_init(&j);
	test_good(&j);
	test_same_bytes(&j);
	test_bits(&j);
	test_fields(&j);
	test_links(&j);
	test_other_job(&j);
	kit_job_deinit(&j);
	return tap_done();
}
