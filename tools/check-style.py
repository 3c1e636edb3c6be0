#!/usr/bin/env python3
"""House style that a machine can check: banned functions, function and file length, a README in every folder, shell and C formatting. TAP on stdout.

usage: check-style.py [--format]   --format also runs clang-format over every C file"""
import os
import re
import statistics
import subprocess
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(root)
BANNED = r"\b(strcpy|strcat|sprintf|vsprintf|strtok|gets|localtime|gmtime|asctime|ctime|rand|srand|random|alloca|atoi|atol|atof|mktemp|tmpnam|system|popen)\s*\("
FUNCTION_MAX, FILE_MAX, MEDIAN_MAX = 70, 900, 16
count = failed = 0


def report(name, problems):
    global count, failed
    count += 1
    failed += bool(problems)
    print(f"{'not ' if problems else ''}ok {count} - {name}")
    for p in problems[:40]:
        print("#", p)


def tracked(*ends):
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split("\n")
    return [f for f in files if f.endswith(ends) and os.path.exists(f)]


def code_only(path):
    text = open(path, encoding="utf-8").read()
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    return re.sub(r'//[^\n]*|"(\\.|[^"\\\n])*"', lambda m: " " * len(m.group()), text)


def functions(files):
    out = subprocess.run(["ctags", "-f", "-", "--fields=+ne", "--kinds-C=f", "-L", "-"], input="\n".join(files), capture_output=True, text=True, check=True)
    for line in out.stdout.splitlines():
        m = re.match(r"(\S+)\t(\S+)\t.*line:(\d+).*end:(\d+)", line)
        if m:
            yield m.group(1), m.group(2), int(m.group(4)) - int(m.group(3)) + 1, int(m.group(3))


def check_lengths(files):
    found = list(functions(files))
    report(f"no function over {FUNCTION_MAX} lines", [f"{p}:{at}: {name} has {n} lines" for name, p, n, at in found if n > FUNCTION_MAX])
    product = [n for _, p, n, _ in found if not p.startswith(("test/", "fuzz/", "bench/"))]
    median = statistics.median(product) if product else 0
    report(f"median function {median:g} lines of {len(product)} (at most {MEDIAN_MAX})", [] if median <= MEDIAN_MAX else ["the median function is too long"])
    sizes = [(p, sum(1 for _ in open(p, encoding="utf-8"))) for p in files]
    report(f"no file over {FILE_MAX} lines", [f"{p} has {n} lines" for p, n in sizes if n > FILE_MAX])
    lines = sum(n for p, n in sizes if not p.startswith(("test/", "fuzz/", "bench/")))
    print(f"# {lines} product lines, {sum(n for _, n in sizes) - lines} test lines in C")


def main():
    c = [f for f in tracked(".c", ".h")]
    report("no banned function", [f"{p}:{code[:m.start()].count(chr(10)) + 1}: {m.group(1)}" for p in c for code in [code_only(p)] for m in re.finditer(BANNED, code)])
    check_lengths(c)
    folders = {os.path.dirname(p) for p in c}
    need = {f for f in folders if f and not f.startswith(("test/", "fuzz/corpus"))} | {f for f in folders if re.match(r"test/[^/]+$", f)}
    report("a README in every folder", [f"{f} has no README.md" for f in sorted(need) if not os.path.exists(os.path.join(f, "README.md"))])
    words = r"\b(TODO|FIXME|XXX|HACK)\b"
    report("no unfinished marks", [f"{p}:{n}" for p in c for n, line in enumerate(open(p, encoding="utf-8"), 1) if re.search(words, line)])
    sh = tracked(".sh") + [".ci/run"]
    r = subprocess.run(["shellcheck", "-x", *[s for s in sh if os.path.exists(s)]], capture_output=True, text=True)
    report("shellcheck is content", r.stdout.splitlines())
    if "--format" in sys.argv:
        r = subprocess.run(["clang-format", "--dry-run", "-Werror", *c], capture_output=True, text=True)
        report("clang-format is content", [line for line in r.stderr.splitlines() if "error:" in line])
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main())
