"""What an agent looks through and acts with, put together from a configuration."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from healer.actions import catalog as hands
from healer.actions import tellers
from healer.actions.evidence import Evidence, Witness
from healer.actions.interface import Action
from healer.actions.publish import Publish
from healer.actions.set_mode import SetMode
from healer.actions.voices import MOST_RECIPIENTS, Voices
from healer.clock import Clock
from healer.config import Config
from healer.drivers.catalog import Drivers
from healer.drivers.http import HttpError
from healer.drivers.link import Changed, no_one
from healer.drivers.programs import Programs
from healer.errors import HealerError
from healer.model.mode import Profile
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors import catalog as senses
from healer.sensors.host import HostSensor
from healer.sensors.host_slow import HostSlowSensor
from healer.sensors.interface import Sensor
from healer.sensors.program import ProgramSensor
from healer.sensors.self import Figures, SelfSensor

Push = Callable[[Sequence[Reading]], None]


@runtime_checkable
class Selects(Protocol):
    """A driver that can be asked a query."""

    async def select(self, query: str, *, most: int) -> list[tuple[Any, ...]]:
        """At most so many rows of one SELECT; raises HealerError."""


class Parts:
    """The drivers, and what is built on them. Their libraries load with the first use, not here."""

    def __init__(
        self,
        *,
        clock: Clock,
        state_dir: Path,
        push: Push,
        figures: Figures,
        changed: Changed = no_one,
        witness: Witness | None = None,
    ) -> None:
        self._clock, self._state_dir, self._figures = clock, state_dir, figures
        self.drivers = Drivers(clock, changed=changed, positions=state_dir / "positions")
        self.http, self.docker = self.drivers.http, self.drivers.docker
        self.voices = Voices(clock, "", lambda: self.http, lookup=self._first_column)
        self._targets: Mapping[str, Target] = {}
        self.programs = Programs(clock, state_dir, push, http_ready=self._answers)
        self.evidence = Evidence(
            clock=clock,
            state_dir=state_dir,
            tellers=tellers.tellers(self.programs, self.drivers),
            glances=tellers.glances(self.programs, self.drivers),
            witness=witness or Witness(),
        )

    def speak(self, config: Config) -> None:
        """Go on with the channels of this configuration; profile core tells the journal, and nobody else."""
        self.voices.renew({} if config.profile is Profile.CORE else config.notify, config.node)
        self._targets = {target.id: target for target in config.targets}

    async def _first_column(self, name: str, query: str, seconds: float) -> list[str]:
        """What a database answers when it is asked whom to tell; raises HealerError."""
        target = self._targets.get(name)
        driver: object = self.drivers.of(target) if target is not None else None
        if not isinstance(driver, Selects):
            raise HealerError(f"{name} is no database that can be asked")
        try:
            async with asyncio.timeout(seconds):
                rows = await driver.select(query, most=MOST_RECIPIENTS)
        except TimeoutError as exc:
            raise HealerError(f"{name} did not answer within {seconds:g} s") from exc
        return [str(row[0]) for row in rows if row and row[0] is not None]

    def hands(self, config: Config, *, set_mode: SetMode, publish: Publish) -> Mapping[str, Action]:
        """Every action by its verb."""
        services = hands.Services(
            programs=self.programs,
            clock=self._clock,
            state_dir=self._state_dir,
            node=config.node,
            http=lambda: self.http,
            docker=lambda: self.docker,
            drivers=self.drivers,
            evidence=self.evidence,
            set_mode=set_mode,
            publish=publish,
            voices=self.voices,
        )
        return hands.build(services)

    def senses(self, config: Config) -> list[Sensor]:
        """A sensor for the host, the agent, the programs, and each target; raises ConfigError."""
        services = senses.Services(
            clock=self._clock,
            http=self.http,
            docker=self.docker,
            drivers=self.drivers,
            programs=self.programs,
            figures=self._figures,
        )
        own: list[Sensor] = [
            HostSensor(self._clock, every=config.sensors.host_every),
            HostSlowSensor(every=config.sensors.host_slow_every),
            SelfSensor(self._figures, every=config.sensors.self_every),
        ]
        if config.programs:
            own.append(ProgramSensor(self.programs))
        return own + [senses.build(target, services) for target in config.targets if senses.looks_at(target.kind)]

    async def _answers(self, url: str) -> bool:
        """Say whether a program that was started answers there yet."""
        try:
            reply = await self.http.ask(url, timeout=2.0, most=1, redirects=0)
        except HttpError:
            return False
        return 200 <= reply.status < 400

    async def close(self) -> None:
        """Let go of what the drivers hold; programs are closed by the agent, in its own order."""
        await self.drivers.close()
