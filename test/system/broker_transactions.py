#!/usr/bin/env python3
# timeout: 120
"""librdkafka's transactional producer and read_committed consumer: what is committed, aborted and open; fencing; a
restart in the middle; what a group has read as part of a transaction."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition  # noqa: E402


def producer(name, **config):
    made = Producer({"bootstrap.servers": SERVER, "transactional.id": name, "log_level": 0, "reconnect.backoff.ms": 50,
                     "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 50, **config})
    made.init_transactions(30)
    return made


def send(to, topic, values):
    for value in values:
        to.produce(topic, value.encode(), partition=0)
    if to.flush(30):
        raise RuntimeError("not delivered")



def stable(topic, level):
    """Where a reader of this level ends."""
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "isolation.level": level})
    _, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)
    consumer.close()
    return high


def read_to_end(topic, level):
    """All that there is now, by position."""
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "enable.auto.commit": False, "log_level": 0,
                         "isolation.level": level, "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    out, end = [], time.monotonic() + 30
    while time.monotonic() < end:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            break
        out.append(message.value().decode())
    consumer.close()
    return out


def what_is_shown():
    one = producer("one")
    one.begin_transaction()
    send(one, "t", ["a", "b"])
    check(read_to_end("t", "read_committed") == [], "an open transaction is not shown")
    check(read_to_end("t", "read_uncommitted") == ["a", "b"], "... but to who asks for it")
    one.commit_transaction(30)
    check(read_to_end("t", "read_committed") == ["a", "b"], "a committed one is, as soon as that is answered")
    one.begin_transaction()
    send(one, "t", ["no"])
    one.abort_transaction(30)
    two = producer("two")
    one.begin_transaction()
    send(one, "t", ["c"])
    two.begin_transaction()
    send(two, "t", ["d"])
    two.commit_transaction(30)
    check(read_to_end("t", "read_committed") == ["a", "b"], "what lies behind an open one waits for it")
    check(stable("t", "read_committed") == 5 and stable("t", "read_uncommitted") == 8, "ends by level",
          (stable("t", "read_committed"), stable("t", "read_uncommitted")))
    one.commit_transaction(30)
    check(read_to_end("t", "read_committed") == ["a", "b", "c", "d"], "... and no longer")
    return one


def fencing(old):
    old.begin_transaction()
    send(old, "t", ["zombie"])
    new = producer("one")
    try:
        old.commit_transaction(30)
        check(False, "an older producer is fenced")
    except KafkaException as refused:
        check(refused.args[0].fatal(), "an older producer is fenced", refused)
    new.begin_transaction()
    send(new, "t", ["e"])
    new.commit_transaction(30)
    check(read_to_end("t", "read_committed")[-2:] == ["d", "e"], "what it had begun is aborted")
    return new


def restarts(broker, kept):
    kept.begin_transaction()
    send(kept, "t", ["before"])
    check(broker.stop() == 0, "clean stop with an open transaction")
    broker.start()
    send(kept, "t", ["after"])
    broker.kill()
    broker.start()
    check("before" not in read_to_end("t", "read_committed"), "still open after a restart and a kill")
    kept.commit_transaction(60)
    check(read_to_end("t", "read_committed")[-2:] == ["before", "after"], "it goes on and commits")


def read_and_write():
    """From topic t to topic u with the offsets in the same transaction; one in three is aborted and done again."""
    worker = producer("worker")
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "workers", "auto.offset.reset": "earliest",
                         "enable.auto.commit": False, "isolation.level": "read_committed", "log_level": 0})
    consumer.subscribe(["t"])
    wanted, done, turn = read_to_end("t", "read_committed"), 0, 0
    end = time.monotonic() + 60
    while done < len(wanted) and time.monotonic() < end:
        messages = consumer.consume(2, 1)
        if not messages:
            continue
        turn += 1
        worker.begin_transaction()
        send(worker, "u", [message.value().decode().upper() for message in messages])
        offsets = [TopicPartition("t", 0, messages[-1].offset() + 1)]
        worker.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
        if turn % 3 == 2:
            worker.abort_transaction(30)
            consumer.seek(TopicPartition("t", 0, messages[0].offset()))
            continue
        worker.commit_transaction(30)
        done += len(messages)
    committed = consumer.committed([TopicPartition("t", 0)], 20)[0].offset
    consumer.close()
    check(read_to_end("u", "read_committed") == [value.upper() for value in wanted], "each once, in order",
          read_to_end("u", "read_committed"))
    check(committed > len(wanted), "the group's offset is that of the last one", committed)


def main():
    broker = Broker().start()
    kept = fencing(what_is_shown())
    restarts(broker, kept)
    read_and_write()
    check(broker.stop() == 0, "clean stop")
    finish()


main()
