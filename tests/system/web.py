"""HTTP clients for tests: curl, a reader of server-sent events, a WebSocket; and MQTT clients to hold beside them."""
import base64
import http.client
import json
import os
import struct
import subprocess

from broker import SLOW
from harness import equal


def curl(path, *arguments, port=None, url=None, body=None):
    """Status and body; with a body (bytes), it is published."""
    sent = ["--data-binary", "@-"] if body is not None else []
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(10 * SLOW), "--write-out", "\n%{http_code}", *arguments, *sent,
                           f"{url or f'http://127.0.0.1:{port}'}{path}"], capture_output=True, encoding="utf-8", errors="surrogateescape",
                          input=None if body is None else body.decode("utf-8", "surrogateescape"))
    if done.returncode:
        raise AssertionError(f"curl: {done.returncode} {done.stderr}")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def certificate(folder):
    """crt.pem and key.pem for localhost."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", os.path.join(folder, "key.pem"), "-out", os.path.join(folder, "crt.pem")],
                   check=True, capture_output=True)


class Listener:
    """mosquitto_sub, which shows MQTT 5 properties."""

    def __init__(self, topic, port, arguments=(), count=1):
        self.process = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-V", "5", "-p", str(port), "-q", "1", "-t", topic, "-C", str(count), "-W", str(int(10 * SLOW)),
                                         "-F", "%t|%p|%q|%r|%P|%C", "-d", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "Subscribed" in line:
                return
        raise AssertionError("mosquitto_sub did not subscribe")

    def lines(self):
        lines = [line.rstrip("\n") for line in self.process.stdout]  # it ends by itself (-W)
        self.process.wait(5 * SLOW)
        return [line for line in lines if line.count("|") >= 5]


class EventsEnded(AssertionError):
    """Somebody has closed a stream of events."""


class Follower:
    """Reads server-sent events in a thread-less way: line by line from a socket of its own."""

    def __init__(self, query, last_id=None, *, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * SLOW)
        self.connection.request("GET", "/v1/events?" + query, headers={"Last-Event-ID": last_id} if last_id else {})
        self.answer = self.connection.getresponse()
        equal((self.answer.status, self.answer.headers["Content-Type"]), (200, "text/event-stream"))
        self.last_id = last_id
        while not self.last_id:
            self.block()

    def line(self):
        line = self.answer.readline().decode()
        if not line:
            raise EventsEnded("the events ended")
        return line.rstrip("\r\n")

    def block(self):
        """The next event, or None for a block that is none."""
        event = {}
        while line := self.line():
            name, _, value = line.partition(": ")
            event[name] = value
        self.last_id = event.get("id", self.last_id)
        return event if "data" in event else None

    def next(self):
        while not (event := self.block()):
            pass
        return json.loads(event["data"])

    def close(self):
        self.connection.sock and self.connection.sock.close()
        self.answer.close()


class CurlFollower(Follower):
    """The same through curl, which speaks HTTP/2."""

    def __init__(self, query, last_id=None, *, url, arguments=()):  # pylint: disable=super-init-not-called
        resume = ["-H", f"Last-Event-ID: {last_id}"] if last_id else []
        self.process = subprocess.Popen(["curl", "-sNi", "--max-time", str(10 * SLOW), *arguments, *resume, f"{url}/v1/events?{query}"], stdout=subprocess.PIPE)
        self.answer = self.process.stdout
        equal(self.line().split()[:2], ["HTTP/2", "200"])
        while self.line():
            pass
        self.last_id = last_id
        while not self.last_id:
            self.block()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.answer.close()


def mqtt_publish(topic, text, port):
    subprocess.run(["mosquitto_pub", "-p", str(port), "-q", "1", "-t", topic, "-m", text], check=True, timeout=10 * SLOW)


# -- WebSocket

def frame(first, payload, masked=True):
    size = len(payload)
    bit = 0x80 if masked else 0
    head = bytes([first, bit | (size if size < 126 else 126 if size < 65536 else 127)])
    head += b"" if size < 126 else struct.pack("!H", size) if size < 65536 else struct.pack("!Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


class WebSocket:
    """A WebSocket over a connection, whose frames are made by hand."""

    def __init__(self, connection, port, fields="", where="/mqtt", protocol="mqtt"):
        self.socket, self.rest = connection, b""
        self.socket.sendall((
            f"GET {where} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            + (f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else "") + fields + "\r\n").encode())
        while b"\r\n\r\n" not in self.rest:
            more_bytes = self.socket.recv(65536)
            assert more_bytes, "closed instead of an answer"
            self.rest += more_bytes
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.status, self.head = int(head.split()[1]), head.decode()

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def need(self, size):
        while len(self.rest) < size:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.rest += more

    def receive(self):
        """Opcode and payload of the next frame."""
        self.need(2)
        opcode, size, at = self.rest[0] & 15, self.rest[1], 2
        assert size < 128, "a server does not mask"
        if size >= 126:
            at = 4 if size == 126 else 10
            self.need(at)
            size = int.from_bytes(self.rest[2:at], "big")
        self.need(at + size)
        payload, self.rest = self.rest[at:at + size], self.rest[at + size:]
        return opcode, payload

    def expect_close(self, code):
        while True:
            opcode, payload = self.receive()
            if opcode == 8:
                break
        equal(int.from_bytes(payload[:2], "big"), code, "close code")
        try:
            self.need(len(self.rest) + 1)
        except (EOFError, ConnectionResetError):
            return
        raise AssertionError("the connection goes on behind its close")


class BytesInFrames(WebSocket):
    """What a Wire takes for a socket: its bytes go in binary frames."""

    def __init__(self, connection, port):
        super().__init__(connection, port)
        equal(self.status, 101)

    def sendall(self, data):
        self.send(frame(0x82, data))

    def recv(self, _size):
        try:
            opcode, payload = self.receive()
        except EOFError:
            return b""
        equal(opcode == 8 or opcode == 2, True, "a binary frame")
        return b"" if opcode == 8 else payload

    def __getattr__(self, name):
        return getattr(self.socket, name)
