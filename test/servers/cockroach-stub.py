#!/usr/bin/env python3
"""Imitates what CockroachDB does otherwise than PostgreSQL, in front of a real PostgreSQL: its version, its clock, AS OF SYSTEM TIME, changefeeds
without a sink (rows at least once and shuffled, marks), retries (40001), statements it does not know. All other messages pass through.
No CockroachDB ran to check it against: it follows the public documentation.

usage: cockroach-stub.py PORT POSTGRES-PORT          prints "ready" once it listens on 127.0.0.1
The database needs the statements that `cockroach-stub.py setup` prints, and track_commit_timestamp = on; tables named ...change... can be followed.
Statements to the imitation itself:  SET entente_stub.fail = 'N PATTERN'   the next N statements with PATTERN fail with 40001
  SET entente_stub.gc = 'now'    history before now is gone          SET entente_stub.old = '1'    min_checkpoint_frequency is unknown
  SET entente_stub.cut = '1'     changefeeds lose their connection   SET entente_stub.rangefeed = 'off'"""
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

SETUP = """
CREATE SCHEMA stub;
CREATE TABLE stub.log (seq bigserial PRIMARY KEY, tab text NOT NULL, key jsonb, after jsonb);
CREATE FUNCTION stub.note() RETURNS trigger LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE old_key jsonb; new_key jsonb;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN INSERT INTO stub.log (tab) VALUES (TG_TABLE_NAME); RETURN NULL; END IF;
  IF TG_OP <> 'INSERT' THEN SELECT jsonb_agg(to_jsonb(OLD) -> a ORDER BY i) INTO old_key FROM unnest(TG_ARGV) WITH ORDINALITY AS u(a, i); END IF;
  IF TG_OP <> 'DELETE' THEN SELECT jsonb_agg(to_jsonb(NEW) -> a ORDER BY i) INTO new_key FROM unnest(TG_ARGV) WITH ORDINALITY AS u(a, i); END IF;
  IF old_key IS DISTINCT FROM new_key AND old_key IS NOT NULL THEN INSERT INTO stub.log (tab, key) VALUES (TG_TABLE_NAME, old_key); END IF;
  IF new_key IS NOT NULL THEN INSERT INTO stub.log (tab, key, after) VALUES (TG_TABLE_NAME, new_key, to_jsonb(NEW)); END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION stub.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE r record; names text;
BEGIN
  FOR r IN SELECT c.oid, c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE '\\_entente%'
    AND c.relname LIKE '%change%' AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'stub_note')
  LOOP
    SELECT string_agg(quote_literal(a.attname), ', ' ORDER BY u.at) INTO names FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS u(num, at)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num WHERE i.indrelid = r.oid AND i.indisprimary;
    CONTINUE WHEN names IS NULL;
    EXECUTE format('CREATE TRIGGER stub_note AFTER INSERT OR UPDATE OR DELETE ON public.%I FOR EACH ROW EXECUTE FUNCTION stub.note(%s)', r.relname, names);
    EXECUTE format('CREATE TRIGGER stub_cut AFTER TRUNCATE ON public.%I FOR EACH STATEMENT EXECUTE FUNCTION stub.note()', r.relname);
  END LOOP;
END $$;
CREATE EVENT TRIGGER stub_watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION stub.watch();
"""
VERSION = "CockroachDB CCL v23.1.30 (x86_64-pc-linux-gnu, built 2024/11/18 16:01:52, go1.22.8)"
CLUSTER = "6b1f6b3c-0d5e-4f1c-9a53-7c1a1f0e2d11"
BEHIND_MS = 300  # a transaction of PostgreSQL is seen within so long after its commit time
RESOLVED_MS = int(os.environ.get("STUB_RESOLVED_MS", "300"))
UNKNOWN = [  # what CockroachDB refuses, and how
    (r"^\s*(PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED)", "0A000", "unimplemented: two-phase commit"),
    (r"pg_export_snapshot|pg_partition_tree|hashtextextended", "42883", "unknown function"),
    (r"\bctid\b", "42703", 'column "ctid" does not exist'),
    (r"OVERRIDING SYSTEM VALUE|TABLESAMPLE|CREATE UNLOGGED", "42601", "at or near the end: syntax error"),
    (r"FORMAT binary", "0A000", "unimplemented: binary COPY"),
    (r"LATERAL \(\s*WITH", "0A000", "unimplemented: CTEs may not be correlated"),
    (r"CREATE PUBLICATION|REPLICATION", "0A000", "unimplemented: this syntax"),
    (r"SET TRANSACTION SNAPSHOT", "0A000", "unimplemented: snapshots of transactions"),
]
state = {"fail": 0, "pattern": "", "gc": 0, "old": False, "rangefeed": True, "cut": 0}
snapshots = {}  # time -> name; their sessions stay open
holders = []
lock = threading.Lock()


def now_us():
    return int(time.time() * 1000000)


class Gone(Exception):
    pass


class Side:
    """One end of a connection, as messages."""

    def __init__(self, sock):
        self.sock, self.buf = sock, b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise Gone
        self.buf += more

    def whole(self):
        if len(self.buf) < 5:
            return None
        n = struct.unpack(">I", self.buf[1:5])[0] + 1
        if len(self.buf) < n:
            return None
        m, self.buf = self.buf[:n], self.buf[n:]
        return m

    def message(self):
        while True:
            m = self.whole()
            if m:
                return m
            self.fill()

    def send(self, data):
        self.sock.sendall(data)


def message(kind, body):
    return kind + struct.pack(">I", len(body) + 4) + body


def query(sql):
    return message(b"Q", sql.encode() + b"\0")


def failure(code, text):
    return message(b"E", b"SERROR\0VERROR\0C" + code.encode() + b"\0M" + text.encode() + b"\0\0")


def raising(code, text):
    return "DO $stub$ BEGIN RAISE EXCEPTION USING MESSAGE = '%s', ERRCODE = '%s'; END $stub$" % (text.replace("'", "''"), code)


class Session:
    def __init__(self, client, port):
        self.client, self.port = Side(client), port
        self.server = None
        self.skip = None  # the failure of statements until Sync
        self.as_of = False
        self.startup = b""
        self.status = b"I"

    # --- own statements ---
    def hidden(self, sql):
        """Runs sql unseen by the client; its rows as lists of texts. A failure is raised as text."""
        self.server.send(query(sql))
        rows, wrong = [], None
        while True:
            m = self.server.message()
            if m[:1] == b"D":
                n, at, row = struct.unpack(">H", m[5:7])[0], 7, []
                for _ in range(n):
                    size = struct.unpack(">i", m[at:at + 4])[0]
                    row.append(None if size < 0 else m[at + 4:at + 4 + size].decode())
                    at += 4 + max(size, 0)
                rows.append(row)
            elif m[:1] == b"E":
                wrong = m[5:].decode(errors="replace")
            elif m[:1] == b"Z":
                if wrong:
                    raise RuntimeError(wrong)
                return rows

    # --- what differs ---
    def control(self, sql):
        m = re.match(r"\s*SET entente_stub\.(\w+) = '([^']*)'", sql)
        if not m:
            return False
        name, value = m.groups()
        with lock:
            if name == "fail":
                n, _, pattern = value.partition(" ")
                state.update(fail=int(n), pattern=pattern)
            elif name == "gc":
                state["gc"] = now_us()
            elif name == "cut":
                state["cut"] += 1
            elif name == "old":
                state["old"] = value == "1"
            elif name == "rangefeed":
                state["rangefeed"] = value != "off"
        return True

    def fails_now(self, sql):
        with lock:
            if state["fail"] and state["pattern"] in sql:
                state["fail"] -= 1
                return True
        return False

    def rewrite(self, sql):
        """What PostgreSQL is asked instead; or ("fail", code, text)."""
        if self.control(sql):
            return "SELECT 1"
        if self.fails_now(sql):
            return ("fail", "40001", "restart transaction: TransactionRetryWithProtoRefreshError: imitated")
        for pattern, code, text in UNKNOWN:
            if re.search(pattern, sql):
                return ("fail", code, text)
        if re.fullmatch(r"\s*SELECT version\(\)\s*", sql):
            return "SELECT '%s' AS version" % VERSION
        if "cluster_logical_timestamp()" in sql:
            t = now_us()
            time.sleep(BEHIND_MS / 1000)
            remember(t, self)
            sql = sql.replace("cluster_logical_timestamp()", "%d000.0000000000::decimal" % t)
        sql = sql.replace("crdb_internal.cluster_id()", "'%s'::uuid" % CLUSTER)
        m = re.search(r" AS OF SYSTEM TIME '(\d+)\.\d+'", sql)
        if m:
            name = snapshots.get(int(m.group(1)) // 1000)
            if not name or int(m.group(1)) // 1000 < state["gc"]:
                return ("fail", "XXUUU", "batch timestamp %s must be after replica GC threshold" % m.group(1))
            self.hidden("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self.hidden("SET TRANSACTION SNAPSHOT '%s'" % name)
            self.as_of = True
            sql = sql.replace(m.group(0), "")
        return sql

    # --- messages ---
    def simple(self, m):
        sql = m[5:-1].decode()
        if re.match(r"\s*EXPERIMENTAL CHANGEFEED FOR", sql):
            Feed(self, sql).run()
            raise Gone
        out = self.rewrite(sql)
        if isinstance(out, tuple):
            self.fail(out)
        else:
            self.server.send(query(out))

    def fail(self, out):
        self.server.send(query(raising(out[1], out[2])))

    def parse(self, m):
        end = m.index(b"\0", 5)
        sql_end = m.index(b"\0", end + 1)
        sql = m[end + 1:sql_end].decode()
        out = self.rewrite(sql)
        if isinstance(out, tuple):
            self.skip = out if sql.strip() != "COMMIT" else "COMMIT"
            self.failure = out
            return
        self.server.send(message(b"P", m[5:end + 1] + out.encode() + m[sql_end:]))

    def from_client(self, m):
        kind = m[:1]
        if self.skip:
            if kind == b"S" and self.skip == "COMMIT":  # a transaction that fails at its end is over
                self.hidden("ROLLBACK")
                self.client.send(failure(self.failure[1], self.failure[2]) + message(b"Z", b"I"))
                self.skip = None
            elif kind == b"S":
                self.fail(self.skip)
                self.skip = None
        elif kind == b"Q":
            self.simple(m)
        elif kind == b"P":
            self.parse(m)
        else:
            self.server.send(m)

    def from_server(self, m):
        if m[:1] == b"Z" and self.as_of:
            self.as_of = False
            self.hidden("COMMIT" if m[5:6] == b"T" else "ROLLBACK")
            m = message(b"Z", b"I")
        self.client.send(m)

    def start(self):
        while True:
            while len(self.client.buf) < 8:
                self.client.fill()
            n, code = struct.unpack(">II", self.client.buf[:8])
            while len(self.client.buf) < n:
                self.client.fill()
            first, self.client.buf = self.client.buf[:n], self.client.buf[n:]
            if code in (80877103, 80877104):  # no TLS here
                self.client.send(b"N")
                continue
            self.server = Side(socket.create_connection(("127.0.0.1", self.port)))
            self.server.send(first)
            if code == 80877102:
                raise Gone
            if b"\0replication\0" in first:
                self.client.send(failure("0A000", "unimplemented: replication connections"))
                raise Gone
            return

    def run(self):
        try:
            self.start()
            while True:
                for side, take in ((self.client, self.from_client), (self.server, self.from_server)):
                    for m in iter(side.whole, None):
                        take(m)
                ends = [self.client.sock, self.server.sock]
                readable = select.select(ends, [], [], 10)[0]
                for side in (self.client, self.server):
                    if side.sock in readable:
                        side.fill()
        except (Gone, OSError):
            pass
        finally:
            for side in (self.client, self.server):
                if side:
                    side.sock.close()


def remember(t, session):
    """Keeps a session open that holds what the tables were at t: the client's own connection shows how to log in, so psql does it."""
    p = subprocess.Popen(["psql", "-qAtX", "-h", "127.0.0.1", "-p", str(session.port), "-U", "test", "-d", "test"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();\n")
    p.stdin.flush()
    name = p.stdout.readline().strip()
    with lock:
        snapshots[t] = name
        holders.append((t, p))
        while len(holders) > 8:
            old, q = holders.pop(0)
            snapshots.pop(old, None)
            q.kill()
            q.wait()


class Feed:
    """EXPERIMENTAL CHANGEFEED FOR tables WITH options, over the connection of a session."""

    def __init__(self, session, sql):
        self.s, self.sql = session, sql
        self.cut = state["cut"]
        names, _, options = sql.partition(" WITH ")
        self.tables = re.findall(r'"((?:[^"]|"")+)"(?:,|\s|$)', names)
        self.options = dict(re.findall(r"(\w+) = '([^']*)'", options))
        self.sent = set()

    def row(self, table, key, value):
        out = struct.pack(">H", 3)
        for cell in (table, key and "\\x" + key.encode().hex(), "\\x" + value.encode().hex()):
            out += struct.pack(">i", -1) if cell is None else struct.pack(">I", len(cell.encode())) + cell.encode()
        self.s.client.send(message(b"D", out))

    def refuse(self, code, text):
        self.s.client.send(failure(code, text) + message(b"Z", b"I"))

    def checks(self):
        cursor = int(self.options["cursor"].split(".")[0]) // 1000
        if state["old"] and "min_checkpoint_frequency" in self.options:
            return self.refuse("22023", 'invalid option "min_checkpoint_frequency"')
        if not state["rangefeed"]:
            return self.refuse("XXUUU", "rangefeeds require the kv.rangefeed.enabled setting")
        if cursor < state["gc"]:
            return self.refuse("XXUUU", "failed to resolve targets in the CHANGEFEED stmt: batch timestamp %d,0 must be after replica GC threshold" % cursor)
        return cursor

    def run(self):
        cursor = self.checks()
        if cursor is None:
            self.pass_on()
            return
        head = struct.pack(">H", 3)
        for name, oid in ((b"table", 25), (b"key", 17), (b"value", 17)):
            head += name + b"\0" + struct.pack(">IHIhih", 0, 0, oid, -1, -1, 0)
        self.s.client.send(message(b"T", head))
        told, since, last = cursor, [], 0
        while state["cut"] == self.cut:
            if select.select([self.s.client.sock], [], [], 0.05)[0]:
                self.s.client.fill()  # the only thing a client can say is that it leaves
            until = now_us() - BEHIND_MS * 1000
            rows = self.s.hidden(
                "SELECT seq, tab, key::text, after::text, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM stub.log "
                "WHERE (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint > %d" % told)
            rows = [r for r in rows if r[1] in self.tables]
            for r in rows:
                if r[2] is None:
                    self.refuse("XXUUU", 'table "%s" was truncated' % r[1])
                    return
            fresh = [r for r in rows if r[0] not in self.sent]
            self.emit(fresh)
            since = since + fresh
            if since and random.random() < 0.3:
                self.emit(random.sample(since, min(len(since), 20)))  # at least once
            if time.time() * 1000 - last >= RESOLVED_MS and until > told:
                last = time.time() * 1000
                told, since = until, [r for r in since if int(r[4]) > until]
                self.row(None, None, '{"resolved":"%d000.0000000000"}' % told)

    def emit(self, rows):
        by_key = {}
        for r in rows:
            by_key.setdefault((r[1], r[2]), []).append(r)
        keys = list(by_key)
        random.shuffle(keys)  # only versions of one row come in their order
        for k in keys:
            last = {r[4]: r for r in sorted(by_key[k], key=lambda r: int(r[0]))}  # a transaction leaves one version of a row
            self.sent.update(r[0] for r in by_key[k])
            for seq, tab, key, after, us in last.values():
                if after:
                    after = re.sub(r'("\d{4,}-\d\d-\d\dT[0-9:.]+)\+00:00"', r'\1Z"', after)
                self.row(tab, key, '{"after": %s, "updated": "%s000.0000000000"}' % (after or "null", us))

    def pass_on(self):
        """The feed was refused: the session goes on."""
        s = Session.__new__(Session)
        s.__dict__ = self.s.__dict__
        while True:
            m = s.client.message()
            if m[:1] == b"Q" and b"CHANGEFEED" in m:
                Feed(s, m[5:-1].decode()).run()
                raise Gone
            if m[:1] == b"X":
                raise Gone


def main():
    if sys.argv[1:] == ["setup"]:
        print(SETUP)
        return
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=Session(client, int(sys.argv[2])).run, daemon=True).start()


main()
