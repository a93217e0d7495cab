"""What the checks share. A check prints one line "path:line: what" for each finding and exits 1 when there are any.

CHECK_ROOT names another tree to look at (used by self_test.py, which plants defects there).
"""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("CHECK_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))


def files(*endings, under=("",)):
    """Paths relative to the root: tracked ones and new ones that git does not ignore."""
    if os.path.exists(os.path.join(ROOT, ".git")):
        listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                                capture_output=True, text=True, check=True).stdout.splitlines()
    else:
        listed = [os.path.relpath(os.path.join(where, name), ROOT)
                  for where, _, names in os.walk(ROOT) for name in names]
    return sorted({path for path in listed if path.endswith(endings or ("",)) and path.startswith(tuple(under))
                   and os.path.isfile(os.path.join(ROOT, path))})


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


PIECES = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text, strings=True):
    """C text with comments (and strings) blanked out; lines stay where they are."""
    def replace(found):
        piece = found.group(0)
        if piece[0] == "/" or strings:
            return re.sub(r"[^\n]", " ", piece)
        return piece
    return PIECES.sub(replace, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def finish(findings, hint=""):
    for finding in findings:
        print(finding)
    if findings:
        print(f"{len(findings)} findings. {hint}".rstrip())
    sys.exit(1 if findings else 0)


def room_of(path):
    """src/connector/kafka/x.c -> connector/kafka; src/base/x.c -> base; None outside src."""
    parts = path.split("/")
    if parts[0] != "src" or len(parts) < 3:
        return None
    return "/".join(parts[1:3]) if parts[1] in ("format", "connector") and len(parts) > 3 else parts[1]
