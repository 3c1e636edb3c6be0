#!/usr/bin/env bash
# A substitute for a MongoDB server in tests: mongo-java-server (in memory, by Maven) with mongo/Substitute.java, which mends its change events.
# It knows no sessions, transactions, authentication or sharding; what needs them is not tested against it.
#   mongo.sh install             fetches the jars (pinned, digests checked) and compiles the substitute
#   mongo.sh present             exit 0 when it is installed
#   mongo.sh start FOLDER PORT   PORT 0: a free one; prints "ready mongodb://127.0.0.1:PORT/test TLSPORT"; FOLDER/ca.crt signs its certificate
#   mongo.sh stop FOLDER
set -euo pipefail

fail() { echo "mongo.sh: $1" >&2; exit 1; }

sources=$(cd "$(dirname "$0")" && pwd)/mongo
place=${SERVERS_CACHE:-$HOME/.cache/test-servers}/mongo-1.47.0-$(sha256sum "$sources/Substitute.java" | cut -c1-8)

fetch() { # FOLDER
	cp "$sources/pom.xml" "$1/"
	mvn -q -B -f "$1/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$1/out/lib" \
		>"$1/log" 2>&1 || { tail -5 "$1/log" >&2; fail "the jars cannot be fetched"; }
	(cd "$1/out/lib" && sha256sum --check --quiet --strict "$sources/jars.sha256") || fail "a jar is not the pinned one; nothing was installed"
	[ "$(find "$1/out/lib" -name '*.jar' | wc -l)" = "$(wc -l <"$sources/jars.sha256")" ] || fail "there are jars without a pinned digest"
	javac -Xlint:all -cp "$1/out/lib/*" -d "$1/out" "$sources/Substitute.java" || fail "the substitute does not compile"
}

install() {
	[ ! -d "$place" ] || return 0
	command -v mvn >/dev/null || fail "Maven is not installed"
	mkdir -p "$(dirname "$place")"
	work=$(mktemp -d "$place.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	fetch "$work"
	mv "$work/out" "$place"
}

certificate() { # FOLDER
	local f=$1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 8 -subj "/CN=entente test CA" -keyout "$f/ca.key" -out "$f/ca.crt"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout "$f/server.key" -out "$f/server.csr"
	printf 'subjectAltName = DNS:localhost, IP:127.0.0.1\n' >"$f/server.ext"
	openssl x509 -req -days 8 -in "$f/server.csr" -CA "$f/ca.crt" -CAkey "$f/ca.key" -CAcreateserial -extfile "$f/server.ext" -out "$f/server.crt"
	openssl pkcs8 -topk8 -nocrypt -in "$f/server.key" -outform DER -out "$f/key.der"
}

start() { # FOLDER PORT
	[ -d "$place" ] || fail "not installed; run: $0 install"
	mkdir -p "$1"
	local f pid i plain secured
	f=$(cd "$1" && pwd)
	rm -f "$f/ready"
	[ -f "$f/key.der" ] || certificate "$f" 2>/dev/null
	java -Xmx320m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$place:$place/lib/*" Substitute "$2" "$f" </dev/null >"$f/server.log" 2>&1 &
	pid=$!
	echo "$pid" >"$f/pid"
	for ((i = 0; i < 600; i++)); do
		if [ -s "$f/ready" ]; then
			read -r plain secured <"$f/ready"
			echo "ready mongodb://127.0.0.1:$plain/test $secured"
			return
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	stop "$f"
	fail "no start, see $f/server.log"
}

stop() { # FOLDER
	local pid i
	pid=$(cat "$1/pid" 2>/dev/null) || return 0
	rm -f "$1/pid"
	kill "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 100; i++)); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
}

case "${1:-}/$#" in
install/1) install ;;
present/1) [ -d "$place" ] && command -v java >/dev/null ;;
start/3) start "$2" "$3" ;;
stop/2) stop "$2" ;;
*) fail "usage: mongo.sh install | present | start FOLDER PORT | stop FOLDER" ;;
esac
