#!/usr/bin/env bash
# A hostile network below TLS: between every pair of nodes stands a proxy that flips bits, drops, replays, cuts, and in the campaign reorders or stalls. A joint query under
# attack ends with the right answer or a clean exit 76, no node dies, and after the attack the next query is answered.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
seed=${ENT_SEED:-7}
echo "# ENT_SEED=$seed"
nodes=(a b c)
read -ra ports < <(free_ports 9)
echo clean >"$work/mode"
i=0
for org in "${nodes[@]}"; do
	"$(dirname "$0")/proxy.py" "${ports[$((6 + i))]}" "${ports[$((2 * i))]}" "$work/mode" "$((seed + i))" >/dev/null 2>&1 &
	pid_of[proxy_$org]=$!
	at "$org" init --org "$org" --listen "127.0.0.1:${ports[$((2 * i))]}" --http "127.0.0.1:${ports[$((2 * i + 1))]}" --advertise "127.0.0.1:${ports[$((6 + i))]}" >/dev/null
	at "$org" card >"$work/$org.card"
	i=$((i + 1))
done
for org in "${nodes[@]}"; do
	for other in "${nodes[@]}"; do [ "$other" = "$org" ] || at "$org" trust "$work/$other.card" >/dev/null; done
done
for org in "${nodes[@]}"; do check "$org starts behind a proxy" start "$org"; done
visits_and_people 4000 580 2
check "without an attack the question is answered" at c query "$question" --format csv -o "$work/out.csv"
check_same "as DuckDB does" "$work/out.csv" "$work/want.csv"
# held-back bytes look like a slow peer: the job ends by the rule of 60 s without progress, so these two are for the campaign
for harm in ${ENT_HARMS:-flip drop replay cut}; do
	echo "$harm" >"$work/mode"
	rm -f "$work/out.csv"
	begin=$SECONDS
	timeout 200 "$ENTENTE" -C "$work/c" query "$question" --format csv -o "$work/out.csv" >/dev/null 2>"$work/query.err"
	code=$?
	case $code in 0 | 76 | 75) line 0 "$harm: the query ended with $code after $((SECONDS - begin)) s" ;; *)
		line 1 "$harm: the query ended with $code"
		sed 's/^/# /' "$work/query.err"
		;;
	esac
	[ $code != 0 ] || check_same "$harm: and its answer is right" "$work/out.csv" "$work/want.csv"
	for org in "${nodes[@]}"; do check "$harm: $org lives" kill -0 "${pid_of[$org]}"; done
	echo clean >"$work/mode"
	check "$harm: afterwards the question is answered" until_true 40 sh -c "'$ENTENTE' -C '$work/c' query \"$question\" --format csv -o '$work/out.csv'"
	check_same "$harm: rightly" "$work/out.csv" "$work/want.csv"
done
check "every ledger verifies" ledgers_verify a b c
