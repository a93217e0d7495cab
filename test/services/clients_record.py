#!/usr/bin/env python3
# timeout: 400
"""The table of what clients send (clients.tsv) against the clients: each runs through a recording proxy against real
Kafka, and what it sends has to be in the table. --write records the table anew."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _clients import *  # noqa: E402,F403
from _client_proxy import RecordingProxy  # noqa: E402
from _ports import free_row  # noqa: E402


BROKERS_OWN = {(24, 5), (27, 1), (27, 2)}  # to itself: it checks partitions of transactions, and writes markers
BY_THE_CLOCK = {12}  # Heartbeat: whether it is sent depends on how long a job takes


def main():
    write = "--write" in sys.argv
    set_up()
    directory = os.environ.get("TEST_DIR") or tempfile.mkdtemp()
    port = free_row()
    proxy = RecordingProxy()
    server = f"127.0.0.1:{port}"
    environment = dict(os.environ, KAFKA_PORT=str(port), KAFKA_TLS="0", KAFKA_VERSION=KAFKA_VERSION,
                       KAFKA_PROPS=f"advertised.listeners=PLAINTEXT://{proxy.address},"
                                   f"SASL_PLAINTEXT://127.0.0.1:{port + 1}")
    kafka = ["bash", os.path.join(HERE, "_kafka.sh")]
    run(kafka + ["start", directory + "/kafka"], env=environment, timeout=120)
    table, failed = {}, 0
    recorded = {} if write else table_read()
    try:
        proxy.start(server)
        # transactions as leat has them: the second version of the protocol is not announced
        run(kafka + ["tool", directory + "/tool", "org.apache.kafka.tools.FeatureCommand", "--bootstrap-server", server,
                     "downgrade", "--feature", "transaction.version=1"], env=environment)
        proxy.take()
        print(f"1..{len(JOBS)}")
        for number, (client, part, job) in enumerate(JOBS, 1):
            problem = ""
            try:
                job(proxy.address, f"record-{number}", directory)
            except (RuntimeError, subprocess.TimeoutExpired) as fault:
                problem = str(fault)
            sent = proxy.take() - BROKERS_OWN
            table[client, part] = sent
            new = {(api, version) for api, version in sent - recorded.get((client, part), set())
                   if api not in BY_THE_CLOCK}
            if not problem and new and not write:
                problem = f"it sends what the table does not have: {sorted(new)}; record it anew with --write"
            failed += bool(problem)
            print(f"{'not ok' if problem else 'ok'} {number} - {client}, {part}" + (f"\n# {problem}" if problem else ""),
                  flush=True)
    finally:
        subprocess.run(kafka + ["stop", directory + "/kafka"], env=environment)
    if write and not failed:
        table_write(table)
    sys.exit(1 if failed else 0)


main()
