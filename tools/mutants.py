#!/usr/bin/env python3
"""Plants every bug of tools/mutants.txt, one at a time, and shows the test that catches it. A mutant that survives fails the run.

Only the files that know a mutant are compiled again with it, and only the programs of the tests named are linked again, so that
a mutant costs seconds. TAP-like lines on stdout; the last line counts. usage: mutants.py [NAME...]
mutants.py --check BUILD plants nothing: it looks whether list, sources and the tests of a build speak of the same mutants and tests."""
import json
import os
import re
import subprocess
import sys
import time

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
build = os.path.join(root, "build-mutant")


def sh(*args, **kw):
    return subprocess.run(args, cwd=root, capture_output=True, text=True, **kw)


def plan():
    for line in open(os.path.join(root, "tools", "mutants.txt"), encoding="utf-8"):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield words[0], words[1:]


def files_with(pattern):
    return sh("grep", "-rlwE", "ENT_MUTANT_" + pattern, "src", "connectors", "engines", "verify", "cli", "--include=*.c", "--include=*.inc", "--include=*.h").stdout.split()


def planted():
    texts = (open(os.path.join(root, p), encoding="utf-8").read() for p in files_with("[A-Z0-9_]+"))
    return {name.lower() for t in texts for name in re.findall(r"^#.*\bENT_MUTANT_(\w+)", t, flags=re.M)}


def missing_tests(names, tests):
    """Tests of connectors whose library this machine lacks are not in its build."""
    stores = {t.split("_")[1] for t in tests if t.startswith("conformance_")}
    return [n for n in names if n not in tests and not (n.startswith("conformance_") and n.split("_")[1] not in stores)]


def check(folder):
    tests = {t["name"] for t in json.loads(sh("meson", "introspect", folder, "--tests").stdout)}
    lines, there = list(plan()), planted()
    listed = {n for n, _ in lines}
    problems = [f"{n} is in the sources but not in tools/mutants.txt" for n in sorted(there - listed)]
    problems += [f"{n} is in tools/mutants.txt but in no source" for n in sorted(listed - there)]
    problems += [f"{n} names no test" for n, names in lines if not names]
    problems += [f"{n} names a test that does not exist: {t}" for n, names in lines for t in missing_tests(names, tests)]
    print("1..1")
    print(f"{'not ' if problems else ''}ok 1 - {len(there)} mutants, each listed with tests that exist")
    for p in problems:
        print("#", p)
    return 1 if problems else 0


def set_up():
    if not os.path.exists(os.path.join(build, "build.ninja")):
        subprocess.run(["meson", "setup", build, "-Doptimization=1"], cwd=root, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CC": os.path.join(root, "tools", "mutant-cc.sh")})
    subprocess.run(["ninja", "-C", build, "--quiet"], cwd=root, check=True, stdout=subprocess.DEVNULL)
    commands = json.load(open(os.path.join(build, "compile_commands.json"), encoding="utf-8"))
    tests = json.loads(sh("meson", "introspect", build, "--tests").stdout)
    targets = {t["id"]: t["filename"] for t in json.loads(sh("meson", "introspect", build, "--targets").stdout)}
    return commands, tests, targets


def including(path, commands):
    """Sources to compile for a mutant in path: itself, or those of its folder when it is included by others."""
    if path.endswith(".c"):
        return [path]
    folder = os.path.dirname(path)
    return sorted({os.path.relpath(os.path.join(c["directory"], c["file"]), root) for c in commands if os.path.relpath(os.path.join(c["directory"], c["file"]), root).startswith(folder + "/")})


def touch(sources):
    for s in sources:
        os.utime(os.path.join(root, s))


def programs(names, tests, targets):
    out = []
    for t in tests:
        if t["name"] in names:
            wanted = [os.path.relpath(p, build) for p in map(os.path.normpath, t["cmd"]) if p.startswith(build + os.sep)]
            for d in t.get("depends", []):
                wanted += [os.path.relpath(f, build) for f in targets.get(d, [])]
            out += wanted
    return sorted(set(out))


def try_mutant(name, names, commands, tests, targets):
    known = {t["name"] for t in tests}
    if not names or [n for n in names if n not in known]:
        return False, "names no test that exists: " + " ".join(n for n in names if n not in known)
    sources = sorted({s for p in files_with(name.upper()) for s in including(p, commands)})
    if not sources:
        return False, "no source knows it"
    touch(sources)
    r = sh("ninja", "-C", build, "--quiet", *programs(names, tests, targets), env={**os.environ, "MUTANT": name.upper()})
    if r.returncode:
        touch(sources)
        return False, "does not build: " + (r.stdout + r.stderr)[-300:]
    r = sh("meson", "test", "-C", build, "--no-rebuild", "--quiet", "--maxfail", "1", *names, env={**os.environ, "TAP_BAIL": "1"})
    touch(sources)
    if r.returncode == 0:
        return False, "SURVIVED " + " ".join(names)
    caught = [line.split()[3] for line in r.stdout.splitlines() if any(w in line for w in (" FAIL ", " ERROR ", " TIMEOUT "))]
    return True, "caught by " + (caught[0] if caught else names[0])


def main():
    if sys.argv[1:2] == ["--check"]:
        return check(sys.argv[2])
    commands, tests, targets = set_up()
    caught = survived = 0
    for name, names in plan():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        start = time.time()
        good, text = try_mutant(name, names, commands, tests, targets)
        caught, survived = caught + good, survived + (not good)
        print(f"{'ok' if good else 'not ok'} - {name}: {text} ({time.time() - start:.0f} s)", flush=True)
    print(f"{caught} passed, {survived} failed")
    return 1 if survived else 0


sys.exit(main())
