"""What is shown instead of what witnesses, time-stamp authorities and the auditor's own notes say."""

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from cryptography.x509.oid import ExtendedKeyUsageOID

from audit import canonical, checkpoint, timestamp
from audit.attack.case import Case
from audit.attack.catalog import Auditor, Family, Power, Skipped
from audit.attack.stamping import Authority
from audit.ed25519 import Secret
from audit.memory import Memory
from audit.note import Kind, Note, Signature, Signer

WITNESSES: Final = Family("witnesses", "checkpoints and the cosignatures on them", "level")
STAMPS: Final = Family("stamps", "time stamps, where L4 is asked for", "level")
ANCHORS: Final = Family("anchors", "anchors, and what the verifier remembers by itself")
_UNSHOWN: Final = "the log itself is whole, and an auditor without a policy is not shown the checkpoint"
_UNDATED: Final = f"{_UNSHOWN}; who has one is told that it is not dated"
_OTHERS: Final = "the log itself is whole, and only this auditor's anchor was changed"
_DAYS_3: Final = 3 * 86_400

# ------------------------------------------------------------------------------------------- witnesses


def _shown(make: Callable[[Case], bytes]) -> Callable[[Case], None]:
    def show(case: Case) -> None:
        case.show(make(case))

    return show


def _strangers(case: Case) -> list[Signer]:
    """Return keys that nobody named, under the witnesses' names."""
    return [Signer(one.verifier.name, Secret.generate(), Kind.COSIGNATURE) for one in case.world.witnesses]


def _text(case: Case) -> str:
    return case.world.tree_head(case.rows).text()


def _replayed(case: Case) -> bytes:
    """Put the cosignatures of a smaller tree under the newest one."""
    older = Note.parse(case.world.cosigned(case.rows[:-1]))
    newest = Note.parse(case.world.cosigned(case.rows, by=[]))
    return Note(text=newest.text, signatures=(*newest.signatures, *older.signatures[1:])).octets()


def _counted_twice(case: Case) -> bytes:
    """Let one witness sign twice, at two times."""
    text, one = _text(case), case.world.witnesses[0]
    now = case.world.now_s
    signatures = (case.world.note.sign(text), one.sign(text, now), one.sign(text, now - 1))
    return Note(text=text, signatures=signatures).octets()


def _two_names(case: Case) -> bytes:
    """Let one witness sign under another's name, too."""
    text, first, second = _text(case), *case.world.witnesses[:2]
    mine = first.sign(text, case.world.now_s)
    yours = Signature(name=second.verifier.name, key_id=second.verifier.key_id, octets=mine.octets)
    return Note(text=text, signatures=(case.world.note.sign(text), mine, yours)).octets()


def _freshened(case: Case) -> bytes:
    """Write today's date into old cosignatures."""
    old = Note.parse(case.world.cosigned(case.rows, at=case.world.now_s - _DAYS_3))
    now = case.world.now_s.to_bytes(8, "big")
    fresh = [Signature(name=one.name, key_id=one.key_id, octets=now + one.octets[8:]) for one in old.signatures[1:]]
    return Note(text=old.text, signatures=(old.signatures[0], *fresh)).octets()


def _smaller(case: Case) -> bytes:
    rows = case.rows[: case.world.anchored + 1]
    beyond = case.world.rows[len(rows) :]
    if not beyond or case.world.head.sealed - _sealed(case, len(rows)) <= 60_000_000:
        raise Skipped("all of the log was sealed within the time that witnesses may be behind")
    return case.world.cosigned(rows)


def _sealed(case: Case, height: int) -> int:
    return checkpoint.parse(case.world.anchor(case.rows[height])).sealed


for _name, _what, _note in (
    ("cosignatures-of-another-size", "The cosignatures of a smaller tree are put under the newest", _replayed),
    (
        "witnesses-nobody-named",
        "The checkpoint is cosigned by keys that the policy does not name",
        lambda case: case.world.cosigned(case.rows, by=_strangers(case)),
    ),
    (
        "one-witness-of-two",
        "One witness has signed where two are needed",
        lambda case: case.world.cosigned(case.rows, by=case.world.witnesses[:1]),
    ),
    ("one-witness-twice", "One witness has signed twice where two are needed", _counted_twice),
    ("one-witness-under-two-names", "One witness signs under another's name, too", _two_names),
    (
        "log-key-of-a-stranger",
        "The log's own signature on the checkpoint is a stranger's",
        lambda case: case.world.cosigned(case.rows, log=Signer(case.world.head.origin, Secret.generate())),
    ),
    (
        "checkpoint-of-another-log",
        "The checkpoint is another log's",
        lambda case: case.world.signed(case.world.tree_head(case.rows, "other.example/log").text()),
    ),
    (
        "checkpoint-of-nothing",
        "The checkpoint is of a tree without leaves",
        lambda case: case.world.signed(f"{case.world.head.origin}\n0\n{base64.b64encode(bytes(32)).decode()}\n"),
    ),
    (
        "stale-cosignatures",
        "The cosignatures are three days old",
        lambda case: case.world.cosigned(case.rows, at=case.world.now_s - _DAYS_3),
    ),
    ("stale-cosignatures-freshened", "Old cosignatures get today's date", _freshened),
    ("older-checkpoint", "An older checkpoint is shown as the newest", _smaller),
    ("checkpoint-damaged", "The checkpoint is cut in the middle", lambda case: case.world.cosigned(case.rows)[:-40]),
):
    WITNESSES.add(_name, _what, Power.FILE, "nnun", _shown(_note), because=_UNSHOWN)


@WITNESSES.attack(Power.EVERY, "nnus", _UNSHOWN, codes="fork")
def _checkpoint_of_a_fork(case: Case) -> None:
    """The checkpoint is of a history that parts from the log, signed with the log's own key."""
    case.show(case.world.cosigned(case.resealed(case.below)))


@WITNESSES.attack(Power.EVERY, "nnus", _UNSHOWN, codes="fork")
def _checkpoint_of_a_fork_unwitnessed(case: Case) -> None:
    """The same, and no witness has cosigned it: the log's own signature is enough to convict it."""
    case.show(case.world.cosigned(case.resealed(case.below), by=[]))


@WITNESSES.attack(Power.FILE, "nnun", "a policy that asks for nobody is no witness", codes="level")
def _policy_of_nobody(case: Case) -> None:
    """The auditor's policy asks for no witness at all."""
    text = case.world.policy().replace("quorum all", "quorum none")
    case.policy = case.keep("policy", text.encode())


# ---------------------------------------------------------------------------------------------- stamps


def _dated(make: Callable[[Case, Authority, bytes], bytes]) -> Callable[[Case], None]:
    """Ask for L4, and bring the token that ``make`` makes."""

    def stamp(case: Case) -> None:
        authority = Authority(case.world.clock)
        imprint = timestamp.imprint_of(case.world.cosigned(case.rows))
        case.tsa = case.keep("tsa.pem", authority.pem)
        case.tokens = (case.keep("token", make(case, authority, imprint)),)
        case.levels[Auditor.WITNESS] = "L4"

    return stamp


def _without_purpose(case: Case, authority: Authority, imprint: bytes) -> bytes:
    other = Authority(case.world.clock, ExtendedKeyUsageOID.CODE_SIGNING, root_key=authority.root_key)
    return other.token(imprint)


def _redated(_case: Case, authority: Authority, imprint: bytes) -> bytes:
    """Change a year in a good token."""
    year = authority.token(imprint).find(b"20", 200)
    token = bytearray(authority.token(imprint))
    at = token.find(b"Z", year) - 14
    token[at + 3] ^= 1
    return bytes(token)


STAMPS.add(
    "stamped-well",
    "Nothing is changed, and the checkpoint is dated: this must raise no alarm",
    Power.NOTHING,
    "nnuu",
    _dated(lambda _case, authority, imprint: authority.token(imprint)),
    control=True,
)
for _name, _what, _token in (
    ("no-token", "The token is empty", lambda _case, _authority, _imprint: b""),
    (
        "token-of-another-checkpoint",
        "The token dates another checkpoint",
        lambda _case, authority, _imprint: authority.token(bytes(32)),
    ),
    (
        "token-of-a-stranger",
        "The token is of an authority that was not pinned",
        lambda case, _authority, imprint: Authority(case.world.clock).token(imprint),
    ),
    ("token-of-a-code-signer", "The token is signed by a certificate for another purpose", _without_purpose),
    ("token-redated", "The time in the token is changed", _redated),
    (
        "token-before-the-certificate",
        "The token claims a time at which its certificate was not valid",
        lambda case, authority, imprint: authority.token(imprint, at=case.world.now_s - 10 * 365 * 86_400),
    ),
    (
        "token-damaged",
        "The token is cut in the middle",
        lambda _case, authority, imprint: authority.token(imprint)[:300],
    ),
):
    STAMPS.add(_name, _what, Power.FILE, "nnun", _dated(_token), because=_UNDATED)

# --------------------------------------------------------------------------------------------- anchors


def _anchored(change: Callable[[Case], bytes]) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        case.anchors = (case.keep("anchor", change(case)),)

    return make


def _said(case: Case, **changes: object) -> bytes:
    """Return the anchor with fields changed."""
    anchor = checkpoint.parse(case.world.anchor(case.rows[case.world.anchored]))
    return canonical.encode({**asdict(anchor), **changes}) + b"\n"


for _name, _what, _must, _anchor, _codes in (
    (
        "anchor-of-another-height",
        "The anchor names another height",
        "nnsu",
        lambda case: _said(case, height=case.world.anchored - 1),
        "fork",
    ),
    (
        "anchor-beyond-the-end",
        "The anchor names a height that the log does not reach",
        "nnsu",
        lambda case: _said(case, height=1 << 40),
        "cut",
    ),
    (
        "anchor-of-another-log",
        "The anchor is another log's",
        "nnsu",
        lambda case: _said(case, origin="other.example/log"),
        "foreign",
    ),
    (
        "anchor-of-another-head",
        "The anchor names another block",
        "nnsu",
        lambda case: _said(case, head="0" * 64),
        "fork",
    ),
    ("anchor-of-another-time", "The anchor has another time", "nnsu", lambda case: _said(case, sealed=5), "fork"),
    ("anchor-of-another-version", "The anchor claims another version", "nnnu", lambda case: _said(case, v=2), "anchor"),
    ("anchor-damaged", "The anchor is cut in the middle", "nnnu", lambda case: _said(case)[:50], "anchor"),
    (
        "anchor-with-a-key-twice",
        "A key comes twice in the anchor",
        "nnnu",
        lambda case: _said(case).replace(b"{", b'{"count":1,', 1),
        "anchor",
    ),
    ("anchor-empty", "The anchor is an empty file", "nnnu", lambda _case: b"", "anchor"),
):
    ANCHORS.add(_name, _what, Power.FILE, _must, _anchored(_anchor), because=_OTHERS, codes=_codes)


@ANCHORS.attack(Power.FILE, "nnnu", _OTHERS, codes="anchor")
def _anchor_deleted(case: Case) -> None:
    """The anchor is deleted."""
    case.anchors = (case.place / "none",)


def _remembering(case: Case, height: int) -> None:
    """Let the auditor who has no more than the key remember a head."""
    case.memory = Memory(case.place / "memory")
    case.memory.remember(checkpoint.parse(case.world.anchor(case.rows[height])))


@ANCHORS.attack(Power.FILE, "nsss", "without a memory, a beginning of a log is a log", codes="cut")
def _cut_behind_a_memory(case: Case) -> None:
    """The end is cut off, and the verifier remembers the last run."""
    _remembering(case, case.world.top)
    case.write(case.rows[: case.world.anchored])


@ANCHORS.attack(Power.FILE, "nnss", "without a memory, a beginning of a log is a log", codes="cut")
def _memory_deleted(case: Case) -> None:
    """The end is cut off, and the verifier's memory is deleted."""
    case.memory = Memory(case.place / "memory")
    case.write(case.rows[: case.world.anchored])


@ANCHORS.attack(
    Power.FILE, "nuss", "a memory is an anchor: rolled back, it is one that lies below the cut", codes="cut"
)
def _memory_rolled_back(case: Case) -> None:
    """The end is cut off, and the verifier's memory is replaced by an older one."""
    _remembering(case, case.world.anchored - 1)
    case.write(case.rows[: case.world.anchored])


@ANCHORS.attack(Power.FILE, "nnss", "a memory that cannot be read is none", codes="cut")
def _memory_damaged(case: Case) -> None:
    """The end is cut off, and the verifier's memory is overwritten."""
    _remembering(case, case.world.top)
    if case.memory is not None:
        case.memory.path(case.world.head.origin).write_bytes(b"junk")
    case.write(case.rows[: case.world.anchored])
