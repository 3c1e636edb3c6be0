#!/usr/bin/env python3
"""What a build may show the world: every linked library is named in LICENSES.md, and a module exports its one entry symbol. TAP on stdout."""
import glob
import os
import re
import subprocess
import sys

build = sys.argv[1]
system = {"linux-vdso.so.1", "libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1"}


def needed(path):
    out = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"NEEDED\s+(\S+)", out)) - system


def exported(path):
    out = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines() if line} - {"_init", "_fini"}


programs = [p for p in ("cli/entente", "verify/entente-verify") if os.path.exists(os.path.join(build, p))]
modules = sorted(p for d in ("connectors", "engines") for p in glob.glob(os.path.join(build, d, "**", "*.so"), recursive=True))
named = open("LICENSES.md", encoding="utf-8").read()
lacking = sorted({f"{lib} (of {p})" for p in [os.path.join(build, q) for q in programs] + modules for lib in needed(p) if lib.split(".so")[0] not in named})
print(f"{'not ' if lacking else ''}ok 1 - every linked library stands in LICENSES.md")
for line in lacking:
    print("#", line)
loud = [f"{m}: {', '.join(sorted(extra)[:8])}" for m in modules for extra in [exported(m) - {"ent_connector_entry", "ent_engine_entry"}] if extra]
print(f"{'not ' if loud else ''}ok 2 - modules export their entry only")
for line in loud:
    print("#", line)
print("1..2")
sys.exit(1 if lacking or loud else 0)
