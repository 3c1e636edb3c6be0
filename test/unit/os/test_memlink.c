/* The in-memory link carries bytes, never deadlocks, and shows each fault it was asked for. */
#include "os/memlink.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/system.h"
#include "tap.h"

static struct ent_link *ends[2];

static void make(size_t cap)
{
	ENT_ASSERT(!ent_memlink_pair(ends, cap));
	ent_memlink_timeout(ends[0], 500);
	ent_memlink_timeout(ends[1], 500);
}

static void drop_both(void)
{
	ends[0]->ops->free(ends[0]);
	ends[1]->ops->free(ends[1]);
}

static int snd(int end, const void *data, size_t len) { return ends[end]->ops->send(ends[end], data, len, NULL); }
static int rcv(int end, void *data, size_t len) { return ends[end]->ops->recv(ends[end], data, len, NULL); }

static void *both_send_first(void *arg)
{
	int me = *(int *)arg;
	size_t len = 5u << 20;
	uint8_t *mine = malloc(len), *theirs = malloc(len);
	memset(mine, me + 1, len);
	bool ok = !snd(me, mine, len) && !rcv(me, theirs, len);
	memset(mine, 2 - me, len);
	ok = ok && !memcmp(mine, theirs, len);
	free(mine);
	free(theirs);
	return ok ? arg : NULL;
}

static void carries(void)
{
	pthread_t t[2];
	int who[2] = { 0, 1 };
	void *done[2];
	make(0);
	for (int i = 0; i < 2; i++)
		ent_memlink_timeout(ends[i], 60000);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, both_send_first, &who[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &done[i]);
	OK(done[0] && done[1], "both ends send 5 MiB first, then receive");
	OK(ends[0]->bytes_sent == 5u << 20 && ends[0]->bytes_received == 5u << 20 && ends[0]->messages_sent == 1, "counted");
	drop_both();
	make(100);
	char buf[101] = { 0 };
	OK_INT(snd(0, buf, 100), 0);
	OK_INT(snd(0, buf, 1), ENT_ENOMEM, "capacity is a cap");
	OK_INT(rcv(1, buf, 60), 0);
	OK_INT(snd(0, buf, 60), 0, "room again after reading");
	drop_both();
}

static void faults(void)
{
	uint8_t out[300000], in[300000];
	struct ent_memlink_faults f = ENT_MEMLINK_SOUND;
	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (uint8_t)(i * 31);
	make(0);
	f.flip_at = 200010;
	ent_memlink_faults(ends[0], &f);
	snd(0, out, 10);
	snd(0, out + 10, sizeof out - 10);
	OK_INT(rcv(1, in, sizeof in), 0);
	in[200010] ^= 1;
	OK(!memcmp(in, out, sizeof in), "exactly the asked bit was flipped");
	drop_both();
	make(0);
	f = (struct ent_memlink_faults)ENT_MEMLINK_SOUND;
	f.drop_at = 12;
	ent_memlink_faults(ends[0], &f);
	for (size_t i = 0; i < 3; i++)
		snd(0, out + 10 * i, 10);
	OK(!rcv(1, in, 20) && !memcmp(in, out, 10) && !memcmp(in + 10, out + 20, 10), "the second call vanished");
	OK_INT(rcv(1, in, 1), ENT_EPEER, "and what it missed never comes");
	drop_both();
	make(0);
	f = (struct ent_memlink_faults)ENT_MEMLINK_SOUND;
	f.truncate_at = 5;
	ent_memlink_faults(ends[0], &f);
	snd(0, out, 10);
	snd(0, out + 10, 10);
	OK(!rcv(1, in, 19) && in[8] == out[8] && in[9] == out[10], "one byte is missing");
	drop_both();
	make(0);
	f = (struct ent_memlink_faults)ENT_MEMLINK_SOUND;
	f.die_at = 15;
	ent_memlink_faults(ends[0], &f);
	OK_INT(snd(0, out, 10), 0);
	OK_INT(snd(0, out, 10), ENT_EPEER, "sender sees the death");
	OK_INT(rcv(1, in, 15), 0, "what came before can be read");
	OK_INT(rcv(1, in, 1), ENT_EPEER, "then the receiver sees it");
	OK_INT(snd(1, in, 1), ENT_EPEER, "in the other direction too");
	drop_both();
}

static void *cancel_soon(void *arg)
{
	usleep(20000);
	ends[1]->ops->cancel(ends[1]);
	return arg;
}

static void ends_of_life(void)
{
	char c = 'x';
	pthread_t t;
	make(0);
	ent_memlink_timeout(ends[1], 0);
	pthread_create(&t, NULL, cancel_soon, NULL);
	OK_INT(rcv(1, &c, 1), ENT_ECANCELLED, "cancel wakes a waiting receiver");
	pthread_join(t, NULL);
	OK_INT(snd(0, &c, 1), ENT_EPEER, "the other end learns it");
	drop_both();
	make(0);
	snd(0, &c, 1);
	ends[0]->ops->free(ends[0]);
	OK_INT(rcv(1, &c, 1), 0, "bytes of a freed end are still there");
	OK_INT(rcv(1, &c, 1), ENT_EPEER, "then it is a dead peer");
	ends[1]->ops->free(ends[1]);
	make(0);
	struct ent_memlink_faults f = ENT_MEMLINK_SOUND;
	f.delay_us = 50000;
	ent_memlink_faults(ends[0], &f);
	uint64_t start = ent_system_clock()->mono_ms(NULL);
	snd(0, &c, 1);
	OK_INT(rcv(1, &c, 1), 0);
	OK(ent_system_clock()->mono_ms(NULL) - start >= 49, "delayed");
	drop_both();
}

int main(void)
{
	carries();
	faults();
	ends_of_life();
	return tap_done();
}
