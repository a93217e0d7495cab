#!/usr/bin/env python3
"""aiokafka: aio.py SERVER produce|group TOPIC; exit 0 when all was as it has to be."""
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


asyncio.run(main())
