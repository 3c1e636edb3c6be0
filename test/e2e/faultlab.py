"""A place for faults: one node, throw-away servers from test/servers, a table that is written all the time, TAP lines. For faults.py and mishaps.py.

Environment: ENTENTE (the program); TMPDIR; PATIENCE (4): how much slower than usual the machine may be. Everything started here ends with the script, also when it is killed."""
import atexit
import ctypes
import json
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = os.path.join(HERE, "..", "servers")
sys.path.insert(0, SERVERS)
import ports  # noqa: E402 (beside the servers)

PROGRAM = os.environ.get("ENTENTE", "")
libc = ctypes.CDLL(None)


def dies_with_us():
    libc.prctl(1, signal.SIGKILL)


PATIENCE = float(os.environ.get("PATIENCE", "4"))


def until(seconds, check, every=0.1):
    """Waits for an event that is there after so many seconds at most on a usual machine."""
    end = time.monotonic() + seconds * PATIENCE
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [int(p) for p in found]


class Tap:
    def __init__(self):
        self.tests = self.failures = 0

    def line(self, ok, name, *details):
        self.tests += 1
        self.failures += not ok
        print(f"{'ok' if ok else 'not ok'} {self.tests} - {name}", flush=True)
        for text in [] if ok else details:
            for one in str(text).strip().splitlines()[:12]:
                print(f"# {one}", flush=True)
        return ok

    def skip(self, name, why):
        self.tests += 1
        print(f"ok {self.tests} - {name} # SKIP {why}", flush=True)

    def end(self):
        print(f"1..{self.tests}")
        return 1 if self.failures or not self.tests else 0


# ---- servers ----

class Store:
    """A store in its own folder. columns: of the table that fill makes; kill: whether it comes back with its rows after kill -9."""
    columns = "id bigint PRIMARY KEY, name varchar(80), n bigint, w double precision"
    keyless = "id bigint, name varchar(80), n bigint, w double precision"
    script = None
    kill = True
    transactions = True
    ca = None
    settings = {}  # environment of its script

    def __init__(self, lab, name):
        self.lab, self.folder, self.port = lab, os.path.join(lab.work, name), None
        self.secret = os.path.join(lab.work, "password")
        self.via = None  # port of a proxy in front of it

    def start(self):
        self.port = self.port or ports.take(1, 11)[0]
        r = subprocess.run([os.path.join(SERVERS, self.script), "start", self.folder, str(self.port)], capture_output=True, text=True, check=False,
                           stdin=subprocess.DEVNULL, env=dict(os.environ, **self.settings))
        for one in r.stderr.strip().splitlines()[-20:] if r.returncode else []:
            print(f"# {self.script}: {one}", flush=True)
        return r.returncode == 0

    def stop(self):
        if self.port:
            subprocess.run([os.path.join(SERVERS, self.script), "stop", self.folder], capture_output=True, check=False)

    def freeze(self, on):
        pid = self.pid()
        for one in [pid] + children(pid):
            os.kill(one, signal.SIGSTOP if on else signal.SIGCONT)

    def pid(self):
        with open(os.path.join(self.folder, self.pidfile), encoding="ascii") as f:
            return int(f.readline())

    def pid_alive(self):
        try:
            return alive(self.pid())
        except OSError:
            return False

    def crash(self):
        pid = self.pid()
        family = [pid] + children(pid)
        for one in family:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return until(20, lambda: not any(alive(p) for p in family), 0.02)

    def back(self):
        return until(90, self.start, 0.3)

    def options(self, prefix):
        list_ = [f"--{prefix}password-file", self.secret] if self.secret else []
        return list_ + ([f"--{prefix}ca-file", self.ca] if self.ca else [])

    def at(self):
        return self.via or self.port


class Sql(Store):
    def run(self, sql):
        r = subprocess.run(self.client(), input=sql, capture_output=True, text=True, check=False)
        if r.returncode:
            raise RuntimeError(r.stderr.strip()[:600] or f"exit {r.returncode}")
        return r.stdout.strip()

    def fill(self, table, rows, keyless=False):
        self.run(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({self.keyless if keyless else self.columns});")
        for first in range(1, rows + 1, 2000):
            values = (f"({i},'row {i} äöü',{i * 7919 % 10007},{i / 3 if i % 5 else 'NULL'})" for i in range(first, min(first + 2000, rows + 1)))
            self.run(f"INSERT INTO {table} VALUES {','.join(values)};")

    def writer(self):
        return SqlWriter(self)


class Postgres(Sql):
    script, pidfile = "postgres.sh", "data/postmaster.pid"

    @staticmethod
    def present():
        return any(os.path.exists(f"/usr/lib/postgresql/{v}/bin/initdb") for v in os.listdir("/usr/lib/postgresql")) \
            if os.path.isdir("/usr/lib/postgresql") else False

    def client(self):
        return ["psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", "test", "test"]

    def url(self, table=None):
        base = f"postgresql://test@127.0.0.1:{self.at()}/test?sslmode=verify-full&sslrootcert={self.folder}/ca.crt"
        return base + (f"#public.{table}" if table else "")

    def crash(self):
        pids = os.path.join(self.folder, "data", "postmaster.pid")
        done = super().crash()
        if done and os.path.exists(pids):
            os.unlink(pids)  # its number may be another process's by now
        return done


class MariaDb(Sql):
    script, pidfile = "mariadb.sh", "my.pid"

    @staticmethod
    def present():
        return os.path.exists("/usr/sbin/mariadbd")

    def client(self):
        return ["mariadb", "--no-defaults", "--protocol=tcp", "-N", "-B", "--default-character-set=utf8mb4", "-h", "127.0.0.1", "-P", str(self.port), "-u", "test",
                "test"]

    def url(self, table=None):
        return f"mysql://test@127.0.0.1:{self.at()}/test?{self.tls()}" + (f"#{table}" if table else "")

    def tls(self):
        return f"ca={self.folder}/ca.crt"

    def crash(self):
        done = super().crash()
        os.unlink(os.path.join(self.folder, "my.pid"))
        return done


class MySql(MariaDb):
    script = "mysql.sh"

    @staticmethod
    def present():
        return os.path.exists(os.path.join(cache(), "mysql-8.0.15/bin/mysqld")) and shutil.which("mariadb") is not None

    def tls(self):
        return "tls=required"  # the certificate it makes for itself names no host


class Cassandra(Store):
    script, pidfile, transactions = "cassandra.sh", "cassandra.pid", False

    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.secret = os.path.join(lab.work, "cassandra-password")
        self.ca = os.path.join(self.folder, "ca.crt")

    @staticmethod
    def present():
        return script_says("cassandra.sh")

    def url(self, table=None):
        return f"cassandra://cassandra@127.0.0.1:{self.at()}/test" + (f"#{table}" if table else "")

    def crash(self):
        done = super().crash()
        os.unlink(os.path.join(self.folder, "cassandra.pid"))
        return done


class Hbase(Store):
    """Its Thrift gateway is what dies: the rows are the region server's."""
    script, pidfile, transactions = "hbase.sh", "thrift.pid", False

    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.secret = None

    @staticmethod
    def present():
        return script_says("hbase.sh")

    def url(self, table=None):
        return f"hbase://127.0.0.1:{self.at()}/default?tls=off" + (f"#{table}" if table else "")

    def crash(self):
        done = super().crash()
        os.unlink(os.path.join(self.folder, self.pidfile))
        return done


class Mongo(Store):
    """The substitute, with its documents and change events in a file."""
    script, pidfile, transactions, settings = "mongo.sh", "pid", False, {"MONGO_KEEP": "1"}

    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.secret = None

    @staticmethod
    def present():
        return script_says("mongo.sh")

    def url(self, table=None):
        return f"mongodb://127.0.0.1:{self.at()}/test" + (f"#{table}" if table else "")

    def fill(self, table, rows, keyless=False):
        del keyless
        wire = MongoWire(self.port)
        wire.command({"drop": table}, may_fail=True)
        for first in range(1, rows + 1, 5000):
            docs = [{"_id": i, "name": f"row {i} äöü", "n": i * 7919 % 10007, "w": i / 3 if i % 5 else None} for i in range(first, min(first + 5000, rows + 1))]
            wire.command({"insert": table, "documents": docs})
        wire.close()

    def writer(self):
        return MongoWriter(self)


class Sqlite(Store):
    kill = False

    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.secret, self.file = None, os.path.join(lab.work, name + ".db")

    @staticmethod
    def present():
        return True

    def start(self):
        self.run("PRAGMA journal_mode = WAL")
        return True

    def stop(self):
        pass

    def url(self, table=None):
        return f"sqlite:{self.file}" + (f"#{table}" if table else "")

    def run(self, sql):
        c = sqlite3.connect(self.file, timeout=30)
        try:
            c.executescript(sql) if ";" in sql else c.execute(sql)
            c.commit()
        finally:
            c.close()

    columns = "id INTEGER PRIMARY KEY NOT NULL, name VARCHAR(80), n BIGINT, w DOUBLE PRECISION"

    def fill(self, table, rows, keyless=False):
        del keyless
        self.run(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({self.columns});")
        c = sqlite3.connect(self.file, timeout=30)
        c.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", ((i, f"row {i} äöü", i * 7919 % 10007, i / 3 if i % 5 else None) for i in range(1, rows + 1)))
        c.commit()
        c.close()

    def writer(self):
        return SqliteWriter(self)


class DuckDb(Store):
    kill = False

    def __init__(self, lab, name):
        super().__init__(lab, name)
        self.secret, self.file = None, os.path.join(lab.work, name + ".duckdb")

    @staticmethod
    def present():
        return True

    def start(self):
        return True

    def stop(self):
        pass

    def url(self, table=None):
        return f"duckdb:{self.file}" + (f"#{table}" if table else "")


STORES = {"postgres": Postgres, "mariadb": MariaDb, "mysql": MySql, "cassandra": Cassandra, "hbase": Hbase, "mongo": Mongo, "sqlite": Sqlite, "duckdb": DuckDb}


def cache():
    return os.environ.get("SERVERS_CACHE", os.path.expanduser("~/.cache/test-servers"))


def script_says(script):
    return subprocess.run([os.path.join(SERVERS, script), "present"], capture_output=True, check=False).returncode == 0


# ---- who writes ----

def changes_of(rnd, table, rows):
    """One transaction: some rows change, some go, new ones come in both tables or in none. Yields statements."""
    fresh = rnd.randrange(10**6, 10**12)
    k = rnd.randrange(1, rows + 1)
    yield f"UPDATE {table} SET n = n + 1, name = 'changed {fresh}' WHERE id BETWEEN {k} AND {k + 20}"
    if rnd.random() < 0.3:
        yield f"DELETE FROM {table} WHERE id BETWEEN {k + 30} AND {k + 32}"
    if rnd.random() < 0.1:
        yield f"UPDATE {table} SET id = {fresh + 10**12} WHERE id = {k + 40}"
    yield f"INSERT INTO {table} VALUES ({fresh}, 'new 🙂', {k}, 0.5)"
    yield f"INSERT INTO {table}_pair VALUES ({fresh}, 'pair', {k}, 0.25)"


class Writer(threading.Thread):
    """Writes until told to hold; what the source did not take counts for nothing, because the comparison asks the source."""
    def __init__(self, store):
        super().__init__(daemon=True)
        self.store, self.going, self.ended, self.idle, self.written = store, threading.Event(), False, threading.Event(), 0
        self.every, self.table, self.rows, self.rnd = 0.02, None, 0, random.Random(0)

    def prepare(self, table, rows, seed):
        self.table, self.rows, self.rnd = table, rows, random.Random(seed)
        return self

    def run(self):
        while not self.ended:
            if not self.going.wait(0.1):
                self.idle.set()
                continue
            self.idle.clear()
            try:
                self.once()
                self.written += 1
                time.sleep(self.every)
            except (OSError, RuntimeError, sqlite3.Error):
                self.reset()
                time.sleep(0.05)
        self.reset()
        self.idle.set()

    def hold(self):
        self.going.clear()
        return self.idle.wait(30 * PATIENCE)

    def end(self):
        self.ended = True
        self.going.clear()
        self.join(30 * PATIENCE)


class SqlWriter(Writer):
    """Through one client program; the answer to a marker says that the transaction was taken."""
    client = None

    def once(self):
        if not self.client:
            self.client = subprocess.Popen(self.store.client() + ([] if isinstance(self.store, Postgres) else ["--unbuffered"]), stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=dies_with_us)
        begin = "BEGIN" if isinstance(self.store, Postgres) else "START TRANSACTION"
        sql = ";\n".join(changes_of(self.rnd, self.table, self.rows))
        self.client.stdin.write(f"{begin};\n{sql};\nCOMMIT;\nSELECT 'taken';\n")
        self.client.stdin.flush()
        if "taken" not in self.client.stdout.readline():
            raise RuntimeError("the client ended")

    def reset(self):
        if self.client:
            self.client.kill()
            self.client.wait()
            for end in (self.client.stdin, self.client.stdout):
                try:
                    end.close()
                except OSError:
                    pass
        self.client = None


class SqliteWriter(Writer):
    def once(self):
        c = sqlite3.connect(self.store.file, timeout=30)
        try:
            for sql in changes_of(self.rnd, self.table, self.rows):
                c.execute(sql)
            c.commit()
        finally:
            c.close()

    def reset(self):
        pass


class MongoWriter(Writer):
    wire = None

    def once(self):
        self.wire = self.wire or MongoWire(self.store.port)
        fresh, k = self.rnd.randrange(10**6, 10**12), self.rnd.randrange(1, self.rows + 1)
        self.wire.command({"update": self.table, "updates": [{"q": {"_id": k}, "u": {"$set": {"n": fresh, "name": f"changed {fresh}"}}}]})
        self.wire.command({"delete": self.table, "deletes": [{"q": {"_id": k + 30}, "limit": 1}]})
        self.wire.command({"insert": self.table, "documents": [{"_id": fresh, "name": "new 🙂", "n": k, "w": 0.5}]})
        self.wire.command({"insert": self.table + "_pair", "documents": [{"_id": fresh, "name": "pair", "n": k, "w": 0.25}]})

    def reset(self):
        if self.wire:
            self.wire.close()
        self.wire = None


def bson(value):
    out = b""
    for key, v in value.items():
        name = key.encode() + b"\0"
        if isinstance(v, bool):
            out += b"\x08" + name + bytes([v])
        elif v is None:
            out += b"\x0a" + name
        elif isinstance(v, int):
            out += b"\x12" + name + struct.pack("<q", v)
        elif isinstance(v, float):
            out += b"\x01" + name + struct.pack("<d", v)
        elif isinstance(v, str):
            text = v.encode() + b"\0"
            out += b"\x02" + name + struct.pack("<i", len(text)) + text
        elif isinstance(v, dict):
            out += b"\x03" + name + bson(v)
        else:
            out += b"\x04" + name + bson({str(i): one for i, one in enumerate(v)})
    return struct.pack("<i", len(out) + 5) + out + b"\0"


class MongoWire:
    """As much of MongoDB's protocol (OP_MSG) as a writer needs."""
    def __init__(self, port):
        self.sock, self.id = socket.create_connection(("127.0.0.1", port), 60 * PATIENCE), 0

    def command(self, what, may_fail=False):
        body = struct.pack("<i", 0) + b"\0" + bson(dict(what, **{"$db": "test"}))
        self.id += 1
        self.sock.sendall(struct.pack("<iiii", len(body) + 16, self.id, 0, 2013) + body)
        answer = self.take(struct.unpack("<i", self.take(4))[0] - 4)
        if not may_fail and (b"\x01ok\0" + struct.pack("<d", 1.0) not in answer or b"writeErrors" in answer):
            raise RuntimeError(f"MongoDB refused: {answer[:300]!r}")

    def take(self, n):
        out = b""
        while len(out) < n:
            more = self.sock.recv(n - len(out))
            if not more:
                raise OSError("the connection ended")
            out += more
        return out

    def close(self):
        self.sock.close()


# ---- the network ----

class Proxy(threading.Thread):
    """Stands in front of a server and cuts: after budget more bytes in one direction (0: to the server, 1: from it) every connection ends with a reset.
    A new budget is drawn by cut_after; None: nothing is cut. hold_after: the bytes behind so many in one direction wait for release."""
    def __init__(self, to):
        super().__init__(daemon=True)
        self.to, self.budget, self.way, self.cuts, self.lock = to, None, 0, 0, threading.Lock()
        self.limit, self.holding, self.open, self.swallows = None, 0, threading.Event(), False
        self.open.set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.pairs, self.passed = self.server.getsockname()[1], set(), [0, 0]
        self.start()

    def cut_after(self, way, size):
        with self.lock:
            self.way, self.budget = way, size

    def hold_after(self, size, way=0):
        with self.lock:
            self.holding, self.limit = way, self.passed[way] + size

    def held(self):
        return not self.open.is_set()

    def release(self):
        with self.lock:
            self.limit = None
            self.open.set()

    def run(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to), 10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            pair = (near, far)
            with self.lock:
                self.pairs.add(pair)
            for s in pair:  # before either direction runs: it may close both
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for way, (a, b) in enumerate(((near, far), (far, near))):
                threading.Thread(target=self.pump, args=(way, a, b, pair), daemon=True).start()

    def pump(self, way, a, b, pair):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                if way == self.holding:
                    self.open.wait()
                with self.lock:
                    self.passed[way] += len(data)
                    if self.limit is not None and self.passed[self.holding] >= self.limit:
                        self.open.clear()
                    cut = self.budget is not None and self.way == way and self.budget < len(data)
                    if cut:
                        data = data[:self.budget]
                        self.budget, self.cuts = None, self.cuts + 1
                    elif self.budget is not None and self.way == way:
                        self.budget -= len(data)
                if not self.swallows:
                    b.sendall(data)
                if cut:
                    self.cut_all()
                    return
        except OSError:
            pass
        self.drop(pair, False)

    def silence(self, on):
        """Nothing passes any more, in either direction, and nobody is told: a network that swallows everything."""
        self.swallows = on

    def drop(self, pair, reset):
        with self.lock:
            self.pairs.discard(pair)
        for s in pair:
            try:
                if reset:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    s.shutdown(socket.SHUT_RDWR)
                s.close()
            except OSError:
                pass

    def cut_all(self):
        for pair in list(self.pairs):
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.drop(pair, True)

    def end(self):
        self.release()
        self.server.close()
        self.cut_all()


# ---- nodes and their commands ----

class Node:
    def __init__(self, work, org):
        self.work, self.org, self.home, self.process = work, org, os.path.join(work, org), None

    def init(self):
        listen, http = ports.take(2)
        return self.call("init", "--org", self.org, "--listen", f"127.0.0.1:{listen}", "--http", f"127.0.0.1:{http}")

    def command(self, *args):
        return [PROGRAM, "-C", self.home, *args]

    def call(self, *args, timeout=300 * PATIENCE):
        """(exit, what it said)"""
        try:
            r = subprocess.run(self.command(*args), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=timeout)
            return r.returncode, (r.stdout + r.stderr).strip()
        except subprocess.TimeoutExpired:
            self.print_threads()
            return -1, f"no end after {timeout} s: {' '.join(args)}"

    def print_threads(self):
        """What each thread of the node waits for, when something should have ended long ago."""
        if not self.process or self.process.poll() is not None:
            print(f"# {self.org}: the node is gone", flush=True)
            return
        tasks = f"/proc/{self.process.pid}/task"
        for task in sorted(os.listdir(tasks)):
            said = []
            for name in ("comm", "wchan", "syscall"):
                try:
                    with open(f"{tasks}/{task}/{name}", encoding="ascii", errors="replace") as f:
                        said.append(f.read().strip())
                except OSError:
                    said.append("?")
            print(f"# {self.org}, thread {task}: {', '.join(said)}", flush=True)
        if shutil.which("gdb"):
            r = subprocess.run(["gdb", "-p", str(self.process.pid), "-batch", "-ex", "thread apply all bt 12"], capture_output=True, text=True, check=False,
                               stdin=subprocess.DEVNULL)
            for line in r.stdout.splitlines():
                if line.startswith(("Thread", "#")):
                    print(f"# {line}", flush=True)

    def popen(self, *args):
        return subprocess.Popen(self.command(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                preexec_fn=dies_with_us)

    def start(self, file_size=None):
        """file_size: no file of this node may grow beyond it"""
        def before():
            dies_with_us()
            if file_size:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        ready = self.home + ".ready"
        with open(ready, "w", encoding="utf-8") as out, open(self.home + ".log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command("serve"), stdin=subprocess.DEVNULL, stdout=out, stderr=log, preexec_fn=before)

        def is_ready():
            with open(ready, encoding="utf-8") as f:
                return f.read().startswith("ready") or self.process.poll() is not None
        until(60, is_ready, 0.02)
        return self.process.poll() is None

    def kill(self):
        """True when it was alive until then."""
        was = self.process is not None and self.process.poll() is None
        if self.process:
            self.process.kill()
            self.process.wait()
        return was

    def log_tail(self, n=6):
        with open(self.home + ".log", encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-n:])

    def stream(self, name):
        """The stream as the node tells it, or None while there is nobody to ask."""
        code, text = self.call("replicate", "status", name, "--json", timeout=60)
        if code:
            return None
        try:
            told = json.loads(text)
        except ValueError:
            return None
        list_ = told["streams"] if isinstance(told, dict) else told
        return list_[0] if list_ else None


class Lab:
    def __init__(self):
        if not PROGRAM:
            sys.exit("ENTENTE names the program")
        self.work = tempfile.mkdtemp(prefix="entente-faults.")
        os.chmod(self.work, 0o755)
        self.tap, self.stores, self.nodes = Tap(), {}, []
        for name, text in (("password", "test"), ("cassandra-password", "cassandra")):
            with open(os.path.join(self.work, name), "w", encoding="ascii") as f:
                f.write(text)
        os.environ.update(PGPASSWORD="test", MYSQL_PWD="test")
        atexit.register(self.end)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.node = self.node_new("a")

    def node_new(self, org):
        node = Node(self.work, org)
        self.nodes.append(node)
        code, said = node.init()
        if code:
            self.tap.line(False, f"{org}: a home", said)
        return node

    def end(self):
        for node in self.nodes:
            node.kill()
        for store in self.stores.values():
            store.stop()
        if not (self.tap.failures and os.environ.get("E2E_KEEP")):
            shutil.rmtree(self.work, ignore_errors=True)
        else:
            print(f"# kept: {self.work}")

    def store(self, role, kind):
        """A server of this kind for this role; started once."""
        name = f"{kind}-{role}"
        if name not in self.stores:
            self.stores[name] = STORES[kind](self, name)
            if not self.stores[name].start():
                self.tap.line(False, f"{name} starts")
        return self.stores[name]
