#!/usr/bin/env python3
# timeout: 1800
"""Two hundred kills of a running pipeline; see _exactly_once.py."""
import _exactly_once

_exactly_once.run(200, 1.2)
