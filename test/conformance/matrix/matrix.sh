#!/usr/bin/env bash
# matrix.sh files|servers GOLDEN PROGRAM NAME=MODULE...: the type matrix of the stores without a server, or of all whose servers are installed (the others
# are skipped by name), compared with GOLDEN. With MATRIX_WRITE=FILE the lines are written there instead (tools: see docs/type-matrix.md).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
servers=$here/../../servers
which=$1 golden=$2 program=$3
shift 3
declare -A module=()
for pair in "$@"; do module[${pair%%=*}]=${pair#*=}; done
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-matrix.XXXXXX")
chmod 755 "$work"
started=()
finish() {
	for pair in "${started[@]}"; do "$servers/${pair%%=*}.sh" stop "${pair#*=}" >/dev/null 2>&1; done
	rm -rf "$work"
}
trap finish EXIT
printf test >"$work/password"
printf cassandra >"$work/cassandra-password"

stores=()
for kind in sqlite duckdb parquet csv json arrow; do
	m=${module[duckdb]}
	case $kind in sqlite | arrow) m=${module[$kind]} ;; esac
	stores+=("$kind" "$m" - - -)
done
up() { # SCRIPT: starts, answers what it prints in ready, its port in port
	port=$("$servers/ports.py" 1 12)
	started+=("$1=$work/$1")
	local at=("$work/$1" "$port")
	[ "$1" != gluster ] || at=("$work/$1") # always on its own port
	ready=$("$servers/$1.sh" start "${at[@]}") || { echo "not ok - $1 starts" && exit 1; }
}
server() { # KIND SCRIPT TITLE PRESENT...
	local kind=$1 script=$2 title=$3 why
	shift 3
	if [ -z "${module[${MODULE_OF[$kind]:-$kind}]:-}" ]; then
		stores+=("$title" - "its module is not built" - -)
	elif ! why=$("$@" 2>&1); then
		why=${why#"$script.sh: "}
		stores+=("$title" - "${why:-it is not installed (test/servers/$script.sh install)}" - -)
	else
		up "$script"
		return 0
	fi
	return 1
}
has_postgres() { compgen -G "/usr/lib/postgresql/*/bin/initdb"; }
declare -A MODULE_OF=([mariadb]=mysql)
if [ "$which" = servers ]; then
	server postgresql postgres PostgreSQL has_postgres && stores+=(postgresql "${module[postgresql]}" "postgresql://test:test@127.0.0.1:$port/test" - -)
	server mariadb mariadb MariaDB test -x /usr/sbin/mariadbd && stores+=(mariadb "${module[mysql]}" "mysql://test:test@127.0.0.1:$port/test" - -)
	server mysql mysql MySQL test -x "${SERVERS_CACHE:-$HOME/.cache/test-servers}/mysql-8.0.15/bin/mysqld" &&
		stores+=(mysql "${module[mysql]}" "mysql://test:test@127.0.0.1:$port/test" - -)
	server cassandra cassandra Cassandra "$servers/cassandra.sh" present &&
		stores+=(cassandra "${module[cassandra]}" "cassandra://cassandra:cassandra@127.0.0.1:$port" - -)
	server mongodb mongo MongoDB "$servers/mongo.sh" present && { read -r _ address _ <<<"$ready"; stores+=(mongodb "${module[mongodb]}" "$address" - -); }
	server hbase hbase HBase "$servers/hbase.sh" present && stores+=(hbase "${module[hbase]}" "hbase://127.0.0.1:$port" - -)
	server hdfs hdfs "HDFS (Parquet)" "$servers/hdfs.sh" present && stores+=(hdfs "${module[hdfs]}" "$port" - -)
	server gluster gluster "GlusterFS (Arrow)" "$servers/gluster.sh" present && stores+=(gluster "${module[gluster]}" - - -)
fi
out=-
[ -z "${MATRIX_WRITE:-}" ] || { out=$MATRIX_WRITE; golden=-; }
"$program" "$golden" "$out" "$work" "${stores[@]}"
