/* Three meshes in one process: everybody comes up, messages arrive in order, strangers and changed keys are refused, death of each kind is noticed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mesh_kit.h"
#include "os/system.h"
#include "tap.h"

static struct node alpha, bravo, charlie, mallory;
static struct node *all[] = { &alpha, &bravo, &charlie };

static int say(struct node *n, const char *org, const void *data, size_t len) { return n->mesh->ops->send(n->mesh, org, ent_bytes(data, len), NULL); }

static void together(void)
{
	bool up = true;
	for (size_t i = 0; i < 3; i++)
		node_start(all[i], "127.0.0.1:0");
	for (size_t i = 0; i < 3; i++)
		node_trust(all[i], all, 3);
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++)
			up = up && (i == j || wait_up(all[i], all[j]->org));
	OK(up, "everybody is up with everybody");
	const struct note *t = node_wait(&alpha, ENT_MESH_UP, "bravo", 0);
	OK_STR(t ? t->text : "", "entente test", "the peer's version is told");
	OK_INT(say(&alpha, "nobody", "x", 1), ENT_EPEER, "an unknown peer is not connected");
}

static void messages(void)
{
	size_t big = ENT_MESH_BYTES_MAX;
	uint8_t *data = malloc(big + 1);
	bool sent = true, order = true;
	for (size_t i = 0; i < big; i++)
		data[i] = (uint8_t)(i >> 3 ^ i);
	for (uint32_t i = 0; i < 500; i++)
		sent = sent && !say(&alpha, "charlie", &i, sizeof i) && !say(&charlie, "alpha", &i, sizeof i);
	OK(sent, "500 messages each way are queued");
	OK(node_wait(&charlie, ENT_MESH_MESSAGE, "alpha", 499) && node_wait(&alpha, ENT_MESH_MESSAGE, "charlie", 499), "and arrive");
	for (uint32_t i = 0; i < 500; i++)
		order = order && node_wait(&charlie, ENT_MESH_MESSAGE, "alpha", i)->first == i;
	OK(order, "in order");
	OK_INT(say(&bravo, "charlie", data, big), 0);
	const struct note *t = node_wait(&charlie, ENT_MESH_MESSAGE, "bravo", 0);
	OK(t && t->len == big && t->hash == hash_of(data, big), "a message of 4 MiB arrives whole");
	OK_INT(say(&bravo, "charlie", data, big + 1), ENT_EINTERNAL, "one byte more is refused");
	OK_INT(say(&bravo, "charlie", data, 0), 0);
	t = node_wait(&charlie, ENT_MESH_MESSAGE, "bravo", 1);
	OK(t && t->len == 0, "an empty message is a message");
	free(data);
}

static void strangers(void)
{
	struct ent_mesh_pin pins[3];
	char hex[65];
	node_keys(&mallory, "mallory");
	node_start(&mallory, NULL);
	pins[0] = pin_of(&alpha, ent_tls_mesh_port(alpha.mesh));
	ent_tls_mesh_pins(mallory.mesh, pins, 1, NULL);
	ent_hex(hex, mallory.public_key, 32);
	const struct note *t = node_wait_text(&alpha, ENT_MESH_REFUSED, hex);
	OK(t && strstr(t->text, "not the one of a trusted") && strstr(t->text, "127.0.0.1"), "a stranger is refused, key and address are told: %s",
	   t ? t->text : "");
	t = node_wait(&mallory, ENT_MESH_REFUSED, "alpha", 0);
	OK(t && strstr(t->text, "refused our"), "and learns that it was: %s", t ? t->text : "");
	char why[300] = "";
	mallory.mesh->ops->trouble(mallory.mesh, "alpha", why, sizeof why);
	OK(strstr(why, "127.0.0.1:") && strstr(why, "pinned our card"), "doctor can say why: %s", why);
	alpha.mesh->ops->trouble(alpha.mesh, "bravo", why, sizeof why);
	OK_STR(why, "", "nothing to say about a peer that is up");
	usleep(900000); /* it redials meanwhile */
	OK_INT(node_count_text(&alpha, ENT_MESH_REFUSED, hex), 1, "repetitions are not told again");
	OK(!mallory.mesh->ops->up(mallory.mesh, "alpha"), "no way in");
	node_stop(&mallory);
	/* A trusted member that gives another's name. */
	struct node fake = { .org = "bravo" };
	fake = mallory;
	snprintf(fake.org, sizeof fake.org, "bravo");
	pins[0] = pin_of(&bravo, 0);
	pins[1] = pin_of(&charlie, ent_tls_mesh_port(charlie.mesh));
	pins[2] = pin_of(&mallory, 0);
	ent_tls_mesh_pins(alpha.mesh, pins, 3, NULL);
	node_start(&fake, NULL);
	pins[0] = pin_of(&alpha, ent_tls_mesh_port(alpha.mesh));
	ent_tls_mesh_pins(fake.mesh, pins, 1, NULL);
	t = node_wait(&alpha, ENT_MESH_REFUSED, "mallory", 0);
	OK(t && strstr(t->text, "calls itself bravo"), "a name that does not fit the key is refused: %s", t ? t->text : "");
	node_stop(&fake);
	node_trust(&alpha, all, 3);
}

static void changed_key(void)
{
	struct node *fresh = calloc(1, sizeof *fresh);
	size_t downs = node_count(&alpha, ENT_MESH_DOWN, "bravo"), ups = node_count(&alpha, ENT_MESH_UP, "bravo");
	node_stop(&bravo);
	OK(node_wait(&alpha, ENT_MESH_DOWN, "bravo", downs), "a peer that stops is down");
	OK_INT(say(&alpha, "bravo", "x", 1), ENT_EPEER, "nothing can be sent to it");
	node_keys(fresh, "bravo");
	node_start(fresh, "127.0.0.1:0");
	struct node *others[] = { &alpha };
	node_trust(fresh, others, 1);
	char hex[65];
	ent_hex(hex, fresh->public_key, 32);
	const struct note *t = node_wait_text(&alpha, ENT_MESH_REFUSED, hex);
	OK(t && strstr(t->text, "not the one of a trusted"), "bravo with a new key is refused: %s", t ? t->text : "");
	OK(!fresh->mesh->ops->up(fresh->mesh, "alpha"), "not up");
	others[0] = fresh;
	node_trust(&alpha, others, 1);
	OK(node_wait(&alpha, ENT_MESH_UP, "bravo", ups), "up once the new card is trusted");
	ENT_ASSERT(!ent_tls_mesh_pins(alpha.mesh, NULL, 0, NULL));
	OK(node_wait(fresh, ENT_MESH_DOWN, "alpha", 0), "down once trust is withdrawn");
	OK(!alpha.mesh->ops->up(alpha.mesh, "bravo"), "on both sides");
	node_stop(fresh);
	free(fresh);
	node_start(&bravo, "127.0.0.1:0");
	for (size_t i = 0; i < 3; i++)
		node_trust(all[i], all, 3);
	OK(wait_up(&alpha, "bravo") && wait_up(&bravo, "charlie") && wait_up(&alpha, "charlie"), "bravo is back with its own key");
}

static void keep(struct node *n, bool yes)
{
	pthread_mutex_lock(&n->lock);
	n->keep = yes;
	pthread_mutex_unlock(&n->lock);
}

/* A member sends more than is dealt with: it is held at its limit, others are served, and nothing is lost in the end. */
static void flood(void)
{
	static struct node victim, flooder, other;
	struct node *three[] = { &victim, &flooder, &other };
	static uint8_t big[100000];
	bool order = true;
	node_keys(&victim, "victim");
	node_keys(&flooder, "flooder");
	node_keys(&other, "other");
	victim.inbox_messages_max = 50;
	victim.inbox_bytes_max = sizeof big * 10;
	victim.silence_ms = 2500; /* a busy machine may stop a thread for longer than 400 ms */
	victim.ping_ms = flooder.ping_ms = 100;
	for (size_t i = 0; i < 3; i++)
		node_start(three[i], "127.0.0.1:0");
	for (size_t i = 0; i < 3; i++)
		node_trust(three[i], three, 3);
	ENT_ASSERT(wait_up(&flooder, "victim") && wait_up(&other, "victim"));
	keep(&victim, true);
	for (uint32_t i = 0; i < 1000; i++)
		ENT_ASSERT(!say(&flooder, "victim", &i, sizeof i));
	for (uint32_t i = 0; i < 20; i++)
		ENT_ASSERT(!say(&other, "victim", &i, sizeof i));
	OK(node_wait(&victim, ENT_MESH_MESSAGE, "other", 19), "who keeps to its limit is heard");
	OK(node_wait(&victim, ENT_MESH_MESSAGE, "flooder", 49), "a flood is heard up to its limit");
	usleep(3500000);
	OK_INT(node_count(&victim, ENT_MESH_MESSAGE, "flooder"), 50, "and no further");
	OK_INT(node_count(&victim, ENT_MESH_DOWN, ""), 0, "who is held does not count as silent");
	keep(&victim, false);
	for (uint32_t i = 0; i < 50; i++)
		ent_tls_mesh_taken(victim.mesh, "flooder", sizeof i);
	OK(node_wait(&victim, ENT_MESH_MESSAGE, "flooder", 999), "the rest comes when there is room");
	for (uint32_t i = 0; i < 1000; i++)
		order = order && node_wait(&victim, ENT_MESH_MESSAGE, "flooder", i)->first == i;
	OK(order, "in order, none lost");
	keep(&victim, true);
	for (uint32_t i = 0; i < 200; i++)
		ENT_ASSERT(!say(&flooder, "victim", big, sizeof big));
	OK(node_wait(&victim, ENT_MESH_MESSAGE, "flooder", 1009), "large messages are heard");
	usleep(300000);
	OK(node_count(&victim, ENT_MESH_MESSAGE, "flooder") <= 1011, "up to the limit of bytes: %zu",
	   node_count(&victim, ENT_MESH_MESSAGE, "flooder") - 1000);
	for (size_t i = 0; i < 3; i++)
		node_stop(three[i]);
}

/* Too fast is held, too; an event that cannot be taken is told again. */
static void pace(void)
{
	static struct node victim, flooder;
	struct node *two[] = { &victim, &flooder };
	node_keys(&victim, "victim");
	node_keys(&flooder, "flooder");
	victim.frames_per_s = 100;
	victim.busy = 3;
	for (size_t i = 0; i < 2; i++)
		node_start(two[i], "127.0.0.1:0");
	for (size_t i = 0; i < 2; i++)
		node_trust(two[i], two, 2);
	ENT_ASSERT(wait_up(&flooder, "victim"));
	OK(node_wait(&victim, ENT_MESH_UP, "flooder", 0), "an arrival that could not be taken is told again");
	uint64_t start = ent_system_clock()->mono_ms(NULL);
	for (uint32_t i = 0; i < 300; i++)
		ENT_ASSERT(!say(&flooder, "victim", &i, sizeof i));
	OK(node_wait(&victim, ENT_MESH_MESSAGE, "flooder", 150), "a burst passes");
	usleep(100000);
	size_t heard = node_count(&victim, ENT_MESH_MESSAGE, "flooder");
	uint64_t passed_ms = ent_system_clock()->mono_ms(NULL) - start;
	OK(heard <= 210 + passed_ms / 10, "what is faster than allowed waits: %zu after %llu ms", heard, (unsigned long long)passed_ms);
	OK(node_wait(&victim, ENT_MESH_MESSAGE, "flooder", 299), "and comes later");
	pthread_mutex_lock(&victim.lock);
	victim.busy = 2;
	pthread_mutex_unlock(&victim.lock);
	node_stop(&flooder);
	OK(node_wait(&victim, ENT_MESH_DOWN, "flooder", 0), "so is a death");
	node_stop(&victim);
}

static void silence(void)
{
	static struct node left, right;
	struct middle m;
	struct ent_mesh_pin pin;
	node_keys(&left, "left");
	node_keys(&right, "right");
	left.silence_ms = right.silence_ms = 2500;
	left.ping_ms = right.ping_ms = 100;
	node_start(&left, NULL);
	node_start(&right, "127.0.0.1:0");
	middle_start(&m, ent_tls_mesh_port(right.mesh));
	pin = pin_of(&left, 0);
	ent_tls_mesh_pins(right.mesh, &pin, 1, NULL);
	pin = pin_of(&right, m.port);
	ent_tls_mesh_pins(left.mesh, &pin, 1, NULL);
	OK(wait_up(&left, "right") && wait_up(&right, "left"), "up through a middle");
	usleep(3500000);
	OK(node_count(&left, ENT_MESH_DOWN, "right") == 0, "pings keep an idle connection");
	uint64_t start = ent_system_clock()->mono_ms(NULL);
	atomic_store(&m.frozen, true);
	const struct note *t = node_wait(&left, ENT_MESH_DOWN, "right", 0);
	uint64_t took = ent_system_clock()->mono_ms(NULL) - start;
	OK(t && strstr(t->text, "silent"), "a frozen network is noticed: %s", t ? t->text : "");
	OK(took >= 2000 && took < 60000, "in time (%llu ms)", (unsigned long long)took);
	OK(node_wait(&right, ENT_MESH_DOWN, "left", 0), "on both sides");
	atomic_store(&m.frozen, false);
	OK(node_wait(&left, ENT_MESH_UP, "right", 1), "and recovers");
	/* A changed byte on the wire. */
	size_t downs = node_count(&right, ENT_MESH_DOWN, "left");
	atomic_store(&m.flip_at, m.passed + 40);
	for (int i = 0; i < 3; i++)
		say(&left, "right", "integrity matters", 17);
	t = node_wait(&right, ENT_MESH_DOWN, "left", downs);
	OK(t && node_count(&right, ENT_MESH_MESSAGE, "left") < 3, "a flipped byte ends the connection: %s", t ? t->text : "");
	OK(node_wait(&left, ENT_MESH_UP, "right", 2), "a new one is made");
	node_stop(&left);
	node_stop(&right);
	middle_stop(&m);
}

static bool trouble_with(const char *address, const char *needle)
{
	struct ent_mesh_pin pin = pin_of(&alpha, 0);
	char why[300] = "";
	snprintf(pin.address, sizeof pin.address, "%s", address);
	ent_tls_mesh_pins(mallory.mesh, &pin, 1, NULL);
	for (int i = 0; i < 30000 && !strstr(why, needle); i++) {
		usleep(1000);
		mallory.mesh->ops->trouble(mallory.mesh, "alpha", why, sizeof why);
	}
	printf("# %s\n", why);
	return strstr(why, needle);
}

static void unreachable(void)
{
	node_start(&mallory, NULL);
	OK(trouble_with("127.0.0.1:1", "refused"), "nobody listens there: said");
	OK(trouble_with("no..such..host:4711", "no..such..host"), "a name without address: said");
	node_stop(&mallory);
}

static void addresses(void)
{
	struct ent_mesh_options o = { .org = "x", .listen = "nonsense" };
	struct ent_err err = ENT_ERR_INIT;
	struct ent_mesh *m = NULL;
	char taken[40];
	OK_INT(ent_tls_mesh_new(&o, &m, &err), ENT_ECONFIG, "not an address");
	snprintf(taken, sizeof taken, "127.0.0.1:%u", ent_tls_mesh_port(alpha.mesh));
	o.listen = taken;
	OK_INT(ent_tls_mesh_new(&o, &m, &err), ENT_EIO, "port taken");
	OK(err.next[0], "what to do: %s", err.next);
}

int main(void)
{
	node_keys(&alpha, "alpha");
	node_keys(&bravo, "bravo");
	node_keys(&charlie, "charlie");
	together();
	messages();
	addresses();
	strangers();
	unreachable();
	changed_key();
	for (size_t i = 0; i < 3; i++)
		node_stop(all[i]);
	OK_INT(node_count(&alpha, ENT_MESH_DOWN, "") > 0, 1, "stopping is silent afterwards");
	flood();
	pace();
	silence();
	return tap_done();
}
