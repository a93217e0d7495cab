#!/usr/bin/env python3
# timeout: 120
"""A request that is begun and not ended costs its sender the connection after 30 seconds, and only him."""
import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403


def main():
    broker = Broker().start()
    slow = [socket.create_connection(("127.0.0.1", PORT), 5) for _ in range(100)]
    idle = socket.create_connection(("127.0.0.1", PORT), 5)
    start = time.monotonic()
    for connection in slow:
        connection.sendall(b"\0\0\0\x10" + b"\0" * 3)
        connection.setblocking(False)

    def closed(connection):
        try:
            return connection.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
    check(wait_until(lambda: all([closed(connection) for connection in slow]), 60, 0.5), "half requests end")
    check(28 < time.monotonic() - start < 50, "after 30 s", time.monotonic() - start)
    idle.setblocking(False)
    check(not closed(idle), "a connection that is only idle stays")
    check(broker.stop() == 0, "clean stop")
    finish()


main()
