"""What others remember of a log: anchors and checkpoints it must contain, and how far they vouch for it."""

import heapq
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from audit import checkpoint, merkle, places
from audit.block import Header
from audit.checkpoint import Anchor
from audit.errors import AuditError, Forged
from audit.files import read_small
from audit.report import Report
from audit.testimony import MAX_NOTE, Given, Testimony

MAX_KEPT: Final = 4096
"""So many checkpoints of a state folder are read, the newest; a folder of millions is somebody's joke."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """An anchor to be met on the way."""

    name: str
    anchor: Anchor
    independent: bool
    met: bool = False


@dataclass(slots=True, kw_only=True)
class Witnessing:
    """A checkpoint that witnesses cosigned, and whose root was the log's."""

    height: int
    """The last block it covers."""
    since_s: int
    beyond_us: int = sys.maxsize
    """The earliest time at which a block was sealed between it and the next of its kind."""
    latest_us: int = 0
    """The latest."""


@dataclass(slots=True, kw_only=True)
class Claim:
    """A checkpoint to be met on the way: at its size, the tree over the headers must have its root."""

    name: str
    said: Testimony
    independent: bool
    """Whether it was kept where the log is not, so that it counts whoever signed it."""
    met: bool = False

    @property
    def height(self) -> int:
        """The last block it covers; -1 for a checkpoint of nothing."""
        return self.said.head.size - 1

    @property
    def counts(self) -> bool:
        """Whether somebody whom the auditor trusts stands behind it."""
        return self.independent or self.said.log_signed or self.said.witnessed_s is not None


@dataclass(slots=True)
class Outside:
    """Holds a log against what others remember, block by block."""

    log: Path
    given: Given
    report: Report
    key_independent: bool = False
    watched: list[Watched] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    tree: merkle.Frontier = field(default_factory=merkle.Frontier)
    whole: bool = True
    """Whether the tree holds every header from block 0 on."""
    covered: int = -1
    """The newest block that an independent anchor or a witness vouches for."""
    witnessings: list[Witnessing] = field(default_factory=list)
    undated: tuple[int, int] = (sys.maxsize, 0)
    """The earliest and the latest time at which blocks beyond what is dated were sealed."""

    # ------------------------------------------------------------------------------- what is given

    def read(self, anchors: Iterable[Path]) -> None:
        """Read what was given, and what lies in the state folder."""
        for path in anchors:
            self._read_one(path)
        for path in self.given.checkpoints:
            self._read_note(path, independent=False, needed=True)
        if self.log.is_dir():
            self._read_anchor(self.log / places.ANCHOR, needed=False)
            self._read_kept()
        self.claims.sort(key=lambda claim: claim.said.head.size)

    def _read_one(self, path: Path) -> None:
        """Read a file given as anchor: one line of JSON, or a checkpoint."""
        try:
            is_json = read_small(path, MAX_NOTE).startswith(b"{")
        except (AuditError, OSError):
            is_json = True
        if is_json:
            self._read_anchor(path, needed=True)
        else:
            self._read_note(path, independent=self.elsewhere(path), needed=True)

    def _read_anchor(self, path: Path, *, needed: bool) -> None:
        try:
            anchor = checkpoint.read(path)
        except AuditError as exc:
            self.report.add("unproven", "anchor", f"the anchor {path} cannot be used: {exc.message}")
            return
        if anchor is not None:
            self.watch(f"the anchor {path}", anchor, independent=self.elsewhere(path))
        elif needed:
            self.report.add("unproven", "anchor", f"the anchor {path} is missing")

    def _read_note(self, path: Path, *, independent: bool, needed: bool) -> None:
        try:
            said = self.given.judge(read_small(path, MAX_NOTE), path)
        except FileNotFoundError:
            if needed:
                self.report.add("unproven", "anchor", f"the checkpoint {path} is missing")
        except AuditError as exc:
            if needed or not self.given.own or isinstance(exc, Forged):
                self.report.add("unproven", "anchor", f"the checkpoint {path} cannot be used: {exc.message}")
        else:
            if said.head.size:  # a checkpoint of nothing vouches for nothing
                self.claims.append(Claim(name=f"the checkpoint {path}", said=said, independent=independent))

    def _read_kept(self) -> None:
        """Read the checkpoints of the state folder; without a policy only the log's own key stands behind them."""
        if self.given.policy is None:
            self.given.take_own(self.log / places.KEYS / places.NOTE_PUB)
        if self.given.policy is None:
            return
        folder = self.log / places.WITNESSED
        try:
            # Never all the names at once: there may be millions.
            with os.scandir(folder) as found:
                names = heapq.nlargest(MAX_KEPT, (one.name for one in found if one.name.endswith(".note")))
        except FileNotFoundError:
            names = []
        except OSError as exc:
            names = []
            self.report.add("note", "witnessed", f"what witnesses signed cannot be read: {folder}: {exc.strerror}")
        for name in reversed(names):
            self._read_note(folder / name, independent=False, needed=False)
        self._read_note(self.log / places.CHECKPOINT, independent=False, needed=False)

    def watch(self, name: str, anchor: Anchor, *, independent: bool) -> None:
        """Expect to meet ``anchor`` on the way."""
        self.watched.append(Watched(name=name, anchor=anchor, independent=independent))

    def elsewhere(self, path: Path) -> bool:
        """Tell whether ``path`` lies outside the log's own folder: whoever rewrites one may rewrite the other."""
        try:
            log, place = self.log.resolve(), path.resolve()
        except (OSError, RuntimeError):  # a link that leads to itself
            return False
        return not place.is_relative_to(log if log.is_dir() else log.parent)

    # ------------------------------------------------------------------------------------ the walk

    def begin(self, headers: Callable[[], Iterable[bytes]]) -> None:
        """Take in the headers before the one the walk begins at, where a checkpoint needs them."""
        if self.claims:
            self.tree.extend(merkle.leaf_hashes(headers()))

    def dated(self, tail_s: float) -> bool:
        """Tell whether a time stamp covers the log, all but a tail of ``tail_s`` by the log's own clock."""
        earliest, latest = self.undated
        return self.report.dated_to is not None and latest - earliest <= round(tail_s * 1e6)

    def witnessed(self, tail_s: float, oldest_s: float) -> bool:
        """Tell whether any checkpoint cosigned since ``oldest_s`` covers the log, all but a tail of ``tail_s``.

        The tail is as long as the blocks in it are apart: a clock set back makes it no shorter.
        """
        earliest, latest = sys.maxsize, 0
        for one in reversed(self.witnessings):
            earliest, latest = min(earliest, one.beyond_us), max(latest, one.latest_us)
            if one.since_s >= oldest_s and latest - earliest <= round(tail_s * 1e6):
                return True
        return False

    def see(self, header: Header, octets: bytes, digest: str) -> None:
        """Hold one block against what is remembered of its height."""
        if self.witnessings:  # there may be thousands: what lies beyond all of them is summed up at the end
            newest = self.witnessings[-1]
            newest.beyond_us = min(newest.beyond_us, header.sealed)
            newest.latest_us = max(newest.latest_us, header.sealed)
        if self.report.dated_to is not None:
            self.undated = min(self.undated[0], header.sealed), max(self.undated[1], header.sealed)
        if self.claims and self.whole:
            self._grow(header, octets)
        for one in self.watched:
            if one.anchor.height == header.height:
                self._meet(one, header, digest)

    def _grow(self, header: Header, octets: bytes) -> None:
        if header.height != self.tree.size:
            self.whole = False  # a gap in the log: roots beyond it mean nothing, and the gap is a finding already
            return
        self.tree.append(merkle.leaf_hash(octets))
        for claim in self.claims:
            if claim.said.head.size == self.tree.size and claim.said.head.origin == header.origin:
                self._compare(claim, header)

    def _compare(self, claim: Claim, header: Header) -> None:
        claim.met = True
        if claim.said.head.root == self.tree.root():
            self._vouch(claim, header)
        elif claim.counts:
            because = f"the headers up to it have another root than {claim.name} says: the log was rewritten, or forked"
            self.report.add("tampered", "fork", because, height=header.height)

    def _vouch(self, claim: Claim, header: Header) -> None:
        report, said = self.report, claim.said
        if claim.independent:
            self._anchored(header.height, independent=True)
        if said.witnessed_s is not None:
            self._anchored(header.height, independent=True)
            self.witnessings.append(Witnessing(height=header.height, since_s=said.witnessed_s))
            same = report.witnessed_to == header.height
            report.witnessed_s = max(said.witnessed_s, report.witnessed_s or 0) if same else said.witnessed_s
            report.witnessed_to = header.height
        if said.dated_us is not None and said.log_signed:
            report.dated_to, report.dated_us, self.undated = header.height, said.dated_us, (sys.maxsize, 0)

    def _anchored(self, height: int, *, independent: bool) -> None:
        newest = self.report.anchored_to
        self.report.anchored_to = height if newest is None else max(newest, height)
        self.report.independent = self.report.independent or (independent and self.key_independent)
        if independent:
            self.covered = max(self.covered, height)

    def _meet(self, one: Watched, header: Header, digest: str) -> None:
        one.met = True
        anchor = one.anchor
        if anchor.origin != header.origin:
            because = f"the log is {header.origin}, {one.name} belongs to {anchor.origin}"
            self.report.add("tampered", "foreign", because, height=header.height)
        elif anchor != checkpoint.of_header(header, digest):
            because = f"it is not the block that {one.name} remembers: the log was rewritten, or forked"
            self.report.add("tampered", "fork", because, height=header.height)
        else:
            self._anchored(header.height, independent=one.independent)

    # ------------------------------------------------------------------------------ the conclusion

    def conclude(self, last: Header | None, *, stopped: bool) -> None:
        """Account for what was not met. ``stopped`` is whether a block of an unknown version ended the walk."""
        end = -1 if last is None else last.height
        for one in self.watched:
            if not (one.met or (stopped and one.anchor.height > end)):
                self._missed(one.name, one.anchor.origin, one.anchor.height, last)
        for claim in self.claims:
            if claim.met or not claim.counts or (stopped and claim.height > end):
                continue
            if self.whole or claim.height > end:
                self._missed(claim.name, claim.said.head.origin, claim.height, last)
            else:
                because = f"{claim.name} cannot be compared: headers before it are missing"
                self.report.add("unproven", "headers", because)

    def _missed(self, name: str, origin: str, height: int, last: Header | None) -> None:
        end = -1 if last is None else last.height
        first = self.report.first if self.report.first is not None else 0
        if last is not None and origin != last.origin:
            self.report.add("tampered", "foreign", f"the log is {last.origin}, {name} belongs to {origin}")
        elif height > end:
            top = "is empty" if last is None else f"ends at block {end}"
            because = f"{name} remembers block {height}, the log {top}: it was cut or rolled back"
            self.report.add("tampered", "cut", because)
        elif height >= first:
            self.report.add("tampered", "cut", f"block {height}, which {name} remembers, is missing")
