/* A snapshot of HOME in one file, and the way back.
 *
 * File: "entente-backup/1\n", "sealed BYTES\n" and the keys and secrets sealed with a password, then the snapshot: pieces "piece PATH AT BYTES\n" and
 * their bytes, and "end PIECES SIGNATURE\n" by the sign key over the running hash of all pieces. Nothing is written back before that holds. */
#ifndef ENT_NODE_BACKUP_H
#define ENT_NODE_BACKUP_H
#include "node/node.h"

/* Where the verb `backup` leaves the snapshot, under HOME; the caller moves it away. */
#define ENT_BACKUP_SNAPSHOT "backup.tmp"

/* Appends the file's beginning: header and the keys and secrets of the HOME under fs, sealed. */
int ent_backup_head(struct ent_fs *fs, struct ent_random *random, struct ent_bytes password, struct ent_buf *out, struct ent_err *err);

/* Fills the empty HOME under fs from a backup. The home then asks its peers for their last checkpoint before it appends anything.
 * ret {org, entries, members}. ENT_EVERIFY: wrong password, damaged or cut file; ENT_ECONFIG: HOME is not empty; ENT_EDATA: no backup. */
int ent_backup_restore(struct ent_fs *fs, struct ent_file *backup, struct ent_bytes password, json_t **ret, struct ent_err *err);
#endif
