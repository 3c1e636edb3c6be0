/* Kernels: avx2. */
#define KERNEL ent_mpc_kernel_avx2
#define KERNEL_NAME "avx2"
#include "mpc/kernel_body.inc"
