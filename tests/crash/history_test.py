#!/usr/bin/env python3
"""Goal: the judge of histories blames each kind of fault by its name, and lets through what only looks like it."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from history import CLASSES, judge  # pylint: disable=wrong-import-position


def publish(number, qos=1, client="p", topic="t", sum_=None, **more):
    return {"event": "publish", "client": client, "topic": topic, "number": number, "qos": qos, "sum": sum_ or number, **more}


def told(event, number, client="p", topic="t", **more):
    return {"event": event, "client": client, "topic": topic, "number": number, **more}


def acked(number, **more):
    return told("acked", number, **more)


def sent(*numbers, qos=1, **more):
    """Published and acknowledged."""
    return [event for n in numbers for event in (publish(n, qos, **more), acked(n, **more))]


def got(number, session="s", qos=1, sum_=None, **more):
    return told("delivered", number, session=session, qos=qos, sum=sum_ or number, **more)


def settled(number, at=0, session="s"):
    return told("settled", number, session=session, at=at)


def session_event(event, session="s", **more):
    return {"event": event, "session": session, **more}


def connected(present=True, **more):
    return session_event("connected", present=present, **more)


def subscribing(topics=("t",), qos=2, session="s"):
    return session_event("subscribing", session=session, topics=list(topics), qos=qos)


def subscribed(topics=("t",), session="s"):
    return session_event("subscribed", session=session, topics=list(topics))


def closed(at=0, clean=False):
    return session_event("closed", at=at, clean=clean)


def wishing(filter_="t", topics=("t",), session="s", **options):
    """Asked for with these options, and granted."""
    options = {"qos": 2, "retain": False, "local": True, "id": 1, "position": False, **options}
    return [session_event("subscribing", session=session, topics=list(topics), qos=options["qos"], filter=filter_, options=options),
            subscribed(topics, session)]


def as_(retain=False, ids=(1,), position=False):
    return {"as": {"retain": retain, "ids": list(ids), "position": position}}


def expiring(at, asked, present=True):
    return connected(present, at=at, asked=asked, expiry=2)


def joined(session="s", **options):
    options = {"qos": 2, "retain": False, "local": True, "id": 1, "position": False, **options}
    return [connected(False, session=session)] + [session_event(event, session=session, group="g", topics=["t"], options=options)
                                                  for event in ("joining", "joined")]


def handed(number, session="s", qos=1, **more):
    return {**told("handed", number, session=session, group="g", qos=qos, sum=number, **as_()), **more}


def handed_settled(number, at, session="s"):
    return told("handed_settled", number, session=session, group="g", at=at)


def set_to(days):
    return {"event": "stream_set", "name": "x", "settings": {"days": days}}


def is_set_to(days):
    return {"event": "stream_is", "name": "x", "settings": days and {"days": days}}


def last(number, **more):
    return told("last", number, sum=number, **more)


def once(number, mark="id"):
    return publish(number, once=mark)


def replaying(after=None, topics=("t",), reader="r"):
    return {"event": "replaying", "reader": reader, "topics": list(topics), "after": after or {}}


def replayed(number, offset, reader="r", log="l", sum_=None, **more):
    return told("replayed", number, reader=reader, log=log, offset=offset, sum=sum_ or number, **more)


def gone(count, next_, reader="r", log="l"):
    return {"event": "told_gap", "reader": reader, "log": log, "count": count, "next": next_}


STREAM = [{"event": "stream", "topics": ["t"]}]
FEW = [{**STREAM[0], "messages": 2}]
PURGING, PURGED = {"event": "purging", "topics": ["t"]}, {"event": "purged"}
CUT = {**replaying(), "cut": True}
START = [connected(False), subscribing(), subscribed()]
CRASHED, END = {"event": "crashed"}, {"event": "end"}
LAZY = {"event": "settings", "lazy": 1}
WAS_SET = {"event": "set", "name": "x"}
BOTH = joined("s") + joined("z")
DENSE = {"event": "settings", "dense": ["log"]}

# name, what must be blamed and how often, the history without its end
CASES = [
    ("all is well", {}, START + sent(1, 2, 3) + [got(1), got(2), settled(1), got(3), settled(2), settled(3)]),
    ("nothing happened", {}, []),

    ("acknowledged and passed over", {"lost": 1}, START + sent(1, 2, 3) + [got(1), got(3)]),
    ("each session has a claim of its own", {"stuck": 1},
     START + [connected(False, session="z"), subscribing(session="z"), subscribed(session="z")] + sent(1, 2) +
     [got(1), got(2), got(1, session="z")]),
    ("published before it subscribed", {}, sent(1, 2) + START + sent(3) + [got(3)]),
    ("published before it subscribed, and came", {}, sent(1, 2) + START + sent(3) + [got(2), got(3)]),
    ("under way while it subscribed, and did not come", {}, [publish(1)] + START + [acked(1)] + sent(2) + [got(2)]),
    ("the session is gone", {"lost": 3}, START + sent(1, 2) + [CRASHED, connected(False)]),
    ("ended by its owner", {}, START + sent(1, 2) + [session_event("dropped")]),
    ("what is published to a session that is gone is not owed", {"lost": 1},
     START + [CRASHED, connected(False)] + sent(1) + [subscribing(), subscribed()] + sent(2) + [got(2)]),
    ("asked for, and not granted before the crash", {},
     [connected(False), subscribing()] + sent(1) + [got(1), CRASHED, connected(), subscribing(), subscribed()] +
     sent(2) + [got(2)]),
    ("asked for, and the session is not there", {}, [connected(False), subscribing()] + sent(1) + [CRASHED, connected(False)]),
    ("a last value older than acknowledged", {"lost": 1}, sent(1, 2) + [CRASHED, last(1)]),
    ("no last value at all", {"lost": 1}, sent(1) + [CRASHED, last(None)]),
    ("a last value as acknowledged, or newer", {}, sent(1) + [last(1), publish(2), last(2), acked(2)]),
    ("a last value that was deleted is not there", {}, sent(1) + sent(2, deletes=True) + [CRASHED, last(None)]),
    ("a deletion without an answer, done or not", {}, sent(1) + [publish(2, deletes=True), last(1), last(None), acked(2)]),
    ("a deleted last value is back", {"lost": 1}, sent(1) + sent(2, deletes=True) + [CRASHED, last(1)]),
    ("set again after it was deleted, and not there", {"lost": 1}, sent(1) + sent(2, deletes=True) + sent(3) + [last(None)]),
    ("not acknowledged and not there", {}, [publish(1), CRASHED, last(None), told("unknown", 1)]),

    ("unknown outcome, not at all", {}, START + [publish(1), told("unknown", 1)] + sent(2) + [got(2)]),
    ("unknown outcome, once", {}, START + [publish(1), told("unknown", 1)] + sent(2) + [got(1), got(2)]),
    ("unknown outcome, twice", {"duplicated": 1},
     START + [publish(1), told("unknown", 1), got(1), got(1)] + sent(2) + [got(2)]),
    ("unknown outcome, out of its turn", {"reordered": 1},
     START + [publish(1), told("unknown", 1)] + sent(2) + [got(2), got(1)]),

    ("exactly once, twice", {"duplicated": 1}, START + sent(1, qos=2) + [got(1, qos=2), CRASHED, connected(), got(1, qos=2)]),
    ("exactly once, repeated by the publisher", {"duplicated": 1},
     START + [publish(1, 2), CRASHED, publish(1, 2), acked(1), connected(), got(1, qos=2), got(1, qos=2)]),
    ("exactly once to a subscription that is not", {},
     [connected(False), subscribing(qos=1), subscribed()] + sent(1, qos=2) + [got(1), CRASHED, connected(), got(1, dup=True)]),
    ("at least once, twice for no reason", {"duplicated": 1}, START + sent(1) + [got(1), got(1)]),
    ("at least once, again on the next connection", {}, START + sent(1) + [got(1), CRASHED, connected(), got(1, dup=True)]),
    ("at least once, repeated by the publisher", {}, START + [publish(1), publish(1), acked(1), got(1), got(1)]),

    ("a will of which the broker had not noted that it is out", {},
     START + [publish(1), told("may_repeat", 1), acked(1), got(1), got(1)]),
    ("exactly once, though the broker had not noted that it is out", {"duplicated": 1},
     START + [publish(1, 2), told("may_repeat", 1), acked(1), got(1, qos=2), got(1, qos=2)]),

    ("out of order", {"reordered": 1}, START + sent(1, 2) + [got(2), got(1)]),
    ("a repetition is not out of order", {},
     START + sent(1, 2) + [got(1), got(2), CRASHED, connected(), got(1, dup=True), got(2, dup=True)]),
    ("flows have no order among each other", {},
     START + sent(1, 2) + sent(1, 2, client="q") + [got(1, client="q"), got(1), got(2, client="q"), got(2)]),

    ("never sent", {"phantom": 1}, START + sent(1) + [got(1), got(2)]),
    ("never sent by this one", {"phantom": 1}, START + sent(1) + [got(1), got(1, client="q")]),
    ("before it was sent", {"phantom": 1}, START + [got(1)] + sent(1) + [got(1)]),
    ("refused, and delivered", {"phantom": 1}, START + [publish(1), told("refused", 1), got(1)]),
    ("refused, and not delivered", {}, START + [publish(1), told("refused", 1)] + sent(2) + [got(2)]),
    ("not subscribed to", {"phantom": 1}, START + sent(1, topic="u") + [got(1, topic="u")]),
    ("an answer to nothing", {"phantom": 1}, START + [acked(1)]),
    ("a last value never sent", {"phantom": 1}, sent(1) + [last(2)]),

    ("another content", {"corrupt": 1}, START + sent(1) + [got(1, sum_=77)]),
    ("unreadable", {"corrupt": 1, "stuck": 1}, START + sent(1) + [got(None, sum_=77)]),
    ("a last value with another content", {"corrupt": 1}, sent(1) + [told("last", 1, sum=77)]),
    ("two with the same content", {},
     START + [publish(1, sum_=7), acked(1), publish(2, sum_=7), acked(2), got(1, sum_=7), got(2, sum_=7)]),

    ("one offset, two messages", {"offset-to-message": 1},
     START + [publish(1), acked(1, offset=5), publish(2), acked(2, offset=5), got(1), got(2)]),
    ("another offset at the subscriber", {"offset-to-message": 1},
     START + [publish(1, 2), acked(1, offset=5), got(1, qos=2, offset=6)]),
    ("the subscriber's offset is another message's", {"offset-to-message": 1},
     START + [publish(1), acked(1, offset=5), publish(2), acked(2, offset=6), got(1, offset=6), got(2)]),
    ("same offsets everywhere", {},
     START + [publish(1), acked(1, offset=5), publish(2), acked(2, offset=6), got(1, offset=5), got(2, offset=6)]),
    ("offsets are of a log", {},
     START + [publish(1), acked(1, log="a", offset=5), publish(2), acked(2, log="b", offset=5), got(1), got(2)]),
    ("at least once may be stored twice", {},
     START + [publish(1), publish(1), acked(1, offset=6), got(1, offset=5), got(1, offset=6)]),

    ("an offset is passed over in silence", {"gap": 1},
     [DENSE] + START + sent(1, 2) + [got(1, log="log", offset=5), got(2, log="log", offset=7)]),
    ("offsets follow each other", {}, [DENSE] + START + sent(1, 2) + [got(1, log="log", offset=5), got(2, log="log", offset=6)]),
    ("other logs have holes", {}, [DENSE] + START + sent(1, 2) + [got(1, log="l", offset=5), got(2, log="l", offset=9)]),
    ("a gap is told", {},
     [DENSE] + START + [publish(1), acked(1, log="log", offset=5), publish(2), acked(2, log="log", offset=6)] + sent(3) +
     [got(1, log="log", offset=5), session_event("gap", log="log", count=1, **{"from": 6}), got(3, log="log", offset=7)]),
    ("a gap is told with too low a count", {"gap": 1},
     [DENSE] + START + sent(1, 2) +
     [got(1, log="log", offset=5), session_event("gap", log="log", count=1, **{"from": 6}), got(2, log="log", offset=8)]),
    ("a gap is told where there is none", {"gap": 1},
     [DENSE] + START + sent(1, 2) +
     [got(1, log="log", offset=5), session_event("gap", log="log", count=1, **{"from": 8}), got(2, log="log", offset=9)]),

    ("settled, and again on the same connection", {"redelivered-after-ack": 1}, START + sent(1) + [got(1), settled(1), got(1)]),
    ("settled long before the crash", {"redelivered-after-ack": 1},
     [LAZY] + START + sent(1) + [got(1), settled(1, at=1), {"event": "crashed", "at": 3}, connected(), got(1)]),
    ("settled just before the crash", {},
     [LAZY] + START + sent(1) + [got(1), settled(1, at=2.5), {"event": "crashed", "at": 3}, connected(), got(1)]),
    ("settled, a clean goodbye, and the session resumed before the crash", {"redelivered-after-ack": 1},
     START + sent(1) + [got(1), settled(1, at=1), closed(1, clean=True), connected(), CRASHED, connected(), got(1)]),
    ("a clean goodbye that a crash may have overtaken", {},
     START + sent(1) + [got(1), settled(1, at=1), closed(1, clean=True), CRASHED, connected(), got(1)]),
    ("settled on a connection before the one that ended well", {},
     START + sent(1) + [got(1), settled(1, at=1), closed(1), connected(), closed(2, clean=True), connected(), CRASHED,
                        connected(), got(1)]),
    ("the acknowledgement went down with its connection", {},
     START + sent(1) + [got(1), settled(1, at=1), closed(1), connected(), got(1)]),

    ("repeated under its id, and the first receipt comes", {},
     START + [once(1), acked(1, offset=5), once(1), acked(1, offset=5, duplicate=True), got(1)]),
    ("repeated because it had no answer", {}, START + [once(1), CRASHED, connected(), once(1), acked(1, duplicate=True), got(1)]),
    ("repeated under its id, and taken for new", {"duplicated": 1}, START + [once(1), acked(1), once(1), acked(1), got(1)]),
    ("repeated under its id, and delivered twice", {"duplicated": 1},
     START + [once(1), once(1), acked(1, duplicate=True), got(1), got(1)]),
    ("a repetition is told another place", {"offset-to-message": 1},
     START + [once(1), acked(1, offset=5), once(1), acked(1, offset=6, duplicate=True), got(1)]),
    ("a repetition is not told the place", {"offset-to-message": 1},
     START + [once(1), acked(1, offset=5), once(1), acked(1, duplicate=True), got(1)]),
    ("a producer's old publish has no place any more", {},
     [event for n in range(1, 18) for event in (once(n, "producer"), acked(n, offset=n))] +
     [once(1, "producer"), acked(1, duplicate=True)]),
    ("a producer is forgotten", {"lost": 1}, [once(1, "producer"), acked(1), once(2, "producer"), told("refused", 2)]),
    ("other content under an id is refused", {}, [once(1), acked(1), told("forged", 1, refused=True)]),
    ("other content under an id is taken", {"phantom": 1}, [once(1), acked(1), told("forged", 1, refused=False)]),

    ("replayed, on and on", {},
     STREAM + sent(1, 2) + [replaying(), replayed(1, 0), replayed(2, 1), CRASHED, replaying({"l": 1})] + sent(3) + [replayed(3, 2)]),
    ("replayed from the beginning once more", {},
     STREAM + sent(1, 2) + [replaying(), replayed(1, 0), CRASHED, replaying(), replayed(1, 0), replayed(2, 1)]),
    ("not acknowledged and not in the stream", {},
     STREAM + [publish(1), replaying(), CRASHED, told("unknown", 1)] + sent(2) + [replaying(), replayed(2, 0)]),
    ("acknowledged and not in the stream", {"lost": 1}, STREAM + sent(1, 2) + [replaying(), replayed(2, 0)]),
    ("acknowledged and not at the stream's end", {"stuck": 1}, STREAM + sent(1, 2) + [replaying(), replayed(1, 0)]),
    ("lost in the replay before", {"gap": 1, "lost": 1, "stuck": 1},
     STREAM + sent(1, 2) + [replaying(), replayed(2, 1), replaying()] + sent(3) + [replayed(1, 0), replayed(2, 1)]),
    ("a replay gives one place twice", {"duplicated": 1, "reordered": 1},
     STREAM + sent(1) + [replaying(), replayed(1, 0), replayed(1, 0)]),
    ("a replay begins too early", {"duplicated": 1, "reordered": 1},
     STREAM + sent(1, 2) + [replaying(), replayed(1, 0), replayed(2, 1), replaying({"l": 1}), replayed(2, 1)]),
    ("a replay begins too late", {"gap": 1, "lost": 1},
     STREAM + sent(1, 2, 3) + [replaying(), replayed(1, 0), replaying({"l": 0}), replayed(3, 2)]),
    ("a stream holds what is published once twice", {"duplicated": 1, "offset-to-message": 1},
     STREAM + [once(1), once(1), acked(1, duplicate=True), replaying(), replayed(1, 0), replayed(1, 1)]),
    ("a stream holds what was sent twice", {}, STREAM + [publish(1), publish(1), acked(1), replaying(), replayed(1, 0), replayed(1, 1)]),
    ("a stream has another message there than it had", {"offset-to-message": 1},
     STREAM + [publish(1), told("unknown", 1), replaying(), replayed(1, 0), CRASHED] + sent(2) + [replaying(), replayed(2, 0)]),
    ("a stream is out of order", {"reordered": 1}, STREAM + sent(1, 2) + [replaying(), replayed(2, 0), replayed(1, 1)]),
    ("a stream holds what nobody sent", {"phantom": 1}, STREAM + sent(1) + [replaying(), replayed(1, 0), replayed(2, 1)]),
    ("a stream holds another content", {"corrupt": 1}, STREAM + sent(1) + [replaying(), replayed(1, 0, sum_=7)]),
    ("a replay gives what it was not asked for", {"phantom": 1},
     STREAM + sent(1) + sent(1, topic="u") + [replaying(), replayed(1, 0), replayed(1, 1, topic="u")]),
    ("published before there was a stream", {}, sent(1) + STREAM + sent(2) + [replaying(), replayed(2, 0)]),

    ("at most once, and the end of what a connection sent is not in the stream", {},
     STREAM + [publish(1, 0, on=1), publish(2, 0, on=1), CRASHED, publish(3, 1, on=2), acked(3), replaying(), replayed(1, 0), replayed(3, 1)]),
    ("at most once, and not in the stream though a later one was acknowledged", {"lost": 1},
     STREAM + [publish(1, 0, on=1), publish(2, 1, on=1), acked(2), replaying(), replayed(2, 0)]),
    ("at most once, and not in the stream though a later one is", {"lost": 1},
     STREAM + [publish(n, 0, on=1) for n in (1, 2, 3)] + [CRASHED, replaying(), replayed(1, 0), replayed(3, 1)]),
    ("at most once, and the later one was sent again on another connection", {},
     STREAM + [publish(1, 0, on=1), publish(2, 1, on=1), CRASHED, publish(2, 1, on=2), acked(2), replaying(), replayed(2, 0)]),
    ("a reader of one topic passes over other topics' offsets", {},
     STREAM + sent(1, 2) + [{**replaying(), "dense": False}, replayed(1, 3), replayed(2, 7)]),
    ("purged, and gone", {},
     STREAM + sent(1, 2) + [PURGING, PURGED, CRASHED] + sent(3) + [CUT, replayed(3, 2)]),
    ("purged, and back", {"phantom": 1},
     STREAM + sent(1, 2) + [PURGING, PURGED, CRASHED] + sent(3) + [CUT, replayed(2, 1), replayed(3, 2)]),
    ("what came behind a purge is gone", {"lost": 1},
     STREAM + sent(1) + [PURGING, PURGED] + sent(2, 3) + [CRASHED, CUT, replayed(3, 2)]),
    ("killed over a purge, done or not", {}, STREAM + sent(1, 2) + [PURGING, CRASHED] + sent(3) + [CUT, replayed(2, 1), replayed(3, 2)]),
    ("under way while it was purged", {},
     STREAM + sent(1) + [PURGING, publish(2), acked(2), PURGED] + sent(3) + [CUT, replayed(2, 1), replayed(3, 2)]),
    ("a replay that runs gives what it has read before a purge", {},
     STREAM + sent(1, 2) + [CUT, PURGING, PURGED, replayed(1, 0), replayed(2, 1)]),
    ("a replay is told what was purged", {},
     STREAM + sent(1, 2) + [CUT, replayed(1, 0), PURGING, PURGED] + sent(3) + [gone(1, 2), replayed(3, 2)]),
    ("a replay is not told what was purged", {"gap": 1},
     STREAM + sent(1, 2) + [CUT, replayed(1, 0), PURGING, PURGED] + sent(3) + [replayed(3, 2)]),
    ("a replay is told another count", {"gap": 1},
     STREAM + sent(1, 2) + [CUT, replayed(1, 0), PURGING, PURGED] + sent(3) + [gone(2, 2), replayed(3, 2)]),
    ("a stream keeps the last of its messages", {}, FEW + sent(1, 2, 3) + [CUT, replayed(2, 1), replayed(3, 2)]),
    ("a stream keeps fewer than it is to", {"lost": 1}, FEW + sent(1, 2, 3) + [CUT, replayed(3, 2)]),
    ("a reader of one topic misses one", {"lost": 1},
     STREAM + sent(1, 2, 3) + [{**replaying(), "dense": False}, replayed(1, 3), replayed(3, 7)]),

    ("as it was asked for", {},
     START[:1] + wishing(retain=True, id=3, position=True) + sent(1, retain=True) + sent(2) +
     [got(1, **as_(True, [3], True)), CRASHED, connected(), got(2, **as_(False, [3], True))]),
    ("the retain flag is cleared, and was to stay", {"misdelivered": 1},
     START[:1] + wishing(retain=True) + sent(1, retain=True) + [CRASHED, connected(), got(1, **as_())]),
    ("the retain flag is set, and was to be cleared", {"misdelivered": 1},
     START[:1] + wishing() + sent(1, retain=True) + [got(1, **as_(True))]),
    ("another identifier", {"misdelivered": 1}, START[:1] + wishing(id=3) + sent(1) + [got(1, **as_(ids=[]))]),
    ("another quality than was granted", {"misdelivered": 1}, START[:1] + wishing() + sent(1, qos=2) + [got(1, qos=1, **as_())]),
    ("a quality lower than granted, as it was sent", {}, START[:1] + wishing() + sent(1) + [got(1, **as_())]),
    ("without its place", {"misdelivered": 1}, START[:1] + wishing(position=True) + sent(1) + [got(1, **as_())]),
    ("two subscriptions, one delivery", {},
     START[:1] + wishing(id=7, qos=1) + wishing("+", id=2) + sent(1, qos=2) + [got(1, qos=2, **as_(ids=[2, 7]))]),
    ("two subscriptions, one is forgotten", {"misdelivered": 1},
     START[:1] + wishing(id=7, qos=1) + wishing("+", id=2) + sent(1, qos=2) + [got(1, qos=1, **as_(ids=[7]))]),
    ("its own, and it wants nothing of its own", {"misdelivered": 1},
     START[:1] + wishing(local=False) + sent(1, client="s") + sent(1) + [got(1, client="s", **as_()), got(1, **as_())]),
    ("its own is not owed to it", {}, START[:1] + wishing(local=False) + sent(1, client="s") + sent(1) + [got(1, **as_())]),
    ("its own is owed to it", {"stuck": 1}, START[:1] + wishing() + sent(1, client="s")),
    ("other properties", {"corrupt": 1}, START + sent(1, props=5) + [got(1, props=6)]),
    ("a last value with other properties", {"corrupt": 1}, sent(1, props=5) + [last(1, props=6)]),

    ("a message that lives", {}, START + [publish(1, life=1, at=0), acked(1, at=0.1), got(1, life=1, at=0.4)]),
    ("it does not say how long", {"ill-timed": 1}, START + [publish(1, life=1, at=0), acked(1, at=0.1), got(1, life=None, at=0.4)]),
    ("it lives on", {"ill-timed": 1}, START + [publish(1, life=1, at=0), acked(1, at=0.1), got(1, life=1, at=4)]),
    ("it is given a longer life", {"ill-timed": 1}, START + [publish(1, life=1, at=0), acked(1, at=0.1), got(1, life=2, at=1)]),
    ("it lives too short", {"ill-timed": 1}, START + [publish(1, life=900, at=0), acked(1, at=0.1), got(1, life=600, at=1)]),
    ("it is over and does not come", {}, START + [publish(1, life=1, at=0), acked(1, at=0.1)]),
    ("it lives long and does not come", {"stuck": 1}, START + [publish(1, life=900, at=0), acked(1, at=0.1)]),

    ("resumed in time", {}, [expiring(0, 0, False), *START[1:], closed(1, clean=True), expiring(2.5, 2.5)]),
    ("its time is over", {}, [expiring(0, 0, False), *START[1:], *sent(1), closed(1, clean=True), expiring(3.5, 3.4, False)]),
    ("gone before its time", {"lost": 2}, [expiring(0, 0, False), *START[1:], *sent(1), closed(1, clean=True), expiring(2.5, 2.4, False)]),
    ("resumed when its time is over", {"ill-timed": 1}, [expiring(0, 0, False), *START[1:], closed(1, clean=True), expiring(4.5, 4.4)]),
    ("two clocks differ", {}, [expiring(0, 0, False), *START[1:], closed(1, clean=True), expiring(3.3, 3.05)]),
    ("its time goes on over a restart", {"ill-timed": 1},
     [expiring(0, 0, False), *START[1:], closed(1, clean=True), {**CRASHED, "at": 2.5}, {"event": "started", "at": 3}, expiring(4.5, 4.4)]),
    ("killed with its connection, its time begins when there is a broker again", {},
     [expiring(0, 0, False), *START[1:], {**CRASHED, "at": 1}, {"event": "started", "at": 3}, expiring(5, 4.9)]),
    ("that it left may not have been written", {},
     [expiring(0, 0, False), *START[1:], closed(1, clean=True), {**CRASHED, "at": 1.1}, {"event": "started", "at": 3}, expiring(5, 4.9)]),
    ("let in or not, and killed", {},
     [expiring(0, 0, False), *START[1:], *sent(1), closed(1, clean=True), closed(3.2), {**CRASHED, "at": 3.3}, {"event": "started", "at": 3.5},
      expiring(5, 4.9)]),
    ("it is over, and back", {"phantom": 1}, [connected(False), session_event("over"), CRASHED, connected()]),
    ("it is over, and begun anew by who was not answered", {},
     [connected(False), session_event("over"), CRASHED, session_event("perhaps_begun"), connected()]),
    ("a session without expiry is never over", {"lost": 1}, START + [closed(1, clean=True), connected(False, at=9, asked=9)]),
    ("its time begins anew with a restart", {"ill-timed": 1},
     [expiring(0, 0, False), *START[1:], closed(1, clean=True), {**CRASHED, "at": 2.5}, {"event": "started", "at": 2.7}, expiring(3.4, 3.3)]),
    ("called off, and it had come", {"phantom": 1}, START + [publish(1), got(1), told("refused", 1)]),

    ("shared", {}, BOTH + sent(1, 2) + [handed(1), handed(2, "z")]),
    ("nobody of them has it", {"lost": 1, "stuck": 1}, BOTH + sent(1, 2, 3) + [handed(2, "z")]),
    ("two of them have it", {"duplicated": 1}, BOTH + sent(1) + [handed(1), handed(1, "z")]),
    ("the one went without settling it", {}, BOTH + sent(1) + [handed(1), closed(1), handed(1, "z")]),
    ("the one had just settled it", {},
     [LAZY] + BOTH + sent(1) + [handed(1), handed_settled(1, 3), {**CRASHED, "at": 3.5}, connected(session="z"), handed(1, "z")]),
    ("the one had settled it long before", {"redelivered-after-ack": 1},
     [LAZY] + BOTH + sent(1) + [handed(1), handed_settled(1, 1), {**CRASHED, "at": 3.5}, connected(session="z"), handed(1, "z")]),
    ("a share without its identifier", {"misdelivered": 1}, BOTH + sent(1) + [handed(1, **as_(ids=[]))]),
    ("a member is gone", {"lost": 1}, BOTH + [CRASHED, connected(False, session="z")]),

    ("a stream is set to what it was", {}, [set_to(1), WAS_SET, CRASHED, is_set_to(1)]),
    ("a stream is set to what it was before", {"lost": 1}, [set_to(1), set_to(2), WAS_SET, CRASHED, is_set_to(1)]),
    ("killed over it, set or not", {}, [set_to(1), WAS_SET, set_to(2), CRASHED, is_set_to(1), is_set_to(2)]),
    ("a stream is gone", {"lost": 1}, [set_to(1), WAS_SET, CRASHED, is_set_to(None)]),

    ("never answered", {"stuck": 1}, START + [publish(1), got(1)]),
    ("acknowledged, and nothing comes any more", {"stuck": 2}, START + sent(1, 2, 3) + [got(1)]),
    ("acknowledged, and nothing ever came", {"stuck": 1}, START + sent(1)),
]


def without_end():
    return judge(START + sent(1) + [got(1)]).counts["stuck"] == 1


def seconds_for(count):
    events = START + sent(*range(1, count + 1)) + [got(n) for n in range(1, count + 1)] + [END]
    began = time.process_time()
    checker = judge(events)
    assert not any(checker.counts.values())
    return time.process_time() - began


def linear():
    """Eight times the history takes about eight times as long; sixteen, as machines differ. A square would be 64."""
    seconds_for(1000)
    return min(seconds_for(80000) for _ in range(3)) < 16 * min(seconds_for(10000) for _ in range(3))


def main():
    passed = failed = 0
    blamed, passing = set(), 0

    def say(good, name, why=""):
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        print(("ok " if good else "not ok ") + name + why)

    for name, wanted, history in CASES:
        checker = judge(history + [END])
        found = {kind: count for kind, count in checker.counts.items() if count}
        say(found == wanted, name, "" if found == wanted else f": blamed {found}, wanted {wanted}")
        blamed |= set(wanted)
        passing += not wanted
    say(blamed == set(CLASSES), "each kind of fault is in a history")
    say(passing >= len(CLASSES), "and as many histories are let through")
    say(without_end(), "a history without its end is stuck")
    say(linear(), "linear in its input")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
