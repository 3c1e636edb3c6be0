#!/usr/bin/env bash
# Every benchmark, one JSON object a line: the links against the bare TLS ring, the engine over job links, the ledger. Run it on a quiet machine.
# usage: bench/run.sh   (BUILD=build)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
load=$(cut -d' ' -f1 /proc/loadavg)
echo "{\"bench\":\"machine\",\"cores\":$(nproc),\"load\":$load,\"commit\":\"$(git rev-parse --short HEAD 2>/dev/null || echo unknown)\"}"
"$build/bench/bench_ring"
"$build/bench/bench_mpc" --tls
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$build/bench/bench_ledger" "$folder/ledger" 3
