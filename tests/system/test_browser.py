#!/usr/bin/env python3
"""examples/dashboard in headless Chromium: what devices publish is seen, and nothing is missed by who was away."""
import functools
import http.server
import threading
from pathlib import Path

from broker import SLOW, arena_bin
from chromium import Chromium
from durable import DurableBroker
from example import Example
from harness import equal, eventually, run_all, test
from web import curl, mqtt_publish

DASHBOARD = Path(__file__).resolve().parents[2] / "examples" / "dashboard"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve_page():
    """The page's port; served until the process ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=DASHBOARD))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class StreamBroker(DurableBroker):
    """Keeps devices/#, for a page of another origin."""

    def __init__(self, page_port):
        self.page_port = page_port
        super().__init__(http=True, configured=True, more='[[streams]]\nname = "devices"\nfilters = ["devices/#"]\n')

    def config_text(self):
        return super().config_text().replace("[http]", f'[http]\nallowed_origins = "http://127.0.0.1:{self.page_port}"')


def shown(chromium, device):
    return chromium.text(f"[data-device={device}] .value")


def see(chromium, device, value):
    eventually(lambda: shown(chromium, device) == value, f"the page shows {value} for {device}", seconds=10)


@test(seconds=40)
def the_dashboard_shows_its_devices_and_who_else_publishes():
    with Example(arena_bin()) as example, Chromium(slow=SLOW) as chromium:
        chromium.open(example.page)
        eventually(lambda: chromium.evaluate("[...document.querySelectorAll('.value')].filter(v => Number(v.textContent)).length") == 6,
                   "six devices have a value", seconds=15)
        eventually(lambda: chromium.text("#state") == "live", "the page is live")
        before = shown(chromium, "solar")
        eventually(lambda: shown(chromium, "solar") != before, "the value of a device changes", seconds=10)
        mqtt_publish("devices/desk", '{"value":21.5,"unit":"°C"}', example.mqtt_port)
        see(chromium, "desk", "21.5")
        equal(curl("/v1/topics/devices/desk", "-d", "22.5", port=example.http_port)[0], 200)
        see(chromium, "desk", "22.5")
        chromium.open(example.page)  # again: what was is there
        see(chromium, "desk", "22.5")
        eventually(lambda: chromium.evaluate("document.querySelector('[data-device=desk] .curve').getAttribute('d').split('L').length") == 2,
                   "the curve has both readings")


@test(seconds=40)
def an_event_source_resumes_after_the_broker_was_killed_and_misses_nothing():
    page = serve_page()
    with StreamBroker(page) as broker, Chromium(slow=SLOW) as chromium:
        chromium.before_each_page("var made = 0; window.EventSource = class extends EventSource { constructor(...a) { super(...a); ++made } }")
        chromium.open(f"http://127.0.0.1:{page}/?port={broker.http_port}")
        eventually(lambda: chromium.text("#state") == "live", "the page is live")
        for n in range(1, 4):
            mqtt_publish("devices/counter", str(n), broker.port)
        see(chromium, "counter", "3")

        broker.kill()
        eventually(lambda: chromium.text("#state") == "reconnecting", "the page knows that it is cut off")
        usual, elsewhere = broker.config_text(), broker.config_text().split("[http]")[0] + broker.more
        for text, upto in ((elsewhere, 9), (usual, None)):  # without HTTP first, so that the page is away for certain
            Path(broker.config).write_text(text, encoding="utf-8")
            broker.launch()
            if upto:
                for n in range(4, upto):
                    mqtt_publish("devices/counter", str(n), broker.port)
                broker.kill()
        eventually(lambda: chromium.text("#state") == "live, 5 caught up", "the page is live again and has caught up", seconds=20)
        see(chromium, "counter", "8")
        mqtt_publish("devices/counter", "9", broker.port)
        see(chromium, "counter", "9")
        equal(chromium.text("#count"), "9", "messages, each once")
        equal(chromium.text("#missed"), "")
        equal(chromium.evaluate("made"), 1, "it was the EventSource that came back")


run_all()
