# shellcheck shell=bash
# For mariadb.sh and mysql.sh beside it; sourced after NAME is set.
set -euo pipefail

fail() { echo "$NAME.sh: $1" >&2; exit 1; }

# FOLDER PORT: settings of both servers. The folder of temporary tables must be the server's own: a server that starts deletes every "#sql" file it
# finds in its own, also those that another one is using ("Error on delete of '/tmp/#sql-temptable-...'").
common_settings() {
	cat <<-CNF
		tmpdir=$1/tmp
		socket=$1/my.sock
		pid-file=$1/my.pid
		log-error=$1/server.log
		bind-address=127.0.0.1
		port=$2
		skip-name-resolve
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
		max-connections=40
		performance-schema=OFF
	CNF
}

tmp_make() { # FOLDER USER
	mkdir -p "$1/tmp"
	[ "$(id -u)" != 0 ] || chown "$2" "$1/tmp"
}

answers() { # FOLDER PORT
	[ -f "$1/my.pid" ] || return 1
	if ! command -v mariadb >/dev/null; then
		(exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null
		return
	fi
	MYSQL_PWD='test' mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "$2" -u test -e 'SELECT 1' test >/dev/null 2>&1
}

# launch FOLDER PORT READY PROGRAM...: until the command READY says that it answers.
launch() {
	local f=$1 port=$2 ready=$3 pid i
	shift 3
	rm -f "$f/my.pid" "$f/my.sock.lock" # of a server that was killed: its process may still wait to be reaped
	"$@" </dev/null >"$f/stdout.log" 2>&1 &
	pid=$!
	for ((i = 0; i < 1200; i++)); do
		if "$ready" "$f" "$port"; then
			echo "ready mysql://test@127.0.0.1:$port/test"
			return
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$f/server.log" "$f/stdout.log" >&2
	kill -9 "$pid" 2>/dev/null || true
	fail "no start"
}

stop() { # FOLDER
	local pid i
	pid=$(cat "$1/my.pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 300; i++)); do
		[ -f "$1/my.pid" ] || return 0
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
}

main() { # the script's own arguments
	case "${1:-}/$#" in
	install/1) install_server ;;
	start/3) start "$2" "$3" ;;
	stop/2) stop "$2" ;;
	*) fail "usage: $NAME.sh install | start FOLDER PORT | stop FOLDER" ;;
	esac
}
