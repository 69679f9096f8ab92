#!/usr/bin/env python3
"""Runs the system tests: a real broker (ARENA_BIN), driven by clients that others wrote.

    ARENA_BIN=build/release/arena tests/system/run.py [--slow FACTOR] [--only TEXT] [SUITE...]
    tests/system/run.py --prepare      installs and compiles those clients under build/system

Suites run four at a time, each with its own brokers on free ports and a deadline. Each prints 'ok NAME' or
'not ok NAME: why'; the last line is 'N passed, N failed'.
"""
import argparse
import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILT = ROOT / "build" / "system"
VENV, NODE, PAHO_C = BUILT / "venv", BUILT / "node", BUILT / "paho_c"
DEADLINE_SECONDS = 180


def call(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def stale(mark, inputs):
    """Has an input changed since the mark was written? Writes nothing."""
    digest = hashlib.sha256(b"".join(Path(p).read_bytes() for p in inputs)).hexdigest()
    return (not mark.exists() or mark.read_text() != digest) and digest


def prepare_venv():
    mark = VENV / "prepared"
    digest = stale(mark, [HERE / "requirements.txt"])
    if digest:
        shutil.rmtree(VENV, ignore_errors=True)
        call(sys.executable, "-m", "venv", VENV)
        call(VENV / "bin" / "pip", "install", "--quiet", "-r", HERE / "requirements.txt")
        mark.write_text(digest)


def prepare_node():
    inputs = [HERE / "mqttjs" / name for name in ("package.json", "package-lock.json", ".npmrc")]
    mark = NODE / "prepared"
    digest = stale(mark, inputs)
    if digest:
        shutil.rmtree(NODE, ignore_errors=True)
        NODE.mkdir(parents=True)
        for path in inputs:
            shutil.copy(path, NODE)
        call("npm", "ci", "--ignore-scripts", cwd=NODE)
        mark.write_text(digest)


def prepare_paho_c():
    sources = sorted((HERE / "paho_c").glob("*"))
    PAHO_C.mkdir(parents=True, exist_ok=True)
    mark = PAHO_C / "prepared"
    digest = stale(mark, sources)
    if digest:
        for source in sources:
            if source.suffix == ".cc":
                library = "-lpaho-mqtt3a" if "async" in source.stem else "-lpaho-mqtt3c"
                call("g++", "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", source, "-o", PAHO_C / source.stem,
                     library, "-pthread")
        mark.write_text(digest)


def prepare():
    BUILT.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for job in [pool.submit(f) for f in (prepare_venv, prepare_node, prepare_paho_c)]:
            job.result()


def suites():
    """{name: (command, needs brokers)}. Python suites start their own brokers, others are handed the ports of
    two: one open to all (OPEN_PORT), one with users and permissions (AUTH_PORT); those named *-ws get HTTP ports."""
    python = [sys.executable]
    found = {
        "raw": (python + [HERE / "test_raw.py"], False),
        "http": (python + [HERE / "test_http.py"], False),
        "http2": (python + [HERE / "test_http2.py"], False),
        "rest": (python + [HERE / "test_rest.py"], False),
        "cut": (python + [HERE / "test_cut.py"], False),
        "matrix": (python + [HERE / "test_matrix.py"], False),
        "cli": (python + [HERE / "test_cli.py"], False),
        "durable": (python + [HERE / "test_durable.py"], False),
        "store": (python + [HERE / "test_store.py"], False),
        "streams": ([VENV / "bin" / "python", HERE / "test_streams.py"], False),
        "once": ([VENV / "bin" / "python", HERE / "test_once.py"], False),
        "tls": ([VENV / "bin" / "python", HERE / "test_tls.py"], False),
        "mosquitto": (python + [HERE / "test_mosquitto.py"], False),
        "paho-python": ([VENV / "bin" / "python", HERE / "test_paho.py"], False),
        "websocket": ([VENV / "bin" / "python", HERE / "test_websocket.py"], False),
        "browser": (python + [HERE / "test_browser.py"], False),
        "readme": (python + [HERE / "test_readme.py"], False),
        "mqtt.js": (["node", HERE / "mqttjs" / "test_mqttjs.cjs"], True),
        "mqtt.js-ws": (["node", HERE / "mqttjs" / "test_mqttjs.cjs"], True),
        "paho-c": ([PAHO_C / "paho_sync"], True),
        "paho-c-async": ([PAHO_C / "paho_async"], True),
    }
    return {name: ([str(c) for c in command], needs) for name, (command, needs) in found.items()}


def run_process(command, environment, seconds):
    """Output and exit code; past the deadline the process is killed and the output says so."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=seconds)
        return output, process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return output + f"\nnot ok the suite did not end within {seconds:.0f} s\n", -9


def run_suite(name, command, needs_brokers, slow):
    environment = dict(os.environ, NODE_PATH=str(NODE / "node_modules"), PYTHONDONTWRITEBYTECODE="1")
    seconds = DEADLINE_SECONDS * slow
    if not needs_brokers:
        return run_process(command, environment, seconds)
    from broker import AUTH_RULES, AUTH_USERS, Broker  # reads ARENA_SLOW
    output = ""
    over_ws = name.endswith("-ws")
    with Broker(http=over_ws) as open_broker:
        auth_broker = Broker(users=AUTH_USERS, rules=AUTH_RULES, http=over_ws)
        try:
            auth_broker.start()
        except Exception as error:  # the tests that need it will tell
            output = f"the auth broker does not start: {error}\n"
        ports = [str(one.http_port if over_ws else one.port) for one in (open_broker, auth_broker)]
        environment.update(OPEN_PORT=ports[0], AUTH_PORT=ports[1], MQTT_PROTOCOL="ws" if over_ws else "mqtt")
        more, status = run_process(command, environment, seconds)
        output += more
        for label, broker in (("open", open_broker), ("auth", auth_broker)):
            code = broker.stop(keep=True)
            if code != 0 and broker.process:
                output += f"\nnot ok the {label} broker ended with {code}\n{broker.log()[-4000:]}\n"
                status = status or 1
            broker.stop()
        return output, status


def count(output, status):
    """(passed, failed) from the closing line; what broke off counts its own 'not ok' lines, at least one."""
    closing = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
    if closing:
        passed, failed = map(int, closing[-1])
    else:
        passed, failed = len(re.findall(r"^ok ", output, re.M)), len(re.findall(r"^not ok ", output, re.M))
    if status != 0 or passed + failed == 0:
        failed = max(failed, 1)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", action="store_true", help="install and compile the clients, and end")
    parser.add_argument("--slow", type=float, default=1, help="deadlines are this much longer (sanitizers)")
    parser.add_argument("--only", default="", help="run only the tests whose name contains this (Python suites)")
    parser.add_argument("suites", nargs="*")
    options = parser.parse_args()
    if options.prepare:
        prepare()
        return 0
    os.environ["ARENA_SLOW"] = str(options.slow)
    if options.only:
        os.environ["ARENA_ONLY"] = options.only
    known = suites()
    unknown = set(options.suites) - set(known)
    if unknown:
        raise SystemExit(f"no such suite: {' '.join(unknown)}; there are: {' '.join(known)}")
    prepare()
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
        start = time.monotonic()
        jobs = {pool.submit(run_suite, name, *known[name], options.slow): name for name in options.suites or known}
        for job in concurrent.futures.as_completed(jobs):
            name = jobs[job]
            try:
                output, status = job.result()
            except Exception as error:  # pylint: disable=broad-except
                output, status = f"not ok could not be run: {error}\n", 1
            ok, bad = count(output, status)
            print(f"--- {name}, after {time.monotonic() - start:.1f} s\n{output.rstrip()}", flush=True)
            passed, failed = passed + ok, failed + bad
            if status != 0:
                print(f"FAIL {name}: {bad} of {ok + bad}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
