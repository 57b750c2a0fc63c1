"""What a plug-in is written with: everything it needs stands here, and nothing else of the agent is promised to last.

A plug-in is one Python file that declares a sensor, an action or a function for conditions (or several). docs/
extending.md has one of each, which a test runs.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from healer import blocking
from healer.actions.interface import Action, Done, Order
from healer.clock import Clock
from healer.config.plugins import MARK
from healer.config.words import ARGV, NAMED, PATH, URL
from healer.core.params import SHAPES, fits
from healer.errors import ActionError, AmbiguousError, ConfigError, SensorError
from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.observation import Reading
from healer.model.organism import ORGANS
from healer.model.target import Target
from healer.model.unit import Unit
from healer.model.verb import Param, Verb, params
from healer.plugged import Function
from healer.rules.calls import BARE, CALLS
from healer.rules.tokens import KEYWORDS
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.sane import Sieve
from healer.yamldoc.parsers import Count, Duration, Flag, Number, Size, Text, Word
from healer.yamldoc.secret import SecretRef, TextOrSecret
from healer.yamldoc.shape import Field, ListOf, MapOf

__all__ = [
    "ARGV", "NAMED", "PATH", "URL", "Action", "ActionError", "AmbiguousError", "Clock", "Count", "Done", "Duration",
    "Field", "Flag", "Kind", "ListOf", "MapOf", "Metric", "Number", "Order", "Param", "Push", "Reading", "SecretRef",
    "Sensor", "SensorError", "Shelf", "Sieve", "Size", "Target", "Text", "TextOrSecret", "Unit", "Verb", "Word",
    "action", "blocking", "condition", "params", "sensor",
]  # fmt: skip

LEAST_EVERY, MOST_EVERY = 0.1, 86400.0
"""Seconds between two looks, as in organism.yaml."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MOST_ARGUMENTS = 8
S = TypeVar("S", bound="type[Sensor]")
A = TypeVar("A", bound=type[Action])
F = TypeVar("F", bound=Callable[..., Any])


class Sensor(TargetSensor):
    """Looks at one target: write ``async def look(self, now)``, and return ``sieve.readings``.

    ``self.spec`` has the keys of the target as they were declared, with defaults and in base units.
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        super().__init__(target)
        self.spec = target.spec
        self.clock = clock

    def sieve(self, now: float) -> Sieve:
        """What collects the readings of one look: ``number``, ``word``, ``unknown``; garbage becomes unknown."""
        return Sieve(now, self.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A sensor or an action that a file declares."""

    what: str
    """``sensor`` or ``action``."""
    name: str
    make: Callable[..., Any]
    kind: Kind | None = None
    keys: tuple[Field, ...] = ()
    every: float = 10.0
    verb: Verb | None = None


def sensor(kind: Kind, *, keys: Sequence[Field] = (), every: float = 10.0) -> Callable[[S], S]:
    """Declare a `Sensor` as the one that looks at targets of this kind; it is made with (target, clock).

    ``keys`` are what such a target has in organism.yaml beside what all have; they come as ``target.spec``. ``every``
    is the interval between looks, in seconds, where nobody says otherwise. Raises ConfigError.
    """
    _check_name(kind.name)
    if not LEAST_EVERY <= every <= MOST_EVERY:
        raise ConfigError(f"every={every:g} is no interval", hint=f"{LEAST_EVERY:g} to {MOST_EVERY:g} seconds")

    def declare(made: S) -> S:
        found = Declared(what="sensor", name=kind.name, make=made, kind=kind, keys=tuple(keys), every=every)
        setattr(made, MARK, found)
        return made

    return declare


def action(name: str, verb: Verb) -> Callable[[A], A]:
    """Declare an `Action` as what a verb does in rules; it is made without arguments. Raises ConfigError."""
    _check_name(name)
    for called, param in verb.params.items():
        if not fits(param, param.default):
            raise ConfigError(
                f"the parameter {called} of {name} is not declared as one can be",
                hint=f"shape is one of: {', '.join(SHAPES)}; default is of that shape",
            )

    def declare(made: A) -> A:
        made.verb, made.kinds = name, verb.kinds
        made.undo, made.disruptive = verb.undo, verb.disruptive
        setattr(made, MARK, Declared(what="action", name=name, make=made, verb=verb))
        return made

    return declare


def condition(function: F) -> F:
    """Declare a pure function of numbers that expressions may call; one that returns bool stands as a condition.

    It must depend on its arguments alone: rules are evaluated again in replays and tests. What it is not given it is
    not asked about: with an unknown argument its result is unknown, as it is when it raises. Raises ConfigError.
    """
    name = function.__name__
    _check_name(name)
    if name in {*CALLS, *BARE, *KEYWORDS, *ORGANS}:
        raise ConfigError(f"{name} means something in expressions already", hint="call it otherwise")
    found = inspect.signature(function)
    plain = [one for one in found.parameters.values() if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if not 1 <= len(plain) == len(found.parameters) <= _MOST_ARGUMENTS:
        raise ConfigError(f"{name} takes something else than 1 to {_MOST_ARGUMENTS} plain arguments")
    decides = found.return_annotation in (bool, "bool")
    declared = Function(
        name=name, arguments=len(plain), decides=decides, call=function, doc=inspect.getdoc(function) or ""
    )
    setattr(function, MARK, declared)
    return function


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"'{name}' is no name for a kind, verb or function", hint="small letters, digits and _")
