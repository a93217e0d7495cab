#!/usr/bin/env python3
# timeout: 300
"""The system test kafka_exactly.py against real Kafka: the exactly-once kafka sink under kills, and taken over."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _clients import HERE, KAFKA_VERSION, run, set_up  # noqa: E402
from _ports import free_row  # noqa: E402


def main():
    set_up()
    directory = os.environ.setdefault("TEST_DIR", tempfile.mkdtemp())
    port = free_row()
    environment = dict(os.environ, KAFKA_PORT=str(port), KAFKA_TLS="0", KAFKA_VERSION=KAFKA_VERSION)
    kafka = ["bash", os.path.join(HERE, "_kafka.sh")]
    run(kafka + ["start", directory + "/kafka"], env=environment, timeout=120)
    try:
        program = os.path.join(HERE, "../system/kafka_exactly.py")
        environment["REAL_KAFKA"] = f"127.0.0.1:{port}"
        code = subprocess.run([sys.executable, program], env=environment, timeout=280).returncode
    finally:
        subprocess.run(kafka + ["stop", directory + "/kafka"], env=environment)
    sys.exit(code)


main()
