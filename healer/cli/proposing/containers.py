"""Containers that run now, by the engine's own word."""

from collections.abc import Iterator

from healer.cli.proposing.proposal import Proposal, clean, organ_of
from healer.drivers.docker_engine import Engine
from healer.drivers.interface import DriverError

_PATIENCE = 3


def containers(engine: Engine | None = None) -> Iterator[Proposal]:
    """A proposal for each; none where there is no engine, or none we may ask."""
    engine = Engine(timeout=_PATIENCE) if engine is None else engine
    try:
        found = engine.running_now()
    except DriverError:
        return
    finally:
        engine.close()
    for one in found:
        name = clean(one.name)
        organ = organ_of(f"{one.name} {one.image}")
        keys = {} if name == one.name else {"container": one.name}
        yield Proposal(
            kind="container", name=name, organ=organ, because=f"it runs in Docker, of {one.image}", keys=keys
        )
