#!/usr/bin/env bash
# Rows stay home: the values of one owner's columns carry 64-bit sentinels; while and after a joint query they may stand in no other node's memory.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

python3 - "$work" <<'PY'
import random, sys
r = random.Random()  # new ones each time: a file that holds an earlier run's must not count
d = sys.argv[1]
keys = [r.randrange(2**61, 2**62) for _ in range(120)]
values = [r.randrange(2**53, 2**54) for _ in range(120)]
with open(f"{d}/secrets.csv", "w") as f:
    f.write("k,v\n" + "".join(f"{k},{v}\n" for k, v in zip(keys, values)))
with open(f"{d}/marks.csv", "w") as f:
    f.write("k,mark\n" + "".join(f"{k},{'east' if i % 2 else 'west'}\n" for i, k in enumerate(keys[:100])))
open(f"{d}/keys", "w").write(" ".join(map(str, keys)))
open(f"{d}/values", "w").write(" ".join(map(str, values)))
PY
read -ra keys <"$work/keys"
read -ra values <"$work/values"
# a part of them is enough to see a column, and keeps chance out: 120 patterns in 10 MB of random-looking shares meet once in 10^10 scans
keys=("${keys[@]:0:30}") values=("${values[@]:0:30}")

sleep 60 & # a process that holds them for sure: the scanner must be able to find
scan_control=$(python3 -c "import subprocess,sys,os; v=int(sys.argv[1]); import ctypes; b=ctypes.create_string_buffer(v.to_bytes(8,'little')); sys.exit(subprocess.run([sys.argv[2],str(os.getpid()),sys.argv[1]],stdout=subprocess.DEVNULL).returncode)" "${values[0]}" "$SCAN"; echo $?)
line "$([ "$scan_control" = 1 ]; echo $?)" "the scanner finds a sentinel where one is"
kill %1

check "three nodes start" consortium a b c
check "a adds secrets" at a add secrets "$work/secrets.csv"
check "b adds marks" at b add marks "$work/marks.csv"
check "a grants" at a grant 'GRANT JOIN ON secrets(k) TO ANY WITH OWN VALUES; GRANT AGGREGATE(sum, count) ON secrets(v) TO ANY;'
check "b grants" at b grant 'GRANT JOIN ON marks(k) TO ANY WITH OWN VALUES; GRANT GROUP ON marks(mark) TO ANY; GRANT AGGREGATE(count) ON marks(k) TO ANY;'
check "tables are known" knows c secrets marks

at c query 'SELECT m.mark, SUM(s.v) AS total, COUNT(*) AS n FROM a.secrets s JOIN b.marks m ON s.k = m.k GROUP BY m.mark ORDER BY 1' --format csv -o "$work/out.csv" 2>"$work/query.err" &
query=$!
leaks=0 scans=0
while kill -0 $query 2>/dev/null; do
	"$SCAN" "${pid_of[b]}" "${values[@]}" >>"$work/found" || leaks=$((leaks + 1))
	"$SCAN" "${pid_of[c]}" "${values[@]}" "${keys[@]}" >>"$work/found" || leaks=$((leaks + 1))
	scans=$((scans + 1))
done
wait $query
line $? "the joint query succeeds"
"$POOLED" "SELECT m.mark, SUM(s.v)::HUGEINT AS total, COUNT(*) AS n FROM '$work/secrets.csv' s JOIN '$work/marks.csv' m ON s.k = m.k GROUP BY m.mark ORDER BY 1" >"$work/want.csv"
check_same "with DuckDB's answer" "$work/out.csv" "$work/want.csv"
"$SCAN" "${pid_of[b]}" "${values[@]}" >>"$work/found" || leaks=$((leaks + 1))
"$SCAN" "${pid_of[c]}" "${values[@]}" "${keys[@]}" >>"$work/found" || leaks=$((leaks + 1))
line "$leaks" "no sentinel of a stands in another node's memory ($scans scans during the query)"
head -3 "$work/found" | sed 's/^/# /'
