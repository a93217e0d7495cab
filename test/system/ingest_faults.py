#!/usr/bin/env python3
"""A full disk under rows over HTTP: 503 that says so, nothing confirmed is lost, and it goes on once there is room; also
after a restart. The data directory is a small file system in a mount namespace of its own (skipped where there is none)."""
import json
import os
import subprocess
import sys

import _ingest
from _ingest import DIRECTORY, LEAT, LINES, Leat, lines
from _tap import check, finish, rows_of, wait_for

DATA = os.path.join(DIRECTORY, "data")
os.makedirs(DATA)
holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=8m none '{DATA}' && echo ready && exec sleep 600"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
if holder.stdout.readline() != "ready\n":
    print("1..0 # SKIP no mount namespaces here")
    sys.exit(77)
inside = f"/proc/{holder.pid}/root{DATA}"
program = os.path.join(DIRECTORY, "leat-inside")
with open(program, "w") as file:
    file.write(f"#!/bin/sh\nexec nsenter -t {holder.pid} -U -m --preserve-credentials --wd='{DIRECTORY}' '{LEAT}' \"$@\"\n")
os.chmod(program, 0o755)
_ingest.LEAT = program

TABLE = "CREATE TABLE t (id BIGINT NOT NULL, note STRING) WITH ('connector' = 'http-ingest', 'topic' = 't', 'format' = 'json'{});"
SQL = TABLE.format("") + f"""
CREATE TABLE o (id BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{DIRECTORY}/o.db', 'table-name' = 'o');
INSERT INTO o SELECT id FROM t;
"""
leat = Leat(SQL)
poster = leat.poster("t")
confirmed, sent = set(), 0


def post(count=1):
    """Rows of 4 KB, each sent once."""
    global sent
    ids = range(sent, sent + count)
    sent += count
    status, answer, headers = poster.post(lines({"id": id, "note": "x" * 4000} for id in ids), LINES)
    if status == 200:
        confirmed.update(ids)
    return status, answer, headers


check(post(10)[0] == 200, "rows are taken")
subprocess.run(["nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials", "fallocate", "-l", "7m",
                os.path.join(DATA, "filler")], check=True)
answers = [post(10) for _ in range(60)]
full = [(status, answer, headers) for status, answer, headers in answers if status != 200]
check({status for status, _, _ in answers} == {200, 503}, "until the disk is full", {status for status, _, _ in answers})
status, answer, headers = full[0]
check(answer["error"]["code"] == "NOT_DURABLE" and "space" in answer["error"]["message"].lower() and headers["Retry-After"],
      "the answer says why and when to come again", answer)
check(leat.process.poll() is None, "the process lives on", leat.said())
os.remove(os.path.join(inside, "filler"))
check(wait_for(lambda: post()[0] == 200), "room again: rows are taken again", post())
check(all(post(5)[0] == 200 for _ in range(10)), "and again")


def stored():
    return [id for id, in rows_of(os.path.join(DIRECTORY, "o.db"), "SELECT id FROM o")]


check(wait_for(lambda: confirmed <= set(stored())), "every confirmed row arrives", sorted(confirmed - set(stored()))[:10])
check(len(stored()) == len(set(stored())), "none twice")
check(set(stored()) == confirmed, "and no other", sorted(set(stored()) - confirmed)[:10])
leat.kill()
run = subprocess.run([program, "run", "--data", DATA, "--no-http", "--result", "json", "-e",
                      TABLE.format(", 'scan.bounded.mode' = 'latest-offset'") + "SELECT id FROM t"],
                     capture_output=True, text=True, timeout=60)
found = [json.loads(line)["id"] for line in run.stdout.splitlines()]
check(sorted(found) == sorted(confirmed), "the same after kill -9 and restart", (run.stderr, len(found), len(confirmed)))
holder.kill()
finish()
