"""A leat with HTTP for tests, requests with Python's own client, and event streams."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from _tap import PATIENCE

LEAT = os.environ["LEAT"]
DIR = os.environ["TEST_DIR"]


class Server:
    def __init__(self, *arguments, data=None, environment=None):
        self.data = data or os.path.join(DIR, "data")
        self.errors = open(os.path.join(DIR, "stderr"), "a+")
        self.start = self.errors.seek(0, 2)
        self.process = subprocess.Popen([LEAT, "run", "--data", self.data, *arguments], cwd=DIR,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, **(environment or {})})
        self.host, self.port, self.token = "127.0.0.1", None, None
        until = time.monotonic() + PATIENCE
        while self.port is None:
            found = re.search(r"page: http://([^/:]+):(\d+)/\?token=(\S+)", self.stderr())
            if found:
                self.port, self.token = int(found.group(2)), found.group(3)
            elif self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit("no page: " + self.stderr())
            time.sleep(0.02)

    def stderr(self):
        with open(self.errors.name) as file:
            file.seek(self.start)
            return file.read()

    def ask(self, method, path, body=None, token=True, headers=None, timeout=PATIENCE):
        """status, headers, body (parsed when it is JSON)"""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        sent = {"Authorization": "Bearer " + self.token} if token else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None or method == "POST":
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        connection.request(method, path, body=body if body is not None else b"" if method == "POST" else None,
                           headers=sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.headers.get_content_type() == "application/json" and content:
            content = json.loads(content)
        return answer.status, answer.headers, content

    def get(self, path):
        status, _, content = self.ask("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {content}")
        return content

    def stop(self):
        """Ctrl-C: exit code and the seconds it took"""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        return code, time.monotonic() - began


class Events:
    """An event stream, read by a thread of its own: events are (name, data)."""

    def __init__(self, server, path, headers=None, frozen=False):
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=None)
        if frozen:  # reads nothing before thaw()
            self.connection.connect()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
        self.connection.request("GET", path, headers={"Authorization": "Bearer " + server.token, **(headers or {})})
        self.answer = self.connection.getresponse()
        self.events, self.changed, self.over = [], threading.Condition(), False
        self.thread = threading.Thread(target=self.read, daemon=True)
        if not frozen:
            self.thread.start()

    def thaw(self):
        self.thread.start()

    def read(self):
        name, data = None, None
        try:
            for line in self.answer:
                line = line.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                elif not line and name:
                    with self.changed:
                        self.events.append((name, data, time.monotonic()))
                        self.changed.notify_all()
                    name = None
        except (OSError, http.client.HTTPException, AttributeError, ValueError):
            pass
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def wait(self, wanted, timeout=PATIENCE):
        """The first event for which wanted(name, data) holds, or None"""
        until, looked = time.monotonic() + timeout, 0
        with self.changed:
            while True:
                for name, data, _ in self.events[looked:]:
                    if wanted(name, data):
                        return data
                looked = len(self.events)
                left = until - time.monotonic()
                if left <= 0 or (self.over and looked == len(self.events)):
                    return None
                self.changed.wait(left)

    def rows(self, panel):
        """The rows as a page would show them"""
        rows, key, at = [], [], {}
        with self.changed:
            events = list(self.events)
        for name, data, _ in events:
            if data.get("panel") != panel:
                continue
            if name == "snapshot":
                rows, key, at = [], data["key"], {}
            for row in data.get("rows", []) + data.get("upserts", []):
                if key:
                    at[tuple(row[k] for k in key)] = row
                else:
                    rows.append(row)
            for gone in data.get("deletes", []):
                at.pop(tuple(gone), None)
        return list(at.values()) if key else rows

    def close(self):
        try:
            self.connection.sock.shutdown(2)
        except (OSError, AttributeError):
            pass
        self.connection.close()
