#!/usr/bin/env python3
"""state_memory.py - memory per key of COUNT(*), SUM, MIN and MAX over BIGINT, by a BIGINT and by a STRING key: what the
operator has reserved (leat_operator_state_bytes) and what the process has grown by (VmHWM beside that of the same job
with one key), against the bytes of key and accumulators: 8 for COUNT, 16 each for SUM, MIN and MAX (the value, and how
many or whether any), and the key as it is encoded. Arguments: [KEYS...], default 1,000,000 1,500,000 10,000,000."""
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

from _leat import LEAT, memory_mb

KEYS = [int(text) for text in sys.argv[1:]] or [1_000_000, 1_500_000, 10_000_000]
ACCUMULATORS = 8 + 16 + 16 + 16
SQL = """CREATE TABLE made (k BIGINT, v BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000000000',
  'fields.k.kind' = 'sequence', 'fields.k.start' = '1000000000', 'fields.k.end' = '1999999999');
CREATE TABLE nowhere (k {type}, n BIGINT, s BIGINT, low BIGINT, high BIGINT, PRIMARY KEY (k) NOT ENFORCED)
  WITH ('connector' = 'blackhole');
INSERT INTO nowhere SELECT {key}, COUNT(*), SUM(v), MIN(v), MAX(v) FROM made GROUP BY {key};
"""
CASES = {"BIGINT": ("CAST(k % {keys} AS BIGINT)", "BIGINT", 1 + 8), "STRING": ("'customer-' || CAST(1000000000 + k % {keys} AS STRING)",
                                                             "STRING", 1 + 4 + 19)}


def metric(address, name):
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        found = re.findall(rf"^leat_operator_{name}{{.*}} (\d+)$", answer.read().decode(), re.M)
    return max(map(int, found), default=0)


def run(kind, keys):
    """Bytes reserved for the state, and the process's largest memory in bytes, when all keys are there."""
    key, type_of, _ = CASES[kind]
    sql = SQL.format(key=key.format(keys=keys), type=type_of)
    with tempfile.TemporaryDirectory(prefix="leat-bench-") as data:
        process = subprocess.Popen([LEAT, "run", "--data", data, "--http", "127.0.0.1:0", "--set",
                                    "execution.checkpointing.interval=0 ms", "-e", sql],
                                   stderr=subprocess.PIPE, text=True)
        try:
            address = next(re.search(r"127\.0\.0\.1:\d+", line) for line in process.stderr if "http" in line).group(0)
            deadline = time.monotonic() + 60 + keys / 100_000
            while metric(address, "state_keys") < keys:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"state_memory: only {metric(address, 'state_keys')} of {keys} keys")
                time.sleep(0.05)
            return metric(address, "state_bytes"), memory_mb(process.pid) * 1024 * 1024
        finally:
            process.kill()
            process.wait()


def main():
    failed = False
    for kind, (_, _, key_bytes) in CASES.items():
        base = run(kind, 1)[1]
        for keys in KEYS:
            reserved, peak = run(kind, keys)
            useful = key_bytes + ACCUMULATORS
            ratio = reserved / keys / useful
            failed |= ratio >= 1.5
            print(f"{keys:>9} {kind} keys: {reserved / keys:.1f} bytes reserved a key, {(peak - base) / keys:.1f} of "
                  f"process memory, for {useful} of key and accumulators: {ratio:.2f} times "
                  f"(asked 1.5) {'' if ratio < 1.5 else 'ABOVE'}")
    sys.exit(failed)


main()
