#!/usr/bin/env bash
# Three organisations on this machine, on real data: grants, a joint question, a refusal explained, a receipt verified, a damaged ledger found.
#
# usage: run.sh [--keep DIR]    --keep leaves the three nodes running in DIR and prints commands to try
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
find_first() { local f; for f in "$@"; do if [ -e "$f" ]; then echo "$f"; return 0; fi; done; echo "demo: none of $* is there" >&2; return 1; }
entente=${ENTENTE:-$(find_first "$here/../build/cli/entente" "$here/../../../bin/entente")}
verifier=$(find_first "$here/../build/verify/entente-verify" "$here/../../../bin/entente-verify")
pooled=$(find_first "$here/../build/demo/pooled" "$here/../../../libexec/entente/pooled")
data=$(cd "$(find_first "$here/data")" && pwd)
keep=""
if [ "${1:-}" = --keep ]; then
	keep=${2:?--keep needs a folder}
	mkdir -p "$keep"
	[ -z "$(ls -A "$keep")" ] || { echo "demo: $keep is not empty; name a new folder" >&2; exit 2; }
fi
dir=${keep:-$(mktemp -d "${TMPDIR:-/tmp}/entente-demo.XXXXXX")}
dir=$(cd "$dir" && pwd)
orgs=(hudson skywatch registry)
port=${ENTENTE_DEMO_PORT:-7101}
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
while taken "$port" || taken $((port + 2)) || taken $((port + 4)); do port=$((port + 100)); done
pids=()

bold="" dim="" off=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; fi
title() { printf '\n%s== %s ==%s\n' "$bold" "$*" "$off"; }
say() { printf '%s%s%s\n' "$dim" "$*" "$off"; }
at() { local org=$1; shift; "$entente" -C "$dir/$org" "$@"; }
show() { # ORG ARGS...: prints the command as the user would type it, runs it
	local org=$1 shown="" word
	shift
	for word in "$@"; do
		case $word in *[\ \'\"\;\(\)*]*) shown+=" '${word//\'/\'\\\'\'}'" ;; *) shown+=" ${word//$dir\//}" ;; esac
	done
	fold -s -w 78 <<<"$ entente -C $org$shown"
	at "$org" "$@"
}

stop() {
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
	[ ${#pids[@]} -eq 0 ] || wait "${pids[@]}" 2>/dev/null || true
	pids=()
}
finish() {
	local code=$?
	if [ "$code" != 0 ]; then
		echo "demo: stopped with exit code $code; the nodes' logs are in $dir" >&2
		stop
	elif [ -z "$keep" ]; then
		stop
		rm -rf "$dir"
	fi
}
trap finish EXIT
trap 'exit 130' INT TERM

main_question="SELECT floor(w.wind_speed / 5) * 5 AS wind_mph, p.manufacturer, AVG(f.dep_delay) AS avg_delay_min, COUNT(*) AS flights
FROM hudson.flights f
JOIN skywatch.weather w ON f.origin = w.origin AND f.time_hour = w.time_hour
JOIN registry.planes p ON f.tailnum = p.tailnum
GROUP BY 1, 2 ORDER BY 1, 2"

start_nodes() {
	local i org
	for i in 0 1 2; do
		org=${orgs[$i]}
		at "$org" init --org "$org" --listen "127.0.0.1:$((port + 2 * i))" --http "127.0.0.1:$((port + 2 * i + 1))" >/dev/null 2>"$dir/$org.log"
		at "$org" card >"$dir/$org.card" 2>>"$dir/$org.log"
	done
	for org in "${orgs[@]}"; do
		local others=()
		for i in "${orgs[@]}"; do [ "$i" = "$org" ] || others+=("$dir/$i.card"); done
		at "$org" trust "${others[@]}" >/dev/null 2>>"$dir/$org.log"
	done
	for org in "${orgs[@]}"; do
		"$entente" -C "$dir/$org" serve >"$dir/$org.ready" 2>>"$dir/$org.log" &
		pids+=($!)
	done
	for org in "${orgs[@]}"; do
		for _ in $(seq 600); do grep -q ready "$dir/$org.ready" 2>/dev/null && break; sleep 0.1; done
		grep -q ready "$dir/$org.ready" || { echo "demo: the node of $org did not start:" >&2; tail -5 "$dir/$org.log" >&2; exit 1; }
	done
	at hudson add flights "$data/flights.parquet" >/dev/null 2>>"$dir/hudson.log"
	at skywatch add weather "$data/weather.parquet" >/dev/null 2>>"$dir/skywatch.log"
	at registry add planes "$data/planes.parquet" >/dev/null 2>>"$dir/registry.log"
}

title "Three organisations, one node each, each beside its own data"
say "hudson   an airline             336,776 flights of 2013"
say "skywatch a weather office        26,115 hourly observations"
say "registry an aircraft registry     3,322 planes"
start_nodes
for _ in $(seq 300); do [ "$(at hudson tables 2>/dev/null | grep -cE 'weather|planes')" = 2 ] && break; sleep 0.1; done
show hudson tables

title "hudson asks before anybody granted anything"
show hudson query "$main_question" || say "(exit code $?)"

title "skywatch and registry grant what the question needs, and no more"
show skywatch grant 'GRANT JOIN ON weather(origin, time_hour) TO hudson WITH OWN VALUES'
show skywatch grant 'GRANT GROUP ON weather(wind_speed) TO hudson'
show skywatch grant 'GRANT AGGREGATE(count) ON weather(origin) TO hudson'
show registry grant 'GRANT JOIN ON planes(tailnum) TO hudson WITH OWN VALUES'
show registry grant 'GRANT GROUP ON planes(manufacturer) TO hudson'
show registry grant 'GRANT AGGREGATE(count) ON planes(tailnum) TO hudson'

title "Average departure delay by wind and manufacturer, under secure computation"
at hudson query "$main_question" --format csv -o "$dir/joint.csv" --receipt "$dir/receipt.txt" --stats 2>"$dir/stats.txt"
head -8 "$dir/joint.csv" | tr -d '\r"' | awk -F, '{ printf "%8s  %-28s %22s %8s\n", $1, $2, $3, $4 }'
say "... $(($(wc -l <"$dir/joint.csv") - 1)) groups; groups of fewer than 10 planes or 10 weather hours never left the computation"
cat "$dir/stats.txt"

title "The same question by DuckDB over the pooled tables, in the clear"
"$pooled" "WITH rows AS (SELECT CAST(floor(w.wind_speed / 5) * 5 AS INTEGER) AS wind_mph, p.manufacturer, f.dep_delay, p.tailnum, w.rowid AS hour
FROM '$data/flights.parquet' f JOIN (SELECT *, row_number() OVER () AS rowid FROM '$data/weather.parquet') w ON f.origin = w.origin AND f.time_hour = w.time_hour
JOIN '$data/planes.parquet' p ON f.tailnum = p.tailnum)
SELECT wind_mph, manufacturer, AVG(dep_delay) AS avg_delay_min, COUNT(*) AS flights FROM rows
GROUP BY 1, 2 HAVING count(DISTINCT tailnum) >= 10 AND count(DISTINCT hour) >= 10 ORDER BY 1, 2" >"$dir/pooled.csv"
if diff --strip-trailing-cr -q "$dir/joint.csv" "$dir/pooled.csv" >/dev/null; then
	echo "equal: all $(wc -l <"$dir/joint.csv") lines, to the last digit"
else
	diff --strip-trailing-cr "$dir/joint.csv" "$dir/pooled.csv" | head -20
	echo "demo: the joint answer differs from the pooled one" >&2
	exit 1
fi

title "A question that skywatch's and registry's grants do not allow"
show hudson query 'SELECT p.model, COUNT(*) FROM hudson.flights f JOIN registry.planes p ON f.tailnum = p.tailnum GROUP BY 1' || say "(exit code $?)"

title "The receipt, verified offline by a second, independent program"
cards=()
for org in "${orgs[@]}"; do cards+=(--trust "$dir/$org.card"); done
"$verifier" "$dir/receipt.txt" "${cards[@]}" >"$dir/verified.txt"
head -3 "$dir/verified.txt" | cut -c1-78
say "... $(grep -c '^entry' "$dir/verified.txt") entries of three ledgers, each with its proof"
tail -3 "$dir/verified.txt" | cut -c1-78

title "One bit flipped in a copy of skywatch's ledger"
mkdir "$dir/damaged"
(cd "$dir/skywatch" && tar cf - --exclude=node.sock .) | tar xf - -C "$dir/damaged"
segment=$(find "$dir/damaged/ledger" -type f -size +1k -path '*/segment/*' | sort | head -1)
at_byte=$(($(stat -c %s "$segment") / 2))
byte=$(od -An -tu1 -j "$at_byte" -N1 "$segment" | tr -d ' ')
printf '%b' "$(printf '\\x%02x' $((byte ^ 1)))" | dd of="$segment" bs=1 seek="$at_byte" conv=notrunc status=none
show damaged ledger verify || say "(exit code $?)"

title "skywatch's ledger as a chain of blocks"
at skywatch ledger blocks | tail -14 | cut -c1-80

if [ -n "$keep" ]; then
	disown -a
	title "The three nodes go on running in $dir"
	cat <<TXT
entente -C $dir/hudson status
entente -C $dir/hudson tables
entente -C $dir/hudson explain 'SELECT COUNT(*) FROM hudson.flights f JOIN registry.planes p ON f.tailnum = p.tailnum'
entente -C $dir/registry grants
entente -C $dir/skywatch ledger list
kill ${pids[*]}     # stops them
TXT
fi
