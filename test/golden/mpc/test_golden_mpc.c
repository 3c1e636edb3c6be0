/* The bytes each operator sends at fixed keys and fixed data, as SHA-256: a change of protocol, order or stream numbers shows here first. */
#include "mpc_script.h"
#include "tap.h"

static void trace(const struct trio *t, char ret[65])
{
	uint8_t hash[32];
	struct ent_bytes pieces[6];
	for (int i = 0; i < 6; i++)
		pieces[i] = ent_bytes(t->log[i / 2][i % 2].sent, t->log[i / 2][i % 2].sent_len);
	ent_sha256v(pieces, 6, hash);
	ent_hex(ret, hash, 32);
}

int main(int argc, char **argv)
{
	static struct script_data d;
	static struct trio t;
	char line[200], got[65];
	FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
	script_fill(&d, 2, 42);
	for (int step = 0; step < STEP_COUNT; step++) {
		char name[32] = "", want[65] = "";
		d.step = (enum script_step)step;
		t = (struct trio){ .fn = script_run, .arg = &d, .record = true, .random_seed = 4711 };
		int rc = trio_run(&t);
		trace(&t, got);
		trio_free(&t);
		if (!f) { /* no file: print one */
			printf("%s %s\n", script_names[step], got);
			continue;
		}
		bool read = fgets(line, sizeof line, f) && sscanf(line, "%31s %64s", name, want) == 2;
		OK(!rc && read && !strcmp(name, script_names[step]), "%s has a trace", script_names[step]);
		OK_STR(got, want, "%s sends the same bytes as ever", script_names[step]);
	}
	if (!f)
		return 0;
	fclose(f);
	return tap_done();
}
