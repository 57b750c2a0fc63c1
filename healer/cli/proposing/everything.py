"""All that was found, each thing once, and what it needs before what needs it."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from healer.cli.proposing.containers import containers
from healer.cli.proposing.heard import Heard, listeners
from healer.cli.proposing.proposal import Proposal
from healer.cli.proposing.servers import at_rest, of_server, plain
from healer.cli.proposing.units import units

_ASKING = 10.0
MOST = 100
"""More than that nobody reads."""


def proposals() -> list[Proposal]:
    """Everything found on this host."""
    heard = list(listening(listeners()))
    return chosen((*units(lines), *containers(), *heard, *at_rest([one.id for one in heard])))


def listening(heard: Iterable[Heard], root: Path = Path("/")) -> Iterator[Proposal]:
    """What those who listen are proposed as; those in containers are the containers' affair."""
    for one in heard:
        if not one.container:
            known = of_server(one, root)
            yield from plain(one) if known is None else known


def chosen(found: Iterable[Proposal]) -> list[Proposal]:
    """Each id once; what is required and was not found is not required."""
    kept: dict[str, Proposal] = {}
    for one in found:
        if one.id not in kept and len(kept) < MOST:
            kept[one.id] = one
    return [_without(one, kept.keys()) for one in kept.values()]


def _without(one: Proposal, known: Iterable[str]) -> Proposal:
    known = set(known)
    needed = [name for name in one.keys.get("requires", ()) if name in known]
    keys: dict[str, Any] = {key: value for key, value in one.keys.items() if key != "requires"}
    if needed:
        keys["requires"] = needed
    return Proposal(kind=one.kind, name=one.name, organ=one.organ, because=one.because, keys=keys, needs=one.needs)


def lines(argv: list[str]) -> list[str]:
    """What a command prints, line by line; nothing where it is not there, fails or takes too long."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=_ASKING, check=False)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
