#!/usr/bin/env python3
# timeout: 240
"""A database that somebody has locked: rows of finished checkpoints wait, `leat job why` says so, a stop waits for them and
says what blocks when it cannot; the next run commits them first. No row is lost or written twice."""
import os
import signal
import sqlite3
import subprocess

from _tap import check, finish, rows_of, wait_for

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
DATABASE = os.path.join(DIRECTORY, "result.db")
DATA = os.path.join(DIRECTORY, "data")
SQL = f"""CREATE TABLE source (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '100',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '100000000');
CREATE TABLE target (id BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DATABASE}', 'table-name' = 'target');
INSERT INTO target SELECT id FROM source;
"""


def start():
    return subprocess.Popen([LEAT, "run", "--data", DATA, "--http", f"127.0.0.1:{os.environ['PORT']}", "--set",
                             "execution.checkpointing.interval=200ms", "-e", SQL],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ids():
    return [id for id, in rows_of(DATABASE, "SELECT id FROM target")]


def is_whole(rows):
    return sorted(rows) == list(range(1, len(rows) + 1))


def lock():
    connection = sqlite3.connect(DATABASE, timeout=30, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def why():
    return subprocess.run([LEAT, "job", "why", "target", "--data", DATA], capture_output=True, text=True).stdout


job = start()
check(wait_for(lambda: len(ids()) > 20), "rows are committed")
other = lock()
check(wait_for(lambda: "could not be committed" in why()), "a locked database: why says so", why())
before = len(ids())
check("locked" in why() and len(ids()) == before, "and what it waits for", why())
other.execute("ROLLBACK")
check(wait_for(lambda: len(ids()) > before), "unlocked: it goes on")

other = lock()
before = len(ids())
wait_for(lambda: "could not be committed" in why())
job.send_signal(signal.SIGTERM)
wait_for(lambda: job.poll() is not None, 1)
check(job.poll() is None, "a stop waits for the rows of the last checkpoint")
other.execute("ROLLBACK")
said = job.communicate(timeout=60)[1]
check(job.returncode == 0 and len(ids()) > before and is_whole(ids()), "and ends well once they are committed", said)

job = start()
before = len(ids())
check(wait_for(lambda: len(ids()) > before), "another run goes on")
other = lock()
before = len(ids())
wait_for(lambda: "could not be committed" in why())
job.send_signal(signal.SIGTERM)
said = job.communicate(timeout=60)[1]
check(job.returncode == 1 and "could not be committed" in said, "a stop that cannot wait longer names what blocks",
      job.returncode, said)
other.execute("ROLLBACK")
check(len(ids()) == before, "nothing was written meanwhile")
job = start()
check(wait_for(lambda: len(ids()) > before), "the next run commits what was left")
job.send_signal(signal.SIGTERM)
said = job.communicate(timeout=60)[1]
check(job.returncode == 0 and is_whole(ids()), f"each of {len(ids())} rows once", said)
finish()
