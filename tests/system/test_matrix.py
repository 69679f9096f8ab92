#!/usr/bin/env python3
"""Every way to publish × every way to receive × live, last value, replay, resume after a cut: the same message everywhere.

For each way to publish there is one topic, whose stream keeps it. All ways to receive hear of it side by side; what each of
them got is a test of its own.
"""
import functools
from urllib.parse import quote

import web
from harness import add, equal, eventually, run_all
from ways import AFTER, BEFORE, END, HEADERS, HTTP, LAST, PAYLOADS, PUBLISHERS, RECEIVERS, TYPE, attributes, broker, curl, item, metric, receipt

TIMES = {  # and the payloads that come then
    "live": range(len(PAYLOADS)), "resume": range(len(PAYLOADS)), "replay": range(len(PAYLOADS)), "since": AFTER, "last value": [LAST]}


def times_of(receiver):
    return [time for time in TIMES if (time != "since" or "mqtt 5" in receiver) and (time != "last value" or "mqtt" in receiver)]


CELLS = [(receiver, time) for receiver in RECEIVERS for time in times_of(receiver)]


# -- One round: a way to publish, and all who receive

class Round:
    def __init__(self, publisher):
        self.publisher, self.topic, self.at, self.failed = publisher, f"matrix/{publisher.replace('/', '-')}/ä b", {}, {}
        self.start = self.first_id()
        eventually(lambda: metric("arena_http_event_streams") == 0, "nobody follows yet")
        early = [cell for cell in CELLS if cell[1] in ("live", "resume")]
        resumed = [cell for cell in early if cell[1] == "resume"]
        self.each(early, self.open)
        followers = sum("mqtt" not in receiver for receiver, _ in self.at)
        eventually(lambda: metric("arena_http_event_streams") == followers, "all followers follow")
        self.receipts = dict(PUBLISHERS[publisher](self.topic, BEFORE))
        self.each(resumed, lambda cell: self.at[cell].cut())
        self.receipts.update(PUBLISHERS[publisher](self.topic, AFTER))
        self.each(resumed, lambda cell: self.at[cell].resume())
        self.items = self.history("earliest")["items"]
        self.each([cell for cell in CELLS if cell not in early], self.open)
        receipt(curl("http/1.1", f"/v1/topics/{quote(self.topic)}", body=END))
        self.each(CELLS, lambda cell: self.at[cell].read())
        for receiver in self.at.values():
            receiver.close()

    def first_id(self):
        follower = web.Follower(f"topic={quote(self.topic)}", port=broker.http_port)
        follower.close()
        return follower.last_id

    def history(self, start, limit=100, door="http/2"):
        return receipt(curl(door, f"/v1/streams/matrix/messages?from={quote(start)}&limit={limit}&topic={quote(self.topic)}"))

    def open(self, cell):
        receiver, time = cell
        self.at[cell] = RECEIVERS[receiver](time, self.topic, self.items[0]["position"] if time == "since" else self.start)

    def each(self, cells, what):
        for cell in cells:
            try:
                if cell not in self.failed:
                    what(cell)
            except (AssertionError, OSError, KeyError, ValueError) as error:
                self.failed[cell] = f"{type(error).__name__}: {error}"

    # What should be shown of a message. Of its id, time and place the history is the witness.

    def headers(self, n):
        return {} if "3.1.1" in self.publisher else {**(attributes(n) if "event" in self.publisher else {}), **HEADERS}

    def content_type(self):
        return None if "3.1.1" in self.publisher else TYPE

    def as_json(self, n):
        wanted = item(self.topic, n)
        wanted.pop("retain")
        wanted.update({name: self.items[n][name] for name in ("id", "time", "position")}, headers=self.headers(n), content_type=self.content_type())
        return {name: value for name, value in wanted.items() if value}

    def as_shown(self, receiver, time, n):
        if "events" in receiver:
            return {"json": self.as_json(n), "event id": f"1:{self.items[n]['position']}"}
        if "poll" in receiver:
            return {"json": self.as_json(n)}
        retained = n in AFTER if self.publisher == "event batch" else n == LAST
        wanted = {"topic": self.topic, "payload": PAYLOADS[n], "retain": retained and ("mqtt 5" in receiver or time == "last value"), "dup": False, "qos": 1}
        if "mqtt 5" in receiver:
            wanted.update(headers=sorted(self.headers(n).items()), content_type=self.content_type(), position=[self.items[n]["position"]])
        return wanted


@functools.cache
def outcome(publisher):
    try:
        return Round(publisher)
    except Exception as error:  # pylint: disable=broad-except
        return error  # of all its cells


def round_of(publisher):
    one = outcome(publisher)
    if isinstance(one, Exception):
        raise one
    return one


def received(publisher, receiver, time):
    one = round_of(publisher)
    assert (receiver, time) not in one.failed, one.failed[receiver, time]
    got, wanted = one.at[receiver, time].got, [one.as_shown(receiver, time, n) for n in TIMES[time]]
    equal([message.get("payload", message.get("json", {}).get("payload")) for message in got],
          [message.get("payload", message.get("json", {}).get("payload")) for message in wanted], "payloads")
    for shown, right in zip(got, wanted):
        if time == "last value" and not shown.get("position"):
            right.pop("position", shown.pop("position", None))  # it need not tell where a stream keeps it
        equal(shown, right)


def receipts(publisher):
    """They tell what the history does."""
    one = round_of(publisher)
    for n, told in one.receipts.items():
        equal({name: told.get(name, one.items[n][name]) for name in ("id", "position")}, {name: one.items[n][name] for name in ("id", "position")})
        assert "3.1.1" in publisher or told["position"], told
        assert "mqtt" in publisher or (told["id"] and told["level"] == "disk"), told


def history(publisher, door):
    """Page by page: all, once, in order."""
    one, got, start = round_of(publisher), [], "earliest"
    while True:
        page = one.history(start, 2, door)
        got += page["items"]
        if not page["more"]:
            break
        start = page["next"]
    equal(got.pop()["payload"], END.decode())
    equal(got, [one.as_json(n) for n in range(len(PAYLOADS))])
    equal(len({message["id"] for message in got}), len(PAYLOADS), "ids")


def latest(publisher, door):
    one = round_of(publisher)
    wanted = one.as_json(LAST)
    path = f"/v1/topics/{quote(one.topic)}/latest"
    got = receipt(curl(door, f"{path}?format=json"))
    equal({"position": wanted["position"], **got}, wanted)
    equal(receipt(curl(door, f"/v1/retained?topic={quote(one.topic)}"))["items"], [got])
    status, answer = curl(door, path, "-i")
    head, _, body = answer.partition("\n\n")
    told = [line.split(": ", 1) for line in head.lower().split("\n")[1:]]
    equal((status, body), (200, PAYLOADS[LAST].decode()))
    equal({name: value for name, value in told if name in ("arena-id", "content-type")},
          {"arena-id": wanted["id"], "content-type": one.content_type() or "application/octet-stream"})
    equal(sorted(value for name, value in told if name == "arena-header"), sorted(f"{name}={value}" for name, value in one.headers(LAST).items()))


for publisher_ in PUBLISHERS:
    for receiver_, time_ in CELLS:
        add(f"{publisher_} to {receiver_}: {time_}", received, publisher_, receiver_, time_, seconds=40)
    add(f"{publisher_}: receipts", receipts, publisher_, seconds=40)
    for door_ in HTTP:
        add(f"{publisher_} to history {door_}", history, publisher_, door_, seconds=40)
        add(f"{publisher_} to latest {door_}", latest, publisher_, door_, seconds=40)

add("and ends well", lambda: equal(broker.stop(), 0, "exit code on SIGTERM"))
run_all()
