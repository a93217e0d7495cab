# timeout: 200
"""State of every format version that was ever written is loaded: test/system/state-fixtures/NAME/ has the checkpoints
of a job that was stopped in the middle (GROUP BY with COUNT, SUM, AVG, MIN and MAX over numbers and texts, DISTINCT, one
of it over a changelog, a window, a source's place; "ttl": with a time to live of its state). The job goes on from it at
parallelism 1 and 3, and its results are those of all rows. A version of a newer leat is refused with a sentence.
  python3 test/system/state_fixture.py --write NAME [SETTING=VALUE...]
writes one (LEAT, TEST_DIR as for a test); what is there is never written again."""
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

from _tap import check, finish

LEAT, HERE = os.environ["LEAT"], os.environ["TEST_DIR"]
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "state-fixtures")
ROWS = 4000
SQL = f"""SET 'pipeline.name' = 'fixture';
CREATE TABLE made (n BIGINT, ts AS TO_TIMESTAMP_LTZ(n * 100, 3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen',
  'rows-per-second' = '2000', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '{ROWS}');
CREATE TABLE totals (k BIGINT, n BIGINT, total BIGINT, average DOUBLE, low STRING, high BIGINT, different BIGINT,
  PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'print', 'print-identifier' = 'totals');
CREATE TABLE sizes (n BIGINT, groups BIGINT, most BIGINT, PRIMARY KEY (n) NOT ENFORCED)
  WITH ('connector' = 'print', 'print-identifier' = 'sizes');
CREATE TABLE spans (at TIMESTAMP(3), n BIGINT, low STRING, PRIMARY KEY (at) NOT ENFORCED)
  WITH ('connector' = 'print', 'print-identifier' = 'spans');
EXECUTE STATEMENT SET BEGIN
INSERT INTO totals SELECT n % 7, COUNT(*), SUM(n), AVG(CAST(n AS DOUBLE)), MIN('t' || CAST(n % 11 AS STRING)), MAX(n % 500),
  COUNT(DISTINCT n % 13) FROM made GROUP BY n % 7;
INSERT INTO sizes SELECT c % 2, COUNT(*), MAX(c) FROM (SELECT n % 50 AS k, COUNT(*) AS c FROM made GROUP BY n % 50)
  GROUP BY c % 2;
INSERT INTO spans SELECT window_start, COUNT(*), MIN('t' || CAST(n % 11 AS STRING)) FROM TABLE(TUMBLE(TABLE made, DESCRIPTOR(ts),
  INTERVAL '60' SECOND)) GROUP BY window_start, window_end;
END;
"""


def command(data, parallelism, *settings):
    given = [f"parallelism.default={parallelism}", "table.local-time-zone=UTC", *settings]
    return [LEAT, "run", "--data", data, "--no-http", *[part for one in given for part in ("--set", one)], "-e", SQL]


def write(name, *settings):
    data, target = os.path.join(HERE, "data"), os.path.join(FIXTURES, name)
    if os.path.exists(target):
        raise SystemExit(f"{target} is there: a format that has changed gets a new version, and a new name")
    process = subprocess.Popen(command(data, 2, *settings), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(1.2)
    process.send_signal(signal.SIGTERM)
    print(process.communicate()[1])
    if process.returncode != 0:
        raise SystemExit("the job did not stop well")
    shutil.copytree(os.path.join(data, "checkpoints"), target)


def expected():
    totals, sizes, spans = {}, {}, {}
    for k in range(7):
        of = [n for n in range(1, ROWS + 1) if n % 7 == k]
        totals[k] = (len(of), sum(of), sum(of) / len(of), min("t" + str(n % 11) for n in of), max(n % 500 for n in of),
                     len({n % 13 for n in of}))
    counts = [len([n for n in range(1, ROWS + 1) if n % 50 == k]) for k in range(50)]
    for parity in {c % 2 for c in counts}:
        of = [c for c in counts if c % 2 == parity]
        sizes[parity] = (len(of), max(of))
    last = max(n * 100 // 60000 for n in range(1, ROWS + 1))
    spans = {at: len([n for n in range(1, ROWS + 1) if n * 100 // 60000 == at]) for at in range(last + 1)}
    return totals, sizes, spans


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def make_newer(path):
    """Both copies of a manifest get version 999 (manifest.c)."""
    with open(path, "rb") as file:
        data = file.read()
    half = bytearray(data[:len(data) // 2])
    half[12:14] = struct.pack("<H", 999)
    half[4:8] = struct.pack("<I", crc32c(bytes(half[8:])))
    with open(path, "wb") as file:
        file.write(bytes(half) * 2)


def go_on(name, parallelism, *settings, newer=False):
    """Final rows by sink and key, of what was printed after the fixture."""
    data = os.path.join(HERE, f"{name}.{parallelism}.{newer}")
    shutil.copytree(os.path.join(FIXTURES, name), os.path.join(data, "checkpoints"))
    directory = os.path.join(data, "checkpoints/fixture")
    for file in os.listdir(directory):
        if newer and file.startswith("manifest"):
            make_newer(os.path.join(directory, file))
    done = subprocess.run(command(data, parallelism, *settings), capture_output=True, text=True, timeout=150)
    rows = {"totals": {}, "sizes": {}, "spans": {}}
    for line in done.stdout.splitlines():
        sink, kind, values = re.fullmatch(r"(\w+)(?::\d+)?> (..)\[(.*)\]", line).groups()
        key, *rest = values.split(", ")
        if kind in ("+I", "+U"):
            rows[sink][key] = rest
        else:
            rows[sink].pop(key, None)
    return done, rows


def check_fixture(name, parallelism, *settings):
    totals, sizes, spans = expected()
    done, rows = go_on(name, parallelism, *settings)
    where = f"{name} at parallelism {parallelism}: "
    if not check(done.returncode == 0, where + "the job ends", done.stderr):
        return
    got = {int(k): (int(v[0]), int(v[1]), float(v[2]), v[3], int(v[4]), int(v[5])) for k, v in rows["totals"].items()}
    check(got == totals, where + "groups", got, totals)
    got = {int(k): tuple(map(int, v)) for k, v in rows["sizes"].items()}
    check(got == sizes, where + "groups of groups", got, sizes)
    got = {int(k[14:16]): int(v[0]) for k, v in rows["spans"].items()}
    check(0 < len(got) < len(spans) and got.items() <= spans.items() and max(spans) in got, where + "windows", got, spans)


if sys.argv[1:2] == ["--write"]:
    write(*sys.argv[2:])
    sys.exit()
names = sorted(os.listdir(FIXTURES))
check(names, "there are fixtures")
for name in names:
    check_fixture(name, 1)
    check_fixture(name, 3, "table.exec.state.ttl=3650 d")  # rows without a time get one, or keep theirs
done, _ = go_on(names[-1], 1, newer=True)
check(done.returncode != 0 and "version 999, of a newer leat" in done.stderr, "a newer version is refused", done.stderr)
finish()
