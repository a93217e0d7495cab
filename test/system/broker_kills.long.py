#!/usr/bin/env python3
# timeout: 900
"""broker_kills.py with 500 kills."""
import os
import sys

program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "broker_kills.py")
os.execve(sys.executable, [sys.executable, program], dict(os.environ, KILLS="500"))
