#!/usr/bin/env bash
# The program entente-verify: exit codes and first lines. usage: test_program.sh ENTENTE_VERIFY MAKER SOURCE_ROOT
set -u
verify=$1 maker=$2 root=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$maker" "$dir" || exit 1
n=0 failed=0
check() { # check NAME CODE FIRST_LINE_PATTERN ARGS...
	local name=$1 want=$2 pattern=$3 out code
	shift 3
	out=$("$verify" "$@" 2>/dev/null)
	code=$?
	n=$((n + 1))
	# shellcheck disable=SC2053 # a pattern on purpose
	if [ "$code" = "$want" ] && [[ "$(head -1 <<<"$out")" == $pattern ]]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name (exit $code): $(head -1 <<<"$out")"
		failed=1
	fi
}
cards=("$dir/hudson.card" "$dir/skywatch.card" "$dir/registry.card")
check "all cards pinned" 0 "verified:*" "$dir/r.txt" --trust "${cards[@]}"
check "pinned is enough for --require-pinned" 0 "verified:*" "$dir/r.txt" --require-pinned --trust "${cards[@]}"
check "nobody pinned" 0 "consistent; signed by keys you have not pinned:" "$dir/r.txt"
check "one not pinned" 0 "consistent; signed by keys you have not pinned:" "$dir/r.txt" --trust "${cards[0]}" "${cards[1]}"
check "--require-pinned" 1 "consistent; signed by keys you have not pinned:" "$dir/r.txt" --require-pinned
sed 's/"org"/"orG"/; s/part entry/part Entry/' "$dir/r.txt" >"$dir/bad.txt"
check "a changed receipt" 1 "FAILED: *" "$dir/bad.txt"
check "no such file" 66 "" "$dir/nothing"
check "no argument" 2 ""
check "an unknown option" 2 "" "$dir/r.txt" --what
check "not a card" 65 "" "$dir/r.txt" --trust "$dir/r.txt"
words=$("$verify" "$dir/r.txt" | sed -n 2p | wc -w)
n=$((n + 1))
if [ "$words" = 9 ]; then echo "ok $n - a fingerprint has eight words"; else echo "not ok $n - words: $words"; failed=1; fi
lines=$(cat "$root"/verify/*.[ch] | gcc -fpreprocessed -dD -E -P - 2>/dev/null | grep -vc '^[[:space:]]*$')
n=$((n + 1))
if [ "$lines" -lt 1000 ]; then echo "ok $n - $lines lines of code, fewer than 1,000"; else echo "not ok $n - $lines lines of code"; failed=1; fi
n=$((n + 1))
if ! grep -hE '#include "' "$root"/verify/*.[ch] | grep -qv '"verify.h"'; then echo "ok $n - no source of anybody else"; else echo "not ok $n - foreign headers"; failed=1; fi
echo "1..$n"
exit $failed
