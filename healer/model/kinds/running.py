"""What programs, processes and containers have in common: they run, use the host, and have incarnations."""

from collections.abc import Iterator

from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

OFTEN = Shelf(labels=("target",))
SELDOM = Shelf(labels=("target",), max_age=60.0)


def running(kind: str, *, often: bool = False) -> Iterator[Metric]:
    """Whether it runs, what it uses, since when, and which incarnation it is."""
    shelf = OFTEN if often else SELDOM
    yield shelf.put(f"{kind}.up", Unit.FLAG, f"1 when the {kind} runs")
    yield shelf.put(f"{kind}.cpu", Unit.RATIO, "CPU time used, of one core: two busy cores are 200%")
    yield shelf.put(f"{kind}.memory", Unit.BYTES, "resident memory")
    yield SELDOM.put(f"{kind}.uptime", Unit.SECONDS, f"since the {kind} started")
    yield SELDOM.put(f"{kind}.generation", Unit.WORD, "its incarnation: another word is another start; empty is none")


def descriptors(kind: str) -> Iterator[Metric]:
    """What the kernel counts per process."""
    yield SELDOM.put(f"{kind}.fds", Unit.COUNT, "open file descriptors")
    yield SELDOM.put(f"{kind}.threads", Unit.COUNT, "threads")


def started_again(kind: str) -> Iterator[Metric]:
    """How often it came back, and how it last ended."""
    yield SELDOM.put(f"{kind}.restarts", Unit.COUNT, "times it was started again")
    yield SELDOM.put(
        f"{kind}.exit_code", Unit.NUMBER, "of the last run, 128 + N for signal N; unknown when nobody saw it"
    )
