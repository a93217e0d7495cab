#!/usr/bin/env python3
"""kill -9 under clients that POST: every row that was answered 200 is there after the restart, none twice."""
import http.client
import os
import random
import threading
import time

from _ingest import LINES, Leat, lines, query
from _tap import check, finish

ROUNDS, CLIENTS = 5, 6
random.seed(int(os.environ.get("SEED", "1")))
TABLE = """CREATE TABLE t (id BIGINT NOT NULL) WITH ('connector' = 'http-ingest', 'topic' = 't', 'format' = 'json'{});"""
SQL = TABLE.format("") + """
CREATE TABLE o (id BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO o SELECT id FROM t;
"""
sent, acknowledged, lock = 0, set(), threading.Lock()


def next_ids(count):
    global sent
    with lock:
        sent += count
        return range(sent - count, sent)


def client(leat):
    """Each row is sent once: what was not answered may be there or not."""
    poster = leat.poster("t")
    try:
        while True:
            ids = next_ids(random.randint(1, 50))
            status, answer, _ = poster.post(lines({"id": id} for id in ids), LINES)
            if status != 200 or answer != {"accepted": len(ids)}:
                wrong.append((status, answer))
                return
            with lock:
                acknowledged.update(ids)
    except (OSError, http.client.HTTPException):
        return


wrong = []
for _ in range(ROUNDS):
    leat, before = Leat(SQL), len(acknowledged)
    threads = [threading.Thread(target=client, args=(leat,)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 30
    while len(acknowledged) < before + 200 and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(random.random() * 0.2)
    leat.kill()
    for thread in threads:
        thread.join()
check(not wrong, "every answer is right until the kill", wrong)
check(len(acknowledged) >= 200 * ROUNDS, "clients got through", len(acknowledged))
found = [row["id"] for row in query(TABLE.format(", 'scan.bounded.mode' = 'latest-offset'") + "SELECT id FROM t")]
check(not acknowledged - set(found), "all that was acknowledged is there", sorted(acknowledged - set(found))[:10])
check(len(found) == len(set(found)), "none is there twice")
check(set(found) <= set(range(sent)), "nothing else is there")
print(f"# {sent} sent, {len(acknowledged)} acknowledged, {len(found)} found")
finish()
