#!/usr/bin/env python3
"""The commands of README's 60 seconds, as they stand there, in a folder where the program is built already. Only ports
are others: those that a command names, and the program's usual ones by a wrapper."""
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from broker import SLOW, arena_bin
from chromium import Chromium
from example import Example
from harness import equal, eventually, run_all, test
from ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## 60 seconds\n")[1].split("\n## ")[0]
BLOCKS = [block.splitlines() for block in re.findall(r"^```sh\n(.*?)^```$", SECTION, re.M | re.S)]
FOLLOWS = re.compile(r"^(build/release/arena sub|mosquitto_sub|curl -N) ")
FOLDER = Path(tempfile.mkdtemp(prefix="arena-readme-"))

WRAPPER = """#!/bin/bash
case $1 in
  dev) exec {arena} "$@" --mqtt {mqtt} --http {http} ;;
  pub | sub) case " $* " in *" -p "*) exec {arena} "$@" ;; *) exec {arena} "$@" -p {mqtt} ;; esac ;;
  config) set -o pipefail; {arena} "$@" | sed 's/port = 1883/port = {mqtt}/' ;;
  *) exec {arena} "$@" ;;
esac
"""


def block_with(text):
    found = [block for block in BLOCKS if any(text in line for line in block)]
    equal(len(found), 1, f"blocks of README's 60 seconds with {text!r}")
    return found[0]


def make_folder(mqtt, http):
    """What a clone has once it is built."""
    built = FOLDER / "build" / "release"
    built.mkdir(parents=True, exist_ok=True)
    (built / "arena").write_text(WRAPPER.format(arena=arena_bin(), mqtt=mqtt, http=http), encoding="utf-8")
    (built / "arena").chmod(0o755)
    (built / "build.ninja").write_text("build arena: phony\n", encoding="utf-8")
    for name in ("script", "examples"):
        if not (FOLDER / name).exists():
            (FOLDER / name).symlink_to(ROOT / name)


class Command:
    """One line of the README, running; output: the file of what it said."""

    def __init__(self, line, ports):
        for usual, port in ports.items():
            line = re.sub(rf"\b{usual}\b", str(port), line)
        self.line = line
        self.output = tempfile.NamedTemporaryFile(dir=FOLDER)
        self.process = subprocess.Popen(["bash", "-ec", line], cwd=FOLDER, stdin=subprocess.PIPE, stdout=self.output, stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def said(self):
        return Path(self.output.name).read_text(encoding="utf-8", errors="replace")

    def succeed(self, text_in=""):
        self.process.communicate(text_in.encode(), timeout=20 * SLOW)
        equal(self.process.returncode, 0, f"{self.line}: {self.said()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate()


def check_block(block, ports, wanted):
    """Runs a block: those who follow first, then the others until every follower has said all that is wanted."""
    followers = [Command(line, ports) for line in block if FOLLOWS.match(line)]
    try:
        equal(bool(followers), True, "somebody follows")

        def all_saw():
            for line in block:
                if not FOLLOWS.match(line):
                    with Command(line, ports) as command:
                        command.succeed()
            return all(text in follower.said() for follower in followers for text in wanted)
        eventually(all_saw, "every follower sees what is published", seconds=15)
    finally:
        for follower in followers:
            follower.__exit__()


@test(seconds=40)
def a_message_from_terminal_to_terminal_and_by_any_client_and_curl():
    mqtt, http = free_port(), free_port()
    make_folder(mqtt, http)
    ports = {1883: mqtt, 8080: http}
    with Command(block_with("script/server")[0], ports) as server:
        eventually(lambda: "arena pub" in server.said() or server.process.poll() is not None, "the server is ready", seconds=20)
        equal(server.process.poll(), None, server.said())
        check_block(block_with("arena pub demo/hello"), ports, ["Hello, world"])
        check_block(block_with("Hello, web"), ports, ["Hello, web"])


@test(seconds=40)
def a_browser_page_and_curl_and_an_mqtt_client_on_one_topic():
    equal(block_with("examples/dashboard/run"), ["examples/dashboard/run"])
    make_folder(0, 0)
    with Example(command=FOLDER / "examples/dashboard/run", folder=FOLDER) as example, Chromium(slow=SLOW) as chromium:
        equal("http://127.0.0.1:8000/" in SECTION, True, "README says where the page is")
        chromium.open(example.page)
        eventually(lambda: chromium.text("#state") == "live", "the page is live", seconds=10)
        check_block(block_with("-t devices/desk"), {1883: example.mqtt_port, 8080: example.http_port}, ['"value":21.5', '"value":22.5'])
        eventually(lambda: (chromium.text("[data-device=desk] .value"), chromium.text("[data-device=desk] .unit")) == ("22.5", "°C"),
                   "the page shows what curl published", seconds=10)


@test(seconds=40)
def a_configuration_with_a_user():
    mqtt = free_port()
    make_folder(mqtt, 0)
    *before, last = block_with("user add")
    for line in before:
        with Command(line, {}) as command:
            command.succeed("a long password\n" * 2 if "user add" in line else "")
    with Command(last, {}) as server:
        eventually(lambda: '"ready"' in server.said() or server.process.poll() is not None, "the server is ready", seconds=20)
        equal(server.process.poll(), None, server.said())
        refused = subprocess.run(["mosquitto_pub", "-p", str(mqtt), "-t", "demo", "-m", "x"], capture_output=True, timeout=10 * SLOW, check=False)
        equal(refused.returncode != 0, True, "who has no name is refused")


run_all()
