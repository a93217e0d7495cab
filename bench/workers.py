#!/usr/bin/env python3
"""workers.py - two workers against one on a group-by of a million keys: wall time over a topic of four
partitions into a blackhole, parallelism 2 on two cores against 1 on one, interleaved, median of five.
Arguments: [COUNT], default 5,000,000."""
import os
import shutil
import sys
import tempfile

from _leat import Broker, median, orders_table, produce, run_measured

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
SQL = orders_table("orders4") + """
CREATE TABLE nowhere (k INT, orders BIGINT, total DECIMAL(38, 2), PRIMARY KEY (k) NOT ENFORCED)
  WITH ('connector' = 'blackhole');
INSERT INTO nowhere SELECT order_id % 1000000, COUNT(*), SUM(order_amount) FROM orders
  GROUP BY order_id % 1000000;
"""


def main():
    scratch = tempfile.mkdtemp(prefix="leat-bench-")
    try:
        data = os.path.join(scratch, "data")
        broker = Broker(data)
        produce(broker.address, "orders4", COUNT, partitions=4)
        broker.stop()
        one, two = [], []
        for _ in range(5):
            one.append(run_measured(SQL, data, "0", ["parallelism.default=1", "leat.worker-threads=1"])[1])
            two.append(run_measured(SQL, data, "0,1", ["parallelism.default=2", "leat.worker-threads=2"])[1])
        ratio = median([a / b for a, b in zip(one, two)])
        print(f"group-by of a million keys, two workers against one: {ratio:.2f} times as fast "
              f"(wall {median(one):.2f} s and {median(two):.2f} s; asked 1.7) "
              f"{'' if ratio >= 1.7 else 'BELOW'}")
    finally:
        shutil.rmtree(scratch)


main()
