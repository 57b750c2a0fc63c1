"""What the agent does by the calendar, put on it from a configuration: duties, snapshots, pruning, cron rules."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from healer.app.keeping import Keeping
from healer.clock import Clock
from healer.config import Config
from healer.core.watch import HarmonyWatch
from healer.core.world import World
from healer.drivers.programs import Programs
from healer.gates.dependency import first_unmet
from healer.history import History
from healer.model.mode import Profile
from healer.model.target import State, Target
from healer.rules.rule import RuleSet
from healer.runtime.bus import Bus
from healer.runtime.calendar import Calendar
from healer.runtime.duties import Duties
from healer.runtime.loop import Loop
from healer.store.kept import Keep

PRUNE_EVERY = 3600.0
KEEPING_EVERY = 6 * 3600.0
WATCH_EVERY = 2.0
_RELEASES = ("agent.kill-switch", "agent.safe-mode", "maintenance.ended", "mode.changed", "profile.changed")
"""Topics after which a start that was refused is asked for again."""
_REFLECTIVE = frozenset({Profile.FULL, Profile.ECONOMY})

Ask = Callable[[str, str, Mapping[str, Any] | None, str], str]


def watch_of(config: Config) -> HarmonyWatch:
    """The thresholds of harmony."""
    bounds = config.harmony
    return HarmonyWatch(warn=bounds.warn, balance=bounds.balance, recovered=bounds.recovered)


class Chores:
    """The calendar and what is on it; each job goes through the inbox like any other event."""

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        duties: Duties,
        programs: Programs,
        history: History,
        loop: Loop,
        bus: Bus,
        clock: Clock,
        ask: Ask,
        snapshot: Callable[[], None],
        keeping: Keeping,
    ) -> None:
        self.calendar = Calendar()
        self._duties, self._programs, self._history = duties, programs, history
        self._loop, self._clock, self._ask, self._snapshot = loop, clock, ask, snapshot
        self._keeping = keeping
        self._asked: set[str] = set()
        """Programs whose start was asked for."""
        self._keep = Keep()
        for topic in _RELEASES:
            bus.on(topic, lambda _topic, _data: self._asked.clear())
        bus.on("clock.jumped", lambda _topic, _data: self.calendar.jumped())

    def verify_soon(self) -> None:
        """Verify the log at once: until then nobody knows. Last of a start: one that fails leaves it out."""
        self.calendar.soon("first verification", self._duties.verify)

    def schedule(self, config: Config, rules: RuleSet) -> None:
        """Put the duties of this configuration on the calendar, in place of those of the one before."""
        duties, calendar = self._duties, self.calendar
        store = config.store
        self._keep = Keep(raw=store.keep, five_minutes=store.keep_5m, hour=store.keep_1h)
        self._keeping.policy = config.audit.retention
        calendar.every(config.audit.heartbeat, "heartbeat", duties.heartbeat)
        calendar.every(config.audit.verify_every, "verify the log", duties.verify)
        calendar.every(config.store.snapshot_every, "snapshot", self._snapshot)
        calendar.every(PRUNE_EVERY, "prune history", self.prune)
        calendar.every(KEEPING_EVERY, "retention of the log", self._keeping.prune)
        calendar.every(WATCH_EVERY, "programs", self.start_programs)
        calendar.forget("own ")
        if config.profile in _REFLECTIVE:
            calendar.every(config.reflect_every, "own reflection", duties.reflect)
            calendar.every(config.harmony.every, "own harmony", duties.harmony)
            calendar.every(WATCH_EVERY, "own economy", duties.economy)
        calendar.forget("cron ")
        for rule in rules.rules:
            if rule.trigger.kind == "schedule" and rule.enabled:
                job = functools.partial(self._ask, "trigger", rule.id, None, "calendar")
                calendar.cron(rule.trigger.cron, rule.trigger.tz, f"cron {rule.id}", job)

    def prune(self) -> None:
        """Pack the history that is complete, and forget what is older than it is to be kept."""
        self._history.tidy(self._clock.wall(), self._keep)

    def start_programs(self) -> None:
        """Ask for the start of programs that are to run and do not, parents first; gated and sealed like the rest.

        Once for each: what dies afterwards is the rules' to heal. After a brake was let go it is asked again.
        """
        world = self._loop.core.world
        for name in self._programs.waiting():
            target = world.targets.get(f"program:{name}")
            if target is None or target.id in self._asked or first_unmet(target, world) or _comes_up(target, world):
                continue
            self._asked.add(target.id)
            self._ask("act", target.id, {"action": "start"}, "agent")


def _comes_up(target: Target, world: World) -> bool:
    """Whether something it requires runs, but is not ready yet."""
    required = (world.targets[name] for name in target.requires if name in world.targets)
    return any(world.live_state(one) is State.STARTING for one in required)
