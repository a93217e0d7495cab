#!/usr/bin/env python3
"""confluent-kafka (librdkafka): confluent.py SERVER produce|group|admin|transactions TOPIC; exit 0 when all was as it has to be."""
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec)

SERVER, PART, TOPIC = sys.argv[1:]


def must(good, *what):
    if not good:
        sys.exit(f"confluent-kafka {PART}: " + " ".join(map(str, what)))


def produce(count=500):
    errors = []
    producer = Producer({"bootstrap.servers": SERVER, "enable.idempotence": True, "linger.ms": 5})
    for i in range(count):
        producer.produce(TOPIC, b"value %d" % i, b"key %d" % i, headers=[("h", b"%d" % i)],
                         on_delivery=lambda error, message: errors.append(error) if error else None)
    must(producer.flush(30) == 0 and not errors, "not delivered", errors[:3])


def consume(consumer, count=500):
    out, end = [], time.monotonic() + 30
    while len(out) < count and time.monotonic() < end:
        for message in consumer.consume(count - len(out), 0.5):
            must(not message.error(), message.error())
            out.append((message.key(), message.value(), message.headers()))
    return sorted(out)


WANT = sorted((b"key %d" % i, b"value %d" % i, [("h", b"%d" % i)]) for i in range(500))


def part_produce():
    produce()
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    got = consume(consumer)
    must(got == WANT, "consumed", len(got))
    must(consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=10) == (0, 500), "watermarks")
    must(consumer.offsets_for_times([TopicPartition(TOPIC, 0, 0)], timeout=10)[0].offset == 0, "offset by time")
    consumer.close()


def part_group():
    produce()
    settings = {"bootstrap.servers": SERVER, "group.id": TOPIC + "-g", "auto.offset.reset": "earliest"}
    for assignor in ["cooperative-sticky", "range"]:
        settings["partition.assignment.strategy"] = assignor
        settings["group.id"] = f"{TOPIC}-{assignor}"
        consumer = Consumer(settings)
        consumer.subscribe([TOPIC])
        got = consume(consumer)
        must(got == WANT, assignor, "consumed", len(got))
        consumer.commit(asynchronous=False)
        consumer.close()
    consumer = Consumer(settings)
    committed = consumer.committed([TopicPartition(TOPIC, 0)], timeout=10)[0].offset
    must(committed == 500, "committed", committed)
    consumer.close()
    admin = AdminClient({"bootstrap.servers": SERVER})
    groups = [group.group_id for group in admin.list_consumer_groups().result(10).valid]
    must(settings["group.id"] in groups, "groups", groups)
    admin.describe_consumer_groups([settings["group.id"]])[settings["group.id"]].result(10)
    admin.delete_consumer_groups([settings["group.id"]])[settings["group.id"]].result(10)


def part_admin():
    admin = AdminClient({"bootstrap.servers": SERVER})
    admin.create_topics([NewTopic(TOPIC, 2, 1, config={"retention.ms": "-1"})])[TOPIC].result(10)
    admin.create_partitions([NewPartitions(TOPIC, 3)])[TOPIC].result(10)
    partitions = len(admin.list_topics(TOPIC, 10).topics[TOPIC].partitions)
    must(partitions == 3, "partitions", partitions)
    resource = ConfigResource("topic", TOPIC, incremental_configs=[
        ConfigEntry("retention.ms", "77000", incremental_operation=AlterConfigOpType.SET)])
    admin.incremental_alter_configs([resource])[resource].result(10)
    resource = ConfigResource("topic", TOPIC)
    value = admin.describe_configs([resource])[resource].result(10)["retention.ms"].value
    must(value == "77000", "retention.ms", value)
    resource = ConfigResource("topic", TOPIC, set_config={"retention.bytes": "5000000"})
    admin.alter_configs([resource])[resource].result(10)
    configs = admin.describe_configs([resource])[resource].result(10)
    must(configs["retention.bytes"].value == "5000000" and configs["retention.ms"].is_default, "replaced configs")
    must(len(admin.describe_cluster().result(10).nodes) == 1, "nodes")
    produce()
    partition = TopicPartition(TOPIC, 0)
    end = admin.list_offsets({partition: OffsetSpec.latest()})[partition].result(10).offset
    must(end > 0, "end", end)
    must(0 <= admin.list_offsets({partition: OffsetSpec.max_timestamp()})[partition].result(10).offset < end, "max timestamp")
    low = admin.delete_records([TopicPartition(TOPIC, 0, end)])[partition].result(10).low_watermark
    must(low == end, "deleted up to", low, end)
    admin.delete_topics([TOPIC])[TOPIC].result(10)


def transactional(name):
    made = Producer({"bootstrap.servers": SERVER, "transactional.id": TOPIC + name})
    made.init_transactions(30)
    return made


def send(producer, topic, *values):
    for value in values:
        producer.produce(topic, value, partition=0)
    must(producer.flush(30) == 0, "not delivered")


def read(topic, level):
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none", "isolation.level": level,
                         "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    out, end = [], time.monotonic() + 30
    while time.monotonic() < end:
        message = consumer.poll(1)
        if message and message.error():
            break
        if message:
            out.append(message.value())
    consumer.close()
    return out


def part_transactions():
    producer, other = transactional("-a"), transactional("-b")
    producer.begin_transaction()
    send(producer, TOPIC, b"1", b"2")
    must(read(TOPIC, "read_committed") == [], "an open transaction is shown")
    producer.commit_transaction(30)
    producer.begin_transaction()
    send(producer, TOPIC, b"aborted")
    producer.abort_transaction(30)
    other.begin_transaction()
    send(other, TOPIC, b"3")
    newer = transactional("-b")  # aborts it
    newer.begin_transaction()
    send(newer, TOPIC, b"4")
    newer.commit_transaction(30)
    must(read(TOPIC, "read_committed") == [b"1", b"2", b"4"], read(TOPIC, "read_committed"))
    must(read(TOPIC, "read_uncommitted") == [b"1", b"2", b"aborted", b"3", b"4"], read(TOPIC, "read_uncommitted"))
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": TOPIC + "-g", "enable.auto.commit": False,
                         "isolation.level": "read_committed"})
    for commit in [True, False]:
        producer.begin_transaction()
        send(producer, TOPIC + "-out", b"copied" if commit else b"not copied")
        offsets = [TopicPartition(TOPIC, 0, 2 if commit else 9)]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    must(read(TOPIC + "-out", "read_committed") == [b"copied"], "copied")
    must(consumer.committed([TopicPartition(TOPIC, 0)], 20)[0].offset == 2, "the group's offset")
    consumer.close()


{"produce": part_produce, "group": part_group, "admin": part_admin, "transactions": part_transactions}[PART]()
