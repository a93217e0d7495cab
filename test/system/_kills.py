"""A pipeline from a Kafka topic of three partitions to totals by card and counts by minute in SQLite, with
a checkpoint every 100 ms, is killed (-9) at random instants while rows come, and started again on the same
data directory, each time at another parallelism. Its tables equal an independent computation, and the last
run did not read the topic from its beginning."""
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import time

import _broker  # noqa: F401, the clients' interpreter
from _tap import check, finish

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
SERVER = f"127.0.0.1:{os.environ['PORT']}"
CARDS = ["Visa", "Master", "Maestro", "American Express", "Cirrus", "PayPal"]
PARTITIONS = 3
START = 1704067200  # 2024-01-01

SQL = """
CREATE TABLE orders (card STRING, amount INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = '{server}',
  'properties.group.id' = 'test', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE totals (card STRING, total BIGINT, orders BIGINT, cards BIGINT, largest INT,
  PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'totals');
CREATE TABLE minutes (minute TIMESTAMP(3), card STRING, total BIGINT, orders BIGINT,
  PRIMARY KEY (minute, card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'minutes');
INSERT INTO totals SELECT card, SUM(amount), COUNT(*), COUNT(DISTINCT amount), MAX(amount) FROM orders
  GROUP BY card;
INSERT INTO minutes SELECT window_start, card, SUM(amount), COUNT(*)
  FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
  GROUP BY window_start, window_end, card;
"""


class Orders:
    """Rows as they are produced, and what the tables must hold in the end."""

    def __init__(self):
        self.count = 0
        self.totals, self.minutes = {}, {}
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": SERVER})
        admin.create_topics([NewTopic("orders", PARTITIONS, 1)])["orders"].result(20)
        self.producer = Producer({"bootstrap.servers": SERVER, "linger.ms": 5, "acks": "all"})

    def send(self, second, card, amount):
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(START + second))
        self.producer.produce("orders", json.dumps({"card": card, "amount": amount, "ts": at}),
                              partition=self.count % PARTITIONS)
        self.producer.poll(0)
        self.count += 1
        total, orders, seen, largest = self.totals.get(card, (0, 0, set(), 0))
        self.totals[card] = (total + amount, orders + 1, seen | {amount}, max(largest, amount))
        minute = (START + second) // 60 * 60
        total, orders = self.minutes.get((minute, card), (0, 0))
        self.minutes[minute, card] = (total + amount, orders + 1)

    def some(self, count):
        for _ in range(count):
            # out of order by at most 2 s, a minute of the stream every 1200 rows
            second = self.count // 20 + random.randrange(2)
            self.send(second, random.choice(CARDS), random.randrange(1, 500))

    def end(self):
        """Rows of a far later minute, which stays open, in every partition."""
        for _ in range(PARTITIONS):
            self.send(10_000_000, "end", 1)
        if self.producer.flush(30):
            raise SystemExit("the orders were not taken")

    def want(self):
        totals = {card: (total, orders, len(seen), largest)
                  for card, (total, orders, seen, largest) in self.totals.items()}
        return totals, {key: value for key, value in self.minutes.items() if key[1] != "end"}


def tables(db):
    connection = sqlite3.connect(db, timeout=20)
    try:
        totals = connection.execute("SELECT card, total, orders, cards, largest FROM totals").fetchall()
        minutes = connection.execute(
            "SELECT strftime('%s', minute), card, total, orders FROM minutes").fetchall()
    except sqlite3.OperationalError:
        return {}, {}
    finally:
        connection.close()
    return ({card: tuple(rest) for card, *rest in totals},
            {(int(minute), card): (total, orders) for minute, card, total, orders in minutes})


def leat(path, parallelism):
    return subprocess.Popen([LEAT, "run", "--data", os.path.join(DIRECTORY, "job"),
                             "--set", "execution.checkpointing.interval=100ms",
                             "--set", f"parallelism.default={parallelism}", path],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(kills, seconds_each):
    seed = int(os.environ.get("SEED", "1"))
    random.seed(seed)
    db, path = os.path.join(DIRECTORY, "result.db"), os.path.join(DIRECTORY, "job.sql")
    with open(path, "w") as file:
        file.write(SQL.format(server=SERVER, db=db))
    broker = subprocess.Popen([LEAT, "broker", "--data", os.path.join(DIRECTORY, "broker"), "--listen", SERVER],
                              stderr=subprocess.PIPE, text=True)
    if SERVER not in broker.stderr.readline():
        raise SystemExit("the broker did not start")
    orders = Orders()
    orders.some(2000)
    for kill in range(kills):
        job = leat(path, random.choice([1, 2, 3]))
        end = time.monotonic() + random.uniform(0.02, seconds_each)
        while time.monotonic() < end:
            orders.some(20)
            time.sleep(0.005)
        early = job.poll()
        job.send_signal(signal.SIGKILL)
        err = job.communicate()[1]
        if early is not None:
            check(False, f"run {kill} goes on until it is killed", err)
            break
    orders.end()
    want = orders.want()
    job = leat(path, 2)
    last = time.monotonic() + 60
    while time.monotonic() < last and tables(db) != want and job.poll() is None:
        time.sleep(0.05)
    got = tables(db)
    check(got == want, f"{kills} kills, {orders.count} rows: the tables are as if nothing had happened",
          {key: (got[0].get(key), want[0].get(key)) for key in set(got[0]) | set(want[0])
           if got[0].get(key) != want[0].get(key)} or
          [(key, got[1].get(key), want[1].get(key)) for key in set(got[1]) | set(want[1])
           if got[1].get(key) != want[1].get(key)][:5])
    job.send_signal(signal.SIGTERM)
    err = job.communicate(timeout=30)[1]
    check(job.returncode == 0, "SIGTERM: a last checkpoint, exit 0", (job.returncode, err))
    read = [int(rows) for rows in re.findall(r"STOPPED: (\d+) rows read", err)]
    check(len(read) == 2 and all(rows < orders.count / 2 for rows in read),
          f"the last run went on from a checkpoint: {read} of {orders.count} rows read", err)
    job = leat(path, 3)
    time.sleep(2)
    job.send_signal(signal.SIGTERM)
    err = job.communicate(timeout=30)[1]
    read = [int(rows) for rows in re.findall(r"STOPPED: (\d+) rows read", err)]
    check(job.returncode == 0 and read == [0, 0] and tables(db) == want,
          "after a clean stop nothing is read again", (job.returncode, read, err))
    broker.terminate()
    check(broker.wait(30) == 0, "the broker ends")
    finish()
