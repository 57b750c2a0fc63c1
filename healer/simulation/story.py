"""One seed: a small world, an agent that lives, dies and comes back in it, and then a calm in which it has to heal."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from audit.errors import AuditError
from audit.keys import Signer
from healer.model.limit import Brakes
from healer.model.target import Target
from healer.simulation import people
from healer.simulation.chance import MOST, Chance
from healer.simulation.life import House, Life
from healer.simulation.loop import Crash, SimClock, StuckError
from healer.simulation.oracle import Evidence, judge
from healer.simulation.sealing import QuickSigner, real_key
from healer.simulation.senses import Tap
from healer.simulation.world import World

STORM = 150.0
"""Seconds in which faults happen."""
CALM = 210.0
"""Seconds after the faults in which everything healable must become healthy, and then quiet."""
QUIET = 60.0
"""Seconds at the end of the calm in which nothing may be done any more."""
REAL_KEYS = 10
"""Every so many seeds are sealed with a real key, and every signature is checked."""
LIVES = 25
KNOBS = 0.2
"""Share of the seeds whose rules turn knobs as well."""


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of one seed."""

    seed: int
    violations: list[str] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)
    trace: str = ""
    """Hash over everything that happened: the same in every run of the seed."""
    effects: int = 0
    entries: int = 0
    lives: int = 0
    steps: int = 0
    seconds: float = 0.0
    """Simulated."""

    @property
    def ok(self) -> bool:
        """Whether no law was broken."""
        return not self.violations


def run_seed(seed: int, folder: Path | None = None, *, insist: Collection[str] = ()) -> Result:
    """Tell the story of a seed; ``folder`` keeps its log, else it is thrown away; ``insist`` names faults it has."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            shared = Path("/dev/shm")  # noqa: S108 - memory, where there is: a temporary folder below it, closed to others
            base = shared if shared.is_dir() else None
            folder = Path(tempfile.mkdtemp(prefix="healer-sim-", dir=base))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return Story(seed, folder, insist).tell()


class Story:
    """The plot of one seed."""

    def __init__(self, seed: int, folder: Path, insist: Collection[str] = ()) -> None:
        self.chance = Chance(seed, insist)
        self.clock = SimClock(self.chance.random)
        self.house = self._build(seed, folder)
        self._folder = str(folder)
        self.result = Result(seed=seed)
        self.evidence = Evidence(house=self.house)
        people.plan(self.house, STORM)

    def _build(self, seed: int, folder: Path) -> House:
        chance, clock = self.chance, self.clock
        targets = _targets(chance)
        world, tap = World(targets, clock, chance), Tap(clock, chance)
        tap.watch(targets)
        signer: Signer = QuickSigner()
        if seed % REAL_KEYS == 0:
            signer = real_key()
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "seal.pub").write_bytes(signer.public.pem)
        return House(
            folder=folder / "state",
            anchor=folder / "anchor",
            clock=clock,
            chance=chance,
            world=world,
            tap=tap,
            signer=signer,
            targets=targets,
            brakes=Brakes(
                concurrent=chance.random.randint(1, 3),
                actions_per_hour=chance.random.choice((60, 60, 12)),
                breaker_backoff_after=2,
                breaker_opens_after=chance.random.choice((2, 3, 5)),
                errors_until_skipped=chance.random.choice((2, 2, 4)),
                errors_retried_after=20.0,
                flap_slot=3.0,
            ),
            book=_book(chance),
            every=chance.random.choice((1.0, 2.0, 3.0)),
        )

    def tell(self) -> Result:
        """Storm, then calm, then judgement."""
        house, result = self.house, self.result
        try:
            self._storm()
            self._calm()
        except (StuckError, AuditError) as exc:
            house.problems.append(f"{type(exc).__name__}: {exc}")
        judge(self.evidence)
        result.violations = [*house.problems, *self.evidence.violations]
        result.reached = dict(sorted(self.chance.reached.items()))
        result.effects, result.entries = len(house.world.ledger), len(self.evidence.entries)
        result.lives, result.steps, result.seconds = house.runs, house.steps, self.clock.at
        result.trace = self._trace()
        return result

    def _storm(self) -> None:
        while self.clock.at < STORM and self.house.runs < LIVES:
            self._live(STORM)

    def _calm(self) -> None:
        chance, house = self.chance, self.house
        chance.calm = True
        house.world.heal()
        people.make_peace(house)
        self.evidence.calm = self.clock.at
        until = self.clock.at + CALM
        self.evidence.end = until
        self._live(until)

    def _live(self, until: float) -> None:
        house, chance, clock = self.house, self.chance, self.clock
        try:
            life = Life(house)
        except Crash:
            return
        house.life = life
        if chance.hit("crash.step"):
            life.asyncio.crash_at = chance.random.randint(50, 4000)
        if house.runs > 1 and chance.hit("crash.recovery"):
            life.asyncio.crash_at = chance.random.randint(1, 60)
            chance.reach("crash during recovery")
        died = life.live(until)
        house.life = None
        self.evidence.inspect(died)
        if clock.at < until or died:
            self._between_lives()

    def _between_lives(self) -> None:
        """The agent is down for a while; the world goes on."""
        house, chance, clock = self.house, self.chance, self.clock
        house.world.heard = lambda _: None
        clock.at += 0.1 if chance.calm else chance.between(0.1, 15.0)
        house.world.settle()
        if chance.hit("reboot"):
            house.world.reboot()
            clock.reboot()
            house.world.settle()
        if chance.hit("snapshot.lost"):
            house.snapshot = None

    def _trace(self) -> str:
        digest = hashlib.sha256()
        for octets in self.evidence.octets:
            # Reasons name files, and a folder that was thrown away has another name the second time.
            digest.update(octets.replace(self._folder.encode(), b""))
        for effect in self.house.world.ledger:
            digest.update(f"{effect.intent} {effect.verb} {effect.target} {effect.began!r} {effect.ended!r}".encode())
        digest.update(f"{self.house.steps} {self.clock.at!r} {sorted(self.chance.reached.items())}".encode())
        return digest.hexdigest()


def _book(chance: Chance) -> str:
    """The rules of a seed; where hunger or people's answers are insisted on, those for which they matter."""
    drawn = chance.random.choice(("steady", "steady", "steady-slow", "fight", "ways", "ways-slow", "told", "told-slow"))
    for fault, book in (("world.pressed", "knobs"), ("world.hungry", "fight"), ("people.answer", "steady")):
        if chance.rates.get(fault) == MOST[fault]:
            return book
    return chance.later.choice(("knobs", "knobs-slow")) if chance.later.random() < KNOBS else drawn


def _targets(chance: Chance) -> tuple[Target, ...]:
    count = chance.random.randint(3, 6)
    grouped = chance.random.random() < 0.5
    chained = chance.random.random() < 0.5
    grace = chance.random.choice((0.0, 0.5, 2.0))
    programs = [
        Target(
            kind="program",
            name=f"p{number}",
            organ="heart",
            startup_grace=grace,
            groups=("web",) if grouped and number < 3 else (),
            requires=("program:p0",) if chained and number == 1 else (),
        )
        for number in range(count)
    ]
    boxes = [Target(kind="container", name=f"c{number}", organ="heart", startup_grace=grace) for number in range(2)]
    front = Target(kind="http", name="front", organ="lungs", groups=("edge",))
    return (*programs, *boxes, front)
