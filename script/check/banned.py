#!/usr/bin/env python3
"""Banned functions and constructs.

Everywhere: calls that cannot be used safely. In src besides: number parsing and allocation outside base, time, files
and threads outside os (so that a test can own them), typedefs of structs, notes of unfinished work.
Exceptions, each with its reason, are in banned-exceptions.txt: "path name reason".
"""
import os
import re
import _lib

UNSAFE = """strcpy strcat strncat stpcpy sprintf vsprintf strtok strtok_r gets atoi atol atoll atof localtime
localtime_r gmtime ctime asctime mktime rand srand random srandom drand48 signal setjmp longjmp alloca tmpnam mktemp
system popen""".split()
NUMBERS = "strtol strtoul strtoll strtoull strtoimax strtod strtof strtold sscanf".split()
MEMORY = "malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf aligned_alloc posix_memalign".split()
OUTSIDE = """time clock clock_gettime gettimeofday nanosleep usleep sleep open openat creat fopen read write pread pwrite
fsync fdatasync socket accept accept4 bind listen connect fork pthread_create pthread_mutex_lock getrandom
getentropy""".split()
HINTS = {**{name: "not safe" for name in UNSAFE},
         **{name: "numbers are parsed by base/str.h" for name in NUMBERS},
         **{name: "memory comes from base/mem.h" for name in MEMORY},
         **{name: "only through src/os" for name in OUTSIDE}}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(sorted(HINTS, key=len, reverse=True)) + r")\s*\(")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
TYPEDEF = re.compile(r"\btypedef\s+(struct|union|enum)\b[^;({]*[;{]")
DECLARATION = re.compile(r"(?:^|[;{}])\s*(?:(?:static|extern|const|unsigned|struct|enum|inline)\s+)*"
                         r"(?!return\b|else\b|case\b|do\b|goto\b)\w+\s*[\s*]\s*\**$")


def banned_in(path):
    names = set(UNSAFE)
    if path.startswith("src/"):
        room = _lib.room_of(path)
        names |= set(HINTS)
        if room == "base":
            names -= set(NUMBERS) | set(MEMORY)
        if room == "os":
            names -= set(OUTSIDE)
    return names


def read_exceptions():
    found = {}
    with open(os.path.join(_lib.HERE, "banned-exceptions.txt")) as file:
        for number, line in enumerate(file, 1):
            if line.strip() and not line.startswith("#"):
                path, name, reason = line.split(None, 2)
                found[(path, name)] = number
    return found


def main():
    findings, exceptions, used = [], read_exceptions(), set()
    for path in _lib.files(".c", ".h", ".cc", ".y", under=["src/", "test/", "fuzz/", "bench/"]):
        text = _lib.read(path)
        code, names = _lib.blank(text), banned_in(path)
        for found in CALL.finditer(code):
            name = found.group(1)
            before = code[max(0, found.start() - 200):found.start()]
            if name not in names or (name in OUTSIDE and DECLARATION.search(before)):
                continue
            if (path, name) in exceptions:
                used.add((path, name))
                continue
            findings.append(f"{path}:{_lib.line_of(code, found.start())}: {name}: {HINTS[name]}")
        if path.startswith("src/"):
            for found in TYPEDEF.finditer(code):
                findings.append(f"{path}:{_lib.line_of(code, found.start())}: typedef {found.group(1)}: only function "
                                "pointers are typedefed")
            for found in UNFINISHED.finditer(text):
                findings.append(f"{path}:{_lib.line_of(text, found.start())}: {found.group(1)}")
    if not os.environ.get("CHECK_ROOT"):
        for key, number in exceptions.items():
            if key not in used:
                findings.append(f"script/check/banned-exceptions.txt:{number}: {' '.join(key)} is not needed any more")
    _lib.finish(findings)


main()
