"""What others vouch for: the log's witnesses and its time-stamp authority, as the agent asks and hears them."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.files import read_small, write_atomically
from audit.writer import Writer
from healer import blocking
from healer.clock import Clock
from healer.config.values import Audit
from healer.errors import HealerError
from healer.record import AuditClock
from healer.runtime.calendar import Calendar
from healer.runtime.selfcheck import Trust
from healer.runtime.witnessing import Answer, Contradicted, Witnessing

_log = logging.getLogger("healer.testimony")
_ACCEPTED = "accepted.json"
LAST = 0.4
"""Seconds a stop waits for the witnesses to see the last block."""
RETRY = 60.0
"""Seconds between two looks whether a time stamp is due, so that an authority out of reach is soon asked again."""


class Testimony:
    """Nothing of it exists, and nothing is imported, where the configuration names no witnesses and no authority."""

    def __init__(
        self,
        audit: Audit,
        *,
        writer: Writer,
        state_dir: Path,
        clock: Clock,
        happened: Callable[..., None],
        tell: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """``happened`` takes a fact into the core, ``tell`` a word onto the bus."""
        self._audit, self._writer, self._clock = audit, writer, clock
        self._happened, self._tell = happened, tell
        self.configured = bool(audit.policy or audit.timestamps)
        self.trust = Trust(
            policy=Path(audit.policy) if audit.policy else None,
            roots=Path(audit.timestamps.roots) if audit.timestamps else None,
        )
        self.asking: Witnessing | None = None
        """None where there are no witnesses, or none that can be asked."""
        self.trouble: list[str] = []
        """What of the configuration cannot be used, in words."""
        self.contradictions: dict[str, Contradicted] = {}
        """What witnesses hold against our log, by the witness, and nobody has accepted."""
        self._accepted: dict[str, int] = {}
        self._reached: bool | None = None
        self._stamper: Any = None
        self._stamp_trouble = ""
        self._stamped_at = 0.0
        self._folder = state_dir
        self.broke_at = writer.broke_at
        """Block at which this run's start found the ratchet lost; None where it did not, or once that is witnessed."""
        if self.configured:
            self._build()

    def _build(self) -> None:
        """Make what is configured; what cannot be used is told, and the healing goes on without it."""
        from healer.app.notes import Notes
        from healer.app.witnesses import Asker, Stamper
        from healer.config.policy import read, roots

        audit, heads = self._audit, self._writer.heads
        try:
            self._notes = Notes(self._folder, clock=self._clock, size=heads.size)
        except OSError as exc:
            self.trouble.append(f"checkpoints cannot be kept: {exc}")
            return
        if audit.policy:
            try:
                asker = Asker(
                    read(Path(audit.policy)),
                    heads=heads,
                    notes=self._notes,
                    timeout=audit.witness.timeout,
                    clock=AuditClock(self._clock),
                )
            except (HealerError, AuditError) as exc:
                self.trouble.append(str(exc))
            else:
                self._asker = asker
                self._take_up()
        if audit.timestamps:
            try:
                pinned = roots(Path(audit.timestamps.roots))
            except HealerError as exc:
                self.trouble.append(str(exc))
            else:
                self._stamper = Stamper(audit.timestamps.url, pinned, heads=heads, notes=self._notes)
                self._stamped_at = self._notes.stamped_at()

    def _take_up(self) -> None:
        self._accepted = _read_accepted(self._notes.folder / _ACCEPTED)
        self.asking = Witnessing(
            ask=self._asker.ask,
            hurry=self._asker.hurry,
            size=lambda: self._writer.heads.size,
            heard=self._heard,
            clock=self._clock,
            every=self._audit.witness.every,
            timeout=self._audit.witness.timeout,
        )
        self.asking.size = self._notes.newest

    # For the owner ---------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Ask before anything is done: a log that was put back has forgotten its brakes, and only others know."""
        if self.broke_at is not None:
            said = "nobody else could prove what lies before it, until a witness has cosigned it"
            self._tell_ratchet(self.broke_at, covered=False, because=f"the last run did not stop in order: {said}")
        if self.asking is not None and self._writer.heads.size:
            await self.asking.ask(patient=False)

    async def last(self) -> None:
        """Show the last block of this run."""
        if self.asking is not None:
            await self.asking.last(LAST)

    def schedule(self, calendar: Calendar) -> None:
        """Have the log dated where an authority is configured; which one, only a start can change."""
        if self._audit.timestamps and self._stamper is not None:
            calendar.soon("first time stamp", self.stamp)
            calendar.every(min(RETRY, self._audit.timestamps.every), "time stamp", self.stamp)

    async def stamp(self) -> None:
        """Have the newest checkpoint dated, where that is due."""
        plan = self._audit.timestamps
        if plan is None or self._stamper is None or self._clock.wall() - self._stamped_at < plan.every - 1.0:
            return
        try:
            size = await blocking.call(self._stamper.stamp)
        except (AuditError, OSError) as exc:
            self._stamp_trouble = str(exc)
            _log.warning("log.not-dated", extra={"because": self._stamp_trouble})
        else:
            self._stamped_at, self._stamp_trouble = self._clock.wall(), ""
            _log.info("log.dated", extra={"blocks": size})

    def accept(self) -> None:
        """Go on in spite of what witnesses hold against our log: a person said so. What is worse is told again."""
        if not self.contradictions:
            return
        self._accepted |= {name: one.size for name, one in self.contradictions.items()}
        self.contradictions.clear()
        try:
            write_atomically(self._notes.folder / _ACCEPTED, json.dumps(self._accepted, sort_keys=True).encode())
        except OSError as exc:
            _log.warning("contradiction.not-kept", extra={"because": str(exc)})

    # Hearing ---------------------------------------------------------------------------------------------------

    def _heard(self, answer: Answer) -> None:
        self._writer.beacon = self._asker.beacon or self._writer.beacon
        for one in answer.contradictions:
            self._contradicted(one)
        if answer.reached is not self._reached and answer.size:
            self._reached = answer.reached
            level = logging.INFO if answer.reached else logging.WARNING
            _log.log(level, "witnesses.answered", extra={"reached": answer.reached, "because": answer.because})
            self._tell("agent.witnesses", {"reached": answer.reached, "because": answer.because})
            self._happened("witnesses", reached=answer.reached)

        if answer.reached and self.broke_at is not None and answer.size > self.broke_at:
            self._tell_ratchet(self.broke_at, covered=True, because="the witnesses have cosigned it")
            self.broke_at = None

    def _tell_ratchet(self, height: int, *, covered: bool, because: str) -> None:
        _log.log(logging.INFO if covered else logging.WARNING, "ratchet.broke", extra={"block": height, "why": because})
        self._tell("agent.ratchet", {"height": height, "covered": covered, "because": because})

    def _contradicted(self, one: Contradicted) -> None:
        """Proof of our own rollback, or of a second log with our key: sealed, told, and nothing is done any more."""
        known = self.contradictions.get(one.witness)
        if one.size <= max(self._accepted.get(one.witness, -1), known.size if known else -1):
            return
        self.contradictions[one.witness] = one
        because = f"witness {one.witness}: {one.because}"
        _log.critical("log.contradicted", extra={"witness": one.witness, "because": one.because})
        data = {"witness": one.witness, "size": one.size, "ours": one.ours, "evidence_sha256": one.evidence}
        self._happened("contradicted", because=because, data=data)
        self._happened("safe-mode", because=f"the log was rolled back, or there are two of it: {because}")

    # For the faces ---------------------------------------------------------------------------------------------

    def witnessed(self, height: int) -> bool:
        """Whether the quorum has cosigned that block, as far as we know."""
        return self.asking is not None and self.asking.size > height

    def age(self) -> float | None:
        """Seconds since the quorum last answered in this run; None where it has not."""
        if self.asking is None or self.asking.reached_at is None:
            return None
        return self._clock.now() - self.asking.reached_at

    def status(self) -> dict[str, Any] | None:
        """What is known of witnesses and time stamps; None where none are configured."""
        if not self.configured:
            return None
        return {"trouble": list(self.trouble), **self._witness_status(), "dated": self._date_status()}

    def _witness_status(self) -> dict[str, Any]:
        asking = self.asking
        if asking is None:
            return {"height": None, "age": None, "reached": False, "because": "", "witnesses": {}, "contradictions": []}
        answer, age = asking.answer, self.age()
        return {
            "height": asking.size - 1 if asking.size else None,
            "age": None if age is None else round(age, 1),
            "reached": bool(answer and answer.reached),
            "because": (answer.because if answer else "nobody has been asked yet") or self._asker.trouble,
            "witnesses": {
                name: because or "cosigned" for name, because in (answer.witnesses if answer else {}).items()
            },
            "contradictions": [
                {"witness": one.witness, "size": one.size, "ours": one.ours, "because": one.because}
                for one in self.contradictions.values()
            ],
        }

    def _date_status(self) -> dict[str, Any] | None:
        if self._audit.timestamps is None:
            return None
        age = self._clock.wall() - self._stamped_at if self._stamped_at else None
        return {"age": None if age is None else round(age, 1), "because": self._stamp_trouble}


def _read_accepted(path: Path) -> dict[str, int]:
    """What a person accepted earlier; a file that is wrong has accepted nothing."""
    try:
        found = json.loads(read_small(path, 65_536))
    except (OSError, AuditError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: size for name, size in found.items() if type(size) is int}
