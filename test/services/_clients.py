"""The clients that have to work with leat unchanged: where they come from, and what each is made to do.

They are fetched by pip and npm into a cache (LEAT_TEST_CACHE, default /var/tmp/leat-test-cache); Kafka's own come
with _kafka.sh. A job is (client, part, function(server, topic, directory)); it raises when something is not as it has
to be. The same jobs run against real Kafka (to record what they send) and against leat."""
import fcntl
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("LEAT_TEST_CACHE", "/var/tmp/leat-test-cache")
PYTHON = ["confluent-kafka==2.16.1", "kafka-python==3.0.12", "aiokafka==0.14.0"]
NODE = ["kafkajs@2.2.4"]
KAFKA_VERSION = "4.3.1"


def skip(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(77)


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=more.pop("timeout", 90), **more)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).strip().split("\n") if line.strip()]
        raise RuntimeError(" / ".join(lines[-4:]) or f"exit {done.returncode}")
    return done.stdout


def set_up():
    """Fetch what is missing. Skips the test loudly when it cannot be had."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            fetch("python", PYTHON, [[sys.executable, "-m", "venv", "."], ["bin/pip", "install", "-q"] + PYTHON])
            fetch("node", NODE, [["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", "."] + NODE])
            run(["bash", os.path.join(HERE, "_kafka.sh"), "tool", os.path.join(CACHE, "kafka"),
                 "org.apache.kafka.tools.TopicCommand", "--version"], timeout=280)
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as problem:
            skip(f"the clients cannot be fetched: {problem}")


def fetch(name, wanted, commands):
    directory = os.path.join(CACHE, "clients-" + name)
    mark = os.path.join(directory, "complete")
    if os.path.exists(mark) and open(mark).read().split() == wanted:
        return
    os.makedirs(directory, exist_ok=True)
    for command in commands:
        run([os.path.join(directory, word) if word.startswith("bin/") else word for word in command], cwd=directory,
            timeout=280)
    with open(mark, "w") as file:
        file.write("\n".join(wanted) + "\n")


def python(program):
    return [os.path.join(CACHE, "clients-python", "bin", "python"), os.path.join(HERE, "clients", program)]


def node(program):
    return ["node", os.path.join(HERE, "clients", program)]


def node_environment():
    return dict(os.environ, NODE_PATH=os.path.join(CACHE, "clients-node", "node_modules"))


def tool(directory, name, *arguments, stdin=None):
    return run(["bash", os.path.join(HERE, "_kafka.sh"), "tool", os.path.join(directory, "tool"), name] + list(arguments),
               input=stdin)


def wait_for(server):
    host, port = server.split(":")
    for _ in range(200):
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{server} does not listen")


def must(good, *what):
    if not good:
        raise RuntimeError(" ".join(map(str, what)))


LINES = "".join(f"line {i}\n" for i in range(300))


# ---- kcat ----

def kcat_produce(server, topic, directory):
    run(["kcat", "-P", "-b", server, "-t", topic], input=LINES)
    run(["kcat", "-P", "-b", server, "-t", topic, "-X", "enable.idempotence=true"], input=LINES)
    got = run(["kcat", "-C", "-b", server, "-t", topic, "-e", "-q", "-o", "beginning"])
    must(got == LINES + LINES, "consumed", len(got))
    must(f'topic "{topic}" with 1 partitions' in run(["kcat", "-L", "-b", server, "-t", topic]), "kcat -L")
    must("offset 600" in run(["kcat", "-Q", "-b", server, "-t", topic + ":0:-1"]), "kcat -Q")


def kcat_group(server, topic, directory):
    run(["kcat", "-P", "-b", server, "-t", topic], input=LINES)
    got = run(["kcat", "-b", server, "-q", "-e", "-X", "auto.offset.reset=earliest", "-G", topic + "-g", topic])
    must(got == LINES, "consumed", len(got))


# ---- Kafka's own ----

def console_produce(server, topic, directory):
    tool(directory, "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", server, "--topic", topic,
         stdin=LINES)
    got = tool(directory, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", server, "--topic",
               topic, "--partition", "0", "--offset", "earliest", "--max-messages", "300", "--timeout-ms", "20000")
    must(got == LINES, "consumed", len(got))


def console_group(server, topic, directory):
    tool(directory, "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", server, "--topic", topic,
         stdin=LINES)
    got = tool(directory, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", server, "--topic",
               topic, "--from-beginning", "--group", topic + "-g", "--max-messages", "300", "--timeout-ms", "20000")
    must(got == LINES, "consumed", len(got))


def topics(server, topic, directory):
    def command(*arguments):
        return tool(directory, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", server, *arguments)
    command("--create", "--topic", topic, "--partitions", "2", "--config", "retention.ms=-1")
    command("--alter", "--topic", topic, "--partitions", "3")
    must("PartitionCount: 3" in command("--describe", "--topic", topic), "partitions")
    must(topic in command("--list").split(), "listed")
    command("--delete", "--topic", topic)
    must(topic not in command("--list").split(), "deleted")


def configs(server, topic, directory):
    def command(*arguments):
        return tool(directory, "kafka.admin.ConfigCommand", "--bootstrap-server", server, *arguments)
    tool(directory, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", server, "--create", "--topic", topic)
    command("--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "retention.ms=77000")
    must("retention.ms=77000" in command("--describe", "--entity-type", "topics", "--entity-name", topic), "set")
    command("--alter", "--entity-type", "topics", "--entity-name", topic, "--delete-config", "retention.ms")
    must("77000" not in command("--describe", "--entity-type", "topics", "--entity-name", topic), "deleted")
    must("num.partitions=" in command("--describe", "--entity-type", "brokers", "--entity-name", "1", "--all"), "broker")


def inspection(server, topic, directory):
    run(["kcat", "-P", "-b", server, "-t", topic], input=LINES)
    for time in ["latest", "earliest", "max-timestamp", "earliest-local"]:
        got = tool(directory, "org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", server, "--topic", topic,
                   "--time", time)
        must(got.startswith(topic + ":0:"), time, got)
    must(topic + "-0" in tool(directory, "org.apache.kafka.tools.LogDirsCommand", "--bootstrap-server", server,
                              "--describe", "--topic-list", topic), "log dirs")
    must("Cluster ID: " in tool(directory, "org.apache.kafka.tools.ClusterTool", "cluster-id", "--bootstrap-server",
                                server), "cluster id")
    path = os.path.join(directory, "records.json")
    with open(path, "w") as file:
        file.write('{"partitions": [{"topic": "%s", "partition": 0, "offset": 100}], "version": 1}' % topic)
    must("low_watermark: 100" in tool(directory, "org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server",
                                      server, "--offset-json-file", path), "delete records")


def producers(server, topic, directory):
    out = tool(directory, "org.apache.kafka.tools.VerifiableProducer", "--bootstrap-server", server, "--topic", topic,
               "--max-messages", "500")
    must('"acked":500' in out, out[-200:])
    run(["kcat", "-P", "-b", server, "-t", topic, "-X", "enable.idempotence=true"], input=LINES)
    out = tool(directory, "org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", server,
               "describe-producers", "--topic", topic, "--partition", "0")
    must("299" in out, out)


def transactions(server, topic, directory):
    """Java's transactional producer and read_committed consumer: topic to topic with the offsets in the transaction,
    some aborted at random; performance's transactions; what kafka-transactions shows."""
    lines = [str(i) for i in range(300)]
    tool(directory, "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", server, "--topic", topic,
         stdin="".join(line + "\n" for line in lines))
    tool(directory, "org.apache.kafka.tools.TransactionalMessageCopier", "--broker-list", server,
         "--input-topic", topic, "--input-partition", "0", "--output-topic", topic + "-out", "--max-messages", "300",
         "--consumer-group", topic + "-g", "--transaction-size", "20", "--transactional-id", topic + "-t",
         "--enable-random-aborts", "--use-group-metadata", "--group-mode")
    got = tool(directory, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", server, "--topic",
               topic + "-out", "--partition", "0", "--offset", "earliest", "--isolation-level", "read_committed",
               "--max-messages", "300", "--timeout-ms", "20000").split()
    must(got == lines, "copied", len(got), got[:5])
    group = tool(directory, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", server,
                 "--describe", "--group", topic + "-g")
    must("300" in group, group)
    tool(directory, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic + "-perf", "--num-records", "2000",
         "--record-size", "100", "--throughput", "-1", "--bootstrap-server", server, "--transactional-id",
         topic + "-p", "--transaction-duration-ms", "20")
    def command(*arguments):
        return tool(directory, "org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", server, *arguments)
    must(topic + "-t" in command("list"), "list")
    must("Complete" in command("describe", "--transactional-id", topic + "-t"), "describe")
    command("find-hanging", "--broker-id", "1")


def groups(server, topic, directory):
    def command(*arguments):
        return tool(directory, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", server,
                    *arguments)
    console_group(server, topic, directory)
    group = topic + "-g"
    must(group in command("--list").split(), "listed")
    must("300" in command("--describe", "--group", group), "described")
    command("--describe", "--group", group, "--state")
    command("--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute")
    command("--delete-offsets", "--group", group, "--topic", topic)
    command("--delete", "--group", group)


def program(command, part, environment=None):
    return lambda server, topic, directory: run(command + [server, part, topic], env=environment)


JOBS = [
    ("kcat", "produce", kcat_produce),
    ("kcat", "group", kcat_group),
    ("confluent-kafka", "produce", program(python("confluent.py"), "produce")),
    ("confluent-kafka", "group", program(python("confluent.py"), "group")),
    ("confluent-kafka", "admin", program(python("confluent.py"), "admin")),
    ("confluent-kafka", "transactions", program(python("confluent.py"), "transactions")),
    ("kafka-python", "produce", program(python("kafka_python.py"), "produce")),
    ("kafka-python", "group", program(python("kafka_python.py"), "group")),
    ("kafka-python", "admin", program(python("kafka_python.py"), "admin")),
    ("kafka-python", "transactions", program(python("kafka_python.py"), "transactions")),
    ("aiokafka", "produce", program(python("aio.py"), "produce")),
    ("aiokafka", "group", program(python("aio.py"), "group")),
    ("aiokafka", "transactions", program(python("aio.py"), "transactions")),
    ("kafkajs", "produce", program(node("kafkajs.js"), "produce", node_environment())),
    ("kafkajs", "group", program(node("kafkajs.js"), "group", node_environment())),
    ("kafkajs", "admin", program(node("kafkajs.js"), "admin", node_environment())),
    ("kafkajs", "transactions", program(node("kafkajs.js"), "transactions", node_environment())),
    ("kafka-console-producer, -consumer", "produce", console_produce),
    ("kafka-console-producer, -consumer", "group", console_group),
    ("kafka-topics", "admin", topics),
    ("kafka-configs", "admin", configs),
    ("kafka-get-offsets, -log-dirs, -cluster, -delete-records", "admin", inspection),
    ("kafka-verifiable-producer, -transactions", "produce", producers),
    ("kafka-consumer-groups", "group", groups),
    ("java transactions", "transactions", transactions),
]
TABLE = os.path.join(HERE, "clients.tsv")


def table_read():
    """{(client, part): {(api, version)}}"""
    table = {}
    with open(TABLE) as file:
        for line in file:
            if line.startswith("#"):
                continue
            client, part, api, version = line.rstrip("\n").split("\t")
            table.setdefault((client, part), set()).add((int(api), int(version)))
    return table


def table_write(table):
    with open(TABLE, "w") as file:
        file.write("# What each client sends to Kafka " + KAFKA_VERSION + ", as recorded by clients_record.py --write:\n")
        file.write("# client, part, API key, version\n")
        for (client, part), sent in table.items():
            for api, version in sorted(sent):
                file.write(f"{client}\t{part}\t{api}\t{version}\n")
