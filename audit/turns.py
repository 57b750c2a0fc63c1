"""Whose turn it is to seal: the writer's own thread, or a caller who waits anyhow and finds nobody else at it."""

import threading
from queue import Empty, SimpleQueue
from typing import Final

from audit import block
from audit.committer import Committer
from audit.errors import DiskFull, Poisoned
from audit.group import Job

MAX_WAITING: Final = 262_144
"""Entries in the queue beyond which submissions are refused: a stuck disk must not eat the memory."""


class Turns:
    """Takes jobs in the order they come, and lets one thread at a time seal them."""

    def __init__(self, committer: Committer, queue: SimpleQueue[Job | None], *, inline: bool) -> None:
        """Begin, with a thread that seals what is queued; with ``inline`` every caller seals for himself."""
        self.closed = False
        self._committer, self._queue, self._inline = committer, queue, inline
        self._waiting = 0
        """Entries in the queue."""
        self._turn = threading.Lock()
        self._seat = threading.Lock()
        """Held by whoever seals."""
        self._thread: threading.Thread | None = None
        if not inline:
            self._thread = threading.Thread(target=self._run, name="audit writer", daemon=True)
            self._thread.start()

    def take(self, job: Job, *, wait: bool) -> None:
        """Queue a job; with ``wait`` seal it in the calling thread where nobody was before it.

        Raises ``Poisoned``, and ``DiskFull`` where too many wait already. All else is said through the job's future.
        """
        count = len(job.entries)
        with self._turn:
            self._admit(count)
            # Nobody may be overtaken: what is counted as waiting was submitted before.
            first = self._inline or (wait and self._waiting == count)
            if not (first and self._seat.acquire(blocking=False)):
                self._queue.put(job)
                return
            self._waiting -= count
        try:
            self._seal_here(job)
        finally:
            self._seat.release()

    def close(self, *, flush: bool) -> bool:
        """Take nothing more, seal what is queued, let the committer end; False where that was done before."""
        with self._turn:
            if self.closed:
                return False
            self.closed = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        with self._seat:  # a caller may be sealing for himself
            self._committer.stop(flush=flush)
        return True

    def _admit(self, count: int) -> None:
        poison = self._committer.poison
        if poison is not None:
            raise Poisoned(poison.message, hint=poison.hint)
        if self.closed:
            raise Poisoned("the writer is closed")
        if self._waiting + count > MAX_WAITING:
            raise DiskFull("the log cannot keep up: too many entries are waiting", hint="is the disk slow or stuck?")
        self._waiting += count

    def _seal_here(self, job: Job) -> None:
        """Seal in the calling thread, which has the seat."""
        if self._inline:
            self._committer.seal([job])
            return
        self._committer.here = True
        try:
            self._committer.seal([job])
            self._committer.finish()
        except BaseException as exc:
            self._committer.broke(exc, [job])
            if not isinstance(exc, Exception):
                raise
        finally:
            self._committer.here = False

    def _run(self) -> None:
        """Seal what is queued until told to stop."""
        while (job := self._queue.get()) is not None:
            with self._seat:
                if self._seal_queued(job):
                    return

    def _seal_queued(self, job: Job | None) -> bool:
        """Commit groups: whatever queued while the last commit ran makes the next block. True at the queue's end."""
        last = False
        while job is not None:
            jobs: list[Job] = []
            left: Job | None = None
            try:
                jobs, left, last = self._gather(job)
                with self._turn:
                    self._waiting -= sum(len(job.entries) for job in jobs)
                self._committer.seal(jobs)
                if left is None and not last:
                    left, last = self._more()
            except BaseException as exc:  # noqa: BLE001 - a bug here must fail its callers, not leave them waiting
                self._committer.broke(exc, jobs)
            job = left
        if last:
            self._committer.finish()
        return last

    def _more(self) -> tuple[Job | None, bool]:
        """Return what queued meanwhile, and whether that is the end; where nothing did, nothing is left under way."""
        while True:
            try:
                job = self._queue.get_nowait()
            except Empty:
                if self._committer.idle:
                    return None, False
                self._committer.finish()
            else:
                return job, job is None

    def _gather(self, job: Job) -> tuple[list[Job], Job | None, bool]:
        """Return the jobs of one group, the one that no longer fits, and whether the end was reached."""
        jobs, taken = [job], len(job.entries)
        while True:
            try:
                following = self._queue.get_nowait()
            except Empty:
                return jobs, None, False
            if following is None:
                return jobs, None, True
            taken += len(following.entries)
            if taken > block.MAX_ENTRIES:
                return jobs, following, False
            jobs.append(following)
