#!/usr/bin/env python3
# timeout: 240
"""Savepoints: made while a job runs and goes on, taken up in another data directory, at another parallelism, twice;
a job is stopped with one, or drained; what cannot be taken up is refused with the reason."""
import glob
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _http import *  # noqa: E402,F403
from _tap import check, finish, rows_of, wait_for

KAFKA = f"127.0.0.1:{os.environ['PORT']}"
SAVEPOINTS = os.path.join(DIR, "savepoints")
TABLES = f"""CREATE TABLE orders (card STRING, amount INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH
  ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = '{KAFKA}', 'properties.group.id' = 'test',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
"""
TOTALS = TABLES + """CREATE TABLE totals (card STRING, total BIGINT, orders BIGINT, PRIMARY KEY (card) NOT ENFORCED) WITH
  ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:%s', 'table-name' = 'totals');
INSERT INTO totals SELECT card, SUM(amount), COUNT(*) FROM orders GROUP BY card;
"""
MINUTES = TABLES + """CREATE TABLE minutes (minute TIMESTAMP(3), orders BIGINT, PRIMARY KEY (minute) NOT ENFORCED) WITH
  ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:%s', 'table-name' = 'minutes');
INSERT INTO minutes SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
  GROUP BY window_start, window_end;
"""
COPY = TABLES + """CREATE TABLE copy (card STRING, amount INT) WITH
  ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:%s', 'table-name' = 'copy');
INSERT INTO copy SELECT card, amount FROM orders;
"""
want = {}


def database(name):
    return os.path.join(DIR, name + ".db")


def run(*arguments, code=0, seconds=PATIENCE):
    done = subprocess.run([LEAT, *arguments], capture_output=True, text=True, timeout=seconds, cwd=DIR)
    if done.returncode != code:
        check(False, f"leat {' '.join(arguments)[:80]}: exit {code}", done)
    return done.stdout if code == 0 else done.stderr


def produce(count):
    rows = []
    for i in range(count):
        card = f"card {i % 50}"
        total, orders = want.get(card, (0, 0))
        want[card] = (total + i, orders + 1)
        rows.append(f"('{card}', {i}, TIMESTAMP '2024-01-01 00:00:{i % 60:02}')")
    run("run", "--no-http", "-e", TABLES + f"INSERT INTO orders VALUES {', '.join(rows)};")


def totals(name):
    return {card: (total, orders) for card, total, orders in rows_of(database(name), "SELECT * FROM totals")}


def start(name, *arguments, sql=TOTALS):
    return Server("--http", "127.0.0.1:0", "--set", "execution.checkpointing.interval=100ms", *arguments, "-e",
                  sql % database(name), data=os.path.join(DIR, name))


def reads(server, count):
    return f"STOPPED: {count} rows read" in server.stderr()


def stop(server):
    return server.stop()[0]


def copy_database(old, new):
    connection = sqlite3.connect(database(old))
    connection.execute("VACUUM INTO ?", (database(new),))
    connection.close()


kafka = subprocess.Popen([LEAT, "broker", "--data", os.path.join(DIR, "kafka"), "--listen", KAFKA],
                         stderr=subprocess.PIPE, text=True)
if KAFKA not in kafka.stderr.readline():
    raise SystemExit("the broker did not start")
run("topic", "create", "orders", "--partitions", "3", "--broker", KAFKA)
produce(500)
first = start("first", "--set", "parallelism.default=2")
check(wait_for(lambda: totals("first") == want), "totals of the first rows", totals("first"))
path = run("job", "savepoint", "totals", SAVEPOINTS, "--data", first.data).strip()
check(os.path.dirname(path) == SAVEPOINTS and glob.glob(path + "/manifest-*"), "leat job savepoint names it", path)
for name in ("second", "third", "fourth"):
    copy_database("first", name)
produce(100)
check(wait_for(lambda: totals("first") == want), "the job goes on meanwhile", totals("first"))
check(stop(first) == 0, "and is stopped")
shutil.rmtree(first.data)

for name, parallelism in [("second", 3), ("third", 1)]:
    server = start(name, "--from", path, "--set", f"parallelism.default={parallelism}")
    check(wait_for(lambda: totals(name) == want), f"taken up at parallelism {parallelism}", totals(name), server.stderr())
    check(stop(server) == 0 and reads(server, 100), "with what came since", server.stderr())
server = start("second", "--from", path)
produce(10)
check(wait_for(lambda: totals("second") == want), "the same command again goes on", totals("second"))
check(stop(server) == 0 and reads(server, 10), "where the job was", server.stderr())

server = start("second")
moved = run("job", "stop", "totals", SAVEPOINTS, "--data", server.data).strip()
check(server.process.wait(PATIENCE) == 0, "stopped with a savepoint, exit 0", server.stderr())
check(moved != path and glob.glob(moved + "/manifest-*"), "which is there", moved)
err = run("run", "--no-http", "--data", "third", "--from", moved, "-e", TOTALS % database("third"), code=2)
check("did not come from the savepoint" in err and "--again" in err, "a job with checkpoints of its own is asked first", err)
copy_database("second", "fifth")
copy_database("second", "third_again")
os.replace(database("third_again"), database("third"))
server = start("third", "--from", moved, "--again")
produce(10)
check(wait_for(lambda: totals("third") == want), "--again", totals("third"), server.stderr())
check(stop(server) == 0 and reads(server, 10), "begins from the savepoint", server.stderr())

where = "SET 'execution.state-recovery.path' = '" + moved + "';\n"
server = start("fifth", sql=where + TOTALS)
check(wait_for(lambda: totals("fifth") == want), "execution.state-recovery.path", server.stderr())
check(stop(server) == 0 and reads(server, 10), "as --from", server.stderr())

for arguments, sql, words, name in [
        (["--from", moved], MINUTES % database("none"), ["no job", moved], "a savepoint of another job"),
        (["--from", os.path.join(DIR, "nowhere")], TOTALS % database("none"), ["nowhere"], "no savepoint"),
        (["--from", moved], (TOTALS % database("none")).replace("SUM(amount)", "MAX(amount)"),
         ["another statement", "GroupAggregate"], "another statement")]:
    err = run("run", "--no-http", "--data", "refused " + name, *arguments, "-e", sql, code=2)
    check(all(word in err for word in words), f"refused: {name}", err)
broken = shutil.copytree(moved, os.path.join(DIR, "broken"))
segment = glob.glob(broken + "/segment-*")[0]
with open(segment, "r+b") as file:
    file.seek(os.path.getsize(segment) // 2)
    byte = file.read(1)
    file.seek(-1, 1)
    file.write(bytes([byte[0] ^ 1]))
err = run("run", "--no-http", "--data", "broken data", "--from", broken, "-e", TOTALS % database("none"), code=2)
check("broken" in err and "checksum" in err, "refused: a flipped bit", err)

server = start("drained", sql=MINUTES)
run("job", "savepoint", "minutes", "--data", server.data)
check(glob.glob(os.path.join(server.data, "savepoints", "savepoint-minutes-*")), "without a directory: in the data directory")
every = sum(orders for _, orders in want.values())
check(wait_for(lambda: server.get("/api/v1/jobs")["jobs"][0]["rows_read"] == every) and
      rows_of(database("drained"), "SELECT * FROM minutes") == [], "all is read, a window is open")
drained = run("job", "stop", "minutes", SAVEPOINTS, "--drain", "--data", server.data).strip()
check(server.process.wait(PATIENCE) == 0 and rows_of(database("drained"), "SELECT orders FROM minutes") ==
      [(every,)], "drained: it is written", rows_of(database("drained"), "SELECT * FROM minutes"))
err = run("run", "--no-http", "--data", "after", "--from", drained, "-e", MINUTES % database("none"), code=2)
check("drained" in err, "and nothing is left to go on with", err)
# exactly once: a fork goes on with the rows of its parent, one fork for each history of the target
server = start("once", sql=COPY)
check(wait_for(lambda: rows_of(database("once"), "SELECT COUNT(*) FROM copy") == [(every,)]), "a table without a key")
early = run("job", "savepoint", "copy", SAVEPOINTS, "--data", server.data).strip()
produce(10)
check(wait_for(lambda: rows_of(database("once"), "SELECT COUNT(*) FROM copy") == [(every + 10,)]), "gets more rows")
late = run("job", "stop", "copy", SAVEPOINTS, "--data", server.data).strip()
check(server.process.wait(PATIENCE) == 0, "and is stopped", server.stderr())
server = start("once again", "--from", late, "--set", "parallelism.default=3", sql=COPY.replace("%s", database("once")) + "-- %s")
produce(10)
check(wait_for(lambda: rows_of(database("once"), "SELECT COUNT(*) FROM copy") == [(every + 20,)]), "a fork goes on", server.stderr())
check(stop(server) == 0, "and is stopped")
for name, path, words in [("another fork", late, "another history"), ("one from before", early, "another history")]:
    err = run("run", "--no-http", "--data", "refused " + name, "--from", path, "-e", COPY % database("once"), code=1)
    check(words in err, f"{name} is refused", err)
check(sorted(rows_of(database("once"), "SELECT card, SUM(amount), COUNT(*) FROM copy GROUP BY card")) ==
      sorted((card, total, orders) for card, (total, orders) in want.items()), "each row is there once")
kafka.terminate()
kafka.wait(PATIENCE)
finish()
