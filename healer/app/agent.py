"""The agent and the order of its start and stop, which is why it is long: they are to be read in one place."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import healer
from audit import keyring, places
from audit.writer import Writer
from healer.actions.evidence import Witness
from healer.api import where
from healer.app import build, chores
from healer.app.alerting import Alerting
from healer.app.chores import Chores
from healer.app.embedded import Embedded
from healer.app.faces import Faces
from healer.app.index import IncidentIndex
from healer.app.keeping import Keeping
from healer.app.labelled import Labelled
from healer.app.once import look_once
from healer.app.parts import Parts
from healer.app.renewal import Renewal, undisturbed
from healer.app.sealer import sealer
from healer.app.testimony import Testimony
from healer.clock import Clock, SystemClock
from healer.config import Config
from healer.core import report
from healer.core.core import Core
from healer.core.hearing import check_topic
from healer.drivers.interface import DriverStatus, LinkState
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
from healer.sensors.interface import Sensor

_log = logging.getLogger("healer.app")

DRAIN = 25.0
"""Seconds running effects have to end when the agent is asked to stop."""


class Agent(Faces, Renewal, Embedded):
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
        self._source: build.Source = Path(config) if isinstance(config, str) else config
        self._mode, self._profile = mode, profile
        self.config = self._settings()
        self.state_dir = where.state_folder(state_dir, self.environ)
        self.clock: Clock = clock or SystemClock()
        self.version = healer.__version__
        self.bus = Bus()
        self.kill_switch = KillSwitch(self.state_dir / where.KILL_SWITCH)
        self.systemd = Systemd(self.environ)
        self.state = State.STOPPED
        self.listeners: list[str] = []
        self.steps: list[str] = []
        """The steps of start and stop taken so far, by name."""
        self._not_yet: list[str] = []
        self._started_at = self.clock.now()
        self._requests = 0
        self._reloading = self._reload_again = self._alone = False
        self._one_reload = asyncio.Lock()
        self._stop: asyncio.Event | None = None
        self._stop_asked = False
        self._snapshot_body: Mapping[str, Any] = {}

    def _settings(self) -> Config:
        return build.settings(self._source, self.environ, mode=self._mode, profile=self._profile)

    async def once(self) -> dict[str, Any]:
        """Look and think once; returns a status with ``would``. Nothing is opened, sealed or done."""
        config = build.settings(self._source, self.environ, mode=None, profile=self._profile)
        found = await look_once(config, state_dir=self.state_dir, clock=self.clock)
        return {"version": self.version, "state": self.state.value, "state_dir": str(self.state_dir), **found}

    # Life ------------------------------------------------------------------------------------------------------

    async def serve(self, *, ready: Callable[[], None] | None = None, signals: bool = True) -> None:
        """Run until SIGTERM, SIGINT or `stop`; then stop in order. Raises what made it end otherwise."""
        self._stop = stop = asyncio.Event()
        self._alone = signals
        if self._stop_asked:
            stop.set()
        self._move(State.INITIALIZING)
        try:
            await self._live(stop, ready, signals=signals)
        except BaseException as exc:  # noqa: BLE001 - raised again, as what it is
            self.state = State.FAULT
            raise _cause(exc) from None
        self._move(State.STOPPED)

    async def _live(self, stop: asyncio.Event, ready: Callable[[], None] | None, *, signals: bool) -> None:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._move(State.INITIALIZED)
            async with asyncio.TaskGroup() as group:
                try:
                    if self._alone:
                        gc.collect()  # what loading left behind would be kept for ever with the rest: 1 MB (measured)
                    with undisturbed(alone=self._alone):
                        await self._begin(stack, group)
                except BaseException:
                    await self._let_go()
                    raise
                if signals:
                    self._listen_to_signals(stack)
                self._move(State.RUNNING)
                self.systemd.say("READY=1", f"STATUS={self._sentence()}", f"MAINPID={os.getpid()}")
                if ready is not None:
                    ready()
                await stop.wait()
                self.systemd.say("STOPPING=1")
                self._move(State.SOFT_STOPPING)
                await self._end()

    async def _let_go(self) -> None:
        """After a start that failed: programs go on without us, and nothing of ours waits for them."""
        if "hands" in self.steps:
            self.dispatch.stopping = True
            await self.programs.close("keep", force=True)

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
        self._step("rules")
        self._loaded = build.first_rules(self.config, self.state_dir)
        self._step("state folder")
        try:
            self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise HealerError(f"cannot make the state folder {self.state_dir} (--state-dir): {exc.strerror}") from exc
        self._step("sealed log")
        anchors = [Path(path) for path in self.config.audit.anchor]
        clock = AuditClock(self.clock)
        held = stack.enter_context(sealer(self.config.audit, self.environ))
        self.writer = Writer.open(
            self.state_dir,
            node=self.config.node,
            clock=clock,
            anchors=anchors,
            signer=held.signer,
            passphrase=held.passphrase,
            credentials=held.credentials,
            postgres=Path(self.config.audit.postgres) if self.config.audit.postgres else None,
            rsa_later=self.config.audit.rsa_later,
        )
        stack.callback(self.writer.close)
        keyring.settle(self.state_dir / places.KEYS, self.writer.public)
        self._step("history")
        self._kept = History(self.state_dir / "state.db", resolution=self.config.store.sample_every)
        self._kept.start()
        stack.callback(self._kept.close)
        self._step("memory")
        self.memory = self._recall()
        build.check_accepted(self._loaded, self.memory.rules_hash)

    def _recall(self) -> Memory:
        """Fold the safety state, from the last snapshot on where the log still holds its block."""
        if self.writer.head is None:
            return Memory()
        found = self._kept.latest_snapshot()
        snapshot = None
        if found is not None and "memory" in found.body:
            snapshot = (found.height, found.header, found.body["memory"])
            self._snapshot_body = found.body
        policy = self.config.audit.retention
        archives = [Path(policy.archive)] if policy and policy.archive else []
        memory, folded = recall(self.state_dir, snapshot, archives)
        _log.info("memory.folded", extra={"entries": folded, "snapshot": snapshot is not None})
        return memory

    async def _begin(self, stack: AsyncExitStack, group: asyncio.TaskGroup) -> None:
        """Start what looks and acts, in this order; everything is stopped in reverse by `_end`."""
        self._step("drivers")
        self.parts = Parts(
            clock=self.clock,
            state_dir=self.state_dir,
            push=self._pushed,
            figures=self.figures,
            changed=self._driver_changed,
            witness=self._witness(),
        )
        self.programs = self.parts.programs
        self.labelled = Labelled(self.parts.docker, self._take_labelled)
        self._step("core")
        sensors = self.parts.senses(self.config)
        self.poll = Poll(sensors=sensors, clock=self.clock, deliver=self._looked)
        now, wall = self.clock.now(), self.clock.wall()
        self.memory.rebase(boot=self.clock.boot_id(), mono_us=round(now * 1e6), wall_us=round(wall * 1e6))
        crashed = not self.memory.clean_stop
        core = self._core_of(self.config, self._loaded, self.memory, sensors)
        core.take_up(self._snapshot_body.get("confirmed") or {})
        self._step("hands")
        self._close_the_circle(core)
        await self._take_up_incidents()
        self._step("loop")
        self._tell_start(crashed=crashed)
        await self.testimony.begin()
        self._tasks = [group.create_task(self.loop.run(), name="loop")]
        if self.testimony.asking is not None:
            self._tasks.append(group.create_task(self.testimony.asking.run(), name="witnesses"))
        self._tasks.append(group.create_task(self.parts.evidence.run(), name="evidence"))
        self.programs.declare(self.config.targets)
        await asyncio.sleep(0)
        adopted = await self.programs.open(group)
        if adopted:
            self._happened("lifecycle", phase="adopted", data={"programs": list(adopted)})
        self._step("senses")
        self._looking = group.create_task(self.poll.run(), name="poll")
        self._finding = group.create_task(self.labelled.run(), name="labelled containers")
        self.labelled.renew(self.config)
        self._step("calendar")
        self._start_calendar(stack)
        self._step("api")
        await self._start_api(stack)
        self.chores.start_programs()
        self.chores.verify_soon()
        self._happened("lifecycle", phase="ready", version=self.version)
        await self.record.flush()

    def _core_of(self, config: Config, loaded: build.Loaded, memory: Memory, sensors: Iterable[Sensor]) -> Core:
        ages = {sensor.name: sensor.max_age for sensor in sensors}
        setup = build.setup(config, loaded.rules, boot=self.clock.boot_id(), max_ages=ages)
        return Core(setup, memory, now=self.clock.now(), wall=self.clock.wall())

    def _close_the_circle(self, core: Core) -> None:
        """Loop, record and dispatch: each calls the next, and the last calls the first."""
        self.parts.speak(self.config)
        self.loop = Loop(
            core=core,
            clock=self.clock,
            bus=self.bus,
            look=self.poll.look_now,
            progressed=self._progressed,
            sealed_topics=self.config.audit.events,
        )
        self.record = Record(
            self.writer,
            self.clock,
            sealed=self.loop.sealed,
            refused=self.loop.refused,
            broken=self.loop.broken,
            secrets=build.secrets(self.config, self._loaded.rules, self.environ),
            conceal=self.config.audit.conceal,
        )
        self.dispatch = Dispatch(
            actions=self.parts.hands(self.config, set_mode=self._set_mode, publish=self._publish),
            targets=self._target,
            generation=self._generation,
            kill_switch=self.kill_switch,
            clock=self.clock,
            finished=self.loop.finished,
        )
        self.loop.attach(self.record, self.dispatch)
        self._call_witnesses()

    def _call_witnesses(self) -> None:
        """Those who vouch for the log, where there are any; nothing of theirs is on the way of a seal."""
        self.testimony = Testimony(
            self.config.audit,
            writer=self.writer,
            state_dir=self.state_dir,
            clock=self.clock,
            happened=self._happened,
            tell=self.loop.tell,
        )
        if (asking := self.testimony.asking) is not None:
            self.record.grown = asking.grown
            self.loop.quorum, self.loop.at_once = asking.quorum, asking.at_once

    async def _take_up_incidents(self) -> None:
        self._index = IncidentIndex(self._kept, self.clock)
        with suppress(HealerError):  # there is no store: nothing to go on with
            self._index.take_up(await self._kept.incidents(), self.memory)
        self._index.listen(self.bus, self.config)

    def _tell_start(self, *, crashed: bool) -> None:
        """The first entries of this run."""
        thrown = self.kill_switch.on()
        if thrown != self.memory.kill_switch:
            self._happened("kill-switch", on=thrown, because="as the file stood at the start")
        self._introduce("")
        if crashed:
            self._happened("lifecycle", phase="crash-recovered", because="the last run did not stop in order")
        if self.writer.rollback:
            self._happened("safe-mode", because=f"the log is older than what was anchored: {self.writer.rollback}")

    def _introduce(self, because: str) -> None:
        """Who runs here, by which configuration and rules."""
        data = {"pid": os.getpid(), "config": self.config.hash, "steps": list(self.steps)}
        self._happened("lifecycle", phase="start", version=self.version, because=because, data=data)
        self._tell_rules(self._loaded, accepted=not self._loaded.because, because=self._loaded.because)
        build.keep(self._loaded, self.state_dir)

    def _happened(self, topic: str, /, **data: Any) -> None:  # noqa: ANN401 - JSON values of any kind
        self.loop.put(Happened(topic=topic, data=data, at=self.clock.now(), own=True))

    async def _end(self) -> None:
        """Stop in order: no new requests, no new effects; what runs may end; everything said is sealed."""
        self._step("stop api")
        await self._api.aclose()
        self.listeners = []
        self._finding.cancel()
        self._step("stop calendar")
        self.chores.calendar.stop()
        await self.chores.calendar.ended()
        self._step("drain effects")
        self._happened("lifecycle", phase="drain", data={"running": list(self.dispatch.running)})
        await self.loop.release()
        await self.dispatch.drain(DRAIN if self.dispatch.running else 0.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self.parts.evidence.drain()
        self._step("stop senses")
        self._looking.cancel()
        self._step("stop programs")
        await self._end_programs()
        self._step("last block")
        self._happened("lifecycle", phase="stop", because="asked to stop")
        await self.record.flush()
        self._snapshot()
        await self.testimony.last()
        self._step("stop loop")
        for task in self._tasks:
            task.cancel()
        await self.parts.close()

    async def _end_programs(self) -> None:
        """A service that restarts must not take down what it looks after; Ctrl-C in a terminal means all of it."""
        otherwise, programs = "keep" if self.systemd.there else "stop", self.programs
        policies = {name: programs.spec(name).on_stop or otherwise for name in programs.names()}
        ending = [f"program:{name}" for name, policy in policies.items() if policy == "stop"]
        # Nobody will see whether what was done to them worked, and the next run must not wait for it.
        self._happened("let-go", targets=ending, because="the agent stopped, and its programs with it")
        await programs.close(otherwise)

    def _listen_to_signals(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGTERM: self.ask_stop, signal.SIGINT: self.ask_stop, signal.SIGHUP: self._hang_up}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
            stack.callback(loop.remove_signal_handler, number)

    def ask_stop(self) -> None:
        """Ask the agent to stop in order, on its own thread; one that has not begun yet stops once it is ready."""
        self._stop_asked = True
        if self._stop is not None:
            self._stop.set()

    # Wires -----------------------------------------------------------------------------------------------------

    def _looked(self, event: Looked) -> None:
        self.loop.put(event)
        if self.history is not None:
            self.history.record(event.readings, now=event.at, wall=self.clock.wall())

    def _pushed(self, readings: Any) -> None:  # noqa: ANN401 - a sequence of readings
        if not self.dispatch.stopping:  # what we end ourselves at the end is no news
            self.loop.put(Looked(sensor="programs", at=self.clock.now(), readings=tuple(readings)))

    def _witness(self) -> Witness:
        """What evidence is written with: the record's own redaction, the core's last readings, a place in the log."""
        return Witness(
            redact=lambda value: self.record.redacted(value),  # noqa: PLW0108 - the record is made after the parts
            samples=lambda target: report.readings(self.core, target),
            seal=lambda fields: self._happened("evidence", **fields),
        )

    def _driver_changed(self, status: DriverStatus) -> None:
        """A connection was lost or is back: all its targets are unknown, and that is one piece of news."""
        topic = "driver.connected" if status.state is LinkState.CONNECTED else "driver.lost"
        _log.warning(topic, extra={"driver": status.name, "because": status.because})
        self.loop.tell(topic, {"driver": status.name, "because": status.because, "reconnects": status.reconnects})

    def _progressed(self) -> None:
        """Once a tick: the watchdog is fed by real progress of the loop, and the kill switch is looked at."""
        now = self.clock.now()
        self.systemd.progressed(now)
        if (on := self.kill_switch.on()) != self.core.desk.memory.kill_switch:
            self._happened("kill-switch", on=on, because=f"the file {self.kill_switch.path}")
        if self.loop.snapshot_wanted:
            self._snapshot()

    def _snapshot(self) -> None:
        """Keep the memory as of the last block, where the log holds all that the memory does."""
        head = self.writer.head
        if head is None or not self.record.idle or self.record.lost:
            return
        self.loop.snapshot_wanted = False
        core = self.core
        body = {
            "memory": core.desk.memory.to_json(),
            "confirmed": core.keep(),
            "harmony": self.duties.watch.state,
            "alerts": self.alerting.kept(),
        }
        self._kept.save_snapshot(head.height, head.head, body, wall=self.clock.wall())

    def _target(self, name: str) -> Target | None:
        return self.core.world.targets.get(name)

    def _generation(self, target: Target) -> str | None:
        return self.programs.generation(target.name) if target.kind == "program" else None

    def _set_mode(self, subject: str, mode: str, because: str) -> None:
        self.ask("set-mode", subject, {"mode": mode, "because": because}, who="rule")

    def _publish(self, topic: str, data: Mapping[str, Any]) -> None:
        self.loop.tell(check_topic(topic), data)

    def _start_calendar(self, stack: AsyncExitStack) -> None:
        watch = chores.watch_of(self.config)
        watch.state = self._snapshot_body.get("harmony") or watch.state
        self.duties = Duties(
            loop=self.loop,
            clock=self.clock,
            state_dir=self.state_dir,
            watch=watch,
            stretch=self.poll.stretch,
            blind=self.poll.states,
            profile=self.config.profile,
            trust=self.testimony.trust,
        )
        self.bus.on("*", self.duties.count)
        self.keeping = Keeping(
            writer=self.writer,
            state_dir=self.state_dir,
            policy=self.config.audit.retention,
            latest_snapshot=self._kept.latest_snapshot,
            witnessed=self.testimony.witnessed if self.testimony.asking else None,
        )
        self.chores = Chores(
            duties=self.duties,
            programs=self.programs,
            history=self._kept,
            loop=self.loop,
            bus=self.bus,
            clock=self.clock,
            ask=self.ask,
            snapshot=self._snapshot,
            keeping=self.keeping,
        )
        self.chores.schedule(self.config, self._loaded.rules)
        self.testimony.schedule(self.chores.calendar)
        self._start_alerts()
        self.chores.calendar.start()
        stack.callback(self.chores.calendar.stop)

    def _start_alerts(self) -> None:
        self.alerting = Alerting(
            voices=self.parts.voices,
            bus=self.bus,
            clock=self.clock,
            core=lambda: self.core,
            gather=self.wrong,
            happened=self._happened,
            start=self.chores.calendar.soon,
            keep=self._keep_soon,
            sealing=lambda: self.sealing,
        )
        self.alerting.renew(self.config)
        self.alerting.take_up(self._snapshot_body.get("alerts") or {})
        self.alerting.schedule(self.chores.calendar)

    def _keep_soon(self) -> None:
        """Have what was told written down with the next tick: a restart must not tell it again."""
        self.loop.snapshot_wanted = True

    async def _start_api(self, stack: AsyncExitStack) -> None:
        from healer.api.serve import serving

        self._api = AsyncExitStack()
        stack.push_async_callback(self._api.aclose)
        path = where.listen_at(self.config.api.socket, self.state_dir, self.environ)
        self.listeners = list(await self._api.enter_async_context(serving(self, path, self.config.api.tcp)))

    def _sentence(self) -> str:
        targets = len(self.config.targets)
        return f"{len(self._loaded.rules.rules)} rules, {targets} targets, log at {self.state_dir}"


def _cause(exc: BaseException) -> BaseException:
    """The error itself where groups hold only one: whoever started the agent catches that."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc
