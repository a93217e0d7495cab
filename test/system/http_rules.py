#!/usr/bin/env python3
"""Who may ask, and what bad requests do: nothing changes without token, with a foreign Origin, Host or content type;
garbage, half requests, slow senders, many connections and large bodies neither stop nor fill the process."""
# timeout: 180
import concurrent.futures
import http.client
import os
import socket
import threading
import time
from _http import DIR, Server
from _tap import check, finish

with open(os.path.join(DIR, "p.sql"), "w") as file:
    file.write("CREATE TABLE gen (id INT) WITH ('connector'='datagen','rows-per-second'='10');"
               "CREATE TABLE hole (id INT) WITH ('connector'='blackhole');"
               "INSERT INTO hole SELECT id FROM gen;")
server = Server("--http", "127.0.0.1:" + os.environ["PORT"], "p.sql")
STOP = "/api/v1/jobs/1/stop"


def running():
    return [job["state"] for job in server.get("/api/v1/jobs")["jobs"]] == ["RUNNING"]


until = time.monotonic() + 20
while not server.get("/api/v1/jobs")["jobs"] and time.monotonic() < until:
    time.sleep(0.02)
own = f"http://127.0.0.1:{server.port}"
refused = [
    ("no token", {"Authorization": None}, 401, "TOKEN"),
    ("a wrong token", {"Authorization": "Bearer " + "a" * 32}, 401, "TOKEN"),
    ("an empty token", {"Authorization": "Bearer "}, 401, "TOKEN"),
    ("basic authentication", {"Authorization": "Basic " + server.token}, 401, "TOKEN"),
    ("a foreign origin", {"Origin": "http://evil.example"}, 403, "ORIGIN"),
    ("the origin null", {"Origin": "null"}, 403, "ORIGIN"),
    ("another port's origin", {"Origin": "http://127.0.0.1:1"}, 403, "ORIGIN"),
    ("a foreign host", {"Host": "evil.example"}, 421, "HOST"),
    ("a host that begins like ours", {"Host": "127.0.0.1.evil.example"}, 421, "HOST"),
    ("a form", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "CONTENT_TYPE"),
    ("plain text", {"Content-Type": "text/plain"}, 415, "CONTENT_TYPE"),
    ("no content type", {"Content-Type": None}, 415, "CONTENT_TYPE"),
]
for name, headers, code, error in refused:
    status, _, answer = server.ask("POST", STOP, {}, headers=headers)
    check(status == code and answer["error"]["code"] == error and running(), f"{name}: {code}, nothing changes", status, answer)
status, headers, answer = server.ask("GET", STOP)
check(status == 405 and headers["Allow"] == "POST", "GET for POST: 405 with Allow", status)
for path in ["/api/v1/jobs", "/api/v1/tables", "/api/v1/topics", "/api/v1/info", "/v3/info", "/sessions", "/ingest/x"]:
    status, _, _ = server.ask("POST" if path in ("/sessions", "/ingest/x") else "GET", path, token=False)
    check(status == 401, f"{path} asks for the token", status)
status, headers, _ = server.ask("GET", "/health", token=False, headers={"Origin": own})
check(status == 200 and headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
      and headers["Content-Security-Policy"].startswith("default-src 'self'")
      and "frame-ancestors 'none'" in headers["Content-Security-Policy"], "health is open; headers", dict(headers))
for path in ["/", "/index.html"]:
    status, headers, content = server.ask("GET", path, token=False)
    check(status == 200 and headers["Content-Type"].startswith("text/html") and b"<html" in content.lower(), f"page {path}")
    again = server.ask("GET", path, token=False, headers={"If-None-Match": headers["ETag"]})
    check(again[0] == 304 and not again[2], "is not sent again when it is known", again[0])
page = server.ask("GET", "/")[2]
for path in ["/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/dashboard/x"]:
    check(server.ask("GET", path)[2] == page, f"{path}: the page, as for every path without an extension")
for path in ["/nothing.js", "/api/v1/nothing", "/api/v1/jobs/1e3", "/api/v1/jobs/-1",
             "/api/v1/tables/%00", "/api/v1/tables/%ff%fe", "/api/v1/jobs/" + "9" * 400]:
    check(server.ask("GET", path)[0] == 404, f"{path[:40]}: 404")

# bodies
status, _, answer = server.ask("POST", "/v3/sessions", b"{" + b" " * (2 << 20))
check(status == 413 and answer["error"]["code"] == "TOO_LARGE", "a body above 1 MiB: 413", status, answer)
connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
connection.putrequest("POST", "/v3/sessions")
for name, value in [("Authorization", "Bearer " + server.token), ("Content-Type", "application/json"),
                    ("Transfer-Encoding", "chunked")]:
    connection.putheader(name, value)
connection.endheaders()
for _ in range(40):
    connection.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
connection.send(b"0\r\n\r\n")
check(connection.getresponse().status == 413, "without a length too")
connection.close()


def raw(data, timeout=60):
    """What comes back for these bytes until the other end closes"""
    with socket.create_connection((server.host, server.port), timeout=timeout) as one:
        got = b""
        try:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while more := one.recv(65536):
                got += more
        except OSError:
            pass
        return got


pool = concurrent.futures.ThreadPoolExecutor(20)  # some wait for the server's time limits: all at once
answers = []
for name, data in [("garbage", os.urandom(4096)), ("zeros", b"\0" * 4096), ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"),
                   ("half a request line", b"GET /hea"), ("half a header", b"GET /health HTTP/1.1\r\nHost: 127."),
                   ("a header of 64 KiB", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 65536 + b"\r\n\r\n"),
                   ("a path of 64 KiB", b"GET /" + b"x" * 65536 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
                   ("five MB without a line", b"x" * 5000000), ("half a body", b"POST /v3/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    b"Authorization: Bearer " + server.token.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"),
                   ("no host", b"GET /health HTTP/1.1\r\n\r\n"), ("a negative length", b"POST /v3/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    b"Content-Length: -5\r\n\r\n")]:
    answers.append((name, pool.submit(raw, data)))

# slow senders are cut off ten seconds after they have come, whatever they trickle
slow = [socket.create_connection((server.host, server.port), timeout=60) for _ in range(20)]
began = time.monotonic()


def trickle(one):
    try:
        for byte in b"GET /health HTTP/1.1\r\nX: " + b"x" * 1000:
            one.sendall(bytes([byte]))
            time.sleep(0.2)
    except OSError:
        pass


for one in slow:
    threading.Thread(target=trickle, args=(one,), daemon=True).start()

# a thousand connections at once: the others are served
many = [socket.create_connection((server.host, server.port), timeout=60) for _ in range(1000)]
check(server.ask("GET", "/health")[0] == 200, "served beside a thousand idle connections")
for one in many:
    one.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
served = sum(b"200 OK" in one.recv(4096) for one in many)
check(served == 1000, "all thousand are served", served)
for one in many:
    one.close()

cut = 0
for one in slow:
    try:
        while one.recv(4096):
            pass
        cut += 1
    except ConnectionError:
        cut += 1
    except TimeoutError:
        pass
    one.close()
check(cut == len(slow) and time.monotonic() - began < 55, "slow senders are cut off", cut, time.monotonic() - began)
for name, answer in answers:
    got = answer.result()
    check((not got or got.startswith(b"HTTP/1.1 4")) and server.ask("GET", "/health")[0] == 200, f"{name}: refused, it goes on", got[:80])
with open(f"/proc/{server.process.pid}/statm") as file:
    resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
check(resident < 500 << 20 and running(), "memory stays small, the job runs", resident)
status, _, _ = server.ask("POST", STOP, {})
check(status == 202, "with all that is asked for, it stops")
check(server.process.wait(30) == 0, "and the process ends", server.stderr())

# a token file that others may read would be no secret; the token is kept over restarts
check(os.stat(os.path.join(server.data, "http-token")).st_mode & 0o777 == 0o600, "the token's file is its owner's")
second = Server("--http", "127.0.0.1:" + os.environ["PORT2"])
check(second.token == server.token, "the token is kept over a restart")
code, seconds = second.stop()
check(code == 0 and seconds < 10, "Ctrl-C ends a server", code, seconds)
finish()
