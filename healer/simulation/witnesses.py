"""Toy witnesses of the log: they cosign what is durable when they are asked, late, or not at all."""

import asyncio
from collections.abc import Callable

from healer.simulation.world import World

PATIENCE = 2.0
"""Seconds until one who asked gives up."""


class ToyWitnesses:
    """The quorum, as one."""

    def __init__(self, world: World, durable: Callable[[], int]) -> None:
        self._world, self._durable = world, durable

    async def quorum(self, until: float) -> str:
        """Say why they have not cosigned what is durable now; empty where they have."""
        del until  # their patience is shorter than any deadline
        chance, height = self._world.chance, self._durable()
        if chance.hit("witness.silent"):
            await asyncio.sleep(PATIENCE)
            return "no toy witness answered"
        if chance.hit("witness.slow"):
            await asyncio.sleep(chance.between(0.01, PATIENCE))
        if chance.hit("witness.refused"):
            return "one toy witness is down"
        self._world.cosigned = max(self._world.cosigned, height)
        return ""
