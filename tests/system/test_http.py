#!/usr/bin/env python3
"""HTTP over sockets: curl and Python's http.client against a real broker."""
import http.client
import json
import re
import socket
import subprocess
import time

from broker import Broker, SLOW
from harness import equal, run_all, test

broker = Broker(http=True).start()
PORT = broker.http_port


def curl(path, *arguments, port=PORT):
    """Status and body."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(10 * SLOW), "--write-out", "\n%{http_code}", *arguments,
                           f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"curl: {done.returncode} {done.stderr}")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def raw(*pieces, port=PORT):
    """All that comes back until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=15 * SLOW) as connection:
        for piece in pieces:
            connection.sendall(piece)
        got = b""
        while True:
            more = connection.recv(65536)
            if not more:
                return got
            got += more


@test
def health_and_the_welcome():
    for path in ("/livez", "/readyz", "/startupz"):
        equal(curl(path), (200, "ok\n"))
    status, page = curl("/")
    equal(status, 200)
    assert "Arena" in page and "/metrics" in page, page


@test
def one_connection_serves_many_requests():
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10 * SLOW)
    for _ in range(20):
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        equal((answer.status, answer.read()), (200, b"ok\n"))
    first = connection.sock
    connection.request("HEAD", "/")
    answer = connection.getresponse()
    equal((answer.status, answer.read()), (200, b""))
    assert connection.sock is first, "the connection was not kept"
    connection.close()


@test
def many_requests_in_one_write():
    one = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    got = raw(one * 100 + last)
    equal(got.count(b"HTTP/1.1 200 OK"), 100)
    equal(got.count(b"HTTP/1.1 404 Not Found"), 1)


@test
def problems_say_what_is_wrong():
    status, body = curl("/nowhere", "-H", "X-Request-Id: mine")
    problem = json.loads(body)
    equal((status, problem["status"], problem["code"], problem["request_id"]), (404, 404, "no_such_path", "mine"))
    status, body = curl("/livez", "-X", "DELETE")
    equal((status, json.loads(body)["code"]), (405, "method_not_allowed"))


@test
def smuggled_requests_end_the_connection():
    for head in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 4\r\nContent-Length: 5\r\n", b"Transfer-Encoding : chunked\r\n",
                 b"X: a\n b\r\n"):
        got = raw(b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 400 "), got
        equal(got.count(b"HTTP/1.1"), 1)


@test
def a_large_body_is_refused_before_it_is_sent():
    got = raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000000\r\nExpect: 100-continue\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413 "), got


@test
def metrics_are_what_prometheus_reads():
    status, page = curl("/metrics")
    equal(status, 200)
    families = set(re.findall(r"^# TYPE (\w+) (?:counter|gauge)$", page, re.M))
    for line in page.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) \w+ .+", line), line
            continue
        sample = re.fullmatch(r'(\w+)(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? (\d+)', line)
        assert sample and sample.group(1) in families, line
    assert re.search(r"^arena_http_requests_total [1-9]", page, re.M), page
    equal(len(families), page.count("# TYPE"))


@test
def strangers_see_no_metrics():
    with Broker(users={"ann": "secret", "bob": "other"}, rules=[], http=True) as guarded:
        equal(curl("/livez", port=guarded.http_port)[0], 200)
        equal(curl("/metrics", port=guarded.http_port)[0], 401)
        equal(curl("/metrics", "-u", "ann:wrong", port=guarded.http_port)[0], 401)
        equal(curl("/metrics", "-u", "ann:secret", port=guarded.http_port)[0], 403)


@test
def other_pages_are_not_served():
    equal(curl("/metrics", "-H", "Origin: https://evil.example")[0], 403)
    equal(curl("/metrics", "-H", "Host: evil.example")[0], 401)


@test
def it_stops_while_connections_are_kept():
    with Broker(http=True) as stopping:
        connection = http.client.HTTPConnection("127.0.0.1", stopping.http_port, timeout=10 * SLOW)
        connection.request("GET", "/livez")
        equal(connection.getresponse().read(), b"ok\n")
        began = time.monotonic()
        equal(stopping.stop(keep=True), 0)
        assert time.monotonic() - began < 3 * SLOW
        connection.close()


@test
def and_ends_well():
    equal(broker.stop(), 0, "exit code on SIGTERM")


run_all()
