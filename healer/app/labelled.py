"""Containers that label themselves become targets while the agent runs, where its configuration lets them."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from healer.config import Config
from healer.config.labelled import ENABLE, declared, target_of
from healer.config.values import Discovery
from healer.drivers.containers import Container, Event
from healer.drivers.docker import Docker
from healer.drivers.interface import DriverError
from healer.errors import HealerError
from healer.model.target import Target

_log = logging.getLogger("healer.app")

_TOGETHER = 1.0
"""Seconds after something happened until it is looked at: what is made anew is gone for a moment."""
_STIRS = frozenset({"start", "destroy", "rename"})
_MOST_TOLD = 1000

Take = Callable[[str], Awaitable[object]]
"""Has the agent go on with what was found, told why; raises HealerError where it goes on as before."""


class Labelled:
    """What was found last. An engine that cannot be asked changes nothing: what is out of sight may well be there."""

    def __init__(self, docker: Docker, take: Take) -> None:
        self._docker, self._take = docker, take
        self._wanted = Discovery()
        self._stirred = asyncio.Event()
        self._end: Callable[[], None] | None = None
        self._told: set[str] = set()
        self._found: tuple[Target, ...] = ()

    def merged(self, config: Config) -> Config:
        """The configuration with what was found in place of what was found before; what is declared comes first."""
        own = tuple(target for target in config.targets if declared(target))
        if not config.sensors.docker.discover:
            return config if len(own) == len(config.targets) else replace(config, targets=own)
        taken = {target.id for target in own} | {f"container:{_container(target)}" for target in own}
        fresh = tuple(self._apart(target, own) for target in self._found if target.id not in taken)
        return replace(config, targets=(*own, *fresh))

    def renew(self, config: Config) -> None:
        """Go on as this configuration says."""
        self.want(config)
        if self._wanted.discover and self._end is None:
            self._end = self._docker.subscribe(self._hear)
        elif not self._wanted.discover:
            self.close()
        self._stirred.set()

    def want(self, config: Config) -> None:
        """Look as this configuration says, without listening."""
        self._wanted = config.sensors.docker

    def close(self) -> None:
        """Hear no more."""
        if self._end is not None:
            self._end()
            self._end = None

    async def run(self) -> None:
        """Look whenever something stirs, and at every beat, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wanted.every if self._wanted.discover else None):
                    await self._stirred.wait()
            await asyncio.sleep(_TOGETHER)
            self._stirred.clear()
            if self._wanted.discover:
                await self.look()

    async def look(self) -> None:
        """Look once, and have the agent go on with what is there now."""
        try:
            listed = await self._docker.labelled(ENABLE)
        except DriverError as exc:
            _log.info("discovery.blind", extra={"because": exc.message})
            return
        before, now = self._found, self._targets(listed)
        if now == before:
            return
        self._found = now
        try:
            await self._take(f"containers label themselves: {_difference(before, now)}")
        except HealerError as exc:
            self._found = before
            _log.warning("discovery.refused", extra={"because": str(exc)})

    def _targets(self, listed: Iterable[Container]) -> tuple[Target, ...]:
        made: list[Target] = []
        for one in listed:
            target, notes = target_of(one.name, one.labels, self._wanted.mode)
            if target is not None and len(made) >= self._wanted.most:
                notes.append(f"container {one.name}: sensors.docker.most ({self._wanted.most}) are taken up already")
            elif target is not None:
                made.append(target)
            for note in notes:
                self._tell(note)
        return tuple(made)

    def _apart(self, target: Target, own: Iterable[Target]) -> Target:
        """Out of groups of what is declared: one more member there would loosen what bounds the others, or hold it."""
        closed = {group for one in own for group in one.groups}.intersection(target.groups)
        for group in sorted(closed):
            self._tell(f"{target.id}: the group {group} is of declared targets, which a label does not join")
        return replace(target, groups=tuple(group for group in target.groups if group not in closed))

    def _tell(self, note: str) -> None:
        """Once each: a list comes every few seconds."""
        if note not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(note)
            _log.warning("discovery.label", extra={"because": note})

    def _hear(self, event: Event) -> None:
        if event.what in _STIRS:
            self._stirred.set()


async def with_labelled(config: Config, docker: Docker) -> Config:
    """The configuration with the containers that label themselves at this moment, where it lets them."""

    async def take(_because: str) -> None:
        """Nobody runs yet who would have to go on."""

    finder = Labelled(docker, take)
    finder.want(config)
    if config.sensors.docker.discover:
        await finder.look()
    return finder.merged(config)


def _container(target: Target) -> str:
    return str(target.spec.get("container") or target.name) if target.kind == "container" else ""


def _difference(before: tuple[Target, ...], now: tuple[Target, ...]) -> str:
    old, new = {target.id: target for target in before}, {target.id: target for target in now}
    words = [f"+{name}" for name in new if name not in old]
    words += [f"-{name}" for name in old if name not in new]
    words += [f"~{name}" for name in new if name in old and new[name] != old[name]]
    return " ".join(words)[:500]
