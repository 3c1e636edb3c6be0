/* Constant time: valgrind runs this program again with all share memory marked undefined; a branch or an address that depends on a share fails the
 * run. That the check can fail is shown by a run that branches on a share on purpose. usage: test_ct_mpc (driver) | test_ct_mpc STEP | test_ct_mpc
 * all | test_ct_mpc leak */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mpc/taint.h"
#include "mpc_script.h"
#include "tap.h"

#define TAINTED 9

extern char **environ;

static int leak(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	ENT_CLEANUP(ent_rows_deinit) struct ent_rows x = { 0 };
	struct script_data *d = arg;
	struct ent_plain in = { SCRIPT_ROWS, SCRIPT_PLANES, 2, d->bits, { d->ring[0], d->ring[1] } };
	ENT_TRY(ent_mpc_input(m, 0, &in, &x, err));
	if (p == 1 && x.bits.c[0][0] & 1) /* the mistake */
		usleep(1);
	return 0;
}

/* Under valgrind: one step of the script, all of them, or the mistake. */
static int inside(const char *what)
{
	static struct script_data d;
	static struct trio t;
	int rc = 0;
	script_fill(&d, 2, 7);
	ent_taint_mark(d.bits, sizeof d.bits);
	ent_taint_mark(d.ring, sizeof d.ring);
	for (int i = 0; i < STEP_COUNT && !rc; i++)
		if (!strcmp(what, "all") || !strcmp(what, script_names[i])) {
			d.step = (enum script_step)i;
			t = (struct trio){ .fn = script_run, .arg = &d };
			rc = trio_run(&t);
		}
	t = (struct trio){ .fn = leak, .arg = &d };
	return rc || (!strcmp(what, "leak") && trio_run(&t)) ? 1 : 0;
}

/* Exit code of valgrind on ourselves; 127 = no valgrind. */
static int under_valgrind(const char *self, const char *what)
{
	char arg0[] = "valgrind", arg1[] = "-q", arg2[] = "--error-exitcode=9", arg3[] = "--track-origins=no", arg4[] = "--fair-sched=yes";
	char me[4096], step[64];
	char *argv[] = { arg0, arg1, arg2, arg3, arg4, me, step, NULL };
	int status;
	pid_t pid;
	snprintf(me, sizeof me, "%s", self);
	snprintf(step, sizeof step, "%s", what);
	if (posix_spawnp(&pid, "valgrind", NULL, NULL, argv, environ))
		return 127;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return inside(argv[1]);
	setenv("ENT_CPU", "portable", 0);
#if !defined(ENT_TAINT)
	tap_skip("taint", "built without valgrind's header");
	return tap_done();
#endif
	int rc = under_valgrind(argv[0], "leak");
	if (rc == 127) {
		tap_skip("taint", "no valgrind here");
		return tap_done();
	}
	OK_INT(rc, TAINTED, "a branch on a share is found");
	rc = under_valgrind(argv[0], "all");
	OK_INT(rc, 0, "no operator branches on shares");
	for (int i = 0; i < STEP_COUNT && rc; i++)
		OK_INT(under_valgrind(argv[0], script_names[i]), 0, "%s does not branch on shares", script_names[i]);
	return tap_done();
}
