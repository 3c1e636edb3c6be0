#!/usr/bin/env bash
# Shared by the end-to-end scripts: a consortium in a temporary folder, TAP lines, cleaning up.
# Environment: ENTENTE, VERIFIER, POOLED (programs), set by test/e2e/meson.build.
set -uo pipefail
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-e2e.XXXXXX")
declare -A pid_of=()
tests=0 failures=0

entente() { "$ENTENTE" "$@"; }
at() { local org=$1; shift; "$ENTENTE" -C "$work/$org" "$@"; }

line() { # OK? NAME
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then echo "ok $tests - $2"; else echo "not ok $tests - $2"; failures=$((failures + 1)); fi
}
check() { # NAME COMMAND...: passes when the command succeeds
	local name=$1
	shift # in this shell, not in a subshell: start remembers what it started
	if "$@" >"$work/check.out" 2>&1; then line 0 "$name"; else line 1 "$name"; head -12 "$work/check.out" | sed 's/^/# /'; fi
}
check_exit() { # NAME CODE TEXT COMMAND...: passes when it exits with CODE (a pattern) and says TEXT (a pattern)
	local name=$1 code=$2 text=$3 out got
	shift 3
	out=$("$@" 2>&1 </dev/null)
	got=$?
	if [[ $got =~ ^$code$ ]] && grep -qiE -- "$text" <<<"$out"; then line 0 "$name"; else
		line 1 "$name"
		echo "# exit $got, wanted $code; wanted text: $text; said:"
		head -8 <<<"$out" | sed 's/^/# /'
	fi
}
check_same() { # NAME FILE FILE: equal but for the ends of lines (our CSV ends them with CR LF, as RFC 4180 says)
	if diff --strip-trailing-cr -q "$2" "$3" >/dev/null 2>&1; then line 0 "$1"; else
		line 1 "$1"
		diff --strip-trailing-cr "$2" "$3" 2>&1 | head -12 | sed 's/^/# /'
	fi
}

free_ports() { "$(dirname "${BASH_SOURCE[0]}")/../servers/ports.py" "$@"; } # N [SPAN]

start() { # ORG: serve, and wait for its ready line
	local org=$1
	: >"$work/$org.ready"
	"$ENTENTE" -C "$work/$org" serve >"$work/$org.ready" 2>>"$work/$org.log" &
	pid_of[$org]=$!
	for _ in $(seq 600); do
		grep -q '^ready' "$work/$org.ready" && return 0
		kill -0 "${pid_of[$org]}" 2>/dev/null || break
		sleep 0.1
	done
	echo "# the node of $org did not start:"
	tail -5 "$work/$org.log" | sed 's/^/# /'
	return 1
}

consortium() { # ORG...: init, cards, trust, serve
	local ports org i=0 other
	read -ra ports < <(free_ports $((2 * $#)))
	for org in "$@"; do
		at "$org" init --org "$org" --listen "127.0.0.1:${ports[$((2 * i))]}" --http "127.0.0.1:${ports[$((2 * i + 1))]}" >/dev/null || return 1
		at "$org" card >"$work/$org.card" || return 1
		i=$((i + 1))
	done
	for org in "$@"; do
		for other in "$@"; do [ "$other" = "$org" ] || at "$org" trust "$work/$other.card" >/dev/null || return 1; done
	done
	for org in "$@"; do start "$org" || return 1; done
}

until_true() { # SECONDS COMMAND...: that long on an idle machine; a busy one gets four times as much
	local end=$((SECONDS + 4 * $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}
sees() { at "$1" tables --json | grep -q "\"$2\""; } # ORG TABLE
knows() { # ORG TABLE...: before long
	local org=$1 table
	shift
	for table in "$@"; do until_true 15 sees "$org" "$table" || return 1; done
}
ledgers_verify() { # ORG...
	local org
	for org in "$@"; do at "$org" ledger verify || return 1; done
}

# a's visits and b's people joined by person, of V visits to P people in REGIONS regions; sets question. For tests of what happens around a question.
visits_and_people() { # V P REGIONS
	python3 - "$work" "$@" <<'PY'
import random, sys
d, visits, people, regions = sys.argv[1], *map(int, sys.argv[2:])
r = random.Random(3)
with open(f"{d}/visits.csv", "w") as f:
    f.write("person,cost\n" + "".join(f"{r.randrange(people * 31 // 30)},{r.randrange(5000)}\n" for _ in range(visits)))
with open(f"{d}/people.csv", "w") as f:
    f.write("person,region\n" + "".join(f"{i},{['north', 'south', 'east'][i % regions]}\n" for i in range(people)))
PY
	check "a adds visits" at a add visits "$work/visits.csv"
	check "b adds people" at b add people "$work/people.csv"
	check "a grants" at a grant 'GRANT JOIN ON visits(person) TO ANY; GRANT AGGREGATE(sum, count) ON visits(cost) TO ANY;'
	check "b grants" at b grant 'GRANT JOIN ON people(person) TO ANY; GRANT GROUP ON people(region) TO ANY; GRANT AGGREGATE(count) ON people(person) TO ANY;'
	check "tables are known" knows c visits people
	local select='SELECT p.region, SUM(v.cost) AS total, COUNT(*) AS n' rest='ON v.person = p.person GROUP BY p.region ORDER BY 1'
	# shellcheck disable=SC2034
	question="$select FROM a.visits v JOIN b.people p $rest"
	"$POOLED" "$select FROM '$work/visits.csv' v JOIN '$work/people.csv' p $rest" >"$work/want.csv"
}

finish() {
	local org
	for org in "${!pid_of[@]}"; do kill -9 "${pid_of[$org]}" 2>/dev/null; done
	wait 2>/dev/null
	if [ "$failures" != 0 ] && [ -n "${E2E_KEEP:-}" ]; then echo "# kept: $work"; else rm -rf "$work"; fi
	echo "1..$tests"
	[ "$failures" = 0 ] && [ "$tests" -gt 0 ] || exit 1
}
trap finish EXIT
