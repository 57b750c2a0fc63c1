"""What a witness answers, and why: the specification's questions in the specification's order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from audit.clock import Clock
from audit.errors import Forged, Malformed, Unsigned
from audit.merkle import verify_consistency
from audit.note import Note, Opened, Signature, Verifier, open_note
from audit.treehead import TreeHead
from audit.witness.protocol import LINES_TYPE, SIZE_TYPE, Conflict, Refused, Submission, log_id
from audit.witness.state import Held, State

_MAX_EVIDENCE: Final = 16_384


class Cosigner(Protocol):
    """Whatever can sign a tree head with the time."""

    @property
    def verifier(self) -> Verifier:
        """The key that checks what ``sign`` makes."""
        ...

    def sign(self, text: str, time: int) -> Signature:
        """Cosign a tree head at ``time``, seconds since 1970."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer; a witness sends it only after its state is flushed."""

    status: int
    body: bytes
    kind: str = LINES_TYPE
    evidence: str = ""
    """What a log has signed and cannot explain; one line for the witness's operator."""


class Witness:
    """One witness: its keys, the logs it knows, and what it remembers of them."""

    def __init__(self, *, logs: Iterable[Verifier], cosigners: Sequence[Cosigner], state: State, clock: Clock) -> None:
        """Know ``logs`` by the names of their keys; a log may have several keys."""
        self._logs: dict[str, list[Verifier]] = {}
        for verifier in logs:
            self._logs.setdefault(verifier.name, []).append(verifier)
        self._by_id = {log_id(origin): origin for origin in self._logs}
        self._cosigners = cosigners
        self._clock = clock
        self.state = state

    @property
    def logs(self) -> Mapping[str, Sequence[Verifier]]:
        """The keys this witness trusts, by origin."""
        return self._logs

    def add_checkpoint(self, body: bytes) -> Answer:
        """Judge one request; a cosignature may be handed out only after ``state.flush``."""
        try:
            return self._judge(Submission.parse(body))
        except Malformed as exc:
            return Answer(status=400, body=f"{exc.message}\n".encode())
        except Conflict as exc:
            return Answer(status=409, body=b"%d\n" % exc.size, kind=SIZE_TYPE, evidence=exc.hint)
        except Refused as exc:
            return Answer(status=exc.status, body=f"{exc.message}\n".encode(), evidence=exc.hint)

    def checkpoint(self, digest: str) -> Answer:
        """Answer with the newest note cosigned for the log of this id; 404 where there is none."""
        held = self.state[self._by_id.get(digest, "")]
        if not held.note:
            return Answer(status=404, body=b"no checkpoint of such a log was cosigned here\n")
        return Answer(status=200, body=held.note)

    def _judge(self, asked: Submission) -> Answer:
        head = TreeHead.parse(asked.note.text)
        opened = self._opened(head, asked.note)
        if asked.old > head.size:
            raise Malformed(f"old size {asked.old} is beyond the checkpoint's {head.size}")
        held = self.state[head.origin]
        _check_start(asked, head, held)
        _check_proof(asked, head, held)
        return self._cosign(head, opened)

    def _opened(self, head: TreeHead, note: Note) -> Opened:
        if head.origin not in self._logs:
            raise Refused(404, "unknown log")
        try:
            return open_note(note, self._logs[head.origin])
        except (Forged, Unsigned) as exc:
            raise Refused(403, f"invalid signature: {exc.message}") from exc

    def _cosign(self, head: TreeHead, opened: Opened) -> Answer:
        now = self._clock.wall_us() // 1_000_000
        lines = [cosigner.sign(opened.text, now) for cosigner in self._cosigners]
        # Only lines we have checked or made: what is kept for a log has a bound.
        note = Note(text=opened.text, signatures=(*(line for _, line in opened.by), *lines))
        self.state.put(head.origin, Held(size=head.size, root=head.root, note=note.octets()))
        return Answer(status=200, body="".join(line.line() for line in lines).encode())


def _check_start(asked: Submission, head: TreeHead, held: Held) -> None:
    if asked.old != held.size:
        raise Conflict(held.size, "another old size")
    if head.size == held.size and head.root != held.root:
        raise Conflict(held.size, "another root at the same size", hint=_fork(asked.note))


def _check_proof(asked: Submission, head: TreeHead, held: Held) -> None:
    if not held.size:
        if asked.proof:
            raise Refused(422, "the consistency proof from size 0 is not empty")
        return
    try:
        verify_consistency(held.size, head.size, held.root, head.root, asked.proof)
    except Malformed as exc:
        raise Refused(422, f"the consistency proof does not verify: {exc.message}", hint=_fork(asked.note)) from exc


def _fork(note: Note) -> str:
    """Return the note on one line, as far as a journal should be filled by somebody else."""
    return ascii(note.octets().decode())[1:-1][:_MAX_EVIDENCE]
