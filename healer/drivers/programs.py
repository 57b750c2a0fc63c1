"""The programs the agent runs; one file because start, exit, stop and take-over move the same few facts.

They survive the agent: each leads its own session, writes to a file (never to a pipe that dies with us) and carries
HEALER_PROGRAM, HEALER_HOME and HEALER_INTENT in its environment. A new agent takes them over by pid, start time and
boot id, or, after a crash between the start and the note about it, by those variables.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from healer import blocking
from healer.clock import Clock, SystemClock
from healer.drivers import adopt, argv, cgroups, output, processes, program, ready, trees
from healer.drivers.program import ProgramSnapshot, ProgramSpec, Remembered
from healer.errors import ActionError
from healer.model.observation import Reading
from healer.model.target import State, Target

Push = Callable[[Sequence[Reading]], None]
"""Where readings go the moment something happened."""

_log = logging.getLogger(__name__)
_TRIM_EVERY = 60.0
_AFTERWARDS = 0.05
"""Seconds after an exit until it is written down: what heals it comes first."""


class _Program:
    """What is known of one program now."""

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec = spec
        self.pid = 0
        self.ticks = 0
        self.fd = -1
        self.state = State.STOPPED
        self.started_at = 0.0
        self.memory = Remembered()
        self.adopted = False
        self.ordered = False
        """Its end was asked for: an exit now is no news."""
        self.because = ""
        self.cgroup: cgroups.Cgroup | None = None
        self.strays = False
        """Processes of an earlier start are left although its main process is gone."""
        self.lock = asyncio.Lock()
        self.ended = asyncio.Event()
        self.saving = asyncio.Lock()
        self.unsaved = False

    @property
    def alive(self) -> bool:
        return self.fd >= 0

    @property
    def leftovers(self) -> bool:
        """Whether something of a dead program is left. Cheap: no look at all of /proc."""
        return self.strays or (self.pid > 0 and _group_left(self.pid)) or bool(self.cgroup and self.cgroup.members())

    @property
    def generation(self) -> str:
        return f"{self.pid}.{self.ticks}" if self.alive else ""

    def remember(self, **fields: Any) -> None:  # noqa: ANN401 - the fields of Remembered, each with its own type
        self.memory = dataclasses.replace(self.memory, **fields)


class Programs:
    """All programs of one agent. One event loop; ``open`` before use, ``close`` at the end."""

    def __init__(
        self,
        clock: Clock,
        state_dir: Path,
        push: Push | None = None,
        *,
        http_ready: ready.HttpReady | None = None,
        groups: cgroups.Cgroups | None = None,
    ) -> None:
        self.push = push
        self._clock = clock
        self._folder = state_dir / "programs"
        self.home = hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]
        """HEALER_HOME of our children: two agents on one host may run programs of the same name."""
        self.groups = groups if groups is not None else cgroups.detect()
        self._http_ready = http_ready
        self._own = argv.own_account()
        self._programs: dict[str, _Program] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._working: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------------------------- owner's side

    def declare(self, targets: Iterable[Target]) -> None:
        """Make these the programs; one that is no longer declared is forgotten, not stopped. Raises ActionError."""
        specs = {target.name: program.spec_of(target) for target in targets if target.kind == "program"}
        for name in self._programs.keys() - specs.keys():
            self._forget(self._programs.pop(name))
        for name, spec in specs.items():
            if name in self._programs:
                self._programs[name].spec = spec
            else:
                self._programs[name] = _Program(spec)

    async def open(self, tasks: asyncio.TaskGroup | None = None) -> tuple[str, ...]:
        """Make the folder, take over what still runs; returns the names taken over.

        ``tasks`` owns what goes on in the background: readiness, cgroups, keeping the output files small. Without it
        readiness is not watched, and cgroups are joined before ``start`` returns.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._tasks = tasks
        adopted = self.adopt_all()
        self._owned(self._keep_small())
        return adopted

    async def close(self, otherwise: str = "stop", *, force: bool = False) -> None:
        """Let go of all programs: each is stopped or kept as its ``on_stop`` says, or as ``otherwise`` says.

        ``force``: what ``otherwise`` says holds for all of them.
        """
        stopping = [one for one in self._programs.values() if one.alive and _policy(one, otherwise, force) == "stop"]
        ends = await asyncio.gather(*(self._finish(one) for one in stopping), return_exceptions=True)
        for one, end in zip(stopping, ends, strict=True):
            if isinstance(end, BaseException):
                _log.warning("program.outlives", extra={"program": one.spec.name, "because": str(end)})
        for one in self._programs.values():
            if one.alive:
                self._save(one)
            self._forget(one)
        for task in tuple(self._working):
            task.cancel()  # some never end by themselves, and their owner waits for them

    async def _finish(self, one: _Program) -> None:
        """Stop a program because the agent stops: it is still wanted when the agent comes back."""
        async with one.lock:
            await self._end(one, one.spec.grace)
            self._save(one)

    def _forget(self, one: _Program) -> None:
        if one.fd >= 0:
            asyncio.get_running_loop().remove_reader(one.fd)
            os.close(one.fd)
            one.fd = -1

    # -------------------------------------------------------------------------------------- looking

    def names(self) -> tuple[str, ...]:
        """All declared programs."""
        return tuple(self._programs)

    def generation(self, name: str) -> str:
        """``pid.starttime`` of the running incarnation; empty when none runs. Raises ActionError: no such name."""
        return self._named(name).generation

    def snapshot(self, name: str) -> ProgramSnapshot:
        """How the program is now; raises ActionError for an unknown name. Costs no system call."""
        one = self._named(name)
        return ProgramSnapshot(
            name=name,
            pid=one.pid if one.alive else None,
            started_at=one.started_at if one.alive else None,
            state=one.state.value,
            generation=one.generation,
            restarts=one.memory.restarts,
            exit_code=one.memory.exit_code,
            exits_unknown=one.adopted,
            wanted=one.memory.wanted,
            intent=one.memory.intent,
            because=one.because,
        )

    def spec(self, name: str) -> ProgramSpec:
        """What was declared; raises ActionError for an unknown name."""
        return self._named(name).spec

    def waiting(self) -> tuple[str, ...]:
        """Programs that are to be started with the agent, do not run, and were not stopped on purpose."""
        found = (one for one in self._programs.values() if one.spec.autostart and one.memory.wanted and not one.alive)
        return tuple(one.spec.name for one in found if not one.memory.held)

    def intents(self) -> Mapping[str, str]:
        """Leaf hash of the intent -> name, for every program that runs: these effects did happen."""
        return {one.memory.intent: name for name, one in self._programs.items() if one.alive and one.memory.intent}

    def output(self, name: str, most: int = 65536) -> bytes:
        """The end of what the program wrote, at most ``most`` bytes."""
        self._named(name)
        return output.tail(self._path(name, ".log"), most)

    def last_words(self, name: str, most: int = 65536) -> Callable[[], bytes]:
        """Mark where its output ends now: what is returned reads the end before that mark, whoever wrote on by then."""
        self._named(name)
        return output.last_words(self._path(name, ".log"), most)

    def tree(self, name: str) -> trees.Tree:
        """What is known of the program's processes."""
        one = self._named(name)
        return trees.Tree(root=one.pid, ticks=one.ticks, markers=self._markers(name), cgroup=one.cgroup)

    def _markers(self, name: str) -> dict[str, str]:
        return {"HEALER_PROGRAM": name, "HEALER_HOME": self.home}

    def _named(self, name: str) -> _Program:
        if name not in self._programs:
            raise ActionError(f"no program {name!r} is declared", transient=False)
        return self._programs[name]

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / (program.file_name(name) + suffix)

    # -------------------------------------------------------------------------------------- acting

    async def start(self, name: str, intent: str = "", *, generation: str | None = None) -> str:
        """Start the program and return its generation; one that runs already is left alone. Raises ActionError.

        Here and below: where ``generation`` is given and another incarnation runs by the time it is this call's turn,
        nothing is done and ActionError raised.
        """
        one = self._named(name)
        async with one.lock:
            _fence(one, generation)
            _check_free(one)
            if one.alive:
                self._want(one, wanted=True)
                return one.generation
            return await self._start(one, intent)

    async def stop(self, name: str, grace: float | None = None, *, generation: str | None = None) -> None:
        """Stop signal, ``grace`` seconds, KILL: the whole tree. Not wanted until it is started. Raises ActionError."""
        one = self._named(name)
        async with one.lock:
            _fence(one, generation)
            one.remember(held=False)
            self._want(one, wanted=False)
            await self._end(one, one.spec.grace if grace is None else grace)

    async def restart(
        self, name: str, intent: str = "", grace: float | None = None, *, generation: str | None = None
    ) -> str:
        """Stop what runs, start it again and return the new generation. Raises ActionError.

        Of a dead program nothing is waited for but the spawn.
        """
        one = self._named(name)
        async with one.lock:
            _fence(one, generation)
            _check_free(one)
            if one.alive:
                await self._end(one, one.spec.grace if grace is None else grace)
            return await self._start(one, intent)

    async def hold(self, name: str, *, generation: str) -> int:
        """Stop it where it stands, and let nothing start it until `release`; returns how many processes that are.

        A dead one is only kept from being started. Raises ActionError.
        """
        one = self._named(name)
        async with one.lock:
            _fence(one, generation)
            count = await trees.freeze(self.tree(name)) if one.alive else 0
            one.remember(held=True)
            self._save(one)
            one.state = State.PAUSED if one.alive else one.state
            self._tell(one)
            return count

    async def release(self, name: str, *, generation: str) -> int:
        """Let it go on where it stood; one that died meanwhile may be started again. Raises ActionError."""
        one = self._named(name)
        async with one.lock:
            _fence(one, generation)
            one.remember(held=False)
            self._save(one)
            count = await trees.thaw(self.tree(name)) if one.alive else 0
            one.state = State.RUNNING if one.alive else one.state
            self._tell(one)
            return count

    def held(self, name: str) -> bool:
        """Whether it is in quarantine."""
        return self._named(name).memory.held

    def signal(self, name: str, number: int, generation: str) -> None:
        """Send one signal to the main process of this incarnation; raises ActionError."""
        one = self._named(name)
        _fence(one, generation)
        if not one.alive:
            raise ActionError(f"program:{name} does not run", transient=False)
        signal.pidfd_send_signal(one.fd, number)

    async def _start(self, one: _Program, intent: str) -> str:
        name = one.spec.name
        if one.leftovers:
            # Workers that outlived their dead parent hold its ports: the new one could not start.
            await trees.end(self.tree(name), number=signal.SIGKILL, grace=0.0)
            one.strays = False
        before = self._clock.now()
        pid = self._spawn(one, intent)
        one.started_at = self._clock.now()
        one.ended.clear()
        self._hold(one, pid, processes.grip(pid))
        one.ticks = self._born(pid, before, one.started_at)
        one.adopted, one.ordered, one.because = False, False, ""
        one.state = State.STARTING if one.spec.ready and self._tasks else State.RUNNING
        one.remember(
            pid=pid,
            ticks=one.ticks,
            boot=self._clock.boot_id(),
            intent=intent,
            wanted=True,
            starts=one.memory.starts + 1,
            restarts=one.memory.restarts + (one.memory.starts > 0),
        )
        # The answer does not wait for what /proc could tell as well.
        asyncio.get_running_loop().call_soon(self._after_start, one, one.generation)
        return one.generation

    def _spawn(self, one: _Program, intent: str) -> int:
        spec = one.spec
        who = argv.account(spec.user) if spec.user else None
        markers = {**self._markers(spec.name), "HEALER_INTENT": intent, "HEALER_START": str(one.memory.starts + 1)}
        env = argv.environment(spec.env, markers, who or self._own)
        command = argv.checked(spec.command)
        executable = argv.resolve(command[0], env["PATH"], spec.cwd)
        try:
            with output.opened(self._path(spec.name, ".log")) as sink:
                return processes.spawn(command, executable=executable, env=env, cwd=spec.cwd, output=sink, who=who)
        except OSError as exc:
            raise ActionError(f"cannot open the output of program:{spec.name}: {exc}") from exc

    def _born(self, pid: int, before: float, after: float) -> int:
        """Start time in ticks; read from /proc only where the clock cannot tell, which waits for the exec (0.4 ms)."""
        first, last = int((before - 1e-6) * processes.TICKS), int((after + 1e-6) * processes.TICKS)
        if first == last and isinstance(self._clock, SystemClock):
            return last
        seen = processes.stat(pid)
        return seen.ticks if seen else 0

    async def _end(self, one: _Program, grace: float) -> None:
        """End the whole tree; afterwards our own memory says so too."""
        if not one.alive and not one.leftovers:
            return
        one.ordered = True
        if one.alive:
            one.state = State.SOFT_STOPPING
        await trees.end(self.tree(one.spec.name), number=one.spec.stop_signal, grace=grace)
        one.strays = False
        # Every pidfd of the tree fired; ours is read by the loop, so give it its turn.
        if one.alive:
            await asyncio.wait_for(one.ended.wait(), timeout=5.0)
        if one.cgroup is not None and one.cgroup.remove():
            one.cgroup = None

    # --------------------------------------------------------------------------- what happens by itself

    def _hold(self, one: _Program, pid: int, fd: int) -> None:
        one.pid, one.fd = pid, fd
        asyncio.get_running_loop().add_reader(fd, self._exited, one)

    def _exited(self, one: _Program) -> None:
        """The kernel says the main process is dead: conclusive, so it is told at once."""
        code = processes.reap(one.fd)
        self._forget(one)
        one.remember(exit_code=code)
        one.state = State.STOPPED
        one.because = program.describe_exit(code)
        one.ended.set()
        self._tell(one, conclusive=not one.ordered)
        # Not now: the intent that follows wants the disk, the interpreter and a core.
        asyncio.get_running_loop().call_later(_AFTERWARDS, self._note, one)

    def _tell(self, one: _Program, *, conclusive: bool = False) -> None:
        if self.push is not None:
            self.push(program.readings(self.snapshot(one.spec.name), self._clock.now(), conclusive=conclusive))

    def _want(self, one: _Program, *, wanted: bool) -> None:
        one.remember(wanted=wanted)
        self._save(one)

    def _note(self, one: _Program) -> None:
        """Save without holding the loop up, where somebody owns our tasks."""
        if not one.unsaved:  # else the one that waits will write what is true by then
            one.unsaved = True
            if not self._owned(self._save_aside(one)):
                one.unsaved = False
                self._save(one)

    def _owned(self, work: Coroutine[Any, Any, None]) -> bool:
        """Give work to the owner of our tasks; False where there is none, or it takes nothing any more."""
        if self._tasks is not None:
            with contextlib.suppress(RuntimeError):  # the group is shutting down
                task = self._tasks.create_task(work)
                self._working.add(task)
                task.add_done_callback(self._working.discard)
                return True
        work.close()
        return False

    async def _save_aside(self, one: _Program) -> None:
        async with one.saving:
            one.unsaved = False
            await blocking.call(lambda: self._save(one))

    def _save(self, one: _Program) -> None:
        try:
            program.save(self._path(one.spec.name, ".json"), one.memory)
        except OSError as exc:
            # The variables in its environment find it all the same; counters may be lost.
            _log.warning("program.unsaved", extra={"program": one.spec.name, "because": str(exc)})

    def _after_start(self, one: _Program, generation: str) -> None:
        """What a start leaves to do once its answer is on its way."""
        self._note(one)
        if one.generation != generation:
            return  # it died already
        processes.unprotect(one.pid)
        self._tell(one)
        if not self._owned(self._settle(one, generation)):
            self._place(one.spec.name, generation)

    async def _settle(self, one: _Program, generation: str) -> None:
        """Join the cgroup (the kernel may take 15 ms over it), then watch for readiness."""
        await blocking.call(lambda: self._place(one.spec.name, generation))
        if one.state is not State.STARTING:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + float(one.spec.ready.get("within", 30.0))
        pause = 0.02
        while one.generation == generation and one.state is State.STARTING:
            if await ready.look(one.spec.ready, self._http_ready, one.spec.cwd):
                self._is_ready(one, generation)
                return
            if loop.time() >= deadline:
                one.because = (
                    "it is not ready, and its time for that is over"  # it may still come: looked at more slowly
                )
                pause = 1.0
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _is_ready(self, one: _Program, generation: str) -> None:
        if one.generation == generation and one.state is State.STARTING:
            one.state, one.because = State.RUNNING, ""
            self._tell(one)

    def _place(self, name: str, generation: str) -> None:
        """Put a fresh program into its cgroup, and what it started in the meantime.

        Joining waits for the kernel's readers (15 ms here, when it is the first in a while), too long to do before the
        program runs. A daemon that in those milliseconds forks twice, leaves the session and clears its environment
        slips away; whatever comes later cannot.
        """
        one = self._programs.get(name)
        group = self.groups.make(f"{self.home[:8]}-{name}") if one is not None else None
        if one is None or group is None or one.generation != generation:
            return
        if one.pid not in group.members() and not group.attach(one.pid):
            group.remove()
            return
        one.cgroup = group
        for pid in trees.members(self.tree(name)).keys() - group.members():
            group.attach(pid)

    async def _keep_small(self) -> None:
        while True:
            await asyncio.sleep(_TRIM_EVERY)
            paths = [self._path(name, ".log") for name in self._programs]
            for path in paths:
                await blocking.call(lambda path=path: output.trim(path))  # type: ignore[misc]  # bound at once

    # ------------------------------------------------------------------------------------ taking over

    def adopt_all(self) -> tuple[str, ...]:
        """Take over every declared program that still runs; returns their names. Never raises."""
        marked = adopt.by_markers(self.home, self._accounts)
        taken = []
        for name, one in self._programs.items():
            if one.alive:
                continue
            one.memory = program.recall(self._path(name, ".json"))
            noted = adopt.by_note(one.memory, self._clock.boot_id())
            ours = marked.leaders.get(name, ())
            # What carries the number of a start that is noted stems from the noted process, and is not the program.
            candidates = [
                found for found in (noted, *ours) if found and (found is noted or found.start > one.memory.starts)
            ]
            if candidates:
                self._take(one, candidates[0])
                taken.append(name)
            one.strays = name in marked.names and not one.alive
        held = {one.fd for one in self._programs.values()}
        for found in (found for group in marked.leaders.values() for found in group if found.fd not in held):
            os.close(found.fd)
        return tuple(taken)

    def _accounts(self, name: str) -> set[int | None]:
        """Whose process may be a program of ours: the agent's own, or that of the account it is declared to run as."""
        known = self._programs.get(name)
        with contextlib.suppress(ActionError):
            if known is not None and known.spec.user:
                return {os.getuid(), argv.account(known.spec.user).uid}
        return {os.getuid()}

    def _take(self, one: _Program, found: adopt.Found) -> None:
        self._hold(one, found.seen.pid, found.fd)
        one.ticks = found.seen.ticks
        one.started_at = found.seen.ticks / processes.TICKS
        one.adopted = True
        one.state = State.PAUSED if one.memory.held else State.RUNNING
        starts = max(found.start, one.memory.starts)
        one.remember(
            pid=one.pid, ticks=one.ticks, boot=self._clock.boot_id(), intent=found.intent, starts=starts, wanted=True
        )
        self._place(one.spec.name, one.generation)
        self._save(one)
        self._tell(one)


def _policy(one: _Program, otherwise: str, force: bool) -> str:  # noqa: FBT001 - handed through
    return otherwise if force else one.spec.on_stop or otherwise


def _fence(one: _Program, generation: str | None) -> None:
    if generation is not None and one.generation != generation:
        raise ActionError(f"program:{one.spec.name} is another incarnation now", transient=False)


def _check_free(one: _Program) -> None:
    if one.memory.held:
        raise ActionError(
            f"program:{one.spec.name} is in quarantine", hint="put it back, or stop it, first", transient=False
        )


def _group_left(pid: int) -> bool:
    """Whether anything is left in the group a dead program led."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
