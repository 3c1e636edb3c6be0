/* `doctor`: one line per thing that may be wrong, with what to do. */
#include "node/core.h"
#include "node/jobs.h"
#include "node/moves.h"

static void check(json_t *list, const char *name, bool ok, const char *what, const char *next)
{
	json_t *o = json_pack("{s:s,s:b,s:s}", "name", name, "ok", ok, "what", what);
	if (!ok && *next)
		json_object_set_new(o, "next", json_string(next));
	json_array_append_new(list, o);
}

static void check_disk(struct ent_node *n, json_t *list)
{
	uint64_t space = 0;
	char what[80];
	int r = n->env.fs->ops->space(n->env.fs, &space, NULL);
	snprintf(what, sizeof what, "%llu MB free", (unsigned long long)(space >> 20));
	check(list, "disk", !r && space > (256u << 20) && !ent_node_broken(n),
	      ent_node_broken(n) ? "a write failed; nothing is accepted until restart" : what, "make room, then start the node again");
}

static void check_peers(struct ent_node *n, json_t *list)
{
	for (size_t i = 0; i < n->n_members; i++) {
		const struct ent_member *m = &n->members[i];
		char name[64], what[600], why[300] = "";
		bool skewed = m->skew_known && (m->skew_ms > ENT_SKEW_MAX_MS || m->skew_ms < -ENT_SKEW_MAX_MS);
		snprintf(name, sizeof name, "peer %s", m->card.org);
		if (!m->up && n->env.mesh->ops->trouble)
			n->env.mesh->ops->trouble(n->env.mesh, m->card.org, why, sizeof why);
		if (skewed)
			snprintf(what, sizeof what, "its clock differs by %lld s", (long long)(m->skew_ms / 1000));
		else
			snprintf(what, sizeof what, "%s at %s%s%s", m->up ? "up" : "no link", m->card.link, *why ? ", " : "", why);
		check(list, name, m->up && !skewed, what,
		      skewed ? "set both clocks (NTP)" : "is its node running, and does it trust our card? entente card");
	}
}

static void check_witnesses(struct ent_node *n, json_t *list)
{
	unsigned quorum = ent_quorum((unsigned)n->n_members);
	char what[120];
	snprintf(what, sizeof what, "%u of %zu members witnessed the last checkpoint, %u needed", n->cosigned, n->n_members, quorum);
	check(list, "witnesses", n->cosigned >= quorum, what, "are their HTTP addresses reachable from here?");
}

/* Copies to several targets whose end a crash left open: settled again by asking. */
static void check_doubts(struct ent_node *n, json_t *list)
{
	char what[120];
	size_t doubts = ent_moves_in_doubt(n);
	if (!doubts)
		return;
	ent_moves_recover(n);
	snprintf(what, sizeof what, "%zu to several targets may have left prepared transactions; they are being settled", doubts);
	check(list, "copies", false, what, "are their databases up? ask again in a moment");
}

void ent_verb_doctor(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	ENT_JSON_AUTO list = json_array();
	char what[120];
	(void)args;
	check(list, "configuration", true, ENT_CONF_PATH, "");
	check(list, "keys", ent_secret_locked(n->seeds),
	      ent_secret_locked(n->seeds) ? "held in locked memory" : "the system refused to lock their memory", "raise RLIMIT_MEMLOCK");
	snprintf(what, sizeof what, "%llu entries, checkpoint at %llu", (unsigned long long)ent_ledger_size(n->ledger),
		 (unsigned long long)ent_ledger_signed(n->ledger)->size);
	check(list, "ledger", !ent_node_broken(n), what, "start the node again");
	if (n->restored) {
		struct ent_err why = ENT_ERR_INIT;
		ent_restored_refuse(n, &why);
		check(list, "restore", false, why.what, why.next);
	}
	check_disk(n, list);
	check_doubts(n, list);
	check(list, "members", n->n_members >= 2, n->n_members >= 2 ? "enough for joint questions" : "joint questions need three organisations",
	      "entente trust CARD...; any organisation may help out with `entente init --compute-only`");
	if (n->env.mesh) {
		check_peers(n, list);
		check_witnesses(n, list);
	} else {
		check(list, "node", false, "not running", "entente serve");
	}
	ent_reply_ok(reply, json_pack("{s:O}", "checks", list));
}
