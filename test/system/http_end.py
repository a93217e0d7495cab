#!/usr/bin/env python3
"""The end: Ctrl-C with live pages, sessions and requests under way is over at once (a busy machine is given four
seconds) and tells viewers; what blocks is named after ten seconds, exit 1; a second Ctrl-C ends at once."""
# timeout: 90
import json
import os
import select
import signal
import subprocess
import threading
import time
from _http import DIR, LEAT, Events, Server
from _tap import check, finish

with open(os.path.join(DIR, "d.json"), "w") as file:
    json.dump({"title": "T", "panels": [
        {"id": "a", "kind": "table", "sql": "SELECT id FROM gen"},
        {"id": "b", "kind": "number", "y": ["n"], "sql": "SELECT COUNT(*) AS n FROM gen"}]}, file)
with open(os.path.join(DIR, "p.sql"), "w") as file:
    file.write("CREATE TABLE gen (id INT) WITH ('connector'='datagen','rows-per-second'='1000');"
               "CREATE TABLE hole (id INT) WITH ('connector'='blackhole');"
               "INSERT INTO hole SELECT id FROM gen;")
server = Server("--broker", "--http", "127.0.0.1:" + os.environ["PORT"], "--dashboard", "d.json", "p.sql")
viewers = [Events(server, "/api/v1/dashboards/d/live") for _ in range(5)]
for viewer in viewers:
    check(viewer.wait(lambda name, data: name == "changes"), "a viewer sees rows")
session = server.ask("POST", "/v3/sessions", {})[2]["sessionHandle"]
server.ask("POST", f"/v3/sessions/{session}/statements", {"statement": "SELECT * FROM gen"})
code, seconds = server.stop()
slow = 5 if "san" in os.path.basename(os.environ["BUILD"]) else 1  # sanitizers make all of it slow
check(code == 0 and seconds < 4 * slow, "Ctrl-C: over within seconds", code, seconds)
check(all(viewer.wait(lambda name, data: name == "bye") == {} for viewer in viewers), "each viewer was told bye")


# The end by force leaves threads behind, on purpose.
TSAN = os.environ.get("TSAN_OPTIONS", "") + ":report_thread_leaks=0"


def blocked(name):
    """A job whose rows nobody takes: its sink cannot finish."""
    one = subprocess.Popen([LEAT, "run", "--no-http", "--data", os.path.join(DIR, name), "-e",
                            "CREATE TABLE gen (s STRING) WITH ('connector'='datagen','fields.s.length'='1000');"
                            "CREATE TABLE shown (s STRING) WITH ('connector'='print');"
                            "INSERT INTO shown SELECT s FROM gen;"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           env=dict(os.environ, TSAN_OPTIONS=TSAN))
    select.select([one.stdout], [], [], 60)  # it runs
    time.sleep(1)  # and the pipe is full
    return one


one, two = blocked("one"), blocked("two")
began = time.monotonic()
one.send_signal(signal.SIGINT)
two.send_signal(signal.SIGINT)
time.sleep(0.5)
two.send_signal(signal.SIGINT)
check(two.wait(5) == 1 and time.monotonic() - began < 5, "a second Ctrl-C ends at once, exit 1", two.returncode)
code = one.wait(60)
seconds = time.monotonic() - began
said = one.stderr.read()
check(code == 1 and 9 < seconds < 40, "what blocks is waited for ten seconds, exit 1", code, seconds, said)
check("the jobs (shown)" in said, "and is named", said)
finish()
