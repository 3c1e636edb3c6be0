#!/usr/bin/env bash
# mysql.sh mariadb|mysql MODULE TEST...: starts a throw-away server, runs the tests against it one after the other, stops it. Skipped by name without
# the server's program.
set -uo pipefail
kind=$1 module=$2
shift 2
case $kind in
mariadb) program=/usr/sbin/mariadbd name=MariaDB ca=ca.crt ;;
*) program=${SERVERS_CACHE:-$HOME/.cache/test-servers}/mysql-8.0.15/bin/mysqld name=MySQL ca=data/ca.pem ;;
esac
if [ ! -x "$program" ]; then
	echo "ok 1 - $name # SKIP its server program is not installed (test/servers/$kind.sh install)"
	echo "1..1"
	exit 0
fi
servers=$(cd "$(dirname "$0")/../servers" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-my.XXXXXX")
chmod 755 "$work"
finish() { "$servers/$kind.sh" stop "$work/my" >/dev/null 2>&1; rm -rf "$work"; }
trap finish EXIT
ready=$("$servers/$kind.sh" start "$work/my" 0) || exit 1
port=${ready##*:}
port=${port%%/*}
printf 'test\n' >"$work/password"
for test in "$@"; do
	"$test" "$module" "$name" "$port" "$work/password" "$work/my/$ca" "$work/my" || exit 1
done
