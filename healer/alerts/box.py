"""One channel's outgoing messages: what waits for company, how fast they may follow each other, what is on its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from healer.alerts.case import News
from healer.model.alert import Message, Policy, louder

MASS = 10
"""So many changes at once are a mass: they are told when no more come ..."""
MOST_HELD = 90.0
"""... and after so many seconds at the latest."""
RATE = 3600.0
"""Seconds for which a message counts towards how soon the next one may follow."""
FREE = 3
"""So many within `RATE` follow each other as they come; from then on each doubles the wait ..."""
LONGEST_WAIT = 600.0
LONGEST_LOUD = 180.0
"""... up to this, or where something critical waits, to this."""
RETRY = 60.0
GATHERED = 60.0
"""Seconds for which messages of rules are gathered, once there were too many."""
MOST_SAID = 20
LONGEST_RETRY = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A message that nobody knows the fate of yet."""

    message: Message
    channel: str
    """Who is told now: the channel it is for or, where that failed, another one."""
    news: Mapping[str, tuple[News, str]]
    """By case: what it says, and the severity it says it with."""
    tried: tuple[str, ...]
    at: float
    direct: bool = False
    """It goes past the log."""


@dataclass(slots=True, kw_only=True)
class Bundle:
    """Messages of rules that would have come too fast one by one."""

    since: float
    severity: str
    says: list[str] = field(default_factory=list)
    """The first of them."""
    count: int = 0

    def add(self, message: Message) -> None:
        """One more."""
        self.count += 1
        self.severity = message.severity if louder(message.severity, self.severity) else self.severity
        if len(self.says) < MOST_SAID:
            self.says.append(message.says)


@dataclass(slots=True, kw_only=True)
class Box:
    """Waits, so that what belongs together goes out together."""

    policy: Policy
    first: float | None = None
    """Since when something waits."""
    grown: float = 0.0
    """When it last became more."""
    size: int = 0
    loud: bool = False
    sent: list[float] = field(default_factory=list)
    """When messages went out, within `RATE`."""
    flight: Flight | None = None
    failures: int = 0
    """Messages in a row that reached nobody but the journal."""
    retry_at: float = 0.0

    def holds(self, size: int, now: float, *, loud: bool = False) -> None:
        """Note how many changes wait now, and whether one of them is critical."""
        self.loud = loud
        if size == 0:
            self.first, self.size = None, 0
            return
        if self.first is None:
            self.first, self.grown = now, now
        elif size > self.size:
            self.grown = now
        self.size = size

    def ready(self, now: float) -> bool:
        """Whether what waits goes out now."""
        if self.first is None or self.flight is not None or now < self.retry_at:
            return False
        held = now - self.first
        if held < self._wait(now):
            return False
        return self.size < MASS or now - self.grown >= max(self.policy.wait, 2.0) or held >= MOST_HELD

    def _wait(self, now: float) -> float:
        self.sent = [one for one in self.sent if now - one < RATE]
        over = len(self.sent) - FREE
        if over < 0:
            return self.policy.wait
        longest = LONGEST_LOUD if self.loud else LONGEST_WAIT
        return max(self.policy.wait, min(longest, 15.0 * 2.0 ** min(over + 1, 10)))

    def went(self, now: float) -> None:
        """A message reached somebody."""
        self.sent.append(now)
        self.flight, self.failures, self.retry_at = None, 0, 0.0

    def reached_nobody(self, now: float) -> None:
        """It reached nobody: it is tried again, less and less often."""
        self.flight = None
        self.failures += 1
        self.retry_at = now + min(LONGEST_RETRY, RETRY * 2.0 ** (self.failures - 1))
