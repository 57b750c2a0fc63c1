"""Decisions and outcomes become entries here: the only writer of the log, the only maker of sealed intents."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit import archive, canonical, commitments, entry
from audit.commitments import Private
from audit.errors import AuditError, DiskFull
from audit.opening import open_log
from audit.reader import Blocks, sealed_of
from audit.writer import Receipt, Writer
from healer.clock import Clock
from healer.errors import LogFullError, SealError
from healer.model.decision import Decision, SealedIntent
from healer.model.effect import Act, Note
from healer.model.memory import Memory
from healer.model.sealable import sealable
from healer.model.verbs import VERBS

RESERVED_KINDS = frozenset({"outcome", "verdict", "state", "lifecycle", "request", "mode", "maintenance"})
"""What may use the space kept back for a full disk: how things ended, and brakes; and the intent of what frees some."""

ARCHIVE = "archive"
"""Folder in the state folder where archives of pruned blocks lie unless the configuration says otherwise."""


@dataclass(slots=True)
class AuditClock:
    """The agent's clock as the log wants it: integer microseconds."""

    clock: Clock

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return round(self.clock.wall() * 1e6)

    def mono_us(self) -> int:
        """Microseconds since boot, suspend included."""
        return round(self.clock.now() * 1e6)

    def boot_id(self) -> str:
        """The kernel's boot id."""
        return self.clock.boot_id()


class Record:
    """Seals batches in the order given; one batch is one block (or shares one with its neighbours)."""

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        *,
        sealed: Callable[[SealedIntent], None],
        refused: Callable[[Decision, SealError], None],
        broken: Callable[[SealError], None],
        secrets: Collection[str] = (),
        conceal: Sequence[str] = (),
    ) -> None:
        self.secrets: Collection[str] = secrets
        """Values that are never sealed or shown, wherever they turn up."""
        self.conceal: Sequence[str] = conceal
        """Globs of dotted paths whose texts are sealed as commitments, and kept beside the log."""
        self._writer = writer
        self._clock = clock
        self._sealed, self._refused, self._broken = sealed, refused, broken
        self._pending = 0
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self.failed: SealError | None = None
        """Why the last batch could not be sealed; None once one was again."""
        self.lost = 0
        """Effects whose entries the log never took: from then on it does not hold all that the core remembers."""
        self.entries = 0
        """Sealed since the start."""
        self.sealed_at: float | None = None
        self.grown: Callable[[], None] = _nobody
        """Told of every batch that is durable."""

    @property
    def idle(self) -> bool:
        """Whether everything submitted is durable."""
        return self._pending == 0

    def submit(self, batch: Sequence[Note | Act]) -> None:
        """Seal a batch; the callbacks given at construction hear of each intent, on the loop's thread."""
        if not batch:
            return
        kept: list[tuple[int, Private]] = []
        entries = [self._fields(place, effect, kept) for place, effect in enumerate(batch)]
        reserve = all(fields["kind"] in RESERVED_KINDS or _frees(fields) for fields in entries)
        loop = asyncio.get_running_loop()
        self._pending += 1
        self._idle.clear()
        try:
            future = self._writer.submit(entries, reserve=reserve, **({"private": kept} if kept else {}))
        except AuditError as exc:
            loop.call_soon(self._settle, batch, None, exc)
            return
        future.add_done_callback(lambda done: self._hand_over(loop, batch, done))

    def _fields(self, place: int, effect: Note | Act, kept: list[tuple[int, Private]]) -> dict[str, Any]:
        """What is sealed: without secrets, and in the log's profile, whatever a sensor or a person put into it."""
        fields = effect.fields if isinstance(effect, Note) else effect.entry
        if self.conceal:
            # Before redaction, which would leave nothing to keep; secrets in use are not kept here either.
            fields, taken = commitments.conceal(sealable(fields), self.conceal, clean=self.redacted)
            kept.extend((place, one) for one in taken)
        return sealable({name: entry.redact(value, self.secrets) for name, value in fields.items()})

    def redacted(self, value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
        """The same without secrets, for those who listen or look."""
        return entry.redact(value, self.secrets)

    def _hand_over(
        self, loop: asyncio.AbstractEventLoop, batch: Sequence[Note | Act], done: "Future[Sequence[Receipt]]"
    ) -> None:
        """Runs in the writer's thread (or, inline, in this one)."""
        error = done.exception()
        receipts = None if error else done.result()
        try:
            loop.call_soon_threadsafe(self._settle, batch, receipts, error)
        except RuntimeError:
            return  # the loop has ended: what is durable is durable, and nobody is left to act on it

    def _settle(
        self, batch: Sequence[Note | Act], receipts: Sequence[Receipt] | None, error: BaseException | None
    ) -> None:
        self._pending -= 1
        if self._pending == 0:
            self._idle.set()
        if receipts is None:
            self._failed(batch, error)
            return
        self.sealed_at = self._clock.now()
        self.failed = None
        self.entries += len(receipts)
        self.grown()
        for effect, receipt in zip(batch, receipts, strict=True):
            if isinstance(effect, Act):
                self._sealed(
                    SealedIntent(decision=effect.decision, leaf=receipt.leaf, seq=receipt.seq, sealed_at=self.sealed_at)
                )

    def _failed(self, batch: Sequence[Note | Act], error: BaseException | None) -> None:
        because = error.message if isinstance(error, AuditError) else repr(error)
        why = LogFullError if isinstance(error, DiskFull) else SealError
        failure = why(f"the log took nothing: {because}", hint="seal or stop: nothing is done until it does")
        first, self.failed = self.failed is None, failure
        if first:
            self._broken(failure)
        self.lost += len(batch)
        if isinstance(error, DiskFull):
            self._salvage(batch)
        for effect in batch:
            if isinstance(effect, Act):
                self._refused(effect.decision, failure)

    def _salvage(self, batch: Sequence[Note | Act]) -> None:
        """Seal what may use the reserve, where something in the same batch that may not has kept it out."""
        kept = [effect for effect in batch if isinstance(effect, Note) and effect.kind in RESERVED_KINDS]
        if len(kept) < len(batch):
            self.lost -= len(kept)
            self.submit(kept)

    async def flush(self) -> None:
        """Wait until everything submitted is durable, or has failed."""
        await self._idle.wait()


def _frees(fields: Mapping[str, Any]) -> bool:
    """Whether it is the intent of something that gives space back."""
    verb = VERBS.get(str(fields.get("action"))) if fields["kind"] == "intent" else None
    return verb is not None and verb.frees


def _nobody() -> None:
    """Nobody wants to know."""


def recall(
    folder: Path,
    snapshot: tuple[int, str, Mapping[str, Any]] | None,
    archives: Sequence[Path] = (),
    *,
    until: float = math.inf,
) -> tuple[Memory, int]:
    """Fold the safety state from the log in ``folder``; returns it and the number of entries folded.

    ``snapshot`` (height, header hash, body of `Memory.to_json`) saves the work below its height when the log holds
    exactly that header there; otherwise it is ignored. What was pruned above it is read from its archive, in one of
    ``archives`` or in ``folder/archive``. Raises AuditError when the log cannot be read, or an archive is missing: an
    agent that has forgotten its brakes must not start as if there were none. ``until`` is the wall second up to which
    entries count: what was remembered then.
    """
    with open_log(folder) as log:
        return fold(log, snapshot, (*archives, folder / ARCHIVE), until=until)


def fold(
    log: Blocks,
    snapshot: tuple[int, str, Mapping[str, Any]] | None,
    archives: Sequence[Path],
    *,
    until: float = math.inf,
) -> tuple[Memory, int]:
    """The same for a log that is open."""
    start, memory = _from_snapshot(log, snapshot)
    folded = 0
    for row in archive.whole(log, start, archives):
        for sealed in sealed_of(row):
            fields = canonical.decode(sealed.octets)
            if int(str(fields["ts"])) > until * 1e6:
                return memory, folded
            if commitments.MARK in sealed.octets:
                fields = commitments.veil(fields)
            if fields["kind"] == "intent":
                fields["leaf"] = sealed.leaf
            memory.apply(fields)
            folded += 1
    return memory, folded


def _from_snapshot(log: Blocks, snapshot: tuple[int, str, Mapping[str, Any]] | None) -> tuple[int, Memory]:
    if snapshot is None:
        return 0, Memory()
    height, header, body = snapshot
    row = log.row(height)
    if row is None or hashlib.sha256(row.hdr).hexdigest() != header:
        return 0, Memory()
    try:
        return height + 1, Memory.from_json(body)
    except (KeyError, TypeError, ValueError):
        return 0, Memory()
