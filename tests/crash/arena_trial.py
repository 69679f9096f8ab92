"""A trial with what only Arena has: publishing once and streams; and with what shows where its own log may fail (trial.py)."""
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from broker import SLOW, arena_bin  # pylint: disable=wrong-import-position
from clients import Publisher, place_of, read_payload, user_properties  # pylint: disable=wrong-import-position
from own_clients import Bursts, LastValue, OnceLastValue, OncePublisher, Reader, Wills  # pylint: disable=wrong-import-position
from trial import ASK_S, Trial  # pylint: disable=wrong-import-position
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import,wrong-import-position


class ArenaTrial(Trial):
    ONCE = [("id", 1), ("producer", 1), ("id", 2), ("producer", 2)]
    KEPT = (0, 1, 6, 7)  # of the publishers: a stream keeps what they publish, at both QoS and in both ways to publish once
    CROWDED = ((0, 1), (2, 3))  # topics that lie in one partition: one may be far behind where the other is busy
    FEW = 40  # messages that the stream of that name keeps
    SLEEPY = 0.07  # in how many rounds a sleeper is there

    def __init__(self, broker, seed, **options):
        super().__init__(broker, seed, **options)
        self.chance = random.Random(f"{seed}/own")
        self.bursts = [Bursts("b0", self.history, "burst/0", 1, self.chance)]
        self.lasts = [self.last, LastValue("l0", self.history, 1), LastValue("l1", self.history, 2),
                      OnceLastValue("l2", self.history, 1, "id", self.chance), OnceLastValue("l3", self.history, 2, "producer", self.chance)]
        self.cut = [Publisher(f"g{n}", self.history, f"gone/{n}", 1 + n, window=3) for n in range(2)]
        self.cut.append(Publisher("f0", self.history, "few/0", 2, window=3))
        self.wills = [Wills("w0", self.history)]
        self.purger = None

    def topic(self, number):
        return f"kept/{number}" if number in self.KEPT else f"load/{number}"

    def more_publishers(self, seed):
        return [OncePublisher(f"o{n}", self.history, self.topic(n), qos, mark, random.Random(f"{seed}/o{n}"))
                for n, (mark, qos) in enumerate(self.ONCE, 6)]

    def all_publishers(self):
        return self.publishers + self.bursts + self.lasts + self.cut

    def everybody(self):
        return super().everybody() + self.wills

    def connect_some(self):
        super().connect_some()
        for will in self.wills:
            will.close()
            will.connect(self.broker.port)

    def first_subscribers(self):
        topics = [p.topic for p in self.publishers]
        sleepers = [self.subscriber(f"z{n}", [self.publishers[n].topic], [self.publishers[n].topic], self.SLEEPY)
                    for n, _ in self.CROWDED]
        return [self.subscriber("s0", ["load/#", "kept/#"], topics), self.subscriber("s1", topics, topics), *sleepers,
                # A log has these last values, too.
                self.subscriber("k0", ["last/value"], ["last/value"]),
                self.subscriber("k1", ["will/+"], [will.topic for will in self.wills])]

    def prepare(self):
        for one, other in self.CROWDED:
            self.publishers[one].topic = self.beside(self.publishers[other].topic)
        kept = [self.publishers[n].topic for n in self.KEPT]
        bursts = [b.topic for b in self.bursts]
        self.create_stream("kept", "kept/+", kept)
        self.create_stream("bursts", "burst/+", bursts)
        gone = [p.topic for p in self.cut[:2]]
        self.create_stream("gone", "gone/+", gone)
        self.create_stream("few", "few/0", ["few/0"], messages=self.FEW)
        self.readers = [Reader("r0", self.history, "kept/+", kept, self.random),
                        Reader("r1", self.history, kept[0], kept[:1], self.random, dense=False),
                        Reader("r2", self.history, "burst/+", bursts, self.random),
                        Reader("r3", self.history, "gone/+", gone, self.random, cut=True),
                        Reader("r4", self.history, "few/0", ["few/0"], self.random, cut=True)]

    def stream_command(self, *words):
        return subprocess.Popen([arena_bin(), "stream", *words, "--data", os.path.join(self.broker.folder, "data")],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def create_stream(self, name, filter_, topics, messages=0):
        limit = ["--max-messages", str(messages)] if messages else []
        if self.stream_command("create", name, "--filter", filter_, *limit).wait(20 * SLOW) != 0:
            raise RuntimeError(f"the stream {name} cannot be created")
        self.history.add("stream", topics=topics, messages=messages)

    def has_all(self, subscriber):
        wills = [will for will in self.wills if will.topic in subscriber.topics]
        return super().has_all(subscriber) and all(subscriber.highest.get(will.name, 0) >= will.owed for will in wills)

    def purge(self):
        """It may be killed over it."""
        self.history.add("purging", topics=[p.topic for p in self.cut[:2]])
        self.purger = self.stream_command("purge", "gone", "--yes")

    def look_after_purge(self):
        if self.purger and self.purger.poll() is not None:
            if self.purger.returncode != 0:
                raise RuntimeError("the stream gone cannot be purged")
            self.history.add("purged")
            self.purger = None

    def turn(self, seconds):
        super().turn(min(seconds, 0.02) if self.purger else seconds)
        self.look_after_purge()

    def load(self, seconds):
        if self.chance.random() < 0.5 and not self.purger:
            self.purge()
        super().load(seconds)

    def crash(self):
        if not self.purger and self.chance.random() < 0.3:
            self.purge()
            self.run_for(self.chance.uniform(0.005, 0.03))
        if self.purger:  # what it has not asked for yet must not be heard by the next one
            self.purger.kill()
            self.purger.wait()
            self.purger = None
        super().crash()

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
            wire.seconds = ASK_S * SLOW
            try:
                while True:
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
        for will in self.wills:
            will.tell("unknown")
        for publisher in self.lasts:
            for _ in range(3):
                if isinstance(publisher, OncePublisher) and publisher.connected:
                    publisher.repeat()
        self.until(lambda: not any(p.flight for p in self.lasts))
        self.look_at_last_value()
