#!/usr/bin/env python3
"""REST beside MQTT: last values, polls, requests, clients, with curl against a real broker."""
import functools
import json
import os
import re
import subprocess
import tempfile
import urllib.parse

import web
from broker import Broker, Rule, SLOW, arena_bin
from harness import equal, run_all, test
from wire import PUBLISH, opened, publish

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
    whole = curl("/v1/retained?topic=list/%23")[1]
    equal(curl("/v1/retained?topic=list/%23", "--compressed")[1], whole)
    size = subprocess.run(["curl", "--silent", "--output", "/dev/null", "-H", "Accept-Encoding: gzip", "--write-out", "%{size_download}", f"http://127.0.0.1:{PORT}/v1/retained?topic=list/%23"],
                          capture_output=True, text=True, check=True).stdout
    assert int(size) < len(whole) / 2, (size, len(whole))


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
def a_request_is_answered_by_a_responder_of_mqtt_5():
    equal(json.loads(curl("/v1/request/svc/price", "-d", "7")[1])["code"], "no_responder")
    responder = opened(broker.port, 5, "responder")
    responder.subscribe("svc/#")
    asking = subprocess.Popen(["curl", "--silent", "-d", '{"item":7}', "-H", "Content-Type: application/json", f"http://127.0.0.1:{PORT}/v1/request/svc/price?timeout=10"],
                              stdout=subprocess.PIPE, text=True)
    asked = responder.expect(PUBLISH, topic="svc/price", payload=b'{"item":7}')
    equal(asked.props[0x03], "application/json")
    assert asked.props[0x08].startswith("$replies/") and asked.props[0x09], asked.props
    responder.send(publish(5, asked.props[0x08], b"12.5", props=[(0x09, asked.props[0x09])]))
    equal(asking.communicate(timeout=10 * SLOW)[0], "12.5")
    equal(json.loads(curl("/v1/request/svc/price?timeout=1", "-d", "7")[1])["code"], "no_reply")
    responder.close()


@test
def replies_are_their_askers_own():
    rules = [Rule("allow", "all", ["#"], user="bob"), Rule("allow", "publish", ["svc/#"], user="ann"), Rule("allow", "all", ["svc/#"], user="responder"),
             Rule("allow", "publish", ["$replies/#"], user="responder")]
    with Broker(users={"ann": "a", "bob": "b", "responder": "r"}, rules=rules, http=True) as guarded:
        curious = opened(guarded.port, 5, "curious", user="bob", password="b")
        equal(curious.subscribe("#", "$replies/#", "$replies/+"), [0, 0x87, 0x87])
        responder = opened(guarded.port, 5, "responder", user="responder", password="r")
        equal(responder.subscribe("svc/#"), [0])
        asking = subprocess.Popen(["curl", "--silent", "-u", "ann:a", "-d", "?", f"http://127.0.0.1:{guarded.http_port}/v1/request/svc/secret"], stdout=subprocess.PIPE, text=True)
        asked = responder.expect(PUBLISH, topic="svc/secret")
        responder.send(publish(5, asked.props[0x08], b"for ann alone", props=[(0x09, asked.props[0x09])]))
        equal(asking.communicate(timeout=10 * SLOW)[0], "for ann alone")
        curious.expect(PUBLISH, topic="svc/secret")
        responder.send(publish(5, "svc/last", b"behind it"))
        equal(curious.expect(PUBLISH).topic, "svc/last")
        for wire in (curious, responder):
            wire.close()


@test
def cloud_events_reach_mqtt_alike_in_each_mode():
    listener = Listener("events/#", count=3)
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "made", "datacontenttype": "application/json", "data": {"total": 12}}
    as_written = json.dumps(event, separators=(",", ":"))
    fields = [argument for name in ("specversion", "id", "source", "type") for argument in ("-H", f"ce-{name}: {event[name]}")]
    equal(curl("/v1/topics/events/a", "-d", '{"total":12}', "-H", "Content-Type: application/json", *fields)[0], 200)
    equal(curl("/v1/topics/events/a", "-d", as_written, "-H", "Content-Type: application/cloudevents+json")[0], 200)
    equal(curl("/v1/topics/events/a", "-d", f"[{as_written}]", "-H", "Content-Type: application/cloudevents-batch+json")[0], 200)
    lines = [line.split("|") for line in listener.lines()]
    for topic, payload, _, _, user_properties, content_type in lines:
        equal((topic, payload, content_type), ("events/a", '{"total":12}', "application/json"))
        equal(sorted(user_properties.split()), ["id:7", "source:/shop", "specversion:1.0", "type:made"])
    equal(len(lines), 3)


@test
def a_ticket_says_who_follows():
    rules = [Rule("allow", "all", ["news/#"], user="bob")]
    with Broker(users={"bob": "other"}, rules=rules, http=True) as guarded:
        at = {"port": guarded.http_port}
        equal(curl("/v1/tickets", "-X", "POST", **at)[0], 401)
        ticket = json.loads(curl("/v1/tickets", "-X", "POST", "-u", "bob:other", **at)[1])["ticket"]
        follower = Follower("topic=news/%23&ticket=" + ticket, **at)
        equal(curl("/v1/topics/news/a", "-d", "x", "-u", "bob:other", **at)[0], 200)
        equal(follower.next()["payload"], "x")
        follower.close()
        equal(curl("/v1/events?topic=old&ticket=" + ticket, **at)[0], 403)
        equal(curl("/v1/topics/news/a?ticket=" + ticket, **at)[0], 401)
        equal(curl("/v1/events?topic=news&ticket=" + ticket[:-1], **at)[0], 401)


@test
def the_document_says_what_there_is():
    document = json.loads(curl("/openapi.json")[1])
    equal(document["openapi"], "3.1.0")
    for path, item in document["paths"].items():
        if "get" in item and "{" not in path and path not in ("/v1/events",):
            status, _ = curl(path)
            assert str(status) in item["get"]["responses"], (path, status)
    equal(curl("/docs")[0], 200)
    equal(json.loads(curl("/v1/info")[1])["level"], "memory")


def described(document, method, path, name):
    """The schema of a parameter."""
    def resolved(node):
        while "$ref" in node:
            node = functools.reduce(lambda at, key: at[key], node["$ref"].split("/")[1:], document)
        return node
    found, = [one for one in map(resolved, document["paths"][path][method]["parameters"]) if one["name"] == name]
    schema = resolved(found["schema"])
    return resolved(schema["items"]) if schema.get("type") == "array" else schema


@test
def a_value_is_taken_if_the_document_describes_it():
    document = json.loads(curl("/openapi.json")[1])
    filters = ("a", "a/b", "+", "#", "a/+/#", "/", "//", "/#", "+/+", " ", "#/a", "a+", "a/#/b", "##", "a#", "+a/b", "a\0")
    topics = ("a", "a/b", "/", " ", "a/+", "#", "a\0b", "\u00e4\n")
    ids = ("1:", "1:0.1.3.42", "1:0.1.3.42,0.2.0.7", "1:;", "1:0.1.3.42;0.1.4.1", "", "0.1.3.42", "1:1.1.3.42", "1:0.1.3", "1:earliest")
    places = ("earliest", "latest", "0", "42", "10m", "500ms", "7d", "2026-11-26T10:00:00Z", "2026-11-26T10:00:00.5Z", "@1795806994981", "0.1.3.42", "0.1.3.42,0.2.0.1",
              "", "first", "-1", "7w", "1.5h", "2026-13-26T10:00:00Z", "2026-11-26", "@", "1.1.3.42", "0.1.3", "0.1.3.42,")
    equal(described(document, "post", "/v1/request/{topic}", "guarantee")["enum"], ["at_most_once", "at_least_once"])
    equal(curl("/v1/request/a?guarantee=exactly_once", "-d", "x")[0], 422)
    with Broker(http=True, more="[[streams]]\nname = \"kept\"\nfilters = [\"kept/#\"]\n") as kept:
        for method, path, name, values, url in (
                ("get", "/v1/topics/{topic}", "after", ids, "/v1/topics/described?wait=1&after={}"),
                ("get", "/v1/topics/{topic}/latest", "topic", topics, "/v1/topics/{}/latest"),
                ("post", "/v1/topics/{topic}", "topic", topics, "/v1/topics/{}"),
                ("get", "/v1/retained", "topic", filters, "/v1/retained?topic={}"),
                ("get", "/v1/events", "topic", filters, "/v1/events?after=0&topic={}"),
                ("get", "/v1/streams/{name}/messages", "from", places, "/v1/streams/kept/messages?from={}")):
            schema = described(document, method, path, name)
            for value in values:
                if not value and path.startswith("/v1/topics/") and name == "topic":
                    continue
                status, body = curl(url.format(urllib.parse.quote(value, safe="")), *(("-d", "x") if method == "post" else ()), port=kept.http_port)
                refused = status == 400 and json.loads(body)["code"] != "bad_event_id" if path == "/v1/events" else status == 400
                is_described = re.fullmatch(schema["pattern"], value) is not None and len(value) >= schema.get("minLength", 0)
                assert is_described != refused, (method, path, name, value, status, body)


def arena(folder, *arguments, password=None):
    """A command whose contexts lie in `folder`."""
    environment = {**os.environ, "XDG_CONFIG_HOME": folder}
    if password is not None:
        environment["ARENA_PASSWORD"] = password
    done = subprocess.run([arena_bin(), *arguments], capture_output=True, text=True, env=environment, timeout=10 * SLOW, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


@test(seconds=40)
def commands_ask_by_url_and_by_context():
    rules = [Rule("allow", "all", ["$arena/clients", "$arena/streams", "$SYS/broker/streams/count", "a/#"], user="ops")]
    with Broker(users={"ops": "secret"}, rules=rules, http=True) as guarded, tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{guarded.http_port}"
        code, _, error = arena(folder, "client", "ls")
        equal(code, 2)
        assert "--url" in error, error
        equal(arena(folder, "client", "ls", "--url", url)[0], 3)
        equal(arena(folder, "client", "ls", "--url", url, "-u", "ops", password="secret")[0], 0)
        equal(arena(folder, "context", "add", "here", "--url", url, "--user", "ops")[0], 0)
        assert "* here" in arena(folder, "context", "ls")[1]
        asking = {"password": "secret"}
        equal(arena(folder, "stream", "create", "kept", "--filter", "a/kept", **asking)[0], 0)
        assert "kept" in arena(folder, "stream", "ls", **asking)[1]
        equal(curl("/v1/topics/a/1/latest", "-X", "PUT", "-d", "21.5", "-u", "ops:secret", port=guarded.http_port)[0], 200)
        code, table, _ = arena(folder, "retained", "ls", "a/#", **asking)
        equal((code, table.split()[:3], table.split()[3], table.split()[5]), (0, ["TOPIC", "TIME", "VALUE"], "a/1", "21.5"))
        equal(arena(folder, "retained", "get", "a/1", **asking)[:2], (0, "21.5\n"))
        equal(json.loads(arena(folder, "retained", "ls", "--output", "json", **asking)[1])["topic"], "a/1")
        code, _, error = arena(folder, "retained", "rm", "a/1", **asking)
        assert code == 2 and "--yes" in error, error
        equal(arena(folder, "retained", "get", "a/1", **asking)[0], 0)
        equal(arena(folder, "retained", "rm", "a/1", "--yes", **asking)[0], 0)
        equal(arena(folder, "retained", "get", "a/1", **asking)[0], 1)
        listener = Listener("a/#", port=guarded.port, arguments=("-u", "ops", "-P", "secret", "-i", "a sensor"))
        assert "a sensor" in arena(folder, "client", "ls", **asking)[1]
        assert "protocol        MQTT 5" in arena(folder, "client", "info", "a sensor", **asking)[1]
        assert "at_least_once" in arena(folder, "client", "subs", "--topic", "a/2", **asking)[1]
        code, _, error = arena(folder, "client", "kick", "a sensor", "--session", **asking)
        assert code == 2 and "--yes" in error, error
        assert "a sensor" in arena(folder, "client", "ls", **asking)[1]
        equal(arena(folder, "client", "kick", "a sensor", **asking)[0], 0)
        another = Listener("a/#", port=guarded.port, arguments=("-u", "ops", "-P", "secret", "-i", "another"))
        equal(arena(folder, "client", "kick", "another", "--session", "--yes", **asking)[0], 0)
        another.process.kill()
        another.process.wait()
        asking_here = ("--url", url, "-u", "ops")
        code, _, error = arena(folder, "stream", "info", "none", *asking_here, **asking)
        assert code == 1 and f"next: arena stream ls --url {url} -u ops" in error, error
        listener.process.kill()
        listener.process.wait()
        equal(arena(folder, "context", "rm", "here")[0], 0)


@test
def and_ends_well():
    equal(broker.stop(), 0, "exit code on SIGTERM")


run_all()
