"""What is measured, and the bar for each row.

A bar has the figure wanted on the machine where it was set, and the ratios to peers that decide on any other machine.
"""
from dataclasses import dataclass, field

PAIRS, FANOUT, FANIN = ["pairs", "--pairs", "50"], ["fanout", "--subscribers"], ["fanin", "--publishers", "100"]
HEADER_BYTES = 19  # of a 64 B or 1 KB publish with this load's topics


@dataclass(frozen=True)
class Row:
    title: str
    load: list  # arguments of `arena bench`
    cpu_us: float  # the most that a delivery may cost the server
    ratios: dict = field(default_factory=dict)  # to a peer's CPU per delivery
    p99_of: tuple = ()  # peers: the p99 latency may not be above the best of these
    bare: list = field(default_factory=list)  # arguments of arena_bare_loop; none: no such comparison
    unsupported: tuple = ()  # peers that cannot do this at all
    tls: bool = False  # server and load meet over TLS
    websocket: bool = False  # ... or over WebSocket
    rates: tuple = ()  # peers: not fewer a second than the best of these

    @property
    def connections(self):
        return self.load[0] == "connections"


def bare(connections, payload=64, batch=100, *more):
    return ["--connections", str(connections), "--frame", str(payload + HEADER_BYTES), "--batch", str(batch), *more]


CONNECTIONS = 10_000
ROWS = [
    Row("fan-out 1→100", [*FANOUT, "100"], 0.20, {"mosquitto": 0.07, "nats": 0.26}, bare=bare(100)),
    Row("fan-out 1→100, TLS", [*FANOUT, "100"], 0.25, {"mosquitto": 0.05}, unsupported=("nats",), tls=True),
    Row("fan-out 1→100, WebSocket", [*FANOUT, "100"], 0.40, {"mosquitto": 0.055}, unsupported=("nats",), websocket=True),
    Row("fan-out 1→1,000", [*FANOUT, "1000"], 0.30, {"nats": 0.22}, bare=bare(1000)),
    Row("fan-out 1→100, 1 KB", [*FANOUT, "100", "--size", "1024"], 0.35, {"nats": 0.19}, bare=bare(100, 1024)),
    Row("fan-out 1→1,000, 1 KB", [*FANOUT, "1000", "--size", "1024"], 0.50, {"mosquitto": 0.05, "nats": 0.21},
        bare=bare(1000, 1024)),
    Row("50 pairs, QoS 0", PAIRS, 0.18, {"mosquitto": 0.019, "nats": 0.12}, bare=bare(50)),
    Row("50 pairs, QoS 1", [*PAIRS, "-q", "1", "--window", "16"], 1.2, {"mosquitto": 0.09}),
    Row("50 pairs, QoS 2", [*PAIRS, "-q", "2", "--window", "16"], 2.4, {"mosquitto": 0.09}, unsupported=("nats",)),
    Row("fan-in 100→1", [*FANIN, "--window", "8"], 0.85, {"mosquitto": 0.11, "nats": 0.22}, bare=bare(1, 64, 800)),
    # The ratios of these three follow from the peer's figures where the bars were set.
    Row("fan-out 1→100 at 100 msg/s", [*FANOUT, "100", "--rate", "100"], 8.5, {"mosquitto": 0.84},
        p99_of=("mosquitto",), bare=bare(100, 64, 1, "--rate", "100")),
    Row("50 pairs at 200 msg/s each", [*PAIRS, "--rate", "200"], 32, {"mosquitto": 0.83}, p99_of=("mosquitto", "nats"),
        bare=bare(50, 64, 1, "--rate", "10000", "--spread")),
    Row("connect + subscribe", ["connections", "-n", str(CONNECTIONS)], 40, {"mosquitto": 0.77}, rates=("mosquitto",)),
]
IDLE_BYTES_MAX = 800  # resident memory of an idle connection
ROUTING_NS_MAX, ROUTING_BYTES_MAX = 2000, 200  # a match, and a subscription, of a million with mixed wildcards
SCALING_ROW = "50 pairs, QoS 0"  # its CPU per delivery with one thread and with all
