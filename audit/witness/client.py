"""A log's side of witnessing: ask everybody at once, believe only known keys, notice who knows more than we do."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from audit.clock import Clock, SystemClock
from audit.errors import AuditError, Malformed, Unreadable
from audit.files import read_small, write_atomically
from audit.merkle import verify_consistency
from audit.note import Note, Signature, Verifier, open_note, parse_lines, time_of
from audit.policy import Policy
from audit.policy import Witness as Peer
from audit.treehead import TreeHead, parse_size
from audit.witness.http import Place, ask
from audit.witness.protocol import Conflict, OutOfReach, Refused, log_id, submission

Prove = Callable[[int], Sequence[bytes]]
"""From a smaller size of our tree, the RFC 6962 consistency proof to the head that is being cosigned."""

_MAX_MEMORY: Final = 1_000_000
_TRIES: Final = 4
"""First guess, the size the witness tells, and two more where somebody else moves it meanwhile."""


def submit(
    url: str, note: bytes, old: int, proof: Sequence[bytes], *, timeout_s: float = 5.0, clock: Clock | None = None
) -> list[Signature]:
    """Ask one witness for its cosignatures, which nobody has verified yet.

    ``old`` is the size the witness should have, ``proof`` leads from there to the note's. Raises ``Conflict`` (409,
    with the size it has), ``Refused`` (any other status, with its words) and ``OutOfReach`` (no answer, or no sense).
    """
    reply = ask(
        Place.parse(url),
        "/add-checkpoint",
        submission(old, tuple(proof), note),
        timeout_s=timeout_s,
        clock=clock or SystemClock(),
    )
    try:
        words = reply.body.decode("utf-8")
        if reply.status == 200:
            return list(parse_lines(words))
        size = parse_size(words.removesuffix("\n")) if reply.status == 409 else None
    except (UnicodeDecodeError, Malformed) as exc:
        raise OutOfReach(f"{url} answers {reply.status} with what nobody can read") from exc
    if size is not None:
        raise Conflict(size, f"{url} has cosigned {size} leaves of this log")
    raise Refused(reply.status, f"{url} answers {reply.status}: {ascii(words.strip())[1:-1][:200]}")


def newest(url: str, origin: str, *, timeout_s: float = 5.0, clock: Clock | None = None) -> bytes:
    """Return the newest note of a log that a witness has cosigned, unverified: an extension not all witnesses have.

    Raises ``Refused`` or ``OutOfReach``.
    """
    path = f"/checkpoint/{log_id(origin)}"
    reply = ask(Place.parse(url), path, None, timeout_s=timeout_s, clock=clock or SystemClock())
    if reply.status != 200:
        raise Refused(reply.status, f"{url} answers {reply.status}")
    return reply.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A witness that knows another history of this log than ours: we were rolled back, or forked."""

    witness: str
    """The policy's names of those who answer at its URL."""
    size: int
    """How many leaves it has cosigned."""
    because: str
    evidence: bytes = b""
    """A note that our own log's key has signed and that our tree does not continue: proof for anybody. Empty where
    the witness could not show one; its word is then all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A witness that did not cosign, for a reason that says nothing about our log."""

    witness: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """What asking the witnesses has brought."""

    note: bytes
    """The note with every cosignature that verifies."""
    times: Mapping[str, int]
    """When each witness, by the policy's name, says it cosigned: seconds since 1970."""
    satisfied: bool
    """Whether these are the policy's quorum."""
    conflicts: tuple[Contradiction, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Round:
    """One note on its way to its cosignatures; touched by the caller's thread only."""

    note: Note
    head: TreeHead
    prove: Prove
    end_us: int
    """When to stop waiting, on the monotonic clock."""
    waiting: dict[str, int] = field(default_factory=dict)
    """URL to the size it was last asked from."""
    tries: dict[str, int] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    conflicts: list[Contradiction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    replies: "SimpleQueue[tuple[str, list[Signature] | AuditError] | None]" = field(default_factory=SimpleQueue)
    """None: nobody answered, but the caller's patience may have ended."""


class Witnesses:
    """The witnesses of a policy that have a URL; for one log, and one caller at a time."""

    def __init__(
        self,
        policy: Policy,
        folder: Path,
        *,
        own: Sequence[Verifier] = (),
        timeout_s: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        """Ask the witnesses of ``policy``, all within ``timeout_s``; sizes they accepted are kept in ``folder``.

        ``own`` are our log's keys where the policy does not name them: they tell evidence from hearsay. Raises
        ``AuditError`` for a URL that cannot be one.
        """
        self._policy = policy
        self._own = tuple(own)
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._peers: dict[str, list[Peer]] = {}
        for peer in policy.witnesses:
            if peer.url:
                Place.parse(peer.url)
                self._peers.setdefault(peer.url, []).append(peer)
        self._memory = _Memory(folder / "witnesses.json")
        self._busy: set[str] = set()
        self._largest = 0
        self._asked: _Round | None = None

    def hurry(self) -> None:
        """Have the caller that waits now look at his patience again; from any thread."""
        if (asked := self._asked) is not None:
            asked.replies.put(None)

    def cosign(self, note: bytes, prove: Prove, *, patient: bool | Callable[[], bool] = True) -> Cosigned:
        """Collect cosignatures of our own signed checkpoint.

        ``prove`` is called in this thread. A patient caller waits for every witness, others for the quorum only; nobody
        waits much longer than the time given. Patience that may end is a function: see ``hurry``. A witness that has
        more leaves of this log than ``note``, or others, is a ``Contradiction``. Raises ``Malformed`` for what is no
        checkpoint.
        """
        parsed = Note.parse(note)
        end = self._clock.mono_us() + round(self._timeout_s * 1e6)
        self._asked = asked = _Round(note=parsed, head=TreeHead.parse(parsed.text), prove=prove, end_us=end)
        self._largest = max(self._largest, asked.head.size)
        for url in self._peers:
            self._ask(asked, url, min(self._memory.size(asked.head.origin, url), asked.head.size))
        waits = patient if callable(patient) else lambda: bool(patient)
        while asked.waiting and (waits() or not self._policy.satisfied(asked.times)):
            try:
                reply = asked.replies.get(timeout=self._left_s(asked))
            except Empty:
                break
            if reply is not None:
                self._hear(asked, reply[0], asked.waiting.pop(reply[0]), reply[1])
        asked.problems += [Problem(witness=self._name(url), because="no answer in time") for url in asked.waiting]
        self._memory.keep()
        return self._told(asked)

    def _ask(self, asked: _Round, url: str, old: int) -> None:
        """Ask in a thread of its own; one that still hangs from last time is not asked again."""
        if url in self._busy:
            asked.problems.append(Problem(witness=self._name(url), because="it has not answered the last question yet"))
            return
        try:
            proof = list(asked.prove(old)) if 0 < old < asked.head.size else []
        except AuditError as exc:
            asked.problems.append(Problem(witness=self._name(url), because=f"no proof from {old}: {exc.message}"))
            return
        self._busy.add(url)
        asked.waiting[url] = old
        asked.tries[url] = asked.tries.get(url, 0) + 1
        octets = asked.note.octets()

        def work() -> None:
            answer: list[Signature] | AuditError
            try:
                answer = submit(url, octets, old, proof, timeout_s=self._timeout_s, clock=self._clock)
            except AuditError as exc:
                answer = exc
            except Exception as exc:  # noqa: BLE001 - whatever an answer broke, it must not stay unasked for ever
                answer = OutOfReach(f"asking {url} broke: {type(exc).__name__} {exc}")
            # Free before it is heard: the caller may ask again at once.
            self._busy.discard(url)
            asked.replies.put((url, answer))

        # A daemon: a witness that hangs must not keep the process from ending.
        threading.Thread(target=work, name=f"witness {url}", daemon=True).start()

    def _hear(self, asked: _Round, url: str, old: int, answer: list[Signature] | AuditError) -> None:
        if isinstance(answer, list):
            self._collect(asked, url, answer)
        elif isinstance(answer, Conflict) and answer.size > asked.head.size:
            self._ahead(asked, url, answer.size)
        elif isinstance(answer, Conflict) and answer.size != old and asked.tries[url] < _TRIES:
            self._step_back(asked, url, answer.size)
        elif isinstance(answer, Refused) and _denies(answer, old, asked.head):
            self._forked(asked, url, old, answer)
        else:
            asked.problems.append(Problem(witness=self._name(url), because=answer.message))

    def _collect(self, asked: _Round, url: str, lines: list[Signature]) -> None:
        """Keep the cosignatures that verify."""
        good = []
        for peer in self._peers[url]:
            for line in lines:
                if (line.name, line.key_id) == (peer.verifier.name, peer.verifier.key_id):
                    if peer.verifier.usable and peer.verifier.verify(asked.note.text, line.octets):
                        good.append(line)
                        asked.times[peer.name] = time_of(line.octets)
                    else:
                        asked.problems.append(Problem(witness=peer.name, because="its cosignature does not verify"))
        if not good:
            asked.problems.append(Problem(witness=self._name(url), because="it answered without its cosignature"))
            return
        asked.note = asked.note.plus(good)
        self._memory.accepted(asked.head.origin, url, asked.head.size)

    def _ahead(self, asked: _Round, url: str, size: int) -> None:
        """The witness has more of our log than we are showing it."""
        if size <= self._largest:
            # We have shown it more ourselves: this note was overtaken by a newer one, and nothing is wrong.
            asked.problems.append(Problem(witness=self._name(url), because=f"it has cosigned {size} leaves already"))
            return
        because = f"it has cosigned {size} leaves of this log, and we have {asked.head.size}"
        evidence = self._evidence(asked, url, size)
        asked.conflicts.append(Contradiction(witness=self._name(url), size=size, because=because, evidence=evidence))

    def _step_back(self, asked: _Round, url: str, size: int) -> None:
        """Start from where the witness says it is."""
        remembered = self._memory.size(asked.head.origin, url)
        if size < remembered:
            because = f"it has cosigned {remembered} leaves, and says now it has {size}: it has lost its state"
            asked.problems.append(Problem(witness=self._name(url), because=because))
        self._ask(asked, url, size)

    def _forked(self, asked: _Round, url: str, old: int, answer: Refused) -> None:
        """The witness says our tree does not begin with what it has cosigned."""
        evidence = self._evidence(asked, url, old)
        if evidence and self._continues(asked, TreeHead.parse(Note.parse(evidence).text)):
            asked.problems.append(
                Problem(witness=self._name(url), because=f"it refuses a good proof: {answer.message}")
            )
            return
        because = f"our log does not begin with the {old} leaves it has cosigned"
        asked.conflicts.append(Contradiction(witness=self._name(url), size=old, because=because, evidence=evidence))

    def _continues(self, asked: _Round, seen: TreeHead) -> bool:
        """Whether our tree begins with the one the witness has seen, by our own reckoning."""
        if seen.size == asked.head.size:
            return seen.root == asked.head.root
        try:
            verify_consistency(seen.size, asked.head.size, seen.root, asked.head.root, asked.prove(seen.size))
        except Malformed:
            return False
        return True

    def _evidence(self, asked: _Round, url: str, size: int) -> bytes:
        """Return the witness's note of that size if our own log has signed it, else nothing."""
        origin = asked.head.origin
        try:
            # Little time, but some: a conflict that comes late deserves its evidence too.
            octets = newest(url, origin, timeout_s=max(0.3, min(1.0, self._left_s(asked))), clock=self._clock)
            note = Note.parse(octets)
            head = TreeHead.parse(note.text)
            open_note(note, {*self._own, *self._policy.verifiers_of(origin)})
        except AuditError:
            return b""
        return octets if (head.origin, head.size) == (origin, size) else b""

    def _left_s(self, asked: _Round) -> float:
        return max(0.0, (asked.end_us - self._clock.mono_us()) / 1e6)

    def _name(self, url: str) -> str:
        return ", ".join(peer.name for peer in self._peers[url])

    def _told(self, asked: _Round) -> Cosigned:
        return Cosigned(
            note=asked.note.octets(),
            times=dict(asked.times),
            satisfied=self._policy.satisfied(asked.times),
            conflicts=tuple(asked.conflicts),
            problems=tuple(asked.problems),
        )


def _denies(answer: Refused, old: int, head: TreeHead) -> bool:
    """Whether a witness says it has seen another history: another root at our size, or a proof that does not fit."""
    if isinstance(answer, Conflict):
        return answer.size == old == head.size
    return answer.status == 422 and old > 0


class _Memory:
    """Which size each witness has accepted last: only a first guess, so whatever is wrong with it is forgotten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        self._sizes: dict[str, int] = {}
        try:
            found = json.loads(read_small(path, _MAX_MEMORY))
        except (FileNotFoundError, Unreadable, ValueError, RecursionError):
            return
        if isinstance(found, dict):
            self._sizes = {name: size for name, size in found.items() if type(size) is int and size >= 0}

    def size(self, origin: str, url: str) -> int:
        return self._sizes.get(f"{origin} {url}", 0)

    def accepted(self, origin: str, url: str, size: int) -> None:
        name = f"{origin} {url}"
        self._changed |= self._sizes.get(name) != size
        self._sizes[name] = size

    def keep(self) -> None:
        """Write what has changed; where that fails, the witness will tell the size next time."""
        if not self._changed:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(self._sizes, sort_keys=True).encode(), mode=0o600)
        except OSError:
            return
        self._changed = False
