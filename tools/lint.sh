#!/usr/bin/env bash
# Style gates: layers, headers, banned functions, lengths, READMEs, shell, formatting, licences of what is linked, exported symbols.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
tools/check-layers.py || status=1
tools/check-style.py --format || status=1
[ ! -f "${1:-build}/build.ninja" ] || tools/check-binary.py "${1:-build}" || status=1
exit $status
