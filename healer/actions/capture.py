"""Keep evidence: what can still be told of a target, under the name of its own hash."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from healer import blocking
from healer.actions.interface import Action, Done, Order
from healer.clock import Clock
from healer.drivers import evidence
from healer.drivers.programs import Programs
from healer.errors import ActionError

_TOTAL = 256 * 1024 * 1024
"""Bytes of evidence kept in all; the oldest goes first."""


class Capture(Action):
    """The outcome holds the hash, so the file can be trusted later exactly as far as the log can."""

    verb = "capture"
    kinds = ("program", "process", "container")
    touches = "the evidence folder"

    def __init__(self, programs: Programs, clock: Clock, state_dir: Path) -> None:
        self._programs = programs
        self._clock = clock
        self._folder = state_dir / "evidence"

    async def act(self, order: Order) -> Done:
        """Gather and keep; raises ActionError when nothing could be written."""
        most = int(order.params.get("max_size", 1048576))
        told = self._told(order, most)
        content = await blocking.call(lambda: _gathered(told, order, most))
        name = await blocking.call(lambda: keep(self._folder, content))
        facts = {"sha256": name.partition(".")[0], "size": len(content), "file": f"evidence/{name}"}
        return Done(because=f"kept {len(content)} bytes of evidence {name[:12]}", facts=facts)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        return f"would keep evidence of {order.target.id}"

    def _told(self, order: Order, most: int) -> dict[str, object]:
        """What the agent itself knows."""
        told: dict[str, object] = {
            "target": order.target.id,
            "generation": order.generation,
            "intent": order.intent,
            "rule": order.rule,
            "because": order.because,
            "at": self._clock.wall(),
        }
        if order.target.kind == "program" and order.target.name in self._programs.names():
            seen = self._programs.snapshot(order.target.name)
            told["program"] = {field: getattr(seen, field) for field in seen.__slots__}
            told["output"] = self._programs.output(order.target.name, most // 2).decode("utf-8", "replace")
        return told


_LEFT_OUT = ((), ("host",), ("host", "process"), ("host", "process", "output"))
"""What is left out, from the least telling on, until the rest is small enough."""


def _gathered(told: Mapping[str, object], order: Order, most: int) -> bytes:
    pid = order.generation.partition(".")[0]
    process = evidence.of_process(int(pid)) if pid.isdecimal() else {}
    whole = {**told, "process": process, "host": evidence.of_host()}
    content = b""
    for left_out in _LEFT_OUT:
        kept = {name: value for name, value in whole.items() if name not in left_out}
        content = json.dumps({**kept, "left_out": left_out}, default=str).encode()
        if len(content) <= most:
            break
    return content[:most]


def keep(folder: Path, content: bytes) -> str:
    """Write it under its SHA-256, make room for it first, return the name; raises ActionError."""
    name = f"{hashlib.sha256(content).hexdigest()}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_room(folder, len(content))
        fresh = folder / f".{name}.new"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
        fresh.replace(folder / name)
    except OSError as exc:
        raise ActionError(f"cannot keep evidence in {folder.name}: {exc.strerror}") from exc
    return name


def _make_room(folder: Path, size: int) -> None:
    kept = sorted((entry.stat().st_mtime, entry.stat().st_size, entry) for entry in folder.glob("*.json"))
    total = sum(used for _, used, _ in kept) + size
    for _, used, entry in kept:
        if total <= _TOTAL:
            return
        entry.unlink(missing_ok=True)
        total -= used
