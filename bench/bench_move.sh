#!/usr/bin/env bash
# Moving rows, beside the native pipe of the same run: PostgreSQL to Arrow, PostgreSQL to PostgreSQL, CSV to PostgreSQL, changed rows
# into PostgreSQL, streams (bench_changes.sh).
# usage: bench/bench_move.sh [ROWS]   (BUILD=build)
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/${BUILD:-build}
rows=${1:-1000000}
modules=$build/connectors/postgresql/postgresql.so
files=$(find "$build" -name duckdb.so -path '*engines*' | head -1)
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-bench.XXXXXX")
chmod 755 "$work"
finish() {
	test/servers/postgres.sh stop "$work/pg" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT
port=$(test/servers/ports.py)
test/servers/postgres.sh start "$work/pg" "$port" >/dev/null
export PGPASSWORD=test
# without TLS on both sides: the pipe and the connector do the same work
url="postgresql://test:test@127.0.0.1:$port/test?sslmode=disable"
sql() { psql -qAt "$url" -c "$1"; }
now() { date +%s.%N; }
line() { # NAME BEGIN
	awk -v n="$1" -v r="$rows" -v a="$2" -v b="$(now)" 'BEGIN { printf "{\"bench\":\"%s\",\"rows\":%d,\"seconds\":%.3f,\"rows_per_second\":%.0f}\n", n, r, b - a, r / (b - a) }'
}
echo "{\"bench\":\"machine\",\"cores\":$(nproc),\"load\":$(cut -d' ' -f1 /proc/loadavg)}"
sql "CREATE TABLE t AS SELECT i::bigint AS id, (i % 1000)::int AS a, i / 7.0::float8 AS b, 'text of row ' || i AS c, timestamptz '2024-01-01' + i * interval '1 second' AS d, (i % 100000)::numeric(12,2) / 4 AS e FROM generate_series(1, $rows) AS i"
sql "ALTER TABLE t ALTER e TYPE numeric(12,2), ALTER id SET NOT NULL"
sql "VACUUM ANALYZE t"
sql "CREATE TABLE pipe (LIKE t)"
for round in 1 2; do
	begin=$(now); psql -q "$url" -c "COPY t TO STDOUT (FORMAT binary)" >/dev/null; line "psql_copy_out_$round" "$begin"
	"$build/bench/bench_move" read "$modules" "$url" t
	begin=$(now); psql -q "$url" -c "COPY t TO STDOUT (FORMAT binary)" | psql -q "$url" -c "COPY pipe FROM STDIN (FORMAT binary)"; line "psql_pipe_$round" "$begin"
	sql "TRUNCATE pipe"
	"$build/bench/bench_move" copy "$modules" "$url" t "$modules" "$url" copied wire
	"$build/bench/bench_move" copy "$modules" "$url" t "$modules" "$url" copied
done
if [ -n "$files" ]; then
	sql "COPY t TO STDOUT (FORMAT csv, HEADER)" >"$work/t.csv"
	begin=$(now); psql -q "$url" -c "COPY pipe FROM STDIN (FORMAT csv, HEADER)" <"$work/t.csv"; line psql_csv_in "$begin"
	"$build/bench/bench_move" copy "$files" "$work/t.csv" "" "$modules" "$url" from_csv || echo '{"bench":"csv","skipped":"the files module does not read for copies"}'
fi
"$build/bench/bench_move" apply "$modules" "$url" applied 500000 50000
# streams of changes beside PostgreSQL's own replication
bench/bench_changes.sh "$((rows / 4 / 1000 * 1000))"
