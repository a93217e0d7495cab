#!/usr/bin/env python3
"""state_job.py - a job with a running sum of 10,000,000 keys, of which 1 % are touched a second (100,000 rows/s of JSON
from a topic in the process), into a table with a primary key (blackhole), and beside it 1,000 sums into SQLite:
  checkpoint  CPU of the process per million rows with a checkpoint each second against without: two processes that are
              loaded by turns, median of 9 pairs in each of 3 starts (where their memory lies makes a difference too)
  latency     from a record's visibility to its row in SQLite, with checkpoints each second
  append      the same where each record is appended, exactly once, to a table without a key
  recovery    from kill -9, after two changes of each key on average, and start again to the first row that comes after
Arguments: [PART [KEYS [RATE [SECONDS]]]], defaults: all, 10000000 100000 5 (seconds a turn; latency: four times that)."""
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

from _leat import BUILD, LEAT, median, memory_mb

PART = sys.argv[1] if len(sys.argv) > 1 else "all"
KEYS = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
RATE = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
SECONDS = int(sys.argv[4]) if len(sys.argv) > 4 else 5
STARTS, PAIRS = 3, 9
SQL = """CREATE TABLE updates (k BIGINT, v BIGINT) WITH ('connector' = 'kafka', 'topic' = 'updates', 'format' = 'json',
  'properties.bootstrap.servers' = 'embedded', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE nowhere (k BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'blackhole');
CREATE TABLE buckets (bucket BIGINT, n BIGINT, PRIMARY KEY (bucket) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'buckets');
EXECUTE STATEMENT SET BEGIN
INSERT INTO nowhere SELECT k, SUM(v) FROM updates GROUP BY k;
INSERT INTO buckets SELECT k % 1000, COUNT(*) FROM updates GROUP BY k % 1000;
END;
"""
APPENDS = SQL[:SQL.index("CREATE TABLE buckets")] + """CREATE TABLE appended (k BIGINT, v BIGINT)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'appended');
EXECUTE STATEMENT SET BEGIN
INSERT INTO nowhere SELECT k, SUM(v) FROM updates GROUP BY k;
INSERT INTO appended SELECT k, v FROM updates;
END;
"""
# Where keys_produce looks for its probes.
APPENDS_TARGET = """CREATE TABLE appended (k BIGINT, v BIGINT);
CREATE TABLE buckets (bucket INTEGER PRIMARY KEY, n INTEGER);
INSERT INTO buckets VALUES (-1, 0);
CREATE TRIGGER probes AFTER INSERT ON appended WHEN NEW.k = -1 BEGIN UPDATE buckets SET n = n + 1 WHERE bucket = -1; END;
"""


class Job:
    """One `leat run` with its own data directory, broker and database."""

    def __init__(self, scratch, name, interval, sql=SQL, target=""):
        self.directory = os.path.join(scratch, name)
        self.db = os.path.join(self.directory, "out.db")
        self.interval = interval
        self.sql = sql
        self.process = None
        os.makedirs(self.directory)
        with sqlite3.connect(self.db) as db:
            db.executescript(target)
        self.start()

    def start(self):
        command = [LEAT, "run", "--data", os.path.join(self.directory, "data"), "--broker=127.0.0.1:0", "--http",
                   "127.0.0.1:0", "--set", "pipeline.name=sums"]
        command += ["--set", f"execution.checkpointing.interval={self.interval}"]
        self.log = open(os.path.join(self.directory, "log"), "w+")
        self.process = subprocess.Popen(command + ["-e", self.sql.format(db=self.db)], stderr=self.log)
        self.broker, self.http = self.wait_for(self.addresses, 60)

    def addresses(self):
        with open(self.log.name) as file:
            text = file.read()
        broker, http = re.search(r"Kafka clients: (127\.0\.0\.1:\d+)", text), re.search(r"http://(127\.0\.0\.1:\d+)", text)
        return broker and http and (broker.group(1), http.group(1))

    def wait_for(self, what, seconds):
        deadline = time.monotonic() + seconds
        while not (found := what()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log.name) as file:
                    raise SystemExit(f"state_job: {what.__name__} never came\n{file.read()}")
            time.sleep(0.01)
        return found

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.http}/metrics") as answer:
            return max(map(float, re.findall(rf"^{name}{{.*}} (\d+)$", answer.read().decode(), re.M)), default=0)

    def produce(self, *arguments):
        return subprocess.run([os.path.join(BUILD, "bench/keys_produce"), self.broker, "updates", str(KEYS),
                               *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    def has_read(self):
        return self.metric("leat_job_rows_read_total") >= self.rows

    def preload(self):
        self.produce()
        self.rows = KEYS
        self.wait_for(self.has_read, 60 + KEYS / 20_000)
        completed = None  # the first checkpoints, of all of it, are not what is measured
        while completed != (completed := self.metric("leat_job_numberOfCompletedCheckpoints")):
            time.sleep(3)

    def cpu(self):
        """Nanoseconds that all threads have run, those that have ended too (the process's CPU clock, as
        clock_getcpuclockid(3) gives it: a pool's idle threads end, and their time with them in /proc)."""
        return time.clock_gettime_ns(~self.process.pid << 3 | 2)

    def cpu_per_million(self):
        cpu = self.cpu()
        self.produce(RATE, SECONDS)
        self.rows += RATE * SECONDS
        self.wait_for(self.has_read, 60)
        time.sleep(1.2)  # the checkpoint of the last second
        return (self.cpu() - cpu) / (RATE * SECONDS) / 1e3

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def touch_memory(scratch):
    """A virtual machine's memory costs its first touch much more than later ones, and the pages of the files that a
    checkpoint writes are new ones; so they have all been others before (as in bench/broker.c)."""
    path = os.path.join(scratch, "touched")
    with open(path, "wb") as file:
        for _ in range(4096):
            file.write(bytes(1 << 20))
    os.unlink(path)


def checkpoint_pairs(scratch):
    on, off = Job(scratch, "on", "1 s"), Job(scratch, "off", "0 ms")
    pairs = []
    try:
        on.preload()
        off.preload()
        touch_memory(scratch)
        on.cpu_per_million()  # after the first changes key groups are written whole, all of them new
        off.cpu_per_million()
        for i in range(PAIRS):
            pair = (on.cpu_per_million(), off.cpu_per_million()) if i % 2 else (off.cpu_per_million(),
                                                                                on.cpu_per_million())[::-1]
            pairs.append(pair)
            print(f"  {pair[0]:.3f} s and {pair[1]:.3f} s a million", flush=True)
        return pairs
    finally:
        on.kill()
        off.kill()


def checkpoint(scratch):
    pairs = []
    for start in range(STARTS):
        os.makedirs(os.path.join(scratch, str(start)))
        pairs += checkpoint_pairs(os.path.join(scratch, str(start)))
    cost = median([a / b - 1 for a, b in pairs])
    print(f"checkpoints each second of {KEYS} keys, {RATE} rows/s: {median([a for a, _ in pairs]):.3f} s of CPU per "
          f"million rows, without {median([b for _, b in pairs]):.3f} s: {cost:.1%} more, median of {len(pairs)} pairs, "
          f"{STARTS} starts (asked 5 %) {'' if cost < 0.05 else 'ABOVE'}")
    return cost < 0.05


def latencies(scratch, name, what, limit, sql=SQL, target=""):
    job = Job(scratch, name, "1 s", sql, target)
    try:
        job.preload()
        good = True
        for line in job.produce(RATE, SECONDS * 4, job.db).splitlines():
            since, middle, high, most, count = line.split()
            good &= since != "visible" or float(high) < limit
            print(f"from a record {since} to {what} in SQLite, {RATE} rows/s, {KEYS} keys, checkpoints each second: "
                  f"median {middle} ms, 99th of a hundred {high} ms, most {most} ms, of {count}"
                  f"{f' (asked {limit} ms)' if since == 'visible' else ''} {'' if good else 'ABOVE'}", flush=True)
        return good
    finally:
        job.kill()


def latency(scratch):
    return latencies(scratch, "latency", "its row", 10)


def append(scratch):
    return latencies(scratch, "append", "its row, appended exactly once,", 1100, APPENDS, APPENDS_TARGET)


def recovery(scratch):
    job = Job(scratch, "recovery", "1 s")
    try:
        job.preload()
        job.produce(10 * RATE, 2 * KEYS // (10 * RATE))  # as much superseded state as there may be
        job.rows += 2 * KEYS
        job.wait_for(job.has_read, 60)
        time.sleep(3)
        job.kill()
        os.unlink(job.log.name)
        began = time.monotonic()
        job.start()
        rows = sqlite3.connect(job.db)
        count = rows.execute("SELECT SUM(n) FROM buckets").fetchone()[0]
        subprocess.run([os.path.join(BUILD, "bench/keys_produce"), job.broker, "updates", "1"], check=True)
        job.wait_for(lambda: rows.execute("SELECT SUM(n) FROM buckets").fetchone()[0] > count, 120)
        took = time.monotonic() - began
        size = sum(os.path.getsize(os.path.join(path, name)) for path, _, names in
                   os.walk(os.path.join(job.directory, "data/checkpoints")) for name in names)
        keys = job.metric("leat_operator_state_keys")
        print(f"recovery of {keys:.0f} keys from {size / 2**20:.0f} MB: {took:.2f} s from start to the first new row "
              f"(asked 5 s), {memory_mb(job.process.pid):.0f} MB of memory at most {'' if took < 5 else 'ABOVE'}")
        return took < 5 and keys >= KEYS
    finally:
        job.kill()


def main():
    scratch = tempfile.mkdtemp(prefix="leat-bench-")
    try:
        good = [part(scratch) for part in (checkpoint, latency, append, recovery) if PART in ("all", part.__name__)]
    finally:
        shutil.rmtree(scratch)
    sys.exit(not all(good))


main()
