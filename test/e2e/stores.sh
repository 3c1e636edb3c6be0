#!/usr/bin/env bash
# One joint question over three kinds of store: PostgreSQL, SQLite and CSV, each of another organisation.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
	echo "ok 1 - a question over three stores # SKIP PostgreSQL's server programs are not installed"
	tests=1
	exit 0
fi
pg=$work/pg
chmod 755 "$work"
pg_port=$(free_ports 1)
stop_pg() { "$servers/postgres.sh" stop "$pg" >/dev/null 2>&1; finish; }
trap stop_pg EXIT

python3 - "$work" <<'PY'
import random, sqlite3, sys
r = random.Random(11)
d = sys.argv[1]
cities = ["Bern", "Köln", "Łódź", "東京"]
visits = [(i, r.randrange(300), f"2024-0{r.randrange(1, 4)}-1{r.randrange(0, 3)}", f"{r.randrange(100000) / 100:.2f}" if r.randrange(9) else "") for i in range(2000)]
people = [(i, cities[i % 4]) for i in range(280)]
days = [(f"2024-0{m}-1{k}", "wet" if (m + k) % 2 else "dry") for m in range(1, 4) for k in range(3)]
open(f"{d}/visits.csv", "w").write("id,person,day,cost\n" + "".join(",".join(map(str, v)) + "\n" for v in visits))
open(f"{d}/people.csv", "w").write("person,city\n" + "".join(f"{a},{b}\n" for a, b in people))
open(f"{d}/days.csv", "w").write("day,sky\n" + "".join(f"{a},{b}\n" for a, b in days))
db = sqlite3.connect(f"{d}/people.db")
db.execute("CREATE TABLE people (person INTEGER PRIMARY KEY, city TEXT NOT NULL)")
db.executemany("INSERT INTO people VALUES (?, ?)", people)
db.commit()
PY
check "PostgreSQL starts" "$servers/postgres.sh" start "$pg" "$pg_port"
printf test >"$work/password"
export PGPASSWORD=test
psql -q -h 127.0.0.1 -p "$pg_port" -U test test >/dev/null <<SQL
CREATE TABLE visits (id int PRIMARY KEY, person int NOT NULL, day date NOT NULL, cost numeric(12,2));
\\copy visits FROM '$work/visits.csv' CSV HEADER
SQL
check "three nodes start" consortium a b c
check "a adds a PostgreSQL table" at a add visits "postgresql://test@127.0.0.1:$pg_port/test?sslmode=verify-full&sslrootcert=$pg/ca.crt#public.visits" --password-file "$work/password"
check "b adds a SQLite table" at b add people "sqlite:$work/people.db#people"
check "c adds a CSV file" at c add days "$work/days.csv"
check "the password is in no entry, log or configuration" sh -c "! grep -rqs 'password=test\|:test@' '$work/a/ledger' '$work/a.log' '$work/a/entente.conf'"
check "a grants" at a grant 'GRANT JOIN ON visits(person, day) TO ANY WITH OWN VALUES; GRANT AGGREGATE(sum, avg, count) ON visits(cost) TO ANY;'
check "b grants" at b grant 'GRANT JOIN ON people(person) TO ANY WITH OWN VALUES; GRANT GROUP ON people(city) TO ANY; GRANT AGGREGATE(count) ON people(person) TO ANY;'
check "tables are known" knows c visits people
check "c asks over all three" at c query 'SELECT p.city, d.sky, SUM(v.cost) AS total, COUNT(v.cost) AS n FROM a.visits v JOIN b.people p ON v.person = p.person JOIN c.days d ON v.day = d.day
GROUP BY p.city, d.sky ORDER BY 1, 2' --format csv -o "$work/out.csv"
"$POOLED" "SELECT p.city, d.sky, SUM(v.cost::DECIMAL(12,2)) AS total, COUNT(v.cost) AS n FROM '$work/visits.csv' v JOIN '$work/people.csv' p ON v.person = p.person JOIN '$work/days.csv' d ON v.day = d.day
GROUP BY p.city, d.sky ORDER BY 1, 2" >"$work/want.csv"
check_same "and the answer is DuckDB's on the pooled rows" "$work/out.csv" "$work/want.csv"
