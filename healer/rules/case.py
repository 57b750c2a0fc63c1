"""What a test of rules is: what is seen over time, what happens meanwhile, and what must be so at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from healer.model.mode import Mode
from healer.model.observation import Series
from healer.model.target import EMPTY, Target
from healer.model.unit import Unit
from healer.rules.rule import Position
from healer.rules.series import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series over time."""

    series: Series
    unit: Unit
    values: tuple[Value, ...]
    """One per interval, from second 0; behind a cure, from the first look after it."""
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """What comes of an action: how its effect ends, when, and what is seen from then on."""

    action: str
    target: str = ""
    """Empty: of whatever target."""
    outcome: str = "done"
    takes: float = 0.0
    """Seconds from the seal to the end; a step whose timeout is shorter fails at its timeout."""
    lines: tuple[Line, ...] = ()
    """In place of the series of the test, from the end of the action on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What happens at a moment, beside what the sensors see. Exactly one of the words below is set."""

    at: float
    event: str = ""
    """A topic put on the bus, with ``data``."""
    data: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    own: bool = False
    """The agent itself says it."""
    ask: str = ""
    """What a person asks of the agent (one of the request verbs), with ``subject`` and ``args``."""
    subject: str = "agent"
    args: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    refused: bool = False
    """The request is to be refused; where it is not, the test fails."""
    jump: float | None = None
    """Seconds by which the wall clock is moved."""
    restart: float | None = None
    """Seconds for which the agent is down, before it starts again from its log."""
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must be so at a moment; everything that is said must hold."""

    at: float
    """Seconds from the beginning."""
    rule: str
    target: str = ""
    """Empty: a rule about the host."""
    state: str = ""
    """The phase its incident is in at that moment, one of `PHASES`."""
    truth: str = ""
    """Of its condition at that moment."""
    step: int | None = None
    """The rung of the ladder it stands on at that moment, from 1."""
    action: str = ""
    """The verb that was decided for it, up to that moment."""
    withheld: str = ""
    """The gate that withheld an action of it, up to that moment; none was decided, unless ``action`` says which."""
    because: str = ""
    """Part of the reason the gate gave, or of the verdict's."""
    none: bool = False
    """Nothing was decided and nothing withheld for it, up to that moment."""
    verdict: str = ""
    """How an action of it was judged, up to that moment."""
    published: str = ""
    """A topic heard on the bus, up to that moment."""
    times: int | None = None
    """With ``action`` or ``published``: how often, exactly."""
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test."""

    name: str
    interval: float
    """Seconds between values."""
    start: float | None = None
    """Wall-clock second (since 1970) of the first value; None: some Monday afternoon."""
    tz: str = "UTC"
    """What the host's own time zone is."""
    mode: Mode = Mode.AUTO
    """The host's ceiling."""
    default_mode: Mode
    """Of rules that do not say; a test of what a rule *would* do needs auto."""
    maintenance: bool
    """The whole host is under maintenance."""
    outcome: str
    """What becomes of an action of which ``cures`` say nothing: one of `OUTCOMES`."""
    targets: tuple[Target, ...]
    lines: tuple[Line, ...]
    cures: tuple[Cure, ...] = ()
    happens: tuple[Happening, ...] = ()
    expect: tuple[Expectation, ...]
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One file of tests."""

    file: str
    rule_files: tuple[Path, ...]
    cases: tuple[Case, ...]
