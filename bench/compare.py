"""Runs the same loads against Arena, mosquitto and nats-server in turns, beside a bare loop of sends, and tells
medians, ratios and which bars are reached.

The figure that holds still on small machines is the server's CPU time per delivered message; the load comes from
`arena bench`, which also checks that nothing is lost, repeated, damaged or out of order. Every measurement has a
server of its own, started for it.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import resource
import subprocess
import sys
import time

import report
from rows import ROWS, SCALING_ROW
from servers import Server, output_of, version_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS, MISSED = ROOT / "bench" / "RESULTS.md", ROOT / "bench" / "missed.md"


def run_json(command, seconds):
    """The last line of its output, or why there is none."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=seconds + 90)
    except subprocess.TimeoutExpired:
        return {"error": "did not end"}
    if not done.stdout.strip():
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[0]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(arguments, row, server):
    command = [arguments.arena, "bench", *row.load, "-p", server.port, "--server-pid", server.process.pid, "--output",
               "json"]
    if row.tls:
        command += ["-h", "localhost", "--cafile", server.folder / "certificate.pem"]
    if row.websocket:
        command += ["-h", f"ws://127.0.0.1:{server.port}/mqtt"]
    if not row.connections:
        command += ["--duration", f"{arguments.seconds}s"]
    told = run_json(command, arguments.seconds)
    wrong = ", ".join(f"{told[k]} {k}" for k in ("lost", "duplicated", "reordered", "foreign") if told.get(k))
    return dict(told, error=wrong) if wrong else told


def measure_turn(arguments, row, turn, samples):
    contestants = [name for name in arguments.servers if name not in row.unsupported]
    if row.title == SCALING_ROW and "arena" in contestants:
        contestants.append(report.ONE_THREAD)
    if row.bare and arguments.bare.exists():
        contestants.append(report.BARE)
    shift = turn % len(contestants)  # nobody is always first
    for name in contestants[shift:] + contestants[:shift]:
        if name == report.BARE:
            told = run_json([arguments.bare, *row.bare, "--seconds", arguments.seconds], arguments.seconds)
        else:
            one_thread = ["--threads", "1"] if name == report.ONE_THREAD else []
            with Server(name.split(",")[0], arguments.arena, arguments.arena_args + one_thread,
                        row.tls, row.websocket) as server:
                told = measure(arguments, row, server)
        samples.add(row.title, name, told)
        outcome = told.get("error") or f"{told['server_cpu_us']:9.3f} us {told['per_second']:>12,}/s"
        print(f"  turn {turn + 1}  {row.title:28} {name:18} {outcome}", file=sys.stderr, flush=True)


def measure_routing(program):
    """{"match_ns", "bytes"} from what the routing program says ("median 691 ns", "heap 147 B"), or None."""
    if not program or not program.exists():
        return None
    text = output_of(str(program))
    match, size = re.search(r"median (\d+) ns", text), re.search(r"heap (\d+) B", text)
    print(text, file=sys.stderr)
    return {"match_ns": float(match.group(1)), "bytes": float(size.group(1))} if match and size else None


def measure_flood(arena):
    """What bench/attack.py says of a flood at the door: lines of the page."""
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "attack.py"), str(arena)], capture_output=True, text=True,
                          timeout=600)
    print(done.stdout + done.stderr, file=sys.stderr)
    return done.stdout.strip().splitlines() or ["Not measured: " + (done.stderr.strip().splitlines() or ["no output"])[-1]]


def facts_of_the_machine(load_before):
    models = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
              if line.startswith("model name")]
    commit = output_of("git", "rev-parse", "--short", "HEAD", cwd=ROOT)
    if output_of("git", "status", "--porcelain", "--untracked-files=no", cwd=ROOT):
        commit += " with changes"
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return [
        f"- {when}, commit {commit}",
        f"- {os.cpu_count()} × {models[0] if models else platform.machine()}, Linux {platform.release()}, loopback; load "
        f"average before: {load_before:.1f}, after: {os.getloadavg()[0]:.1f}",
    ]


def facts(arguments, load_before):
    dev = " ".join(["arena dev", *arguments.arena_args])
    return [
        *facts_of_the_machine(load_before),
        "- " + "; ".join(version_of(s, arguments.arena) for s in arguments.servers),
        f"- {arguments.turns} turns of {arguments.seconds:g} s for each server and scenario, a fresh server each time, MQTT "
        "3.1.1, 64 B payload and a window of 100 messages per publisher (QoS 1 and 2: 16, fan-in: 8) unless said",
        f"- Arena: `{dev}`; mosquitto: no persistence; nats: its MQTT port, which keeps QoS 1 in a JetStream file store and "
        "has no QoS 2",
    ]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build = ROOT / "build" / "release"
    parser.add_argument("--arena", type=pathlib.Path, default=build / "arena", help="the program to measure")
    parser.add_argument("--arena-args", default="", help="more arguments for `arena dev`")
    parser.add_argument("--bare", type=pathlib.Path, default=build / "arena_bare_loop", help="the bare loop")
    parser.add_argument("--routing", type=pathlib.Path, help="the program that measures routing")
    parser.add_argument("--quick", action="store_true", help="one turn of half a second, nothing is written")
    parser.add_argument("--only", default="", help="rows whose name contains this; nothing is written")
    parser.add_argument("--servers", default="arena,mosquitto,nats")
    parser.add_argument("--turns", type=int, default=0, help="default: 3")
    parser.add_argument("--seconds", type=float, default=0, help="default: 3")
    parser.add_argument("--no-write", action="store_true", help="leave bench/RESULTS.md as it is")
    arguments = parser.parse_args()
    arguments.turns = arguments.turns or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (0.5 if arguments.quick else 3)
    arguments.arena, arguments.bare = arguments.arena.resolve(), arguments.bare.resolve()
    arguments.arena_args, arguments.servers = arguments.arena_args.split(), arguments.servers.split(",")
    return arguments


def raise_descriptor_limit():
    """For the servers, which inherit it; some of them do not ask for more themselves."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def prepare_machine():
    """What servers need of it; tells the load average that it has before anything is measured."""
    load = os.getloadavg()[0]
    if load > 0.5 * (os.cpu_count() or 1):
        print(f"the machine is busy (load average {load:.1f}): the figures will wobble", file=sys.stderr)
    raise_descriptor_limit()
    return load


def main():
    arguments = parse_arguments()
    rows = [row for row in ROWS if arguments.only in row.title]
    load_before = prepare_machine()
    samples, began = report.Samples(), time.monotonic()
    for turn in range(arguments.turns):
        for row in rows:
            measure_turn(arguments, row, turn, samples)
    routing = measure_routing(arguments.routing) if not arguments.only or arguments.only in "routing" else None
    whole = not (arguments.quick or arguments.only)
    flood = measure_flood(arguments.arena) if whole else []
    text = report.page(facts(arguments, load_before), rows, samples, arguments.servers, routing, flood, MISSED.read_text())
    print(text)
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)
    if whole and not arguments.no_write:
        RESULTS.write_text(text)
    return 1 if any(server.startswith("arena") for _, server, _ in samples.errors()) else 0


if __name__ == "__main__":
    sys.exit(main())
