#!/usr/bin/env python3
# timeout: 600
"""Consumer groups of every client, several members each: they share partitions, one is killed and the other takes
over from the committed offsets; members of different clients share one group; and Kafka's own tools look at groups,
move and delete them, and read the topic of offsets."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from _clients import *  # noqa: E402,F403

PARTITIONS = 4
DIRECTORY = os.environ.get("TEST_DIR") or tempfile.mkdtemp()
BUILD = os.environ.get("BUILD") or os.path.join(HERE, "../../build")
SERVER = f"127.0.0.1:{os.environ.get('PORT', '19792')}"
number = failed = 0


def check(good, name, detail=""):
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}" + ("" if good else f"\n# {detail}"), flush=True)


def wait_until(condition, timeout_s=60):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


class Member:
    """A consumer in a process of its own; its lines are read as they come."""

    def __init__(self, kind, topic, group, assignor="range"):
        if kind == "kafkajs":
            command, environment = node("member.js") + [SERVER, topic, group], node_environment()
        elif kind == "java":
            strategy = {"range": "RangeAssignor", "cooperative-sticky": "CooperativeStickyAssignor"}[assignor]
            command, environment = ["bash", os.path.join(HERE, "_kafka.sh"), "tool", os.path.join(DIRECTORY, "tool"),
                                    "org.apache.kafka.tools.VerifiableConsumer", "--bootstrap-server", SERVER,
                                    "--topic", topic, "--group-id", group, "--session-timeout", "6000",
                                    "--reset-policy", "earliest", "--verbose", "--assignment-strategy",
                                    "org.apache.kafka.clients.consumer." + strategy], None
        else:
            command, environment = python("member.py") + [kind, SERVER, topic, group, assignor], None
        self.owned, self.got, self.lines = set(), [], []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=environment, start_new_session=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("{"):
                self.read_java(json.loads(line))
            elif line.startswith("owns"):
                self.owned = set(map(int, filter(None, line[4:].strip().split(","))))
            elif line.startswith("got"):
                self.got.append(tuple(map(int, line.split()[1:])))

    def read_java(self, event):
        partitions = {p["partition"] for p in event.get("partitions", []) if isinstance(p, dict)}
        if event["name"] == "partitions_assigned":
            self.owned |= partitions
        elif event["name"] == "partitions_revoked":
            self.owned -= partitions
        elif event["name"] == "record_data":
            self.got.append((event["partition"], event["offset"]))

    def stop(self, how=signal.SIGTERM):
        os.killpg(self.process.pid, how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def admin(name, *arguments):
    return tool(DIRECTORY, name, "--bootstrap-server", SERVER, *arguments)


def groups(*arguments):
    return admin("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *arguments)


def make_topic(topic):
    admin("org.apache.kafka.tools.TopicCommand", "--create", "--topic", topic, "--partitions", str(PARTITIONS))


def send(topic, first, count):
    for partition in range(PARTITIONS):
        run(["kcat", "-P", "-b", SERVER, "-t", topic, "-p", str(partition)],
            input="".join(f"{i}\n" for i in range(first, first + count)))


def shared(*members):
    owned = [partition for member in members for partition in member.owned]
    return sorted(owned) == list(range(PARTITIONS)) and all(member.owned for member in members)


def places(first, count):
    return {(partition, first + i) for partition in range(PARTITIONS) for i in range(count)}


def test_members(title, kinds, assignor="range"):
    topic = group = title.replace(" ", "-")
    make_topic(topic)
    send(topic, 0, 10)
    members = []
    try:
        for kind in kinds:
            members.append(Member(kind, topic, group, assignor))
            check(wait_until(lambda: shared(*members)), f"{title}: {len(members)} share the partitions",
                  [member.lines[-5:] for member in members])
        check(wait_until(lambda: {place for member in members for place in member.got} >= places(0, 10)),
              f"{title}: everything is read", [len(member.got) for member in members])
        time.sleep(1.5)  # a client that commits behind its back has committed then
        members[0].stop(signal.SIGKILL)
        rest = members[1:]
        before = [len(member.got) for member in rest]
        send(topic, 10, 10)
        check(wait_until(lambda: shared(*rest)), f"{title}: who is killed is replaced",
              [member.lines[-5:] for member in rest])
        later = lambda: {place for member, old in zip(rest, before) for place in member.got[old:]}
        check(wait_until(lambda: later() >= places(10, 10)), f"{title}: ... and read on for", len(later()))
        check(later() == places(10, 10), f"{title}: ... from where it had committed", sorted(later() - places(10, 10)))
    finally:
        for member in members:
            if member.process.poll() is None:
                member.stop()
    return topic, group


def test_tools(group, topic):
    """After its last member has gone."""
    rows = [line.split() for line in groups("--describe", "--group", group).split("\n") if topic in line]
    check(len(rows) == PARTITIONS and all(row[3:6] == ["20", "20", "0"] for row in rows), "describe: lag 0", rows)
    check("Empty" in groups("--describe", "--group", group, "--state"), "describe --state: empty")
    member = Member("java", topic, group)
    check(wait_until(lambda: shared(member)), "a console of one member", member.lines[-5:])
    state = groups("--describe", "--group", group, "--state")
    check("Stable" in state and "range" in state, "describe --state: stable", state)
    text = groups("--describe", "--group", group, "--members", "--verbose")
    check("/127.0.0.1" in text and f"{topic}:0,1,2,3" in text,
          "describe --members --verbose", text)
    listed = groups("--list", "--state", "Stable")
    check([line.split()[0] for line in listed.strip().split("\n")][-1:] == [group], "list --state", listed)
    refused = subprocess.run(["bash", os.path.join(HERE, "_kafka.sh"), "tool", os.path.join(DIRECTORY, "tool"),
                              "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", SERVER,
                              "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"],
                             capture_output=True, text=True)
    check("current state is Stable" in refused.stdout + refused.stderr, "reset-offsets of a stable group is refused",
          refused.stdout + refused.stderr)
    try:
        groups("--delete", "--group", group)
    except RuntimeError:
        pass  # it says so one way or the other
    check(group in groups("--list").split(), "delete of a stable group is refused")
    member.stop()
    groups("--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "5", "--execute")
    rows = [line.split() for line in groups("--describe", "--group", group).split("\n") if topic in line]
    check([row[3:6] for row in rows] == [["5", "20", "15"]] * PARTITIONS, "reset-offsets --to-offset", rows)
    got = admin("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", topic, "--group", group,
                "--max-messages", str(15 * PARTITIONS), "--timeout-ms", "20000")
    check(len(got.split()) == 15 * PARTITIONS and set(got.split()) == {str(i) for i in range(5, 20)},
          "a console consumer reads on from there", got.split())
    groups("--delete-offsets", "--group", group, "--topic", topic)
    check(topic not in groups("--describe", "--group", group), "delete-offsets")
    groups("--delete", "--group", group)
    check(group not in groups("--list").split(), "delete")


def test_files(group):
    """After the broker has ended: Kafka's own reader of the topic of offsets."""
    directory = os.path.join(DIRECTORY, "data", "topics", "__consumer_offsets-0")
    files = ",".join(os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(".log"))
    text = tool(DIRECTORY, "org.apache.kafka.tools.DumpLogSegments", "--offsets-decoder", "--files", files)
    check("offset_commit" in text.lower() or f'"group":"{group}"' in text, "dump-log --offsets-decoder: offsets",
          text[-2000:])
    keys = [json.loads(line.split("key: ", 1)[1].split(" payload: ")[0]) for line in text.split("\n")
            if "key: {" in line]
    check(any(key.get("type") in ("2", 2) and key["data"]["group"] == group for key in keys),
          "dump-log --offsets-decoder: groups", keys[:5])
    check(any(key.get("type") in ("1", 1) and key["data"].get("partition") == 3 for key in keys),
          "dump-log --offsets-decoder: ... and their offsets", keys[:5])
    values = [line.split(" payload: ", 1)[1] for line in text.split("\n") if '"type":"1"' in line or '"type":1' in line]
    check(any('"offset":20' in value.replace(" ", "") for value in values), "dump-log --offsets-decoder: values",
          values[:5])


def main():
    set_up()
    with open(DIRECTORY + "/broker.log", "w") as log:
        broker = subprocess.Popen([os.path.join(BUILD, "test/tool/broker_main"), DIRECTORY + "/data", SERVER], stderr=log,
                                  stdout=subprocess.DEVNULL)
    try:
        wait_for(SERVER)
        test_members("confluent-kafka", ["confluent-kafka"] * 2, "cooperative-sticky")
        test_members("kafka-python", ["kafka-python"] * 2, "roundrobin")
        test_members("aiokafka", ["aiokafka"] * 2, "roundrobin")
        test_members("kafkajs", ["kafkajs"] * 2)
        test_members("java cooperative", ["java"] * 2, "cooperative-sticky")
        test_members("three clients", ["confluent-kafka", "kafka-python", "aiokafka"])
        topic, group = test_members("java", ["java", "java"])
        test_tools(group, topic)
        check(broker.poll() is None, "the broker is well", broker.returncode)
    finally:
        broker.terminate()
        broker.wait(20)
    test_files("three-clients")
    print(f"1..{number}")
    sys.exit(1 if failed else 0)


main()
