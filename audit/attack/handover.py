"""Changes of keys that are not what they say."""

import base64
from collections.abc import Mapping, Sequence
from typing import Final

from audit import block, succession
from audit.attack import rsa
from audit.attack.case import Case
from audit.attack.catalog import Family, Power, Skipped
from audit.attack.forge import Sealer
from audit.keys import SealingKey

FAMILY: Final = Family("handover", "changes of the RSA key", "rotation signature rekeyed")
_UNKEYED: Final = "without the key nobody can follow who handed over to whom"
_ROTATED: Final = (
    "whoever holds the key may hand the log over, to himself too: that is a future, and the report names it"
)


def _rotated(
    case: Case, new: Sealer, signers: Sequence[Sealer], data: Mapping[str, object], *, then: Sealer | None = None
) -> None:
    """Add a rotate block with every key, and perhaps an ordinary one after it."""
    chain = case.future()
    entry = chain.entry(kind="rotate", because="once a year", data=dict(data))
    names = [case.thief.public.fingerprint, new.public.fingerprint]
    chain.add(entry, signers=signers, header={"why": "rotate", "keys": names})
    if then is not None:
        chain.key = then
        chain.add(chain.entry())
    case.write(chain.rows)


def _data(new: Sealer, spki: bytes) -> dict[str, object]:
    return {"new": base64.b64encode(spki).decode(), "fingerprint": new.public.fingerprint}


@FAMILY.attack(Power.EVERY, "nnuu", _ROTATED)
def _handed_over_to_the_thief(case: Case) -> None:
    """The stolen key hands the log over to a key of the thief's, and he goes on."""
    new = case.world.own
    _rotated(case, new, [case.thief, new], succession.describe(new.public, None), then=new)


@FAMILY.attack(Power.FILE, "nsss", _UNKEYED)
def _handover_signed_by_the_new_key_alone(case: Case) -> None:
    """A change of keys is signed by the new key twice."""
    new = case.world.own
    _rotated(case, new, [new, new], succession.describe(new.public, None), then=new)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _handover_signed_by_the_old_key_alone(case: Case) -> None:
    """A change of keys is signed by the old key twice."""
    new = case.world.own
    _rotated(case, new, [case.thief, case.thief], succession.describe(new.public, None), then=new)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _handover_to_another_key_than_named(case: Case) -> None:
    """The entry names another new key than the header."""
    new, other = case.world.own, case.world.other
    _rotated(case, new, [case.thief, new], succession.describe(other.public, None), then=new)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _handover_to_a_weak_key(case: Case) -> None:
    """The log is handed over to a key of 2048 bits."""
    weak = rsa.Weak.of(2048, 65_537)
    _rotated(case, weak, [case.thief, weak], _data(weak, weak.spki), then=weak)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _handover_to_the_exponent_1(case: Case) -> None:
    """The log is handed over to a key with the exponent 1, so that everybody can sign."""
    weak = rsa.Weak.of(3072, 1)
    _rotated(case, weak, [case.thief, weak], _data(weak, weak.spki), then=weak)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _handover_to_itself(case: Case) -> None:
    """The log is handed over to the key that is in force already."""
    _rotated(case, case.thief, [case.thief, case.thief], succession.describe(case.thief.public, None))


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _handover_back(case: Case) -> None:
    """The log is handed back to a key that was in force before."""
    retired = _retired(case)
    _rotated(case, retired, [case.thief, retired], succession.describe(retired.public, None), then=retired)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _old_key_used_later(case: Case) -> None:
    """A key that was replaced signs once more."""
    chain = case.future()
    chain.key = _retired(case)
    chain.add(chain.entry())
    case.write(chain.rows)


def _retired(case: Case) -> SealingKey:
    for name, key in case.world.ring.items():
        if name != case.world.head.keys[-1]:
            return key
    raise Skipped("no retired key is in the state folder")


@FAMILY.attack(
    Power.EVERY,
    "nnnn",
    "nobody outside vouches for what a stolen key signed after the height it is trusted to",
    codes="revoked",
)
def _revoked_key_used_before(case: Case) -> None:
    """The stolen key signed blocks before it was revoked, which the revocation does not trust."""
    chain, new = case.future(), case.world.own
    chain.add(chain.entry())
    entry = chain.entry(kind="rotate", because="stolen", data=succession.describe(new.public, case.world.top))
    names = [case.thief.public.fingerprint, new.public.fingerprint]
    chain.add(entry, signers=[case.thief, new], header={"why": "rotate", "keys": names})
    case.write(chain.rows)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _trusted_beyond_itself(case: Case) -> None:
    """A revocation trusts the stolen key up to a height beyond its own."""
    new = case.world.own
    _rotated(case, new, [case.thief, new], succession.describe(new.public, 1 << 40), then=new)


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _two_keys_on_an_ordinary_block(case: Case) -> None:
    """An ordinary block is signed by two keys, as if it handed over."""
    chain, new = case.future(), case.world.own
    chain.add(chain.entry(), signers=[case.thief, new])
    case.write(chain.rows)


@FAMILY.attack(Power.FILE, "ssss", codes="chain")
def _handover_removed(case: Case) -> None:
    """The block that changed keys is deleted."""
    for row in case.rows:
        if block.parse_header(row.hdr).why == "rotate":
            case.write(one for one in case.rows if one.height != row.height)
            return
    raise Skipped("the log has never changed keys")
