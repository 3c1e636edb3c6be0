#include "ledger/proof.h"

#define HEAD "c2sp.org/tlog-proof@v1\n"

void ent_tlog_proof_write(uint64_t index, const struct ent_proof *path, struct ent_bytes note, struct ent_buf *ret)
{
	ent_buf_printf(ret, HEAD "index %llu\n", (unsigned long long)index);
	for (size_t i = 0; i < path->count; i++) {
		ent_buf_base64(ret, path->at[i].b, ENT_HASH_BYTES);
		ent_buf_str(ret, "\n");
	}
	ent_buf_str(ret, "\n");
	ent_buf_put(ret, note.data, note.len);
}

/* Splits off one line; false when there is none. */
static bool cut_line(struct ent_bytes *text, struct ent_bytes *ret)
{
	const uint8_t *stop = text->len ? memchr(text->data, '\n', text->len) : NULL;
	if (!stop)
		return false;
	*ret = ent_bytes(text->data, (size_t)(stop - text->data));
	*text = ent_bytes(stop + 1, text->len - ret->len - 1);
	return true;
}

static int parse_path(struct ent_bytes *text, struct ent_proof *path, struct ent_err *err)
{
	struct ent_bytes line;
	while (cut_line(text, &line)) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(ENT_HASH_BYTES);
		if (line.len == 0)
			return 0;
		if (path->count == ENT_PROOF_MAX || !ent_unbase64(&raw, (const char *)line.data, line.len) || raw.len != ENT_HASH_BYTES)
			return ent_fail(err, ENT_EDATA, "not a proof: a hash is malformed");
		memcpy(path->at[path->count++].b, raw.data, ENT_HASH_BYTES);
	}
	return ent_fail(err, ENT_EDATA, "not a proof: no empty line before the checkpoint");
}

int ent_tlog_proof_parse(struct ent_bytes text, struct ent_tlog_proof *ret, struct ent_err *err)
{
	struct ent_tlog_proof p = { .index = 0 };
	struct ent_bytes line;
	if (text.len > ENT_TLOG_PROOF_MAX || !cut_line(&text, &line) || !ent_bytes_eq(line, ent_bytes(HEAD, strlen(HEAD) - 1)))
		return ent_fail(err, ENT_EDATA, "not a c2sp.org/tlog-proof@v1");
	if (!cut_line(&text, &line) || line.len < 7 || memcmp(line.data, "index ", 6) != 0 ||
	    !ent_parse_u64((const char *)line.data + 6, line.len - 6, INT64_MAX, &p.index))
		return ent_fail(err, ENT_EDATA, "not a proof: index is malformed");
	ENT_TRY(parse_path(&text, &p.path, err));
	p.note = text;
	ENT_TRY(ent_note_parse(text, &p.signed_note, err));
	ENT_TRY(ent_checkpoint_parse(p.signed_note.text, true, &p.checkpoint, err));
	*ret = p;
	return 0;
}
