/* A job link that is being opened: usable at once, its first send or recv waits for the other side. Three parties that each open a link to
 * the next one would otherwise wait in a circle. */
#ifndef ENT_CLI_LAZY_LINK_H
#define ENT_CLI_LAZY_LINK_H
#include "base/mesh.h"

/* Starts opening on a thread of its own; name is copied. Cancel works at any time; free waits for that thread. */
int ent_lazy_link_new(struct ent_mesh *mesh, const char *org, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err);
#endif
