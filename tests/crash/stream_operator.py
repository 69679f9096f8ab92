"""The operator of the streams, who changes them under load and may be killed over it, or in the moment of the answer
(arena_trial.py)."""
import json
import os
import socket

from broker import SLOW

ASK_S = 60
SETTINGS = ("filters", "max_age_ms", "max_bytes", "max_messages", "budget_bytes", "created")
DAY_MS = 86_400_000


class Asked:
    """One request to the socket in the store's folder, and what is to be done with its answer."""

    def __init__(self, folder, method, path, body, then):
        self.then, self.answer = then, b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ASK_S * SLOW)
        self.socket.connect(os.path.join(folder, "data", "admin.sock"))
        request = {"method": method, "path": "/v1/streams" + path, **({"body": body} if body else {})}
        self.socket.sendall(json.dumps(request).encode() + b"\n")


class Operator:
    """Does one thing at a time. For the loop it is one client more, who has a connection while it waits for an answer."""

    def __init__(self, folder, history):
        self.folder, self.history = folder, history
        self.wire = None
        self.settings = {}  # of the streams, as they were asked for

    def ask(self, method, path, body=None, then=lambda answer: None):
        self.wire = Asked(self.folder, method, path, body, then)

    def readable(self):
        try:
            data = self.wire.socket.recv(1 << 16)
        except OSError:
            data = b""  # killed meanwhile
        self.wire.answer += data
        if data and not self.wire.answer.endswith(b"\n"):
            return True
        if self.wire.answer.endswith(b"\n"):
            answer = json.loads(self.wire.answer)
            if answer["status"] >= 300:
                raise RuntimeError(f"the operator is refused: {answer}")
            self.wire.then(answer["body"])
        return False

    def drain(self):
        while self.wire and self.readable():
            pass
        self.close()

    def close(self):
        if self.wire:
            self.wire.socket.close()
            self.wire = None

    # ---- what it does ----

    def create(self, name, filter_, then, messages=0):
        limit = {"max_messages": messages} if messages else {}
        self.ask("POST", "", {"name": name, "filters": [filter_], **limit}, then)

    def found(self):
        """{stream: its settings}, as the broker says. When nothing else is asked."""
        listed = {}
        self.ask("GET", "", then=listed.update)
        self.drain()
        return {one["name"]: {key: one[key] for key in SETTINGS} for one in listed["items"]}

    def is_there(self, name, settings):
        self.settings[name] = {key: settings[key] for key in SETTINGS}
        self.history.add("stream_set", name=name, settings=self.settings[name])

    def purge(self, name, topics):
        self.history.add("purging", topics=topics)
        self.ask("POST", f"/{name}/purge", then=lambda _answer: self.history.add("purged"))

    def edit(self, name):
        self.settings[name] = {**self.settings[name], "max_age_ms": self.settings[name]["max_age_ms"] + DAY_MS}
        self.history.add("stream_set", name=name, settings=self.settings[name])
        self.ask("PATCH", f"/{name}", {"max_age_ms": self.settings[name]["max_age_ms"]}, lambda _answer: self.history.add("set", name=name))

    def look(self):
        found = self.found()
        for name in self.settings:
            self.history.add("stream_is", name=name, settings=found.get(name))
