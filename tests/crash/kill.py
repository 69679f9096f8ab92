#!/usr/bin/env python3
"""A broker with a data folder is killed again and again under load, and started on what it left. What its clients saw is
written down and judged by history.py: nothing that was acknowledged may be missing or out of order, nothing exactly-once
may come twice, what was settled for certain may not come again, a last value may not go back; what is published under an
id or by a producer is there once however often it is sent, and a stream replays what it kept, at the places it had; bursts
of QoS 0 that it takes are there without holes; a deleted last value stays deleted; who slept is given all it slept over.
What a session, a shared group and a stream had before a kill they have after it: the options of subscriptions, their places,
their time to live, settings; messages keep their properties and their time.

    ARENA_BIN=build/release/arena tests/crash/kill.py [--rounds N] [--seed SEED] [--keep FOLDER]

A trial has ten rounds of load, kill and restart, and then a time in which everything must arrive, with one kill more.
The last line is 'N passed, N failed' in rounds. Histories that do not hold are kept in FOLDER (build/histories).
"""
import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from arena_trial import ArenaTrial  # pylint: disable=wrong-import-position
from trial import ROUNDS_OF_A_TRIAL, DurableBroker  # pylint: disable=wrong-import-position

KEEP = Path(__file__).resolve().parents[2] / "build" / "histories"

# What must have happened in a long run, or the loop has lost its teeth.
MUST_HAPPEN = ["delivered", "sent again", "told that it is a repetition", "something else refused", "replayed",
               "replay from the beginning", "replay behind a position", "last value deleted",
               "at most once", "purged", "purged or not", "gap told", "will", "shared", "unsubscribed",
               "resumed before its expiry", "over by its expiry", "over by its owner", "set", "will called off", "late stream"]


NAMES = {"purged": "purged", "told_gap": "gap told", "handed": "shared", "unsubscribed": "unsubscribed", "over": "over by its owner",
         "set": "set"}


def count(events):
    tally, sent, absent, purging = Counter(), set(), set(), False
    for event in events:
        kind = event["event"]
        if kind == "delivered" and event["topic"].startswith("will/"):
            tally["will"] += 1
        if kind == "connected" and "expiry" in event and event["session"].startswith("y"):
            tally["resumed before its expiry" if event["present"] else "over by its expiry"] += event["session"] in absent
            absent.add(event["session"])
        if kind == "refused" and event["topic"].startswith("will/"):
            tally["will called off"] += 1
        if kind == "stream_is" and event["name"] == "late":
            tally["late stream"] += 1
        if kind == "crashed" and purging:
            tally["purged or not"] += 1
        if kind in ("delivered", "replayed"):
            tally[kind] += 1
        elif kind == "publish" and event.get("deletes"):
            tally["last value deleted"] += 1
        elif kind == "publish" and not event["qos"]:
            tally["at most once"] += 1
        elif kind == "publish" and event.get("once"):
            message = event["client"], event["number"]
            tally["sent again"] += message in sent
            sent.add(message)
        elif kind == "acked":
            tally["told that it is a repetition"] += bool(event.get("duplicate"))
        elif kind == "forged":
            tally["something else refused"] += event["refused"]
        elif kind == "replaying":
            tally["replay behind a position" if event["after"] else "replay from the beginning"] += 1
        elif kind in NAMES:
            tally[NAMES[kind]] += 1
        purging = kind == "purging" or purging and kind not in ("purged", "crashed")
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS_OF_A_TRIAL)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=KEEP)
    options = parser.parse_args()
    passed = failed = messages = 0
    tally = Counter()
    for seed in range(options.seed, options.seed + max(1, options.rounds // ROUNDS_OF_A_TRIAL)):
        trial = ArenaTrial(DurableBroker(), seed)
        story = []
        try:
            story = [*trial.run().story(), *trial.history.complaints]
        except (AssertionError, RuntimeError, OSError) as error:
            story = [str(error), "the broker's last words: " + trial.broker_log[-2000:]]
        messages += sum(p.number for p in trial.publishers)
        tally += count(trial.history.events)
        if story:
            failed += 1
            trial.history.write(options.keep / f"kill-{seed}.jsonl")
            for line in story:
                print(f"seed {seed}: {line}", flush=True)
        else:
            passed += ROUNDS_OF_A_TRIAL
    print(f"{messages} messages; " + ", ".join(f"{what} {times}" for what, times in tally.items()))
    if options.rounds >= 50:
        for what in MUST_HAPPEN:
            if not tally[what]:
                failed += 1
                print(f"never happened: {what}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
