/* Messages of a trusted peer that went mad: each line of the input is one message to a node with one member.
 * fuzz-deps: node_dep joint_dep policy_dep testsupport */
#include "unit/node/node_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int no_send(struct ent_mesh *m, const char *org, struct ent_bytes message, struct ent_err *err)
{
	(void)m;
	(void)org;
	(void)message;
	(void)err;
	return 0;
}

static bool always_up(struct ent_mesh *m, const char *org)
{
	(void)m;
	(void)org;
	return true;
}

static const struct ent_mesh_ops mesh_ops = { .send = no_send, .up = always_up };
static struct ent_mesh mesh = { &mesh_ops };

/* One home for all inputs; each input works on a copy. */
static struct ent_fs *origin(void)
{
	static struct kit_node a, b;
	static struct ent_fs *fs;
	struct ent_err err = ENT_ERR_INIT;
	if (fs)
		return fs;
	kit_init(&a, 1);
	kit_init(&b, 2);
	char *mine = kit_home(&a, "hudson", &err), *card = kit_home(&b, "skywatch", &err);
	ENT_ASSERT(mine && card && !kit_open(&a, &err));
	ENT_ASSERT(!kit_ask(&a, "trust", json_pack("{s:[s]}", "cards", card), NULL, &err));
	ent_node_close(a.node);
	free(mine);
	free(card);
	simfs_free(b.fs);
	fs = a.fs;
	return fs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kit_node k = { .clock = { kit_utc, kit_mono }, .random = { kit_fill }, .seed = 5, .fs = simfs_copy(origin(), 3) };
	struct ent_node_env env = kit_env(&k);
	struct ent_err err = ENT_ERR_INIT;
	env.mesh = &mesh;
	ENT_ASSERT(!ent_node_open(&env, &k.node, &err));
	ent_node_peer_up(k.node, "skywatch");
	while (size) {
		const uint8_t *nl = memchr(data, '\n', size);
		size_t len = nl ? (size_t)(nl - data) : size;
		ent_node_peer_message(k.node, "skywatch", ent_bytes(data, len));
		k.ms += 1000;
		ent_node_tick(k.node);
		data += len + (nl != NULL);
		size -= len + (nl != NULL);
	}
	ent_node_close(k.node);
	simfs_free(k.fs);
	return 0;
}
