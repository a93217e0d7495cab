#!/usr/bin/env python3
# timeout: 120
"""/metrics: its names are those of metrics.names, so that what watches them goes on; what a window keeps, late rows and
checkpoints are told as they are, there and in REST (Flink's shape of checkpoints); after a kill it is recovering."""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _http import DIR, Server  # noqa: E402
from _tap import check, finish, wait_for  # noqa: E402

SQL = """
SET 'execution.checkpointing.interval' = '100 ms';
SET 'table.local-time-zone' = 'UTC';
CREATE TABLE clicks (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'http-ingest', 'topic' = 'clicks', 'format' = 'json');
CREATE TABLE totals (ends TIMESTAMP(3), n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO totals SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
  GROUP BY window_start, window_end;
"""
EPOCH_MS = 1704067200000  # 2024-01-01


def click(server, second):
    status, _, answer = server.ask("POST", "/ingest/clicks", {"id": 1, "ts": f"2024-01-01 00:{second // 60:02}:{second % 60:02}"})
    if status != 200:
        check(False, "a row is taken", status, answer)


def scrape(server):
    """{name: {operator_name or '': sum over subtasks}}, {name: type}"""
    values, types = {}, {}
    text = server.ask("GET", "/metrics", token=False)[2].decode()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, types_ = line.split(" ")
            types[name] = types_
        found = re.match(r"(\w+)(?:\{(.*)\})? (-?\d+)$", line)
        if found:
            operator = re.search(r'operator_name="([^"]*)"', found.group(2) or "")
            of_name = values.setdefault(found.group(1), {})
            key = operator.group(1) if operator else ""
            of_name[key] = of_name.get(key, 0) + int(found.group(3))
    return values, types


def check_names(server):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.names")) as file:
        golden = dict(line.split() for line in file if not line.startswith("#"))
    _, types = scrape(server)
    gone = {name: kind for name, kind in golden.items() if types.get(name) != kind}
    check(not gone, "no name has gone, and none has another type", gone)
    fresh = {name: kind for name, kind in types.items() if name not in golden}
    check(not fresh, "new names are kept from now on: add them to metrics.names", fresh)


def check_window(server):
    for second in (10, 11, 130, 20):  # the third ends the minute of the first two, the last comes late
        click(server, second)
    operator = "WindowAggregate"
    check(wait_for(lambda: scrape(server)[0].get("leat_operator_numLateRecordsDropped", {}).get(operator) == 1), "a late row")
    values, _ = scrape(server)
    check(values["leat_operator_buffered_rows"][operator] == 1, "a row waits", values["leat_operator_buffered_rows"])
    check(values["leat_operator_next_timer_ms"] == {operator: EPOCH_MS + 180000 - 1}, "the next timer", values["leat_operator_next_timer_ms"])
    check(values["leat_operator_currentInputWatermark"][operator] == EPOCH_MS + 130000, "the watermark")
    check(values["leat_operator_oldest_row_ms"][operator] > EPOCH_MS, "since when it waits")
    check(values["leat_operator_last_emit_ms"][operator] > EPOCH_MS, "the last emission")
    check(values["leat_operator_numRecordsIn"]["Sink: totals"] == 1, "the first window has come", values["leat_operator_numRecordsIn"])
    job = server.get("/api/v1/jobs/1")
    window = [one for one in job["operators"] if one["name"] == operator][0]
    check(window["buffered_rows"] == 1 and window["next_timer_ms"] == EPOCH_MS + 180000 - 1 and
          window["late_dropped"] == 1 and window["oldest_row_ms"] and window["last_emit_ms"], "REST has the same", window)


def check_checkpoints(server):
    check(wait_for(lambda: scrape(server)[0]["leat_job_numberOfCompletedCheckpoints"][""] > 0), "a checkpoint")
    answer = server.get("/api/v1/jobs/1/checkpoints")
    counts, last = answer["counts"], answer["latest"]["completed"]
    check(counts["completed"] > 0 and counts["failed"] == 0 and counts["total"] == counts["completed"] + counts["in_progress"],
          "counts", counts)
    check(last["status"] == "COMPLETED" and last["checkpointed_size"] > 0 and
          last["latest_ack_timestamp"] >= last["trigger_timestamp"] > EPOCH_MS and
          last["num_acknowledged_subtasks"] == last["num_subtasks"] > 0, "the latest", last)
    parts = [last[name + "_duration"] for name in ("alignment", "sync", "async", "commit")]
    check(all(0 <= part <= last["end_to_end_duration"] for part in parts), "its parts are within it", last)
    check(answer["history"] and len(answer["history"]) <= 11 and
          [one["id"] for one in answer["history"]] == sorted((one["id"] for one in answer["history"]), reverse=True),
          "history, the newest first", answer["history"])
    check(answer["summary"]["checkpointed_size"]["min"] <= answer["summary"]["checkpointed_size"]["avg"] <=
          answer["summary"]["checkpointed_size"]["max"], "summary", answer["summary"])
    check(answer["latest"]["failed"] is None and answer["latest"]["restored"] is None, "nothing failed, nothing restored")
    values, job = scrape(server)[0], server.get("/api/v1/jobs/1")
    check(values["leat_job_lastCheckpointSize"][""] > 0 and values["leat_job_lastCompletedCheckpointId"][""] > 0 and
          values["leat_job_last_checkpoint_time_ms"][""] > EPOCH_MS, "metrics of it")
    check(job["last_checkpoint"]["bytes"] > 0 and not job["recovering"], "the job tells it", job["last_checkpoint"])
    check(server.ask("GET", "/api/v1/jobs/99/checkpoints")[0] == 404, "of no job: 404")


def start():
    server = Server("--http", "127.0.0.1:0", "-e", SQL)
    check(wait_for(lambda: server.get("/api/v1/jobs")["jobs"]), "the job runs")
    return server


def main():
    server = start()
    check_names(server)
    check_window(server)
    check_checkpoints(server)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server = start()
    restored = server.get("/api/v1/jobs/1/checkpoints")["latest"]["restored"]
    check(restored and restored["id"] > 0 and restored["restore_timestamp"] > EPOCH_MS, "it has gone on from one", restored)
    check(wait_for(lambda: not server.get("/api/v1/jobs/1")["recovering"]), "it has recovered")
    values, _ = scrape(server)
    check(values["leat_job_lastCheckpointRestoreTimestamp"][""] > EPOCH_MS, "metrics tell it")
    check(wait_for(lambda: scrape(server)[0]["leat_operator_buffered_rows"]["WindowAggregate"] == 1), "the row waits again")
    check(server.stop()[0] == 0, "clean stop")
    finish()


main()
