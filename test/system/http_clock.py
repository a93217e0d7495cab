#!/usr/bin/env python3
"""The server's clock moves an hour, forwards and back, while pages look on and one is frozen: pages go on, nobody is
thrown out, jobs and windows of real time do not stop, and an idle time of the connection is not over for it."""
# timeout: 120
import glob
import json
import os
import subprocess
import time
from _http import DIR, LEAT, Events, Server
from _tap import check, finish

found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
if not found:
    print("1..0 # SKIP no libfaketime")
    raise SystemExit(0)
if b"san.so" in subprocess.run(["ldd", LEAT], capture_output=True, check=True).stdout:
    print("1..0 # SKIP a sanitizer cannot be behind another preloaded library")
    raise SystemExit(0)

CLOCK = os.path.join(DIR, "clock")


def move(text):
    with open(CLOCK + ".new", "w") as file:
        file.write(text)
    os.rename(CLOCK + ".new", CLOCK)


move("+0")
with open(os.path.join(DIR, "d.json"), "w") as file:
    json.dump({"title": "T", "panels": [
        {"id": "all", "kind": "number", "sql": "SELECT COUNT(*) AS n FROM gen", "y": ["n"]},
        {"id": "again", "kind": "number", "refresh_ms": 200, "y": ["t"],
         "sql": "SELECT NOW() AS t FROM (VALUES (1)) AS v(x)"}]},
              file)
with open(os.path.join(DIR, "p.sql"), "w") as file:
    file.write("CREATE TABLE gen (k INT) WITH ('connector'='datagen','rows-per-second'='100');"
               "CREATE TABLE hole (k INT) WITH ('connector'='blackhole');"
               "INSERT INTO hole SELECT k FROM gen;")
server = Server("--http", "127.0.0.1:" + os.environ["PORT"], "--dashboard", "d.json", "p.sql",
                environment={"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": CLOCK, "FAKETIME_NO_CACHE": "1",
                             "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
viewer = Events(server, "/api/v1/dashboards/d/live")
frozen = Events(server, "/api/v1/dashboards/d/live", frozen=True)


def count(events):
    rows = events.rows("all")
    return rows[-1][0] if rows else 0


def hour(events):
    rows = events.rows("again")
    return rows[-1][0][11:13] if rows else None


def soon(condition):
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


check(soon(lambda: count(viewer) > 0 and hour(viewer)), "the page is moving")
before_hour = hour(viewer)
for clock, name in [("+3600", "an hour on"), ("+0", "back again"), ("-3600", "an hour back")]:
    before = count(viewer)
    move(clock)
    check(soon(lambda: count(viewer) > before + 100), f"{name}: rows go on", before, count(viewer))
    if clock != "+0":
        check(soon(lambda: hour(viewer) not in (None, before_hour)), f"{name}: it was the server's clock", hour(viewer))
    jobs = server.get("/api/v1/jobs")["jobs"]
    check(all(job["state"] == "RUNNING" for job in jobs), f"{name}: jobs run", jobs)
    check(not viewer.over, f"{name}: the page is still connected")
current = count(viewer)
frozen.thaw()
check(soon(lambda: count(frozen) >= current), "the frozen page is up to date", current, count(frozen))
viewer.close()
frozen.close()
code, seconds = server.stop()
check(code == 0, "the end", code, seconds)
finish()
