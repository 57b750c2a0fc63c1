"""The desk the core works at: its memory, its view of the world, and the effects of the event in hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from healer.core.world import World
from healer.model.decision import Withheld
from healer.model.effect import Effect, Note, Publish, Withhold
from healer.model.memory import Memory
from healer.model.mode import Mode, Profile


@dataclass(slots=True)
class Desk:
    """Shared by the parts of the core; every entry for the log is made, and folded, here."""

    memory: Memory
    world: World
    node: str
    boot: str
    mode: Mode
    """The configured ceiling."""
    default_mode: Mode
    """What a rule has unless it says."""
    profile: Profile
    organ_modes: Mapping[str, Mode] = field(default_factory=dict)
    organ_concurrent: Mapping[str, int] = field(default_factory=dict)
    """Actions that may be under way at once for an organ, where the operator says so."""
    now: float = 0.0
    wall_offset: float = 0.0
    """Wall clock minus boot clock, as of the last tick."""
    out: list[Effect] = field(default_factory=list)
    harmony: float | None = None

    @property
    def wall_us(self) -> int:
        """Wall-clock microseconds of the event in hand."""
        return round((self.now + self.wall_offset) * 1e6)

    def entry(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """An entry complete but for what only the log knows (its sequence number)."""
        return {
            **fields,
            "v": 1,
            "kind": kind,
            "ts": self.wall_us,
            "mono": round(self.now * 1e6),
            "boot": self.boot,
            "node": self.node,
        }

    def note(self, kind: str, topic: str = "", /, **fields: Any) -> None:  # noqa: ANN401 - JSON values of any kind
        """Fold an entry into memory and ask for it to be sealed."""
        entry = self.entry(kind, fields)
        self.memory.apply(entry)
        self.out.append(Note(kind=kind, fields=entry, topic=topic))

    def move(self, subject: str, old: str, new: str, because: str, *, topic: str = "", **more: object) -> None:
        """Seal one transition of a target, an incident, a breaker or a brake."""
        self.note("state", topic, subject=subject, **{"from": old, "to": new}, because=because, **more)

    def withhold(self, withheld: Withheld) -> bool:
        """Say no, once per gate and incident; returns whether that is news."""
        incident = self.memory.incidents.get(withheld.incident)
        if incident is not None and withheld.gate in incident.withheld:
            return False
        entry = self.entry(
            "withheld",
            {
                "corr": withheld.incident,
                "rule": withheld.rule,
                "target": withheld.target,
                "action": withheld.action,
                "gate": withheld.gate,
                "because": withheld.because,
                **({"proposal": withheld.proposal} if withheld.proposal else {}),
            },
        )
        self.memory.apply(entry)
        self.out.append(Withhold(withheld=withheld))
        self.out.append(Note(kind="withheld", fields=entry, topic="action.withheld"))
        return True

    def publish(self, topic: str, /, **data: Any) -> None:  # noqa: ANN401 - JSON values of any kind
        """Say a word on the bus that no log needs."""
        self.out.append(Publish(topic=topic, data=data))
