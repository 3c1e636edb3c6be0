#!/usr/bin/env bash
# `make install` into a folder: everything is there, and the installed program finds its modules.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

build=$(cd "$(dirname "$ENTENTE")/.." && pwd)
check "it installs" env DESTDIR="$work/root" meson install -C "$build" --no-rebuild --quiet
prefix=$(dirname "$(dirname "$(find "$work/root" -path '*/bin/entente')")")
for file in bin/entente-verify lib/entente/modules/duckdb.so lib/entente/modules/libduckdb.so lib/entente/modules/sqlite.so libexec/entente/pooled \
	share/man/man1/entente.1 share/man/man1/entente-query.1 share/man/man1/entente-restore.1 share/bash-completion/completions/entente \
	lib/systemd/system/entente.service share/entente/demo/run.sh share/entente/demo/data/flights.parquet; do
	check "$file" test -s "$prefix/$file"
done
ENTENTE=$prefix/bin/entente
check "the unit starts the installed program" grep -q "^ExecStart=${prefix#"$work/root"}/bin/entente serve" "$prefix/lib/systemd/system/entente.service"
seq 1 40 | sed '1i id' >"$work/rows.csv"
check "the installed program makes a home" at a init --org a
check "and reads a CSV file with its own modules" env -u ENTENTE_MODULES "$ENTENTE" -C "$work/a" add rows "$work/rows.csv"
check "and verifies its ledger" at a ledger verify
