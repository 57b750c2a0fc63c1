"""Following a live log: what is new is verified from the last head on, and shown only once it continues it."""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from audit import block, checkpoint
from audit.ask import Ask
from audit.checkpoint import Anchor
from audit.cli.lines import Page
from audit.cli.select import Found, Select
from audit.errors import AuditError, NothingThere, Unreadable
from audit.opening import open_log
from audit.report import Report
from audit.verifier import verify
from audit.visible import visible

EVERY_S: Final = 0.5
_IN_MEMORY: Final = 1024 * 1024
"""Lines that wait for their verdict lie in memory up to this, then in a file: a log may grow by millions at once."""


class Follow:
    """A walk that goes on from where the last one ended."""

    def __init__(self, ask: Ask, report: Report, wanted: Select, page: Page) -> None:
        """Go on after ``report``, which is what ``ask`` found; nothing is remembered of what follows."""
        self._ask = replace(ask, memory=None, since=0, since_head=None, incremental=False)
        self._wanted, self._page = wanted, page
        sound = _sound_to(report)
        self._head = _anchor_of(ask.log, report, sound if sound >= (report.first or 0) else report.last)
        self._shown = report.entries
        self._begun = self._code = report.exit_code
        self._stuck: int | None = None
        self._said = ""

    def run(self, pause: Callable[[float], None] = time.sleep) -> int:
        """Look again and again, until Ctrl-C or a contradiction; return 0 proven, 1 tampered, 2 not proven."""
        with tempfile.TemporaryDirectory(prefix="audit-") as folder:
            place = Path(folder) / "head"
            try:
                while True:
                    if self._moved() and not self._go_on(place):
                        return 1
                    pause(EVERY_S)
            except KeyboardInterrupt:
                return self._code

    def _moved(self) -> bool:
        """Tell, from two headers, whether the log is any other than it was."""
        try:
            with open_log(self._ask.log) as log:
                stubs = log.stubs(self._head.height)
                stub = next(stubs, None)
                if stub is None or type(stub.hdr) is not bytes or stub.height != self._head.height:
                    return True
                return block.hash_of(stub.hdr) != self._head.head or next(stubs, None) is not None
        except NothingThere:
            return True
        except Unreadable as exc:
            self._say(f"cannot be read now: {exc}")
            return False

    def _go_on(self, place: Path) -> bool:
        """Verify what is new; tell whether nothing contradicts what was proved before."""
        place.write_bytes(self._head.encode())
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", errors="backslashreplace") as waiting:
            count = 0

            def keep(found: Found) -> None:
                nonlocal count
                if found.sealed.seq < self._shown:
                    return  # of a block that was shown before it was proven
                count += 1
                waiting.write(f"{found.sealed.height} {self._page.line(found)}\n")

            report = verify(replace(self._ask, since_head=place), sink=self._wanted.sink(keep))
            if report.tampered:
                self._say(report.headline())
                if count:
                    self._say(f"{count} new entries are not shown: healer-audit show prints them, proven or not")
                return False
            sound = _sound_to(report)
            if sound > self._head.height:
                self._head = _anchor_of(self._ask.log, report, sound)
                self._print(waiting, sound)
            self._judge(report, sound)
        return True

    def _print(self, waiting: IO[str], sound: int) -> None:
        waiting.seek(0)
        for line in waiting:
            height, _, text = line[:-1].partition(" ")
            if int(height) <= sound:
                self._page.put(text)
        sys.stdout.flush()

    def _judge(self, report: Report, sound: int) -> None:
        """Say what is not proven: once, and not of what is still under way, such as a signature due in a moment."""
        self._code = max(self._begun, report.exit_code)
        waits = report.last is None or sound < report.last
        if not waits or self._stuck == sound:
            self._say(report.headline() if report.exit_code else "")
        self._stuck = sound if waits else None

    def _say(self, text: str) -> None:
        if text and text != self._said:
            print(visible(text), file=sys.stderr, flush=True)
        self._said = text


def _sound_to(report: Report) -> int:
    """Return the highest block below the first that is not proven; -1 where there is none, or nothing holds still."""
    if report.last is None or any(one.code in {"moved", "unreadable"} for one in report.findings):
        return -1
    below = (one.height - 1 for one in report.findings if one.weight == "unproven" and one.height is not None)
    return min((report.last, *below))


def _anchor_of(place: Path, report: Report, height: int | None) -> Anchor:
    """Return block ``height`` as a head, where it leads to the head that the report names.

    Raises ``Unreadable`` where there is nothing to follow, ``AuditError`` where it is not what was read before.
    """
    if height is None or report.last is None:
        raise Unreadable(f"there is nothing to follow at {place}", hint="has its agent ever run?")
    found, digest = None, ""
    with open_log(place) as log:
        for stub in log.stubs(height):
            if type(stub.hdr) is not bytes or stub.height > report.last:
                break
            header = block.parse_header(stub.hdr)
            if found is not None and header.prev != digest:
                break
            digest = block.hash_of(stub.hdr)
            found = found or checkpoint.of_header(header, digest)
    if found is None or digest != report.head:
        raise AuditError(f"block {report.last} was replaced while it was read", hint="run healer-audit verify")
    return found
