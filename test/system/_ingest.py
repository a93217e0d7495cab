"""A leat that takes rows over HTTP, for tests: start, POST over kept connections, kill, stop."""
import http.client
import json
import os
import re
import signal
import subprocess
import time
from _tap import PATIENCE

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
JSON, LINES = "application/json", "application/x-ndjson"


class Leat:
    """`leat run` of a text whose jobs read a table that takes rows."""

    def __init__(self, sql, *arguments, data=None, environment=None):
        self.log = os.path.join(DIRECTORY, f"leat-{time.monotonic_ns()}.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [LEAT, "run", "--data", data or os.path.join(DIRECTORY, "data"), *arguments, "-e", sql],
                cwd=DIRECTORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        until = time.monotonic() + PATIENCE
        while True:
            found = re.search(r"page: http://([^/:]+):(\d+)/\?token=(\S+)", self.said())
            if found:
                break
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit("no page: " + self.said())
            time.sleep(0.01)
        self.host, self.port, self.token = found.group(1), int(found.group(2)), found.group(3)

    def said(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def poster(self, path):
        return Poster(self, path)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


class Poster:
    """A client that keeps its connection."""

    def __init__(self, leat, path):
        self.path = path if path.startswith("/") else "/ingest/" + path
        self.headers = {"Authorization": "Bearer " + leat.token}
        self.connection = http.client.HTTPConnection(leat.host, leat.port, timeout=PATIENCE)

    def post(self, body, kind=JSON, query="", method="POST", **headers):
        """status, answer (parsed), headers; raises OSError or HTTPException when there is no answer"""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {**self.headers, "Content-Type": kind, **headers}
        self.connection.request(method, self.path + query, body=body,
                                headers={name: value for name, value in sent.items() if value is not None})
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None, answer.headers


def lines(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def query(sql, *arguments):
    """Rows of a bounded SELECT, parsed from JSON lines."""
    run = subprocess.run([LEAT, "run", "--data", os.path.join(DIRECTORY, "data"), "--no-http", "--result", "json",
                          *arguments, "-e", sql], cwd=DIRECTORY, capture_output=True, text=True, timeout=PATIENCE)
    if run.returncode:
        raise SystemExit("query failed: " + run.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]
