/* One dispatch for all kernels, at first use. */
#include "mpc/kernel.h"

#include <stdlib.h>
#include <string.h>

size_t ent_mpc_kernels(const struct ent_mpc_kernel *ret[3])
{
	size_t n = 0;
#if defined(__x86_64__)
	const char *forced = getenv("ENT_CPU");
	bool portable = forced && !strcmp(forced, "portable"), no512 = forced && !strcmp(forced, "avx2");
	__builtin_cpu_init();
	if (!portable && !no512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni"))
		ret[n++] = &ent_mpc_kernel_avx512;
	if (!portable && __builtin_cpu_supports("avx2"))
		ret[n++] = &ent_mpc_kernel_avx2;
#endif
	ret[n++] = &ent_mpc_kernel_portable;
	return n;
}

const struct ent_mpc_kernel *ent_mpc_kernel(void)
{
	static const struct ent_mpc_kernel *best;
	const struct ent_mpc_kernel *k = __atomic_load_n(&best, __ATOMIC_ACQUIRE), *all[3];
	if (k)
		return k;
	ent_mpc_kernels(all);
	__atomic_store_n(&best, all[0], __ATOMIC_RELEASE);
	return all[0];
}
