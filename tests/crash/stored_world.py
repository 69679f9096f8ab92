"""A store with something of everything that a broker keeps, and the questions that bring all of it to light again."""
import http.client
import json
import math
import random
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from broker import SLOW, Rule, arena_bin  # pylint: disable=wrong-import-position
from durable import DurableBroker, persistent, take  # pylint: disable=wrong-import-position
from harness import eventually  # pylint: disable=wrong-import-position
from wire import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, USER, ack, opened, publish  # pylint: disable=wrong-import-position

LIVES = 3
TOPICS = 12  # of each stream and each session
EACH = 6  # messages of each topic in each life
VALUES = 24  # last values; a third of them is set once, a third twice, a third in each life
ONCE = 12  # keys, and a producer's numbers
STREAMS = {"kept": {}, "short": {"max_messages": 40}, "purged": {}, "emptied": {}}  # purged: of a third of it; emptied: of all
SESSIONS = {"away": "away/#", "begun": "begun/#", "worker": "$share/crew/worker/#"}
BEGUN = 20  # messages that `begun` has taken and settled
RULES = [Rule("allow", "all", ["#", "$arena/streams", "$arena/clients", "$SYS/broker/streams/count"])]
WITH_POSITIONS = [(USER, ("arena-positions", "1"))]
ANSWER_S = 20
PAGE = 1000
QUIET_S = 4
UNKNOWN = math.inf
MARKED_S = 0.5


class StoredBroker(DurableBroker):
    def __init__(self):
        super().__init__(http=True, rules=RULES)

    def launch(self, **options):
        super().launch(**options)
        eventually(self.listens, "it listens for HTTP", ANSWER_S)

    def listens(self):
        try:
            with socket.create_connection(("127.0.0.1", self.http_port), timeout=ANSWER_S):
                return True
        except OSError:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended:\n{self.log()}") from None
            return False


class Http:
    """Requests on one connection, JSON both ways."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S * SLOW)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, method, path, body=None, content="application/json"):
        self.connection.request(method, path, body=body, headers={"Content-Type": content} if body else {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def json(self, method, path, body=None):
        status, answer = self.ask(method, path, None if body is None else json.dumps(body))
        if status // 100 != 2:
            raise AssertionError(f"{method} {path}: {status} {answer[:300]!r}")
        return json.loads(answer) if answer else None

    def send(self, messages):
        """A batch; what was answered to each."""
        answer = self.json("POST", "/v1/publish", messages)
        if answer["failed"]:
            raise AssertionError(f"not published: {[one for one in answer['results'] if one['status'] != 200][:3]}")
        return answer["results"]


@dataclass
class Answers:
    """All that a broker says it has. A position is (log, partition, offset)."""
    streams: dict = field(default_factory=dict)  # name: its settings
    items: dict = field(default_factory=dict)  # position: (stream, topic, payload, id)
    gaps: dict = field(default_factory=dict)  # stream: messages that are gone, as its pages say; UNKNOWN: nobody knows how many
    replayed: dict = field(default_factory=dict)  # position: (topic, payload), over MQTT
    replay_gaps: dict = field(default_factory=dict)  # stream: messages that are gone, as `$gap` says
    sessions: dict = field(default_factory=dict)  # client id: (expiry, number of subscriptions)
    waiting: dict = field(default_factory=dict)  # client id: {payload: topic}
    session_gaps: dict = field(default_factory=dict)  # client id: messages that are gone, as it is told
    values: dict = field(default_factory=dict)  # topic: payload
    once: dict = field(default_factory=dict)  # key or number: (position, whether it was told to be a repetition)


def place(position):
    _, log, partition, offset = (int(part) for part in position.split("."))
    return log, partition, offset


def topics_of(name):
    return [f"{name}/{n}" for n in range(TOPICS)]


def all_topics():
    return [topic for name in [*STREAMS, *SESSIONS] for topic in topics_of(name)]


# ---- making it ----

class Filling:
    """A broker that is given all of it, and killed. `places`: {payload: position}."""

    def __init__(self):
        self.broker, self.dice, self.places = StoredBroker().start(), random.Random(4), {}
        with Http(self.broker.http_port) as http_:
            for name, limits in STREAMS.items():
                http_.json("POST", "/v1/streams", {"name": name, "filters": [f"{name}/#"], **limits})
        for name, filter_ in SESSIONS.items():
            with opened(self.broker.port, 5, name, **persistent(5)) as wire:
                wire.subscribe((filter_, 2), props=WITH_POSITIONS)
        for life in range(LIVES):
            if life:
                self.broker.stop(keep=True)  # what is in RocksDB's log becomes a file
                self.broker.launch()
            self.fill(life)
        # What was acknowledged a moment ago is not covered by the high-water mark yet: see docs/guarantees.md.
        mark = Path(self.broker.data, "high-water")
        eventually(lambda: time.time() - mark.stat().st_mtime > MARKED_S, "the high-water mark has come to rest")
        self.broker.kill()

    def text(self, name, number):
        return f"{name} {number} {self.dice.randbytes(self.dice.choice([20, 200, 600])).hex()}"

    def fill(self, life):
        batch = [{"topic": topic, "payload": self.text(topic, f"{life}.{n}"), "guarantee": self.dice.choice(["at_least_once", "exactly_once"]),
                  "id": f"{topic} {life} {n}"} for n in range(EACH) for topic in all_topics() if life == 0 or not topic.startswith("emptied/")]
        batch += [{"topic": f"state/{n}", "payload": self.text("state", f"{n} {life}"), "retain": True} for n in range(VALUES) if n % LIVES >= life]
        with Http(self.broker.http_port) as http_:
            for begin in range(0, len(batch), TOPICS):
                sent = batch[begin:begin + TOPICS]
                for message, result in zip(sent, http_.send(sent)):
                    if "position" in result:
                        self.places[message["payload"]] = place(result["position"])
            if life == 0:
                for name in ("purged", "emptied"):
                    http_.json("POST", f"/v1/streams/{name}/purge")
                http_.send([{"topic": "kept/keys", "payload": f"key {n}", "id": f"key {n}"} for n in range(ONCE)])
        if life == 0:
            produce(self.broker.port)
        if life == 1:
            with opened(self.broker.port, 5, "begun", **persistent(5)) as wire:
                take(wire, BEGUN)


def produce(port):
    """A producer's numbers; {number: what it is told}."""
    told = {}
    with opened(port, 5, "producer") as wire:
        for n in range(1, ONCE + 1):
            wire.send(publish(5, "kept/numbers", f"number {n}", qos=1, packet_id=n, props=[(USER, ("arena-producer", f"meter:1:{n}"))]))
            answer = wire.expect(PUBACK, packet_id=n)
            own = dict(value for key, value in answer.all_props if key == USER)
            told[f"number {n}"] = (place(own["arena-position"]) if "arena-position" in own else answer.reason, "arena-duplicate" in own)
    return told


# ---- asking ----

def ask_everything(broker):
    """Reads all; settles what waits for sessions, and repeats what was published once."""
    answers = read_streams(broker)
    with Http(broker.http_port) as http_:
        for session in http_.json("GET", "/v1/sessions?limit=1000")["items"]:
            if not session["client_id"].startswith(("http-", "replayer")):
                answers.sessions[session["client_id"]] = session["expiry_s"], session["subscriptions"]
        for n in range(VALUES):
            status, payload = http_.ask("GET", f"/v1/topics/state/{n}/latest")
            if status not in (200, 404):
                raise AssertionError(f"last value of state/{n}: {status} {payload[:300]!r}")
            answers.values[f"state/{n}"] = payload.decode() if status == 200 else None
        for name in SESSIONS:
            answers.waiting[name], answers.session_gaps[name] = read_session(broker.port, http_, name)
        for n in range(ONCE):
            result = http_.send([{"topic": "kept/keys", "payload": f"key {n}", "id": f"key {n}"}])[0]
            answers.once[f"key {n}"] = "position" in result and place(result["position"]), result.get("duplicate", False)
    answers.once.update(produce(broker.port))
    return answers


def read_streams(broker):
    """Streams, their pages, and a replay of each, when retention has looked."""
    answers = Answers()
    with Http(broker.http_port) as http_:
        eventually(lambda: all(not stream["max_messages"] or stream["messages"] <= stream["max_messages"] for stream in http_.json("GET", "/v1/streams")["items"]),
                   "retention is over", ANSWER_S)
        for stream in http_.json("GET", "/v1/streams")["items"]:
            name = stream["name"]
            answers.streams[name] = {key: stream[key] for key in ("filters", "max_age_ms", "max_bytes", "max_messages", "budget_bytes")}
            read_pages(http_, name, answers)
            read_replay(broker.port, name, answers)
    return answers


def read_pages(http_, name, answers):
    begin, answers.gaps[name] = "0", 0
    while True:
        page = http_.json("GET", f"/v1/streams/{name}/messages?from={begin}&limit={PAGE}")
        for item in page["items"]:
            where = place(item["position"])
            if where in answers.items:
                raise AssertionError(f"{where} comes twice in the pages of {name}")
            answers.items[where] = name, item["topic"], item["payload"], item["id"]
        answers.gaps[name] += 0 if "gap" not in page else UNKNOWN if page["gap"] is None else page["gap"]
        begin = page["next"]
        if not page["more"]:
            return


def own_property(packet, name):
    return next((value[1] for key, value in packet.all_props if key == USER and value[0] == name), None)


def gap_of(packet):
    count = own_property(packet, "arena-gap")
    return UNKNOWN if count == "unknown" else int(count)


def until_marked(wire, http_, topics):
    """What comes before a last message of each topic has come, acknowledged. The last messages are left out."""
    marks = {f"mark {topic} {time.monotonic_ns()}" for topic in topics}
    http_.send([{"topic": mark.split()[1], "payload": mark} for mark in marks])
    got, releases = [], 0
    while marks or releases:
        packet = wire.read(ANSWER_S)
        if packet is None:
            raise AssertionError("the broker hung up")
        if packet.kind == PUBREL:
            wire.send(ack(PUBCOMP, packet.packet_id))
            releases -= 1
        elif packet.kind == PUBLISH:
            if packet.qos:
                wire.send(ack(PUBACK if packet.qos == 1 else PUBREC, packet.packet_id))
                releases += packet.qos == 2
            text = packet.payload.decode()
            if text in marks:
                marks.remove(text)
            elif not text.startswith("mark "):
                got.append(packet)
    return got


def read_replay(port, name, answers):
    """Until all that the pages have has come, and as many messages were told to be gone, or nothing comes any more."""
    wanted, gone = {where for where, item in answers.items.items() if item[0] == name}, 0
    with opened(port, 5, f"replayer {name}") as wire:
        wire.subscribe((f"$replay/0/{name}/#", 1), props=WITH_POSITIONS)
        try:
            while wanted or gone < answers.gaps[name]:
                packet = wire.read(QUIET_S)
                if packet is None:
                    break
                if packet.kind != PUBLISH:
                    continue
                if packet.qos:
                    wire.send(ack(PUBACK, packet.packet_id))
                if packet.topic.startswith("$gap/"):
                    gone += gap_of(packet)
                    continue
                where = place(own_property(packet, "arena-position"))
                answers.replayed[where] = packet.topic, packet.payload.decode()
                wanted.discard(where)
        except AssertionError:
            pass  # what is missing is the judge's to tell
    answers.replay_gaps[name] = gone


def read_session(port, http_, name):
    """{payload: topic} of what waits for it, and how much is told to be gone; None when there is no such session."""
    with opened(port, 5, name, **persistent(5)) as wire:
        if not wire.connack.session_present:
            return None, 0
        got, gone = {}, 0
        for packet in until_marked(wire, http_, topics_of(name)):
            if packet.topic.startswith("$gap/"):
                gone += gap_of(packet)
                continue
            text = packet.payload.decode()
            if text in got and not packet.dup:
                raise AssertionError(f"{name} gets twice: {text[:40]}")
            got[text] = packet.topic
        return got, gone
