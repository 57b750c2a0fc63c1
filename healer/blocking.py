"""Run a call that may block for ever without holding the loop, and without holding the end of the process.

``asyncio.to_thread`` is not used: its threads are joined at exit, so one look at a dead NFS mount would keep the agent
from stopping (measured: a look given up after 0.2 s kept the process alive for 4 s). These threads are daemons, and one
that never returns costs its slot and nothing else.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_IDLE_SECONDS = 30.0
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class _Pool:
    """Daemon threads, reused while idle, never joined."""

    def __init__(self) -> None:
        self._idle: list[queue.SimpleQueue[_Job]] = []
        self._lock = threading.Lock()

    def submit(self, job: _Job) -> None:
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(inbox,), name="healer-blocking", daemon=True).start()
        inbox.put(job)

    def _work(self, inbox: queue.SimpleQueue[_Job]) -> None:
        while True:
            try:
                loop, future, work = inbox.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                continue  # a job was handed over in the very moment the wait ended
            self._run(loop, future, work)
            del loop, future, work  # an idle thread must not keep the last result alive
            with self._lock:
                self._idle.append(inbox)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Any]", work: Callable[[], Any]) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as exc:  # noqa: BLE001 - carried to the awaiter, whatever it is
            error = exc
        try:
            loop.call_soon_threadsafe(_settle, future, result, error)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return  # the awaiter gave up
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        future.set_exception(RuntimeError("StopIteration raised by a blocking call"))
    else:
        future.set_exception(error)


_pool = _Pool()


async def call(work: Callable[[], T]) -> T:
    """Run ``work`` in a daemon thread and await its result; raises what it raises.

    Cancelling stops the waiting, not the thread: callers bound how many they leave behind.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    _pool.submit((loop, future, work))
    return await future
