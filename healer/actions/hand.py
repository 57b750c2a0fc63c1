"""What one verb does to one kind of target, and the action that finds the hand for an order."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from healer.actions.interface import Action, Done, Order
from healer.errors import ActionError
from healer.model.verbs import VERBS


class Hand(ABC):
    """One verb on one kind of target. Stateless but for the drivers it was given."""

    touches: ClassVar[str]
    """Its declared reach, in words: "connections of other clients to this database"."""
    dry_run: ClassVar[bool] = True

    @abstractmethod
    async def act(self, order: Order) -> Done:
        """Bring the effect about; raises ActionError (did not happen), AmbiguousError (nobody can tell)."""

    @abstractmethod
    def would(self, order: Order) -> str:
        """Say in one sentence what ``act`` would do, doing nothing."""


Hands = Callable[[str], Mapping[str, Hand]]
"""Gives the hands for a kind of target, by verb; empty where it has none."""


class ByKind(Action):
    """A verb whose effect depends on what it is applied to. The hands of a kind are made at its first order."""

    def __init__(self, verb: str, hands: Hands) -> None:
        declared = VERBS[verb]
        # What other actions have by class, these have each for itself: one class for all such verbs.
        own = {
            "verb": verb, "kinds": declared.kinds, "undo": declared.undo, "disruptive": declared.disruptive,
            "touches": declared.doc,
        }  # fmt: skip
        for name, value in own.items():
            setattr(self, name, value)
        self._hands = hands

    async def act(self, order: Order) -> Done:
        """Let the kind's hand do it."""
        return await self._hand(order).act(order)

    def would(self, order: Order) -> str:
        """The hand's sentence for a dry run; raises ActionError where there is none."""
        return self._hand(order).would(order)

    def _hand(self, order: Order) -> Hand:
        hand = self._hands(order.target.kind).get(self.verb)
        if hand is None:
            raise ActionError(f"nothing here can {self.verb} a {order.target.kind}", transient=False)
        return hand
