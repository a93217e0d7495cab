"""A job from a topic of three partitions, in a broker of its own process, into SQLite, files and another topic, killed (-9) at
random instants while rows come and started again on the same data directory, each time at another parallelism, with a
checkpoint every 100 ms. What its tables hold in the end equals an independent computation over what the topic holds:
each row once. Tables without a key (rows as they come, windows) prove that nothing is lost or written twice; one with
a key is written at once, another, of rows that change when they are repeated, through the log."""
import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import _broker  # noqa: F401, the clients' interpreter
from _tap import check, finish, rows_of, wait_for

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
SERVER = f"127.0.0.1:{os.environ['PORT']}"
CARDS = ["Visa", "Master", "Maestro", "Cirrus", "PayPal"]
PARTITIONS = 3
START = 1704067200  # 2024-01-01
END = 10_000_000  # seconds after it: rows of the window that stays open
DATABASE = os.environ.get("DATABASE") or os.path.join(DIRECTORY, "result.db")
INSIDE = []  # the command that runs another in the name space of a mount
FILES = os.path.join(DIRECTORY, "files")

SQL = f"""
CREATE TABLE orders (id BIGINT, card STRING, amount INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = '{SERVER}',
  'properties.group.id' = 'test', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE copies (id BIGINT, card STRING, amount INT)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DATABASE}', 'table-name' = 'copies');
CREATE TABLE files (id BIGINT, card STRING, amount INT)
  WITH ('connector' = 'filesystem', 'path' = '{FILES}', 'format' = 'json');
CREATE TABLE records (id BIGINT, card STRING, amount INT)
  WITH ('connector' = 'kafka', 'topic' = 'records', 'properties.bootstrap.servers' = '{SERVER}', 'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'test');
CREATE TABLE seconds (second TIMESTAMP(3), card STRING, total BIGINT, orders BIGINT)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DATABASE}', 'table-name' = 'seconds');
CREATE TABLE totals (card STRING, total BIGINT, orders BIGINT, largest INT, PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DATABASE}', 'table-name' = 'totals');
CREATE TABLE stamped (card STRING, total BIGINT, seen TIMESTAMP(3), PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DATABASE}', 'table-name' = 'stamped');
"""

INSERTS = """
EXECUTE STATEMENT SET BEGIN
INSERT INTO copies SELECT id, card, amount FROM orders;
INSERT INTO records SELECT id, card, amount FROM orders;
INSERT INTO files SELECT id, card, amount FROM orders;
INSERT INTO seconds SELECT window_start, card, SUM(amount), COUNT(*)
  FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, card;
INSERT INTO totals SELECT card, SUM(amount), COUNT(*), MAX(amount) FROM orders GROUP BY card;
INSERT INTO stamped SELECT card, SUM(amount), CAST(MAX(CURRENT_TIMESTAMP) AS TIMESTAMP(3)) FROM orders GROUP BY card;
END;
"""


class Job:
    """The process of the job, and of the broker too unless that is a remote one."""

    def __init__(self, sql, remote=False, program=LEAT):
        self.path = os.path.join(DIRECTORY, "job.sql")
        with open(self.path, "w") as file:
            file.write(sql)
        self.process = None
        self.program = program
        self.broker = [] if remote else [f"--broker={SERVER}"]

    def start(self, *more, parallelism=None):
        self.process = subprocess.Popen(
            [self.program, "run", "--data", os.path.join(DIRECTORY, "data"), *self.broker, "--no-http",
             "--set", "execution.checkpointing.interval=100ms",
             "--set", f"parallelism.default={parallelism or random.choice([1, 2, 3])}", *more, self.path],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def kill(self):
        """What it said; None if it had ended by itself."""
        early = self.process.poll()
        if early is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        said = self.process.communicate()[1]
        return said if early is None else f"it had ended: {early}\n{said}"

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        said = self.process.communicate(timeout=60)[1]
        return self.process.returncode, said

    def pause(self, seconds):
        """A process that does not run for a while and then goes on as if nothing had been."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.killpg(self.process.pid, signal.SIGCONT)


class Orders:
    """Rows that are produced as long as they are wanted; a producer that keeps what a killed broker did not confirm."""

    def __init__(self):
        self.count = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def begin(self):
        from confluent_kafka import Producer
        self.producer = Producer({"bootstrap.servers": SERVER, "linger.ms": 5, "acks": "all",
                                  "enable.idempotence": True, "message.timeout.ms": 600000,
                                  "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200,
                                  "retry.backoff.ms": 20, "log_level": 0})
        self.thread.start()

    def send(self, second):
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(START + second))
        row = {"id": self.count, "card": random.choice(CARDS), "amount": random.randrange(1, 500), "ts": at}
        self.producer.produce("orders", json.dumps(row), partition=self.count % PARTITIONS)
        self.count += 1

    def run(self):
        while not self.done.is_set():
            if len(self.producer) < 2000:
                for _ in range(20):  # out of order by at most 2 s, a second of the stream every 20 rows
                    self.send(self.count // 20 + random.randrange(2))
            self.producer.poll(0.005)

    def end(self):
        self.done.set()
        self.thread.join()
        for _ in range(PARTITIONS):
            self.send(END)
        return self.producer.flush(60) == 0


def start_broker(program=LEAT, data="data"):
    return subprocess.Popen([program, "broker", "--data", os.path.join(DIRECTORY, data), "--listen", SERVER],
                            stderr=subprocess.DEVNULL)


def create_topic(broker):
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": SERVER, "reconnect.backoff.max.ms": 100, "log_level": 0})
    made = admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in ("orders", "records")])
    for future in made.values():
        future.result(30)
    broker.terminate()
    check(broker.wait(30) == 0, "a topic of three partitions")


def topic():
    """What the topic holds, read by another client: a list of rows."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "independent", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "log_level": 0})
    left = {}
    for partition in range(PARTITIONS):
        _, high = consumer.get_watermark_offsets(TopicPartition("orders", partition), 30)
        left[partition] = high
    consumer.assign([TopicPartition("orders", partition, 0) for partition in left])
    rows = []
    while any(left.values()):
        for message in consumer.consume(1000, 5):
            if message.error():
                raise SystemExit(f"the topic cannot be read: {message.error()}")
            rows.append(json.loads(message.value()))
            if message.offset() + 1 >= left[message.partition()]:
                left[message.partition()] = 0
    consumer.close()
    return rows


def second_of(row):
    at = time.mktime(time.strptime(row["ts"] + " UTC", "%Y-%m-%d %H:%M:%S %Z")) - time.timezone
    return int(at)


def wanted(rows):
    seconds, totals = {}, {}
    for row in rows:
        key = second_of(row), row["card"]
        total, count = seconds.get(key, (0, 0))
        seconds[key] = total + row["amount"], count + 1
        total, count, largest = totals.get(row["card"], (0, 0, 0))
        totals[row["card"]] = total + row["amount"], count + 1, max(largest, row["amount"])
    copies = collections.Counter((row["id"], row["card"], row["amount"]) for row in rows)
    return {"copies": copies, "files": copies, "records": copies,
            "seconds": collections.Counter((second, card, total, count) for (second, card), (total, count)
                                           in seconds.items() if second < START + END),
            "totals": collections.Counter((card, *rest) for card, rest in totals.items()),
            "stamped": collections.Counter((card, rest[0]) for card, rest in totals.items())}


def read_tables():
    """As tables(), by a process that sees the file system which the database lies in."""
    if not INSIDE:
        return tables()
    read = subprocess.run(INSIDE + [sys.executable, __file__], env={**os.environ, "DATABASE": DATABASE},
                          capture_output=True, text=True, check=True)
    return json.loads(read.stdout)


QUERIES = {"copies": "SELECT id, card, amount FROM copies",
           "seconds": "SELECT CAST(strftime('%s', second) AS INTEGER), card, total, orders FROM seconds",
           "totals": "SELECT card, total, orders, largest FROM totals",
           "stamped": "SELECT card, total FROM stamped"}


def files():
    rows = collections.Counter()
    for name in os.listdir(FILES) if os.path.isdir(FILES) else ():
        if not name.startswith("."):
            with open(os.path.join(FILES, name)) as file:
                rows.update((row["id"], row["card"], row["amount"]) for row in map(json.loads, file))
    return rows


class Records:
    """What a reader of committed records has seen so far in the topic that the job writes to."""

    def __init__(self):
        self.rows, self.consumer = collections.Counter(), None

    def read(self):
        from confluent_kafka import Consumer, KafkaError, TopicPartition
        if not self.consumer:
            self.consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "records", "enable.auto.commit": False,
                                      "isolation.level": "read_committed", "log_level": 0,
                                      "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200})
            self.consumer.assign([TopicPartition("records", partition, 0) for partition in range(PARTITIONS)])
        while messages := self.consumer.consume(1000, 0.5):
            for message in messages:
                if not message.error():
                    row = json.loads(message.value())
                    self.rows[row["id"], row["card"], row["amount"]] += 1
                elif message.error().code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                    raise SystemExit(f"the records cannot be read: {message.error()}")
        return self.rows


RECORDS = Records()


def tables():
    return {name: rows_of(DATABASE, query) for name, query in QUERIES.items()}


def found():
    return {"files": files(), "records": RECORDS.read(), **{name: collections.Counter(map(tuple, rows)) for name, rows in read_tables().items()}}


def differences(got, want):
    out = []
    for name, rows in want.items():
        missing, extra = rows - got[name], got[name] - rows
        if missing or extra:
            out.append(f"{name}: {sum(missing.values())} missing, such as {list(missing.items())[:5]}; "
                       f"{sum(extra.values())} too many, such as {list(extra.items())[:5]}")
    return out


def judge(job, orders, what):
    """Ends the input, waits for the tables, stops the job; it has to be running."""
    check(orders.end(), "all rows are in the topic")
    rows = topic()
    want = wanted(rows)
    check(len(rows) >= orders.count, f"{len(rows)} rows in the topic")
    good = wait_for(lambda: job.process.poll() is not None or not differences(found(), want), 120)
    check(good and job.process.poll() is None, f"{what}: all tables are as if nothing had happened",
          *differences(found(), want))
    code, said = job.stop()
    check(code == 0, "SIGTERM: a last checkpoint and its commit, exit 0", code, said)
    job.start(parallelism=2)
    time.sleep(1)
    code, said = job.stop()
    check(code == 0 and not differences(found(), want), "and nothing more comes in another run", code, said,
          *differences(found(), want))


def run(kills, seconds_each):
    """Processes that are killed, and some that stand still for a while before."""
    random.seed(int(os.environ.get("SEED", "1")))
    create_topic(start_broker())
    job, orders = Job(SQL + INSERTS), Orders()
    job.start()
    orders.begin()
    for kill in range(kills):
        time.sleep(random.uniform(0.02, seconds_each))
        if random.randrange(4) == 0:
            job.pause(random.uniform(0.05, 0.5))
            time.sleep(random.uniform(0, seconds_each / 2))
        said = job.kill()
        if said.startswith("it had ended"):
            check(False, f"run {kill} goes on until it is killed", said)
            break
        job.start()
    judge(job, orders, f"{kills} kills")
    finish()


def run_remote(kills, seconds_each):
    """The broker is a process of its own; now it is killed, now the job."""
    random.seed(int(os.environ.get("SEED", "1")))
    create_topic(start_broker(data="broker"))
    broker = start_broker(data="broker")
    job, orders = Job(SQL + INSERTS, remote=True), Orders()
    job.start()
    orders.begin()
    for kill in range(kills):
        time.sleep(random.uniform(0.02, seconds_each))
        if random.randrange(2):
            broker.kill()
            broker.wait()
            time.sleep(random.uniform(0, 0.3))
            broker = start_broker(data="broker")
            continue
        said = job.kill()
        if said.startswith("it had ended"):
            check(False, f"run {kill} goes on until it is killed", said)
            break
        job.start()
    judge(job, orders, f"{kills} kills of broker or job")
    broker.terminate()
    check(broker.wait(30) == 0, "the broker ends")
    finish()


def run_full(times, seconds_each):
    """The disk of the data directory, the topic, the files and the database is full for a while. A job that gives up
    over it is started again."""
    random.seed(int(os.environ.get("SEED", "1")))
    mount = os.path.join(DIRECTORY, "small")
    os.makedirs(mount)
    holder = subprocess.Popen(["unshare", "-rm", "sh", "-c",
                               f"mount -t tmpfs -o size=64m none '{mount}' && echo ready && exec sleep 600"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if holder.stdout.readline() != "ready\n":
        print("1..0 # SKIP no mount namespaces here")
        raise SystemExit(77)
    enter = ["nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials", f"--wd={DIRECTORY}"]
    program = os.path.join(DIRECTORY, "leat-inside")
    with open(program, "w") as file:
        file.write(f"#!/bin/sh\nexec {' '.join(enter)} '{LEAT}' \"$@\"\n")
    os.chmod(program, 0o755)
    for name in ("data", "files"):
        subprocess.run(enter + ["mkdir", os.path.join(mount, name)], check=True)
        os.symlink(os.path.join(mount, name), os.path.join(DIRECTORY, name))
    global DATABASE, FILES, INSIDE
    inside = f"/proc/{holder.pid}/root{mount}"
    sql = (SQL + INSERTS).replace(DATABASE, os.path.join(mount, "result.db"))
    DATABASE, FILES, INSIDE = os.path.join(mount, "result.db"), os.path.join(inside, "files"), enter
    create_topic(start_broker(program))
    job, orders = Job(sql, program=program), Orders()
    job.start()
    orders.begin()
    gave_up = 0
    for _ in range(times):
        time.sleep(random.uniform(0.1, seconds_each))
        filler = os.open(os.path.join(inside, "filler"), os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(filler, bytes(65536)):
                pass
        except OSError:
            pass
        os.close(filler)
        time.sleep(random.uniform(0.1, seconds_each))
        os.remove(os.path.join(inside, "filler"))
        time.sleep(0.3)
        if job.process.poll() is not None:
            said = job.process.communicate()[1]
            gave_up += 1
            if "space" not in said.lower():
                check(False, "a job that ends says that the disk is full", said)
            job.start()
    judge(job, orders, f"{times} times a full disk, {gave_up} times the job gave up")
    holder.kill()
    finish()


if __name__ == "__main__":
    print(json.dumps(tables()))
