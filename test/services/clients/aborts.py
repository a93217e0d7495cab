#!/usr/bin/env python3
"""librdkafka: aborts.py SERVER TOPIC; three transactions with records in partition 0 that are aborted."""
import sys

try:
    from confluent_kafka import Producer
except ImportError:
    import os
    os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)  # where Debian's package is

SERVER, TOPIC = sys.argv[1:]
producer = Producer({"bootstrap.servers": SERVER, "transactional.id": "aborts"})
producer.init_transactions(30)
for number in range(3):
    producer.begin_transaction()
    for _ in range(5):
        producer.produce(TOPIC, f"aborted {number}", partition=0)
    producer.flush(30)
    producer.abort_transaction(30)
