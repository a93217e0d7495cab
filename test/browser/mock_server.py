#!/usr/bin/env python3
"""A server for web/dist with scripted data and faults, for the page's tests and for work on the page without leat.

    python3 test/browser/mock_server.py [--port N] [--rate ORDERS_PER_SECOND] [--orders N] [--only DASHBOARD]

Prints the address to open. It speaks the same API as leat (token, errors, event stream). Faults and changes are asked
for by POST /mock/NAME (JSON body): see Mock.control.
"""
import argparse
import json
import os
import queue
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import _mock_data as data  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}
SECURITY = {"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
START_MS = int(time.time() * 1000)


class Watcher:
    """One live connection: what it has still to send, and the sequence of each of its panels."""

    def __init__(self, dashboard, selectors):
        self.dashboard, self.selectors = dashboard, selectors
        self.queue, self.sequence = queue.Queue(), {}


class Mock:
    def __init__(self, options):
        self.options, self.token = options, "mock-token"
        self.lock, self.watchers = threading.RLock(), []
        self.shop, self.fixed, self.gateway = data.Shop(1), data.fixed_tables(), Gateway()
        self.refuse_until, self.stopped, self.opened, self.delay = 0, [], 0, 0
        self.start_ms, self.mute = START_MS, False
        for _ in range(options.orders):
            self.shop.order()
        if options.rate:
            threading.Thread(target=self.tick, daemon=True).start()

    def tick(self):
        while True:
            time.sleep(1 / self.options.rate)
            self.order(1)

    def dashboards(self):
        return {name: one for name, one in data.DASHBOARDS.items() if self.options.only in (None, name)}

    def table_of(self, watcher, panel):
        if watcher.dashboard == "ecommerce":
            return self.shop.tables["share:" + watcher.selectors.get("by", "CardType") if panel == "share" else panel]
        return self.fixed[watcher.dashboard].get(panel)

    def snapshot(self, watcher, panel):
        table = self.table_of(watcher, panel)
        if table is None:
            return
        watcher.sequence[panel] = watcher.sequence.get(panel, 6) + 1
        self.put(watcher, "snapshot", {"panel": panel, "seq": watcher.sequence[panel], "columns": table.columns,
                                       "key": table.key, "rows": table.rows})

    def put(self, watcher, event, frame):
        watcher.queue.put(f"event: {event}\nid: {watcher.sequence.get(frame.get('panel'), 0)}\n"
                          f"data: {json.dumps(frame, ensure_ascii=False)}\n\n".encode())

    def watch(self, dashboard, selectors):
        watcher = Watcher(dashboard, selectors)
        with self.lock:
            self.opened += 1
            self.put(watcher, "hello", {"dashboard": dashboard, "server_start": self.start_ms})
            for panel in data.DASHBOARDS[dashboard]["panels"]:
                state, why = data.STATUS.get(dashboard, {}).get(panel["id"], ("running", ""))
                if panel["id"] != "loading":
                    self.put(watcher, "status", {"panel": panel["id"], "state": state, "why": why})
                self.snapshot(watcher, panel["id"])
            self.watchers.append(watcher)
        return watcher

    def change(self, dashboard, panel, upserts, deletes, skip=0):
        with self.lock:
            for watcher in self.watchers:
                if watcher.dashboard == dashboard and panel in watcher.sequence and not self.mute:
                    watcher.sequence[panel] += 1 + skip
                    self.put(watcher, "changes", {"panel": panel, "seq": watcher.sequence[panel], "upserts": upserts,
                                                  "deletes": deletes})

    def order(self, count):
        with self.lock:
            for _ in range(count):
                for name, upserts, deletes in self.shop.order():
                    panel, _, by = name.partition(":")
                    for watcher in self.watchers:
                        if watcher.dashboard != "ecommerce" or (by and watcher.selectors.get("by", "CardType") != by):
                            continue
                        if self.mute:
                            continue
                        watcher.sequence[panel] += 1
                        self.put(watcher, "changes", {"panel": panel, "seq": watcher.sequence[panel], "upserts": upserts,
                                                      "deletes": deletes})

    def control(self, name, body):
        """order {count}; change {dashboard,panel,upserts,deletes,skip}; status {panel,state,why}; drop (ends all streams);
        raw {text} (to all streams); refuse {seconds}; mute {on} (streams stay open, nothing is sent); restart (another
        server_start, streams end); token {token}; delay {seconds} (before each answer); state (what was asked for)."""
        with self.lock:
            if name == "order":
                self.order(body.get("count", 1))
            elif name == "change":
                table = self.table_of(Watcher(body["dashboard"], {}), body["panel"])
                for key in body.get("deletes", []):
                    table.delete(key)
                for row in body.get("upserts", []):
                    table.upsert(row)
                self.change(body["dashboard"], body["panel"], body.get("upserts", []), body.get("deletes", []),
                            body.get("skip", 0))
            elif name == "status":
                for watcher in self.watchers:
                    self.put(watcher, "status", body)
            elif name == "raw":
                for watcher in self.watchers:
                    watcher.queue.put(body["text"].encode())
            elif name == "refuse":
                self.refuse_until = time.monotonic() + body["seconds"]
            elif name == "mute":
                self.mute = body["on"]
            elif name == "delay":
                self.delay = body["seconds"]
            elif name == "token":
                self.token = body["token"]
            if name == "restart":
                self.start_ms += 1
            if name in ("drop", "refuse", "restart", "token"):
                for watcher in self.watchers:
                    watcher.queue.put(None)
            return {"watchers": len(self.watchers), "opened": self.opened, "stopped": self.stopped,
                    "statements": sum("closed" not in one for one in self.gateway.operations.values()),
                    "total": str(self.shop.total), "orders": self.shop.number,
                    "sums": {kind: {key: str(sum_) for key, sum_ in sums.items()} for kind, sums in self.shop.sums.items()}}

    def jobs(self):
        now = int(time.time() * 1000)
        return [{"id": job["id"], "name": job["name"], "state": job["state"], "bounded": job["bounded"],
                 "started_ms": self.start_ms - 61000, "ended_ms": None if job["state"] == "RUNNING" else self.start_ms,
                 "restarts": 0,
                 "rows_read": job["rows"] + (now - self.start_ms if job["state"] == "RUNNING" else 0),
                 "rows_written": job["rows"], "last_output_ms": now - 400 if job["rows"] else None,
                 "memory_bytes": 3 << 20, "recovering": job["id"] == 3,
                 "last_checkpoint": {"id": 7, "ended_ms": now - 2000, "duration_ms": 12, "bytes": 4096} if job["state"] == "RUNNING" else None,
                 "error": job.get("error"), "why": job.get("why")} for job in data.JOBS]

    def answer(self, path):
        """The answer to a GET below /api/v1, or None when there is nothing."""
        kind, _, name = path.partition("/")
        if kind == "info":
            return {"product": "leat", "version": "0.0-mock", "uptime_ms": 1000, "broker_address": "127.0.0.1:9092",
                    "data_directory": "leat-data", "pid": 1, "jobs": {"running": 3, "failed": 1, "finished": 1}}
        if kind == "dashboards":
            boards = self.dashboards()
            return boards.get(name) if name else {"dashboards": [{"name": one, "title": board["title"]}
                                                                 for one, board in boards.items()]}
        if kind == "jobs" and not name:
            return {"jobs": self.jobs()}
        if kind == "jobs":
            found = [job for job in self.jobs() if str(job["id"]) == name]
            operator = {"name": "source: order-events", "subtask": 0, "records_in": 1000, "records_out": 1000,
                        "late_dropped": 0, "bad_rows": 2, "buffered_rows": 17, "state_keys": 6, "state_bytes": 4096,
                        "watermark_ms": 1715938241000, "blocked": None}
            return dict(found[0], operators=[operator], plan="Sink(sales_by_card)\n+- GroupAggregate") if found else None
        for word, items in (("tables", data.TABLES), ("topics", data.TOPICS)):
            if kind == word and not name:
                return {word: items}
            found = [item for item in items if kind == word and item["name"] == name]
            if found and word == "topics":
                return dict(found[0], partitions=[{"id": at, "log_start_offset": 0, "high_watermark": 61728,
                                                   "bytes": 17283945} for at in range(2)])
            if found:
                return found[0]
        return None


class Gateway:
    """The statement API: SELECT counts up and never ends, SHOW has an end, what starts with FAIL fails, others are DDL."""

    def __init__(self):
        self.sessions, self.operations = 0, {}

    def post(self, path, body):
        parts = path.split("/")
        if path == "/v3/sessions":
            self.sessions += 1
            return 200, {"sessionHandle": f"session-{self.sessions}"}
        if parts[-1] == "statements" and parts[3] == f"session-{self.sessions}":
            if body["statement"].startswith("FAIL"):
                return 400, {"errors": ["Table ordrs does not exist (line 1, column 15)\nSELECT * FROM ordrs\n"
                                        "              ^~~~~\nDid you mean orders?"]}
            handle = f"operation-{len(self.operations) + 1}"
            self.operations[handle] = {"statement": body["statement"], "asked": 0, "ended": False}
            return 200, {"operationHandle": handle}
        if parts[-1] == "close" and parts[5] in self.operations:
            self.operations[parts[5]]["closed"] = True
            return 200, {"status": "CLOSED"}
        if parts[-1] == "cancel" and parts[5] in self.operations:
            self.operations[parts[5]]["ended"] = True
            return 200, {"status": "CANCELED"}
        return 404, {"errors": [f"There is no {path}."]}

    def result(self, path):
        parts = path.split("/")
        operation, token = self.operations[parts[5]], int(parts[7])
        after = {"nextResultUri": "/".join(parts[:7]) + f"/{token + 1}?rowFormat=JSON"}

        def payload(columns, rows):
            data_rows = [{"kind": kind, "fields": fields} for kind, fields in rows]
            return dict({"resultType": "PAYLOAD", "results": {"columns": [
                {"name": name, "logicalType": {"type": kind}} for name, kind in columns], "data": data_rows}}, **after)
        if operation["ended"] or (token > 1 and not operation["statement"].startswith("SELECT")):
            return {"resultType": "EOS"}
        operation["asked"] += 1
        if operation["asked"] == 1:
            return dict({"resultType": "NOT_READY"}, **after)
        if token == 0:
            return payload([], [])
        if operation["statement"].startswith("SELECT"):
            rows = [("INSERT", ["orders", 2]), ("INSERT", ["<b>sum</b>", None])] if token == 1 else \
                [("UPDATE_BEFORE", ["orders", token]), ("UPDATE_AFTER", ["orders", token + 1])]
            return payload([("name", "VARCHAR"), ("value", "BIGINT")], rows)
        if operation["statement"].startswith("SHOW"):
            return payload([("table name", "VARCHAR")], [("INSERT", [table["name"]]) for table in data.TABLES])
        return payload([("result", "VARCHAR")], [("INSERT", ["OK"])])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mock: Mock

    def log_message(self, *arguments):
        pass

    def reply(self, code, body, kind="application/json"):
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in dict(SECURITY, **{"Content-Type": kind, "Content-Length": str(len(payload))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def fail(self, code, name, message, hint=""):
        self.reply(code, {"error": {"code": name, "message": message, "hint": hint}})

    def allowed(self):
        if self.headers.get("Authorization") == "Bearer " + self.mock.token:
            return True
        self.fail(401, "UNAUTHORIZED", "The request has no valid token.", "Open the address that leat printed at its start.")
        return False

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(address.path)
        if self.mock.refuse_until > time.monotonic():
            self.close_connection = True
            return self.fail(503, "STARTING", "leat is starting.")
        time.sleep(self.mock.delay)
        if not path.startswith(("/api/", "/v3/")):
            return self.asset(path)
        if not self.allowed():
            return None
        if path.startswith("/v3/"):
            with self.mock.lock:
                return self.reply(200, self.mock.gateway.result(path))
        parts = path.split("/")
        if len(parts) == 6 and parts[3] == "dashboards" and parts[5] == "live":
            return self.live(parts[4], dict(urllib.parse.parse_qsl(address.query)))
        with self.mock.lock:
            body = self.mock.answer(path[len("/api/v1/"):])
        return self.fail(404, "NOT_FOUND", f"There is no {path}.") if body is None else self.reply(200, body)

    def asset(self, path):
        name = path.strip("/") or "index.html"
        file = os.path.join(ROOT, "web/dist", name)
        if "/" in name or not os.path.isfile(file):
            return self.fail(404, "NOT_FOUND", f"There is no {path}.")
        with open(file, "rb") as content:
            return self.reply(200, content.read(), TYPES[os.path.splitext(name)[1]])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path.startswith("/mock/"):
            return self.reply(200, self.mock.control(self.path[len("/mock/"):], body))
        if not self.allowed():
            return None
        if self.headers.get("Content-Type") != "application/json":
            return self.fail(415, "UNSUPPORTED_MEDIA_TYPE", "The content type has to be application/json.")
        with self.mock.lock:
            if self.path.startswith("/v3/"):
                return self.reply(*self.mock.gateway.post(self.path, body))
            self.mock.stopped.append(self.path)
        return self.reply(202, {})

    def do_DELETE(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.allowed():
            return None
        with self.mock.lock:
            return self.reply(*self.mock.gateway.post(self.path, {}))

    def live(self, dashboard, selectors):
        if dashboard not in self.mock.dashboards():
            return self.fail(404, "NOT_FOUND", f"There is no dashboard {dashboard}.")
        watcher = self.mock.watch(dashboard, selectors)
        self.send_response(200)
        for name, value in dict(SECURITY, **{"Content-Type": "text/event-stream", "Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                try:
                    piece = watcher.queue.get(timeout=15)
                except queue.Empty:
                    piece = b": ping\n\n"
                if piece is None:
                    return None
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            return None
        finally:
            with self.mock.lock:
                self.mock.watchers.remove(watcher)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--orders", type=int, default=600)
    parser.add_argument("--only")
    Handler.mock = Mock(parser.parse_args())
    server = ThreadingHTTPServer(("127.0.0.1", Handler.mock.options.port), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}/?token={Handler.mock.token}", flush=True)
    server.serve_forever()


main()
