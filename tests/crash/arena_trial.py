"""A trial with what only Arena has: publishing once and streams; and with what shows where its own log may fail (trial.py)."""
import os
import random
import subprocess
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from broker import SLOW, arena_bin  # pylint: disable=wrong-import-position
from clients import place_of, read_payload, user_properties  # pylint: disable=wrong-import-position
from own_clients import Bursts, LastValue, OncePublisher, Reader  # pylint: disable=wrong-import-position
from trial import Trial  # pylint: disable=wrong-import-position
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import,wrong-import-position


class ArenaTrial(Trial):
    ONCE = [("id", 1), ("producer", 1), ("id", 2), ("producer", 2)]
    KEPT = (0, 1, 6, 7)  # of the publishers: a stream keeps what they publish, at both QoS and in both ways to publish once
    CROWDED = ((0, 1), (2, 3))  # topics that lie in one partition: one may be far behind where the other is busy
    SLEEPY = 0.07  # in how many rounds a sleeper is there

    def __init__(self, broker, seed, **options):
        super().__init__(broker, seed, **options)
        self.chance = random.Random(f"{seed}/own")
        self.bursts = [Bursts("b0", self.history, "burst/0", 1, self.chance)]
        self.lasts = [self.last, LastValue("l0", self.history, 1), LastValue("l1", self.history, 2)]

    def topic(self, number):
        return f"kept/{number}" if number in self.KEPT else f"load/{number}"

    def more_publishers(self, seed):
        return [OncePublisher(f"o{n}", self.history, self.topic(n), qos, mark, random.Random(f"{seed}/o{n}"))
                for n, (mark, qos) in enumerate(self.ONCE, 6)]

    def all_publishers(self):
        return self.publishers + self.bursts + self.lasts

    def first_subscribers(self):
        topics = [p.topic for p in self.publishers]
        sleepers = [self.subscriber(f"z{n}", [self.publishers[n].topic], [self.publishers[n].topic], self.SLEEPY)
                    for n, _ in self.CROWDED]
        return [self.subscriber("s0", ["load/#", "kept/#"], topics), self.subscriber("s1", topics, topics), *sleepers]

    def prepare(self):
        for one, other in self.CROWDED:
            self.publishers[one].topic = self.beside(self.publishers[other].topic)
        kept = [self.publishers[n].topic for n in self.KEPT]
        bursts = [b.topic for b in self.bursts]
        self.create_stream("kept", "kept/+", kept)
        self.create_stream("bursts", "burst/+", bursts)
        self.readers = [Reader("r0", self.history, "kept/+", kept, self.random),
                        Reader("r1", self.history, kept[0], kept[:1], self.random, dense=False),
                        Reader("r2", self.history, "burst/+", bursts, self.random)]

    def create_stream(self, name, filter_, topics):
        subprocess.run([arena_bin(), "stream", "create", name, "--filter", filter_, "--data",
                        os.path.join(self.broker.folder, "data")], capture_output=True, timeout=20 * SLOW, check=True)
        self.history.add("stream", topics=topics)

    def beside(self, topic):
        """Another topic of the same level whose messages lie in the partition of this one, by the places that they are given."""
        names = [topic] + [f"{topic}-{n}" for n in range(60)]
        partitions = {}
        with opened(self.broker.port, 5, "probe", clean=True, props=[(SESSION_EXPIRY, 60)]) as wire:
            wire.subscribe(("#", 1))
            for packet_id, name in enumerate(names, 1):
                wire.send(publish(5, name, b"probe", 1, packet_id, props=[(USER, ("arena-id", name))]))
            while len(partitions) < len(names):
                got = wire.read()
                if got.kind == PUBLISH:
                    wire.send(ack(PUBACK, got.packet_id))
                elif got.kind == PUBACK:
                    partitions[names[got.packet_id - 1]] = place_of(user_properties(got).get("arena-position")).get("log")
        with opened(self.broker.port, 5, "probe", clean=True) as wire:
            wire.leave()
        return next(name for name in names[1:] if partitions[name] == partitions[topic])

    def look_at_last_value(self):
        """What is published behind a subscribe comes behind all last values."""
        seen = {}
        with opened(self.broker.port, 4, "", clean=True) as wire:
            wire.subscribe("look", "last/+")
            wire.send(publish(4, "look", b"now"))
            end = time.monotonic() + self.last_s * SLOW
            try:
                while time.monotonic() < end:
                    got = wire.expect(PUBLISH)
                    if got.topic == "look":
                        break
                    seen[got.topic] = got.payload
            except AssertionError:
                pass
        for publisher in self.lasts:
            payload = seen.get(publisher.topic)
            self.history.add("last", client=publisher.name, topic=publisher.topic, number=payload and read_payload(payload)[1],
                             sum=payload and zlib.crc32(payload))

    def settle(self):
        super().settle()
        self.look_at_last_value()
