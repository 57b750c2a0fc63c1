"""What the clock on the wall shows: local time of a zone, and the moments at which it is set."""

import datetime as dt
import zoneinfo
from functools import lru_cache


@lru_cache(maxsize=64)
def zone(name: str) -> dt.tzinfo | None:
    """The zone of that name; None is the host's, of which Python knows the rules only through naive times."""
    return zoneinfo.ZoneInfo(name) if name else None


def local(wall: float, of: dt.tzinfo | None) -> dt.datetime:
    """What the clock shows at ``wall`` (seconds since 1970), naive; ``fold`` is 1 in the second round of an hour."""
    return dt.datetime.fromtimestamp(wall, tz=of).replace(tzinfo=None)


def offset(wall: float, of: dt.tzinfo | None) -> dt.timedelta:
    """Local time minus UTC."""
    return local(wall, of) - local(wall, dt.UTC)


def changed(early: float, late: float, of: dt.tzinfo | None) -> int:
    """The second from which the clock is set as at ``late``; it was set between, once, from how it was at ``early``."""
    before, after = int(early), int(late)
    last = offset(after, of)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if offset(middle, of) == last else (middle, after)
    return after


def moment(shown: dt.datetime, of: dt.tzinfo | None) -> float:
    """The first second (since 1970) at which the clock shows that minute; a skipped one: the first after the gap."""
    wall = shown.replace(tzinfo=of, fold=0).timestamp()
    while local(wall, of) != shown:  # only a minute that does not exist comes back as another one
        shown += dt.timedelta(minutes=1)
        wall = shown.replace(tzinfo=of, fold=0).timestamp()
    return wall
