#!/usr/bin/env python3
"""Form of the tree: each .c includes its own header first; header guards are LEAT_PATH_H; each source opens with a
comment; every room has a README; relative links in .md files lead somewhere; scripts parse.
"""
import ast
import os
import re
import subprocess
import _lib

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<][^">]+)[">]', re.M)


def guard_of(path):
    parts = path.split("/")
    name = "/".join(parts[1:]) if parts[0] == "src" else path
    return "LEAT_" + re.sub(r"\W", "_", name).upper()


def check_source(path, findings):
    text = _lib.read(path)
    code = _lib.blank(text, strings=False)
    if path.startswith("src/") and not re.match(r"\s*(/\*|//)", text):
        findings.append(f"{path}:1: does not open with a comment that says what it is for")
    if path.endswith(".h"):
        found = re.search(r"^#ifndef (\w+)\n#define (\w+)\n", code, re.M)
        wanted = guard_of(path)
        if not found or found.group(1) != found.group(2):
            if path.startswith("src/"):  # elsewhere a header may be a bare table
                findings.append(f"{path}:1: no header guard ({wanted})")
        elif found.group(1) != wanted and (path.startswith("src/") or not found.group(1).startswith("LEAT_")):
            line = _lib.line_of(code, found.start())
            findings.append(f"{path}:{line}: header guard is {found.group(1)}, should be {wanted}")
        return
    header = re.sub(r"\.(c|cc)$", ".h", path)
    if os.path.exists(os.path.join(_lib.ROOT, header)):
        first = INCLUDE.search(code)
        wanted = header[4:] if header.startswith("src/") else header
        if not first or first.group(1) != '"' + wanted:
            line = _lib.line_of(code, first.start()) if first else 1
            findings.append(f'{path}:{line}: the first include has to be "{wanted}"')


def check_readmes(findings):
    rooms = {os.path.dirname(path) for path in _lib.files(".c", ".h", ".cc", ".y", under=["src/"])}
    for room in sorted(rooms):
        if not os.path.exists(os.path.join(_lib.ROOT, room, "README.md")):
            findings.append(f"{room}:1: no README.md")


def check_links(path, findings):
    text = _lib.read(path)
    for found in re.finditer(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        target = os.path.normpath(os.path.join(_lib.ROOT, os.path.dirname(path), found.group(1)))
        if not os.path.exists(target):
            findings.append(f"{path}:{_lib.line_of(text, found.start())}: link to nowhere: {found.group(1)}")
    if os.path.basename(path) == "README.md":
        for found in re.finditer(r"`([\w.-]+\.(?:c|h|cc|y|py|sh))`", text):
            name = found.group(1)
            beside = os.path.join(_lib.ROOT, os.path.dirname(path), name)
            if path.startswith("src/") and not os.path.exists(beside):
                findings.append(f"{path}:{_lib.line_of(text, found.start())}: names {name}, which is not there")


def check_script(path, findings):
    if path.endswith(".py"):
        try:
            ast.parse(_lib.read(path))
        except SyntaxError as problem:
            findings.append(f"{path}:{problem.lineno}: {problem.msg}")
        return
    if re.match(r"#!.*\b(ba)?sh\b", _lib.read(path)):
        result = subprocess.run(["bash", "-n", os.path.join(_lib.ROOT, path)], capture_output=True, text=True)
        if result.returncode:
            findings.append(f"{path}:1: {result.stderr.strip()}")


def main():
    findings = []
    for path in _lib.files(".c", ".h", ".cc", under=["src/", "test/", "fuzz/", "bench/"]):
        check_source(path, findings)
    check_readmes(findings)
    for path in _lib.files(".md"):
        check_links(path, findings)
    for path in _lib.files(".py", ".sh") + _lib.files(under=["script/", ".ci/"]):
        check_script(path, findings)
    _lib.finish(findings)


main()
