#!/usr/bin/env python3
"""Arrows between rooms: an #include (or a ROOM_dep in meson.build) only where rooms.txt has an arrow.

Also: no circle of rooms or headers; foo_int.h only from foo*.c, foo*.h of its room and tests
(ROOM_int.h: from the whole room); every room is
a library; every .c below src is compiled (when BUILD names a build directory).
"""
import json
import os
import re
import _lib

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def read_arrows():
    arrows = {}
    with open(os.path.join(_lib.HERE, "rooms.txt")) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                room, targets = line.split(":")
                arrows[room.strip()] = targets.split()
    return arrows


def family(room):
    return room.split("/")[0] + "/*" if "/" in room else room


def reached(arrows, room):
    """All rooms that room may include, itself apart; families stay as NAME/*."""
    found, waiting = set(), list(arrows.get(room, arrows.get(family(room), [])))
    while waiting:
        target = waiting.pop()
        if target not in found:
            found.add(target)
            waiting += arrows.get(target, arrows.get(family(target), []))
    return found


def known(arrows, room):
    return room in arrows or family(room) in arrows


def allowed(targets, room):
    return room in targets or family(room) in targets


def check_source(path, arrows, findings, graph):
    room, text = _lib.room_of(path), _lib.read(path)
    targets = reached(arrows, room)
    for found in INCLUDE.finditer(_lib.blank(text, strings=False)):
        name = found.group(1)
        place = f"{path}:{_lib.line_of(text, found.start())}"
        target = _lib.room_of("src/" + name)
        graph.setdefault(path, []).append("src/" + name)
        if target is None or not os.path.exists(os.path.join(_lib.ROOT, "src", name)):
            # generated headers and files beside the source have no room in their name
            if "/" in name and not os.path.exists(os.path.join(_lib.ROOT, os.path.dirname(path), name)):
                if target is None or not known(arrows, target):
                    findings.append(f'{place}: "{name}" is in no room')
                    continue
            if target is None or not known(arrows, target):
                continue
        if target != room and not allowed(targets, target):
            findings.append(f'{place}: {room} may not include {target} ("{name}")')
        inner = re.match(r"(.*/)(\w+)_int\.h$", "src/" + name)
        if inner and not (path.startswith(inner.group(1)) and (os.path.basename(path).startswith(inner.group(2)) or
                                                               inner.group(2) == os.path.basename(room))):
            findings.append(f'{place}: "{name}" is for {inner.group(2)}*.c and its tests only')


def check_meson(path, arrows, findings):
    room, text = _lib.room_of(path), re.sub(r"#.*", "", _lib.read(path))
    targets = reached(arrows, room)
    if re.search(r"\bexecutable\s*\(", text) and "native: true" not in text:
        findings.append(f"{path}:1: only the root meson.build makes an executable, of src/cli/main.c")
    names = {re.sub(r"\W", "_", name): name for name in rooms_present()}
    for found in re.finditer(r"\b(\w+)_(?:dep|lib)\b", text):
        target = names.get(found.group(1))
        if target and target != room and not allowed(targets, target):
            findings.append(f"{path}:{_lib.line_of(text, found.start())}: {room} may not link {target}")


def rooms_present():
    return sorted({_lib.room_of(path) for path in _lib.files(".c", ".h", ".cc", ".y", under=["src/"])} - {None})


def circle(graph):
    """A list of nodes in a circle, or an empty list."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return []
        done.add(node)
        path.append(node)
        for target in graph.get(node, []):
            found = visit(target)
            if found:
                return found
        path.pop()
        return []

    for node in sorted(graph):
        found = visit(node)
        if found:
            return found
    return []


def check_compiled(findings):
    commands = os.path.join(os.environ.get("BUILD", ""), "compile_commands.json")
    if not os.environ.get("BUILD") or not os.path.exists(commands):
        return
    with open(commands) as file:
        compiled = {os.path.relpath(os.path.realpath(os.path.join(entry["directory"], entry["file"])),
                                    os.path.realpath(_lib.ROOT)) for entry in json.load(file)}
    for path in _lib.files(".c", ".cc", under=["src/"]):
        if path not in compiled:
            findings.append(f"{path}:1: is not compiled: no meson.build names it")


def main():
    arrows, findings, graph = read_arrows(), [], {}
    loop = circle({room: list(reached(arrows, room)) if room in reached(arrows, room) else []
                   for room in arrows} | {room: [target for target in targets if target in arrows]
                                          for room, targets in arrows.items()})
    if loop:
        findings.append("script/check/rooms.txt:1: a circle of rooms: " + " -> ".join(loop))
    for path in _lib.files(".c", ".h", ".cc", ".y", under=["src/"]):
        room = _lib.room_of(path)
        if room is None or not known(arrows, room):
            findings.append(f"{path}:1: {room or 'src'} is no room of script/check/rooms.txt")
        else:
            check_source(path, arrows, findings, graph)
    for path in _lib.files("meson.build", under=["src/"]):
        if _lib.room_of(path) and known(arrows, _lib.room_of(path)):
            check_meson(path, arrows, findings)
    loop = circle(graph)
    if loop:
        findings.append(f"{loop[0]}:1: a circle of includes: " + " -> ".join(loop))
    check_compiled(findings)
    _lib.finish(findings, "The arrows are in script/check/rooms.txt; a room includes what these reach, nothing else.")


main()
