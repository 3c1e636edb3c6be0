#!/usr/bin/env bash
# An organisation changes its keys: the others accept it, whether they are up or away; rules written under the old key still count, and a receipt
# that rests on them verifies by both programs.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

stop() { kill -TERM "${pid_of[$1]}" && wait "${pid_of[$1]}"; }
knows() { at "$1" members --json | python3 -c 'import json,sys; sys.exit(not any(m["org"] == sys.argv[1] and m["version"] == int(sys.argv[2]) for m in json.load(sys.stdin)["members"]))' "$2" "$3"; }
is_up() { at "$1" status --json | python3 -c 'import json,sys; sys.exit(not any(p["org"] == sys.argv[1] and p["up"] for p in json.load(sys.stdin)["peers"]))' "$2"; }

python3 - "$work" <<'PY'
import sys
with open(f"{sys.argv[1]}/flights.csv", "w") as f:
    f.write("id,tail\n" + "".join(f"{i},{i % 22}\n" for i in range(300)))
with open(f"{sys.argv[1]}/planes.csv", "w") as f:
    f.write("tail,maker\n" + "".join(f"{i},{'Airbus' if i < 11 else 'Boeing'}\n" for i in range(22)))
PY
check "three nodes start" consortium a b c
check "a adds a table" at a add flights "$work/flights.csv"
check "b adds a table" at b add planes "$work/planes.csv"
check "a grants under its first key" at a grant 'GRANT JOIN ON flights(tail) TO ANY WITH OWN VALUES; GRANT AGGREGATE(count) ON flights(tail) TO ANY;'
check "b grants" at b grant 'GRANT JOIN ON planes(tail) TO ANY WITH OWN VALUES; GRANT GROUP ON planes(maker) TO ANY; GRANT AGGREGATE(count) ON planes(tail) TO ANY;'
check "b sees the table of a" until_true 10 sees b flights
check_exit "keys are not changed under a running node" 75 "stop it" at a card --rotate

stop c
stop a
cp "$work/a.card" "$work/a.first"
check "a changes its keys" sh -c "'$ENTENTE' -C '$work/a' card --rotate >'$work/a.card'"
check "the new card is another one" sh -c "! cmp -s '$work/a.card' '$work/a.first'"
check "a starts again" start a
check "b, which was up, accepts the new card" until_true 40 knows b a 2
check "and the link is up" until_true 20 is_up b a
check "c, which was down, starts" start c
check "and accepts it, too" until_true 40 knows c a 2
check "and the link is up" until_true 20 is_up c a

question="SELECT p.maker, COUNT(*) AS n FROM a.flights f JOIN b.planes p ON f.tail = p.tail GROUP BY p.maker ORDER BY p.maker"
check "b asks what the old rules allow" at b query "$question" --format csv -o "$work/rows.csv" --receipt "$work/r.txt"
printf 'maker,n\nAirbus,154\nBoeing,146\n' >"$work/want.csv"
check_same "the answer is right" "$work/rows.csv" "$work/want.csv"
check "the receipt holds both cards of a" sh -c "grep -q '^part card/a/1 ' '$work/r.txt' && grep -q '^part card/a/2 ' '$work/r.txt'"
check "it verifies in a home" at b verify "$work/r.txt"
check "and by the independent program with the new card" "$VERIFIER" "$work/r.txt" --trust "$work/a.card" --trust "$work/b.card" --trust "$work/c.card"
check "and with the first card, which signed the new one" "$VERIFIER" "$work/r.txt" --trust "$work/a.first" --trust "$work/b.card" --trust "$work/c.card"
check "every ledger verifies" sh -c "for o in a b c; do '$ENTENTE' -C '$work'/\$o ledger verify || exit 1; done"
check "the ledger of a tells of its key" sh -c "'$ENTENTE' -C '$work/a' ledger list | grep -qw key"
