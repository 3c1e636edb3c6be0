#include "ledger/segment.h"

#include <stdio.h>
#include <stdlib.h>

#include "ledger/crc32c.h"

#define CHUNK_BYTES (1u << 20)
#define NO_SEGMENT UINT64_MAX

struct record {
	uint32_t len, back, crc;
};

static void path_of(const char *dir, uint64_t number, const char *tail, char ret[300])
{
	snprintf(ret, 300, "%.200s/segment/%08llu%s", dir, (unsigned long long)number, tail);
}

static uint32_t record_crc(uint64_t number, uint64_t at, uint32_t len, uint32_t back, const uint8_t *data)
{
	uint8_t head[24];
	for (unsigned i = 0; i < 8; i++) {
		head[i] = (uint8_t)(number >> (8 * i));
		head[8 + i] = (uint8_t)(at >> (8 * i));
	}
	for (unsigned i = 0; i < 4; i++) {
		head[16 + i] = (uint8_t)(len >> (8 * i));
		head[20 + i] = (uint8_t)(back >> (8 * i));
	}
	return ent_crc32c(ent_crc32c(0, head, sizeof head), data, len);
}

static struct record parse_head(const uint8_t *p)
{
	struct ent_reader r = ent_reader(ent_bytes(p, ENT_RECORD_HEAD));
	struct record rec;
	rec.len = ent_read_le32(&r);
	rec.back = ent_read_le32(&r);
	rec.crc = ent_read_le32(&r);
	return rec;
}

/* A window over a file that moves forward (or jumps). */
struct window {
	struct ent_file *f;
	uint64_t at, size;
	uint8_t *data;
	size_t have;
};

static void window_deinit(struct window *w) { free(w->data); }

static int window_init(struct window *w, struct ent_file *f, struct ent_err *err)
{
	*w = (struct window){ .f = f };
	ENT_TRY(f->ops->size(f, &w->size, err));
	w->data = malloc(CHUNK_BYTES);
	return w->data ? 0 : ent_nomem(err);
}

/* Lends len bytes at `at`, or NULL in *ret when the file ends before. */
static int window_get(struct window *w, uint64_t at, size_t len, const uint8_t **ret, struct ent_err *err)
{
	*ret = NULL;
	if (at > w->size || w->size - at < len)
		return 0;
	if (at < w->at || at + len > w->at + w->have) {
		ENT_TRY(w->f->ops->read_at(w->f, at, w->data, CHUNK_BYTES, &w->have, err));
		w->at = at;
		if (w->have < len)
			return 0;
	}
	*ret = w->data + (at - w->at);
	return 0;
}

/* A good record at `at`, or NULL in *ret. */
static int good_record(struct window *w, uint64_t number, uint64_t at, struct record *rec, const uint8_t **ret, struct ent_err *err)
{
	const uint8_t *p;
	*ret = NULL;
	ENT_TRY(window_get(w, at, ENT_RECORD_HEAD, &p, err));
	if (!p)
		return 0;
	*rec = parse_head(p);
	if (rec->len == 0 || rec->len > ENT_ENTRY_BYTES_MAX || rec->back > at - ENT_SEGMENT_HEAD)
		return 0;
	ENT_TRY(window_get(w, at, ENT_RECORD_HEAD + (size_t)rec->len, &p, err));
	if (p && record_crc(number, at, rec->len, rec->back, p + ENT_RECORD_HEAD) == rec->crc)
		*ret = p + ENT_RECORD_HEAD;
	return 0;
}

/* Is there a later group? Then the bytes at `bad` were durable when it was written. */
static int was_durable(struct window *w, uint64_t number, uint64_t bad, bool *ret, struct ent_err *err)
{
	*ret = false;
	for (uint64_t at = bad + 1; at + ENT_RECORD_HEAD < w->size; at++) {
		struct record rec;
		const uint8_t *p;
		ENT_TRY(good_record(w, number, at, &rec, &p, err));
		if (p && at - rec.back > bad) {
			*ret = true;
			return 0;
		}
	}
	return 0;
}

struct replay {
	uint64_t number, end, last_group; /* where the last group of records starts */
	uint32_t count;
	uint64_t *offsets; /* may be NULL */
};

static int replay_window(struct window *w, struct replay *r, ent_segment_each each, void *arg, struct ent_err *err)
{
	struct record rec;
	const uint8_t *p;
	r->end = r->last_group = ENT_SEGMENT_HEAD;
	for (r->count = 0; r->count < ENT_SEGMENT_ENTRIES; r->count++) {
		if (r->offsets)
			r->offsets[r->count] = r->end;
		ENT_TRY(good_record(w, r->number, r->end, &rec, &p, err));
		if (!p)
			return 0;
		if (each)
			ENT_TRY(each(arg, r->number * ENT_SEGMENT_ENTRIES + r->count, ent_bytes(p, rec.len), err));
		r->last_group = r->end - rec.back;
		r->end += ENT_RECORD_HEAD + rec.len;
	}
	if (r->offsets)
		r->offsets[r->count] = r->end;
	return 0;
}

static int check_head(struct window *w, uint64_t number, struct ent_err *err)
{
	const uint8_t *p;
	ENT_TRY(window_get(w, 0, ENT_SEGMENT_HEAD, &p, err));
	if (!p || memcmp(p, ENT_SEGMENT_MAGIC, ENT_SEGMENT_HEAD) != 0)
		return ent_fail(err, ENT_EVERIFY, "segment %llu is damaged: its first bytes are not a segment's", (unsigned long long)number);
	return 0;
}

static int open_file(struct ent_fs *fs, const char *dir, uint64_t number, int flags, struct ent_file **ret, struct ent_err *err)
{
	char path[300];
	path_of(dir, number, "", path);
	return fs->ops->open(fs, path, flags, 0600, ret, err);
}

int ent_segment_replay(struct ent_fs *fs, const char *dir, uint64_t number, ent_segment_each each, void *arg, uint32_t *ret_count, bool *ret_clean,
		       struct ent_err *err)
{
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	ENT_CLEANUP(window_deinit) struct window w = { 0 };
	struct replay r = { .number = number };
	ENT_TRY(open_file(fs, dir, number, ENT_OPEN_READ, &f, err));
	ENT_TRY(window_init(&w, f, err));
	ENT_TRY(check_head(&w, number, err));
	ENT_TRY(replay_window(&w, &r, each, arg, err));
	*ret_count = r.count;
	*ret_clean = r.end == w.size;
	return 0;
}

static int start_tail(struct ent_segments *s, uint64_t number, struct ent_err *err)
{
	char folder[300];
	ent_file_closep(&s->tail);
	ENT_TRY(open_file(s->fs, s->dir, number, ENT_OPEN_WRITE | ENT_OPEN_CREATE | ENT_OPEN_TRUNC, &s->tail, err));
	ENT_TRY(s->tail->ops->write_at(s->tail, 0, ENT_SEGMENT_MAGIC, ENT_SEGMENT_HEAD, err));
	ENT_TRY(s->tail->ops->sync(s->tail, err));
	snprintf(folder, sizeof folder, "%s/segment", s->dir);
	ENT_TRY(s->fs->ops->sync_dir(s->fs, folder, err));
	s->tail_number = number;
	s->tail_count = 0;
	s->offsets[0] = s->tail_bytes = ENT_SEGMENT_HEAD;
	return 0;
}

static int init(struct ent_segments *s, struct ent_fs *fs, const char *dir, struct ent_err *err)
{
	*s = (struct ent_segments){ .fs = fs, .old_number = NO_SEGMENT };
	if (strlen(dir) >= sizeof s->dir)
		return ent_fail(err, ENT_EIO, "path too long: %s", dir);
	memcpy(s->dir, dir, strlen(dir) + 1);
	s->offsets = malloc((ENT_SEGMENT_ENTRIES + 1) * sizeof *s->offsets);
	return s->offsets ? 0 : ent_nomem(err);
}

int ent_segments_create(struct ent_segments *s, struct ent_fs *fs, const char *dir, struct ent_err *err)
{
	char folder[300];
	ENT_TRY(init(s, fs, dir, err));
	snprintf(folder, sizeof folder, "%s/segment", dir);
	ENT_TRY(fs->ops->mkdir(fs, folder, 0700, err));
	ENT_TRY(fs->ops->sync_dir(fs, dir, err));
	return start_tail(s, 0, err);
}

struct listing {
	uint64_t highest;
	size_t count;
};

static void list_one(void *arg, const char *name)
{
	struct listing *l = arg;
	uint64_t number = 0;
	for (const char *c = name; *c; c++) {
		if (*c < '0' || *c > '9')
			return;
		number = number * 10 + (uint64_t)(*c - '0');
	}
	l->count++;
	if (number > l->highest)
		l->highest = number;
}

static int find_tail(const struct ent_segments *s, uint64_t *ret, struct ent_err *err)
{
	struct listing l = { 0 };
	char folder[300];
	snprintf(folder, sizeof folder, "%s/segment", s->dir);
	ENT_TRY(s->fs->ops->list(s->fs, folder, list_one, &l, err));
	if (l.count == 0)
		return ent_fail(err, ENT_ENOTFOUND, "no ledger in %s", s->dir);
	if (l.count != l.highest + 1)
		return ent_fail(err, ENT_EVERIFY, "%llu segments of the ledger are missing", (unsigned long long)(l.highest + 1 - l.count));
	*ret = l.highest;
	return 0;
}

/* Cuts what follows the last whole record, unless it was acknowledged once. */
static int cut_tail(struct ent_segments *s, struct window *w, const struct replay *r, struct ent_err *err)
{
	bool durable;
	if (r->end == w->size)
		return 0;
	ENT_TRY(was_durable(w, r->number, r->end, &durable, err));
	if (durable || r->count == ENT_SEGMENT_ENTRIES)
		return ent_fail(err, ENT_EVERIFY, "entry %llu is damaged on disk", (unsigned long long)(r->number * ENT_SEGMENT_ENTRIES + r->count));
	return s->tail->ops->truncate(s->tail, r->end, err);
}

/* The last group may be readable without being durable: the process died before its sync, or the sync failed. It is written once more. */
static int settle_tail(struct ent_segments *s, const struct replay *r, struct ent_err *err)
{
	size_t len = (size_t)(r->end - r->last_group), got;
	uint8_t *group = malloc(len + 1);
	if (!group)
		return ent_nomem(err);
	int code = s->tail->ops->read_at(s->tail, r->last_group, group, len, &got, err);
	if (!code && got != len)
		code = ent_fail(err, ENT_EIO, "segment %llu became shorter while it was read", (unsigned long long)r->number);
	if (!code)
		code = s->tail->ops->write_at(s->tail, r->last_group, group, len, err);
	free(group);
	return code ? code : s->tail->ops->sync(s->tail, err);
}

/* Every segment before the tail is full; so an unfinished head can only be that of a tail without entries. */
static int head_unfinished(struct window *w, bool *ret, struct ent_err *err)
{
	const uint8_t *p;
	*ret = w->size < ENT_SEGMENT_HEAD;
	if (w->size == ENT_SEGMENT_HEAD) {
		ENT_TRY(window_get(w, 0, ENT_SEGMENT_HEAD, &p, err));
		*ret = !p || memcmp(p, ENT_SEGMENT_MAGIC, ENT_SEGMENT_HEAD) != 0;
	}
	return 0;
}

int ent_segments_open(struct ent_segments *s, struct ent_fs *fs, const char *dir, ent_segment_each each, void *arg, struct ent_err *err)
{
	ENT_CLEANUP(window_deinit) struct window w = { 0 };
	struct replay r = { 0 };
	bool unfinished;
	ENT_TRY(init(s, fs, dir, err));
	ENT_TRY(find_tail(s, &r.number, err));
	ENT_TRY(open_file(fs, dir, r.number, ENT_OPEN_WRITE, &s->tail, err));
	ENT_TRY(window_init(&w, s->tail, err));
	ENT_TRY(head_unfinished(&w, &unfinished, err));
	if (unfinished)
		return start_tail(s, r.number, err);
	ENT_TRY(check_head(&w, r.number, err));
	r.offsets = s->offsets;
	ENT_TRY(replay_window(&w, &r, each, arg, err));
	ENT_TRY(cut_tail(s, &w, &r, err));
	ENT_TRY(settle_tail(s, &r, err));
	s->tail_number = r.number;
	s->tail_count = r.count;
	s->tail_bytes = r.end;
	return 0;
}

void ent_segments_deinit(struct ent_segments *s)
{
	ent_file_closep(&s->tail);
	ent_file_closep(&s->old);
	free(s->offsets);
	free(s->old_offsets);
	*s = (struct ent_segments){ 0 };
}

uint64_t ent_segments_size(const struct ent_segments *s) { return s->tail_number * ENT_SEGMENT_ENTRIES + s->tail_count; }
uint32_t ent_segments_room(const struct ent_segments *s) { return ENT_SEGMENT_ENTRIES - s->tail_count; }

static int build_group(const struct ent_segments *s, const struct ent_bytes *entries, size_t count, struct ent_buf *out, struct ent_err *err)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t len = (uint32_t)entries[i].len, back = (uint32_t)out->len;
		if (entries[i].len == 0 || entries[i].len > ENT_ENTRY_BYTES_MAX)
			return ent_fail(err, ENT_EDATA, "an entry has 1 to %u bytes", ENT_ENTRY_BYTES_MAX);
		ent_buf_le32(out, len);
		ent_buf_le32(out, back);
		ent_buf_le32(out, record_crc(s->tail_number, s->tail_bytes + back, len, back, entries[i].data));
		ent_buf_put(out, entries[i].data, len);
	}
	return ent_buf_check(out, err);
}

int ent_segments_append(struct ent_segments *s, const struct ent_bytes *entries, size_t count, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf group = ENT_BUF(ENT_GROUP_BYTES_MAX);
	if (s->failed)
		return ent_fail(err, ENT_EIO, "the ledger's disk failed before; it must be opened again");
	ENT_ASSERT(count > 0 && count <= ent_segments_room(s));
	ENT_TRY(build_group(s, entries, count, &group, err));
	s->failed = true; /* until both succeeded; what a failed sync left is known only after reading it again */
	ENT_TRY(s->tail->ops->write_at(s->tail, s->tail_bytes, group.data, group.len, err));
#ifndef ENT_MUTANT_ACK_BEFORE_FSYNC
	ENT_TRY(s->tail->ops->sync(s->tail, err));
#endif
	s->failed = false;
	for (size_t i = 0; i < count; i++) {
		s->tail_bytes += ENT_RECORD_HEAD + entries[i].len;
		s->offsets[++s->tail_count] = s->tail_bytes;
	}
	return 0;
}

int ent_segments_roll(struct ent_segments *s, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf index = ENT_BUF((ENT_SEGMENT_ENTRIES + 1) * sizeof(uint64_t));
	char path[300];
	ENT_ASSERT(ent_segments_room(s) == 0);
	for (uint32_t i = 0; i <= ENT_SEGMENT_ENTRIES; i++)
		ent_buf_le64(&index, s->offsets[i]);
	ENT_TRY(ent_buf_check(&index, err));
	path_of(s->dir, s->tail_number, ".index", path);
	ENT_TRY(ent_fs_replace(s->fs, path, ent_buf_bytes(&index), 0600, err));
	s->failed = true;
	ENT_TRY(start_tail(s, s->tail_number + 1, err));
	s->failed = false;
	return 0;
}

/* The index file is a hint; when it is missing or makes no sense, the segment is walked. */
static bool load_index(struct ent_segments *s, uint64_t number)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF((ENT_SEGMENT_ENTRIES + 1) * sizeof(uint64_t));
	char path[300];
	path_of(s->dir, number, ".index", path);
	if (ent_fs_read(s->fs, path, raw.max, &raw, NULL) || raw.len != raw.max)
		return false;
	struct ent_reader r = ent_reader(ent_buf_bytes(&raw));
	for (uint32_t i = 0; i <= ENT_SEGMENT_ENTRIES; i++) {
		s->old_offsets[i] = ent_read_le64(&r);
		if (i == 0 ? s->old_offsets[0] != ENT_SEGMENT_HEAD : s->old_offsets[i] <= s->old_offsets[i - 1] + ENT_RECORD_HEAD)
			return false;
	}
	return true;
}

static int open_old(struct ent_segments *s, uint64_t number, struct ent_err *err)
{
	ENT_CLEANUP(window_deinit) struct window w = { 0 };
	if (s->old_number == number)
		return 0;
	s->old_number = NO_SEGMENT;
	ent_file_closep(&s->old);
	if (!s->old_offsets && !(s->old_offsets = malloc((ENT_SEGMENT_ENTRIES + 1) * sizeof *s->old_offsets)))
		return ent_nomem(err);
	ENT_TRY(open_file(s->fs, s->dir, number, ENT_OPEN_READ, &s->old, err));
	if (!load_index(s, number)) {
		struct replay r = { .number = number, .offsets = s->old_offsets };
		ENT_TRY(window_init(&w, s->old, err));
		ENT_TRY(replay_window(&w, &r, NULL, NULL, err));
		if (r.count != ENT_SEGMENT_ENTRIES)
			return ent_fail(err, ENT_EVERIFY, "entry %llu is damaged on disk",
					(unsigned long long)(number * ENT_SEGMENT_ENTRIES + r.count));
	}
	s->old_number = number;
	return 0;
}

int ent_segments_read(struct ent_segments *s, uint64_t index, struct ent_buf *ret, struct ent_err *err)
{
	uint8_t raw[ENT_RECORD_HEAD + ENT_ENTRY_BYTES_MAX];
	uint64_t number = index / ENT_SEGMENT_ENTRIES, slot = index % ENT_SEGMENT_ENTRIES;
	bool in_tail = number == s->tail_number;
	size_t got = 0;
	if (index >= ent_segments_size(s))
		return ent_fail(err, ENT_ENOTFOUND, "no entry %llu, the ledger has %llu", (unsigned long long)index,
				(unsigned long long)ent_segments_size(s));
	if (!in_tail)
		ENT_TRY(open_old(s, number, err));
	const uint64_t *offsets = in_tail ? s->offsets : s->old_offsets;
	struct ent_file *f = in_tail ? s->tail : s->old;
	uint64_t at = offsets[slot], whole = offsets[slot + 1] - at;
	if (whole > sizeof raw)
		return ent_fail(err, ENT_EVERIFY, "entry %llu is damaged on disk", (unsigned long long)index);
	ENT_TRY(f->ops->read_at(f, at, raw, (size_t)whole, &got, err));
	struct record rec = parse_head(raw);
	if (got != whole || rec.len != whole - ENT_RECORD_HEAD || record_crc(number, at, rec.len, rec.back, raw + ENT_RECORD_HEAD) != rec.crc)
		return ent_fail(err, ENT_EVERIFY, "entry %llu is damaged on disk", (unsigned long long)index);
	ent_buf_put(ret, raw + ENT_RECORD_HEAD, rec.len);
	return ent_buf_check(ret, err);
}
