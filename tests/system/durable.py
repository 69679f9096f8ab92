"""What tests of a broker with a data folder share."""
import os

from broker import Broker, quote
from harness import equal
from wire import *  # pylint: disable=wildcard-import,unused-wildcard-import


class DurableBroker(Broker):
    """`arena dev --data`, or `arena server` with store.data; can be killed and started again on its folder."""

    def __init__(self, reserve_bytes=None, **options):
        super().__init__(**options)
        self.data = os.path.join(self.folder, "data")
        self.reserve_bytes = reserve_bytes
        self.configured = self.configured or reserve_bytes is not None

    def config_text(self):
        reserve = f"reserve_bytes = {self.reserve_bytes}\n" if self.reserve_bytes is not None else ""
        return f"[store]\ndata = {quote(self.data)}\n{reserve}" + super().config_text()

    def command(self):
        return super().command() + ([] if self.configured else ["--data", self.data])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.launch()


def persistent(version):
    return {"clean": False, "props": [(SESSION_EXPIRY, 3600)] if version == 5 else []}


def leave_messages(port, version, name, count):
    """A session that is away, with `count` messages at QoS 1 and as many at QoS 2, all acknowledged."""
    away = opened(port, version, name, **persistent(version))
    away.subscribe((f"{name}/#", 2))
    away.reset()
    with opened(port, version, f"{name}-p") as publisher:
        for n in range(count):
            publisher.send(publish(version, f"{name}/one", f"one {n}", qos=1, packet_id=1 + n)).expect(PUBACK)
        for n in range(count):
            publisher.send(publish(version, f"{name}/two", f"two {n}", qos=2, packet_id=1 + n)).expect(PUBREC)
            publisher.send(ack(PUBREL, 1 + n)).expect(PUBCOMP)


def take(wire, count):
    """The next messages, each acknowledged, until the last handshake has ended."""
    got, open_handshakes = [], 0
    while len(got) < count or open_handshakes:
        packet_ = wire.read()
        if packet_.kind == PUBREL:
            wire.send(ack(PUBCOMP, packet_.packet_id))
            open_handshakes -= 1
            continue
        equal(packet_.kind, PUBLISH)
        got.append((packet_.qos, packet_.payload.decode()))
        wire.send(ack(PUBACK if packet_.qos == 1 else PUBREC, packet_.packet_id))
        open_handshakes += packet_.qos == 2
    return got
