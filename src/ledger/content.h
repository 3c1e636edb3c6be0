/* Contents beside the log: bytes that entries name by a salted commitment SHA-256(salt32 ‖ bytes) only.
 * Stored as DIR/content/<hh>/<commitment hex>: 32 bytes of salt, then the bytes. Erasing one leaves the tree as it is. */
#ifndef ENT_LEDGER_CONTENT_H
#define ENT_LEDGER_CONTENT_H
#include "base/clock.h"
#include "base/file.h"
#include "ledger/dsse.h"

#define ENT_SALT_BYTES 32
#define ENT_CONTENT_MAX (64u << 20)

void ent_commit(const uint8_t salt[ENT_SALT_BYTES], struct ent_bytes bytes, uint8_t ret[ENT_HASH_BYTES]);

struct ent_content {
	struct ent_fs *fs;
	const char *dir; /* as the ledger's, borrowed */
	struct ent_random *random;
};
/* Draws a salt, stores durably, gives the commitment. */
int ent_content_put(const struct ent_content *c, struct ent_bytes bytes, uint8_t ret_commitment[ENT_HASH_BYTES], struct ent_err *err);
/* Reads and checks; ret_bytes is appended to. ENT_ENOTFOUND when erased, ENT_EVERIFY when damaged. */
int ent_content_get(const struct ent_content *c, const uint8_t commitment[ENT_HASH_BYTES], uint8_t ret_salt[ENT_SALT_BYTES],
		    struct ent_buf *ret_bytes, struct ent_err *err);
/* Stores a content somebody else salted, after checking it. */
int ent_content_keep(const struct ent_content *c, const uint8_t salt[ENT_SALT_BYTES], struct ent_bytes bytes,
		     const uint8_t commitment[ENT_HASH_BYTES], struct ent_err *err);
int ent_content_erase(const struct ent_content *c, const uint8_t commitment[ENT_HASH_BYTES], struct ent_err *err);
#endif
