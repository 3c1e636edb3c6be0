#!/usr/bin/env bash
# kill -9 of a random node at a random moment of a joint query, KILLS times (default 6): the query ends by itself with the answer or exit 76, every ledger
# verifies after the restart, nothing acknowledged is lost, and the next query is answered.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
seed=${ENT_SEED:-7}
RANDOM=$seed
echo "# ENT_SEED=$seed"
check "three nodes start" consortium a b c
visits_and_people 20000 2900 3
begin=$(date +%s%3N)
check "the question is answered" at c query "$question" --format csv -o "$work/out.csv"
took=$(($(date +%s%3N) - begin))
check_same "as DuckDB does" "$work/out.csv" "$work/want.csv"

nodes=(a b c)
for round in $(seq "${KILLS:-6}"); do
	victim=${nodes[$((RANDOM % 3))]}
	at "$victim" ledger note "acknowledged $round" >"$work/note.out" 2>&1
	noted=$?
	wait_ms=$((RANDOM % (took + 50)))
	begin=$SECONDS
	timeout 300 "$ENTENTE" -C "$work/c" query "$question" --format csv -o "$work/again.csv" >/dev/null 2>"$work/query.err" &
	query=$!
	sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
	kill -9 "${pid_of[$victim]}"
	wait "${pid_of[$victim]}" 2>/dev/null
	wait $query
	code=$?
	passed=$((SECONDS - begin))
	case $code in 0 | 76) good=0 ;; 69 | 74 | 75) good=$([ "$victim" = c ]; echo $?) ;; *) good=1 ;; esac
	[ $passed -le $((4 * (took / 1000 + 30))) ] || good=1 # on an idle machine a quarter of that
	line "$good" "round $round: $victim killed after $wait_ms ms: the query ended with $code after $passed s"
	[ "$good" = 0 ] || sed 's/^/# /' "$work/query.err"
	[ $code != 0 ] || check_same "round $round: and its answer was right" "$work/again.csv" "$work/want.csv"
	check "round $round: $victim starts again" start "$victim"
	[ "$noted" != 0 ] || check "round $round: its acknowledged note is still there" sh -c "'$ENTENTE' -C '$work/$victim' ledger list --json | grep -q note"
done
check "everybody is up" until_true 20 sh -c "'$ENTENTE' -C '$work/c' query \"$question\" --format csv -o '$work/last.csv'"
check_same "the last answer is right" "$work/last.csv" "$work/want.csv"
check "every ledger verifies" ledgers_verify a b c
