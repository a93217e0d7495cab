#!/usr/bin/env python3
# timeout: 240
"""Bad data in a topic through the real executable, remote and from the log in the process: every kind of spoiled
record is counted, kept in the dead-letter table at its offset, or fails the job with its place; values of 5 MB;
what json.ignore-parse-errors lets pass; topics and brokers that are not there. No good neighbour is lost."""
import json
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _bad import *  # noqa: E402,F403

DATA = os.path.join(DIRECTORY, "data")
OTHER = os.path.join(DIRECTORY, "other")  # while a broker works on DATA
random.seed(int(os.environ.get("SEED", "1")))


def job(topic, database, servers="embedded", policy=None, ignore=False, bounded=True, letters=False):
    more = f", 'leat.bad-rows' = '{policy}'" if policy else ""
    more += ", 'json.ignore-parse-errors' = 'true'" if ignore else ""
    more += ", 'leat.dead-letter.table' = 'rejected'" if letters else ""
    more += ", 'scan.bounded.mode' = 'latest-offset'" if bounded else ""
    return f"""
CREATE TABLE rows_in (id BIGINT, small TINYINT, amount DECIMAL(10, 2), ratio DOUBLE, flag BOOLEAN, word STRING,
  at TIMESTAMP(3), place BIGINT METADATA FROM 'offset') WITH ('connector' = 'kafka', 'topic' = '{topic}',
  'properties.bootstrap.servers' = '{servers}', 'properties.group.id' = 'test',
  'scan.startup.mode' = 'earliest-offset', 'format' = 'json' {more});
CREATE TABLE rows_out (place BIGINT, id BIGINT, small TINYINT, amount DECIMAL(10, 2), ratio DOUBLE, flag BOOLEAN,
  word BIGINT, at STRING, PRIMARY KEY (place) NOT ENFORCED)
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{database}', 'table-name' = 'rows_out');
CREATE TABLE rejected (`source` STRING, `partition` INT, `offset` BIGINT, payload BYTES, error_code STRING,
  error_text STRING, `time` TIMESTAMP_LTZ(3))
  WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{database}', 'table-name' = 'rejected');
INSERT INTO rows_out SELECT place, id, small, amount, ratio, flag, CHAR_LENGTH(word), CAST(at AS STRING)
  FROM rows_in;
"""


GOOD = {"id": 7, "small": 1, "amount": 1.25, "ratio": 0.5, "flag": True, "word": "abc", "at": "2024-01-01 10:00:00"}
PLAIN = json.dumps(GOOD).encode()


def changed(**fields):
    return json.dumps({**GOOD, **fields}).encode()


def raw(name, text):
    """GOOD with the text as the field's value, whatever it is."""
    return changed(**{name: "@@"}).replace(b'"@@"', text)


ROW = (7, 1, 1.25, 0.5, 1, 3, "2024-01-01 10:00:00.000")
NAMES = ["id", "small", "amount", "ratio", "flag", "word", "at"]


def like(**fields):
    return tuple(fields.get(name, value) for name, value in zip(NAMES, ROW))


BIG = "x" * 5_000_000
# (value, columns or None where the record is bad, columns with json.ignore-parse-errors or None where it is dropped)
CASES = [
    (PLAIN, ROW, ROW),
    (json.dumps({**GOOD, "other": {"deep": [1, {"a": None}]}}).encode(), ROW, ROW),  # unknown fields
    (b"{}", (None,) * 7, (None,) * 7),
    (json.dumps({"id": 7}).encode(), (7,) + (None,) * 6, (7,) + (None,) * 6),
    (PLAIN[:-1] + b', "id": 9}', like(id=9), like(id=9)),  # the last of two counts
    (changed(id=None, word=None), like(id=None, word=None), like(id=None, word=None)),
    (PLAIN[:-1], None, None), (PLAIN + b"}", None, None), (b"no json", None, None), (b"[1, 2]", None, None),
    (b"7", None, None), (b'"text"', None, None), (b"{", None, None), (b"\x00\x01\x02", None, None),
    (b"\xff\xfe\xfd", None, None), (PLAIN.replace(b"abc", b"a\xffc"), None, None),
    (PLAIN.replace(b"abc", b"\xed\xa0\x80"), None, None),  # a surrogate as UTF-8
    (raw("word", b'"\xc3\xa9\xf0\x9f\x98\x80z"'), ROW, ROW),
    (raw("id", b"99999999999999999999"), None, like(id=None)), (raw("id", b'"x"'), None, like(id=None)),
    (raw("id", b"1.5e400"), None, None), (raw("id", b"{}"), None, like(id=None)),
    (raw("small", b"300"), None, like(small=None)), (raw("small", b"-129"), None, like(small=None)),
    (raw("amount", b'"much"'), None, like(amount=None)), (raw("amount", b"[]"), None, like(amount=None)),
    (raw("flag", b'"perhaps"'), None, None), (raw("at", b'"yesterday"'), None, like(at=None)),
    (raw("at", b'"2024-02-30 10:00:00"'), None, like(at=None)), (raw("id", b"tru"), None, None),
    (raw("word", b"[" * 10_000 + b"]" * 10_000), None, None), (b"[" * 10_000 + b"]" * 10_000, None, None),
    (PLAIN[:-1] + b', "other": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", None, None),
    (changed(word=BIG), like(word=5_000_000), like(word=5_000_000)),
    (json.dumps({"other": BIG, **GOOD}).encode(), ROW, ROW), (changed(word=BIG)[:-1], None, None),
    (changed(word=BIG).replace(b"xxxxx", b"xx\xffxx", 1), None, None), (b"x" * 5_000_000, None, None),
]
# what leat is free to take or to refuse (Flink turns any text but "true" into FALSE): only the neighbours count
FREE = {raw("flag", b'"perhaps"'), raw("id", b"1.5e400")}
for _ in range(300):
    CASES.append((PLAIN[:random.randrange(1, len(PLAIN))], None, None))
    CASES.append((PLAIN, ROW, ROW))

broker = Broker(DATA)
result = produce("rows", [BIG.encode()])
check(result.returncode != 0 and "too large" in result.stderr, "a batch above max.message.bytes is refused", result.stderr)
result = produce("rows", [case[0] for case in CASES], SERVER, "-z", "lz4")  # the limit is of the compressed batch
check(result.returncode == 0, f"kcat produces {len(CASES)} records", result.stderr)
want = {place: case[1] for place, case in enumerate(CASES) if case[1] and case[0] not in FREE}
bad = [place for place, case in enumerate(CASES) if case[1] is None and case[0] not in FREE]
lenient = {place: case[2] for place, case in enumerate(CASES) if case[2] and case[0] not in FREE}
free = [place for place, case in enumerate(CASES) if case[0] in FREE]


def out(database):
    rows = rows_of(database, "SELECT place, id, small, amount, ratio, flag, word, at FROM rows_out")
    return {row[0]: (row[1], row[2], row[3] if row[3] is None else float(row[3]), *row[4:]) for row in rows
            if row[0] not in free}


def differences(have, expected):
    return [(place, CASES[place][0][:120], have.get(place), expected.get(place))
            for place in sorted(set(have) | set(expected)) if have.get(place) != expected.get(place)][:4]


def all_policies(servers, where, data):
    database = os.path.join(DIRECTORY, where + ".db")
    result = run("-e", job("rows", database, servers, "skip"), data=data)
    check(result.clean() and result.code == 0 and out(database) == want, f"{where}: bad records are skipped",
          (differences(out(database), want), result))
    database = os.path.join(DIRECTORY, where + "_letters.db")
    result = run("-e", job("rows", database, servers, "dead-letter", letters=True), data=data)
    letters = [row for row in rows_of(database, 'SELECT "offset", payload, "source", "partition", error_text '
                                                'FROM rejected ORDER BY "offset"') if row[0] not in free]
    check(result.code == 0 and out(database) == want, f"{where}: good rows beside dead letters",
          (differences(out(database), want), result))
    check([row[:2] for row in letters] == [(place, CASES[place][0]) for place in bad],
          f"{where}: dead letters have their offsets and bytes",
          (sorted(set(bad) ^ {row[0] for row in letters})[:10], len(letters), len(bad), result))
    check(letters and all("rows" in row[2] and row[3] == 0 and row[4] for row in letters),
          f"{where}: dead letters have topic, partition and a reason", [row[2:] for row in letters][:3])
    database = os.path.join(DIRECTORY, where + "_fail.db")
    result = run("-e", job("rows", database, servers), data=data)
    check(result.clean() and result.code == 1 and result.says("rows", f"offset {bad[0]}", "leat.bad-rows"),
          f"{where}: without an option the job fails with place and option", result)
    database = os.path.join(DIRECTORY, where + "_ignore.db")
    result = run("-e", job("rows", database, servers, ignore=True), data=data)
    check(result.clean() and result.code == 0 and out(database) == lenient, f"{where}: json.ignore-parse-errors",
          (differences(out(database), lenient), result))


all_policies(SERVER, "remote", OTHER)
result = run("-e", job("rows", os.path.join(DIRECTORY, "second.db")), data=DATA)
check(result.clean() and result.code in (1, 2) and result.says("--data", DATA),
      "a second leat on the same data directory is refused with a hint", result)

# ---- topics that are not there
for topic in ("orders_europe", "orders_asia", "customers"):
    produce(topic, [PLAIN])
database = os.path.join(DIRECTORY, "missing.db")
process = start("-e", job("orders_europ", database, SERVER, bounded=False), data=OTHER)
time.sleep(3.5)
alive = process.poll() is None
result = stop(process)
check(alive and result.code == 0 and result.says("orders_europ", "does not exist", "orders_europe'"),
      "remote: the job waits for a missing topic, says so and offers the nearest name", result)
process = start("-e", job("later", database, SERVER, bounded=False), data=OTHER)
time.sleep(2.5)
produce("later", [PLAIN])
check(wait_for(lambda: len(out(database)) == 1), "remote: a topic that is made later is read", out(database))
stop(process)
result = run("-e", job("bad/name", database, SERVER), data=OTHER, seconds=10)
check(result.clean() and result.code in (1, 2) and result.says("bad/name"), "a name that no topic can have", result)

# ---- hostile peers while a job runs
database = os.path.join(DIRECTORY, "running.db")
process = start("-e", job("live", database, SERVER, "skip", bounded=False), data=OTHER)
produce("live", [PLAIN])
check(wait_for(lambda: rows_of(database, "SELECT COUNT(*) FROM rows_out") == [(1,)]), "a job runs")
idle = []
for _ in range(1000):
    connection = socket.socket()
    connection.settimeout(10)
    connection.connect(("127.0.0.1", PORT))
    idle.append(connection)
for i in range(200):
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as connection:
        try:
            connection.sendall(random.randbytes(random.randrange(1, 20_000)) if i % 4 else
                               b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            pass
    if i % 50 == 0:
        result = produce("live", [PLAIN] * 1000)
        check(result.returncode == 0, "kcat produces beside 1,000 idle connections and garbage", result.stderr)
check(wait_for(lambda: rows_of(database, "SELECT COUNT(*) FROM rows_out") == [(4001,)]),
      "every row arrives", rows_of(database, "SELECT COUNT(*) FROM rows_out"))
for connection in idle:
    connection.close()

# ---- the broker goes away and comes back; then there is none
check(broker.stop() == 0, "the broker ends", broker.text())
time.sleep(0.5)
broker = Broker(DATA)
produce("live", [PLAIN] * 10)
check(wait_for(lambda: rows_of(database, "SELECT COUNT(*) FROM rows_out") == [(4011,)], 30),
      "a job goes on after its broker was away", rows_of(database, "SELECT COUNT(*) FROM rows_out"))
result = stop(process)
check(result.clean() and result.code == 0, "and ends", result)
check(broker.stop() == 0, "the broker ends again", broker.text())
process = start("-e", job("live", os.path.join(DIRECTORY, "none.db"), SERVER, bounded=False), data=OTHER)
time.sleep(3.5)
alive = process.poll() is None
result = stop(process)
check(alive and result.clean() and result.code == 0 and result.says(SERVER), "an unreachable broker: retried, and said",
      result)


class Peer:
    """A listener that answers every connection with what `answer` says: none at all when empty."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", PORT2))
        self.listener.settimeout(0.1)
        self.answer, self.open, self.ending = answer, [], False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.ending:
            try:
                connection, _ = self.listener.accept()
                self.open.append(connection)
                connection.sendall(self.answer)
            except OSError:
                pass

    def close(self):
        self.ending = True
        self.thread.join()
        for connection in [*self.open, self.listener]:
            connection.close()


for answer, name in [(b"", "a broker that never answers"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server"),
                     (random.randbytes(5000), "a peer that talks garbage")]:
    peer = Peer(answer)
    address = f"127.0.0.1:{PORT2}"
    process = start("-e", job("live", os.path.join(DIRECTORY, "none.db"), address, bounded=False), data=OTHER)
    time.sleep(3.5)
    alive = process.poll() is None
    result = stop(process, 10)
    peer.close()
    check(alive and result.clean() and result.code == 0 and result.says(address), name + ": retried, and said", result)
process = start("-e", job("live", os.path.join(DIRECTORY, "none.db"), "no-such-host.invalid:9092", bounded=False),
                data=OTHER)
time.sleep(3.5)
result = stop(process, 10)
check(result.clean() and result.says("no-such-host.invalid"), "a host that is not there", result)

# ---- the log in the process
all_policies("embedded", "embedded", DATA)
database = os.path.join(DIRECTORY, "made.db")
result = run("-e", job("fresh", database), data=DATA)
check(result.code == 0 and result.says("fresh"), "embedded: a missing topic is made with a notice", result)
result = run("-e", job("bad/name", database), data=DATA)
check(result.clean() and result.code in (1, 2) and result.says("bad/name"), "embedded: a name that no topic can have",
      result)

# ---- csv
broker = Broker(DATA)
lines = [b"1,a", b"2,b", b"x,c", b"4", b"5,e,f", b"", b'"6,g', b'7,"h"h', b"99999999999999999999,i", b"10,\xff", b"11,k",
         b"12," + BIG.encode(), b"13,m", b'"14","n,o"']
check(produce("lines", lines, SERVER, "-z", "lz4").returncode == 0, "kcat produces lines")
broker.stop()
for policy, wanted in [("skip", 0), ("fail", 1)]:
    result = run("--result=csv", "-e", f"""
CREATE TABLE rows_in (id BIGINT, word STRING, place BIGINT METADATA FROM 'offset' VIRTUAL) WITH ('connector' = 'kafka',
  'topic' = 'lines', 'properties.bootstrap.servers' = 'embedded', 'properties.group.id' = 'test',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'csv',
  'leat.bad-rows' = '{policy}');
SELECT id, CHAR_LENGTH(word) FROM rows_in;""", data=DATA)
    have = {line.strip() for line in result.out.splitlines()}
    check(result.clean() and result.code == wanted and
          (policy == "fail" or {"1,1", "2,1", "11,1", "12,5000000", "13,1", "14,3"} <= have),
          f"spoiled lines of csv: {policy}", result)
finish()
