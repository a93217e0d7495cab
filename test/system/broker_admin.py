#!/usr/bin/env python3
# timeout: 60
"""Administration and idempotent producers by hand-made requests: answers and error codes as Kafka gives them."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403

TOPIC, NODE = 2, 4  # types of resources
OK, OUT_OF_RANGE, UNKNOWN, INVALID_CONFIG, INVALID_REQUEST = 0, 1, 3, 40, 42
OUT_OF_ORDER, OLD_EPOCH, UNKNOWN_ID, INVALID_RECORD = 45, 47, 100, 87


def batch(count, producer=-1, epoch=-1, sequence=-1, time_ms=1000):
    records = b"".join(bytes([14, 0, 0, i * 2, 1, 2, 120, 0]) for i in range(count))
    rest = struct.pack(">hiqqqhii", 0, count - 1, time_ms, time_ms, producer, epoch, sequence, count) + records
    return struct.pack(">qiibI", 0, len(rest) + 9, -1, 2, crc32c(rest)) + rest


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def text(self):
        length = self.take("h")
        self.at += max(length, 0)
        return None if length < 0 else self.data[self.at - length:self.at].decode()

    def array(self, item):
        return [item() for _ in range(self.take("i"))]

    # of flexible versions
    def short(self):
        self.at += 1  # all numbers here are below 128
        return self.data[self.at - 1] - 1

    def short_text(self):
        length = self.short()
        self.at += max(length, 0)
        return None if length < 0 else self.data[self.at - length:self.at].decode()

    def short_array(self, item):
        return [item() for _ in range(self.short())]

    def tags(self):
        assert self.take("b") == 0
        return self


def text(value):
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value)) + value.encode()


def array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


def short_text(value):
    return bytes([len(value) + 1]) + value.encode()


def short_array(items):
    return bytes([len(items) + 1]) + b"".join(items)


def ask(key, version, body, flexible=False):
    """The answer behind its header."""
    with socket.create_connection(("127.0.0.1", PORT), 10) as connection:
        data = struct.pack(">hhih", key, version, 7, -1) + (b"\0" if flexible else b"") + body
        connection.sendall(struct.pack(">i", len(data)) + data)
        size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
        answer = Reader(connection.recv(size, socket.MSG_WAITALL))
        assert answer.take("i") == 7
        return answer.tags() if flexible else answer


def create(name, partitions=1):
    body = array([text(name) + struct.pack(">ih", partitions, 1) + array([]) + array([])]) + struct.pack(">i", 5000)
    ask(19, 0, body)


def produce(topic, records, acks=-1, partition=0):
    """(error, base offset)"""
    body = struct.pack(">hhi", -1, acks, 5000) + array([text(topic) + array([struct.pack(">ii", partition, len(records)) +
                                                                           records])])
    answer = ask(0, 7, body)

    def one():
        index, error, base, _, _ = answer.take("ihqqq")
        return error, base
    return answer.array(lambda: (answer.text(), answer.array(one)))[0][1][0]


def producer_id(transactional=None, version=1):
    answer = ask(22, version, text(transactional) + struct.pack(">i", 1000))
    _, error, identity, epoch = answer.take("ihqh")
    return error, identity, epoch


def alter(resources, validate=False):
    """AlterConfigs; [(error, text)]"""
    answer = ask(33, 0, array([struct.pack(">b", kind) + text(name) + array([text(key) + text(value) for key, value in
                                                                          entries])
                               for kind, name, entries in resources]) + struct.pack(">?", validate))
    return results(answer)


def change(kind, name, entries, validate=False):
    """IncrementalAlterConfigs; (error, text)"""
    answer = ask(44, 0, array([struct.pack(">b", kind) + text(name) +
                               array([text(key) + struct.pack(">b", operation) + text(value)
                                      for key, operation, value in entries])]) + struct.pack(">?", validate))
    return results(answer)[0]


def results(answer):
    answer.take("i")

    def one():
        out = answer.take("h"), answer.text()
        answer.take("b")
        answer.text()
        return out
    return answer.array(one)


def configs(name, kind=TOPIC):
    """DescribeConfigs: {key: (value, is default)}"""
    answer = ask(32, 0, array([struct.pack(">b", kind) + text(name) + struct.pack(">i", -1)]))
    answer.take("i")

    def entry():
        key, value = answer.text(), answer.text()
        _, default, _ = answer.take("???")
        return key, (value, default)

    def one():
        answer.take("h")
        answer.text()
        answer.take("b")
        answer.text()
        return dict(answer.array(entry))
    return answer.array(one)[0]


def delete_records(topic, offset, partition=0):
    answer = ask(21, 0, array([text(topic) + array([struct.pack(">iq", partition, offset)])]) + struct.pack(">i", 5000))
    answer.take("i")
    _, low, error = answer.array(lambda: (answer.text(), answer.array(lambda: answer.take("iqh"))))[0][1][0]
    return error, low


def offset_at(topic, timestamp, version=8):
    body = struct.pack(">ib", -1, 0) + short_array([short_text(topic) + short_array(
        [struct.pack(">iiq", 0, -1, timestamp) + b"\0"]) + b"\0"]) + b"\0"
    answer = ask(2, version, body, True)
    answer.take("i")
    answer.short()
    answer.short_text()
    answer.short()
    _, error, _, offset, _ = answer.take("ihqqi")
    return error, offset


def test_configs():
    create("configs")
    check(change(TOPIC, "configs", [("retention.ms", 0, "77000"), ("segment.bytes", 0, "100000")]) == (OK, None), "set two")
    check(change(TOPIC, "configs", [("segment.bytes", 1, None)]) == (OK, None), "one goes back")
    now = configs("configs")
    check(now["retention.ms"] == ("77000", False) and now["segment.bytes"][1], "as described", now)
    check(change(TOPIC, "configs", [("retention.ms", 0, "1")], validate=True) == (OK, None) and
          configs("configs")["retention.ms"][0] == "77000", "validate only")
    for entries, wanted, what in [([("retention.ms", 0, "x")], INVALID_CONFIG, "no number"),
                                  ([("retention.m", 0, "1")], INVALID_CONFIG, "no such key"),
                                  ([("cleanup.policy", 0, "compact")], INVALID_CONFIG, "not built"),
                                  ([("cleanup.policy", 2, "delete")], INVALID_REQUEST, "append"),
                                  ([("retention.ms", 9, "1")], INVALID_REQUEST, "no such operation"),
                                  ([("retention.ms", 0, "1"), ("retention.ms", 1, None)], INVALID_REQUEST, "twice")]:
        error, why = change(TOPIC, "configs", entries)
        check(error == wanted and why, f"refused: {what} ({why})", (error, why))
    check("retention.ms" in change(TOPIC, "configs", [("retention.m", 0, "1")])[1], "the nearest key is named")
    check(change(TOPIC, "gone", [("retention.ms", 0, "1")])[0] == UNKNOWN, "no such topic")
    check(change(NODE, "1", [("num.partitions", 0, "3")])[0] == INVALID_REQUEST, "the broker's are read-only")
    check(change(16, "x", [("a", 0, "b")])[0] == INVALID_REQUEST, "other resources have none")
    check(alter([(TOPIC, "configs", [("segment.bytes", "200000")])])[0][0] == OK, "AlterConfigs")
    now = configs("configs")
    check(now["segment.bytes"] == ("200000", False) and now["retention.ms"][1], "replaces them all", now)
    check(configs("1", NODE)["producer.id.expiration.ms"][0] == "86400000", "the broker's configs are described")


def test_records():
    create("records")
    for time_ms in (1000, 5000, 3000):
        produce("records", batch(4, time_ms=time_ms))
    check(offset_at("records", -1) == (OK, 12) and offset_at("records", -2) == (OK, 0), "latest and earliest")
    check(offset_at("records", -3) == (OK, 4), "the largest timestamp", offset_at("records", -3))
    check(offset_at("records", -4) == (OK, 0) and offset_at("records", -5) == (OK, -1), "earliest local; nothing is tiered")
    check(delete_records("records", 6) == (OK, 6), "records deleted up to 6")
    check(offset_at("records", -2) == (OK, 6) and offset_at("records", -4) == (OK, 6), "the log begins there")
    check(delete_records("records", 3) == (OK, 6), "what is gone stays gone")
    check(delete_records("records", 13) == (OUT_OF_RANGE, -1), "not past the end")
    check(delete_records("records", 1, partition=9) == (UNKNOWN, -1), "no such partition")
    check(delete_records("records", -1) == (OK, 12), "-1: all of them")
    answer = ask(35, 1, array([text("records") + array([struct.pack(">i", 0), struct.pack(">i", 9)])]))
    answer.take("i")
    found = answer.array(lambda: (answer.take("h"), answer.text(), answer.array(
        lambda: (answer.text(), answer.array(lambda: answer.take("iqq?"))))))
    check(len(found) == 1 and found[0][0] == OK and found[0][1].endswith("/data/topics") and
          [part[0] for part in found[0][2][0][1]] == [0], "log dirs", found)


def test_pages():
    """DescribeTopicPartitions in pages of three partitions: all of them come once, in order."""
    names = {"page-a": 2, "page-b": 5, "page-c": 1}
    for name, count in names.items():
        create(name, count)
    seen, cursor, pages = [], b"\xff", 0
    while cursor != b"" and pages < 10:
        body = short_array([short_text(name) + b"\0" for name in reversed(names)]) + struct.pack(">i", 3) + cursor + b"\0"
        answer = ask(75, 0, body, True)
        answer.take("i")

        def partition():
            _, index, leader, _ = answer.take("hiii")
            for _ in range(5):
                answer.short_array(lambda: answer.take("i"))
            answer.tags()
            return index if leader == 1 else None

        def topic():
            answer.take("h")
            name = answer.short_text()
            answer.take("16s?")
            indexes = answer.short_array(partition)
            answer.take("i")
            answer.tags()
            return [(name, index) for index in indexes]
        for some in answer.short_array(topic):
            seen += some
        cursor = b""
        if answer.take("b") == 1:
            cursor = b"\1" + short_text(answer.short_text()) + struct.pack(">i", answer.take("i")) + b"\0"
        pages += 1
    want = [(name, index) for name in sorted(names) for index in range(names[name])]
    check(seen == want and pages == 3, "topics described in pages", (pages, seen))


def test_producers(broker):
    create("producers")
    first, second = producer_id(), producer_id(version=0)
    check(first[0] == second[0] == OK and first[1] != second[1] and first[2] == 0, "two ids", (first, second))
    ask(10, 1, text("tx") + b"\1")  # FindCoordinator of a transactional id, as clients begin
    one, again = producer_id("tx"), producer_id("tx")
    check(one[0] == again[0] == OK and one[1] == again[1] and again[2] == one[2] + 1,
          "a transactional id keeps its producer and gets a new epoch", (one, again))
    identity = first[1]
    check(produce("producers", batch(3, identity, 0, 0)) == (OK, 0), "sequences 0 to 2")
    check(produce("producers", batch(2, identity, 0, 3)) == (OK, 3), "3 and 4")
    check(produce("producers", batch(3, identity, 0, 0)) == (OK, 0), "sent again: the same offset")
    check(produce("producers", batch(1, identity, 0, 6))[0] == OUT_OF_ORDER, "a gap")
    check(produce("producers", batch(1, identity, 0, -1))[0] == INVALID_RECORD, "no sequence")
    check(produce("producers", batch(1, identity, 1, 0)) == (OK, 5), "a new epoch")
    check(produce("producers", batch(1, identity, 0, 5))[0] == OLD_EPOCH, "the old one")
    broker.kill()
    broker.start()
    third = producer_id()
    check(third[0] == OK and third[1] > max(identity, second[1]), "an id is not given again after kill -9", third)
    check(produce("producers", batch(1, identity, 1, 0)) == (OK, 5), "sent again after kill -9: the same offset")
    check(produce("producers", batch(1, identity, 0, 5))[0] == OLD_EPOCH, "the old epoch is still old")
    check(produce("producers", batch(1, identity, 1, 2))[0] == OUT_OF_ORDER, "a gap is still one")
    check(produce("producers", batch(1, identity, 1, 1)) == (OK, 6), "what follows is taken")
    check(offset_at("producers", -1) == (OK, 7), "seven records in all")
    answer = ask(61, 0, short_array([short_text("producers") + short_array([struct.pack(">i", 0)]) + b"\0"]) + b"\0", True)
    answer.take("i")
    answer.short()
    answer.short_text()
    answer.short()
    _, error = answer.take("ih")
    answer.short_text()
    found = answer.short_array(lambda: (answer.take("qiiqiq"), answer.tags())[0])
    check(error == OK and [(one[0], one[1], one[2]) for one in found] == [(identity, 1, 1)], "described", found)


def topic_id(name):
    """Metadata 12, without making the topic."""
    answer = ask(3, 12, short_array([b"\0" * 16 + short_text(name) + b"\0"]) + b"\0\0\0", True)
    answer.take("i")
    answer.short_array(lambda: (answer.take("i"), answer.short_text(), answer.take("i"), answer.short_text(), answer.tags()))
    answer.short_text()
    answer.take("i")
    answer.short()
    error, _ = answer.take("h"), answer.short_text()
    return answer.take("16s") if error == OK else None


def test_by_id():
    create("by-id")
    identity = topic_id("by-id")
    for asked, wanted in [(identity, OK), (b"\1" * 16, UNKNOWN_ID)]:
        records = batch(1)
        body = b"\0" + struct.pack(">hi", -1, 5000) + short_array([asked + short_array(
            [struct.pack(">i", 0) + bytes([len(records) + 1]) + records + b"\0"]) + b"\0"]) + b"\0"
        answer = ask(0, 13, body, True)
        answer.short()
        got = answer.take("16s")
        answer.short()
        _, error, _ = answer.take("ihq")
        check(got == asked and error == wanted, f"Produce by topic id: {wanted}", (got, error))
    for asked, wanted in [(b"\1" * 16, UNKNOWN_ID), (identity, OK), (identity, UNKNOWN_ID)]:
        answer = ask(20, 6, short_array([b"\0" + asked + b"\0"]) + struct.pack(">i", 5000) + b"\0", True)
        answer.take("i")
        name, got, error = answer.short_array(lambda: (answer.short_text(), answer.take("16s"), answer.take("h"),
                                                       answer.short_text(), answer.tags()))[0][:3]
        check(got == asked and error == wanted, f"DeleteTopics by id: {wanted}", (name, got, error))
    check(topic_id("by-id") is None, "it is gone")


def main():
    broker = Broker().start()
    test_configs()
    test_records()
    test_pages()
    test_producers(broker)
    test_by_id()
    check(broker.stop() == 0, "clean stop")
    finish()


main()
