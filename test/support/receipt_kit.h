/* A finished joint job of three organisations in their three ledgers, cosigned by each other, and its receipt. */
#ifndef ENT_TEST_RECEIPT_KIT_H
#define ENT_TEST_RECEIPT_KIT_H
#include "ledger/receipt.h"
#include "support/ledger_kit.h"

struct kit_job {
	struct ent_fs *fs[3];
	struct kit_org orgs[3]; /* hudson asks; skywatch and registry own tables */
	struct ent_ledger *ledgers[3];
	uint64_t request[3], decision[3], run[3], open[3], output[3], result[3], grant[3];
	struct ent_buf request_bytes;
	uint8_t salt[ENT_SALT_BYTES];
	struct ent_buf receipt;
};

static inline uint64_t kit_job_add(struct kit_job *j, int at, int type, json_t *fields)
{
	uint64_t index = 0;
	ENT_ASSERT(fields);
	ENT_ASSERT(!ent_ledger_add(j->ledgers[at], type, fields, &index, NULL));
	json_decref(fields);
	return index;
}

static inline bool kit_job_find(void *self, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES])
{
	struct kit_job *j = self;
	for (int i = 0; i < 3; i++) {
		uint8_t id[ENT_HASH_BYTES];
		ent_keyid(j->orgs[i].keys[ENT_KEY_SIGN].pub, id);
		memcpy(ret_pub, j->orgs[i].keys[ENT_KEY_SIGN].pub, ENT_PUB_BYTES);
		if (!memcmp(id, keyid, sizeof id))
			return true;
	}
	return false;
}

static inline void kit_job_open(struct kit_job *j)
{
	static const char *const names[3] = { "hudson", "skywatch", "registry" };
	for (int i = 0; i < 3; i++) {
		j->fs[i] = simfs_new((uint64_t)i);
		kit_org_init(&j->orgs[i], names[i], j->fs[i]);
		j->orgs[i].config.ring = (struct ent_keyring){ j, kit_job_find };
	}
	for (int i = 0; i < 3; i++) {
		ENT_ASSERT(!ent_ledger_create(&j->orgs[i].config, ent_buf_bytes(&j->orgs[i].card_bytes), &j->ledgers[i], NULL));
		for (int k = 0; k < 3; k++) {
			json_t *card = json_loadb((char *)j->orgs[k].card_bytes.data, j->orgs[k].card_bytes.len, 0, NULL);
			if (k != i)
				kit_job_add(j, i, ENT_ENTRY_MEMBER, json_pack("{s:O}", "card", card));
			json_decref(card);
		}
	}
}

/* Both others sign the last checkpoint of each ledger. */
static inline void kit_job_publish(struct kit_job *j)
{
	for (int i = 0; i < 3; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf lines = ENT_BUF(4096);
		ENT_ASSERT(!ent_ledger_publish(j->ledgers[i], NULL));
		struct ent_bytes note = ent_ledger_signed_note(j->ledgers[i]);
		size_t text = (size_t)((const uint8_t *)memmem(note.data, note.len, "\n\n", 2) - note.data) + 1;
		for (int k = 0; k < 3; k++) {
			char name[ENT_ORIGIN_MAX + 16];
			ent_card_witness_name(&j->orgs[k].card, name);
			if (k != i)
				ENT_ASSERT(!ent_note_sign(ent_bytes(note.data, text), name, ENT_NOTE_COSIGNATURE, 1795253401,
							  &j->orgs[k].keys[ENT_KEY_WITNESS], &lines, NULL));
		}
		ENT_ASSERT(!ent_ledger_cosigned(j->ledgers[i], ent_buf_bytes(&lines), NULL));
	}
}

static inline void kit_job_request(struct kit_job *j, char proposal[2 * ENT_HASH_BYTES + 1])
{
	ENT_CLEANUP(ent_dsse_deinit) struct ent_dsse d = { 0 };
	uint8_t commitment[ENT_HASH_BYTES];
	char hex[2 * ENT_HASH_BYTES + 1];
	memset(j->salt, 5, sizeof j->salt);
	ent_commit(j->salt, ent_bytes_str("SELECT count(*) FROM hudson.flights"), commitment);
	ent_hex(hex, commitment, sizeof commitment);
	ENT_JSON_AUTO fields = json_pack("{s:s,s:s}", "purpose", "research", "sql", hex);
	ent_buf_init(&j->request_bytes, ENT_DSSE_BYTES_MAX);
	ENT_ASSERT(!ent_entry_make(ENT_ENTRY_REQUEST, j->orgs[0].clock.utc, "hudson", fields, &j->orgs[0].keys[0], &j->request_bytes, NULL));
	ENT_ASSERT(!ent_dsse_open(ent_buf_bytes(&j->request_bytes), &d, NULL));
	ent_hex(proposal, d.payload_hash, ENT_HASH_BYTES);
}

static inline void kit_job_run_entry(struct kit_job *j, const char *proposal, struct ent_buf *ret)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf payload = ENT_BUF(4096);
	ENT_JSON_AUTO fields = json_pack("{s:i,s:[s,s,s],s:s}", "attempt", 1, "participants", "hudson", "registry", "skywatch", "proposal", proposal);
	struct ent_sig sigs[3];
	ENT_ASSERT(!ent_entry_payload(ENT_ENTRY_RUN, 0, NULL, fields, &payload, NULL));
	for (int i = 0; i < 3; i++)
		ENT_ASSERT(!ent_dsse_sign("run", ent_buf_bytes(&payload), &j->orgs[i].keys[0], &sigs[i], NULL));
	ENT_ASSERT(!ent_dsse_join("run", ent_buf_bytes(&payload), sigs, 3, ret, NULL));
}

static inline void kit_job_all(struct kit_job *j)
{
	char proposal[2 * ENT_HASH_BYTES + 1];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf run = ENT_BUF(ENT_DSSE_BYTES_MAX);
	kit_job_request(j, proposal);
	kit_job_run_entry(j, proposal, &run);
	for (int i = 0; i < 3; i++) {
		struct ent_bytes request = ent_buf_bytes(&j->request_bytes), joint = ent_buf_bytes(&run);
		char id[64];
		if (i) {
			j->grant[i] = kit_job_add(j, i, ENT_ENTRY_GRANT, json_pack("{s:s}", "text", "GRANT JOIN ON t(k) TO hudson"));
			snprintf(id, sizeof id, "%s/%llu", j->orgs[i].name, (unsigned long long)j->grant[i]);
		}
		ENT_ASSERT(!ent_ledger_append(j->ledgers[i], &request, 1, &j->request[i], NULL));
		json_t *grants = i ? json_pack("[s]", id) : json_array();
		j->decision[i] =
			kit_job_add(j, i, ENT_ENTRY_DECISION, json_pack("{s:b,s:o,s:s}", "allow", 1, "grants", grants, "proposal", proposal));
		ENT_ASSERT(!ent_ledger_append(j->ledgers[i], &joint, 1, &j->run[i], NULL));
		j->open[i] = kit_job_add(j, i, ENT_ENTRY_OPEN, json_pack("{s:s}", "proposal", proposal));
		j->output[i] =
			kit_job_add(j, i, ENT_ENTRY_OUTPUT, json_pack("{s:s,s:i,s:s}", "commitment", "00", "component", i, "proposal", proposal));
		j->result[i] = kit_job_add(j, i, ENT_ENTRY_RESULT, json_pack("{s:s,s:s}", "outcome", "done", "proposal", proposal));
	}
}

static inline void kit_job_put(struct kit_job *j, struct ent_receipt_writer *w, int at, uint64_t index)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf entry = ENT_BUF(ENT_DSSE_BYTES_MAX), proof = ENT_BUF(ENT_TLOG_PROOF_MAX);
	ENT_ASSERT(!ent_ledger_entry(j->ledgers[at], index, &entry, NULL) && !ent_ledger_prove(j->ledgers[at], index, &proof, NULL));
	ENT_ASSERT(!ent_receipt_entry(w, j->orgs[at].name, index, ent_buf_bytes(&entry), ent_buf_bytes(&proof), NULL));
}

/* Everything but the seal; skip names an index of `kinds` to leave out, -1 for none. */
static inline struct ent_receipt_writer *kit_job_writer(struct kit_job *j)
{
	struct ent_receipt_writer *w = NULL;
	ENT_ASSERT(!ent_receipt_new(&w, NULL));
	for (int i = 0; i < 3; i++) {
		uint64_t all[] = { j->request[i], j->decision[i], j->run[i], j->open[i], j->output[i], j->result[i] };
		ENT_ASSERT(!ent_receipt_card(w, ent_buf_bytes(&j->orgs[i].card_bytes), NULL));
		for (size_t k = 0; k < ENT_COUNT(all); k++)
			kit_job_put(j, w, i, all[k]);
		if (i)
			kit_job_put(j, w, i, j->grant[i]);
	}
	ENT_ASSERT(!ent_receipt_content(w, j->salt, ent_bytes_str("SELECT count(*) FROM hudson.flights"), NULL));
	return w;
}

static inline void kit_job_init(struct kit_job *j)
{
	memset(j, 0, sizeof *j);
	kit_job_open(j);
	kit_job_all(j);
	kit_job_publish(j);
	struct ent_receipt_writer *w = kit_job_writer(j);
	ent_buf_init(&j->receipt, ENT_RECEIPT_BYTES_MAX);
	ENT_ASSERT(!ent_receipt_seal(w, "hudson", &j->orgs[0].keys[ENT_KEY_SIGN], &j->receipt, NULL));
	ent_receipt_free(w);
}

static inline void kit_job_deinit(struct kit_job *j)
{
	for (int i = 0; i < 3; i++) {
		ent_ledger_free(j->ledgers[i]);
		simfs_free(j->fs[i]);
		kit_org_deinit(&j->orgs[i]);
	}
	ent_buf_deinit(&j->request_bytes);
	ent_buf_deinit(&j->receipt);
}
#endif
