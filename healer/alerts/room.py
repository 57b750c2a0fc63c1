"""Where it is decided who is told what: troubles in, messages out, and back what became of them.

It is asked now and then with everything that is wrong at that moment; what changed it finds out by itself. So nothing
is lost with an event, and a restart that brings back what was told tells it no second time.
"""

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Any

from healer.alerts import words
from healer.alerts.box import GATHERED, Box, Bundle, Flight
from healer.alerts.case import Case, News, Told
from healer.model.alert import SEVERITIES, Message, Policy, Trouble, louder

JOURNAL = "journal"
MOST_CASES = 20_000
"""Troubles that are followed; of more, it is told how many, but not each one by itself."""
MOST_KEPT = 2000
"""Cases that are brought over a restart; of more, the rest is told once more, in one message."""
MOST_THREADS = 10
EARLY, MOST_EARLY = 60.0, 1000
"""Seconds for which is remembered what rules told of cases that were not seen yet, and of how many."""

Muted = Callable[[Trouble], bool]


class Room:
    """All channels that want to hear of troubles."""

    def __init__(self, policies: Mapping[str, Policy], others: Collection[str] = ()) -> None:
        """``others`` are channels that want none, but can take what another one could not."""
        self.cases: dict[str, Case] = {}
        self.boxes: dict[str, Box] = {}
        self.count = 0
        """Messages made, ever."""
        self.lost = 0
        """Troubles that there was no room for, at the last look."""
        self._others: tuple[str, ...] = ()
        self._early: dict[str, dict[str, Told]] = {}
        """What rules have told of cases that were not seen yet: by case and channel."""
        self.bundles: dict[str, Bundle] = {}
        """By channel, what rules said to it too fast."""
        self._loose: dict[str, Box] = {}
        """Bundles on their way, by the channel they are for."""
        self.renew(policies, others)

    def renew(self, policies: Mapping[str, Policy], others: Collection[str] = ()) -> None:
        """Go on with these channels; one that is gone owes nobody anything."""
        before = self.boxes
        self.boxes = {}
        for name, policy in policies.items():
            box = before.get(name) or Box(policy=policy)
            box.policy = policy
            self.boxes[name] = box
        self._others = tuple(others)
        for case in self.cases.values():
            case.told = {name: told for name, told in case.told.items() if name in self.boxes}
            case.quiet = 0.0

    # Looking ----------------------------------------------------------------------------------------------------

    def step(
        self,
        troubles: Mapping[str, Trouble],
        now: float,
        *,
        unknown: Collection[str] = (),
        muted: Muted | None = None,
        silent: bool = False,
        direct: bool = False,
    ) -> list[Flight]:
        """Take in what is wrong now, and say what is to be told at once.

        ``unknown``: keys of which nobody can say whether they are: what is not known neither begins nor ends.
        ``silent``: only what is told past the log goes out. ``direct``: all of it goes past the log.
        """
        self._follow(troubles, now, unknown, muted)
        found = [] if silent else self._bundled(now, direct=direct)
        for name, items in self._items(now, silent=silent).items():
            box = self.boxes[name]
            loud = any(case.trouble.severity == SEVERITIES[-1] for _, case in items)
            box.holds(len(items), now, loud=loud)
            if box.ready(now):
                found.append(self._message(name, box, words.ordered(items), now, direct=direct or silent))
        return found

    def _follow(
        self, troubles: Mapping[str, Trouble], now: float, unknown: Collection[str], muted: Muted | None
    ) -> None:
        self.lost = 0
        for key, trouble in troubles.items():
            case = self.cases.get(key)
            if case is not None:
                case.goes_on(trouble, now)
            elif len(self.cases) < MOST_CASES:
                self.cases[key] = Case(trouble=trouble, since=now, changed=now, told=self._told_before(key, now))
            else:
                self.lost += 1
        for key, case in list(self.cases.items()):
            if case.ended is None and key not in troubles and key not in unknown:
                case.is_over(now)
            if muted is not None or case.muted:
                case.mute(muted=muted is not None and case.ended is None and muted(case.trouble))
            if case.quiet > now:
                continue
            case.calms(now)
            if case.forgettable(now):
                del self.cases[key]

    def _items(self, now: float, *, silent: bool) -> dict[str, list[words.Item]]:
        """By channel, what it is to hear. Most cases are quiet: ten thousand of them must not cost anything."""
        found: dict[str, list[words.Item]] = {name: [] for name in self.boxes}
        for case in self.cases.values():
            if case.quiet > now or (silent and not case.trouble.unsealed):
                continue
            rests = True
            for name, box in self.boxes.items():
                if (news := case.news(name, box.policy, now)) is not None:
                    found[name].append((news, case))
                    rests = False
            if rests:
                case.rests((box.policy for box in self.boxes.values()), now)
        return found

    def _message(self, name: str, box: Box, items: list[words.Item], now: float, *, direct: bool) -> Flight:
        self.count += 1
        threads = dict.fromkeys(
            one for _, case in items if (told := case.told.get(name)) for one in (told.first, told.last)
        )
        lines = words.lines(items, now)
        message = Message(
            id=f"{name}.{self.count}.{round(now * 1000):x}",
            severity=words.severity_of(items),
            says=words.headline(items, now),
            lines=(*lines, f"and {self.lost} more that there is no room for") if self.lost else lines,
            thread=tuple(threads)[:MOST_THREADS],
        )
        news = {case.trouble.key: (what, case.trouble.severity) for what, case in items}
        box.flight = Flight(message=message, channel=name, news=news, tried=(name,), at=now, direct=direct)
        return box.flight

    def collect(self, channel: str, message: Message, now: float) -> None:
        """A rule says something to a channel that was told enough for now: it goes out with the others, as one."""
        bundle = self.bundles.setdefault(channel, Bundle(since=now, severity=message.severity))
        bundle.add(message)

    def _bundled(self, now: float, *, direct: bool) -> list[Flight]:
        due = [name for name, one in self.bundles.items() if now - one.since >= GATHERED and name not in self._loose]
        found = []
        for name in due:
            bundle = self.bundles.pop(name)
            self.count += 1
            rest = bundle.count - len(bundle.says)
            message = Message(
                id=f"{name}.{self.count}.{round(now * 1000):x}",
                severity=bundle.severity,
                says=f"rules said {bundle.count} things within a minute, the first: {bundle.says[0]}",
                lines=(*bundle.says, *((f"and {rest} more",) if rest else ())),
            )
            flight = Flight(message=message, channel=name, news={}, tried=(name,), at=now, direct=direct)
            self._loose[name] = Box(policy=Policy(), flight=flight)
            found.append(flight)
        return found

    # What became of it ------------------------------------------------------------------------------------------

    def delivered(self, message_id: str, now: float) -> None:
        """Somebody has it."""
        found = self._flying(message_id)
        if found is None:
            return
        name, box, flight = found
        if flight.channel == JOURNAL and name != JOURNAL:
            box.reached_nobody(now)  # the journal has it, and nobody was woken
        else:
            self._note(name, flight, now)
            box.went(now)
        self._let_go(name, box)

    def _let_go(self, name: str, box: Box) -> None:
        if self._loose.get(name) is box and box.flight is None:
            del self._loose[name]

    def failed(self, message_id: str, because: str, now: float) -> Flight | None:
        """The channel was not told; returns the same for the next one to be tried."""
        found = self._flying(message_id)
        if found is None:
            return None
        name, box, flight = found
        after = self._next(flight)
        if not after:
            box.reached_nobody(now)
            self._let_go(name, box)
            return None
        if flight.news and self._has_heard(after, flight):
            self._note(name, flight, now)
            box.went(now)
            return None
        message = flight.message
        told = Message(
            id=message.id,
            severity=message.severity,
            says=message.says,
            lines=(*message.lines, f"{flight.channel} was not told: {because}"[:300]),
            thread=message.thread,
        )
        box.flight = Flight(
            message=told, channel=after, news=flight.news, tried=(*flight.tried, after), at=now, direct=flight.direct
        )
        return box.flight

    def grounded(self, message_id: str) -> None:
        """It was not sent at all, and nothing is wrong with the channel: it waits for its time."""
        if (found := self._flying(message_id)) is not None:
            name, box, _ = found
            box.flight = None
            self._let_go(name, box)

    def _next(self, flight: Flight) -> str:
        """Who has not been tried: those that want to hear of troubles first, then the others, the journal last."""
        names = [name for name in (*self.boxes, *self._others) if name != JOURNAL and name not in flight.tried]
        return names[0] if names else JOURNAL if JOURNAL not in flight.tried else ""

    def _has_heard(self, channel: str, flight: Flight) -> bool:
        """Whether that channel was told the same by itself, or is being told just now."""
        if (box := self.boxes.get(channel)) is None:
            return False
        going = box.flight.news if box.flight is not None else {}
        return all(key in going or self._was_told(channel, key) for key in flight.news)

    def _was_told(self, channel: str, key: str) -> bool:
        told = self.cases[key].told.get(channel) if key in self.cases else None
        return told is not None and not told.over

    def _flying(self, message_id: str) -> tuple[str, Box, Flight] | None:
        for name, box in (*self.boxes.items(), *self._loose.items()):
            if box.flight is not None and box.flight.message.id == message_id:
                return name, box, box.flight
        return None

    def _note(self, name: str, flight: Flight, now: float) -> None:
        for key, (news, severity) in flight.news.items():
            if (case := self.cases.get(key)) is None:
                continue
            case.quiet = 0.0
            before = case.told.get(name)
            fresh = before is None or before.over
            case.told[name] = Told(
                severity=severity,
                at=now,
                first=flight.message.id if fresh or before is None else before.first,
                last=flight.message.id,
                over=news is News.RESOLVED,
                flaps=news is News.FLAPS,
            )

    def told_by_rule(self, channel: str, key: str, severity: str, message_id: str, now: float) -> None:
        """A rule, or the core, has told a channel of a case by itself: it need not hear the same again."""
        if channel not in self.boxes:
            return
        told = Told(severity=severity, at=now, first=message_id, last=message_id)
        case = self.cases.get(key)
        if case is None or case.ended is not None:
            self._early.setdefault(key, {})[channel] = told
            while len(self._early) > MOST_EARLY:
                del self._early[next(iter(self._early))]
            return
        known = case.told.setdefault(channel, told)
        known.severity, case.quiet = severity if louder(severity, known.severity) else known.severity, 0.0

    def _told_before(self, key: str, now: float) -> dict[str, Told]:
        """What was said of it just before it was seen here."""
        early = self._early.pop(key, {})
        return {name: told for name, told in early.items() if now - told.at <= EARLY and name in self.boxes}

    def overdue(self, now: float, patience: float) -> list[str]:
        """Ids of messages whose fate should be known by now."""
        going = (*self.boxes.values(), *self._loose.values())
        flights = [box.flight for box in going if box.flight is not None]
        return [flight.message.id for flight in flights if now - flight.at > patience]

    # People -----------------------------------------------------------------------------------------------------

    def knows(self, subject: str) -> bool:
        """Whether somebody can say that they know of it."""
        return any(self._meant(subject, case) for case in self.cases.values())

    def ack(self, subject: str, who: str) -> int:
        """Somebody knows: no reminders, and nobody else is asked. Returns how many cases that was."""
        meant = [case for case in self.cases.values() if self._meant(subject, case) and not case.acked]
        for case in meant:
            case.acked = who
        return len(meant)

    @staticmethod
    def _meant(subject: str, case: Case) -> bool:
        trouble = case.trouble
        return case.ended is None and (subject in {trouble.key, trouble.target} or subject == "alerts")

    def report(self, now: float, most: int = 100) -> list[dict[str, Any]]:
        """What is open, the loudest and oldest first."""
        items = words.ordered([(News.OPENED, case) for case in self.cases.values() if case.ended is None])
        return [
            {
                "key": case.trouble.key,
                "about": case.trouble.about,
                "severity": case.trouble.severity,
                "says": case.trouble.says,
                "age": round(now - case.since, 1),
                "told": [name for name, told in case.told.items() if not told.over],
                "acked": case.acked,
                "muted": case.muted,
                "flapping": case.flapping,
            }
            for _, case in items[:most]
        ]

    # Over a restart ---------------------------------------------------------------------------------------------

    def kept(self, now: float) -> dict[str, Any]:
        """As plain JSON values: what was told, so that it is not told again."""
        worth = ((key, case.kept(now)) for key, case in self.cases.items() if case.told or case.acked)
        return {"count": self.count, "cases": dict(itertools.islice(worth, MOST_KEPT))}

    def take_up(self, raw: Mapping[str, Any], now: float, passed: float) -> None:
        """Read back `kept`, ``passed`` seconds later; what cannot be read is told again, which is the lesser evil."""
        try:
            self.count = max(self.count, int(raw["count"]))
            found = {str(key): Case.taken_up(one, now - passed) for key, one in raw["cases"].items()}
        except (AttributeError, KeyError, TypeError, ValueError):
            return
        for key, case in found.items():
            case.told = {name: told for name, told in case.told.items() if name in self.boxes}
            self.cases.setdefault(key, case)
