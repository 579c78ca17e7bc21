"""A headless Chromium of a test's own, steered by the DevTools protocol over a pipe: JSON messages, each ended by a zero
byte. Everything that goes wrong in the page, on its console or on the network, is kept for the test to look at."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ["chromium", "chromium-browser", "google-chrome"]
SECONDS_MAX = 60


class Chromium:
    def __init__(self):
        path = next((found for found in map(shutil.which, NAMES) if found), None)
        if not path:
            raise SystemExit("there is no chromium: Scripts/setup installs it")
        self.profile = tempfile.mkdtemp(prefix="browser-")
        commands, self.output = os.pipe()
        self.input, answers = os.pipe()
        os.set_blocking(self.input, False)

        def channels():
            # The browser reads from 3 and writes to 4.
            low, high = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers))
            os.dup2(low, 3)
            os.dup2(high, 4)

        self.process = subprocess.Popen(
            [
                path, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-sync",
                "--hide-scrollbars", "--force-color-profile=srgb", "--font-render-hinting=none", "--ignore-certificate-errors",
                f"--user-data-dir={self.profile}", "about:blank",
            ],
            pass_fds=(3, 4), preexec_fn=channels, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False)
        os.close(commands)
        os.close(answers)
        self.number = 0
        self.buffer = b""
        self.events = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(domain + ".enable")
        self.troubles = []

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.output)
        os.close(self.input)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **parameters):
        """Sends a command and returns its result; what happens meanwhile is looked at too."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            rest = deadline - time.monotonic()
            if rest <= 0 or not select.select([self.input], [], [], rest)[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.input, 1 << 20)
            if not piece:
                raise RuntimeError("the browser has ended")
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self.note(message["method"], message["params"])
            self.events.append(message["method"])
        return message

    def note(self, method, event):
        if method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.troubles.append("console: " + " ".join(str(a.get("value", a.get("description"))) for a in event["args"]))
        elif method == "Runtime.exceptionThrown":
            self.troubles.append("exception: " + json.dumps(event["exceptionDetails"])[:400])
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.troubles.append(f"log: {event['entry']['text']} {event['entry'].get('url', '')}")

    def take_troubles(self):
        taken, self.troubles = self.troubles, []
        return taken

    def screen(self, width, height, dark):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def until(self, what, condition):
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                if self.ask(condition):
                    return
            except RuntimeError:
                pass  # between two pages there is nobody to ask
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain: {what} at {self.ask('location.href')}")
            time.sleep(0.05)

    def ask(self, script):
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def go(self, address):
        self.call("Page.navigate", url=address)
        self.until(f"{address} is loaded", f"document.readyState === 'complete' && location.href !== 'about:blank'")

    def act(self, what, script):
        """Does what leads to another page, and waits for that."""
        self.ask("window.isOld = true")
        self.ask(script)
        self.until(what, "document.readyState === 'complete' && window.isOld === undefined")

    def key(self, key, code):
        for kind in ["rawKeyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path, full=True):
        height = self.ask("document.documentElement.scrollHeight")
        width = self.ask("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, 6000), "scale": 1}
        options = {"clip": clip, "captureBeyondViewport": True} if full else {}
        data = self.call("Page.captureScreenshot", format="png", **options)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
