#!/usr/bin/env python3
# timeout: 180
"""Stock clients against the broker: kcat, librdkafka (confluent-kafka), kafka-python. All acks, all
compressions, contents compared both ways; offsets by time; topics and their configs; sizes."""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403

COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"]
random.seed(int(os.environ.get("SEED", "1")))


def kcat(*arguments, stdin=None):
    return subprocess.run(["kcat", "-b", SERVER] + list(arguments), input=stdin, capture_output=True, timeout=60)


def some_messages(count):
    out = []
    for i in range(count):
        value = None if i % 50 == 7 else random.randbytes(random.choice([0, 1, 10, 100, 1000])) + b"x" * (i % 300)
        key = None if i % 3 == 0 else b"key-%d" % i
        headers = [("h", b"v%d" % i), ("empty", b"")] if i % 10 == 0 else None
        out.append((key, value, 1700000000000 + random.randrange(1000000), headers))
    return out


def test_kcat():
    lines = b"".join(b"line %d %s\n" % (i, b"." * (i % 200)) for i in range(3000))
    for compression in COMPRESSIONS:
        for acks in ["0", "1", "all"]:
            topic = f"kcat-{compression}-{acks}"
            sent = kcat("-P", "-t", topic, "-z", compression, "-X", f"acks={acks}", stdin=lines)
            got = None

            def complete():  # acks=0 says nothing: what was sent is there a moment later
                nonlocal got
                got = kcat("-C", "-t", topic, "-e", "-q", "-o", "beginning")
                return got.stdout == lines
            good = sent.returncode == 0 and wait_until(complete, 10, 0.2)
            check(good, f"kcat {compression} acks={acks}", (sent.stderr, len(got.stdout), got.stderr))


def compressions_of(broker, topic):
    """Of the batches in the segment, so that none is silently left out (a batch that would grow is)."""
    with open(os.path.join(broker.directory, "topics", topic + "-0", "0" * 20 + ".log"), "rb") as file:
        data = file.read()
    found, at = set(), 0
    while at + 61 <= len(data) and int.from_bytes(data[at + 8:at + 12], "big"):
        found.add(data[at + 22] & 7)
        at += 12 + int.from_bytes(data[at + 8:at + 12], "big")
    return found


def test_librdkafka(broker):
    messages = some_messages(2000)
    for number, compression in enumerate(COMPRESSIONS):
        for acks in ["0", "1", "all"]:
            topic = f"rdkafka-{compression}-{acks}"
            errors = produce_all(topic, messages, acks=acks, **{"compression.type": compression})
            got = consume_all(topic, len(messages))
            want = [(i, key, value, time, headers) for i, (key, value, time, headers) in enumerate(messages)]
            check(not errors and got == want, f"librdkafka {compression} acks={acks}", (errors[:3], len(got)))
            found = compressions_of(broker, topic)
            check(number in found and found <= {0, number}, f"librdkafka {compression} acks={acks}: stored so", found)


def test_kafka_python():
    import kafka
    codecs = [None, "gzip"] + [codec for codec in ("snappy", "lz4", "zstd")
                               if getattr(kafka.codec, "has_" + codec)()]
    for codec in codecs:
        for acks in [0, 1, "all"]:
            topic = f"python-{codec}-{acks}"
            producer = kafka.KafkaProducer(bootstrap_servers=SERVER, compression_type=codec, acks=acks, linger_ms=20)
            values = [b"value %d" % i * (i % 20) for i in range(500)]
            for value in values:
                producer.send(topic, value, key=b"k")
            producer.flush(20)
            producer.close()
            consumer = kafka.KafkaConsumer(topic, bootstrap_servers=SERVER, auto_offset_reset="earliest",
                                           consumer_timeout_ms=5000, group_id=None)
            got = []
            for message in consumer:
                got.append(message.value)
                if len(got) == len(values):
                    break
            consumer.close()
            check(got == values, f"kafka-python {codec} acks={acks}", len(got))


def test_offsets():
    from confluent_kafka import Consumer, TopicPartition
    times = [1700000000000 + random.randrange(100000) for _ in range(5000)]
    produce_all("times", [(None, b"x" * 100, time, None) for time in times], **{"batch.num.messages": 100})
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": "none"})
    check(consumer.get_watermark_offsets(TopicPartition("times", 0), timeout=10) == (0, 5000), "earliest and latest")
    bad = []
    for wanted in [0, 1699999999999, max(times), max(times) + 1] + [1700000000000 + random.randrange(100000)
                                                                    for _ in range(30)]:
        got = consumer.offsets_for_times([TopicPartition("times", 0, wanted)], timeout=10)[0].offset
        expected = next((i for i, time in enumerate(times) if time >= wanted), -1)
        if got != expected:
            bad.append((wanted, got, expected))
    check(not bad, "offsets by time", bad[:3])
    latest, earliest = kcat("-Q", "-t", "times:0:-1").stdout, kcat("-Q", "-t", "times:0:-2").stdout
    check(b"offset 5000" in latest and b"offset 0" in earliest, "kcat -Q", (latest, earliest))
    consumer.close()
    produced = kcat("-P", "-t", "times", stdin=b"last\n")
    check(produced.returncode == 0, "kcat appends to it")


def test_admin():
    from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
    from confluent_kafka import KafkaException
    admin = AdminClient({"bootstrap.servers": SERVER})

    def error_of(future):
        try:
            future.result(20)
            return None
        except KafkaException as problem:
            return problem.args[0].name()
    made = admin.create_topics([NewTopic("made", 3, 1, config={"segment.bytes": "1048576", "retention.ms": "-1"})])
    check(error_of(made["made"]) is None, "create topic")
    check(len(admin.list_topics("made", 10).topics["made"].partitions) == 3, "with 3 partitions")
    check(error_of(admin.create_topics([NewTopic("made", 3, 1)])["made"]) == "TOPIC_ALREADY_EXISTS", "create again")
    check(error_of(admin.create_topics([NewTopic("b/d", 1, 1)])["b/d"]) == "TOPIC_EXCEPTION", "illegal name")
    check(error_of(admin.create_topics([NewTopic("r3", 1, 3)])["r3"]) == "INVALID_REPLICATION_FACTOR", "replicas")
    check(error_of(admin.create_topics([NewTopic("c", 1, 1, config={"segment.byte": "1"})])["c"]) == "INVALID_CONFIG",
          "unknown config")
    checked = admin.create_topics([NewTopic("checked", 1, 1)], validate_only=True)
    check(error_of(checked["checked"]) is None and "checked" not in admin.list_topics(timeout=10).topics,
          "validate only")
    grown = admin.create_partitions([NewPartitions("made", 5)])
    check(error_of(grown["made"]) is None and
          wait_until(lambda: len(admin.list_topics("made", 10).topics["made"].partitions) == 5), "more partitions")
    resource = ConfigResource("topic", "made")
    configs = admin.describe_configs([resource])[resource].result(20)
    check(configs["segment.bytes"].value == "1048576" and configs["retention.ms"].value == "-1" and
          not configs["segment.bytes"].is_default and configs["max.message.bytes"].is_default, "describe configs",
          {key: entry.value for key, entry in configs.items()})
    node = ConfigResource("broker", "1")
    check(admin.describe_configs([node])[node].result(20)["num.partitions"].value == "1", "describe the broker")
    check(error_of(admin.delete_topics(["made"])["made"]) is None, "delete topic")
    check(wait_until(lambda: "made" not in admin.list_topics(timeout=10).topics), "it is gone")
    check(error_of(admin.delete_topics(["made"])["made"]) == "UNKNOWN_TOPIC_OR_PART", "delete again")


def test_sizes():
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": SERVER})
    admin.create_topics([NewTopic("large", 1, 1, config={"max.message.bytes": "8000000"}),
                         NewTopic("small", 1, 1)])["large"].result(20)
    value = random.randbytes(5 << 20)
    errors = produce_all("small", [(None, value, None, None)])
    check(len(errors) == 1 and errors[0].name() == "MSG_SIZE_TOO_LARGE", "5 MB: refused by default", errors)
    errors = produce_all("large", [(None, value, 5, None), (b"k", b"after", 6, None)])
    got = consume_all("large", 2)
    check(not errors and [message[2] for message in got] == [value, b"after"], "5 MB: where the topic allows it",
          errors)
    huge = produce_all("large", [(None, bytes(9000000), None, None)])
    check(len(huge) == 1 and huge[0].name() == "MSG_SIZE_TOO_LARGE", "9 MB: above the topic's limit", huge)


def test_restart(broker):
    want = consume_all("rdkafka-lz4-all", 2000)
    check(broker.stop() == 0, "clean stop")
    broker.start()
    check(consume_all("rdkafka-lz4-all", 2000) == want and len(want) == 2000, "all there after a restart")


def test_idempotent():
    messages = some_messages(2000)
    errors = produce_all("idempotent", messages, **{"enable.idempotence": True})
    got = consume_all("idempotent", len(messages))
    want = [(i, key, value, time, headers) for i, (key, value, time, headers) in enumerate(messages)]
    check(not errors and got == want, "librdkafka idempotent", (errors[:3], len(got)))
    lines = b"".join(b"%d\n" % i for i in range(3000))
    sent = kcat("-P", "-t", "idempotent-kcat", "-X", "enable.idempotence=true", stdin=lines)
    got = kcat("-C", "-t", "idempotent-kcat", "-e", "-q", "-o", "beginning")
    check(sent.returncode == 0 and got.stdout == lines, "kcat idempotent", (sent.stderr, len(got.stdout)))
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": SERVER, "transactional.id": "t", "log_level": 0})
    producer.init_transactions(20)
    for value, end in ((b"kept", producer.commit_transaction), (b"dropped", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce("transactions", value)
        producer.flush(20)
        end(20)
    got = kcat("-C", "-t", "transactions", "-e", "-q", "-o", "beginning", "-X", "isolation.level=read_committed")
    check(got.stdout == b"kept\n", "a transaction that was committed is read, one that was aborted is not", got.stdout)


def main():
    broker = Broker().start()
    test_kcat()
    test_librdkafka(broker)
    test_kafka_python()
    test_offsets()
    test_admin()
    test_idempotent()
    test_sizes()
    test_restart(broker)
    check(broker.stop() == 0, "clean stop at the end")
    finish()


main()
