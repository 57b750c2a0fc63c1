"""Targets: the things the agent looks after, and the one state machine they and the agent share."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from healer.errors import RefusedError
from healer.model.mode import Mode

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing looked after."""

    kind: str
    """One of `healer.model.kinds.catalog.KINDS`."""
    name: str
    organ: str
    """One of `healer.model.organism.ORGANS`."""
    groups: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    requires: tuple[str, ...] = ()
    """Ids of targets (AND), or names of redundancy groups prefixed ``group:`` (OR inside)."""
    mode: Mode = Mode.AUTO
    startup_grace: float = 2.0
    """Seconds after an action or start during which samples do not count."""
    spec: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """The keys of its kind, as validated by the configuration (durations in seconds, sizes in bytes)."""

    @property
    def id(self) -> str:
        """``kind:name``, the name used in rules, in the log and on the command line."""
        return f"{self.kind}:{self.name}"


class State(enum.Enum):
    """Where a target, or the agent, is in its life."""

    UNKNOWN = "unknown"
    STOPPED = "stopped"
    INITIALIZING = "initializing"
    INITIALIZED = "initialized"
    STARTING = "starting"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"
    SOFT_STOPPING = "soft-stopping"
    HARD_STOPPING = "hard-stopping"
    FAULT = "fault"
    ACKNOWLEDGED = "acknowledged"


STATES: tuple[str, ...] = tuple(state.value for state in State)
_S = State
_STOPS = {_S.SOFT_STOPPING, _S.HARD_STOPPING}
MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        _S.UNKNOWN: frozenset({_S.STOPPED, _S.INITIALIZING, _S.STARTING, _S.RUNNING, _S.PAUSED, _S.FAULT}),
        _S.STOPPED: frozenset({_S.INITIALIZING, _S.STARTING, _S.RUNNING, _S.UNKNOWN, _S.FAULT}),
        _S.INITIALIZING: frozenset({_S.INITIALIZED, _S.FAULT, _S.STOPPED, _S.UNKNOWN, *_STOPS}),
        _S.INITIALIZED: frozenset({_S.STARTING, _S.RUNNING, _S.STOPPED, _S.FAULT, _S.UNKNOWN, *_STOPS}),
        _S.STARTING: frozenset({_S.RUNNING, _S.STOPPED, _S.FAULT, _S.UNKNOWN, *_STOPS}),
        _S.RUNNING: frozenset({_S.PAUSING, _S.STARTING, _S.STOPPED, _S.FAULT, _S.UNKNOWN, *_STOPS}),
        _S.PAUSING: frozenset({_S.PAUSED, _S.RUNNING, _S.FAULT, _S.UNKNOWN, *_STOPS}),
        _S.PAUSED: frozenset({_S.RESUMING, _S.STOPPED, _S.FAULT, _S.UNKNOWN, *_STOPS}),
        _S.RESUMING: frozenset({_S.RUNNING, _S.PAUSED, _S.FAULT, _S.UNKNOWN, *_STOPS}),
        _S.SOFT_STOPPING: frozenset({_S.STOPPED, _S.HARD_STOPPING, _S.FAULT, _S.UNKNOWN}),
        _S.HARD_STOPPING: frozenset({_S.STOPPED, _S.FAULT, _S.UNKNOWN}),
        _S.FAULT: frozenset({_S.ACKNOWLEDGED, _S.HARD_STOPPING}),
        _S.ACKNOWLEDGED: frozenset(
            {_S.INITIALIZING, _S.STARTING, _S.RUNNING, _S.STOPPED, _S.PAUSED, _S.UNKNOWN, _S.FAULT}
        ),
    }
)
"""Legal moves only. Fault is left by ``ack`` (or a hard stop), never by looking healthy for a moment."""


def check_move(subject: str, old: State, new: State) -> None:
    """Raise RefusedError, naming both states, when the move is not legal."""
    if new not in MOVES[old]:
        legal = ", ".join(sorted(state.value for state in MOVES[old]))
        raise RefusedError(
            f"{subject} cannot go from {old.value} to {new.value}", hint=f"from {old.value} it may go to: {legal}"
        )
