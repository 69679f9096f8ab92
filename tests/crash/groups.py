"""The judge's part that is about shared groups: each message goes to one of the members (history.py)."""
from kept import Wish


class Receipt:
    def __init__(self, member, connection):
        self.member, self.connection, self.settled_at = member, connection, None


class Group:
    def __init__(self):
        self.topics = set()
        self.owed_from = {}  # flow key -> number
        self.receipts = {}  # flow key -> {number: Receipt}


class Groups:
    def __init__(self, checker):
        self.checker = checker
        self.groups = {}
        self.wishes = {}  # (group, member) -> Wish

    def joining(self, event):
        self.groups.setdefault(event["group"], Group())
        self.wishes[event["group"], event["session"]] = Wish(event["options"])

    def joined(self, event):
        """From the first member on everything is owed to the group."""
        group = self.groups[event["group"]]
        self.checker.session(event).joined.add(event["group"])
        if group.topics:
            return
        group.topics = set(event["topics"])
        for topic in group.topics:
            for key in self.checker.by_topic.get(topic, ()):
                group.owed_from[key] = len(self.checker.flows[key].messages) + 1

    def handed(self, event):
        name, member = event["group"], event["session"]
        who = f"{member} of {name}"
        message = self.checker.content(event, who)
        wish = self.wishes.get((name, member))
        what = f"{who} got {event['topic']} {event['number']} of {event['client']}"
        if wish is None:
            self.checker.blame("phantom", what + ", and is no member")
        if message is None or wish is None:
            return
        self.checker.kept.compare(what, {"qos": min(message.qos, wish.qos), "retain": message.retain and wish.retain,
                                         "ids": [wish.id]}, {"qos": event["qos"], **event["as"]})
        group, key, number = self.groups[name], (event["client"], event["topic"]), event["number"]
        receipts = group.receipts.setdefault(key, {})
        before = receipts.get(number)
        if before is not None and not message.may_be_stored_twice():
            self._again(what, before)
        receipts[number] = Receipt(member, self.checker.session(event).connection)

    def _again(self, what, before):
        """There is a reason for it if the connection of who had it ended, and it was not settled long before."""
        had = self.checker.sessions.get(before.member)
        over = had.ends.get(before.connection) if had else 0
        if over is None and before.settled_at is None:
            self.checker.blame("duplicated", f"{what}, which {before.member} has")
        elif before.settled_at is not None and (over is None or self.checker.lazy is not None and over - before.settled_at > self.checker.lazy):
            self.checker.blame("redelivered-after-ack", f"{what}, which {before.member} had settled")

    def settled(self, event):
        receipt = self.groups[event["group"]].receipts.get((event["client"], event["topic"]), {}).get(event["number"])
        if receipt is not None and receipt.member == event["session"]:
            receipt.settled_at = event["at"]

    def end(self):
        for name, group in self.groups.items():
            for topic in group.topics:
                for key in self.checker.by_topic.get(topic, ()):
                    self._missing(name, key, group)

    def _missing(self, name, key, group):
        receipts = group.receipts.get(key, {})
        highest = max(receipts, default=0)
        for number in range(group.owed_from.get(key, 1), len(self.checker.flows[key].messages) + 1):
            message = self.checker.flows[key].messages[number - 1]
            if message.owed() and number not in receipts:
                self.checker.blame("stuck" if number > highest else "lost", f"nobody of {name} got {key[1]} {number} of {key[0]}")
