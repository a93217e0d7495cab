#!/usr/bin/env python3
# timeout: 60
"""`leat job`: list, show and why of a running leat, found by its data directory or address; errors say what to do."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _http import *  # noqa: E402,F403
from _tap import check, finish

SQL = """
CREATE TABLE orders (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
CREATE TABLE totals (n BIGINT) WITH ('connector' = 'blackhole');
SET 'pipeline.name' = 'order totals';
INSERT INTO totals SELECT COUNT(*) FROM orders;
CREATE TABLE few (id INT) WITH ('connector' = 'datagen', 'number-of-rows' = '3');
CREATE TABLE few_out (id INT) WITH ('connector' = 'blackhole');
SET 'pipeline.name' = 'few';
INSERT INTO few_out SELECT id FROM few;
"""


def job(*arguments, code=0):
    done = subprocess.run([LEAT, "job", *arguments], capture_output=True, text=True, timeout=PATIENCE, cwd=DIR)
    if done.returncode != code:
        check(False, f"job {' '.join(arguments)}: exit {code}", (done.returncode, done.stdout, done.stderr))
    return done.stdout if code == 0 else done.stderr


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("|")][1:]


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


def main():
    server = Server("--http", "127.0.0.1:0", "-e", SQL)
    here = ["--data", server.data]
    check(wait_for(lambda: [row[1:3] for row in rows(job("list", *here))] ==
                   [["few", "FINISHED"], ["order totals", "RUNNING"]]), "list: by name and state", job("list", *here))
    check(wait_for(lambda: int(rows(job("list", *here))[1][5]) > 0), "list: rows", job("list", *here))
    shown = job("show", "order totals", *here)
    check("state        RUNNING\n" in shown and "rows written " in shown and
          any(row[0] == "Source: orders" for row in rows(shown)), "show: the job and its operators", shown)
    check(job("show", "1", *here).split("\n")[:2] == shown.split("\n")[:2], "show: by id")
    check("has finished" in job("why", "few", *here), "why: of one that has ended", job("why", "few", *here))
    check(job("why", "order totals", *here).startswith("Output is flowing"), "why: of one that runs")
    url = f"http://127.0.0.1:{server.port}/?token={server.token}"
    check(len(rows(job("list", "--server", url))) == 2, "by the printed address")
    check(len(rows(job("list", "--server", f"127.0.0.1:{server.port}", *here))) == 2, "address, and the directory's token")
    for arguments, code, wanted in [
            (["why", "order totls", *here], 1, "there is no job 'order totls'\n      did you mean 'order totals'?"),
            (["show", "99", *here], 1, "there is no job '99'"),
            (["list", "--server", url + "x"], 1, "takes another token"),
            (["list", "--server", f"127.0.0.1:{server.port}"], 1, "with its token"),
            (["list", "--server", "https://x"], 1, "TLS is not built"),
            (["list", "--data", "nowhere"], 1, "no leat with HTTP works on the data directory nowhere"),
            (["wy", *here], 2, "did you mean 'why'?"), ([], 2, "job needs a word: "),
            (["why", *here], 2, "job why needs the name or id of a job"),
            (["list", "few"], 2, "job list takes no argument 'few'")]:
        text = job(*arguments, code=code)
        check(wanted in text, f"job {' '.join(arguments)}: {wanted[:40]!r}", text)
    check(server.stop()[0] == 0, "clean stop")
    check("no leat with HTTP works" in job("list", *here, code=1), "after a clean stop nobody is there")
    check("no leat listens there" in job("list", "--server", url, code=1), "nobody at the address")
    finish()


main()
