"""Reload: configuration and rules are read again, and all of it takes the place of the old, or nothing does."""

import asyncio
import contextlib
import gc
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from healer import blocking, plugged
from healer.app import build, chores
from healer.app.alerting import Alerting
from healer.app.chores import Chores
from healer.app.index import IncidentIndex
from healer.app.labelled import Labelled
from healer.app.parts import Parts
from healer.config import Config, plugins
from healer.core.core import Core
from healer.drivers.programs import Programs
from healer.errors import HealerError
from healer.model.memory import Memory
from healer.record import Record
from healer.runtime.dispatch import Dispatch
from healer.runtime.duties import Duties
from healer.runtime.loop import Loop
from healer.runtime.poll import Poll
from healer.runtime.sdnotify import Systemd
from healer.sensors.interface import Sensor

_log = logging.getLogger("healer.app")


@contextlib.contextmanager
def undisturbed(*, alone: bool) -> Iterator[None]:
    """Without looks for cyclic garbage: while many rules are made, each look holds the loop, 0.1 to 0.2 s for 500.

    ``alone``: the process is ours, and what was made meanwhile stays for long, so that later looks pass it over. What
    it replaced is freed without them (`Core.retire`).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if alone:
            gc.freeze()
        if was_on:
            gc.enable()


class Renewal(ABC):
    """The part of an agent that reloads; `healer.app.agent.Agent` owns what is named here."""

    alerting: Alerting
    chores: Chores
    config: Config
    dispatch: Dispatch
    duties: Duties
    environ: Mapping[str, str]
    labelled: Labelled
    loop: Loop
    parts: Parts
    poll: Poll
    programs: Programs
    record: Record
    state_dir: Any
    systemd: Systemd
    _alone: bool
    """Whether the process is the agent's own."""
    _index: IncidentIndex
    _loaded: build.Loaded
    _not_yet: list[str]
    _one_reload: asyncio.Lock
    _reload_again: bool
    _reloading: bool

    @abstractmethod
    def _settings(self) -> Config: ...

    @abstractmethod
    def _core_of(self, config: Config, loaded: build.Loaded, memory: Memory, sensors: Iterable[Sensor]) -> Core: ...

    @abstractmethod
    def _set_mode(self, subject: str, mode: str, because: str) -> None: ...

    @abstractmethod
    def _publish(self, topic: str, data: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def _happened(self, topic: str, /, **data: Any) -> None: ...  # noqa: ANN401 - JSON values of any kind

    @abstractmethod
    def _sentence(self) -> str: ...

    def _hang_up(self) -> None:
        """SIGHUP: reload; a storm of them is one reload, and one more where it went on after that had begun."""
        self._reload_again = True
        if not self._reloading:
            self._reloading = True
            self.chores.calendar.soon("reload", self._reload_quietly)

    async def _reload_quietly(self) -> None:
        try:
            while self._reload_again:
                self._reload_again = False
                await self._reload_or_say_why()
        finally:
            self._reloading = False

    async def _reload_or_say_why(self) -> None:
        try:
            await self.reload()
        except HealerError as exc:
            _log.error("reload.refused", extra={"because": str(exc)})

    async def reload(self) -> dict[str, Any]:
        """Read configuration and rules again; all or nothing. Raises ConfigError, and then nothing has changed."""
        return await self._renew(lambda: self.labelled.merged(self._settings()), None, "reload")

    async def _take_labelled(self, because: str) -> None:
        """Go on with other containers that label themselves; all else is as it is now, whatever the files say."""
        await self._renew(lambda: self.labelled.merged(self.config), self._loaded, because)

    async def _renew(self, settings: Callable[[], Config], loaded: build.Loaded | None, because: str) -> dict[str, Any]:
        async with self._one_reload:
            self.systemd.reloading()
            try:
                with undisturbed(alone=self._alone):
                    return await self._swap(settings(), loaded, because)
            except HealerError as exc:
                self._tell_rules(
                    self._loaded, accepted=False, because=f"reload refused, the old set stays: {build.told(exc)}"
                )
                raise
            finally:
                self.systemd.say("READY=1", f"STATUS={self._sentence()}")

    async def _swap(self, config: Config, same: build.Loaded | None, because: str) -> dict[str, Any]:
        """Build all that is new, and only then let it take the place of the old. ``same``: rules that stay."""
        sensors = self.parts.senses(config)
        hands = self.parts.hands(config, set_mode=self._set_mode, publish=self._publish)
        loaded, core = await blocking.call(lambda: self._build(config, sensors, same))
        watch = chores.watch_of(config)
        self.programs.declare(config.targets)
        # From here on nothing can fail.
        self._not_yet = build.not_before_a_start(self.config, config)
        self.config, self._loaded = config, loaded
        self.record.secrets = build.secrets(config, loaded.rules, self.environ)
        self.record.conceal = config.audit.conceal
        self.loop.sealed_topics = config.audit.events
        self.dispatch.actions = hands
        self.parts.speak(config)
        self._index.renew(config)
        self.loop.succeed(core)
        self.duties.renew(watch, config.profile)
        await self.poll.replace(sensors)
        await self.parts.drivers.keep(config.targets)
        plugins.keep_only(config.plugins)
        build.keep(loaded, self.state_dir)
        self._tell_rules(loaded, accepted=True, because=because)
        self.labelled.renew(config)
        self.chores.schedule(config, loaded.rules)
        self.alerting.renew(config)
        self.alerting.schedule(self.chores.calendar)
        self.chores.start_programs()
        rules = loaded.rules
        return {
            "rules": len(rules.rules),
            "hash": rules.hash,
            "targets": len(config.targets),
            "not_before_a_start": list(self._not_yet),
            "left_out": [f"{where}: {because}" for where, because in plugged.FAILED.items()],
        }

    def _build(self, config: Config, sensors: Iterable[Sensor], same: build.Loaded | None) -> tuple[build.Loaded, Core]:
        """Rules, and a core that is wired already, beside the one that runs: what takes long must not hold the loop.

        A core looks at its memory only when it is told something.
        """
        loaded = build.rules(config) if same is None else same
        core = self._core_of(config, loaded, self.loop.core.desk.memory, sensors)
        core.evaluator.refresh(core.desk.now)
        return loaded, core

    def _tell_rules(self, loaded: build.Loaded, *, accepted: bool, because: str) -> None:
        rules = loaded.rules
        self._happened(
            "rules",
            hash=rules.hash,
            count=len(rules.rules),
            files=list(rules.files),
            accepted=accepted,
            because=because[:1000],
        )
