"""What every system test shares: TAP lines, waiting for a condition, rows of a SQLite file."""
import sqlite3
import sys
import time

PATIENCE = 60  # seconds for what takes milliseconds on a machine of its own
number = failures = 0


def check(good, name, *details):
    global number, failures
    number += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    for detail in details if not good else ():
        print("# " + str(detail)[:6000].replace("\n", "\n# "), flush=True)
    return good


def skip(name, reason):
    global number
    number += 1
    print(f"ok {number} - {name} # SKIP {reason}", flush=True)


def finish():
    print(f"1..{number}")
    sys.exit(1 if failures else 0)


def wait_for(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def rows_of(database, query):
    """[] as long as the table or the file is not there."""
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return []
