#!/usr/bin/env python3
"""mosquitto_pub and mosquitto_sub, in 3.1.1 and 5: what a person types."""
import itertools
import os
import re
import selectors
import subprocess
import time

from broker import AUTH_RULES, AUTH_USERS, SLOW, Broker
from harness import add, equal, one_of, run_all

broker = Broker().start()
guarded = Broker(users=AUTH_USERS, rules=AUTH_RULES)
_names = itertools.count()


def unique(prefix):
    return f"{prefix}{next(_names)}"


def arguments(program, version, *more, port=None):
    return [program, "-h", "127.0.0.1", "-p", str(port or broker.port), "-V", "5" if version == 5 else "311",
            *map(str, more)]


def run(program, version, *more, port=None, text_in=None):
    """Runs one to its end; (exit code, output, errors)."""
    done = subprocess.run(arguments(program, version, *more, port=port), input=text_in, capture_output=True, text=True,
                          timeout=10 * SLOW)
    return done.returncode, done.stdout, done.stderr


def pub(version, *more, **options):
    code, out, err = run("mosquitto_pub", version, *more, **options)
    equal(code, 0, f"mosquitto_pub {more}: {out}{err}")


class Sub:
    """A mosquitto_sub that runs: ready once its subscription is acknowledged. Output lines begin with '='."""

    def __init__(self, version, *more, port=None, form="=%q %r %t %p"):
        command = arguments("mosquitto_sub", version, "-d", "-F", form, *more, port=port)
        self.process = subprocess.Popen(["stdbuf", "-oL", *command], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.buffer, self.lines = b"", []
        self.reasons = self._until("Subscribed (mid: ")

    def _line(self, deadline):
        while b"\n" not in self.buffer:
            if not self.selector.select(max(0, deadline - time.monotonic())):
                raise AssertionError(f"mosquitto_sub said nothing more after: {self.lines[-3:]}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise AssertionError(f"mosquitto_sub ended after: {self.lines[-3:]}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.lines.append(line.decode(errors="replace"))
        return self.lines[-1]

    def _until(self, start):
        deadline = time.monotonic() + 5 * SLOW
        while True:
            line = self._line(deadline)
            if line.startswith(start):
                return line[len(start):]

    def next(self):
        return self._until("=")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


# [3.1.1 MQTT-7.0.0-2]: with a client that others wrote, and nothing agreed on beyond the specification.
def round_trip(version, qos):
    topic = unique("m/")
    with Sub(version, "-t", topic, "-q", qos) as sub:
        pub(version, "-t", topic, "-m", "hello", "-q", qos)
        equal(sub.next(), f"{qos} 0 {topic} hello")


def lines_keep_order(version, qos):
    topic = unique("lines/")
    with Sub(version, "-t", topic, "-q", qos) as sub:
        pub(version, "-t", topic, "-q", qos, "-l", text_in="".join(f"{n}\n" for n in range(200)))
        for n in range(200):
            equal(sub.next(), f"{qos} 0 {topic} {n}")


def whole_file(version):
    topic = unique("file/")
    with Sub(version, "-t", topic, "-q", "1", form="=%l") as sub:
        pub(version, "-t", topic, "-q", 1, "-s", text_in="z" * 300000)
        equal(sub.next(), "300000")


def retained(version):
    topic = unique("r/")
    pub(version, "-t", topic, "-m", "kept", "-r", "-q", 1)
    equal(run("mosquitto_sub", version, "-t", topic, "-C", 1, "-W", 5, "-F", "%r %p")[1], "1 kept\n")
    equal(run("mosquitto_sub", version, "-t", topic, "-R", "-W", 1)[1], "", "stale ones left out")
    pub(version, "-t", topic, "-n", "-r", "-q", 1)
    code, out, _ = run("mosquitto_sub", version, "-t", topic, "-C", 1, "-W", 1)
    equal((code, out), (27, ""), "timed out with nothing")


def retained_removed(version):
    base = unique("r")
    for n in range(3):
        pub(version, "-t", f"{base}/{n}", "-m", n, "-r", "-q", 1)
    run("mosquitto_sub", version, "-t", f"{base}/#", "--remove-retained", "-C", 3, "-W", 5)
    code, out, _ = run("mosquitto_sub", version, "-t", f"{base}/#", "-C", 1, "-W", 1)
    equal((code, out), (27, ""))


def will(version):
    topic = unique("w/")
    with Sub(version, "-t", topic, "-q", 1) as watch:
        with Sub(version, "-t", "x", "--will-topic", topic, "--will-payload", "died", "--will-qos", "1") as victim:
            victim.kill()
        equal(watch.next(), f"1 0 {topic} died")


def session(version):
    topic, name = unique("s/"), unique("mosq")
    lasting = ["-x", "300"] if version == 5 else []
    with Sub(version, "-t", topic, "-q", 1, "-i", name, "-c", *lasting):
        pass
    for n in range(5):
        pub(version, "-t", topic, "-m", n, "-q", 1)
    code, out, err = run("mosquitto_sub", version, "-t", topic, "-q", 1, "-i", name, "-c", *lasting, "-C", 5, "-W", 5)
    equal((code, out), (0, "0\n1\n2\n3\n4\n"), err)


def shared(version):
    topic = unique("sh/")
    with Sub(version, "-t", f"$share/g/{topic}", "-q", 1) as one, \
            Sub(version, "-t", f"$share/g/{topic}", "-q", 1) as two:
        pub(version, "-t", topic, "-q", 1, "-l", text_in="".join(f"{n}\n" for n in range(10)))
        for _ in (one, two):
            pub(version, "-t", topic, "-q", 1, "-m", "end")
        got = []
        for sub in (one, two):
            while not got or got[-1] != "end":
                got.append(sub.next().split()[-1])
            got.pop()
        equal(sorted(map(int, got)), list(range(10)))


def several_topics(version):
    base = unique("several")
    with Sub(version, "-t", f"{base}/a", "-t", f"{base}/b/#", "-T", f"{base}/b/no") as sub:
        for topic in ("b/no", "c", "b/x", "a"):
            pub(version, "-t", f"{base}/{topic}", "-m", topic)
        equal([sub.next().split()[-1] for _ in range(2)], ["b/x", "a"])


def unicode(version):
    topic = unique("жук/雪/")
    with Sub(version, "-t", topic) as sub:
        pub(version, "-t", topic, "-m", "šťastný 🚀")
        equal(sub.next(), f"0 0 {topic} šťastný 🚀")


def system_topics(version):
    code, out, _ = run("mosquitto_sub", version, "-t", "$SYS/broker/version", "-t", "$SYS/broker/uptime", "-C", 2,
                       "-W", 5)
    equal(code, 0)
    one_of(len(out.splitlines()), [2])


for v in (4, 5):
    for q in (0, 1, 2):
        add(f"v{v} round trip at {q}", round_trip, v, q)
        add(f"v{v} 200 lines at {q} keep their order", lines_keep_order, v, q)
    add(f"v{v} a file of 300,000 bytes", whole_file, v)
    add(f"v{v} retained", retained, v)
    add(f"v{v} retained ones removed", retained_removed, v)
    add(f"v{v} will of a killed client", will, v)
    add(f"v{v} a session waits", session, v)
    add(f"v{v} shared subscription", shared, v)
    add(f"v{v} several topics", several_topics, v)
    add(f"v{v} topics and payloads in Unicode", unicode, v)
    add(f"v{v} system topics", system_topics, v)


# -- Version 5 alone

def user_properties():
    topic = unique("p/")
    with Sub(5, "-t", topic, form="=%p|%P|%C|%R|%D") as sub:
        pub(5, "-t", topic, "-m", "x", "-D", "publish", "user-property", "k", "v", "-D", "publish", "content-type",
            "text/y", "-D", "publish", "response-topic", "back", "-D", "publish", "correlation-data", "c1")
        equal(sub.next(), "x|k:v|text/y|back|c1")


def message_expiry():
    topic = unique("e/")
    with Sub(5, "-t", topic, form="=%E %p") as sub:
        pub(5, "-t", topic, "-m", "x", "-D", "publish", "message-expiry-interval", 50)
        one_of(sub.next(), ["50 x", "49 x"])


def subscription_identifier():
    topic = unique("i/")
    with Sub(5, "-t", topic, "-D", "subscribe", "subscription-identifier", 9, form="=%S %p") as sub:
        pub(5, "-t", topic, "-m", "x")
        equal(sub.next(), "9 x")


def retain_as_published():
    topic = unique("rap/")
    with Sub(5, "-t", topic, "--retain-as-published") as sub:
        pub(5, "-t", topic, "-m", "x", "-r")
        equal(sub.next(), f"0 1 {topic} x")
    pub(5, "-t", topic, "-n", "-r")


def topic_alias():
    topic = unique("al/")
    with Sub(5, "-t", topic) as sub:
        pub(5, "-t", topic, "-l", "-D", "publish", "topic-alias", 2, text_in="1\n2\n")
        equal([sub.next().split()[-1] for _ in range(2)], ["1", "2"])


def two_versions(publisher, subscriber):
    topic = unique("mix/")
    with Sub(subscriber, "-t", topic, "-q", 2) as sub:
        pub(publisher, "-t", topic, "-m", "x", "-q", 2)
        equal(sub.next(), f"2 0 {topic} x")


add("v5 user properties and the like", user_properties)
add("v5 message expiry", message_expiry)
add("v5 subscription identifier", subscription_identifier)
add("v5 retain as published", retain_as_published)
add("v5 topic alias", topic_alias)
add("from 3.1.1 to 5", two_versions, 4, 5)
add("from 5 to 3.1.1", two_versions, 5, 4)


# -- Permissions

def credentials(user):
    return ["-u", user, "-P", AUTH_USERS[user]]


def password_right(version, user):
    topic = f"user/{user}/x"
    with Sub(version, "-t", topic, "-q", 1, *credentials(user), port=guarded.reachable()) as sub:
        pub(version, "-t", topic, "-m", "x", "-q", 1, *credentials(user), port=guarded.reachable())
        equal(sub.next(), f"1 0 {topic} x")


def password_wrong(version, *wrong):
    code, _, err = run("mosquitto_pub", version, "-t", "open/x", "-m", "x", *wrong, port=guarded.reachable())
    one_of(code, [4, 5, 134, 135], err)
    one_of(bool(re.search("refused|not authori[sz]ed|Bad user", err, re.I)), [True], err)


def publish_denied(version):
    with Sub(version, "-t", "news/#", *credentials("alice"), port=guarded.reachable()) as sub:
        code, _, err = run("mosquitto_pub", version, "-t", "news/x", "-m", "fake", "-q", 1, *credentials("bob"),
                           port=guarded.reachable())
        if version == 5:
            one_of(bool(re.search("not authori[sz]ed", err, re.I)), [True], f"{code} {err}")
        pub(version, "-t", "news/x", "-m", "true", "-q", 1, *credentials("alice"), port=guarded.reachable())
        equal(sub.next(), "0 0 news/x true")


def subscribe_denied(version):
    code, out, err = run("mosquitto_sub", version, "-t", "drop/#", "-W", 3, *credentials("bob"), port=guarded.reachable())
    one_of(code != 27, [True], "told at once, not timed out")
    one_of(bool(re.search("denied|rejected|not authori[sz]ed", out + err, re.I)), [True], out + err)


for v in (4, 5):
    for name in AUTH_USERS:
        add(f"v{v} {name} gets in", password_right, v, name)
    add(f"v{v} a wrong password does not", password_wrong, v, "-u", "alice", "-P", "nope")
    add(f"v{v} an unknown user does not", password_wrong, v, "-u", "eve", "-P", "nope")
    add(f"v{v} nobody does not", password_wrong, v)
    add(f"v{v} publishing denied", publish_denied, v)
    add(f"v{v} subscribing denied", subscribe_denied, v)
add("both brokers end well", lambda: equal((broker.stop(), guarded.stop()), (0, 0), "exit codes"))
run_all()
