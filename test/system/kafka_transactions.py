#!/usr/bin/env python3
# timeout: 180
"""A topic with committed, aborted and open transactions, between them records of none: the log in the process and
librdkafka give the same rows, for both isolation levels, bounded and while transactions end. What is right is
computed from what was done."""
import os
import re
import select
import signal
import subprocess
import time

import _broker
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
SERVER = f"127.0.0.1:{os.environ['PORT']}"
DATA = os.path.join(DIRECTORY, "data")
check = _broker.check

SQL = """
CREATE TABLE rows_in (v STRING) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'raw',
  'properties.bootstrap.servers' = '{servers}', 'properties.isolation.level' = '{level}',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = '{bounded}');
CREATE TABLE rows_out (v STRING) WITH ('connector' = 'print');
INSERT INTO rows_out SELECT v FROM rows_in;
"""


def start_broker():
    broker = subprocess.Popen([LEAT, "broker", "--data", DATA, "--listen", SERVER], stderr=subprocess.PIPE, text=True)
    if SERVER not in broker.stderr.readline():
        raise SystemExit("the broker did not start")
    return broker


def stop(process):
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    if process.returncode != 0:
        print(f"# exit {process.returncode}: {err}")
    return out


class History:
    """Transactions of several producers, interleaved, and what each level is to see."""

    def __init__(self):
        admin = AdminClient({"bootstrap.servers": SERVER})
        admin.create_topics([NewTopic("t", 1, 1, config={"segment.bytes": "2000"})])["t"].result(20)
        self.producers = {}
        self.plain = Producer({"bootstrap.servers": SERVER, "log_level": 0})
        self.written, self.number = [], 0  # (value, transaction or None); what a transaction came to
        self.fate = {}

    def producer(self, name):
        if name not in self.producers:
            self.producers[name] = Producer({"bootstrap.servers": SERVER, "transactional.id": name,
                                             "transaction.timeout.ms": 300000, "log_level": 0})
            self.producers[name].init_transactions(30)
        return self.producers[name]

    def send(self, producer, transaction):
        for _ in range(3):
            value = f"value-{self.number}"
            producer.produce("t", value, partition=0)
            self.written.append((value, transaction))
            self.number += 1
        if producer.flush(30):
            raise SystemExit("not delivered")

    def begin(self, name):
        producer = self.producer(name)
        producer.begin_transaction()
        self.fate[name] = self.fate.get(name, [])
        self.fate[name].append("open")
        self.send(producer, (name, len(self.fate[name]) - 1))

    def more(self, name):
        self.send(self.producers[name], (name, len(self.fate[name]) - 1))

    def end(self, name, commit):
        (self.producers[name].commit_transaction if commit else self.producers[name].abort_transaction)(30)
        self.fate[name][-1] = "committed" if commit else "aborted"

    def want(self, level):
        out = []
        for value, transaction in self.written:
            fate = self.fate[transaction[0]][transaction[1]] if transaction else "committed"
            if level == "read_committed" and fate == "open":
                return out
            if level == "read_uncommitted" or fate == "committed":
                out.append(value)
        return out


def make_history():
    history = History()
    for turn in range(12):
        history.begin("a")
        history.send(history.plain, None)
        history.begin("b")
        history.more("a")
        history.end("a", turn % 3 != 1)
        history.more("b")
        history.end("b", turn % 2 == 0)
    history.begin("c")
    history.begin("a")
    history.end("a", True)
    return history


def run(servers, level, bounded):
    arguments = [f"--broker={SERVER}"] if servers == "embedded" else []
    data = DATA if servers == "embedded" else DATA + "-job"
    sql = SQL.format(servers=servers, level=level, bounded=bounded)
    return subprocess.Popen([LEAT, "run", "--no-http", "--data", data, *arguments, "-e", sql], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def values(text):
    return re.findall(r"value-\d+", text)


def bounded(history, name):
    for level in ["read_committed", "read_uncommitted"]:
        process = run("embedded" if name == "in the process" else SERVER, level, "latest-offset")
        out, err = process.communicate(timeout=60)
        check(process.returncode == 0 and values(out) == history.want(level), f"{name}, {level}: up to the end there is",
              (process.returncode, err[-300:], len(values(out)), len(history.want(level))))


def read_until(process, wanted, timeout_s=30):
    """Lines of the job until it has shown `wanted`; more than that is an error too."""
    text, end = "", time.monotonic() + timeout_s
    while values(text) != wanted and time.monotonic() < end:
        if select.select([process.stdout], [], [], 0.1)[0]:
            got = os.read(process.stdout.fileno(), 65536).decode()
            if not got:
                break
            text += got
    return values(text)


def live(history, name, servers):
    """The open one ends while the job reads."""
    job = run(servers, "read_committed", "unbounded")
    before = history.want("read_committed")
    check(read_until(job, before) == before, f"{name}: what waits behind an open transaction waits")
    history.end("c", True)
    after = history.want("read_committed")[len(before):]
    check(read_until(job, after) == after, f"{name}: ... until that ends", len(after))
    history.begin("c")
    history.begin("a")
    history.end("c", False)
    history.end("a", True)
    rest = history.want("read_committed")[len(before) + len(after):]
    check(read_until(job, rest) == rest, f"{name}: what is aborted meanwhile is left out", len(rest))
    history.begin("c")
    history.begin("a")
    history.end("a", True)
    stop(job)


def main():
    broker = start_broker()
    history = make_history()
    bounded(history, "by librdkafka")
    live(history, "by librdkafka", SERVER)
    stop(broker)
    bounded(history, "in the process")
    live(history, "in the process", "embedded")
    _broker.finish()


main()
