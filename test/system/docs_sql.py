#!/usr/bin/env python3
"""Every SQL example of docs/sql-reference.md is accepted: statements and clauses after the tables the page begins
with, forms and types as an expression whose value is printed. The README shows
statements of the example as they are."""
import os
import re
import subprocess
from _tap import check, finish

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def leat(*arguments):
    return subprocess.run([LEAT, *arguments], capture_output=True, text=True, cwd=DIRECTORY, timeout=60)


with open(os.path.join(ROOT, "docs", "sql-reference.md")) as file:
    page = file.read()
tables, *examples = re.findall(r"```sql\n(.*?)```", page, re.S)
for example in examples:
    # explained, so that nothing runs; what prints or changes the catalog is executed
    result = leat("explain", "-e", tables, "-e", example)
    check(result.returncode == 0, example.split("\n")[0], example + result.stderr)
rows = re.findall(r"^\| `.*` \| .* \| `(.*)` \|$", page, re.M)
expressions = [row.replace("\\|", "|") for row in rows]
for expression in expressions:
    result = leat("run", "--result", "csv", "-e", f"SELECT {expression} AS v")
    lines = result.stdout.splitlines()
    check(result.returncode == 0 and len(lines) == 2, expression, result.stdout + result.stderr)

with open(os.path.join(ROOT, "README.md")) as file:
    logic, tables = re.findall(r"```sql\n(.*?)```", file.read(), re.S)
with open(os.path.join(ROOT, "examples/ecommerce/pipeline.sql")) as file:
    pipeline = file.read()
inserts = re.findall(r"INSERT INTO .*?;", logic, re.S)
check(len(inserts) == 2 and all(insert in pipeline for insert in inserts), "the README shows the example's own SQL")
result = leat("explain", "-e", tables, "-e", inserts[0])
check(result.returncode == 0, "the README's tables", result.stderr)
check(len(examples) >= 18 and len(expressions) >= 29, "all examples are found", (len(examples), len(expressions)))
finish()
