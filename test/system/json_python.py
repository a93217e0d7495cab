#!/usr/bin/env python3
"""Random JSON documents, a third of them spoiled by a byte, read by leat and by Python's json module: every document
that Python takes is a row with the same values, and no other gives one."""
import json
import os
import random
import re
import subprocess
import sys

LEAT = os.path.abspath(os.environ.get("LEAT", "build/leat"))
SEED = int(os.environ.get("SEED", "1"))
COUNT = 20000
TEXTS = ["", "x", "grün", "日本", "a\"b", "back\\slash", "line\nbreak", "\x01", "😀", "a longer text that is not inline"]


def document(rng, steady):
    """steady: the fields in one order and all there, as most producers write them"""
    doc = {}
    if steady or rng.random() < 0.95:
        doc["l"] = rng.choice([0, -1, rng.getrandbits(62), -rng.getrandbits(63), None])
    if steady or rng.random() < 0.95:
        doc["d"] = rng.choice([0.5, -1e300, 1e-7, rng.random() * 1e6, None])
    if steady or rng.random() < 0.95:
        doc["s"] = rng.choice(TEXTS + [None])
    if steady or rng.random() < 0.95:
        doc["b"] = rng.choice([True, False, None])
    if not steady and rng.random() < 0.3:
        doc["nested"] = {"k": [[], {}, [{"z": []}]]}
    items = list(doc.items())
    if not steady:
        rng.shuffle(items)
    separators = rng.choice([(",", ":"), (", ", ": ")]) if not steady else (", ", ": ")
    text = json.dumps(dict(items), ensure_ascii=rng.random() < 0.5, separators=separators)
    return text.encode()


def spoiled(rng, text):
    at = rng.randrange(len(text))
    kind = rng.randrange(4)
    byte = bytes([rng.choice(b"{}[]:,\"\\ 09-.etnu\x01\xff\xc3")])
    if kind == 0:
        return text[:at] + byte + text[at + 1:]
    if kind == 1:
        return text[:at] + text[at + 1:]
    if kind == 2:
        return text[:at] + byte + text[at:]
    return text[:at]


def refuse(name):
    raise ValueError(name)


def wanted(line):
    """The row as [l, d, s, b]; ... where the value is of another type; None: not a document."""
    try:
        doc = json.loads(line.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(doc, dict):
        return None
    row = []
    for key, kinds in (("l", int), ("d", float), ("s", str), ("b", bool)):
        value = doc.get(key)
        good = value is None or type(value) is kinds
        if isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 for c in value):
            return None  # half a pair is no text
        if kinds is int and good and value is not None:
            good = -2**63 <= value < 2**63
        good = good and not (isinstance(value, str) and "\0" in value)  # the printer cuts texts there
        row.append(value if good else ...)
    return row


def main():
    rng = random.Random(SEED)
    lines = []
    while len(lines) < COUNT:
        line = document(rng, len(lines) // 1000 % 2 == 1)
        # keys and scalars that nobody reads are not checked (a stated difference), so those are left whole
        if rng.random() < 0.33 and b"nested" not in line:
            line = spoiled(rng, line)
        if line and not re.search(rb'"\w*\\\w*"\s*:', line):
            lines.append(line)
    with open("documents.json", "wb") as file:
        file.write(b"\n".join(lines))
    sql = ("CREATE TABLE t (l BIGINT, d DOUBLE, s STRING, b BOOLEAN) WITH ('connector' = 'filesystem', "
           "'path' = 'documents.json', 'format' = 'json', 'json.ignore-parse-errors' = 'true'); SELECT * FROM t")
    result = subprocess.run([LEAT, "run", "--result", "json", "-e", sql], capture_output=True)
    rows = [json.loads(line) for line in result.stdout.decode().splitlines()]
    expected = [(line, row) for line, row in ((line, wanted(line)) for line in lines) if row is not None]
    print(f"# {len(expected)} documents of {COUNT}, {len(rows)} rows")
    failure = "" if result.returncode == 0 else result.stderr.decode()[:500]
    if not failure and len(rows) != len(expected):
        failure = f"{len(rows)} rows, want {len(expected)}"
    for got, (line, row) in zip(rows, expected):
        for key, value in zip("ldsb", row):
            if isinstance(value, float) and abs(value) == float("inf"):
                value = "Infinity" if value > 0 else "-Infinity"  # Java's name, quoted
            if value is not ... and got[key] != value:
                failure = failure or f"{line!r}: {key} is {got[key]!r}, want {value!r}"
    print(("not ok" if failure else "ok") + " 1 - the same rows as Python's json module")
    if failure:
        print("# " + failure)
    print("1..1")
    sys.exit(1 if failure else 0)


os.chdir(os.environ.get("TEST_DIR") or subprocess.check_output(["mktemp", "-d"], text=True).strip())
main()
