#!/usr/bin/env python3
"""service.py - a pipeline as it runs all day: time from exec to the first row that another SQLite reader
sees (median of ten), memory at 1,000 orders/s, CPU and fsyncs when idle with the log in the process, CPU
through librdkafka. Arguments: [IDLE_SECONDS], default 60. Needs strace."""
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from _leat import (LEAT, TOTALS, Broker, address_of, cpu_seconds, median, memory_mb, orders_table,
                   produce, produce_command)

IDLE = int(sys.argv[1]) if len(sys.argv) > 1 else 60


def start(sql, data, *arguments):
    return subprocess.Popen([LEAT, "run", "--data", data, *arguments, "-e", sql],
                            stderr=subprocess.PIPE, text=True)


def stop(process):
    process.send_signal(signal.SIGTERM)
    if process.wait(30) != 0:
        raise SystemExit(f"leat run ended with {process.returncode}: {process.stderr.read()}")


def orders_in(db):
    if not os.path.exists(db):
        return 0
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT SUM(orders) FROM totals").fetchone()[0] or 0
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def wait_for(db, count, seconds=30):
    end = time.monotonic() + seconds
    while orders_in(db) < count:
        if time.monotonic() > end:
            raise SystemExit(f"{db}: {orders_in(db)} orders of {count}")
        time.sleep(0.002)


class SyncCounter:
    """Calls of a process that make its data durable, seen by strace."""

    def __init__(self, pid, scratch):
        self.path = os.path.join(scratch, "syncs")
        self.trace = subprocess.Popen(
            ["strace", "-f", "-e", "trace=fsync,fdatasync,syncfs,sync,msync,sync_file_range", "-o", self.path,
             "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        if "attached" not in self.trace.stderr.readline():
            raise SystemExit("strace could not attach")

    def count(self):
        with open(self.path) as file:
            return sum("sync" in line and "resumed" not in line for line in file)

    def stop(self):
        self.trace.send_signal(signal.SIGINT)
        self.trace.wait(30)


def verdict(good):
    return "" if good else "ABOVE"


def main():
    scratch = tempfile.mkdtemp(prefix="leat-bench-")
    try:
        data = os.path.join(scratch, "data")
        broker = Broker(data)
        produce(broker.address, "orders", 1000)
        broker.stop()
        times = []
        for i in range(10):
            db = os.path.join(scratch, f"first{i}.db")
            begin = time.monotonic()
            job = start(orders_table("orders", bounded=False) + TOTALS.replace("{db}", db), data, "--set",
                        f"pipeline.name=first{i}")
            wait_for(db, 1)
            times.append((time.monotonic() - begin) * 1000)
            stop(job)
        print(f"exec to first row visible: {median(times):.0f} ms (asked 300) "
              f"{verdict(median(times) <= 300)}", flush=True)

        db = os.path.join(scratch, "live.db")
        job = start(orders_table("live", bounded=False) + TOTALS.replace("{db}", db), data,
                    "--broker=127.0.0.1:0")
        address = address_of(job)
        subprocess.run(produce_command(address, "live", 20000, rate=1000), check=True,
                       stdout=subprocess.DEVNULL)
        wait_for(db, 20000)
        memory = memory_mb(job.pid)
        print(f"memory at 1,000 orders/s: {memory:.0f} MB (asked 40) {verdict(memory < 40)}", flush=True)
        before = cpu_seconds(job.pid)
        time.sleep(IDLE)
        used = round((cpu_seconds(job.pid) - before) * 1000)  # ticks of 10 ms
        print(f"idle for {IDLE} s, log in the process: {used} ms of CPU (asked 10 in 60 s) "
              f"{verdict(used <= 10 * IDLE / 60)}", flush=True)
        syncs = SyncCounter(job.pid, scratch)
        time.sleep(IDLE)
        idle = syncs.count()
        produce(address, "live", 1)
        wait_for(db, 20001)
        time.sleep(0.5)
        after = syncs.count()
        syncs.stop()
        print(f"fsyncs while idle for {IDLE} s, log in the process: {idle} (asked 0); "
              f"with one record then: {after} {verdict(idle == 0)}", flush=True)
        if after == 0:
            raise SystemExit("strace saw no fsync of a record that was written")
        stop(job)

        broker = Broker(data)
        db = os.path.join(scratch, "remote.db")
        job = start(orders_table("live", broker.address, bounded=False) + TOTALS.replace("{db}", db),
                    os.path.join(scratch, "data2"))
        wait_for(db, 20001)
        before = cpu_seconds(job.pid)
        time.sleep(IDLE)
        share = (cpu_seconds(job.pid) - before) / IDLE * 100
        print(f"idle for {IDLE} s, through librdkafka: {share:.2f} % of a core (asked 0.5) "
              f"{verdict(share <= 0.5)}", flush=True)
        stop(job)
        broker.stop()
    finally:
        shutil.rmtree(scratch)


main()
