#!/usr/bin/env python3
"""Walks the table of commands: help with two examples, a man page that renders, a wrong option refused, completion that bash reads."""
import json, os, shutil, subprocess, sys, tempfile

entente = os.environ["ENTENTE"]
home = tempfile.mkdtemp(prefix="entente-commands.")
tests = failures = 0


def run(*args, **more):
    return subprocess.run([entente, "-C", os.path.join(home, "none"), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)


def line(ok, name, why=""):
    global tests, failures
    tests += 1
    failures += not ok
    print(f"{'ok' if ok else 'not ok'} {tests} - {name}")
    if not ok and why:
        print("# " + why.strip().replace("\n", "\n# "))


def man_renders(path):
    """groff's complaints, or None where no renderer is installed."""
    for command in (["groff", "-man", "-ww", "-Tutf8", path], ["man", "--warnings", "-l", path]):
        if shutil.which(command[0]):
            r = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MANWIDTH": "80", "MANPAGER": "cat"})
            return r.stderr if r.returncode == 0 and r.stdout.strip() else r.stderr or "nothing rendered"
    return None


table = json.loads(run("help", "--json").stdout)["commands"]
line(len(table) >= 30, "the table has the commands of the manual")
rendered = True
for c in [None] + table:
    name = c["name"] if c else "entente"
    page = run("help", "--man", *([c["name"]] if c else []))
    path = os.path.join(home, f"{name}.1")
    with open(path, "w") as f:
        f.write(page.stdout)
    complaint = man_renders(path)
    rendered = complaint is not None
    line(page.returncode == 0 and page.stdout.startswith(".TH ") and ".SH NAME" in page.stdout and not complaint, f"{name}: man page", complaint or "")
    if not c:
        continue
    help_ = run(name, "--help")
    at = help_.stdout.partition("\nexamples\n")[2].splitlines()
    wide = [l for l in help_.stdout.partition("\nexamples\n")[0].splitlines() if len(l) > 80]
    line(help_.returncode == 0 and len(at) == 2 and all("entente" in e for e in at), f"{name}: --help shows two examples", help_.stdout + help_.stderr)
    line(not wide, f"{name}: help fits 80 columns", "\n".join(wide))
    wrong = run(name, "--no-such-option")
    line(wrong.returncode == 2 and "no-such-option" in wrong.stderr and not wrong.stdout, f"{name}: an unknown option exits 2", wrong.stderr)
if not rendered:
    print("# neither groff nor man is installed: pages were not rendered")
wrong = run("querry")
line(wrong.returncode == 2 and "query" in wrong.stderr, "a mistyped command names the nearest", wrong.stderr)
script = os.path.join(home, "completion")
with open(script, "w") as f:
    f.write(run("completion").stdout)
probe = f'. {script}; COMP_WORDS=(entente que); COMP_CWORD=1; _entente; [ "${{COMPREPLY[*]}}" = query ]'
line(subprocess.run(["bash", "-c", probe]).returncode == 0, "completion finds query for que")
shutil.rmtree(home)
print(f"1..{tests}")
sys.exit(failures != 0)
