#include "ledger/tile.h"

#include <stdio.h>
#include <stdlib.h>

void ent_tile_path(const char *dir, unsigned level, uint64_t number, char ret[300])
{
	char digits[24], *at = ret;
	int n = snprintf(digits, sizeof digits, "%03llu", (unsigned long long)number);
	char padded[27] = "00";
	size_t pad = (size_t)(3 - n % 3) % 3, len = (size_t)n + pad;
	memcpy(padded + pad, digits, (size_t)n + 1);
	at += snprintf(at, 250, "%.200s/tile/%u", dir, level);
	for (size_t i = 0; i < len; i += 3)
		at += snprintf(at, 8, "/%s%.3s", i + 3 < len ? "x" : "", padded + i);
}

/* Hash over 2^levels hashes. */
static void fold(const ent_hash *at, unsigned levels, ent_hash *ret)
{
	ent_hash work[ENT_TILE_WIDTH];
	size_t n = (size_t)1 << levels;
	memcpy(work, at, n * sizeof *at);
	for (; n > 1; n /= 2)
		for (size_t i = 0; i < n / 2; i++)
			ent_tree_node(&work[2 * i], &work[2 * i + 1], &work[i]);
	*ret = work[0];
}

/* Full hashes at a tile level. */
static uint64_t count_at(const struct ent_tiles *t, unsigned level) { return level < ENT_TILE_LEVELS ? t->size >> (8 * level) : 0; }

static unsigned edge_count(const struct ent_tiles *t, unsigned level) { return (unsigned)(t->size >> (8 * level)) & (ENT_TILE_WIDTH - 1); }

static int read_tile(struct ent_tiles *t, unsigned level, uint64_t number, struct ent_tile *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(ENT_TILE_BYTES);
	char path[300];
	ent_tile_path(t->dir, level, number, path);
	ENT_TRY(ent_fs_read(t->fs, path, ENT_TILE_BYTES, &raw, err));
	if (raw.len != ENT_TILE_BYTES)
		return ent_fail(err, ENT_EVERIFY, "%s is damaged: %zu bytes", path, raw.len);
	ret->level = level;
	ret->number = number;
	memcpy(ret->at, raw.data, ENT_TILE_BYTES);
	return 0;
}

/* A full tile: waiting, in the cache, or on disk. Lent until the next call. */
static int full_tile(struct ent_tiles *t, unsigned level, uint64_t number, const struct ent_tile **ret, struct ent_err *err)
{
	for (size_t i = 0; i < t->pending_count; i++) {
		*ret = &t->pending[i];
		if (t->pending[i].level == level && t->pending[i].number == number)
			return 0;
	}
	size_t slot = (size_t)(number * 5 + level * 3) % ENT_TILE_CACHE;
	struct ent_tile *c = &t->cache[slot];
	if (!t->cached[slot] || c->level != level || c->number != number) {
		t->cached[slot] = false;
		ENT_TRY(read_tile(t, level, number, c, err));
		t->cached[slot] = true;
	}
	*ret = c;
	return 0;
}

static int load_edge(struct ent_tiles *t, unsigned level, struct ent_err *err)
{
	uint64_t first = (t->size >> (8 * level)) & ~(uint64_t)(ENT_TILE_WIDTH - 1);
	for (unsigned i = 0; i < edge_count(t, level); i++) {
		const struct ent_tile *below;
		ENT_TRY(full_tile(t, level - 1, first + i, &below, err));
		fold(below->at, 8, &t->edge[level].at[i]);
	}
	return 0;
}

int ent_tiles_open(struct ent_tiles *t, struct ent_fs *fs, const char *dir, uint64_t size, struct ent_err *err)
{
	*t = (struct ent_tiles){ .fs = fs, .size = size };
	ENT_ASSERT(size % (ENT_TILE_WIDTH * ENT_TILE_WIDTH) == 0);
	if (strlen(dir) >= sizeof t->dir)
		return ent_fail(err, ENT_EIO, "path too long: %s", dir);
	memcpy(t->dir, dir, strlen(dir) + 1);
	for (unsigned level = 2; level < ENT_TILE_LEVELS; level++)
		ENT_TRY(load_edge(t, level, err));
	return 0;
}

void ent_tiles_deinit(struct ent_tiles *t)
{
	free(t->pending);
	t->pending = NULL;
	t->pending_count = t->pending_cap = 0;
}

static int put_pending(struct ent_tiles *t, unsigned level, uint64_t number, struct ent_err *err)
{
	if (t->compare) {
		const struct ent_tile *on_disk;
		if (!full_tile(t, level, number, &on_disk, NULL) && !memcmp(on_disk->at, t->edge[level].at, ENT_TILE_BYTES))
			return 0;
	}
	for (size_t i = 0; i < ENT_TILE_CACHE; i++)
		t->cached[i] = t->cached[i] && !(t->cache[i].level == level && t->cache[i].number == number);
	if (t->pending_count == t->pending_cap) {
		size_t cap = t->pending_cap ? 2 * t->pending_cap : 4;
		struct ent_tile *more = realloc(t->pending, cap * sizeof *more);
		if (!more)
			return ent_nomem(err);
		t->pending = more;
		t->pending_cap = cap;
	}
	struct ent_tile *p = &t->pending[t->pending_count++];
	p->level = level;
	p->number = number;
	memcpy(p->at, t->edge[level].at, ENT_TILE_BYTES);
	return 0;
}

int ent_tiles_add(struct ent_tiles *t, const ent_hash *leaf, struct ent_err *err)
{
	ent_hash h = *leaf;
	for (unsigned level = 0; level < ENT_TILE_LEVELS; level++) {
		unsigned slot = edge_count(t, level);
		t->edge[level].at[slot] = h;
		if (slot + 1 < ENT_TILE_WIDTH)
			break;
		ENT_TRY(put_pending(t, level, count_at(t, level + 1), err));
		fold(t->edge[level].at, 8, &h);
	}
	t->size++;
	return 0;
}

static int write_temp(struct ent_tiles *t, const struct ent_tile *tile, struct ent_err *err)
{
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	char path[300], temp[310];
	ent_tile_path(t->dir, tile->level, tile->number, path);
	snprintf(temp, sizeof temp, "%s.tmp", path);
	*strrchr(path, '/') = 0;
	ENT_TRY(t->fs->ops->mkdir(t->fs, path, 0700, err));
	ENT_TRY(t->fs->ops->open(t->fs, temp, ENT_OPEN_WRITE | ENT_OPEN_CREATE | ENT_OPEN_TRUNC, 0600, &f, err));
	ENT_TRY(f->ops->write_at(f, 0, tile->at, ENT_TILE_BYTES, err));
	return f->ops->sync(f, err);
}

static int rename_temp(struct ent_tiles *t, const struct ent_tile *tile, struct ent_err *err)
{
	char path[300], temp[310];
	ent_tile_path(t->dir, tile->level, tile->number, path);
	snprintf(temp, sizeof temp, "%s.tmp", path);
	return t->fs->ops->rename(t->fs, temp, path, err);
}

/* The folder of a tile, and its parents up to the ledger's when one of them may be new. */
static int sync_dirs(struct ent_tiles *t, const struct ent_tile *tile, struct ent_err *err)
{
	char path[300];
	bool parents = !t->dirs_synced || tile->number % 1000 == 0;
	ent_tile_path(t->dir, tile->level, tile->number, path);
	do {
		*strrchr(path, '/') = 0;
		ENT_TRY(t->fs->ops->sync_dir(t->fs, path, err));
	} while (parents && strlen(path) > strlen(t->dir));
	return 0;
}

int ent_tiles_flush(struct ent_tiles *t, struct ent_err *err)
{
	for (size_t i = 0; i < t->pending_count; i++)
		ENT_TRY(write_temp(t, &t->pending[i], err));
	for (size_t i = 0; i < t->pending_count; i++)
		ENT_TRY(rename_temp(t, &t->pending[i], err));
	for (size_t i = 0; i < t->pending_count; i++) {
		const struct ent_tile *p = &t->pending[i], *next = i + 1 < t->pending_count ? p + 1 : NULL;
		if (!next || next->level != p->level || next->number / 1000 != p->number / 1000 || p->number % 1000 == 0 || !t->dirs_synced)
			ENT_TRY(sync_dirs(t, p, err));
	}
	t->dirs_synced = t->dirs_synced || t->pending_count > 0;
	t->pending_count = 0;
	return 0;
}

/* Lends the hashes [first, first+n) of a tile level, which lie in one tile. */
static int hashes(struct ent_tiles *t, unsigned level, uint64_t first, uint64_t n, const ent_hash **ret, struct ent_err *err)
{
	uint64_t number = first / ENT_TILE_WIDTH, slot = first % ENT_TILE_WIDTH;
	const struct ent_tile *tile;
	if (level >= ENT_TILE_LEVELS || first + n > count_at(t, level))
		return ent_fail(err, ENT_ENOTFOUND, "the tree has no such node yet");
	if (number == count_at(t, level + 1)) {
		*ret = &t->edge[level].at[slot];
		return 0;
	}
	ENT_TRY(full_tile(t, level, number, &tile, err));
	*ret = &tile->at[slot];
	return 0;
}

int ent_tiles_node(void *self, unsigned level, uint64_t index, ent_hash *ret, struct ent_err *err)
{
	struct ent_tiles *t = self;
	unsigned within = level % 8;
	const ent_hash *at;
	if (level >= 8 * ENT_TILE_LEVELS || index > UINT64_MAX >> 16)
		return ent_fail(err, ENT_ENOTFOUND, "the tree has no such node yet");
	ENT_TRY(hashes(t, level / 8, index << within, (uint64_t)1 << within, &at, err));
	fold(at, within, ret);
	return 0;
}

int ent_tiles_get(struct ent_tiles *t, unsigned level, uint64_t number, unsigned width, struct ent_buf *ret, struct ent_err *err)
{
	const ent_hash *at;
	if (width == 0 || width > ENT_TILE_WIDTH || number > UINT64_MAX >> 16)
		return ent_fail(err, ENT_ENOTFOUND, "no such tile");
	ENT_TRY(hashes(t, level, number * ENT_TILE_WIDTH, width, &at, err));
	ent_buf_put(ret, at, width * sizeof *at);
	return ent_buf_check(ret, err);
}
