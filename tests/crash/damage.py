#!/usr/bin/env python3
"""A broker's store is damaged in any of its files, and the broker, which knows nothing of it, is asked for everything that it
had: streams and their messages, sessions and what waits for them, last values, what was published once. What comes must be as
it was; what is missing must have been told, by the check and to readers; what is refused must open after quarantine. What is
published then must go to places that were never used, and be there after another restart.

    ARENA_BIN=build/release/arena tests/crash/damage.py [--damages N] [--seed SEED] [--jobs N] [--only KIND] [--show]

The last line is 'N passed, N failed' in damages.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from damage_judge import LIMITED, Judge, Told  # pylint: disable=wrong-import-position
from stored_world import SLOW, STREAMS, Answers, Filling, Http, StoredBroker, all_topics, arena_bin, ask_everything, place, read_streams  # pylint: disable=wrong-import-position

# What nothing is read from: RocksDB's notes, and what a process holds while it runs.
NO_PART = ("LOG", "lock", "LOCK", "admin.sock")


# ---- damaging ----

def kind_of(path):
    """Files of a kind are equally likely to be hit, and so are kinds."""
    name = path.name
    if name.endswith((".sst", ".log")):
        return name.rpartition(".")[2]
    return name.partition("-")[0]


def files_by_kind(data):
    kinds = {}
    for path in sorted(Path(data).rglob("*")):
        if path.is_file() and not path.name.startswith(NO_PART):
            kinds.setdefault(kind_of(path), []).append(path)
    return kinds


def damage_file(path, dice):
    """Hurts it in one of the ways of disks; what was done, in words."""
    data = bytearray(path.read_bytes())
    ways = ["remove"] + (["flip", "flip", "cut", "empty", "zeros", "elsewhere", "more"] if data else [])
    way = dice.choice(ways)
    at = dice.randrange(len(data)) if data else 0
    size = min(dice.choice([16, 512, 4096]), len(data) - at)
    if way == "remove":
        path.unlink()
        return "removed"
    if way == "flip":
        data[at] ^= 1 << dice.randrange(8)
        what = f"a bit of byte {at} of {len(data)} changed"
    elif way == "cut":
        what = f"cut at {at} of {len(data)}"
        del data[at:]
    elif way == "empty":
        what = "emptied"
        data.clear()
    elif way == "zeros":
        what = f"{size} zeros at {at} of {len(data)}"
        data[at:at + size] = bytes(size)
    elif way == "elsewhere":
        source = dice.randrange(max(1, len(data) - size))
        what = f"{size} bytes of {source} at {at} of {len(data)}"
        data[at:at + size] = data[source:source + size]
    else:
        what = f"{size} bytes more than {len(data)}"
        data += dice.randbytes(size)
    path.write_bytes(data)
    return what


def store_check(data, *arguments):
    done = subprocess.run([arena_bin(), "store", "check", *arguments, "--json", str(data)], capture_output=True, text=True, timeout=60 * SLOW, check=False)
    try:
        return done.returncode, json.loads(done.stdout), done.stderr
    except json.JSONDecodeError:
        return done.returncode, None, done.stderr


@dataclass
class Original:
    """The store before it was damaged."""
    data: str
    places: dict  # payload: position
    sound: Answers = None

    def copy(self):
        """A broker that is not started, with a copy of it."""
        broker = StoredBroker()
        broker.write_config()
        shutil.copytree(self.data, broker.data, ignore=shutil.ignore_patterns("admin.sock"))
        return broker


def publish_and_restart(broker, places, got):
    """What is published now has places of its own, and is there after a restart, beside all that was there before."""
    topics = [topic for topic in all_topics() if topic.split("/")[0] in STREAMS and topic.split("/")[0] in got.streams]
    highest = Counter()
    for log, partition, offset in [*places.values(), *got.items]:
        highest[log, partition] = max(highest[log, partition], offset)
    fresh = {}
    with Http(broker.http_port) as http_:
        for topic, result in zip(topics, http_.send([{"topic": topic, "payload": f"fresh {topic}"} for topic in topics])):
            fresh[place(result["position"])] = f"fresh {topic}"
    for (log, partition, offset) in fresh:
        if offset <= highest[log, partition]:
            yield f"a new message is stored at {(log, partition, offset)}, where {highest[log, partition]} has been"
    broker.kill()
    broker.launch()
    after = read_streams(broker)
    for where, payload in fresh.items():
        if after.items.get(where, ("", "", ""))[2] != payload:
            yield f"{payload} was stored at {where}, where after a restart {after.items.get(where)} is"
    for where, item in got.items.items():
        if item[0] != LIMITED and after.items.get(where) != item:
            yield f"{where} of {item[0]} was there, and after a restart {after.items.get(where)} is"


def start(broker):
    """Whether it serves; if not, why."""
    try:
        broker.launch()
        return True, ""
    except RuntimeError as error:
        return False, str(error)


def try_damage(original, seed, only):
    """(kind of file, what was done to it, what came of it, messages missing, blame)."""
    dice, broker = random.Random(seed), original.copy()
    try:
        kinds = files_by_kind(broker.data)
        kind = dice.choice(sorted(kind for kind in kinds if only in kind))
        path = dice.choice(kinds[kind])
        done = f"{path.relative_to(broker.data)}: {damage_file(path, dice)}"
        return kind, done, *judge_damage(original, broker)
    finally:
        broker.stop()


def judge_damage(original, broker):
    code, report, said = store_check(broker.data)
    if report is None:
        return "check fails", 0, [f"store check ends with {code}: {said[:300]}"]
    if code != (0 if report["sound"] else 10):
        return "check", 0, [f"store check ends with {code} of a store with sound {report['sound']}"]
    serves, why = start(broker)
    outcome = "sound" if report["sound"] else "served"
    if not serves:
        outcome = "refused"
        if report["sound"] or not report["refused"]:
            return outcome, 0, [f"a server refuses what the check calls sound: {why[-300:]}"]
        if "arena store check" not in why:
            return outcome, 0, [f"the refusal names no way out: {why[-300:]}"]
        code, report, said = store_check(broker.data, "--quarantine")
        if code or report is None:
            return outcome, 0, [f"quarantine ends with {code}: {said[:300]}"]
        serves, why = start(broker)
        if not serves:
            return outcome, 0, [f"refused after quarantine: {why[-300:]}"]
    told = report
    judge = Judge(original.places, original.sound, Told(report))
    got = ask_everything(broker)
    blame = judge.compare(got) + list(publish_and_restart(broker, original.places, got))
    broker.stop(keep=True)
    if outcome == "refused":
        code, report, said = store_check(broker.data)
        if code:
            blame.append(f"after quarantine and a restart the check says: {report or said}"[:300])
    return outcome, judge.missing, blame + ([f"the check said: {told}"] if blame else [])


def guarded(original, seed, only):
    try:
        return try_damage(original, seed, only)
    except (AssertionError, RuntimeError, OSError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
        return "", "", "failed", 0, [f"{type(error).__name__}: {error}"[:600]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damages", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="files of kinds that contain this: sst, log, MANIFEST, format, high, ...")
    parser.add_argument("--show", action="store_true", help="what the check said of those that failed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    filling = Filling()
    original = Original(filling.broker.data, filling.places)
    passed = failed = missing = 0
    outcomes = Counter()
    try:
        with original.copy() as broker:
            original.sound = ask_everything(broker)
        with ProcessPoolExecutor(options.jobs) as pool:
            tried = [(seed, pool.submit(guarded, original, seed, options.only)) for seed in range(options.seed, options.seed + options.damages)]
            for seed, result in tried:
                kind, done, outcome, lost, blame = result.result()
                outcomes[kind, outcome] += 1
                missing += lost
                passed, failed = passed + (not blame), failed + bool(blame)
                for line in blame[:5] + (blame[-1:] if options.show and len(blame) > 5 else []):
                    print(f"seed {seed}: {done}: {outcome}: {line}", flush=True)
    finally:
        filling.broker.stop()
    print("; ".join(f"{kind} {outcome} {times}" for (kind, outcome), times in sorted(outcomes.items())) + f"; {missing} messages missing")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
