#!/usr/bin/env bash
# The scripted use a newcomer copies from the manual: three homes, own CSV files, one joint question, the receipt; compared with DuckDB on the pooled rows.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

python3 - "$work" <<'PY'
import random, sys
r = random.Random(7)
d = sys.argv[1]
with open(f"{d}/flights.csv", "w") as f:
    f.write("id,tailnum,day,delay\n")
    for i in range(400):
        f.write(f"{i},{'' if i % 37 == 0 else 'N%03d' % r.randrange(66)},2013-01-{r.randrange(1, 29):02d},{'NA' if i % 11 == 0 else r.randrange(-20, 300)}\n")
with open(f"{d}/planes.csv", "w") as f:
    f.write("tailnum,maker,seats\n")
    for i in range(62):
        f.write(f"N{i:03d},{'Airbus' if i < 25 else 'Boeing' if i < 50 else 'Cessna' if i < 56 else 'Piper'},{r.randrange(2, 400)}\n")
with open(f"{d}/weather.csv", "w") as f:
    f.write("day,wind\n")
    for i in range(1, 29):
        f.write(f"2013-01-{i:02d},{r.randrange(0, 30)}\n")
PY

check "three nodes start" consortium a b c
check "a adds its flights" at a add flights "$work/flights.csv" --null NA
check "b adds its planes" at b add planes "$work/planes.csv"
check "c adds its weather" at c add weather "$work/weather.csv"
for grant in 'JOIN ON flights(tailnum, day) TO ANY WITH OWN VALUES' 'AGGREGATE(count) ON flights(tailnum, delay) TO ANY' 'AGGREGATE(sum, avg, mixed) ON flights(delay) TO ANY FOR research'; do
	check "a grants $grant" at a grant "GRANT $grant"
done
check "b grants" at b grant 'GRANT JOIN ON planes(tailnum) TO ANY WITH OWN VALUES; GRANT GROUP ON planes(maker) TO ANY; GRANT AGGREGATE(count) ON planes(tailnum) TO ANY;'
check "c grants" at c grant 'GRANT JOIN ON weather(day) TO ANY WITH OWN VALUES; GRANT AGGREGATE(count) ON weather(day) TO ANY;'
for org in a b c; do check "$org sees all tables" knows "$org" flights planes weather; done

two="SELECT p.maker, COUNT(*) AS n, SUM(f.delay) AS total FROM a.flights f JOIN b.planes p ON f.tailnum = p.tailnum GROUP BY p.maker ORDER BY p.maker"
check "b asks a joint question of two owners" at b query "$two" --purpose research --format csv -o "$work/two.csv" --receipt "$work/r.txt"
"$POOLED" "SELECT p.maker, COUNT(*) AS n, SUM(f.delay) AS total FROM read_csv('$work/flights.csv', nullstr=['','NA']) f JOIN '$work/planes.csv' p ON f.tailnum = p.tailnum
GROUP BY p.maker HAVING count(DISTINCT f.id) >= 10 ORDER BY p.maker" >"$work/two.want"
check_same "and its answer is DuckDB's on the pooled rows" "$work/two.csv" "$work/two.want"
check "the receipt verifies in a home" at b verify "$work/r.txt"
check "and by the independent program" "$VERIFIER" "$work/r.txt" --trust "$work/a.card" --trust "$work/b.card" --trust "$work/c.card"
sed 's/research/reseArch/' "$work/r.txt" >"$work/bad.txt"
check_exit "a changed receipt is refused" 1 . "$VERIFIER" "$work/bad.txt" --trust "$work/a.card" --trust "$work/b.card" --trust "$work/c.card"

three="SELECT p.maker, COUNT(*) AS n, AVG(f.delay) AS mean FROM a.flights f JOIN b.planes p ON f.tailnum = p.tailnum JOIN c.weather w ON f.day = w.day GROUP BY p.maker ORDER BY p.maker"
check "c asks a joint question of three owners" at c query "$three" --purpose research --format csv -o "$work/three.csv"
"$POOLED" "SELECT p.maker, COUNT(*) AS n, AVG(f.delay) AS mean FROM read_csv('$work/flights.csv', nullstr=['','NA']) f JOIN '$work/planes.csv' p ON f.tailnum = p.tailnum
JOIN '$work/weather.csv' w ON f.day = w.day GROUP BY p.maker HAVING count(DISTINCT p.tailnum) >= 10 ORDER BY p.maker" >"$work/three.want"
check_same "and its answer is DuckDB's on the pooled rows" "$work/three.csv" "$work/three.want"

check_exit "a question nobody granted is refused with the grant that would help" 77 'next.*GRANT GROUP ON planes\(seats\)' \
	at c query 'SELECT p.seats, COUNT(*) FROM a.flights f JOIN b.planes p ON f.tailnum = p.tailnum GROUP BY p.seats'
check "every ledger verifies" ledgers_verify a b c
