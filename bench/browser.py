"""How fast the browser's page verifies a log of 10⁶ entries: the page itself, in a real Chromium, on a local file.

The floor is what the same browser needs for reading the file and for hashing as many octets, in the same run.
"""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT / "tests" / "verifiers"), str(CHECKOUT / "verifiers" / "browser")]

import build  # type: ignore[import-not-found] # noqa: E402 # a script beside the page's sources, no package
import chromium  # type: ignore[import-not-found] # noqa: E402 # the tests' own client of DevTools
import forge  # type: ignore[import-not-found] # noqa: E402 # the tests' own writer of logs

from bench.figures import at_most, quick  # noqa: E402 # after the path was set

ENTRIES = 1_000_000
BLOCK = 4096
TEXT = 140
"""Fills an entry up to about 300 octets."""
TARGET_FLAT_S, TARGET_MERKLE_S = 1.0, 3.0
ROUNDS = 5
FLOOR = """(async () => {
  const file = document.getElementById('floor').files[0];
  const began = performance.now();
  const size = 8 << 20;
  const coming = [];
  for (let at = 0; at < file.size; at += size) {
    coming.push(file.slice(at, at + size).arrayBuffer().then((part) => crypto.subtle.digest('SHA-256', part)));
    if (coming.length > 2) await coming.shift();
  }
  await Promise.all(coming);
  return (performance.now() - began) / 1000;
})()"""


def write(folder: Path, entries: int) -> list[Path]:
    """Write a log of full blocks; returns the files the page is given."""
    log = forge.Log(origin="bench", chance=random.Random(1), key=forge.key(0))
    for first in range(0, entries, BLOCK):
        count = min(BLOCK, entries - first)
        text = "x" * TEXT
        made = (log.common("event", n) | {"type": "bench.entry", "data": {"text": text, "n": n}} for n in range(count))
        log.seal_octets([forge.canonical(entry) for entry in made])
    forge.write(folder / "audit.db", log.rows)
    (folder / "key.pem").write_bytes(forge.key(0).pem)
    (folder / "anchor").write_bytes(log.anchor())
    (folder / "page.html").write_text(build.page(), encoding="utf-8")
    return [folder / name for name in ("audit.db", "key.pem", "anchor")]


def once(browser: chromium.Chromium, files: list[Path], *, merkle: bool) -> float:
    """Let the page verify, and return the seconds it says it took."""
    browser.js(f"document.querySelector('[name=merkle]').checked = {json.dumps(merkle)}")
    browser.js("document.getElementById('report').hidden = true")
    browser.give("#files", files)
    browser.wait("!document.getElementById('report').hidden")
    verdict, seconds = browser.js("(({dataset: d}) => [d.verdict, d.seconds])(document.getElementById('report'))")
    if verdict != "proven":
        sys.exit(f"the bench's own log is {verdict} in the browser")
    return float(seconds)


def main() -> None:
    """Print the figures as JSON."""
    program = shutil.which("chromium")
    if program is None:
        print(json.dumps({"skipped": "chromium is not installed"}))
        return
    entries = ENTRIES // 10 if quick() else ENTRIES
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        files = write(folder, entries)
        browser = chromium.Chromium(program, folder / "profile")
        try:
            browser.open((folder / "page.html").as_uri())
            browser.js("document.body.insertAdjacentHTML('beforeend', '<input type=file id=floor>')")
            browser.give("#floor", files[:1])
            floor = min(browser.js(FLOOR) for _ in range(ROUNDS))
            flat = min(once(browser, files, merkle=False) for _ in range(ROUNDS))
            merkle = min(once(browser, files, merkle=True) for _ in range(ROUNDS))
        finally:
            browser.close()
        scale = entries / ENTRIES
        figures = {
            "entries": entries,
            "octets": files[0].stat().st_size,
            "browser_flat_s": at_most(flat, TARGET_FLAT_S * scale, floor),
            "browser_merkle_s": at_most(merkle, TARGET_MERKLE_S * scale, floor),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
