/* Read routes and the witness's request body, against a small ledger in memory.
 * fuzz-deps: ledger_dep testsupport */
#include "ledger/witness.h"
#include "support/ledger_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kit_org org;
static struct ent_ledger *ledger;
static struct ent_witness *witness;

static bool log_key(void *self, const char *origin, uint8_t ret_pub[ENT_PUB_BYTES])
{
	(void)self;
	memcpy(ret_pub, org.keys[ENT_KEY_LOG].pub, ENT_PUB_BYTES);
	return !strcmp(origin, org.card.origin);
}

static void start(void)
{
	struct ent_fs *fs = simfs_new(1);
	kit_org_init(&org, "hudson", fs);
	ENT_ASSERT(!ent_ledger_create(&org.config, ent_buf_bytes(&org.card_bytes), &ledger, NULL));
	struct ent_witness_config c = {
		.fs = fs, .dir = "witness", .clock = &org.clock.clock, .name = "w", .signer = org.keys[2], .log_key = log_key
	};
	ENT_ASSERT(!ent_witness_open(&c, &witness, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char url[300] = "/tile/";
	struct ent_http_answer a = { .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
	if (!ledger)
		start();
	memcpy(url + 6, data, size < sizeof url - 7 ? size : sizeof url - 7);
	struct ent_http_request r = { .method = "GET", .url = url, .trusted = true };
	ENT_ASSERT(ent_ledger_serve(ledger, &r, &a));
	ENT_ASSERT(a.status == 200 || a.status == 400 || a.status == 404);
	a.status = 0;
	ent_witness_add(witness, ent_bytes(data, size), &a);
	ENT_ASSERT(a.status);
	ent_buf_deinit(&a.body);
	return 0;
}
