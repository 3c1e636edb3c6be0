/* Every operator under lack of memory, dying links and altered bytes: it ends with a code at every party, gives all share memory back, never crashes
 * and never waits for ever. (Altered share payloads may change values: TLS keeps them out on the wire, a dishonest party is a later milestone.) */
#include "mpc_script.h"
#include "tap.h"

static bool ended_well(const struct trio *t, bool may_succeed)
{
	bool any = false;
	for (int p = 0; p < 3; p++) {
		int rc = t->rc[p];
		any = any || rc;
		if (rc != 0 && rc != ENT_ENOMEM && rc != ENT_EPEER && rc != ENT_ECANCELLED)
			return false;
		if (t->counters[p].memory_used)
			return false;
	}
	return any || may_succeed;
}

/* Caps that end each step somewhere else, up to one that suffices. */
static void memory(struct script_data *d)
{
	static struct trio t;
	for (int step = 0; step < STEP_COUNT; step++) {
		size_t cap = 2000, tries = 0, bad = 0;
		int rc = ENT_ENOMEM;
		d->step = (enum script_step)step;
		for (; rc && cap < (size_t)8 << 20; cap += cap / 8, tries++) {
			t = (struct trio){ .fn = script_run, .arg = d, .options.memory_max_bytes = cap };
			rc = trio_run(&t);
			bad += !ended_well(&t, !rc);
		}
		OK(!rc && !bad && tries > 3, "%s: %zu caps too small, all ended well", script_names[step], tries);
	}
}

static void links(struct script_data *d, uint64_t *seed)
{
	static struct trio t;
	for (int step = 0; step < STEP_COUNT; step++) {
		size_t died = 0, bad = 0;
		d->step = (enum script_step)step;
		t = (struct trio){ .fn = script_run, .arg = d };
		int rc = trio_run(&t);
		for (int i = 0; i < 24; i++) {
			struct ent_memlink_faults f[3] = { ENT_MEMLINK_SOUND, ENT_MEMLINK_SOUND, ENT_MEMLINK_SOUND };
			uint64_t at = trio_next(seed) % (t.counters[0].bytes_sent + 96);
			uint64_t *what = i % 2 ? &f[i % 3].flip_at : &f[i % 3].die_at;
			*what = at;
			static struct trio u;
			u = (struct trio){ .fn = script_run, .arg = d };
			died += trio_run_faulty(&u, f) != 0;
			bad += !ended_well(&u, true);
		}
		OK(!rc && !bad, "%s: 24 dying or altering links, %zu runs ended early, all well", script_names[step], died);
	}
}

int main(void)
{
	static struct script_data d;
	uint64_t seed = trio_seed();
	script_fill(&d, 2, seed);
	memory(&d);
	links(&d, &seed);
	return tap_done();
}
