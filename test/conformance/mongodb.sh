#!/usr/bin/env bash
# mongodb.sh TEST MODULE: starts the substitute server, runs the conformance test against it, stops it. Skipped by name where it is not installed.
set -uo pipefail
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! "$servers/mongo.sh" present; then
	echo "ok 1 - MongoDB # SKIP the substitute server is not installed (test/servers/mongo.sh install)"
	echo "1..1"
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-mongo.XXXXXX")
finish() { "$servers/mongo.sh" stop "$work/mongo" >/dev/null 2>&1; rm -rf "$work"; }
trap finish EXIT
ready=$("$servers/mongo.sh" start "$work/mongo" 0) || exit 1
printf 'test\n' >"$work/password"
read -r _ url secured <<<"$ready"
"$1" "$2" "$url" "$secured" "$work"
