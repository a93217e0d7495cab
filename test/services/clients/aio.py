#!/usr/bin/env python3
"""aiokafka: aio.py SERVER produce|group|transactions TOPIC; exit 0 when all was as it has to be."""
import asyncio
import sys

import aiokafka

SERVER, PART, TOPIC = sys.argv[1:]
WANT = [(b"key %d" % i, b"value %d" % i) for i in range(500)]


async def main():
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=SERVER, enable_idempotence=True)
    await producer.start()
    for key, value in WANT:
        await producer.send(TOPIC, value, key=key, partition=0)
    await producer.stop()
    group = TOPIC + "-g" if PART == "group" else None
    consumer = aiokafka.AIOKafkaConsumer(TOPIC, bootstrap_servers=SERVER, group_id=group, auto_offset_reset="earliest")
    await consumer.start()
    got = []

    async def read():
        async for message in consumer:
            got.append((message.key, message.value))
            if len(got) == len(WANT):
                return
    await asyncio.wait_for(read(), 30)
    if group:
        await consumer.commit()
        committed = await consumer.committed(aiokafka.TopicPartition(TOPIC, 0))
        if committed != 500:
            sys.exit(f"aiokafka: committed {committed}")
    await consumer.stop()
    if got != WANT:
        sys.exit(f"aiokafka: consumed {len(got)}")


async def transactions():
    partition = aiokafka.TopicPartition(TOPIC, 0)
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=SERVER, transactional_id=TOPIC + "-t")
    await producer.start()
    for value, commit in [(b"1", True), (b"aborted", False), (b"2", True)]:
        await producer.begin_transaction()
        await producer.send_and_wait(TOPIC, value, partition=0)
        await producer.send_offsets_to_transaction({partition: 7 if commit else 9}, TOPIC + "-g")
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    await producer.stop()
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=SERVER, group_id=TOPIC + "-g", auto_offset_reset="earliest",
                                         isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    consumer.assign([partition])
    if await consumer.committed(partition) != 7:
        sys.exit("aiokafka: the group's offset")
    consumer.seek(partition, 0)
    got = [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(2)]
    if got != [b"1", b"2"]:
        sys.exit(f"aiokafka: {got}")
    await consumer.stop()


asyncio.run(transactions() if PART == "transactions" else main())
