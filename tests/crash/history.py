#!/usr/bin/env python3
"""The judge of histories: what publishers were promised, held against what subscribers got. One pass over the events,
then one over the messages: linear in its input.

    tests/crash/history.py FILE...      FILE: JSON lines, one event each; the last line is 'N passed, N failed' in files

Every event has `event` and, where times matter, `at` in seconds. A flow is what one client publishes to one topic,
numbered from 1 without holes; order is promised within it.

    settings    lazy: after so many seconds on a living connection, a subscriber's acknowledgement must survive a crash;
                dense: names of logs whose offsets have no holes for their readers
                slack, writing: so late may a timer be, so long may it take to write down that a session is away
    publish     client topic number qos sum [once on deletes retain props life]     before its bytes leave; once more with each repetition. once: "id"
                                                    or "producer": under an id, or by a producer's number, so there is one copy.
                                                    on: which connection; what a stream keeps of it is all up to some number, QoS 0
                                                    too. deletes: it deletes its topic's last value. retain: the flag; props: a
                                                    checksum of its properties; life: in seconds, then it expires
    acked       client topic number [log offset] [duplicate]    PUBACK, or PUBREC at QoS 2; duplicate: it was called a repetition
    refused     client topic number                 told no; it must not appear
    forged      client topic number refused         something else was published under the same id or number, and refused or not
    unknown     client topic number                 given up without an answer; it may appear, once, or not
    may_repeat  client topic number                 the broker, which sends it for somebody, was killed when it may have sent it and not
                                                    noted that: a will. With QoS 1 it may be there once more
    subscribing session topics qos [filter options]     asked for: from here on messages may come. options of the filter:
                                                    {qos retain local id position}, retain: as published; position: it is told
    subscribed  session topics                      granted: what is published from here on is owed, if it is acked
    connected   session present [expiry asked]      the broker has the session still, or not. expiry: so many seconds after the
                                                    connection is over the session is, too; asked: when it said that it wants in
    closed      session clean [since]               the connection is over; clean: the broker has seen all that was sent; since:
                                                    it may have seen the end
    delivered   session client topic number sum qos [dup log offset as props life]      taken; at QoS 2 not when its handshake is
                                                    open. as: {retain ids position}; life: what is left of it
    joining     group session topics options        asked for: a share of what the group gets; joined: granted
    joined      group session topics
    handed      group session client topic number sum qos as    taken by a member
    handed_settled  group session client topic number   acknowledged by it
    settled     session client topic number         acknowledged by the subscriber: PUBACK, or PUBCOMP at QoS 2
    gap         session log from count              told by the broker: so many offsets are gone
    last        client topic number sum             a last value read while nobody published; number null: there was none
    stream      topics [messages]                   from here on what is published to these is kept, whatever its QoS; so many
                                                    of the last
    replaying   reader topics after [dense cut]     a replay begins: behind these places ({log: offset}), in other logs, or if
                                                    there is none, from the beginning. It is the continuation of what it had.
                                                    cut: its logs begin later, as messages are deleted
    purging     topics                              the operator has asked that all that is kept of these be deleted
    purged      topics                              ... and was told that it is
    told_gap    reader log count next               a replay was told that so many messages before an offset are gone
    replayed    reader client topic number sum log offset       what it gave; logs have no holes for it, unless dense is false
    unsubscribing session topics                    ... and unsubscribed: what is published from then on does not come
    over        session                             its owner was told that it begins anew, and it ends with this connection
    dropped     session                             ended by its owner; nothing more is owed to it
    crashed                                         the broker was killed: every connection is over
    started                                         ... and lets clients in again
    stream_set  name settings                       the operator has asked for these settings of a stream; set: was told that they are
    stream_is   name settings                       what it is set to
    end                                             all had time to arrive; whatever is open now, stays so
"""
import json
import sys

from groups import Groups
from kept import Kept
from replays import Readers

CLASSES = ["lost", "duplicated", "reordered", "phantom", "corrupt", "offset-to-message", "gap", "redelivered-after-ack",
           "stuck", "misdelivered", "ill-timed"]
OPEN, ACKED, REFUSED, UNKNOWN = range(4)
LONG_LIFE = 600  # seconds: longer than a run
EXAMPLES_MAX = 5  # of each class
PLACES_OF_A_PRODUCER = 16  # of its last publishes the broker knows where they are


class Message:
    """One number of a flow, as its publisher knows it."""
    __slots__ = ("state", "qos", "sum", "sends", "offset", "once", "on", "deletes", "retain", "props", "life", "sent_at", "acked_at",
                 "seen_by")

    def __init__(self, event):
        self.state, self.sends, self.offset = OPEN, 1, None
        self.qos, self.sum, self.once = event["qos"], event["sum"], event.get("once")
        self.on, self.deletes = event.get("on"), event.get("deletes", False)
        self.retain, self.props, self.life = event.get("retain", False), event.get("props"), event.get("life")
        self.sent_at, self.acked_at, self.seen_by = event.get("at", 0), None, None

    def acked(self):
        return self.state == ACKED

    def owed(self):
        return self.state == ACKED and self.qos != 0 and (self.life is None or self.life > LONG_LIFE)

    def may_be_stored_twice(self):
        """At least once, each sending may be another message for the broker."""
        return self.sends > 1 and self.qos == 1 and not self.once


class Receipt:
    """One message at one session: how often, when last, on which connection."""
    __slots__ = ("times", "connection", "settled_at")

    def __init__(self, connection):
        self.times, self.connection, self.settled_at = 1, connection, None


class Flow:
    def __init__(self):
        self.messages = []  # number n at n - 1
        self.acked = 0  # the highest number
        self.acked_below = 0  # all up to this one are
        self.stored = {}  # connection -> the highest number that was sent on it and is stored for certain


    def acked_all(self):
        """Up to which number all are stored, so that nothing of them can come later."""
        while self.acked_below < len(self.messages) and self.messages[self.acked_below].acked():
            self.acked_below += 1
        return self.acked_below


class View:
    """What a session got of a flow, and from which number on it is owed (None: not at all)."""

    def __init__(self, owed_from):
        self.owed_from = owed_from
        self.receipts = {}
        self.highest = 0


class Session:
    def __init__(self):
        self.topics = {}  # -> QoS
        self.granted = set()  # of them
        self.views = {}  # flow key -> View
        self.connection = 0  # counts
        self.connected = False
        self.ends = {}  # connection -> when it ended
        self.left = None  # the connection that ended last, if it ended cleanly
        self.firm = set()  # connections of which all that was settled must be known after a crash
        self.expected = {}  # dense log -> next offset
        self.told = []  # (log, from, upto) that the broker said are gone
        self.wishes = {}  # topic -> {filter: Wish}
        self.joined = set()  # groups
        self.unwanted = {}  # flow key -> [first, last] of what was published while it was unsubscribed; last None: it is
        self.expiry = self.absence = None


class Checker:
    def __init__(self):
        self.counts = dict.fromkeys(CLASSES, 0)
        self.examples = {name: [] for name in CLASSES}
        self.flows = {}
        self.by_topic = {}  # -> flow keys
        self.sessions = {}
        self.offsets = {}  # (log, offset) -> (flow key, number)
        self.readers, self.groups, self.kept = Readers(self), Groups(self), Kept(self)
        self.over = set()  # sessions
        self.settings = {}  # of streams: name -> what each may be set to
        self.lazy = None
        self.dense = set()
        self.ended = False

    def blame(self, name, what):
        self.counts[name] += 1
        if len(self.examples[name]) < EXAMPLES_MAX:
            self.examples[name].append(what)

    def add(self, event):
        getattr(self, "_" + event["event"])(event)

    # ---- publishers ----

    def _settings(self, event):
        self.lazy = event.get("lazy", self.lazy)
        self.kept.slack, self.kept.writing = event.get("slack", self.kept.slack), event.get("writing", self.kept.writing)
        self.dense |= set(event.get("dense", ()))

    def _publish(self, event):
        key = (event["client"], event["topic"])
        flow = self.flows.get(key)
        if flow is None:
            flow = self.flows[key] = Flow()
            self.by_topic.setdefault(event["topic"], []).append(key)
        number = event["number"]
        if number <= len(flow.messages):
            flow.messages[number - 1].sends += 1
            flow.messages[number - 1].on = event.get("on")
            return
        if number != len(flow.messages) + 1:
            raise ValueError(f"the history has a hole: {event}")
        flow.messages.append(Message(event))

    def _message(self, event):
        flow = self.flows.get((event["client"], event["topic"]))
        number = event["number"]
        if flow is None or not isinstance(number, int) or not 1 <= number <= len(flow.messages):
            return None
        return flow.messages[number - 1]

    def _answer(self, event, state):
        message = self._message(event)
        if message is None:
            self.blame("phantom", f"an answer to what was not sent: {where(event)}")
            return
        if message.once:
            self._answer_once(event, message, state)
        if message.state == OPEN:
            message.state = state
        if state == REFUSED and message.seen_by:
            self.blame("phantom", f"{message.seen_by} got {where(event)}, which is refused")
        if state == ACKED:
            message.acked_at = message.acked_at or event.get("at")
            flow = self.flows[event["client"], event["topic"]]
            flow.acked = max(flow.acked, event["number"])
            flow.stored[message.on] = max(flow.stored.get(message.on, 0), event["number"])
            self.place(event, message)

    def _answer_once(self, event, message, state):
        """Who repeats itself gets the first receipt, whatever happened in between."""
        flow = self.flows[event["client"], event["topic"]]
        if state == REFUSED and (message.acked() or message.once == "producer" and flow.acked):
            self.blame("lost", f"{where(event)} was refused, and it or its producer is known")
        if state != ACKED or not message.acked():
            return
        if not event.get("duplicate"):
            self.blame("duplicated", f"{where(event)} was acknowledged before, and is taken for new")
        # Of a producer's older ones it is remembered only that they were.
        old = message.once == "producer" and len(flow.messages) - event["number"] >= PLACES_OF_A_PRODUCER
        if message.offset is not None and event.get("offset") is None and not old:
            self.blame("offset-to-message", f"{where(event)} is at {message.offset}, which its repetition was not told")

    def _forged(self, event):
        if not event["refused"]:
            self.blame("phantom", f"something else was taken for {where(event)}")

    def _stream(self, event):
        self.readers.stream(event)

    def _replaying(self, event):
        self.readers.replaying(event)

    def _replayed(self, event):
        self.readers.replayed(event)

    def _purging(self, event):
        self.readers.purge(event)

    def _purged(self, _event):
        self.readers.done(True)

    def _told_gap(self, event):
        self.readers.told_gap(event)

    def _joining(self, event):
        self.groups.joining(event)

    def _joined(self, event):
        self.groups.joined(event)

    def _handed(self, event):
        self.groups.handed(event)

    def _handed_settled(self, event):
        self.groups.settled(event)

    def _started(self, event):
        self.kept.started(self.sessions.values(), event)

    def _stream_set(self, event):
        self.settings.setdefault(event["name"], []).append(event["settings"])

    def _set(self, event):
        """It is the last, and no other; killed over it, it may be that or an older one."""
        self.settings[event["name"]] = self.settings[event["name"]][-1:]

    def _stream_is(self, event):
        may_be = self.settings.get(event["name"], [])
        if event["settings"] not in may_be:
            self.blame("lost", f"the stream {event['name']} has the settings {event['settings']}, and was given {may_be[-1:]}")

    def _acked(self, event):
        self._answer(event, ACKED)

    def _refused(self, event):
        self._answer(event, REFUSED)

    def _may_repeat(self, event):
        self._message(event).sends += 1

    def _unknown(self, event):
        self._answer(event, UNKNOWN)

    def place(self, event, message):
        """An offset means one message for ever; one stored exactly once has one offset."""
        if event.get("offset") is None:
            return
        place = (event.get("log", ""), event["offset"])
        mine = ((event["client"], event["topic"]), event["number"])
        if self.offsets.setdefault(place, mine) != mine:
            other = self.offsets[place]
            self.blame("offset-to-message", f"{place} is {other[0][1]} {other[1]}, and {where(event)}")
        if message.offset is not None and message.offset != place and (message.qos == 2 or message.once):
            self.blame("offset-to-message", f"{where(event)} is at {message.offset} and at {place}")
        message.offset = message.offset or place

    def is_stored(self, key, number):
        flow = self.flows[key]
        message = flow.messages[number - 1]
        if message.sends == 1:
            flow.stored[message.on] = max(flow.stored.get(message.on, 0), number)

    def must_be_stored(self, key, number):
        """By a stream: what was acknowledged, and what was sent before it on its connection, whatever its QoS."""
        flow = self.flows[key]
        message = flow.messages[number - 1]
        return message.acked() or message.qos == 0 and number < flow.stored.get(message.on, 0)

    # ---- sessions ----

    def session(self, event):
        return self.sessions.setdefault(event["session"], Session())

    def _subscribing(self, event):
        session = self.session(event)
        session.topics.update((topic, max(event["qos"], session.topics.get(topic, 0))) for topic in event["topics"])
        self.kept.subscribing(session, event)

    def _unsubscribing(self, event):
        self.kept.unsubscribing(self.session(event), event)

    def _unsubscribed(self, event):
        self.kept.unsubscribed(self.session(event), event)

    def _over(self, event):
        self.over.add(event["session"])

    def _perhaps_begun(self, event):
        """Asked for, and the broker gone before it answered."""
        self.over.discard(event["session"])

    def _subscribed(self, event):
        session = self.session(event)
        for topic in event["topics"]:
            session.granted.add(topic)
            for key in self.by_topic.get(topic, ()):
                view = session.views.setdefault(key, View(None))
                view.owed_from = view.owed_from or len(self.flows[key].messages) + 1

    def _connected(self, event):
        session = self.session(event)
        if event["session"] in self.over and event["present"]:
            self.blame("phantom", f"the session {event['session']} is back, and was over")
        self.over.discard(event["session"])
        over = self.kept.over(session, event)
        if (session.granted or session.joined) and not event["present"] and not over:
            owed = self._forget(session, event["session"])
            self.blame("lost", f"the session {event['session']} is gone, and with it {owed} messages")
        if not event["present"]:
            session.topics, session.granted, session.views, session.wishes, session.joined = {}, set(), {}, {}, set()
        if session.left is not None and event["present"]:
            session.firm.add(session.left)
        session.left = None
        session.connection += 1
        session.connected = True

    def _forget(self, session, name):
        """What was acknowledged and will not come because its session is gone."""
        return sum(self._missing(session, name, key, view, past_only=False) for key, view in self._views(session))

    def _closed(self, event):
        session = self.session(event)
        if not session.connected:
            self.kept.unanswered(session, event)
            return
        session.connected = False
        session.ends[session.connection] = event.get("at")
        session.left = session.connection if event["clean"] else None
        self.kept.away(session, event)

    def _crashed(self, event):
        self.kept.crashed(self.sessions.values(), event)
        self.readers.done(False)
        for session in self.sessions.values():
            if session.connected:
                session.connected = False
                session.ends[session.connection] = event.get("at")
                self.kept.away(session, event)
            session.left = None

    def _dropped(self, event):
        self.sessions.pop(event["session"], None)

    def content(self, event, who):
        """The message that it says it is; None: it is none."""
        message = self._message(event)
        if message is None:
            unreadable = event.get("client") is None or event.get("number") is None
            self.blame("corrupt" if unreadable else "phantom", f"{who} got what nobody sent: {where(event)}")
            return None
        if event["sum"] != message.sum:
            self.blame("corrupt", f"{who} got {where(event)} with another content")
        if message.props is not None and event.get("props", message.props) != message.props:
            self.blame("corrupt", f"{who} got {where(event)} with other properties")
        message.seen_by = who
        if message.state == REFUSED:
            self.blame("phantom", f"{who} got {where(event)}, which was refused")
        return message

    def _delivered(self, event):
        session = self.session(event)
        message = self.content(event, event["session"])
        if message is None:
            return
        if event["topic"] not in session.topics:
            self.blame("phantom", f"{event['session']} got {where(event)} without a subscription")
            return
        self.place(event, message)
        self._follow(event, session)
        self.kept.delivered(session, event, message)
        key, number = (event["client"], event["topic"]), event["number"]
        view = session.views.get(key)
        if view is None:
            view = session.views[key] = View(1 if event["topic"] in session.granted else None)
        receipt = view.receipts.get(number)
        if receipt is not None:
            self._again(event, session, message, receipt)
            return
        view.receipts[number] = Receipt(session.connection)
        if number < view.highest:
            self.blame("reordered", f"{event['session']} got {where(event)} after {view.highest}")
        view.highest = max(view.highest, number)

    def _again(self, event, session, message, receipt):
        """A message comes once more: is there a reason for it?"""
        receipt.times += 1
        settled, connection = receipt.settled_at, receipt.connection
        receipt.settled_at, receipt.connection = None, session.connection
        what = f"{event['session']} got {where(event)} {receipt.times} times"
        if min(message.qos, session.topics[event["topic"]]) == 2:
            self.blame("duplicated", what)
        elif message.may_be_stored_twice():
            return
        elif connection == session.connection:
            self.blame("duplicated" if settled is None else "redelivered-after-ack", what + " on one connection")
        elif settled is not None and self._firm(session, connection, settled):
            self.blame("redelivered-after-ack", what)

    def _firm(self, session, connection, settled):
        if connection in session.firm:
            return True
        over = session.ends.get(connection)
        return self.lazy is not None and over is not None and over - settled > self.lazy

    def _follow(self, event, session):
        log = event.get("log", "")
        if event.get("offset") is None or log not in self.dense:
            return
        expected = session.expected.get(log)
        if expected is not None and event["offset"] > expected:
            self.blame("gap", f"{event['session']} got {log} {event['offset']}, and not {expected}")
        session.expected[log] = max(event["offset"] + 1, expected or 0)

    def _gap(self, event):
        session, log = self.session(event), event["log"]
        expected = session.expected.get(log)
        if expected is not None and event["from"] != expected:
            self.blame("gap", f"{event['session']} was told of a gap at {event['from']}, and is at {expected}")
        session.expected[log] = event["from"] + event["count"]
        session.told.append((log, event["from"], event["from"] + event["count"]))

    def _settled(self, event):
        view = self.session(event).views.get((event["client"], event["topic"]))
        receipt = view.receipts.get(event["number"]) if view else None
        if receipt is not None:
            receipt.settled_at = event.get("at", 0)

    def _last(self, event):
        flow = self.flows.get((event["client"], event["topic"]))
        number, acked = event["number"], flow.acked if flow else 0
        if number is None and flow and any(message.deletes for message in flow.messages[max(acked, 1) - 1:]):
            return
        if (number or 0) < acked:
            self.blame("lost", f"the last value of {event['topic']} is {number}, and {acked} was acknowledged")
        elif number is not None:
            message = self._message(event)
            if message is None:
                self.blame("phantom", f"the last value of {event['topic']} is {number}, which was not sent")
            elif message.sum != event["sum"] or message.props is not None and event.get("props", message.props) != message.props:
                self.blame("corrupt", f"the last value {where(event)} has another content")

    # ---- the end ----

    def _end(self, _event):
        self.ended = True
        for key, flow in self.flows.items():
            for number, message in enumerate(flow.messages, 1):
                if message.state == OPEN and message.qos:
                    self.blame("stuck", f"{key[1]} {number} of {key[0]} was never answered")
        for name, session in self.sessions.items():
            for key, view in self._views(session):
                if self.kept.owes(session, key, name):
                    self._missing(session, name, key, view)
        self.readers.end()
        self.groups.end()

    def _views(self, session):
        for topic in session.granted:
            for key in self.by_topic.get(topic, ()):
                yield key, session.views.get(key) or View(1)  # published after it subscribed, and nothing came

    def _missing(self, session, name, key, view, past_only=True):
        """Acknowledged and not delivered: lost when a later one came, stuck when nothing more comes."""
        count = 0
        for number in range(view.owed_from, len(self.flows[key].messages) + 1):
            message = self.flows[key].messages[number - 1]
            if not message.owed() or number in view.receipts or excused(session, message):
                continue
            count += 1
            stuck = past_only and number > view.highest
            self.blame("stuck" if stuck else "lost", f"{name} did not get {key[1]} {number} of {key[0]}")
        return count

    def finish(self):
        """{class: count} of what was found; empty: the history is as promised."""
        if not self.ended:
            self.blame("stuck", "the history has no end")
        return {name: count for name, count in self.counts.items() if count}

    def story(self):
        for name, count in self.counts.items():
            for example in self.examples[name]:
                yield f"{name}: {example}"
            if count > len(self.examples[name]):
                yield f"{name}: and {count - len(self.examples[name])} more"


def excused(session, message):
    if message.offset is None:
        return False
    log, offset = message.offset
    return any(log == told and first <= offset < upto for told, first, upto in session.told)


def where(event):
    return f"{event.get('topic')} {event.get('number')} of {event.get('client')}"


def judge(events):
    """Feeds all events to a checker and returns it."""
    checker = Checker()
    for event in events:
        checker.add(event)
    checker.finish()
    return checker


def main():
    passed = failed = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            checker = judge(json.loads(line) for line in file if line.strip())
        bad = any(checker.counts.values())
        passed, failed = passed + (not bad), failed + bad
        for line in checker.story():
            print(f"{path}: {line}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
