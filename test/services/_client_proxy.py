"""A TCP proxy in front of a Kafka-protocol server that notes which (API, version) pass through it.

The server has to advertise the proxy's address, or clients would go past it after their first question.
"""
import socket
import struct
import threading


class RecordingProxy:
    """listen on a free port (`address`), forward to server; `take()` gives what was noted since the last time."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.server = None
        self.lock = threading.Lock()
        self.noted = set()

    def start(self, server):
        host, port = server.rsplit(":", 1)
        self.server = (host, int(port))
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def take(self):
        with self.lock:
            noted, self.noted = self.noted, set()
        return noted

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                upstream = socket.create_connection(self.server)
            except OSError:
                return
            for side in (client, upstream):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(client, upstream, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(upstream, client, False), daemon=True).start()

    def pump(self, source, target, requests):
        buffered = b""
        skip = 0  # bytes of a request that is noted already
        try:
            while data := source.recv(65536):
                target.sendall(data)
                while requests and data:
                    if skip:
                        taken = min(skip, len(data))
                        skip -= taken
                        data = data[taken:]
                        continue
                    buffered += data
                    data = b""
                    if len(buffered) >= 8:
                        length, key, version = struct.unpack(">ihh", buffered[:8])
                        with self.lock:
                            self.noted.add((key, version))
                        data, buffered, skip = buffered[8:], b"", length - 4
        except OSError:
            pass
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
