# timeout: 200
"""A GROUP BY whose state would go above leat.memory.limit ends its job with an error that names the operator, its bytes
and the two settings that help; another job of the process goes on to its end, and the process has not taken much more
memory than the limit. At parallelism 1 and 3, and with the setting that the error names the job does not fail."""
import os
import subprocess

from _tap import check, finish

LEAT, HERE = os.environ["LEAT"], os.environ["TEST_DIR"]
LIMIT_MB = 24
SANITIZED = b"san.so" in subprocess.run(["ldd", LEAT], capture_output=True, check=True).stdout
BEYOND_MB = 140 if SANITIZED else 40  # libraries, stacks, what a sanitizer keeps of its own
SQL = """CREATE TABLE made (k BIGINT, v BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '{rate}',
  'number-of-rows' = '{rows}', 'fields.k.kind' = 'sequence', 'fields.k.start' = '1', 'fields.k.end' = '100000000');
CREATE TABLE slow (k BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '2000', 'number-of-rows' = '8000');
CREATE TABLE nowhere (k BIGINT, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'blackhole');
CREATE TABLE counted (n BIGINT) WITH ('connector' = 'filesystem', 'path' = '{out}', 'format' = 'csv');
INSERT INTO nowhere SELECT k, COUNT(*) FROM made GROUP BY k;
INSERT INTO counted SELECT k FROM slow;
"""


def run(name, parallelism, rows, rate, *settings):
    out = os.path.join(HERE, name)
    command = [LEAT, "run", "--data", out + ".data", "--no-http", "--set", f"leat.memory.limit={LIMIT_MB}mb", "--set",
               f"parallelism.default={parallelism}"]
    for setting in settings:
        command += ["--set", setting]
    process = subprocess.Popen(command + ["-e", SQL.format(out=out, rows=rows, rate=rate)], stderr=subprocess.PIPE,
                               text=True)
    text = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    written = 0
    for path, _, names in os.walk(out):
        for file in (name for name in names if not name.startswith(".")):
            with open(os.path.join(path, file)) as lines:
                written += len(lines.readlines())
    return process.returncode, text, written, usage.ru_maxrss / 1024


for parallelism in (1, 3):
    code, text, written, peak_mb = run(f"at{parallelism}", parallelism, 50_000_000, 1_000_000_000)
    where = f"parallelism {parallelism}: "
    check(code == 1 and "job 'nowhere' failed" in text, where + "the job that needs too much fails", text)
    check(all(part in text for part in ("GroupAggregate(k) holds", " mb of memory", "raise leat.memory.limit",
                                        "table.exec.state.ttl")),
          where + "the error names operator, bytes and settings", text)
    check(written == 8000, where + "the other job went on to its end", f"{written} rows", text)
    check(peak_mb < LIMIT_MB + BEYOND_MB, where + f"{peak_mb:.0f} MB at most")
code, text, written, peak_mb = run("ttl", 1, 600_000, 75_000, "table.exec.state.ttl=200 ms")
check(code == 0 and written == 8000, "with a time to live the same job has room", text)
finish()
