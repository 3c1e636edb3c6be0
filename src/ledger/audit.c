/* The whole log, read again from its files with nothing believed: leaves, tiles, links, signatures, checkpoints, contents. */
#include "ledger/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "ledger/segment.h"
#include "ledger/tile.h"

#define CARDS_MAX 1024

struct point { /* a stored note and the root the entries give at its size */
	const char *name;
	struct ent_buf bytes;
	struct ent_note note;
	struct ent_checkpoint said;
	ent_hash root;
	bool reached, at_block_end;
};

struct audit {
	struct ent_fs *fs;
	const char *dir;
	struct ent_audit *out;
	struct ent_frontier tree;
	ent_hash edge[ENT_TILE_LEVELS][ENT_TILE_WIDTH];
	struct ent_card *cards; /* every version ever introduced; [0] is the newest of our own */
	size_t card_count;
	struct ent_buf first; /* entry 0, whose signer is known after entry 1 */
	struct point signed_point, served;
	struct ent_buf index; /* offsets of the segment being read */
	uint64_t offset;
};

static int damaged(struct audit *a, struct ent_err *err, const char *why, const char *fmt, ...) ENT_PRINTF(4, 5);
static int damaged(struct audit *a, struct ent_err *err, const char *why, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(a->out->damaged, sizeof a->out->damaged, fmt, ap);
	va_end(ap);
	ent_fail(err, ENT_EVERIFY, "the ledger is damaged: %s", a->out->damaged);
	ent_why(err, "%s", why);
	ent_next(err, "do not append; compare with a backup and with the peers' copies of the checkpoint");
	return ENT_EVERIFY;
}

static int bad_entry(struct audit *a, uint64_t index, const char *why, struct ent_err *err)
{
	return damaged(a, err, why, "entry %llu", (unsigned long long)index);
}

/* ---- keys ---- */

static bool find_key(void *self, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES])
{
	struct audit *a = self;
	for (size_t i = 0; i < a->card_count; i++) {
		uint8_t id[ENT_HASH_BYTES];
		ent_keyid(a->cards[i].keys[ENT_KEY_SIGN], id);
		if (!memcmp(id, keyid, sizeof id)) {
			memcpy(ret_pub, a->cards[i].keys[ENT_KEY_SIGN], ENT_PUB_BYTES);
			return true;
		}
	}
	return false;
}

static int keep_card(struct audit *a, const struct ent_card *card, struct ent_err *err)
{
	if (a->card_count == CARDS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d member cards in one ledger", CARDS_MAX);
	a->cards[a->card_count++] = *card;
	return 0;
}

/* Our own next card follows the rules of updates; those of others were a person's decision. */
static int own_update(struct audit *a, const struct ent_entry *e, uint64_t index, struct ent_card *card, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX);
	enum ent_card_step step;
	ENT_TRY(ent_json_canonical(json_object_get(e->dsse.body, "card"), &text, err));
	if (ent_card_update(&a->cards[0], ent_buf_bytes(&text), &step, card, NULL))
		return bad_entry(a, index, "a card of this organisation that its old key did not sign", err);
	ENT_TRY(keep_card(a, &a->cards[0], err));
	a->cards[0] = *card;
	return 0;
}

static int learn_card(struct audit *a, const struct ent_entry *e, uint64_t index, struct ent_err *err)
{
	struct ent_card card;
	if (ent_card_open_json(json_object_get(e->dsse.body, "card"), &card, NULL))
		return bad_entry(a, index, "the member card in it is not valid", err);
	if (index > 1 && !strcmp(card.org, a->cards[0].org))
		return own_update(a, e, index, &card, err);
	return keep_card(a, &card, err);
}

/* Does the only signature belong to the organisation that the entry names? */
static bool signed_by_org(const struct audit *a, const struct ent_entry *e)
{
	for (size_t i = 0; i < a->card_count; i++)
		if (!strcmp(a->cards[i].org, e->actor) && e->dsse.sig_count == 1 && ent_dsse_signed_by(&e->dsse, a->cards[i].keys[ENT_KEY_SIGN]))
			return true;
	return false;
}

static int check_signatures(struct audit *a, const struct ent_entry *e, uint64_t index, struct ent_err *err)
{
	struct ent_keyring ring = { a, find_key };
	struct ent_err inner = ENT_ERR_INIT;
	bool foreign = e->type != ENT_ENTRY_RUN && strcmp(e->actor, a->cards[0].org) != 0;
	if (foreign && (e->type != ENT_ENTRY_REQUEST || !signed_by_org(a, e)))
		return bad_entry(a, index, "made by another organisation, and no request of it", err);
	if (!foreign && !ent_dsse_signed_by(&e->dsse, a->cards[0].keys[ENT_KEY_SIGN]))
		return bad_entry(a, index, "not signed by the key of this ledger's organisation", err);
	if (ent_dsse_check(&e->dsse, &ring, &inner))
		return bad_entry(a, index, inner.what, err);
	a->out->signatures += e->dsse.sig_count;
	return 0;
}

/* ---- links ---- */

static int check_block(struct audit *a, const struct ent_entry *e, uint64_t index, struct ent_err *err)
{
	uint8_t prev[ENT_HASH_BYTES], want[ENT_HASH_BYTES] = { 0 };
	struct ent_checkpoint c = { .size = index };
	int64_t number;
	if (index) {
		memcpy(c.origin, a->cards[0].origin, strlen(a->cards[0].origin));
		ent_frontier_root(&a->tree, &c.root);
		ent_checkpoint_hash(&c, want);
	}
	if (ent_json_int(e->dsse.body, "number", 0, INT64_MAX, &number, NULL) || (uint64_t)number != a->out->blocks ||
	    ent_json_hex(e->dsse.body, "prev", prev, sizeof prev, NULL) || memcmp(prev, want, sizeof prev) != 0)
		return bad_entry(a, index, "its number or previous hash does not continue the chain of blocks", err);
	a->out->blocks++;
	return 0;
}

static void reach(struct audit *a, struct point *p, bool block_follows)
{
	if (!p->bytes.len || p->said.size != a->tree.size)
		return;
	ent_frontier_root(&a->tree, &p->root);
	p->reached = true;
	p->at_block_end = block_follows;
}

static int check_entry(struct audit *a, struct ent_bytes bytes, uint64_t index, struct ent_err *err)
{
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	struct ent_err inner = ENT_ERR_INIT;
	if (ent_entry_open(bytes, &e, &inner))
		return bad_entry(a, index, inner.what, err);
	if ((index == 0 && e.type != ENT_ENTRY_BLOCK) || (index == 1 && e.type != ENT_ENTRY_MEMBER))
		return bad_entry(a, index, "a ledger starts with block 0 and its own member card", err);
	reach(a, &a->signed_point, e.type == ENT_ENTRY_BLOCK);
	reach(a, &a->served, e.type == ENT_ENTRY_BLOCK);
	if (e.type == ENT_ENTRY_BLOCK)
		ENT_TRY(check_block(a, &e, index, err));
	if (index == 1)
		ENT_TRY(learn_card(a, &e, index, err));
	if (index >= 1)
		ENT_TRY(check_signatures(a, &e, index, err));
	if (index > 1 && (e.type == ENT_ENTRY_MEMBER || e.type == ENT_ENTRY_KEY))
		ENT_TRY(learn_card(a, &e, index, err));
	return 0;
}

static int check_first(struct audit *a, struct ent_err *err)
{
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	ENT_TRY(ent_entry_open(ent_buf_bytes(&a->first), &e, err));
	return check_signatures(a, &e, 0, err);
}

/* ---- tiles ---- */

static int check_tile(struct audit *a, unsigned level, uint64_t number, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(ENT_TILE_BYTES);
	char path[300];
	ent_tile_path(a->dir, level, number, path);
	int code = ent_fs_read(a->fs, path, ENT_TILE_BYTES, &raw, NULL);
	bool covered = (number + 1) << (8 * (level + 1)) <= a->signed_point.said.size;
	if (code == ENT_ENOTFOUND && !covered)
		return 0; /* made when its batch is published */
	if (code || !ent_bytes_eq(ent_buf_bytes(&raw), ent_bytes(a->edge[level], ENT_TILE_BYTES)))
		return damaged(a, err, code ? "the tile cannot be read" : "its hashes are not those of the entries", "%s", path + strlen(a->dir) + 1);
	return 0;
}

static int add_leaf(struct audit *a, struct ent_bytes entry, struct ent_err *err)
{
	ent_hash h;
	uint64_t index = a->tree.size;
	ent_tree_leaf(entry, &h);
	ent_frontier_add(&a->tree, &h);
	for (unsigned level = 0; level < ENT_TILE_LEVELS; level++) {
		uint64_t slot = index >> (8 * level);
		a->edge[level][slot % ENT_TILE_WIDTH] = h;
		if (slot % ENT_TILE_WIDTH != ENT_TILE_WIDTH - 1)
			break;
		ENT_TRY(check_tile(a, level, slot / ENT_TILE_WIDTH, err));
		struct ent_frontier whole = { 0 };
		for (unsigned i = 0; i < ENT_TILE_WIDTH; i++)
			ent_frontier_add(&whole, &a->edge[level][i]);
		ent_frontier_root(&whole, &h);
	}
	return 0;
}

static int each_entry(void *arg, uint64_t index, struct ent_bytes entry, struct ent_err *err)
{
	struct audit *a = arg;
	ENT_TRY(check_entry(a, entry, index, err));
	ENT_TRY(add_leaf(a, entry, err));
	a->out->entries++;
	ent_buf_le64(&a->index, a->offset);
	a->offset += ENT_RECORD_HEAD + entry.len;
	if (index == 0)
		ent_buf_put(&a->first, entry.data, entry.len);
	return index == 1 ? check_first(a, err) : ent_buf_check(&a->index, err);
}

/* ---- files ---- */

static int load_point(struct audit *a, struct point *p, const char *name, struct ent_err *err)
{
	char path[300];
	p->name = name;
	ent_buf_init(&p->bytes, ENT_NOTE_BYTES_MAX);
	snprintf(path, sizeof path, "%.200s/%s", a->dir, name);
	int code = ent_fs_read(a->fs, path, ENT_NOTE_BYTES_MAX, &p->bytes, err);
	if (code == ENT_ENOTFOUND && p == &a->served)
		return 0;
	ENT_TRY(code);
	if (ent_note_parse(ent_buf_bytes(&p->bytes), &p->note, NULL) || ent_checkpoint_parse(p->note.text, true, &p->said, NULL))
		return damaged(a, err, "not a signed checkpoint", "%s", name);
	return 0;
}

static bool line_known(struct audit *a, const struct point *p, const struct ent_note_line *line)
{
	for (size_t i = 0; i < a->card_count; i++) {
		bool own = !strcmp(a->cards[i].org, a->cards[0].org);
		struct ent_note_key key = { .alg = own ? ENT_NOTE_ED25519 : ENT_NOTE_COSIGNATURE };
		snprintf(key.name, sizeof key.name, "%s%s", a->cards[i].origin, own ? "" : "/witness");
		memcpy(key.pub, a->cards[i].keys[own ? ENT_KEY_LOG : ENT_KEY_WITNESS], ENT_PUB_BYTES);
		if (ent_note_line_is(line, &key) && !ent_note_check_line(p->note.text, line, &key, NULL, NULL))
			return true;
	}
	return false;
}

static int check_point(struct audit *a, struct point *p, struct ent_err *err)
{
	if (!p->bytes.len)
		return 0;
	reach(a, p, true); /* the end of the entries counts as the end of a block */
	if (strcmp(p->said.origin, a->cards[0].origin) != 0)
		return damaged(a, err, "the origin is another one", "%s", p->name);
	if (!p->reached)
		return damaged(a, err, "entries that a checkpoint covers are missing", "entry %llu", (unsigned long long)a->tree.size);
	if (!p->at_block_end || memcmp(&p->root, &p->said.root, sizeof p->root) != 0)
		return damaged(a, err, "size or root is not that of the entries", "%s", p->name);
	for (size_t i = 0; i < p->note.line_count; i++)
		if (!line_known(a, p, &p->note.lines[i]))
			return damaged(a, err, "a signature line that no key in this ledger made", "%s", p->name);
	a->out->signatures += p->note.line_count;
	return 0;
}

static int check_index(struct audit *a, uint64_t number, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF((ENT_SEGMENT_ENTRIES + 1) * sizeof(uint64_t));
	char path[300];
	snprintf(path, sizeof path, "%.200s/segment/%08llu.index", a->dir, (unsigned long long)number);
	ent_buf_le64(&a->index, a->offset);
	int code = ent_fs_read(a->fs, path, raw.max, &raw, NULL);
	if (code == ENT_ENOTFOUND) /* a hint, made again when missing */
		return 0;
	if (code || !ent_bytes_eq(ent_buf_bytes(&raw), ent_buf_bytes(&a->index)))
		return damaged(a, err, "its offsets are not those of the segment", "%s", path + strlen(a->dir) + 1);
	return 0;
}

static int walk(struct audit *a, struct ent_err *err)
{
	char path[300];
	for (uint64_t number = 0;; number++) {
		uint32_t count;
		bool clean;
		snprintf(path, sizeof path, "%.200s/segment/%08llu", a->dir, (unsigned long long)number);
		if (number && !ent_fs_exists(a->fs, path))
			break;
		ent_buf_reset(&a->index);
		a->offset = ENT_SEGMENT_HEAD;
		int code = ent_segment_replay(a->fs, a->dir, number, each_entry, a, &count, &clean, err);
		if (code == ENT_EVERIFY && !a->out->damaged[0])
			return damaged(a, err, "its first bytes are not a segment's", "%s", path + strlen(a->dir) + 1);
		ENT_TRY(code);
		snprintf(path, sizeof path, "%.200s/segment/%08llu", a->dir, (unsigned long long)number + 1);
		bool last = !ent_fs_exists(a->fs, path);
		if (!clean || (!last && count != ENT_SEGMENT_ENTRIES))
			return bad_entry(a, a->tree.size, "its record is changed, cut short or missing", err);
		if (!last)
			ENT_TRY(check_index(a, number, err));
	}
	return a->tree.size >= 2 ? 0 : bad_entry(a, a->tree.size, "a ledger starts with block 0 and its own member card", err);
}

struct contents {
	struct audit *a;
	struct ent_err *err;
	char folder[300];
	int code;
};

static void one_content(void *arg, const char *name)
{
	struct contents *c = arg;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF((size_t)1 << 30);
	uint8_t want[ENT_HASH_BYTES], hash[ENT_HASH_BYTES];
	char path[400];
	if (c->code || !ent_unhex(want, sizeof want, name, strlen(name)))
		return;
	snprintf(path, sizeof path, "%s/%s", c->folder, name);
	c->code = ent_fs_read(c->a->fs, path, raw.max, &raw, c->err);
	ent_sha256(raw.data, raw.len, hash);
	if (!c->code && memcmp(hash, want, sizeof want) != 0)
		c->code = damaged(c->a, c->err, "it does not match its commitment", "%s", path + strlen(c->a->dir) + 1);
}

static int check_contents(struct audit *a, struct ent_err *err)
{
	struct contents c = { .a = a, .err = err };
	for (unsigned i = 0; i < 256 && !c.code; i++) {
		snprintf(c.folder, sizeof c.folder, "%.200s/content/%02x", a->dir, i);
		int code = a->fs->ops->list(a->fs, c.folder, one_content, &c, NULL);
		if (code && code != ENT_ENOTFOUND)
			return ent_fail(err, code, "%s cannot be listed", c.folder);
	}
	return c.code;
}

static int run(struct audit *a, struct ent_err *err)
{
	ENT_TRY(load_point(a, &a->signed_point, "signed", err));
	ENT_TRY(load_point(a, &a->served, "checkpoint", err));
	ENT_TRY(walk(a, err));
	ENT_TRY(check_point(a, &a->signed_point, err));
	ENT_TRY(check_point(a, &a->served, err));
	a->out->own = a->cards[0];
	a->out->last = a->signed_point.said;
	return check_contents(a, err);
}

int ent_audit_run(struct ent_fs *fs, const char *dir, struct ent_audit *ret, struct ent_err *err)
{
	struct audit *a = calloc(1, sizeof *a);
	*ret = (struct ent_audit){ 0 };
	if (!a)
		return ent_nomem(err);
	a->fs = fs;
	a->dir = dir;
	a->out = ret;
	a->cards = calloc(CARDS_MAX, sizeof *a->cards);
	ent_buf_init(&a->first, ENT_ENTRY_BYTES_MAX);
	ent_buf_init(&a->index, (ENT_SEGMENT_ENTRIES + 1) * sizeof(uint64_t));
	int code = a->cards ? run(a, err) : ent_nomem(err);
	free(a->cards);
	ent_buf_deinit(&a->first);
	ent_buf_deinit(&a->index);
	ent_buf_deinit(&a->signed_point.bytes);
	ent_buf_deinit(&a->served.bytes);
	free(a);
	return code;
}
