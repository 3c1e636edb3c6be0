/* SQLite on the file vtable: what the simulator does to the disk happens to node.db, too.
 * One connection per file, exclusive locking, WAL kept in our memory (no shared-memory methods are offered). */
#ifndef ENT_NODE_VFS_H
#define ENT_NODE_VFS_H
#include "base/clock.h"
#include "base/file.h"

struct ent_vfs;

/* Registers a VFS of its own; all [borrow] until free. ENT_ENOMEM. */
int ent_vfs_new(struct ent_fs *fs, struct ent_clock *clock, struct ent_random *random, struct ent_vfs **ret, struct ent_err *err);
void ent_vfs_free(struct ent_vfs *vfs); /* after the last connection is closed; NULL is fine */
const char *ent_vfs_name(const struct ent_vfs *vfs);
/* A sync failed. From then on every write, truncate, sync and delete of this VFS fails: what reached the disk is known only after opening anew. */
bool ent_vfs_lost(const struct ent_vfs *vfs);
#endif
