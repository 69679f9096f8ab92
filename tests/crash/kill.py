#!/usr/bin/env python3
"""A broker with a data folder is killed again and again under load, and started on what it left. What its clients saw is
written down and judged by history.py: nothing that was acknowledged may be missing or out of order, nothing exactly-once
may come twice, what was settled for certain may not come again, a last value may not go back; what is published under an
id or by a producer is there once however often it is sent, and a stream replays what it kept, at the places it had.

    ARENA_BIN=build/release/arena tests/crash/kill.py [--rounds N] [--seed SEED] [--keep FOLDER]

A trial has ten rounds of load, kill and restart, and then a time in which everything must arrive, with one kill more.
The last line is 'N passed, N failed' in rounds. Histories that do not hold are kept in FOLDER (build/histories).
"""
import argparse
import os
import random
import select
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from broker import SLOW, Broker, arena_bin  # pylint: disable=wrong-import-position
from clients import History, OncePublisher, Publisher, Reader, Subscriber, read_payload  # pylint: disable=wrong-import-position
from history import judge  # pylint: disable=wrong-import-position
from wire import PUBLISH, opened  # pylint: disable=wrong-import-position

ROUNDS_OF_A_TRIAL = 10
LONG_ROUND_S = 1.4  # once in a trial, perhaps twice: longer than what is written lazily may take
LAZY_S = 3  # a second, and what a busy machine adds
KEEP = Path(__file__).resolve().parents[2] / "build" / "histories"


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
    KEPT = ()  # of the publishers: what they publish is kept in a stream

    def __init__(self, broker, seed, qos=(1, 2), lazy=LAZY_S, rounds=ROUNDS_OF_A_TRIAL, patience=20, linger=0, last_s=5):
        self.random = random.Random(seed)
        self.broker, self.rounds, self.patience = broker, rounds, patience * SLOW
        self.linger, self.last_s = linger, last_s  # last_s: to wait for a last value
        self.history = History()
        self.history.add("settings", lazy=lazy and lazy * SLOW)
        self.qos_max = max(qos)
        self.publishers = [Publisher(f"p{n}", self.history, self.topic(n), qos[n % len(qos)]) for n in range(6)]
        self.last = Publisher("last", self.history, "last/value", qos=1, retain=True, window=1)
        self.publishers += self.more_publishers(seed)
        topics = [p.topic for p in self.publishers]
        self.readers = []
        self.subscribers = [self.subscriber("s0", ["load/#", "kept/#"] if self.KEPT else ["load/#"], topics), self.subscriber("s1", topics, topics)]
        self.long_round = self.random.randrange(rounds)
        self.rests = self.random.random() < 0.4  # when all is settled, long enough that it is trimmed
        self.broker_log = ""

    def topic(self, number):
        return f"kept/{number}" if number in self.KEPT else f"load/{number}"

    def more_publishers(self, _seed):
        return []

    def prepare(self):
        """When the broker has started for the first time."""

    def subscriber(self, name, filters, topics):
        return Subscriber(name, self.history, filters, topics, self.qos_max)

    # ---- turning ----

    def all_publishers(self):
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
            if client.wire and not client.readable():
                client.close()

    def run_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn(end - time.monotonic())

    def until(self, condition, seconds=None):
        """Whether it came true in time. If not, the judge will see why it matters."""
        end = time.monotonic() + (seconds or self.patience)
        while not condition():
            if time.monotonic() > end:
                return False
            self.turn(0.05)
        return True

    # ---- a round ----

    def connect_some(self):
        for client in self.all_publishers():
            client.connect(self.broker.port)
        for subscriber in self.subscribers:
            if not subscriber.subscribed or self.random.random() < 0.5:
                subscriber.connect(self.broker.port)
        for reader in self.readers:
            if self.random.random() < 0.7:
                reader.connect(self.broker.port)

    def load(self, seconds):
        """In the middle of it one who is there may leave and come back, and a new one may come."""
        self.run_for(seconds / 2)
        there = [s for s in self.subscribers if s.connected and s.subscribed]
        if there and self.random.random() < 0.4:
            self.come_back(self.random.choice(there))
        if self.random.random() < 0.5:
            topic = self.random.choice(self.publishers).topic
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
            subscriber.close()
            subscriber.connect(self.broker.port)
        self.until(lambda: all(s.connected for s in subscribers), 5)

    def crash(self):
        self.broker.kill()
        for client in self.clients():
            client.drain()
        self.history.add("crashed")
        self.broker.launch()

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
        if self.rests:
            self.run_for(LONG_ROUND_S)
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
        return not subscriber.open and all(subscriber.highest.get(p.name, 0) >= p.number
                                           for p in self.publishers if p.topic in subscriber.topics)


class ArenaTrial(Trial):
    """With what only Arena has: publishing once, and streams."""
    ONCE = [("id", 1), ("producer", 1), ("id", 2), ("producer", 2)]
    KEPT = (0, 1, 6, 7)  # of both QoS, and of both ways to publish once

    def more_publishers(self, seed):
        return [OncePublisher(f"o{n}", self.history, self.topic(n), qos, mark, random.Random(f"{seed}/o{n}"))
                for n, (mark, qos) in enumerate(self.ONCE, 6)]

    def prepare(self):
        subprocess.run([arena_bin(), "stream", "create", "kept", "--filter", "kept/+", "--data",
                        os.path.join(self.broker.folder, "data")], capture_output=True, timeout=20 * SLOW, check=True)
        topics = [self.topic(n) for n in self.KEPT]
        self.history.add("stream", topics=topics)
        self.readers = [Reader("r0", self.history, "kept/+", topics, self.random)]


# What must have happened in a long run, or the loop has lost its teeth.
MUST_HAPPEN = ["delivered", "sent again", "told that it is a repetition", "something else refused", "replayed",
               "replay from the beginning", "replay behind a position"]


def count(events):
    tally, sent = Counter(), set()
    for event in events:
        kind = event["event"]
        if kind in ("delivered", "replayed"):
            tally[kind] += 1
        elif kind == "publish" and event.get("once"):
            message = event["client"], event["number"]
            tally["sent again"] += message in sent
            sent.add(message)
        elif kind == "acked":
            tally["told that it is a repetition"] += bool(event.get("duplicate"))
        elif kind == "forged":
            tally["something else refused"] += event["refused"]
        elif kind == "replaying":
            tally["replay behind a position" if event["after"] else "replay from the beginning"] += 1
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS_OF_A_TRIAL)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=KEEP)
    options = parser.parse_args()
    passed = failed = messages = 0
    tally = Counter()
    for seed in range(options.seed, options.seed + max(1, options.rounds // ROUNDS_OF_A_TRIAL)):
        trial = ArenaTrial(DurableBroker(), seed)
        story = []
        try:
            story = [*trial.run().story(), *trial.history.complaints]
        except (AssertionError, RuntimeError) as error:
            story = [str(error), "the broker's last words: " + trial.broker_log[-2000:]]
        messages += sum(p.number for p in trial.publishers)
        tally += count(trial.history.events)
        if story:
            failed += 1
            trial.history.write(options.keep / f"kill-{seed}.jsonl")
            for line in story:
                print(f"seed {seed}: {line}", flush=True)
        else:
            passed += ROUNDS_OF_A_TRIAL
    print(f"{messages} messages; " + ", ".join(f"{what} {times}" for what, times in tally.items()))
    if options.rounds >= 50:
        for what in MUST_HAPPEN:
            if not tally[what]:
                failed += 1
                print(f"never happened: {what}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
