#!/usr/bin/env python3
"""What is acknowledged survives: a broker with a data folder is killed, started again, and asked for everything. And
what it says when the folder cannot be had."""
import os
import resource
import shutil
import signal
import subprocess

from broker import SLOW, Broker, arena_bin
from durable import DurableBroker, leave_messages, persistent, take
from harness import equal, eventually, run_all, test
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import


def all_of_it_is_there(version, configured):
    broker = DurableBroker(configured=configured).start()
    try:
        leave_messages(broker.port, version, "away", 20)
        with opened(broker.port, version, "retainer") as wire:
            wire.send(publish(version, "state/door", "open", qos=1, packet_id=5, retain=True)).expect(PUBACK)
        broker.restart()
        with opened(broker.port, version, "looker") as looker:
            looker.subscribe(("state/#", 1))
            message = looker.expect(PUBLISH, payload=b"open")
            equal(message.retain, True, "retain flag")
        wire = opened(broker.port, version, "away", **persistent(version))
        equal(wire.connack.session_present, version > 3, "session present")
        got = take(wire, 40)
        for qos, word in ((1, "one"), (2, "two")):
            equal([text for q, text in got if q == qos], [f"{word} {n}" for n in range(20)], f"QoS {qos}")
        wire.ping()  # and nothing twice
        with opened(broker.port, version, "again") as publisher:  # its subscription is there too
            publisher.send(publish(version, "away/new", "new", qos=1, packet_id=1)).expect(PUBACK)
        equal(take(wire, 1), [(1, "new")])
        wire.leave()
        equal(broker.stop(keep=True), 0, "exit code")  # after a kill it might repeat what was settled just before
        broker.launch()
        with opened(broker.port, version, "away", **persistent(version)) as wire:
            wire.ping()
    finally:
        broker.stop()


@test(seconds=40)
def v3_what_was_acknowledged_survives_a_kill():
    all_of_it_is_there(4, configured=False)


@test(seconds=40)
def v5_what_was_acknowledged_survives_a_kill_of_a_configured_server():
    all_of_it_is_there(5, configured=True)


@test(seconds=40)
def v5_handshakes_go_on_after_a_kill():
    """Exactly once at every step: neither lost nor twice, whichever packet the kill came after."""
    broker = DurableBroker().start()
    try:
        name = "steps"
        wire = opened(broker.port, 5, name, **persistent(5))
        wire.subscribe(("steps", 2))
        publisher = opened(broker.port, 5, "steps-p", **persistent(5))
        publisher.send(publish(5, "steps", "a", qos=2, packet_id=7)).expect(PUBREC, packet_id=7)
        first = wire.expect(PUBLISH, payload=b"a")
        publisher.close()
        wire.close()
        broker.restart()
        publisher = opened(broker.port, 5, "steps-p", **persistent(5))
        publisher.send(publish(5, "steps", "a", qos=2, packet_id=7, dup=True)).expect(PUBREC, packet_id=7)
        wire = opened(broker.port, 5, name, **persistent(5))
        again = wire.expect(PUBLISH, payload=b"a", dup=True)
        equal(again.packet_id, first.packet_id, "packet id")
        wire.send(ack(PUBREC, again.packet_id)).expect(PUBREL, packet_id=again.packet_id)
        publisher.close()
        wire.close()
        broker.restart()
        wire = opened(broker.port, 5, name, **persistent(5))
        wire.expect(PUBREL, packet_id=again.packet_id)
        wire.send(ack(PUBCOMP, again.packet_id)).ping()
        publisher = opened(broker.port, 5, "steps-p", **persistent(5))
        publisher.send(ack(PUBREL, 7)).expect(PUBCOMP, packet_id=7)
        wire.ping()  # nothing more comes
    finally:
        broker.stop()


@test(seconds=60)
def kills_under_load_lose_nothing():
    """Whatever was acknowledged before the kill is delivered after it, in order."""
    broker = DurableBroker().start()
    try:
        away = opened(broker.port, 4, "load", **persistent(4))
        away.subscribe(("load/#", 1))
        away.reset()
        acknowledged = []
        sent = 0
        for round_ in range(5):
            publisher = opened(broker.port, 4, "load-p")
            ids = {}
            for _ in range(200):
                sent += 1
                ids[sent % 60000 + 1] = sent
                publisher.send(publish(4, f"load/{sent % 7}", str(sent), qos=1, packet_id=sent % 60000 + 1))
            for _ in range(100 + 20 * round_):
                acknowledged.append(ids[publisher.expect(PUBACK).packet_id])
            broker.restart()
            publisher.close()
        with opened(broker.port, 4, "load", **persistent(4)) as wire:
            got = []
            while not set(acknowledged) <= set(got):
                message = wire.expect(PUBLISH)
                wire.send(ack(PUBACK, message.packet_id))
                got.append(int(message.payload))
            equal(len(set(got)), len(got), "nothing twice")
            for topic in range(7):
                mine = [n for n in got if n % 7 == topic]
                equal(mine, sorted(mine), f"order of load/{topic}")
    finally:
        broker.stop()


@test(seconds=40)
def with_too_little_space_nothing_is_stored_and_it_heals():
    broker = DurableBroker(configured=True).start()
    try:
        leave_messages(broker.port, 5, "away", 3)
        equal(broker.stop(keep=True), 0)
        space = os.statvfs(broker.data)
        broker.reserve_bytes = space.f_bavail * space.f_frsize * 3 // 2
        broker.write_config()
        broker.launch()
        with opened(broker.port, 5, "p") as publisher:
            publisher.send(publish(5, "away/one", "refused", qos=1, packet_id=1)).expect(PUBACK, reason=0x97)
            publisher.send(publish(5, "nobody", "not stored", qos=1, packet_id=2)).expect(PUBACK, reason=0x10)
        with opened(broker.port, 5, "away", **persistent(5)) as wire:
            equal(len(take(wire, 6)), 6, "what is there is served")
        equal(broker.stop(keep=True), 0)
        broker.reserve_bytes = None
        broker.write_config()
        broker.launch()
        with opened(broker.port, 5, "p") as publisher:
            publisher.send(publish(5, "away/one", "taken", qos=1, packet_id=1)).expect(PUBACK, reason=0)
        with opened(broker.port, 5, "away", **persistent(5)) as wire:
            equal(take(wire, 1), [(1, "taken")])
    finally:
        broker.stop()


@test(seconds=60)
def a_write_that_fails_ends_the_broker_and_loses_nothing():
    """A limit on the size of files stands for the broken disk."""
    broker = DurableBroker().start()
    try:
        leave_messages(broker.port, 5, "away", 1)
        equal(broker.stop(keep=True), 0)

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

        broker.launch(preexec_fn=small_files)
        acknowledged = []
        publisher = opened(broker.port, 5, "p")
        for n in range(1, 1000):
            publisher.send(publish(5, "away/one", f"{n} " + "x" * 1000, qos=1, packet_id=n))
            got = publisher.read()
            if got is None or got.kind != PUBACK or got.reason >= 0x80:
                break
            acknowledged.append(n)
        publisher.close()
        equal(broker.process.wait(10 * SLOW), 1, "exit code")
        assert "the store failed" in broker.log(), broker.log()
        assert 10 < len(acknowledged) < 990, len(acknowledged)
        broker.launch()
        with opened(broker.port, 5, "away", **persistent(5)) as wire:
            got = []
            while len(got) < len(acknowledged) + 2:
                got += [text.split()[0] for _, text in take(wire, 1)]
        equal([int(text) for text in got if text.isdigit()][:len(acknowledged)], acknowledged)
    finally:
        broker.stop()


@test
def two_brokers_do_not_share_a_folder():
    with DurableBroker() as broker:
        other = subprocess.run([arena_bin(), "dev", "--mqtt", "0", "--data", broker.data], capture_output=True, text=True,
                               timeout=10 * SLOW, check=False)
        equal(other.returncode, 1, "exit code")
        wanted = f"the folder {broker.data} is in use by process {broker.process.pid}"
        assert wanted in other.stderr, other.stderr


@test
def a_later_format_is_refused():
    broker = DurableBroker().start()
    try:
        equal(broker.stop(keep=True), 0)
        path = os.path.join(broker.data, "format")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("arena-store 2", "arena-store 3"))
        refused = subprocess.run(broker.command(), capture_output=True, text=True, timeout=10 * SLOW, check=False)
        equal(refused.returncode, 1, "exit code")
        assert f"{broker.data} was written by a later release" in refused.stderr, refused.stderr
    finally:
        shutil.rmtree(broker.folder, ignore_errors=True)


@test
def it_says_what_an_acknowledgement_means():
    with DurableBroker() as broker:
        eventually(lambda: "synced to disk" in broker.log(), "the log says so")
        assert f"kept in {broker.data}" in broker.log(), broker.log()
    with Broker() as broker:
        eventually(lambda: "nothing is kept on disk" in broker.log(), "the log says so")


run_all()
