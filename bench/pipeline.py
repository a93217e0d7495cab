#!/usr/bin/env python3
"""pipeline.py - records per CPU second of `leat run`, from a topic of orders to a table.

Each case runs the shipped executable pinned to one core over a topic that librdkafka wrote with its
default settings, takes the CPU time of all its threads from the kernel's accounting, and checks every
total against the numbers the producer printed. simdjson alone and format/json alone are measured in the
same run for comparison. Arguments: [COUNT [ROUNDS]], default 5,000,000 and 3.
"""
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
LEAT = os.path.join(BUILD, "leat")
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3

ORDERS = """CREATE TABLE orders (
  order_id BIGINT, order_product_name STRING, order_card_type STRING, order_amount DECIMAL(10, 2),
  order_datetime STRING, order_country_name STRING, order_city_name STRING,
  order_ecommerce_website_name STRING,
  order_time AS TO_TIMESTAMP(order_datetime),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
  'properties.bootstrap.servers' = '{servers}', 'properties.group.id' = 'bench',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
"""
TOTALS = """CREATE TABLE totals (card STRING, total DECIMAL(38, 2), orders BIGINT,
  PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'totals');
INSERT INTO totals SELECT order_card_type, SUM(order_amount), COUNT(*) FROM orders
  GROUP BY order_card_type;
"""
WINDOWS = """CREATE TABLE windows (window_start TIMESTAMP(3), card STRING, total DECIMAL(38, 2),
  orders BIGINT, PRIMARY KEY (window_start, card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'windows');
INSERT INTO windows SELECT window_start, order_card_type, SUM(order_amount), COUNT(*)
  FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(order_time), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end, order_card_type;
"""


class Broker:
    def __init__(self, data):
        self.process = subprocess.Popen([LEAT, "broker", "--data", data, "--listen", "127.0.0.1:0"],
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.address = re.search(r"127\.0\.0\.1:\d+", line).group(0)

    def stop(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise SystemExit("the broker did not end well")


def produce(address, topic, codec):
    output = subprocess.run([os.path.join(BUILD, "bench/orders_produce"), address, topic, str(COUNT),
                             codec], check=True, capture_output=True, text=True).stdout
    return {card: (int(cents), int(number)) for card, cents, number in
            (line.split("\t") for line in output.splitlines())}


def run(sql, data, name):
    """CPU seconds, wall seconds and largest memory (MB) of one run."""
    command = ["taskset", "-c", "0", LEAT, "run", "--data", data, "-e", sql]
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"{name}: leat run ended with {status}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def check(db, table, want):
    connection = sqlite3.connect(db)
    rows = connection.execute(f"SELECT card, total, orders FROM {table}").fetchall()
    connection.close()
    got = {}
    for card, total, orders in rows:
        cents = round(float(total) * 100)
        old = got.get(card, (0, 0))
        got[card] = (old[0] + cents, old[1] + orders)
    if got != want:
        raise SystemExit(f"{table}: wrong totals: {got}, want {want}")


def case(name, sql, table, want, data, scratch, floor):
    results = []
    for _ in range(ROUNDS):
        db = os.path.join(scratch, "result.db")
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(db + suffix):
                os.unlink(db + suffix)
        results.append(run(sql.replace("{db}", db), data, name))
        check(db, table, want)
    cpu, wall, rss = sorted(results)[len(results) // 2]
    rate = COUNT / cpu / 1e6
    print(f"{name:44s} {rate:6.2f} million records/CPU s  (wall {wall:.2f} s, {rss:.0f} MB; "
          f"asked {floor}) {'' if rate >= floor else 'BELOW'}", flush=True)


def main():
    scratch = tempfile.mkdtemp(prefix="leat-bench-")
    try:
        data = os.path.join(scratch, "data")
        broker = Broker(data)
        want = produce(broker.address, "orders", "none")
        produce(broker.address, "orders_lz4", "lz4")
        broker.stop()
        for program in ("simdjson_limit", "json_decode"):
            subprocess.run([os.path.join(BUILD, "bench", program)], check=True)
        plain = ORDERS.replace("{topic}", "orders").replace("{servers}", "embedded")
        lz4 = ORDERS.replace("{topic}", "orders_lz4").replace("{servers}", "embedded")
        case("in-process log, uncompressed, running total", plain + TOTALS, "totals", want, data,
             scratch, 4.0)
        case("in-process log, lz4, running total", lz4 + TOTALS, "totals", want, data, scratch, 2.5)
        case("in-process log, uncompressed, 10 s TUMBLE", plain + WINDOWS, "windows", want, data,
             scratch, 3.0)
        broker = Broker(data)
        remote = ORDERS.replace("{topic}", "orders").replace("{servers}", broker.address)
        case("through librdkafka, running total", remote + TOTALS, "totals", want,
             os.path.join(scratch, "data2"), scratch, 0.7)
        broker.stop()
    finally:
        shutil.rmtree(scratch)


main()
