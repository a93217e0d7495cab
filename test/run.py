#!/usr/bin/env python3
"""Runs leat's tests tier by tier; test/README.md says what the tiers and the file formats are.

Normally called by script/test, after it has built. Each test is a process of its own with a time-out, in its own
session, whose leftovers are killed. Prints failures with their output, a line per tier and the sum as last line.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clicase  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIERS = ["check", "unit", "fuzz", "function", "sql", "sim", "cli", "system", "browser", "services"]
QUICK = ["check", "unit", "function", "sql", "sim"]
SIM_SEEDS, SIM_SEEDS_LONG, SIM_SEEDS_AT_ONCE = 200, 5000, 100
SIM_FAULTS, SIM_FAULTS_LONG = ["40 3", "40 9", "40 24", "40 33", "40 37"], [f"1000 {seed}" for seed in range(1, 100, 7)]
OUTPUT_LIMIT = 12000
SLOWER = {"asan": 4, "tsan": 8, "valgrind": 20}


class Result:
    """Counts and the text to show when something failed."""

    def __init__(self, passed=0, failed=0, skipped=0, text="", reason=""):
        self.passed, self.failed, self.skipped = passed, failed, skipped
        self.text, self.reason = text, reason


class Test:
    def __init__(self, name, run, alone=False):
        self.name, self.run, self.alone = name, run, alone


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def kill_session(pid):
    """Kills what is left of the session that the process pid led."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                session = int(file.read().rsplit(")", 1)[1].split()[3])
            if session == pid:
                os.kill(int(entry), signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            pass


def run_process(command, timeout, cwd=None, env=None, stdin=None):
    """Returns exit code (None: time-out), stdout and stderr joined."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        kill_session(process.pid)
        process.wait()
        output.seek(0)
        return code, output.read().decode("utf-8", "replace")


def tap_result(code, output, timeout):
    """Counts TAP lines; a program without any is one test. A bad exit without a failed line is one failure more."""
    passed = failed = skipped = 0
    for line in output.splitlines():
        if re.match(r"not ok\b", line):
            failed += 1
        elif re.match(r"ok\b", line):
            if re.search(r"# *skip", line, re.I):
                skipped += 1
            else:
                passed += 1
    plan = re.search(r"^1\.\.(\d+)", output, re.M)
    if code is None:
        failed += 1
        output += f"\n# no end after {timeout} s\n"
    elif code == 77 and failed == 0:
        skipped = max(skipped, 1)
    elif code != 0 and failed == 0:
        failed += 1
        output += f"\n# exit code {code}\n"
    elif passed + failed + skipped == 0 and not plan:
        passed = 1
    elif plan and int(plan.group(1)) > passed + failed + skipped:
        failed += 1
        output += f"\n# {plan.group(1)} tests planned, {passed + failed + skipped - 1} reported\n"
    reason = ""
    if skipped:
        lines = [line for line in output.splitlines() if re.search(r"^ok\b.*# *skip", line, re.I)] or \
            output.strip().splitlines()[-1:] or ["exit code 77"]
        reason = re.sub(r"^ok.*# *skip *", "", lines[0], flags=re.I) or "skipped"
    return Result(passed, failed, skipped, output, reason)


def file_timeout(path, default):
    with open(path, errors="replace") as file:
        for _, line in zip(range(20), file):
            found = re.match(r"\s*(?:#|//) timeout: (\d+)", line)
            if found:
                return int(found.group(1))
    return default


def relative(path):
    return os.path.relpath(path, ROOT)


class Runner:
    def __init__(self, options):
        self.options = options
        self.build = os.path.abspath(options.build)
        kind = [factor for word, factor in SLOWER.items() if word in os.path.basename(self.build)]
        self.factor = kind[0] if kind else 1
        self.leat = os.path.join(self.build, "leat")

    def program(self, command, timeout, **more):
        timeout *= self.factor
        code, output = run_process(command, timeout, **more)
        return tap_result(code, output, timeout)

    def files(self, *patterns):
        found = []
        for pattern in patterns:
            found += glob.glob(os.path.join(ROOT, pattern), recursive=True)
        return [path for path in sorted(found) if self.options.long or ".long." not in os.path.basename(path)]

    def tests_check(self):
        environment = dict(os.environ, BUILD=self.build)
        for path in self.files("script/check/*.py", "script/check/*.sh"):
            if os.path.basename(path).startswith("_"):
                continue
            shell = ["python3"] if path.endswith(".py") else ["bash"]
            yield Test("check/" + os.path.basename(path).rsplit(".", 1)[0],
                       lambda command=shell + [path], limit=file_timeout(path, 60):
                       self.program(command, limit, cwd=ROOT, env=environment))

    def tests_unit(self):
        listed = subprocess.run(["meson", "introspect", "--tests", self.build], capture_output=True, text=True)
        if listed.returncode:
            sys.exit(f"test/run.py: {self.build} is no build directory: {listed.stderr}{listed.stdout}")
        for test in json.loads(listed.stdout):
            suites = [suite.split(":")[-1] for suite in test["suite"]] or ["unit"]
            if self.options.suite and not set(suites) & set(self.options.suite):
                continue
            environment = dict(os.environ)
            environment.update(test["env"])
            yield Test(f"unit/{suites[0]}/{test['name']}",
                       lambda command=test["cmd"], limit=test["timeout"] or 60, where=test["workdir"] or self.build,
                       env=environment: self.program(command, limit, cwd=where, env=env))

    def tests_fuzz(self):
        for path in self.files("fuzz/*.c"):
            name = os.path.basename(path)[:-2]
            finds = sorted(glob.glob(os.path.join(ROOT, "fuzz/finds", name, "*")))
            yield Test("fuzz/" + name, lambda command=[os.path.join(self.build, "fuzz", name + "_replay")] + finds:
                       self.program(command, 60, cwd=ROOT))
            if self.options.long:
                seconds = os.environ.get("FUZZ_SECONDS", "20")
                yield Test(f"fuzz/{name}.long", lambda name=name, seconds=seconds: self.fuzz(name, seconds))

    def fuzz(self, name, seconds):
        """libFuzzer from the finds; what it writes stays in build-fuzz, a crash's file is named in its output."""
        program = os.path.join(ROOT, "build-fuzz", "fuzz", name + "_fuzz")
        if not os.path.exists(program):
            return Result(skipped=1, reason="script/build --clang --long build-fuzz has not made " + relative(program))
        corpus = os.path.join(ROOT, "build-fuzz", "corpus", name)
        os.makedirs(corpus, exist_ok=True)
        finds = os.path.join(ROOT, "fuzz/finds", name)
        command = [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024",
                   f"-artifact_prefix={corpus}-", corpus] + ([finds] if os.path.isdir(finds) else [])
        code, output = run_process(command, int(seconds) * 2 + 60, cwd=ROOT)
        return Result(passed=1) if code == 0 else Result(failed=1, text=output[-OUTPUT_LIMIT:])

    def tests_cases(self, tier, patterns, program_name, arguments=()):
        """Case files run by one of our own programs, which prints TAP."""
        program = os.path.join(self.build, "test/case", program_name)
        for path in self.files(*patterns):
            name = relative(path)[len("test/"):]
            if not os.path.exists(program):
                yield Test(name, lambda: Result(skipped=1, reason=f"there is no {program_name} program yet"))
                continue
            yield Test(name, lambda command=[program, *arguments, path], limit=file_timeout(path, 60):
                       self.program(command, limit, cwd=ROOT))

    def tests_function(self):
        return self.tests_cases("function", ["test/function/**/*.triples"], "function_case")

    def tests_sql(self):
        return self.tests_cases("sql", ["test/sql/**/*.test"], "sql_case",
                                ["--seeds", "20"] if self.options.long else [])

    def tests_sim(self):
        program = os.path.join(self.build, "test/sim/simulate")
        count = SIM_SEEDS_LONG if self.options.long else SIM_SEEDS
        ranges = [f"{first}-{first + SIM_SEEDS_AT_ONCE - 1}" for first in range(1, count, SIM_SEEDS_AT_ONCE)]
        commands = [["--file", os.path.join(ROOT, "test/sim/seeds.txt")]] + [[seeds] for seeds in ranges]
        for faults in SIM_FAULTS + (SIM_FAULTS_LONG if self.options.long else []):
            commands.append(["--faults"] + faults.split())
        for arguments in commands:
            yield Test("sim/" + (arguments[0].strip("-") + " " if len(arguments) > 1 else "") +
                       os.path.basename(arguments[-1]),
                       lambda command=[program] + arguments: self.program(command, 120, cwd=ROOT))

    def tests_cli(self):
        for path in self.files("test/cli/**/*.test"):
            yield Test(relative(path)[len("test/"):], lambda path=path: self.cli(path, file_timeout(path, 60)))

    def cli(self, path, timeout):
        if not os.path.exists(self.leat):
            return Result(skipped=1, reason="there is no leat executable yet")
        directory = tempfile.mkdtemp(prefix="leat-cli-")
        try:
            problem = clicase.run(path, self.leat, directory, timeout * self.factor, free_ports, kill_session)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        return Result(failed=1, text=problem) if problem else Result(passed=1)

    def tests_scripts(self, tier, timeout, suites=None):
        for path in self.files(f"test/{tier}/*.sh", f"test/{tier}/*.py"):
            base = os.path.basename(path)
            if base.startswith("_") or (suites and not any(base.startswith(suite) for suite in suites)):
                continue
            yield Test(relative(path)[len("test/"):],
                       lambda path=path: self.script(path, file_timeout(path, timeout)), alone=True)

    def tests_browser(self):
        missing = self.missing_for_browser()
        for path in self.files("test/browser/*_test.mjs", "test/browser/*_test.long.mjs"):
            skip = missing or ("there is no leat executable yet" if not os.path.exists(self.leat) else "")
            yield Test(relative(path)[len("test/"):],
                       (lambda skip=skip: Result(skipped=1, reason=skip)) if skip else
                       (lambda path=path: self.script(path, file_timeout(path, 120))), alone=True)

    @staticmethod
    def missing_for_browser():
        """What the browser tests need and is not here, or ""."""
        if not shutil.which("node"):
            return "there is no node (script/setup page)"
        if not os.path.isdir(os.path.join(ROOT, "web/node_modules/playwright-core")):
            return "playwright-core is not installed (script/web --test)"
        if not os.path.exists(os.path.join(ROOT, "web/dist/app.js")):
            return "there is no page (script/web)"
        if not shutil.which("chromium"):
            return "there is no chromium (script/setup test)"
        return ""

    def script(self, path, timeout):
        if not os.path.exists(self.leat):
            return Result(skipped=1, reason="there is no leat executable yet")
        directory = tempfile.mkdtemp(prefix="leat-test-")
        ports = free_ports(3)
        environment = dict(os.environ, LEAT=self.leat, BUILD=self.build, TEST_DIR=directory, PORT=str(ports[0]),
                           PORT2=str(ports[1]), PORT3=str(ports[2]), SEED=os.environ.get("SEED", "1"))
        shell = {".py": ["python3"], ".mjs": ["node"]}.get(os.path.splitext(path)[1], ["bash"])
        result = self.program(shell + [path], timeout, cwd=ROOT, env=environment)
        if result.failed:
            result.text += f"# its directory was kept: {directory}\n"
        else:
            shutil.rmtree(directory, ignore_errors=True)
        return result

    def tests_system(self):
        return self.tests_scripts("system", 120, self.options.suite)

    def tests_services(self):
        if not os.path.isdir(os.path.join(ROOT, "../shared/services")):
            yield Test("services", lambda: Result(skipped=1, reason="no ../shared/services here"))
            return
        found = list(self.tests_scripts("services", 300))
        if not found:
            yield Test("services", lambda: Result(skipped=1, reason="no tests against real servers yet"))
        yield from found

    def run_tier(self, tier):
        started = time.monotonic()
        tests = [test for test in getattr(self, "tests_" + tier)() if self.options.filter in test.name]
        total, reasons = Result(), {}

        def run(test):
            try:
                return test.run()
            except Exception as problem:  # a missing program must not end the whole run
                return Result(failed=1, text=f"{type(problem).__name__}: {problem}")

        def take(test, result):
            total.passed += result.passed
            total.failed += result.failed
            total.skipped += result.skipped
            if result.failed:
                text = result.text.strip()
                if len(text) > OUTPUT_LIMIT:
                    text = "...\n" + text[-OUTPUT_LIMIT:]
                print(f"FAILED {test.name}\n{text}\n", flush=True)
            if result.skipped:
                reasons.setdefault(result.reason or "skipped", []).append(test.name)

        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            waiting = {pool.submit(run, test): test for test in tests if not test.alone}
            for future in concurrent.futures.as_completed(waiting):
                take(waiting[future], future.result())
        for test in tests:
            if test.alone:
                take(test, run(test))
        for reason, names in reasons.items():
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            print(f"SKIPPED {shown}: {reason}")
        if tests or not self.options.filter:
            print(f"{tier:9} {total.passed} passed, {total.failed} failed, {total.skipped} skipped"
                  f"  ({time.monotonic() - started:.1f} s)", flush=True)
        return total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--services", action="store_true")
    parser.add_argument("--tier", action="append", choices=TIERS)
    parser.add_argument("--suite", action="append", help="unit suites (rooms) and beginnings of system test names")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS", os.cpu_count())))
    parser.add_argument("filter", nargs="?", default="")
    options = parser.parse_args()
    tiers = options.tier or (["services"] if options.services else QUICK if options.quick else TIERS[:-1])
    runner = Runner(options)
    results = [runner.run_tier(tier) for tier in TIERS if tier in tiers]
    passed, failed, skipped = (sum(getattr(result, what) for result in results)
                               for what in ("passed", "failed", "skipped"))
    if options.suite and passed + failed == 0:
        print(f"SKIPPED: there are no tests of {', '.join(options.suite)} yet")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
