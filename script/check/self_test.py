#!/usr/bin/env python3
"""The checks themselves: each finds the defects planted here, says where, and passes the same tree without them."""
# timeout: 120
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

LONG_FUNCTION = "/* x */\nint long_one(int a)\n{\n" + "    a++;\n" * 70 + "    return a;\n}\n"
COMPLEX_FUNCTION = "/* x */\nint complex_one(int a)\n{\n" + "    if (a == 1)\n        a = 2;\n" * 26 + "    return a;\n}\n"
GUARD = "/* x */\n#ifndef LEAT_{0}_H\n#define LEAT_{0}_H\n{1}#endif\n"
NPM = "## npm packages\n| a | x | 1.0.0 | MIT | page |\n"
LOCK = '{{"packages": {{"": {{}}, "node_modules/a": {{"version": "1.0.0", "license": "{}"{}}}}}}}'
TSCONFIG = '{"compilerOptions": {"strict": true, "noEmit": true, "types": []}, "include": ["src"]}'
DEPENDENCY = "| libx | x | libxxx | 1.0 | {} | {} |\n"


class CLIENTS:
    @staticmethod
    def plant(table, without=""):
        return {"test/services/clients.tsv": table, "test/services/clients-without.tsv": without,
                "test/services/_clients.py": 'KAFKA_VERSION = "4.3.1"\n',
                "src/kafka/api.h": '    X(KAFKA_PRODUCE, 0, "Produce", produce, 0, 7, 9)\n'}


# check, planted files, a part of what it has to print (None: it has to pass)
PLANTED = [
    ("arrows", {"src/log/a.c": '/* x */\n#include "log/a.h"\n#include "os/b.h"\n', "src/log/a.h": "/* x */\n",
                "src/os/b.h": "/* x */\n"}, None),
    ("arrows", {"src/base/a.c": '/* x */\n#include "os/b.h"\n', "src/os/b.h": "/* x */\n"},
     "src/base/a.c:2: base may not include os"),
    ("arrows", {"src/broker/a.c": '#include "log/b.h"\n#  include "sql/c.h"\n', "src/log/b.h": "", "src/sql/c.h": ""},
     "src/broker/a.c:2: broker may not include sql"),
    ("arrows", {"src/format/csv/a.c": '#include "format/json/b.h"\n', "src/format/json/b.h": ""},
     "src/format/csv/a.c:1: format/csv may not include format/json"),
    ("arrows", {"src/format/debezium-json/a.c": '#include "format/json/b.h"\n', "src/format/json/b.h": ""}, None),
    ("arrows", {"src/connector/kafka/a.c": '#include "connector/jdbc/b.h"\n', "src/connector/jdbc/b.h": ""},
     "src/connector/kafka/a.c:1: connector/kafka may not include connector/jdbc"),
    ("arrows", {"src/connector/kafka/a.c": '#include "log/b.h"\n#include "format/json/b.h"\n', "src/log/b.h": "",
                "src/format/json/b.h": ""}, None),
    ("arrows", {"src/misc/a.c": "\n"}, "misc is no room"),
    ("arrows", {"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": '#include "base/a.h"\n'}, "a circle of includes"),
    ("arrows", {"src/base/a.c": '#include "base/b_int.h"\n', "src/base/b_int.h": ""}, "b*.c and its tests only"),
    ("arrows", {"src/base/a.c": '#include "base/base_int.h"\n', "src/base/base_int.h": ""}, None),
    ("arrows", {"src/data/a.c": '#include "base/base_int.h"\n', "src/base/base_int.h": ""}, "base*.c and its tests only"),
    ("arrows", {"src/data/a.c": "", "src/data/meson.build": "x = executable('x', 'a.c')\n"}, "only the root meson.build makes"),
    ("arrows", {"src/data/a.c": "", "src/sql/b.c": "", "src/data/meson.build": "x = [sql_dep]\n"}, "data may not link sql"),
    ("banned", {"src/os/a.c": '/* strcpy(a, b) */\nint a(void)\n{\n    puts("free(x)");\n    return open("x", 0);\n}\n'},
     None),
    ("banned", {"src/os/a.c": "void a(char *b)\n{\n    strcpy(b, b);\n}\n"}, "src/os/a.c:3: strcpy"),
    ("banned", {"test/unit/a.c": "int a(void)\n{\n    return atoi(\"1\");\n}\n"}, "test/unit/a.c:3: atoi"),
    ("banned", {"src/data/a.c": "void a(void *b)\n{\n    free(b);\n}\n"}, "src/data/a.c:3: free"),
    ("banned", {"src/data/a.c": "void a(struct x *b)\n{\n    b->free(b);\n    b->ops.free(b);\n}\n"}, None),
    ("banned", {"src/log/a.c": "int a(void)\n{\n    return fsync(3);\n}\n"}, "only through src/os"),
    ("banned", {"src/log/a.h": "struct x {\n    int (*read)(int a);\n};\nint read(int a);\n"}, None),
    ("banned", {"src/log/a.h": "typedef struct x x;\n"}, "typedef struct"),
    ("banned", {"src/log/a.h": "typedef enum status (*visit)(int a);\n"}, None),
    ("banned", {"src/log/a.c": "/* TO" + "DO: more */\n"}, "src/log/a.c:1: TO" + "DO"),
    ("size", {"src/base/a.c": LONG_FUNCTION}, "src/base/a.c:2: long_one has 74 lines, at most 70"),
    ("size", {"src/base/a.c": LONG_FUNCTION, "script/check/size-ratchet.txt": "src/base/a.c long_one 74 1\n"}, None),
    ("size", {"src/base/a.c": LONG_FUNCTION, "script/check/size-ratchet.txt": "src/base/a.c long_one 73 1\n"},
     "long_one has 74 lines, at most 73"),
    ("size", {"src/base/a.c": LONG_FUNCTION, "script/check/size-ratchet.txt": "src/base/a.c long_one 80 1\n"}, "can shrink"),
    ("size", {"src/base/a.c": "", "script/check/size-ratchet.txt": "src/base/a.c gone 80 1\n"}, "can shrink"),
    ("size", {"src/base/a.c": COMPLEX_FUNCTION}, "complex_one has complexity 27, at most 25"),
    ("size", {"src/base/a.c": "\n" * 2001}, "src/base/a.c:1: 2001 lines, at most 2000"),
    ("format", {"a.c": "int a(int b)\n{\n    return b;\n}\n"}, None),
    ("format", {"a.c": "int a (int b) {return b;}\n"}, "a.c: not formatted"),
    ("layout", {"src/base/a.c": '/* x */\n#include "base/a.h"\n', "src/base/a.h": GUARD.format("BASE_A", ""),
                "src/base/README.md": "# base\n[a](a.c) `a.h`\n"}, None),
    ("layout", {"src/base/a.c": '/* x */\n#include <stdio.h>\n#include "base/a.h"\n',
                "src/base/a.h": GUARD.format("BASE_A", "")}, 'src/base/a.c:2: the first include has to be "base/a.h"'),
    ("layout", {"src/base/a.h": GUARD.format("A", "")}, "header guard is LEAT_A_H, should be LEAT_BASE_A_H"),
    ("layout", {"src/base/a.h": "/* x */\nint a;\n"}, "no header guard"),
    ("layout", {"src/base/a.c": "int a;\n"}, "does not open with a comment"),
    ("layout", {"src/base/a.c": "/* x */\n"}, "src/base:1: no README.md"),
    ("layout", {"docs/a.md": "[b](b.md)\n"}, "link to nowhere: b.md"),
    ("layout", {"src/base/README.md": "`gone.c`\n"}, "names gone.c"),
    ("layout", {"script/a": "#!/bin/sh\nif\n"}, "script/a:1:"),
    ("words", {"a.md": "see ../shared and src/work/a\n"}, None),
    ("words", {"a.md": "see /wo" + "rk/main\n"}, "a.md:1: /wo" + "rk/"),
    ("words", {"a.md": "for iss" + "ue 12\n"}, "a.md:1: iss" + "ue 12"),
    ("clients", CLIENTS.plant("kcat\tproduce\t0\t3\n"), "docs/broker-clients.md:1: is not what"),
    ("clients", CLIENTS.plant("kcat\tproduce\t0\t9\n"), "clients.tsv:1: kcat sends Produce 9, leat speaks 0 to 7"),
    ("clients", CLIENTS.plant("kcat\tproduce\t5\t1\n"), "clients.tsv:1: kcat sends API 5, which leat does not speak"),
    ("clients", CLIENTS.plant("kcat\tproduce\t0\t3\n", "0\tProduce\twhy\n"), "clients-without.tsv:1: Produce is spoken"),
    ("licences", {"docs/dependencies.md": DEPENDENCY.format("MIT", "static")}, None),
    ("licences", {"docs/dependencies.md": DEPENDENCY.format("GPL-2.0-only", "dynamic")}, "licence GPL-2.0-only is not one"),
    ("licences", {"docs/dependencies.md": DEPENDENCY.format("LGPL-2.1-only", "static")}, "may only be linked dynamically"),
    ("licences", {"docs/dependencies.md": DEPENDENCY.format("MIT", "loaded"), "src/os/a.c": 'x = "liby.so.3";\n'},
     "loads liby, which is not in"),
    ("licences", {"docs/dependencies.md": "| libc | x | libc6 | 99.0 | LGPL-2.1-or-later | dynamic |\n"}, "older than 99.0"),
    ("licences", {"docs/dependencies.md": DEPENDENCY.format("MIT", "dynamic"),
                  "none/build.ninja": " LINK_ARGS = -Wl,--as-needed /usr/lib/liby.a -lm\n"}, "liby is linked statically"),
    ("licences", {"docs/dependencies.md": NPM, "web/package-lock.json": LOCK.format("MIT", "")}, None),
    ("licences", {"docs/dependencies.md": "", "web/package-lock.json": LOCK.format("MIT", "")},
     "a is not in docs/dependencies.md"),
    ("licences", {"docs/dependencies.md": NPM, "web/package-lock.json": LOCK.format("GPL-3.0-only", "")},
     "licence GPL-3.0-only of a is not one"),
    ("licences", {"docs/dependencies.md": NPM, "web/package-lock.json": LOCK.format("MIT", ', "resolved": "x"')},
     "addresses of a registry"),
    ("licences", {"docs/dependencies.md": NPM}, "a is not in web/package-lock.json"),
    ("typescript", {"web/tsconfig.json": TSCONFIG, "web/src/a.ts": "export const a: number = 1;\n"}, None),
    ("typescript", {"web/tsconfig.json": TSCONFIG, "web/src/a.ts": "export const a: number = 'x';\n"},
     "src/a.ts(1,14): error TS2322"),
]


def run_check(name, planted):
    with tempfile.TemporaryDirectory(prefix="leat-check-") as root:
        for path, text in planted.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as file:
                file.write(text)
        if name == "format":
            with open(os.path.join(HERE, "../../.clang-format")) as source, \
                    open(os.path.join(root, ".clang-format"), "w") as target:
                target.write(source.read())
        shell = f"{HERE}/{name}.sh"
        command = ["bash", shell] if os.path.exists(shell) else [sys.executable, f"{HERE}/{name}.py"]
        environment = dict(os.environ, CHECK_ROOT=root, BUILD=os.path.join(root, "none"))
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)


def main():
    failures = 0
    for number, (name, planted, wanted) in enumerate(PLANTED, 1):
        result = run_check(name, planted)
        output = result.stdout + result.stderr
        good = result.returncode == 0 if wanted is None else result.returncode == 1 and wanted in output
        if result.returncode == 77:
            print(f"ok {number} - {name} # SKIP {output.strip()}")
            continue
        failures += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {wanted or 'passes'}")
        if not good:
            print("# got: " + (output.strip() or "nothing").replace("\n", "\n# "))
    print(f"1..{len(PLANTED)}")
    return 1 if failures else 0


sys.exit(main())
