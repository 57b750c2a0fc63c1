"""What the faces need of the agent; `healer.app.Agent` is one, and so are doubles in tests."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from healer.clock import Clock
from healer.core.core import Core
from healer.history import History
from healer.runtime.bus import Bus

ANSWER = "request.answered"
"""Topic on which the core answers requests; its data hold ``id``, ``answer`` (accepted, refused) and ``because``."""


class Port(Protocol):
    """The agent, as its faces see it: much to read, and one way to ask for something."""

    @property
    def core(self) -> Core:
        """The core of now: another one after a reload, so never kept."""
        ...

    @property
    def clock(self) -> Clock:
        """The agent's clock."""
        ...

    @property
    def version(self) -> str:
        """Of the software."""
        ...

    @property
    def state_dir(self) -> Path:
        """Where the log is."""
        ...

    @property
    def history(self) -> History | None:
        """Kept samples; None where the profile keeps none."""
        ...

    @property
    def bus(self) -> Bus:
        """The local event bus."""
        ...

    def status(self) -> dict[str, Any]:
        """`healer.core.report.status` and what only the agent knows: uptime, log, own figures, listeners."""
        ...

    def ask(self, verb: str, subject: str = "agent", args: Mapping[str, Any] | None = None, who: str = "python") -> str:
        """Post a request; returns its id. The answer comes over the bus."""
        ...

    async def answered(self, request_id: str, timeout: float) -> Mapping[str, Any]:
        """Wait for the answer to a request; raises TimeoutError."""
        ...

    async def reflect(self) -> dict[str, Any]:
        """Assess the host and the agent now."""
        ...

    async def rebalance(self) -> dict[str, Any]:
        """Check harmony now, and judge the balancing rules."""
        ...

    async def reload(self) -> dict[str, Any]:
        """Read configuration and rules again, all or nothing; raises ConfigError and keeps the old ones."""
        ...

    async def verify(self) -> dict[str, Any]:
        """Verify the log now, in a process of its own."""
        ...

    def metrics_text(self) -> str:
        """The latest numbers in Prometheus' text format."""
        ...


async def answered(bus: Bus, request_id: str, timeout: float) -> Mapping[str, Any]:
    """Wait for the answer to a request, which may have gone over the bus already; raises TimeoutError."""
    subscription = bus.subscribe(ANSWER)
    try:
        for heard in reversed(bus.ring):
            if heard.topic == ANSWER and heard.data.get("id") == request_id:
                return heard.data
        async with asyncio.timeout(timeout):
            while True:
                data = (await subscription.get()).data
                if data.get("id") == request_id:
                    return data
    finally:
        bus.unsubscribe(subscription)
