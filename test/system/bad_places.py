#!/usr/bin/env python3
# timeout: 240
"""Bad places through the real executable: ports in use, read-only and full disks under the data directory and under
the SQLite file, a locked database, a file that is no database, a table with other columns. A clear error or a retry
that says why; what was acknowledged with acks=all is there afterwards."""
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _bad import *  # noqa: E402,F403

DATA = os.path.join(DIRECTORY, "data")
ORDERS = """CREATE TABLE gen (k BIGINT, v BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '%d',
  'fields.k.kind' = 'sequence', 'fields.k.start' = '1', 'fields.k.end' = '%d',
  'fields.v.kind' = 'sequence', 'fields.v.start' = '1', 'fields.v.end' = '%d');
CREATE TABLE out (k BIGINT, v BIGINT, PRIMARY KEY (k) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:%s', 'table-name' = 'out');
INSERT INTO out SELECT k, v FROM gen;
"""
mounts = []


def fill(database, count=1000):
    return ORDERS % (count, count, count, database)


def mount(name, options):
    """The path of a new tmpfs, or None where the kernel does not permit it."""
    path = os.path.join(DIRECTORY, name)
    os.makedirs(path)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True)
    if done.returncode:
        return None
    mounts.append(path)
    return path


def remount(path, options):
    return subprocess.run(["mount", "-o", "remount," + options, path], capture_output=True).returncode == 0


def total(database):
    rows = rows_of(database, "SELECT COUNT(*), SUM(v) FROM out")
    return rows[0] if rows else None


# ---- ports
holder = socket.socket()
holder.bind(("127.0.0.1", PORT))
holder.listen()
result = run(f"--broker={SERVER}", "-e", fill(os.path.join(DIRECTORY, "port.db")), data=DATA)
check(result.clean() and result.code != 0 and result.says(str(PORT), "127.0.0.1", str(os.getpid())),
      "run: a given port in use is an error that names the holder", result)
result = run("broker", "--data", DATA, "--listen", SERVER)
check(result.clean() and result.code != 0 and result.says(str(PORT), "127.0.0.1", str(os.getpid())), "broker: the same", result)
holder.close()
first = socket.socket()
try:
    first.bind(("127.0.0.1", 9092))
    first.listen()
except OSError:
    pass  # someone else has it, which does as well
result = run("--broker", "-e", "SELECT 1", data=DATA)
check(result.code == 0 and result.says("127.0.0.1:909") and not result.says("127.0.0.1:9092\n"),
      "a default port in use: the next free one, printed", result)
first.close()
result = run("--broker=192.0.2.1:19092", "-e", "SELECT 1", data=DATA)
check(result.clean() and result.code != 0 and result.says("192.0.2.1"), "an address of another machine", result)

# ---- SQLite
database = os.path.join(DIRECTORY, "locked.db")
blocker = sqlite3.connect(database, isolation_level=None)
blocker.execute("CREATE TABLE other (a)")
blocker.execute("BEGIN EXCLUSIVE")
process = start("-e", fill(database), data=DATA)
time.sleep(3.5)
alive = process.poll() is None
blocker.execute("COMMIT")
blocker.close()
result = result_of(process)
check(alive and result.code == 0 and total(database) == (1000, 500500), "a locked database is waited for",
      (alive, result, total(database)))
check(result.says("locked.db", "lock"), "and said", result)
blocker = sqlite3.connect(database, isolation_level=None)
blocker.execute("BEGIN EXCLUSIVE")
process = start("-e", fill(database), data=DATA)
time.sleep(1)
process.send_signal(signal.SIGINT)
time.sleep(3)
process.send_signal(signal.SIGINT)
result = result_of(process, 10)
check(result.clean() and result.says("lock"), "Ctrl-C lets it write its rows first, a second one does not", result)
blocker.close()

# ---- a job that fails beside an endless one
process = start("-e", """CREATE TABLE endless (k BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TABLE gen (k BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '10');
CREATE TABLE nothing (k BIGINT) WITH ('connector' = 'blackhole');
CREATE TABLE failing (k BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nothing SELECT k FROM endless;
INSERT INTO failing SELECT k / 0 FROM gen;
INSERT INTO nothing SELECT k FROM endless;""", data=DATA)
os.set_blocking(process.stderr.fileno(), False)
text = b""


def told():
    global text
    text += process.stderr.read() or b""
    return b"division by zero" in text and b"failed" in text


check(wait_for(told, 10) and process.poll() is None, "a job that fails beside an endless one is said at once", text)
check(stop(process).code == 1, "and the exit code tells it")

for name, content in [("text", b"no database at all, but long enough to be one. " * 100), ("short", b"x" * 50),
                      ("torn", b"SQLite format 3\x00" + b"\xff" * 4000)]:
    database = os.path.join(DIRECTORY, name + ".db")
    with open(database, "wb") as file:
        file.write(content)
    result = run("-e", fill(database), data=DATA)
    with open(database, "rb") as file:
        kept = file.read() == content
    check(result.clean() and result.code != 0 and kept and result.says(name + ".db"),
          f"a file that is no database ({name}) is refused and kept", (kept, result))
for columns in ("(k BIGINT, w BIGINT, PRIMARY KEY (k))", "(k BIGINT PRIMARY KEY)", "(k BIGINT, v BIGINT)",
                "(k BIGINT, v BIGINT, w BIGINT NOT NULL, PRIMARY KEY (k))",
                "(k BIGINT, v BIGINT, PRIMARY KEY (k, v))"):
    database = os.path.join(DIRECTORY, "columns.db")
    connection = sqlite3.connect(database)
    connection.execute("DROP TABLE IF EXISTS out")
    connection.execute("CREATE TABLE out " + columns)
    connection.commit()
    connection.close()
    result = run("-e", fill(database), data=DATA)
    check(result.clean() and result.code != 0 and result.says("out") and
          rows_of(database, "SELECT COUNT(*) FROM out") == [(0,)], f"a table that is {columns}", result)
result = run("-e", fill(os.path.join(DIRECTORY, "no/such/directory.db")), data=DATA)
check(result.clean() and result.code != 0 and result.says("no/such"), "a directory that is not there", result)
result = run("-e", fill(DIRECTORY), data=DATA)
check(result.clean() and result.code != 0 and result.says(DIRECTORY), "a directory instead of a file", result)

# ---- disks
READ = """CREATE TABLE src (v STRING) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'raw',
  'properties.bootstrap.servers' = 'embedded', 'properties.group.id' = 'g', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
SELECT v FROM src;
"""


def small_disks():
    path = mount("small", "size=3m")
    # the database
    database = os.path.join(path, "full.db")
    process = start("-e", fill(database, 300_000), data=DATA)
    wait_for(lambda: process.poll() is not None, 5)
    result = stop(process)
    check(result.clean() and result.says("full.db") and ("full" in result.err.replace("full.db", "") or
                                                         "space" in result.err),
          "a full disk under the SQLite file is an error or said by why", result)
    connection = sqlite3.connect(database)
    check(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the file is sound afterwards")
    connection.close()
    for name in os.listdir(path):
        os.remove(os.path.join(path, name))
    # the log
    data = os.path.join(path, "data")
    broker = Broker(data)
    values = [b"%06d" % i + b"x" * 994 for i in range(8000)]
    report = produce("t", values, SERVER, "-X", "message.timeout.ms=4000", "-X", "batch.num.messages=10",
                     "-X", "linger.ms=0")
    failed = report.stderr.count("Delivery failed")
    check(report.returncode != 0 and 0 < failed, "kcat is told that the disk is full", (failed, report.stderr[-500:]))
    check(broker.process.poll() is None, "the broker goes on", broker.text())
    read = subprocess.run(["kcat", "-C", "-b", SERVER, "-t", "t", "-e", "-q"], capture_output=True, timeout=30)
    seen = {line[:6] for line in read.stdout.splitlines()}
    check(len(seen) >= len(values) - failed and seen, "every acknowledged record is read", (len(seen), failed))
    check(broker.stop() in (0, 1), "the broker ends on a full disk", broker.text())
    check("must(" not in broker.text() and broker.text().count("\n") < 200, "its log is short", broker.text()[-800:])
    remount(path, "size=64m")
    result = run("--result=csv", "-e", READ, data=data)
    again = {line[:6].encode() for line in result.out.splitlines()[1:]}
    check(result.code == 0 and seen <= again, "and read again after a start with room",
          (len(seen), len(again), sorted(seen - again)[:3], result.err, result.code))
    broker = Broker(data)
    report = produce("t", [b"999999"])
    check(report.returncode == 0, "and it takes records again", (report.stderr, broker.text()))
    broker.stop()
    # a disk that gets its room back under a running broker
    path = mount("small2", "size=2m")
    broker = Broker(os.path.join(path, "data"))
    produce("t", values[:3000], SERVER, "-X", "message.timeout.ms=3000", "-X", "linger.ms=0")
    remount(path, "size=64m")
    report = produce("t", [b"999999"])
    if report.returncode:  # the partition may have been given up: then a restart must do
        broker.stop()
        broker = Broker(os.path.join(path, "data"))
        report = produce("t", [b"999999"])
    check(report.returncode == 0, "a disk that has room again", (report.stderr, broker.text()))
    check(broker.stop() == 0, "the broker ends", broker.text())
    # too full to start
    path = mount("tiny", "size=4k,nr_inodes=4")
    result = run("broker", "--data", os.path.join(path, "a/b/c/d/e"), "--listen", SERVER, seconds=10)
    check(result.clean() and result.code != 0 and result.says("tiny"), "a disk too full to start on", result)


def read_only_disks():
    path = mount("readonly", "size=8m")
    data = os.path.join(path, "data")
    broker = Broker(data)
    produce("t", [b"one", b"two"])
    broker.stop()
    database = os.path.join(path, "kept.db")
    check(run("-e", fill(database, 10), data=DATA).code == 0, "a database on a disk that can be written")
    if not remount(path, "ro"):
        skip("a read-only disk", "it cannot be mounted read-only")
        return
    for arguments, name in [(["run", "--data", data, "-e", READ], "run"),
                            (["broker", "--data", data, "--listen", SERVER], "broker"),
                            (["broker", "--data", os.path.join(path, "new"), "--listen", SERVER], "a new directory")]:
        result = run(*arguments, seconds=10)
        check(result.clean() and result.code != 0 and result.says("readonly", "ead-only"),
              f"a read-only data directory: {name}", result)
    for name in ("kept.db", "new.db"):
        result = run("-e", fill(os.path.join(path, name), 10), data=DATA, seconds=10)
        check(result.clean() and result.code != 0 and result.says(name), f"a read-only SQLite file: {name}", result)
    remount(path, "rw")
    result = run("--result=csv", "-e", READ, data=data)
    check(result.code == 0 and result.out.split()[1:] == ["one", "two"], "writable again", result)


try:
    if mount("probe", "size=64k"):
        small_disks()
        read_only_disks()
    else:
        skip("FULL AND READ-ONLY DISKS ARE NOT TESTED", "mount is not permitted here")
finally:
    for path in mounts:
        subprocess.run(["umount", "-l", path], capture_output=True)
finish()
