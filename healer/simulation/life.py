"""One life of an agent in the toy world: the real parts wired as the owner wires them, until it stops or dies."""

import asyncio
import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.keys import Signer
from healer.core.core import Core, Setup
from healer.model.effect import Note
from healer.model.event import Asked, Happened, Looked
from healer.model.limit import Brakes
from healer.model.memory import Memory
from healer.model.mode import Mode
from healer.model.request import Request
from healer.model.target import Target
from healer.record import Record, recall
from healer.runtime.bus import Bus
from healer.runtime.dispatch import Dispatch, KillSwitch
from healer.runtime.loop import Loop
from healer.runtime.poll import Poll
from healer.simulation import rulebooks
from healer.simulation.chance import Chance
from healer.simulation.hands import ToyHand, Witness
from healer.simulation.loop import Crash, SimClock, SimLoop, run
from healer.simulation.sealing import SlowWriter
from healer.simulation.senses import Tap, ToySensor
from healer.simulation.witnesses import ToyWitnesses
from healer.simulation.world import World

Snapshot = tuple[int, str, str]
"""Height, header hash and the safety state as JSON text, as a database would keep it."""
COMPARED = 5
"""Every so many snapshots, and at the end of each life, the live memory is compared with a fold of the whole log."""
VERBS = ("restart", "start", "stop", "adjust", "notify")
KILL_SWITCH = "stop-healing"


@dataclass(kw_only=True)
class House:
    """What outlives an agent: the host, its world, its disks."""

    folder: Path
    anchor: Path
    clock: SimClock
    chance: Chance
    world: World
    tap: Tap
    signer: Signer
    targets: tuple[Target, ...]
    brakes: Brakes
    book: str
    every: float = 2.0
    runs: int = 0
    snapshot: Snapshot | None = None
    problems: list[str] = field(default_factory=list)
    """What the harness itself saw go wrong in the agent: exceptions nobody caught, folds that differ."""
    lost: int = 0
    """Submissions that the log never took, over all lives."""
    steps: int = 0
    life: "Life | None" = None
    """The agent that lives now; None while it is down."""

    @property
    def kill_switch(self) -> KillSwitch:
        """The file that stops everything."""
        return KillSwitch(self.folder / KILL_SWITCH)


class Life:
    """One process of the agent."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.runs += 1
        house.world.dead = False
        house.tap.begin()
        self.writer = SlowWriter(
            house.folder, clock=house.clock, signer=house.signer, chance=house.chance, anchor=house.anchor
        )
        self.asyncio = SimLoop(house.clock, house.chance.interleaving)
        self.asyncio.set_exception_handler(self._uncaught)
        self.writer.attach(self.asyncio)
        self.book = house.book
        self.sensors = [ToySensor(thing, house.world, every=house.every) for thing in house.world.things.values()]
        house.world.heard = self._heard
        self.witness: Witness
        self.loop: Loop
        self.record: Record
        self.dispatch: Dispatch
        self.poll: Poll
        self.running = False
        """It is up: requests reach it."""
        self._until = 0.0
        self._requests = self._snapshots = 0

    def _uncaught(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        self.house.problems.append(f"nobody caught: {context.get('message')} {context.get('exception')!r}")

    def _heard(self, name: str) -> None:
        for sensor in self.sensors:
            if sensor.name == name:
                sensor.exited()

    # Living ----------------------------------------------------------------------------------------------------

    def live(self, until: float) -> str:
        """Run until a simulation second, then stop in order; returns where it died instead, or an empty string."""
        self._until = until
        house = self.house
        try:
            run(self.asyncio, self._main())
        except Crash as died:
            return str(died)
        except ExceptionGroup as group:
            house.problems.append(f"the agent raised: {_said(group)}")
            return "a bug"
        finally:
            self.running = False
            house.world.dead = True
            house.lost += self.writer.lost
            house.steps += self.asyncio.lived
            if not self.writer.dead:
                self.writer.abandon()
        return ""

    async def _main(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = self._begin(group)
            await asyncio.sleep(0)
            self.running = True
            await self._nature()
            self.running = False
            await self._end(tasks)

    async def _nature(self) -> None:
        """Let the world go on by itself until the end of this life."""
        world, clock = self.house.world, self.house.clock
        while clock.at < self._until:
            world.settle()
            due = world.due()
            wake = self._until if due is None else min(due, self._until)
            await asyncio.sleep(max(0.0, wake - clock.at))
        world.settle()

    def _begin(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        house, clock = self.house, self.house.clock
        memory = self._recall()
        self.witness = Witness(house.folder / "audit.db")
        crashed = not memory.clean_stop
        core = Core(self.setup(), memory, now=clock.now(), wall=clock.wall())
        self.loop = Loop(core=core, clock=clock, bus=Bus(), look=self._look, progressed=self._progressed)
        self.record = Record(
            self.writer,  # type: ignore[arg-type]  # it stands where the writer stands
            clock,
            sealed=self.loop.sealed,
            refused=self.loop.refused,
            broken=self.loop.broken,
        )
        self.dispatch = Dispatch(
            actions={verb: self._hand(verb) for verb in VERBS},
            targets=self._target,
            generation=self._generation,
            kill_switch=house.kill_switch,
            clock=clock,
            finished=self.loop.finished,
        )
        self.loop.attach(self.record, self.dispatch)
        self.loop.quorum = ToyWitnesses(house.world, self.witness.height).quorum
        self._tell_start(crashed=crashed)
        self.poll = Poll(sensors=self.sensors, clock=clock, deliver=self._looked)
        if house.chance.calm:
            self.poll.stretch(2.0)  # nothing happens any more that a quick eye would see
        return [
            group.create_task(self.loop.run(), name="loop"),
            group.create_task(self.poll.run(), name="poll"),
        ]

    def setup(self) -> Setup:
        """The configuration of this life."""
        house = self.house
        return Setup(
            node="sim",
            boot=house.clock.boot_id(),
            targets=house.targets,
            rules=rulebooks.rules(self.book),
            brakes=house.brakes,
            max_ages={sensor.name: sensor.max_age for sensor in self.sensors},
            mode=Mode.AUTO,
        )

    def _recall(self) -> Memory:
        house, clock = self.house, self.house.clock
        if self.writer.head is None:
            return Memory()
        memory, _ = recall(house.folder, None)
        if house.snapshot is not None:
            height, header, body = house.snapshot
            whole, (memory, _) = memory, recall(house.folder, (height, header, json.loads(body)))
            self._same(memory, whole, "a fold from the snapshot and a whole fold differ")
        memory.rebase(boot=clock.boot_id(), mono_us=round(clock.now() * 1e6), wall_us=round(clock.wall() * 1e6))
        self._recovers_once(memory)
        return memory

    def _recovers_once(self, memory: Memory) -> None:
        """Recovering twice must be recovering once."""
        clock = self.house.clock
        again, known = copy.deepcopy(memory), set(memory.intents)
        for turn in (1, 2):
            core = Core(self.setup(), again, now=clock.now(), wall=clock.wall())
            notes = [one for one in core.recover() if isinstance(one, Note) and one.kind in {"outcome", "verdict"}]
            ended = sorted({note.fields["id"] for note in notes} & known)
            if turn == 2 and ended:
                self.house.problems.append(f"recovering a second time ended {', '.join(ended)} once more")

    def _same(self, one: Memory, other: Memory, what: str) -> None:
        left, right = _plain(one), _plain(other)
        if left != right:
            parts = [f"{name}: {_differing(left[name], right[name])}" for name in left if left[name] != right[name]]
            self.house.problems.append(f"{what}: {'; '.join(parts)}"[:1000])

    def _hand(self, verb: str) -> ToyHand:
        house = self.house
        return ToyHand(
            verb,
            world=house.world,
            tap=house.tap,
            witness=self.witness,
            run=house.runs,
            forbidden=(house.folder / KILL_SWITCH).exists,
        )

    def _target(self, name: str) -> Target | None:
        return self.loop.core.world.targets.get(name)  # of the core of now: a reload replaces it

    def _generation(self, target: Target) -> str | None:
        thing = self.house.world.things.get(target.id)
        return thing.generation if thing is not None and target.kind != "http" else None

    def _tell_start(self, *, crashed: bool) -> None:
        switch, memory = self.house.kill_switch, self.loop.core.desk.memory
        if switch.on() != memory.kill_switch:
            self.happened("kill-switch", on=switch.on(), because="as the file stood at the start")
        self.happened("lifecycle", phase="start", version="sim", data={"run": self.house.runs})
        if crashed:
            self.happened("lifecycle", phase="crash-recovered", because="the last run did not stop in order")
        self._tell_rules("start")

    def _tell_rules(self, because: str) -> None:
        rules = rulebooks.rules(self.book)
        self.happened(
            "rules", hash=rules.hash, count=len(rules.rules), files=[self.book], accepted=True, because=because
        )

    # What others do to it --------------------------------------------------------------------------------------

    def happened(self, topic: str, /, **data: Any) -> None:  # noqa: ANN401 - JSON values of any kind
        """Tell the agent something about itself."""
        self.loop.put(Happened(topic=topic, data=data, at=self.house.clock.now(), own=True))

    def ask(self, verb: str, subject: str = "agent", **args: Any) -> None:  # noqa: ANN401 - JSON values
        """Make a request."""
        self._requests += 1
        name = f"r{self.house.runs}-{self._requests}"
        request = Request(id=name, verb=verb, subject=subject, who="uid:0", args=args, at=self.house.clock.now())
        self.loop.put(Asked(request=request))

    def reload(self) -> None:
        """Read the rules again, which have changed."""
        clock = self.house.clock
        self.book = self.house.book = rulebooks.RELOADS[self.book]
        core = Core(self.setup(), self.loop.core.desk.memory, now=clock.now(), wall=clock.wall())
        self.loop.succeed(core)
        self._tell_rules("reload")

    # Wires -----------------------------------------------------------------------------------------------------

    def _looked(self, event: Looked) -> None:
        self.house.tap.take(event)
        self.loop.put(event)

    def _look(self, target: str) -> object:
        return self.poll.look_now(target) if hasattr(self, "poll") else None

    def _progressed(self) -> None:
        on = self.house.kill_switch.on()
        if on != self.loop.core.desk.memory.kill_switch:
            self.happened("kill-switch", on=on, because="the file")
        if self.loop.snapshot_wanted and self.record.idle:
            self._keep()

    def _keep(self, *, last: bool = False) -> None:
        head, house = self.writer.head, self.house
        if head is None or not self.record.idle or self.record.lost:
            return
        self.loop.snapshot_wanted = False
        memory = self.loop.core.desk.memory
        self._snapshots += 1
        if last or self._snapshots % COMPARED == 0:
            self._same(memory, recall(house.folder, None)[0], "the live memory and a fold of the log differ")
        house.snapshot = (head.height, head.head, json.dumps(memory.to_json()))

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        await self.loop.release()
        await self.dispatch.drain(5.0 if self.dispatch.running else 0.0)
        tasks[1].cancel()
        self.happened("lifecycle", phase="stop", because="asked to stop")
        await self.record.flush()
        self._keep(last=True)
        tasks[0].cancel()
        self.writer.close()
        self.witness.close()


def _plain(memory: Memory) -> dict[str, Any]:
    """What must be equal: everything but the frame, and times to the hundredth (two boots differ by a rounding)."""
    plain = memory.to_json()
    del plain["frame"]
    return {name: _rounded(part) for name, part in plain.items()}


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, float):
        return round(value, 2) + 0.0
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


def _said(group: ExceptionGroup[Exception]) -> str:
    return "; ".join(_said(one) if isinstance(one, ExceptionGroup) else repr(one) for one in group.exceptions)


def _differing(one: Any, other: Any) -> str:  # noqa: ANN401 - JSON of any shape
    if isinstance(one, dict) and isinstance(other, dict):
        names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
        return str({name: (one.get(name), other.get(name)) for name in names})
    if isinstance(one, list) and isinstance(other, list):
        return (
            f"only here {[item for item in one if item not in other]}, only there {[i for i in other if i not in one]}"
        )
    return f"{one!r} and {other!r}"
