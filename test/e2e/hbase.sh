#!/usr/bin/env bash
# Tables into Apache HBase and out again: SQLite (types, a key of two columns, NULLs and empty texts) to HBase to SQLite and DuckDB, the copy killed with -9 in
# mid-work and gone on with; followed by polling; one question over it and a CSV file of another member.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! "$servers/hbase.sh" present; then
	echo "ok 1 - tables into HBase and out of it # SKIP it is not installed (test/servers/hbase.sh install)"
	tests=1
	exit 0
fi
stop_hbase() { "$servers/hbase.sh" stop "$work/hbase" >/dev/null 2>&1; finish; }
trap stop_hbase EXIT

python3 - "$work" <<'PY'
import random, sqlite3, sys
r = random.Random(23)
d = sys.argv[1]
db = sqlite3.connect(f"{d}/from.db")
db.execute("CREATE TABLE parts (plant TEXT NOT NULL, no INTEGER NOT NULL, name TEXT, weight REAL, grade INTEGER, image BLOB, PRIMARY KEY (plant, no))")
plants = ["", "a", "a\x01", "Köln", "z z"]
db.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)",
               ((plants[i % 5], i - 20000, None if i % 7 == 0 else "" if i % 11 == 0 else f"part {i} ü", r.random() * 10 ** r.randrange(-5, 9) if i % 3 else None,
                 r.randrange(-5, 5) if i % 4 else None, None if i % 13 else bytes([i % 256, 0, 255])) for i in range(40000)))
db.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, v TEXT)")
db.executemany("INSERT INTO bare VALUES (?, ?)", ((i, None if i % 2 else f"v{i}") for i in range(500)))
db.commit()
open(f"{d}/numbers.csv", "w").write("no,word\n" + "".join(f"{n},word{n % 3}\n" for n in range(-20000, -17000)))
PY
port=$("$servers/ports.py" 1 4)
check "HBase starts" "$servers/hbase.sh" start "$work/hbase" "$port"
hb="hbase://127.0.0.1:$port/plant?tls=off&lag=2"
from=sqlite:$work/from.db

# --- a copy that is killed ---
for home in k w; do at "$home" init --org "$home" >/dev/null 2>&1; done # one writes, one looks
progress() { # until the target says that a split is done, or the copy is over
	for _ in $(seq 60); do
		kill -0 "$1" 2>/dev/null || return 1
		at w copy "$hb#_entente_checkpoint" "$work/mark.csv" --columns "row,part:split 5" --mode replace --restart --quiet >/dev/null 2>&1
		! grep -q 'done' "$work/mark.csv" 2>/dev/null || return 0
	done
	return 1
}
"$ENTENTE" -C "$work/k" copy "$from#parts" "$hb#parts" --split-rows 200 >"$work/copy.out" 2>&1 &
pid=$!
check "a copy gets on its way" progress "$pid"
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
check_exit "killed, the same command goes on behind the finished splits" 0 'by an earlier run' at k copy "$from#parts" "$hb#parts" --split-rows 200
check "every row stands there once" at k compare "$from#parts" "$hb#parts"

check "three nodes start" consortium a b c
check "a table of keys and NULLs" at a copy "$from#bare" "$hb#bare" --quiet
check "is equal, too" at a compare "$from#bare" "$hb#bare"

# --- and back ---
check "into SQLite" at a copy "$hb#parts" "sqlite:$work/back.db#parts" --quiet
check "equal" at a compare "$hb#parts" "sqlite:$work/back.db#parts"
check "as it was at first" at a compare "$from#parts" "sqlite:$work/back.db#parts"
check "into Parquet" at a copy "$hb#parts" "$work/back.parquet" --quiet
check "equal" at a compare "$hb#parts" "$work/back.parquet"
check "into another table of HBase" at a copy "$hb#parts" "$hb#other" --quiet
check "equal" at a compare "$hb#parts" "$hb#other"

# --- followed ---
check_exit "a stream copies" 0 '^500 rows copied' at a replicate run "$hb#bare" "sqlite:$work/run.db#bare" --until-caught-up
python3 - "$work" <<'PY'
import sqlite3, sys
db = sqlite3.connect(f"{sys.argv[1]}/from.db")
db.execute("CREATE TABLE more (id INTEGER PRIMARY KEY, v TEXT)")
db.executemany("INSERT INTO more VALUES (?, ?)", [(i, "changed") for i in range(10, 20)] + [(1000, None), (1001, "")])
db.commit()
PY
check "changes" at a copy "$from#more" "$hb#bare" --mode upsert --quiet
check_exit "and follows" 0 '^0 rows copied' at a replicate run "$hb#bare" "sqlite:$work/run.db#bare" --until-caught-up
check "equal" at a compare "$hb#bare" "sqlite:$work/run.db#bare"

# --- asked ---
check "a adds the table" at a add parts "$hb#parts"
check "b adds a CSV file" at b add numbers "$work/numbers.csv"
check "a grants" at a grant 'GRANT JOIN ON parts(no) TO ANY WITH OWN VALUES; GRANT AGGREGATE(sum, count) ON parts(grade) TO ANY;'
check "b grants" at b grant 'GRANT JOIN ON numbers(no) TO ANY WITH OWN VALUES; GRANT GROUP ON numbers(word) TO ANY;'
check "tables are known" knows c parts numbers
check "c asks over both" at c query 'SELECT n.word, SUM(p.grade) AS total, COUNT(p.grade) AS n FROM a.parts p JOIN b.numbers n ON p.no = n.no GROUP BY n.word ORDER BY 1' --format csv -o "$work/out.csv"
"$POOLED" "SELECT n.word, SUM(p.grade) AS total, COUNT(p.grade) AS n FROM '$work/back.parquet' p JOIN '$work/numbers.csv' n ON p.no = n.no GROUP BY n.word ORDER BY 1" >"$work/want.csv"
check_same "and the answer is DuckDB's on the pooled rows" "$work/out.csv" "$work/want.csv"
