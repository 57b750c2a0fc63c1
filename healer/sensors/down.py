"""What is told of a server that is down: that it is, why, and that nothing else is known of it."""

from collections.abc import Collection

from healer.model.kinds.kind import Kind
from healer.sensors.sane import Sieve


def tell_down(sieve: Sieve, kind: Kind, because: str, *, spared: Collection[str] = ()) -> None:
    """Add its flag as 0, the reason as ``message``, an empty ``generation``, and unknowns for its other own series.

    ``spared`` are metrics that somebody else answers for. Series of its parts, with labels of their own, age by
    themselves.
    """
    own = [metric.name for metric in kind.metrics if metric.labels == ("target",)]
    words = {name: value for name, value in ((f"{kind.name}.message", because), (f"{kind.name}.generation", ""))
             if name in own}  # fmt: skip
    sieve.number(kind.up, 0)
    for name, word in words.items():
        sieve.word(name, word)
    sieve.all_unknown([name for name in own if name not in (kind.up, *words, *spared)], because)
