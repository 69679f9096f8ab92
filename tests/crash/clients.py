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

KEEP_ALIVE_S = 600  # on a busy machine a client may have nothing to say for long
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


def props_sum(got):
    """Of what the publisher has said of its message, which goes through unchanged."""
    said = {PAYLOAD_FORMAT, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION}
    kept = [(key, value) for key, value in got.all_props if key in said or key == USER and not value[0].startswith("arena-")]
    return sum_of(kept)


def sum_of(props):
    return zlib.crc32(repr(sorted(props, key=lambda one: one[0])).encode())


class Client:
    """A client that remembers across connections, as MQTT wants it to."""
    version = 4
    clean = False

    def __init__(self, name, history):
        self.name, self.history = name, history
        self.wire = None
        self.connections = 0
        self.connected = False
        self.leaving = False

    def connect(self, port):
        self.connected = self.leaving = False
        self.connections += 1
        try:
            self.wire = Wire(port, self.version)
        except OSError as error:
            self.history.complain(f"{self.name}: cannot connect: {error}")
            return
        self.send(self.hello())

    def hello(self):
        return connect(self.version, self.name, clean=self.clean, keep_alive=KEEP_ALIVE_S)

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


def flags(retain, payload):
    return {**({"retain": True} if retain else {}), **({} if payload else {"deletes": True})}


class Publisher(Client):
    """Sends numbers to its topic, a few in flight, and sends again what was not acknowledged."""

    def __init__(self, name, history, topic, qos, retain=False, window=8, bytes_max=2400):
        super().__init__(name, history)
        self.topic, self.qos, self.retain, self.window, self.bytes_max = topic, qos, retain, window, bytes_max
        self.number = 0
        self.flight = {}  # packet id -> [number, released]
        self.free = list(range(1, window + 1))
        self.filling = True
        self.acked = set()

    def tell(self, event, number, **fields):
        if event == "acked":
            self.acked.add(number)
        self.history.add(event, client=self.name, topic=self.topic, number=number, **fields)

    def payload(self, number):
        return payload_of(self.name, number, self.bytes_max)

    def message(self, packet_id, number, dup=False):
        payload = self.payload(number)
        self.tell("publish", number, qos=self.qos, sum=zlib.crc32(payload), on=self.connections, **flags(self.retain, payload))
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

    def last_owed(self):
        """Who has this one has had time for all before it."""
        return self.number

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


class Subscriber(Client):
    """A persistent session. `filters` are what it asks for, `topics` what that comes to; `presence`: in how many of the rounds it
    is there."""

    def __init__(self, name, history, filters, topics, qos=2, presence=0.5):
        super().__init__(name, history)
        self.filters, self.topics, self.qos, self.presence = filters, topics, qos, presence
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
            self.history.add("closed", session=self.name, clean=self.leaving, **self.end_of_connection())
        super().close()

    def end_of_connection(self):
        return {}

    def comes(self, random_):
        """In a round."""
        return not self.subscribed or random_.random() < self.presence

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
        client, number = self.read(got)
        if got.qos != 2 or got.packet_id not in self.open:
            self.delivered(got, client, number)
            if number is not None:
                self.highest[client] = max(self.highest.get(client, 0), number)
        if got.qos == 2:
            self.open[got.packet_id] = (got.topic, client, number)
        if got.qos:
            self.send(ack(PUBACK if got.qos == 1 else PUBREC, got.packet_id))
        if got.qos == 1:
            self.settle(got.topic, client, number)

    def delivered(self, got, client, number):
        self.history.add("delivered", session=self.name, client=client, topic=got.topic, number=number, qos=got.qos,
                         sum=zlib.crc32(got.payload), dup=got.dup, **self.details(got))

    def read(self, got):
        return read_payload(got.payload)

    def details(self, _got):
        """What more it can tell of a delivery."""
        return {}
