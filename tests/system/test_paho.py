#!/usr/bin/env python3
"""Eclipse Paho's Python client, in 3.1.1 and 5: what an application sees."""
import itertools
import queue
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker import AUTH_RULES, AUTH_USERS, SLOW, Broker
from harness import add, equal, eventually, one_of, run_all

broker = Broker().start()
guarded = Broker(users=AUTH_USERS, rules=AUTH_RULES)
PORT = broker.port
_names = itertools.count()


def unique(prefix="t"):
    return f"{prefix}{next(_names)}"


def props(kind, **values):
    """Paho's properties of a packet type; user properties as a list of pairs."""
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Client:
    """Paho's client with its callbacks turned into queues that can be waited on."""

    def __init__(self, version, client_id=None, port=None, clean=True, expiry=None, keep_alive=60, will=None,
                 user=None, connect_props=None, expect=0, manual_ack=False):
        self.version, self.port = version, port or PORT
        self.messages, self.events = queue.Queue(), {}
        kind = paho.MQTTv5 if version == 5 else paho.MQTTv311
        more = {} if version == 5 else {"clean_session": clean}
        self.id = client_id if client_id is not None else unique("paho")
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, self.id, protocol=kind, manual_ack=manual_ack,
                                  reconnect_on_failure=False, **more)
        self.client.on_message = lambda c, u, m: self.messages.put(m)
        self.client.on_connect = lambda c, u, flags, reason, p: self._event("connect").put((flags, reason, p))
        self.client.on_disconnect = lambda c, u, flags, reason, p: self._event("disconnect").put((flags, reason))
        self.client.on_subscribe = lambda c, u, mid, reasons, p: self._event(("sub", mid)).put(reasons)
        self.client.on_unsubscribe = lambda c, u, mid, reasons, p: self._event(("unsub", mid)).put(reasons)
        self.client.on_publish = lambda c, u, mid, reason, p: self._event(("pub", mid)).put(reason)
        if user:
            self.client.username_pw_set(*user)
        if will:
            self.client.will_set(will[0], **will[1])
        options = {}
        if version == 5:
            connect = connect_props or Properties(PacketTypes.CONNECT)
            if expiry is not None:
                connect.SessionExpiryInterval = expiry
            options = {"clean_start": clean, "properties": connect}
        self.client.connect("127.0.0.1", self.port, keep_alive, **options)
        self.client.loop_start()
        self.flags, self.reason, self.props = self._wait("connect", "the answer to CONNECT")
        equal(self.reason.value, expect, "CONNACK reason")

    def _event(self, key):
        return self.events.setdefault(key, queue.Queue())

    def _wait(self, key, what, seconds=5):
        try:
            return self._event(key).get(timeout=seconds * SLOW)
        except queue.Empty:
            raise AssertionError(f"did not come: {what}") from None

    @property
    def present(self):
        return bool(self.flags.session_present)

    def subscribe(self, topic, qos=0, **options):
        """The reason codes of the SUBACK. Options of version 5: no_local, retain_as_published, retain_handling, id."""
        if self.version == 5:
            identifier = options.pop("id", None)
            names = {"no_local": "noLocal", "retain_as_published": "retainAsPublished",
                     "retain_handling": "retainHandling"}
            given = SubscribeOptions(qos=qos, **{names[k]: v for k, v in options.items()})
            extra = props(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=identifier) if identifier else None
            _, mid = self.client.subscribe(topic, options=given, properties=extra)
        else:
            _, mid = self.client.subscribe(topic, qos)
        return [r.value for r in self._wait(("sub", mid), "SUBACK")]

    def unsubscribe(self, topic):
        _, mid = self.client.unsubscribe(topic)
        return [r.value for r in self._wait(("unsub", mid), "UNSUBACK")]

    def publish(self, topic, payload=b"", qos=0, retain=False, **properties):
        """Waits for the acknowledgement; its reason."""
        given = props(PacketTypes.PUBLISH, **properties) if properties else None
        info = self.client.publish(topic, payload, qos, retain, properties=given)
        return self._wait(("pub", info.mid), "acknowledgement").value

    def next(self, seconds=5):
        try:
            return self.messages.get(timeout=seconds * SLOW)
        except queue.Empty:
            raise AssertionError("no message came") from None

    def expect(self, topic, payload, **attributes):
        got = self.next()
        equal((got.topic, got.payload), (topic, payload if isinstance(payload, bytes) else payload.encode()))
        for name, value in attributes.items():
            equal(getattr(got, name), value, name)
        return got

    def nothing_more(self):
        """A marker makes the round trip; nothing else may have come before it."""
        marker = unique("marker/")
        self.subscribe(marker)
        self.publish(marker, b"end")
        got = self.next()
        equal((got.topic, got.payload), (marker, b"end"), "first to come")

    def vanish(self):
        """The connection breaks without a DISCONNECT."""
        self.client.socket().shutdown(2)
        self._wait("disconnect", "the end of the connection")
        self.client.loop_stop()

    def leave(self, **options):
        if options and self.version == 5:
            self.client.disconnect(**options)
        else:
            self.client.disconnect()
        self._wait("disconnect", "the end of the connection")
        self.client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()


def keeps(version):
    """Arguments of a client whose session outlives its connection."""
    return {"clean": False, "expiry": 300} if version == 5 else {"clean": False}


# -- Guarantees

def guarantee(version, published, subscribed):
    topic = unique("qos/")
    with Client(version) as watch, Client(version) as other:
        equal(watch.subscribe(topic, subscribed), [subscribed])
        for n in range(3):
            equal(other.publish(topic, str(n), published), 0)
        for n in range(3):
            watch.expect(topic, str(n), qos=min(published, subscribed))
        watch.nothing_more()


def burst(version, qos):
    topic = unique("burst/")
    with Client(version) as watch, Client(version) as other:
        watch.subscribe(topic, qos)
        infos = [other.client.publish(topic, str(n), qos) for n in range(300)]
        for info in infos:
            info.wait_for_publish(10 * SLOW)
        for n in range(300):
            watch.expect(topic, str(n))


def overlapping(version):
    """A message that two subscriptions of a client match comes at the highest guarantee."""
    topic = unique("over/")
    with Client(version) as client:
        client.subscribe(topic, 0)
        client.subscribe("over/#", 1)
        client.publish(topic, "x", 2)
        client.expect(topic, "x", qos=1)
        client.nothing_more()


def resubscribing_replaces(version):
    topic = unique("again/")
    with Client(version) as client:
        equal(client.subscribe(topic, 2), [2])
        equal(client.subscribe(topic, 0), [0])
        client.publish(topic, "x", 2)
        client.expect(topic, "x", qos=0)
        client.nothing_more()


def unsubscribing(version):
    topic = unique("un/")
    with Client(version) as client:
        client.subscribe(topic)
        reasons = client.unsubscribe(topic)
        if version == 5:
            equal(reasons, [0])
            equal(client.unsubscribe(topic), [0x11], "no such subscription")
        client.publish(topic, "x")
        client.nothing_more()


def wildcards(version):
    base = unique("w")
    with Client(version) as client:
        client.subscribe(f"{base}/+/c")
        client.subscribe(f"{base}/deep/#")
        for topic in ("a/c", "a/b/c", "deep", "deep/x/y", "/c", "a/d"):
            client.publish(f"{base}/{topic}", topic)
        got = sorted(client.next().payload.decode() for _ in range(4))
        equal(got, sorted(["a/c", "deep", "deep/x/y", "/c"]))
        client.nothing_more()


def empty_payload(version):
    topic = unique("empty/")
    with Client(version) as client:
        client.subscribe(topic, 1)
        client.publish(topic, b"", 1)
        client.expect(topic, b"")


for v, p, s in itertools.product((4, 5), (0, 1, 2), (0, 1, 2)):
    add(f"v{v} published at {p}, subscribed at {s}", guarantee, v, p, s)
for v in (4, 5):
    for q in (0, 1, 2):
        add(f"v{v} a burst of 300 at {q} keeps its order", burst, v, q)
    add(f"v{v} overlapping subscriptions", overlapping, v)
    add(f"v{v} subscribing again replaces", resubscribing_replaces, v)
    add(f"v{v} unsubscribing", unsubscribing, v)
    add(f"v{v} wildcards", wildcards, v)
    add(f"v{v} an empty payload", empty_payload, v)


# -- Retained

def retained(version, qos):
    topic = unique("kept/")
    with Client(version) as other, Client(version) as late:
        other.publish(topic, "old", qos, retain=True)
        other.publish(topic, "new", qos, retain=True)
        other.nothing_more()  # so the broker has them by now
        late.subscribe(topic, 2)
        late.expect(topic, "new", retain=True, qos=qos)
        other.publish(topic, "live", qos, retain=True)
        late.expect(topic, "live", retain=False)
        other.publish(topic, b"", qos, retain=True)
        late.expect(topic, b"", retain=False)
    with Client(version) as later:
        later.subscribe(topic)
        later.nothing_more()


def retained_by_wildcard(version):
    base = unique("kept")
    with Client(version) as other, Client(version) as late:
        for n in range(20):
            other.publish(f"{base}/{n}/x", str(n), 1, retain=True)
        late.subscribe(f"{base}/+/x", 1)
        equal(sorted(int(late.next().payload) for _ in range(20)), list(range(20)))
        late.nothing_more()


def retained_again_on_resubscribe(version):
    topic = unique("kept/")
    with Client(version) as client:
        client.publish(topic, "v", 1, retain=True)
        for _ in range(2):
            client.subscribe(topic, 1)
            client.expect(topic, "v", retain=True)


def retain_handling(handling, first, second):
    """How many retained messages come on the first and on a repeated subscription."""
    topic = unique("handling/")
    with Client(5) as client:
        client.publish(topic, "v", 1, retain=True)
        for wanted in (first, second):
            client.subscribe(topic, 1, retain_handling=handling)
            if wanted:
                client.expect(topic, "v", retain=True)
            client.nothing_more()


def retain_as_published(kept):
    topic = unique("aspub/")
    with Client(5) as client:
        client.subscribe(topic, retain_as_published=kept)
        client.publish(topic, "a", retain=True)
        client.publish(topic, "b")
        client.expect(topic, "a", retain=kept)
        client.expect(topic, "b", retain=False)
        client.publish(topic, "", retain=True)


def retained_keeps_properties():
    topic = unique("kept/")
    with Client(5) as client:
        client.publish(topic, "v", 1, retain=True, ContentType="text/x", UserProperty=[("a", "b")],
                       MessageExpiryInterval=100)
        client.subscribe(topic)
        got = client.expect(topic, "v", retain=True)
        equal(got.properties.ContentType, "text/x")
        equal(got.properties.UserProperty, [("a", "b")])
        one_of(got.properties.MessageExpiryInterval, range(95, 101))


def retained_expires():
    topic = unique("kept/")
    with Client(5) as client:
        client.publish(topic, "v", 1, retain=True, MessageExpiryInterval=1)
        client.subscribe(topic)
        client.expect(topic, "v", retain=True)

        def gone():
            with Client(5) as late:
                late.subscribe(topic)
                late.subscribe(topic + "/marker")
                late.publish(topic + "/marker", "end")
                return late.next().payload == b"end"
        eventually(gone, "the retained message expires", 3)


for v in (4, 5):
    for q in (0, 1, 2):
        add(f"v{v} retained at {q}", retained, v, q)
    add(f"v{v} retained by wildcard", retained_by_wildcard, v)
    add(f"v{v} retained comes again on a repeated subscription", retained_again_on_resubscribe, v)
add("v5 retain handling 0 sends always", retain_handling, 0, True, True)
add("v5 retain handling 1 sends to a new subscription", retain_handling, 1, True, False)
add("v5 retain handling 2 never sends", retain_handling, 2, False, False)
add("v5 retain as published", retain_as_published, True)
add("v5 retain not as published", retain_as_published, False)
add("v5 retained keeps its properties", retained_keeps_properties)
add("v5 retained expires", retained_expires)


# -- Wills

def will_after_break(version, qos, retain):
    topic = unique("will/")
    with Client(version) as watch:
        watch.subscribe(topic, 2)
        Client(version, will=(topic, {"payload": "gone", "qos": qos, "retain": retain})).vanish()
        watch.expect(topic, "gone", qos=qos, retain=False)
    with Client(version) as late:
        late.subscribe(topic)
        if retain:
            late.expect(topic, "gone", retain=True)
        late.nothing_more()


def no_will_after_disconnect(version):
    topic = unique("will/")
    with Client(version) as watch:
        watch.subscribe(topic)
        Client(version, will=(topic, {"payload": "gone"})).leave()
        watch.nothing_more()


def will_after_silence(version):
    """A client that no longer speaks is given up after 1.5 times its keep-alive, and its will is sent."""
    topic = unique("will/")
    with Client(version) as watch:
        watch.subscribe(topic)
        silent = Client(version, keep_alive=1, will=(topic, {"payload": "silent"}))
        silent.client.loop_stop()
        watch.expect(topic, "silent")


def will_after_takeover(version):
    topic = unique("will/")
    with Client(version) as watch:
        watch.subscribe(topic)
        first = Client(version, client_id=topic.replace("/", "-"), will=(topic, {"payload": "taken"}))
        with Client(version, client_id=first.id):
            watch.expect(topic, "taken")


def will_wished_with_disconnect():
    topic = unique("will/")
    with Client(5) as watch:
        watch.subscribe(topic)
        Client(5, will=(topic, {"payload": "wish"})).leave(reasoncode=ReasonCode(PacketTypes.DISCONNECT, identifier=4))
        watch.expect(topic, "wish")


def will_waits(delay, expiry):
    topic = unique("will/")
    with Client(5) as watch:
        watch.subscribe(topic)
        late = props(PacketTypes.WILLMESSAGE, WillDelayInterval=delay)
        client = Client(5, expiry=expiry, will=(topic, {"payload": "late", "properties": late}))
        client.vanish()
        watch.nothing_more()
        watch.expect(topic, "late")


def will_called_off():
    topic = unique("will/")
    with Client(5) as watch:
        watch.subscribe(topic)
        late = props(PacketTypes.WILLMESSAGE, WillDelayInterval=1)
        client = Client(5, expiry=60, will=(topic, {"payload": "late", "properties": late}))
        client.vanish()
        back = Client(5, client_id=client.id, clean=False, expiry=60)
        later = Client(5, expiry=1, will=(topic, {"payload": "second", "properties": late}))
        later.vanish()
        watch.expect(topic, "second")  # was due after the first one would have been
        watch.nothing_more()
        back.leave()


def will_keeps_properties():
    topic = unique("will/")
    with Client(5) as watch:
        watch.subscribe(topic)
        sent = props(PacketTypes.WILLMESSAGE, ContentType="text/will", ResponseTopic="answer", CorrelationData=b"\1\2",
                     MessageExpiryInterval=60, PayloadFormatIndicator=1, UserProperty=("k", "v"))
        Client(5, will=(topic, {"payload": "p", "properties": sent})).vanish()
        got = watch.expect(topic, "p").properties
        equal((got.ContentType, got.ResponseTopic, got.CorrelationData, got.PayloadFormatIndicator, got.UserProperty),
              ("text/will", "answer", b"\1\2", 1, [("k", "v")]))
        one_of(got.MessageExpiryInterval, range(58, 61))


for v in (4, 5):
    for q, r in ((0, False), (1, True), (2, False)):
        add(f"v{v} will at {q}{' retained' if r else ''}", will_after_break, v, q, r)
    add(f"v{v} no will after DISCONNECT", no_will_after_disconnect, v)
    add(f"v{v} will of a client gone silent", will_after_silence, v)
    add(f"v{v} will after a take-over", will_after_takeover, v)
add("v5 will wished for with DISCONNECT", will_wished_with_disconnect)
add("v5 will waits for its delay", will_waits, 1, 60)
add("v5 will does not outwait the session", will_waits, 60, 1)
add("v5 will is called off by coming back", will_called_off)
add("v5 will keeps its properties", will_keeps_properties)


# -- Sessions

def session_queues(version, qos):
    topic = unique("queue/")
    client = Client(version, **keeps(version))
    equal(client.present, False)
    client.subscribe(topic, qos)
    client.leave()
    with Client(version) as other:
        for n in range(40):
            other.publish(topic, str(n), qos)
    client = Client(version, client_id=client.id, **keeps(version))
    equal(client.present, True)
    for n in range(40):
        client.expect(topic, str(n), qos=qos)
    client.nothing_more()
    client.leave()
    Client(version, client_id=client.id, clean=True).leave()


def session_forgotten(version):
    topic = unique("forget/")
    client = Client(version, **keeps(version))
    client.subscribe(topic, 1)
    client.leave()
    with Client(version, client_id=client.id, clean=True) as again:
        equal(again.present, False)
        again.publish(topic, "x", 1)
        again.nothing_more()
    with Client(version, client_id=client.id, clean=False) as third:
        equal(third.present, False)


def session_survives_break(version):
    topic = unique("broken/")
    client = Client(version, **keeps(version))
    client.subscribe(topic, 1)
    client.vanish()
    with Client(version) as other:
        other.publish(topic, "while away", 1)
    client = Client(version, client_id=client.id, **keeps(version))
    client.expect(topic, "while away")
    client.leave()
    Client(version, client_id=client.id, clean=True).leave()


def session_taken_over(version):
    topic = unique("taken/")
    first = Client(version, **keeps(version))
    first.subscribe(topic, 1)
    second = Client(version, client_id=first.id, **keeps(version))
    equal(second.present, True)
    first._wait("disconnect", "the end of the older connection")
    second.publish(topic, "x", 1)
    second.expect(topic, "x")
    second.leave()
    Client(version, client_id=first.id, clean=True).leave()


def session_ends_in_time():
    client = Client(5, clean=False, expiry=1)
    client.leave()
    time.sleep(2.2)  # looking is coming back: it can be done once only, well after the session's second
    with Client(5, client_id=client.id, clean=False) as again:
        equal(again.present, False)


def session_ends_with_connection():
    client = Client(5, clean=False, expiry=0)
    client.subscribe(unique("x/"), 1)
    client.leave()
    with Client(5, client_id=client.id, clean=False) as again:
        equal(again.present, False)


def disconnect_changes_expiry(before, after, present):
    client = Client(5, clean=False, expiry=before)
    client.leave(properties=props(PacketTypes.DISCONNECT, SessionExpiryInterval=after))
    with Client(5, client_id=client.id, clean=False) as again:
        equal(again.present, present)


def expired_is_not_queued():
    topic = unique("expiry/")
    client = Client(5, **keeps(5))
    client.subscribe(topic, 1)
    client.leave()
    with Client(5) as other:
        other.publish(topic, "short", 1, MessageExpiryInterval=1)
        other.publish(topic, "long", 1, MessageExpiryInterval=100)
        other.publish(topic, "ever", 1)
    time.sleep(1.5)
    client = Client(5, client_id=client.id, **keeps(5))
    got = client.expect(topic, "long")
    one_of(got.properties.MessageExpiryInterval, [97, 98, 99], "expiry counted down")
    client.expect(topic, "ever")
    client.leave()
    Client(5, client_id=client.id, clean=True).leave()


for v in (4, 5):
    for q in (1, 2):
        add(f"v{v} a session queues at {q}", session_queues, v, q)
    add(f"v{v} a clean start forgets", session_forgotten, v)
    add(f"v{v} a session survives a break", session_survives_break, v)
    add(f"v{v} a session is taken over", session_taken_over, v)
add("v5 a session ends after its expiry", session_ends_in_time)
add("v5 a session without expiry ends with its connection", session_ends_with_connection)
add("v5 DISCONNECT may end the session", disconnect_changes_expiry, 300, 0, False)
add("v5 DISCONNECT may lengthen the session", disconnect_changes_expiry, 1, 300, True)
add("v5 messages expire while the session waits", expired_is_not_queued)


# -- Shared subscriptions

def shared(version, qos):
    topic, group = unique("shared/"), unique("g")
    with Client(version) as one, Client(version) as two, Client(version) as plain, Client(version) as other:
        for member in (one, two):
            equal(member.subscribe(f"$share/{group}/{topic}", qos), [qos])
        plain.subscribe(topic, qos)
        for n in range(20):
            other.publish(topic, str(n), qos)
        for n in range(20):
            plain.expect(topic, str(n))
        eventually(lambda: one.messages.qsize() + two.messages.qsize() >= 20, "all shared out")
        counts = [one.messages.qsize(), two.messages.qsize()]
        seen = sorted(int(m.next().payload) for m in (one, two) for _ in range(m.messages.qsize()))
        equal(seen, list(range(20)), "each message once")
        one_of(min(counts) > 0, [True], f"both members had some: {counts}")


def shared_two_groups(version):
    topic = unique("shared/")
    with Client(version) as one, Client(version) as two:
        one.subscribe(f"$share/ga/{topic}", 1)
        two.subscribe(f"$share/gb/{topic}", 1)
        one.publish(topic, "x", 1)
        one.expect(topic, "x")
        two.expect(topic, "x")


def shared_member_leaves(version):
    topic, group = unique("shared/"), unique("g")
    with Client(version) as stays:
        goes = Client(version)
        for member in (stays, goes):
            member.subscribe(f"$share/{group}/{topic}", 1)
        goes.leave()
        for n in range(6):
            stays.publish(topic, str(n), 1)
        for n in range(6):
            stays.expect(topic, str(n))


def shared_gets_no_retained(version):
    topic = unique("shared/")
    with Client(version) as client:
        client.publish(topic, "kept", 1, retain=True)
        client.subscribe(f"$share/g/{topic}", 1)
        client.nothing_more()


def shared_unsubscribe(version):
    topic = unique("shared/")
    with Client(version) as client:
        client.subscribe(f"$share/g/{topic}", 1)
        client.unsubscribe(f"$share/g/{topic}")
        client.publish(topic, "x", 1)
        client.nothing_more()


for v in (4, 5):
    for q in (0, 1, 2):
        add(f"v{v} shared at {q}", shared, v, q)
    add(f"v{v} two groups get a copy each", shared_two_groups, v)
    add(f"v{v} the rest share when a member leaves", shared_member_leaves, v)
    add(f"v{v} shared subscriptions get nothing retained", shared_gets_no_retained, v)
    add(f"v{v} unsubscribing a shared subscription", shared_unsubscribe, v)


# -- Version 5

def no_local():
    topic = unique("local/")
    with Client(5) as client, Client(5) as other:
        client.subscribe(topic, no_local=True)
        client.publish(topic, "mine", 1)
        other.publish(topic, "theirs", 1)
        client.expect(topic, "theirs")
        client.nothing_more()


def subscription_identifier():
    topic = unique("ids/")
    with Client(5) as client:
        client.subscribe(topic, id=77)
        client.publish(topic, "x")
        equal(client.expect(topic, "x").properties.SubscriptionIdentifier, [77])
        client.subscribe(topic)
        client.publish(topic, "y")
        equal(hasattr(client.expect(topic, "y").properties, "SubscriptionIdentifier"), False)


def expiry_counted():
    topic = unique("expiry/")
    with Client(5) as client:
        client.subscribe(topic)
        client.publish(topic, "x", MessageExpiryInterval=30)
        one_of(client.expect(topic, "x").properties.MessageExpiryInterval, [29, 30])


def request_and_response():
    ask, answer = unique("ask/"), unique("answer/")
    with Client(5) as service, Client(5) as client:
        service.subscribe(ask)
        client.subscribe(answer)
        client.publish(ask, "6*7", ResponseTopic=answer, CorrelationData=b"\0id")
        request = service.expect(ask, "6*7")
        service.publish(request.properties.ResponseTopic, "42", CorrelationData=request.properties.CorrelationData)
        equal(client.expect(answer, "42").properties.CorrelationData, b"\0id")


def alias():
    topic = unique("alias/")
    with Client(5) as client:
        client.subscribe(topic)
        client.publish(topic, "1", TopicAlias=3)
        client.publish("", "2", TopicAlias=3)
        client.expect(topic, "1")
        client.expect(topic, "2")


def assigned():
    client = Client(5, client_id="")
    one_of(bool(client.props.AssignedClientIdentifier), [True])
    client.leave()


def told_nobody():
    with Client(5) as client:
        equal(client.publish(unique("nobody/"), "x", 1), 0x10)


def told_takeover():
    first = Client(5)
    with Client(5, client_id=first.id):
        equal(first._wait("disconnect", "DISCONNECT")[1].value, 0x8E)


add("v5 no local", no_local)
add("v5 subscription identifier", subscription_identifier)
add("v5 message expiry is counted down", expiry_counted)
add("v5 request and response", request_and_response)
add("v5 topic alias", alias)
add("v5 assigned client id", assigned)
add("v5 publishing to nobody is told", told_nobody)
add("v5 take-over is told", told_takeover)


# -- $ topics

def dollar_topics(version):
    with Client(version) as client:
        client.subscribe("#")
        client.subscribe("+/broker/version")
        client.publish(unique("plain/"), "x")
        one_of(client.next().topic.startswith("$"), [False])
    with Client(version) as client:
        client.subscribe("$SYS/broker/version")
        one_of(bool(client.next().payload), [True])


def sys_looked_for(topic):
    with Client(4) as client:
        client.subscribe(topic)
        client.next()


for v in (4, 5):
    add(f"v{v} # does not match $ topics", dollar_topics, v)
for t in ("uptime", "clients/connected", "clients/total", "messages/received", "messages/sent", "subscriptions/count",
          "retained messages/count", "load/messages/received/1min", "bytes/received"):
    add(f"$SYS/broker/{t} is there", sys_looked_for, f"$SYS/broker/{t}")


# -- Permissions

def login(version, user, expect=0, port=None, **more):
    return Client(version, port=port or guarded.reachable(), user=user, expect=expect, **more)


def refused(version, user, codes):
    try:
        login(version, user, expect=None).leave()
    except AssertionError as error:
        one_of(any(str(error) == f"CONNACK reason: got {c}, wanted None" for c in codes), [True], str(error))
    else:
        raise AssertionError("was let in")


def allowed(version):
    with login(version, ("alice", "wonder")) as alice, login(version, ("bob", "builder")) as bob:
        equal(bob.subscribe("news/#", 1), [1])
        alice.publish("news/today", "hi", 1)
        bob.expect("news/today", "hi")


def denied_publish(version):
    with login(version, ("alice", "wonder")) as alice, login(version, ("bob", "builder")) as bob:
        alice.subscribe("news/#", 1)
        for qos in (0, 1, 2):
            reason = bob.publish("news/fake", "x", qos)
            if version == 5 and qos == 1:  # at QoS 2 this client overwrites PUBREC's reason with PUBCOMP's
                equal(reason, 0x87)
        alice.publish("news/true", "y", 1)
        alice.expect("news/true", "y")


def denied_subscribe(version):
    with login(version, ("bob", "builder")) as bob:
        denied = 0x87 if version == 5 else 0x80
        for topic in ("drop/#", "elsewhere", "open/secret/x", "open/secret/#", "$share/g/drop/a", "user/alice/#"):
            equal(bob.subscribe(topic, 1), [denied], topic)
        equal(bob.subscribe("user/bob/#", 1), [1])


def deny_inside_allow(version):
    """open/# is allowed, open/secret/# is not: whichever way that is kept, the secret does not get out."""
    with login(version, ("alice", "wonder")) as alice, login(version, ("bob", "builder")) as bob:
        bob.subscribe("open/#", 1)
        reason = alice.publish("open/secret/key", "s", 1)
        if version == 5:
            equal(reason, 0x87)
        mark = unique("user/bob/")
        equal(bob.subscribe(mark, 1), [1])
        bob.publish(mark, "end", 1)
        bob.expect(mark, "end")


def client_id_in_rule(version):
    with login(version, ("bob", "builder"), client_id=f"box{version}") as box:
        equal(box.subscribe(f"client/box{version}/in", 1), [1])
        equal(box.subscribe("client/other/in", 1), [0x87 if version == 5 else 0x80])


def wild_client_id(version):
    """%c is put in as text: a client that calls itself + has not thereby everybody's topics."""
    denied = 0x87 if version == 5 else 0x80
    for name in ("+", "#", "a/b"):
        try:
            client = login(version, ("bob", "builder"), client_id=name)
        except AssertionError:
            continue  # refusing such a name at CONNECT is as good
        equal(client.subscribe(f"client/other{version}/in", 1), [denied])
        equal(client.subscribe("client/+/in", 1), [denied])
        client.leave()


def will_denied(version):
    with login(version, ("alice", "wonder")) as alice:
        alice.subscribe("news/#", 1)
        try:
            login(version, ("bob", "builder"), will=("news/will", {"payload": "x"})).vanish()
        except AssertionError:
            pass  # refused at CONNECT
        alice.publish("news/after", "y", 1)
        alice.expect("news/after", "y")


for v in (4, 5):
    bad = [0x86, 0x87] if v == 5 else [0x86, 0x87, 4, 5]
    add(f"v{v} a wrong password is refused", refused, v, ("alice", "wrong"), bad)
    add(f"v{v} an empty password is refused", refused, v, ("alice", ""), bad)
    add(f"v{v} a user without a password is refused", refused, v, ("alice", None), bad)
    add(f"v{v} an unknown user is refused", refused, v, ("mallory", "wonder"), bad)
    add(f"v{v} nobody is let in without credentials", refused, v, None, bad)
    add(f"v{v} rules allow", allowed, v)
    add(f"v{v} rules deny publishing", denied_publish, v)
    add(f"v{v} rules deny subscribing", denied_subscribe, v)
    add(f"v{v} a denied part of what is allowed stays closed", deny_inside_allow, v)
    add(f"v{v} the client id in a rule", client_id_in_rule, v)
    add(f"v{v} a client id with wildcards", wild_client_id, v)
    add(f"v{v} a will that may not be published is not", will_denied, v)
add("both brokers end well", lambda: equal((broker.stop(), guarded.stop()), (0, 0), "exit codes"))
run_all()
