#!/usr/bin/env python3
"""Runs meson's tests in BUILD and closes with one line: N passed, N failed, N skipped (counted in TAP lines, a skipped one is named with its reason).

usage: run-tests.py BUILD [--suite NAME] [TEST...]   (without: all but the suites campaign, servers and mutants, which take minutes)"""
import json
import os
import re
import subprocess
import sys
import time


def failure(test):
    """What failed, with the words around it: the checks that did not hold, then how the output ended."""
    out = (test.get("stdout") or "").splitlines()
    end = [f"  err: {line}" for line in (test.get("stderr") or "").splitlines()[-20:]]
    checks = [f"  {line}" for i, line in enumerate(out) if line.startswith("not ok") or i and out[i - 1].startswith("not ok")]
    return "\n".join([f"FAILED {test['name']}: {test['result']}", *checks[:20], *(f"  out: {line}" for line in out[-5:]), *end])


def main():
    build, rest = sys.argv[1], sys.argv[2:] or ["--no-suite", "campaign", "--no-suite", "mutants"]
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    if "--suite" not in rest:  # these have front doors of their own: make campaign, make test-servers, make ct
        rest = ["--no-suite", "campaign", "--no-suite", "servers", "--no-suite", "ct", *rest]
        rest = ["--num-processes", str((os.cpu_count() or 1) + 1), *rest]  # servers that start leave a core idle
    if "-t" not in rest:  # limits are for a test that hangs, not for a slow machine
        rest = ["-t", "4", *rest]
    start = time.time()
    run = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--quiet", *rest])
    passed = failed = skipped = 0
    failures = []
    if not os.path.exists(log):
        print("0 passed, 1 failed, 0 skipped")
        return 1
    tests = [json.loads(line) for line in open(log, encoding="utf-8", errors="replace")]
    good = ("OK", "SKIP", "EXPECTEDFAIL")
    for test in tests:
        tap = re.findall(r"^(not )?ok \d+(.*)$", test.get("stdout") or "", re.M)
        bad = sum(1 for no, _ in tap if no)
        for _, text in tap:
            if "# SKIP" in text:
                skipped += 1
                print(f"skipped {test['name']}:{text.replace('# SKIP', '--')}")
        skips = sum(1 for _, text in tap if "# SKIP" in text)
        if test["result"] not in good:
            failed += max(bad, 1)
            failures.append(failure(test))
        elif not tap and test["result"] == "SKIP":
            skipped += 1
            print(f"skipped {test['name']}")
        passed += len(tap) - bad - skips if tap else (1 if test["result"] == "OK" else 0)
    for text in failures:  # last, where a log that was cut still has them
        print(text)
    print(f"# {time.time() - start:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or run.returncode else 0


sys.exit(main())
