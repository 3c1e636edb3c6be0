#!/usr/bin/env bash
# ThreadSanitizer (clang) over the tests that use threads; DuckDB is not instrumented: what it does by itself is not seen.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
CC=clang build_in build-tsan -Db_sanitize=thread -Db_lundef=false -Doptimization=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tools/tsan.supp
tools/run-tests.py build-tsan -t 6 --suite tsan "$@"
