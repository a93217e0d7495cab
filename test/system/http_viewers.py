#!/usr/bin/env python3
"""Many viewers and one that does not read: the others get every change in time, memory does not grow, and when the
frozen one reads again it gets the current rows, not the old ones one after another."""
# timeout: 120
import json
import os
import time
from _http import DIR, Events, Server
from _tap import check, finish

with open(os.path.join(DIR, "d.json"), "w") as file:
    json.dump({"title": "T", "panels": [
        {"id": "wide", "kind": "table",
         "sql": "SELECT k, COUNT(*) AS n, MAX(REPEAT('x', 400)) AS s FROM gen GROUP BY k"}]}, file)
with open(os.path.join(DIR, "p.sql"), "w") as file:
    file.write("CREATE TABLE gen (k INT) WITH ('connector'='datagen','rows-per-second'='1000',"
               "'fields.k.min'='0','fields.k.max'='99');"
               "CREATE TABLE hole (k INT) WITH ('connector'='blackhole');"
               "INSERT INTO hole SELECT k FROM gen;")
server = Server("--http", "127.0.0.1:" + os.environ["PORT"], "--dashboard", "d.json", "p.sql")


def resident():
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def counter(name):
    text = server.ask("GET", "/metrics", token=False)[2].decode()
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(name + " ")))


viewers = [Events(server, "/api/v1/dashboards/d/live") for _ in range(8)]
check(all(viewer.wait(lambda name, data: name == "changes") for viewer in viewers), "eight viewers see changes")
frozen = Events(server, "/api/v1/dashboards/d/live", frozen=True)
time.sleep(2)
before, since = resident(), time.monotonic()
check(counter("leat_live_viewers") == 9 and counter("leat_live_queries") == 1, "nine viewers, one query")
time.sleep(5)
while counter("leat_live_behind_total") == 0 and time.monotonic() < since + 40:
    time.sleep(0.5)
check(counter("leat_live_behind_total") > 0, "the one that does not read is behind")
check(resident() - before < 32 << 20, "it costs bounded memory", resident() - before)


def seen(viewer):
    """How many rows of the source are in what the viewer shows"""
    return sum(row[1] for row in viewer.rows("wide"))


last = seen(viewers[0])
late = [seen(viewer) for viewer in viewers]
check(last > 0 and min(late) >= last, "the others are up to date", last, late)
frames = [len([1 for name, _, when in viewer.events if name == "changes" and when > since]) for viewer in viewers]
check(min(frames) >= 5 and max(frames) <= 11 * (time.monotonic() - since) + 5, "at most ten frames a second", frames)

# it thaws: what it reads now soon holds current rows
current = seen(viewers[0])
frozen.thaw()
check(frozen.wait(lambda name, data: name == "snapshot" and sum(row[1] for row in data["rows"]) >= current),
      "the frozen one gets a snapshot of now", current)
frozen.close()
for viewer in viewers:
    viewer.close()
until = time.monotonic() + 40
while counter("leat_live_viewers") > 0 and time.monotonic() < until:
    time.sleep(0.2)
check(counter("leat_live_viewers") == 0, "viewers that have gone are noticed")
check(counter("leat_live_queries") == 1, "the query lingers for those who come back")
code, seconds = server.stop()
check(code == 0, "the end", code, seconds)
finish()
