#!/usr/bin/env bash
# cockroach.sh TEST MODULE: the connector against what imitates CockroachDB (test/servers/cockroach-stub.py) in front of a throw-away PostgreSQL. No real
# cluster is asked. Skipped by name without PostgreSQL's server programs.
set -uo pipefail
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
	echo "ok 1 - CockroachDB imitated # SKIP PostgreSQL's server programs are not installed"
	echo "1..1"
	exit 0
fi
servers=$(cd "$(dirname "$0")/../servers" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-roach.XXXXXX")
chmod 755 "$work"
stub=
# shellcheck disable=SC2317
finish() { [ -z "$stub" ] || kill "$stub" 2>/dev/null; "$servers/postgres.sh" stop "$work/pg" >/dev/null 2>&1; rm -rf "$work"; }
trap finish EXIT
read -r port front < <("$servers/ports.py" 2)
"$servers/postgres.sh" start "$work/pg" "$port" >/dev/null || exit 1
export PGPASSWORD=test
"$servers/cockroach-stub.py" setup | psql -qX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U test -d test >/dev/null || exit 1
"$servers/cockroach-stub.py" "$front" "$port" >"$work/stub.out" 2>"$work/stub.err" &
stub=$!
until grep -q ready "$work/stub.out"; do
	kill -0 "$stub" 2>/dev/null || { cat "$work/stub.err" >&2 && exit 1; }
	sleep 0.05
done
"$1" "$2" "$front" "$port"
code=$?
sed 's/^/# stub: /' "$work/stub.err"
exit "$code"
