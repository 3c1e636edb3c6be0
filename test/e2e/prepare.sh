#!/usr/bin/env bash
# A dirty CSV file is prepared by every kind of rule; what should come out is worked out here in Python, row by row.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$work/oracle.py" <<'PY'
"""dirty DIR: writes raw.csv, rules.json. expect DIR: expected.json from raw.csv. compare DIR FILE: result and report against it."""
import csv, datetime, decimal, json, random, re, sys
D = decimal.Decimal
RULES = {"columns": [
    {"name": "name", "as": 'full "name"', "rules": [{"rule": "trim"}, {"rule": "nulls", "tokens": ["N/A", "-", "it's"]}]},
    {"name": "code", "rules": [{"rule": "case", "to": "upper"}, {"rule": "match", "regex": "[A-Z]{2}'?[0-9]+", "else": "null"}]},
    {"name": "amount", "rules": [{"rule": "cast", "type": "decimal(12,2)", "else": "null"}, {"rule": "range", "min": "-10.5", "max": 900, "else": "drop"},
        {"rule": "convert", "factor": "2.54", "offset": "-1.5"}]},
    {"name": "day", "rules": [{"rule": "cast", "type": "date", "format": "%d.%m.%Y", "else": "drop"}, {"rule": "range", "min": "2000-01-01", "max": "2024-12-31", "else": "null"}]},
    {"name": "count", "rules": [{"rule": "range", "min": 0, "else": "keep"}]}],
    "dedupe": ["id"], "near": {"column": "note", "percent": 80, "else": "drop"}}


def dirty(d):
    r = random.Random(77)
    words = "amber birch cedar delta ember fjord grove heath inlet jetty knoll lagoon marsh north ocean pine quarry ridge stone tide".split()
    notes = []
    with open(f"{d}/raw.csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["id", "name", "code", "amount", "day", "count", "note"])
        for i in range(900):
            note = " ".join(r.choice(words) + str(r.randrange(100)) for _ in range(30))
            if notes and r.random() < 0.08:
                note = r.choice(notes)
                note = note.upper() + "!" if r.random() < 0.5 else note.replace(" ", "  ", 3)
            notes.append(note)
            w.writerow([i if r.random() > 0.05 else r.randrange(i + 1), r.choice([" Ann\t", "Bob", "Łukasz ", "N/A", "-", "it's", "東京", " - "]),
                r.choice(["ab12", "Ab'7", "zz", "QQ1", "q1", ""]), r.choice(["12.50", "1.255", "abc", "-11", "899.99", "901", "", "1e2", "7"]),
                r.choice(["05.02.2024", "31.02.2024", "1.1.1999", "31.12.2024", "", "2024-01-01"]) if r.random() < 0.5 else "07.03.2011",
                r.randrange(-2, 50), note])
    json.dump(RULES, open(f"{d}/rules.json", "w"))


def grams(text):
    t = re.sub(r"\s+", " ", text.lower()).strip(" ")[:4000]
    return {t[i:i + 5] for i in range(max(len(t) - 4, 1))} if t else set()


def expect(d):
    hits = {k: 0 for k in ("name trim", "name nulls", "code case", "code match", "amount cast", "amount range", "amount convert", "day cast", "day range", "count range")}
    rows, dropped, repeated, near, seen, earlier, total = [], 0, 0, 0, set(), [], 0

    def hit(key, is_hit):
        hits[key] += is_hit
        return is_hit

    for row in csv.DictReader(open(f"{d}/raw.csv", newline="")):
        total += 1
        drop = False
        v = {k: (None if x == "" else x) for k, x in row.items()}
        if v["name"] is not None:
            name = v["name"].strip(" \t\r\n\f")
            hit("name trim", name != v["name"])
            v["name"] = None if hit("name nulls", name in ("N/A", "-", "it's")) else name
        if v["code"] is not None:
            hit("code case", v["code"].upper() != v["code"])
            v["code"] = v["code"].upper()
            if hit("code match", not re.fullmatch("[A-Z]{2}'?[0-9]+", v["code"])):
                v["code"] = None
        if v["amount"] is not None:
            try:
                amount = D(v["amount"])
                amount = amount if amount == amount.quantize(D("0.01")) else None
            except decimal.InvalidOperation:
                amount = None
            hit("amount cast", amount is None)
            if amount is not None and hit("amount range", not D("-10.5") <= amount <= 900):
                amount, drop = None, True
            hit("amount convert", amount is not None)
            v["amount"] = None if amount is None else amount * D("2.54") - D("1.5")
        if v["day"] is not None:
            try:
                day = datetime.datetime.strptime(v["day"], "%d.%m.%Y").date()
            except ValueError:
                day = None
            drop |= hit("day cast", day is None)
            if day and hit("day range", not datetime.date(2000, 1, 1) <= day <= datetime.date(2024, 12, 31)):
                day = None
            v["day"] = day
        hit("count range", int(v["count"]) < 0)
        if drop:
            dropped += 1
            continue
        if v["id"] in seen:
            repeated += 1
            continue
        seen.add(v["id"])
        g = grams(v["note"])
        similar = any(100 * len(g & e) >= 80 * len(g | e) for e in earlier)
        earlier.append(g)
        near += similar
        if not similar:
            rows.append([v["id"], v["name"], v["code"], None if v["amount"] is None else str(v["amount"].normalize() + 0), v["day"] and str(v["day"]), v["count"], v["note"]])
    json.dump({"rows": rows, "hits": hits, "dropped": dropped, "repeated": repeated, "near": near, "total": total}, open(f"{d}/expected.json", "w"))


def compare(d, path):
    e = json.load(open(f"{d}/expected.json"))
    got = list(csv.reader(open(path, newline="")))
    assert got[0] == ["id", 'full "name"', "code", "amount", "day", "count", "note"], got[0]
    rows = [[x if x != "" else None for x in r] for r in got[1:]]
    for r in rows:
        r[3] = None if r[3] is None else str(D(r[3]).normalize() + 0)
    assert rows == e["rows"], next(((a, b) for a, b in zip(rows, e["rows"]) if a != b), (len(rows), len(e["rows"])))
    report = json.load(open(f"{d}/report.json"))
    hits = {f'{r["column"]} {r["rule"]}': r["hits"] for r in report["rules"]}
    assert hits == e["hits"], (hits, e["hits"])
    assert min(e["hits"].values()) > 0 and e["repeated"] > 0 and e["near"] > 0 and e["dropped"] > 0, e["hits"]
    assert (report["rows_in"], report["rows_out"], report["dropped"]) == (e["total"], len(rows), e["dropped"]), report
    assert (report["repeated"]["rows"], report["near"]["rows"]) == (e["repeated"], e["near"]), (report["repeated"], report["near"], e["repeated"], e["near"])
    samples = next(r for r in report["rules"] if (r["column"], r["rule"]) == ("amount", "cast"))["samples"]
    assert sorted(samples) == ["1.255", "abc"], samples
    assert len(report["digest_in"]) == len(report["digest_out"]) == len(report["rules_hash"]) == 64 and report["receipt"].startswith("a/")


dict(dirty=dirty, expect=expect, compare=compare)[sys.argv[1]](*sys.argv[2:])
PY
oracle() { python3 "$work/oracle.py" "$@"; }
rules() { printf '%s' "$1" >"$work/bad.json"; } # JSON
oracle dirty "$work"
oracle expect "$work"

read -r listen http < <(free_ports 2)
at a init --org a --listen "127.0.0.1:$listen" --http "127.0.0.1:$http" >/dev/null 2>&1
raw=$work/raw.csv
types="code=text,amount=text,day=text,name=text,note=text,id=bigint,count=integer"
text=(--types "$types" --rules "$work/rules.json" --sample 5)

check_exit "a dry run shows the report" 0 '900 rows in' at a prepare "$raw" "$work/none.csv" "${text[@]}" --dry-run
line "$([ ! -e "$work/none.csv" ]; echo $?)" "and writes nothing"
check_exit "rules are applied, with a receipt" 0 '^receipt a/' at a prepare "$raw" "$work/clean.csv" "${text[@]}" --report "$work/report.json"
check "rows, hits and duplicates are those of the oracle" oracle compare "$work" "$work/clean.csv"
check_exit "the ledger has it" 0 'prepare .*raw.csv to .*rows of 900, done' at a ledger list
check "and holds" at a ledger verify
check_exit "a target that is there is not overwritten" 2 'there already' at a prepare "$raw" "$work/clean.csv" "${text[@]}"
check "it is replaced when asked" at a prepare "$raw" "$work/clean.csv" "${text[@]}" --mode replace --report "$work/report.json"
check "and is the same again" oracle compare "$work" "$work/clean.csv"
check "into SQLite" at a prepare "$raw" "sqlite:$work/clean.db#clean" "${text[@]}"
check "which has the same rows" at a compare "$work/clean.csv" "sqlite:$work/clean.db#clean" --key id --columns id,code,day,count,note
check "a second time, appended" at a prepare "$raw" "sqlite:$work/clean.db#clean" "${text[@]}" --mode append
line "$(python3 -c 'import json, sqlite3, sys; n = sqlite3.connect(sys.argv[1] + "/clean.db").execute("SELECT COUNT(*) FROM clean").fetchone()[0]; sys.exit(n != 2 * len(json.load(open(sys.argv[1] + "/expected.json"))["rows"]))' "$work"; echo $?)" "every row stands there twice"

python3 - "$work" <<'PY'
import sqlite3, sys
db = sqlite3.connect(f"{sys.argv[1]}/wide.db")
db.execute("CREATE TABLE wide (id INTEGER PRIMARY KEY, name TEXT, digits DECIMAL(30,3))")
db.execute("INSERT INTO wide VALUES (1, NULL, '1.5'), (2, 'b', NULL)")
db.commit()
PY
echo '{}' >"$work/none.json"
check_exit "a column that cannot be copied is not left out in silence" '[1-9][0-9]*' 'digits has no form.*' at a prepare "sqlite:$work/wide.db#wide" "$work/wide.csv" --rules "$work/none.json"
check "but when the others are named" at a prepare "sqlite:$work/wide.db#wide" "$work/wide.csv" --rules "$work/none.json" --columns name,id
printf 'a,b\n1,x\n1,x\n1,\n1,\n2,x\n' >"$work/small.csv"
rules '{"dedupe":"rows"}'
check "equal rows are kept once" at a prepare "$work/small.csv" "$work/once.csv" --rules "$work/bad.json"
line "$([ "$(tr -d '\r' <"$work/once.csv" | tr '\n' ' ')" = "a,b 1,x 1, 2,x " ]; echo $?)" "the first of each, NULL equal to NULL"

try() { at a prepare "$raw" "$work/try.csv" --types "$types" --rules "$work/bad.json"; }
check_exit "without rules" 2 '--rules FILE' at a prepare "$raw" "$work/try.csv"
check_exit "a file of rules that is not there" 66 'nosuch' at a prepare "$raw" "$work/try.csv" --rules "$work/nosuch.json"
rules '{"columns":[{"name":"nmae"}]}'
check_exit "a column that is not there: the nearest is named" 66 'perhaps name' try
rules '{"columns":[{"name":"name","rules":[{"rule":"trimm"}]}]}'
check_exit "a rule that does not exist: the nearest is named" 65 'perhaps "trim"' try
rules '{"columns":[{"name":"name","rules":[{"rule":"match","regex":"(","else":"keep"}]}]}'
check_exit "a broken pattern" 65 'rule match of column name: "\(" is no regular expression' try
rules '{"columns":[{"name":"day","rules":[{"rule":"cast","type":"date","format":"%Q","else":"null"}]}]}'
check_exit "a broken format" 65 'is no format of dates' try
rules '{"columns":[{"name":"id","rules":[{"rule":"trim"}]}]}'
check_exit "a rule for another type" 65 'it is for text' try
line "$([ ! -e "$work/try.csv" ]; echo $?)" "what is refused writes nothing"

check "a node" start a
check "a registered table" at a add raw "$raw" --types "$types"
check "is prepared in the node" at a prepare a.raw "$work/node.csv" --rules "$work/rules.json" --sample 5 --report "$work/report.json"
check "with the same result" oracle compare "$work" "$work/node.csv"
line "$([ -s "$work/a.log" ] && [ -e "$work/a/ledger/segment/00000000" ] && ! grep -raq 'fjord' "$work/a/ledger" "$work/a.log"; echo $?)" "no row value stands in the ledger or in the log"
