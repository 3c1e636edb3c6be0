#!/usr/bin/env python3
"""kill -9 of the node, the source's server or the target's at random moments of copies and streams between real servers.

KILLS (default 4) per path, half of them in copies, half in streams. A kill counts when its victim died in mid-work: a copy it interrupted, a stream that
had moved since the last kill and whose source is written all the time. Accepted are only: source and target equal (compare), and for a copy the exits
and reasons of REASONS; a stream must go on by itself. PATHS: which ones (source-target); PHASES: copy, stream; VICTIMS: node, source, target. ENT_SEED repeats every choice. FAULTS_LOG: a file to which each
kill is appended as a line of JSON."""
import json
import os
import random
import re
import sys
import time

from faultlab import PATIENCE, STORES, Lab, until

KILLS = int(os.environ.get("KILLS", "4"))
SEED = int(os.environ.get("ENT_SEED") or random.SystemRandom().randrange(10**6))
PATHS = os.environ.get("PATHS", "postgres-postgres postgres-mariadb mysql-postgres mongo-postgres postgres-cassandra sqlite-postgres postgres-sqlite").split()
PHASES = os.environ.get("PHASES", "copy stream").split()
VICTIMS = os.environ.get("VICTIMS", "").split()
EVERY = 10        # kills of a stream between two comparisons
SLOW = ("cassandra",)  # comes back slowly: a victim of one kill in ten
COPY_ONLY = ("duckdb",)

# What a copy may say when its victim dies under it: exits and text. Anything else, also an exit without a text, is a finding.
REASONS = {
    "node": [((69,), r"the node went away while this command waited")],
    "server": [((74, 76), r"terminating connection|connection .*(broke|closed|reset|refused|lost)|closed the connection|can(not|'t) connect|EOF detected|unexpected eof|gone away"),
               ((75,), r"terminating connection|starting up|shutting down|recovery mode")],
}
DONE_ALREADY = ((2, 65, 66), r"exists|is there already|not empty")


class Campaign:
    def __init__(self):
        self.lab, self.counts, self.late = Lab(), {}, 0
        self.tap = self.lab.tap

    # ---- one kill ----

    def victims(self, source, target):
        if VICTIMS:
            return [role for role, store in (("source", source), ("target", target)) if store.kill and role in VICTIMS] or ["node"]
        list_ = ["node"]
        for role, store in (("source", source), ("target", target)):
            if store.kill:
                list_ += [role] * (1 if store.script and store.script.startswith(SLOW) else 5)
        return list_ + ["node"] * max(5 - 1, len(list_) // 2 - 1)

    def strike(self, path, phase, victim, stores):
        """Kills; true when it was alive until then."""
        if victim == "node":
            return self.lab.node.kill()
        return stores[victim].crash()

    def back(self, victim, stores):
        ok = self.lab.node.start() if victim == "node" else stores[victim].back()
        return ok or self.tap.line(False, f"{victim} comes back", self.lab.node.log_tail())

    def note(self, path, phase, n, seed, victim, delay, counted, **more):
        key = (path, phase, victim)
        self.counts[key] = self.counts.get(key, 0) + counted
        self.late += not counted
        if os.environ.get("FAULTS_LOG"):
            with open(os.environ["FAULTS_LOG"], "a", encoding="utf-8") as f:
                f.write(json.dumps(dict(path=path, phase=phase, kill=n, seed=seed, victim=victim, delay_ms=int(delay * 1000), counted=counted, at=time.strftime("%T"),
                                        **more)) + "\n")

    # ---- copies ----

    def judge(self, victim, code, said):
        """Whether a copy may end so after its victim died."""
        return code == 0 or any(code in codes and re.search(text, said, re.I) for codes, text in REASONS["node" if victim == "node" else "server"])

    def copies(self, path, source, target, kills):
        table, stores = "c_" + path.replace("-", "_"), {"source": source, "target": target}
        keyless = path.startswith("postgres-") and target.transactions
        slow = path.startswith("mongo")  # the substitute walks the whole collection for each split
        source.fill(table, 4000 if slow else 8000 if path.endswith("cassandra") else 20000, keyless)
        span, done, n, copy = None, 0, 0, 0
        mode = "create" if target.transactions else "upsert"
        split = "200" if slow else "100"
        while done < kills:
            copy += 1
            ends = [source.url(table), target.url(f"{table}_{copy}")]
            compare = ["compare", *ends, "--key", "id", *source.options(""), *target.options("dst-")]
            give = ["copy", *ends, "--mode", mode, "--split-rows", split, "--key", "id",
                    *source.options(""), *target.options("dst-")]
            if keyless and mode == "create":
                at = give.index("--key")
                del give[at:at + 2]
            if path.startswith("mongo"):
                give[give.index("--key") + 1] = compare[compare.index("--key") + 1] = "_id"
            if span is None:  # how long it takes when nobody is killed
                start = time.monotonic()
                code, said = self.lab.node.call(*give)
                span = time.monotonic() - start
                if not self.tap.line(code == 0, f"{path}: a copy without faults, {span:.1f} s", f"exit {code}: {said}"):
                    return
                continue
            ended, killed = False, None
            for attempt in range(400):
                n += 1
                seed = f"{SEED}/{path}/copy/{n}"
                rnd = random.Random(seed)
                victim, delay = rnd.choice(self.victims(source, target)), rnd.uniform(0.02, span)
                begun = time.monotonic()
                run = self.lab.node.popen(*give)
                if done < kills:
                    try:
                        run.wait(delay)
                    except Exception:  # still at work, as it should be
                        self.strike(path, "copy", victim, stores)
                        killed = victim
                    else:
                        victim = None
                        span = time.monotonic() - begun if attempt == 0 else max(0.1, span * 0.9)  # it went faster than the first one
                else:
                    victim = None
                try:
                    said = run.communicate(timeout=120 * PATIENCE)[0].strip()
                except Exception:
                    self.lab.node.print_threads()
                    run.kill()
                    said = f"no end within {120 * PATIENCE:.0f} s after the kill: " + run.communicate()[0]
                code = run.returncode
                counted = victim is not None and code != 0
                done += counted
                span = min(10.0, span * 1.02) if counted else span
                if victim:
                    self.note(path, "copy", n, seed, victim, delay, counted, exit=code, said=said[-300:])
                    if not self.judge(victim, code, said):
                        self.tap.line(False, f"{path} copy: exit {code} after {victim} died (seed {seed})", said)
                    if not self.back(victim, stores):
                        return
                elif code and not (killed and code in DONE_ALREADY[0] and re.search(DONE_ALREADY[1], said)):
                    self.tap.line(False, f"{path} copy: exit {code} although nobody died (seed {seed})", said)
                    break
                if code == 0 or not victim:
                    ended = True
                    break
            code, said = self.lab.node.call(*compare)
            if not self.tap.line(ended and code == 0, f"{path} copy {copy}: equal, {done} kills so far", said):
                return

    # ---- streams ----

    def moved(self, name, since):
        now = self.lab.node.stream(name)
        if now and now.get("state") == "failed":
            raise RuntimeError(f"the stream stopped: {json.dumps(now.get('error'))}")
        status = now and now.get("status")
        mark = status and (status["cursor"], status["rows_copied"])
        return mark and status.get("state") != "waiting" and (since is None or mark != since), mark

    def wait_moved(self, name, seconds):
        """Until the stream, as this node tells it, has moved twice."""
        _, first = self.moved(name, None)
        return until(seconds, lambda: self.moved(name, first)[0], 0.05)

    def settled(self, path, name, compares, target, done, writer):
        if not writer.hold():
            self.tap.line(False, f"{path} stream: the writer holds")
        results = {}

        def equal():
            for what, args in compares:
                results[what] = self.lab.node.call(*args)
                if results[what][0]:
                    return False
            return True
        ok = until(90, equal, 0.3)
        for _ in range(10):  # a slow machine: as long as it moves
            ok = ok or self.wait_moved(name, 30) and until(60, equal, 0.3)
        self.tap.line(ok, f"{path} stream: equal after {done} kills, {writer.written} transactions written",
                      *[f"{what}: {r}" for what, r in results.items()], *([] if ok else [self.lab.node.call("replicate", "status", name)[1]]))
        writer.going.set()
        return ok

    def streams(self, path, source, target, kills):
        name, stores = "s_" + path.replace("-", "_"), {"source": source, "target": target}
        rows = 5000
        source.fill(name, rows)
        source.fill(name + "_pair", 1)
        dot = "public." if path.startswith("postgres") else ""
        to = "public." if path.endswith("-postgres") else ""
        both = [name] if path.startswith("mongo") else [name, name + "_pair"]  # the substitute cannot tell two collections of a database apart
        tables = [arg for t in both for arg in ("--table", f"{dot}{t}={to}{t}_copy")]
        writer = source.writer().prepare(name, rows, f"{SEED}/{path}/writer")
        writer.every = 0.2 if path.endswith(SLOW) else writer.every
        code, said = self.lab.node.call("replicate", "start", name, source.url(), target.url(), *tables, "--split-rows", "400", *source.options(""), *target.options("dst-"))
        if not self.tap.line(code == 0, f"{path} stream: starts", said):
            return
        key = "_id" if path.startswith("mongo") else "id"
        compares = [(t, ["compare", source.url(t), target.url(t + "_copy"), "--key", key, *source.options(""), *target.options("dst-")]) for t in both]
        writer.going.set()
        writer.start()
        done = n = 0
        try:
            while done < kills:
                n += 1
                seed = f"{SEED}/{path}/stream/{n}"
                rnd = random.Random(seed)
                victim, delay = rnd.choice(self.victims(source, target)), rnd.uniform(0, 0.6)
                written = writer.written
                counted = self.wait_moved(name, 60)
                time.sleep(delay)
                counted = self.strike(path, "stream", victim, stores) and counted and writer.written > written
                done += counted
                self.note(path, "stream", n, seed, victim, delay, counted)
                if not counted and not self.tap.line(n - done < 5 + kills // 4, f"{path} stream: moves again before kill {n} (seed {seed})", self.lab.node.call("replicate", "status", name)[1]):
                    break
                if not self.back(victim, stores):
                    break
                if (done % EVERY == 0 or done == kills) and not self.settled(path, name, compares, target, done, writer):
                    break
        except RuntimeError as e:
            self.tap.line(False, f"{path} stream: goes on after kill {n} (seed {SEED}/{path}/stream/{n})", e)
        writer.end()
        code, said = self.lab.node.call("replicate", "stop", name)
        self.tap.line(code == 0, f"{path} stream: ends", said)
        until(30, lambda: self.lab.node.stream(name) is None)

    # ---- all ----

    def path(self, path):
        kinds = path.split("-")
        missing = [k for k in kinds if not STORES[k].present()]
        if missing:
            return self.tap.skip(path, f"{missing[0]} is not installed")
        source, target = self.lab.store("source", kinds[0]), self.lab.store("target", kinds[1])
        start = time.monotonic()
        phases = [p for p in PHASES if p == "copy" or not any(k in COPY_ONLY for k in kinds)]
        for i, phase in enumerate(phases):
            share = KILLS // len(phases) if i + 1 < len(phases) else KILLS - KILLS // len(phases) * i
            (self.copies if phase == "copy" else self.streams)(path, source, target, share)
        kills = sum(n for (p, _, _), n in self.counts.items() if p == path)
        return self.tap.line(kills >= KILLS, f"{path}: {kills} kills in {time.monotonic() - start:.0f} s")

    def run(self):
        print(f"# ENT_SEED={SEED}", flush=True)
        if self.tap.line(self.lab.node.start(), "a node"):
            for path in PATHS:
                self.path(path)
            code, said = self.lab.node.call("ledger", "verify")
            self.tap.line(code == 0, "the ledger holds", said)
        print(f"# {self.late} kills came when nothing was to be interrupted; they are not counted")
        for (path, phase, victim), n in sorted(self.counts.items()):
            print(f"# kills: {path} {phase} {victim} {n}")
        return self.tap.end()


sys.exit(Campaign().run())
