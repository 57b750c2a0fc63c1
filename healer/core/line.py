"""Who waits for whom: the places that actions take, and the line of those for whom there is none at the moment.

Nothing here is kept. After a restart every open incident is judged anew and comes as far as it comes; whoever waits is
asked everything again when it is its turn, so that a place in the line is no promise to act.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from healer.core.desk import Desk
from healer.core.instance import Instance
from healer.gates.interface import Slot
from healer.model.decision import QUIET_VERBS
from healer.model.memory import OpenIntent
from healer.model.target import Target

HOST_KEY = "host"
FIRST = -100
"""Before every priority."""


@dataclass(slots=True)
class Waiter:
    """An incident that has no place yet."""

    keys: tuple[str, ...]
    rank: tuple[int, int]
    """More urgent first, then whoever came first."""
    since: float
    firm: bool = False
    """It is to take back what it has done: it goes first, and nobody takes its place."""


@dataclass(slots=True)
class Line:
    """The waiting incidents of one core, by key."""

    desk: Desk
    find: Callable[[str], Instance | None]
    """The instance of a key, where there is one."""
    organs: Mapping[str, int] = field(default_factory=dict)
    """Actions that may be under way at once for an organ, where the operator has set that."""
    waiting: dict[str, Waiter] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def slots(self, instance: Instance, target: Target, action: str, intent: str = "") -> tuple[Slot, ...]:
        """The places that an action of a rule needs; ``intent`` is its own, where it is sealed already."""
        if action in QUIET_VERBS:
            return ()
        most = self._keys(instance, target)
        taken = self._taken(intent) if most or self.waiting else {}
        return tuple(
            Slot(key=key, max=limit, taken=tuple(taken.get(key, ())), ahead=self._ahead(key, instance))
            for key, limit in self._all(instance, target, most).items()
        )

    def request_slots(self, target: Target, action: str, intent: str = "") -> tuple[Slot, ...]:
        """The places that a person's action needs: those of the organ, and nobody is more urgent."""
        if action in QUIET_VERBS or target.organ not in self.organs:
            return ()
        key = f"organ:{target.organ}"
        return (Slot(key=key, max=self.organs[target.organ], taken=tuple(self._taken(intent).get(key, ()))),)

    def _keys(self, instance: Instance, target: Target) -> dict[str, int]:
        """What the rule, and the operator, count its actions by."""
        made = {}
        organ = instance.rule.organ or target.organ
        if organ in self.organs:
            made[f"organ:{organ}"] = self.organs[organ]
        if (own := instance.rule.concurrency) is not None:
            word = {"target": f"target:{target.id}", "rule": f"rule:{instance.rule.id}"}.get(own.key, own.key)
            made[word] = own.max
        return made

    def _all(self, instance: Instance, target: Target, most: Mapping[str, int]) -> dict[str, int]:
        """Those, and what everybody shares, where somebody waits for that."""
        made = dict(most)
        for key in (f"target:{target.id}", HOST_KEY):
            if key not in made and self._ahead(key, instance):
                made[key] = 1 if key != HOST_KEY else self.desk.world.brakes.concurrent
        return made

    def _taken(self, but: str) -> dict[str, list[str]]:
        """Who is under way, by key; one decision takes its place from its seal to its verdict."""
        made: dict[str, list[str]] = {}
        for intent in self.desk.memory.intents.values():
            if intent.id == but or intent.hook or intent.action in QUIET_VERBS:
                continue
            for key in self._keys_of(intent):
                made.setdefault(key, []).append(intent.incident)
        return made

    def _keys_of(self, intent: OpenIntent) -> list[str]:
        target, instance = self.desk.world.targets.get(intent.target), self.find(intent.incident)
        shared = [f"target:{intent.target}", HOST_KEY]
        if target is None:
            return shared
        own = self._keys(instance, target) if instance else [f"organ:{target.organ}"]
        return list(dict.fromkeys((*own, *shared)))

    def _ahead(self, key: str, instance: Instance) -> tuple[str, ...]:
        if not self.waiting:
            return ()
        mine = self.waiting[instance.key].rank if instance.key in self.waiting else (-instance.rule.priority, 1 << 62)
        first = [(one.rank, name) for name, one in self.waiting.items() if key in one.keys and one.rank < mine]
        return tuple(name for _, name in sorted(first))

    # Who comes and goes ---------------------------------------------------------------------------------------

    def enter(self, instance: Instance, target: Target, *, firm: bool = False) -> Waiter:
        """Wait; whoever waits already keeps its place."""
        if instance.key not in self.waiting:
            keys = (*self._keys(instance, target), f"target:{target.id}", HOST_KEY)
            rank = (FIRST if firm else -instance.rule.priority, next(self._numbers))
            self.waiting[instance.key] = Waiter(keys=keys, rank=rank, since=self.desk.now, firm=firm)
        return self.waiting[instance.key]

    def leave(self, key: str) -> bool:
        """Wait no longer; says whether it did."""
        return self.waiting.pop(key, None) is not None

    def rivals(self, instance: Instance, target: Target) -> list[str]:
        """Who else waits for what the rule itself counts by."""
        own = instance.rule.concurrency
        keys = self._keys(instance, target)
        wanted = [key for key in keys if own is not None and not key.startswith("organ:")]
        return [
            name
            for name, one in self.waiting.items()
            if name != instance.key and not one.firm and any(key in one.keys for key in wanted)
        ]
