"""Proving a log with its bytes, a pinned key and an anchor; one file because an auditor reads it in one sitting.

Nothing found, no key, no anchor and an unknown version are *not proven*; a contradiction is *tampered*. The walk goes
from the start that was asked for to the end, never back from "the newest that exists".
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from audit import block, checkpoint, entry
from audit.block import Header
from audit.checkpoint import Anchor
from audit.clock import Clock, SystemClock
from audit.errors import AuditError, KeyRefused, Malformed, NothingThere, UnknownVersion, Unreadable
from audit.files import read_small
from audit.intents import Ledger
from audit.memory import Memory
from audit.reader import Log, Row, Sealed
from audit.report import LEVELS, Report
from audit.signature import PublicKey

MAX_WAITING: Final = 100_000
"""So many open intents are followed; a log that claims more is not worth the memory."""
MAX_RECENT: Final = 65_536
"""So many closed intents are remembered, for the verdicts that follow them."""
CLOCK_SLACK_US: Final = 2_000_000
_MAX_KEY_FILE: Final = 65_536

Sink = Callable[[Sealed], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to prove, against what."""

    log: Path
    """A log file or a state folder."""
    key: Path | None = None
    """The pinned public key; in a state folder ``keys/seal.pub`` serves, but proves less."""
    anchors: tuple[Path, ...] = ()
    """Heads kept elsewhere; in a state folder ``anchor`` serves, but proves less."""
    memory: Memory | None = None
    min_level: str = "L1"
    flat: bool = False
    """Skip the Merkle roots; four times faster."""
    deep: bool = False
    """Read every entry: form, kinds, intents and outcomes."""
    since: int = 0
    """First height wanted."""
    since_head: Path | None = None
    """An anchor file to start from: what lies before it has been proved already."""
    incremental: bool = False
    """Start from the remembered head, where there is one."""
    max_age_s: float | None = None
    expect_origin: str | None = None


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
        case.report.tampered = False
        case.report.add("unproven", "moved", "the log was written to while it was read: run this again")
    case.conclude(now)
    return case.report


_RETRIES: Final = 2
"""A log that was at rest and is then written to is read again; entries already handed out are not."""


def _examine(case: "_Case") -> bool:
    """Read everything once; tell whether the log moved meanwhile."""
    # Anchors first: while a live log grows, it may only be ahead of what was anchored before.
    case.read_key()
    case.read_anchors()
    moved = False
    try:
        with Log.open(case.ask.log) as log:
            try:
                case.walk(log)
            finally:
                moved = log.moved()
    except NothingThere as exc:
        case.report.add("unproven", "empty", exc.message)
        case.conclude_anchors()
    except Unreadable as exc:
        case.report.add("unproven", "unreadable", exc.message)
        if case.previous is not None:
            case.conclude_anchors()
    return moved


@dataclass(slots=True, kw_only=True)
class _Watched:
    """An anchor to be met on the way."""

    name: str
    anchor: Anchor
    independent: bool
    met: bool = False


@dataclass(slots=True)
class _Case:
    """One verification under way."""

    ask: Ask
    sink: Sink | None
    report: Report = field(init=False)
    key: PublicKey | None = None
    key_independent: bool = False
    watched: list[_Watched] = field(default_factory=list)
    previous: Header | None = None
    digest: str = block.GENESIS
    resync: bool = False
    """Whether the block before could not be read, so that the next one has nothing to follow."""
    signed: bool = True
    ledger: Ledger | None = field(default_factory=Ledger)
    """None where open intents cannot be known: the walk did not begin at the beginning."""
    recent: dict[str, None] = field(default_factory=dict)
    forgot: bool = False
    trusted_start: bool = False
    stopped: bool = False
    """Whether a block of an unknown version ended the walk."""

    def __post_init__(self) -> None:
        ask = self.ask
        self.report = Report(log=str(ask.log), flat=ask.flat, deep=ask.deep, asked_from=ask.since)

    # ---------------------------------------------------------------------------------- what is given

    def read_key(self) -> None:
        """Load the pinned key; without one the chain can still be looked at."""
        path = self.ask.key or (self.ask.log / "keys" / "seal.pub" if self.ask.log.is_dir() else None)
        if path is None:
            self.report.add("unproven", "key", "no public key was given (--key)")
            return
        try:
            self.key = PublicKey.from_pem(read_small(path, _MAX_KEY_FILE))
        except FileNotFoundError:
            self.report.add("unproven", "key", f"the key {path} is missing")
        except (KeyRefused, Unreadable) as exc:
            self.report.add("unproven", "key", f"the key {path} is refused: {exc.message}")
        else:
            self.report.key = self.key.fingerprint
            self.key_independent = self._elsewhere(path)

    def read_anchors(self) -> None:
        """Read the anchors given, and the one in the state folder."""
        for path in self.ask.anchors:
            self._read_anchor(path, needed=True)
        if self.ask.log.is_dir():
            self._read_anchor(self.ask.log / "anchor", needed=False)

    def _read_anchor(self, path: Path, *, needed: bool) -> None:
        try:
            anchor = checkpoint.read(path)
        except AuditError as exc:
            self.report.add("unproven", "anchor", f"the anchor {path} cannot be used: {exc.message}")
            return
        if anchor is not None:
            self._watch(f"the anchor {path}", anchor, independent=self._elsewhere(path))
        elif needed:
            self.report.add("unproven", "anchor", f"the anchor {path} is missing")

    def _watch(self, name: str, anchor: Anchor, *, independent: bool) -> None:
        self.watched.append(_Watched(name=name, anchor=anchor, independent=independent))
        if self.key is not None and anchor.key != self.key.fingerprint:
            self.report.add("tampered", "rekeyed", f"{name} names another key, {anchor.key[:16]}…")

    def _elsewhere(self, path: Path) -> bool:
        """Tell whether ``path`` lies outside the log's own folder: whoever rewrites one may rewrite the other."""
        log = self.ask.log.resolve()
        return not path.resolve().is_relative_to(log if log.is_dir() else log.parent)

    # ----------------------------------------------------------------------------------- the walk

    def walk(self, log: Log) -> None:
        """Look at every block from the start asked for to the end."""
        self._identify(log)
        start = self._start(log)
        with contextlib.suppress(UnknownVersion):
            for row in log.rows(start):
                self._row(row)
        self.conclude_anchors()

    def _identify(self, log: Log) -> None:
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
                self._watch("the head remembered from last time", anchor, independent=self._elsewhere(path))

    def _start(self, log: Log) -> int | None:
        """Return the height to begin at, with what comes before it in place; None for the very beginning."""
        anchor = self._starting_head()
        if anchor is None:
            if self.ask.since:
                self.resync, self.ledger = True, None
                return self.ask.since
            return None
        self.trusted_start, self.ledger = True, None
        self.report.asked_from = anchor.height + 1
        row = log.row(anchor.height)
        if row is not None and not row.wrong_types() and block.hash_of(row.hdr) == anchor.head:
            with contextlib.suppress(Malformed):
                self._seen(block.parse_header(row.hdr), row)
                return anchor.height + 1
        self.report.add("tampered", "fork", "the head to start from is not in the log", height=anchor.height)
        return None

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
                self._watch(
                    f"the anchor {self.ask.since_head}", anchor, independent=self._elsewhere(self.ask.since_head)
                )
            return anchor
        if self.ask.incremental:
            remembered = [one.anchor for one in self.watched if one.name.startswith("the head remembered")]
            return remembered[0] if remembered else None
        return None

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
        self._check_place(header, row)
        self._check_signature(header, row)
        self._check_body(header, row)
        self._seen(header, row)

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
        for one in self.watched:
            if one.anchor.height == header.height:
                self._meet(one, header)

    def _check_place(self, header: Header, row: Row) -> None:
        add, height = self.report.add, row.height
        if (header.height, header.first, header.count) != (row.height, row.first, row.n):
            add("tampered", "columns", "the columns beside the header contradict it", height=height)
        if row.rsig:
            add("unproven", "ratchet", "it carries a ratchet signature, which this version cannot check", height=height)
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

    def _check_signature(self, header: Header, row: Row) -> None:
        if self.key is None:
            self.signed = False
        elif header.keys[0] != self.key.fingerprint:
            self.signed = False
            because = f"it is signed by another key, {header.keys[0][:16]}…"
            self.report.add("tampered", "rekeyed", because, height=row.height)
        elif not self.key.verify(row.sig, block.signed_octets(row.hdr)):
            self.signed = False
            self.report.add("tampered", "signature", "its signature does not fit the pinned key", height=row.height)

    def _check_body(self, header: Header, row: Row) -> None:
        try:
            block.check_flat(header, row.body)
            if self.ask.flat and not self.ask.deep and self.sink is None:
                return
            entries = block.split_body(row.body)
            leaves = block.check_entries(header, entries)
        except Malformed as exc:
            self.report.add("tampered", "body", exc.message, height=row.height)
            self.ledger = None
            return
        if self.sink is not None or self.ask.deep:
            for offset, (octets, leaf) in enumerate(zip(entries, leaves, strict=True)):
                sealed = Sealed(header.first + offset, header.height, leaf.hex(), octets)
                if self.sink is not None:
                    self.sink(sealed)
                if self.ask.deep:
                    self._check_entry(sealed)
        if self.ask.deep and self.ledger is not None and len(self.ledger.waiting) != header.open:
            because = f"the header counts {header.open} open intents, the entries leave {len(self.ledger.waiting)}"
            self.report.add("tampered", "open", because, height=row.height)

    # ---------------------------------------------------------------------------------- the entries

    def _check_entry(self, sealed: Sealed) -> None:
        place = {"height": sealed.height, "seq": sealed.seq}
        try:
            fields = entry.parse(sealed.octets)
            if fields["seq"] != sealed.seq:
                self.report.add("tampered", "entry", f"it says it is entry {fields['seq']}", **place)
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

    def _meet(self, one: _Watched, header: Header) -> None:
        one.met = True
        anchor = one.anchor
        if anchor.origin != header.origin:
            because = f"the log is {header.origin}, {one.name} belongs to {anchor.origin}"
            self.report.add("tampered", "foreign", because, height=header.height)
        elif anchor != checkpoint.of_header(header, self.digest):
            because = f"it is not the block that {one.name} remembers: the log was rewritten, or forked"
            self.report.add("tampered", "fork", because, height=header.height)
        else:
            newest = self.report.anchored_to
            self.report.anchored_to = anchor.height if newest is None else max(newest, anchor.height)
            self.report.independent = self.report.independent or (one.independent and self.key_independent)

    def conclude_anchors(self) -> None:
        """Account for the anchors that were not met."""
        last = -1 if self.previous is None else self.previous.height
        first = self.report.first if self.report.first is not None else 0
        for one in self.watched:
            if one.met or (self.stopped and one.anchor.height > last):
                continue
            if self.previous is not None and one.anchor.origin != self.previous.origin:
                because = f"the log is {self.previous.origin}, {one.name} belongs to {one.anchor.origin}"
                self.report.add("tampered", "foreign", because)
            elif one.anchor.height > last:
                end = "is empty" if last < 0 else f"ends at block {last}"
                because = f"{one.name} remembers block {one.anchor.height}, the log {end}: it was cut or rolled back"
                self.report.add("tampered", "cut", because)
            elif one.anchor.height >= first:
                because = f"block {one.anchor.height}, which {one.name} remembers, is missing"
                self.report.add("tampered", "cut", because)

    def conclude(self, now_us: int) -> None:
        """Weigh what was found against what was asked, and remember a head that was proved."""
        report, ask = self.report, self.ask
        if self.previous is None and report.exit_code == 0:
            report.add("unproven", "empty", "there is no block in the range asked for")
        elif self.previous is not None:
            report.level = "L1" if self.signed else "L0"
            report.head_age_s = (now_us - self.previous.sealed) / 1e6
            self._check_age(report.head_age_s)
            self._list_open(self.previous)
            if report.anchored_to is None:
                report.add("unproven", "anchor", "no anchor was matched (--anchor): the end may have been cut off")
        if report.tampered:
            report.level = "none"
        if LEVELS.index(report.level) < LEVELS.index(ask.min_level) and not report.tampered:
            report.add("unproven", "level", f"{ask.min_level} was asked for, {report.level} is proven")
        proved_from_start = ask.since == 0 or self.trusted_start
        if report.exit_code == 0 and proved_from_start and ask.memory is not None and self.previous is not None:
            self._remember(ask.memory, checkpoint.of_header(self.previous, self.digest))

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
