/* Kernels: portable. */
#define KERNEL ent_mpc_kernel_portable
#define KERNEL_NAME "portable"
#include "mpc/kernel_body.inc"
