/* The mesh vtable: control messages between members, and job links between compute parties.
 * Messages to one peer arrive in order and whole while its link is up, are lost when it is down, and are at most ENT_MESH_BYTES_MAX long.
 * Who may connect is decided by the pins (member cards); peers are named by organisation. */
#ifndef ENT_BASE_MESH_H
#define ENT_BASE_MESH_H
#include "base/link.h"

#define ENT_MESH_BYTES_MAX (4u << 20)
#define ENT_ORG_MAX 31 /* letters of an organisation's name */

struct ent_mesh;

struct ent_mesh_ops {
	int (*send)(struct ent_mesh *m, const char *org, struct ent_bytes message, struct ent_err *err); /* queued; ENT_EPEER when down */
	bool (*up)(struct ent_mesh *m, const char *org);
	/* Opens this side of a link for one job attempt and waits for the other side to do the same (both call it with the same name);
	 * bulk bytes never share the control connection. Blocks up to timeout_ms; for runner threads only. */
	int (*job_link)(struct ent_mesh *m, const char *org, const char *name, uint32_t timeout_ms, struct ent_link **ret, struct ent_err *err);
	/* Why a peer is not up, as far as this side knows ("10.0.0.7:4711: Connection refused"); "" when it is up or nothing is known.
	 * May be NULL. */
	void (*trouble)(struct ent_mesh *m, const char *org, char *ret, size_t size);
};

struct ent_mesh {
	const struct ent_mesh_ops *ops;
};
#endif
