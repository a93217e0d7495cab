#!/usr/bin/env python3
# timeout: 180
"""Partitions that are added to a topic while a job reads it, or while it is down, are found and read from
their earliest offset: in the process and through librdkafka. A remote topic that was made again ends the job
with the reason, whether it has grown beyond what was read or not. Totals are computed independently.
KAFKA_SERVER: only through librdkafka, at that server (test/services/kafka_partitions.sh)."""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import _broker
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
OTHER = os.environ.get("KAFKA_SERVER")
SERVER = OTHER or f"127.0.0.1:{os.environ['PORT']}"
check = _broker.check

SQL = """
CREATE TABLE orders (card STRING, amount INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'kafka',
  'topic' = 'orders', 'properties.bootstrap.servers' = '{servers}', 'scan.startup.mode' = 'latest-offset',
  'scan.topic-partition-discovery.interval' = '100 ms', 'format' = 'json');
CREATE TABLE totals (card STRING, total BIGINT, PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'totals');
CREATE TABLE minutes (minute TIMESTAMP(3), orders BIGINT, PRIMARY KEY (minute) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'minutes');
EXECUTE STATEMENT SET BEGIN
INSERT INTO totals SELECT card, SUM(amount) FROM orders GROUP BY card;
INSERT INTO minutes SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
  GROUP BY window_start, window_end;
END;
"""


class Case:
    def __init__(self, name, embedded):
        self.name, self.embedded = name, embedded
        self.data = os.path.join(DIRECTORY, name)
        self.db = os.path.join(DIRECTORY, name + ".db")
        self.want, self.minutes = {}, {}
        self.broker = self.job = None

    def start_broker(self):
        if OTHER:
            return
        data = self.data if self.embedded else self.data + "-broker"
        self.broker = subprocess.Popen([LEAT, "broker", "--data", data, "--listen", SERVER],
                                       stderr=subprocess.PIPE, text=True)
        if SERVER not in self.broker.stderr.readline():
            raise SystemExit("the broker did not start")

    def stop_broker(self):
        if OTHER:
            return
        self.broker.send_signal(signal.SIGTERM)
        self.broker.communicate(timeout=30)
        self.broker = None

    def start_job(self):
        if self.embedded and self.broker:
            self.stop_broker()  # the job is the broker now
        arguments = [f"--broker={SERVER}"] if self.embedded else []
        sql = SQL.format(servers="embedded" if self.embedded else SERVER, db=self.db)
        self.job = subprocess.Popen([LEAT, "run", "--no-http", "--data", self.data, *arguments,
                                     "--set", "execution.checkpointing.interval=50ms",
                                     "--set", "pipeline.name=orders",
                                     "--set", "parallelism.default=2", "-e", sql],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop_job(self):
        self.job.send_signal(signal.SIGTERM)
        err = self.job.communicate(timeout=30)[1]
        check(self.job.returncode == 0, f"{self.name}: the job is stopped", err)
        if self.embedded:
            self.start_broker()

    def admin(self, call, argument):
        client = AdminClient({"bootstrap.servers": SERVER})
        getattr(client, call)([argument])["orders"].result(20)

    def grow(self, count):
        self.admin("create_partitions", NewPartitions("orders", count))

    def produce(self, partition, minute, rows, counts=True):
        """Rows in this minute of the stream; counts: the job is to see them."""
        producer = Producer({"bootstrap.servers": SERVER, "acks": "all"})
        for card, amount in rows:
            at = f"2024-01-01 00:{minute:02}:00"
            producer.produce("orders", json.dumps({"card": card, "amount": amount, "ts": at}), partition=partition)
            if counts:
                self.want[card] = self.want.get(card, 0) + amount
                self.minutes[minute] = self.minutes.get(minute, 0) + 1
        if producer.flush(20):
            raise SystemExit("the orders were not taken")

    def rows(self, query):
        connection = sqlite3.connect(self.db, timeout=10)
        try:
            return dict(connection.execute(query).fetchall())
        except sqlite3.OperationalError:
            return {}
        finally:
            connection.close()

    def totals(self):
        return self.rows("SELECT card, total FROM totals")

    def closed(self):
        return self.rows("SELECT CAST(strftime('%M', minute) AS INTEGER), orders FROM minutes")

    def until(self, condition):
        end = time.monotonic() + 30
        while time.monotonic() < end and not condition() and self.job.poll() is None:
            time.sleep(0.03)
        return condition()

    def equal(self, what):
        good = self.until(lambda: self.totals() == self.want)
        check(good, f"{self.name}: {what}", f"{self.totals()}, want {self.want}, exit {self.job.poll()}")

    def closes(self, minutes, what):
        want = {minute: self.minutes[minute] for minute in minutes}
        check(self.until(lambda: self.closed() == want), f"{self.name}: {what}", f"{self.closed()}, want {want}")

    def probe(self):
        """Until the job reads: from latest-offset on nothing is seen that came before."""
        while self.totals() == {} and self.job.poll() is None:
            self.produce(0, 1, [("probe", 1)], counts=False)
            time.sleep(0.1)
        last = 1 << 20
        self.produce(0, 1, [("probe", last)], counts=False)
        self.until(lambda: self.totals()["probe"] >= last)
        self.want = self.totals()
        self.minutes = {1: self.want["probe"] - last + 1}

    def run(self):
        self.start_broker()
        self.admin("create_topics", NewTopic("orders", 1, 1))
        self.produce(0, 1, [("before", 1)], counts=False)
        self.start_job()
        self.probe()
        self.produce(0, 2, [("a", 2)])
        self.equal("rows of the first partition")
        self.closes([1], "its watermark closes a minute")
        self.grow(3)
        self.produce(1, 2, [("b", 3)])
        self.produce(2, 2, [("a", 5), ("c", 7)])
        self.equal("two partitions more")
        self.produce(0, 9, [("a", 1)])
        self.produce(1, 9, [("a", 1)])
        self.equal("rows of a far later minute in two of three")
        self.closes([1], "a new partition holds the watermark back")
        self.produce(2, 9, [("a", 1)])
        self.closes([1, 2], "until it has come as far")
        self.stop_job()
        self.grow(4)
        self.produce(3, 9, [("d", 11)])
        self.produce(0, 9, [("b", 1)])
        self.start_job()
        self.equal("one that came while the job was down")
        self.stop_job()

    def made_again(self, count):
        self.admin("delete_topics", "orders")
        self.admin("create_topics", NewTopic("orders", 4, 1))
        for partition in range(4):
            self.produce(partition, 9, [("other", 1)] * count, counts=False)
        self.start_job()
        err = self.job.communicate(timeout=60)[1]
        check(self.job.returncode not in (0, -9) and "topic 'orders'" in err and "made again" in err and
              self.totals() == self.want, f"{self.name}: a topic made again with {count} rows ends the job", err)


if not OTHER:
    embedded = Case("in the process", True)
    embedded.run()
    embedded.stop_broker()
remote = Case("through librdkafka", False)
remote.run()
remote.made_again(1)
remote.made_again(1000)
remote.stop_broker()
_broker.finish()
