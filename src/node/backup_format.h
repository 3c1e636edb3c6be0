/* What writing and reading a backup share. */
#ifndef ENT_NODE_BACKUP_FORMAT_H
#define ENT_NODE_BACKUP_FORMAT_H
#include "crypto/hash.h"

#define ENT_BACKUP_MAGIC "entente-backup/1\n"
#define ENT_BACKUP_PATH_MAX 255
#define ENT_BACKUP_LINE_MAX 320
#define ENT_BACKUP_PIECE_MAX ((size_t)1 << 20)
#define ENT_BACKUP_SEALED_MAX ((size_t)8 << 20)

/* chain = SHA-256(chain ‖ head ‖ bytes) */
static inline void ent_backup_chain(uint8_t chain[32], struct ent_bytes head, struct ent_bytes bytes)
{
	const struct ent_bytes pieces[] = { ent_bytes(chain, 32), head, bytes };
	uint8_t next[32];
	ent_sha256v(pieces, 3, next);
	memcpy(chain, next, 32);
}

/* The bytes that the sign key signs at the end. */
static inline void ent_backup_signed(const uint8_t chain[32], struct ent_buf *ret)
{
	ent_buf_str(ret, ENT_BACKUP_MAGIC);
	ent_buf_put(ret, chain, 32);
}
#endif
