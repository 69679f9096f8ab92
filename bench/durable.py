"""Measures what is stored: Arena, syncing before every acknowledgement, beside its peers and the bare disk, in turns.

The load comes from `arena bench`, which checks that what was acknowledged is read back once and in order. "limit" is a program
that syncs and acknowledges and does nothing else (bench/durable_limit.cc); "bare" a loop of writes and syncs.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import durable_report
from compare import facts_of_the_machine, prepare_machine, run_json
from durable_rows import ALONE, BARE, LIMIT, MOSQUITTO, NATS, NATS_SYNCED, ROWS
from report import Samples
from servers import ROOMY_ADDRESSES, Server, version_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE, MISSED = ROOT / "bench" / "DURABLE.md", ROOT / "bench" / "durable_missed.md"
SERVER_NAMES = {NATS: "nats", NATS_SYNCED: "nats, synced", MOSQUITTO: "mosquitto, queueing", LIMIT: "limit"}
MILLION = 1_000_000


def memory_peak(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def folder_bytes(folder):
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:  # removed meanwhile
            pass
    return total


class Most:
    """The most that a folder held while it was watched."""

    def __init__(self, folder):
        self.folder, self.bytes, self.over = folder, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.02):
            self.bytes = max(self.bytes, folder_bytes(self.folder))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Measures:
    """One method for each kind of row: who is measured -> what was measured, or {"error": why not}."""

    def __init__(self, arguments):
        self.arguments, self.seconds = arguments, arguments.seconds

    def server(self, who):
        name = SERVER_NAMES.get(who, "arena, stored")
        program = {LIMIT: self.arguments.limit, NATS_SYNCED: self.arguments.nats_synced}.get(who, self.arguments.arena)
        return Server(name, program, self.arguments.arena_args if name.startswith("arena") else ())

    def bench(self, server, scenario, *load, seconds=None):
        command = [self.arguments.arena, "bench", scenario, "-p", server.port, "--server-pid", server.process.pid, "--output", "json",
                   *load]
        if "--messages" not in load and scenario != "connections":
            command += ["--duration", f"{seconds or self.seconds}s"]
        told = run_json(command, 600)
        wrong = ", ".join(f"{told[k]} {k}" for k in ("lost", "duplicated", "reordered", "foreign") if told.get(k))
        return dict(told, error=wrong) if wrong else told

    def stream(self, server, *more):
        done = subprocess.run([self.arguments.arena, "stream", "create", "bench", "--filter", "stream/#", *more, "--data",
                               server.folder / "data"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(done.stderr)

    def publish(self, who, load):
        with self.server(who) as server:
            return self.bench(server, "offline", "--readers", "0" if who != "arena" else "1", "--keep", *load)

    def drain(self, who, load):
        with self.server(who) as server:
            told = self.bench(server, "offline", "--messages", "20000", *load)
            return told if "error" in told else dict(told["read"])

    def one_at_a_time(self, who, _load):
        if who == BARE:
            with tempfile.TemporaryDirectory(prefix="arena-bench-") as folder:
                return run_json([self.arguments.limit, "--probe", f"{folder}/probe", "--bytes", 200, "--seconds", self.seconds], 60)
        with self.server(who) as server:
            return self.bench(server, "offline", "--publishers", "1", "--window", "1")

    def replay(self, who, load):
        with self.server(who) as server:
            self.stream(server)
            told = self.bench(server, "replay", "--topics", "stream", "--messages", "20000", "--readers", "2", *load)
            return told if "error" in told else dict(told["read"])

    def bystanders(self, who, _load):
        """10,000 messages a second are written, and 20,000 are read from the beginning five times a second."""
        with self.server(who) as server:
            self.stream(server)
            others = []
            if who != ALONE:
                fixed = ["-p", server.port, "--topics", "stream", "--no-progress", "--publishers", "10"]
                others = [["replay", *fixed, "--messages", "2000", "--readers", "1000", "--pause", "200"],
                          ["fanin", *fixed, "--subscribers", "1", "-q", "1", "--rate", "1000", "--duration", "60s"]]
            running = [subprocess.Popen([str(c) for c in (self.arguments.arena, "bench", *other)], stdout=subprocess.DEVNULL)
                       for other in others]
            if running:
                time.sleep(1)  # until they are in full swing
            told = self.bench(server, "pairs", "--pairs", "50", "--rate", "200", seconds=5)
            ended = [process for process in running if process.poll() is not None]
            for process in running:
                process.kill()
                process.wait()
            return dict(told, error="what writes or replays ended early") if ended else told

    def restart(self, who, _load):
        with self.server(who) as server:
            told = self.bench(server, "offline", "--messages", MILLION // 50, "--readers", "0", "--keep")
            times = [server.restart() for _ in range(self.arguments.restarts)]
            return dict(told, seconds_max=max(times), restarts=len(times))

    def memory(self, who, _load):
        with self.server(who) as server:
            told = self.bench(server, "offline", "--messages", MILLION // 50, "--sessions", "100", "--readers", "10", "--keep")
            return dict(told, rss_bytes=memory_peak(server.process.pid))

    def budget(self, who, _load):
        with self.server(who) as server:
            self.stream(server, "--max-bytes", "64MB")
            with Most(server.folder / "data") as most:
                told = self.bench(server, "replay", "--topics", "stream", "--messages", 10_000, "--size", "1000", "--readers", "0")
            return dict(told, disk_bytes_max=most.bytes)

    def disk(self, _who, _load):
        with Server("arena, roomy", self.arguments.arena) as server:
            told = self.bench(server, "offline", "--messages", 10 * MILLION // 50, "--size", "100", "--sessions", "10000", "--readers",
                              "0", "--keep")
            time.sleep(10)  # the bar says when
            return dict(told, bytes_each=folder_bytes(server.folder / "data") / (10 * MILLION))

    def interest(self, _who, _load):
        with Server("arena, roomy", self.arguments.arena) as server:
            for address in ROOMY_ADDRESSES:
                told = self.bench(server, "connections", "-h", address, "-n", MILLION // len(ROOMY_ADDRESSES), "--persistent")
                if "error" in told:
                    return told
            times = [server.restart() for _ in range(3)]
            return dict(told, seconds_max=max(times), rss_bytes=memory_peak(server.process.pid))


def measure_turn(arguments, measures, row, turn, samples):
    contestants = ["arena", *(peer for peer in row.peers if peer != NATS_SYNCED or arguments.nats_synced)]
    shift = turn % len(contestants)  # nobody is always first
    for who in contestants[shift:] + contestants[:shift]:
        told = getattr(measures, row.measure)(who, row.load)
        samples.add(row.title, who, told)
        shown = ", ".join(f"{key} {told[key]:,.3f}" for key in sorted({bar.key for bar in row.bars} | {"per_second", "server_cpu_us"})
                          if told.get(key) is not None)
        print(f"  turn {turn + 1}  {row.title:58.58} {who:16} {told.get('error') or shown}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build = ROOT / "build" / "release"
    parser.add_argument("--arena", type=pathlib.Path, default=build / "arena", help="the program to measure")
    parser.add_argument("--arena-args", default="", help="more arguments for `arena dev`")
    parser.add_argument("--limit", type=pathlib.Path, default=build / "arena_durable_limit", help="the program that only syncs")
    parser.add_argument("--nats-synced", type=pathlib.Path, help="a nats-server that knows `sync_interval: always` (2.10 or newer)")
    parser.add_argument("--long", action="store_true", help="the rows that take minutes, too")
    parser.add_argument("--quick", action="store_true", help="one turn of half a second, nothing is written")
    parser.add_argument("--only", default="", help="rows whose name contains this; nothing is written")
    parser.add_argument("--turns", type=int, default=0, help="default: 3")
    parser.add_argument("--seconds", type=float, default=0, help="default: 3")
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--no-write", action="store_true", help="leave bench/DURABLE.md as it is")
    arguments = parser.parse_args()
    arguments.turns = arguments.turns or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (0.5 if arguments.quick else 3)
    arguments.arena, arguments.limit = arguments.arena.resolve(), arguments.limit.resolve()
    arguments.arena_args = arguments.arena_args.split()
    return arguments


def facts(arguments, load_before):
    peers = ["mosquitto", "nats"]
    return [*facts_of_the_machine(load_before), "- " + "; ".join(version_of(s, arguments.arena) for s in ("arena", *peers)),
            f"- {arguments.turns} turns of {arguments.seconds:g} s, a fresh server and folder each time, MQTT 3.1.1, 64 B unless said; the "
            "peers store in memory or unsynced (mosquitto: queues of any length, no persistence; nats: JetStream behind its MQTT port)"]


def main():
    arguments = parse_arguments()
    rows = [row for row in ROWS if arguments.only in row.title]
    load_before = prepare_machine()
    samples, began, measures = Samples(), time.monotonic(), Measures(arguments)
    for turn in range(max([arguments.turns, *([] if arguments.quick else [row.turns for row in rows])])):
        for row in rows:
            if turn < (min(row.turns, arguments.turns) if arguments.quick and row.turns else row.turns or arguments.turns):
                if arguments.long or not row.takes_minutes:
                    measure_turn(arguments, measures, row, turn, samples)
    text = durable_report.page(facts(arguments, load_before), rows, samples, MISSED.read_text())
    print(text)
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)
    if not (arguments.quick or arguments.only or arguments.no_write):
        PAGE.write_text(text)
    return 1 if any(who == "arena" for _, who, _ in samples.errors()) else 0


if __name__ == "__main__":
    sys.exit(main())
