"""One trouble over time: since when, whether it comes and goes, who has said that they know, and who was told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from healer.model.alert import SEVERITIES, Policy, Trouble, louder

FLAP_WINDOW = 1800.0
"""Seconds within which so many returns are too many ..."""
FLAPS = 3
CALM = 900.0
"""... and for which it must then stay as it is, so that its changes are told again."""
LOOK = 30.0
"""Seconds between looks at a case of which there was nothing to tell."""


class News(Enum):
    """What there is to tell of a case."""

    OPENED = "opened"
    WORSE = "worse"
    FLAPS = "flaps"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(slots=True, kw_only=True)
class Told:
    """What one channel was told last of one case."""

    severity: str
    at: float
    first: str
    """Id of the message that began the thread."""
    last: str
    over: bool = False
    """It was told that it is over."""
    flaps: bool = False
    """It was told that it comes and goes."""


@dataclass(slots=True, kw_only=True)
class Case:
    """A trouble, from its first sight until nobody has to hear of it any more."""

    trouble: Trouble
    since: float
    changed: float
    """When it last came or went."""
    ended: float | None = None
    acked: str = ""
    """Who knows; empty until somebody said so."""
    muted: bool = False
    flapping: bool = False
    turns: list[float] = field(default_factory=list)
    """When it came back, within `FLAP_WINDOW`."""
    told: dict[str, Told] = field(default_factory=dict)
    """By channel."""
    quiet: float = 0.0
    """Until then there is nothing to tell of it, unless something changes."""

    def goes_on(self, trouble: Trouble, now: float) -> None:
        """It is there: still, or again."""
        if self.ended is not None:
            if self.ended - self.since >= trouble.settle:
                self.turns = [*(one for one in self.turns if now - one <= FLAP_WINDOW), now][-FLAPS:]
                self.flapping = self.flapping or len(self.turns) >= FLAPS
            self.ended, self.since, self.changed, self.acked, self.quiet = None, now, now, "", 0.0
        if trouble != self.trouble:
            self.trouble, self.quiet = trouble, 0.0

    def is_over(self, now: float) -> None:
        """It is not there any more."""
        if self.ended is None:
            self.ended, self.changed, self.quiet = now, now, 0.0

    def mute(self, *, muted: bool) -> None:
        """Whether nobody is to hear of it for now."""
        if muted != self.muted:
            self.muted, self.quiet = muted, 0.0

    def calms(self, now: float) -> None:
        """Take its changes for changes again, once there were none for long enough."""
        if self.flapping and now - self.changed >= CALM:
            self.flapping = False
            self.turns.clear()
            for told in self.told.values():
                told.flaps = False

    def news(self, channel: str, policy: Policy, now: float) -> News | None:
        """What that channel is to hear of it now."""
        told = self.told.get(channel)
        if self.flapping:
            return self._restless(told, policy, now) if self._is_for(channel, policy) else None
        if self.ended is not None:
            return self._end(told, policy)
        if not self._is_for(channel, policy):
            return None
        if told is None or told.over:
            late = now - self.since >= max(policy.after, self.trouble.settle)
            return News.OPENED if late and not self.acked else None
        if louder(self.trouble.severity, told.severity):
            return News.WORSE
        due = policy.repeat > 0 and not self.acked and now - told.at >= policy.repeat
        return News.REMINDER if due else None

    def _is_for(self, channel: str, policy: Policy) -> bool:
        """Whether a channel hears of such troubles; of its own it hears nothing: that would be told through it."""
        trouble = self.trouble
        if self.muted or trouble.about not in policy.about or trouble.key == f"channel:{channel}":
            return False
        return not louder(policy.least, trouble.severity)

    def _restless(self, told: Told | None, policy: Policy, now: float) -> News | None:
        """While it comes and goes that is told once, and then neither its coming nor its going."""
        known = told is not None and not told.over and told.flaps
        early = told is None and now - min([self.since, *self.turns]) < policy.after
        return None if known or early or self.acked else News.FLAPS

    def _end(self, told: Told | None, policy: Policy) -> News | None:
        if told is None or told.over:
            return None
        if not policy.resolved:
            told.over = True
            return None
        return News.RESOLVED

    def rests(self, policies: Iterable[Policy], now: float) -> None:
        """There is nothing to tell: note until when it need not be looked at."""
        moments = [self.since + max(policy.after, self.trouble.settle) for policy in policies]
        self.quiet = min([now + LOOK, *(one for one in moments if one > now)])

    def forgettable(self, now: float) -> bool:
        """Whether nobody has to hear of it any more, and it would be nothing new if it came back."""
        if self.ended is None or any(not one.over for one in self.told.values()):
            return False
        return now - self.changed > FLAP_WINDOW

    def kept(self, now: float) -> dict[str, Any]:
        """As plain JSON values; times as ages, so that they can be taken up on another boot."""
        trouble = self.trouble
        return {
            "trouble": {name: getattr(trouble, name) for name in ("key", "about", "severity", "says", "target")},
            "since": now - self.since,
            "changed": now - self.changed,
            "ended": None if self.ended is None else now - self.ended,
            "acked": self.acked,
            "flapping": self.flapping,
            "turns": [now - one for one in self.turns],
            "told": {
                name: [one.severity, now - one.at, one.first, one.last, one.over, one.flaps]
                for name, one in self.told.items()
            },
        }

    @classmethod
    def taken_up(cls, raw: Mapping[str, Any], now: float) -> "Case":
        """Read back `kept`; raises KeyError, TypeError or ValueError on anything else."""
        ended, trouble = raw["ended"], raw["trouble"]
        return cls(
            trouble=Trouble(
                key=str(trouble["key"]), about=str(trouble["about"]), severity=_severity(trouble["severity"]),
                says=str(trouble["says"]), target=str(trouble["target"]),
            ),
            since=now - float(raw["since"]),
            changed=now - float(raw["changed"]),
            ended=None if ended is None else now - float(ended),
            acked=str(raw["acked"]),
            flapping=bool(raw["flapping"]),
            turns=[now - float(one) for one in raw["turns"]],
            told={
                str(name): Told(
                    severity=_severity(severity), at=now - float(at), first=str(first), last=str(last),
                    over=bool(over), flaps=bool(flaps),
                )
                for name, (severity, at, first, last, over, flaps) in raw["told"].items()
            },
        )  # fmt: skip


def _severity(word: object) -> str:
    if word not in SEVERITIES:
        raise ValueError(f"{word!r} is no severity")
    return str(word)
