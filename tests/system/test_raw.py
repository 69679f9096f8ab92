#!/usr/bin/env python3
"""Conversations byte by byte over a plain socket: framing, pipelining, redelivery, flow control, and what is
answered to packets that break the rules."""
from broker import Broker
from harness import add, equal, one_of, run_all
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import

broker = Broker().start()
PORT = broker.port


# -- Framing

def byte_at_a_time(version):
    with Wire(PORT, version) as wire:
        wire.send_bytes_apart(connect(version, f"bytes{version}"))
        wire.expect(CONNACK, reason=0)
        wire.send_bytes_apart(subscribe(version, [(f"bytes/{version}", 1)]))
        equal(wire.expect(SUBACK).reasons, [1])
        wire.send_bytes_apart(publish(version, f"bytes/{version}", b"x" * 200, qos=1, packet_id=7))
        kinds = sorted(wire.read().kind for _ in range(2))
        equal(kinds, [PUBLISH, PUBACK])


def many_in_one_write(version):
    """Deliveries may overtake the SUBACK, but not each other."""
    topic = f"many/{version}"
    with Wire(PORT, version) as wire:
        wire.send(connect(version, ""  if version > 3 else "many3"), subscribe(version, [(topic, 0)]),
                  *[publish(version, topic, str(n)) for n in range(50)], packet(PINGREQ))
        wire.expect(CONNACK, reason=0)
        got = [wire.read() for _ in range(52)]
        equal([p.payload for p in got if p.kind == PUBLISH], [str(n).encode() for n in range(50)])
        equal(sorted(p.kind for p in got if p.kind != PUBLISH), [SUBACK, PINGRESP])


def last_words_count(version):
    """What was sent before DISCONNECT and the end of the stream is still handled."""
    topic = f"last/{version}"
    with opened(PORT, version, f"watch-last{version}") as watch:
        watch.subscribe(topic)
        wire = Wire(PORT, version)
        wire.send(connect(version, f"last{version}"), publish(version, topic, "said"), packet(DISCONNECT))
        equal(watch.expect(PUBLISH).payload, b"said")
        wire.close()


# [3.1.1 MQTT-7.1.1-1]: TCP, byte for byte and in order.
def large_payload(version):
    data = bytes(range(256)) * 1200
    with opened(PORT, version, f"large{version}") as wire:
        wire.subscribe(("large", 1))
        wire.send(publish(version, "large", data, qos=1))
        got = [wire.read() for _ in range(2)]
        equal([p.payload for p in got if p.kind == PUBLISH], [data])


def acknowledgements_in_order(version):
    with opened(PORT, version, f"acks{version}") as wire:
        wire.send(*[publish(version, "acks", "x", qos=1 + n % 2, packet_id=100 + n) for n in range(16)])
        for n in range(16):
            wire.expect(PUBREC if n % 2 else PUBACK, packet_id=100 + n)


for v in (3, 4, 5):
    add(f"v{v} byte at a time", byte_at_a_time, v)
    add(f"v{v} many packets in one write", many_in_one_write, v)
    add(f"v{v} what came before the end counts", last_words_count, v)
    add(f"v{v} large payload", large_payload, v)
    add(f"v{v} acknowledgements leave in arrival order", acknowledgements_in_order, v)


# -- Guarantees

def persistent(version):
    """Options of a CONNECT whose session outlives the connection."""
    return {"clean": False, "props": [(SESSION_EXPIRY, 300)] if version == 5 else []}


def fresh(version, client_id):
    """Forgets what a client id may have left behind."""
    opened(PORT, version, client_id, clean=True).leave()


def redelivers_unacknowledged(version):
    name, topic = f"redeliver{version}", f"redeliver/{version}"
    wire = opened(PORT, version, name, **persistent(version))
    wire.subscribe((topic, 1))
    with opened(PORT, version, f"{name}-p") as other:
        other.send(publish(version, topic, "once", qos=1)).expect(PUBACK)
    first = wire.expect(PUBLISH, qos=1, dup=False)
    wire.reset()
    wire = opened(PORT, version, name, **persistent(version))
    equal(wire.connack.session_present, version > 3, "session present")
    again = wire.expect(PUBLISH, qos=1, dup=True, payload=b"once")
    equal(again.packet_id, first.packet_id, "packet id of the redelivery")
    wire.send(ack(PUBACK, again.packet_id)).ping()
    wire.leave()
    wire = opened(PORT, version, name, **persistent(version))
    wire.ping()
    wire.leave()
    fresh(version, name)


def resumes_exactly_once_out(version):
    """A PUBREL that got lost is sent again; the message is not."""
    name, topic = f"resume{version}", f"resume/{version}"
    wire = opened(PORT, version, name, **persistent(version))
    wire.subscribe((topic, 2))
    wire.send(publish(version, topic, "once", qos=2, packet_id=9)).expect(PUBREC, packet_id=9)
    wire.send(ack(PUBREL, 9))
    got = {p.kind: p for p in (wire.read(), wire.read())}
    equal(sorted(got), [PUBLISH, PUBCOMP])
    out = got[PUBLISH].packet_id
    wire.send(ack(PUBREC, out)).expect(PUBREL, packet_id=out)
    wire.reset()
    wire = opened(PORT, version, name, **persistent(version))
    wire.expect(PUBREL, packet_id=out)
    wire.send(ack(PUBCOMP, out)).ping()
    wire.leave()
    fresh(version, name)


def exactly_once_in_survives_repeat(version):
    """The same PUBLISH sent again with DUP after a reconnect is stored once."""
    name, topic = f"repeat{version}", f"repeat/{version}"
    with opened(PORT, version, f"watch-{name}") as watch:
        watch.subscribe((topic, 0))
        wire = opened(PORT, version, name, **persistent(version))
        wire.send(publish(version, topic, "a", qos=2, packet_id=5)).expect(PUBREC, packet_id=5)
        wire.send(publish(version, topic, "a", qos=2, packet_id=5, dup=True)).expect(PUBREC, packet_id=5)
        wire.reset()
        wire = opened(PORT, version, name, **persistent(version))
        wire.send(publish(version, topic, "a", qos=2, packet_id=5, dup=True)).expect(PUBREC, packet_id=5)
        wire.send(ack(PUBREL, 5)).expect(PUBCOMP, packet_id=5)
        wire.send(publish(version, topic, "b", qos=2, packet_id=5)).expect(PUBREC, packet_id=5)
        wire.send(ack(PUBREL, 5)).expect(PUBCOMP, packet_id=5)
        equal([watch.expect(PUBLISH).payload for _ in range(2)], [b"a", b"b"])
        watch.ping()
        wire.leave()
    fresh(version, name)


def pubrel_of_nothing(version):
    with opened(PORT, version, f"nothing{version}") as wire:
        got = wire.send(ack(PUBREL, 77)).expect(PUBCOMP, packet_id=77)
        if version == 5:
            equal(got.reason, 0x92)


for v in (3, 4, 5):
    add(f"v{v} redelivers what was not acknowledged, with DUP", redelivers_unacknowledged, v)
    add(f"v{v} resumes an outgoing exactly-once handshake", resumes_exactly_once_out, v)
    add(f"v{v} an incoming exactly-once message repeated is one message", exactly_once_in_survives_repeat, v)
    add(f"v{v} PUBREL for an unknown packet id is completed", pubrel_of_nothing, v)


def receive_maximum_bounds_flight():
    with opened(PORT, 5, "flight", props=[(RECEIVE_MAX, 2)]) as wire:
        wire.subscribe(("flight", 1))
        with opened(PORT, 5, "flight-p") as other:
            for n in range(5):
                other.send(publish(5, "flight", str(n), qos=1, packet_id=n + 1)).expect(PUBACK)
        first, second = wire.expect(PUBLISH, payload=b"0"), wire.expect(PUBLISH, payload=b"1")
        wire.ping()  # no third one before an acknowledgement
        wire.send(ack(PUBACK, first.packet_id))
        third = wire.expect(PUBLISH, payload=b"2")
        wire.ping()
        wire.send(ack(PUBACK, second.packet_id), ack(PUBACK, third.packet_id))
        equal([wire.expect(PUBLISH).payload for _ in range(2)], [b"3", b"4"])


def window_full_lets_at_most_once_pass():
    with opened(PORT, 5, "pass", props=[(RECEIVE_MAX, 1)]) as wire:
        wire.subscribe(("pass/#", 1))
        with opened(PORT, 5, "pass-p") as other:
            other.send(publish(5, "pass/1", "1", qos=1)).expect(PUBACK)
            other.send(publish(5, "pass/0", "0")).ping()
        wire.expect(PUBLISH, payload=b"1")
        wire.expect(PUBLISH, payload=b"0", qos=0)


def beyond_receive_maximum():
    with opened(PORT, 5, "beyond") as wire:
        limit = wire.connack.props.get(RECEIVE_MAX, 65535)
        one_of(limit <= 4096, [True], f"a receive maximum worth the name, not {limit}")
        for n in range(limit):
            wire.send(publish(5, "beyond", "", qos=2, packet_id=n + 1))
            wire.expect(PUBREC)
        wire.send(publish(5, "beyond", "", qos=2, packet_id=limit + 1))
        wire.expect(DISCONNECT, reason=0x93)
        wire.expect_closed()


def packet_maximum_towards_client():
    with opened(PORT, 5, "small", props=[(PACKET_MAX, 60)]) as wire:
        wire.subscribe(("small", 1))
        with opened(PORT, 5, "small-p") as other:
            other.send(publish(5, "small", b"x" * 100, qos=1)).expect(PUBACK)
            other.send(publish(5, "small", b"fits", qos=1)).expect(PUBACK)
        wire.expect(PUBLISH, payload=b"fits")


def alias_towards_client():
    with opened(PORT, 5, "alias", props=[(ALIAS_MAX, 1)]) as wire:
        wire.subscribe("alias/#")
        with opened(PORT, 5, "alias-p") as other:
            other.send(*[publish(5, "alias/long/name", str(n)) for n in range(3)]).ping()
            other.send(publish(5, "alias/other", "3")).ping()
        names, topics = {}, []
        for n in range(4):
            got = wire.expect(PUBLISH, payload=str(n).encode())
            alias = got.props.get(ALIAS)
            if alias is not None:
                equal(alias, 1, "alias within the announced maximum")
                if got.topic:
                    names[alias] = got.topic
            topics.append(got.topic or names[alias])
        equal(topics, ["alias/long/name"] * 3 + ["alias/other"])


def no_alias_unless_asked():
    with opened(PORT, 5, "noalias") as wire:
        wire.subscribe("noalias")
        wire.send(*[publish(5, "noalias", str(n)) for n in range(3)])
        for _ in range(3):
            equal(wire.expect(PUBLISH, topic="noalias").props.get(ALIAS), None)


def alias_from_client():
    with opened(PORT, 5, "inalias") as wire:
        one_of(wire.connack.props.get(ALIAS_MAX, 0) > 0, [True], "the broker takes aliases")
        wire.subscribe("in/#")
        wire.send(publish(5, "in/a", "1", props=[(ALIAS, 1)]), publish(5, "", "2", props=[(ALIAS, 1)]),
                  publish(5, "in/b", "3", props=[(ALIAS, 1)]), publish(5, "", "4", props=[(ALIAS, 1)]))
        equal([wire.expect(PUBLISH).topic for _ in range(4)], ["in/a", "in/a", "in/b", "in/b"])


def alias_dies_with_connection():
    wire = opened(PORT, 5, "aliasgone", **persistent(5))
    wire.send(publish(5, "gone/a", "1", props=[(ALIAS, 1)])).ping()
    wire.leave()
    wire = opened(PORT, 5, "aliasgone", **persistent(5))
    wire.send(publish(5, "", "2", props=[(ALIAS, 1)]))
    one_of(wire.expect(DISCONNECT).reason, [0x82, 0x94])
    fresh(5, "aliasgone")


def takeover_tells_why():
    first = opened(PORT, 5, "taken")
    second = opened(PORT, 5, "taken")
    first.expect(DISCONNECT, reason=0x8E)
    first.expect_closed()
    second.ping()
    second.close()


def takeover_closes(version):
    first = opened(PORT, version, f"taken{version}")
    second = opened(PORT, version, f"taken{version}")
    first.expect_closed()
    second.ping()
    second.close()


def client_id_given():
    with opened(PORT, 5, "") as one, opened(PORT, 5, "") as two:
        ids = [c.connack.props.get(ASSIGNED_ID) for c in (one, two)]
        one_of(bool(ids[0]) and bool(ids[1]) and ids[0] != ids[1], [True], f"two different ids: {ids}")


def puback_tells_nobody():
    with opened(PORT, 5, "nobody") as wire:
        equal(wire.send(publish(5, "nobody/at/all", "x", qos=1)).expect(PUBACK).reason, 0x10)
        equal(wire.send(publish(5, "nobody/at/all", "x", qos=2)).expect(PUBREC).reason, 0x10)
        wire.send(ack(PUBREL, 1)).expect(PUBCOMP, reason=0)
        wire.subscribe(("nobody/#", 0))
        wire.send(publish(5, "nobody/at/all", "x", qos=1, packet_id=2))
        reasons = [p.reason for p in (wire.read(), wire.read()) if p.kind == PUBACK]
        equal(reasons, [0])


def bad_filter_ends(version, bad):
    with opened(PORT, version, f"filter{version}") as wire:
        wire.send(subscribe(version, [("fine", 1), (bad, 0)]))
        if version == 5:
            wire.expect(DISCONNECT, reason=MALFORMED)
        wire.expect_closed()


def keep_alive_kept(version):
    with opened(PORT, version, f"alive{version}", keep_alive=1) as wire:
        start = time.monotonic()
        got = wire.read(seconds=4)
        if version == 5 and got is not None:
            equal((got.kind, got.reason), (DISCONNECT, 0x8D))
            got = wire.read()
        equal(got, None, "closed")
        took = time.monotonic() - start
        one_of(1.2 <= took <= 2.6 * SLOW, [True], f"1.5 times a keep-alive of 1 s: {took:.2f} s")


def subscription_ids_told():
    with opened(PORT, 5, "subids") as wire:
        wire.subscribe(("ids/+", 0), packet_id=1, props=[(SUBSCRIPTION_ID, 1)])
        wire.subscribe(("ids/#", 0), packet_id=2, props=[(SUBSCRIPTION_ID, 268435455)])
        wire.subscribe(("ids/a/+", 0), packet_id=3)
        wire.send(publish(5, "ids/a", "x"))
        seen = []
        while sorted(seen) != [1, 268435455]:  # one message with both, or one each
            seen += [value for key, value in wire.expect(PUBLISH, payload=b"x").all_props if key == SUBSCRIPTION_ID]
            one_of(len(seen) <= 2, [True], f"subscription identifiers {seen}")
        wire.ping()


def properties_pass_through():
    sent = [(PAYLOAD_FORMAT, 1), (EXPIRY, 300), (CONTENT_TYPE, "text/plain"), (RESPONSE_TOPIC, "answers/here"),
            (CORRELATION, b"\x00\xff\x01"), (USER, ("a", "1")), (USER, ("b", "")), (USER, ("a", "2"))]
    with opened(PORT, 5, "pass-props") as wire:
        wire.subscribe("props")
        wire.send(publish(5, "props", "text", props=sent))
        got = wire.expect(PUBLISH)
        equal([p for p in got.all_props if p[0] == USER], [p for p in sent if p[0] == USER], "user properties")
        rest = dict(p for p in sent if p[0] not in (USER, EXPIRY))
        equal({k: got.props.get(k) for k in rest}, rest)
        one_of(got.props.get(EXPIRY), [299, 300])


def older_subscriber_gets_newer_message():
    with opened(PORT, 4, "older") as old, opened(PORT, 5, "newer") as new:
        old.subscribe(("across", 1))
        new.send(publish(5, "across", "hi", qos=1, props=[(USER, ("k", "v"))])).expect(PUBACK)
        old.expect(PUBLISH, payload=b"hi", qos=1)
        new.subscribe(("back", 1))
        old.send(publish(4, "back", "yo", qos=1)).expect(PUBACK)
        new.expect(PUBLISH, payload=b"yo", qos=1)


for title, check in [
        ("receive maximum bounds what is in flight", receive_maximum_bounds_flight),
        ("a full window lets at-most-once messages pass", window_full_lets_at_most_once_pass),
        ("more than the broker's receive maximum is refused", beyond_receive_maximum),
        ("a message larger than the client's maximum is left out", packet_maximum_towards_client),
        ("topic aliases towards the client", alias_towards_client),
        ("no alias unless the client asked", no_alias_unless_asked),
        ("topic aliases from the client", alias_from_client),
        ("aliases die with the connection", alias_dies_with_connection),
        ("take-over tells why", takeover_tells_why),
        ("a client id is assigned", client_id_given),
        ("publishing to nobody is told", puback_tells_nobody),
        ("subscription identifiers are told", subscription_ids_told),
        ("properties pass through", properties_pass_through),
        ("3.1.1 and 5 meet", older_subscriber_gets_newer_message)]:
    add("v5 " + title, check)
for v in (3, 4):
    add(f"v{v} take-over closes the older connection", takeover_closes, v)
for v in (4, 5):
    for bad_filter in ("", "a/#/b", "a+", "#a", "a/b#") + (("$share/g", "$share//a", "$share/+/a", "$share/g/")
                                                          if v == 5 else ()):
        add(f"v{v} the filter '{bad_filter}' ends the connection", bad_filter_ends, v, bad_filter)
    add(f"v{v} keep alive is kept", keep_alive_kept, v)


# -- What breaks the rules. After CONNECT; version 5 is told the reason, the older ones are closed.

MALFORMED, PROTOCOL = 0x81, 0x82


def breaks_rules(version, data, reasons, options=None):
    with opened(PORT, version, f"rules{version}", **(options or {})) as wire:
        wire.send(data)
        got = wire.read()
        if version == 5:
            equal(got and got.kind, DISCONNECT, "first answer")
            one_of(got.reason, reasons, "reason")
            got = wire.read()
        equal(got, None, "closed")


def body_of(data):
    """A packet's body without its fixed header (for bodies below 128 bytes)."""
    return data[2:]


def cut(data, drop):
    """The packet with its last bytes missing and its length corrected."""
    body = body_of(data)[:-drop]
    return bytes([data[0]]) + varint(len(body)) + body


def rule_breakers(version):
    """(name, bytes, reasons that version 5 may be told)."""
    none = properties(version)
    yield "packet type 0", packet(0), [MALFORMED, PROTOCOL]
    yield "a second CONNECT", connect(version, f"rules{version}"), [PROTOCOL]
    yield "CONNACK from a client", packet(CONNACK, b"\0\0" + none), [PROTOCOL, MALFORMED]
    yield "SUBACK from a client", packet(SUBACK, b"\0\1" + none + b"\0"), [PROTOCOL, MALFORMED]
    yield "UNSUBACK from a client", packet(UNSUBACK, b"\0\1" + none + (b"\0" if version == 5 else b"")), \
        [PROTOCOL, MALFORMED]
    yield "PINGRESP from a client", packet(PINGRESP), [PROTOCOL, MALFORMED]
    yield "PINGREQ with a body", packet(PINGREQ, b"x"), [MALFORMED]
    yield "PINGREQ with flags", packet(PINGREQ, flags=1), [MALFORMED]
    yield "DISCONNECT with flags", packet(DISCONNECT, flags=1), [MALFORMED]
    yield "remaining length of five bytes", bytes([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]), [MALFORMED]
    yield "PUBLISH with both guarantee bits", publish(version, "a", "x", qos=1, flags=6), [MALFORMED]
    yield "PUBLISH with DUP at most once", publish(version, "a", "x", flags=8), [MALFORMED, PROTOCOL]
    yield "PUBLISH with packet id 0", publish(version, "a", "x", qos=1, packet_id=0), [MALFORMED, PROTOCOL]
    yield "PUBLISH to a filter with +", publish(version, "a/+", "x"), [MALFORMED, PROTOCOL, 0x90]
    yield "PUBLISH to a filter with #", publish(version, "#", "x"), [MALFORMED, PROTOCOL, 0x90]
    yield "PUBLISH to an empty topic", publish(version, "", "x"), [PROTOCOL, 0x90]
    yield "PUBLISH topic not UTF-8", publish(version, b"a\xc3", "x"), [MALFORMED, 0x90]
    yield "PUBLISH topic with U+0000", publish(version, b"a\0b", "x"), [MALFORMED, 0x90]
    yield "PUBLISH topic with a surrogate", publish(version, b"a\xed\xa0\x80", "x"), [MALFORMED, 0x90]
    yield "PUBLISH topic with an overlong form", publish(version, b"a\xc0\xaf", "x"), [MALFORMED, 0x90]
    yield "PUBLISH topic longer than the packet", packet(PUBLISH, b"\0\x09a"), [MALFORMED]
    yield "PUBLISH without a packet id", packet(PUBLISH, b"\0\1a\0", 2), [MALFORMED]
    yield "PUBREL with wrong flags", ack(PUBREL, 1, flags=0), [MALFORMED]
    yield "PUBACK with flags", ack(PUBACK, 1, flags=2), [MALFORMED]
    yield "PUBACK cut short", packet(PUBACK, b"\0"), [MALFORMED]
    yield "SUBSCRIBE with wrong flags", subscribe(version, [("a", 0)], flags=0), [MALFORMED]
    yield "SUBSCRIBE with packet id 0", subscribe(version, [("a", 0)], packet_id=0), [MALFORMED, PROTOCOL]
    yield "SUBSCRIBE without filters", subscribe(version, []), [PROTOCOL, MALFORMED]
    yield "SUBSCRIBE with guarantee 3", subscribe(version, [("a", 3)]), [PROTOCOL, MALFORMED]
    yield "SUBSCRIBE with reserved bits", subscribe(version, [("a", 0xC0)]), [MALFORMED]
    yield "SUBSCRIBE without options", cut(subscribe(version, [("a", 0)]), 1), [MALFORMED, PROTOCOL]
    yield "UNSUBSCRIBE with wrong flags", unsubscribe(version, ["a"], flags=0), [MALFORMED]
    yield "UNSUBSCRIBE without filters", unsubscribe(version, []), [PROTOCOL, MALFORMED]
    yield "UNSUBSCRIBE cut short", cut(unsubscribe(version, ["abc"]), 1), [MALFORMED]
    yield "SUBSCRIBE with more filters than it takes", subscribe(version, [("a", 0)] * 129), [0x97]
    yield "UNSUBSCRIBE with more filters than it takes", unsubscribe(version, ["a"] * 129), [0x97]
    if version < 5:
        yield "packet type 15", packet(AUTH), []
        yield "DISCONNECT with a body", packet(DISCONNECT, b"\0"), []
        yield "PUBACK with a reason", ack(PUBACK, 1, 0), []
        return
    yield "SUBSCRIBE with retain handling 3", subscribe(5, [("a", 0x30)]), [PROTOCOL, MALFORMED]
    yield "SUBSCRIBE no local on a shared one", subscribe(5, [("$share/g/a", 4)]), [PROTOCOL]
    yield "SUBSCRIBE with identifier 0", subscribe(5, [("a", 0)], props=[(SUBSCRIPTION_ID, 0)]), [PROTOCOL, MALFORMED]
    yield "SUBSCRIBE with two identifiers", \
        subscribe(5, [("a", 0)], props=[(SUBSCRIPTION_ID, 1), (SUBSCRIPTION_ID, 2)]), [PROTOCOL]
    yield "PUBLISH with alias 0", publish(5, "a", "x", props=[(ALIAS, 0)]), [0x94, PROTOCOL]
    yield "PUBLISH with an alias above the maximum", publish(5, "a", "x", props=[(ALIAS, 65535)]), [0x94]
    yield "PUBLISH with an unknown alias", publish(5, "", "x", props=[(ALIAS, 1)]), [PROTOCOL, 0x94]
    yield "PUBLISH with a subscription identifier", publish(5, "a", "x", props=[(SUBSCRIPTION_ID, 1)]), \
        [PROTOCOL, MALFORMED]
    yield "PUBLISH with a property twice", publish(5, "a", "x", props=[(CONTENT_TYPE, "a"), (CONTENT_TYPE, "a")]), \
        [PROTOCOL]
    yield "PUBLISH with another packet's property", publish(5, "a", "x", props=[(RECEIVE_MAX, 1)]), \
        [MALFORMED, PROTOCOL]
    yield "PUBLISH with an unknown property", packet(PUBLISH, b"\0\1a\x02\x7f\0"), [MALFORMED]
    yield "PUBLISH with properties past the end", packet(PUBLISH, b"\0\1a\x7f\x01\x01"), [MALFORMED]
    yield "PUBLISH with half a property", packet(PUBLISH, b"\0\1a\x02\x02\0"), [MALFORMED]
    yield "PUBLISH with payload format 2", publish(5, "a", "x", props=[(PAYLOAD_FORMAT, 2)]), \
        [PROTOCOL, MALFORMED, 0x99]
    yield "PUBLISH with a wildcard response topic", publish(5, "a", "x", props=[(RESPONSE_TOPIC, "b/#")]), \
        [PROTOCOL, MALFORMED, 0x90]
    yield "PUBACK with a reason of another packet", ack(PUBACK, 1, 0x92), [PROTOCOL, MALFORMED]
    yield "DISCONNECT reviving a session", packet(DISCONNECT, b"\0" + properties(5, [(SESSION_EXPIRY, 9)])), [PROTOCOL]
    yield "DISCONNECT with an unknown reason", packet(DISCONNECT, b"\x01"), [PROTOCOL, MALFORMED]
    yield "AUTH that nobody began", packet(AUTH, b"\x19\0"), [PROTOCOL]
    yield "AUTH cut short", packet(AUTH, b"\x18"), [MALFORMED, PROTOCOL]


for v in (4, 5):
    for title, data, reasons in rule_breakers(v):
        add(f"v{v} refuses {title}", breaks_rules, v, data, reasons)


# -- CONNECT that breaks the rules: closed, with a CONNACK that says why where the version has one.

def refused_connect(version, data, codes, closed_alone=True):
    with Wire(PORT, version) as wire:
        wire.version = 4  # a version that the broker does not know may be answered in an older one's words
        wire.send(data)
        got = wire.read()
        if got is None:
            one_of(closed_alone, [True], "closed without a word")
            return
        equal(got.kind, CONNACK, "answer")
        one_of(got.reason, codes, "CONNACK code")
        equal(wire.read(), None, "closed after the refusal")


def bad_connects():
    """(version, name, bytes, CONNACK codes allowed, whether closing without a word is allowed)."""
    yield 4, "another protocol's name", connect(4, "x", name="MQTX"), [1, 0x84], True
    yield 4, "level 9", connect(4, "x", level=9), [1, 0x84], False
    yield 5, "level 6", connect(5, "x", level=6), [1, 0x84], False
    yield 4, "an empty client id without clean session", connect(4, "", clean=False), [2], False
    for version in (4, 5):
        yield version, "the reserved flag", connect(version, "x", flags=3), [MALFORMED], True
        yield version, "will guarantee 3", connect(version, "x", will=("t", "p", 3, False, [])), [MALFORMED], True
        yield version, "a will flag without a will", connect(version, "x", flags=6), [MALFORMED], True
        yield version, "will retain without a will", connect(version, "x", flags=0x22), [MALFORMED], True
        yield version, "will guarantee without a will", connect(version, "x", flags=0x0A), [MALFORMED], True
        yield version, "a will to a wildcard", connect(version, "x", will=("t/#", "p", 0, False, [])), \
            [MALFORMED, PROTOCOL, 0x90], True
        yield version, "a client id not UTF-8", connect(version, b"\xff\xfe"), [MALFORMED, 2, 0x85], True
        yield version, "more than the packet should hold", \
            packet(CONNECT, body_of(connect(version, "x")) + b"more"), [MALFORMED], True
        yield version, "a packet cut short", cut(connect(version, "client"), 3), [MALFORMED], True
        yield version, "wrong flags", b"\x11" + connect(version, "x")[1:], [MALFORMED], True
        yield version, "SUBSCRIBE first", subscribe(version, [("a", 0)]), [], True
        yield version, "PINGREQ first", packet(PINGREQ), [], True
        yield version, "noise first", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [], True
    yield 4, "a password without a user name", connect(4, "x", flags=0x42) + string("p"), [4, 5], True
    for title, props in [("receive maximum 0", [(RECEIVE_MAX, 0)]), ("maximum packet size 0", [(PACKET_MAX, 0)]),
                         ("request problem information 2", [(REQUEST_PROBLEM, 2)]),
                         ("request response information 2", [(REQUEST_RESPONSE, 2)]),
                         ("session expiry twice", [(SESSION_EXPIRY, 1), (SESSION_EXPIRY, 1)]),
                         ("authentication data without a method", [(AUTH_DATA, b"x")]),
                         ("another packet's property", [(ALIAS, 1)])]:
        yield 5, title, connect(5, "x", props=props), [PROTOCOL, MALFORMED], True
    yield 5, "an unknown authentication method", connect(5, "x", props=[(AUTH_METHOD, "mystery")]), [0x8C], False


for v, title, data, codes, alone in bad_connects():
    add(f"v{v} CONNECT refused: {title}", refused_connect, v, data, codes, alone)


def still_serves():
    with opened(PORT, 5, "after") as wire:
        wire.subscribe("after")
        wire.send(publish(5, "after", "all that")).expect(PUBLISH, payload=b"all that")


def ends_well():
    equal(broker.stop(), 0, "exit code on SIGTERM")


add("after all that it still serves", still_serves)
add("and ends well", ends_well)
run_all()
