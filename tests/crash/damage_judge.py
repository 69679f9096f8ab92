"""Compares what a broker says that it has, on a store that was damaged, with what it had. What is there must be as it was; what is
missing must have been told, by `arena store check` and to readers."""
from collections import Counter

from stored_world import SESSIONS, STREAMS

LIMITED = "short"  # which of its messages retention leaves depends on what there is
SHARED = [name for name, filter_ in SESSIONS.items() if filter_.startswith("$share/")]  # who shares is not told of gaps
SPREAD = 16  # partitions: each of them may give one too many


class Told:
    """What the check says of a store: what is lost, and whether anything else may be other than it was."""

    def __init__(self, report):
        self.report = report
        self.lost = [(one["log"], one["partition"], one["from"], one["upto"]) for one in report.get("lost", [])]
        self.lost += [(one["log"], one["partition"], one["from"], one["upto"]) for one in report["damages"] if "log" in one]
        self.keys = report.get("keys_may_be_older", False)
        self.deleted = report.get("deleted_may_return", False)  # where a log begins may be as it was earlier

    def covers(self, where):
        log, partition, offset = where
        return any((log, partition) == (one[0], one[1]) and one[2] <= offset and (one[3] is None or offset < one[3]) for one in self.lost)


class Judge:
    """`places`: {payload: position} of all that was ever stored; `sound`: what the broker had."""

    def __init__(self, places, sound, told):
        self.places, self.sound, self.told = places, sound, told
        self.blame, self.missing = [], 0

    def wrong(self, what):
        self.blame.append(what)

    def compare(self, got):
        self.streams(got)
        self.messages(got)
        self.sessions(got)
        self.values(got)
        self.once(got)
        return self.blame

    def streams(self, got):
        for name, settings in self.sound.streams.items():
            if got.streams.get(name) != settings and not self.told.keys:
                self.wrong(f"stream {name} is {got.streams.get(name)}, and nothing was told of keys")
        for name in set(got.streams) - set(self.sound.streams):
            self.wrong(f"a stream {name} that never was")

    def messages(self, got):
        missing, left = Counter(), Counter(item[0] for item in got.items.values())
        for where, item in self.sound.items.items():
            if where in got.items:
                if got.items[where] != item:
                    self.wrong(f"{where} was {item[1:3]} and is {got.items[where][1:3]}"[:300])
            elif item[0] in got.streams:
                told = self.told.covers(where)
                missing[item[0]] += told or item[0] != LIMITED
                if not told and item[0] != LIMITED:
                    self.wrong(f"{where} of {item[0]} is missing, and nobody was told")
        if LIMITED in got.streams and left[LIMITED] + missing[LIMITED] < STREAMS[LIMITED]["max_messages"] - SPREAD:
            self.wrong(f"{LIMITED} has {left[LIMITED]} messages left, {missing[LIMITED]} were lost")
        for where in set(got.items) - set(self.sound.items):
            name, topic, payload, _ = got.items[where]
            kept_before = self.places.get(payload) == where and payload.startswith(topic + " ")
            if not kept_before or name != LIMITED and not self.told.deleted:
                self.wrong(f"{where} of {name} was not there: {payload[:40]}")
        for name in got.streams:
            more = got.gaps[name] - self.sound.gaps.get(name, 0)
            if more < missing[name] and missing[name]:
                self.wrong(f"{missing[name]} messages of {name} are missing, and pages tell a gap of {more}")
            if got.replay_gaps[name] < got.gaps[name]:
                self.wrong(f"pages of {name} tell a gap of {got.gaps[name]}, a replay one of {got.replay_gaps[name]}")
        listed, replayed = {where: item[1:3] for where, item in got.items.items()}, got.replayed
        if listed != replayed:
            self.wrong(f"pages have {len(listed)} messages, replays {len(replayed)}; {len(set(listed.items()) ^ set(replayed.items()))} differ")
        self.missing += sum(missing.values())

    def sessions(self, got):
        for name, session in self.sound.sessions.items():
            if got.sessions.get(name) != session and not self.told.keys:
                self.wrong(f"session {name} was {session} and is {got.sessions.get(name)}, and nothing was told of keys")
            have = got.waiting.get(name)
            if have is None:
                continue
            lacks = 0
            for payload, topic in self.sound.waiting.get(name, {}).items():
                if have.get(payload) == topic:
                    continue
                lacks += 1
                if not self.told.covers(self.places[payload]):
                    self.wrong(f"{payload[:30]} does not come to {name}, and nobody was told")
            if lacks > got.session_gaps[name] and name not in SHARED:
                self.wrong(f"{lacks} messages do not come to {name}, and it is told a gap of {got.session_gaps[name]}")
            self.missing += lacks
            for payload in set(have) - set(self.sound.waiting[name]):
                if payload not in self.places or not self.told.keys:
                    self.wrong(f"{payload[:30]} comes to {name}, which has settled it or never had it")

    def values(self, got):
        for topic, value in self.sound.values.items():
            have = got.values[topic]
            if have == value:
                continue
            if not self.told.keys:
                self.wrong(f"last value of {topic} was {value[:20]} and is {have and have[:20]}, and nothing was told of keys")
            elif have is not None and (have.split()[1] != value.split()[1] or have.split()[2] > value.split()[2]):
                self.wrong(f"last value of {topic} is {have[:40]}, which was never its own")

    def once(self, got):
        for key, answer in self.sound.once.items():
            if got.once[key] != answer and not self.told.keys:
                self.wrong(f"{key} again is told {got.once[key]} instead of {answer}, and nothing was told of keys")
