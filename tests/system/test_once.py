#!/usr/bin/env python3
"""Publishing once: what a client repeats under the same id, or by a producer's sequence, is stored once, also when the
broker was killed between the two. Through Paho in MQTT 5, and `arena pub`."""
import queue
import subprocess

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import SLOW, arena_bin
from durable import DurableBroker
from harness import equal, run_all, test


class Publisher:
    """Publishes one after the other; answers are (reason code, reason string, {user property: value})."""

    def __init__(self, port):
        self.acked, connected = queue.Queue(), queue.Queue()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
        self.client.on_publish = lambda c, u, mid, reason, properties: self.acked.put((reason, properties))
        self.client.on_connect = lambda *_: connected.put(True)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        connected.get(timeout=5 * SLOW)

    def publish(self, topic, payload, qos=1, **own):
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("arena-" + name, value) for name, value in own.items()]
        self.client.publish(topic, payload, qos, properties=properties)
        reason, got = self.acked.get(timeout=5 * SLOW)
        return reason.value, getattr(got, "ReasonString", ""), dict(getattr(got, "UserProperty", []))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.loop_stop()
        self.client.disconnect()


def stored(broker, topic, count):
    done = subprocess.run([arena_bin(), "sub", "-p", str(broker.port), topic, "--from", "earliest", "-C", str(count), "-W",
                           f"{round(10 * SLOW)}s"], capture_output=True, text=True, timeout=20 * SLOW, check=True)
    return done.stdout.splitlines()


def make_stream(broker):
    subprocess.run([arena_bin(), "stream", "create", "s", "--filter", "s/#", "--data", broker.data], capture_output=True,
                   timeout=20 * SLOW, check=True)


@test(seconds=60)
def a_repetition_under_the_same_id_is_stored_once_also_after_a_kill():
    with DurableBroker() as broker:
        make_stream(broker)
        with Publisher(broker.port) as client:
            code, _, first = client.publish("s/1", "a", id="order-1")
            equal(code, 0)
            assert "arena-position" in first and "arena-duplicate" not in first, first
        broker.kill()
        broker.start()
        with Publisher(broker.port) as client:
            code, _, again = client.publish("s/1", "a", id="order-1")
            equal((code, again["arena-position"], again["arena-duplicate"]), (0, first["arena-position"], "1"))
            code, reason, _ = client.publish("s/1", "b", id="order-1")
            equal(code, 0x83)
            assert reason.startswith("conflict"), reason
            client.publish("s/1", "end")
        equal(stored(broker, "s/1", 2), ["a", "end"])


@test(seconds=60)
def a_producer_that_sends_all_again_after_a_kill_is_stored_once():
    with DurableBroker() as broker:
        make_stream(broker)
        with Publisher(broker.port) as client:
            for n in range(1, 31):
                equal(client.publish("s/1", str(n), producer=f"meter:1:{n}")[0], 0)
        broker.kill()
        broker.start()
        with Publisher(broker.port) as client:
            for n in range(1, 31):
                code, _, properties = client.publish("s/1", str(n), producer=f"meter:1:{n}")
                equal((code, properties["arena-duplicate"]), (0, "1"))
            equal(client.publish("s/1", "31", producer="meter:1:31")[2].get("arena-duplicate"), None)
            code, reason, _ = client.publish("s/1", "x", producer="stranger:1:7")
            equal(code, 0x83)
            assert reason.startswith("unknown-producer"), reason
        equal(stored(broker, "s/1", 31), [str(n) for n in range(1, 32)])


def pub(broker, *arguments, text_in=None):
    """(exit code, what it said)"""
    done = subprocess.run([arena_bin(), "pub", "-p", str(broker.port), *arguments], input=text_in, capture_output=True, text=True,
                          timeout=20 * SLOW, check=False)
    equal(done.stdout, "")
    return done.returncode, done.stderr


def tells(told, code, *words):
    equal(told[0], code)
    assert all(word in told[1] for word in words), told


@test(seconds=60)
def arena_pub_tells_what_was_published_before_and_what_is_refused():
    with DurableBroker() as broker:
        make_stream(broker)
        equal(pub(broker, "s/1", "a", "--publish-id", "order-1"), (0, ""))
        broker.kill()
        broker.start()
        for qos in ((), ("-q", "1"), ("-q", "2")):
            tells(pub(broker, "s/1", "a", "--publish-id", "order-1", *qos), 0, "published before, at 0.", "not stored again")
            tells(pub(broker, "s/1", "b", "--publish-id", "order-1", *qos), 1, "refused", "conflict", "next: ", "--publish-id")
        equal(pub(broker, "s/1", "end"), (0, ""))
        equal(stored(broker, "s/1", 2), ["a", "end"])


@test(seconds=60)
def arena_pub_numbers_the_lines_of_a_producer():
    with DurableBroker() as broker:
        make_stream(broker)
        equal(pub(broker, "s/1", "-l", "--producer", "meter:1:1", text_in="1\n2\n3\n"), (0, ""))
        tells(pub(broker, "s/1", "-l", "--producer", "meter:1:2", text_in="2\n3\n4\n5\n"), 0, "2 of 4", "not stored again")
        tells(pub(broker, "s/1", "x", "--producer", "meter:1:5"), 1, "conflict", "next: ", "sequence")
        tells(pub(broker, "s/1", "x", "--producer", "stranger:1:7"), 1, "unknown-producer", "next: ", "stranger:EPOCH:1")
        equal(pub(broker, "s/1", "-m", "6", "--producer", "meter:2:1"), (0, ""))
        tells(pub(broker, "s/1", "x", "--producer", "meter:1:6"), 1, "unknown-producer")
        equal(stored(broker, "s/1", 6), ["1", "2", "3", "4", "5", "6"])


@test
def arena_pub_asks_for_what_publishing_once_needs():
    with DurableBroker() as broker:
        for wrong in (("--publish-id", "x", "--producer", "p:1:1"), ("--publish-id", ""), ("--publish-id", "x", "-q", "0"),
                      ("--publish-id", "x", "--mqtt-version", "3.1.1"), ("--publish-id", "x", "--count", "2"),
                      ("--producer", "p:1"), ("--producer", "p:1:0"), ("--producer", "p:1:x")):
            equal((wrong, pub(broker, "s/1", "a", *wrong)[0]), (wrong, 2))


run_all()
