#!/usr/bin/env bash
# AddressSanitizer and UndefinedBehaviorSanitizer over the quick tests and the replay of every fuzz corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
CC=${CC:-gcc} build_in build-asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tools/lsan.supp:print_suppressions=0
tools/run-tests.py build-asan -t 5 "$@"
