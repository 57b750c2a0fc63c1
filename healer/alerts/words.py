"""What a message says of the cases in it: one line, and the particulars of the first few."""

from collections import Counter
from collections.abc import Sequence

from healer.alerts.case import Case, News
from healer.model.alert import SEVERITIES

MOST_LINES = 20
MOST_NAMES = 3
LONGEST_LINE = 300
_ORDER = (News.OPENED, News.WORSE, News.FLAPS, News.REMINDER, News.RESOLVED)

Item = tuple[News, Case]


def ordered(items: Sequence[Item]) -> list[Item]:
    """The most important first: what is new, the loudest, the oldest."""
    return sorted(
        items,
        key=lambda one: (
            _ORDER.index(one[0]),
            -SEVERITIES.index(one[1].trouble.severity),
            one[1].since,
            one[1].trouble.key,
        ),
    )


def severity_of(items: Sequence[Item]) -> str:
    """How loud a message is: as its loudest case; what is over is no more than news."""
    loud = [SEVERITIES.index(case.trouble.severity) for news, case in items if news is not News.RESOLVED]
    return SEVERITIES[max(loud, default=0)]


def headline(items: Sequence[Item], now: float) -> str:
    """All of it in one line; ``items`` are `ordered`."""
    by_news = Counter(news for news, _ in items)
    said = []
    for news in _ORDER:
        if by_news[news]:
            cases = [case for one, case in items if one is news]
            said.append(_told(news, cases, now))
    return "; ".join(said)[: 2 * LONGEST_LINE]


def _told(news: News, cases: Sequence[Case], now: float) -> str:
    if len(cases) == 1:
        return _one(news, cases[0], now)
    names = ", ".join(case.trouble.target or case.trouble.key for case in cases[:MOST_NAMES])
    more = f" and {len(cases) - MOST_NAMES} more" if len(cases) > MOST_NAMES else ""
    what = {
        News.OPENED: _plural(cases),
        News.WORSE: "have got worse",
        News.FLAPS: "come and go",
        News.REMINDER: "are still so",
        News.RESOLVED: "are well again",
    }[news]
    return f"{len(cases)} {what}: {names}{more}"


def _plural(cases: Sequence[Case]) -> str:
    abouts = {case.trouble.about for case in cases}
    if abouts == {"failure"} and all(case.trouble.target for case in cases):
        return "targets failed"
    return "troubles"


def _one(news: News, case: Case, now: float) -> str:
    says = case.trouble.says[:LONGEST_LINE]
    return {
        News.OPENED: says,
        News.WORSE: f"worse: {says}",
        News.FLAPS: f"it comes and goes: {says}",
        News.REMINDER: f"still, for {lasted(now - case.since)}: {says}",
        News.RESOLVED: f"over after {lasted((case.ended or now) - case.since)}: {says}",
    }[news]


def lines(items: Sequence[Item], now: float) -> tuple[str, ...]:
    """The particulars, as many as a person reads; of the rest how many of what there are."""
    if len(items) == 1:
        return _how_to(items)
    shown = [
        f"{'resolved' if news is News.RESOLVED else case.trouble.severity}: {_one(news, case, now)}"
        + (f" (for {lasted(now - case.since)})" if news in (News.OPENED, News.WORSE) else "")
        for news, case in items[:MOST_LINES]
    ]
    if rest := items[MOST_LINES:]:
        kinds = Counter(case.trouble.key.partition(":")[2].partition(":")[0] or case.trouble.about for _, case in rest)
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(6))
        shown.append(f"and {len(rest)} more: {told}")
    return (*shown, *_how_to(items))


def _how_to(items: Sequence[Item]) -> tuple[str, ...]:
    """What stops the reminders, and those who are asked next."""
    keys = [case.trouble.target or case.trouble.key for news, case in items if news is not News.RESOLVED]
    if not keys:
        return ()
    return (f"healer ack {keys[0]}" if len(keys) == 1 else "healer alerts; healer ack alerts",)


def lasted(seconds: float) -> str:
    """A length of time as people say it."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 2 * 86400 else f"{whole // 86400} d"
