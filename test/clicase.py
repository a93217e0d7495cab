"""Runs one command line case (test/cli/*.test); the format is in test/README.md."""
import difflib
import os
import re
import shlex
import subprocess
import tempfile


class Step:
    def __init__(self, command, line):
        self.command, self.line = command, line
        self.stdin, self.stdout, self.stderr = "", None, None
        self.exit_code, self.seconds = 0, None


def sections(text):
    """Yields (keyword, argument, lines of text, line number)."""
    current = None
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        found = re.match(r"=== *(\S+) *(.*?)\s*$", line)
        if found:
            if current:
                yield current
            current = [found.group(1), found.group(2), "", number]
        elif current:
            current[2] += line
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"line {number}: text before the first section")
    if current:
        yield current


def matches(expected, got):
    """'...' within a line is anything in it; a line '...' alone is any number of lines."""
    pattern = ""
    for line in expected.splitlines():
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.split("...")) + r"\n"
    if got and not got.endswith("\n"):
        got += "\n"
    return re.fullmatch(pattern, got) is not None


def parse(text, leat, directory):
    """Returns the steps; files are written at once."""
    steps = []
    for keyword, argument, body, line in sections(text):
        if keyword == "file":
            path = os.path.join(directory, argument)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(body)
        elif keyword == "run":
            steps.append(Step([leat] + shlex.split(argument + " " + body.strip()), line))
        elif keyword == "sh":
            steps.append(Step(["bash", "-c", argument + "\n" + body], line))
        elif not steps:
            raise ValueError(f"line {line}: '{keyword}' before the first 'run'")
        elif keyword in ("stdin", "stdout", "stderr"):
            setattr(steps[-1], keyword, body)
        elif keyword == "exit":
            steps[-1].exit_code = int(argument)
        elif keyword == "seconds":
            steps[-1].seconds = int(argument)
        else:
            raise ValueError(f"line {line}: unknown section '{keyword}'")
    if not steps:
        raise ValueError("no 'run' section")
    return steps


def run_step(step, leat, directory, timeout, kill_session):
    """Returns what is wrong, or an empty string."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as stdin:
        stdin.write(step.stdin.encode())
        stdin.seek(0)
        process = subprocess.Popen(step.command, cwd=directory, stdin=stdin, stdout=out, stderr=err,
                                   start_new_session=True, env=dict(os.environ, LEAT=leat))
        try:
            code = process.wait(step.seconds or timeout)
        except subprocess.TimeoutExpired:
            code = None
        kill_session(process.pid)
        process.wait()
        out.seek(0)
        err.seek(0)
        got = {"stdout": out.read().decode("utf-8", "replace"), "stderr": err.read().decode("utf-8", "replace")}
    problems = []
    if code is None:
        problems.append(f"no end after {step.seconds or timeout} s")
    elif code != step.exit_code:
        problems.append(f"exit code {code}, want {step.exit_code}")
    for name in ("stdout", "stderr"):
        want = getattr(step, name)
        if want is not None and not matches(want, got[name]):
            diff = difflib.unified_diff(want.splitlines(), got[name].splitlines(), "want " + name, "got " + name, "", "",
                                        lineterm="")
            problems.append("\n".join(diff))
    if problems:
        problems.insert(0, f"line {step.line}: {' '.join(step.command)[:300]}")
        problems.append("stdout: " + got["stdout"][-3000:] + "\nstderr: " + got["stderr"][-3000:])
    return "\n".join(problems)


def run(path, leat, directory, timeout, free_ports, kill_session):
    """Returns what is wrong with the case, or an empty string."""
    with open(path) as file:
        text = file.read()
    names = sorted(set(re.findall(r"\{\{(port\d*)\}\}", text)))
    for name, port in zip(names, free_ports(len(names))):
        text = text.replace("{{" + name + "}}", str(port))
    text = text.replace("{{dir}}", directory)
    try:
        steps = parse(text, leat, directory)
    except ValueError as problem:
        return f"{path}: {problem}"
    for step in steps:
        problem = run_step(step, leat, directory, timeout, kill_session)
        if problem:
            return problem
    return ""
