#!/usr/bin/env python3
"""HTTP/2 over sockets: curl, nghttp and h2load against a real broker, and bytes that no client should send."""
import concurrent.futures
import json
import re
import socket
import subprocess
import tempfile

from broker import Broker, SLOW
from harness import equal, eventually, run_all, test

broker = Broker(http=True).start()
PORT = broker.http_port
URL = f"http://127.0.0.1:{PORT}"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = b"\x82\x86\x84\x41\x09localhost"  # by the static table: GET, http, "/", and the authority
ENHANCE_YOUR_CALM = 11


def run(*command, seconds=10, check=True):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * SLOW, check=False)
    if check and done.returncode:
        raise AssertionError(f"{command[0]}: {done.returncode} {done.stdout[-500:]} {done.stderr[-500:]}")
    return done.stdout


def curl(*arguments):
    """Version, status, body."""
    out = run("curl", "-sS", "--http2-prior-knowledge", "--max-time", str(8 * SLOW), "-w", "\n%{http_version} %{http_code}", *arguments)
    body, _, last = out.rpartition("\n")
    version, status = last.split()
    return version, int(status), body


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def frames(data):
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + size]
        data = data[9 + size:]


def talk(data, port=PORT):
    """Sends it behind a preface and settings; all frames until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW) as connection:
        got = b""
        try:
            connection.sendall(PREFACE + frame(4, 0, 0) + data)
            while more := connection.recv(65536):
                got += more
        except (ConnectionResetError, BrokenPipeError):
            pass
    return list(frames(got))


def memory_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def metric(name, port=PORT):
    page = run("curl", "-sS", f"http://127.0.0.1:{port}/metrics")
    return float(re.search(rf"^{re.escape(name)} (\S+)$", page, re.M).group(1))


@test
def curl_speaks_it_where_it_knows_and_1_1_elsewhere():
    equal(curl(f"{URL}/livez"), ("2", 200, "ok\n"))
    equal(run("curl", "-sS", "-w", " %{http_version}", f"{URL}/livez"), "ok\n 1.1")
    equal(run("curl", "-sS", "--http2", "-w", " %{http_version}", f"{URL}/livez"), "ok\n 1.1")  # Upgrade: h2c is passed over
    version, status, page = curl(f"{URL}/metrics")
    assert (version, status) == ("2", 200) and "arena_http2_connections 1\n" in page, page


@test
def curl_publishes_one_and_many():
    version, status, body = curl("-d", "hello", "-H", "Content-Type: text/plain", f"{URL}/v1/topics/two/a")
    equal((version, status, json.loads(body)["level"]), ("2", 200, "memory"))
    lines = "\n".join(json.dumps({"topic": f"two/{n}", "payload": n}) for n in range(500))
    version, status, body = curl("--data-binary", lines, "-H", "Content-Type: application/x-ndjson", f"{URL}/v1/publish")
    equal((version, status, json.loads(body)["failed"]), ("2", 200, 0))
    version, status, body = curl("-d", "x", f"{URL}/v1/topics/two/%23")
    equal((version, status, json.loads(body)["code"]), ("2", 400, "bad_topic"))


@test
def a_large_body_comes_through_the_windows():
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"0123456789abcdef" * 65536)
        file.flush()
        version, status, body = curl("--data-binary", f"@{file.name}", "-H", "Content-Type: text/plain", f"{URL}/v1/topics/two/large")
        equal((version, status), ("2", 200), body)
        file.write(b"more")
        file.flush()
        version, status, body = curl("--data-binary", f"@{file.name}", f"{URL}/v1/topics/two/large")
        equal((version, status, json.loads(body)["code"]), ("2", 413, "body_too_large"))


@test
def many_pages_follow_over_one_connection():
    accepted = metric('arena_accepted_total{protocol="http"}')
    pages = 30
    with tempfile.TemporaryFile("w+") as heard:
        urls = [f"{URL}/v1/events?topic=pages/{page}&topic=pages/all" for page in range(pages)]
        with subprocess.Popen(["nghttp", "-v", *urls], stdout=heard, stderr=subprocess.DEVNULL) as follower:
            def count(what):
                heard.seek(0)
                return len(re.findall(what, heard.read()))
            eventually(lambda: count(r"recv \(stream_id=\d+\) :status: 200") == pages, "all pages follow")
            curl("-d", "to all", f"{URL}/v1/topics/pages/all")
            eventually(lambda: count('"payload":"to all"') == pages, "all pages have it")
            follower.terminate()
    # nghttp, who published, and who asks for the metrics.
    equal(metric('arena_accepted_total{protocol="http"}') - accepted, 3)


@test
def nghttp_gets_many_at_once():
    out = run("nghttp", "-ns", "-m", "50", f"{URL}/livez")
    equal(len(re.findall(r" 200 +\d+ /livez", out)), 50, out)
    out = run("nghttp", "-nv", "-H", "te: trailers", f"{URL}/nowhere")
    assert ":status: 404" in out and "MAX_CONCURRENT_STREAMS(0x03):100" in out, out


@test
def nghttp_sends_what_continues_and_is_padded():
    fields = [word for n in range(60) for word in ("-H", f"x-{n}: {'v' * 200}")]
    out = run("nghttp", "-v", "-b", "100", *fields, f"{URL}/livez")
    assert ":status: 200" in out, out[-600:]
    more = [word for n in range(60, 120) for word in ("-H", f"x-{n}: v")]
    out = run("nghttp", "-v", *fields, *more, f"{URL}/livez")
    assert ":status: 431" in out, out[-600:]


@test
def h2load_loads_it(seconds=30):
    out = run("h2load", "-n", "5000", "-c", "10", "-m", "50", f"{URL}/livez", seconds=seconds)
    assert "5000 succeeded, 0 failed" in out, out
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x" * 100)
        file.flush()
        out = run("h2load", "-n", "2000", "-c", "4", "-m", "20", "-d", file.name, f"{URL}/v1/topics/load/a", seconds=seconds)
    assert "2000 succeeded, 0 failed" in out and "status codes: 2000 2xx" in out, out
    equal(metric("arena_http2_connections"), 0)


def expect_calm(data, *reasons):
    """Its connection ends with ENHANCE_YOUR_CALM, for one of the reasons."""
    def refused():
        return sum(metric(f'arena_refused_total{{protocol="http",reason="{reason}"}}') for reason in reasons)
    before = refused()
    heard = talk(data)
    ends = [payload for kind, _, _, payload in heard if kind == 7]
    assert ends and int.from_bytes(ends[-1][4:8], "big") == ENHANCE_YOUR_CALM, (reasons, heard[-3:])
    equal(refused(), before + 1, reasons)


@test
def floods_are_ended():
    heads = [frame(1, 5, 2 * n + 1, GET) for n in range(5000)]
    expect_calm(b"".join(head + frame(3, 0, 2 * n + 1, b"\0\0\0\x08") for n, head in enumerate(heads)), "resets")
    expect_calm(b"".join(head + frame(8, 0, 2 * n + 1, b"\x7f\xff\xff\xff") for n, head in enumerate(heads)), "resets", "control_frames")
    expect_calm(frame(6, 0, 0, b"12345678") * 5000, "control_frames")
    expect_calm(frame(4, 0, 0) * 5000, "control_frames")
    expect_calm(frame(1, 4, 1, GET) + frame(0, 0, 1) * 5000, "control_frames")
    expect_calm(frame(1, 1, 1, GET) + frame(9, 0, 1, b"\x00\x01x\x01y") * 5000, "continuations")
    value = b"c" * 4000
    bomb = GET + b"\x40\x06cookie\x7f\xa1\x1e" + value + b"\xbe" * 8000
    expect_calm(frame(1, 5, 1, bomb), "head_too_large")
    equal(run("curl", "-sS", f"{URL}/livez"), "ok\n")


@test(seconds=60)
def pages_that_nobody_reads_are_not_made():
    """Clients that ask for long pages over and over and read none: each holds about one of them, and others are served."""
    for n in range(12):
        run("curl", "-sS", "-o", "/dev/null", "-X", "PUT", "--data-binary", "x" * 100_000, f"{URL}/v1/topics/page/{n}/latest")
    target = "/v1/retained?topic=page/%23&limit=1000"
    path = b"\x82\x86\x41\x09localhost\x04" + bytes([len(target)]) + target.encode()
    many_2 = PREFACE + frame(4, 0, 0) + b"".join(frame(1, 5, 2 * n + 1, path) for n in range(100))
    many_1 = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 16
    before = memory_kb(broker.process)
    readers = []
    for data in [many_1] * 10 + [many_2] * 5:
        one = socket.create_connection(("127.0.0.1", PORT), timeout=20 * SLOW)
        one.sendall(data)
        readers.append(one)
    for one in readers:
        one.recv(1)  # the first page has begun
    seen = [memory_kb(broker.process)]
    while len(seen) < 5 or seen[-1] > seen[-5]:  # until it grows no more
        equal(run("curl", "-sS", f"{URL}/livez"), "ok\n")
        seen.append(memory_kb(broker.process))
    grown_max = 60_000 if SLOW == 1 else 300_000
    assert max(seen) - before < grown_max, f"{max(seen) - before} KB more for 15 clients"
    for one in readers:
        one.close()
    readers = [socket.create_connection(("127.0.0.1", PORT), timeout=20 * SLOW)]
    readers[0].sendall(many_1)
    got, pages = b"", 0
    while pages < 16:  # who reads gets all of them
        got += readers[0].recv(1 << 20)
        pages = got.count(b"HTTP/1.1 200")
    readers[0].close()


@test(seconds=30)
def who_takes_no_answer_is_closed_over_1_1_too():
    with Broker(http=True, more="stall_timeout_ms = 1000\n") as own:
        url = f"http://127.0.0.1:{own.http_port}"
        for n in range(12):
            run("curl", "-sS", "-o", "/dev/null", "-X", "PUT", "--data-binary", "x" * 100_000, f"{url}/v1/topics/page/{n}/latest")
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", own.http_port))
            one.sendall(b"GET /v1/retained?topic=page/%23&limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 16)
            eventually(lambda: metric("arena_http_stuck_closed_total", own.http_port) == 1, "the connection is closed")


@test(seconds=60)
def floods_cost_little():
    """Fifty attackers at once, over and over: what the process holds does not grow with them."""
    one = b"".join(frame(1, 5, 2 * n + 1, GET) + frame(3, 0, 2 * n + 1, b"\0\0\0\x08") for n in range(2000))
    bomb = frame(1, 5, 1, GET + b"\x40\x06cookie\x7f\xa1\x1e" + b"c" * 4000 + b"\xbe" * 8000)
    attacks = [one, bomb, frame(6, 0, 0, b"12345678") * 3000]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        list(pool.map(talk, attacks * 20))
        before = memory_kb(broker.process)
        list(pool.map(talk, attacks * 60))
    grown = memory_kb(broker.process) - before
    grown_max = 20_000 if SLOW == 1 else 300_000  # a sanitizer holds back what is freed
    assert grown < grown_max, f"{grown} KB more after 180 more attackers"


@test
def a_client_that_takes_nothing_is_held_little_for():
    """A hundred requests whose answers may not be sent (window 0): answers of no more than the bound wait."""
    ask = b"\x82\x86\x04\x0a/v1/stream\x41\x09localhost"
    with socket.create_connection(("127.0.0.1", PORT), timeout=10 * SLOW) as connection:
        connection.sendall(PREFACE + frame(4, 0, 0, b"\0\x04\0\0\0\0") + b"".join(frame(1, 5, 2 * n + 1, ask) for n in range(100)))
        got = b""
        while sum(kind == 1 for kind, *_ in frames(got)) < 90:
            got += connection.recv(65536)
        equal(curl(f"{URL}/livez")[1], 200)


@test
def a_stopping_broker_ends_streams_well():
    with Broker(http=True) as other:
        command = ["curl", "-sSN", "--http2-prior-knowledge", "--max-time", str(20 * SLOW), f"http://127.0.0.1:{other.http_port}/v1/events?topic=a"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower:
            while "id:" not in follower.stdout.readline():
                pass
            with socket.create_connection(("127.0.0.1", other.http_port), timeout=10 * SLOW) as idle:
                idle.sendall(PREFACE + frame(4, 0, 0) + frame(1, 5, 1, GET))
                got = b""
                while not any(kind == 1 for kind, *_ in frames(got)):
                    got += idle.recv(65536)
                equal(other.stop(), 0, "exit code on SIGTERM")
                while more := idle.recv(65536):
                    got += more
                equal([payload[4:8] for kind, _, _, payload in frames(got) if kind == 7][:1], [b"\0\0\0\0"], "GOAWAY")
            _, fault = follower.communicate(timeout=20 * SLOW)
            equal((follower.returncode, fault), (0, ""), "the follower's end")


@test
def and_ends_well():
    equal(broker.stop(), 0, "exit code on SIGTERM")


run_all()
