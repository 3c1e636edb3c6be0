#!/usr/bin/env bash
# A throw-away GlusterFS for tests, from Debian's packages: one glusterd and the distributed volume "test" over three bricks, all on this machine. Root only,
# and FOLDER must lie on a file system with trusted.* attributes (ext4, xfs).
#   gluster.sh present             exit 0 when one can be started here; else says why not
#   gluster.sh start FOLDER        prints "ready ..."; always on port 24007, which bricks insist on, so there is one at a time
#   gluster.sh kill FOLDER N       brick N (1 to 3), as a crash would
#   gluster.sh stop FOLDER
set -euo pipefail
name=${GLUSTER_HOST:-$(uname -n)} # bricks do not accept localhost: the machine's own name must lead to it
fail() { echo "gluster.sh: $1" >&2; exit 1; }
broke() { tail -n 20 "$1/log/glusterd.log" >&2; fail "$2"; } # FOLDER WHAT
cli() { gluster --mode=script --glusterd-sock="$1/run/cli.socket" "${@:2}"; } # FOLDER COMMAND...

present() {
	if ! command -v glusterd >/dev/null || ! command -v setfattr >/dev/null; then fail "it is not installed (Debian: glusterfs-server attr)"; fi
	[ "$(id -u)" = 0 ] || fail "its servers run as root only"
	getent hosts "$name" >/dev/null || fail "the machine's name $name does not lead to it"
	local probe
	probe=$(mktemp "${TMPDIR:-/tmp}/entente-gluster.XXXXXX")
	if ! setfattr -n trusted.entente -v 1 "$probe" 2>/dev/null; then
		rm -f "$probe"
		fail "the file system of ${TMPDIR:-/tmp} has no trusted.* attributes"
	fi
	rm -f "$probe"
	if (exec 3<>/dev/tcp/127.0.0.1/24007) 2>/dev/null; then fail "something listens on port 24007 already"; fi
}

configure() { # FOLDER
	local f=$1
	mkdir -p "$f"/{state,run,log,brick1,brick2,brick3}
	cat >"$f/glusterd.vol" <<-VOL
		volume management
		    type mgmt/glusterd
		    option working-directory $f/state
		    option run-directory $f/run
		    option glusterd-sockfile $f/run/cli.socket
		    option transport-type socket
		    option transport.address-family inet
		    option transport.socket.bind-address 127.0.0.1
		    option transport.socket.listen-port 24007
		    option base-port 24100
		    option max-port 24199
		    option event-threads 1
		end-volume
	VOL
}

patiently() { # COMMAND...: until it succeeds, two minutes
	local i
	for ((i = 0; i < 1200; i++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	return 1
}
bricks() { # FOLDER: "PATH UP PROCESS" of each; the table for people breaks long paths
	cli "$1" volume status test --xml 2>/dev/null | python3 -c '
import sys, xml.etree.ElementTree as xml
for node in xml.parse(sys.stdin).getroot().iter("node"):
    if node.find("node") is None and node.findtext("pid"):
        print(node.findtext("path"), node.findtext("status"), node.findtext("pid"))' 2>/dev/null
}
bricks_up() { [ "$(bricks "$1" | grep -c ' 1 [0-9]*$')" = 3 ]; } # FOLDER

start() { # FOLDER
	mkdir -p "$1"
	local f
	f=$(cd "$1" && pwd)
	if [ ! -s "$f/glusterd.pid" ]; then
		present
		configure "$f"
		glusterd -f "$f/glusterd.vol" -p "$f/glusterd.pid" -l "$f/log/glusterd.log" || broke "$f" "it did not start"
	fi
	patiently cli "$f" pool list || broke "$f" "it does not answer"
	if ! cli "$f" volume info test >/dev/null 2>&1; then
		cli "$f" volume create test "$name:$f/brick1" "$name:$f/brick2" "$name:$f/brick3" force >/dev/null
		cli "$f" volume set test server.allow-insecure on >/dev/null
	fi
	cli "$f" volume start test force >/dev/null 2>&1 || broke "$f" "its volume does not start"
	patiently bricks_up "$f" || broke "$f" "its bricks do not start"
	echo "ready gluster://127.0.0.1:24007/test/?tls=off"
}

crash() { # FOLDER N
	local f pid
	f=$(cd "$1" && pwd)
	pid=$(bricks "$f" | sed -n "s:^.*/brick$2 1 ::p")
	[[ $pid =~ ^[0-9]+$ ]] || fail "there is no brick $2"
	kill -KILL "$pid"
}

stop() { # FOLDER
	local f pid i
	[ -s "$1/glusterd.pid" ] || return 0
	f=$(cd "$1" && pwd)
	cli "$f" volume stop test force >/dev/null 2>&1 || true
	pid=$(cat "$f/glusterd.pid")
	kill -TERM "$pid" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		if ! kill -0 "$pid" 2>/dev/null || grep -qs '^State:.*Z' "/proc/$pid/status"; then break; fi
		sleep 0.1
	done
	rm -f "$f/glusterd.pid"
}

case "${1:-}/$#" in
present/1) present ;;
start/2) start "$2" ;;
kill/3) crash "$2" "$3" ;;
stop/2) stop "$2" ;;
*) fail "usage: gluster.sh present | start FOLDER | kill FOLDER N | stop FOLDER" ;;
esac
