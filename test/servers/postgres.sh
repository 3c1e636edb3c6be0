#!/usr/bin/env bash
# A throw-away PostgreSQL server for tests: own cluster, user test, password test, database test, TLS and plain on one loopback port, logical replication
# and prepared transactions on.
#   postgres.sh start FOLDER PORT   prints "ready ..."; FOLDER/ca.crt signs its certificate for localhost and 127.0.0.1
#   postgres.sh stop FOLDER
# Started by root, the server runs as user postgres, who must be able to reach FOLDER.
set -euo pipefail

fail() { echo "postgres.sh: $1" >&2; exit 1; }

programs=$(find /usr/lib/postgresql -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1)
programs=${programs%/initdb}

server() { # COMMAND...: as the user the server may run as
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

certificate() { # FOLDER
	local f=$1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 8 -subj "/CN=entente test CA" \
		-keyout "$f/ca.key" -out "$f/ca.crt" 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout "$f/server.key" -out "$f/server.csr" 2>/dev/null
	printf 'subjectAltName = DNS:localhost, IP:127.0.0.1\n' >"$f/server.ext"
	openssl x509 -req -days 8 -in "$f/server.csr" -CA "$f/ca.crt" -CAkey "$f/ca.key" -CAcreateserial -extfile "$f/server.ext" -out "$f/server.crt" 2>/dev/null
	chmod 600 "$f/ca.key" "$f/server.key"
}

create() { # FOLDER
	local f=$1
	certificate "$f"
	printf 'test\n' >"$f/superuser"
	[ "$(id -u)" != 0 ] || chown -R postgres "$f"
	server "$programs/initdb" --pgdata="$f/data" --username=test --pwfile="$f/superuser" --auth=scram-sha-256 --encoding=UTF8 --locale=C \
		--no-sync >"$f/initdb.log" 2>&1 || { tail -n 20 "$f/initdb.log" >&2; fail "initdb failed"; }
	server tee -a "$f/data/postgresql.conf" >/dev/null <<-CONF
		listen_addresses = '127.0.0.1'
		unix_socket_directories = ''
		fsync = off
		shared_buffers = 32MB
		max_connections = 30
		wal_level = logical
		max_replication_slots = 8
		max_wal_senders = 8
		max_prepared_transactions = 8
		track_commit_timestamp = on
		ssl = on
		ssl_cert_file = '$f/server.crt'
		ssl_key_file = '$f/server.key'
	CONF
}

start() { # FOLDER PORT
	[ -n "$programs" ] || fail "PostgreSQL's server programs are not installed"
	mkdir -p "$1"
	local f
	f=$(cd "$1" && pwd)
	[ -d "$f/data" ] || create "$f"
	server "$programs/pg_ctl" --pgdata="$f/data" --options="-p $2" --log="$f/server.log" --wait --timeout=180 start >/dev/null ||
		{ tail -n 20 "$f/server.log" >&2; fail "no start"; }
	export PGPASSWORD=test
	local at=(--host=127.0.0.1 --port="$2" --username=test)
	"$programs/psql" "${at[@]}" -qAt --dbname=postgres --command="SELECT 1 FROM pg_database WHERE datname = 'test'" | grep -q 1 ||
		"$programs/createdb" "${at[@]}" test
	echo "ready postgresql://test@127.0.0.1:$2/test"
}

stop() { # FOLDER
	[ -f "$1/data/postmaster.pid" ] || return 0
	server "$programs/pg_ctl" --pgdata="$(cd "$1" && pwd)/data" --mode=immediate --wait stop >/dev/null
}

case "${1:-}/$#" in
start/3) start "$2" "$3" ;;
stop/2) stop "$2" ;;
*) fail "usage: postgres.sh start FOLDER PORT | stop FOLDER" ;;
esac
