#!/usr/bin/env python3
"""Loopback ports for servers of tests. usage: ports.py [N [SPAN]]: N ports on one line, with the SPAN-1 behind each also free.

Tests run side by side, and a server binds seconds after its port was chosen; so nobody gets a port that another one was given lately (one shared counter
goes around), and none that the kernel gives to outgoing connections."""
import fcntl
import os
import random
import socket
import sys
import tempfile

FIRST, LAST = 10000, 32000


def all_free(ports):
    held = []
    try:
        for port in ports:
            held.append(socket.socket())
            held[-1].bind(("127.0.0.1", port))
        return True
    except OSError:
        return False
    finally:
        for s in held:
            s.close()


def take(n=1, span=1):
    """n ports, the start of span free ones each."""
    path = os.path.join(tempfile.gettempdir(), f"entente-test-ports.{os.getuid()}")
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        text = f.read()
        at, ports = int(text) if text.isdigit() else random.randrange(FIRST, LAST), []
        while len(ports) < n:
            at = at if FIRST <= at <= LAST - span else FIRST
            if all_free(range(at, at + span)):
                ports.append(at)
                at += span - 1
            at += 1
        f.seek(0)
        f.truncate()
        f.write(str(at))
    return ports


if __name__ == "__main__":
    print(*take(*map(int, sys.argv[1:])))
