#!/usr/bin/env python3
# timeout: 240
"""Ten kills of a running pipeline; see _kills.py."""
import _kills

_kills.run(10, 0.5)
