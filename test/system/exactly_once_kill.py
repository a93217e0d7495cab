#!/usr/bin/env python3
# timeout: 300
"""Twenty kills of a running pipeline; see _exactly_once.py."""
import _exactly_once

_exactly_once.run(20, 0.8)
