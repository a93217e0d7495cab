#!/usr/bin/env python3
"""Sessions side by side: each makes, fills, reads, replaces and drops tables of its own and of all, while others list
jobs and tables and watch metrics. No statement gives a wrong row, nothing is lost from view, nothing breaks."""
import concurrent.futures
import os
import random
import time
from _http import Server
from _tap import check, finish

server = Server("--http", "127.0.0.1:" + os.environ["PORT"])
ROUNDS = 4 if "san" in os.path.basename(os.environ["BUILD"]) else 12


def ask(method, path, body=None):
    status, _, content = server.ask(method, path, body, timeout=120)
    return status, content


def run(session, statement):
    """The rows of a statement, or its error"""
    status, content = ask("POST", f"/v3/sessions/{session}/statements", {"statement": statement})
    if status != 200:
        return content
    operation, rows = content["operationHandle"], []
    uri = f"/v3/sessions/{session}/operations/{operation}/result/0"
    while uri:
        status, content = ask("GET", uri)
        if status != 200:
            return content
        rows += content.get("results", {}).get("data", [])
        uri = content.get("nextResultUri")
        if uri and not content.get("results", {}).get("data"):
            time.sleep(0.01)
    ask("DELETE", f"/v3/sessions/{session}/operations/{operation}/close")
    return [row["fields"] for row in rows if row["kind"] in ("INSERT", "UPDATE_AFTER")]


def work(number):
    rng, wrong = random.Random(int(os.environ.get("SEED", "1")) * 100 + number), []
    session = ask("POST", "/v3/sessions", {})[1]["sessionHandle"]
    for step in range(ROUNDS):
        rows = rng.randrange(1, 4000)
        own = f"t{number}_{step}"
        done = run(session, f"CREATE TABLE {own} (id INT) WITH ('connector'='datagen','number-of-rows'='{rows}',"
                            f"'fields.id.kind'='sequence','fields.id.start'='1','fields.id.end'='{rows}')")
        got = run(session, f"SELECT COUNT(*), SUM(id) FROM {own}")
        if done != [["OK"]] or not isinstance(got, list) or got[-1] != [rows, rows * (rows + 1) // 2]:
            wrong.append((done, got, rows))
        run(session, f"CREATE TEMPORARY VIEW shared AS SELECT id, {number} AS who FROM {own}")  # one of us has it
        seen = run(session, "SELECT MAX(who) FROM shared")
        if not isinstance(seen, list) and "shared" not in str(seen) and "t" not in str(seen):
            wrong.append(seen)
        run(session, "DROP TEMPORARY VIEW IF EXISTS shared")
        tables = [row[0] for row in run(session, "SHOW TABLES")]
        if own not in tables:
            wrong.append(("not listed", own, tables))
        if run(session, f"DROP TABLE {own}") != [["OK"]]:
            wrong.append(("not dropped", own))
    ask("DELETE", f"/v3/sessions/{session}")
    return wrong


def look(stop):
    count = 0
    while not stop:
        for path in ["/api/v1/jobs", "/api/v1/tables", "/api/v1/info"]:
            server.get(path)
        server.ask("GET", "/metrics", token=False)
        for job in server.get("/api/v1/jobs")["jobs"][-3:]:
            ask("GET", f"/api/v1/jobs/{job['id']}")
            ask("GET", f"/api/v1/jobs/{job['id']}/why")
        count += 1
    return count


with concurrent.futures.ThreadPoolExecutor(8) as pool:
    stop = []
    looks = [pool.submit(look, stop) for _ in range(2)]
    results = [pool.submit(work, number) for number in range(5)]
    for number, result in enumerate(results):
        wrong = result.result()
        check(not wrong, f"session {number}: each statement gives its rows", wrong[:3])
    stop.append(True)
    check(all(one.result() > 0 for one in looks), "jobs, tables and metrics are there all the time")
check(server.get("/api/v1/tables") == {"tables": []}, "every table is gone", server.get("/api/v1/tables"))
check(not [job for job in server.get("/api/v1/jobs")["jobs"] if job["state"] == "RUNNING"], "no job is left")
code, seconds = server.stop()
check(code == 0, "the end", code, seconds)
finish()
