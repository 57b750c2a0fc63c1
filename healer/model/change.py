"""How much to change a setting: to an amount, or by one, as ``512MiB``, ``50%``, ``+20%``, ``-1``."""

import math
import re
from dataclasses import dataclass

from healer.errors import HealerError

_AMOUNT = re.compile(r"([+-]?)(\d{1,15}(?:\.\d{1,6})?)(%|B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)?", re.ASCII)
_SIZES = {"B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30, "TB": 10**12,
          "TiB": 2**40}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, as written in a rule."""

    sign: str
    """``+`` or ``-``: by so much; empty: to so much."""
    amount: float
    """Sizes in bytes; with ``percent`` a ratio: 20% is 0.2."""
    percent: bool
    """A share: of the present value with a sign, of the whole (which the kind of setting defines) without one."""

    def apply(self, now: float, *, least: float, most: float, whole: float = 1.0) -> float:
        """The new value for a setting that is ``now``, kept within its bounds; raises HealerError where there is none.

        ``whole`` is what a percentage without a sign is of.
        """
        if not math.isfinite(now) and self.sign:
            raise HealerError("a change by an amount needs a present value, and there is none", hint="write the amount")
        if not self.sign:
            value = self.amount * whole if self.percent else self.amount
        else:
            by = self.amount * now if self.percent else self.amount
            value = now + by if self.sign == "+" else now - by
        return min(max(value, least), most)


def parse(text: str) -> Change:
    """Read a change; raises HealerError."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise HealerError(f"'{text[:40]}' is no change", hint="an amount as 512MiB, 50% or 4; or by one as +20%, -1")
    sign, number, unit = found.groups()
    percent = unit == "%"
    amount = float(number) / 100.0 if percent else float(number) * _SIZES.get(unit or "B", 1)
    return Change(sign=sign, amount=amount, percent=percent)
