"""The servers that are compared: each started fresh for one measurement, on loopback, in a folder of its own, and
stopped by its own process id."""
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/system"))
from ports import free_port  # noqa: E402

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
NATS = shutil.which("nats-server") or "/usr/sbin/nats-server"


def make_certificate(folder):
    """For localhost, signed by itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                    str(folder / "key.pem"), "-out", str(folder / "certificate.pem")], check=True, capture_output=True)


def arena_tls_command(arena, _arguments, port, folder):
    config = folder / "arena.toml"
    config.write_text(f'[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = {port}, tls = true }}]\n'
                      '[tls]\ncertificate_file = "certificate.pem"\nkey_file = "key.pem"\n')
    return [str(arena), "server", "--config", str(config)]


def mosquitto_tls_command(arena, arguments, port, folder):
    command = mosquitto_command(arena, arguments, port, folder)
    with open(folder / "mosquitto.conf", "a", encoding="utf-8") as config:
        config.write(f"certfile {folder}/certificate.pem\nkeyfile {folder}/key.pem\nuser root\n")
    return command


def arena_websocket_command(arena, arguments, port, _folder):
    return [str(arena), "dev", "--mqtt", str(free_port()), "--http", str(port), *arguments]


def mosquitto_websocket_command(_arena, _arguments, port, folder):
    config = folder / "mosquitto.conf"
    # It counts its plain listeners only, and gives up without one: "Unable to start any listening sockets".
    config.write_text(f"listener {free_port()} 127.0.0.1\nlistener {port} 127.0.0.1\nprotocol websockets\nsocket_domain ipv4\n"
                      "allow_anonymous true\npersistence false\nmax_queued_messages 1000000\nlog_type error\n")
    return [MOSQUITTO, "-c", str(config)]


def arena_command(arena, arguments, port, _folder):
    return [str(arena), "dev", "--mqtt", str(port), *arguments]


def mosquitto_command(_arena, _arguments, port, folder):
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
                      "max_queued_messages 1000000\nlog_type error\n")
    return [MOSQUITTO, "-c", str(config)]


def nats_command(_arena, _arguments, port, folder):
    config = folder / "nats.conf"
    config.write_text(f'server_name: "bench"\nhost: "127.0.0.1"\nport: {free_port()}\n'
                      f'jetstream {{ store_dir: "{folder}/store" }}\n'
                      f'mqtt {{ host: "127.0.0.1", port: {port}, max_ack_pending: 1000 }}\n'
                      'max_connections: 100000\nwrite_deadline: "20s"\n')
    return [NATS, "-c", str(config)]


def stored_command(arena, arguments, port, folder):
    return arena_command(arena, ["--data", str(folder / "data"), *arguments], port, folder)


ROOMY_ADDRESSES = [f"127.0.0.{last}" for last in range(1, 51)]


def roomy_command(arena, _arguments, port, folder):
    """For more than some limits are by default, which `arena dev` does not change, and more connections, each of which holds its
    port for a minute, than one address has ports."""
    config = folder / "arena.toml"
    listeners = ", ".join(f'{{ address = "{address}", port = {port} }}' for address in ROOMY_ADDRESSES)
    config.write_text(f'[mqtt]\nlisteners = [{listeners}]\n[store]\ndata = "{folder}/data"\n'
                      '[auth]\nallow_anonymous = true\n[[auth.rules]]\nallow = ["all"]\ntopics = ["#"]\n'
                      f'[limits]\ninbox_bytes_max = {8 << 30}\nconnects_per_address_per_s = 1000000\n')
    return [str(arena), "server", "--config", str(config)]


def queueing_mosquitto_command(arena, arguments, port, folder):
    command = mosquitto_command(arena, arguments, port, folder)
    config = folder / "mosquitto.conf"
    config.write_text(config.read_text().replace("max_queued_messages 1000000", "max_queued_messages 0\nmax_inflight_messages 0"))
    return command


def synced_nats_command(program, arguments, port, folder):
    nats_command(program, arguments, port, folder)
    config = folder / "nats.conf"
    config.write_text(config.read_text().replace('store"', 'store", sync_interval: always'))
    return [str(program), "-c", str(config)]


def limit_command(program, _arguments, port, folder):
    return [str(program), "--port", str(port), "--log", str(folder / "records")]


WEBSOCKET_COMMANDS = {"arena": arena_websocket_command, "mosquitto": mosquitto_websocket_command}
TLS_COMMANDS = {"arena": arena_tls_command, "mosquitto": mosquitto_tls_command}
COMMANDS = {"arena": arena_command, "mosquitto": mosquitto_command, "nats": nats_command, "arena, stored": stored_command, "arena, roomy": roomy_command,
            "mosquitto, queueing": queueing_mosquitto_command, "nats, synced": synced_nats_command, "limit": limit_command}


class Server:
    """`with Server(...)`: listens when entered, gone when left."""

    def __init__(self, name, arena, arguments=(), tls=False, websocket=False, commands=None):
        self.name, self.arena, self.arguments, self.tls = name, arena, list(arguments), tls
        self.commands = commands or (TLS_COMMANDS if tls else WEBSOCKET_COMMANDS if websocket else COMMANDS)
        self.port = free_port()
        self.folder = self.log = self.process = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="arena-bench-"))
        self.log = open(self.folder / "log", "wb")
        if self.tls:
            make_certificate(self.folder)
        self.launch()
        return self

    def launch(self, seconds=10):
        command = self.commands[self.name](self.arena, self.arguments, self.port, self.folder)
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=self.folder)
        if not self.listens(seconds):
            text = (self.folder / "log").read_text(errors="replace")[-2000:]
            self.__exit__()
            raise SystemExit(f"{self.name} does not come up:\n{text}")

    def restart(self, seconds=60):
        """Seconds from its start, after kill -9, until it listens."""
        self.process.kill()
        self.process.wait()
        began = time.monotonic()
        self.launch(seconds)
        return time.monotonic() - began

    def listens(self, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return True
            except OSError:
                time.sleep(0.005)
        return False

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def output_of(*command, cwd=None):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=10)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()


def version_of(name, arena):
    if name == "arena":
        return output_of(str(arena), "version")
    if name == "nats":
        return output_of(NATS, "--version")
    return output_of(MOSQUITTO, "-h").splitlines()[0]
