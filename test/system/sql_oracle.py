"""Random bounded queries: leat's final rows against SQLite's (Python's sqlite3).

Tables of INT, BIGINT and STRING columns with NULLs; projections, filters, sub-queries, UNION [ALL], DISTINCT,
GROUP BY with FILTER, DISTINCT and HAVING up to three levels deep (so that aggregations run over changing
inputs); some tables hold rows that are deleted or updated later. TUMBLE windows without late rows. Each query runs at parallelism 1, at 3 with local and global aggregation, and with every change
emitted. What the two systems define differently (division of doubles, AVG, integer overflow) is not made.
SEED and QUERIES (default 150) change what is run; a failure prints both queries and the seed.
"""
import collections
import json
import os
import random
import sqlite3
import subprocess
import sys

LEAT, DIRECTORY = os.environ["LEAT"], os.environ["TEST_DIR"]
SEED, QUERIES = int(os.environ.get("SEED", "1")), int(os.environ.get("QUERIES", "150"))
MODES = {
    "parallelism 1": [],
    "parallelism 3": ["--set", "parallelism.default=3", "--set", "table.optimizer.agg-phase-strategy=TWO_PHASE"],
    "every change": ["--set", "table.exec.mini-batch.enabled=false"],
}
WORDS = ["a", "b", "ab", "abc", "B", "", "x y", "zz"]

Column = collections.namedtuple("Column", "name kind")  # kind: "int" or "text"
Top = collections.namedtuple("Top", "sql sqlite is_ordered is_global", defaults=(False, False))
Query = collections.namedtuple("Query", "sql columns")


class Generator:
    def __init__(self, rng, tables):
        self.rng, self.tables, self.names = rng, tables, 0

    def name(self, prefix="c"):
        self.names += 1
        return f"{prefix}{self.names}"

    def pick(self, columns, kind):
        found = [column for column in columns if column.kind == kind]
        return self.rng.choice(found).name if found else None

    def integer(self, columns, depth=2):
        rng, column = self.rng, self.pick(columns, "int")
        choice = rng.randrange(9) if depth else 0
        if choice < 3 or column is None:
            return column if column and rng.random() < 0.8 else str(rng.randint(-5, 9))
        inner = self.integer(columns, depth - 1)
        if choice == 3:
            return f"({inner} {rng.choice('+-')} {self.integer(columns, depth - 1)})"
        if choice == 4:
            return f"({column} * {rng.randint(-3, 3)})"
        if choice == 5:
            return f"COALESCE({inner}, {rng.randint(0, 9)})"
        if choice == 6:
            return f"CASE WHEN {self.condition(columns, depth - 1)} THEN {inner} ELSE {self.integer(columns, 0)} END"
        if choice == 7:
            return f"ABS({inner})"
        return f"NULLIF({inner}, {rng.randint(0, 3)})"

    def text(self, columns, depth=2):
        rng, column = self.rng, self.pick(columns, "text")
        choice = rng.randrange(7) if depth else 0
        if choice < 3 or column is None:
            return column if column and rng.random() < 0.8 else f"'{rng.choice(WORDS)}'"
        inner = self.text(columns, depth - 1)
        if choice == 3:
            return f"UPPER({inner})"
        if choice == 4:
            return f"({inner} || {self.text(columns, depth - 1)})"
        if choice == 5:
            return f"COALESCE({inner}, 'none')"
        return f"CASE WHEN {self.condition(columns, depth - 1)} THEN {inner} ELSE {self.text(columns, 0)} END"

    def condition(self, columns, depth=2):
        rng = self.rng
        choice = rng.randrange(10) if depth else rng.randrange(5)
        if choice < 2:
            return f"{self.integer(columns, 1)} {rng.choice(['=', '<>', '<', '<=', '>', '>='])} {self.integer(columns, 1)}"
        if choice == 2:
            return f"{self.text(columns, 1)} {rng.choice(['=', '<>', '<', '>='])} {self.text(columns, 1)}"
        if choice == 3:
            what = self.integer(columns, 1) if rng.random() < 0.5 else self.text(columns, 1)
            return f"{what} IS {rng.choice(['', 'NOT '])}NULL"
        if choice == 4:
            return f"{self.integer(columns, 1)} {rng.choice(['', 'NOT '])}BETWEEN {rng.randint(-3, 2)} AND {rng.randint(2, 8)}"
        if choice == 5:
            return f"{self.integer(columns, 1)} {rng.choice(['', 'NOT '])}IN ({', '.join(str(rng.randint(-3, 6)) for _ in range(3))})"
        if choice == 6:
            return f"{self.text(columns, 1)} {rng.choice(['', 'NOT '])}LIKE '{rng.choice(['a%', '%b%', '_', 'a_c', '%'])}'"
        if choice == 7:
            return f"NOT ({self.condition(columns, depth - 1)})"
        word = rng.choice(["AND", "OR"])
        return f"({self.condition(columns, depth - 1)} {word} {self.condition(columns, depth - 1)})"

    def relation(self, depth):
        """Text to stand in FROM, and its columns."""
        if depth == 0 or self.rng.random() < 0.3:
            table = self.rng.choice(list(self.tables))
            return table, self.tables[table]
        query = self.query(depth - 1)
        return f"({query.sql}) AS {self.name('q')}", query.columns

    def select(self, depth):
        relation, columns = self.relation(depth)
        items, out = [], []
        for _ in range(self.rng.randint(1, 4)):
            kind = self.rng.choice(["int", "text"])
            out.append(Column(self.name(), kind))
            value = self.integer(columns) if kind == "int" else self.text(columns)
            items.append(f"{value} AS {out[-1].name}")
        where = f" WHERE {self.condition(columns)}" if self.rng.random() < 0.6 else ""
        distinct = "DISTINCT " if self.rng.random() < 0.2 else ""
        return Query(f"SELECT {distinct}{', '.join(items)} FROM {relation}{where}", out)

    def call(self, columns):
        rng = self.rng
        which = rng.choice(["COUNT", "SUM", "MIN", "MAX", "COUNT DISTINCT", "SUM DISTINCT"])
        kind = "int" if which.startswith("SUM") or rng.random() < 0.5 else "text"
        value = self.integer(columns, 1) if kind == "int" else self.text(columns, 1)
        function, _, distinct = which.partition(" ")
        text = f"{function}({distinct + ' ' if distinct else ''}{value})"
        if rng.random() < 0.25:
            text += f" FILTER (WHERE {self.condition(columns, 1)})"
        return text, "int" if function in ("COUNT", "SUM") else kind

    def aggregate(self, depth):
        relation, columns = self.relation(depth)
        keys = self.rng.sample(columns, min(len(columns), self.rng.randint(1, 2)))
        items, out = [], []
        for key in keys:
            out.append(Column(self.name(), key.kind))
            items.append(f"{key.name} AS {out[-1].name}")
        for _ in range(self.rng.randint(1, 3)):
            text, kind = self.call(columns)
            out.append(Column(self.name(), kind))
            items.append(f"{text} AS {out[-1].name}")
        where = f" WHERE {self.condition(columns)}" if self.rng.random() < 0.4 else ""
        having = f" HAVING COUNT(*) {self.rng.choice(['> 1', '< 3', '= 2', '>= 2'])}" if self.rng.random() < 0.4 else ""
        by = ", ".join(key.name for key in keys)
        return Query(f"SELECT {', '.join(items)} FROM {relation}{where} GROUP BY {by}{having}", out)

    def union(self, depth):
        left, right = self.select(depth), None
        columns = [Column(self.name(), column.kind) for column in left.columns]
        while right is None or [c.kind for c in right.columns] != [c.kind for c in left.columns]:
            right = self.select(depth)
        word = self.rng.choice(["UNION ALL", "UNION"])
        sides = []
        for side in (left, right):
            items = ", ".join(f"{a.name} AS {b.name}" for a, b in zip(side.columns, columns))
            sides.append(f"SELECT {items} FROM ({side.sql}) AS {self.name('q')}")
        return Query(f"{sides[0]} {word} {sides[1]}", columns)

    def query(self, depth):
        return self.rng.choice([self.select, self.aggregate, self.aggregate, self.union])(depth)

    def window(self):
        """The same windows as a table function and as arithmetic on seconds."""
        rng, columns = self.rng, self.tables["e"][1:]
        size, offset = rng.choice([5, 17, 60]), rng.choice([0, 3])
        key, keys = ("k AS c0, ", "k, ") if rng.random() < 0.6 else ("", "")
        calls = ", ".join(f"{self.call(columns)[0]} AS {self.name()}" for _ in range(rng.randint(1, 3)))
        where = f" WHERE {self.condition(columns)}" if rng.random() < 0.5 else ""
        having = f" HAVING COUNT(*) {rng.choice(['> 1', '< 3', '= 2'])}" if rng.random() < 0.4 else ""
        start = "TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_start)"
        function = f"TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '{size}' SECOND, INTERVAL '{offset}' SECOND))"
        return Top(f"SELECT {key}{start} AS w, {calls} FROM {function}{where} "
                   f"GROUP BY {keys}window_start, window_end{having}",
                   f"SELECT {key}((sec - {offset}) / {size}) * {size} + {offset} AS w, {calls} FROM e{where} "
                   f"GROUP BY {keys}2{having}" if keys else
                   f"SELECT ((sec - {offset}) / {size}) * {size} + {offset} AS w, {calls} FROM e{where} "
                   f"GROUP BY 1{having}")

    def top(self):
        if self.rng.random() < 0.15:
            return self.window()
        query = self.query(self.rng.randint(0, 3))
        choice = self.rng.random()
        if choice < 0.15:  # one row over everything; COUNT(*) tells an empty input, for which leat has no row
            text, _ = self.call(query.columns)
            sql = f"SELECT COUNT(*) AS n, {text} AS v FROM ({query.sql}) AS top"
            return Top(sql, sql, is_global=True)
        if choice < 0.3:
            order = ", ".join(f"{c.name}{self.rng.choice(['', ' DESC'])}" for c in query.columns)
            sql = f"SELECT * FROM ({query.sql}) AS top ORDER BY {order} LIMIT {self.rng.randint(1, 6)}"
            return Top(sql, sql, is_ordered=True)
        return Top(query.sql, query.sql)


def random_row(columns, rng):
    values = [rng.randint(-4, 6) if c.kind == "int" else rng.choice(WORDS) for c in columns]
    return [None if rng.random() < 0.15 else value for value in values]


def make_tables(rng):
    tables = {
        "t": [Column("a", "int"), Column("b", "int"), Column("s", "text")],
        "u": [Column("k", "text"), Column("v", "int")],
        "e": [Column("sec", "int"), Column("k", "text"), Column("v", "int")],
    }
    rows = {}
    for name, columns in tables.items():
        rows[name] = []
        for _ in range(rng.randint(0, 40)):
            rows[name].append(random_row(columns, rng))
    for row in rows["e"]:
        row[0] = rng.randint(100, 400)
    return tables, rows


def line_of(row):
    return " | ".join("NULL" if v is None else str(v) if isinstance(v, int) else "''" + v + "''" for v in row)


def plain_lines(rows, columns, rng):
    lines = []
    for row in rows:
        lines.append(line_of(row))
        if rng.random() < 0.1:
            lines.append("---")
        if rng.random() < 0.1:
            lines.append(f"@split {rng.randrange(3)}")
    return lines


def changing_lines(rows, columns, rng):
    """Rows of which some were others before, and some that are gone in the end."""
    lines, pending = [], []
    for row in rows + [None] * (len(rows) // 3):
        if row is None or rng.random() < 0.3:
            other = random_row(columns, rng)
            lines.append("+I " + line_of(other))
            pending.append((other, row))
        else:
            lines.append("+I " + line_of(row))
        while pending and rng.random() < 0.4:
            old, new = pending.pop(rng.randrange(len(pending)))
            lines += ["-D " + line_of(old)] if new is None else ["-U " + line_of(old), "+U " + line_of(new)]
        if rng.random() < 0.1:
            lines.append("---")
    for old, new in pending:
        lines += ["-D " + line_of(old)] if new is None else ["-U " + line_of(old), "+U " + line_of(new)]
    return lines


def leat_ddl(tables, rows, rng):
    text = ""
    for name, columns in tables.items():
        kinds = {"int": rng.choice(["INT", "BIGINT"]), "text": "STRING"}
        changing = name != "e" and rng.random() < 0.5
        lines = (changing_lines if changing else plain_lines)(rows[name], columns, rng)
        fields = ", ".join(f"{c.name} {kinds[c.kind]}" for c in columns)
        if name == "e":
            fields += ", ts AS CAST(TO_TIMESTAMP_LTZ(sec, 0) AS TIMESTAMP(3)), " \
                      "WATERMARK FOR ts AS ts - INTERVAL '1' DAY"
        text += f"CREATE TABLE {name} ({fields}) WITH ('connector' = 'sim', 'rows' = '" + "\n".join(lines) + "');\n"
    return text


def sqlite_rows(tables, rows, queries):
    db = sqlite3.connect(":memory:")
    db.execute("PRAGMA case_sensitive_like = ON")
    for name, columns in tables.items():
        fields = ", ".join(f"{c.name} {'INTEGER' if c.kind == 'int' else 'TEXT'}" for c in columns)
        db.execute(f"CREATE TABLE {name} ({fields})")
        db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows[name])
    return [[tuple(row) for row in db.execute(sql)] for sql in (query.sqlite for query in queries)]


def leat_rows(script, count, options):
    path = os.path.join(DIRECTORY, "queries.sql")
    with open(path, "w") as file:
        file.write(script)
    done = subprocess.run([LEAT, "run", "--result", "json", "--set", "table.local-time-zone=UTC", *options, path], capture_output=True, text=True,
                          timeout=100)
    results, current = [], []
    for line in done.stdout.splitlines():
        row = json.loads(line)
        if "end_of_query" in row:
            results.append(current)
            current = []
        else:
            current.append(tuple(row.values()))
    return results, done.stderr if done.returncode or len(results) != count else ""


def ordered(rows):
    return sorted(rows, key=lambda row: [(value is not None, str(type(value)), value) for value in row])


def round_of(number):
    rng = random.Random(SEED * 1000 + number)
    tables, rows = make_tables(rng)
    generator = Generator(rng, tables)
    queries = [generator.top() for _ in range(25)]
    wanted = sqlite_rows(tables, rows, queries)
    ddl = leat_ddl(tables, rows, rng)
    script = ddl + "".join(f"{sql};\nSELECT {i} AS end_of_query;\n" for i, sql in enumerate(query.sql for query in queries))
    bad = 0
    for mode, options in MODES.items():
        got, problem = leat_rows(script, len(queries), options)
        for query, want, rows_got in zip(queries, wanted, got):
            if query.is_global and want[0][0] == 0:
                want = []
            same = want == rows_got if query.is_ordered else ordered(want) == ordered(rows_got)
            if not same:
                bad += 1
                print(f"# SEED={SEED} round {number}, {mode}: {query.sql}\n#   sqlite {want}\n#   leat   {rows_got}")
        if problem:
            bad += 1
            print(f"# SEED={SEED} round {number}, {mode}: {problem}")
            if len(got) < len(queries):
                print(f"#   {queries[len(got)].sql}")
        if bad:
            print("# " + ddl.replace("\n", "\n# "))
    return bad


def main():
    rounds = max(1, QUERIES // 25)
    failed = 0
    for number in range(rounds):
        bad = round_of(number)
        print(f"{'not ok' if bad else 'ok'} {number + 1} - 25 queries in {len(MODES)} modes")
        failed += bad > 0
    print(f"1..{rounds}")
    return 1 if failed else 0


sys.exit(main())
