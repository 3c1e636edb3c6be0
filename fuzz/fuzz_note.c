/* Signed notes, checkpoints, verifier keys, tlog-proofs and what witnesses are asked.
 * fuzz-deps: ledger_dep */
#include "ledger/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_proof(struct ent_bytes in)
{
	static struct ent_tlog_proof p;
	struct ent_buf again = ENT_BUF(ENT_TLOG_PROOF_MAX);
	if (!ent_tlog_proof_parse(in, &p, NULL)) {
		ent_tlog_proof_write(p.index, &p.path, p.note, &again);
		ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&again), in));
	}
	ent_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_note n;
	struct ent_checkpoint c;
	struct ent_note_key key = { .name = "x", .alg = ENT_NOTE_ED25519 };
	char text[400] = { 0 };
	struct ent_bytes in = ent_bytes(data, size);
	if (!ent_note_parse(in, &n, NULL)) {
		if (!ent_checkpoint_parse(n.text, true, &c, NULL)) {
			struct ent_buf body = ENT_BUF(1024);
			ent_checkpoint_body(&c, &body);
			ENT_ASSERT(ent_bytes_eq(ent_buf_bytes(&body), n.text));
			ent_buf_deinit(&body);
		}
		for (size_t i = 0; i < n.line_count; i++)
			ENT_ASSERT(ent_note_check_line(n.text, &n.lines[i], &key, NULL, NULL));
	}
	(void)ent_note_parse_lines(in, &n, NULL);
	parse_proof(in);
	memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
	(void)ent_note_key_parse(text, &key, NULL);
	return 0;
}
