#!/usr/bin/env python3
# timeout: 150
"""kill -9 of the broker, again and again, under transactional producers (librdkafka), each transaction over two
partitions and with an offset of a group: a checker reads both with read_committed. Every transaction is there whole or
not at all, none twice, those told to be committed are, those told to be aborted are not, in each producer's order, and
a group's offset is that of its producer's last one. KILLS is how often; KILL_JAVA=FILE.sh has Kafka's own
transactional copier take part."""
import os
import random
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition  # noqa: E402

KILLS = int(os.environ.get("KILLS", "15"))
JAVA = os.environ.get("KILL_JAVA")
NAMES = ["one", "two", "three"]
RECORDS = 3  # of a transaction, in each partition
COPIED = 3000
RETRY = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 50, "log_level": 0}


class Client:
    """In a process of its own: one transaction after another, a line for each that has ended: "committed 7"."""

    def __init__(self, name):
        self.name, self.number = name, 0
        self.start()

    def start(self):
        self.producer = Producer({"bootstrap.servers": SERVER, "transactional.id": self.name, "linger.ms": 1,
                                  "transaction.timeout.ms": 60000, "message.timeout.ms": 50000, **RETRY})
        self.again(lambda: self.producer.init_transactions(30))

    def again(self, call):
        while True:
            try:
                return call()
            except KafkaException as failed:
                if not failed.args[0].retriable():
                    raise

    def transaction(self):
        number = self.number
        self.number += 1
        self.producer.begin_transaction()
        for i in range(RECORDS):
            for partition in range(2):
                self.producer.produce("kills", f"{self.name}:{number}:{i}", partition=partition)
        offsets = [TopicPartition("kills", 0, number)]
        self.again(lambda: self.producer.send_offsets_to_transaction(offsets, self.group(), 30))
        if number % 4 == 3:
            self.again(lambda: self.producer.abort_transaction(60))
            print("aborted", number, flush=True)
        else:
            self.again(lambda: self.producer.commit_transaction(60))
            print("committed", number, flush=True)

    def group(self):
        if not hasattr(self, "consumer"):
            self.consumer = Consumer({"bootstrap.servers": SERVER, "group.id": self.name + "-group", **RETRY})
        return self.consumer.consumer_group_metadata()

    def run(self):
        while select.select([0], [], [], 0)[0] == []:
            try:
                self.transaction()
            except KafkaException as failed:
                if failed.args[0].txn_requires_abort():
                    self.again(lambda: self.producer.abort_transaction(60))
                    print("aborted", self.number - 1, flush=True)
                else:
                    print("unknown", self.number - 1, failed, flush=True)
                    self.start()
        print("done", self.number, flush=True)


def client(name):
    Client(name).run()
    os._exit(0)  # nothing is left to be sent


class Copier:
    """Kafka's TransactionalMessageCopier: from topic input to topic output, the offsets in the transaction."""

    def __init__(self):
        values = [(None, b"%d" % i, None, None) for i in range(COPIED)]
        if produce_all("input", values):
            raise RuntimeError("the input is not there")
        self.path = os.path.join(DIRECTORY, "copier")
        config = self.path + ".properties"
        with open(config, "w") as file:
            file.write("reconnect.backoff.ms=50\nreconnect.backoff.max.ms=200\nmax.block.ms=120000\n"
                       "delivery.timeout.ms=121000\n")
        self.process = subprocess.Popen(
            ["bash", JAVA, "tool", os.path.join(DIRECTORY, "tool"), "org.apache.kafka.tools.TransactionalMessageCopier",
             "--broker-list", SERVER, "--input-topic", "input", "--input-partition", "0", "--output-topic", "output",
             "--max-messages", str(COPIED), "--consumer-group", "copiers", "--transaction-size", "20",
             "--transactional-id", "copier", "--enable-random-aborts", "--use-group-metadata", "--group-mode"],
            stdout=open(self.path, "w"), stderr=open(self.path + ".err", "w"))

    def verify(self):
        good = self.process.wait(150) == 0
        check(good, "Kafka's copier ends", open(self.path + ".err").read()[-500:])
        got = [int(value) for value in read("output", 0)]
        check(got == list(range(COPIED)), "it has copied each once, in order", (len(got), len(set(got))))


def read(topic, partition):
    """All committed values, by position."""
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "enable.auto.commit": False, "log_level": 0,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0)])
    out, end = [], time.monotonic() + 60
    while time.monotonic() < end:
        for message in consumer.consume(1000, 1):
            if message.error():
                consumer.close()
                return out
            out.append(message.value().decode())
    consumer.close()
    raise RuntimeError(f"the end of {topic} is not reached: a transaction is open for ever?")


def committed(name):
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": name + "-group", "isolation.level": "read_committed"})
    offset = consumer.committed([TopicPartition("kills", 0)], 30)[0].offset
    consumer.close()
    return offset


def verify(name, told, partitions):
    """told: {number: "committed" or "aborted" or "unknown"}"""
    found = []
    for values in partitions:
        mine = [value.split(":")[1:] for value in values if value.startswith(name + ":")]
        numbers = [int(number) for number, _ in mine]
        whole = all(mine[at:at + RECORDS] == [[mine[at][0], str(i)] for i in range(RECORDS)]
                    for at in range(0, len(mine), RECORDS))
        check(whole and numbers == sorted(numbers), f"{name}: each is whole, once, in order", mine[-12:])
        found.append(set(numbers))
    ended = {fate: {number for number, what in told.items() if what == fate} for fate in ["committed", "aborted"]}
    check(found[0] == found[1], f"{name}: in both partitions or in none", found[0] ^ found[1])
    check(ended["committed"] <= found[0], f"{name}: {len(ended['committed'])} told to be committed are there",
          ended["committed"] - found[0])
    check(not ended["aborted"] & found[0], f"{name}: {len(ended['aborted'])} told to be aborted are not",
          ended["aborted"] & found[0])
    check(committed(name) == max(found[0]), f"{name}: the group's offset is the last one's",
          (committed(name), max(found[0])))


def main():
    random.seed(int(os.environ.get("SEED", "1")))
    broker = Broker().start()
    made = subprocess.run([sys.executable, os.path.abspath(__file__), "create"], timeout=30)
    check(made.returncode == 0, "the topics are made")
    clients = [subprocess.Popen([sys.executable, os.path.abspath(__file__), "client", name], stdin=subprocess.PIPE,
                                stdout=open(os.path.join(DIRECTORY, name), "w")) for name in NAMES]
    copier = Copier() if JAVA else None
    for _ in range(KILLS):
        time.sleep(random.choice([random.uniform(0, 0.1), random.uniform(0.1, 0.8)]))
        broker.kill()
        broker.start()
    time.sleep(0.5)
    for one in clients:
        one.stdin.close()
    for name, one in zip(NAMES, clients):
        check(one.wait(100) == 0, f"{name} ends")
    if copier:
        copier.verify()
    partitions = [read("kills", partition) for partition in range(2)]
    for name in NAMES:
        lines = [line.split() for line in open(os.path.join(DIRECTORY, name))]
        told = {int(line[1]): line[0] for line in lines if line[0] in ["committed", "aborted", "unknown"]}
        verify(name, told, partitions)
    check(broker.stop() == 0, "clean stop")
    finish()


def create():
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": SERVER})
    # small segments, so that snapshots and indexes of aborted transactions are written and read all the time
    topics = [NewTopic("kills", 2, 1, config={"segment.bytes": "60000"}), NewTopic("input", 1, 1), NewTopic("output", 1, 1)]
    for future in admin.create_topics(topics).values():
        future.result(20)


if sys.argv[1:2] == ["client"]:
    client(sys.argv[2])
elif sys.argv[1:2] == ["create"]:
    create()
else:
    main()
