"""HTTP clients for tests: curl and a reader of server-sent events; and MQTT clients to hold beside them."""
import http.client
import json
import subprocess

from broker import SLOW
from harness import equal


def curl(path, *arguments, port):
    """Status and body."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(10 * SLOW), "--write-out", "\n%{http_code}", *arguments,
                           f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"curl: {done.returncode} {done.stderr}")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


class Listener:
    """mosquitto_sub, which shows MQTT 5 properties."""

    def __init__(self, topic, port, arguments=(), count=1):
        self.process = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-V", "5", "-p", str(port), "-q", "1", "-t", topic, "-C", str(count), "-W", str(int(10 * SLOW)),
                                         "-F", "%t|%p|%q|%r|%P|%C", "-d", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "Subscribed" in line:
                return
        raise AssertionError("mosquitto_sub did not subscribe")

    def lines(self):
        lines = [line.rstrip("\n") for line in self.process.stdout]  # it ends by itself (-W)
        self.process.wait(5 * SLOW)
        return [line for line in lines if line.count("|") >= 5]


class Follower:
    """Reads server-sent events in a thread-less way: line by line from a socket of its own."""

    def __init__(self, query, last_id=None, *, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * SLOW)
        self.connection.request("GET", "/v1/events?" + query, headers={"Last-Event-ID": last_id} if last_id else {})
        self.answer = self.connection.getresponse()
        equal((self.answer.status, self.answer.headers["Content-Type"]), (200, "text/event-stream"))
        self.last_id = last_id
        while not self.last_id:
            self.block()

    def block(self):
        """The next event, or None for a block that is none."""
        event = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            event[name] = value
        self.last_id = event.get("id", self.last_id)
        return event if "data" in event else None

    def next(self):
        while not (event := self.block()):
            pass
        return json.loads(event["data"])

    def close(self):
        self.connection.sock and self.connection.sock.close()
        self.answer.close()


def mqtt_publish(topic, text, port):
    subprocess.run(["mosquitto_pub", "-p", str(port), "-q", "1", "-t", topic, "-m", text], check=True, timeout=10 * SLOW)
