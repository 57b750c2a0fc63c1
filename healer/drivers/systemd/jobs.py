"""What systemd was asked to do, and how it ended."""

import asyncio
from collections.abc import Sequence
from typing import Any


class Jobs:
    """Waits for jobs by their object path; the end of one may be told before the path of it is."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._early: dict[str, str] = {}
        self._asking = 0

    def begin(self) -> None:
        """Somebody is about to ask for a job: ends are kept until `end`."""
        self._asking += 1

    def end(self) -> None:
        """That somebody has what it asked for."""
        self._asking -= 1
        if not self._asking:
            self._early.clear()

    async def result(self, job: str) -> str:
        """How the job ended: done, failed, canceled, timeout, dependency, skipped ...; raises what `lost` was given."""
        if job in self._early:
            return self._early.pop(job)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[job] = future
        try:
            return await future
        finally:
            self._waiting.pop(job, None)

    def heard(self, body: Sequence[Any]) -> None:
        """Take a JobRemoved: number, path, unit, result."""
        if len(body) != 4 or not isinstance(body[1], str):
            return
        _, job, _, result = body
        future = self._waiting.get(job)
        if future is not None and not future.done():
            future.set_result(str(result))
        elif self._asking:
            self._early[job] = str(result)

    def lost(self, error: Exception) -> None:
        """Nobody will tell any more how they ended."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
