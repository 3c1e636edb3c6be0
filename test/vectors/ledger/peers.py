#!/usr/bin/env python3
"""Independent programs on the other side: a tlog-tiles checker reads our log, a foreign witness cosigns our checkpoints, and our witness cosigns a foreign log.

usage: peers.py PEERS   (our test program). The programs come from ENT_TLOG_PEERS, else ~/.cache/test-servers/tlog-peers/bin; without them: skipped by name."""
import http.server
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "servers"))
import ports  # noqa: E402 (beside the servers)

peers = sys.argv[1]
tools = os.environ.get("ENT_TLOG_PEERS", os.path.expanduser("~/.cache/test-servers/tlog-peers/bin"))
count = failed = 0


def ok(good, name):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {name}", flush=True)


def skip(name):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP the program is not in {os.path.basename(tools)} (ENT_TLOG_PEERS)")


def tool(name):
    path = os.path.join(tools, name)
    return path if os.access(path, os.X_OK) else None


def run(*args, **kw):
    return subprocess.run(args, capture_output=True, timeout=60, **kw)


def checker(d, size):
    if not tool("fsck"):
        return skip("a tlog-tiles checker reads our log")
    r = run(tool("fsck"), f"--storage_url=file://{d}/log/", f"--public_key={d}/log.pub", "--ui=false", "--N=4")
    text = (r.stdout + r.stderr).decode(errors="replace")
    ok(re.search(rf"Successfully fsck'd log with size {size}\b", text), f"a tlog-tiles checker reads our log of {size} entries")
    path = f"{d}/log/tile/entries/000"
    data = bytearray(open(path, "rb").read())
    data[500] ^= 1
    open(path, "wb").write(data)
    r = run(tool("fsck"), f"--storage_url=file://{d}/log/", f"--public_key={d}/log.pub", "--ui=false", "--N=4")
    ok(b"Successfully" not in r.stdout + r.stderr, "and refuses it with one bit changed")


def post(url, body):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=10) as a:
            return a.status, a.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def foreign_witness(d):
    if not tool("witness"):
        return skip("a foreign witness cosigns our checkpoints")
    port = ports.take()[0]
    p = subprocess.Popen([tool("witness"), "-listen", f"127.0.0.1:{port}", "-name", "witness.test/w1", "-log", f"{d}/log.pub", "-out", f"{d}/w.pub"], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/add-checkpoint"
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        for n in ("1", "2"):
            status, answer = post(url, open(f"{d}/ask{n}", "rb").read())
            open(f"{d}/answer{n}", "wb").write(answer)
            good = status == 200 and run(peers, "check", d, n, f"{d}/w.pub", f"{d}/answer{n}").returncode == 0
            ok(good, f"a foreign witness cosigns our checkpoint {n}" + (" along our consistency proof" if n == "2" else ""))
        ok(post(url, open(f"{d}/ask1", "rb").read())[0] == 409, "and answers 409 to the older one")
    finally:
        p.terminate()
        p.wait()


class Ours(http.server.BaseHTTPRequestHandler):
    home = key = ""
    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        out = run(peers, "witness", Ours.home, Ours.key, input=body).stdout
        head, _, rest = out.partition(b"\n")
        status, _, kind = head.decode().partition(" ")
        Ours.seen.append(int(status))
        self.send_response(int(status))
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, *args):
        pass


def foreign_log(d):
    if not tool("posix-oneshot") or not tool("witness"):
        return skip("we cosign a foreign log")
    run(tool("witness"), "-genkey", "log.test/foreign", "-out", f"{d}/foreign")
    Ours.home, Ours.key = f"{d}/w", f"{d}/foreign.pub"
    server = http.server.HTTPServer(("127.0.0.1", 0), Ours)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    vkey = run(peers, "witness-key").stdout.decode().strip()
    open(f"{d}/policy", "w").write(f"witness w1 {vkey} http://127.0.0.1:{server.server_port}/\nquorum w1\n")
    for part in ("a", "b"):
        os.makedirs(f"{d}/{part}")
        for i in range(111):
            open(f"{d}/{part}/{i}", "w").write(f"leaf {part} {i}")
        run(tool("posix-oneshot"), f"--storage_dir={d}/foreign-log", f"--private_key={d}/foreign.key", f"--entries={d}/{part}/*", f"--witness_policy_file={d}/policy")
    note = open(f"{d}/foreign-log/checkpoint", encoding="utf-8").read() if os.path.exists(f"{d}/foreign-log/checkpoint") else ""
    server.shutdown()
    print("# statuses we gave:", Ours.seen)
    ok("/witness " in note and note.splitlines()[1:2] == ["222"], "we cosign a foreign log, twice, along its consistency proof")


with tempfile.TemporaryDirectory() as folder:
    size = run(peers, "log", folder).stdout.decode().strip()
    checker(folder, size)
    foreign_witness(folder)
    foreign_log(folder)
print(f"1..{count}")
sys.exit(1 if failed else 0)
