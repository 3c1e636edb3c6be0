#!/usr/bin/env bash
# Constant-time taint: shares are marked undefined, valgrind reports every branch or address that depends on them; open() declassifies.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/common.sh
. tools/common.sh
build_in build-ct -Doptimization=1
ENT_CPU=${ENT_CPU:-portable} tools/run-tests.py build-ct -t 20 --suite ct "$@"
