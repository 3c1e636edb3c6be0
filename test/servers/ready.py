#!/usr/bin/env python3
"""Whether a server does its work, asked in its own protocol: one that listens may still refuse. Exit 0: it does; else why not, on stderr.

usage: ready.py cassandra PORT     takes the password of its first role
       ready.py hbase PORT         its master answers through Thrift2 (framed)
       ready.py hdfs PORT NODES    out of safe mode, with so many DataNodes alive"""
import json
import socket
import struct
import sys
import urllib.request

PATIENCE = 20


def exactly(sock, n):
    out = b""
    while len(out) < n:
        more = sock.recv(n - len(out))
        if not more:
            raise OSError("it closed the connection")
        out += more
    return out


def cql(sock, opcode, body):
    sock.sendall(struct.pack(">BBhBi", 4, 0, 0, opcode, len(body)) + body)
    _, _, _, got, size = struct.unpack(">BBhBi", exactly(sock, 9))
    return got, exactly(sock, size)


def cassandra(port):
    startup, auth_response, authenticate, authenticated = 0x01, 0x0F, 0x03, 0x10
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        got, body = cql(sock, startup, struct.pack(">H", 1) + b"".join(struct.pack(">H", len(t)) + t for t in (b"CQL_VERSION", b"3.0.0")))
        if got == authenticate:
            token = b"\0cassandra\0cassandra"
            got, body = cql(sock, auth_response, struct.pack(">i", len(token)) + token)
        return None if got == authenticated else repr(body[:200])


def hbase(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        name = b"listNamespaceDescriptors"
        call = struct.pack(">Ii", 0x80010001, len(name)) + name + struct.pack(">i", 1) + b"\0"
        sock.sendall(struct.pack(">i", len(call)) + call)
        answer = exactly(sock, struct.unpack(">i", exactly(sock, 4))[0])
        at = 12 + len(name)  # behind version, name and number: the first field, 0 when it is the result
        return None if answer[:4] == b"\x80\x01\0\x02" and answer[at:at + 3] == b"\x0f\0\0" else repr(answer[:300])


def hdfs(port, nodes):
    url = f"http://127.0.0.1:{port}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        state = json.load(answer)["beans"][0]
    return None if state["FSState"] == "Operational" and state["NumLiveDataNodes"] == nodes else f"{state['FSState']}, {state['NumLiveDataNodes']} DataNodes"


def main():
    try:
        why = {"cassandra": cassandra, "hbase": hbase, "hdfs": hdfs}[sys.argv[1]](*map(int, sys.argv[2:]))
    except (OSError, ValueError, LookupError, struct.error) as e:
        why = f"{type(e).__name__}: {e}"
    if why:
        print(f"{sys.argv[1]}: {why}", file=sys.stderr)
    return 1 if why else 0


sys.exit(main())
