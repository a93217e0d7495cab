#!/usr/bin/env python3
"""broker_kafka.py - leat's broker beside Apache Kafka in the same run: the same client (kcat), the same topic, CPU of the
server's process per million records produced and fetched; then how fast leat's broker starts and what memory it
takes with 100 topics. Arguments: [MILLIONS], default 1. Kafka runs with its own start script's collector and all of
its compilers, warmed up by a turn that does not count; it syncs nothing to disk, leat everything. The two take turns."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

from _leat import LEAT, ROOT, Broker, cpu_seconds, median, memory_mb

sys.path.insert(0, os.path.join(ROOT, "test/services"))
from _ports import free_row  # noqa: E402

COUNT = int(float(sys.argv[1]) * 1000000) if len(sys.argv) > 1 else 1000000
TURNS = 5
KAFKA = ["bash", os.path.join(ROOT, "test/services/_kafka.sh")]
BOUNDS = {"produce": 0.25, "fetch": 0.8}


def kcat(*arguments, stdin=subprocess.DEVNULL):
    subprocess.run(["kcat", *arguments], check=True, stdin=stdin, stdout=subprocess.DEVNULL, timeout=300)


def spent(pid, work):
    before, start = cpu_seconds(pid), time.monotonic()
    work()
    took = time.monotonic() - start
    time.sleep(0.3)  # the last sync belongs to it
    return cpu_seconds(pid) - before, took


class Server:
    def __init__(self, address, pid):
        self.address, self.pid, self.topic_count = address, pid, 0
        self.spent = {}  # what -> [(CPU seconds, wall seconds)]

    def produce(self, path, acks):
        self.topic_count += 1
        with open(path) as file:
            kcat("-P", "-b", self.address, "-t", f"topic{self.topic_count}", "-X", f"acks={acks}", stdin=file)

    def fetch(self):
        kcat("-C", "-b", self.address, "-t", f"topic{self.topic_count}", "-e", "-q", "-o", "beginning")

    def turn(self, lines):
        for what, work in [("produce acks=1", lambda: self.produce(lines, "1")),
                           ("produce acks=all", lambda: self.produce(lines, "all")), ("fetch", self.fetch)]:
            self.spent.setdefault(what, []).append(spent(self.pid, work))

    def figures(self, what):
        """CPU seconds per million, millions per wall second."""
        return (median([cpu_s for cpu_s, _ in self.spent[what]]) / COUNT * 1e6,
                COUNT / median([took_s for _, took_s in self.spent[what]]) / 1e6)


def warm_memory(scratch, size_bytes):
    """A virtual machine's memory costs its first touch much more than later ones: the page cache would pay it. So pages
    of the page cache are made and given back."""
    path, block = os.path.join(scratch, "warm"), bytes(1 << 20)
    with open(path, "wb") as file:
        for _ in range(size_bytes >> 20):
            file.write(block)
    os.unlink(path)


def beside_kafka(scratch):
    lines = lines_file(os.path.join(scratch, "lines"), COUNT)
    port = free_row()
    environment = dict(os.environ, KAFKA_PORT=str(port), KAFKA_TLS="0", KAFKA_HEAP="1g",
                       KAFKA_JVM="-XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35")
    directory = os.path.join(scratch, "kafka")
    subprocess.run(KAFKA + ["start", directory], env=environment, check=True, stdout=subprocess.DEVNULL)
    broker = Broker(os.path.join(scratch, "leat"))
    try:
        with open(os.path.join(directory, "n1/pid")) as file:
            theirs = Server(f"127.0.0.1:{port}", int(file.read()))
        ours = Server(broker.address, broker.process.pid)
        for turn in range(TURNS + 1):
            for server in (theirs, ours):
                warm_memory(scratch, 8 * COUNT * 120)
                server.turn(lines)
            if turn == 0:  # the compilers' turn
                theirs.spent.clear()
                ours.spent.clear()
    finally:
        broker.stop()
        subprocess.run(KAFKA + ["stop", directory], env=environment)
    print(f"{COUNT / 1e6:g} million records of 99 bytes, CPU seconds of the server per million, median of {TURNS}:")
    good = True
    for what in ours.spent:
        (cpu_s, rate), (kafka_s, kafka_rate) = ours.figures(what), theirs.figures(what)
        bound = BOUNDS[what.split()[0]]
        good &= cpu_s <= bound * kafka_s
        print(f"{what:16} leat {cpu_s:.3f} s  Kafka {kafka_s:.3f} s  ratio {cpu_s / kafka_s:.2f} (bound {bound})"
              f"{'' if cpu_s <= bound * kafka_s else '  ABOVE'}   wall {rate:.2f} and {kafka_rate:.2f} million/s")
    return good


def start_and_memory(scratch):
    data = os.path.join(scratch, "hundred")
    broker = Broker(data)
    for number in range(100):
        subprocess.run([LEAT, "topic", "create", f"topic-{number}", "--broker", broker.address], check=True)
        kcat("-P", "-b", broker.address, "-t", f"topic-{number}", "-l", os.path.join(scratch, "few"))
    rss_mb = memory_mb(broker.process.pid)
    broker.stop()
    times = []
    for _ in range(11):
        start = time.monotonic()
        broker = Broker(data)
        times.append(1000 * (time.monotonic() - start))
        again_mb = memory_mb(broker.process.pid)
        broker.stop()
    start_ms = median(times)
    print(f"start with 100 topics: {start_ms:.0f} ms (bound 50){'' if start_ms < 50 else '  ABOVE'}")
    print(f"memory with 100 topics: {max(rss_mb, again_mb):.0f} MB (bound 50){'' if rss_mb < 50 else '  ABOVE'}")
    return start_ms < 50 and rss_mb < 50


def lines_file(path, count):
    with open(path, "w") as file:
        for number in range(count):
            file.write(f"{number:099d}\n")
    return path


def main():
    scratch = tempfile.mkdtemp(prefix="leat-bench-")
    try:
        lines_file(os.path.join(scratch, "few"), 1000)
        good = beside_kafka(scratch)
        good &= start_and_memory(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(0 if good else 1)


main()
