#!/usr/bin/env python3
"""What befalls copies and streams beside kill -9: connections cut in mid-batch, slots and binary logs that are gone, tables altered on either side, full
disks, two nodes with one job. Each ends as it must: equal, or a loud stop with the right reason and exit.

ROUNDS (default 2): cuts per path and direction. ONLY: names of scenarios. ENT_SEED repeats the choices."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

from faultlab import PATIENCE, STORES, Lab, Proxy, until

SEED = int(os.environ.get("ENT_SEED") or random.SystemRandom().randrange(10**6))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
ONLY = os.environ.get("ONLY", "").split()
BROKE = r"connection .*(broke|closed|reset|lost)|closed the connection|can(not|'t) connect|EOF detected|unexpected eof|gone away|reset by peer|failed to read|socket error|no connection to the server"
OVERTAKEN = "another run of this job took over"


class Mishaps:
    def __init__(self):
        self.lab = Lab()
        self.tap, self.node = self.lab.tap, self.lab.node

    # ---- what scenarios share ----

    def stores(self, name, *kinds):
        """The servers of a scenario, or None when one is missing (said by name)."""
        missing = [k for k in kinds if not STORES[k].present()]
        if missing:
            self.tap.skip(name, f"{missing[0]} is not installed")
            return None
        return [self.lab.store(role, kind) for role, kind in zip(("source", "target"), kinds)]

    def expect(self, name, got, codes, text):
        code, said = got
        return self.tap.line(code in codes and re.search(text, said, re.I) is not None, name, f"exit {code}, wanted {codes} and {text}; said:", said)

    def compare(self, source, target, table, copy=None):
        key = "_id" if isinstance(source, STORES["mongo"]) else "id"
        return self.node.call("compare", source.url(table), target.url(copy or table + "_copy"), "--key", key, *source.options(""), *target.options("dst-"))

    def equal(self, name, source, target, table, copy=None, seconds=60):
        got = [None]

        def same():
            got[0] = self.compare(source, target, table, copy)
            return got[0][0] == 0
        return self.tap.line(until(seconds, same, 0.3), name, got[0])

    def copy_args(self, source, target, table, copy, *more):
        key = "_id" if isinstance(source, STORES["mongo"]) else "id"
        mode = "create" if target.transactions else "upsert"
        return ["copy", source.url(table), target.url(copy), "--mode", mode, "--key", key, *source.options(""), *target.options("dst-"), *more]

    def stream_start(self, name, source, target, tables, node=None):
        dot, to = ("public." if isinstance(s, STORES["postgres"]) else "" for s in (source, target))
        list_ = [a for t in tables for a in ("--table", f"{dot}{t}={to}{t}_copy")]
        return (node or self.node).call("replicate", "start", name, source.url(), target.url(), *list_, "--split-rows", "400", *source.options(""),
                                        *target.options("dst-"))

    def stream_stop(self, name, *more):
        self.node.call("replicate", "stop", name, *more)
        until(40, lambda: self.node.stream(name) is None, 0.2)

    def stream_says(self, name, text, seconds=60):
        """Until status shows the text (a pattern); says what it shows otherwise."""
        got = [None]

        def shows():
            got[0] = self.node.call("replicate", "status", name)[1]
            return re.search(text, got[0], re.I | re.S)
        return until(seconds, shows, 0.2), got[0]

    def says(self, what, name, text, seconds=60):
        ok, got = self.stream_says(name, text, seconds)
        return self.tap.line(ok, what, f"wanted {text}; status:", got)

    def streaming(self, what, name, source, target, table, rows=2000):
        """A stream of one table that has arrived."""
        source.fill(table, rows)
        code, said = self.stream_start(name, source, target, [table])
        return self.tap.line(code == 0, f"{what}: a stream", said) and self.equal(f"{what}: which has copied", source, target, table)

    # ---- connections that break ----

    def cuts(self, kinds):
        name = f"cut {'-'.join(kinds)}"
        pair = self.stores(name, *kinds)
        if not pair:
            return
        source, target = pair
        table = "x_" + "_".join(kinds)
        rows = 2000 if kinds[0] == "mongo" else 8000
        source.fill(table, rows)
        for store, side in ((source, "source"), (target, "target")):
            proxy = Proxy(store.port)
            store.via = proxy.port
            self.copies_cut(name, source, target, table, side, proxy)
            store.via = None
            proxy.end()
        for store, side in ((source, "source"), (target, "target")):
            proxy = Proxy(store.port)
            store.via = proxy.port
            self.stream_cut(f"{name} stream, {side}", source, target, f"{table}_{side[0]}", proxy)
            store.via = None
            proxy.end()

    def copies_cut(self, name, source, target, table, side, proxy):
        whole = [0, 0]
        for way in (0, 1):
            for n in range(ROUNDS + 1):
                rnd = random.Random(f"{SEED}/{name}/{side}/{way}/{n}")
                before, cuts = list(proxy.passed), proxy.cuts
                cut = n > 0
                size = rnd.randrange(200, max(201, int(whole[way] * 0.8)))
                for again in range(6):  # two copies of a table need not read the same number of bytes: where one ended uncut, another is cut earlier
                    copy = f"{table}_{side[0]}{way}{n}" + ("x" * again)
                    if cut:
                        proxy.cut_after(way, size)
                    give = self.copy_args(source, target, table, copy, "--split-rows", "400")
                    code, said = self.node.call(*give)
                    if not cut or code or proxy.cuts > cuts:
                        break
                    size = size // 2 + 100
                passed = [proxy.passed[i] - before[i] for i in (0, 1)]
                what = f"{name}, {side}, {'to' if way == 0 else 'from'} it, {'after %d of %d bytes' % (size, whole[way]) if cut else 'uncut'}"
                if cut and code:
                    self.expect(f"{what}: says why", (code, said), (74, 75, 76), BROKE)
                    for _ in range(3):
                        if code:
                            code, said = self.node.call(*give)
                proxy.cut_after(way, None)
                self.tap.line(code == 0 and (not cut or proxy.cuts > cuts), f"{what}: is given again and ends", f"exit {code}, {proxy.cuts - cuts} cuts", said)
                self.equal(f"{what}: equal", source, target, table, copy)
                if not cut:
                    whole = passed

    def stream_cut(self, what, source, target, table, proxy):
        source.fill(table, 3000)
        source.fill(table + "_pair", 1)
        name = table
        code, said = self.stream_start(name, source, target, [table])
        if not self.tap.line(code == 0, f"{what}: starts", said):
            return
        writer = source.writer().prepare(table, 3000, f"{SEED}/{what}")
        writer.every = 0.02 if target.transactions else 0.2  # a row at a time goes slowly there
        writer.going.set()
        writer.start()
        rnd = random.Random(f"{SEED}/{what}/cuts")
        cuts = 0
        for _ in range(2 * ROUNDS):
            for way in (0, 1):
                before = proxy.cuts
                proxy.cut_after(way, rnd.randrange(100, 60000 if way != (table[-1] == "s") else 4000))
                if not until(10, lambda before=before: proxy.cuts > before, 0.05):
                    proxy.cut_all()
                cuts += proxy.cuts > before
                time.sleep(rnd.uniform(0, 0.4))
        writer.hold()
        self.tap.line(cuts >= 2 * ROUNDS, f"{what}: {cuts} cuts in mid-work", self.node.call("replicate", "status", name)[1])
        self.equal(f"{what}: equal after {cuts} cuts", source, target, table, seconds=120)
        writer.end()
        self.stream_stop(name)

    # ---- servers and networks that say nothing ----

    patient = None
    WAITS = r"did not answer|does not answer|no answer|time.?out|timed out|took longer|can(not|'t) connect|connection .*(broke|closed|lost)|gone away|no suitable servers|connection was lost, or nothing came"

    def patient_node(self):
        """A node that waits 4 seconds for a store, where others wait 30."""
        if not self.patient:
            self.patient = self.lab.node_new("c")
            with open(os.path.join(self.patient.home, "entente.conf"), "a", encoding="utf-8") as f:
                f.write("\nsource_timeout_ms = 4000\n")
            self.tap.line(self.patient.start(), "a node that waits 4 s for a store", self.patient.log_tail())
        return self.patient

    def silent(self, kinds):
        """A store stands still, or its network swallows everything, in the middle of a comparison: the command ends with a reason and is right afterwards."""
        name = f"silent {'-'.join(kinds)}"
        pair = self.stores(name, *kinds)
        if not pair:
            return
        node = self.patient_node()
        table = "silent_" + "_".join(kinds)
        pair[0].fill(table, 10000)
        copied = self.node.call(*self.copy_args(*pair, table, table + "_copy"))
        if not self.tap.line(copied[0] == 0, f"{name}: a copy", copied):
            return
        for store, side in zip(pair, ("source", "target")):
            proxy = Proxy(store.port)
            for how in ("frozen", "swallowed", "frozen in its middle", "swallowed in its middle"):
                if "middle" in how:
                    proxy.hold_after(60000, 1)
                store.via = proxy.port
                start = time.monotonic()
                self.silence(store, proxy, how, True) if "middle" not in how else None
                key = "_id" if kinds[0] == "mongo" else "id"
                run = node.popen("compare", pair[0].url(table), pair[1].url(table + "_copy"), "--rows", "--key", key, *pair[0].options(""),
                                 *pair[1].options("dst-"))
                store.via = None
                if "middle" in how:
                    held = until(20, lambda run=run, proxy=proxy: proxy.held() or run.poll() is not None, 0.01) and run.poll() is None
                    self.tap.line(held, f"{name}, {side} {how}: is reading")
                    self.silence(store, proxy, how, True)
                    proxy.release()
                try:
                    said = run.communicate(timeout=60 * PATIENCE)[0]
                except subprocess.TimeoutExpired:
                    node.print_threads()
                    run.kill()
                    said = "no end: " + run.communicate()[0]
                self.silence(store, proxy, how, False)
                took = f"{time.monotonic() - start:.0f} s"
                if how == "frozen in its middle" and run.returncode == 0:  # its buffers held the rest
                    self.tap.line("equal" in said, f"{name}, {side} {how}: had sent everything, {took}", said)
                else:
                    self.expect(f"{name}, {side} {how}: says why after {took}", (run.returncode, said), (74, 75, 76), self.WAITS)
                proxy.cut_all()
                code, said = node.call("compare", pair[0].url(table), pair[1].url(table + "_copy"), "--key", key, *pair[0].options(""), *pair[1].options("dst-"))
                self.tap.line(code == 0, f"{name}, {side} {how}: equal when it is back", f"exit {code}", said)
            proxy.end()

    @staticmethod
    def silence(store, proxy, how, on):
        if how.startswith("frozen"):
            store.freeze(on)
        else:
            proxy.silence(on)

    # ---- changes right behind the copy ----

    def behind_copy(self, kinds):
        """Without any break between the copy and what follows, changes must win over the rows that were copied."""
        name = f"behind the copy {'-'.join(kinds)}"
        pair = self.stores(name, *kinds)
        if not pair:
            return
        source, target = pair
        table = f"behind_{kinds[1]}"
        if self.streaming(name, table, source, target, table, 1000):
            source.run(f"UPDATE {table} SET n = n + 1 WHERE id < 100; DELETE FROM {table} WHERE id BETWEEN 200 AND 300;")
            self.equal(f"{name}: changes win", source, target, table)
            self.stream_stop(table)

    # ---- positions that are gone ----

    def slot(self):
        pair = self.stores("slot", "postgres", "postgres")
        if not pair:
            return
        source, target = pair
        for kind in ("dropped", "dropped and made again"):
            name = "slot_" + str(len(kind))
            if not self.streaming(f"slot {kind}", name, source, target, name):
                return
            self.node.call("replicate", "pause", name)
            self.says(f"slot {kind}: paused", name, r"state +paused\b")
            idle = "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical' AND NOT active"
            until(60, lambda: source.run(idle))  # a sender takes a moment to see that its client is gone
            slot = source.run(idle)
            source.run(f"UPDATE {name} SET n = n + 1 WHERE id < 50;")
            source.run(f"SELECT pg_drop_replication_slot('{slot}')")
            if kind != "dropped":
                source.run(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
            source.run(f"UPDATE {name} SET n = n + 1 WHERE id BETWEEN 50 AND 60;")
            self.node.call("replicate", "resume", name)
            self.says(f"slot {kind}: the stream stops and says why", name, r"state +failed.*slot")
            self.tap.line(self.compare(source, target, name)[0] == 1, f"slot {kind}: nothing behind the gap was applied")
            self.stream_stop(name)

    def binlog(self, kind):
        pair = self.stores(f"binlog of {kind}", kind, "postgres")
        if not pair:
            return
        source, target = pair
        for what, sql in (("purged", "PURGE BINARY LOGS TO '{last}'"), ("begun anew", "RESET MASTER")):
            name = f"log_{kind}_{what[:1]}"
            if not self.streaming(f"binlog of {kind} {what}", name, source, target, name):
                return
            self.node.call("replicate", "pause", name)
            self.says(f"binlog of {kind} {what}: paused", name, r"state +paused\b")
            source.run(f"UPDATE {name} SET n = n + 1 WHERE id < 50; FLUSH BINARY LOGS; UPDATE {name} SET n = n + 1 WHERE id < 40; FLUSH BINARY LOGS;")
            logs = lambda: [one.split()[0] for one in source.run("SHOW BINARY LOGS").splitlines()]
            last = logs()[-1]

            def gone(sql=sql, last=last, logs=logs):  # a log that somebody still reads stays
                source.run(sql.format(last=last) + ";")
                return sql.startswith("RESET") or logs()[0] == last
            self.tap.line(until(60, gone, 0.5), f"binlog of {kind}: is {what}")
            source.run(f"UPDATE {name} SET n = n + 1 WHERE id BETWEEN 50 AND 60;")
            self.node.call("replicate", "resume", name)
            self.says(f"binlog of {kind} {what}: the stream stops and says why", name, r"state +failed.*(binary log|binlog|position)")
            self.tap.line(self.compare(source, target, name)[0] == 1, f"binlog of {kind} {what}: nothing behind the gap was applied")
            self.stream_stop(name)

    # ---- tables altered ----

    def target_altered(self, kind):
        pair = self.stores(f"target altered, {kind}", "postgres", kind)
        if not pair:
            return
        source, target = pair
        for n, (what, sql, text) in enumerate((("a column dropped", "ALTER TABLE {t} DROP COLUMN w", r"(failed|stopped).*\bw\b"),
                                               ("a column narrowed", "ALTER TABLE {t} DROP COLUMN name; ALTER TABLE {t} ADD COLUMN name VARCHAR(3)", r"(failed|stopped).*name"),
                                               ("the table dropped", "DROP TABLE {t}", r"(failed|stopped).*(no table|does not exist|doesn't exist|not there|gone)"))):
            name = f"altered_{kind}_{n}"
            if not self.streaming(f"target {kind}, {what}", name, source, target, name):
                return
            target.run(sql.format(t=name + "_copy") + ";")
            source.run(f"UPDATE {name} SET n = n + 1, name = 'longer than three' WHERE id < 50;")
            self.says(f"target {kind}, {what}: the stream stops and says why", name, r"state +" + text if n else r"(failed|stopped).*\bw\b", 90)
            self.stream_stop(name)
        name = f"widened_{kind}"
        if self.streaming(f"target {kind}, a column more", name, source, target, name):
            target.run(f"ALTER TABLE {name}_copy ADD COLUMN extra integer;")
            source.run(f"UPDATE {name} SET n = n + 1 WHERE id < 50;")
            target_has = lambda: self.node.call("compare", source.url(name), target.url(name + "_copy"), "--key", "id", "--columns", "id,name,n,w", *source.options(""), *target.options("dst-"))[0] == 0
            self.tap.line(until(60, target_has, 0.3), f"target {kind}, a column more: it is left alone and the stream goes on", self.node.call("replicate", "status", name)[1])
            self.stream_stop(name)

    def copy_interrupted(self, source, target, table, copy, rows=30000):
        """A copy whose node died somewhere in the middle, by the bytes that had reached the target; the arguments that give it again, by way of a proxy."""
        source.fill(table, rows)
        proxy = Proxy(target.port)
        target.via = proxy.port
        give = self.copy_args(source, target, table, copy, "--split-rows", "100")
        target.via = None
        proxy.hold_after(rows * 20)
        run = self.node.popen(*give)
        held = until(60, lambda: proxy.held() or run.poll() is not None, 0.02) and run.poll() is None
        self.node.kill()
        proxy.release()
        said = run.communicate()[0]
        left = self.tap.line(held and run.returncode == 69 and self.splits_done(target) > 0, f"{copy}: the node dies in the middle of a copy",
                             f"exit {run.returncode}", said)
        self.tap.line(self.node.start(), f"{copy}: and is back")
        return give if left else None

    @staticmethod
    def splits_done(target):
        try:
            return int(target.run("SELECT count(*) FROM _entente_checkpoint WHERE cursor LIKE 'done %';" if isinstance(target, STORES["postgres"])
                                  else "SELECT count(*) FROM _entente_checkpoint WHERE `cursor` LIKE 'done %';") or 0)
        except RuntimeError:
            return 0

    def altered_in_copy(self, kind):
        pair = self.stores(f"altered in a copy, {kind}", "postgres", kind)
        if not pair:
            return
        source, target = pair
        for n, (what, store, sql, codes, text) in enumerate((
                ("a column more at the source", source, "ALTER TABLE {s} ADD COLUMN extra integer", (2, 65), "columns changed|column extra "),
                ("a column less at the source", source, "ALTER TABLE {s} DROP COLUMN w", (65,), "columns changed since"),
                ("another type at the source", source, "ALTER TABLE {s} ALTER COLUMN n TYPE text USING n::text", (2, 65), "columns changed|column n "),
                ("a column less at the target", target, "ALTER TABLE {t} DROP COLUMN w", (2, 65, 66), r"\bw\b"),
                ("no table at the target", target, "DROP TABLE {t}", (65,), "not there any more"))):
            table = f"mid_{kind}_{n}"
            give = self.copy_interrupted(source, target, table, table + "_copy")
            if not give:
                continue
            store.run(sql.format(s=table, t=table + "_copy") + ";")
            self.expect(f"copy to {kind}, {what}: says so", self.node.call(*give), codes, text)
            if n != 4:
                target.run(f"DROP TABLE {table}_copy;")
            code, said = self.node.call(*give, "--restart")
            self.tap.line(code == 0, f"copy to {kind}, {what}: begins anew when told to", said) and self.equal(f"copy to {kind}, {what}: equal", source, target, table)

    def source_altered(self, kind):
        pair = self.stores(f"source altered, {kind}", kind, "postgres")
        if not pair:
            return
        source, target = pair
        name, other = f"grown_{kind}", f"other_{kind}"
        source.fill(name, 1000)
        source.fill(other, 1000)
        code, said = self.stream_start(name, source, target, [name, other])
        if not self.tap.line(code == 0, f"source {kind} altered: a stream of two tables", said):
            return
        self.equal(f"source {kind} altered: copied", source, target, name)
        source.run(f"ALTER TABLE {name} ADD COLUMN extra varchar(20); UPDATE {name} SET extra = 'more' WHERE id < 100;")
        self.equal(f"source {kind} altered: a nullable column more is applied", source, target, name)
        source.run(f"ALTER TABLE {name} DROP COLUMN w; UPDATE {name} SET n = 0 WHERE id < 10; UPDATE {other} SET n = 0 WHERE id < 10;")
        self.says(f"source {kind} altered: a column less stops its table", name, r"stopped +\S*" + name + r"\S*: .*\bw\b")
        self.equal(f"source {kind} altered: the other table goes on", source, target, other)
        self.stream_stop(name)

    # ---- no room ----

    def tmpfs(self, name, folder, size, owner=None):
        os.makedirs(folder, exist_ok=True)
        if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "entente-test", folder], capture_output=True, check=False).returncode:
            self.tap.skip(name, "a small file system needs the right to mount one")
            return False
        self.mounts.append(folder)
        if owner:
            subprocess.run(["chown", owner, folder], check=False)
        return True

    mounts = []

    def unmount(self, folder):
        subprocess.run(["umount", "-l", folder], capture_output=True, check=False)
        self.mounts.remove(folder)

    def full_target(self, kind):
        name = f"disk full at {kind}"
        if not self.stores(name, "postgres", kind):
            return
        source = self.lab.store("source", "postgres")
        target = STORES[kind](self.lab, f"{kind}-small")
        if not self.tmpfs(name, target.folder, {"postgres": "110m", "mariadb": "260m"}[kind]):
            return
        self.lab.stores[f"{kind}-small"] = target
        if not self.tap.line(target.start(), f"{name}: a server in a small place"):
            return
        filler = os.path.join(target.folder, "filler")
        room = os.statvfs(target.folder)
        with open(filler, "wb") as f:
            f.write(bytes(max(0, room.f_bavail * room.f_bsize - 1200000)))
        table = f"full_{kind}"
        source.fill(table, 40000)
        give = self.copy_args(source, target, table, table + "_copy", "--split-rows", "2000")
        got = self.node.call(*give)
        self.expect(f"{name}: the copy stops and says so", got, (74, 75), r"no space|disk full|is full|could not (extend|write)|Got error 28")
        os.unlink(filler)
        if not target.pid_alive():
            target.back()
        code, said = self.node.call(*give)
        for _ in range(5):
            if code:
                target.pid_alive() or target.back()
                code, said = self.node.call(*give)
        self.tap.line(code == 0, f"{name}: with room again it goes on", f"exit {code}", said)
        self.equal(f"{name}: equal", source, target, table)
        target.stop()
        self.unmount(target.folder)
        del self.lab.stores[f"{kind}-small"]

    def full_file(self):
        """A target that is a file of the node itself: its size has a limit."""
        pair = self.stores("file full", "postgres", "sqlite")
        if not pair:
            return
        source, target = pair
        source.fill("filefull", 40000)
        give = self.copy_args(source, target, "filefull", "filefull_copy", "--split-rows", "2000")
        node = self.lab.node_new("limited")  # its own files must stay below the limit
        self.tap.line(node.start(file_size=1000000), "file full: a node whose files cannot grow beyond 1 MB", node.log_tail())
        self.expect("file full: the copy stops and says so", node.call(*give), (74,), r"full|too large|no space|disk I/O|grow")
        node.kill()
        self.tap.line(node.start(), "file full: without the limit", node.log_tail())
        code, said = node.call(*give)
        self.tap.line(code == 0, "file full: it goes on", f"exit {code}", said)
        self.equal("file full: equal", source, target, "filefull")

    def full_home(self):
        """No room in the node's HOME: nothing is lost, the copy says so or is entered later."""
        name = "HOME full"
        pair = self.stores(name, "postgres", "postgres")
        if not pair:
            return
        source, target = pair
        from faultlab import Node
        small = Node(self.lab.work, "small")
        if not self.tmpfs(name, small.home, "12m"):
            return
        self.lab.nodes.append(small)
        code, said = small.init()
        if not self.tap.line(code == 0 and small.start(), f"{name}: a node in a small place", said):
            return
        source.fill("homefull", 20000)
        filler = os.path.join(small.home, "filler")
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        give = self.copy_args(source, target, "homefull", "homefull_copy", "--split-rows", "2000")
        got = small.call(*give)
        self.expect(f"{name}: the copy says so", got, (74, 75), r"no space|full|room|written|I/O")
        os.unlink(filler)
        small.process.poll() is None or small.start()
        code, said = small.call(*give)
        if code:
            small.kill()
            small.start()
            code, said = small.call(*give)
        done = code == 0 or (code == 2 and "exists" in said)
        self.tap.line(done, f"{name}: with room again it ends", f"exit {code}", said)
        self.equal(f"{name}: equal", source, target, "homefull")
        code, said = small.call("ledger", "verify")
        self.tap.line(code == 0, f"{name}: its ledger holds", said)
        small.kill()
        self.unmount(small.home)

    # ---- two nodes, one job ----

    other = None

    def second_node(self):
        if not self.other:
            self.other = self.lab.node_new("b")
            self.tap.line(self.other.start(), "a second node")
        return self.other

    def two_copies(self, kinds, half):
        """The first node is frozen in mid-copy, the second one gives the same copy (and is frozen in its middle, or ends), the first wakes up."""
        name = f"two nodes, copy {'-'.join(kinds)}, the second {'in its middle' if half else 'done'}"
        pair = self.stores(name, *kinds)
        if not pair:
            return
        source, target = pair
        other = self.second_node()
        table = f"two_{kinds[0]}_{kinds[1]}_{int(half)}"
        rows = 3000 if kinds[0] == "mongo" else 30000
        source.fill(table, rows)
        proxy = Proxy(target.port)  # it tells when a copy is in its middle
        target.via = proxy.port
        give = self.copy_args(source, target, table, table + "_copy", "--split-rows", "100", "--parallel", "1")
        target.via = None
        rnd = random.Random(f"{SEED}/{name}")

        def to_the_middle(node, seconds):
            proxy.hold_after(int(rows * rnd.uniform(5, 15)))
            copy = node.popen(*give)
            return copy, until(seconds, lambda: proxy.held() or copy.poll() is not None, 0.01) and copy.poll() is None

        first, there = to_the_middle(self.node, 60)
        self.tap.line(there, f"{name}: the first is in mid-work")
        os.kill(self.node.process.pid, signal.SIGSTOP)
        proxy.release()
        if half:
            second, _ = to_the_middle(other, 5)  # the frozen one may hold a lock that it needs to begin
        else:
            second = other.popen(*give)
            try:
                second.wait(120 * PATIENCE)
            except subprocess.TimeoutExpired:
                pass
        os.kill(self.node.process.pid, signal.SIGCONT)
        proxy.release()
        first_said = first.communicate(timeout=120 * PATIENCE)[0]
        second_said = second.communicate(timeout=120 * PATIENCE)[0]
        code = second.returncode
        locked = code == 75 and re.search("lock (wait|timeout)", second_said, re.I)  # the frozen one held a lock
        if locked and first.returncode == 0:  # ... which the second needed to take over: it said so, and the job stayed the first's
            self.tap.line(True, f"{name}: the second cannot take over, the first ends")
        else:
            self.expect(f"{name}: the first is told", (first.returncode, first_said), (75,), OVERTAKEN)
            if locked:
                code, second_said = other.call(*give)
            self.tap.line(code == 0, f"{name}: the second ends", f"exit {code}", second_said)
        self.equal(f"{name}: equal", source, target, table)

    def two_streams(self, kinds):
        name = f"two nodes, stream {'-'.join(kinds)}"
        pair = self.stores(name, *kinds)
        if not pair:
            return
        source, target = pair
        other = self.second_node()
        stream = f"twice_{kinds[0]}_{kinds[1]}"
        source.fill(stream + "_pair", 1)
        if not self.streaming(name, stream, source, target, stream):
            return
        writer = source.writer().prepare(stream, 2000, f"{SEED}/{name}")
        writer.going.set()
        writer.start()
        time.sleep(1)
        code, said = self.stream_start(stream, source, target, [stream], other)
        self.tap.line(code == 0, f"{name}: the second node takes the stream over", said)
        self.says(f"{name}: the first stops and says why", stream, r"state +failed.*" + OVERTAKEN, 120)
        writer.hold()
        self.equal(f"{name}: equal", source, target, stream, seconds=120)
        told = other.stream(stream)
        self.tap.line(bool(told) and told["state"] == "running", f"{name}: the second goes on", json.dumps(told))
        writer.end()
        self.node.call("replicate", "stop", stream, "--keep")
        other.call("replicate", "stop", stream)
        until(40, lambda: other.stream(stream) is None, 0.2)

    # ---- all ----

    def scenarios(self):
        for kinds in (("postgres", "postgres"), ("postgres", "mariadb"), ("mysql", "postgres"), ("mariadb", "postgres"), ("mongo", "postgres"), ("postgres", "cassandra")):
            yield "cut-" + "-".join(kinds), lambda kinds=kinds: self.cuts(kinds)
        for kinds in (("postgres", "cassandra"), ("mysql", "postgres"), ("mongo", "mariadb")):
            yield "silent-" + "-".join(kinds), lambda kinds=kinds: self.silent(kinds)
        for kinds in (("postgres", "cassandra"), ("postgres", "mongo"), ("mysql", "postgres")):
            yield "behind-" + "-".join(kinds), lambda kinds=kinds: self.behind_copy(kinds)
        yield "slot", self.slot
        for kind in ("mariadb", "mysql"):
            yield f"binlog-{kind}", lambda kind=kind: self.binlog(kind)
        for kind in ("postgres", "mariadb"):
            yield f"target-{kind}", lambda kind=kind: self.target_altered(kind)
            yield f"midcopy-{kind}", lambda kind=kind: self.altered_in_copy(kind)
            yield f"full-{kind}", lambda kind=kind: self.full_target(kind)
        for kind in ("postgres", "mariadb", "mysql"):
            yield f"source-{kind}", lambda kind=kind: self.source_altered(kind)
        yield "full-file", self.full_file
        yield "full-home", self.full_home
        for kinds in (("postgres", "postgres"), ("postgres", "mariadb"), ("mysql", "postgres"), ("postgres", "cassandra"), ("postgres", "mongo")):
            for half in (False, True):
                yield f"two-copies-{'-'.join(kinds)}", lambda kinds=kinds, half=half: self.two_copies(kinds, half)
        for kinds in (("postgres", "postgres"), ("mysql", "postgres"), ("mongo", "postgres"), ("postgres", "cassandra")):
            yield f"two-streams-{'-'.join(kinds)}", lambda kinds=kinds: self.two_streams(kinds)

    def run(self):
        print(f"# ENT_SEED={SEED}", flush=True)
        try:
            if self.tap.line(self.node.start(), "a node"):
                for name, run in self.scenarios():
                    if ONLY and not any(name.startswith(o) for o in ONLY):
                        continue
                    start = time.monotonic()
                    run()
                    print(f"# {name}: {time.monotonic() - start:.0f} s", flush=True)
                code, said = self.node.call("ledger", "verify")
                self.tap.line(code == 0, "the ledger holds", said)
        finally:
            for folder in list(self.mounts):
                for node in self.lab.nodes:
                    node.kill()
                self.unmount(folder)
        return self.tap.end()


sys.exit(Mishaps().run())
