#!/usr/bin/env bash
# Streams between SQLite files: copied, followed, paused, killed with their node, ended; every batch in the ledger, equal each time; a table whose columns
# change stops alone; with PostgreSQL installed, a stream from it keeps transactions whole.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

sql() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=20); c.executescript(sys.argv[2]); c.commit()' "$1" "$2"; }
sql "$work/src.db" "PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, v TEXT, n DOUBLE); CREATE TABLE u (id INTEGER PRIMARY KEY NOT NULL, w TEXT);
	WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 3000) INSERT INTO t SELECT i, 'row ' || i, i / 2.0 FROM k; INSERT INTO u VALUES (1, 'one')"
read -r listen http < <(free_ports 2)
at a init --org a --listen "127.0.0.1:$listen" --http "127.0.0.1:$http" >/dev/null 2>&1
src=sqlite:$work/src.db dst=sqlite:$work/dst.db

check_exit "a run in the foreground copies" 0 '^3000 rows copied, 0 rows applied.*receipt a/' at a replicate run "$src#t" "sqlite:$work/run.db#t" --until-caught-up
sql "$work/src.db" "UPDATE t SET v = 'changed' WHERE id <= 5; DELETE FROM t WHERE id = 9"
check_exit "and the next one applies what changed" 0 '^0 rows copied, 6 rows applied' at a replicate run "$src#t" "sqlite:$work/run.db#t" --until-caught-up
check "equal" at a compare "$src#t" "sqlite:$work/run.db#t"
check_exit "a stream into a DuckDB table" 0 '^2999 rows copied' at a replicate run "$src#t" "duckdb:$work/run.duckdb#t" --until-caught-up
sql "$work/src.db" "UPDATE t SET v = 'changed twice' WHERE id <= 3; DELETE FROM t WHERE id = 10; INSERT INTO t VALUES (10000, 'late', 0.5)"
check_exit "goes on, too" 0 '^0 rows copied, 5 rows applied' at a replicate run "$src#t" "duckdb:$work/run.duckdb#t" --until-caught-up
check "equal" at a compare "$src#t" "duckdb:$work/run.duckdb#t"
sql "$work/src.db" "CREATE TABLE price (id INTEGER PRIMARY KEY NOT NULL, p DECIMAL(12,2)); INSERT INTO price VALUES (1, '0.25'), (2, '7')"
sql "$work/run.db" "CREATE TABLE price (id INTEGER PRIMARY KEY NOT NULL, p REAL)"
check_exit "a column that would lose something stops a stream before its first row" 2 'allow-lossy p' at a replicate run "$src#price" "sqlite:$work/run.db#price" --until-caught-up
check_exit "unless it is named" 0 '^2 rows copied' at a replicate run "$src#price" "sqlite:$work/run.db#price" --until-caught-up --allow-lossy p

waits() { # the source is away: said at once, also without a terminal; Ctrl-C ends it
	"$ENTENTE" -C "$work/a" replicate run 'postgresql://nobody@127.0.0.1:1/none?sslmode=disable#public.t' "sqlite:$work/run.db#t" --until-caught-up -q 2>"$work/waits" &
	local pid=$! said=1
	until_true 30 grep -q '^waiting: ' "$work/waits" && said=0
	kill -INT $pid
	wait $pid
	[ $? = 130 ] && return $said
}
check "a run whose source is away says what it waits for" waits
start a
equal() { at a compare "$src#t" "$dst#t" && at a compare "$src#u" "$dst#u"; }
check "a named stream" at a replicate start orders "$src" "$dst" --table t --table u
check_exit "its name is taken" 2 'already' at a replicate start orders "$src" "$dst" --table t
check "it copies" until_true 60 equal
sql "$work/src.db" "INSERT INTO t VALUES (9000, 'new', 0.5); UPDATE u SET w = 'two'"
check "it follows" until_true 60 equal
check_exit "status says how" 0 'change data capture, exactly once' at a replicate status orders
check "pause" at a replicate pause orders
paused() { at a replicate status orders | grep -Eq 'state +paused'; }
check "is paused" until_true 60 paused
sql "$work/src.db" "DELETE FROM t WHERE id BETWEEN 100 AND 200"
sleep 1
check_exit "a paused stream does nothing" 1 'differ' at a compare "$src#t" "$dst#t"
check "resume" at a replicate resume orders
check "goes on" until_true 60 equal
kill -9 "${pid_of[a]}"; wait "${pid_of[a]}" 2>/dev/null
sql "$work/src.db" "UPDATE t SET n = n + 1 WHERE id < 50"
start a
check "goes on after kill -9 of the node" until_true 60 equal
sql "$work/src.db" "ALTER TABLE u DROP COLUMN w; INSERT INTO u VALUES (2); INSERT INTO t VALUES (9001, 'still', 1)"
stopped() { at a replicate status orders | grep -q 'stopped    u: column w was dropped'; }
check "a dropped column stops its table, with the reason" until_true 60 stopped
check "and the other goes on" until_true 60 at a compare "$src#t" "$dst#t"
check_exit "every batch stands in the ledger" 0 'replicate .*orders: [0-9]+ rows in [0-9]+ transactions' at a ledger list
check "which holds" at a ledger verify
check "the end" at a replicate stop orders
gone() { ! at a replicate list | grep -q orders; }
check "of the stream" until_true 30 gone
check_exit "nothing is known of it" 66 'no stream' at a replicate status orders
