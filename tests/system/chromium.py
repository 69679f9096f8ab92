#!/usr/bin/env python3
"""A page in headless Chromium, driven by the DevTools protocol over a pipe.

    tests/system/chromium.py ADDRESS FILE.png [WAIT-SECONDS]      a picture of a page that lives for so long first
"""
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time


class Chromium:
    """One page. evaluate() runs a script in it and returns what it gives."""

    def __init__(self, width=1060, height=600, slow=1):
        self.folder = tempfile.mkdtemp(prefix="arena-chromium-")
        self.seconds, self.number, self.input, self.session = 15 * slow, 0, b"", None
        from_us, self.to_it = os.pipe()
        self.from_it, to_us = os.pipe()

        def take_ends():  # it reads 3 and writes 4
            reading, writing = os.dup(from_us), os.dup(to_us)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses root one
        self.process = subprocess.Popen(
            ["chromium-headless-shell", *sandbox, "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-proxy-server",
             f"--user-data-dir={self.folder}", f"--window-size={width},{height}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=take_ends, close_fds=False)
        os.close(from_us)
        os.close(to_us)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def call(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to_it, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + self.seconds
        while True:
            answer = self.read(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def read(self, deadline):
        while b"\0" not in self.input:
            ready, _, _ = select.select([self.from_it], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.from_it, 1 << 20) if ready else b""
            if not more:
                raise AssertionError("Chromium has ended" if ready else "Chromium does not answer")
            self.input += more
        text, _, self.input = self.input.partition(b"\0")
        return json.loads(text)

    def before_each_page(self, script):
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def open(self, address):
        self.call("Page.navigate", url=address)

    def evaluate(self, script):
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise AssertionError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def text(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent")

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.to_it)
        os.close(self.from_it)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


if __name__ == "__main__":
    with Chromium() as chromium:
        chromium.open(sys.argv[1])
        time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 1)
        with open(sys.argv[2], "wb") as file:
            file.write(chromium.picture())
