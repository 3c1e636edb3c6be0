"""The type matrix: what `entente copy --dry-run --json` says of every column of the suite's matrix table, for every pair of stores.

type-matrix.py SPEC.json: {"entente", "pooled", "home", "work", "stores": [{"name", "source", "target", "login": [option, value]...}]}. source and target
hold {n}, a number that makes each new table another one. Prints Markdown: per source one table, columns down, targets across.
"""
import json
import subprocess
import sys

COLUMNS = [  # as test/conformance/copy_matrix.c names them: one value of each type
    ("id", "i::BIGINT"), ("c_bool", "true"), ("c_int16", "7::SMALLINT"), ("c_int32", "70000::INTEGER"), ("c_int64", "5000000000::BIGINT"),
    ("c_uint64", "42::UBIGINT"), ("c_real", "0.5::REAL"), ("c_double", "0.1::DOUBLE"), ("c_dec9", "12::DECIMAL(9,0)"),
    ("c_dec18", "12.34::DECIMAL(18,4)"), ("c_dec38", "10000::DECIMAL(38,1)"), ("c_dec3837", "0.1::DECIMAL(38,37)"), ("c_date", "DATE '2024-02-29'"),
    ("c_time", "TIME '12:34:56.789'"), ("c_ts", "TIMESTAMP '2024-02-29 12:34:56.789'"), ("c_tstz", "TIMESTAMPTZ '2024-02-29 12:34:56.789+00'"),
    ("c_text", "'plain'"), ("c_bytes", "'abc'::BLOB"),
]  # fmt: skip
NAMES = [name for name, _ in COLUMNS]


class Fault(Exception):
    pass


class Matrix:
    def __init__(self, spec):
        self.spec = spec
        self.count = 0
        self.notes = []

    def copy(self, source, target, options, dry):
        command = [self.spec["entente"], "-C", self.spec["home"], "copy", source, target, "--key", "id", "--json", *options]
        done = subprocess.run(command + (["--dry-run"] if dry else []), capture_output=True, text=True, timeout=120)
        try:
            return json.loads(done.stdout)
        except ValueError as broken:
            raise Fault(f"{source} to {target}: exit {done.returncode}, {done.stdout[-300:]} {done.stderr[-300:]}") from broken

    def options(self, source, target):
        options = []
        for key, value in source["login"] if source else []:
            options += ["--" + key, value]
        for key, value in target["login"]:
            options += ["--dst-" + key, value]
        return options

    def target(self, store):
        self.count += 1
        return store["target"].format(n=self.count)

    def verdicts(self, place, source, store):
        """Column -> the report's line, asking again without what the copy cannot carry at all."""
        target = self.target(store)
        move = self.copy(place, target, self.options(source, store), True)
        if not move["reports"]:
            raise Fault(f"{place} to {target}: no mapping: {move['error']}")
        return {line["name"]: line for line in move["reports"][0]["columns"]}

    def fill(self, origin, store):
        """A matrix table in the store, with every column it takes; how it is named as a source."""
        lines = self.verdicts(origin, None, store)
        takes = [name for name in NAMES if name in lines and lines[name]["verdict"] != "refused"]
        target = self.target(store)
        options = [*self.options(None, store), "--columns", ",".join(takes), "--allow-lossy", ",".join(takes)]
        move = self.copy(origin, target, options, False)
        if move["error"] or move["result"]["rows"] != 2:
            raise Fault(f"{origin} to {target}: {move['error']}")
        return store["source"].format(n=self.count)

    def cell(self, line):
        if not line:
            return "–"
        text = f"{line['to']}: {line['verdict']}" if line["verdict"] != "refused" else "refused"
        why = line.get("why")
        if not why:
            return text
        if why not in self.notes:
            self.notes.append(why)
        return f"{text} ({self.notes.index(why) + 1})"

    def section(self, place, source):
        stores = self.spec["stores"]
        by_target = [self.verdicts(place, source, store) for store in stores]
        lines = [f"## From {source['name']}", "", "| column | type | " + " | ".join(s["name"] for s in stores) + " |", "| --- " * (len(stores) + 2) + "|"]
        for name in NAMES:
            typed = next((v[name]["from"] for v in by_target if name in v), "not in this store")
            lines.append(f"| {name} | {typed} | " + " | ".join(self.cell(v.get(name)) for v in by_target) + " |")
        return [*lines, ""]

    def text(self):
        origin = f"{self.spec['work']}/origin.parquet"
        rows = ", ".join(f"{value} AS {name}" for name, value in COLUMNS)
        subprocess.run([self.spec["pooled"], f"SELECT {rows} FROM range(1, 3) t(i)", origin], check=True)
        out = []
        for store in self.spec["stores"]:
            self.notes = []
            out += self.section(self.fill(origin, store), store)
            out += [f"{i + 1}. {note}" for i, note in enumerate(self.notes)] + [""] * bool(self.notes)
        return "\n".join(out).rstrip() + "\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        spec = json.load(f)
    try:
        sys.stdout.write(Matrix(spec).text())
    except Fault as fault:
        sys.exit(f"type-matrix: {fault}")


main()
