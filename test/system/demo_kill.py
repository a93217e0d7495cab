#!/usr/bin/env python3
# timeout: 150
"""`leat demo ecommerce` killed with -9 at random moments and started again on the same data: archive, totals and
minutes are those of the orders in the topic, to the cent, computed from its segment files by script/demo-check.
The check itself is run on planted differences and must fail on each."""
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from _tap import check, finish, rows_of, wait_for

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
PORT = os.environ["PORT"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(DIRECTORY, "demo")
DATABASE = os.path.join(DATA, "ecommerce.db")
RATE, KILLS = 400, 6
random.seed(int(os.environ.get("SEED", "1")))


def demo():
    return subprocess.Popen([LEAT, "demo", "--data", DATA, "--broker", f"127.0.0.1:{PORT}", "--var", f"rate={RATE}"],
                            stderr=subprocess.PIPE, text=True)


def compare(directory, behind=0):
    return subprocess.run([os.path.join(ROOT, "script", "demo-check"), directory, "--behind", str(behind)],
                          capture_output=True, text=True)


def rows(condition="TRUE"):
    found = rows_of(DATABASE, "SELECT COUNT(*) FROM order_archive WHERE " + condition)
    return found[0][0] if found else 0


for kill in range(KILLS):
    process = demo()
    if kill % 3 == 1:  # while it starts
        time.sleep(random.uniform(0, 0.1))
    else:
        time.sleep(random.uniform(0.2, 1.0))
    process.kill()
    process.communicate()

before = rows()
process = demo()
check(wait_for(lambda: rows() > before + RATE), "orders go on after the kills", rows())
with open(os.path.join(ROOT, "README.md")) as file:
    own = re.search(r"^kcat .*$", file.read(), re.M).group(0).replace(":9092", ":" + PORT)
sent = subprocess.run(["bash", "-c", own], capture_output=True, text=True, timeout=60)
check(sent.returncode == 0 and wait_for(lambda: rows("order_country_name = 'Atlantis'")),
      "the README's own order by kcat, from years ago and without some fields, is archived", own, sent.stderr)
for arguments, wanted in [(["--data", DATA], "locked"), (["--data", DATA + "2", "--broker", f"127.0.0.1:{PORT}"], PORT)]:
    second = subprocess.run([LEAT, "demo", *arguments], capture_output=True, text=True, timeout=30)
    check(second.returncode in (1, 2) and wanted in second.stderr, f"a second one is refused: {wanted}", second.stderr)
began = time.monotonic()
process.send_signal(signal.SIGINT)
err = process.communicate(timeout=30)[1]
took = time.monotonic() - began
check(process.returncode == 0, "Ctrl-C ends it with exit code 0", err)
check(took < 10, "... and soon", took)
result = compare(DATA, behind=10 * RATE)
check(result.returncode == 0, "after kill -9 all results equal the topic", result.stdout[-3000:] + result.stderr)

PLANTED = [
    ("a total", "UPDATE sales_by_card_type SET total_sales = total_sales + 0.01 WHERE card_type = 'Visa'"),
    ("a count", "UPDATE sales_by_country SET orders = orders - 1 WHERE country = 'India'"),
    ("a missing key", "DELETE FROM sales_by_country WHERE country = 'Inida'"),
    ("a cent in the archive", "UPDATE order_archive SET order_amount = order_amount + 0.01 WHERE kafka_offset = 3"),
    ("a missing order", "DELETE FROM order_archive WHERE kafka_offset = 5"),
    ("a wrong hour", "UPDATE order_archive SET partition_hour = (partition_hour + 1) % 24 WHERE kafka_offset = 7"),
    ("a minute too many", "INSERT INTO orders_per_minute VALUES ('2001-01-01 00:00:00', 1, 1)"),
]
copy = os.path.join(DIRECTORY, "planted")
for name, sql in PLANTED:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(DATA, copy)
    connection = sqlite3.connect(os.path.join(copy, "ecommerce.db"))
    connection.execute(sql)
    connection.commit()
    connection.close()
    result = compare(copy, behind=10 * RATE)
    check(result.returncode == 1 and "DIFFERENT" in result.stdout, "the check finds " + name, result.stdout[-2000:])
finish()
