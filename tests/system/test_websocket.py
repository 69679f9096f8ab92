#!/usr/bin/env python3
"""MQTT over WebSocket, in the clear and over TLS: paho's own WebSocket, sockets with frames made by hand, and what is refused."""
import os
import queue
import socket
import ssl
import struct
import subprocess
import tempfile
import time

import paho.mqtt.client as paho

import web
from broker import AUTH_RULES, AUTH_USERS, SLOW, Broker, arena_bin, quote
from harness import add, equal, eventually, run_all, test
from ports import free_port
from web import frame
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import

FOLDER = tempfile.mkdtemp(prefix="arena-websocket-")


def path(name):
    return os.path.join(FOLDER, name)


web.certificate(FOLDER)


class WebBroker(Broker):
    """HTTP in the clear at http_port, and with TLS at tls_port."""

    def __init__(self, threads=0, **more):
        self.tls_port, self.threads = free_port(), threads
        super().__init__(configured=True, http=True, **more)

    def config_text(self):
        text = super().config_text().replace(
            f"port = {self.http_port} }}]", f'port = {self.http_port} }}, {{ address = "127.0.0.1", port = {self.tls_port}, tls = true }}]')
        return (f"[server]\nthreads = {self.threads}\n[tls]\ncertificate_file = {quote(path('crt.pem'))}\nkey_file = {quote(path('key.pem'))}\n"
                f"[websocket]\nframe_bytes_max = 100000\nmessage_bytes_max = 200000\nidle_frames_per_s = 20\n{text}")


broker = WebBroker(threads=3, mqtt={"connect_timeout_ms": 1000}).start()
guarded = WebBroker(users=AUTH_USERS, rules=AUTH_RULES)


# -- Paho

class Client:
    def __init__(self, version, name, tls=False, port=None, user=None, where="/mqtt", **more):
        self.messages, self.connected, self.gone = queue.Queue(), queue.Queue(), queue.Queue()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, name, transport="websockets", protocol=version,
                                  reconnect_on_failure=False, **more)
        self.client.ws_set_options(path=where)
        if tls:
            self.client.tls_set(ca_certs=path("crt.pem"))
        if user:
            self.client.username_pw_set(*user)
        self.client.on_message = lambda c, u, m: self.messages.put((m.topic, m.payload, m.qos))
        self.client.on_connect = lambda c, u, flags, reason, p: self.connected.put((reason.value, flags.session_present))
        self.client.on_disconnect = lambda c, u, flags, reason, p: self.gone.put(reason)
        self.client.connect("localhost", port or (broker.tls_port if tls else broker.http_port))
        self.client.loop_start()

    def open(self):
        equal(self.connected.get(timeout=5 * SLOW)[0], 0, "CONNACK")
        return self

    def subscribe(self, topic, qos):
        done = queue.Queue()
        self.client.on_subscribe = lambda c, u, mid, reasons, p: done.put(reasons)
        self.client.subscribe(topic, qos)
        equal(done.get(timeout=5 * SLOW)[0].value, qos, "SUBACK")

    def next(self):
        return self.messages.get(timeout=10 * SLOW)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


def paho_round_trip(version, tls):
    name = f"{version}-{tls}"
    listener, speaker = Client(version, f"in-{name}", tls).open(), Client(version, f"out-{name}", tls).open()
    listener.subscribe(f"paho/{name}/#", 2)
    for qos in (0, 1, 2):
        for size in (0, 10, 150, 70_000):
            speaker.client.publish(f"paho/{name}/{qos}/{size}", b"x" * size, qos).wait_for_publish(5 * SLOW)
            equal(listener.next(), (f"paho/{name}/{qos}/{size}", b"x" * size, qos))
    speaker.leave()
    listener.leave()


for v in (paho.MQTTv31, paho.MQTTv311, paho.MQTTv5):
    for t in (False, True):
        add(f"paho v{v} over {'wss' if t else 'ws'}", paho_round_trip, v, t)


@test(seconds=40)
def many_messages_between_tcp_and_websocket():
    over_tcp = paho.Client(paho.CallbackAPIVersion.VERSION2, "tcp", protocol=paho.MQTTv5)
    over_tcp.connect("localhost", broker.port)
    over_tcp.loop_start()
    listener = Client(paho.MQTTv5, "many").open()
    listener.subscribe("many/#", 1)
    for n in range(3000):
        over_tcp.publish(f"many/{n % 7}", str(n), n % 2)
    got = sorted(int(listener.next()[1]) for _ in range(3000))
    equal(got, list(range(3000)))
    over_tcp.disconnect()
    over_tcp.loop_stop()
    listener.leave()


def paho_wrong_password(tls):
    port = guarded.reachable() and (guarded.tls_port if tls else guarded.http_port)
    client = Client(paho.MQTTv5, "bob", tls, port=port, user=("bob", "wrong"))
    equal(client.connected.get(timeout=5 * SLOW)[0], 0x86)
    client.client.loop_stop()
    client = Client(paho.MQTTv5, "bob", tls, port=port, user=("bob", "builder")).open()
    client.leave()


add("paho's password over ws", paho_wrong_password, False)
add("paho's password over wss", paho_wrong_password, True)


# -- MQTT.js; its whole suite runs over ws in run.py

@test(seconds=40)
def mqttjs_over_wss():
    done = subprocess.run(["node", os.path.join(os.path.dirname(os.path.abspath(__file__)), "mqttjs", "over_wss.cjs"),
                           f"wss://localhost:{broker.tls_port}/mqtt", path("crt.pem")], capture_output=True, text=True, timeout=30 * SLOW)
    equal((done.returncode, done.stdout), (0, "well\n"), done.stderr)


# -- Frames by hand

class Socket(web.WebSocket):
    """A WebSocket of the broker's."""

    def __init__(self, port=None, tls=False, **more):
        port = port or (broker.tls_port if tls else broker.http_port)
        connection = socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW)
        if tls:
            connection = ssl.create_default_context(cafile=path("crt.pem")).wrap_socket(connection, server_hostname="localhost")
        super().__init__(connection, port, **more)


PING, PONG = b"\xc0\x00", (2, b"\xd0\x00")


def opened(tls=False, client_id="by-hand"):
    one = Socket(tls=tls)
    equal(one.status, 101)
    one.send(frame(0x82, connect(5, client_id)))
    opcode, payload = one.receive()
    equal((opcode, payload[0] >> 4), (2, 2), "CONNACK in a binary frame")
    return one


@test
def the_handshake_is_answered_as_it_should():
    one = Socket(protocol="x, mqtt")
    equal(one.status, 101)
    assert "sec-websocket-protocol: mqtt\r\n" in one.head + "\r\n", one.head
    for fields in ({"protocol": ""}, {"protocol": "other"}):
        equal(Socket(**fields).status, 400)
    equal(Socket(where="/elsewhere").status, 404)
    equal(Socket(fields="Origin: http://evil.example\r\n").status, 403)
    equal(Socket(fields=f"Origin: http://localhost:{broker.http_port}\r\n").status, 101)


@test
def what_may_not_be_sent_is_told_by_its_code():
    for code, frames in ((1003, [frame(0x81, b"text")]), (1002, [frame(0x83, b"")]), (1002, [frame(0x82, b"x", masked=False)]),
                         (1002, [frame(0xc2, b"x")]), (1002, [frame(0x09, b"")]), (1009, [frame(0x02, b"x" * 100_001)]),
                         (1009, [frame(0x02, b"")] + [frame(0x00, PING * 40_000)] * 3), (1008, [frame(0x89, b"")] * 500),
                         (1000, [frame(0x88, struct.pack("!H", 1000))]), (1002, [frame(0x88, struct.pack("!H", 1005))])):
        one = opened()
        try:
            one.send(*frames)
        except (BrokenPipeError, ConnectionResetError):
            pass
        one.expect_close(code)


def pieces(tls):
    one = opened(tls)
    packets = PING * 50
    for n in range(0, len(packets), 3):
        one.send(frame(0x82, packets[n:n + 3]))
    got = b""
    while len(got) < 100:
        opcode, payload = one.receive()
        equal(opcode, 2)
        got += payload
    equal(got, PONG[1] * 50)
    one.send(frame(0x89, b"hello"))
    equal(one.receive(), (10, b"hello"))
    one.send(frame(0x82, b"\xe0\x00"))  # DISCONNECT
    one.expect_close(1000)


add("packets in frames any way, over ws", pieces, False)
add("packets in frames any way, over wss", pieces, True)


@test
def who_does_not_say_connect_in_time_is_closed():
    one = Socket()
    start = time.monotonic()
    one.expect_close(1000)
    assert 0.5 < time.monotonic() - start < 5 * SLOW


@test
def whose_socket_breaks_leaves_a_will():
    with Wire(broker.port, 5) as watcher:
        watcher.open("watcher")
        watcher.subscribe("will/ws")
        one = Socket()
        one.send(frame(0x82, connect(5, "dying", will=("will/ws", "gone", 0, False, ()))))
        one.receive()
        one.send(frame(0x88, struct.pack("!H", 1001)))
        watcher.expect(PUBLISH, payload=b"gone")


def commands(url, more):
    listener = subprocess.Popen([arena_bin(), "sub", "-h", url, *more, "--count", "3", "cli/#"], stdout=subprocess.PIPE, text=True)
    with Wire(broker.port, 5) as speaker:
        speaker.open()
        speaker.send(publish(5, "cli/ready", b"ready", retain=True)).ping()
    got = listener.stdout.readline()
    for n in (1, 2):
        subprocess.run([arena_bin(), "pub", "-h", url, *more, f"cli/{n}", "x" * 50_000 if n == 2 else "short"], check=True, timeout=10 * SLOW)
    got += listener.communicate(timeout=10 * SLOW)[0]
    equal(listener.returncode, 0)
    assert "ready" in got and "short" in got and "x" * 50_000 in got, got[:200]
    with Wire(broker.port, 5) as speaker:
        speaker.open()
        speaker.send(publish(5, "cli/ready", b"", retain=True)).ping()


add("arena pub and sub over ws", commands, f"ws://127.0.0.1:{broker.http_port}", [])
add("arena pub and sub over wss", commands, f"wss://localhost:{broker.tls_port}/mqtt", ["--cafile", path("crt.pem")])


@test
def arena_pub_says_why_it_cannot():
    done = subprocess.run([arena_bin(), "pub", "-h", f"ws://127.0.0.1:{broker.http_port}/elsewhere", "a", "b"], capture_output=True, text=True, timeout=10 * SLOW)
    equal(done.returncode, 1)
    assert "404" in done.stderr, done.stderr


@test
def the_echo_is_for_this_machine_and_only_when_asked_for():
    equal(Socket(where="/debug/echo", protocol="").status, 404)
    with Broker(http=True, configured=True, more="[debug]\nenabled = true\n") as debug:
        one = Socket(debug.http_port, where="/debug/echo", protocol="", fields="Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
        equal(one.status, 101)
        assert "permessage-deflate; server_no_context_takeover; client_no_context_takeover" in one.head, one.head
        big = os.urandom(3_000_000)
        one.send(frame(0x01, b"a"), frame(0x80, b"b"), frame(0x82, big), frame(0xc1, bytes([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])))
        equal(one.receive(), (1, b"ab"))
        equal(one.receive(), (2, big))
        equal(one.receive(), (1, bytes([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])), "Hello, compressed")
        one.send(frame(0x88, struct.pack("!H", 1000)))
        one.expect_close(1000)


@test
def the_counters_tell():
    def metrics():
        with socket.create_connection(("127.0.0.1", broker.http_port), timeout=10 * SLOW) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = b""
            while more := connection.recv(65536):
                text += more
            return text.decode()
    one = opened(client_id="counted")
    assert "\narena_websocket_connections " in metrics()
    eventually(lambda: "arena_websocket_connections 1\n" in metrics(), "one WebSocket")
    one.socket.close()
    eventually(lambda: "arena_websocket_connections 0\n" in metrics(), "none")
    for reason in ("malformed", "not_binary", "too_big", "idle_frames"):
        assert f'arena_websocket_failed_total{{reason="{reason}"}} 0\n' not in metrics(), reason


add("both brokers end well", lambda: equal((broker.stop(), guarded.stop() or 0), (0, 0), "exit codes"))
run_all()
