"""``healer replay`` of a month of 200 metrics at ten seconds, as a person calls it.

Once with rules that compare every one of them with bounds, and once, over a few hours told as a month, with the shipped
rules, of which some look at each sample of half of the series (averages, and trends of fifty disks). The history is
packed by the store's own code; fifty programs die and leak now and then. The floor is to read and decode the same
samples and do nothing with them. With ``--quick`` three days are replayed, told as a month.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench.agent import CHECKOUT
from bench.figures import at_most, quick, told
from healer.model.observation import Series, labels
from healer.store.archive import Archive
from healer.store.chunks import DAY, SLOT, packed
from healer.store.kept import Sample
from healer.store.schema import chunk
from healer.store.store import Store

BEGIN, MONTH, EVERY = 1_790_000_000 // DAY * DAY, 30, 10
PROGRAMS = 50
FEW = 4 * 3600
"""Seconds of history for the rules that look at every sample."""
TARGET_S = 60.0
CONFIG = """\
version: 1
rules: {{files: [{rules}]}}
programs:
{programs}
"""
RULE = """\
version: 1
rules:
  - id: bench-leaks
    each: {kind: program}
    when: program.memory{target} > 600MiB and program.cpu{target} < 90%
    for: 10m
    cooldown: 1h
    then: [{restart: {}, verify: {when: "program.memory{target} < 300MiB", within: 10m}}]
  - id: bench-died
    each: {kind: program}
    when: program.up{target} == 0
    then: [{restart: {}, verify: {when: "program.up{target} == 1", within: 2m}}]
  - id: bench-fills
    when: max(disk.used) > 90%
    then: [{notify: journal}]
"""


def walks(chance: random.Random) -> Iterator[tuple[Series, Iterator[float]]]:
    """Two hundred series of a host with fifty programs."""
    for number in range(PROGRAMS):
        marks = labels(target=f"program:app-{number}")
        yield Series("program.up", marks), up(random.Random(chance.random()))
        yield Series("program.cpu", marks), busy(random.Random(chance.random()))
        yield Series("program.memory", marks), leak(random.Random(chance.random()))
        yield Series("disk.used", labels(mount=f"/srv/{number}")), busy(random.Random(chance.random()))


def up(chance: random.Random) -> Iterator[float]:
    """Up, and down for a minute about once in three days."""
    while True:
        for _ in range(int(chance.expovariate(1 / 26_000)) + 1):
            yield 1.0
        for _ in range(6):
            yield 0.0


def busy(chance: random.Random) -> Iterator[float]:
    """A share that never stands still."""
    held = 0.3
    while True:
        held = min(0.85, max(0.05, held + chance.gauss(0, 0.02)))
        yield round(held, 3)


def leak(chance: random.Random) -> Iterator[float]:
    """Memory that grows for two weeks, and is given back."""
    held = chance.uniform(1e8, 6e8)
    while True:
        held = held + chance.uniform(0, 9e3) if held < 7e8 else 1e8
        yield float(round(held / 4096) * 4096)


def fill(folder: Path, days: int) -> None:
    """A state.db of so many days."""
    store = Store(folder / "state.db")
    made = list(walks(random.Random(7)))
    store.record(Sample(metric=one.metric, labels=one.labels, at=float(BEGIN), value=1.0) for one, _ in made)
    numbers = {one: number for number, one in store.reader.series().items()}
    for slot in range(BEGIN + SLOT, BEGIN + days * DAY, SLOT):
        times = [float(at) for at in range(slot, slot + SLOT, EVERY)]
        rows = [packed(numbers[one], slot, times, [next(walk) for _ in times]) for one, walk in made]
        with store.begin() as connection:
            connection.execute(insert(chunk), rows)
    store.close()


def replayed(folder: Path, rules: str, seconds: int) -> float:
    """Seconds that the command takes over the first so many of the history."""
    programs = "".join(f"  - {{name: app-{n}, organ: heart, command: [sleep, '1']}}\n" for n in range(PROGRAMS))
    (folder / "o.yaml").write_text(CONFIG.format(rules=rules, programs=programs))
    argv = [sys.executable, "-m", "healer", "--config", str(folder / "o.yaml"), "--state-dir", str(folder)]
    asked = ("replay", "--from", f"@{BEGIN}", "--to", f"@{BEGIN + seconds}", "--json")
    began = time.perf_counter()
    subprocess.run([*argv, *asked], check=True, capture_output=True, timeout=900)
    return time.perf_counter() - began


def measure() -> dict[str, Any]:
    """Both figures, told as a month's."""
    days = 3 if quick() else MONTH
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as name:
        folder = Path(name)
        (folder / "own.yaml").write_text(RULE)
        fill(folder, days)
        began = time.perf_counter()
        with Archive(folder) as archive:
            samples = sum(len(times) for stretch in archive.stretches() for _, times, _ in stretch)
        floor = time.perf_counter() - began
        bounds = replayed(folder, "own.yaml", days * DAY)
        every = replayed(folder, f"{CHECKOUT / 'rules'}/*.yaml", FEW)
    scale = MONTH / days
    return {
        "days": days,
        "samples": samples,
        "month_s": at_most(bounds * scale, TARGET_S, floor * scale),
        "month_shipped_s": at_most(every * MONTH * DAY / FEW, TARGET_S, floor * scale),
    }


if __name__ == "__main__":
    told(measure)
