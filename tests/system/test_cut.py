#!/usr/bin/env python3
"""Who follows topics through a network that is cut at any byte, and comes back with the last id, misses nothing.

    ARENA_BIN=… test_cut.py [CUTS]      60 for each case unless told otherwise
"""
import http.client
import json
import random
import select
import socket
import struct
import sys
import threading

import web
from harness import add, eventually, equal, run_all
from ways import broker
from wire import PUBACK, opened, publish

CUTS = int(sys.argv.pop()) if sys.argv[-1].isdigit() else 60
SEED = random.randrange(1 << 32)


class Proxy:
    """Passes bytes on, of one connection after the other; ends each once `budget` bytes have gone through it, both ways counted."""

    def __init__(self, port):
        self.upstream, self.budget, self.reset, self.cuts, self.answer = port, None, False, 0, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            self.answer = b""
            server = socket.create_connection(("127.0.0.1", self.upstream))
            try:
                cut = self.carry(client, server)
            except OSError:
                cut = False
            for one in (client, server):
                if cut and self.reset:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()
            self.cuts += cut

    def carry(self, client, server):
        """True when it was cut, False when one of both has ended it."""
        left = self.budget
        while left is None or left > 0:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(65536 if left is None else min(left, 65536))
                if not data:
                    return False
                (server if source is client else client).sendall(data)
                self.answer += data[:max(0, 2000 - len(self.answer))] if source is server else b""
                if left is not None:
                    left -= len(data)
                    if left == 0:
                        return True
        return True


def covers(event_id, topic, position):
    """Does the id say that the message at this position has come, through the topic of that number?"""
    log, _, offset = position.rpartition(".")
    places = [place.rpartition(".") for place in event_id.partition(":")[2].split(";")[topic].split(",")]
    return any(named == log and int(reached) >= int(offset) for named, _, reached in places)


class Reader:
    """What has come so far, over all connections, and what it may be."""

    def __init__(self, door, topics, proxy):
        self.door, self.topics, self.proxy = door, topics, proxy
        self.query = "&".join(f"topic={topic}" for topic in topics)
        self.follower, self.resumed = None, None
        self.seen, self.here, self.texts, self.repeated = {}, set(), [], 0  # here: over this connection

    def connect(self):
        self.here.clear()
        if self.door == "http/1.1":
            self.follower = web.Follower(self.query, self.resumed, port=self.proxy.port)
        else:
            self.follower = web.CurlFollower(self.query, self.resumed, url=f"http://127.0.0.1:{self.proxy.port}", arguments=["--http2-prior-knowledge"])

    def read(self):
        event = self.follower.block()
        if not event:
            return
        assert "event" not in event, f"a gap: {event}"
        message = json.loads(event["data"])
        assert message["id"] not in self.here, f"{message} came twice over one connection"
        self.here.add(message["id"])
        if message["id"] in self.seen:
            assert not covers(self.resumed, self.topics.index(message["topic"]), message["position"]), f"{message} came again behind {self.resumed}"
            equal(message, self.seen[message["id"]], "a repetition")
            self.repeated += 1
        else:
            self.texts.append(message["payload"])
            self.seen[message["id"]] = message

    def close(self):
        if self.follower:
            self.resumed = self.follower.last_id
            self.follower.close()
            self.follower = None


def cut_at_any_byte(door, topics, repeats):
    """Publishes and reads over one connection after the other, each cut after its number of bytes."""
    chance, proxy = random.Random(SEED), Proxy(broker.http_port)
    reader, published = Reader(door, topics, proxy), []
    publisher = opened(broker.port, 5)

    def publish_some():
        count = chance.randint(1, 6)
        for n in range(count):
            text = f"{len(published)} {'x' * chance.choice((0, 10, 400))}"
            publisher.send(publish(5, topics[len(published) % len(topics)], text, qos=1, packet_id=1 + n))
            published.append(text)
        for n in range(count):
            publisher.expect(PUBACK, packet_id=1 + n, reason=0)

    reader.connect()  # for the first id
    reader.close()
    for cut in range(CUTS):
        proxy.budget, proxy.reset = chance.randint(1, chance.choice((1200, 8000))), chance.random() < 0.5
        try:
            reader.connect()
            while True:
                publish_some()
                while len(reader.seen) < len(published):
                    reader.read()
        except (web.EventsEnded, http.client.HTTPException, ConnectionError) as error:
            reason = error
        except AssertionError as error:  # a torn head reads as a wrong one
            if door != "http/1.1" or b"\r\n\r\n" in proxy.answer:
                raise
            reason = error
        eventually(lambda: proxy.cuts == cut + 1, f"a cut, and not: {reason!r}")  # pylint: disable=cell-var-from-loop
        reader.close()
        publish_some()
    proxy.budget = None
    reader.connect()
    while len(reader.seen) < len(published):
        reader.read()
    reader.close()
    publisher.leave()
    for topic in range(len(topics)):
        mine = [text for text in reader.texts if int(text.split()[0]) % len(topics) == topic]
        equal(mine, published[topic::len(topics)], f"seed {SEED}, topic {topic}")
    assert repeats or not reader.repeated, f"seed {SEED}: {reader.repeated} came again"
    print(f"    {CUTS} cuts, {len(published)} messages, {reader.repeated} came again", flush=True)


for door_ in ("http/1.1", "http/2"):
    add(f"one topic over {door_}: all come, once", cut_at_any_byte, door_, [f"matrix/cut/{door_[-1]}"], False, seconds=20 + CUTS)
    add(f"many topics over {door_}: all come, again only what no id had told", cut_at_any_byte, door_,
        [f"matrix/cuts/{door_[-1]}/{n}" for n in range(7)], True, seconds=20 + CUTS)
add("and ends well", lambda: equal(broker.stop(), 0, "exit code on SIGTERM"))
run_all()
