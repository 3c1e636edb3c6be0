/* The ledger's write path on a real disk: signed entries made durable per second, latency of one append, and the raw ceilings of the same run.
 * usage: bench_ledger FOLDER [SECONDS]   prints one JSON line per figure; FOLDER is made and filled. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/sign.h"
#include "os/disk.h"
#include "os/system.h"
#include "os/workers.h"
#include "support/ledger_kit.h"

#define POOL_ENTRIES 4000

static struct kit_org org;
static struct ent_bytes notes[POOL_ENTRIES];

static uint64_t now(void) { return ent_system_clock()->mono_ms(ent_system_clock()); }

static void figure(const char *name, double value, const char *unit)
{
	printf("{\"bench\":\"ledger\",\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\"}\n", name, value, unit);
}

/* Entries of about 300 bytes and more: an envelope with one signature is never shorter. */
static void make_notes(void)
{
	for (size_t i = 0; i < POOL_ENTRIES; i++) {
		struct ent_buf b = { 0 };
		char text[20];
		snprintf(text, sizeof text, "note %zu", i);
		kit_note(&org, text, &b);
		notes[i] = ent_buf_bytes(&b);
	}
}

static void measure_ceiling(void)
{
	uint8_t sig[64];
	uint64_t start = now();
	size_t n = 0;
	ENT_ASSERT(!ent_sign(org.seeds[0], notes[0], sig, NULL));
	for (; now() - start < 500; n++)
		ENT_ASSERT(ent_sign_verify(org.keys[0].pub, notes[0], sig, sizeof sig));
	figure("Ed25519 verify, one core", (double)n * 1000 / (double)(now() - start), "1/s");
}

static void measure_group(struct ent_ledger *l, size_t group, uint64_t limit_ms)
{
	uint64_t start = now(), published = start, worst = 0;
	size_t done = 0;
	char name[80];
	while (now() - start < limit_ms) {
		uint64_t before = now(), first;
		ENT_ASSERT(!ent_ledger_append(l, &notes[done % (POOL_ENTRIES - group)], group, &first, NULL));
		done += group;
		worst = now() - before > worst ? now() - before : worst;
		if (now() - published > 250) {
			ENT_ASSERT(!ent_ledger_publish(l, NULL) && !ent_ledger_cosigned(l, ent_bytes("", 0), NULL));
			published = now();
		}
	}
	snprintf(name, sizeof name, "durable entries, groups of %zu", group);
	figure(name, (double)done * 1000 / (double)(now() - start), "1/s");
	snprintf(name, sizeof name, "slowest append, groups of %zu", group);
	figure(name, (double)worst, "ms");
}

static void measure_open(struct ent_ledger **l)
{
	uint64_t size = ent_ledger_size(*l), start;
	ent_ledger_free(*l);
	start = now();
	ENT_ASSERT(!ent_ledger_open(&org.config, l, NULL));
	figure("opening", (double)(now() - start), "ms");
	ENT_ASSERT(ent_ledger_size(*l) == size);
	figure("entries then", (double)size, "1");
}

int main(int argc, char **argv)
{
	struct ent_fs *disk = NULL;
	struct ent_pool *pool = NULL;
	struct ent_ledger *l = NULL;
	uint64_t limit = argc > 2 ? strtoull(argv[2], NULL, 10) * 1000 : 2000;
	if (argc < 2 || ent_disk_new(argv[1], true, &disk, NULL) || ent_workers_new(2, &pool, NULL)) {
		fprintf(stderr, "usage: bench_ledger FOLDER [SECONDS]\n");
		return 2;
	}
	kit_org_init(&org, "hudson", disk);
	org.config.pool = pool;
	org.config.clock = ent_system_clock();
	ENT_ASSERT(!ent_ledger_create(&org.config, ent_buf_bytes(&org.card_bytes), &l, NULL));
	make_notes();
	measure_ceiling();
	static const size_t groups[] = { 1, 16, 128, 1024 };
	for (size_t i = 0; i < ENT_COUNT(groups); i++)
		measure_group(l, groups[i], limit);
	measure_open(&l);
	ent_ledger_free(l);
	ent_workers_free(pool);
	ent_disk_free(disk);
	return 0;
}
