#!/usr/bin/env bash
# What people and machines do wrong: each gets a clear error, the right exit code, and the nodes go on.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

python3 - "$work" <<'PY'
import sys
d = sys.argv[1]
with open(f"{d}/sales.csv", "w") as f:
    f.write("shop,amount,huge\n" + "".join(f"{i % 40},{i},{2**61 + i}\n" for i in range(200)))
with open(f"{d}/shops.csv", "w") as f:
    f.write("shop,city\n" + "".join(f"{i},{'Bern' if i < 20 else 'Wien'}\n" for i in range(40)))
with open(f"{d}/twice.csv", "w") as f:
    f.write("shop,city\n" + "".join(f"{i // 2},{'Bern' if i < 20 else 'Wien'}\n" for i in range(40)))
PY
join='a.sales s JOIN b.shops p ON s.shop = p.shop'
good="SELECT p.city, SUM(s.amount) AS total FROM $join GROUP BY p.city ORDER BY 1"

# command line and files
check_exit "no command prints help" 2 usage "$ENTENTE"
check_exit "an unknown command names the nearest" 2 'query' "$ENTENTE" qery
check_exit "an unknown option is named" 2 'nosuch' "$ENTENTE" -C "$work/a" init --org a --nosuch
check_exit "a bad organisation name is refused" 2 'org' "$ENTENTE" -C "$work/x" init --org 'Bad Name'
check_exit "a home that is not there" 78 'init' "$ENTENTE" -C "$work/nothing" serve
check "three nodes start" consortium a b c
check_exit "init over an existing home is refused" 78 'already' at a init --org a
check_exit "two nodes on one home" 75 'lock|already|runs' at a serve
check "a fourth home" at d init --org d --listen "127.0.0.1:$(free_ports 1)" --http "127.0.0.1:$(free_ports 1)"
at d card >"$work/d.card"
port_in_use=$(grep -E '^listen' "$work/a/entente.conf" | grep -oE '[0-9]+$')
at e init --org e --listen "127.0.0.1:$port_in_use" --http "127.0.0.1:$(free_ports 1)" >/dev/null
check_exit "a port in use" '7[48]' "$port_in_use" at e serve
check_exit "no node runs" 69 'serve' at d query 'SELECT 1'

# tables
check_exit "a file that is not there" '6[56]' 'nothing.csv' at a add nothing "$work/nothing.csv"
check_exit "a broken Parquet file" 65 'parquet' sh -c "echo rubbish >'$work/bad.parquet'; '$ENTENTE' -C '$work/a' add bad '$work/bad.parquet'"
check "a adds sales" at a add sales "$work/sales.csv"
check "b adds shops" at b add shops "$work/shops.csv"
check "b adds twice" at b add twice "$work/twice.csv"
check_exit "the same name again" '(2|65|75|78)' 'sales' at a add sales "$work/shops.csv"
check "a grants" at a grant 'GRANT JOIN ON sales(shop) TO ANY; GRANT AGGREGATE(sum, count) ON sales(amount, huge) TO ANY;'
check "b grants" at b grant 'GRANT JOIN ON shops(shop) TO ANY; GRANT GROUP ON shops(city) TO ANY; GRANT AGGREGATE(count) ON shops(shop) TO ANY; GRANT JOIN ON twice(shop) TO ANY; GRANT GROUP ON twice(city) TO ANY; GRANT AGGREGATE(count) ON twice(shop) TO ANY;'
check "tables are known" knows c sales twice
check_exit "a malformed grant" 2 'GRNT|GRANT' at a grant 'GRNT JOIN ON sales(shop) TO ANY'
check_exit "a grant on an unknown column names the nearest" 66 'shop' at a grant 'GRANT JOIN ON sales(shopp) TO ANY'
check_exit "revoking what is not there" 66 . at a revoke 99999

# questions
check "a good question" at c query "$good" --format csv -o "$work/good.csv"
check_exit "malformed SQL" 2 'syntax|position' at c query 'SELEC p.city FROM b.shops p'
check_exit "an unknown table names the nearest" '(2|66)' 'sales' at c query 'SELECT COUNT(*) FROM a.sale'
check_exit "an unknown column names the nearest" '(2|66)' 'amount' at c query "SELECT SUM(s.amont) FROM $join"
check_exit "an unsupported construct is named" 2 'window' at c query "SELECT rank() OVER (ORDER BY s.amount) FROM a.sales s"
check_exit "a refused column" 77 'next' at c query "SELECT s.amount, COUNT(*) FROM $join GROUP BY s.amount"
check_exit "rows of others cannot be listed" 77 . at c query 'SELECT s.amount FROM a.sales s'
check_exit "duplicates on the one side of a join" '(2|65)' 'twice|unique' at c query 'SELECT p.city, SUM(s.amount) FROM a.sales s JOIN b.twice p ON s.shop = p.shop GROUP BY p.city'
check_exit "a sum that could overflow" '(2|65)' 'overflow|bound' at c query "SELECT p.city, SUM(s.huge) FROM $join GROUP BY p.city"
check_exit "no group left" 77 . at c query "SELECT p.city, SUM(s.amount) AS t FROM $join WHERE p.city = 'Rom' GROUP BY p.city" 
check "an expired grant is stored" at a grant 'GRANT AGGREGATE(min) ON sales(amount) TO ANY UNTIL 2020-01-01'
check_exit "and does not help" 77 'UNTIL|expired|until' at c query "SELECT p.city, MIN(s.amount) FROM $join GROUP BY p.city"
long=$(python3 -c "print('SELECT ' + '+'.join(['1'] * 12000))")
check_exit "SQL over 16 KiB" 2 '16' at c query "$long"
deep=$(python3 -c "print('SELECT ' + 'abs(' * 900 + 's.amount' + ')' * 900 + ' FROM a.sales s')")
check_exit "SQL too deep" 2 . at c query "$deep"

# the world changes under a registered table
mv "$work/sales.csv" "$work/sales.away"
check_exit "the source file is gone" '(66|74|76)' . at c query "$good"
sed 's/^shop,amount/store,amount/' "$work/sales.away" >"$work/sales.csv"
check_exit "its schema changed" '(65|74|76)' . at c query "$good"
mv "$work/sales.away" "$work/sales.csv"
check "and back again it works" at c query "$good" --format csv -o "$work/again.csv"
check_same "with the same answer" "$work/good.csv" "$work/again.csv"

# strangers and peers that go
check "d trusts a" at d trust "$work/a.card" "$work/b.card" "$work/c.card"
check "d starts" start d
check "an unpinned peer is refused and logged" until_true 10 sh -c "grep -qE 'refused|unknown' '$work/a.log'"
"$ENTENTE" -C "$work/b2" init --org b --listen 127.0.0.1:9 >/dev/null
"$ENTENTE" -C "$work/b2" card >"$work/b2.card"
check_exit "a changed card without the old key's signature is refused" '(1|2|65|77|78)' . at a trust "$work/b2.card"
kill -9 "${pid_of[b]}"
wait "${pid_of[b]}" 2>/dev/null
begin=$SECONDS
check_exit "a peer that is down" 76 'b' at c query "$good"
line "$([ $((SECONDS - begin)) -le 80 ]; echo $?)" "is told soon ($((SECONDS - begin)) s; a crowded machine gets 80)"
LD_PRELOAD="$SKEW" ENT_TEST_SKEW_SECONDS=3600 start b
until_true 10 sh -c "'$ENTENTE' -C '$work/c' status | grep -E '^ *b' | grep -q up"
check_exit "a clock that is off by an hour" '(75|76|77|78)' 'clock' at c query "$good"
kill "${pid_of[b]}"
wait "${pid_of[b]}" 2>/dev/null
check "b starts again with the right time" start b
check "and the question is answered" until_true 20 sh -c "'$ENTENTE' -C '$work/c' query \"$good\" --format csv -o '$work/again.csv'"

# a damaged ledger
kill "${pid_of[a]}"
wait "${pid_of[a]}" 2>/dev/null
line $? "a stops cleanly on SIGTERM"
cp -r "$work/a" "$work/copy"
segment=$(find "$work/copy/ledger/segment" -type f | sort | head -1)
python3 - "$segment" <<'PY'
import sys
p = sys.argv[1]
b = bytearray(open(p, "rb").read())
b[len(b) // 3] ^= 4
open(p, "wb").write(b)
PY
check_exit "one flipped bit is found and the entry named" '(1|65|74)' 'entry' "$ENTENTE" -C "$work/copy" ledger verify
check "the original verifies" at a ledger verify
check "and starts again" start a
