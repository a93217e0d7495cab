#!/usr/bin/env python3
"""What does not come from a well-behaved client: garbage, half requests, wrong lengths, damaged batches,
requests cut into any pieces. The broker answers, or closes that connection, and serves the others."""
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403

random.seed(int(os.environ.get("SEED", "1")))


def varint(value):
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def batch(values, count=None, delta=None, attributes=0, magic=2, producer=-1, crc=None):
    records = b""
    for i, value in enumerate(values):
        body = b"\0" + varint(0) + varint(i) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    count = len(values) if count is None else count
    rest = struct.pack(">hiqqqhii", attributes, count - 1 if delta is None else delta, 1000, 1000, producer, -1, -1,
                       count) + records
    crc = crc32c(rest) if crc is None else crc
    return struct.pack(">qiibI", 0, len(rest) + 9, -1, magic, crc) + rest


def request(key, version, body, correlation=7):
    data = struct.pack(">hhih", key, version, correlation, 1) + b"c" + body
    return struct.pack(">i", len(data)) + data


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def produce(topic, records, acks=1, correlation=7):
    return request(0, 7, struct.pack(">hhii", -1, acks, 1000, 1) + text(topic) +
                   struct.pack(">iii", 1, 0, len(records)) + records, correlation)


def connect():
    return socket.create_connection(("127.0.0.1", PORT), 5)


def receive(connection):
    def exactly(size):
        data = b""
        while len(data) < size:
            part = connection.recv(size - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data
    return exactly(struct.unpack(">i", exactly(4))[0])


def error_of(answer, topic):
    return struct.unpack(">h", answer[4 + 4 + 2 + len(topic) + 4 + 4:][:2])[0]


def is_closed(connection):
    try:
        while connection.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def test_garbage(broker):
    tls = bytes.fromhex("16030100f5010000f10303") + random.randbytes(240)
    huge = struct.pack(">i", 200 << 20) + b"x" * 100
    for name, data in [("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), ("TLS", tls), ("a length of 200 MB", huge),
                       ("a negative length", b"\xff" * 100), ("a length of 0", bytes(100)),
                       ("an API that is not advertised", request(11, 0, b"")),
                       ("a version that is not advertised", request(1, 99, b"")),
                       ("a header alone", struct.pack(">ihhi", 8, 3, 1, 1)),
                       ("an array of 2 billion", request(3, 1, b"\x7f\xff\xff\xff")),
                       ("a string past the end", request(3, 1, struct.pack(">ih", 1, 1000)))]:
        connection = connect()
        connection.sendall(data)
        check(is_closed(connection) and broker.alive(), f"{name}: the connection is closed")
        connection.close()
    closed = 0
    for _ in range(300):
        connection = connect()
        data = random.randbytes(random.randrange(1, 2000))
        if random.random() < 0.8:  # a true frame with a header that leads to some decoder
            data = struct.pack(">hhih", random.choice([0, 1, 2, 3, 10, 18, 19, 20, 23, 32, 37, 60]),
                               random.randrange(13), 1, -1) + bytes(random.choices([0, 0, 0, 1, 2, 255], k=len(data)))
            data = struct.pack(">i", len(data)) + data
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            closed += is_closed(connection)
        except OSError:
            closed += 1
        connection.close()
    check(closed == 300 and broker.alive(), "300 random requests", closed)


def test_unsupported_api_versions():
    connection = connect()
    connection.sendall(request(18, 77, b""))
    answer = receive(connection)
    check(struct.unpack(">ih", answer[:6]) == (7, 35), "ApiVersions of an unknown version is answered in version 0")
    connection.close()


def test_damaged_batches():
    connection = connect()
    connection.sendall(request(3, 1, struct.pack(">i", 1) + text("damaged")))
    receive(connection)

    def code(records, acks=1):
        connection.sendall(produce("damaged", records, acks))
        return error_of(receive(connection), "damaged")
    good = batch([b"one", b"two"])
    check(code(good) == 0, "a good batch")
    check(code(good[:-1] + b"\1") == 2, "a flipped byte: CORRUPT_MESSAGE")
    check(code(good[:40]) == 2, "a cut header")
    check(code(batch([b"one"], count=2)) == 2, "fewer records than said")
    check(code(batch([b"one"], delta=5)) == 2, "a wrong last offset delta")
    check(code(good + good) == 87, "two batches in one partition: INVALID_RECORD")
    check(code(batch([b"x"], magic=1)) == 43, "format 1: UNSUPPORTED_FOR_MESSAGE_FORMAT")
    check(code(batch([b"x"], attributes=0x20)) == 2, "a control batch")
    check(code(batch([b"x"], attributes=0x10)) == 87, "a transactional batch")
    check(code(batch([b"x"], producer=5)) == 87, "an idempotent batch")
    check(code(batch([b"x"], attributes=0x08)) == 32, "LogAppendTime from a client")
    check(code(batch([b"x"], attributes=4)) == 2, "not zstd although it says so")
    check(code(good, acks=5) == 21, "acks=5: INVALID_REQUIRED_ACKS")
    connection.sendall(produce("nowhere", good))
    check(error_of(receive(connection), "nowhere") == 3, "an unknown topic")
    connection.close()
    got = consume_all("damaged", 2)
    check([message[2] for message in got] == [b"one", b"two"], "only the good one is there", got)
    connection = connect()
    connection.sendall(produce("nowhere", good, acks=0))
    check(is_closed(connection), "acks=0 refused: the connection is closed")
    connection.close()


def test_any_pieces():
    """Requests of all sizes on one connection, cut anywhere: all answered in order, all stored."""
    connection = connect()
    connection.sendall(request(3, 1, struct.pack(">i", 1) + text("pieces")))
    receive(connection)
    values, stream, answers = [], b"", 0
    for i in range(150):
        value = random.randbytes(random.choice([1, 100, 5000, 70000, 300000]))
        values.append(value)
        stream += produce("pieces", batch([value]), random.choice([1, -1]), correlation=i)
    at, bad = 0, []
    connection.settimeout(20)
    while answers < len(values):
        if at < len(stream):
            size = random.choice([1, 3, 100, 4096, 65536, 500000])
            connection.setblocking(False)
            try:
                at += connection.send(stream[at:at + size])
            except BlockingIOError:
                pass
            connection.setblocking(True)
            connection.settimeout(0.001 if at < len(stream) else 20)
        try:
            answer = receive(connection)
        except socket.timeout:
            continue
        if struct.unpack(">i", answer[:4])[0] != answers or error_of(answer, "pieces"):
            bad.append((answers, answer[:40]))
        answers += 1
    connection.close()
    check(not bad, "answers in the order of the requests", bad[:3])
    got = [message[2] for message in consume_all("pieces", len(values))]
    check(got == values, "all stored in order", (len(got), len(values)))


def test_half_requests(broker):
    before = broker.rss_kb()
    halves = []
    for _ in range(200):
        connection = connect()
        connection.sendall(struct.pack(">i", 100 << 20) + random.randbytes(500))
        halves.append(connection)
    errors = produce_all("while", [(None, b"x", None, None)] * 100)
    check(not errors, "others are served while 200 clients have announced 100 MB each")
    check(broker.rss_kb() - before < 40000, "which costs them, not the broker", broker.rss_kb() - before)
    for connection in halves:
        connection.close()


def test_gone_after_acks0(broker):
    """A client that sends with acks=0 and goes, while the broker has answers for it: all that had arrived is kept.
    The broker is stopped meanwhile, so that everything lies in its socket when it finds the client gone."""
    connection = connect()
    connection.sendall(request(3, 1, struct.pack(">i", 1) + text("gone")))
    receive(connection)
    broker.process.send_signal(signal.SIGSTOP)
    for i in range(300):
        if i % 100 == 0:
            connection.sendall(request(18, 0, b""))
        connection.sendall(produce("gone", batch([b"%d" % i]), acks=0))
    connection.close()
    broker.process.send_signal(signal.SIGCONT)
    got = [message[2] for message in consume_all("gone", 300, timeout_s=10)]
    check(got == [b"%d" % i for i in range(300)], "acks=0 and gone: what had arrived is kept", len(got))


def test_large_frames(broker):
    before = broker.rss_kb()
    connection = connect()
    connection.sendall(request(3, 1, struct.pack(">i", 1) + text("large")))
    receive(connection)
    connection.sendall(produce("large", batch([b"x" * (6 << 20)])))
    code = error_of(receive(connection), "large")
    check(code == 10, "a batch of 6 MB is too large, says the answer", code)
    connection.sendall(produce("large", batch([b"after"])))
    check(error_of(receive(connection), "large") == 0, "and the connection goes on")
    connection.sendall(request(3, 1, b"\0" * (6 << 20)))
    check(is_closed(connection), "any other request of 6 MB closes it")
    connection.close()
    if "san" not in os.path.basename(BUILD):  # a sanitizer keeps what was freed
        check(broker.rss_kb() - before < 40000, "memory is given back", broker.rss_kb() - before)


def test_slow_loris(broker):
    """200 clients send a request byte by byte, none to its end: others are served as if they were not there."""
    slow = [connect() for _ in range(200)]
    stream = produce("loris", batch([b"x" * 1000]))
    for at in range(20):
        for connection in slow:
            connection.sendall(stream[at:at + 1])
        if at == 10:
            check(not produce_all("quick", [(None, b"x", None, None)] * 1000), "produced among 200 slow clients")
    cpu_s = broker.cpu_s()
    time.sleep(1)
    check(broker.cpu_s() - cpu_s < 0.3, "which cost nothing while they are silent", broker.cpu_s() - cpu_s)
    for connection in slow[:100]:
        connection.sendall(stream[20:])
    check(all(error_of(receive(connection), "loris") == 3 for connection in slow[:100]), "each is answered when it is done")
    for connection in slow:
        connection.close()


def main():
    broker = Broker().start()
    test_garbage(broker)
    test_unsupported_api_versions()
    test_damaged_batches()
    test_any_pieces()
    test_half_requests(broker)
    test_gone_after_acks0(broker)
    test_large_frames(broker)
    test_slow_loris(broker)
    check(broker.stop() == 0, "clean stop")
    finish()


main()
