#!/usr/bin/env python3
# timeout: 1200
"""Two hundred kills of a running pipeline; see _kills.py."""
import _kills

_kills.run(200, 0.8)
