#!/usr/bin/env bash
# A throw-away MariaDB server for tests: row binary log with names, TLS and plain on one loopback port, user test with password test, database test.
#   mariadb.sh install             Debian's packages without the service
#   mariadb.sh start FOLDER PORT   prints "ready ..."; FOLDER/ca.crt signs its certificate for localhost and 127.0.0.1; port 0: a free one
#   mariadb.sh stop FOLDER
# Started by root, the server runs as user mysql (nobody where there is none), who must be able to reach FOLDER.
# shellcheck disable=SC2034 # read by my-lib.sh
NAME=mariadb
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=my-lib.sh
. "$here/my-lib.sh"

program=/usr/sbin/mariadbd
who=$(id -un)
[ "$(id -u)" != 0 ] || who=$(id -un mysql 2>/dev/null || echo nobody)

install_server() {
	[ -x "$program" ] && command -v mariadb-install-db >/dev/null && return 0
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mariadb-server-core mariadb-client-core >/dev/null
}

create() { # FOLDER
	"$here/certificate.sh" "$1"
	[ "$(id -u)" != 0 ] || chown -R "$who" "$1"
	mariadb-install-db --no-defaults --user="$who" --datadir="$1/data" --tmpdir="$1/tmp" --auth-root-authentication-method=normal --skip-test-db \
		>"$1/install.log" 2>&1 || { tail -n 20 "$1/install.log" >&2; fail "no database"; }
	cat >"$1/init.sql" <<-SQL
		CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4;
		CREATE USER IF NOT EXISTS 'test'@'127.0.0.1' IDENTIFIED BY 'test';
		GRANT ALL ON *.* TO 'test'@'127.0.0.1' WITH GRANT OPTION;
		ALTER USER 'root'@'localhost' IDENTIFIED BY 'test';
	SQL
}

settings() { # FOLDER PORT
	cat <<-CNF
		[mariadbd]
		user=$who
		datadir=$1/data
		init-file=$1/init.sql
		ssl-ca=$1/ca.crt
		ssl-cert=$1/server.crt
		ssl-key=$1/server.key
		key-buffer-size=1M
	CNF
	common_settings "$1" "$2"
}

start() { # FOLDER PORT
	[ -x "$program" ] || fail "MariaDB's server program is not installed"
	mkdir -p "$1"
	local f port=$2
	f=$(cd "$1" && pwd)
	[ "$port" != 0 ] || port=$("$here/ports.py")
	tmp_make "$f" "$who"
	[ -d "$f/data" ] || create "$f"
	settings "$f" "$port" >"$f/my.cnf"
	launch "$f" "$port" answers "$program" --defaults-file="$f/my.cnf"
}

main "$@"
