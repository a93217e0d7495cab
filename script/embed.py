#!/usr/bin/env python3
"""embed.py ARRAY ROOT OUT.c DEPENDENCIES [FILE...]: files as a C array, so that the executable carries them.

ARRAY is what OUT.c defines: const struct embedded_file ARRAY[], with the paths below ROOT as names, sorted,
and an entry without a name at its end. Without FILEs: every file below ROOT. DEPENDENCIES is a depfile
for ninja that names them.
"""
import os
import sys


def files_below(root):
    for directory, directories, names in os.walk(root):
        directories.sort()
        for name in names:
            yield os.path.join(directory, name)


def literal(data):
    """Bytes as lines of C numbers: no limit on length, no escapes to get wrong."""
    return ",\n".join(",".join(str(byte) for byte in data[i:i + 32]) for i in range(0, len(data), 32))


def main():
    array, root, out, dependencies, *paths = sys.argv[1:]
    paths = sorted(paths or files_below(root), key=lambda path: os.path.relpath(path, root))
    text = ['#include "base/embedded.h"\n']
    entries = []
    for i, path in enumerate(paths):
        with open(path, "rb") as file:
            data = file.read()
        text.append(f"static const unsigned char data_{i}[] = {{\n{literal(data + bytes(1))}}};\n")
        entries.append(f'    {{"{os.path.relpath(path, root)}", data_{i}, {len(data)}}},\n')
    text.append(f"const struct embedded_file {array}[] = {{\n{''.join(entries)}    {{0, 0, 0}},\n}};\n")
    with open(out, "w") as file:
        file.write("\n".join(text))
    watched = [*paths, *(directory for directory, _, _ in os.walk(root))]  # a directory changes with its list of files
    with open(dependencies, "w") as file:
        file.write(f"{out}: " + " ".join(path.replace(" ", "\\ ") for path in watched) + "\n")


main()
