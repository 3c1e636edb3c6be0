#!/usr/bin/env python3
"""docs/type-matrix.md and .svg from docs/type-matrix.tsv: report.py [--check] DOCS. With --check nothing is written: TAP says whether they are up to date.

The lines come from test_matrix (mx_report.c): "T source column type read-as labels why-not refused..." and
"P source column target its-type verdict why codes refused...", fields by tabs, labels by "|", one code per label.
"""
import html
import os
import sys
from collections import Counter

HEAD = """# What becomes of each type and value
Generated: every store's own client wrote the edges of each of its own types into a table, the connector read it (each text was checked), and
`src/move` copied it into every store as `entente copy` does. What a store refuses was noted and left out, and the rest was read back by the target's
connector and compared. Any value that had changed in silence would have failed the test, so none is listed here.

HDFS and GlusterFS carry files, so they stand here with one format each, Parquet and Arrow; that a file of any other format arrives there byte for byte,
written or read, is held by `test/conformance/objects_case.c` against the real servers. HBase knows bytes only: its types are those that a column is
declared as (`--schema`, or what a copy noted), the row key is the first column.

`make test` repeats the part that needs no server and `make test-servers` all of it; both compare with `type-matrix.tsv`, which holds every single value.
`MATRIX_WRITE=docs/type-matrix.tsv` with the same script writes it anew, `test/conformance/matrix/report.py docs` this page and its picture.

| sign | meaning |
| --- | --- |
| ✓ | exact: every value arrived as it was, in a type that means the same |
| ↑ | widened: every value arrived, in a wider type or as its text |
| ✗*n* | *n* values are refused by row, column and text, and nothing of that transaction stays; the note has them |
| ~ | may lose something: refused before the first row, unless the column is named in `--allow-lossy` |
| ✗ | refused before the first row |

![the whole matrix as a picture: one row per type of a source, one column per target](type-matrix.svg)
"""
COLOURS = {"✓": "#2f9e57", "↑": "#5b8def", "part": "#e8a33d", "~": "#b9b2a6", "✗": "#d0463b"}
MEANING = {"✓": "exact", "↑": "widened", "part": "some values refused by name", "~": "may lose something: asks first", "✗": "refused"}


def read(path):
    types, pairs = [], {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "T":
                source, column, native, read_as, labels, why = fields[:6]
                types.append({"source": source, "column": column, "native": native, "read": read_as, "labels": labels.split("|"), "why": why, "refused": fields[6:]})
            else:
                source, column, target, native, verdict, why, codes = fields[:7]
                pairs[source, column, target] = {"to": native, "verdict": verdict, "why": why, "codes": codes, "refused": fields[7:]}
    return types, pairs


def order(types):
    return list(dict.fromkeys(t["source"] for t in types))


def state(pair):
    """The sign of a cell, and "part" in the picture when values are refused."""
    if pair["verdict"] in ("lossy", "refused"):
        return "~" if pair["verdict"] == "lossy" else "✗"
    return "✓" if pair["verdict"] == "exact" else "↑"


def shade(pair):
    return "part" if "v" in pair["codes"] or "u" in pair["codes"] else state(pair)


def reason(text):
    """Label and what stands behind the value: "row 3 of column c cannot be stored as t: value: reason"."""
    label, _, rest = text.partition(": ")
    return label, rest.rsplit(": ", 1)[-1]


class Notes:
    def __init__(self):
        self.texts = []

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1

    def values(self, refused):
        by_reason = {}
        for text in refused:
            label, why = reason(text)
            by_reason.setdefault(why, []).append(label)
        return [self.number(f"{', '.join(labels)}: {why}") for why, labels in by_reason.items()]

    def lines(self):
        return [f"{i + 1}. {text}" for i, text in enumerate(self.texts)]


def cell(pair, notes):
    if not pair:
        return "–"
    marks, sign = [], state(pair)
    refused = [t for t in pair["refused"] if t]
    if pair["why"]:
        marks.append(notes.number(pair["why"]))
    marks += notes.values(refused)
    count = f" ✗{len(refused)}" if refused else ""
    small = f" <sup>{','.join(str(m) for m in marks)}</sup>" if marks else ""
    return f"{sign}{count} {escape(pair['to']) if sign != '✗' else ''}{small}".rstrip()


def escape(text):
    return text.replace("|", "\\|").replace("*", "\\*")


def glance(sources, pairs):
    lines = ["## All pairs at a glance", "", "Values that arrived exactly, those that arrived in a wider type, those refused by name; then types that ask first (~) or are refused whole (✗).", ""]
    lines += ["| from \\ to | " + " | ".join(sources) + " |", "| --- " * (len(sources) + 1) + "|"]
    for source in sources:
        row = []
        for target in sources:
            of_pair = [p for (s, _, t), p in pairs.items() if s == source and t == target]
            n = Counter()
            for p in of_pair:
                n[state(p)] += p["codes"].count("=") if p["codes"] else 1
                n["v"] += p["codes"].count("v") + p["codes"].count("u")
            parts = [f"{n['✓']} ✓"] + [f"{n[k]} {sign}" for k, sign in (("↑", "↑"), ("v", "refused"), ("~", "~"), ("✗", "✗")) if n[k]]
            row.append(", ".join(parts))
        lines.append(f"| **{source}** | " + " | ".join(row) + " |")
    return lines + [""]


def section(source, sources, types, pairs):
    notes = Notes()
    lines = [f"## From {source}", "", "| type | read as | edges | " + " | ".join(sources) + " |", "| --- " * (len(sources) + 3) + "|"]
    for t in (t for t in types if t["source"] == source):
        refused = [x for x in t["refused"] if x]
        labels = ", ".join(t["labels"][1:])
        edges = escape(labels) + (f" <sup>{','.join(str(n) for n in notes.values(refused))}</sup>" if refused else "")
        name = escape(t["native"]) or (t["column"] + " (guessed)" if t["read"] else "(none declared)")
        if t["why"]:
            lines.append(f"| {name} | not copied <sup>{notes.number(t['why'])}</sup> | {edges} | " + " | ".join("–" for _ in sources) + " |")
            continue
        lines.append(f"| {name} | {t['read']} | {edges} | " + " | ".join(cell(pairs.get((source, t["column"], target)), notes) for target in sources) + " |")
    return [*lines, "", *notes.lines(), ""]


def markdown(types, pairs):
    sources = order(types)
    lines = [HEAD, *glance(sources, pairs)]
    for source in sources:
        lines += section(source, sources, types, pairs)
    return "\n".join(lines).rstrip() + "\n"


WIDE, HIGH, LEFT, TOP = 74, 11, 210, 70


def text_at(x, y, text, style):
    return f'<text x="{x}" y="{y}" class="{style}">{html.escape(text)}</text>'


def picture(types, pairs):
    """One row per type of a source, one column per target; cells of one colour are one path."""
    sources, y, shapes, out = order(types), TOP, {k: [] for k in COLOURS}, []
    for i, target in enumerate(sources):
        out.append(text_at(LEFT + i * WIDE + 2, TOP - 8, target, "t"))
    for source in sources:
        y += 16
        out.append(text_at(4, y - 3, "from " + source, "t"))
        for t in (t for t in types if t["source"] == source and not t["why"]):
            out.append(text_at(LEFT - 6, y + HIGH - 3, (t["native"] or t["column"])[:34], "n"))
            for i, target in enumerate(sources):
                pair = pairs.get((source, t["column"], target))
                if pair:
                    shapes[shade(pair)].append(f"M{LEFT + i * WIDE} {y}h{WIDE - 2}v{HIGH - 2}h-{WIDE - 2}z")
            y += HIGH
    for i, (key, colour) in enumerate(COLOURS.items()):
        out.append(f'<path fill="{colour}" d="M{LEFT + i * 185} 14h12v12h-12z{"".join(shapes[key])}"/>')
        out.append(text_at(LEFT + i * 185 + 16, 24, MEANING[key], "k"))
    width = LEFT + max(len(sources) * WIDE, len(COLOURS) * 185)
    style = "text{font-family:sans-serif;fill:#444}.t{font-size:12px;font-weight:bold}.n{font-size:9px;text-anchor:end}.k{font-size:10px}"
    body = "\n".join(out)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" viewBox="0 0 {width} {y + 10}">\n<style>{style}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'


def main():
    check, docs = sys.argv[1] == "--check", sys.argv[-1]
    types, pairs = read(os.path.join(docs, "type-matrix.tsv"))
    made = {"type-matrix.md": markdown(types, pairs), "type-matrix.svg": picture(types, pairs)}
    for name, text in made.items():
        path = os.path.join(docs, name)
        if not check:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            continue
        with open(path, encoding="utf-8") as f:
            print("ok" if f.read() == text else "not ok", f"- {name} is what {os.path.basename(__file__)} makes of type-matrix.tsv")
    if check:
        print("ok" if all("!" not in p["codes"] and "u" not in p["codes"] for p in pairs.values()) else "not ok", "- no value changes in silence, none is refused without its name")
        print("1..3")


main()
