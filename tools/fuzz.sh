#!/usr/bin/env bash
# libFuzzer campaign: every target for SECONDS_EACH seconds (60) on top of its kept corpus; findings land in fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
seconds=${SECONDS_EACH:-60}
CC=clang build_in build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
mkdir -p fuzz/findings
status=0
for target in build-fuzz/fuzz/fuzz_*; do
	if [ ! -x "$target" ] || [ ! -f "$target" ]; then continue; fi
	name=${target##*/fuzz_}
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
	mkdir -p "build-fuzz/corpus/$name"
	echo "fuzz $name: $seconds s"
	"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="fuzz/findings/$name-" \
		"build-fuzz/corpus/$name" "fuzz/corpus/$name" >"build-fuzz/$name.log" 2>&1 ||
		{ tail -30 "build-fuzz/$name.log"; status=1; }
	grep -E '^Done|stat::number_of_executed_units' "build-fuzz/$name.log" | tail -1
done
exit $status
