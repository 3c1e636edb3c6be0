/* CRC-32C (Castagnoli), the check on each stored record. crc starts at 0 and chains over pieces. */
#ifndef ENT_LEDGER_CRC32C_H
#define ENT_LEDGER_CRC32C_H
#include "base/bytes.h"

uint32_t ent_crc32c(uint32_t crc, const void *data, size_t len);
#endif
