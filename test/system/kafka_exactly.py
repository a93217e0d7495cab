#!/usr/bin/env python3
# timeout: 240
"""The exactly-once kafka sink: a job from one topic to another is killed again and again, stopped and started, its broker
is killed, and every row is in the topic once for a reader of committed records, in order for each partition of the
source; through librdkafka and with the broker in the process. A job that was stopped in the middle and taken over by
another (a copy of its data) finds itself fenced; one whose ledger is gone does not guess. KILLS is how often; REAL_KAFKA=HOST:PORT is a broker that is there and
stays: then only what goes through librdkafka is done, and only jobs are killed."""
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import _broker
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
REAL = os.environ.get("REAL_KAFKA")
SERVER = REAL or f"127.0.0.1:{os.environ['PORT']}"
KILLS = int(os.environ.get("KILLS", "8"))
check = _broker.check

SQL = """
CREATE TABLE rows_in (v STRING) WITH ('connector' = 'kafka', 'topic' = 'in', 'format' = 'raw',
  'properties.bootstrap.servers' = '{servers}', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE rows_out (v STRING) WITH ('connector' = 'kafka', 'topic' = 'out', 'format' = 'raw',
  'properties.bootstrap.servers' = '{servers}', 'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'test'{more});
INSERT INTO rows_out SELECT v FROM rows_in;
"""


class Broker:
    def __init__(self, data):
        self.data = data

    def start(self):
        if REAL:
            return
        self.process = subprocess.Popen([LEAT, "broker", "--data", self.data, "--listen", SERVER],
                                        stderr=subprocess.PIPE, text=True)
        if SERVER not in self.process.stderr.readline():
            raise SystemExit("the broker did not start")

    def kill(self, how=signal.SIGKILL):
        if REAL:
            return
        self.process.send_signal(how)
        self.process.wait(30)
        self.process.stderr.close()


class Job:
    def __init__(self, data, embedded, more=""):
        self.data, self.embedded, self.more = data, embedded, more

    def start(self):
        arguments = [f"--broker={SERVER}"] if self.embedded else []
        sql = SQL.format(servers="embedded" if self.embedded else SERVER, more=self.more)
        self.log = open(self.data + ".log", "a+")
        self.process = subprocess.Popen(
            [LEAT, "run", "--no-http", "--data", self.data, *arguments, "--set", "pipeline.name=copy",
             "--set", "execution.checkpointing.interval=100ms", "--set", "parallelism.default=2", "-e", sql],
            stdout=self.log, stderr=self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def says(self):
        return open(self.data + ".log").read()


class Rows:
    """Numbered rows into both partitions of topic in, while jobs come and go."""

    def __init__(self):
        admin = AdminClient({"bootstrap.servers": SERVER})
        small = {} if REAL else {"segment.bytes": "100000"}
        made = admin.create_topics([NewTopic("in", 2, 1), NewTopic("out", 2, 1, config=small)])
        for future in made.values():
            future.result(20)
        self.count = 0

    def add(self, count):
        producer = Producer({"bootstrap.servers": SERVER, "enable.idempotence": True, "log_level": 0,
                             "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200})
        for _ in range(count):
            producer.produce("in", f"{self.count:06}", partition=self.count % 2)
            self.count += 1
        if producer.flush(60):
            raise SystemExit("the rows were not taken")

    def want(self):
        return sorted(f"{number:06}" for number in range(self.count))


def committed():
    """{partition: values} of topic out, for a reader of committed records, by position."""
    out = {}
    for partition in range(2):
        consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "enable.auto.commit": False, "log_level": 0,
                             "isolation.level": "read_committed", "enable.partition.eof": True})
        consumer.assign([TopicPartition("out", partition, 0)])
        out[partition], end = [], time.monotonic() + 30
        while time.monotonic() < end:
            messages = consumer.consume(1000, 1)
            out[partition] += [message.value().decode() for message in messages if not message.error()]
            if any(message.error() for message in messages):
                break
        consumer.close()
    return out


def arrives(rows, timeout_s=60):
    """All rows, however long the job takes; more than that would stay an error."""
    end = time.monotonic() + timeout_s
    while True:
        got = sorted(value for values in committed().values() for value in values)
        if got == rows.want() or len(got) > rows.count or time.monotonic() > end:
            return got
        time.sleep(0.2)


def is_right(rows, what):
    got = arrives(rows)
    doubled = len(got) - len(set(got))
    check(got == rows.want(), f"{what}: {rows.count} rows, each once",
          f"{len(got)} there, {doubled} twice, {len(set(rows.want()) - set(got))} missing")


def kills(name, embedded):
    data = os.path.join(DIRECTORY, name)
    broker = Broker(data if embedded else data + "-broker")
    broker.start()
    rows = Rows()
    rows.add(1000)
    job = Job(data, embedded)
    if embedded:
        broker.kill(signal.SIGTERM)  # the job is the broker from now on
    for turn in range(KILLS):
        job.start()
        rows.add(300)
        time.sleep(random.uniform(0, 0.6))
        if turn % 3 == 1 and not embedded:
            broker.kill()
            broker.start()
            time.sleep(random.uniform(0, 0.3))
        job.kill()
        if embedded and turn % 3 == 2:
            job.start()
            rows.add(10)
            check(job.stop() == 0, f"{name}: a clean stop in between", job.says()[-400:])
    job.start()
    rows.add(100)
    is_right(rows, f"{name}, {KILLS} kills")
    check(job.stop() == 0, f"{name}: clean stop", job.says()[-400:])
    if embedded:
        broker.start()
    check(sorted(value for values in committed().values() for value in values) == rows.want(),
          f"{name}: the same after it")
    return broker, rows, job


def zombie(broker, rows, job):
    """A paused process and its successor."""
    job.start()
    rows.add(200)
    is_right(rows, "before the pause")
    job.process.send_signal(signal.SIGSTOP)
    copy = Job(job.data + "-copy", False)
    shutil.copytree(job.data, copy.data)
    copy.start()
    rows.add(200)
    is_right(rows, "taken over by a copy")
    job.process.send_signal(signal.SIGCONT)
    rows.add(200)
    end = time.monotonic() + 40
    while job.process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    check(job.process.poll() not in (None, 0) and "taken over" in job.says(), "the older one ends, and says why",
          (job.process.poll(), job.says()[-600:]))
    is_right(rows, "the copy goes on")
    check(copy.stop() == 0, "it is stopped")
    lost_ledger(copy)
    broker.kill(signal.SIGTERM)


def lost_ledger(job):
    """Somebody else commits an offset for the group that is the ledger: the job does not guess."""
    groups = [group.id for group in AdminClient({"bootstrap.servers": SERVER}).list_groups(timeout=20)]
    groups = [group for group in groups if group.startswith("leat-ledger-")]
    if not check(len(groups) == 1 and "rows_out" in groups[0], "the ledger is a group of the sink's name", groups):
        return
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": groups[0]})
    consumer.commit(offsets=[TopicPartition("out", 0, 5)], asynchronous=False)
    consumer.close()
    job.start()
    try:
        code = job.process.wait(40)
    except subprocess.TimeoutExpired:
        code = job.stop()
    check(code != 0 and "is no ledger of leat's" in job.says(), "without it the job ends", job.says()[-400:])


def refusals():
    for more, hint in [("", "checkpoint"), ]:
        sql = SQL.format(servers=SERVER, more=more)
        done = subprocess.run([LEAT, "run", "--no-http", "--data", os.path.join(DIRECTORY, "refused"), "--set",
                               "execution.checkpointing.interval=0", "-e", sql], capture_output=True, text=True, timeout=60)
        check(done.returncode != 0 and hint in done.stderr, "without checkpoints it is refused", done.stderr[-300:])
    sql = SQL.format(servers=SERVER, more="").replace("'sink.transactional-id-prefix' = 'test'", "'sink.partitioner' = 'fixed'")
    done = subprocess.run([LEAT, "run", "--no-http", "--data", os.path.join(DIRECTORY, "refused"), "-e", sql],
                          capture_output=True, text=True, timeout=60)
    check(done.returncode != 0 and "sink.transactional-id-prefix" in done.stderr, "without a prefix too", done.stderr[-300:])
    sql = SQL.format(servers="embedded", more="")
    done = subprocess.run([LEAT, "run", "--no-http", "--data", os.path.join(DIRECTORY, "refused"), "-e", sql],
                          capture_output=True, text=True, timeout=60)
    check(done.returncode != 0 and "--broker" in done.stderr, "and with a broker that does not listen", done.stderr[-300:])


def main():
    random.seed(int(os.environ.get("SEED", "1")))
    refusals()
    zombie(*kills("by librdkafka", False))
    if REAL:
        _broker.finish()
    broker, _, _ = kills("in the process", True)
    broker.kill(signal.SIGTERM)
    _broker.finish()


if __name__ == "__main__":
    main()
