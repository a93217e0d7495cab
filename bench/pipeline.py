#!/usr/bin/env python3
"""pipeline.py - records per CPU second of `leat run`, from a topic of orders to a table.

Each case runs the shipped executable pinned to one core over a topic that librdkafka wrote with its
default settings, takes the CPU time of all its threads from the kernel's accounting, and checks every
total against the numbers the producer printed. simdjson alone and format/json alone are measured in the
same run for comparison. Arguments: [COUNT [ROUNDS]], default 5,000,000 and 3.
"""
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

from _leat import BUILD, TOTALS, Broker, orders_table, produce, run_measured

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3

WINDOWS = """CREATE TABLE windows (window_start TIMESTAMP(3), card STRING, total DECIMAL(38, 2),
  orders BIGINT, PRIMARY KEY (window_start, card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'windows');
INSERT INTO windows SELECT window_start, order_card_type, SUM(order_amount), COUNT(*)
  FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(order_time), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end, order_card_type;
"""


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
        results.append(run_measured(sql.replace("{db}", db), data))
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
        want = produce(broker.address, "orders", COUNT)
        produce(broker.address, "orders_lz4", COUNT, codec="lz4")
        broker.stop()
        for program in ("simdjson_limit", "json_decode"):
            subprocess.run([os.path.join(BUILD, "bench", program)], check=True)
        plain, lz4 = orders_table("orders"), orders_table("orders_lz4")
        case("in-process log, uncompressed, running total", plain + TOTALS, "totals", want, data,
             scratch, 4.0)
        case("in-process log, lz4, running total", lz4 + TOTALS, "totals", want, data, scratch, 2.5)
        case("in-process log, uncompressed, 10 s TUMBLE", plain + WINDOWS, "windows", want, data,
             scratch, 3.0)
        broker = Broker(data)
        remote = orders_table("orders", broker.address)
        case("through librdkafka, running total", remote + TOTALS, "totals", want,
             os.path.join(scratch, "data2"), scratch, 0.7)
        broker.stop()
    finally:
        shutil.rmtree(scratch)


main()
