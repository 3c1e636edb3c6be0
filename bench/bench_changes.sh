#!/usr/bin/env bash
# Changes applied from one PostgreSQL server to another by a stream, beside PostgreSQL's own logical replication (a subscription) of the very same
# changes: inserts, updates, all three mixed, deletes in transactions of 1,000 rows; then small transactions over two tables. CPU seconds of the servers
# and of the stream beside the wall's, because cores are often shared. usage: bench/bench_changes.sh [ROWS]   (BUILD=build)
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/${BUILD:-build}
rows=${1:-300000}
module=${MODULE:-$build/connectors/postgresql/postgresql.so}
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-bench.XXXXXX")
chmod 755 "$work"
finish() {
	for s in source target; do test/servers/postgres.sh stop "$work/$s" >/dev/null 2>&1 || true; done
	rm -rf "$work"
}
trap finish EXIT
export PGPASSWORD=test
read -r p1 p2 < <(test/servers/ports.py 2)
test/servers/postgres.sh start "$work/source" "$p1" >/dev/null
test/servers/postgres.sh start "$work/target" "$p2" >/dev/null
src="postgresql://test:test@127.0.0.1:$p1/test?sslmode=disable" dst="postgresql://test:test@127.0.0.1:$p2/test?sslmode=disable"
TIMEFORMAT='%U %S'
sum() { printf '%s\n' "$@" | awk '{ s += $1 } END { printf "%.3f", s }'; }
at() { psql -qAtX -v ON_ERROR_STOP=1 "$1" -c "$2"; }
cpu() { # seconds of both servers and all their children, ended ones too
	for s in source target; do
		local main
		main=$(head -1 "$work/$s/data/postmaster.pid")
		for p in $main $(pgrep -P "$main"); do cat "/proc/$p/stat" 2>/dev/null || true; done
	done | sed 's/([^)]*)/x/' | awk '{ s += $14 + $15 + $16 + $17 } END { printf "%.2f", s / 100 }'
}
table="(id bigint PRIMARY KEY, a int, b float8, c text, d timestamptz, e numeric(12,2))"
fill="i % 1000, i / 7.0, 'text of row ' || i, timestamptz '2024-01-01' + i * interval '1 second', (i % 100000) / 4.0 FROM generate_series"
line() { # WHO WHAT ROWS WALL CPU
	awk -v w="$1" -v n="$2" -v r="$3" -v t="$4" -v c="$5" 'BEGIN { printf "{\"bench\":\"%s\",\"by\":\"%s\",\"rows\":%d,\"seconds\":%.2f,\"rows_per_second\":%.0f,\"cpu_us_per_row\":%.1f}\n", n, w, r, t, r / t, c * 1e6 / r }'
}
native() { # WHAT ROWS
	local end begin before
	end=$(at "$src" "SELECT pg_current_wal_lsn()")
	begin=$(date +%s.%N) before=$(cpu)
	at "$dst" "ALTER SUBSCRIPTION native ENABLE"
	until [ "$(at "$src" "SELECT confirmed_flush_lsn >= '$end' FROM pg_replication_slots WHERE slot_name = 'native'")" = t ]; do :; done
	line subscription "$1" "$2" "$(sum "$(date +%s.%N)" "-$begin")" "$(sum "$(cpu)" "-$before")"
	at "$dst" "ALTER SUBSCRIPTION native DISABLE"
}
own() { # WHAT ROWS
	local begin before
	begin=$(date +%s.%N) before=$(cpu)
	{ time "$build/bench/bench_move" follow "$module" "$src" "$module" "$dst" f f_copy o o_copy l l_copy >/dev/null 2>"$work/log"; } 2>"$work/time" || { cat "$work/log"; exit 1; }
	line entente "$1" "$2" "$(sum "$(date +%s.%N)" "-$begin")" "$(sum "$(cpu)" "-$before" "$(cut -d' ' -f1 "$work/time")" "$(cut -d' ' -f2 "$work/time")")"
}
both() { # WHAT ROWS STATEMENTS (@: their number) TRANSACTIONS
	for ((i = 0; i < $4; i++)); do echo "BEGIN; ${3//@/$i} COMMIT;"; done | psql -qX -v ON_ERROR_STOP=1 "$src"
	at "$src" CHECKPOINT
	at "$dst" CHECKPOINT
	native "$1" "$2"
	own "$1" "$2"
}
echo "{\"bench\":\"machine\",\"cores\":$(nproc),\"load\":$(cut -d' ' -f1 /proc/loadavg)}"
at "$dst" "ALTER SYSTEM SET wal_retrieve_retry_interval = '10ms'" # else a subscription may begin five seconds late
at "$dst" "SELECT pg_reload_conf()" >/dev/null
tables="CREATE TABLE f $table; CREATE TABLE o (id bigint PRIMARY KEY, c text, d timestamptz); CREATE TABLE l (id bigint, n int, c text, p numeric(12,2), PRIMARY KEY (id, n))"
at "$src" "$tables"
at "$src" "CREATE PUBLICATION native FOR TABLE f, o, l"
at "$src" "SELECT pg_create_logical_replication_slot('native', 'pgoutput')" >/dev/null
at "$dst" "$tables"
at "$dst" "CREATE SUBSCRIPTION native CONNECTION 'host=127.0.0.1 port=$p1 dbname=test user=test password=test sslmode=disable' PUBLICATION native WITH (create_slot = false, enabled = false, copy_data = false, slot_name = native, synchronous_commit = on)" 2>/dev/null
"$build/bench/bench_move" follow "$module" "$src" "$module" "$dst" f f_copy o o_copy l l_copy >/dev/null
both inserts "$rows" "INSERT INTO f SELECT i, $fill(@ * 1000 + 1, @ * 1000 + 1000) AS i;" "$((rows / 1000))"
both updates "$rows" "UPDATE f SET a = a + 1, b = b + 1, c = 'new ' || c WHERE id BETWEEN @ * 1000 + 1 AND @ * 1000 + 1000;" "$((rows / 1000))"
both mixed "$rows" "UPDATE f SET a = a + 1 WHERE id BETWEEN @ * 1000 + 1 AND @ * 1000 + 500; DELETE FROM f WHERE id BETWEEN @ * 1000 + 501 AND @ * 1000 + 750; INSERT INTO f SELECT i + 100000000, $fill(@ * 1000 + 1, @ * 1000 + 250) AS i;" "$((rows / 1000))"
both deletes "$((rows * 3 / 4))" "DELETE FROM f WHERE id % 100000000 BETWEEN @ * 1000 + 1 AND @ * 1000 + 1000 AND id BETWEEN @ * 1000 + 1 AND @ * 1000 + 1000; DELETE FROM f WHERE id BETWEEN 100000000 + @ * 1000 + 1 AND 100000000 + @ * 1000 + 1000;" "$((rows / 1000))"
small=$((rows / 10))
both orders "$((4 * small))" "INSERT INTO o VALUES (@, 'order @', '2024-01-01'); INSERT INTO l SELECT @, i, 'line ' || i, i * 2.5 FROM generate_series(1, 3) AS i;" "$small"
both paid "$((2 * small))" "UPDATE o SET c = 'paid' WHERE id = @; UPDATE l SET p = p + 1 WHERE id = @ AND n = 2;" "$small"
for t in f f_copy o o_copy l l_copy; do echo "{\"bench\":\"$t\",\"rows\":$(at "$dst" "SELECT count(*) FROM $t")}"; done
