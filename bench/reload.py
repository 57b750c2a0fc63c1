"""Reload of 500 rules in a running agent: how long its loop stands still for it, and whether an event is lost.

A task on the agent's own loop wants to run every millisecond; the longest it is kept waiting is the figure, beside the
longest while nothing is reloaded (the floor). Meanwhile events come in, each of which must be heard.
"""

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.check import RULES, write
from bench.figures import at_most, quick, told
from healer.app.agent import Agent

TARGET_MS = 50.0
RELOADS = 3
EVENTS = 100
"""During each reload."""


async def waits(stop: asyncio.Event) -> float:
    """The longest pause between two turns of a task that asks for one every millisecond, in milliseconds."""
    longest, last = 0.0, time.perf_counter()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest * 1e3


async def beside(work: Any) -> float:  # noqa: ANN401 - anything that can be awaited
    """What one has to wait while something goes on."""
    stop = asyncio.Event()
    waiting = asyncio.ensure_future(waits(stop))
    await asyncio.sleep(0.01)
    await work
    stop.set()
    return await waiting


async def speak(agent: Agent, number: int) -> None:
    """Events, one after the other, while the reload goes on."""
    for count in range(EVENTS):
        agent.ask("event", "agent", {"topic": "bench.told", "data": {"number": number * EVENTS + count}}, "bench")
        await asyncio.sleep(0.002)


async def run(folder: Path) -> dict[str, Any]:
    """Start an agent, reload it a few times, stop it."""
    write(folder, wide=RULES + 1)  # each about one target
    agent = Agent(str(folder / "organism.yaml"), state_dir=folder / "state")
    ready, heard = asyncio.Event(), []
    agent.on("bench.*", lambda _topic, data: heard.append(data["number"]))
    serving = asyncio.ensure_future(agent.serve(ready=ready.set))
    await ready.wait()
    await asyncio.sleep(5.0)  # its programs are started
    floor = await beside(asyncio.sleep(1.0 if quick() else 3.0))
    took, longest = [], []
    for number in range(RELOADS):
        began = time.perf_counter()
        longest.append(await beside(asyncio.gather(agent.reload(), speak(agent, number))))
        took.append(time.perf_counter() - began)
    await asyncio.sleep(1.0)
    agent.ask_stop()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    return {
        "rules": RULES,
        "whole_ms": max(took) * 1e3,
        "loop_waits_ms": at_most(sorted(longest)[len(longest) // 2], TARGET_MS, floor),
        "longest_ms": max(longest),
        "events": RELOADS * EVENTS,
        "lost": RELOADS * EVENTS - len(set(heard)),
    }


def measure() -> dict[str, Any]:
    """The figures of one agent."""
    with tempfile.TemporaryDirectory(prefix="hb", dir="/tmp") as folder:
        return asyncio.run(run(Path(folder)))


if __name__ == "__main__":
    told(measure)
