#!/usr/bin/env bash
# cassandra.sh TEST MODULE: starts a throw-away node, runs the conformance test against it, stops it. Skipped by name where it is not installed.
set -uo pipefail
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! "$servers/cassandra.sh" present; then
	echo "ok 1 - Apache Cassandra # SKIP it is not installed (test/servers/cassandra.sh install)"
	echo "1..1"
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-cassandra.XXXXXX")
finish() { "$servers/cassandra.sh" stop "$work/c" >/dev/null 2>&1; rm -rf "$work"; }
trap finish EXIT
port=$("$servers/ports.py" 1 2)
"$servers/cassandra.sh" start "$work/c" "$port" >/dev/null || exit 1
"$1" "$2" "$port" "$work" "$servers/cassandra.sh"
