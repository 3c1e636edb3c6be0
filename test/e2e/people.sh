#!/usr/bin/env bash
# What people do to joint work: Ctrl-C, approve, deny, cancel.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

python3 - "$work" <<'PY'
import random, sys
r = random.Random(11)
d = sys.argv[1]
with open(f"{d}/visits.csv", "w") as f:
    f.write("id,person,cost\n")
    for i in range(250000):
        f.write(f"{i},{r.randrange(3000)},{r.randrange(500)}\n")
with open(f"{d}/people.csv", "w") as f:
    f.write("person,town\n")
    for i in range(3000):
        f.write(f"{i},{'north south east west'.split()[i % 4]}\n")
with open(f"{d}/few.csv", "w") as f:
    f.write("person,cost\n")
    for i in range(400):
        f.write(f"{r.randrange(3000)},{i}\n")
PY
check "three nodes start" consortium a b c
check "a adds a large table" at a add visits "$work/visits.csv"
check "a adds a small one" at a add few "$work/few.csv"
check "b adds people" at b add people "$work/people.csv"
check "and visitors" at b add visitors "$work/people.csv"
check "a grants" at a grant 'GRANT JOIN ON visits(person) TO ANY WITH OWN VALUES; GRANT AGGREGATE(count, sum) ON visits(cost) TO ANY; GRANT AGGREGATE(count) ON visits(person) TO ANY;
GRANT FILTER ON visits(cost) TO ANY;
GRANT JOIN ON few(person) TO ANY WITH OWN VALUES; GRANT AGGREGATE(count, sum) ON few(cost, person) TO ANY;'
check "b grants, but wants to be asked about towns" at b grant 'GRANT JOIN ON people(person) TO ANY WITH OWN VALUES; GRANT AGGREGATE(count) ON people(person) TO ANY;
GRANT JOIN ON visitors(person) TO ANY WITH OWN VALUES; GRANT AGGREGATE(count) ON visitors(person) TO ANY;
GRANT GROUP ON people(town) TO ANY REQUIRE APPROVAL;'
for org in a b c; do check "$org sees the tables" knows "$org" visits few people visitors; done

job_in() { at "$1" jobs --json | python3 -c 'import json,sys; print(*[j["id"] for j in json.load(sys.stdin)["jobs"] if j["state"] == sys.argv[1]])' "$2"; } # ORG STATE
has_job() { [ -n "$(job_in "$1" "$2")" ]; }
ask() { # ORG SQL: in the background; not through a function, so that signals reach it
	"$ENTENTE" -C "$work/$1" query "$2" --format csv -o "$work/rows" >"$work/ask.out" 2>&1 &
	asking=$!
}
ended() { wait "$asking"; [ $? = "$1" ] || { cat "$work/ask.out"; return 1; }; } # CODE

long="SELECT COUNT(*) AS n, SUM(v.cost) AS cost FROM a.visits v JOIN b.visitors p ON v.person = p.person"
ask c "$long"
check "a long question runs" until_true 20 has_job c running
running=$(job_in c running)
began=$SECONDS
kill -INT "$asking"
check "Ctrl-C ends it with exit code 130" ended 130
check "within seconds, or a minute on a crowded machine" [ $((SECONDS - began)) -le 80 ]
check "and a message" grep -q '^interrupted: ' "$work/ask.out"
check "it is cancelled at c" until_true 10 sh -c "'$ENTENTE' -C '$work/c' jobs | grep '$running' | grep -q cancelled"
# the others may notice closed links before they hear why
for org in a b; do check "it has ended at $org" until_true 10 sh -c "'$ENTENTE' -C '$work/$org' jobs | grep '$running' | grep -q aborted"; done
# what was never shown is nothing to compare with; and what is shown now is compared with the same question afterwards
check "the same tables by another WHERE are answered" at c query "$long WHERE v.cost < 5"
check "the same question again is answered" at c query "$long"
check_exit "but not with the same visitors and a few visits less" 77 'differ too little' at c query "$long WHERE v.cost > 0"
check "the next question is answered" at c query "SELECT COUNT(*) AS n, SUM(f.cost) AS cost FROM a.few f JOIN b.people p ON f.person = p.person"

towns="SELECT p.town, COUNT(*) AS n FROM a.few f JOIN b.people p ON f.person = p.person GROUP BY p.town ORDER BY p.town"
ask c "$towns"
check "a question that needs approval waits for b" until_true 10 has_job b approval
check_exit "jobs says what it waits for" 0 'approval' at b jobs
check_exit "who owns nothing of it cannot approve in b's place" '[0-9]+' . at c approve "$(job_in b approval)"
check_exit "and it still waits" 0 'approval' at b jobs
check "b approves" at b approve "$(job_in b approval)"
check "and it is answered" ended 0
check "with four towns" [ "$(wc -l <"$work/rows")" = 5 ]
check "b's ledger has the approval" sh -c "'$ENTENTE' -C '$work/b' ledger list --count 1000 | grep -q approve"

ask c "SELECT p.town, SUM(f.cost) AS cost FROM a.few f JOIN b.people p ON f.person = p.person GROUP BY p.town"
check "another waits" until_true 10 has_job b approval
check "b denies" at b deny "$(job_in b approval)"
check "and it is refused" ended 77
check "by name" grep -qi 'b ' "$work/ask.out"

ask c "SELECT p.town, COUNT(f.cost) AS n FROM a.few f JOIN b.people p ON f.person = p.person GROUP BY p.town"
check "a third waits" until_true 10 has_job c approval
check "its requester cancels it" at c cancel "$(job_in c approval)"
check "and it ends" ended 130
check_exit "an unknown job is not found" 66 'jobs' at b approve 0123456789abcdef
check_exit "nothing waits any more" 1 . sh -c "'$ENTENTE' -C '$work/b' jobs --json | grep -c '\"approval\"'"
check "every ledger verifies" ledgers_verify a b c
