#!/usr/bin/env bash
# Files somewhere else: SQLite to Parquet and Arrow in HDFS (and beside us), equal there and on the way back; kill -9 in the middle of copies leaves the old file
# or the new one under its name, and the same command then finishes. KILLS: how often (8).
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
servers=$(cd "$(dirname "$0")/../servers" && pwd)
stop_all() {
	[ ! -d "$work/hdfs" ] || "$servers/hdfs.sh" stop "$work/hdfs" >/dev/null 2>&1
	finish
}
trap stop_all EXIT
python3 - "$work" <<'PY'
import random, sqlite3, sys
r = random.Random(9)
db = sqlite3.connect(f"{sys.argv[1]}/src.db")
for name, rows in (("old", 500), ("new", 40000)):
    db.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, place TEXT, amount DECIMAL(12,2), day DATE NOT NULL, weight DOUBLE)")
    db.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?)", ((i, None if i % 7 == 0 else f"{r.getrandbits(128):032x} Łódź", f"{r.randrange(10**8) / 100:.2f}",
        f"20{i % 30 + 10}-0{i % 9 + 1}-1{i % 10}", r.random() * 10 ** r.randrange(-9, 9)) for i in range(rows)))
db.commit()
PY
read -r listen http < <(free_ports 2)
at a init --org a --listen "127.0.0.1:$listen" --http "127.0.0.1:$http" >/dev/null 2>&1
old="sqlite:$work/src.db#old" new="sqlite:$work/src.db#new"

there_and_back() { # NAME ADDRESS
	check "$1: from SQLite" at a copy "$new" "$2" --quiet
	check_exit "$1: equal" 0 '^equal: 40000 rows' at a compare "$new" "$2"
	check "$1: back" at a copy "$2" "sqlite:$work/back.db#t" --quiet --mode replace
	check_exit "$1: equal again" 0 '^equal: 40000 rows' at a compare "$new" "sqlite:$work/back.db#t"
	check_exit "$1: not overwritten" 2 'there already' at a copy "$old" "$2" --quiet
}

# What stands under the name after each kill is one of the two tables.
killed() { # NAME ADDRESS
	local i half=0 dead=0 pid
	check "$1: a file is there" at a copy "$old" "$2" --quiet --mode replace
	for ((i = 0; i < ${KILLS:-8}; i++)); do
		"$ENTENTE" -C "$work/a" copy "$new" "$2" --quiet --mode replace >/dev/null 2>&1 &
		pid=$!
		sleep "0.$((RANDOM % 9))$((RANDOM % 9 + 1))"
		kill -KILL "$pid" 2>/dev/null && dead=$((dead + 1))
		wait "$pid" 2>/dev/null
		at a compare "$old" "$2" >"$work/as-old" 2>&1 || at a compare "$new" "$2" >"$work/as-new" 2>&1 && continue
		half=$((half + 1))
		sed 's/^/# /' "$work/as-old" "$work/as-new"
	done
	line "$half" "$1: after $dead of $i kills the file was whole, old or new"
	check "$1: the same command finishes" at a copy "$new" "$2" --quiet --mode replace
	check_exit "$1: and is equal" 0 '^equal: 40000 rows' at a compare "$new" "$2"
}

there_and_back "an Arrow file" "$work/new.arrow"
there_and_back "an Arrow stream" "$work/new.arrows"
killed "an Arrow file" "$work/killed.arrow"
# Files come into a folder while the stream that follows it is killed again and again: every row once.
csv() { python3 -c 'import sys; n = int(sys.argv[1]); print("id,name"); [print(f"{n * 1000 + i},name {i}") for i in range(700)]' "$1"; } # N
followed_folder() {
	local i pid
	mkdir "$work/in" "$work/out"
	csv 0 >"$work/in/0.csv"
	for ((i = 1; i <= ${KILLS:-8}; i++)); do
		"$ENTENTE" -C "$work/a" replicate run "folder:$work/in" "sqlite:$work/folder.db" --table '*.csv=t' >/dev/null 2>&1 &
		pid=$!
		csv "$i" >"$work/out/$i.csv" && mv "$work/out/$i.csv" "$work/in/"
		sleep "1.$((RANDOM % 9))"
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null
	done
	sleep 1.1
	check "a folder: after $((i - 1)) kills the stream catches up" at a replicate run "folder:$work/in" "sqlite:$work/folder.db" --table '*.csv=t' --until-caught-up
	check_exit "a folder: every row of every file, once" 0 "^equal: $((i * 700)) rows" at a compare "folder:$work/in#*.csv" "sqlite:$work/folder.db#t"
	echo 'id,name' >"$work/in/0.csv"
	check_exit "a folder: a file that was taken and changed stops it" 65 'changed or went away' \
		at a replicate run "folder:$work/in" "sqlite:$work/folder.db" --table '*.csv=t' --until-caught-up
}
followed_folder

if "$servers/hdfs.sh" present; then
	port=$("$servers/ports.py" 1 11)
	check "HDFS starts" "$servers/hdfs.sh" start "$work/hdfs" "$port"
	hdfs() { echo "hdfs://joe@127.0.0.1:$port/e2e/$1?tls=off"; }
	there_and_back "Parquet in HDFS" "$(hdfs new.parquet)"
	there_and_back "Arrow in HDFS" "$(hdfs new.arrow)"
	killed "Parquet in HDFS" "$(hdfs killed.parquet)"
	check_exit "a table is added from HDFS" 0 'a.sales, 40960 rows' at a add sales "$(hdfs new.parquet)"
	line "$(find "$work/a/objects" -type f ! -path '*/out/*' | wc -l)" "no local copy is left"
	check "a DataNode is killed" "$servers/hdfs.sh" kill "$work/hdfs" datanode2
	check_exit "and the file is still equal" 0 '^equal: 40000 rows' at a compare "$new" "$(hdfs new.parquet)"
else
	echo "ok $((++tests)) - files in HDFS # SKIP it is not installed (test/servers/hdfs.sh install)"
fi
