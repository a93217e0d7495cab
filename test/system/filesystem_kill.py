#!/usr/bin/env python3
# timeout: 240
"""Files of an exactly-once sink: a job from a Kafka topic into a directory, with a checkpoint every 100 ms, is
killed (-9) at random instants while rows come, and started again, each time at another parallelism. Whatever
is seen in the directory is whole and each row in it once, at any time; in the end every row is there, and no
hidden file is left. A bounded job into a directory is killed, too."""
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import time

import _broker
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
SERVER = f"127.0.0.1:{os.environ['PORT']}"
OUT = os.path.join(DIRECTORY, "out")
KILLS = 12
check = _broker.check
random.seed(int(os.environ.get("SEED", "1")))

SOURCE = f"""
CREATE TABLE orders (id INT, card STRING) WITH ('connector' = 'kafka', 'topic' = 'orders',
  'properties.bootstrap.servers' = '{SERVER}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
"""
SINK = """
CREATE TABLE files (id INT, card STRING) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv',
  'sink.rolling-policy.file-size' = '20 kb');
INSERT INTO files SELECT id, card FROM {source};
"""


class Orders:
    def __init__(self):
        self.count = 0
        client = AdminClient({"bootstrap.servers": SERVER})
        client.create_topics([NewTopic("orders", 3, 1)])["orders"].result(20)
        self.producer = Producer({"bootstrap.servers": SERVER, "linger.ms": 5, "acks": "all"})

    def send(self, count):
        for _ in range(count):
            self.producer.produce("orders", json.dumps({"id": self.count, "card": f"card-{self.count % 7}"}),
                                  partition=self.count % 3)
            self.producer.poll(0)
            self.count += 1


def start(name, sql, parallelism):
    return subprocess.Popen([LEAT, "run", "--no-http", "--data", os.path.join(DIRECTORY, name),
                             "--set", "execution.checkpointing.interval=100ms",
                             "--set", f"parallelism.default={parallelism}", "-e", sql],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def seen(path):
    """The rows of all files that readers see, a list of ids. Lines that are not whole: -1."""
    ids = []
    for name in glob.glob(os.path.join(path, "part-*")):
        with open(name) as file:
            text = file.read()
        for line in text.splitlines():
            parts = line.split(",")
            good = len(parts) == 2 and parts[0].isdigit() and parts[1] == f"card-{int(parts[0]) % 7}"
            ids.append(int(parts[0]) if good else -1)
        if not text.endswith("\n"):
            ids.append(-1)
    return ids


def hidden(path):
    return glob.glob(os.path.join(path, ".part-*"))


def problem(ids):
    twice = len(ids) - len(set(ids))
    return f"{twice} rows are there twice, {ids.count(-1)} lines are not whole" if twice or -1 in ids else ""


def kill(job):
    early = job.poll()
    job.send_signal(signal.SIGKILL)
    err = job.communicate()[1]
    return "" if early is None else f"it had ended with {early}: {err}"


def unbounded(orders):
    sql = SOURCE + SINK.format(path=OUT, source="orders")
    orders.send(2000)
    at_kills = []
    for _ in range(KILLS):
        job = start("job", sql, random.choice([1, 2, 3]))
        end = time.monotonic() + random.uniform(0.02, 1.2)
        while time.monotonic() < end:
            orders.send(20)
            time.sleep(0.005)
        failed = kill(job) or problem(seen(OUT))
        if not check(not failed, f"kill {len(at_kills) + 1}: what is seen is whole, and there once", failed):
            return
        at_kills.append(len(seen(OUT)))
        if len(at_kills) == KILLS // 2:
            shutil.copytree(os.path.join(DIRECTORY, "job"), os.path.join(DIRECTORY, "job-old"))
    orders.producer.flush(30)
    job = start("job", sql, 2)
    end = time.monotonic() + 60
    while time.monotonic() < end and job.poll() is None and len(seen(OUT)) < orders.count:
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    err = job.communicate(timeout=30)[1]
    ids = seen(OUT)
    check(job.returncode == 0 and sorted(ids) == list(range(orders.count)),
          f"all {orders.count} rows are there once", f"{len(ids)} rows, {problem(ids)}: {err}")
    check(not hidden(OUT), "no hidden file is left", hidden(OUT))
    check(at_kills[-1] > at_kills[0], "files came into sight between the kills", at_kills)


def too_old():
    """With an older checkpoint than what was committed, rows would come twice: the job says so."""
    rows = len(seen(OUT))
    job = start("job-old", SOURCE + SINK.format(path=OUT, source="orders"), 2)
    try:
        err = job.communicate(timeout=30)[1]
    except subprocess.TimeoutExpired:
        err = f"it runs on {kill(job)}"
    check("would come twice" in err and "--accept-duplicates" in err and len(seen(OUT)) == rows,
          "a checkpoint that is too old is refused", err)


def bounded(orders):
    path = os.path.join(DIRECTORY, "copy")
    source = f"""CREATE TABLE again (id INT, card STRING)
      WITH ('connector' = 'filesystem', 'path' = '{OUT}', 'format' = 'csv');"""
    with open(os.path.join(OUT, ".part-nobody-0-0.inprogress"), "w") as file:
        file.write("1,not a row of anybody\n")
    runs, code, failed = 0, -1, ""
    while code == -1 and runs < 20 and not failed:
        job = start("copy-job", source + SINK.format(path=path, source="again"), random.choice([1, 2]))
        runs += 1
        try:
            err = job.communicate(timeout=0.05 * runs)[1]
            code = job.returncode
        except subprocess.TimeoutExpired:
            failed = kill(job) or problem(seen(path))
    ids = seen(path)
    check(not failed and code == 0 and sorted(ids) == list(range(orders.count)) and not hidden(path),
          f"a bounded job leaves each row once after {runs} runs, and reads no hidden file",
          f"{failed} exit {code}, {len(ids)} rows, {problem(ids)} {hidden(path)}")


broker = subprocess.Popen([LEAT, "broker", "--data", os.path.join(DIRECTORY, "broker"), "--listen", SERVER],
                          stderr=subprocess.PIPE, text=True)
if SERVER not in broker.stderr.readline():
    raise SystemExit("the broker did not start")
orders = Orders()
unbounded(orders)
too_old()
bounded(orders)
broker.send_signal(signal.SIGTERM)
broker.communicate(timeout=30)
_broker.finish()
