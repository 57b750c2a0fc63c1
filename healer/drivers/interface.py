"""What a driver is to the rest of the agent: the client of one outside system, shared by a sensor and by hands."""

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass

from healer.errors import HealerError

EXTRAS = "make extras; for the service, sudo make extras VENV=/opt/healer"
"""What helps where a client library is missing that is not everybody's."""


class DriverError(HealerError):
    """The system behind a driver could not be asked, or gave no answer that makes sense.

    ``fact`` says that this tells something about that system (it refused, it hung, it answered garbage). Without it we
    only know that we could not look: a password of ours that is wrong, a right that is missing, a network that is down.
    ``sent`` says that what was asked may have arrived all the same: what it does may have happened.
    """

    def __init__(self, message: str, *, hint: str = "", fact: bool = False, sent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.fact = fact
        self.sent = sent


class LinkState(enum.Enum):
    """Where a connection is in its life."""

    IDLE = "idle"
    """Nobody has asked for it yet."""
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    """It failed or broke; the next try comes when somebody asks, and not before its time."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStatus:
    """How a driver is doing, as `healer status` shows it."""

    name: str
    state: LinkState
    since: float
    """Boot-clock second at which it came into this state."""
    because: str = ""
    """Why it is not connected; empty while it is."""
    reconnects: int = 0
    """Times it was connected again after a loss."""
    again_at: float | None = None
    """Boot-clock second before which it will not try again; None where nothing holds it back."""
    version: str = ""
    """What the other side calls itself, where known."""


class Driver(ABC):
    """One client. It connects when first used; its library is imported then and not before.

    One event loop; every call is bounded in time and size, and raises `DriverError` where the system could not be
    asked. Drivers are given out by `healer.drivers.catalog.Drivers`, one for each system, and closed by it.
    """

    name: str
    """``systemd``, ``docker``, or the id of the target that is the system: ``postgres:main``."""

    @abstractmethod
    def status(self) -> DriverStatus:
        """How it is doing; never waits."""

    @abstractmethod
    async def health(self) -> None:
        """Prove that the system answers, by its cheapest question; raises DriverError."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect. Never raises; a driver that was closed is not used again."""
