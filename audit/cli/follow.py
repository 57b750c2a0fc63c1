"""Following a live log: what is new is verified from the last head on, and shown only once it continues it."""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from audit import block, checkpoint
from audit.ask import Ask
from audit.checkpoint import Anchor
from audit.cli.lines import Page
from audit.cli.select import Found, Select
from audit.errors import AuditError, Malformed, NothingThere, Unreadable
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
        self._head = _anchor_of(ask.log, report)
        self._code = report.exit_code
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
                count += 1
                waiting.write(self._page.line(found) + "\n")

            report = verify(replace(self._ask, since_head=place), sink=self._wanted.sink(keep))
            if report.tampered:
                self._say(report.text().split("\n", 1)[0])
                if count:
                    self._say(f"{count} new entries are not shown: healer-audit show prints them, proven or not")
                return False
            if report.last is None or any(one.code in {"moved", "unreadable"} for one in report.findings):
                return True  # it is being written to in a way that shows no whole block: look again
            self._advance(report)
            waiting.seek(0)
            for line in waiting:
                self._page.put(line[:-1])
            sys.stdout.flush()
        return True

    def _advance(self, report: Report) -> None:
        self._head = _anchor_of(self._ask.log, report)
        self._code = max(self._code, report.exit_code)
        # What is not proven is said once, not with every block.
        self._say(report.text().split("\n", 1)[0] if report.exit_code else "")

    def _say(self, text: str) -> None:
        if text and text != self._said:
            print(visible(text), file=sys.stderr, flush=True)
        self._said = text


def _anchor_of(place: Path, report: Report) -> Anchor:
    """Return the head that a report names; raises ``Unreadable`` where the log has no such block any more."""
    if report.last is None:
        raise Unreadable(f"there is nothing to follow at {place}", hint="has its agent ever run?")
    with open_log(place) as log:
        stub = next(log.stubs(report.last), None)
        if stub is not None and type(stub.hdr) is bytes and block.hash_of(stub.hdr) == report.head:
            try:
                return checkpoint.of_header(block.parse_header(stub.hdr), report.head)
            except Malformed as exc:
                raise Unreadable(f"block {report.last} cannot be followed: {exc.message}") from exc
    raise AuditError(f"block {report.last} was replaced while it was read", hint="run healer-audit verify")
