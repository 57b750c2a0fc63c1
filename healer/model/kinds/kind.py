"""What a kind of target is to those who look, judge and act."""

from dataclasses import dataclass

from healer.model.metric import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of target, as data: what can be seen of it, and what that means."""

    name: str
    """The word written as ``kind:``, and the first part of its metrics' names."""
    organ: str
    """The organ its targets belong to where nobody says otherwise."""
    up: str
    """The flag (1 or 0) among its metrics that says whether it is there."""
    metrics: tuple[Metric, ...]
    """Each carries the label ``target``."""
    serves: bool = True
    """Its flag says that it does what it is there for: counted in ``organ.up``. A file may be good for being gone."""
    pushed: bool = False
    """Its end is told at once, whatever the interval of the looks."""
    uses: bool = False
    """It has ``NAME.cpu`` and ``NAME.memory``, used of this host: they count in ``organ.load``, ``organ.memory``."""
    counts_restarts: bool = False
    """It has ``NAME.restarts``: starts after the first."""
