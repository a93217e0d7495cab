#!/usr/bin/env python3
"""Functions of src have at most 70 lines and complexity 25 (pmccabe); files at most 2000 lines, from 1000 on a warning.

What is above stands in size-ratchet.txt ("path function lines complexity") and may only shrink:
script/check/size.py --shrink lowers and removes entries, it never adds one. Generated files and tests are apart.
"""
import os
import re
import subprocess
import sys
import _lib

MAX_LINES, MAX_COMPLEXITY, MAX_FILE, WARN_FILE = 70, 25, 2000, 1000
RATCHET = os.path.join(os.environ.get("CHECK_ROOT") or os.path.join(_lib.HERE, "../.."), "script/check/size-ratchet.txt")


def measure(paths):
    """Yields (path, line, function, lines, complexity)."""
    output = subprocess.run(["pmccabe"] + paths, cwd=_lib.ROOT, capture_output=True, text=True).stdout if paths else ""
    for row in output.splitlines():
        found = re.match(r"(\d+)\t\d+\t\d+\t(\d+)\t(\d+)\t(.+)\(\d+\): (.+)", row)
        if found:
            complexity, line, lines, path, name = found.groups()
            if re.fullmatch(r"[A-Z0-9_]+", name):
                continue  # invocations of a macro that defines functions, taken for one function by pmccabe
            yield path, int(line), name, int(lines), int(complexity)


def read_ratchet():
    entries = {}
    if os.path.exists(RATCHET):
        with open(RATCHET) as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    path, name, lines, complexity = line.split()
                    entries[(path, name)] = (int(lines), int(complexity))
    return entries


def write_ratchet(entries):
    with open(RATCHET) as file:
        head = [line for line in file if line.startswith("#")]
    with open(RATCHET, "w") as file:
        file.writelines(head)
        for (path, name), (lines, complexity) in sorted(entries.items()):
            file.write(f"{path} {name} {lines} {complexity}\n")


def main():
    findings, ratchet, seen = [], read_ratchet(), {}
    for path, line, name, lines, complexity in measure(_lib.files(".c", ".h", ".cc", under=["src/"])):
        if lines <= MAX_LINES and complexity <= MAX_COMPLEXITY:
            continue
        limit_lines, limit_complexity = ratchet.get((path, name), (0, 0))
        seen[(path, name)] = (lines, complexity)
        if lines > max(MAX_LINES, limit_lines):
            findings.append(f"{path}:{line}: {name} has {lines} lines, at most {max(MAX_LINES, limit_lines)}")
        if complexity > max(MAX_COMPLEXITY, limit_complexity):
            findings.append(f"{path}:{line}: {name} has complexity {complexity}, at most "
                            f"{max(MAX_COMPLEXITY, limit_complexity)}")
    shrunk = {key: tuple(map(min, limits, seen[key])) for key, limits in ratchet.items() if key in seen}
    if shrunk != ratchet:
        if "--shrink" in sys.argv:
            write_ratchet(shrunk)
        else:
            stale = sorted(" ".join(key) for key in ratchet if shrunk.get(key) != ratchet[key])
            findings.append("script/check/size-ratchet.txt:1: can shrink (script/check/size.py --shrink): "
                            + ", ".join(stale))
    for path in _lib.files(".c", ".h", ".cc", ".y", ".py", under=["src/", "script/"]):
        count = _lib.read(path).count("\n")
        if count > MAX_FILE:
            findings.append(f"{path}:1: {count} lines, at most {MAX_FILE}")
        elif count > WARN_FILE:
            print(f"{path}:1: warning: {count} lines; think of dividing it")
    _lib.finish(findings)


main()
