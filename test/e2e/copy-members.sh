#!/usr/bin/env bash
# Rows between members: only with a COPY grant, only the granted columns, entered by both; and joint results into a store.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

python3 - "$work" <<'PY'
import sqlite3, sys
db = sqlite3.connect(f"{sys.argv[1]}/people.db")
db.execute("CREATE TABLE people (person INTEGER PRIMARY KEY, city TEXT NOT NULL, wage DECIMAL(10,2), secret TEXT)")
db.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ((i, ["Bern", "Köln", "東京"][i % 3], None if i % 9 == 0 else f"{i}.50", f"s{i}") for i in range(6000)))
db.execute("CREATE TABLE wanted (person INTEGER PRIMARY KEY, city TEXT NOT NULL, wage DECIMAL(10,2))")
db.execute("INSERT INTO wanted SELECT person, city, wage FROM people")
db.commit()
PY
rows() {
	python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(f"SELECT COUNT(*) FROM {sys.argv[2]}").fetchone()[0])' "$1" "$2"
}
columns() {
	python3 -c 'import sqlite3, sys; print(",".join(r[1] for r in sqlite3.connect(sys.argv[1]).execute(f"PRAGMA table_info({sys.argv[2]})")))' "$1" "$2"
}
consortium a b c >/dev/null
check "b has a table" at b add people "sqlite:$work/people.db#people"
check "a sees it" until_true 15 sees a people

check_exit "without a grant nothing is copied, and the grant that would help is named" 77 'GRANT COPY ON people\(.*\) TO a' \
	at a copy b.people "sqlite:$work/out.db#people" --columns person,city
check_exit "nor all of it" 77 'may not be copied' at a copy b.people "sqlite:$work/out.db#people"
line "$(! at b ledger list | grep -q 'copy '; echo $?)" "the owner entered nothing of it"
check "b grants three columns for research" at b grant 'GRANT COPY ON people(person, city, wage) TO a FOR research USES 2;'
check "a hears of it" until_true 15 sh -c "'$ENTENTE' -C '$work/a' copy b.people 'sqlite:$work/out.db#people' --purpose research --columns person,city,wage"
line "$([ "$(rows "$work/out.db" people)" = 6000 ] && [ "$(columns "$work/out.db" people)" = person,city,wage ]; echo $?)" "the granted columns came, every row"
check_exit "as they are there" 0 '^equal' at a compare "sqlite:$work/out.db#people" "sqlite:$work/people.db#wanted" --key person
check_exit "not for another purpose" 77 'GRANT COPY' at a copy b.people "sqlite:$work/out.db#two" --columns person
check_exit "not another column" 77 'people.secret may not be copied' at a copy b.people "sqlite:$work/out.db#two" --columns person,secret --purpose research
check_exit "not by a condition" 2 'no condition' at a copy b.people "sqlite:$work/out.db#two" --purpose research --where '1=1'
check_exit "not by somebody else" 77 'GRANT COPY ON people' at c copy b.people "sqlite:$work/out.db#two" --columns person --purpose research
check_exit "a asked, and has them" 0 'b.people to sqlite.*6000 rows, done' at a ledger list
check_exit "b granted, and gave them" 0 'b.people to a: 6000 rows, done' at b ledger list
check "a second time" at a copy b.people "sqlite:$work/out.db#two" --columns person,city --purpose research
check_exit "its uses are used up" 77 'may not be copied' at a copy b.people "sqlite:$work/out.db#three" --columns person,city --purpose research
check "both ledgers hold" sh -c "'$ENTENTE' -C '$work/a' ledger verify && '$ENTENTE' -C '$work/b' ledger verify"
line "$(! grep -rq 's5999' "$work/a" "$work/out.db"; echo $?)" "nothing of the other column left its owner"

# A joint result into a store.
check "grants for a question" at b grant 'GRANT GROUP ON people(city) TO ANY; GRANT AGGREGATE(sum, count) ON people(wage) TO ANY;'
question='SELECT city, SUM(wage) AS wages, COUNT(wage) AS n FROM b.people GROUP BY city'
check "into SQLite" until_true 15 sh -c "'$ENTENTE' -C '$work/a' query '$question' --into 'sqlite:$work/result.db#wages'"
line "$([ "$(rows "$work/result.db" wages)" = 3 ] && [ "$(columns "$work/result.db" wages)" = city,wages,n ]; echo $?)" "the groups stand there"
got=$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT SUM(n) FROM wages").fetchone()[0])' "$work/result.db")
want=$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT COUNT(wage) FROM people").fetchone()[0])' "$work/people.db")
line "$([ "$got" = "$want" ]; echo $?)" "with the right counts"
check_exit "and in the ledger" 0 'job:[0-9a-f]{16} to sqlite' at a ledger list
