"""A trial with what only Arena has: publishing once and streams; and with what shows where its own log may fail (trial.py)."""
import random
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from broker import SLOW  # pylint: disable=wrong-import-position
from clients import Publisher, place_of, props_sum, read_payload, user_properties  # pylint: disable=wrong-import-position
from session_clients import Absent, Asking, Brief, Fickle, Guest, LateWills, Member, Wish  # pylint: disable=wrong-import-position
from own_clients import Bursts, Heavy, LastValue, OnceLastValue, OncePublisher, Reader, Wills  # pylint: disable=wrong-import-position
from stream_operator import Operator  # pylint: disable=wrong-import-position
from trial import ASK_S, LONG_ROUND_S, SLACK_S, WRITING_S, Trial  # pylint: disable=wrong-import-position
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
        slack, writing = SLACK_S * SLOW + 0.1, WRITING_S * SLOW
        self.wills = [Wills("w0", self.history), LateWills("w1", self.history, slack, writing, self.chance)]
        self.heavy = Heavy("v0", self.history, "heavy/0", 1, "producer", self.chance)
        self.brief = Brief("e0", self.history, "brief/0", 1)
        self.absent = [Absent(f"y{n}", self.history, [Wish("load/5", ["load/5"], 51 + n)], 2, self.chance) for n in range(2)]
        self.fickle = [Fickle("u0", self.history, [Wish("load/4", ["load/4"], 0, qos=2)], self.chance),
                       Guest("h0", self.history, [Wish("kept/6", ["kept/6"], 0, qos=2)], self.chance)]
        self.late_from, self.late_asked = self.chance.randrange(self.rounds), False  # from which round on there is to be a stream more
        self.operator = Operator(broker.folder, self.history)
        self.restarts = 0

    def topic(self, number):
        return f"kept/{number}" if number in self.KEPT else f"load/{number}"

    def more_publishers(self, seed):
        return [OncePublisher(f"o{n}", self.history, self.topic(n), qos, mark, random.Random(f"{seed}/o{n}"))
                for n, (mark, qos) in enumerate(self.ONCE, 6)]

    def all_publishers(self):
        return self.publishers + self.bursts + self.lasts + self.cut + [self.brief, self.heavy]

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
                self.subscriber("k2", ["heavy/0"], ["heavy/0"]),
                self.subscriber("k1", ["will/+"], [will.topic for will in self.wills]), *self.askers(topics), *self.absent, *self.fickle]

    def askers(self, topics):
        """Sessions that ask for all that a subscription can have, alone and together."""
        load, kept = ([topic for topic in topics if topic.startswith(level)] for level in ("load/", "kept/"))
        own = ["own/a1", "own/a2"]
        shared = [Wish("kept/+", kept, 41, qos=2, group="g0"), Wish("load/+", load, 42, group="g1")]
        more = [Wish("kept/+", kept, 43, qos=1, group="g0"), Wish("load/+", load, 44, qos=2, group="g1")]
        got = self.shared = {}
        return [Asking("a0", self.history, [Wish("load/+", load, 11, qos=2), Wish(load[0], load[:1], 12, retain=True, position=True)]),
                Asking("a1", self.history, [Wish(kept[0], kept[:1], 21, position=True), Wish("last/value", ["last/value"], 22, retain=True),
                                            Wish(load[1], load[1:2], 23, qos=0), Wish("own/+", own, 24, local=False)], own=own[0]),
                Asking("a2", self.history, [Wish("own/+", own, 31, qos=2), Wish("last/value", ["last/value"], 32, qos=2)], own=own[1]),
                Asking("e1", self.history, [Wish("brief/+", ["brief/0"], 0)], presence=0.2),
                Member("m0", self.history, shared, got), Member("m1", self.history, more, got)]

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

    def create_stream(self, name, filter_, topics, messages=0):
        self.operator.create(name, filter_, lambda settings: self.operator.is_there(name, settings), messages)
        self.operator.drain()
        self.history.add("stream", topics=topics, messages=messages)

    def has_all(self, subscriber):
        if isinstance(subscriber, Member):
            return not subscriber.open and all(self.share_has(topic) for topic in subscriber.group_of)
        wills = [will for will in self.wills if will.topic in subscriber.topics]
        return super().has_all(subscriber) and all(subscriber.highest.get(will.name, 0) >= will.owed for will in wills)

    def share_has(self, topic):
        """From the first that it got on. Asked after each turn, so no set is built that is not about what is missing."""
        got = self.shared.get(topic, {})
        return all(max(p.acked) in got.get(p.name, ()) and max(p.acked - got[p.name], default=0) < min(got[p.name])
                   for p in self.publishers if p.topic == topic and p.acked)

    def mark(self):
        """Of a purged stream, too: else its readers would wait for what is gone."""
        for publisher in self.cut:
            if publisher.connected and publisher.free:
                publisher.send_next()
        super().mark()

    # ---- the operator, who may be killed over it ----

    def operate(self):
        if self.restarts >= self.late_from and "late" not in self.operator.settings:
            self.late_asked = True
            self.operator.create("late", "load/3", self.is_late)
        elif self.chance.random() < 0.33:
            self.operator.edit("kept")
        else:
            self.operator.purge("gone", [p.topic for p in self.cut[:2]])

    def is_late(self, settings):
        """A stream over a topic that is under way is there for certain; its messages lie in two logs from now on."""
        self.history.add("stream", topics=["load/3"], messages=0)
        self.operator.is_there("late", settings)
        self.readers.append(Reader("r5", self.history, "load/3", ["load/3"], self.random))

    def clients(self):
        return super().clients() + ([self.operator] if self.operator.wire else [])

    def load(self, seconds):
        if not self.operator.wire and self.chance.random() < 0.6:
            self.operate()
        if seconds == LONG_ROUND_S:  # long enough that it is written down for certain since when they are away
            self.until(lambda: all(session.subscribed and session.connected for session in self.absent if session.wire), 5)
            for session in self.absent:
                session.go(until_over=True)
        super().load(seconds / 2)
        for session in [*self.absent, self.fickle[0]]:
            session.go()
        self.run_for(seconds / 2)

    def crash(self):
        """Perhaps while the operator waits, or in the moment of its answer; and while more is under way than one commit takes."""
        way = self.chance.random()
        if way < 0.2:
            self.until(lambda: not self.operator.wire, 5)
            self.operate()
            self.until(lambda: not self.operator.wire, 5)
        else:
            asked = way < 0.5 and not self.operator.wire
            if asked:
                self.operate()
            if way < 0.7:
                self.heavy.go()
            # The operator is answered within a few milliseconds: mostly sooner.
            self.run_for(0.02 * self.chance.random() ** (3 if asked else 1))
        self.broker.kill()
        for will in self.wills:
            will.broker_killed()
        super().crash()
        self.restarts += 1
        if self.late_asked and "late" not in self.operator.settings:
            found = self.operator.found()
            if "late" in found:
                self.is_late(found["late"])
        for will in self.wills:
            will.broker_started()

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
        with opened(self.broker.port, 5, "", clean=True) as wire:
            wire.subscribe("look", "last/+")
            wire.send(publish(5, "look", b"now"))
            wire.seconds = ASK_S * SLOW
            try:
                while True:
                    got = wire.expect(PUBLISH)
                    if got.topic == "look":
                        break
                    seen[got.topic] = got
            except AssertionError:
                pass
        for publisher in self.lasts:
            got = seen.get(publisher.topic)
            self.history.add("last", client=publisher.name, topic=publisher.topic, number=got and read_payload(got.payload)[1],
                             **({"sum": zlib.crc32(got.payload), "props": props_sum(got)} if got else {}))

    def settle(self):
        for client in [*self.fickle, self.wills[1]]:
            client.steady = True
        super().settle()
        for will in self.wills:
            will.finish()
        for publisher in self.lasts:
            for _ in range(3):
                if isinstance(publisher, OncePublisher) and publisher.connected:
                    publisher.repeat()
        self.until(lambda: not any(p.flight for p in self.lasts))
        self.look_at_last_value()
        self.operator.look()
