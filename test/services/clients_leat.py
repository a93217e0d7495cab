#!/usr/bin/env python3
# timeout: 400
"""Each client of the table against leat: it has to work unchanged."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _clients import *  # noqa: E402,F403


def main():
    set_up()
    directory = os.environ.get("TEST_DIR") or tempfile.mkdtemp()
    server = f"127.0.0.1:{os.environ.get('PORT', '19392')}"
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    jobs = [job for job in JOBS if not wanted or any(word in job[0] + " " + job[1] for word in wanted)]
    leat = os.environ.get("LEAT") or os.path.join(HERE, "../../build/leat")
    failed = 0
    with open(directory + "/broker.log", "w") as log:
        broker = subprocess.Popen([leat, "broker", "--data", directory + "/data", "--listen", server], stderr=log)
    try:
        wait_for(server)
        print(f"1..{len(jobs)}")
        for number, (client, part, job) in enumerate(jobs, 1):
            problem = ""
            try:
                job(server, f"leat-{number}", directory)
            except (RuntimeError, subprocess.TimeoutExpired) as fault:
                problem = str(fault)
            failed += bool(problem)
            print(f"{'not ok' if problem else 'ok'} {number} - {client}, {part}" + (f"\n# {problem}" if problem else ""),
                  flush=True)
        if broker.poll() is not None:
            failed += 1
            print("# the broker has ended")
    finally:
        broker.terminate()
        broker.wait(20)
    sys.exit(1 if failed else 0)


main()
