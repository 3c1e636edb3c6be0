/* Opening a log after any end: a torn tail is gone, tiles are made again, and the last signed checkpoint must still be true. */
#include <stdio.h>

#include "ledger/ledger_state.h"

static bool is_type(struct ent_bytes envelope, int type)
{
	char want[64];
	int n = snprintf(want, sizeof want, "application/vnd.entente.%s.v1+json", ent_entry_name(type));
	return memmem(envelope.data, envelope.len, want, (size_t)n) != NULL;
}

static int open_at(struct ent_ledger *l, uint64_t index, struct ent_entry *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	ENT_TRY(ent_segments_read(&l->segments, index, &bytes, err));
	return ent_entry_open(ent_buf_bytes(&bytes), ret, err);
}

static int block_number(struct ent_ledger *l, uint64_t index, uint64_t *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	int64_t number;
	ENT_TRY(open_at(l, index, &e, err));
	if (e.type != ENT_ENTRY_BLOCK)
		return ent_fail(err, ENT_EVERIFY, "entry %llu is not the block it has to be", (unsigned long long)index);
	ENT_TRY(ent_json_int(e.dsse.body, "number", 0, INT64_MAX, &number, err));
	*ret = (uint64_t)number;
	return 0;
}

/* The newest block entry before `end`. */
static int last_block(struct ent_ledger *l, uint64_t end, uint64_t *ret_number, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	for (uint64_t i = end; i-- > 0;) {
		ent_buf_reset(&bytes);
		ENT_TRY(ent_segments_read(&l->segments, i, &bytes, err));
		if (is_type(ent_buf_bytes(&bytes), ENT_ENTRY_BLOCK)) /* payloads are base64: only a block's own type can read so */
			return block_number(l, i, ret_number, err);
	}
	return ent_fail(err, ENT_EVERIFY, "the ledger has no block");
}

static int find_cause(struct ent_ledger *l, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	for (uint64_t i = l->last.size; i < ent_segments_size(&l->segments) && !l->cause; i++) {
		ent_buf_reset(&bytes);
		ENT_TRY(ent_segments_read(&l->segments, i, &bytes, err));
		l->cause = !is_type(ent_buf_bytes(&bytes), ENT_ENTRY_BLOCK) && !is_type(ent_buf_bytes(&bytes), ENT_ENTRY_CROSSREF);
	}
	return 0;
}

int ent_ledger_load_note(struct ent_ledger *l, const char *name, struct ent_buf *note, struct ent_checkpoint *ret, struct ent_err *err)
{
	struct ent_note parsed;
	struct ent_checkpoint c;
	ent_hash root;
	char path[300];
	snprintf(path, sizeof path, "%s/%s", l->config.dir, name);
	ent_buf_init(note, ENT_NOTE_BYTES_MAX);
	ENT_TRY(ent_fs_read(l->config.fs, path, ENT_NOTE_BYTES_MAX, note, err));
	if (ent_note_parse(ent_buf_bytes(note), &parsed, NULL) || ent_checkpoint_parse(parsed.text, true, &c, NULL) ||
	    strcmp(c.origin, l->config.origin) != 0)
		return ent_fail(err, ENT_EVERIFY, "%s is damaged: not a checkpoint of this ledger", path);
	if (c.size > ent_segments_size(&l->segments)) {
		ent_fail(err, ENT_EVERIFY, "the ledger lost entries: %llu are there, a checkpoint of %llu was signed",
			 (unsigned long long)ent_segments_size(&l->segments), (unsigned long long)c.size);
		ent_next(err, "restore the newest backup and let the peers' checkpoints decide");
		return ENT_EVERIFY;
	}
	ENT_TRY(ent_tree_root(&l->source, c.size, &root, err));
	if (memcmp(root.b, c.root.b, sizeof root.b) != 0)
		return ent_fail(err, ENT_EVERIFY,
				"the entries on disk are not those of the signed checkpoint of size %llu; run: entente ledger verify",
				(unsigned long long)c.size);
	*ret = c;
	return 0;
}

static int check_signed(struct ent_ledger *l, struct ent_err *err)
{
	struct ent_note_key key = { .alg = ENT_NOTE_ED25519 };
	struct ent_note parsed;
	snprintf(key.name, sizeof key.name, "%s", l->config.origin);
	memcpy(key.pub, l->config.log.pub, ENT_PUB_BYTES);
	ENT_TRY(ent_note_parse(ent_buf_bytes(&l->signed_note), &parsed, err));
	for (size_t i = 0; i < parsed.line_count; i++)
		if (ent_note_line_is(&parsed.lines[i], &key))
			return ent_note_check_line(parsed.text, &parsed.lines[i], &key, NULL, err);
	return 0; /* signed by the log key before a rotation */
}

int ent_ledger_recover(struct ent_ledger *l, struct ent_err *err)
{
	uint64_t size = ent_segments_size(&l->segments);
	l->tiles.compare = false;
	ENT_TRY(ent_tiles_flush(&l->tiles, err));
	ENT_TRY(ent_ledger_load_note(l, "signed", &l->signed_note, &l->last, err));
	ENT_TRY(check_signed(l, err));
	if (size > l->last.size)
		ENT_TRY(block_number(l, l->last.size, &l->next_block, err));
	else
		ENT_TRY(last_block(l, size, &l->next_block, err));
	l->next_block++;
	ENT_TRY(find_cause(l, err));
	l->due_ms = l->cause ? l->config.clock->mono_ms(l->config.clock) : UINT64_MAX;
	if (ent_ledger_load_note(l, "checkpoint", &l->served, &l->served_point, NULL) || l->served_point.size > l->last.size) {
		ent_buf_reset(&l->served); /* a convenience only: the signed one is served instead */
		ent_buf_put(&l->served, l->signed_note.data, l->signed_note.len);
		l->served_point = l->last;
	}
	return ent_buf_check(&l->served, err);
}
