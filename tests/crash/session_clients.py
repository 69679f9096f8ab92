"""Clients that ask for all that a subscription can have, that share it, that stay away until their session is over, and whose
messages and wills have times (clients.py)."""
import time
import zlib

from clients import KEEP_ALIVE_S, Client, Publisher, Subscriber, payload_of, place_of, props_sum, read_payload, user_properties
from own_clients import Wills
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import

FOREVER = 0xFFFFFFFF
ALIASES = 4
OWN_ID = 60000  # a packet id that no SUBSCRIBE has


class Wish:
    """A subscription with all that it asks for. `topics`: what its filter comes to."""

    def __init__(self, filter_, topics, number, qos=1, retain=False, local=True, position=False, group=None):
        self.filter, self.topics, self.id, self.qos, self.retain, self.local = filter_, topics, number, qos, retain, local
        self.position, self.group = position, group
        self.granted = False

    def options(self):
        return {"qos": self.qos, "retain": self.retain, "local": self.local, "id": self.id, "position": self.position}

    def packet(self, packet_id):
        byte = self.qos | (0 if self.local else 4) | (8 if self.retain else 0) | 2 << 4  # no last values
        props = ([(SUBSCRIPTION_ID, self.id)] if self.id else []) + ([(USER, ("arena-positions", "1"))] if self.position else [])
        return subscribe(5, [(f"$share/{self.group}/{self.filter}" if self.group else self.filter, byte)], packet_id, props)


class Asking(Subscriber):
    """A session of version 5 with several wishes, which it says once. With `own` it publishes to a topic of its own, too."""
    version = 5

    def __init__(self, name, history, wishes, presence=0.5, expiry=FOREVER, own=None):
        owed = sorted({topic for wish in wishes if wish.qos and not wish.group for topic in wish.topics})
        super().__init__(name, history, [], owed, 2, presence)
        self.wishes, self.expiry, self.own = wishes, expiry, own
        self.number, self.answered, self.asked, self.left_at = 0, True, 0, None
        self.aliases = {}

    def now(self):
        return round(time.monotonic() - self.history.began, 4)

    def hello(self):
        self.asked, self.left_at, self.aliases = self.now(), None, {}
        return connect(5, self.name, clean=False, keep_alive=KEEP_ALIVE_S, props=[(SESSION_EXPIRY, self.expiry), (ALIAS_MAX, ALIASES)])

    def resume(self, connack):
        self.history.add("connected", session=self.name, present=connack.session_present, asked=self.asked,
                         **({} if self.expiry == FOREVER else {"expiry": self.expiry}))
        if not connack.session_present:
            self.open = {}
            self.forget()
        wanted = self.wanted()
        self.subscribed = all(wish.granted for wish in wanted)
        for packet_id, wish in enumerate(wanted, 1):
            if not wish.granted:
                self.wish(wish, "joining" if wish.group else "subscribing", qos=wish.qos, options=wish.options(), filter=wish.filter)
                self.send(wish.packet(packet_id))
        self.publish_own()

    def wanted(self):
        return self.wishes

    def forget(self):
        self.subscribed = False
        for wish in self.wishes:
            wish.granted = False

    def wish(self, wish, event, **more):
        self.history.add(event, session=self.name, topics=wish.topics, **({"group": wish.group} if wish.group else {}), **more)

    def publish_own(self):
        if not self.own:
            return
        self.number, self.answered = self.number + 1, False
        payload = payload_of(self.name, self.number, 300)
        self.tell_own("publish", qos=1, sum=zlib.crc32(payload))
        self.send(publish(5, self.own, payload, qos=1, packet_id=OWN_ID))

    def tell_own(self, event, **more):
        self.history.add(event, client=self.name, topic=self.own, number=self.number, **more)

    def leave(self):
        self.left_at = self.now()
        super().leave()

    def end_of_connection(self):
        return {} if self.left_at is None else {"since": self.left_at}

    def close(self):
        if self.wire and not self.answered:
            self.answered = True
            self.tell_own("unknown")
        if self.wire and not self.connected and self.expiry != FOREVER:
            self.forget()  # it may have been let in, and with a session that knows nothing
        super().close()

    def take(self, got):
        if got.kind == SUBACK:
            wish = self.wishes[got.packet_id - 1]
            if got.reasons != [wish.qos]:
                self.history.complain(f"{self.name}: was granted {got.reasons} of {wish.filter}")
            wish.granted = True
            if wish.qos:
                self.wish(wish, "joined" if wish.group else "subscribed")
            self.subscribed = all(one.granted for one in self.wishes)
        elif got.kind == PUBACK and got.packet_id == OWN_ID:
            self.answered = True
            self.tell_own("acked")
        else:
            super().take(got)

    def read(self, got):
        """Its topic may be told by an alias, which is known on this connection only."""
        alias = got.props.get(ALIAS)
        if alias:
            if not got.topic and alias not in self.aliases:
                self.history.complain(f"{self.name}: got alias {alias}, which it was not told")
            got.topic = got.topic or self.aliases.get(alias, "")
            self.aliases[alias] = got.topic
        return read_payload(got.payload)

    def details(self, got):
        place = user_properties(got).get("arena-position")
        ids = sorted(value for key, value in got.all_props if key == SUBSCRIPTION_ID)
        return {"as": {"retain": got.retain, "ids": ids, "position": place is not None}, "props": props_sum(got),
                "life": got.props.get(EXPIRY), **place_of(place)}


class Member(Asking):
    """Shares what it asks for with others; `got` is what all of a group have together."""

    def __init__(self, name, history, wishes, got, presence=0.5):
        super().__init__(name, history, wishes, presence)
        self.got = got  # topic -> {client: numbers}
        self.group_of = {topic: wish.group for wish in wishes for topic in wish.topics}
        self.number_at = {}

    def delivered(self, got, client, number):
        fields = {"group": self.group_of.get(got.topic), "session": self.name, "client": client, "topic": got.topic, "number": number}
        self.history.add("handed", qos=got.qos, sum=zlib.crc32(got.payload), **fields, **self.details(got))
        self.got.setdefault(got.topic, {}).setdefault(client, set()).add(number)

    def settle(self, topic, client, number):
        self.history.add("handed_settled", group=self.group_of.get(topic), session=self.name, client=client, topic=topic, number=number)


class Absent(Asking):
    """Its session is over soon after it leaves. It comes back when that is so for certain, or long before; it says goodbye or
    not."""

    LATE_S = 0.3  # behind its expiry

    def __init__(self, name, history, wishes, expiry, chance):
        super().__init__(name, history, wishes, 1, expiry)
        self.random, self.back_at = chance, 0

    def comes(self, _random):
        return self.now() >= self.back_at

    def go(self, until_over=False):
        """When there is nothing more to ask for."""
        if not self.subscribed or not self.connected:
            return
        late = until_over or self.random.random() < 0.7
        self.back_at = self.now() + (self.expiry + self.LATE_S if late else self.random.uniform(0, self.expiry / 2))
        if until_over or self.random.random() < 0.7:
            self.leave()


class Fickle(Asking):
    """Unsubscribes, and subscribes again some connections later."""

    def __init__(self, name, history, wishes, chance):
        super().__init__(name, history, wishes, 0.7)
        self.all_topics, self.random = self.topics, chance
        self.topics, self.steady = [], False

    def wanted(self):
        return self.wishes if self.steady or self.random.random() < 0.5 else []

    def go(self):
        if self.wishes[0].granted and self.connected and not self.steady:
            self.topics = []
            self.wish(self.wishes[0], "unsubscribing")
            self.send(unsubscribe(5, [self.wishes[0].filter], OWN_ID))

    def take(self, got):
        if got.kind == UNSUBACK:
            self.wish(self.wishes[0], "unsubscribed")
            self.wishes[0].granted = False
            return
        super().take(got)
        if got.kind == SUBACK:
            self.topics = self.all_topics


class Guest(Asking):
    """Begins anew, goes on, or has no session at all behind its connection."""

    def __init__(self, name, history, wishes, chance):
        super().__init__(name, history, wishes, 0.7)
        self.all_topics, self.random, self.sure = self.topics, chance, False
        self.start_clean, self.stays, self.steady = True, True, False
        self.unanswered = False  # a request for a session that stays

    def hello(self):
        if self.unanswered:
            self.history.add("perhaps_begun", session=self.name)
        self.start_clean = not self.sure or not self.steady and self.random.random() < 0.6
        self.stays = self.steady or self.random.random() < 0.6 or not self.start_clean
        if self.start_clean:
            self.sure = False
            self.history.add("dropped", session=self.name)
        self.expiry = FOREVER if self.stays else 0
        self.unanswered = self.stays
        super().hello()
        return connect(5, self.name, clean=self.start_clean, keep_alive=KEEP_ALIVE_S, props=[(SESSION_EXPIRY, self.expiry)])

    def wanted(self):
        return self.wishes if self.stays else []

    def resume(self, connack):
        self.sure, self.unanswered = True, False
        self.expiry = FOREVER
        super().resume(connack)
        if not self.stays:
            self.history.add("over", session=self.name)
            self.forget()
            self.subscribed = True  # all that it wants
        self.topics = self.all_topics if self.stays else []


class LateWills(Wills):
    """Its wills go out when it has been away for a while. Comes back before, and then there is none, or after that."""
    DELAY = 1

    def __init__(self, name, history, slack, writing, chance):
        super().__init__(name, history)
        self.slack, self.writing, self.random = slack, writing, chance
        self.open = []  # [number, away since, for certain]: what became of these is not known yet
        self.back_at, self.asked, self.steady = 0, 0, False

    def now(self):
        return time.monotonic() - self.history.began

    def hello(self):
        self.asked = self.now()
        return super().hello()

    def will_properties(self):
        return super().will_properties() + [(WILL_DELAY, self.DELAY)]

    def connect(self, port):
        if self.steady or self.now() >= self.back_at:
            super().connect(port)

    def resume(self, connack):
        super().resume(connack)
        for number, since, certain in self.open:
            if certain is not None and self.asked > certain + self.DELAY + self.slack:
                self.say("acked", number)
                self.owed = number
            else:
                self.say("refused" if since is not None and self.now() < since + self.DELAY - 0.05 else "unknown", number)
        self.open = []

    def say(self, event, number):
        self.history.add(event, client=self.name, topic=self.topic, number=number)

    def close(self):
        if self.wire and self.number:
            if self.taken == self.number:
                self.open.append([self.number, self.now(), None])
            else:  # taken or not: that of the one before is now as uncertain as its own
                for number in [*(one[0] for one in self.open), self.number]:
                    self.say("unknown", number)
                    self.unnoted.append(number)
                self.open = []
            away = self.random.random()
            self.back_at = self.now() + (self.DELAY + self.slack if away < 0.5 else self.random.uniform(0, 0.5) if away < 0.8 else 0)
        Client.close(self)

    def broker_killed(self):
        super().broker_killed()
        for number, since, certain in self.open:
            noted = certain is not None and self.now() > certain + self.DELAY + self.slack + self.writing
            if self.now() > since + self.DELAY - 0.05 and not noted:
                self.say("may_repeat", number)
        for one in self.open:
            if one[2] is not None and self.now() - one[2] < self.writing:
                one[2] = None  # it may not be written down

    def broker_started(self):
        """After a kill it is away for certain."""
        for one in self.open:
            one[2] = one[2] or self.now()

    def finish(self):
        for number in [*(one[0] for one in self.open), *([self.number] if self.wire else [])]:
            self.say("unknown", number)
        self.open = []


class Brief(Publisher):
    """Every other of its messages is over after a second; it sends some of them with each connection."""
    LIVES = (1, 3600)
    version = 5

    def __init__(self, name, history, topic, qos):
        super().__init__(name, history, topic, qos, window=2)
        self.more = 0

    def hello(self):
        return connect(5, self.name, clean=False, keep_alive=KEEP_ALIVE_S, props=[(SESSION_EXPIRY, FOREVER)])

    def resume(self, connack):
        self.more = 12
        super().resume(connack)

    def fill(self):
        while self.filling and self.free and self.more:
            self.more -= 1
            self.send_next()

    def last_owed(self):
        """What lives for a second only may be over before somebody is there."""
        return max(0, self.number - (1 - self.number % 2))

    def message(self, packet_id, number, dup=False):
        payload, life = self.payload(number), self.LIVES[number % 2]
        self.tell("publish", number, qos=self.qos, sum=zlib.crc32(payload), on=self.connections, life=life)
        return publish(5, self.topic, payload, qos=self.qos, packet_id=packet_id, dup=dup, props=[(EXPIRY, life)])
