#!/usr/bin/env python3
"""The loop of kill.py with other brokers as Debian has them, and with Arena beside them: what each loses when it is killed
under the same load, judged by the same judge. By hand; its results are in docs/assurance/durability.md.

    ARENA_BIN=build/release/arena tests/crash/peers.py [--trials N] [--only CASE] [--keep FOLDER]

A line for each case, in the form of that page's table. What a broker promises is its own affair: here is only what came out.
"""
import argparse
import getpass
import shutil
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from trial import DurableBroker, Trial  # pylint: disable=wrong-import-position
from ports import free_port  # pylint: disable=wrong-import-position

COLUMNS = ["lost", "stuck", "duplicated", "reordered", "redelivered-after-ack", "phantom", "corrupt"]


class Peer(DurableBroker):
    """Another broker in its own folder; `settings` are what it is started with."""
    program = None

    def __init__(self, settings):
        super().__init__()
        self.settings = settings

    def command(self):
        return [shutil.which(self.program) or f"/usr/sbin/{self.program}", "-c", self.config]


class Mosquitto(Peer):
    program = "mosquitto"

    def config_text(self):
        return (f"listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_type error\npersistence_location {self.folder}/\n"
                + "".join(f"{key} {value}\n" for key, value in self.settings.items()))

    def launch(self, **options):
        # Started by root it becomes a user that cannot write here, unless told not to.
        self.settings.setdefault("user", getpass.getuser())
        self.write_config()
        super().launch(**options)


class Nats(Peer):
    program = "nats-server"

    def __init__(self, settings):
        super().__init__(settings)
        self.client_port = free_port()

    def config_text(self):
        more = "".join(f", {key}: {value}" for key, value in self.settings.items())
        return (f'server_name: "peer"\nhost: "127.0.0.1"\nport: {self.client_port}\n'
                f'jetstream {{ store_dir: "{self.folder}/store" }}\n'
                f'mqtt {{ host: "127.0.0.1", port: {self.port}{more} }}\n')


# name: how it is started, the QoS of the publishers (by turns), the settings named
CASES = {
    "mosquitto": (lambda: Mosquitto({"persistence": "true", "max_queued_messages": 0}), (1, 2),
                  "`persistence true` (`autosave_interval` 1800, as built in), `max_queued_messages 0`"),
    "mosquitto, saved at each change": (
        lambda: Mosquitto({"persistence": "true", "autosave_on_changes": "true", "autosave_interval": 1,
                           "max_queued_messages": 0}), (1, 2),
        "the same, `autosave_on_changes true`, `autosave_interval 1`"),
    "nats-server": (lambda: Nats({"max_ack_pending": 1000, "ack_wait": '"2s"'}), (1,),
                    "`jetstream` with files (synced every 2 minutes, as built in), `max_ack_pending 1000`, `ack_wait 2s`; QoS 1 "
                    "only: it has no QoS 2"),
    "arena, QoS 1": (DurableBroker, (1,), "`arena dev --data`"),
    "arena": (DurableBroker, (1, 2), "`arena dev --data`"),
}


def version(name):
    package = name.split(",")[0]
    if package == "arena":
        return ""
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False)
    return " " + done.stdout


def sessions_gone(events):
    granted, gone = set(), 0
    for event in events:
        if event["event"] == "subscribed":
            granted.add(event["session"])
        elif event["event"] == "connected" and not event["present"] and event["session"] in granted:
            gone += 1
            granted.discard(event["session"])
    return gone


def run(name, trials, keep):
    start, qos, settings = CASES[name]
    counts, acked, gone, kills, failures = Counter(), 0, 0, 0, []
    for seed in range(1, trials + 1):
        trial = Trial(start(), seed, qos=qos, patience=90, linger=8, last_s=1)
        try:
            judge = trial.run()
            counts.update(judge.counts)
        except (AssertionError, RuntimeError, OSError, socket.timeout) as error:
            failures.append(str(error).splitlines()[0])
        for line in (*trial.history.complaints[:3], *failures[-1:]):
            print(f"{name}, seed {seed}: {line}", file=sys.stderr)
        for line in judge.story():
            print(f"{name}, seed {seed}: {line}", file=sys.stderr)
        acked += sum(event["event"] == "acked" for event in trial.history.events)
        kills += sum(event["event"] == "crashed" for event in trial.history.events)
        gone += sessions_gone(trial.history.events)
        trial.history.write(keep / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}.jsonl")
    cells = [name + version(name), settings, kills, acked, gone, *(counts[column] for column in COLUMNS), len(failures)]
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--only", choices=list(CASES))
    parser.add_argument("--keep", type=Path, default=Path(__file__).resolve().parents[2] / "build" / "histories")
    options = parser.parse_args()
    print("| broker | settings | kills | acknowledged | sessions gone | " + " | ".join(COLUMNS) + " | runs that broke off |")
    print("|---|---|" + "---:|" * (len(COLUMNS) + 4))
    for name in [options.only] if options.only else CASES:
        run(name, options.trials, options.keep)


if __name__ == "__main__":
    main()
