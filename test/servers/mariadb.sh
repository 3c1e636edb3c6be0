#!/usr/bin/env bash
# A throw-away MariaDB server for tests: row binary log with names, TLS and plain on one loopback port, user test with password test, database test.
#   mariadb.sh install             Debian's packages without the service
#   mariadb.sh start FOLDER PORT   prints "ready ..."; FOLDER/ca.crt signs its certificate for localhost and 127.0.0.1; port 0: a free one
#   mariadb.sh stop FOLDER
# Started by root, the server runs as user mysql (nobody where there is none), who must be able to reach FOLDER.
set -euo pipefail

fail() { echo "mariadb.sh: $1" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
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
	mariadb-install-db --no-defaults --user="$who" --datadir="$1/data" --auth-root-authentication-method=normal --skip-test-db \
		>"$1/install.log" 2>&1 || fail "no database, see $1/install.log"
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
		socket=$1/my.sock
		pid-file=$1/my.pid
		log-error=$1/server.log
		init-file=$1/init.sql
		bind-address=127.0.0.1
		port=$2
		skip-name-resolve
		ssl-ca=$1/ca.crt
		ssl-cert=$1/server.crt
		ssl-key=$1/server.key
		server-id=1
		log-bin=binlog
		binlog-format=ROW
		binlog-row-image=FULL
		binlog-row-metadata=FULL
		local-infile=ON
		max-allowed-packet=64M
		innodb-buffer-pool-size=64M
		innodb-log-file-size=64M
		innodb-flush-log-at-trx-commit=2
		key-buffer-size=1M
		max-connections=40
		performance-schema=OFF
	CNF
}

start() { # FOLDER PORT
	[ -x "$program" ] || fail "MariaDB's server program is not installed"
	mkdir -p "$1"
	local f port=$2 pid i
	f=$(cd "$1" && pwd)
	[ "$port" != 0 ] || port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	[ -d "$f/data" ] || create "$f"
	settings "$f" "$port" >"$f/my.cnf"
	"$program" --defaults-file="$f/my.cnf" </dev/null >"$f/stdout.log" 2>&1 &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		if MYSQL_PWD='test' mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "$port" -u test -e 'SELECT 1' test >/dev/null 2>&1; then
			echo "ready mysql://test@127.0.0.1:$port/test"
			return
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	fail "no start, see $f/server.log"
}

stop() { # FOLDER
	local pid i
	pid=$(cat "$1/my.pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 300; i++)); do
		[ -f "$1/my.pid" ] || return 0
		sleep 0.1
	done
	kill -9 "$pid"
}

case "${1:-}/$#" in
install/1) install_server ;;
start/3) start "$2" "$3" ;;
stop/2) stop "$2" ;;
*) fail "usage: mariadb.sh install | start FOLDER PORT | stop FOLDER" ;;
esac
