"""Clients of what only Arena has: publishing once, and replays of streams (clients.py)."""
import json
import zlib

from clients import KEEP_ALIVE_S, Client, Publisher, flags, payload_of, place_of, props_sum, read_payload, sum_of, user_properties
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import


class Flight:
    """A publish on its way, by whatever sending. `forged`: with other content than its number has."""

    def __init__(self, number, forged=False):
        self.number, self.forged, self.released = number, forged, False


class OncePublisher(Publisher):
    """Has no session: it publishes under an id, or as a producer by number, and publishes again what had no answer. Now and
    then it repeats what had one, or tries to publish something else under its name."""
    version = 5
    clean = True
    RECENT = 6  # of a producer's publishes few enough are behind it that the broker must know what they were

    def __init__(self, name, history, topic, qos, mark, chance, **options):
        super().__init__(name, history, topic, qos, **options)
        self.mark, self.random = mark, chance  # "id" or "producer"
        self.answered = []
        self.told = False
        self.free = list(range(1, 3 * self.window))

    def properties(self, number):
        value = f"{self.name}-{number}" if self.mark == "id" else f"{self.name}:1:{number}"
        return [(USER, (f"arena-{self.mark}", value))]

    def send_number(self, number, forged=False):
        if not self.free:
            return
        packet_id = self.free.pop(0)
        self.flight[packet_id] = Flight(number, forged)
        payload = payload_of("forged", number, self.bytes_max) if forged else self.payload(number)
        if not forged:
            self.tell("publish", number, qos=self.qos, sum=zlib.crc32(payload), once=self.mark, props=sum_of(self.content(number)),
                      **flags(self.retain, payload))
        self.send(publish(5, self.alias(), payload, qos=self.qos, packet_id=packet_id, retain=self.retain,
                          props=[*self.properties(number), *self.content(number), (ALIAS, 1)]))

    def alias(self):
        """Its topic, once on each connection: from then on its alias says it."""
        topic, self.told = "" if self.told else self.topic, True
        return topic

    def hello(self):
        self.told = False
        return super().hello()

    def content(self, number):
        """What is said of a message, which is stored with it."""
        all_ = [(CONTENT_TYPE, f"text/{number}"), (RESPONSE_TOPIC, f"re/{self.name}"), (CORRELATION, str(number).encode() * 3),
                (PAYLOAD_FORMAT, 1), (USER, ("b", str(number))), (USER, ("a", self.name)), (USER, ("b", "again"))]
        return all_ if number % 3 else []

    def resume(self, _connack):
        open_ = [flight.number for flight in self.flight.values() if not flight.released and not flight.forged]
        self.flight, self.free = {}, list(range(1, 3 * self.window))
        for number in dict.fromkeys(open_):
            self.send_number(number)
        for _ in range(self.random.randrange(4)):
            self.repeat()
        self.fill()

    def send_next(self):
        self.number += 1
        self.send_number(self.number)

    def fill(self):
        while self.filling and len(self.flight) < self.window:
            self.send_next()

    def repeat(self):
        if not self.answered:
            return
        if self.random.random() < 0.3:
            self.send_number(self.random.choice(self.answered[-self.RECENT:]), forged=True)
        else:
            self.send_number(self.random.choice(self.answered[-self.RECENT:] if self.random.random() < 0.6 else self.answered))

    def take(self, got):
        flight = self.flight.get(got.packet_id) if got.kind in (PUBACK, PUBREC, PUBCOMP) else None
        if flight is None:
            self.history.complain(f"{self.name}: got {got!r}")
            return
        if got.kind != PUBCOMP:
            self.answer(flight, got)
        if got.kind == PUBREC and got.reason < 0x80:
            flight.released = True
            self.send(ack(PUBREL, got.packet_id))
            return
        del self.flight[got.packet_id]
        self.free.append(got.packet_id)
        if self.filling and self.random.random() < 0.03:
            self.repeat()
        self.fill()

    def answer(self, flight, got):
        own = user_properties(got)
        why = got.props.get(REASON, "")
        if flight.forged:
            self.tell("forged", flight.number, refused=got.reason == 0x83 and why.startswith("conflict"))
        elif got.reason >= 0x80:
            self.tell("refused", flight.number, why=why)
            self.history.complain(f"{self.name}: {flight.number} was refused: {got.reason:#x} {why}")
        else:
            self.tell("acked", flight.number, duplicate="arena-duplicate" in own, **place_of(own.get("arena-position")))
            if not self.answered or flight.number > self.answered[-1]:
                self.answered.append(flight.number)


class Heavy(OncePublisher):
    """Publishes rarely, and then more than one commit takes: of some the row is written while others still wait."""
    MORE = b"." * 250_000

    def payload(self, number):
        return super().payload(number) + self.MORE

    def fill(self):
        pass

    def go(self):
        for _ in range(self.window if self.connected and not self.flight else 0):
            self.send_next()


class Reader(Client):
    """Replays the streams of its topics, from the beginning or behind the last it had, and goes on with what is published."""
    version = 5
    clean = True

    def __init__(self, name, history, filter_, topics, chance, dense=True, cut=False):
        super().__init__(name, history)
        self.dense, self.cut = dense, cut  # it is given every offset; its logs are cut off at their beginning
        self.log = None  # without its partition
        self.filter, self.topics, self.random = filter_, topics, chance
        self.seen = {}  # log -> the last offset
        self.highest = {}  # client -> number
        self.from_beginning = False
        self.open = {}

    def resume(self, _connack):
        place = ",".join(f"{log}.{offset}" for log, offset in self.seen.items())
        if self.from_beginning or not place or self.random.random() < 0.3:
            place, self.seen, self.highest = "earliest", {}, {}
        self.history.add("replaying", reader=self.name, topics=self.topics, after=dict(self.seen), dense=self.dense, cut=self.cut)
        self.send(subscribe(5, [(f"$replay/{place}/{self.filter}", 1)], props=[(USER, ("arena-positions", "1"))]))

    def take(self, got):
        if got.kind == SUBACK and got.reasons == [1]:
            return
        if got.kind != PUBLISH:
            self.history.complain(f"{self.name}: got {got!r}")
            return
        if got.topic.startswith("$gap/"):
            self.take_gap(got)
            return
        client, number = read_payload(got.payload)
        place = place_of(user_properties(got).get("arena-position"))
        if number is not None:
            self.highest[client] = max(self.highest.get(client, 0), number)
        if place:
            self.seen[place["log"]] = place["offset"]
            self.log = place["log"].rsplit(".", 1)[0]
        self.history.add("replayed", reader=self.name, client=client, topic=got.topic, number=number,
                         sum=zlib.crc32(got.payload), props=props_sum(got), **place)
        if got.qos:
            self.send(ack(PUBACK, got.packet_id))


    def take_gap(self, got):
        gap = json.loads(got.payload)
        if self.log:
            self.history.add("told_gap", reader=self.name, log=f"{self.log}.{gap['partition']}", count=gap["missing"], next=gap["next"])
        if got.qos:
            self.send(ack(PUBACK, got.packet_id))


class Wills(Client):
    """Has a session, and with each connection another will. It never says goodbye, so each is owed."""
    version = 5

    def __init__(self, name, history):
        super().__init__(name, history)
        self.topic, self.number = f"will/{name}", 0
        self.taken = self.owed = 0  # numbers: of the connection that stands, and the last whose connection is over
        self.unnoted = []  # those of which it is not certain that the broker has noted that they are out

    def tell(self, event, **fields):
        self.history.add(event, client=self.name, topic=self.topic, number=self.number, **fields)

    def hello(self):
        self.number += 1
        payload = payload_of(self.name, self.number, 600)
        props = self.will_properties()
        self.tell("publish", qos=1, sum=zlib.crc32(payload), props=sum_of(props[:2]))
        return connect(5, self.name, clean=False, keep_alive=KEEP_ALIVE_S, props=[(SESSION_EXPIRY, 3600)], will=(self.topic, payload, 1, False, props))

    def will_properties(self):
        return [(CONTENT_TYPE, "text/will"), (USER, ("of", self.name))]

    def resume(self, _connack):
        """Behind the note that the wills of the connections before are out."""
        self.taken, self.unnoted = self.number, []

    def broker_killed(self):
        for number in self.unnoted:
            self.history.add("may_repeat", client=self.name, topic=self.topic, number=number)

    def broker_started(self):
        pass

    def finish(self):
        self.tell("unknown")

    def close(self):
        if self.wire and self.number:
            taken = self.taken == self.number
            self.tell("acked" if taken else "unknown")
            self.owed = self.number if taken else self.owed
            self.unnoted.append(self.number)
        super().close()

    def take(self, got):
        self.history.complain(f"{self.name}: got {got!r}")


class Bursts(Publisher):
    """Before each message that is acknowledged it sends some at QoS 0, all in one write; who has the one has the others."""
    SMALL = 120

    def __init__(self, name, history, topic, qos, chance):
        super().__init__(name, history, topic, qos, window=2)
        self.random = chance

    def send_next(self):
        burst = []
        for _ in range(self.random.choice((0, 1, 2, 3, 40))):
            self.number += 1
            payload = payload_of(self.name, self.number, self.SMALL)
            self.tell("publish", self.number, qos=0, sum=zlib.crc32(payload), on=self.connections)
            burst.append(publish(4, self.topic, payload))
        packet_id = self.free.pop(0)
        self.number += 1
        self.flight[packet_id] = [self.number, False]
        self.send(*burst, self.message(packet_id, self.number))


class Deleting:
    """Sets the last value of its topic, and now and then deletes it."""

    def payload(self, number):
        return b"" if (number * 2654435761 >> 9) % 3 == 0 else super().payload(number)


class LastValue(Deleting, Publisher):
    def __init__(self, name, history, qos):
        super().__init__(name, history, f"last/{name}", qos, retain=True, window=1)


class OnceLastValue(Deleting, OncePublisher):
    """The same under ids, or as a producer: what is repeated must not come back."""

    def __init__(self, name, history, qos, mark, chance):
        super().__init__(name, history, f"last/{name}", qos, mark, chance, retain=True, window=2)
