#!/usr/bin/env python3
# timeout: 180
"""kill -9 in the middle of producing, again and again: nothing acknowledged with acks=all is lost or
changed, nothing that was read before is taken back, offsets have no gap, the leader epoch rises."""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402

random.seed(int(os.environ.get("SEED", "1")))
ROUNDS = 8


def produce_until_killed(broker, first, acknowledged, seen):
    """Numbers its messages; acknowledged[offset] = number. A consumer beside it notes what was shown."""
    producer = Producer({"bootstrap.servers": SERVER, "acks": "all", "linger.ms": 2, "message.timeout.ms": 1500,
                         "compression.type": random.choice(["none", "lz4", "zstd"]), "log_level": 0,
                         "retries": 0, "max.in.flight.requests.per.connection": 5})
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "log_level": 0, "fetch.wait.max.ms": 50})
    consumer.assign([TopicPartition("kill", 0, max(seen) + 1 if seen else 0)])

    def delivered(error, message):
        if not error:
            acknowledged[message.offset()] = int(message.value()[:12])
    number_now = first
    end = time.monotonic() + random.uniform(0.3, 1.0)
    killed = False
    while time.monotonic() < end + 0.3:
        if not killed and time.monotonic() >= end:
            broker.kill()
            killed = True
        try:
            producer.produce("kill", b"%012d" % number_now + b"x" * random.choice([0, 50, 500]),
                             on_delivery=delivered, partition=0)
            number_now += 1
        except BufferError:
            pass
        producer.poll(0 if number_now % 50 else 0.002)
        if number_now % 100 == 0:
            for message in consumer.consume(1000, 0):
                if not message.error():
                    seen[message.offset()] = int(message.value()[:12])
    if not killed:
        broker.kill()
    producer.flush(3)
    producer.purge()
    producer.flush(1)
    consumer.close()
    return number_now


def main():
    broker = Broker().start()
    produce_all("kill", [(None, b"%012d" % 0, None, None)])
    acknowledged, seen, number_now = {}, {}, 1
    for turn in range(ROUNDS):
        number_now = produce_until_killed(broker, number_now, acknowledged, seen)
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
    check(len(acknowledged) > 1000, f"{len(acknowledged)} acknowledged in {ROUNDS} rounds")
    check(not lost, "nothing acknowledged is lost", (len(lost), lost[:5]))
    check(len(seen) > 100 and not taken_back, f"nothing shown is taken back ({len(seen)} shown)", taken_back[:5])
    check(low == 0 and sorted(messages) == list(range(high)), "offsets without a gap", (low, high, len(messages)))
    check(broker.stop() == 0, "clean stop")
    finish()


main()
