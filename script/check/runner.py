#!/usr/bin/env python3
"""The test runner itself: counts of TAP, time-outs, leftovers, command line cases; planted failures are seen."""
import os
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "test"))
sys.dont_write_bytecode = True
import clicase  # noqa: E402
import run  # noqa: E402

FAKE = """#!/bin/sh
case $1 in
explain) echo "plan of $2"; echo b; echo c ;;
err) printf 'error: x at %s:1:15\\n   caret\\n' "$2" >&2; exit 2 ;;
cat) cat ;;
hang) sleep 100 ;;
esac
"""
GOOD = """# about
=== file a.sql
SELECT
=== run explain a.sql
=== stdout
plan of a.sql
...
=== run err a.sql
=== stdout
=== stderr
...a.sql:1:15
...
=== exit 2
=== run cat
=== stdin
{{port}} {{dir}}
=== stdout
{{port}} {{dir}}
=== sh
$LEAT cat < a.sql
=== stdout
SELECT
"""
# case text, a part of what is reported ("": it passes)
CLI = [(GOOD, ""),
       (GOOD.replace("exit 2", "exit 0"), "exit code 2, want 0"),
       (GOOD.replace("plan of", "plan for"), "+plan of a.sql"),
       (GOOD.replace("=== stdout\n=== stderr", "=== stdout\nx\n=== stderr"), "-x"),
       (GOOD.replace("plan of a.sql\n...", "plan of a.sql"), "got stdout"),
       ("=== run hang\n=== seconds 1\n", "no end after 1 s"),
       ("=== rum\n", "'rum' before the first 'run'"),
       ("=== run cat\n=== stdinn\n", "unknown section 'stdinn'"),
       ("text\n=== run cat\n", "text before the first section")]
# exit code (None: time-out), output, (passed, failed, skipped)
TAP = [(0, "ok 1 - a\nok 2 - b\n1..2\n", (2, 0, 0)), (1, "ok 1\nnot ok 2\n1..2\n", (1, 1, 0)),
       (134, "ok 1\nok 2\n", (2, 1, 0)), (0, "ok 1\n1..3\n", (1, 1, 0)), (None, "ok 1\n", (1, 1, 0)),
       (0, "", (1, 0, 0)), (3, "", (0, 1, 0)), (77, "no tmpfs\n", (0, 0, 1)), (0, "ok 1 # SKIP x\n1..1\n", (0, 0, 1)),
       (0, "1..0\n", (0, 0, 0))]


def checks():
    """Yields (name, good, detail)."""
    with tempfile.TemporaryDirectory() as root:
        fake, case = os.path.join(root, "leat"), os.path.join(root, "case.test")
        with open(fake, "w") as file:
            file.write(FAKE)
        os.chmod(fake, 0o755)
        for number, (text, wanted) in enumerate(CLI):
            with open(case, "w") as file:
                file.write(text)
            work = os.path.join(root, str(number))
            os.mkdir(work)
            got = clicase.run(case, fake, work, 10, run.free_ports, run.kill_session)
            yield f"cli case {number}", wanted in got and bool(got) == bool(wanted), got
    for code, output, wanted in TAP:
        result = run.tap_result(code, output, 1)
        got = (result.passed, result.failed, result.skipped)
        yield f"tap {code} {output!r}".replace("#", ""), got == wanted, str(got)
    started = time.monotonic()
    code, _ = run.run_process(["sh", "-c", "sleep 50 & sleep 60"], 0.5)
    yield "time-out", code is None and time.monotonic() - started < 10, str(code)
    code, output = run.run_process(["sh", "-c", "sleep 77.25 & echo $!"], 10)
    time.sleep(0.1)
    alive = os.path.exists(f"/proc/{output.strip()}") and \
        open(f"/proc/{output.strip()}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    yield "leftovers are killed", code == 0 and not alive, output


def main():
    failures = 0
    results = list(checks())
    for number, (name, good, detail) in enumerate(results, 1):
        failures += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}" + ("" if good else f"\n# got {detail}"))
    print(f"1..{len(results)}")
    return 1 if failures else 0


sys.exit(main())
