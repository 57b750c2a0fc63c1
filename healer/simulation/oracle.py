"""The judge of a seed: it reads the sealed log, the world's ledger and what the senses delivered, and knows the laws.

It shares no code with what it judges: neither core, gates and memory, nor the fold that rebuilds them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from audit.ask import Ask
from audit.reader import Sealed
from audit.verifier import verify
from healer.simulation.life import House
from healer.simulation.world import Effect

CHAIN_ONLY = {"key", "anchor", "level"}
"""Findings that a log sealed with a toy key must have, and no others."""


@dataclass(slots=True)
class Entry:
    """One sealed entry."""

    number: int
    height: int
    leaf: str
    at: float
    """Simulation second."""
    fields: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.fields["kind"])

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON values of any kind
        return self.fields.get(name, "")


@dataclass(slots=True)
class Deed:
    """One intent and all that the log and the world say of it."""

    intent: Entry
    effects: list[Effect] = field(default_factory=list)
    outcomes: list[Entry] = field(default_factory=list)
    verdicts: list[Entry] = field(default_factory=list)

    @property
    def undoes(self) -> str:
        """Id of the intent whose change it puts back; empty for everything else."""
        return str(self.intent["undoes"])

    @property
    def quiet(self) -> bool:
        """It changes no target."""
        return bool(self.intent["action"] == "notify")

    @property
    def without_effect(self) -> bool:
        """It ended before it began."""
        return any(one["result"] in {"stale", "cancelled", "refused", "skipped"} for one in self.outcomes)

    @property
    def ended(self) -> float | None:
        """Simulation second at which its effect ended, as far as anybody knows."""
        known = [one.ended for one in self.effects if one.ended is not None]
        return max(known) if known else (self.outcomes[0].at if self.outcomes else None)

    @property
    def freed(self) -> float:
        """Simulation second from which the target is free again."""
        closing = [one.at for one in (*self.verdicts, *(self.outcomes if self.without_effect else ()))]
        return min(closing) if closing else float("inf")


@dataclass(slots=True)
class Evidence:
    """Everything the judge may look at."""

    house: House
    violations: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    octets: list[bytes] = field(default_factory=list)
    deeds: dict[str, Deed] = field(default_factory=dict)
    """By leaf of the intent, in the order of the log."""
    calm: float = float("inf")
    end: float = float("inf")

    def blame(self, law: str, what: str) -> None:
        """Note that a law was broken."""
        self.violations.append(f"{law}: {what}")

    def inspect(self, died: str) -> None:
        """After each life: the log must verify, and what the crash left is worth knowing."""
        self._read()
        if not died:
            return
        chance = self.house.chance
        for deed in self.deeds.values():
            if deed.outcomes or deed.quiet:
                continue
            if deed.effects:
                chance.reach("crash between effect and outcome")
            else:
                chance.reach("crash between seal and effect")

    def _read(self) -> None:
        house = self.house
        found: list[Sealed] = []
        real = (house.folder.parent / "seal.pub").exists()
        key = house.folder.parent / "seal.pub" if real else None
        report = verify(
            Ask(log=house.folder, key=key, anchors=(house.anchor,) if real else (), deep=True, min_level="L0"),
            sink=found.append,
        )
        wrong = [one for one in report.findings if one.weight != "note" and (real or one.code not in CHAIN_ONLY)]
        if wrong and not (found == [] and not self.entries):
            self.blame("the log verifies", "; ".join(f"{one.code}: {one.because}" for one in wrong[:3]))
        if len(found) < len(self.octets) or any(
            kept != one.octets for kept, one in zip(self.octets, found, strict=False)
        ):
            self.blame("what is sealed stays", "an acknowledged entry is gone or changed")
        self.octets = [one.octets for one in found]
        self.entries = [self._entry(one) for one in found]
        self._gather()

    def _entry(self, sealed: Sealed) -> Entry:
        fields = json.loads(sealed.octets)
        at = self.house.clock.absolute(fields["boot"], fields["mono"])
        return Entry(sealed.seq, sealed.height, sealed.leaf, at, fields)

    def _gather(self) -> None:
        self.deeds = {one.leaf: Deed(one) for one in self.entries if one.kind == "intent"}
        for entry in self.entries:
            if entry.kind in {"outcome", "verdict"} and (deed := self.deeds.get(entry["of"])):
                (deed.outcomes if entry.kind == "outcome" else deed.verdicts).append(entry)
        for effect in self.house.world.ledger:
            if deed := self.deeds.get(effect.intent):
                deed.effects.append(effect)

    def acts(self) -> Iterator[tuple[Deed, Effect]]:
        """Every effect on a target with the deed it belongs to, in the order of the world."""
        for effect in self.house.world.ledger:
            deed = self.deeds.get(effect.intent)
            if deed is not None and not deed.quiet:
                yield deed, effect


def judge(evidence: Evidence) -> None:
    """Hold the whole story against every law."""
    from healer.simulation.invariants import LAWS

    for law in LAWS:
        law(evidence)
