#!/usr/bin/env bash
# hdfs.sh TEST MODULE DUCKDB-MODULE [MODULE...]: starts a throw-away HDFS, runs the conformance test against it, stops it. Skipped by name where it is
# not installed.
set -uo pipefail
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! "$servers/hdfs.sh" present; then
	echo "ok 1 - Apache HDFS # SKIP it is not installed (test/servers/hdfs.sh install)"
	echo "1..1"
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-hdfs.XXXXXX")
finish() { "$servers/hdfs.sh" stop "$work/h" >/dev/null 2>&1; rm -rf "$work"; }
trap finish EXIT
port=$("$servers/ports.py" 1 11)
"$servers/hdfs.sh" start "$work/h" "$port" >/dev/null || exit 1
"$1" "$2" "$3" "$port" "$work/h" "$servers/hdfs.sh" "${@:4}"
