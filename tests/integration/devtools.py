# SPDX-License-Identifier: GPL-2.0-or-later
"""A page in headless Chromium, driven as a person would: by clicks, keys and looking at it.

    with devtools.Page(path, fragment="zoom=3", dark=True) as page:
        page.click(x, y); page.key("Escape"); page.type("text"); page.js("1 + 1")
        page.screenshot("a.png")

Talks the DevTools protocol over a pipe (NUL-terminated JSON). `page.complaints` holds what the
browser's console, scripts that failed and the page's security policy had to say, `page.requests`
the addresses that were asked for besides the page itself. Missing raises when there is no Chromium.
"""
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--window-size=1280,800", "--remote-debugging-pipe",
         # A machine that is busy makes no difference to what is tested.
         "--disable-background-timer-throttling", "--disable-renderer-backgrounding"]
PATIENCE = 60
# Of keys with a name: what the page and what the browser know them by.
CODES = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
         "ArrowDown": 40, "Home": 36, "End": 35, "Tab": 9}
MODIFIERS = {"Control": 2, "Shift": 8}


class Missing(Exception):
    """There is no Chromium here."""


class Failed(Exception):
    """The page, or the browser, did not do what was asked."""


def _high(fd):
    """The same file with a number that is out of the way of 3 and 4, which are the browser's."""
    other = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return other


class Page:
    def __init__(self, path, fragment="", dark=False, width=1280, height=800):
        browser = next((p for p in ("chromium", "chromium-browser", "google-chrome")
                        if shutil.which(p)), None)
        if not browser:
            raise Missing("no chromium; install it: apt-get install chromium")
        self.complaints, self.requests = [], []
        self._id, self._data, self._events = 0, b"", []
        self._address = pathlib.Path(path).resolve().as_uri()
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._out = map(_high, os.pipe())
        self._in, theirs_out = map(_high, os.pipe())

        def hand_over():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)
            os.setsid()

        self._process = subprocess.Popen(
            [browser, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=hand_over, pass_fds=(3, 4))
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            self._attach(width, height, dark)
            self.go(fragment)
        except BaseException:
            self.close()
            raise

    def _attach(self, width, height, dark):
        self._session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.scheme(dark)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for fd in (self._in, self._out):
            os.close(fd)
        self._profile.cleanup()

    # ---- the protocol ----

    def _receive(self, deadline):
        while b"\0" not in self._data:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._in], [], [], left)[0]:
                raise Failed("the browser does not answer")
            more = os.read(self._in, 1 << 20)
            if not more:
                raise Failed("the browser has ended")
            self._data += more
        message, self._data = self._data.split(b"\0", 1)
        return json.loads(message)

    def _note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            # Of reading pixels back, which tests do and pages do not.
            if "getImageData" not in params["entry"]["text"]:
                self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and \
                params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([a.get("value") for a in params["args"]]))
        elif method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if url.split("#")[0] != self._address:
                self.requests.append(url)
        elif method:
            self._events.append(method)

    def call(self, method, **params):
        self._id += 1
        message = {"id": self._id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != self._id:
                self._note(answer)
                continue
            if "error" in answer:
                raise Failed(f"{method}: {answer['error']['message']}")
            return answer["result"]

    # ---- what a person does ----

    def go(self, fragment="", path=None):
        """Loads the page anew, or another one."""
        if path:
            self._address = pathlib.Path(path).resolve().as_uri()
        self.call("Page.navigate", url="about:blank")
        self._events.clear()
        self.call("Page.navigate", url=self._address + (f"#{fragment}" if fragment else ""))
        deadline = time.monotonic() + PATIENCE
        while "Page.loadEventFired" not in self._events:
            self._note(self._receive(deadline))
        self.settle()

    def settle(self):
        """Waits until what was asked for is drawn."""
        self.js("new Promise(done => setTimeout(() => requestAnimationFrame(() => "
                "requestAnimationFrame(() => done(0))), 20))")

    def scheme(self, dark, motion=False):
        # Motion has to be waited for.
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                            {"name": "prefers-reduced-motion",
                             "value": "no-preference" if motion else "reduce"}])

    def js(self, text):
        answer = self.call("Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Failed(f"{text}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def move(self, x, y):
        self.mouse("mouseMoved", x, y)

    def click(self, x, y, count=1):
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=count)
        self.settle()

    def click_on(self, selector):
        place = self.js("(b => [b.left + b.width / 2, b.top + b.height / 2])"
                        f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())")
        self.click(*place)

    def drag(self, x0, y0, x1, y1, modifiers=()):
        held = sum(MODIFIERS[m] for m in modifiers)
        self.mouse("mouseMoved", x0, y0)
        self.mouse("mousePressed", x0, y0, button="left", clickCount=1, modifiers=held)
        for k in range(1, 5):
            self.mouse("mouseMoved", x0 + (x1 - x0) * k / 4, y0 + (y1 - y0) * k / 4, button="left",
                       buttons=1, modifiers=held)
        self.mouse("mouseReleased", x1, y1, button="left", clickCount=1, modifiers=held)
        self.settle()

    def wheel(self, x, y, dy, dx=0, modifiers=()):
        self.mouse("mouseWheel", x, y, deltaX=dx, deltaY=dy,
                   modifiers=sum(MODIFIERS[m] for m in modifiers))

    def key(self, key):
        code = CODES.get(key, ord(key.upper()[0]))
        text = {} if key in CODES and key != "Enter" else {"text": "\r" if key == "Enter" else key}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
        self.settle()

    def type(self, text):
        self.call("Input.insertText", text=text)
        self.settle()

    def choose(self, selector, value):
        """Chooses of a list; its popup is no part of the page."""
        self.js(f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('change', "
                f"{{bubbles: true}})); }})(document.querySelector({json.dumps(selector)}))")
        self.settle()

    def fragment(self):
        return self.js("location.hash.slice(1)")

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
