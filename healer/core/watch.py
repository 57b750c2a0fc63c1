"""Thresholds that do not flutter: harmony's warnings and balancing, and the agent's own economy."""

from dataclasses import dataclass, field

from healer.errors import HealerError

STEADY, WARNING, BALANCING = "steady", "warning", "balancing"
STRETCH = 4.0
"""How many times as long every interval is under the economy profile, and what was seen counts."""


@dataclass(slots=True, kw_only=True)
class HarmonyWatch:
    """Warns below one bound, balances below a deeper one, and is over only above a third that lies higher than both.

    ``state`` is ``steady``, ``warning`` or ``balancing``; keep it in the snapshot and a restart warns only once.
    Raises HealerError when the bounds are not in that order.
    """

    warn: float = 80.0
    balance: float = 70.0
    recovered: float = 85.0
    state: str = STEADY

    def __post_init__(self) -> None:
        if not 0 < self.balance <= self.warn <= self.recovered <= 100:
            given = f"warn {self.warn:g}, balance {self.balance:g}, recovered {self.recovered:g}"
            raise HealerError(
                f"the bounds of harmony are in no order: {given}", hint="0 < balance <= warn <= recovered <= 100"
            )

    @property
    def balancing(self) -> bool:
        """Whether the balancing rules are to be evaluated."""
        return self.state == BALANCING

    def step(self, harmony: float | None) -> list[str]:
        """Take harmony (None or NaN: unknown, which moves nothing) and say what happened, as topics of the bus.

        ``harmony.warning`` and ``harmony.balancing`` once on the way down, ``harmony.recovered`` once on the way up.
        """
        if harmony is None:
            return []  # and NaN compares as false everywhere below
        said: list[str] = []
        if self.state != STEADY and harmony >= self.recovered:
            self.state = STEADY
            said.append("harmony.recovered")
        if self.state == STEADY and harmony < self.warn:
            self.state = WARNING
            said.append("harmony.warning")
        if self.state == WARNING and harmony < self.balance:
            self.state = BALANCING
            said.append("harmony.balancing")
        return said


@dataclass(slots=True, kw_only=True)
class Latch:
    """A switch that a value must hold high for a while to set, and hold low for a while to clear.

    Unknown breaks both: what nobody saw neither holds high nor low.
    """

    high: float
    """Set above it."""
    low: float
    """Cleared below it."""
    set_after: float
    """Seconds."""
    clear_after: float
    """Seconds."""
    on: bool = False
    _since: float | None = field(default=None, repr=False)

    def step(self, value: float | None, at: float) -> bool:
        """Take the value at boot-clock second ``at``; say whether the switch is set now."""
        pulls = value is not None and (value < self.low if self.on else value > self.high)
        if not pulls:
            self._since = None
            return self.on
        if self._since is None:
            self._since = at
        if at - self._since >= (self.clear_after if self.on else self.set_after):
            self.on = not self.on
            self._since = None
        return self.on


class Economy:
    """Decides whether the agent should make itself small: the host is starved, or the agent costs more than it may.

    ``budget`` is the agent's own CPU in cores (0.25 is a quarter of one). Entered after a minute of either, left after
    five minutes of neither: being small lowers the agent's own use, which must not look like the end of the trouble.
    """

    def __init__(
        self, *, budget: float = 0.25, starved: float = 0.60, enter: float = 60.0, leave: float = 300.0
    ) -> None:
        self._starved = Latch(high=starved, low=starved * 2 / 3, set_after=enter, clear_after=leave)
        self._costly = Latch(high=budget, low=budget / 2, set_after=enter, clear_after=leave)

    @property
    def on(self) -> bool:
        """Whether the profile is economy now."""
        return self._starved.on or self._costly.on

    @property
    def because(self) -> str:
        """Why; empty when it is off."""
        reasons = [
            (self._starved, f"CPU pressure of the host stayed above {self._starved.high:.0%}"),
            (self._costly, f"the agent itself used more than {self._costly.high:.0%} of a core"),
        ]
        return " and ".join(because for latch, because in reasons if latch.on)

    def step(self, at: float, *, cpu_pressure: float | None, own_cpu: float | None) -> list[str]:
        """Take PSI cpu some10 (0-1) and the agent's own CPU (of one core); say what changed, as topics of the bus.

        ``profile.economy`` when it is entered, ``profile.restored`` when it is left; nothing otherwise.
        """
        before = self.on
        self._starved.step(cpu_pressure, at)
        self._costly.step(own_cpu, at)
        if self.on == before:
            return []
        return ["profile.economy" if self.on else "profile.restored"]
