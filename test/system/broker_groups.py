#!/usr/bin/env python3
# timeout: 240
"""Consumer groups with real clients: librdkafka (confluent-kafka, kcat) and kafka-python share partitions,
take over from a dead member, rebalance cooperatively, keep static members, and find their committed
offsets after kill -9 of the broker."""
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403
from confluent_kafka import Consumer, KafkaException, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic  # noqa: E402

PARTITIONS = 4


class Member(threading.Thread):
    """A consumer on a thread of its own; what it was given and what it has read can be looked at."""

    def __init__(self, group, topic, **config):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": SERVER, "group.id": group, "auto.offset.reset": "earliest",
                                  "session.timeout.ms": 3000, "heartbeat.interval.ms": 300, "log_level": 2,
                                  "topic.metadata.refresh.interval.ms": 1000, "reconnect.backoff.max.ms": 300,
                                  "enable.auto.commit": False, **config})
        self.cooperative = "cooperative" in config.get("partition.assignment.strategy", "")
        self.values, self.events, self.errors = [], [], []
        self.lost = False
        self.ending = self.closed = False
        self.consumer.subscribe([topic], on_assign=self.on_assign, on_revoke=self.on_revoke)
        self.owned = set()
        self.start()

    def on_assign(self, consumer, partitions):
        self.events.append(("assign", sorted(p.partition for p in partitions)))
        if self.cooperative:
            consumer.incremental_assign(partitions)
            self.owned |= {p.partition for p in partitions}
        else:
            consumer.assign(partitions)
            self.owned = {p.partition for p in partitions}

    def on_revoke(self, consumer, partitions):
        self.events.append(("revoke", sorted(p.partition for p in partitions)))
        if self.cooperative:
            consumer.incremental_unassign(partitions)
            self.owned -= {p.partition for p in partitions}
        else:
            consumer.unassign()
            self.owned = set()

    def run(self):
        while not self.ending:
            message = self.consumer.poll(0.05)
            if message is None:
                continue
            if message.error():
                self.errors.append(message.error())
                continue
            self.values.append((message.partition(), message.offset(), message.value()))
            try:
                self.consumer.commit(message, asynchronous=False)
            except KafkaException as error:
                self.errors.append(error.args[0])
        self.consumer.close()
        self.closed = True

    def stop(self):
        self.ending = True
        self.join(20)
        return self.closed


def make_topic(name, partitions=PARTITIONS):
    admin = AdminClient({"bootstrap.servers": SERVER})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(10)


def send(topic, first, count):
    for partition in range(PARTITIONS):
        produce_all(topic, [(None, b"%d" % i, None, None) for i in range(first, first + count)], partition=partition)


def shared(*members):
    owned = [partition for member in members for partition in member.owned]
    return sorted(owned) == list(range(PARTITIONS)) and all(member.owned for member in members)


def committed(group, topic):
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": group, "log_level": 2})
    out = consumer.committed([TopicPartition(topic, i) for i in range(PARTITIONS)], timeout=10)
    consumer.close()
    return [p.offset for p in out]


def test_share(strategy):
    topic = group = "share-" + strategy
    make_topic(topic)
    send(topic, 0, 20)
    begun = time.monotonic()
    first = Member(group, topic, **{"partition.assignment.strategy": strategy})
    check(wait_until(lambda: shared(first)), f"{strategy}: one consumer has all partitions", first.events)
    took = time.monotonic() - begun
    check(took < 10, f"{strategy}: a first consumer need not wait", took)
    second = Member(group, topic, **{"partition.assignment.strategy": strategy})
    check(wait_until(lambda: shared(first, second)), f"{strategy}: two consumers share",
          (first.events, second.events))
    send(topic, 20, 20)
    check(wait_until(lambda: len(set(first.values + second.values)) == 40 * PARTITIONS),
          f"{strategy}: everything is read", len(set(first.values + second.values)))
    check(wait_until(lambda: committed(group, topic) == [40] * PARTITIONS), f"{strategy}: everything is committed",
          committed(group, topic))
    check(second.stop() and wait_until(lambda: shared(first)), f"{strategy}: who leaves gives its partitions back",
          first.events)
    check(first.stop(), f"{strategy}: closed")
    if strategy == "cooperative-sticky":
        kept = [event for event in first.events if event[0] == "revoke" and len(event[1]) == PARTITIONS]
        check(len(kept) <= 1, "cooperative-sticky: only what moves is revoked", first.events)


def consume_forever(group, topic):
    """Runs in a process of its own, which is killed."""
    member = Member(group, topic)
    while not member.owned:
        time.sleep(0.05)
    print("ready", flush=True)
    time.sleep(1000)


def test_takeover():
    topic = group = "takeover"
    make_topic(topic)
    send(topic, 0, 10)
    process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "consume", group, topic],
                               stdout=subprocess.PIPE, text=True)
    check(process.stdout.readline() == "ready\n", "takeover: the first consumer is there")
    check(wait_until(lambda: committed(group, topic) == [10] * PARTITIONS), "takeover: it has committed")
    second = Member(group, topic)
    check(wait_until(lambda: len(second.owned) == 2), "takeover: a second one shares", second.events)
    process.kill()
    process.wait()
    send(topic, 10, 10)
    check(wait_until(lambda: shared(second)), "takeover: the dead one's session ends", second.events)
    check(wait_until(lambda: len(set(second.values)) >= 10 * PARTITIONS), "takeover: ... and the other one reads on")
    check(set(second.values) == {(p, 10 + i, b"%d" % (10 + i)) for p in range(PARTITIONS) for i in range(10)},
          "takeover: ... from where it had committed", second.values[:5])
    second.stop()


def test_static():
    topic = group = "static"
    make_topic(topic)
    patient = {"session.timeout.ms": 15000}
    first = Member(group, topic, **patient, **{"group.instance.id": "one"})
    second = Member(group, topic, **patient, **{"group.instance.id": "two"})
    check(wait_until(lambda: shared(first, second)), "static: two members share")
    first.stop()  # a static member says nothing when it goes
    events = len(second.events)
    again = Member(group, topic, **patient, **{"group.instance.id": "one"})
    check(wait_until(lambda: shared(again, second)), "static: back under its name", again.events)
    check(len(second.events) == events, "static: ... and the other one has not noticed", second.events)
    double = Member(group, topic, **patient, **{"group.instance.id": "one"})
    check(wait_until(lambda: any("fenced" in error.str() for error in again.errors)),
          "static: a second of the same name fences the first", again.errors)
    for member in (again, second, double):
        member.stop()


def test_kcat():
    topic = "kcat-group"
    make_topic(topic)
    send(topic, 0, 5)
    out = subprocess.run(["timeout", "20", "kcat", "-b", SERVER, "-G", "kcats", "-X", "auto.offset.reset=earliest", "-c", "20", "-f",
                          "%p %s\n", topic], capture_output=True, text=True)
    check(sorted(out.stdout.split("\n")[:-1]) == sorted(f"{p} {i}" for p in range(PARTITIONS) for i in range(5)),
          "kcat -G reads all", out.stderr)
    check(wait_until(lambda: committed("kcats", topic) == [5] * PARTITIONS), "kcat -G has committed",
          committed("kcats", topic))


def test_kafka_python():
    from kafka import KafkaAdminClient, KafkaConsumer
    from kafka.structs import TopicPartition as Place
    topic = group = "kafka-python"
    make_topic(topic)
    send(topic, 0, 10)
    consumer = KafkaConsumer(topic, bootstrap_servers=SERVER, group_id=group, auto_offset_reset="earliest",
                             enable_auto_commit=False, consumer_timeout_ms=8000, session_timeout_ms=6000)
    seen = [(message.partition, message.value) for message in
            (next(consumer) for _ in range(10 * PARTITIONS))]
    check(sorted(seen) == sorted((p, b"%d" % i) for p in range(PARTITIONS) for i in range(10)),
          "kafka-python: all read", seen[:5])
    consumer.commit()
    check([consumer.committed(Place(topic, p)) for p in range(PARTITIONS)] == [10] * PARTITIONS,
          "kafka-python: all committed")
    admin = KafkaAdminClient(bootstrap_servers=SERVER)
    groups = dict(admin.list_consumer_groups())
    check(groups.get(group) == "consumer", "kafka-python: the group is listed", groups)
    described = admin.describe_consumer_groups([group])[0]
    check(described.state == "Stable" and len(described.members) == 1 and described.protocol == "range",
          "kafka-python: ... and described", described)
    offsets = admin.list_consumer_group_offsets(group)
    check({place.partition: offset.offset for place, offset in offsets.items()} ==
          {p: 10 for p in range(PARTITIONS)}, "kafka-python: ... with its offsets", offsets)
    consumer.close()
    described = admin.describe_consumer_groups([group])[0]
    check(described.state == "Empty" and not described.members, "kafka-python: it is empty afterwards", described)
    admin.delete_consumer_groups([group])
    check(group not in dict(admin.list_consumer_groups()), "kafka-python: deleted")
    check(committed(group, topic) == [-1001] * PARTITIONS, "kafka-python: ... with its offsets",
          committed(group, topic))
    admin.close()


def test_restart(broker):
    topic = group = "restart"
    make_topic(topic)
    send(topic, 0, 10)
    member = Member(group, topic)
    check(wait_until(lambda: committed(group, topic) == [10] * PARTITIONS), "restart: committed")
    for turn, end in enumerate((broker.kill, broker.stop)):
        events = len(member.events)
        end()
        broker.start()
        check(committed(group, topic) == [10 * (turn + 1)] * PARTITIONS, f"restart: offsets there after {end.__name__}",
              committed(group, topic))
        send(topic, 10 * (turn + 1), 10)
        check(wait_until(lambda: len(set(member.values)) == 10 * (turn + 2) * PARTITIONS),
              f"restart: the consumer reads on after {end.__name__}", (len(member.values), member.errors))
        twice = len(member.values) - len(set(member.values))
        check(twice <= len(member.errors), "restart: ... and nothing twice but what it could not commit",
              (twice, member.errors, member.events))
        check(wait_until(lambda: committed(group, topic) == [10 * (turn + 2)] * PARTITIONS),
              "restart: ... and commits", (committed(group, topic), member.errors, member.events[events:]))
    member.stop()


def commit_forever(group, topic, first):
    """In a process of its own, as a client of a dead broker may hang: what is tried, what is acknowledged."""
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": group, "log_level": 0})
    while True:
        print("t", first, flush=True)
        consumer.commit(offsets=[TopicPartition(topic, 0, first)], asynchronous=False)
        print("a", first, flush=True)
        first += 1


def test_kill(broker):
    """kill -9 between commits, again and again: none that was acknowledged is lost."""
    topic = group = "killed"
    make_topic(topic)
    tried = acknowledged = 0
    for turn in range(5):
        process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "commit", group, topic,
                                    str((turn + 1) * 1000000)], stdout=subprocess.PIPE, text=True)
        first = [process.stdout.readline().split() for _ in range(2)]  # it is at work
        time.sleep(0.2 + 0.1 * turn)
        broker.kill()
        process.kill()
        lines = first + [line.split() for line in process.communicate()[0].split("\n")[:-1]]
        tried = max([tried] + [int(words[1]) for words in lines if len(words) == 2])
        acknowledged = max([acknowledged] + [int(words[1]) for words in lines if len(words) == 2 and words[0] == "a"])
        broker.start()
        found = committed(group, topic)[0]
        if not acknowledged <= found <= max(tried, acknowledged):
            check(False, "kill -9: no acknowledged commit is lost", (acknowledged, found, tried))
            return
    check(acknowledged > 5000000, f"kill -9: no acknowledged commit is lost ({acknowledged % 1000000} in the last turn)")


def test_long_history(broker):
    """The topic of offsets is shortened, beside commits, and the broker starts with what was live."""
    topic = group = "long-history"
    make_topic(topic, 500)
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": group, "log_level": 2})
    for turn in range(1, 151):
        consumer.commit(offsets=[TopicPartition(topic, i, turn * 1000 + i) for i in range(500)], asynchronous=False)
    consumer.close()
    directory = os.path.join(broker.directory, "topics", "__consumer_offsets-0")
    size = lambda: sum(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory)
                       if name.endswith(".log"))
    check(wait_until(lambda: size() < 8 << 20), "long history: the topic of offsets stays short", size())
    check(broker.stop() == 0, "long history: stopped")
    broker.start()
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": group, "log_level": 2})
    found = consumer.committed([TopicPartition(topic, i) for i in range(500)], timeout=20)
    consumer.close()
    check([p.offset for p in found] == [150000 + i for i in range(500)], "long history: ... and says the last of each",
          [p.offset for p in found[:3]])


def test_topic_made_again():
    """Offsets of a deleted topic do not hold for another one of that name."""
    topic = group = "again"
    admin = AdminClient({"bootstrap.servers": SERVER})
    make_topic(topic)
    consumer = Consumer({"bootstrap.servers": SERVER, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 1, 7)], asynchronous=False)
    check(committed(group, topic) == [-1001, 7, -1001, -1001], "a consumer without members commits")
    admin.delete_topics([topic])[topic].result(10)
    make_topic(topic)
    check(committed(group, topic) == [-1001] * PARTITIONS, "another topic of that name begins anew",
          committed(group, topic))
    consumer.close()


def test_internal_topic():
    admin = AdminClient({"bootstrap.servers": SERVER})
    topics = admin.list_topics(timeout=10).topics
    check("__consumer_offsets" in topics, "the offsets' topic is listed", list(topics))
    errors = produce_all("__consumer_offsets", [(b"k", b"v", None, None)])
    check(len(errors) == 1, "... and clients may not write to it", errors)
    for name, request in (("delete it", lambda: admin.delete_topics(["__consumer_offsets"])),
                          ("add partitions", lambda: admin.create_partitions([NewPartitions("__consumer_offsets", 3)])),
                          ("change its settings", lambda: admin.alter_configs(
                              [ConfigResource("topic", "__consumer_offsets", {"retention.ms": "1000"})]))):
        try:
            list(request().values())[0].result(10)
            check(False, f"... nor {name}")
        except KafkaException:
            check(True, f"... nor {name}")


def main():
    broker = Broker(settings=["group-min-session=1000"]).start()
    for test, *arguments in ((test_share, "range"), (test_share, "roundrobin"), (test_share, "cooperative-sticky"),
                             (test_takeover,), (test_static,), (test_kcat,), (test_kafka_python,),
                             (test_topic_made_again,), (test_internal_topic,), (test_long_history, broker),
                             (test_kill, broker), (test_restart, broker)):
        begun = time.monotonic()
        test(*arguments)
        print(f"# {test.__name__}: {time.monotonic() - begun:.1f} s", flush=True)
    check(broker.stop() == 0, "clean stop")
    finish()


if sys.argv[1:2] == ["consume"]:
    consume_forever(*sys.argv[2:4])
if sys.argv[1:2] == ["commit"]:
    commit_forever(sys.argv[2], sys.argv[3], int(sys.argv[4]))
main()
