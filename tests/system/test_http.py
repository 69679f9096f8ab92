#!/usr/bin/env python3
"""HTTP over sockets: curl and Python's http.client against a real broker."""
import http.client
import json
import re
import socket
import subprocess
import time

import web
from broker import Broker, Rule, SLOW, arena_bin
from harness import equal, run_all, test

broker = Broker(http=True).start()
PORT = broker.http_port


def curl(path, *arguments, port=PORT):
    return web.curl(path, *arguments, port=port)


def Listener(topic, port=None, **options):
    return web.Listener(topic, port or broker.port, **options)


def Follower(query, last_id=None, port=None):
    return web.Follower(query, last_id, port=port or PORT)


def mqtt_publish(topic, text, port=None):
    web.mqtt_publish(topic, text, port or broker.port)


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
def a_message_from_curl_reaches_mqtt_with_all_it_has():
    listener = Listener("web/#")
    status, body = curl("/v1/topics/web/a%2fb", "-d", '{"hello":"world"}', "-H", "Content-Type: application/json", "-H", "Arena-Header: Device=7")
    receipt = json.loads(body)
    equal((status, receipt["level"], len(receipt["id"])), (200, "memory", 32))
    equal(listener.lines(), ['web/a/b|{"hello":"world"}|1|0|Device:7|application/json'])


@test
def a_batch_reaches_mqtt_in_its_order():
    listener = Listener("batch/#", count=100)
    lines = "\n".join(json.dumps({"topic": f"batch/{n % 3}", "payload": n}) for n in range(100))
    status, body = curl("/v1/publish", "--data-binary", lines, "-H", "Content-Type: application/x-ndjson")
    result = json.loads(body)
    equal((status, result["failed"], len(result["results"])), (200, 0, 100))
    got = [line.split("|") for line in listener.lines()]
    for topic in range(3):
        equal([int(g[1]) for g in got if g[0] == f"batch/{topic}"], list(range(topic, 100, 3)))


@test
def a_repeated_publish_is_taken_once():
    arguments = ("-d", "once", "-H", "Idempotency-Key: k1")
    listener = Listener("once/#", count=2)
    equal(json.loads(curl("/v1/topics/once/a", *arguments)[1]).get("duplicate"), None)
    equal(json.loads(curl("/v1/topics/once/a", *arguments)[1]).get("duplicate"), True)
    equal(curl("/v1/topics/once/a", "-d", "other", "-H", "Idempotency-Key: k1")[0], 422)
    equal(curl("/v1/topics/once/b", "-d", "end")[0], 200)
    equal([line.split("|")[1] for line in listener.lines()], ["once", "end"])


@test
def users_publish_what_they_may():
    rules = [Rule("allow", "publish", ["news/#"], user="ann"), Rule("allow", "subscribe", ["news/#"], user="bob")]
    with Broker(users={"ann": "secret", "bob": "other"}, rules=rules, http=True) as guarded:
        ann, bob = ("-u", "ann:secret"), ("-u", "bob:other")
        at = {"port": guarded.http_port}
        equal(curl("/v1/topics/news/a", "-d", "x", **at)[0], 401)
        equal(curl("/v1/topics/news/a?retain=true", "-d", "x", *ann, **at)[0], 200)
        equal(curl("/v1/topics/old/a", "-d", "x", *ann, **at)[0], 403)
        equal(curl("/v1/topics/news/a", "-d", "x", *bob, **at)[0], 403)
        equal(curl("/v1/topics/news/a/latest", *bob, **at), (200, "x"))
        equal(curl("/v1/topics/news/a/latest", *ann, **at)[0], 403)
        equal(len(json.loads(curl("/v1/retained", *bob, **at)[1])["items"]), 1)
        equal(len(json.loads(curl("/v1/retained", *ann, **at)[1])["items"]), 0)
        equal(curl("/v1/topics/news/a/latest", "-X", "DELETE", *bob, **at)[0], 403)


@test
def many_publishes_on_one_connection_keep_their_order():
    listener = Listener("order/a", count=200)
    one = "POST /v1/topics/order/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{}\r\n{}"
    requests = [one.format(len(str(n)), "Connection: close\r\n" if n == 199 else "", n) for n in range(200)]
    equal(raw("".join(requests).encode()).count(b"HTTP/1.1 200 OK"), 200)
    equal([int(line.split("|")[1]) for line in listener.lines()], list(range(200)))


@test
def events_follow_what_every_door_publishes():
    follower = Follower("topic=follow/%23&topic=other")
    curl("/v1/topics/follow/a", "-d", "from curl")
    mqtt_publish("follow/b", "from mqtt")
    mqtt_publish("other", "the other")
    equal([(e["topic"], e["payload"]) for e in (follower.next() for _ in range(3))],
          [("follow/a", "from curl"), ("follow/b", "from mqtt"), ("other", "the other")])
    follower.close()


@test(seconds=60)
def a_page_that_is_cut_off_misses_nothing_that_is_kept():
    config = "[[streams]]\nname = \"kept\"\nfilters = [\"kept/#\"]\n"
    with Broker(http=True, more=config) as kept:
        wanted, got, last_id = [], [], None
        for cut in range(30):
            follower = Follower("topic=kept/%23", last_id, kept.http_port)
            for n in range(3):
                wanted.append(f"{cut}.{n}")
                equal(curl(f"/v1/topics/kept/{n % 2}", "-d", wanted[-1], port=kept.http_port)[0], 200)
            while len(set(got)) < len(wanted) - (cut % 3):
                got.append(follower.next()["payload"])
            last_id = follower.last_id
            follower.close()
            wanted.append(f"{cut}.away")
            mqtt_publish("kept/away", wanted[-1], kept.port)
        follower = Follower("topic=kept/%23", last_id, kept.http_port)
        while set(got) != set(wanted):
            got.append(follower.next()["payload"])
        follower.close()


@test
def events_are_for_those_who_may_read():
    rules = [Rule("allow", "subscribe", ["news/#"], user="bob")]
    with Broker(users={"bob": "other"}, rules=rules, http=True) as guarded:
        equal(curl("/v1/events?topic=news/a", port=guarded.http_port)[0], 401)
        equal(curl("/v1/events?topic=news/a&topic=old/a", "-u", "bob:other", port=guarded.http_port)[0], 403)


@test(seconds=60)
def streams_are_managed_and_read_by_those_who_may():
    rules = [Rule("allow", "all", ["$arena/streams", "$SYS/broker/streams/count"], user="ann"), Rule("allow", "all", ["orders/#"]),
             Rule("deny", "subscribe", ["orders/secret"], user="bob")]
    with Broker(users={"ann": "secret", "bob": "other"}, rules=rules, http=True) as guarded:
        at = {"port": guarded.http_port}
        ann, bob = ("-u", "ann:secret"), ("-u", "bob:other")
        body = json.dumps({"name": "orders", "filters": ["orders/#"]})
        status, answer = curl("/v1/streams", "-d", body, *bob, **at)
        equal((status, json.loads(answer)["code"]), (403, "denied"))
        equal(curl("/v1/streams", "-d", body, *ann, **at)[0], 201)
        status, answer = curl("/v1/streams", "-d", body, *ann, **at)
        problem = json.loads(answer)
        equal((status, problem["code"], problem["pointer"], len(problem["request_id"])), (409, "stream_exists", "/name", 16))
        equal(curl("/v1/streams", *bob, **at)[0], 403)
        equal(len(json.loads(curl("/v1/streams", *ann, **at)[1])["items"]), 1)
        for n in range(25):
            equal(curl(f"/v1/topics/orders/{'secret' if n % 5 == 0 else n}", "-d", str(n), *ann, **at)[0], 200)
        for who, wanted in ((ann, list(range(25))), (bob, [n for n in range(25) if n % 5])):
            got, start, more = [], "earliest", True
            while more:
                page = json.loads(curl(f"/v1/streams/orders/messages?limit=10&from={start}", *who, **at)[1])
                got += [int(item["payload"]) for item in page["items"]]
                start, more = page["next"], page["more"]
            equal(sorted(got), wanted)
        equal(curl("/v1/streams/orders", "-X", "DELETE", *bob, **at)[0], 403)
        equal(curl("/v1/streams/orders", "-X", "DELETE", *ann, **at)[0], 200)
        equal(curl("/v1/streams/orders/messages", *ann, **at)[0], 404)


@test
def without_users_streams_are_seen_and_not_changed():
    equal(curl("/v1/streams"), (200, '{"items":[]}\n'))
    equal(curl("/v1/streams", "-d", "{}")[0], 403)


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
def the_page_of_limits_says_under_which_names_metrics_count():
    metrics = curl("/metrics")[1]
    text = subprocess.run([arena_bin(), "config", "doc", "--limits"], capture_output=True, text=True, check=True, timeout=10 * SLOW).stdout
    rules = {r"clients/refused/(\w+)": r'arena_refused_total{protocol="mqtt",reason="\1"}',
             r"http/refused/(\w+)": r'arena_refused_total{protocol="http",reason="\1"}',
             r"websocket/failed/(\w+)": r'arena_websocket_failed_total{reason="\1"}',
             r"publish/messages/dropped/(\w+)": r'arena_messages_dropped_total{reason="\1"}',
             r"http/(\w+)": r"arena_http_\1_total",
             r"clients/connects_refused": r'arena_connects_total{result="refused"}'}
    told = 0
    for counted in set(re.findall(r"\| `([a-z_]+/[a-z_/]+)` \|", text)):
        for rule, series in rules.items():
            if found := re.fullmatch(rule, counted):
                assert f"\n{found.expand(series)} " in metrics, f"{counted}: {found.expand(series)}"
                told += 1
    assert told > 20, told


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
