"""How it goes with a system that a connection is made to for each question, and none is kept."""

from healer.clock import Clock
from healer.drivers.interface import DriverStatus, LinkState


class Visits:
    """Keeps the status of such a driver; ``reconnects`` counts answers after a loss."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._clock = clock
        self.status = DriverStatus(name=name, state=LinkState.IDLE, since=clock.now())

    def answered(self) -> None:
        """It answered, whatever it said."""
        self._move(LinkState.CONNECTED, "")

    def failed(self, because: str) -> None:
        """It could not be asked, or gave no answer that makes sense."""
        self._move(LinkState.LOST, because)

    def end(self) -> None:
        """It is not asked any more."""
        self._move(LinkState.CLOSED, "")

    def _move(self, state: LinkState, because: str) -> None:
        was = self.status
        back = was.state is LinkState.LOST and state is LinkState.CONNECTED
        self.status = DriverStatus(
            name=was.name,
            state=state,
            since=was.since if was.state is state else self._clock.now(),
            because=because,
            reconnects=was.reconnects + back,
        )
