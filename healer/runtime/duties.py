"""What the agent does at regular times besides looking: heartbeat, reflection, harmony, self-verification, economy."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from healer.clock import Clock
from healer.core.reflect import Counters, Mirror, Reflection
from healer.core.watch import STRETCH, Economy, HarmonyWatch
from healer.errors import HealerError
from healer.model.event import Asked, Happened
from healer.model.mode import Profile
from healer.model.request import Request
from healer.runtime import selfcheck
from healer.runtime.loop import Loop

_log = logging.getLogger("healer.duties")
WHOLE = 86400.0
"""Seconds between verifications of the whole log; those in between read only what is new."""
_FAILED = frozenset({"failed-transient", "failed-permanent", "ambiguous"})
_MOST_OPEN = 1000


class Duties:
    """Called by the calendar; everything they find goes through the inbox like any other event."""

    def __init__(
        self,
        *,
        loop: Loop,
        clock: Clock,
        state_dir: Path,
        watch: HarmonyWatch,
        stretch: Callable[[float], None],
        blind: Callable[[], Mapping[str, str]],
        profile: Profile = Profile.FULL,
        trust: selfcheck.Trust = selfcheck.NOBODY,
    ) -> None:
        self._loop, self._clock, self._state_dir, self._trust = loop, clock, state_dir, trust
        self.watch, self._stretch, self._blind = watch, stretch, blind
        self._mirror = Mirror()
        self._economy = Economy()
        self._profile = profile
        self._whole_at: float | None = None
        self._telling: dict[str, None] = {}
        """Notifications under way, the oldest first."""
        self._since = clock.now()
        self.checked: selfcheck.Checked | None = None
        """The last self-verification; None before the first."""
        self.trouble = ""
        """Why the last self-verification could not be made."""
        self.reflection: Reflection | None = None
        self.heartbeat_at: float | None = None
        self.notify_failed = 0
        self.counts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.withheld: Counter[str] = Counter()
        self._fit_intervals()

    def renew(self, watch: HarmonyWatch, profile: Profile) -> None:
        """Go on under a new configuration: a harmony that was low still is, an economy that was on is on."""
        watch.state = self.watch.state
        self.watch, self._profile = watch, profile
        self._fit_intervals()
        if self._economy.on:
            self._say("profile", profile="economy", because=self._economy.because)

    def _fit_intervals(self) -> None:
        small = self._economy.on or self._profile is Profile.ECONOMY
        self._stretch(STRETCH if small else 1.0)

    def count(self, topic: str, data: Mapping[str, Any]) -> None:
        """Count what went over the bus."""
        self.counts[topic] += 1
        if topic == "action.intended" and data["action"] == "notify":
            self._telling[data["id"]] = None
            if len(self._telling) > _MOST_OPEN:
                del self._telling[next(iter(self._telling))]
        elif topic == "action.outcome":
            self.outcomes[data["result"]] += 1
            if data["id"] in self._telling:
                del self._telling[data["id"]]
                self.notify_failed += data["result"] in _FAILED
        elif topic == "action.verdict":
            self.verdicts[data["result"]] += 1
        elif topic == "action.withheld":
            self.withheld[data["gate"]] += 1

    def _say(self, topic: str, /, **data: Any) -> None:  # noqa: ANN401 - JSON values of any kind
        self._loop.put(Happened(topic=topic, data=data, at=self._clock.now(), own=True))

    def heartbeat(self) -> None:
        """Seal that we are alive: an idle stretch cannot be cut out unseen."""
        harmony = self._loop.core.desk.harmony
        self._say("heartbeat", **({} if harmony is None else {"harmony": round(harmony * 100)}))
        self.heartbeat_at = self._clock.now()

    async def verify(self) -> None:
        """Verify our own log in a process of its own; tampering stops the healing.

        All of it the first time and once a day: what was proved once may have been changed since.
        """
        now = self._clock.now()
        whole = self._whole_at is None or now - self._whole_at >= WHOLE
        try:
            self.checked = await selfcheck.check(
                self._state_dir, now=now, whole=whole, trust=self._trust, before=self.checked
            )
            self._whole_at = now if whole else self._whole_at
            self.trouble = ""
        except (HealerError, TimeoutError) as exc:
            self.trouble = str(exc) or "the verifier did not end in time"
            _log.warning("selfcheck.failed", extra={"because": self.trouble})
            return
        if self.checked.tampered:
            _log.critical("log.tampered", extra={"because": self.checked.summary})
            self._say("safe-mode", because=f"the log does not verify: {self.checked.summary}")

    def reflect(self) -> dict[str, Any]:
        """Assess ourselves and the host; returns the reflection as plain values."""
        core, now = self._loop.core, self._clock.now()
        self._mirror.remember(core.organs.view, now)
        own = {name: core.known(name) for name in ("self.loop_lag", "self.cpu", "self.memory")}
        counters = Counters(
            since=self._since,
            actions=self.counts["action.intended"],
            outcomes=dict(self.outcomes),
            verdicts=dict(self.verdicts),
            withheld=dict(self.withheld),
            blind={name: because for name, because in self._blind().items() if because},
            loop_lag=own["self.loop_lag"],
            cpu=own["self.cpu"],
            memory=own["self.memory"],
        )
        self.reflection = self._mirror.reflect(counters, now)
        plain: dict[str, Any] = asdict(self.reflection)
        self._loop.tell("agent.reflected", {"score": self.reflection.score, "trend": self.reflection.trend.word})
        return plain

    def check_harmony(self) -> list[str]:
        """Check harmony against its thresholds; returns what is to be said of it, as topics."""
        core = self._loop.core
        self._mirror.remember(core.organs.view, self._clock.now())
        said = self.watch.step(core.desk.harmony)
        for topic in said:
            self._loop.tell(topic, {"harmony": core.desk.harmony})
        return said

    def harmony(self) -> list[str]:
        """The same, and below the deeper threshold the balancing rules are judged."""
        said = self.check_harmony()
        if self.watch.balancing:
            at = self._clock.now()
            request = Request(id=f"balance-{round(at * 1000)}", verb="rebalance", who="agent", at=at)
            self._loop.put(Asked(request=request))
        return said

    def economy(self) -> None:
        """Make ourselves small while the host is starved, or while we cost too much."""
        core = self._loop.core
        said = self._economy.step(
            self._clock.now(), cpu_pressure=core.known("cpu.psi.some10"), own_cpu=core.known("self.cpu")
        )
        if said:
            self._fit_intervals()
            because = self._economy.because or "the pressure is gone"
            self._say("profile", profile="economy" if self._economy.on else "", because=because)
