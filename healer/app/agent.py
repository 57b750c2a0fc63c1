"""The agent: built from a configuration, opened in order, closed in reverse; the owner of every task."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import healer
from audit.writer import Writer
from healer import blocking
from healer.api import where
from healer.app import build, chores
from healer.app.chores import Chores
from healer.app.embedded import Embedded
from healer.app.faces import Faces
from healer.app.index import IncidentIndex
from healer.app.once import look_once
from healer.app.parts import Parts
from healer.clock import Clock, SystemClock
from healer.config import Config
from healer.core.core import Core
from healer.errors import HealerError
from healer.history import History
from healer.model.event import Happened, Looked
from healer.model.memory import Memory
from healer.model.mode import Mode, Profile
from healer.model.target import State, Target, check_move
from healer.record import AuditClock, Record, recall
from healer.runtime.bus import Bus
from healer.runtime.dispatch import Dispatch, KillSwitch
from healer.runtime.duties import Duties
from healer.runtime.loop import Loop
from healer.runtime.poll import Poll
from healer.runtime.sdnotify import Systemd

_log = logging.getLogger("healer.app")

DRAIN = 25.0
"""Seconds running effects have to end when the agent is asked to stop."""


class Agent(Faces, Embedded):
    """One agent on one state folder.

    ``config`` is a path, a mapping, a `Config` or nothing (the file `healer.config.find` finds). In a program::

        with Agent({"targets": [...]}) as agent:
            agent.status()

    runs it in a thread of its own; a service awaits `serve`. Raises ConfigError, AuditError and HealerError from its
    start, before anything was touched.
    """

    def __init__(
        self,
        config: Config | Path | str | Mapping[str, Any] | None = None,
        *,
        state_dir: Path | str | None = None,
        mode: Mode | None = None,
        profile: Profile | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.environ = dict(os.environ if environ is None else environ)
        self._source = Path(config) if isinstance(config, str) else config
        self._mode, self._profile = mode, profile
        self.config = self._load_config()
        self.state_dir = where.state_folder(state_dir, self.environ)
        self.clock: Clock = clock or SystemClock()
        self.version = healer.__version__
        self.bus = Bus()
        self.kill_switch = KillSwitch(self.state_dir / where.KILL_SWITCH)
        self.systemd = Systemd(self.environ)
        self.state = State.STOPPED
        self.degraded: list[str] = []
        """What is not as configured, in words: a fallback rule set, a history that was set aside."""
        self.listeners: list[str] = []
        self.steps: list[str] = []
        """The steps of start and stop taken so far, by name."""
        self._started_at = self.clock.now()
        self._requests = 0
        self._asked: set[str] = set()
        self._reloading = False
        self._stop: asyncio.Event | None = None
        self._confirmed: Mapping[str, float] = {}

    # Building --------------------------------------------------------------------------------------------------

    def _load_config(self) -> Config:
        source = self._source
        config = source if isinstance(source, Config) else load_config(source, environ=self.environ, check=check_vital)
        mode = config.mode if self._mode is None else self._mode
        profile = config.profile if self._profile is None else self._profile
        return replace(config, mode=mode, profile=profile)

    def _load_rules(self, config: Config) -> tuple[RuleSet, tuple[Path, ...]]:
        files = rule_files(config.rules)
        return rules_loader.load(files, base=config.rules.base), files

    def _first_rules(self) -> tuple[RuleSet, tuple[Path, ...]]:
        """The rules as configured; at the start an invalid set falls back to the last accepted one, loudly."""
        try:
            return self._load_rules(self.config)
        except ConfigError as exc:
            kept = accepted.kept(self.state_dir)
            if not kept:
                raise
            try:
                rules = rules_loader.load(kept)
            except ConfigError:
                raise exc from None
            because = f"the rules do not load, the last accepted set ({rules.hash[:12]}) is used: {exc}"
            _log.error("rules.fallback", extra={"because": because, "problems": exc.problems})
            self.degraded.append(because)
            return rules, ()

    def _setup(self, config: Config, rules: RuleSet, max_ages: Mapping[str, float]) -> Setup:
        return Setup(
            node=config.node,
            boot=self.clock.boot_id(),
            targets=config.targets,
            rules=rules,
            vitals=config.vitals,
            organ_weights={name: organ.weight for name, organ in config.organs.items()},
            organ_modes={name: organ.mode for name, organ in config.organs.items()},
            mode=config.mode,
            default_mode=config.rules.default_mode,
            profile=config.profile,
            brakes=config.limits,
            max_ages=max_ages,
        )

    # Life ------------------------------------------------------------------------------------------------------

    async def serve(self, *, ready: Callable[[], None] | None = None, signals: bool = True) -> None:
        """Run until SIGTERM, SIGINT or `stop`; then stop in order. Raises what made it end otherwise."""
        self._stop = asyncio.Event()
        self._move(State.INITIALIZING)
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._move(State.INITIALIZED)
            async with asyncio.TaskGroup() as group:
                await self._begin(stack, group)
                if signals:
                    self._listen_to_signals(stack)
                self._move(State.RUNNING)
                self.systemd.say("READY=1", f"STATUS={self._sentence()}", f"MAINPID={os.getpid()}")
                if ready is not None:
                    ready()
                await self._stop.wait()
                self.systemd.say("STOPPING=1")
                self._move(State.SOFT_STOPPING)
                await self._end()
        self._move(State.STOPPED)

    def _move(self, to: State) -> None:
        if to is not self.state:
            check_move("agent", self.state, to)
        self.state = to
        _log.info("agent.state", extra={"state": to.value})

    def _step(self, name: str) -> None:
        self.steps.append(name)
        _log.debug("agent.step", extra={"step": name})

    async def _open(self, stack: AsyncExitStack) -> None:
        """Open what must be there before anything is looked at, in this order."""
        self._step("state folder")
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._step("sealed log")
        anchors = [Path(path) for path in self.config.audit.anchor]
        clock = AuditClock(self.clock)
        self.writer = Writer.open(self.state_dir, node=self.config.node, clock=clock, anchors=anchors)
        stack.callback(self.writer.close)
        self._step("history")
        self.history = History(self.state_dir / "state.db", resolution=self.config.store.sample_every)
        self.history.start()
        stack.callback(self.history.close)
        self._step("memory")
        self.memory = self._recall()
        self._step("rules")
        self.rules, self._rule_files = self._first_rules()

    def _recall(self) -> Memory:
        """Fold the safety state, from the last snapshot on where the log still holds its block."""
        if self.writer.head is None:
            return Memory()
        found = self.history.latest_snapshot()
        snapshot = None
        if found is not None and "memory" in found.body:
            snapshot = (found.height, found.header, found.body["memory"])
            self._confirmed = found.body.get("confirmed") or {}
        memory, folded = recall(self.state_dir, snapshot)
        _log.info("memory.folded", extra={"entries": folded, "snapshot": snapshot is not None})
        return memory

    async def _begin(self, stack: AsyncExitStack, group: asyncio.TaskGroup) -> None:
        """Start what looks and acts, in this order; everything is stopped in reverse by `_end`."""
        now = self.clock.now()
        self._step("drivers")
        self.parts = Parts(clock=self.clock, state_dir=self.state_dir, push=self._pushed, figures=self.figures)
        self.programs = self.parts.programs
        self._step("core")
        sensors = self.parts.senses(self.config)
        ages = {sensor.name: sensor.max_age for sensor in sensors}
        self.memory.rebase(boot=self.clock.boot_id(), mono_us=round(now * 1e6), wall_us=round(self.clock.wall() * 1e6))
        crashed = not self.memory.clean_stop
        core = Core(self._setup(self.config, self.rules, ages), self.memory, now=now, wall=self.clock.wall())
        core.take_up(self._confirmed)
        self.loop = Loop(
            core=core,
            clock=self.clock,
            bus=self.bus,
            look=self._look,
            progressed=self._progressed,
            sealed_topics=self.config.audit.events,
        )
        self.record = Record(
            self.writer,
            self.clock,
            sealed=self.loop.sealed,
            refused=self.loop.refused,
            broken=self.loop.broken,
        )
        self._step("hands")
        self.dispatch = Dispatch(
            actions=self.parts.hands(self.config, set_mode=self._set_mode, publish=self._publish),
            targets=self._target,
            generation=self._generation,
            kill_switch=self.kill_switch,
            clock=self.clock,
            finished=self.loop.finished,
        )
        self.loop.attach(self.record, self.dispatch)
        self._step("loop")
        self._tell_start(crashed=crashed)
        self._tasks = [group.create_task(self.loop.run(), name="loop")]
        self.programs.declare(self.config.targets)
        await asyncio.sleep(0)
        adopted = await self.programs.open(group)
        if adopted:
            self._happened("lifecycle", phase="adopted", data={"programs": list(adopted)})
        self._step("senses")
        self.poll = Poll(sensors=sensors, clock=self.clock, deliver=self._looked)
        self._tasks.append(group.create_task(self.poll.run(), name="poll"))
        self._step("calendar")
        self._start_calendar(stack)
        self._step("api")
        await self._start_api(stack)
        self._start_programs()
        self._happened("lifecycle", phase="ready", version=self.version)
        await self.record.flush()

    def _tell_start(self, *, crashed: bool) -> None:
        """The first entries of this run."""
        if self.kill_switch.on() != self.memory.kill_switch:
            self._happened("kill-switch", on=self.kill_switch.on(), because="as the file stood at the start")
        data = {"pid": os.getpid(), "config": self.config.hash, "steps": list(self.steps)}
        self._happened("lifecycle", phase="start", version=self.version, data=data)
        if crashed:
            self._happened("lifecycle", phase="crash-recovered", because="the last run did not stop in order")
        self._happened(
            "rules",
            hash=self.rules.hash,
            count=len(self.rules.rules),
            files=list(self.rules.files),
            accepted=not self.degraded,
            because=self.degraded[-1] if self.degraded else "",
        )
        if self._rule_files:
            self._keep_rules(self._rule_files, self.rules)
        for because in self._distrust():
            self._happened("safe-mode", because=because)

    def _keep_rules(self, files: tuple[Path, ...], rules: RuleSet) -> None:
        try:
            accepted.keep(self.state_dir, files, rules.hash)
        except OSError as exc:
            _log.warning("rules.not-kept", extra={"because": str(exc)})

    def _distrust(self) -> list[str]:
        """Reasons to begin in safe mode."""
        if self.writer.rollback:
            return [f"the log is older than what was anchored: {self.writer.rollback}"]
        return []

    def _happened(self, topic: str, /, **data: Any) -> None:  # noqa: ANN401 - JSON values of any kind
        self.loop.put(Happened(topic=topic, data=data, at=self.clock.now(), own=True))

    async def _end(self) -> None:
        """Stop in order: no new requests, no new effects; what runs may end; everything said is sealed."""
        self._step("stop api")
        await self._api.aclose()
        self.listeners = []
        self._step("stop calendar")
        self.calendar.stop()
        self._step("drain effects")
        await self.dispatch.drain(DRAIN if self.dispatch.running else 0.0)
        self._step("stop senses")
        self._tasks[1].cancel()
        self._step("stop programs")
        # A service that restarts must not take down what it looks after; Ctrl-C in a terminal means all of it.
        await self.programs.close("keep" if self.systemd.there else "stop")
        self._step("last block")
        self._happened("lifecycle", phase="stop", because="asked to stop")
        await self.record.flush()
        self._snapshot()
        self._step("stop loop")
        self._tasks[0].cancel()
        await self.parts.close()

    def _listen_to_signals(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGTERM: self.ask_stop, signal.SIGINT: self.ask_stop, signal.SIGHUP: self._hang_up}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
            stack.callback(loop.remove_signal_handler, number)

    def ask_stop(self) -> None:
        """Ask the agent to stop in order; on its own thread."""
        if self._stop is not None:
            self._stop.set()

    def _hang_up(self) -> None:
        """SIGHUP: reload; a storm of them is one reload."""
        if not self._reloading:
            self._reloading = True
            self.calendar.soon("reload", self._reload_quietly)

    async def _reload_quietly(self) -> None:
        try:
            await self.reload()
        except HealerError as exc:
            _log.error("reload.refused", extra={"because": str(exc)})
        finally:
            self._reloading = False

    async def reload(self) -> dict[str, Any]:
        """Read configuration and rules again; all or nothing. Raises ConfigError, and then nothing has changed."""
        self.systemd.reloading()
        try:
            config = self._load_config()
            rules, files = self._load_rules(config)
            sensors = self.parts.senses(config)
        except HealerError as exc:
            self._happened(
                "rules",
                hash=self.rules.hash,
                count=len(self.rules.rules),
                files=list(self.rules.files),
                accepted=False,
                because=f"reload refused, the old set stays: {exc}"[:1000],
            )
            raise
        finally:
            self.systemd.say("READY=1")
        self.programs.declare(config.targets)
        ages = {sensor.name: sensor.max_age for sensor in sensors}
        core = Core(
            self._setup(config, rules, ages),
            self.loop.core.desk.memory,
            now=self.clock.now(),
            wall=self.clock.wall(),
        )
        self.config, self.rules, self.degraded = config, rules, []
        self.loop.succeed(core)
        await self.poll.replace(sensors)
        self._keep_rules(files, rules)
        self._happened(
            "rules", hash=rules.hash, count=len(rules.rules), files=list(rules.files), accepted=True, because="reload"
        )
        self._schedule()
        self._start_programs()
        return {"rules": len(rules.rules), "hash": rules.hash, "targets": len(config.targets)}

    # Wires -----------------------------------------------------------------------------------------------------

    def _looked(self, event: Looked) -> None:
        self.loop.put(event)
        self.history.record(event.readings, now=event.at, wall=self.clock.wall())

    def _pushed(self, readings: Any) -> None:  # noqa: ANN401 - a sequence of readings
        self.loop.put(Looked(sensor="programs", at=self.clock.now(), readings=tuple(readings)))

    def _look(self, target: str) -> object:
        return self.poll.look_now(target) if hasattr(self, "poll") else None

    def _progressed(self) -> None:
        """Once a tick: the watchdog is fed by real progress of the loop, and the kill switch is looked at."""
        now = self.clock.now()
        self.systemd.progressed(now)
        if (on := self.kill_switch.on()) != self.loop.core.desk.memory.kill_switch:
            self._happened("kill-switch", on=on, because=f"the file {self.kill_switch.path}")
        if self.loop.snapshot_wanted and self.record.idle:
            self._snapshot()

    def _snapshot(self) -> None:
        head = self.writer.head
        if head is None or not self.record.idle or self.record.lost:
            return
        self.loop.snapshot_wanted = False
        core = self.loop.core
        body = {"memory": core.desk.memory.to_json(), "confirmed": core.keep()}
        self.history.save_snapshot(head.height, head.head, body, wall=self.clock.wall())

    def _target(self, name: str) -> Target | None:
        return self.loop.core.world.targets.get(name)

    def _generation(self, target: Target) -> str | None:
        return self.programs.generation(target.name) if target.kind == "program" else None

    def _set_mode(self, subject: str, mode: str, because: str) -> None:
        self.ask("set-mode", subject, {"mode": mode, "because": because}, who="rule")

    def _publish(self, topic: str, data: Mapping[str, Any]) -> None:
        self.loop.tell(topic, data)

    # Calendar --------------------------------------------------------------------------------------------------

    def _start_calendar(self, stack: AsyncExitStack) -> None:
        thresholds = self.config.harmony
        self.duties = Duties(
            loop=self.loop,
            clock=self.clock,
            state_dir=self.state_dir,
            watch=HarmonyWatch(warn=thresholds.warn, balance=thresholds.balance, recovered=thresholds.recovered),
            stretch=self.poll.stretch,
            blind=self.poll.states,
        )
        self.bus.on("*", self.duties.count)
        self.calendar = Calendar()
        self._schedule()
        self.calendar.start()
        stack.callback(self.calendar.stop)

    def _schedule(self) -> None:
        """Put the duties of the present configuration on the calendar."""
        config, duties, calendar = self.config, self.duties, self.calendar
        calendar.every(config.audit.heartbeat, "heartbeat", duties.heartbeat)
        calendar.every(config.audit.verify_every, "verify the log", duties.verify)
        calendar.every(config.store.snapshot_every, "snapshot", self._snapshot)
        calendar.every(_PRUNE_EVERY, "prune history", self._prune)
        calendar.every(_WATCH_EVERY, "programs", self._start_programs)
        if config.profile in {Profile.FULL, Profile.ECONOMY}:
            calendar.every(config.reflect_every, "reflect", duties.reflect)
            calendar.every(config.harmony.every, "harmony", duties.harmony)
            calendar.every(_WATCH_EVERY, "economy", duties.economy)
        calendar.soon("first verification", duties.verify)
        calendar.forget("cron ")
        for rule in self.rules.rules:
            if rule.trigger.kind == "schedule" and rule.enabled:
                job = functools.partial(self.ask, "trigger", rule.id, None, "calendar")
                calendar.cron(rule.trigger.cron, rule.trigger.tz, f"cron {rule.id}", job)

    def _prune(self) -> None:
        self.history.prune(self.clock.wall() - self.config.store.keep)

    def _start_programs(self) -> None:
        """Ask for the start of programs that are to run and do not, parents first; gated and sealed like the rest."""
        for name in self.programs.waiting():
            target = self.loop.core.world.targets.get(f"program:{name}")
            if target is None or target.id in self._asked or first_unmet(target, self.loop.core.world):
                continue
            self._asked.add(target.id)
            self.ask("act", target.id, {"action": "start"}, who="agent")

    async def _start_api(self, stack: AsyncExitStack) -> None:
        from healer.api.serve import serving

        self._api = AsyncExitStack()
        stack.push_async_callback(self._api.aclose)
        path = where.listen_at(self.config.api.socket, self.state_dir, self.environ)
        self.listeners = list(await self._api.enter_async_context(serving(self, path, self.config.api.tcp)))

    def _sentence(self) -> str:
        targets = len(self.config.targets)
        return f"{len(self.rules.rules)} rules, {targets} targets, log at {self.state_dir}"
