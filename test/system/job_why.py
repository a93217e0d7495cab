#!/usr/bin/env python3
# timeout: 120
"""`leat job why` over a Kafka broker and an SQLite file: a silent partition, a condition, a locked file, a broker that
has gone, each said and, when it is over, no more; the terminal says it too. At parallelism 3."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from _http import LEAT, Server  # noqa: E402

TARGET = os.path.join(DIRECTORY, "target.db")
SQL = f"""
SET 'parallelism.default' = '3';
SET 'table.local-time-zone' = 'UTC';
CREATE TABLE clicks (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH (
  'connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = '{SERVER}',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE per_minute (ends TIMESTAMP(3), n BIGINT, PRIMARY KEY (ends) NOT ENFORCED) WITH (
  'connector' = 'jdbc', 'url' = 'jdbc:sqlite:{TARGET}', 'table-name' = 'per_minute');
CREATE TABLE large (id BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO per_minute SELECT window_end, COUNT(*)
  FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
INSERT INTO large SELECT id FROM clicks WHERE id > 1000;
"""


def click(partition, number, second):
    value = '{"id": %d, "ts": "2024-01-01 00:%02d:%02d"}' % (number, second // 60, second % 60)
    produce_all("clicks", [(None, value.encode(), 1700000000000, None)], partition=partition)


def leat(*arguments):
    return subprocess.run([LEAT, *arguments], capture_output=True, text=True, timeout=60)


class Why:
    def __init__(self, server, job):
        self.job, self.data, self.text = job, server.data, None

    def says(self, *wanted):
        """Within the time-out the job gives a reason with all these words."""
        def look():
            self.text = leat("job", "why", self.job, "--data", self.data).stdout
            return all(part in self.text for part in wanted)
        return check(wait_until(look, 40), f"{self.job}: {wanted[-1]}", self.text)


def rows():
    connection = sqlite3.connect(TARGET)
    try:
        return connection.execute("SELECT COUNT(*) FROM per_minute").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def main():
    broker = Broker().start()
    check(leat("topic", "create", "clicks", "--partitions", "3", "--broker", SERVER).returncode == 0, "a topic")
    server = Server("--http", "127.0.0.1:0", "-e", SQL)
    window, large = Why(server, "per_minute"), Why(server, "large")
    window.says("Table clicks has given no row at all since ", "waited for in clicks-0, clicks-1, clicks-2.")
    check(wait_until(lambda: "per_minute: Table clicks has given no row at all since " in server.stderr()),
          "the terminal says it", server.stderr())

    for partition in range(3):
        click(partition, partition, 10)
    window.says("3 rows wait for windows to end, the next at 2024-01-01 00:01:00: ")
    large.says("No row has met the condition (id > 1000): it has turned away 3 rows.")
    click(0, 1001, 130)
    click(1, 1002, 130)
    window.says("held at 2024-01-01 00:00:09 by split clicks-2 of table clicks, which has given no row since ",
                "while others are at 2024-01-01 00:02:09. Set 'scan.watermark.idle-timeout' on the table")
    click(2, 1003, 130)
    check(wait_until(lambda: rows() == 1), "the window's row has come")
    window.says("3 rows wait for windows to end, the next at 2024-01-01 00:03:00: ")

    holder = sqlite3.connect(TARGET, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for partition in range(3):
        click(partition, 5, 250)
    window.says("has been locked by another connection for ", "'per_minute' wait until it ends its transaction.")
    check(wait_until(lambda: "has been locked by another connection" in server.stderr()), "the terminal says it")
    holder.execute("ROLLBACK")
    holder.close()
    check(wait_until(lambda: rows() == 2), "the row has come")
    window.says("3 rows wait for windows to end, the next at 2024-01-01 00:05:00: ")

    check(broker.stop() == 0, "the broker ends")
    window.says(f"Kafka at {SERVER}: ", "; trying again.")
    broker.start()
    for partition in range(3):
        click(partition, 6, 310)
    check(wait_until(lambda: rows() == 3, 60), "the broker is back, the row has come")
    window.says("3 rows wait for windows to end, the next at 2024-01-01 00:06:00: ")
    check(server.stop()[0] == 0, "clean stop")
    broker.stop()
    finish()


main()
