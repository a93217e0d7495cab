#!/usr/bin/env python3
"""Order items over HTTP with the rules of a shop: customers 1 to 17, three sources, a whole number of pieces. Good ones
are kept with total and time, and summed by source and state; the sums are computed here again."""
import os
import random
import threading
import time
from collections import Counter

from _ingest import DIRECTORY, Leat
from _tap import check, finish, rows_of, wait_for

SOURCES = ["Takeaway", "Dine In", "Home Delivery"]
STATES = {"CA": range(1, 4), "TX": range(4, 6), "NY": range(6, 9), "KS": range(9, 13), "KY": range(13, 18)}
SQL = """
CREATE TABLE orderitem (
  customer_id INT NOT NULL,
  source STRING NOT NULL,
  quantity INT NOT NULL,
  total AS quantity * 300.0,
  created_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  CHECK (customer_id BETWEEN 1 AND 17),
  CHECK (source IN ('Takeaway', 'Dine In', 'Home Delivery'))
) WITH ('connector' = 'http-ingest', 'topic' = 'Order', 'format' = 'json');
CREATE TABLE order_table (customer_id INT, source STRING, quantity INT, total DOUBLE, created_at TIMESTAMP(3))
WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:sales.db', 'table-name' = 'order_table');
CREATE TABLE sales (source STRING, state STRING, total_sum_amount DOUBLE, PRIMARY KEY (source, state) NOT ENFORCED)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:sales.db', 'table-name' = 'sales');
EXECUTE STATEMENT SET BEGIN
INSERT INTO order_table SELECT customer_id, source, quantity, CAST(total AS DOUBLE), CAST(created_at AS TIMESTAMP(3))
FROM orderitem;
INSERT INTO sales SELECT source, state, CAST(SUM(total) AS DOUBLE) FROM (
  SELECT source, total, CAST(CASE WHEN customer_id <= 3 THEN 'CA' WHEN customer_id <= 5 THEN 'TX' WHEN customer_id <= 8 THEN 'NY'
                                  WHEN customer_id <= 12 THEN 'KS' ELSE 'KY' END AS STRING) AS state FROM orderitem)
GROUP BY source, state;
END;
"""
random.seed(int(os.environ.get("SEED", "1")))
leat, stored = Leat(SQL), os.path.join(DIRECTORY, "sales.db")
began = time.time()

# ---- what the shop's rules refuse, one rule each
poster = leat.poster("orderitem")
good = {"customer_id": 5, "source": "Dine In", "quantity": 12}
CHECKS = {"customer_id": "CHECK (customer_id BETWEEN 1 AND 17)",
          "source": "CHECK (source IN ('Takeaway', 'Dine In', 'Home Delivery'))"}
for field, value, constraint in [
        ("customer_id", 0, CHECKS["customer_id"]), ("customer_id", 18, CHECKS["customer_id"]),
        ("customer_id", "abc", "INT NOT NULL"), ("customer_id", 1.5, "INT NOT NULL"), ("customer_id", None, "INT NOT NULL"),
        ("source", "Drone", CHECKS["source"]), ("source", "dine in", CHECKS["source"]),
        ("source", None, "STRING NOT NULL"), ("quantity", "many", "INT NOT NULL"), ("quantity", True, "INT NOT NULL"),
        ("quantity", 2 ** 31, "INT NOT NULL"), ("quantity", None, "INT NOT NULL")]:
    status, answer, _ = poster.post({**good, field: value})
    error = answer["errors"][0] if status == 422 else {}
    shown = None if value is None else "true" if value is True else str(value)
    check((status, error.get("field"), error.get("constraint"), error.get("value")) == (422, field, constraint, shown),
          f"{field} {value!r} is refused", (status, answer))
for missing in good:
    status, answer, _ = poster.post({field: value for field, value in good.items() if field != missing})
    check(status == 422 and answer["errors"][0]["field"] == missing, f"{missing} is missing", answer)

# ---- orders of three clients, among them bad ones; no bound on quantity
orders, wrong = [], []


def client(seed):
    rng, own = random.Random(seed), leat.poster("orderitem")
    for _ in range(100):
        order = {"customer_id": rng.randint(0, 18), "source": rng.choice(SOURCES + ["Phone"]), "quantity": rng.randint(-5, 100)}
        valid = 1 <= order["customer_id"] <= 17 and order["source"] in SOURCES
        status, answer, _ = own.post(order)
        if status != (200 if valid else 422) or answer["accepted"] != valid:
            wrong.append((order, status, answer))
        if valid:
            orders.append((order["customer_id"], order["source"], order["quantity"]))


threads = [threading.Thread(target=client, args=(seed,)) for seed in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
check(not wrong, "every answer follows the rules", wrong[:3])
check(wait_for(lambda: rows_of(stored, "SELECT COUNT(*) FROM order_table") == [(len(orders),)]), "raw orders arrive",
      (len(orders), rows_of(stored, "SELECT COUNT(*) FROM order_table")))
check(sorted(rows_of(stored, "SELECT customer_id, source, quantity FROM order_table")) == sorted(orders), "as they were sent")
check(rows_of(stored, "SELECT COUNT(*) FROM order_table WHERE total <> quantity * 300.0 OR created_at IS NULL") == [(0,)],
      "with total and time")
state_of = {customer: state for state, customers in STATES.items() for customer in customers}
sums = Counter()
for customer, source, quantity in orders:
    sums[source, state_of[customer]] += quantity * 300.0


def stored_sums():
    return {(source, state): total for source, state, total in rows_of(stored, "SELECT * FROM sales")}


check(wait_for(lambda: stored_sums() == dict(sums)), "sums by source and state", (stored_sums(), dict(sums)))
check(leat.stop() == 0, "a signal ends it cleanly", leat.said())
finish()
