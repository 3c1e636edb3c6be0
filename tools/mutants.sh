#!/usr/bin/env bash
# Plants every bug of tools/mutants.txt, one at a time, and shows the test that catches it. A mutant that survives fails the run.
# usage: mutants.sh [NAME...]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 70
# shellcheck source=tools/common.sh
. tools/common.sh
caught=0 survived=0
while read -r name tests; do
	case $name in "" | \#*) continue ;; esac
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
	build_in build-mutant -Dmutants="$name" >/dev/null || { echo "not ok - $name does not build"; survived=$((survived + 1)); continue; }
	# shellcheck disable=SC2086
	if meson test -C build-mutant --no-rebuild --quiet $tests >build-mutant/mutant.log 2>&1; then
		echo "not ok - $name SURVIVED $tests"
		survived=$((survived + 1))
	else
		echo "ok - $name caught by: $(grep -oE '(FAIL|ERROR|TIMEOUT) .*' build-mutant/mutant.log | head -1) ($tests)"
		caught=$((caught + 1))
	fi
done <tools/mutants.txt
echo "$caught passed, $survived failed"
[ "$survived" = 0 ]
