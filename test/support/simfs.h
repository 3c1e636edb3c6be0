/* A file system in memory that forgets like a real one: what was not synced may be kept, lost or torn when the power goes.
 * Same seed and same calls, same losses. See README.md for the model. */
#ifndef ENT_TEST_SIMFS_H
#define ENT_TEST_SIMFS_H
#include "base/file.h"

enum simfs_op { SIMFS_WRITE, SIMFS_SYNC, SIMFS_RENAME, SIMFS_SYNC_DIR, SIMFS_OPEN, SIMFS_READ, SIMFS_OPS };

struct ent_fs *simfs_new(uint64_t seed);
void simfs_free(struct ent_fs *fs);

void simfs_crash(struct ent_fs *fs); /* power lost and back: open files are dead, unsynced data and names are kept, dropped or torn */
void simfs_kill(struct ent_fs *fs);  /* the process died: open files are dead, everything written is still there */

/* The nth call (from 1, counted from now) of that kind fails with code; a failing write may leave a part, a failing sync may lose what it was to
 * save. */
void simfs_fail(struct ent_fs *fs, enum simfs_op op, uint64_t nth, int code);
/* After n more changing calls (write, truncate, sync, rename, remove, sync_dir, creating open) the power is off: all calls fail until simfs_crash. */
void simfs_power_off_after(struct ent_fs *fs, uint64_t n);
uint64_t simfs_changes(const struct ent_fs *fs); /* changing calls so far */
uint64_t simfs_count(const struct ent_fs *fs, enum simfs_op op);
void simfs_capacity(struct ent_fs *fs, uint64_t bytes); /* ENT_ENOSPACE beyond; 0 = unlimited */

/* Calls each() for every file, sorted by path. */
void simfs_each(struct ent_fs *fs, void (*each)(void *arg, const char *path, struct ent_bytes content), void *arg);
bool simfs_flip(struct ent_fs *fs, const char *path, uint64_t bit); /* false when there is no such bit */
struct ent_fs *simfs_copy(struct ent_fs *fs, uint64_t seed);        /* of what is live, all of it durable */
#endif
