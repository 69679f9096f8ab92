"""Runs examples/dashboard/run on free ports."""
import os
import re
import signal
import subprocess
from pathlib import Path

from broker import SLOW
from harness import eventually
from ports import free_port

RUN = Path(__file__).resolve().parents[2] / "examples" / "dashboard" / "run"


def in_session(leader):
    """The processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


class Example:
    """page: its address as the command prints it. Without arena it uses the program of the folder that it lies in."""

    def __init__(self, arena="", command=RUN, folder=None):
        self.mqtt_port, self.http_port, self.page_port = free_port(), free_port(), free_port()
        environment = dict(os.environ, ARENA_BIN=arena, MQTT_PORT=str(self.mqtt_port), HTTP_PORT=str(self.http_port), PAGE_PORT=str(self.page_port))
        self.process = subprocess.Popen([str(command)], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True)
        try:
            self.page = self.read_page()
        except BaseException:  # the test's deadline, too
            self.close()
            raise

    def read_page(self):
        said = ""
        for line in self.process.stdout:
            said += line
            if line.startswith("HTTP"):
                break
        found = re.search(r"^page +(\S+)$", said, re.M)
        if not found:
            raise AssertionError(f"the example does not start: {said}")
        return found[1]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15 * SLOW)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError("the example does not end") from None
        finally:
            self.process.stdout.close()
        eventually(lambda: not in_session(self.process.pid), "nothing is left of the example")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
