#!/usr/bin/env bash
# Streams and copies from and into CockroachDB as test/servers/cockroach-stub.py imitates it in front of a PostgreSQL (no real cluster): copied as of one
# time, followed by its changefeed, killed with the node, equal each time; its wish to repeat a transaction costs nothing.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=test/e2e/stores-lib.sh
. "$(dirname "$0")/stores-lib.sh"
if ! has_server postgres; then
	echo "ok 1 - streams from CockroachDB imitated # SKIP PostgreSQL's server programs are not installed"
	tests=1
	exit 0
fi
stub=
# shellcheck disable=SC2317
stub_stop() { [ -z "$stub" ] || kill "$stub" 2>/dev/null; servers_stop; }
trap stub_stop EXIT
check "PostgreSQL starts" server_start postgres
check "the imitation is set up" sh -c "'$servers/cockroach-stub.py' setup | psql -qX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p '${port[postgres]}' -U test -d test"
read -r listen http front < <(free_ports 3)
"$servers/cockroach-stub.py" "$front" "${port[postgres]}" >"$work/stub.out" 2>&1 &
stub=$!
check "and starts" until_true 10 grep -q ready "$work/stub.out"
at a init --org a --listen "127.0.0.1:$listen" --http "127.0.0.1:$http" >/dev/null 2>&1
start a
roach="postgresql://test@127.0.0.1:$front/test?sslmode=disable"
secret=(--password-file "$work/password")
pg test -c "CREATE TABLE change_orders (id int PRIMARY KEY, who text, cost numeric(10,2), at timestamptz)"
pg test -c "INSERT INTO change_orders SELECT i, 'row ' || i, i / 4.0, '2024-02-29 12:00:00+00' FROM generate_series(1, 3000) AS i"

dst=sqlite:$work/dst.db
equal() { at a compare "$roach#change_orders" "$dst#change_orders" "${secret[@]}"; }
check "a stream" at a replicate start orders "$roach" "$dst" --table change_orders "${secret[@]}"
check "it copies" until_true 60 equal
pg test -c "BEGIN; UPDATE change_orders SET cost = cost + 1 WHERE id <= 300; DELETE FROM change_orders WHERE id BETWEEN 400 AND 450; UPDATE change_orders SET id = 9000 WHERE id = 7; COMMIT"
check "it follows" until_true 60 equal
check_exit "status says how" 0 'change data capture, exactly once' at a replicate status orders
kill -9 "${pid_of[a]}"; wait "${pid_of[a]}" 2>/dev/null
pg test -c "UPDATE change_orders SET who = 'changed' WHERE id % 5 = 0; INSERT INTO change_orders VALUES (9001, NULL, NULL, NULL)"
start a
check "it goes on after kill -9 of the node" until_true 60 equal
pg test -c "ALTER TABLE change_orders ADD COLUMN more text; INSERT INTO change_orders VALUES (9002, 'a', 1, now(), 'new')"
check "a new column is followed" until_true 60 equal
check "the end" at a replicate stop orders

psql -qX "postgresql://test:test@127.0.0.1:$front/test?sslmode=disable" -c "SET entente_stub.fail = '3 COMMIT'" >/dev/null
check "a copy into it, repeated when it says so" at a copy "$dst#change_orders" "$roach#copied" --key id --dst-password-file "$work/password"
check "is equal" at a compare "$dst#change_orders" "$roach#copied" --dst-password-file "$work/password"

own="postgresql://test@127.0.0.1:${port[postgres]}/test?sslmode=disable"
check_exit "a copy to it and another target is refused" 2 'CockroachDB does not prepare' at a copy "$dst#change_orders" "$own#together" "$roach#together2" --key id --dst-password-file "$work/password"
check_exit "before anything is made in the other one" 0 '^0$' psql -qXAt "postgresql://test:test@127.0.0.1:${port[postgres]}/test?sslmode=disable" -c "SELECT count(*) FROM pg_class WHERE relname LIKE 'together%'"
