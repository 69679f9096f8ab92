#!/usr/bin/env python3
"""HTTP over sockets: curl and Python's http.client against a real broker."""
import http.client
import json
import re
import socket
import subprocess
import time

from broker import Broker, Rule, SLOW
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


class Listener:
    """mosquitto_sub, which shows MQTT 5 properties."""

    def __init__(self, topic, port=None, arguments=(), count=1):
        self.process = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-V", "5", "-p", str(port or broker.port), "-q", "1", "-t", topic, "-C", str(count), "-W", str(int(10 * SLOW)),
                                         "-F", "%t|%p|%q|%r|%P|%C", "-d", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "Subscribed" in line:
                return
        raise AssertionError("mosquitto_sub did not subscribe")

    def lines(self):
        lines = [line.rstrip("\n") for line in self.process.stdout]  # it ends by itself (-W)
        self.process.wait(5 * SLOW)
        return [line for line in lines if line.count("|") >= 5]


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
def last_values_are_one_with_mqtts():
    equal(curl("/v1/topics/last/a%20b/latest")[0], 404)
    subprocess.run(["mosquitto_pub", "-V", "5", "-p", str(broker.port), "-q", "1", "-r", "-t", "last/a b", "-m", '{"n":1}', "-D", "publish", "content-type", "application/json",
                    "-D", "publish", "user-property", "device", "7"], check=True, timeout=10 * SLOW)
    status, answer = curl("/v1/topics/last/a%20b/latest", "-i")
    head, _, body = answer.partition("\n\n")
    equal((status, body), (200, '{"n":1}'))
    assert "content-type: application/json" in head and "arena-header: device=7" in head, head
    equal(curl("/v1/topics/last/c/latest", "-X", "PUT", "-d", "from curl")[0], 200)
    equal([line.split("|")[:4] for line in Listener("last/c").lines()], [["last/c", "from curl", "1", "1"]])
    equal(curl("/v1/topics/last/c/latest", "-X", "DELETE")[0], 200)
    equal(curl("/v1/topics/last/c/latest")[0], 404)


@test
def last_values_are_listed_page_by_page():
    wanted = sorted(f"list/{n}" for n in range(25))
    batch = json.dumps([{"topic": topic, "payload": topic, "retain": True} for topic in wanted])
    equal(json.loads(curl("/v1/publish", "-d", batch)[1])["failed"], 0)
    got, after = [], ""
    while True:
        page = json.loads(curl(f"/v1/retained?topic=list/%2B&limit=10{after}")[1])
        got += [item["topic"] for item in page["items"]]
        if not page["more"]:
            break
        after = "&after=" + page["next"]
    equal(got, wanted)


class Follower:
    """Reads server-sent events in a thread-less way: line by line from a socket of its own."""

    def __init__(self, query, last_id=None, port=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port or PORT, timeout=10 * SLOW)
        self.connection.request("GET", "/v1/events?" + query, headers={"Last-Event-ID": last_id} if last_id else {})
        self.answer = self.connection.getresponse()
        equal((self.answer.status, self.answer.headers["Content-Type"]), (200, "text/event-stream"))
        self.last_id = last_id
        while not self.last_id:
            self.block()

    def block(self):
        """The next event, or None for a block that is none."""
        event = {}
        while line := self.answer.readline().decode().rstrip("\n"):
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


def mqtt_publish(topic, text, port=None):
    subprocess.run(["mosquitto_pub", "-p", str(port or broker.port), "-q", "1", "-t", topic, "-m", text], check=True, timeout=10 * SLOW)


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
def who_polls_misses_nothing_that_is_kept():
    config = "[[streams]]\nname = \"kept\"\nfilters = [\"kept/#\"]\n"
    with Broker(http=True, more=config) as kept:
        after = json.loads(curl("/v1/topics/kept/%23?wait=1", port=kept.http_port)[1])["next"]
        wanted = {str(n) for n in range(40)}
        for n in sorted(wanted):
            mqtt_publish(f"kept/{int(n) % 5}", n, kept.port)
        got = []
        while len(got) < len(wanted):
            page = json.loads(curl(f"/v1/topics/kept/%23?wait=5&limit=7&after={after}", port=kept.http_port)[1])
            got += [item["payload"] for item in page["items"]]
            assert 0 < len(page["items"]) <= 7, page
            after = page["next"]
        equal(set(got), wanted)
        follower = Follower("topic=kept/%23", after, kept.http_port)
        mqtt_publish("kept/a", "the next", kept.port)
        equal(follower.next()["payload"], "the next")
        follower.close()


@test
def events_are_for_those_who_may_read():
    rules = [Rule("allow", "subscribe", ["news/#"], user="bob")]
    with Broker(users={"bob": "other"}, rules=rules, http=True) as guarded:
        equal(curl("/v1/events?topic=news/a", port=guarded.http_port)[0], 401)
        equal(curl("/v1/events?topic=news/a&topic=old/a", "-u", "bob:other", port=guarded.http_port)[0], 403)


@test
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
def clients_are_seen_and_disconnected_by_those_who_may():
    rules = [Rule("allow", "all", ["$arena/clients"], user="ops"), Rule("allow", "all", ["a/#"])]
    with Broker(users={"ops": "secret", "bob": "other"}, rules=rules, http=True) as guarded:
        ops, at = ("-u", "ops:secret"), {"port": guarded.http_port}
        listener = Listener("a/#", port=guarded.port, arguments=("-u", "bob", "-P", "other", "-i", "a sensor", "-c", "-x", "60"))
        equal(curl("/v1/clients", "-u", "bob:other", **at)[0], 403)
        page = json.loads(curl("/v1/clients?user=bob", *ops, **at)[1])
        equal([(c["client_id"], c["protocol"], c["subscriptions"]) for c in page["items"]], [("a sensor", "MQTT 5", 1)])
        assert page["items"][0]["address"].startswith("127.0.0.1:"), page
        subscription, = json.loads(curl("/v1/subscriptions?topic=a/b", *ops, **at)[1])["items"]
        equal((subscription["client_id"], subscription["topic"], subscription["guarantee"]), ("a sensor", "a/#", "at_least_once"))
        path = "/v1/clients/" + page["items"][0]["id"]
        equal(curl(path, "-X", "DELETE", "-u", "bob:other", **at)[0], 403)
        equal(curl(path, "-X", "DELETE", *ops, **at)[0], 200)
        assert any("0x98" in line or "152" in line or "dministrative" in line for line in listener.process.stdout), "it was not told why"
        listener.process.kill()
        listener.process.wait()


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
