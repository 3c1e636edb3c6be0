#!/usr/bin/env bash
# Backup and restore: a snapshot taken while serving comes back and goes on; an old one is caught by what others witnessed since.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

echo "correct horse battery" >"$work/pw"
echo "another password" >"$work/wrong"
seq 1 40 | sed '1i id' >"$work/rows.csv"
cosigned() { at "$1" status --json | python3 -c 'import json,sys; l=json.load(sys.stdin)["ledger"]; sys.exit(l["cosigned"]<2 or l["checkpoint"]!=l["size"])'; }
stop_node() { kill -TERM "${pid_of[$1]}" && wait "${pid_of[$1]}"; unset "pid_of[$1]"; }
restore_as() { rm -rf "${work:?}/$1" && at "$1" restore "$2" --password-file "$work/pw"; }
size() { at "$1" status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["ledger"]["size"])'; }

check "three nodes start" consortium a b c
check "a adds a table" at a add rows "$work/rows.csv"
check "a grants" at a grant 'GRANT JOIN ON rows(id) TO ANY'
check "the ledger is witnessed" until_true 15 cosigned a
check "an old backup is made while a serves" at a backup "$work/old.bak" --password-file "$work/pw"
check "more happens" at a ledger note "after the old backup"
check "and is witnessed" until_true 15 cosigned a
check "a new backup is made while a serves" env ENTENTE_BACKUP_PASSWORD_FILE="$work/pw" "$ENTENTE" -C "$work/a" backup "$work/new.bak"
before=$(size a)
secret=$(cat "$work/a/keys/sign")
check_exit "no key stands in the backup in the clear" 1 . sh -c "grep -a -c $secret '$work/new.bak'"
check_exit "a backup without a password is refused" 2 'password-file' env -u ENTENTE_BACKUP_PASSWORD_FILE "$ENTENTE" -C "$work/a" backup "$work/x.bak"
check "a stops" stop_node a
mv "$work/a" "$work/lost"

check_exit "a wrong password opens nothing" 1 'password' at a restore "$work/new.bak" --password-file "$work/wrong"
check "and leaves the folder empty" sh -c "! ls -A '$work/a' | grep ."
python3 - "$work/new.bak" "$work/bad.bak" <<'PY'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[-3000] ^= 1
open(sys.argv[2], "wb").write(b)
PY
check_exit "a flipped bit is found" 1 'damaged' at a restore "$work/bad.bak" --password-file "$work/pw"
head -c -40 "$work/new.bak" >"$work/cut.bak"
check_exit "a cut file is found" 1 'damaged' at a restore "$work/cut.bak" --password-file "$work/pw"
check_exit "a file that is no backup is named" 65 'no backup' at a restore "$work/rows.csv" --password-file "$work/pw"
check_exit "a home in use is not overwritten" 78 'empty' at b restore "$work/new.bak" --password-file "$work/pw"

check "the new backup is restored" restore_as a "$work/new.bak"
check_exit "nothing is appended before the members were asked" 75 'restored' at a ledger note "too early"
check "the restored node starts" start a
check "the members vouch for it" until_true 15 at a ledger note "back again"
check "its ledger verifies" at a ledger verify
check "it is witnessed on" until_true 15 cosigned a
check "and has grown" [ "$(size a)" -gt "$before" ]
check "its table and grant are there" sh -c "'$ENTENTE' -C '$work/a' tables | grep -q rows && '$ENTENTE' -C '$work/a' grants | grep -q rows"
check "the others still hold the same log" until_true 15 cosigned b
check "a stops" stop_node a

check "the old backup is restored" restore_as a "$work/old.bak"
check "the node starts" start a
check "the members object" until_true 15 sh -c "'$ENTENTE' -C '$work/a' ledger note x 2>&1 | grep -q 'old backup'"
check_exit "it says who witnessed how much, and what to do" 1 'why.*witnessed [0-9]+ entries.*' at a ledger note "fork"
check_exit "doctor says so" 78 'BAD +restore' at a doctor
check_exit "the log says so" 0 'rolled-back' at a log
check "its ledger did not grow" [ "$(size a)" -lt "$before" ]
check "a stops" stop_node a
check "it starts again" start a
check_exit "and still refuses" 1 'old backup' at a ledger note "fork"
check "the others raised no false alarm" sh -c "! '$ENTENTE' -C '$work/b' ledger list --count 1000 | grep -q alarm"
