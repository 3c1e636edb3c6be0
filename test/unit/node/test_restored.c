/* After a restore: who may say that nothing is missing. Alpha has two other members; both cosign what counts. */
#include "peer_kit.h"

static struct peer alpha, bravo;

static bool writable(void)
{
	ENT_JSON_AUTO answer = NULL;
	kit_ask(&alpha.k, "status", json_object(), &answer, NULL);
	return json_is_true(json_object_get(answer, "writable"));
}

static void restored_home(void)
{
	struct peer carol;
	char *a = begin(&alpha, "alpha", 1, &bravo), *b = begin(&bravo, "bravo", 2, &alpha), *c = begin(&carol, "carol", 3, &alpha);
	open_peer(&alpha);
	trust(&alpha, b);
	trust(&alpha, c);
	ent_node_close(alpha.k.node);
	ENT_ASSERT(!ent_fs_replace(alpha.k.fs, "restored", ent_bytes_str("ask\n"), 0600, NULL));
	open_peer(&alpha);
	ent_node_peer_up(alpha.k.node, "bravo");
	OK(last(&alpha, "witnessed?") && !writable(), "a restored home asks, and writes nothing");
	free(a), free(b), free(c);
	simfs_free(bravo.k.fs);
	simfs_free(carol.k.fs);
}

static void vouches(const char *org, bool restored)
{
	ent_node_peer_message(alpha.k.node, org,
			      ent_bytes_str(restored ? "{\"note\":\"\",\"restored\":true,\"type\":\"witnessed\"}"
						     : "{\"note\":\"\",\"restored\":false,\"type\":\"witnessed\"}"));
}

static void end(void)
{
	ent_node_close(alpha.k.node);
	forget(&alpha);
	simfs_free(alpha.k.fs);
}

int main(void)
{
	restored_home();
	vouches("bravo", false);
	OK(!writable(), "one of two is not enough");
	vouches("carol", false);
	OK(writable(), "both are");
	end();

	restored_home();
	vouches("bravo", true);
	OK(!writable(), "one that was restored itself is less");
	vouches("carol", false);
	OK(writable(), "with one that forgot nothing it is enough: two restored at once do not wait for each other");
	end();

	restored_home();
	vouches("bravo", true);
	vouches("carol", true);
	OK(!writable(), "two that may have forgotten are not enough");
	forget(&alpha);
	alpha.k.ms += 6000;
	ent_node_tick(alpha.k.node);
	OK(last(&alpha, "witnessed?") != NULL, "they are asked again");
	vouches("bravo", false);
	OK(writable(), "until one of them is whole again");
	end();

	restored_home();
	forget(&alpha);
	ent_node_peer_message(alpha.k.node, "bravo", ent_bytes_str("{\"type\":\"witnessed?\"}"));
	const char *said = last(&alpha, "witnessed");
	OK(said && strstr(said, "\"restored\":true"), "a restored home answers others, and says that it may be old");
	end();
	return tap_done();
}
