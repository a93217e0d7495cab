#!/usr/bin/env python3
"""live.py - live dashboards: CPU of the process at 1,000 orders/s without and with 20 viewers of three panels, what a
viewer that does not read costs in CPU and memory, time from a POSTed row to the event at a viewer (median, 99th of
100 of a hundred). Arguments: [SECONDS], default 10."""
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from _leat import LEAT, cpu_seconds, memory_mb, orders_table, produce_command

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
VIEWERS = 20
PANELS = [
    {"id": "cards", "kind": "bar", "x": "order_card_type", "y": ["total"],
     "sql": "SELECT order_card_type, SUM(order_amount) AS total FROM orders GROUP BY order_card_type"},
    {"id": "total", "kind": "number", "y": ["n"], "sql": "SELECT COUNT(*) AS n FROM orders"},
    {"id": "newest", "kind": "table", "keep": 20, "sql": "SELECT order_id, order_card_type, order_amount FROM orders"},
    {"id": "pings", "kind": "table", "keep": 20, "sql": "SELECT id FROM pings"},
]
SQL = """CREATE TABLE pings (id BIGINT) WITH ('connector' = 'http-ingest', 'topic' = 'pings', 'format' = 'json');
CREATE TABLE hole (id BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO hole SELECT order_id FROM orders;"""


class Viewer:
    def __init__(self, port, token, reads=True):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.request("GET", "/api/v1/dashboards/live/live", headers={"Authorization": "Bearer " + token})
        self.answer = self.connection.getresponse()
        self.events, self.bytes, self.pings, self.panel = 0, 0, {}, None
        if reads:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.answer:
                self.bytes += len(line)
                if line.startswith(b"data: "):
                    self.events += 1
                    if b'"pings"' in line:
                        event = json.loads(line[6:])
                        for row in event.get("upserts", []) + event.get("rows", []):
                            self.pings.setdefault(row[0], time.monotonic())
        except (OSError, AttributeError, ValueError, http.client.HTTPException):
            pass


def cpu_share(pid, seconds):
    began, cpu = time.monotonic(), cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - cpu) / (time.monotonic() - began)


def latencies(port, token, viewer):
    found = []
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(100):
        sent = time.monotonic()
        connection.request("POST", "/ingest/pings", json.dumps({"id": number}),
                           {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"POST: {answer.status} {content}")
        while number not in viewer.pings:
            if time.monotonic() - sent > 10:
                raise SystemExit(f"row {number} never came")
            time.sleep(0.0005)
        found.append((viewer.pings[number] - sent) * 1000)
        time.sleep(0.13)
    return sorted(found)


def measure(directory):
    with open(os.path.join(directory, "live.json"), "w") as file:
        json.dump({"title": "live", "panels": PANELS}, file)
    with open(os.path.join(directory, "p.sql"), "w") as file:
        file.write(orders_table("orders", bounded=False) + SQL)
    process = subprocess.Popen([LEAT, "run", "--data", os.path.join(directory, "data"), "--broker=127.0.0.1:0", "--http",
                                "127.0.0.1:0", "--dashboard", os.path.join(directory, "live.json"),
                                os.path.join(directory, "p.sql")], stderr=subprocess.PIPE, text=True)
    address, port, token = None, None, None
    while not (address and port):
        line = process.stderr.readline()
        address = address or (re.search(r"Kafka clients: (\S+)", line) or [None, None])[1]
        found = re.search(r"page: http://127.0.0.1:(\d+)/\?token=(\S+)", line)
        if found:
            port, token = int(found[1]), found[2]
    threading.Thread(target=process.stderr.read, daemon=True).start()
    producer = subprocess.Popen(produce_command(address, "orders", 1000 * (6 * SECONDS + 60), rate=1000),
                                stdout=subprocess.DEVNULL)
    try:
        time.sleep(2)
        base = cpu_share(process.pid, SECONDS)
        viewers = [Viewer(port, token) for _ in range(VIEWERS)]
        time.sleep(2)
        events = sum(viewer.events for viewer in viewers)
        shared = cpu_share(process.pid, SECONDS)
        events = (sum(viewer.events for viewer in viewers) - events) / SECONDS / VIEWERS
        print(f"1,000 orders/s: {base:.3f} cores without viewers, {shared:.3f} with {VIEWERS} viewers of "
              f"{len(PANELS)} panels ({events:.1f} events/s each)")
        memory = memory_mb(process.pid)
        slow = [Viewer(port, token, reads=False) for _ in range(10)]
        time.sleep(2)
        with_slow = cpu_share(process.pid, SECONDS)
        print(f"a viewer that does not read: {(with_slow - shared) / len(slow) * 100:.2f} % of a core, "
              f"{(memory_mb(process.pid) - memory) / len(slow):.2f} MB (of ten)")
        times = latencies(port, token, viewers[0])
        print(f"from POST to the event: median {times[50]:.1f} ms, 99th {times[98]:.1f} ms, worst {times[99]:.1f} ms")
        return shared < 0.3 and times[98] < 250
    finally:
        producer.kill()
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.wait(30)
        print(f"Ctrl-C: ended after {time.monotonic() - began:.2f} s with {process.returncode}")


with tempfile.TemporaryDirectory() as directory:
    sys.exit(0 if measure(directory) else 1)
