#!/usr/bin/env python3
# timeout: 300
"""A disk that is full for a while; see _exactly_once.py."""
import _exactly_once

_exactly_once.run_full(6, 1)
