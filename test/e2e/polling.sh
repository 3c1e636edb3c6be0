#!/usr/bin/env bash
# Streams out of Apache Cassandra, found by polling: copied, followed, killed with the node that runs them and with the server, equal each time; what
# polling cannot see is said. Targets: SQLite, and PostgreSQL where it is installed. CRASH=1: the server dies, too.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=test/e2e/stores-lib.sh
. "$(dirname "$0")/stores-lib.sh"
if ! has_server cassandra; then
	echo "ok 1 - streams out of Cassandra # SKIP it is not installed (test/servers/cassandra.sh install)"
	tests=1
	exit 0
fi
rows() { # FROM TO WORD: a CSV file of them, upserted into Cassandra
	{ echo "id,v,n" && seq "$1" "$2" | sed "s/.*/&,$3 &,&.5/"; } >"$work/rows.csv"
	at a copy "$work/rows.csv" "$src#t" --key id --mode "${4:-upsert}" --dst-password-file "$work/cassandra-password" --dst-ca-file "$work/cassandra/ca.crt" \
		--keyspace-options class=SimpleStrategy,replication_factor=1
}
read -r listen http < <(free_ports 2)
at a init --org a --listen "127.0.0.1:$listen" --http "127.0.0.1:$http" >/dev/null 2>&1
check "Cassandra starts" server_start cassandra
src="${url[cassandra]}?poll=1&overlap=2"
secrets=(--password-file "$work/cassandra-password" --ca-file "$work/cassandra/ca.crt")
check "rows" rows 1 2000 first create
dst=sqlite:$work/dst.db

check_exit "a run in the foreground copies" 0 '^2000 rows copied' at a replicate run "$src#t" "sqlite:$work/run.db#t" --until-caught-up "${secrets[@]}"
check "changes" rows 100 109 second
check_exit "and the next one applies what changed" 0 '^0 rows copied' at a replicate run "$src#t" "sqlite:$work/run.db#t" --until-caught-up "${secrets[@]}"
check "equal" at a compare "$src#t" "sqlite:$work/run.db#t" "${secrets[@]}"

start a
targets=("$dst")
more=()
if has_server postgres && server_start postgres; then
	targets+=("${url[postgres]}")
	more=(--dst-password-file "$work/password")
fi
for target in "${targets[@]}"; do
	name=${target%%:*}
	opts=("${secrets[@]}")
	[ "$name" = sqlite ] || opts+=("${more[@]}")
	# shellcheck disable=SC2317
	equal() { at a compare "$src#t" "$target#t" "${opts[@]}"; }
	check "$name: a stream" at a replicate start "poll_$name" "$src" "$target" --table t "${opts[@]}"
	check "$name: it copies" until_true 60 equal
	check "$name: changes" rows 1990 2100 "$name"
	check "$name: it follows" until_true 60 equal
	check_exit "$name: status says how" 0 'poll \(deletes and states in between are not seen\), at least once, idempotent by key' at a replicate status "poll_$name"
	check_exit "$name: and never calls it capture" 1 '' sh -c "\"\$ENTENTE\" -C '$work/a' replicate status 'poll_$name' | grep -q capture"
	kill -9 "${pid_of[a]}"; wait "${pid_of[a]}" 2>/dev/null
	start a
	check "$name: changes while the stream comes back" rows 5 60 "${name}killed"
	check "$name: it goes on after kill -9 of the node" until_true 60 equal
	check "$name: stopped" at a replicate stop "poll_$name"
done
[ -n "${CRASH:-}" ] || exit 0
check "a new stream to lose the server under" at a replicate start lost "$src" "sqlite:$work/lost.db" --table t "${secrets[@]}"
# shellcheck disable=SC2317
equal() { at a compare "$src#t" "sqlite:$work/lost.db#t" "${secrets[@]}"; }
check "it copies" until_true 60 equal
check "kill -9 of Cassandra" crash cassandra
check "changes afterwards" until_true 30 rows 700 800 crash
check "it goes on" until_true 90 equal
