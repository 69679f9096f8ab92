#!/usr/bin/env python3
"""Does the judge see? A broker with a bug of planted/bugs.toml awake is killed under load as in kill.py, and its history
must be blamed. In this program what was not synced is lost when it is killed, so that each kill is a loss of power, too:
without a bug, its histories must hold.

    ARENA_BIN=build/release/arena_planted tests/crash/planted.py [--trials N] [--rounds N] [--only NAME] [--quick] [--jobs N]

Each bug has N trials of so many kills; --quick: only those of the list that are `quick`. N of
them run at once: as many as there are processors. The last line is
'N passed, N failed' in bugs.
"""
import argparse
import os
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from arena_trial import ArenaTrial  # pylint: disable=wrong-import-position
from trial import ROUNDS_OF_A_TRIAL, DurableBroker  # pylint: disable=wrong-import-position

BUGS = Path(__file__).resolve().parent / "planted" / "bugs.toml"
SOUND_TRIALS = 3
FIRST_MARK = bytes.fromhex("0000000000000001" "0000000000000000" "c99f10cb")  # count, sequence, checksum: docs/storage-format.md
SYNC_MS = [1, 15, 1]  # that a disk takes in a broker's lives, one after the other; a busy one takes longer


class PlantedBroker(DurableBroker):
    def __init__(self, bug):
        super().__init__()
        self.bug, self.lives = bug, 0

    def launch(self, **options):
        # The broker would notice by itself that the end is missing. The judge must see it, too: so the mark says 0.
        mark = Path(self.folder, "data", "high-water")
        if mark.exists():
            mark.write_bytes(bytes(512) + FIRST_MARK)
        sync = SYNC_MS[self.lives % len(SYNC_MS)]
        self.lives += 1
        super().launch(env=dict(os.environ, ARENA_PLANTED=self.bug, ARENA_SYNC_MS=str(sync)), **options)


def run_trial(bug, seed, rounds):
    """What is wrong with it, in a word or two; None: nothing."""
    trial = ArenaTrial(PlantedBroker(bug), seed, rounds=rounds, patience=3 if bug else 20, last_s=1 if bug else 5)
    try:
        judge = trial.run()
    except (AssertionError, RuntimeError, OSError) as error:
        lines = str(error).splitlines()
        return f"not by the judge: {lines[0]} {lines[-1] if lines[1:] else ''}"[:200]
    found = [f"{name} {count}" for name, count in judge.counts.items() if count]
    if found:
        return ", ".join(found) + f" ({next(judge.story())})"
    return trial.history.complaints[0] if trial.history.complaints and not bug else None


def try_bug(bug, trials, rounds):
    """What showed it and when, or that nothing did; and how long that took."""
    began = time.monotonic()
    for seed in range(1, trials + 1):
        wrong = run_trial(bug["name"], seed, rounds)
        if wrong:
            return True, f"trial {seed}: {wrong}", time.monotonic() - began
    return False, f"NOT FOUND: {bug['what']}", time.monotonic() - began


def try_none(seed, rounds):
    began = time.monotonic()
    wrong = run_trial("", seed, rounds)
    return wrong is None, wrong or "holds", time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=ROUNDS_OF_A_TRIAL)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    bugs = [bug for bug in tomllib.loads(BUGS.read_text())["bug"] if options.only in bug["name"]]
    if options.quick:
        bugs = [bug for bug in bugs if bug.get("quick")]
    passed = failed = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        tried = [(f"no bug, seed {seed}", pool.submit(try_none, seed, options.rounds))
                 for seed in range(1, 1 + (1 if options.quick else SOUND_TRIALS))]
        tried += [(bug["name"], pool.submit(try_bug, bug, options.trials, options.rounds)) for bug in bugs]
        for label, result in tried:
            good, what, seconds = result.result()
            passed, failed = passed + good, failed + (not good)
            print(f"{'ok' if good else 'not ok'} {label:40} {what} [{seconds:.0f} s]", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
