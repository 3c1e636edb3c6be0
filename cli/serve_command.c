/* serve, demo: the two commands that run nodes. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/home.h"

static int run_serve(struct ent_cli *cli, struct ent_err *err) { return ent_serve(ent_buf_text(&cli->home), err); }

const struct ent_cli_command ent_cli_serve = {
	.name = "serve",
	.args = "",
	.summary = "run the node in the foreground",
	.about = "Runs the node until SIGTERM or Ctrl-C. Prints one line \"ready ...\" on stdout when peers, people and programs may connect; logs "
		 "go to stderr and "
		 "HOME/serve.log.",
	.examples = { "entente serve", "entente -C a serve &" },
	.run = run_serve,
};

/* The script stands beside the program: in share/entente when installed, in demo/ of the source tree when built there. */
static int find_script(char out[4200], struct ent_err *err)
{
	static const char *const places[] = { "/../share/entente/demo/run.sh", "/../../demo/run.sh" };
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n <= 0)
		return ent_fail(err, ENT_EIO, "cannot find this program: %s", strerror(errno));
	exe[n] = 0;
	*strrchr(exe, '/') = 0;
	for (size_t i = 0; i < ENT_COUNT(places); i++) {
		snprintf(out, 4200, "%s%s", exe, places[i]);
		if (access(out, X_OK) == 0)
			return 0;
	}
	return ent_fail(err, ENT_ENOTFOUND, "the demo's files are not installed beside %s", exe);
}

static int run_demo(struct ent_cli *cli, struct ent_err *err)
{
	char script[4200];
	const char *keep = ent_cli_value(cli, "keep");
	ENT_TRY(find_script(script, err));
	fflush(stdout);
	execl(script, script, keep ? "--keep" : (char *)NULL, keep, (char *)NULL);
	return ent_fail(err, ENT_EIO, "cannot run %s: %s", script, strerror(errno));
}

static const struct ent_cli_option demo_options[] = { { "keep", 0, "DIR", "leave the three nodes running in DIR and print commands to try" } };
const struct ent_cli_command ent_cli_demo = {
	.name = "demo",
	.args = "",
	.summary = "three organisations on this machine, on real data",
	.about = "Starts three nodes on loopback and shows grants, a joint question, a refusal explained, a receipt verified and a damaged ledger "
		 "found, on New York's "
		 "flights of 2013.",
	.examples = { "entente demo", "entente demo --keep /tmp/three" },
	.options = demo_options,
	.n_options = ENT_COUNT(demo_options),
	.run = run_demo,
};
