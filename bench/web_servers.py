"""The servers whose web doors are compared, what they have cost so far, and h2load, which asks them."""
import pathlib
import re
import shutil
import subprocess

from servers import NATS, free_port, output_of

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
MANY = 1_000_000


def arena_config(port, mqtt_port, tls, threads):
    secure = ", tls = true" if tls else ""
    return (f'[server]\nthreads = {threads}\n'
            f'[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = {mqtt_port} }}]\n'
            f'[http]\nlisteners = [{{ address = "127.0.0.1", port = {port}{secure} }}]\n'
            f'event_streams_max = {MANY}\nevent_streams_per_user_max = {MANY}\n'
            + ('[tls]\ncertificate_file = "certificate.pem"\nkey_file = "key.pem"\n' if tls else ""))


def arena_command(tls, threads, stored=False):
    """`arguments`: the port of MQTT, if it is of interest."""
    def command(arena, arguments, port, folder):
        config = folder / "arena.toml"
        text = arena_config(port, arguments[0] if arguments else free_port(), tls, threads)
        if stored:
            text += '[store]\ndata = "data"\n'
        config.write_text(text)
        return [str(arena), "server", "--config", str(config)]
    return command


def nginx_command(http2, tls):
    """One worker, as Arena has one thread beside it; a process of ours, in a folder of its own."""
    def command(_program, _arguments, port, folder):
        config = folder / "nginx.conf"
        temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        secure = f"ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem; " if tls else ""
        config.write_text(f"daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;\n"
                          "events { worker_connections 10000; }\n"
                          f"http {{ access_log off; keepalive_requests {MANY * 1000}; {temporary}\n"
                          f"server {{ listen 127.0.0.1:{port}{' ssl' if tls else ''}{' http2' if http2 else ''}; {secure}"
                          "location / { return 204; } } }\n")
        return [NGINX, "-c", str(config), "-e", "stderr", "-p", str(folder)]
    return command


def nats_websocket_command(_program, _arguments, port, folder):
    config = folder / "nats.conf"
    config.write_text(f'server_name: "bench"\nhost: "127.0.0.1"\nport: {free_port()}\njetstream {{ store_dir: "{folder}/store" }}\n'
                      f'mqtt {{ host: "127.0.0.1", port: {free_port()} }}\nmax_connections: 100000\n'
                      f'websocket {{ host: "127.0.0.1", port: {port}, no_tls: true }}\n')
    return [NATS, "-c", str(config)]


COMMANDS = {
    "arena": arena_command(tls=False, threads=1), "arena, TLS": arena_command(tls=True, threads=1),
    "arena, stored": arena_command(tls=False, threads=0, stored=True), "nats": nats_websocket_command,
    **{f"nginx, {name}": nginx_command(http2, tls) for name, http2, tls in (
        ("HTTP/1.1", False, False), ("HTTP/2", True, False), ("HTTP/1.1, TLS", False, True), ("HTTP/2, TLS", True, True))},
}


def family(pid):
    """The process and all below it: nginx works in processes of its own."""
    found = [pid]
    for each in found:
        for children in pathlib.Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def cpu_us(pid):
    """User and system time of all threads of the server."""
    total = 0
    for process in family(pid):
        for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1000


def resident_bytes(pid):
    total = 0
    for process in family(pid):
        total += int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process}/status").read_text()).group(1)) * 1024
    return total


def told_by_h2load(text):
    """{"requests", "per_second"}, or {"error"} when one answer was not 2xx, or none came."""
    rate = re.search(r"^finished in [^,]+, ([\d.]+) req/s", text, re.M)
    done = re.search(r"^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text, re.M)
    codes = re.search(r"^status codes: (\d+) 2xx", text, re.M)
    if not (rate and done and codes):
        return {"error": "h2load: " + (text.strip().splitlines() or ["no output"])[-1]}
    requests, *others = [int(count) for count in done.groups()]
    if requests == 0 or int(codes.group(1)) < requests or others[0] < requests or any(others[1:]):
        return {"error": "h2load: " + done.group(0) + "; " + codes.group(0)}
    return {"requests": requests, "per_second": float(rate.group(1))}


def h2load(url, protocol, connections, in_flight, body, *much):
    """Every request a publish of the file's bytes."""
    h1 = ["--h1"] if protocol.startswith("HTTP/1.1") else []
    command = ["h2load", *h1, "-c", connections, "-m", in_flight, "-d", body, "-H", "content-type: application/octet-stream", *much, url]
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return {"error": "h2load did not end"}
    return told_by_h2load(done.stdout + done.stderr)


def cost_of_requests(pid, seconds, connections, *load):
    """A request's cost to the server, without the connections': these are measured before, with one request on each."""
    times = [cpu_us(pid)]
    first = h2load(*load[:2], connections, *load[2:], "-n", connections)
    times.append(cpu_us(pid))
    told = h2load(*load[:2], connections, *load[2:], "-D", max(1, round(seconds)))
    times.append(cpu_us(pid))
    if "error" in first or "error" in told:
        return first if "error" in first else told
    each = (times[2] - times[1] - (times[1] - times[0])) / max(told["requests"] - first["requests"], 1)
    if each <= 0:
        return {"error": "so few requests that their cost does not show behind the connections'"}
    return {**told, "server_cpu_us": each, "per_cpu_second": 1e6 / each}


def versions():
    return [output_of(NGINX, "-v").replace("nginx version: ", ""), output_of("h2load", "--version")]
