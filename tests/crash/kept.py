"""The judge's part that is about what sessions and messages are told to be: what a subscription asked for, when a session is
over, and how long a message lives (history.py)."""

CLOCK_S = 0.1  # that two clocks may differ over a restart


class Wish:
    """What a session asked for with one filter."""

    def __init__(self, options):
        self.qos, self.retain, self.local = options["qos"], options["retain"], options["local"]
        self.id, self.position = options["id"], options["position"]


class Absence:
    """A session without a connection: it began at the earliest at `began`, and for certain before `certain` (None: not known)."""

    def __init__(self, began, certain):
        self.began, self.certain = began, certain


class Kept:
    def __init__(self, checker):
        self.checker = checker
        self.slack = 1  # seconds that a timer of the broker may be late, on a busy machine
        self.writing = 1  # that it may take to write down who is away

    # ---- subscriptions ----

    def unsubscribing(self, session, event):
        """Nothing more is owed. What had left may come once more."""
        session.granted -= set(event["topics"])
        for key, view in session.views.items():
            if key[1] in event["topics"]:
                view.owed_from = None

    def unsubscribed(self, session, event):
        for key, flow in self.checker.flows.items():
            if key[1] in event["topics"]:
                session.unwanted.setdefault(key, []).append([len(flow.messages) + 1, None])

    def wanted_again(self, session, topics):
        """What was acknowledged before is not for it."""
        for key, spans in session.unwanted.items():
            if key[1] in topics and spans[-1][1] is None:
                spans[-1][1] = self.checker.flows[key].acked_all()

    def subscribing(self, session, event):
        self.wanted_again(session, event["topics"])
        if "options" in event:
            for topic in event["topics"]:
                session.wishes.setdefault(topic, {})[event["filter"]] = Wish(event["options"])

    def delivered(self, session, event, message):
        """Each delivery is as all subscriptions together want it that the session has for its topic."""
        self.alive(event, message, event["session"])
        for first, last in session.unwanted.get((event["client"], event["topic"]), ()):
            if event["number"] >= first and (last is None or event["number"] <= last) and not message.may_be_stored_twice():
                self.checker.blame("phantom", f"{event['session']} got {event['topic']} {event['number']} of {event['client']}, which "
                                              f"was published when it was not subscribed")
        wishes = session.wishes.get(event["topic"])
        if not wishes or "as" not in event:
            return
        own = event["client"] == event["session"]
        heard = [wish for wish in wishes.values() if wish.local or not own]
        what = f"{event['session']} got {event['topic']} {event['number']} of {event['client']}"
        if not heard:
            self.checker.blame("misdelivered", what + ", its own, which it does not want")
            return
        wanted = {"qos": min(message.qos, max(wish.qos for wish in heard)),
                  "retain": message.retain and any(wish.retain for wish in heard),
                  "ids": sorted(wish.id for wish in heard if wish.id),
                  "position": any(wish.position for wish in heard)}
        self.compare(what, wanted, {"qos": event["qos"], **event["as"]})

    def compare(self, what, wanted, got):
        wrong = {key: value for key, value in wanted.items() if got.get(key) != value}
        if wrong:
            self.checker.blame("misdelivered", f"{what} with { {key: got.get(key) for key in wrong} }, and asked for {wrong}")

    @staticmethod
    def owes(session, key, name):
        """Nothing of a client's own to its session, if that is what it wants."""
        wishes = session.wishes.get(key[1])
        return key[0] != name or not wishes or any(wish.local for wish in wishes.values())

    # ---- the life of a message ----

    def alive(self, event, message, who):
        """A message that has a life says how much is left of it, and does not come when that is over."""
        if message.life is None or "life" not in event:
            return
        what = f"{who} got {event['topic']} {event['number']} of {event['client']}"
        left, late = event["life"], event["at"] - (message.acked_at or event["at"])
        if left is None or left > message.life:
            self.checker.blame("ill-timed", f"{what} with {left} s to live, and it was given {message.life}")
        elif late > message.life + 2 * self.slack:
            self.checker.blame("ill-timed", f"{what} {late:.1f} s after its {message.life} s began")
        elif left < message.life - (event["at"] - message.sent_at) - 2 * self.slack:
            self.checker.blame("ill-timed", f"{what} with {left} s to live of {message.life}, too early")

    # ---- the life of a session ----

    def away(self, session, event):
        """Its connection is over; if it ended cleanly, the broker knows by now."""
        if "at" in event:
            session.absence = Absence(event.get("since", event["at"]), event["at"] if event.get("clean") else None)

    @staticmethod
    def unanswered(session, event):
        """It may have been let in, and if its session was over by then, with another: nothing is owed to that."""
        if session.absence is None or session.expiry is None:
            return
        session.absence.certain = None
        if event["at"] > session.absence.began + session.expiry - CLOCK_S:
            session.granted = set()
            for view in session.views.values():
                view.owed_from = None

    def crashed(self, sessions, event):
        """What it may not have written down yet begins anew."""
        for session in sessions:
            absence = session.absence
            if absence is not None and absence.certain is not None and event.get("at", 0) - absence.certain < self.writing:
                absence.certain = None

    def started(self, sessions, event):
        """After a kill: all are away, and who was not before is from now on."""
        for session in sessions:
            if session.absence is not None and session.absence.certain is None:
                session.absence.certain = event["at"]

    def over(self, session, event):
        """Asked when it connects: may it be over by its expiry? Who comes back too late is not let in again, however late a timer is."""
        absence, expiry, session.absence = session.absence, session.expiry, None
        session.expiry = event.get("expiry")
        if expiry is None or absence is None:
            return False
        if event["present"] and absence.certain is not None and event["asked"] > absence.certain + expiry + CLOCK_S:
            self.checker.blame("ill-timed", f"{event['session']} was resumed {event['asked'] - absence.certain:.1f} s after it "
                                            f"left, and expires after {expiry}")
        return not event["present"] and event["at"] > absence.began + expiry - CLOCK_S
