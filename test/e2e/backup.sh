#!/usr/bin/env bash
# A home saved and restored: it goes on where it was; a backup older than what the peers witnessed appends nothing.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

check "three nodes start" consortium a b c
check "b writes a note" at b ledger note "before"
check "a backup of the running node" at b backup "$work/b.backup"
[ "$(stat -c %s "$work/b.backup")" -gt 1000 ]
line $? "has content"
kill "${pid_of[b]}"
wait "${pid_of[b]}" 2>/dev/null
mv "$work/b" "$work/b.lost"
check "it is restored" at b restore "$work/b.backup"
check "the restored ledger verifies" at b ledger verify
check_exit "nothing is appended before the peers were asked" 75 'restored' at b ledger note "too early"
check "the node starts" start b
check "and appends once they answered" until_true 15 "$ENTENTE" -C "$work/b" ledger note "after"
kill "${pid_of[b]}"
wait "${pid_of[b]}" 2>/dev/null
rm -rf "$work/b"
check "the same backup again" at b restore "$work/b.backup"
check "the node starts" start b
check "the peers tell that it is too old" until_true 15 sh -c "'$ENTENTE' -C '$work/b' ledger note fork 2>&1 | grep -q older"
check_exit "and nothing is appended" 74 'older' at b ledger note "fork"
check_exit "no restore over a home" 78 'already' at b restore "$work/b.backup"
head -c 3000 "$work/b.backup" >"$work/torn.backup"
check_exit "a torn backup" 65 'backup' "$ENTENTE" -C "$work/x" restore "$work/torn.backup"
