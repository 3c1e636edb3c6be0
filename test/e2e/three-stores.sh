#!/usr/bin/env bash
# One joint question over three databases of three organisations: PostgreSQL, Apache Cassandra and MongoDB (SQLite where its substitute server is not
# installed). The Cassandra and MongoDB tables are put there by `entente copy` from CSV, and one comes back by it.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || ! "$servers/cassandra.sh" present; then
	echo "ok 1 - a question over PostgreSQL, Cassandra and a third store # SKIP PostgreSQL or Apache Cassandra is not installed"
	tests=1
	exit 0
fi
chmod 755 "$work"
read -r pg_port cass_port < <(free_ports 2 2)
stop_all() {
	"$servers/postgres.sh" stop "$work/pg" >/dev/null 2>&1
	"$servers/cassandra.sh" stop "$work/cass" >/dev/null 2>&1
	[ -z "${mongo:-}" ] || "$servers/mongo.sh" stop "$work/mongo" >/dev/null 2>&1
	finish
}
trap stop_all EXIT

python3 - "$work" <<'PY'
import random, sqlite3, sys
r = random.Random(12)
d = sys.argv[1]
places = ["Bern", "Köln", "Łódź", "東京", "O'Hare \"x\""]
loans = [(i, r.randrange(400), f"b{r.randrange(60):02}", f"2024-0{r.randrange(1, 4)}-1{r.randrange(0, 3)}", f"{r.randrange(100000) / 100:.2f}" if r.randrange(9) else "") for i in range(1500)]
readers = [(i, places[i % 5], r.choice(["true", "false", ""])) for i in range(360)]
books = [(f"b{i:02}", r.choice(["poem", "novel", "map"]), r.randrange(10, 900)) for i in range(55)]
def csv(name, head, rows):
    with open(f"{d}/{name}.csv", "w") as f:
        f.write(head + "\n" + "".join(",".join('"' + str(v).replace('"', '""') + '"' if '"' in str(v) else str(v) for v in row) + "\n" for row in rows))
csv("loans", "id,reader,book,day,fee", loans)
csv("readers", "reader,place,member", readers)
csv("books", "book,kind,pages", books)
db = sqlite3.connect(f"{d}/books.db")
db.execute("CREATE TABLE books (book TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, pages INTEGER NOT NULL)")
db.executemany("INSERT INTO books VALUES (?, ?, ?)", books)
db.commit()
PY
printf test >"$work/pg.password"
printf cassandra >"$work/cass.password"
check "PostgreSQL starts" "$servers/postgres.sh" start "$work/pg" "$pg_port"
check "Cassandra starts" "$servers/cassandra.sh" start "$work/cass" "$cass_port"
third="sqlite:$work/books.db#books"
if "$servers/mongo.sh" present && mongo=$("$servers/mongo.sh" start "$work/mongo" 0 2>/dev/null); then
	read -r _ mongo _ <<<"$mongo"
	third="$mongo#books"
fi
export PGPASSWORD=test
psql -q -h 127.0.0.1 -p "$pg_port" -U test test >/dev/null <<SQL
CREATE TABLE loans (id int PRIMARY KEY, reader int NOT NULL, book text NOT NULL, day date NOT NULL, fee numeric(12,2));
\\copy loans FROM '$work/loans.csv' CSV HEADER
SQL
check "three nodes start" consortium a b c
cass="cassandra://cassandra@localhost:$cass_port/library"
tls=(--dst-option "ca-file=$work/cass/ca.crt")
check "b's rows go into Cassandra, over TLS, into a keyspace that is made" at b copy "$work/readers.csv" "$cass#readers" --key reader --types "reader=INTEGER,place=VARCHAR,member=BOOLEAN" \
	--keyspace-options "class=SimpleStrategy,replication_factor=1" --dst-password-file "$work/cass.password" "${tls[@]}" --quiet
check_exit "which are not made twice" 2 "there already" at b copy "$work/readers.csv" "$cass#readers" --key reader --dst-password-file "$work/cass.password" "${tls[@]}" --quiet --restart
[ -z "${mongo:-}" ] ||
	check "c's rows go into MongoDB" at c copy "$work/books.csv" "$third" --key book --types "book=VARCHAR,kind=VARCHAR,pages=INTEGER" --quiet
check "a adds a PostgreSQL table" at a add loans "postgresql://test@127.0.0.1:$pg_port/test?sslmode=verify-full&sslrootcert=$work/pg/ca.crt#public.loans" --password-file "$work/pg.password"
check "b adds a Cassandra table" at b add readers "$cass#readers" --ca-file "$work/cass/ca.crt" --password-file "$work/cass.password"
check "c adds ${third%%:*}" at c add books "$third"
check "a grants" at a grant 'GRANT JOIN ON loans(reader, book) TO ANY WITH OWN VALUES; GRANT AGGREGATE(sum, avg, count) ON loans(fee) TO ANY;'
check "b grants" at b grant 'GRANT JOIN ON readers(reader) TO ANY WITH OWN VALUES; GRANT GROUP ON readers(place) TO ANY;'
check "c grants" at c grant 'GRANT JOIN ON books(book) TO ANY WITH OWN VALUES; GRANT GROUP ON books(kind) TO ANY;'
check "tables are known" until_true 10 sh -c "'$ENTENTE' -C '$work/a' tables --json | grep -q readers && '$ENTENTE' -C '$work/a' tables --json | grep -q books"
query='SELECT r.place, k.kind, SUM(l.fee) AS total, COUNT(l.fee) AS n FROM'
tail='GROUP BY r.place, k.kind ORDER BY 1, 2'
check "a asks over all three" at a query "$query a.loans l JOIN b.readers r ON l.reader = r.reader JOIN c.books k ON l.book = k.book $tail" --format csv -o "$work/out.csv"
"$POOLED" "${query/l.fee/l.fee::DECIMAL(12,2)} '$work/loans.csv' l JOIN '$work/readers.csv' r ON l.reader = r.reader JOIN '$work/books.csv' k ON l.book = k.book $tail" >"$work/want.csv"
check_same "and the answer is DuckDB's on the pooled rows" "$work/out.csv" "$work/want.csv"
check "the answer has rows" sh -c "[ \$(wc -l <'$work/out.csv') -gt 10 ]"
check "the Cassandra table comes back as a file" at b copy "$cass#readers" "$work/back.csv" --src-option "ca-file=$work/cass/ca.crt" --password-file "$work/cass.password" --quiet
"$POOLED" "SELECT * FROM '$work/readers.csv' ORDER BY reader" >"$work/want.csv"
"$POOLED" "SELECT reader, place, member FROM '$work/back.csv' ORDER BY reader" >"$work/out.csv"
check_same "with every row as it was" "$work/out.csv" "$work/want.csv"
