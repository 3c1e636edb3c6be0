/* status, doctor, config, version, log: how this node is doing. */
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/print.h"

static void print_peers(const json_t *peers)
{
	size_t i;
	const json_t *p;
	json_array_foreach(peers, i, p)
	{
		bool up = json_is_true(json_object_get(p, "up"));
		double skew = (double)ent_cli_int(p, "skew_ms") / 1000;
		printf("  %-20s %-5s", ent_cli_str(p, "org"), up ? "up" : "down");
		if (up)
			printf(" version %s, clock %+.1f s", ent_cli_str(p, "version"), skew > -0.05 && skew < 0 ? 0 : skew);
		putchar('\n');
	}
}

static int run_status(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO s = NULL;
	ENT_TRY(ent_cli_call(cli, "status", NULL, &s, NULL, err));
	if (cli->json) {
		ent_cli_json(s);
		return 0;
	}
	const json_t *ledger = json_object_get(s, "ledger"), *jobs = json_object_get(s, "jobs");
	char disk[24];
	ent_cli_size((uint64_t)ent_cli_int(s, "disk_free_bytes"), disk);
	printf("%s  entente %s%s\n", ent_cli_str(s, "org"), ent_cli_str(s, "version"),
	       json_is_true(json_object_get(s, "compute_only")) ? ", compute only" : "");
	printf("fingerprint  %s\n", ent_cli_str(s, "words"));
	printf("tables       %lld own\n", (long long)ent_cli_int(s, "tables"));
	printf("jobs         %lld running, %lld queued\n", (long long)ent_cli_int(jobs, "running"), (long long)ent_cli_int(jobs, "queued"));
	printf("ledger       %lld entries, checkpoint at %lld, cosigned %lld of %lld (quorum %lld)\n", (long long)ent_cli_int(ledger, "size"),
	       (long long)ent_cli_int(ledger, "checkpoint"), (long long)ent_cli_int(ledger, "cosigned"), (long long)ent_cli_int(ledger, "witnesses"),
	       (long long)ent_cli_int(ledger, "quorum"));
	printf("disk         %s free\n", disk);
	printf("members\n");
	print_peers(json_object_get(s, "peers"));
	return 0;
}

const struct ent_cli_command ent_cli_status = {
	.name = "status",
	.args = "",
	.summary = "how this node is doing: peers, tables, jobs, ledger, disk",
	.about = "Shows peers with version and clock difference, own tables, joint work, the ledger with its cosignatures, free disk.",
	.examples = { "entente status", "entente status --json" },
	.run = run_status,
};

static int run_doctor(struct ent_cli *cli, struct ent_err *err)
{
	ENT_JSON_AUTO answer = NULL;
	size_t i, bad = 0;
	const json_t *check;
	ENT_TRY(ent_cli_call(cli, "doctor", NULL, &answer, NULL, err));
	json_array_foreach(json_object_get(answer, "checks"), i, check)
	{
		bool ok = json_is_true(json_object_get(check, "ok"));
		bad += !ok;
		if (cli->json)
			continue;
		printf("%-4s %-14s %s\n", ok ? "ok" : "BAD", ent_cli_str(check, "name"), ent_cli_str(check, "what"));
		if (ent_cli_str(check, "why")[0])
			printf("     why   %s\n", ent_cli_str(check, "why"));
		if (ent_cli_str(check, "next")[0])
			printf("     next  %s\n", ent_cli_str(check, "next"));
	}
	if (cli->json)
		ent_cli_json(answer);
	return bad ? ent_fail(err, ENT_ECONFIG, "%zu of %zu checks need attention", bad, i) : 0;
}

const struct ent_cli_command ent_cli_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "check configuration, ports, TLS, sources and rights",
	.about = "Checks what a node needs to work, one line each: ok, or what is wrong, why, and what to do.",
	.examples = { "entente doctor", "entente doctor --json" },
	.offline = true,
	.run = run_doctor,
};

static int run_config(struct ent_cli *cli, struct ent_err *err)
{
	static const struct ent_cli_column columns[] = { { "key", "key", false }, { "value", "value", false }, { "help", "meaning", false } };
	ENT_JSON_AUTO answer = NULL;
	ENT_TRY(ent_cli_call(cli, "config", NULL, &answer, NULL, err));
	ent_cli_listing(cli, answer, "settings", columns, ENT_COUNT(columns));
	return 0;
}

const struct ent_cli_command ent_cli_config = {
	.name = "config",
	.args = "",
	.summary = "print the settings in force",
	.about = "Prints every setting of HOME/entente.conf with its value in force. Edit the file and start the node again to change one.",
	.examples = { "entente config", "entente config --json" },
	.offline = true,
	.run = run_config,
};

static int run_version(struct ent_cli *cli, struct ent_err *err)
{
	(void)err;
	if (cli->json) {
		ENT_JSON_AUTO v = json_pack("{ss}", "version", ENT_VERSION);
		ent_cli_json(v);
	} else {
		puts("entente " ENT_VERSION);
	}
	return 0;
}

const struct ent_cli_command ent_cli_version = {
	.name = "version",
	.args = "",
	.summary = "print the version",
	.about = "Prints the version of this program.",
	.examples = { "entente version", "entente version --json" },
	.run = run_version,
};

/* Prints what stands in the log from offset *at on. */
static int print_log_from(FILE *f, long *at)
{
	char chunk[8192];
	size_t n;
	if (fseek(f, *at, SEEK_SET) != 0)
		return -1;
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		fwrite(chunk, 1, n, stdout);
	*at = ftell(f);
	fflush(stdout);
	return 0;
}

static int run_log(struct ent_cli *cli, struct ent_err *err)
{
	char path[4200];
	long at = 0;
	snprintf(path, sizeof path, "%s/serve.log", ent_buf_text(&cli->home));
	FILE *f = fopen(path, "re");
	if (!f) {
		ent_fail(err, ENT_ENOTFOUND, "no log in %s", ent_buf_text(&cli->home));
		return ent_next(err, "a node writes it while it runs: entente serve");
	}
	ent_cli_catch_interrupt();
	print_log_from(f, &at);
	while (ent_cli_flag(cli, "follow") && !ent_cli_interrupted()) {
		usleep(200000);
		print_log_from(f, &at);
	}
	fclose(f);
	return 0;
}

static const struct ent_cli_option log_options[] = { { "follow", 'f', NULL, "go on printing what is added" } };
const struct ent_cli_command ent_cli_log = {
	.name = "log",
	.args = "",
	.summary = "print the node's log",
	.about = "Prints HOME/serve.log, one line an event: time, level, event, key=value pairs. No row value, SQL text or secret is ever in it.",
	.examples = { "entente log", "entente log -f" },
	.options = log_options,
	.n_options = ENT_COUNT(log_options),
	.run = run_log,
};
