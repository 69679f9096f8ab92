"""The judge's part that is about streams: what their readers replay, held against what was published (history.py)."""


class Reader:
    """One replay, with what it continues."""

    def __init__(self):
        self.topics = ()
        self.dense = True  # it is given every offset
        self.next = {}  # log -> the offset that must come
        self.places = {}  # flow key -> {number: place}
        self.highest = {}  # flow key -> number
        self.skipped = set()  # (flow key, number) that a later one has overtaken
        self.cut = False  # messages are deleted from the beginning of its logs
        self.began = 0  # at which purge


class Readers:
    def __init__(self, checker):
        self.checker = checker
        self.readers = {}
        self.kept_from = {}  # flow key or topic -> the first number that must be kept
        self.topics = set()
        self.last_of = {}  # topic -> how many of its last messages are kept
        self.purges = 0
        self.purging = set()  # topics
        self.purged = {}  # flow key -> (which purge, the number up to which nothing may come after it)

    def stream(self, event):
        self.topics |= set(event["topics"])
        if event.get("messages"):
            self.last_of.update(dict.fromkeys(event["topics"], event["messages"]))
        for key, flow in self.checker.flows.items():
            if key[1] in event["topics"]:
                self.kept_from.setdefault(key, len(flow.messages) + 1)

    def purge(self, event):
        """What is acknowledged now must be gone when it is done, what is sent behind it stays."""
        self.purges += 1
        self.purging = set(event["topics"])
        for key, flow in self.checker.flows.items():
            if key[1] in self.purging:
                self.purged[key] = (self.purges, flow.acked_all())

    def done(self, certain):
        """Or the broker was killed over it: then it is done or not."""
        for key, flow in self.checker.flows.items():
            if key[1] in self.purging:
                self.kept_from[key] = len(flow.messages) + 1
                if not certain:
                    self.purged.pop(key, None)
        self.purging = set()

    def replaying(self, event):
        name, after = event["reader"], event["after"]
        reader = self.readers.get(name)
        if reader is None or not after:
            if reader is not None:
                self._check_skipped(name, reader)
            reader = self.readers[name] = Reader()
        reader.topics = tuple(event["topics"])
        reader.dense, reader.cut = event.get("dense", True), event.get("cut", False)
        reader.began = self.purges - bool(self.purging)
        reader.next = {log: offset + 1 for log, offset in after.items()}

    def replayed(self, event):
        name = event["reader"]
        reader = self.readers[name]
        message = self.checker.content(event, name)
        what = f"{name} got {event['topic']} {event['number']} of {event['client']}"
        if event.get("offset") is not None:
            self._follow(reader, (event["log"], event["offset"]), what)
        if message is None:
            return
        purge, upto = self.purged.get((event["client"], event["topic"]), (0, 0))
        if reader.began >= purge > 0 and event["number"] <= upto:
            self.checker.blame("phantom", what + ", which was purged before it began")
        if event["topic"] not in reader.topics:
            self.checker.blame("phantom", what + ", which it did not ask for")
            return
        if event.get("offset") is None:
            self.checker.blame("gap", what + " without its place")
            return
        self.checker.place(event, message)
        key, number, place = (event["client"], event["topic"]), event["number"], (event["log"], event["offset"])
        places = reader.places.setdefault(key, {})
        if number in places:
            if places[number] == place or not message.may_be_stored_twice():
                self.checker.blame("duplicated", f"{what} at {place}, and had it at {places[number]}")
            return
        places[number] = place
        self.checker.is_stored(key, number)
        reader.skipped.discard((key, number))
        highest = reader.highest.get(key, 0)
        if number < highest:
            self.checker.blame("reordered", f"{what} after {highest}")
            return
        reader.highest[key] = number
        reader.skipped.update((key, between) for between in range(highest + 1, number))

    def _follow(self, reader, place, what):
        log, offset = place
        if reader.cut and log not in reader.next:  # it begins with the first that is there
            reader.next[log] = offset
        expected = reader.next.get(log, 0)
        if offset > expected and reader.dense:
            self.checker.blame("gap", f"{what} at {place}, and not {expected}")
        elif offset < expected:
            self.checker.blame("reordered", f"{what} at {place} behind {expected - 1}")
        reader.next[log] = max(offset + 1, expected)

    def told_gap(self, event):
        """It is told that so many messages are gone."""
        reader, log = self.readers[event["reader"]], event["log"]
        expected = reader.next.get(log, event["next"] - event["count"])
        if not reader.cut or event["next"] - event["count"] != expected:
            self.checker.blame("gap", f"{event['reader']} was told that {event['count']} are gone before {event['next']}, and is at {expected}")
        reader.next[log] = event["next"]

    def _owed(self, key, number):
        most = self.last_of.get(key[1])
        if most and number <= len(self.checker.flows[key].messages) - most:
            return False
        return number >= self.kept_from.get(key, 1) and self.checker.must_be_stored(key, number)

    def _check_skipped(self, name, reader):
        for key, number in sorted(reader.skipped):
            if self._owed(key, number):
                self.checker.blame("lost", f"{name} did not get {key[1]} {number} of {key[0]}")

    def end(self):
        """Every reader had time to get everything."""
        for name, reader in self.readers.items():
            self._check_skipped(name, reader)
            for key, flow in self.checker.flows.items():
                if key[1] not in self.topics or key[1] not in reader.topics:
                    continue
                for number in range(reader.highest.get(key, 0) + 1, len(flow.messages) + 1):
                    if self._owed(key, number):
                        self.checker.blame("stuck", f"{name} did not get {key[1]} {number} of {key[0]}")
