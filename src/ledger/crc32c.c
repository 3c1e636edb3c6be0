#include "ledger/crc32c.h"

#define POLY 0x82f63b78u /* reversed */

static uint32_t byte_step(uint32_t crc, uint8_t b)
{
	crc ^= b;
	for (int k = 0; k < 8; k++)
		crc = crc >> 1 ^ (POLY & (0u - (crc & 1)));
	return crc;
}

static uint32_t portable(uint32_t crc, const uint8_t *p, size_t len)
{
	static uint32_t table[256]; /* filled alike by everybody who comes first */
	if (!__atomic_load_n(&table[1], __ATOMIC_ACQUIRE))
		for (unsigned i = 256; i-- > 0;)
			__atomic_store_n(&table[i], byte_step(i, 0), __ATOMIC_RELEASE);
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = crc, v;
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	for (; len; p++, len--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p);
	return (uint32_t)c;
}
#endif

uint32_t ent_crc32c(uint32_t crc, const void *data, size_t len)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(~crc, data, len);
#endif
	return ~portable(~crc, data, len);
}
