"""A headless Chromium over the pipe of its DevTools protocol: just enough to open a page, give it files and look."""

import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
SECONDS = 60


class Chromium:
    """One browser with one tab; what goes wrong in the page is raised here."""

    def __init__(self, program: str, profile: Path, *more: str) -> None:
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()
        command = [program, *FLAGS, *more, f"--user-data-dir={profile}", "about:blank"]
        # It wants to read on descriptor 3 and to write on 4.
        shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.number = 0
        self.heard = b""
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        tab = next(one["targetId"] for one in targets if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.back)

    def _message(self, until: float) -> dict[str, Any]:
        while b"\0" not in self.heard:
            ready, _, _ = select.select([self.back], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError("Chromium does not answer")
            part = os.read(self.back, 1 << 20)
            if not part:
                raise ConnectionError("Chromium ended")
            self.heard += part
        one, self.heard = self.heard.split(b"\0", 1)
        return json.loads(one)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser, and wait for its answer."""
        self.number += 1
        asked = {"id": self.number, "method": method, "params": params}
        if self.session:
            asked["sessionId"] = self.session
        os.write(self.to, json.dumps(asked).encode() + b"\0")
        until = time.monotonic() + SECONDS
        while True:
            said = self._message(until)
            if said.get("id") == self.number:
                assert "error" not in said, f"{method}: {said['error']}"
                return said["result"]
            self.events.append(said)

    def js(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        said = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def wait(self, expression: str, seconds: float = SECONDS) -> None:
        until = time.monotonic() + seconds
        while not self.js(expression):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.02)

    def give(self, selector: str, files: list[Path]) -> None:
        """Choose files in an input, as a user would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def screenshot(self) -> str:
        """A picture of the page, as base64 of a PNG."""
        return self.call("Page.captureScreenshot", format="png")["data"]

    def complaints(self) -> list[dict[str, Any]]:
        """Exceptions, and what the console and the security policy said."""
        bad = {"Runtime.exceptionThrown", "Log.entryAdded"}
        return [one["params"] for one in self.events if one.get("method") in bad]

    def requests(self) -> list[str]:
        """Every address the page asked for."""
        return [
            one["params"]["request"]["url"] for one in self.events if one.get("method") == "Network.requestWillBeSent"
        ]
