#!/usr/bin/env python3
# timeout: 180
"""kill -9 in the middle of producing, again and again: nothing acknowledged with acks=all is lost or
changed, nothing that was read before is taken back, offsets have no gap, the leader epoch rises."""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition  # noqa: E402

random.seed(int(os.environ.get("SEED", "1")))
ROUNDS = 8


def client(first):
    """In a process of its own, as a client of a dead broker may hang: numbers its messages and prints
    "a OFFSET NUMBER" for each acknowledged, "s OFFSET NUMBER" for each that a consumer was shown."""
    producer = Producer({"bootstrap.servers": SERVER, "acks": "all", "linger.ms": 2, "message.timeout.ms": 3000,
                         "compression.type": random.choice(["none", "lz4", "zstd"]), "log_level": 0,
                         "retries": 0, "max.in.flight.requests.per.connection": 5})
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "log_level": 0, "fetch.wait.max.ms": 50})
    consumer.assign([TopicPartition("kill", 0, OFFSET_END)])
    producer.list_topics("kill", 10)  # known before the clock runs: librdkafka would ask a second later

    def delivered(error, message):
        if not error:
            print("a", message.offset(), int(message.value()[:12]), flush=True)
    print("ready", flush=True)
    while True:
        try:
            producer.produce("kill", b"%012d" % first + b"x" * random.choice([0, 50, 500]), on_delivery=delivered,
                             partition=0)
            first += 1
        except BufferError:
            producer.poll(0.01)
        producer.poll(0 if first % 20 else 0.001)
        if first % 100 == 0:
            for message in consumer.consume(1000, 0):
                if not message.error():
                    print("s", message.offset(), int(message.value()[:12]), flush=True)


def produce_until_killed(broker, first, acknowledged, seen):
    with open(os.path.join(DIRECTORY, "client.out"), "w+") as out:
        process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "client", str(first)], stdout=out)
        wait_until(lambda: os.path.getsize(out.name) > 0)
        time.sleep(random.uniform(0.3, 1.0))
        broker.kill()
        time.sleep(0.2)
        process.kill()
        process.wait()
        out.seek(0)
        for line in out.read().split("\n")[1:-1]:
            words = line.split()
            if len(words) == 3:
                (acknowledged if words[0] == "a" else seen)[int(words[1])] = int(words[2])


def main():
    broker = Broker().start()
    produce_all("kill", [(None, b"%012d" % 0, None, None)])
    acknowledged, seen = {}, {}
    for turn in range(ROUNDS):
        produce_until_killed(broker, (turn + 1) * 10000000, acknowledged, seen)
        broker.start()
        if turn == ROUNDS // 2:
            check(broker.stop() == 0, "clean stop in between")
            broker.start()
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none"})
    low, high = consumer.get_watermark_offsets(TopicPartition("kill", 0), timeout=10)
    consumer.close()
    messages = {message[0]: int(message[2][:12]) for message in consume_all("kill", high)}
    lost = [offset for offset, value in acknowledged.items() if messages.get(offset) != value]
    taken_back = [offset for offset, value in seen.items() if messages.get(offset) != value]
    check(len(acknowledged) > 1000, f"{len(acknowledged)} acknowledged in {ROUNDS} rounds", len(acknowledged))
    check(not lost, "nothing acknowledged is lost", (len(lost), lost[:5]))
    check(len(seen) > 100 and not taken_back, f"nothing shown is taken back ({len(seen)} shown)", taken_back[:5])
    check(low == 0 and sorted(messages) == list(range(high)), "offsets without a gap", (low, high, len(messages)))
    check(broker.stop() == 0, "clean stop")
    finish()


if sys.argv[1:2] == ["client"]:
    client(int(sys.argv[2]))
main()
