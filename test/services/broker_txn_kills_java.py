#!/usr/bin/env python3
# timeout: 300
"""The system test broker_txn_kills.py with Kafka's own transactional copier among the clients."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _clients import HERE, set_up  # noqa: E402

set_up()
program = os.path.join(HERE, "../system/broker_txn_kills.py")
os.execve(sys.executable, [sys.executable, program], dict(os.environ, KILL_JAVA=os.path.join(HERE, "_kafka.sh")))
