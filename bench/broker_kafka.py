#!/usr/bin/env python3
"""broker_kafka.py - leat's broker beside Apache Kafka in the same run: the same client (kcat), the same topic, CPU of the
server's process per million records produced and fetched; then how fast leat's broker starts and what memory it
takes with 100 topics. Arguments: [MILLIONS], default 2. Kafka runs with its own start script's collector and all of
its compilers, warmed up by two million records; it syncs nothing to disk, leat every batch."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

from _leat import BUILD, LEAT, ROOT, Broker, cpu_seconds, median, memory_mb

COUNT = int(float(sys.argv[1]) * 1000000) if len(sys.argv) > 1 else 2000000
KAFKA = ["bash", os.path.join(ROOT, "test/services/kafka.sh")]
BOUNDS = {"produce": 0.25, "fetch": 0.8}


def kcat(*arguments, stdin=subprocess.DEVNULL):
    subprocess.run(["kcat", *arguments], check=True, stdin=stdin, stdout=subprocess.DEVNULL, timeout=300)


def spent(pid, work):
    before, start = cpu_seconds(pid), time.monotonic()
    work()
    took = time.monotonic() - start
    time.sleep(0.3)  # the last sync belongs to it
    return cpu_seconds(pid) - before, took


def measure(address, pid, lines, warm):
    def produce(topic, path, acks):
        with open(path) as file:
            kcat("-P", "-b", address, "-t", topic, "-X", f"acks={acks}", stdin=file)

    def fetch(topic):
        kcat("-C", "-b", address, "-t", topic, "-e", "-q", "-o", "beginning")
    for acks in ("1", "all"):
        produce("warm", warm, acks)
    fetch("warm")
    out = {}
    for acks in ("1", "all"):
        cpu_s, took_s = spent(pid, lambda: produce(f"acks-{acks}", lines, acks))
        out["produce", f"acks={acks}"] = (cpu_s / COUNT * 1e6, COUNT / took_s / 1e6)
    fetched = [spent(pid, lambda: fetch("acks-1")) for _ in range(3)]
    out["fetch", ""] = (median([cpu_s for cpu_s, _ in fetched]) / COUNT * 1e6,
                        COUNT / median([took_s for _, took_s in fetched]) / 1e6)
    return out


def kafka(scratch, lines, warm):
    environment = dict(os.environ, KAFKA_PORT="19892", KAFKA_TLS="0", KAFKA_HEAP="1g",
                       KAFKA_JVM="-XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35")
    directory = os.path.join(scratch, "kafka")
    subprocess.run(KAFKA + ["start", directory], env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        with open(os.path.join(directory, "n1/pid")) as file:
            pid = int(file.read())
        return measure("127.0.0.1:19892", pid, lines, warm)
    finally:
        subprocess.run(KAFKA + ["stop", directory], env=environment)


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
    good = True
    try:
        lines = lines_file(os.path.join(scratch, "lines"), COUNT)
        warm = lines_file(os.path.join(scratch, "warm"), 1000000)
        lines_file(os.path.join(scratch, "few"), 1000)
        theirs = kafka(scratch, lines, warm)
        broker = Broker(os.path.join(scratch, "leat"))
        ours = measure(broker.address, broker.process.pid, lines, warm)
        broker.stop()
        print(f"{COUNT / 1e6:g} million records of 99 bytes, CPU seconds of the server per million:")
        for (kind, how), (cpu_s, rate) in ours.items():
            kafka_s, kafka_rate = theirs[kind, how]
            fine = cpu_s <= BOUNDS[kind] * kafka_s
            good &= fine
            print(f"{kind + ' ' + how:18} leat {cpu_s:.3f} s  Kafka {kafka_s:.3f} s  ratio {cpu_s / kafka_s:.2f} (bound "
                  f"{BOUNDS[kind]}){'' if fine else '  ABOVE'}   wall {rate:.2f} and {kafka_rate:.2f} million/s")
        good &= start_and_memory(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(0 if good else 1)


main()
