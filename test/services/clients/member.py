#!/usr/bin/env python3
"""One member of a consumer group: member.py KIND SERVER TOPIC GROUP ASSIGNOR [INSTANCE], until SIGTERM.
Prints "owns P,P,..." whenever that changes and "got PARTITION OFFSET" for each record, and commits."""
import asyncio
import os
import signal
import sys

KIND, SERVER, TOPIC, GROUP, ASSIGNOR = sys.argv[1:6]
INSTANCE = sys.argv[6] if len(sys.argv) > 6 else None
owned = set()
ending = False


def end(*_):
    global ending
    if ending:
        os._exit(1)
    ending = True


def say(*words):
    print(*words, flush=True)


def own(partitions, incremental=0):
    global owned
    new = {p.partition for p in partitions}
    owned = owned | new if incremental > 0 else owned - new if incremental < 0 else new
    say("owns", ",".join(map(str, sorted(owned))))


def confluent():
    from confluent_kafka import Consumer, KafkaException
    config = {"bootstrap.servers": SERVER, "group.id": GROUP, "auto.offset.reset": "earliest",
              "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
              "partition.assignment.strategy": ASSIGNOR}
    if INSTANCE:
        config["group.instance.id"] = INSTANCE
    consumer = Consumer(config)
    step = 1 if ASSIGNOR == "cooperative-sticky" else 0

    def assigned(consumer, partitions):
        consumer.incremental_assign(partitions) if step else consumer.assign(partitions)
        own(partitions, step)

    def revoked(consumer, partitions):
        consumer.incremental_unassign(partitions) if step else consumer.unassign()
        own(partitions if step else [], -step)
    consumer.subscribe([TOPIC], on_assign=assigned, on_revoke=revoked)
    behind = False
    while not ending:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            say("got", message.partition(), message.offset())
            behind = True
        try:
            if behind:
                consumer.commit(asynchronous=False)
            behind = False
        except KafkaException as problem:  # in a rebalance: later then
            say("# commit:", problem)
    consumer.close()


def kafka_python():
    import kafka
    assignors = {"range": "range.RangePartitionAssignor", "roundrobin": "roundrobin.RoundRobinPartitionAssignor",
                 "cooperative-sticky": "sticky.sticky_assignor.StickyPartitionAssignor"}
    module, name = assignors[ASSIGNOR].rsplit(".", 1)
    assignor = getattr(__import__("kafka.coordinator.assignors." + module, fromlist=[name]), name)
    more = {"group_instance_id": INSTANCE} if INSTANCE else {}

    class Listener(kafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            own([])

        def on_partitions_assigned(self, assigned):
            own(assigned)
    consumer = kafka.KafkaConsumer(bootstrap_servers=SERVER, group_id=GROUP, auto_offset_reset="earliest",
                                   enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500,
                                   partition_assignment_strategy=[assignor], **more)
    consumer.subscribe([TOPIC], listener=Listener())
    while not ending:
        for partition, messages in consumer.poll(100).items():
            try:
                consumer.commit()
                for message in messages:
                    say("got", message.partition, message.offset)
            except kafka.errors.KafkaError as problem:
                say("# commit:", problem)
    consumer.close()


async def aiokafka():
    import aiokafka
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

    class Listener(aiokafka.ConsumerRebalanceListener):
        async def on_partitions_revoked(self, revoked):
            own([])

        async def on_partitions_assigned(self, assigned):
            own(assigned)
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=SERVER, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=6000, heartbeat_interval_ms=500, group_instance_id=INSTANCE,
        partition_assignment_strategy=[{"range": RangePartitionAssignor,
                                        "roundrobin": RoundRobinPartitionAssignor}[ASSIGNOR]])
    await consumer.start()
    consumer.subscribe([TOPIC], listener=Listener())
    while not ending:
        for partition, messages in (await consumer.getmany(timeout_ms=100)).items():
            try:
                await consumer.commit()
                for message in messages:
                    say("got", message.partition, message.offset)
            except aiokafka.errors.KafkaError as problem:
                say("# commit:", problem)
    await consumer.stop()


signal.signal(signal.SIGTERM, end)
if KIND == "confluent-kafka":
    confluent()
elif KIND == "kafka-python":
    kafka_python()
else:
    asyncio.run(aiokafka())
