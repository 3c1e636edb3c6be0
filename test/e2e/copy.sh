#!/usr/bin/env bash
# Tables move: copy and compare between stores, with and without a node, over kill -9, with what must be refused.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

python3 - "$work" <<'PY'
import random, sqlite3, sys
r = random.Random(5)
d = sys.argv[1]
db = sqlite3.connect(f"{d}/src.db")
db.execute("CREATE TABLE sales (id INTEGER PRIMARY KEY, shop TEXT NOT NULL, amount DECIMAL(12,2), day DATE NOT NULL, weight DOUBLE)")
shops = ["Bern", "Köln", "Łódź", "東京", "", "a,\"b\"\n"]
db.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", ((i, shops[i % 6], None if i % 11 == 0 else f"{r.randrange(10**6) / 100:.2f}",
    f"20{i % 30 + 10}-0{i % 9 + 1}-1{i % 10}", None if i % 5 == 0 else r.random() * 10 ** r.randrange(-9, 9)) for i in range(12000)))
db.execute("CREATE TABLE narrow (id INTEGER PRIMARY KEY, shop TEXT NOT NULL, amount INTEGER, day DATE NOT NULL, weight DOUBLE)")
db.commit()
PY
rows() { # DB TABLE
	python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(f"SELECT COUNT(*) FROM {sys.argv[2]}").fetchone()[0])' "$1" "$2"
}
sql() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=20); c.execute(sys.argv[2]); c.commit()' "$1" "$2"; }
splits_done() { # DB: splits of a copy that stand in its target
	python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT COUNT(*) FROM _entente_checkpoint WHERE cursor LIKE ?", ("done%",)).fetchone()[0])' "$1" 2>/dev/null || echo 0
}
strike() { # DB N SIGNAL PID: as soon as N splits of a copy stand in DB; asked so often that the copy cannot end before
	python3 -c '
import os, sqlite3, sys, time
end = time.time() + 80
while time.time() < end:
    try:
        if sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, timeout=0).execute("SELECT COUNT(*) FROM _entente_checkpoint WHERE cursor LIKE ?", ("done%",)).fetchone()[0] >= int(sys.argv[2]):
            os.kill(int(sys.argv[4]), int(sys.argv[3]))
            sys.exit(0)
    except sqlite3.Error:
        pass
    time.sleep(0.002)
sys.exit(1)' "$@"
}

read -r listen http < <(free_ports 2)
at a init --org a --listen "127.0.0.1:$listen" --http "127.0.0.1:$http" >/dev/null 2>&1
src=sqlite:$work/src.db#sales

# Without a node: the command does the work itself.
check "a dry run" at a copy "$src" "sqlite:$work/one.db#sales" --dry-run
check_exit "shows what becomes of each column" 0 'amount +decimal\(12,2\).*exact' at a copy "$src" "sqlite:$work/one.db#sales" --dry-run
check_exit "and makes no table" 66 'no table|not|there' at a compare "sqlite:$work/one.db#sales" "$src"
check_exit "a copy says how many rows and which entry" 0 '^12000 rows copied, receipt a/' at a copy "$src" "sqlite:$work/one.db#sales"
check_exit "equal" 0 '^equal: 12000 rows' at a compare "$src" "sqlite:$work/one.db#sales"
check_exit "a table that is there is not overwritten" 2 'there already' at a copy "$src" "sqlite:$work/one.db#sales"
check_exit "a value that does not fit is refused by name" 65 'row .* of column amount' at a copy "$src" "sqlite:$work/src.db#narrow" --mode append
line "$([ "$(rows "$work/src.db" narrow)" = 0 ]; echo $?)" "and nothing of its transaction stays"
check_exit "a column that is not there" 66 'no column nix' at a copy "$src" "sqlite:$work/two.db#sales" --columns id,nix
check_exit "an option nobody knows" 2 'nonsense' at a copy "$src" "sqlite:$work/two.db#sales" --dst-option nonsense=1
check_exit "a target that is no store" 2 'no module' at a copy "$src" "nosuch:thing#t"
check "part of it" at a copy "$src" "sqlite:$work/part.db#sales" --where "id < 1000" --columns id,shop
line "$([ "$(rows "$work/part.db" sales)" = 1000 ]; echo $?)" "has that part"
sql "$work/one.db" "UPDATE sales SET amount = 1.25 WHERE id = 4242"
sql "$work/one.db" "DELETE FROM sales WHERE id = 17"
check_exit "a difference is found: a changed value" 1 '^4242 .*amount: .* \| 1.25' at a compare "$src" "sqlite:$work/one.db#sales"
check_exit "and a missing row" 1 '^17  only in a' at a compare "$src" "sqlite:$work/one.db#sales"
check "upsert mends it" at a copy "$src" "sqlite:$work/one.db#sales" --mode upsert
check "equal again" at a compare "$src" "sqlite:$work/one.db#sales"
check "replace" at a copy "$src" "sqlite:$work/one.db#sales" --mode replace
check "equal" at a compare "$src" "sqlite:$work/one.db#sales"
check_exit "the ledger has the copies" 0 'copy .*a .*12000 rows, done' at a ledger list
check_exit "and the comparisons" 0 'compare .*different' at a ledger list
check "and holds" at a ledger verify
line "$(! grep -rq '4242' "$work/a/ledger/entries" 2>/dev/null; echo $?)" "no row value stands in an entry"

# Killed in the middle, the same command goes on.
"$ENTENTE" -C "$work/a" copy "$src" "sqlite:$work/killed.db#sales" --split-rows 60 >/dev/null 2>&1 &
victim=$!
check "a copy gets on its way" strike "$work/killed.db" 5 9 $victim
wait $victim 2>/dev/null
line "$([ "$(splits_done "$work/killed.db")" -ge 5 ] && [ "$(rows "$work/killed.db" sales)" -gt 0 ]; echo $?)" "killed in the middle"
check_exit "the same command goes on behind the finished splits" 0 'by an earlier run' at a copy "$src" "sqlite:$work/killed.db#sales" --split-rows 60
check "every row stands there once" at a compare "$src" "sqlite:$work/killed.db#sales"
check_exit "and the killed copy is entered, too" 0 'copy .*killed.db#sales: unknown' at a ledger list

# The same under a node, which is killed.
check "a node" start a
check "a registered table" at a add sales "$src"
"$ENTENTE" -C "$work/a" copy a.sales "sqlite:$work/node.db#sales" --split-rows 60 >/dev/null 2>&1 &
client=$!
check "a copy of a registered table in the node" strike "$work/node.db" 5 9 "${pid_of[a]}"
wait "${pid_of[a]}" $client 2>/dev/null
check "the node comes back" start a
check "and enters the copy that was cut off" until_true 10 sh -c "'$ENTENTE' -C '$work/a' ledger list | grep -q 'a.sales to .*node.db#sales: unknown'"
check "the copy goes on" at a copy a.sales "sqlite:$work/node.db#sales" --split-rows 60
check "every row stands there once" at a compare a.sales "sqlite:$work/node.db#sales"
# Ctrl-C
"$ENTENTE" -C "$work/a" copy a.sales "sqlite:$work/stop.db#sales" --split-rows 15 >"$work/stop.out" 2>&1 &
client=$!
strike "$work/stop.db" 2 2 $client
wait $client
line "$([ $? = 130 ]; echo $?)" "Ctrl-C ends a copy in the node with 130"
check_exit "and is entered with the rows of its finished splits" 0 'copy .*stop.db#sales: [1-9][0-9]* rows, aborted' at a ledger list
check "which goes on when asked" at a copy a.sales "sqlite:$work/stop.db#sales" --split-rows 15
check "equal" at a compare a.sales "sqlite:$work/stop.db#sales"

# Files: CSV to SQLite to Parquet and back.
check "CSV out of SQLite" at a copy a.sales "$work/sales.csv" --columns id,amount,day,weight
check "the CSV file equals it" at a compare a.sales "$work/sales.csv" --columns id,amount,day --key id
printf 'id,name,score\n1,Ann,1.50\n2,NA,2.25\n3,"x,y",NA\n' >"$work/in.csv"
check "CSV to SQLite" at a copy "$work/in.csv" "sqlite:$work/in.db#people" --null NA --key id
check "SQLite to Parquet" at a copy "sqlite:$work/in.db#people" "$work/in.parquet"
check_exit "a dry run over a file that is there" 0 'name +text.*exact' at a copy "sqlite:$work/in.db#people" "$work/in.parquet" --mode replace --dry-run
check "SQLite to a DuckDB file" at a copy "sqlite:$work/in.db#people" "duckdb:$work/in.duckdb#people"
check_exit "a dry run of another table there" 0 'name +text.*exact' at a copy "sqlite:$work/in.db#people" "duckdb:$work/in.duckdb#more" --dry-run
check "Parquet and SQLite are equal" at a compare "$work/in.parquet" "sqlite:$work/in.db#people" --key id
check "Parquet and CSV are equal" at a compare "$work/in.csv" "$work/in.parquet" --null NA --key id

# PostgreSQL, when it is here: its own images, parallel parts, several targets as one transaction.
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
	tests=$((tests + 1))
	echo "ok $tests - copies with PostgreSQL # SKIP its server programs are not installed"
	exit 0
fi
servers=$(cd "$(dirname "$0")/../servers" && pwd)
pg=$work/pg pg_port=$(free_ports 1)
chmod 755 "$work"
stop_pg() { "$servers/postgres.sh" stop "$pg" >/dev/null 2>&1; finish; }
trap stop_pg EXIT
check "PostgreSQL starts" "$servers/postgres.sh" start "$pg" "$pg_port"
printf test >"$work/password"
export PGPASSWORD=test
psql() { command psql -qAt -h 127.0.0.1 -p "$pg_port" -U test "$@"; }
url="postgresql://test@127.0.0.1:$pg_port/test?sslmode=verify-full&sslrootcert=$pg/ca.crt"
url2="postgresql://test@127.0.0.1:$pg_port/two?sslmode=verify-full&sslrootcert=$pg/ca.crt"
psql test -c 'CREATE DATABASE two'
psql test -c "CREATE TABLE wide AS SELECT i AS id, 'row ' || i AS name, i * 1.25 AS amount, timestamptz '2024-01-01' + i * interval '1 second' AS at, i % 3 = 0 AS flag FROM generate_series(1, 20000) i"
psql test -c 'ALTER TABLE wide ADD PRIMARY KEY (id)'
pw=(--password-file "$work/password" --dst-password-file "$work/password")
check "SQLite to PostgreSQL" at a copy "$src" "$url#public.sales" --dst-password-file "$work/password"
check "equal across engines" at a compare "$src" "$url#public.sales" --dst-password-file "$work/password"
bare="postgresql://test@127.0.0.1:$pg_port/test?sslmode=verify-full#public.sales"
check_exit "a server is not believed without its authority" "[^0]*" 'certificate' at a compare "$src" "$bare" --dst-password-file "$work/password"
check "which may stand in an option, relative to where the command runs" sh -c "cd '$pg' && '$ENTENTE' -C '$work/a' compare '$src' '$bare' --dst-password-file '$work/password' --dst-ca-file ca.crt"
check "PostgreSQL to SQLite" at a copy "$url#public.wide" "sqlite:$work/wide.db#wide" --password-file "$work/password"
check "equal across engines" at a compare "$url#public.wide" "sqlite:$work/wide.db#wide" --password-file "$work/password"
check_exit "PostgreSQL to PostgreSQL, by its own images, in parallel" 0 "the store's own images" at a copy "$url#public.wide" "$url2#public.wide" "${pw[@]}" --split-rows 5000
check_exit "equal by the servers' own checksums" 0 'checksums' at a compare "$url#public.wide" "$url2#public.wide" "${pw[@]}"
check_exit "the password is in no entry and no log" 1 '^$' grep -rl "password=test\|:test@" "$work/a/ledger" "$work/a/serve.log"
line "$(! compgen -G "$work/a/secrets/move-*" >/dev/null; echo $?)" "and in no file after the copies"
check "one source, two databases, one transaction" at a copy a.sales "$url#public.pair" "$url2#public.pair" --dst-password-file "$work/password"
line "$([ "$(psql test -c 'SELECT COUNT(*) FROM pair')" = 12000 ] && [ "$(psql two -c 'SELECT COUNT(*) FROM pair')" = 12000 ]; echo $?)" "both have every row"
psql two -c 'CREATE TABLE half (id bigint PRIMARY KEY, shop text NOT NULL, amount numeric(3,2), day date, weight double precision)'
check_exit "one that cannot take a value stops both" 65 'amount' at a copy a.sales "$url#public.half" "$url2#public.half" --mode append --dst-password-file "$work/password"
counts() { echo "$(psql test -c "SELECT COUNT(*) FROM $1" 2>/dev/null || echo 0) $(psql two -c "SELECT COUNT(*) FROM $1" 2>/dev/null || echo 0)"; }
line "$([ "$(counts half)" = "0 0" ]; echo $?)" "neither has a row of it"

# Killed anywhere in such a copy: after the node is back, both have all rows or neither has any.
settled() { [ "$(psql test -c 'SELECT COUNT(*) FROM pg_prepared_xacts')" = 0 ]; }
torn=0 all=0
for i in 1 2 3; do
	"$ENTENTE" -C "$work/a" copy a.sales "$url#public.k$i" "$url2#public.k$i" --mode append --dst-password-file "$work/password" >/dev/null 2>&1 &
	client=$!
	python3 -c "import time; time.sleep(0.1 + 0.2 * $i)"
	kill -9 "${pid_of[a]}" 2>/dev/null
	wait "${pid_of[a]}" $client 2>/dev/null
	start a >/dev/null || torn=9
	until_true 20 settled || torn=9
	case $(counts "k$i") in "12000 12000") all=$((all + 1)) ;; "0 0") ;; *) torn=$((torn + 1)); counts "k$i" | sed 's/^/# /' ;; esac
done
line "$([ $torn = 0 ]; echo $?)" "killed three times in copies to two databases: whole $all times, else nothing, never half"
