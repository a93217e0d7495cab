#!/usr/bin/env python3
"""kafka-python: kafka_python.py SERVER produce|group|admin|transactions TOPIC; exit 0 when all was as it has to be."""
import sys

import kafka
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

SERVER, PART, TOPIC = sys.argv[1:]
WANT = [(b"key %d" % i, b"value %d" % i) for i in range(500)]


def must(good, *what):
    if not good:
        sys.exit(f"kafka-python {PART}: " + " ".join(map(str, what)))


def produce():
    producer = kafka.KafkaProducer(bootstrap_servers=SERVER, linger_ms=10)  # idempotent by default
    sent = [producer.send(TOPIC, value, key=key, partition=0) for key, value in WANT]
    producer.flush(30)
    must([future.get(10).offset for future in sent] == list(range(500)), "offsets")
    producer.close()


def consume(consumer):
    got = []
    for message in consumer:
        got.append((message.key, message.value))
        if len(got) == len(WANT):
            break
    must(got == WANT, "consumed", len(got))


def part_produce():
    produce()
    consumer = kafka.KafkaConsumer(bootstrap_servers=SERVER, group_id=None, consumer_timeout_ms=20000,
                                   auto_offset_reset="earliest")
    consumer.assign([kafka.TopicPartition(TOPIC, 0)])
    consume(consumer)
    must(consumer.end_offsets([kafka.TopicPartition(TOPIC, 0)]) == {kafka.TopicPartition(TOPIC, 0): 500}, "end")
    consumer.close()


def part_group():
    produce()
    consumer = kafka.KafkaConsumer(TOPIC, bootstrap_servers=SERVER, group_id=TOPIC + "-g", consumer_timeout_ms=20000,
                                   auto_offset_reset="earliest")
    consume(consumer)
    consumer.commit()
    must(consumer.committed(kafka.TopicPartition(TOPIC, 0)) == 500, "committed")
    consumer.close()


def part_admin():
    admin = kafka.KafkaAdminClient(bootstrap_servers=SERVER)
    admin.create_topics([NewTopic(TOPIC, 2, 1)])
    admin.create_partitions({TOPIC: NewPartitions(3)})
    partitions = len(admin.describe_topics([TOPIC])[0]["partitions"])
    must(partitions == 3, "partitions", partitions)
    admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
    must(TOPIC in admin.list_topics(), "listed")
    admin.delete_topics([TOPIC])
    admin.close()


def part_transactions():
    producer = kafka.KafkaProducer(bootstrap_servers=SERVER, transactional_id=TOPIC + "-t")
    producer.init_transactions()
    for value, commit in [(b"1", True), (b"aborted", False), (b"2", True)]:
        producer.begin_transaction()
        producer.send(TOPIC, value, partition=0)
        offsets = {kafka.TopicPartition(TOPIC, 0): kafka.structs.OffsetAndMetadata(7 if commit else 9, "", -1)}
        producer.send_offsets_to_transaction(offsets, TOPIC + "-g")
        (producer.commit_transaction if commit else producer.abort_transaction)()
    producer.close()
    consumer = kafka.KafkaConsumer(bootstrap_servers=SERVER, group_id=TOPIC + "-g", isolation_level="read_committed",
                                   enable_auto_commit=False)
    consumer.assign([kafka.TopicPartition(TOPIC, 0)])
    must(consumer.committed(kafka.TopicPartition(TOPIC, 0)) == 7, "the group's offset")
    consumer.seek(kafka.TopicPartition(TOPIC, 0), 0)
    got = []
    while len(got) < 2:
        for messages in consumer.poll(20000).values():
            got += [message.value for message in messages]
    must(got == [b"1", b"2"], got)
    consumer.close()


{"produce": part_produce, "group": part_group, "admin": part_admin, "transactions": part_transactions}[PART]()
