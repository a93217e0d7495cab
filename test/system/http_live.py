#!/usr/bin/env python3
"""Live dashboards: rows arrive as snapshots and keyed changes, a selector, bounded panels, failures, bye at the end."""
import json
import os
import time
from _http import DIR, Events, Server
from _tap import check, finish

SQL = """
CREATE TABLE sales (id INT, card STRING, country STRING, amount DECIMAL(10,2))
WITH ('connector'='kafka','topic'='sales','properties.bootstrap.servers'='embedded','format'='json',
      'scan.startup.mode'='earliest-offset','properties.group.id'='g');
CREATE TABLE more (id INT, card STRING, country STRING, amount DECIMAL(10,2))
WITH ('connector'='kafka','topic'='sales','properties.bootstrap.servers'='embedded','format'='json');
CREATE TABLE gen (id INT, a INT) WITH ('connector'='datagen','rows-per-second'='200','fields.id.kind'='sequence',
  'fields.id.start'='1','fields.id.end'='100000000','fields.a.min'='1','fields.a.max'='3');
INSERT INTO more SELECT id, CASE a WHEN 1 THEN 'Visa' WHEN 2 THEN 'Amex' ELSE '<b>"Maestro"</b>' END,
  CASE MOD(id, 2) WHEN 0 THEN 'DE' ELSE 'FR' END, CAST(a AS DECIMAL(10,2)) FROM gen;
"""
PANELS = [
    {"id": "cards", "kind": "bar", "sql": "SELECT card, SUM(amount) AS total FROM sales GROUP BY card", "x": "card",
     "y": ["total"]},
    {"id": "picked", "kind": "pie",
     "sql": "SELECT CASE :by WHEN 'Card' THEN card ELSE country END AS k, COUNT(*) AS n FROM sales "
            "GROUP BY CASE :by WHEN 'Card' THEN card ELSE country END", "x": "k", "y": ["n"]},
    {"id": "total", "kind": "number", "sql": "SELECT COUNT(*) AS n FROM sales", "y": ["n"]},
    {"id": "newest", "kind": "table", "sql": "SELECT id, card, amount FROM sales", "keep": 5},
    {"id": "broken", "kind": "table", "sql": "SELECT id,\n  crad FROM sales"},
    {"id": "constant", "kind": "table", "sql": "SELECT * FROM (VALUES (2, 'b'), (1, 'a')) AS t (n, s) ORDER BY n",
     "refresh_ms": 200},
]
with open(os.path.join(DIR, "p.sql"), "w") as file:
    file.write(SQL)
with open(os.path.join(DIR, "sales.json"), "w") as file:
    json.dump({"title": "Sales", "selectors": [{"id": "by", "values": ["Card", "Country"]}], "panels": PANELS}, file)

server = Server("--http", "127.0.0.1:" + os.environ["PORT"], "--dashboard", "sales.json", "p.sql")
check(server.get("/api/v1/dashboards") == {"dashboards": [{"name": "sales", "title": "Sales"}]}, "the dashboard is listed")
check(server.get("/api/v1/dashboards/sales")["panels"] == PANELS, "it is given as its file says")
first = Events(server, "/api/v1/dashboards/sales/live")
check(first.answer.status == 200 and first.answer.headers["Content-Type"] == "text/event-stream", "an event stream")
check(first.wait(lambda name, data: name == "hello" and data["dashboard"] == "sales"), "hello comes")

snapshot = first.wait(lambda name, data: name == "snapshot" and data["panel"] == "cards")
check(snapshot and snapshot["key"] == [0] and snapshot["append"] is False and [c["name"] for c in snapshot["columns"]] == ["card", "total"],
      "a keyed panel has its key and columns", snapshot)
changes = first.wait(lambda name, data: name == "changes" and data["panel"] == "cards")
check(changes is not None, "its changes come")
time.sleep(1.5)
rows = {row[0]: float(row[1]) for row in first.rows("cards")}
check(set(rows) == {"Visa", "Amex", '<b>"Maestro"</b>'}, "all keys are there once, markup as text", rows)
with first.changed:
    times = [when for name, data, when in first.events if name == "changes" and data["panel"] == "cards"]
    seqs = [data["seq"] for name, data, _ in first.events if name in ("changes", "snapshot") and data["panel"] == "cards"]
check(len(times) < 3 or len(times) - 1 <= (times[-1] - times[0]) * 10 + 2, "at most ten frames a second", len(times))
check(seqs == sorted(seqs), "sequence numbers rise", seqs[:20])

total = [row[0] for row in first.rows("total")]
check(len(total) == 1 and total[0] > 0, "a total is one row, a number", total)
newest = first.rows("newest")
check(len(newest) >= 5 and [row[0] for row in newest] == sorted(row[0] for row in newest),
      "newest rows come in order", newest[-6:])
late = Events(server, "/api/v1/dashboards/sales/live")
snapshot = late.wait(lambda name, data: name == "snapshot" and data["panel"] == "newest" and data["rows"])
check(snapshot and len(snapshot["rows"]) <= 5 and snapshot["key"] == [] and snapshot["append"] is True,
      "a later viewer gets the newest five", snapshot)

# the same query for two viewers is one job; another selector value is another one
jobs = [job["name"] for job in server.get("/api/v1/jobs")["jobs"] if job["state"] == "RUNNING"]
check(jobs.count("sales/cards") == 1 and jobs.count("sales/picked") == 1, "two viewers share a job", jobs)
other = Events(server, "/api/v1/dashboards/sales/live?by=Country")
check(other.wait(lambda name, data: name == "changes" and data["panel"] == "picked"), "another value of the selector")
jobs = [job["name"] for job in server.get("/api/v1/jobs")["jobs"] if job["state"] == "RUNNING"]
check(jobs.count("sales/cards") == 1 and jobs.count("sales/picked") == 2, "has a job of its own", jobs)
check({row[0] for row in other.rows("picked")} == {"DE", "FR"}, "and other rows", other.rows("picked"))
check({row[0] for row in late.rows("picked")} == set(rows), "the default is by card", late.rows("picked"))

status = first.wait(lambda name, data: name == "status" and data["panel"] == "broken")
check(status and status["state"] == "failed" and "crad" in status["why"] and "line 2" in status["why"]
      and "card" in status["why"], "a panel that cannot run says why, the others go on", status)
check("panel \"broken\"" in server.stderr(), "that was told at the start", server.stderr())
snapshot = first.wait(lambda name, data: name == "snapshot" and data["panel"] == "constant")
check(snapshot and snapshot["rows"] == [[1, "a"], [2, "b"]] and snapshot["key"] == [] and snapshot["append"] is False, "a bounded panel is in order", snapshot)
time.sleep(0.7)
with first.changed:
    told = sum(name == "snapshot" and data["panel"] == "constant" for name, data, _ in first.events)
check(told == 1, "and is told again only when it has changed", told)

for path, code in [("?by=Planet", 400), ("?bx=Card", 400)]:
    status, _, answer = server.ask("GET", "/api/v1/dashboards/sales/live" + path)
    check(status == code and answer["error"]["code"] == "OPTION", f"a wrong selector {path}", answer)
status, _, answer = server.ask("GET", "/api/v1/dashboards/sale/live")
check(status == 404 and "sales" in answer["error"]["hint"], "a wrong dashboard: the nearest name", answer)

# jobs
job = next(job for job in server.get("/api/v1/jobs")["jobs"] if job["name"] == "more")
detail = server.get(f"/api/v1/jobs/{job['id']}")
check(detail["operators"] and "gen" in detail["plan"] and detail["rows_written"] > 0, "a job with operators and plan", detail)
check(server.ask("POST", f"/api/v1/jobs/{job['id']}/stop", {})[0] == 202, "stop is taken")
until = time.monotonic() + 20
while time.monotonic() < until and server.process.poll() is None:
    time.sleep(0.05)
check(server.process.poll() == 0, "the process ends with its last own job", server.stderr())
check(first.wait(lambda name, data: name == "bye") == {}, "viewers are told bye")
for events in (first, late, other):
    events.close()
finish()
