#!/usr/bin/env bash
# postgresql.sh TEST MODULE: starts a throw-away server, runs the conformance test against it, stops it. Skipped by name without the server programs.
set -uo pipefail
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
	echo "ok 1 - PostgreSQL # SKIP its server programs are not installed"
	echo "1..1"
	exit 0
fi
servers=$(cd "$(dirname "$0")/../servers" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-pg.XXXXXX")
chmod 755 "$work"
finish() { "$servers/postgres.sh" stop "$work/pg" >/dev/null 2>&1; rm -rf "$work"; }
trap finish EXIT
port=$("$servers/ports.py")
"$servers/postgres.sh" start "$work/pg" "$port" >/dev/null || exit 1
printf 'test\n' >"$work/password"
"$1" "$2" "$port" "$work/password" "$work/pg/ca.crt"
