#!/usr/bin/env python3
"""Long polls wake by the append; 1,000 idle connections are cheap; an idle broker does nothing."""
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402


def median(values):
    return sorted(values)[len(values) // 2]


def test_latency(acks):
    topic = f"latency-{acks}"
    producer = Producer({"bootstrap.servers": SERVER, "linger.ms": 0, "acks": acks})
    producer.produce(topic, b"first")
    producer.flush(10)
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "enable.auto.commit": False,
                         "fetch.wait.max.ms": 5000})
    consumer.assign([TopicPartition(topic, 0, 1)])
    consumer.poll(0.5)
    delays = []
    for i in range(40):
        time.sleep(0.03)
        start = time.monotonic()
        producer.produce(topic, b"%d" % i)
        producer.poll(0)
        message = consumer.poll(10)
        delays.append(time.monotonic() - start)
        if message is None or message.value() != b"%d" % i:
            check(False, f"long poll acks={acks}", (i, message))
            return
    consumer.close()
    producer.flush(5)
    check(median(delays) < 0.03, f"long poll acks={acks}: median {median(delays) * 1000:.1f} ms", delays)


def test_minimum_bytes():
    """min.bytes is waited for, and no longer than the client said."""
    produce_all("minimum", [(None, b"x" * 100, None, None)])
    connection = socket.create_connection(("127.0.0.1", PORT), 10)

    def fetch(min_bytes, wait_ms, offset):
        body = struct.pack(">iiiiBi", -1, wait_ms, min_bytes, 1 << 20, 0, 1) + struct.pack(">h", 7) + b"minimum"
        body += struct.pack(">iiqi", 1, 0, offset, 1 << 20)
        data = struct.pack(">hhih", 1, 4, 1, -1) + body
        start = time.monotonic()
        connection.sendall(struct.pack(">i", len(data)) + data)
        size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        return connection.recv(size, socket.MSG_WAITALL), time.monotonic() - start
    answer, took = fetch(1, 3000, 0)
    check(took < 1 and len(answer) > 150, "what is there is given at once", took)
    answer, took = fetch(100000, 400, 0)
    check(0.38 < took < 1.5 and len(answer) > 150, "too little is given after the time", took)
    answer, took = fetch(1, 300, 1)
    check(0.28 < took < 1.5 and len(answer) < 100, "nothing comes empty after the time", took)
    connection.close()


def test_idle_connections(broker):
    before_kb, connections = broker.rss_kb(), []
    for _ in range(1000):
        connections.append(socket.create_connection(("127.0.0.1", PORT), 5))
    check(wait_until(lambda: len(os.listdir(f"/proc/{broker.process.pid}/fd")) > 1000), "1,000 connections")
    grown_kb = broker.rss_kb() - before_kb
    check(grown_kb < 8000, f"1,000 idle connections take {grown_kb} kB")
    cpu_s = broker.cpu_s()
    time.sleep(3)
    spent_ms = round(1000 * (broker.cpu_s() - cpu_s))  # the kernel counts in ticks of 10 ms
    check(spent_ms <= 10, "and no CPU", f"{spent_ms} ms")
    data = struct.pack(">hhih", 18, 0, 9, -1)
    for connection in connections[::50]:
        connection.sendall(struct.pack(">i", len(data)) + data)
        check_answer = connection.recv(8, socket.MSG_WAITALL)
        if check_answer[4:] != struct.pack(">i", 9):
            check(False, "an idle connection is answered", check_answer)
            return
    check(not produce_all("among", [(None, b"x", None, None)] * 1000), "produced among them")
    for connection in connections:
        connection.close()
    check(wait_until(lambda: len(os.listdir(f"/proc/{broker.process.pid}/fd")) < 50), "all closed again")


def test_many_waiting():
    """50 consumers wait for the same partition: one append wakes them all."""
    produce_all("many", [(None, b"0", None, None)])
    got = []

    def run():
        got.append(consume_all("many", 1, offset=1, timeout_s=20))
    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    start = time.monotonic()
    produce_all("many", [(None, b"1", None, None)])
    for thread in threads:
        thread.join()
    check(len(got) == 50 and all(len(one) == 1 and one[0][2] == b"1" for one in got), "50 waiting consumers")
    check(time.monotonic() - start < 5, "woken by one append", time.monotonic() - start)


def test_port_in_use(broker):
    second = Broker(directory=os.path.join(DIRECTORY, "second"))
    try:
        second.start()
        check(False, "a port in use")
    except RuntimeError:
        with open(os.path.join(DIRECTORY, "broker.log")) as file:
            last = file.read().splitlines()[-1]
        check(f"port {PORT}" in last and str(broker.process.pid) in last, "a port in use names the holder", last)
    third = Broker(port=0)
    try:
        third.start()
        check(False, "a data directory in use")
    except RuntimeError:
        with open(os.path.join(DIRECTORY, "broker.log")) as file:
            last = file.read().splitlines()[-1]
        check(broker.directory in last and str(broker.process.pid) in last, "a data directory in use, too", last)


def test_wildcard():
    port = int(os.environ.get("PORT2", "19593"))
    broker = Broker(directory=os.path.join(DIRECTORY, "wildcard"), port=f"0.0.0.0:{port}").start()
    consumer = Consumer({"bootstrap.servers": f"127.0.0.2:{port}", "group.id": "none"})
    nodes = consumer.list_topics(timeout=10).brokers
    check([(node.host, node.port) for node in nodes.values()] == [("127.0.0.2", port)],
          "with a wildcard listener a client is told the address it has reached", nodes)
    consumer.close()
    broker.stop()


def main():
    broker = Broker().start()
    test_latency("1")
    test_latency("all")
    test_minimum_bytes()
    test_idle_connections(broker)
    test_many_waiting()
    test_port_in_use(broker)
    test_wildcard()
    connection = socket.create_connection(("127.0.0.1", PORT), 5)
    start = time.monotonic()
    check(broker.stop() == 0 and time.monotonic() - start < 3, "clean stop with a connection open")
    connection.close()
    finish()


main()
