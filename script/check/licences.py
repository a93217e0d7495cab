#!/usr/bin/env python3
"""docs/dependencies.md against the build: every library linked (or loaded by name in src) is there, in the version
asked for or newer, under a licence leat may use; nothing LGPL is linked statically; once there is an executable,
nothing is listed that it does not link. The same for the npm packages of web/package-lock.json, which holds no
addresses of a registry.
"""
import glob
import json
import os
import re
import subprocess
import _lib

FREE = {"MIT", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "Zlib", "curl", "blessing (public domain)"}
DYNAMIC_ONLY = {"LGPL-2.1-or-later", "LGPL-2.1-only", "LGPL-3.0-or-later"}
RUNTIME = {"GPL-3.0-or-later WITH GCC-exception-3.1"}
IGNORED = re.compile(r"ld-linux|lib(asan|ubsan|tsan|clang_rt)\b")


def read_table(findings):
    """library name (libz) -> (line, package, minimum, licence, linked)"""
    table = {}
    for number, line in enumerate(_lib.read("docs/dependencies.md").splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| lib") or len(cells) != 6 or cells[0] == "library":
            continue
        _, _, package, minimum, licence, linked = cells
        if licence not in FREE | DYNAMIC_ONLY | RUNTIME:
            findings.append(f"docs/dependencies.md:{number}: licence {licence} is not one leat may use")
        if licence not in FREE and linked not in ("dynamic", "loaded"):
            findings.append(f"docs/dependencies.md:{number}: {licence} may only be linked dynamically")
        for name in cells[0].split(", "):
            table[name] = (number, package, minimum, licence, linked)
    return table


def base_name(soname):
    return re.sub(r"\.so.*", "", os.path.basename(soname))


def needed(program):
    output = subprocess.run(["readelf", "-d", program], capture_output=True, text=True).stdout
    return {base_name(name) for name in re.findall(r"\(NEEDED\).*\[(.+)\]", output)}


def programs(build):
    """The executable, or as long as there is none the unit programs."""
    leat = os.path.join(build, "leat")
    return [leat] if os.path.exists(leat) else sorted(glob.glob(os.path.join(build, "test/unit/*/*_test")))


def check_versions(table, findings):
    packages = {row[1]: row for row in table.values()}
    if not packages:
        return
    output = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version}\n"] + sorted(packages), capture_output=True,
                            text=True).stdout
    for line in output.splitlines():
        name, _, version = line.partition(" ")
        number, _, minimum, _, _ = packages[name]
        upstream = version.split(":")[-1]
        if version and subprocess.run(["dpkg", "--compare-versions", upstream, "lt", minimum]).returncode == 0:
            findings.append(f"docs/dependencies.md:{number}: {name} is {version}, older than {minimum}")


def npm_table():
    """package -> (line, version, licence), from the rows below the heading "npm packages"."""
    table, inside = {}, False
    for number, line in enumerate(_lib.read("docs/dependencies.md").splitlines(), 1):
        if line.startswith("#"):
            inside = "npm packages" in line
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if inside and len(cells) == 5 and re.match(r"\d", cells[2]):
            table[cells[0]] = (number, cells[2], cells[3])
    return table


def check_npm(findings):
    path = "web/package-lock.json"
    table = npm_table()
    text = _lib.read(path) if os.path.exists(os.path.join(_lib.ROOT, path)) else "{}"
    if '"resolved"' in text:
        findings.append(f"{path}: holds addresses of a registry; web/.npmrc has omit-lockfile-registry-resolved")
    locked = {}
    for where, package in json.loads(text).get("packages", {}).items():
        name = where.rpartition("node_modules/")[2]
        if name and not name.startswith("@esbuild/"):  # esbuild's executable, one package a platform
            locked[name] = (package["version"], package.get("license", "no licence named"))
    for name, (version, licence) in sorted(locked.items()):
        if name not in table:
            findings.append(f"{path}: {name} is not in docs/dependencies.md")
        elif table[name][1:] != (version, licence):
            findings.append(f"docs/dependencies.md:{table[name][0]}: {name} is {version} under {licence}")
        if licence not in FREE:
            findings.append(f"{path}: licence {licence} of {name} is not one leat may use")
    for name in sorted(set(table) - set(locked)):
        findings.append(f"docs/dependencies.md:{table[name][0]}: {name} is not in {path}")


def main():
    findings, build = [], os.environ.get("BUILD", "build")
    table = read_table(findings)
    linked = set()
    for program in programs(build):
        for name in sorted(needed(program) - set(table)):
            if not IGNORED.search(name):
                findings.append(f"{os.path.basename(program)}: links {name}, which is not in docs/dependencies.md")
        linked |= needed(program)
    if not linked:
        print(f"{build}: nothing built here")
    ninja = os.path.join(build, "build.ninja")
    if os.path.exists(ninja):
        with open(ninja) as file:
            arguments = " ".join(line for line in file if line.strip().startswith("LINK_ARGS"))
        archives = {base_name(path.replace(".a", ".so")) for path in re.findall(r"(?:-l:|\s/)(\S+\.a)\b", arguments)}
        for name in sorted(archives):
            licence = table.get(name, (0, "", "", "no licence known", ""))[3]
            if licence not in FREE:
                findings.append(f"{name} is linked statically: {licence}")
    for path in _lib.files(".c", ".h", ".cc", under=["src/"]):
        text = _lib.blank(_lib.read(path), strings=False)
        for found in re.finditer(r'"(lib[\w+-]+)\.so[.\d]*"', text):
            if found.group(1) not in table:
                findings.append(f"{path}:{_lib.line_of(text, found.start())}: loads {found.group(1)}, which is not in "
                                "docs/dependencies.md")
    if os.path.exists(os.path.join(build, "leat")) and "san" not in os.path.basename(build):
        for name, row in sorted(table.items()):
            if name not in linked | {"libm", "libgcc_s"} and row[4] == "dynamic":
                findings.append(f"docs/dependencies.md:{row[0]}: {name} is not linked")
    check_versions(table, findings)
    check_npm(findings)
    _lib.finish(findings)


main()
