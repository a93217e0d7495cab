#!/usr/bin/env python3
"""The statement API in the manner of Flink's SQL Gateway: sessions, statements, pages by token, kinds of rows, cancel,
back-pressure, files only below the roots."""
import os
import time
from _http import DIR, Server
from _tap import check, finish

with open(os.path.join(DIR, "p.sql"), "w") as file:
    file.write(f"CREATE TABLE mine (s STRING) WITH ('connector'='filesystem','path'='{DIR}/open','format'='raw');"
               "CREATE TABLE ticks (k INT) WITH ('connector'='datagen','rows-per-second'='1');"
               "CREATE TABLE own (k INT) WITH ('connector'='blackhole');"
               "INSERT INTO own SELECT k FROM ticks;")
with open(os.path.join(DIR, "open"), "w") as file:
    file.write("open\n")
server = Server("--http", "127.0.0.1:" + os.environ["PORT"], "p.sql")


def ask(method, path, body=None):
    status, _, content = server.ask(method, path, body)
    return status, content


def run(session, statement):
    status, content = ask("POST", f"/v3/sessions/{session}/statements", {"statement": statement})
    assert status == 200, content
    return content["operationHandle"]


def fetch(session, operation, token=0, form="JSON"):
    uri = f"/v3/sessions/{session}/operations/{operation}/result/{token}?rowFormat={form}"
    until = time.monotonic() + 30
    while time.monotonic() < until:
        status, content = ask("GET", uri)
        if status != 200 or content["resultType"] != "NOT_READY":
            return status, content
        time.sleep(0.02)
    return 0, "never ready"


def rows(session, operation, enough=None):
    """All rows, following the tokens; with enough: until there are so many"""
    got, uri, until = [], f"/v3/sessions/{session}/operations/{operation}/result/0?rowFormat=JSON", time.monotonic() + 30
    while uri and time.monotonic() < until:
        status, content = ask("GET", uri)
        if status != 200:
            return content
        got += content.get("results", {}).get("data", [])
        uri = content.get("nextResultUri")
        if enough and len(got) >= enough:
            break
        if uri and not content.get("results", {}).get("data"):
            time.sleep(0.02)
    return got


check(ask("GET", "/v3/info")[1]["productName"] == "leat" and ask("GET", "/info")[0] == 200, "info, with and without version")
check(ask("GET", "/api_versions")[1] == {"versions": ["V1", "V2", "V3"]}, "versions")
status, content = ask("POST", "/v3/sessions", {"properties": {"parallelism.default": "2"}})
check(status == 200, "a session", content)
session = content["sessionHandle"]
check(ask("GET", f"/v2/sessions/{session}")[1]["properties"]["parallelism.default"] == "2", "has its settings")
status, content = ask("POST", "/v3/sessions", {"properties": {"parallelism.defalt": "2"}})
check(status == 400 and "parallelism.default" in content["error"]["hint"] and content["errors"],
      "a wrong setting: the nearest name, also as Flink's clients read it", content)
check(ask("POST", f"/v3/sessions/{session}/heartbeat")[0] == 200, "heartbeat")

operation = run(session, "CREATE TABLE gen (id INT) WITH ('connector'='datagen','number-of-rows'='5000',"
                         "'fields.id.kind'='sequence','fields.id.start'='1','fields.id.end'='5000');")
status, content = fetch(session, operation)
check(content["results"]["data"] == [{"kind": "INSERT", "fields": ["OK"]}] and content["resultKind"] == "SUCCESS"
      and not content["isQueryResult"], "CREATE TABLE: OK", content)
status, content = fetch(session, operation, 1)
check(content["resultType"] == "EOS" and "nextResultUri" not in content, "then the end", content)
check(fetch(session, operation, 1)[1]["resultType"] == "EOS", "which can be asked for again")
check(rows(session, run(session, "SHOW TABLES")) ==
      [{"kind": "INSERT", "fields": [name]} for name in ("gen", "mine", "own", "ticks")], "SHOW TABLES")

operation = run(session, "SELECT id, CAST(id AS DECIMAL(10,2)) AS d, CAST(id AS STRING) AS s FROM gen")
status, first = fetch(session, operation)
columns = [(c["name"], c["logicalType"]["type"]) for c in first["results"]["columns"]]
check(first["isQueryResult"] and columns == [("id", "INTEGER"), ("d", "DECIMAL"), ("s", "VARCHAR")], "columns of a query", columns)
got = rows(session, operation) if not first["results"]["data"] else None
if got is None:  # the first page had rows: it can be fetched again by its token
    check(fetch(session, operation, 0)[1] == first, "the last page again is the same")
    got, uri = list(first["results"]["data"]), first["nextResultUri"]
    while uri:
        _, content = ask("GET", uri)
        got += content["results"]["data"]
        uri = content.get("nextResultUri")
check(sorted(row["fields"][0] for row in got) == list(range(1, 5001)) and got[0]["kind"] == "INSERT", "all its rows, once", len(got))
check(all(row["fields"][1] == f"{row['fields'][0]}.00" for row in got[:50]), "decimals as text", got[:2])
check(fetch(session, operation, 77)[0] == 400, "a token that is not the next")
until = time.monotonic() + 20
while ask("GET", f"/v3/sessions/{session}/operations/{operation}/status")[1]["status"] != "FINISHED" and time.monotonic() < until:
    time.sleep(0.05)
check(ask("GET", f"/v3/sessions/{session}/operations/{operation}/status")[1] == {"status": "FINISHED"}, "FINISHED")
check(ask("DELETE", f"/v3/sessions/{session}/operations/{operation}/close") == (200, {"status": "CLOSED"}), "closed")
check(ask("GET", f"/v3/sessions/{session}/operations/{operation}/status")[0] == 404, "and gone")

# changes
operation = run(session, "SELECT n, COUNT(*) AS c FROM (VALUES (1), (2), (1)) AS t (n) GROUP BY n")
current = {}
for row in rows(session, operation):
    if row["kind"] in ("INSERT", "UPDATE_AFTER"):
        current[row["fields"][0]] = row["fields"][1]
check(current == {1: 2, 2: 1}, "changes add up to the result", current)
status, content = fetch(session, run(session, "SELECT id, CAST(NULL AS INT) FROM gen"), 0, "PLAIN_TEXT")
if not content["results"]["data"]:
    time.sleep(1)
check(status == 200 and content["results"]["rowFormat"] == "PLAIN_TEXT", "plain text")

# errors
operation = run(session, "SELECT idd FROM gen")
status, content = fetch(session, operation)
check(status == 400 and "idd" in content["error"]["message"] and "column 8" in content["error"]["message"], "an error with its place", content)
check(ask("GET", f"/v3/sessions/{session}/operations/{operation}/status")[1]["status"] == "ERROR", "ERROR")
for body in [b"", b"{", b"[]", b"{\"statement\": 1}", b"\xff"]:
    status, content = ask("POST", f"/v3/sessions/{session}/statements", body)
    check(status == 400 and content["error"]["message"], f"a wrong body {body!r}", content)
for statement in ["", "SELECT 1; SELECT 2", "-- nothing"]:
    check(fetch(session, run(session, statement))[0] in (400, 501), f"no single statement: {statement!r}")

# back-pressure and cancel
fetch(session, run(session, "CREATE TABLE endless (id BIGINT, s STRING) WITH ('connector'='datagen','rows-per-second'='1000000')"))
operation = run(session, "SELECT * FROM endless")
check(len(rows(session, operation, 10000)) >= 10000, "a query without end gives pages")
time.sleep(1)


def resident():
    with open(f"/proc/{server.process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


before = resident()
time.sleep(1.5)
check(resident() - before < 64 << 20, "what nobody fetches does not pile up", resident() - before)
check(ask("POST", f"/v3/sessions/{session}/operations/{operation}/cancel", {}) == (200, {"status": "CANCELED"}), "cancel")
until = time.monotonic() + 20
while ask("GET", f"/v3/sessions/{session}/operations/{operation}/status")[1]["status"] != "CANCELED" and time.monotonic() < until:
    time.sleep(0.05)
check(ask("GET", f"/v3/sessions/{session}/operations/{operation}/status")[1] == {"status": "CANCELED"}, "CANCELED")

# an INSERT is a job of its own
fetch(session, run(session, "CREATE TABLE hole (id BIGINT) WITH ('connector'='blackhole')"))
status, content = fetch(session, run(session, "INSERT INTO hole SELECT id FROM endless"))
check(len(content["jobID"]) == 32 and content["results"]["columns"][0]["name"] == "job id", "an INSERT has a job", content)
check(ask("DELETE", f"/v3/sessions/{session}") == (200, {"status": "CLOSED"}), "the session is closed")
check(ask("POST", f"/v3/sessions/{session}/heartbeat")[0] == 404, "and gone")
jobs = [job for job in server.get("/api/v1/jobs")["jobs"] if job["name"] == "hole"]
check(len(jobs) == 1 and jobs[0]["state"] == "RUNNING" and int(content["jobID"], 16) == jobs[0]["id"], "its job goes on", jobs)

# files: nothing without leat.security.roots
session = ask("POST", "/v3/sessions")[1]["sessionHandle"]
fetch(session, run(session, f"CREATE TABLE f (s STRING) WITH ('connector'='filesystem','path'='{DIR}/secret','format'='raw')"))
with open(os.path.join(DIR, "secret"), "w") as file:
    file.write("secret\n")
status, content = fetch(session, run(session, "SELECT * FROM f"))
answer = content if status != 200 else rows(session, run(session, "SELECT * FROM f"))
check("error" in answer and "secret" in answer["error"]["message"], "a file outside the roots is not read", answer)
fetch(session, run(session, "CREATE VIEW peek AS SELECT * FROM mine /*+ OPTIONS('path'='secret') */"))
fetch(session, run(session, "CREATE TABLE alike WITH ('path'='secret') LIKE mine"))
for text in ("SELECT * FROM mine /*+ OPTIONS('path'='secret') */", "SELECT * FROM peek", "SELECT * FROM alike"):
    status, content = fetch(session, run(session, text))
    answer = content if status != 200 else rows(session, run(session, text))
    check("error" in answer and "secret" in answer["error"]["message"], f"nor by {text}", answer)
answer = rows(session, run(session, "SELECT * FROM mine"))
check([row["fields"] for row in answer] == [["open"]], "a table that the server's own files declare can be read", answer)

metrics = server.ask("GET", "/metrics", token=False)[2].decode()
check('job_name="hole"' in metrics and "leat_http_requests_total" in metrics, "metrics name the job")
code, seconds = server.stop()
check(code == 0 and seconds < 10, "Ctrl-C ends it", code, seconds)
finish()
