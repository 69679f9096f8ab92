#!/usr/bin/env python3
"""`arena store`: what is in a store's folder, whether it is sound, how the rest is saved when it is not, and copies."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

from broker import SLOW, Rule, arena_bin
from durable import DurableBroker, leave_messages, persistent, take
from harness import equal, eventually, run_all, test
from web import Follower, curl
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import

SESSION = "away"


def store(*arguments, code=0):
    done = subprocess.run([arena_bin(), "store", *map(str, arguments)], capture_output=True, text=True, timeout=60 * SLOW,
                          check=False)
    equal(done.returncode, code, f"exit code; it said: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def store_json(*arguments, code=0):
    return json.loads(store(*arguments, "--json", code=code).stdout)


def filled(messages=20):
    """A stopped broker; its store has a session that is away, and a last value."""
    broker = DurableBroker().start()
    leave_messages(broker.port, 5, SESSION, messages)
    with opened(broker.port, 5, "retainer") as wire:
        wire.send(publish(5, "state/door", "open", qos=1, packet_id=5, retain=True)).expect(PUBACK)
    equal(broker.stop(keep=True), 0, "exit code")
    return broker


def leave(broker):
    if broker.process and broker.process.poll() is None:
        broker.stop()
    shutil.rmtree(broker.folder, ignore_errors=True)


def database_file(broker, pattern, pick=max):
    return pick(glob.glob(os.path.join(broker.data, "rocksdb", pattern)), key=os.path.getsize)


def write_out(broker):
    """Until its store has table files: RocksDB writes them when it replays its log."""
    broker.launch()
    equal(broker.stop(keep=True), 0)


def serves_what_is_left(broker, count):
    """The session gets `count` messages, and new ones; the broker says what is lost."""
    broker.launch()
    wire = opened(broker.port, 5, SESSION, **persistent(5))
    got = take(wire, count)
    with opened(broker.port, 5, "new") as publisher:
        publisher.send(publish(5, f"{SESSION}/new", "new", qos=1, packet_id=1)).expect(PUBACK, reason=0)
    equal(take(wire, 1), [(1, "new")], "what is published now")
    wire.close()
    return got


def everything(messages=20):
    return sorted([(1, f"one {n}") for n in range(messages)] + [(2, f"two {n}") for n in range(messages)])


@test(seconds=40)
def stats_tell_what_is_stored():
    broker = filled()
    try:
        stats = store_json("stats", broker.data)
        equal((stats["format"], stats["messages"], stats["sessions"]), (2, 40, 1), "counts")
        equal(stats["retained"], 1, "last values of users")
        assert stats["retained_own"] > 10, stats  # $SYS
        equal(len(stats["logs"]), stats["partitions"], "logs")
        equal(sum(log["messages"] for log in stats["logs"]), 40, "messages of the logs")
        text = store("stats", broker.data).stdout
        assert "messages    40\n" in text and "sessions    1\n" in text, text
    finally:
        leave(broker)


@test(seconds=40)
def a_sound_store_is_told_sound_and_nothing_changes():
    broker = filled()
    try:
        found = store_json("check", broker.data)
        equal((found["sound"], found["damages"], found["messages"]), (True, [], 40), "findings")
        assert "sound: " in store("check", broker.data).stdout
        equal(store_json("check", "--quarantine", broker.data)["quarantine"], "", "nothing is moved")
        equal(glob.glob(os.path.join(broker.data, "quarantine-*")), [], "no folder is made")
        equal(sorted(serves_what_is_left(broker, 40)), everything(), "all of it is there")
    finally:
        leave(broker)


@test(seconds=30)
def a_store_in_use_or_none_is_refused():
    broker = DurableBroker().start()
    try:
        for command in ("stats", "check"):
            said = store(command, broker.data, code=1).stderr
            assert f"is in use by process {broker.process.pid}" in said, said
            assert "next: " in said and f"--data {broker.data}" in said and "arena store check" not in said, said
        assert "is no store" in store("check", tempfile.mkdtemp(dir=broker.folder), code=1).stderr
    finally:
        broker.stop()


def damaged(damage, what):
    """A store that is damaged so that no server takes it, and taken by one after quarantine. Returns what was said."""
    broker = filled()
    try:
        damage(broker)
        refused = subprocess.run(broker.command(), capture_output=True, text=True, timeout=20 * SLOW, check=False)
        equal(refused.returncode, 1, f"a server refuses it; it said {refused.stderr[-800:]}")
        found = store_json("check", broker.data, code=10)
        equal(found["sound"], False, what)
        assert found["refused"] and found["damages"], found
        done = store_json("check", "--quarantine", broker.data)
        assert os.path.isdir(os.path.join(broker.data, done["quarantine"])), done
        assert store_json("check", broker.data)["sound"]
        return broker, done
    except BaseException:
        leave(broker)
        raise


@test(seconds=60)
def without_current_all_is_saved():
    broker, done = damaged(lambda b: os.remove(os.path.join(b.data, "rocksdb", "CURRENT")), "no CURRENT")
    try:
        equal(done["lost"], [], "lost")
        equal(sorted(serves_what_is_left(broker, 40)), everything(), "all of it is there")
    finally:
        leave(broker)


@test(seconds=60)
def without_its_format_all_is_saved():
    broker, done = damaged(lambda b: os.remove(os.path.join(b.data, "format")), "no format")
    try:
        equal(done["lost"], [], "lost")
        equal(sorted(serves_what_is_left(broker, 40)), everything(), "all of it is there")
    finally:
        leave(broker)


@test(seconds=60)
def without_a_manifest_all_is_saved():
    def damage(broker):
        with open(database_file(broker, "MANIFEST-*"), "r+b") as file:
            file.truncate(40)
    broker, _ = damaged(damage, "a broken manifest")
    try:
        equal(sorted(serves_what_is_left(broker, 40)), everything(), "all of it is there")
    finally:
        leave(broker)


@test(seconds=60)
def a_log_that_ends_early_is_told_and_the_rest_served():
    """The way out when a server says that the end of what was acknowledged is missing."""
    def damage(broker):
        path = database_file(broker, "*.log")
        os.truncate(path, os.path.getsize(path) // 2)
    broker, done = damaged(damage, "a log cut short")
    try:
        assert done["lost"] and all(lost["bound"] for lost in done["lost"]), done
        assert done["keys_may_be_older"], done
        assert store_json("stats", broker.data)["lost"] > 0
        broker.launch()
        with opened(broker.port, 5, "listener") as listener, opened(broker.port, 5, "new") as publisher:
            listener.subscribe(("new", 1))
            publisher.send(publish(5, "new", "new", qos=1, packet_id=5)).expect(PUBACK, reason=0)
            listener.expect(PUBLISH, payload=b"new")
    finally:
        leave(broker)


@test(seconds=60)
def a_table_file_that_is_gone_is_told_and_the_rest_served():
    def damage(broker):
        write_out(broker)
        os.remove(database_file(broker, "*.sst"))
    broker, done = damaged(damage, "a table file is gone")
    try:
        assert done["lost"] or done["keys_may_be_older"], done
        broker.launch()
        with opened(broker.port, 5, "new") as wire:
            wire.send(publish(5, "a", "b", qos=1, packet_id=5)).expect(PUBACK)
    finally:
        leave(broker)


def stream_in_files(files):
    """A stopped broker with the stream "s": its messages 0 to 9 lie in the first of so many table files, 10 to 19 in the second …
    Returns it and the files."""
    broker = DurableBroker(http=True).start()
    subprocess.run([arena_bin(), "stream", "create", "s", "--filter", "s/#", "--data", broker.data], check=True, timeout=20 * SLOW)
    tables, known = [], set()
    for first in range(0, 10 * files, 10):
        with opened(broker.port, 5, "source") as source:
            for n in range(10):
                source.send(publish(5, "s/t", f"{first + n} " + "x" * 2000, qos=1, packet_id=1 + n)).expect(PUBACK)
        equal(broker.stop(keep=True), 0)
        write_out(broker)
        now = set(glob.glob(os.path.join(broker.data, "rocksdb", "*.sst")))
        tables.append(max(now - known, key=os.path.getsize))
        known = now
        if first + 10 < 10 * files:
            broker.launch()
    return broker, tables


def arena_sub(broker, topic, *arguments):
    """Until nothing has come for a second: the first words, and what was warned of."""
    done = subprocess.run([arena_bin(), "sub", "-p", str(broker.port), topic, *arguments, "-W", f"{round(2 * SLOW)}s"], capture_output=True,
                          text=True, timeout=30 * SLOW, check=False)
    return [int(line.split()[0]) for line in done.stdout.splitlines()], [line for line in done.stderr.splitlines() if "warning" in line]


def ask(broker, path):
    status, answer = curl(path, port=broker.http_port)
    equal(status, 200, answer)
    return json.loads(answer)


def pages(broker, start):
    """All items of the stream "s" from there on, and what its pages say of gaps."""
    items, gaps, more = [], [], True
    while more:
        page = ask(broker, f"/v1/streams/s/messages?from={start}")
        items += page["items"]
        gaps += [page["gap"]] if "gap" in page else []
        start, more = page["next"], page["more"]
    return items, gaps


def polled(broker, position, count):
    """By one request after the other, until so many items have come: what they say of gaps."""
    items, gaps, after = [], [], f"1:{position}"
    while len(items) < count:
        page = ask(broker, f"/v1/topics/s/t?wait=5&after={after}")
        items += page["items"]
        gaps += [page["gap"]] if "gap" in page else []
        after = page["next"]
    return gaps


@test(seconds=90)
def readers_are_told_what_quarantine_lost_of_a_stream():
    broker, tables = stream_in_files(4)
    try:
        os.remove(tables[0])
        os.remove(tables[2])
        done = store_json("check", "--quarantine", broker.data)
        equal([(lost["from"], lost["upto"], lost["bound"]) for lost in done["lost"]], [(0, 10, False), (20, 30, False)], "lost")
        broker.launch()
        left = list(range(10, 20)) + list(range(30, 40))
        for topic, arguments in (("s/#", ("--from", "earliest")), ("s/t", ("--from", "0")), ("$replay/earliest/s/#", ())):
            got, warnings = arena_sub(broker, topic, *arguments)
            equal(got, left, f"what is left, by {topic}")
            equal(len([line for line in warnings if "10 messages" in line and "damage" in line]), 2, f"two gaps: {warnings}")
        got, warnings = arena_sub(broker, "s/t", "--from", "25")
        equal((got, len(warnings), "5 messages" in warnings[0]), (list(range(30, 40)), 1, True), f"no more than was asked for: {warnings}")
        with opened(broker.port, 5, "reader") as reader:
            reader.send(subscribe(5, [("s/#", 1)], props=[(USER, ("arena-since", "earliest"))])).expect(SUBACK)
            gap = reader.expect(PUBLISH, topic="$gap/s")
            told = json.loads(gap.payload)
            equal((told["missing"], told["next"], told["reason"]), (10, 10, "damaged"))
        items, gaps = pages(broker, "earliest")
        equal((len(items), gaps), (20, [10, 10]), "pages")
        position = items[0]["position"]
        items, gaps = pages(broker, position)
        equal((len(items), gaps), (19, [10]), "pages behind the first")
        equal(polled(broker, position, 19), [10], "polls")
        follower = Follower("topic=s/%23", f"1:{position}", port=broker.http_port)
        got = [follower.next() for _ in range(20)]
        equal([event["missing"] for event in got if "missing" in event], [10], "events")
        follower.close()
        equal(broker.stop(keep=True), 0)
    finally:
        leave(broker)


@test(seconds=90)
def readers_are_told_when_nobody_knows_how_much_was_lost():
    broker, tables = stream_in_files(2)
    try:
        os.remove(tables[1])
        done = store_json("check", "--quarantine", broker.data)
        equal([(lost["from"], lost["bound"]) for lost in done["lost"]], [(10, True)], "lost")
        broker.launch()
        with opened(broker.port, 5, "source") as source:
            source.send(publish(5, "s/t", "40", qos=1, packet_id=1)).expect(PUBACK)
        got, warnings = arena_sub(broker, "s/#", "--from", "earliest")
        equal(got, list(range(10)) + [40])
        assert len(warnings) == 1 and "messages of the stream" in warnings[0] and not any(c.isdigit() for c in warnings[0]), warnings
        items, gaps = pages(broker, "earliest")
        equal((len(items), gaps), (11, [None]), "pages")
        equal(polled(broker, items[0]["position"], 10), [None], "polls")
        history = subprocess.run([arena_bin(), "history", "s", "--data", broker.data], capture_output=True, text=True, timeout=20 * SLOW, check=True)
        assert "warning: messages of the stream" in history.stderr, history.stderr
        equal(broker.stop(keep=True), 0)
    finally:
        leave(broker)


def tables_of(broker, family):
    out = []
    for path in glob.glob(os.path.join(broker.data, "rocksdb", "*.sst")):
        with open(path, "rb") as file:
            if family in file.read():  # among its properties
                out.append(path)
    return out


@test(seconds=60)
def what_kinds_of_keys_are_gone_is_told():
    broker = DurableBroker(http=True, rules=[Rule("allow", "all", ["#", "$arena/streams"])]).start()
    try:
        leave_messages(broker.port, 5, SESSION, 5)
        body = json.dumps({"name": "orders", "filters": ["orders/#"]}).encode()
        equal(curl("/v1/streams", "-H", "Content-Type: application/json", port=broker.http_port, body=body)[0] // 100, 2)
        with opened(broker.port, 5, "p") as wire:
            for n in range(3):
                wire.send(publish(5, "orders/1", f"{n}", qos=1, packet_id=1 + n, retain=True)).expect(PUBACK, reason=0)
        equal(broker.stop(keep=True), 0)
        write_out(broker)
        for path in tables_of(broker, b"spaces"):
            os.remove(path)
        found = store("check", broker.data, code=10)
        assert "streams' declarations" in found.stdout and "sessions" in found.stdout, found.stdout
        copy = os.path.join(broker.folder, "copy")
        shutil.copytree(broker.data, copy)
        done = store_json("check", "--quarantine", broker.data)["keys"]
        equal((done["gone"], done["older"]), (True, True))
        assert {"streams", "sessions", "groups", "retained", "published"} <= set(done["kinds"]), done
        equal((done["left"]["streams"], done["left"]["sessions"]), (0, 0), "left")
        equal([one["messages"] for one in done["undeclared"]], [3], "messages of streams that nobody declares")
        said = store("check", "--quarantine", copy)
        for word in ("streams' declarations", "sessions and their subscriptions", "last values", "remembered ids", "left: 0 streams, 0 sessions",
                     "3 messages of 1 stream whose declaration is gone"):
            assert word in said.stdout, f"{word}: {said.stdout}"
        assert "next: " in said.stderr and "backup" in said.stderr and "arena stream create" in said.stderr, said.stderr
    finally:
        leave(broker)


def everything_of(folder):
    out = {}
    for path in glob.glob(os.path.join(folder, "**"), recursive=True):
        if os.path.isfile(path) and os.path.basename(path) != "lock":
            with open(path, "rb") as file:
                out[os.path.relpath(path, folder)] = hash(file.read())
        elif os.path.isdir(path):
            out[os.path.relpath(path, folder)] = "folder"
    return out


class SmallDisk:
    """A file system of its own for a broker's store. None where one may not mount."""

    def __init__(self, folder, megabytes=64):
        self.path, self.ballast = folder, os.path.join(folder, "ballast")
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder], capture_output=True, check=False)
        self.mounted = done.returncode == 0

    def fill(self, leave_bytes=0):
        self.free()
        with open(self.ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError:
                pass
            file.truncate(max(0, os.path.getsize(self.ballast) - leave_bytes))

    def free(self):
        if os.path.exists(self.ballast):
            os.remove(self.ballast)

    def leave(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=True)


def on_a_small_disk(act):
    broker = DurableBroker(reserve_bytes=16 << 20)
    disk = SmallDisk(os.path.join(broker.folder, "disk"))
    try:
        if not disk.mounted:
            print("  left out: a small disk cannot be mounted here")
            return
        broker.data = os.path.join(disk.path, "data")
        broker.start()
        leave_messages(broker.port, 5, SESSION, 20)
        equal(broker.stop(keep=True), 0)
        act(broker, disk)
    finally:
        if broker.process and broker.process.poll() is None:
            broker.stop(keep=True)
        disk.leave()
        leave(broker)


@test(seconds=60)
def a_full_disk_is_not_taken_for_damage():
    def act(broker, disk):
        disk.fill()
        refused = subprocess.run(broker.command(), capture_output=True, text=True, timeout=20 * SLOW, check=False)
        equal(refused.returncode, 1, refused.stderr)
        checked = store("check", broker.data, code=1)
        for said in (refused.stderr, checked.stderr):
            assert "is full" in said and broker.data in said and "--quarantine" not in said, said
        assert "next: free space" in checked.stderr, checked.stderr
        equal(store_json("stats", broker.data)["messages"], 40, "counting needs no space")
        disk.free()
        store("check", broker.data)
        equal(sorted(serves_what_is_left(broker, 40)), everything(), "all of it is there")
    on_a_small_disk(act)


@test(seconds=120)
def quarantine_on_a_full_disk_leaves_the_store_as_it_was():
    def act(broker, disk):
        write_out(broker)
        broker.launch()
        with opened(broker.port, 5, "more") as publisher:
            for n in range(60):
                publisher.send(publish(5, f"{SESSION}/one", f"one {20 + n} " + "x" * 3000, qos=1, packet_id=1 + n)).expect(PUBACK, reason=0)
        equal(broker.stop(keep=True), 0)
        os.remove(os.path.join(broker.data, "rocksdb", "CURRENT"))
        os.remove(database_file(broker, "MANIFEST-*"))
        failed = 0
        for free in (0, 100_000, 300_000, 500_000, 700_000, 1_000_000, 1_500_000, 2_000_000, 4_000_000, 8_000_000):
            before = everything_of(broker.data)
            disk.fill(free)
            done = subprocess.run([arena_bin(), "store", "check", "--quarantine", broker.data], capture_output=True, text=True, timeout=60 * SLOW, check=False)
            if done.returncode == 0:
                break
            failed += 1
            equal(done.returncode, 1, done.stdout + done.stderr)
            assert "is full" in done.stderr and "as it was" in done.stderr and "next: free space" in done.stderr, done.stderr
            disk.free()
            equal(everything_of(broker.data), before, f"with {free} bytes")
        assert failed >= 2, f"{failed} failed"
        disk.free()
        store("check", broker.data)
        got = serves_what_is_left(broker, 100)
        equal(sorted(text[:6].strip() for _, text in got), sorted([text for _, text in everything()] + [f"one {20 + n}" for n in range(60)]), "all of it is there")
    on_a_small_disk(act)


@test(seconds=60)
def quarantine_that_is_killed_at_any_moment_leaves_the_store_as_it_was():
    broker = filled()
    try:
        def of_the_store():
            return {name: content for name, content in everything_of(broker.data).items() if name.split("/")[0].split("-")[0] not in ("mending", "examination", "quarantine")}

        os.remove(database_file(broker, "MANIFEST-*"))
        before = of_the_store()
        for moment in range(1, 20):
            tool = subprocess.Popen([arena_bin(), "store", "check", "--quarantine", broker.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                tool.wait(moment * 0.02 * SLOW)
                break
            except subprocess.TimeoutExpired:
                tool.kill()
                tool.wait()
            if of_the_store() != before:  # it was just done
                break
        store("check", "--quarantine", broker.data)
        store("check", broker.data)
        equal(sorted(serves_what_is_left(broker, 40)), everything(), "all of it is there")
        equal([name for name in os.listdir(broker.data) if name in ("mending", "examination")], [], "what was broken off is removed")
    finally:
        leave(broker)


@test(seconds=60)
def a_copy_into_the_store_itself_is_refused():
    broker = filled()
    try:
        link = os.path.join(broker.folder, "link")
        os.symlink(broker.data, link)
        for running in (False, True):
            if running:
                broker.launch()
            for target in ("checkpoint-1", "rocksdb/bk", "backups/monday", "../link/bk", "."):
                target = os.path.normpath(os.path.join(broker.data, target)) if ".." not in target else os.path.join(broker.data, target)
                said = store("backup", broker.data, target, code=2).stderr
                assert "within the store" in said and "next: " in said, said
                assert target == broker.data or not os.path.exists(target), target
        equal(broker.stop(keep=True), 0)
        copy = os.path.join(broker.folder, "copy")
        store("backup", broker.data, copy)
        assert "within the store" in store("restore", copy, os.path.join(copy, "inner"), code=2).stderr
        assert store_json("check", broker.data)["sound"] and store_json("check", copy)["sound"]
    finally:
        leave(broker)


@test(seconds=60)
def a_stopped_store_is_copied_and_made_again():
    broker = filled()
    try:
        copy, again = os.path.join(broker.folder, "copy"), os.path.join(broker.folder, "again")
        assert "40 messages" in store("backup", broker.data, copy).stderr
        assert "is not empty" in store("restore", copy, broker.data, code=1).stderr
        shutil.rmtree(broker.data)
        store("restore", copy, broker.data)
        store("restore", copy, again)
        equal(sorted(serves_what_is_left(broker, 40)), everything(), "all of it is there")
    finally:
        leave(broker)


@test(seconds=60)
def who_has_seen_more_than_a_backup_has_misses_nothing_of_what_follows_it():
    rules = [Rule("allow", "all", ["#", "$arena/streams", "$SYS/broker/streams/count"])]
    broker = DurableBroker(http=True, rules=rules).start()
    try:
        def ask(path, *arguments, body=None):
            status, answer = curl(path, *arguments, port=broker.http_port, body=body)
            equal(status // 100, 2, answer)
            return json.loads(answer)

        def say(topic, *payloads):
            return [ask(f"/v1/topics/{topic}", body=one.encode())["position"] for one in payloads]

        def page(after, topic="s/t"):
            got = ask(f"/v1/topics/{topic}?wait=1&after={after}")
            return [item["payload"] for item in got["items"]], got.get("gap", 0)

        def make(name, most=0):
            ask("/v1/streams", "-H", "Content-Type: application/json", body=json.dumps({"name": name, "filters": [f"{name}/#"], "max_messages": most}).encode())

        make("s", 100)
        make("empty")
        given = say("s/t", "1", "2", "3")
        store("backup", broker.data, os.path.join(broker.folder, "bak"))
        given += say("s/t", "4", "5", "6", "7", "8") + say("empty/t", "lost")
        make("later")
        given += say("later/t", "lost")
        seen = [place for place in (given[7], given[8], given[9])]
        for life in range(2):
            broker.kill()
            os.rename(broker.data, os.path.join(broker.folder, f"gone {life}"))
            store("restore", os.path.join(broker.folder, "bak"), broker.data)
            broker.launch()
            broker.kill()
            broker.launch()
            make("later")
            equal(page("1:" + given[0]), (["2", "3"], 0), "nothing is missing")
            follower = Follower("topic=s/%23", "1:" + seen[0], port=broker.http_port)
            fresh = say("s/t", "9", "10") + say("empty/t", "11") + say("later/t", "12")
            assert not set(fresh) & set(given), (fresh, given)
            given += fresh
            for place, topic, payloads in zip(seen, ("s/t", "empty/t", "later/t"), (["9", "10"], ["11"], ["12"])):
                equal(page("1:" + place, topic), (payloads, 0), f"behind {place}")
            equal(page("1:" + given[2]), (["9", "10"], 0), "behind what the backup has")
            equal([follower.next()["payload"] for _ in range(2)], ["9", "10"], "events")
            follower.close()
            history = ask(f"/v1/streams/s/messages?from={seen[0]}")
            equal(([item["payload"] for item in history["items"]], history.get("gap", 0)), (["9", "10"], 0), "history")
            time.sleep(2)  # retention has counted
            equal(len(ask("/v1/streams/s/messages")["items"]), 5, "of a hundred at most")
            equal(ask("/v1/streams/s")["messages"], 5, "messages")
        equal(broker.stop(keep=True), 0)
        store("check", broker.data)
    finally:
        leave(broker)


@test(seconds=60)
def a_store_in_use_is_copied_with_all_that_was_acknowledged():
    broker = DurableBroker().start()
    try:
        leave_messages(broker.port, 5, SESSION, 20)
        copies = []
        for n in range(3):
            copies.append(os.path.join(broker.folder, f"copy {n}"))
            store("backup", broker.data, copies[-1])
            with opened(broker.port, 5, "more") as publisher:
                publisher.send(publish(5, f"{SESSION}/later", f"later {n}", qos=1, packet_id=1)).expect(PUBACK)
        equal(glob.glob(os.path.join(broker.data, "checkpoint-*")), [], "nothing is left behind")
        equal(oct(os.stat(os.path.join(broker.data, "admin.sock")).st_mode & 0o777), "0o600", "its socket is its owner's alone")
        equal(broker.stop(keep=True), 0)
        assert not os.path.exists(os.path.join(broker.data, "admin.sock"))
        for n, copy in enumerate(copies):
            equal(store_json("stats", copy)["messages"], 40 + n, "messages of the copy")
        shutil.rmtree(broker.data)
        store("restore", copies[2], broker.data)
        equal(sorted(serves_what_is_left(broker, 42)), sorted(everything() + [(1, "later 0"), (1, "later 1")]), "as then")
    finally:
        leave(broker)


@test(seconds=60)
def a_copy_under_load_has_what_was_acknowledged_before_it_was_asked_for():
    broker = DurableBroker().start()
    away = opened(broker.port, 5, SESSION, **persistent(5))
    away.subscribe((f"{SESSION}/#", 1))
    away.reset()
    acknowledged, ended = [0], threading.Event()

    def publish_on():
        with opened(broker.port, 5, "load") as wire:
            while not ended.is_set():
                for n in range(1, 51):
                    wire.send(publish(5, f"{SESSION}/load", "x" * 500, qos=1, packet_id=n))
                for _ in range(50):
                    wire.expect(PUBACK)
                acknowledged[0] += 50

    publisher = threading.Thread(target=publish_on)
    publisher.start()
    try:
        for n in range(3):
            reached = acknowledged[0] + 500
            eventually(lambda reached=reached: acknowledged[0] >= reached, "messages are acknowledged")
            before = acknowledged[0]
            copy = os.path.join(broker.folder, f"copy {n}")
            store("backup", broker.data, copy)
            stored = store_json("stats", copy)["messages"]
            assert stored >= before, f"{before} were acknowledged, and {stored} are in the copy"
    finally:
        ended.set()
        publisher.join()
        broker.stop()


run_all()
