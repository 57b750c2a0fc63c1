"""What is kept of a target before it is restarted or stopped; of one that died, right after it was started again.

Evidence never costs a cure: what lives is looked at for two seconds at most, what is dead only once the cure is under
way, and whatever goes wrong here ends as a line in the log of the agent.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healer.actions.interface import Order
from healer.clock import Clock
from healer.drivers import evidence
from healer.drivers.slot import Slot
from healer.model.target import EMPTY
from healer.store import capsules

_log = logging.getLogger("healer.evidence")

BEFORE = 2.0
"""Seconds a living target is looked at, at most, before it is restarted."""
_PART = 0.25
"""Of a step's timeout: looking never takes more."""
_AFTER = 0.5
"""Seconds after the start of a dead target's replacement until the dead one is written about: the cure comes first."""
_PATIENCE = 5.0
MOST = 1024 * 1024
"""Bytes of one piece of evidence."""
_MOST_PIDS = 16
_AT_ONCE = 8
"""Looks that may be under way: one that hangs in the kernel is left behind, and must not be joined by many."""
_WAITING = 64
"""Deaths that wait to be written about; beyond, the oldest is dropped and counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the one who knows the target's kind has to say."""

    facts: Mapping[str, object] = field(default_factory=lambda: EMPTY)
    pids: Sequence[int] = ()
    """Its processes, the main one first."""
    files: Sequence[str] = ()
    """What it is configured by, beside what is declared."""


Teller = Callable[[Order], Awaitable[Told]]
Later = Callable[[], Mapping[str, object]]
"""Reads what was marked; blocks."""
Glance = Callable[[Order], Later]
"""Takes down, in microseconds, what the cure of a dead target would overwrite, and marks what can be read later."""


def nothing() -> Mapping[str, object]:
    """Nothing was marked."""
    return EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One piece of evidence, kept."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What the agent lends to whoever writes evidence down."""

    redact: Callable[[object], object] = lambda value: value
    """Takes the secrets in use out, wherever they turn up."""
    samples: Callable[[str], object] = lambda _: ()
    """The last readings of a target, by its id."""
    seal: Callable[[Mapping[str, Any]], None] = lambda _: None
    """Makes fields of the kind ``evidence`` an entry of the log."""


class Nobody:
    """Keeps nothing: for hands that are used by themselves."""

    def glance(self, order: Order) -> Later:
        """Take nothing down."""
        del order
        return nothing

    async def before(self, order: Order) -> Kept | None:
        """Keep nothing."""
        del order
        return None

    def afterwards(self, order: Order, seen: Later) -> None:
        """Keep nothing."""


class Evidence(Nobody):
    """Looks, keeps, and has the hash sealed. ``run`` belongs to the owner of the tasks."""

    def __init__(
        self,
        *,
        clock: Clock,
        state_dir: Path,
        tellers: Mapping[str, Teller] = EMPTY,
        glances: Mapping[str, Glance] = EMPTY,
        witness: Witness | None = None,
    ) -> None:
        self._clock, self._state_dir = clock, state_dir
        self._tellers, self._glances = tellers, glances
        self._witness = witness or Witness()
        self._waiting: deque[tuple[Order, Later, float, object]] = deque(maxlen=_WAITING)
        self._wanted = asyncio.Event()
        self._slot = Slot("evidence", _AT_ONCE)
        self.lost = 0
        """Deaths nothing was kept of, because too many waited."""

    async def before(self, order: Order) -> Kept | None:
        """Keep what can be told of a living target; None where that failed, or is not wanted. Never raises."""
        if not order.generation or not wanted(order):
            return None
        within = min(BEFORE, order.timeout * _PART)
        try:
            async with asyncio.timeout(within + 0.25):  # what hangs is left behind; what is slow gives up by itself
                return await self.capture(order, when="before", within=within)
        except Exception as exc:  # noqa: BLE001 - a cure must not fail because nobody could write about the disease
            _log.warning("evidence.not-kept", extra={"target": order.target.id, "because": repr(exc)})
            return None

    def glance(self, order: Order) -> Later:
        """Take down what the cure of a dead target is about to overwrite; costs microseconds. Never raises."""
        look = self._glances.get(order.target.kind)
        if look is None or order.generation or not wanted(order):
            return nothing
        try:
            return look(order)
        except Exception as exc:  # noqa: BLE001 - a cure must not fail because nobody could write about the disease
            _log.warning("evidence.not-kept", extra={"target": order.target.id, "because": repr(exc)})
            return nothing

    def afterwards(self, order: Order, seen: Later) -> None:
        """Have a death written about, once what heals it is done."""
        if order.generation or not wanted(order):
            return
        try:
            samples = self._witness.samples(order.target.id)  # now: later they would be those of the next life
        except Exception as exc:  # noqa: BLE001 - the cure is done, and must not be called a failure for this
            samples = repr(exc)[:500]
        self.lost += len(self._waiting) == _WAITING
        self._waiting.append((order, seen, self._clock.now(), samples))
        self._wanted.set()

    async def run(self) -> None:
        """Write about the dead until cancelled."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(_AFTER)
            await self.drain()

    async def drain(self) -> None:
        """Write about those that wait. Never raises."""
        self._wanted.clear()
        while self._waiting:
            order, seen, at, samples = self._waiting.popleft()
            last = {"samples": samples, "at": self._clock.wall() - (self._clock.now() - at)}
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self.capture(order, when="after", within=BEFORE, seen=seen, last=last)
            except Exception as exc:  # noqa: BLE001 - as above: one that cannot be written about ends here
                _log.warning("evidence.not-kept", extra={"target": order.target.id, "because": repr(exc)})

    async def capture(
        self,
        order: Order,
        *,
        when: str = "asked",
        within: float = BEFORE,
        most: int = MOST,
        seen: Later = nothing,
        last: Mapping[str, object] = EMPTY,
    ) -> Kept:
        """Look, keep, have it sealed; raises OSError (nothing could be written), SensorError (too many looks hang)."""
        until = self._clock.now() + within
        told = Told()
        if teller := self._tellers.get(order.target.kind) if seen is nothing else None:
            told = await self._ask(teller, order, within * 0.6)
        head = self._head(order, when) | dict(last) | dict(told.facts)
        declared = (order.target.spec.get("evidence") or EMPTY).get("files") or ()
        paths = [*map(str, declared), *told.files]
        content, left_out = await self._slot.call(
            # Of a dead one, the processes there are now are those of its next life.
            lambda: self._content({**head, **seen()}, () if when == "after" else told.pids, paths, until, most)
        )
        digest = await self._slot.call(lambda: capsules.keep(self._state_dir, content))
        self._tell(order, when, digest, len(content), left_out)
        return Kept(sha256=digest, size=len(content))

    async def _ask(self, teller: Teller, order: Order, within: float) -> Told:
        try:
            async with asyncio.timeout(within):
                return await teller(order)
        except Exception as exc:  # noqa: BLE001 - what one source cannot tell, others may
            return Told(facts={"could_not_ask": repr(exc)[:500]}, pids=_pids(order))

    def _head(self, order: Order, when: str) -> dict[str, object]:
        return {
            "target": order.target.id,
            "generation": order.generation,
            "intent": order.intent,
            "rule": order.rule,
            "because": order.because,
            "when": when,
            "at": self._clock.wall(),
            "samples": () if when == "after" else self._witness.samples(order.target.id),
        }

    def _content(
        self, head: Mapping[str, object], pids: Sequence[int], paths: Sequence[str], until: float, most: int
    ) -> tuple[bytes, tuple[str, ...]]:
        """Everything as JSON of at most ``most`` bytes; blocks."""

        def enough() -> bool:
            return self._clock.now() > until

        whole: dict[str, object] = {**head, "host": evidence.of_host(), "changes": evidence.changes()}
        if paths:
            whole["files"] = evidence.files(paths)
        whole["processes"] = {str(pid): evidence.of_process(pid, enough) for pid in pids[:_MOST_PIDS] if not enough()}
        return packed(evidence.without_secrets(self._witness.redact(whole)), most)

    def _tell(self, order: Order, when: str, digest: str, size: int, left_out: Sequence[str]) -> None:
        data = {"target": order.target.id, "intent": order.intent, "rule": order.rule, "when": when}
        if left_out:
            data["left_out"] = " ".join(left_out)
        self._witness.seal({"about": f"{order.target.id}, {_WHEN[when]}", "sha256": digest, "size": size, "data": data})


_WHEN = {"before": "before it was ended", "after": "after it had died", "asked": "as asked for"}
_LEFT_OUT = ("changes", "host", "files", "processes", "log", "output", "samples", "properties")
"""What is left out, from the least telling on, until the rest is small enough."""


def packed(whole: object, most: int) -> tuple[bytes, tuple[str, ...]]:
    """As JSON of at most ``most`` bytes, and the names of what was left out for that."""
    fields = dict(whole) if isinstance(whole, Mapping) else {}
    content = b""
    for number in range(len(_LEFT_OUT) + 1):
        gone = _LEFT_OUT[:number]
        kept = {name: value for name, value in fields.items() if name not in gone}
        told = tuple(name for name in gone if name in fields)
        content = json.dumps({**kept, "left_out": told}, default=str).encode()
        if len(content) <= most:
            return content, told
    return content[:most], _LEFT_OUT


def wanted(order: Order) -> bool:
    """Whether evidence is to be kept of this target by itself: ``evidence: {keep: false}`` says no."""
    return (order.target.spec.get("evidence") or EMPTY).get("keep", True) is not False


def _pids(order: Order) -> tuple[int, ...]:
    pid = order.generation.partition(".")[0]
    return (int(pid),) if pid.isdecimal() else ()
