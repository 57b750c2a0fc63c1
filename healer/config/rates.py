"""Rates as text: ``5/h``, ``20/d``, or of one verb, ``restart=5/h``."""

import re

from healer.model.limit import DAY, HOUR, Ceiling
from healer.model.verbs import VERBS
from healer.yamldoc.shape import Mistake, suggestion

_RATE = re.compile(r"(?:(?P<verb>[a-z_]+|\*)\s*=\s*)?(?P<max>\d{1,6})\s*/\s*(?P<per>h|hour|d|day)", re.ASCII)


def ceiling(text: str) -> Ceiling:
    """The most that may be done to one target; raises Mistake."""
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise Mistake(f"'{text[:40]}' is not a rate", "write 5/h, 20/d, or restart=5/h")
    if found["verb"] not in {None, "*", *VERBS}:
        raise Mistake(f"'{found['verb'][:40]}' is no verb", suggestion(found["verb"], VERBS))
    per = HOUR if found["per"].startswith("h") else DAY
    return Ceiling(action=found["verb"] or "*", max=int(found["max"]), per=per)
