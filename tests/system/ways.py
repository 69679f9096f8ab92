"""The ways to publish to a broker with a stream over all topics, and to receive from it, as tables: see test_matrix.py."""
import base64
import functools
import http.client
import json
import os
import re
import socket
import ssl
import tempfile
from urllib.parse import quote

import web
from broker import SLOW, quote as toml
from durable import DurableBroker, persistent
from harness import equal
from ports import free_port
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import

FOLDER = tempfile.mkdtemp(prefix="arena-matrix-")
web.certificate(FOLDER)
CA = os.path.join(FOLDER, "crt.pem")
PAYLOADS = [b"the first", b'{"n":1}', b"\x00\xff\x80\n", "the läst".encode()]
BEFORE, AFTER = range(1), range(1, len(PAYLOADS))  # before and behind the cut
LAST = len(PAYLOADS) - 1                           # is retained
END = b"the end"
HEADERS = {"colour": "red", "place": "a b=c"}
TYPE = "text/plain"
RETAIN_AS_PUBLISHED = 8


class MatrixBroker(DurableBroker):
    """MQTT and HTTP, each in the clear and with TLS, and a stream over all topics."""

    def __init__(self):
        self.mqtts_port, self.https_port = free_port(), free_port()
        stream = '[[streams]]\nname = "matrix"\nfilters = ["matrix/#"]\n'
        super().__init__(http=True, more=f"[tls]\ncertificate_file = {toml(CA)}\nkey_file = {toml(os.path.join(FOLDER, 'key.pem'))}\n{stream}")

    def config_text(self):
        text = super().config_text()
        for clear, tls in ((self.port, self.mqtts_port), (self.http_port, self.https_port)):
            text = text.replace(f"port = {clear} }}]", f'port = {clear} }}, {{ address = "127.0.0.1", port = {tls}, tls = true }}]')
        return text


broker = MatrixBroker().start()
HTTP = {  # the address, and what curl is told
    "http/1.1": (f"http://127.0.0.1:{broker.http_port}", ["--http1.1"]),
    "http/2": (f"http://127.0.0.1:{broker.http_port}", ["--http2-prior-knowledge"]),
    "http/2 tls": (f"https://localhost:{broker.https_port}", ["--http2", "--cacert", CA]),
}


def curl(door, path, *arguments, **more):
    url, how = HTTP[door]
    return web.curl(path, *how, *arguments, url=url, **more)


def metric(name):
    return float(re.search(rf"^{name} (\S+)$", curl("http/1.1", "/metrics")[1], re.M).group(1))


def connected(version, door, client_id="", **options):
    """MQTT over any transport."""
    tls, ws = door in ("tls", "wss"), door in ("ws", "wss")
    port = (broker.https_port if tls else broker.http_port) if ws else (broker.mqtts_port if tls else broker.port)
    connection = socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW)
    if tls:
        connection = ssl.create_default_context(cafile=CA).wrap_socket(connection, server_hostname="localhost")
    wire = Wire(port, version, 5, web.BytesInFrames(connection, port) if ws else connection)
    wire.connack = wire.open(client_id, **options)
    return wire


# -- To publish: each takes a topic and the numbers of payloads, and returns receipts ({id, position}), as far as there are any

def by_mqtt(version, door, topic, numbers):
    receipts = {}
    with connected(version, door) as wire:
        for n in numbers:
            props = [(CONTENT_TYPE, TYPE)] + [(USER, pair) for pair in HEADERS.items()] + [(USER, ("arena-id", f"{topic} {n}"))] if version == 5 else []
            wire.send(publish(version, topic, PAYLOADS[n], qos=1, packet_id=1 + n, retain=n == LAST, props=props))
            got = wire.expect(PUBACK, packet_id=1 + n, reason=0)
            receipts[n] = {"position": value for key, (name, value) in got.all_props if key == USER and name == "arena-position"}
            assert version < 5 or receipts[n], got.all_props
        wire.leave()
    return receipts


def receipt(answer):
    status, body = answer
    equal(status, 200, body)
    return json.loads(body)


def fields(headers):
    return [word for name, value in headers.items() for word in ("-H", f"Arena-Header: {name}={value}")]


def target(topic, numbers):
    return f"/v1/topics/{quote(topic)}{'?retain=true' if LAST in numbers else ''}"


def by_rest(door, topic, numbers):
    return {n: receipt(curl(door, target(topic, [n]), "-H", f"Content-Type: {TYPE}", *fields(HEADERS), body=PAYLOADS[n])) for n in numbers}


def item(topic, n):
    try:
        payload = {"payload": PAYLOADS[n].decode()}
    except UnicodeDecodeError:
        payload = {"payload": base64.b64encode(PAYLOADS[n]).decode(), "encoding": "base64"}
    return {"topic": topic, **payload, "content_type": TYPE, "headers": HEADERS, "retain": n == LAST}


def results(answer, numbers):
    answer = receipt(answer)
    equal(answer["failed"], 0, answer)
    return dict(zip(numbers, answer["results"], strict=True))


def by_array(door, topic, numbers):
    return results(curl(door, "/v1/publish", "-H", "Content-Type: application/json", body=json.dumps([item(topic, n) for n in numbers]).encode()), numbers)


def by_ndjson(door, topic, numbers):
    lines = "".join(json.dumps(item(topic, n)) + "\n" for n in numbers).encode()
    return results(curl(door, "/v1/publish", "-H", "Content-Type: application/x-ndjson", body=lines), numbers)


def attributes(n):
    return {"specversion": "1.0", "id": str(n), "source": "/matrix", "type": "test"}


def by_binary_event(door, topic, numbers):
    return {n: receipt(curl(door, target(topic, [n]), "-H", f"Content-Type: {TYPE}", *fields(HEADERS),
                            *(word for name, value in attributes(n).items() for word in ("-H", f"ce-{name}: {value}")), body=PAYLOADS[n])) for n in numbers}


def event(n):
    try:
        data = {"data": PAYLOADS[n].decode()}
    except UnicodeDecodeError:
        data = {"data_base64": base64.b64encode(PAYLOADS[n]).decode()}
    return {**attributes(n), "datacontenttype": TYPE, **data}


def by_structured_event(door, topic, numbers):
    return {n: receipt(curl(door, target(topic, [n]), "-H", "Content-Type: application/cloudevents+json", *fields(HEADERS), body=json.dumps(event(n)).encode()))
            for n in numbers}


def by_event_batch(door, topic, numbers):
    body = json.dumps([event(n) for n in numbers]).encode()
    return results(curl(door, target(topic, numbers), "-H", "Content-Type: application/cloudevents-batch+json", *fields(HEADERS), body=body), numbers)


PUBLISHERS = {
    "mqtt 3.1.1": functools.partial(by_mqtt, 4, "tcp"),
    **{f"mqtt 5 {door}": functools.partial(by_mqtt, 5, door) for door in ("tcp", "tls", "ws", "wss")},
    **{f"rest {door}": functools.partial(by_rest, door) for door in HTTP},
    "array": functools.partial(by_array, "http/1.1"),
    "ndjson": functools.partial(by_ndjson, "http/2"),
    "binary event": functools.partial(by_binary_event, "http/2"),
    "structured event": functools.partial(by_structured_event, "http/1.1"),
    "event batch": functools.partial(by_event_batch, "http/2 tls"),
}


# -- To receive: each is opened before the first message, resumed or opened behind the last, and then read up to the end

class ByMqtt:
    def __init__(self, version, door, time, topic, start):
        self.version, self.door, self.time, self.topic, self.got = version, door, time, topic, []
        self.options = persistent(5) if version == 5 else {"clean": False}
        if time != "resume":
            self.options = {}
        self.name = f"{topic} {version} {door} {time}".replace("/", " ")
        self.wire = connected(version, door, self.name, **self.options)
        wanted = [(USER, ("arena-positions", "1"))] + ([(USER, ("arena-since", start))] if time == "since" else [])
        where = f"$replay/earliest/{topic}" if time == "replay" else topic
        options = 1 | (RETAIN_AS_PUBLISHED if version == 5 else 0)
        equal(self.wire.subscribe((where, options), props=wanted if version == 5 else ()), [1])

    def cut(self):
        """Behind the first message, whose acknowledgement has arrived."""
        self.read(len(BEFORE))
        self.wire.ping()
        self.wire.reset()

    def resume(self):
        self.wire = connected(self.version, self.door, self.name, **self.options)
        equal(self.wire.connack.session_present, True)

    def read(self, count=None):
        while count is None or len(self.got) < count:
            got = self.wire.expect(PUBLISH)
            if got.qos:
                self.wire.send(ack(PUBACK, got.packet_id))
            if got.payload == END:
                break
            self.got.append(self.shown(got))
        return self.got

    def shown(self, got):
        shown = {"topic": got.topic, "payload": got.payload, "retain": got.retain, "dup": got.dup, "qos": got.qos}
        if self.version == 5:
            headers = [value for key, value in got.all_props if key == USER]
            shown.update(headers=sorted(pair for pair in headers if pair[0] != "arena-position"), content_type=got.props.get(CONTENT_TYPE),
                         position=[value for name, value in headers if name == "arena-position"])
        return shown

    def close(self):
        self.wire.close()


class ByEvents:
    def __init__(self, door, time, topic, start):
        self.door, self.query, self.got = door, f"topic={quote(topic)}", []
        self.follower = self.follow(f"&after={start}" if time == "replay" else "")

    def follow(self, more="", last_id=None):
        if self.door == "http/1.1":
            return web.Follower(self.query + more, last_id, port=broker.http_port)
        url, how = HTTP[self.door]
        return web.CurlFollower(self.query + more, last_id, url=url, arguments=how)

    def cut(self):
        self.read(len(BEFORE))
        self.follower.close()

    def resume(self):
        self.follower = self.follow(last_id=self.follower.last_id)

    def read(self, count=None):
        while count is None or len(self.got) < count:
            got = self.follower.next()
            if got["payload"] == END.decode():
                break
            self.got.append({"json": got, "event id": self.follower.last_id})
        return self.got

    def close(self):
        self.follower.close()


class ByPolls:
    """The next request waits already while the answer to the one before is worked on."""

    def __init__(self, _door, _time, topic, start):
        self.path, self.after, self.got, self.ended = f"/v1/topics/{quote(topic)}?wait=10&limit=2", start, [], False
        self.ask()

    def ask(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", broker.http_port, timeout=10 * SLOW)
        self.connection.request("GET", f"{self.path}&after={self.after}")

    def cut(self):
        """Behind the first answer, while the next request waits."""
        self.read(len(BEFORE))

    def resume(self):
        self.connection.close()  # whatever was answered meanwhile is lost
        self.ask()

    def read(self, count=None):
        while not self.ended and (count is None or len(self.got) < count):
            answer = self.connection.getresponse()
            page = receipt((answer.status, answer.read().decode()))
            self.connection.close()
            assert 0 < len(page["items"]) <= 2 and "gap" not in page, page
            self.ended = page["items"][-1]["payload"] == END.decode()
            self.got += [{"json": one} for one in page["items"] if one["payload"] != END.decode()]
            self.after = page["next"]
            if not self.ended:
                self.ask()
        return self.got

    def close(self):
        self.connection.close()


RECEIVERS = {
    **{f"mqtt {name} {door}": functools.partial(ByMqtt, version, door) for name, version in (("3.1.1", 4), ("5", 5)) for door in ("tcp", "tls", "ws")},
    "events http/1.1": functools.partial(ByEvents, "http/1.1"),
    "events http/2": functools.partial(ByEvents, "http/2"),
    "poll": functools.partial(ByPolls, "http/1.1"),
}
