#!/usr/bin/env bash
# hbase.sh TEST MODULE: starts a throw-away HBase and something that speaks TLS before it, runs the conformance test, stops both. Skipped by name where
# it is not installed.
set -uo pipefail
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! "$servers/hbase.sh" present; then
	echo "ok 1 - Apache HBase # SKIP it is not installed (test/servers/hbase.sh install)"
	echo "1..1"
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-hbase.XXXXXX")
front=
finish() {
	[ -z "$front" ] || kill "$front" 2>/dev/null
	"$servers/hbase.sh" stop "$work/h" >/dev/null 2>&1
	rm -rf "$work"
}
trap finish EXIT
read -r port tls < <("$servers/ports.py" 2 4)
"$servers/hbase.sh" start "$work/h" "$port" >/dev/null || exit 1
"$servers/certificate.sh" "$work"
python3 "$servers/tls-front.py" "$work/server.crt" "$work/server.key" "$tls" "$port" &
front=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$tls") 2>/dev/null; do
	kill -0 "$front" 2>/dev/null || { echo "not ok 1 - TLS in front of HBase" && exit 1; }
	sleep 0.05
done
"$1" "$2" "$port" "$work" "$servers/hbase.sh" "$tls"
