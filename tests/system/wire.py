"""MQTT by hand over a plain socket, for tests that must say exactly which bytes go out and look at what comes
back. Versions: 3 (3.1), 4 (3.1.1), 5."""
import socket
import struct
import time

from broker import SLOW

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, \
    PINGRESP, DISCONNECT, AUTH = range(1, 16)

# Property kinds: b byte, h two-byte, i four-byte, v variable-length, s string, d binary, p string pair
PROPERTIES = {1: "b", 2: "i", 3: "s", 8: "s", 9: "d", 11: "v", 17: "i", 18: "s", 19: "h", 21: "s", 22: "d", 23: "b",
              24: "i", 25: "b", 26: "s", 28: "s", 31: "s", 33: "h", 34: "h", 35: "h", 36: "b", 37: "b", 38: "p",
              39: "i", 40: "b", 41: "b", 42: "b"}
PAYLOAD_FORMAT, EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION, SUBSCRIPTION_ID, SESSION_EXPIRY, ASSIGNED_ID, \
    SERVER_KEEP_ALIVE, AUTH_METHOD, AUTH_DATA, REQUEST_PROBLEM, WILL_DELAY, REQUEST_RESPONSE, RESPONSE_INFO, \
    REASON, RECEIVE_MAX, ALIAS_MAX, ALIAS, MAX_QOS, RETAIN_AVAILABLE, USER, PACKET_MAX = \
    1, 2, 3, 8, 9, 11, 17, 18, 19, 21, 22, 23, 24, 25, 26, 31, 33, 34, 35, 36, 37, 38, 39


def varint(n):
    out = bytearray()
    while True:
        n, byte = n >> 7, n & 0x7F
        out.append(byte | (0x80 if n else 0))
        if not n:
            return bytes(out)


def string(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack(">H", len(data)) + data


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def one_property(key, value):
    kind = PROPERTIES[key]
    data = {"b": lambda: bytes([value]), "h": lambda: struct.pack(">H", value), "i": lambda: struct.pack(">I", value),
            "v": lambda: varint(value), "s": lambda: string(value), "d": lambda: string(value),
            "p": lambda: string(value[0]) + string(value[1])}[kind]()
    return bytes([key]) + data


def properties(version, pairs=()):
    """The property block; pairs: [(id, value)]. Nothing before version 5."""
    if version < 5:
        return b""
    data = b"".join(one_property(key, value) for key, value in pairs)
    return varint(len(data)) + data


def connect(version, client_id="", clean=True, keep_alive=60, props=(), will=None, user=None, password=None,
            flags=None, name=None, level=None):
    """will: (topic, payload, qos, retain, properties)."""
    bits = 2 if clean else 0
    tail = string(client_id)
    if will:
        topic, payload, qos, retain, will_props = will
        bits |= 4 | qos << 3 | (32 if retain else 0)
        tail += properties(version, will_props) + string(topic) + string(payload)
    if user is not None:
        bits |= 128
        tail += string(user)
    if password is not None:
        bits |= 64
        tail += string(password)
    head = string(name or ("MQIsdp" if version == 3 else "MQTT"))
    head += bytes([version if level is None else level, bits if flags is None else flags])
    return packet(CONNECT, head + struct.pack(">H", keep_alive) + properties(version, props) + tail)


def publish(version, topic, payload=b"", qos=0, packet_id=None, retain=False, dup=False, props=(), flags=None):
    body = string(topic)
    if qos:
        body += struct.pack(">H", 1 if packet_id is None else packet_id)
    data = payload.encode() if isinstance(payload, str) else payload
    bits = (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    return packet(PUBLISH, body + properties(version, props) + data, bits if flags is None else flags)


def subscribe(version, filters, packet_id=1, props=(), flags=2):
    """filters: [(filter, options byte)]."""
    body = struct.pack(">H", packet_id) + properties(version, props)
    return packet(SUBSCRIBE, body + b"".join(string(f) + bytes([o]) for f, o in filters), flags)


def unsubscribe(version, filters, packet_id=1, flags=2):
    body = struct.pack(">H", packet_id) + properties(version)
    return packet(UNSUBSCRIBE, body + b"".join(string(f) for f in filters), flags)


def ack(kind, packet_id, reason=None, flags=None):
    body = struct.pack(">H", packet_id) + (b"" if reason is None else bytes([reason]))
    return packet(kind, body, (2 if kind == PUBREL else 0) if flags is None else flags)


class Packet:
    """One received packet, taken apart as far as tests look."""

    def __init__(self, version, first, body):
        self.kind, self.flags, self.body, self.props = first >> 4, first & 15, body, {}
        self.all_props = []
        self.reason = None
        self.at = 0
        getattr(self, f"_read_{self.kind}", lambda v: None)(version)

    def __repr__(self):
        return f"packet {self.kind} flags {self.flags} body {self.body[:40].hex()} reason {self.reason}"

    def _take(self, n):
        if self.at + n > len(self.body):
            raise AssertionError(f"broker sent a short packet: {self.kind} {self.body.hex()}")
        self.at += n
        return self.body[self.at - n:self.at]

    def _short(self):
        return struct.unpack(">H", self._take(2))[0]

    def _varint(self):
        value = shift = 0
        while True:
            byte = self._take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def _properties(self, version):
        if version < 5:
            return
        length = self._varint()
        end = self.at + length
        while self.at < end:
            key = self._take(1)[0]
            kind = PROPERTIES[key]
            if kind == "b":
                value = self._take(1)[0]
            elif kind == "h":
                value = self._short()
            elif kind == "i":
                value = struct.unpack(">I", self._take(4))[0]
            elif kind == "v":
                value = self._varint()
            elif kind == "p":
                value = (self._take(self._short()).decode(), self._take(self._short()).decode())
            else:
                data = self._take(self._short())
                value = data.decode() if kind == "s" else data
            self.all_props.append((key, value))
            self.props[key] = value

    def _read_2(self, version):  # CONNACK
        self.session_present = bool(self._take(1)[0] & 1)
        self.reason = self._take(1)[0]
        self._properties(version)

    def _read_3(self, version):  # PUBLISH
        self.qos, self.retain, self.dup = self.flags >> 1 & 3, bool(self.flags & 1), bool(self.flags & 8)
        self.topic = self._take(self._short()).decode()
        self.packet_id = self._short() if self.qos else None
        self._properties(version)
        self.payload = self.body[self.at:]

    def _read_ack(self, version):
        self.packet_id = self._short()
        self.reason = self._take(1)[0] if version == 5 and len(self.body) > 2 else 0
        if version == 5 and len(self.body) > 3:
            self._properties(version)

    _read_4 = _read_5 = _read_6 = _read_7 = _read_ack

    def _read_9(self, version):  # SUBACK, UNSUBACK
        self.packet_id = self._short()
        self._properties(version)
        self.reasons = list(self.body[self.at:])

    _read_11 = _read_9

    def _read_14(self, version):  # DISCONNECT
        self.reason = self.body[0] if self.body else 0
        if len(self.body) > 1:
            self.at = 1
            self._properties(version)


class Wire:
    """A connection with no manners: sends what it is told. All waiting has a deadline."""

    def __init__(self, port, version=4, seconds=5, connection=None):
        """connection: one that is there already, over TLS or a WebSocket."""
        self.version, self.seconds = version, seconds * SLOW
        self.socket = connection or socket.create_connection(("127.0.0.1", port), timeout=self.seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Vanishes with a TCP reset, as a device does that loses power."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *packets):
        self.socket.sendall(b"".join(packets))
        return self

    def send_bytes_apart(self, data):
        """Each byte in its own segment."""
        for i in range(len(data)):
            self.socket.sendall(data[i:i + 1])
        return self

    def _fill(self, deadline):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise AssertionError("the broker sent nothing in time")
        self.socket.settimeout(remaining)
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            raise AssertionError("the broker sent nothing in time") from None
        except ConnectionError:
            data = b""
        if not data:
            return False
        self.buffer += data
        return True

    def read(self, seconds=None):
        """The next packet, or None when the broker has closed the connection."""
        deadline = time.monotonic() + (self.seconds if seconds is None else seconds * SLOW)
        while True:
            found = self._next()
            if found:
                return found
            if not self._fill(deadline):
                return None

    def _next(self):
        length = shift = 0
        for at, byte in enumerate(self.buffer[1:5], 1):
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                if len(self.buffer) < at + 1 + length:
                    return None
                found = Packet(self.version, self.buffer[0], self.buffer[at + 1:at + 1 + length])
                self.buffer = self.buffer[at + 1 + length:]
                return found
        return None

    def expect(self, kind, **attributes):
        """The next packet, which must be of this kind and carry these attributes."""
        got = self.read()
        if got is None:
            raise AssertionError(f"closed by the broker while waiting for packet {kind} {attributes}")
        if got.kind != kind or any(getattr(got, k) != v for k, v in attributes.items()):
            raise AssertionError(f"got {got!r}, wanted packet {kind} {attributes}")
        return got

    def expect_closed(self):
        got = self.read()
        if got is not None:
            raise AssertionError(f"got {got!r}, wanted the connection closed")

    def ping(self):
        """A round trip: all that was sent before it has been handled, and nothing else has come."""
        return self.send(packet(PINGREQ)).expect(PINGRESP)

    def open(self, client_id="", **options):
        """CONNECT, accepted; returns the CONNACK."""
        self.send(connect(self.version, client_id, **options))
        return self.expect(CONNACK, reason=0)

    def subscribe(self, *filters, packet_id=1, props=()):
        """filters: 'a/b' at most once, or ('a/b', options). Returns the SUBACK's reasons."""
        pairs = [f if isinstance(f, tuple) else (f, 0) for f in filters]
        self.send(subscribe(self.version, pairs, packet_id, props))
        return self.expect(SUBACK, packet_id=packet_id).reasons

    def leave(self):
        """DISCONNECT, and waits until the broker has closed."""
        self.send(packet(DISCONNECT))
        self.expect_closed()
        self.close()


def opened(port, version, client_id="", **options):
    """A connection that is already accepted."""
    wire = Wire(port, version)
    wire.connack = wire.open(client_id, **options)
    return wire
