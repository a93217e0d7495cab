#!/usr/bin/env python3
# timeout: 300
"""The broker is another process, and both are killed; see _exactly_once.py."""
import _exactly_once

_exactly_once.run_remote(12, 0.8)
