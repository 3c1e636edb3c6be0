/* Hash tiles of C2SP tlog-tiles: 256 hashes each, level L over 256^L leaves. Full tiles are files, the unfinished right edge is in memory.
 * Tiles are derived: flush() makes them durable before a segment is closed; those of the last segment are made again at every start. */
#ifndef ENT_LEDGER_TILE_H
#define ENT_LEDGER_TILE_H
#include "base/file.h"
#include "ledger/tree.h"

#define ENT_TILE_WIDTH 256u
#define ENT_TILE_LEVELS 8u
#define ENT_TILE_BYTES (ENT_TILE_WIDTH * ENT_HASH_BYTES)
#define ENT_TILE_CACHE 16u

struct ent_tile {
	unsigned level;
	uint64_t number;
	ent_hash at[ENT_TILE_WIDTH];
};

struct ent_tiles {
	struct ent_fs *fs;
	char dir[200];
	uint64_t size; /* leaves */
	struct ent_tile edge[ENT_TILE_LEVELS];
	struct ent_tile *pending; /* full, not yet on disk */
	size_t pending_count, pending_cap;
	struct ent_tile cache[ENT_TILE_CACHE];
	bool cached[ENT_TILE_CACHE];
	bool compare; /* while recovering: a tile that is on disk already is not written again */
	bool dirs_synced;
};

/* Reads the edge at size, a multiple of 65,536, from the tiles on disk. */
int ent_tiles_open(struct ent_tiles *t, struct ent_fs *fs, const char *dir, uint64_t size, struct ent_err *err);
void ent_tiles_deinit(struct ent_tiles *t);
int ent_tiles_add(struct ent_tiles *t, const ent_hash *leaf, struct ent_err *err);
int ent_tiles_flush(struct ent_tiles *t, struct ent_err *err);
/* An ent_tree_source function; self is the tiles. */
int ent_tiles_node(void *self, unsigned level, uint64_t index, ent_hash *ret, struct ent_err *err);
/* The first width hashes of a tile, appended; ENT_ENOTFOUND when there are not so many. */
int ent_tiles_get(struct ent_tiles *t, unsigned level, uint64_t number, unsigned width, struct ent_buf *ret, struct ent_err *err);
/* tile/L/x001/x234/067 */
void ent_tile_path(const char *dir, unsigned level, uint64_t number, char ret[300]);
#endif
