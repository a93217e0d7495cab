#!/usr/bin/env python3
# timeout: 120
"""kill -9 of the broker, again and again, under concurrent idempotent producers (kcat, librdkafka): a checker reads the
whole log. Every record that was sent is there once, none twice, in its producer's order, and each acknowledged one at
the offset that was told. KILLS is how often; KILL_JAVA=FILE.sh has Kafka's own producer take part."""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from confluent_kafka import Producer  # noqa: E402

KILLS = int(os.environ.get("KILLS", "20"))
JAVA = os.environ.get("KILL_JAVA")
PARTITIONS = 2
RETRY = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 50,
         "message.timeout.ms": 300000}


def client(name):
    """In a process of its own: sends "NAME:NUMBER" until its input ends, prints "PARTITION OFFSET NUMBER" for each
    acknowledged, and "done" when all are."""
    producer = Producer({"bootstrap.servers": SERVER, "enable.idempotence": True, "linger.ms": 2, "log_level": 0,
                         "compression.type": random.choice(["none", "lz4"]), **RETRY})
    failed = []

    def delivered(error, message):
        if error:
            failed.append(error)
        else:
            print(message.partition(), message.offset(), message.value().split(b":")[1].decode(), flush=True)
    number = 0
    os.set_blocking(0, False)
    while os.read(0, 1) if readable() else True:
        producer.produce("kills", b"%s:%d" % (name.encode(), number), partition=number % PARTITIONS, on_delivery=delivered)
        number += 1
        producer.poll(0.001)
        if failed:
            sys.exit(f"{name}: {failed[0]}")
    left = producer.flush(100)
    print(f"done {number} {left} {len(failed)}", flush=True)


def readable():
    import select
    return bool(select.select([0], [], [], 0)[0])


class Kcat:
    """Numbered lines into one partition: it ends with 0 when all are acknowledged."""

    def __init__(self):
        options = [word for key, value in RETRY.items() for word in ("-X", f"{key}={value}")]
        self.process = subprocess.Popen(["kcat", "-P", "-E", "-q", "-b", SERVER, "-t", "kills", "-p", "1",
                                         "-X", "enable.idempotence=true", "-X", "linger.ms=2"] + options,
                                        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.count = 0

    def feed(self):
        try:
            for _ in range(30):
                self.process.stdin.write(f"kcat:{self.count}\n")
                self.count += 1
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has given up: end() tells

    def end(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        return self.process.wait(100) == 0, {}, self.count


class Librdkafka:
    def __init__(self, name):
        self.name = name
        self.path = os.path.join(DIRECTORY, name)
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "client", name],
                                        stdin=subprocess.PIPE, stdout=open(self.path, "w"))

    def feed(self):
        pass

    def end(self):
        self.process.stdin.close()
        good = self.process.wait(120) == 0
        told, count = {}, 0
        for line in open(self.path):
            words = line.split()
            if words[0] == "done":
                count = int(words[1])
                good &= words[2:] == ["0", "0"]
            else:
                told[int(words[0]), int(words[1])] = f"{self.name}:{words[2]}"
        return good and count > 0, told, count


class Java:
    """Kafka's VerifiableProducer: it sends the numbers from 0 on and prints each that is acknowledged."""

    def __init__(self, count):
        self.count = count
        self.path = os.path.join(DIRECTORY, "java")
        config = self.path + ".properties"
        with open(config, "w") as file:
            file.write("enable.idempotence=true\nretries=2147483647\ndelivery.timeout.ms=300000\nlinger.ms=2\n"
                       "reconnect.backoff.ms=50\nreconnect.backoff.max.ms=200\nmax.block.ms=120000\n")
        self.process = subprocess.Popen(
            ["bash", JAVA, "tool", os.path.join(DIRECTORY, "tool"), "org.apache.kafka.tools.VerifiableProducer",
             "--bootstrap-server", SERVER, "--topic", "kills", "--max-messages", str(count), "--throughput", "1000",
             "--command-config", config], stdout=open(self.path, "w"), stderr=open(self.path + ".err", "w"))

    def feed(self):
        pass

    def end(self):
        self.process.wait(120)
        told = {}
        for line in open(self.path):
            event = json.loads(line)
            if event["name"] == "producer_send_success":
                told[event["partition"], event["offset"]] = event["value"]
        return len(told) == self.count, told, self.count


def main():
    random.seed(int(os.environ.get("SEED", "1")))
    broker = Broker().start()
    made = subprocess.run([sys.executable, os.path.abspath(__file__), "create"], timeout=30)
    check(made.returncode == 0, "the topic is made")
    clients = [Kcat(), Librdkafka("one"), Librdkafka("two")] + ([Java(KILLS * 150)] if JAVA else [])
    for _ in range(KILLS):
        end = time.monotonic() + random.choice([random.uniform(0, 0.1), random.uniform(0.1, 0.6)])
        while time.monotonic() < end:
            clients[0].feed()
            time.sleep(0.02)
        broker.kill()
        broker.start()
    ended = [(client, *client.end()) for client in clients]
    for client, good, told, count in ended:
        check(good, f"{type(client).__name__}: all of its records are acknowledged", (count, len(told)))
    counts = {name: count for name, (_, _, _, count) in zip(["kcat", "one", "two", ""], ended)}
    verify(counts, {place: value for _, _, told, _ in ended for place, value in told.items()})
    check(broker.stop() == 0, "clean stop")
    finish()


def verify(counts, told):
    found, at, order = {}, {}, []
    for partition in range(PARTITIONS):
        end = end_offset(partition)
        last = {}
        for offset, _, value, _, _ in consume_all("kills", end, partition=partition):
            text = value.decode()
            name, number = text.split(":") if ":" in text else ("", text)
            found[name, int(number)] = found.get((name, int(number)), 0) + 1
            at[partition, offset] = text
            if int(number) < last.get(name, 0):
                order.append((name, number))
            last[name] = int(number)
    doubled = [key for key, times in found.items() if times > 1]
    lost = [(name, number) for name, count in counts.items() for number in range(count) if (name, number) not in found]
    moved = [place for place, value in told.items() if at.get(place) != value]
    total = sum(counts.values())
    check(total > KILLS * 30, f"{total} records by {len(counts)} producers over {KILLS} kills", total)
    check(not lost, "none is lost", (len(lost), lost[:5]))
    check(not doubled, "none is doubled", (len(doubled), doubled[:5]))
    check(len(found) == total, "there is nothing else", (len(found), total))
    check(not moved, f"{len(told)} were told their offset", moved[:5])
    check(not order, "all are in their order", order[:5])


def end_offset(partition):
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none"})
    _, high = consumer.get_watermark_offsets(TopicPartition("kills", partition), timeout=20)
    consumer.close()
    return high


def create():
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": SERVER})
    # small segments, so that snapshots are written and read all the time
    admin.create_topics([NewTopic("kills", PARTITIONS, 1, config={"segment.bytes": "60000"})])["kills"].result(20)


if sys.argv[1:2] == ["client"]:
    client(sys.argv[2])
elif sys.argv[1:2] == ["create"]:
    create()
else:
    main()
