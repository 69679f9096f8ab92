#!/usr/bin/env python3
"""Streams as people use them: declared by command or configuration, replayed by clients that others wrote, and there
again after kill -9."""
import json
import queue
import subprocess
import tempfile
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import SLOW, arena_bin
from durable import DurableBroker
from harness import equal, eventually, run_all, test
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import

WAIT = f"{round(10 * SLOW)}s"


def arena(*arguments, code=0, seconds=20, text_in=""):
    done = subprocess.run([arena_bin(), *map(str, arguments)], capture_output=True, text=True, timeout=seconds * SLOW,
                          input=text_in, check=False)
    equal(done.returncode, code, f"exit code of {arguments}; it said: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done


def stream(broker, *arguments, **options):
    return arena("stream", *arguments, "--data", broker.data, **options)


def info(broker, name):
    return json.loads(stream(broker, "info", name, "--output", "json").stdout)


def pub(broker, topic, first, upto, qos=1):
    """Numbers, a line each, through arena pub."""
    arena("pub", "-p", broker.port, "-q", qos, topic, "-l", text_in="".join(f"{n}\n" for n in range(first, upto)))


def replayed(broker, topic, *arguments, count, **options):
    done = arena("sub", "-p", broker.port, topic, *arguments, "-C", count, "-W", WAIT, **options)
    return done.stdout.splitlines()


def numbers(first, upto):
    return [str(n) for n in range(first, upto)]


class Paho:
    """Paho in MQTT 5; messages as (payload, {user property: value})."""

    def __init__(self, port):
        self.messages, self.subscribed = queue.Queue(), queue.Queue()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
        self.client.on_message = lambda c, u, m: self.messages.put(m)
        self.client.on_subscribe = lambda c, u, mid, reasons, p: self.subscribed.put(reasons)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def subscribe(self, topic, **user_properties):
        properties = Properties(PacketTypes.SUBSCRIBE)
        properties.UserProperty = [(k.replace("_", "-"), v) for k, v in user_properties.items()]
        self.client.subscribe(topic, 1, properties=properties)
        return [reason.value for reason in self.subscribed.get(timeout=5 * SLOW)]

    def take(self, count):
        out = []
        for _ in range(count):
            message = self.messages.get(timeout=5 * SLOW)
            out.append((message.topic, message.payload.decode(), dict(getattr(message.properties, "UserProperty", []))))
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.loop_stop()
        self.client.disconnect()


@test(seconds=60)
def a_stream_is_made_filled_read_edited_emptied_and_removed():
    with DurableBroker() as broker:
        assert "no streams" in stream(broker, "ls").stderr
        stream(broker, "create", "orders", "--filter", "orders/#", "--filter", "returns/+", "--max-age", "7d", "--max-bytes", "10GB",
               "--budget", "1GiB")
        got = info(broker, "orders")
        equal({k: got[k] for k in ("name", "filters", "max_age_ms", "max_bytes", "max_messages", "budget_bytes", "messages", "full")},
              {"name": "orders", "filters": ["orders/#", "returns/+"], "max_age_ms": 604_800_000, "max_bytes": 10_000_000_000,
               "max_messages": 0, "budget_bytes": 1 << 30, "messages": 0, "full": False})
        pub(broker, "orders/1", 0, 20)
        pub(broker, "returns/1", 20, 25, qos=0)
        eventually(lambda: info(broker, "orders")["messages"] == 25, "all are kept, whatever their QoS")
        table = stream(broker, "ls").stdout
        assert "orders" in table and "25" in table and "7d, 10.0 GB" in table, table
        stream(broker, "edit", "orders", "--max-messages", 5, "--max-bytes", 0)
        eventually(lambda: info(broker, "orders")["messages"] == 5, "the oldest go")
        equal(info(broker, "orders")["max_bytes"], 0)
        equal(info(broker, "orders")["max_age_ms"], 604_800_000, "what was not named stays")
        assert "--yes" in stream(broker, "purge", "orders", code=2).stderr
        stream(broker, "purge", "orders", "--yes")
        equal(info(broker, "orders")["messages"], 0)
        stream(broker, "rm", "orders", "--yes")
        assert 'no stream "orders"' in stream(broker, "info", "orders", code=1).stderr


@test(seconds=30)
def what_is_wrong_is_refused_with_its_reason():
    with DurableBroker() as broker:
        stream(broker, "create", "a", "--filter", "a/#")
        for arguments, reason in ((("a", "--filter", "b"), "already"), (("b", "--filter", "+/x"), "do not overlap"),
                                  (("b/c", "--filter", "b"), "name"), (("b", "--filter", "#/b"), "is no filter"),
                                  (("b", "--filter", "$SYS/#"), "cannot be captured")):
            assert reason in stream(broker, "create", *arguments, code=1).stderr, arguments
        for arguments in (("b", "--filter", "b", "--max-age", "soon"), ("b", "--filter", "b", "--max-bytes", "1XB"), ("b",)):
            stream(broker, "create", *arguments, code=2)
        stream(broker, "edit", "a", code=2)
        equal(arena("sub", "-p", broker.port, "nowhere/#", "--from", "earliest", code=1).stderr.count("arena stream ls"), 1)
        arena("sub", "-p", broker.port, "a", "--since", "soon", code=2)
    with tempfile.TemporaryDirectory() as folder:
        assert "arena dev --data" in arena("stream", "ls", "--data", folder, code=1).stderr
        arena("stream", "ls", code=2)


@test(seconds=60)
def a_replay_survives_a_kill_and_goes_on_with_what_comes():
    with DurableBroker() as broker:
        stream(broker, "create", "orders", "--filter", "orders/#")
        pub(broker, "orders/1", 0, 30)
        broker.restart()
        equal(replayed(broker, "orders/#", "--from", "earliest", count=30), numbers(0, 30))
        equal(replayed(broker, "orders/1", "--since", "10m", count=30), numbers(0, 30))
        equal(replayed(broker, "orders/1", "--from", 25, count=5), numbers(25, 30))
        follower = subprocess.Popen([arena_bin(), "sub", "-p", str(broker.port), "orders/1", "--from", "20", "-C", "20", "-W", WAIT],
                                    stdout=subprocess.PIPE, text=True)
        pub(broker, "orders/1", 30, 40)
        equal(follower.communicate(timeout=30 * SLOW)[0].splitlines(), numbers(20, 40), "no gap and no repetition at the seam")
        json_lines = [json.loads(line) for line in replayed(broker, "orders/1", "--from", "earliest", "--json", "--positions", count=12)]
        equal([line["payload"] for line in json_lines], numbers(0, 12))
        assert "headers" not in json_lines[0]
        equal(replayed(broker, "orders/1", "--from", json_lines[-1]["position"], count=5), numbers(12, 17), "behind a position")
        line = replayed(broker, "orders/1", "--from", "3", "--positions", "-v", count=1)[0]
        equal(line.split(" ")[1:], ["orders/1", "3"])


@test(seconds=60)
def other_clients_replay_too():
    with DurableBroker() as broker:
        stream(broker, "create", "orders", "--filter", "orders/#")
        pub(broker, "orders/1", 0, 20)
        broker.restart()
        done = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-V", "311", "-q", "1", "-t",
                               "$replay/earliest/orders/+", "-C", "20", "-W", WAIT.rstrip("s")], capture_output=True, text=True, timeout=20 * SLOW)
        equal((done.returncode, done.stdout.splitlines()), (0, numbers(0, 20)))
        with Paho(broker.port) as client:
            equal(client.subscribe("orders/#", arena_since="earliest", arena_positions="1"), [1])
            got = client.take(20)
            equal([payload for _, payload, _ in got], numbers(0, 20))
            last = got[7][2]["arena-position"]
        with Paho(broker.port) as client:
            equal(client.subscribe("orders/#", arena_since=last), [1])
            got = client.take(12)
            equal([payload for _, payload, _ in got], numbers(8, 20), "what follows the position")
            assert "arena-position" not in got[0][2], "only who asks is told"
            pub(broker, "orders/1", 20, 23)
            equal([payload for _, payload, _ in client.take(3)], numbers(20, 23))


@test(seconds=60)
def who_comes_too_late_is_told_of_the_gap():
    with DurableBroker() as broker:
        stream(broker, "create", "few", "--filter", "few", "--max-messages", 10)
        pub(broker, "few", 0, 50)
        eventually(lambda: info(broker, "few")["messages"] == 10, "the oldest are gone")
        done = arena("sub", "-p", broker.port, "few", "--from", 0, "-C", 10, "-W", WAIT)
        equal(done.stdout.splitlines(), numbers(40, 50))
        assert "40 messages" in done.stderr, done.stderr
        with Paho(broker.port) as client:
            client.subscribe("few", arena_since="0")
            got = client.take(11)
            equal((got[0][0], got[0][2]["arena-gap"]), ("$gap/few", "40"))
        done = arena("history", "few", "--from", 0, "--data", broker.data)
        assert "40 messages" in done.stderr, done.stderr


@test(seconds=60)
def what_a_session_holds_back_hides_no_more_than_the_limits_say():
    with DurableBroker() as broker:
        stream(broker, "create", "held", "--filter", "held/#", "--max-bytes", "1500KB")
        stream(broker, "create", "both", "--filter", "both/#", "--max-bytes", "1000KB", "--max-messages", 1000)
        arena("sub", "-p", broker.port, "-i", "away", "-q", 1, "--keep", "held/1", "-W", "1s", code=124)
        for topic in ("held/1", "both/1"):
            arena("pub", "-p", broker.port, "-t", topic, "-q", 1, "--count", 3000, "x" * 1000, "-W", WAIT)
        eventually(lambda: info(broker, "held")["messages"] < 1600, "the oldest are hidden")
        eventually(lambda: info(broker, "both")["messages"] <= 1000, "of the other too")
        last = None
        while (now := (info(broker, "held")["messages"], info(broker, "both")["messages"])) != last:  # they have come to rest
            last = now
            time.sleep(2.5)
        assert last[0] > 1200 and last[1] > 800, last
        assert info(broker, "held")["bytes"] > 3_000_000, "all is there for who is away"
        broker.restart()
        assert 1200 < info(broker, "held")["messages"] <= last[0], "and nothing is shown again"


@test(seconds=90)
def what_retention_took_away_makes_room_below_the_budget():
    for limit in (("--max-bytes", "1MB"), ("--max-messages", 40)):
        with DurableBroker() as broker:
            stream(broker, "create", "k", "--filter", "k/#", "--budget", "8MB", *limit)
            with opened(broker.port, 5, "source") as source:
                def answers():
                    """To a message for each of forty topics."""
                    for n in range(40):
                        source.send(publish(5, f"k/{n}", "x" * 20_000, qos=1, packet_id=n + 1))
                    return {source.expect(PUBACK).reason for _ in range(40)}

                for _ in range(50):  # 40 MB: far more than it takes, however fast retention is
                    if 0x97 in answers():
                        break
                eventually(lambda: answers() == {0}, "it is taken again", seconds=15)
                eventually(lambda: info(broker, "k")["bytes"] < 3_000_000, "what was taken away is not counted")


@test(seconds=60)
def history_prints_what_is_kept():
    with DurableBroker() as broker:
        stream(broker, "create", "orders", "--filter", "orders/#")
        for topic in range(5):
            pub(broker, f"orders/{topic}", topic * 50, topic * 50 + 50)
        broker.restart()

        def lines(*arguments):
            out = arena("history", *arguments, "--output", "json", "--data", broker.data).stdout
            return [json.loads(line) for line in out.splitlines()]

        equal([m["payload"] for m in lines("orders", "--limit", 0)], numbers(0, 250), "in the order of their times")
        equal([m["payload"] for m in lines("orders/3", "--since", "10m")], numbers(150, 200))
        first = lines("orders", "--limit", 30)
        equal(len(first), 30)
        more = arena("history", "orders", "--limit", 30, "--data", broker.data).stderr
        assert "there is more: arena history orders --from " in more and more.strip().endswith(f" --data {broker.data}"), more
        rest = lines("orders", "--limit", 0, "--from", more.split("--from ")[1].split()[0])
        equal(sorted(m["id"] for m in first + rest), sorted(m["id"] for m in lines("orders", "--limit", 0)))
        equal(set(first[0]), {"topic", "payload", "id", "time", "position"})
        with open(f"{broker.folder}/bytes", "wb") as file:
            file.write(b"\xff\x00")
        arena("pub", "-p", broker.port, "-q", 1, "orders/bin", f"@{broker.folder}/bytes")
        equal([(m["payload"], m["encoding"]) for m in lines("orders/bin")], [("/wA=", "base64")])
        arena("history", "nothing/here", "--data", broker.data, code=1)


class Configured(DurableBroker):
    """arena server with [[streams]]."""

    def __init__(self, streams):
        super().__init__(configured=True)
        self.streams = streams

    def config_text(self):
        return super().config_text() + self.streams

    def refuses(self):
        self.write_config()
        done = subprocess.run(self.command(), capture_output=True, text=True, timeout=20 * SLOW, check=False)
        assert done.returncode != 0, done.stderr
        return done.stderr


@test(seconds=60)
def streams_are_declared_by_configuration():
    table = "[[streams]]\nname = {}\nfilters = [{}]\n{}\n"
    broker = Configured(table.format('"orders"', '"orders/#"', 'max_age = "7d"\nmax_bytes = "1GB"'))
    try:
        broker.start()
        equal(info(broker, "orders")["max_bytes"], 1_000_000_000)
        pub(broker, "orders/1", 0, 10)
        stream(broker, "create", "by-hand", "--filter", "hand")
        broker.stop(keep=True)
        broker.streams = table.format('"orders"', '"orders/#"', "max_messages = 7")
        broker.start()
        equal((info(broker, "orders")["max_bytes"], info(broker, "orders")["max_messages"]), (0, 7), "edited")
        eventually(lambda: info(broker, "orders")["messages"] == 7, "the limit holds")
        equal(info(broker, "by-hand")["filters"], ["hand"], "what is not in the file stays")
        broker.stop(keep=True)
        broker.streams = table.format('"orders"', '"orders/+"', "")
        said = broker.refuses()
        assert "arena.toml:" in said and "streams.filters" in said and "cannot be changed" in said, said
        broker.streams = table.format('"hands"', '"+"', "")
        said = broker.refuses()
        assert "arena.toml:" in said and "streams.filters" in said and "do not overlap" in said, said
        broker.streams = table.format('"a"', '"a/#"', "") + table.format('"b"', '"a/+"', "") + table.format('"c"', '"c"', 'max_age = 7')
        broker.write_config()
        said = arena("config", "check", "--config", broker.config, code=2).stderr
        assert "do not overlap" in said and "streams.max_age" in said, said
    finally:
        broker.stop()


@test(seconds=30)
def sys_topics_count_streams():
    with DurableBroker() as broker:
        stream(broker, "create", "orders", "--filter", "orders/#")
        broker.restart()
        equal(arena("sub", "-p", broker.port, "$SYS/broker/streams/count", "-C", 1, "-W", WAIT).stdout, "1\n")


run_all()
