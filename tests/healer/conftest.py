"""A double of the agent over a real core, for the tests of its faces."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from healer.api.port import answered
from healer.api.serve import serving
from healer.core import report
from healer.core.core import Core, Setup
from healer.errors import ConfigError
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.effect import Note, Publish
from healer.model.event import Asked, Looked, Tick
from healer.model.memory import Memory
from healer.model.observation import Observation, labels
from healer.model.request import Request
from healer.model.target import Target
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.rule import Position, Rule, RuleSet, Step
from healer.runtime.bus import Bus

UNITS = {name: metric.unit for name, metric in METRICS.items()}
TARGETS = (
    Target(kind="program", name="api", organ="heart"),
    Target(kind="http", name="front", organ="lungs", requires=("program:api",), groups=("web",)),
)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at + 1_700_000_000.0

    def boot_id(self) -> str:
        return "test-boot"

    def chance(self) -> float:
        return 0.5


def rule(name: str, target: str, when: str, **more: Any) -> Rule:
    parsed = (
        expression.bind(expression.parse(when, vocabulary=UNITS), target)
        if target
        else expression.parse(when, vocabulary=UNITS)
    )
    more.setdefault("then", (Step(action="restart"),))
    return Rule(
        id=name,
        position=Position(file="r.yaml", line=1, column=1),
        target=target,
        when=parsed,
        when_source=when,
        **more,
    )


RULES = (
    rule("api-down", "program:api", "program.up{target} == 0", priority=7, why="it should run"),
    rule("front-slow", "http:front", "http.latency{target} > 1s"),
)


class FakePort:
    """Handles requests at once, seals nothing."""

    def __init__(self, state_dir: Path, rules: tuple[Rule, ...] = RULES) -> None:
        self.clock, self.bus, self.state_dir, self.version = Clock(), Bus(), state_dir, "0.0-test"
        self.history = None
        ruleset = RuleSet(rules=rules, hash="0" * 64, files=("r.yaml",))
        setup = Setup(node="here", boot="test-boot", targets=TARGETS, rules=ruleset, vitals=DEFAULT_VITALS)
        self.core = Core(setup, Memory(), now=self.clock.now(), wall=self.clock.wall())
        self.broken: Exception | None = None
        self.silent = False
        self.log: dict[str, Any] = {
            "entries": 7, "head": "ab" * 32, "height": 3, "sealing": True, "because": "", "verified": True,
            "verified_age": 5.0, "verified_summary": "proven", "level": "L2",
            "level_because": "no witnesses", "ratchet_broke_at": [], "key": "cd" * 32, "anchor_problems": [],
        }  # fmt: skip
        self._asked = 0

    def handle(self, event: Any) -> None:
        for effect in self.core.handle(event):
            if isinstance(effect, Note) and effect.topic:
                self.bus.publish(effect.topic, effect.fields, self.clock.now())
            elif isinstance(effect, Publish):
                self.bus.publish(effect.topic, effect.data, self.clock.now())

    def see(self, metric: str, value: float | str, target: str, unit: Unit = Unit.FLAG, times: int = 2) -> None:
        for _ in range(times):
            self.clock.at += 1
            reading = Observation(
                metric=metric, labels=labels(target=target), value=value, unit=unit, at=self.clock.now()
            )
            self.handle(Looked(sensor=target, at=self.clock.now(), readings=(reading,)))

    def force(self, subject: str, to: str, because: str = "test") -> None:
        """Put a brake or a breaker where it is wanted, as an entry of the log would."""
        self.core.desk.note("state", subject=subject, **{"from": "?", "to": to}, because=because)

    def tick(self) -> None:
        self.clock.at += 1
        self.handle(Tick(at=self.clock.now(), wall=self.clock.wall()))

    def status(self) -> dict[str, Any]:
        if self.broken:
            raise self.broken
        return report.status(self.core, self.clock.now()) | {
            "version": self.version,
            "state": "running",
            "uptime": 12.0,
            "log": self.log,
            "self": {"self.log_verified": 1.0},
            "sensors": {"host": "ok"},
            "listeners": [str(self.state_dir / "healer.sock")],
            "degraded": [],
            "config": {"source": "organism.yaml", "hash": "0" * 64},
            "state_dir": str(self.state_dir),
        }

    def ask(self, verb: str, subject: str = "agent", args: Mapping[str, Any] | None = None, who: str = "python") -> str:
        self._asked += 1
        asked = Request(
            id=f"q-{self._asked}", verb=verb, subject=subject, args=args or {}, who=who, at=self.clock.now()
        )
        if not self.silent:
            self.handle(Asked(request=asked))
        return asked.id

    async def answered(self, request_id: str, timeout: float) -> Mapping[str, Any]:
        return await answered(self.bus, request_id, timeout)

    async def reflect(self) -> dict[str, Any]:
        insight = {"about": "energy", "says": "little is left", "figures": {"energy": 3.0}, "advice": "stop work"}
        trend = {"word": "steady", "points_per_hour": 0.0, "over": 600.0}
        return {"score": 90.0, "trend": trend, "insights": [insight], "recommendations": [{"says": "stop work"}]}

    async def rebalance(self) -> dict[str, Any]:
        return {"harmony": 90.0, "events": ["harmony.warning"], "answer": "balancing rules evaluated"}

    async def reload(self) -> dict[str, Any]:
        raise ConfigError("2 mistakes", problems=("r.yaml:1:1: no (yes)", "r.yaml:2:1: nor that"))

    async def verify(self) -> dict[str, Any]:
        return {"verified": True, "summary": "proven"}

    def metrics_text(self) -> str:
        return "healer_harmony 90\n"


@contextlib.asynccontextmanager
async def listening(port: FakePort, path: Path, tcp: str = "") -> AsyncIterator[httpx.AsyncClient]:
    async with serving(port, path, tcp):
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=5) as client:
            yield client


async def raw(path: Path, octets: bytes, timeout: float = 2.0) -> bytes:
    """Send octets as they are, and read until the other side closes or falls silent."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(octets)
    said = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(timeout):
            while chunk := await reader.read(4096):
                said += chunk
    writer.close()
    return said


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def fake(tmp_path) -> FakePort:
    """An agent that has looked twice: everything is well."""
    made = FakePort(tmp_path)
    made.see("http.ok", 1, "http:front")
    made.see("program.up", 1, "program:api")
    made.tick()
    return made


@pytest.fixture
def listen(tmp_path):
    """Serve a port on a socket in the temporary folder: ``async with listen(port) as client``."""
    return lambda port, tcp="": listening(port, tmp_path / "healer.sock", tcp)


@pytest.fixture
def send(tmp_path):
    """Send octets to that socket as they are."""
    return lambda octets, timeout=2.0: raw(tmp_path / "healer.sock", octets, timeout)


@pytest.fixture
def make_rule():
    """A rule: ``make_rule(id, target, when, **more)``."""
    return rule


@pytest.fixture
def make_port(tmp_path):
    """An agent with these rules."""
    return lambda *rules: FakePort(tmp_path, rules)
