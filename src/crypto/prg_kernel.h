/* Private to the PRG: what its kernels share. */
#ifndef ENT_CRYPTO_PRG_KERNEL_H
#define ENT_CRYPTO_PRG_KERNEL_H
#include "crypto/prg.h"

#if defined(__x86_64__)
#define ENT_PRG_X86 1
extern const struct ent_prg_kernel ent_prg_aesni, ent_prg_vaes512;
bool ent_prg_aesni_runs(void);
bool ent_prg_vaes512_runs(void);
void ent_prg_aesni_expand(uint8_t round_keys[176], const uint8_t key[16]);
#endif
extern const struct ent_prg_kernel ent_prg_portable;

/* A counter block is one 128-bit number: operator‖stream‖index‖0, so one step adds 2^16 and the low 48 bits of the index live in the low
 * word. Kernels only step the low word; callers cut a range where it would carry (ent_prg_run). */
static inline uint64_t ent_prg_high(uint32_t op, uint16_t stream, uint64_t index)
{
	return (uint64_t)op << 32 | (uint64_t)stream << 16 | index >> 48;
}
static inline uint64_t ent_prg_low(uint64_t index) { return index << 16; }
#define ENT_PRG_RUN_BLOCKS ((uint64_t)1 << 48)
#endif
