"""Bundles: proofs of single entries that do not prove what they say."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from audit import bundle, proof
from audit.attack.case import Case
from audit.attack.catalog import Auditor, Family, Power
from audit.attack.forge import Chain
from audit.bundle import Part
from audit.ed25519 import Secret
from audit.keys import SealingKey
from audit.note import Note, Signer
from audit.reader import Log

FAMILY: Final = Family("bundles", "bundles, which prove single entries without the log", "bundle")
_KEYLESS: Final = "without the key nobody can check its signature, and without anchor or policy nobody vouches for it"
_Change = Callable[[Case, Part], Part]


def _made(case: Case, checkpoint: bytes) -> Part:
    """Prove the entries of the newest ordinary block below the anchor."""
    with Log.open(case.log) as log:
        row = log.row(case.below)
        seqs = range(row.first, row.first + row.n) if row else range(0)
        octets = proof.make(log, seqs, checkpoint)
    return bundle.parse(octets)[0]


def _shown(case: Case, octets: bytes) -> None:
    case.log = case.keep("bundle", octets)
    case.bundle = True


def _as_anchor(case: Case) -> None:
    """An auditor of entries pins the key in force at them; without a policy, he keeps a checkpoint as his anchor."""
    case.key = case.keep("in-force.pub", case.world.key_at(case.below))
    case.levels = {Auditor.WITNESS: "L3"}
    kept = Note.parse(case.world.cosigned(case.rows))
    case.anchors = (case.keep("anchor.note", kept.octets()),)
    case.checkpoints = ()


def _changed(change: _Change) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        part = _made(case, case.world.cosigned(case.rows))
        _as_anchor(case)
        _shown(case, bundle.encode([change(case, part)]))

    return make


def _item(part: Part, **changes: object) -> Part:
    first = part.items[0]
    fields = {"at": first.at, "octets": first.octets, "path": first.path, **changes}
    return replace(part, items=(bundle.Item(**fields), *part.items[1:]))  # type: ignore[arg-type] # names are an item's


def _other_octets(_case: Case, part: Part) -> Part:
    octets = part.items[0].octets
    return _item(part, octets=octets[:-3] + bytes([octets[-3] ^ 1]) + octets[-2:])


def _other_header(_case: Case, part: Part) -> Part:
    at = part.hdr.index(b'"sealed":') + 12
    return replace(part, hdr=part.hdr[:at] + bytes([part.hdr[at] ^ 1]) + part.hdr[at + 1 :])


FAMILY.add(
    "honest-bundle",
    "Nothing is changed: this must raise no alarm",
    Power.NOTHING,
    "nnuu",
    _changed(lambda _case, part: part),
    control=True,
)
for _name, _what, _change in (
    ("bundle-entry-changed", "An entry in the bundle is changed", _other_octets),
    (
        "bundle-entry-moved",
        "An entry in the bundle claims another place in its block",
        lambda _case, part: _item(part, at=part.items[0].at + 1),
    ),
    (
        "bundle-entry-path",
        "The path of an entry has a hash too many",
        lambda _case, part: _item(part, path=(*part.items[0].path, bytes(32))),
    ),
    ("bundle-header-changed", "The header in the bundle is changed", _other_header),
    ("bundle-height", "The bundle claims another height", lambda _case, part: replace(part, height=part.height + 1)),
    (
        "bundle-path",
        "A hash on the header's path is changed",
        lambda _case, part: replace(part, path=(bytes(32), *part.path[1:])),
    ),
    (
        "bundle-path-short",
        "The header's path lacks its last hash",
        lambda _case, part: replace(part, path=part.path[:-1]),
    ),
    (
        "bundle-checkpoint-of-another-log",
        "The bundle's checkpoint is another log's",
        lambda case, part: replace(
            part, checkpoint=case.world.signed(case.world.tree_head(case.rows, "other.example/log").text())
        ),
    ),
    (
        "bundle-checkpoint-of-another-tree",
        "The bundle's checkpoint is of an older tree",
        lambda case, part: replace(part, checkpoint=case.world.cosigned(case.rows[: case.below])),
    ),
    (
        "bundle-checkpoint-damaged",
        "The bundle's checkpoint is no note",
        lambda _case, part: replace(part, checkpoint=b"trust me\n"),
    ),
):
    FAMILY.add(_name, _what, Power.FILE, "ssss", _changed(_change))

FAMILY.add(
    "bundle-signature-changed",
    "The signature in the bundle is another",
    Power.FILE,
    "nsss",
    _changed(lambda _case, part: replace(part, sig=part.sig[::-1])),
    because=_KEYLESS,
    codes="signature",
)


def _spelled(change: Callable[[bytes], bytes]) -> Callable[[Case], None]:
    """Change the text of the bundle, or of its line ``extra``."""

    def make(case: Case) -> None:
        octets = bundle.encode([_made(case, case.world.cosigned(case.rows))])
        _as_anchor(case)
        _shown(case, change(octets))

    return make


def _extra(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def respell(octets: bytes) -> bytes:
        lines = octets.split(b"\n")
        lines[1] = b"extra " + base64.b64encode(change(base64.b64decode(lines[1].removeprefix(b"extra "))))
        return b"\n".join(lines)

    return respell


def _no_entries(octets: bytes) -> bytes:
    return json.dumps({**json.loads(octets), "entries": []}).encode()


for _name, _what, _respell in (
    (
        "bundle-member-twice",
        "A member comes twice in the bundle",
        _extra(lambda octets: octets.replace(b"{", b'{"v":1,', 1)),
    ),
    ("bundle-without-entries", "The bundle holds no entry", _extra(_no_entries)),
    ("bundle-cut", "The bundle is cut in the middle", lambda octets: octets[: len(octets) // 2]),
    ("bundle-extra-is-no-json", "The bundle's entries are no JSON", _extra(lambda _: b"[" * 50_000)),
):
    FAMILY.add(_name, _what, Power.FILE, "ssss", _spelled(_respell))

FAMILY.add(
    "bundle-of-another-version",
    "The bundle claims another version",
    Power.FILE,
    "nnnn",
    _spelled(lambda octets: octets.replace(b"tlog-proof@v1", b"tlog-proof@v2")),
    because="what a verifier does not know it cannot prove, and does not skip",
    codes="version bundle",
)


def _forged(case: Case, key: SealingKey) -> None:
    """Prove an entry that was never in the log, from a log of the attacker's."""
    chain = Chain([], key)
    for _ in case.rows:
        chain.add(chain.entry(), header={"origin": case.world.head.origin})
    case.write(chain.rows)
    by = [Signer(one.verifier.name, Secret.generate(), one.verifier.kind) for one in case.world.witnesses]
    _as_anchor(case)
    _shown(case, bundle.encode([_made(case, case.world.cosigned(chain.rows, by=by))]))


@FAMILY.attack(Power.RSA, "nnnn", "it is signed by the right key; nobody outside vouches for it", codes="anchor")
def _bundle_of_a_forged_log(case: Case) -> None:
    """The bundle is of a log that the stolen key has sealed; no witness has seen it."""
    _forged(case, case.thief)
    case.key = case.keep("in-force.pub", case.thief.public.pem)


@FAMILY.attack(Power.FILE, "nsss", _KEYLESS, codes="rekeyed")
def _bundle_of_another_key(case: Case) -> None:
    """The bundle is of a log that a key of the attacker's has sealed."""
    _forged(case, case.world.own)
