"""What the tests of bad input share: one run of leat with a time-out, and the check that holds for every run."""
import os
import signal
import subprocess
from _tap import check, finish, rows_of, skip, wait_for  # noqa: F401, passed on

LEAT = os.environ["LEAT"]
DIRECTORY = os.environ["TEST_DIR"]
PORT = int(os.environ["PORT"])
PORT2 = int(os.environ["PORT2"])
SERVER = f"127.0.0.1:{PORT}"


class Result:
    """How a run ended: "hung" is a code of its own."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def clean(self):
        """Neither a signal nor a hang, no failed `must` and no report of a sanitizer."""
        return (self.code in (0, 1, 2) and "must(" not in self.err and "Sanitizer" not in self.err and
                "runtime error" not in self.err)

    def says(self, *words):
        return all(word in self.err for word in words)

    def __repr__(self):
        return f"exit {self.code}, stdout {self.out[:500]!r}, stderr {self.err[:2000]!r}"


jobs = 0


def start(*arguments, data=None, stdout=subprocess.PIPE, **options):
    """With data: a run whose jobs are none of those before, whose checkpoints they would go on from."""
    global jobs
    jobs += 1
    run = ["run", "--set", f"pipeline.name=job-{jobs}", "--data", data] if data else []
    command = [LEAT, *run, *arguments]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                            cwd=DIRECTORY, **options)


def result_of(process, seconds=30):
    try:
        out, err = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        code = "hung"
    return Result(code, (out or b"").decode(errors="replace"), err.decode(errors="replace"))


def run(*arguments, seconds=30, data=None, **options):
    return result_of(start(*arguments, data=data, **options), seconds)


def stop(process, seconds=20):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    return result_of(process, seconds)


class Broker:
    """`leat broker` on SERVER, with its stderr in a file."""

    def __init__(self, data, server=SERVER, **options):
        self.data, self.server = data, server
        self.log = os.path.join(DIRECTORY, "broker.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([LEAT, "broker", "--data", data, "--listen", server], stderr=log,
                                            **options)
        if not wait_for(lambda: self.process.poll() is not None or server in self.text(), 20):
            raise SystemExit("the broker did not start")

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)


def produce(topic, values, server=SERVER, *options):
    """Each value is a record; no value holds the delimiter."""
    path = os.path.join(DIRECTORY, "values")
    with open(path, "wb") as file:
        file.write(b"\x1e".join(values))
    return subprocess.run(["kcat", "-P", "-b", server, "-t", topic, "-D", "\x1e", "-X", "acks=all",
                           "-X", "message.max.bytes=20000000", *options, "-l", path],
                          capture_output=True, text=True, timeout=60)
