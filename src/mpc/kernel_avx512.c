/* Kernels: avx512. */
#define KERNEL ent_mpc_kernel_avx512
#define KERNEL_NAME "avx512"
#include "mpc/kernel_body.inc"
