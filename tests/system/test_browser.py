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
from harness import add, equal, eventually, run_all, test
from web import curl, mqtt_publish

DASHBOARD = Path(__file__).resolve().parents[2] / "examples" / "dashboard"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Failing(Quiet):
    def do_GET(self):
        self.send_error(503)


def serve(handler, port=0):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def serve_page():
    """The page's port; served until the process ends."""
    return serve(functools.partial(Quiet, directory=DASHBOARD)).server_port


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
def what_comes_by_history_and_live_is_shown_once():
    page = serve_page()
    with StreamBroker(page) as broker, Chromium(slow=SLOW) as chromium:
        chromium.before_each_page("var real = fetch, gate = new Promise(open => { window.go = open }); window.fetch = async (...a) => { await gate; return real(...a) }")
        mqtt_publish("devices/counter", "1", broker.port)
        chromium.open(f"http://127.0.0.1:{page}/?port={broker.http_port}")
        eventually(lambda: chromium.text("#state") == "live", "the page is live")
        mqtt_publish("devices/counter", "2", broker.port)
        chromium.evaluate("go()")
        see(chromium, "counter", "2")
        mqtt_publish("devices/counter", "3", broker.port)
        see(chromium, "counter", "3")
        equal(chromium.text("#count"), "3", "messages, each once")


def publish_elsewhere(broker, numbers):
    """The broker runs without HTTP meanwhile, so that no page can be there."""
    usual = broker.config_text()
    Path(broker.config).write_text(usual.split("[http]")[0] + broker.more, encoding="utf-8")
    broker.launch()
    for n in numbers:
        mqtt_publish("devices/counter", str(n), broker.port)
    broker.kill()
    Path(broker.config).write_text(usual, encoding="utf-8")


def check_comes_back(answered_with_errors):
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
        if answered_with_errors:
            failing = serve(Failing, broker.http_port)
            eventually(lambda: chromium.evaluate("made") == 3, "the page tries again and again", seconds=15)
            failing.shutdown()
            failing.server_close()
        publish_elsewhere(broker, range(4, 9))
        broker.launch()
        eventually(lambda: chromium.text("#state") == "live, 5 caught up", "the page is live again and has caught up", seconds=20)
        see(chromium, "counter", "8")
        mqtt_publish("devices/counter", "9", broker.port)
        see(chromium, "counter", "9")
        equal(chromium.text("#count"), "9", "messages, each once")
        equal(chromium.text("#missed"), "")
        if not answered_with_errors:
            equal(chromium.evaluate("made"), 1, "it was the EventSource that came back")


add("an event source resumes after the broker was killed and misses nothing", check_comes_back, False, seconds=40)
add("a page that was answered with errors meanwhile goes on where it was", check_comes_back, True, seconds=40)


run_all()
