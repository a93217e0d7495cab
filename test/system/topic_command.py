#!/usr/bin/env python3
# timeout: 60
"""`leat topic`: list, create, describe, delete and tail of a running broker; errors say what to do."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _broker import *  # noqa: E402,F403

LEAT = os.environ.get("LEAT", os.path.join(BUILD, "leat"))


def topic(*arguments, code=0, broker=SERVER):
    done = subprocess.run([LEAT, "topic", *arguments, "--broker", broker], capture_output=True, text=True, timeout=30)
    if done.returncode != code:
        check(False, f"topic {' '.join(arguments)}: exit {code}", (done.returncode, done.stdout, done.stderr))
    return done.stdout if code == 0 else done.stderr


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("|")][1:]


def main():
    broker = Broker().start()
    check(rows(topic("list")) == [], "no topics", topic("list"))
    topic("create", "orders", "--partitions", "3", "--config", "retention.ms=77000", "--config", "segment.bytes=100000")
    topic("create", "plain")
    check(rows(topic("list")) == [["orders", "3"], ["plain", "1"]], "made and listed", topic("list"))
    produce_all("orders", [(b"key\t%d" % i, b"value %d" % i, 1700000000000 + i, None) for i in range(25)], partition=1)
    produce_all("orders", [(None, b"\x1b[2J", 1700000000000, None)], partition=0)
    described = topic("describe", "orders")
    check(rows(described) == [["0", "1", "0", "1", "1"], ["1", "1", "0", "25", "25"], ["2", "1", "0", "0", "0"]],
          "described: offsets", described)
    check("retention.ms = 77000\n" in described and "segment.bytes = 100000\n" in described and
          "max.message.bytes" not in described, "described: what was set", described)
    lines = sorted(topic("tail", "orders", "--lines", "3").rstrip("\n").split("\n"))
    check(lines == ["0:0\t2023-11-14 22:13:20.000\tNULL\t\\x1b[2J"] +
          [f"1:{i}\t2023-11-14 22:13:20.0{i}\tkey\\x09{i}\tvalue {i}" for i in (22, 23, 24)], "tail", lines)
    check(topic("tail", "plain") == "", "tail of an empty topic")
    follow = subprocess.Popen([LEAT, "topic", "tail", "plain", "--follow", "--broker", SERVER], stdout=subprocess.PIPE,
                              text=True)
    time.sleep(1)
    produce_all("plain", [(None, b"new", 1700000000000, None)])
    check(follow.stdout.readline().endswith("\tnew\n"), "tail --follow shows what comes")
    follow.terminate()
    follow.wait(10)
    errors()
    topic("delete", "orders", "plain")
    check(rows(topic("list")) == [], "deleted", topic("list"))
    check(broker.stop() == 0, "clean stop")
    text = topic("list", code=1)
    check(f"no broker answers at {SERVER}" in text and "leat broker" in text, "without a broker it says so", text)
    finish()


def errors():
    for arguments, code, wanted in [
            (["describe", "ordrs"], 1, "there is no topic 'ordrs'\n      did you mean 'orders'?"),
            (["delete", "orders", "gone"], 1, "there is no topic 'gone'"),
            (["create", "orders"], 1, "topic 'orders' is not made: "),
            (["create", "b/d"], 1, "topic 'b/d' is not made: "),
            (["create", "x", "--config", "retention.m=1"], 1, "retention.ms"),
            (["create", "x", "--config", "novalue"], 2, "--config needs KEY=VALUE"),
            (["create", "x", "--partitions", "0"], 2, "--partitions needs a number"),
            (["create"], 2, "topic create needs the name of a topic"),
            (["create", "a", "b"], 2, "topic create takes no argument 'b'"),
            (["lst"], 2, "did you mean 'list'?"),
            ([], 2, "topic needs a word: list, create, describe, delete or tail")]:
        text = topic(*arguments, code=code)
        check(wanted in text, f"topic {' '.join(arguments)}: {wanted[:40]!r}", text)
    check(len(rows(topic("list"))) == 2, "nothing has changed")


main()
