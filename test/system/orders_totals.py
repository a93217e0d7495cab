#!/usr/bin/env python3
# timeout: 300
"""100,000 orders produced by kcat from a file, some of them spoiled, through a topic into SQLite: the
totals equal an independent computation; also after kill -9 in the middle and with a wiped result table.
Bad rows are skipped and counted, or kept in a dead-letter table with their place."""
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from decimal import Decimal
from _tap import check, finish, wait_for

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
PORT = os.environ["PORT"]
SERVER = f"127.0.0.1:{PORT}"
DATA = os.path.join(DIRECTORY, "data")
COUNT = 100_000
random.seed(int(os.environ.get("SEED", "1")))

CARDS = ["Visa", "Master", "Maestro", "American Express", "Cirrus", "PayPal"]
TABLES = f"""
SET 'pipeline.name' = '{{db}}';
CREATE TABLE orders (
  order_id BIGINT, order_product_name STRING, order_card_type STRING, order_amount DECIMAL(10, 2),
  order_datetime STRING, order_country_name STRING, order_city_name STRING,
  order_ecommerce_website_name STRING,
  order_time AS TO_TIMESTAMP(order_datetime),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = '{{servers}}',
  'properties.group.id' = 'test', 'scan.startup.mode' = 'earliest-offset', {{bounded}}
  'format' = 'json', 'leat.bad-rows' = '{{policy}}' {{more}});
CREATE TABLE totals (card STRING, total DECIMAL(15, 2), orders BIGINT,
  PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{{db}}', 'table-name' = 'totals');
CREATE TABLE rejected (`source` STRING, `partition` INT, `offset` BIGINT, payload BYTES,
  error_code STRING, error_text STRING, `time` TIMESTAMP_LTZ(3))
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{{db}}', 'table-name' = 'rejected');
INSERT INTO totals SELECT order_card_type, SUM(order_amount), COUNT(*) FROM orders
  WHERE order_card_type IS NOT NULL GROUP BY order_card_type;
"""


def make_orders():
    """Lines, the totals of the good ones, and the offsets of the bad ones."""
    lines, want, bad = [], {}, []
    spoil = [
        lambda text: text[:random.randrange(1, len(text))],
        lambda text: text + "}",
        lambda text: text.replace('"order_amount": ', '"order_amount": "x'),
        lambda text: "not json at all",
        lambda text: text.replace('"order_id": ', '"order_id": 99999999999999999999'),
        lambda text: text.replace("{", "[", 1),
    ]
    for i in range(COUNT):
        cents = random.randrange(550, 55551)
        card = random.choice(CARDS)
        order = {"order_id": i + 1, "order_product_name": "TV Stand", "order_card_type": card,
                 "order_amount": cents / 100, "order_datetime": f"2024-01-01 10:{i // 6000:02d}:{i // 100 % 60:02d}",
                 "order_country_name": "Sri Lanka", "order_city_name": "Colombo é\"x",
                 "order_ecommerce_website_name": "www.ebay.com"}
        text = json.dumps(order, ensure_ascii=random.random() < 0.5)
        if random.random() < 0.01:
            # an unread field may hold anything of good structure: order_id is not read
            k = random.randrange(len(spoil))
            text = spoil[k](text)
            if k != 4:
                bad.append(i)
                lines.append(text)
                continue
        elif random.random() < 0.05:
            fields = list(order.items())
            random.shuffle(fields)
            fields.append(("unknown", {"nested": [1, {"a": None}], "x": "y"}))
            text = json.dumps(dict(fields))
        elif random.random() < 0.01:
            text = text.replace('"order_amount": ', '"order_amount": 1, "order_amount": ')
        lines.append(text)
        total, orders = want.get(card, (Decimal(0), 0))
        want[card] = (total + Decimal(cents) / 100, orders + 1)
    return lines, want, bad


def totals(db):
    connection = sqlite3.connect(db, timeout=10)
    try:
        rows = connection.execute("SELECT card, total, orders FROM totals").fetchall()
    except sqlite3.OperationalError:
        rows = []
    finally:
        connection.close()
    return {card: (Decimal(str(total)).quantize(Decimal("0.01")), orders) for card, total, orders in rows}


def sql(db, servers="embedded", bounded=True, policy="skip", more=""):
    bound = "'scan.bounded.mode' = 'latest-offset'," if bounded else ""
    return (TABLES.replace("{db}", db).replace("{servers}", servers).replace("{bounded}", bound)
            .replace("{policy}", policy).replace("{more}", more))


def leat(text, *arguments, data=DATA):
    path = os.path.join(DIRECTORY, "job.sql")
    with open(path, "w") as file:
        file.write(text)
    return subprocess.Popen([LEAT, "run", "--data", data, *arguments, path],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_broker():
    process = subprocess.Popen([LEAT, "broker", "--data", DATA, "--listen", SERVER],
                               stderr=subprocess.PIPE, text=True)
    if SERVER not in process.stderr.readline():
        raise SystemExit("the broker did not start")
    return process


lines, want, bad = make_orders()
orders_file = os.path.join(DIRECTORY, "orders.ndjson")
with open(orders_file, "w") as file:
    file.write("\n".join(lines) + "\n")

broker = start_broker()
produced = subprocess.run(["kcat", "-P", "-b", SERVER, "-t", "orders", "-l", orders_file],
                          capture_output=True, text=True)
check(produced.returncode == 0, "kcat produces 100,000 orders", produced.stderr)

db = os.path.join(DIRECTORY, "remote.db")
job = leat(sql(db, servers=SERVER), data=os.path.join(DIRECTORY, "other"))
out, err = job.communicate(timeout=60)
check(job.returncode == 0 and totals(db) == want, "totals through librdkafka", (err, totals(db), want))
broker.terminate()
check(broker.wait(20) == 0, "the broker ends on SIGTERM")

db = os.path.join(DIRECTORY, "embedded.db")
job = leat(sql(db))
out, err = job.communicate(timeout=60)
check(job.returncode == 0 and totals(db) == want, "totals from the log in the process",
      (err, totals(db), want))

db = os.path.join(DIRECTORY, "parallel.db")
job = leat(sql(db), "--set", "parallelism.default=3")
out, err = job.communicate(timeout=60)
check(job.returncode == 0 and totals(db) == want, "totals at parallelism 3", (err, totals(db), want))

job = leat(sql(os.path.join(DIRECTORY, "failing.db"), policy="fail"))
out, err = job.communicate(timeout=60)
check(job.returncode == 1 and "orders" in err and str(bad[0]) in err and "leat.bad-rows" in err,
      "a bad row fails the job with its place and the option that helps", err)

db = os.path.join(DIRECTORY, "letters.db")
job = leat(sql(db, policy="dead-letter", more=", 'leat.dead-letter.table' = 'rejected'"))
out, err = job.communicate(timeout=60)
try:
    letters = sqlite3.connect(db).execute(
        'SELECT "offset", payload FROM rejected ORDER BY "offset"').fetchall()
except sqlite3.OperationalError as error:
    letters = [str(error)]
check(job.returncode == 0 and totals(db) == want and
      letters == [(i, lines[i].encode()) for i in bad],
      "bad rows are kept in the dead-letter table", (err, len(letters), len(bad), letters[:2]))

db = os.path.join(DIRECTORY, "killed.db")
for attempt in range(5):
    job = leat(sql(db, bounded=False))
    time.sleep(random.uniform(0.02, 0.3))
    job.send_signal(signal.SIGKILL)
    job.wait()
job = leat(sql(db, bounded=False))
check(wait_for(lambda: totals(db) == want), "totals after kill -9 in the middle", (totals(db), want))
job.kill()
job.wait()

job = leat(sql(os.path.join(DIRECTORY, "stopped.db"), bounded=False))
wait_for(lambda: totals(os.path.join(DIRECTORY, "stopped.db")) == want)  # so it does run
job.send_signal(signal.SIGTERM)
check(job.wait(20) == 0, "SIGTERM ends an unbounded job with exit code 0", job.returncode)

good = True
for attempt in range(10):  # also while the job is only being started
    job = leat(sql(db, bounded=False))
    time.sleep(attempt * 0.004)
    job.send_signal(signal.SIGTERM)
    good = good and job.wait(20) in (0, -signal.SIGTERM)
check(good, "SIGTERM ends it at any time")

connection = sqlite3.connect(db)
connection.execute("DROP TABLE totals")
connection.commit()
connection.close()
job = leat(sql(db).replace(db, "anew", 1))
out, err = job.communicate(timeout=60)
check(job.returncode == 0 and totals(db) == want, "totals after the result table was wiped",
      (err, totals(db)))
finish()
