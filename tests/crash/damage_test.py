#!/usr/bin/env python3
"""Goal: the judge of damaged stores blames what is served wrong and what is missing in silence, and lets through what was told."""
import copy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from damage_judge import Judge, Told  # pylint: disable=wrong-import-position
from stored_world import Answers  # pylint: disable=wrong-import-position

PLACES = {f"kept/1 {n}": (1, 2, n) for n in [*range(5), 7]} | {f"away/1 {n}": (0, 3, n) for n in range(3)}
LOST = {"sound": False, "damages": [], "lost": [{"log": 1, "partition": 2, "from": 1, "upto": 3}, {"log": 0, "partition": 3, "from": 0, "upto": 1}]}
UNDONE = {"sound": False, "damages": [], "deleted_may_return": True}
WIDER = {"sound": False, "damages": [], "lost": [{"log": 0, "partition": 3, "from": 2, "upto": 3}]}
SOUND = {"sound": True, "damages": []}
OLDER = {"sound": False, "damages": [], "keys_may_be_older": True}


def answers():
    got = Answers()
    got.streams = {"kept": {"filters": ["kept/#"]}}
    got.items = {where: ("kept", "kept/1", payload, f"id {payload}") for payload, where in PLACES.items() if where[0] == 1 and where[2] != 7}
    got.replayed = {where: item[1:3] for where, item in got.items.items()}
    got.gaps, got.replay_gaps = {"kept": 0}, {"kept": 0}
    got.sessions = {"away": (3600, 1)}
    got.waiting = {"away": {f"away/1 {n}": "away/1" for n in range(1, 3)}}
    got.session_gaps = {"away": 0}
    got.values = {"state/1": "state 1 2 x"}
    got.once = {"key 1": ((1, 2, 4), True)}
    return got


def without(*offsets, told=True):
    """A stream lacks these."""
    def change(got):
        for offset in offsets:
            del got.items[1, 2, offset], got.replayed[1, 2, offset]
        if told:
            got.gaps["kept"] = got.replay_gaps["kept"] = len(offsets)
    return change


def setting(name, key, value):
    def change(got):
        getattr(got, name)[key] = value
    return change


def both(*changes):
    def change(got):
        for one in changes:
            one(got)
    return change


def wrong_message(got):
    got.items[1, 2, 3] = got.items[1, 2, 2]
    got.replayed[1, 2, 3] = got.replayed[1, 2, 2]


def no_session(got):
    got.sessions, got.waiting = {}, {"away": None}


def purged_again(got):
    got.items[1, 2, 7] = "kept", "kept/1", "kept/1 7", "id"
    got.replayed[1, 2, 7] = "kept/1", "kept/1 7"


def not_replayed(got):
    del got.replayed[1, 2, 3]


CASES = [  # what is told, how the answers differ, whether that is to be blamed
    ("nothing differs", SOUND, lambda got: None, False),
    ("a message is missing in silence", SOUND, without(1), True),
    ("readers are told, the check tells nothing", SOUND, without(1, told=True), True),
    ("the check tells, readers are not told", LOST, without(1, told=False), True),
    ("both tell", LOST, without(1, 2), False),
    ("more is missing than was told", LOST, without(1, 2, 3), True),
    ("another message is served at a place", LOST, wrong_message, True),
    ("a message that never was", OLDER, both(setting("items", (1, 2, 9), ("kept", "kept/1", "kept/1 9", "id")), setting("replayed", (1, 2, 9), ("kept/1", "kept/1 9"))), True),
    ("what was purged is back in silence", OLDER, purged_again, True),
    ("what was purged is back, and that was told", UNDONE, purged_again, False),
    ("a replay lacks what pages have", SOUND, not_replayed, True),
    ("a replay tells less of a gap than pages", LOST, both(without(1, 2), setting("replay_gaps", "kept", 0)), True),
    ("a stream is gone in silence", LOST, lambda got: got.streams.clear() or got.items.clear() or got.replayed.clear(), True),
    ("a stream is gone, and keys are told older", OLDER, lambda got: got.streams.clear() or got.items.clear() or got.replayed.clear(), False),
    ("a stream that never was", OLDER, setting("streams", "new", {}), True),
    ("a session is gone in silence", LOST, no_session, True),
    ("a session is gone, and keys are told older", OLDER, no_session, False),
    ("a session lacks a message in silence", LOST, setting("waiting", "away", {"away/1 1": "away/1"}), True),
    ("the check tells, a session is not told", WIDER, setting("waiting", "away", {"away/1 1": "away/1"}), True),
    ("the check and a session are told", WIDER, both(setting("waiting", "away", {"away/1 1": "away/1"}), setting("session_gaps", "away", 1)), False),
    ("a session gets again what it has settled", LOST, setting("waiting", "away", {f"away/1 {n}": "away/1" for n in range(3)}), True),
    ("that, and keys are told older", OLDER, setting("waiting", "away", {f"away/1 {n}": "away/1" for n in range(3)}), False),
    ("a last value is older in silence", LOST, setting("values", "state/1", "state 1 1 y"), True),
    ("a last value is older, and keys are told so", OLDER, setting("values", "state/1", "state 1 1 y"), False),
    ("a last value is another's", OLDER, setting("values", "state/1", "state 2 1 y"), True),
    ("what was published once is forgotten in silence", LOST, setting("once", "key 1", ((1, 2, 5), False)), True),
]


def main():
    failed = 0
    for name, told, change, blamed in CASES:
        sound, got = answers(), copy.deepcopy(answers())
        change(got)
        for stream in set(got.streams) - set(got.gaps):
            got.gaps[stream] = got.replay_gaps[stream] = 0
        blame = Judge(PLACES, sound, Told(told)).compare(got)
        if bool(blame) != blamed:
            failed += 1
            print(f"not ok {name}: {blame or 'not blamed'}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
