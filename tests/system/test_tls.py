#!/usr/bin/env python3
"""MQTT over TLS with clients that others wrote: mosquitto's, Paho, Python's ssl, openssl s_client. What is refused, what is
reloaded, what is resumed."""
import json
import os
import queue
import socket
import ssl
import subprocess
import tempfile
import time

import paho.mqtt.client as paho

from broker import SLOW, Broker, arena_bin, quote
from harness import add, eventually, equal, run_all, test
from ports import free_port
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import

FOLDER = tempfile.mkdtemp(prefix="arena-tls-")


def openssl(*arguments, text=""):
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True, cwd=FOLDER,
                          timeout=20 * SLOW)
    return done.stdout + done.stderr


def path(name):
    return os.path.join(FOLDER, name)


def make_ca(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")


def issue(name, ca, names, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    with open(path(f"{name}.ext"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=" + ",".join(names))
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days",
            "20", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
    assert os.path.getsize(path(f"{name}.crt")) > 0, name


HERE = ["DNS:localhost", "IP:127.0.0.1"]
make_ca("ca")
make_ca("stranger")
issue("server", "ca", HERE)
issue("renewed", "ca", HERE)
issue("rsa", "ca", HERE, kind=("rsa:2048",))
issue("second", "ca", ["DNS:second.example", "DNS:*.wild.example"])
issue("device", "ca", ["DNS:device-1"])
issue("impostor", "stranger", ["DNS:device-1"])


class TlsBroker(Broker):
    """One listener in the clear at `port`, one with TLS at `tls_port`."""

    def __init__(self, tls=None, certificate="server", threads=0, **more):
        super().__init__(configured=True, **more)
        self.tls_port, self.tls, self.threads = free_port(), dict(tls or {}), threads
        self.show(certificate)

    def show(self, certificate):
        self.tls["certificate_file"] = quote(path(f"{certificate}.crt"))
        self.tls["key_file"] = quote(path(f"{certificate}.key"))

    def config_text(self):
        text = super().config_text().replace(
            f"port = {self.port} }}]",
            f'port = {self.port} }}, {{ address = "127.0.0.1", port = {self.tls_port}, tls = true }}]')
        tls = "".join(f"{key} = {value}\n" for key, value in self.tls.items())
        return f"[server]\nthreads = {self.threads}\n{text}[tls]\n{tls}"

    def reload(self):
        """Waits until the log says that the files were read; the threads take them a moment later."""
        before = self.log().count("reload")
        self.write_config()
        self.hang_up()
        eventually(lambda: self.log().count("reload") > before, "a word about the reload")


broker = TlsBroker(threads=3).start()


def context(ca="ca", version=None, certificate=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(path(f"{ca}.crt"))
    if version:
        made.minimum_version = made.maximum_version = version
    if certificate:
        made.load_cert_chain(path(f"{certificate}.crt"), path(f"{certificate}.key"))
    return made


class TlsWire(Wire):
    def __init__(self, port, version=4, tls=None, session=None, name="localhost"):
        super().__init__(port, version)
        self.socket = (tls or context()).wrap_socket(self.socket, server_hostname=name, session=session)


def shown_certificate(port, name="localhost"):
    """The subject that a client is shown."""
    text = openssl("s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-CAfile", "ca.crt")
    return next((line for line in text.splitlines() if line.startswith("subject=")), text)


def is_refused(action):
    try:
        action()
    except (OSError, AssertionError):
        return True
    return False


def refused(action):
    assert is_refused(action), "was not refused"


def speaks(wire, client_id):
    wire.send(connect(wire.version, client_id))
    wire.expect(CONNACK, reason=0)


# -- Clients

def mosquitto_round_trip(version, qos):
    topic = f"mosquitto/{version}/{qos}"
    common = ["-h", "localhost", "-p", str(broker.tls_port), "--cafile", path("ca.crt"), "--tls-version", version, "-q",
              str(qos)]
    for n in range(3):
        subprocess.run(["mosquitto_pub", *common, "-r", "-t", f"{topic}/{n}", "-m", f"message {n}"], check=True,
                       timeout=10 * SLOW)
    out = subprocess.run(["mosquitto_sub", *common, "-C", "3", "-t", f"{topic}/+"], check=True, text=True,
                         timeout=10 * SLOW, capture_output=True).stdout
    equal(sorted(out.splitlines()), ["message 0", "message 1", "message 2"])


for v in ("tlsv1.2", "tlsv1.3"):
    for q in (0, 1, 2):
        add(f"mosquitto's clients, {v}, QoS {q}", mosquitto_round_trip, v, q)


@test
def paho_with_large_and_many_messages():
    got = queue.Queue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "paho-tls", protocol=paho.MQTTv5)
    client.tls_set_context(context())
    client.on_message = lambda c, u, m: got.put(m.payload)
    subscribed = queue.Queue()
    client.on_subscribe = lambda *_: subscribed.put(1)
    client.connect("localhost", broker.tls_port)
    client.loop_start()
    client.subscribe("paho/tls", 1)
    subscribed.get(timeout=5 * SLOW)
    sent = [bytes([n % 256]) * (300_000 if n % 50 == 0 else 20) for n in range(200)]
    for payload in sent:
        client.publish("paho/tls", payload, 1)
    equal([got.get(timeout=10 * SLOW) for _ in sent], sent)
    client.disconnect()
    client.loop_stop()


@test
def tls_and_clear_meet_on_a_topic():
    with TlsWire(broker.tls_port) as safe, Wire(broker.port) as clear:
        speaks(safe, "safe")
        speaks(clear, "clear")
        safe.subscribe("meet")
        clear.send(publish(4, "meet", "from the clear"))
        equal(safe.expect(PUBLISH).payload, b"from the clear")


@test
def what_comes_with_the_connect_survives_the_move_to_another_thread():
    """CONNECT, SUBSCRIBE and PUBLISH in one record behind the handshake; the session may live on any of three threads."""
    for n in range(30):
        with TlsWire(broker.tls_port, 5) as wire:
            topic, data = f"moved/{n}", bytes([n]) * (40_000 if n % 3 == 0 else 10)
            wire.send(connect(5, f"moved-{n}") + subscribe(5, [(topic, 0)]) + publish(5, topic, data))
            wire.expect(CONNACK, reason=0)
            got = [wire.read() for _ in range(2)]
            equal([p.payload for p in got if p.kind == PUBLISH], [data])


@test
def a_slow_reader_gets_everything_in_order():
    with TlsWire(broker.tls_port) as slow, Wire(broker.port) as clear:
        speaks(slow, "slow")
        speaks(clear, "fast")
        slow.subscribe("slow")
        data = [bytes([n]) * 100_000 for n in range(30)]
        for one in data:
            clear.send(publish(4, "slow", one))
        time.sleep(0.2)  # only so that it is slow
        equal([slow.expect(PUBLISH).payload for _ in data], data)


# -- Who is refused

@test
def old_protocols_are_refused():
    for version in ("-tls1", "-tls1_1"):
        text = openssl("s_client", "-connect", f"127.0.0.1:{broker.tls_port}", version, "-cipher", "DEFAULT:@SECLEVEL=0")
        assert "Cipher is (NONE)" in text and "protocol version" in text, text


@test
def weak_ciphers_are_refused():
    for cipher in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "NULL"):
        text = openssl("s_client", "-connect", f"127.0.0.1:{broker.tls_port}", "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
        assert "Cipher is (NONE)" in text, (cipher, text)


@test
def renegotiation_and_compression_are_off():
    text = openssl("s_client", "-connect", f"127.0.0.1:{broker.tls_port}", "-tls1_2", text="R\n")
    assert "Compression: NONE" in text, text
    assert "no renegotiation" in text or "RENEGOTIATING" in text and "verify return" not in text.split("RENEGOTIATING")[1], text


@test
def a_minimum_of_1_3_refuses_1_2():
    with TlsBroker(tls={"version_min": '"1.3"'}) as strict:
        refused(lambda: TlsWire(strict.tls_port, tls=context(version=ssl.TLSVersion.TLSv1_2)))
        with TlsWire(strict.tls_port) as wire:
            equal(wire.socket.version(), "TLSv1.3")
            speaks(wire, "modern")


@test
def a_client_with_another_authority_does_not_connect():
    done = subprocess.run(["mosquitto_pub", "-h", "localhost", "-p", str(broker.tls_port), "--cafile", path("stranger.crt"),
                           "-t", "a", "-m", "b"], capture_output=True, timeout=10 * SLOW, check=False)
    assert done.returncode != 0


@test
def what_is_not_tls_is_closed():
    for hello in (connect(4, "plain"), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000):
        with socket.create_connection(("127.0.0.1", broker.tls_port), timeout=5 * SLOW) as plain:
            refused(lambda data=hello, one=plain: drain(one, data))


def drain(plain, hello):
    """Raises once the server has closed, as it should."""
    plain.sendall(hello)
    while plain.recv(4096):
        pass
    raise ConnectionError("closed")


@test
def a_handshake_that_takes_too_long_is_cut_off():
    with TlsBroker(mqtt={"connect_timeout_ms": 400}) as hasty:
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", hasty.tls_port), timeout=5 * SLOW) as slow:
            slow.sendall(b"\x16\x03\x01\x02")  # the beginning of a hello
            equal(slow.recv(100), b"")
        assert time.monotonic() - start > 0.3
        with TlsWire(hasty.tls_port) as silent:  # the handshake alone is no CONNECT
            equal(silent.socket.recv(100), b"")


@test
def many_open_handshakes_do_not_keep_others_out():
    class Few(TlsBroker):
        def config_text(self):
            return super().config_text() + "[limits]\nhalf_open_max = 20\n"
    with Few(threads=1) as few:  # so that the late one is the last to be accepted
        crowd = [socket.create_connection(("127.0.0.1", few.tls_port)) for _ in range(40)]
        for one in crowd[::2]:
            one.sendall(b"\x16\x03\x01")
        with TlsWire(few.tls_port) as wire:
            speaks(wire, "late")
        for one in crowd:
            one.close()


@test
def client_certificates_are_required_where_asked():
    with TlsBroker(tls={"client_ca_file": quote(path("ca.crt")), "client_certificates": '"required"'}) as strict:
        def come(certificate):
            with TlsWire(strict.tls_port, tls=context(certificate=certificate)) as wire:
                speaks(wire, "device-1")
        come("device")
        refused(lambda: come(None))
        refused(lambda: come("impostor"))
    with TlsBroker(tls={"client_ca_file": quote(path("ca.crt"))}) as lenient:
        for certificate in ("device", None):
            with TlsWire(lenient.tls_port, tls=context(certificate=certificate)) as wire:
                speaks(wire, "device-1")
        refused(lambda: speaks(TlsWire(lenient.tls_port, tls=context(certificate="impostor")), "device-1"))


@test
def an_rsa_certificate_serves_as_well():
    with TlsBroker(certificate="rsa") as rsa, TlsWire(rsa.tls_port) as wire:
        speaks(wire, "rsa")


# -- Files

def starts_with(**tls):
    """Why the broker does not start."""
    bad = TlsBroker()
    bad.tls.update(tls)
    try:
        bad.start()
    except RuntimeError as error:
        return str(error)
    finally:
        bad.stop()
    raise AssertionError("it started")


@test
def a_bad_file_refuses_to_start_naming_file_line_and_key():
    with open(path("junk"), "w", encoding="utf-8") as file:
        file.write("no certificate")
    for key, value, words in (("key_file", "renewed.key", "is not the key of the certificate"),
                              ("key_file", "missing.key", "No such file"),
                              ("certificate_file", "junk", "no certificate can be read"),
                              ("client_ca_file", "junk", "no certificate can be read")):
        why = starts_with(**{key: quote(path(value))})
        assert f"tls.{key}: " in why and "arena.toml:" in why and path(value) in why and words in why, why
    assert "needs tls.certificate_file" in starts_with(key_file='""')


def with_more(certificate, key):
    class More(TlsBroker):
        def config_text(self):
            return (super().config_text() + f"[[tls.certificates]]\ncertificate_file = {quote(path(certificate))}\n"
                    f"key_file = {quote(path(key))}\n")
    return More()


@test
def the_certificate_is_chosen_by_the_name_asked_for():
    with with_more("second.crt", "second.key") as two:
        for name, subject in (("second.example", "second"), ("a.wild.example", "second"), ("localhost", "server"),
                              ("unknown.example", "server"), ("a.b.wild.example", "server")):
            assert subject in shown_certificate(two.tls_port, name), (name, shown_certificate(two.tls_port, name))
        with TlsWire(two.tls_port, name="second.example") as wire:
            speaks(wire, "second")


@test
def a_bad_file_among_more_certificates_is_named():
    bad = with_more("second.crt", "server.key")
    try:
        bad.start()
        raise AssertionError("it started")
    except RuntimeError as error:
        why = str(error)
        assert "tls.certificates.key_file: " in why and path("server.key") in why and "arena.toml:" in why, why
    finally:
        bad.stop()


# -- Reload

@test
def a_new_certificate_is_shown_after_a_reload_and_a_bad_one_is_not():
    with TlsBroker() as one:
        with TlsWire(one.tls_port) as early:
            speaks(early, "early")
            assert "server" in shown_certificate(one.tls_port)
            one.show("renewed")
            one.reload()
            eventually(lambda: "renewed" in shown_certificate(one.tls_port), "the new certificate")
            one.tls["key_file"] = quote(path("server.key"))
            one.reload()
            assert "reload refused" in one.log() and "tls.key_file" in one.log(), one.log()
            assert "renewed" in shown_certificate(one.tls_port)
            early.send(packet(PINGREQ))  # who was there stays
            early.expect(PINGRESP)


# -- Resumption

def session_of(wire, client_id):
    """A ticket comes behind the handshake: something must have been read."""
    speaks(wire, client_id)
    return wire.socket.session


def resumes(port, tls, session):
    with TlsWire(port, tls=tls, session=session) as wire:
        speaks(wire, "again")
        return wire.socket.session_reused


def sessions_are_resumed(version):
    tls = context(version=version)
    with TlsWire(broker.tls_port, tls=tls) as wire:
        equal(wire.socket.session_reused, False)
        session = session_of(wire, "first")
    assert session.has_ticket
    equal([resumes(broker.tls_port, tls, session) for _ in range(5)], [True] * 5)


for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    add(f"sessions are resumed, {v.name}", sessions_are_resumed, v)


def old_tickets_are_not_taken(version):
    with TlsBroker(tls={"session_s": 1}) as short:
        tls = context(version=version)
        with TlsWire(short.tls_port, tls=tls) as wire:
            session = session_of(wire, "first")
        eventually(lambda: not resumes(short.tls_port, tls, session), "the session is too old")


def no_session_where_none_is_wanted(version):
    with TlsBroker(tls={"session_s": 0}) as never:
        tls = context(version=version)
        with TlsWire(never.tls_port, tls=tls) as wire:
            session = session_of(wire, "first")
            assert session is None or not session.has_ticket
        equal(resumes(never.tls_port, tls, session), False)


def who_lost_its_authority_does_not_resume(version):
    with TlsBroker(tls={"client_ca_file": quote(path("ca.crt")), "client_certificates": '"required"'}) as strict:
        tls = context(version=version, certificate="device")
        with TlsWire(strict.tls_port, tls=tls) as wire:
            session = session_of(wire, "first")
        equal(resumes(strict.tls_port, tls, session), True)
        strict.tls["client_ca_file"] = quote(path("stranger.crt"))
        strict.reload()
        eventually(lambda: is_refused(lambda: resumes(strict.tls_port, tls, session)), "the authority is gone")


for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    add(f"old tickets are not taken, {v.name}", old_tickets_are_not_taken, v)
    add(f"no session where none is wanted, {v.name}", no_session_where_none_is_wanted, v)
    add(f"who lost its authority does not resume, {v.name}", who_lost_its_authority_does_not_resume, v)

# -- Our own clients, `arena dev --tls`, `arena doctor`

def arena(*arguments, **options):
    return subprocess.run([arena_bin(), *arguments], capture_output=True, text=True, timeout=15 * SLOW, check=False,
                          cwd=FOLDER, **options)


def at(port, *arguments):
    return ["-h", "localhost", "-p", str(port), *arguments]


@test
def arena_pub_and_sub_speak_tls():
    trust = ("--cafile", "ca.crt")
    for version in ("3.1.1", "5"):
        flags = at(broker.tls_port, *trust, "--mqtt-version", version)
        equal(arena("pub", *flags, "-q", "1", "-r", "own/tls", "over tls").returncode, 0)
        got = arena("sub", *flags, "--count", "1", "own/tls")
        equal((got.returncode, got.stdout), (0, "over tls\n"), got.stderr)
    equal(arena("pub", *at(broker.tls_port, "--insecure"), "own/tls", "x").returncode, 0)


@test
def arena_pub_says_why_it_does_not_trust():
    for flags, words in ((["--tls"], "local issuer certificate"), (["--cafile", "stranger.crt"], "local issuer certificate"),
                         (["--cafile", "ca.crt", "--server-name", "other.example"], "hostname mismatch")):
        done = arena("pub", *at(broker.tls_port, *flags), "a", "b")
        equal(done.returncode, 1)
        assert words in done.stderr and "--cafile" in done.stderr, done.stderr
    done = arena("pub", *at(broker.port, "--tls"), "a", "b")
    assert done.returncode == 1 and "no TLS connection" in done.stderr, done.stderr
    done = arena("pub", *at(broker.tls_port, "--cafile", "nowhere.crt"), "a", "b")
    assert done.returncode == 2 and "nowhere.crt" in done.stderr, (done.returncode, done.stderr)


@test
def arena_pub_shows_its_certificate():
    with TlsBroker(tls={"client_ca_file": quote(path("ca.crt")), "client_certificates": '"required"'}) as strict:
        trust = ["--cafile", "ca.crt"]
        own = ["--cert", "device.crt", "--key", "device.key"]
        equal(arena("pub", *at(strict.tls_port, *trust, *own), "-q", "1", "a", "b").returncode, 0)
        equal(arena("pub", *at(strict.tls_port, *trust), "-q", "1", "a", "b").returncode, 1)


@test(seconds=30)
def arena_bench_loads_over_tls():
    for scenario in (["fanout", "--subscribers", "20"], ["pairs", "--pairs", "5", "-q", "1"]):
        done = arena("bench", *scenario, *at(broker.tls_port, "--cafile", "ca.crt"), "--duration", "300ms")
        equal(done.returncode, 0, done.stderr + done.stdout)


@test
def dev_makes_a_certificate_and_prints_lines_that_work():
    port, tls_port = free_port(), free_port()
    environment = dict(os.environ, XDG_DATA_HOME=os.path.join(FOLDER, "share"))
    command = [arena_bin(), "dev", "--mqtt", str(port), "--tls", "--mqtts", str(tls_port)]
    authority = []
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as dev:
            said = ""
            while "elsewhere:" not in said:
                line = dev.stdout.readline()
                assert line, said
                said += line
            ca = said.split("to trust, is ")[1].split("\n")[0]
            authority.append(open(ca, encoding="utf-8").read())
            line = next(l for l in said.splitlines() if "subscribe:" in l and "--cafile" in l).split(":", 1)[1].strip()
            equal(arena("pub", *at(tls_port, "--cafile", ca), "-q", "1", "-r", "demo/hi", "hello").returncode, 0)
            got = subprocess.run(["sh", "-c", line + " --count 1"], capture_output=True, text=True, timeout=10 * SLOW, check=False)
            equal(got.stdout, "hello\n", got.stderr)
            dev.terminate()
            equal(dev.wait(10 * SLOW), 0)
    equal(authority[0], authority[1], "the authority is kept")


@test
def doctor_looks_at_the_certificate():
    with TlsBroker() as one:
        done = arena("doctor", "-c", one.config)
        assert "is for localhost, 127.0.0.1, 19 days more" in done.stdout, done.stdout
        one.tls["key_file"] = quote(path("renewed.key"))
        one.write_config()
        done = arena("doctor", "-c", one.config)
        assert done.returncode == 10 and "is not the key of the certificate" in done.stdout, done.stdout
        assert arena("config", "check", "--config", one.config).returncode == 2


class HttpsBroker(TlsBroker):
    """Its HTTP listener has TLS."""

    def config_text(self):
        return super().config_text().replace(f"port = {self.http_port} }}", f"port = {self.http_port}, tls = true }}")


@test
def http_comes_over_tls():
    with HttpsBroker(http=True) as own:
        asked = ["curl", "-sS", "--cacert", path("ca.crt"), "-d", "hello", f"https://localhost:{own.http_port}/v1/topics/a/b"]
        answer = json.loads(subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout)
        assert answer["level"] == "memory" and len(answer["id"]) == 32, answer
        asked[3] = path("stranger.crt")
        assert subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False).returncode != 0, "any authority will do"


@test
def tls_agrees_upon_the_version_of_http():
    with HttpsBroker(http=True) as own:
        url = f"https://localhost:{own.http_port}/livez"
        for option, version in (("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")):
            asked = ["curl", "-sS", option, "--cacert", path("ca.crt"), "-w", " %{http_version}", url]
            equal(subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout, f"ok\n {version}", option)
        done = subprocess.run(["h2load", "-n", "500", "-c", "5", "-m", "20", url], capture_output=True, text=True, timeout=60, check=True)
        assert "500 succeeded, 0 failed" in done.stdout and "Application protocol: h2" in done.stdout, done.stdout


@test
def and_ends_well():
    equal(broker.stop(), 0, "exit code on SIGTERM")


run_all()
