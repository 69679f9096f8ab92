#!/usr/bin/env python3
"""A broker with a data folder is killed again and again under load, and started on what it left. Nothing that was
acknowledged may be missing or out of order, nothing exactly-once may come twice, a last value may not go back.

    ARENA_BIN=build/release/arena tests/crash/kill.py [--rounds N] [--seed SEED]

A trial has ten rounds of load, kill and restart, and then a time without kills in which everything must arrive. The
last line is 'N passed, N failed' in rounds.
"""
import argparse
import os
import random
import select
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from broker import SLOW, Broker  # pylint: disable=wrong-import-position
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import,wrong-import-position

ROUNDS_OF_A_TRIAL = 10


class Fault(Exception):
    pass


class DurableBroker(Broker):
    def command(self):
        return super().command() + ["--data", os.path.join(self.folder, "data")]

    def kill(self):
        self.process.kill()
        self.process.wait()


class Client:
    """A client that remembers across connections, as MQTT wants it to."""

    def __init__(self, name):
        self.name = name
        self.wire = None
        self.connected = False

    def connect(self, port):
        self.wire = Wire(port, 4)
        self.connected = False
        self.wire.send(connect(4, self.name, clean=False))

    def send(self, *packets):
        try:
            self.wire.send(*packets)
        except OSError:
            pass  # killed meanwhile

    def readable(self):
        try:
            data = self.wire.socket.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            return False
        self.wire.buffer += data
        while True:
            got = self.wire._next()  # pylint: disable=protected-access
            if got is None:
                return True
            if got.kind == CONNACK:
                self.connected = True
                self.resume(got)
            else:
                self.take(got)

    def close(self):
        if self.wire:
            self.wire.close()
            self.wire = None
        self.connected = False


class Publisher(Client):
    """Sends numbers to its topic, a few in flight, and sends again what was not acknowledged."""

    def __init__(self, name, topic, qos, retain=False, window=8):
        super().__init__(name)
        self.topic, self.qos, self.retain, self.window = topic, qos, retain, window
        self.number = 0
        self.acknowledged = 0  # acknowledgements come in order
        self.flight = {}  # packet id -> [number, released]
        self.free = list(range(1, window + 1))

    def message(self, packet_id, number, dup=False):
        return publish(4, self.topic, str(number), qos=self.qos, packet_id=packet_id, retain=self.retain, dup=dup)

    def resume(self, _connack):
        for packet_id, (number, released) in self.flight.items():
            self.send(ack(PUBREL, packet_id) if released else self.message(packet_id, number, dup=True))
        self.fill()

    def fill(self):
        while self.filling and self.free:
            packet_id = self.free.pop(0)
            self.number += 1
            self.flight[packet_id] = [self.number, False]
            self.send(self.message(packet_id, self.number))

    filling = True

    def take(self, got):
        if got.kind == PUBREC:
            entry = self.flight[got.packet_id]
            entry[1] = True
            self.acknowledged = max(self.acknowledged, entry[0])
            self.send(ack(PUBREL, got.packet_id))
        elif got.kind in (PUBACK, PUBCOMP):
            entry = self.flight.pop(got.packet_id, None)
            if entry is None:
                raise Fault(f"{self.name}: packet id {got.packet_id} was not in flight")
            self.acknowledged = max(self.acknowledged, entry[0])
            self.free.append(got.packet_id)
            self.fill()
        else:
            raise Fault(f"{self.name}: got {got!r}")


class Subscriber(Client):
    """Takes everything below load/; knows what it has by the rules of its guarantees."""

    def __init__(self, name, topics):
        super().__init__(name)
        self.got = {topic: [] for topic in topics}
        self.open = set()  # packet ids of exactly-once messages that are not released
        self.subscribed = False

    def resume(self, connack):
        if self.subscribed and not connack.session_present:
            raise Fault(f"{self.name}: its session is gone")
        if not self.subscribed:
            self.send(subscribe(4, [("load/#", 2)]))

    def take(self, got):
        if got.kind == SUBACK:
            self.subscribed = True
        elif got.kind == PUBLISH:
            if got.qos == 1 or got.packet_id not in self.open:
                self.got[got.topic].append(int(got.payload))
            if got.qos == 2:
                self.open.add(got.packet_id)
            self.send(ack(PUBACK if got.qos == 1 else PUBREC, got.packet_id))
        elif got.kind == PUBREL:
            self.open.discard(got.packet_id)
            self.send(ack(PUBCOMP, got.packet_id))
        else:
            raise Fault(f"{self.name}: got {got!r}")


class Trial:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.broker = DurableBroker()
        self.publishers = [Publisher(f"p{n}", f"load/{n}", qos=1 + n % 2) for n in range(6)]
        self.last = Publisher("last", "last/value", qos=1, retain=True, window=1)
        topics = [p.topic for p in self.publishers]
        self.subscribers = [Subscriber("s0", topics), Subscriber("s1", topics)]

    def clients(self):
        return [c for c in self.publishers + [self.last] + self.subscribers if c.wire]

    def turn(self, seconds):
        """Handles what comes, for at most so long."""
        by_socket = {c.wire.socket: c for c in self.clients()}
        ready, _, _ = select.select(list(by_socket), [], [], max(seconds, 0))
        for socket_ in ready:
            client = by_socket[socket_]
            if client.wire and not client.readable():
                client.close()
        return bool(ready)

    def run_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn(end - time.monotonic())

    def until(self, condition, what, seconds=20):
        end = time.monotonic() + seconds * SLOW
        while not condition():
            if time.monotonic() > end:
                raise Fault(f"did not happen in time: {what()}")
            self.turn(0.05)

    def connect_all(self):
        for client in self.publishers + [self.last]:
            client.connect(self.broker.port)
        for subscriber in self.subscribers:
            if not subscriber.subscribed or self.random.random() < 0.5:
                subscriber.connect(self.broker.port)

    def check_last_value(self):
        with opened(self.broker.port, 4, "", clean=True) as wire:
            wire.subscribe(("last/value", 1))
            if self.last.acknowledged:
                value = int(wire.expect(PUBLISH, retain=True).payload)
                if not self.last.acknowledged <= value <= self.last.number:
                    raise Fault(f"the last value is {value}; acknowledged {self.last.acknowledged}, sent {self.last.number}")

    def run(self):
        self.broker.start()
        try:
            for subscriber in self.subscribers:
                subscriber.connect(self.broker.port)
            self.until(lambda: all(s.subscribed for s in self.subscribers), lambda: "subscriptions")
            for _ in range(ROUNDS_OF_A_TRIAL):
                for client in self.subscribers:
                    client.close()
                self.connect_all()
                self.run_for(self.random.uniform(0.01, 0.25))
                self.broker.kill()
                for client in self.clients():
                    while client.wire and client.readable():  # what had left before the kill
                        pass
                    client.close()
                self.broker.launch()
                self.check_last_value()
            self.settle()
        finally:
            if self.broker.process:
                self.broker.kill()
            self.broker.stop()

    def settle(self):
        """Without kills: everything in flight ends, and everything arrives."""
        for publisher in self.publishers + [self.last]:
            publisher.filling = False
            publisher.connect(self.broker.port)
        for subscriber in self.subscribers:
            subscriber.connect(self.broker.port)
        self.until(lambda: not any(p.flight for p in self.publishers), lambda: f"{[p.flight for p in self.publishers]}")
        self.until(lambda: all(self.has_all(s, p) for s in self.subscribers for p in self.publishers),
                   lambda: str(self.missing()))
        for subscriber in self.subscribers:
            for publisher in self.publishers:
                self.check(subscriber, publisher)

    @staticmethod
    def has_all(subscriber, publisher):
        return len(set(subscriber.got[publisher.topic])) >= publisher.number

    def missing(self):
        return [(s.name, p.topic, sorted(set(range(1, p.number + 1)) - set(s.got[p.topic]))[:5])
                for s in self.subscribers for p in self.publishers if not self.has_all(s, p)]

    @staticmethod
    def check(subscriber, publisher):
        got = subscriber.got[publisher.topic]
        first = list(dict.fromkeys(got))
        where = f"{subscriber.name}, {publisher.topic}"
        if first != sorted(first):
            at = next(i for i in range(1, len(first)) if first[i] < first[i - 1])
            raise Fault(f"{where}: out of order, {first[at - 1]} before {first[at]}")
        if set(first) != set(range(1, publisher.number + 1)):
            raise Fault(f"{where}: not what was sent")
        if publisher.qos == 2 and len(first) != len(got):
            twice = next(n for n in got if got.count(n) > 1)
            raise Fault(f"{where}: {twice} came {got.count(twice)} times")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS_OF_A_TRIAL)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    passed = failed = messages = 0
    for seed in range(options.seed, options.seed + max(1, options.rounds // ROUNDS_OF_A_TRIAL)):
        trial = Trial(seed)
        try:
            trial.run()
            passed += ROUNDS_OF_A_TRIAL
            messages += sum(p.number for p in trial.publishers)
        except (Fault, AssertionError, RuntimeError) as error:
            failed += 1
            print(f"seed {seed}: {error}", flush=True)
    print(f"{messages} messages, each to {len(trial.subscribers)} sessions")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
