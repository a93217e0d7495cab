#!/usr/bin/env python3
# timeout: 900
"""broker_txn_kills.py with 200 kills."""
import os
import sys

program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "broker_txn_kills.py")
os.execve(sys.executable, [sys.executable, program], dict(os.environ, KILLS="200"))
