/* Job links between the three parties of one process, over TLS 1.3 and TCP loopback, without a mesh: for benchmarks and tests that want what a
 * node has on the wire. */
#ifndef ENT_NET_TLS_TRIO_H
#define ENT_NET_TLS_TRIO_H
#include "base/link.h"

/* ret[i][j] is party i's end of its link to party j (NULL for i = j); each end is freed with ops->free, every one of them. The links of one
 * party drain each other as those of a node do. ENT_EIO, ENT_EPEER, ENT_ENOMEM. */
int ent_tls_trio(struct ent_link *ret[3][3], struct ent_err *err);
#endif
