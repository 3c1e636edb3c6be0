#!/usr/bin/env python3
"""Checks tools/layers.txt and tools/vendors.txt against every #include, and that each header compiles alone. TAP on stdout."""
import os
import re
import subprocess
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def rules(name):
    out = {}
    for line in open(os.path.join(root, "tools", name), encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            key, _, value = line.partition(":")
            out[key.strip()] = value.split()
    return out


def sources():
    for top in ("include", "src", "connectors", "engines", "anchors", "verify", "cli", "demo", "test", "fuzz", "bench"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for f in files:
                if f.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, f), root)


def folder_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" else parts[0]


def vendor_ok(path, places):
    return any(path.startswith((p + "/", "src/" + p + "/")) for p in places)


def check(path, layers, vendors):
    mine = folder_of(path)
    allowed = layers.get(mine, [])
    for number, line in enumerate(open(os.path.join(root, path), encoding="utf-8"), 1):
        m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        name = m.group(2)
        top = name.split("/")[0]
        if m.group(1) == '"' and "/" in name and top in layers and top != mine and top not in allowed and allowed != ["*"] and mine != "include":
            yield f"{path}:{number}: {mine} may not include {name}"
        if mine == "include" and top in layers:
            yield f"{path}:{number}: an installed header may not include {name}"
        for prefix, places in vendors.items():
            if name.startswith(prefix) and not vendor_ok(path, places):
                yield f"{path}:{number}: {name} may be included in {', '.join(places)} only"


def alone(path):
    args = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Iinclude", "-I.", "-Isrc", "-Itest", "-Ideps/duckdb", "-I/usr/include/postgresql", "-I/usr/include/mariadb", "-I/usr/include/libbson-1.0", "-I/usr/include/libmongoc-1.0", "-x", "c", path]
    r = subprocess.run(args, cwd=root, capture_output=True, text=True)
    return r.returncode == 0, r.stderr


def main():
    layers, vendors = rules("layers.txt"), rules("vendors.txt")
    broken = [m for p in sorted(sources()) for m in check(p, layers, vendors)]
    print(f"{'not ' if broken else ''}ok 1 - every include obeys tools/layers.txt and tools/vendors.txt")
    for m in broken:
        print("#", m)
    bad = [(p, e) for p in sorted(sources()) if p.endswith(".h") for good, e in [alone(p)] if not good]
    print(f"{'not ' if bad else ''}ok 2 - every header compiles alone")
    for p, e in bad:
        print("#", p, e.splitlines()[0] if e else "")
    print("1..2")
    return 1 if broken or bad else 0


sys.exit(main())
