#!/usr/bin/env python3
"""Bad statements and arguments through the real executable: a clear error with exit code 2 (or 1 where a job
ran), never a crash or a hang. Files that are binary, empty or oddly encoded; deep nesting; wrong settings and
variables; too little memory; signals; a reader that closes stdout early."""
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _bad import *  # noqa: E402,F403

DATA = os.path.join(DIRECTORY, "data")
random.seed(int(os.environ.get("SEED", "1")))


def run_file(content, *arguments, seconds=30):
    path = os.path.join(DIRECTORY, "text.sql")
    with open(path, "wb") as file:
        file.write(content)
    return run(*arguments, "text.sql", data=DATA, seconds=seconds)


def refused(result, name, *words):
    check(result.clean() and result.code == 2 and result.err.strip() and result.says(*words), name, result)


# ---- files
refused(run_file(bytes(range(256)) * 100), "a binary file", "text.sql:1:1")
refused(run_file(b"\x7fELF\x02\x01\x01" + random.randbytes(100_000)), "an executable", "text.sql:")
refused(run_file(b"SELECT 1;\x00SELECT 2;"), "a NUL byte", "text.sql:1:10")
refused(run_file(b"SELECT '\xff\xfe';"), "a text that is not UTF-8", "text.sql:1:9")
refused(run_file(b"\xff\xfeS\x00E\x00L\x00E\x00C\x00T\x00 \x001\x00"), "UTF-16", "text.sql:1:1")
for content, name in [(b"", "an empty file"), (b"-- only\n/* comments */\n-- here", "only comments"),
                      (b" ; ;;\n", "only semicolons"), (b"\xef\xbb\xbf", "only a byte order mark")]:
    result = run_file(content)
    check(result.clean() and result.code == 0 and result.out == "", name, result)
result = run_file(b"-- a\r\nSELECT\r\n 'a' AS x;\r\n", "--result=csv")
check(result.code == 0 and result.out.split() == ["x", "a"], "lines that end in CR LF", result)
refused(run_file(b"SELECT 1;\r\nSELEC 2;\r\n"), "the place of an error after CR LF", "text.sql:2:1")
result = run_file(b"\xef\xbb\xbfSELECT 'a' AS x;", "--result=csv")
check(result.code == 0 and result.out.split() == ["x", "a"], "a byte order mark", result)
refused(run_file(b"/* open"), "an open comment", "text.sql:1:1")
refused(run_file(b"SELECT 'open"), "an open string", "text.sql:1:8")
refused(run("no_such.sql", data=DATA), "a missing file", "no_such.sql")
refused(run(DIRECTORY, data=DATA), "a directory instead of a file", DIRECTORY)
refused(run("text.sql/x", data=DATA), "a path through a file", "text.sql/x")

# ---- depth and size
for text, name in [(b"(" * 10_000 + b"1" + b")" * 10_000, "10,000 parentheses"), (b"(" * 10_000, "10,000 open ones"),
                   (b"(-" * 10_000 + b"1", "10,000 signs"), (b"NOT " * 10_000 + b"TRUE", "10,000 NOTs"),
                   (b"CASE WHEN TRUE THEN " * 10_000, "10,000 CASEs"), (b"ARRAY[" * 10_000, "10,000 arrays"),
                   (b"ABS(" * 10_000 + b"1" + b")" * 10_000, "10,000 calls")]:
    refused(run_file(b"SELECT " + text + b";"), name, "text.sql:1:")
refused(run_file(b"SELECT * FROM (" * 10_000 + b"SELECT 1"), "10,000 sub-queries", "text.sql:1:")
refused(run_file(b"CREATE TABLE t (a " + b"ARRAY<" * 10_000 + b"INT" + b">" * 10_000 + b");"), "10,000 array types",
        "text.sql:1:")
for text, name in [(b"1" + b" + 1" * 20_000, "20,000 additions"), (b"'a'" + b" || 'a'" * 20_000, "20,000 strings"),
                   (b"TRUE" + b" AND TRUE" * 20_000, "20,000 ANDs"), (b", ".join([b"1"] * 20_000), "20,000 columns"),
                   (b"1 IN (" + b", ".join([b"2"] * 20_000) + b")", "20,000 values of IN")]:
    result = run_file(b"SELECT " + text + b";", "--result=csv", seconds=60)
    check(result.clean() and result.code in (0, 2), name, result)
refused(run_file(b"SELECT " + b"1" * 100_000 + b";"), "a number of 100,000 digits", "text.sql:1:8")
refused(run_file(b"SELECT " + b"a" * 100_000 + b" FROM t;"), "a name of 100,000 letters", "text.sql:1:")

# ---- arguments
refused(run("--set", "no.such.key=1", "-e", "SELECT 1", data=DATA), "an unknown setting", "no.such.key")
refused(run("--set", "parallelism.defalt=1", "-e", "SELECT 1", data=DATA), "a misspelt setting",
        "parallelism.default")
for value in ("0", "-1", "x", "99999999999999999999", ""):
    refused(run("--set", f"parallelism.default={value}", "-e", "SELECT 1", data=DATA),
            f"parallelism '{value}'", "parallelism.default")
refused(run("--set", "leat.memory.limit=much", "-e", "SELECT 1", data=DATA), "a size that is none",
        "leat.memory.limit")
refused(run("--set", "=1", "-e", "SELECT 1", data=DATA), "a setting without a key", "--set")
refused(run("--broker=nowhere:x", "-e", "SELECT 1", data=DATA), "a port that is no number", "nowhere:x")
refused(run("--broker=127.0.0.1:99999", "-e", "SELECT 1", data=DATA), "a port out of range", "99999")
refused(run("--result=xml", "-e", "SELECT 1", data=DATA), "an unknown form of result", "xml")

# ---- too little memory
MANY = """CREATE TABLE gen (k BIGINT, s STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '2000000',
  'fields.k.kind' = 'sequence', 'fields.k.start' = '1', 'fields.k.end' = '2000000', 'fields.s.length' = '50');
CREATE TABLE out (k BIGINT, s STRING, n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO out SELECT k, MAX(s), COUNT(*) FROM gen GROUP BY k;
"""
result = run("--set", "leat.memory.limit=32mb", "-e", MANY, data=DATA, seconds=60)
check(result.clean() and result.code == 1 and result.says("leat.memory.limit") and
      "ggregate" in result.err, "a state that outgrows leat.memory.limit names its operator and the setting", result)
for limit in ("1", "1kb", "100kb", "1mb", "3mb"):
    result = run("--set", f"leat.memory.limit={limit}", "-e", MANY, data=DATA, seconds=60)
    check(result.clean() and result.code in (1, 2) and result.says("leat.memory.limit"), f"a limit of {limit}", result)

# ---- signals
ENDLESS = "CREATE TABLE gen (k BIGINT, s STRING) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');\n"
SINK = ENDLESS + "CREATE TABLE out (k BIGINT) WITH ('connector' = 'blackhole'); INSERT INTO out SELECT k FROM gen;"
for text, name in [(SINK, "a job"), (ENDLESS + "SELECT k FROM gen;", "a query"),
                   (ENDLESS + "SELECT COUNT(*) FROM gen;", "an aggregate")]:
    process = start("-e", text, data=DATA, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    result = result_of(process)
    check(result.clean() and result.code == 0, f"Ctrl-C ends {name}", result)
    process = start("-e", text, data=DATA, stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)  # `timeout` sends it to the process and to its group
    process.send_signal(signal.SIGINT)
    result = result_of(process, 10)
    check(result.clean() and result.code == 0 and not result.says("again"),
          f"a signal that comes twice at once is one: {name}", result)

# ---- stdout
for form in ("csv", "json", "changelog", "table"):
    for text, name in [(ENDLESS.replace("1000", "100000") + "SELECT k, s FROM gen;", "rows"),
                       (ENDLESS + "SELECT COUNT(*) FROM gen;", "an aggregate")]:
        process = start("--result", form, "-e", text, data=DATA)
        process.stdout.read(1)
        process.stdout.close()
        process.stdout = None
        result = result_of(process, 20)
        check(result.clean(), f"a reader that goes away: {name} as {form}", result)
    with open("/dev/full", "wb") as full:
        process = start("--result", form, "-e", "SELECT 'a'", data=DATA, stdout=full)
        result = result_of(process)
        check(result.clean() and result.code == 1 and result.err.strip(), f"a full disk behind stdout: {form}", result)
finish()
