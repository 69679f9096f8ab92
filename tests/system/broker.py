"""Starts a real broker process for a test, and stops it. The one place that knows its command line and
configuration file."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from ports import free_port

SLOW = float(os.environ.get("ARENA_SLOW", "1"))  # sanitizer builds: every deadline is this much longer


def arena_bin():
    path = os.environ.get("ARENA_BIN")
    if not path:
        raise SystemExit("ARENA_BIN must name the arena program")
    return os.path.abspath(path)


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Rule:
    """One permission rule as the configuration writes it."""

    def __init__(self, effect, action, topics, user=None):
        self.effect, self.action, self.topics, self.user = effect, action, topics, user

    def toml(self):
        who = f"users = [{quote(self.user)}]\n" if self.user is not None else ""
        return (f"[[auth.rules]]\n{who}{self.effect} = [{quote(self.action)}]\n"
                f"topics = [{', '.join(quote(t) for t in self.topics)}]\n")


def add_user(users_file, name, password):
    """`arena user add`; the password comes on standard input, so that it stands in no process list."""
    subprocess.run([arena_bin(), "user", "add", "--file", users_file, name, "--password-stdin"],
                   input=password + "\n", text=True, check=True, capture_output=True, timeout=30 * SLOW)


class Broker:
    """A broker on a free loopback port, in its own folder.

    users: {name: password}; none means that anonymous clients are let in. rules: permission rules in order.
    mqtt: further keys of the [mqtt] table, as TOML text by key. A broker that needs none of these is started as
    `arena dev`, unless configured is set. http: it speaks that, too, on http_port.
    """

    def __init__(self, users=None, rules=(), mqtt=None, port=None, configured=False, http=False, more=""):
        self.folder = tempfile.mkdtemp(prefix="arena-system-")
        self.port = port or free_port()
        self.users, self.rules, self.mqtt = users or {}, list(rules), mqtt or {}
        self.http_port = free_port() if http else 0
        self.more = more  # TOML, behind the rest
        self.configured = configured or bool(more or self.users or self.rules or self.mqtt)
        self.config = os.path.join(self.folder, "arena.toml")
        self.users_file = os.path.join(self.folder, "users")
        self.log_path = os.path.join(self.folder, "log")
        self.process = None

    def config_text(self):
        lines = ["[mqtt]", f'listeners = [{{ address = "127.0.0.1", port = {self.port} }}]']
        lines += [f"{key} = {value}" for key, value in self.mqtt.items()]
        if self.http_port:
            lines += ["[http]", f'listeners = [{{ address = "127.0.0.1", port = {self.http_port} }}]']
        if self.users:
            lines += ["[auth]", f"users_file = {quote(self.users_file)}"]
        return "\n".join(lines + [rule.toml() for rule in self.rules]) + "\n" + self.more

    def write_config(self):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(self.config_text())

    def start(self):
        for name, password in self.users.items():
            add_user(self.users_file, name, password)
        self.write_config()
        self.launch()
        return self

    def command(self):
        if self.configured:
            return [arena_bin(), "server", "--config", self.config]
        return [arena_bin(), "dev", "--mqtt", str(self.port), "--http", str(self.http_port)]

    def launch(self, **options):
        """options: further arguments of subprocess.Popen."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            cwd=self.folder, **options)
        deadline = time.monotonic() + 20 * SLOW
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}:\n{self.log()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the broker does not listen on {self.port}:\n{self.log()}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def hang_up(self):
        """Asks it to read its configuration again."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self, keep=False):
        """SIGTERM; returns the exit code. A broker that does not go within 10 s is killed and told as -9."""
        code = None
        if self.process and self.process.poll() is None:
            self.process.terminate()
        if self.process:
            try:
                code = self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                code = self.process.wait()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def reachable(self):
        """Its port; started on first use. For brokers that only some tests of a suite need."""
        if self.process is None:
            self.start()
        return self.port

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


# The broker that suites with users and permissions share: see suite programs in every language.
AUTH_USERS = {"alice": "wonder", "bob": "builder", "carol": "pass:word with spaces"}
AUTH_RULES = [
    Rule("deny", "all", ["open/secret/#"]),
    Rule("allow", "all", ["open/#", "user/%u/#", "client/%c/#"]),
    Rule("allow", "publish", ["drop/#"]),
    Rule("allow", "subscribe", ["news/#"]),
    Rule("allow", "publish", ["news/#"], user="alice"),
    Rule("allow", "subscribe", ["drop/#"], user="alice"),
]
