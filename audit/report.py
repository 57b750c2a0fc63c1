"""What a verification found, in the order a tired reader needs it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from audit.intents import OpenIntent
from audit.visible import visible

LEVELS: Final = ("none", "L0", "L1", "L2", "L3", "L4")
LEVEL_WORDS: Final = {
    "none": "nothing",
    "L0": "L0 chain: blocks and entries fit together",
    "L1": "L1 signed: every block is signed by the pinned key, or one it handed over to",
    "L2": "L2 forward-secure: and nobody who takes the machine now, keys and all, can re-sign it",
    "L3": "L3 witnessed: and nothing below the last witnessed block can be rolled back, forked or deleted unnoticed",
    "L4": "L4 dated: and an outside authority says when it existed",
}
MAX_FINDINGS: Final = 50
MAX_OPEN: Final = 50

_OF_THE_WHOLE: Final = frozenset({"foreign", "unreadable", "empty", "moved"})
"""Codes of what concerns the whole log."""

Weight = Literal["tampered", "unproven", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, missing, or worth knowing."""

    weight: Weight
    """``tampered``: a proven contradiction. ``unproven``: something needed was not there. ``note``: neither."""
    code: str
    because: str
    height: int | None = None
    seq: int | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """What was asked, what was proven, and what was not. Filled by the verifier as it goes."""

    log: str
    flat: bool
    deep: bool
    bundle: bool = False
    """Whether single entries were looked at, not a log."""
    asked_from: int = 0
    origin: str = ""
    level: str = "none"
    first: int | None = None
    """Height of the first block looked at."""
    last: int | None = None
    """Height of the last block looked at."""
    proven_to: int | None = None
    """Height up to which, from ``first``, nothing is wrong."""
    entries: int = 0
    head: str = ""
    head_wall_us: int | None = None
    head_age_s: float | None = None
    open: int | None = None
    open_intents: dict[str, OpenIntent] = field(default_factory=dict)
    key: str = ""
    anchored_to: int | None = None
    """Height of the newest anchor the log was found to contain."""
    independent: bool = False
    witnessed_to: int | None = None
    """Height of the newest block that a witnessed checkpoint covers."""
    witnessed_s: int | None = None
    """Seconds since 1970, by the witnesses' clocks, when it was."""
    dated_to: int | None = None
    """Height of the newest block that a time stamp covers."""
    dated_us: int | None = None
    """Wall clock, µs, of the authority."""
    broken_at: list[int] = field(default_factory=list)
    """Blocks where the ratchet was lost (a crash), or not there yet, and nobody outside vouches for them."""
    pruned: list[tuple[int, int]] = field(default_factory=list)
    """Blocks, first and last of each stretch, whose entries are not here."""
    findings: list[Finding] = field(default_factory=list)
    unlisted: int = 0
    """Findings beyond those listed."""
    tampered: bool = False
    unproven: bool = False

    def add(
        self, weight: Weight, code: str, because: str, *, height: int | None = None, seq: int | None = None
    ) -> None:
        """Take note of something; a hostile log cannot make the list long."""
        if weight == "tampered":
            self.tampered = True
            if height is not None and self.proven_to is not None:
                self.proven_to = min(self.proven_to, height - 1)
        elif weight == "unproven":
            self.unproven = True
        same = sum(1 for finding in self.findings if finding.weight == weight)
        if same < MAX_FINDINGS:
            self.findings.append(Finding(weight=weight, code=code, because=because, height=height, seq=seq))
        else:
            self.unlisted += 1

    @property
    def exit_code(self) -> int:
        """0 proven, 1 tampered, 2 not proven."""
        return 1 if self.tampered else 2 if self.unproven else 0

    @property
    def verdict(self) -> str:
        """The exit code in words."""
        return ("proven", "tampered", "not proven")[self.exit_code]

    def limits(self) -> list[str]:
        """Say what even a clean result does not prove."""
        return list(self._limits())

    def _limits(self) -> Iterator[str]:
        if not self.independent:
            yield "that key and anchor were not replaced with the log: they lie in its own folder or were not given"
        yield from self._edges()
        if self.flat:
            yield "the Merkle roots (--flat): a proof of a single entry may not fit"
        if not self.deep:
            yield "that entries are well-formed and every outcome has its intent (--deep)"
        yield "that the key was only used by the agent: who holds it can sign new blocks after the newest anchor"
        yield "that what was written is true: who owned the agent before an action wrote what he liked"

    def _edges(self) -> Iterator[str]:
        if self.bundle:
            yield "what else happened: it holds single entries"
        elif self.anchored_to is None:
            yield "that the end was not cut off: no anchor was matched"
        elif self.last is not None and self.last > self.anchored_to:
            yield f"that nothing after block {self.last} was cut off: the newest anchor is block {self.anchored_to}"
        if self.asked_from:
            yield f"anything before block {self.asked_from}"
        if self.broken_at:
            crashed = ", ".join(map(str, self.broken_at[:5])) + ("…" if len(self.broken_at) > 5 else "")
            yield f"that a thief of the key did not forge block {crashed} and what follows: the ratchet broke there"
        for first, last in self.pruned[:5]:
            yield f"what was in blocks {first} to {last}: their entries were pruned (--archive joins them again)"

    def to_json(self) -> dict[str, object]:
        """Return the same facts for machines."""
        return {
            "verdict": self.verdict,
            "exit": self.exit_code,
            "summary": f"{self.verdict}: {self._sentence()}",
            "level": self.level,
            "log": self.log,
            "origin": self.origin,
            "range": {"asked": [self.asked_from, None], "seen": [self.first, self.last], "proven_to": self.proven_to},
            "entries": self.entries,
            "head": {"hash": self.head, "wall_us": self.head_wall_us, "age_s": self.head_age_s},
            "open": self.open,
            "open_intents": [{"leaf": leaf, **waiting._asdict()} for leaf, waiting in self._shown()],
            "key": self.key,
            "anchored_to": self.anchored_to,
            "independent": self.independent,
            "witnessed": {"to": self.witnessed_to, "at_s": self.witnessed_s},
            "dated": {"to": self.dated_to, "at_us": self.dated_us},
            "ratchet_broken_at": self.broken_at[:MAX_OPEN],
            "pruned": [list(stretch) for stretch in self.pruned[:MAX_OPEN]],
            "flat": self.flat,
            "deep": self.deep,
            "findings": [
                {"weight": one.weight, "code": one.code, "because": one.because, "height": one.height, "seq": one.seq}
                for one in self.findings
            ],
            "findings_unlisted": self.unlisted,
            "not_proven": self.limits(),
        }

    def _shown(self) -> list[tuple[str, OpenIntent]]:
        return list(self.open_intents.items())[:MAX_OPEN]

    def text(self) -> str:
        """Return the report for people: the verdict comes first, and nothing in it drives their terminal."""
        return "\n".join(map(visible, self._lines()))

    def headline(self) -> str:
        """Return the verdict with its reason, on one line."""
        return visible(f"{self.verdict.upper()}: {self._sentence()}")

    def _lines(self) -> Iterator[str]:
        yield self.headline()
        yield from self._facts()
        for weight, where, because in _in_runs(self.findings):
            yield f"  {weight:<9} {where}{because}"
        if self.unlisted:
            yield f"            and {self.unlisted} more findings"
        if self.tampered:
            yield from self._advice()
            return
        yield "  This does not prove:"
        for limit in self.limits():
            yield f"    - {limit}"

    def _advice(self) -> Iterator[str]:
        """Say what to do: whoever reads this at night did not plan to."""
        yield "  What to do:"
        if self.bundle:
            yield "    - this file proves nothing: keep it, ask for it again, and for the log it comes from"
            return
        yield "    - change nothing: log, anchors and keys are evidence; copy them elsewhere, read-only"
        if any(one.weight == "tampered" and one.code == "foreign" for one in self.findings):
            yield "    - is it the right log, with the right key and anchor? those of another host look like this, too"
        elif any(one.weight == "tampered" and one.code == "cut" for one in self.findings):
            yield "    - was an older copy restored on this host? a backup put back looks like this, too"
        yield "    - do not believe what the host says of itself; witnesses and anchors elsewhere tell what they saw"

    def _facts(self) -> Iterator[str]:
        yield f"  level     {LEVEL_WORDS.get(self.level, self.level)}"
        if self.last is not None:
            yield self._range()
        if self.origin:
            yield f"  log       {self.origin}"
        if self.key:
            yield f"  key       {self.key}"
        if self.head:
            yield f"  head      {self.head}, sealed {_age(self.head_age_s)}"
        if self.anchored_to is not None:
            yield f"  anchor    block {self.anchored_to} matched; independent: {'yes' if self.independent else 'no'}"
        if self.witnessed_to is not None and self.witnessed_s is not None:
            yield f"  witness   up to block {self.witnessed_to}, by {when(self.witnessed_s * 1_000_000)}"
        if self.dated_to is not None and self.dated_us is not None:
            yield f"  dated     up to block {self.dated_to}: it existed at {when(self.dated_us)}"
        if self.open is not None:
            yield f"  open      {_many(self.open, 'intent', 'intents')} without an outcome"
        for leaf, waiting in self._shown():
            yield f"              entry {waiting.seq}, {waiting.id}, leaf {leaf[:16]}…"

    def _range(self) -> str:
        blocks = f"blocks {self.first} to {self.last}{self._sound()}"
        entries = _many(self.entries, "entry", "entries")
        if self.bundle:
            return f"  holds     {entries} of {blocks}"
        return f"  range     {blocks}; {entries}; asked from block {self.asked_from}"

    def _sound(self) -> str:
        if self.proven_to == self.last:
            return ""
        if self.proven_to is None or self.proven_to < (self.first or 0):
            return ", wrong from the first"
        return f", of which up to {self.proven_to} nothing is wrong"

    def _sentence(self) -> str:
        for weight in ("tampered", "unproven"):
            found = [one for one in self.findings if one.weight == weight]
            if found:
                # What is wrong with the whole explains what is wrong with its parts; else the first comes first.
                told = next((one for one in found if one.code in _OF_THE_WHOLE), found[0])
                return _place(told) + told.because
        held = f"{_many(self.entries, 'entry', 'entries')} of " if self.bundle else ""
        return f"{self.level}, {held}blocks {self.first} to {self.last}"


def _in_runs(findings: list[Finding]) -> Iterator[tuple[str, str, str]]:
    """Yield findings as weight, place and reason; the same thing of block after block once."""
    at = 0
    while at < len(findings):
        first = last = findings[at]
        at += 1
        while at < len(findings) and _goes_on(last, findings[at]):
            last = findings[at]
            at += 1
        where = _place(first) if first is last else f"blocks {first.height} to {last.height}: "
        yield first.weight, where, first.because


def _goes_on(one: Finding, other: Finding) -> bool:
    same = (one.weight, one.code, one.because, one.seq) == (other.weight, other.code, other.because, other.seq)
    return same and one.height is not None and one.height + 1 == other.height


def when(wall_us: object) -> str:
    """Return a wall time in µs as UTC text, whatever a hostile entry holds there."""
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=float(str(wall_us)))
    except (ValueError, OverflowError):
        return "?"
    return moment.isoformat(" ", "seconds")


def _place(finding: Finding) -> str:
    if finding.seq is not None:
        return f"entry {finding.seq}: "
    return "" if finding.height is None else f"block {finding.height}: "


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "at an unknown time"
    if seconds < 0:
        return f"{-seconds:.0f} s in the future"
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
