"""What the benchmarks in Python share: the executable, a broker process, producers, CPU times."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
LEAT = os.path.join(BUILD, "leat")

ORDERS = """CREATE TABLE orders (
  order_id BIGINT, order_product_name STRING, order_card_type STRING, order_amount DECIMAL(10, 2),
  order_datetime STRING, order_country_name STRING, order_city_name STRING,
  order_ecommerce_website_name STRING,
  order_time AS TO_TIMESTAMP(order_datetime),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
  'properties.bootstrap.servers' = '{servers}', 'properties.group.id' = 'bench',
  'scan.startup.mode' = 'earliest-offset'{bounded});
"""
TOTALS = """CREATE TABLE totals (card STRING, total DECIMAL(38, 2), orders BIGINT,
  PRIMARY KEY (card) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{db}', 'table-name' = 'totals');
INSERT INTO totals SELECT order_card_type, SUM(order_amount), COUNT(*) FROM orders
  GROUP BY order_card_type;
"""


def orders_table(topic, servers="embedded", bounded=True):
    return (ORDERS.replace("{topic}", topic).replace("{servers}", servers)
            .replace("{bounded}", ", 'scan.bounded.mode' = 'latest-offset'" if bounded else ""))


def address_of(process):
    """The listener that a broker or `run --broker` prints first."""
    return re.search(r"127\.0\.0\.1:\d+", process.stderr.readline()).group(0)


class Broker:
    def __init__(self, data):
        self.process = subprocess.Popen([LEAT, "broker", "--data", data, "--listen", "127.0.0.1:0"],
                                        stderr=subprocess.PIPE, text=True)
        self.address = address_of(self.process)

    def stop(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise SystemExit("the broker did not end well")


def produce_command(address, topic, count, codec="none", partitions=0, rate=0):
    return [os.path.join(BUILD, "bench/orders_produce"), address, topic, str(count), codec,
            str(partitions), str(rate)]


def produce(*arguments, **options):
    """Card type -> (cents, orders)."""
    output = subprocess.run(produce_command(*arguments, **options), check=True, capture_output=True,
                            text=True).stdout
    return {card: (int(cents), int(number)) for card, cents, number in
            (line.split("\t") for line in output.splitlines())}


def run_measured(sql, data, cores="0", settings=()):
    """CPU seconds, children none, wall seconds, largest memory in MB of one `leat run`."""
    import time
    command = ["taskset", "-c", cores, LEAT, "run", "--again", "--data", data]
    for setting in settings:
        command += ["--set", setting]
    command += ["-e", sql]
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"leat run ended with {status}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def cpu_seconds(pid):
    """Of all threads of a running process."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, key="VmHWM"):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":")) / 1024


def median(values):
    return sorted(values)[len(values) // 2]
