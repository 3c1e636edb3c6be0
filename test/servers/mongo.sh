#!/usr/bin/env bash
# A substitute for a MongoDB server in tests: mongo-java-server (by Maven) with mongo/Substitute.java, which mends its change events.
# It knows no sessions, transactions, authentication or sharding; what needs them is not tested against it.
#   mongo.sh install             fetches the jars (pinned, digests checked) and compiles the substitute
#   mongo.sh present             exit 0 when it is installed
#   mongo.sh start FOLDER PORT   PORT 0: a free one; prints "ready mongodb://127.0.0.1:PORT/test TLSPORT"; FOLDER/ca.crt signs its certificate
#   mongo.sh stop FOLDER
# It lives in memory; with MONGO_KEEP=1 in FOLDER/kept, documents and change events alike, and comes back with them after kill -9.
set -euo pipefail

fail() { echo "mongo.sh: $1" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
sources=$here/mongo
place=${SERVERS_CACHE:-$HOME/.cache/test-servers}/mongo-1.47.0-$(cat "$sources/Substitute.java" "$sources/jars.sha256" | sha256sum | cut -c1-8)

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
	"$here/certificate.sh" "$1"
	openssl pkcs8 -topk8 -nocrypt -in "$1/server.key" -outform DER -out "$1/key.der"
}

# A process that ended but was not reaped yet counts as gone.
alive() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:.*Z' "/proc/$1/status"; }

start() { # FOLDER PORT
	[ -d "$place" ] || fail "not installed; run: $0 install"
	mkdir -p "$1"
	local f pid i plain secured
	f=$(cd "$1" && pwd)
	rm -f "$f/ready"
	[ -f "$f/key.der" ] || certificate "$f"
	java -Xmx320m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$place:$place/lib/*" Substitute "$2" "$f" ${MONGO_KEEP:+kept} </dev/null >"$f/server.log" 2>&1 &
	pid=$!
	echo "$pid" >"$f/pid"
	for ((i = 0; i < 1800; i++)); do
		if [ -s "$f/ready" ]; then
			read -r plain secured <"$f/ready"
			echo "ready mongodb://127.0.0.1:$plain/test $secured"
			return
		fi
		alive "$pid" || break
		sleep 0.1
	done
	tail -n 20 "$f/server.log" >&2
	stop "$f"
	fail "no start"
}

stop() { # FOLDER
	local pid i
	pid=$(cat "$1/pid" 2>/dev/null) || return 0
	rm -f "$1/pid"
	kill "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 100; i++)); do
		alive "$pid" || return 0
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
