#!/usr/bin/env python3
"""Rows over HTTP: eight clients at once arrive exactly once in a SQLite table; bodies of all forms, statuses."""
import http.client
import os
import socket
import threading

from _ingest import JSON, LINES, DIRECTORY, Leat, lines
from _tap import check, finish, rows_of, wait_for

CLIENTS, REQUESTS = 8, 40
SQL = """
CREATE TABLE t (client INT NOT NULL, n INT NOT NULL, note VARCHAR(10), CHECK (n >= 0))
WITH ('connector' = 'http-ingest', 'topic' = 't', 'format' = 'json', 'max-body-bytes' = '6 mb');
CREATE TABLE o (client INT, n INT, note STRING)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:o.db', 'table-name' = 'o');
INSERT INTO o SELECT client, n, note FROM t;
"""
leat = Leat(SQL)
stored = os.path.join(DIRECTORY, "o.db")


def stored_rows():
    return sorted(rows_of(stored, "SELECT client, n FROM o"))


# ---- eight clients: single rows, arrays and lines, some rows bad
wrong, expected = [], []


def client(number):
    poster = leat.poster("t")
    for i in range(REQUESTS):
        rows = [{"client": number, "n": i * 10 + k} for k in range(1 + i % 5)]
        bad = [{"client": number, "n": -1}] if i % 3 == 0 else []
        if len(rows) == 1 and not bad:
            status, answer, _ = poster.post(rows[0])
        elif i % 2:
            status, answer, _ = poster.post(bad + rows)
        else:
            status, answer, _ = poster.post(lines(rows + bad), LINES)
        if (status, answer["accepted"]) != (422 if bad else 200, len(rows)):
            wrong.append((status, answer))
        expected.extend((row["client"], row["n"]) for row in rows)


threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
check(not wrong, "eight clients: every answer is right", wrong[:3])
check(wait_for(lambda: len(stored_rows()) >= len(expected)), "their rows arrive", len(stored_rows()))
check(stored_rows() == sorted(expected), "each exactly once")

# ---- one body of 100,000 rows
poster = leat.poster("t")
many = b"".join(b'{"client":100,"n":%d}\n' % n for n in range(100000))
status, answer, _ = poster.post(many, LINES)
check((status, answer) == (200, {"accepted": 100000}), "100,000 rows in a body", (status, answer))
count = "SELECT COUNT(*), COUNT(DISTINCT n) FROM o WHERE client = 100"
check(wait_for(lambda: rows_of(stored, count)[0] == (100000, 100000)), "all of them arrive", rows_of(stored, count))

# ---- what is refused
before = len(stored_rows())
status, answer, _ = poster.post([{"client": 1, "n": 1}, {"client": 2}, {"n": "x"}, {"client": 3, "n": 3, "note": "x" * 11}],
                                query="?atomic=true")
check(status == 422 and answer["accepted"] == 0 and answer["rejected"] == 3, "atomic: none", answer)
check([(error["row"], error["field"], error["constraint"], error["value"]) for error in answer["errors"]] ==
      [(2, "n", "INT NOT NULL", None), (3, "n", "INT NOT NULL", "x"), (4, "note", "VARCHAR(10)", "x" * 11)],
      "row, field, constraint and value of each", answer)
for body, kind, name in [(b"[{}", JSON, "an array that breaks off"), (b"", JSON, "an empty body")]:
    status, answer, _ = poster.post(body, kind)
    check(status == 400 and answer["error"]["code"] == "BODY", name, answer)
for body, name in [(b'{"client": 1', "half an object"), (b'{"client":1,"n":"\xff"}', "bytes that are no UTF-8"),
                   (b'{"client":1,"n":99999999999}', "a number out of range"), (b"[" * 100000 + b"]" * 100000, "deep nesting"),
                   (b'{"client":1,"n":1}{"client":1,"n":1}', "two objects")]:
    status, answer, _ = poster.post(body)
    check(status == 422 and answer["accepted"] == 0, name, answer)
status, answer, _ = poster.post(b'{"client":1,"n":1,"note":"' + b"x" * (5 << 20) + b'"}')
check(status == 422 and answer["rejected"] == 1, "a row of 5 MB", str(answer)[:500])
status, answer, _ = poster.post({"client": 1, "n": 1}, query="?atomc=true")
check(status == 400 and answer["error"]["code"] == "PARAMETER", "an unknown parameter", answer)
for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None,
             "application/json; charset=utf-16"):
    status, answer, _ = leat.poster("t").post(b'{"client":1,"n":1}', kind)
    check(status == 415, f"content type {kind}", answer)
status, answer, _ = leat.poster("nothing").post({})
check(status == 404, "no such path", answer)
status, answer, headers = leat.poster("t").post(b"", method="PUT")
check(status == 405 and headers["Allow"] == "POST", "PUT", answer)
status, answer, _ = leat.poster("t").post({"client": 1, "n": 1}, Authorization="Bearer wrong")
check(status == 401, "a wrong token", answer)
status, answer, _ = leat.poster("t").post({"client": 1, "n": 1}, Origin="http://evil.example")
check(status == 403, "a foreign Origin", answer)
status, answer, _ = leat.poster("t").post({"client": 1, "n": 1}, Host="evil.example")
check(status == 421, "a foreign Host", answer)

# ---- too large: told before the body has come, and also without a length
connection = socket.create_connection((leat.host, leat.port), timeout=60)
head = (f"POST /ingest/t HTTP/1.1\r\nHost: {leat.host}:{leat.port}\r\nAuthorization: Bearer {leat.token}\r\n"
        f"Content-Type: {JSON}\r\n")
connection.sendall((head + "Content-Length: 99999999\r\n\r\n").encode())
check(b" 413 " in connection.recv(4096), "413 from the announced length alone")
connection.close()
connection = socket.create_connection((leat.host, leat.port), timeout=60)
connection.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
answer = b""
try:
    for _ in range(6):
        connection.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
    connection.sendall(b"1\r\n \r\n0\r\n\r\n")
    answer = connection.recv(4096)
except OSError:
    pass
check(b" 413 " in answer, "413 of a chunked body that grows too large", answer)
connection.close()
connection = socket.create_connection((leat.host, leat.port), timeout=60)
row = b'{"client":200,"n":1}'
connection.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode() +
                   b"".join(b"1\r\n%c\r\n" % byte for byte in row) + b"0\r\n\r\n")
answer = connection.recv(4096)
check(b" 200 " in answer and b'{"accepted":1}' in answer, "a chunked body, a byte a chunk", answer)
connection.close()

# ---- a client that goes away before its answer
for _ in range(20):
    connection = socket.create_connection((leat.host, leat.port), timeout=60)
    connection.sendall((head + f"Content-Length: {len(row)}\r\n\r\n").encode() + row)
    connection.close()
status, answer, _ = leat.poster("t").post({"client": 300, "n": 1})
check(status == 200, "clients that went away do no harm", answer)
check(wait_for(lambda: (300, 1) in stored_rows()), "later rows arrive")
left = [row for row in stored_rows() if row[0] not in (200, 300)]
check(len(left) == before, "nothing refused arrived", (len(left), before))
check(leat.stop() == 0, "a signal ends it cleanly", leat.said())
finish()
