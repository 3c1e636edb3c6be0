# shellcheck shell=bash disable=SC2034,SC2154
# For scripts that move tables between real servers; sourced after lib.sh. Each server has its folder $work/NAME, its address in url[NAME] (without
# # and table), what a command needs to reach it in login[NAME]; what is not installed is left out.
servers=$(cd "$(dirname "$0")/../servers" && pwd)
declare -A url=() login=() port=()
chmod 755 "$work"
printf test >"$work/password"
printf cassandra >"$work/cassandra-password"
export PGPASSWORD=test MYSQL_PWD=test

has_server() {
	case $1 in
	postgres) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
	mariadb) [ -x /usr/sbin/mariadbd ] ;;
	mongo | cassandra) "$servers/$1.sh" present ;;
	esac
}
up() { "$servers/$1.sh" start "$work/$1" "${port[$1]}" >"$work/$1.up" 2>&1 || { cat "$work/$1.up" >&2 && return 1; }; } # NAME
server_start() { # NAME
	port[$1]=$(free_ports 1 2)
	up "$1" || return 1
	case $1 in
	postgres) url[postgres]="postgresql://test@127.0.0.1:${port[postgres]}/test?sslmode=verify-full&sslrootcert=$work/postgres/ca.crt" ;;
	mariadb) url[mariadb]="mysql://test@127.0.0.1:${port[mariadb]}/test?ca=$work/mariadb/ca.crt" ;;
	mongo) url[mongo]="mongodb://127.0.0.1:${port[mongo]}/test" ;;
	cassandra) url[cassandra]="cassandra://cassandra@127.0.0.1:${port[cassandra]}/test" ;;
	esac
}
secret_of() { # NAME: the file with its password
	case $1 in cassandra) echo "$work/cassandra-password" ;; *) echo "$work/password" ;; esac
}
options_of() { # SOURCE TARGET: sets options for a command between the two
	options=()
	[ "$1" = mongo ] || options+=(--password-file "$(secret_of "$1")")
	[ "$2" = mongo ] || options+=(--dst-password-file "$(secret_of "$2")")
	[ "$1" != cassandra ] || options+=(--ca-file "$work/cassandra/ca.crt")
	[ "$2" != cassandra ] || options+=(--dst-ca-file "$work/cassandra/ca.crt")
}
servers_stop() {
	local name
	for name in "${!url[@]}"; do "$servers/$name.sh" stop "$work/$name" >/dev/null 2>&1; done
	finish
}
trap servers_stop EXIT

pg() { psql -qAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "${port[postgres]}" -U test "$@"; }
my() { mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "${port[mariadb]}" -u test test "$@"; }
