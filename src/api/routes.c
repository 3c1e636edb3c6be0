#include "api/routes.h"

#include <string.h>

#include "base/check.h"

/* clang-format off */
const struct ent_api_route ent_api_routes[] = {
	{ "status", "State of this node: peers, tables, jobs, ledger, disk", "", NULL },
	{ "card", "Own member card", "", NULL },
	{ "card.rotate", "New keys for this organisation; refused while the node runs", "", NULL },
	{ "trust", "Pin other members' cards", "cards array, replace? boolean", NULL },
	{ "untrust", "Stop trusting a member", "org string", NULL },
	{ "members", "Members with fingerprints and addresses", "", NULL },
	{ "add", "Register a table",
	  "name string, source string, options? array, bounds? object, hide? array, keys? array, refresh? boolean, secret? string", NULL },
	{ "remove", "Withdraw a table", "name string", NULL },
	{ "tables", "Every table of the consortium with what this node may do", "", NULL },
	{ "describe", "One table with the rules behind each column", "table string", NULL },
	{ "grant", "Write column rules", "text string", NULL },
	{ "grants", "Column rules", "check? boolean, org? string", NULL },
	{ "revoke", "Take back one rule", "id string", NULL },
	{ "move.start", "Start a copy or a comparison",
	  "kind string, source string, targets array, source_options? array, target_options? array, source_secret? string, target_secret? string, "
	  "columns? array, keys? array, where? string, where_target? string, mode? string, allow_lossy? array, dry_run? boolean, restart? boolean, "
	  "parallel? integer, limit? integer",
	  NULL },
	{ "move", "One move; waits for a change", "id string, wait_ms? integer, seen? integer", NULL },
	{ "move.cancel", "Cancel a move", "id string", NULL },
	{ "moves", "Copies and comparisons of this node", "", NULL },
	{ "replicate.start", "Start a named stream",
	  "name string, source string, targets array, tables array, keys? array, source_options? array, target_options? array, source_secret? string, "
	  "target_secret? string, rows_per_split? integer",
	  NULL },
	{ "replicate.list", "Streams and how far they are", "name? string", NULL },
	{ "replicate.pause", "Pause a stream", "name string", NULL },
	{ "replicate.resume", "Let a paused or failed stream go on", "name string", NULL },
	{ "replicate.stop", "End a stream for good", "name string, keep? boolean", NULL },
	{ "explain", "Decision, plan and cost of a query without running it", "sql string, purpose? string, pushdown? boolean", NULL },
	{ "query", "Start a joint query", "sql string, purpose? string, pushdown? boolean, format? string, color? boolean", NULL },
	{ "jobs", "Joint work", "", NULL },
	{ "job", "One job; waits for a change", "id string, wait_ms? integer, seen? integer", NULL },
	{ "result", "What a finished job yields", "id string, part string", "application/octet-stream" },
	{ "approve", "Approve a job that waits for people", "id string", NULL },
	{ "deny", "Deny a job that waits for people", "id string", NULL },
	{ "cancel", "Cancel a job", "id string", NULL },
	{ "ledger.list", "Entries of the own ledger", "from? integer, count? integer", NULL },
	{ "ledger.blocks", "The own ledger as blocks", "from? integer, count? integer, verify? boolean", NULL },
	{ "ledger.show", "One entry", "index integer", NULL },
	{ "ledger.prove", "Inclusion proof of one entry", "index integer", "text/plain" },
	{ "ledger.verify", "Check the whole own ledger", "", NULL },
	{ "ledger.note", "Write a note", "text string", NULL },
	{ "doctor", "Configuration, ports, TLS, sources and rights", "", NULL },
	{ "backup", "Write a snapshot of the home, without keys, to a file in it", "", NULL },
	{ "token.add", "Make a read token; it is shown once", "name string", NULL },
	{ "token.list", "Names of the read tokens", "", NULL },
	{ "token.remove", "Take a read token back", "name string", NULL },
	{ "config", "Settings", "", NULL },
};
/* clang-format on */
const size_t ent_api_routes_count = ENT_COUNT(ent_api_routes);

const struct ent_api_route *ent_api_route_by_verb(const char *verb, size_t len)
{
	for (size_t i = 0; i < ENT_COUNT(ent_api_routes); i++)
		if (strlen(ent_api_routes[i].verb) == len && !memcmp(ent_api_routes[i].verb, verb, len))
			return &ent_api_routes[i];
	return NULL;
}
