#!/usr/bin/env python3
# timeout: 180
"""What a checkpoint meets when it is taken up again: another statement, a dropped table, a removed file,
damaged files, another process on the same directory, a topic that was made again. Rows lie in a topic of the
broker in the process; totals are compared with an independent computation."""
import glob
import os
import signal
import sqlite3
import subprocess
import time
from _tap import check, finish

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
DATA = os.path.join(DIRECTORY, "data")
DB = os.path.join(DIRECTORY, "result.db")
JOB = os.path.join(DATA, "checkpoints", "totals")
SETTING = ["--set", "execution.checkpointing.interval=50ms"]

TABLES = f"""
CREATE TABLE orders (card STRING, amount INT) WITH ('connector' = 'kafka', 'topic' = 'orders',
  'properties.bootstrap.servers' = 'embedded', 'properties.group.id' = 'test',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE totals (card STRING, total BIGINT, PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DB}', 'table-name' = 'totals');
"""
QUERY = "INSERT INTO totals SELECT card, SUM(amount) FROM orders {where} GROUP BY card;"
want = {}


def start_query(query, *arguments):
    return subprocess.Popen([LEAT, "run", "--no-http", "--data", DATA, *SETTING, *arguments, "-e", TABLES + query],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start(where="", *arguments):
    return start_query(QUERY.format(where=where), *arguments)


def produce(rows):
    values = ", ".join(f"('{card}', {amount})" for card, amount in rows)
    done = subprocess.run([LEAT, "run", "--no-http", "--data", DATA, "-e",
                           TABLES + f"INSERT INTO orders VALUES {values};"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    for card, amount in rows:
        want[card] = want.get(card, 0) + amount


def totals():
    connection = sqlite3.connect(DB, timeout=10)
    try:
        return dict(connection.execute("SELECT card, total FROM totals").fetchall())
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()


def until(condition, job, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition() and job.poll() is None:
        time.sleep(0.03)
    return condition()


def stop(job):
    job.send_signal(signal.SIGTERM)
    err = job.communicate(timeout=30)[1]
    return job.returncode, err


def reads(text, count):
    return f"STOPPED: {count} rows read" in text


produce([("a", 1), ("b", 2), ("a", 3)])
job = start()
check(until(lambda: totals() == want, job), "totals of the first rows", totals())
code, err = stop(job)
check(code == 0 and reads(err, 3), "stopped after three rows", err)

produce([("a", 10), ("c", 5)])
job = start()
check(until(lambda: totals() == want, job), "the second run goes on", totals())
second = start()
err = second.communicate(timeout=30)[1]
check(second.returncode == 2 and "another leat" in err, "a second process on the directory is refused", err)
code, err = stop(job)
check(code == 0 and reads(err, 2), "two more rows were read, not five", err)

changed = start("WHERE amount > 2")
err = changed.communicate(timeout=30)[1]
check(changed.returncode == 2 and "GroupAggregate(card)" in err and "reads something else" in err and
      "--allow-changed-query" in err, "another condition is refused, and said what it meets", err)
produce([("f", 9)])
job = start("WHERE amount > 2", "--allow-changed-query")
until(lambda: totals() == want, job)
code, err = stop(job)
check(code == 0 and totals() == want and reads(err, 1) and "goes on with a changed statement" in err, "or allowed", err)
produce([("g", 9)])
job = start("", "--allow-changed-query")
until(lambda: totals() == want, job)
code, err = stop(job)
check(code == 0 and totals() == want and reads(err, 1), "and back again", err)

MOVED = """INSERT INTO totals WITH sums AS (
{comment}SELECT card, SUM(amount) AS total FROM orders GROUP BY card) SELECT card, total FROM sums;"""
job = start_query(MOVED.format(comment=""))
err = job.communicate(timeout=30)[1]
check(job.returncode == 2 and "sums/GroupAggregate(card) is new" in err, "a query that has moved has another state", err)
produce([("h", 4)])
job = start_query(MOVED.format(comment="-- leat: state=GroupAggregate(card)\n"))
until(lambda: totals() == want, job)
code, err = stop(job)
check(code == 0 and totals() == want and reads(err, 1), "or the one that a comment names", err)

connection = sqlite3.connect(DB)
connection.execute("DROP TABLE totals")
connection.commit()
connection.close()
job = start()
check(until(lambda: totals() == want, job), "a dropped table comes right again", totals())
code, err = stop(job)
check(code == 0 and reads(err, 8) and "not there any more" in err, "all rows were read again, and it is said", err)
for path in glob.glob(DB + "*"):
    os.unlink(path)
job = start()
check(until(lambda: totals() == want, job), "so does one whose file was removed", totals())
stop(job)

produce([("d", 7)])
job = start()
check(until(lambda: totals() == want, job), "and it goes on from there", totals())
code, err = stop(job)
check(code == 0 and reads(err, 1), "with one row more", err)

manifests = sorted(glob.glob(os.path.join(JOB, "manifest-*")))
with open(manifests[-1], "r+b") as file:
    bytes_ = bytearray(file.read())
    bytes_[20] ^= 4
    bytes_[len(bytes_) // 2 + 20] ^= 4
    file.seek(0)
    file.write(bytes_)
produce([("e", 1)])
job = start()
check(until(lambda: totals() == want, job), "a damaged newest checkpoint: the one before is taken", totals())
code, err = stop(job)
check(code == 0 and "checksum" in err and "goes on from checkpoint" in err, "and it is said", err)
for path in glob.glob(os.path.join(JOB, "manifest-*")):
    with open(path, "r+b") as file:
        file.truncate(50)
job = start()
err = job.communicate(timeout=30)[1]
check(job.returncode == 2 and "no checkpoint" in err and JOB in err, "with no good one left it does not begin", err)
for path in glob.glob(os.path.join(JOB, "*")):
    os.unlink(path)
produce([("e", 2)])
job = start()
check(until(lambda: totals() == want, job), "without the directory's files it begins anew", totals())
code, err = stop(job)
check(code == 0 and reads(err, 11), "with all rows", err)
finish()
