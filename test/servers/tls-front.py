#!/usr/bin/env python3
"""tls-front.py CERT KEY PORT TO: takes TLS connections on the loopback port PORT and passes their bytes to the plain port TO."""
import socket
import ssl
import sys
import threading

cert, key, port, to = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(cert, key)


def pump(a, b):
    try:
        while part := a.recv(65536):
            b.sendall(part)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw):
    try:
        inside = context.wrap_socket(raw, server_side=True)
        outside = socket.create_connection(("127.0.0.1", to))
    except OSError:
        raw.close()
        return
    threading.Thread(target=pump, args=(outside, inside), daemon=True).start()
    pump(inside, outside)


listener = socket.create_server(("127.0.0.1", port))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
