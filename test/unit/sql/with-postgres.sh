#!/usr/bin/env bash
# with-postgres.sh PROGRAM: runs PROGRAM with ENT_TEST_POSTGRESQL set to a throw-away PostgreSQL of its own (socket in a temporary folder, gone
# afterwards), or without the variable when the server programs are not installed.
set -euo pipefail
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)
if [ -z "$bin" ] || [ ! -x "$bin/initdb" ]; then
	exec "$1"
fi
dir=$(mktemp -d /tmp/ent-sql.XXXXXX)
server() { if [ "$(id -u)" = 0 ]; then (cd "$dir" && exec runuser -u postgres -- "$@"); else "$@"; fi; }
finish() {
	server "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT
[ "$(id -u)" != 0 ] || chown postgres "$dir"
server "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C -N >"$dir.log" 2>&1 || { cat "$dir.log" >&2; exit 1; }
rm -f "$dir.log"
server "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/log" -o "-c listen_addresses='' -c unix_socket_directories='$dir' -c fsync=off -c shared_buffers=16MB" start >/dev/null
ENT_TEST_POSTGRESQL="host=$dir user=postgres" "$1"
