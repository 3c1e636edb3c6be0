/* A request to the node of this HOME, or to HOME itself when no node runs. */
#include <signal.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/home.h"
#include "client/client.h"
#include "net/web.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

void ent_cli_catch_interrupt(void)
{
	struct sigaction act = { .sa_handler = on_interrupt };
	sigaction(SIGINT, &act, NULL);
}

bool ent_cli_interrupted(void) { return interrupted; }

static void free_caller(struct ent_http_caller **c)
{
	if (*c)
		ent_web_caller_free(*c);
}

static int call_node(const char *home, const char *verb, const json_t *args, json_t **ret_answer, struct ent_buf *content, struct ent_err *err)
{
	ENT_CLEANUP(free_caller) struct ent_http_caller *caller = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf path = ENT_BUF(4096);
	ent_buf_printf(&path, "%s/node.sock", home);
	ENT_TRY(ent_buf_check(&path, err));
	ENT_TRY(ent_web_caller_new(ent_buf_text(&path), &caller, err));
	struct ent_client client = { .caller = caller };
	return ent_client_call(&client, verb, args, 0, ret_answer, content, err);
}

static void close_home(struct ent_home **h)
{
	if (*h)
		ent_home_close(*h);
}

static int call_home(struct ent_cli *cli, const char *verb, const json_t *args, json_t **ret_answer, struct ent_buf *content, struct ent_err *err)
{
	ENT_CLEANUP(close_home) struct ent_home *home = NULL;
	if (cli->command->stays) {
		if (!cli->held)
			ENT_TRY(ent_home_open(ent_buf_text(&cli->home), &cli->held, err));
		return ent_home_request(cli->held, verb, args, ret_answer, content, err);
	}
	ENT_TRY(ent_home_open(ent_buf_text(&cli->home), &home, err));
	return ent_home_request(home, verb, args, ret_answer, content, err);
}

/* A node that answered this command before, or took the request and gave no answer: its HOME is not opened here instead, the work began there. */
static int node_lost(const struct ent_cli *cli, struct ent_err *err)
{
	ent_fail(err, ENT_ENONODE, "the node went away while this command waited for it");
	ent_why(err, "it was stopped or killed; what it made durable stays");
	return ent_next(err, "start it: entente -C %s serve; then give the command again", ent_buf_text(&cli->home)), ENT_ENONODE;
}

int ent_cli_call(struct ent_cli *cli, const char *verb, const json_t *args, json_t **ret_answer, struct ent_buf *content, struct ent_err *err)
{
	ENT_JSON_AUTO answer = NULL;
	ENT_JSON_AUTO none = json_object();
	const char *home = ent_buf_text(&cli->home);
	if (!args)
		args = none;
	int failed = cli->held ? ENT_ENONODE : call_node(home, verb, args, &answer, content, err);
	if (!cli->held && !answer && ((failed == ENT_ENONODE && cli->met) || failed == ENT_EPEER))
		return node_lost(cli, err);
	cli->met = cli->met || !failed;
	if (failed == ENT_ENONODE && cli->command->offline) {
		json_decref(answer);
		answer = NULL;
		failed = call_home(cli, verb, args, &answer, content, err);
	} else if (failed == ENT_ENONODE) {
		ent_fail(err, ENT_ENONODE, "no node runs in %s", home);
		ent_next(err, "start it: entente -C %s serve", home);
	}
	if (failed) {
		json_decref(cli->refused_answer);
		cli->refused_answer = json_incref(json_object_get(answer, "answer"));
		return failed;
	}
	if (ret_answer)
		*ret_answer = json_incref(answer);
	return 0;
}
