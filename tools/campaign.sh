#!/usr/bin/env bash
# Long campaigns: random queries, simulated clusters, kills, fuzzing. Seeds and counts are printed and recorded in build/campaign.log.
# usage: campaign.sh [MINUTES]   (default 60, split evenly)
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-60}
[ -f build/build.ninja ] || meson setup build >/dev/null
ninja -C build --quiet
share=$((minutes * 60 / 3))
seed=${ENT_SEED:-$(date +%s)}
echo "campaign seed $seed, $share s each: differential, simulation, fuzzing" | tee -a build/campaign.log
ENT_SEED=$seed ENT_CAMPAIGN_SECONDS=$share meson test -C build --no-rebuild -t 0 --suite campaign --print-errorlogs 2>&1 | tee -a build/campaign.log
targets=(fuzz/fuzz_*.c)
SECONDS_EACH=$((share / ${#targets[@]})) tools/fuzz.sh 2>&1 | tee -a build/campaign.log
