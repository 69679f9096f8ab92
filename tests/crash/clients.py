"""Clients that publish and subscribe over many connections, and write down what happened to them for the judge
(history.py)."""
import json
import random
import sys
import time
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import,wrong-import-position

FILLER = random.Random(1).randbytes(4096).hex()


def payload_of(name, number, bytes_max):
    """Says whose it is; of every length up to about `bytes_max`, and another for each number."""
    length = (number * 2654435761 >> 7) % bytes_max
    at = number * 40503 % (len(FILLER) - length)
    return f"{name} {number} {FILLER[at:at + length]}".encode()


def read_payload(payload):
    """(client, number), each None if it cannot be read."""
    words = payload.split(b" ", 2)
    if len(words) != 3 or not words[1].isdigit():
        return None, None
    return words[0].decode(errors="replace"), int(words[1])


class History:
    """What happened, in the order in which the clients saw it."""

    def __init__(self):
        self.events = []
        self.began = time.monotonic()
        self.complaints = []  # against the protocol; not the judge's business

    def add(self, event, **fields):
        self.events.append({"event": event, "at": round(time.monotonic() - self.began, 4), **fields})

    def complain(self, what):
        self.complaints.append(what)

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            for event in self.events:
                file.write(json.dumps(event, separators=(",", ":")) + "\n")


def place_of(position):
    """{log, offset} of an arena-position; the log has a log id and a partition."""
    if not position:
        return {}
    log, offset = position.rsplit(".", 1)
    return {"log": log, "offset": int(offset)}


def user_properties(got):
    return dict(value for key, value in got.all_props if key == USER)


class Client:
    """A client that remembers across connections, as MQTT wants it to."""
    version = 4
    clean = False

    def __init__(self, name, history):
        self.name, self.history = name, history
        self.wire = None
        self.connected = False
        self.leaving = False

    def connect(self, port):
        self.connected = self.leaving = False
        try:
            self.wire = Wire(port, self.version)
        except OSError as error:
            self.history.complain(f"{self.name}: cannot connect: {error}")
            return
        self.send(connect(self.version, self.name, clean=self.clean))

    def send(self, *packets):
        if not self.wire:
            return  # the broker has closed it
        try:
            self.wire.send(*packets)
        except OSError:
            pass  # killed meanwhile

    def readable(self):
        """Takes what has come; False when the connection is over."""
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
            if self.leaving:
                continue  # as if it were not there any more
            if got.kind == CONNACK and got.reason == 0:
                self.connected = True
                self.resume(got)
            else:
                self.take(got)

    def drain(self):
        """What had left before the broker was killed."""
        while self.wire and self.readable():
            pass
        self.close()

    def leave(self):
        """Says goodbye; over when the broker has closed the connection, having read all."""
        self.send(packet(DISCONNECT))
        self.leaving = True

    def close(self):
        if self.wire:
            self.wire.close()
            self.wire = None
        self.connected = False


class Publisher(Client):
    """Sends numbers to its topic, a few in flight, and sends again what was not acknowledged."""

    def __init__(self, name, history, topic, qos, retain=False, window=8, bytes_max=2400):
        super().__init__(name, history)
        self.topic, self.qos, self.retain, self.window, self.bytes_max = topic, qos, retain, window, bytes_max
        self.number = 0
        self.flight = {}  # packet id -> [number, released]
        self.free = list(range(1, window + 1))
        self.filling = True

    def tell(self, event, number, **fields):
        self.history.add(event, client=self.name, topic=self.topic, number=number, **fields)

    def message(self, packet_id, number, dup=False):
        payload = payload_of(self.name, number, self.bytes_max)
        self.tell("publish", number, qos=self.qos, sum=zlib.crc32(payload))
        return publish(4, self.topic, payload, qos=self.qos, packet_id=packet_id, retain=self.retain, dup=dup)

    def resume(self, _connack):
        for packet_id, (number, released) in self.flight.items():
            self.send(ack(PUBREL, packet_id) if released else self.message(packet_id, number, dup=True))
        self.fill()

    def send_next(self):
        packet_id = self.free.pop(0)
        self.number += 1
        self.flight[packet_id] = [self.number, False]
        self.send(self.message(packet_id, self.number))

    def fill(self):
        while self.filling and self.free:
            self.send_next()

    def take(self, got):
        entry = self.flight.get(got.packet_id) if got.kind in (PUBACK, PUBREC, PUBCOMP) else None
        if entry is None:
            self.history.complain(f"{self.name}: got {got!r}")
        elif got.kind == PUBREC:
            if not entry[1]:
                self.tell("acked", entry[0])
            entry[1] = True
            self.send(ack(PUBREL, got.packet_id))
        else:
            if not entry[1]:  # PUBACK, or at QoS 2 a broker that skips a step
                self.tell("acked", entry[0])
            del self.flight[got.packet_id]
            self.free.append(got.packet_id)
            self.fill()


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

    def __init__(self, name, history, topic, qos, mark, chance):
        super().__init__(name, history, topic, qos)
        self.mark, self.random = mark, chance  # "id" or "producer"
        self.answered = []
        self.free = list(range(1, 3 * self.window))

    def properties(self, number):
        value = f"{self.name}-{number}" if self.mark == "id" else f"{self.name}:1:{number}"
        return [(USER, (f"arena-{self.mark}", value))]

    def send_number(self, number, forged=False):
        if not self.free:
            return
        packet_id = self.free.pop(0)
        self.flight[packet_id] = Flight(number, forged)
        payload = payload_of("forged" if forged else self.name, number, self.bytes_max)
        if not forged:
            self.tell("publish", number, qos=self.qos, sum=zlib.crc32(payload), once=self.mark)
        self.send(publish(5, self.topic, payload, qos=self.qos, packet_id=packet_id, props=self.properties(number)))

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


class Reader(Client):
    """Replays the streams of its topics, from the beginning or behind the last it had, and goes on with what is published."""
    version = 5
    clean = True

    def __init__(self, name, history, filter_, topics, chance):
        super().__init__(name, history)
        self.filter, self.topics, self.random = filter_, topics, chance
        self.seen = {}  # log -> the last offset
        self.highest = {}  # client -> number
        self.from_beginning = False
        self.open = {}

    def resume(self, _connack):
        place = ",".join(f"{log}.{offset}" for log, offset in self.seen.items())
        if self.from_beginning or not place or self.random.random() < 0.3:
            place, self.seen, self.highest = "earliest", {}, {}
        self.history.add("replaying", reader=self.name, topics=self.topics, after=dict(self.seen))
        self.send(subscribe(5, [(f"$replay/{place}/{self.filter}", 1)], props=[(USER, ("arena-positions", "1"))]))

    def take(self, got):
        if got.kind == SUBACK and got.reasons == [1]:
            return
        if got.kind != PUBLISH:
            self.history.complain(f"{self.name}: got {got!r}")
            return
        client, number = read_payload(got.payload)
        place = place_of(user_properties(got).get("arena-position"))
        if number is not None:
            self.highest[client] = max(self.highest.get(client, 0), number)
        if place:
            self.seen[place["log"]] = place["offset"]
        self.history.add("replayed", reader=self.name, client=client, topic=got.topic, number=number,
                         sum=zlib.crc32(got.payload), **place)
        if got.qos:
            self.send(ack(PUBACK, got.packet_id))


class Subscriber(Client):
    """A persistent session. `filters` are what it asks for, `topics` what that comes to."""

    def __init__(self, name, history, filters, topics, qos=2):
        super().__init__(name, history)
        self.filters, self.topics, self.qos = filters, topics, qos
        self.highest = {}  # client -> number
        self.open = {}  # packet ids of exactly-once messages that are not released -> (topic, client, number)
        self.subscribed = False

    def resume(self, connack):
        self.history.add("connected", session=self.name, present=connack.session_present)
        if not connack.session_present:
            self.subscribed = False
            self.open = {}
        if not self.subscribed:
            self.history.add("subscribing", session=self.name, topics=self.topics, qos=self.qos)
            self.send(subscribe(4, [(one, self.qos) for one in self.filters]))

    def close(self):
        if self.wire:
            clean = self.leaving
            self.history.add("closed", session=self.name, clean=clean)
        super().close()

    def settle(self, topic, client, number):
        self.history.add("settled", session=self.name, client=client, topic=topic, number=number)

    def take(self, got):
        if got.kind == SUBACK:
            self.subscribed = True
            self.history.add("subscribed", session=self.name, topics=self.topics)
        elif got.kind == PUBLISH:
            self.take_message(got)
        elif got.kind == PUBREL:
            message = self.open.pop(got.packet_id, None)
            self.send(ack(PUBCOMP, got.packet_id))
            if message:
                self.settle(*message)
        else:
            self.history.complain(f"{self.name}: got {got!r}")

    def take_message(self, got):
        client, number = read_payload(got.payload)
        if got.qos != 2 or got.packet_id not in self.open:
            self.history.add("delivered", session=self.name, client=client, topic=got.topic, number=number, qos=got.qos,
                             sum=zlib.crc32(got.payload), dup=got.dup)
            if number is not None:
                self.highest[client] = max(self.highest.get(client, 0), number)
        if got.qos == 2:
            self.open[got.packet_id] = (got.topic, client, number)
        if got.qos:
            self.send(ack(PUBACK if got.qos == 1 else PUBREC, got.packet_id))
        if got.qos == 1:
            self.settle(got.topic, client, number)
