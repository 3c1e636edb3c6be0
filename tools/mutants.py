#!/usr/bin/env python3
"""Plants every bug of tools/mutants.txt, one at a time, and shows the test that catches it. A mutant that survives fails the run.

Only the files that know a mutant are compiled again with it, and only the programs of the tests named are linked again, so that
a mutant costs seconds. TAP-like lines on stdout; the last line counts. usage: mutants.py [NAME...]"""
import json
import os
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


def files_with(name):
    out = sh("grep", "-rlwE", "ENT_MUTANT_" + name.upper(), "src", "connectors", "engines", "verify", "cli", "--include=*.c", "--include=*.inc", "--include=*.h").stdout.split()
    return out


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
    sources = sorted({s for p in files_with(name) for s in including(p, commands)})
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
