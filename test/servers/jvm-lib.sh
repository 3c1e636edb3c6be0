# shellcheck shell=bash disable=SC2034
# For the scripts beside this one whose server runs on a JVM; sourced after NAME is set. Needs Python and JDK 17; Maven to install.
set -euo pipefail
cache=${SERVERS_CACHE:-$HOME/.cache/test-servers}
ready=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/ready.py

fail() { echo "$NAME.sh: $1" >&2; exit 1; }

# jars FOLDER GROUP:ARTIFACT:VERSION...: the artifacts and all they need at run time, fetched once by Maven.
jars() {
	local folder=$1 gav group artifact version wanted=
	shift
	[ ! -e "$folder/.complete" ] || return 0
	command -v mvn >/dev/null || fail "Maven is needed to install it"
	mkdir -p "$folder"
	for gav in "$@"; do
		IFS=: read -r group artifact version <<<"$gav"
		wanted+="<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
	done
	cat >"$folder/pom.xml" <<-XML
		<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>entente.test</groupId>
		<artifactId>server</artifactId><version>1</version><packaging>pom</packaging><dependencies>$wanted</dependencies></project>
	XML
	mvn --batch-mode --quiet --file "$folder/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder" >&2
	touch "$folder/.complete"
}

installed() { [ -e "$1/.complete" ] && command -v java >/dev/null; } # FOLDER

# launch FOLDER LABEL COMMAND...: in its own session, output to FOLDER/LABEL.log, process id to FOLDER/LABEL.pid.
launch() {
	local folder=$1 label=$2
	shift 2
	[ ! -s "$folder/$label.pid" ] || fail "$folder is in use: stop it first"
	: >"$folder/$label.log" # before the fork, so that nobody reads what an earlier run said
	setsid "$@" >"$folder/$label.log" 2>&1 </dev/null &
	echo $! >"$folder/$label.pid"
}

# A process that ended but was not reaped yet (process 1 of a container may never do it) counts as gone.
alive() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:.*Z' "/proc/$1/status"; }

still_starting() { # FOLDER LABEL: fails when the process has ended
	! alive "$(cat "$1/$2.pid")" || return 0
	tail -n 20 "$1/$2.log" >&2
	rm -f "$1/$2.pid"
	fail "$2 ended while starting"
}

too_late() { # FOLDER LABEL WHY
	tail -n 20 "$1/$2.log" >&2
	halt "$1" "$2"
	fail "not ready after minutes: $3"
}

# await FOLDER LABEL TEXT: until the log says TEXT.
await() {
	local i
	for ((i = 0; i < 1800; i++)); do
		! grep -q "$3" "$1/$2.log" || return 0
		still_starting "$1" "$2"
		sleep 0.1
	done
	too_late "$1" "$2" "it did not say \"$3\""
}

# await_ready FOLDER LABEL ARGUMENT...: until ready.py NAME ARGUMENT... says so; LABEL is the process that must live.
await_ready() {
	local i why
	for ((i = 0; i < 900; i++)); do
		! why=$("$ready" "$NAME" "${@:3}" 2>&1) || return 0
		still_starting "$1" "$2"
		sleep 0.1
	done
	too_late "$1" "$2" "$why"
}

# halt FOLDER LABEL: TERM, then KILL when 20 seconds did not do.
halt() {
	local pid i
	[ -s "$1/$2.pid" ] || return 0
	pid=$(cat "$1/$2.pid")
	kill -TERM "$pid" 2>/dev/null || true
	for ((i = 0; i < 200; i++)); do
		alive "$pid" || break
		sleep 0.1
	done
	! alive "$pid" || kill -KILL "$pid" 2>/dev/null || true
	rm -f "$1/$2.pid"
}
