"""What the broker's system tests share: the clients' interpreter, a broker process, TAP."""
import os
import signal
import subprocess
import sys
import time
from _tap import check, finish  # noqa: F401, passed on

try:
    import confluent_kafka  # noqa: F401
except ImportError:
    # The clients are Debian packages of the system's interpreter, which need not be the first in PATH.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    print("1..0 # SKIP python3-confluent-kafka is not installed")
    sys.exit(77)

BUILD = os.environ.get("BUILD", "build")
DIRECTORY = os.environ.get("TEST_DIR") or subprocess.check_output(["mktemp", "-d"], text=True).strip()
PORT = int(os.environ.get("PORT", "19492"))
SERVER = f"127.0.0.1:{PORT}"


class Broker:
    def __init__(self, directory=None, port=PORT, settings=()):
        self.directory = directory or os.path.join(DIRECTORY, "data")
        self.port = port
        self.settings = list(settings)
        self.process = None

    def start(self):
        program = os.path.join(BUILD, "test/tool/broker_main")
        self.log = open(os.path.join(DIRECTORY, "broker.log"), "a")
        self.process = subprocess.Popen([program, self.directory, str(self.port)] + self.settings,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening"):
            raise RuntimeError(f"broker did not start: {self.process.wait()}")
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.process.stdout.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def alive(self):
        return self.process.poll() is None

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS"):
                    return int(line.split()[1])
        return 0


CRC_TABLE = []
for byte_ in range(256):
    for _ in range(8):
        byte_ = byte_ >> 1 ^ (0x82F63B78 if byte_ & 1 else 0)
    CRC_TABLE.append(byte_)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def wait_until(condition, timeout_s=20, step_s=0.02):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(step_s)
    return condition()


def consume_all(topic, count, server=SERVER, timeout_s=30, partition=0, offset=0, **config):
    """[(offset, key, value, timestamp, headers)] of a partition, by librdkafka."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": server, "group.id": "none", "enable.auto.commit": False,
                         "fetch.message.max.bytes": 20000000, "log_level": 2, **config})
    consumer.assign([TopicPartition(topic, partition, offset)])
    out = []
    end = time.monotonic() + timeout_s
    while len(out) < count and time.monotonic() < end:
        for message in consumer.consume(min(10000, count - len(out)), 0.5):
            if message.error():
                raise RuntimeError(message.error())
            out.append((message.offset(), message.key(), message.value(), message.timestamp()[1],
                        message.headers()))
    consumer.close()
    return out


def produce_all(topic, messages, server=SERVER, partition=0, **config):
    """messages: (key, value, timestamp, headers); errors in the order of delivery."""
    from confluent_kafka import Producer
    errors = []
    producer = Producer({"bootstrap.servers": server, "log_level": 2, "message.max.bytes": 20000000, **config})

    def delivered(error, message):
        if error:
            errors.append(error)
    for key, value, timestamp, headers in messages:
        while True:
            try:
                extra = {} if timestamp is None else {"timestamp": timestamp}
                producer.produce(topic, value, key, partition=partition, headers=headers or [],
                                 on_delivery=delivered, **extra)
                break
            except BufferError:
                producer.poll(0.05)
    left = producer.flush(60)
    if config.get("acks") == "0":
        time.sleep(0.5)  # nobody says when it has arrived, and closing a socket early may throw away its rest
    if left:
        errors.append(f"{left} not delivered")
    return errors
