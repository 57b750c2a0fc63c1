"""What a verb and its parameters are, before anybody uses them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter of a verb, as written in YAML."""

    shape: str
    """``string``, ``duration`` (seconds after loading), ``size`` (bytes after loading), ``count``, ``flag``, ``argv``
    (one or more strings), ``strings``, ``counts``, ``mapping`` (string to scalar), ``change`` (see
    `healer.model.change`) or ``word`` (one of ``words``)."""
    doc: str
    required: bool = False
    default: Any = None
    words: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Kinds of target for which it means something; empty: all that the verb can touch."""
    slots: bool = False
    """Of a ``mapping``: a whole value may be ``{event.NAME}`` or ``{capture.NAME}``. Only where values are sent beside
    the text they are for, and never become part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One thing the agent can do."""

    kinds: tuple[str, ...]
    """Kinds of target it can touch; ``("*",)`` for any, or none."""
    doc: str
    params: Mapping[str, Param]
    short: str = ""
    """The parameter that ``verb: SCALAR`` (or ``verb: [LIST]`` for an argv) fills."""
    disruptive: bool = False
    """It makes the target unavailable for a moment: saturation, group budgets and blast radius apply."""
    frees: bool = False
    """It gives space back: it may be done, and be sealed with the last of the space, while the log's disk is full."""
    undo: str = ""
    """The verb that undoes it; empty where nothing does."""
    needs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """By kind of target, the key without which a target does not let it happen."""
    needs_target: bool = True
    """False: a rule about the whole host may use it."""


def params(**declared: Param) -> Mapping[str, Param]:
    """Parameters by name, as they are declared."""
    return MappingProxyType(declared)
