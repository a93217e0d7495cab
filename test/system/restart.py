#!/usr/bin/env python3
# timeout: 180
"""Jobs that fail and are started again: a Kafka broker that is killed under a job comes back, a full disk gets room;
given up after the attempts allowed; a reason that does not pass is not tried twice."""
import os
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _http import *  # noqa: E402,F403
from _tap import check, finish, rows_of, skip, wait_for

KAFKA = f"127.0.0.1:{os.environ['PORT']}"
NUMBERS = """CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '200',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '1000000000');
"""
TO_KAFKA = NUMBERS + f"""CREATE TABLE copy (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 'copy',
  'properties.bootstrap.servers' = '{KAFKA}', 'properties.message.timeout.ms' = '1000', 'format' = 'json');
INSERT INTO copy SELECT id FROM numbers;
"""
FAST = ["--set", "execution.checkpointing.interval=100ms",
        "--set", "restart-strategy.exponential-delay.initial-backoff=100ms",
        "--set", "restart-strategy.exponential-delay.max-backoff=500ms"]


def broker():
    process = subprocess.Popen([LEAT, "broker", "--data", os.path.join(DIR, "kafka"), "--listen", KAFKA],
                               stderr=subprocess.PIPE, text=True)
    if KAFKA not in process.stderr.readline():
        raise SystemExit("the broker did not start")
    subprocess.run([LEAT, "topic", "create", "copy", "--broker", KAFKA], capture_output=True)  # or it is there
    return process


def copied():
    """The numbers that lie in the topic."""
    done = run("--result", "csv", "-e", f"""CREATE TABLE copy (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 'copy',
      'properties.bootstrap.servers' = '{KAFKA}', 'scan.startup.mode' = 'earliest-offset',
      'scan.bounded.mode' = 'latest-offset', 'format' = 'json'); SELECT id FROM copy;""")
    return [int(line) for line in done.stdout.splitlines()[1:]]


def run(*arguments, seconds=60):
    return subprocess.run([LEAT, "run", "--no-http", *arguments], capture_output=True, text=True, timeout=seconds, cwd=DIR)


def the_job(server):
    return server.ask("GET", "/api/v1/jobs")[2]["jobs"][0]


def is_in(server, state):
    return wait_for(lambda: the_job(server)["state"] == state)


def killed_broker():
    kafka = broker()
    server = Server("--http", "127.0.0.1:0", *FAST, "-e", TO_KAFKA)
    check(wait_for(lambda: len(copied()) > 100), "rows come")
    kafka.send_signal(signal.SIGKILL)
    kafka.wait()
    check(is_in(server, "RESTARTING"), "the broker is killed: the job is RESTARTING", the_job(server))
    check(wait_for(lambda: the_job(server)["restarts"] >= 2), "it is tried again and again", the_job(server))
    check(wait_for(lambda: "is started again" in (the_job(server)["why"] or "")), "and why says so", the_job(server))
    kafka = broker()
    check(is_in(server, "RUNNING"), "the broker is back: it is RUNNING")
    before = max(copied())
    check(wait_for(lambda: max(copied()) > before + 100), "rows come again", before)
    detail = server.ask("GET", f"/api/v1/jobs/{the_job(server)['id']}")[2]
    check(detail["failures"] and all("copy" in failure["error"] for failure in detail["failures"]) and
          detail["failures"][0]["time_ms"] >= detail["failures"][-1]["time_ms"], "the reasons are kept", detail["failures"])
    shown = subprocess.run([LEAT, "job", "show", "copy", "--data", server.data], capture_output=True, text=True).stdout
    check("restarts     " in shown and "not delivered" in shown, "leat job show has them", shown)
    metrics = server.ask("GET", "/metrics")[2].decode()
    check('leat_job_numRestarts{job_id="1",job_name="copy"} ' in metrics, "so has /metrics", metrics[:2000])
    code, _ = server.stop()
    rows = copied()
    check(code == 0 and sorted(set(rows)) == list(range(1, max(rows) + 1)), "none is missing", code, rows[:20])
    kafka.terminate()
    kafka.wait(30)


def given_up():
    done = run("--data", "given", "--set", "restart-strategy.type=fixed-delay", "--set",
               "restart-strategy.fixed-delay.attempts=2", "--set", "restart-strategy.fixed-delay.delay=50ms", "-e",
               TO_KAFKA)
    check(done.returncode == 1 and done.stderr.count("restart ") >= 2 and "given up after 2 restarts" in done.stderr and
          "job 'copy' failed: " in done.stderr, "given up after two restarts, exit 1", done)
    done = run("--data", "none", "--set", "restart-strategy.type=none", "-e", TO_KAFKA)
    check(done.returncode == 1 and "restart" not in done.stderr, "type none: not at all", done)
    done = run("--data", "off", "--set", "execution.checkpointing.interval=0ms", "-e", TO_KAFKA)
    check(done.returncode == 1 and "restart" not in done.stderr,
          "without checkpoints and primary key: not at all, rows would come twice", done)


def does_not_pass():
    done = run("--data", "fatal", "-e", NUMBERS + "CREATE TABLE hole (id BIGINT) WITH ('connector' = 'blackhole');"
               "INSERT INTO hole SELECT 1 / (id - 50) FROM numbers;")
    check(done.returncode == 1 and "division by zero" in done.stderr and "restart" not in done.stderr,
          "bad data: fails at once", done)


def full_disk():
    path = os.path.join(DIR, "small")
    os.makedirs(path)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", path], capture_output=True).returncode:
        skip("a full disk gets room", "it cannot be mounted")
        return
    try:
        database, ballast = os.path.join(path, "kept.db"), os.path.join(path, "ballast")
        server = Server("--http", "127.0.0.1:0", *FAST, "-e", NUMBERS + f"""
CREATE TABLE kept (id BIGINT, PRIMARY KEY (id) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{database}', 'table-name' = 'kept');
INSERT INTO kept SELECT id FROM numbers WHERE id <= 3000;""")
        check(wait_for(lambda: rows_of(database, "SELECT COUNT(*) > 100 FROM kept") == [(1,)]), "rows come")
        try:
            with open(ballast, "wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        except OSError:
            pass
        check(is_in(server, "RESTARTING"), "the disk is full: the job is RESTARTING", the_job(server))
        os.unlink(ballast)
        check(wait_for(lambda: rows_of(database, "SELECT COUNT(*), MAX(id) FROM kept") == [(3000, 3000)]),
              "it gets room: all rows are there", rows_of(database, "SELECT COUNT(*), MAX(id) FROM kept"), the_job(server))
        check(server.stop()[0] == 0, "and the job stops as any other")
    finally:
        subprocess.run(["umount", "-l", path])


def locked_file():
    """Waited for, not restarted: nothing would be won."""
    database = os.path.join(DIR, "locked.db")
    server = Server("--http", "127.0.0.1:0", *FAST, "-e", NUMBERS + f"""
CREATE TABLE kept (id BIGINT, PRIMARY KEY (id) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{database}', 'table-name' = 'kept');
INSERT INTO kept SELECT id FROM numbers;""", data=os.path.join(DIR, "locked"))
    check(wait_for(lambda: rows_of(database, "SELECT COUNT(*) > 100 FROM kept") == [(1,)]), "rows come")
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    check(wait_for(lambda: "locked" in (the_job(server)["why"] or "")), "a locked file: why says so", the_job(server))
    before = blocker.execute("SELECT MAX(id) FROM kept").fetchone()[0]
    blocker.execute("COMMIT")
    check(wait_for(lambda: rows_of(database, f"SELECT MAX(id) > {before + 100} FROM kept") == [(1,)]) and
          the_job(server)["restarts"] == 0, "and then it goes on, without a restart", the_job(server))
    check(server.stop()[0] == 0, "it stops")


killed_broker()
locked_file()
given_up()
does_not_pass()
full_disk()
finish()
