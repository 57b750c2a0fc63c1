"""Proving a log with its bytes, a pinned key and an anchor; one file because an auditor reads it in one sitting.

Nothing found, no key, no anchor and an unknown version are *not proven*; a contradiction is *tampered*. The walk goes
from the start that was asked for to the end, never back from "the newest that exists".
"""

import contextlib
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from audit import block, checkpoint, places, pruned, ratchet
from audit.ask import Ask, Sink
from audit.block import Header
from audit.checkpoint import Anchor
from audit.clock import Clock, SystemClock
from audit.errors import AuditError, Malformed, NothingThere, UnknownVersion, Unreadable
from audit.intents import Ledger
from audit.memory import Memory
from audit.opening import open_log
from audit.outside import Outside
from audit.reader import Blocks, Row, Sealed, ahead
from audit.report import LEVELS, Report
from audit.succession import ROTATES, Succession
from audit.testimony import Given, pinned_key

MAX_WAITING: Final = 100_000
"""So many open intents are followed; a log that claims more is not worth the memory."""
MAX_RECENT: Final = 65_536
"""So many closed intents are remembered, for the verdicts that follow them."""
MAX_BREAKS: Final = 1000
"""So many breaks of the ratchet are remembered, the newest."""
FRESH_S: Final = 86_400.0
"""How old the newest cosignatures may be for L3, where ``max_age_s`` does not say."""
DATED_TAIL_S: Final = 86_400.0
"""How much before the head a time stamp may not cover yet: they are made hourly or daily."""
CLOCK_SLACK_US: Final = 2_000_000


def verify(ask: Ask, *, clock: Clock | None = None, sink: Sink | None = None) -> Report:
    """Prove what can be proved; never raises for anything the log or its neighbours contain.

    ``sink`` is given every entry in order, from the very bytes that are being verified, before the verdict is known.
    """
    now = (clock or SystemClock()).wall_us()
    case = _Case(ask, sink)
    moved = _examine(case)
    for _ in range(_RETRIES if sink is None else 0):
        if not moved:
            break
        case = _Case(ask, sink)
        moved = _examine(case)
    if moved:
        # What looks like tampering may be a page read while it was replaced.
        case.report.tampered, case.moved = False, True
        case.report.add("unproven", "moved", "the log was written to while it was read: run this again")
    case.conclude(now)
    return case.report


_RETRIES: Final = 2
"""A log that was at rest and is then written to is read again; entries already handed out are not."""


def _examine(case: "_Case") -> bool:
    """Read everything once; tell whether the log moved meanwhile."""
    # Anchors first: while a live log grows, it may only be ahead of what was anchored before.
    case.read_given()
    moved = False
    try:
        with case.archive, open_log(case.ask.log) as log:
            try:
                case.walk(log)
            finally:
                moved = log.moved()
    except NothingThere as exc:
        case.report.add("unproven", "empty", exc.message)
        case.outside.conclude(case.previous, stopped=case.stopped)
    except Unreadable as exc:
        case.report.add("unproven", "unreadable", str(exc))
        case.stopped = True  # what could not be read has not been cut off
        if case.previous is not None:
            case.outside.conclude(case.previous, stopped=case.stopped)
    return moved


@dataclass(slots=True)
class _Case:
    """One verification under way."""

    ask: Ask
    sink: Sink | None
    report: Report = field(init=False)
    outside: Outside = field(init=False)
    keys: Succession | None = None
    """None without a pinned key."""
    archive: pruned.Archives = field(default_factory=pruned.Archives)
    remembered: Anchor | None = None
    previous: Header | None = None
    digest: str = block.GENESIS
    resync: bool = False
    """Whether the block before could not be read, so that the next one has nothing to follow."""
    signed: bool = True
    breaks: list[int] = field(default_factory=list)
    """Heights, among the newest, at which the ratchet was lost or not there yet."""
    ledger: Ledger | None = field(default_factory=Ledger)
    """None where open intents cannot be known: the walk did not begin at the beginning."""
    recent: dict[str, None] = field(default_factory=dict)
    forgot: bool = False
    trusted_start: bool = False
    moved: bool = False
    """Whether the log was written to while it was read, so that nothing is known of it."""
    stopped: bool = False
    """Whether a block of an unknown version ended the walk."""

    def __post_init__(self) -> None:
        ask = self.ask
        self.report = Report(log=str(ask.log), flat=ask.flat, deep=ask.deep, asked_from=ask.since)
        self.outside = Outside(ask.log, Given(), self.report)

    # ---------------------------------------------------------------------------------- what is given

    def read_given(self) -> None:
        """Read keys, policy, anchors, checkpoints, archives; what cannot be read is a finding."""
        ask = self.ask
        self._read_key()
        self.outside.given = Given.read(ask.policy, ask.tsa, ask.tokens, ask.checkpoints, self.report)
        self.outside.read(ask.anchors)
        self.archive.open(ask.archives, self.report)

    def _read_key(self) -> None:
        """Load the pinned key; without one the chain can still be looked at."""
        path = self.ask.key or self._own_key()
        key = pinned_key(path, self.report)
        if key is not None and path is not None:
            self.keys = Succession(key)
            self.outside.key_independent = self.outside.elsewhere(path)

    def _own_key(self) -> Path | None:
        """Return the key a state folder says the log began with."""
        folder = self.ask.log / places.KEYS
        if not self.ask.log.is_dir():
            return None
        first = folder / places.FIRST_PUB
        return first if first.exists() or first.is_symlink() else folder / places.SEAL_PUB

    # ----------------------------------------------------------------------------------- the walk

    def walk(self, log: Blocks) -> None:
        """Look at every block from the start asked for to the end."""
        self._identify(log)
        start = self._start(log)
        with contextlib.suppress(UnknownVersion):
            for row in ahead(log.rows(start)):
                self._row(row)
        self.archive.conclude(self.report, stopped=self.stopped)
        self.outside.conclude(self.previous, stopped=self.stopped)

    def _identify(self, log: Blocks) -> None:
        """Find out whose log this is, for the memory's sake; what is read here is verified later."""
        with contextlib.suppress(Malformed):
            top = log.top()
            row = None if top is None else log.row(top)
            if row is not None and not row.wrong_types():
                self.report.origin = block.parse_header(row.hdr).origin
        if self.ask.memory is None or not self.report.origin:
            return
        memory = self.ask.memory
        path = memory.path(self.report.origin)
        try:
            anchor = memory.recall(self.report.origin)
        except AuditError as exc:
            self.report.add("note", "memory", f"the remembered head {path} cannot be used: {exc.message}")
        else:
            if anchor is not None:
                self.remembered = anchor
                independent = self.outside.elsewhere(path)
                self.outside.watch("the head remembered from last time", anchor, independent=independent)

    def _start(self, log: Blocks) -> int | None:
        """Return the height to begin at, with what comes before it in place; None for the very beginning."""
        anchor = self._starting_head()
        if anchor is None:
            if self.ask.since and not self._ends_before(log, self.ask.since):
                self.ledger = None
                self._begin_at(log, self.ask.since)
                self._catch_up(log, self.ask.since)
                self._take_up(log.row(self.ask.since - 1))
                return self.ask.since
            return None
        self.trusted_start, self.ledger = True, None
        self.report.asked_from = anchor.height + 1
        row = log.row(anchor.height)
        if row is not None and not row.wrong_types() and block.hash_of(row.hdr) == anchor.head:
            with contextlib.suppress(Malformed):
                header = block.parse_header(row.hdr)
                self._begin_at(log, anchor.height)
                self._catch_up(log, anchor.height)
                self._check_start(header, row)
                self._seen(header, row)
                return anchor.height + 1
        self.report.add("tampered", "fork", "the head to start from is not in the log", height=anchor.height)
        return None

    def _ends_before(self, log: Blocks, start: int) -> bool:
        """Tell whether there is nothing to begin with: a number too large is not yet a log that was cut."""
        end = None
        with contextlib.suppress(Malformed):
            end = log.top()
        if end is None or start <= end:
            return False
        because = f"the log ends at block {end}, which is before {start}: it was looked at from its beginning"
        self.report.add("unproven", "since", because)
        self.report.asked_from = 0
        return True

    def _check_start(self, header: Header, row: Row) -> None:
        """Check who signed the block that the walk starts after: whoever wrote that head down may have lied."""
        if self.keys is None or self.keys.received(header, row.hdr, row.sig):
            return
        self._check_signature(header, row, row.body)
        self.keys.revoked.clear()  # what it revokes lies below the range

    def _take_up(self, row: Row | None) -> None:
        """Take the block before the range for what it says: the first block's ``prev`` settles whether it is true."""
        self.resync = True
        if row is not None:
            with contextlib.suppress(Malformed):
                self.previous, self.digest = _header(row), block.hash_of(row.hdr)
                self.resync = False

    def _begin_at(self, log: Blocks, height: int) -> None:
        """Take in the headers below, which only checkpoints look at: a root that fits proves them all."""
        stubs = itertools.takewhile(lambda stub: stub.height < height, log.stubs(0))
        self.outside.begin(lambda: (stub.hdr if type(stub.hdr) is bytes else b"" for stub in stubs))

    def _catch_up(self, log: Blocks, height: int) -> None:
        """Follow the changes of keys below the range, where the pinned key is no longer in force at its beginning."""
        row = log.row(height)
        if self.keys is None or row is None or row.wrong_types() or self.keys.names(row.hdr):
            return
        for stub in itertools.takewhile(lambda stub: stub.height < height, log.stubs(0)):
            row = log.row(stub.height) if type(stub.hdr) is bytes and stub.hdr.endswith(ROTATES) else None
            if row is not None and not row.wrong_types():
                self.keys.skip(row.hdr, row.sig, row.body)

    def _starting_head(self) -> Anchor | None:
        if self.ask.since_head is not None:
            try:
                anchor = checkpoint.read(self.ask.since_head)
            except AuditError as exc:
                self.report.add("unproven", "since", f"cannot start from {self.ask.since_head}: {exc.message}")
                return None
            if anchor is None:
                self.report.add("unproven", "since", f"cannot start from {self.ask.since_head}: it is missing")
            else:
                independent = self.outside.elsewhere(self.ask.since_head)
                self.outside.watch(f"the anchor {self.ask.since_head}", anchor, independent=independent)
            return anchor
        return self.remembered if self.ask.incremental else None

    def _row(self, row: Row) -> None:
        """Check one block; what is wrong becomes a finding, and the walk goes on."""
        try:
            header = _header(row)
        except UnknownVersion as exc:
            self.report.add("unproven", "version", exc.message, height=row.height)
            self.stopped = True
            raise
        except Malformed as exc:
            self.report.add("tampered", "header", exc.message, height=row.height)
            self.resync, self.ledger = True, None
            self.report.last = row.height
            return
        body = self._body(header, row)
        self._check_place(header, row)
        self._check_signature(header, row, body)
        self._check_ratchet(header, row)
        if body:
            self._check_body(header, row, body)
        else:
            self.ledger = None  # what its entries opened and closed is not known
        self._seen(header, row)

    def _body(self, header: Header, row: Row) -> bytes:
        """Return the body, from the log or from an archive, and take note of what a ``prune`` block says."""
        try:
            body = self.archive.body(header, row)
            if body and header.why == "prune":
                block.check_flat(header, body)
                self.archive.account(header, body)
        except UnknownVersion as exc:
            self.report.add("unproven", "version", exc.message, height=row.height)
        except Malformed as exc:
            self.report.add("tampered", "pruned", exc.message, height=row.height)
        else:
            return body
        return row.body

    def _seen(self, header: Header, row: Row) -> None:
        report = self.report
        if report.first is None:
            report.first, report.proven_to = header.height, header.height
            if any(finding.weight == "tampered" for finding in report.findings):
                report.proven_to = header.height - 1
        elif report.proven_to == header.height - 1 and not report.tampered:
            report.proven_to = header.height
        self.previous, self.digest, self.resync = header, block.hash_of(row.hdr), False
        report.last, report.head = header.height, self.digest
        report.origin = header.origin
        report.entries = header.first + header.count
        report.head_wall_us, report.open = header.sealed, header.open
        self.outside.see(header, row.hdr, self.digest)

    def _check_place(self, header: Header, row: Row) -> None:
        add, height = self.report.add, row.height
        if (header.height, header.first, header.count) != (row.height, row.first, row.n):
            add("tampered", "columns", "the columns beside the header contradict it", height=height)
        if not self.resync:
            for because in block.check_follows(header, self.previous, self.digest):
                add("tampered", "chain", because, height=height)
        previous = self.previous
        if previous is not None and previous.boot == header.boot:
            drift = (header.sealed - previous.sealed) - (header.mono - previous.mono)
            if abs(drift) > CLOCK_SLACK_US:
                add("note", "clock", f"the wall clock jumped by {drift / 1e6:.1f} s", height=height)
        if self.ask.expect_origin is not None and header.origin != self.ask.expect_origin:
            add("tampered", "foreign", f"it belongs to {header.origin}, not {self.ask.expect_origin}", height=height)

    def _check_signature(self, header: Header, row: Row, body: bytes) -> None:
        if self.keys is None:
            self.signed = False
            return
        revoked = len(self.keys.revoked)
        problems = self.keys.check(header, row.hdr, row.sig, body)
        if len(self.keys.revoked) > revoked:
            # Only what was remembered before the change: a later head tells how the log looked afterwards.
            first, last = self.keys.revoked.pop()
            if last > self.outside.covered:
                self.keys.revoked.append((max(first, self.outside.covered + 1), last))
        for problem in problems:
            self.signed = False
            # Without the ratchet nothing tells a signature that is due from one that was wiped out.
            weight = "tampered" if problem.code == "due" and not row.rsig else problem.weight
            self.report.add(weight, problem.code, problem.because, height=row.height)

    def _check_ratchet(self, header: Header, row: Row) -> None:
        if header.height and (self.resync or not row.rsig):
            self.breaks = [*self.breaks[-MAX_BREAKS:], header.height]
        if self.resync:
            return
        broken = ratchet.check(header, row.hdr, row.rsig, self.previous)
        if broken:
            self.report.add("tampered", "ratchet", broken, height=row.height)

    def _check_body(self, header: Header, row: Row, body: bytes) -> None:
        try:
            block.check_flat(header, body)
            if self.ask.flat and not self.ask.deep and self.sink is None:
                return
            leaves = block.check_entries(header, body)
        except Malformed as exc:
            self.report.add("tampered", "body", exc.message, height=row.height)
            self.ledger = None
            return
        if self.sink is not None or self.ask.deep:
            for offset, (octets, leaf) in enumerate(zip(block.split_body(body), leaves, strict=True)):
                sealed = Sealed(header.first + offset, header.height, leaf.hex(), octets)
                if self.sink is not None:
                    self.sink(sealed)
                if self.ask.deep:
                    self._check_entry(sealed, header.why)
        if self.ask.deep and self.ledger is not None and len(self.ledger.waiting) != header.open:
            because = f"the header counts {header.open} open intents, the entries leave {len(self.ledger.waiting)}"
            self.report.add("tampered", "open", because, height=row.height)

    # ---------------------------------------------------------------------------------- the entries

    def _check_entry(self, sealed: Sealed, why: str) -> None:
        from audit import entry  # only who reads entries needs to know what they look like

        place = {"height": sealed.height, "seq": sealed.seq}
        try:
            fields = entry.parse(sealed.octets)
            if fields["seq"] != sealed.seq:
                self.report.add("tampered", "entry", f"it says it is entry {fields['seq']}", **place)
            if fields["kind"] == "rotate" != why:
                self.report.add("tampered", "rotation", f"a rotation in a block of the kind {why}", **place)
            self._follow(fields, sealed.leaf)
        except UnknownVersion as exc:
            self.report.add("unproven", "version", exc.message, **place)
            self.ledger = None
        except Malformed as exc:
            self.report.add("tampered", "entry", exc.message, **place)

    def _follow(self, fields: dict[str, object], leaf: str) -> None:
        """Check that outcomes and verdicts have their intents, as far as the walk knows them."""
        if self.ledger is None:
            return
        closed = self.ledger.take(fields, leaf)
        if closed:
            self.recent[closed] = None
            if len(self.recent) > MAX_RECENT:
                del self.recent[next(iter(self.recent))]
                self.forgot = True
        if len(self.ledger.waiting) > MAX_WAITING:
            self.report.add(
                "unproven", "open", f"more than {MAX_WAITING} intents are open; they are followed no further"
            )
            self.ledger = None
        elif fields["kind"] == "verdict" and not self.forgot:
            of = fields["of"]
            if of not in self.recent and of not in self.ledger.waiting:
                raise Malformed("a verdict on an intent that was never sealed")

    # -------------------------------------------------------------------------------- the conclusion

    def conclude(self, now_us: int) -> None:
        """Weigh what was found against what was asked, and remember a head that was proved."""
        report, ask = self.report, self.ask
        if report.first is None and report.exit_code == 0:
            report.add("unproven", "empty", "there is no block in the range asked for")
        elif report.first is not None and self.previous is not None:
            report.head_age_s = (now_us - self.previous.sealed) / 1e6
            report.level = self._level(self.previous, now_us)
            self._check_age(report.head_age_s)
            self._list_open(self.previous)
            if report.anchored_to is None:
                report.add("unproven", "anchor", "no anchor was matched (--anchor): the end may have been cut off")
        if report.tampered or self.moved or self.stopped:
            report.level = "none"
        if LEVELS.index(report.level) < LEVELS.index(ask.min_level) and not report.tampered:
            report.add("unproven", "level", f"{ask.min_level} was asked for, {report.level} is proven")
        proved_from_start = ask.since == 0 or self.trusted_start
        if report.exit_code == 0 and proved_from_start and ask.memory is not None and self.previous is not None:
            self._remember(ask.memory, checkpoint.of_header(self.previous, self.digest))

    def _level(self, head: Header, now_us: int) -> str:
        """Return what is proven of every block in the range."""
        report = self.report
        report.broken_at = [height for height in self.breaks if height > self.outside.covered]
        if self.keys is None:
            return "L0"
        for first, last in self.keys.revoked:
            because = f"a stolen key may have signed blocks {first} to {last}: nobody remembers them from before"
            report.add("unproven", "revoked", because, height=first)
            self.signed = False
        if not self.signed:
            return "L0"
        outside, fresh_s = self.outside, self.ask.max_age_s or FRESH_S
        if outside.witnessed(self.ask.tail_s, now_us / 1e6 - fresh_s):
            return "L4" if outside.dated(DATED_TAIL_S) else "L3"
        if outside.witnessed(self.ask.tail_s, 0):
            report.add("note", "stale", f"the newest cosignatures are older than {fresh_s:.0f} s: witnessed no longer")
        return "L2" if head.next and not report.broken_at else "L1"

    def _check_age(self, age_s: float) -> None:
        limit = self.ask.max_age_s
        if limit is not None and not -limit <= age_s <= limit:
            self.report.add("unproven", "age", f"the head is {age_s:.0f} s old, {limit:.0f} s were allowed")

    def _list_open(self, head: Header) -> None:
        if not self.ask.deep or self.ledger is None:
            return
        self.report.open_intents = self.ledger.waiting
        for waiting in list(self.ledger.waiting.values()):
            if waiting.boot != head.boot or head.mono > waiting.deadline_us:
                because = f"the intent {waiting.id} is open beyond its deadline"
                self.report.add("note", "deadline", because, seq=waiting.seq)

    def _remember(self, memory: Memory, head: Anchor) -> None:
        try:
            memory.remember(head)
        except OSError as exc:
            self.report.add("note", "memory", f"the head cannot be remembered: {exc}")


def _header(row: Row) -> Header:
    wrong = row.wrong_types()
    if wrong:
        raise Malformed(f"column {wrong} has the wrong type")
    return block.parse_header(row.hdr)
