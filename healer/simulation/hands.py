"""Toy hands: every effect goes into the ledger before anything else, then does its work, or fails at it."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from healer.actions.interface import Action, Done, Order
from healer.errors import ActionError, AmbiguousError
from healer.simulation.loop import Crash
from healer.simulation.senses import Tap
from healer.simulation.world import Effect, World


class Witness:
    """Reads from the log's file what is durable, sharing nothing with who wrote it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def height(self) -> int:
        """The highest durable block; -1 when there is none."""
        (top,) = self._connection.execute("SELECT max(height) FROM blocks").fetchone()
        return -1 if top is None else int(top)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class ToyHand(Action):
    """One verb in the toy world."""

    verb = "restart"
    kinds = ("*",)
    touches = "the toy world"

    def __init__(
        self, verb: str, *, world: World, tap: Tap, witness: Witness, run: int, forbidden: Callable[[], bool]
    ) -> None:
        self.verb = verb  # type: ignore[misc]  # one toy for every verb
        self._world, self._tap, self._witness, self._run, self._forbidden = world, tap, witness, run, forbidden

    def would(self, order: Order) -> str:
        """Say so."""
        return f"would {self.verb} {order.target.id}"

    async def act(self, order: Order) -> Done:
        """Write the ledger, then do it."""
        world, chance = self._world, self._world.chance
        world.settle()
        chance.crash("before-effect")
        if world.dead:
            raise Crash("the agent is dead")
        effect = self._write(order)
        try:
            return await self._do(order, effect)
        finally:
            effect.ended = world.clock.at

    def _write(self, order: Order) -> Effect:
        world = self._world
        thing = world.things.get(order.target.id)
        effect = Effect(
            intent=order.intent,
            verb=self.verb,
            target=order.target.id,
            rule=order.rule,
            began=world.clock.at,
            wall=world.clock.wall(),
            run=self._run,
            height=self._witness.height(),
            cosigned=world.cosigned,
            judged=order.generation,
            met=thing.generation if thing else "",
            forbidden=self._forbidden(),
            samples={
                metric: sample for (target, metric), sample in self._tap.last.items() if target == order.target.id
            },
            parents={name: self._tap.last.get((name, self._tap.primary[name])) for name in order.target.requires},
        )
        world.ledger.append(effect)
        return effect

    async def _do(self, order: Order, effect: Effect) -> Done:
        world, chance = self._world, self._world.chance
        if self.verb == "notify":
            if chance.hit("action.transient"):
                raise ActionError("nobody answers")
            return Done(because="told")
        if chance.hit("action.permanent"):
            raise ActionError("it will never work", transient=False)
        if chance.hit("action.transient"):
            raise ActionError("not now")
        if chance.hit("action.hang"):
            await asyncio.sleep(1e6)
        if chance.hit("action.crash"):
            raise RuntimeError("a bug in a hand")
        chance.crash("during-effect")
        await asyncio.sleep(chance.between(1.0, 8.0) if chance.hit("action.slow") else 0.02)
        if world.dead:
            raise Crash("the agent is dead")
        undo = self._turn(order, effect) if self.verb == "adjust" else {}
        if self.verb != "adjust" and not chance.hit("action.lost"):
            self._change(order.target.id)
        chance.crash("after-effect")
        if chance.hit("action.ambiguous"):
            raise AmbiguousError("the answer was lost")
        return Done(because="done", generation=world.things[order.target.id].generation, undo=undo)

    def _turn(self, order: Order, effect: Effect) -> dict[str, Any]:
        """Turn the knob, or turn it back, unless others have turned it meanwhile; what it did is read back."""
        thing, back = self._world.things[order.target.id], order.params.get("back")
        if self._world.chance.hit("action.lost"):
            raise ActionError("it did not turn")
        before = thing.knob
        if back is None:
            thing.knob += 1
        elif before == int(back["from"]):
            thing.knob = int(back["to"])
        effect.turned = before, thing.knob
        return {"back": {"to": str(before), "from": str(thing.knob)}} if back is None else {}

    def _change(self, name: str) -> None:
        if self.verb == "restart":
            self._world.restart(name)
        elif self.verb == "start":
            self._world.start(name)
        elif self.verb == "stop":
            self._world.die(name)
