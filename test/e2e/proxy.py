#!/usr/bin/env python3
"""A hostile network between two nodes: forwards TCP, and does harm once per connection when told to.

usage: proxy.py LISTEN_PORT TARGET_PORT MODE_FILE SEED
MODE_FILE holds one word, read at each chunk: clean, flip, drop, replay, reorder, cut, stall. Loopback only; ends with its parent."""
import os
import random
import selectors
import socket
import sys
import time

listen_port, target_port, mode_file, seed = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
rnd = random.Random(seed)
parent = os.getppid()


def mode():
    try:
        return open(mode_file, encoding="ascii").read().strip() or "clean"
    except OSError:
        return "clean"


class Flow:
    """One direction of one connection; harm is done once, at a random chunk."""

    def __init__(self, to):
        self.to, self.held, self.harm_at, self.seen, self.stalled = to, None, rnd.randrange(2, 40), 0, False

    def pass_on(self, data):
        self.seen += 1
        what = mode()
        if what == "clean" or self.seen < self.harm_at or (self.seen > self.harm_at and self.held is None and not self.stalled):
            return data
        if self.stalled:
            return b""
        if self.held is not None:
            data, self.held = data + self.held, None
            return data
        if what == "flip":
            at = rnd.randrange(len(data))
            return data[:at] + bytes([data[at] ^ (1 << rnd.randrange(8))]) + data[at + 1:]
        if what == "drop":
            return b""
        if what == "replay":
            return data + data
        if what == "reorder":
            self.held = data
            return b""
        if what == "stall":
            self.stalled = True
            return b""
        raise ConnectionError("cut")


def main():
    sel = selectors.DefaultSelector()
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", listen_port))
    server.listen(64)
    sel.register(server, selectors.EVENT_READ, None)
    print("proxy ready", flush=True)

    def close(a, b):
        for s in (a, b):
            try:
                sel.unregister(s)
            except (KeyError, ValueError):
                pass
            s.close()

    while os.getppid() == parent:
        for key, _ in sel.select(1):
            if key.data is None:
                near, _ = server.accept()
                far = socket.socket()
                try:
                    far.connect(("127.0.0.1", target_port))
                except OSError:
                    near.close()
                    far.close()
                    continue
                for a, b in ((near, far), (far, near)):
                    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    sel.register(a, selectors.EVENT_READ, Flow(b))
                continue
            sock, flow = key.fileobj, key.data
            try:
                data = sock.recv(65536)
                if not data:
                    raise ConnectionError("end")
                out = flow.pass_on(data)
                if out:
                    flow.to.settimeout(20)
                    flow.to.sendall(out)
            except (OSError, ConnectionError):
                close(sock, flow.to)
        if not sel.get_map():
            time.sleep(0.1)


main()
