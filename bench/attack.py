#!/usr/bin/env python3
"""A flood at the door, and whether those who are welcome feel it.

    bench/attack.py ARENA [--seconds N] [--idle N] [--half-open N] [--rate N] [--write FILE]

Starts ARENA with one user and anonymous clients allowed. While idle connections from 127.0.0.1 stand, it measures calm: a
pair at 200 messages a second, and a correct login each second, each from an address never seen before. Then it does the
same during the attack: CONNECTs with wrong passwords at a steady rate and half-open connections that are dialled again a
second after the server closed them, all from 127.0.0.2 to 127.0.0.254. Every part is a process of its own; all share the
machine with the server, where attackers would have machines of their own: their processes give way to the others. What that
costs by itself is measured, too: the same attack on another broker beside this one, which it does not reach. Ends with 1 when a
bar is missed.
"""
import argparse
import collections
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/system"))
from ports import free_port  # noqa: E402

ATTACKERS = 253  # 127.0.0.2 and up
CHUNK = 100
AGAIN_S = 1


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


def connect_packet(client_id, user=None, password=None):
    flags = 2 | (0xC0 if user else 0)
    body = text("MQTT") + bytes([4, flags, 0, 0]) + text(client_id)
    if user:
        body += text(user) + text(password)
    return bytes([0x10, len(body)]) + body


def dial(port, address, wait=True):
    one = socket.socket()
    one.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT, so that each address has all its ports
    one.bind((address, 0))
    if wait:
        one.settimeout(10)
        one.connect(("127.0.0.1", port))
    else:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    return one


def log_in(port, address, client_id, user=None, password=None):
    """The socket when let in, else None."""
    one = dial(port, address)
    try:
        one.sendall(connect_packet(client_id, user, password))
        answer = one.recv(4)
        if answer == b"\x20\x02\x00\x00":
            return one
    except OSError as error:
        answer = error
    print(f"{client_id} was not let in: {answer!r}", file=sys.stderr)
    one.close()
    return None


def say(**what):
    print(json.dumps(what), flush=True)


# ---- the parts, each a process that ends with its parent's SIGTERM

def idle(port, count):
    kept = []
    for i in range(count):
        one = log_in(port, "127.0.0.1", f"idle-{i}")
        if one is None:
            break
        kept.append(one)
    say(ready=len(kept))
    while True:
        signal.pause()


def give_way():
    """Attackers have machines of their own: here they take what the others leave."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def half_open(port, count):
    give_way()
    waiting = select.epoll()
    kept, next_address, due = {}, 0, collections.deque()

    def add():
        nonlocal next_address
        one = dial(port, f"127.0.0.{2 + next_address % ATTACKERS}", wait=False)
        next_address += 1
        kept[one.fileno()] = one
        waiting.register(one.fileno(), select.EPOLLIN | select.EPOLLRDHUP)

    for i in range(count):
        add()
        if i % CHUNK == 0:
            time.sleep(0.02)
    say(ready=count)
    while True:
        for fd, _ in waiting.poll(0.1):
            waiting.unregister(fd)
            kept.pop(fd).close()
            due.append(time.monotonic() + AGAIN_S)
        while due and due[0] <= time.monotonic():
            due.popleft()
            add()
        time.sleep(0.005)


def flood(port, rate):
    """CONNECTs with wrong passwords at a steady rate, whatever the server does."""
    give_way()
    waiting = select.epoll()
    open_now, sent, answered, began, last = {}, 0, 0, time.monotonic(), time.monotonic()
    say(ready=1)
    while True:
        now = time.monotonic()
        while sent < (now - began) * rate and len(open_now) < 4000:
            one = dial(port, f"127.0.0.{2 + sent % ATTACKERS}", wait=False)
            open_now[one.fileno()] = one
            waiting.register(one.fileno(), select.EPOLLOUT)
            sent += 1
        for fd, events in waiting.poll(0.005):
            one = open_now[fd]
            try:
                if events & select.EPOLLOUT and not events & (select.EPOLLERR | select.EPOLLHUP):
                    one.send(connect_packet(f"guess-{fd}", "good", "wrong"))
                    waiting.modify(fd, select.EPOLLIN)
                    continue
                answered += one.recv(64) != b""
            except OSError:
                pass
            waiting.unregister(fd)
            open_now.pop(fd).close()
        if now - last >= 1:
            last = now
            say(sent=sent, answered=answered, seconds=now - began)


def pair(port, rate):
    """A publisher and a subscriber; each line: the latencies of one second, from when each message was due."""
    sub, pub = log_in(port, "127.0.0.1", "pair-sub"), log_in(port, "127.0.0.1", "pair-pub")
    sub.sendall(bytes([0x82, 9, 0, 1]) + text("pair") + b"\x00")
    sub.recv(5)
    say(ready=1)
    head = bytes([0x30, 2 + 4 + 8]) + text("pair")
    rest, latencies, n, began = b"", [], 0, time.monotonic()
    last = began
    while True:
        due = began + n / rate
        now = time.monotonic()
        if now >= due:
            pub.sendall(head + struct.pack(">d", due))
            n += 1
            continue
        if select.select([sub], [], [], due - now)[0]:
            rest += sub.recv(65536)
            now = time.monotonic()
            while len(rest) >= 16:
                latencies.append(now - struct.unpack(">d", rest[8:16])[0])
                rest = rest[16:]
        if now - last >= 1:
            last = now
            say(latencies=latencies)
            latencies = []


PARTS = {"idle": idle, "half_open": half_open, "flood": flood, "pair": pair}


class Part:
    def __init__(self, name, port, number):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--part", name, str(port), str(number)],
                                        stdout=subprocess.PIPE, text=True)
        self.first = json.loads(self.process.stdout.readline())
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = ""

    def lines(self):
        """What it has said since the last call."""
        try:
            self.rest += self.process.stdout.read() or ""
        except TypeError:
            pass
        *whole, self.rest = self.rest.split("\n")
        return [json.loads(line) for line in whole]

    def end(self):
        self.process.terminate()
        self.process.wait()


# ---- the measurement

def resident_bytes(pid, which="VmRSS"):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(which))


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] if values else float("inf")


def observe(server, port, pairs, seconds, first_stranger):
    """Logs in once a second from new addresses and collects the pair's latencies."""
    pairs.lines()
    forget_peak(server.pid)
    logins, failed, latencies, cpu = [], 0, [], cpu_seconds(server.pid)
    for second in range(seconds):
        began = time.monotonic()
        stranger = first_stranger + second
        one = log_in(port, f"127.1.{stranger // 250}.{1 + stranger % 250}", f"stranger-{stranger}", "good", "right")
        took = time.monotonic() - began
        logins.append(took)
        failed += one is None
        if one is not None:
            one.close()
        time.sleep(max(0, 1 - took))
        # Each second: a full pipe would stop the pair.
        latencies += [each for line in pairs.lines() for each in line["latencies"]]
    return {"p50": quantile(latencies, 0.5), "p99": quantile(latencies, 0.99), "messages": len(latencies),
            "login_p50": quantile(logins, 0.5), "login_max": max(logins), "logins": len(logins), "failed": failed,
            "peak": resident_bytes(server.pid, "VmHWM"), "cpu": (cpu_seconds(server.pid) - cpu) / seconds}


def start(arena, folder):
    port = free_port()
    users, config = os.path.join(folder, "users"), os.path.join(folder, "arena.toml")
    subprocess.run([arena, "user", "add", "--file", users, "good", "--password-stdin"], input="right\n", text=True, check=True,
                   capture_output=True)
    with open(config, "w") as file:
        file.write(f'[server]\nlog_level = "error"\n[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = {port} }}]\n'
                   f'[auth]\nallow_anonymous = true\nusers_file = "{users}"\n'
                   '[[auth.rules]]\nallow = ["all"]\ntopics = ["#", "$SYS/#"]\n')
    server = subprocess.Popen([arena, "server", "--config", config], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return server, port
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not listen")


def page(arguments, parts, calm, attack, beside, sent, bound):
    mib = 1 << 20
    all_three = calm, attack, beside
    rows = [("pair at 200/s, p50 / p99, ms", *(f"{one['p50'] * 1e3:.2f} / {one['p99'] * 1e3:.2f}" for one in all_three)),
            ("correct login from a new address, p50 / longest, ms",
             *(f"{one['login_p50'] * 1e3:.0f} / {one['login_max'] * 1e3:.0f}" for one in all_three)),
            ("of these refused", *(f"{one['failed']} of {one['logins']}" for one in all_three)),
            ("resident memory, peak, MiB", f"{calm['peak'] / mib:.0f}", f"{attack['peak'] / mib:.0f} (bound: {bound / mib:.0f})",
             f"{beside['peak'] / mib:.0f}"),
            ("CPU of the server, cores", *(f"{one['cpu']:.2f}" for one in all_three))]
    bars = [("a correct login succeeds within a second throughout", attack["failed"] == 0 and attack["login_max"] < 1),
            ("the pair's p99 stays under twice its calm value", attack["p99"] < 2 * calm["p99"]),
            ("the pair's p99 stays under twice what the attack costs by its share of the machine", attack["p99"] < 2 * beside["p99"]),
            ("memory stays under its bound", attack["peak"] < bound)]
    out = [f"{sent:.0f} CONNECTs a second with wrong passwords and {arguments.half_open:,} half-open connections from 127.0.0.2 and up,",
           f"while {parts['idle'].first['ready']:,} idle connections stand; {arguments.seconds} s each, default limits, "
           f"{os.cpu_count()} cores shared with the load, load average before {arguments.load:.1f}.", "",
           "| | calm | attack | the same attack on another broker beside it |", "|---|---|---|---|"]
    out += [f"| {' | '.join(row)} |" for row in rows]
    out += [""] + [f"- {'reached' if good else 'MISSED'}: {name}" for name, good in bars]
    return "\n".join(out) + "\n", all(good for _, good in bars)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arena")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--half-open", type=int, default=5_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--write", help="a file for the result")
    arguments = parser.parse_args()
    arguments.load = os.getloadavg()[0]
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    needed = arguments.idle + arguments.half_open + 3_000
    if files < needed:
        raise SystemExit(f"needs {needed} descriptors, the system allows {files}: choose fewer connections")
    with tempfile.TemporaryDirectory(prefix="arena-attack-") as folder:
        server, port = start(os.path.abspath(arguments.arena), folder)
        parts, other = {}, None
        try:
            parts["idle"] = Part("idle", port, arguments.idle)
            parts["pair"] = Part("pair", port, 200)
            observe(server, port, parts["pair"], 3, 0)  # warm
            calm = observe(server, port, parts["pair"], arguments.seconds, 10)
            # What the attack may add to the calm peak, in which the 64 MiB of a hash are: 2 KiB for each connection that is not
            # in, and the tables.
            outside = arguments.half_open + 2 * arguments.rate
            bound = calm["peak"] + (outside * 2 << 10) + (8 << 20)
            parts["half_open"] = Part("half_open", port, arguments.half_open)
            parts["flood"] = Part("flood", port, arguments.rate)
            attack = observe(server, port, parts["pair"], arguments.seconds, 1000)
            last = parts["flood"].lines()[-1]
            for name in "half_open", "flood":
                parts.pop(name).end()
            os.mkdir(os.path.join(folder, "beside"))
            other, other_port = start(os.path.abspath(arguments.arena), os.path.join(folder, "beside"))
            parts["half_open"] = Part("half_open", other_port, arguments.half_open)
            parts["flood"] = Part("flood", other_port, arguments.rate)
            beside = observe(server, port, parts["pair"], arguments.seconds, 2000)
            result, good = page(arguments, parts, calm, attack, beside, last["sent"] / last["seconds"], bound)
        finally:
            for part in parts.values():
                part.end()
            for one in filter(None, (server, other)):
                one.send_signal(signal.SIGTERM)
                try:
                    one.wait(15)
                except subprocess.TimeoutExpired:
                    one.kill()
    print(result, end="")
    if arguments.write:
        with open(arguments.write, "w") as file:
            file.write(result)
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "--part":
        PARTS[sys.argv[2]](int(sys.argv[3]), int(sys.argv[4]))
    sys.exit(main())
