#!/usr/bin/env bash
# kill -9 of the node, the source's server or the target's, at random moments of copies and streams between real servers; KILLS times per path (default
# 5). A copy is given again until it ends, a stream goes on by itself; then source and target are equal, and the source holds every row that was
# acknowledged. PATHS: which ones (source-target). ENT_SEED repeats the choices, not the moments. Counts go to FAULTS_LOG when it is set.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=test/e2e/stores-lib.sh
. "$(dirname "$0")/stores-lib.sh"
seed=${ENT_SEED:-$RANDOM}
RANDOM=$seed
echo "# ENT_SEED=$seed"
kills=${KILLS:-5}
declare -A killed=()
late=0 # kills that came after their copy had ended

# The substitute for MongoDB lives in memory: it cannot come back with its rows, so it is never a victim.
victims_of() { # SOURCE TARGET
	local name
	victims=(node node)
	for name in "$1" "$2"; do [ "$name" = mongo ] || [[ " ${victims[*]} " = *" $name "* ]] || victims+=("$name"); done
}
strike() { # PATH [JOB]: after a random moment a random victim dies and comes back
	local victim=${victims[$((RANDOM % ${#victims[@]}))]} ms=$((RANDOM % 1500 + 20))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
	if [ -n "${2:-}" ] && ! kill -0 "$2" 2>/dev/null; then late=$((late + 1)); fi
	echo "# $1: $victim after $ms ms"
	if [ "$victim" = node ]; then
		kill -9 "${pid_of[a]}"
		wait "${pid_of[a]}" 2>/dev/null
		start a || return 1
	else
		crash "$victim" || return 1
	fi
	killed["$1 $victim"]=$((${killed["$1 $victim"]:-0} + 1))
}

columns="id bigint PRIMARY KEY, name varchar(80), n bigint, w double precision"
fill() { # STORE TABLE ROWS: rows from 1
	local csv=$work/fill.csv
	python3 -c 'import sys
print("id,name,n,w")
for i in range(1, int(sys.argv[1]) + 1): print(f"{i},row {i} äöü,{i * 7919 % 10007},{i / 3 if i % 5 else str()}")' "$3" >"$csv"
	options_of none "$1"
	case $1 in
	postgres) pg test -c "DROP TABLE IF EXISTS $2; CREATE TABLE $2 ($columns)" && pg test -c "\\copy $2 FROM '$csv' CSV HEADER" ;;
	mariadb) my -e "DROP TABLE IF EXISTS $2; CREATE TABLE $2 ($columns)" && options_of mongo mariadb && at a copy "$csv" "${url[mariadb]}#$2" --key id --mode upsert "${options[@]}" ;;
	mongo) at a copy "$csv" "${url[mongo]}#$2" --key id ;;
	esac
}
change() { # STORE TABLE: some rows change; what is not acknowledged counts for nothing, because the comparison asks the source
	local k=$((RANDOM % 97)) fresh=$((1000000 + RANDOM * 32768 + RANDOM))
	local sql="UPDATE $2 SET n = n + 1 WHERE id % 97 = $k; DELETE FROM $2 WHERE id % 997 = $k; INSERT INTO $2 VALUES ($fresh, 'new', $k, 0.5)"
	case $1 in
	postgres) pg test -c "BEGIN; $sql; COMMIT" ;;
	mariadb) my -e "START TRANSACTION; $sql; COMMIT" ;;
	mongo)
		echo "id,name,n,w
$fresh,new,$k,0.5
$((k + 1)),changed,$k,0.25" >"$work/change.csv"
		at a copy "$work/change.csv" "${url[mongo]}#$2" --key id --mode upsert ;;
	esac
}
ends() { # SOURCE TARGET TABLE: sets from and to
	from=${url[$1]}#$3 to=${url[$2]}#$3_copy
	[ "$1" != postgres ] || from=${url[postgres]}#public.$3
	[ "$2" != postgres ] || to=${url[postgres]}#public.$3_copy
	options_of "$1" "$2"
}
equal() { at a compare "$from" "$to" --key id "${options[@]}"; }

# The commands that may meet a server or a node that is down say so by these exits; any other is a finding.
copy_until_done() { # MODE ROWS_PER_SPLIT
	local tries code
	for ((tries = 0; tries < 60; tries++)); do
		at a copy "$from" "$to" --mode "$1" --split-rows "$2" "${options[@]}" >"$work/copy.out" 2>&1
		code=$?
		case $code in
		0) return 0 ;;
		69 | 74 | 75 | 76 | 130) sleep 0.5 ;;
		*) # also when all was done and only the answer was lost: then the rows are there already
			equal >/dev/null 2>&1 && return 0
			sed 's/^/# /' "$work/copy.out"
			echo "# exit $code"
			return 1 ;;
		esac
	done
	tail -3 "$work/copy.out" | sed 's/^/# /'
	return 1
}
copies() { # SOURCE TARGET
	local round job mode=append rows=100
	[ "$1" != mongo ] || rows=1000 # the substitute walks the whole collection for each split
	[ "$2" != mongo ] && [ "$2" != cassandra ] || mode=upsert
	check "$1-$2: rows" fill "$1" c_"$1$2" 20000
	for ((round = 1; round <= kills; round++)); do
		ends "$1" "$2" c_"$1$2"
		to=${to}_$round
		(copy_until_done $mode $rows >"$work/copies.out" 2>&1) &
		job=$!
		strike "$1-$2 copy" "$job" || line 1 "$1-$2: the victim comes back"
		wait $job
		line $? "$1-$2 copy $round: the command ends after a kill"
		[ ! -s "$work/copies.out" ] || cat "$work/copies.out"
		check "$1-$2 copy $round: equal" equal
	done
}
streams() { # SOURCE TARGET
	local round name=s_$1$2
	fill "$1" "$name" 5000 >/dev/null 2>&1
	ends "$1" "$2" "$name"
	check "$1-$2 stream: starts" at a replicate start "$name" "$from" "$to" --split-rows 400 "${options[@]}"
	for ((round = 1; round <= kills; round++)); do
		change "$1" "$name" >/dev/null 2>&1 &
		local changing=$!
		strike "$1-$2 stream" || line 1 "$1-$2: the victim comes back"
		wait $changing
		change "$1" "$name" >/dev/null 2>&1
		if until_true 45 equal; then line 0 "$1-$2 stream $round: equal after a kill"; else
			line 1 "$1-$2 stream $round: equal after a kill"
			at a replicate status "$name" 2>&1 | sed 's/^/# /'
			equal 2>&1 | tail -5 | sed 's/^/# /'
		fi
	done
	check "$1-$2 stream: ends" at a replicate stop "$name"
}

read -r listen http < <(free_ports 2)
at a init --org a --listen "127.0.0.1:$listen" --http "127.0.0.1:$http" >/dev/null 2>&1
check "a node" start a
for path in ${PATHS:-postgres-postgres postgres-mariadb mariadb-postgres mongo-postgres postgres-cassandra}; do
	source=${path%-*} target=${path#*-} missing=
	for name in "$source" "$target"; do
		has_server "$name" || missing=$name
		[ -n "$missing" ] || [ -n "${url[$name]:-}" ] || check "$name starts" server_start "$name"
	done
	if [ -n "$missing" ]; then
		tests=$((tests + 1))
		echo "ok $tests - $path # SKIP $missing is not installed"
		continue
	fi
	victims_of "$source" "$target"
	copies "$source" "$target"
	streams "$source" "$target"
done
check "the ledger holds" at a ledger verify
echo "# $late kills came after the copy had ended"
for what in "${!killed[@]}"; do echo "# kills: $what ${killed[$what]}"; done | sort | tee -a "${FAULTS_LOG:-/dev/null}"
