"""What is measured of the web's doors, and the bars.

Where a peer is named, its ratio to that peer in the same run decides on any machine. Memory and the CPU of a delivery hold still
enough to be judged by their figures; rates do not, so that a peer without a bar stands beside them.
"""
from durable_rows import LIMIT, MOSQUITTO, NATS, Bar, Row

NGINX, OVER_MQTT = "nginx", "arena, MQTT QoS 1"
CPU = "server_cpu_us"


def per_cpu_second(ratio):
    return Bar("requests per CPU second", "per_cpu_second", least=True, peer=NGINX, ratio=ratio, scale=1e-3, unit="k")


def delivery(bound, peer=None, ratio=None):
    return Bar("CPU a delivery", CPU, bound, peer=peer, ratio=ratio, unit="µs")


def memory(bound):
    return Bar("memory each", "rss_bytes_each", bound, unit="B")


def synced():
    return Bar("rate", "per_second", 80e3, least=True, peer=LIMIT, scale=1e-3, unit="k/s")


# REST: arguments of h2load. SSE: connections, and followers on each.
ROWS = [
    Row("MQTT over WebSocket, fan-out 1→100", "fanout", (delivery(0.40, MOSQUITTO, 0.055),), (MOSQUITTO,),
        ("fan-out 1→100, WebSocket",)),
    Row("MQTT over TLS, fan-out 1→100", "fanout", (delivery(0.25, MOSQUITTO, 0.05),), (MOSQUITTO,), ("fan-out 1→100, TLS",)),
    Row("REST publish, HTTP/1.1, 50 connections", "rest", (per_cpu_second(0.7),), (NGINX,), ("HTTP/1.1", 50, 1)),
    Row("REST publish, HTTP/2, 50 connections × 16", "rest", (per_cpu_second(0.7),), (NGINX,), ("HTTP/2", 50, 16)),
    Row("REST publish, HTTP/1.1 over TLS, 10 connections", "rest", (per_cpu_second(0.7),), (NGINX,), ("HTTP/1.1, TLS", 10, 1)),
    Row("REST publish, HTTP/2 over TLS, 10 connections × 16", "rest", (per_cpu_second(0.7),), (NGINX,), ("HTTP/2, TLS", 10, 16)),
    Row("REST publish, durable, HTTP/1.1, 100 connections", "durable", (synced(),), (OVER_MQTT, LIMIT), ("HTTP/1.1", 100, 1)),
    Row("REST publish, durable, HTTP/2, 100 connections × 16", "durable", (synced(),), (OVER_MQTT, LIMIT), ("HTTP/2", 100, 16)),
    Row("server-sent events, fan-out 1→1,000, a connection each", "events", (delivery(1.0),), (), (1000, 1)),
    Row("server-sent events, fan-out 1→1,000, 10 connections × 100", "events", (delivery(1.0),), (), (10, 100)),
    Row("idle: MQTT over WebSocket, 10,000 clients", "idle_websocket", (memory(2048),), (MOSQUITTO, NATS), (10_000, "ws")),
    Row("idle: MQTT over WebSocket and TLS, 2,000 clients", "idle_websocket", (memory(20 * 1024),), (), (2_000, "wss")),
    Row("idle: events over HTTP/2, 5,000 connections", "idle_events", (memory(4096),), (), (5_000, 1)),
    Row("idle: events over HTTP/2, 100 connections × 100 followers", "idle_events", (memory(4096),), (), (100, 100)),
    Row("idle: events over HTTP/2 and TLS, 2,000 connections", "idle_events_tls", (memory(20 * 1024),), (), (2_000,)),
]
