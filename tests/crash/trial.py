"""One broker's story under load: its clients come and go, it is killed and started again, and all is written down for the judge
(history.py)."""
import os
import random
import select
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from broker import SLOW, Broker  # pylint: disable=wrong-import-position
from clients import History, Publisher, Subscriber, read_payload  # pylint: disable=wrong-import-position
from history import judge  # pylint: disable=wrong-import-position
from wire import PUBACK, PUBLISH, opened, publish  # pylint: disable=wrong-import-position

ROUNDS_OF_A_TRIAL = 10
LONG_ROUND_S = 1.4  # once in a trial, perhaps twice: longer than what is written lazily may take
LAZY_S = 3  # a second, and what a busy machine adds
SLACK_S = 1  # that a timer of the broker may be late
WRITING_S = 1  # that it may take to write down that a session is away, on a disk that is busy
ASK_S = 60  # who has no answer by then has none
ENDLESS = 20  # times the patience: something comes, and it is never what was to come


class DurableBroker(Broker):
    def command(self):
        return super().command() + ["--data", os.path.join(self.folder, "data")]

    def launch(self, **options):
        """Until it lets clients in: a server that looks first whether its port is free may hang up on who comes then."""
        super().launch(**options)
        end = time.monotonic() + 20 * SLOW
        while True:
            try:
                opened(self.port, 4, "", clean=True).close()
                return
            except (AssertionError, OSError) as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the broker does not let anybody in: {error}\n{self.log()}") from None
            time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Trial:
    """One broker's story, as events for the judge. `lazy`: see history.py; None for brokers that promise nothing.
    `linger`: brokers that come back to what was not acknowledged only later have it that long since the last message."""
    def __init__(self, broker, seed, qos=(1, 2), lazy=LAZY_S, rounds=ROUNDS_OF_A_TRIAL, patience=20, linger=0, last_s=5):
        self.random = random.Random(seed)
        self.broker, self.rounds, self.patience = broker, rounds, patience * SLOW
        self.heard = 0  # how often something came from the broker
        self.linger, self.last_s = linger, last_s  # last_s: to wait for a last value
        self.history = History()
        self.history.add("settings", lazy=lazy and lazy * SLOW, slack=SLACK_S * SLOW, writing=WRITING_S * SLOW)
        self.qos_max = max(qos)
        self.publishers = [Publisher(f"p{n}", self.history, self.topic(n), qos[n % len(qos)]) for n in range(6)]
        self.last = Publisher("last", self.history, "last/value", qos=1, retain=True, window=1)
        self.publishers += self.more_publishers(seed)
        self.readers, self.subscribers = [], []
        self.long_round = self.random.randrange(rounds)
        # When all is settled, long enough that it is trimmed, and that it is written down how far everybody is.
        self.rest_s = max(LONG_ROUND_S, (lazy or 0) * SLOW + 0.4) if self.random.random() < 0.3 else 0
        self.broker_log = ""

    def topic(self, number):
        return f"load/{number}"

    def more_publishers(self, _seed):
        return []

    def prepare(self):
        """When the broker has started for the first time."""

    def first_subscribers(self):
        topics = [p.topic for p in self.publishers]
        return [self.subscriber("s0", ["load/#"], topics), self.subscriber("s1", topics, topics)]

    def subscriber(self, name, filters, topics, presence=0.5):
        return Subscriber(name, self.history, filters, topics, self.qos_max, presence)

    def wanted_topics(self):
        """What newcomers may ask for."""
        return [p.topic for p in self.publishers]

    # ---- turning ----

    def all_publishers(self):
        """With those whose messages nobody subscribes to."""
        return self.publishers + [self.last]

    def everybody(self):
        return self.all_publishers() + self.subscribers + self.readers

    def clients(self):
        return [c for c in self.everybody() if c.wire]

    def turn(self, seconds):
        """Handles what comes, for at most so long."""
        by_socket = {c.wire.socket: c for c in self.clients()}
        ready, _, _ = select.select(list(by_socket), [], [], max(seconds, 0))
        for socket_ in ready:
            client = by_socket[socket_]
            if client.wire:
                self.heard += 1
                if not client.readable():
                    client.close()

    def run_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn(end - time.monotonic())

    def until(self, condition, patience=None):
        """Whether it came true. A broker that is slow has the time that it takes: it is given up when nothing has come for so
        long, and it answers who asks meanwhile, or nobody at all. If so, the judge will see why it matters."""
        patience = patience or self.patience
        began = quiet = time.monotonic()
        heard = self.heard
        while not condition():
            self.turn(0.05)
            now = time.monotonic()
            if self.heard != heard:
                heard, quiet = self.heard, now
            elif now - quiet > patience:
                self.ask()
                self.turn(0)  # what came while nobody looked
                if self.heard == heard and not condition():
                    return False
                quiet = time.monotonic()
            if now - began > ENDLESS * patience:
                return False
        return True

    def ask(self):
        """A publish of somebody else, answered when it has been through all that others wait for."""
        try:
            with opened(self.broker.port, 4, "", clean=True) as wire:
                wire.seconds = ASK_S * SLOW
                wire.send(publish(4, "asked", b"asked", 1, 1))
                wire.expect(PUBACK)
        except (AssertionError, OSError):
            pass

    # ---- a round ----

    def connect_some(self):
        for client in self.all_publishers():
            client.connect(self.broker.port)
        for subscriber in self.subscribers:
            if subscriber.comes(self.random):
                subscriber.connect(self.broker.port)
        for reader in self.readers:
            if self.random.random() < 0.7:
                reader.connect(self.broker.port)

    def load(self, seconds):
        """In the middle of it one who is there may leave and come back, and a new one may come."""
        self.run_for(seconds / 2)
        there = [s for s in self.subscribers if s.connected and s.subscribed and not s.leaving]
        if there and self.random.random() < 0.4:
            self.come_back(self.random.choice(there))
        if self.random.random() < 0.5:
            topic = self.random.choice(self.wanted_topics())
            newcomer = self.subscriber(f"n{len(self.subscribers)}", [topic], [topic])
            self.subscribers.append(newcomer)
            newcomer.connect(self.broker.port)
        self.run_for(seconds / 2)

    def come_back(self, *subscribers):
        """A clean goodbye, and the session resumed: what was settled before is so for good."""
        for subscriber in subscribers:
            subscriber.leave()
        self.until(lambda: not any(s.wire for s in subscribers), 5)
        for subscriber in subscribers:
            subscriber.leaving = False  # the broker has not closed it, and may not have read all
            subscriber.close()
            subscriber.connect(self.broker.port)
        self.until(lambda: all(s.connected for s in subscribers), 5)

    def crash(self):
        self.broker.kill()
        for client in self.clients():
            client.drain()
        self.history.add("crashed")
        self.broker.launch()
        self.history.add("started")

    def look_at_last_value(self):
        with opened(self.broker.port, 4, "", clean=True) as wire:
            wire.subscribe(("last/value", 1))
            wire.seconds = self.last_s * SLOW
            try:
                got = wire.expect(PUBLISH, retain=True) if self.last.number else None
            except AssertionError:
                got = None
            _, number = read_payload(got.payload) if got else (None, None)
            self.history.add("last", client="last", topic="last/value", number=number, sum=got and zlib.crc32(got.payload))

    def round(self, number):
        for subscriber in self.subscribers:
            subscriber.close()
        self.connect_some()
        self.load(LONG_ROUND_S if number == self.long_round else self.random.uniform(0.01, 0.25))
        self.crash()
        self.look_at_last_value()

    # ---- the whole ----

    def run(self):
        """Returns the judge, who has seen it all."""
        self.broker.start()
        try:
            self.prepare()
            self.subscribers = self.first_subscribers()
            for subscriber in self.subscribers:
                subscriber.connect(self.broker.port)
            self.until(lambda: all(s.subscribed for s in self.subscribers))
            for number in range(self.rounds):
                self.round(number)
            self.settle()
        finally:
            self.broker_log = self.broker.log()
            if self.broker.process:
                self.broker.kill()
            self.broker.stop()
        self.history.add("end")
        return judge(self.history.events)

    def settle(self):
        """Without load everything in flight ends and everything arrives; after one kill more nothing settled comes again."""
        for publisher in self.all_publishers():
            publisher.filling = False
        self.connect_all()
        self.mark()
        self.run_for(self.rest_s)
        self.come_back(*self.subscribers)
        self.crash()
        for reader in self.readers:
            reader.from_beginning = True
        self.connect_all()
        self.mark()

    def connect_all(self):
        for client in self.everybody():
            client.close()
            client.connect(self.broker.port)
        self.until(lambda: all(c.connected for c in self.everybody()))
        self.until(lambda: all(s.subscribed for s in self.subscribers))
        self.until(lambda: not any(p.flight for p in self.all_publishers()))

    def mark(self):
        """One message more of each: who has it, has or has missed all before it."""
        for publisher in self.publishers:
            if publisher.connected and publisher.free:
                publisher.send_next()
        self.until(lambda: not any(p.flight for p in self.publishers) and all(map(self.has_all, self.subscribers + self.readers)))
        if self.linger:
            self.until(self.quiet)

    def quiet(self):
        return time.monotonic() - self.history.began - self.history.events[-1]["at"] > self.linger

    def has_all(self, subscriber):
        return not subscriber.open and all(subscriber.highest.get(p.name, 0) >= p.last_owed()
                                           for p in self.all_publishers() if p.topic in subscriber.topics)
