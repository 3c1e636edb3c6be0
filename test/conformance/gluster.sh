#!/usr/bin/env bash
# gluster.sh TEST MODULE DUCKDB-MODULE [MODULE...]: starts a throw-away GlusterFS, runs the conformance test against it, stops it. Skipped by name, with the
# reason, where none can run.
set -uo pipefail
servers=$(cd "$(dirname "$0")/../servers" && pwd)
if ! why=$("$servers/gluster.sh" present 2>&1); then
	echo "ok 1 - GlusterFS # SKIP ${why#gluster.sh: }"
	echo "1..1"
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/entente-gluster.XXXXXX")
finish() { "$servers/gluster.sh" stop "$work/g" >/dev/null 2>&1; rm -rf "$work"; }
trap finish EXIT
"$servers/gluster.sh" start "$work/g" >/dev/null || exit 1
"$1" "$2" "$3" "$work" "$servers/gluster.sh" "${@:4}"
