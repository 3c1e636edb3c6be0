#include "ledger/ledger.h"

#include <stdio.h>
#include <stdlib.h>

#include "ledger/ledger_state.h"
#include "ledger/proof.h"

#define BATCH_MS_DEFAULT 250u
#define GROUP_MAX 8192u

static int add_leaf(void *arg, uint64_t index, struct ent_bytes entry, struct ent_err *err)
{
	struct ent_ledger *l = arg;
	ent_hash leaf;
	(void)index;
	ent_tree_leaf(entry, &leaf);
	return ent_tiles_add(&l->tiles, &leaf, err);
}

static struct ent_ledger *make(const struct ent_ledger_config *config)
{
	struct ent_ledger *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->config = *config;
	if (!l->config.batch_ms)
		l->config.batch_ms = BATCH_MS_DEFAULT;
	l->source = (struct ent_tree_source){ &l->tiles, ent_tiles_node };
	l->due_ms = UINT64_MAX;
	ent_buf_init(&l->signed_note, ENT_NOTE_BYTES_MAX);
	ent_buf_init(&l->served, ENT_NOTE_BYTES_MAX);
	return l;
}

static void freep(struct ent_ledger **l) { ent_ledger_free(*l); }

void ent_ledger_free(struct ent_ledger *l)
{
	if (!l)
		return;
	ent_segments_deinit(&l->segments);
	ent_tiles_deinit(&l->tiles);
	ent_buf_deinit(&l->signed_note);
	ent_buf_deinit(&l->served);
	for (size_t i = 0; i < l->crossref_count; i++)
		ent_buf_deinit(&l->crossrefs[i].note);
	free(l);
}

/* Only a file that is surely missing makes room for a new ledger; any other trouble is an error. */
static int is_there(const struct ent_ledger_config *config, bool *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	char path[300];
	snprintf(path, sizeof path, "%.200s/signed", config->dir);
	int code = config->fs->ops->open(config->fs, path, ENT_OPEN_READ, 0, &f, err);
	*ret = !code;
	return code == ENT_ENOTFOUND ? 0 : code;
}

/* Tiles over the full segments come from disk; the last segment's leaves are added while it is replayed. */
struct opening {
	struct ent_ledger *l;
	bool started;
};

static int start_tiles(struct opening *o, uint64_t first, struct ent_err *err)
{
	struct ent_ledger *l = o->l;
	if (o->started)
		return 0;
	ENT_TRY(ent_tiles_open(&l->tiles, l->config.fs, l->config.dir, first, err));
	l->tiles.compare = true;
	o->started = true;
	return 0;
}

static int replay_entry(void *arg, uint64_t index, struct ent_bytes entry, struct ent_err *err)
{
	struct opening *o = arg;
	ENT_TRY(start_tiles(o, index, err)); /* the first one comes from the start of the segment */
	return add_leaf(o->l, index, entry, err);
}

int ent_ledger_open(const struct ent_ledger_config *config, struct ent_ledger **ret, struct ent_err *err)
{
	ENT_CLEANUP(freep) struct ent_ledger *l = make(config);
	struct opening o = { .l = l };
	bool there;
	if (!l)
		return ent_nomem(err);
	ENT_TRY(is_there(config, &there, err));
	if (!there)
		return ent_fail(err, ENT_ENOTFOUND, "no ledger in %s", config->dir);
	ENT_TRY(ent_segments_open(&l->segments, config->fs, config->dir, replay_entry, &o, err));
	ENT_TRY(start_tiles(&o, ent_segments_size(&l->segments), err));
	ENT_TRY(ent_ledger_recover(l, err));
	*ret = l;
	l = NULL;
	return 0;
}

int ent_ledger_create(const struct ent_ledger_config *config, struct ent_bytes card, struct ent_ledger **ret, struct ent_err *err)
{
	ENT_CLEANUP(freep) struct ent_ledger *l = make(config);
	ENT_JSON_AUTO envelope = NULL;
	ENT_JSON_AUTO fields = NULL;
	bool there;
	if (!l)
		return ent_nomem(err);
	ENT_TRY(is_there(config, &there, err));
	if (there) /* without it nothing was ever acknowledged: leftovers of a create that did not finish */
		return ent_fail(err, ENT_EDATA, "there is a ledger in %s already", config->dir);
	ENT_TRY(ent_json_parse_canonical(card, ENT_DSSE_BYTES_MAX, &envelope, err));
	fields = json_pack("{s:O}", "card", envelope);
	if (!fields)
		return ent_nomem(err);
	ENT_TRY(config->fs->ops->mkdir(config->fs, config->dir, 0700, err));
	ENT_TRY(config->fs->ops->sync_dir(config->fs, ".", err));
	ENT_TRY(ent_segments_create(&l->segments, config->fs, config->dir, err));
	ENT_TRY(ent_tiles_open(&l->tiles, config->fs, config->dir, 0, err));
	ENT_TRY(ent_ledger_add(l, ENT_ENTRY_MEMBER, fields, NULL, err));
	ENT_TRY(ent_ledger_publish(l, err));
	ENT_TRY(ent_ledger_cosigned(l, ent_bytes("", 0), err));
	*ret = l;
	l = NULL;
	return 0;
}

/* ---- append ---- */

struct check {
	struct ent_ledger *l;
	const struct ent_bytes *envelopes;
	struct ent_err *errs; /* one per worker task, size 0 = fine */
	size_t count, per_task;
};

static bool find_own(void *self, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES])
{
	const struct ent_ledger_config *c = self;
	uint8_t own[ENT_HASH_BYTES];
	ent_keyid(c->sign.pub, own);
	if (!memcmp(own, keyid, sizeof own)) {
		memcpy(ret_pub, c->sign.pub, ENT_PUB_BYTES);
		return true;
	}
	return c->ring.find && c->ring.find(c->ring.self, keyid, ret_pub);
}

static int check_one(struct ent_ledger *l, struct ent_bytes envelope, struct ent_err *err)
{
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	struct ent_keyring ring = { &l->config, find_own };
	ENT_TRY(ent_entry_open(envelope, &e, err));
	if (e.type == ENT_ENTRY_BLOCK || e.type == ENT_ENTRY_CROSSREF)
		return ent_fail(err, ENT_EDATA, "%s entries are written by the ledger itself", ent_entry_name(e.type));
	bool foreign = e.type != ENT_ENTRY_RUN && strcmp(e.actor, l->config.org) != 0;
	if (foreign && e.type != ENT_ENTRY_REQUEST) /* every participant of a job keeps the requester's own words */
		return ent_fail(err, ENT_EDATA, "an entry of %s does not belong into the ledger of %s", e.actor, l->config.org);
	if (!foreign && !ent_dsse_signed_by(&e.dsse, l->config.sign.pub))
		return ent_fail(err, ENT_EVERIFY, "the entry is not signed by %s", l->config.org);
	return ent_dsse_check(&e.dsse, &ring, err);
}

static void check_task(void *arg, size_t task)
{
	struct check *c = arg;
	size_t from = task * c->per_task, to = from + c->per_task < c->count ? from + c->per_task : c->count;
	for (size_t i = from; i < to; i++)
		if (check_one(c->l, c->envelopes[i], &c->errs[task]))
			return;
}

static int check_all(struct ent_ledger *l, const struct ent_bytes *envelopes, size_t count, struct ent_err *err)
{
	size_t workers = l->config.pool ? l->config.pool->workers : 1;
	size_t tasks = workers < count ? workers : count;
	if (tasks <= 1) {
		for (size_t i = 0; i < count; i++)
			ENT_TRY(check_one(l, envelopes[i], err));
		return 0;
	}
	struct check c = { l, envelopes, calloc(tasks, sizeof(struct ent_err)), count, (count + tasks - 1) / tasks };
	if (!c.errs)
		return ent_nomem(err);
	l->config.pool->run(l->config.pool, check_task, &c, tasks);
	int code = 0;
	for (size_t i = 0; i < tasks && !code; i++) {
		code = c.errs[i].code;
		if (code && err)
			*err = c.errs[i];
	}
	free(c.errs);
	return code;
}

struct group { /* what one append writes: perhaps a block, perhaps crossrefs, the caller's entries */
	struct ent_buf block, crossrefs;
	struct ent_bytes *parts;
	size_t count;
	uint64_t first; /* how many of them come before the caller's */
};

static void group_deinit(struct group *g)
{
	ent_buf_deinit(&g->block);
	ent_buf_deinit(&g->crossrefs);
	free(g->parts);
}

static int make_block(struct ent_ledger *l, struct ent_buf *ret, struct ent_err *err)
{
	uint8_t prev[ENT_HASH_BYTES] = { 0 };
	char hex[2 * ENT_HASH_BYTES + 1];
	if (l->next_block)
		ent_checkpoint_hash(&l->last, prev);
	ent_hex(hex, prev, sizeof prev);
	ENT_JSON_AUTO fields = json_pack("{s:I,s:s}", "number", (json_int_t)l->next_block, "prev", hex);
	if (!fields)
		return ent_nomem(err);
	ent_buf_init(ret, ENT_ENTRY_BYTES_MAX);
	return ent_entry_make(ENT_ENTRY_BLOCK, l->config.clock->utc_ms(l->config.clock), l->config.org, fields, &l->config.sign, ret, err);
}

static int make_crossref(struct ent_ledger *l, const struct ent_ledger_pending *p, struct ent_buf *ret, struct ent_err *err)
{
	ENT_JSON_AUTO fields = json_pack("{s:s%,s:s}", "checkpoint", p->note.data, p->note.len, "org", p->org);
	if (!fields)
		return ent_nomem(err);
	return ent_entry_make(ENT_ENTRY_CROSSREF, l->config.clock->utc_ms(l->config.clock), l->config.org, fields, &l->config.sign, ret, err);
}

static int build_crossrefs(struct ent_ledger *l, struct group *g, struct ent_err *err)
{
	size_t ends[ENT_CROSSREFS_MAX];
	ent_buf_init(&g->crossrefs, ENT_CROSSREFS_MAX * (size_t)ENT_ENTRY_BYTES_MAX);
	for (size_t i = 0; i < l->crossref_count; i++) {
		ENT_TRY(make_crossref(l, &l->crossrefs[i], &g->crossrefs, err));
		ends[i] = g->crossrefs.len;
	}
	for (size_t i = 0; i < l->crossref_count; i++) {
		size_t from = i ? ends[i - 1] : 0;
		g->parts[g->count++] = ent_bytes(g->crossrefs.data + from, ends[i] - from);
	}
	return 0;
}

static int build_group(struct ent_ledger *l, const struct ent_bytes *envelopes, size_t count, struct group *g, struct ent_err *err)
{
	g->parts = ent_alloc(count + 1 + ENT_CROSSREFS_MAX, sizeof *g->parts);
	if (!g->parts)
		return ent_nomem(err);
	if (ent_segments_size(&l->segments) == l->last.size) { /* a new batch */
		ENT_TRY(make_block(l, &g->block, err));
		g->parts[g->count++] = ent_buf_bytes(&g->block);
		g->first = 1;
	}
	for (size_t i = 0; i < count; i++)
		g->parts[g->count++] = envelopes[i];
	return build_crossrefs(l, g, err);
}

/* Writes across segment ends: a segment is closed only when its tiles are durable. */
static int write_group(struct ent_ledger *l, const struct group *g, struct ent_err *err)
{
	for (size_t done = 0; done < g->count;) {
		if (ent_segments_room(&l->segments) == 0) {
			ENT_TRY(ent_tiles_flush(&l->tiles, err));
			ENT_TRY(ent_segments_roll(&l->segments, err));
		}
		size_t n = ent_segments_room(&l->segments);
		if (n > g->count - done)
			n = g->count - done;
		if (n > GROUP_MAX)
			n = GROUP_MAX;
		size_t bytes = 0, fit = 0;
		while (fit < n && bytes + g->parts[done + fit].len + ENT_RECORD_HEAD <= ENT_GROUP_BYTES_MAX)
			bytes += g->parts[done + fit++].len + ENT_RECORD_HEAD;
		ENT_TRY(ent_segments_append(&l->segments, g->parts + done, fit, err));
		for (size_t i = 0; i < fit; i++)
			ENT_TRY(add_leaf(l, 0, g->parts[done + i], err));
		done += fit;
	}
	return 0;
}

int ent_ledger_append(struct ent_ledger *l, const struct ent_bytes *envelopes, size_t count, uint64_t *ret_first, struct ent_err *err)
{
	ENT_CLEANUP(group_deinit) struct group g = { 0 };
	if (l->failed)
		return ent_fail(err, ENT_EIO, "the ledger's disk failed before; it must be opened again");
	if (count == 0)
		return ent_fail(err, ENT_EDATA, "nothing to append");
	ENT_TRY(check_all(l, envelopes, count, err));
	ENT_TRY(build_group(l, envelopes, count, &g, err));
	uint64_t first = ent_segments_size(&l->segments) + g.first;
	l->failed = true;
	ENT_TRY(write_group(l, &g, err));
	l->failed = false;
	l->next_block += g.first;
	for (size_t i = 0; i < l->crossref_count; i++)
		ent_buf_deinit(&l->crossrefs[i].note);
	l->crossref_count = 0;
	if (!l->cause)
		l->due_ms = l->config.clock->mono_ms(l->config.clock) + l->config.batch_ms;
	l->cause = true;
	if (ret_first)
		*ret_first = first;
	return 0;
}

int ent_ledger_add(struct ent_ledger *l, int type, const json_t *fields, uint64_t *ret_index, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf envelope = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	ENT_TRY(ent_entry_make(type, l->config.clock->utc_ms(l->config.clock), l->config.org, fields, &l->config.sign, &envelope, err));
	struct ent_bytes one = ent_buf_bytes(&envelope);
	return ent_ledger_append(l, &one, 1, ret_index, err);
}

int ent_ledger_crossref(struct ent_ledger *l, const char *org, struct ent_bytes note, struct ent_err *err)
{
	struct ent_ledger_pending *p = NULL;
	if (!ent_org_valid(org) || note.len > ENT_DSSE_BYTES_MAX / 4)
		return ent_fail(err, ENT_EDATA, "not a peer's checkpoint");
	for (size_t i = 0; i < l->crossref_count; i++)
		if (!strcmp(l->crossrefs[i].org, org))
			p = &l->crossrefs[i];
	if (!p && l->crossref_count == ENT_CROSSREFS_MAX)
		return ent_fail(err, ENT_EAGAIN, "too many peers' checkpoints wait");
	if (!p) {
		p = &l->crossrefs[l->crossref_count++];
		snprintf(p->org, sizeof p->org, "%s", org);
		ent_buf_init(&p->note, ENT_NOTE_BYTES_MAX);
	}
	ent_buf_reset(&p->note);
	ent_buf_put(&p->note, note.data, note.len);
	return ent_buf_check(&p->note, err);
}

/* ---- publish ---- */

uint64_t ent_ledger_due_ms(const struct ent_ledger *l) { return l->due_ms; }

static int store_note(struct ent_ledger *l, const char *name, struct ent_bytes note, struct ent_err *err)
{
	char path[300];
	snprintf(path, sizeof path, "%.200s/%s", l->config.dir, name);
	return ent_fs_replace(l->config.fs, path, note, 0600, err);
}

static int sign_checkpoint(struct ent_ledger *l, const struct ent_checkpoint *c, struct ent_buf *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(512);
	ent_checkpoint_body(c, &body);
	ENT_TRY(ent_buf_check(&body, err));
	ent_buf_put(ret, body.data, body.len);
	ent_buf_str(ret, "\n");
	return ent_note_sign(ent_buf_bytes(&body), l->config.origin, ENT_NOTE_ED25519, 0, &l->config.log, ret, err);
}

int ent_ledger_publish(struct ent_ledger *l, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf note = ENT_BUF(ENT_NOTE_BYTES_MAX);
	struct ent_checkpoint next = { .size = ent_segments_size(&l->segments) };
	if (l->failed)
		return ent_fail(err, ENT_EIO, "the ledger's disk failed before; it must be opened again");
	if (!l->cause)
		return 0;
	snprintf(next.origin, sizeof next.origin, "%s", l->config.origin);
	ENT_ASSERT(next.size > l->last.size); /* never two roots for one size */
	l->failed = true;
	ENT_TRY(ent_tiles_flush(&l->tiles, err));
	ENT_TRY(ent_tree_root(&l->source, next.size, &next.root, err));
	ENT_TRY(sign_checkpoint(l, &next, &note, err));
	ENT_TRY(store_note(l, "signed", ent_buf_bytes(&note), err));
	l->failed = false;
	l->last = next;
	ent_buf_reset(&l->signed_note);
	ent_buf_put(&l->signed_note, note.data, note.len);
	l->cause = false;
	l->due_ms = UINT64_MAX;
	return ent_buf_check(&l->signed_note, err);
}

int ent_ledger_cosigned(struct ent_ledger *l, struct ent_bytes lines, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf note = ENT_BUF(ENT_NOTE_BYTES_MAX);
	ent_buf_put(&note, l->signed_note.data, l->signed_note.len);
	ent_buf_put(&note, lines.data, lines.len);
	ENT_TRY(ent_buf_check(&note, err));
	ENT_TRY(store_note(l, "checkpoint", ent_buf_bytes(&note), err));
	ent_buf_reset(&l->served);
	ent_buf_put(&l->served, note.data, note.len);
	l->served_point = l->last;
	return ent_buf_check(&l->served, err);
}

void ent_ledger_rekey(struct ent_ledger *l, const struct ent_signer *sign, const struct ent_signer *log)
{
	l->config.sign = *sign;
	l->config.log = *log;
}

/* ---- reading ---- */

uint64_t ent_ledger_size(const struct ent_ledger *l) { return ent_segments_size(&l->segments); }
const struct ent_checkpoint *ent_ledger_signed(const struct ent_ledger *l) { return &l->last; }
struct ent_bytes ent_ledger_signed_note(const struct ent_ledger *l) { return ent_buf_bytes(&l->signed_note); }
struct ent_bytes ent_ledger_served_note(const struct ent_ledger *l) { return ent_buf_bytes(&l->served); }

int ent_ledger_entry(struct ent_ledger *l, uint64_t index, struct ent_buf *ret, struct ent_err *err)
{
	return ent_segments_read(&l->segments, index, ret, err);
}

static int check_size(const struct ent_ledger *l, uint64_t size, struct ent_err *err)
{
	if (size <= l->tiles.size)
		return 0;
	return ent_fail(err, ENT_ENOTFOUND, "the ledger has %llu entries, not %llu", (unsigned long long)l->tiles.size, (unsigned long long)size);
}

int ent_ledger_root(struct ent_ledger *l, uint64_t size, ent_hash *ret, struct ent_err *err)
{
	ENT_TRY(check_size(l, size, err));
	return ent_tree_root(&l->source, size, ret, err);
}

int ent_ledger_inclusion(struct ent_ledger *l, uint64_t index, uint64_t size, struct ent_proof *ret, struct ent_err *err)
{
	ENT_TRY(check_size(l, size, err));
	return ent_tree_inclusion(&l->source, index, size, ret, err);
}

int ent_ledger_consistency(struct ent_ledger *l, uint64_t old, uint64_t size, struct ent_proof *ret, struct ent_err *err)
{
	ENT_TRY(check_size(l, size, err));
	return ent_tree_consistency(&l->source, old, size, ret, err);
}

int ent_ledger_prove(struct ent_ledger *l, uint64_t index, struct ent_buf *ret, struct ent_err *err)
{
	struct ent_proof path;
	if (index >= l->served_point.size && index < ent_ledger_size(l))
		return ent_fail(err, ENT_EAGAIN, "entry %llu is durable, its checkpoint comes within a second", (unsigned long long)index);
	ENT_TRY(ent_ledger_inclusion(l, index, l->served_point.size, &path, err));
	ent_tlog_proof_write(index, &path, ent_buf_bytes(&l->served), ret);
	return ent_buf_check(ret, err);
}

static int visit(struct ent_ledger *l, uint64_t index, int (*each)(void *, uint64_t, const struct ent_entry *), void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bytes = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	ENT_TRY(ent_ledger_entry(l, index, &bytes, err));
	ENT_TRY(ent_entry_open(ent_buf_bytes(&bytes), &e, err));
	return each(arg, index, &e);
}

int ent_ledger_each(struct ent_ledger *l, uint64_t from, uint64_t to, int (*each)(void *arg, uint64_t index, const struct ent_entry *entry),
		    void *arg, struct ent_err *err)
{
	for (uint64_t i = from; i < to; i++)
		ENT_TRY(visit(l, i, each, arg, err));
	for (uint64_t i = from; i > to; i--)
		ENT_TRY(visit(l, i - 1, each, arg, err));
	return 0;
}
