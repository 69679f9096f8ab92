#!/usr/bin/env python3
"""Publishing once: what a client repeats under the same id, or by a producer's sequence, is stored once, also when the
broker was killed between the two. Through Paho in MQTT 5."""
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


run_all()
