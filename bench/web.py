"""Measures the web's doors: Arena beside mosquitto, nginx and nats-server, in turns: REST by h2load, events by
arena_sse_load, MQTT by `arena bench`. What counts is the CPU of all of a server's processes for each request or delivery."""
import argparse
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

import durable_report
from compare import facts_of_the_machine, measure, prepare_machine, run_json
from durable_rows import LIMIT
from report import Samples
from rows import ROWS as MQTT_ROWS
from servers import Server, free_port, version_of
from web_rows import CPU, OVER_MQTT, ROWS
from web_servers import COMMANDS, cost_of_requests, cpu_us, resident_bytes, versions

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE, MISSED = ROOT / "bench" / "WEB.md", ROOT / "bench" / "web_missed.md"
WORDS = durable_report.Words(
    "The web's doors: Arena beside its peers",
    "Written by `script/bench --web`; the last section by hand, in `bench/web_missed.md`.",
    "Medians of the turns. Where a peer is named its ratio in this run decides, as the bar in figures is from another machine.",
    "Everybody's figures: requests or deliveries a second, the server's CPU (user and system, of all its processes) and resident memory "
    "for each request, delivery or client.",
    (("k/s", "per_second", 1e-3), ("CPU µs each", CPU, 1), ("B each", "rss_bytes_each", 1)))
TOPIC = "bench/events"
# A client of HTTP/2 that asks for events: its preface, no settings, GET https://localhost/v1/events?topic=… on stream 1.
EVENTS_PATH = f"/v1/events?topic={TOPIC}".encode()
HEAD = b"\x82\x87\x04" + bytes([len(EVENTS_PATH)]) + EVENTS_PATH + b"\x01\x09localhost"
EVENTS_REQUEST = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4)
                  + len(HEAD).to_bytes(3, "big") + b"\x01\x05" + (1).to_bytes(4, "big") + HEAD)


def checked(told):
    wrong = ", ".join(f"{told[k]} {k}" for k in ("lost", "duplicated", "reordered") if told.get(k))
    return {**told, "error": wrong} if wrong else told


class Followers:
    """arena_sse_load, once all follow."""

    def __init__(self, program, server, mqtt_port, connections, streams, seconds):
        command = [program, "--http", server.port, "--mqtt", mqtt_port, "--connections", connections, "--streams", streams, "--seconds",
                   seconds]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.ready = self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def run(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else self.error()

    def error(self):
        return {"error": self.process.stderr.read().strip() or "arena_sse_load ended"}

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


class Measures:
    """One method for each kind of row: who is measured -> what was measured, or {"error": why not}."""

    def __init__(self, arguments):
        self.arguments, self.seconds = arguments, arguments.seconds

    def server(self, name, arguments=()):
        return Server(name, self.arguments.arena, arguments, tls="TLS" in name, commands=COMMANDS)

    def fanout(self, who, title):
        row = next(row for row in MQTT_ROWS if row.title == title)
        with Server(who, self.arguments.arena, (), row.tls, row.websocket) as server:
            return measure(self.arguments, row, server)

    def post(self, server, protocol, connections, in_flight):
        body = server.folder / "body"
        body.write_bytes(b"x" * 64)
        scheme = "https" if "TLS" in protocol else "http"
        url = f"{scheme}://localhost:{server.port}/v1/topics/bench/rest"
        return cost_of_requests(server.process.pid, self.seconds, connections, url, protocol, in_flight, body)

    def rest(self, who, protocol, connections, in_flight):
        name = f"nginx, {protocol}" if who == "nginx" else "arena, TLS" if "TLS" in protocol else "arena"
        with self.server(name) as server:
            return self.post(server, protocol, connections, in_flight)

    def durable(self, who, protocol, connections, in_flight):
        """Peers: a program that only syncs, and Arena's own MQTT, with as many publishers and as many in flight."""
        mqtt = free_port()
        if who == LIMIT:
            with Server("limit", self.arguments.limit) as server:
                return self.publish(server, server.port, connections, in_flight)
        with self.server("arena, stored", [mqtt]) as server:
            subprocess.run([self.arguments.arena, "stream", "create", "bench", "--filter", "bench/#", "--data", server.folder / "data"],
                           check=True, capture_output=True)
            if who == OVER_MQTT:
                return self.publish(server, mqtt, connections, in_flight)
            url = f"http://localhost:{server.port}/v1/topics/bench/rest"
            with urllib.request.urlopen(urllib.request.Request(url, b"x", method="POST"), timeout=10) as answer:
                said = json.load(answer)
            if said.get("level") != "disk" or "position" not in said:
                return {"error": f"not stored: {said}"}
            return self.post(server, protocol, connections, in_flight)

    def publish(self, server, port, connections, in_flight):
        command = [self.arguments.arena, "bench", "replay", "--topics", "bench", "--publishers", connections, "--window", in_flight,
                   "--readers", "0", "--size", "64", "-p", port, "--server-pid", server.process.pid, "--output", "json", "--duration",
                   f"{self.seconds}s"]
        return checked(run_json(command, 60))

    def events(self, _who, connections, streams):
        mqtt = free_port()
        with self.server("arena", [mqtt]) as server, \
                Followers(self.arguments.sse_load, server, mqtt, connections, streams, self.seconds) as followers:
            if not followers.ready:
                return followers.error()
            before = cpu_us(server.process.pid)
            told = followers.run()
            if told.get("delivered"):
                told[CPU] = (cpu_us(server.process.pid) - before) / told["delivered"]
            return checked(told)

    def idle_websocket(self, who, clients, scheme):
        tls = scheme == "wss"
        name = "arena, TLS" if tls else who
        commands = {"websocket": True} if who == "mosquitto" else {"tls": tls, "commands": COMMANDS}
        with Server(name, self.arguments.arena, (), **commands) as server:
            target = ["-h", f"{scheme}://localhost:{server.port}/mqtt", "--server-pid", server.process.pid]
            trust = ["--cafile", server.folder / "certificate.pem"] if tls else []
            told = run_json([self.arguments.arena, "bench", "connections", "-n", clients, *target, *trust, "--output", "json"], 120)
        return told if "error" in told else {"rss_bytes_each": told["server_rss_bytes_per_client"]}

    def idle_events(self, _who, connections, streams):
        with self.server("arena") as server:
            before = resident_bytes(server.process.pid)
            with Followers(self.arguments.sse_load, server, 1, connections, streams, 1) as followers:
                if not followers.ready:
                    return followers.error()
                return {"rss_bytes_each": (resident_bytes(server.process.pid) - before) / (connections * streams)}

    def idle_events_tls(self, _who, connections):
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        trust.set_alpn_protocols(["h2"])
        with self.server("arena, TLS") as server:
            before, opened = resident_bytes(server.process.pid), []
            for _ in range(connections):
                opened.append(trust.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 10)))
                opened[-1].sendall(EVENTS_REQUEST)
            for each in opened:
                heard = b""
                while b"\nid:" not in heard:
                    more = each.recv(4096)
                    if not more:
                        return {"error": f"a follower was closed: {heard!r}"}
                    heard += more
            told = {"rss_bytes_each": (resident_bytes(server.process.pid) - before) / connections}
            for each in opened:
                each.close()
            return told


def measure_turn(measures, row, turn, samples):
    contestants = ["arena", *row.peers]
    shift = turn % len(contestants)  # nobody is always first
    for who in contestants[shift:] + contestants[:shift]:
        told = getattr(measures, row.measure)(who, *row.load)
        samples.add(row.title, who, told)
        shown = ", ".join(f"{key} {told[key]:,.3f}" for key in ("per_second", CPU, "rss_bytes_each") if told.get(key) is not None)
        print(f"  turn {turn + 1}  {row.title:58.58} {who:18} {told.get('error') or shown}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build = ROOT / "build" / "release"
    parser.add_argument("--arena", type=pathlib.Path, default=build / "arena", help="the program to measure")
    parser.add_argument("--limit", type=pathlib.Path, default=build / "arena_durable_limit", help="the program that only syncs")
    parser.add_argument("--sse-load", type=pathlib.Path, default=build / "arena_sse_load", help="the program that follows topics")
    parser.add_argument("--quick", action="store_true", help="one turn of a second, nothing is written")
    parser.add_argument("--only", default="", help="rows whose name contains this; nothing is written")
    parser.add_argument("--turns", type=int, default=0, help="default: 3")
    parser.add_argument("--seconds", type=float, default=0, help="default: 3")
    parser.add_argument("--no-write", action="store_true", help="leave bench/WEB.md as it is")
    arguments = parser.parse_args()
    arguments.turns = arguments.turns or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 3)
    for program in ("arena", "limit", "sse_load"):
        setattr(arguments, program, getattr(arguments, program).resolve())
    return arguments


def facts(arguments, load_before):
    return [*facts_of_the_machine(load_before),
            "- " + "; ".join([*(version_of(s, arguments.arena) for s in ("arena", "mosquitto", "nats")), *versions()]),
            f"- {arguments.turns} turns of {arguments.seconds:g} s, a fresh server each time, 64 B; loopback",
            "- REST: `POST /v1/topics/…` by h2load beside nginx that answers an empty 204, without logs; one worker thread and one worker "
            "process; a turn with any answer but 2xx does not count. Durable: a stream keeps what is published, a thread per core; beside "
            "it a program that only syncs and acknowledges MQTT (limit) and Arena's own MQTT, as many publishers and in flight",
            "- Events: published over MQTT in a window of 100, one worker thread; every number that every follower gets is checked",
            "- Memory: the server's resident memory with all clients less before them, by the clients"]


def main():
    arguments = parse_arguments()
    rows = [row for row in ROWS if arguments.only in row.title]
    load_before = prepare_machine()
    samples, began, measures = Samples(), time.monotonic(), Measures(arguments)
    for turn in range(arguments.turns):
        for row in rows:
            measure_turn(measures, row, turn, samples)
    text = durable_report.page(facts(arguments, load_before), rows, samples, MISSED.read_text(), WORDS)
    print(text)
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)
    if not (arguments.quick or arguments.only or arguments.no_write):
        PAGE.write_text(text)
    return 1 if any(who == "arena" for _, who, _ in samples.errors()) else 0


if __name__ == "__main__":
    sys.exit(main())
