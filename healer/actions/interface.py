"""What an action is to the rest of the agent."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from healer.model.target import EMPTY, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One effect to bring about: a decision whose intent is sealed, stripped to what a hand needs."""

    intent: str
    """Leaf hash of the sealed intent; children carry it as HEALER_INTENT."""
    target: Target
    params: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    timeout: float
    """Seconds; the action must end within it (TERM, then KILL of what it started)."""
    generation: str
    """The incarnation of the target that was judged; an action on another one must refuse."""
    because: str = ""
    rule: str = ""
    incident: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an effect that ended without an error has to tell."""

    because: str
    """A short sentence: what was done."""
    rc: int | None = None
    generation: str = ""
    """The new incarnation of the target, where known."""
    output: bytes = b""
    """As captured, capped; cleaned and hashed by dispatch."""
    facts: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    undo: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Parameters of the same verb that put back what was changed, once the incident is over; they are sealed, so they
    are texts, integers, lists and objects. Whoever gives them has read back what it did, and reads back the undoing."""


class Action(ABC):
    """One verb. Stateless but for the drivers it was given. ``act`` raises `ActionError` or `AmbiguousError`."""

    verb: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    """Kinds of target it can touch; ``("*",)`` for any."""
    touches: ClassVar[str]
    """Its declared reach, in words: "the program's processes"."""
    dry_run: ClassVar[bool] = True
    undo: ClassVar[str] = ""
    """The verb that undoes it; empty where nothing does."""
    disruptive: ClassVar[bool] = False
    """It makes the target unavailable for a moment: saturation, group budgets and blast radius apply."""

    async def prepare(self, order: Order) -> None:  # noqa: B027 - most have nothing to prepare
        """Do what has to come before the effect and changes nothing; then it is asked once more whether to act."""

    @abstractmethod
    async def act(self, order: Order) -> Done:
        """Bring the effect about; raises ActionError (did not happen), AmbiguousError (nobody can tell)."""

    @abstractmethod
    def would(self, order: Order) -> str:
        """Say in one sentence what ``act`` would do, doing nothing."""
