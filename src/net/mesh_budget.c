/* What one peer may cost: messages that wait to be dealt with, and frames a second. A trusted peer at its limit is not punished, only held: its
 * socket is not read, so its own queue fills up while everybody else is served. */
#include "net/mesh_inner.h"

#define TOLD_AGAIN_MS 60000

static void refill(const struct ent_tls_mesh *m, struct ent_peer *p, uint64_t now)
{
	uint64_t most = (uint64_t)m->options.frames_per_s * 2000, gone = p->frames_ms ? now - p->frames_ms : 2000;
	uint64_t more = (gone > 2000 ? 2000 : gone) * m->options.frames_per_s;
	p->frames_left = p->frames_left + more > most ? most : p->frames_left + more;
	p->frames_ms = now;
}

static void tell_held(struct ent_conn *c, struct ent_peer *p, uint64_t now)
{
	if (p->held_told_ms && now - p->held_told_ms < TOLD_AGAIN_MS)
		return;
	p->held_told_ms = now;
	ent_log(c->mesh->options.log, ENT_LOG_WARN, "peer-held", "org=%s waiting=%u bytes=%zu why=\"%s\" next=\"%s\"", c->org, p->waiting,
		p->waiting_bytes, "it sends more than is dealt with here; it is read again when there is room", "if this goes on: entente untrust");
}

bool ent_mesh_may_speak(struct ent_conn *c)
{
	const struct ent_mesh_options *o = &c->mesh->options;
	struct ent_peer *p = c->state == ENT_CONN_LIVE ? ent_mesh_peer(c->mesh, c->org) : NULL;
	if (!p) /* a first frame, or a connection about to be closed */
		return true;
	uint64_t now = ent_mesh_now_ms();
	refill(c->mesh, p, now);
	bool may = p->waiting < o->inbox_messages_max && p->waiting_bytes < o->inbox_bytes_max && p->frames_left >= 1000;
#ifdef ENT_MUTANT_INBOX_UNBOUNDED
	may = true;
#endif
	if (!may)
		tell_held(c, p, now);
	c->held = !may;
	c->events = (short)(may ? c->events | POLLIN : c->events & ~POLLIN);
	return may;
}

void ent_mesh_spoke(struct ent_conn *c, const struct ent_frame *f)
{
	struct ent_peer *p = ent_mesh_peer(c->mesh, c->org);
	if (!p)
		return;
	p->frames_left -= p->frames_left < 1000 ? p->frames_left : 1000;
	if (f->kind != ENT_FRAME_MESSAGE)
		return;
	p->waiting++;
	p->waiting_bytes += f->payload.len;
}

void ent_tls_mesh_taken(struct ent_mesh *mesh, const char *org, size_t len)
{
	struct ent_tls_mesh *m = (struct ent_tls_mesh *)(void *)mesh;
	pthread_mutex_lock(&m->lock);
	struct ent_peer *p = ent_mesh_peer(m, org);
	if (p) {
		p->waiting -= p->waiting > 0;
		p->waiting_bytes -= len < p->waiting_bytes ? len : p->waiting_bytes;
		if (p->live && p->live->held)
			ent_mesh_wake(m);
	}
	pthread_mutex_unlock(&m->lock);
}
