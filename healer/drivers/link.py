"""One supervised connection: made when first asked for, made anew after a loss, with pauses that grow."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from healer.clock import Clock
from healer.drivers.interface import DriverError, DriverStatus, LinkState

C = TypeVar("C")
Changed = Callable[[DriverStatus], None]
"""Hears of a connection that was lost, and of one that is back."""


def no_one(_status: DriverStatus) -> None:
    """Nobody wants to hear of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long a link waits between two tries. Seconds; ``jitter`` is a share of the pause."""

    first: float = 0.5
    factor: float = 2.0
    most: float = 30.0
    jitter: float = 0.2


AT_ONCE = Pauses(first=0.0)
"""For a driver that only one target has: the interval of its looks is the pause."""


class Link(Generic[C]):
    """The connection of one driver.

    ``connect`` makes a connection and raises DriverError; ``close`` lets go of one and may raise what it likes.
    ``timeout`` in seconds bounds a try. Never two tries at once: who asks meanwhile waits for the same one.
    """

    def __init__(
        self,
        name: str,
        *,
        connect: Callable[[], Awaitable[C]],
        close: Callable[[C], Awaitable[None]],
        clock: Clock,
        timeout: float = 5.0,
        pauses: Pauses | None = None,
        changed: Changed | None = None,
    ) -> None:
        self.name = name
        self.version = ""
        """What the other side calls itself; ``connect`` may set it."""
        self._connect, self._close, self._clock = connect, close, clock
        self._timeout = timeout
        self._pauses = Pauses() if pauses is None else pauses
        self._changed = changed or no_one
        self._one_try = asyncio.Lock()
        self._connection: C | None = None
        self._state = LinkState.IDLE
        self._since = clock.now()
        self._because = ""
        self._failed: DriverError | None = None
        self._pause = 0.0
        self._again_at: float | None = None
        self._ever = False
        self._reconnects = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as anybody has noticed."""
        return self._connection is not None

    async def get(self) -> C:
        """The connection, made now where there is none; raises DriverError, at once while it is not time to try."""
        if self._connection is not None:
            return self._connection
        async with self._one_try:
            if self._connection is None:
                self._refuse()
                self._connection = await self._try()
            return self._connection

    def lost(self, connection: C, because: str) -> None:
        """Somebody noticed that this connection is gone; of one that is not the present one it is no news."""
        if connection is not self._connection:
            return
        self._connection = None
        self._fail(DriverError(because, fact=True))

    async def drop(self, connection: C, because: str) -> None:
        """As `lost`, and let go of what is left of it."""
        self.lost(connection, because)
        await self._let_go(connection)

    async def close(self) -> None:
        """Disconnect for good; never raises."""
        connection, self._connection = self._connection, None
        self._move(LinkState.CLOSED, "")
        if connection is not None:
            await self._let_go(connection)

    def status(self) -> DriverStatus:
        """How it is doing."""
        return DriverStatus(
            name=self.name,
            state=self._state,
            since=self._since,
            because=self._because,
            reconnects=self._reconnects,
            again_at=self._again_at,
            version=self.version,
        )

    def _refuse(self) -> None:
        if self._state is LinkState.CLOSED:
            raise DriverError(f"{self.name} is closed")
        if self._again_at is None or self._failed is None:
            return
        if (left := self._again_at - self._clock.now()) > 0:
            failed = self._failed
            raise DriverError(f"{failed.message}; the next try is in {left:.1f} s", hint=failed.hint, fact=failed.fact)

    async def _try(self) -> C:
        self._move(LinkState.CONNECTING, self._because)
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._connect()
        except TimeoutError:
            failed = DriverError(f"{self.name} did not answer within {self._timeout:g} s", fact=True)
            self._fail(failed)
            raise failed from None
        except DriverError as exc:
            self._fail(exc)
            raise
        except BaseException as exc:
            self._fail(DriverError(f"connecting was cut short: {type(exc).__name__}"))
            raise
        if self._state is LinkState.CLOSED:  # while we waited
            await self._let_go(connection)
            raise DriverError(f"{self.name} is closed")
        self._succeed()
        return connection

    def _succeed(self) -> None:
        back = self._failed is not None
        self._reconnects += self._ever
        self._ever = True
        self._pause, self._again_at, self._failed = 0.0, None, None
        self._move(LinkState.CONNECTED, "")
        if back:
            self._changed(self.status())

    def _fail(self, failed: DriverError) -> None:
        news = self._state is LinkState.CONNECTED or self._failed is None
        if self._state is LinkState.CLOSED:
            return
        pauses = self._pauses
        self._pause = min(pauses.most, self._pause * pauses.factor if self._pause else pauses.first)
        if self._pause:
            # Spread, or all agents that lost one server would come back to it in the same moment.
            spread = 1.0 + pauses.jitter * (2.0 * self._clock.chance() - 1.0)
            self._again_at = self._clock.now() + self._pause * spread
        self._failed = failed
        self._move(LinkState.LOST, str(failed))
        if news:
            self._changed(self.status())

    def _move(self, state: LinkState, because: str) -> None:
        if state is not self._state:
            self._since = self._clock.now()
        self._state, self._because = state, because

    async def _let_go(self, connection: C) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._close(connection)
        except Exception:  # noqa: BLE001, S110 - it is gone or goes away with us: whatever its library says of that
            pass
