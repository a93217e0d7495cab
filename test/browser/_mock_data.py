"""What the mock server shows: dashboards, and the tables behind their panels with scripted changes."""
import datetime
import random
from decimal import Decimal

CARDS = ["Visa", "Master", "Maestro", "American Express", "Cirrus", "PayPal"]
CITIES = [("Sydney", "Australia"), ("Florida", "United States"), ("New York City", "United States"), ("Paris", "France"),
          ("Colombo", "Sri Lanka"), ("Dhaka", "Bangladesh"), ("Islamabad", "Pakistan"), ("Beijing", "China"),
          ("Rome", "Italy"), ("Berlin", "Germany"), ("Ottawa", "Canada"), ("London", "United Kingdom"),
          ("Jerusalem", "Israel"), ("Bangkok", "Thailand"), ("Chennai", "India"), ("Mumbai", "India"),
          ("New Delhi", "Inida"), ("Singapore", "Singapore")]
PRODUCTS = ["Laptop", "Desktop Computer", "Mobile Phone", "Wrist Band", "LAN Cable", "HDMI Cable", "TV", "Text Books"]
HOSTILE = ["<img src=x onerror=\"window.hacked=1\">", "<script>window.hacked=1</script>", "'; DROP TABLE orders; --",
           "{a|b} {c}", "</textarea><b>bold</b>", "\u202egnirts thgir-ot-tfel", "na\u00efve \U0001f680 \u6f22\u5b57", "",
           "x" * 300, "__proto__", "constructor"]

MONEY = {"unit": "$", "format": ",.2f"}


def panel(name, title, kind, width, height, sql="SELECT 1", **more):
    return dict({"id": name, "title": title, "kind": kind, "sql": sql, "width": width, "height": height}, **more)


DASHBOARDS = {
    "ecommerce": {
        "title": "Real-time sales",
        "selectors": [{"id": "by", "label": "Sales by", "values": ["CardType", "Country"], "default": "CardType"}],
        "panels": [
            panel("total", "Total sales", "number", 3, 1, y=["total_sales"], **MONEY),
            panel("count", "Orders", "number", 3, 1, y=["orders"], format=",d"),
            panel("average", "Average order", "number", 3, 1, y=["average"], **MONEY),
            panel("rate", "Orders in the last minute", "number", 3, 1, y=["orders"], format=",d"),
            panel("cards", "Sales by card type", "bar", 7, 3, x="card_type", y=["total_sales"], sort="x", **MONEY),
            panel("share", "Share of sales", "pie", 5, 3, sql="SELECT label, total FROM sales WHERE kind = :by", x="label",
                  y=["total"], **MONEY),
            panel("minutes", "Orders a minute", "line", 7, 3, x="window_start", y=["orders"], format=",d"),
            panel("newest", "Newest orders", "table", 5, 3, y=["amount"], keep=50, **MONEY),
        ],
    },
    "hostile": {
        "title": "<b>Hostile</b> strings & \"quotes\"",
        "selectors": [{"id": "pick", "label": "<i>Pick</i>", "values": ["a", "<script>alert(1)</script>"]}],
        "panels": [panel("bars", "<img src=x onerror=window.hacked=1>", "bar", 6, 4, x="name", y=["value"]),
                   panel("slices", "Slices", "pie", 6, 4, x="name", y=["value"], unit="<b>"),
                   panel("rows", "Rows", "table", 6, 4),
                   panel("lines", "Lines", "line", 6, 4, x="name", y=["value"], series="name"),
                   panel("one", "", "number", 3, 2, x="name", y=["value"])],
    },
    "states": {
        "title": "States of panels",
        "panels": [panel("waiting", "Waiting", "bar", 4, 2, x="name", y=["value"]),
                   panel("failed", "Failed", "table", 4, 2),
                   panel("recovering", "Recovering", "number", 4, 2, y=["value"], format=",.2f"),
                   panel("loading", "Loading", "line", 4, 2),
                   panel("misnamed", "Misnamed", "bar", 4, 2, x="nmae", y=["value"]),
                   panel("unknown", "Unknown kind", "gauge", 4, 2)],
    },
    "many": {
        "title": "Many keys",
        "panels": [panel("bars", "Two hundred bars", "bar", 6, 4, x="name", y=["value"]),
                   panel("slices", "Thirty slices", "pie", 6, 4, x="name", y=["value"]),
                   panel("lines", "Five lines", "line", 12, 3, x="at", y=["value"], series="name"),
                   panel("wide", "A wide table", "table", 12, 3)],
    },
}

DECIMAL = "DECIMAL(38, 2)"


class Table:
    """Columns, key and rows of one panel's query. `changes` are taken by every connection that watches."""

    def __init__(self, columns, key, rows=()):
        self.columns = [{"name": name, "type": kind} for name, kind in columns]
        self.key = key
        self.rows = [list(row) for row in rows]

    def upsert(self, row):
        if self.key:
            self.rows = [old for old in self.rows if any(old[at] != row[at] for at in self.key)] + [row]
        else:
            self.rows = (self.rows + [row])[-100:]

    def delete(self, key):
        self.rows = [old for old in self.rows if [old[at] for at in self.key] != key]


class Shop:
    """The ecommerce dashboard's tables, kept up to date order by order; money is exact."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.number = 0
        self.sums = {"CardType": {}, "Country": {}}
        self.minutes = {}
        self.total = Decimal(0)
        self.clock = datetime.datetime(2024, 5, 17, 9, 30)
        self.tables = {
            "total": Table([("total_sales", DECIMAL)], [0]),
            "count": Table([("orders", "BIGINT")], [0]),
            "average": Table([("average", DECIMAL)], [0]),
            "rate": Table([("orders", "BIGINT")], [0]),
            "cards": Table([("card_type", "STRING"), ("total_sales", DECIMAL)], [0]),
            "share:CardType": Table([("label", "STRING"), ("total", DECIMAL)], [0]),
            "share:Country": Table([("label", "STRING"), ("total", DECIMAL)], [0]),
            "minutes": Table([("window_start", "TIMESTAMP(3)"), ("orders", "BIGINT")], [0]),
            "newest": Table([("order_id", "INT"), ("product", "STRING"), ("card_type", "STRING"),
                             ("amount", "DECIMAL(10, 2)"), ("city", "STRING"), ("at", "TIMESTAMP(3)")], []),
        }

    def order(self):
        """The next order; returns the changes as (table, upserts, deletes)."""
        self.number += 1
        self.clock += datetime.timedelta(seconds=self.random.uniform(0.05, 1.2))
        amount = Decimal(self.random.randint(550, 55550)) / 100
        card, (city, country) = self.random.choice(CARDS), self.random.choice(CITIES)
        self.total += amount
        for kind, key in (("CardType", card), ("Country", country)):
            self.sums[kind][key] = self.sums[kind].get(key, Decimal(0)) + amount
        minute = self.clock.replace(second=0, microsecond=0)
        self.minutes[minute] = self.minutes.get(minute, 0) + 1
        changes = [
            ("total", [[str(self.total)]], [[old[0]] for old in self.tables["total"].rows]),
            ("count", [[self.number]], [[old[0]] for old in self.tables["count"].rows]),
            ("average", [[str((self.total / self.number).quantize(Decimal("0.01")))]],
             [[old[0]] for old in self.tables["average"].rows]),
            ("rate", [[self.minutes[minute]]], [[old[0]] for old in self.tables["rate"].rows]),
            ("cards", [[card, str(self.sums["CardType"][card])]], []),
            ("share:CardType", [[card, str(self.sums["CardType"][card])]], []),
            ("share:Country", [[country, str(self.sums["Country"][country])]], []),
            ("minutes", [[minute.isoformat(), self.minutes[minute]]], []),
            ("newest", [[self.number, self.random.choice(PRODUCTS), card, str(amount), city,
                         self.clock.isoformat(timespec="milliseconds")]], []),
        ]
        for name, upserts, deletes in changes:
            for key in deletes:
                self.tables[name].delete(key)
            for row in upserts:
                self.tables[name].upsert(row)
        return changes


def fixed_tables():
    """The tables of the other dashboards, by dashboard and panel."""
    names = [[name, index + 1] for index, name in enumerate(HOSTILE)] + [[None, 99]]
    two = [("name", "STRING"), ("value", "BIGINT")]
    many = [[f"key {index:03d}", (index * 37) % 101 + 1] for index in range(200)]
    start = datetime.datetime(2024, 5, 17)
    lines = [[(start + datetime.timedelta(minutes=minute)).isoformat(), f"series {one}", (minute * (one + 3)) % 41 + one * 20]
             for minute in range(120) for one in range(5)]
    wide = [(f"a_column_with_a_long_name_{at}", "STRING" if at % 2 else "DOUBLE") for at in range(24)]
    return {
        "hostile": {"bars": Table(two, [0], names), "slices": Table(two, [0], names), "rows": Table(two, [0], names),
                    "lines": Table(two, [0], names), "one": Table(two, [0], names)},
        "states": {"recovering": Table([("value", DECIMAL)], [0], [["12345678901234567890.12"]]),
                   "misnamed": Table(two, [0], names[:3])},
        "many": {"bars": Table(two, [0], many), "slices": Table(two, [0], many[:30]),
                 "lines": Table([("at", "TIMESTAMP(3)"), ("name", "STRING"), ("value", "INT")], [0, 1], lines),
                 "wide": Table(wide, [], [[f"value {row}.{at}" if at % 2 else row * at / 7 for at in range(24)]
                                          for row in range(60)])},
    }


STATUS = {
    "states": {"waiting": ("waiting", "Topic order-events is empty: no record has been written to it since it was made."),
               "failed": ("failed", "Column amuont is not in table orders (line 1, column 12). Did you mean amount?"),
               "recovering": ("recovering", "Restarting from the checkpoint of 12:00:01 (attempt 2)")},
}

JOBS = [
    {"id": 1, "name": "datagen -> order-events", "state": "RUNNING", "bounded": False, "rows": 1000, "why": None},
    {"id": 2, "name": "order-events -> sales_by_card", "state": "RUNNING", "bounded": False, "rows": 998, "why": None},
    {"id": 3, "name": "order-events -> orders_per_minute", "state": "RUNNING", "bounded": False, "rows": 0,
     "why": "The first window ends at 09:31:00; the watermark is at 09:30:41. Rows come out when it passes."},
    {"id": 4, "name": "archive", "state": "FAILED", "bounded": False, "rows": 12,
     "error": "Cannot write to /var/archive: no space left on device. Free some, then start the job again."},
    {"id": 5, "name": "one-off import", "state": "FINISHED", "bounded": True, "rows": 17, "why": None},
]
TABLES = [
    {"name": "orders", "kind": "table", "connector": "kafka", "primary_key": [],
     "columns": [{"name": "order_id", "type": "INT"}, {"name": "order_amount", "type": "DECIMAL(10, 2)"},
                 {"name": "order_card_type", "type": "STRING"}],
     "ddl": "CREATE TABLE orders (\n  order_id INT,\n  order_amount DECIMAL(10, 2),\n  order_card_type STRING\n) WITH (\n"
            "  'connector' = 'kafka',\n  'topic' = 'order-events'\n)"},
    {"name": "sales_by_card", "kind": "table", "connector": "jdbc", "primary_key": ["card_type"],
     "columns": [{"name": "card_type", "type": "STRING"}, {"name": "total_sales", "type": DECIMAL}], "ddl": "CREATE TABLE ..."},
]
TOPICS = [{"name": "order-events", "partitions": 2, "records": 123456, "bytes": 34567890}]
