"""Runs the same loads against Arena, mosquitto and nats-server in turns, and tells medians and ratios.

The figure that holds still on small machines is the server's CPU time per delivered message; the load comes from
`arena bench`, which also checks that nothing is lost, repeated or out of order.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "RESULTS.md"
PEERS = ("mosquitto", "nats")

# name, `arena bench` arguments, in which set
CORE, MORE = 0, 1
SCENARIOS = [
    ("fan-out 1→100, 64 B", ["fanout", "--subscribers", "100"], CORE),
    ("fan-out 1→1,000, 64 B", ["fanout", "--subscribers", "1000"], CORE),
    ("50 pairs, QoS 0", ["pairs", "--pairs", "50"], CORE),
    ("50 pairs, QoS 1, window 16", ["pairs", "--pairs", "50", "-q", "1", "--window", "16"], CORE),
    ("50 pairs, QoS 2, window 16", ["pairs", "--pairs", "50", "-q", "2", "--window", "16"], CORE),
    ("fan-in 100→1, window 8", ["fanin", "--publishers", "100"], MORE),
    ("fan-out 1→1,000, 1 KB", ["fanout", "--subscribers", "1000", "--size", "1024"], MORE),
    ("fan-out 1→100 at 100 msg/s", ["fanout", "--subscribers", "100", "--rate", "100"], MORE),
    ("50 pairs at 200 msg/s each", ["pairs", "--pairs", "50", "--rate", "200"], MORE),
    ("connect + subscribe, 5,000 clients", ["connections", "-n", "5000"], MORE),
]
# What a peer cannot do at all.
UNSUPPORTED = {("nats", "50 pairs, QoS 2, window 16")}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One server process on loopback, in a directory of its own; stopped by its own process id."""

    def __init__(self, name, arena, directory):
        self.name = name
        self.port = free_port()
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir()
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(self.command(arena), stdout=self.log, stderr=self.log, cwd=self.directory)

    def command(self, arena):
        return getattr(self, f"{self.name}_command")(arena)

    def arena_command(self, arena):
        return [str(arena[0]), "dev", "--mqtt", str(self.port), *arena[1]]

    def mosquitto_command(self, _):
        config = self.directory / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
                          "max_queued_messages 1000000\nlog_type error\n")
        return [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(config)]

    def nats_command(self, _):
        config = self.directory / "nats.conf"
        config.write_text(f'server_name: "bench"\nhost: "127.0.0.1"\nport: {free_port()}\n'
                          f'jetstream {{ store_dir: "{self.directory}/store" }}\n'
                          f'mqtt {{ host: "127.0.0.1", port: {self.port}, max_ack_pending: 1000 }}\n'
                          'max_connections: 100000\nwrite_deadline: "20s"\n')
        return [shutil.which("nats-server") or "/usr/sbin/nats-server", "-c", str(config)]

    def wait_ready(self, deadline_s=10):
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise SystemExit(f"{self.name} does not come up:\n" + (self.directory / "log").read_text()[-2000:])

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def load(arena, server, arguments, seconds):
    command = [str(arena[0]), "bench", *arguments, "-p", str(server.port), "--server-pid", str(server.process.pid),
               "--json"]
    if arguments[0] != "connections":
        command += ["--duration", f"{seconds}s"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 90)
    if not done.stdout:
        return {"error": done.stderr.strip().splitlines()[0] if done.stderr else "no output"}
    report = json.loads(done.stdout)
    wrong = {k: report[k] for k in ("lost", "duplicated", "reordered", "foreign") if report[k]}
    if wrong:
        report["error"] = ", ".join(f"{v} {k}" for k, v in wrong.items())
    return report


def one_turn(arguments, servers, scenarios, turn, samples):
    with tempfile.TemporaryDirectory(prefix="arena-bench-") as directory:
        running = []
        try:
            for name in servers:
                running.append(Server(name, arguments.arena, directory))
            for server in running:
                server.wait_ready()
            for title, load_arguments, _ in scenarios:
                shift = turn % len(running)  # nobody is always first
                for server in running[shift:] + running[:shift]:
                    if (server.name, title) in UNSUPPORTED:
                        continue
                    report = load(arguments.arena, server, load_arguments, arguments.seconds)
                    samples.setdefault((title, server.name), []).append(report)
                    show_progress(turn, title, server.name, report)
        finally:
            for server in running:
                server.stop()


def show_progress(turn, title, name, report):
    outcome = report.get("error") or f"{report['server_cpu_us']:8.3f} us  {report['per_second']:>12,}/s"
    print(f"  turn {turn + 1}  {title:36} {name:10} {outcome}", file=sys.stderr, flush=True)


def median(reports, key):
    values = [r[key] for r in reports or [] if "error" not in r and r.get(key) is not None]
    return statistics.median(values) if values else None


def number(value, unit=""):
    if value is None:
        return "–"
    text = f"{value:.3f}" if value < 10 else f"{value:.1f}"
    return text + unit


def rate(value):
    if value is None:
        return "–"
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"


def ratio(ours, theirs):
    return "–" if ours is None or not theirs else f"{ours / theirs:.3f}"


def tables(scenarios, samples, servers):
    peers = [s for s in servers if s != "arena"]
    lines = ["CPU of the server (user + system), in µs per delivered message: medians.", ""]
    head = ["scenario", *servers, *[f"arena ÷ {p}" for p in peers]]
    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for title, _, _ in scenarios:
        cpu = {s: median(samples.get((title, s)), "server_cpu_us") for s in servers}
        row = [title, *[number(cpu[s]) for s in servers], *[ratio(cpu.get("arena"), cpu[p]) for p in peers]]
        lines.append("| " + " | ".join(row) + " |")
    lines += ["", "Deliveries per second (the load program shares the machine's cores) and latency p50 / p99: medians.", ""]
    head = ["scenario", *[f"{s}, /s" for s in servers], *[f"{s}, ms" for s in servers]]
    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for title, _, _ in scenarios:
        row = [title, *[rate(median(samples.get((title, s)), "per_second")) for s in servers]]
        for s in servers:
            p50, p99 = (median(samples.get((title, s)), f"latency_p{p}_us") for p in (50, 99))
            row.append("–" if not p50 else f"{p50 / 1000:.2f} / {p99 / 1000:.2f}")
        lines.append("| " + " | ".join(row) + " |")
    rss = [(t, {s: median(samples.get((t, s)), "server_rss_bytes_per_client") for s in servers}) for t, _, _ in scenarios]
    for title, values in rss:
        if any(values.values()):
            lines += ["", f"Memory per client ({title}): " + ", ".join(f"{s} {v:,.0f} B" for s, v in values.items() if v)]
    errors = [(t, s, r["error"]) for (t, s), reports in samples.items() for r in reports if "error" in r]
    if errors:
        lines += ["", "Not counted:", ""] + [f"- {t}, {s}: {e}" for t, s, e in errors]
    return lines, errors


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=10)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()


def version_of(server, arena):
    if server == "arena":
        return output_of(str(arena[0]), "version")
    if server == "nats":
        return output_of(shutil.which("nats-server") or "/usr/sbin/nats-server", "--version")
    lines = output_of(shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-h").splitlines()
    return lines[0] if lines else "mosquitto"


def circumstances(arguments, servers, load_before):
    models = [l.split(":", 1)[1].strip() for l in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
              if l.startswith("model name")]
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    if output_of("git", "status", "--porcelain", "--untracked-files=no"):
        commit += " with changes"
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return [
        f"- {when}, commit {commit}",
        f"- {os.cpu_count()} × {models[0] if models else platform.machine()}, Linux {platform.release()}, loopback; load "
        f"average before: {load_before:.1f}",
        "- " + "; ".join(version_of(s, arguments.arena) for s in servers),
        f"- {arguments.turns} turns of {arguments.seconds} s for each server and scenario, MQTT 3.1.1, 64 B payload and a "
        "window of 100 messages per publisher unless said",
        f"- Arena: `arena dev {' '.join(arguments.arena[1])}`".rstrip(" `") + "`; mosquitto: no persistence; nats: its MQTT "
        "port, which keeps QoS 1 in a JetStream file store and has no QoS 2",
    ]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arena", default=str(ROOT / "build/release/arena"), help="the program to measure")
    parser.add_argument("--arena-args", default="", help="more arguments for `arena dev`")
    parser.add_argument("--quick", action="store_true", help="half a second each, nothing is written")
    parser.add_argument("--all", action="store_true", help="more scenarios")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--servers", default="arena,mosquitto,nats")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--no-write", action="store_true", help="leave bench/RESULTS.md as it is")
    arguments = parser.parse_args()
    arguments.seconds = arguments.seconds or (0.5 if arguments.quick else 3)
    arguments.arena = (pathlib.Path(arguments.arena).resolve(), arguments.arena_args.split())
    return arguments


def main():
    arguments = parse_arguments()
    servers = arguments.servers.split(",")
    scenarios = [s for s in SCENARIOS if (arguments.all or s[2] == CORE or arguments.only) and arguments.only in s[0]]
    load_before = os.getloadavg()[0]
    if load_before > 0.5 * (os.cpu_count() or 1):
        print(f"the machine is busy (load average {load_before:.1f}): the figures will wobble", file=sys.stderr)
    samples, began = {}, time.monotonic()
    for turn in range(arguments.turns):
        one_turn(arguments, servers, scenarios, turn, samples)
    lines, errors = tables(scenarios, samples, servers)
    text = "\n".join(["# Arena and its peers, side by side", "", "Written by `script/bench`.", "",
                      *circumstances(arguments, servers, load_before), "", *lines, ""])
    print(text)
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)
    if not (arguments.quick or arguments.no_write or arguments.only):
        RESULTS.write_text(text)
    return 1 if any(server == "arena" for _, server, _ in errors) else 0


if __name__ == "__main__":
    sys.exit(main())
