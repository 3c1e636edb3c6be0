#!/usr/bin/env bash
# A MongoDB collection of one member joined with a SQLite table and a CSV file of two others; the collection is filled by entente copy. The server
# is the substitute of test/servers/mongo.sh.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! "$servers/mongo.sh" present; then
	echo "ok 1 - a question over a collection # SKIP the substitute for MongoDB is not installed (test/servers/mongo.sh install)"
	tests=1
	exit 0
fi
stop_mongo() { "$servers/mongo.sh" stop "$work/mongo" >/dev/null 2>&1; finish; }
trap stop_mongo EXIT

python3 - "$work" <<'PY'
import random, sqlite3, sys
r = random.Random(17)
d = sys.argv[1]
cities = ["Bern", "Köln", "Łódź", "東京"]
visits = [(i, r.randrange(300), f"2024-0{r.randrange(1, 4)}-1{r.randrange(0, 3)}", r.randrange(1000) if r.randrange(9) else "") for i in range(1500)]
people = [(i, cities[i % 4]) for i in range(280)]
open(f"{d}/visits.csv", "w").write("id,who.person,who.day,cost\n" + "".join(",".join(map(str, v)) + "\n" for v in visits))
open(f"{d}/people.csv", "w").write("person,city\n" + "".join(f"{a},{b}\n" for a, b in people))
open(f"{d}/days.csv", "w").write("day,sky\n" + "".join(f"2024-0{m}-1{k},{'wet' if (m + k) % 2 else 'dry'}\n" for m in range(1, 4) for k in range(3)))
db = sqlite3.connect(f"{d}/people.db")
db.execute("CREATE TABLE people (person INTEGER PRIMARY KEY, city TEXT NOT NULL)")
db.executemany("INSERT INTO people VALUES (?, ?)", people)
db.commit()
PY
ready=$("$servers/mongo.sh" start "$work/mongo" 0)
check "the server starts" test -n "$ready"
read -r _ url _ <<<"$ready"
check "three nodes start" consortium a b c
check "a copies a CSV file into a collection" at a copy "$work/visits.csv" "$url#visits" --key id
check "a adds the collection" at a add visits "$url#visits"
check "b adds a SQLite table" at b add people "sqlite:$work/people.db#people"
check "c adds a CSV file" at c add days "$work/days.csv"
at a describe a.visits --schema >"$work/schema"
check "its columns as a schema file" grep -qx 'who.person bigint' "$work/schema"
check "which add reads" at a add again "$url#visits" --schema "$work/schema"
printf 'id bigint\nwho json\n' >"$work/other"
check "another schema leaves the document whole" sh -c "\"\$ENTENTE\" -C '$work/a' add whole '$url#visits' --schema '$work/other' 2>&1 | grep -q 'left out: who:'"
check "a grants" at a grant 'GRANT JOIN ON visits("who.person", "who.day") TO ANY WITH OWN VALUES; GRANT AGGREGATE(sum, count) ON visits(cost) TO ANY;'
check "b grants" at b grant 'GRANT JOIN ON people(person) TO ANY WITH OWN VALUES; GRANT GROUP ON people(city) TO ANY; GRANT AGGREGATE(count) ON people(person) TO ANY;'
check "tables are known" knows c visits people
check "c asks over all three" at c query 'SELECT p.city, d.sky, SUM(v.cost) AS total, COUNT(v.cost) AS n FROM a.visits v JOIN b.people p ON v."who.person" = p.person JOIN c.days d ON v."who.day" = d.day
GROUP BY p.city, d.sky ORDER BY 1, 2' --format csv -o "$work/out.csv"
"$POOLED" "SELECT p.city, d.sky, SUM(v.cost) AS total, COUNT(v.cost) AS n FROM '$work/visits.csv' v JOIN '$work/people.csv' p ON v.\"who.person\" = p.person JOIN '$work/days.csv' d ON v.\"who.day\" = d.day
GROUP BY p.city, d.sky ORDER BY 1, 2" >"$work/want.csv"
check_same "and the answer is DuckDB's on the pooled rows" "$work/out.csv" "$work/want.csv"
